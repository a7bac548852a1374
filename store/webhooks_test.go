package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/post"
)

// hook adds an active webhook of acme's that wants the events, or all.
func (r *testRoom) hook(events ...string) post.Webhook {
	r.t.Helper()
	if events == nil {
		events = post.Events
	}
	w := post.Webhook{Account: acme, Name: "n", URL: "https://a.example/", Events: events, Active: true}
	if err := r.AddWebhook(r.t.Context(), &w, 10); err != nil {
		r.t.Fatal(err)
	}
	return w
}

// told takes everything that waits for a webhook, in order: the events, each with
// the end of its post's id.
func (r *testRoom) hears(w post.Webhook) (all []string) {
	r.t.Helper()
	for {
		_, n, ok, err := r.NextNotice(r.t.Context(), acme, w.ID)
		if err != nil {
			r.t.Fatal(err)
		}
		if !ok {
			return all
		}
		all = append(all, n.Event)
		if !strings.HasPrefix(string(n.Body), `{"event":"`+n.Event+`","timestamp":"`) {
			r.t.Errorf("body %s of a notice of %s", n.Body, n.Event)
		}
		if _, err := r.Delivered(r.t.Context(), acme, w.ID, n, true); err != nil {
			r.t.Fatal(err)
		}
	}
}

// CONTRACT §3 and §7: which change of a post is which event.
func TestAWebhookHearsWhatBecomesOfEachPost(t *testing.T) {
	t.Parallel()
	const s, p, f = post.EventScheduled, post.EventPublished, post.EventFailed
	ctx := context.Background()
	create := func(r *testRoom, at time.Time) *post.Group {
		g := group("x", at, "twitter-1", "linkedin-2")
		if err := r.Create(ctx, g, nil, ""); err != nil {
			t.Fatal(err)
		}
		return g
	}
	one := func(r *testRoom) (*post.Group, post.Lease) {
		g := group("x", start, "twitter-1")
		if err := r.Create(ctx, g, nil, ""); err != nil {
			t.Fatal(err)
		}
		l := r.lease()
		r.next(l, nil)
		return g, l
	}
	finish := func(r *testRoom, l post.Lease, d post.Done) {
		if err := r.Finish(ctx, l, d); err != nil {
			t.Fatal(err)
		}
	}
	why := &post.Outcome{Code: "INVALID_CONTENT", Message: "no"}
	for _, test := range []struct {
		name string
		do   func(r *testRoom) error
		want []string
	}{
		{"a draft says nothing", func(r *testRoom) error { create(r, time.Time{}); return nil }, nil},
		{"each post of a scheduled group", func(r *testRoom) error { create(r, start.Add(time.Hour)); return nil }, []string{s, s}},
		{"a draft that is scheduled", func(r *testRoom) error {
			_, err := r.Arrange(ctx, create(r, time.Time{}).ID, nil, post.StatusScheduled, start.Add(time.Hour), nil, "")
			return err
		}, []string{s, s}},
		{"a new time", func(r *testRoom) error {
			_, err := r.Arrange(ctx, create(r, start.Add(time.Hour)).ID, nil, post.StatusScheduled, start.Add(2*time.Hour), nil, "")
			return err
		}, []string{s, s, s, s}},
		{"a pause says nothing", func(r *testRoom) error {
			_, err := r.Arrange(ctx, create(r, start.Add(time.Hour)).ID, nil, post.StatusDraft, time.Time{}, nil, "")
			return err
		}, []string{s, s}},
		{"a deleted group says nothing", func(r *testRoom) error {
			_, err := r.Delete(ctx, create(r, start.Add(time.Hour)).ID, "")
			return err
		}, []string{s, s}},
		{"published", func(r *testRoom) error {
			g, l := one(r)
			finish(r, l, *published(g.Posts[0].ID))
			return nil
		}, []string{s, p}},
		{"another try is not scheduled anew", func(r *testRoom) error {
			g, l := one(r)
			finish(r, l, post.Done{ID: g.Posts[0].ID, Status: post.StatusScheduled, RetryAt: start.Add(time.Hour), Outcome: why})
			return nil
		}, []string{s}},
		{"failed, tried again by a person", func(r *testRoom) error {
			g, l := one(r)
			finish(r, l, post.Done{ID: g.Posts[0].ID, Status: post.StatusFailed, Outcome: why})
			_, err := r.Retry(ctx, g.ID, start.Add(time.Hour), "")
			return err
		}, []string{s, f, s}},
		{"unknown is failed, once", func(r *testRoom) error {
			g, l := one(r)
			finish(r, l, post.Done{ID: g.Posts[0].ID, Status: post.StatusUnknown, Outcome: why})
			_, err := r.Resolve(ctx, g.ID, false, post.Receipt{}, "")
			return err
		}, []string{s, f}},
		{"unknown that turns out live", func(r *testRoom) error {
			g, l := one(r)
			finish(r, l, post.Done{ID: g.Posts[0].ID, Status: post.StatusUnknown, Outcome: why})
			_, err := r.Resolve(ctx, g.ID, true, post.Receipt{RemoteID: "1"}, "")
			return err
		}, []string{s, f, p}},
		{"an import, post by post", func(r *testRoom) error {
			_, err := r.take("a.csv", group("x", start, "twitter-1", "linkedin-2"), group("y", time.Time{}, "twitter-1"), group("z", start, "twitter-1"))
			return err
		}, []string{s, s, s}},
		{"what comes after an import is told after it", func(r *testRoom) error {
			if _, err := r.take("a.csv", group("x", start, "twitter-1")); err != nil {
				return err
			}
			l := r.lease()
			n := r.next(l, nil)
			finish(r, l, *published(n.Delivery.Post.ID))
			return nil
		}, []string{s, p}},
		{"said by others", func(r *testRoom) error {
			return r.Emit(ctx, acme, post.Event{Name: post.EventExpiring, At: start, Data: post.ExpiringData{}})
		}, []string{post.EventExpiring}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := open(t)
			w, published := r.hook(), r.hook(p)
			off := r.hook()
			if _, err := r.EditWebhook(ctx, acme, off.ID, func(w *post.Webhook) { w.Active = false }); err != nil {
				t.Fatal(err)
			}
			if err := test.do(r); err != nil {
				t.Fatal(err)
			}
			r.reopen()
			if got := r.hears(w); !slices.Equal(got, test.want) {
				t.Errorf("heard %v, want %v", got, test.want)
			}
			only := slices.DeleteFunc(slices.Clone(test.want), func(e string) bool { return e != p })
			if got := r.hears(published); !slices.Equal(got, only) {
				t.Errorf("one that wants %s alone heard %v, want %v", p, got, only)
			}
			if got := r.hears(off); got != nil {
				t.Errorf("one that is switched off heard %v", got)
			}
		})
	}
}

func TestALargeImportIsToldWholeAndInOrder(t *testing.T) {
	t.Parallel()
	r := open(t)
	w := r.hook()
	gs := make([]*post.Group, 3*noticesAtOnce+7)
	for i := range gs {
		gs[i] = group(fmt.Sprint(i), start.Add(time.Hour), "twitter-1", "linkedin-2")
	}
	imp := must[post.Import](t)(r.take("a.csv", gs...))
	last, heard := post.ID{}, 0
	for {
		_, n, ok, err := r.NextNotice(t.Context(), acme, w.ID)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			break
		}
		id := post.ID(n.Key[20:])
		if !sameMachine(id, imp.ID) || slices.Compare(last[:], id[:]) >= 0 {
			t.Fatalf("post %s after %s", id, last)
		}
		last = id
		heard++
		must[post.Webhook](t)(r.Delivered(t.Context(), acme, w.ID, n, true))
	}
	if heard != 2*len(gs) {
		t.Errorf("%d posts were told of, want %d", heard, 2*len(gs))
	}
}

// CONTRACT §7: an attempt that fails is made again after 10 s, 1 m, 5 m and 30 m,
// with nothing told before it; the fifth failure in a row switches the webhook off.
func TestAWebhookThatFailsIsLeftAloneAndThenSwitchedOff(t *testing.T) {
	t.Parallel()
	r := open(t)
	w := r.hook()
	ctx := t.Context()
	say := func() {
		if err := r.Emit(ctx, acme, post.Event{Name: post.EventExpiring, At: r.clock.now(), Data: post.ExpiringData{}}); err != nil {
			t.Fatal(err)
		}
	}
	say()
	say()
	var id post.ID
	for i, wait := range []time.Duration{10 * time.Second, time.Minute, 5 * time.Minute, 30 * time.Minute, 0} {
		_, n, ok, err := r.NextNotice(ctx, acme, w.ID)
		if err != nil || !ok {
			t.Fatalf("attempt %d: %v, %v", i+1, ok, err)
		}
		if id.IsZero() {
			id = n.ID
		}
		if n.ID != id {
			t.Errorf("attempt %d is at %s, want %s", i+1, n.ID, id)
		}
		w = must[post.Webhook](t)(r.Delivered(ctx, acme, w.ID, n, false))
		if w.Failures != i+1 || !w.LastAt.Equal(r.clock.now()) || w.Active != (wait > 0) {
			t.Fatalf("after failure %d: %+v", i+1, w)
		}
		due, next, err := r.DueWebhooks(ctx)
		if err != nil || len(due) != 0 || wait > 0 && !next.Equal(r.clock.now().Add(wait)) || wait == 0 && !next.IsZero() {
			t.Errorf("after failure %d: due %v, next %s (%v)", i+1, due, next, err)
		}
		r.forward(wait - time.Second)
		if _, _, ok, _ := r.NextNotice(ctx, acme, w.ID); ok {
			t.Errorf("after failure %d: tried before %s were over", i+1, wait)
		}
		r.forward(time.Second)
	}
	say() // switched off: not for it
	w = must[post.Webhook](t)(r.EditWebhook(ctx, acme, w.ID, func(w *post.Webhook) { w.Active = true }))
	if w.Failures != 0 {
		t.Errorf("switched on again with %d failures", w.Failures)
	}
	if got := r.hears(w); len(got) != 2 {
		t.Errorf("switched on again, it heard %v, want the 2 that waited", got)
	}
}

func TestWhatIsToldOnceIsNotToldAgainAfterARestart(t *testing.T) {
	t.Parallel()
	r := open(t)
	w := r.hook()
	emit := func(key string) bool {
		t.Helper()
		return must[bool](t)(r.EmitOnce(t.Context(), acme, key, time.Hour, post.Event{Name: post.EventExpiring, At: r.clock.now(), Data: post.ExpiringData{}}))
	}
	if !emit("a") || !emit("b") || emit("a") {
		t.Error("want each key to be first one time")
	}
	r.reopen()
	if emit("b") {
		t.Error("told again after a restart")
	}
	if got := r.hears(w); len(got) != 2 {
		t.Errorf("heard %v, want 2", got)
	}
	r.forward(time.Hour)
	if !emit("a") {
		t.Error("a key is remembered for longer than it was asked for")
	}
}

func TestASuccessEndsTheFailuresInARow(t *testing.T) {
	t.Parallel()
	r := open(t)
	w := r.hook()
	for range 12 {
		if err := r.Emit(t.Context(), acme, post.Event{Name: post.EventExpiring, At: r.clock.now(), Data: post.ExpiringData{}}); err != nil {
			t.Fatal(err)
		}
		for _, good := range []bool{false, true} {
			_, n, ok, err := r.NextNotice(t.Context(), acme, w.ID)
			if err != nil || !ok {
				t.Fatal(ok, err)
			}
			w = must[post.Webhook](t)(r.Delivered(t.Context(), acme, w.ID, n, good))
			r.forward(10 * time.Second)
		}
		if w.Failures != 0 || !w.Active {
			t.Fatalf("%+v", w)
		}
	}
}

func TestWhatWaitsForAWebhookIsBounded(t *testing.T) {
	t.Parallel()
	r := open(t)
	w := r.hook()
	for i := range 3 {
		e := post.Event{Name: post.EventExpiring, At: r.clock.now(), Data: post.ExpiringData{Username: fmt.Sprint(i)}}
		if err := r.Emit(t.Context(), acme, e); err != nil {
			t.Fatal(err)
		}
		r.forward(3 * 24 * time.Hour)
	}
	_, n, ok, err := r.NextNotice(t.Context(), acme, w.ID) // 9, 6 and 3 days old
	if err != nil || !ok || !strings.Contains(string(n.Body), `"username":"1"`) {
		t.Errorf("first is %s (%v, %v), want the second: the first is older than 7 days", n.Body, ok, err)
	}
	err = r.update(t.Context(), func(c *change) error {
		for i := range mostNotices + 5 {
			e := post.Event{Name: post.EventExpiring, At: c.now, Data: post.ExpiringData{Username: fmt.Sprint("n", i)}}
			if err := c.emit(1, e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, n, _, _ := r.NextNotice(t.Context(), acme, w.ID); !strings.Contains(string(n.Body), `"username":"n5"`) {
		t.Errorf("first is %s, want n5: the oldest made room", n.Body)
	}
	if err := r.DeleteWebhook(t.Context(), acme, w.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Delivered(t.Context(), acme, w.ID, n, true); !errors.Is(err, post.ErrNotFound) {
		t.Errorf("an attempt at a webhook that was deleted: %v", err)
	}
} // Verify finds nothing that waits for no webhook

func TestAnAccountHasSoManyWebhooksAndOnlyItsOwn(t *testing.T) {
	t.Parallel()
	r := open(t)
	for i := range 3 {
		w := post.Webhook{Account: "other", Events: post.Events, Active: true}
		err := r.AddWebhook(t.Context(), &w, 2)
		if _, many := errors.AsType[*post.CapExceeded](err); many != (i == 2) || !many && err != nil {
			t.Errorf("webhook %d: %v", i+1, err)
		}
	}
	other := must[[]post.Webhook](t)(r.Webhooks(t.Context(), "other"))
	w := r.hook()
	if all := must[[]post.Webhook](t)(r.Webhooks(t.Context(), acme)); len(all) != 1 || all[0].ID != w.ID {
		t.Errorf("acme has %v", all)
	}
	if _, err := r.EditWebhook(t.Context(), acme, other[0].ID, func(*post.Webhook) {}); !errors.Is(err, post.ErrNotFound) {
		t.Errorf("another's webhook: %v", err)
	}
	if err := r.DeleteWebhook(t.Context(), acme, other[0].ID); !errors.Is(err, post.ErrNotFound) {
		t.Errorf("another's webhook: %v", err)
	}
	if err := r.Create(t.Context(), group("x", start, "twitter-1"), nil, ""); err != nil {
		t.Fatal(err)
	}
	if due, _, err := r.DueWebhooks(t.Context()); err != nil || len(due) != 1 || due[0].Account != acme {
		t.Errorf("due %v (%v), want acme's alone", due, err)
	}
}

// Wherever the process dies, the event of a published post is there exactly when
// the post is published, and has one id.
func TestP1_AnEventIsStoredWithTheChangeItTellsOf(t *testing.T) {
	t.Parallel()
	ids := map[post.ID]bool{}
	crashing(t, func(r *testRoom) error {
		ctx := context.Background()
		clear(ids)
		w := post.Webhook{Account: acme, Events: []string{post.EventPublished, post.EventScheduled}, Active: true}
		if err := r.AddWebhook(ctx, &w, 1); err != nil {
			return err
		}
		if _, err := r.take("a.csv", group("a", start, "twitter-1"), group("b", start, "twitter-1")); err != nil {
			return err
		}
		ls, err := r.Acquire(ctx, time.Hour, 1)
		if err != nil {
			return err
		}
		var done *post.Done
		for {
			n, err := r.Next(ctx, ls[0], done, 0)
			if err != nil {
				return err
			}
			if !n.OK {
				break
			}
			done = published(n.Delivery.Post.ID)
		}
		for {
			_, n, ok, err := r.NextNotice(ctx, acme, w.ID)
			if err != nil || !ok {
				return err
			}
			ids[n.ID] = true
			if _, err := r.Delivered(ctx, acme, w.ID, n, true); err != nil {
				return err
			}
			delete(ids, n.ID)
		}
	}, func(r *testRoom, _ bool) {
		all, err := r.Webhooks(t.Context(), acme)
		if err != nil {
			t.Fatal(err)
		}
		if len(all) == 0 {
			return
		}
		again := map[post.ID]bool{}
		waiting := 0
		for {
			_, n, ok, err := r.NextNotice(t.Context(), acme, all[0].ID)
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			if n.Event == post.EventPublished {
				waiting++
			}
			again[n.ID] = true
			must[post.Webhook](t)(r.Delivered(t.Context(), acme, all[0].ID, n, true))
		}
		for id := range ids {
			if !again[id] {
				t.Errorf("notice %s was not said to be delivered, and is gone", id)
			}
		}
		live := must[map[post.Status]int](t)(r.Totals(t.Context()))[post.StatusPublished]
		if waiting > live || all[0].LastAt.IsZero() && waiting != live {
			t.Errorf("%d posts are published, %d events of it wait", live, waiting)
		}
	})
}
