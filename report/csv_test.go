package report

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/postroom/postroom/post"
)

func TestReportHasTheInputAndWhatBecameOfIt(t *testing.T) {
	t.Parallel()
	s := newSheet(t, "content", "platforms")
	at := morning.Add(90 * time.Minute)
	r, g := accepted(1, at, "twitter-1", "mastodon-2")
	r.RequestedAt, r.Why = at.Add(-3*time.Minute), "09:30 was taken"
	g.Posts[1].Status, g.Posts[1].Attempts, g.Posts[1].UpdatedAt = post.StatusPublished, 1, at.Add(time.Second)
	g.Posts[1].Receipt = &post.Receipt{URL: "https://example.social/@acme/1"}
	s.row(r, g, "text 1", "twitter;mastodon")
	s.row(rejected(2, "soon", "a time", "write 2026-03-01T09:00"), nil, "text 2", "twitter")
	s.commit()

	got := s.table(endCSV, ',')
	if len(got) != 3 {
		t.Fatalf("got %d lines, want one for each row and platform: 3", len(got))
	}
	for i, want := range []map[string]string{
		{"content": "text 1", "platforms": "twitter;mastodon", "line": "2", "status": "accepted", "platform": "twitter-1", "scheduled_time": "2026-03-02T09:30:00Z", "local_time": "2026-03-02 10:30 CET", "moved_by": "3", "why": "09:30 was taken", "post_group_id": id(1).String(), "attempts": "", "updated_at": ""},
		{"content": "text 1", "line": "2", "status": "published", "platform": "mastodon-2", "posted_url": "https://example.social/@acme/1", "attempts": "1", "updated_at": "2026-03-02T09:30:01Z"},
		{"content": "text 2", "line": "3", "status": "rejected", "platform": "", "post_group_id": "", "error_code": "BAD_TIME", "hint": "write 2026-03-01T09:00"},
	} {
		for column, cell := range want {
			if got[i][column] != cell {
				t.Errorf("line %d, %s: got %q, want %q", i+1, column, got[i][column], cell)
			}
		}
	}
	if e := got[2]["error"]; !strings.Contains(e, "soon") || !strings.Contains(e, "a time") {
		t.Errorf("error %q does not say what was read and what is wanted", e)
	}
}

func TestStatusFollowsThePost(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		decision post.Decision
		status   post.Status
		held     string
		want     string
	}{
		{post.Accepted, post.StatusScheduled, "", "accepted"},
		{post.Updated, post.StatusScheduled, "", "updated"},
		{post.Unchanged, post.StatusScheduled, "", "unchanged"},
		{post.Accepted, post.StatusPending, "", "accepted"},
		{post.Accepted, post.StatusProcessing, "", "sending"},
		{post.Accepted, post.StatusPublished, "", "published"},
		{post.Unchanged, post.StatusPublished, "", "published"},
		{post.Accepted, post.StatusFailed, "", "failed"},
		{post.Accepted, post.StatusUnknown, "", "unknown"},
		{post.Accepted, post.StatusCancelled, "", "cancelled"},
		{post.Accepted, post.StatusDraft, "", "draft"},
		{post.Held, post.StatusDraft, "in the past", "held"},
	} {
		r, g := accepted(1, morning, "twitter-1")
		r.Decision, g.Held, g.Posts[0].Status = c.decision, c.held, c.status
		if got := statusOf(&r, g, &g.Posts[0]); got != c.want {
			t.Errorf("%s row, %s post: got %s, want %s", c.decision, c.status, got, c.want)
		}
	}
}

func TestTroubleNamesTheNextStep(t *testing.T) {
	t.Parallel()
	r, g := accepted(1, morning, "twitter-1")
	p := &g.Posts[0]
	p.Problem = &post.Outcome{Code: "NO_ANSWER", Message: "the answer was lost"}
	for status, want := range map[post.Status]string{post.StatusUnknown: "posts resolve " + p.ID.String(), post.StatusFailed: "posts retry " + p.ID.String()} {
		p.Status = status
		if _, _, hint := troubleOf(&r, p); !strings.Contains(hint, want) {
			t.Errorf("%s: hint %q does not name %q", status, hint, want)
		}
	}
	p.Status = post.StatusPublished
	if code, message, hint := troubleOf(&r, p); code+message+hint != "" {
		t.Errorf("a published post has trouble: %s %s %s", code, message, hint)
	}
}

func TestColumnsOfTheInputKeepTheirNames(t *testing.T) {
	t.Parallel()
	s := newSheet(t, "content", "Status ", "line")
	r, g := accepted(1, morning, "twitter-1")
	s.row(r, g, "text 1", "ready", "a line")
	s.commit()
	got := s.table(endCSV, ',')[0]
	for column, want := range map[string]string{"Status ": "ready", "line": "a line", "postroom_status": "accepted", "postroom_line": "2"} {
		if got[column] != want {
			t.Errorf("%s: got %q, want %q", column, got[column], want)
		}
	}
}

func TestReportUsesTheInputsDelimiter(t *testing.T) {
	t.Parallel()
	for _, comma := range []rune{';', '\t', '|'} {
		s := newSheet(t, "content")
		if err := s.Discard(); err != nil {
			t.Fatal(err)
		}
		s.begin(comma, 1, "content", "platforms")
		s.row(rejected(1, "x"+string(comma)+"y", "a time", ""), nil, "a"+string(comma)+"b", "c,d")
		s.commit()
		for _, end := range []string{endCSV, endRejected} {
			if got := s.table(end, comma)[0]; got["content"] != "a"+string(comma)+"b" || got["platforms"] != "c,d" {
				t.Errorf("%q in %s: got %q", comma, end, got)
			}
		}
	}
}

// TestP4_EveryRowHasItsLines: whatever the cells hold and whatever was decided,
// the report has one line for each row and platform, and the rejected file has
// the rejected rows, unchanged.
func TestP4_EveryRowHasItsLines(t *testing.T) {
	t.Parallel()
	cell := rapid.OneOf(
		rapid.String(),
		rapid.StringOf(rapid.SampledFrom([]rune("a ,;\"'\n\r\t=+-@＝\x00é🎉"))),
	)
	decisions := []post.Decision{post.Accepted, post.Updated, post.Held, post.Rejected, post.Unchanged}
	rapid.Check(t, func(rt *rapid.T) {
		header := []string{"content", "platforms", "scheduled_time"}
		s := newSheet(t, header...)
		type key struct{ line, platform string }
		want := map[key]int{}
		lines := 0
		var mend [][]string
		for n := 1; n <= rapid.IntRange(0, 12).Draw(rt, "rows"); n++ {
			cells := rapid.SliceOfN(cell, 3, 3).Draw(rt, "cells")
			cells[0] = "x" + cells[0] // a row has something
			r, g := accepted(n, morning, []post.ConnectionID{"a-1", "b-2", "c-3"}[:rapid.IntRange(1, 3).Draw(rt, "platforms")]...)
			r.Decision = rapid.SampledFrom(decisions).Draw(rt, "decision")
			if rapid.Bool().Draw(rt, "trouble") {
				r.Problems = []post.Problem{{Field: "content", Want: "another", Got: cells[0], Severity: post.SeverityWarning}}
			}
			switch {
			case r.Decision == post.Rejected:
				r.Problems = append(r.Problems, post.Problem{Field: "content", Code: "BAD", Got: cells[1], Want: cells[2], Hint: cells[0]})
				g, r.Group = nil, post.ID{}
				mend = append(mend, cells)
			case r.Decision == post.Unchanged && rapid.Bool().Draw(rt, "no group to show"):
				g = nil
			}
			line := strings.TrimSpace(string(appendInt(r.Line)))
			if g == nil {
				want[key{line, ""}]++
				lines++
			} else {
				for i := range g.Posts {
					want[key{line, string(g.Posts[i].Connection)}]++
					lines++
				}
			}
			s.row(r, g, cells...)
		}
		s.commit()
		got := s.table(endCSV, ',')
		if len(got) != lines {
			rt.Fatalf("%d lines, want %d", len(got), lines)
		}
		for _, l := range got {
			want[key{l["line"], l["platform"]}]--
		}
		for k, n := range want {
			if n != 0 {
				rt.Errorf("line %s on %q: %d times too few", k.line, k.platform, n)
			}
		}
		if len(mend) == 0 {
			return
		}
		back := s.table(endRejected, ',')
		if len(back) != len(mend) {
			rt.Fatalf("%d rows to mend, want %d", len(back), len(mend))
		}
		for i, cells := range mend {
			for j, name := range header {
				// The CSV reader makes CR LF within quotes an LF.
				if have, want := back[i][name], strings.ReplaceAll(cells[j], "\r\n", "\n"); have != want {
					rt.Errorf("row %d, %s: %q came back as %q", i+1, name, want, have)
				}
			}
			if back[i][rejectedColumn] == "" {
				rt.Errorf("row %d has no reason", i+1)
			}
		}
	})
}

func appendInt(n int) []byte {
	var b []byte
	for ; n > 0; n /= 10 {
		b = append([]byte{byte('0' + n%10)}, b...)
	}
	return b
}

func TestCellsAreNoFormulas(t *testing.T) {
	t.Parallel()
	for cell, want := range map[string]string{
		"=1+1":                       "'=1+1",
		"+49 30 1234":                "'+49 30 1234",
		"-5":                         "'-5",
		"@SUM(A1)":                   "'@SUM(A1)",
		"\t=1":                       "'\t=1",
		"\r=1":                       "'\r=1",
		" =1":                        "' =1",
		"\n=1":                       "'\n=1",
		"\u00a0=1":                   "'\u00a0=1",
		`"=1"`:                       `'"=1"`,
		"'=1":                        "''=1",
		"＝1":                         "'＝1",
		"＋1":                         "'＋1",
		"－1":                         "'－1",
		"＠a":                         "'＠a",
		`=cmd|' /C calc'!A0`:         `'=cmd|' /C calc'!A0`,
		"":                           "",
		"plain":                      "plain",
		"a=b":                        "a=b",
		"#hashtag":                   "#hashtag",
		"5 - 3":                      "5 - 3",
		" blanks around ":            " blanks around ",
		"say \"hi\", then\nnew line": "say \"hi\", then\nnew line",
	} {
		s := newSheet(t, "content")
		s.row(rejected(1, "", "something", ""), nil, cell, "")
		s.commit()
		got := s.table(endCSV, ',')[0]["content"]
		if got != strings.ReplaceAll(want, "\r\n", "\n") {
			t.Errorf("%q is written as %q, want %q", cell, got, want)
		}
		// What goes back to the inbox must say what it said.
		if cell != "" {
			if back := s.table(endRejected, ',')[0]["content"]; back != cell {
				t.Errorf("%q is given back as %q", cell, back)
			}
		}
	}
}

func TestARecordTooBrokenForCellsIsGivenBackAsItWas(t *testing.T) {
	t.Parallel()
	s := newSheet(t, "content", "platforms")
	r := rejected(1, "", "a closing quote", "")
	if err := s.Row([]string{"", ""}, []byte(`"open, twitter`+"\r\n"), &r, nil); err != nil {
		t.Fatal(err)
	}
	s.commit()
	if text := s.read(endRejected); !strings.Contains(text, "\n\"open, twitter,") {
		t.Errorf("got %q", text)
	}
}

// TestClockIsTimeFormat: the clock is only a fast way to the same text.
func TestClockIsTimeFormat(t *testing.T) {
	t.Parallel()
	var zones []*time.Location
	for _, name := range []string{"UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Africa/Monrovia", "America/St_Johns", "Pacific/Apia", "Europe/Amsterdam"} {
		zones = append(zones, zone(name))
	}
	zones = append(zones, time.FixedZone("", -5400))
	rapid.Check(t, func(t *rapid.T) {
		z := rapid.SampledFrom(zones).Draw(t, "zone")
		c := clock{zone: z}
		// Most from 1901 on, many near a change of clocks.
		sec := rapid.OneOf(rapid.Int64Range(-2_177_452_800, 4_102_444_800), rapid.Int64Range(-70_000_000_000, 260_000_000_000)).Draw(t, "from")
		for range 20 {
			at := time.Unix(sec, 0)
			if got, want := string(c.appendLocal(nil, at)), at.In(z).Format("2006-01-02 15:04 MST"); got != want {
				t.Fatalf("%s: got %s, want %s", z, got, want)
			}
			if got, want := string(c.appendUTC(nil, at)), at.UTC().Format(time.RFC3339); got != want {
				t.Fatalf("got %s, want %s", got, want)
			}
			sec += rapid.SampledFrom([]int64{1, 59, 60, 899, 900, 1800, 3600, 86_400, 86_400 * 30, -3600}).Draw(t, "step")
		}
	})
}

func BenchmarkRow(b *testing.B) {
	s := newSheet(b, "content", "platforms", "scheduled_time", "media_url")
	if err := s.Discard(); err != nil {
		b.Fatal(err)
	}
	s.begin(',', Large+1, "content", "platforms", "scheduled_time", "media_url")
	r, g := accepted(1, morning, "twitter-1", "linkedin-2")
	cells := []string{strings.Repeat(`a text with "quotes", and more `, 5), "twitter;linkedin", "2026-03-02T09:00:00Z", ""}
	b.ReportAllocs()
	for b.Loop() {
		r.N++
		if err := s.Row(cells, nil, &r, g); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Discard(); err != nil {
		b.Fatal(err)
	}
}

func TestARowWithTooManyCellsIsGivenBackWhole(t *testing.T) {
	t.Parallel()
	s := newSheet(t, "content", "platforms")
	r := rejected(1, "twitter", "no more cells than the header has: 2", "")
	r.Problems[0].Code = "TOO_MANY_CELLS"
	if err := s.Row([]string{"Hello", "world"}, []byte("Hello, world,twitter\r\n"), &r, nil); err != nil {
		t.Fatal(err)
	}
	s.commit()
	if text := s.read(endRejected); !strings.Contains(text, "\nHello, world,twitter,") {
		t.Errorf("got %q", text)
	}
}
