package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/postroom/postroom/post"
)

// mostFaults is how many faults Verify lists.
const mostFaults = 100

// Verify checks the file's pages, then that every index and count agrees with
// the groups. It is one long read: run it on a copy.
func (s *Store) Verify(ctx context.Context) []error {
	var faults []error
	err := s.view(ctx, func(tx *bolt.Tx) error {
		faults = verify(tx, &s.names)
		return nil
	})
	if err != nil {
		faults = append(faults, err)
	}
	return faults
}

// VerifyFile does what Verify does on a file that is not in use. A damaged file
// can kill the process that reads it: run it in a child with a memory limit.
func VerifyFile(_ context.Context, path string) error {
	db, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true, Timeout: time.Second})
	if err != nil {
		return err
	}
	var faults []error
	err = db.View(func(tx *bolt.Tx) error {
		for _, name := range buckets {
			if tx.Bucket(name) == nil {
				return fmt.Errorf("bucket %s is missing", name)
			}
		}
		var names registry
		if err := names.load(tx); err != nil {
			return err
		}
		faults = verify(tx, &names)
		return nil
	})
	return errors.Join(append(faults, err, db.Close())...)
}

func verify(tx *bolt.Tx, names *registry) []error {
	var faults []error
	fault := func(format string, args ...any) {
		if len(faults) < mostFaults {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	for err := range tx.Check() {
		fault("page: %w", err)
	}
	if len(faults) > 0 {
		return faults // what the pages hold means nothing then
	}
	h := hidden(tx)
	open := 0
	usage := map[string]int{}
	totals := map[post.Status]int64{}
	each(tx, bucketGroups, fault, func(k, v []byte) {
		if h.has(post.ID(k)) {
			return
		}
		g, err := decodeGroup(k, v, names)
		if err != nil {
			fault("%w", err)
			return
		}
		account, _ := names.accountNumber(g.Account)
		for i := range g.Posts {
			p := &g.Posts[i]
			conn, _ := names.connNumber(connName{g.Account, p.Connection})
			totals[p.Status]++
			if counts(p) {
				usage[string(usageKey(account, conn, post.MonthOf(p.SlotAt)))]++
			}
			if !p.Status.Open() {
				continue
			}
			open++
			usage[string(usageKey(account, conn, 0))]++
			e := tx.Bucket(bucketOpen).Get(openKey(conn, p.DueAt, p.ID))
			if len(e) != 2 || int(e[0]) != i || post.Status(e[1]) != p.Status {
				fault("post %s, %s, due %s: its open entry is %x", p.ID, p.Status, p.DueAt, e)
			}
		}
	})
	each(tx, bucketOpen, fault, func(k, _ []byte) {
		if !h.has(openPost(k)) {
			open--
		}
	})
	if open != 0 {
		fault("open posts and open entries differ by %d", open)
	}
	each(tx, bucketUsage, fault, func(k, v []byte) {
		if n := int(binary.BigEndian.Uint32(v)); usage[string(k)] != n {
			fault("usage %x says %d, counted %d", k, n, usage[string(k)])
		}
		delete(usage, string(k))
	})
	for k, n := range usage {
		fault("usage %x is missing, counted %d", k, n)
	}
	each(tx, bucketTotals, fault, func(k, v []byte) {
		if n := int64(binary.BigEndian.Uint64(v)); totals[post.Status(k[0])] != n {
			fault("total of %s says %d, counted %d", post.Status(k[0]), n, totals[post.Status(k[0])])
		}
	})
	each(tx, bucketConns, fault, func(k, _ []byte) {
		n := binary.BigEndian.Uint32(k)
		r, err := getConn(tx, n)
		if err != nil {
			fault("%w", err)
			return
		}
		if r.wake != 0 && tx.Bucket(bucketWake).Get(wakeKey(r.wake, n)) == nil {
			fault("connection %d has no wake key at %d", n, r.wake)
		}
	})
	each(tx, bucketImports, fault, func(k, _ []byte) {
		if _, err := getImport(tx, post.ID(k)); err != nil {
			fault("%w", err)
		}
	})
	return faults
}

func each(tx *bolt.Tx, bucket []byte, fault func(string, ...any), fn func(k, v []byte)) {
	err := tx.Bucket(bucket).ForEach(func(k, v []byte) error {
		fn(k, v)
		return nil
	})
	if err != nil {
		fault("bucket %s: %w", bucket, err)
	}
}
