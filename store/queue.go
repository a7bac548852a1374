package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/postroom/postroom/post"
)

// ErrFenced says that a lease ended: another holder may be at work, and nothing
// was written.
var ErrFenced = errors.New("the lease is over")

// A leaseTable knows who may send. It lives in memory: the file lock makes this
// process the only one, and epochs on disk outlive it.
type leaseTable struct {
	mu   sync.Mutex
	held map[uint32]*held
}

type held struct {
	epoch uint64
	until time.Time
}

func (t *leaseTable) isHeld(conn uint32) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.held[conn] != nil
}

func (t *leaseTable) set(conn uint32, h *held) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if h == nil {
		delete(t.held, conn)
	} else {
		t.held[conn] = h
	}
}

// expired returns connections whose holder let its time pass.
func (t *leaseTable) expired(now time.Time) []uint32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []uint32
	for n, h := range t.held {
		if !h.until.After(now) {
			out = append(out, n)
		}
	}
	return out
}

// check says whether l is the lease of its connection now.
func (s *Store) check(l post.Lease) (uint32, error) {
	n, ok := s.names.connNumber(connName{l.Account, l.Connection})
	if !ok {
		return 0, fmt.Errorf("connection %s: %w", l.Connection, post.ErrNotFound)
	}
	s.leases.mu.Lock()
	defer s.leases.mu.Unlock()
	if h := s.leases.held[n]; h == nil || h.epoch != l.Epoch {
		return 0, fmt.Errorf("connection %s, epoch %d: %w", l.Connection, l.Epoch, ErrFenced)
	}
	return n, nil
}

// Acquire leases up to most connections that have something due and no holder,
// those that waited longest first, each with the next epoch. It writes only when
// there is one, so a tick with nothing due costs a look at one key.
func (s *Store) Acquire(ctx context.Context, ttl time.Duration, most int) ([]post.Lease, error) {
	now := s.now()
	var due []uint32
	err := s.view(ctx, func(tx *bolt.Tx) error {
		due = dueConns(tx, now, most)
		return nil
	})
	late := s.leases.expired(now)
	if err != nil || len(due) == 0 && len(late) == 0 {
		return nil, err
	}
	type won struct {
		conn uint32
		held held
	}
	var wins []won
	err = s.update(ctx, s.change(func(c *change) error {
		for _, w := range wins { // of an earlier run of this change
			s.leases.set(w.conn, nil)
		}
		wins = wins[:0]
		for _, n := range late {
			s.leases.set(n, nil)
			if err := c.wake(n); err != nil {
				return err
			}
		}
		for _, n := range dueConns(c.Tx, c.now, most) {
			r, err := getConn(c.Tx, n)
			if err != nil {
				return err
			}
			if err := c.Bucket(bucketWake).Delete(wakeKey(r.wake, n)); err != nil {
				return err
			}
			r.epoch, r.wake = r.epoch+1, 0
			if err := putConn(c.Tx, n, r); err != nil {
				return err
			}
			h := held{r.epoch, c.now.Add(ttl)}
			s.leases.set(n, &h) // within the change: no other may wake it meanwhile
			wins = append(wins, won{n, h})
		}
		return nil
	}))
	if err != nil {
		for _, w := range wins {
			s.leases.set(w.conn, nil)
		}
		return nil, err
	}
	leases := make([]post.Lease, len(wins))
	for i, w := range wins {
		name, _ := s.names.conn(w.conn)
		leases[i] = post.Lease{Account: name.account, Connection: name.id, Epoch: w.held.epoch, Until: w.held.until}
	}
	return leases, nil
}

// dueConns returns the connections to wake by now.
func dueConns(tx *bolt.Tx, now time.Time, most int) []uint32 {
	end := seconds(now)
	var out []uint32
	c := tx.Bucket(bucketWake).Cursor()
	for k, _ := c.First(); k != nil && len(out) < most && binary.BigEndian.Uint32(k) <= end; k, _ = c.Next() {
		out = append(out, binary.BigEndian.Uint32(k[4:]))
	}
	return out
}

// mostHeld bounds how many late posts one Next holds.
const mostHeld = 500

// Next records done, when it is not nil, holds posts found later than late after
// their slot (never for 0), and writes the intent to send the next due post: all
// in one commit. The post returned is in status processing, under this lease's
// epoch, with the attempt counted.
//
// When nothing is to be sent, Next says until when; a zero Wait means that
// nothing of the connection waits. Posts of an older epoch that are in flight
// are left to [Store.Orphans]. The error wraps [ErrFenced] when the lease ended.
func (s *Store) Next(ctx context.Context, l post.Lease, done *post.Done, late time.Duration) (post.Next, error) {
	if _, err := s.check(l); err != nil {
		return post.Next{}, err
	}
	if done == nil {
		if n, idle, err := s.nothingDue(ctx, l); err != nil || idle {
			return n, err
		}
	}
	var next post.Next
	err := s.update(ctx, s.change(func(c *change) error {
		next = post.Next{}
		conn, err := s.check(l)
		if err != nil {
			return err
		}
		if done != nil {
			if err := c.finish(l, conn, *done, false); err != nil {
				return err
			}
		}
		next, err = c.begin(l, conn, late)
		return err
	}))
	return next, err
}

// nothingDue looks without writing whether Next has anything to do.
func (s *Store) nothingDue(ctx context.Context, l post.Lease) (n post.Next, idle bool, err error) {
	conn, err := s.check(l)
	if err != nil {
		return n, false, err
	}
	err = s.view(ctx, func(tx *bolt.Tx) error {
		r, err := getConn(tx, conn)
		if err != nil {
			return err
		}
		due, some := firstScheduled(tx, conn)
		switch now := s.now(); {
		case !some:
			idle = true
		case r.notBefore.After(now):
			idle, n.Wait = true, later(due, r.notBefore)
		case due.After(now):
			idle, n.Wait = true, due
		}
		return nil
	})
	return n, idle, err
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// firstScheduled returns when the first post that may be begun is due.
func firstScheduled(tx *bolt.Tx, conn uint32) (time.Time, bool) {
	h := hidden(tx)
	c := tx.Bucket(bucketOpen).Cursor()
	for k, v := c.Seek(key4(conn)); k != nil && binary.BigEndian.Uint32(k) == conn; k, v = c.Next() {
		if post.Status(v[1]) == post.StatusScheduled && !h.has(openPost(k)) {
			return openDue(k), true
		}
	}
	return time.Time{}, false
}

// begin writes the intent to send the first due post.
func (c *change) begin(l post.Lease, conn uint32, late time.Duration) (post.Next, error) {
	var next post.Next
	r, err := getConn(c.Tx, conn)
	if err != nil {
		return next, err
	}
	if r.notBefore.After(c.now) {
		if due, ok := firstScheduled(c.Tx, conn); ok {
			next.Wait = later(due, r.notBefore)
		}
		return next, nil
	}
	for {
		id, at, due, ok := c.firstDue(conn)
		switch {
		case !ok:
			return next, nil
		case due.After(c.now):
			next.Wait = due
			return next, nil
		case len(next.Held) == mostHeld:
			next.Wait = c.now
			return next, nil
		}
		g, err := c.s.group(c.Tx, id)
		if err != nil {
			return next, err
		}
		old := clone(&g)
		p := &g.Posts[at]
		if by := c.now.Sub(p.SlotAt); late > 0 && by > late && p.Attempts == 0 {
			why := fmt.Sprintf("found %s after its time, later than the grace of %s", by.Truncate(time.Minute), late)
			p.Status = post.StatusDraft
			p.Problem = &post.Outcome{Code: "LATE", Message: why, At: c.now}
			p.UpdatedAt, g.UpdatedAt, g.Held = c.now, c.now, why
			if err := c.put(old, &g); err != nil {
				return next, err
			}
			if err := c.log(post.LogEntry{Group: g.ID, Post: p.ID, Platform: p.Connection.Platform(), Event: "status_changed", Error: why, ErrorCode: "LATE"}); err != nil {
				return next, err
			}
			next.Held = append(next.Held, *p)
			continue
		}
		p.Status, p.Epoch, p.BegunAt, p.UpdatedAt = post.StatusProcessing, l.Epoch, c.now, c.now
		p.Attempts++
		if err := c.put(old, &g); err != nil {
			return next, err
		}
		err = c.log(post.LogEntry{Group: g.ID, Post: p.ID, Platform: p.Connection.Platform(), Event: "publish_attempted", Attempt: p.Attempts})
		next.OK, next.Delivery = true, delivery(&g, at)
		return next, err
	}
}

// firstDue returns the first scheduled post of a connection, its index in its
// group and its due time.
func (c *change) firstDue(conn uint32) (id post.ID, at int, due time.Time, ok bool) {
	h := hidden(c.Tx)
	cur := c.Bucket(bucketOpen).Cursor()
	for k, v := cur.Seek(key4(conn)); k != nil && binary.BigEndian.Uint32(k) == conn; k, v = cur.Next() {
		if post.Status(v[1]) == post.StatusScheduled && !h.has(openPost(k)) {
			return openPost(k), int(v[0]), openDue(k), true
		}
	}
	return post.ID{}, 0, time.Time{}, false
}

func delivery(g *post.Group, at int) post.Delivery {
	p := g.Posts[at]
	p.Parts, p.State = slices.Clone(p.Parts), slices.Clone(p.State)
	return post.Delivery{Post: p, Content: g.Content}
}

// clone copies what put compares.
func clone(g *post.Group) *post.Group {
	old := *g
	old.Posts = slices.Clone(g.Posts)
	return &old
}

// Finish records how an attempt under this lease ended, durably.
func (s *Store) Finish(ctx context.Context, l post.Lease, d post.Done) error {
	return s.fenced(ctx, l, func(c *change, conn uint32) error { return c.finish(l, conn, d, false) })
}

// Adopt records what a look-up found about an orphan: a post in flight under an
// older epoch.
func (s *Store) Adopt(ctx context.Context, l post.Lease, d post.Done) error {
	return s.fenced(ctx, l, func(c *change, conn uint32) error { return c.finish(l, conn, d, true) })
}

// fenced runs fn while the lease is held.
func (s *Store) fenced(ctx context.Context, l post.Lease, fn func(c *change, conn uint32) error) error {
	return s.update(ctx, s.change(func(c *change) error {
		conn, err := s.check(l)
		if err != nil {
			return err
		}
		return fn(c, conn)
	}))
}

// inFlight reads a post that is processing under l, or under an older epoch for
// an orphan.
func (c *change) inFlight(l post.Lease, id post.ID, orphan bool) (post.Group, int, error) {
	g, err := c.s.group(c.Tx, id)
	if err != nil {
		return g, 0, err
	}
	at := int(distance(g.ID, id)) - 1
	if at < 0 {
		return g, 0, fmt.Errorf("%s is a group, want a platform post", id)
	}
	p := &g.Posts[at]
	if p.Connection != l.Connection || p.Account != l.Account || p.Status != post.StatusProcessing || orphan != (p.Epoch < l.Epoch) {
		return g, 0, fmt.Errorf("post %s, %s under epoch %d: %w", id, p.Status, p.Epoch, ErrFenced)
	}
	return g, at, nil
}

func (c *change) finish(l post.Lease, conn uint32, d post.Done, orphan bool) error {
	g, at, err := c.inFlight(l, d.ID, orphan)
	if err != nil {
		return err
	}
	old := clone(&g)
	p := &g.Posts[at]
	if !p.Status.May(d.Status) {
		return fmt.Errorf("post %s: %s may not become %s", d.ID, p.Status, d.Status)
	}
	p.Status, p.UpdatedAt, g.UpdatedAt = d.Status, c.now, c.now
	if d.Parts != nil {
		p.Parts = d.Parts
	}
	if d.State != nil {
		p.State = d.State
	}
	event := post.LogEntry{Group: g.ID, Post: p.ID, Platform: p.Connection.Platform(), Attempt: p.Attempts}
	r, err := getConn(c.Tx, conn)
	if err != nil {
		return err
	}
	if d.Outcome != nil {
		p.Problem = d.Outcome
		event.Error, event.ErrorCode, event.Status, event.Retryable = d.Outcome.Message, d.Outcome.Code, d.Outcome.HTTPStatus, d.Outcome.Retryable
		r.lastErrorAt, r.lastError = c.now, d.Outcome.Message
		r.errorsInRow++
	}
	switch d.Status {
	case post.StatusPublished:
		event.Event = "publish_succeeded"
		p.Receipt, p.Problem, p.State = d.Receipt, nil, nil
		r.lastSuccess, r.errorsInRow, r.lastError = c.now, 0, ""
	case post.StatusScheduled:
		event.Event = "publish_failed"
		if d.Snooze {
			event.Event = "status_changed"
			p.Attempts--
		}
		p.DueAt = later(d.RetryAt, c.now)
	case post.StatusUnknown, post.StatusFailed:
		event.Event = "publish_failed"
	}
	if d.NotBefore.After(r.notBefore) {
		r.notBefore, r.pauseWhy = d.NotBefore, d.PauseWhy
	} else if !r.notBefore.After(c.now) {
		r.pauseWhy = ""
	}
	if err := putConn(c.Tx, conn, r); err != nil {
		return err
	}
	if err := c.put(old, &g); err != nil {
		return err
	}
	return c.log(event)
}

// Checkpoint makes progress inside a send durable: the parts of a thread that
// are live, and the publisher's own state. nil keeps what is stored.
func (s *Store) Checkpoint(ctx context.Context, l post.Lease, id post.ID, parts []post.Part, state []byte) error {
	return s.fenced(ctx, l, func(c *change, _ uint32) error {
		g, at, err := c.inFlight(l, id, false)
		if err != nil {
			return err
		}
		old := clone(&g)
		p := &g.Posts[at]
		if parts != nil {
			p.Parts = parts
		}
		if state != nil {
			p.State = state
		}
		p.UpdatedAt = c.now
		return c.put(old, &g)
	})
}

// Orphans returns the posts of a leased connection that an older epoch left in
// flight, in (due, id) order.
func (s *Store) Orphans(ctx context.Context, l post.Lease) ([]post.Delivery, error) {
	conn, err := s.check(l)
	if err != nil {
		return nil, err
	}
	var out []post.Delivery
	err = s.view(ctx, func(tx *bolt.Tx) error {
		end := seconds(s.now())
		c := tx.Bucket(bucketOpen).Cursor()
		for k, v := c.Seek(key4(conn)); k != nil && binary.BigEndian.Uint32(k) == conn && binary.BigEndian.Uint32(k[4:]) <= end; k, v = c.Next() {
			if post.Status(v[1]) != post.StatusProcessing {
				continue
			}
			g, err := s.group(tx, openPost(k))
			if err != nil {
				return err
			}
			if p := &g.Posts[v[0]]; p.Epoch < l.Epoch {
				out = append(out, delivery(&g, int(v[0])))
			}
		}
		return nil
	})
	return out, err
}

// Renew lengthens a lease, in memory: a crash ends all leases anyway.
func (s *Store) Renew(_ context.Context, l post.Lease, ttl time.Duration) (post.Lease, error) {
	conn, err := s.check(l)
	if err != nil {
		return l, err
	}
	l.Until = s.now().Add(ttl)
	s.leases.set(conn, &held{l.Epoch, l.Until})
	return l, nil
}

// Release gives a connection back, to be woken when it next has work.
func (s *Store) Release(ctx context.Context, l post.Lease) error {
	conn, err := s.check(l)
	if err != nil {
		return err
	}
	return s.update(ctx, s.change(func(c *change) error {
		s.leases.set(conn, nil)
		return c.wake(conn)
	}))
}

// NextDue returns when the next connection without a holder has work.
func (s *Store) NextDue(ctx context.Context) (at time.Time, ok bool, err error) {
	err = s.view(ctx, func(tx *bolt.Tx) error {
		if k, _ := tx.Bucket(bucketWake).Cursor().First(); k != nil {
			at, ok = time.Unix(int64(binary.BigEndian.Uint32(k)), 0).UTC(), true
		}
		return nil
	})
	return at, ok, err
}
