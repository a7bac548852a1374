// Package wordpresstest is a WordPress site in memory, for tests: it keeps a ledger
// of what it was made to publish, gives a second post of a slug another one, and can
// be told how to treat the next calls. What it accepts and answers follows WordPress
// 6.1.9, as that was seen to behave.
package wordpresstest

import (
	"encoding/base64"
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

	"github.com/postroom/postroom/publish/publishtest"
)

// User is who may log in.
const User = "editor"

// A Server is the fake. Set its fields before the first call.
type Server struct {
	publishtest.Queue // of faults, for the calls that publish

	Password string
	Plain    bool // plain permalinks: the API is at ?rest_route= only
	Blocked  bool // something before the site answers instead of the API
	Role     string

	mu     sync.Mutex
	posts  []Post
	files  []File
	lastID int64
}

// A Post is one post of the ledger.
type Post struct {
	ID               int64
	Title, Content   string
	Slug             string
	Featured         int64
	Categories, Tags []int64
	At               time.Time
}

// A File is one of the media library.
type File struct {
	ID              int64
	Name, Type, Alt string
	Content         []byte
}

// Ledger returns the posts, oldest first.
func (s *Server) Ledger() []Post {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.posts)
}

// Library returns the files, oldest first.
func (s *Server) Library() []File {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.files)
}

// Forget empties the media library.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files = nil
}

var marks = regexp.MustCompile(`<[^>]*>`)

// Text returns what a post says to its readers.
func (p *Post) Text() string { return html.UnescapeString(marks.ReplaceAllString(p.Content, "")) }

// ServeHTTP answers one call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", time.Now().UTC().Format(http.TimeFormat))
	route, pretty := strings.CutPrefix(r.URL.Path, "/wp-json")
	if !pretty {
		route = r.URL.Query().Get("rest_route")
	}
	if s.Blocked || route == "" || pretty && s.Plain {
		http.Error(w, "<html>Nothing here</html>", http.StatusNotFound)
		return
	}
	in := r.Header.Get("Authorization") == "Basic "+base64.StdEncoding.EncodeToString([]byte(User+":"+s.Password))
	at := r.Method + " " + route
	if !in && at != "GET /" {
		fail(w, http.StatusUnauthorized, "rest_cannot_create", "Sorry, you are not allowed to create posts as this user.")
		return
	}
	switch {
	case at == "GET /":
		reply(w, http.StatusOK, map[string]any{"namespaces": []string{"oembed/1.0", "wp/v2"}})
	case at == "POST /wp/v2/posts":
		s.Queue.Serve(w, r, s.post)
	case at == "GET /wp/v2/posts":
		s.find(w, r)
	case at == "GET /wp/v2/users/me":
		reply(w, http.StatusOK, map[string]any{
			"id": 2, "name": "Ed Itor", "slug": User, "link": "https://" + r.Host + "/author/editor/",
			"capabilities": map[string]bool{"publish_posts": s.Role != "contributor", "upload_files": s.Role != "contributor", "read": true},
		})
	case at == "POST /wp/v2/media":
		s.upload(w, r)
	case at == "GET /wp/v2/media":
		s.list(w, r)
	case strings.HasPrefix(at, "POST /wp/v2/media/"):
		s.describe(w, r, strings.TrimPrefix(route, "/wp/v2/media/"))
	case at == "GET /wp/v2/categories", at == "GET /wp/v2/tags":
		terms(w, r)
	default:
		fail(w, http.StatusNotFound, "rest_no_route", "No route was found matching the URL and request method.")
	}
}

// terms knows news, of id 7, and offers, of id 8.
func terms(w http.ResponseWriter, r *http.Request) {
	found := []map[string]any{}
	for _, slug := range strings.Split(r.URL.Query().Get("slug"), ",") {
		if id, ok := map[string]int{"news": 7, "offers": 8}[slug]; ok {
			found = append(found, map[string]any{"id": id, "slug": slug})
		}
	}
	reply(w, http.StatusOK, found)
}

func (s *Server) post(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Title      string  `json:"title"`
		Content    string  `json:"content"`
		Status     string  `json:"status"`
		Slug       string  `json:"slug"`
		Featured   int64   `json:"featured_media"` // anything is taken, even what is not there
		Categories []int64 `json:"categories"`
		Tags       []int64 `json:"tags"`
	}
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil || in.Status != "publish" {
		fail(w, http.StatusBadRequest, "rest_invalid_param", fmt.Sprintf("Invalid parameter(s): %v", err))
		return
	}
	if in.Title == "" && in.Content == "" {
		fail(w, http.StatusBadRequest, "empty_content", "Content, title, and excerpt are empty.")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	slug := in.Slug
	for n := 2; slices.ContainsFunc(s.posts, func(p Post) bool { return p.Slug == slug }); n++ {
		slug = fmt.Sprintf("%s-%d", in.Slug, n)
	}
	s.lastID++
	p := Post{s.lastID, in.Title, in.Content, slug, in.Featured, in.Categories, in.Tags, time.Now().UTC()}
	s.posts = append(s.posts, p)
	w.Header().Set("Location", fmt.Sprintf("https://%s/wp-json/wp/v2/posts/%d", r.Host, p.ID))
	reply(w, http.StatusCreated, p.shown(r.Host))
}

func (p *Post) shown(host string) map[string]any {
	return map[string]any{"id": p.ID, "slug": p.Slug, "link": "https://" + host + "/" + p.Slug + "/", "date_gmt": p.At.Format("2006-01-02T15:04:05")}
}

func (s *Server) find(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Get("status") != "any" || q.Get("context") != "edit" {
		fail(w, http.StatusBadRequest, "rest_invalid_param", "Invalid parameter(s): status")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found := []map[string]any{}
	for i := range s.posts {
		if s.posts[i].Slug == q.Get("slug") {
			found = append(found, s.posts[i].shown(r.Host))
		}
	}
	reply(w, http.StatusOK, found)
}

var fileName = regexp.MustCompile(`^attachment; filename="([^"]+)"$`)

func (s *Server) upload(w http.ResponseWriter, r *http.Request) {
	name := fileName.FindStringSubmatch(r.Header.Get("Content-Disposition"))
	content, err := io.ReadAll(r.Body)
	switch kind := r.Header.Get("Content-Type"); {
	case err != nil:
		panic(http.ErrAbortHandler)
	case name == nil:
		fail(w, http.StatusBadRequest, "rest_upload_no_content_disposition", "No Content-Disposition supplied.")
		return
	case strings.HasSuffix(name[1], ".tiff"):
		fail(w, http.StatusInternalServerError, "rest_upload_sideload_error", "Sorry, you are not allowed to upload this file type.")
		return
	default:
		s.mu.Lock()
		defer s.mu.Unlock()
		s.lastID++
		f := File{s.lastID, name[1], kind, "", content}
		s.files = append(s.files, f)
		reply(w, http.StatusCreated, f.shown(r.Host))
	}
}

func (f *File) shown(host string) map[string]any {
	return map[string]any{"id": f.ID, "mime_type": f.Type, "source_url": "https://" + host + "/wp-content/uploads/" + f.Name}
}

func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := []map[string]any{}
	for _, id := range strings.Split(r.URL.Query().Get("include"), ",") {
		for i := range s.files {
			if strconv.FormatInt(s.files[i].ID, 10) == id {
				found = append(found, s.files[i].shown(r.Host))
			}
		}
	}
	slices.Reverse(found) // newest first
	reply(w, http.StatusOK, found)
}

func (s *Server) describe(w http.ResponseWriter, r *http.Request, id string) {
	var in struct {
		Alt string `json:"alt_text"`
	}
	err := json.NewDecoder(r.Body).Decode(&in)
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.files {
		if strconv.FormatInt(s.files[i].ID, 10) == id && err == nil {
			s.files[i].Alt = in.Alt
			reply(w, http.StatusOK, s.files[i].shown(r.Host))
			return
		}
	}
	fail(w, http.StatusNotFound, "rest_post_invalid_id", "Invalid post ID.")
}

func fail(w http.ResponseWriter, status int, code, message string) {
	reply(w, status, map[string]any{"code": code, "message": message, "data": map[string]int{"status": status}})
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		return // the caller has hung up, which is its affair
	}
}
