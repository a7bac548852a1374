package calendar

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/post"
)

// corpus is the folder with real calendars, or "" where there is none.
func corpus(t testing.TB) string {
	dir := os.Getenv("POSTROOM_CORPUS")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "corpus")
	}
	dir = filepath.Join(dir, "ical")
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		t.Skip("no corpus of calendars: set POSTROOM_CORPUS to its folder")
	}
	return dir
}

// occurrencesOf lists the times of all events, as the references write them:
// floating times as if in UTC, whole days at midnight.
func occurrencesOf(t testing.TB, b []byte, from, to time.Time) (*File, []string) {
	f, err := read(t.Context(), string(b), Options{Name: "corpus.ics", Zone: time.UTC, mostInstances: 100_000})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, s := range f.series {
		if s.master != nil && (s.master.kind != "VEVENT" || slices.ContainsFunc(s.master.problems, refusesRule)) {
			continue
		}
		for _, in := range f.instances(s, from, to) {
			switch {
			case in.event.kind != "VEVENT":
			case in.date:
				out = append(out, in.at.UTC().Format("20060102"))
			default:
				out = append(out, in.at.UTC().Format("20060102T150405Z"))
			}
		}
	}
	slices.Sort(out)
	return f, out
}

// refusesRule reports whether a problem is that of a rule: without it, its event is
// no single one instead.
func refusesRule(p post.Problem) bool {
	return p.Severity == post.SeverityError && (p.Field == "RRULE" || p.Field == "EXRULE")
}

// decided are the files in which we read otherwise than the references agree on,
// each with the reason.
var decided = map[string]string{
	"0400.ics": "a TZID of digits that its VTIMEZONE defines: it is used, where the references read UTC",
	"0664.ics": "UNTIL is a date on a timed series: the whole day counts, as Google means it",
	"0724.ics": "an HOURLY rule at the hour that clocks give twice: the first is taken (RFC 5545 §3.3.5)",
}

// TestCorpusScore compares the occurrences of real calendars with those on which
// reference engines agree. Each difference that is a decision is named here.
func TestCorpusScore(t *testing.T) {
	t.Parallel()
	dir := corpus(t)
	b, err := os.ReadFile(filepath.Join(dir, "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var files map[string]struct {
		Source   string
		Window   [2]string
		Features []string
		Events   int
		Starts   []string
	}
	if err := json.Unmarshal(b, &files); err != nil {
		t.Fatal(err)
	}
	var names []string
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	scored, equal, other := 0, 0, 0
	for _, name := range names {
		want := files[name]
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		from, _ := time.Parse(time.DateOnly, want.Window[0])
		to, _ := time.Parse(time.DateOnly, want.Window[1])
		start := time.Now()
		f, got := occurrencesOf(t, b, from, to)
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("%s took %s", name, took)
		}
		if want.Events > 0 && len(f.series)+len(f.loose) == 0 {
			t.Errorf("%s: no event was read of %d", name, want.Events)
		}
		if want.Starts == nil {
			continue
		}
		scored++
		slices.Sort(want.Starts)
		if slices.Equal(got, want.Starts) {
			equal++
			if decided[name] != "" {
				t.Errorf("%s is equal: it needs no reason", name)
			}
			continue
		}
		if why := decided[name]; why != "" {
			t.Logf("%s: decided: %s (%s)", name, why, difference(got, want.Starts))
			other++
			continue
		}
		t.Logf("%s (%s, %s): %s", name, want.Source, strings.Join(want.Features, " "), difference(got, want.Starts))
		for _, s := range f.series[:min(len(f.series), 20)] {
			for _, e := range append([]*event{s.master}, s.overrides...) {
				if e != nil {
					for _, p := range e.problems {
						t.Log("   ", p)
					}
				}
			}
		}
	}
	t.Logf("occurrences equal in %d of %d files; %d more differ by decision", equal, scored, other)
	if equal+other != scored || other != len(decided) {
		t.Errorf("%d of %d files differ without a reason", scored-equal-other, scored)
	}
}

func difference(got, want []string) string {
	var extra, missing []string
	for _, g := range got {
		if !slices.Contains(want, g) {
			extra = append(extra, g)
		}
	}
	for _, w := range want {
		if !slices.Contains(got, w) {
			missing = append(missing, w)
		}
	}
	short := func(s []string) string { return fmt.Sprint(len(s), " ", s[:min(len(s), 6)]) }
	return fmt.Sprintf("%d, want %d; extra %s, missing %s", len(got), len(want), short(extra), short(missing))
}
