package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/postroom/postroom/post"
)

// ErrState says that a post is in a state that does not allow what was asked.
var ErrState = errors.New("not possible now")

// Group returns a group by its id or by that of one of its posts.
func (s *Store) Group(ctx context.Context, id post.ID) (g post.Group, err error) {
	err = s.view(ctx, func(tx *bolt.Tx) error {
		g, err = s.group(tx, id)
		return err
	})
	return g, err
}

// Create stores one new group and gives it and its posts their ids. caps are
// checked in the same step; the error may wrap a *post.CapExceeded.
func (s *Store) Create(ctx context.Context, g *post.Group, caps []post.Cap, who string) error {
	conns := make([]post.ConnectionID, len(g.Posts))
	for i := range g.Posts {
		conns[i] = g.Posts[i].Connection
	}
	if len(conns) == 0 || len(conns) > mostPosts {
		return fmt.Errorf("create group: %d posts, want 1 to %d", len(conns), mostPosts)
	}
	if err := s.register(ctx, g.Account, conns); err != nil {
		return err
	}
	g.ID = s.ids.next(s.now(), len(g.Posts))
	for i := range g.Posts {
		p := &g.Posts[i]
		p.ID, p.Group, p.Account = g.ID.Add(uint64(i)+1), g.ID, g.Account
	}
	return s.update(ctx, s.change(func(c *change) error {
		if err := c.checkCaps(g, caps); err != nil {
			return err
		}
		if err := c.put(nil, g); err != nil {
			return err
		}
		return c.log(post.LogEntry{Group: g.ID, Event: "scheduled", Who: who})
	}))
}

// checkCaps refuses a group whose scheduled posts would break a cap.
func (c *change) checkCaps(g *post.Group, caps []post.Cap) error {
	for _, limit := range caps {
		n := 0
		for i := range g.Posts {
			p := &g.Posts[i]
			if p.Status == post.StatusScheduled && (limit.Connection == "" || limit.Connection == p.Connection) && (limit.Month == 0 || limit.Month == post.MonthOf(p.SlotAt)) {
				n++
			}
		}
		if err := c.checkCap(g.Account, limit, n); err != nil {
			return err
		}
	}
	return nil
}

// edit changes the posts of a group that are meant by id: the one with that id,
// or all. fn returns false for a post that it leaves alone; when it leaves all
// alone the error wraps ErrState and says why.
func (s *Store) edit(ctx context.Context, id post.ID, event post.LogEntry, fn func(c *change, g *post.Group, p *post.Post) (bool, error)) (post.Group, error) {
	var out post.Group
	err := s.update(ctx, s.change(func(c *change) error {
		g, err := s.group(c.Tx, id)
		if err != nil {
			return err
		}
		old, did, why := clone(&g), false, ""
		for i := range g.Posts {
			p := &g.Posts[i]
			if id != g.ID && id != p.ID {
				continue
			}
			was := p.Status
			ok, err := fn(c, &g, p)
			if err != nil {
				return err
			}
			if !ok {
				why = fmt.Sprintf("post %s on %s is %s", p.ID, p.Connection, was)
				continue
			}
			if was != p.Status && !was.May(p.Status) {
				return fmt.Errorf("post %s: %s may not become %s: %w", p.ID, was, p.Status, ErrState)
			}
			p.UpdatedAt, did = c.now, true
		}
		if !did {
			return fmt.Errorf("%s: %w", why, ErrState)
		}
		g.UpdatedAt = c.now
		if err := c.put(old, &g); err != nil {
			return err
		}
		event.Group = g.ID
		if id != g.ID {
			event.Post = id
		}
		out = g
		return c.log(event)
	}))
	return out, err
}

// Cancel takes waiting posts back: a whole group's, or one.
func (s *Store) Cancel(ctx context.Context, id post.ID, who string) (post.Group, error) {
	return s.edit(ctx, id, post.LogEntry{Event: "status_changed", Error: "cancelled", Who: who}, func(c *change, g *post.Group, p *post.Post) (bool, error) {
		if !p.Status.Editable() {
			return false, nil
		}
		p.Status, g.Held = post.StatusCancelled, ""
		return true, nil
	})
}

// cancel cancels the editable posts of a group inside a change, and returns how
// many.
func (c *change) cancel(g *post.Group, id post.ID, why, who string) (int, error) {
	old, n := clone(g), 0
	for i := range g.Posts {
		p := &g.Posts[i]
		if p.Status.Editable() && (id.IsZero() || id == p.ID) {
			p.Status, p.UpdatedAt = post.StatusCancelled, c.now
			p.Problem = &post.Outcome{Code: "CANCELLED", Message: why, At: c.now}
			n++
		}
	}
	if n == 0 {
		return 0, nil
	}
	g.UpdatedAt, g.Held = c.now, ""
	if err := c.put(old, g); err != nil {
		return 0, err
	}
	return n, c.log(post.LogEntry{Group: g.ID, Event: "status_changed", Error: why, Who: who})
}

// Reschedule moves waiting posts to at; a group's posts keep their distances.
// caps are checked for the months that gain, the posts' own use left out.
func (s *Store) Reschedule(ctx context.Context, id post.ID, at time.Time, caps []post.Cap, who string) (post.Group, error) {
	return s.schedule(ctx, id, at, caps, who, "rescheduled", func(p *post.Post) bool { return p.Status.Editable() })
}

// Approve schedules drafts and held posts for at, or for the time they asked for
// when at is zero.
func (s *Store) Approve(ctx context.Context, id post.ID, at time.Time, caps []post.Cap, who string) (post.Group, error) {
	return s.schedule(ctx, id, at, caps, who, "approved", func(p *post.Post) bool { return p.Status == post.StatusDraft })
}

// Retry schedules failed posts anew for at. Parts of a thread that are live stay
// so: it goes on after them.
func (s *Store) Retry(ctx context.Context, id post.ID, at time.Time, who string) (post.Group, error) {
	return s.schedule(ctx, id, at, nil, who, "retry asked for", func(p *post.Post) bool { return p.Status == post.StatusFailed })
}

func (s *Store) schedule(ctx context.Context, id post.ID, at time.Time, caps []post.Cap, who, what string, may func(*post.Post) bool) (post.Group, error) {
	at = at.UTC().Truncate(time.Second)
	return s.edit(ctx, id, post.LogEntry{Event: "status_changed", Error: what, Who: who}, func(c *change, g *post.Group, p *post.Post) (bool, error) {
		if !may(p) {
			return false, nil
		}
		when := at
		if when.IsZero() {
			when = g.ScheduledAt
		}
		if when.IsZero() {
			return false, fmt.Errorf("post %s has no time: say when: %w", p.ID, ErrState)
		}
		if err := c.room(g.Account, p, when, caps); err != nil {
			return false, err
		}
		retried := p.Status == post.StatusFailed
		p.Status, p.DueAt, p.SlotAt, p.Problem = post.StatusScheduled, when, when, nil
		if retried {
			p.Attempts = 0
		}
		g.ScheduledAt, g.Held = when, ""
		return true, nil
	})
}

// room checks the caps for one post that will be scheduled for when, without
// what it uses already.
func (c *change) room(account post.AccountID, p *post.Post, when time.Time, caps []post.Cap) error {
	for _, limit := range caps {
		if limit.Connection != "" && limit.Connection != p.Connection {
			continue
		}
		switch {
		case limit.Month == 0 && p.Status.Open():
			continue
		case limit.Month != 0 && limit.Month != post.MonthOf(when):
			continue
		case limit.Month != 0 && counts(p) && post.MonthOf(p.SlotAt) == limit.Month:
			continue
		}
		if err := c.checkCap(account, limit, 1); err != nil {
			return err
		}
	}
	return nil
}

// Resolve records a person's word about posts of unknown outcome: live, with the
// receipt, or not.
func (s *Store) Resolve(ctx context.Context, id post.ID, sent bool, r post.Receipt, who string) (post.Group, error) {
	what := "resolved as not sent"
	if sent {
		what = "resolved as sent"
	}
	return s.edit(ctx, id, post.LogEntry{Event: "status_changed", Error: what, Who: who}, func(c *change, g *post.Group, p *post.Post) (bool, error) {
		if p.Status != post.StatusUnknown {
			return false, nil
		}
		if sent {
			p.Status, p.Receipt, p.Problem = post.StatusPublished, &r, nil
		} else {
			p.Status = post.StatusFailed
			p.Problem = &post.Outcome{Code: "NOT_SENT", Message: what + " by " + who, At: c.now}
		}
		return true, nil
	})
}

// Resume lifts a pause of a connection.
func (s *Store) Resume(ctx context.Context, account post.AccountID, conn post.ConnectionID, who string) error {
	n, ok := s.names.connNumber(connName{account, conn})
	if !ok {
		return fmt.Errorf("connection %s: %w", conn, post.ErrNotFound)
	}
	return s.update(ctx, s.change(func(c *change) error {
		r, err := getConn(c.Tx, n)
		if err != nil {
			return err
		}
		r.notBefore, r.pauseWhy, r.errorsInRow = time.Time{}, "", 0
		if err := putConn(c.Tx, n, r); err != nil {
			return err
		}
		s.log.Info("connection resumed", "connection", conn, "who", who)
		return c.wake(n)
	}))
}
