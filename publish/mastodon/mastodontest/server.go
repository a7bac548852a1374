// Package mastodontest is a Mastodon server in memory, for tests: it keeps a
// ledger of what it was made to publish, can be told how to treat the next
// calls, and can ignore idempotency keys as GoToSocial and Pixelfed do. It is an
// http.Handler, so it runs behind httptest.NewServer as well as behind a
// publishtest.Transport. What it accepts and answers follows Mastodon 4.7.
package mastodontest

import (
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/postroom/postroom/publish/publishtest"
)

// Username is whose account it is.
const Username = "acme"

// Domain is what the server calls itself.
const Domain = "social.example"

// A Server is the fake. Set its fields before the first call; the zero values
// are those of a plain Mastodon. Its methods may be called at any time.
type Server struct {
	Token       string // that calls must carry; any when ""
	Forgetful   bool   // ignores idempotency keys
	NoSource    bool   // has no /source of a status
	MaxText     int    // 500 when 0
	Processing  int    // how often media say that they are still processed
	Now         func() time.Time
	OnPublished func(Entry) // called for each new status, before it is answered; may be nil

	mu       sync.Mutex
	faults   []publishtest.Fault
	uploads  []publishtest.Fault
	entries  []Entry
	media    map[string]*media
	calls    int
	lastID   int64
	byKey    map[string]int // index into entries
	violated []string
}

// An Entry is one status of the ledger.
type Entry struct {
	ID          string
	Key         string // the call's Idempotency-Key
	Text        string
	SpoilerText string
	Visibility  string
	Language    string
	InReplyTo   string
	Media       []string // ids
	At          time.Time
}

type media struct {
	description, name, mime string
	size                    int64
	asked                   int
	attached                bool
}

// New returns an empty server that honours idempotency keys.
func New() *Server { return &Server{} }

// Ledger returns the statuses, oldest first.
func (s *Server) Ledger() []Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.entries)
}

// Repeats returns the keys that more than one status was made with: double
// posts.
func (s *Server) Repeats() []string {
	seen := map[string]int{}
	var out []string
	for _, e := range s.Ledger() {
		if seen[e.Key]++; seen[e.Key] == 2 {
			out = append(out, e.Key)
		}
	}
	return out
}

// Texts returns the texts of the ledger.
func (s *Server) Texts() []string {
	var out []string
	for _, e := range s.Ledger() {
		out = append(out, e.Text)
	}
	return out
}

// Next makes the next calls that publish a status meet these faults, one each.
// Unreachable is not the server's to arrange and counts as None.
func (s *Server) Next(faults ...publishtest.Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, faults...)
}

// NextUpload makes the next uploads of media meet these faults, one each.
func (s *Server) NextUpload(faults ...publishtest.Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.uploads = append(s.uploads, faults...)
}

// Calls returns how many calls to publish a status arrived.
func (s *Server) Calls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

// DropMedia makes the server forget media that are not attached.
func (s *Server) DropMedia() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.media = nil
}

// Violations returns what calls did that the API does not allow.
func (s *Server) Violations() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.violated)
}

// Write adds a status that did not come through the API call, as a person at the
// web page does.
func (s *Server) Write(text string) Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.add(Entry{Text: text, Visibility: "public"})
}

func (s *Server) now() time.Time {
	if s.Now != nil {
		return s.Now().UTC()
	}
	return time.Now().UTC()
}

// ServeHTTP answers one call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", s.now().Format(http.TimeFormat))
	if r.URL.Path == "/api/v2/instance" {
		s.instance(w)
		return
	}
	if s.Token != "" && r.Header.Get("Authorization") != "Bearer "+s.Token {
		fail(w, http.StatusUnauthorized, "The access token is invalid")
		return
	}
	id, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/api/v1/statuses/"), "/")
	switch at := r.Method + " " + r.URL.Path; {
	case at == "POST /api/v1/statuses":
		s.next(&s.faults, &s.calls).Serve(w, r, s.publish)
	case at == "GET /api/v1/accounts/verify_credentials":
		reply(w, http.StatusOK, own())
	case at == "GET /api/v1/accounts/1/statuses":
		s.list(w, r)
	case at == "POST /api/v2/media":
		s.next(&s.uploads, nil).Serve(w, r, s.upload)
	case strings.HasPrefix(at, "GET /api/v1/media/"):
		s.processed(w, strings.TrimPrefix(r.URL.Path, "/api/v1/media/"))
	case strings.HasPrefix(at, "GET /api/v1/statuses/") && (rest == "" || rest == "source" && !s.NoSource):
		s.status(w, id, rest == "source")
	default:
		fail(w, http.StatusNotFound, "Record not found")
	}
}

func (s *Server) next(faults *[]publishtest.Fault, count *int) publishtest.Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	if count != nil {
		*count++
	}
	if len(*faults) == 0 {
		return publishtest.None
	}
	f := (*faults)[0]
	*faults = (*faults)[1:]
	return f
}

func (s *Server) maxText() int {
	if s.MaxText > 0 {
		return s.MaxText
	}
	return 500
}

func (s *Server) instance(w http.ResponseWriter) {
	reply(w, http.StatusOK, map[string]any{
		"domain": Domain, "title": "Test", "version": "4.7.0", "description": "", "source_url": "https://" + Domain + "/source",
		"languages": []string{"en"}, "rules": []any{}, "icon": []any{}, "api_versions": map[string]any{"mastodon": 7},
		"contact": map[string]any{"email": "admin@" + Domain}, "registrations": map[string]any{"approval_required": false, "enabled": true},
		"thumbnail": map[string]any{"url": "https://" + Domain + "/thumbnail.png"}, "usage": map[string]any{"users": map[string]any{"active_month": 1}},
		"configuration": map[string]any{
			"accounts":    map[string]any{"max_featured_tags": 10, "max_pinned_statuses": 5},
			"polls":       map[string]any{"max_characters_per_option": 50, "max_expiration": 2629746, "max_options": 4, "min_expiration": 300},
			"translation": map[string]any{"enabled": false},
			"urls":        map[string]any{},
			"statuses":    map[string]any{"max_characters": s.maxText(), "max_media_attachments": 4, "characters_reserved_per_url": 23},
			"media_attachments": map[string]any{
				"supported_mime_types": []string{"image/jpeg", "image/png", "image/gif", "video/mp4"},
				"image_size_limit":     1 << 20, "video_size_limit": 4 << 20, "description_limit": 1500,
				"image_matrix_limit": 33177600, "video_matrix_limit": 8294400, "video_frame_rate_limit": 120,
			},
		},
	})
}

// wanted are the fields of a status call (TextStatus and MediaStatus).
type wanted struct {
	Status      string   `json:"status"`
	MediaIDs    []string `json:"media_ids"`
	InReplyToID string   `json:"in_reply_to_id"`
	Sensitive   bool     `json:"sensitive"`
	SpoilerText string   `json:"spoiler_text"`
	Visibility  string   `json:"visibility"`
	Language    string   `json:"language"`
}

var longLink = regexp.MustCompile(`https?://[^\s]+`)

func (s *Server) publish(w http.ResponseWriter, r *http.Request) {
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	var in wanted
	err := dec.Decode(&in)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.violated = append(s.violated, "statuses: "+err.Error())
		fail(w, http.StatusBadRequest, "Bad request")
		return
	}
	key := r.Header.Get("Idempotency-Key")
	if at, ok := s.byKey[key]; ok && key != "" && !s.Forgetful {
		reply(w, http.StatusOK, s.entries[at].json())
		return
	}
	counted := longLink.ReplaceAllString(in.Status, strings.Repeat("x", 23)) + in.SpoilerText
	switch {
	case in.Status == "" && len(in.MediaIDs) == 0:
		fail(w, http.StatusUnprocessableEntity, "Validation failed: Text can't be blank")
		return
	case utf8.RuneCountInString(counted) > s.maxText():
		fail(w, http.StatusUnprocessableEntity, fmt.Sprintf("Validation failed: Text character limit of %d exceeded", s.maxText()))
		return
	case !slices.Contains([]string{"", "public", "unlisted", "private", "direct"}, in.Visibility):
		s.violated = append(s.violated, "visibility "+in.Visibility)
	}
	for _, id := range in.MediaIDs {
		m := s.media[id]
		if m != nil && m.attached {
			fail(w, http.StatusBadRequest, "Bad Request: media already attached to status")
			return
		}
		if m == nil || m.asked < s.Processing {
			fail(w, http.StatusUnprocessableEntity, "Validation failed: Media attachments are not there")
			return
		}
	}
	for _, id := range in.MediaIDs {
		s.media[id].attached = true
	}
	e := s.add(Entry{
		Key: key, Text: in.Status, SpoilerText: in.SpoilerText, Visibility: in.Visibility, Language: in.Language,
		InReplyTo: in.InReplyToID, Media: in.MediaIDs,
	})
	w.Header().Set("X-RateLimit-Limit", "300")
	w.Header().Set("X-RateLimit-Remaining", strconv.Itoa(max(0, 300-len(s.entries))))
	w.Header().Set("X-RateLimit-Reset", s.now().Add(3*time.Hour).Format("2006-01-02T15:04:05.000000Z"))
	reply(w, http.StatusOK, e.json())
}

// add puts a status into the ledger. The caller holds the lock.
func (s *Server) add(e Entry) Entry {
	s.lastID++
	e.ID, e.At = strconv.FormatInt(110000000000000000+s.lastID, 10), s.now()
	s.entries = append(s.entries, e)
	if e.Key != "" {
		if s.byKey == nil {
			s.byKey = map[string]int{}
		}
		s.byKey[e.Key] = len(s.entries) - 1
	}
	if s.OnPublished != nil {
		s.OnPublished(e)
	}
	return e
}

func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	limit, err := strconv.Atoi(r.URL.Query().Get("limit"))
	if err != nil || limit < 1 || limit > 40 {
		limit = 20
	}
	older := r.URL.Query().Get("max_id")
	page := []any{}
	for _, e := range slices.Backward(s.Ledger()) {
		if len(page) < limit && (older == "" || e.ID < older) {
			page = append(page, e.json())
		}
	}
	reply(w, http.StatusOK, page)
}

func (s *Server) status(w http.ResponseWriter, id string, source bool) {
	for _, e := range s.Ledger() {
		switch {
		case e.ID != id:
		case source:
			reply(w, http.StatusOK, map[string]any{"id": e.ID, "text": e.Text, "spoiler_text": e.SpoilerText})
			return
		default:
			reply(w, http.StatusOK, e.json())
			return
		}
	}
	fail(w, http.StatusNotFound, "Record not found")
}

func (s *Server) upload(w http.ResponseWriter, r *http.Request) {
	file, header, err := r.FormFile("file")
	if err != nil {
		fail(w, http.StatusUnprocessableEntity, "Validation failed: File can't be blank")
		return
	}
	size, err := io.Copy(io.Discard, file)
	if err != nil {
		fail(w, http.StatusBadRequest, "Bad request")
		return
	}
	if size > 1<<20 {
		fail(w, http.StatusRequestEntityTooLarge, "Request Entity Too Large")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.media == nil {
		s.media = map[string]*media{}
	}
	s.lastID++
	id := strconv.FormatInt(s.lastID, 10)
	s.media[id] = &media{description: r.FormValue("description"), name: header.Filename, mime: header.Header.Get("Content-Type"), size: size}
	if s.Processing > 0 {
		reply(w, http.StatusAccepted, attachment(id, s.media[id], false))
		return
	}
	reply(w, http.StatusOK, attachment(id, s.media[id], true))
}

func (s *Server) processed(w http.ResponseWriter, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.media[id]
	if m == nil {
		fail(w, http.StatusNotFound, "Record not found")
		return
	}
	m.asked++
	if m.asked < s.Processing {
		reply(w, http.StatusPartialContent, attachment(id, m, false))
		return
	}
	reply(w, http.StatusOK, attachment(id, m, true))
}

// Medium is what the server knows of an upload.
type Medium struct {
	Name, Type, Description string
	Size                    int64
}

// Medium returns an upload by its id; the zero Medium when there is none.
func (s *Server) Medium(id string) Medium {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.media[id]
	if m == nil {
		return Medium{}
	}
	return Medium{m.name, m.mime, m.description, m.size}
}

func attachment(id string, m *media, done bool) map[string]any {
	a := map[string]any{"id": id, "type": "image", "url": nil, "description": m.description}
	if done {
		a["url"] = "https://" + Domain + "/media/" + id
	}
	return a
}

func account() map[string]any {
	page, picture := "https://"+Domain+"/@"+Username, "https://"+Domain+"/avatar.png"
	return map[string]any{
		"id": "1", "username": Username, "acct": Username, "display_name": "Acme", "url": page, "uri": "https://" + Domain + "/users/" + Username,
		"avatar": picture, "avatar_static": picture, "header": picture, "header_static": picture, "note": "", "created_at": "2020-01-01T00:00:00.000Z",
		"bot": false, "group": false, "indexable": false, "locked": false, "emojis": []any{}, "fields": []any{},
		"followers_count": 0, "following_count": 0, "statuses_count": 0,
	}
}

// own is the account as its owner sees it.
func own() map[string]any {
	a := account()
	a["role"] = map[string]any{"id": "-99", "name": "", "color": "", "permissions": "65536", "highlighted": false}
	a["source"] = map[string]any{"fields": []any{}, "follow_requests_count": 0, "indexable": false, "note": "", "privacy": "public", "sensitive": false}
	return a
}

// json is the Status that Mastodon makes of e, with its HTML.
func (e *Entry) json() map[string]any {
	attachments := []any{}
	for _, id := range e.Media {
		attachments = append(attachments, map[string]any{"id": id, "type": "image"})
	}
	status := map[string]any{
		"id": e.ID, "created_at": e.At.Format("2006-01-02T15:04:05.000Z"), "in_reply_to_id": nil,
		"sensitive": false, "spoiler_text": e.SpoilerText, "visibility": e.Visibility, "language": e.Language,
		"uri":           "https://" + Domain + "/users/" + Username + "/statuses/" + e.ID,
		"url":           "https://" + Domain + "/@" + Username + "/" + e.ID,
		"replies_count": 0, "reblogs_count": 0, "favourites_count": 0,
		"content": render(e.Text), "account": account(), "media_attachments": attachments,
		"mentions": []any{}, "tags": []any{}, "emojis": []any{},
	}
	if e.InReplyTo != "" {
		status["in_reply_to_id"] = e.InReplyTo
	}
	return status
}

// linked is what Mastodon makes links of: URLs, mentions, hashtags.
var linked = regexp.MustCompile(`https?://[^\s]+|@\w+@[\w.-]+\w|#\w+`)

// render writes text as Mastodon does: paragraphs, line breaks, links with their
// scheme hidden, mentions without their domain.
func render(text string) string {
	var b strings.Builder
	from := 0
	for _, m := range linked.FindAllStringIndex(text, -1) {
		b.WriteString(html.EscapeString(text[from:m[0]]) + link(text[m[0]:m[1]]))
		from = m[1]
	}
	b.WriteString(html.EscapeString(text[from:]))
	h := strings.ReplaceAll(b.String(), "\n\n", "</p><p>")
	return "<p>" + strings.ReplaceAll(h, "\n", "<br />") + "</p>"
}

func link(s string) string {
	switch s[0] {
	case '@':
		user, domain, _ := strings.Cut(s[1:], "@")
		return `<span class="h-card"><a href="https://` + domain + `/@` + user + `" class="u-url mention">@<span>` + user + `</span></a></span>`
	case '#':
		return `<a href="https://` + Domain + `/tags/` + s[1:] + `" rel="tag">#<span>` + s[1:] + `</span></a>`
	}
	scheme, rest, _ := strings.Cut(s, "://")
	return `<a href="` + html.EscapeString(s) + `" rel="nofollow"><span class="invisible">` + scheme + `://</span><span class="">` + html.EscapeString(rest) + `</span></a>`
}

func reply(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // of maps of strings and numbers
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	if _, err := w.Write(body); err != nil {
		return // the caller has hung up, which is its affair
	}
}

func fail(w http.ResponseWriter, status int, message string) {
	reply(w, status, map[string]string{"error": message})
}
