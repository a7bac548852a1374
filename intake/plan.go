package intake

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/scheduler"
)

// plan gives every row that is new or changed its time, against what the store
// holds now less what this file replaces.
func (j *job) plan(ctx context.Context) error {
	acc := &j.req.Account
	items := make([]scheduler.Item, 0, len(j.marks))
	var first, last int64
	for n, m := range j.marks {
		if m&(bad|settled|revoked) != 0 {
			continue
		}
		j.marks[n] |= planned
		at := j.ats[n]
		items = append(items, scheduler.Item{At: at, Set: j.sets[n], Draft: m&draft != 0})
		switch {
		case m&draft != 0:
			continue
		case at == 0: // wants an opening
			at = j.req.Now.Unix()
			last = max(last, j.req.Now.Add(scheduler.OpeningsReach).Unix())
		}
		if first == 0 || at < first {
			first = at
		}
		last = max(last, at)
	}
	usage, err := j.in.store.Usage(ctx, acc.ID)
	if err != nil {
		return err
	}
	taken := scheduler.NewTaken()
	if first > 0 {
		from, to := scheduler.Reach(j.req.Now, acc.Rules, time.Unix(first, 0), time.Unix(last, 0))
		if err := j.in.store.Taken(ctx, acc.ID, from, to, taken.Add); err != nil {
			return err
		}
	}
	seen := post.ID{}
	for _, p := range j.freed {
		taken.Remove(p.Connection, p.DueAt, p.Group != seen)
		usage.Add(p.Connection, post.MonthOf(p.SlotAt), -1)
		seen = p.Group
	}
	meter := limits.NewMeter(acc.Plan, usage)
	meter.Across = acc.Rules.Spread()
	j.slots = scheduler.Plan(j.req.Now, acc.Rules, acc.Plan, taken, usage, j.conns.sets, items)
	j.caps, j.quotas = j.reserve(meter)
	return nil
}

// placed yields the rows that were planned, each with its slot.
func (j *job) placed() iter.Seq2[int, *scheduler.Slot] {
	return func(yield func(int, *scheduler.Slot) bool) {
		k := 0
		for n, m := range j.marks {
			if m&planned == 0 {
				continue
			}
			if !yield(n, &j.slots[k]) {
				return
			}
			k++
		}
	}
}

// A setMonth counts the rows for a set of connections within a month.
type setMonth struct {
	from, to int64 // Unix seconds; to is exclusive
	rows     int
}

// reserve counts what the plan promises, and returns the caps under which it may
// be sealed and the forecast. A file has few sets and months: its rows are counted
// by these first.
func (j *job) reserve(m *limits.Meter) ([]post.Cap, []limits.QuotaLine) {
	counts := make([][]setMonth, len(j.conns.sets))
	for n, s := range j.placed() {
		if s.Verdict != scheduler.Placed {
			continue
		}
		set := j.sets[n]
		last := s.At + int64(len(j.conns.sets[set])-1)*int64(m.Across/time.Second)
		i := slices.IndexFunc(counts[set], func(c setMonth) bool { return c.from <= s.At && s.At < c.to })
		if i < 0 {
			month := post.MonthOf(time.Unix(s.At, 0))
			i = len(counts[set])
			counts[set] = append(counts[set], setMonth{from: month.Start().Unix(), to: (month + 1).Start().Unix()})
		}
		if last < counts[set][i].to {
			counts[set][i].rows++
		} else {
			m.Reserve(j.conns.sets[set], time.Unix(s.At, 0))
		}
	}
	for set, months := range counts {
		for _, c := range months {
			if c.rows > 0 {
				m.ReserveMany(j.conns.sets[set], time.Unix(c.from, 0), c.rows)
			}
		}
	}
	return m.Caps(), m.Lines()
}

// refuseChanges notes which changed rows the plan has no room for, and reports
// whether there are such.
func (j *job) refuseChanges() bool {
	any := false
	for n, s := range j.placed() {
		if j.marks[n]&changed != 0 && s.Verdict == scheduler.Rejected {
			if j.refused == nil {
				j.refused = map[uint32]*post.LimitExceeded{}
			}
			j.refused[uint32(n)], any = s.Limit, true
		}
	}
	return any
}
