package publish

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"os"
	"path/filepath"
	"testing"

	"github.com/postroom/postroom/post"
)

func TestFormIsReadAsItWasMade(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, `a "b".png`), []byte("\x89PNG\r\n\x1a\nrest"), 0o600); err != nil {
		t.Fatal(err)
	}
	room, err := NewMediaRoom(dir, Guard{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	file, err := room.Open(t.Context(), post.Media{URL: `a "b".png`}, func(string) int64 { return 0 })
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()

	f, r := NewForm(), Request{}
	f.Field("before", "ä\r\n--")
	f.File("file", file)
	f.Field("after", "2")
	f.Send(&r)
	body, err := io.ReadAll(r.Stream)
	if err != nil || int64(len(body)) != r.Size {
		t.Fatalf("%d bytes, %v, want %d", len(body), err, r.Size)
	}

	_, params, err := mime.ParseMediaType(r.Type)
	if err != nil {
		t.Fatal(err)
	}
	parts := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	for _, want := range [][4]string{
		{"before", "", "", "ä\r\n--"}, {"file", `a "b".png`, "image/png", "\x89PNG\r\n\x1a\nrest"}, {"after", "", "", "2"},
	} {
		p, err := parts.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(p)
		if got := [4]string{p.FormName(), p.FileName(), p.Header.Get("Content-Type"), string(content)}; err != nil || got != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	if _, err := parts.NextPart(); err != io.EOF {
		t.Errorf("after the last part: %v", err)
	}
}
