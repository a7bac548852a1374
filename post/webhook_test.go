package post

import (
	"encoding/json"
	"testing"
	"time"
)

// CONTRACT §7: field order, three digits of the second, and only the escapes of
// JSON.stringify.
func TestTheBodyOfAnEventIsWhatJavaScriptWouldWrite(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 2, 9, 0, 0, 7e6+999, time.FixedZone("", 3600))
	group := ID{1}
	for _, test := range []struct {
		name string
		e    Event
		want string
	}{
		{"scheduled", Event{EventScheduled, at, ScheduledData{group.Add(1), group, "mastodon", Milli(at)}},
			`{"event":"post.scheduled","timestamp":"2026-03-02T08:00:00.007Z","data":{"postId":"010000000000000000000001","postGroupId":"010000000000000000000000","platform":"mastodon","scheduledAt":"2026-03-02T08:00:00.007Z"}}`},
		{"published", Event{EventPublished, at, PublishedData{group.Add(1), group, "mastodon", Milli(at)}},
			`{"event":"post.published","timestamp":"2026-03-02T08:00:00.007Z","data":{"postId":"010000000000000000000001","postGroupId":"010000000000000000000000","platform":"mastodon","publishedAt":"2026-03-02T08:00:00.007Z"}}`},
		{"failed", Event{EventFailed, at, FailedData{group.Add(1), group, "mastodon", EventError{"X", "<a> & José 😀 \u2028\u2029 \\u2028 \"\n\x01 \xff"}, Milli(at)}},
			`{"event":"post.failed","timestamp":"2026-03-02T08:00:00.007Z","data":{"postId":"010000000000000000000001","postGroupId":"010000000000000000000000","platform":"mastodon","error":{"code":"X","message":"<a> & José 😀 ` + "\u2028\u2029" + ` \\u2028 \"\n\u0001 ` + "\ufffd" + `"},"failedAt":"2026-03-02T08:00:00.007Z"}}`},
		{"expiring", Event{EventExpiring, at, ExpiringData{"bluesky", "bluesky-did:plc:a", "@a", Milli(at)}},
			`{"event":"token.expiring","timestamp":"2026-03-02T08:00:00.007Z","data":{"platform":"bluesky","platformId":"bluesky-did:plc:a","username":"@a","expiresAt":"2026-03-02T08:00:00.007Z"}}`},
		{"at risk", Event{EventAtRisk, at, AtRiskData{group.Add(1), group, "mastodon", Milli(at), []EventError{{"X", "gone"}}}},
			`{"event":"post.at_risk","timestamp":"2026-03-02T08:00:00.007Z","data":{"postId":"010000000000000000000001","postGroupId":"010000000000000000000000","platform":"mastodon","scheduledAt":"2026-03-02T08:00:00.007Z","problems":[{"code":"X","message":"gone"}]}}`},
	} {
		b, err := test.e.Body()
		if err != nil || string(b) != test.want || !json.Valid(b) {
			t.Errorf("%s: %v\ngot  %s\nwant %s", test.name, err, b, test.want)
		}
	}
}
