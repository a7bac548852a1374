package store

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/postroom/postroom/post"
)

// listed is what List must answer, by reading every group.
func listed(t *testing.T, r *testRoom, q post.Query) (ids []post.ID, total int) {
	t.Helper()
	groups, _, err := r.Groups(t.Context(), post.Filter{Account: q.Account}, "", 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	groups = slices.DeleteFunc(groups, func(g post.Group) bool {
		at := g.Slot()
		return g.Status() == post.StatusCancelled || !g.DeletedAt.IsZero() ||
			q.Status != 0 && g.Status() != q.Status ||
			!q.From.IsZero() && (at.IsZero() || at.Before(q.From)) || !q.To.IsZero() && (at.IsZero() || at.After(q.To)) ||
			q.Platform != "" && !slices.ContainsFunc(g.Posts, func(p post.Post) bool { return p.Connection.Platform() == q.Platform }) ||
			q.On != "" && !slices.ContainsFunc(g.Posts, func(p post.Post) bool { return p.Connection == q.On })
	})
	slices.SortFunc(groups, func(a, b post.Group) int {
		by := a.CreatedAt.Compare(b.CreatedAt)
		switch q.By {
		case post.ByUpdate:
			by = a.UpdatedAt.Compare(b.UpdatedAt)
		case post.BySlot:
			by = a.Slot().Compare(b.Slot())
		}
		by = cmp.Or(by, compareIDs(a.ID, b.ID))
		if !q.Upward {
			by = -by
		}
		return by
	})
	for i, g := range groups {
		if i >= q.Offset && (q.Limit == 0 || len(ids) < q.Limit) {
			ids = append(ids, g.ID)
		}
	}
	return ids, len(groups)
}

func someQuery(rnd *rand.Rand) post.Query {
	q := post.Query{Account: "acme", By: post.Order(rnd.IntN(3)), Upward: rnd.IntN(2) == 0, Offset: rnd.IntN(12), Limit: rnd.IntN(7)}
	if rnd.IntN(2) == 0 {
		q.Status = []post.Status{post.StatusDraft, post.StatusScheduled, post.StatusPublished}[rnd.IntN(3)]
	}
	switch rnd.IntN(4) {
	case 0:
		q.Platform = []post.Platform{"mastodon", "twitter", "tiktok"}[rnd.IntN(3)]
	case 1:
		q.On = []post.ConnectionID{"mastodon-1", "mastodon-2", "nobody-1"}[rnd.IntN(3)]
	}
	if rnd.IntN(3) == 0 {
		q.From = start.Add(time.Duration(rnd.IntN(40)) * time.Hour)
	}
	if rnd.IntN(3) == 0 {
		q.To = start.Add(time.Duration(rnd.IntN(60)) * time.Hour)
	}
	return q
}

// Whatever was written since the last list, and however, the next one tells it.
func TestListTellsWhatIsStored(t *testing.T) {
	t.Parallel()
	r := open(t)
	ctx := t.Context()
	rnd := rand.New(rand.NewPCG(1, 2))
	var ids []post.ID
	compare := func(what string) {
		t.Helper()
		for range 25 {
			q := someQuery(rnd)
			want, wantTotal := listed(t, r, q)
			got, total, err := r.List(ctx, q)
			if err != nil || total != wantTotal || !slices.Equal(got, want) {
				t.Fatalf("%s: %+v\ngot  %v of %d, %v\nwant %v of %d", what, q, got, total, err, want, wantTotal)
			}
		}
	}
	conns := []post.ConnectionID{"mastodon-1", "mastodon-2", "twitter-1"}
	for round := range 60 {
		r.forward(time.Duration(rnd.IntN(90)) * time.Minute)
		what := fmt.Sprintf("round %d", round)
		switch n := rnd.IntN(10); {
		case n < 4 || len(ids) == 0:
			g := &post.Group{Account: "acme", Content: post.Content{Text: "x"}}
			if rnd.IntN(3) > 0 {
				g.RequestedAt = r.clock.now().Add(time.Duration(rnd.IntN(3600_000)) * time.Millisecond)
				g.ScheduledAt = g.RequestedAt
			}
			for _, c := range conns[rnd.IntN(3):] {
				p := post.Post{Connection: c, Status: post.StatusDraft, DueAt: g.ScheduledAt}
				if !g.ScheduledAt.IsZero() {
					p.Status = post.StatusScheduled
				}
				g.Posts = append(g.Posts, p)
			}
			if err := r.Create(ctx, g, nil, ""); err != nil {
				t.Fatal(err)
			}
			ids = append(ids, g.ID)
		case n < 6:
			what += " arrange"
			_, _ = r.Arrange(ctx, ids[rnd.IntN(len(ids))], nil, post.StatusScheduled, r.clock.now().Add(time.Hour), nil, "") // it may be over
		case n < 7:
			what += " delete"
			_, _ = r.Delete(ctx, ids[rnd.IntN(len(ids))], "")
		case n < 8:
			what += " file"
			st, err := r.Stage(ctx, "acme")
			if err != nil {
				t.Fatal(err)
			}
			for i := range 5 {
				at := r.clock.now().Add(time.Duration(i) * time.Hour)
				g := &post.Group{Account: "acme", Content: post.Content{Text: "row"}, ScheduledAt: at, CreatedAt: r.clock.now(), UpdatedAt: r.clock.now(),
					Posts: []post.Post{{Connection: conns[i%3], Status: post.StatusScheduled, DueAt: at}}}
				if err := st.Add(&post.Row{N: i + 1, Line: i + 2, Decision: post.Accepted}, g); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := st.Seal(ctx, post.Seal{Import: post.Import{Digest: post.Digest{byte(round)}}}); err != nil {
				t.Fatal(err)
			}
		case n < 9:
			what += " publish"
			leases, err := r.Acquire(ctx, time.Minute, 1)
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range leases {
				next, err := r.Next(ctx, l, nil, 0)
				if err != nil {
					t.Fatal(err)
				}
				if next.OK {
					if err := r.Finish(ctx, l, post.Done{ID: next.Delivery.Post.ID, Status: post.StatusPublished, Receipt: &post.Receipt{RemoteID: "r"}}); err != nil {
						t.Fatal(err)
					}
				}
				if err := r.Release(ctx, l); err != nil {
					t.Fatal(err)
				}
			}
		default:
			what += " reopen"
			r.reopen()
		}
		compare(what)
	}
	if _, _, err := r.List(ctx, post.Query{Account: "nobody"}); err != nil {
		t.Error(err)
	}
}

// The rolls do not grow while nobody lists.
func TestRollsAreLetGoOfWhenNobodyLists(t *testing.T) {
	t.Parallel()
	r := open(t)
	if err := r.Create(t.Context(), draftGroup(), nil, ""); err != nil {
		t.Fatal(err)
	}
	if _, n, err := r.List(t.Context(), post.Query{Account: "acme"}); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	many := make([]post.ID, mostNotes+1)
	for i := range many {
		many[i] = post.ID{0: 1}.Add(uint64(i))
	}
	r.rolls.touch(many)
	if r.rolls.live.Load() || r.rolls.ids != nil {
		t.Error("a million notes are kept")
	}
	if err := r.Create(t.Context(), draftGroup(), nil, ""); err != nil {
		t.Fatal(err)
	}
	if _, n, err := r.List(t.Context(), post.Query{Account: "acme"}); n != 2 || err != nil {
		t.Errorf("%d groups (%v), want 2", n, err)
	}
}

func BenchmarkRollPage(b *testing.B) {
	r := &roll{}
	rnd := rand.New(rand.NewPCG(1, 2))
	g := post.Group{ID: post.MakeID(start, [5]byte{1}, 0), Posts: []post.Post{{Status: post.StatusScheduled}}}
	for i := range 1_000_000 {
		g.ID = g.ID.Add(2)
		g.CreatedAt, g.UpdatedAt = start, start.Add(time.Duration(rnd.IntN(1e6))*time.Second)
		g.ScheduledAt = start.Add(time.Duration(rnd.IntN(3e7)) * time.Second)
		g.Posts[0].Status = []post.Status{post.StatusDraft, post.StatusScheduled, post.StatusPublished}[i%3]
		r.put(&g, []uint32{uint32(i % 20)})
	}
	var names registry
	for _, o := range []post.Order{post.ByCreation, post.ByUpdate, post.BySlot} {
		for _, offset := range []int{0, 300_000} {
			b.Run(fmt.Sprintf("order %d offset %d status", o, offset), func(b *testing.B) {
				for b.Loop() {
					r.page(&post.Query{By: o, Status: post.StatusDraft, Offset: offset, Limit: 20}, &names)
				}
			})
		}
	}
}
