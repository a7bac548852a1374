package calendar

import (
	"fmt"
	"strings"
	"testing"

	"github.com/postroom/postroom/post"
)

// noteOf returns what a file's notes say under a code.
func noteOf(f *File, code string) string {
	for _, n := range f.Notes() {
		if n.Code == code {
			return n.Want
		}
	}
	return ""
}

func TestP4_EventsBeyondTheMostRowsAreCounted(t *testing.T) {
	t.Parallel()
	const more = 123
	event := func(uid, summary string) string {
		return "BEGIN:VEVENT\r\n" + uid + "DTSTART:20260303T090000Z\r\nSUMMARY:" + summary + "\r\nEND:VEVENT\r\n"
	}
	for name, tc := range map[string]struct {
		event func(i int) string
		left  int
	}{
		"each of its own":      {func(i int) string { return event(fmt.Sprintf("UID:%d\r\n", i), "x") }, more},
		"none with a UID":      {func(int) string { return event("", "x") }, more},
		"all at odds":          {func(i int) string { return event("UID:1\r\n", fmt.Sprint("x", i)) }, more},
		"two of each, at odds": {func(i int) string { return event(fmt.Sprintf("UID:%d\r\n", i/2), fmt.Sprint("x", i)) }, more},
	} {
		var b strings.Builder
		for i := range mostRows + more {
			b.WriteString(tc.event(i))
		}
		f := openText(t, "BEGIN:VCALENDAR\r\n"+b.String()+"END:VCALENDAR\r\n", options())
		want := fmt.Sprintf("at most 20000 posts from one file: %d events were left out", tc.left)
		if got := noteOf(f, "TOO_MANY"); got != want {
			t.Errorf("%s: note %q, want %q", name, got, want)
		}
		if f.Complete() || len(f.rows) != mostRows+1 {
			t.Errorf("%s: %d rows, complete %v", name, len(f.rows), f.Complete())
		}
	}
}

func TestALaterRevisionCountsThoughNoOtherEventIsListedAnyMore(t *testing.T) {
	t.Parallel()
	f := openText(t, "BEGIN:VCALENDAR\r\n"+manyEvents(mostRows+50, "")+
		"BEGIN:VEVENT\r\nUID:7\r\nSEQUENCE:1\r\nDTSTART:20260304T090000Z\r\nSUMMARY:newer\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n", options())
	for _, r := range f.rows {
		if r.UID == "7" && !r.Absent && r.Cells[5] != "newer" && r.Cells[4] != "newer" {
			t.Errorf("%q, want the later revision", r.Cells)
		}
	}
	if got, want := noteOf(f, "TOO_MANY"), "at most 20000 posts from one file: 50 events were left out"; got != want {
		t.Errorf("note %q, want %q", got, want)
	}
}

func TestEachDateOfALongListKeepsItsLine(t *testing.T) {
	t.Parallel()
	const bad = 2*mostAtOnce + 17
	var b strings.Builder
	for i := range 3 * mostAtOnce {
		date := wallOf(2026, 3, 4, 60*i).utc().Format("20060102T150405Z")
		if i == bad {
			date = "never"
		}
		b.WriteString("EXDATE:" + date + "\r\n")
	}
	f := openText(t, inEvent("RRULE:FREQ=DAILY;COUNT=9\r\n"+b.String()+"CATEGORIES:LinkedIn"), options())
	if n := len(f.series[0].master.more.exdates); n != 3*mostAtOnce-1 {
		t.Errorf("%d dates", n)
	}
	ps := f.series[0].master.problems
	if len(ps) != 1 || ps[0].Line != 7+bad || ps[0].Severity != post.SeverityWarning {
		t.Errorf("%v, want a warning of line %d", ps, 7+bad)
	}
	if len(f.rows) != 7 {
		t.Errorf("%d rows, want those of the 9 days but the two that EXDATE takes", len(f.rows))
	}
}

func TestEveryTaskThatIsNotReadIsCounted(t *testing.T) {
	t.Parallel()
	f := openText(t, "BEGIN:VCALENDAR\r\n"+strings.Repeat("BEGIN:VTODO\r\nUID:1\r\nSUMMARY:x\r\nEND:VTODO\r\n", 3)+"END:VCALENDAR\r\n", options())
	if got, want := noteOf(f, "PASSED_OVER"), "events: 3 VTODO were passed over"; got != want || len(f.rows) != 0 {
		t.Errorf("%d rows, note %q, want %q", len(f.rows), got, want)
	}
}
