// Package twittertest is X in memory, for tests: it keeps a ledger of what it was
// made to post, refuses a text that was just posted, and can be told how to treat
// the next calls. What it accepts and answers follows the API v2 (spec 2.167).
package twittertest

import (
	"encoding/json"
	"fmt"
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

// Username is whose account it is.
const Username = "acme"

const userID = "2244994945"

// A Server is the fake. Set its fields before the first call.
type Server struct {
	publishtest.Queue // of faults, for the calls that publish

	Token      string // that calls must carry; any when ""
	Duplicates bool   // takes a text again, as the real X does after a while
	Processing int    // how often media say that they are still processed
	Now        func() time.Time

	mu     sync.Mutex
	tweets []Tweet
	media  map[string]*Medium
	lastID int64
}

// A Tweet is one post of the ledger.
type Tweet struct {
	ID, Text, InReplyTo string
	Media               []string // ids
	At                  time.Time
}

// A Medium is one upload.
type Medium struct {
	Type, Category, Alt string
	Content             []byte
	total               int
	segments            int
	asked               int
	final               bool
}

// Ledger returns the posts, oldest first.
func (s *Server) Ledger() []Tweet {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.tweets)
}

// Texts returns the texts of the ledger.
func (s *Server) Texts() []string {
	var out []string
	for _, t := range s.Ledger() {
		out = append(out, t.Text)
	}
	return out
}

// Medium returns an upload; nil when there is none.
func (s *Server) Medium(id string) *Medium {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.media[id]
}

// DropMedia makes the server forget its media.
func (s *Server) DropMedia() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.media = nil
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
	auth := r.Header.Get("Authorization")
	if s.Token != "" && auth != "Bearer "+s.Token && !(strings.HasPrefix(auth, "OAuth ") && strings.Contains(auth, s.Token)) {
		problem(w, http.StatusUnauthorized, "about:blank", "Unauthorized")
		return
	}
	upload := strings.TrimPrefix(r.URL.Path, "/2/media/upload")
	switch at := r.Method + " " + r.URL.Path; {
	case at == "POST /2/tweets":
		s.Queue.Serve(w, r, s.post)
	case at == "GET /2/users/me":
		reply(w, http.StatusOK, map[string]any{"data": map[string]any{"id": userID, "name": "Acme", "username": Username}})
	case at == "GET /2/users/"+userID+"/tweets":
		s.timeline(w, r)
	case at == "POST /2/media/upload/initialize":
		s.initialize(w, r)
	case r.Method == http.MethodPost && strings.HasSuffix(upload, "/append"):
		s.append(w, r, strings.Trim(strings.TrimSuffix(upload, "/append"), "/"))
	case r.Method == http.MethodPost && strings.HasSuffix(upload, "/finalize"):
		s.finalize(w, strings.Trim(strings.TrimSuffix(upload, "/finalize"), "/"))
	case at == "GET /2/media/upload":
		s.status(w, r.URL.Query().Get("media_id"))
	case at == "POST /2/media/metadata":
		s.metadata(w, r)
	default:
		problem(w, http.StatusNotFound, "https://api.x.com/2/problems/resource-not-found", "Not found")
	}
}

func (s *Server) nextID() string {
	s.lastID++
	return strconv.FormatInt(1_990_000_000_000_000_000+s.lastID, 10)
}

func (s *Server) post(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Text  string `json:"text"`
		Reply struct {
			ID string `json:"in_reply_to_tweet_id"`
		} `json:"reply"`
		Media struct {
			IDs []string `json:"media_ids"`
		} `json:"media"`
	}
	err := json.NewDecoder(r.Body).Decode(&in)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil || in.Text == "" && len(in.Media.IDs) == 0:
		problem(w, http.StatusBadRequest, "https://api.x.com/2/problems/invalid-request", "One or more parameters to your request was invalid.")
		return
	case !s.Duplicates && slices.ContainsFunc(s.tweets, func(t Tweet) bool { return t.Text == in.Text && t.InReplyTo == in.Reply.ID }):
		problem(w, http.StatusForbidden, "about:blank", "You are not allowed to create a Tweet with duplicate content.")
		return
	}
	for _, id := range in.Media.IDs {
		if m := s.media[id]; m == nil || !m.final {
			problem(w, http.StatusBadRequest, "https://api.x.com/2/problems/invalid-request", "Your media IDs are invalid.")
			return
		}
	}
	t := Tweet{ID: s.nextID(), Text: in.Text, InReplyTo: in.Reply.ID, Media: in.Media.IDs, At: s.now().Truncate(time.Second)}
	s.tweets = append(s.tweets, t)
	reply(w, http.StatusCreated, map[string]any{"data": map[string]any{"id": t.ID, "text": t.Text}})
}

var links = regexp.MustCompile(`https?://\S+`)

// timeline lists posts as X shows them: links are short, text is escaped, and
// media are one more link.
func (s *Server) timeline(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	from, err := time.Parse(time.RFC3339, q.Get("start_time"))
	size, sizeErr := strconv.Atoi(q.Get("max_results"))
	if err != nil || sizeErr != nil || size < 5 || size > 100 {
		problem(w, http.StatusBadRequest, "https://api.x.com/2/problems/invalid-request", "One or more parameters to your request was invalid.")
		return
	}
	skip, _ := strconv.Atoi(q.Get("pagination_token"))
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []map[string]any
	for _, t := range slices.Backward(s.tweets) {
		if t.At.Before(from) {
			continue
		}
		var urls []map[string]any
		text := links.ReplaceAllStringFunc(t.Text, func(full string) string {
			short := fmt.Sprintf("https://t.co/%010d", len(urls))
			urls = append(urls, map[string]any{"start": 0, "end": 0, "url": short, "expanded_url": full})
			return short
		})
		text = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
		shown := map[string]any{"id": t.ID, "created_at": t.At.Format("2006-01-02T15:04:05.000Z")}
		if len(t.Media) > 0 {
			text += " https://t.co/medium"
			urls = append(urls, map[string]any{"start": 0, "end": 0, "url": "https://t.co/medium", "expanded_url": "https://x.com/acme/status/1/photo/1", "media_key": "3_1"})
			var keys []string
			for _, id := range t.Media {
				keys = append(keys, "3_"+id)
			}
			shown["attachments"] = map[string]any{"media_keys": keys}
		}
		shown["text"] = text
		if len(urls) > 0 {
			shown["entities"] = map[string]any{"urls": urls}
		}
		if t.InReplyTo != "" {
			shown["referenced_tweets"] = []map[string]any{{"type": "replied_to", "id": t.InReplyTo}}
		}
		all = append(all, shown)
	}
	page := all[min(skip, len(all)):min(skip+size, len(all))]
	meta := map[string]any{"result_count": len(page)}
	if skip+size < len(all) {
		meta["next_token"] = strconv.Itoa(skip + size)
	}
	answer := map[string]any{"meta": meta}
	if len(page) > 0 {
		answer["data"] = page
	}
	reply(w, http.StatusOK, answer)
}

func (s *Server) initialize(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Type     string `json:"media_type"`
		Total    int    `json:"total_bytes"`
		Category string `json:"media_category"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		problem(w, http.StatusBadRequest, "https://api.x.com/2/problems/invalid-request", err.Error())
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.media == nil {
		s.media = map[string]*Medium{}
	}
	id := s.nextID()
	s.media[id] = &Medium{Type: in.Type, Category: in.Category, total: in.Total}
	reply(w, http.StatusOK, map[string]any{"data": map[string]any{"id": id, "media_key": "3_" + id, "expires_after_secs": 86400}})
}

func (s *Server) append(w http.ResponseWriter, r *http.Request, id string) {
	file, _, err := r.FormFile("media")
	if err != nil {
		problem(w, http.StatusBadRequest, "https://api.x.com/2/problems/invalid-request", err.Error())
		return
	}
	defer file.Close()
	content, err := io.ReadAll(file)
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.media[id]
	if err != nil || m == nil || r.FormValue("segment_index") != strconv.Itoa(m.segments) {
		problem(w, http.StatusBadRequest, "https://api.x.com/2/problems/invalid-request", "wrong segment")
		return
	}
	m.segments++
	m.Content = append(m.Content, content...)
	reply(w, http.StatusOK, map[string]any{"data": map[string]any{"expires_at": s.now().Add(time.Hour).Unix()}})
}

func (s *Server) finalize(w http.ResponseWriter, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.media[id]
	if m == nil || len(m.Content) != m.total {
		problem(w, http.StatusBadRequest, "https://api.x.com/2/problems/invalid-request", "Segments do not add up to provided total file size.")
		return
	}
	m.final = true
	reply(w, http.StatusOK, map[string]any{"data": s.described(id, m)})
}

func (s *Server) described(id string, m *Medium) map[string]any {
	d := map[string]any{"id": id, "media_key": "3_" + id, "expires_after_secs": 86400, "size": len(m.Content)}
	if m.asked < s.Processing {
		d["processing_info"] = map[string]any{"state": "pending", "check_after_secs": 1, "progress_percent": 10}
	}
	return d
}

func (s *Server) status(w http.ResponseWriter, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.media[id]
	if m == nil {
		problem(w, http.StatusNotFound, "https://api.x.com/2/problems/resource-not-found", "Could not find media")
		return
	}
	d := s.described(id, m)
	m.asked++
	reply(w, http.StatusOK, map[string]any{"data": d})
}

func (s *Server) metadata(w http.ResponseWriter, r *http.Request) {
	var in struct {
		ID       string `json:"id"`
		Metadata struct {
			Alt struct {
				Text string `json:"text"`
			} `json:"alt_text"`
		} `json:"metadata"`
	}
	err := json.NewDecoder(r.Body).Decode(&in)
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.media[in.ID]
	if err != nil || m == nil {
		problem(w, http.StatusBadRequest, "https://api.x.com/2/problems/invalid-request", "no such media")
		return
	}
	m.Alt = in.Metadata.Alt.Text
	reply(w, http.StatusOK, map[string]any{"data": map[string]any{"id": in.ID, "associated_metadata": map[string]any{"alt_text": map[string]string{"text": m.Alt}}}})
}

func problem(w http.ResponseWriter, status int, kind, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	write(w, status, map[string]any{"type": kind, "title": http.StatusText(status), "detail": detail, "status": status})
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	write(w, status, v)
}

func write(w http.ResponseWriter, status int, v any) {
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		return // the caller has hung up, which is its affair
	}
}
