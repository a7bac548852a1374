package store

import (
	"encoding/json"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/postroom/postroom/post"
)

// A connRecord is what is kept of a connection beside its posts.
type connRecord struct {
	epoch       uint64
	notBefore   time.Time
	pauseWhy    string
	lastSuccess time.Time
	lastErrorAt time.Time
	lastError   string
	errorsInRow int
	wake        uint32    // the due of its key in wake; 0 for none
	leased      bool      // it has a holder, under epoch
	lookAt      time.Time // when posts in flight want to be looked up
}

func getConn(tx *bolt.Tx, n uint32) (connRecord, error) {
	b := tx.Bucket(bucketConns).Get(key4(n))
	if b == nil {
		return connRecord{}, fmt.Errorf("connection number %d: %w", n, post.ErrNotFound)
	}
	return decodeConn(key4(n), b)
}

func decodeConn(key, b []byte) (connRecord, error) {
	d := newDecoder(b)
	c := connRecord{epoch: d.uint(), notBefore: d.time(), pauseWhy: d.string(), lastSuccess: d.time(),
		lastErrorAt: d.time(), lastError: d.string(), errorsInRow: d.small(), wake: uint32(d.uint()),
		leased: d.bool(), lookAt: d.time()}
	return c, d.done("connection", key)
}

func putConn(tx *bolt.Tx, n uint32, c connRecord) error {
	e := newEncoder(nil)
	e.uint(c.epoch)
	e.time(c.notBefore)
	e.string(c.pauseWhy)
	e.time(c.lastSuccess)
	e.time(c.lastErrorAt)
	e.string(c.lastError)
	e.uint(uint64(c.errorsInRow))
	e.uint(uint64(c.wake))
	e.bool(c.leased)
	e.time(c.lookAt)
	return tx.Bucket(bucketConns).Put(key4(n), e.b)
}

// An importRecord is an import as stored. It is JSON: there are few, and they
// are read by people with other tools when something is wrong.
type importRecord struct {
	post.Import
	Digest  post.Digest `json:"digest"`
	Options []byte      `json:"options,omitempty"`
	Last    post.ID     `json:"last"` // the last id it gave out
}

func getImport(tx *bolt.Tx, id post.ID) (importRecord, error) {
	var r importRecord
	b := tx.Bucket(bucketImports).Get(id[:])
	if b == nil {
		return r, fmt.Errorf("import %s: %w", id, post.ErrNotFound)
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return r, fmt.Errorf("import %s: %w: %v", id, errRecord, err)
	}
	r.Import.Digest, r.Import.Options = r.Digest, r.Options
	return r, nil
}

func putImport(tx *bolt.Tx, r importRecord) error {
	r.Digest, r.Options = r.Import.Digest, r.Import.Options
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return tx.Bucket(bucketImports).Put(r.ID[:], b)
}

// encodeRow appends a row to a block. base is the import's id: groups of its own
// are written as a distance from it.
func encodeRow(e *encoder, r *post.Row, base post.ID, baseAt int64) {
	const (
		own = 1 << iota
		other
		hasWhy
		hasProblems
		hasUID
		hasRevision
	)
	has := byte(0)
	switch {
	case r.Group.IsZero():
	case sameMachine(r.Group, base):
		has |= own
	default:
		has |= other
	}
	if r.Why != "" {
		has |= hasWhy
	}
	if len(r.Problems) > 0 {
		has |= hasProblems
	}
	if r.UID != "" {
		has |= hasUID
	}
	if r.Sequence != 0 || !r.ModifiedAt.IsZero() {
		has |= hasRevision
	}
	e.byte(has)
	e.byte(byte(r.Decision))
	e.uint(uint64(r.Line))
	e.since(r.RequestedAt, baseAt)
	e.since(r.ScheduledAt, baseAt)
	switch {
	case has&own != 0:
		e.uint(distance(base, r.Group))
	case has&other != 0:
		e.id(r.Group)
	}
	if r.Why != "" {
		e.string(r.Why)
	}
	if r.UID != "" {
		e.string(r.UID)
	}
	if has&hasRevision != 0 {
		e.uint(uint64(r.Sequence))
		e.since(r.ModifiedAt, baseAt)
	}
	if len(r.Problems) > 0 {
		b, err := json.Marshal(r.Problems)
		if err != nil {
			b = nil // a Problem holds nothing that JSON cannot: unreachable
		}
		e.bytes(b)
	}
}

func decodeRow(d *decoder, n int, base post.ID, baseAt int64) (r post.Row) {
	const (
		own = 1 << iota
		other
		hasWhy
		hasProblems
		hasUID
		hasRevision
	)
	has := d.byte()
	r.N = n
	r.Decision = post.Decision(d.byte())
	r.Line = d.small()
	r.RequestedAt = d.since(baseAt)
	r.ScheduledAt = d.since(baseAt)
	switch {
	case has&own != 0:
		r.Group = base.Add(d.uint())
	case has&other != 0:
		r.Group = d.id()
	}
	if has&hasWhy != 0 {
		r.Why = d.string()
	}
	if has&hasUID != 0 {
		r.UID = d.string()
	}
	if has&hasRevision != 0 {
		r.Sequence = d.small()
		r.ModifiedAt = d.since(baseAt)
	}
	if has&hasProblems != 0 {
		if b := d.bytes(); d.err == nil {
			if err := json.Unmarshal(b, &r.Problems); err != nil {
				d.err = fmt.Errorf("%w: %v", errRecord, err)
			}
		}
	}
	return r
}

// sameMachine reports whether two ids were given out by the same source.
func sameMachine(a, b post.ID) bool { return [5]byte(a[4:9]) == [5]byte(b[4:9]) }

// distance is how many places b lies after a, of the same source.
func distance(a, b post.ID) uint64 { return place(b) - place(a) }

func place(id post.ID) uint64 {
	return uint64(id.Time().Unix())<<24 | uint64(id[9])<<16 | uint64(id[10])<<8 | uint64(id[11])
}
