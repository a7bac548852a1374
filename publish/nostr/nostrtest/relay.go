// Package nostrtest is a relay of Nostr in memory, for tests: it keeps a ledger of
// the notes it took and can be told how to treat the next. It speaks WebSocket
// over the connections that its Dial makes, so that it fits into a synctest
// bubble. What it takes and says follows NIP-01, and it checks ids and signatures
// by itself.
package nostrtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/coder/websocket"

	"github.com/postroom/postroom/publish/publishtest"
)

// A Relay is the fake. Set its fields before the first call. Its methods may be
// called at any time.
type Relay struct {
	Says   string // instead of taking notes, the word of refusal, like "pow: 28 bits needed"
	Closed string // instead of answering questions
	Down   bool   // takes no connections

	mu     sync.Mutex
	down   bool // until the next call of Next
	faults []publishtest.Fault
	notes  []Note
	wrong  []string
}

// A Note is one of the ledger.
type Note struct {
	ID        string     `json:"id"`
	PubKey    string     `json:"pubkey"`
	CreatedAt int64      `json:"created_at"`
	Kind      int        `json:"kind"`
	Tags      [][]string `json:"tags"`
	Content   string     `json:"content"`
	Sig       string     `json:"sig"`
}

// Ledger returns the notes, oldest first.
func (r *Relay) Ledger() []Note {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.notes)
}

// Texts returns what the notes say.
func (r *Relay) Texts() []string {
	var out []string
	for _, n := range r.Ledger() {
		out = append(out, n.Content)
	}
	return out
}

// Next makes the next notes meet these faults, one each. Unreachable and None hold
// for all of them until the next call.
func (r *Relay) Next(faults ...publishtest.Fault) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = slices.Contains(faults, publishtest.Unreachable)
	r.faults = nil
	if !r.down && !slices.Contains(faults, publishtest.None) {
		r.faults = faults
	}
}

// Violations returns what calls did that NIP-01 does not allow.
func (r *Relay) Violations() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.wrong)
}

// connKey is where a request's context holds the connection it came by.
type connKey struct{}

// Dial connects to the relay, whatever the address.
func (r *Relay) Dial(context.Context, string, string) (net.Conn, error) {
	r.mu.Lock()
	down := r.Down || r.down
	r.mu.Unlock()
	if down {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	client, server := net.Pipe()
	s := http.Server{Handler: r, ConnContext: func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(ctx, connKey{}, c)
	}}
	if err := s.Serve(&single{conn: server}); !errors.Is(err, net.ErrClosed) {
		return nil, err
	}
	return client, nil
}

// single is a listener to which one connection comes.
type single struct{ conn net.Conn }

// Accept returns the connection, once.
func (l *single) Accept() (net.Conn, error) {
	if l.conn == nil {
		return nil, net.ErrClosed
	}
	c := l.conn
	l.conn = nil
	return c, nil
}

// Close does nothing: there is nothing to come.
func (l *single) Close() error { return nil }

// Addr names nothing.
func (l *single) Addr() net.Addr { return &net.TCPAddr{} }

// peek returns the fault that is next. Those of the handshake are met there.
func (r *Relay) peek() publishtest.Fault {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.faults) == 0 {
		return publishtest.None
	}
	return r.faults[0]
}

func (r *Relay) next() publishtest.Fault {
	f := r.peek()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.faults) > 0 {
		r.faults = r.faults[1:]
	}
	return f
}

// ServeHTTP shakes hands, and then answers one message after the other.
func (r *Relay) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if f := r.peek(); f == publishtest.Throttle || f == publishtest.Redirect {
		r.next().Serve(w, req, nil)
		return
	}
	conn, err := websocket.Accept(w, req, nil)
	if err != nil {
		r.violated("handshake: %v", err)
		return
	}
	defer conn.CloseNow() // the other side has heard all there is
	v := visit{relay: r, conn: conn, raw: req.Context().Value(connKey{}).(net.Conn)}
	for {
		_, data, err := conn.Read(context.Background())
		if err != nil {
			return
		}
		if !v.answer(data) {
			return
		}
	}
}

func (r *Relay) violated(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wrong = append(r.wrong, fmt.Sprintf(format, args...))
}

// A visit is one connection.
type visit struct {
	relay *Relay
	conn  *websocket.Conn
	raw   net.Conn // below conn
}

func (v *visit) say(parts ...any) {
	data, err := json.Marshal(parts)
	if err != nil {
		panic(err) // of strings and notes
	}
	v.send(data)
}

func (v *visit) send(data []byte) {
	if v.conn.Write(context.Background(), websocket.MessageText, data) != nil {
		return // the caller has hung up, which is its affair
	}
}

// answer answers one message, and reports whether there is more to say.
func (v *visit) answer(data []byte) (more bool) {
	var parts []json.RawMessage
	var word string
	if json.Unmarshal(data, &parts) != nil || len(parts) < 2 || json.Unmarshal(parts[0], &word) != nil {
		v.relay.violated("message %s", data)
		v.say("NOTICE", "invalid: not a message")
		return true
	}
	switch word {
	case "EVENT":
		var n Note
		if json.Unmarshal(parts[1], &n) != nil {
			v.relay.violated("event %s", parts[1])
			v.say("NOTICE", "invalid: not an event")
			return true
		}
		return v.event(n, parts[1])
	case "REQ":
		v.find(parts[1:])
	default:
		v.relay.violated("word %s", word)
	}
	return true
}

// event treats a note as the next fault says.
func (v *visit) event(n Note, raw []byte) (more bool) {
	refuse := func(why string) bool {
		v.say("OK", n.ID, false, why)
		return true
	}
	f := v.relay.next()
	switch f {
	case publishtest.Refuse:
		return refuse("invalid: the text is not welcome here")
	case publishtest.Auth:
		return refuse("auth-required: we only take notes of those we know")
	case publishtest.Broken:
		return refuse("error: could not connect to the database")
	case publishtest.Unheard:
		return false
	}
	if v.relay.Says != "" {
		v.say("AUTH", "a challenge")
		v.say("OK", "another note", true, "")
		return refuse(v.relay.Says)
	}
	repeat, why := v.relay.take(n)
	if why != "" {
		v.relay.violated("event %s: %s", raw, why)
		return refuse("invalid: " + why)
	}
	if repeat {
		v.say("OK", n.ID, true, "duplicate: already have this event")
		return true
	}
	return v.spoil(n, f)
}

// spoil answers a note that was taken.
func (v *visit) spoil(n Note, f publishtest.Fault) (more bool) {
	switch f {
	case publishtest.BrokenLate:
		v.say("OK", n.ID, false, "error: kept, but not told")
	case publishtest.Lost:
		return false
	case publishtest.Slow:
		timer := time.NewTimer(publishtest.SlowFor)
		defer timer.Stop()
		select {
		case <-timer.C:
			v.say("OK", n.ID, true, "")
		case <-v.conn.CloseRead(context.Background()).Done():
		}
		return false
	case publishtest.Huge:
		v.say("OK", n.ID, true, strings.Repeat("x", 2<<20))
	case publishtest.Half:
		// A whole head of a frame of 100 bytes, and the first of them.
		if _, err := v.raw.Write(append([]byte{0x81, 100}, `["OK","`...)); err != nil {
			v.relay.violated("hung up in the middle: %v", err)
		}
		return false
	case publishtest.Junk:
		v.send([]byte(`["OK",17,"`))
	default:
		v.say("NOTICE", "to be read by nobody")
		v.say("OK", n.ID, true, "")
	}
	return true
}

// take keeps a note, once. It says why not where it cannot.
func (r *Relay) take(n Note) (repeat bool, why string) {
	if n.Kind != 1 || n.Tags == nil {
		return false, "not a short text note"
	}
	id, err := n.hash()
	if err != nil || hex.EncodeToString(id) != n.ID {
		return false, "the id is not the hash of the event"
	}
	pub, err := hex.DecodeString(n.PubKey)
	if err != nil {
		return false, "pubkey"
	}
	key, err := schnorr.ParsePubKey(pub)
	if err != nil {
		return false, "pubkey"
	}
	signature, err := hex.DecodeString(n.Sig)
	if err != nil {
		return false, "sig"
	}
	sig, err := schnorr.ParseSignature(signature)
	if err != nil || !sig.Verify(id, key) {
		return false, "the signature is wrong"
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if slices.ContainsFunc(r.notes, func(o Note) bool { return o.ID == n.ID }) {
		return true, ""
	}
	r.notes = append(r.notes, n)
	return false, ""
}

// hash is the id of n as encoding/json comes to it.
func (n *Note) hash() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode([]any{0, n.PubKey, n.CreatedAt, n.Kind, n.Tags, n.Content}); err != nil {
		return nil, err
	}
	plain := strings.NewReplacer(`\u2028`, "\u2028", `\u2029`, "\u2029", `\\`, `\\`).Replace(strings.TrimSuffix(b.String(), "\n"))
	sum := sha256.Sum256([]byte(plain))
	return sum[:], nil
}

// find answers a question for notes by their ids.
func (v *visit) find(parts []json.RawMessage) {
	var name string
	if json.Unmarshal(parts[0], &name) != nil || name == "" || len(parts) < 2 {
		v.relay.violated("REQ %s", parts)
		return
	}
	if v.relay.Closed != "" {
		v.say("CLOSED", name, v.relay.Closed)
		return
	}
	var filter struct {
		IDs []string `json:"ids"`
	}
	if json.Unmarshal(parts[1], &filter) != nil {
		v.relay.violated("filter %s", parts[1])
		return
	}
	for _, n := range v.relay.Ledger() {
		if slices.Contains(filter.IDs, n.ID) {
			v.say("EVENT", name, n)
		}
	}
	v.say("EOSE", name)
}
