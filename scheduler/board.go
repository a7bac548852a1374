package scheduler

import (
	"math/bits"

	"github.com/postroom/postroom/post"
)

// A board is what is occupied while a plan is made.
//
// For every connection it holds the minutes in which a post would come too near
// to another, and for the account those with enough groups: bitmaps. The first
// minute that suits a group is then the first 0 in the union of a few words.
// Groups come by the time they ask for and nothing is ever given back, so a
// stretch that had no room for a set of connections never gets any: each set
// remembers where it searched last and steps over it. That makes a search near
// constant in time, however full the calendar is.
type board struct {
	gap, spread int // minutes
	perMinute   int
	groups      minuteCount
	full        minuteSet // minutes with perMinute groups
	shut        minuteSet // minutes in which nothing goes out
	lanes       []lane
	teams       []team
}

// A lane is one connection.
type lane struct {
	near minuteSet // less than gap from a post, or shut

	// The group placed here last: the minute it wanted and the one it got. One
	// that wants the same minute must not overtake it.
	want, got int
}

// A team is one set of connections.
type team struct {
	lanes []int32

	// Where there is no room: found from a minute that was asked for, and from
	// one behind an earlier group. The two wander apart, so one would not do.
	asked, behind stretch
}

// A stretch is the minutes from one up to, but not including, another.
type stretch struct{ from, to int }

// after returns the first minute from m on that is not in s.
func (s stretch) after(m int) int {
	if s.from <= m && m < s.to {
		return s.to
	}
	return m
}

// extend adds the minutes from lo up to hi, which touch s, or else replace it.
func (s *stretch) extend(lo, hi int) {
	if s.from <= lo && lo <= s.to {
		s.to = max(s.to, hi)
		return
	}
	*s = stretch{lo, hi}
}

// newBoard sets up a board for sets, with what is taken and when nothing goes
// out.
func newBoard(r Rules, taken *Taken, shut minuteSet, sets [][]post.ConnectionID) *board {
	b := &board{
		shut: shut,
		gap:  wholeMinutes(r.Gap), spread: wholeMinutes(r.Across), perMinute: max(0, r.PerMinute),
		teams: make([]team, len(sets)),
	}
	number := map[post.ConnectionID]int32{}
	for i, set := range sets {
		lanes := make([]int32, len(set))
		for k, c := range set {
			n, ok := number[c]
			if !ok {
				n = int32(len(b.lanes))
				number[c] = n
				b.lanes = append(b.lanes, lane{want: -1})
				b.lanes[n].near.merge(&shut)
				if o := taken.of[c]; o != nil && b.gap > 0 {
					o.minutes.each(func(m int) { b.lanes[n].near.add(m-b.gap+1, m+b.gap) })
				}
			}
			lanes[k] = n
		}
		b.teams[i].lanes = lanes
	}
	if b.perMinute > 0 {
		b.groups.paged = taken.groups.clone()
		b.groups.each(func(m, n int) {
			if n >= b.perMinute {
				b.full.add(m, m+1)
			}
		})
	}
	return b
}

// reach returns how many minutes after its slot the last post of a set goes out.
func (b *board) reach(set uint32) int {
	return max(0, len(b.teams[set].lanes)-1) * b.spread
}

// find returns the first minute from want on in which a group on set can go out.
// What it returns is meaningful only up to limit: nothing later is looked at,
// and a minute later than limit means that there is none.
func (b *board) find(set uint32, want, limit int) int {
	t := &b.teams[set]
	start := want
	for _, n := range t.lanes {
		if l := &b.lanes[n]; l.want == want {
			start = max(start, l.got)
		}
	}
	m := t.asked.after(t.behind.after(start))
	for m <= limit {
		busy := b.full.from(m)
		for i, n := range t.lanes {
			busy |= b.lanes[n].near.from(m + i*b.spread)
		}
		n := bits.TrailingZeros64(^busy)
		m += n
		if n < 64 {
			break
		}
	}
	if start == want {
		t.asked.extend(start, m)
	} else {
		t.behind.extend(start, m)
	}
	return m
}

// place puts a group that wanted one minute into another, which find returned.
func (b *board) place(set uint32, want, m int) {
	for i, n := range b.teams[set].lanes {
		l := &b.lanes[n]
		l.want, l.got = want, m
		if b.gap > 0 {
			l.near.add(m+i*b.spread-b.gap+1, m+i*b.spread+b.gap)
		}
	}
	if b.perMinute > 0 && b.groups.add(m, 1) >= b.perMinute {
		b.full.add(m, m+1)
	}
}

// why says what keeps a group on set out of minute m: that it is shut, the gap on
// one of its connections, which is returned too, a full minute, or else an earlier
// group that must not be overtaken.
func (b *board) why(set uint32, m int) (Why, uint16) {
	for i := range b.teams[set].lanes {
		if b.shut.has(m + i*b.spread) {
			return WhyShut, 0
		}
	}
	for i, n := range b.teams[set].lanes {
		if b.lanes[n].near.has(m + i*b.spread) {
			return WhyGap, uint16(i)
		}
	}
	if b.full.has(m) {
		return WhyFull, 0
	}
	return WhyOrder, 0
}
