package intake_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/intake"
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
	imp := func() post.Import {
		t.Helper()
		imps, _, err := d.store.Imports(t.Context(), "acme", "", 1)
		if err != nil || len(imps) != 1 {
			t.Fatal(imps, err)
		}
		return imps[0]
	}
	if res := extend(imp()); res.Outcome != 0 {
		t.Errorf("on the same day: %+v", res)
	}
	d.now = monday.AddDate(0, 0, 8)
	if res := extend(imp()); res.Outcome != intake.Taken || res.Import.Counts.Accepted != 1 {
		t.Errorf("eight days on: %s %+v", res.Outcome, res.Import.Counts)
	}
	if now := imp(); now.Previous != first.ID || now.Archive != "archive/team.ics" {
		t.Errorf("the further import: %+v", now)
	}
	if res := extend(imp()); res.Outcome != 0 {
		t.Errorf("again on that day: %+v", res)
	}
	if res := extend(first); res.Outcome != 0 {
		t.Errorf("of an import that is not the latest: %+v", res)
	}
	if n := len(d.waiting()); n != 14 {
		t.Errorf("%d wait, want 14", n)
	}
	// What was taken out by hand stays out.
	gs, _, err := d.store.Groups(t.Context(), post.Filter{Import: imp().ID}, "", 10)
	if err != nil || len(gs) != 1 {
		t.Fatal(gs, err)
	}
	if _, err := d.store.Cancel(t.Context(), gs[0].ID, "me"); err != nil {
		t.Fatal(err)
	}
	d.now = monday.AddDate(0, 0, 9)
	if res := extend(imp()); res.Outcome != 0 {
		t.Errorf("after a cancel: %+v", res)
	}
}
