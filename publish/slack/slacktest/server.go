// Package slacktest is an incoming webhook of Slack in memory, for tests: it
// keeps a ledger of messages and can be told how to treat the next calls that
// publish. What it accepts and says follows docs.slack.dev and the answers of
// Slack's webhooks; Slack publishes no document of them to hold it against.
package slacktest

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/postroom/postroom/publish/publishtest"
)

// A Server is the fake. Set its fields before the first call.
type Server struct {
	publishtest.Queue // of faults, for the calls that publish

	Path string // of the webhook's URL
	Says string // what it refuses every call with, with 404; "" for not

	mu      sync.Mutex
	entries []Entry
}

// An Entry is one message of the ledger, with its entities undone.
type Entry struct {
	Text     string
	Sections []string
	Pictures []Picture
}

// A Picture is an image block.
type Picture struct{ URL, Alt string }

// Ledger returns the messages, oldest first.
func (s *Server) Ledger() []Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.entries)
}

// Texts returns the texts of the ledger.
func (s *Server) Texts() []string {
	var out []string
	for _, e := range s.Ledger() {
		out = append(out, e.Text)
	}
	return out
}

// ServeHTTP answers one call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path != s.Path:
		say(w, http.StatusForbidden, "invalid_token")
	case s.Says != "":
		say(w, http.StatusNotFound, s.Says)
	case r.Method != http.MethodPost:
		say(w, http.StatusBadRequest, "invalid_payload")
	default:
		s.Queue.Serve(w, r, s.publish)
	}
}

// wanted is a message. Its fields are all that the fake knows.
type wanted struct {
	Text   string `json:"text"`
	Blocks []struct {
		Type string `json:"type"`
		Text *struct {
			Type string `json:"type"`
			Text string `json:"text"`
		} `json:"text"`
		ImageURL string `json:"image_url"`
		Alt      string `json:"alt_text"`
	} `json:"blocks"`
}

func (s *Server) publish(w http.ResponseWriter, r *http.Request) {
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	var in wanted
	if err := dec.Decode(&in); err != nil {
		say(w, http.StatusBadRequest, "invalid_payload")
		return
	}
	if in.Text == "" && len(in.Blocks) == 0 {
		say(w, http.StatusBadRequest, "no_text")
		return
	}
	e := Entry{Text: unescape(in.Text)}
	for _, b := range in.Blocks {
		switch {
		case b.Type == "section" && b.Text != nil && b.Text.Text != "" && utf8.RuneCountInString(b.Text.Text) <= 3000:
			e.Sections = append(e.Sections, unescape(b.Text.Text))
		case b.Type == "image" && strings.HasPrefix(b.ImageURL, "https://") && b.Alt != "" && utf8.RuneCountInString(b.Alt) <= 2000:
			e.Pictures = append(e.Pictures, Picture{URL: b.ImageURL, Alt: b.Alt})
		default:
			say(w, http.StatusBadRequest, "invalid_blocks")
			return
		}
	}
	if len(in.Blocks) > 50 {
		say(w, http.StatusBadRequest, "invalid_blocks")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entries = append(s.entries, e)
	say(w, http.StatusOK, "ok")
}

func unescape(text string) string {
	return strings.NewReplacer("&amp;", "&", "&lt;", "<", "&gt;", ">").Replace(text)
}

func say(w http.ResponseWriter, status int, word string) {
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(status)
	if _, err := io.WriteString(w, word); err != nil {
		return // the caller has hung up, which is its affair
	}
}
