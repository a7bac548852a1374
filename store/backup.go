package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// Backup writes a copy of the store as it is at this moment, while it is in use,
// whole or not at all. path should be on a local disk: the read lasts as long as
// the writing does.
//
// The copy knows that it is one. When it is opened to be worked with, the posts
// that came due since it was made are held, each in its turn: they may have gone out
// after the backup, which nothing in it can tell (P2).
func (s *Store) Backup(ctx context.Context, path string) error {
	return writeWhole(path, func(tmp string) error {
		f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_TRUNC, 0o600)
		if err != nil {
			return err
		}
		err = s.view(ctx, func(tx *bolt.Tx) error {
			_, err := tx.WriteTo(untilDone{ctx, f})
			return err
		})
		if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
			return err
		}
		return markCopy(tmp, s.now())
	})
}

// markCopy notes in a copy that it is one.
func markCopy(path string, at time.Time) error {
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: time.Second})
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bolt.Tx) error { return putTime(tx, metaCopied, at) })
	return errors.Join(err, db.Close())
}

func putTime(tx *bolt.Tx, key []byte, at time.Time) error {
	return tx.Bucket(bucketMeta).Put(key, binary.BigEndian.AppendUint64(nil, uint64(at.Unix())))
}

func getTime(tx *bolt.Tx, key []byte) time.Time {
	v := tx.Bucket(bucketMeta).Get(key)
	if len(v) != 8 {
		return time.Time{}
	}
	return time.Unix(int64(binary.BigEndian.Uint64(v)), 0).UTC()
}

// restore makes a store of a backup that is opened for the first time.
func (s *Store) restore(tx *bolt.Tx) error {
	if from := getTime(tx, metaCopied); !from.IsZero() {
		now := s.now()
		if err := errors.Join(putTime(tx, metaRestored, now), tx.Bucket(bucketMeta).Delete(metaCopied)); err != nil {
			return err
		}
		s.log.Warn("the store is a backup: what came due since it was taken is held, for it may have gone out", "taken_at", from, "until", now)
	}
	s.restored = getTime(tx, metaRestored)
	return nil
}

// untilDone is a writer that fails once its context has ended.
type untilDone struct {
	ctx context.Context
	w   io.Writer
}

func (u untilDone) Write(b []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.w.Write(b)
}

// compactAtOnce is the most bytes one transaction of Compact writes.
const compactAtOnce = 64 << 20

// Compact writes the store at src, which must not be in use, into a file dst
// without its free pages, whole or not at all.
func Compact(ctx context.Context, src, dst string) error {
	from, err := openRead(src)
	if err != nil {
		return err
	}
	err = writeWhole(dst, func(tmp string) error {
		to, err := bolt.Open(tmp, 0o600, &bolt.Options{PageSize: pageSize, Timeout: time.Second})
		if err != nil {
			return err
		}
		err = bolt.Compact(to, from, compactAtOnce)
		if err := errors.Join(err, to.Sync(), to.Close(), ctx.Err()); err != nil {
			return err
		}
		return VerifyFile(ctx, tmp)
	})
	return errors.Join(err, from.Close())
}

// writeWhole has fill write a file of another name, which it must make durable,
// and then gives it its own.
func writeWhole(path string, fill func(tmp string) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".postroom-*.tmp")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already once it is renamed
	if err := f.Close(); err != nil {
		return err
	}
	if err := fill(f.Name()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// openRead opens a store's file that is not in use, for reading alone.
func openRead(path string) (*bolt.DB, error) {
	db, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true, Timeout: time.Second})
	if errors.Is(err, berrors.ErrTimeout) {
		return nil, inUse(path)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return db, nil
}
