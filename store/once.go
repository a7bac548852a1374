package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/postroom/postroom/post"
)

// mostForgotten is how many answers past their time one change takes away: more
// than it adds, so that they go as fast as they come.
const mostForgotten = 4

// Answered returns what a request under key was answered with, when that is
// still kept.
func (s *Store) Answered(ctx context.Context, account post.AccountID, key [32]byte) (a post.Answered, ok bool, err error) {
	n, known := s.names.accountNumber(account)
	if !known {
		return a, false, nil
	}
	now := seconds(s.now())
	err = s.view(ctx, func(tx *bolt.Tx) error {
		v := tx.Bucket(bucketOnce).Get(append(key4(n), key[:]...))
		if v == nil {
			return nil
		}
		until, found, err := readAnswered(key[:], v)
		a, ok = found, err == nil && until > now
		return err
	})
	return a, ok, err
}

// readAnswered reads until when an answer is kept(4), the hash of its
// request(32), and the answer.
func readAnswered(k, v []byte) (until uint32, a post.Answered, err error) {
	if len(v) < 1+4+32 || v[0] != recordVersion {
		return 0, a, fmt.Errorf("answer %x: %w", k, errRecord)
	}
	until = binary.BigEndian.Uint32(v[1:])
	copy(a.Request[:], v[5:])
	a.Answer = bytes.Clone(v[37:])
	return until, a, nil
}

// first reports whether nothing of that key is remembered, and remembers it.
func (c *change) first(account uint32, key string, keptFor time.Duration) (bool, error) {
	nothing := func(*post.Group) []byte { return nil }
	err := c.once(account, &post.Once{Key: sha256.Sum256([]byte(key)), KeptFor: keptFor, Answer: nothing}, nil)
	if errors.Is(err, post.ErrDuplicate) {
		return false, nil
	}
	return err == nil, err
}

// once records the answer to what a change was asked for, and refuses a second
// under the same key: the error then wraps post.ErrDuplicate.
func (c *change) once(account uint32, o *post.Once, g *post.Group) error {
	if o == nil {
		return nil
	}
	b, ages, now := c.Bucket(bucketOnce), c.Bucket(bucketOnceAges), seconds(c.now)
	k := append(key4(account), o.Key[:]...)
	if v := b.Get(k); v != nil {
		until, _, err := readAnswered(k, v)
		if err != nil {
			return err
		}
		if until > now {
			return fmt.Errorf("a request under the same key: %w", post.ErrDuplicate)
		}
		// Its time must not end that of the new answer.
		if err := ages.Delete(append(key4(until), k...)); err != nil {
			return err
		}
	}
	var old [][]byte
	cur := ages.Cursor()
	for age, _ := cur.First(); age != nil && len(old) < mostForgotten && binary.BigEndian.Uint32(age) <= now; age, _ = cur.Next() {
		old = append(old, bytes.Clone(age))
	}
	for _, age := range old {
		if err := ages.Delete(age); err != nil {
			return err
		}
		if err := b.Delete(age[4:]); err != nil {
			return err
		}
	}
	until := key4(seconds(c.now.Add(o.KeptFor)))
	v := append(append([]byte{recordVersion}, until...), o.Request[:]...)
	if err := b.Put(k, append(v, o.Answer(g)...)); err != nil {
		return err
	}
	return ages.Put(append(until, k...), nil)
}
