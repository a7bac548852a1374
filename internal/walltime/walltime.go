// Package walltime turns what a wall clock shows in a zone into an instant, by
// the rule of RFC 5545 §3.3.5 where clocks were changed. time.Date alone leaves
// open which of two readings it takes.
package walltime

import "time"

// A Kind says whether the clock showed a time once, never or twice.
type Kind uint8

const (
	Exact   Kind = iota // once
	Gap                 // never: clocks went forward over it
	Overlap             // twice: clocks went back over it
)

// String returns "exact", "gap" or "overlap".
func (k Kind) String() string { return [...]string{"exact", "gap", "overlap"}[min(int(k), 2)] }

// Resolve returns the instant at which the clock in loc shows the given time. In
// a gap it is read with the offset from before the gap, which is as much later
// as the gap is long; in an overlap it is the first of the two.
//
// The date must be a real one, the hour 0 to 23.
func Resolve(year int, month time.Month, day, hour, minute, second int, loc *time.Location) (time.Time, Kind) {
	wall := time.Date(year, month, day, hour, minute, second, 0, time.UTC).Unix()
	// No zone changes its clocks twice within a day and a half.
	early, late := offset(wall-36*3600, loc), offset(wall+36*3600, loc)
	first := time.Unix(wall-int64(early), 0).In(loc)
	okFirst := offset(first.Unix(), loc) == early
	if early == late && okFirst { // as nearly always
		return first, Exact
	}
	again := time.Unix(wall-int64(late), 0).In(loc)
	okSecond := offset(again.Unix(), loc) == late
	switch {
	case okFirst && okSecond:
		if again.Before(first) {
			first = again
		}
		return first, Overlap
	case okFirst:
		return first, Exact
	case okSecond:
		return again, Exact
	}
	return first, Gap
}

// Day returns the day that the calendar in loc shows at an instant, counted from
// 1970-01-01 as day 0.
func Day(at time.Time, loc *time.Location) int {
	sec := at.Unix()
	sec += int64(offset(sec, loc))
	day := sec / 86400
	if sec%86400 < 0 {
		day--
	}
	return int(day)
}

// DayTime returns midnight UTC of a day as [Day] counts them: its date, without a
// zone.
func DayTime(day int) time.Time { return time.Unix(int64(day)*86400, 0).UTC() }

func offset(unix int64, loc *time.Location) int {
	_, off := time.Unix(unix, 0).In(loc).Zone()
	return off
}
