package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/postroom/postroom/post"
)

// A session is the work on one lease. It is run by one goroutine at a time;
// while it waits for a look-up it is parked with the crew, which keeps the lease.
type session struct {
	c     *crew
	key   connection
	lease post.Lease
	log   *slog.Logger

	begun  bool      // its orphans are known
	doubts []*doubt  // sent without an answer, in the order in which they were found
	restTo time.Time // pace, while no outcome could carry it to the queue; monotonic

	// What the last run ended with.
	wait   time.Time // when the queue has more, by the wall clock; zero for nothing
	wakeAt time.Time // when to go on with a parked session, by the monotonic clock
	worked bool      // it did something
	lost   bool      // the lease is over
	parked bool      // the lease is kept
	err    error     // the queue broke
}

func newSession(c *crew, l post.Lease) *session {
	key := connection{l.Account, l.Connection}
	if l.Failing {
		c.health.with(key, func(h *health) { h.recall() })
	}
	return &session{c: c, key: key, lease: l, log: c.cfg.Log.With("connection", l.Connection, "platform", l.Connection.Platform())}
}

// An attempt is a call whose outcome is known, and perhaps not recorded yet.
type attempt struct {
	delivery post.Delivery
	done     post.Done
	began    time.Time // zero when no call was made
	took     time.Duration
}

// run drains the connection, and gives the lease back unless posts in doubt are
// to be looked up later.
func (s *session) run() {
	s.wait, s.worked = time.Time{}, false
	err := s.drain()
	if err == nil {
		if s.parked = s.waits(); s.parked {
			s.wakeAt = s.nextWork()
		} else {
			err = s.c.queue.Release(s.c.durable, s.lease)
		}
	}
	if errors.Is(err, post.ErrFenced) {
		s.log.Warn("the lease is over: what was being sent will be looked up", "err", err)
		s.lost, err = true, nil
	}
	s.err = err
}

// waits reports whether the lease is worth keeping for a while.
func (s *session) waits() bool {
	return s.c.stop.Err() == nil && (len(s.doubts) > 0 || s.c.once && s.pacedOnly())
}

// nextWork returns when the session has something to do, so far as it knows now,
// and an hour from now when it knows nothing: every tick wakes it anyway.
func (s *session) nextWork() time.Time {
	now := time.Now()
	at := now.Add(time.Hour)
	first := func(t time.Time) {
		if t.After(now) && t.Before(at) {
			at = t
		}
	}
	if look, ok := s.nextLook(); ok && !look.After(now) {
		at = now
	} else if ok {
		first(look)
	}
	if !s.wait.IsZero() {
		first(now.Add(s.wait.Sub(s.c.cfg.Now())))
	}
	first(s.restTo)
	return at
}

// pacedOnly reports whether the next post comes so soon that only the pace can
// be what it waits for. Queues keep times in whole seconds.
func (s *session) pacedOnly() bool {
	pace := s.c.cfg.Pace(s.key.id)
	return pace > 0 && !s.wait.IsZero() && s.wait.Sub(s.c.cfg.Now()) <= pace+time.Second
}

// drain sends what is due, one post at a time, in the order of the queue. Posts
// in doubt and their look-ups do not hold up the others, unless the error budget
// is used up.
func (s *session) drain() error {
	if !s.begun {
		if err := s.orphans(); err != nil {
			return err
		}
		s.begun = true
	}
	var last *attempt // not recorded yet
	for {
		rest := s.rests()
		look, some := s.nextLook()
		looks := some && !time.Now().Before(look)
		if last != nil && (rest || looks) {
			if err := s.c.queue.Finish(s.c.durable, s.lease, last.done); err != nil {
				return s.notRecorded(last, err)
			}
			s.report(last)
			last = nil
		}
		if looks {
			if err := s.settle(); err != nil {
				return err
			}
		}
		if rest {
			return nil
		}
		if err := s.keepLease(); err != nil {
			return s.notRecorded(last, err)
		}
		next, err := s.next(last)
		if err != nil {
			return s.notRecorded(last, err)
		}
		last = nil
		switch {
		case next.OK:
			if last, err = s.send(next.Delivery); err != nil {
				return err
			}
		case len(next.Held)+len(next.Failed) == 0:
			s.wait = next.Wait
			return nil
		}
	}
}

// next records the last attempt and writes the intent for the next post, in one
// step of the queue.
func (s *session) next(last *attempt) (post.Next, error) {
	var done *post.Done
	if last != nil {
		done = &last.done
	}
	next, err := s.c.queue.Next(s.c.durable, s.lease, done, s.c.cfg.Late(s.lease.Account))
	if err != nil {
		return next, err
	}
	if last != nil {
		s.report(last)
	}
	s.reportHeld(next.Held)
	s.reportMissing(next.Failed)
	return next, nil
}

// notRecorded says which outcome is lost with the lease or the queue. The intent
// is on disk, so the post is an orphan that will be looked up.
func (s *session) notRecorded(a *attempt, err error) error {
	if a != nil && !a.began.IsZero() {
		s.log.Warn("outcome not recorded: it will be looked up", "post", a.delivery.Post.ID, "group", a.delivery.Post.Group, "attempt", a.delivery.Post.Attempts, "err", err)
	}
	return err
}

// rests reports whether nothing more may be begun on the connection now.
func (s *session) rests() bool {
	if s.c.stop.Err() != nil || s.c.clockHolds() || time.Now().Before(s.restTo) {
		return true
	}
	spent := false
	if len(s.doubts) > 0 {
		s.c.health.with(s.key, func(h *health) { spent = h.failures >= s.c.cfg.ErrorBudget })
	}
	return spent
}

// send calls the platform for a post whose intent is on disk. A nil attempt has
// left the post in doubt. The error is the queue's.
func (s *session) send(d post.Delivery) (*attempt, error) {
	s.worked = true
	a := &attempt{delivery: d}
	pub, err := s.c.pubs(s.lease.Account, s.lease.Connection)
	if err != nil {
		a.done = s.c.cfg.unconfigured(&d.Post, err, s.c.cfg.Now())
		return a, nil
	}
	if err := s.keepLease(); err != nil { // writing the intent may have taken long
		return nil, err
	}
	if s.c.stop.Err() != nil || s.c.clockHolds() || s.callTime() <= 0 {
		a.done = unsent(&d.Post)
		return a, nil
	}
	if f := s.probe(pub); f != nil {
		s.c.health.with(s.key, func(h *health) { a.done = s.c.cfg.down(f, &d.Post, s.c.cfg.Now(), h) })
		return a, nil
	}
	if err := s.keepLease(); err != nil { // so may the probe
		return nil, err
	}
	a.began = s.c.cfg.Now()
	start := time.Now()
	r, f, err := s.publish(pub, &a.delivery)
	a.took = time.Since(start)
	if err != nil {
		return nil, s.notRecorded(a, err)
	}
	return s.outcome(a, pub, r, f), nil
}

// probe asks a connection that paused since its last success how it is; nil when
// it is well, has not paused, or cannot be asked. A post would be a dear question.
func (s *session) probe(pub Publisher) *post.Failure {
	paused := false
	s.c.health.with(s.key, func(h *health) { paused = h.pauses > 0 })
	p, ok := pub.(Prober)
	if !paused || !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(s.c.calls, s.callTime())
	defer cancel()
	_, f := s.try(func() (post.Receipt, error) {
		_, err := p.Check(ctx)
		return post.Receipt{}, err
	})
	return f
}

// outcome decides what a call came to; nil when that has to be looked up.
func (s *session) outcome(a *attempt, pub Publisher, r post.Receipt, f *post.Failure) *attempt {
	p, now, doubt := &a.delivery.Post, s.c.cfg.Now(), false
	s.c.health.with(s.key, func(h *health) {
		switch {
		case f == nil:
			a.done = published(p, r, now, h)
		case !f.InDoubt():
			a.done = s.c.cfg.judge(f, p, now, h)
		case canLook(pub):
			doubt = true
			h.failures++
		default:
			a.done = unknown(p, f, f.Message, now)
			s.c.cfg.blame(&a.done, f, now, h)
		}
	})
	every := s.c.cfg.Pace(s.key.id)
	if doubt {
		s.restTo = time.Now().Add(every - a.took)
		s.doubt(a.delivery, f, a.began, a.took)
		s.log.Debug("no answer: it will be looked up", "post", p.ID, "group", p.Group, "attempt", p.Attempts, "err", f.Message)
		return nil
	}
	if every > 0 {
		pace(&a.done, a.began.Add(every))
	}
	if until := s.c.cfg.Spent(s.lease.Account, s.lease.Connection); until.After(now) {
		pause(&a.done, until, "what the platform takes for now is used up")
	}
	return a
}
