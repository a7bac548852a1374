package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/postroom/postroom/post"
)

// A change is one write transaction's view of the store: it keeps the indexes,
// counts and wake-ups true to the groups it writes.
//
// Many callers share one. What nearly each of them adds to is read once, kept here,
// and written by [change.end]: those who share it write the same few keys, and to
// look a key up is most of what a write costs. A transaction that is rolled back
// takes its change with it, so nothing is kept of what was refused.
type change struct {
	*bolt.Tx
	s       *Store
	now     time.Time
	touched []post.ID // the groups that were written
	told    bool      // webhooks will be woken

	conns  map[uint32]*keptConn // those that were read
	used   map[useKey]*keptUse  // usage that was read
	totals map[post.Status]int  // to be added to what is stored
	dirty  map[post.ID]uint64   // to be added to what is stored
}

// A keptConn is a connection's record, and what of it is stored.
type keptConn struct{ is, stored connRecord }

// A keptUse is what is used, and what of it is stored.
type keptUse struct{ is, stored int }

func (s *Store) newChange(tx *bolt.Tx) *change {
	return &change{
		Tx: tx, s: s, now: s.now(),
		conns: map[uint32]*keptConn{}, used: map[useKey]*keptUse{}, totals: map[post.Status]int{}, dirty: map[post.ID]uint64{},
	}
}

// end writes what was kept.
func (c *change) end() error {
	if err := errors.Join(c.writeConns(), c.writeCounts()); err != nil {
		return err
	}
	if len(c.touched) > 0 {
		c.OnCommit(func() { c.s.rolls.touch(c.touched) })
	}
	return nil
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
	// A group and its posts are of one second, and most groups have few.
	low := int(id[9])<<16 | int(id[10])<<8 | int(id[11])
	for _, back := range []int{4, mostPosts} {
		from, at := id, max(low-back, 0)
		from[9], from[10], from[11] = byte(at>>16), byte(at>>8), byte(at)
		for k, v := c.Seek(from[:]); k != nil && bytes.Compare(k, id[:]) <= 0; k, v = c.Next() {
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

// put writes a group in place of old, which is what is stored, nil for a new one,
// and adds events to its history. Every change of a status passes here, and only
// those that [post.Status.May] allows.
func (c *change) put(old, g *post.Group, events ...post.LogEntry) error {
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
	var record, past []byte
	if old != nil {
		record = b.Get(g.ID[:])
		var err error
		if past, _, err = splitRecord(g.ID[:], record); err != nil {
			return err
		}
	}
	past, added := c.happened(past, g.ID, events)
	fresh := startRecord(make([]byte, 0, len(record)+growth), past, added)
	if err := b.Put(g.ID[:], encodeGroup(fresh, g, account, conns)); err != nil {
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
		c.dirty[g.Import]++ // its report follows
	}
	return nil
}

// growth is how many bytes a record is likely to gain by a change.
const growth = 256

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
		if err := c.use(useKey{account, conn, 0}, n); err != nil {
			return err
		}
	}
	if counts(p) {
		if err := c.use(useKey{account, conn, post.MonthOf(p.SlotAt)}, n); err != nil {
			return err
		}
	}
	c.totals[p.Status] += n
	return nil
}

// A useKey is a key of usage.
type useKey struct {
	account, conn uint32
	month         post.Month // 0 for what is active
}

// usage returns what is used by now.
func (c *change) usage(k useKey) *keptUse {
	u, ok := c.used[k]
	if !ok {
		u = &keptUse{}
		if v := c.Bucket(bucketUsage).Get(usageKey(k.account, k.conn, k.month)); v != nil {
			u.stored = int(binary.BigEndian.Uint32(v))
		}
		u.is = u.stored
		c.used[k] = u
	}
	return u
}

// use adds n to what is used.
func (c *change) use(k useKey, n int) error {
	u := c.usage(k)
	if u.is += n; u.is < 0 {
		return fmt.Errorf("usage of connection %d, month %d: %w: below nothing", k.conn, k.month, errRecord)
	}
	return nil
}

// writeCounts writes usage and totals, and which imports have changed.
func (c *change) writeCounts() error {
	b := c.Bucket(bucketUsage)
	for k, u := range c.used {
		key, err := usageKey(k.account, k.conn, k.month), error(nil)
		switch u.is {
		case u.stored:
		case 0:
			err = b.Delete(key)
		default:
			err = b.Put(key, key4(uint32(u.is)))
		}
		if err != nil {
			return err
		}
	}
	for status, n := range c.totals {
		if err := add(c.Bucket(bucketTotals), []byte{byte(status)}, int64(n)); err != nil {
			return err
		}
	}
	for imp, n := range c.dirty {
		if err := add(c.Bucket(bucketDirty), imp[:], int64(n)); err != nil {
			return err
		}
	}
	return nil
}

// add adds n to the number of eight bytes at k, which is 0 where there is none.
func add(b *bolt.Bucket, k []byte, n int64) error {
	if v := b.Get(k); v != nil {
		n += int64(binary.BigEndian.Uint64(v))
	}
	return b.Put(k, binary.BigEndian.AppendUint64(nil, uint64(n)))
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

// conn returns a connection's record as it is by now, to be read and changed.
func (c *change) conn(n uint32) (*connRecord, error) {
	if k, ok := c.conns[n]; ok {
		return &k.is, nil
	}
	r, err := getConn(c.Tx, n)
	if err != nil {
		return nil, err
	}
	k := &keptConn{r, r}
	c.conns[n] = k
	return &k.is, nil
}

// wake has a connection's key in wake made true at the end, for its posts have
// changed.
func (c *change) wake(n uint32) error {
	_, err := c.conn(n)
	return err
}

// writeConns writes the connections' records that have changed, and makes their
// keys in wake true.
func (c *change) writeConns() error {
	wake := c.Bucket(bucketWake)
	for n, k := range c.conns {
		want, err := wakeAt(c.Tx, n, &k.is)
		if err != nil {
			return err
		}
		if was := k.stored.wake; want != was {
			if was != 0 {
				err = wake.Delete(wakeKey(was, n))
			}
			if want != 0 && err == nil {
				err = wake.Put(wakeKey(want, n), nil)
			}
			if err != nil {
				return err
			}
		}
		if k.is.wake = want; k.is == k.stored {
			continue
		}
		if err := putConn(c.Tx, n, k.is); err != nil {
			return err
		}
		k.stored = k.is
	}
	return nil
}

// voidLeases ends every lease: at open nobody holds one. A connection with posts
// in flight is woken at once, to look them up.
func (s *Store) voidLeases(tx *bolt.Tx) error {
	c := s.newChange(tx)
	for _, n := range s.names.ofAccount("") {
		r, err := c.conn(n)
		if err != nil {
			return err
		}
		r.setBack(c.now)
		if r.leased || inFlight(tx, n) {
			r.leased, r.lookAt = false, c.now
		}
	}
	return c.end()
}
