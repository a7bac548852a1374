package api

import (
	"context"
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

// mostTries is how often a change is tried that the store found no room for,
// while the counts read before and after said that there was.
const mostTries = 5

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
	for try := 0; ; try++ {
		refused, err := c.refusal(c.Context(), conns, at, own)
		if err != nil {
			return err
		}
		if refused != nil {
			return refused
		}
		err = do(caps)
		// Somebody else was faster: the counts say now which limit was reached,
		// or that there is room again.
		if full := (*post.CapExceeded)(nil); !errors.As(err, &full) || try == mostTries {
			return err
		}
	}
}

// refusal checks a group against what is used at this moment.
func (c *call) refusal(ctx context.Context, conns []post.ConnectionID, at time.Time, own *post.Group) (*post.LimitExceeded, error) {
	used, err := c.api.Store.Usage(ctx, c.account.ID)
	if err != nil {
		return nil, err
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
