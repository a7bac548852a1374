package publish

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"
)

// LinkPath is the path below which [MediaRoom.ServeLink] answers.
const LinkPath = "/media/"

// linkLife is how long a link can be opened: platforms that fetch media keep what
// they made of it for a day.
const linkLife = 24 * time.Hour

// links makes and opens links to media. A link names a file and when it ends,
// signed, so that there is nothing to guess, to list or to keep.
type links struct {
	base string // of the public URL, without a slash at the end
	key  []byte
	now  func() time.Time
}

// OpenLinks lets platforms fetch media: base is the https URL under which LinkPath
// is reached from outside, "" for none, and key what links are signed with. It may
// be called again.
func (m *MediaRoom) OpenLinks(base string, key []byte, now func() time.Time) {
	if base == "" {
		m.links.Store(nil)
		return
	}
	m.links.Store(&links{base: strings.TrimSuffix(base, "/"), key: key, now: now})
}

// to returns a link to a file of the shelf. name is what the platform sees.
func (l *links) to(file, name string) string {
	end := strconv.FormatInt(l.now().Add(linkLife).Unix(), 36)
	return l.base + LinkPath + end + "/" + l.sign(end, file, name) + "/" + url.PathEscape(file) + "/" + url.PathEscape(name)
}

func (l *links) sign(end, file, name string) string {
	h := hmac.New(sha256.New, l.key)
	h.Write([]byte("media link\n" + end + "\n" + file + "\n" + name))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// opens reports whether a link may be opened now.
func (l *links) opens(end, signature, file, name string) bool {
	at, err := strconv.ParseInt(end, 36, 64)
	return hmac.Equal([]byte(l.sign(end, file, name)), []byte(signature)) && err == nil && l.now().Unix() < at
}

// ServeLink answers GET and HEAD for the links that [MediaRoom.Link] makes, whole
// or in ranges. Whatever is wrong with one, the answer is the same.
func (m *MediaRoom) ServeLink(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "private, max-age=3600")
	h.Set("Content-Security-Policy", "default-src 'none'")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "want GET or HEAD", http.StatusMethodNotAllowed)
		return
	}
	_, rest, _ := strings.Cut(r.URL.Path, LinkPath)
	part := strings.Split(rest, "/")
	l := m.links.Load()
	if l == nil || m.shelf == nil || len(part) != 4 || !l.opens(part[0], part[1], part[2], part[3]) {
		notThere(w)
		return
	}
	f, err := m.shelf.OpenName(part[2])
	if err != nil {
		notThere(w)
		return
	}
	defer f.Close() // it was only read
	info, err := f.Stat()
	if err != nil {
		notThere(w)
		return
	}
	kind := mediaTypes[path.Ext(part[3])]
	if kind == "" {
		kind = "application/octet-stream"
	}
	h.Set("Content-Type", kind)
	h.Set("Content-Disposition", mime.FormatMediaType("inline", map[string]string{"filename": part[3]}))
	// A film takes longer than the server gives an answer. A server that cannot
	// change that keeps its time.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(mostFetch))
	http.ServeContent(w, r, "", info.ModTime(), f)
}

func notThere(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, "no such media, or no longer", http.StatusNotFound)
}
