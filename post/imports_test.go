package post_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/postroom/postroom/post"
)

func TestP4RowsAreTheSumOfWhatBecameOfThem(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var c post.Counts
		n := map[post.Decision]int{}
		for _, d := range rapid.SliceOf(rapid.SampledFrom([]post.Decision{post.Accepted, post.Updated, post.Held, post.Rejected, post.Unchanged})).Draw(t, "rows") {
			c.Count(d)
			n[d]++
		}
		if c.Rows != c.Accepted+c.Held+c.Rejected+c.Unchanged {
			t.Fatalf("%+v", c)
		}
		want := post.Counts{
			Rows: c.Rows, Accepted: n[post.Accepted] + n[post.Updated], Updated: n[post.Updated],
			Held: n[post.Held], Rejected: n[post.Rejected], Unchanged: n[post.Unchanged],
		}
		if c != want {
			t.Fatalf("got %+v, want %+v", c, want)
		}
	})
}

func TestDecisionsAreWrittenByName(t *testing.T) {
	t.Parallel()
	for d, want := range map[post.Decision]string{0: "", post.Accepted: "accepted", post.Updated: "updated", post.Held: "held", post.Rejected: "rejected", post.Unchanged: "unchanged"} {
		b, err := d.MarshalText()
		if err != nil || string(b) != want {
			t.Errorf("got %q, %v, want %q", b, err, want)
		}
		var back post.Decision
		if err := back.UnmarshalText(b); err != nil || back != d {
			t.Errorf("%q: read as %v, %v", b, back, err)
		}
	}
}

func TestMonthsAreUTC(t *testing.T) {
	t.Parallel()
	berlin := time.FixedZone("CEST", 2*60*60)
	for _, c := range []struct {
		rule string
		at   time.Time
		want string
	}{
		{"its first instant", time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), "2026-03-01"},
		{"its last instant", time.Date(2026, 3, 31, 23, 59, 59, 999_999_999, time.UTC), "2026-03-01"},
		{"a local first of April is still March", time.Date(2026, 4, 1, 1, 59, 0, 0, berlin), "2026-03-01"},
		{"December", time.Date(2026, 12, 24, 0, 0, 0, 0, time.UTC), "2026-12-01"},
		{"January", time.Date(2027, 1, 24, 0, 0, 0, 0, time.UTC), "2027-01-01"},
	} {
		m := post.MonthOf(c.at)
		if got := m.Start().Format(time.DateOnly); got != c.want {
			t.Errorf("%s: got %s, want %s", c.rule, got, c.want)
		}
		if s := m.Start(); c.at.Before(s) || !c.at.Before((m + 1).Start()) || s.Location() != time.UTC || post.MonthOf(s) != m {
			t.Errorf("%s: %v is not in the month from %v", c.rule, c.at, s)
		}
	}
}

func TestUsageAddCountsActiveAndTheMonth(t *testing.T) {
	t.Parallel()
	m := post.MonthOf(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
	u := post.NewUsage()
	u.Add("twitter-1", m, 2)
	u.Add("twitter-1", m+1, 3)
	u.Add("twitter-1", m, -1)
	want := post.Usage{
		Active:  map[post.ConnectionID]int{"twitter-1": 4},
		Monthly: map[post.Month]map[post.ConnectionID]int{m: {"twitter-1": 1}, m + 1: {"twitter-1": 3}},
	}
	if !reflect.DeepEqual(u, want) {
		t.Errorf("got %v, want %v", u, want)
	}
}

// The contract writes every instant with three digits of milliseconds and a Z.
func TestLimitExceededWritesTimesAsTheContract(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 2, 0, 0, 123_456_789, time.FixedZone("CET", 60*60))
	e := &post.LimitExceeded{
		Title: "Schedule horizon reached", Code: "SCHEDULE_HORIZON_REACHED", Limit: new(7),
		PeriodStart: new(at.Truncate(time.Second)), ScheduledTime: &at, PlanName: "Starter",
	}
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"error": "Schedule horizon reached", "code": "SCHEDULE_HORIZON_REACHED", "metric": "", "message": "",
		"limit": 7.0, "used": nil, "requested": nil, "remaining": nil,
		"periodStart": "2026-03-01T01:00:00.000Z", "periodEnd": nil, "planName": "Starter",
		"scheduledTime": "2026-03-01T01:00:00.123Z",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	// Stored problems are read back.
	var back post.LimitExceeded
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	if !back.ScheduledTime.Equal(at.Truncate(time.Millisecond)) || back.PeriodEnd != nil || *back.Limit != 7 {
		t.Errorf("read back as %+v", back)
	}
}
