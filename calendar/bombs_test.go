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
	"99,000 of one UID that differ": func() string {
		var b strings.Builder
		for i := range 99_000 {
			fmt.Fprintf(&b, "BEGIN:VEVENT\r\nUID:1\r\nDTSTART:20260303T090000Z\r\nSUMMARY:x%d\r\nEND:VEVENT\r\n", i)
		}
		return "BEGIN:VCALENDAR\r\n" + b.String() + "END:VCALENDAR\r\n"
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
	"HTML of links":       func() string { return htmlEvents("<a href=x>y</a><p>") },
	"HTML of comments":    func() string { return htmlEvents("<!--<a ") },
	"HTML of signs":       func() string { return htmlEvents("&a&aaaaaa\\;") },
	"only colons":         func() string { return "BEGIN:VCALENDAR\r\n" + strings.Repeat(":", 8<<20) },
	"only line ends":      func() string { return "BEGIN:VCALENDAR" + strings.Repeat("\r", 8<<20) },
	"no line ends":        func() string { return "BEGIN:VCALENDAR" + strings.Repeat(" ", 8<<20) },
	"soft line breaks": func() string {
		return inEvent("SUMMARY;ENCODING=QUOTED-PRINTABLE:" + strings.Repeat("a=\r\n", 1_000_000))
	},
	"front matter": func() string {
		return inEvent("DESCRIPTION:" + strings.Repeat(`Media: https://example.com/a.png\n`, 25_000))
	},
	"media in one line": func() string {
		return "BEGIN:VCALENDAR\r\n" + manyEvents(60, "DESCRIPTION:Media: "+strings.Repeat("x:// ", 200_000)+"\r\n") + "END:VCALENDAR\r\n"
	},
	"platforms": func() string {
		return "BEGIN:VCALENDAR\r\n" + manyEvents(60, "X-POST-PLATFORMS:"+strings.Repeat("linkedn,", 130_000)+"\r\n") + "END:VCALENDAR\r\n"
	},
	"platforms of the calendar": func() string {
		return "BEGIN:VCALENDAR\r\nX-POST-DEFAULT-PLATFORMS:" + strings.Repeat("linkedn,", 130_000) + "\r\n" + manyEvents(20_000, "") + "END:VCALENDAR\r\n"
	},
	"a UID of 1 MB": func() string {
		return "BEGIN:VCALENDAR\r\n" + strings.ReplaceAll(manyEvents(2, "RRULE:FREQ=DAILY;BYHOUR=1,2,3,4,5,6,7,8,9\r\n"), "UID:", "UID:"+strings.Repeat("u", 1_000_000)) + "END:VCALENDAR\r\n"
	},
	"a summary of 1 MB in place of a UID": func() string {
		return "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART:20260303T090000Z\r\nRRULE:FREQ=DAILY;BYHOUR=1,2,3,4,5,6,7,8,9\r\nSUMMARY:" + strings.Repeat("s", 1_000_000) + "\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
	},
	"rules of long lists": func() string {
		return "BEGIN:VCALENDAR\r\n" + strings.ReplaceAll(manyEvents(1000, "RRULE:FREQ=YEARLY;COUNT=1000000;BYDAY=53MO;BYYEARDAY=-366,"+numbers(366)[2:]+"\r\n"), "20260303T", "19000303T") + "END:VCALENDAR\r\n"
	},
	"rdates and overrides": func() string {
		return "BEGIN:VCALENDAR\r\n" + strings.Replace(manyOverrides(60_000), "SUMMARY:x\r\n", "SUMMARY:x\r\n"+strings.Repeat("RDATE:20260304T090000Z\r\n", 240_000), 1) + "END:VCALENDAR\r\n"
	},
	"this and all following, 90,000 times": func() string {
		return "BEGIN:VCALENDAR\r\n" + strings.ReplaceAll(manyOverrides(90_000), "RECURRENCE-ID:", "RECURRENCE-ID;RANGE=THISANDFUTURE:") + "END:VCALENDAR\r\n"
	},
	"1.5 million attendees": func() string { return inEvent(strings.Repeat("ATTENDEE;CN=x:mailto:a@b\r\n", 1_500_000)) },
	"2 million properties of the calendar": func() string {
		var b strings.Builder
		for i := range 2_000_000 {
			fmt.Fprintf(&b, "X-P%d:v\r\n", i)
		}
		return "BEGIN:VCALENDAR\r\n" + b.String() + "END:VCALENDAR\r\n"
	},
	"categories": func() string { return inEvent("CATEGORIES:" + strings.Repeat("linkedn,", 100_000)) },
}

func inEvent(line string) string {
	return "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART:20260303T090000Z\r\nSUMMARY:x\r\n" + line + "\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
}

// htmlEvents are a file full of descriptions that each fill their line with one part.
func htmlEvents(part string) string {
	return "BEGIN:VCALENDAR\r\n" + manyEvents(44, "DESCRIPTION:<br>"+strings.Repeat(part, (maxLine-100)/len(part))+"\r\n") + "END:VCALENDAR\r\n"
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
