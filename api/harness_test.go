package api_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postroom/postroom/api"
	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/media"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/store"
)

// start is a Monday in winter.
var start = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

// A desk is the API over a real store in a test's folder, with one account and a
// key of it, and a clock that the test moves.
type desk struct {
	*testing.T
	store *store.Store
	over  chan post.ID // jobs that ended
	api   *api.API
	key   string
	id    string // of the key

	mu      sync.Mutex
	now     time.Time
	set     api.Settings
	account api.Account
	absent  bool // the config has no such account
}

// newDesk makes a desk whose account is unlimited, with one connection each on
// mastodon, twitter and linkedin. change may alter it before it opens.
func newDesk(t *testing.T, change ...func(*desk)) *desk {
	t.Helper()
	d := &desk{T: t, now: start, over: make(chan post.ID, 16), account: api.Account{ID: "acme", Plan: plan("unlimited"), Connections: []api.Connection{
		{ID: "mastodon-1", Username: "@acme"}, {ID: "twitter-2", Username: "acme"}, {ID: "linkedin-Ab3", Username: "Acme"},
	}}}
	for _, c := range change {
		c(d)
	}
	s, err := store.Open(filepath.Join(t.TempDir(), "postroom.db"), store.Options{Now: d.clock})
	if err != nil {
		t.Fatal(err)
	}
	d.store = s
	t.Cleanup(func() {
		for _, err := range s.Verify(context.Background()) {
			t.Errorf("verify: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	shelf, err := media.OpenShelf(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	d.api = api.New(api.Config{
		Store: jobWatch{s, d.over}, Now: d.clock, Log: slog.New(slog.NewTextHandler(testLog{t}, nil)),
		Account: func(id post.AccountID) (api.Account, bool) {
			return d.account, id == d.account.ID && !d.absent
		},
		Settings: func() api.Settings { return d.set }, Vault: glassVault{},
		Media: shelf, MediaKey: func() ([]byte, error) { return []byte("0123456789abcdef0123456789abcdef"), nil },
	})
	d.key, d.id = d.newKey(d.account.ID)
	return d
}

// A glassVault keeps secrets from nobody but whoever does not look twice.
type glassVault struct{}

func (glassVault) Seal(text, owner string) []byte {
	return []byte(owner + ":" + base64.StdEncoding.EncodeToString([]byte(text)))
}

func (glassVault) Open(sealed []byte, owner string) (string, error) {
	of, text, ok := strings.Cut(string(sealed), ":")
	if !ok || of != owner {
		return "", errors.New("sealed for somebody else")
	}
	b, err := base64.StdEncoding.DecodeString(text)
	return string(b), err
}

// A jobWatch tells which jobs ended.
type jobWatch struct {
	*store.Store
	over chan<- post.ID
}

func (w jobWatch) PutJob(ctx context.Context, j post.Job) error {
	err := w.Store.PutJob(ctx, j)
	if err == nil && (j.Status == post.JobFinished || j.Status == post.JobFailed) {
		w.over <- j.ID
	}
	return err
}

// testLog shows what the API logs in the test's own log.
type testLog struct{ *testing.T }

func (l testLog) Write(b []byte) (int, error) {
	l.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

func plan(key string) limits.Plan {
	p, ok := limits.PlanByKey(key)
	if !ok {
		panic("no plan " + key)
	}
	p.API = true
	return p
}

// withPlan puts the account on a plan that may use the API.
func withPlan(key string) func(*desk) { return func(d *desk) { d.account.Plan = plan(key) } }

func strict(d *desk) { d.set.StrictCompat = true }

func (d *desk) clock() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.now
}

func (d *desk) forward(by time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now = d.now.Add(by)
}

func (d *desk) newKey(account post.AccountID) (key, id string) {
	d.Helper()
	key, k, err := api.NewKey(d.clock(), account, "test")
	if err != nil {
		d.Fatal(err)
	}
	if err := d.store.AddAPIKey(d.Context(), k, api.MostKeys); err != nil {
		d.Fatal(err)
	}
	return key, k.ID
}

// An answer is what came back.
type answer struct {
	t      *testing.T
	Status int
	Body   string
	Header http.Header
}

// do sends a request with the desk's key, and holds the answer against our OpenAPI
// document. header holds names and values in turn;
// a value "" removes the header.
func (d *desk) do(method, path, body string, header ...string) answer {
	d.Helper()
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req := httptest.NewRequestWithContext(d.Context(), method, api.Prefix+path, r)
	req.Header.Set("x-api-key", d.key)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Del(header[i])
		if header[i+1] != "" {
			req.Header.Set(header[i], header[i+1])
		}
	}
	w := httptest.NewRecorder()
	d.api.ServeHTTP(w, req)
	a := answer{d.T, w.Code, w.Body.String(), w.Header()}
	fits(d.T, method, path, a)
	return a
}

// want fails unless the answer is exactly that.
func (a answer) want(status int, body string) {
	a.t.Helper()
	if a.Status != status || a.Body != body {
		a.t.Errorf("got  %d %s\nwant %d %s", a.Status, a.Body, status, body)
	}
	if got := a.Header.Get("Content-Type"); got != "application/json; charset=utf-8" {
		a.t.Errorf("content type %q", got)
	}
}

// wantError fails unless the answer has that status and that error text.
func (a answer) wantError(status int, text string) {
	a.t.Helper()
	var got struct {
		Error, Message string
		Success        *bool
	}
	a.into(&got)
	if a.Status != status || got.Error != text || got.Success != nil {
		a.t.Errorf("got %d %s, want %d with error %q and no success", a.Status, a.Body, status, text)
	}
}

// into reads the body.
func (a answer) into(v any) {
	a.t.Helper()
	if err := json.Unmarshal([]byte(a.Body), v); err != nil {
		a.t.Fatalf("answer %d %q: %v", a.Status, a.Body, err)
	}
}

// ok fails unless the answer is a success.
func (a answer) ok() answer {
	a.t.Helper()
	if a.Status != http.StatusOK {
		a.t.Fatalf("got %d %s, want 200", a.Status, a.Body)
	}
	return a
}

// create makes a group and returns its id.
func (d *desk) create(body string) string {
	d.Helper()
	var got struct{ PostGroupID string }
	d.do("POST", "/create-post", body).ok().into(&got)
	return got.PostGroupID
}

// group reads a group from the store.
func (d *desk) group(id string) post.Group {
	d.Helper()
	pid, err := post.ParseID(id)
	if err != nil {
		d.Fatal(err)
	}
	g, err := d.store.Group(d.Context(), pid)
	if err != nil {
		d.Fatal(err)
	}
	return g
}
