package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Backup writes a copy of the store as it is at this moment, while it is in use,
// whole or not at all. path should be on a local disk: the read lasts as long as
// the writing does.
func (s *Store) Backup(ctx context.Context, path string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".postroom-*.tmp")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already once it is renamed
	err = s.view(ctx, func(tx *bolt.Tx) error {
		_, err := tx.WriteTo(f)
		return err
	})
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// compactAtOnce is the most bytes one transaction of Compact writes.
const compactAtOnce = 64 << 20

// Compact writes the store at src, which must not be in use, into a new file dst
// without its free pages.
func Compact(_ context.Context, src, dst string) error {
	from, err := bolt.Open(src, 0o600, &bolt.Options{ReadOnly: true, Timeout: time.Second})
	if err != nil {
		return fmt.Errorf("open %s: %w", src, err)
	}
	to, err := bolt.Open(dst, 0o600, &bolt.Options{Timeout: time.Second})
	if err != nil {
		return errors.Join(fmt.Errorf("open %s: %w", dst, err), from.Close())
	}
	err = bolt.Compact(to, from, compactAtOnce)
	return errors.Join(err, to.Sync(), to.Close(), from.Close())
}
