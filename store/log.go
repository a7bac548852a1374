package store

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/postroom/postroom/post"
)

// The history of a group is kept at the head of its record: what is sent rewrites
// the record anyway, and a bucket of its own would cost a third more pages a post.

// mostHistory is how many bytes of history a group may have; the oldest events
// make room.
const mostHistory = 16 << 10

// events are the names of CONTRACT §2.8, as history stores them. Never reorder.
var events = [...]string{"", "scheduled", "processing", "publish_attempted", "publish_succeeded", "publish_failed", "status_changed"}

// startRecord begins a group's record with its history, which may come in parts.
func startRecord(b []byte, history ...[]byte) []byte {
	size := 0
	for _, part := range history {
		size += len(part)
	}
	b = append(b[:0], recordVersion)
	b = binary.AppendUvarint(b, uint64(size))
	for _, part := range history {
		b = append(b, part...)
	}
	return b
}

// splitRecord returns the history in a group's record, and the rest.
func splitRecord(key, record []byte) (history, rest []byte, err error) {
	d := newDecoder(record)
	history = d.take(d.count())
	if d.err != nil {
		return nil, nil, fmt.Errorf("group %x: %w", key, d.err)
	}
	return history, d.b, nil
}

// happened encodes events of this moment, and cuts the oldest of the history before
// them as far as they need room.
func (c *change) happened(history []byte, group post.ID, events []post.LogEntry) (kept, added []byte) {
	for i := range events {
		e := &events[i]
		e.Group, e.At = group, c.now
		added = appendEvent(added, e)
	}
	for len(history) > 0 && len(history)+len(added) > mostHistory {
		d := &decoder{b: history}
		if decodeEvent(d, group); d.err != nil {
			break // it is told of where the history is read
		}
		history = d.b
	}
	return history, added
}

// Bits of an event that say which of its rarer fields follow.
const (
	hasError = 1 << iota
	hasHTTP
	hasAttempt
	hasWho
	hasCode
	isRetryable
)

func appendEvent(b []byte, e *post.LogEntry) []byte {
	enc := &encoder{b}
	has := 0
	set := func(bit int, ok bool) {
		if ok {
			has |= bit
		}
	}
	set(hasError, e.Error != "")
	set(hasHTTP, e.Status != 0)
	set(hasAttempt, e.Attempt != 0)
	set(hasWho, e.Who != "")
	set(hasCode, e.ErrorCode != "")
	set(isRetryable, e.Retryable)
	enc.byte(byte(max(slices.Index(events[:], e.Event), 0)))
	enc.byte(byte(has))
	if e.Post.IsZero() {
		enc.uint(0)
	} else {
		enc.uint(distance(e.Group, e.Post))
	}
	enc.int(e.At.UnixMilli() - e.Group.Time().UnixMilli())
	if has&hasError != 0 {
		enc.string(e.Error)
	}
	if has&hasHTTP != 0 {
		enc.uint(uint64(e.Status))
	}
	if has&hasAttempt != 0 {
		enc.uint(uint64(e.Attempt))
	}
	if has&hasWho != 0 {
		enc.string(e.Who)
	}
	if has&hasCode != 0 {
		enc.string(e.ErrorCode)
	}
	return enc.b
}

func decodeEvent(d *decoder, group post.ID) (e post.LogEntry) {
	e.Group = group
	name, has := d.byte(), d.byte()
	if int(name) >= len(events) {
		d.fail()
		return e
	}
	e.Event = events[name]
	switch n := d.uint(); {
	case n > mostPosts:
		d.fail()
	case n > 0:
		e.Post = group.Add(n)
	}
	e.At = group.Time().Add(time.Duration(d.int()) * time.Millisecond)
	if has&hasError != 0 {
		e.Error = d.string()
	}
	if has&hasHTTP != 0 {
		e.Status = d.small()
	}
	if has&hasAttempt != 0 {
		e.Attempt = d.small()
	}
	if has&hasWho != 0 {
		e.Who = d.string()
	}
	if has&hasCode != 0 {
		e.ErrorCode = d.string()
	}
	e.Retryable = has&isRetryable != 0
	return e
}

// Log returns the history of a group, oldest first: what happened to the group,
// and to each of its posts. Of a group with a very long history the oldest events
// are gone.
func (s *Store) Log(ctx context.Context, group post.ID) ([]post.LogEntry, error) {
	var out []post.LogEntry
	err := s.view(ctx, func(tx *bolt.Tx) error {
		out = nil
		g, err := s.group(tx, group)
		if err != nil {
			return err
		}
		history, _, err := splitRecord(g.ID[:], tx.Bucket(bucketGroups).Get(g.ID[:]))
		if err != nil {
			return err
		}
		d, nth := &decoder{b: history}, uint32(0)
		for len(d.b) > 0 {
			e := decodeEvent(d, g.ID)
			if d.err != nil {
				return fmt.Errorf("history of group %s: %w", g.ID, d.err)
			}
			for _, e := range asLogged(e, &g) {
				if n := len(out); n == 0 || !out[n-1].At.Equal(e.At) {
					nth = 0
				}
				e.ID = logID(&e, nth)
				nth++
				out = append(out, e)
			}
		}
		return nil
	})
	return out, err
}

// logID is the id of the nth entry of a group in its millisecond: no other's, and the
// same whenever it is asked for, as none is stored. A hash stands in the place of
// what tells apart the processes that make ids.
func logID(e *post.LogEntry, nth uint32) post.ID {
	sum := sha256.Sum256(append([]byte("log of group "), e.Group[:]...))
	ms := uint32(e.At.Nanosecond() / int(time.Millisecond))
	return post.MakeID(e.At, [5]byte(sum[:]), ms<<14|nth)
}

// asLogged gives an event as the log shows it: a group is scheduled post by post,
// and an attempt begins with processing.
func asLogged(e post.LogEntry, g *post.Group) []post.LogEntry {
	if n := distance(g.ID, e.Post); !e.Post.IsZero() && n > 0 && n <= uint64(len(g.Posts)) {
		e.Platform = g.Posts[n-1].Connection.Platform()
	}
	switch {
	case e.Event == "publish_attempted":
		begun := e
		begun.Event, begun.Attempt = "processing", 0
		return []post.LogEntry{begun, e}
	case e.Event == "scheduled" && e.Post.IsZero():
		var each []post.LogEntry
		for i := range g.Posts {
			one := e
			one.Post, one.Platform = g.Posts[i].ID, g.Posts[i].Connection.Platform()
			each = append(each, one)
		}
		return each
	}
	return []post.LogEntry{e}
}
