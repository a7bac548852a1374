package scheduler

import (
	"math"
	"time"
)

// Rules say how posts are spread out (DESIGN §6, "Stagger" and "Past times").
// Lengths below a minute count as a whole one, except MaxShift, which is cut to
// whole minutes.
type Rules struct {
	Gap         time.Duration // least time between two posts on one connection; 0 for none
	PerMinute   int           // most groups of the account that start in one minute; 0 for no limit
	MaxShift    time.Duration // a group that would move more than this is held
	Across      time.Duration // how much later each further connection of a group follows; 0 for all at once
	Lead        time.Duration // nothing is placed nearer to now than this
	ResetWithin time.Duration // times passed no longer ago than this are moved to now; older ones are held

	// Hours keep posts out of some minutes; nil for none. A time in quiet hours
	// becomes the minute in which they end, one in a blackout day is held.
	Hours *Hours

	// Openings are the times for items that ask for none; nil makes those drafts.
	Openings *Openings

	// Keep leaves every group at exactly the time it asks for (`stagger: off`):
	// Gap, PerMinute and Across do not apply, Lead, ResetWithin and Hours do.
	Keep bool
}

// DefaultRules returns what applies to an account that says nothing else.
func DefaultRules() Rules {
	return Rules{
		Gap: 5 * time.Minute, PerMinute: 10, MaxShift: 4 * time.Hour,
		Lead: 2 * time.Minute, ResetWithin: 24 * time.Hour,
	}
}

// Spread is how much later each further connection of a group goes out:
// connection i of a group in slot t at t + i × Spread. It is Across in whole
// minutes, and 0 with Keep.
func (r Rules) Spread() time.Duration {
	if r.Keep {
		return 0
	}
	return time.Duration(wholeMinutes(r.Across)) * time.Minute
}

// Reach returns the span of taken times that can matter to a plan made at now
// for groups that ask for times from first to last; to is exclusive.
func Reach(now time.Time, r Rules, first, last time.Time) (from, to time.Time) {
	soon := soonest(now, r.Lead)
	gap, shift := wholeMinutes(r.Gap), int(max(0, r.MaxShift)/time.Minute)
	lo := max(minuteOf(first.Unix()), soon) - gap
	hi := max(minuteOf(last.Unix()), soon) + shift + gap + 1
	if r.Hours != nil {
		hi += dayMinutes // quiet hours may move a time so far before it is staggered
	}
	if r.Spread() > 0 {
		hi = lastMinute + 1 // how far a group reaches depends on its connections
	}
	instant := func(minute int) time.Time { return time.Unix(min(max(0, int64(minute)*60), lastSecond), 0).UTC() }
	return instant(lo), instant(hi)
}

// lastSecond is the last instant that a slot may have: due times are kept in 32
// bits of Unix seconds, which end in the year 2106.
const (
	lastSecond = math.MaxUint32
	lastMinute = lastSecond / 60
)

// soonest returns the first whole minute, counted from 1970, that is at least
// lead ahead of now.
func soonest(now time.Time, lead time.Duration) int {
	return minuteOf(wholeSecond(now.Add(max(0, lead))) + 59)
}

// wholeSecond rounds at up to a Unix second.
func wholeSecond(at time.Time) int64 {
	if at.Nanosecond() > 0 {
		return at.Unix() + 1
	}
	return at.Unix()
}

// minuteOf cuts a Unix second to its minute, counted from 1970. Seconds that no
// slot can have come back as the nearest that one can.
func minuteOf(second int64) int {
	return int(min(max(second, 0), lastSecond) / 60)
}

// wholeMinutes rounds d up to minutes; nothing is below 0.
func wholeMinutes(d time.Duration) int {
	return int((max(0, d) + time.Minute - 1) / time.Minute)
}
