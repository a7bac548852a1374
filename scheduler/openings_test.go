package scheduler

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
)

const (
	anyTime  = "no time given: the next free slot"
	nineOf   = 9 * 60
	twelveOf = 12 * 60
)

// weekdays has the same times on five days.
func weekdays(times ...int) (w Week) {
	for d := time.Monday; d <= time.Friday; d++ {
		w[d] = times
	}
	return w
}

// testNow is a Sunday noon; Berlin is an hour ahead of UTC.
func TestItemsWithoutATimeTakeTheNextOpening(t *testing.T) {
	t.Parallel()
	office := &Openings{Zone: berlin(t), All: weekdays(nineOf, twelveOf), Of: map[post.ConnectionID]Week{
		"linkedin-1": weekdays(twelveOf, 15*60), "threads-1": {time.Saturday: {600}}, "never-1": {},
	}}
	rules := with(func(r *Rules) { r.Openings = office })
	keep, across, tight, closed := rules, rules, rules, rules
	keep.Keep, keep.Across, across.Across, tight.PerMinute, tight.Gap = true, time.Hour, time.Hour, 1, 0
	closed.Hours = &Hours{Zone: berlin(t), Quiet: Quiet{twelveOf - 1, twelveOf + 1}, Blackout: []Days{days(t, "2026-03-02", "2026-03-02")}}
	some, spring := rules, rules
	some.Openings = &Openings{Zone: time.UTC, Of: map[post.ConnectionID]Week{"a-1": weekdays(nineOf)}}
	spring.Openings = &Openings{Zone: berlin(t), All: Week{time.Sunday: {2*60 + 30, 3*60 + 30}}}
	today := rules
	today.Openings = &Openings{Zone: time.UTC, All: Week{time.Sunday: {twelveOf, twelveOf + 2, twelveOf + 3, 13 * 60}}}
	for _, c := range []struct {
		name  string
		scene scene
		want  []string
	}{
		{"in the order of rows, each connection on its own", scene{rules: rules, rows: []string{"- a-1", "- b-1", "- a-1", "- a-1", "- b-1"}}, []string{
			"2026-03-02 08:00: " + anyTime, "2026-03-02 08:00: " + anyTime, "2026-03-02 11:00: " + anyTime, "2026-03-03 08:00: " + anyTime, "2026-03-02 11:00: " + anyTime,
		}},
		{"not one that is taken, or too near to a post", scene{rules: rules, taken: []string{"2026-03-02 08:00 a-1", "2026-03-02 10:56 a-1"}, rows: []string{"- a-1"}},
			[]string{"2026-03-03 08:00: " + anyTime}},
		{"rows with a time go first", scene{rules: rules, rows: []string{"- a-1", "2026-03-02 08:00 a-1"}},
			[]string{"2026-03-02 11:00: " + anyTime, "2026-03-02 08:00"}},
		{"a row for several takes one that they share", scene{rules: rules, rows: []string{"- a-1 linkedin-1", "- a-1 linkedin-1", "- linkedin-1", "- a-1"}}, []string{
			"2026-03-02 11:00: " + anyTime, "2026-03-03 11:00: " + anyTime, "2026-03-02 14:00: " + anyTime, "2026-03-02 08:00: " + anyTime,
		}},
		{"where they share none it is held", scene{rules: rules, rows: []string{"- a-1 threads-1"}},
			[]string{"held: no time given, and its connections have no slot in common"}},
		{"one without openings follows the others", scene{rules: rules, rows: []string{"- never-1 a-1", "- never-1"}}, []string{"2026-03-02 08:00: " + anyTime, "draft"}},
		{"without openings it is a draft, and so is what is to be one", scene{rules: some, rows: []string{"- b-1", "- a-1", "- a-1 draft"}}, []string{"draft", "2026-03-02 09:00: " + anyTime, "draft"}},
		{"not in quiet hours nor on a blackout day", scene{rules: closed, rows: []string{"- a-1", "- a-1"}}, []string{"2026-03-03 08:00: " + anyTime, "2026-03-04 08:00: " + anyTime}},
		{"later platforms keep clear too", scene{rules: across, taken: []string{"2026-03-02 09:00 b-1"}, rows: []string{"- a-1 b-1"}}, []string{"2026-03-02 11:00: " + anyTime}},
		{"with times as written each is given once all the same", scene{rules: keep, taken: []string{"2026-03-02 08:00 a-1"}, rows: []string{"- a-1 b-1", "2026-03-03 08:00 a-1", "- a-1"}}, []string{
			"2026-03-02 11:00: " + anyTime, "2026-03-03 08:00", "2026-03-03 11:00: " + anyTime,
		}},
		{"and without a gap", scene{rules: tight, rows: []string{"- a-1", "- b-1"}}, []string{"2026-03-02 08:00: " + anyTime, "2026-03-02 11:00: " + anyTime}},
		{"none nearer than the lead", scene{rules: today, rows: []string{"- a-1", "- b-1", "- a-1", "- a-1"}}, []string{
			"12:03: " + anyTime, "12:03: " + anyTime, "13:00: " + anyTime, "2026-03-08 12:00: " + anyTime,
		}},
		{"one that the clock leaves out is later", scene{rules: spring, taken: []string{
			"2026-03-08 01:30 a-1", "2026-03-08 02:30 a-1", "2026-03-15 01:30 a-1", "2026-03-15 02:30 a-1", "2026-03-22 01:30 a-1", "2026-03-22 02:30 a-1",
		}, rows: []string{"- a-1", "- a-1"}}, []string{"2026-03-29 01:30: " + anyTime, "2026-04-05 00:30: " + anyTime}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.scene.plan = unlimited()
			c.scene.check(t, c.want)
		})
	}
}

func TestAnOpeningIsLookedForWithinAYear(t *testing.T) {
	t.Parallel()
	s := scene{plan: unlimited(), rules: with(func(r *Rules) { r.Openings = &Openings{Zone: time.UTC, All: Week{time.Tuesday: {nineOf}}} })}
	var want []string
	for at := clock(t, "2026-03-03 09:00"); at.Before(testNow.Add(OpeningsReach)); at = at.AddDate(0, 0, 7) {
		s.rows = append(s.rows, "- a-1")
		want = append(want, at.Format("2006-01-02 15:04: ")+anyTime)
	}
	s.rows = append(s.rows, "- a-1", "- b-1")
	s.check(t, append(want, "held: no time given, and no slot is free within 366 days", "2026-03-03 09:00: "+anyTime))
}

func TestP6OpeningsCountAgainstTheQuota(t *testing.T) {
	t.Parallel()
	starter, _ := limits.PlanByKey("starter")
	s := scene{plan: starter, rules: with(func(r *Rules) { r.Openings = &Openings{Zone: time.UTC, All: weekdays(nineOf)} }), rows: []string{
		"- twitter-1", "- mastodon-1", "- linkedin-1 mastodon-1", "- mastodon-1 bluesky-1", "- linkedin-1",
	}}
	s.check(t, []string{
		"rejected PLATFORM_NOT_AVAILABLE", "2026-03-02 09:00: " + anyTime, "2026-03-03 09:00: " + anyTime, "rejected SCHEDULED_POST_LIMIT_REACHED", "rejected SCHEDULED_POST_LIMIT_REACHED",
	})
}

// Whoever reads the store for Reach sees all that an opening may collide with.
func TestReachCoversTheOpeningsAndTheEndOfQuietHours(t *testing.T) {
	t.Parallel()
	at := testNow.Add(time.Hour)
	plain, quiet := DefaultRules(), with(func(r *Rules) { r.Hours = &Hours{Zone: time.UTC, Quiet: Quiet{1, 0}} })
	_, to := Reach(testNow, plain, at, at)
	if _, far := Reach(testNow, quiet, at, at); far.Sub(to) < 24*time.Hour {
		t.Errorf("with quiet hours to %s, without to %s", far, to)
	}
}

func TestP9OpeningsAreGivenOnceAndTheSameEachTime(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 4))
	most := 40
	small := unlimited()
	small.Monthly = &most
	conns := []post.ConnectionID{"a-1", "b-1", "c-1"}
	sets := [][]post.ConnectionID{{"a-1"}, {"b-1"}, {"a-1", "b-1"}, {"c-1", "a-1", "b-1"}}
	for range 50 {
		o := &Openings{Zone: berlin(t), All: weekdays(nineOf, twelveOf, twelveOf+3, 20*60), Of: map[post.ConnectionID]Week{"c-1": weekdays(twelveOf)}}
		rules := with(func(r *Rules) {
			r.Openings, r.Keep, r.Across = o, rng.IntN(3) == 0, time.Duration(rng.IntN(2))*time.Hour
			r.Hours = &Hours{Zone: o.Zone, Quiet: Quiet{19 * 60, 7 * 60}}
		})
		taken, used := NewTaken(), map[string]bool{}
		for range 40 {
			at, c := testNow.Truncate(time.Minute).Add(time.Duration(rng.IntN(20*dayMinutes))*time.Minute), conns[rng.IntN(3)]
			_ = taken.Add(c, at, true) // never fails
			used[string(c)+at.String()] = true
		}
		items := make([]Item, 80)
		for i := range items {
			items[i].Set = rng.Uint32N(4)
			if i%4 == 0 {
				items[i].At = testNow.Unix() + rng.Int64N(20*24*3600)
			}
		}
		plan := []limits.Plan{unlimited(), small}[rng.IntN(2)]
		slots := Plan(testNow, rules, plan, taken, post.Usage{}, sets, items)
		if again := Plan(testNow, rules, plan, taken, post.Usage{}, sets, items); !reflect.DeepEqual(slots, again) {
			t.Fatal("two plans of the same differ")
		}
		for i, s := range slots {
			if s.Verdict != Placed || items[i].At != 0 {
				continue
			}
			at := time.Unix(s.At, 0).In(o.Zone)
			if week, _ := o.common(sets[items[i].Set]); !slices.Contains(week[at.Weekday()], at.Hour()*60+at.Minute()) {
				t.Fatalf("%s is no opening", at)
			}
			for k, c := range sets[items[i].Set] {
				key := string(c) + time.Unix(s.At, 0).UTC().Add(time.Duration(k)*rules.Spread()).String()
				if used[key] {
					t.Fatalf("%s is given twice", key)
				}
				used[key] = true
			}
		}
	}
}
