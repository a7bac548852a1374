package store

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/post"
)

// promise adds media to a group that may come until an hour from now.
func (r *testRoom) promise(g *post.Group, name string) post.ID {
	r.t.Helper()
	m := post.Media{URL: "https://post.example.com/images/" + name, Alt: "of " + name, Upload: post.Upload{ID: r.NewID(), Until: r.clock.now().Add(time.Hour)}}
	must[post.Group](r.t)(r.AddUpload(r.t.Context(), g.ID, m, 4))
	return m.Upload.ID
}

func (r *testRoom) stored(g *post.Group) post.Group {
	r.t.Helper()
	return must[post.Group](r.t)(r.Group(r.t.Context(), g.ID))
}

func pin(b byte) post.Pin {
	return post.Pin{Hash: post.Digest{b}, Name: "a.jpg", Type: "image/jpeg", Size: 9, Width: 3, Height: 2}
}

// waiting is a room with a group of two posts that is due in a minute.
func waiting(t *testing.T) (*testRoom, *post.Group) {
	r := open(t)
	g := group("hello", start.Add(time.Minute), "mastodon-a", "twitter-b")
	if err := r.Create(t.Context(), g, nil, "test"); err != nil {
		t.Fatal(err)
	}
	return r, g
}

// CONTRACT §2.9, item 5.
func TestADuePostWaitsForItsMediaAndNoOtherWaitsForIt(t *testing.T) {
	t.Parallel()
	r, g := waiting(t)
	first, second := r.promise(g, "1.jpg"), r.promise(g, "2.jpg")
	behind := group("behind", start.Add(2*time.Minute), "mastodon-a")
	if err := r.Create(t.Context(), behind, nil, "test"); err != nil {
		t.Fatal(err)
	}
	r.forward(2 * time.Minute)
	leases := must[[]post.Lease](t)(r.Acquire(t.Context(), time.Minute, 10))
	if len(leases) != 2 {
		t.Fatalf("%d leases, want 2", len(leases))
	}
	until := start.Add(time.Hour)
	for _, l := range leases {
		n := r.next(l, nil)
		if l.Connection == "mastodon-a" {
			if !n.OK || n.Delivery.Post.Group != behind.ID {
				t.Fatalf("next is %+v, want the post behind", n)
			}
			n = r.next(l, published(n.Delivery.Post.ID))
		}
		if n.OK || !n.Wait.Equal(until) || len(n.Held)+len(n.Failed) > 0 {
			t.Errorf("%s: next is %+v, want to wait until %s", l.Connection, n, until)
		}
	}
	must[post.Group](t)(r.FillUpload(t.Context(), second, pin(2)))
	if n := r.next(leases[0], nil); n.OK {
		t.Fatal("sent while media was still to come")
	}
	r.forward(time.Minute)
	r.reopen()
	got := must[post.Group](t)(r.FillUpload(t.Context(), first, pin(1)))
	for i := range got.Posts {
		if p := got.Posts[i]; !p.DueAt.Equal(start.Add(time.Minute)) || !p.SlotAt.Equal(p.DueAt) {
			t.Errorf("%s is due at %s, planned at %s", p.Connection, p.DueAt, p.SlotAt)
		}
	}
	for _, l := range must[[]post.Lease](t)(r.Acquire(t.Context(), time.Minute, 10)) {
		n := r.next(l, nil)
		if !n.OK || len(n.Delivery.Content.Media) != 2 || n.Delivery.Content.Media[0].Pin != pin(1) || n.Delivery.Content.Media[1].Pin != pin(2) {
			t.Errorf("%s: next is %+v, want the post with its media in the order of the calls", l.Connection, n)
		}
	}
}

// CONTRACT §2.9, item 5: never without its media.
func TestAPostWhoseMediaNeverComesFails(t *testing.T) {
	t.Parallel()
	r, g := waiting(t)
	lost := r.promise(g, "lost.jpg")
	must[post.Group](t)(r.FillUpload(t.Context(), r.promise(g, "there.jpg"), pin(1)))
	r.forward(time.Hour)
	for _, l := range must[[]post.Lease](t)(r.Acquire(t.Context(), time.Minute, 10)) {
		n := must[post.Next](t)(r.Next(t.Context(), l, nil, 10*time.Minute))
		if n.OK || len(n.Failed) != 1 || len(n.Held) != 0 || !n.Wait.IsZero() {
			t.Errorf("%s: next is %+v, want one that failed", l.Connection, n)
		}
	}
	got := r.stored(g)
	if got.Status() != post.StatusFailed {
		t.Fatalf("the group is %s", got.Status())
	}
	for i := range got.Posts {
		p := &got.Posts[i]
		if p.Problem == nil || p.Problem.Code != post.CodeMediaMissing || p.Problem.Retryable || !strings.HasSuffix(p.Problem.Message, ": lost.jpg") || p.Attempts != 0 {
			t.Errorf("%s: %d attempts, %+v", p.Connection, p.Attempts, p.Problem)
		}
	}
	if _, err := r.FillUpload(t.Context(), lost, pin(2)); !errors.Is(err, post.ErrState) {
		t.Errorf("filled after it failed: %v", err)
	}
	logs := must[[]post.LogEntry](t)(r.Log(t.Context(), g.ID))
	if last := logs[len(logs)-1]; last.Event != "publish_failed" || last.ErrorCode != post.CodeMediaMissing {
		t.Errorf("the log ends with %+v", last)
	}
}

func TestMediaThatCanNoLongerComeGivesItsPlaceToTheNext(t *testing.T) {
	t.Parallel()
	r := open(t)
	g := group("hello", time.Time{}, "mastodon-a")
	if err := r.Create(t.Context(), g, nil, "test"); err != nil {
		t.Fatal(err)
	}
	lost := r.promise(g, "1.jpg")
	r.forward(time.Minute)
	second := r.promise(g, "2.jpg")
	r.forward(time.Hour - time.Second)
	again := r.promise(g, "1.jpg")
	third := r.promise(g, "3.jpg")
	got := r.stored(g)
	var ids []post.ID
	for _, m := range got.Media {
		ids = append(ids, m.Upload.ID)
	}
	if len(ids) != 3 || ids[0] != again || ids[1] != second || ids[2] != third {
		t.Errorf("media %v, want %v", ids, []post.ID{again, second, third})
	}
	if _, _, err := r.Upload(t.Context(), lost); !errors.Is(err, post.ErrNotFound) {
		t.Errorf("the lost one: %v", err)
	}
}

func TestMediaStaysAsItIsOnceAPostWasTried(t *testing.T) {
	t.Parallel()
	r, g := waiting(t)
	id := r.promise(g, "1.jpg")
	must[post.Group](t)(r.FillUpload(t.Context(), id, pin(1)))
	must[post.Group](t)(r.FillUpload(t.Context(), id, pin(2))) // nothing was sent yet
	r.forward(time.Minute)
	l := must[[]post.Lease](t)(r.Acquire(t.Context(), time.Minute, 1))[0]
	n := r.next(l, nil)
	// It is put off: a draft or a scheduled post again, and the platform may hold parts of it.
	r.next(l, &post.Done{ID: n.Delivery.Post.ID, Status: post.StatusScheduled, Snooze: true, RetryAt: r.clock.now().Add(time.Minute), Outcome: &post.Outcome{Code: "RATE_LIMITED"}})
	must[post.Group](t)(r.FillUpload(t.Context(), id, pin(2)))
	if _, err := r.FillUpload(t.Context(), id, pin(3)); !errors.Is(err, post.ErrState) {
		t.Errorf("replaced: %v", err)
	}
	m := post.Media{URL: "https://post.example.com/2.jpg", Upload: post.Upload{ID: r.NewID(), Until: r.clock.now().Add(time.Hour)}}
	if _, err := r.AddUpload(t.Context(), g.ID, m, 4); !errors.Is(err, post.ErrState) {
		t.Errorf("added: %v", err)
	}
	if got := r.stored(g); len(got.Media) != 1 || got.Media[0].Pin != pin(2) {
		t.Errorf("media %+v", got.Media)
	}
}

func TestAGroupHasSoMuchMediaAndADeletedOneTakesNone(t *testing.T) {
	t.Parallel()
	r, g := waiting(t)
	var id post.ID
	for range 4 {
		id = r.promise(g, "a.jpg")
	}
	m := post.Media{Upload: post.Upload{ID: r.NewID(), Until: r.clock.now().Add(time.Hour)}}
	_, err := r.AddUpload(t.Context(), g.ID, m, 4)
	if full := (*post.CapExceeded)(nil); !errors.As(err, &full) || full.Used != 4 {
		t.Errorf("a fifth: %v", err)
	}
	must[post.Group](t)(r.Delete(t.Context(), g.ID, "test"))
	if _, err := r.AddUpload(t.Context(), g.ID, m, 9); !errors.Is(err, post.ErrNotFound) {
		t.Errorf("added to a deleted group: %v", err)
	}
	if _, err := r.FillUpload(t.Context(), id, pin(1)); !errors.Is(err, post.ErrNotFound) {
		t.Errorf("filled in a deleted group: %v", err)
	}
}

// What came through the API for a calendar's post is not in the calendar: it goes
// along when a revision replaces the post.
func TestUploadsFollowTheRowThatReplacesTheirPost(t *testing.T) {
	t.Parallel()
	r := open(t)
	g := group("before", start.Add(time.Hour), "twitter-1")
	first := must[post.Import](t)(r.take("a.csv", g))
	there, pending := r.promise(g, "1.jpg"), r.promise(g, "2.jpg")
	must[post.Group](t)(r.FillUpload(t.Context(), there, pin(1)))
	revise := func(carried []post.Media, between func()) (*post.Group, error) {
		st := must[*Stage](t)(r.Stage(t.Context(), acme))
		after := group("after", start.Add(time.Hour), "twitter-1")
		after.Media = append([]post.Media{{URL: "of the row.png", Pin: pin(9)}}, carried...)
		if err := st.Add(&post.Row{N: 1, Decision: post.Updated, Key: 1000, Version: 2}, after); err != nil {
			t.Fatal(err)
		}
		between()
		_, err := st.Seal(t.Context(), post.Seal{Import: post.Import{Name: "a.csv", Lineage: "a.csv", Previous: first.ID, Digest: post.Digest{8}}, Replace: []post.ID{g.ID}})
		return after, err
	}
	old := r.stored(g)
	if _, err := revise(nil, func() {}); !errors.Is(err, post.ErrConflict) {
		t.Errorf("a revision without the uploads: %v, want ErrConflict", err)
	}
	if _, err := revise(old.Media, func() { must[post.Group](t)(r.FillUpload(t.Context(), there, pin(2))) }); !errors.Is(err, post.ErrConflict) {
		t.Errorf("another file came meanwhile: %v, want ErrConflict", err)
	}
	old = r.stored(g)
	after, err := revise(old.Media, func() {})
	if err != nil {
		t.Fatal(err)
	}
	if got := r.stored(after); len(got.Media) != 3 || got.Media[1].Pin != pin(2) || !got.Media[2].Pending() {
		t.Errorf("the new post has %+v", got.Media)
	}
	if got := r.stored(g); len(got.Media) != 0 || got.Status() != post.StatusCancelled {
		t.Errorf("the old post is %s with %+v", got.Status(), got.Media)
	}
	got := must[post.Group](t)(r.FillUpload(t.Context(), pending, pin(3)))
	if first, _ := got.PendingMedia(); got.ID != after.ID || first != nil {
		t.Errorf("the upload came to %s, want %s", got.ID, after.ID)
	}
}
