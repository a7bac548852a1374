// Package matrixtest is a Matrix homeserver in memory with one room, for tests:
// it keeps a ledger of what it was made to publish and can be told how to treat
// the next calls. It is an http.Handler. What it accepts and answers follows the
// client-server API v3, and Synapse in what a repeat of a transaction does.
package matrixtest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/postroom/postroom/publish/publishtest"
)

// Who and where.
const (
	User  = "@acme:example.org"
	Room  = "!room:example.org"
	Alias = "#news:example.org"
)

// A Server is the fake. Set its fields before the first call. Its methods may be
// called at any time.
type Server struct {
	publishtest.Queue // of faults, for the calls that publish

	Token     string           // that calls must carry
	Forgetful bool             // knows no transactions, as after a day or with a new token
	Encrypted bool             // the room is
	Left      bool             // the account is not in the room
	Now       func() time.Time // time.Now when nil

	mu     sync.Mutex
	events []Event
	byKey  map[string]string // event id by transaction id
	files  []File
	wrong  []string
}

// An Event is one of the ledger.
type Event struct {
	ID      string
	Key     string // transaction id
	Sender  string
	Body    string
	At      time.Time
	Content map[string]any
}

// A File is one upload.
type File struct {
	URI, Name, Type string
	Size            int
}

// Ledger returns the events, oldest first.
func (s *Server) Ledger() []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.events)
}

// Texts returns what the events say.
func (s *Server) Texts() []string {
	var out []string
	for _, e := range s.Ledger() {
		out = append(out, e.Body)
	}
	return out
}

// Files returns the uploads, oldest first.
func (s *Server) Files() []File {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.files)
}

// Violations returns what calls did that the API does not allow.
func (s *Server) Violations() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.wrong)
}

// Write adds an event of somebody.
func (s *Server) Write(sender string, content map[string]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.add(Event{Sender: sender, Content: content})
}

func (s *Server) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

// ServeHTTP answers one call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", s.now().UTC().Format(http.TimeFormat))
	if r.Header.Get("Authorization") != "Bearer "+s.Token {
		fail(w, http.StatusUnauthorized, "M_UNKNOWN_TOKEN", "Invalid access token passed.")
		return
	}
	rest, in := strings.CutPrefix(r.URL.Path, "/_matrix/client/v3/rooms/"+Room+"/")
	if in && s.Left {
		fail(w, http.StatusForbidden, "M_FORBIDDEN", "User "+User+" not in room "+Room)
		return
	}
	switch at := r.Method + " " + r.URL.Path; {
	case at == "GET /_matrix/client/v3/account/whoami":
		reply(w, map[string]string{"user_id": User})
	case at == "GET /_matrix/client/v3/joined_rooms":
		rooms := []string{Room}
		if s.Left {
			rooms = []string{}
		}
		reply(w, map[string]any{"joined_rooms": rooms})
	case at == "GET /_matrix/client/v3/directory/room/"+Alias:
		reply(w, map[string]any{"room_id": Room, "servers": []string{"example.org"}})
	case at == "POST /_matrix/media/v3/upload":
		s.upload(w, r)
	case in && r.Method == http.MethodGet && rest == "state/m.room.encryption" && s.Encrypted:
		reply(w, map[string]string{"algorithm": "m.megolm.v1.aes-sha2"})
	case in && r.Method == http.MethodGet && rest == "messages":
		s.messages(w, r.URL.Query())
	case in && r.Method == http.MethodPut && strings.HasPrefix(rest, "send/m.room.message/"):
		key := strings.TrimPrefix(rest, "send/m.room.message/")
		s.Queue.Serve(w, r, func(w http.ResponseWriter, r *http.Request) { s.send(w, r, key) })
	default:
		fail(w, http.StatusNotFound, "M_NOT_FOUND", "Not found")
	}
}

// maxEvent is the most bytes of an event.
const maxEvent = 65536

func (s *Server) send(w http.ResponseWriter, r *http.Request, key string) {
	body, err := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	if id, ok := s.byKey[key]; ok && !s.Forgetful {
		reply(w, map[string]string{"event_id": id}) // whatever the body says now
		return
	}
	var content map[string]any
	switch {
	case err != nil || json.Unmarshal(body, &content) != nil:
		s.wrong = append(s.wrong, "not JSON")
		fail(w, http.StatusBadRequest, "M_NOT_JSON", "Content not JSON.")
		return
	case len(body) > maxEvent:
		fail(w, http.StatusRequestEntityTooLarge, "M_TOO_LARGE", "event too large")
		return
	}
	kind, _ := content["msgtype"].(string)
	text, ok := content["body"].(string)
	address, _ := content["url"].(string)
	known := slices.ContainsFunc(s.files, func(f File) bool { return f.URI == address })
	if !ok || kind == "" || kind != "m.text" && !known || kind == "m.text" && address != "" {
		s.wrong = append(s.wrong, fmt.Sprintf("event %v", content))
	}
	e := s.add(Event{Key: key, Sender: User, Body: text, Content: content})
	if s.byKey == nil {
		s.byKey = map[string]string{}
	}
	s.byKey[key] = e.ID
	reply(w, map[string]string{"event_id": e.ID})
}

// add puts an event into the ledger. The caller holds the lock.
func (s *Server) add(e Event) Event {
	e.ID, e.At = fmt.Sprintf("$event%d", len(s.events)+1), s.now()
	s.events = append(s.events, e)
	return e
}

func (s *Server) messages(w http.ResponseWriter, q url.Values) {
	all := s.Ledger()
	limit, err := strconv.Atoi(q.Get("limit"))
	if err != nil || q.Get("dir") != "b" {
		fail(w, http.StatusBadRequest, "M_INVALID_PARAM", "limit, dir")
		return
	}
	to := len(all)
	if from := q.Get("from"); from != "" {
		if to, err = strconv.Atoi(from); err != nil {
			fail(w, http.StatusBadRequest, "M_INVALID_PARAM", "from")
			return
		}
	}
	chunk := []any{}
	at := to
	for ; at > 0 && len(chunk) < limit; at-- {
		e := all[at-1]
		chunk = append(chunk, map[string]any{
			"event_id": e.ID, "sender": e.Sender, "type": "m.room.message", "origin_server_ts": e.At.UnixMilli(), "content": e.Content,
		})
	}
	answer := map[string]any{"chunk": chunk, "start": strconv.Itoa(to)}
	if at > 0 {
		answer["end"] = strconv.Itoa(at)
	}
	reply(w, answer)
}

func (s *Server) upload(w http.ResponseWriter, r *http.Request) {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		fail(w, http.StatusBadRequest, "M_UNKNOWN", "aborted")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f := File{fmt.Sprintf("mxc://example.org/%d", len(s.files)+1), r.URL.Query().Get("filename"), r.Header.Get("Content-Type"), len(data)}
	s.files = append(s.files, f)
	reply(w, map[string]string{"content_uri": f.URI})
}

func fail(w http.ResponseWriter, status int, code, message string) {
	write(w, status, map[string]string{"errcode": code, "error": message})
}

func reply(w http.ResponseWriter, v any) { write(w, http.StatusOK, v) }

func write(w http.ResponseWriter, status int, v any) {
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
