package dispatch

import (
	"sync"
	"time"
)

// A clock watches the wall clock against the monotonic one. When they part by
// more than jumpTolerance between two ticks, the wall clock was set or the
// machine slept: nothing is published for two ticks, so that a clock that is put
// right again soon has sent nothing early (RELIABILITY §2.5).
type clock struct {
	now func() time.Time

	mu   sync.Mutex
	wall time.Time // at the last tick, without its monotonic reading
	mono time.Time // at the same instant
	hold int       // ticks to come that publish nothing
	held bool      // until the next tick
}

func newClock(now func() time.Time) *clock {
	c := &clock{now: now}
	c.mark()
	return c
}

// mark makes this instant the one that the next jump is measured from.
func (c *clock) mark() { c.wall, c.mono = c.now().Round(0), time.Now() }

// jumped reports by how much the wall clock has jumped since the last tick; 0
// when it has not. It tells of each jump once, and holds publishing.
func (c *clock) jumped() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	by := c.now().Round(0).Sub(c.wall) - time.Since(c.mono)
	if by.Abs() <= jumpTolerance {
		return 0
	}
	c.mark()
	c.hold, c.held = jumpPausedTicks, true
	return by
}

// tick begins a tick.
func (c *clock) tick() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mark()
	c.held = c.hold > 0
	if c.held {
		c.hold--
	}
}

// isHeld reports whether nothing may be published now.
func (c *clock) isHeld() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.held
}
