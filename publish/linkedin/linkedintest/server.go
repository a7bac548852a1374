// Package linkedintest is LinkedIn in memory, for tests: it keeps a ledger of what
// it was made to post, refuses copies as LinkedIn does, and can be told how to
// treat the next calls. What it accepts and answers follows the Posts API of 2026.
package linkedintest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/postroom/postroom/publish/publishtest"
)

// Organization is a page that the token may post as, and Person whose token it is.
const (
	Organization = "urn:li:organization:2414183"
	Person       = "urn:li:person:8675309"
)

// A Server is the fake. Set its fields before the first call.
type Server struct {
	publishtest.Queue // of faults, for the calls that publish

	Token      string // that calls must carry; any when ""
	Copies     bool   // takes a text again
	Processing int    // how often videos say that they are still processed
	Mute       bool   // does not say of what a copy is one
	Ended      bool   // addresses to upload to take nothing any more

	mu       sync.Mutex
	posts    []Post
	comments []Comment
	uploads  map[string]*Upload
	lastID   int
	violated []string
}

// A Post is one post of the ledger.
type Post struct {
	URN, Author, Commentary string
	Content                 map[string]any
	At                      time.Time
}

// A Comment is one of the ledger.
type Comment struct{ Post, Actor, Text string }

// An Upload is what was sent of an image or a video.
type Upload struct {
	Content []byte
	Final   bool
	asked   int
}

// Ledger returns the posts, oldest first.
func (s *Server) Ledger() []Post {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.posts)
}

// Comments returns the comments, oldest first.
func (s *Server) Comments() []Comment {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.comments)
}

// Upload returns what was sent under a URN; nil when nothing was.
func (s *Server) Upload(urn string) *Upload {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.uploads[urn]
}

// Violations returns what calls did that the API does not allow.
func (s *Server) Violations() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.violated)
}

// ServeHTTP answers one call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", time.Now().UTC().Format(http.TimeFormat))
	if s.Token != "" && r.Header.Get("Authorization") != "Bearer "+s.Token {
		fail(w, http.StatusUnauthorized, "Invalid access token")
		return
	}
	if strings.HasPrefix(r.URL.Path, "/rest/") && (r.Header.Get("Linkedin-Version") == "" || r.Header.Get("X-Restli-Protocol-Version") != "2.0.0") {
		s.violate("a call without its versions: " + r.URL.Path)
	}
	switch at := r.Method + " " + r.URL.Path; {
	case at == "POST /rest/posts":
		s.Queue.Serve(w, r, s.post)
	case at == "GET /rest/posts":
		s.list(w, r)
	case strings.HasPrefix(at, "POST /rest/socialActions/"):
		s.Queue.Serve(w, r, s.comment)
	case at == "GET /v2/userinfo":
		reply(w, http.StatusOK, map[string]any{"sub": strings.TrimPrefix(Person, "urn:li:person:"), "name": "Ada Acme"})
	case at == "POST /rest/images" || at == "POST /rest/videos":
		s.upload(w, r)
	case strings.HasPrefix(at, "PUT /upload/"):
		s.put(w, r)
	case strings.HasPrefix(at, "GET /rest/videos/"):
		s.processed(w, strings.TrimPrefix(r.URL.Path, "/rest/videos/"))
	default:
		fail(w, http.StatusNotFound, "No resource at "+r.URL.Path)
	}
}

func (s *Server) violate(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.violated = append(s.violated, what)
}

func (s *Server) nextID() int {
	s.lastID++
	return 7_000_000_000_000_000_000 + s.lastID
}

func (s *Server) post(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Author       string         `json:"author"`
		Commentary   string         `json:"commentary"`
		Visibility   string         `json:"visibility"`
		Distribution map[string]any `json:"distribution"`
		Content      map[string]any `json:"content"`
		State        string         `json:"lifecycleState"`
		NoReshare    bool           `json:"isReshareDisabledByAuthor"`
	}
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	err := dec.Decode(&in)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil || in.State != "PUBLISHED" || in.Distribution["feedDistribution"] != "MAIN_FEED" || in.Author != Organization && in.Author != Person {
		fail(w, http.StatusUnprocessableEntity, fmt.Sprintf("a wrong post: %v", err))
		return
	}
	for _, p := range s.posts {
		if !s.Copies && p.Commentary == in.Commentary && p.Author == in.Author {
			of := p.URN
			if s.Mute {
				of = "another post"
			}
			reply(w, http.StatusUnprocessableEntity, map[string]any{
				"errorDetailType": "com.linkedin.common.error.BadRequest", "status": 422,
				"message":      "Content is a duplicate of " + of,
				"errorDetails": map[string]any{"inputErrors": []map[string]any{{"code": "DUPLICATE_POST"}}},
			})
			return
		}
	}
	p := Post{URN: fmt.Sprintf("urn:li:share:%d", s.nextID()), Author: in.Author, Commentary: in.Commentary, Content: in.Content, At: time.Now().UTC()}
	s.posts = append(s.posts, p)
	w.Header().Set("X-Restli-Id", p.URN)
	w.WriteHeader(http.StatusCreated)
}

func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Get("author") != Organization {
		fail(w, http.StatusForbidden, "Not enough permissions to access: posts.FINDER-author")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	all := []map[string]any{}
	for _, p := range slices.Backward(s.posts) {
		all = append(all, map[string]any{"id": p.URN, "author": p.Author, "commentary": p.Commentary, "publishedAt": p.At.UnixMilli()})
	}
	reply(w, http.StatusOK, map[string]any{"elements": all[:min(len(all), 50)], "paging": map[string]any{"start": 0, "count": 50}})
}

func (s *Server) comment(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Actor   string `json:"actor"`
		Object  string `json:"object"`
		Message struct {
			Text string `json:"text"`
		} `json:"message"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.Copies && slices.Contains(s.comments, Comment{in.Object, in.Actor, in.Message.Text}) {
		fail(w, http.StatusConflict, "Comment is a duplicate")
		return
	}
	s.comments = append(s.comments, Comment{in.Object, in.Actor, in.Message.Text})
	w.Header().Set("X-Restli-Id", fmt.Sprint(s.nextID()))
	w.WriteHeader(http.StatusCreated)
}

// upload begins an upload or ends one.
func (s *Server) upload(w http.ResponseWriter, r *http.Request) {
	kind := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/rest/"), "s")
	var in struct {
		Begin struct {
			Size int64 `json:"fileSizeBytes"`
		} `json:"initializeUploadRequest"`
		End struct {
			Video string   `json:"video"`
			Token string   `json:"uploadToken"`
			Parts []string `json:"uploadedPartIds"`
		} `json:"finalizeUploadRequest"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.URL.Query().Get("action") == "finalizeUpload" {
		u := s.uploads[in.End.Video]
		if u == nil || in.End.Token != "token" || slices.Contains(in.End.Parts, "") || len(in.End.Parts) == 0 {
			fail(w, http.StatusBadRequest, "not what was begun")
			return
		}
		u.Final = true
		return
	}
	if s.uploads == nil {
		s.uploads = map[string]*Upload{}
	}
	urn := fmt.Sprintf("urn:li:%s:C%d", kind, s.nextID())
	s.uploads[urn] = &Upload{}
	to := "https://" + r.Host + "/upload/" + urn
	if kind == "image" {
		reply(w, http.StatusOK, map[string]any{"value": map[string]any{"uploadUrl": to, "image": urn}})
		return
	}
	half := in.Begin.Size / 2
	reply(w, http.StatusOK, map[string]any{"value": map[string]any{"video": urn, "uploadToken": "token", "uploadInstructions": []map[string]any{
		{"firstByte": 0, "lastByte": half - 1, "uploadUrl": to + "?part=1"}, {"firstByte": half, "lastByte": in.Begin.Size - 1, "uploadUrl": to + "?part=2"},
	}}})
}

func (s *Server) put(w http.ResponseWriter, r *http.Request) {
	content, err := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.uploads[strings.TrimPrefix(r.URL.Path, "/upload/")]
	if s.Ended {
		fail(w, http.StatusForbidden, "the signature has expired")
		return
	}
	if err != nil || u == nil {
		fail(w, http.StatusNotFound, "no such upload")
		return
	}
	u.Content = append(u.Content, content...)
	w.Header().Set("Etag", "part-"+r.URL.Query().Get("part"))
	w.WriteHeader(http.StatusCreated)
}

func (s *Server) processed(w http.ResponseWriter, urn string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.uploads[urn]
	if u == nil || !u.Final {
		fail(w, http.StatusNotFound, "no such video")
		return
	}
	status := "AVAILABLE"
	if u.asked++; u.asked <= s.Processing {
		status = "PROCESSING"
	}
	reply(w, http.StatusOK, map[string]any{"id": urn, "status": status})
}

func fail(w http.ResponseWriter, status int, message string) {
	reply(w, status, map[string]any{"message": message, "status": status})
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		return // the caller has hung up, which is its affair
	}
}
