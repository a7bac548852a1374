// Package tiktoktest is TikTok's Content Posting API in memory, for tests: it
// keeps a ledger of the films that it was made to publish, and can be told how to
// treat the next uploads.
package tiktoktest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/postroom/postroom/publish/publishtest"
)

// A Server is the fake. Set its fields before the first call.
type Server struct {
	publishtest.Queue // of faults, for the calls that publish

	Token      string   // that calls must carry; any when ""
	Privacy    []string // what the account may choose; all when nil
	Busy       bool     // does not begin with a film that it has whole
	Processing int      // how often a film is said to be processed
	Reason     string   // why films are not published; "" for they are

	mu    sync.Mutex
	films []*Film
}

// A Film is one publish id.
type Film struct {
	Info    map[string]any // post_info
	Content []byte
	Ranges  []string
	size    int64
	asked   int
	done    bool
	ended   bool // nothing more is taken
}

// Films returns the films that are published, oldest first.
func (s *Server) Films() []*Film {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.films), func(f *Film) bool { return !f.done || s.Reason != "" })
}

// EndUploads makes the addresses to upload to that were given out refuse what comes.
func (s *Server) EndUploads() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.films {
		f.ended = true
	}
}

// Titles returns what they say.
func (s *Server) Titles() []string {
	var out []string
	for _, f := range s.Films() {
		out = append(out, fmt.Sprint(f.Info["title"]))
	}
	return out
}

// ServeHTTP answers one call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/upload/") {
		s.Queue.Serve(w, r, s.upload)
		return
	}
	if s.Token != "" && r.Header.Get("Authorization") != "Bearer "+s.Token {
		refuse(w, http.StatusUnauthorized, "access_token_invalid", "The access token is invalid or not found in the request.")
		return
	}
	switch r.Method + " " + r.URL.Path {
	case "POST /v2/post/publish/creator_info/query/":
		options := s.Privacy
		if options == nil {
			options = []string{"PUBLIC_TO_EVERYONE", "MUTUAL_FOLLOW_FRIENDS", "SELF_ONLY"}
		}
		reply(w, map[string]any{"creator_username": "acme", "creator_nickname": "Acme", "privacy_level_options": options, "max_video_post_duration_sec": 600})
	case "POST /v2/post/publish/video/init/":
		s.begin(w, r)
	case "POST /v2/post/publish/status/fetch/":
		s.status(w, r)
	default:
		refuse(w, http.StatusNotFound, "invalid_params", "no such call")
	}
}

func (s *Server) begin(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Info   map[string]any `json:"post_info"`
		Source struct {
			Source string `json:"source"`
			Size   int64  `json:"video_size"`
			Chunk  int64  `json:"chunk_size"`
			Count  int64  `json:"total_chunk_count"`
		} `json:"source_info"`
	}
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil || in.Source.Source != "FILE_UPLOAD" || in.Source.Chunk == 0 || in.Source.Count != max(in.Source.Size/in.Source.Chunk, 1) {
		refuse(w, http.StatusBadRequest, "invalid_params", fmt.Sprintf("%v", err))
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.films = append(s.films, &Film{Info: in.Info, size: in.Source.Size})
	id := len(s.films)
	reply(w, map[string]any{"publish_id": fmt.Sprintf("v_pub_file~v2-1.%d", id), "upload_url": fmt.Sprintf("https://%s/upload/%d", r.Host, id)})
}

func (s *Server) upload(w http.ResponseWriter, r *http.Request) {
	content, err := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	var id int
	if _, scanErr := fmt.Sscanf(r.URL.Path, "/upload/%d", &id); scanErr != nil || err != nil || id > len(s.films) {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	f := s.films[id-1]
	if f.ended {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	if strings.HasPrefix(r.Header.Get("Content-Range"), "bytes 0-") {
		f.Content, f.Ranges = nil, nil
	}
	f.Content = append(f.Content, content...)
	f.Ranges = append(f.Ranges, r.Header.Get("Content-Range"))
	f.done = int64(len(f.Content)) == f.size
	if f.done {
		w.WriteHeader(http.StatusCreated)
		return
	}
	w.WriteHeader(http.StatusPartialContent)
}

func (s *Server) status(w http.ResponseWriter, r *http.Request) {
	var in struct {
		ID string `json:"publish_id"`
	}
	var id int
	err := json.NewDecoder(r.Body).Decode(&in)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, scanErr := fmt.Sscanf(in.ID, "v_pub_file~v2-1.%d", &id); scanErr != nil || err != nil || id > len(s.films) {
		refuse(w, http.StatusBadRequest, "invalid_publish_id", "no such id")
		return
	}
	f := s.films[id-1]
	answer := map[string]any{"status": "PUBLISH_COMPLETE", "publicaly_available_post_id": []int64{7_300_000_000_000_000_000 + int64(id)}}
	switch {
	case !f.done || s.Busy:
		answer = map[string]any{"status": "PROCESSING_UPLOAD", "uploaded_bytes": len(f.Content)}
	case f.asked < s.Processing:
		answer = map[string]any{"status": "PROCESSING_DOWNLOAD"}
	case s.Reason != "":
		answer = map[string]any{"status": "FAILED", "fail_reason": s.Reason}
	}
	f.asked++
	reply(w, answer)
}

func reply(w http.ResponseWriter, data any) {
	write(w, http.StatusOK, map[string]any{"data": data, "error": map[string]any{"code": "ok", "message": "", "log_id": "2026"}})
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	write(w, status, map[string]any{"data": map[string]any{}, "error": map[string]any{"code": code, "message": message, "log_id": "2026"}})
}

func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		return // the caller has hung up, which is its affair
	}
}
