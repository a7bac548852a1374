package dispatch

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/store"
)

// realQueue is a store in a file, with posts due now: each of so many connections has
// so many.
func realQueue(t *testing.T, conns, each int) (*store.Store, []post.ID) {
	t.Helper()
	s, err := store.Open(filepath.Join(t.TempDir(), "postroom.db"), store.Options{Who: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, err := range s.Verify(context.Background()) {
			t.Errorf("verify: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	now := time.Now().UTC().Truncate(time.Second)
	var ids []post.ID
	for n := range each {
		g := post.Group{
			Account: "acme", Content: post.Content{Text: fmt.Sprintf("post %d", n)},
			ScheduledAt: now, RequestedAt: now, CreatedAt: now, UpdatedAt: now,
		}
		for c := range conns {
			g.Posts = append(g.Posts, post.Post{
				Account: "acme", Connection: post.ConnectionID(fmt.Sprintf("mastodon-%d", c)), Status: post.StatusScheduled, DueAt: now, SlotAt: now, UpdatedAt: now,
			})
		}
		if err := s.Create(t.Context(), &g, nil, "test"); err != nil {
			t.Fatal(err)
		}
		for i := range g.Posts {
			ids = append(ids, g.Posts[i].ID)
		}
	}
	return s, ids
}

// race has two dispatchers work for an hour on one queue.
func race(t *testing.T, q Queue, w *world) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for range 2 {
		d := New(q, w.pubs, Config{})
		all.Go(func() {
			if err := d.Run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	time.Sleep(time.Hour)
	stop()
	all.Wait()
	w.noDoubles(t)
}

// TestP2_WorkersOfOneStoreSendEachPostOnce: two dispatchers with all their workers
// go for the same posts of one real store.
func TestP2_WorkersOfOneStoreSendEachPostOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, ids := realQueue(t, 6, 10)
		w := newWorld()
		race(t, s, w)
		if n := w.count(); n != len(ids) {
			t.Errorf("%d calls for %d posts", n, len(ids))
		}
		for _, id := range ids {
			if w.live[id] != 1 {
				t.Errorf("post %s is live %d times", id, w.live[id])
			}
		}
	})
}

// frozen is a store whose first holder of a lease stands still for a while right
// after it was given a post, as a machine that was suspended does: its clock of
// leases stands with it.
type frozen struct {
	*store.Store
	stood atomic.Bool
	wait  time.Duration
}

func (f *frozen) Next(ctx context.Context, l post.Lease, done *post.Done, late time.Duration) (post.Next, error) {
	n, err := f.Store.Next(ctx, l, done, late)
	if n.OK && f.stood.CompareAndSwap(false, true) {
		time.Sleep(f.wait)
	}
	return n, err
}

// TestP2_TheSecondOfTwoWorkersIsRefused: a worker is given a post, and stands still
// until its lease is over and another worker has taken the post up. It makes no
// call, and nothing that it writes counts.
func TestP2_TheSecondOfTwoWorkersIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, ids := realQueue(t, 1, 3)
		still := &frozen{Store: s, wait: 30 * time.Minute}
		w := newWorld()
		race(t, still, w)
		if !still.stood.Load() {
			t.Fatal("no worker stood still")
		}
		calls := map[post.ID]int{}
		for _, c := range w.log() {
			calls[c.id]++
			if c.id == ids[0] && c.attempt != 2 {
				t.Errorf("the worker whose lease was over called in attempt %d", c.attempt)
			}
		}
		for _, id := range ids {
			if calls[id] != 1 || w.live[id] != 1 {
				t.Errorf("post %s: %d calls, and it is live %d times", id, calls[id], w.live[id])
			}
		}
	})
}

// TestP2_AStoreRefusesTheCheckpointOfAWorkerThatLostItsLease: the call is under way
// when the lease is lost; its next checkpoint is refused, and the post is looked up
// by who holds the lease now.
func TestP2_AStoreRefusesTheCheckpointOfAWorkerThatLostItsLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, ids := realQueue(t, 1, 1)
		leases, err := s.Acquire(t.Context(), time.Second, 1)
		if err != nil || len(leases) != 1 {
			t.Fatal(leases, err)
		}
		n, err := s.Next(t.Context(), leases[0], nil, 0)
		if err != nil || !n.OK {
			t.Fatal(n, err)
		}
		time.Sleep(2 * time.Second)
		w := newWorld()
		w.live[ids[0]] = 1 // what the call did before it was refused
		ctx, stop := context.WithTimeout(t.Context(), time.Hour)
		defer stop()
		if err := New(s, w.pubs, Config{}).Run(ctx); err != nil {
			t.Fatal(err)
		}
		if err := s.Checkpoint(t.Context(), leases[0], ids[0], nil, []byte("late")); !errors.Is(err, post.ErrFenced) {
			t.Errorf("a checkpoint under a lease that is over: %v, want %v", err, post.ErrFenced)
		}
		if n := w.count(); n != 0 {
			t.Errorf("%d calls for a post that is live", n)
		}
		g, err := s.Group(t.Context(), ids[0])
		if err != nil || g.Posts[0].Status != post.StatusPublished {
			t.Errorf("the post is %s (%v), want published", g.Posts[0].Status, err)
		}
	})
}
