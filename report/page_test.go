package report

import (
	"crypto/sha256"
	"encoding/base64"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/post"
)

var update = flag.Bool("update", false, "write the golden files anew")

// example is a report with one of everything.
func example(t *testing.T) *sheet {
	s := newSheet(t, "content", "platforms", "scheduled_time")
	s.imp.FirstAt, s.imp.LastAt = morning.Add(time.Hour), morning.AddDate(0, 1, 0)

	r, g := accepted(1, morning.Add(time.Hour), "twitter-1", "mastodon-2")
	s.row(r, g, "text 1")

	r, g = accepted(2, morning.Add(2*time.Hour), "mastodon-2")
	g.Posts[0].Status, g.Posts[0].Attempts = post.StatusPublished, 1
	g.Posts[0].Receipt = &post.Receipt{URL: "https://example.social/@acme/1"}
	s.row(r, g, "text 2")

	r, g = accepted(3, morning.Add(3*time.Hour), "twitter-1")
	g.Posts[0].Status, g.Posts[0].Attempts, g.Posts[0].Problem = post.StatusFailed, 3, &post.Outcome{Code: "FORBIDDEN", Message: "the account may not post"}
	s.row(r, g, "text 3")

	r, g = accepted(4, morning.Add(4*time.Hour), "twitter-1")
	g.Posts[0].Status, g.Posts[0].Attempts, g.Posts[0].Problem = post.StatusUnknown, 1, &post.Outcome{Code: "NO_ANSWER", Message: "the answer was lost"}
	s.row(r, g, "text 4")

	r, g = accepted(5, morning.AddDate(0, 1, 0), "twitter-1")
	r.RequestedAt = r.ScheduledAt.Add(-2 * time.Minute)
	s.row(r, g, "text 5")

	r, g = accepted(6, morning.Add(-time.Hour), "twitter-1")
	r.Decision, r.ScheduledAt, g.Held, g.Posts[0].Status = post.Held, time.Time{}, "its time is over", post.StatusDraft
	s.row(r, g, "text 6")

	s.row(rejected(7, "soon", "a time", "write `2026-03-01T09:00`"), nil, "text 7")
	s.row(rejected(8, "later", "a time", "write `2026-03-01T09:00`"), nil, "text 8")
	s.row(post.Row{N: 9, Line: 10, Decision: post.Unchanged, Why: "stored already, on 2026-02-27"}, nil, "text 9")
	s.imp.Notes = []post.Problem{{File: "spring.csv", Severity: post.SeverityWarning, Line: 1, Want: "the header row was found on line 1"}}
	return s
}

func TestPageOfAnExample(t *testing.T) {
	t.Parallel()
	s := example(t)
	most := 150
	s.commit(Quota{Label: "posts in March 2026", Used: 60, Added: 6, Limit: &most}, Quota{Label: "scheduled", Used: 3, Added: 3})
	golden := filepath.Join("testdata", "example.report.html")
	got := s.read(endHTML)
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the page is not %s: look at the change, then go test ./report -update", golden)
	}
}

func TestPageSaysWhatToDoNext(t *testing.T) {
	t.Parallel()
	s := example(t)
	s.commit()
	page := s.read(endHTML)
	for what, text := range map[string]string{
		"the file of rows to mend": "<code>spring.csv.rejected.csv</code>",
		"how to let go":            "postroom posts approve",
		"how to resolve":           "postroom posts resolve " + id(104).String(),
		"how to retry":             "postroom posts retry " + id(103).String(),
		"both rows of one mistake": "2 rows: ",
		"the cell with its column": `<b>scheduled_time</b><mark>soon</mark>`,
		"what to filter by":        `<tr data-status="unknown">`,
		"a platform's colour":      `<span class="dot" data-platform="mastodon"></span>`,
		"the link":                 `href="https://example.social/@acme/1"`,
		"a hint's code":            "write <code>2026-03-01T09:00</code>",
	} {
		if !strings.Contains(page, text) {
			t.Errorf("%s is not there: %s", what, text)
		}
	}
	// Those that need a person come before the others, the worst first.
	table := page[strings.Index(page, `<table class="posts">`):]
	last := -1
	for _, status := range []string{">unknown<", ">failed<", ">rejected<", ">held<", ">accepted<"} {
		at := strings.Index(table, status)
		if at < last {
			t.Errorf("%s stands too early", status)
		}
		last = at
	}
}

// However large the file, the page stays small, says how much of it is shown, and
// shows what needs a person.
func TestPageOfALargeFileIsBoundedAndSaysSo(t *testing.T) {
	t.Parallel()
	const rows = 30_000
	s := newSheet(t, "content")
	for n := 1; n <= rows; n++ {
		if n == rows {
			s.row(rejected(n, "soon", "a time", ""), nil, "text")
			continue
		}
		r, g := accepted(n, morning.Add(time.Duration(n)*time.Minute), "twitter-1")
		s.row(r, g, "text")
	}
	s.commit()
	page := s.read(endHTML)
	if len(page) > 1<<20 {
		t.Errorf("%d bytes", len(page))
	}
	for what, text := range map[string]string{
		"how many are shown": "The 500 that need you most are here; 29500 more are in <code>spring.csv.report.csv</code>",
		"the last row":       ">30001<",
	} {
		if !strings.Contains(page, text) {
			t.Errorf("%s is not there: %s", what, text)
		}
	}
}

func TestPageOfACheckAndOfNothingSaysSo(t *testing.T) {
	t.Parallel()
	check := newSheet(t, "content")
	check.imp.ID = post.ID{}
	r, g := accepted(1, morning, "twitter-1")
	check.row(r, g, "text")
	check.commit()
	if page := check.read(endHTML); !strings.Contains(page, "This was a check") || strings.Contains(page, "Taken for") {
		t.Error("a check looks like an import")
	}
	none := newSheet(t, "content")
	none.imp.ID = post.ID{}
	none.row(rejected(1, "x", "a time", ""), nil, "text")
	none.commit()
	if page := none.read(endHTML); !strings.Contains(page, "No row could be used") || strings.Contains(page, "This was a check") {
		t.Error("a file of which nothing was used is not called so")
	}
}

// TestP8_PageTrustsNoText: what strangers wrote is shown, never carried out.
func TestP8_PageTrustsNoText(t *testing.T) {
	t.Parallel()
	nasty := []string{
		`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `'><svg/onload=alert(1)>`, `{{.}}`, `</style><script>x</script>`,
		"`<b>code</b>`", "right\u202eto left", "line\u2028end", "bell\x07", "\x1b[31mred",
	}
	for _, text := range nasty {
		s := newSheet(t, "content")
		s.imp.Name, s.imp.Account = text, post.AccountID(text)
		s.Builder.src.Name = text
		r, g := accepted(1, morning, post.ConnectionID(text))
		g.Content.Text, r.Why = text, text
		g.Posts[0].Status, g.Posts[0].Problem = post.StatusFailed, &post.Outcome{Code: text, Message: text}
		g.Posts[0].Receipt = &post.Receipt{URL: "javascript:alert(1)"}
		s.row(r, g, text)
		r, g = accepted(2, morning, "twitter-1")
		r.Decision, g.Held, g.Posts[0].Status = post.Held, text, post.StatusDraft
		g.Posts[0].Receipt = &post.Receipt{URL: `https://x.example/"onmouseover="alert(1)`}
		s.row(r, g, text)
		s.row(rejected(3, text, text, text), nil, text)
		s.imp.Notes = []post.Problem{{Want: text, Hint: text, Got: text}}
		s.commit(Quota{Label: text})
		page, own := strings.CutSuffix(strings.TrimSpace(s.read(endHTML)), "<script>"+pageScript+"</script>\n</main>\n</body>\n</html>")
		if !own {
			t.Errorf("%q: the page does not end with its own script", text)
		}
		for _, bad := range []string{"<script", "<img", "<svg/", "<b>code", "javascript:", `"onmouseover`, "\u202e", "\u2028", "\x07", "\x1b"} {
			if strings.Contains(page, bad) {
				t.Errorf("%q: the page holds %q", text, bad)
			}
		}
		sum := sha256.Sum256([]byte(pageScript))
		policy := `content="default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-` + base64.StdEncoding.EncodeToString(sum[:]) + `'; base-uri 'none'; form-action 'none'"`
		if !strings.Contains(page, policy) {
			t.Error("the page has no policy that lets its own script run and nothing else")
		}
	}
}

func TestCalendarKeepsLocalDays(t *testing.T) {
	t.Parallel()
	s := newSheet(t, "content")
	// Berlin's clocks go forward on 29 March 2026 at 02:00.
	for i, at := range []time.Time{
		time.Date(2026, 3, 28, 23, 30, 0, 0, time.UTC), // 29 March, 00:30 CET
		time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC),   // 29 March, 03:00 CEST
		time.Date(2026, 3, 29, 21, 59, 0, 0, time.UTC), // 29 March, 23:59 CEST
		time.Date(2026, 3, 29, 22, 0, 0, 0, time.UTC),  // 30 March, 00:00 CEST
	} {
		r, g := accepted(i+1, at, "twitter-1")
		s.row(r, g, "text")
	}
	s.commit()
	page := s.read(endHTML)
	for day, want := range map[string]string{
		`<span class="num">29</span>`: `<span class="count">3</span>`,
		`<span class="num">30</span>`: `<span class="count">1</span>`,
	} {
		_, rest, _ := strings.Cut(page, day)
		if !strings.HasPrefix(rest, want) {
			t.Errorf("%s is followed by %.60q, want %s", day, rest, want)
		}
	}
	for _, text := range []string{"00:30 text 1", "03:00 text 2", "23:59 text 3", "00:00 text 4"} {
		if !strings.Contains(page, text) {
			t.Errorf("the calendar does not show %s", text)
		}
	}
}

func TestNoticeIsAWholePage(t *testing.T) {
	t.Parallel()
	base := filepath.Join(t.TempDir(), "acme", "broken.csv")
	paths, err := WriteNotice(base, Notice{
		File: "broken.csv", Title: "This file could not be used", At: morning, Zone: berlin,
		Problems: []post.Problem{{File: "broken.csv", Line: 1, Code: "NO_HEADER", Got: "<i>x", Want: "a header row", Hint: "add one"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) != 2 {
		t.Fatalf("got %v", paths)
	}
	page, err := os.ReadFile(base + endHTML)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"This file could not be used", "a header row", "add one", "line 1", "&lt;i&gt;x", "</html>"} {
		if !strings.Contains(string(page), text) {
			t.Errorf("%q is not there", text)
		}
	}
}
