package api_test

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/api"
	"github.com/postroom/postroom/post"
)

type page struct {
	Posts []struct {
		PostGroupID, Content, Status, ScheduledTime string
	}
	Pagination struct {
		Page, Limit, TotalItems, TotalPages int
		HasNextPage, HasPrevPage            bool
	}
}

func (d *desk) list(query string) page {
	d.Helper()
	var p page
	d.do("GET", "/list-posts"+query, "").ok().into(&p)
	return p
}

// CONTRACT §2.5.
func TestListPostsAnswers(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.do("GET", "/list-posts", "").want(200, `{"success":true,"posts":[],"pagination":{"page":1,"limit":20,"totalItems":0,"totalPages":0,"hasNextPage":false,"hasPrevPage":false}}`)
	draft := d.create(`{"content":"one","platforms":["mastodon-1"]}`)
	d.forward(time.Hour)
	two := d.create(scheduled)
	d.do("GET", "/list-posts", "").want(200, `{"success":true,"posts":[`+
		`{"postGroupId":"`+two+`","content":"x","status":"scheduled","scheduledTime":"2026-03-03T09:00:00.000Z","createdAt":"2026-03-02T09:00:00.000Z","updatedAt":"2026-03-02T09:00:00.000Z","platforms":[{"platformId":"mastodon-1","platform":"mastodon","status":"scheduled"},{"platformId":"twitter-2","platform":"twitter","status":"scheduled"}],"mediaUrls":[]},`+
		`{"postGroupId":"`+draft+`","content":"one","status":"draft","createdAt":"2026-03-02T08:00:00.000Z","updatedAt":"2026-03-02T08:00:00.000Z","platforms":[{"platformId":"mastodon-1","platform":"mastodon","status":"draft"}],"mediaUrls":[]}],`+
		`"pagination":{"page":1,"limit":20,"totalItems":2,"totalPages":1,"hasNextPage":false,"hasPrevPage":false}}`)
	d.do("DELETE", "/delete-post/"+two, "").ok()
	if p := d.list(""); len(p.Posts) != 1 || p.Pagination.TotalItems != 1 {
		t.Errorf("a deleted group is listed: %+v", p)
	}
}

// CONTRACT §2.5, "Parsing".
func TestListPostsReadsItsParameters(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for i := range 25 {
		d.create(fmt.Sprintf(`{"content":"%d","platforms":[%q],"scheduledTime":"2026-03-%02dT09:00:00Z"}`, i, []string{"mastodon-1", "twitter-2"}[i%2], 3+i))
	}
	d.create(`{"content":"draft","platforms":["linkedin-Ab3"]}`)
	for _, c := range []struct {
		query                string
		n, total, page, size int
		first                string
	}{
		{"", 20, 26, 1, 20, "draft"},
		{"?page=2", 6, 26, 2, 20, "5"},
		{"?page=0", 20, 26, 1, 20, "draft"},
		{"?page=-3&limit=-5", 1, 26, 1, 1, "draft"},
		{"?page=x&limit=abc", 20, 26, 1, 20, "draft"},
		{"?page=2.9&limit=10.5", 10, 26, 2, 10, "15"},
		{"?limit=500", 26, 26, 1, 100, "draft"},
		{"?limit=0", 20, 26, 1, 20, "draft"},
		{"?page=99", 0, 26, 99, 20, ""},
		{"?status=draft", 1, 1, 1, 20, "draft"},
		{"?status=", 20, 26, 1, 20, "draft"},
		{"?platform=twitter", 12, 12, 1, 20, "23"},
		{"?platform=TWITTER", 12, 12, 1, 20, "23"},
		{"?platform=twitter-2", 12, 12, 1, 20, "23"},
		{"?platform=twit", 0, 0, 1, 20, ""},
		{"?platform=.*", 0, 0, 1, 20, ""},
		{"?sortOrder=asc", 20, 26, 1, 20, "0"},
		{"?sortOrder=ASC", 20, 26, 1, 20, "draft"},
		{"?sortBy=scheduledTime", 20, 26, 1, 20, "24"},
		{"?sortBy=scheduledTime&sortOrder=asc", 20, 26, 1, 20, "draft"}, // a missing time is the smallest
		{"?sortBy=updatedAt&sortOrder=asc", 20, 26, 1, 20, "0"},
		{"?fromDate=2026-03-25", 3, 3, 1, 20, "24"},
		{"?fromDate=2026-03-05T09:00:00Z&toDate=2026-03-06T09:00:00Z", 2, 2, 1, 20, "3"},
		{"?toDate=2026-03-03%2009:00:00", 1, 1, 1, 20, "0"},
	} {
		t.Run(c.query, func(t *testing.T) {
			p := d.list(c.query)
			first := ""
			if len(p.Posts) > 0 {
				first = p.Posts[0].Content
			}
			if g := p.Pagination; len(p.Posts) != c.n || first != c.first || g.TotalItems != c.total || g.Page != c.page || g.Limit != c.size {
				t.Errorf("got %d posts, the first %q, of %+v; want %d, %q, of %d on page %d of %d", len(p.Posts), first, g, c.n, c.first, c.total, c.page, c.size)
			}
			if g := p.Pagination; g.TotalPages != (g.TotalItems+g.Limit-1)/g.Limit || g.HasNextPage != (g.Page < g.TotalPages) || g.HasPrevPage != (g.Page > 1) {
				t.Errorf("pagination %+v", g)
			}
		})
	}
	for query, want := range map[string]string{
		"?status=pending":                        "Invalid status. Must be one of: draft, scheduled, published, failed, partially_published",
		"?status=Draft":                          "Invalid status. Must be one of: draft, scheduled, published, failed, partially_published",
		"?sortBy=content":                        "Invalid sortBy. Must be one of: createdAt, updatedAt, scheduledTime",
		"?fromDate=soon":                         "Invalid fromDate format",
		"?toDate=03/15/2026":                     "Invalid toDate format",
		"?fromDate=2026-03-01T09:00:00%2B00:00Z": "Invalid fromDate format",
		// What cannot be unescaped is not taken for nothing: the list would be of all.
		"?status=%zz":           "Invalid status. Must be one of: draft, scheduled, published, failed, partially_published",
		"?status=draft;limit=1": "Invalid status. Must be one of: draft, scheduled, published, failed, partially_published",
	} {
		d.do("GET", "/list-posts"+query, "").wantError(400, want)
	}
	d.set.StrictCompat = true
	if p := d.list("?platform=twitter-2"); p.Pagination.TotalItems != 0 {
		t.Errorf("strict: a whole id selects %d groups", p.Pagination.TotalItems)
	}
}

// CONTRACT §2.6.
func TestPlatformConnectionsAnswers(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(d *desk) {
		d.account.Connections = []api.Connection{
			{ID: "twitter-2", Username: "acme"},
			{ID: "linkedin-Ab3", Username: "Acme", DisplayName: "Acme GmbH", ProfileURL: "https://l.example/a", ImageURL: "https://l.example/a.png", TokenExpires: start.Add(82*24*time.Hour + 4*time.Hour + 59*time.Minute)},
		}
	})
	d.do("GET", "/platform-connections", "").want(200, `{"success":true,"connections":[`+
		`{"platformId":"twitter-2","platform":"twitter","username":"acme","displayName":null,"profileImageUrl":null,"profileUrl":null,"accessTokenExpiresAt":null,"tokenStatus":"unknown","tokenExpiresIn":null,"lastSuccessfulPost":null,"lastError":null},`+
		`{"platformId":"linkedin-Ab3","platform":"linkedin","username":"Acme","displayName":"Acme GmbH","profileImageUrl":"https://l.example/a.png","profileUrl":"https://l.example/a","accessTokenExpiresAt":"2026-05-23T12:59:00.000Z","tokenStatus":"valid","tokenExpiresIn":"82d 4h","lastSuccessfulPost":null,"lastError":null}]}`)

	d.create(`{"content":"x","platforms":["twitter-2"],"scheduledTime":"2026-03-02T08:00:00Z"}`)
	d.send(d.published())
	d.create(`{"content":"x","platforms":["twitter-2"],"scheduledTime":"2026-03-02T08:00:00Z"}`)
	d.send(d.failed())
	body := d.do("GET", "/platform-connections", "").ok().Body
	for _, want := range []string{`"lastSuccessfulPost":"2026-03-02T08:00:00.000Z"`, `"lastError":{"message":"the token was refused","occurredAt":"2026-03-02T08:00:00.000Z"}`} {
		if !strings.Contains(body, want) {
			t.Errorf("%s lacks %s", body, want)
		}
	}
	d.set.StrictCompat = true
	if body := d.do("GET", "/platform-connections", "").ok().Body; strings.Contains(body, `"platform":`) {
		t.Errorf("strict: %s", body)
	}
}

// CONTRACT §2.6, tokenStatus and tokenExpiresIn.
func TestTokensEndInTheContractsWords(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for left, want := range map[time.Duration]string{
		7 * 24 * time.Hour:               `"tokenStatus":"valid","tokenExpiresIn":"7d 0h"`,
		7*24*time.Hour - time.Nanosecond: `"tokenStatus":"expiring_soon","tokenExpiresIn":"6d 23h"`,
		24 * time.Hour:                   `"tokenStatus":"expiring_soon","tokenExpiresIn":"1d 0h"`,
		23 * time.Hour:                   `"tokenStatus":"expiring_soon","tokenExpiresIn":"23h"`,
		time.Hour:                        `"tokenStatus":"expiring_soon","tokenExpiresIn":"1h"`,
		time.Minute:                      `"tokenStatus":"expiring_soon","tokenExpiresIn":"< 1h"`,
		0:                                `"tokenStatus":"expired","tokenExpiresIn":"expired"`,
		-time.Hour:                       `"tokenStatus":"expired","tokenExpiresIn":"expired"`,
	} {
		d.account.Connections[0].TokenExpires = start.Add(left)
		if body := d.do("GET", "/platform-connections", "").ok().Body; !strings.Contains(body, want) {
			t.Errorf("%s left: %s lacks %s", left, body, want)
		}
	}
}

// CONTRACT §2.7.
func TestTestConnectionAnswers(t *testing.T) {
	t.Parallel()
	const canary = "token-canary"
	d := newDesk(t, func(d *desk) {
		d.account.Connections = []api.Connection{
			{ID: "mastodon-1", Username: "@acme", Check: func(context.Context) (post.Identity, error) {
				return post.Identity{Username: "@acme@social.example", DisplayName: "John Doe", Permissions: []string{"write"}}, nil
			}},
			{ID: "bluesky-did:plc:abc", Username: "acme", Check: func(context.Context) (post.Identity, error) {
				return post.Identity{}, &post.Failure{Class: post.ClassAuth, Sent: post.Refused, Status: 401, Message: "The app password was refused", Err: fmt.Errorf("%s", canary)}
			}},
			{ID: "pinterest-1"},
		}
	})
	d.do("POST", "/test-connection/mastodon-1", "").want(200, `{"platform":"mastodon","platformId":"mastodon-1","username":"@acme@social.example","status":"ok","message":"Connected as John Doe","permissions":["write"],"tokenExpiresIn":null,"lastSuccessfulPost":null,"lastError":null}`)
	bad := `{"platform":"bluesky","platformId":"bluesky-did:plc:abc","username":"acme","status":"error","message":"The app password was refused","permissions":[],"tokenExpiresIn":null,"lastSuccessfulPost":null,"lastError":null}`
	d.do("POST", "/test-connection/bluesky-did:plc:abc", "").want(200, bad)
	d.do("POST", "/test-connection/"+url.PathEscape("bluesky-did:plc:abc"), "").want(200, bad)
	d.do("POST", "/test-connection/bluesky-did%3Aplc%3Aabc", `{}`).want(200, bad)
	d.do("POST", "/test-connection/pinterest-1", "").want(200, `{"platform":"pinterest","platformId":"pinterest-1","username":"unknown","status":"error","message":"Unknown platform: pinterest","permissions":[],"tokenExpiresIn":null,"lastSuccessfulPost":null,"lastError":null}`)
	d.do("POST", "/test-connection/twitter", "").wantError(400, "Invalid platformId format")
	d.do("POST", "/test-connection/twitter-9", "").wantError(404, "Connection not found")
}

// CONTRACT §2.8.
func TestPostLogsTellWhatHappened(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	id := d.create(`{"content":"x","platforms":["mastodon-1"],"scheduledTime":"2026-03-02T08:00:00Z"}`)
	one := d.group(id).Posts[0].ID.String()
	d.send(d.failed())
	d.set.StrictCompat = true
	var logs struct{ Logs []map[string]any }
	got := d.do("GET", "/post-logs/"+id, "").ok()
	got.into(&logs)
	for _, l := range logs.Logs {
		if l["postGroupId"] != id || l["createdAt"] != l["updatedAt"] || len(l["_id"].(string)) != 24 {
			t.Errorf("entry %v", l)
		}
	}
	if !strings.Contains(got.Body, `"postId":"`+one+`","platform":"mastodon","event":"publish_failed","error":"the token was refused","httpStatus":401,"retryCount":0,"metadata":{"errorCode":"PLATFORM_AUTH_EXPIRED","retryable":false}`) {
		t.Errorf("the failure is not told: %s", got.Body)
	}
	if strings.Contains(got.Body, "null") {
		t.Errorf("what does not apply must be absent: %s", got.Body)
	}
	d.set.StrictCompat = false
	d.do("GET", "/post-logs/"+id+"?order=desc&limit=1", "").ok().into(&logs)
	if len(logs.Logs) != 1 || logs.Logs[0]["event"] == "scheduled" {
		t.Errorf("the latest one: %v", logs.Logs)
	}
	d.do("GET", "/post-logs/x", "").wantError(404, "Post group not found")
	d.do("GET", "/post-logs/"+strings.Repeat("a", 24), "").wantError(404, "Post group not found")
}

// CONTRACT §3, "Log event(s)": those of a post, and those of the group, which name
// neither post nor platform.
func TestPostLogsHaveTheContractsEventsInItsOrder(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	id := d.create(draft)
	platforms := map[string]string{}
	for _, p := range d.group(id).Posts {
		platforms[p.ID.String()] = string(p.Connection.Platform())
	}
	events := func() string {
		var body struct {
			Logs []struct {
				ID       string `json:"_id"`
				PostID   string
				Platform string
				Event    string
			}
		}
		d.do("GET", "/post-logs/"+id, "").ok().into(&body)
		var all []string
		ids := map[string]bool{}
		for _, l := range body.Logs {
			if ids[l.ID] || l.Platform != platforms[l.PostID] {
				t.Errorf("entry %+v: an id that is another's, or a platform that is not its post's", l)
			}
			ids[l.ID] = true
			all = append(all, strings.TrimSpace(l.Platform+" "+l.Event))
		}
		return strings.Join(all, ", ")
	}
	check := func(when, want string) {
		t.Helper()
		if got := events(); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", when, got, want)
		}
	}
	step := func(body string) {
		t.Helper()
		d.do("PUT", "/update-post/"+id, body).ok()
	}
	check("a draft", "status_changed")
	d.set.StrictCompat = true
	check("a draft, strictly", "")
	want := "status_changed, mastodon scheduled, twitter scheduled"
	step(`{"status":"scheduled","scheduledTime":"2026-03-02T09:00:00Z"}`)
	check("scheduled", want)
	step(`{"scheduledTime":"2026-03-02T10:00:00Z"}`)
	want += ", mastodon scheduled, twitter scheduled"
	check("rescheduled", want)
	step(`{"status":"draft"}`)
	want += ", status_changed"
	check("paused", want)
	step(`{"status":"scheduled","scheduledTime":"2020-01-01T00:00:00Z"}`)
	want += ", status_changed, mastodon scheduled, twitter scheduled"
	check("scheduled again", want)
	one, two := platforms[d.send(d.published()).Post.ID.String()], "twitter"
	if one == two {
		two = "mastodon"
	}
	want += fmt.Sprintf(", processing, %[1]s processing, %[1]s publish_attempted, %[1]s publish_succeeded", one)
	check("one of two sent", want)
	d.send(d.failed())
	want += fmt.Sprintf(", %[1]s processing, %[1]s publish_attempted, %[1]s publish_failed, status_changed", two)
	check("both sent", want)
}
