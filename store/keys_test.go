package store

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/postroom/postroom/post"
)

// Whatever pages a transaction empties, a cursor finds the item before a key.
func TestACursorStepsBackOverWhatWasDeleted(t *testing.T) {
	t.Parallel()
	db := must[*bolt.DB](t)(bolt.Open(filepath.Join(t.TempDir(), "db"), 0o600, nil))
	defer db.Close()
	key := func(i int) []byte { return fmt.Appendf(nil, "%04d", i) }
	const n = 400
	err := db.Update(func(tx *bolt.Tx) error {
		b := must[*bolt.Bucket](t)(tx.CreateBucket([]byte("b")))
		for i := range n {
			if err := b.Put(key(i), make([]byte, 200)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, left := range [][2]int{{0, n}, {0, 0}, {100, n}, {0, 100}, {100, 300}, {17, 18}} { // what is deleted, from and to
		over := errors.New("again")
		err := db.Update(func(tx *bolt.Tx) error {
			b := tx.Bucket([]byte("b"))
			for i := left[0]; i < left[1]; i++ {
				if err := b.Delete(key(i)); err != nil {
					return err
				}
			}
			want := ""
			for i := range n + 1 {
				c := b.Cursor()
				at, _ := c.Seek(key(i))
				if got, _ := stepBack(c, at, key(i)); string(got) != want {
					t.Errorf("without %v: before %d is %q, want %q", left, i, got, want)
				}
				if i < left[0] || i >= left[1] {
					want = string(key(i))
				}
			}
			return over
		})
		if !errors.Is(err, over) {
			t.Fatal(err)
		}
	}
}

// A webhook was deleted, with pages of what waited for it, in the commit in which
// another was told something: the process ended.
func TestAWebhookIsToldBesideOneThatIsDeleted(t *testing.T) {
	t.Parallel()
	r := open(t)
	before, gone, after := r.hook(), r.hook(), r.hook()
	tell := func(c *change) error {
		n, _ := r.names.accountNumber(acme)
		return c.emit(n, post.Event{Name: post.EventExpiring, At: r.clock.now(), Data: post.ExpiringData{}})
	}
	const waiting = 100
	if err := errors.Join(r.together(slices.Repeat([]func(*change) error{tell}, waiting)...)...); err != nil {
		t.Fatal(err)
	}
	for _, w := range []post.Webhook{gone, after} {
		remove := func(c *change) error { return r.dropWebhook(c, acme, w.ID) }
		if err := errors.Join(r.together(remove, tell)...); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(r.hears(before)); n != waiting+2 {
		t.Errorf("told %d times, want %d", n, waiting+2)
	}
}
