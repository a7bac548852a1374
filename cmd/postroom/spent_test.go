package main

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish/mastodon/mastodontest"
)

// What a platform says in its answer is left of its allowance reaches the dispatcher:
// of that connection, and of no other.
func TestTheDispatcherIsToldOfAnAllowanceThatIsUsedUp(t *testing.T) {
	t.Parallel()
	fake := mastodontest.New()
	platform := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := httptest.NewRecorder()
		fake.ServeHTTP(answer, r)
		maps.Copy(w.Header(), answer.Header())
		w.Header().Set("X-RateLimit-Limit", "300")
		w.Header().Set("X-RateLimit-Remaining", "0")
		w.Header().Set("X-RateLimit-Reset", "600")
		w.WriteHeader(answer.Code)
		answer.Body.WriteTo(w)
	}))
	defer platform.Close()
	r := newRoomOf(t, `
timezone: UTC
accounts:
  acme:
    connections:
      - {id: mastodon-1, server: "`+platform.URL+`", token: a-token-of-some-length, allow_http: true}
      - {id: mastodon-2, server: "`+platform.URL+`", token: a-token-of-some-length, allow_http: true}
      - {id: twitter-1, driver: sandbox}
`, roomOptions{env: testEnv(), logTo: t.Output()})
	spent := r.dispatchConfig(newMetrics(r.store, r.log)).Spent
	wait := func(id post.ConnectionID) time.Duration {
		return max(0, time.Until(spent("acme", id)).Round(time.Minute))
	}
	if got := wait("mastodon-1"); got != 0 {
		t.Errorf("before any call: %s", got)
	}
	d := post.Delivery{Post: post.Post{ID: r.store.NewID(), Account: "acme", Connection: "mastodon-1"}, Content: post.Content{Text: "hello"}}
	p := r.set.Load().conns[connKey{"acme", "mastodon-1"}].publisher
	if _, err := p.Publish(t.Context(), d, func([]post.Part, []byte) error { return nil }); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[post.ConnectionID]time.Duration{"mastodon-1": 10 * time.Minute, "mastodon-2": 0, "twitter-1": 0, "mastodon-9": 0} {
		if got := wait(id); got != want {
			t.Errorf("%s waits for %s, want %s", id, got, want)
		}
	}
}
