package store

import (
	"bytes"
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
	s       *Store
	now     time.Time
	touched []post.ID // the groups that were written
	told    bool      // webhooks will be woken
}

// change runs fn as one durable change.
func (s *Store) change(fn func(c *change) error) func(*bolt.Tx) error {
	return func(tx *bolt.Tx) error {
		c := &change{Tx: tx, s: s, now: s.now()}
		if err := fn(c); err != nil {
			return err
		}
		if len(c.touched) > 0 {
			tx.OnCommit(func() { s.rolls.touch(c.touched) })
		}
		return nil
	}
}

// group reads a group by its id or by that of one of its posts.
func (s *Store) group(tx *bolt.Tx, id post.ID) (post.Group, error) {
	k, v := findGroup(tx, id)
	if k == nil || hidden(tx).has(id) {
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

// findGroup returns the last group whose id is not after id, among those that may
// have a post with that id. It only goes forward: see [runBlock].
func findGroup(tx *bolt.Tx, id post.ID) (key, record []byte) {
	c := tx.Bucket(bucketGroups).Cursor()
	k, v := c.Seek(id[:])
	if bytes.Equal(k, id[:]) {
		return k, v
	}
	// A group and its posts are of one second, and most groups have few.
	low := int(id[9])<<16 | int(id[10])<<8 | int(id[11])
	for _, back := range []int{4, mostPosts} {
		from, at := id, max(low-back, 0)
		from[9], from[10], from[11] = byte(at>>16), byte(at>>8), byte(at)
		for k, v := c.Seek(from[:]); k != nil && bytes.Compare(k, id[:]) < 0; k, v = c.Next() {
			key, record = k, v
		}
		if key != nil {
			break
		}
	}
	return key, record
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
// Every change of a status passes here, and only those that [post.Status.May]
// allows.
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
	c.touched = append(c.touched, g.ID)
	var past []byte
	if old != nil {
		var err error
		if past, _, err = splitRecord(g.ID[:], b.Get(g.ID[:])); err != nil {
			return err
		}
	}
	if err := b.Put(g.ID[:], encodeGroup(startRecord(nil, past), g, account, conns)); err != nil {
		return err
	}
	for i := range g.Posts {
		var was *post.Post
		if old != nil {
			if was = &old.Posts[i]; was.Status != g.Posts[i].Status && !was.Status.May(g.Posts[i].Status) {
				return fmt.Errorf("post %s: %s may not become %s: %w", was.ID, was.Status, g.Posts[i].Status, post.ErrState)
			}
		}
		if err := c.index(account, conns[i], i, g.Import, was, &g.Posts[i]); err != nil {
			return err
		}
		if err := c.tellOf(account, g, was, &g.Posts[i]); err != nil {
			return err
		}
	}
	if !g.Import.IsZero() && old != nil {
		return c.dirty(g.Import)
	}
	return nil
}

// isWaiting reports whether a post is in the index of those that wait.
func isWaiting(p *post.Post) bool {
	return p != nil && (p.Status == post.StatusScheduled || p.Status == post.StatusPending)
}

// index keeps the indexes, usage and totals true to one post. imp is the import
// that brought it.
func (c *change) index(account, conn uint32, at int, imp post.ID, was, is *post.Post) error {
	flies := func(p *post.Post) bool { return p != nil && p.Status == post.StatusProcessing }
	moved := was == nil || seconds(was.DueAt) != seconds(is.DueAt)
	if isWaiting(was) && (!isWaiting(is) || moved) {
		if err := c.removeOpen(conn, was, at, imp); err != nil {
			return err
		}
	}
	if isWaiting(is) && (!isWaiting(was) || moved) {
		if err := c.addOpen(conn, is, at); err != nil {
			return err
		}
	}
	if flies(was) != flies(is) {
		var err error
		if b, k := c.Bucket(bucketFlight), flightKey(conn, is.ID); flies(is) {
			err = b.Put(k, []byte{byte(at)})
		} else {
			err = b.Delete(k)
		}
		if err != nil {
			return err
		}
	}
	if is.Status == post.StatusPublished && (was == nil || was.Status != post.StatusPublished) {
		if err := c.sent(conn, is); err != nil {
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

// orphanLook is how soon a connection is woken again whose last holder left posts
// in flight: their outcome is looked up once they had their time.
const orphanLook = 15 * time.Second

// wakeAt returns the second in which a connection next wants a holder, 0 for
// none: when its first post is due, or when it may send again if that is later,
// or when posts in flight want to be looked up. A leased connection has a holder
// at work, and Release puts it back.
func wakeAt(tx *bolt.Tx, conn uint32, r *connRecord) (uint32, error) {
	if r.leased {
		return 0, nil
	}
	e, ok, err := firstOpen(tx, conn)
	if err != nil {
		return 0, err
	}
	at := uint32(0)
	if ok {
		at = max(seconds(e.due), seconds(wholeSecond(r.notBefore)), 1)
	}
	if inFlight(tx, conn) {
		if look := max(seconds(r.lookAt), 1); at == 0 || look < at {
			at = look
		}
	}
	return at, nil
}

// wake keeps a connection's key in wake true.
func (c *change) wake(conn uint32) error {
	r, err := getConn(c.Tx, conn)
	if err != nil {
		return err
	}
	if want, err := wakeAt(c.Tx, conn, &r); err != nil || want == r.wake {
		return err
	}
	return c.putConn(conn, r)
}

// putConn writes a connection's record, and its key in wake.
func (c *change) putConn(conn uint32, r connRecord) error {
	want, err := wakeAt(c.Tx, conn, &r)
	if err != nil {
		return err
	}
	if want != r.wake {
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
	}
	return putConn(c.Tx, conn, r)
}

// voidLeases ends every lease: at open nobody holds one. A connection with posts
// in flight is woken at once, to look them up.
func (s *Store) voidLeases(tx *bolt.Tx) error {
	c := &change{Tx: tx, s: s, now: s.now()}
	for _, n := range s.names.ofAccount("") {
		r, err := getConn(tx, n)
		if err != nil {
			return err
		}
		if !r.leased && !inFlight(tx, n) {
			continue
		}
		r.leased, r.lookAt = false, c.now
		if err := c.putConn(n, r); err != nil {
			return err
		}
	}
	return nil
}
