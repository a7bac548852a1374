package api

import (
	"slices"
	"time"

	"github.com/postroom/postroom/post"
)

// spaced has do schedule a group on conns at at, or at the first time after it
// that is as far from every other post that waits on them as the account wants
// (CONTRACT §2.2: the answer says which time it became). own is the group as it is
// stored, whose posts are in nobody's way.
func (c *call) spaced(conns []post.ConnectionID, at time.Time, own *post.Group, do func(at time.Time) error) error {
	least := c.account.MinInterval
	if least == 0 {
		return do(at)
	}
	c.api.spacing.Lock() // until it is stored: two at once would find the same gap
	defer c.api.spacing.Unlock()
	for {
		end := at.Add(spacedAtOnce * least)
		taken, err := c.taken(conns, at.Add(-least), end, own)
		if err != nil {
			return err
		}
		for _, due := range taken {
			if due.After(at.Add(-least)) && due.Before(at.Add(least)) {
				at = due.Add(least)
			}
		}
		if !at.Add(least).After(end) {
			return do(at)
		}
	}
}

// spacedAtOnce is how many intervals are looked at in one read.
const spacedAtOnce = 100

// taken returns when posts on conns are due in [from, to), in order, but for those
// of own.
func (c *call) taken(conns []post.ConnectionID, from, to time.Time, own *post.Group) (dues []time.Time, err error) {
	err = c.api.Store.Taken(c.Context(), c.account.ID, from, to, func(on post.ConnectionID, due time.Time, _ bool) error {
		if slices.Contains(conns, on) {
			dues = append(dues, due)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(dues, time.Time.Compare)
	if own == nil {
		return dues, nil
	}
	for i := range own.Posts {
		p := &own.Posts[i]
		if at := slices.IndexFunc(dues, p.DueAt.Equal); at >= 0 && p.Status == post.StatusScheduled {
			dues = slices.Delete(dues, at, at+1)
		}
	}
	return dues, nil
}
