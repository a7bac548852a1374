package store

import (
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/post"
)

// A call that is under way cannot be called back. But when it comes to nothing, a
// post that was taken back meanwhile is not sent again: by whatever way it would
// have been.
func TestWhatIsTakenBackInFlightIsNotSentAgain(t *testing.T) {
	t.Parallel()
	at := start.Add(time.Minute)
	takeBack := map[string]func(*testRoom, post.Group){
		"deleted": func(r *testRoom, g post.Group) {
			must[post.Group](t)(r.Delete(t.Context(), g.ID, "me"))
		},
		"import was undone": func(r *testRoom, g post.Group) {
			if _, left, err := r.UndoImport(t.Context(), g.Import, "me"); err != nil || left != 1 {
				t.Fatalf("undo left %d: %v", left, err)
			}
		},
	}
	ends := map[string]post.Done{
		"unsent":    {Snooze: true},
		"throttled": {Snooze: true, Outcome: &post.Outcome{Code: "RATE_LIMITED", Message: "slow down", Retryable: true}},
		"retried":   {Outcome: &post.Outcome{Code: "PLATFORM_SERVER_ERROR", Message: "broken", Retryable: true}},
	}
	for how, take := range takeBack {
		for end, d := range ends {
			for _, crash := range []bool{false, true} {
				t.Run(how+", "+end+map[bool]string{true: ", by the next process"}[crash], func(t *testing.T) {
					r := open(t)
					imp := must[post.Import](t)(r.take("week.csv", group("a", at, "mastodon-1")))
					groups, _, err := r.Groups(t.Context(), post.Filter{Import: imp.ID}, "", 1)
					if err != nil || len(groups) != 1 {
						t.Fatal(groups, err)
					}
					r.forward(time.Hour)
					l := r.lease()
					sent := r.next(l, nil)
					if !sent.OK {
						t.Fatal("nothing was handed out")
					}
					take(r, groups[0])
					record := r.Finish
					if crash {
						r.reopen()
						l, record = r.lease(), r.Adopt
					}
					d.ID, d.Status, d.RetryAt = sent.Delivery.Post.ID, post.StatusScheduled, r.clock.now()
					if err := record(t.Context(), l, d); err != nil {
						t.Fatal(err)
					}
					r.forward(time.Hour)
					if n := r.next(l, nil); n.OK || !n.Wait.IsZero() {
						t.Errorf("it is sent again: %+v", n)
					}
					p := must[post.Group](t)(r.Group(t.Context(), groups[0].ID)).Posts[0]
					if p.Status != post.StatusFailed || p.Problem == nil || p.Problem.Retryable || !strings.Contains(p.Problem.Message, how) {
						t.Errorf("it is %s, %+v", p.Status, p.Problem)
					}
				})
			}
		}
	}
}

// What went out stays so, and a person's word brings back what did not.
func TestWhatIsTakenBackInFlightMayHaveGoneOut(t *testing.T) {
	t.Parallel()
	r := open(t)
	g := group("a", start, "mastodon-1", "mastodon-2")
	if err := r.Create(t.Context(), g, nil, "me"); err != nil {
		t.Fatal(err)
	}
	ls := must[[]post.Lease](t)(r.Acquire(t.Context(), time.Minute, 10))
	first, second := r.next(ls[0], nil), r.next(ls[1], nil)
	must[post.Group](t)(r.Delete(t.Context(), g.ID, "me"))
	if err := r.Finish(t.Context(), ls[0], *published(first.Delivery.Post.ID)); err != nil {
		t.Fatal(err)
	}
	d := post.Done{ID: second.Delivery.Post.ID, Status: post.StatusScheduled, RetryAt: r.clock.now()}
	if err := r.Finish(t.Context(), ls[1], d); err != nil {
		t.Fatal(err)
	}
	now := must[post.Group](t)(r.Group(t.Context(), g.ID))
	if now.Posts[0].Status != post.StatusPublished || now.Posts[0].Problem != nil || now.Posts[1].Status != post.StatusFailed {
		t.Errorf("they are %s and %s", now.Posts[0].Status, now.Posts[1].Status)
	}
	must[post.Group](t)(r.Retry(t.Context(), now.Posts[1].ID, r.clock.now(), "me"))
	if n := r.next(ls[1], nil); !n.OK {
		t.Errorf("what a person wants again is not sent: %+v", n)
	} else if err := r.Finish(t.Context(), ls[1], post.Done{ID: n.Delivery.Post.ID, Status: post.StatusScheduled, RetryAt: r.clock.now().Add(time.Minute)}); err != nil {
		t.Fatal(err)
	}
	if p := must[post.Group](t)(r.Group(t.Context(), g.ID)).Posts[1]; p.Status != post.StatusScheduled {
		t.Errorf("what a person wants again is %s after a failure, want another attempt", p.Status)
	}
}
