// Package postposttest is a PostPost API in memory, for tests: it keeps drafts and a
// ledger of what it published, and can be told how to treat the next calls and what
// becomes of posts. What it accepts and answers follows CONTRACT §2.
package postposttest

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/postroom/postroom/publish/publishtest"
)

// UploadHost is where media are uploaded to.
const UploadHost = "uploads.example"

// A Server is the fake. Set its fields before the first call.
type Server struct {
	publishtest.Queue // of faults, for the calls that publish

	Key      string
	Ticks    int               // how often a scheduled group is asked for before it is published
	Failures map[string]string // by id of a connection: the code, a space and the message of what posts there fail with
	Strict   bool              // says no more than the vendor does

	mu     sync.Mutex
	groups []*Group
	lastID int
}

// A Group is one post for some connections.
type Group struct {
	ID, Content, Status string // draft, scheduled, ended or deleted
	Platforms           []string
	Settings            map[string]map[string]any
	Media               []string // what was uploaded, "" before
	At                  time.Time
	asked               int
	failures            map[string]string // as they were when it was scheduled
}

// Connections are those of the account.
var Connections = []string{"twitter-123", "linkedin-ABC", "mastodon-9"}

// Groups returns all groups, oldest first.
func (s *Server) Groups() []Group {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Group
	for _, g := range s.groups {
		all = append(all, *g)
	}
	return all
}

// Live returns what is published, each text as often as it is.
func (s *Server) Live() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for _, g := range s.groups {
		for _, id := range g.Platforms {
			if _, failed := g.failures[id]; g.Status != "draft" && g.Status != "deleted" && !failed {
				all = append(all, g.Content)
			}
		}
	}
	return all
}

// Heal lets posts to a connection go well from now on. What has failed stays so.
func (s *Server) Heal(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.Failures, id)
}

// Delete forgets all groups.
func (s *Server) Delete() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range s.groups {
		g.Status = "deleted"
	}
}

// ServeHTTP answers one call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", time.Now().UTC().Format(http.TimeFormat))
	if r.Host == UploadHost || r.URL.Host == UploadHost {
		s.take(w, r)
		return
	}
	switch key := r.Header.Get("X-Api-Key"); {
	case key == "":
		fail(w, http.StatusUnauthorized, "API key is required")
		return
	case s.Key != "" && key != s.Key:
		fail(w, http.StatusUnauthorized, "Invalid API key")
		return
	}
	call, id, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/api/v1/"), "/")
	switch r.Method + " " + call {
	case "POST create-post":
		s.create(w, r)
	case "POST get-upload-url":
		s.place(w, r)
	case "PUT update-post":
		s.Queue.Serve(w, r, func(w http.ResponseWriter, r *http.Request) { s.update(w, r, id) })
	case "GET get-post":
		s.get(w, id)
	case "DELETE delete-post":
		s.delete(w, id)
	case "GET platform-connections":
		connections(w)
	default:
		http.Error(w, "Cannot "+r.Method+" "+r.URL.Path, http.StatusNotFound)
	}
}

// find returns a group; nil, and an answer, when there is none.
func (s *Server) find(w http.ResponseWriter, id string) *Group {
	for _, g := range s.groups {
		if g.ID == id && g.Status != "deleted" {
			return g
		}
	}
	fail(w, http.StatusNotFound, "Post group not found")
	return nil
}

var compound = regexp.MustCompile(`^[a-z]+-[a-zA-Z0-9_-]+$`)

func (s *Server) create(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Content   string                    `json:"content"`
		Platforms []string                  `json:"platforms"`
		Time      string                    `json:"scheduledTime"`
		Settings  map[string]map[string]any `json:"platformSettings"`
	}
	err := json.NewDecoder(r.Body).Decode(&in)
	switch {
	case err != nil:
		fail(w, http.StatusBadRequest, "Invalid JSON body")
		return
	case strings.TrimSpace(in.Content) == "":
		fail(w, http.StatusBadRequest, "Content is required")
		return
	case len(in.Platforms) == 0:
		fail(w, http.StatusBadRequest, "At least one platform is required")
		return
	case in.Time != "":
		fail(w, http.StatusBadRequest, "this is a draft no more")
		return
	}
	for _, id := range in.Platforms {
		if !compound.MatchString(id) {
			fail(w, http.StatusBadRequest, "Invalid platform ID format: "+id)
			return
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastID++
	g := &Group{ID: fmt.Sprintf("507f1f77bcf86cd7%08x", s.lastID), Content: in.Content, Status: "draft", Platforms: in.Platforms, Settings: in.Settings}
	s.groups = append(s.groups, g)
	reply(w, map[string]any{"success": true, "postGroupId": g.ID})
}

func (s *Server) place(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Name  string `json:"fileName"`
		Type  string `json:"contentType"`
		Kind  string `json:"type"`
		Group string `json:"postGroupId"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.Name == "" || in.Type == "" || in.Kind != "image" && in.Kind != "video" {
		fail(w, http.StatusInternalServerError, "Failed to create upload URL")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.find(w, in.Group); g != nil {
		g.Media = append(g.Media, "")
		reply(w, map[string]any{"success": true, "mediaId": "m", "uploadUrl": fmt.Sprintf("https://%s/%s/%d/%s?X-Amz-Expires=3600&X-Amz-Signature=b", UploadHost, g.ID, len(g.Media)-1, in.Name)})
	}
}

// take takes what is uploaded, and nothing but that.
func (s *Server) take(w http.ResponseWriter, r *http.Request) {
	content, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	part := strings.Split(r.URL.Path, "/")
	if r.Header.Get("X-Api-Key") != "" || len(part) != 4 || strings.HasPrefix(part[3], "refused") {
		http.Error(w, "<Error/>", http.StatusForbidden)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var n int
	if _, err := fmt.Sscan(part[2], &n); err != nil {
		http.Error(w, "<Error/>", http.StatusBadRequest)
		return
	}
	if g := s.find(w, part[1]); g != nil {
		g.Media[n] = string(content)
	}
}

func (s *Server) update(w http.ResponseWriter, r *http.Request, id string) {
	var in struct {
		Status string `json:"status"`
		Time   string `json:"scheduledTime"`
	}
	err := json.NewDecoder(r.Body).Decode(&in)
	at, bad := time.Parse("2006-01-02T15:04:05.000Z", in.Time)
	if err != nil || bad != nil || in.Status != "scheduled" {
		fail(w, http.StatusBadRequest, "Invalid scheduled time format")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.find(w, id)
	if g == nil {
		return
	}
	if g.Status != "draft" && g.Status != "scheduled" || g.Status == "scheduled" && s.Ticks == 0 {
		fail(w, http.StatusBadRequest, "Cannot update post: post is currently in published status")
		return
	}
	g.Status, g.At, g.failures = "scheduled", at, maps.Clone(s.Failures)
	reply(w, map[string]any{"success": true, "message": "Post updated successfully", "postGroup": map[string]any{"_id": g.ID, "status": "scheduled", "scheduledTime": in.Time}})
}

func (s *Server) get(w http.ResponseWriter, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.find(w, id)
	if g == nil {
		return
	}
	if g.Status == "scheduled" {
		if g.asked++; g.asked > s.Ticks {
			g.Status = "ended"
		}
	}
	var posts []map[string]any
	for _, id := range g.Platforms {
		platform, raw, _ := strings.Cut(id, "-")
		p := map[string]any{"_id": "507f191e810c19729de860ea", "platform": platform, "platformId": raw, "content": g.Content, "status": g.Status}
		if f, failed := g.failures[id]; g.Status == "ended" && failed {
			code, message, _ := strings.Cut(f, " ")
			p["status"], p["error"] = "failed", map[string]any{"code": code, "message": message, "retryable": false, "failedAt": time.Now().UTC()}
		} else if g.Status == "ended" {
			p["status"], p["postedId"] = "published", "1"
			if !s.Strict {
				p["publishedAt"], p["publishedUrl"] = g.At, "https://"+platform+".example/1"
			}
		}
		posts = append(posts, p)
	}
	reply(w, map[string]any{"success": true, "postGroupId": g.ID, "posts": posts})
}

func (s *Server) delete(w http.ResponseWriter, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.find(w, id); g != nil {
		g.Status = "deleted"
		reply(w, map[string]any{"success": true})
	}
}

func connections(w http.ResponseWriter) {
	var all []map[string]any
	for _, id := range slices.Concat(Connections, []string{"threads-old"}) {
		c := map[string]any{"platformId": id, "username": "@" + id, "displayName": "Acme", "profileUrl": nil, "tokenStatus": "valid", "accessTokenExpiresAt": "2027-03-01T00:00:00.000Z"}
		if id == "threads-old" {
			c["tokenStatus"] = "expired"
		}
		all = append(all, c)
	}
	reply(w, map[string]any{"success": true, "connections": all})
}

func fail(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(map[string]string{"error": message}); err != nil {
		return // the caller has hung up, which is its affair
	}
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		return // as in fail
	}
}
