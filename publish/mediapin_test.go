package publish

import (
	"bytes"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
)

// pngFile is a picture of w × h pixels.
func pngFile(t *testing.T, w, h int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, w, h))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func mediaRoom(t *testing.T, g Guard) (*MediaRoom, string) {
	t.Helper()
	dir := t.TempDir()
	m, err := NewMediaRoom(dir, g, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m, dir
}

func TestMediaIsPinnedFromBesideTheCalendarAndFromTheMediaFolder(t *testing.T) {
	t.Parallel()
	m, dir := mediaRoom(t, Guard{})
	beside := t.TempDir()
	write := func(path string, b []byte) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(beside, "both.png"), pngFile(t, 10, 1))
	write(filepath.Join(dir, "both.png"), pngFile(t, 20, 1))
	write(filepath.Join(dir, "sub", "only.png"), pngFile(t, 30, 1))
	write(filepath.Join(beside, "notes.txt"), []byte("secret"))
	if err := os.Mkdir(filepath.Join(beside, "folder.png"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(dir, "both.png"), filepath.Join(beside, "out.png")); err != nil {
		t.Logf("no links here: %v", err)
	}
	root, err := os.OpenRoot(beside)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for ref, width := range map[string]int{"both.png": 10, "sub/only.png": 30, "./sub/../both.png": 10} {
		p, err := m.Pin(t.Context(), ref, root)
		if err != nil || p.Width != width || p.Type != "image/png" {
			t.Errorf("%s: %+v, %v", ref, p, err)
		}
	}
	for ref, want := range map[string]string{
		"missing.png": "no such file beside the calendar or in the media folder", "folder.png": "not a regular file", "notes.txt": "no picture or film",
		"out.png": "cannot be opened", "../secret.png": "not a path below", "/etc/passwd": "not a path below", "": "not a path below", "a\x00.png": "cannot be opened",
	} {
		_, err := m.Pin(t.Context(), ref, root)
		if f := failureOf(t, err); f.Sent != post.SentNot || f.Retryable() || !strings.Contains(f.Message, want) {
			t.Errorf("%q: %v, want %q", ref, f, want)
		}
	}
}

func TestMediaIsPinnedFromURLsBehindTheGuard(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("/a.jpg", func(w http.ResponseWriter, _ *http.Request) {
		if _, err := w.Write(pngFile(t, 3, 2)); err != nil {
			t.Error(err)
		}
	})
	mux.HandleFunc("/login", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/jpeg")
		if _, err := io.WriteString(w, "<!doctype html>Log in"); err != nil {
			t.Error(err)
		}
	})
	mux.HandleFunc("/half", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		if _, err := w.Write(pngFile(t, 3, 2)); err != nil {
			t.Error(err)
		}
	})
	mux.HandleFunc("/large", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "99999999999") })
	mux.HandleFunc("/busy", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	m, _ := mediaRoom(t, Guard{AllowPrivate: true})
	p, err := m.Pin(t.Context(), server.URL+"/a.jpg?token="+canary, nil)
	if err != nil || p.Type != "image/png" || p.Name != "a.png" || p.Width != 3 {
		t.Errorf("%+v, %v", p, err)
	}
	for path, want := range map[string]struct {
		class post.Class
		again bool
	}{
		"/login": {post.ClassInvalid, false}, "/missing": {post.ClassInvalid, false}, "/large": {post.ClassLarge, false},
		"/half": {post.ClassNetwork, true}, "/busy": {post.ClassServer, true},
	} {
		_, err := m.Pin(t.Context(), server.URL+path+"?token="+canary, nil)
		if f := failureOf(t, err); f.Class != want.class || f.Retryable() != want.again {
			t.Errorf("%s: %v, retryable %v", path, f, f.Retryable())
		}
	}
	guarded, _ := mediaRoom(t, Guard{})
	_, err = guarded.Pin(t.Context(), server.URL+"/a.jpg", nil)
	if f := failureOf(t, err); f.Retryable() || !strings.Contains(f.Message, "refused to connect") {
		t.Errorf("this machine itself: %v", f)
	}
}

func TestPinnedMediaIsReadyAsThePlatformTakesIt(t *testing.T) {
	t.Parallel()
	m, dir := mediaRoom(t, Guard{})
	if err := os.WriteFile(filepath.Join(dir, "a.png"), pngFile(t, 300, 200), 0o666); err != nil {
		t.Fatal(err)
	}
	p, err := m.Pin(t.Context(), "a.png", nil)
	if err != nil {
		t.Fatal(err)
	}
	jpegs := &limits.MediaLimit{Images: 1, ImageTypes: []string{"image/jpeg"}, ImageSide: 150}
	for rule, ref := range map[string]post.Media{"pinned": {URL: "https://gone.example.com/", Pin: p}, "not pinned": {URL: "a.png"}} {
		f, err := m.Ready(t.Context(), ref, jpegs)
		if err != nil {
			t.Errorf("%s: %v", rule, err)
			continue
		}
		c, err := jpeg.DecodeConfig(f)
		if err != nil || c.Width != 150 || f.Width != 150 || f.Height != 100 || f.Type != "image/jpeg" || f.Name != "a.jpg" {
			t.Errorf("%s: %+v, %+v, %v", rule, f, c, err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	var moving bytes.Buffer
	frame := image.NewPaletted(image.Rect(0, 0, 2, 2), color.Palette{color.Black})
	if err := gif.EncodeAll(&moving, &gif.GIF{Image: []*image.Paletted{frame, frame}, Delay: []int{1, 1}}); err != nil {
		t.Fatal(err)
	}
	if p, err = m.Shelf().Put(t.Context(), &moving, "a.gif", 1<<20); err != nil {
		t.Fatal(err)
	}
	_, err = m.Ready(t.Context(), post.Media{URL: "a.gif", Pin: p}, jpegs)
	if f := failureOf(t, err); f.Class != post.ClassInvalid || f.Sent != post.SentNot || !strings.Contains(f.Message, "stand still") {
		t.Errorf("a picture that moves: %v", f)
	}
	_, err = m.Ready(t.Context(), post.Media{URL: "a.png", Pin: post.Pin{Hash: post.Digest{9}, Type: "image/png", Size: 1}}, &limits.MediaLimit{})
	if f := failureOf(t, err); !strings.Contains(f.Message, "gone from the room's media folder") {
		t.Errorf("a file that is gone: %v", f)
	}
}

func TestLinksLeadToOneFileForADay(t *testing.T) {
	t.Parallel()
	m, _ := mediaRoom(t, Guard{})
	p, err := m.Shelf().Put(t.Context(), bytes.NewReader(pngFile(t, 300, 200)), "a picture.png", 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	m.OpenLinks("https://post.example.com/room/", []byte("key"), func() time.Time { return now })
	ref := post.Media{URL: "a.png", Pin: p}
	link, err := m.Link(t.Context(), ref, &limits.MediaLimit{Images: 1, ImageTypes: []string{"image/jpeg"}})
	if err != nil || !strings.HasPrefix(link, "https://post.example.com/room/media/") || !strings.HasSuffix(link, "/a_picture.jpg") {
		t.Fatalf("link %q, %v", link, err)
	}
	ask := func(method, url string, header ...string) *http.Response {
		t.Helper()
		r := httptest.NewRequest(method, strings.Replace(url, "/room/", "/", 1), nil)
		for i := 0; i+1 < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		m.ServeLink(w, r)
		return w.Result()
	}
	got := ask(http.MethodGet, link)
	body, err := io.ReadAll(got.Body)
	if err != nil || got.StatusCode != 200 || got.Header.Get("Content-Type") != "image/jpeg" || got.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%v %v %v", got.Status, got.Header, err)
	}
	if c, err := jpeg.DecodeConfig(bytes.NewReader(body)); err != nil || c.Width != 300 {
		t.Errorf("%+v, %v", c, err)
	}
	if got := ask(http.MethodHead, link); got.StatusCode != 200 || got.ContentLength != int64(len(body)) {
		t.Errorf("HEAD: %v, %d bytes", got.Status, got.ContentLength)
	}
	got = ask(http.MethodGet, link, "Range", "bytes=2-5")
	if part, _ := io.ReadAll(got.Body); got.StatusCode != http.StatusPartialContent || !bytes.Equal(part, body[2:6]) {
		t.Errorf("a range: %v, %d bytes", got.Status, len(part))
	}
	if got := ask(http.MethodPost, link); got.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %v", got.Status)
	}
	parts := strings.Split(link, "/") // https: "" host room media END SIGNATURE FILE NAME
	with := func(at int, s string) string {
		other := append([]string(nil), parts...)
		other[at] = s
		return strings.Join(other, "/")
	}
	for rule, bad := range map[string]string{
		"a later end": with(5, "zzzzzzz"), "no end": with(5, ""), "another signature": with(6, strings.Repeat("A", 43)), "no signature": with(6, ""),
		"another file": with(7, p.Hash.String()), "another name": with(8, "a.html"), "a way out": with(7, "..%2f..%2fpostroom.yaml"),
		"nothing": "https://post.example.com/room/media/", "more": link + "/more",
	} {
		if got := ask(http.MethodGet, bad); got.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %v", rule, got.Status)
		}
	}
	now = now.Add(24 * time.Hour)
	if got := ask(http.MethodGet, link); got.StatusCode != http.StatusNotFound {
		t.Errorf("a day later: %v", got.Status)
	}
	m.OpenLinks("", nil, nil)
	if _, err := m.Link(t.Context(), ref, &limits.MediaLimit{}); err == nil || !strings.Contains(err.Error(), "set public_url") {
		t.Errorf("without public_url: %v", err)
	}
}
