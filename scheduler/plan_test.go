package scheduler

import (
	"reflect"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
)

// testNow is a Sunday, ten seconds past noon.
var testNow = time.Date(2026, 3, 1, 12, 0, 10, 0, time.UTC)

// clock reads "15:04", "15:04:05" (of the day of testNow) or "2006-01-02 15:04".
func clock(t *testing.T, s string) time.Time {
	t.Helper()
	for _, layout := range []string{"2006-01-02 15:04", "2006-01-02 15:04:05", "2006-01-02 15:04 -07:00"} {
		for _, v := range []string{s, "2026-03-01 " + s} {
			if at, err := time.Parse(layout, v); err == nil {
				return at
			}
		}
	}
	t.Fatalf("time %q", s)
	return time.Time{}
}

// A scene is the input of a plan, written for reading: a row is
// "15:04 mastodon-1 linkedin-1", a taken post "15:04 mastodon-1", or
// "15:04 mastodon-1 more" when it is not the first of its group.
type scene struct {
	rules Rules
	plan  limits.Plan
	usage post.Usage
	taken []string
	rows  []string
}

// run plans a scene and says of each row "15:04" (with the day when it is
// another), "draft", "held" or "rejected CODE", and then the reason.
func (s *scene) run(t *testing.T) []string {
	t.Helper()
	taken := NewTaken()
	for _, line := range s.taken {
		at, words := split(t, line)
		_ = taken.Add(post.ConnectionID(words[0]), at, len(words) == 1)
	}
	var sets [][]post.ConnectionID
	var items []Item
	var asked []time.Time
	for i, row := range s.rows {
		var it Item
		row, it.Draft = strings.CutSuffix(row, " draft")
		at, words := split(t, row)
		if !at.IsZero() {
			it.At = at.Unix()
		}
		var set []post.ConnectionID
		for _, w := range words {
			set = append(set, post.ConnectionID(w))
		}
		it.Set = uint32(i)
		sets, items, asked = append(sets, set), append(items, it), append(asked, at)
	}
	var out []string
	for i, slot := range Plan(testNow, s.rules, s.plan, taken, s.usage, sets, items) {
		got := slot.Verdict.String()
		switch slot.Verdict {
		case Placed:
			at := time.Unix(slot.At, 0).UTC()
			got = at.Format("15:04")
			if at.Second() != 0 {
				got = at.Format("15:04:05")
			}
			if at.YearDay() != testNow.YearDay() {
				got = at.Format("2006-01-02 ") + got
			}
		case Rejected:
			got += " " + slot.Limit.Code
		}
		if why := slot.Reason(s.rules, asked[i], sets[i]); why != "" && slot.Verdict != Rejected {
			got += ": " + why
		}
		out = append(out, got)
	}
	return out
}

// split reads the time at the start of a line, "-" for none, and the words after.
func split(t *testing.T, line string) (time.Time, []string) {
	t.Helper()
	words := strings.Fields(line)
	if words[0] == "-" {
		return time.Time{}, words[1:]
	}
	for n := min(3, len(words)); n > 0; n-- {
		s := strings.Join(words[:n], " ")
		if strings.Trim(s, "0123456789-+: ") == "" {
			return clock(t, s), words[n:]
		}
	}
	t.Fatalf("line %q", line)
	return time.Time{}, nil
}

func unlimited() limits.Plan {
	p, _ := limits.PlanByKey("unlimited")
	return p
}

func with(change func(r *Rules)) Rules {
	r := DefaultRules()
	change(&r)
	return r
}

func TestPlan(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule  string
		scene scene
		want  []string
	}{
		{"a time that suits is kept, its seconds are cut", scene{
			rows: []string{"14:00 mastodon-1", "15:00:59 mastodon-1"},
		}, []string{"14:00", "15:00"}},
		{"an instant with an offset is that instant", scene{
			rows: []string{"2026-03-01 16:30 +02:00 mastodon-1"},
		}, []string{"14:30"}},
		{"posts on one connection keep the gap, in the order of the file", scene{
			rows: []string{"14:00 mastodon-1", "14:00 mastodon-1", "14:02 mastodon-1"},
		}, []string{"14:00", "14:05: moved 5 minutes: at least 5m between posts on mastodon-1", "14:10: moved 8 minutes: at least 5m between posts on mastodon-1"}},
		{"the gap counts backwards too", scene{
			taken: []string{"14:10 mastodon-1"},
			rows:  []string{"14:05 mastodon-1", "14:06 mastodon-1", "14:14 mastodon-1"},
		}, []string{"14:05", "14:15: moved 9 minutes: at least 5m between posts on mastodon-1", "14:20: moved 6 minutes: at least 5m between posts on mastodon-1"}},
		{"other connections do not matter", scene{
			taken: []string{"14:00 mastodon-2"},
			rows:  []string{"14:00 mastodon-1", "14:00 linkedin-1"},
		}, []string{"14:00", "14:00"}},
		{"rows are placed by their time, wherever they stand in the file", scene{
			rows: []string{"14:02 mastodon-1", "14:00 mastodon-1"},
		}, []string{"14:05: moved 3 minutes: at least 5m between posts on mastodon-1", "14:00"}},
		{"seconds decide the order within a minute", scene{
			rows: []string{"14:00:30 mastodon-1", "14:00:10 mastodon-1"},
		}, []string{"14:05: moved 5 minutes: at least 5m between posts on mastodon-1", "14:00"}},
		{"a gap of part of a minute is a whole one", scene{
			rules: with(func(r *Rules) { r.Gap = 61 * time.Second }),
			rows:  []string{"14:00 mastodon-1", "14:01 mastodon-1"},
		}, []string{"14:00", "14:02: moved 1 minute: at least 1m1s between posts on mastodon-1"}},
		{"no gap, no moving", scene{
			rules: with(func(r *Rules) { r.Gap = 0 }),
			rows:  []string{"14:00 mastodon-1", "14:00 mastodon-1", "14:00 mastodon-1"},
		}, []string{"14:00", "14:00", "14:00"}},
		{"a group moves as one, to where all its connections are free", scene{
			taken: []string{"14:00 mastodon-1", "14:08 linkedin-1"},
			rows:  []string{"14:00 mastodon-1 linkedin-1"},
		}, []string{"14:13: moved 13 minutes: at least 5m between posts on linkedin-1"}},
		{"of equals that share a connection none is overtaken", scene{
			taken: []string{"14:00 mastodon-1"},
			rows:  []string{"14:00 mastodon-1 linkedin-1", "14:00 linkedin-1", "14:00 threads-1"},
		}, []string{"14:05: moved 5 minutes: at least 5m between posts on mastodon-1", "14:10: moved 10 minutes: at least 5m between posts on linkedin-1", "14:00"}},
		{"without a gap an equal waits for the earlier one", scene{
			rules: with(func(r *Rules) { r.Gap, r.PerMinute = 0, 1 }),
			taken: []string{"14:00 threads-1", "14:02 threads-1"},
			rows:  []string{"14:00 mastodon-1 linkedin-1", "14:00 linkedin-1"},
		}, []string{"14:01: moved 1 minute: at most 1 in one minute for the account", "14:03: moved 3 minutes: at most 1 in one minute for the account"}},
		{"at most so many groups start in one minute, taken ones counted by their first post", scene{
			rules: with(func(r *Rules) { r.PerMinute = 2 }),
			taken: []string{"14:00 mastodon-8", "14:00 mastodon-9 more"},
			rows:  []string{"14:00 mastodon-1 mastodon-2", "14:00 mastodon-3", "14:00 mastodon-4", "14:00 mastodon-5"},
		}, []string{
			"14:00", "14:01: moved 1 minute: at most 2 in one minute for the account",
			"14:01: moved 1 minute: at most 2 in one minute for the account", "14:02: moved 2 minutes: at most 2 in one minute for the account",
		}},
		{"nothing moves more than the most", scene{
			rules: with(func(r *Rules) { r.MaxShift = 10 * time.Minute }),
			rows:  []string{"14:00 mastodon-1", "14:00 mastodon-1", "14:00 mastodon-1", "14:00 mastodon-1", "14:05 mastodon-1"},
		}, []string{
			"14:00", "14:05: moved 5 minutes: at least 5m between posts on mastodon-1", "14:10: moved 10 minutes: at least 5m between posts on mastodon-1",
			"held: no free minute within 10m of its time: at least 5m between posts on mastodon-1",
			"14:15: moved 10 minutes: at least 5m between posts on mastodon-1",
		}},
		{"part of a minute of the most does not count", scene{
			rules: with(func(r *Rules) { r.Gap, r.MaxShift = 2*time.Minute, 119*time.Second }),
			rows:  []string{"14:00 mastodon-1", "14:00 mastodon-1"},
		}, []string{"14:00", "held: no free minute within 1m59s of its time: at least 2m between posts on mastodon-1"}},
		{"no moving at all holds what would have to", scene{
			rules: with(func(r *Rules) { r.MaxShift, r.PerMinute = 0, 1 }),
			rows:  []string{"14:00 mastodon-1", "14:00 mastodon-2", "14:01 mastodon-2"},
		}, []string{"14:00", "held: no free minute within 0s of its time: at most 1 in one minute for the account", "14:01"}},
		{"the platforms of a group follow one another, each with its gap", scene{
			rules: with(func(r *Rules) { r.Across = 30 * time.Minute }),
			taken: []string{"14:32 linkedin-1", "15:00 mastodon-1"},
			rows:  []string{"14:00 mastodon-1 linkedin-1", "14:00 linkedin-1 mastodon-1"},
		}, []string{
			"14:07: moved 7 minutes: at least 5m between posts on linkedin-1", // which goes out at 14:37
			"14:07: moved 7 minutes: earlier rows for the same time go first", // mastodon-1 goes out at 14:37
		}},
		{"kept times are exact, whatever is near", scene{
			rules: with(func(r *Rules) { r.Keep, r.PerMinute, r.Across = true, 1, time.Hour }),
			taken: []string{"14:00 mastodon-1"},
			rows:  []string{"14:00:30 mastodon-1 linkedin-1", "14:00:30 mastodon-1", "12:02:10 mastodon-1", "12:02:09 mastodon-1", "11:00 mastodon-1", "2026-02-28 12:00 mastodon-1"},
		}, []string{
			"14:00:30", "14:00:30", "12:02:10", "12:03: too near to now: moved to at least 2m ahead",
			"12:03: its time had passed: reset to now, 1h3m later", "held: its time passed more than 24h ago",
		}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			c.scene.check(t, c.want)
		})
	}
}

func TestP3PastTimes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule  string
		scene scene
		want  []string
	}{
		{"a time that passed is reset to the first minute two minutes ahead", scene{
			rows: []string{"11:30 mastodon-1"},
		}, []string{"12:03: its time had passed: reset to now, 33m later"}},
		{"now itself has passed", scene{
			rows: []string{"12:00:10 mastodon-1"},
		}, []string{"12:03: its time had passed: reset to now, 3m later"}},
		{"what is nearer than two minutes is moved", scene{
			rows: []string{"12:01 mastodon-1", "12:02:30 mastodon-2", "12:03 mastodon-3"},
		}, []string{"12:03: too near to now: moved to at least 2m ahead", "12:03: too near to now: moved to at least 2m ahead", "12:03"}},
		{"reset rows are staggered by the times they had, future ones after them", scene{
			rows: []string{"12:03 mastodon-1", "11:59 mastodon-1", "2026-02-28 13:00 mastodon-1", "12:02 mastodon-1"},
		}, []string{
			"12:18: moved 15 minutes: at least 5m between posts on mastodon-1",
			"12:08: its time had passed: reset to now, 4m later; then moved 5 minutes: at least 5m between posts on mastodon-1",
			"12:03: its time had passed: reset to now, 23h3m later",
			"12:13: too near to now: moved to at least 2m ahead; then moved 10 minutes: at least 5m between posts on mastodon-1",
		}},
		{"24 hours is still reset, a second more is held", scene{
			rows: []string{"2026-02-28 12:00:10 mastodon-1", "2026-02-28 12:00:09 mastodon-2"},
		}, []string{"12:03: its time had passed: reset to now, 24h3m later", "held: its time passed more than 24h ago"}},
		{"without resetting every time that passed is held", scene{
			rules: with(func(r *Rules) { r.ResetWithin = 0 }),
			rows:  []string{"11:59 mastodon-1", "12:01 mastodon-2"},
		}, []string{"held: its time passed more than 0s ago", "12:03: too near to now: moved to at least 2m ahead"}},
		{"the most that a row may move counts from the reset", scene{
			rules: with(func(r *Rules) { r.MaxShift = 5 * time.Minute }),
			rows:  []string{"09:00 mastodon-1", "09:01 mastodon-1", "09:02 mastodon-1"},
		}, []string{
			"12:03: its time had passed: reset to now, 3h3m later",
			"12:08: its time had passed: reset to now, 3h2m later; then moved 5 minutes: at least 5m between posts on mastodon-1",
			"held: no free minute within 5m of now, its time has passed: at least 5m between posts on mastodon-1",
		}},
		{"times that cannot be stored are held", scene{
			rows: []string{"2107-01-01 12:00 mastodon-1", "1969-12-31 12:00 mastodon-1", "2106-02-07 06:28 mastodon-1"},
		}, []string{
			"held: the year 2107 cannot be planned: the first is 1970, the last 2105",
			"held: the year 1969 cannot be planned: the first is 1970, the last 2105",
			"2106-02-07 06:28",
		}},
		{"nor is a post of a spread group put where it cannot be stored", scene{
			rules: with(func(r *Rules) { r.Across = time.Hour }),
			rows:  []string{"2106-02-07 06:28 mastodon-1 linkedin-1"},
		}, []string{"held: the year 2106 cannot be planned: the first is 1970, the last 2105"}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			c.scene.check(t, c.want)
		})
	}
}

func TestDrafts(t *testing.T) {
	t.Parallel()
	starter, _ := limits.PlanByKey("starter")
	s := scene{plan: starter, rows: []string{
		"- mastodon-1", "14:00 mastodon-1 draft", "14:00 mastodon-1 draft", "2026-01-01 14:00 mastodon-1 draft", "2027-01-01 14:00 mastodon-1 draft",
		"14:00 mastodon-1", "14:00 linkedin-1", "14:00 threads-1", "- twitter-1", "14:00 twitter-1 draft",
	}}
	s.check(t, []string{
		"draft", "draft", "draft", "draft", "draft",
		"14:00", "14:00", "14:00", "rejected PLATFORM_NOT_AVAILABLE", "rejected PLATFORM_NOT_AVAILABLE",
	})
}

func TestP6Quotas(t *testing.T) {
	t.Parallel()
	starter, _ := limits.PlanByKey("starter")
	pro, _ := limits.PlanByKey("pro")
	month := post.MonthOf(testNow)
	used := func(active, monthly int) post.Usage {
		u := post.NewUsage()
		u.Active["mastodon-1"] = active
		u.Monthly[month] = map[post.ConnectionID]int{"mastodon-1": monthly}
		return u
	}
	perMonth := func(n int) limits.Plan {
		p := unlimited()
		p.Monthly = new(n)
		return p
	}
	for _, c := range []struct {
		rule  string
		scene scene
		want  []string
	}{
		{"quota goes by the order of the file, not of time", scene{
			plan: starter, usage: used(1, 1),
			rows: []string{"18:00 mastodon-1", "17:00 mastodon-1", "14:00 mastodon-1"},
		}, []string{"18:00", "17:00", "rejected SCHEDULED_POST_LIMIT_REACHED"}},
		{"a row is rejected whole, and a smaller one after it may fit", scene{
			plan: starter, usage: used(1, 1),
			rows: []string{"14:00 mastodon-1 linkedin-1 threads-1", "14:00 mastodon-1 linkedin-1"},
		}, []string{"rejected SCHEDULED_POST_LIMIT_REACHED", "14:00"}},
		{"the month's quota is named before that of waiting posts", scene{
			plan: starter, usage: used(0, 14),
			rows: []string{"14:00 mastodon-1", "15:00 mastodon-1", "2026-03-09 15:00 mastodon-1"},
		}, []string{"14:00", "rejected POST_LIMIT_REACHED", "rejected POST_LIMIT_REACHED"}},
		{"beyond the horizon is rejected", scene{
			plan: starter,
			rows: []string{"2026-03-08 12:00 mastodon-1", "2026-03-08 12:01 mastodon-1"},
		}, []string{"2026-03-08 12:00", "rejected SCHEDULE_HORIZON_REACHED"}},
		{"each connection has its own quota on the larger plans", scene{
			plan: pro, usage: used(99, 99),
			rows: []string{"14:00 mastodon-1", "15:00 mastodon-1 linkedin-1", "15:00 linkedin-1"},
		}, []string{"14:00", "rejected POST_LIMIT_REACHED", "15:00"}},
		{"a rejected row leaves its time to others", scene{
			plan: pro, usage: used(100, 100),
			rows: []string{"14:00 mastodon-1 linkedin-1", "14:00 linkedin-1"},
		}, []string{"rejected POST_LIMIT_REACHED", "14:00"}},
		{"a held row uses no quota", scene{
			plan: starter, usage: used(2, 2),
			rows: []string{"2026-01-01 14:00 mastodon-1", "14:00 mastodon-1", "15:00 mastodon-1"},
		}, []string{"held: its time passed more than 24h ago", "14:00", "rejected SCHEDULED_POST_LIMIT_REACHED"}},
		{"a row that finds no time uses no quota", scene{
			plan: starter, usage: used(2, 2), rules: with(func(r *Rules) { r.MaxShift = 0 }), taken: []string{"14:00 mastodon-1"},
			rows: []string{"14:00 mastodon-1", "15:00 mastodon-1"},
		}, []string{"held: no free minute within 0s of its time: at least 5m between posts on mastodon-1", "15:00"}},
		{"a rejected row makes no other one wait, and that one is counted", scene{
			plan: perMonth(2), rules: with(func(r *Rules) { r.MaxShift = 5 * time.Minute }),
			rows: []string{"14:00 mastodon-1 linkedin-1 threads-1", "14:00 mastodon-1", "14:00 mastodon-1", "14:00 mastodon-1"},
		}, []string{
			"rejected POST_LIMIT_REACHED", "14:00", "14:05: moved 5 minutes: at least 5m between posts on mastodon-1",
			"held: no free minute within 5m of its time: at least 5m between posts on mastodon-1",
		}},
		{"a row counts in the month into which it moves", scene{
			plan: perMonth(1), taken: []string{"2026-03-31 23:58 mastodon-1"}, usage: used(1, 0),
			rows: []string{"2026-03-31 23:58 mastodon-1", "2026-03-31 12:00 mastodon-1", "2026-04-02 12:00 mastodon-1"},
		}, []string{"2026-04-01 00:03: moved 5 minutes: at least 5m between posts on mastodon-1", "2026-03-31 12:00", "rejected POST_LIMIT_REACHED"}},
		{"a row that comes back into an earlier month takes its quota along, and leaves the other month to others", scene{
			plan:  func() limits.Plan { p := perMonth(1); p.PerConnection = true; return p }(),
			rules: with(func(r *Rules) { r.MaxShift = 10 * time.Minute }),
			usage: func() post.Usage {
				u := post.NewUsage()
				u.Monthly[month] = map[post.ConnectionID]int{"linkedin-1": 1}
				return u
			}(),
			rows: []string{"2026-03-31 23:58 mastodon-1 linkedin-1", "2026-03-31 23:58 mastodon-1", "2026-04-01 12:00 mastodon-1", "2026-04-02 12:00 mastodon-1"},
		}, []string{"rejected POST_LIMIT_REACHED", "2026-03-31 23:58", "2026-04-01 12:00", "rejected POST_LIMIT_REACHED"}},
		{"kept times are counted too", scene{
			plan: perMonth(1), rules: with(func(r *Rules) { r.Keep = true }),
			rows: []string{"14:00 mastodon-1", "14:00 mastodon-1"},
		}, []string{"14:00", "rejected POST_LIMIT_REACHED"}},
		{"a spread group counts each post in its month", scene{
			plan: perMonth(1), rules: with(func(r *Rules) { r.Across = 30 * time.Minute }),
			rows: []string{"2026-03-31 23:45 mastodon-1 linkedin-1", "2026-03-31 12:00 threads-1", "2026-04-10 12:00 threads-1"},
		}, []string{"2026-03-31 23:45", "rejected POST_LIMIT_REACHED", "rejected POST_LIMIT_REACHED"}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			c.scene.check(t, c.want)
		})
	}
}

func TestRefusalsOfOneKindAreKeptOnce(t *testing.T) {
	t.Parallel()
	starter, _ := limits.PlanByKey("starter")
	u := post.NewUsage()
	u.Active["mastodon-1"] = 3
	sets := [][]post.ConnectionID{{"mastodon-1"}, {"mastodon-1", "linkedin-1"}}
	items := make([]Item, 1000)
	for i := range items {
		items[i] = Item{At: testNow.Add(time.Hour + time.Duration(i)*time.Minute).Unix(), Set: uint32(i % 2)}
	}
	seen := map[*post.LimitExceeded]bool{}
	for i, s := range Plan(testNow, DefaultRules(), starter, NewTaken(), u, sets, items) {
		seen[s.Limit] = true
		if want := i%2 + 1; *s.Limit.Requested != want {
			t.Fatalf("row %d: requested %d, want %d", i+1, *s.Limit.Requested, want)
		}
	}
	if len(seen) != 2 {
		t.Errorf("%d refusals kept, want one for each set", len(seen))
	}
	seen = map[*post.LimitExceeded]bool{}
	for i := range items {
		items[i].At = testNow.AddDate(0, 0, 8+i%10).Unix()
	}
	for i, s := range Plan(testNow, with(func(r *Rules) { r.Gap, r.PerMinute = 0, 0 }), starter, NewTaken(), post.NewUsage(), sets, items) {
		seen[s.Limit] = true
		if want := testNow.AddDate(0, 0, 8+i%10).Truncate(time.Minute); !s.Limit.ScheduledTime.Equal(want) {
			t.Fatalf("row %d: slot %v, want %v", i+1, s.Limit.ScheduledTime, want)
		}
	}
	if len(seen) != 10 {
		t.Errorf("%d refusals by the horizon kept, want one for each slot", len(seen))
	}
}

func TestARefusalNamesTheMonthThatIsFull(t *testing.T) {
	t.Parallel()
	p := unlimited()
	p.Monthly = new(5)
	u := post.NewUsage()
	u.Add("mastodon-1", post.MonthOf(testNow), 4)
	u.Add("mastodon-1", post.MonthOf(testNow)+1, 5)
	sets := [][]post.ConnectionID{{"mastodon-1", "linkedin-1"}}
	r := with(func(r *Rules) { r.Across = 30 * time.Minute })
	for i, s := range Plan(testNow, r, p, NewTaken(), u, sets, []Item{
		{At: clock(t, "2026-03-31 22:00").Unix()}, {At: clock(t, "2026-03-31 23:45").Unix()}, {At: clock(t, "2026-03-31 12:00").Unix()},
	}) {
		want := clock(t, "2026-03-01 00:00")
		if i == 1 {
			want = clock(t, "2026-04-01 00:00")
		}
		if s.Verdict != Rejected || !s.Limit.PeriodStart.Equal(want) {
			t.Errorf("row %d: %v for %v, want a refusal for %v", i+1, s.Verdict, s.Limit.PeriodStart, want)
		}
	}
}

func TestReasonOfARefusalHasNumbers(t *testing.T) {
	t.Parallel()
	pro, _ := limits.PlanByKey("pro")
	u := post.NewUsage()
	u.Add("mastodon-1", post.MonthOf(testNow), 100)
	sets := [][]post.ConnectionID{{"mastodon-1"}}
	at := testNow.Add(time.Hour)
	s := Plan(testNow, DefaultRules(), pro, NewTaken(), u, sets, []Item{{At: at.Unix()}})[0]
	const want = "Monthly post limit reached. Your Pro plan allows 100 platform posts per month. (mastodon-1 has 100 of 100 posts in March 2026)"
	if got := s.Reason(DefaultRules(), at, sets[0]); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestASlotIsSmall(t *testing.T) {
	t.Parallel()
	if n := unsafe.Sizeof(Slot{}); n > 24 {
		t.Errorf("%d bytes, want at most 24: a million are kept", n)
	}
}

func TestPlanChangesNothingItIsGiven(t *testing.T) {
	t.Parallel()
	pro, _ := limits.PlanByKey("pro")
	u := post.NewUsage()
	u.Add("mastodon-1", post.MonthOf(testNow), 3)
	taken := NewTaken()
	_ = taken.Add("mastodon-1", testNow.Add(time.Hour), true)
	sets := [][]post.ConnectionID{{"mastodon-1"}}
	items := []Item{{At: testNow.Add(2 * time.Hour).Unix()}, {At: testNow.Add(time.Hour).Unix()}}
	first := Plan(testNow, DefaultRules(), pro, taken, u, sets, items)
	if again := Plan(testNow, DefaultRules(), pro, taken, u, sets, items); !reflect.DeepEqual(first, again) {
		t.Errorf("planned twice:\n%v\n%v", first, again)
	}
	if u.Active["mastodon-1"] != 3 || len(u.Monthly) != 1 {
		t.Errorf("usage is now %v", u)
	}
}

// check runs a scene, with the default rules and no limits where it has none.
func (s *scene) check(t *testing.T, want []string) {
	t.Helper()
	if s.rules == (Rules{}) {
		s.rules = DefaultRules()
	}
	if s.plan.Key == "" {
		s.plan = unlimited()
	}
	got := s.run(t)
	for i := range max(len(got), len(want)) {
		g, w := "nothing", "nothing"
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			t.Errorf("row %d\ngot  %s\nwant %s", i+1, g, w)
		}
	}
}
