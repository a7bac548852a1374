package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postroom/postroom/api"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish/mastodon/mastodontest"
)

// served is a room with an HTTP API on loopback, and a key to it.
type served struct {
	*room
	*httptest.Server
	key  string
	stop func() // what is done anyway when the test ends
}

// serveRoom makes a room with that config and serves all that a daemon serves.
func serveRoom(t *testing.T, config string) *served {
	t.Helper()
	dir := t.TempDir()
	writeText(t, filepath.Join(dir, configName), config)
	return serve(t, dir, testEnv(), io.Discard)
}

// serve serves a room, and logs to log.
func serve(t *testing.T, dir string, env func(string) (string, bool), log io.Writer) *served {
	t.Helper()
	r, err := openRoom(t.Context(), dir, roomOptions{env: env, logTo: log, who: "test"})
	if err != nil {
		t.Fatal(err)
	}
	d := newDaemon(r)
	srv := httptest.NewServer(d.handler())
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.api.Run(ctx) }()
	s := &served{room: r, Server: srv}
	s.stop = sync.OnceFunc(func() {
		srv.Close()
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := r.close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(s.stop)
	key, stored, err := api.NewKey(time.Now(), "acme", "test")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.store.AddAPIKey(t.Context(), stored, api.MostKeys); err != nil {
		t.Fatal(err)
	}
	s.key = key
	return s
}

const twoSandboxes = `timezone: UTC
accounts:
  acme:
    connections:
      - {id: mastodon-acme, driver: sandbox}
      - {id: linkedin-ABC123, driver: sandbox}
`

// ask sends a request to a served room.
func (s *served) ask(t *testing.T, method, path, body string, header ...string) (status int, answer string) {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	req.RequestURI = ""
	req.Header.Set("x-api-key", s.key)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// imported sends a file to bulk/import and returns its job, when it is over.
func (s *served) imported(t *testing.T, query, file, kind string) map[string]any {
	t.Helper()
	status, body := s.ask(t, "POST", "/api/v1/bulk/import"+query, file, "Content-Type", kind)
	if status != 202 {
		t.Fatalf("got %d %s", status, body)
	}
	for {
		var got struct{ Job map[string]any }
		if err := json.Unmarshal([]byte(body), &got); err != nil {
			t.Fatal(err)
		}
		if s := got.Job["status"]; s == "finished" || s == "failed" {
			return got.Job
		}
		_, body = s.ask(t, "GET", "/api/v1/bulk/jobs/"+got.Job["_id"].(string), "")
	}
}

// Rows that came without a file's name were a revision of those that came so before:
// the same words for another day moved the post that waited for them.
func TestRowsWithoutANameMoveNothingThatCameBefore(t *testing.T) {
	t.Parallel()
	s := serveRoom(t, twoSandboxes)
	for _, day := range []string{"01", "08"} {
		at := time.Now().UTC().AddDate(0, 2, 0).Format("2006-01-") + day + "T09:00:00Z"
		j := s.imported(t, "", `{"rows":[{"content":"Good morning","platforms":["mastodon-acme"],"scheduled_time":"`+at+`"}]}`, "application/json")
		if c, _ := j["counts"].(map[string]any); c["accepted"] != 1.0 || c["updated"] != 0.0 {
			t.Errorf("job %v", j)
		}
	}
	groups, _, err := s.store.Groups(t.Context(), post.Filter{}, "", 10)
	if err != nil || len(groups) != 2 || groups[0].Slot().Equal(groups[1].Slot()) {
		t.Errorf("%d groups, %v; want one for each day", len(groups), err)
	}
}

func TestAFileThroughTheAPIIsTakenLikeOneInTheInbox(t *testing.T) {
	t.Parallel()
	s := serveRoom(t, twoSandboxes)
	month := time.Now().UTC().AddDate(0, 2, 0).Format("2006-01")
	csv := "content,platforms,scheduled_time\nOne,mastodon-acme," + month + "-01T09:00:00Z\nTwo,nobody," + month + "-02T09:00:00Z\n"
	job := func(query string) map[string]any { return s.imported(t, query, csv, "text/csv") }
	dry := job("?name=plan.csv&dry_run=true")
	if c, _ := dry["counts"].(map[string]any); dry["outcome"] != "taken" || c["accepted"] != 1.0 || c["rejected"] != 1.0 {
		t.Errorf("a dry run: %v", dry)
	}
	if groups, _, err := s.store.Groups(t.Context(), post.Filter{}, "", 10); err != nil || len(groups) != 0 {
		t.Errorf("a dry run stored %d groups, %v", len(groups), err)
	}
	done := job("?name=plan.csv")
	if done["outcome"] != "taken" {
		t.Errorf("job %v", done)
	}
	if _, body := s.ask(t, "GET", "/api/v1/bulk/jobs/"+done["_id"].(string)+"/results.csv", ""); !strings.Contains(body, "rejected") || !strings.Contains(body, "accepted") {
		t.Errorf("results:\n%s", body)
	}
	if again := job("?name=plan.csv"); again["outcome"] != "duplicate" {
		t.Errorf("the same file again: %v", again)
	}
	if _, body := s.ask(t, "GET", "/api/v1/list-posts", ""); !strings.Contains(body, `"totalItems":1`) {
		t.Errorf("listed: %s", body)
	}
	kept, err := filepath.Glob(filepath.Join(s.dir, "archive", "acme", "*", "plan.csv"))
	if err != nil || len(kept) != 1 {
		t.Errorf("in the archive: %v, %v", kept, err)
	}
}

// Clients that join a base URL and a path with a slash too many are answered, not
// sent elsewhere.
func TestADoubleSlashReachesTheAPI(t *testing.T) {
	t.Parallel()
	s := serveRoom(t, twoSandboxes)
	for _, path := range []string{"/api/v1//create-post", "/api/v1/create-post/"} {
		if status, body := s.ask(t, "POST", path, `{"content":"x","platforms":["mastodon-acme"]}`); status != 200 {
			t.Errorf("%s: got %d %s", path, status, body)
		}
	}
}

// CONTRACT §0: a base URL that is a little wrong is told so in JSON, which clients
// read.
func TestWhatIsNotThereIsToldInJSON(t *testing.T) {
	t.Parallel()
	s := serveRoom(t, twoSandboxes)
	for _, path := range []string{"/api", "/api/", "/api/v1", "/api/v1/", "/api/create-post", "/api/v2/create-post", "/api/v1/create-post/x"} {
		if status, body := s.ask(t, "POST", path, `{}`); status != 404 || !strings.HasPrefix(body, `{"error":"Not found"`) {
			t.Errorf("%s: got %d %s", path, status, body)
		}
	}
}

// CONTRACT §2.6: clients show username to people.
func TestConnectionsAreListedByTheNamesThatThePlatformsGive(t *testing.T) {
	t.Parallel()
	platform := httptest.NewServer(mastodontest.New())
	defer platform.Close()
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("a webhook was called, and nothing was due")
	}))
	defer receiver.Close()
	s := serveRoom(t, `
timezone: UTC
accounts:
  acme:
    connections:
      - {id: mastodon-1, server: "`+platform.URL+`", token: a-token-of-some-length, allow_http: true}
      - {id: webhook-1, url: "`+receiver.URL+`", secret: a-secret-of-more-than-24-bytes, allow_private: true}
`)
	list := func() string {
		status, body := s.ask(t, "GET", "/api/v1/platform-connections", "")
		if status != 200 {
			t.Fatalf("got %d %s", status, body)
		}
		return body
	}
	if body := list(); !strings.Contains(body, `"username":"1"`) {
		t.Errorf("before anybody asked: %s", body)
	}
	s.meet(t.Context())
	if body := list(); !strings.Contains(body, `"username":"@acme@social.example","displayName":"Acme"`) || !strings.Contains(body, `"platformId":"webhook-1","platform":"webhook","username":"1"`) {
		t.Errorf("after: %s", body)
	}
}

// RELIABILITY §3.1, CONTRACT §2.10, §12 D11: what a webhook's name leads to is looked
// at when it is dialled, and no redirect is followed.
func TestWebhooksReachNoAddressOfThisMachineUnlessTheConfigSaysSo(t *testing.T) {
	t.Parallel()
	called := make(chan string, 10)
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		called <- r.URL.Path
		http.Redirect(w, r, "/after", http.StatusFound)
	}))
	t.Cleanup(target.Close)
	byName := strings.Replace(target.URL, "127.0.0.1", "localhost", 1)

	guarded := serveRoom(t, twoSandboxes).room.callWebhook()
	for _, url := range []string{target.URL, byName, "http://[::ffff:127.0.0.1]/"} {
		if status, err := guarded(t.Context(), url, http.Header{}, []byte("{}")); err == nil || !strings.Contains(err.Error(), "refused to connect") {
			t.Errorf("%s answers %d (%v), want a refusal to connect", url, status, err)
		}
	}
	free := serveRoom(t, twoSandboxes+"api: {allow_private_webhooks: true}\n").room.callWebhook()
	if status, err := free(t.Context(), byName+"/in", http.Header{}, []byte("{}")); err != nil || status != http.StatusFound {
		t.Errorf("%s answers %d (%v), want its redirect", byName, status, err)
	}
	close(called)
	for path := range called {
		if path != "/in" {
			t.Errorf("%s was called", path)
		}
	}
}
