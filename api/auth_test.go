package api_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/api"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/store"
)

// CONTRACT §1, the order of checks.
func TestWhoMayUseTheAPI(t *testing.T) {
	t.Parallel()
	self := api.UserID("acme").String()
	for _, c := range []struct {
		name   string
		change func(*desk)
		header []string
		status int
		text   string
	}{
		{"no key", nil, []string{"x-api-key", ""}, 401, "API key is required"},
		{"an empty key", nil, []string{"x-api-key", " "}, 401, "API key is required"},
		{"no such key", nil, []string{"x-api-key", "sk_nobody.00"}, 401, "Invalid API key"},
		{"no dot", nil, []string{"x-api-key", "legacy"}, 401, "Invalid API key"},
		{"the account is gone", func(d *desk) { d.absent = true }, nil, 401, "Invalid API key owner"},
		{"starter", func(d *desk) { d.account.Plan.API = false }, nil, 403, "API access is not enabled for this account"},
		{"starter beats a bad user", func(d *desk) { d.account.Plan.API = false }, []string{"x-postpost-user-id", "x"}, 403, "API access is not enabled for this account"},
		{"mcp on a plan without", func(d *desk) { d.account.Plan.MCP = false }, []string{"x-postpost-client", "mcp"}, 403, "MCP access is not enabled for this account"},
		{"mcp needs no api access", func(d *desk) { d.account.Plan.API = false }, []string{"x-postpost-client", "mcp"}, 200, ""},
		{"a user that is no id", nil, []string{"x-postpost-user-id", "u1"}, 400, "Invalid x-postpost-user-id"},
		{"another user", nil, []string{"x-postpost-user-id", strings.Repeat("a", 24)}, 403, "Workspace access is not enabled for this key"},
		{"the owner itself", nil, []string{"x-postpost-user-id", self}, 200, ""},
		{"the owner by the old name", nil, []string{"x-publora-user-id", self}, 200, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			if c.change != nil {
				c.change(d)
			}
			got := d.do("POST", "/create-post", `{"content":"hi","platforms":["mastodon-1"]}`, c.header...)
			if c.status == 200 {
				got.ok()
				return
			}
			got.wantError(c.status, c.text)
			d.set.StrictCompat = true
			d.do("POST", "/create-post", `{}`, c.header...).want(c.status, `{"error":"`+c.text+`"}`)
		})
	}
}

// CONTRACT §1 (Bearer) and §10 (the ancestor's header).
func TestAKeyIsTakenFromEveryHeaderThatClientsUse(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for _, header := range [][]string{
		{"X-API-Key", d.key},
		{"x-api-key", "", "x-publora-key", d.key},
		{"x-api-key", "", "Authorization", "Bearer " + d.key},
		{"x-api-key", "", "authorization", "bearer " + d.key},
	} {
		d.do("POST", "/create-post", `{"content":"hi","platforms":["mastodon-1"]}`, header...).ok()
	}
}

func TestARevokedKeyOpensNothing(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	if _, err := d.store.RevokeAPIKey(d.Context(), d.id); err != nil {
		t.Fatal(err)
	}
	d.do("GET", "/get-post/x", "").wantError(401, "Invalid API key")
}

// RELIABILITY §3.1: wrong keys are counted by the address they come from; a right
// one always opens, for behind a proxy all come from one (CONTRACT §0: no 429 on
// normal paths).
func TestTooManyWrongKeysFromOneAddressAreToldToWait(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	from := func(addr, key string) *httptest.ResponseRecorder {
		req := httptest.NewRequest("GET", api.Prefix+"/list-posts", nil)
		req.RemoteAddr = addr
		req.Header.Set("x-api-key", key)
		w := httptest.NewRecorder()
		d.api.ServeHTTP(w, req)
		fits(t, "GET", "/list-posts", answer{t, w.Code, w.Body.String(), w.Header()})
		return w
	}
	const one, wrong = "203.0.113.7:1000", "sk_nobody.00"
	for i := range 20 {
		if w := from(one, wrong); w.Code != 401 {
			t.Fatalf("wrong key %d: %d %s", i+1, w.Code, w.Body)
		}
	}
	for range 3 {
		w := from("203.0.113.7:2000", wrong)
		if w.Code != 429 || w.Header().Get("Retry-After") != "3" || !strings.Contains(w.Body.String(), `"error":"Invalid API key"`) {
			t.Errorf("the next: %d, Retry-After %q, %s", w.Code, w.Header().Get("Retry-After"), w.Body)
		}
	}
	for _, c := range []struct {
		name, addr, key string
		want            int
	}{
		{"a right key from there", one, d.key, 200},
		{"another address", "203.0.113.8:1000", wrong, 401},
		{"no key", one, "", 401},
		{"an address that cannot be read", "@", wrong, 401},
	} {
		if w := from(c.addr, c.key); w.Code != c.want {
			t.Errorf("%s: %d, want %d", c.name, w.Code, c.want)
		}
	}
	d.forward(3 * time.Second)
	if a, b := from(one, wrong).Code, from(one, wrong).Code; a != 401 || b != 429 {
		t.Errorf("after 3 s: %d and %d, want one 401 and then 429", a, b)
	}
	d.set.StrictCompat = true
	if w := from(one, wrong); w.Code != 401 {
		t.Errorf("the original has no 429: %d", w.Code)
	}
	d.set.StrictCompat = false
	for i := range 20 {
		from(fmt.Sprintf("[2001:db8::%x]:1", i), wrong)
	}
	if w := from("[2001:db8::ffff]:1", wrong); w.Code != 429 {
		t.Errorf("another address of the same IPv6 network: %d, want 429", w.Code)
	}
}

func TestAKeyHasTheFormThatClientsCheck(t *testing.T) {
	t.Parallel()
	key, stored, err := api.NewKey(time.Now(), "acme", "ci")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(key, "sk_") || len(key) < 70 || strings.Count(key, ".") != 1 {
		t.Errorf("key of length %d in a form that clients do not know", len(key))
	}
	if !strings.HasPrefix(key, stored.ID+".") || strings.Contains(stored.ID, ".") {
		t.Errorf("the id %q is not what stands before the dot", stored.ID)
	}
}

// CONTRACT §0.
func TestWhatIsNoRouteIsNotFound(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for _, c := range [][2]string{{"GET", "/nothing"}, {"GET", "/create-post"}, {"PATCH", "/get-post/x"}, {"GET", ""}, {"GET", "/../livez"}, {"GET", "/./list-posts"}, {"GET", "/get-post/.."}, {"OPTIONS", "/create-post"}} {
		d.do(c[0], c[1], "").wantError(404, "Not found")
	}
	d.do("POST", "/create-post/", `{`).wantError(400, "Invalid JSON body")
	d.do("POST", "//create-post", `{`).wantError(400, "Invalid JSON body")
	d.do("POST", "/create-post", "{\"content\":\"Stra\xdfe\",\"platforms\":[\"mastodon-1\"]}").wantError(400, "Invalid JSON body") // Latin-1
	d.do("POST", "/create-post", `"text"`).wantError(400, "Invalid JSON body")
	d.do("POST", "/create-post", `[1]`).wantError(400, "Content is required")
	d.do("POST", "/create-post", `{"content":"`+strings.Repeat("x", 1<<20)+`"}`).wantError(413, "Request body too large")
	d.do("POST", "/create-post", `{`, "x-api-key", "").wantError(401, "API key is required")
}

// CONTRACT §0: no site's scripts, unless the operator lets them in.
func TestBrowsersOfOtherSitesAreLetInByTheOperator(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	ask := func() *httptest.ResponseRecorder {
		req := httptest.NewRequest("OPTIONS", api.Prefix+"/create-post", nil)
		req.Header.Set("Origin", "https://desk.example.org")
		req.Header.Set("Access-Control-Request-Method", "POST")
		w := httptest.NewRecorder()
		d.api.ServeHTTP(w, req)
		return w
	}
	if w := ask(); w.Code == 204 || w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("a site that nobody let in got %d %v", w.Code, w.Header())
	}
	d.set.Origins = []string{"https://desk.example.org"}
	w := ask()
	if w.Code != 204 || w.Header().Get("Access-Control-Allow-Origin") != "https://desk.example.org" || !strings.Contains(w.Header().Get("Access-Control-Allow-Headers"), "x-api-key") {
		t.Errorf("a site that was let in got %d %v", w.Code, w.Header())
	}
}

// brokenStore is a store of which nothing but keys can be read.
type brokenStore struct{ *store.Store }

var errBroken = errors.New("disk canary")

func (brokenStore) Group(context.Context, post.ID) (post.Group, error) {
	return post.Group{}, errBroken
}
func (brokenStore) List(context.Context, post.Query) ([]post.ID, int, error) {
	return nil, 0, errBroken
}
func (brokenStore) Connections(context.Context) ([]post.ConnectionState, error) {
	return nil, errBroken
}
func (brokenStore) Usage(context.Context, post.AccountID) (post.Usage, error) {
	return post.Usage{}, errBroken
}
func (brokenStore) CreateOnce(context.Context, *post.Group, []post.Cap, string, *post.Once) error {
	return errBroken
}
func (brokenStore) Job(context.Context, post.ID) (post.Job, error)     { return post.Job{}, errBroken }
func (brokenStore) AddJob(context.Context, post.Job, *post.Once) error { return errBroken }
func (brokenStore) Webhooks(context.Context, post.AccountID) ([]post.Webhook, error) {
	return nil, errBroken
}
func (brokenStore) AddWebhook(context.Context, *post.Webhook, int) error { return errBroken }
func (brokenStore) EditWebhook(context.Context, post.AccountID, post.ID, func(*post.Webhook)) (post.Webhook, error) {
	return post.Webhook{}, errBroken
}
func (brokenStore) DeleteWebhook(context.Context, post.AccountID, post.ID) error { return errBroken }

// CONTRACT §2: each call has words of its own for what went wrong here, and tells
// no more.
func TestP8_WhatBreaksHereIsToldInTheWordsOfEachCall(t *testing.T) {
	t.Parallel()
	const id = "507f1f77bcf86cd799439011"
	for _, c := range []struct{ method, path, body, want string }{
		{"POST", "/create-post", draft, "Failed to create post group"},
		{"PUT", "/update-post/" + id, `{"status":"draft"}`, "Failed to update post"},
		{"GET", "/get-post/" + id, "", "Failed to fetch post group"},
		{"DELETE", "/delete-post/" + id, "", "Failed to delete post group"},
		{"GET", "/list-posts", "", "Failed to list posts"},
		{"GET", "/platform-connections", "", "Failed to fetch platform connections"},
		{"POST", "/test-connection/mastodon-1", "", "Failed to test connection"},
		{"GET", "/post-logs/" + id, "", "Failed to get post logs"},
		{"POST", "/get-upload-url", `{"fileName":"a","contentType":"b","postGroupId":"` + id + `"}`, "Failed to create upload URL"},
		{"GET", "/webhooks", "", "Failed to list webhooks"},
		{"POST", "/webhooks", goodHook, "Failed to create webhook"},
		{"PATCH", "/webhooks/" + id, `{}`, "Failed to update webhook"},
		{"DELETE", "/webhooks/" + id, "", "Failed to delete webhook"},
		{"POST", "/webhooks/" + id + "/regenerate-secret", "", "Failed to regenerate secret"},
		{"GET", "/limits", "", "Failed to read limits"},
		{"GET", "/bulk/jobs/" + id, "", "Failed to fetch the job"},
		{"POST", "/bulk/import", "content\nx\n", "Failed to import the file"},
		{"POST", "/bulk/delete", `{"filter":{}}`, "Failed to delete posts"},
		{"POST", "/bulk/reschedule", `{"filter":{},"shiftMinutes":1}`, "Failed to reschedule posts"},
		{"POST", "/bulk/schedule-drafts", `{"filter":{}}`, "Failed to schedule drafts"},
	} {
		d := newDesk(t)
		d.takes(func(string, *post.Job) error { return nil })
		d.api.Store = brokenStore{d.store}
		d.do(c.method, c.path, c.body).want(500, `{"error":"`+c.want+`","code":"INTERNAL","message":"`+c.want+`"}`)
		d.set.StrictCompat = true
		d.do(c.method, c.path, c.body).want(500, `{"error":"`+c.want+`"}`)
	}
}

// keylessStore cannot even read keys.
type keylessStore struct{ *store.Store }

func (keylessStore) APIKey(context.Context, string) (post.APIKey, error) {
	return post.APIKey{}, errBroken
}

// CONTRACT §1 row 8.
func TestAKeyThatCannotBeReadIsNoWrongKey(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.api.Store = keylessStore{d.store}
	d.do("GET", "/list-posts", "").want(500, `{"error":"Internal server error","code":"INTERNAL","message":"Internal server error"}`)
}
