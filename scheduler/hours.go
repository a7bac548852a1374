package scheduler

import (
	"fmt"
	"strings"
	"time"
)

// Hours say when an account posts nothing, by the clock on its wall. They are not
// changed once a plan was made with them.
type Hours struct {
	Zone     *time.Location
	Quiet    Quiet
	Blackout []Days
}

// Quiet is a part of every day, in minutes from midnight: From up to, but not
// including, To. It crosses midnight when From is later than To; equal ones are
// no quiet hours.
type Quiet struct{ From, To int }

// String writes quiet hours as the config does: 22:00-07:00.
func (q Quiet) String() string {
	return fmt.Sprintf("%02d:%02d-%02d:%02d", q.From/60, q.From%60, q.To/60, q.To%60)
}

// Days are whole days, from the first to the last, counted from 1970-01-01.
type Days struct{ First, Last int }

// DayOf returns the day of at, as its own zone has it.
func DayOf(at time.Time) int {
	y, m, d := at.Date()
	return int(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / (24 * 60 * 60))
}

// black reports whether at lies in a blackout day.
func (h *Hours) black(at time.Time) bool {
	day := DayOf(at.In(h.Zone))
	for _, b := range h.Blackout {
		if b.First <= day && day <= b.Last {
			return true
		}
	}
	return false
}

// rule names what keeps posts out.
func (h *Hours) rule() string {
	var parts []string
	if h.Quiet.From != h.Quiet.To {
		parts = append(parts, "the quiet hours ("+h.Quiet.String()+")")
	}
	if len(h.Blackout) > 0 {
		parts = append(parts, "the blackout days")
	}
	return strings.Join(parts, " and ")
}

const dayMinutes = 24 * 60

// between returns the minutes from lo up to hi that lie in quiet hours, and those
// in blackout days. It goes by what the clock shows: while it is put forward,
// quiet hours are shorter, and an hour that it shows twice is quiet twice.
func (h *Hours) between(lo, hi int) (quiet, black minuteSet) {
	for m := lo; m < hi; {
		at := time.Unix(int64(m)*60, 0).In(h.Zone)
		till := hi
		if _, end := at.ZoneBounds(); !end.IsZero() {
			till = int(min(int64(hi), (end.Unix()+59)/60))
		}
		_, seconds := at.Zone()
		ahead := seconds / 60 // of UTC, from m up to till
		add := func(s *minuteSet, from, to int) { s.add(max(m, from-ahead), min(till, to-ahead)) }

		if length := (h.Quiet.To - h.Quiet.From + dayMinutes) % dayMinutes; length > 0 {
			first := (m+ahead)/dayMinutes - 1 // may reach over midnight
			for from := first*dayMinutes + h.Quiet.From; from-ahead < till; from += dayMinutes {
				add(&quiet, from, from+length)
			}
		}
		for _, b := range h.Blackout {
			add(&black, b.First*dayMinutes, (b.Last+1)*dayMinutes)
		}
		m = till
	}
	return quiet, black
}
