package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/inbox"
	"github.com/postroom/postroom/post"
)

// calendarRoom is a room whose clock is ahead by what is set.
func calendarRoom(t *testing.T, ahead *time.Duration, log io.Writer) *room {
	t.Helper()
	config := "timezone: UTC\ninbox: {settle: 1s}\naccounts:\n  acme:\n    calendar_key: \"${KEY}\"\n    connections:\n      - {id: twitter-1, driver: sandbox}\n  plain:\n    connections:\n      - {id: twitter-2, driver: sandbox}\n"
	return newRoomOf(t, config, roomOptions{env: testEnv("KEY", "correct-horse-battery"), logTo: log, now: func() time.Time { return time.Now().Add(*ahead) }})
}

// weeklyFrom is a calendar with a post every week.
func weeklyFrom(start time.Time) string {
	return "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART:" + start.UTC().Format("20060102T150405Z") + "\r\nRRULE:FREQ=WEEKLY\r\nCATEGORIES:Twitter\r\nSUMMARY:weekly\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
}

// drop puts team.ics into the inbox and has it taken.
func (r *room) drop(t *testing.T, text string) {
	t.Helper()
	file := filepath.Join(r.dir, "inbox", "acme", "twitter-1", "team.ics")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	writeText(t, file, text)
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(file, old, old); err != nil {
		t.Fatal(err)
	}
	if err := inbox.New(r.inboxConfig(), &taker{room: r}, r.log).Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestCalendarsAreTakenFromTheInboxAndTheirSeriesGoOn(t *testing.T) {
	t.Parallel()
	var ahead time.Duration
	r := calendarRoom(t, &ahead, t.Output())
	r.drop(t, weeklyFrom(time.Now().AddDate(0, 0, 1)))
	if n := len(r.groups(t, post.Filter{})); n != 13 {
		t.Fatalf("%d posts, want 13 weeks", n)
	}
	for _, step := range []struct{ days, want int }{{0, 13}, {7, 14}, {7, 14}, {21, 16}} {
		ahead = time.Duration(step.days) * 24 * time.Hour
		if err := r.extendSeries(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := len(r.groups(t, post.Filter{})); n != step.want {
			t.Errorf("after %d days %d posts, want %d", step.days, n, step.want)
		}
	}
	// Its series go on when somebody clears out the archive.
	archived := filepath.Join(r.dir, "archive")
	if err := os.Rename(archived, archived+".gone"); err != nil {
		t.Fatal(err)
	}
	ahead = 28 * 24 * time.Hour
	if err := r.extendSeries(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(r.groups(t, post.Filter{})); n != 17 {
		t.Errorf("without its original %d posts, want 17", n)
	}
	if err := os.Rename(archived+".gone", archived); err != nil {
		t.Fatal(err)
	}
	if copies, err := os.ReadDir(filepath.Join(r.dir, "data", "series")); err != nil || len(copies) != 1 {
		t.Errorf("copies: %v, %v", copies, err)
	}
	if err := r.dropSpares(nil); err != nil {
		t.Fatal(err)
	}
	if copies, err := os.ReadDir(filepath.Join(r.dir, "data", "series")); err != nil || len(copies) != 0 {
		t.Errorf("copies that nothing needs: %v, %v", copies, err)
	}
	// Its original is looked at again after a restart, and has not changed.
	d := newDaemon(r)
	if err := d.takeUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if held := r.groups(t, post.Filter{Held: true}); len(held) != 0 {
		t.Errorf("%d posts are held", len(held))
	}
	if n, err := r.refresh(t.Context(), 10); err != nil {
		t.Errorf("reports: %d, %v", n, err)
	}
	// A file that is cut off is waited for.
	half := "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:2\r\n"
	if ok, why, _ := (&taker{room: r}).Whole(inbox.File{Name: "half.ics", Body: strings.NewReader(half), Size: int64(len(half))}); ok || why == "" {
		t.Errorf("half a calendar: whole %v, %q", ok, why)
	}
}

// Imports are listed by their time, and a clock may be set back between two.
func TestSeriesGoOnFromTheLastExportWhateverTheClock(t *testing.T) {
	t.Parallel()
	var ahead time.Duration
	r := calendarRoom(t, &ahead, t.Output())
	text := weeklyFrom(time.Now().AddDate(0, 0, 1))
	ahead = time.Hour
	r.drop(t, text)
	ahead = 0
	r.drop(t, strings.Replace(text, "END:VEVENT", "COMMENT:again\r\nEND:VEVENT", 1))
	ahead = 7 * 24 * time.Hour
	if err := r.extendSeries(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(r.groups(t, post.Filter{})); n != 14 {
		t.Errorf("%d posts, want 14", n)
	}
}

func TestP1_ACalendarWhoseSeriesEndForWantOfItIsToldOfAndComesBack(t *testing.T) {
	t.Parallel()
	var ahead time.Duration
	r := calendarRoom(t, &ahead, t.Output())
	text := weeklyFrom(time.Now().AddDate(0, 0, 1))
	r.drop(t, text)
	imps, _, err := r.store.Imports(t.Context(), "", "", 1)
	if err != nil {
		t.Fatal(err)
	}
	commands := [][]string{{"doctor"}, {"imports", "list"}, {"imports", "show", imps[0].ID.String()}}
	said := func(args []string) string {
		var out strings.Builder
		a := &app{room: r, stdout: &out, stderr: &out, dir: r.dir, cwd: r.dir, env: testEnv("KEY", "correct-horse-battery")}
		a.execute(t.Context(), args)
		return out.String()
	}
	week := func(want int) {
		t.Helper()
		ahead += 7 * 24 * time.Hour
		if err := r.extendSeries(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := len(r.groups(t, post.Filter{})); n != want {
			t.Errorf("%d posts, want %d", n, want)
		}
	}
	week(14)
	for _, dir := range []string{"archive", filepath.Join("data", "series")} {
		if err := os.RemoveAll(filepath.Join(r.dir, dir)); err != nil {
			t.Fatal(err)
		}
	}
	week(14)
	for _, args := range commands {
		if s := said(args); !strings.Contains(s, lostHint) || !strings.Contains(s, "team.ics") {
			t.Errorf("%v says nothing of a lost calendar:\n%s", args, s)
		}
	}
	r.drop(t, text) // the same bytes: nothing is imported, and yet it is needed
	week(16)
	for _, args := range commands {
		if s := said(args); strings.Contains(s, lostHint) {
			t.Errorf("%v, though the calendar is back:\n%s", args, s)
		}
	}
}

// A calendarStep does something to a room's calendar, and says how many posts wait then.
type calendarStep struct {
	drop, undo string // a calendar's words; an import, by what it is
	days, want int
}

func TestSeriesOfAnImportThatWasUndoneEndUntilItsFileComesAgain(t *testing.T) {
	t.Parallel()
	for name, steps := range map[string][]calendarStep{
		"the file":              {{drop: "weekly", want: 13}, {days: 7, want: 14}, {undo: "first", want: 1}, {days: 8, want: 1}, {days: 15, want: 1}, {drop: "weekly", want: 13}, {days: 22, want: 14}},
		"what it gave later":    {{drop: "weekly", want: 13}, {days: 7, want: 14}, {undo: "last", want: 13}, {days: 8, want: 13}, {days: 15, want: 13}, {drop: "weekly", want: 15}, {days: 22, want: 16}},
		"what it gave between":  {{drop: "weekly", want: 13}, {days: 7, want: 14}, {days: 14, want: 15}, {undo: "second", want: 14}, {days: 15, want: 14}, {days: 21, want: 14}, {drop: "weekly", want: 16}},
		"a revision":            {{drop: "weekly", want: 13}, {days: 7, want: 14}, {drop: "other words", want: 14}, {undo: "last", want: 14}, {days: 14, want: 15}, {days: 21, want: 16}},
		"a revision, then file": {{drop: "weekly", want: 13}, {drop: "other words", want: 13}, {undo: "last", want: 13}, {days: 7, want: 14}, {undo: "first", want: 1}, {days: 14, want: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var ahead time.Duration
			r := calendarRoom(t, &ahead, t.Output())
			start := time.Now().AddDate(0, 0, 1)
			for n, step := range steps {
				ahead = max(ahead+time.Second, time.Duration(step.days)*24*time.Hour)
				switch {
				case step.drop != "":
					r.drop(t, strings.Replace(weeklyFrom(start), "weekly", step.drop, 1))
				case step.undo != "":
					imps, _, err := r.store.Imports(t.Context(), "", "", 100)
					if err != nil {
						t.Fatal(err)
					}
					slices.SortFunc(imps, func(a, b post.Import) int { return a.TakenAt.Compare(b.TakenAt) })
					imp := imps[map[string]int{"first": 0, "second": 1, "last": len(imps) - 1}[step.undo]]
					if _, err := r.undo(t.Context(), imp.ID, "test"); err != nil {
						t.Fatal(err)
					}
				}
				for range 2 {
					if err := r.extendSeries(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				if wait := len(r.groups(t, post.Filter{Statuses: []post.Status{post.StatusScheduled}})); wait != step.want {
					t.Fatalf("step %d: %d posts wait, want %d", n+1, wait, step.want)
				}
			}
		})
	}
}

func TestP8_TheCalendarFeedOpensWithItsKeyAlone(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	r := calendarRoom(t, new(time.Duration), &log)
	now := time.Now().UTC()
	g := post.Group{Account: "acme", Content: post.Content{Text: "Hello; calendar, \\ and\nmore"}, ScheduledAt: now.Add(time.Hour).Truncate(time.Second), Posts: []post.Post{{Account: "acme", Connection: "twitter-1", Status: post.StatusScheduled, DueAt: now.Add(time.Hour).Truncate(time.Second)}}}
	if err := r.store.Create(t.Context(), &g, nil, "test"); err != nil {
		t.Fatal(err)
	}
	h := newDaemon(r).handler()
	get := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		return w
	}
	w := get("/calendar/acme.ics?key=correct-horse-battery")
	body := w.Body.String()
	if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/calendar") {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	for _, want := range []string{"UID:" + g.ID.String() + "@postroom", `Hello\; calendar\, \\ and`, "REFRESH-INTERVAL;VALUE=DURATION:PT15M", "STATUS:CONFIRMED", "SUMMARY:[scheduled] twitter: "} {
		if !strings.Contains(strings.ReplaceAll(body, "\r\n ", ""), want) {
			t.Errorf("%s is missing in\n%s", want, body)
		}
	}
	refused := get("/calendar/acme.ics?key=wrong")
	if cut := regexp.MustCompile(`[^\r]\n|[^\r\n]{76}`).FindString(body); cut != "" {
		t.Errorf("a line of more than 75 bytes, or one that does not end with CR LF: %q", cut)
	}
	// Programs ask every few minutes, and nothing is sent that they have.
	again := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/calendar/acme.ics?key=correct-horse-battery", nil)
	again.Header.Set("If-None-Match", w.Header().Get("ETag"))
	for _, want := range []int{http.StatusNotModified, http.StatusOK} {
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, again); w.Code != want || (w.Body.Len() == 0) != (want == http.StatusNotModified) {
			t.Errorf("%d with %d bytes, want %d", w.Code, w.Body.Len(), want)
		}
		if _, err := r.store.Cancel(t.Context(), g.ID, "test"); want == http.StatusNotModified && err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{"/calendar/acme.ics", "/calendar/acme.ics?key=", "/calendar/plain.ics?key=", "/calendar/nobody.ics?key=x", "/calendar/acme?key=correct-horse-battery", "/calendar/..ics?key=x"} {
		if w := get(path); w.Code != 404 || w.Body.String() != refused.Body.String() {
			t.Errorf("%s: %d %q, want what a wrong key gets", path, w.Code, w.Body)
		}
	}
	if strings.Contains(log.String(), "correct-horse") || strings.Contains(log.String(), "key=") {
		t.Errorf("a key in the log:\n%s", &log)
	}
}
