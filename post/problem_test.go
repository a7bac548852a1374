package post_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/postroom/postroom/post"
)

func TestProblemString(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule string
		p    post.Problem
		want string
	}{
		{"all of it", post.Problem{File: "week.csv", Line: 3, Column: 8, Field: "scheduled_time", Got: "tomorow", Want: "a date like 2026-03-01T09:00", Hint: "write the year first"}, `week.csv:3:8: scheduled_time: got "tomorow", want a date like 2026-03-01T09:00 (write the year first)`},
		{"a whole row", post.Problem{File: "week.csv", Line: 3, Want: "no more than 30 hashtags"}, `week.csv:3: no more than 30 hashtags`},
		{"a whole file", post.Problem{File: "week.csv", Want: "a header row"}, `week.csv: a header row`},
		{"no file", post.Problem{Line: 3, Field: "content", Want: "a text"}, `line 3: content: a text`},
		{"no place", post.Problem{Field: "timezone", Got: "Mars"}, `timezone: got "Mars"`},
		{"a warning", post.Problem{File: "week.csv", Line: 3, Severity: post.SeverityWarning, Want: "the last row has no line ending"}, `week.csv:3: warning: the last row has no line ending`},
		{"an event without a line", post.Problem{File: "c.ics", UID: "42@example.org", Field: "DTSTART", Want: "a date"}, `c.ics: event 42@example.org: DTSTART: a date`},
		{"an event with one", post.Problem{File: "c.ics", Line: 9, UID: "42@example.org", Field: "DTSTART", Want: "a date"}, `c.ics:9: DTSTART: a date`},
		{"what was given is quoted", post.Problem{Got: "a\nb", Want: "one line"}, `got "a\nb", want one line`},
	} {
		if got := c.p.String(); got != c.want {
			t.Errorf("%s\ngot  %s\nwant %s", c.rule, got, c.want)
		}
		var p post.Problem
		if err := error(c.p); !errors.As(err, &p) || err.Error() != c.want {
			t.Errorf("%s: as an error it reads %v", c.rule, err)
		}
	}
	if got, want := (post.Problem{File: "w.csv", Line: 2, Field: "x", Want: "y", Hint: "z"}).Message(), "x: y"; got != want {
		t.Errorf("message: got %q, want %q", got, want)
	}
}

func TestHasErrors(t *testing.T) {
	t.Parallel()
	warning := post.Problem{Severity: post.SeverityWarning}
	if post.HasErrors(nil) || post.HasErrors([]post.Problem{warning, warning}) {
		t.Error("warnings are not errors")
	}
	if !post.HasErrors([]post.Problem{warning, {}}) {
		t.Error("a problem that says nothing else is an error")
	}
}

func TestSeverityIsWrittenByName(t *testing.T) {
	t.Parallel()
	for _, s := range []post.Severity{post.SeverityError, post.SeverityWarning} {
		b, err := json.Marshal(post.Problem{Severity: s})
		if err != nil {
			t.Fatal(err)
		}
		if want := `{"severity":"` + s.String() + `"}`; string(b) != want {
			t.Errorf("got %s, want %s", b, want)
		}
		var back post.Problem
		if err := json.Unmarshal(b, &back); err != nil || back.Severity != s {
			t.Errorf("%s: read as %v, %v", b, back.Severity, err)
		}
	}
}

func TestShorten(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ rule, in, want string }{
		{"short texts stay", "tomorrow", "tomorrow"},
		{"60 letters stay", strings.Repeat("a", 60), strings.Repeat("a", 60)},
		{"61 are cut to 59 and an ellipsis", strings.Repeat("a", 61), strings.Repeat("a", 59) + "…"},
		{"letters are counted, not bytes", strings.Repeat("ä", 60), strings.Repeat("ä", 60)},
		{"nor are they cut in two", strings.Repeat("ä", 70), strings.Repeat("ä", 59) + "…"},
	} {
		if got := post.Shorten(c.in); got != c.want {
			t.Errorf("%s: got %q", c.rule, got)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "s")
		got := post.Shorten(s)
		if utf8.RuneCountInString(got) > 60 || got != s && !strings.HasPrefix(s, strings.TrimSuffix(got, "…")) {
			t.Fatalf("%q became %q", s, got)
		}
	})
}
