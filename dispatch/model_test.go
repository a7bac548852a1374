package dispatch

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/postroom/postroom/post"
)

// A model is a Queue in memory that keeps the rules of the real one, and checks
// that it is used by them. What it holds outlives a dispatcher, as a disk does.
type model struct {
	t   testing.TB
	now func() time.Time // wall clock

	mu    sync.Mutex
	made  uint32
	posts map[post.ID]*record
	conns map[connection]*modelConn
	order []connection

	renewals, acquires int
	slowIntent         time.Duration // that writing an intent takes
}

type record struct {
	post.Post
	content post.Content
	history []post.Done
	gone    bool // its media was promised, and never came
}

type modelConn struct {
	epoch     uint64
	until     time.Time // of its lease; zero when none. Monotonic
	notBefore time.Time
	pauseWhy  string
	pauses    []string
	errors    int       // in a row, that counted
	open      []*record // by (due, id)
}

func newModel(t testing.TB) *model {
	return &model{t: t, now: time.Now, posts: map[post.ID]*record{}, conns: map[connection]*modelConn{}}
}

// add schedules a post on account acme.
func (m *model) add(conn post.ConnectionID, due time.Time, text string) post.ID {
	return m.addFor("acme", conn, due, text)
}

func (m *model) addFor(account post.AccountID, conn post.ConnectionID, due time.Time, text string) post.ID {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.made++
	var id post.ID
	binary.BigEndian.PutUint32(id[8:], m.made)
	due = due.Round(0).UTC()
	r := &record{Post: post.Post{ID: id, Group: id, Account: account, Connection: conn, Status: post.StatusScheduled, DueAt: due, SlotAt: due}, content: post.Content{Text: text}}
	m.posts[id] = r
	key := connection{account, conn}
	if m.conns[key] == nil {
		m.conns[key] = &modelConn{}
		m.order = append(m.order, key)
	}
	m.conns[key].insert(r)
	return id
}

func (c *modelConn) insert(r *record) {
	at, _ := slices.BinarySearchFunc(c.open, r, func(a, b *record) int {
		if n := a.DueAt.Compare(b.DueAt); n != 0 {
			return n
		}
		return bytes.Compare(a.ID[:], b.ID[:])
	})
	c.open = slices.Insert(c.open, at, r)
}

func (c *modelConn) remove(r *record) {
	if len(c.open) > 0 && c.open[0] == r {
		c.open = c.open[1:]
		return
	}
	c.open = slices.DeleteFunc(c.open, func(o *record) bool { return o == r })
}

func (c *modelConn) held() bool { return !c.until.IsZero() }

// wake is when the connection is to be looked at; false when nothing waits.
func (c *modelConn) wake() (time.Time, bool) {
	if len(c.open) == 0 {
		return time.Time{}, false
	}
	at := c.open[0].DueAt
	if c.notBefore.After(at) {
		at = c.notBefore
	}
	return at, true
}

// get returns a copy of a post.
func (m *model) get(id post.ID) record {
	m.mu.Lock()
	defer m.mu.Unlock()
	return *m.posts[id]
}

// conn returns a copy of the state of a connection of acme.
func (m *model) conn(id post.ConnectionID) modelConn {
	m.mu.Lock()
	defer m.mu.Unlock()
	return *m.conns[connection{"acme", id}]
}

// counts counts the posts by status.
func (m *model) counts() map[post.Status]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := map[post.Status]int{}
	for _, r := range m.posts {
		n[r.Status]++
	}
	return n
}

// leased counts the leases that were not given back.
func (m *model) leased() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, c := range m.conns {
		if c.held() {
			n++
		}
	}
	return n
}

// asked returns how often leases were asked for and renewed.
func (m *model) asked() (acquires, renewals int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.acquires, m.renewals
}

// restart voids all leases, as opening the store does.
func (m *model) restart() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.conns {
		c.until = time.Time{}
	}
}

func (m *model) Acquire(_ context.Context, ttl time.Duration, most int) ([]post.Lease, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.acquires++
	if most <= 0 {
		m.t.Errorf("Acquire of %d leases", most)
	}
	var out []post.Lease
	for _, key := range m.order {
		c := m.conns[key]
		if c.held() && time.Until(c.until) > 0 {
			continue
		}
		at, ok := c.wake()
		if !ok || at.After(m.now()) || len(out) == most {
			continue
		}
		c.epoch++
		c.until = time.Now().Add(ttl)
		out = append(out, post.Lease{Account: key.account, Connection: key.id, Epoch: c.epoch, Until: c.until, Failing: c.errors > 0 && c.pauseWhy != ""})
	}
	return out, nil
}

func (m *model) check(l post.Lease) (*modelConn, error) {
	c := m.conns[connection{l.Account, l.Connection}]
	if c == nil || !c.held() || c.epoch != l.Epoch {
		return nil, fmt.Errorf("%s, epoch %d: %w", l.Connection, l.Epoch, post.ErrFenced)
	}
	return c, nil
}

func (m *model) Next(_ context.Context, l post.Lease, done *post.Done, late time.Duration) (n post.Next, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, err := m.check(l)
	if err != nil {
		return n, err
	}
	if done != nil {
		if err := m.finish(c, l, *done, false); err != nil {
			return n, err
		}
	}
	now := m.now()
	for _, r := range slices.Clone(c.open) {
		switch {
		case r.Status != post.StatusScheduled:
			continue
		case c.notBefore.After(now) || r.DueAt.After(now):
			n.Wait = r.DueAt
			if c.notBefore.After(n.Wait) {
				n.Wait = c.notBefore
			}
			return n, nil
		case r.gone:
			c.remove(r)
			r.Status, r.Problem = post.StatusFailed, &post.Outcome{Code: post.CodeMediaMissing, Message: "its media was never uploaded: a.jpg", At: now}
			n.Failed = append(n.Failed, r.Post)
			continue
		case late > 0 && r.Attempts == 0 && now.Sub(r.SlotAt) > late:
			c.remove(r)
			r.Status = post.StatusDraft
			n.Held = append(n.Held, r.Post)
			continue
		}
		if m.slowIntent > 0 {
			time.Sleep(m.slowIntent)
		}
		again := r.Epoch > 0
		r.Status, r.Epoch, r.BegunAt = post.StatusProcessing, l.Epoch, now.Round(0)
		r.Attempts++
		n.OK, n.Delivery = true, r.delivery()
		n.Delivery.Again = again
		return n, nil
	}
	return n, nil
}

func (r *record) delivery() post.Delivery {
	p := r.Post
	p.Parts, p.State = slices.Clone(p.Parts), slices.Clone(p.State)
	return post.Delivery{Post: p, Content: r.content}
}

func (m *model) finish(c *modelConn, l post.Lease, d post.Done, orphan bool) error {
	r := m.posts[d.ID]
	if r == nil || r.Connection != l.Connection || r.Status != post.StatusProcessing || orphan != (r.Epoch < l.Epoch) {
		return fmt.Errorf("post %s: %w", d.ID, post.ErrFenced)
	}
	if !r.Status.May(d.Status) {
		return fmt.Errorf("post %s: %s may not become %s", d.ID, r.Status, d.Status)
	}
	if (d.Status == post.StatusPublished) != (d.Receipt != nil) || d.Status == post.StatusScheduled && d.RetryAt.IsZero() {
		return fmt.Errorf("post %s: %+v is not whole", d.ID, d)
	}
	c.remove(r)
	r.Status, r.Problem, r.Receipt = d.Status, d.Outcome, d.Receipt
	r.history = append(r.history, d)
	if d.Parts != nil {
		r.Parts = d.Parts
	}
	if d.Status == post.StatusScheduled {
		if d.Snooze {
			r.Attempts--
		}
		r.DueAt = d.RetryAt
		if now := m.now().Round(0); r.DueAt.Before(now) {
			r.DueAt = now
		}
		c.insert(r)
	}
	switch {
	case d.Status == post.StatusPublished:
		c.errors = 0
	case d.Outcome != nil && !d.Snooze:
		c.errors++
	}
	if d.NotBefore.After(c.notBefore) {
		c.notBefore, c.pauseWhy = d.NotBefore, d.PauseWhy
		if d.PauseWhy != "" {
			c.pauses = append(c.pauses, d.PauseWhy)
		}
	}
	return nil
}

func (m *model) record(l post.Lease, d post.Done, orphan bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, err := m.check(l)
	if err != nil {
		return err
	}
	return m.finish(c, l, d, orphan)
}

func (m *model) Finish(_ context.Context, l post.Lease, d post.Done) error {
	return m.record(l, d, false)
}

func (m *model) Adopt(_ context.Context, l post.Lease, d post.Done) error {
	return m.record(l, d, true)
}

func (m *model) Orphans(_ context.Context, l post.Lease) (out []post.Delivery, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, err := m.check(l)
	if err != nil {
		return nil, err
	}
	for _, r := range c.open {
		if r.Status == post.StatusProcessing && r.Epoch < l.Epoch {
			out = append(out, r.delivery())
		}
	}
	return out, nil
}

func (m *model) Checkpoint(_ context.Context, l post.Lease, id post.ID, parts []post.Part, state []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := m.check(l); err != nil {
		return err
	}
	r := m.posts[id]
	if r.Status != post.StatusProcessing || r.Epoch != l.Epoch {
		return fmt.Errorf("post %s: %w", id, post.ErrFenced)
	}
	if parts != nil {
		r.Parts = slices.Clone(parts)
	}
	if state != nil {
		r.State = slices.Clone(state)
	}
	return nil
}

func (m *model) Renew(_ context.Context, l post.Lease, ttl time.Duration) (post.Lease, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, err := m.check(l)
	if err != nil {
		return l, err
	}
	m.renewals++
	c.until = time.Now().Add(ttl)
	l.Until = c.until
	return l, nil
}

func (m *model) Release(_ context.Context, l post.Lease) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, err := m.check(l)
	if err != nil {
		return err
	}
	c.until = time.Time{}
	return nil
}

func (m *model) NextDue(context.Context) (first time.Time, ok bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.conns {
		if c.held() {
			continue
		}
		if at, some := c.wake(); some && (!ok || at.Before(first)) {
			first, ok = at, true
		}
	}
	return first, ok, nil
}
