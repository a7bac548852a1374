// Package pinteresttest is Pinterest in memory, for tests: it keeps a ledger of what
// it was made to pin, and can be told how to treat the next calls. What it accepts
// and answers follows version 5.23 of the API.
package pinteresttest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/postroom/postroom/publish/publishtest"
)

// The boards of the account, and its name.
const (
	Board      = "549755885175" // called Spring offers
	OtherBoard = "549755885176" // called Recipes
	Username   = "acme"
)

// UploadHost is where films are uploaded to.
const UploadHost = "uploads.example"

// A Server is the fake. Set its fields before the first call.
type Server struct {
	publishtest.Queue // of faults, for the calls that publish

	Token      string // that calls must carry; any when ""
	Processing int    // how often films say that they are still processed
	Unzoned    bool   // writes times without a zone

	mu     sync.Mutex
	pins   []Pin
	films  map[string]*Film
	lastID int
}

// A Pin is one of the ledger.
type Pin struct {
	ID, Board, Section, Title, Description, Link, Alt string
	Media                                             map[string]any
	At                                                time.Time
}

// A Film is what was uploaded of one.
type Film struct {
	Content []byte
	asked   int
}

// Ledger returns the pins, oldest first.
func (s *Server) Ledger() []Pin {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.pins)
}

// Add puts a pin on the account that somebody else made.
func (s *Server) Add(p Pin) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.ID = s.nextID()
	s.pins = append(s.pins, p)
}

// Film returns what was uploaded under an id; nil when nothing was.
func (s *Server) Film(id string) *Film {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.films[id]
}

// Forget throws all films away.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.films = nil
}

func (s *Server) nextID() string {
	s.lastID++
	return strconv.Itoa(813744226420795000 + s.lastID)
}

// ServeHTTP answers one call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", time.Now().UTC().Format(http.TimeFormat))
	path := strings.TrimPrefix(r.URL.Path, "/v5")
	if r.Host == UploadHost || r.URL.Host == UploadHost {
		s.upload(w, r)
		return
	}
	if s.Token != "" && r.Header.Get("Authorization") != "Bearer "+s.Token {
		fail(w, http.StatusUnauthorized, 2, "Authentication failed.")
		return
	}
	switch at := r.Method + " " + path; {
	case at == "POST /pins":
		s.Queue.Serve(w, r, s.pin)
	case at == "GET /pins":
		s.list(w, r)
	case at == "GET /boards":
		boards(w, r)
	case at == "GET /user_account":
		reply(w, http.StatusOK, map[string]any{"username": Username, "business_name": "Acme Ltd", "account_type": "BUSINESS"})
	case at == "POST /media":
		s.register(w)
	case strings.HasPrefix(at, "GET /media/"):
		s.processed(w, strings.TrimPrefix(path, "/media/"))
	default:
		fail(w, http.StatusNotFound, 0, "No resource at "+path)
	}
}

// boards gives the first board, and the second after the bookmark.
func boards(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Get("bookmark") == "" {
		reply(w, http.StatusOK, map[string]any{"items": []map[string]any{{"id": Board, "name": "Spring offers"}}, "bookmark": "next"})
		return
	}
	reply(w, http.StatusOK, map[string]any{"items": []map[string]any{{"id": OtherBoard, "name": "Recipes"}}, "bookmark": nil})
}

func (s *Server) pin(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Board       string         `json:"board_id"`
		Section     string         `json:"board_section_id"`
		Title       string         `json:"title"`
		Description string         `json:"description"`
		Link        string         `json:"link"`
		Alt         string         `json:"alt_text"`
		Media       map[string]any `json:"media_source"`
	}
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		fail(w, http.StatusBadRequest, 1, "Invalid request: "+err.Error())
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch id, film := in.Media["media_id"].(string); {
	case in.Board != Board && in.Board != OtherBoard:
		fail(w, http.StatusNotFound, 40, "Board not found.")
		return
	case len(in.Title) > 100 || len(in.Description) > 800:
		fail(w, http.StatusBadRequest, 1, "Invalid request: too long")
		return
	case film && s.films[id] == nil:
		fail(w, http.StatusBadRequest, 1, "Media not found.")
		return
	}
	p := Pin{s.nextID(), in.Board, in.Section, in.Title, in.Description, in.Link, in.Alt, in.Media, time.Now().UTC()}
	s.pins = append(s.pins, p)
	reply(w, http.StatusCreated, s.shown(&p))
}

func (s *Server) shown(p *Pin) map[string]any {
	layout := time.RFC3339
	if s.Unzoned {
		layout = "2006-01-02T15:04:05"
	}
	out := map[string]any{"id": p.ID, "board_id": p.Board, "created_at": p.At.Format(layout), "title": nil, "description": nil, "link": nil}
	for name, value := range map[string]string{"title": p.Title, "description": p.Description, "link": p.Link} {
		if value != "" {
			out[name] = value
		}
	}
	return out
}

func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	most, err := strconv.Atoi(r.URL.Query().Get("page_size"))
	if err != nil {
		most = 25
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	items := []map[string]any{}
	for _, p := range slices.Backward(s.pins) {
		items = append(items, s.shown(&p))
	}
	var bookmark any
	if len(items) > most {
		items, bookmark = items[:most], "more"
	}
	reply(w, http.StatusOK, map[string]any{"items": items, "bookmark": bookmark})
}

// register begins the upload of a film.
func (s *Server) register(w http.ResponseWriter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.films == nil {
		s.films = map[string]*Film{}
	}
	id := s.nextID()
	s.films[id] = &Film{}
	reply(w, http.StatusCreated, map[string]any{
		"media_id": id, "media_type": "video", "upload_url": "https://" + UploadHost + "/",
		"upload_parameters": map[string]string{"key": "uploads/" + id, "policy": "p", "x-amz-signature": "s"},
	})
}

// upload takes a film as the store does: without a token, and the file last.
func (s *Server) upload(w http.ResponseWriter, r *http.Request) {
	form, err := r.MultipartReader()
	if err != nil || r.Header.Get("Authorization") != "" {
		http.Error(w, "<Error/>", http.StatusForbidden)
		return
	}
	fields := map[string]string{}
	for {
		part, err := form.NextPart()
		if err != nil {
			http.Error(w, "<Error/>", http.StatusBadRequest)
			return
		}
		content, err := io.ReadAll(part)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		if part.FormName() != "file" {
			fields[part.FormName()] = string(content)
			continue
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		film := s.films[strings.TrimPrefix(fields["key"], "uploads/")]
		if film == nil || fields["policy"] != "p" || fields["x-amz-signature"] != "s" {
			http.Error(w, "<Error/>", http.StatusForbidden)
			return
		}
		film.Content = content
		w.WriteHeader(http.StatusNoContent)
		return
	}
}

func (s *Server) processed(w http.ResponseWriter, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	film := s.films[id]
	if film == nil {
		fail(w, http.StatusNotFound, 0, "Media not found.")
		return
	}
	status := "succeeded"
	switch film.asked++; {
	case len(film.Content) == 0:
		status = "registered"
	case strings.Contains(string(film.Content), "broken"):
		status = "failed"
	case film.asked <= s.Processing:
		status = "processing"
	}
	reply(w, http.StatusOK, map[string]any{"media_id": id, "media_type": "video", "status": status})
}

// Bytes returns what a media source, or an item of one, carries.
func Bytes(source any) string {
	m, ok := source.(map[string]any)
	if !ok {
		return ""
	}
	data, err := base64.StdEncoding.DecodeString(fmt.Sprint(m["data"]))
	if err != nil {
		return ""
	}
	return string(data)
}

func fail(w http.ResponseWriter, status, code int, message string) {
	reply(w, status, map[string]any{"code": code, "message": message})
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		return // the caller has hung up, which is its affair
	}
}
