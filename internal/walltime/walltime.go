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
	first, again := time.Unix(wall-int64(early), 0).In(loc), time.Unix(wall-int64(late), 0).In(loc)
	okFirst, okSecond := offset(first.Unix(), loc) == early, offset(again.Unix(), loc) == late
	switch {
	case early == late && okFirst:
		return first, Exact
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

func offset(unix int64, loc *time.Location) int {
	_, off := time.Unix(unix, 0).In(loc).Zone()
	return off
}
