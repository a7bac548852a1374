package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/postroom/postroom/post"
)

// Group returns a group by its id or by that of one of its posts.
func (s *Store) Group(ctx context.Context, id post.ID) (g post.Group, err error) {
	err = s.view(ctx, func(tx *bolt.Tx) error {
		g, err = s.group(tx, id)
		return err
	})
	return g, err
}

// Create stores one new group and gives it and its posts their ids. Its posts are
// drafts or scheduled. caps are checked in the same step; the error may wrap a
// *post.CapExceeded.
func (s *Store) Create(ctx context.Context, g *post.Group, caps []post.Cap, who string) error {
	return s.CreateOnce(ctx, g, caps, who, nil)
}

// CreateOnce does what Create does, and keeps the answer to it in the same step.
// When there is one already the error wraps post.ErrDuplicate, and nothing is
// stored.
func (s *Store) CreateOnce(ctx context.Context, g *post.Group, caps []post.Cap, who string, once *post.Once) error {
	if err := settle(g); err != nil {
		return fmt.Errorf("create group: %w", err)
	}
	conns := make([]post.ConnectionID, len(g.Posts))
	for i := range g.Posts {
		conns[i] = g.Posts[i].Connection
	}
	if err := s.register(ctx, g.Account, conns); err != nil {
		return err
	}
	now := s.now()
	if g.CreatedAt.IsZero() {
		g.CreatedAt = now
	}
	g.UpdatedAt = g.CreatedAt
	g.ID = s.ids.next(now, len(g.Posts))
	event := post.LogEntry{Event: "status_changed", Error: post.LogDraftMade, Who: who}
	for i := range g.Posts {
		p := &g.Posts[i]
		p.ID, p.Group, p.Account, p.UpdatedAt = g.ID.Add(uint64(i)+1), g.ID, g.Account, g.CreatedAt
		if p.Status == post.StatusScheduled {
			event.Event, event.Error = "scheduled", ""
		}
	}
	account, _ := s.names.accountNumber(g.Account)
	return s.update(ctx, func(c *change) error {
		if err := s.room(c.Tx); err != nil {
			return err
		}
		if err := c.once(account, once, g); err != nil {
			return err
		}
		if err := c.checkCaps(nil, g, caps); err != nil {
			return err
		}
		return c.put(nil, g, event)
	})
}

// settle makes a new group fit to be stored: times are whole seconds, and a post
// that waits has one. It refuses what cannot be a new group.
func settle(g *post.Group) error {
	if len(g.Posts) == 0 || len(g.Posts) > mostPosts {
		return fmt.Errorf("%d posts, want 1 to %d", len(g.Posts), mostPosts)
	}
	g.ScheduledAt = wholeSecond(g.ScheduledAt)
	for i := range g.Posts {
		p := &g.Posts[i]
		p.DueAt, p.SlotAt = wholeSecond(p.DueAt), wholeSecond(p.SlotAt)
		switch {
		case p.Status == post.StatusDraft:
		case p.Status != post.StatusScheduled:
			return fmt.Errorf("a new post on %s is %s, want a draft or scheduled", p.Connection, p.Status)
		case p.DueAt.IsZero():
			return fmt.Errorf("a post on %s is scheduled without a time", p.Connection)
		case p.SlotAt.IsZero():
			p.SlotAt = p.DueAt
		}
	}
	return nil
}

// takes returns how much a post takes of a cap.
func takes(p *post.Post, limit post.Cap) int {
	switch {
	case limit.Connection != "" && limit.Connection != p.Connection,
		limit.Month == 0 && !p.Status.Open(),
		limit.Month != 0 && (!counts(p) || post.MonthOf(p.SlotAt) != limit.Month):
		return 0
	}
	return 1
}

// checkCaps refuses a group in place of old, nil for a new one, that would break
// a cap by taking more than old did.
func (c *change) checkCaps(old, g *post.Group, caps []post.Cap) error {
	for _, limit := range caps {
		more := 0
		for i := range g.Posts {
			more += takes(&g.Posts[i], limit)
			if old != nil {
				more -= takes(&old.Posts[i], limit)
			}
		}
		if err := c.checkCap(g.Account, limit, more); err != nil {
			return err
		}
	}
	return nil
}

// edit changes the posts of a group that are meant by id: the one with that id,
// or all. fn returns false for a post that it leaves alone; when it leaves all
// alone the error wraps post.ErrState and says why. caps are checked for what the
// change takes more than before.
func (s *Store) edit(ctx context.Context, id post.ID, caps []post.Cap, event post.LogEntry, fn func(c *change, old, g *post.Group, p *post.Post) (bool, error)) (post.Group, error) {
	var out post.Group
	err := s.update(ctx, func(c *change) error {
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
			ok, err := fn(c, old, &g, p)
			if err != nil {
				return err
			}
			if !ok {
				why = fmt.Sprintf("post %s on %s is %s", p.ID, p.Connection, was)
				continue
			}
			p.UpdatedAt, did = c.now, true
		}
		if !did {
			return fmt.Errorf("%s: %w", why, post.ErrState)
		}
		g.UpdatedAt = c.now
		if err := c.checkCaps(old, &g, caps); err != nil {
			return err
		}
		e := event
		if id != g.ID {
			e.Post = id
		}
		out = g
		return c.put(old, &g, e)
	})
	return out, err
}

// Cancel takes waiting posts back: a whole group's, or one.
func (s *Store) Cancel(ctx context.Context, id post.ID, who string) (post.Group, error) {
	return s.edit(ctx, id, nil, post.LogEntry{Event: "status_changed", Error: "cancelled", Who: who}, func(c *change, old, g *post.Group, p *post.Post) (bool, error) {
		if !p.Status.Editable() {
			return false, nil
		}
		p.Status, g.Held = post.StatusCancelled, ""
		return true, nil
	})
}

// Reschedule moves waiting posts to at; a group's posts keep their distances. A
// draft gets the time and stays a draft. caps are checked for the months that
// gain, the posts' own use left out.
func (s *Store) Reschedule(ctx context.Context, id post.ID, at time.Time, caps []post.Cap, who string) (post.Group, error) {
	if at.IsZero() {
		return post.Group{}, fmt.Errorf("reschedule %s: no time: %w", id, post.ErrState)
	}
	return s.schedule(ctx, id, at, caps, who, "rescheduled", func(p *post.Post) (post.Status, bool) { return p.Status, p.Status.Editable() })
}

// Approve schedules drafts and held posts for at, or for the time they asked for
// when at is zero.
func (s *Store) Approve(ctx context.Context, id post.ID, at time.Time, caps []post.Cap, who string) (post.Group, error) {
	return s.schedule(ctx, id, at, caps, who, "approved", func(p *post.Post) (post.Status, bool) {
		return post.StatusScheduled, p.Status == post.StatusDraft
	})
}

// Arrange gives all posts of a group a status, draft or scheduled, and the time
// at, which scheduled posts must have; zero keeps what it has. The posts keep their
// distances. It is what the API does to a group: only one whose posts all still wait
// can be changed. was is the group as its caller read it before saying so, nil when
// that does not matter: where its posts have another status or time by now, nothing
// changes and the error wraps post.ErrConflict. The group is returned as it stands,
// with an error that wraps post.ErrState too.
func (s *Store) Arrange(ctx context.Context, id post.ID, was *post.Group, to post.Status, at time.Time, caps []post.Cap, who string) (post.Group, error) {
	return s.ArrangeDescribed(ctx, id, nil, was, to, at, caps, who)
}

// ArrangeDescribed is Arrange and, with alts that are not nil, [Store.Describe]: both
// are done, or neither.
func (s *Store) ArrangeDescribed(ctx context.Context, id post.ID, alts []string, was *post.Group, to post.Status, at time.Time, caps []post.Cap, who string) (post.Group, error) {
	var as post.Group
	event := post.LogEntry{Event: "status_changed", Error: post.LogDraftKept, Who: who}
	if to == post.StatusScheduled {
		event.Event, event.Error = "scheduled", ""
	}
	g, err := s.edit(ctx, id, caps, event, func(c *change, old, g *post.Group, p *post.Post) (bool, error) {
		as = *old
		for i := range old.Posts {
			if st := old.Posts[i].Status; !st.Editable() && st != post.StatusCancelled {
				return false, fmt.Errorf("post %s on %s is %s: %w", old.Posts[i].ID, old.Posts[i].Connection, st, post.ErrState)
			}
		}
		if was != nil && !stands(old, was) {
			return false, fmt.Errorf("group %s: %w", old.ID, post.ErrConflict)
		}
		if alts != nil {
			if err := describe(g, alts); err != nil {
				return false, err
			}
		}
		if !p.Status.Editable() {
			return false, nil
		}
		if !at.IsZero() {
			g.RequestedAt, g.ScheduledAt = at.UTC(), wholeSecond(at.UTC())
			p.SlotAt = g.ScheduledAt.Add(old.Behind(p))
			p.DueAt = p.SlotAt
		}
		if to == post.StatusScheduled && p.DueAt.IsZero() {
			return false, fmt.Errorf("post %s has no time: %w", p.ID, post.ErrState)
		}
		if p.Status != to {
			p.Problem = nil
		}
		p.Status, g.Held = to, ""
		return true, nil
	})
	if err != nil {
		return as, err
	}
	return g, nil
}

// stands reports whether a group's posts have the statuses and times that they had.
func stands(g, was *post.Group) bool {
	return g.ScheduledAt.Equal(was.ScheduledAt) && slices.EqualFunc(g.Posts, was.Posts, func(p, before post.Post) bool {
		return p.Status == before.Status && p.DueAt.Equal(before.DueAt) && p.SlotAt.Equal(before.SlotAt)
	})
}

// Delete takes a group away from the API, and takes back what of it was not sent.
// What is live stays live, and counts against the month it went out in; a call
// that is under way ends as it ends, and is the last. The record is kept: an
// import's report and the command line still tell what became of it.
func (s *Store) Delete(ctx context.Context, id post.ID, who string) (post.Group, error) {
	return s.edit(ctx, id, nil, post.LogEntry{Event: "status_changed", Error: "deleted", Who: who}, func(c *change, old, g *post.Group, p *post.Post) (bool, error) {
		if !old.DeletedAt.IsZero() {
			return false, nil
		}
		g.DeletedAt = c.now
		switch {
		case p.Status.May(post.StatusCancelled):
			p.Status, g.Held = post.StatusCancelled, ""
		case p.Status == post.StatusProcessing:
			p.Problem = &post.Outcome{Code: codeDeleted, Message: "it was deleted", At: c.now}
		}
		return true, nil
	})
}

// Retry schedules failed posts anew for at, with all their attempts before them.
// Parts of a thread that are live stay so: it goes on after them.
func (s *Store) Retry(ctx context.Context, id post.ID, at time.Time, who string) (post.Group, error) {
	return s.schedule(ctx, id, at, nil, who, "retry asked for", func(p *post.Post) (post.Status, bool) {
		return post.StatusScheduled, p.Status == post.StatusFailed
	})
}

// schedule gives posts a time. may says which of them, and what they become.
func (s *Store) schedule(ctx context.Context, id post.ID, at time.Time, caps []post.Cap, who, what string, may func(*post.Post) (post.Status, bool)) (post.Group, error) {
	at = wholeSecond(at.UTC())
	return s.edit(ctx, id, caps, post.LogEntry{Event: "status_changed", Error: what, Who: who}, func(c *change, old, g *post.Group, p *post.Post) (bool, error) {
		to, ok := may(p)
		if !ok {
			return false, nil
		}
		when := at
		if when.IsZero() {
			when = old.ScheduledAt
		}
		if when.IsZero() {
			return false, fmt.Errorf("post %s has no time: say when: %w", p.ID, post.ErrState)
		}
		if id == g.ID || len(g.Posts) == 1 {
			g.ScheduledAt = when
			if p.Status.Editable() {
				when = when.Add(old.Behind(p))
			}
		}
		if to == post.StatusScheduled {
			g.Held = ""
		}
		if p.Status == post.StatusFailed {
			p.Attempts = 0
		}
		if p.Status != to {
			p.Problem = nil
		}
		p.Status, p.DueAt, p.SlotAt = to, when, when
		return true, nil
	})
}

// Resolve records a person's word about posts of unknown outcome: live, with the
// receipt, or not.
func (s *Store) Resolve(ctx context.Context, id post.ID, sent bool, r post.Receipt, who string) (post.Group, error) {
	what := "resolved as not sent"
	if sent {
		what = "resolved as sent"
	}
	return s.edit(ctx, id, nil, post.LogEntry{Event: "status_changed", Error: what, Who: who}, func(c *change, old, g *post.Group, p *post.Post) (bool, error) {
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
	return s.update(ctx, func(c *change) error {
		r, err := c.conn(n)
		if err != nil {
			return err
		}
		r.notBefore, r.pauseWhy, r.errorsInRow = time.Time{}, "", 0
		s.log.Info("connection resumed", "connection", conn, "who", who)
		return nil
	})
}
