package main

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postroom/postroom/post"
)

// openAt opens a room by a clock of the test's.
func openAt(t *testing.T, dir string, now func() time.Time) *room {
	t.Helper()
	r, err := openRoom(t.Context(), dir, roomOptions{env: testEnv(), logTo: io.Discard, now: now})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// plan stores one post of acme's.
func plan(t *testing.T, r *room, id post.ConnectionID, due time.Time, c post.Content) *post.Group {
	t.Helper()
	due = due.UTC().Truncate(time.Second)
	g := &post.Group{Account: "acme", Content: c, ScheduledAt: due, RequestedAt: due, CreatedAt: r.now(), UpdatedAt: r.now()}
	g.Posts = []post.Post{{Account: "acme", Connection: id, Status: post.StatusScheduled, DueAt: due, SlotAt: due, UpdatedAt: r.now()}}
	if err := r.store.Create(t.Context(), g, nil, ""); err != nil {
		t.Fatal(err)
	}
	return g
}

func picture(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 40, 30))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// drop removes all pinned media of a room.
func drop(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "media", "*", "*", strings.Repeat("?", 64)))
	if err != nil || len(files) == 0 {
		t.Fatal("no pinned media", err)
	}
	for _, f := range files {
		if err := os.Remove(f); err != nil {
			t.Fatal(err)
		}
	}
}

// A day before a post is due what is wrong with it is told, and not again: not an
// hour before, and not after a restart.
func TestAPostAtRiskIsToldOnceADayBefore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeText(t, filepath.Join(dir, configName), "accounts: {acme: {connections: [{id: mastodon-1, driver: sandbox}]}}\n")
	synctest.Test(t, func(t *testing.T) {
		r := openAt(t, dir, time.Now)
		pin, err := r.media.Shelf().Put(t.Context(), bytes.NewReader(picture(t)), "a.png", 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		g := plan(t, r, "mastodon-1", time.Now().Add(30*time.Hour), post.Content{Text: "x", Media: []post.Media{{URL: "a.png", Pin: pin}}})
		hook := listen(t, r, post.EventAtRisk)
		drop(t, dir)
		for _, step := range []struct {
			forward time.Duration
			restart bool
			want    int
		}{
			{forward: 6*time.Hour - time.Minute, want: 0},
			{forward: 11 * time.Minute, want: 1},
			{forward: time.Hour, restart: true, want: 0},
			{forward: 23 * time.Hour, want: 0},
		} {
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error)
			go func() { ended <- (&daemon{room: r}).keepAhead(ctx) }()
			time.Sleep(step.forward)
			synctest.Wait()
			cancel()
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
			got := heard(t, r, hook)
			if len(got) != step.want {
				t.Errorf("at %s it heard %v, want %d", time.Now(), got, step.want)
			}
			if want := fmt.Sprintf(`"postId":"%s","postGroupId":"%s","platform":"mastodon","scheduledAt":"2000-01-02T06:00:00.000Z","problems":[{"code":"INVALID_PLATFORM_CONTENT","message":"media a.png: the file is gone from the room's media folder"}]`, g.Posts[0].ID, g.ID); step.want == 1 && !strings.Contains(got[0], want) {
				t.Errorf("told %s, want %s", got[0], want)
			}
			if step.restart {
				if err := r.close(); err != nil {
					t.Fatal(err)
				}
				r = openAt(t, dir, time.Now)
			}
		}
		if err := r.close(); err != nil {
			t.Fatal(err)
		}
	})
}

// The clock was days ahead for a while. Posts of those days are looked at all the same.
func TestPostsAreLookedAtOnceTheClockIsSetBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeText(t, filepath.Join(dir, configName), "accounts: {acme: {connections: [{id: mastodon-1, driver: sandbox}]}}\n")
	right := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	now := right.Add(3 * 24 * time.Hour)
	r := openAt(t, dir, func() time.Time { return now })
	defer r.close()
	p := newPreflight(r)
	if err := p.look(t.Context()); err != nil {
		t.Fatal(err)
	}
	now = right
	pin, err := r.media.Shelf().Put(t.Context(), bytes.NewReader(picture(t)), "a.png", 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	g := plan(t, r, "mastodon-1", now.Add(12*time.Hour), post.Content{Text: "x", Media: []post.Media{{URL: "a.png", Pin: pin}}})
	drop(t, dir)
	if err := p.look(t.Context()); err != nil {
		t.Fatal(err)
	}
	is, err := r.store.Group(t.Context(), g.ID)
	if err != nil {
		t.Fatal(err)
	}
	if o := is.Posts[0].Problem; o == nil || o.Code != post.CodeAtRisk {
		t.Errorf("its media is gone, and noted is %+v", o)
	}
}

// What is mended by the hour before is no longer noted.
func TestTheHourBeforeLooksAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeText(t, filepath.Join(dir, configName), "accounts: {acme: {connections: [{id: mastodon-1, driver: sandbox}]}}\n")
	now := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	r := openAt(t, dir, func() time.Time { return now })
	defer r.close()
	pin, err := r.media.Shelf().Put(t.Context(), bytes.NewReader(picture(t)), "a.png", 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	g := plan(t, r, "mastodon-1", now.Add(20*time.Hour), post.Content{Text: "x", Media: []post.Media{{URL: "a.png", Pin: pin}}})
	drop(t, dir)
	p := newPreflight(r)
	noted := func() *post.Outcome {
		t.Helper()
		if err := p.look(t.Context()); err != nil {
			t.Fatal(err)
		}
		is, err := r.store.Group(t.Context(), g.ID)
		if err != nil {
			t.Fatal(err)
		}
		return is.Posts[0].Problem
	}
	if o := noted(); o == nil || o.Code != post.CodeAtRisk || !strings.Contains(o.Message, "gone") {
		t.Errorf("noted %+v, want that the file is gone", o)
	}
	if _, err := r.media.Shelf().Put(t.Context(), bytes.NewReader(picture(t)), "a.png", 1<<20); err != nil {
		t.Fatal(err)
	}
	now = now.Add(18 * time.Hour)
	if o := noted(); o == nil {
		t.Error("looked at between its day and its hour")
	}
	now = now.Add(61 * time.Minute)
	if o := noted(); o != nil {
		t.Errorf("mended, and noted %+v", o)
	}
}

// A token that the platform refuses puts its posts at risk; a platform that cannot
// be asked does not, and one that took the token is not asked all the time.
func TestTokensAreCheckedBeforePostsAreDue(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		status int
		want   bool
	}{{"refused", 401, true}, {"taken", 200, false}, {"busy", 503, false}} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int64
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.Contains(r.URL.Path, "verify_credentials") {
					asked.Add(1)
				}
				w.WriteHeader(test.status)
				fmt.Fprint(w, `{"id":"1","username":"acme","acct":"acme","error":"no"}`)
			}))
			t.Cleanup(srv.Close)
			dir := t.TempDir()
			writeText(t, filepath.Join(dir, configName), fmt.Sprintf("accounts: {acme: {connections: [{id: mastodon-1, server: %q, token: x-token-x, allow_http: true}]}}\n", srv.URL))
			now := time.Now()
			r := openAt(t, dir, func() time.Time { return now })
			defer r.close()
			hook := listen(t, r, post.EventAtRisk)
			for i := range 3 {
				plan(t, r, "mastodon-1", now.Add(time.Duration(20+i)*time.Hour), post.Content{Text: "x"})
			}
			p := newPreflight(r)
			for range 2 {
				if err := p.look(t.Context()); err != nil {
					t.Fatal(err)
				}
				p.upTo = time.Time{}
				now = now.Add(time.Hour)
			}
			got := heard(t, r, hook)
			if want := map[bool]int{true: 3}[test.want]; len(got) != want || want > 0 && !strings.Contains(got[0], `"code":"PLATFORM_AUTH_EXPIRED"`) {
				t.Errorf("heard %v, want %d", got, want)
			}
			if n := asked.Load(); test.status == 200 && n != 1 {
				t.Errorf("the platform was asked %d times, want once", n)
			}
		})
	}
}

func TestALoginThatEndsBeforeAPostPutsItAtRisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeText(t, filepath.Join(dir, configName), fmt.Sprintf("master_key: %s\naccounts: {acme: {connections: [{id: linkedin-1, oauth: {client_id: app}}]}}\n", strings.Repeat("cd", 32)))
	now := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	r := openAt(t, dir, func() time.Time { return now })
	defer r.close()
	hook := listen(t, r, post.EventAtRisk)
	putGrant(t, r, connKey{"acme", "linkedin-1"}, "access", now.AddDate(0, 0, -59), now.Add(15*time.Hour))
	before := plan(t, r, "linkedin-1", now.Add(14*time.Hour), post.Content{Text: "x"})
	after := plan(t, r, "linkedin-1", now.Add(16*time.Hour), post.Content{Text: "y"})
	if err := newPreflight(r).look(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := heard(t, r, hook)
	if len(got) != 1 || strings.Contains(got[0], before.ID.String()) || !strings.Contains(got[0], after.ID.String()) || !strings.Contains(got[0], "the login ends on 2026-03-02, before the post is due") {
		t.Errorf("heard %v, want of %s alone", got, after.ID)
	}
}

// A first comment wants more than the usual scopes of a login.
func TestALoginThatDoesNotAllowWhatAPostNeedsPutsItAtRisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeText(t, filepath.Join(dir, configName), fmt.Sprintf("master_key: %s\naccounts: {acme: {connections: [{id: facebook-1, oauth: {client_id: app}}]}}\n", strings.Repeat("cd", 32)))
	now := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	r := openAt(t, dir, func() time.Time { return now })
	defer r.close()
	hook := listen(t, r, post.EventAtRisk)
	v, err := openVault(r.dir, r.config().MasterKey, r.env)
	if err != nil {
		t.Fatal(err)
	}
	grant := `{"access":"access","obtained_at":"2026-03-01T08:00:00Z","scopes":["pages_manage_posts","pages_read_engagement"]}`
	if err := shelfOf(v, connKey{"acme", "facebook-1"}).Put(t.Context(), []byte(grant)); err != nil {
		t.Fatal(err)
	}
	plan(t, r, "facebook-1", now.Add(2*time.Hour), post.Content{Text: "x"})
	more := plan(t, r, "facebook-1", now.Add(3*time.Hour), post.Content{Text: "y", FirstComment: "first"})
	if err := newPreflight(r).look(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := heard(t, r, hook)
	if len(got) != 1 || !strings.Contains(got[0], more.ID.String()) || !strings.Contains(got[0], "the login does not allow pages_manage_engagement, which the post needs") {
		t.Errorf("heard %v, want of %s alone", got, more.ID)
	}
}

// The report of a file says what puts its posts at risk.
func TestTheReportSaysWhatPutsAPostAtRisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeText(t, filepath.Join(dir, configName), "timezone: UTC\naccounts: {acme: {connections: [{id: mastodon-1, driver: sandbox}]}}\n")
	if err := os.WriteFile(filepath.Join(dir, "a.png"), picture(t), 0o644); err != nil {
		t.Fatal(err)
	}
	writeText(t, filepath.Join(dir, "week.csv"), "content,platforms,scheduled_time,media_url\nx,mastodon-1,"+time.Now().UTC().Add(3*time.Hour).Format(time.RFC3339)+",a.png\n")
	if code, out, errs := say(t, dir, testEnv(), "import", "week.csv"); code != exitOK {
		t.Fatal(code, out, errs)
	}
	drop(t, dir)
	if code, out, errs := say(t, dir, testEnv(), "run", "--once"); code != exitOK {
		t.Fatal(code, out, errs)
	}
	found := map[string]bool{}
	if err := filepath.WalkDir(filepath.Join(dir, "reports"), func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			b, err := os.ReadFile(path)
			found[filepath.Ext(path)] = found[filepath.Ext(path)] || err == nil && bytes.Contains(b, []byte("the file is gone from the room"))
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for _, ext := range []string{".csv", ".html"} {
		if !found[ext] {
			t.Errorf("no %s in reports/ says it: %v", ext, found)
		}
	}
}
