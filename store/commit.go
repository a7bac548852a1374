package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"
)

// ErrClosed is returned by a store that was closed.
var ErrClosed = errors.New("the store is closed")

// A write is one caller's change, waiting for the committer.
type write struct {
	fn   func(*change) error
	done chan error
}

// mostTogether is how many changes share one commit.
const mostTogether = 256

// The committer waits for others to join for at most a part of the time that the
// last commit took, and no longer than a sync of a slow disk.
const (
	gatherShare = 2
	gatherMost  = 5 * time.Millisecond
)

// update runs fn in a write transaction and returns when it is durable. Many
// callers share a commit: the committer takes whatever queued while the last
// fsync ran (STORE §7), and [Store.gather] has the rest. fn may run more than once,
// must not keep what the transaction owns, and must not call the store.
//
// A change that was handed over is carried out even when ctx ends meanwhile.
func (s *Store) update(ctx context.Context, fn func(*change) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w := &write{fn: fn, done: make(chan error, 1)}
	select {
	case s.writes <- w:
	case <-s.failed:
		return s.Err()
	case <-s.closing:
		return ErrClosed
	}
	select {
	case err := <-w.done:
		return err
	case <-s.committed:
	}
	select {
	case err := <-w.done:
		return err
	default: // it came when the committer had looked for the last time
		return ErrClosed
	}
}

// commitLoop is the only writer. It ends when the store closes.
func (s *Store) commitLoop() {
	defer close(s.committed)
	var crowd int          // callers that were seen at once, at the last commit
	var took time.Duration // the last commit
	for {
		var batch []*write
		select {
		case w := <-s.writes:
			batch = append(batch, w)
		case <-s.closing:
			s.refuseRest(ErrClosed)
			return
		}
	drain:
		for len(batch) < mostTogether {
			select {
			case w := <-s.writes:
				batch = append(batch, w)
			default:
				break drain
			}
		}
		if len(batch) < crowd {
			batch = s.gather(batch, crowd, min(took/gatherShare, gatherMost))
		}
		start := time.Now()
		s.commit(batch)
		took, crowd = time.Since(start), len(batch)+len(s.writes)
	}
}

// gather waits a little for those who wrote together a moment ago: they are likely
// to be back soon, and a sync costs the same for one as for many. Without it, many
// callers who each wait for their commit and write again fall into two halves,
// which take turns and sync twice as often. Who writes alone never waits.
func (s *Store) gather(batch []*write, crowd int, most time.Duration) []*write {
	enough := time.NewTimer(most)
	defer enough.Stop()
	for len(batch) < min(crowd, mostTogether) {
		select {
		case w := <-s.writes:
			batch = append(batch, w)
		case <-enough.C:
			return batch
		case <-s.closing:
			return batch
		}
	}
	return batch
}

// refuseRest answers whoever still waits.
func (s *Store) refuseRest(err error) {
	for {
		select {
		case w := <-s.writes:
			w.done <- err
		default:
			return
		}
	}
}

// errRefused rolls a batch back because of its changes, and not of the disk.
var errRefused = errors.New("refused")

// commit carries a batch out in one transaction. A change that is refused is
// left out and the rest is done again.
func (s *Store) commit(batch []*write) {
	for len(batch) > 0 {
		if err := s.Err(); err != nil {
			for _, w := range batch {
				w.done <- err
			}
			return
		}
		at, refused := 0, error(nil)
		err := s.db.Update(func(tx *bolt.Tx) error {
			at, refused = s.carryOut(tx, batch)
			if refused != nil {
				return errRefused
			}
			if s.beforeCommit != nil {
				return s.beforeCommit()
			}
			return nil
		})
		switch {
		case err == nil:
			for _, w := range batch {
				w.done <- nil
			}
			return
		case !errors.Is(err, errRefused):
			// What is on disk is not known now: nothing more is written, and
			// the next start reads it (RELIABILITY §1.1, fsyncgate).
			s.fail(fmt.Errorf("commit: %w", err))
		case at < len(batch):
			batch[at].done <- refused
			batch = append(batch[:at:at], batch[at+1:]...)
		case len(batch) == 1:
			batch[0].done <- refused
			return
		default:
			for i := range batch {
				s.commit(batch[i : i+1 : i+1]) // whose fault it is shows
			}
			return
		}
	}
}

// carryOut makes the changes of a batch. When one is refused it says which;
// len(batch) is what they leave to be written together.
func (s *Store) carryOut(tx *bolt.Tx, batch []*write) (at int, refused error) {
	c := s.newChange(tx)
	for i, w := range batch {
		if err := w.fn(c); err != nil {
			return i, err
		}
	}
	return len(batch), c.end()
}

// fail breaks the store for good.
func (s *Store) fail(err error) {
	s.failOnce.Do(func() {
		s.failure.Store(&err)
		close(s.failed)
		s.log.Error("the store failed", "err", err)
	})
}

// Failed is closed when a write or fsync failed. The process must end: only a
// new start knows what is on disk.
func (s *Store) Failed() <-chan struct{} { return s.failed }

// Err returns why the store failed, or nil.
func (s *Store) Err() error {
	if err := s.failure.Load(); err != nil {
		return *err
	}
	return nil
}
