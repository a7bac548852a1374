package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postroom/postroom/api"
	"github.com/postroom/postroom/post"
)

// CONTRACT §2.1: the first check that fails is the answer.
func TestCreatePostChecksInTheContractsOrder(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for _, c := range []struct {
		name, body, want string
		status           int
	}{
		{"1 no content", `{}`, "Content is required", 400},
		{"1 blank", `{"content":" \n "}`, "Content is required", 400},
		{"1 a number", `{"content":5,"platforms":["mastodon-1"]}`, "Content is required", 400},
		{"2 no platforms", `{"content":"x"}`, "Platforms are required", 400},
		{"2 null", `{"content":"x","platforms":null}`, "Platforms are required", 400},
		{"2 an empty text", `{"content":"x","platforms":""}`, "Platforms are required", 400},
		{"3 a text that is no JSON", `{"content":"x","platforms":"mastodon-1"}`, "Invalid platforms JSON format", 400},
		{"4 an object", `{"content":"x","platforms":{}}`, "Platforms must be an array", 400},
		{"4 a number", `{"content":"x","platforms":7}`, "Platforms must be an array", 400},
		{"4 a text that holds an object", `{"content":"x","platforms":"{}"}`, "Platforms must be an array", 400},
		{"5 empty", `{"content":"x","platforms":[]}`, "At least one platform is required", 400},
		{"6 no dash", `{"content":"x","platforms":["mastodon-1","twitter"]}`, "Invalid platform ID format: twitter", 400},
		{"6 upper case", `{"content":"x","platforms":["Twitter-2"]}`, "Invalid platform ID format: Twitter-2", 400},
		{"6 null", `{"content":"x","platforms":[null]}`, "Invalid platform ID format: null", 400},
		{"6 a number", `{"content":"x","platforms":[12]}`, "Invalid platform ID format: 12", 400},
		{"6 lists, as JavaScript writes them", `{"content":"x","platforms":[["x",null,[1.50,[true,{}]]]]}`, "Invalid platform ID format: x,,1.50,true,[object Object]", 400},
		{"6 an object", `{"content":"x","platforms":[{}]}`, "Invalid platform ID format: [object Object]", 400},
		{"6 beats 7", `{"content":"x","platforms":["x"],"scheduledTime":"soon"}`, "Invalid platform ID format: x", 400},
		{"7 no time", `{"content":"x","platforms":["mastodon-1"],"scheduledTime":"soon"}`, "Invalid scheduled time format", 400},
		{"7 beats 8", `{"content":"x","platforms":["mastodon-1"],"scheduledTime":"soon","platformSettings":"{"}`, "Invalid scheduled time format", 400},
		{"8 settings no JSON", `{"content":"x","platforms":["mastodon-1"],"platformSettings":"{"}`, "Invalid platformSettings JSON", 400},
		{"9 settings a list", `{"content":"x","platforms":["mastodon-1"],"platformSettings":[]}`, "platformSettings must be an object", 400},
		{"9 settings a number", `{"content":"x","platforms":["mastodon-1"],"platformSettings":3}`, "platformSettings must be an object", 400},
		{"9 settings null in a text", `{"content":"x","platforms":["mastodon-1"],"platformSettings":"null"}`, "platformSettings must be an object", 400},
		{"D3 not connected", `{"content":"x","platforms":["twitter-9"]}`, "Platform connection not found: twitter-9", 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			d.do("POST", "/create-post", c.body).wantError(c.status, c.want)
		})
	}
}

// CONTRACT §0.2: an element is made a text whatever it is. Each level of a deep one
// is read once, so that nobody keeps the server busy for minutes.
func TestDeepElementsAreReadOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	deep := strings.Repeat("[", 9000) + `"mastodon-1"` + strings.Repeat("]", 9000)
	begun := time.Now()
	d.create(`{"content":"x","platforms":[` + strings.Repeat(deep+",", 49) + deep + `]}`)
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
}

// CONTRACT §2.1 rows 10 and 11 and §12 D3: what the plan lacks comes before what is
// not connected, which comes before the quotas.
func TestWhatIsNotConnectedIsRefusedWithWhatIs(t *testing.T) {
	t.Parallel()
	d := newDesk(t, withPlan("starter"))
	const body = `{"content":"x","platforms":["mastodon-1","%s"],"scheduledTime":"2027-03-03T08:00:00Z"}`
	d.do("POST", "/create-post", fmt.Sprintf(body, "twitter-9")).wantError(403, "Platform not available")
	for id, want := range map[string]string{
		"mastodon-2": "mastodon-1",
		"bluesky-9":  "mastodon-1, twitter-2, linkedin-Ab3",
	} {
		text := "Platform connection not found: " + id
		d.do("POST", "/create-post", fmt.Sprintf(body, id)).want(400, `{"error":"`+text+`","code":"CONNECTION_NOT_FOUND","message":"`+text+`: want `+want+`"}`)
	}
	d.do("POST", "/create-post", fmt.Sprintf(body, "linkedin-Ab3")).wantError(403, "Schedule horizon reached")
}

// CONTRACT §0.1.
func TestScheduledTimesAreReadAsTheTableSays(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for given, want := range map[string]string{
		`"2026-03-15T10:00:00Z"`:             "2026-03-15T10:00:00.000Z",
		`"2026-03-15T10:00:00.5Z"`:           "2026-03-15T10:00:00.500Z",
		`"2026-03-15T10:00:00+02:00"`:        "2026-03-15T08:00:00.000Z",
		`"2026-03-15T10:00:00.123456+00:00"`: "2026-03-15T10:00:00.123Z",
		`"2026-03-15T10:00:00.123456789Z"`:   "2026-03-15T10:00:00.123Z",
		`"2026-03-15T10:00:00+0000"`:         "2026-03-15T10:00:00.000Z",
		`"2026-03-15t10:00:00z"`:             "2026-03-15T10:00:00.000Z",
		`"2026-03-15T10:00Z"`:                "2026-03-15T10:00:00.000Z",
		`"2026-03-15T10:00"`:                 "2026-03-15T10:00:00.000Z",
		`"2026-03-15T10:00:30"`:              "2026-03-15T10:00:30.000Z",
		`"2020-01-01T00:00:00Z"`:             "2026-03-02T08:00:00.000Z", // past: now
		`"0001-01-01T00:00:00Z"`:             "2026-03-02T08:00:00.000Z", // and so is a time that clients leave at its zero
		`"0000-01-01T00:00:00Z"`:             "2026-03-02T08:00:00.000Z",
		`"2026-03-02T08:00:00Z"`:             "2026-03-02T08:00:00.000Z",
		`""`:                                 "", // absent: a draft
		`null`:                               "",
		`0`:                                  "",
		`false`:                              "",
		`"2026-03-15"`:                       "refused",
		`"2026-03-15 10:00:00"`:              "refused",
		`"03/15/2026"`:                       "refused",
		`"March 15, 2026"`:                   "refused",
		`"2026-03-01T09:00:00+00:00Z"`:       "refused",
		`"2026-02-30T10:00:00Z"`:             "refused",
		`"9999-12-31T23:59:59Z"`:             "9999-12-31T23:59:59.000Z",
		`"9999-12-31T23:59:59.001Z"`:         "refused", // it would go out in a year that has no form
		`"9999-12-31T23:59:59-00:01"`:        "refused",
		`"2026-03-15T10:00:00.1234567890Z"`:  "refused",
		`1773568800000`:                      "refused",
		`true`:                               "refused",
		`[]`:                                 "refused",
		`{}`:                                 "refused",
	} {
		t.Run(given, func(t *testing.T) {
			got := d.do("POST", "/create-post", `{"content":"x","platforms":["mastodon-1"],"scheduledTime":`+given+`}`)
			if want == "refused" {
				got.wantError(400, "Invalid scheduled time format")
				return
			}
			var made struct{ PostGroupID string }
			got.ok().into(&made)
			var body map[string]any
			d.do("GET", "/get-post/"+made.PostGroupID, "").ok().into(&body)
			status := "scheduled"
			if want == "" {
				status = "draft"
			}
			if at, _ := body["scheduledTime"].(string); at != want || body["status"] != status {
				t.Errorf("got %v at %q, want %s at %q", body["status"], at, status, want)
			}
		})
	}
	if e := d.do("POST", "/create-post", `{"content":"x","platforms":["mastodon-1"],"scheduledTime":"2026-03-01T09:00:00+00:00Z"}`); !strings.Contains(e.Body, "both an offset and Z") {
		t.Errorf("no hint in %s", e.Body)
	}
}

// CONTRACT §2.1 and §0, additive fields A4.
func TestCreatePostAnswers(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	got := d.do("POST", "/create-post", `{"content":"x","platforms":["mastodon-1","twitter-2","mastodon-1"],"scheduledTime":"2026-03-03T09:00:00Z"}`)
	var made struct{ PostGroupID string }
	got.ok().into(&made)
	got.want(200, `{"success":true,"postGroupId":"`+made.PostGroupID+`","posts":[{"platform":"mastodon","platformId":"mastodon-1","status":"scheduled"},{"platform":"twitter","platformId":"twitter-2","status":"scheduled"}]}`)

	d.set.StrictCompat = true
	got = d.do("POST", "/create-post", `{"content":"x","platforms":"[\"mastodon-1\"]"}`)
	got.ok().into(&made)
	got.want(200, `{"success":true,"postGroupId":"`+made.PostGroupID+`"}`)
	d.do("POST", "/create-post", `{"content":"x","platforms":["bluesky-did:plc:abc"]}`).want(400, `{"error":"Invalid platform ID format: bluesky-did:plc:abc"}`)
	for settings, want := range map[string]string{"null": "platformSettings must be an object", `""`: "Invalid platformSettings JSON"} { // D15
		body := `{"content":"x","platforms":["mastodon-1"],"platformSettings":` + settings + `}`
		d.set.StrictCompat = true
		d.do("POST", "/create-post", body).want(400, `{"error":"`+want+`"}`)
		d.set.StrictCompat = false
		d.do("POST", "/create-post", body).ok()
	}
}

// CONTRACT §0.2, §12 D2: the ids that platform-connections lists can be posted to,
// and repeats count once.
func TestEveryIDThatIsListedCanBePostedTo(t *testing.T) {
	t.Parallel()
	ids := []post.ConnectionID{"bluesky-did:plc:abc123", "telegram--1001234567890", "mastodon-acme.social.example", "matrix-room_1.x%20y"}
	d := newDesk(t, func(d *desk) {
		d.account.Connections = nil
		for _, id := range ids {
			d.account.Connections = append(d.account.Connections, api.Connection{ID: id})
		}
	})
	var listed struct{ Connections []struct{ PlatformID string } }
	d.do("GET", "/platform-connections", "").ok().into(&listed)
	for _, c := range listed.Connections {
		id := d.create(fmt.Sprintf(`{"content":"x","platforms":[%q,%q]}`, c.PlatformID, c.PlatformID))
		if p := d.group(id).Posts; len(p) != 1 || string(p[0].Connection) != c.PlatformID {
			t.Errorf("%s: stored %+v", c.PlatformID, p)
		}
	}
}

// CONTRACT §5.3.
func TestPlatformSettingsLieOverTheDefaults(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(d *desk) { d.set.AllowUnknownConnections = true })
	id := d.create(`{"content":"x","platforms":["tiktok-1","youtube-1","twitter-2","telegram-1"],"platformSettings":{"tiktok":{"disableDuet":false,"allowComments":false},"youtube":null,"twitter":{"a":1},"telegram":{"protectContent":true},"nobody":{}}}`)
	var got map[string]map[string]any
	if err := json.Unmarshal(d.group(id).Settings, &got); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(got) != "map[telegram:map[protectContent:true] tiktok:map[allowComments:false allowDuet:true allowStitch:false brandOrganic:false brandedContent:false commercialContent:false viewerSetting:PUBLIC_TO_EVERYONE] youtube:map[privacy:public title:]]" {
		t.Errorf("stored %v", got)
	}
}

// CONTRACT §4.3, §4.4.
func TestCreatePostRefusesWhatThePlanHasNoRoomFor(t *testing.T) {
	t.Parallel()
	d := newDesk(t, withPlan("starter"))
	d.do("POST", "/create-post", `{"content":"x","platforms":["twitter-2"]}`).want(403, `{"error":"Platform not available","code":"PLATFORM_NOT_AVAILABLE","metric":"posts.platform_monthly","message":"Platform not available. Your Starter plan does not include X.","limit":null,"used":null,"requested":null,"remaining":null,"planName":"Starter","disallowedPlatforms":["twitter"],"allowedPlatforms":["linkedin","instagram","threads","tiktok","youtube","facebook","bluesky","mastodon","telegram","pinterest","discord","slack","nostr","matrix","wordpress"],"periodStart":null,"periodEnd":null}`)
	d.do("POST", "/create-post", `{"content":"x","platforms":["mastodon-1"],"scheduledTime":"2026-03-09T08:00:00.001Z"}`).wantError(403, "Schedule horizon reached")
	for range 3 {
		d.create(`{"content":"x","platforms":["mastodon-1"],"scheduledTime":"2026-03-03T08:00:00Z"}`)
	}
	d.do("POST", "/create-post", `{"content":"x","platforms":["mastodon-1","linkedin-Ab3"],"scheduledTime":"2026-03-03T08:00:00Z"}`).want(403, `{"error":"Scheduled post limit reached","code":"SCHEDULED_POST_LIMIT_REACHED","metric":"posts.scheduled_active","message":"Scheduled post limit reached. Your Starter plan allows 3 scheduled platform posts at a time.","limit":3,"used":3,"requested":2,"remaining":0,"planName":"Starter","periodStart":null,"periodEnd":null}`)
	d.create(`{"content":"drafts are not counted","platforms":["mastodon-1"]}`)
	d.account.Connections = append(d.account.Connections, d.account.Connections...)
	d.do("POST", "/create-post", `{"content":"x","platforms":["mastodon-1"],"scheduledTime":"2026-03-03T08:00:00Z"}`).wantError(403, "Account over channel limit")
}

func TestP6_AHundredCreatesAtOnceAgainstALimitOf15GiveExactly15(t *testing.T) {
	t.Parallel()
	d := newDesk(t, withPlan("starter"), func(d *desk) { d.account.Plan.Active = nil })
	var wg sync.WaitGroup
	answers := make([]answer, 100)
	for i := range answers {
		wg.Go(func() {
			answers[i] = d.do("POST", "/create-post", `{"content":"x","platforms":["mastodon-1"],"scheduledTime":"2026-03-03T08:00:00Z"}`)
		})
	}
	wg.Wait()
	made := 0
	for _, a := range answers {
		if a.Status == 200 {
			made++
			continue
		}
		a.wantError(403, "Post limit reached")
	}
	used, err := d.store.Usage(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	if n := used.Monthly[post.MonthOf(start)]["mastodon-1"]; made != 15 || n != 15 {
		t.Errorf("%d were answered 200 and %d are stored, want 15", made, n)
	}
}

// RELIABILITY §1.1.
func TestARequestWithANameTakesEffectOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	body := `{"content":"x","platforms":["mastodon-1"]}`
	first := d.do("POST", "/create-post", body, "Idempotency-Key", "week-9").ok()
	again := d.do("POST", "/create-post", body, "Idempotency-Key", "week-9")
	again.want(200, first.Body)
	if again.Header.Get("Idempotent-Replayed") != "true" {
		t.Error("the second answer does not say that it is the first")
	}
	d.do("POST", "/create-post", `{"content":"y","platforms":["mastodon-1"]}`, "Idempotency-Key", "week-9").wantError(422, "This Idempotency-Key was used with another request body")
	d.do("POST", "/create-post", `{}`, "Idempotency-Key", "bad").wantError(400, "Content is required")
	d.do("POST", "/create-post", body, "Idempotency-Key", "bad").ok() // what was refused is not kept
	d.do("POST", "/create-post", body, "Idempotency-Key", strings.Repeat("k", 256)).wantError(400, "Idempotency-Key is longer than 255 characters")
	d.forward(7*24*time.Hour - time.Second)
	d.do("POST", "/create-post", body, "Idempotency-Key", "week-9").want(200, first.Body)
	d.forward(time.Second)
	if late := d.do("POST", "/create-post", body, "Idempotency-Key", "week-9").ok(); late.Body == first.Body {
		t.Error("an answer is kept for longer than 7 days")
	}
}

// A slowStore lets go of a Create when it is told to.
type slowStore struct {
	api.Store
	came, free chan struct{}
}

func (s slowStore) CreateOnce(ctx context.Context, g *post.Group, caps []post.Cap, who string, once *post.Once) error {
	s.came <- struct{}{}
	<-s.free
	return s.Store.CreateOnce(ctx, g, caps, who, once)
}

// RELIABILITY §1.1: while the first of a name is under way, others are told so,
// whatever they hold.
func TestP2_ARequestWhoseNameIsUnderWayIsToldSo(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	slow := slowStore{d.api.Store, make(chan struct{}), make(chan struct{})}
	d.api.Store = slow
	first := make(chan answer)
	go func() { first <- d.do("POST", "/create-post", draft, "Idempotency-Key", "k") }()
	<-slow.came
	for _, body := range []string{draft, `{}`, `{`} {
		d.do("POST", "/create-post", body, "Idempotency-Key", "k").wantError(409, "A request with this Idempotency-Key is still in progress")
	}
	close(slow.free)
	done := (<-first).ok()
	d.do("POST", "/create-post", draft, "Idempotency-Key", "k").want(200, done.Body)
}

func TestP2_ManyRequestsOfOneNameAtOnceMakeOneGroup(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	bodies := map[string]int{}
	for range 50 {
		wg.Go(func() {
			a := d.do("POST", "/create-post", `{"content":"x","platforms":["mastodon-1"]}`, "Idempotency-Key", "k")
			mu.Lock()
			defer mu.Unlock()
			if a.Status == 200 {
				bodies[a.Body]++
				return
			}
			a.wantError(409, "A request with this Idempotency-Key is still in progress")
		})
	}
	wg.Wait()
	if len(bodies) != 1 {
		t.Errorf("%d different answers, want 1", len(bodies))
	}
	groups, _, err := d.store.Groups(t.Context(), post.Filter{}, "", 100)
	if err != nil || len(groups) != 1 {
		t.Errorf("%d groups are stored (%v), want 1", len(groups), err)
	}
}

// A vacant store says that nothing is used whenever it is asked: somebody else takes
// the room before the change, and gives it back after it.
type vacant struct{ api.Store }

func (vacant) Usage(context.Context, post.AccountID) (post.Usage, error) { return post.NewUsage(), nil }

// CONTRACT §4.4: a quota that others fill and free all the time was answered with 500,
// which clients try again.
func TestP6_WhoIsLateForAQuotaIsToldWhichOne(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ plan, want string }{
		{"starter", `"limit":1,"used":1,"requested":1,"remaining":0`},
		{"pro", `"blockedPlatforms":[{"platformSelection":"mastodon-1","used":1,"remaining":0}]`},
	} {
		for _, full := range []string{"Scheduled post limit reached", "Post limit reached"} {
			d := newDesk(t, withPlan(c.plan), func(d *desk) {
				if d.account.Connections = d.account.Connections[:1]; full == "Post limit reached" {
					d.account.Plan.Monthly = new(1)
				} else {
					d.account.Plan.Active = new(1)
				}
			})
			body := `{"content":"x","platforms":["mastodon-1"],"scheduledTime":"2026-03-03T09:00:00Z"}`
			d.create(body)
			draft := d.create(`{"content":"y","platforms":["mastodon-1"]}`)
			d.api.Store = vacant{d.api.Store}
			for _, a := range []answer{d.do("POST", "/create-post", body), d.do("PUT", "/update-post/"+draft, `{"status":"scheduled","scheduledTime":"2026-03-03T10:00:00Z"}`)} {
				if a.wantError(403, full); !strings.Contains(a.Body, c.want) {
					t.Errorf("%s: got %s, want %s", c.plan, a.Body, c.want)
				}
			}
		}
	}
}
