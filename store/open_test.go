package store

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/postroom/postroom/post"
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

// P2: what a backup has as waiting may have gone out after it was made.
func TestP2_WhatCameDueSinceABackupIsHeldWhenItIsRestored(t *testing.T) {
	t.Parallel()
	r := open(t)
	make := func(text string, at time.Time) *post.Group {
		g := group(text, at, "twitter-1")
		if err := r.Create(t.Context(), g, nil, "me"); err != nil {
			t.Fatal(err)
		}
		return g
	}
	gone, ahead := make("gone", start.Add(time.Minute)), make("ahead", start.Add(2*time.Hour))
	copied := filepath.Join(t.TempDir(), "copy.db")
	if err := r.Backup(t.Context(), copied); err != nil {
		t.Fatal(err)
	}
	r.forward(time.Hour)
	restored := func(fn func(s *Store)) {
		s, err := Open(copied, Options{Now: r.clock.now})
		if err != nil {
			t.Fatal(err)
		}
		fn(s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	restored(func(*Store) {})
	r.forward(time.Minute) // and again: the moment of the restore stays
	restored(func(s *Store) {
		l := must[[]post.Lease](t)(s.Acquire(t.Context(), time.Minute, 1))[0]
		n := must[post.Next](t)(s.Next(t.Context(), l, nil, 24*time.Hour))
		if n.OK || len(n.Held) != 1 || n.Held[0].Group != gone.ID || n.Held[0].Problem.Code != codeRestored {
			t.Fatalf("next is %+v, want %s held", n, gone.ID)
		}
		if err := s.Release(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		must[post.Group](t)(s.Approve(t.Context(), gone.ID, r.clock.now(), nil, "me"))
		r.forward(time.Hour)
		l = must[[]post.Lease](t)(s.Acquire(t.Context(), time.Minute, 1))[0]
		n = must[post.Next](t)(s.Next(t.Context(), l, nil, 24*time.Hour))
		if !n.OK || n.Delivery.Post.Group != gone.ID {
			t.Errorf("once a person approved it, next is %+v", n)
		}
		n = must[post.Next](t)(s.Next(t.Context(), l, published(n.Delivery.Post.ID), 24*time.Hour))
		if !n.OK || n.Delivery.Post.Group != ahead.ID {
			t.Errorf("then %+v, want what came due after the restore", n)
		}
	})
}
