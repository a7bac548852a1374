// Package samples holds calendars to try postroom with. `postroom init` puts
// them into a new room's inbox, and a test runs each through a room of the same
// kind and compares what comes out with the file in expected/: what they say
// they show is what happens.
//
// Dates in a file would be over the day after it was written, so a sample is a
// calendar in which times stand in braces and are filled in relative to an
// instant. Everything else is as a person's program would have saved it: other
// encodings, delimiters and mistakes are there on purpose.
//
//	{{now+3m}}             the minute that begins 3 minutes from now, at the earliest
//	{{day+1 09:00}}        tomorrow at nine
//	{{gap Europe/Berlin}}  a wall time that the next change of clocks skips
//	{{overlap Europe/Berlin}}  one that it gives twice
//
// They are written 2026-03-02T09:00, in the zone of the room. A word at the end
// changes that: utc writes 2026-03-02T08:00:00Z, de 02.03.2026 09:00, ics
// 20260302T090000, utc ics 20260302T080000Z, and day 20260302.
package samples

import (
	"bytes"
	"embed"
	"fmt"
	"strings"
	"time"
)

//go:embed *.csv *.ics
var files embed.FS

// A Sample is one calendar.
type Sample struct {
	Name    string // of the file
	Account string // whose it is, in the room that `postroom init` makes
	Shows   string // what there is to see, for people
}

// All returns the samples, in the order in which a room takes them.
func All() []Sample {
	return []Sample{
		{"spring-launch.csv", "acme", "a calendar without mistakes: the first posts go out within minutes, one becomes a thread"},
		{"week-with-mistakes.csv", "acme", "a misspelled platform, a date that is none, a text too long for Bluesky, an unknown zone: each is named, the other rows go on"},
		{"redaktionsplan-excel.csv", "acme", "what Excel saves in Germany: semicolons, Windows-1252, 31.12.2026, German headings"},
		{"campaign-200.csv", "acme", "200 rows that want the same few minutes, spread so that no channel is flooded"},
		{"time-zones.csv", "acme", "a zone for each row, times that the change of clocks skips or gives twice"},
		{"drafts-and-past.csv", "acme", "drafts, rows without a time, and times that are over"},
		{"google-calendar.ics", "acme", "a calendar from Google: platforms before the summary, a series with one date moved and one left out, HTML in a text, a private entry that is nobody's post"},
		{"outlook-calendar.ics", "acme", "a calendar from Outlook: colour categories are the platforms, a zone that only Outlook knows, a whole day, a tentative entry that waits for approval"},
		{"apple-calendar.ics", "acme", "a calendar from Apple: platforms in the notes, a time on the hour that clocks skip, a meeting that is not posted"},
		{"over-plan.csv", "blossom", "more than the starter plan allows: the first row that does not fit is named"},
	}
}

// Reference is the instant to which expected/ is relative: a Monday, four weeks
// before clocks change in Europe.
var Reference = time.Date(2026, time.March, 2, 8, 0, 0, 0, time.UTC)

// Render returns the calendar with its times filled in, as seen at now in a room
// of that zone.
func (s Sample) Render(now time.Time, zone *time.Location) ([]byte, error) {
	text, err := files.ReadFile(s.Name)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	for line := 1; ; {
		before, rest, found := bytes.Cut(text, []byte("{{"))
		out.Write(before)
		line += bytes.Count(before, []byte("\n"))
		if !found {
			return out.Bytes(), nil
		}
		inside, after, closed := bytes.Cut(rest, []byte("}}"))
		if !closed {
			return nil, fmt.Errorf("%s:%d: {{ without }}", s.Name, line)
		}
		at, err := resolve(string(inside), now.In(zone))
		if err != nil {
			return nil, fmt.Errorf("%s:%d: {{%s}}: %w", s.Name, line, inside, err)
		}
		out.WriteString(at)
		text = after
	}
}

// layouts are the words that may end a placeholder.
var layouts = map[string]string{
	"":    "2006-01-02T15:04",
	"utc": "2006-01-02T15:04:05Z",
	"de":  "02.01.2006 15:04",
	"ics": "20060102T150405", // with utc before it, 20060102T150405Z
	"day": "20060102",
}

// resolve writes the time that a placeholder means, as seen at now.
func resolve(placeholder string, now time.Time) (string, error) {
	words := strings.Fields(placeholder)
	if len(words) == 0 {
		return "", fmt.Errorf("is empty")
	}
	word := ""
	if _, ok := layouts[words[len(words)-1]]; ok {
		word, words = words[len(words)-1], words[:len(words)-1]
	}
	layout := layouts[word]
	if word == "ics" && len(words) > 0 && words[len(words)-1] == "utc" {
		word, words, layout = "utc", words[:len(words)-1], layout+"Z"
	}
	at, err := instant(words, now)
	if err != nil {
		return "", err
	}
	if word == "utc" {
		at = at.UTC()
	}
	return at.Format(layout), nil
}

func instant(words []string, now time.Time) (time.Time, error) {
	switch head, arg, _ := strings.Cut(strings.Join(words, " "), " "); {
	case strings.HasPrefix(head, "now") && arg == "":
		d, err := time.ParseDuration(orZero(strings.TrimPrefix(head, "now")))
		return now.Add(d + time.Minute - 1).Truncate(time.Minute), err
	case strings.HasPrefix(head, "day"):
		var days int
		if _, err := fmt.Sscanf(orZero(strings.TrimPrefix(head, "day")), "%d", &days); err != nil {
			return time.Time{}, err
		}
		clock, err := time.Parse("15:04", arg)
		return time.Date(now.Year(), now.Month(), now.Day()+days, clock.Hour(), clock.Minute(), 0, 0, now.Location()), err
	case head == "gap", head == "overlap":
		zone, err := time.LoadLocation(arg)
		if err != nil {
			return time.Time{}, err
		}
		return nextChange(now.In(zone), head == "gap")
	}
	return time.Time{}, fmt.Errorf("want now+3m, day+1 09:00, gap ZONE or overlap ZONE")
}

func orZero(s string) string {
	if s == "" {
		return "+0"
	}
	return s
}

// nextChange returns a wall time, as if it were UTC, in the middle of what the
// next change of clocks after now skips, or else gives twice.
func nextChange(now time.Time, gap bool) (time.Time, error) {
	at := now.Truncate(15 * time.Minute)
	for range 2 * 366 * 24 * 4 { // every change lies on a quarter of an hour
		next := at.Add(15 * time.Minute)
		_, before := at.Zone()
		_, after := next.Zone()
		if moved := after - before; moved > 0 && gap || moved < 0 && !gap {
			first := next.UTC().Add(time.Duration(min(before, after)) * time.Second)
			return first.Add(time.Duration(max(moved, -moved)) * time.Second / 2), nil
		}
		at = next
	}
	return time.Time{}, fmt.Errorf("the clocks of %s do not change like that", now.Location())
}
