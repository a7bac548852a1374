package dispatch

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postroom/postroom/post"
)

var errDead = errors.New("the process is dead")

// A mortal is one process between a queue and a platform. It dies at its n-th
// step: at a step before a verb the verb does nothing, after it only its answer
// is lost. From then on nothing of it reaches the queue or the platform.
type mortal struct {
	Queue
	w *world

	mu   sync.Mutex
	left int // steps
}

// step reports whether the process lives on.
func (m *mortal) step() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.left--
	return m.left > 0
}

func (m *mortal) dead() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.left <= 0
}

// mortally runs a verb as two steps.
func mortally[T any](m *mortal, verb func() (T, error)) (T, error) {
	var none T
	if !m.step() {
		return none, errDead
	}
	v, err := verb()
	if !m.step() {
		return none, errDead
	}
	return v, err
}

func (m *mortal) void(verb func() error) error {
	_, err := mortally(m, func() (struct{}, error) { return struct{}{}, verb() })
	return err
}

func (m *mortal) Acquire(ctx context.Context, ttl time.Duration, most int) ([]post.Lease, error) {
	return mortally(m, func() ([]post.Lease, error) { return m.Queue.Acquire(ctx, ttl, most) })
}

func (m *mortal) Next(ctx context.Context, l post.Lease, d *post.Done, late time.Duration) (post.Next, error) {
	return mortally(m, func() (post.Next, error) { return m.Queue.Next(ctx, l, d, late) })
}

func (m *mortal) Finish(ctx context.Context, l post.Lease, d post.Done) error {
	return m.void(func() error { return m.Queue.Finish(ctx, l, d) })
}

func (m *mortal) Adopt(ctx context.Context, l post.Lease, d post.Done) error {
	return m.void(func() error { return m.Queue.Adopt(ctx, l, d) })
}

func (m *mortal) Checkpoint(ctx context.Context, l post.Lease, id post.ID, parts []post.Part, state []byte) error {
	return m.void(func() error { return m.Queue.Checkpoint(ctx, l, id, parts, state) })
}

func (m *mortal) Release(ctx context.Context, l post.Lease) error {
	return m.void(func() error { return m.Queue.Release(ctx, l) })
}

func (m *mortal) pubs(post.AccountID, post.ConnectionID) (Publisher, error) {
	if m.w.blind {
		return blindMortal{m}, nil
	}
	return lookingMortal{m}, nil
}

type blindMortal struct{ *mortal }

func (p blindMortal) Publish(ctx context.Context, d post.Delivery, save func([]post.Part, []byte) error) (post.Receipt, error) {
	return mortally(p.mortal, func() (post.Receipt, error) { return publisher{p.w}.Publish(ctx, d, save) })
}

type lookingMortal struct{ *mortal }

func (p lookingMortal) Publish(ctx context.Context, d post.Delivery, save func([]post.Part, []byte) error) (post.Receipt, error) {
	return blindMortal(p).Publish(ctx, d, save)
}

func (p lookingMortal) Lookup(ctx context.Context, d post.Delivery) (post.Found, error) {
	return mortally(p.mortal, func() (post.Found, error) { return publisher{p.w}.Lookup(ctx, d) })
}

// life runs one process on the queue until it dies or an hour has passed.
func life(t *testing.T, m *model, w *world, steps int, run func(ctx context.Context, p *mortal) error) (died bool) {
	t.Helper()
	m.restart()
	p := &mortal{Queue: m, w: w, left: steps}
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	if err := run(ctx, p); err != nil && !errors.Is(err, errDead) {
		t.Errorf("life of %d steps: %v", steps, err)
	}
	return p.dead()
}

func dispatchOnce(ctx context.Context, p *mortal) error {
	return New(p, p.pubs, Config{Late: func(post.AccountID) time.Duration { return 0 }}).Run(ctx)
}

// sendThenRecord is how not to do it: the control that must send twice.
func sendThenRecord(_ context.Context, p *mortal) error {
	m := p.Queue.(*model)
	for _, r := range m.posts {
		if r.Status != post.StatusScheduled {
			continue
		}
		pub, err := p.pubs(r.Account, r.Connection)
		if err != nil {
			return err
		}
		receipt, err := pub.Publish(context.Background(), r.delivery(), func([]post.Part, []byte) error { return nil })
		if err != nil {
			return err
		}
		if err := p.void(func() error {
			r.Status, r.Receipt = post.StatusPublished, &receipt
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// sweep kills a process at every step it takes, lets a second one die a few
// steps later too, and a third one live. after sees what became of each.
func sweep(t *testing.T, blind bool, run func(context.Context, *mortal) error, after func(steps int, m *model, w *world)) {
	t.Helper()
	for steps := 1; ; steps++ {
		died := false
		synctest.Test(t, func(t *testing.T) {
			w := newWorld()
			w.blind = blind
			m := newModel(t)
			for i := range 6 {
				text := "a"
				if i == 2 && !blind {
					text = "thread"
				}
				m.add(post.ConnectionID(fmt.Sprintf("mastodon-%d", i%2)), time.Now(), text)
			}
			died = life(t, m, w, steps, run)
			life(t, m, w, 3+steps%7, run)
			life(t, m, w, 1<<30, run)
			after(steps, m, w)
		})
		if !died {
			if steps < 20 {
				t.Errorf("the first life took %d steps: the sweep covers nothing", steps)
			}
			return
		}
	}
}

func TestP2_KilledAtAnyStep(t *testing.T) {
	t.Parallel()
	t.Run("with look-ups each post is live once and known to be", func(t *testing.T) {
		sweep(t, false, dispatchOnce, func(steps int, m *model, w *world) {
			w.noDoubles(t)
			if n := m.counts(); n[post.StatusPublished] != 6 || len(w.live) != 5 || len(w.parts) != 3 {
				t.Errorf("killed at step %d: %v, %d live and %d parts, want 6 published, 5 and 3", steps, n, len(w.live), len(w.parts))
			}
		})
	})
	t.Run("without look-ups none is live twice and the doubtful are unknown", func(t *testing.T) {
		unknown := 0
		sweep(t, true, dispatchOnce, func(steps int, m *model, w *world) {
			w.noDoubles(t)
			n := m.counts()
			unknown += n[post.StatusUnknown]
			if n[post.StatusPublished]+n[post.StatusUnknown] != 6 {
				t.Errorf("killed at step %d: %v, want all published or unknown", steps, n)
			}
			if live := len(w.live); live < n[post.StatusPublished] {
				t.Errorf("killed at step %d: %d live of %d published", steps, live, n[post.StatusPublished])
			}
		})
		if unknown == 0 {
			t.Error("no crash left a post in doubt: the sweep covers nothing")
		}
	})
	t.Run("the control sends twice", func(t *testing.T) {
		doubles := 0
		sweep(t, true, sendThenRecord, func(_ int, _ *model, w *world) {
			for _, n := range w.live {
				if n > 1 {
					doubles++
				}
			}
		})
		if doubles == 0 {
			t.Error("send, then record, sent nothing twice: the harness sees nothing")
		}
	})
}

func TestOrphansWaitForTheGraceAndHoldUpNoOther(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		a := m.add(mast, t0, "a")
		m.add(mast, t0, "b")
		orphan(t, m)
		w.publish(post.Delivery{Post: post.Post{ID: a}}) // it had gone out
		start(t, m, w, Config{})
		sleep(59 * time.Second)
		m.wantStatus(a, post.StatusProcessing)
		wantTimes(t, w.times("b", t0), 0)
		if w.lookups() != 0 {
			t.Error("looked up before the grace")
		}
		sleep(time.Second)
		m.wantStatus(a, post.StatusPublished)
		wantTimes(t, w.times("a", t0))
		if n, _ := m.asked(); n > 5 {
			t.Errorf("%d calls of Acquire in a minute: an orphan that waits must cost nothing", n)
		}
	})
}

// orphan makes the first due post one that an earlier process left in flight.
func orphan(t *testing.T, m *model) {
	t.Helper()
	leases, err := m.Acquire(t.Context(), time.Minute, 1)
	if err != nil || len(leases) != 1 {
		t.Fatalf("Acquire = %v, %v", leases, err)
	}
	if n, err := m.Next(t.Context(), leases[0], nil, 0); err != nil || !n.OK {
		t.Fatalf("Next = %v, %v", n, err)
	}
	m.restart()
}

func TestP3_OrphanOfLongAgoIsNotSentNow(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		a := m.add(mast, t0, "a")
		orphan(t, m)
		sleep(48 * time.Hour)
		start(t, m, w, Config{})
		sleep(time.Hour)
		m.wantStatus(a, post.StatusDraft)
		wantTimes(t, w.times("a", t0))
	})
}

func TestOrphanWithoutLookupIsUnknownAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		w.blind = true
		a := m.add(mast, t0, "a")
		orphan(t, m)
		start(t, m, w, Config{})
		sleep(time.Second)
		m.wantStatus(a, post.StatusUnknown)
	})
}

func TestP2_LostLeaseStopsTheSession(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		w.script["a"] = []behaves{slow(10 * time.Second)}
		a := m.add(mast, t0, "a")
		b := m.add(mast, t0, "b")
		start(t, m, w, Config{})
		sleep(5 * time.Second)
		m.mu.Lock()
		m.conns[connection{"acme", mast}].epoch++ // another holder took over
		m.conns[connection{"acme", mast}].until = time.Time{}
		m.mu.Unlock()
		sleep(10 * time.Minute)
		m.wantStatus(a, post.StatusPublished) // found
		m.wantStatus(b, post.StatusPublished)
		wantTimes(t, w.times("a", t0), 0)
	})
}

func TestP2_NeverSendsWhenTheLeaseEndsBeforeTheCallWould(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		m.slowIntent = 25 * time.Second // a disk that takes its time
		w.script["a"] = []behaves{func(ctx context.Context, w *world, d post.Delivery) (post.Receipt, error) {
			if c := m.conn(mast); time.Until(c.until) < 20*time.Second {
				t.Errorf("called with %v left of the lease, less than a call may take", time.Until(c.until))
			}
			return good(ctx, w, d)
		}}
		a := m.add(mast, t0, "a")
		start(t, m, w, Config{})
		sleep(time.Minute)
		m.wantStatus(a, post.StatusPublished)
	})
}

func TestParkedLeaseThatIsLostIsFoundAgain(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		w.script["a"] = []behaves{lost}
		w.found = func(post.Delivery) (post.Found, error) {
			if time.Since(t0) < 3*time.Minute {
				return post.Found{}, refused(post.ClassNetwork, post.SentNot, 0)
			}
			return post.Found{State: post.Present}, nil
		}
		a := m.add(mast, t0, "a")
		start(t, m, w, Config{})
		sleep(62 * time.Second)
		m.restart()
		sleep(10 * time.Minute)
		m.wantStatus(a, post.StatusPublished)
		wantTimes(t, w.times("a", t0), 0)
	})
}

func TestBrokenQueueEndsRun(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		for i := range 6 {
			m.add(post.ConnectionID(fmt.Sprintf("mastodon-%d", i)), t0, "a")
		}
		for steps := 1; steps < 12; steps++ {
			p := &mortal{Queue: m, w: w, left: steps}
			if err := New(p, p.pubs, Config{}).Run(t.Context()); !errors.Is(err, errDead) {
				t.Errorf("Run() = %v, want the error of the queue", err)
			}
			m.restart()
		}
	})
}

func TestExpiredLeaseOfAnotherIsTakenOver(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		m.add(mast, t0, "a")
		if l, err := m.Acquire(t.Context(), 70*time.Second, 1); err != nil || len(l) != 1 {
			t.Fatal(l, err)
		}
		start(t, m, w, Config{})
		sleep(time.Hour)
		wantTimes(t, w.times("a", t0), 2*time.Minute)
	})
}

// stuck is a queue that says due but gives nothing.
type stuck struct {
	*model
	leases bool // that are worth nothing
}

func (s stuck) Acquire(ctx context.Context, ttl time.Duration, most int) ([]post.Lease, error) {
	l, err := s.model.Acquire(ctx, ttl, most)
	if !s.leases {
		s.restart()
		return nil, err
	}
	return l, err
}

func (s stuck) Next(context.Context, post.Lease, *post.Done, time.Duration) (post.Next, error) {
	return post.Next{}, nil
}

func TestQueueThatIsStuckIsNotHammered(t *testing.T) {
	for name, leases := range map[string]bool{"no leases": false, "empty leases": true} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
				m.add(mast, t0, "a")
				start(t, stuck{m, leases}, w, Config{})
				sleep(time.Minute)
				if n, _ := m.asked(); n > 100 {
					t.Errorf("asked %d times in a minute, want about once a second", n)
				}
				if _, err := New(stuck{m, leases}, w.pubs, Config{}).Tick(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
