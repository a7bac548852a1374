package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/postroom/postroom/post"
)

// The posts that wait on a connection are in two places. Those of a file come as
// a sorted run, cut into blocks, in the runs bucket; the first few of each run,
// and all posts that were made or moved one by one, are in the open bucket. So
// the first post to send is always the first key of its connection in open, an
// import writes a hundredth of the keys, and sealing it is a matter of putting
// the head of each run into open: until then nothing points at its blocks.
//
// The last of a run's head carries the import's id. When it goes, the next few
// of the run follow ([change.promote]).

const (
	blockPosts = 108 // entries in a block of a run: eighteen blocks fill a page
	headPosts  = 16  // entries that go to open at a time
)

// A runEntry is a post in a run: due in seconds(32), distance of the post's id
// from the import's(26), index of the post in its group(6). Entries sort by
// (due, id).
type runEntry uint64

// mostStaged is how many ids one import may give out: their distance from the
// import's id has 26 bits.
const mostStaged = 1<<26 - mostPosts

func newRunEntry(due time.Time, distance uint64, at int) runEntry {
	return runEntry(uint64(seconds(due))<<32 | distance<<6 | uint64(at))
}

func (e runEntry) due() time.Time         { return time.Unix(int64(e>>32), 0).UTC() }
func (e runEntry) at() int                { return int(e & 63) }
func (e runEntry) id(imp post.ID) post.ID { return imp.Add(uint64(e) >> 6 & (1<<26 - 1)) }
func (e runEntry) append(b []byte) []byte { return binary.BigEndian.AppendUint64(b, uint64(e)) }
func runKey(conn uint32, imp post.ID, e runEntry) []byte {
	return e.append(append(key4(conn), imp[:]...))
}

// A runBlock is a stored block: the version, then entries of 8 bytes. Its key has
// the last entry that it was written with, so that the block of any entry is the
// first whose key is not before it; to go back with a cursor in a transaction that
// deletes would stop at pages it emptied.
type runBlock []byte

func readBlock(k, v []byte) (runBlock, error) {
	if len(v) < 9 || v[0] != recordVersion || len(v)%8 != 1 {
		return nil, fmt.Errorf("run %x: %w", k, errRecord)
	}
	return v[1:], nil
}

func (b runBlock) len() int             { return len(b) / 8 }
func (b runBlock) entry(i int) runEntry { return runEntry(binary.BigEndian.Uint64(b[i*8:])) }

// find returns where e is, or would be.
func (b runBlock) find(e runEntry) (int, bool) {
	lo, hi := 0, b.len()
	for lo < hi {
		if mid := (lo + hi) / 2; b.entry(mid) < e {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo, lo < b.len() && b.entry(lo) == e
}

// An openEntry is a key of the open bucket with its value.
type openEntry struct {
	id  post.ID
	due time.Time
	at  int     // index in its group
	run post.ID // the import whose run goes on after it; zero for none
}

func readOpen(k, v []byte) (openEntry, error) {
	if len(k) != 20 || len(v) != 1 && len(v) != 1+post.IDLen {
		return openEntry{}, fmt.Errorf("open %x: %w", k, errRecord)
	}
	e := openEntry{due: openDue(k), at: int(v[0])}
	copy(e.id[:], k[8:])
	copy(e.run[:], v[1:])
	return e, nil
}

// firstOpen returns the first post that waits on a connection.
func firstOpen(tx *bolt.Tx, conn uint32) (e openEntry, ok bool, err error) {
	k, v := tx.Bucket(bucketOpen).Cursor().Seek(key4(conn))
	if k == nil || binary.BigEndian.Uint32(k) != conn {
		return e, false, nil
	}
	e, err = readOpen(k, v)
	return e, err == nil, err
}

// addOpen puts one post among those that wait.
func (c *change) addOpen(conn uint32, p *post.Post, at int) error {
	return c.Bucket(bucketOpen).Put(openKey(conn, p.DueAt, p.ID), []byte{byte(at)})
}

// removeOpen takes a post from those that wait. imp is the import that brought
// it, zero for none.
func (c *change) removeOpen(conn uint32, p *post.Post, at int, imp post.ID) error {
	b, k := c.Bucket(bucketOpen), openKey(conn, p.DueAt, p.ID)
	if v := b.Get(k); v != nil {
		e, err := readOpen(k, v)
		if err != nil {
			return err
		}
		if err := b.Delete(k); err != nil || e.run.IsZero() {
			return err
		}
		return c.promote(conn, e.run)
	}
	return c.removeFromRun(conn, imp, newRunEntry(p.DueAt, distance(imp, p.ID), at))
}

func (c *change) removeFromRun(conn uint32, imp post.ID, e runEntry) error {
	b, want := c.Bucket(bucketRuns), runKey(conn, imp, e)
	k, v := b.Cursor().Seek(want)
	if !bytes.HasPrefix(k, want[:16]) {
		return fmt.Errorf("open post %s: %w: it is in no index", e.id(imp), errRecord)
	}
	block, err := readBlock(k, v)
	if err != nil {
		return err
	}
	i, ok := block.find(e)
	if !ok {
		return fmt.Errorf("open post %s: %w: it is in no index", e.id(imp), errRecord)
	}
	return putBlock(b, k, block[:i*8], block[i*8+8:])
}

// putBlock writes the parts of a block under its key, which may stay higher than
// its last entry, or deletes the block when they are empty.
func putBlock(b *bolt.Bucket, k []byte, parts ...[]byte) error {
	v := append([]byte{recordVersion}, slices.Concat(parts...)...)
	k = slices.Clone(k) // of the page, which the write may move
	if len(v) == 1 {
		return b.Delete(k)
	}
	return b.Put(k, v)
}

// promote puts the next few posts of a run into open.
func (c *change) promote(conn uint32, imp post.ID) error {
	runs, prefix := c.Bucket(bucketRuns), append(key4(conn), imp[:]...)
	cur := runs.Cursor()
	k, v := cur.Seek(prefix)
	if !bytes.HasPrefix(k, prefix) {
		return nil // the run is used up
	}
	block, err := readBlock(k, v)
	if err != nil {
		return err
	}
	n := min(block.len(), headPosts)
	open := c.Bucket(bucketOpen)
	for i := range n {
		e := block.entry(i)
		v := []byte{byte(e.at())}
		if i == n-1 {
			v = append(v, imp[:]...)
		}
		if err := open.Put(openKey(conn, e.due(), e.id(imp)), v); err != nil {
			return err
		}
	}
	return putBlock(runs, k, block[n*8:])
}

// eachOpen calls fn for the posts that wait on a connection and are due in
// [from, to), in no order. Runs that no seal has made live are left out.
func eachOpen(tx *bolt.Tx, conn uint32, from, to time.Time, fn func(e openEntry)) error {
	cur := tx.Bucket(bucketOpen).Cursor()
	for k, v := cur.Seek(openKey(conn, from, post.ID{})); k != nil && binary.BigEndian.Uint32(k) == conn && binary.BigEndian.Uint32(k[4:]) < seconds(to); k, v = cur.Next() {
		e, err := readOpen(k, v)
		if err != nil {
			return err
		}
		fn(e)
	}
	hide := hidden(tx)
	cur = tx.Bucket(bucketRuns).Cursor()
	for k, _ := cur.Seek(key4(conn)); k != nil && binary.BigEndian.Uint32(k) == conn; {
		prefix := slices.Clone(k[:16])
		if imp := post.ID(k[4:16]); !hide.has(imp) {
			if err := eachInRun(cur, prefix, imp, from, to, fn); err != nil {
				return err
			}
		}
		k, _ = cur.Seek(append(prefix, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)) // the next run
	}
	return nil
}

func eachInRun(cur *bolt.Cursor, prefix []byte, imp post.ID, from, to time.Time, fn func(e openEntry)) error {
	first, end := newRunEntry(from, 0, 0), newRunEntry(to, 0, 0)
	for k, v := cur.Seek(first.append(slices.Clone(prefix))); bytes.HasPrefix(k, prefix); k, v = cur.Next() {
		block, err := readBlock(k, v)
		if err != nil {
			return err
		}
		i, _ := block.find(first)
		for ; i < block.len(); i++ {
			e := block.entry(i)
			if e >= end {
				return nil
			}
			fn(openEntry{id: e.id(imp), due: e.due(), at: e.at()})
		}
	}
	return nil
}

// inFlight reports whether a connection has posts whose intent is on disk and
// whose outcome is not.
func inFlight(tx *bolt.Tx, conn uint32) bool {
	k, _ := tx.Bucket(bucketFlight).Cursor().Seek(key4(conn))
	return k != nil && binary.BigEndian.Uint32(k) == conn
}

func flightKey(conn uint32, id post.ID) []byte { return append(key4(conn), id[:]...) }
