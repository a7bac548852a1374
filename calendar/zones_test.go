package calendar

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/internal/walltime"
	"github.com/postroom/postroom/post"
)

func one(start string, more ...string) string {
	return "BEGIN:VCALENDAR\r\n" + strings.Join(more, "") + "BEGIN:VEVENT\r\nUID:1\r\nDTSTART" + start + "\r\nSUMMARY:x\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
}

// Outlook's own zone: named for nobody, from 1601.
const customized = "BEGIN:VTIMEZONE\r\nTZID:Customized Time Zone\r\nBEGIN:STANDARD\r\nDTSTART:16011028T030000\r\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\nEND:STANDARD\r\n" +
	"BEGIN:DAYLIGHT\r\nDTSTART:16010325T020000\r\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\nEND:DAYLIGHT\r\nEND:VTIMEZONE\r\n"

func TestP3_TimesAreReadInTheirZone(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ start, more, want, how string }{
		{":20260701T090000Z", "", "2026-07-01T09:00:00Z", "UTC"},
		{";TZID=Europe/Berlin:20260701T090000", "", "2026-07-01T07:00:00Z", "Europe/Berlin"},
		{";TZID=europe/berlin:20260701T090000", "", "2026-07-01T07:00:00Z", `Europe/Berlin (from "europe/berlin")`},
		{";TZID=\"W. Europe Standard Time\":20260701T090000", "", "2026-07-01T07:00:00Z", `Europe/Berlin (Windows name "W. Europe Standard Time")`},
		{";TZID=/freeassociation.sourceforge.net/Europe/Berlin:20260701T090000", "", "2026-07-01T07:00:00Z", "Europe/Berlin"},
		{";TZID=/mozilla.org/20050126_1/America/Argentina/Buenos_Aires:20260701T090000", "", "2026-07-01T12:00:00Z", "America/Argentina/Buenos_Aires"},
		{";TZID=posix/Asia/Tokyo:20260701T090000", "", "2026-07-01T00:00:00Z", "Asia/Tokyo"},
		{";TZID=Customized Time Zone:20260701T090000", customized, "2026-07-01T07:00:00Z", "as the calendar defines it"},
		{";TZID=Customized Time Zone:20261201T090000", customized, "2026-12-01T08:00:00Z", "as the calendar defines it"},
		{";TZID=GMT:20260701T090000", strings.Replace(customized, "Customized Time Zone", "GMT", 1), "2026-07-01T07:00:00Z", "as the calendar defines it"},
		{";TZID=EST:20260701T090000", strings.Replace(customized, "Customized Time Zone", "EST\r\nX-LIC-LOCATION:America/New_York", 1), "2026-07-01T13:00:00Z", "X-LIC-LOCATION"},
		{";TZID=EST:20260701T090000", "", "2026-07-01T14:00:00Z", "EST"},
		{";TZID=Europe/London:20260701T090000", strings.Replace(customized, "Customized Time Zone", "Europe/London", 1), "2026-07-01T08:00:00Z", "Europe/London"},
		{";TZID=(UTC+01:00) Amsterdam\\, Berlin:20260701T090000", "", "2026-07-01T08:00:00Z", "without summer time"},
		{";TZID=GMT-3:20260701T090000", "", "2026-07-01T12:00:00Z", "without summer time"},
		{";TZID=Local:20260701T090000", "", "2026-07-01T07:00:00Z", "in place of"},
		{";TZID=../../etc/localtime:20260701T090000", "", "2026-07-01T07:00:00Z", "in place of"},
		{":20260701T090000", "", "2026-07-01T07:00:00Z", "of the folder"},
		{":20260701T090000", "X-WR-TIMEZONE:America/New_York\r\n", "2026-07-01T13:00:00Z", "X-WR-TIMEZONE"},
		{":20260701T090000Z", "X-WR-TIMEZONE:America/New_York\r\n", "2026-07-01T09:00:00Z", "UTC"},
		{";VALUE=DATE:20260701", "", "2026-07-01T07:00:00Z", "of the folder"},
		{":20260701", "", "2026-07-01T07:00:00Z", "of the folder"},
		{":20260701T2400", "", "2026-07-01T22:00:00Z", "of the folder"},
		{":2026-07-01T09:00:00+02:00", "", "2026-07-01T07:00:00Z", "UTC"},
	} {
		o := options()
		o.ZoneFrom = "of the folder"
		f := openText(t, one(tc.start, tc.more), o)
		r := f.rows[0]
		if got := r.Draft.At.Format(time.RFC3339); got != tc.want || !strings.Contains(r.Cells[2], tc.how) {
			t.Errorf("DTSTART%s: %s in %s, want %s %s", tc.start, got, r.Cells[2], tc.want, tc.how)
		}
		guess := strings.Contains(tc.how, "without") || strings.Contains(tc.how, "in place")
		if (r.Draft.Status == post.StatusDraft) != guess {
			t.Errorf("DTSTART%s: status %s, guessed %v", tc.start, r.Draft.Status, guess)
		}
	}
}

// Exchange writes a whole day as from midnight to midnight, and says beside it what is
// meant.
func TestP3_AWholeDayOfExchangeIsOne(t *testing.T) {
	t.Parallel()
	const day = "\r\nX-MICROSOFT-CDO-ALLDAYEVENT:TRUE"
	for event, want := range map[string][]string{
		";TZID=Europe/Berlin:20260305T000000" + day:                                {"03-05T08:00"},
		";TZID=America/New_York:20260305T000000" + day:                             {"03-05T14:00"},
		":20260305T000000" + day:                                                   {"03-05T08:00"},
		";VALUE=DATE:20260305" + day:                                               {"03-05T08:00"},
		";TZID=Europe/Berlin:20260305T000000":                                      {"03-04T23:00"},
		";TZID=Europe/Berlin:20260305T103000" + day:                                {"03-05T09:30"},
		";TZID=Europe/Berlin:20260305T000000\r\nX-MICROSOFT-CDO-ALLDAYEVENT:FALSE": {"03-04T23:00"},
		";TZID=Europe/Berlin:20260305T000000\r\nRRULE:FREQ=DAILY;COUNT=4\r\nEXDATE;TZID=Europe/Berlin:20260306T000000" + day + "\r\nSUMMARY:x\r\nEND:VEVENT\r\n" +
			"BEGIN:VEVENT\r\nUID:1\r\nRECURRENCE-ID;TZID=Europe/Berlin:20260307T000000\r\nDTSTART;TZID=Europe/Berlin:20260309T000000" + day: {"03-05T08:00", "03-08T08:00", "03-09T08:00"},
	} {
		var got []string
		f := openText(t, one(event), options())
		for _, r := range f.rows {
			got = append(got, r.Draft.At.Format("01-02T15:04"))
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", event, got, want)
		}
	}
}

func TestATimeWithoutAnyZoneIsRejected(t *testing.T) {
	t.Parallel()
	o := options()
	o.Zone = nil
	for _, start := range []string{":20260701T090000", ";TZID=Nowhere:20260701T090000", ";VALUE=DATE:20260701"} {
		if r := openText(t, one(start), o).rows[0]; !post.HasErrors(r.Problems) {
			t.Errorf("DTSTART%s: %s", start, r.Draft.At)
		}
	}
}

// In a gap the offset from before it counts, of an overlap the first (RFC 5545
// §3.3.5).
func TestP3_GapsAndOverlaps(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ zone, wall, want, code string }{
		{"Europe/Berlin", "20260329T023000", "2026-03-29T03:30:00+02:00", "TIME_IN_GAP"},
		{"Europe/Berlin", "20261025T023000", "2026-10-25T02:30:00+02:00", "TIME_TWICE"},
		{"America/New_York", "20260308T023000", "2026-03-08T03:30:00-04:00", "TIME_IN_GAP"},
		{"America/New_York", "20261101T013000", "2026-11-01T01:30:00-04:00", "TIME_TWICE"},
		{"Australia/Sydney", "20261004T023000", "2026-10-04T03:30:00+11:00", "TIME_IN_GAP"},
		{"Australia/Sydney", "20260405T023000", "2026-04-05T02:30:00+11:00", "TIME_TWICE"},
		{"America/Santiago", "20260906T000000", "2026-09-06T01:00:00-03:00", "TIME_IN_GAP"},
		{"America/Santiago", "20260404T233000", "2026-04-04T23:30:00-03:00", "TIME_TWICE"},
		{"Atlantic/Azores", "20260329T001500", "2026-03-29T01:15:00Z", "TIME_IN_GAP"},
		{"Atlantic/Azores", "20261025T003000", "2026-10-25T00:30:00Z", "TIME_TWICE"},
		{"Africa/Cairo", "20260424T003000", "2026-04-24T01:30:00+03:00", "TIME_IN_GAP"},
		{"Africa/Cairo", "20261029T233000", "2026-10-29T23:30:00+03:00", "TIME_TWICE"},
		{"Australia/Lord_Howe", "20261004T021500", "2026-10-04T02:45:00+11:00", "TIME_IN_GAP"},
		{"Australia/Lord_Howe", "20260405T014500", "2026-04-05T01:45:00+11:00", "TIME_TWICE"},
		{"Pacific/Apia", "20111230T120000", "2011-12-31T12:00:00+14:00", "TIME_IN_GAP"},
	} {
		r := openText(t, one(";TZID="+tc.zone+":"+tc.wall), options()).rows[0]
		loc, _ := walltime.Load(tc.zone)
		if got := r.Draft.At.In(loc).Format(time.RFC3339); got != tc.want || len(r.Problems) != 1 || r.Problems[0].Code != tc.code {
			t.Errorf("%s %s: %s %v, want %s %s", tc.zone, tc.wall, got, r.Problems, tc.want, tc.code)
		}
	}
}

func TestEveryWindowsZoneLoads(t *testing.T) {
	t.Parallel()
	if len(windowsZones) < 139 {
		t.Errorf("%d zones", len(windowsZones))
	}
	for name, iana := range windowsZones {
		z := zoneByName(name)
		want, err := time.LoadLocation(iana)
		if err != nil || z.loc == nil || z.loc.String() != want.String() && iana != "Etc/UTC" {
			t.Errorf("%s: %v, want %s (%v)", name, z.loc, iana, err)
		}
	}
}

// A VTIMEZONE from 1601 must give today's offsets, as the zone it describes.
func TestAZoneFromTheCalendarAgreesWithTheOneItDescribes(t *testing.T) {
	t.Parallel()
	f := openText(t, one(";TZID=Customized Time Zone:20260701T090000", customized), options())
	z := f.cals[0].zone("Customized Time Zone")
	for at := time.Date(1997, 1, 1, 0, 0, 0, 0, time.UTC); at.Year() < 2037; at = at.Add(5 * time.Hour) {
		_, got := at.In(z.loc).Zone()
		_, want := at.In(berlin).Zone()
		if got != want {
			t.Fatalf("%s: offset %d, want %d", at, got, want)
		}
	}
}

func TestBrokenZonesHarmNobody(t *testing.T) {
	t.Parallel()
	for name, vtz := range map[string]string{
		"empty":    "BEGIN:VTIMEZONE\r\nTZID:Mine\r\nEND:VTIMEZONE\r\n",
		"offset":   "BEGIN:VTIMEZONE\r\nTZID:Mine\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nTZOFFSETFROM:1\r\nTZOFFSETTO:+0100\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n",
		"secondly": "BEGIN:VTIMEZONE\r\nTZID:Mine\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nRRULE:FREQ=SECONDLY\r\nTZOFFSETFROM:+0000\r\nTZOFFSETTO:+0100\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n",
		"many":     "BEGIN:VTIMEZONE\r\nTZID:Mine\r\n" + strings.Repeat("BEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nRRULE:FREQ=MONTHLY;BYMONTHDAY=1,2,3,4,5,6,7,8,9,10,11,12,13\r\nTZOFFSETFROM:+0000\r\nTZOFFSETTO:+0100\r\nEND:STANDARD\r\n", 300) + "END:VTIMEZONE\r\n",
	} {
		start := time.Now()
		f := openText(t, one(";TZID=Mine:20260701T090000", vtz), options())
		if len(f.rows) != 1 || time.Since(start) > 5*time.Second {
			t.Errorf("%s: %d rows in %s", name, len(f.rows), time.Since(start))
		}
	}
}

func TestTheNamesOfZonesThatAreLookedUpHaveAnEnd(t *testing.T) {
	t.Parallel()
	names := zoneNames{}
	for i := range mostZoneNames + 10 {
		names.find(fmt.Sprintf("Nowhere/%d", i))
	}
	names.find("Nowhere/0")
	if len(names) != mostZoneNames {
		t.Errorf("%d names were looked up, want %d", len(names), mostZoneNames)
	}
}
