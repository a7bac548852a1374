package main

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/postroom/postroom/post"
)

// A group whose platforms follow one another is moved to the end of a month: those of
// its posts that go out in the next count there, and that is full.
func TestP6_AGroupThatReachesIntoTheNextMonthFitsThereToo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeText(t, filepath.Join(dir, configName), "accounts: {acme: {plan: {monthly: 1, per_connection: true}, connections: [{id: mastodon-1, driver: sandbox}, {id: twitter-2, driver: sandbox}]}}\n")
	now := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	r := openAt(t, dir, func() time.Time { return now })
	defer r.close()
	at := now.Add(24 * time.Hour)
	g := &post.Group{Account: "acme", Content: post.Content{Text: "spread"}, ScheduledAt: at, RequestedAt: at}
	for i, id := range []post.ConnectionID{"mastodon-1", "twitter-2"} {
		when := at.Add(time.Duration(i) * time.Hour)
		g.Posts = append(g.Posts, post.Post{Connection: id, Status: post.StatusScheduled, DueAt: when, SlotAt: when})
	}
	if err := r.store.Create(t.Context(), g, nil, ""); err != nil {
		t.Fatal(err)
	}
	full := plan(t, r, "twitter-2", time.Date(2026, 4, 20, 8, 0, 0, 0, time.UTC), post.Content{Text: "april"})
	last := time.Date(2026, 3, 31, 23, 30, 0, 0, time.UTC)
	if _, err := r.reschedule(t.Context(), g, g.ID, last, "me"); err == nil {
		t.Error("a second post on twitter-2 was promised in April, and the plan has one")
	}
	if _, err := r.store.Cancel(t.Context(), full.ID, "me"); err != nil {
		t.Fatal(err)
	}
	moved, err := r.reschedule(t.Context(), g, g.ID, last, "me")
	if err != nil || !moved.Posts[1].DueAt.Equal(last.Add(time.Hour)) {
		t.Errorf("moved to %v (%v), want an hour after %s", moved.Posts, err, last)
	}
}
