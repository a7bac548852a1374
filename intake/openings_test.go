package intake_test

import (
	"testing"
	"time"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/scheduler"
)

// everyMorning has a slot at 9 each day.
func everyMorning() *scheduler.Openings {
	o := &scheduler.Openings{Zone: time.UTC}
	for d := range o.All {
		o.All[d] = []int{9 * 60}
	}
	return o
}

func TestRowsWithoutATimeTakeTheNextFreeSlot(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.account.Rules.Openings = everyMorning()
	first := d.now.Truncate(24 * time.Hour).Add(9 * time.Hour)
	morning := func(days int) string { return first.AddDate(0, 0, days).Format("2006-01-02 15:04 MST") }
	check := func(file string, want map[string]string) {
		t.Helper()
		got := d.cells("acme/"+file, "local_time")
		for text, at := range want {
			if got[text] != at {
				t.Errorf("%s: %s is at %s, want %s", file, text, got[text], at)
			}
		}
	}
	const header = "id,content,platforms,scheduled_time,status\n"

	d.take("one.csv", header+"1,first,twitter,,\n2,kept back,twitter,,draft\n3,second,twitter,,scheduled\n4,other,linkedin,,\n", post.Counts{Rows: 4, Accepted: 4})
	check("one.csv", map[string]string{"1": morning(0), "2": "", "3": morning(1), "4": morning(0)})
	if why := d.cells("acme/one.csv", "why")["1"]; why != "no time given: the next free slot" {
		t.Errorf("why: %q", why)
	}
	if got := d.statuses()["kept back @twitter-1"]; got != post.StatusDraft {
		t.Errorf("P3: a row that says draft is %s", got)
	}

	d.take("two.csv", header+"a,third,twitter;linkedin,,\nb,fourth,linkedin,,\n", post.Counts{Rows: 2, Accepted: 2})
	check("two.csv", map[string]string{"a": morning(2), "b": morning(1)})

	d.take("one.csv", header+"1,first,twitter,,\n2,kept back,twitter,,draft\n3,second and better,twitter,,scheduled\n4,other,linkedin,,\n5,fifth,twitter,,\n",
		post.Counts{Rows: 5, Accepted: 2, Updated: 1, Unchanged: 3})
	check("one.csv", map[string]string{"3": morning(1), "5": morning(3)})
}

func TestWithoutSlotsARowWithoutATimeIsADraft(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.take("plan.csv", "content,platforms,scheduled_time\nfirst,twitter,\n", post.Counts{Rows: 1, Accepted: 1})
	d.account.Rules.Openings = &scheduler.Openings{Zone: time.UTC, Of: map[post.ConnectionID]scheduler.Week{"linkedin-2": everyMorning().All}}
	d.take("more.csv", "content,platforms,scheduled_time\nsecond,twitter,\n", post.Counts{Rows: 1, Accepted: 1})
	for text, status := range d.statuses() {
		if status != post.StatusDraft {
			t.Errorf("%s is %s", text, status)
		}
	}
}

// The zero of many programs is a time: a row that has it does not ask for the next
// free one.
func TestP3TheFirstSecondOf1970IsATimeThatHasPassed(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.account.Rules.Openings = everyMorning()
	d.take("plan.csv", "content,platforms,scheduled_time\nfirst,twitter,1970-01-01T00:00:00Z\n", post.Counts{Rows: 1, Held: 1})
}
