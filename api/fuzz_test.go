package api_test

import (
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/api"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/store"
)

// Whatever is sent, it is answered as the document says, and a time that was
// taken is read again as the same.
func FuzzBodies(f *testing.F) {
	for _, seed := range []string{
		scheduled, `{}`, `[]`, `{"content":"x","platforms":"[\"mastodon-1\"]","scheduledTime":"2026-03-15T10:00:00.123456+00:00"}`,
		`{"content":"x","platforms":[null,1.5,{"a":[1]}],"platformSettings":"{\"tiktok\":{\"disableDuet\":1}}"}`, "\ufeff{\"content\":\"\\ud800\"}",
		`{"content":"x","platforms":["mastodon-1"],"scheduledTime":"2026-12-31T23:59:59.999999999Z"}`,
	} {
		f.Add(seed)
	}
	s, err := store.Open(filepath.Join(f.TempDir(), "postroom.db"), store.Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		if err := s.Close(); err != nil {
			f.Error(err)
		}
	})
	acc := api.Account{ID: "acme", Plan: plan("starter"), Connections: []api.Connection{{ID: "mastodon-1"}}}
	a := api.New(api.Config{
		Store: s, Now: func() time.Time { return start }, Log: slog.New(slog.DiscardHandler),
		Account:  func(post.AccountID) (api.Account, bool) { return acc, true },
		Settings: func() api.Settings { return api.Settings{AllowUnknownConnections: true} },
	})
	key, stored, err := api.NewKey(start, "acme", "fuzz")
	if err != nil {
		f.Fatal(err)
	}
	if err := s.AddAPIKey(f.Context(), stored, api.MostKeys); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body string) {
		for _, path := range []string{"/validate-post", "/get-upload-url", "/bulk/reschedule", "/bulk/schedule-drafts", "/update-post/" + strings.Repeat("a", 24)} {
			method := "POST"
			if strings.HasPrefix(path, "/update") {
				method = "PUT"
			}
			req := httptest.NewRequest(method, api.Prefix+path, strings.NewReader(body))
			req.Header.Set("x-api-key", key)
			w := httptest.NewRecorder()
			a.ServeHTTP(w, req)
			fits(t, method, path, answer{t, w.Code, w.Body.String(), w.Header()})
			if w.Code >= 500 || !json.Valid(w.Body.Bytes()) {
				t.Errorf("%s answers %d %s", path, w.Code, w.Body)
			}
		}
	})
}
