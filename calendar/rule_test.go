package calendar

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/post"
)

// at expands a rule from a start, up to n times, as month-day or as given.
func expandRule(t testing.TB, start, text string, until string) []string {
	t.Helper()
	r, err := parseRule(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	st, ok := parseStamp(start)
	if !ok {
		t.Fatal(start)
	}
	to := wallOf(2100, 1, 1, 0)
	if until != "" {
		end, _ := parseStamp(until)
		to = end.at
	}
	stop := to
	if r.until.set() {
		stop = r.until.at
	}
	var out []string
	b := budget{mostSteps}
	if err := r.expand(st.at, stop, st.at, to, &b, func(w wall) bool {
		layout := "20060102"
		if w.second() != st.at.second() || strings.Contains(text, "BYHOUR") || r.freq >= hourly {
			layout = "20060102T1504"
		}
		out = append(out, w.utc().Format(layout))
		return len(out) < 40
	}); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return out
}

// The examples of RFC 5545 §3.8.5.3, from the times they give; UNTIL there is in
// UTC, and here on the wall clock.
func TestRulesOfTheStandard(t *testing.T) {
	t.Parallel()
	const nine = "19970902T090000"
	for _, tc := range []struct{ start, rule, until, want string }{
		{nine, "FREQ=DAILY;COUNT=5", "", "19970902 19970903 19970904 19970905 19970906"},
		{nine, "FREQ=DAILY;INTERVAL=10;COUNT=5", "", "19970902 19970912 19970922 19971002 19971012"},
		{nine, "FREQ=WEEKLY;COUNT=4", "", "19970902 19970909 19970916 19970923"},
		{nine, "FREQ=WEEKLY;INTERVAL=2;WKST=SU", "19971101", "19970902 19970916 19970930 19971014 19971028"},
		{nine, "FREQ=WEEKLY;UNTIL=19971007T000000;WKST=SU;BYDAY=TU,TH", "", "19970902 19970904 19970909 19970911 19970916 19970918 19970923 19970925 19970930 19971002"},
		{nine, "FREQ=WEEKLY;INTERVAL=2;COUNT=8;WKST=SU;BYDAY=TU,TH", "", "19970902 19970904 19970916 19970918 19970930 19971002 19971014 19971016"},
		{"19970905T090000", "FREQ=MONTHLY;COUNT=4;BYDAY=1FR", "", "19970905 19971003 19971107 19971205"},
		{"19970907T090000", "FREQ=MONTHLY;INTERVAL=2;COUNT=4;BYDAY=1SU,-1SU", "", "19970907 19970928 19971102 19971130"},
		{"19970922T090000", "FREQ=MONTHLY;COUNT=3;BYDAY=-2MO", "", "19970922 19971020 19971117"},
		{"19970928T090000", "FREQ=MONTHLY;BYMONTHDAY=-3;COUNT=3", "", "19970928 19971029 19971128"},
		{nine, "FREQ=MONTHLY;COUNT=4;BYMONTHDAY=2,15", "", "19970902 19970915 19971002 19971015"},
		{"19970930T090000", "FREQ=MONTHLY;COUNT=4;BYMONTHDAY=1,-1", "", "19970930 19971001 19971031 19971101"},
		{"19970910T090000", "FREQ=MONTHLY;INTERVAL=18;COUNT=5;BYMONTHDAY=10,11,12", "", "19970910 19970911 19970912 19990310 19990311"},
		{nine, "FREQ=MONTHLY;INTERVAL=2;BYDAY=TU;COUNT=6", "", "19970902 19970909 19970916 19970923 19970930 19971104"},
		{"19970610T090000", "FREQ=YEARLY;COUNT=4;BYMONTH=6,7", "", "19970610 19970710 19980610 19980710"},
		{"19970310T090000", "FREQ=YEARLY;INTERVAL=2;COUNT=4;BYMONTH=1,2,3", "", "19970310 19990110 19990210 19990310"},
		{"19970101T090000", "FREQ=YEARLY;INTERVAL=3;COUNT=4;BYYEARDAY=1,100,200", "", "19970101 19970410 19970719 20000101"},
		{"19970519T090000", "FREQ=YEARLY;BYDAY=20MO;COUNT=3", "", "19970519 19980518 19990517"},
		{"19970512T090000", "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO;COUNT=3", "", "19970512 19980511 19990517"},
		{"19970313T090000", "FREQ=YEARLY;BYMONTH=3;BYDAY=TH;COUNT=4", "", "19970313 19970320 19970327 19980305"},
		{nine, "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13;COUNT=4", "", "19980213 19980313 19981113 19990813"},
		{"19970913T090000", "FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13;COUNT=3", "", "19970913 19971011 19971108"},
		{"19961105T090000", "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8;COUNT=3", "", "19961105 20001107 20041102"},
		{"19970904T090000", "FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3", "", "19970904 19971007 19971106"},
		{"19970929T090000", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2;COUNT=3", "", "19970929 19971030 19971127"},
		{nine, "FREQ=HOURLY;INTERVAL=3;UNTIL=19970902T170000", "", "19970902T0900 19970902T1200 19970902T1500"},
		{nine, "FREQ=DAILY;BYHOUR=9,10;BYMINUTE=0,30;COUNT=5", "", "19970902T0900 19970902T0930 19970902T1000 19970902T1030 19970903T0900"},
		{"19970805T090000", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO", "", "19970805 19970810 19970819 19970824"},
		{"19970805T090000", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU", "", "19970805 19970817 19970819 19970831"},
		{"20070115T090000", "FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5", "", "20070115 20070130 20070215 20070315 20070330"},
		{"20081229T090000", "FREQ=YEARLY;BYWEEKNO=1;BYDAY=MO;COUNT=3", "", "20081229 20100104 20110103"},
		{"20240229T090000", "FREQ=YEARLY;COUNT=3", "", "20240229 20280229 20320229"},
		{nine, "freq=daily; count=2;;X-FOO=1", "", "19970902 19970903"},
		{nine, "RRULE:FREQ=DAILY;COUNT=1", "", "19970902"},
		{nine, "FREQ=DAILY;COUNT=2;RSCALE=GREGORIAN;SKIP=OMIT", "", "19970902 19970903"},
	} {
		if got := strings.Join(expandRule(t, tc.start, tc.rule, tc.until), " "); got != tc.want {
			t.Errorf("%s %s:\n got %s\nwant %s", tc.start, tc.rule, got, tc.want)
		}
	}
}

func TestRulesThatAreNone(t *testing.T) {
	t.Parallel()
	for rule, want := range map[string]string{
		"":                                        "FREQ",
		"FREQ=SOMETIMES":                          "one of YEARLY",
		"FREQ=DAILY;INTERVAL=0":                   "1 to 1000",
		"FREQ=DAILY;INTERVAL=99999":               "1 to 1000",
		"FREQ=DAILY;COUNT=0":                      "1 to",
		"FREQ=DAILY;COUNT=-3":                     "1 to",
		"FREQ=DAILY;COUNT=3;UNTIL=20260101":       "not both",
		"FREQ=DAILY;UNTIL=soon":                   "a date",
		"FREQ=MONTHLY;BYDAY=20MO":                 "at most 5",
		"FREQ=MONTHLY;BYDAY=-10MO":                "at most 5",
		"FREQ=YEARLY;BYMONTH=1;BYDAY=-30MO":       "at most 5",
		"FREQ=WEEKLY;BYDAY=1MO":                   "no number",
		"FREQ=YEARLY;BYEASTER=9999":               "it is none",
		"FREQ=DAILY;FREQ=DAILY":                   "once",
		"FREQ=DAILY;BYHOUR=25":                    "0 to 23",
		"FREQ=YEARLY;RSCALE=CHINESE":              "GREGORIAN",
		"FREQ=DAILY;BYDAY=XX":                     "days like",
		"FREQ=MONTHLY;BYWEEKNO=20":                "only with FREQ=YEARLY",
		"FREQ=YEARLY;BYWEEKNO=20":                 "a BYDAY beside BYWEEKNO",
		"FREQ=DAILY;" + strings.Repeat("X", 5000): "at most",
	} {
		if _, err := parseRule(rule); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: %v, want %s", rule, err, want)
		}
	}
}

// Rules at which other expanders hang: they end, and say so.
func TestNoRuleCanHang(t *testing.T) {
	t.Parallel()
	var hours, minutes []string
	for i := range 60 {
		minutes = append(minutes, fmt.Sprint(i))
		if i < 24 {
			hours = append(hours, fmt.Sprint(i))
		}
	}
	for _, rule := range []string{
		"FREQ=HOURLY;INTERVAL=24;BYHOUR=10", "FREQ=HOURLY;INTERVAL=2;BYHOUR=10", "FREQ=MINUTELY;INTERVAL=60;BYMINUTE=7", "FREQ=SECONDLY;INTERVAL=60;BYSECOND=7",
		"FREQ=SECONDLY", "FREQ=SECONDLY;COUNT=1000000", "FREQ=MINUTELY;BYSETPOS=366", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "FREQ=YEARLY;INTERVAL=1000;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO",
		"FREQ=DAILY;BYHOUR=" + strings.Join(hours, ",") + ";BYMINUTE=" + strings.Join(minutes, ","), "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=31", "FREQ=HOURLY;BYMONTH=1;BYMONTHDAY=1",
	} {
		r, err := parseRule(rule)
		if err != nil {
			t.Errorf("%.60s: %v", rule, err)
			continue
		}
		for _, start := range []wall{wallOf(1601, 1, 1, 0), wallOf(1970, 1, 1, 32400), wallOf(2026, 1, 1, 32400)} {
			began := time.Now()
			b := budget{mostSteps}
			n := 0
			to := wallOf(2026, 6, 1, 0)
			err := r.expand(start, to, wallOf(2026, 3, 1, 0), to, &b, func(wall) bool { n++; return n < mostInstances })
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("%.60s from %d: %s (%v)", rule, start, took, err)
			}
		}
	}
}

func TestDatesAreCountedAsTheCalendarDoes(t *testing.T) {
	t.Parallel()
	for at := time.Date(1896, 1, 1, 0, 0, 0, 0, time.UTC); at.Year() < 2205; at = at.AddDate(0, 0, 1) {
		d := daysOf(at.Year(), int(at.Month()), at.Day())
		y, m, day := dateOf(d)
		if int64(d)*secondsPerDay != at.Unix() || y != at.Year() || m != int(at.Month()) || day != at.Day() || (weekdayOf(d)+1)%7 != int(at.Weekday()) {
			t.Fatalf("%s: day %d, %d-%d-%d", at, d, y, m, day)
		}
	}
}

// seriesText is a calendar of events with these lines each.
func seriesText(events ...string) string {
	return "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:s\r\nSUMMARY:x\r\n" + strings.Join(events, "\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nUID:s\r\nSUMMARY:x\r\n") + "\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
}

// A message may move or call off one instance and all that follow: without the series
// nobody knows which these are.
func TestAllThatFollowNeedTheirSeries(t *testing.T) {
	t.Parallel()
	const onward = "RECURRENCE-ID;RANGE=THISANDFUTURE:20260305T090000Z\r\nDTSTART:20260305T110000Z"
	for text, want := range map[string]bool{
		seriesText(onward):                          true,
		seriesText(onward + "\r\nSTATUS:CANCELLED"): true,
		seriesText("DTSTART:20260303T090000Z\r\nRRULE:FREQ=DAILY;COUNT=4", onward): false,
	} {
		f := openText(t, text, options())
		told := slices.ContainsFunc(f.rows, func(r *Row) bool {
			return slices.ContainsFunc(r.Problems, func(p post.Problem) bool {
				return p.Field == "RECURRENCE-ID" && p.Severity == post.SeverityWarning && p.Line > 0
			})
		})
		if told != want {
			t.Errorf("%s: told is %v", text, told)
		}
	}
}

func TestSeriesSetsAndOverrides(t *testing.T) {
	t.Parallel()
	const (
		utc   = "DTSTART:20260303T090000Z\r\n"
		zoned = "DTSTART;TZID=Europe/Berlin:20260303T090000\r\n"
		day   = "DTSTART;VALUE=DATE:20260303\r\n"
	)
	for name, tc := range map[string]struct{ text, want string }{
		"exdates in a list":            {seriesText(utc + "RRULE:FREQ=DAILY;COUNT=4\r\nEXDATE:20260304T090000Z,20260306T090000Z"), "0303T0900 0305T0900"},
		"a day takes a timed instance": {seriesText(zoned + "RRULE:FREQ=DAILY;COUNT=3\r\nEXDATE;VALUE=DATE:20260304"), "0303T0800 0305T0800"},
		"exdate in UTC on a zone":      {seriesText(zoned + "RRULE:FREQ=DAILY;COUNT=3\r\nEXDATE:20260304T080000Z"), "0303T0800 0305T0800"},
		"timed exdate of whole days":   {seriesText(day + "RRULE:FREQ=DAILY;COUNT=3\r\nEXDATE:20260304T000000"), "0303T0800 0305T0800"},
		"rdates and periods":           {seriesText(utc + "RDATE:20260310T090000Z,20260311T090000Z\r\nRDATE;VALUE=PERIOD:20260312T090000Z/PT1H"), "0303T0900 0310T0900 0311T0900 0312T0900"},
		"a day as rdate":               {seriesText(utc + "RDATE;VALUE=DATE:20260310"), "0303T0900 0310T0900"},
		"two rules":                    {seriesText(utc + "RRULE:FREQ=WEEKLY;COUNT=2\r\nRRULE:FREQ=MONTHLY;COUNT=2"), "0303T0900 0310T0900 0403T0900"},
		"exrule":                       {seriesText(utc + "RRULE:FREQ=DAILY;COUNT=6\r\nEXRULE:FREQ=DAILY;INTERVAL=2"), "0304T0900 0306T0900 0308T0900"},
		"until is a day":               {seriesText(zoned + "RRULE:FREQ=DAILY;UNTIL=20260305"), "0303T0800 0304T0800 0305T0800"},
		"until in UTC":                 {seriesText(zoned + "RRULE:FREQ=DAILY;UNTIL=20260305T080000Z"), "0303T0800 0304T0800 0305T0800"},
		"until just before":            {seriesText(zoned + "RRULE:FREQ=DAILY;UNTIL=20260305T075959Z"), "0303T0800 0304T0800"},
		"until on the clock":           {seriesText(zoned + "RRULE:FREQ=DAILY;UNTIL=20260305T090000"), "0303T0800 0304T0800 0305T0800"},
		"a moved instance":             {seriesText(utc+"RRULE:FREQ=DAILY;COUNT=3", "RECURRENCE-ID:20260304T090000Z\r\nDTSTART:20260304T150000Z"), "0303T0900 0304T1500 0305T0900"},
		"override first in the file":   {seriesText("RECURRENCE-ID:20260304T090000Z\r\nDTSTART:20260304T150000Z", utc+"RRULE:FREQ=DAILY;COUNT=3"), "0303T0900 0304T1500 0305T0900"},
		"an exception beats it":        {seriesText(utc+"RRULE:FREQ=DAILY;COUNT=3\r\nEXDATE:20260304T090000Z", "RECURRENCE-ID:20260304T090000Z\r\nDTSTART:20260304T150000Z"), "0303T0900 0305T0900 left"},
		"this and future":              {seriesText(utc+"RRULE:FREQ=DAILY;COUNT=4", "RECURRENCE-ID;RANGE=THISANDFUTURE:20260305T090000Z\r\nDTSTART:20260305T110000Z"), "0303T0900 0304T0900 0305T1100 0306T1100"},
		"override alone":               {seriesText("RECURRENCE-ID:20260304T090000Z\r\nDTSTART:20260304T150000Z"), "0304T1500"},
		"override of nothing":          {seriesText(utc+"RRULE:FREQ=DAILY;COUNT=2", "RECURRENCE-ID:20260320T090000Z\r\nDTSTART:20260320T150000Z"), "0303T0900 0304T0900 0320T1500"},
		"of nothing, and older":        {seriesText(utc+"RRULE:FREQ=DAILY;COUNT=2\r\nSEQUENCE:1", "RECURRENCE-ID:20260320T090000Z\r\nDTSTART:20260320T150000Z"), "0303T0900 0304T0900 left"},
		"the later revision":           {seriesText(utc+"RRULE:FREQ=DAILY;COUNT=2", "RECURRENCE-ID:20260304T090000Z\r\nDTSTART:20260304T150000Z\r\nSEQUENCE:2", "RECURRENCE-ID:20260304T090000Z\r\nDTSTART:20260304T160000Z\r\nSEQUENCE:1"), "0303T0900 0304T1500 left"},
		"hours of whole days":          {seriesText(day + "RRULE:FREQ=DAILY;COUNT=2;BYHOUR=9,17"), "0303T0800 0304T0800"},
		"a start outside its rule":     {seriesText(utc + "RRULE:FREQ=WEEKLY;BYDAY=WE;COUNT=2"), "0304T0900 0311T0900"},
		"over the change of clocks":    {seriesText(zoned + "RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=3"), "0303T0800 0317T0800 0331T0700"},
	} {
		f := openText(t, tc.text, options())
		var got []string
		for _, r := range f.rows {
			if r.Draft.At.IsZero() {
				if !r.Absent || r.Problems[0].Code != "LEFT_OUT" {
					t.Errorf("%s: %v", name, r.Problems)
				}
				got = append(got, "left")
				continue
			}
			got = append(got, r.Draft.At.Format("0102T1504"))
		}
		slices.Sort(got)
		if s := strings.Join(got, " "); s != tc.want {
			t.Errorf("%s:\n got %s\nwant %s", name, s, tc.want)
		}
	}
}

func TestAnOverrideThatItsSeriesDoesNotKnowIsHeldWhereItMayBeASecondCopy(t *testing.T) {
	t.Parallel()
	const stray = "RECURRENCE-ID:20260310T080000Z\r\nDTSTART:20260310T080000Z"
	for rule, want := range map[string]post.Status{
		"FREQ=WEEKLY;COUNT=3":          post.StatusDraft, // the series has one at nine that day
		"FREQ=WEEKLY;BYDAY=TH;COUNT=3": options().Status,
	} {
		f := openText(t, seriesText("DTSTART:20260303T090000Z\r\nRRULE:"+rule, stray), options())
		i := slices.IndexFunc(f.rows, func(r *Row) bool { return r.Draft.ExternalID == "s/20260310T080000Z" })
		if i < 0 {
			t.Fatalf("%s: the event is not listed", rule)
		}
		told := slices.ContainsFunc(f.rows[i].Problems, func(p post.Problem) bool { return p.Code == "NO_SUCH_INSTANCE" })
		if got := f.rows[i].Draft.Status; got != want || !told {
			t.Errorf("%s: %v, want %v; told %v", rule, got, want, told)
		}
	}
}

func TestASeriesDenserThanDailyIsWarnedOf(t *testing.T) {
	t.Parallel()
	for rule, want := range map[string]bool{
		"FREQ=DAILY;COUNT=9":                 false,
		"FREQ=DAILY;BYHOUR=9,13,17;COUNT=30": true,
		"FREQ=HOURLY;COUNT=30":               true,
	} {
		o := options()
		o.Hourly = true
		f := openText(t, seriesText("DTSTART;TZID=Europe/Berlin:20260325T090000\r\nRRULE:"+rule), o)
		warned := 0
		for _, r := range f.rows {
			for _, p := range r.Problems {
				if strings.Contains(p.Want, "within a day") && p.Severity == post.SeverityWarning {
					warned++
				}
			}
		}
		if warned > 1 || (warned == 1) != want {
			t.Errorf("%s: warned %d times, want %v", rule, warned, want)
		}
	}
}

func TestASeriesOfHoursNeedsATimeToStartAt(t *testing.T) {
	t.Parallel()
	o := options()
	o.Hourly = true
	f := openText(t, seriesText("DTSTART;VALUE=DATE:20260303\r\nRRULE:FREQ=HOURLY;INTERVAL=7"), o)
	if len(f.rows) != 1 || !post.HasErrors(f.rows[0].Problems) || !strings.Contains(f.rows[0].Problems[0].Want, "a start with a time") {
		t.Errorf("%d rows, first %v", len(f.rows), f.rows[0].Problems)
	}
}

// Twelve a day are too many; that two of them fall together where clocks go forward
// must not make a shorter series of it.
func TestASeriesOfTooManyInstancesIsRejectedWhole(t *testing.T) {
	t.Parallel()
	f := openText(t, seriesText("DTSTART;TZID=Europe/Berlin:20260303T010000\r\nRRULE:FREQ=DAILY;BYHOUR=1,2,3,4,5,6,7,8,9,10,11,12"), options())
	if len(f.rows) != 1 || !post.HasErrors(f.rows[0].Problems) || !strings.Contains(f.rows[0].Problems[0].Want, "at most 1000 instances") {
		t.Errorf("%d rows, first %v", len(f.rows), f.rows[0].Problems)
	}
}

func TestADayThatDoesNotExistIsHeldForAPerson(t *testing.T) {
	t.Parallel()
	f := openText(t, seriesText("DTSTART:20260230T090000Z"), options())
	if d := f.rows[0].Draft; d.Status != post.StatusDraft || d.At.Format("0102T1504") != "0302T0900" {
		t.Errorf("%s %v: %v", d.At, d.Status, f.rows[0].Problems)
	}
	f = openText(t, seriesText("DTSTART:20260230T090000Z\r\nRRULE:FREQ=MONTHLY"), options())
	if !post.HasErrors(f.rows[0].Problems) {
		t.Error("a series may not begin on a day that does not exist")
	}
}

func TestTwoEventsOfOneUIDInOneRevisionAreBothRejected(t *testing.T) {
	t.Parallel()
	f := openText(t, "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:s\r\nSUMMARY:a\r\nDTSTART:20260303T090000Z\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nUID:s\r\nSUMMARY:b\r\nDTSTART:20260304T090000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n", options())
	if len(f.rows) != 2 || len(posts(f)) != 0 {
		t.Errorf("%q", posts(f))
	}
}
