package store

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
)

// withFile changes a store's file while nobody has it open.
func withFile(t *testing.T, path string, fn func(*bolt.Tx) error) {
	t.Helper()
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Update(fn), db.Close()); err != nil {
		t.Fatal(err)
	}
}

func setFormat(v byte) func(*bolt.Tx) error {
	return func(tx *bolt.Tx) error { return tx.Bucket(bucketMeta).Put(metaFormat, []byte{v}) }
}

func TestAStoreOfANewerFormatIsToldAndNotTouched(t *testing.T) {
	t.Parallel()
	r := open(t)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	withFile(t, r.path, setFormat(format+1))
	if _, err := Open(r.path, Options{}); !errors.Is(err, ErrNewer) {
		t.Errorf("open: %v, want ErrNewer", err)
	}
	if err := VerifyFile(t.Context(), r.path); !errors.Is(err, ErrNewer) {
		t.Errorf("verify: %v, want ErrNewer", err)
	}
	withFile(t, r.path, setFormat(format))
	r.Store = nil
	r.reopen()
}

func TestAStoreOfAnOlderFormatIsBroughtToThisOne(t *testing.T) {
	t.Parallel()
	r := open(t)
	g := group("kept", start.Add(time.Hour), "twitter-1")
	if err := r.Create(t.Context(), g, nil, "me"); err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "old.db")
	if err := r.Backup(t.Context(), copied); err != nil {
		t.Fatal(err)
	}
	withFile(t, copied, func(tx *bolt.Tx) error {
		return errors.Join(setFormat(1)(tx), tx.DeleteBucket(bucketWebhooks), tx.DeleteBucket(bucketNotices))
	})
	if err := VerifyFile(t.Context(), copied); err != nil {
		t.Errorf("verify the old file: %v", err)
	}
	s, err := Open(copied, Options{Now: r.clock.now})
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Group(t.Context(), g.ID)
	if err != nil || got.Text != "kept" {
		t.Errorf("got %+v, %v", got, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// An older program refuses it from now on.
	withFile(t, copied, func(tx *bolt.Tx) error {
		if v := tx.Bucket(bucketMeta).Get(metaFormat); len(v) != 1 || v[0] != format {
			t.Errorf("format %v, want %d", v, format)
		}
		return nil
	})
	if err := VerifyFile(t.Context(), copied); err != nil {
		t.Error(err)
	}
}
