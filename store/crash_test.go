package store

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/postroom/postroom/post"
)

var errCrash = errors.New("the process died here")

// crashing runs a scenario again and again, each time on a new store whose n-th
// commit is never made, for n = 1, 2, 3 … until it runs through; after each death
// the store is opened again and check says whether it is true.
func crashing(t *testing.T, scenario func(r *testRoom) error, check func(r *testRoom, died bool)) {
	t.Helper()
	for n := 1; ; n++ {
		r := &testRoom{t: t, path: filepath.Join(t.TempDir(), "crash.db"), clock: &clock{at: start}}
		left := n
		s, err := Open(r.path, Options{Now: r.clock.now, beforeCommit: func() error {
			if left--; left <= 0 {
				return errCrash
			}
			return nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		r.Store = s
		err = scenario(r)
		died := errors.Is(s.Err(), errCrash)
		if err != nil && !died {
			t.Fatalf("crash at commit %d: %v", n, err)
		}
		r.reopen()
		for _, err := range r.Verify(t.Context()) {
			t.Errorf("crash at commit %d: %v", n, err)
		}
		check(r, died)
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if t.Failed() {
			t.Fatalf("crash at commit %d", n)
		}
		if !died {
			if n < 5 {
				t.Fatalf("the scenario has %d commits: it tries too little", n-1)
			}
			return
		}
	}
}

func TestP5_AFileIsInWhollyOrNotAtAllWhereverItsImportDies(t *testing.T) {
	t.Parallel()
	const rows = 23_000 // several chunks
	old := group("old", start.Add(time.Hour), "twitter-1")
	crashing(t, func(r *testRoom) error {
		if _, err := r.take("a.csv", old); err != nil {
			return err
		}
		imp, _, err := r.LatestImport(context.Background(), acme, "a.csv")
		if err != nil {
			return err
		}
		st, err := r.Stage(context.Background(), acme)
		if err != nil {
			return err
		}
		for i := range rows {
			g := group(fmt.Sprint(i), start.Add(time.Duration(i)*time.Minute), "twitter-1", "linkedin-2")
			if err := st.Add(&post.Row{N: i + 1, Decision: post.Accepted, Key: uint64(i), Twin: uint64(i)}, g); err != nil {
				return err
			}
		}
		_, err = st.Seal(context.Background(), post.Seal{Import: post.Import{Name: "a.csv", Lineage: "a.csv", Digest: post.Digest{7}, Previous: imp.ID}, Replace: []post.ID{old.ID}})
		return err
	}, func(r *testRoom, _ bool) {
		_, in, err := r.ImportByDigest(t.Context(), acme, post.Digest{7})
		if err != nil {
			t.Fatal(err)
		}
		_, first, err := r.ImportByDigest(t.Context(), acme, post.Digest([]byte(fmt.Sprintf("%-32s", "a.csv"))))
		if err != nil {
			t.Fatal(err)
		}
		want := map[post.Status]int{}
		switch {
		case in:
			want = map[post.Status]int{post.StatusScheduled: 2 * rows, post.StatusCancelled: 1}
		case first:
			want = map[post.Status]int{post.StatusScheduled: 1}
		}
		for s, n := range must[map[post.Status]int](t)(r.Totals(t.Context())) {
			if n != want[s] {
				t.Errorf("%d posts are %s, want %d", n, s, want[s])
			}
		}
		if gs, _, err := r.Groups(t.Context(), post.Filter{Statuses: []post.Status{post.StatusScheduled}}, "", 2*rows); err != nil || in && len(gs) != rows || !in && len(gs) > 1 {
			t.Errorf("%d groups are scheduled, the file is in: %v (%v)", len(gs), in, err)
		}
	})
}

func TestP2_NothingIsSentTwiceWhereverSendingDies(t *testing.T) {
	t.Parallel()
	sent := map[string]int{}      // what the world saw
	recorded := map[string]bool{} // what was said to be durable
	drain := func(r *testRoom) error {
		ctx := context.Background()
		ls, err := r.Acquire(ctx, time.Hour, 10)
		for _, l := range ls {
			ds, err := r.Orphans(ctx, l)
			if err != nil {
				return err
			}
			for _, d := range ds {
				if err := r.Adopt(ctx, l, post.Done{ID: d.Post.ID, Status: post.StatusUnknown, Outcome: &post.Outcome{Code: post.CodeOutcomeUnknown}}); err != nil {
					return err
				}
			}
			var done *post.Done
			for i := 0; ; i++ {
				n, err := r.Next(ctx, l, done, 0)
				if err != nil {
					return err
				}
				if done != nil {
					recorded[done.ID.String()] = true
				}
				if !n.OK {
					break
				}
				sent[n.Delivery.Content.Text]++
				done = published(n.Delivery.Post.ID)
				if i == 1 {
					if err := r.Checkpoint(ctx, l, done.ID, []post.Part{{Text: "1", RemoteID: "x"}}, nil); err != nil {
						return err
					}
					if err := r.Finish(ctx, l, *done); err != nil {
						return err
					}
					recorded[done.ID.String()] = true
					done = nil
				}
			}
			if err := r.Release(ctx, l); err != nil {
				return err
			}
		}
		return err
	}
	crashing(t, func(r *testRoom) error {
		clear(sent)
		clear(recorded)
		var gs []*post.Group
		for i := range 6 {
			gs = append(gs, group(fmt.Sprint(i), start, "twitter-1"))
		}
		if _, err := r.take("a.csv", gs...); err != nil {
			return err
		}
		return drain(r)
	}, func(r *testRoom, died bool) {
		before := must[map[post.Status]int](t)(r.Totals(t.Context()))
		if err := drain(r); err != nil {
			t.Fatal(err)
		}
		for text, n := range sent {
			if n > 1 {
				t.Errorf("post %s was sent %d times", text, n)
			}
		}
		if before[post.StatusProcessing] > 1 {
			t.Errorf("%d intents were open, want at most one a connection", before[post.StatusProcessing])
		}
		gs, _, err := r.Groups(t.Context(), post.Filter{}, "", 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range gs {
			p := &g.Posts[0]
			switch {
			case p.Status != post.StatusPublished && p.Status != post.StatusUnknown:
				t.Errorf("post %s is %s at the end", g.Text, p.Status)
			case p.Status == post.StatusPublished && sent[g.Text] != 1:
				t.Errorf("post %s is published and was sent %d times", g.Text, sent[g.Text])
			case recorded[p.ID.String()] && p.Status != post.StatusPublished:
				t.Errorf("P1: the outcome of post %s was durable, and it is %s", g.Text, p.Status)
			}
		}
		if !died && len(gs) != 6 {
			t.Errorf("%d groups, want 6", len(gs))
		}
	})
}

func TestAnUndoGoesOnAfterACrash(t *testing.T) {
	t.Parallel()
	var imp post.Import
	crashing(t, func(r *testRoom) error {
		imp = post.Import{}
		var gs []*post.Group
		for i := range 1200 { // several steps
			gs = append(gs, group(fmt.Sprint(i), start.Add(time.Hour), "twitter-1"))
		}
		var err error
		if imp, err = r.take("a.csv", gs...); err != nil {
			return err
		}
		_, _, err = r.UndoImport(context.Background(), imp.ID, "me")
		return err
	}, func(r *testRoom, _ bool) {
		if imp.ID.IsZero() {
			return
		}
		got := must[post.Import](t)(r.Import(t.Context(), imp.ID))
		n := must[map[post.Status]int](t)(r.Totals(t.Context()))
		if got.Undone != (n[post.StatusCancelled] == 1200) || got.Undone == (n[post.StatusScheduled] == 1200) {
			t.Errorf("undone: %v, with %d cancelled and %d scheduled", got.Undone, n[post.StatusCancelled], n[post.StatusScheduled])
		}
	})
}
