package store

import (
	"testing"
	"time"

	"github.com/postroom/postroom/post"
)

// The clock was a day ahead for a while. A pause that began then lasts its five
// minutes, not the day, whether postroom runs on or starts anew.
func TestAPauseDoesNotOutlastAClockThatWasSetBack(t *testing.T) {
	t.Parallel()
	for name, restart := range map[string]bool{"while postroom runs": false, "while it is stopped": true} {
		for end, d := range map[string]post.Done{
			"after a failure": {Status: post.StatusFailed, Outcome: &post.Outcome{Code: "PLATFORM_SERVER_ERROR", Message: "no"}},
			"after a success": {Status: post.StatusPublished, Receipt: &post.Receipt{RemoteID: "r"}},
		} {
			t.Run(name+", "+end, func(t *testing.T) {
				r := open(t)
				for range 2 {
					if err := r.Create(t.Context(), group("a", start, "mastodon-1"), nil, "me"); err != nil {
						t.Fatal(err)
					}
				}
				r.forward(24 * time.Hour)
				l := r.lease()
				d.ID = r.next(l, nil).Delivery.Post.ID
				d.NotBefore, d.PauseWhy = r.clock.now().Add(5*time.Minute), "it rests"
				if err := r.Finish(t.Context(), l, d); err != nil {
					t.Fatal(err)
				}
				if err := r.Release(t.Context(), l); err != nil {
					t.Fatal(err)
				}
				r.forward(-24 * time.Hour)
				if restart {
					r.reopen()
				}
				for minute := range 5 {
					if ls := must[[]post.Lease](t)(r.Acquire(t.Context(), time.Minute, 10)); len(ls) > 0 {
						t.Fatalf("leased after %d minutes of a pause of five", minute)
					}
					r.forward(time.Minute)
				}
				l = r.lease()
				if n := r.next(l, nil); !n.OK {
					t.Errorf("it waits until %s, and now is %s", n.Wait, r.clock.now())
				}
				states := must[[]post.ConnectionState](t)(r.Connections(t.Context()))
				if s := states[0]; s.LastErrorAt.After(r.clock.now()) || s.LastSuccess.After(r.clock.now()) {
					t.Errorf("its last attempt is still to come: %+v", s)
				}
			})
		}
	}
}

// A clock that goes on as it should, or is set by some seconds, changes no pause.
func TestAPauseOfARightClockIsKept(t *testing.T) {
	t.Parallel()
	r := open(t)
	for range 2 {
		if err := r.Create(t.Context(), group("a", start, "mastodon-1"), nil, "me"); err != nil {
			t.Fatal(err)
		}
	}
	l := r.lease()
	d := post.Done{ID: r.next(l, nil).Delivery.Post.ID, Status: post.StatusFailed, Outcome: &post.Outcome{Code: "X"}, NotBefore: start.Add(time.Hour), PauseWhy: "it rests"}
	if err := r.Finish(t.Context(), l, d); err != nil {
		t.Fatal(err)
	}
	if err := r.Release(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	for _, step := range []time.Duration{-30 * time.Second, 10 * time.Minute, -5 * time.Minute, 54 * time.Minute} {
		r.forward(step)
		if ls := must[[]post.Lease](t)(r.Acquire(t.Context(), time.Minute, 10)); len(ls) > 0 {
			t.Fatalf("leased at %s, and it rests until %s", r.clock.now(), d.NotBefore)
		}
	}
	r.forward(90 * time.Second)
	r.lease()
}

// A webhook that failed while the clock was ahead is tried again soon after it is put
// right, and with the usual waits from then on.
func TestAWebhookDoesNotRestAsLongAsTheClockWasWrong(t *testing.T) {
	t.Parallel()
	r := open(t)
	w := r.hook()
	if err := r.Emit(t.Context(), acme, post.Event{Name: post.EventExpiring, At: r.clock.now(), Data: post.ExpiringData{}}); err != nil {
		t.Fatal(err)
	}
	try := func(want bool) {
		t.Helper()
		due, _, err := r.DueWebhooks(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, n, ok, err := r.NextNotice(t.Context(), acme, w.ID)
		if err != nil || ok != want || len(due) == 1 != want {
			t.Fatalf("due %v, to be told %v (%v), want %v", due, ok, err, want)
		}
		if ok {
			must[post.Webhook](t)(r.Delivered(t.Context(), acme, w.ID, n, false))
		}
	}
	r.forward(10 * time.Hour)
	try(true)
	try(false)
	r.forward(-10 * time.Hour)
	try(true)
	try(false)
	r.forward(time.Minute)
	try(true)
}
