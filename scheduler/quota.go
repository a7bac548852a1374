package scheduler

import (
	"reflect"
	"time"

	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
)

// A quota counts a plan's slots against the account's.
type quota struct {
	*limits.Meter
	now  time.Time
	sets [][]post.ConnectionID

	freed    bool // a reservation was taken back
	changes  int  // reservations so far, and cancellations
	refusals map[refusalKey]refusal
	beyond   map[int64]*post.LimitExceeded // refusals by the horizon, by slot
}

// Where a quota is full, most of a large file may be refused: equal refusals are
// kept once.
type (
	refusalKey struct {
		set   uint32
		month post.Month
	}
	refusal struct {
		changes int
		limit   *post.LimitExceeded
	}
)

// admit reserves quota for a slot, or turns it into a rejection.
func (q *quota) admit(set uint32, s Slot) Slot {
	at := time.Unix(s.At, 0)
	if q.Fits(q.sets[set], at, q.now) {
		q.Reserve(q.sets[set], at)
		q.changes++
		return s
	}
	return Slot{Verdict: Rejected, At: s.At, Limit: q.refuse(set, at)}
}

// move gives an item another slot than it had. What was placed has a reservation
// and takes it along.
func (q *quota) move(set uint32, from, to Slot) Slot {
	if from.Verdict == Placed {
		if to.Verdict == Placed && to.At == from.At {
			return to
		}
		q.Cancel(q.sets[set], time.Unix(from.At, 0))
		q.changes++
		q.freed = true
	}
	if to.Verdict != Placed {
		return to
	}
	return q.admit(set, to)
}

func (q *quota) refuse(set uint32, at time.Time) *post.LimitExceeded {
	key := refusalKey{set, post.MonthOf(at)}
	if q.Across > 0 {
		last := at.Add(time.Duration(max(0, len(q.sets[set])-1)) * q.Across)
		if post.MonthOf(last) != key.month { // of two months: rare, and different from slot to slot
			return q.Check(q.sets[set], at, q.now)
		}
	}
	known, ok := q.refusals[key]
	if ok && known.changes == q.changes {
		return known.limit
	}
	limit := q.Check(q.sets[set], at, q.now)
	if limit.Code == limits.CodeHorizon {
		// Names the slot, and nothing of the set.
		if same := q.beyond[at.Unix()]; same != nil {
			return same
		}
		if q.beyond == nil {
			q.beyond = map[int64]*post.LimitExceeded{}
		}
		q.beyond[at.Unix()] = limit
		return limit
	}
	if ok && reflect.DeepEqual(limit, known.limit) {
		limit = known.limit
	}
	if q.refusals == nil {
		q.refusals = map[refusalKey]refusal{}
	}
	q.refusals[key] = refusal{q.changes, limit}
	return limit
}
