package store

import (
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/postroom/postroom/post"
)

func TestWhatWentOutIsCountedForADay(t *testing.T) {
	t.Parallel()
	r := open(t)
	send := func(parts ...post.Part) {
		t.Helper()
		g := group("x", r.clock.now(), "twitter-1")
		if err := r.Create(t.Context(), g, nil, ""); err != nil {
			t.Fatal(err)
		}
		l := r.lease()
		r.next(l, nil)
		d := published(g.Posts[0].ID)
		d.Parts = parts
		if err := r.Finish(t.Context(), l, *d); err != nil {
			t.Fatal(err)
		}
		if err := r.Release(t.Context(), l); err != nil {
			t.Fatal(err)
		}
	}
	check := func(hour, day int) {
		t.Helper()
		s := must[[]post.ConnectionState](t)(r.Connections(t.Context()))
		if len(s) != 1 || s[0].SentHour != hour || s[0].SentDay != day {
			t.Errorf("at %s: %+v, want %d and %d", r.clock.now(), s, hour, day)
		}
	}
	send()
	send(post.Part{Text: "1", RemoteID: "a"}, post.Part{Text: "2", RemoteID: "b"})
	check(3, 3) // each part is one
	r.forward(2 * time.Hour)
	r.reopen()
	check(0, 3)
	send()
	check(1, 4)
	r.forward(23 * time.Hour)
	check(0, 1)
	r.forward(2 * time.Hour)
	check(0, 0)
	send()
	err := r.view(t.Context(), func(tx *bolt.Tx) error {
		if n := tx.Bucket(bucketSent).Stats().KeyN; n != 1 {
			t.Errorf("%d counts are kept, want 1", n)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// Whoever leases a connection next is told that it failed and paused, until something
// goes out or a person resumes it. That a platform asked to wait is no failure.
func TestALeaseSaysThatItsConnectionFails(t *testing.T) {
	t.Parallel()
	r := open(t)
	for range 6 {
		if err := r.Create(t.Context(), group("a", start, "mastodon-1"), nil, "me"); err != nil {
			t.Fatal(err)
		}
	}
	end := func(d post.Done) {
		t.Helper()
		l := r.lease()
		d.ID = r.next(l, nil).Delivery.Post.ID
		if d.Status != post.StatusPublished {
			d.NotBefore, d.PauseWhy = r.clock.now().Add(time.Minute), "it rests"
		}
		if err := r.Finish(t.Context(), l, d); err != nil {
			t.Fatal(err)
		}
		if err := r.Release(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		r.forward(time.Hour)
	}
	want := func(failing bool) {
		t.Helper()
		r.reopen()
		l := r.lease()
		if l.Failing != failing {
			t.Errorf("failing %v, want %v", l.Failing, failing)
		}
		if err := r.Release(t.Context(), l); err != nil {
			t.Fatal(err)
		}
	}
	bad := &post.Outcome{Code: "PLATFORM_AUTH_EXPIRED", Message: "no"}
	want(false)
	end(post.Done{Status: post.StatusScheduled, Snooze: true, RetryAt: r.clock.now(), Outcome: bad})
	want(false)
	end(post.Done{Status: post.StatusFailed, Outcome: bad})
	want(true)
	end(post.Done{Status: post.StatusScheduled, Snooze: true, RetryAt: r.clock.now(), Outcome: bad})
	want(true)
	end(post.Done{Status: post.StatusPublished, Receipt: &post.Receipt{RemoteID: "r"}})
	want(false)
	end(post.Done{Status: post.StatusFailed, Outcome: bad})
	want(true)
	if err := r.Resume(t.Context(), acme, "mastodon-1", "me"); err != nil {
		t.Fatal(err)
	}
	want(false)
}
