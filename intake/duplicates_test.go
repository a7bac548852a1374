package intake_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/intake"
	"github.com/postroom/postroom/post"
)

// said returns the warnings of duplicates, by line.
func said(res intake.Result) map[int]string {
	out := map[int]string{}
	for _, p := range res.Problems {
		if p.Code == "DUPLICATE_TEXT" {
			out[p.Line] = p.Want
		}
	}
	return out
}

// plainRows is a file whose rows have no ids: a text and the days from Monday on
// at which it is to go out.
func plainRows(rows ...string) string {
	var b strings.Builder
	b.WriteString("content,platforms,scheduled_time\n")
	for _, r := range rows {
		text, rest, _ := strings.Cut(r, "|")
		on, days, _ := strings.Cut(rest, "|")
		var n int
		fmt.Sscan(days, &n)
		fmt.Fprintf(&b, "%s,%s,%s\n", text, on, monday.AddDate(0, 0, n).Add(time.Hour).Format("2006-01-02T15:04:05Z"))
	}
	return b.String()
}

func TestTheSameWordsSoonAgainAreToldOf(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.account.Duplicates = 7 * 24 * time.Hour
	res := d.take("a.csv", plainRows(
		"Sale|twitter-1|1", // 2
		"Sale|twitter-1|3", // 3: two days later
		"sale|twitter-1|4", // 4: other letters
		"Sale|linkedin-2|2",
		" Sale  |twitter-1|20", // 6: too long after
	), post.Counts{Rows: 5, Accepted: 5})
	if got := said(res); len(got) != 1 || !strings.Contains(got[3], "line 2 has them, 2 days before") {
		t.Errorf("in a file: %v, want line 3 told of line 2", got)
	}
	res = d.take("b.csv", plainRows("Sale|twitter-1|5", "Sale|twitter-1|60", "New|twitter-1|5"), post.Counts{Rows: 3, Accepted: 3})
	if got := said(res); len(got) != 1 || !strings.Contains(got[2], "of a.csv has them, 4 days before") {
		t.Errorf("in another file: %v, want line 2 told of a.csv", got)
	}
	res = d.take("b.csv", plainRows("Sale|twitter-1|5", "Sale|twitter-1|60", "New|twitter-1|5", "More|twitter-1|5"), post.Counts{Rows: 4, Accepted: 1, Unchanged: 3})
	if got := said(res); len(got) != 0 {
		t.Errorf("of rows that were there before: %v", got)
	}
}

func TestDuplicatesBeyondABoundAreCounted(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.account.Duplicates = 7 * 24 * time.Hour
	var a, b []string
	for n := range 1003 {
		a, b = append(a, fmt.Sprintf("Sale %d|twitter-1|1", n)), append(b, fmt.Sprintf("Sale %d|twitter-1|2", n))
	}
	d.account.Rules.Keep = true
	d.take("a.csv", plainRows(a...), post.Counts{Rows: len(a), Accepted: len(a)})
	res := d.take("b.csv", plainRows(b...), post.Counts{Rows: len(b), Accepted: len(b)})
	for _, p := range res.Import.Notes {
		if p.Code == "DUPLICATES_NOT_ALL_TOLD" && strings.Contains(p.Want, "3 rows more, whose times") {
			return
		}
	}
	t.Errorf("notes %v, want three rows that were not looked at", res.Import.Notes)
}

func TestDuplicatesOfWhatIsNoMoreAreNotToldOf(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.account.Duplicates = 7 * 24 * time.Hour
	first := d.take("a.csv", plainRows("Sale|twitter-1|1"), post.Counts{Rows: 1, Accepted: 1})
	if _, _, err := d.store.UndoImport(t.Context(), first.Import.ID, "test"); err != nil {
		t.Fatal(err)
	}
	if got := said(d.take("b.csv", plainRows("Sale|twitter-1|2"), post.Counts{Rows: 1, Accepted: 1})); len(got) != 0 {
		t.Errorf("told of what was taken back: %v", got)
	}
	d.account.Duplicates = 0
	if got := said(d.take("c.csv", plainRows("Sale|twitter-1|3", "Sale|twitter-1|4"), post.Counts{Rows: 2, Accepted: 2})); len(got) != 0 {
		t.Errorf("switched off, and told: %v", got)
	}
}
