package scheduler

import (
	"math/rand/v2"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/postroom/postroom/post"
)

// berlin is an hour ahead of UTC until 2026-03-29 01:00 UTC, then two.
func berlin(t *testing.T) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// days reads the first and the last of some days.
func days(t *testing.T, first, last string) Days {
	t.Helper()
	return Days{DayOf(clock(t, first+" 00:00")), DayOf(clock(t, last+" 00:00"))}
}

func TestP3NothingGoesOutInABlackoutDay(t *testing.T) {
	t.Parallel()
	rules := with(func(r *Rules) {
		r.Hours = &Hours{Zone: berlin(t), Blackout: []Days{days(t, "2026-03-03", "2026-03-04")}}
	})
	reset := rules
	reset.Hours = &Hours{Zone: time.UTC, Blackout: []Days{days(t, "2026-03-01", "2026-03-01")}}
	long, keep, across := rules, rules, rules
	long.MaxShift, keep.Keep, across.Across = 72*time.Hour, true, time.Hour
	for _, c := range []struct {
		name  string
		scene scene
		want  []string
	}{
		{"a day is that of the account's zone", scene{rules: rules, rows: []string{
			"2026-03-02 22:59 x-1", "2026-03-02 23:00 y-1", "2026-03-04 22:59 y-1", "2026-03-04 23:00 x-1",
		}}, []string{
			"2026-03-02 22:59", "held: 2026-03-03 is a blackout day of the account",
			"held: 2026-03-04 is a blackout day of the account", "2026-03-04 23:00",
		}},
		{"nothing is staggered into one", scene{rules: rules, taken: []string{"2026-03-02 22:57 x-1"}, rows: []string{"2026-03-02 22:58 x-1"}},
			[]string{"held: no free minute within 4h of its time: the blackout days"}},
		{"one that may move so far goes out after it", scene{rules: long, taken: []string{"2026-03-02 22:57 x-1"}, rows: []string{"2026-03-02 22:58 x-1"}},
			[]string{"2026-03-04 23:00: moved 2882 minutes: the blackout days"}},
		{"nor with a later platform", scene{rules: across, rows: []string{"2026-03-02 22:00 x-1 y-1"}},
			[]string{"held: no free minute within 4h of its time: the blackout days"}},
		{"a time that is kept is held too", scene{rules: keep, rows: []string{"2026-03-02 22:59 x-1", "2026-03-02 23:00 x-1"}},
			[]string{"2026-03-02 22:59", "held: 2026-03-03 is a blackout day of the account"}},
		{"a time that passed is not moved into one", scene{rules: reset, rows: []string{"2026-02-28 14:00 x-1"}},
			[]string{"held: no free minute within 4h of now, its time has passed: the blackout days"}},
		{"drafts stay drafts", scene{rules: rules, rows: []string{"2026-03-03 12:00 x-1 draft", "- x-1"}}, []string{"draft", "draft"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.scene.plan = unlimited()
			c.scene.check(t, c.want)
		})
	}
}

func TestP3QuietHours(t *testing.T) {
	t.Parallel()
	night := &Hours{Zone: berlin(t), Quiet: Quiet{22 * 60, 7 * 60}}
	rules := with(func(r *Rules) { r.Hours = night })
	keep, full := rules, rules
	keep.Keep, full.PerMinute = true, 1
	noon := with(func(r *Rules) { r.Hours = &Hours{Zone: time.UTC, Quiet: Quiet{11 * 60, 13 * 60}} })
	eve := with(func(r *Rules) {
		r.Hours = &Hours{Zone: berlin(t), Quiet: night.Quiet, Blackout: []Days{days(t, "2026-03-03", "2026-03-03")}}
	})
	half := with(func(r *Rules) { r.Hours = &Hours{Zone: berlin(t), Quiet: Quiet{60, 2*60 + 30}} })
	for _, c := range []struct {
		name  string
		scene scene
		want  []string
	}{
		{"they cross midnight, in the account's zone", scene{rules: rules, rows: []string{
			"2026-03-02 20:59 a-1", "2026-03-02 21:00 b-1", "2026-03-03 05:59 c-1", "2026-03-03 06:00 d-1",
		}}, []string{
			"2026-03-02 20:59",
			"2026-03-03 06:00: its time is in the quiet hours (22:00-07:00): moved to their end, 9h later",
			"2026-03-03 06:00: its time is in the quiet hours (22:00-07:00): moved to their end, 1m later",
			"2026-03-03 06:00",
		}},
		{"from their end rows are staggered, in the order of their times", scene{rules: rules, rows: []string{"2026-03-03 01:00 a-1", "2026-03-03 00:00 a-1", "2026-03-03 06:00 a-1"}}, []string{
			"2026-03-03 06:05: its time is in the quiet hours (22:00-07:00): moved to their end, 5h later; then moved 5 minutes: at least 5m between posts on a-1",
			"2026-03-03 06:00: its time is in the quiet hours (22:00-07:00): moved to their end, 6h later",
			"2026-03-03 06:10: moved 10 minutes: at least 5m between posts on a-1",
		}},
		{"nothing is staggered into them", scene{rules: rules, taken: []string{"2026-03-02 20:57 a-1"}, rows: []string{"2026-03-02 20:58 a-1"}},
			[]string{"held: no free minute within 4h of its time: the quiet hours (22:00-07:00)"}},
		{"times that are kept are moved too, and not staggered", scene{rules: keep, rows: []string{"2026-03-02 21:00 a-1", "2026-03-02 22:00 a-1"}}, []string{
			"2026-03-03 06:00: its time is in the quiet hours (22:00-07:00): moved to their end, 9h later",
			"2026-03-03 06:00: its time is in the quiet hours (22:00-07:00): moved to their end, 8h later",
		}},
		{"now may be in them", scene{rules: noon, rows: []string{"10:00 a-1", "12:01 b-1"}}, []string{
			"13:00: its time had passed, and now is in the quiet hours (11:00-13:00): moved to their end, 3h later",
			"13:00: its time is in the quiet hours (11:00-13:00): moved to their end, 59m later",
		}},
		{"they may end in a blackout day", scene{rules: eve, rows: []string{"2026-03-02 21:30 a-1"}},
			[]string{"held: no free minute within 4h of its time: the quiet hours (22:00-07:00) and the blackout days"}},
		{"the night in which clocks go forward is shorter", scene{rules: rules, rows: []string{"2026-03-28 21:00 a-1"}},
			[]string{"2026-03-29 05:00: its time is in the quiet hours (22:00-07:00): moved to their end, 8h later"}},
		{"the one in which they go back is longer", scene{rules: rules, rows: []string{"2026-10-24 20:00 a-1"}},
			[]string{"2026-10-25 06:00: its time is in the quiet hours (22:00-07:00): moved to their end, 10h later"}},
		{"an end that the clock leaves out is when it goes on", scene{rules: half, rows: []string{"2026-03-29 00:30 a-1"}},
			[]string{"2026-03-29 01:00: its time is in the quiet hours (01:00-02:30): moved to their end, 30m later"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.scene.plan = unlimited()
			c.scene.check(t, c.want)
		})
	}
}

func TestTheEndOfQuietHoursMayBeCrowded(t *testing.T) {
	t.Parallel()
	s := scene{plan: unlimited(), rules: with(func(r *Rules) {
		r.Hours, r.MaxShift = &Hours{Zone: time.UTC, Quiet: Quiet{22 * 60, 7 * 60}}, 5*time.Minute
	}), rows: []string{"23:00 a-1", "23:10 a-1", "23:20 a-1"}}
	s.check(t, []string{
		"2026-03-02 07:00: its time is in the quiet hours (22:00-07:00): moved to their end, 8h later",
		"2026-03-02 07:05: its time is in the quiet hours (22:00-07:00): moved to their end, 7h50m later; then moved 5 minutes: at least 5m between posts on a-1",
		"held: no free minute within 5m of the end of the quiet hours (22:00-07:00): at least 5m between posts on a-1",
	})
}

// What the clock shows in each zone decides, minute by minute, whatever the clock
// went through before.
func TestP3NothingIsPlacedInClosedHours(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for _, name := range []string{"Europe/Berlin", "Australia/Lord_Howe", "America/St_Johns", "Asia/Kolkata", "Africa/Casablanca"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			h := &Hours{Zone: zone, Quiet: Quiet{rng.IntN(dayMinutes), rng.IntN(dayMinutes)}}
			today := DayOf(testNow) + rng.IntN(300)
			h.Blackout = []Days{{today, today + rng.IntN(3)}, {today + 5, today + 5}}
			rules := with(func(r *Rules) {
				r.Hours, r.Keep, r.Across = h, rng.IntN(3) == 0, time.Duration(rng.IntN(2))*7*time.Minute
			})
			sets := [][]post.ConnectionID{{"a-1"}, {"a-1", "b-1"}, {"c-1"}}
			items := make([]Item, 400)
			for i := range items {
				items[i] = Item{At: testNow.Unix() + rng.Int64N(300*24*3600), Set: rng.Uint32N(3)}
				if i%2 == 0 {
					items[i].At = int64(today+rng.IntN(6)-1)*24*3600 + rng.Int64N(24*3600)
				}
			}
			for i, s := range Plan(testNow, rules, unlimited(), NewTaken(), post.Usage{}, sets, items) {
				if s.Verdict != Placed {
					continue
				}
				for k := range sets[items[i].Set] {
					at := time.Unix(s.At, 0).Add(time.Duration(k) * rules.Spread()).In(zone)
					m := at.Hour()*60 + at.Minute()
					quiet := h.Quiet.From <= m && m < h.Quiet.To
					if h.Quiet.From > h.Quiet.To {
						quiet = m >= h.Quiet.From || m < h.Quiet.To
					}
					if quiet || h.black(at) {
						t.Fatalf("%s is in %s or %v", at, h.Quiet, h.Blackout)
					}
				}
			}
		}
	}
}
