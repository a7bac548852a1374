// Package youtubetest is YouTube's resumable upload in memory, for tests: it keeps
// the films that it was given, and can be told how to treat the next uploads.
package youtubetest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/postroom/postroom/publish/publishtest"
)

// A Server is the fake. Set its fields before the first call.
type Server struct {
	publishtest.Queue // of faults, for the calls that publish

	Token  string // that calls must carry; any when ""
	Reason string // what beginning an upload is refused for, with Status; "" for not
	Status int
	Busy   bool // makes no video of a film that it has whole
	Takes  int  // bytes that the first call of an upload takes before it wants more; 0 for all

	mu    sync.Mutex
	films []*Film
}

// A Film is one upload.
type Film struct {
	Title, Description, Privacy string
	Content                     []byte
	Calls                       int // that brought bytes
	size                        int
	forgotten                   bool
}

// Films returns the films that are complete, oldest first.
func (s *Server) Films() []*Film {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.films), func(f *Film) bool { return len(f.Content) < f.size })
}

// Descriptions returns what they say.
func (s *Server) Descriptions() []string {
	var out []string
	for _, f := range s.Films() {
		out = append(out, f.Description)
	}
	return out
}

// Forget makes the server forget its uploads.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.films {
		f.forgotten = true
	}
}

// ServeHTTP answers one call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.Token != "" && r.Header.Get("Authorization") != "Bearer "+s.Token {
		refuse(w, http.StatusUnauthorized, "authError", "Invalid Credentials")
		return
	}
	switch {
	case r.Method == http.MethodGet && r.URL.Path == "/youtube/v3/channels":
		reply(w, http.StatusOK, map[string]any{"items": []map[string]any{{"id": "UC123", "snippet": map[string]any{"title": "Acme", "customUrl": "@acme"}}}})
	case r.Method == http.MethodPost && r.URL.Path == "/upload/youtube/v3/videos":
		s.begin(w, r)
	case r.Method == http.MethodPut && strings.HasPrefix(r.Header.Get("Content-Range"), "bytes */"):
		s.upload(w, r)
	case r.Method == http.MethodPut:
		s.Queue.Serve(w, r, s.upload)
	default:
		refuse(w, http.StatusNotFound, "notFound", "no such call")
	}
}

func (s *Server) begin(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Snippet struct {
			Title       string `json:"title"`
			Description string `json:"description"`
			Category    string `json:"categoryId"`
		} `json:"snippet"`
		Status struct {
			Privacy string `json:"privacyStatus"`
			Kids    bool   `json:"selfDeclaredMadeForKids"`
		} `json:"status"`
	}
	size, sizeErr := strconv.Atoi(r.Header.Get("X-Upload-Content-Length"))
	err := json.NewDecoder(r.Body).Decode(&in)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.Reason != "":
		refuse(w, s.Status, s.Reason, "no")
		return
	case err != nil || sizeErr != nil || in.Snippet.Title == "" || len([]rune(in.Snippet.Title)) > 100:
		refuse(w, http.StatusBadRequest, "invalidTitle", "The request metadata specifies an invalid or empty video title.")
		return
	}
	s.films = append(s.films, &Film{Title: in.Snippet.Title, Description: in.Snippet.Description, Privacy: in.Status.Privacy, size: size})
	w.Header().Set("Location", fmt.Sprintf("https://%s/upload/youtube/v3/videos?uploadType=resumable&upload_id=%d", r.Host, len(s.films)))
}

func (s *Server) upload(w http.ResponseWriter, r *http.Request) {
	content, err := io.ReadAll(r.Body)
	id, idErr := strconv.Atoi(r.URL.Query().Get("upload_id"))
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil || idErr != nil || id > len(s.films) || s.films[id-1].forgotten {
		refuse(w, http.StatusNotFound, "notFound", "no such upload")
		return
	}
	f := s.films[id-1]
	if len(content) > 0 {
		if want := fmt.Sprintf("bytes %d-%d/%d", len(f.Content), f.size-1, f.size); r.Header.Get("Content-Range") != want {
			refuse(w, http.StatusBadRequest, "badRequest", "want "+want)
			return
		}
		if f.Calls++; s.Takes > 0 && f.Calls == 1 {
			content = content[:min(s.Takes, len(content))]
		}
		f.Content = append(f.Content, content...)
	}
	if len(f.Content) == f.size && !s.Busy {
		reply(w, http.StatusOK, map[string]any{"id": fmt.Sprintf("film%d", id), "kind": "youtube#video"})
		return
	}
	if len(f.Content) > 0 {
		w.Header().Set("Range", fmt.Sprintf("bytes=0-%d", len(f.Content)-1))
	}
	w.WriteHeader(http.StatusPermanentRedirect)
}

func refuse(w http.ResponseWriter, status int, reason, message string) {
	reply(w, status, map[string]any{"error": map[string]any{"code": status, "message": message, "errors": []map[string]any{{"reason": reason, "domain": "youtube"}}}})
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		return // the caller has hung up, which is its affair
	}
}
