package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/scheduler"
)

// dayNames are the keys of a week, by time.Weekday.
var dayNames = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// slots reads the times of a week that rows without a time take, of connections
// that are known already. Zone is left to the account; nil is none at all.
func (v value) slots(conns []ConnectionConfig) *scheduler.Openings {
	o := scheduler.Openings{Of: map[post.ConnectionID]scheduler.Week{}}
	var ids []string
	for _, c := range conns {
		ids = append(ids, string(c.ID))
	}
	week, preset := v.slotWeek([]setting{{"connections", func(v value) {
		v.entries("slots by connection", post.Shorten, func(name string, key, v value) {
			id := post.ConnectionID(name)
			if !slices.Contains(ids, name) {
				key.problem(post.Problem{Got: post.Shorten(name), Want: "a connection of this account", Hint: suggest(name, ids)})
			}
			own, preset := v.slotWeek(nil)
			if preset != "" {
				own = presetWeek(preset, id.Platform())
			}
			o.Of[id] = own
		})
	}}})
	o.All = week
	for _, c := range conns {
		if _, own := o.Of[c.ID]; preset != "" && !own {
			o.Of[c.ID] = presetWeek(preset, c.ID.Platform())
		}
	}
	if len(o.Of) == 0 && !slices.ContainsFunc(week[:], func(day []int) bool { return len(day) > 0 }) {
		return nil
	}
	return &o
}

// slotWeek reads a map of times by days, or the name of a preset, and what else
// may stand there.
func (v value) slotWeek(more []setting) (w scheduler.Week, preset string) {
	known := append(more, setting{"preset", scalar(&preset, unlessNone(oneOf("daily", "peak"), ""))})
	_, days := v.someSettings(known)
	for _, e := range days {
		on, ok := daysOf(e.name)
		switch {
		case !ok:
			e.key.problem(post.Problem{Want: "no such setting, nor days like mon, mon-fri or sat-sun", Hint: suggest(e.name, append(settingNames(known), dayNames...))})
			continue
		case preset != "":
			e.key.problem(post.Problem{Want: "either a preset or days of your own", Hint: "remove one"})
			continue
		}
		times := e.value.clockTimes()
		for _, d := range on {
			if w[d] != nil {
				e.key.problem(post.Problem{Want: fmt.Sprintf("each day once: %s has its times already", dayNames[d])})
				break
			}
			w[d] = times
		}
	}
	return w, preset
}

// daysOf reads one day, or the first and the last of several, which may go over
// the end of the week.
func daysOf(name string) (days []int, ok bool) {
	head, tail, several := strings.Cut(name, "-")
	if !several {
		tail = head
	}
	first, last := slices.Index(dayNames, head), slices.Index(dayNames, tail)
	if first < 0 || last < 0 {
		return nil, false
	}
	for d := first; ; d = (d + 1) % 7 {
		if days = append(days, d); d == last {
			return days, true
		}
	}
}

// clockTimes reads a list of times of day, in minutes from midnight. It is never
// nil.
func (v value) clockTimes() []int {
	times := []int{}
	v.list(`times of day, like ["09:00", "12:30"]`, func(v value) {
		before := len(v.d.problems)
		var at time.Duration
		scalar(&at, clockTime)(v)
		if len(v.d.problems) == before {
			times = append(times, int(at/time.Minute))
		}
	})
	slices.Sort(times)
	return slices.Compact(times)
}

// A presetTimes is what a preset has for a platform: days, and whole hours.
type presetTimes struct {
	days  string
	hours []int
}

// The presets (CONTRACT §8.2, "Optimal times"). A peak from 13 to 16 has posts at
// 13:00, 14:00 and 15:00. What is said for no platform is at 10:00 each day.
var presets = map[string]map[post.Platform]presetTimes{
	"daily": {
		"twitter":   {"sun-sat", []int{9, 12, 17}},
		"linkedin":  {"sun-sat", []int{7, 10, 17}},
		"instagram": {"sun-sat", []int{11, 14, 19}},
		"facebook":  {"sun-sat", []int{9, 13, 16}},
	},
	"peak": {
		"twitter":   {"tue-thu", []int{13, 14, 15}},
		"linkedin":  {"tue-thu", []int{10, 11}},
		"instagram": {"mon wed", []int{11, 12, 13, 19, 20}},
		"threads":   {"tue-thu", []int{12, 13, 14}},
		"tiktok":    {"tue-thu", []int{15, 16, 17, 18, 19, 20}},
		"youtube":   {"thu-sat", []int{14, 15, 16, 17}},
		"facebook":  {"wed-fri", []int{13, 14, 15}},
		"bluesky":   {"mon-fri", []int{14, 15, 16}},
		"mastodon":  {"sun-sat", []int{14, 15, 16}},
		"telegram":  {"sun-sat", []int{9, 10, 11, 18, 19}},
	},
}

// presetWeek returns the times of a preset for a platform.
func presetWeek(preset string, p post.Platform) (w scheduler.Week) {
	t, ok := presets[preset][p]
	if !ok {
		t = presetTimes{"sun-sat", []int{10}}
	}
	for _, name := range strings.Fields(t.days) {
		days, _ := daysOf(name)
		for _, d := range days {
			for _, hour := range t.hours {
				w[d] = append(w[d], hour*60)
			}
		}
	}
	return w
}
