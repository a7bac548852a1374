package publish

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
)

func TestMediaIsReadyWhereThePlatformTakesItsType(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.png"), pngHead, 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := NewMediaRoom(dir, Guard{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	f, err := m.Ready(t.Context(), post.Media{URL: "a.png"}, &limits.MediaLimit{ImageTypes: []string{"image/png"}})
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	_, err = m.Ready(t.Context(), post.Media{URL: "a.png"}, &limits.MediaLimit{VideoTypes: []string{"video/mp4"}})
	if err == nil || !strings.Contains(err.Error(), "the platform takes MP4") {
		t.Errorf("a picture for films alone: %v", err)
	}
}

func TestMediaIsLinkedWhereAnybodyCanOpenIt(t *testing.T) {
	t.Parallel()
	m, err := NewMediaRoom("", Guard{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	const url = "https://example.com/a.jpg"
	if got, err := m.Link(t.Context(), post.Media{URL: url}, &limits.MediaLimit{}); got != url || err != nil {
		t.Errorf("link %q, %v", got, err)
	}
	if _, err := m.Link(t.Context(), post.Media{URL: "a.jpg"}, &limits.MediaLimit{}); err == nil {
		t.Error("a file of the room was linked, and there is no address for it")
	}
}
