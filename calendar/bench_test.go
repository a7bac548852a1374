package calendar

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-ical"
)

// calendar50k holds 50,000 events, one in four of them a series of 13 weeks: some
// 200,000 occurrences (PERFORMANCE §4).
func calendar50k() string {
	var b strings.Builder
	b.WriteString("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//bench//EN\r\n")
	for i := range 50_000 {
		at := wallOf(2026, 1, 1, 0) + wall(i%4000)*secondsPerDay/40
		fmt.Fprintf(&b, "BEGIN:VEVENT\r\nUID:%d@bench\r\nDTSTAMP:20260101T000000Z\r\nDTSTART;TZID=Europe/Berlin:%s\r\nSUMMARY:Post number %d\\, with a comma\r\n"+
			"DESCRIPTION:Our new collection is here\\ncome and see what we made for you thi\r\n s week only\\; read more about it on the blog\r\nCATEGORIES:LinkedIn,Marketing\r\nSEQUENCE:1\r\n", i, at.utc().Format("20060102T150405"), i)
		if i%4 == 0 {
			b.WriteString("RRULE:FREQ=WEEKLY;COUNT=13\r\n")
		}
		b.WriteString("END:VEVENT\r\n")
	}
	b.WriteString("END:VCALENDAR\r\n")
	return b.String()
}

// BenchmarkCalendar50k reads and expands a large calendar, with line numbers and
// all guards, beside go-ical parsing it, and beside go-ical with rrule-go
// expanding it.
func BenchmarkCalendar50k(b *testing.B) {
	text := calendar50k()
	from, to := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2028, 1, 1, 0, 0, 0, 0, time.UTC)
	var ours, parse, both time.Duration
	occurrences, theirs := 0, 0
	for b.Loop() {
		start := time.Now()
		f, err := read(b.Context(), []byte(text), options())
		if err != nil {
			b.Fatal(err)
		}
		occurrences = 0
		for _, s := range f.series {
			occurrences += len(f.instances(s, from, to))
		}
		ours += time.Since(start)

		start = time.Now()
		cal, err := ical.NewDecoder(strings.NewReader(text)).Decode()
		if err != nil {
			b.Fatal(err)
		}
		parse += time.Since(start)
		theirs = 0
		for _, e := range cal.Events() {
			set, err := e.RecurrenceSet(time.UTC)
			if err != nil {
				b.Fatal(err)
			}
			if set == nil {
				if _, err := e.DateTimeStart(time.UTC); err == nil {
					theirs++
				}
				continue
			}
			theirs += len(set.Between(from, to, true))
		}
		both += time.Since(start)
	}
	if occurrences != theirs {
		b.Fatalf("%d occurrences, go-ical %d", occurrences, theirs)
	}
	b.ReportMetric(ours.Seconds()/parse.Seconds(), "of-go-ical-alone")
	b.ReportMetric(ours.Seconds()/both.Seconds(), "of-go-ical+rrule-go")
	b.ReportMetric(float64(occurrences), "occurrences")
}
