package dispatch

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/postroom/postroom/post"
)

// lookWaits are the waits before each look-up of a post in doubt: timelines lag
// (PLATFORMS §5). After the last it is unknown.
var lookWaits = [...]time.Duration{5 * time.Second, 10 * time.Second, 45 * time.Second, 4 * time.Minute, 10 * time.Minute}

// longestDoubt is for how long a post is looked up by one [Dispatcher.Tick] after
// another, none of which looks often enough to end it.
const longestDoubt = 24 * time.Hour

// A doubt is a post that was sent without an answer. Its intent stays on disk
// until a look-up decides; a crash makes it an orphan of the next lease, which
// is one more doubt.
type doubt struct {
	delivery post.Delivery
	why      *post.Failure
	orphan   bool      // of an older epoch
	began    time.Time // the call, by the wall clock
	took     time.Duration

	looks   int
	lookAt  time.Time // next, by the monotonic clock
	trustAt time.Time // from when "not here" is believed: the call may still be under way before
}

// doubt puts a post in doubt whose call has just ended without an answer.
func (s *session) doubt(d post.Delivery, f *post.Failure, began time.Time, took time.Duration) {
	now := time.Now()
	s.doubts = append(s.doubts, &doubt{delivery: d, why: f, began: began, took: took,
		lookAt: now.Add(lookWaits[0]), trustAt: now.Add(s.c.cfg.LookupGrace)})
}

// orphans takes in the posts that an older epoch left in flight. Their process
// may still be at it, so the first look comes after the grace; where nothing can
// be looked up there is nothing to wait for.
func (s *session) orphans() error {
	left, err := s.c.queue.Orphans(s.c.durable, s.lease)
	if err != nil {
		return err
	}
	pub, err := s.c.pubs(s.lease.Account, s.lease.Connection)
	mute := err == nil && !canLook(pub)
	for _, d := range left {
		grace := min(max(s.c.cfg.LookupGrace-s.c.cfg.Now().Sub(d.Post.BegunAt), 0), s.c.cfg.LookupGrace)
		if mute {
			grace = 0
		}
		at := time.Now().Add(grace)
		s.doubts = append(s.doubts, &doubt{delivery: d, why: inDoubt("postroom stopped while it was being sent"), orphan: true,
			began: d.Post.BegunAt, lookAt: at, trustAt: at})
	}
	return nil
}

// nextLook returns when the next look-up is to be made; false when there is no
// doubt.
func (s *session) nextLook() (time.Time, bool) {
	var at time.Time
	for _, b := range s.doubts {
		if at.IsZero() || b.lookAt.Before(at) {
			at = b.lookAt
		}
	}
	return at, len(s.doubts) > 0
}

// settle looks up the posts whose time for that has come and records what is
// decided.
func (s *session) settle() error {
	for _, b := range slices.Clone(s.doubts) {
		if time.Now().Before(b.lookAt) || s.c.stop.Err() != nil {
			continue
		}
		if err := s.keepLease(); err != nil {
			return err
		}
		done, ok := s.look(b)
		if !ok {
			continue
		}
		if s.restTo.After(time.Now()) {
			pace(&done, s.c.cfg.Now().Add(time.Until(s.restTo)))
		}
		record := s.c.queue.Finish
		if b.orphan {
			record = s.c.queue.Adopt
		}
		if err := record(s.c.durable, s.lease, done); err != nil {
			return err
		}
		s.worked = true
		s.doubts = slices.DeleteFunc(s.doubts, func(o *doubt) bool { return o == b })
		s.report(&attempt{delivery: b.delivery, done: done, began: b.began, took: b.took})
	}
	return nil
}

// look asks the platform once, and decides if that can be done.
func (s *session) look(b *doubt) (d post.Done, decided bool) {
	p, now := &b.delivery.Post, s.c.cfg.Now()
	found, f := s.lookUp(b)
	if f != nil && s.c.calls.Err() != nil {
		return d, false // stopping cut it off: the next process looks again
	}
	b.looks++
	last := b.looks >= len(lookWaits) || s.c.once && now.Sub(b.began) > longestDoubt
	trusted := !time.Now().Before(b.trustAt)
	s.c.health.with(s.key, func(h *health) {
		switch {
		case f == nil && found.State == post.Present:
			found.Receipt.Found = true
			d, decided = published(p, found.Receipt, now, h), true
		case f == nil && found.State == post.Absent && b.why.Copy && !further(b, &found):
			if last {
				d, decided = unknown(p, b.why, b.why.Message+"; the platform says that it has it, and does not show it", now), true
			}
		case f == nil && found.State == post.Absent && trusted:
			d, decided = s.c.cfg.absent(p, b.why, now), true
		case f == nil && found.State == post.Undecidable && trusted:
			d, decided = unknown(p, b.why, b.why.Message+"; the platform cannot tell", now), true
		case f != nil && last:
			d, decided = unknown(p, b.why, fmt.Sprintf("%s; it was looked up %s: %s", b.why.Message, times(b), f.Message), now), true
		}
		if decided && d.Status != post.StatusPublished {
			s.c.cfg.spend(&d, b.why.Message, now, h)
		}
	})
	if decided {
		d.Parts = found.Parts
		return d, true
	}
	wait := lookWaits[min(b.looks, len(lookWaits)-1)]
	b.lookAt = time.Now().Add(wait)
	if b.looks >= len(lookWaits)-1 && b.lookAt.Before(b.trustAt) {
		b.lookAt = b.trustAt
	}
	return d, false
}

// further reports whether a look-up found parts live that were not known to be.
func further(b *doubt, found *post.Found) bool {
	return (&post.Post{Parts: found.Parts}).PartsLive() > b.delivery.Post.PartsLive()
}

// times says how often a post was looked up in vain.
func times(b *doubt) string {
	if b.looks < len(lookWaits) {
		return "for a day"
	}
	return fmt.Sprintf("%d times", b.looks)
}

// lookUp asks the connection's publisher. One that cannot look anything up
// cannot tell.
func (s *session) lookUp(b *doubt) (found post.Found, f *post.Failure) {
	pub, err := s.c.pubs(s.lease.Account, s.lease.Connection)
	if err != nil {
		return found, inDoubt(err.Error())
	}
	l, ok := pub.(Looker)
	if !ok {
		return found, nil
	}
	ctx, cancel := context.WithTimeout(s.c.calls, s.callTime())
	defer cancel()
	_, f = s.try(func() (post.Receipt, error) {
		found, err = l.Lookup(ctx, b.delivery)
		return post.Receipt{}, err
	})
	return found, f
}

// canLook reports whether posts in doubt on the connection may be looked up.
func canLook(pub Publisher) bool {
	_, ok := pub.(Looker)
	return ok
}
