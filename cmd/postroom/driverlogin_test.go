package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish/linkedin/linkedintest"
	"github.com/postroom/postroom/publish/meta/metatest"
	"github.com/postroom/postroom/publish/pinterest/pinteresttest"
	"github.com/postroom/postroom/publish/tiktok/tiktoktest"
	"github.com/postroom/postroom/publish/twitter/twittertest"
	"github.com/postroom/postroom/publish/youtube/youtubetest"
)

// putGrant shelves a login, as if a person had logged in.
func putGrant(t *testing.T, r *room, key connKey, access string, obtained, expires time.Time) {
	t.Helper()
	v, err := openVault(r.dir, r.config().MasterKey, r.env)
	if err != nil {
		t.Fatal(err)
	}
	grant := fmt.Sprintf(`{"access":%q,"obtained_at":%q,"expires_at":%q}`, access, obtained.Format(time.RFC3339), expires.Format(time.RFC3339))
	if err := shelfOf(v, key).Put(t.Context(), []byte(grant)); err != nil {
		t.Fatal(err)
	}
}

// Every platform that people log in to is called with the token of the login.
func TestTheTokenOfALoginReachesThePlatform(t *testing.T) {
	t.Parallel()
	const access = "access-of-a-login"
	more := map[post.ConnectionID]string{"pinterest-1": ", board: Recipes"}
	for id, platform := range map[post.ConnectionID]http.Handler{
		"twitter-1":                  &twittertest.Server{Token: access},
		"linkedin-1":                 &linkedintest.Server{Token: access},
		"facebook-" + metatest.User:  &metatest.Server{Token: access},
		"instagram-" + metatest.User: &metatest.Server{Token: access},
		"threads-" + metatest.User:   &metatest.Server{Token: access},
		"tiktok-1":                   &tiktoktest.Server{Token: access},
		"youtube-1":                  &youtubetest.Server{Token: access},
		"pinterest-1":                &pinteresttest.Server{Token: access},
	} {
		t.Run(string(id), func(t *testing.T) {
			t.Parallel()
			srv := httptest.NewServer(platform)
			t.Cleanup(srv.Close)
			dir := t.TempDir()
			writeText(t, filepath.Join(dir, configName), fmt.Sprintf("master_key: %s\naccounts: {acme: {connections: [{id: %s, api: %q, oauth: {client_id: app}%s}]}}\n",
				strings.Repeat("cd", 32), id, srv.URL, more[id]))
			r, err := openRoom(t.Context(), dir, roomOptions{env: testEnv(), logTo: io.Discard})
			if err != nil {
				t.Fatal(err)
			}
			defer r.close()
			c := r.connections("", nil)[0]
			if _, err := c.publisher.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "nobody has logged in") {
				t.Errorf("before the login: %v", err)
			}
			now := r.now()
			putGrant(t, r, c.connKey, access, now, now.AddDate(0, 0, 30))
			if who, err := c.publisher.Check(t.Context()); err != nil || who.Username == "" {
				t.Errorf("after the login: %+v %v", who, err)
			}
		})
	}
}

// CONTRACT §2.6: an account lists how it stands with its logins, of which the
// platforms need not be asked.
func TestTheAPITellsWhenALoginEnds(t *testing.T) {
	t.Parallel()
	s := serveRoom(t, fmt.Sprintf("master_key: %s\naccounts: {acme: {connections: [{id: linkedin-1, oauth: {client_id: app}}, {id: mastodon-1, driver: sandbox}]}}\n", strings.Repeat("cd", 32)))
	got := func() string {
		_, answer := s.ask(t, "GET", "/api/v1/platform-connections", "")
		return answer
	}
	if want := `"platformId":"linkedin-1"`; !strings.Contains(got(), want) || !strings.Contains(got(), `"accessTokenExpiresAt":null,"tokenStatus":"expired","tokenExpiresIn":"expired"`) {
		t.Errorf("before a login: %s", got())
	}
	if !strings.Contains(got(), `"tokenStatus":"unknown","tokenExpiresIn":null`) {
		t.Errorf("the sandbox: %s", got())
	}
	now := time.Now()
	for days, want := range map[int]string{30: `"tokenStatus":"valid","tokenExpiresIn":"29d`, 5: `"tokenStatus":"expiring_soon","tokenExpiresIn":"4d`, -1: `"tokenStatus":"expired"`} {
		ends := now.AddDate(0, 0, days).UTC().Truncate(time.Second)
		putGrant(t, s.room, connKey{"acme", "linkedin-1"}, "access", now.AddDate(0, 0, -52), ends)
		if want = `"accessTokenExpiresAt":"` + ends.Format("2006-01-02T15:04:05.000Z") + `",` + want; !strings.Contains(got(), want) {
			t.Errorf("ends in %d days: %s, want %s", days, got(), want)
		}
	}
}

// listen adds a webhook that is told of an event.
func listen(t *testing.T, r *room, event string) post.ID {
	t.Helper()
	w := post.Webhook{Account: "acme", Name: "n", URL: "https://example.org", Events: []string{event}, Active: true}
	if err := r.store.AddWebhook(t.Context(), &w, 1); err != nil {
		t.Fatal(err)
	}
	return w.ID
}

// heard takes what waits for a webhook.
func heard(t *testing.T, r *room, hook post.ID) (bodies []string) {
	t.Helper()
	for {
		_, n, ok, err := r.store.NextNotice(t.Context(), "acme", hook)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return bodies
		}
		bodies = append(bodies, string(n.Body))
		if _, err := r.store.Delivered(t.Context(), "acme", hook, n, true); err != nil {
			t.Fatal(err)
		}
	}
}

// CONTRACT §7: once when a token enters its last seven days.
func TestALoginThatEndsSoonIsToldOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeText(t, filepath.Join(dir, configName), fmt.Sprintf("master_key: %s\naccounts: {acme: {connections: [{id: linkedin-1, oauth: {client_id: app}}]}}\n", strings.Repeat("cd", 32)))
	now := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	ends := now.Add(8 * 24 * time.Hour)
	var hook post.ID
	var told []string
	for i, test := range []struct {
		after time.Duration
		want  int
	}{{0, 0}, {23 * time.Hour, 0}, {time.Hour, 1}, {time.Hour, 1}} {
		now = now.Add(test.after)
		r, err := openRoom(t.Context(), dir, roomOptions{env: testEnv(), logTo: io.Discard, now: func() time.Time { return now }}) // each time as after a restart
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			putGrant(t, r, connKey{"acme", "linkedin-1"}, "access", now.AddDate(0, 0, -52), ends)
			hook = listen(t, r, post.EventExpiring)
		}
		r.renewLogins(t.Context())
		told = append(told, heard(t, r, hook)...)
		if len(told) != test.want {
			t.Errorf("at %s it was told of %d times, want %d", now, len(told), test.want)
		}
		if err := r.close(); err != nil {
			t.Fatal(err)
		}
	}
	if want := `"data":{"platform":"linkedin","platformId":"linkedin-1","username":"1","expiresAt":"2026-03-10T08:00:00.000Z"}`; len(told) != 1 || !strings.Contains(told[0], want) {
		t.Errorf("told %v, want %s", told, want)
	}
}
