package calendar

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-ical"
)

// calendarOf holds that many events, one in four of them a series of 13 weeks: four
// occurrences an event (PERFORMANCE §4).
func calendarOf(events int) string {
	var b strings.Builder
	b.WriteString("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//bench//EN\r\n")
	for i := range events {
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

var benchFrom, benchTo = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2028, 1, 1, 0, 0, 0, 0, time.UTC)

// readAndExpand is what is measured: it counts the occurrences.
func readAndExpand(b *testing.B, text string) int {
	o := options()
	o.mostRows = maxEvents // what is never listed would not be read
	f, err := read(b.Context(), text, o)
	if err != nil {
		b.Fatal(err)
	}
	n := 0
	for _, s := range f.series {
		n += len(f.instances(s, benchFrom, benchTo))
	}
	return n
}

// BenchmarkCalendar50k reads and expands a large calendar, with line numbers and
// all guards, beside go-ical parsing it, and beside go-ical with rrule-go
// expanding it.
func BenchmarkCalendar50k(b *testing.B) {
	text := calendarOf(50_000)
	var ours, parse, both time.Duration
	occurrences, theirs := 0, 0
	for b.Loop() {
		start := time.Now()
		occurrences = readAndExpand(b, text)
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
			theirs += len(set.Between(benchFrom, benchTo, true))
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

// BenchmarkCalendarICalJS does the same beside ical.js, where there are node and
// npm to fetch it. The calendar is a tenth as large: ical.js takes time by the
// square of its size.
func BenchmarkCalendarICalJS(b *testing.B) {
	node, err := exec.LookPath("node")
	if err != nil {
		fmt.Println("ical.js skipped: there is no node") // a benchmark that skips says nothing of its own
		b.SkipNow()
	}
	dir := b.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "icaljs"))); err != nil {
		b.Fatal(err)
	}
	install := exec.CommandContext(b.Context(), "npm", "install", "--no-audit", "--no-fund", "--no-package-lock")
	install.Dir = dir
	if err := install.Run(); err != nil {
		fmt.Println("ical.js skipped: npm could not fetch it:", err)
		b.SkipNow()
	}
	text := calendarOf(5_000)
	file := filepath.Join(dir, "bench.ics")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		b.Fatal(err)
	}

	var ours time.Duration
	var theirs float64
	for b.Loop() {
		start := time.Now()
		n := readAndExpand(b, text)
		ours += time.Since(start)
		count := exec.CommandContext(b.Context(), node, "count.mjs", file)
		count.Dir = dir
		out, err := count.Output()
		if err != nil {
			b.Fatal(err)
		}
		var said struct {
			Occurrences int
			Seconds     float64
		}
		if err := json.Unmarshal(out, &said); err != nil {
			b.Fatal(err)
		}
		if said.Occurrences != n {
			b.Fatalf("%d occurrences, ical.js %d", n, said.Occurrences)
		}
		theirs += said.Seconds
	}
	b.ReportMetric(ours.Seconds()/theirs, "of-ical.js")
}
