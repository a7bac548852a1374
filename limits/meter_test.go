package limits_test

import (
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
)

type conns = []post.ConnectionID

func TestChecksRunInTheContractsOrder(t *testing.T) {
	t.Parallel()
	now := instant(t, "2026-03-10T12:00:00Z")
	far := instant(t, "2026-03-30T12:00:00Z")
	u := post.NewUsage()
	u.Add("mastodon-1", post.MonthOf(far), 15)
	m := limits.NewMeter(plan(t, "starter"), u)
	m.Connected = 4
	set := conns{"twitter-1"}
	steps := []struct {
		code string
		fix  func()
	}{
		{limits.CodePlatform, func() { set = conns{"mastodon-1"} }},
		{limits.CodeConnectionsOver, func() { m.Connected = 3 }},
		{limits.CodePostLimit, func() {
			u := post.NewUsage()
			u.Active["mastodon-1"] = 3
			m = limits.NewMeter(plan(t, "starter"), u)
		}},
		{limits.CodeScheduledLimit, func() { m = limits.NewMeter(plan(t, "starter"), post.NewUsage()) }},
		{limits.CodeHorizon, func() { far = now }},
	}
	for _, s := range steps {
		if e := m.Check(set, far, now); e == nil || e.Code != s.code {
			t.Fatalf("got %v, want %s", e, s.code)
		}
		if m.Fits(set, far, now) {
			t.Fatalf("%s, and yet it fits", s.code)
		}
		s.fix()
	}
	if e := m.Check(set, far, now); e != nil || !m.Fits(set, far, now) {
		t.Fatalf("got %v, want none", e)
	}
}

func TestMonthsAreCalendarMonthsInUTC(t *testing.T) {
	t.Parallel()
	p := plan(t, "unlimited")
	p.Monthly = new(1)
	now := instant(t, "2026-03-01T00:00:00Z")
	m := limits.NewMeter(p, post.NewUsage())
	m.Reserve(conns{"mastodon-1"}, instant(t, "2026-04-01T01:00:00+02:00")) // 31 March, 23:00 UTC
	if m.Fits(conns{"mastodon-1"}, instant(t, "2026-03-01T00:00:00Z"), now) {
		t.Error("March has room for a second post")
	}
	if !m.Fits(conns{"mastodon-1"}, instant(t, "2026-04-01T00:00:00Z"), now) {
		t.Error("April has no room")
	}
}

func TestAGroupThatIsSpreadCountsEachPostInItsMonth(t *testing.T) {
	t.Parallel()
	p := plan(t, "unlimited")
	p.Monthly = new(2)
	now := instant(t, "2026-03-01T00:00:00Z")
	m := limits.NewMeter(p, post.NewUsage())
	m.Across = 30 * time.Minute
	set, at := conns{"mastodon-1", "linkedin-1", "threads-1"}, instant(t, "2026-03-31T23:15:00Z")
	if e := m.Check(set, at, now); e != nil {
		t.Fatalf("two in March and one in April: %v", e)
	}
	m.Reserve(set, at)
	if e := m.Check(conns{"mastodon-1"}, at, now); e == nil || !e.PeriodStart.Equal(instant(t, "2026-03-01T00:00:00Z")) {
		t.Errorf("March is full: %v", e)
	}
	april := instant(t, "2026-04-01T00:00:00Z")
	if e := m.Check(conns{"mastodon-1"}, april, now); e != nil {
		t.Errorf("April has one of two: %v", e)
	}
	m.Reserve(conns{"mastodon-1"}, april)
	if e := m.Check(conns{"mastodon-1", "linkedin-1"}, instant(t, "2026-04-30T23:59:00Z"), now); e == nil || *e.Requested != 2 || *e.Used != 2 {
		t.Errorf("April is full: %+v", e)
	}
}

func TestTheHorizonHoldsForTheLastPostOfASpreadGroup(t *testing.T) {
	t.Parallel()
	now := instant(t, "2026-03-10T12:00:00Z")
	m := limits.NewMeter(plan(t, "starter"), post.NewUsage())
	m.Across = time.Hour
	at := now.Add(7*24*time.Hour - time.Minute)
	if e := m.Check(conns{"mastodon-1"}, at, now); e != nil {
		t.Errorf("one post: %v", e)
	}
	if e := m.Check(conns{"mastodon-1", "linkedin-1"}, at, now); e == nil || e.Code != limits.CodeHorizon {
		t.Errorf("two posts: %v", e)
	}
}

func TestAGroupsOwnPostsDoNotStandInItsWayWhenItMoves(t *testing.T) {
	t.Parallel()
	now := instant(t, "2026-03-10T12:00:00Z")
	set, from, to := conns{"mastodon-1", "linkedin-1", "threads-1"}, now.Add(time.Hour), now.Add(2*time.Hour)
	m := limits.NewMeter(plan(t, "starter"), post.NewUsage())
	m.Reserve(set, from)
	if m.Fits(set, to, now) {
		t.Error("six posts in a plan for three")
	}
	m.Cancel(set, from)
	if e := m.Check(set, to, now); e != nil {
		t.Errorf("after Cancel: %v", e)
	}
}

func TestLinesAndCapsNameWhatWasReserved(t *testing.T) {
	t.Parallel()
	march, april := instant(t, "2026-03-31T12:00:00Z"), instant(t, "2026-04-01T12:00:00Z")
	u := post.NewUsage()
	u.Add("mastodon-1", post.MonthOf(march), 7)
	u.Add("pinterest-1", post.MonthOf(march), 5)

	m := limits.NewMeter(plan(t, "pro"), u)
	m.Reserve(conns{"mastodon-1", "linkedin-1"}, march)
	m.Reserve(conns{"mastodon-1"}, april)
	m.Reserve(conns{"threads-1"}, april)
	m.Cancel(conns{"threads-1"}, april)
	var got []string
	for _, q := range m.Lines() {
		got = append(got, q.Label())
		if *q.Limit != 100 {
			t.Errorf("%s: limit %d", q.Label(), *q.Limit)
		}
	}
	want := []string{
		"posts waiting, linkedin-1", "posts waiting, mastodon-1",
		"posts in March 2026, linkedin-1", "posts in March 2026, mastodon-1",
		"posts in April 2026, mastodon-1",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("lines\ngot  %q\nwant %q", got, want)
	}
	if l := m.Lines()[1]; l.Used != 9 || l.Added != 2 {
		t.Errorf("mastodon-1 waiting: %d used, %d added, want 9 and 2", l.Used, l.Added)
	}
	wantCaps := []post.Cap{
		{Connection: "linkedin-1", Max: 100}, {Connection: "mastodon-1", Max: 100},
		{Connection: "linkedin-1", Month: post.MonthOf(march), Max: 100}, {Connection: "mastodon-1", Month: post.MonthOf(march), Max: 100},
		{Connection: "mastodon-1", Month: post.MonthOf(april), Max: 100},
	}
	if caps := m.Caps(); !reflect.DeepEqual(caps, wantCaps) {
		t.Errorf("caps\ngot  %v\nwant %v", caps, wantCaps)
	}

	m = limits.NewMeter(plan(t, "starter"), u)
	m.Reserve(conns{"mastodon-1", "linkedin-1"}, march)
	wantCaps = []post.Cap{{Max: 3}, {Month: post.MonthOf(march), Max: 15}}
	if caps := m.Caps(); !reflect.DeepEqual(caps, wantCaps) {
		t.Errorf("caps of an account\ngot  %v\nwant %v", caps, wantCaps)
	}
	if l := m.Lines()[1]; l.Used != 14 || l.Added != 2 {
		t.Errorf("March: %d used, %d added, want 14 and 2", l.Used, l.Added)
	}

	m = limits.NewMeter(plan(t, "unlimited"), u)
	m.Reserve(conns{"mastodon-1"}, march)
	if caps := m.Caps(); caps != nil {
		t.Errorf("an unlimited plan has caps: %v", caps)
	}
	if n := len(m.Lines()); n != 2 {
		t.Errorf("an unlimited plan shows %d lines, want 2", n)
	}
}

func TestP6CapsOfAPlanAreThoseOfOneReservation(t *testing.T) {
	t.Parallel()
	at := instant(t, "2026-03-31T12:00:00Z")
	want := []post.Cap{{Connection: "mastodon-1", Max: 100}, {Connection: "mastodon-1", Month: post.MonthOf(at), Max: 100}}
	if got := plan(t, "pro").Caps(conns{"mastodon-1"}, at); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestUsageShowsThisMonthAndLaterOnesThatHaveAny(t *testing.T) {
	t.Parallel()
	now := instant(t, "2026-03-31T12:00:00Z")
	u := post.NewUsage()
	u.Add("mastodon-1", post.MonthOf(now)-1, 9)
	u.Add("mastodon-1", post.MonthOf(now)+2, 4)
	labels := func(ls []limits.QuotaLine) (s []string) {
		for _, l := range ls {
			s = append(s, l.Label())
		}
		return s
	}
	got := labels(limits.NewMeter(plan(t, "starter"), u).Usage(conns{"mastodon-1", "linkedin-1"}, now))
	want := []string{"connections", "posts waiting", "posts in March 2026", "posts in May 2026"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("starter: got %q, want %q", got, want)
	}
	got = labels(limits.NewMeter(plan(t, "pro"), u).Usage(conns{"mastodon-1", "linkedin-1"}, now))
	want = []string{
		"posts waiting, mastodon-1", "posts waiting, linkedin-1",
		"posts in March 2026, mastodon-1", "posts in March 2026, linkedin-1",
		"posts in May 2026, mastodon-1", "posts in May 2026, linkedin-1",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("pro: got %q, want %q", got, want)
	}
}

func TestQuotaLinesAsJSON(t *testing.T) {
	t.Parallel()
	at := instant(t, "2026-03-31T12:00:00Z")
	m := limits.NewMeter(plan(t, "pro"), post.NewUsage())
	m.Reserve(conns{"mastodon-1"}, at)
	sameJSON(t, m.Lines(), `[
		{"connection":"mastodon-1","metric":"posts.scheduled_active","used":1,"added":1,"limit":100},
		{"connection":"mastodon-1","metric":"posts.platform_monthly","month":"2026-03-01T00:00:00Z","used":1,"added":1,"limit":100}]`)
	sameJSON(t, limits.NewMeter(plan(t, "unlimited"), post.NewUsage()).Usage(conns{"mastodon-1"}, at)[:1], `[
		{"metric":"posts.scheduled_active","used":0,"added":0,"limit":null}]`)
}

func TestNumbersSayWhatIsFull(t *testing.T) {
	t.Parallel()
	now := instant(t, "2026-03-10T12:00:00Z")
	full := post.NewUsage()
	full.Add("mastodon-1", post.MonthOf(now), 100)
	full.Add("linkedin-1", post.MonthOf(now), 101)
	set := conns{"mastodon-1", "linkedin-1", "threads-1"}
	for _, c := range []struct {
		rule string
		e    *post.LimitExceeded
		want string
	}{
		{"connections by name", limits.NewMeter(plan(t, "pro"), full).Check(set, now, now), "mastodon-1 has 100 of 100 posts in March 2026; linkedin-1 has 101 of 100 posts in March 2026"},
		{"an account with what the row needs", limits.NewMeter(plan(t, "starter"), full).Check(set, now, now), "the account has 201 of 15 posts in March 2026, and the row needs 3"},
		{"posts waiting", limits.NewMeter(plan(t, "starter"), post.NewUsage()).Check(append(set, "bluesky-1"), now, now), "the account has 0 of 3 posts waiting, and the row needs 4"},
		{"nothing for what is not counted", plan(t, "starter").Connected(9), ""},
		{"nothing for nothing", nil, ""},
	} {
		if got := limits.Numbers(c.e); got != c.want {
			t.Errorf("%s: got %q, want %q", c.rule, got, c.want)
		}
	}
}

// Whatever is reserved after it fits, no count goes over the plan; and a meter
// started from the usage so far says the same as one that counted along.
func TestP6ReservationsThatFitNeverExceedThePlan(t *testing.T) {
	t.Parallel()
	ids := conns{"mastodon-1", "mastodon-2", "linkedin-1", "threads-1"}
	now := time.Date(2026, 3, 20, 0, 0, 0, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		p, _ := limits.PlanByKey("unlimited")
		p.PerConnection = rapid.Bool().Draw(t, "per connection")
		limit := func(label string) *int {
			if rapid.Bool().Draw(t, label+" limited") {
				return new(rapid.IntRange(0, 8).Draw(t, label))
			}
			return nil
		}
		p.Monthly, p.Active, p.HorizonDays = limit("monthly"), limit("active"), limit("days")
		across := time.Duration(rapid.IntRange(0, 2).Draw(t, "across")) * 12 * time.Hour
		m := limits.NewMeter(p, post.NewUsage())
		m.Across = across
		u := post.NewUsage()
		for range rapid.IntRange(0, 40).Draw(t, "groups") {
			set := rapid.Permutation(ids).Draw(t, "set")[:rapid.IntRange(1, len(ids)).Draw(t, "size")]
			at := now.Add(time.Duration(rapid.IntRange(0, 30*24).Draw(t, "hour")) * time.Hour)
			fresh := limits.NewMeter(p, u)
			fresh.Across = across
			if m.Fits(set, at, now) != (fresh.Check(set, at, now) == nil) {
				t.Fatalf("a meter that counted along and one that starts here disagree on %v at %v", set, at)
			}
			if m.Check(set, at, now) != nil {
				continue
			}
			m.Reserve(set, at)
			for i, c := range set {
				due := at.Add(time.Duration(i) * across)
				u.Add(c, post.MonthOf(due), 1)
				if p.HorizonDays != nil && due.After(now.Add(time.Duration(*p.HorizonDays)*24*time.Hour)) {
					t.Fatalf("%v is beyond the horizon", due)
				}
			}
		}
		most := func(what string, of map[post.ConnectionID]int, limit *int) {
			all := 0
			for c, n := range of {
				all += n
				if limit != nil && p.PerConnection && n > *limit {
					t.Fatalf("%s of %s: %d of %d", what, c, n, *limit)
				}
			}
			if limit != nil && !p.PerConnection && all > *limit {
				t.Fatalf("%s: %d of %d", what, all, *limit)
			}
		}
		most("waiting", u.Active, p.Active)
		for month, of := range u.Monthly {
			most(month.Start().Format("2006-01"), of, p.Monthly)
		}
		for _, c := range m.Caps() {
			if got := used(u, c); got > c.Max || got == 0 {
				t.Fatalf("cap %+v with %d used", c, got)
			}
		}
	})
}

// used returns what of a usage a cap bounds.
func used(u post.Usage, c post.Cap) int {
	of := u.Active
	if c.Month != 0 {
		of = u.Monthly[c.Month]
	}
	if c.Connection != "" {
		return of[c.Connection]
	}
	n := 0
	for _, v := range of {
		n += v
	}
	return n
}
