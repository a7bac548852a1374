package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/postroom/postroom/post"
)

// start is a Monday in winter.
var start = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

// A clock is moved by the test.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// A room is a store in a test's folder, that can be closed and opened again.
type testRoom struct {
	*Store
	t    *testing.T
	path string
	*clock
}

func open(t *testing.T) *testRoom {
	r := &testRoom{t: t, path: filepath.Join(t.TempDir(), "postroom.db"), clock: &clock{at: start}}
	r.reopen()
	t.Cleanup(func() {
		for _, err := range r.Verify(context.Background()) {
			t.Errorf("verify: %v", err)
		}
		if err := r.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return r
}

// reopen stands for a crash: nothing in memory survives.
func (r *testRoom) reopen() {
	r.t.Helper()
	if r.Store != nil {
		if err := r.Close(); err != nil {
			r.t.Fatal(err)
		}
	}
	s, err := Open(r.path, Options{Now: r.clock.now, Who: "test"})
	if err != nil {
		r.t.Fatal(err)
	}
	r.Store = s
}

const acme post.AccountID = "acme"

func group(text string, at time.Time, conns ...post.ConnectionID) *post.Group {
	g := &post.Group{Account: acme, Content: post.Content{Text: text}, ScheduledAt: at, RequestedAt: at, CreatedAt: start, UpdatedAt: start}
	for _, c := range conns {
		p := post.Post{Account: acme, Connection: c, Status: post.StatusScheduled, DueAt: at, SlotAt: at, UpdatedAt: start}
		if at.IsZero() {
			p.Status = post.StatusDraft
		}
		g.Posts = append(g.Posts, p)
	}
	return g
}

// take stages and seals groups as one file.
func (r *testRoom) take(name string, gs ...*post.Group) (post.Import, error) {
	st, err := r.Stage(r.t.Context(), acme)
	if err != nil {
		return post.Import{}, err
	}
	for i, g := range gs {
		g.Row = i + 1
		row := post.Row{N: i + 1, Line: i + 2, Decision: post.Accepted, Key: uint64(i+1) * 1000, Version: 1, Twin: uint64(i+1)*77 + uint64(len(name))}
		if err := st.Add(&row, g); err != nil {
			return post.Import{}, err
		}
	}
	return st.Seal(r.t.Context(), post.Seal{Import: post.Import{Name: name, Lineage: name, Digest: post.Digest([]byte(fmt.Sprintf("%-32s", name)))}})
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// lease leases the one connection that is due.
func (r *testRoom) lease() post.Lease {
	r.t.Helper()
	ls := must[[]post.Lease](r.t)(r.Acquire(r.t.Context(), time.Minute, 10))
	if len(ls) != 1 {
		r.t.Fatalf("acquired %d leases, want 1", len(ls))
	}
	return ls[0]
}

func (r *testRoom) next(l post.Lease, done *post.Done) post.Next {
	r.t.Helper()
	return must[post.Next](r.t)(r.Next(r.t.Context(), l, done, 0))
}

func published(id post.ID) *post.Done {
	return &post.Done{ID: id, Status: post.StatusPublished, Receipt: &post.Receipt{RemoteID: "r" + id.String()}}
}

func TestTheLatestImportIsListedFirst(t *testing.T) {
	r := open(t)
	var want []post.ID
	for n := range 40 {
		switch {
		case n == 15:
			r.reopen()
		case n == 25:
			r.forward(-time.Hour) // the clock is set back
		case n%7 == 3:
			st := must[*Stage](t)(r.Stage(t.Context(), "acme"))
			defer st.Discard()
		}
		imp := must[post.Import](t)(r.take(fmt.Sprint(n), group(fmt.Sprint(n), start, "twitter-1")))
		want = append(want, imp.ID)
	}
	slices.Reverse(want[:25])
	slices.Reverse(want[25:])
	imps, _, err := r.Imports(t.Context(), "acme", "", 100)
	if err != nil {
		t.Fatal(err)
	}
	for i, imp := range imps {
		if imp.ID != want[i] {
			t.Fatalf("import %d of %d is not the latest that is left", i, len(imps))
		}
	}
}

func TestP5_StagedGroupsShowOnlyOnceSealed(t *testing.T) {
	r := open(t)
	st := must[*Stage](t)(r.Stage(t.Context(), acme))
	for i := range 25_000 { // more than one chunk
		g := group(fmt.Sprint("post ", i), start, "twitter-1")
		if err := st.Add(&post.Row{N: i + 1, Decision: post.Accepted, Key: uint64(i), Twin: uint64(i)}, g); err != nil {
			t.Fatal(err)
		}
	}
	seen := func() (groups, due, totals int) {
		gs, _, err := r.Groups(t.Context(), post.Filter{}, "", 10)
		if err != nil {
			t.Fatal(err)
		}
		at, ok, err := r.NextDue(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if ok && !at.After(r.clock.now()) {
			due = 1
		}
		for _, n := range must[map[post.Status]int](t)(r.Totals(t.Context())) {
			totals += n
		}
		return len(gs), due, totals
	}
	if g, d, n := seen(); g+d+n != 0 {
		t.Fatalf("before the seal: %d groups, %d due, %d counted; want none", g, d, n)
	}
	if _, err := st.Seal(t.Context(), post.Seal{Import: post.Import{Name: "a.csv", Lineage: "a.csv"}}); err != nil {
		t.Fatal(err)
	}
	if g, d, n := seen(); g != 10 || d != 1 || n != 25_000 {
		t.Fatalf("after the seal: %d groups, %d due, %d counted; want 10, 1, 25000", g, d, n)
	}
}

func TestP5_AnUnsealedStageIsSweptAtOpen(t *testing.T) {
	r := open(t)
	st := must[*Stage](t)(r.Stage(t.Context(), acme))
	for i := range 12_000 {
		if err := st.Add(&post.Row{N: i + 1, Decision: post.Accepted, Key: uint64(i)}, group("x", start, "twitter-1", "linkedin-2")); err != nil {
			t.Fatal(err)
		}
	}
	if err := st.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := st.Add(&post.Row{N: 12_001}, nil); !errors.Is(err, errEnded) {
		t.Errorf("a row added to a prepared stage: %v", err)
	}
	r.reopen()
	err := r.db.View(func(tx *bolt.Tx) error {
		for _, b := range [][]byte{bucketGroups, bucketOpen, bucketRuns, bucketRows, bucketKeyRuns, bucketTwinRuns, bucketStages, bucketWake} {
			if k, _ := tx.Bucket(b).Cursor().First(); k != nil {
				t.Errorf("bucket %s still has %x", b, k)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestP5_TheSameBytesAreStoredOnce(t *testing.T) {
	r := open(t)
	must[post.Import](t)(r.take("a.csv", group("one", start, "twitter-1")))
	if _, err := r.take("a.csv", group("one", start, "twitter-1")); !errors.Is(err, post.ErrDuplicate) {
		t.Fatalf("second seal of the same bytes: %v, want ErrDuplicate", err)
	}
	if n := must[map[post.Status]int](t)(r.Totals(t.Context()))[post.StatusScheduled]; n != 1 {
		t.Errorf("%d posts stored, want 1", n)
	}
}

func TestP6_SealRefusesWhatBreaksACap(t *testing.T) {
	r := open(t)
	must[post.Import](t)(r.take("a.csv", group("one", start, "twitter-1"), group("two", start, "twitter-1")))
	march := post.MonthOf(start)
	for _, tc := range []struct {
		name string
		cap  post.Cap
		ok   bool
	}{
		{"month of the connection is full", post.Cap{Connection: "twitter-1", Month: march, Max: 2}, false},
		{"month of the connection has room", post.Cap{Connection: "twitter-1", Month: march, Max: 3}, true},
		{"active of the account is full", post.Cap{Max: 2}, false},
		{"another month does not count", post.Cap{Connection: "twitter-1", Month: march + 1, Max: 0}, true},
		{"another connection does not count", post.Cap{Connection: "linkedin-9", Month: march, Max: 0}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			st := must[*Stage](t)(r.Stage(t.Context(), acme))
			if err := st.Add(&post.Row{N: 1, Decision: post.Accepted}, group("three", start, "twitter-1")); err != nil {
				t.Fatal(err)
			}
			imp, err := st.Seal(t.Context(), post.Seal{Import: post.Import{Name: tc.name, Lineage: tc.name, Digest: post.Digest([]byte(fmt.Sprintf("%-32.32s", tc.name)))}, Caps: []post.Cap{tc.cap}})
			var full *post.CapExceeded
			if tc.ok != (err == nil) || !tc.ok && !errors.As(err, &full) {
				t.Fatalf("seal: %v, want accepted %v", err, tc.ok)
			}
			if err == nil {
				if _, _, err := r.UndoImport(t.Context(), imp.ID, "test"); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func TestP6_ConcurrentSealsNeverPassACap(t *testing.T) {
	r := open(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	won := 0
	for i := range 8 {
		wg.Go(func() {
			st, err := r.Stage(t.Context(), acme)
			if err != nil {
				t.Error(err)
				return
			}
			if err := st.Add(&post.Row{N: 1, Decision: post.Accepted}, group("x", start, "twitter-1")); err != nil {
				t.Error(err)
				return
			}
			_, err = st.Seal(t.Context(), post.Seal{Import: post.Import{Name: fmt.Sprint(i), Digest: post.Digest{byte(i)}}, Caps: []post.Cap{{Connection: "twitter-1", Max: 3}}})
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won++
			}
		})
	}
	wg.Wait()
	if won != 3 {
		t.Errorf("%d of 8 files fit a cap of 3, want 3", won)
	}
}

func TestP2_TheIntentIsDurableBeforeAnythingIsSent(t *testing.T) {
	r := open(t)
	must[post.Import](t)(r.take("a.csv", group("one", start, "twitter-1"), group("two", start.Add(time.Minute), "twitter-1")))
	r.forward(2 * time.Minute)
	l := r.lease()
	n := r.next(l, nil)
	if !n.OK || n.Delivery.Content.Text != "one" || n.Delivery.Post.Status != post.StatusProcessing || n.Delivery.Post.Attempts != 1 {
		t.Fatalf("next: %+v, want post one, processing, attempt 1", n)
	}
	r.reopen() // the process died while it sent
	again := r.lease()
	if again.Epoch <= l.Epoch {
		t.Errorf("epoch %d after %d, want a later one", again.Epoch, l.Epoch)
	}
	if n := r.next(again, nil); !n.OK || n.Delivery.Content.Text != "two" {
		t.Fatalf("next after the crash: %+v, want post two: one may be live", n)
	}
	orphans := must[[]post.Delivery](t)(r.Orphans(t.Context(), again))
	if len(orphans) != 1 || orphans[0].Content.Text != "one" {
		t.Fatalf("orphans: %+v, want post one", orphans)
	}
	if err := r.Adopt(t.Context(), again, post.Done{ID: orphans[0].Post.ID, Status: post.StatusUnknown, Outcome: &post.Outcome{Code: post.CodeOutcomeUnknown}}); err != nil {
		t.Fatal(err)
	}
	if g := must[post.Group](t)(r.Group(t.Context(), orphans[0].Post.ID)); g.Posts[0].Status != post.StatusUnknown {
		t.Errorf("the orphan is %s, want unknown", g.Posts[0].Status)
	}
}

func TestP2_AnOldLeaseWritesNothing(t *testing.T) {
	r := open(t)
	must[post.Import](t)(r.take("a.csv", group("one", start, "twitter-1")))
	old := r.lease()
	n := r.next(old, nil)
	r.forward(2 * time.Minute) // the lease runs out
	if ls := must[[]post.Lease](t)(r.Acquire(t.Context(), time.Minute, 10)); len(ls) != 1 || ls[0].Epoch != old.Epoch+1 {
		t.Fatalf("leases after the old one ran out: %+v", ls)
	}
	for what, err := range map[string]error{
		"finish":     r.Finish(t.Context(), old, *published(n.Delivery.Post.ID)),
		"next":       func() error { _, err := r.Next(t.Context(), old, nil, 0); return err }(),
		"checkpoint": r.Checkpoint(t.Context(), old, n.Delivery.Post.ID, nil, []byte("x")),
		"adopt":      r.Adopt(t.Context(), old, *published(n.Delivery.Post.ID)),
		"release":    r.Release(t.Context(), old),
	} {
		if !errors.Is(err, post.ErrFenced) {
			t.Errorf("%s under the old lease: %v, want post.ErrFenced", what, err)
		}
	}
}

func TestP2_APublishedPostIsNeverHandedOutAgain(t *testing.T) {
	r := open(t)
	must[post.Import](t)(r.take("a.csv", group("one", start, "twitter-1")))
	l := r.lease()
	n := r.next(l, nil)
	if n := r.next(l, published(n.Delivery.Post.ID)); n.OK || !n.Wait.IsZero() {
		t.Fatalf("after the only post is out: %+v, want nothing", n)
	}
	for _, err := range []error{
		func() error { _, err := r.Retry(t.Context(), n.Delivery.Post.ID, start, "me"); return err }(),
		func() error { _, err := r.Reschedule(t.Context(), n.Delivery.Post.ID, start, nil, "me"); return err }(),
		func() error { _, err := r.Cancel(t.Context(), n.Delivery.Post.ID, "me"); return err }(),
		func() error { _, err := r.Approve(t.Context(), n.Delivery.Post.ID, start, nil, "me"); return err }(),
	} {
		if !errors.Is(err, post.ErrState) {
			t.Errorf("changing a published post: %v, want post.ErrState", err)
		}
	}
}

// A person's retry counts its attempts from one, and is given to the publisher as a
// post of which something may be live.
func TestP2_AnAttemptAfterAnotherSaysSo(t *testing.T) {
	r := open(t)
	must[post.Import](t)(r.take("a.csv", group("one", start, "twitter-1")))
	l := r.lease()
	n := r.next(l, nil)
	if n.Delivery.Again {
		t.Error("the first attempt comes after another")
	}
	id := n.Delivery.Post.ID
	r.next(l, &post.Done{ID: id, Status: post.StatusUnknown, Outcome: &post.Outcome{Message: "lost"}})
	must[post.Group](t)(r.Resolve(t.Context(), id, false, post.Receipt{}, "me"))
	must[post.Group](t)(r.Retry(t.Context(), id, start, "me"))
	if n = r.next(l, nil); !n.OK || n.Delivery.Post.Attempts != 1 || !n.Delivery.Again {
		t.Errorf("given %+v, want attempt 1 after another", n)
	}
}

func TestP3_NothingIsBegunBeforeItIsDue(t *testing.T) {
	r := open(t)
	must[post.Import](t)(r.take("a.csv", group("soon", start, "twitter-1"), group("later", start.Add(time.Hour), "twitter-1")))
	l := r.lease()
	first := r.next(l, nil)
	n := r.next(l, published(first.Delivery.Post.ID))
	if n.OK || !n.Wait.Equal(start.Add(time.Hour)) {
		t.Fatalf("next: %+v, want to wait until %s", n, start.Add(time.Hour))
	}
	if err := r.Release(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	r.forward(time.Hour - time.Second)
	if ls := must[[]post.Lease](t)(r.Acquire(t.Context(), time.Minute, 10)); len(ls) != 0 {
		t.Fatalf("leases a second early: %+v", ls)
	}
	r.forward(time.Second)
	if n := r.next(r.lease(), nil); !n.OK {
		t.Errorf("at the due second nothing was begun: %+v", n)
	}
}

func TestP3_PostsFoundTooLateAreHeldAndSaid(t *testing.T) {
	r := open(t)
	imp := must[post.Import](t)(r.take("a.csv", group("old", start, "twitter-1"), group("fresh", start.Add(3*time.Hour), "twitter-1")))
	if err := r.MarkFiled(t.Context(), imp.ID, "archive/a.csv", "acme/a.csv"); err != nil {
		t.Fatal(err)
	}
	r.forward(3 * time.Hour)
	l := r.lease()
	n := must[post.Next](t)(r.Next(t.Context(), l, nil, 2*time.Hour))
	if !n.OK || n.Delivery.Content.Text != "fresh" || len(n.Held) != 1 {
		t.Fatalf("next: %+v, want fresh begun and old held", n)
	}
	g := must[post.Group](t)(r.Group(t.Context(), n.Held[0].ID))
	if g.Status() != post.StatusDraft || !strings.Contains(g.Held, "3h0m0s after its time") {
		t.Errorf("the late group is %s, held %q", g.Status(), g.Held)
	}
	if d := must[[]post.DirtyImport](t)(r.Dirty(t.Context(), 10)); len(d) != 1 || d[0].Import != imp.ID {
		t.Errorf("dirty imports: %+v, want %s", d, imp.ID)
	}
}

func TestASnoozeDoesNotCountAndARetryDoes(t *testing.T) {
	r := open(t)
	must[post.Import](t)(r.take("a.csv", group("one", start, "twitter-1")))
	l := r.lease()
	n := r.next(l, nil)
	id := n.Delivery.Post.ID
	at := start.Add(5 * time.Minute)
	n = r.next(l, &post.Done{ID: id, Status: post.StatusScheduled, RetryAt: at, Snooze: true, Outcome: &post.Outcome{Code: "RATE_LIMITED"}, NotBefore: at})
	if n.OK || !n.Wait.Equal(at) {
		t.Fatalf("after a snooze: %+v, want to wait until %s", n, at)
	}
	r.forward(5 * time.Minute)
	l, err := r.Renew(t.Context(), l, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	n = r.next(l, nil)
	if !n.OK || n.Delivery.Post.Attempts != 1 {
		t.Fatalf("after the snooze: %+v, want attempt 1", n)
	}
	n = r.next(l, &post.Done{ID: id, Status: post.StatusScheduled, RetryAt: r.clock.now(), Outcome: &post.Outcome{Code: "TIMEOUT_ERROR"}})
	if !n.OK || n.Delivery.Post.Attempts != 2 {
		t.Fatalf("after a retry: %+v, want attempt 2", n)
	}
}

func TestAPausedConnectionIsNotWoken(t *testing.T) {
	r := open(t)
	must[post.Import](t)(r.take("a.csv", group("one", start, "twitter-1"), group("two", start, "twitter-1")))
	l := r.lease()
	n := r.next(l, nil)
	until := start.Add(time.Hour)
	r.next(l, &post.Done{ID: n.Delivery.Post.ID, Status: post.StatusFailed, Outcome: &post.Outcome{Code: "PLATFORM_AUTH_EXPIRED", Message: "token refused"}, NotBefore: until, PauseWhy: "token refused"})
	if err := r.Release(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	r.forward(time.Minute)
	if ls := must[[]post.Lease](t)(r.Acquire(t.Context(), time.Minute, 10)); len(ls) != 0 {
		t.Fatalf("a paused connection was leased: %+v", ls)
	}
	cs := must[[]post.ConnectionState](t)(r.Connections(t.Context()))
	if len(cs) != 1 || cs[0].PauseWhy != "token refused" || !cs[0].NotBefore.Equal(until) || cs[0].Open != 1 || cs[0].ErrorsInRow != 1 {
		t.Errorf("connections: %+v", cs)
	}
	if err := r.Resume(t.Context(), acme, "twitter-1", "me"); err != nil {
		t.Fatal(err)
	}
	if n := r.next(r.lease(), nil); !n.OK || n.Delivery.Content.Text != "two" {
		t.Errorf("after resume: %+v, want post two", n)
	}
}

func TestAnEarlierPostWakesItsConnection(t *testing.T) {
	r := open(t)
	must[post.Import](t)(r.take("a.csv", group("later", start.Add(time.Hour), "twitter-1")))
	g := group("now", start, "twitter-1")
	if err := r.Create(t.Context(), g, nil, "me"); err != nil {
		t.Fatal(err)
	}
	if n := r.next(r.lease(), nil); !n.OK || n.Delivery.Content.Text != "now" {
		t.Errorf("next: %+v, want the post made last", n)
	}
}

func TestAPostMadeWhileItsConnectionIsLeasedIsNotLost(t *testing.T) {
	r := open(t)
	must[post.Import](t)(r.take("a.csv", group("one", start, "twitter-1")))
	l := r.lease()
	n := r.next(l, nil)
	must[post.Import](t)(r.take("b.csv", group("two", start.Add(time.Minute), "twitter-1")))
	if n := r.next(l, published(n.Delivery.Post.ID)); n.OK || !n.Wait.Equal(start.Add(time.Minute)) {
		t.Fatalf("next: %+v, want to wait for post two", n)
	}
	if err := r.Release(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	if at, ok, err := r.NextDue(t.Context()); err != nil || !ok || !at.Equal(start.Add(time.Minute)) {
		t.Errorf("next due: %s %v %v", at, ok, err)
	}
}

func TestARevisionReplacesWhatWaitsAndNothingElse(t *testing.T) {
	r := open(t)
	a, b := group("a", start, "twitter-1"), group("b", start.Add(time.Hour), "twitter-1")
	first := must[post.Import](t)(r.take("a.csv", a, b))
	l := r.lease()
	r.next(l, nil) // a is being sent
	seal := func(name string, replace post.ID) error {
		st := must[*Stage](t)(r.Stage(t.Context(), acme))
		if err := st.Add(&post.Row{N: 1, Decision: post.Updated}, group("new", start.Add(2*time.Hour), "twitter-1")); err != nil {
			t.Fatal(err)
		}
		_, err := st.Seal(t.Context(), post.Seal{Import: post.Import{Name: name, Lineage: "a.csv", Previous: first.ID, Digest: post.Digest([]byte(fmt.Sprintf("%-32s", name)))}, Replace: []post.ID{replace}})
		return err
	}
	if err := seal("2", a.ID); !errors.Is(err, post.ErrConflict) {
		t.Fatalf("replacing a group that is being sent: %v, want ErrConflict", err)
	}
	if err := seal("3", b.ID); err != nil {
		t.Fatal(err)
	}
	if g := must[post.Group](t)(r.Group(t.Context(), b.ID)); g.Status() != post.StatusCancelled {
		t.Errorf("the replaced group is %s, want cancelled", g.Status())
	}
}

func TestARowWhosePostWasTakenBackByARevisionIsNewWhenItComesAgain(t *testing.T) {
	r := open(t)
	revise := func(name string, prev post.ID, at time.Time, version uint64, replace ...post.ID) (post.Import, *post.Group) {
		st := must[*Stage](t)(r.Stage(t.Context(), acme))
		g := group("same words", at, "twitter-1")
		if err := st.Add(&post.Row{N: 1, Decision: post.Accepted, Key: 7, Version: version, Twin: uint64(at.Unix())}, g); err != nil {
			t.Fatal(err)
		}
		return must[post.Import](t)(st.Seal(t.Context(), post.Seal{Import: post.Import{Name: name, Lineage: "a.csv", Previous: prev, Digest: post.Digest{byte(version)}}, Replace: replace})), g
	}
	nine, ten := start.Add(time.Hour), start.Add(2*time.Hour)
	first, g := revise("a.csv", post.ID{}, nine, 1)
	second, _ := revise("a.csv", first.ID, ten, 2, g.ID)
	// The row is moved back to nine: its twin of the first revision is cancelled.
	if ms := must[[]post.Match](t)(r.MatchTwins(t.Context(), acme, []uint64{uint64(nine.Unix()), uint64(ten.Unix())})); len(ms) != 1 || ms[0].At != 1 {
		t.Errorf("twins: %+v, want the one of the second revision", ms)
	}
	if ms := must[[]post.Match](t)(r.MatchKeys(t.Context(), acme, "a.csv", []uint64{7})); len(ms) != 1 || ms[0].Import != second.ID || ms[0].Version != 2 {
		t.Errorf("keys: %+v, want that of the second revision", ms)
	}
	// Undone, neither revision has a post that stands.
	if _, _, err := r.UndoImport(t.Context(), second.ID, "me"); err != nil {
		t.Fatal(err)
	}
	if ms := must[[]post.Match](t)(r.MatchKeys(t.Context(), acme, "a.csv", []uint64{7})); len(ms) != 0 {
		t.Errorf("keys after the undo: %+v, want none", ms)
	}
	if ms := must[[]post.Match](t)(r.MissingKeys(t.Context(), second.ID, nil)); len(ms) != 0 {
		t.Errorf("missing keys after the undo: %+v, want none", ms)
	}
}

func TestAPostThatAPersonCancelledIsNotMadeAnewByItsFile(t *testing.T) {
	r := open(t)
	g := group("a", start.Add(time.Hour), "twitter-1")
	must[post.Import](t)(r.take("a.csv", g))
	must[post.Group](t)(r.Cancel(t.Context(), g.ID, "me"))
	if ms := must[[]post.Match](t)(r.MatchKeys(t.Context(), acme, "a.csv", []uint64{1000})); len(ms) != 1 {
		t.Errorf("keys: %+v, want the cancelled one", ms)
	}
}

func TestTwoRevisionsAtOnceDoNotBothCount(t *testing.T) {
	r := open(t)
	must[post.Import](t)(r.take("a.csv", group("a", start, "twitter-1")))
	st := must[*Stage](t)(r.Stage(t.Context(), acme))
	_, err := st.Seal(t.Context(), post.Seal{Import: post.Import{Name: "a.csv", Lineage: "a.csv", Digest: post.Digest{9}}})
	if !errors.Is(err, post.ErrConflict) {
		t.Fatalf("a revision planned before another was sealed: %v, want ErrConflict", err)
	}
}

func TestIdentitiesAreFoundAcrossRevisions(t *testing.T) {
	r := open(t)
	first := must[post.Import](t)(r.take("a.csv", group("a", start, "twitter-1"), group("b", start, "twitter-1"), group("c", start, "twitter-1")))
	ms := must[[]post.Match](t)(r.MatchKeys(t.Context(), acme, "a.csv", []uint64{1, 1000, 1500, 3000, 9000}))
	if len(ms) != 2 || ms[0].At != 1 || ms[0].Row != 1 || ms[1].At != 3 || ms[1].Row != 3 || ms[0].Version != 1 {
		t.Fatalf("keys: %+v", ms)
	}
	if g := must[post.Group](t)(r.Group(t.Context(), ms[1].Group)); g.Text != "c" {
		t.Errorf("row 3 has group %q, want c", g.Text)
	}
	if ms := must[[]post.Match](t)(r.MissingKeys(t.Context(), first.ID, []uint64{1000, 3000})); len(ms) != 1 || ms[0].Row != 2 {
		t.Errorf("missing: %+v, want row 2", ms)
	}
	twin := uint64(77 + len("a.csv"))
	if ms := must[[]post.Match](t)(r.MatchTwins(t.Context(), acme, []uint64{twin})); len(ms) != 1 || ms[0].Import != first.ID {
		t.Errorf("twins: %+v", ms)
	}
	if _, _, err := r.UndoImport(t.Context(), first.ID, "me"); err != nil {
		t.Fatal(err)
	}
	if ms := must[[]post.Match](t)(r.MatchTwins(t.Context(), acme, []uint64{twin})); len(ms) != 0 {
		t.Errorf("twins of an undone import: %+v, want none", ms)
	}
	if _, ok, err := r.ImportByDigest(t.Context(), acme, first.Digest); ok || err != nil {
		t.Errorf("the undone file is still known: %v %v", ok, err)
	}
}

func TestLargeRunsAreFoundWhole(t *testing.T) {
	r := open(t)
	st := must[*Stage](t)(r.Stage(t.Context(), acme))
	const n = 5000
	for i := range n {
		if err := st.Add(&post.Row{N: i + 1, Line: i + 2, Decision: post.Accepted, Key: uint64(n-i) * 10, Version: uint64(i)}, group(fmt.Sprint(i), start, "twitter-1")); err != nil {
			t.Fatal(err)
		}
	}
	imp := must[post.Import](t)(st.Seal(t.Context(), post.Seal{Import: post.Import{Name: "a", Lineage: "a"}}))
	var ask []uint64
	for k := uint64(5); k <= n*10+100; k += 5 {
		ask = append(ask, k)
	}
	ms := must[[]post.Match](t)(r.MatchKeys(t.Context(), acme, "a", ask))
	if len(ms) != n {
		t.Fatalf("%d keys found, want %d", len(ms), n)
	}
	for _, m := range ms {
		if want := n - int(ask[m.At]/10) + 1; m.Row != want || m.Version != uint64(want-1) {
			t.Fatalf("key %d: row %d, want %d", ask[m.At], m.Row, want)
		}
	}
	rows := must[[]post.Row](t)(r.Rows(t.Context(), imp.ID, 300, 10))
	if len(rows) != 10 || rows[0].N != 300 || rows[0].Line != 301 {
		t.Fatalf("rows from 300: %+v", rows)
	}
	next := 0
	err := r.EachGroup(t.Context(), imp.ID, func(g *post.Group) error {
		if g.Text != fmt.Sprint(next) {
			return fmt.Errorf("group %q, want %d", g.Text, next)
		}
		next++
		return nil
	})
	if err != nil || next != n {
		t.Fatalf("each group: %v after %d", err, next)
	}
}

func TestASecondOpenNamesTheFirst(t *testing.T) {
	r := open(t)
	_, err := Open(r.path, Options{Timeout: time.Millisecond})
	if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), fmt.Sprintf("process %d (test)", os.Getpid())) {
		t.Fatalf("second open: %v, want ErrInUse naming this process", err)
	}
}

func TestAFailedWriteBreaksTheStoreForGood(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.db")
	var file *os.File
	s, err := Open(path, Options{openFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
		f, err := os.OpenFile(name, flag, mode)
		file = f
		return f, err
	}})
	if err != nil {
		t.Fatal(err)
	}
	one := group("one", start, "twitter-1")
	if err := s.Create(t.Context(), one, nil, "me"); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil { // from here on every write fails
		t.Fatal(err)
	}
	lost := group("two", start, "twitter-1")
	if err := s.Create(t.Context(), lost, nil, "me"); err == nil {
		t.Fatal("a write to a closed file was called durable")
	}
	select {
	case <-s.Failed():
	default:
		t.Fatal("the store did not say that it failed")
	}
	for what, err := range map[string]error{
		"create":  s.Create(t.Context(), group("three", start, "twitter-1"), nil, "me"),
		"acquire": func() error { _, err := s.Acquire(t.Context(), time.Minute, 1); return err }(),
		"stage":   func() error { _, err := s.Stage(t.Context(), acme); return err }(),
	} {
		if err == nil || !errors.Is(err, s.Err()) {
			t.Errorf("%s on a store that failed: %v, want %v", what, err, s.Err())
		}
	}
	if g, err := s.Group(t.Context(), one.ID); err != nil || g.Text != "one" {
		t.Errorf("reading what is durable: %v", err)
	}
	if err := s.Close(); err == nil {
		t.Error("closing a store on a closed file said nothing")
	}
	s, err = Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Group(t.Context(), one.ID); err != nil {
		t.Errorf("P1: what was called durable is gone: %v", err)
	}
	if _, err := s.Group(t.Context(), lost.ID); !errors.Is(err, post.ErrNotFound) {
		t.Errorf("what was refused: %v, want ErrNotFound", err)
	}
	for _, err := range s.Verify(t.Context()) {
		t.Error(err)
	}
}

func TestP1_AFullStoreRefusesNewPostsAndStillRecordsOutcomes(t *testing.T) {
	t.Parallel()
	r := &testRoom{t: t, path: filepath.Join(t.TempDir(), "a.db"), clock: &clock{at: start}}
	s, err := Open(r.path, Options{Now: r.clock.now, MaxSize: 4 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	r.Store = s
	made := 0
	for ; err == nil; made++ {
		if made > 200 {
			t.Fatal("a store of 4 MiB took 12 MB")
		}
		err = s.Create(t.Context(), group(strings.Repeat("x", 60_000), start, "twitter-1"), nil, "me")
	}
	if !errors.Is(err, post.ErrFull) {
		t.Fatalf("creating in a full store: %v, want ErrFull", err)
	}
	for err, i := error(nil), 0; !errors.Is(err, post.ErrFull); i++ {
		if err != nil || i > 10 {
			t.Fatalf("importing into a full store: %v, want ErrFull", err)
		}
		_, err = r.take(fmt.Sprint(i), group(strings.Repeat("x", 60_000), start, "twitter-1"))
	}
	made = must[map[post.Status]int](t)(s.Totals(t.Context()))[post.StatusScheduled]
	l := r.lease()
	n := r.next(l, nil)
	for range made {
		if !n.OK {
			t.Fatal("a post of a full store was not handed out")
		}
		n = r.next(l, published(n.Delivery.Post.ID))
	}
	if s.Err() != nil {
		t.Errorf("being full broke the store: %v", s.Err())
	}
	for _, err := range s.Verify(t.Context()) {
		t.Error(err)
	}
}

func TestOneRefusedChangeDoesNotStopTheOthers(t *testing.T) {
	r := open(t)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			if i%5 == 0 {
				if _, err := r.Cancel(t.Context(), post.ID{1, byte(i)}, "me"); !errors.Is(err, post.ErrNotFound) {
					t.Errorf("cancel of nothing: %v", err)
				}
				return
			}
			if err := r.Create(t.Context(), group(fmt.Sprint(i), start, "twitter-1"), nil, "me"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := must[map[post.Status]int](t)(r.Totals(t.Context()))[post.StatusScheduled]; n != 40 {
		t.Errorf("%d posts, want 40", n)
	}
}

// A change that is refused makes the rest of its batch run again; what the first
// run knew must not show.
func TestARefusalBesideAnAcquireLosesNoWakeUp(t *testing.T) {
	r := open(t)
	must[post.Import](t)(r.take("a.csv", group("one", start, "twitter-1")))
	gate, entered := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	enqueue := func(n int, fn func() error) {
		t.Helper()
		wg.Go(func() {
			if err := fn(); err != nil {
				t.Error(err)
			}
		})
		for len(r.writes) < n {
			runtime.Gosched()
		}
	}
	enqueue(0, func() error {
		return r.update(t.Context(), func(*change) error { close(entered); <-gate; return nil })
	})
	<-entered
	var ls []post.Lease
	enqueue(1, func() error { return r.Create(t.Context(), group("two", start.Add(time.Hour), "twitter-1"), nil, "me") })
	enqueue(2, func() (err error) { ls, err = r.Acquire(t.Context(), time.Minute, 10); return err })
	enqueue(3, func() error {
		if _, err := r.Cancel(t.Context(), post.ID{1}, "me"); !errors.Is(err, post.ErrNotFound) {
			return fmt.Errorf("cancel of nothing: %v", err)
		}
		return nil
	})
	close(gate)
	wg.Wait()
	if len(ls) != 1 {
		t.Fatalf("acquired %d leases, want 1", len(ls))
	}
	if n := r.next(ls[0], nil); !n.OK {
		t.Errorf("next: %+v, want the first post", n)
	}
}

func TestABackupOpensAndIsWhole(t *testing.T) {
	r := open(t)
	must[post.Import](t)(r.take("a.csv", group("one", start, "twitter-1", "linkedin-2")))
	copied := filepath.Join(t.TempDir(), "copy.db")
	if err := r.Backup(t.Context(), copied); err != nil {
		t.Fatal(err)
	}
	if err := VerifyFile(t.Context(), copied); err != nil {
		t.Fatal(err)
	}
	small := filepath.Join(t.TempDir(), "small.db")
	if err := Compact(t.Context(), copied, small); err != nil {
		t.Fatal(err)
	}
	if err := VerifyFile(t.Context(), small); err != nil {
		t.Fatal(err)
	}
}

func TestEditsFollowTheStates(t *testing.T) {
	r := open(t)
	g := group("draft", time.Time{}, "twitter-1", "linkedin-2")
	if err := r.Create(t.Context(), g, nil, "me"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Approve(t.Context(), g.ID, time.Time{}, nil, "me"); !errors.Is(err, post.ErrState) {
		t.Errorf("approving a draft without a time: %v, want post.ErrState", err)
	}
	at := start.Add(time.Hour)
	got := must[post.Group](t)(r.Approve(t.Context(), g.ID, at, nil, "me"))
	if got.Status() != post.StatusScheduled || !got.Posts[1].DueAt.Equal(at) {
		t.Fatalf("approved: %+v", got)
	}
	got = must[post.Group](t)(r.Cancel(t.Context(), got.Posts[1].ID, "me"))
	if got.Posts[0].Status != post.StatusScheduled || got.Posts[1].Status != post.StatusCancelled {
		t.Errorf("cancelling one post: %+v", got.Posts)
	}
	var full *post.CapExceeded
	if _, err := r.Reschedule(t.Context(), g.ID, at.AddDate(0, 1, 0), []post.Cap{{Connection: "twitter-1", Month: post.MonthOf(at) + 1, Max: 0}}, "me"); !errors.As(err, &full) {
		t.Errorf("rescheduling into a full month: %v, want a CapExceeded", err)
	}
	log := must[[]post.LogEntry](t)(r.Log(t.Context(), g.ID))
	if len(log) != 3 || log[1].Who != "me" || log[2].Error != "cancelled" {
		t.Errorf("log: %+v", log)
	}
}

func TestAGroupThatMovesKeepsItsDistances(t *testing.T) {
	r := open(t)
	g := group("spread", start.Add(time.Hour), "twitter-1", "linkedin-2")
	g.Posts[1].DueAt = g.Posts[1].DueAt.Add(30 * time.Minute)
	g.Posts[1].SlotAt = g.Posts[1].DueAt
	if err := r.Create(t.Context(), g, nil, "me"); err != nil {
		t.Fatal(err)
	}
	at := start.Add(48 * time.Hour)
	got := must[post.Group](t)(r.Reschedule(t.Context(), g.ID, at, nil, "me"))
	if !got.ScheduledAt.Equal(at) || !got.Posts[0].DueAt.Equal(at) || !got.Posts[1].DueAt.Equal(at.Add(30*time.Minute)) {
		t.Errorf("moved to %s: %s and %s, want %s and half an hour later", got.ScheduledAt, got.Posts[0].DueAt, got.Posts[1].DueAt, at)
	}
	at = at.Add(time.Hour)
	got = must[post.Group](t)(r.Arrange(t.Context(), g.ID, nil, post.StatusScheduled, at, nil, "me"))
	if !got.ScheduledAt.Equal(at) || !got.Posts[0].DueAt.Equal(at) || !got.Posts[1].DueAt.Equal(at.Add(30*time.Minute)) || !got.Posts[1].SlotAt.Equal(got.Posts[1].DueAt) {
		t.Errorf("arranged for %s: %s and %s, want %s and half an hour later", got.ScheduledAt, got.Posts[0].DueAt, got.Posts[1].DueAt, at)
	}
	got = must[post.Group](t)(r.Reschedule(t.Context(), got.Posts[1].ID, at, nil, "me"))
	if !got.Posts[1].DueAt.Equal(at) || !got.ScheduledAt.Equal(at) {
		t.Errorf("one post moved: %s, want %s", got.Posts[1].DueAt, at)
	}
}

func TestP6_PostsOfOneGroupAreCountedTogether(t *testing.T) {
	r := open(t)
	g := group("draft", time.Time{}, "twitter-1", "linkedin-2")
	if err := r.Create(t.Context(), g, nil, "me"); err != nil {
		t.Fatal(err)
	}
	var full *post.CapExceeded
	at := start.Add(time.Hour)
	if _, err := r.Approve(t.Context(), g.ID, at, []post.Cap{{Max: 1}}, "me"); !errors.As(err, &full) || full.Requested != 2 {
		t.Fatalf("approving two posts where one fits: %v", err)
	}
	must[post.Group](t)(r.Approve(t.Context(), g.ID, at, []post.Cap{{Max: 2}}, "me"))
	// A full account can still move what it has.
	must[post.Group](t)(r.Reschedule(t.Context(), g.ID, at.Add(time.Hour), []post.Cap{{Max: 2}, {Month: post.MonthOf(at), Max: 2}}, "me"))
}

func TestP3_ARetryFoundAfterALongStopIsHeld(t *testing.T) {
	r := open(t)
	must[post.Import](t)(r.take("a.csv", group("one", start, "twitter-1")))
	l := r.lease()
	n := r.next(l, nil)
	if err := r.Finish(t.Context(), l, post.Done{ID: n.Delivery.Post.ID, Status: post.StatusScheduled, RetryAt: start.Add(25 * time.Minute), Outcome: &post.Outcome{Code: "TIMEOUT_ERROR"}}); err != nil {
		t.Fatal(err)
	}
	r.forward(72 * time.Hour)
	r.reopen()
	if n := must[post.Next](t)(r.Next(t.Context(), r.lease(), nil, 2*time.Hour)); n.OK || len(n.Held) != 1 {
		t.Errorf("a retry three days late: %+v, want it held", n)
	}
}

func TestP4_ASealMustCountTheRowsThatWereStaged(t *testing.T) {
	r := open(t)
	st := must[*Stage](t)(r.Stage(t.Context(), acme))
	if err := st.Add(&post.Row{N: 1, Decision: post.Rejected}, nil); err != nil {
		t.Fatal(err)
	}
	if err := st.Add(&post.Row{N: 1, Decision: post.Rejected}, nil); err == nil {
		t.Error("the same row was staged twice")
	}
	if _, err := st.Seal(t.Context(), post.Seal{Import: post.Import{Counts: post.Counts{Rows: 2, Rejected: 2}}}); err == nil {
		t.Error("a seal for two rows took one")
	}
	if err := st.Add(&post.Row{N: 2, Decision: post.Rejected}, nil); err == nil {
		t.Error("a stage that ended took a row")
	}
}

func TestTheStoreWorksInABubble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "a.db")
		s, err := Open(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if _, err := Open(path, Options{Timeout: time.Minute}); !errors.Is(err, ErrInUse) {
			t.Errorf("second open: %v, want ErrInUse", err)
		}
		due := time.Now().Add(90 * time.Second)
		if err := s.Create(t.Context(), group("x", due, "twitter-1"), nil, "me"); err != nil {
			t.Fatal(err)
		}
		for {
			ls := must[[]post.Lease](t)(s.Acquire(t.Context(), time.Minute, 1))
			if len(ls) > 0 {
				break
			}
			time.Sleep(time.Minute)
		}
		if late := time.Since(due); late < 0 || late > time.Minute {
			t.Errorf("leased %s after it was due", late)
		}
	})
}

func TestUndoReachesEveryPostOfALargeFile(t *testing.T) {
	t.Parallel()
	r := open(t)
	const n = 12_000
	var gs []*post.Group
	h := uint64(1)
	for i := range n { // due in no order, so that whole pages of the index run empty
		h = h*6364136223846793005 + 1442695040888963407
		gs = append(gs, group(strconv.Itoa(i), start.Add(time.Duration(h>>40%10_000)*time.Minute), "twitter-1", "linkedin-2"))
	}
	imp := must[post.Import](t)(r.take("a.csv", gs...))
	if did, left, err := r.UndoImport(t.Context(), imp.ID, "me"); err != nil || did != 2*n || left != 0 {
		t.Fatalf("undo: %d cancelled, %d left, %v; want %d and none", did, left, err, 2*n)
	}
}
