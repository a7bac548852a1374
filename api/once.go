package api

import (
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/postroom/postroom/post"
)

// headerOnce names a request that may come several times and is to take effect
// one time (RELIABILITY §1.1): the same body again gets the first answer, another
// body 422, and while the first is under way 409. Only what succeeded is kept.
const (
	headerOnce     = "Idempotency-Key"
	headerReplayed = "Idempotent-Replayed"

	onceKept   = 7 * 24 * time.Hour
	mostOnceID = 255
)

// A flight knows which named requests are under way. They are named by the
// account too.
type flight struct {
	mu  sync.Mutex
	now map[flightKey]bool
}

type flightKey struct {
	account post.AccountID
	key     [32]byte
}

// begin reports whether no other request of that name is under way, and marks
// this one.
func (f *flight) begin(k flightKey) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.now[k] {
		return false
	}
	if f.now == nil {
		f.now = map[flightKey]bool{}
	}
	f.now[k] = true
	return true
}

func (f *flight) end(k flightKey) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.now, k)
}

// once runs do at most one time for a request that has a name. do is given what
// to store with its change, nil for a request without a name. What it answers has
// the status success.
func (c *call) once(body []byte, success int, do func(*post.Once) (any, error)) (any, error) {
	name := strings.TrimSpace(c.Header.Get(headerOnce))
	if name == "" {
		return do(nil)
	}
	if len(name) > mostOnceID {
		return nil, &Error{Status: http.StatusBadRequest, Text: "Idempotency-Key is longer than 255 characters", Code: "INVALID_IDEMPOTENCY_KEY"}
	}
	k := flightKey{c.account.ID, sha256.Sum256([]byte(c.Pattern + "\n" + name))}
	if !c.api.flight.begin(k) {
		return nil, &Error{Status: http.StatusConflict, Text: "A request with this Idempotency-Key is still in progress", Code: "IDEMPOTENCY_IN_PROGRESS"}
	}
	defer c.api.flight.end(k)
	asked := sha256.Sum256([]byte(c.URL.RawQuery + "\n" + string(body)))
	before, ok, err := c.api.Store.Answered(c.Context(), c.account.ID, k.key)
	switch {
	case err != nil:
		return nil, err
	case ok && before.Request != asked:
		return nil, &Error{Status: http.StatusUnprocessableEntity, Text: "This Idempotency-Key was used with another request body", Code: "IDEMPOTENCY_KEY_REUSED"}
	case ok:
		c.w.Header().Set(headerReplayed, "true")
		return answered{success, json.RawMessage(before.Answer)}, nil
	}
	return do(&post.Once{Key: k.key, Request: asked, KeptFor: onceKept})
}
