package calendar

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/post"
)

// bombs are files that are made to hurt whoever reads them. Each ends soon, with
// a word about what is wrong, or is read as what it says.
var bombs = map[string]func() string{
	"nested 8 million deep": func() string { return "BEGIN:VCALENDAR\r\n" + strings.Repeat("BEGIN:X\r\n", 7_000_000) },
	"nested, and closed": func() string {
		return "BEGIN:VCALENDAR\r\n" + strings.Repeat("BEGIN:VEVENT\r\n", 500_000) + strings.Repeat("END:VEVENT\r\n", 500_000)
	},
	"a parameter of 8 MB":  func() string { return inEvent("ATTENDEE;CN=" + strings.Repeat("x", 8<<20) + ":mailto:a@b") },
	"a quoted one":         func() string { return inEvent("ATTENDEE;CN=\"" + strings.Repeat("x", 8<<20) + "\":mailto:a@b") },
	"100,000 parameters":   func() string { return inEvent("ATTENDEE" + strings.Repeat(";X=y", 100_000) + ":mailto:a@b") },
	"4 million folds":      func() string { return inEvent("DESCRIPTION:" + strings.Repeat("a\r\n ", 4_000_000)) },
	"a million bare lines": func() string { return inEvent("DESCRIPTION:a\r\n" + strings.Repeat("more text\r\n", 1_000_000)) },
	"a line of 30 MB":      func() string { return inEvent("DESCRIPTION:" + strings.Repeat("a", 30<<20)) },
	"200,000 events":       func() string { return "BEGIN:VCALENDAR\r\n" + manyEvents(200_000, "") + "END:VCALENDAR\r\n" },
	"99,000 alike": func() string {
		return "BEGIN:VCALENDAR\r\n" + strings.Repeat("BEGIN:VEVENT\r\nUID:1\r\nDTSTART:20260303T090000Z\r\nSUMMARY:x\r\nEND:VEVENT\r\n", 99_000) + "END:VCALENDAR\r\n"
	},
	"99,000 without a UID": func() string {
		return "BEGIN:VCALENDAR\r\n" + strings.Repeat("BEGIN:VEVENT\r\nDTSTART:20260303T090000Z\r\nSUMMARY:x\r\nEND:VEVENT\r\n", 99_000) + "END:VCALENDAR\r\n"
	},
	"50,000 overrides of one": func() string { return "BEGIN:VCALENDAR\r\n" + manyOverrides(50_000) + "END:VCALENDAR\r\n" },
	"200,000 exdates": func() string {
		return inEvent("RRULE:FREQ=DAILY\r\n" + strings.Repeat("EXDATE:20260304T090000Z\r\n", 200_000))
	},
	"200,000 in one line": func() string {
		return inEvent("RRULE:FREQ=DAILY\r\nEXDATE:" + strings.Repeat("20260304T090000Z,\r\n ", 200_000))
	},
	"200,000 rdates": func() string { return inEvent(strings.Repeat("RDATE:20260304T090000Z\r\n", 200_000)) },
	"minutely, 200 times": func() string {
		return "BEGIN:VCALENDAR\r\n" + manyEvents(200, "RRULE:FREQ=MINUTELY\r\n") + "END:VCALENDAR\r\n"
	},
	"daily 24 times, 2,000": func() string {
		return "BEGIN:VCALENDAR\r\n" + manyEvents(2000, "RRULE:FREQ=DAILY;BYHOUR=1,2,3,4,5,6,7,8,9,10,11,12\r\n") + "END:VCALENDAR\r\n"
	},
	"dense by the second": func() string {
		return inEvent("RRULE:FREQ=DAILY;BYHOUR=" + numbers(24) + ";BYMINUTE=" + numbers(60) + ";BYSECOND=" + numbers(60))
	},
	"a rule of 2,000 hours":   func() string { return inEvent("RRULE:FREQ=DAILY;BYHOUR=" + strings.Repeat("1,", 2000) + "1") },
	"hourly that never comes": func() string { return inEvent("RRULE:FREQ=HOURLY;INTERVAL=24;BYHOUR=10") },
	"2,000 zones": func() string {
		return "BEGIN:VCALENDAR\r\n" + manyZones(20_000) + manyEvents(2000, "") + "END:VCALENDAR\r\n"
	},
	"20,000 zone names": func() string { return "BEGIN:VCALENDAR\r\n" + manyNames(20_000) + "END:VCALENDAR\r\n" },
	"40,000 calendars":  func() string { return strings.Repeat("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n", 40_000) },
	"pictures of 40 MB": func() string {
		return inEvent(strings.Repeat("ATTACH;ENCODING=BASE64;VALUE=BINARY:"+base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", 8<<20)))+"\r\n", 4))
	},
	"HTML without an end": func() string { return inEvent("DESCRIPTION:" + strings.Repeat("<a href=x>", 90_000)) },
	"only colons":         func() string { return "BEGIN:VCALENDAR\r\n" + strings.Repeat(":", 8<<20) },
	"only line ends":      func() string { return "BEGIN:VCALENDAR" + strings.Repeat("\r", 8<<20) },
	"no line ends":        func() string { return "BEGIN:VCALENDAR" + strings.Repeat(" ", 8<<20) },
	"soft line breaks": func() string {
		return inEvent("SUMMARY;ENCODING=QUOTED-PRINTABLE:" + strings.Repeat("a=\r\n", 1_000_000))
	},
	"front matter": func() string {
		return inEvent("DESCRIPTION:" + strings.Repeat(`Media: https://example.com/a.png\n`, 25_000))
	},
	"categories": func() string { return inEvent("CATEGORIES:" + strings.Repeat("linkedn,", 100_000)) },
}

func inEvent(line string) string {
	return "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART:20260303T090000Z\r\nSUMMARY:x\r\n" + line + "\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
}

func manyEvents(n int, more string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "BEGIN:VEVENT\r\nUID:%d\r\nDTSTART;TZID=Europe/Berlin:20260303T090000\r\nSUMMARY:x %d\r\n%sEND:VEVENT\r\n", i, i, more)
	}
	return b.String()
}

func manyOverrides(n int) string {
	var b strings.Builder
	b.WriteString("BEGIN:VEVENT\r\nUID:1\r\nDTSTART:20000101T090000Z\r\nRRULE:FREQ=DAILY\r\nSUMMARY:x\r\nEND:VEVENT\r\n")
	for i := range n {
		fmt.Fprintf(&b, "BEGIN:VEVENT\r\nUID:1\r\nRECURRENCE-ID:%s\r\nSUMMARY:y\r\nEND:VEVENT\r\n", wallOf(2000, 1, 1, 32400+i*60).utc().Format("20060102T150405Z"))
	}
	return b.String()
}

func manyZones(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "BEGIN:VTIMEZONE\r\nTZID:Z%d\r\nBEGIN:STANDARD\r\nDTSTART:16010101T000000\r\nRRULE:FREQ=YEARLY\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n", i)
	}
	return b.String()
}

func manyNames(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "BEGIN:VEVENT\r\nUID:%d\r\nDTSTART;TZID=Nowhere/%d:20260303T090000\r\nSUMMARY:x\r\nEND:VEVENT\r\n", i, i)
	}
	return b.String()
}

func numbers(n int) string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprint(i))
	}
	return strings.Join(out, ",")
}

// bombFile names the file that a child process of TestBombsHarmNobody is to read.
const bombFile = "POSTROOM_BOMB"

// Every bomb is read in a process of its own: what one costs is then seen, and a
// crash that no recover can catch is that bomb's alone.
func TestBombsHarmNobody(t *testing.T) {
	if path := os.Getenv(bombFile); path != "" {
		readBomb(t, path)
		return
	}
	if testing.Short() {
		t.Skip("hundreds of megabytes")
	}
	for name, make := range bombs {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "bomb.ics")
			if err := os.WriteFile(path, []byte(make()), 0o600); err != nil {
				t.Fatal(err)
			}
			child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBombsHarmNobody$", "-test.v")
			child.Env = append(os.Environ(), bombFile+"="+path)
			out, err := child.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%.2000s", err, out)
			}
			said, _, _ := strings.Cut(string(out), "--- PASS")
			if _, after, ok := strings.Cut(said, "bombs_test.go:"); ok {
				_, said, _ = strings.Cut(after, ": ")
			}
			t.Log(strings.TrimSpace(said))
		})
	}
}

// readBomb reads a file as the program does.
func readBomb(t *testing.T, path string) {
	src, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	info, err := src.Stat()
	if err != nil {
		t.Fatal(err)
	}
	o := options()
	o.Hourly = true
	began := time.Now()
	f, err := Open(t.Context(), src, info.Size(), o)
	took := time.Since(began)
	// The figure to reach is one second on a quiet machine; this only finds what
	// never ends.
	if took > 10*time.Second {
		t.Errorf("took %s", took)
	}
	what := ""
	var unusable *Unusable
	switch {
	case errors.As(err, &unusable):
		what = err.Error()
	case err != nil:
		t.Fatal(err)
	default:
		if len(f.rows) > mostRows+1 {
			t.Errorf("%d rows", len(f.rows))
		}
		what = fmt.Sprintf("%d rows, first %s", len(f.rows), firstProblem(f))
	}
	const most = 256
	peak, ok := peakMiB(t)
	if peak > most {
		t.Errorf("took %d MiB of memory, want at most %d", peak, most)
	}
	memory := "memory not known"
	if ok {
		memory = fmt.Sprintf("at most %d MiB of memory", peak)
	}
	t.Logf("%d MB in %s, %s: %.150s", info.Size()>>20, took.Round(time.Millisecond), memory, what)
}

// peakMiB returns the most that this process had in memory, where the system tells.
// What it tells of ended children counts in the memory of their parent.
func peakMiB(t *testing.T) (mib int, ok bool) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, false
	}
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	if _, err := fmt.Sscanf(after, "%d kB", &mib); err != nil {
		t.Fatal(err)
	}
	return mib >> 10, true
}

func firstProblem(f *File) string {
	for _, n := range f.Notes() {
		return n.String()
	}
	for _, r := range f.rows {
		for _, p := range r.Problems {
			return p.String()
		}
	}
	return ""
}

// FuzzOpen gives any bytes to all layers.
func FuzzOpen(f *testing.F) {
	f.Add([]byte(plainCalendar))
	for _, change := range transforms {
		f.Add([]byte(change(plainCalendar)))
	}
	f.Add([]byte(seriesText("DTSTART;TZID=Customized Time Zone:20260303T090000\r\nRRULE:FREQ=DAILY;COUNT=3\r\nEXDATE;VALUE=DATE:20260304", "RECURRENCE-ID;RANGE=THISANDFUTURE:20260305T090000\r\nDTSTART:20260305T110000") + customized))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<16 {
			return
		}
		file, err := Open(t.Context(), strings.NewReader(string(b)), int64(len(b)), options())
		if err != nil {
			return
		}
		for i, r := range file.rows {
			switch {
			case r.N != i+1 || len(r.Cells) != len(header):
				t.Fatalf("row %d: %+v", i, r)
			case post.HasErrors(r.Problems) || r.Cancelled:
			case len(r.Draft.Connections) == 0 || r.Draft.At.IsZero() || r.Draft.ExternalID == "" || r.Draft.Text == "" && len(r.Draft.Media) == 0:
				t.Fatalf("a post without what it needs: %+v", r)
			}
		}
	})
}

// FuzzRule wants any rule to be refused, or to give times in order, each once,
// within its budget.
func FuzzRule(f *testing.F) {
	for _, s := range []string{"FREQ=DAILY;COUNT=3", "FREQ=YEARLY;BYWEEKNO=1,53;BYDAY=MO", "FREQ=MONTHLY;BYDAY=MO,-1FR;BYSETPOS=-1", "FREQ=HOURLY;INTERVAL=24;BYHOUR=10", "FREQ=SECONDLY;BYSECOND=7;UNTIL=20260401"} {
		f.Add(s, int64(1772528400))
	}
	f.Fuzz(func(t *testing.T, s string, start int64) {
		r, err := parseRule(s)
		if err != nil {
			return
		}
		from := wall(start % 4_000_000_000)
		to := from + 400*secondsPerDay
		last := wall(-1 << 62)
		err = r.expand(from, to, from, to, &budget{20_000}, func(w wall) bool {
			if w <= last || w < from || w > to {
				t.Fatalf("%s from %d: %d after %d", s, from, w, last)
			}
			last = w
			return true
		})
		if err != nil && !errors.Is(err, errSteps) {
			t.Fatal(err)
		}
	})
}

// FuzzLines wants each line to be told once, whatever the line ends are.
func FuzzLines(f *testing.F) {
	f.Add("BEGIN:VCALENDAR\r\nX:1\r\n 2\r\nEND:VCALENDAR\r\n")
	f.Add("a\rb\n\nc\r\r\nd")
	f.Fuzz(func(t *testing.T, s string) {
		l := newLexer(s)
		last := 0
		for {
			got, ok := l.next()
			if !ok {
				return
			}
			if got.line <= last || strings.ContainsAny(got.text, "\r") {
				t.Fatalf("line %d after %d: %q", got.line, last, got.text)
			}
			last = got.line
			if p, _, ok := cutProperty(got.text); ok && p.name == "" {
				t.Fatalf("a property without a name: %q", got.text)
			}
		}
	})
}

// FuzzZone wants any name to be harmless.
func FuzzZone(f *testing.F) {
	for _, s := range []string{"Europe/Berlin", "W. Europe Standard Time", "(UTC+01:00) Berlin", "../../etc/passwd", "Local", "/a/b/Asia/Tokyo"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c := &vcalendar{names: zoneNames{}}
		if z := c.zone(s); z.loc == time.Local && z.loc.String() == "Local" {
			t.Fatalf("%q is the machine's zone", s)
		}
	})
}

// FuzzStamp wants what is read to be a day and a time that exist.
func FuzzStamp(f *testing.F) {
	for _, s := range []string{"20260301", "20260301T090000Z", "20260301T2400", "2026-03-01T09:00:00+01:00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		st, ok := parseStamp(s)
		if !ok {
			return
		}
		if st.date && st.at.second() != 0 {
			t.Fatalf("%q: %+v", s, st)
		}
		layout := "20060102T150405"
		again, ok := parseStamp(st.at.utc().Format(layout))
		if y, _, _ := dateOf(st.at.days()); y > 0 && y < 10000 && (!ok || again.at != st.at) {
			t.Fatalf("%q: %+v, again %+v", s, st, again)
		}
	})
}
