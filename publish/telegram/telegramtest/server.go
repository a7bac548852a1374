// Package telegramtest is a Bot API server in memory with one channel, for tests:
// it keeps a ledger of what it was made to publish and can be told how to treat
// the next calls. It is an http.Handler. What it accepts and answers follows Bot
// API 10.1, as far as a post goes; like the real one it knows no repeats.
package telegramtest

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
	"unicode/utf16"

	"github.com/postroom/postroom/publish/publishtest"
)

// Chat is the channel.
const Chat = "@acme_news"

// ChatID is its number.
const ChatID = -1001234567890

// A Server is the fake. Set its fields before the first call. Its methods may be
// called at any time.
type Server struct {
	publishtest.Queue // of faults, for the calls that publish

	Token   string // of the bot
	Moved   string // the chat that has become Chat; none when ""
	NoPost  bool   // the bot may not post
	NoNames bool   // the channel is private

	mu      sync.Mutex
	entries []Entry
	lastID  int
	wrong   []string
}

// An Entry is one message of the ledger.
type Entry struct {
	ID       int
	Method   string
	Text     string // or caption
	Entities []Entity
	ReplyTo  int
	Files    []File
	Fields   map[string]string
}

// File is one upload.
type File struct {
	Name, Type string
	Size       int
}

// Entity is a stretch of a text, in UTF-16 code units.
type Entity struct {
	Type   string `json:"type"`
	Offset int    `json:"offset"`
	Length int    `json:"length"`
	URL    string `json:"url"`
}

// Ledger returns the messages, oldest first; an album is one.
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

// Violations returns what calls did that the API does not allow.
func (s *Server) Violations() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.wrong)
}

// ServeHTTP answers one call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	method, ok := strings.CutPrefix(r.URL.Path, "/bot"+s.Token+"/")
	if !ok || r.Method != http.MethodPost {
		fail(w, http.StatusUnauthorized, "Unauthorized", nil)
		return
	}
	switch method {
	case "getMe":
		reply(w, map[string]any{"id": 1, "is_bot": true, "username": "acme_bot"})
	case "getChat":
		chat := s.chat()
		chat["title"] = "Acme"
		reply(w, chat)
	case "getChatMember":
		reply(w, map[string]any{"status": "administrator", "can_post_messages": !s.NoPost})
	case "sendMessage", "sendPhoto", "sendVideo", "sendAnimation", "sendMediaGroup":
		s.Queue.Serve(w, r, func(w http.ResponseWriter, r *http.Request) { s.send(w, r, method) })
	default:
		fail(w, http.StatusNotFound, "Not Found", nil)
	}
}

func (s *Server) chat() map[string]any {
	chat := map[string]any{"id": int64(ChatID), "type": "channel"}
	if !s.NoNames {
		chat["username"] = strings.TrimPrefix(Chat, "@")
	}
	return chat
}

// read returns the fields of a call, those that are not text as JSON, and its
// files.
func read(r *http.Request) (fields map[string]string, files map[string]File, err error) {
	fields, files = map[string]string{}, map[string]File{}
	if r.Header.Get("Content-Type") == "application/json" {
		var in map[string]json.RawMessage
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			return nil, nil, err
		}
		for name, raw := range in {
			var text string
			if json.Unmarshal(raw, &text) != nil {
				text = string(raw)
			}
			fields[name] = text
		}
		return fields, files, nil
	}
	form, err := r.MultipartReader()
	if err != nil {
		return nil, nil, err
	}
	for {
		part, err := form.NextPart()
		if err == io.EOF {
			return fields, files, nil
		}
		if err != nil {
			return nil, nil, err
		}
		data, err := io.ReadAll(part)
		if err != nil {
			return nil, nil, err
		}
		if part.FileName() != "" {
			files[part.FormName()] = File{part.FileName(), part.Header.Get("Content-Type"), len(data)}
		} else {
			fields[part.FormName()] = string(data)
		}
	}
}

func (s *Server) send(w http.ResponseWriter, r *http.Request, method string) {
	fields, files, err := read(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	refuse := func(why string) {
		s.wrong = append(s.wrong, method+": "+why)
		fail(w, http.StatusBadRequest, "Bad Request: "+why, nil)
	}
	if err != nil {
		refuse(err.Error())
		return
	}
	switch chat := fields["chat_id"]; {
	case s.Moved != "" && chat == s.Moved:
		fail(w, http.StatusBadRequest, "Bad Request: group chat was upgraded to a supergroup chat", map[string]any{"migrate_to_chat_id": int64(ChatID)})
		return
	case chat != Chat && chat != strconv.Itoa(ChatID):
		fail(w, http.StatusBadRequest, "Bad Request: chat not found", nil)
		return
	case s.NoPost:
		fail(w, http.StatusBadRequest, "Bad Request: not enough rights to post in the chat", nil)
		return
	}
	e := Entry{Method: method, Fields: fields}
	text, entities, most := "caption", "caption_entities", 1024
	if method == "sendMessage" {
		text, entities, most = "text", "entities", 4096
	}
	if method == "sendMediaGroup" {
		var album []struct {
			Type     string   `json:"type"`
			Media    string   `json:"media"`
			Caption  string   `json:"caption"`
			Entities []Entity `json:"caption_entities"`
		}
		if err := json.Unmarshal([]byte(fields["media"]), &album); err != nil || len(album) < 2 || len(album) > 10 {
			refuse("media must be a list of 2 to 10")
			return
		}
		e.Text, e.Entities = album[0].Caption, album[0].Entities
		for _, item := range album {
			f, ok := files[strings.TrimPrefix(item.Media, "attach://")]
			if !ok {
				refuse("wrong file identifier")
				return
			}
			e.Files = append(e.Files, f)
		}
	} else {
		e.Text = fields[text]
		if raw := fields[entities]; raw != "" && json.Unmarshal([]byte(raw), &e.Entities) != nil {
			refuse("can't parse entities")
			return
		}
		if method != "sendMessage" {
			f, ok := files[strings.ToLower(strings.TrimPrefix(method, "send"))]
			if !ok {
				refuse("there is no file in the request")
				return
			}
			e.Files = []File{f}
		}
	}
	length := len(utf16.Encode([]rune(e.Text)))
	if length > most {
		refuse("message is too long")
		return
	}
	if method == "sendMessage" && e.Text == "" {
		refuse("message text is empty")
		return
	}
	for _, x := range e.Entities {
		// The real one trims or drops such entities.
		if x.Offset < 0 || x.Length < 1 || x.Offset+x.Length > length {
			refuse(fmt.Sprintf("entity %+v of %d", x, length))
			return
		}
	}
	if raw := fields["reply_parameters"]; raw != "" {
		var to struct {
			ID int `json:"message_id"`
		}
		if json.Unmarshal([]byte(raw), &to) != nil || to.ID == 0 || to.ID > s.lastID {
			refuse("message to be replied not found")
			return
		}
		e.ReplyTo = to.ID
	}
	s.lastID++
	e.ID = s.lastID
	s.lastID += max(0, len(e.Files)-1)
	s.entries = append(s.entries, e)
	one := func(id int) map[string]any {
		return map[string]any{"message_id": id, "date": time.Now().Unix(), "chat": s.chat()}
	}
	if method != "sendMediaGroup" {
		reply(w, one(e.ID))
		return
	}
	var all []any
	for i := range e.Files {
		all = append(all, one(e.ID+i))
	}
	reply(w, all)
}

func reply(w http.ResponseWriter, result any) {
	write(w, http.StatusOK, map[string]any{"ok": true, "result": result})
}

func fail(w http.ResponseWriter, status int, description string, parameters map[string]any) {
	v := map[string]any{"ok": false, "error_code": status, "description": description}
	if parameters != nil {
		v["parameters"] = parameters
	}
	write(w, status, v)
}

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
