package dispatch

import (
	"context"
	"log/slog"
	"time"

	"github.com/postroom/postroom/post"
)

// Config says how a Dispatcher works. A zero field takes its default.
type Config struct {
	Workers     int           // connections that send at the same time; 32
	LeaseTTL    time.Duration // 30 s, and at least CallTimeout and some seconds
	CallTimeout time.Duration // of a send, from its start, or its last checkpoint or sign of life; 20 s
	LookupGrace time.Duration // after which a platform's "not here" is believed; 60 s
	StopGrace   time.Duration // that calls in flight have to end in when stopping; 30 s
	MaxAttempts int           // calls for one post, throttled ones not counted; 4
	ErrorBudget int           // failures in a row that pause a connection; 5

	// Late returns how long after its time a post of the account may still go
	// out; 0 for ever. nil means 2 h for all.
	Late func(post.AccountID) time.Duration

	// Pace returns the least time between two calls on the connection; 0 for
	// none. nil means none for all.
	Pace func(post.ConnectionID) time.Duration

	// Spent returns when the platform takes calls of the connection again, as far as
	// its last answer said that an allowance is used up; zero when none is. nil means
	// none for all.
	Spent func(post.AccountID, post.ConnectionID) time.Time

	Now     func() time.Time // the wall clock; time.Now
	Log     *slog.Logger     // nothing is logged without it
	Observe Observer
}

// An Observer is told what happens, for metrics; nil functions are not called.
// They are called from several goroutines and must return soon, but for Beat.
type Observer struct {
	Attempt  func(Attempt)          // the outcome of a call to a platform is recorded
	Tick     func(time.Duration)    // a tick has ended: all that it found due is done, or the next one begins
	HeldLate func(n int)            // posts were held because they were found too late
	Jump     func(by time.Duration) // the wall clock moved by so much against the monotonic one

	// Beat is called after each tick that could look at the queue, not before
	// the last call has returned. Its context ends with Run.
	Beat func(context.Context)
}

// An Attempt is one call to a platform, when its outcome is known.
type Attempt struct {
	Account    post.AccountID
	Connection post.ConnectionID
	Outcome    Outcome
	Late       time.Duration // from when it was due to the start of the call
	Took       time.Duration // of the call; 0 when an earlier process made it
}

// Outcome is what an attempt came to, as metrics call it.
type Outcome string

// The outcomes of an attempt.
const (
	Published Outcome = "published" // it is live
	Failed    Outcome = "failed"    // for good
	Unknown   Outcome = "unknown"   // a person decides
	Throttled Outcome = "throttled" // waits; the attempt does not count
	Retried   Outcome = "retried"   // waits for another attempt
)

const (
	leaseMargin     = 2 * time.Second // between the end of a call and that of its lease
	leaseSlack      = 3 * time.Second // that a fresh lease has beyond one call
	defaultLate     = 2 * time.Hour
	idlePause       = time.Second      // between looks at a queue that says due but gives nothing
	jumpTolerance   = 30 * time.Second // of the wall clock between two ticks
	jumpPausedTicks = 2
)

func (c Config) withDefaults() Config {
	def(&c.Workers, 32)
	def(&c.CallTimeout, 20*time.Second)
	def(&c.LeaseTTL, 30*time.Second)
	c.LeaseTTL = max(c.LeaseTTL, c.CallTimeout+leaseMargin+leaseSlack)
	def(&c.LookupGrace, time.Minute)
	def(&c.StopGrace, 30*time.Second)
	def(&c.MaxAttempts, 4)
	def(&c.ErrorBudget, 5)
	if c.Late == nil {
		c.Late = func(post.AccountID) time.Duration { return defaultLate }
	}
	if c.Pace == nil {
		c.Pace = func(post.ConnectionID) time.Duration { return 0 }
	}
	if c.Spent == nil {
		c.Spent = func(post.AccountID, post.ConnectionID) time.Time { return time.Time{} }
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	o := &c.Observe
	if o.Attempt == nil {
		o.Attempt = func(Attempt) {}
	}
	if o.Tick == nil {
		o.Tick = func(time.Duration) {}
	}
	if o.HeldLate == nil {
		o.HeldLate = func(int) {}
	}
	if o.Jump == nil {
		o.Jump = func(time.Duration) {}
	}
	return c
}

func def[T int | time.Duration](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}
