package dispatch

import (
	"sync"
	"time"

	"github.com/postroom/postroom/post"
)

// health is what a connection's last calls say about it. It lives in memory: the
// pauses that follow from it, and whether they ended with a success, are kept by the
// queue.
type health struct {
	failures    int       // in a row, that are not a post's own fault
	pauses      int       // since the last success
	pausedUntil time.Time // the last of them
	throttles   int       // since the last success
	stopped     bool      // the platform refused the connection itself, and no post went out since
}

// The pauses of a connection that fails grow from first to longest.
const (
	firstPause   = 5 * time.Minute
	longestPause = time.Hour
)

// pause returns until when a connection that fails rests. Failures that become
// known during a pause do not lengthen it.
func (h *health) pause(now time.Time) time.Time {
	if !h.pausedUntil.After(now) {
		h.pausedUntil = now.Add(min(firstPause<<min(h.pauses, 10), longestPause))
		h.pauses++
	}
	return h.pausedUntil
}

// recall takes in that a connection failed and paused, which an earlier process knew:
// a new one would spend a post to find out.
func (h *health) recall() {
	if h.pauses == 0 {
		h.pauses, h.stopped = 1, true
	}
}

type connection struct {
	account post.AccountID
	id      post.ConnectionID
}

type healthBook struct {
	mu sync.Mutex
	of map[connection]*health
}

// with runs fn on the health of a connection.
func (b *healthBook) with(c connection, fn func(*health)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.of == nil {
		b.of = map[connection]*health{}
	}
	h := b.of[c]
	if h == nil {
		h = &health{}
		b.of[c] = h
	}
	fn(h)
}

// setBack takes in that the wall clock was set back, by a negative length: pauses
// last as long as they were to last.
func (b *healthBook) setBack(by time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, h := range b.of {
		h.pausedUntil = h.pausedUntil.Add(by)
	}
}
