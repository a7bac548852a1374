package intake_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/intake"
	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
)

// ics is a calendar with these events, each a list of lines.
func ics(events ...string) string {
	var b strings.Builder
	b.WriteString("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nX-WR-CALNAME:Team\r\n")
	for _, e := range events {
		b.WriteString("BEGIN:VEVENT\r\n" + strings.ReplaceAll(strings.TrimSpace(e), "\n", "\r\n") + "\r\nEND:VEVENT\r\n")
	}
	b.WriteString("END:VCALENDAR\r\n")
	return b.String()
}

func vevent(uid, at, text string, more ...string) string {
	return strings.Join(append([]string{"UID:" + uid, "DTSTART:" + at, "CATEGORIES:Twitter", "SUMMARY:" + text}, more...), "\n")
}

// waiting lists the texts and times of what is scheduled, by time.
func (d *desk) waiting() []string {
	d.t.Helper()
	var out []string
	cursor := ""
	for {
		gs, next, err := d.store.Groups(d.t.Context(), post.Filter{Statuses: []post.Status{post.StatusScheduled}}, cursor, 500)
		if err != nil {
			d.t.Fatal(err)
		}
		for i := range gs {
			out = append(out, gs[i].ScheduledAt.Format("01-02T15:04 ")+gs[i].Text)
		}
		if next == "" {
			break
		}
		cursor = next
	}
	slices.Sort(out)
	return out
}

func (d *desk) wantWaiting(want ...string) {
	d.t.Helper()
	if got := d.waiting(); fmt.Sprint(got) != fmt.Sprint(want) {
		d.t.Errorf("scheduled %q\nwant %q", got, want)
	}
}

// publish sends what is due up to at, and calls it live.
func (d *desk) publish(at time.Time) {
	d.t.Helper()
	d.now = at
	leases, err := d.store.Acquire(d.t.Context(), time.Minute, 10)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, l := range leases {
		var done *post.Done
		for {
			next, err := d.store.Next(d.t.Context(), l, done, 0)
			if err != nil {
				d.t.Fatal(err)
			}
			if !next.OK {
				break
			}
			done = &post.Done{ID: next.Delivery.Post.ID, Status: post.StatusPublished, Receipt: &post.Receipt{RemoteID: "r", PublishedAt: at}}
		}
		if err := d.store.Release(d.t.Context(), l); err != nil {
			d.t.Fatal(err)
		}
	}
}

func TestACalendarsEventsArePostsOnlyWhereTheySaySo(t *testing.T) {
	d := newDesk(t)
	d.take("team.ics", ics(
		vevent("1", "20260303T090000Z", "a post"),
		"UID:2\nDTSTART:20260303T100000Z\nSUMMARY:dentist",
		vevent("3", "20260303T110000Z", "secret", "CLASS:PRIVATE"),
		"UID:4\nDTSTART:20260303T120000Z\nSUMMARY:[LinkedIn] from its head",
		"UID:5\nDTSTART:20260303T130000Z\nSUMMARY:weekly call\nATTENDEE:mailto:a@example.com",
	), post.Counts{Rows: 5, Accepted: 2, Rejected: 3})
	d.wantWaiting("03-03T09:00 a post", "03-03T12:00 from its head")
}

// A file is read as what it is, whatever its name: a calendar that was named .csv is
// one, and a table whose cells hold calendars is none.
func TestATableMayHoldCalendars(t *testing.T) {
	t.Parallel()
	const row = "Invite,twitter,2026-03-05T09:00:00Z,x\n" + `"Paste this:
BEGIN:VCALENDAR
BEGIN:VEVENT
SUMMARY:x
END:VEVENT
END:VCALENDAR
",twitter,2026-03-05T10:00:00Z,y` + "\n"
	for name, text := range map[string]string{
		"a.csv": "content,platforms,scheduled_time,title\n" + row,
		"b.txt": "our plan\n\ncontent,platforms,scheduled_time,title\n" + row,
		"c.tsv": strings.ReplaceAll("content,platforms,scheduled_time,title\r\n"+strings.ReplaceAll(row, "\n", "\r\n"), ",", "\t"),
		"d":     "sep=;\n" + strings.ReplaceAll("content,platforms,scheduled_time,title\n"+row, ",", ";"),
		"e.csv": "title,platforms,scheduled_time,content\nBEGIN:VEVENT\nx,twitter,2026-03-05T09:00:00Z,Invite\n",
	} {
		d := newDesk(t)
		res, err := d.intake.Check(t.Context(), d.request(name, text))
		if err != nil || res.Import.Format != "csv" || res.Import.Counts.Accepted == 0 {
			t.Errorf("%s: read as %q, %+v, %v %v", name, res.Import.Format, res.Import.Counts, res.Problems, err)
		}
	}
	event := vevent("1", "20260305T090000Z", "Title, text, date", "CATEGORIES:Twitter", "DESCRIPTION;LANGUAGE=en:Post; text")
	for name, text := range map[string]string{
		"a.csv": ics(event), "b.txt": "\ufeff" + ics(event), "c.csv": "Content-Type: text/calendar; charset=utf-8\r\nSubject: Post, text\r\n\r\n" + ics(event),
		"d.tsv": strings.ReplaceAll(ics(event), "\r\n", "\n"),
	} {
		d := newDesk(t)
		res, err := d.intake.Check(t.Context(), d.request(name, text))
		if err != nil || res.Import.Format != "ical" || res.Import.Counts.Accepted != 1 {
			t.Errorf("%s: read as %q, %+v, %v %v", name, res.Import.Format, res.Import.Counts, res.Problems, err)
		}
	}
}

func TestWhatIsOverInACalendarIsNotPosted(t *testing.T) {
	d := newDesk(t)
	d.take("team.ics", ics(
		vevent("old", "20250303T090000Z", "last year"),
		vevent("today", "20260302T060000Z", "two hours ago"),
		vevent("now", "20260302T075000Z", "ten minutes ago"),
	), post.Counts{Rows: 3, Accepted: 1, Held: 1, Rejected: 1})
	d.wantWaiting("03-02T08:02 ten minutes ago")
}

func TestP9_TheSameCalendarAgainChangesNothing(t *testing.T) {
	d := newDesk(t)
	one, two := vevent("1", "20260303T090000Z", "one"), vevent("2", "20260304T090000Z", "two", "RRULE:FREQ=WEEKLY;COUNT=3")
	d.take("team.ics", ics(one, two), post.Counts{Rows: 4, Accepted: 4})
	was := d.waiting()
	if res := d.take("team.ics", ics(one, two), post.Counts{Rows: 4, Accepted: 4}); res.Outcome != intake.Duplicate {
		t.Errorf("the same bytes: %s", res.Outcome)
	}
	// Another export: other order, stamps and name.
	d.take("team (1).ics", ics(two+"\nDTSTAMP:20260302T070000Z", one), post.Counts{Rows: 4, Unchanged: 4})
	d.wantWaiting(was...)
}

// Programs write their version beside their name, and it changes with each update.
func TestP2_ACalendarOfAnUpdatedProgramIsARevision(t *testing.T) {
	t.Parallel()
	for _, programs := range [][2]string{
		{"-//Apple Inc.//macOS 14.2//EN", "-//Apple Inc.//macOS 15.0.1//EN"},
		{"-//IDN nextcloud.com//Calendar app 4.5.2//EN", "-//IDN nextcloud.com//Calendar app 5.0.0-rc.1//EN"},
		{"-//CyrusIMAP.org/Cyrus 3.9.0-alpha0-108-g1a2b-fm-20250101.001//EN", "-//CyrusIMAP.org/Cyrus 3.13.0-alpha0-9-gff00-fm-20260101.002//EN"},
		{"-//Microsoft Corporation//Outlook 14.0 MIMEDIR//EN", "-//Microsoft Corporation//Outlook 16.0 MIMEDIR//EN"},
		{"Microsoft Exchange Server 2010", "Microsoft Exchange Server 2019"},
	} {
		d := newDesk(t)
		by := func(n int, event string) string { return strings.Replace(ics(event), "-//test//EN", programs[n], 1) }
		d.take("team.ics", by(0, vevent("1", "20260303T090000Z", "one")), post.Counts{Rows: 1, Accepted: 1})
		d.take("team.ics", by(1, vevent("1", "20260304T090000Z", "one")), post.Counts{Rows: 1, Accepted: 1, Updated: 1})
		d.wantWaiting("03-04T09:00 one")
		// Another program has a calendar of its own under that name.
		d.take("team.ics", ics(vevent("1", "20260305T090000Z", "another")), post.Counts{Rows: 1, Accepted: 1})
		d.wantWaiting("03-04T09:00 one", "03-05T09:00 another")
	}
}

func TestARevisedEventIsUpdatedWhileItWaits(t *testing.T) {
	d := newDesk(t)
	d.take("team.ics", ics(vevent("1", "20260303T090000Z", "one"), vevent("2", "20260304T090000Z", "two")), post.Counts{Rows: 2, Accepted: 2})
	d.take("team.ics", ics(vevent("1", "20260303T093000Z", "ONE"), vevent("2", "20260304T090000Z", "two")), post.Counts{Rows: 2, Accepted: 1, Updated: 1, Unchanged: 1})
	d.wantWaiting("03-03T09:30 ONE", "03-04T09:00 two")
}

func TestAnOlderRevisionOfAnEventIsIgnored(t *testing.T) {
	d := newDesk(t)
	d.take("team.ics", ics(vevent("1", "20260303T090000Z", "second", "SEQUENCE:2")), post.Counts{Rows: 1, Accepted: 1})
	d.take("team.ics", ics(vevent("1", "20260305T090000Z", "first", "SEQUENCE:1")), post.Counts{Rows: 1, Unchanged: 1})
	d.wantWaiting("03-03T09:00 second")
	d.take("team.ics", ics(vevent("1", "20260306T090000Z", "third", "SEQUENCE:3")), post.Counts{Rows: 1, Accepted: 1, Updated: 1})
	d.wantWaiting("03-06T09:00 third")
}

func TestAnOlderRevisionOfASeriesMovesNothing(t *testing.T) {
	d := newDesk(t)
	now := vevent("s", "20260303T100000Z", "weekly", "RRULE:FREQ=WEEKLY;COUNT=2", "SEQUENCE:3")
	d.take("team.ics", ics(now), post.Counts{Rows: 2, Accepted: 2})
	d.take("old.ics", ics(vevent("s", "20260303T090000Z", "weekly", "RRULE:FREQ=WEEKLY;COUNT=3", "SEQUENCE:2")), post.Counts{Rows: 3, Unchanged: 3})
	d.wantWaiting("03-03T10:00 weekly", "03-10T10:00 weekly")
	// Not even when it comes again after that.
	d.take("older.ics", ics(vevent("s", "20260303T080000Z", "weekly", "RRULE:FREQ=WEEKLY;COUNT=1", "SEQUENCE:1")), post.Counts{Rows: 1, Unchanged: 1})
	d.wantWaiting("03-03T10:00 weekly", "03-10T10:00 weekly")
	// Nor does an older message take it back.
	cancel := strings.Replace(ics(vevent("s", "20260303T100000Z", "weekly", "RECURRENCE-ID:20260303T100000Z", "SEQUENCE:1")), "VERSION:2.0", "VERSION:2.0\r\nMETHOD:CANCEL", 1)
	d.take("cancel.ics", cancel, post.Counts{Rows: 1, Unchanged: 1})
	d.wantWaiting("03-03T10:00 weekly", "03-10T10:00 weekly")
}

// The revision before may not have had the series at all: the one that is stored counts.
func TestP2_AnOlderRevisionOfASeriesIsKnownWhateverCameBetween(t *testing.T) {
	t.Parallel()
	other := vevent("x", "20260304T120000Z", "other")
	message := strings.Replace(ics(other), "VERSION:2.0", "VERSION:2.0\r\nMETHOD:REQUEST", 1)
	for name, between := range map[string][]string{
		"a message":           {message},
		"several messages":    {message, message + "\r\n", message + "\r\n\r\n"},
		"an export without":   {ics(other)},
		"exports without":     {ics(other), ics(other) + "\r\n", message},
		"one that is cut off": {strings.TrimSuffix(ics(other), "END:VCALENDAR\r\n")},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.take("team.ics", ics(vevent("s", "20260303T100000Z", "weekly", "RRULE:FREQ=WEEKLY;COUNT=2", "SEQUENCE:3"), vevent("1", "20260303T150000Z", "second", "SEQUENCE:2")), post.Counts{Rows: 3, Accepted: 3})
			for _, text := range between {
				if _, err := d.intake.Import(t.Context(), d.request("team.ics", text)); err != nil {
					t.Fatal(err)
				}
			}
			d.take("old.ics", ics(vevent("s", "20260303T090000Z", "weekly", "RRULE:FREQ=WEEKLY;COUNT=3", "SEQUENCE:2"), vevent("1", "20260305T150000Z", "first", "SEQUENCE:1"), other), post.Counts{Rows: 5, Unchanged: 5})
			d.wantWaiting("03-03T10:00 weekly", "03-03T15:00 second", "03-04T12:00 other", "03-10T10:00 weekly")
		})
	}
}

// What was called off stays so, whatever messages came since.
func TestP2_AnOlderRevisionDoesNotBringBackWhatWasCalledOff(t *testing.T) {
	t.Parallel()
	message := func(method string, events ...string) string {
		return strings.Replace(ics(events...), "VERSION:2.0", "VERSION:2.0\r\nMETHOD:"+method, 1)
	}
	d := newDesk(t)
	series := vevent("s", "20260303T100000Z", "weekly", "RRULE:FREQ=WEEKLY;COUNT=2", "SEQUENCE:1")
	single := vevent("1", "20260303T150000Z", "single", "SEQUENCE:1")
	d.take("team.ics", ics(series, single), post.Counts{Rows: 3, Accepted: 3})
	d.take("off.ics", message("CANCEL", vevent("s", "20260303T100000Z", "weekly", "SEQUENCE:2"), vevent("1", "20260303T150000Z", "single", "SEQUENCE:2")), post.Counts{Rows: 2, Unchanged: 2, Cancelled: 3})
	d.wantWaiting()
	d.take("new.ics", message("REQUEST", vevent("x", "20260304T120000Z", "other")), post.Counts{Rows: 1, Accepted: 1})
	d.take("old.ics", ics(single, series), post.Counts{Rows: 3, Unchanged: 3, Removed: 1})
	d.wantWaiting("03-04T12:00 other")
	// A later one does.
	d.take("again.ics", ics(strings.Replace(single, "SEQUENCE:1", "SEQUENCE:3", 1), series), post.Counts{Rows: 3, Accepted: 1, Unchanged: 2})
	d.wantWaiting("03-03T15:00 single", "03-04T12:00 other")
}

// An instance may be in a later revision than its series, and a message say only that
// much: the other instances are none of an older one.
func TestARevisionOfOneInstanceIsNotThatOfItsSeries(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	series := vevent("s", "20260303T100000Z", "weekly", "RRULE:FREQ=WEEKLY", "SEQUENCE:0")
	moved := vevent("s", "20260310T110000Z", "weekly", "RECURRENCE-ID:20260310T100000Z", "SEQUENCE:1")
	d.take("team.ics", ics(series), post.Counts{Rows: 13, Accepted: 13})
	d.take("moved.ics", strings.Replace(ics(moved), "VERSION:2.0", "VERSION:2.0\r\nMETHOD:REQUEST", 1), post.Counts{Rows: 1, Accepted: 1, Updated: 1})
	d.now = d.now.AddDate(0, 0, 7)
	d.take("team.ics", ics(series, moved), post.Counts{Rows: 13, Accepted: 1, Unchanged: 12})
}

// What was undone is not stored, and an older revision is the one that counts.
func TestAnOlderRevisionComesBackOnceTheNewerIsUndone(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.take("old.ics", ics(vevent("x", "20260304T120000Z", "other")), post.Counts{Rows: 1, Accepted: 1})
	res := d.take("new.ics", ics(vevent("s", "20260303T100000Z", "weekly", "RRULE:FREQ=WEEKLY;COUNT=2", "SEQUENCE:3"), vevent("1", "20260303T150000Z", "second", "SEQUENCE:2")), post.Counts{Rows: 3, Accepted: 3, Removed: 1})
	if _, _, err := d.store.UndoImport(t.Context(), res.Import.ID, "test"); err != nil {
		t.Fatal(err)
	}
	d.take("old.ics", ics(vevent("s", "20260303T090000Z", "weekly", "RRULE:FREQ=WEEKLY;COUNT=2", "SEQUENCE:2"), vevent("1", "20260303T140000Z", "first", "SEQUENCE:1"), vevent("x", "20260304T120000Z", "other")), post.Counts{Rows: 4, Accepted: 3, Unchanged: 1})
	d.wantWaiting("03-03T09:00 weekly", "03-03T14:00 first", "03-04T12:00 other", "03-10T09:00 weekly")
}

func TestPicturesInsideACalendarArePinned(t *testing.T) {
	d := newDesk(t)
	req := d.request("team.ics", ics(vevent("1", "20260303T090000Z", "one", "ATTACH;ENCODING=BASE64;VALUE=BINARY;FMTTYPE=image/gif:R0lGODlhAQABAAAAACw=")))
	pinned := map[string]string{}
	req.Pin = func(path string, data []byte) error {
		pinned[path] = string(data)
		return nil
	}
	res, err := d.intake.Import(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	for path, data := range pinned {
		if !strings.HasPrefix(data, "GIF89a") || !strings.HasSuffix(path, ".gif") {
			t.Errorf("%s: %q", path, data)
		}
	}
	if len(pinned) != 1 {
		t.Errorf("%d pictures (%v)", len(pinned), res.Problems)
	}
}

func TestP2_APublishedEventIsNeverTouched(t *testing.T) {
	d := newDesk(t)
	d.take("team.ics", ics(vevent("1", "20260302T090000Z", "one")), post.Counts{Rows: 1, Accepted: 1})
	d.publish(monday.Add(61 * time.Minute))
	for i, e := range []string{
		vevent("1", "20260305T090000Z", "one, later", "SEQUENCE:5"),
		vevent("1", "20260302T090000Z", "one", "STATUS:CANCELLED"),
		vevent("1", "20260302T090000Z", "one", "SEQUENCE:9"),
	} {
		d.take("team.ics", ics(e, fmt.Sprintf("UID:x%d\nDTSTART:20250101T000000Z", i)), post.Counts{Rows: 2, Unchanged: 1, Rejected: 1})
		d.wantWaiting()
	}
}

func TestCancelledEventsAreTakenBack(t *testing.T) {
	d := newDesk(t)
	d.take("team.ics", ics(vevent("1", "20260303T090000Z", "one"), vevent("2", "20260304T090000Z", "two")), post.Counts{Rows: 2, Accepted: 2})
	d.take("team.ics", ics(vevent("1", "20260303T090000Z", "one", "STATUS:CANCELLED"), vevent("2", "20260304T090000Z", "two")), post.Counts{Rows: 2, Unchanged: 2, Cancelled: 1})
	d.wantWaiting("03-04T09:00 two")
	// A message that takes one back, and does not speak of the others.
	cancel := strings.Replace(ics(vevent("2", "20260304T090000Z", "two", "SEQUENCE:1")), "VERSION:2.0", "VERSION:2.0\r\nMETHOD:CANCEL", 1)
	d.take("cancel.ics", cancel, post.Counts{Rows: 1, Unchanged: 1, Cancelled: 1})
	d.wantWaiting()
}

func TestASeriesThatIsCutOrMovedLosesWhatItLacks(t *testing.T) {
	d := newDesk(t)
	d.take("team.ics", ics(vevent("s", "20260303T090000Z", "weekly", "RRULE:FREQ=WEEKLY;COUNT=4")), post.Counts{Rows: 4, Accepted: 4})
	d.wantWaiting("03-03T09:00 weekly", "03-10T09:00 weekly", "03-17T09:00 weekly", "03-24T09:00 weekly")
	d.take("team.ics", ics(vevent("s", "20260303T090000Z", "weekly", "RRULE:FREQ=WEEKLY;COUNT=4", "EXDATE:20260310T090000Z")), post.Counts{Rows: 3, Unchanged: 3, Cancelled: 1})
	d.wantWaiting("03-03T09:00 weekly", "03-17T09:00 weekly", "03-24T09:00 weekly")
	// One instance moves, with words of its own.
	d.take("team.ics", ics(
		vevent("s", "20260303T090000Z", "weekly", "RRULE:FREQ=WEEKLY;COUNT=4", "EXDATE:20260310T090000Z"),
		vevent("s", "20260318T100000Z", "moved", "RECURRENCE-ID:20260317T090000Z"),
	), post.Counts{Rows: 3, Unchanged: 2, Accepted: 1, Updated: 1})
	d.wantWaiting("03-03T09:00 weekly", "03-18T10:00 moved", "03-24T09:00 weekly")
	// The whole series is called off.
	d.take("team.ics", ics(vevent("s", "20260303T090000Z", "weekly", "RRULE:FREQ=WEEKLY;COUNT=4", "STATUS:CANCELLED")), post.Counts{Rows: 1, Unchanged: 1, Cancelled: 3})
	d.wantWaiting()
}

// What a revision left alone of a series is not forgotten: the next one that has the
// series at other times posts it at these only.
func TestP2_ASeriesThatWasLeftAloneIsNotPostedTwiceOnceItMoves(t *testing.T) {
	t.Parallel()
	series := func(at string, more ...string) string {
		return vevent("s", at, "weekly", append(more, "RRULE:FREQ=WEEKLY;COUNT=3")...)
	}
	other := vevent("o", "20260401T090000Z", "other")
	older := ics(other, series("20260303T120000Z", "SEQUENCE:0"))
	mistaken := ics(other, series("20260303T120000Z", "SEQUENCE:2", "CATEGORIES:Twiter"))
	for name, between := range map[string][]string{
		"older":              {older},
		"older twice":        {older, strings.Replace(older, "T12", "T13", 1)},
		"a mistake":          {mistaken},
		"a rule is none":     {ics(other, series("20260303T120000Z", "RRULE:FREQ=OFTEN"))},
		"gone":               {ics(other)},
		"gone, twice":        {ics(other), ics(other, "UID:dentist\nDTSTART:20260401T090000Z")},
		"gone, then mistake": {ics(other), mistaken},
		"cut off":            {strings.TrimSuffix(ics(other, series("20260303T120000Z")), "END:VEVENT\r\nEND:VCALENDAR\r\n")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			d.take("team.ics", ics(other, series("20260303T090000Z", "SEQUENCE:1")), post.Counts{Rows: 4, Accepted: 4})
			for _, text := range between {
				res, err := d.intake.Import(t.Context(), d.request("team.ics", text))
				if err != nil {
					t.Fatal(err)
				}
				if n := res.Import.Counts; n.Accepted+n.Cancelled > 0 {
					t.Errorf("it was not left alone: %+v", n)
				}
				d.wantWaiting("03-03T09:00 weekly", "03-10T09:00 weekly", "03-17T09:00 weekly", "04-01T09:00 other")
			}
			moved := ics(other, series("20260303T100000Z", "SEQUENCE:3"))
			d.take("team.ics", moved, post.Counts{Rows: 4, Accepted: 3, Unchanged: 1, Cancelled: 3})
			d.wantWaiting("03-03T10:00 weekly", "03-10T10:00 weekly", "03-17T10:00 weekly", "04-01T09:00 other")
		})
	}
}

func TestP2_AMovedSeriesDoesNotPostItsLastWordsAgain(t *testing.T) {
	d := newDesk(t)
	d.take("team.ics", ics(vevent("s", "20260302T090000Z", "daily", "RRULE:FREQ=DAILY;COUNT=3")), post.Counts{Rows: 3, Accepted: 3})
	d.publish(monday.Add(61 * time.Minute)) // the first is out
	d.take("team.ics", ics(vevent("s", "20260302T100000Z", "daily", "RRULE:FREQ=DAILY;COUNT=3", "SEQUENCE:1")), post.Counts{Rows: 3, Accepted: 2, Unchanged: 1, Cancelled: 2})
	d.wantWaiting("03-03T10:00 daily", "03-04T10:00 daily")
}

func TestEventsThatAreGoneAreCancelledInMirrorModeOnly(t *testing.T) {
	var events []string
	for i := range 8 {
		events = append(events, vevent(fmt.Sprint("u", i), fmt.Sprintf("202603%02dT090000Z", 10+i), fmt.Sprint("no ", i)))
	}
	d := newDesk(t)
	d.take("team.ics", ics(events...), post.Counts{Rows: 8, Accepted: 8})
	d.take("team.ics", ics(events[1:]...), post.Counts{Rows: 7, Unchanged: 7, Removed: 1})
	if n := len(d.waiting()); n != 8 {
		t.Errorf("%d wait, want 8: the folder does not mirror", n)
	}
	mirror := func(name, text string) intake.Request {
		req := d.request(name, text)
		req.CancelRemoved = true
		return req
	}
	d.take("team.ics", ics(append(events, vevent("more", "20260401T090000Z", "more"))...), post.Counts{Rows: 9, Unchanged: 8, Accepted: 1})
	d.takeRequest(mirror("team.ics", ics(append(events[1:], vevent("more", "20260401T090000Z", "more"))...)), post.Counts{Rows: 8, Unchanged: 8, Removed: 1, Cancelled: 1})
	if n := len(d.waiting()); n != 8 {
		t.Errorf("%d wait, want 8", n)
	}
	// Half of them gone at once is rather a mistake.
	d.takeRequest(mirror("team.ics", ics(events[5:]...)), post.Counts{Rows: 3, Unchanged: 3, Removed: 5})
	// So is a file that is cut off.
	whole := ics(events[2:]...)
	cut := whole[:strings.LastIndex(whole, "BEGIN:VEVENT")]
	d.takeRequest(mirror("team.ics", cut), post.Counts{Rows: 5, Unchanged: 5})
	if n := len(d.waiting()); n != 8 {
		t.Errorf("%d wait, want 8: nothing more was to be cancelled", n)
	}
}

// latest returns the last import of the only file there is. Two of one second are
// listed in any order.
func (d *desk) latest() (imp post.Import) {
	d.t.Helper()
	imps, _, err := d.store.Imports(d.t.Context(), "acme", "", 1)
	if err == nil && len(imps) > 0 {
		imp, _, err = d.store.LatestImport(d.t.Context(), "acme", imps[0].Lineage)
	}
	if err != nil {
		d.t.Fatal(err)
	}
	return imp
}

func TestSeriesAreLaidOutFurtherOnlyForWhatCanBeStored(t *testing.T) {
	d := newDesk(t)
	d.account.Plan = limits.Plan{Key: "own", Name: "Own", HorizonDays: new(30)}
	text := ics(
		vevent("old", "20250303T090000Z", "over for long"),
		vevent("s", "20260302T150000Z", "weekly", "RRULE:FREQ=WEEKLY"))
	d.take("team.ics", text, post.Counts{Rows: 14, Accepted: 5, Rejected: 9})
	imp := d.latest()
	if res, err := d.intake.Extend(t.Context(), imp, d.request("team.ics", text)); err != nil || res.Outcome != 0 {
		t.Errorf("on the same day: %s %+v, %v", res.Outcome, res.Import.Counts, err)
	}
	d.now = d.now.AddDate(0, 0, 7)
	if res, err := d.intake.Extend(t.Context(), imp, d.request("team.ics", text)); err != nil || res.Outcome != intake.Taken || res.Import.Counts.Accepted != 1 {
		t.Errorf("in a week, when the plan lets one more in: %s %+v, %v", res.Outcome, res.Import.Counts, err)
	}
}

// extend lays out the series of the only calendar further, from what each import came
// with.
func (d *desk) extend(texts map[post.ID]string) intake.Result {
	d.t.Helper()
	imp, found, err := d.intake.GoingOn(d.t.Context(), "acme", d.latest().Lineage)
	if err != nil || !found {
		d.t.Fatal(found, err)
	}
	res, err := d.intake.Extend(d.t.Context(), imp, d.request("team.ics", texts[imp.ID]))
	if err != nil {
		d.t.Fatal(err)
	}
	if res.Outcome == intake.Taken {
		texts[res.Import.ID] = texts[imp.ID]
	}
	return res
}

// A message about one event does not end the series of the calendar, and they do not
// take back what it says.
func TestSeriesGoOnAfterAMessage(t *testing.T) {
	message := func(method string, events ...string) string {
		return strings.Replace(ics(events...), "BEGIN:VCALENDAR\r\n", "BEGIN:VCALENDAR\r\nMETHOD:"+method+"\r\n", 1)
	}
	whole := ics(
		vevent("w", "20260303T090000Z", "weekly", "RRULE:FREQ=WEEKLY"),
		vevent("x", "20260303T120000Z", "other", "RRULE:FREQ=WEEKLY"),
		vevent("single", "20260310T150000Z", "single"))
	for name, m := range map[string]struct {
		text           string
		waiting, later int // then, and in two weeks
	}{
		"an event is called off":    {message("CANCEL", vevent("single", "20260310T150000Z", "single")), 26, 30},
		"an instance is called off": {message("CANCEL", vevent("x", "20260317T120000Z", "other", "RECURRENCE-ID:20260317T120000Z")), 26, 28},
		"a series is called off":    {message("CANCEL", vevent("x", "20260303T120000Z", "other")), 14, 16},
		"an event has other words":  {message("REQUEST", vevent("single", "20260310T150000Z", "other words")), 27, 31},
		"an instance is moved":      {message("REQUEST", vevent("x", "20260317T140000Z", "other", "RECURRENCE-ID:20260317T120000Z")), 27, 29},
		"an instance is added":      {message("ADD", vevent("x", "20260320T140000Z", "one more")), 28, 30},
		"an event of its own":       {message("REQUEST", vevent("new", "20260320T140000Z", "new")), 28, 32},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			texts := map[post.ID]string{}
			res := d.take("team.ics", whole, post.Counts{Rows: 27, Accepted: 27})
			texts[res.Import.ID] = whole
			d.now = d.now.Add(time.Minute)
			res, err := d.intake.Import(t.Context(), d.request("team.ics", m.text))
			if err != nil {
				t.Fatal(err)
			}
			if err := d.intake.Filed(t.Context(), res.Import, "archive/message.ics"); err != nil {
				t.Fatal(err)
			}
			texts[res.Import.ID] = m.text
			was := d.waiting()
			if len(was) != m.waiting {
				t.Errorf("%d wait, want %d", len(was), m.waiting)
			}
			for day := range 14 {
				d.now = monday.AddDate(0, 0, day+1)
				d.extend(texts)
				if res := d.extend(texts); res.Outcome != 0 {
					t.Fatalf("again on day %d: %+v", day, res.Import.Counts)
				}
				for _, w := range was {
					if !slices.Contains(d.waiting(), w) {
						t.Fatalf("day %d: %s does not wait any more", day, w)
					}
				}
			}
			if n := len(d.waiting()); n != m.later {
				t.Errorf("in two weeks %d wait, want %d: %q", n, m.later, d.waiting())
			}
			// The next export counts again.
			d.now = d.now.Add(time.Hour)
			if _, err := d.intake.Import(t.Context(), d.request("team.ics", whole+"\r\n")); err != nil {
				t.Fatal(err)
			}
			fresh := newDesk(t)
			fresh.now = d.now
			if _, err := fresh.intake.Import(t.Context(), fresh.request("team.ics", whole)); err != nil {
				t.Fatal(err)
			}
			for _, w := range fresh.waiting() {
				if !slices.Contains(d.waiting(), w) {
					t.Errorf("%s does not wait after the next export", w)
				}
			}
		})
	}
}

// What the plan has no room for until its time is over does not become a draft each
// day.
func TestAnInstanceThatNeverHadRoomIsNotHeldWhenItIsOver(t *testing.T) {
	d := newDesk(t)
	d.account.Plan = limits.Plan{Key: "own", Name: "Own", Monthly: new(5)}
	text := ics(vevent("s", "20260303T090000Z", "daily", "RRULE:FREQ=DAILY;COUNT=59"))
	d.take("team.ics", text, post.Counts{Rows: 59, Accepted: 10, Rejected: 49})
	for day := range 60 {
		d.now = monday.AddDate(0, 0, day+1)
		if res, err := d.intake.Extend(t.Context(), d.latest(), d.request("team.ics", text)); err != nil || res.Outcome != 0 {
			t.Fatalf("after %d days: %s %+v, %v", day+1, res.Outcome, res.Import.Counts, err)
		}
	}
}

func TestSeriesAreLaidOutFurtherEachDay(t *testing.T) {
	d := newDesk(t)
	text := ics(vevent("s", "20260303T090000Z", "weekly", "RRULE:FREQ=WEEKLY"))
	first := d.take("team.ics", text, post.Counts{Rows: 13, Accepted: 13}).Import
	extend := func(imp post.Import) intake.Result {
		t.Helper()
		req := d.request("team.ics", text)
		res, err := d.intake.Extend(t.Context(), imp, req)
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	if res := extend(d.latest()); res.Outcome != 0 {
		t.Errorf("on the same day: %+v", res)
	}
	d.now = monday.AddDate(0, 0, 8)
	if res := extend(d.latest()); res.Outcome != intake.Taken || res.Import.Counts.Accepted != 1 {
		t.Errorf("eight days on: %s %+v", res.Outcome, res.Import.Counts)
	}
	if now := d.latest(); now.Previous != first.ID || now.Archive != "archive/team.ics" {
		t.Errorf("the further import: %+v", now)
	}
	if res := extend(d.latest()); res.Outcome != 0 {
		t.Errorf("again on that day: %+v", res)
	}
	if res := extend(first); res.Outcome != 0 {
		t.Errorf("of an import that is not the latest: %+v", res)
	}
	if n := len(d.waiting()); n != 14 {
		t.Errorf("%d wait, want 14", n)
	}
	// What was taken out by hand stays out.
	gs, _, err := d.store.Groups(t.Context(), post.Filter{Import: d.latest().ID}, "", 10)
	if err != nil || len(gs) != 1 {
		t.Fatal(gs, err)
	}
	if _, err := d.store.Cancel(t.Context(), gs[0].ID, "me"); err != nil {
		t.Fatal(err)
	}
	d.now = monday.AddDate(0, 0, 9)
	if res := extend(d.latest()); res.Outcome != 0 {
		t.Errorf("after a cancel: %+v", res)
	}
}

// What gives no post, and has nothing wrong with it, does not keep a mirror from
// cancelling: most calendars have something that is over.
func TestEventsThatAreNoPostsDoNotKeepAMirrorFromCancelling(t *testing.T) {
	for name, event := range map[string]string{
		"an event that is no post":     strings.Replace(vevent("dentist", "20260310T090000Z", "dentist"), "CATEGORIES:Twitter\n", "", 1),
		"an event that is over":        vevent("old", "20250310T090000Z", "over"),
		"a series that is over":        vevent("ended", "20250310T090000Z", "over", "RRULE:FREQ=WEEKLY;UNTIL=20250601T000000Z"),
		"a series that is far away":    vevent("later", "20270310T090000Z", "later", "RRULE:FREQ=WEEKLY"),
		"an event that was called off": vevent("off", "20260310T090000Z", "off", "STATUS:CANCELLED"),
	} {
		t.Run(name, func(t *testing.T) {
			events := []string{event}
			for i := range 8 {
				events = append(events, vevent(fmt.Sprint("u", i), fmt.Sprintf("202603%02dT090000Z", 10+i), fmt.Sprint("no ", i)))
			}
			d := newDesk(t)
			d.take("team.ics", ics(events...), post.Counts{Rows: 9, Accepted: 8, Rejected: 1})
			req := d.request("team.ics", ics(events[:8]...))
			req.CancelRemoved = true
			d.takeRequest(req, post.Counts{Rows: 8, Unchanged: 7, Rejected: 1, Removed: 1, Cancelled: 1})
		})
	}
}
