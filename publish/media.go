package publish

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"
	"sync/atomic"
	"time"

	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/media"
	"github.com/postroom/postroom/post"
)

// mediaTypes are the MIME types that a file name tells.
var mediaTypes = map[string]string{
	".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".gif": "image/gif", ".webp": "image/webp",
	".bmp": "image/bmp", ".tif": "image/tiff", ".tiff": "image/tiff", ".avif": "image/avif", ".heic": "image/heic",
	".mp4": "video/mp4", ".m4v": "video/mp4", ".mov": "video/quicktime", ".webm": "video/webm",
	".avi": "video/x-msvideo", ".mkv": "video/x-matroska",
}

// MediaType returns the MIME type that the name of a file or the path of a URL
// tells, "" when it tells none.
func MediaType(ref string) string {
	return mediaTypes[strings.ToLower(path.Ext(mediaName(ref)))]
}

// IsFilm reports whether media is a film, as far as is known.
func IsFilm(m *post.Media) bool {
	return m.Pin.Film() || m.Pin.IsZero() && strings.HasPrefix(MediaType(m.URL), "video/")
}

// mediaName returns the file name in a URL or path, without a query.
func mediaName(ref string) string {
	if isURL(ref) {
		if u, err := url.Parse(ref); err == nil {
			ref = u.Path
		}
	}
	return path.Base(strings.ReplaceAll(ref, "\\", "/"))
}

func isURL(ref string) bool {
	return strings.HasPrefix(ref, "https://") || strings.HasPrefix(ref, "http://")
}

// maxRedirects bounds how far a media URL may lead.
const maxRedirects = 3

// A MediaRoom gives the bytes of media: those that were pinned, from the room's
// shelf, and others from the media folder, which no path or link leads out of, or
// from a URL, behind a guard.
type MediaRoom struct {
	root  *os.Root // nil when there is no folder
	shelf *media.Shelf
	http  *http.Client
	links atomic.Pointer[links] // nil when nobody can reach us
}

// NewMediaRoom returns a room of the folder dir ("" for none) and of URLs that g
// allows. transport replaces the network in tests.
func NewMediaRoom(dir string, g Guard, transport http.RoundTripper) (*MediaRoom, error) {
	m := &MediaRoom{}
	if dir != "" {
		var err error
		if m.shelf, err = media.OpenShelf(dir); err != nil {
			return nil, err
		}
		if m.root, err = os.OpenRoot(dir); err != nil {
			return nil, fmt.Errorf("open media folder: %w", err)
		}
	}
	if transport == nil {
		transport = networkTransport(&g)
	}
	m.http = &http.Client{Transport: transport, CheckRedirect: func(to *http.Request, via []*http.Request) error {
		if len(via) > maxRedirects {
			return fmt.Errorf("more than %d redirects", maxRedirects)
		}
		if via[0].URL.Scheme == "https" && to.URL.Scheme != "https" {
			return errors.New("redirected from https to " + to.URL.Scheme)
		}
		return nil
	}}
	return m, nil
}

// Shelf returns where pinned files lie; nil when there is no folder.
func (m *MediaRoom) Shelf() *media.Shelf { return m.shelf }

// A MediaFile is open media, at its beginning.
type MediaFile struct {
	*os.File
	Name string // for the platform
	Type string // MIME type, by content, else by name
	Size int64  // bytes
	temp bool

	// Width and Height are in pixels, and Duration is that of a film. They are 0
	// where nobody has looked: of media that was never pinned.
	Width, Height int
	Duration      time.Duration
}

// Close closes the file, and removes it when it was fetched.
func (f *MediaFile) Close() error {
	err := f.File.Close()
	if f.temp {
		err = errors.Join(err, os.Remove(f.File.Name()))
	}
	return err
}

// Size returns the bytes of a file in the media folder, and false for a URL. The
// error says why the file cannot be used.
func (m *MediaRoom) Size(ref string) (int64, bool, error) {
	if isURL(ref) {
		return 0, false, nil
	}
	if m.root == nil {
		return 0, true, errors.New("there is no media folder")
	}
	info, err := m.root.Stat(path.Clean(ref))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return 0, true, errors.New("no such file in the media folder")
	case err != nil:
		return 0, true, errors.New("not a path inside the media folder")
	case !info.Mode().IsRegular():
		return 0, true, errors.New("not a regular file")
	}
	return info.Size(), true, nil
}

// Open opens media of at most most(MIME type) bytes, 0 for no limit; URLs are
// fetched into a temporary file first, of MostMedia at most. The error is a *post.Failure of a post
// that was not sent: too large, not usable, or not reached.
func (m *MediaRoom) Open(ctx context.Context, ref post.Media, most func(mime string) int64) (*MediaFile, error) {
	if isURL(ref.URL) {
		return m.fetch(ctx, ref.URL, most)
	}
	if _, _, err := m.Size(ref.URL); err != nil {
		return nil, mediaFailure(post.ClassInvalid, ref.URL, err)
	}
	file, err := m.root.Open(path.Clean(ref.URL))
	if err != nil {
		return nil, mediaFailure(post.ClassInvalid, ref.URL, errors.New("the file cannot be opened"))
	}
	f, err := describe(file, ref.URL, "")
	if err == nil {
		if limit := most(f.Type); limit > 0 && f.Size > limit {
			err = tooLarge(ref.URL, f.Size, limit)
		}
	}
	if err != nil {
		file.Close() // it was only read: why it is not taken counts more
		return nil, err
	}
	return f, nil
}

// describe finds type, size and name of an open file.
func describe(file *os.File, ref, told string) (*MediaFile, error) {
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil, mediaFailure(post.ClassInvalid, ref, errors.New("not a regular file"))
	}
	head := make([]byte, 512)
	n, err := file.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, mediaFailure(post.ClassInvalid, ref, errors.New("the file cannot be read"))
	}
	return &MediaFile{File: file, Name: mediaName(ref), Type: sniff(head[:n], ref, told), Size: info.Size()}, nil
}

// sniff returns the MIME type of media by its first bytes, else by its name,
// else as the server told.
func sniff(head []byte, ref, told string) string {
	if t := http.DetectContentType(head); strings.HasPrefix(t, "image/") || strings.HasPrefix(t, "video/") {
		return strings.Replace(t, "video/avi", "video/x-msvideo", 1)
	}
	if len(head) > 12 && bytes.Equal(head[4:10], []byte("ftypqt")) {
		return "video/quicktime"
	}
	if t := MediaType(ref); t != "" {
		return t
	}
	if told, _, _ = strings.Cut(told, ";"); told != "" {
		return strings.TrimSpace(told)
	}
	return "application/octet-stream"
}

func (m *MediaRoom) fetch(ctx context.Context, ref string, most func(mime string) int64) (*MediaFile, error) {
	resp, err := m.get(ctx, ref)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return m.store(resp, ref, most)
}

// get asks for what a URL leads to. The caller closes the body.
func (m *MediaRoom) get(ctx context.Context, ref string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, ref, nil)
	if err != nil || req.URL.User != nil {
		return nil, mediaFailure(post.ClassInvalid, ref, errors.New("not a URL that can be fetched"))
	}
	req.Header.Set("User-Agent", UserAgent)
	resp, err := m.http.Do(req)
	if err != nil {
		class := post.ClassNetwork
		if _, refused := errors.AsType[*guardError](err); refused {
			class = post.ClassInvalid
		} else if errors.Is(err, context.DeadlineExceeded) {
			class = post.ClassTimeout
		}
		return nil, mediaFailure(class, ref, scrubError(err, nil))
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	resp.Body.Close()
	class := post.ClassInvalid
	if resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests {
		class = post.ClassServer
	}
	f := mediaFailure(class, ref, errors.New("the server answered "+statusText(resp.StatusCode)))
	f.Status = resp.StatusCode
	return nil, f
}

// store copies what resp holds into a temporary file.
func (m *MediaRoom) store(resp *http.Response, ref string, most func(mime string) int64) (*MediaFile, error) {
	head := make([]byte, 512)
	n, err := io.ReadFull(resp.Body, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, mediaFailure(post.ClassNetwork, ref, scrubError(err, nil))
	}
	told := resp.Header.Get("Content-Type")
	limit := most(sniff(head[:n], ref, told))
	if limit == 0 {
		limit = MostMedia // what sends it need have no end
	}
	if resp.ContentLength > limit {
		return nil, tooLarge(ref, resp.ContentLength, limit)
	}
	temp, err := os.CreateTemp("", "postroom-media-*")
	if err != nil {
		return nil, mediaFailure(post.ClassNetwork, ref, err)
	}
	f, err := m.fill(temp, resp, head[:n], ref, limit)
	if err != nil {
		(&MediaFile{File: temp, temp: true}).Close() // why it is not taken counts more
		return nil, err
	}
	f.temp = true
	return f, nil
}

// fill copies head and what is left of resp, limit at most, into temp, and goes back to its
// beginning.
func (m *MediaRoom) fill(temp *os.File, resp *http.Response, head []byte, ref string, limit int64) (*MediaFile, error) {
	size, err := io.Copy(temp, io.LimitReader(io.MultiReader(bytes.NewReader(head), resp.Body), limit+1))
	switch {
	case err != nil:
		return nil, mediaFailure(post.ClassNetwork, ref, scrubError(err, nil))
	case size > limit:
		return nil, tooLarge(ref, size, limit)
	case resp.ContentLength >= 0 && size != resp.ContentLength:
		return nil, mediaFailure(post.ClassNetwork, ref, io.ErrUnexpectedEOF)
	}
	if _, err := temp.Seek(0, io.SeekStart); err != nil {
		return nil, mediaFailure(post.ClassNetwork, ref, err)
	}
	return describe(temp, ref, resp.Header.Get("Content-Type"))
}

func mediaFailure(class post.Class, ref string, why error) *post.Failure {
	shown := ref
	if isURL(ref) {
		shown = hostOf(ref) + "/…/" + mediaName(ref)
	}
	return &post.Failure{Class: class, Sent: post.SentNot, Message: fmt.Sprintf("media %s: %v", post.Shorten(shown), why), Err: why}
}

func tooLarge(ref string, size, limit int64) *post.Failure {
	return mediaFailure(post.ClassLarge, ref, fmt.Errorf("%s, the platform takes at most %s", limits.SizeText(size), limits.SizeText(limit)))
}
