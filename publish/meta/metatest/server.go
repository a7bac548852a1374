// Package metatest is the Graph API in memory, for tests of Facebook, Instagram
// and Threads: it keeps a ledger of what it was made to publish, and can be told
// how to treat the next calls. What it accepts and answers follows v26.0.
package metatest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/postroom/postroom/publish/publishtest"
)

// User is the id of the account, and Username its name.
const (
	User     = "17841400000000001"
	Username = "acme"
)

// A Server is the fake. Set its fields before the first call.
type Server struct {
	publishtest.Queue // of faults, for the calls that publish

	Token      string // that calls must carry; any when ""
	Secret     string // of the app, when calls must prove it
	Copies     bool   // takes a text again
	Processing int    // how often containers say that they are in progress
	Unlisted   bool   // lists nothing of what is published
	Lags       int    // how often a published container still says that it is not

	mu         sync.Mutex
	entries    []Entry
	comments   []Entry
	containers map[string]*Container
	pictures   map[string]*Picture
	lastID     int
}

// An Entry is one post of the ledger, or one comment.
type Entry struct {
	ID, Text, Parent string
	Form             map[string]string // as it was asked for
	At               time.Time
}

// A Container prepares a post.
type Container struct {
	Form      map[string]string
	asked     int
	published bool
	gone      bool
}

// A Picture was uploaded.
type Picture struct {
	Alt     string
	Size    int64
	dropped bool
}

// Ledger returns the posts, oldest first.
func (s *Server) Ledger() []Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.entries)
}

// Texts returns what the posts say.
func (s *Server) Texts() []string {
	var out []string
	for _, e := range s.Ledger() {
		out = append(out, e.Text)
	}
	return out
}

// Comments returns the comments, oldest first.
func (s *Server) Comments() []Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.comments)
}

// Picture returns an uploaded picture; nil when there is none.
func (s *Server) Picture(id string) *Picture {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pictures[id]
}

// Container returns what a container was made of; nil when there is none.
func (s *Server) Container(id string) *Container {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.containers[id]
}

// Expire makes the server throw away what is not published.
func (s *Server) Expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.containers {
		c.gone = !c.published
	}
	for _, p := range s.pictures {
		p.dropped = true
	}
}

// ServeHTTP answers one call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", time.Now().UTC().Format(http.TimeFormat))
	switch {
	case s.Token != "" && r.Header.Get("Authorization") != "Bearer "+s.Token:
		refuse(w, 190, 463, "Error validating access token: Session has expired")
		return
	case s.Secret != "" && len(r.URL.Query().Get("appsecret_proof")) != 64:
		refuse(w, 100, 0, "API calls from the server require an appsecret_proof argument")
		return
	}
	_, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/") // without the version
	id, edge, _ := strings.Cut(path, "/")
	if r.Method == http.MethodPost {
		switch edge {
		case "feed", "videos":
			s.Queue.Serve(w, r, s.write)
		case "media_publish", "threads_publish":
			s.Queue.Serve(w, r, s.publish)
		case "media", "threads":
			s.create(w, r)
		case "photos":
			s.picture(w, r)
		case "comments":
			s.Queue.Serve(w, r, func(w http.ResponseWriter, r *http.Request) { s.comment(w, r, id) })
		default:
			refuse(w, 100, 33, "Unsupported post request")
		}
		return
	}
	switch edge {
	case "":
		s.object(w, id)
	case "comments":
		s.list(w, s.Comments(), id, r)
	case "feed", "videos", "media", "threads", "replies":
		s.list(w, s.Ledger(), "", r)
	default:
		refuse(w, 100, 33, "Unsupported get request")
	}
}

func (s *Server) nextID() string {
	s.lastID++
	return fmt.Sprintf("1789000000000%04d", s.lastID)
}

func form(r *http.Request) map[string]string {
	if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
		if err := r.ParseMultipartForm(1 << 20); err != nil {
			return nil
		}
	} else if err := r.ParseForm(); err != nil {
		return nil
	}
	out := map[string]string{}
	for name, values := range r.PostForm {
		out[name] = values[0]
	}
	return out
}

// write publishes on a page.
func (s *Server) write(w http.ResponseWriter, r *http.Request) {
	in := form(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	text := in["message"] + in["description"]
	for _, e := range s.entries {
		if !s.Copies && e.Text == text {
			refuse(w, 506, 0, "Duplicate status message")
			return
		}
	}
	for name, value := range in {
		if !strings.HasPrefix(name, "attached_media[") {
			continue
		}
		var at struct {
			ID string `json:"media_fbid"`
		}
		if err := json.Unmarshal([]byte(value), &at); err != nil {
			refuse(w, 100, 0, "Invalid attached_media")
			return
		}
		if p := s.pictures[at.ID]; p == nil || p.dropped {
			refuse(w, 100, 0, "Photos should not be already posted, or were deleted")
			return
		}
	}
	e := Entry{ID: User + "_" + s.nextID(), Text: text, Form: in, At: time.Now().UTC()}
	s.entries = append(s.entries, e)
	reply(w, http.StatusOK, map[string]any{"id": e.ID})
}

// create makes a container.
func (s *Server) create(w http.ResponseWriter, r *http.Request) {
	in := form(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	if in["media_type"] != "TEXT" && in["image_url"] == "" && in["video_url"] == "" && in["children"] == "" {
		refuse(w, 100, 2207052, "Media could not be fetched")
		return
	}
	for id := range strings.SplitSeq(in["children"], ",") {
		if c := s.containers[id]; id != "" && (c == nil || c.gone || c.Form["is_carousel_item"] != "true") {
			refuse(w, 100, 0, "a wrong child")
			return
		}
	}
	if s.containers == nil {
		s.containers = map[string]*Container{}
	}
	id := s.nextID()
	s.containers[id] = &Container{Form: in}
	reply(w, http.StatusOK, map[string]any{"id": id})
}

// publish publishes a container, once.
func (s *Server) publish(w http.ResponseWriter, r *http.Request) {
	id := form(r)["creation_id"]
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.containers[id]
	switch {
	case c == nil || c.gone:
		refuse(w, 24, 2207006, "The requested resource does not exist")
		return
	case c.asked <= s.Processing:
		refuse(w, 9007, 2207027, "Media ID is not available")
		return
	case c.published:
		refuse(w, 100, 0, "The container has been published")
		return
	}
	c.published = true
	e := Entry{ID: s.nextID(), Text: c.Form["caption"] + c.Form["text"], Parent: c.Form["reply_to_id"], Form: c.Form, At: time.Now().UTC()}
	s.entries = append(s.entries, e)
	reply(w, http.StatusOK, map[string]any{"id": e.ID})
}

func (s *Server) picture(w http.ResponseWriter, r *http.Request) {
	in := form(r)
	_, header, err := r.FormFile("source")
	if err != nil || in["published"] != "false" {
		refuse(w, 324, 0, "Missing or invalid image file")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pictures == nil {
		s.pictures = map[string]*Picture{}
	}
	id := s.nextID()
	s.pictures[id] = &Picture{Alt: in["alt_text_custom"], Size: header.Size}
	reply(w, http.StatusOK, map[string]any{"id": id})
}

func (s *Server) comment(w http.ResponseWriter, r *http.Request, parent string) {
	in := form(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.ContainsFunc(s.entries, func(e Entry) bool { return e.ID == parent }) {
		refuse(w, 100, 33, "no such post")
		return
	}
	e := Entry{ID: s.nextID(), Text: in["message"], Parent: parent, At: time.Now().UTC()}
	s.comments = append(s.comments, e)
	reply(w, http.StatusOK, map[string]any{"id": e.ID})
}

// object describes the account, a container or a post.
func (s *Server) object(w http.ResponseWriter, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id == "me" || id == User {
		reply(w, http.StatusOK, map[string]any{"id": User, "username": Username, "name": "Acme", "link": "https://www.facebook.com/acme"})
		return
	}
	if c := s.containers[id]; c != nil {
		c.asked++
		status := "FINISHED"
		switch {
		case c.gone:
			status = "EXPIRED"
		case c.published && s.Lags > 0:
			s.Lags--
		case c.published:
			status = "PUBLISHED"
		case c.asked <= s.Processing:
			status = "IN_PROGRESS"
		}
		reply(w, http.StatusOK, map[string]any{"id": id, "status": status, "status_code": status})
		return
	}
	for _, e := range s.entries {
		if e.ID == id {
			reply(w, http.StatusOK, s.shown(&e))
			return
		}
	}
	refuse(w, 100, 33, "Unsupported get request. Object does not exist")
}

func (s *Server) shown(e *Entry) map[string]any {
	at := e.At.Format("2006-01-02T15:04:05-0700")
	return map[string]any{
		"id": e.ID, "permalink": "https://meta.example/" + e.ID, "permalink_url": "https://meta.example/" + e.ID, "timestamp": at, "created_time": at,
		"message": e.Text, "caption": e.Text, "text": e.Text, "description": e.Text,
	}
}

func (s *Server) list(w http.ResponseWriter, all []Entry, parent string, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	data := []map[string]any{}
	for _, e := range slices.Backward(all) {
		if (parent == "" || e.Parent == parent) && !s.Unlisted && fmt.Sprint(e.At.Unix()) >= r.URL.Query().Get("since") {
			shown := s.shown(&e)
			// Only what was asked for.
			for name := range shown {
				if !slices.Contains(strings.Split(r.URL.Query().Get("fields"), ","), name) {
					delete(shown, name)
				}
			}
			data = append(data, shown)
		}
	}
	reply(w, http.StatusOK, map[string]any{"data": data})
}

func refuse(w http.ResponseWriter, code, subcode int, message string) {
	reply(w, http.StatusBadRequest, map[string]any{"error": map[string]any{
		"message": message, "type": "OAuthException", "code": code, "error_subcode": subcode, "fbtrace_id": "A",
	}})
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		return // the caller has hung up, which is its affair
	}
}
