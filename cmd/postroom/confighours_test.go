package main

import (
	"reflect"
	"testing"
	"time"

	"github.com/postroom/postroom/scheduler"
)

func TestHours(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	day := func(text string) int {
		at, err := time.Parse(time.DateOnly, text)
		if err != nil {
			t.Fatal(err)
		}
		return scheduler.DayOf(at)
	}
	for _, c := range []struct {
		name, settings string
		want           *scheduler.Hours
	}{
		{"nothing said", "", nil},
		{"none", "quiet_hours: none, blackout: []", nil},
		{"quiet hours", `quiet_hours: "22:00-07:30"`, &scheduler.Hours{Zone: time.UTC, Quiet: scheduler.Quiet{From: 22 * 60, To: 7*60 + 30}}},
		{"blackout days, in the account's zone", "timezone: Europe/Berlin, blackout: [2026-12-24, 2026-12-25..2027-01-02]", &scheduler.Hours{Zone: berlin, Blackout: []scheduler.Days{
			{First: day("2026-12-24"), Last: day("2026-12-24")}, {First: day("2026-12-25"), Last: day("2027-01-02")},
		}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			config := mustLoad(t, "accounts: {acme: {connections: [{id: mastodon-a, driver: sandbox}], "+c.settings+"}}")
			if got := config.Accounts[0].Rules(StaggerConfig{}).Hours; !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}
