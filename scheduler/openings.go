package scheduler

import (
	"fmt"
	"slices"
	"time"

	"github.com/postroom/postroom/internal/walltime"
	"github.com/postroom/postroom/post"
)

// Openings are the times of a week at which an account likes to post: an item that
// asks for no time gets the next of them that is free. They are not changed once a
// plan was made with them.
type Openings struct {
	Zone *time.Location
	All  Week                       // of connections that have none of their own
	Of   map[post.ConnectionID]Week // in place of All
}

// A Week has times of day for each [time.Weekday], in minutes from midnight and in
// their order.
type Week [7][]int

// OpeningsReach is how far ahead an opening is looked for.
const OpeningsReach = 366 * 24 * time.Hour

// common returns the times that the connections of a set share, and whether any of
// them has times at all. One that has none posts whenever the others do.
func (o *Openings) common(set []post.ConnectionID) (w Week, any bool) {
	for _, c := range set {
		own, ok := o.Of[c]
		if !ok {
			own = o.All
		}
		switch {
		case own.empty():
		case !any:
			w, any = own, true
		default:
			for d := range w {
				w[d] = slices.DeleteFunc(slices.Clone(w[d]), func(m int) bool { return !slices.Contains(own[d], m) })
			}
		}
	}
	return w, any
}

// lack says why a set gets no opening.
func (o *Openings) lack(set []post.ConnectionID) string {
	if w, _ := o.common(set); w.empty() {
		return "no time given, and its connections have no slot in common"
	}
	return fmt.Sprintf("no time given, and no slot is free within %d days", OpeningsReach/(24*time.Hour))
}

func (w *Week) empty() bool {
	for _, day := range w {
		if len(day) > 0 {
			return false
		}
	}
	return true
}

// openings are those of one set, and where the search for the next free one goes
// on: what was not free does not become free again.
type openings struct {
	zone *time.Location
	week Week
	day  int // counted from 1970, in the zone
	at   int // index into the times of the day
}

// minute returns the opening to look at, counted from 1970. An opening that the
// clock leaves out is as much later as the clock goes forward.
func (o *openings) minute() int {
	y, m, d := time.Unix(int64(o.day)*24*60*60, 0).UTC().Date()
	at := o.week[o.weekday()][o.at]
	instant, _ := walltime.Resolve(y, m, d, at/60, at%60, 0, o.zone)
	return minuteOf(instant.Unix())
}

func (o *openings) weekday() int { return (o.day + int(time.Thursday)) % 7 }

// seek steps over days that have no opening, or no further one.
func (o *openings) seek(last int) bool {
	for ; o.day <= last; o.day, o.at = o.day+1, 0 {
		if o.at < len(o.week[o.weekday()]) {
			return true
		}
	}
	return false
}

// next returns the first opening from soon to last in which a group on set can go
// out.
func (o *openings) next(b *board, set uint32, soon, last int) (minute int, ok bool) {
	lastDay := DayOf(time.Unix(int64(last)*60, 0).In(o.zone))
	for ; o.seek(lastDay); o.at++ {
		if m := o.minute(); m >= soon && m <= last && b.free(set, m) {
			return m, true
		}
	}
	return 0, false
}

// free reports whether a group on set can go out in minute m.
func (b *board) free(set uint32, m int) bool {
	for i, n := range b.teams[set].lanes {
		if b.lanes[n].near.has(m + i*b.spread) {
			return false
		}
	}
	return !b.full.has(m)
}

// open gives items that ask for no time the next free opening, in their order.
// What asks for a time has its place by then. q is as in spread.
func (pl *planner) open(q *quota) {
	if len(pl.blank) == 0 {
		return
	}
	r := pl.rules
	r.Gap = max(r.Gap, time.Minute) // no opening is given twice
	if r.Keep {
		r.Gap, r.PerMinute, r.Across = time.Minute, 0, 0
	}
	b := newBoard(r, pl.taken, pl.shut(), pl.sets)
	for _, key := range pl.order {
		i := uint32(key)
		if s := &pl.slots[i]; s.Verdict == Placed {
			b.place(pl.items[i].Set, -1, int(s.At/60))
		}
	}
	soon := soonest(pl.now, r.Lead)
	today := DayOf(time.Unix(int64(soon)*60, 0).In(r.Openings.Zone))
	of := make([]*openings, len(pl.sets))
	for _, i := range pl.blank {
		s, set := &pl.slots[i], pl.items[i].Set
		if s.Verdict == Rejected {
			continue
		}
		o := of[set]
		if o == nil {
			week, _ := r.Openings.common(pl.sets[set])
			o = &openings{zone: r.Openings.Zone, week: week, day: today}
			of[set] = o
		}
		fresh := Slot{Verdict: Held}
		if m, ok := o.next(b, set, soon, min(soon+int(OpeningsReach/time.Minute), lastMinute-b.reach(set))); ok {
			fresh = Slot{Verdict: Placed, At: int64(m) * 60}
		}
		if q != nil {
			fresh = q.move(set, *s, fresh)
		}
		if fresh.Verdict == Placed {
			b.place(set, -1, int(fresh.At/60))
		}
		*s = fresh
	}
}
