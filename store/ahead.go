package store

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/postroom/postroom/post"
)

// aheadAtOnce is how many groups one read of [Store.Ahead] takes, and how many
// posts one write of [Store.Risk] notes.
const aheadAtOnce = 100

// Ahead calls fn for every post that waits and is due in [from, to): g.Posts[at].
// It reads no more of the store than those, however many wait. An error of fn ends
// it. No read is open while fn runs.
func (s *Store) Ahead(ctx context.Context, from, to time.Time, fn func(g *post.Group, at int) error) error {
	for _, conn := range s.names.ofAccount("") {
		var entries []openEntry
		err := s.view(ctx, func(tx *bolt.Tx) error {
			return eachOpen(tx, conn, from, to, func(e openEntry) { entries = append(entries, e) })
		})
		if err != nil {
			return err
		}
		for some := range slices.Chunk(entries, aheadAtOnce) {
			if err := s.ahead(ctx, some, fn); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Store) ahead(ctx context.Context, entries []openEntry, fn func(g *post.Group, at int) error) error {
	var groups []post.Group
	var ats []int
	err := s.view(ctx, func(tx *bolt.Tx) error {
		for _, e := range entries {
			g, err := s.group(tx, e.id)
			if errors.Is(err, post.ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			// It may have gone out, or have been moved, since the index was read.
			if p := &g.Posts[e.at]; isWaiting(p) && p.DueAt.Equal(e.due) {
				groups, ats = append(groups, g), append(ats, e.at)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i := range groups {
		if err := fn(&groups[i], ats[i]); err != nil {
			return err
		}
	}
	return nil
}

// Risk notes on posts that wait what will keep them from going out, so that their
// report says it, and tells webhooks of what they were not told yet: each problem
// of a post is told one time. A risk without problems takes the note away. What a
// post's last attempt ended with is left alone.
func (s *Store) Risk(ctx context.Context, risks []post.Risk) error {
	for some := range slices.Chunk(risks, aheadAtOnce) {
		err := s.update(ctx, func(c *change) error {
			for i := range some {
				if err := c.risk(&some[i]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *change) risk(r *post.Risk) error {
	g, err := c.s.group(c.Tx, r.ID)
	if errors.Is(err, post.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	at := int(distance(g.ID, r.ID)) - 1
	if at < 0 || !isWaiting(&g.Posts[at]) {
		return nil
	}
	if err := c.tellRisk(&g, &g.Posts[at], r.Problems); err != nil {
		return err
	}
	old := clone(&g)
	p := &g.Posts[at]
	if p.Problem != nil && p.Problem.Code != post.CodeAtRisk {
		return nil
	}
	var is *post.Outcome
	if len(r.Problems) > 0 {
		is = &post.Outcome{Code: post.CodeAtRisk, Message: messages(r.Problems), Retryable: true, At: c.now}
	}
	if is == nil && p.Problem == nil || is != nil && p.Problem != nil && is.Message == p.Problem.Message {
		return nil
	}
	p.Problem, p.UpdatedAt, g.UpdatedAt = is, c.now, c.now
	return c.put(old, &g)
}

func messages(problems []post.EventError) string {
	all := make([]string, len(problems))
	for i := range problems {
		all[i] = problems[i].Message
	}
	return strings.Join(all, "; ")
}

// riskKept is how long after a post's time it is remembered what was told of it.
const riskKept = 7 * 24 * time.Hour

// tellRisk tells webhooks of the problems that they were not told of.
func (c *change) tellRisk(g *post.Group, p *post.Post, problems []post.EventError) error {
	account, ok := c.s.names.accountNumber(g.Account)
	if !ok {
		return nil
	}
	var untold []post.EventError
	for _, q := range problems {
		key := strings.Join([]string{post.EventAtRisk, p.ID.String(), q.Code, q.Message}, "\n")
		first, err := c.first(account, key, p.DueAt.Sub(c.now)+riskKept)
		if err != nil {
			return err
		}
		if first {
			untold = append(untold, q)
		}
	}
	if len(untold) == 0 {
		return nil
	}
	return c.emit(account, post.Event{Name: post.EventAtRisk, At: c.now, Data: post.AtRiskData{
		PostID: p.ID, PostGroupID: g.ID, Platform: p.Connection.Platform(), ScheduledAt: post.Milli(p.SlotAt), Problems: untold,
	}})
}
