package dispatch

import (
	"testing"
	"testing/synctest"
	"time"
	_ "time/tzdata" // so that the zones are there on every machine

	"github.com/postroom/postroom/post"
)

// A year of ticks, with posts at every minute around each daylight-saving edge
// of the year in four zones and on every day at nine: each goes out once, in its
// minute.
func TestP3_YearOfTicks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, w := newModel(t), newWorld()
		t0 := time.Now()
		const days = 366
		edges := 0
		for _, name := range []string{"America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "America/Santiago"} {
			loc, err := time.LoadLocation(name)
			if err != nil {
				t.Fatal(err)
			}
			conn := post.ConnectionID("mastodon-" + name)
			for day := range days {
				at := t0.AddDate(0, 0, day)
				_, before := at.In(loc).Zone()
				_, after := at.AddDate(0, 0, 1).In(loc).Zone()
				local := at.In(loc)
				m.add(conn, time.Date(local.Year(), local.Month(), local.Day()+1, 9, 0, 0, 0, loc), "daily")
				if before == after {
					continue
				}
				edges++
				for minute := range 24 * 60 {
					m.add(conn, at.Add(time.Duration(minute)*time.Minute), "edge")
				}
			}
		}
		if edges != 8 {
			t.Fatalf("%d daylight-saving edges, want 8", edges)
		}
		ticks := 0
		d := start(t, m, w, Config{Observe: Observer{Tick: func(time.Duration) { ticks++ }}})
		time.Sleep((days + 2) * 24 * time.Hour)
		synctest.Wait()
		if err := d.stop(); err != nil {
			t.Fatal(err)
		}
		if want := (days+2)*24*60 + 1; ticks != want {
			t.Errorf("%d ticks, want %d", ticks, want)
		}
		w.noDoubles(t)
		seen := map[post.ID]bool{}
		for _, c := range w.calls {
			due := m.posts[c.id].SlotAt
			if seen[c.id] || c.at.Before(due) || c.at.Sub(due) >= time.Minute {
				t.Errorf("post of %v sent at %v (again: %t)", due, c.at, seen[c.id])
			}
			seen[c.id] = true
		}
		if len(seen) != len(m.posts) {
			t.Errorf("%d of %d posts sent", len(seen), len(m.posts))
		}
	})
}
