package scheduler

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
)

const million = 1_000_000

// calendar makes n items over the given number of connections and days, for one
// to three connections each, sorted by time or not.
func calendar(n, connections, days int, shuffled bool) ([][]post.ConnectionID, []Item) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var sets [][]post.ConnectionID
	for i := range connections {
		for k := range 3 {
			var set []post.ConnectionID
			for j := range k + 1 {
				set = append(set, connection((i+j*7)%connections))
			}
			sets = append(sets, set)
		}
	}
	items := make([]Item, n)
	span := days * 24 * 60
	for i := range items {
		m := i * span / n
		if shuffled {
			m = rnd.IntN(span)
		}
		items[i] = Item{At: benchNow.Add(time.Duration(m+10) * time.Minute).Unix(), Set: rnd.Uint32N(uint32(len(sets)))}
	}
	return sets, items
}

var benchNow = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func connection(i int) post.ConnectionID {
	return post.ConnectionID(fmt.Sprintf("mastodon-%d", i))
}

func plan(tb testing.TB, key string) limits.Plan {
	tb.Helper()
	p, ok := limits.PlanByKey(key)
	if !ok {
		tb.Fatalf("no plan %q", key)
	}
	return p
}

func BenchmarkPlan(b *testing.B) {
	full := NewTaken()
	for i := range million {
		_ = full.Add(connection(i%40), benchNow.Add(time.Duration(i/40*5)*time.Minute), true)
	}
	sets, sorted := calendar(million, 40, 90, false)
	_, shuffled := calendar(million, 40, 90, true)
	_, crowd := calendar(million, 40, 90, false)
	for i := range crowd {
		crowd[i] = Item{At: crowd[0].At, Set: 0}
	}
	anySet := append([]Item(nil), crowd...)
	for i := range anySet {
		anySet[i].Set = sorted[i].Set
	}
	free := DefaultRules()
	free.PerMinute = 0
	long := DefaultRules()
	long.MaxShift = 60 * 24 * time.Hour
	loose := free
	loose.Gap = 0
	custom := plan(b, "pro")
	custom.Monthly, custom.Active = new(9000), new(20000)
	for _, c := range []struct {
		name  string
		rules Rules
		plan  limits.Plan
		taken *Taken
		items []Item
	}{
		{"sorted", DefaultRules(), plan(b, "unlimited"), NewTaken(), sorted},
		{"shuffled", DefaultRules(), plan(b, "unlimited"), NewTaken(), shuffled},
		{"loose", loose, plan(b, "unlimited"), NewTaken(), sorted},
		{"no per-minute limit", free, plan(b, "unlimited"), NewTaken(), sorted},
		{"long shift", long, plan(b, "unlimited"), NewTaken(), sorted},
		{"one minute, one connection", DefaultRules(), plan(b, "unlimited"), NewTaken(), crowd},
		{"one minute, all connections", free, plan(b, "unlimited"), NewTaken(), anySet},
		{"one minute, long shift", long, plan(b, "unlimited"), NewTaken(), anySet},
		{"a million taken", DefaultRules(), plan(b, "unlimited"), full, sorted},
		{"a million taken, long shift", long, plan(b, "unlimited"), full, shuffled},
		{"pro", DefaultRules(), plan(b, "pro"), NewTaken(), sorted},
		{"starter", DefaultRules(), plan(b, "starter"), NewTaken(), shuffled},
		{"large quotas", loose, custom, NewTaken(), shuffled},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			placed := 0
			for b.Loop() {
				placed = 0
				for _, s := range Plan(benchNow, c.rules, c.plan, c.taken, post.NewUsage(), sets, c.items) {
					if s.Verdict == Placed {
						placed++
					}
				}
			}
			b.ReportMetric(float64(placed), "placed")
		})
	}
}

func BenchmarkTaken(b *testing.B) {
	ids := make([]post.ConnectionID, 40)
	for i := range ids {
		ids[i] = connection(i)
	}
	for b.Loop() {
		t := NewTaken()
		for i := range million {
			_ = t.Add(ids[i/(million/40)], benchNow.Add(time.Duration(i%(million/40)*5)*time.Minute), true)
		}
	}
}
