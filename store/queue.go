package store

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/postroom/postroom/post"
)

// A leaseTable knows until when the leases of this process run, by the monotonic
// clock. Who holds a connection, and under which epoch, is on disk and decides
// what may be written; how long lives here, as the file lock makes this process
// the only one.
type leaseTable struct {
	mu   sync.Mutex
	held map[uint32]holding
}

type holding struct {
	epoch uint64
	until time.Time
	void  bool // it ran out, and somebody is about to take the connection over
}

// set notes a lease that is on disk.
func (t *leaseTable) set(conn uint32, h holding) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.held[conn] = h
}

// drop forgets a lease that was given back, or taken over, on disk.
func (t *leaseTable) drop(conn uint32, epoch uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.held[conn].epoch == epoch {
		delete(t.held, conn)
	}
}

// renew lengthens a lease, unless it is over.
func (t *leaseTable) renew(conn uint32, epoch uint64, until time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	h, ok := t.held[conn]
	if !ok || h.epoch != epoch || h.void {
		return false
	}
	t.held[conn] = holding{epoch: epoch, until: until}
	return true
}

// expire returns the leases whose holder let their time pass. From here on they
// cannot be renewed.
func (t *leaseTable) expire(now time.Time) map[uint32]uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out map[uint32]uint64
	for n, h := range t.held {
		if h.until.After(now) {
			continue
		}
		if out == nil {
			out = map[uint32]uint64{}
		}
		h.void = true
		t.held[n], out[n] = h, h.epoch
	}
	return out
}

// conn returns the number of a lease's connection.
func (s *Store) conn(l post.Lease) (uint32, error) {
	n, ok := s.names.connNumber(connName{l.Account, l.Connection})
	if !ok {
		return 0, fmt.Errorf("connection %s: %w", l.Connection, post.ErrNotFound)
	}
	return n, nil
}

// fences refuses what is asked under a lease that is over.
func (r *connRecord) fences(l post.Lease) error {
	if !r.leased || r.epoch != l.Epoch {
		return fmt.Errorf("connection %s, epoch %d: %w", l.Connection, l.Epoch, post.ErrFenced)
	}
	return nil
}

// held returns the record of a connection that l is the lease of.
func held(tx *bolt.Tx, conn uint32, l post.Lease) (connRecord, error) {
	r, err := getConn(tx, conn)
	if err == nil {
		err = r.fences(l)
	}
	return r, err
}

// held is the same within a change.
func (c *change) held(conn uint32, l post.Lease) (*connRecord, error) {
	r, err := c.conn(conn)
	if err == nil {
		err = r.fences(l)
	}
	return r, err
}

// Acquire leases up to most connections that have something due and no holder,
// or one that let its lease run out: those that waited longest first, each with
// the next epoch. It writes only when there is one, so a tick with nothing due
// costs a look at one key.
func (s *Store) Acquire(ctx context.Context, ttl time.Duration, most int) ([]post.Lease, error) {
	now := s.now()
	if err := s.seeClock(ctx, now); err != nil {
		return nil, err
	}
	var due []uint32
	err := s.view(ctx, func(tx *bolt.Tx) error {
		due = dueConns(tx, now, most)
		return nil
	})
	if err != nil {
		return nil, err
	}
	late := s.leases.expire(now)
	if len(due) == 0 && len(late) == 0 {
		return nil, nil
	}
	type won struct {
		conn    uint32
		epoch   uint64
		failing bool
	}
	var wins []won
	err = s.update(ctx, func(c *change) error {
		wins = wins[:0]
		for n, epoch := range late {
			r, err := c.conn(n)
			if err != nil {
				return err
			}
			if r.leased && r.epoch == epoch {
				r.leased, r.lookAt = false, c.now
			}
		}
		if err := c.writeConns(); err != nil { // for the next line to see
			return err
		}
		for _, n := range dueConns(c.Tx, c.now, most) {
			r, err := c.conn(n)
			if err != nil {
				return err
			}
			r.leased, r.epoch = true, r.epoch+1
			wins = append(wins, won{n, r.epoch, r.errorsInRow > 0 && r.pauseWhy != ""})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for n, epoch := range late {
		s.leases.drop(n, epoch)
	}
	leases := make([]post.Lease, len(wins))
	until := s.now().Add(ttl)
	for i, w := range wins {
		s.leases.set(w.conn, holding{epoch: w.epoch, until: until})
		name, _ := s.names.conn(w.conn)
		leases[i] = post.Lease{Account: name.account, Connection: name.id, Epoch: w.epoch, Until: until, Failing: w.failing}
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

// clockSlack is how far ahead of the clock a time may be that was noted when it
// passed: beyond, the clock was set back since.
const clockSlack = time.Minute

// seeClock has no pause outlast a clock that was set back: with it the connection
// would rest for as long as the clock was wrong.
func (s *Store) seeClock(ctx context.Context, now time.Time) error {
	if before := s.acquired.Swap(now.Unix()); now.Unix() >= before-int64(clockSlack/time.Second) {
		return nil
	}
	return s.update(ctx, func(c *change) error {
		for _, n := range s.names.ofAccount("") {
			r, err := c.conn(n)
			if err != nil {
				return err
			}
			r.setBack(c.now)
		}
		return nil
	})
}

// setBack takes in that the clock may have been set back since the record was
// written: a pause then lasts as long as it was to last.
func (r *connRecord) setBack(now time.Time) {
	begun := later(r.lastSuccess, r.lastErrorAt)
	if !begun.After(now.Add(clockSlack)) {
		return
	}
	if r.notBefore.After(now) {
		r.notBefore = now.Add(max(r.notBefore.Sub(begun), 0))
	}
	for _, at := range []*time.Time{&r.lastSuccess, &r.lastErrorAt, &r.lookAt} {
		if at.After(now) {
			*at = now
		}
	}
}

// mostHeld bounds how many posts one Next holds, gives up or puts off.
const mostHeld = 500

// Next records done, when it is not nil, holds posts found later than late after
// their slot (never for 0), has those wait whose media is still to come, and writes
// the intent to send the next due post: all in one commit. The post returned is in status processing, under this lease's
// epoch, with the attempt counted.
//
// When nothing is to be sent, Next says until when; a zero Wait means that
// nothing of the connection waits. Posts of an older epoch that are in flight
// are left to [Store.Orphans]. The error wraps [post.ErrFenced] when the lease ended.
func (s *Store) Next(ctx context.Context, l post.Lease, done *post.Done, late time.Duration) (post.Next, error) {
	conn, err := s.conn(l)
	if err != nil {
		return post.Next{}, err
	}
	var next post.Next
	if done == nil {
		idle := false
		err := s.view(ctx, func(tx *bolt.Tx) error {
			r, err := held(tx, conn, l)
			if err != nil {
				return err
			}
			_, next.Wait, idle, err = firstDue(tx, conn, &r, s.now())
			return err
		})
		if err != nil || idle {
			return next, err
		}
	}
	err = s.update(ctx, func(c *change) error {
		next = post.Next{}
		if done != nil {
			if err := c.finish(l, conn, *done, false); err != nil {
				return err
			}
		}
		next, err = c.begin(l, conn, late)
		return err
	})
	return next, err
}

// firstDue returns the first post to send on a connection; when that is idle, until
// when, which is zero when nothing waits.
func firstDue(tx *bolt.Tx, conn uint32, r *connRecord, now time.Time) (e openEntry, wait time.Time, idle bool, err error) {
	e, ok, err := firstOpen(tx, conn)
	if !ok || err != nil {
		return e, wait, err == nil, err
	}
	if at := later(e.due, wholeSecond(r.notBefore)); at.After(now) {
		return e, at, true, nil
	}
	return e, wait, false, nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// begin writes the intent to send the first due post.
func (c *change) begin(l post.Lease, conn uint32, late time.Duration) (post.Next, error) {
	var next post.Next
	r, err := c.held(conn, l)
	if err != nil {
		return next, err
	}
	for passed := 0; ; passed++ {
		e, wait, idle, err := firstDue(c.Tx, conn, r, c.now)
		if err != nil || idle {
			next.Wait = wait
			return next, err
		}
		if passed == mostHeld {
			next.Wait = c.now
			return next, nil
		}
		g, err := c.s.group(c.Tx, e.id)
		if err != nil {
			return next, err
		}
		old := clone(&g)
		if e.at >= len(g.Posts) || g.Posts[e.at].ID != e.id || g.Posts[e.at].Status != post.StatusScheduled || !g.Posts[e.at].DueAt.Equal(e.due) {
			return next, fmt.Errorf("open post %s: %w: its group says otherwise", e.id, errRecord)
		}
		p := &g.Posts[e.at]
		code, why := "", ""
		if at := c.s.restored; !p.DueAt.After(at) && p.UpdatedAt.Before(at) {
			code, why = codeRestored, "the store was restored from a backup at "+at.Format(time.DateTime)+" UTC, and this may have gone out before"
		} else if waits, err := c.awaitMedia(old, &g, p); err != nil {
			return next, err
		} else if waits {
			if p.Status == post.StatusFailed {
				next.Failed = append(next.Failed, *p)
			}
			continue
		} else if by := tooLate(p, c.now, late); by > 0 {
			code, why = "LATE", fmt.Sprintf("found %s after its time, later than the grace of %s", by.Truncate(time.Minute), late)
		}
		if code != "" {
			p.Status = post.StatusDraft
			p.Problem = &post.Outcome{Code: code, Message: why, At: c.now}
			p.UpdatedAt, g.UpdatedAt, g.Held = c.now, c.now, why
			if err := c.put(old, &g, post.LogEntry{Post: p.ID, Event: "status_changed", Error: why, ErrorCode: code}); err != nil {
				return next, err
			}
			next.Held = append(next.Held, *p)
			continue
		}
		again := p.Epoch > 0
		p.Status, p.Epoch, p.BegunAt, p.UpdatedAt = post.StatusProcessing, l.Epoch, c.now, c.now
		p.Attempts++
		next.OK, next.Delivery = true, delivery(&g, e.at)
		next.Delivery.Again = again
		return next, c.put(old, &g, post.LogEntry{Post: p.ID, Event: "publish_attempted", Attempt: p.Attempts})
	}
}

// codeRestored is why a post is held that a backup had as waiting, and that nobody
// changed since it was restored.
const codeRestored = "RESTORED"

// tooLate returns by how much a post missed its time, or 0 when that is within
// grace; 0 is no grace but no bound. A post that was tried is measured from its
// next try: its retries may lead past the grace, but no stop of postroom may.
func tooLate(p *post.Post, now time.Time, grace time.Duration) time.Duration {
	from := p.SlotAt
	if p.Attempts > 0 {
		from = p.DueAt
	}
	if by := now.Sub(from); grace > 0 && by > grace {
		return by
	}
	return 0
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
	return s.update(ctx, func(c *change) error {
		conn, err := s.conn(l)
		if err != nil {
			return err
		}
		if _, err := c.held(conn, l); err != nil {
			return err
		}
		return fn(c, conn)
	})
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
		return g, 0, fmt.Errorf("post %s, %s under epoch %d: %w", id, p.Status, p.Epoch, post.ErrFenced)
	}
	return g, at, nil
}

func (c *change) finish(l post.Lease, conn uint32, d post.Done, orphan bool) error {
	r, err := c.held(conn, l)
	if err != nil {
		return err
	}
	g, at, err := c.inFlight(l, d.ID, orphan)
	if err != nil {
		return err
	}
	old := clone(&g)
	p := &g.Posts[at]
	if d.Status == post.StatusScheduled && takenBack(p) {
		d = giveUp(d, p.Problem, c.now)
	}
	p.Status, p.UpdatedAt, g.UpdatedAt = d.Status, c.now, c.now
	if d.Parts != nil {
		p.Parts = d.Parts
	}
	if d.State != nil {
		p.State = d.State
	}
	event := post.LogEntry{Post: p.ID, Attempt: p.Attempts}
	if d.Outcome != nil {
		p.Problem = d.Outcome
		event.Error, event.ErrorCode, event.Status, event.Retryable = d.Outcome.Message, d.Outcome.Code, d.Outcome.HTTPStatus, d.Outcome.Retryable
		r.lastErrorAt, r.lastError = c.now, d.Outcome.Message
		if !d.Snooze {
			r.errorsInRow++
		}
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
		p.DueAt = wholeSecond(later(d.RetryAt, c.now))
	case post.StatusUnknown, post.StatusFailed:
		event.Event = "publish_failed"
	}
	if d.NotBefore.After(r.notBefore) {
		r.notBefore, r.pauseWhy = d.NotBefore, d.PauseWhy
	} else if !r.notBefore.After(c.now) {
		r.pauseWhy = ""
	}
	return c.put(old, &g, event)
}

// takenBack reports whether a post in flight was deleted, or its import undone. What
// is under way cannot be called back, but there is no other attempt.
func takenBack(p *post.Post) bool {
	return p.Problem != nil && (p.Problem.Code == codeDeleted || p.Problem.Code == codeUndone)
}

// giveUp has a post fail that would be tried again.
func giveUp(d post.Done, why *post.Outcome, now time.Time) post.Done {
	o := post.Outcome{At: now}
	if d.Outcome != nil {
		o = *d.Outcome
	}
	o.Code, o.Retryable = why.Code, false
	if o.Message != "" {
		o.Message = ": " + o.Message
	}
	o.Message = "not tried again, as " + why.Message + o.Message
	d.Status, d.Snooze, d.RetryAt, d.Outcome = post.StatusFailed, false, time.Time{}, &o
	return d
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
	conn, err := s.conn(l)
	if err != nil {
		return nil, err
	}
	var out []post.Delivery
	err = s.view(ctx, func(tx *bolt.Tx) error {
		if _, err := held(tx, conn, l); err != nil {
			return err
		}
		c := tx.Bucket(bucketFlight).Cursor()
		for k, v := c.Seek(key4(conn)); k != nil && binary.BigEndian.Uint32(k) == conn; k, v = c.Next() {
			g, err := s.group(tx, post.ID(k[4:]))
			if err != nil {
				return err
			}
			if len(v) != 1 || int(v[0]) >= len(g.Posts) {
				return fmt.Errorf("flight %x: %w", k, errRecord)
			}
			if at := int(v[0]); g.Posts[at].Epoch < l.Epoch {
				out = append(out, delivery(&g, at))
			}
		}
		return nil
	})
	slices.SortStableFunc(out, func(a, b post.Delivery) int { return a.Post.DueAt.Compare(b.Post.DueAt) })
	return out, err
}

// Renew lengthens a lease to ttl from now, in memory: a crash ends all leases
// anyway.
func (s *Store) Renew(ctx context.Context, l post.Lease, ttl time.Duration) (post.Lease, error) {
	conn, err := s.conn(l)
	if err != nil {
		return l, err
	}
	if err := ctx.Err(); err != nil {
		return l, err
	}
	until := s.now().Add(ttl)
	if !s.leases.renew(conn, l.Epoch, until) {
		return l, fmt.Errorf("connection %s, epoch %d: %w", l.Connection, l.Epoch, post.ErrFenced)
	}
	l.Until = until
	return l, nil
}

// Release gives a connection back, to be woken when it next has work.
func (s *Store) Release(ctx context.Context, l post.Lease) error {
	conn, err := s.conn(l)
	if err != nil {
		return err
	}
	err = s.update(ctx, func(c *change) error {
		r, err := c.held(conn, l)
		if err != nil {
			return err
		}
		r.leased, r.lookAt = false, c.now.Add(orphanLook)
		return nil
	})
	if err == nil {
		s.leases.drop(conn, l.Epoch)
	}
	return err
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
