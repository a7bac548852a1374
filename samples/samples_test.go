package samples

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func berlin(t *testing.T) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func TestEverySampleIsListedAndRenders(t *testing.T) {
	t.Parallel()
	onDisk, err := filepath.Glob("*.csv")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, s := range All() {
		listed[s.Name] = true
		if s.Account == "" || s.Shows == "" {
			t.Errorf("%s: want an account and what it shows", s.Name)
		}
		got, err := s.Render(Reference, berlin(t))
		if err != nil {
			t.Error(err)
			continue
		}
		if bytes.Contains(got, []byte("{{")) || bytes.Contains(got, []byte("}}")) {
			t.Errorf("%s: a placeholder is left", s.Name)
		}
		if !bytes.HasSuffix(got, []byte("\n")) {
			t.Errorf("%s: the last line is not complete: an inbox would wait for the rest", s.Name)
		}
	}
	for _, name := range onDisk {
		if !listed[name] {
			t.Errorf("%s is not listed by All", name)
		}
	}
}

// The braces are a matter of the day; all else must reach the inbox byte by
// byte, in whatever encoding it is.
func TestRenderingChangesNothingButThePlaceholders(t *testing.T) {
	t.Parallel()
	for _, s := range All() {
		raw, err := os.ReadFile(s.Name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Render(Reference, time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		for part := range bytes.SplitSeq(raw, []byte("{{")) {
			if _, after, found := bytes.Cut(part, []byte("}}")); found {
				part = after
			}
			at := bytes.Index(got, part)
			if at < 0 {
				t.Fatalf("%s: %q is gone", s.Name, part)
			}
			got = got[at+len(part):]
		}
		if len(got) > 0 {
			t.Errorf("%s: %q was added", s.Name, got)
		}
	}
}

func TestPlaceholders(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 2, 8, 0, 1, 0, time.UTC) // 09:00:01 in Berlin
	for _, c := range []struct{ in, want string }{
		{"now", "2026-03-02T09:01"},
		{"now+3m", "2026-03-02T09:04"},
		{"now-2h", "2026-03-02T07:01"},
		{"now+3m utc", "2026-03-02T08:04:00Z"},
		{"day 09:00", "2026-03-02T09:00"},
		{"day+1 09:00", "2026-03-03T09:00"},
		{"day-3 23:59", "2026-02-27T23:59"},
		{"day+27 09:00 utc", "2026-03-29T07:00:00Z"}, // summer time has begun
		{"day+30 08:05 de", "01.04.2026 08:05"},
		{"gap Europe/Berlin", "2026-03-29T02:30"},
		{"overlap Europe/Berlin", "2026-10-25T02:30"},
		{"gap America/New_York", "2026-03-08T02:30"},
		{"gap Australia/Lord_Howe", "2026-10-04T02:15"}, // moves by half an hour
		{"overlap Australia/Lord_Howe", "2026-04-05T01:45"},
	} {
		got, err := resolve(c.in, now.In(berlin(t)))
		if err != nil || got != c.want {
			t.Errorf("{{%s}}: got %s, %v, want %s", c.in, got, err, c.want)
		}
	}
}

func TestBadPlaceholdersAreErrors(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"", "utc", "soon", "now+3", "now+3m noon", "day+x 09:00", "day+1", "day+1 25:00", "gap", "gap Europe/Berlim", "gap UTC", "overlap Asia/Tokyo"} {
		if got, err := resolve(in, Reference); err == nil {
			t.Errorf("{{%s}}: got %s, want an error", in, got)
		}
	}
}

// A placeholder in the skipped hour is what it says: no clock shows it.
func TestGapIsATimeThatNoClockShows(t *testing.T) {
	t.Parallel()
	for _, zone := range []string{"Europe/Berlin", "America/New_York", "America/Santiago", "Australia/Lord_Howe"} {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		text, err := resolve("gap "+zone, Reference)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.ParseInLocation(layouts[""], text, loc)
		if err != nil {
			t.Fatal(err)
		}
		if shown := at.Format(layouts[""]); shown == text {
			t.Errorf("%s: clocks show %s", zone, text)
		}
	}
	if !strings.Contains(layouts["utc"], "Z") {
		t.Error("utc must be written as an instant")
	}
}
