package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/postroom/postroom/post"
)

// What went out on a connection is counted in slots of five minutes, and kept for
// as long as people ask about.
const (
	sentSlot = 5 * time.Minute
	sentKept = 24 * time.Hour
)

func slotOf(t time.Time) uint32 { return seconds(t) / uint32(sentSlot/time.Second) }

// sent counts a post that went live, each part of a thread by itself as platforms
// do. With the first of five minutes, what is too old is forgotten.
func (c *change) sent(conn uint32, p *post.Post) error {
	at := c.now
	if p.Receipt != nil && !p.Receipt.PublishedAt.IsZero() && p.Receipt.PublishedAt.Before(at) {
		at = p.Receipt.PublishedAt
	}
	oldest := slotOf(c.now.Add(-sentKept))
	if slotOf(at) < oldest {
		return nil
	}
	b, prefix := c.Bucket(bucketSent), key4(conn)
	k := binary.BigEndian.AppendUint32(key4(conn), slotOf(at))
	n := uint32(max(1, p.PartsLive()))
	if v := b.Get(k); len(v) == 4 {
		return b.Put(k, key4(n+binary.BigEndian.Uint32(v)))
	}
	var old [][]byte
	cur := b.Cursor()
	for k, _ := cur.Seek(prefix); bytes.HasPrefix(k, prefix) && binary.BigEndian.Uint32(k[4:]) < oldest; k, _ = cur.Next() {
		old = append(old, bytes.Clone(k))
	}
	for _, k := range old {
		if err := b.Delete(k); err != nil {
			return err
		}
	}
	return b.Put(k, key4(n))
}

// sentSince counts what went out on a connection since then, to five minutes.
func sentSince(tx *bolt.Tx, conn uint32, since time.Time) (n int, err error) {
	prefix := key4(conn)
	cur := tx.Bucket(bucketSent).Cursor()
	for k, v := cur.Seek(binary.BigEndian.AppendUint32(key4(conn), slotOf(since))); bytes.HasPrefix(k, prefix); k, v = cur.Next() {
		if len(k) != 8 || len(v) != 4 {
			return 0, fmt.Errorf("sent %x: %w", k, errRecord)
		}
		n += int(binary.BigEndian.Uint32(v))
	}
	return n, nil
}
