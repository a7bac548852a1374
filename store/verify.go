package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
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

// VerifyFile does what Verify does on a file that is not in use. One of an older
// format may lack what the next [Open] adds; a newer one wraps [ErrNewer]. A damaged file
// can kill the process that reads it: run it in a child with a memory limit.
func VerifyFile(ctx context.Context, path string) error {
	db, err := openRead(path)
	if err != nil {
		return err
	}
	var faults []error
	err = db.View(func(tx *bolt.Tx) error {
		at, err := formatOf(tx)
		if err != nil {
			return err
		}
		for _, name := range buckets {
			if at == format && tx.Bucket(name) == nil {
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
	return errors.Join(append(faults, err, db.Close(), ctx.Err())...)
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
	waiting, flight, sum := 0, 0, uint64(0)
	uploads := 0
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
		for i := range g.Media {
			id := g.Media[i].Upload.ID
			if id.IsZero() {
				continue
			}
			uploads++
			if of := tx.Bucket(bucketUploads).Get(id[:]); !bytes.Equal(of, g.ID[:]) {
				fault("media %s of group %s is found at %x", id, g.ID, of)
			}
		}
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
			usage[string(usageKey(account, conn, 0))]++
			if p.Status == post.StatusProcessing {
				flight++
				if v := tx.Bucket(bucketFlight).Get(flightKey(conn, p.ID)); len(v) != 1 || int(v[0]) != i {
					fault("post %s, %s: its flight entry is %x", p.ID, p.Status, v)
				}
				continue
			}
			waiting++
			sum += openSum(conn, p.DueAt, p.ID, i)
		}
	})
	verifyOpen(tx, h, fault, waiting, sum)
	each(tx, bucketFlight, fault, func(_, _ []byte) { flight-- })
	if flight != 0 {
		fault("posts in flight and their entries differ by %d", flight)
	}
	each(tx, bucketUploads, fault, func(_, _ []byte) { uploads-- })
	if uploads != 0 {
		fault("media that comes through the API and its entries differ by %d", uploads)
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
	verifyNotices(tx, fault)
	woken := 0
	each(tx, bucketConns, fault, func(k, _ []byte) {
		n := binary.BigEndian.Uint32(k)
		r, err := getConn(tx, n)
		if err != nil {
			fault("%w", err)
			return
		}
		if want, err := wakeAt(tx, n, &r); err != nil || want != r.wake {
			fault("connection %d is woken at %d, want %d: %v", n, r.wake, want, err)
		}
		if r.wake != 0 {
			woken++
			if tx.Bucket(bucketWake).Get(wakeKey(r.wake, n)) == nil {
				fault("connection %d has no wake key at %d", n, r.wake)
			}
		}
	})
	each(tx, bucketWake, fault, func(_, _ []byte) { woken-- })
	if woken != 0 {
		fault("connections to wake and their keys differ by %d", woken)
	}
	each(tx, bucketImports, fault, func(k, _ []byte) {
		if _, err := getImport(tx, post.ID(k)); err != nil {
			fault("%w", err)
		}
	})
	return faults
}

// verifyOpen checks that the posts that wait are each in one index, once, and
// that runs go on where their heads say.
func verifyOpen(tx *bolt.Tx, hide stageSet, fault func(string, ...any), waiting int, sum uint64) {
	type run struct {
		conn uint32
		imp  post.ID
	}
	heads := map[run][]byte{} // the last key of each run's head
	each(tx, bucketOpen, fault, func(k, v []byte) {
		e, err := readOpen(k, v)
		if err != nil {
			fault("%w", err)
			return
		}
		conn := binary.BigEndian.Uint32(k)
		waiting--
		sum -= openSum(conn, e.due, e.id, e.at)
		if e.run.IsZero() {
			return
		}
		if r := (run{conn, e.run}); heads[r] == nil {
			heads[r] = k
		} else {
			fault("the run of import %s on connection %d has two heads", e.run, conn)
		}
	})
	last := map[run]runEntry{}
	each(tx, bucketRuns, fault, func(k, v []byte) {
		block, err := readBlock(k, v)
		if err != nil || len(k) != 24 {
			fault("run %x: %w", k, errors.Join(err, errRecord))
			return
		}
		r := run{binary.BigEndian.Uint32(k), post.ID(k[4:16])}
		if hide.has(r.imp) {
			return
		}
		if heads[r] == nil {
			fault("the run of import %s on connection %d has no head", r.imp, r.conn)
		}
		if last := runEntry(binary.BigEndian.Uint64(k[16:])); block.entry(block.len()-1) > last {
			fault("run %x: its last entry %x comes after its key", k, block.entry(block.len()-1))
		}
		for i := range block.len() {
			e := block.entry(i)
			if e <= last[r] {
				fault("run %x: entry %d is out of order", k, i)
			}
			last[r] = e
			if i == 0 && bytes.Compare(openKey(r.conn, e.due(), e.id(r.imp)), heads[r]) <= 0 {
				fault("run %x: it begins before its head ends", k)
			}
			waiting--
			sum -= openSum(r.conn, e.due(), e.id(r.imp), e.at())
		}
	})
	if waiting != 0 || sum != 0 {
		fault("posts that wait and their entries differ: by %d, checksum %x", waiting, sum)
	}
}

// openSum is a number for one entry that others are unlikely to add up to.
func openSum(conn uint32, due time.Time, id post.ID, at int) uint64 {
	h := fnv.New64a()
	h.Write(append(openKey(conn, due, id), byte(at)))
	return h.Sum64()
}

func each(tx *bolt.Tx, bucket []byte, fault func(string, ...any), fn func(k, v []byte)) {
	b := tx.Bucket(bucket)
	if b == nil {
		return // an older format has none of these
	}
	err := b.ForEach(func(k, v []byte) error {
		fn(k, v)
		return nil
	})
	if err != nil {
		fault("bucket %s: %w", bucket, err)
	}
}
