package calendar

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-ical"

	"github.com/postroom/postroom/post"
)

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

// FuzzTree wants every component that is handed on to be one that go-ical reads,
// with as many properties as were found: it must never be the one to panic.
func FuzzTree(f *testing.F) {
	f.Add(plainCalendar)
	f.Add("BEGIN:VEVENT\nUID:1\nBEGIN:VALARM\nEND:VEVENT\nBEGIN:VTIMEZONE\nBEGIN:STANDARD\nTZNAME;X=\"a\"b:c\nEND:VCALENDAR")
	f.Add("BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY;A=;B=\":\r\nmore\nATTACH;ENCODING=BASE64:AAAA\nEND:X\nDTSTART;TZID=Foo")
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 1<<15 {
			return
		}
		parser := newParser()
		tree := &tree{lex: newLexer(decode(s)), say: func(int, string, string, string) {}, opened: func(int) {}, property: func(*property) {}, closed: func() {}}
		tree.component = func(c *component) error {
			parsed, err := parser.parse(c)
			if err != nil {
				if strings.Contains(err.Error(), "runtime error") || strings.Contains(err.Error(), "can't happen") {
					t.Fatalf("%s in line %d: %v", c.name, c.line, err)
				}
				return nil
			}
			n := 0
			for _, ps := range parsed.Props {
				n += len(ps)
			}
			if n != len(c.props) || parsed.Name != c.name {
				t.Fatalf("%s in line %d: %d properties of %d", c.name, c.line, n, len(c.props))
			}
			return nil
		}
		if err := tree.read(); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzVTimezone wants a zone of any definition to be refused, or to have offsets that
// a clock can show.
func FuzzVTimezone(f *testing.F) {
	f.Add("16010101T030000", "FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10", "", "+0200", "+0100")
	f.Add("20250101T000000", "", "20250330T020000,20260329T020000Z", "-0330", "+143000")
	f.Fuzz(func(t *testing.T, start, rule, dates, from, to string) {
		c := ical.NewComponent("VTIMEZONE")
		observance := ical.NewComponent("STANDARD")
		for name, value := range map[string]string{"DTSTART": start, "RRULE": rule, "RDATE": dates, "TZOFFSETFROM": from, "TZOFFSETTO": to} {
			if value != "" {
				p := ical.NewProp(name)
				p.Value = value
				observance.Props.Set(p)
			}
		}
		c.Children = append(c.Children, observance)
		loc, err := zoneOf(c, "Fuzz", &budget{zoneSteps})
		if err != nil {
			return
		}
		for _, at := range []time.Time{benchFrom, benchTo} {
			if _, offset := at.In(loc).Zone(); offset <= -secondsPerDay || offset >= secondsPerDay {
				t.Fatalf("%d seconds from UTC", offset)
			}
		}
	})
}

// FuzzSeries wants the instances of any series to lie in their window, in order, each
// under a name of its own.
func FuzzSeries(f *testing.F) {
	f.Add("20260303T090000", "RRULE:FREQ=DAILY;COUNT=9\r\nEXDATE;VALUE=DATE:20260304", "RECURRENCE-ID;RANGE=THISANDFUTURE:20260305T090000\r\nDTSTART:20260305T110000")
	f.Add("20260303", "RDATE;VALUE=PERIOD:20260310T080000Z/PT1H,20260311\r\nEXRULE:FREQ=WEEKLY", "RECURRENCE-ID:20260310T000000Z\r\nDTSTART:20260312")
	f.Add("20260329", "RRULE:FREQ=DAILY;BYHOUR=2,3", "")
	f.Add("20260329T023000", "RRULE:FREQ=DAILY;BYHOUR=2,3\r\nRRULE:FREQ=HOURLY;INTERVAL=7", "RECURRENCE-ID:20260329T033000\r\nSUMMARY:moved")
	f.Fuzz(func(t *testing.T, start, more, override string) {
		if len(start)+len(more)+len(override) > 1<<12 {
			return
		}
		file, err := read(t.Context(), seriesText("DTSTART:"+start+"\r\n"+more, override), options())
		if err != nil {
			return
		}
		from, to := file.opt.Now, file.opt.Now.Add(DefaultHorizon)
		for _, s := range file.series {
			ids := map[string]bool{}
			last := from
			for _, in := range file.instances(s, from, to) {
				if in.at.Before(last) || !in.at.Before(to) {
					t.Fatalf("%s after %s, up to %s", in.at, last, to)
				}
				if last = in.at; ids[in.id] {
					t.Fatalf("%q twice", in.id)
				}
				ids[in.id] = true
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

// FuzzHTML wants what is no tag to stay, and all lines to be tidy.
func FuzzHTML(f *testing.F) {
	f.Add(`<html><head><style><!-- p{} --></style></head><body>a <a href="https://example.com/?a&amp;b">b<br></a> <ul><li>c</ul></li></body>`)
	f.Add("<!--<a <script>x</ script><![if !y]>\n\n\n<p\n>&lt;&nbsp;&copy=1</p>")
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 1<<12 {
			return
		}
		got := htmlText(s)
		if !looksHTML(s) && !strings.ContainsAny(s, "&\u00a0") && strings.Join(strings.Fields(got), "") != strings.Join(strings.Fields(s), "") {
			t.Fatalf("text was lost: %q", got)
		}
		if strings.Contains(got, "\n\n\n") || strings.Contains(got, " \n") || got != strings.TrimSpace(got) {
			t.Fatalf("not tidy: %q", got)
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
