package dispatch

import (
	"log/slog"
	"time"

	"github.com/postroom/postroom/post"
)

// report tells of an outcome that is on disk.
func (s *session) report(a *attempt) {
	p, d := &a.delivery.Post, &a.done
	say := func(level slog.Level, what string, more ...any) {
		s.log.Log(s.c.durable, level, what, append([]any{"post", p.ID, "group", p.Group, "attempt", p.Attempts}, more...)...)
	}
	var o Outcome
	switch {
	case d.Status == post.StatusPublished:
		o = Published
		say(slog.LevelInfo, "published", "due_at", p.DueAt, "late", a.late(), "found", d.Receipt.Found)
	case d.Status == post.StatusUnknown:
		o = Unknown
		say(slog.LevelInfo, "unknown: look at the platform, then resolve it", "due_at", p.DueAt, "err", d.Outcome.Message)
	case d.Status == post.StatusFailed:
		o = Failed
		say(slog.LevelInfo, "failed", "due_at", p.DueAt, "err", d.Outcome.Message)
	case d.Outcome == nil:
		say(slog.LevelDebug, "taken back unsent", "due_at", d.RetryAt)
		return
	case d.Snooze:
		o = Throttled
		say(slog.LevelInfo, "waits", "due_at", d.RetryAt, "err", d.Outcome.Message)
	default:
		o = Retried
		say(slog.LevelInfo, "failed, and will be tried again", "due_at", d.RetryAt, "err", d.Outcome.Message)
	}
	if d.PauseWhy != "" {
		s.log.Warn("the connection pauses", "until", d.NotBefore, "err", d.PauseWhy)
	}
	s.c.count(func(sum *Summary) { sum.count(o) })
	if !a.began.IsZero() {
		s.c.cfg.Observe.Attempt(Attempt{Account: s.key.account, Connection: s.key.id, Outcome: o, Late: a.late(), Took: a.took})
	}
}

// late is how long after it was due the call was made: a first attempt after the
// planned slot, a later one after the time it was put off to.
func (a *attempt) late() time.Duration {
	p := &a.delivery.Post
	from := p.SlotAt
	if p.Attempts > 1 || from.IsZero() {
		from = p.DueAt
	}
	return max(a.began.Sub(from), 0)
}

// reportHeld tells of posts that were found too late to send.
func (s *session) reportHeld(held []post.Post) {
	if len(held) == 0 {
		return
	}
	s.worked = true
	for i := range held {
		p := &held[i]
		why := "found too late"
		if p.Problem != nil {
			why = p.Problem.Message
		}
		s.log.Info("held", "post", p.ID, "group", p.Group, "due_at", p.SlotAt, "late", s.c.cfg.Now().Sub(p.SlotAt), "err", why)
	}
	s.c.count(func(sum *Summary) { sum.Held += len(held) })
	s.c.cfg.Observe.HeldLate(len(held))
}

// reportMissing tells of posts that were given up as media of theirs never came.
func (s *session) reportMissing(failed []post.Post) {
	for i := range failed {
		p := &failed[i]
		s.worked = true
		s.log.Info("failed", "post", p.ID, "group", p.Group, "due_at", p.SlotAt, "err", p.Problem.Message)
		s.c.count(func(sum *Summary) { sum.count(Failed) })
	}
}
