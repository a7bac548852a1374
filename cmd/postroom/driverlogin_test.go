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
	for id, platform := range map[post.ConnectionID]http.Handler{
		"twitter-1":                  &twittertest.Server{Token: access},
		"linkedin-1":                 &linkedintest.Server{Token: access},
		"facebook-" + metatest.User:  &metatest.Server{Token: access},
		"instagram-" + metatest.User: &metatest.Server{Token: access},
		"threads-" + metatest.User:   &metatest.Server{Token: access},
		"tiktok-1":                   &tiktoktest.Server{Token: access},
		"youtube-1":                  &youtubetest.Server{Token: access},
	} {
		t.Run(string(id), func(t *testing.T) {
			t.Parallel()
			srv := httptest.NewServer(platform)
			t.Cleanup(srv.Close)
			dir := t.TempDir()
			writeText(t, filepath.Join(dir, configName), fmt.Sprintf("master_key: %s\naccounts: {acme: {connections: [{id: %s, api: %q, oauth: {client_id: app}}]}}\n",
				strings.Repeat("cd", 32), id, srv.URL))
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
