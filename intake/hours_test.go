package intake_test

import (
	"testing"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/scheduler"
)

// cells returns of each row of a report, by the first cell, what stands in a
// column that the report added.
func (d *desk) cells(name, column string) map[string]string {
	d.t.Helper()
	lines := d.reportOf(name)
	at := len(lines[0]) - 1
	for ; lines[0][at] != column; at-- {
		if at == 0 {
			d.t.Fatalf("no column %s in %q", column, lines[0])
		}
	}
	all := map[string]string{}
	for _, l := range lines[1:] {
		all[l[0]] = l[at]
	}
	return all
}

func TestReportSaysWhatQuietHoursAndBlackoutDaysDid(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	day := scheduler.DayOf(d.now) + 7
	d.account.Rules.Hours = &scheduler.Hours{Zone: d.account.Zone, Quiet: scheduler.Quiet{From: 22 * 60, To: 7 * 60}, Blackout: []scheduler.Days{{First: day, Last: day}}}
	holiday, night := d.now.AddDate(0, 0, 7).Format("2006-01-02"), d.now.AddDate(0, 0, 1).Format("2006-01-02")
	d.take("plan.csv", "content,platforms,scheduled_time\nmerry,twitter,"+holiday+" 12:00\nlate,twitter,"+night+" 23:00\nnoon,twitter,"+night+" 12:00\n",
		post.Counts{Rows: 3, Accepted: 2, Held: 1})
	why := d.cells("acme/plan.csv", "why")
	for text, want := range map[string]string{
		"merry": holiday + " is a blackout day of the account",
		"late":  "its time is in the quiet hours (22:00-07:00): moved to their end, 8h later",
		"noon":  "",
	} {
		if why[text] != want {
			t.Errorf("%s: got %q, want %q", text, why[text], want)
		}
	}
	if got := d.cells("acme/plan.csv", "moved_by")["late"]; got != "480" {
		t.Errorf("moved by %q minutes", got)
	}
	if got := d.statuses()["merry @twitter-1"]; got != post.StatusDraft {
		t.Errorf("the row of a blackout day is %s", got)
	}
}
