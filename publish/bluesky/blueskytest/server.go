// Package blueskytest is a personal data server (PDS) in memory, for tests: it
// keeps a ledger of what it was made to publish and can be told how to treat the
// next calls. It is an http.Handler. What it accepts and answers follows a PDS
// 0.4.217, as far as a post goes (PLATFORMS §1.2, §2.9).
package blueskytest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/graphemes"

	"github.com/postroom/postroom/publish/publishtest"
)

// Who the account is.
const (
	Handle = "acme.bsky.example"
	DID    = "did:plc:acme"
)

// maxBlob is the most bytes of one picture.
const maxBlob = 1_000_000

// A Server is the fake. Set its fields before the first call. Its methods may be
// called at any time.
type Server struct {
	Password string // that a log-in must carry; any when ""
	Home     string // the server that the DID document names; none when ""

	mu       sync.Mutex
	faults   []publishtest.Fault
	records  map[string]Entry // by record key
	order    []string
	blobs    map[string][]byte // by cid
	tokens   map[string]bool   // access and refresh tokens that are good
	logins   int
	renewals int
	calls    int
	violated []string
}

// An Entry is one post of the ledger.
type Entry struct {
	Key    string
	CID    string
	Text   string
	Record json.RawMessage
	Writes int // how often it was written, with no effect but the first time
}

// Ledger returns the posts, oldest first.
func (s *Server) Ledger() []Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Entry
	for _, key := range s.order {
		all = append(all, s.records[key])
	}
	return all
}

// Texts returns the texts of the ledger.
func (s *Server) Texts() []string {
	var out []string
	for _, e := range s.Ledger() {
		out = append(out, e.Text)
	}
	return out
}

// Next makes the next calls that write a record meet these faults, one each.
func (s *Server) Next(faults ...publishtest.Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, faults...)
}

// Logins returns how often somebody logged in, and renewed a session.
func (s *Server) Logins() (logins, renewals int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.logins, s.renewals
}

// Forget ends all sessions; with refresh, also those that could be renewed.
func (s *Server) Forget(refresh bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for t := range s.tokens {
		if refresh || strings.HasPrefix(t, "access-") {
			delete(s.tokens, t)
		}
	}
}

// DropBlobs makes the server forget what was uploaded.
func (s *Server) DropBlobs() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blobs = nil
}

// Blob returns an upload by its cid.
func (s *Server) Blob(cid string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.blobs[cid]
}

// Write puts a record where another program might have.
func (s *Server) Write(key, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	record, err := json.Marshal(map[string]string{"$type": "app.bsky.feed.post", "text": text, "createdAt": "2026-01-01T00:00:00.000Z"})
	if err != nil {
		panic(err) // of a map of strings
	}
	s.add(Entry{Key: key, CID: cidOf(record), Text: text, Record: record})
}

// Violations returns what calls did that the lexicon does not allow.
func (s *Server) Violations() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.violated)
}

// ServeHTTP answers one call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	method := r.Method + " " + strings.TrimPrefix(r.URL.Path, "/xrpc/")
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	kind := "access-"
	switch method {
	case "POST com.atproto.server.createSession":
		s.createSession(w, r)
		return
	case "POST com.atproto.server.refreshSession":
		kind = "refresh-"
	}
	s.mu.Lock()
	good := s.tokens[token] && strings.HasPrefix(token, kind)
	s.mu.Unlock()
	if !good {
		fail(w, http.StatusBadRequest, "ExpiredToken", "Token has expired")
		return
	}
	switch method {
	case "POST com.atproto.server.refreshSession":
		s.mu.Lock()
		s.renewals++
		delete(s.tokens, token)
		s.mu.Unlock()
		s.open(w)
	case "GET com.atproto.server.getSession":
		reply(w, http.StatusOK, map[string]any{"handle": Handle, "did": DID, "active": true})
	case "POST com.atproto.repo.putRecord":
		s.next().Serve(w, r, s.put)
	case "GET com.atproto.repo.getRecord":
		s.get(w, r)
	case "POST com.atproto.repo.uploadBlob":
		s.upload(w, r)
	case "GET com.atproto.identity.resolveHandle":
		if h := r.URL.Query().Get("handle"); strings.HasSuffix(h, ".bsky.example") {
			reply(w, http.StatusOK, map[string]string{"did": "did:plc:" + strings.TrimSuffix(h, ".bsky.example")})
			return
		}
		fail(w, http.StatusBadRequest, "InvalidRequest", "Unable to resolve handle")
	default:
		fail(w, http.StatusNotImplemented, "MethodNotImplemented", "Method Not Implemented")
	}
}

func (s *Server) createSession(w http.ResponseWriter, r *http.Request) {
	var in struct{ Identifier, Password string }
	if json.NewDecoder(r.Body).Decode(&in) != nil || in.Identifier == "" || s.Password != "" && in.Password != s.Password {
		fail(w, http.StatusUnauthorized, "AuthenticationRequired", "Invalid identifier or password")
		return
	}
	s.mu.Lock()
	s.logins++
	s.mu.Unlock()
	s.open(w)
}

func (s *Server) open(w http.ResponseWriter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tokens == nil {
		s.tokens = map[string]bool{}
	}
	n := s.logins + s.renewals
	access, refresh := fmt.Sprintf("access-%d-%s", n, publishtest.Canary), fmt.Sprintf("refresh-%d-%s", n, publishtest.Canary)
	s.tokens[access], s.tokens[refresh] = true, true
	answer := map[string]any{"accessJwt": access, "refreshJwt": refresh, "did": DID, "handle": Handle, "active": true}
	if s.Home != "" {
		answer["didDoc"] = map[string]any{"id": DID, "service": []any{
			map[string]any{"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": s.Home},
		}}
	}
	reply(w, http.StatusOK, answer)
}

func (s *Server) next() publishtest.Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if len(s.faults) == 0 {
		return publishtest.None
	}
	f := s.faults[0]
	s.faults = s.faults[1:]
	return f
}

var tid = regexp.MustCompile(`^[234567abcdefghij][234567abcdefghijklmnopqrstuvwxyz]{12}$`)

// post is what the lexicon knows of a record.
type post struct {
	Type      string    `json:"$type"`
	Text      string    `json:"text"`
	CreatedAt time.Time `json:"createdAt"`
	Langs     []string  `json:"langs"`
	Facets    []struct {
		Index    struct{ ByteStart, ByteEnd int } `json:"index"`
		Features []map[string]string              `json:"features"`
	} `json:"facets"`
	Embed *struct {
		Type   string `json:"$type"`
		Images []struct {
			Image       *blob   `json:"image"`
			Alt         *string `json:"alt"`
			AspectRatio *ratio  `json:"aspectRatio"`
		} `json:"images"`
		Video       *blob  `json:"video"`
		Alt         string `json:"alt"`
		AspectRatio *ratio `json:"aspectRatio"`
	} `json:"embed"`
}

type blob struct {
	Type string `json:"$type"`
	Ref  struct {
		Link string `json:"$link"`
	} `json:"ref"`
	MimeType string `json:"mimeType"`
	Size     int    `json:"size"`
}

type ratio struct{ Width, Height int }

func (s *Server) put(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Repo       string          `json:"repo"`
		Collection string          `json:"collection"`
		RecordKey  string          `json:"rkey"`
		Validate   bool            `json:"validate"`
		Record     json.RawMessage `json:"record"`
		SwapRecord json.RawMessage `json:"swapRecord"`
	}
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	err := dec.Decode(&in)
	s.mu.Lock()
	defer s.mu.Unlock()
	refuse := func(code, message string) {
		s.violated = append(s.violated, code+": "+message)
		fail(w, http.StatusBadRequest, code, message)
	}
	switch {
	case err != nil:
		refuse("InvalidRequest", err.Error())
		return
	case in.Repo != DID || in.Collection != "app.bsky.feed.post":
		refuse("InvalidRequest", "another repository")
		return
	case !tid.MatchString(in.RecordKey):
		refuse("InvalidRequest", "Invalid TID string")
		return
	case string(in.SwapRecord) != "null":
		refuse("InvalidRequest", "this would overwrite what is there")
		return
	}
	p, code, why := s.check(in.Record)
	if code == "BlobNotFound" {
		fail(w, http.StatusBadRequest, code, why)
		return
	}
	if why != "" {
		refuse(code, why)
		return
	}
	cid := cidOf(in.Record)
	if old, ok := s.records[in.RecordKey]; ok && old.CID != cid {
		fail(w, http.StatusBadRequest, "InvalidSwap", "Record was at "+old.CID)
		return
	} else if ok {
		old.Writes++
		s.records[in.RecordKey] = old
	} else {
		s.add(Entry{Key: in.RecordKey, CID: cid, Text: p.Text, Record: in.Record, Writes: 1})
	}
	w.Header().Set("RateLimit-Limit", "5000")
	w.Header().Set("RateLimit-Remaining", fmt.Sprint(5000-3*len(s.order)))
	w.Header().Set("RateLimit-Reset", fmt.Sprint(time.Now().Add(time.Hour).Unix()))
	reply(w, http.StatusOK, map[string]string{"uri": uri(in.RecordKey), "cid": cid, "validationStatus": "valid"})
}

// check returns why a record is none. The caller holds the lock.
func (s *Server) check(raw json.RawMessage) (p post, code, why string) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&p); err != nil {
		return p, "InvalidRequest", err.Error()
	}
	n := 0
	for g := graphemes.FromString(p.Text); g.Next(); {
		n++
	}
	switch {
	case p.Type != "app.bsky.feed.post" || p.CreatedAt.IsZero():
		return p, "InvalidRequest", "Record/$type or createdAt"
	case n > 300 || len(p.Text) > 3000:
		return p, "InvalidRequest", "Record/text must not be longer than 300 graphemes"
	case len(p.Langs) > 3:
		return p, "InvalidRequest", "Record/langs must not have more than 3 elements"
	}
	last := 0
	for _, f := range p.Facets {
		// A PDS takes ends beyond the text, and overlaps; no reader shows them.
		from, to := f.Index.ByteStart, f.Index.ByteEnd
		if from < last || to <= from || to > len(p.Text) || !utf8.ValidString(p.Text[from:to]) || len(f.Features) == 0 {
			return p, "InvalidRequest", fmt.Sprintf("facet %d-%d of %d bytes", from, to, len(p.Text))
		}
		last = to
	}
	if p.Embed == nil {
		return p, "", ""
	}
	blobs := []*blob{p.Embed.Video}
	if p.Embed.Type == "app.bsky.embed.images" {
		blobs = nil
		for _, i := range p.Embed.Images {
			if i.Alt == nil {
				return p, "InvalidRequest", "Record/embed/images/alt is missing"
			}
			blobs = append(blobs, i.Image)
		}
	}
	if len(blobs) == 0 || len(blobs) > 4 {
		return p, "InvalidRequest", "Record/embed/images must have 1 to 4 elements"
	}
	for _, b := range blobs {
		if b == nil || b.Type != "blob" || s.blobs[b.Ref.Link] == nil {
			return p, "BlobNotFound", "Could not find blob"
		}
		if p.Embed.Type == "app.bsky.embed.images" && b.Size > maxBlob {
			return p, "InvalidRequest", "blob too big (maximum 1000000)"
		}
	}
	return p, "", ""
}

// add puts a record into the ledger. The caller holds the lock.
func (s *Server) add(e Entry) {
	if s.records == nil {
		s.records = map[string]Entry{}
	}
	s.records[e.Key] = e
	s.order = append(s.order, e.Key)
}

func (s *Server) get(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.records[q.Get("rkey")]
	if !ok || q.Get("repo") != DID || q.Get("collection") != "app.bsky.feed.post" {
		fail(w, http.StatusBadRequest, "RecordNotFound", "Could not locate record")
		return
	}
	reply(w, http.StatusOK, map[string]any{"uri": uri(e.Key), "cid": e.CID, "value": e.Record})
}

func (s *Server) upload(w http.ResponseWriter, r *http.Request) {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		fail(w, http.StatusBadRequest, "InvalidRequest", "Request aborted")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.blobs == nil {
		s.blobs = map[string][]byte{}
	}
	cid := cidOf(data)
	s.blobs[cid] = data
	reply(w, http.StatusOK, map[string]any{"blob": map[string]any{
		"$type": "blob", "ref": map[string]string{"$link": cid}, "mimeType": http.DetectContentType(data), "size": len(data),
	}})
}

func cidOf(data []byte) string {
	sum := sha256.Sum256(data)
	return "bafk" + hex.EncodeToString(sum[:])
}

func uri(key string) string { return "at://" + DID + "/app.bsky.feed.post/" + key }

func fail(w http.ResponseWriter, status int, code, message string) {
	reply(w, status, map[string]string{"error": code, "message": message})
}

func reply(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // of maps of strings and numbers
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	if _, err := w.Write(body); err != nil {
		return // the caller has hung up, which is its affair
	}
}
