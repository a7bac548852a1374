package dispatch

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postroom/postroom/post"
)

// A Dispatcher sends what is due. Several may share one queue, in one process or
// in many: leases keep them apart.
type Dispatcher struct {
	cfg    Config
	queue  Queue
	pubs   func(post.AccountID, post.ConnectionID) (Publisher, error)
	health healthBook
	busy   sync.Mutex // held by Run and Tick

	lastTick atomic.Pointer[time.Time]
}

// New makes a Dispatcher. pubs is asked before every call, so that a new config
// holds at once; its error says why a connection cannot send now, without
// secrets, and makes its posts wait.
func New(q Queue, pubs func(post.AccountID, post.ConnectionID) (Publisher, error), c Config) *Dispatcher {
	return &Dispatcher{cfg: c.withDefaults(), queue: q, pubs: pubs}
}

// Summary counts what a Tick did.
type Summary struct {
	Published int
	Failed    int
	Unknown   int
	Throttled int
	Retried   int
	Held      int // found too late
	InDoubt   int // left to be looked up by a later tick
	Took      time.Duration
}

func (s *Summary) count(o Outcome) {
	switch o {
	case Published:
		s.Published++
	case Failed:
		s.Failed++
	case Unknown:
		s.Unknown++
	case Throttled:
		s.Throttled++
	case Retried:
		s.Retried++
	}
}

var errBusy = errors.New("dispatch: at work already")

// Run ticks at once and then at every minute of the wall clock, and looks again
// whenever something falls due in between, until ctx ends. Then nothing more is
// begun; calls in flight have StopGrace to end, their outcomes are recorded, the
// leases are given back, and Run returns nil. It returns an error when the queue
// breaks. Nothing it started outlives it.
func (d *Dispatcher) Run(ctx context.Context) error {
	_, err := d.work(ctx, false)
	return err
}

// Tick sends everything that is due now and returns when that is done. It waits
// out the pace of a connection, but no pause, no later attempt and no look-up
// that has to wait: those are for the next Tick. When ctx ends it stops as Run
// does.
func (d *Dispatcher) Tick(ctx context.Context) (Summary, error) { return d.work(ctx, true) }

func (d *Dispatcher) work(ctx context.Context, once bool) (Summary, error) {
	if !d.busy.TryLock() {
		return Summary{}, errBusy
	}
	defer d.busy.Unlock()
	start := time.Now()
	sum, err := newCrew(ctx, d, once).run()
	sum.Took = time.Since(start)
	return sum, err
}

// LastTick returns when the last tick began; zero before the first.
func (d *Dispatcher) LastTick() time.Time {
	if t := d.lastTick.Load(); t != nil {
		return *t
	}
	return time.Time{}
}
