package api

import (
	"errors"
	"iter"
	"time"

	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
)

// counted reports whether a plan counts anything that a scheduled post adds to,
// or bounds when it may go out.
func counted(p *limits.Plan) bool {
	return p.Monthly != nil || p.Active != nil || p.HorizonDays != nil || p.Connections != nil
}

// withRoom has do store a group on conns at at, under the caps of the account's
// plan, which the store checks in the transaction of the change (P6). own is the
// group as it is stored: its own posts take no room. The error is the contract's
// refusal, the first in its order (CONTRACT §4.3).
func (c *call) withRoom(conns []post.ConnectionID, at time.Time, own *post.Group, do func(caps []post.Cap) error) error {
	plan := &c.account.Plan
	if at.Nanosecond() != 0 {
		at = at.Truncate(time.Second).Add(time.Second) // as the store plans it: it may be the next month's
	}
	if refused := plan.Available(conns); refused != nil {
		return refused
	}
	if !counted(plan) {
		return do(nil)
	}
	var caps []post.Cap
	for conns, at := range spread(conns, at, own) {
		caps = append(caps, plan.Caps(conns, at)...)
	}
	refused, err := c.refusal(conns, at, own, nil)
	if err != nil {
		return err
	}
	if refused != nil {
		return refused
	}
	err = do(caps)
	if full := (*post.CapExceeded)(nil); errors.As(err, &full) {
		// Somebody else was faster: what the store counted says which limit was reached.
		if refused, failed := c.refusal(conns, at, own, full); failed == nil && refused != nil {
			return refused
		}
	}
	return err
}

// refusal checks a group against what is used at this moment; what the store found
// full when it should take the group, nil for nothing, is as full as it was then.
func (c *call) refusal(conns []post.ConnectionID, at time.Time, own *post.Group, full *post.CapExceeded) (*post.LimitExceeded, error) {
	used, err := c.api.Store.Usage(c.Context(), c.account.ID)
	if err != nil {
		return nil, err
	}
	if full != nil {
		counts := used.Active
		if full.Month != 0 {
			if used.Monthly[full.Month] == nil {
				used.Monthly[full.Month] = map[post.ConnectionID]int{}
			}
			counts = used.Monthly[full.Month]
		}
		if full.Connection != "" {
			counts[full.Connection] = full.Used
		} else {
			clear(counts) // the account's count is all that is asked for
			counts[conns[0]] = full.Used
		}
	}
	m := limits.NewMeter(c.account.Plan, used)
	m.Connected = len(c.account.Connections)
	if own != nil {
		for i := range own.Posts {
			if p := &own.Posts[i]; p.Status.Open() {
				m.Cancel([]post.ConnectionID{p.Connection}, p.SlotAt)
			}
		}
	}
	for conns, at := range spread(conns, at, own) {
		if refused := m.Check(conns, at, c.now); refused != nil {
			return refused, nil
		}
		m.Reserve(conns, at)
	}
	return nil, nil
}

// spread yields the connections of a group that go out together, in their order, each
// time with when that is. own is the group as it is stored, nil for a new one: when it
// moves to at its posts keep their distances.
func spread(conns []post.ConnectionID, at time.Time, own *post.Group) iter.Seq2[[]post.ConnectionID, time.Time] {
	behind := func(id post.ConnectionID) time.Duration {
		if own != nil {
			for i := range own.Posts {
				if own.Posts[i].Connection == id {
					return own.Behind(&own.Posts[i])
				}
			}
		}
		return 0
	}
	return func(yield func([]post.ConnectionID, time.Time) bool) {
		for len(conns) > 0 {
			after, n := behind(conns[0]), 1
			for n < len(conns) && behind(conns[n]) == after {
				n++
			}
			if !yield(conns[:n], at.Add(after)) {
				return
			}
			conns = conns[n:]
		}
	}
}

// connectionsOf are the connections of a group's posts that still wait.
func connectionsOf(g *post.Group) []post.ConnectionID {
	conns := make([]post.ConnectionID, 0, len(g.Posts))
	for i := range g.Posts {
		if g.Posts[i].Status.Editable() {
			conns = append(conns, g.Posts[i].Connection)
		}
	}
	return conns
}
