// Package discordtest is the part of Discord that webhooks reach, in memory, for
// tests: it keeps a ledger of messages and can be told how to treat the next
// calls. It is an http.Handler for paths of the API without a version in front.
package discordtest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/postroom/postroom/publish/publishtest"
)

// What the server calls things.
const (
	Webhook = "1100000000000000001"
	Channel = "1200000000000000001"
	Guild   = "1300000000000000001"
	Name    = "Acme news"
)

const (
	maxText = 2000
	maxFile = 10 << 20 // bytes
)

// A Server is the fake. Set its fields before the first call.
type Server struct {
	publishtest.Queue // of faults, for the calls that publish

	Token string // of the webhook
	Gone  bool   // the webhook was deleted

	mu      sync.Mutex
	entries []Entry
}

// An Entry is one message of the ledger.
type Entry struct {
	ID         string
	Text       string
	Username   string
	Thread     string   // where it went, "" for the channel itself
	ThreadName string   // of the thread it began
	Mentions   []string // that notify
	Files      []File
	At         time.Time
}

// A File is one attachment.
type File struct {
	Name, Type, Description string
	Bytes                   []byte
}

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
	id, token, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/webhooks/"), "/")
	switch {
	case !ok || id != Webhook || s.Gone:
		fail(w, http.StatusNotFound, 10015, "Unknown Webhook")
	case token != s.Token:
		fail(w, http.StatusUnauthorized, 50027, "Invalid Webhook Token")
	case r.Method == http.MethodGet:
		reply(w, http.StatusOK, map[string]any{
			"id": Webhook, "type": 1, "name": Name, "avatar": nil, "application_id": nil, "guild_id": Guild, "channel_id": Channel, "token": s.Token,
		})
	case r.Method == http.MethodPost:
		s.Queue.Serve(w, r, s.publish)
	default:
		fail(w, http.StatusMethodNotAllowed, 0, "405: Method Not Allowed")
	}
}

// wanted are the fields of a message that the fake knows.
type wanted struct {
	Content    string `json:"content"`
	Username   string `json:"username"`
	ThreadName string `json:"thread_name"`
	Mentions   *struct {
		Parse []string `json:"parse"`
	} `json:"allowed_mentions"`
	Attachments []struct {
		ID          string `json:"id"`
		Filename    string `json:"filename"`
		Description string `json:"description"`
	} `json:"attachments"`
}

func (s *Server) publish(w http.ResponseWriter, r *http.Request) {
	in, err := read(r)
	if err != nil {
		fail(w, http.StatusBadRequest, 50109, "The request body contains invalid JSON.")
		return
	}
	e := Entry{Text: in.Content, Username: in.Username, Thread: r.URL.Query().Get("thread_id"), ThreadName: in.ThreadName, Mentions: []string{"everyone", "roles", "users"}}
	if in.Mentions != nil {
		e.Mentions = in.Mentions.Parse
	}
	for _, a := range in.Attachments {
		f, err := file(r, a.ID)
		if err != nil {
			invalid(w, "attachments", "There is no file of that id.")
			return
		}
		if len(f.Bytes) > maxFile {
			fail(w, http.StatusRequestEntityTooLarge, 40005, "Request entity too large")
			return
		}
		f.Name, f.Description = a.Filename, a.Description
		e.Files = append(e.Files, f)
	}
	switch {
	case e.Text == "" && len(e.Files) == 0:
		fail(w, http.StatusBadRequest, 50006, "Cannot send an empty message")
		return
	case utf8.RuneCountInString(e.Text) > maxText:
		invalid(w, "content", fmt.Sprintf("Must be %d or fewer in length.", maxText))
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e.At = time.Now().UTC()
	e.ID = strconv.Itoa(1400000000000000000 + len(s.entries) + 1)
	s.entries = append(s.entries, e)
	w.Header().Set("X-RateLimit-Limit", "5")
	w.Header().Set("X-RateLimit-Remaining", "4")
	w.Header().Set("X-RateLimit-Reset-After", "2")
	if r.URL.Query().Get("wait") != "true" {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	reply(w, http.StatusOK, e.json())
}

// read reads the message of a call, plain or in a form.
func read(r *http.Request) (wanted, error) {
	var in wanted
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
		return in, json.NewDecoder(r.Body).Decode(&in)
	}
	if err := r.ParseMultipartForm(32 << 20); err != nil {
		return in, err
	}
	return in, json.Unmarshal([]byte(r.FormValue("payload_json")), &in)
}

func file(r *http.Request, id string) (File, error) {
	part, header, err := r.FormFile("files[" + id + "]")
	if err != nil {
		return File{}, err
	}
	data, err := io.ReadAll(part)
	return File{Type: header.Header.Get("Content-Type"), Bytes: data}, err
}

// json is the message that Discord makes of e.
func (e *Entry) json() map[string]any {
	name, channel := e.Username, e.Thread
	if name == "" {
		name = Name
	}
	if channel == "" {
		channel = Channel
	}
	files := []any{}
	for i, f := range e.Files {
		files = append(files, map[string]any{
			"id": strconv.Itoa(1500000000000000000 + i), "filename": f.Name, "size": len(f.Bytes), "description": f.Description,
			"url": "https://cdn.discordapp.com/" + f.Name, "proxy_url": "https://media.discordapp.net/" + f.Name,
		})
	}
	return map[string]any{
		"id": e.ID, "type": 0, "channel_id": channel, "webhook_id": Webhook, "content": e.Text, "timestamp": e.At.Format("2006-01-02T15:04:05.000000+00:00"),
		"edited_timestamp": nil, "flags": 0, "pinned": false, "mention_everyone": false, "tts": false, "mentions": []any{}, "mention_roles": []any{},
		"embeds": []any{}, "components": []any{}, "attachments": files,
		"author": map[string]any{
			"id": Webhook, "username": name, "discriminator": "0000", "avatar": nil, "bot": true, "public_flags": 0, "flags": 0, "global_name": nil, "primary_guild": nil,
		},
	}
}

func invalid(w http.ResponseWriter, field, why string) {
	reply(w, http.StatusBadRequest, map[string]any{
		"code": 50035, "message": "Invalid Form Body",
		"errors": map[string]any{field: map[string]any{"_errors": []any{map[string]any{"code": "BASE_TYPE_MAX_LENGTH", "message": why}}}},
	})
}

func fail(w http.ResponseWriter, status, code int, message string) {
	reply(w, status, map[string]any{"code": code, "message": message})
}

func reply(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // of maps of strings and numbers
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if _, err := w.Write(body); err != nil {
		return // the caller has hung up, which is its affair
	}
}
