package scheduler

import (
	"slices"
	"time"

	"github.com/postroom/postroom/internal/radix"
	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
)

// An Item is one draft that wants a time. A million of them are planned at once.
type Item struct {
	At    int64  // Unix seconds asked for; 0 for none: the next opening, or else a draft
	Set   uint32 // its connections: an index into the sets of the plan
	Draft bool   // keep it back, whatever its time
}

// Plan gives items their times, as seen at now, and returns a slot for each, in
// the same order. It changes none of its arguments.
//
//   - An item for a platform that p does not include is Rejected, drafts too.
//   - Drafts get no time and use no quota.
//   - An item that asks for no time is a draft when its connections have no
//     openings. Else it gets the first of those they share that is free, after
//     everything that asks for a time and in the order of items; it is Held when
//     there is none within OpeningsReach.
//   - A time that passed no longer than ResetWithin ago, or that is nearer than
//     Lead, becomes the first whole minute Lead ahead of now. An older one is
//     Held.
//   - A time in quiet hours becomes the minute in which they end. One in a blackout
//     day, then, is Held, and nothing is staggered into either.
//   - Seconds are cut off. A slot is never earlier than the minute asked for.
//   - Items are placed by the time they ask for, then by their place in items, in
//     the first minute that keeps Gap on each of their connections, to what is
//     taken and to each other, and PerMinute. Items that ask for the same minute
//     and share a connection stay in their order.
//   - An item that would move by more than MaxShift is Held.
//   - Quotas are counted by the slots, against usage, in the order of items: the
//     first that does not fit is the first that is Rejected. Rejected and held
//     items use no quota and no time, so what they leave free is then given out.
//     Should an item come into another month by that, it is counted there.
//
// The set of a slot is sets[Item.Set], without repeats; connection i goes out at
// its slot plus i × [Rules.Spread].
func Plan(now time.Time, r Rules, p limits.Plan, taken *Taken, usage post.Usage, sets [][]post.ConnectionID, items []Item) []Slot {
	pl := planner{now: now, rules: r, plan: p, taken: taken, sets: sets, items: items, slots: make([]Slot, len(items))}
	pl.queue()
	pl.close()
	if r.Keep {
		pl.keep()
	} else {
		pl.spread(nil)
	}
	pl.open(nil)
	if p.Monthly == nil && p.Active == nil && p.HorizonDays == nil {
		return pl.slots
	}
	m := limits.NewMeter(p, usage)
	m.Across = r.Spread()
	q := &quota{Meter: m, now: now, sets: sets}
	again := pl.count(q) && !r.Keep
	for n := 0; again; n++ {
		q.freed = false
		pl.spread(q)
		pl.open(q)
		again = n < rounds && q.freed && pl.readmit(q)
	}
	return pl.slots
}

// rounds is how often rows are given the quota that others gave back when they
// moved into another month or found no time. It takes a crowd around midnight at
// the end of a month, or one that is held, for there to be one at all.
const rounds = 3

// A planner is one plan on its way.
type planner struct {
	now   time.Time
	rules Rules
	plan  limits.Plan
	taken *Taken
	sets  [][]post.ConnectionID
	items []Item
	slots []Slot
	order []uint64 // what wants a place, by time and then index: see radix.SortTimes

	blank []uint32 // what wants an opening, by index

	quiet, black minuteSet // as far as the items can reach
}

// queue decides on what wants no place and puts the rest in order.
func (pl *planner) queue() {
	refused, open := make([]*post.LimitExceeded, len(pl.sets)), make([]bool, len(pl.sets))
	for i, set := range pl.sets {
		refused[i] = pl.plan.Available(set)
		if pl.rules.Openings != nil {
			_, open[i] = pl.rules.Openings.common(set)
		}
	}
	now := pl.now.Unix() // the last second that has passed
	oldest := wholeSecond(pl.now.Add(-max(0, pl.rules.ResetWithin)))
	pl.order = make([]uint64, 0, len(pl.items))
	for i := range pl.items {
		it, s := &pl.items[i], &pl.slots[i]
		switch {
		case refused[it.Set] != nil:
			s.Verdict, s.Limit = Rejected, refused[it.Set]
		case it.At == 0 && !it.Draft && open[it.Set]:
			pl.blank = append(pl.blank, uint32(i))
		case it.Draft || it.At == 0:
			s.Verdict, s.At = IsDraft, it.At
		case it.At < 0 || it.At > lastSecond:
			s.Verdict, s.Why = Held, WhyRange
		case it.At <= now && it.At < oldest:
			s.Verdict, s.Why = Held, WhyOld
		default:
			pl.order = append(pl.order, uint64(it.At)<<32|uint64(i))
		}
	}
	radix.SortTimes(pl.order)
}

// close lays out quiet hours and blackout days, as far as an item can get.
func (pl *planner) close() {
	if pl.rules.Hours == nil {
		return
	}
	soon := soonest(pl.now, pl.rules.Lead)
	first, last := soon, soon
	if n := len(pl.order); n > 0 {
		first, last = int(pl.order[0]>>32/60), int(pl.order[n-1]>>32/60)
	}
	if len(pl.blank) > 0 {
		first, last = soon, max(last, soon+int(OpeningsReach/time.Minute))
	}
	longest := 0
	for _, set := range pl.sets {
		longest = max(longest, len(set))
	}
	far := max(soon, last) + 2*dayMinutes + int(max(0, pl.rules.MaxShift)/time.Minute) + longest*int(pl.rules.Spread()/time.Minute)
	pl.quiet, pl.black = pl.rules.Hours.between(max(soon, first), min(far, lastMinute+1))
}

// shut returns the minutes in which nothing goes out.
func (pl *planner) shut() (s minuteSet) {
	s.merge(&pl.quiet)
	s.merge(&pl.black)
	return s
}

// keep leaves everything at its time, or at the soonest.
func (pl *planner) keep() {
	soon := wholeSecond(pl.now.Add(max(0, pl.rules.Lead)))
	for _, key := range pl.order {
		i := uint32(key)
		s, asked := &pl.slots[i], pl.items[i].At
		s.Verdict, s.At = Placed, asked
		if asked < soon {
			s.At, s.Why = int64(soonest(pl.now, pl.rules.Lead))*60, pl.early(asked)
		}
		if m := minuteOf(s.At); pl.quiet.has(m) {
			s.At, s.Why = int64(pl.quiet.after(m))*60, s.Why|WhyShut
		}
		if pl.black.has(minuteOf(s.At)) {
			*s = Slot{Verdict: Held, Why: s.Why | WhyShut}
		}
	}
}

// early says why an item does not get its own minute.
func (pl *planner) early(asked int64) Why {
	if asked <= pl.now.Unix() {
		return WhyPast
	}
	return WhySoon
}

// spread places everything that is not Rejected. Without q it asks for no quota;
// with q, what has a time already has its quota reserved, and everything is
// placed anew.
func (pl *planner) spread(q *quota) {
	b := newBoard(pl.rules, pl.taken, pl.shut(), pl.sets)
	soon := soonest(pl.now, pl.rules.Lead)
	shift := int(max(0, pl.rules.MaxShift) / time.Minute)
	// In order of time, items lie anywhere. What is known of a few is fetched
	// together: one after the other, each would be waited for.
	var known [64]struct {
		set uint32
		out bool
	}
	for batch := range slices.Chunk(pl.order, len(known)) {
		for k, key := range batch {
			i := uint32(key)
			known[k].set, known[k].out = pl.items[i].Set, pl.slots[i].Verdict == Rejected
		}
		for k, key := range batch {
			if known[k].out {
				continue
			}
			set, asked, s := known[k].set, int64(key>>32), &pl.slots[uint32(key)]
			want, fresh := pl.fit(b, set, asked, soon, shift)
			if q != nil {
				fresh = q.move(set, *s, fresh)
			}
			if fresh.Verdict == Placed {
				b.place(set, want, int(fresh.At/60))
			}
			*s = fresh
		}
	}
}

// fit looks on the board for the place of an item that asks for a time, in Unix
// seconds, and returns the minute it wants and the slot it gets. Nothing goes out
// before the minute soon, and nothing moves by more than shift minutes.
func (pl *planner) fit(b *board, set uint32, asked int64, soon, shift int) (want int, fresh Slot) {
	want, why := minuteOf(asked), Why(0)
	if want < soon {
		want, why = soon, pl.early(asked)
	}
	if pl.quiet.has(want) {
		want, why = pl.quiet.after(want), why|WhyShut
	}
	limit := min(want+shift, lastMinute-b.reach(set))
	fresh = Slot{Verdict: Placed, Why: why}
	switch m := b.find(set, want, limit); {
	case want > limit:
		fresh = Slot{Verdict: Held, Why: WhyRange}
	case pl.black.has(want):
		fresh = Slot{Verdict: Held, Why: why | WhyShut}
	case m > limit:
		fresh.Verdict = Held
		of, conn := b.why(set, limit)
		fresh.Why, fresh.blocker = why|of, conn
	default:
		fresh.At = int64(m) * 60
		if m > want {
			of, conn := b.why(set, m-1)
			fresh.Why, fresh.blocker, fresh.Shift = why|of, conn, uint32(m-want)
		}
	}
	return want, fresh
}

// readmit gives quota that was given back to items that had been refused, in the
// order of the items. It reports whether there was any. They are to be placed
// anew.
func (pl *planner) readmit(q *quota) (any bool) {
	for i := range pl.slots {
		if s := &pl.slots[i]; s.Verdict == Rejected && s.At != 0 {
			if again := q.admit(pl.items[i].Set, Slot{Verdict: Placed, At: s.At}); again.Verdict == Placed {
				*s, any = again, true
			}
		}
	}
	return any
}

// count reserves quota for everything placed, in the order of the items, and
// rejects what does not fit. It reports whether there was any.
func (pl *planner) count(q *quota) (rejected bool) {
	for i := range pl.slots {
		if s := &pl.slots[i]; s.Verdict == Placed {
			*s = q.admit(pl.items[i].Set, *s)
			rejected = rejected || s.Verdict == Rejected
		}
	}
	return rejected
}
