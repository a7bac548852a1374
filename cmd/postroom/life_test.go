package main

import (
	"crypto/sha256"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postroom/postroom/post"
)

// A lifetime is a room in which days pass.
type lifetime struct {
	*testing.T
	dir  string
	room *room
	d    *daemon
}

const lifetimeConfig = `timezone: Europe/Berlin
inbox: {settle: 1s}
accounts:
  acme:
    plan: starter
    quiet_hours: "22:00-07:00"
    connections:
      - {id: linkedin-1, driver: sandbox}
`

func (l *lifetime) start() {
	l.Helper()
	r, err := openRoom(l.Context(), l.dir, roomOptions{env: testEnv(), logTo: l.Output()})
	if err != nil {
		l.Fatal(err)
	}
	l.room, l.d = r, newDaemon(r)
	if err := l.d.takeUp(l.Context()); err != nil {
		l.Fatal(err)
	}
}

// drop puts a file into the inbox and has it taken.
func (l *lifetime) drop(name, text string) {
	l.Helper()
	writeText(l.T, filepath.Join(l.dir, "inbox", name), text)
	if err := l.d.inbox.Drain(l.Context()); err != nil {
		l.Fatal(err)
	}
}

// settle does what the daemon does between two ticks, until nothing is left to do.
func (l *lifetime) settle() {
	l.Helper()
	if err := l.room.extendSeries(l.Context()); err != nil {
		l.Fatal(err)
	}
	if err := l.d.refreshAll(l.Context()); err != nil {
		l.Fatal(err)
	}
}

// day lets a day pass, with a tick whenever something is due.
func (l *lifetime) day() {
	l.Helper()
	for end := time.Now().AddDate(0, 0, 1); time.Now().Before(end); {
		next := end
		for _, g := range l.room.groups(l.T, post.Filter{Statuses: []post.Status{post.StatusScheduled}}) {
			if at := g.Posts[0].DueAt; at.Before(next) {
				next = at
			}
		}
		time.Sleep(time.Until(next))
		if _, err := l.d.dispatcher.Tick(l.Context()); err != nil {
			l.Fatal(err)
		}
	}
}

// files returns what is in the room, without the store, which writes as it likes.
func (l *lifetime) files() map[string][sha256.Size]byte {
	l.Helper()
	all := map[string][sha256.Size]byte{}
	err := filepath.WalkDir(l.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasPrefix(e.Name(), storeName) {
			return err
		}
		b, err := os.ReadFile(path)
		all[path] = sha256.Sum256(b)
		return err
	})
	if err != nil {
		l.Fatal(err)
	}
	return all
}

func (l *lifetime) imports() int {
	l.Helper()
	imps, _, err := l.room.store.Imports(l.Context(), "", "", 1000)
	if err != nil {
		l.Fatal(err)
	}
	return len(imps)
}

// Through more than a month, on a plan that has room for a part of what is asked: each post goes
// out once and in its minute, drafts do not pile up, and where nothing has changed
// nothing is written, whether the daemon goes on or starts anew.
func TestP2P3_ARoomThatLivesForWeeks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2100, 2, 15, 4, 0, 0, 0, time.UTC))) // past the times of the files that are dropped
		l := &lifetime{T: t, dir: t.TempDir()}
		writeText(t, filepath.Join(l.dir, configName), lifetimeConfig)
		event := func(lines ...string) string {
			return "BEGIN:VEVENT\r\nCATEGORIES:LinkedIn\r\n" + strings.Join(lines, "\r\n") + "\r\nEND:VEVENT\r\n"
		}
		l.start()
		defer func() {
			if err := l.room.close(); err != nil {
				t.Error(err)
			}
		}()
		l.drop("plan.csv", "content,platforms,scheduled_time,repeat\nfriday,linkedin,2100-02-19 12:00,weekly for 2 weeks\n")
		l.drop("team.ics", "BEGIN:VCALENDAR\r\n"+
			event("UID:w", "SUMMARY:weekly", "DTSTART;TZID=Europe/Berlin:21000216T090000", "RRULE:FREQ=WEEKLY", "EXDATE;TZID=Europe/Berlin:21000302T090000")+
			event("UID:w", "SUMMARY:moved", "RECURRENCE-ID;TZID=Europe/Berlin:21000309T090000", "DTSTART;TZID=Europe/Berlin:21000309T170000")+
			event("UID:d", "SUMMARY:daily", "DTSTART;TZID=America/New_York:21000216T023000", "RRULE:FREQ=DAILY")+
			event("UID:m", "SUMMARY:all day", "DTSTART;VALUE=DATE:21000228", "RRULE:FREQ=MONTHLY;BYMONTHDAY=-1")+
			event("UID:o", "SUMMARY:over", "DTSTART:20990101T100000Z")+
			event("UID:e", "SUMMARY:ended", "DTSTART:20990106T100000Z", "RRULE:FREQ=WEEKLY;COUNT=3")+
			"END:VCALENDAR\r\n")
		if n := l.imports(); n != 2 {
			t.Fatalf("%d files were taken, want 2", n)
		}
		for day := range 33 {
			l.day()
			l.settle()
			if day%6 != 0 {
				continue
			}
			files, imports := l.files(), l.imports()
			if l.settle(); day%12 == 0 {
				if err := l.room.close(); err != nil {
					t.Fatal(err)
				}
				l.start()
				l.settle()
			}
			if now := l.files(); !maps.Equal(files, now) || l.imports() != imports {
				t.Errorf("day %d: with nothing changed %d files became %d and %d imports %d, or others", day, len(files), len(now), imports, l.imports())
			}
		}
		out := map[string]int{}
		for _, g := range l.room.groups(t, post.Filter{}) {
			switch p := &g.Posts[0]; {
			case p.Status == post.StatusPublished:
				name := g.Text + g.RequestedAt.Format(" 2 Jan 15:04")
				if out[name]++; out[name] > 1 || p.Receipt.PublishedAt.Before(p.SlotAt) || p.Receipt.PublishedAt.Sub(p.SlotAt) >= time.Minute {
					t.Errorf("%s, due %s, went out at %s, and %d times in all", name, p.SlotAt, p.Receipt.PublishedAt, out[name])
				}
			case g.Held != "":
				t.Errorf("%s of %s is held: %s", g.Text, g.RequestedAt, g.Held)
			}
		}
		names := slices.Sorted(maps.Keys(out))
		if n := len(names); n != 30 || !slices.Contains(names, "moved 9 Mar 16:00") {
			t.Errorf("%d posts went out: %q", n, names)
		}
	})
}
