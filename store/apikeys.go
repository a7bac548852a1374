package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/postroom/postroom/post"
)

// A keyRecord is an API key as stored: its hash, never the key.
type keyRecord struct {
	post.APIKey
	Hash []byte `json:"sha256"`
}

func readAPIKey(k, v []byte) (post.APIKey, error) {
	var r keyRecord
	if err := json.Unmarshal(v, &r); err != nil || len(r.Hash) != len(r.APIKey.Hash) {
		return post.APIKey{}, fmt.Errorf("api key %s: %w", k, errRecord)
	}
	copy(r.APIKey.Hash[:], r.Hash)
	return r.APIKey, nil
}

func putAPIKey(tx *bolt.Tx, k post.APIKey) error {
	b, err := json.Marshal(keyRecord{k, k.Hash[:]})
	if err != nil {
		return err
	}
	return tx.Bucket(bucketAPIKeys).Put([]byte(k.ID), b)
}

// AddAPIKey stores a key of an account, which may have at most most that are not
// revoked; more wrap post.ErrFull. One with the same id wraps post.ErrDuplicate.
func (s *Store) AddAPIKey(ctx context.Context, k post.APIKey, most int) error {
	if k.CreatedAt.IsZero() {
		k.CreatedAt = s.now()
	}
	return s.update(ctx, func(c *change) error {
		b, active := c.Bucket(bucketAPIKeys), 0
		if b.Get([]byte(k.ID)) != nil {
			return fmt.Errorf("api key %s: %w", k.ID, post.ErrDuplicate)
		}
		err := b.ForEach(func(name, v []byte) error {
			have, err := readAPIKey(name, v)
			if err == nil && have.Account == k.Account && have.RevokedAt.IsZero() {
				active++
			}
			return err
		})
		if err != nil {
			return err
		}
		if active >= most {
			return fmt.Errorf("%d keys are in use: %w", active, post.ErrFull)
		}
		return putAPIKey(c.Tx, k)
	})
}

// APIKey returns the key of that id, revoked or not.
func (s *Store) APIKey(ctx context.Context, id string) (k post.APIKey, err error) {
	err = s.view(ctx, func(tx *bolt.Tx) error {
		v := tx.Bucket(bucketAPIKeys).Get([]byte(id))
		if v == nil {
			return fmt.Errorf("api key %s: %w", id, post.ErrNotFound)
		}
		k, err = readAPIKey([]byte(id), v)
		return err
	})
	return k, err
}

// APIKeys lists the keys of an account, or all for "", the oldest first.
func (s *Store) APIKeys(ctx context.Context, account post.AccountID) (keys []post.APIKey, err error) {
	err = s.view(ctx, func(tx *bolt.Tx) error {
		return tx.Bucket(bucketAPIKeys).ForEach(func(id, v []byte) error {
			k, err := readAPIKey(id, v)
			if err == nil && (account == "" || k.Account == account) {
				keys = append(keys, k)
			}
			return err
		})
	})
	slices.SortStableFunc(keys, func(a, b post.APIKey) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return keys, err
}

// RevokeAPIKey ends a key for good. It is kept, to be listed. Revoking it again
// changes nothing.
func (s *Store) RevokeAPIKey(ctx context.Context, id string) (k post.APIKey, err error) {
	err = s.update(ctx, func(c *change) error {
		v := c.Bucket(bucketAPIKeys).Get([]byte(id))
		if v == nil {
			return fmt.Errorf("api key %s: %w", id, post.ErrNotFound)
		}
		if k, err = readAPIKey([]byte(id), v); err != nil || !k.RevokedAt.IsZero() {
			return err
		}
		k.RevokedAt = s.now().UTC().Truncate(time.Second)
		return putAPIKey(c.Tx, k)
	})
	return k, err
}
