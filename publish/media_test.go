package publish

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postroom/postroom/post"
)

var pngHead = []byte("\x89PNG\r\n\x1a\n and so on")

func noLimit(string) int64 { return 0 }

func TestMediaTypesAreTold(t *testing.T) {
	t.Parallel()
	for ref, want := range map[string]string{
		"a.JPG": "image/jpeg", "dir/a.mp4": "video/mp4", "https://example.com/a.png?size=1.mp4": "image/png",
		"https://example.com/a": "", "a.pdf": "", "": "", `C:\films\a.mov`: "video/quicktime",
	} {
		if got := MediaType(ref); got != want {
			t.Errorf("%q is %q, want %q", ref, got, want)
		}
	}
	for name, tt := range map[string]struct {
		head            []byte
		ref, told, want string
	}{
		"by content before the name": {pngHead, "a.jpg", "image/gif", "image/png"},
		"a QuickTime film":           {[]byte("\x00\x00\x00\x14ftypqt  \x00\x00"), "a", "", "video/quicktime"},
		"by name before the server":  {[]byte("?"), "a.webm", "text/html", "video/webm"},
		"by the server":              {[]byte("?"), "a", "image/avif; q=1", "image/avif"},
		"not at all":                 {nil, "a", "", "application/octet-stream"},
	} {
		if got := sniff(tt.head, tt.ref, tt.told); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

func TestMediaAreFetchedBehindTheGuard(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("/a.png", func(w http.ResponseWriter, _ *http.Request) {
		if _, err := w.Write(pngHead); err != nil {
			t.Error(err)
		}
	})
	mux.HandleFunc("/endless", func(w http.ResponseWriter, _ *http.Request) {
		for {
			if _, err := w.Write(make([]byte, 1<<16)); err != nil {
				return
			}
		}
	})
	mux.HandleFunc("/half", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		fmt.Fprint(w, "half")
	})
	mux.HandleFunc("/declared", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "99999999") })
	mux.HandleFunc("/loop", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/loop", http.StatusFound) })
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/a.png", http.StatusFound) })
	mux.HandleFunc("/busy", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	tests := []struct {
		path    string
		private bool
		class   post.Class
		ok      bool
	}{
		{"/a.png", true, 0, true},
		{"/moved", true, 0, true},
		{"/a.png", false, post.ClassInvalid, false},
		{"/endless", true, post.ClassLarge, false},
		{"/declared", true, post.ClassLarge, false},
		{"/half", true, post.ClassNetwork, false},
		{"/loop", true, post.ClassNetwork, false},
		{"/busy", true, post.ClassServer, false},
		{"/missing", true, post.ClassInvalid, false},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.path, " private ", tt.private), func(t *testing.T) {
			t.Parallel()
			room, err := NewMediaRoom("", Guard{AllowPrivate: tt.private}, nil)
			if err != nil {
				t.Fatal(err)
			}
			file, err := room.Open(t.Context(), post.Media{URL: server.URL + tt.path + "?token=" + canary}, func(string) int64 { return 1 << 20 })
			if !tt.ok {
				if f := failureOf(t, err); f.Class != tt.class || f.Sent != post.SentNot {
					t.Errorf("%+v, want %v", f, tt.class)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(file)
			if err != nil || !bytes.Equal(body, pngHead) || file.Type != "image/png" || file.Size != int64(len(pngHead)) {
				t.Errorf("%q %v %+v", body, err, file)
			}
			name := file.File.Name()
			if err := file.Close(); err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(name); !os.IsNotExist(err) {
				t.Errorf("the temporary file is still there: %v", err)
			}
		})
	}
}

func TestMediaFolderIsNotLeft(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "secret"), []byte("secret"), 0o666); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(dir, "media")
	if err := os.MkdirAll(folder, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "a.png"), pngHead, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../secret", filepath.Join(folder, "link.png")); err != nil {
		t.Logf("no links here: %v", err)
	}
	room, err := NewMediaRoom(folder, Guard{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, ref := range []string{
		"../secret", "a/../../secret", "link.png", filepath.Join(dir, "secret"), "/etc/passwd", "", ".", "..", "a.png/..", "\x00", "a.png\x00.jpg",
		"file:///etc/passwd", strings.Repeat("../", 50) + "etc/passwd",
	} {
		if file, err := room.Open(t.Context(), post.Media{URL: ref}, noLimit); err == nil {
			t.Errorf("%q was opened", ref)
			file.Close()
		}
	}
	file, err := room.Open(t.Context(), post.Media{URL: "a.png"}, noLimit)
	if err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(folder, "a.png")); err != nil {
		t.Errorf("an original is gone: %v", err)
	}
	_, err = room.Open(t.Context(), post.Media{URL: "a.png"}, func(string) int64 { return 3 })
	if f := failureOf(t, err); f.Class != post.ClassLarge {
		t.Errorf("%v, want too large", f)
	}
}

func TestWhatIsFetchedHasAnEndWhereThePlatformHasNoLimit(t *testing.T) {
	t.Parallel()
	room, err := NewMediaRoom("", Guard{}, roundTrip(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(pngHead)), ContentLength: MostMedia + 1}, nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	_, err = room.Open(t.Context(), post.Media{URL: "https://cdn.example/a.png"}, noLimit)
	if f := failureOf(t, err); f.Class != post.ClassLarge {
		t.Errorf("%v, want too large", f)
	}
}
