package store

import (
	"bytes"
	"context"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/postroom/postroom/post"
)

// sweepAtOnce is how many keys one transaction of a sweep removes.
const sweepAtOnce = 20_000

// sweepStage removes everything of one unsealed stage, in bounded steps. The
// stage's own mark goes last, so that a crash goes on with it.
func (s *Store) sweepStage(ctx context.Context, base post.ID) error {
	for done := false; !done; {
		err := s.update(ctx, func(c *change) error {
			left := sweepAtOnce
			for _, b := range [][]byte{bucketRows, bucketKeyRuns, bucketTwinRuns} {
				if err := deleteRun(c.Bucket(b), base[:], func(k []byte) bool { return post.ID(k[:12]) == base }, &left); err != nil {
					return err
				}
			}
			for at, ok := base, true; ok && left > 0; {
				err := deleteRun(c.Bucket(bucketGroups), at[:], func(k []byte) bool { return sameMachine(post.ID(k), base) }, &left)
				if err != nil {
					return err
				}
				at, ok = nextRun(c.Tx, base, at)
			}
			for _, n := range s.names.ofAccount("") {
				prefix := append(key4(n), base[:]...)
				if err := deleteRun(c.Bucket(bucketRuns), prefix, func(k []byte) bool { return bytes.HasPrefix(k, prefix) }, &left); err != nil {
					return err
				}
			}
			if done = left > 0; done {
				return c.Bucket(bucketStages).Delete(base[:])
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// deleteRun deletes keys from start on while in holds, at most left of them.
func deleteRun(b *bolt.Bucket, start []byte, in func(k []byte) bool, left *int) error {
	var keys [][]byte // a cursor skips keys when they are deleted under it
	c := b.Cursor()
	for k, _ := c.Seek(start); k != nil && in(k) && *left > 0; k, _ = c.Next() {
		keys = append(keys, slices.Clone(k))
		*left--
	}
	for _, k := range keys {
		if err := b.Delete(k); err != nil {
			return err
		}
	}
	return nil
}

// nextRun returns where a stage's ids go on: they may run over into the seconds
// after its own.
func nextRun(tx *bolt.Tx, base, at post.ID) (post.ID, bool) {
	next := post.MakeID(at.Time().Add(time.Second), [5]byte(base[4:9]), 0)
	k, _ := tx.Bucket(bucketGroups).Cursor().Seek(next[:])
	return next, k != nil && sameMachine(post.ID(k), base)
}
