package api

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/postroom/postroom/post"
)

// A Shelf keeps media. Put returns when the file is on disk, durably; its error is a
// [Refusal] when the file will never do. Open's file is as it was put.
type Shelf interface {
	Put(ctx context.Context, r io.Reader, name string, most int64) (post.Pin, error)
	Open(p *post.Pin) (*os.File, error)
}

// A Refusal says why a file is not taken, in words for people.
type Refusal interface {
	error
	Refused()
}

const (
	uploadLife   = time.Hour        // of a URL to upload to (CONTRACT §2.9)
	mediaWait    = 30 * time.Minute // for the whole of an upload that began in time
	defaultMedia = 4 << 30          // bytes of one file
	mostMedia    = 50               // of one post
	mostFileName = 100
)

// uploadBody answers get-upload-url.
type uploadBody struct {
	Success   bool    `json:"success"`
	UploadURL string  `json:"uploadUrl"`
	FileURL   string  `json:"fileUrl"`
	MediaID   post.ID `json:"mediaId"`
}

// getUploadURL promises a place for media of a group, at the end of what it has, and
// says where to send it (CONTRACT §2.9, §12 D12). altText is an addition of ours.
func (a *API) getUploadURL(c *call) (any, error) {
	f, err := c.fields()
	if err != nil {
		return nil, err
	}
	name, _ := f.text("fileName")
	kind, _ := f.text("contentType")
	of, _ := f.text("postGroupId")
	if strings.TrimSpace(name) == "" || strings.TrimSpace(kind) == "" || of == "" {
		return nil, errBadRequest("fileName, contentType, and postGroupId are required")
	}
	given, _ := f.text("type")
	folder, ok := mediaFolder(given, kind, name)
	if !ok && c.set.StrictCompat {
		return nil, errors.New("no type is given, and the original finds none by itself")
	}
	id, err := post.ParseID(of)
	switch {
	case err != nil && c.set.StrictCompat:
		return nil, err
	case err != nil:
		return nil, errNotFound(textNoGroup)
	}
	g, err := c.group(id)
	if err != nil {
		return nil, err
	}
	if locked := lockedAs(&g); locked != "" {
		return nil, errLocked(locked)
	}
	alt, _ := f.text("altText")
	end := c.now.Add(uploadLife).Truncate(time.Second)
	m := post.Media{Alt: strings.TrimSpace(alt), Upload: post.Upload{ID: a.Store.NewID(), Until: end.Add(mediaWait)}}
	key, err := a.MediaKey()
	if err != nil {
		return nil, err
	}
	to := uploads{base: c.base() + uploadsPath + m.Upload.ID.String(), id: m.Upload.ID, key: key}
	m.URL = to.file(folder + "/" + strconv.FormatInt(c.now.UnixMilli(), 10) + "-" + cleanFileName(name))
	g, err = a.Store.AddUpload(c.Context(), id, m, mostMedia)
	if err != nil {
		return nil, mediaRefused(&g, err)
	}
	return uploadBody{true, to.put(end), m.URL, m.Upload.ID}, nil
}

// altTexts reads what media shows, by its place in the post: an addition to
// create-post and update-post, which the original ignores and its samples send
// (CONTRACT §5.2). null and "" are for media that has none.
func (c *call) altTexts(f fields) ([]string, error) {
	v := f["altTexts"]
	if falsy(v) || c.set.StrictCompat {
		return nil, nil
	}
	if s, ok := asText(v); ok {
		v = json.RawMessage(s)
	}
	var alts []string
	if json.Unmarshal(v, &alts) != nil {
		return nil, &Error{Status: http.StatusBadRequest, Text: "altTexts must be an array of strings", Code: "INVALID_ALT_TEXTS"}
	}
	if len(alts) > mostMedia {
		return nil, &Error{Status: http.StatusBadRequest, Text: "At most " + strconv.Itoa(mostMedia) + " altTexts are possible in one post", Code: "TOO_MANY_MEDIA"}
	}
	for i := range alts {
		alts[i] = strings.TrimSpace(alts[i])
	}
	return alts, nil
}

// mediaRefused says why the media of a group may not be changed.
func mediaRefused(g *post.Group, err error) error {
	_, full := errors.AsType[*post.CapExceeded](err)
	switch {
	case full:
		return &Error{Status: http.StatusBadRequest, Text: "At most " + strconv.Itoa(mostMedia) + " files are possible in one post", Code: "TOO_MANY_MEDIA"}
	case errors.Is(err, post.ErrNotFound):
		return errNotFound(textNoGroup)
	case !errors.Is(err, post.ErrState):
		return err
	}
	if locked := lockedAs(g); locked != "" {
		return errLocked(locked)
	}
	return errLocked("processing") // it was tried, and will be again
}

// mediaFolder returns where the original would put media: by type, else by the
// content type, else by the name's ending. Samples leave type out, and for the
// original there is then no folder: ok is false.
func mediaFolder(given, kind, name string) (folder string, ok bool) {
	switch given {
	case "image":
		return "images", true
	case "video":
		return "videos", true
	}
	kind = strings.ToLower(strings.TrimSpace(kind))
	if strings.HasPrefix(kind, "video/") {
		return "videos", false
	}
	if !strings.HasPrefix(kind, "image/") {
		switch strings.ToLower(path.Ext(strings.TrimSpace(name))) {
		case ".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi":
			return "videos", false
		}
	}
	return "images", false
}

// cleanFileName makes of a name what may stand in a URL (CONTRACT §2.9): "my photo
// (1).jpg" is my_photo_1.jpg.
func cleanFileName(name string) string {
	name = strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '_'
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '.', r == '-':
			return r
		}
		return -1
	}, strings.TrimSpace(name))
	return name[max(0, len(name)-mostFileName):] // the end tells the type
}

// base is the address that the caller reaches the API at: as it is configured, else
// as the caller called it.
func (c *call) base() string {
	if c.set.PublicURL != "" {
		return c.set.PublicURL + Prefix
	}
	scheme := "http"
	if c.TLS != nil || c.Header.Get("X-Forwarded-Proto") == "https" {
		scheme = "https"
	}
	return scheme + "://" + c.Host + Prefix
}

const uploadsPath = "/uploads/"

// uploads makes and checks the URLs of one medium. They are signed, so that whoever
// has one needs no key and can make no other.
type uploads struct {
	base string // of them all
	id   post.ID
	key  []byte
}

func (u uploads) sign(what, of string) string {
	h := hmac.New(sha256.New, u.key)
	h.Write([]byte("api upload\n" + what + "\n" + u.id.String() + "\n" + of))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

func (u uploads) signed(what, of, signature string) bool {
	return hmac.Equal([]byte(u.sign(what, of)), []byte(signature))
}

// put is where the bytes go until end.
func (u uploads) put(end time.Time) string {
	exp := strconv.FormatInt(end.Unix(), 10)
	return u.base + "?" + url.Values{"exp": {exp}, "sig": {u.sign("put", exp)}}.Encode()
}

// file is where the bytes are found once they came, for as long as they are kept.
func (u uploads) file(name string) string { return u.base + "/" + u.sign("file", name) + "/" + name }

// direct adds a handler that asks for no key.
func (a *API) direct(pattern string, h func(http.ResponseWriter, *http.Request) error, failed string) {
	method, path, _ := strings.Cut(pattern, " ")
	a.mux.HandleFunc(method+" "+Prefix+path, func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			a.writeError(w, r, err, failed)
		}
	})
}

const textNoMedia = "Media file not found"

// medium reads which medium a path is about.
func (a *API) medium(r *http.Request) (uploads, error) {
	key, err := a.MediaKey()
	if err != nil {
		return uploads{}, err
	}
	id, err := post.ParseID(r.PathValue("id"))
	if err != nil {
		return uploads{}, errNotFound(textNoMedia)
	}
	return uploads{id: id, key: key}, nil
}

// putUpload takes the bytes of media (CONTRACT §2.9, item 3). What they are is told
// by themselves: a Content-Type that says otherwise, or none, is no fault. The same
// bytes may come again, and others as long as nothing of the post was sent.
func (a *API) putUpload(w http.ResponseWriter, r *http.Request) error {
	u, err := a.medium(r)
	if err != nil {
		return err
	}
	p := paramsOf(r.URL)
	exp := p.text("exp")
	end, err := strconv.ParseInt(exp, 10, 64)
	if !u.signed("put", exp, p.text("sig")) || err != nil || a.Now().Unix() >= end {
		return &Error{Status: http.StatusForbidden, Text: "Invalid or expired upload URL", Code: "UPLOAD_URL_INVALID", Message: "Invalid or expired upload URL: ask get-upload-url for another"}
	}
	g, m, err := a.Store.Upload(r.Context(), u.id)
	if errors.Is(err, post.ErrNotFound) || err == nil && !shown(&g) {
		return errNotFound(textNoMedia)
	}
	if err != nil {
		return err
	}
	most := a.Settings().MaxMedia
	if most == 0 {
		most = defaultMedia
	}
	if r.ContentLength > most {
		return asTooLarge(&http.MaxBytesError{Limit: most}, 0)
	}
	allowUpload(w, mediaWait) // as for a file of bulkImport; who is let in here has a URL of ours
	body := &received{Reader: http.MaxBytesReader(w, r.Body, most)}
	pin, err := a.Media.Put(r.Context(), body, path.Base(m.URL), most)
	if body.err != nil {
		return asTooLarge(body.err, body.n)
	}
	if no, ok := errors.AsType[Refusal](err); ok {
		return &Error{Status: http.StatusUnsupportedMediaType, Text: "The media cannot be taken: " + no.Error(), Code: "MEDIA_TYPE_NOT_SUPPORTED"}
	}
	if err != nil {
		return err
	}
	if g, err = a.Store.FillUpload(context.WithoutCancel(r.Context()), u.id, pin); err != nil {
		return mediaRefused(&g, err)
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

// received tells how far a body was read, and what ended it early.
type received struct {
	io.Reader
	n   int64
	err error
}

func (c *received) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	if err != nil && err != io.EOF {
		c.err = err
	}
	return n, err
}

// getUpload gives media out to whoever has its fileUrl.
func (a *API) getUpload(w http.ResponseWriter, r *http.Request) error {
	u, err := a.medium(r)
	if err != nil {
		return err
	}
	gone := errNotFound(textNoMedia)
	if !u.signed("file", r.PathValue("folder")+"/"+r.PathValue("name"), r.PathValue("sig")) {
		return gone
	}
	g, m, err := a.Store.Upload(r.Context(), u.id)
	if errors.Is(err, post.ErrNotFound) || err == nil && (!shown(&g) || m.Pending()) {
		return gone
	}
	if err != nil {
		return err
	}
	f, err := a.Media.Open(&m.Pin)
	if errors.Is(err, os.ErrNotExist) {
		return gone
	}
	if err != nil {
		return err
	}
	defer f.Close() // it was only read
	h := w.Header()
	h.Set("Content-Type", m.Pin.Type)
	h.Set("Content-Security-Policy", "default-src 'none'")
	allowAnswer(w, mediaWait)
	ranged := &served{ResponseWriter: w}
	http.ServeContent(ranged, r, "", time.Time{}, f)
	return ranged.refused
}

// served is an answer that [http.ServeContent] writes, but for its refusals, which are
// plain text.
type served struct {
	http.ResponseWriter
	refused error
}

func (s *served) WriteHeader(status int) {
	if status < 400 {
		s.ResponseWriter.WriteHeader(status)
		return
	}
	e := &Error{Status: status, Text: http.StatusText(status), Code: "INVALID_REQUEST"}
	if status == http.StatusRequestedRangeNotSatisfiable {
		e.Code, e.Message = "RANGE_NOT_SATISFIABLE", "The file has no such range: Content-Range says how long it is"
	}
	s.refused = e
}

// Write leaves out the text of a refusal.
func (s *served) Write(b []byte) (int, error) {
	if s.refused != nil {
		return len(b), nil
	}
	return s.ResponseWriter.Write(b)
}

// ReadFrom lets the network take a file by itself.
func (s *served) ReadFrom(r io.Reader) (int64, error) { return io.Copy(s.ResponseWriter, r) }

// shownMedia is media of a post in get-post, an addition of ours: the contract has it
// in list-posts alone, and there only what came. Media that did not come through the
// API has no id, and a fileUrl only when it is from the web.
type shownMedia struct {
	ID          post.ID `json:"mediaId,omitzero"`
	FileURL     string  `json:"fileUrl,omitempty"`
	Status      string  `json:"status"` // pending, ready, or missing when it can no longer come
	ContentType string  `json:"contentType,omitempty"`
	Size        int64   `json:"size,omitempty"`
	AltText     string  `json:"altText,omitempty"`
}

func showMedia(g *post.Group, now time.Time) []shownMedia {
	var out []shownMedia
	for i := range g.Media {
		m := &g.Media[i]
		s := shownMedia{ID: m.Upload.ID, FileURL: webURL(m), Status: "ready", ContentType: m.Pin.Type, Size: m.Pin.Size, AltText: m.Alt}
		switch {
		case m.Pending() && m.Upload.Until.After(now):
			s.Status = "pending"
		case m.Pending():
			s.Status = "missing"
		}
		out = append(out, s)
	}
	return out
}

// webURL is where media is found by others, "" for nowhere.
func webURL(m *post.Media) string {
	if strings.HasPrefix(m.URL, "http://") || strings.HasPrefix(m.URL, "https://") {
		return m.URL
	}
	return ""
}
