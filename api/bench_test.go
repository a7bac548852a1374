package api_test

import (
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

// BenchmarkCreatePost creates posts from 64 goroutines, without sockets. Each is
// on disk, synced, before it is answered.
func BenchmarkCreatePost(b *testing.B) {
	s, err := store.Open(filepath.Join(b.TempDir(), "postroom.db"), store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	acc := api.Account{ID: "acme", Plan: plan("unlimited"), Connections: []api.Connection{{ID: "mastodon-1"}, {ID: "twitter-2"}}}
	a := api.New(api.Config{
		Store: s, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Account: func(post.AccountID) (api.Account, bool) { return acc, true },
	})
	key, stored, err := api.NewKey(time.Now(), "acme", "bench")
	if err != nil {
		b.Fatal(err)
	}
	if err := s.AddAPIKey(b.Context(), stored, api.MostKeys); err != nil {
		b.Fatal(err)
	}
	body := `{"content":"` + strings.Repeat("words of a post ", 8) + `","platforms":["mastodon-1","twitter-2"],"scheduledTime":"2036-03-01T09:00:00Z"}`
	b.SetParallelism(32)
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			req := httptest.NewRequest("POST", api.Prefix+"/create-post", strings.NewReader(body))
			req.Header.Set("x-api-key", key)
			w := httptest.NewRecorder()
			if a.ServeHTTP(w, req); w.Code != 200 {
				b.Errorf("got %d %s", w.Code, w.Body)
			}
		}
	})
}
