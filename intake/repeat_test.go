package intake_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/post"
)

// times lists when the groups of a desk go out, in the zone.
func (d *desk) times(zone string) []string {
	d.t.Helper()
	loc, err := time.LoadLocation(zone)
	if err != nil {
		d.t.Fatal(err)
	}
	groups, _, err := d.store.Groups(d.t.Context(), post.Filter{}, "", 1000)
	if err != nil {
		d.t.Fatal(err)
	}
	var out []string
	for i := range groups {
		out = append(out, groups[i].ScheduledAt.In(loc).Format("01-02T15:04"))
	}
	slices.Sort(out)
	return out
}

const repeatHeader = "content,platforms,scheduled_time,timezone,repeat\n"

// The clock of the zone counts, also where it is changed: Berlin went forward on 29
// March 2026.
func TestARowThatRepeatsKeepsToItsClock(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.take("week.csv", repeatHeader+"Hello,twitter,2026-03-24 09:00,Europe/Berlin,every tuesday until 14 April\n", post.Counts{Rows: 4, Accepted: 4})
	if got, want := d.times("Europe/Berlin"), []string{"03-24T09:00", "03-31T09:00", "04-07T09:00", "04-14T09:00"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	d = newDesk(t)
	res := d.take("week.csv", repeatHeader+"Early,twitter,2026-03-28 02:30,Europe/Berlin,daily for 3 days\n", post.Counts{Rows: 3, Accepted: 3})
	if got, want := d.times("Europe/Berlin"), []string{"03-28T02:30", "03-29T03:30", "03-30T02:30"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if len(res.Problems) != 1 || !strings.Contains(res.Problems[0].String(), "on 29 March 2026 it is taken as 03:30 CEST") {
		t.Errorf("%v", res.Problems)
	}
}

// TestP9_ARepeatingRowAgain: each time has an identity of its own, so a later
// revision finds those that are stored, whatever is over by then, and a longer end
// adds only what is new.
func TestP9_ARepeatingRowAgain(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"", "promo"} {
		d := newDesk(t)
		header := "content,platforms,scheduled_time,repeat,external_id\n"
		row := func(until string) string {
			return "Hello,twitter,2026-03-03 09:00,daily until " + until + "," + id + "\n"
		}
		d.take("week.csv", header+row("2026-03-12"), post.Counts{Rows: 10, Accepted: 10})
		d.take("week.csv", header+row("2026-03-14"), post.Counts{Rows: 12, Accepted: 2, Unchanged: 10})
		d.now = d.now.Add(5 * 24 * time.Hour) // four are over
		d.take("week.csv", header+row("2026-03-15"), post.Counts{Rows: 9, Accepted: 1, Unchanged: 8})
		if got := d.times("UTC"); len(got) != 13 || len(slices.Compact(got)) != 13 {
			t.Errorf("id %q: %v", id, got)
		}
	}
}

// TestP1_ATimeThatIsOverIsNotCancelled: a time that has come is left out of what is
// laid out, which must not look as if its row was gone, though it was not sent yet.
func TestP1_ATimeThatIsOverIsNotCancelled(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	row := func(until string) string {
		return repeatHeader + "Hello,twitter,2026-03-03 09:00,UTC,daily until " + until + "\n"
	}
	d.take("week.csv", row("2026-03-12"), post.Counts{Rows: 10, Accepted: 10})
	d.now = time.Date(2026, 3, 3, 9, 0, 5, 0, time.UTC)
	req := d.request("week.csv", row("2026-03-11"))
	req.CancelRemoved = true
	d.takeRequest(req, post.Counts{Rows: 8, Unchanged: 8, Removed: 1, Cancelled: 1})
}

// A row that has had all its times does not keep a mirror from cancelling others.
func TestARowWhoseTimesAreAllOverDoesNotKeepAMirrorFromCancelling(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	const over = "Hello,twitter,2026-03-03 09:00,UTC,daily for 2 days\n"
	later := func(day int) string {
		return fmt.Sprintf("One more,twitter,2026-03-%d 09:00,UTC,daily for 6 days\n", day)
	}
	d.take("week.csv", repeatHeader+over+later(10), post.Counts{Rows: 8, Accepted: 8})
	d.publish(time.Date(2026, 3, 5, 9, 0, 0, 0, time.UTC))
	req := d.request("week.csv", repeatHeader+over+later(11))
	req.CancelRemoved = true
	d.takeRequest(req, post.Counts{Rows: 7, Accepted: 1, Unchanged: 5, Rejected: 1, Removed: 1, Cancelled: 1})
}

func TestARowThatRepeatsWithoutAnEndIsLaidOutForAYear(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	res := d.take("week.csv", repeatHeader+"Hello,twitter,2026-03-03 09:00,UTC,weekly\n", post.Counts{Rows: 53, Accepted: 53})
	if len(res.Problems) != 1 || res.Problems[0].Code != "REPEAT_GOES_ON" || !strings.Contains(res.Problems[0].Want, "laid out to 3 March 2027") {
		t.Errorf("%v", res.Problems)
	}
}

// What a plan has no room for is given back as the one row that it was.
func TestARowThatRepeatsIsGivenBackOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.plan("starter")
	res := d.take("week.csv", repeatHeader+"Hello,linkedin,2026-03-03 09:00,UTC,daily for 5 days\n", post.Counts{Rows: 5, Accepted: 3, Rejected: 2})
	text := ""
	for _, p := range res.Reports {
		if strings.HasSuffix(p, ".rejected.csv") {
			b, err := os.ReadFile(p)
			if err != nil {
				t.Fatal(err)
			}
			text = string(b)
		}
	}
	if strings.Count(text, "Hello") != 1 {
		t.Errorf("rejected: %q", text)
	}
	d.plan("unlimited")
	d.take("week.csv.rejected.csv", text, post.Counts{Rows: 5, Accepted: 2, Unchanged: 3})
}

func TestARuleThatCannotBeUsedRejectsItsRow(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ rule, want string }{
		{"FREQ=HOURLY", "FREQ=DAILY or a longer period"},
		{"FREQ=WEEKLY;BYDAY=XX", "days like MO"},
		{"FREQ=DAILY;BYHOUR=1,2,3,4", "at most 400 times"},
		{"daily until 2026-03-01", "all of its times are over"},
		{"FREQ=DAILY;UNTIL=20200101", "all of its times are over"},
	} {
		d := newDesk(t)
		req := d.request("week.csv", repeatHeader+"Hello,twitter,2026-02-20 09:00,UTC,\""+c.rule+"\"\nOther,twitter,2026-03-03 09:00,UTC,\n")
		res := d.takeRequest(req, post.Counts{Rows: 2, Accepted: 1, Rejected: 1})
		if len(res.Problems) != 1 || !strings.Contains(res.Problems[0].String(), c.want) {
			t.Errorf("%s: %v, want %s", c.rule, res.Problems, c.want)
		}
	}
}
