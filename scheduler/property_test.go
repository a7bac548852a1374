package scheduler

import (
	"cmp"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
)

// A takenPost is one call of Taken.Add.
type takenPost struct {
	conn  post.ConnectionID
	due   time.Time
	first bool
}

// A problem is the whole input of a plan.
type problem struct {
	now   time.Time
	rules Rules
	plan  limits.Plan
	taken []takenPost
	usage post.Usage
	sets  [][]post.ConnectionID
	items []Item
}

func (p *problem) solve() []Slot {
	taken := NewTaken()
	for _, x := range p.taken {
		_ = taken.Add(x.conn, x.due, x.first)
	}
	return Plan(p.now, p.rules, p.plan, taken, p.usage, p.sets, p.items)
}

// drawProblem makes a crowded calendar: few connections, few minutes, rules that
// bite, now and then at the edge of a month or of a page of minutes.
func drawProblem(t *rapid.T, quotas bool) *problem {
	minutes := func(label string, most int) time.Duration {
		return time.Duration(rapid.IntRange(0, most).Draw(t, label)) * time.Minute
	}
	seconds := func(label string, most int) time.Duration {
		return time.Duration(rapid.IntRange(0, most).Draw(t, label)) * time.Second
	}
	now := rapid.SampledFrom([]time.Time{
		time.Date(2026, 3, 31, 22, 0, 0, 0, time.UTC),
		time.Unix(pageMinutes*60*7212, 0).UTC().Add(-30 * time.Minute),
		time.Date(2026, 5, 10, 12, 34, 56, 789, time.UTC),
	}).Draw(t, "now")
	p := &problem{
		now: now,
		rules: Rules{
			Gap: minutes("gap", 12), PerMinute: rapid.IntRange(0, 3).Draw(t, "per minute"), MaxShift: minutes("most shift", 200),
			Across: seconds("across", 300), Lead: seconds("lead", 300), ResetWithin: minutes("reset within", 60),
		},
		plan: unlimited(), usage: post.NewUsage(),
	}
	ids := []post.ConnectionID{"mastodon-1", "linkedin-1", "threads-1", "bluesky-1"}
	for range rapid.IntRange(1, 6).Draw(t, "sets") {
		p.sets = append(p.sets, rapid.Permutation(ids).Draw(t, "set")[:rapid.IntRange(1, len(ids)).Draw(t, "size")])
	}
	span := rapid.IntRange(0, 240).Draw(t, "span")
	for range rapid.IntRange(0, 30).Draw(t, "taken") {
		p.taken = append(p.taken, takenPost{
			rapid.SampledFrom(ids).Draw(t, "on"), now.Add(minutes("due", span+200)), rapid.Bool().Draw(t, "first"),
		})
	}
	for range rapid.IntRange(0, 60).Draw(t, "items") {
		asked := now.Add(minutes("asked", span) - 20*time.Minute + seconds("and seconds", 90))
		it := Item{At: asked.Unix(), Set: uint32(rapid.IntRange(0, len(p.sets)-1).Draw(t, "set")), Draft: rapid.IntRange(0, 9).Draw(t, "draft") == 0}
		p.items = append(p.items, it)
	}
	if quotas {
		p.plan.PerConnection = rapid.Bool().Draw(t, "per connection")
		limit := func(label string, most int) *int {
			if rapid.Bool().Draw(t, label+" limited") {
				return new(rapid.IntRange(0, most).Draw(t, label))
			}
			return nil
		}
		p.plan.Monthly, p.plan.Active, p.plan.HorizonDays = limit("monthly", 20), limit("active", 30), limit("days", 1)
		for _, c := range ids {
			p.usage.Add(c, post.MonthOf(now), rapid.IntRange(0, 3).Draw(t, "used"))
		}
	}
	return p
}

// naive plans without quotas by trying one minute after another.
func (p *problem) naive() []Slot {
	type due struct {
		conn post.ConnectionID
		at   int
	}
	var posts []due
	groups := map[int]int{}
	for _, x := range p.taken {
		m := minuteOf(x.due.Unix())
		posts = append(posts, due{x.conn, m})
		if x.first {
			groups[m]++
		}
	}
	spread, gap := wholeMinutes(p.rules.Across), wholeMinutes(p.rules.Gap)
	type last struct{ want, got int }
	behind := map[post.ConnectionID]last{}
	order := make([]int, len(p.items))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(p.items[a].At, p.items[b].At) })
	out := make([]Slot, len(p.items))
	for _, i := range order {
		it := p.items[i]
		set := p.sets[it.Set]
		if it.Draft || it.At == 0 {
			out[i] = Slot{Verdict: IsDraft, At: it.At}
			continue
		}
		if asked := time.Unix(it.At, 0); !asked.After(p.now) && asked.Before(p.now.Add(-p.rules.ResetWithin)) {
			out[i] = Slot{Verdict: Held}
			continue
		}
		want := int(it.At / 60)
		for time.Unix(int64(want)*60, 0).Before(p.now.Add(p.rules.Lead)) {
			want++
		}
		out[i] = Slot{Verdict: Held}
		for m := want; m <= want+int(p.rules.MaxShift/time.Minute); m++ {
			ok := p.rules.PerMinute == 0 || groups[m] < p.rules.PerMinute
			for k, c := range set {
				if l, known := behind[c]; known && l.want == want && m < l.got {
					ok = false
				}
				for _, d := range posts {
					if at := m + k*spread; d.conn == c && max(at-d.at, d.at-at) < gap {
						ok = false
					}
				}
			}
			if ok {
				out[i] = Slot{Verdict: Placed, At: int64(m) * 60}
				groups[m]++
				for k, c := range set {
					posts = append(posts, due{c, m + k*spread})
					behind[c] = last{want, m}
				}
				break
			}
		}
	}
	return out
}

// plain leaves of a slot what matters: verdict and time.
func plain(slots []Slot) []Slot {
	out := make([]Slot, len(slots))
	for i, s := range slots {
		out[i] = Slot{Verdict: s.Verdict, At: s.At}
	}
	return out
}

func TestP9ThePlanIsThatOfTryingOneMinuteAfterAnother(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := drawProblem(t, false)
		if got, want := plain(p.solve()), p.naive(); !reflect.DeepEqual(got, want) {
			t.Fatalf("got  %v\nwant %v", got, want)
		}
	})
}

func TestP9EqualInputsGiveEqualPlans(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := drawProblem(t, true)
		first := p.solve()
		if again := p.solve(); !reflect.DeepEqual(first, again) {
			t.Fatalf("planned twice\n%v\n%v", first, again)
		}
		p.taken = rapid.Permutation(p.taken).Draw(t, "taken in another order")
		if again := p.solve(); !reflect.DeepEqual(first, again) {
			t.Fatalf("taken in another order\n%v\n%v", first, again)
		}
		numbers := make([]int, len(p.sets))
		for i := range numbers {
			numbers[i] = i
		}
		numbers = rapid.Permutation(numbers).Draw(t, "sets in another order")
		sets := make([][]post.ConnectionID, len(p.sets))
		for from, to := range numbers {
			sets[to] = p.sets[from]
		}
		p.sets = sets
		for i := range p.items {
			p.items[i].Set = uint32(numbers[p.items[i].Set])
		}
		if again := p.solve(); !reflect.DeepEqual(plain(first), plain(again)) {
			t.Fatalf("sets in another order\n%v\n%v", first, again)
		}
	})
}

func TestP9RowsOfDifferentTimesMayStandInAnyOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := drawProblem(t, false)
		seen := map[int64]bool{}
		p.items = slices.DeleteFunc(p.items, func(it Item) bool {
			again := seen[it.At]
			seen[it.At] = true
			return again
		})
		first := p.solve()
		at := map[int64]Slot{}
		for i, it := range p.items {
			at[it.At] = first[i]
		}
		p.items = rapid.Permutation(p.items).Draw(t, "items in another order")
		for i, s := range p.solve() {
			if s != at[p.items[i].At] {
				t.Fatalf("row %d: %v, and before %v", i, s, at[p.items[i].At])
			}
		}
	})
}

// What a plan promises for every time it gives, with quotas and without.
func TestP3EveryPlacedItemKeepsTheRules(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := drawProblem(t, rapid.Bool().Draw(t, "quotas"))
		slots := p.solve()
		gap, spread := p.rules.Gap, p.rules.Spread()
		if spread < p.rules.Across || spread%time.Minute != 0 {
			t.Fatalf("spread %v for %v", spread, p.rules.Across)
		}
		dues := map[post.ConnectionID][]time.Time{}
		full, mine := map[time.Time]int{}, map[time.Time]int{}
		for _, x := range p.taken {
			if x.first {
				full[x.due.Truncate(time.Minute)]++
			}
		}
		for i, s := range slots {
			if s.Verdict != Placed {
				continue
			}
			asked, at := time.Unix(p.items[i].At, 0).UTC(), time.Unix(s.At, 0).UTC()
			if !at.Equal(at.Truncate(time.Minute)) {
				t.Fatalf("row %d at %v: not a whole minute", i, at)
			}
			if at.Before(asked.Truncate(time.Minute)) || at.Before(p.now.Add(p.rules.Lead)) {
				t.Fatalf("row %d at %v: asked for %v, now %v", i, at, asked, p.now)
			}
			want := asked
			if soon := p.now.Add(p.rules.Lead + time.Minute - 1).Truncate(time.Minute); want.Before(soon) {
				want = soon
			}
			if at.Sub(want) > p.rules.MaxShift {
				t.Fatalf("row %d at %v: moved by more than %v from %v", i, at, p.rules.MaxShift, want)
			}
			if got := time.Duration(s.Shift) * time.Minute; got != at.Sub(want.Truncate(time.Minute)) {
				t.Fatalf("row %d at %v: says it moved %v from %v", i, at, got, want)
			}
			for k, c := range p.sets[p.items[i].Set] {
				due := at.Add(time.Duration(k) * spread)
				for _, other := range dues[c] {
					if d := due.Sub(other).Abs(); d < gap {
						t.Fatalf("row %d at %v on %s: %v from another row", i, due, c, d)
					}
				}
				for _, x := range p.taken {
					if d := due.Sub(x.due.Truncate(time.Minute)).Abs(); x.conn == c && d < gap {
						t.Fatalf("row %d at %v on %s: %v from one that is taken", i, due, c, d)
					}
				}
				dues[c] = append(dues[c], due)
			}
			mine[at]++
			if most := p.rules.PerMinute; most > 0 && full[at]+mine[at] > most {
				t.Fatalf("row %d at %v: %d taken and %d rows in this minute", i, at, full[at], mine[at])
			}
			for j := range i {
				same := p.items[j].At == p.items[i].At && slices.ContainsFunc(p.sets[p.items[i].Set], func(c post.ConnectionID) bool {
					return slices.Contains(p.sets[p.items[j].Set], c)
				})
				if same && slots[j].Verdict == Placed && slots[j].At > s.At {
					t.Fatalf("row %d at %v goes out before its equal, row %d", i, at, j)
				}
			}
		}
	})
}

func TestP6PlansNeverExceedTheQuotas(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := drawProblem(t, true)
		p.rules.Keep = rapid.Bool().Draw(t, "keep")
		slots := p.solve()
		m := limits.NewMeter(p.plan, p.usage)
		m.Across = p.rules.Spread()
		for i, s := range slots {
			set := p.sets[p.items[i].Set]
			switch s.Verdict {
			case Placed:
				// Reserving one by one, every step must fit: used already, or not at all.
				if e := m.Check(set, time.Unix(s.At, 0), p.now); e != nil {
					t.Fatalf("row %d does not fit: %v", i, e)
				}
				m.Reserve(set, time.Unix(s.At, 0))
			case Rejected:
				if s.Limit == nil {
					t.Fatalf("row %d is rejected without a reason", i)
				}
			case Held, IsDraft:
				if s.Limit != nil {
					t.Fatalf("row %d has a refusal and is not rejected", i)
				}
			}
		}
		if !p.rules.Keep {
			return
		}
		// With kept times nothing moves, so the order of the file decides alone.
		m = limits.NewMeter(p.plan, p.usage)
		for i, s := range slots {
			set := p.sets[p.items[i].Set]
			if s.Verdict != Placed && s.Verdict != Rejected {
				continue
			}
			e := m.Check(set, time.Unix(s.At, 0), p.now)
			if (e != nil) != (s.Verdict == Rejected) || e != nil && !reflect.DeepEqual(e, s.Limit) {
				t.Fatalf("row %d: %v %v, and counted in order %v", i, s.Verdict, s.Limit, e)
			}
			if e == nil {
				m.Reserve(set, time.Unix(s.At, 0))
			}
		}
	})
}

// What Reach leaves out changes no plan.
func TestP3ReachHoldsAllThatMatters(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := drawProblem(t, true)
		if len(p.items) == 0 {
			return
		}
		first, last := p.items[0].At, p.items[0].At
		for _, it := range p.items {
			first, last = min(first, it.At), max(last, it.At)
		}
		from, to := Reach(p.now, p.rules, time.Unix(first, 0), time.Unix(last, 0))
		all := p.solve()
		p.taken = slices.DeleteFunc(p.taken, func(x takenPost) bool { return x.due.Before(from) || !x.due.Before(to) })
		if got := p.solve(); !reflect.DeepEqual(got, all) {
			t.Fatalf("with what is in reach, %v to %v\n%v\nwith all\n%v", from, to, got, all)
		}
	})
}
