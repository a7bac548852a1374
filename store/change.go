package store

import (
	"encoding/binary"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/postroom/postroom/post"
)

// A change is one write transaction's view of the store: it keeps the indexes,
// counts and wake-ups true to the groups it writes.
type change struct {
	*bolt.Tx
	s   *Store
	now time.Time
}

// change runs fn as one durable change.
func (s *Store) change(fn func(c *change) error) func(*bolt.Tx) error {
	return func(tx *bolt.Tx) error { return fn(&change{tx, s, s.now()}) }
}

// group reads a group by its id or by that of one of its posts.
func (s *Store) group(tx *bolt.Tx, id post.ID) (post.Group, error) {
	c := tx.Bucket(bucketGroups).Cursor()
	k, v := c.Seek(id[:])
	if k == nil || post.ID(k) != id {
		k, v = c.Prev()
	}
	if k == nil || !sameMachine(post.ID(k), id) || hidden(tx).has(id) {
		return post.Group{}, fmt.Errorf("%s: %w", id, post.ErrNotFound)
	}
	g, err := decodeGroup(k, v, &s.names)
	if err != nil {
		return g, err
	}
	if n := distance(g.ID, id); n > uint64(len(g.Posts)) {
		return post.Group{}, fmt.Errorf("%s: %w", id, post.ErrNotFound)
	}
	return g, nil
}

// stageSet are the stages that were not sealed yet: nothing of theirs is shown.
type stageSet map[[5]byte]bool

func hidden(tx *bolt.Tx) stageSet {
	c := tx.Bucket(bucketStages).Cursor()
	k, _ := c.First()
	if k == nil {
		return nil
	}
	set := stageSet{}
	for ; k != nil; k, _ = c.Next() {
		set[[5]byte(k[4:9])] = true
	}
	return set
}

func (h stageSet) has(id post.ID) bool { return h != nil && h[[5]byte(id[4:9])] }

// put writes a group in place of old, which is what is stored; nil for a new one.
func (c *change) put(old, g *post.Group) error {
	account, ok := c.s.names.accountNumber(g.Account)
	if !ok {
		return fmt.Errorf("account %s has no number", g.Account)
	}
	conns := make([]uint32, len(g.Posts))
	for i := range g.Posts {
		n, ok := c.s.names.connNumber(connName{g.Account, g.Posts[i].Connection})
		if !ok {
			return fmt.Errorf("connection %s has no number", g.Posts[i].Connection)
		}
		conns[i] = n
	}
	b := c.Bucket(bucketGroups)
	b.FillPercent = ascending
	if err := b.Put(g.ID[:], encodeGroup(nil, g, account, conns)); err != nil {
		return err
	}
	for i := range g.Posts {
		var was *post.Post
		if old != nil {
			was = &old.Posts[i]
		}
		if err := c.index(account, conns[i], i, was, &g.Posts[i]); err != nil {
			return err
		}
	}
	if !g.Import.IsZero() && old != nil {
		return c.dirty(g.Import)
	}
	return nil
}

// index keeps open, wake, usage and totals true to one post.
func (c *change) index(account, conn uint32, at int, was, is *post.Post) error {
	if was != nil && was.Status.Open() && (!is.Status.Open() || !was.DueAt.Equal(is.DueAt)) {
		if err := c.Bucket(bucketOpen).Delete(openKey(conn, was.DueAt, was.ID)); err != nil {
			return err
		}
	}
	if is.Status.Open() {
		if err := c.Bucket(bucketOpen).Put(openKey(conn, is.DueAt, is.ID), []byte{byte(at), byte(is.Status)}); err != nil {
			return err
		}
	}
	if was != nil {
		if err := c.count(account, conn, was, -1); err != nil {
			return err
		}
	}
	if err := c.count(account, conn, is, 1); err != nil {
		return err
	}
	return c.wake(conn)
}

// counts reports whether a post takes part of its month's quota: all that was
// promised, but for what failed without being live (CONTRACT §4.2).
func counts(p *post.Post) bool {
	switch p.Status {
	case post.StatusScheduled, post.StatusPending, post.StatusProcessing, post.StatusPublished, post.StatusUnknown:
		return true
	case post.StatusFailed:
		return p.PartsLive() > 0
	}
	return false
}

// count adds n of p's kind to usage and totals.
func (c *change) count(account, conn uint32, p *post.Post, n int) error {
	if p.Status.Open() {
		if err := c.use(account, conn, 0, n); err != nil {
			return err
		}
	}
	if counts(p) {
		if err := c.use(account, conn, post.MonthOf(p.SlotAt), n); err != nil {
			return err
		}
	}
	return c.total(p.Status, n)
}

// use adds n to what is used of a month, or of the active posts for month 0.
func (c *change) use(account, conn uint32, month post.Month, n int) error {
	b, k := c.Bucket(bucketUsage), usageKey(account, conn, month)
	have := 0
	if v := b.Get(k); v != nil {
		have = int(binary.BigEndian.Uint32(v))
	}
	if have+n < 0 {
		return fmt.Errorf("usage %x: %w: below nothing", k, errRecord)
	}
	if have+n == 0 {
		return b.Delete(k)
	}
	return b.Put(k, key4(uint32(have+n)))
}

func (c *change) total(status post.Status, n int) error {
	b, k := c.Bucket(bucketTotals), []byte{byte(status)}
	have := int64(0)
	if v := b.Get(k); v != nil {
		have = int64(binary.BigEndian.Uint64(v))
	}
	return b.Put(k, binary.BigEndian.AppendUint64(nil, uint64(have+int64(n))))
}

// dirty notes that posts of an import changed, so that its report follows.
func (c *change) dirty(imp post.ID) error {
	b := c.Bucket(bucketDirty)
	n := uint64(0)
	if v := b.Get(imp[:]); v != nil {
		n = binary.BigEndian.Uint64(v)
	}
	return b.Put(imp[:], binary.BigEndian.AppendUint64(nil, n+1))
}

// wake puts a connection's key in wake where its first open post is, or when it
// may send again if that is later. A leased connection has no key: its holder
// is at work, and Release puts it back.
func (c *change) wake(conn uint32) error {
	r, err := getConn(c.Tx, conn)
	if err != nil {
		return err
	}
	want := uint32(0)
	if !c.s.leases.isHeld(conn) {
		if due, ok := firstOpen(c.Tx, conn); ok {
			want = max(seconds(due), 1)
			if !r.notBefore.IsZero() {
				want = max(want, seconds(r.notBefore.Add(time.Second-1)))
			}
		}
	}
	if want == r.wake {
		return nil
	}
	b := c.Bucket(bucketWake)
	if r.wake != 0 {
		if err := b.Delete(wakeKey(r.wake, conn)); err != nil {
			return err
		}
	}
	if want != 0 {
		if err := b.Put(wakeKey(want, conn), nil); err != nil {
			return err
		}
	}
	r.wake = want
	return putConn(c.Tx, conn, r)
}

// firstOpen returns when the first open post of a connection is due.
func firstOpen(tx *bolt.Tx, conn uint32) (time.Time, bool) {
	h := hidden(tx)
	c := tx.Bucket(bucketOpen).Cursor()
	for k, _ := c.Seek(key4(conn)); k != nil && binary.BigEndian.Uint32(k) == conn; k, _ = c.Next() {
		if !h.has(openPost(k)) {
			return openDue(k), true
		}
	}
	return time.Time{}, false
}

// wakeAll makes every wake-up anew: at open no lease is held.
func (s *Store) wakeAll(tx *bolt.Tx) error {
	c := &change{tx, s, s.now()}
	for _, n := range s.names.ofAccount("") {
		if err := c.wake(n); err != nil {
			return err
		}
	}
	return nil
}

// log appends an event to a group's history.
func (c *change) log(e post.LogEntry) error {
	b := c.Bucket(bucketLog)
	cur := b.Cursor()
	n := uint32(0)
	end := append(append([]byte{}, e.Group[:]...), 0xff, 0xff, 0xff, 0xff)
	k, _ := cur.Seek(end)
	if k == nil {
		k, _ = cur.Last()
	} else {
		k, _ = cur.Prev()
	}
	if k != nil && post.ID(k[:post.IDLen]) == e.Group {
		n = binary.BigEndian.Uint32(k[post.IDLen:]) + 1
	}
	enc := newEncoder(nil)
	enc.id(e.Post)
	enc.string(string(e.Platform))
	enc.string(e.Event)
	enc.string(e.Error)
	enc.uint(uint64(e.Status))
	enc.uint(uint64(e.Attempt))
	enc.string(e.Who)
	enc.time(c.now)
	enc.string(e.ErrorCode)
	enc.bool(e.Retryable)
	return b.Put(append(append([]byte{}, e.Group[:]...), key4(n)...), enc.b)
}

func decodeLog(k, v []byte) (post.LogEntry, error) {
	d := newDecoder(v)
	e := post.LogEntry{Group: post.ID(k[:post.IDLen]), Post: d.id(), Platform: post.Platform(d.string()), Event: d.string(),
		Error: d.string(), Status: d.small(), Attempt: d.small(), Who: d.string(), At: d.time(), ErrorCode: d.string(), Retryable: d.bool()}
	e.ID = post.MakeID(e.At, [5]byte(k[4:9]), binary.BigEndian.Uint32(k[post.IDLen:]))
	return e, d.done("log entry", k)
}
