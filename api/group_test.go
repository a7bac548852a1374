package api_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postroom/postroom/api"
	"github.com/postroom/postroom/post"
)

const scheduled = `{"content":"x","platforms":["mastodon-1","twitter-2"],"scheduledTime":"2026-03-03T09:00:00.000Z"}`

// CONTRACT §2.2.
func TestUpdatePostChecksInTheContractsOrder(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	id := d.create(scheduled)
	for _, c := range []struct {
		name, id, body, want string
		status               int
	}{
		{"1 nothing", "x", `{}`, "Either status or scheduledTime must be provided", 400},
		{"1 all false", "x", `{"status":"","scheduledTime":null,"content":""}`, "Either status or scheduledTime must be provided", 400},
		{"2 another status", "x", `{"status":"published"}`, "Status must be either 'draft' or 'scheduled'", 400},
		{"2 a status that is no text", "x", `{"status":true}`, "Status must be either 'draft' or 'scheduled'", 400},
		{"3 no time", "x", `{"scheduledTime":"soon"}`, "Invalid scheduled time format", 400},
		{"4 a bad id", "x", `{"status":"draft"}`, "Post group not found", 404},
		{"5 no group", strings.Repeat("a", 24), `{"status":"draft"}`, "Post group not found", 404},
	} {
		t.Run(c.name, func(t *testing.T) {
			d.do("PUT", "/update-post/"+c.id, c.body).wantError(c.status, c.want)
		})
	}
	t.Run("an id in capitals is the same id", func(t *testing.T) {
		d.do("GET", "/get-post/"+strings.ToUpper(id), "").ok()
	})
	t.Run("5 the id of a platform post", func(t *testing.T) {
		d.do("PUT", "/update-post/"+d.group(id).Posts[0].ID.String(), `{"status":"draft"}`).wantError(404, "Post group not found")
	})
	t.Run("D1 strict", func(t *testing.T) {
		s := newDesk(t, strict)
		s.do("PUT", "/update-post/x", `{"status":"draft"}`).want(500, `{"error":"Failed to update post"}`)
		s.do("GET", "/get-post/x", "").want(500, `{"error":"Failed to fetch post group"}`)
		s.do("DELETE", "/delete-post/x", "").want(500, `{"error":"Failed to delete post group"}`)
	})
}

// CONTRACT §2.2, "Request on".
func TestUpdatePostMovesAGroupThroughItsLife(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	id := d.create(`{"content":"x","platforms":["mastodon-1","twitter-2"]}`)
	step := func(body, status, at string) {
		t.Helper()
		want := `{"success":true,"message":"Post updated successfully","postGroup":{"_id":"` + id + `","status":"` + status + `"`
		if at != "" {
			want += `,"scheduledTime":"` + at + `"`
		}
		d.do("PUT", "/update-post/"+id, body).want(200, want+"}}")
		for _, p := range d.group(id).Posts {
			if p.Status.String() != status {
				t.Errorf("after %s: %s is %s", body, p.Connection, p.Status)
			}
		}
	}
	step(`{"status":"draft"}`, "draft", "")
	step(`{"scheduledTime":"2026-03-04T09:00:00.250Z"}`, "draft", "2026-03-04T09:00:00.250Z")
	step(`{"status":"scheduled"}`, "scheduled", "2026-03-04T09:00:00.250Z")
	step(`{"scheduledTime":"2026-03-05T09:00:00Z"}`, "scheduled", "2026-03-05T09:00:00.000Z")
	step(`{"status":"draft"}`, "draft", "2026-03-05T09:00:00.000Z")
	step(`{"status":"scheduled","scheduledTime":"2026-03-06T09:00:00Z"}`, "scheduled", "2026-03-06T09:00:00.000Z")
	step(`{"status":"draft"}`, "draft", "2026-03-06T09:00:00.000Z")
	d.forward(10 * 24 * time.Hour)
	step(`{"status":"scheduled"}`, "scheduled", "2026-03-12T08:00:00.000Z") // a past time is now
	step(`{"scheduledTime":"2020-01-01T00:00:00Z"}`, "scheduled", "2026-03-12T08:00:00.000Z")
	other := d.create(`{"content":"x","platforms":["mastodon-1"]}`)
	id = other
	step(`{"status":"scheduled"}`, "scheduled", "2026-03-12T08:00:00.000Z") // no time is now
}

// CONTRACT §4.2: a group's own posts do not stand in its way.
func TestAFullAccountCanStillReschedule(t *testing.T) {
	t.Parallel()
	d := newDesk(t, withPlan("starter"))
	ids := []string{}
	for range 3 {
		ids = append(ids, d.create(`{"content":"x","platforms":["mastodon-1"],"scheduledTime":"2026-03-03T08:00:00Z"}`))
	}
	d.do("PUT", "/update-post/"+ids[0], `{"scheduledTime":"2026-03-05T08:00:00Z"}`).ok()
	d.do("PUT", "/update-post/"+ids[0], `{"scheduledTime":"2026-03-25T08:00:00Z"}`).wantError(403, "Schedule horizon reached")
	draft := d.create(`{"content":"x","platforms":["mastodon-1"]}`)
	d.do("PUT", "/update-post/"+draft, `{"scheduledTime":"2026-03-25T08:00:00Z"}`).ok() // a draft is not asked of the plan
	d.do("PUT", "/update-post/"+draft, `{"status":"scheduled"}`).wantError(403, "Scheduled post limit reached")
	d.do("PUT", "/update-post/"+ids[0], `{"status":"draft"}`).ok()
	d.do("PUT", "/update-post/"+draft, `{"status":"scheduled","scheduledTime":"2026-03-05T08:00:00Z"}`).ok()
}

// send does to the first post of a connection what the dispatcher does, up to the
// intent to send, and records done when it is not nil.
func (d *desk) send(done *post.Done) post.Delivery {
	d.Helper()
	leases, err := d.store.Acquire(d.Context(), time.Minute, 1)
	if err != nil || len(leases) != 1 {
		d.Fatalf("%d leases, %v", len(leases), err)
	}
	next, err := d.store.Next(d.Context(), leases[0], nil, 0)
	if err != nil || !next.OK {
		d.Fatalf("nothing to send: %v", err)
	}
	if done != nil {
		done.ID = next.Delivery.Post.ID
		if err := d.store.Finish(d.Context(), leases[0], *done); err != nil {
			d.Fatal(err)
		}
		if err := d.store.Release(d.Context(), leases[0]); err != nil {
			d.Fatal(err)
		}
	}
	return next.Delivery
}

func (d *desk) published() *post.Done {
	return &post.Done{Status: post.StatusPublished, Receipt: &post.Receipt{RemoteID: "r1", URL: "https://social.example/r1", PublishedAt: d.clock()}}
}

func (d *desk) failed() *post.Done {
	return &post.Done{Status: post.StatusFailed, Outcome: &post.Outcome{Code: "PLATFORM_AUTH_EXPIRED", Message: "the token was refused", HTTPStatus: 401, At: d.clock()}}
}

// CONTRACT §2.2 row 6.
func TestWhatIsBeingSentOrWasSentIsNotChanged(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	id := d.create(`{"content":"x","platforms":["mastodon-1"],"scheduledTime":"2026-03-02T08:00:00Z"}`)
	d.send(nil)
	d.do("PUT", "/update-post/"+id, `{"status":"draft"}`).wantError(400, "Cannot update post: post is currently in processing status")

	d = newDesk(t)
	id = d.create(`{"content":"x","platforms":["mastodon-1"],"scheduledTime":"2026-03-02T08:00:00Z"}`)
	d.send(d.published())
	d.do("PUT", "/update-post/"+id, `{"status":"draft"}`).wantError(400, "Cannot update post: post is currently in published status")
	d.do("PUT", "/update-post/"+id, `{"scheduledTime":"2026-03-09T08:00:00Z"}`).wantError(400, "Cannot update post: post is currently in published status")
}

// CONTRACT §2.2 and P2: an update that comes at the due minute either keeps a post
// from being sent, or is told that it comes too late; and so does a deletion.
func TestP2_WhoeverIsFirstAtTheDueMinuteDecides(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	const n = 60
	ids := make([]string, n)
	for i := range ids {
		ids[i] = d.create(`{"content":"x","platforms":["mastodon-1"],"scheduledTime":"2026-03-02T08:00:00Z"}`)
	}
	sent := map[string]bool{}
	answers := make([]answer, n)
	var wg sync.WaitGroup
	leases, err := d.store.Acquire(t.Context(), time.Minute, 1)
	if err != nil || len(leases) != 1 {
		t.Fatalf("%d leases, %v", len(leases), err)
	}
	wg.Go(func() {
		var done *post.Done
		for {
			next, err := d.store.Next(t.Context(), leases[0], done, 0)
			if err != nil {
				t.Error(err)
			}
			if err != nil || !next.OK {
				return
			}
			sent[next.Delivery.Post.Group.String()] = true
			done = d.published()
			done.ID = next.Delivery.Post.ID
		}
	})
	for i, id := range ids {
		wg.Go(func() {
			switch i % 3 {
			case 0:
				answers[i] = d.do("PUT", "/update-post/"+id, `{"status":"draft"}`)
			case 1:
				answers[i] = d.do("PUT", "/update-post/"+id, `{"scheduledTime":"2026-03-09T08:00:00Z"}`)
			case 2:
				answers[i] = d.do("DELETE", "/delete-post/"+id, "")
			}
		})
	}
	wg.Wait()
	for i, a := range answers {
		g := d.group(ids[i])
		status := g.Status()
		switch {
		case i%3 == 2: // a deletion is always taken, and removes nothing that is live
			if a.ok(); sent[ids[i]] != (status == post.StatusPublished) {
				t.Errorf("deleted, sent %t, it is %s", sent[ids[i]], status)
			}
		case a.Status == 200 && sent[ids[i]]:
			t.Errorf("update %d was answered 200, and its post was sent", i)
		case a.Status == 200 || a.Status == 400 && strings.HasPrefix(a.Body, `{"error":"Cannot update post: post is currently in p`):
		default:
			t.Errorf("update %d: %d %s", i, a.Status, a.Body)
		}
	}
}

// CONTRACT §2.3, with A3 and A6.
func TestGetPostShowsEachPlatform(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	id := d.create(`{"content":"x <&> é","platforms":["linkedin-Ab3","mastodon-1"],"scheduledTime":"2026-03-02T08:00:00Z"}`)
	g := d.group(id)
	one, two := g.Posts[0].ID.String(), g.Posts[1].ID.String()
	d.do("GET", "/get-post/"+id, "").want(200, `{"success":true,"postGroupId":"`+id+`","posts":[`+
		`{"_id":"`+one+`","platform":"linkedin","platformId":"Ab3","content":"x <&> é","status":"scheduled"},`+
		`{"_id":"`+two+`","platform":"mastodon","platformId":"1","content":"x <&> é","status":"scheduled"}],`+
		`"status":"scheduled","content":"x <&> é","scheduledTime":"2026-03-02T08:00:00.000Z","processingStatus":"pending"}`)

	first := d.send(d.published()).Post.ID.String()
	d.send(d.failed())
	ok := `"status":"published","postedId":"r1","publishedAt":"2026-03-02T08:00:00.000Z","publishedUrl":"https://social.example/r1"}`
	bad := `"status":"failed","error":{"code":"PLATFORM_AUTH_EXPIRED","message":"the token was refused","platformStatusCode":401,"platformError":null,"failedAt":"2026-03-02T08:00:00.000Z","retryable":false}}`
	if first == two {
		ok, bad = bad, ok
	}
	d.do("GET", "/get-post/"+id, "").want(200, `{"success":true,"postGroupId":"`+id+`","posts":[`+
		`{"_id":"`+one+`","platform":"linkedin","platformId":"Ab3","content":"x <&> é",`+ok+`,`+
		`{"_id":"`+two+`","platform":"mastodon","platformId":"1","content":"x <&> é",`+bad+`],`+
		`"status":"partially_published","content":"x <&> é","scheduledTime":"2026-03-02T08:00:00.000Z","processingStatus":"finished"}`)

	d.set.StrictCompat = true
	body := d.do("GET", "/get-post/"+id, "").ok().Body
	if strings.Contains(body, "publishedAt") || strings.Contains(body, "processingStatus") || !strings.Contains(body, `"postedId":"r1"`) {
		t.Errorf("strict: %s", body)
	}
}

// CONTRACT §2.3, §3: a thread is one post with its parts; what is live of one that
// stopped is told, and makes even a group of one partially published.
func TestAThreadThatStoppedIsShownPartByPart(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	id := d.create(`{"content":"one two three","platforms":["twitter-2"],"scheduledTime":"2026-03-02T08:00:00Z"}`)
	const why = "Twitter thread partially published (1/3): Rate limit exceeded"
	d.send(&post.Done{
		Status: post.StatusFailed, Outcome: &post.Outcome{Code: "RATE_LIMITED", Message: why, HTTPStatus: 429, At: d.clock()},
		Parts: []post.Part{{Text: "one", RemoteID: "r1"}, {Text: "two"}, {Text: "three"}},
	})
	one := d.group(id).Posts[0].ID.String()
	failed := `"error":{"code":"RATE_LIMITED","message":"` + why + `","platformStatusCode":429,"platformError":null,"failedAt":"2026-03-02T08:00:00.000Z","retryable":false}`
	d.do("GET", "/get-post/"+id, "").want(200, `{"success":true,"postGroupId":"`+id+`","posts":[`+
		`{"_id":"`+one+`","platform":"twitter","platformId":"2","content":"one two three","status":"failed",`+failed+`,"parts":[`+
		`{"index":1,"content":"one","status":"published","postedId":"r1"},{"index":2,"content":"two","status":"failed","error":"`+why+`"},{"index":3,"content":"three","status":"failed"}]}],`+
		`"status":"partially_published","content":"one two three","scheduledTime":"2026-03-02T08:00:00.000Z","processingStatus":"finished"}`)
	if n := d.list("?status=partially_published").Pagination.TotalItems; n != 1 {
		t.Errorf("%d groups are listed as partially published", n)
	}
	if n := d.list("?status=published").Pagination.TotalItems + d.list("?status=failed").Pagination.TotalItems; n != 0 {
		t.Errorf("%d groups are listed as published or failed", n)
	}
	d.set.StrictCompat = true
	if body := d.do("GET", "/get-post/"+id, "").ok().Body; strings.Contains(body, "parts") {
		t.Errorf("strict: %s", body)
	}
}

// DESIGN §3: the contract has no word for a post whose outcome is unknown.
func TestAPostOfUnknownOutcomeIsShownAsFailedForGood(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	id := d.create(`{"content":"x","platforms":["mastodon-1"],"scheduledTime":"2026-03-02T08:00:00Z"}`)
	d.send(&post.Done{Status: post.StatusUnknown, Outcome: &post.Outcome{Code: "TIMEOUT_ERROR", Message: "no answer", Retryable: true, At: d.clock()}})
	var got struct {
		Status string
		Posts  []struct {
			Status string
			Error  struct {
				Code      string
				Retryable bool
			}
		}
	}
	d.do("GET", "/get-post/"+id, "").ok().into(&got)
	if p := got.Posts[0]; got.Status != "failed" || p.Status != "failed" || p.Error.Code != "OUTCOME_UNKNOWN" || p.Error.Retryable {
		t.Errorf("got %+v", got)
	}
}

// CONTRACT §2.4.
func TestDeletePostWorksInEveryStateAndOnce(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(d *desk) string{
		"draft":     func(d *desk) string { return d.create(`{"content":"x","platforms":["mastodon-1"]}`) },
		"scheduled": func(d *desk) string { return d.create(scheduled) },
		"being sent": func(d *desk) string {
			id := d.create(`{"content":"x","platforms":["mastodon-1","twitter-2"],"scheduledTime":"2026-03-02T08:00:00Z"}`)
			d.send(nil)
			return id
		},
		"published": func(d *desk) string {
			id := d.create(`{"content":"x","platforms":["mastodon-1"],"scheduledTime":"2026-03-02T08:00:00Z"}`)
			d.send(d.published())
			return id
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			id := prepare(d)
			d.do("DELETE", "/delete-post/"+id, "").want(200, `{"success":true}`)
			d.do("DELETE", "/delete-post/"+id, "").wantError(404, "Post group not found")
			d.do("GET", "/get-post/"+id, "").wantError(404, "Post group not found")
			d.do("PUT", "/update-post/"+id, `{"status":"draft"}`).wantError(404, "Post group not found")
			for _, p := range d.group(id).Posts {
				if p.Status.Editable() || p.Status == post.StatusPending {
					t.Errorf("a post of a deleted group is still %s", p.Status)
				}
			}
		})
	}
	d := newDesk(t)
	d.do("DELETE", "/delete-post/nothing", "").wantError(404, "Post group not found")
}

// Keys of one account reach nothing of another's, whatever call names it. Webhooks
// have a test of their own.
func TestAnAccountSeesNothingOfAnother(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.takes(func(_ string, j *post.Job) error {
		j.Report = filepath.Join(d.TempDir(), "report.csv")
		return os.WriteFile(j.Report, []byte("secret"), 0o600)
	})
	id := d.create(scheduled)
	at := d.upload(id, "a.png")
	var j job
	d.do("POST", "/bulk/import", "content\nx\n", "Idempotency-Key", "week").into(&j)
	d.run()
	d.do("GET", "/bulk/jobs/"+j.Job.ID+"/results.csv", "").ok()
	once := d.do("POST", "/create-post", draft, "Idempotency-Key", "k").ok()

	d.account.ID = "other"
	d.key, _ = d.newKey("other")
	const none = "Post group not found"
	for _, c := range []struct{ method, path, body, want string }{
		{"GET", "/get-post/ID", "", none},
		{"PUT", "/update-post/ID", `{"status":"draft"}`, none},
		{"DELETE", "/delete-post/ID", "", none},
		{"GET", "/post-logs/ID", "", none},
		{"POST", "/get-upload-url", `{"fileName":"a","contentType":"image/png","postGroupId":"ID"}`, none},
		{"POST", "/validate-post", `{"postGroupId":"ID"}`, none},
		{"POST", "/bulk/delete", `{"ids":["ID"]}`, none + ": ID"},
		{"POST", "/bulk/reschedule", `{"ids":["ID"],"shiftMinutes":1}`, none + ": ID"},
		{"POST", "/bulk/schedule-drafts", `{"ids":["ID"]}`, none + ": ID"},
		{"GET", "/bulk/jobs/" + j.Job.ID, "", "Job not found"},
		{"GET", "/bulk/jobs/" + j.Job.ID + "/results.csv", "", "Job not found"},
	} {
		with := strings.NewReplacer("ID", id)
		d.do(c.method, with.Replace(c.path), with.Replace(c.body)).wantError(404, with.Replace(c.want))
	}
	if p := d.list(""); p.Pagination.TotalItems != 0 {
		t.Errorf("listed %+v", p)
	}
	if b := d.bulk("delete", `{"filter":{}}`); b.Matched != 0 {
		t.Errorf("a filter of all means %d posts of another account", b.Matched)
	}
	if body := d.do("GET", "/limits", "").ok().Body; strings.Contains(body, `"used":1`) {
		t.Errorf("limits count another account's posts: %s", body)
	}
	if body := d.do("POST", "/create-post", draft, "Idempotency-Key", "k").ok().Body; body == once.Body {
		t.Errorf("another account's Idempotency-Key is answered with %s", body)
	}
	d.put(at, picture(1)).stored() // a signed URL is a right of its own, whoever has it
}

// CONTRACT §2.2: posts may be kept apart, and the answer says where one went.
func TestPostsOnOneConnectionAreKeptApartWhenTheAccountWantsIt(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(d *desk) { d.account.MinInterval = 10 * time.Minute })
	create := func(conns, at string) (id, became string) {
		t.Helper()
		id = d.create(`{"content":"x","platforms":[` + conns + `],"scheduledTime":"2026-03-03T` + at + `Z"}`)
		return id, d.group(id).Posts[0].DueAt.Format(time.TimeOnly)
	}
	for _, c := range []struct{ conns, at, want string }{
		{`"mastodon-1"`, "09:00:00", "09:00:00"},
		{`"twitter-2"`, "09:00:00", "09:00:00"}, // another connection
		{`"mastodon-1"`, "09:20:00", "09:20:00"},
		{`"mastodon-1"`, "08:55:00", "09:10:00"}, // the first gap, exactly
		{`"mastodon-1"`, "08:50:00", "08:50:00"},
		{`"mastodon-1"`, "09:00:00", "09:30:00"},
		{`"mastodon-1","twitter-2"`, "09:05:00", "09:40:00"}, // free on both
	} {
		if _, got := create(c.conns, c.at); got != c.want {
			t.Errorf("%s on %s became %s, want %s", c.at, c.conns, got, c.want)
		}
	}
	for range 150 { // more than are looked at in one read
		create(`"linkedin-Ab3"`, "10:00:00")
	}
	id, got := create(`"linkedin-Ab3"`, "10:00:00")
	if want := start.Add(26*time.Hour + 1500*time.Minute); !d.group(id).Posts[0].DueAt.Equal(want) {
		t.Errorf("the 151st is at %s, want %s", got, want)
	}
	id, _ = create(`"mastodon-1"`, "20:00:00")
	move := func(body, want string) {
		t.Helper()
		var as struct {
			PostGroup struct{ ScheduledTime string }
		}
		d.do("PUT", "/update-post/"+id, body).ok().into(&as)
		if as.PostGroup.ScheduledTime != want {
			t.Errorf("%s: at %s, want %s", body, as.PostGroup.ScheduledTime, want)
		}
	}
	move(`{"scheduledTime":"2026-03-03T20:05:00Z"}`, "2026-03-03T20:05:00.000Z") // its own place is free
	move(`{"scheduledTime":"2026-03-03T09:15:00Z"}`, "2026-03-03T09:50:00.000Z")
	move(`{"status":"draft"}`, "2026-03-03T09:50:00.000Z")
	move(`{"scheduledTime":"2026-03-03T09:15:00Z"}`, "2026-03-03T09:15:00.000Z") // a draft is in nobody's way
	move(`{"status":"scheduled"}`, "2026-03-03T09:50:00.000Z")
}

func TestPostsThatComeAtOnceAreKeptApart(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(d *desk) { d.account.MinInterval = time.Minute })
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			d.do("POST", "/create-post", `{"content":"x","platforms":["mastodon-1"],"scheduledTime":"2026-03-03T09:00:00Z"}`).ok()
		})
	}
	wg.Wait()
	at := map[time.Time]bool{}
	err := d.store.Taken(t.Context(), "acme", start, start.AddDate(0, 0, 7), func(_ post.ConnectionID, due time.Time, _ bool) error {
		at[due] = true
		return nil
	})
	if err != nil || len(at) != 20 {
		t.Errorf("20 posts at %d times, %v", len(at), err)
	}
}

// A meddled is a store in which somebody else is faster, once, than the next call of
// Arrange.
type meddled struct {
	api.Store
	first func()
}

func (m *meddled) Arrange(ctx context.Context, id post.ID, was *post.Group, to post.Status, at time.Time, caps []post.Cap, who string) (post.Group, error) {
	if first := m.first; first != nil {
		m.first = nil
		first()
	}
	return m.Store.Arrange(ctx, id, was, to, at, caps, who)
}

// Two clients that change one post at the same time are answered as if one had come
// after the other: what was paused stays so, and what was scheduled.
func TestAChangeUndoesNoneThatCameMeanwhile(t *testing.T) {
	t.Parallel()
	const first, second = "2026-03-03T09:00:00.000Z", "2026-03-04T09:00:00.000Z"
	const update, reschedule, drafts = "PUT /update-post/", "POST /bulk/reschedule ", "POST /bulk/schedule-drafts "
	for _, c := range []struct{ name, made, meanwhile, call, body, status, at string }{
		{"moved while it is paused", first, `{"status":"draft"}`, update, `{"scheduledTime":"` + second + `"}`, "draft", second},
		{"moved while it is scheduled", "", `{"status":"scheduled","scheduledTime":"` + first + `"}`, update, `{"scheduledTime":"` + second + `"}`, "scheduled", second},
		{"scheduled while it is moved", first, `{"scheduledTime":"` + second + `"}`, update, `{"status":"scheduled"}`, "scheduled", second},
		{"paused while it is moved", first, `{"scheduledTime":"` + second + `"}`, update, `{"status":"draft"}`, "draft", second},
		{"shifted while it is moved", first, `{"scheduledTime":"2026-03-04T08:00:00Z"}`, reschedule, `"shiftMinutes":60`, "scheduled", second},
		{"shifted while it is paused", first, `{"status":"draft"}`, reschedule, `"shiftMinutes":1440`, "draft", second},
		{"a draft no more", "", `{"status":"scheduled","scheduledTime":"` + first + `"}`, drafts, `"startTime":"` + second + `"`, "scheduled", first},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			id := d.create(`{"content":"x","platforms":["mastodon-1"],"scheduledTime":"` + c.made + `"}`)
			d.api.Store = &meddled{d.api.Store, func() { d.do("PUT", "/update-post/"+id, c.meanwhile).ok() }}
			method, path, _ := strings.Cut(c.call, " ")
			if c.call == update {
				d.do(method, path+id, c.body).ok()
			} else {
				d.do(method, strings.TrimSpace(path), `{"ids":["`+id+`"],`+c.body+`}`).ok()
			}
			var got struct{ Status, ScheduledTime string }
			d.do("GET", "/get-post/"+id, "").ok().into(&got)
			if got.Status != c.status || got.ScheduledTime != c.at {
				t.Errorf("it is %s for %s, want %s for %s", got.Status, got.ScheduledTime, c.status, c.at)
			}
		})
	}
	d := newDesk(t)
	id := d.create(`{"content":"x","platforms":["mastodon-1"],"scheduledTime":"` + first + `"}`)
	d.api.Store = &meddled{d.api.Store, func() { d.do("DELETE", "/delete-post/"+id, "").ok() }}
	d.do("PUT", "/update-post/"+id, `{"status":"scheduled"}`).wantError(404, "Post group not found")
}
