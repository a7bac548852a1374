package report

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/postroom/postroom/post"
)

func TestOutcomesGoOnAfterATornLine(t *testing.T) {
	t.Parallel()
	s := newSheet(t, "content")
	if err := s.Discard(); err != nil {
		t.Fatal(err)
	}
	add := func(n int) {
		t.Helper()
		o, err := AppendOutcomes(s.base)
		if err != nil {
			t.Fatal(err)
		}
		_, g := accepted(n, morning, "twitter-1")
		g.Posts[0].Status, g.Posts[0].Attempts = post.StatusPublished, 1
		g.Posts[0].Receipt = &post.Receipt{URL: "https://x.example/1"}
		if err := o.Add(g, &g.Posts[0]); err != nil {
			t.Fatal(err)
		}
		if err := o.Close(); err != nil {
			t.Fatal(err)
		}
	}
	add(1)
	whole := s.read(endOutcomes)
	for cut := 1; cut < len(whole); cut++ {
		// The power fails within the last line, or within the first header.
		if err := os.WriteFile(s.base+endOutcomes, []byte(whole+whole[len(bom):][:min(cut, len(whole)-len(bom)-2)]), 0o644); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(whole[len(bom):][:min(cut, len(whole)-len(bom)-2)], "\n") {
			break
		}
		add(2)
		got := s.table(endOutcomes, ',')
		if len(got) != 2 || got[0]["row"] != "1" || got[1]["row"] != "2" || got[1]["posted_url"] != "https://x.example/1" {
			t.Fatalf("torn after %d bytes: %v", cut, got)
		}
	}
}

func TestSettledPostsAreThoseThatNothingMoreHappensTo(t *testing.T) {
	t.Parallel()
	for s, want := range map[post.Status]bool{
		post.StatusScheduled: false, post.StatusDraft: false, post.StatusPending: false, post.StatusProcessing: false,
		post.StatusPublished: true, post.StatusFailed: true, post.StatusUnknown: true, post.StatusCancelled: true,
	} {
		if Settled(s) != want {
			t.Errorf("%s: %v", s, !want)
		}
	}
}

func TestSafeNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"spring.csv", "Frühling 2026 (final).csv", "日本.csv"} {
		if got := SafeName(name); got != name {
			t.Errorf("%q became %q", name, got)
		}
	}
	seen := map[string]string{}
	for _, name := range []string{"", ".", "..", ".hidden", "-rf", "a/b.csv", "a\\b.csv", "a:b.csv", "a\nb.csv", "a\tb.csv", "a\u202eb.csv", "a\xffb.csv", "a_b.csv", strings.Repeat("é", 300) + ".csv", strings.Repeat("é", 301) + ".csv"} {
		got := SafeName(name)
		if before, twice := seen[got]; twice {
			t.Errorf("%q and %q are both %q", before, name, got)
		}
		seen[got] = name
	}
	rapid.Check(t, func(t *rapid.T) {
		got := SafeName(rapid.OneOf(rapid.String(), rapid.StringMatching(`[./\\ -]{0,5}[a-z]{0,300}`)).Draw(t, "name"))
		switch {
		case got == "" || got[0] == '.' || got[0] == '-', !utf8.ValidString(got), len(got) > 255-len(endRejected)-len(endOutcomes),
			filepath.Base(got) != got, strings.ContainsAny(got, "\\\n\r\x00"):
			t.Errorf("%q is not safe", got)
		}
	})
}
