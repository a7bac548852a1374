package api_test

import (
	"testing"
	"time"

	"github.com/postroom/postroom/post"
)

// A calendar may spread the platforms of one row. Clients of the API see one time of
// the group, and whatever they do to it, its posts keep their distances: also when
// nothing moves. Each counts in the month that it goes out in.
func TestAGroupThatWasSpreadStaysSo(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(d *desk) {
		d.account.Plan = plan("unlimited")
		d.account.Plan.Monthly, d.account.Plan.PerConnection = new(2), true
	})
	at := time.Date(2026, 3, 20, 9, 0, 0, 0, time.UTC)
	spread := func(at time.Time, conns ...post.ConnectionID) *post.Group {
		t.Helper()
		g := &post.Group{Account: "acme", Content: post.Content{Text: "x"}, RequestedAt: at, ScheduledAt: at}
		for i, c := range conns {
			when := at.Add(time.Duration(i) * 30 * time.Minute)
			g.Posts = append(g.Posts, post.Post{Connection: c, Status: post.StatusScheduled, DueAt: when, SlotAt: when})
		}
		if err := d.store.Create(t.Context(), g, nil, "import"); err != nil {
			t.Fatal(err)
		}
		return g
	}
	g := spread(at, "mastodon-1", "twitter-2", "linkedin-Ab3")
	id := g.ID.String()
	want := func(what string, at time.Time) {
		t.Helper()
		for i, p := range d.group(id).Posts {
			if when := at.Add(time.Duration(i) * 30 * time.Minute); !p.DueAt.Equal(when) || !p.SlotAt.Equal(when) {
				t.Errorf("%s: the post on %s is due %s, want %s", what, p.Connection, p.DueAt, when)
			}
		}
	}
	d.do("PUT", "/update-post/"+id, `{"status":"scheduled"}`).ok()
	want("nothing moved", at)
	d.do("PUT", "/update-post/"+id, `{"status":"draft"}`).ok()
	d.do("PUT", "/update-post/"+id, `{"status":"scheduled"}`).ok()
	want("a draft for a while", at)
	d.do("PUT", "/update-post/"+id, `{"scheduledTime":"2026-03-21T10:00:00Z"}`).ok()
	want("moved", at.Add(25*time.Hour))
	d.do("POST", "/bulk/reschedule", `{"ids":["`+id+`"],"shiftMinutes":60}`).ok()
	want("shifted", at.Add(26*time.Hour))

	april := time.Date(2026, 4, 2, 9, 0, 0, 0, time.UTC)
	spread(april, "twitter-2")
	d.do("PUT", "/update-post/"+id, `{"scheduledTime":"2026-03-31T23:45:00Z"}`).ok()
	d.do("PUT", "/update-post/"+id, `{"scheduledTime":"2026-03-21T11:00:00Z"}`).ok()
	spread(april, "twitter-2")
	d.do("PUT", "/update-post/"+id, `{"scheduledTime":"2026-03-31T23:45:00Z"}`).wantError(403, "Post limit reached")
	want("refused", at.Add(26*time.Hour))
}
