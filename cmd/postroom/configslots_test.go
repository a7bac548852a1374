package main

import (
	"reflect"
	"testing"
	"time"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/scheduler"
)

func TestSlots(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	type of = map[post.ConnectionID]scheduler.Week
	nine, ten := []int{9 * 60}, []int{10 * 60}
	everyTen := scheduler.Week{ten, ten, ten, ten, ten, ten, ten}
	early := []int{7 * 60, 10 * 60, 17 * 60}
	for _, c := range []struct {
		name, settings string
		want           *scheduler.Openings
	}{
		{"nothing said", "", nil},
		{"nothing in them", "slots: {preset: none, connections: {}, mon: []}", nil},
		{"days, in the account's zone and in order", `timezone: Europe/Berlin, slots: {mon-wed: ["12:30", "09:00", "09:00"], sat-sun: ["09:00"]}`, &scheduler.Openings{Zone: berlin, Of: of{}, All: scheduler.Week{
			nine, {9 * 60, 12*60 + 30}, {9 * 60, 12*60 + 30}, {9 * 60, 12*60 + 30}, nil, nil, nine,
		}}},
		{"a connection has its own", `slots: {mon: ["09:00"], connections: {linkedin-1: {tue: ["10:00"]}}}`, &scheduler.Openings{
			Zone: time.UTC, All: scheduler.Week{time.Monday: nine}, Of: of{"linkedin-1": {time.Tuesday: ten}},
		}},
		{"a preset goes by the platform", `slots: {preset: daily, connections: {pinterest-1: {tue: ["09:00"]}}}`, &scheduler.Openings{Zone: time.UTC, Of: of{
			"linkedin-1": {early, early, early, early, early, early, early}, "discord-1": everyTen, "pinterest-1": {time.Tuesday: nine},
		}}},
		{"also that of one connection", `slots: {connections: {linkedin-1: {preset: peak}}}`, &scheduler.Openings{Zone: time.UTC, Of: of{
			"linkedin-1": {time.Tuesday: {600, 660}, time.Wednesday: {600, 660}, time.Thursday: {600, 660}},
		}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			config := mustLoad(t, "accounts: {acme: {connections: [{id: linkedin-1, driver: sandbox}, {id: discord-1, driver: sandbox}, {id: pinterest-1, driver: sandbox}], "+c.settings+"}}")
			if got := config.Accounts[0].Rules(StaggerConfig{}).Openings; !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestPresetsAreForPlatformsThatThereAre(t *testing.T) {
	t.Parallel()
	for name, platforms := range presets {
		for p := range platforms {
			if known, _ := post.PlatformByName(string(p)); known != p {
				t.Errorf("%s: %s", name, p)
			}
			for d, times := range presetWeek(name, p) {
				for i := 1; i < len(times); i++ {
					if times[i] <= times[i-1] {
						t.Errorf("%s: %s on %s: %v", name, p, time.Weekday(d), times)
					}
				}
			}
		}
	}
}
