package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/postroom/postroom/scheduler"
)

// quietHours reads the part of a day in which nothing goes out, or none.
var quietHours = unlessNone(parser[scheduler.Quiet]{
	want: `quiet hours, like "22:00-07:00"`,
	parse: func(text string) (q scheduler.Quiet, hint string, ok bool) {
		from, to, found := strings.Cut(text, "-")
		start, _, okStart := clockTime.parse(from)
		end, _, okEnd := clockTime.parse(to)
		switch {
		case !found || !okStart || !okEnd:
			return q, "write hours and minutes, from 00:00 to 23:59", false
		case start == end:
			return q, "they must end at another time than they start", false
		}
		return scheduler.Quiet{From: int(start / time.Minute), To: int(end / time.Minute)}, "", true
	},
}, scheduler.Quiet{})

// blackoutDays reads a day, or the first and the last of several.
var blackoutDays = parser[scheduler.Days]{
	want: "a day like 2026-12-24, or days like 2026-12-25..2027-01-02",
	parse: func(text string) (d scheduler.Days, hint string, ok bool) {
		head, tail, several := strings.Cut(text, "..")
		if !several {
			tail = head
		}
		first, err := time.Parse(time.DateOnly, strings.TrimSpace(head))
		if err != nil {
			return d, "", false
		}
		last, err := time.Parse(time.DateOnly, strings.TrimSpace(tail))
		switch {
		case err != nil:
			return d, "", false
		case last.Before(first):
			return d, fmt.Sprintf("the last day is before the first: did you mean %s..%s?", last.Format(time.DateOnly), first.Format(time.DateOnly)), false
		case first.Year() < 1970 || last.Year() > 2105:
			return d, "the years are 1970 to 2105", false
		}
		return scheduler.Days{First: scheduler.DayOf(first), Last: scheduler.DayOf(last)}, "", true
	},
}

// blackout reads a list of days.
func (v value) blackout() (all []scheduler.Days) {
	v.list("days, like [2026-12-24, 2026-12-25..2027-01-02]", func(v value) {
		before := len(v.d.problems)
		var days scheduler.Days
		scalar(&days, blackoutDays)(v)
		if len(v.d.problems) == before {
			all = append(all, days)
		}
	})
	return all
}

// hours returns when nothing of the account goes out, nil for never.
func (a *AccountConfig) hours() *scheduler.Hours {
	if a.Quiet == (scheduler.Quiet{}) && len(a.Blackout) == 0 {
		return nil
	}
	return &scheduler.Hours{Zone: a.Timezone, Quiet: a.Quiet, Blackout: a.Blackout}
}

// openings returns the slots of the account in its zone, nil for none.
func (a *AccountConfig) openings() *scheduler.Openings {
	if a.Slots == nil {
		return nil
	}
	return &scheduler.Openings{Zone: a.Timezone, All: a.Slots.All, Of: a.Slots.Of}
}
