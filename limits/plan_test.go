package limits_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
)

func plan(t *testing.T, key string) limits.Plan {
	t.Helper()
	p, ok := limits.PlanByKey(key)
	if !ok {
		t.Fatalf("no plan %q", key)
	}
	return p
}

func instant(t *testing.T, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// sameJSON fails the test unless got, as JSON, holds exactly what want holds.
func sameJSON(t *testing.T, got any, want string) {
	t.Helper()
	b, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	var g, w any
	if err := json.Unmarshal(b, &g); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatalf("the test's own JSON: %v", err)
	}
	if !reflect.DeepEqual(g, w) {
		t.Errorf("got  %s\nwant %s", b, want)
	}
}

func TestTheTableFollowsTheContract(t *testing.T) {
	t.Parallel()
	for _, want := range []limits.Plan{
		{Key: "starter", Name: "Starter", Monthly: new(15), Active: new(3), Connections: new(3), HorizonDays: new(7), Excluded: []post.Platform{"twitter"}},
		{Key: "pro", Name: "Pro", Monthly: new(100), Active: new(100), PerConnection: true, API: true, MCP: true},
		{Key: "premium", Name: "Premium", Monthly: new(500), Active: new(500), PerConnection: true, API: true, MCP: true},
		{Key: "unlimited", Name: "Unlimited", API: true, MCP: true},
	} {
		if got := plan(t, want.Key); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", want.Key, got, want)
		}
	}
	if n := len(limits.Plans()); n != 4 {
		t.Errorf("%d plans, want 4", n)
	}
}

func TestPlanByKeyTakesAnyCaseAndRefusesOthers(t *testing.T) {
	t.Parallel()
	if p, ok := limits.PlanByKey("PRO"); !ok || p.Key != "pro" {
		t.Errorf("PRO: got %q, %v", p.Key, ok)
	}
	if p, ok := limits.PlanByKey("gold"); ok {
		t.Errorf("gold: got %+v", p)
	}
}

func TestChangingAPlanLeavesTheTableAlone(t *testing.T) {
	t.Parallel()
	p := plan(t, "starter")
	*p.Monthly, p.Excluded[0] = 99, "mastodon"
	if again := plan(t, "starter"); *again.Monthly != 15 || again.Excluded[0] != "twitter" {
		t.Errorf("the table changed: %d, %v", *again.Monthly, again.Excluded)
	}
}

func TestAvailable(t *testing.T) {
	t.Parallel()
	starter := plan(t, "starter")
	for _, c := range []struct {
		rule  string
		plan  limits.Plan
		conns []post.ConnectionID
		want  []post.Platform // refused
	}{
		{"what is not excluded may be used", starter, []post.ConnectionID{"mastodon-1", "linkedin-2"}, nil},
		{"one excluded platform refuses the group", starter, []post.ConnectionID{"mastodon-1", "twitter-2"}, []post.Platform{"twitter"}},
		{"a platform is named once", starter, []post.ConnectionID{"twitter-1", "twitter-2"}, []post.Platform{"twitter"}},
		{"paid plans exclude nothing", plan(t, "pro"), []post.ConnectionID{"twitter-1"}, nil},
		{"no connections, nothing to refuse", starter, nil, nil},
	} {
		e := c.plan.Available(c.conns)
		switch {
		case (e == nil) != (c.want == nil):
			t.Errorf("%s: got %v", c.rule, e)
		case e != nil && !reflect.DeepEqual(e.DisallowedPlatforms, c.want):
			t.Errorf("%s: got %v, want %v", c.rule, e.DisallowedPlatforms, c.want)
		}
	}
}

func TestConnected(t *testing.T) {
	t.Parallel()
	starter := plan(t, "starter")
	if e := starter.Connected(3); e != nil {
		t.Errorf("3 of 3 connections: %v", e)
	}
	if e := starter.Connected(4); e == nil || e.Code != limits.CodeConnectionsOver {
		t.Errorf("4 of 3 connections: %v", e)
	}
	if e := plan(t, "pro").Connected(1000); e != nil {
		t.Errorf("no limit: %v", e)
	}
}

func TestTheHorizonIsDaysOf24HoursAndItsLastInstantIsWithin(t *testing.T) {
	t.Parallel()
	p, now := plan(t, "starter"), instant(t, "2026-03-27T10:00:00.5Z")
	last := now.Add(7 * 24 * time.Hour)
	if e := p.Reaches(last, now); e != nil {
		t.Errorf("at the horizon: %v", e)
	}
	if e := p.Reaches(last.Add(time.Nanosecond), now); e == nil || e.Code != limits.CodeHorizon {
		t.Errorf("past the horizon: %v", e)
	}
	if e := plan(t, "pro").Reaches(now.AddDate(50, 0, 0), now); e != nil {
		t.Errorf("no horizon: %v", e)
	}
}

// The bodies of CONTRACT §4.4: which fields are there, which are null, which are
// absent.
func TestRefusalsHaveTheContractsFields(t *testing.T) {
	t.Parallel()
	now := instant(t, "2026-03-10T12:00:00Z")
	slot := instant(t, "2026-03-11T09:00:00Z")
	march := post.MonthOf(now)

	t.Run("the contract's own example: a month of one connection is full", func(t *testing.T) {
		t.Parallel()
		u := post.NewUsage()
		u.Monthly[march] = map[post.ConnectionID]int{"twitter-123": 100, "mastodon-9": 99}
		m := limits.NewMeter(plan(t, "pro"), u)
		sameJSON(t, m.Check([]post.ConnectionID{"twitter-123", "mastodon-9"}, slot, now), `{
			"error":"Post limit reached","code":"POST_LIMIT_REACHED","metric":"posts.platform_monthly",
			"message":"Monthly post limit reached. Your Pro plan allows 100 platform posts per month.",
			"limit":100,"used":null,"requested":2,"remaining":null,
			"periodStart":"2026-03-01T00:00:00.000Z","periodEnd":"2026-04-01T00:00:00.000Z","planName":"Pro",
			"scope":"connection","blockedPlatforms":[{"platformSelection":"twitter-123","used":100,"remaining":0}]}`)
	})
	t.Run("the month of an account is full", func(t *testing.T) {
		t.Parallel()
		u := post.NewUsage()
		u.Monthly[march] = map[post.ConnectionID]int{"mastodon-9": 10, "linkedin-1": 4}
		m := limits.NewMeter(plan(t, "starter"), u)
		sameJSON(t, m.Check([]post.ConnectionID{"mastodon-9", "linkedin-1"}, slot, now), `{
			"error":"Post limit reached","code":"POST_LIMIT_REACHED","metric":"posts.platform_monthly",
			"message":"Monthly post limit reached. Your Starter plan allows 15 platform posts per month.",
			"limit":15,"used":14,"requested":2,"remaining":1,
			"periodStart":"2026-03-01T00:00:00.000Z","periodEnd":"2026-04-01T00:00:00.000Z","planName":"Starter"}`)
	})
	t.Run("too many posts of an account wait", func(t *testing.T) {
		t.Parallel()
		u := post.NewUsage()
		u.Active["mastodon-9"] = 3
		m := limits.NewMeter(plan(t, "starter"), u)
		sameJSON(t, m.Check([]post.ConnectionID{"linkedin-1"}, slot, now), `{
			"error":"Scheduled post limit reached","code":"SCHEDULED_POST_LIMIT_REACHED","metric":"posts.scheduled_active",
			"message":"Scheduled post limit reached. Your Starter plan allows 3 scheduled platform posts at a time.",
			"limit":3,"used":3,"requested":1,"remaining":0,
			"periodStart":null,"periodEnd":null,"planName":"Starter"}`)
	})
	t.Run("too many posts of a connection wait", func(t *testing.T) {
		t.Parallel()
		u := post.NewUsage()
		u.Active["mastodon-9"] = 500
		m := limits.NewMeter(plan(t, "premium"), u)
		sameJSON(t, m.Check([]post.ConnectionID{"linkedin-1", "mastodon-9"}, slot, now), `{
			"error":"Scheduled post limit reached","code":"SCHEDULED_POST_LIMIT_REACHED","metric":"posts.scheduled_active",
			"message":"Scheduled post limit reached. Your Premium plan allows 500 scheduled platform posts at a time.",
			"limit":500,"used":null,"requested":2,"remaining":null,
			"periodStart":null,"periodEnd":null,"planName":"Premium",
			"scope":"connection","blockedPlatforms":[{"platformSelection":"mastodon-9","used":500,"remaining":0}]}`)
	})
	t.Run("the slot lies beyond the horizon", func(t *testing.T) {
		t.Parallel()
		m := limits.NewMeter(plan(t, "starter"), post.NewUsage())
		sameJSON(t, m.Check([]post.ConnectionID{"mastodon-9"}, instant(t, "2026-03-20T09:00:00Z"), now), `{
			"error":"Schedule horizon reached","code":"SCHEDULE_HORIZON_REACHED","metric":"posts.schedule_horizon_days",
			"message":"Schedule horizon reached. Your Starter plan allows scheduling up to 7 days ahead.",
			"limit":7,"used":null,"requested":null,"remaining":null,
			"periodStart":null,"periodEnd":null,"planName":"Starter",
			"scheduledTime":"2026-03-20T09:00:00.000Z","maxScheduledDate":"2026-03-17T12:00:00.000Z"}`)
	})
	t.Run("the platform is not on the plan", func(t *testing.T) {
		t.Parallel()
		p := plan(t, "starter")
		p.Excluded = nil
		for _, l := range limits.Platforms() {
			if l.Platform != "mastodon" && l.Platform != "linkedin" {
				p.Excluded = append(p.Excluded, l.Platform)
			}
		}
		sameJSON(t, p.Available([]post.ConnectionID{"mastodon-9", "twitter-1"}), `{
			"error":"Platform not available","code":"PLATFORM_NOT_AVAILABLE","metric":"posts.platform_monthly",
			"message":"Platform not available. Your Starter plan does not include X.",
			"limit":null,"used":null,"requested":null,"remaining":null,
			"periodStart":null,"periodEnd":null,"planName":"Starter",
			"disallowedPlatforms":["twitter"],"allowedPlatforms":["linkedin","mastodon"]}`)
	})
	t.Run("too many accounts are connected", func(t *testing.T) {
		t.Parallel()
		sameJSON(t, plan(t, "starter").Connected(5), `{
			"error":"Account over channel limit","code":"CONNECTIONS_OVER_LIMIT","metric":"connections.total",
			"message":"Account over channel limit. Your Starter plan allows 3 connections and 5 are connected.",
			"limit":3,"used":5,"requested":null,"remaining":0,
			"periodStart":null,"periodEnd":null,"planName":"Starter","overLimitBy":2}`)
	})
}

func TestMessagesCountInWords(t *testing.T) {
	t.Parallel()
	p := plan(t, "starter")
	p.Monthly, p.HorizonDays = new(1), new(1)
	now := instant(t, "2026-03-10T12:00:00Z")
	m := limits.NewMeter(p, post.NewUsage())
	m.Reserve([]post.ConnectionID{"mastodon-9"}, now)
	if got, want := m.Check([]post.ConnectionID{"mastodon-9"}, now, now).Message, "Monthly post limit reached. Your Starter plan allows 1 platform post per month."; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got, want := p.Reaches(now.AddDate(0, 0, 2), now).Message, "Schedule horizon reached. Your Starter plan allows scheduling up to 1 day ahead."; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
