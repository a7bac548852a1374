package api_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/api"
	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
)

type bulk struct {
	Matched, Changed, Failed int
	Results                  []struct {
		PostGroupID, Status, ScheduledTime, Error string
		OK                                        bool
	}
}

func (d *desk) bulk(path, body string) bulk {
	d.Helper()
	var b bulk
	d.do("POST", "/bulk/"+path, body).ok().into(&b)
	return b
}

// CONTRACT §8.2 row 12: deleting page by page lost 100 of 250.
func TestBulkDeleteDeletesExactlyWhatIsMeant(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for i := range 250 {
		d.create(fmt.Sprintf(`{"content":"x","platforms":[%q]}`, []string{"mastodon-1", "mastodon-1", "twitter-2"}[i%3]))
	}
	if b := d.bulk("delete", `{"filter":{"platform":"mastodon"},"dry_run":true}`); b.Matched != 167 || b.Changed != 167 {
		t.Errorf("a dry run: %d of %d", b.Changed, b.Matched)
	}
	if n := d.list("").Pagination.TotalItems; n != 250 {
		t.Errorf("a dry run left %d of 250", n)
	}
	if b := d.bulk("delete", `{"filter":{"platform":"mastodon"}}`); b.Matched != 167 || b.Changed != 167 || b.Failed != 0 {
		t.Errorf("deleted %d of %d", b.Changed, b.Matched)
	}
	if n := d.list("").Pagination.TotalItems; n != 83 {
		t.Errorf("%d are left, want 83", n)
	}
}

// CONTRACT §8.2 row 12, §8.3: what is not understood deletes nothing, and a dry run
// is one however it is asked for.
func TestBulkCallsMeanNoMoreThanTheySay(t *testing.T) {
	t.Parallel()
	const oneOf, noDry = "Either ids or filter must be provided", "Invalid dry_run. Must be true or false"
	d := newDesk(t)
	id := d.create(draft)
	for _, c := range []struct{ query, body, want string }{
		{"", `{}`, oneOf},
		{"", `{"filter":null}`, oneOf},
		{"", `{"filter":[]}`, oneOf},
		{"", `{"filter":"{}"}`, oneOf},
		{"", `{"ids":["ID"],"filter":{}}`, oneOf},
		{"", `{"filter":{"status":1}}`, "Invalid filter: status must be a text that is not empty"},
		{"", `{"filter":{"status":"published","platform":null}}`, "Invalid filter: platform must be a text that is not empty"},
		{"", `{"filter":{"platform":""}}`, "Invalid filter: platform must be a text that is not empty"},
		{"", `{"filter":{"fromDate":["2026-03-01"]}}`, "Invalid filter: fromDate must be a text that is not empty"},
		{"", `{"filter":{},"dry_run":"maybe"}`, noDry},
		{"", `{"filter":{},"dry_run":[]}`, noDry},
		{"?dry_run=maybe", `{"filter":{}}`, noDry},
		{"", `{"ids":[]}`, ""},
		{"", `{"filter":{},"dry_run":true}`, ""},
		{"", `{"filter":{},"dry_run":"true"}`, ""},
		{"", `{"filter":{},"dry_run":1}`, ""},
		{"", `{"filter":{},"dryRun":true}`, ""},
		{"?dry_run=true", `{"filter":{},"dry_run":false}`, ""},
		{"?dryRun=1", `{"filter":{}}`, ""},
	} {
		a := d.do("POST", "/bulk/delete"+c.query, strings.ReplaceAll(c.body, "ID", id))
		if c.want != "" {
			a.wantError(400, c.want)
		} else {
			a.ok()
		}
		if d.do("GET", "/get-post/"+id, "").Status != 200 {
			t.Fatalf("%s with %s deleted a post", c.query, c.body)
		}
	}
	d.do("POST", "/bulk/schedule-drafts", `{"filter":{"status":"failed"},"startTime":"2026-04-01T08:00:00Z"}`).wantError(400, "Invalid status. Must be: draft")
	if b := d.bulk("delete", `{"ids":["`+id+`","`+id+`"],"filter":null,"dry_run":null}`); b.Matched != 1 || b.Changed != 1 || b.Failed != 0 {
		t.Errorf("the same id twice: %+v", b)
	}
}

// A dry run says what becomes of a post, also where posts are kept apart, and asks
// nothing of the plan for one that stays where it is.
func TestADryRunSaysWhereAPostGoes(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(d *desk) { d.account.MinInterval = 10 * time.Minute })
	d.create(`{"content":"x","platforms":["mastodon-1"],"scheduledTime":"2026-03-10T09:00:00Z"}`)
	id := d.create(`{"content":"y","platforms":["mastodon-1"],"scheduledTime":"2026-03-10T12:00:00Z"}`)
	for _, dry := range []string{"true", "false"} {
		b := d.bulk("reschedule", `{"ids":["`+id+`"],"startTime":"2026-03-10T09:05:00Z","dry_run":`+dry+`}`)
		if b.Changed != 1 || b.Results[0].ScheduledTime != "2026-03-10T09:10:00.000Z" {
			t.Errorf("dry %s: %+v", dry, b)
		}
	}
	d.account.Plan.Monthly = new(1) // the plan became smaller
	for _, dry := range []string{"true", "false"} {
		if b := d.bulk("reschedule", `{"ids":["`+id+`"],"shiftMinutes":0,"dry_run":`+dry+`}`); b.Changed != 1 {
			t.Errorf("nothing moves, dry %s: %+v", dry, b)
		}
	}
}

// A deadlined is a response that is told until when it may be written.
type deadlined struct {
	*httptest.ResponseRecorder
	until time.Time
}

func (d *deadlined) SetWriteDeadline(at time.Time) error {
	d.until = at
	return nil
}

func (d *desk) deadlined(method, path, body string) *deadlined {
	d.Helper()
	r := httptest.NewRequestWithContext(d.Context(), method, api.Prefix+path, strings.NewReader(body))
	r.Header.Set("x-api-key", d.key)
	w := &deadlined{ResponseRecorder: httptest.NewRecorder()}
	d.api.ServeHTTP(w, r)
	return w
}

// On a slow disk the server's deadline for other requests passed while a thousand posts
// were shifted: the answer was lost, and whoever asked again shifted them twice.
func TestABulkChangeIsAnsweredHoweverSlowTheDisk(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	id := d.create(`{"content":"x","platforms":["mastodon-1"],"scheduledTime":"2026-03-10T09:00:00Z"}`)
	w := d.deadlined("POST", "/bulk/reschedule", `{"ids":["`+id+`"],"shiftMinutes":5}`)
	if left := time.Until(w.until); w.Code != 200 || left < 5*time.Minute {
		t.Errorf("answered %d, and there are %s to write it", w.Code, left)
	}
}

func TestTheResultsOfALargeImportMayTakeTheirTime(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.takes(func(_ string, j *post.Job) error {
		j.Report = filepath.Join(t.TempDir(), "week.csv.report.csv")
		return os.WriteFile(j.Report, []byte("content\nx\n"), 0o600)
	})
	var j job
	d.do("POST", "/bulk/import", "content\nx\n").into(&j)
	d.run()
	w := d.deadlined("GET", "/bulk/jobs/"+j.Job.ID+"/results.csv", "")
	if left := time.Until(w.until); w.Code != 200 || w.Body.String() != "content\nx\n" || left < 5*time.Minute {
		t.Errorf("answered %d %q, and there are %s to write it", w.Code, w.Body, left)
	}
}

// CONTRACT §8.2 row 10.
func TestBulkRescheduleShiftsAndSpaces(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	var ids []string
	for i := range 3 {
		ids = append(ids, d.create(fmt.Sprintf(`{"content":"x","platforms":["mastodon-1"],"scheduledTime":"2026-03-1%dT09:00:00Z"}`, i)))
	}
	d.create(`{"content":"draft","platforms":["mastodon-1"]}`)
	times := func(b bulk) string {
		var s []string
		for _, r := range b.Results {
			s = append(s, r.ScheduledTime+r.Error)
		}
		return strings.Join(s, " ")
	}
	if got := times(d.bulk("reschedule", `{"filter":{"status":"scheduled"},"shiftMinutes":90}`)); got != "2026-03-10T10:30:00.000Z 2026-03-11T10:30:00.000Z 2026-03-12T10:30:00.000Z" {
		t.Errorf("shifted to %s", got)
	}
	if got := times(d.bulk("reschedule", `{"filter":{"status":"scheduled"},"startTime":"2026-04-01T08:00:00Z","dry_run":true}`)); got != "2026-04-01T08:00:00.000Z 2026-04-01T10:00:00.000Z 2026-04-01T12:00:00.000Z" {
		t.Errorf("would be spaced to %s", got)
	}
	if at := d.group(ids[0]).ScheduledAt; at.Month() != time.March {
		t.Errorf("a dry run moved a post to %s", at)
	}
	if got := times(d.bulk("reschedule", `{"ids":["`+ids[2]+`","`+ids[0]+`"],"startTime":"2026-04-01T08:00:00Z","intervalMinutes":15}`)); got != "2026-04-01T08:00:00.000Z 2026-04-01T08:15:00.000Z" {
		t.Errorf("spaced to %s", got)
	}
	if b := d.bulk("reschedule", `{"filter":{},"shiftMinutes":1}`); b.Matched != 4 || b.Changed != 3 || b.Failed != 1 || b.Results[0].Error != "The post has no time to shift" {
		t.Errorf("a draft among them: %+v", b)
	}
	far := d.create(`{"content":"x","platforms":["mastodon-1"],"scheduledTime":"9999-12-31T23:00:00Z"}`)
	if b := d.bulk("reschedule", `{"ids":["`+far+`"],"shiftMinutes":60}`); b.Failed != 1 || b.Results[0].Error != "Invalid scheduled time format" || b.Results[0].ScheduledTime != "9999-12-31T23:00:00.000Z" {
		t.Errorf("shifted into the year 10000: %+v", b)
	}
	for body, want := range map[string]string{
		`{"filter":{}}`: "Either shiftMinutes or startTime must be provided",
		`{"filter":{},"shiftMinutes":1,"startTime":"2026-04-01T08:00:00Z"}`: "Either shiftMinutes or startTime must be provided",
		`{"shiftMinutes":1}`:                               "Either ids or filter must be provided",
		`{"filter":{"state":"draft"},"shiftMinutes":1}`:    "Unknown filter: state. Must be one of: status, platform, fromDate, toDate",
		`{"filter":{},"shiftMinutes":1.5}`:                 "shiftMinutes must be a whole number of minutes from -527040 to 527040",
		`{"filter":{},"startTime":"soon"}`:                 "Invalid startTime format",
		`{"filter":{"status":"pending"},"shiftMinutes":1}`: "Invalid status. Must be one of: draft, scheduled, published, failed, partially_published",
		`{"ids":"all","shiftMinutes":1}`:                   "ids must be an array of strings",
	} {
		d.do("POST", "/bulk/reschedule", body).wantError(400, want)
	}
	d.do("POST", "/bulk/reschedule", `{"ids":["x"],"shiftMinutes":1}`).wantError(404, "Post group not found: x")
}

// CONTRACT §8.2 row 11: more than the twenty of one page.
func TestBulkScheduleDraftsTakesAllOfThem(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for range 45 {
		d.create(`{"content":"x","platforms":["mastodon-1"]}`)
	}
	b := d.bulk("schedule-drafts", `{"filter":{},"startTime":"2026-03-10T08:00:00Z","intervalMinutes":30}`)
	if b.Changed != 45 || b.Results[44].ScheduledTime != "2026-03-11T06:00:00.000Z" || b.Results[44].Status != "scheduled" {
		t.Errorf("scheduled %d, the last %+v", b.Changed, b.Results[44])
	}
	d.create(`{"content":"x","platforms":["mastodon-1"]}`)
	if b := d.bulk("schedule-drafts", `{"filter":{}}`); b.Matched != 1 || b.Results[0].Error != "The post has no time: give startTime" {
		t.Errorf("a draft without a time: %+v", b)
	}
}

func TestP6_BulkSchedulingStopsAtThePlan(t *testing.T) {
	t.Parallel()
	d := newDesk(t, withPlan("starter"))
	for range 5 {
		d.create(`{"content":"x","platforms":["mastodon-1"]}`)
	}
	b := d.bulk("schedule-drafts", `{"filter":{},"startTime":"2026-03-03T08:00:00Z"}`)
	if b.Changed != 3 || b.Failed != 2 || b.Results[4].Error != "Scheduled post limit reached" {
		t.Errorf("%+v", b)
	}
}

// CONTRACT §6.1, §2.1.
func TestWhatAPlatformWillNotTakeIsAWarningUnlessAskedToRefuse(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.account.Connections[0].Validate = func(c *post.Content) []post.Problem {
		if len(c.Text) < 10 {
			return nil
		}
		return []post.Problem{{Code: "CONTENT_TOO_LONG", Field: "content", Want: "at most 10 characters", Hint: "shorten it"}}
	}
	long := `{"content":"much too long","platforms":["mastodon-1"]}`
	const issue = `{"platform":"mastodon","code":"CONTENT_TOO_LONG","message":"at most 10 characters","field":"content","severity":"error","suggestions":["shorten it"]}`
	if got := d.do("POST", "/create-post", long).ok(); !strings.Contains(got.Body, `"warnings":[`+issue+`]`) {
		t.Errorf("no warning in %s", got.Body)
	}
	d.do("POST", "/create-post?validate=strict", long).wantError(400, "Validation failed")
	d.do("POST", "/validate-post", long).want(200, `{"success":true,"validation":{"valid":false,"errors":[`+issue+`],"warnings":[],"summary":{"affectedPlatforms":["mastodon"],"errorCount":1,"warningCount":0}}}`)
	d.set.StrictCompat = true
	if got := d.do("POST", "/create-post", long).ok(); strings.Contains(got.Body, "warnings") {
		t.Errorf("strict: %s", got.Body)
	}
	d.do("POST", "/create-post?validate=strict", long).want(400, `{"error":"Validation failed","validation":{"valid":false,"errors":[`+issue+`],"warnings":[],"summary":{"affectedPlatforms":["mastodon"],"errorCount":1,"warningCount":0}}}`)
}

// CONTRACT §6.1: the messages that are known, and what they are about.
func TestIssuesAreInTheContractsWords(t *testing.T) {
	t.Parallel()
	image := func(kind string, size int64) post.Media {
		return post.Media{URL: "a", Pin: post.Pin{Hash: post.Digest{1}, Name: "a", Type: kind, Size: size, Animated: true}}
	}
	film := func(kind string, lasts time.Duration) post.Media {
		return post.Media{URL: "a", Pin: post.Pin{Hash: post.Digest{1}, Name: "a", Type: kind, Size: 1 << 20, Duration: lasts}}
	}
	for _, c := range []struct {
		on      post.ConnectionID
		content post.Content
		want    string
	}{
		{"twitter-2", post.Content{Text: strings.Repeat("y", 450)}, `"warnings":[{"platform":"twitter","code":"CONTENT_TOO_LONG","message":"Content exceeds Twitter/X's 280 character limit (currently 450)","field":"content","severity":"warning","constraint":"maxLength","currentValue":450,"maxValue":280,"suggestions":["it will be a thread of 2 posts"]}]`},
		{"mastodon-1", post.Content{Text: strings.Repeat("y", 501)}, `"errors":[{"platform":"mastodon","code":"CONTENT_TOO_LONG","message":"Content exceeds Mastodon's 500 character limit (currently 501)","field":"content","severity":"error","constraint":"maxLength","currentValue":501,"maxValue":500,"suggestions":["shorten it"]}]`},
		{"instagram-1", post.Content{Text: "x"}, `"errors":[{"platform":"instagram","code":"MEDIA_REQUIRED","message":"Instagram posts require media","field":"media","severity":"error","constraint":"requiredType","suggestions":["add it by get-upload-url"]}]`},
		{"tiktok-1", post.Content{Text: "x"}, `"errors":[{"platform":"tiktok","code":"VIDEO_REQUIRED","message":"TikTok posts require a video","field":"video","severity":"error","constraint":"requiredType","suggestions":["add it by get-upload-url"]}]`},
		{"tiktok-1", post.Content{Text: "x", Media: []post.Media{image("image/png", 9)}}, `"code":"VIDEO_REQUIRED","message":"TikTok posts require a video","field":"video","severity":"error","constraint":"requiredType","suggestions":["replace the picture"]`},
		{"bluesky-1", post.Content{Text: strings.Repeat("👩‍👩‍👧‍👦", 200)}, `want at most 3000 bytes on Bluesky (this has 5000)","field":"content","severity":"error","currentValue":5000,"maxValue":3000,`},
		{"bluesky-1", post.Content{Text: "x", Media: []post.Media{image("image/png", 5<<19)}}, `"errors":[{"platform":"bluesky","code":"MEDIA_SIZE_EXCEEDED","message":"Image (2.5MB) exceeds Bluesky's 1.0MB limit","field":"imageSize","severity":"error","constraint":"maxSize","currentValue":2621440,"maxValue":`},
		{"instagram-1", post.Content{Text: "x", Media: []post.Media{image("image/png", 9)}}, `"errors":[{"platform":"instagram","code":"MEDIA_TYPE_NOT_SUPPORTED","message":"Image format \"image/png\" is not supported on Instagram","field":"imageFormat","severity":"error","constraint":"requiredType",`},
		{"instagram-1", post.Content{Text: "x", Media: []post.Media{film("video/webm", time.Minute)}}, `"message":"Video format \"video/webm\" is not supported on Instagram","field":"videoFormat"`},
		{"instagram-1", post.Content{Text: "x", Media: []post.Media{film("video/mp4", 3*time.Minute), film("video/mp4", time.Minute)}}, `"errors":[{"platform":"instagram","code":"VIDEO_DURATION_EXCEEDED","message":"Video duration (3m 0s) exceeds Instagram's 60s carousel limit","field":"videoDuration","severity":"error","constraint":"maxDuration","currentValue":180,"maxValue":60,`},
		{"twitter-2", post.Content{Text: "x", Media: []post.Media{film("video/mp4", 3*time.Minute)}}, `"message":"Video duration (3m 0s) exceeds Twitter/X's 2m 0s limit"`},
		{"tiktok-1", post.Content{Text: "x", Media: []post.Media{film("video/mp4", 2500*time.Millisecond)}}, `"code":"VIDEO_DURATION_TOO_SHORT","message":"Video duration (2.5s) is below TikTok's 3s minimum","field":"videoDuration","severity":"error","currentValue":2.5,"minValue":3,`},
		{"twitter-2", post.Content{Text: "x", Media: slices.Repeat([]post.Media{image("image/png", 9)}, 5)}, `"code":"MEDIA_COUNT_EXCEEDED","message":"got \"5 files\", want at most 4 pictures on X","field":"media","severity":"error","constraint":"maxCount","currentValue":5,"maxValue":4,`},
	} {
		d := newDesk(t)
		table, ok := limits.PlatformByKey(c.on.Platform())
		if !ok {
			t.Fatalf("no limits of %s", c.on)
		}
		rules := publish.Rules{Limits: table}
		d.account.Connections = []api.Connection{{ID: c.on, Validate: rules.Validate}}
		g := &post.Group{Account: "acme", Content: c.content, Posts: []post.Post{{Connection: c.on, Status: post.StatusDraft}}}
		if err := d.store.Create(t.Context(), g, nil, "test"); err != nil {
			t.Fatal(err)
		}
		if got := d.do("POST", "/validate-post", `{"postGroupId":"`+g.ID.String()+`"}`).ok(); !strings.Contains(got.Body, c.want) {
			t.Errorf("got  %s\nwant %s", got.Body, c.want)
		}
	}
}

func TestLimitsShowThePlan(t *testing.T) {
	t.Parallel()
	d := newDesk(t, withPlan("starter"))
	d.create(`{"content":"x","platforms":["mastodon-1"],"scheduledTime":"2026-03-03T08:00:00Z"}`)
	d.do("GET", "/limits", "").want(200, `{"success":true,"userId":"`+api.UserID("acme").String()+`","plan":{"key":"starter","name":"Starter","monthlyPosts":15,"scheduledPosts":3,"connections":3,"scheduleHorizonDays":7,"perConnection":false,"excludedPlatforms":["twitter"],"apiAccess":true,"mcpAccess":false},"usage":[`+
		`{"metric":"connections.total","used":3,"limit":3,"remaining":0},{"metric":"posts.scheduled_active","used":1,"limit":3,"remaining":2},{"metric":"posts.platform_monthly","periodStart":"2026-03-01T00:00:00.000Z","used":1,"limit":15,"remaining":14}]}`)
}

// A taker is what takes the files of jobs in tests.
func (d *desk) takes(take func(path string, j *post.Job) error) {
	d.api.Uploads = d.TempDir()
	d.api.Take = func(_ context.Context, path string, j *post.Job) error { return take(path, j) }
}

// run has the API do its jobs until nothing is left to do.
func (d *desk) run() {
	d.Helper()
	open, err := d.store.OpenJobs(d.Context())
	if err != nil {
		d.Fatal(err)
	}
	ctx, cancel := context.WithCancel(d.Context())
	done := make(chan error, 1)
	go func() { done <- d.api.Run(ctx) }()
	for range open {
		<-d.over
	}
	cancel()
	if err := <-done; err != nil {
		d.Error(err)
	}
}

type job struct {
	Job struct {
		ID      string `json:"_id"`
		Name    string
		Status  string
		Outcome string
		Error   string
		DryRun  bool
		Counts  post.Counts
	}
}

func TestBulkImportTakesAFileHoweverItIsSent(t *testing.T) {
	t.Parallel()
	const form = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"dir/week.csv\"\r\n\r\ncontent\nx\n\r\n--b--\r\n"
	for _, c := range []struct{ name, query, kind, body, wantName, want string }{
		{"the body", "?name=a.csv", "text/csv", "content\nx\n", "a.csv", "content\nx\n"},
		{"no name", "", "", "content\nx\n", "upload-ID.csv", "content\nx\n"},
		{"a calendar", "", "text/calendar", "BEGIN:VCALENDAR\n", "upload-ID.ics", "BEGIN:VCALENDAR\n"},
		{"a form", "", "multipart/form-data; boundary=b", form, "week.csv", "content\nx\n"},
		{"rows", "", "application/json", `{"rows":[{"content":"a\nb","platforms":["mastodon-1","twitter-2"]},{"content":"é","scheduled_time":"2026-03-03T09:00:00Z","n":1,"platform_settings":{"a":1},"media_url":["u",null,[1]]}]}`, "upload-ID.csv",
			"content,media_url,n,platform_settings,platforms,scheduled_time\n\"a\nb\",,,,mastodon-1;twitter-2,\né,u;;[1],1,\"{\"\"a\"\":1}\",,2026-03-03T09:00:00Z\n"},
		{"rows after a byte order mark", "", "application/json", "\ufeff[{\"content\":\"x\"}]", "upload-ID.csv", "content\nx\n"},
		{"a path in the name", "?name=..%2F..%2Fetc%2Fpasswd", "", "x", "passwd", "x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			got := ""
			d.takes(func(path string, j *post.Job) error {
				b, err := os.ReadFile(path)
				got = string(b)
				j.Outcome, j.Counts = "taken", post.Counts{Rows: 1, Accepted: 1}
				if !strings.HasPrefix(path, d.api.Uploads+string(filepath.Separator)) {
					t.Errorf("the file lies at %s", path)
				}
				return err
			})
			a := d.do("POST", "/bulk/import"+c.query, c.body, "Content-Type", c.kind)
			if a.Status != 202 {
				t.Fatalf("got %d %s", a.Status, a.Body)
			}
			var j job
			a.into(&j)
			if j.Job.Status != "queued" || j.Job.Name != strings.Replace(c.wantName, "ID", j.Job.ID, 1) {
				t.Errorf("job %+v", j.Job)
			}
			d.run()
			d.do("GET", "/bulk/jobs/"+j.Job.ID, "").ok().into(&j)
			if j.Job.Status != "finished" || j.Job.Outcome != "taken" || j.Job.Counts.Accepted != 1 {
				t.Errorf("job %+v", j.Job)
			}
			if got != c.want {
				t.Errorf("taken %q, want %q", got, c.want)
			}
			if left, err := os.ReadDir(d.api.Uploads); err != nil || len(left) > 0 {
				t.Errorf("left over: %v, %v", left, err)
			}
		})
	}
}

func TestBulkImportRefuses(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.set.MaxUpload = 100
	d.takes(func(string, *post.Job) error { return nil })
	d.do("POST", "/bulk/import", strings.Repeat("x", 101)).wantError(413, "The file is too large")
	d.do("POST", "/bulk/import", "").wantError(400, "The file is empty")
	d.do("POST", "/bulk/import?dry_run=maybe", "x").wantError(400, "Invalid dry_run. Must be true or false")
	d.do("POST", "/bulk/import", "{}", "Content-Type", "application/json").wantError(400, "Rows are required")
	d.do("POST", "/bulk/import", "[{\"content\":\"caf\xe9\"}]", "Content-Type", "application/json").wantError(400, "Invalid JSON body")
	var apart strings.Builder // rows that have no field in common would make a cell of each for each
	for i := range 4000 {
		fmt.Fprintf(&apart, `,{"%d":1}`, i)
	}
	d.set.MaxUpload = 1 << 20
	d.do("POST", "/bulk/import", "["+apart.String()[1:]+"]", "Content-Type", "application/json").wantError(413, "The rows are too many")
	d.do("POST", "/bulk/import", "--b--\r\n", "Content-Type", "multipart/form-data; boundary=b").wantError(400, "The form has no file")
	if left, err := os.ReadDir(d.api.Uploads); err != nil || len(left) > 0 {
		t.Errorf("left over: %v, %v", left, err)
	}
	d.do("GET", "/bulk/jobs/x", "").wantError(404, "Job not found")
	d.do("GET", "/bulk/jobs/"+strings.Repeat("a", 24), "").wantError(404, "Job not found")
}

func TestABulkImportWithANameIsOneJob(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	taken := 0
	d.takes(func(string, *post.Job) error { taken++; return nil })
	first := d.do("POST", "/bulk/import", "content\nx\n", "Idempotency-Key", "week")
	again := d.do("POST", "/bulk/import", "content\nx\n", "Idempotency-Key", "week")
	again.want(202, first.Body)
	d.do("POST", "/bulk/import", "content\ny\n", "Idempotency-Key", "week").wantError(422, "This Idempotency-Key was used with another request body")
	d.run()
	if taken != 1 {
		t.Errorf("taken %d times", taken)
	}
}

func TestP1_AJobThatWasCutOffIsDoneAtTheNextStart(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	ctx, cancel := context.WithCancel(t.Context())
	d.takes(func(string, *post.Job) error { cancel(); return context.Canceled })
	var j job
	d.do("POST", "/bulk/import", "content\nx\n").into(&j)
	if err := d.api.Run(ctx); err != nil {
		t.Fatal(err)
	}
	d.do("GET", "/bulk/jobs/"+j.Job.ID, "").ok().into(&j)
	if j.Job.Status != "running" {
		t.Errorf("cut off, the job is %s", j.Job.Status)
	}
	d.api.Take = func(_ context.Context, path string, j *post.Job) error {
		_, err := os.Stat(path)
		j.Outcome = "taken"
		return err
	}
	d.run()
	d.do("GET", "/bulk/jobs/"+j.Job.ID, "").ok().into(&j)
	if j.Job.Status != "finished" || j.Job.Outcome != "taken" {
		t.Errorf("job %+v", j.Job)
	}
}

func TestP8_WhyAJobFailedStaysInTheLog(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.takes(func(string, *post.Job) error { return errors.New("open /secret/path: canary") })
	var j job
	d.do("POST", "/bulk/import", "content\nx\n").into(&j)
	d.run()
	a := d.do("GET", "/bulk/jobs/"+j.Job.ID, "").ok()
	a.into(&j)
	if j.Job.Status != "failed" || strings.Contains(a.Body, "canary") {
		t.Errorf("got %s", a.Body)
	}
	d.do("GET", "/bulk/jobs/"+j.Job.ID+"/results.csv", "").wantError(404, "The job has no results yet")
}
