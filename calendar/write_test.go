package calendar

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-ical"

	"github.com/postroom/postroom/post"
)

// group makes a post group with one post on twitter.
func group(n byte, text string, status post.Status) *post.Group {
	at := time.Date(2026, 3, 5, 9, 0, 0, 0, time.UTC)
	return &post.Group{
		ID: post.ID{11: n}, Content: post.Content{Text: text}, ScheduledAt: at, CreatedAt: at, UpdatedAt: at,
		Posts: []post.Post{{Connection: "twitter-1", Status: status, DueAt: at}},
	}
}

// feedOf writes groups as a calendar.
func feedOf(t testing.TB, groups ...*post.Group) string {
	t.Helper()
	f := NewFeed("postroom: acme, and more")
	for _, g := range groups {
		f.Add(g)
	}
	var b strings.Builder
	if err := f.Encode(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTheFeedSaysWhatBecameOfEachGroup(t *testing.T) {
	t.Parallel()
	live := group(1, "Hello", post.StatusPublished)
	live.Posts[0].Receipt = &post.Receipt{RemoteID: "7", URL: "https://x.example/7"}
	failed := group(2, "Hello", post.StatusFailed)
	failed.Posts[0].Problem = &post.Outcome{Message: "the text\nis too long"}
	held := group(3, "Hello", post.StatusDraft)
	held.Held = "its time was over"
	untimed := group(6, "Hello", post.StatusDraft)
	untimed.ScheduledAt = time.Time{}
	text := feedOf(t, live, failed, held, group(4, "Hello", post.StatusCancelled), group(5, "Hello", post.StatusScheduled), untimed)

	cal, err := ical.NewDecoder(strings.NewReader(text)).Decode()
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	events := cal.Events()
	want := []struct{ summary, status, url, body string }{
		{"[published] twitter: Hello", "CONFIRMED", "https://x.example/7", "Hello\n\ntwitter-1: published https://x.example/7"},
		{"[failed] twitter: Hello", "CONFIRMED", "", "Hello\n\ntwitter-1: failed (the text is too long)"},
		{"[held] twitter: Hello", "TENTATIVE", "", "Hello\n\nheld: its time was over\ntwitter-1: draft"},
		{"[cancelled] twitter: Hello", "CANCELLED", "", "Hello\n\ntwitter-1: cancelled"},
		{"[scheduled] twitter: Hello", "CONFIRMED", "", "Hello\n\ntwitter-1: scheduled"},
	}
	if len(events) != len(want) {
		t.Fatalf("%d events, want %d: a group without a time has none", len(events), len(want))
	}
	for i, w := range want {
		e := events[i]
		said := func(name string) string { return unescape(propValue(e.Component, name)) }
		uid := fmt.Sprintf("%024x@postroom", i+1)
		if said("UID") != uid || said("SUMMARY") != w.summary || said("STATUS") != w.status || said("URL") != w.url || said("DESCRIPTION") != w.body || said("DTSTART") != "20260305T090000Z" {
			t.Errorf("event %d: %+v, want %+v", i, e.Props, w)
		}
	}
	for name, want := range map[string]string{"METHOD": "PUBLISH", "REFRESH-INTERVAL": "PT15M", "X-PUBLISHED-TTL": "PT15M", "NAME": "postroom: acme, and more", "X-WR-CALNAME": "postroom: acme, and more", "PRODID": ProdID} {
		if got := unescape(propValue(cal.Component, name)); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

var badLine = regexp.MustCompile(`[^\r]\n|\r[^\n]|[^\r\n]{76}`)

// FuzzFeed wants any text to come back out of the calendar that holds it, whose
// lines are short and end as they should.
func FuzzFeed(f *testing.F) {
	for _, s := range []string{"Hello; calendar, \\ and\nmore", strings.Repeat("ключ 🎉", 40), "a\r\nBEGIN:VEVENT\rUID:1", "\x00\x1b[31m\x7f", "END:VCALENDAR", " ", "\xff\xfe", "=\\,\\;\\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 1<<14 {
			return
		}
		g := group(1, s, post.StatusScheduled)
		g.Title = s
		text := feedOf(t, g)
		for l := range strings.SplitSeq(text, "\r\n") {
			if len(l) > 75 || strings.ContainsAny(l, "\r\n") {
				t.Fatalf("a line of %d bytes: %q", len(l), l)
			}
		}
		var own *Unusable
		if _, err := Open(t.Context(), strings.NewReader(text), int64(len(text)), options()); !errors.As(err, &own) || own.Problems[0].Code != "OWN_CALENDAR" {
			t.Fatalf("taken back: %v", err)
		}
		file := openText(t, strings.Replace(text, ProdID, "-//other//EN", 1), options())
		if len(file.series) != 1 {
			t.Fatalf("%d events in\n%s", len(file.series), text)
		}
		want := strings.TrimSpace(clean(s) + "\n\ntwitter-1: scheduled")
		if got := file.series[0].master.text; got != want && got != strings.Trim(want, "\n") {
			t.Fatalf("%q came back as\n%q", want, got)
		}
	})
}

func TestAFeedOfNothingIsACalendarToo(t *testing.T) {
	t.Parallel()
	text := feedOf(t)
	if bad := badLine.FindString(text); bad != "" {
		t.Errorf("%q in\n%s", bad, text)
	}
	if _, err := ical.NewDecoder(strings.NewReader(text)).Decode(); err != nil {
		t.Error(err)
	}
}
