package intake_test

import (
	"context"
	"encoding/csv"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/intake"
	"github.com/postroom/postroom/post"
)

// reportOf reads the report of a file, and marked writes it again with words in
// the approve column, by the first cell of the row.
func (d *desk) reportOf(name string) [][]string {
	d.t.Helper()
	b, err := os.ReadFile(filepath.Join(d.reports, name+".report.csv"))
	if err != nil {
		d.t.Fatal(err)
	}
	lines, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(string(b), "\ufeff"))).ReadAll()
	if err != nil {
		d.t.Fatal(err)
	}
	return lines
}

func marked(lines [][]string, words map[string]string) string {
	var b strings.Builder
	w := csv.NewWriter(&b)
	for _, l := range lines {
		if word, ok := words[l[0]]; ok {
			l = append(slices.Clone(l[:len(l)-1]), word)
		}
		w.Write(l)
	}
	w.Flush()
	return b.String()
}

// approving takes a report that came back, and returns what it did.
func (d *desk) approving(text string) intake.Result {
	d.t.Helper()
	req := d.request("back.csv", text)
	req.Approve = func(ctx context.Context, g *post.Group, id post.ID, keep bool) error {
		if g.ScheduledAt.Before(d.now) {
			return &intake.Unapproved{Code: "TIME_PASSED", Want: "a time to come"}
		}
		if !keep {
			return nil
		}
		_, err := d.store.Approve(ctx, id, time.Time{}, nil, "test")
		return err
	}
	res, err := d.intake.Import(d.t.Context(), req)
	if err != nil {
		d.t.Fatal(err)
	}
	return res
}

func (d *desk) drafts(ns ...int) [][]string {
	d.t.Helper()
	req := d.request("week.csv", rows(ns...))
	req.Status = post.StatusDraft
	d.takeRequest(req, post.Counts{Rows: len(ns), Accepted: len(ns)})
	return d.reportOf("acme/week.csv")
}

func TestAReportWithoutMarksSaysThatItDoesNothing(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	res := d.approving(marked(d.drafts(1, 2), nil))
	if res.Outcome != intake.Approved || *res.Approvals != (intake.Approvals{}) {
		t.Errorf("got %s, %+v", res.Outcome, *res.Approvals)
	}
	if len(res.Problems) != 1 || res.Problems[0].Code != "NOTHING_MARKED" || post.HasErrors(res.Problems) {
		t.Errorf("got %v, want a warning that nothing is marked", res.Problems)
	}
}

func TestAReportArmsTheRowsItMarksAndNoOthers(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	lines := d.drafts(1, 2, 3)
	res := d.approving(marked(lines, map[string]string{"id-1": "yes", "id-2": "no"}))
	if res.Outcome != intake.Approved || *res.Approvals != (intake.Approvals{Approved: 1, Left: 1}) {
		t.Errorf("%v %+v, want one approved and one left", res.Outcome, res.Approvals)
	}
	got := d.statuses()
	if len(got) != 3 || got["text 1 @twitter-1"] != post.StatusScheduled || got["text 2 @twitter-1"] != post.StatusDraft || got["text 3 @twitter-1"] != post.StatusDraft {
		t.Errorf("statuses %v", got)
	}
	again := d.approving(marked(lines, map[string]string{"id-1": "yes", "id-3": "x"}))
	if *again.Approvals != (intake.Approvals{Approved: 1, Already: 1}) {
		t.Errorf("the second time: %+v, want one more approved", again.Approvals)
	}
}

func TestALineApprovesOnlyWhatItShows(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(d *desk, lines [][]string)
		code   string
	}{
		"its text was changed in the report": {func(d *desk, lines [][]string) { lines[1][1] = "something else" }, "TEXT_CHANGED"},
		"the post was moved": {func(d *desk, lines [][]string) {
			if _, err := d.store.Reschedule(d.t.Context(), id(d, lines), monday.Add(72*time.Hour), nil, "test"); err != nil {
				d.t.Fatal(err)
			}
		}, "MOVED"},
		"the post was cancelled": {func(d *desk, lines [][]string) {
			if _, err := d.store.Cancel(d.t.Context(), id(d, lines), "test"); err != nil {
				d.t.Fatal(err)
			}
		}, "NOT_A_DRAFT"},
		"it has no post":            {func(d *desk, lines [][]string) { lines[1][column(lines, "post_group_id")] = "" }, "NO_SUCH_POST"},
		"it is of another platform": {func(d *desk, lines [][]string) { lines[1][column(lines, "platform")] = "linkedin-2" }, "NO_SUCH_POST"},
		"it is of another account":  {func(d *desk, lines [][]string) { d.account.ID = "other" }, "NO_SUCH_POST"},
		"its time has passed":       {func(d *desk, lines [][]string) { d.now = monday.AddDate(0, 1, 0) }, "TIME_PASSED"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			lines := d.drafts(1)
			c.change(d, lines)
			res := d.approving(marked(lines, map[string]string{"id-1": "yes"}))
			if res.Approvals.Approved != 0 || len(res.Problems) != 1 || res.Problems[0].Code != c.code || res.Problems[0].Line != 2 {
				t.Errorf("%+v, %v, want one problem %s on line 2", res.Approvals, res.Problems, c.code)
			}
			if got := d.statuses()["text 1 @twitter-1"]; got == post.StatusScheduled {
				t.Errorf("the post is armed")
			}
		})
	}
}

func TestP3_AReportThatIsStillWrittenArmsNothing(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	req := d.request("back.csv", marked(d.drafts(1), map[string]string{"id-1": "yes"}))
	req.Approve = func(context.Context, *post.Group, post.ID, bool) error {
		t.Error("armed by a file that somebody writes to")
		return nil
	}
	req.Same = func() bool { return false }
	if _, err := d.intake.Import(t.Context(), req); !errors.Is(err, intake.ErrChanged) {
		t.Errorf("got %v, want ErrChanged", err)
	}
}

func TestAReportIsNoCalendar(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	lines := d.drafts(1)
	res, err := d.intake.Import(t.Context(), d.request("back.csv", marked(lines, map[string]string{"id-1": "yes"})))
	if err != nil || res.Outcome != intake.Unusable || res.Problems[0].Code != "IS_A_REPORT" {
		t.Errorf("%v %v %v, want it refused where nobody approves", res.Outcome, res.Problems, err)
	}
	if n := len(d.statuses()); n != 1 {
		t.Errorf("%d posts, want the one of the calendar", n)
	}
}

func column(lines [][]string, name string) int {
	for i, c := range lines[0] {
		if c == name {
			return i
		}
	}
	return -1
}

// id returns the group of the first row of a report.
func id(d *desk, lines [][]string) post.ID {
	d.t.Helper()
	id, err := post.ParseID(lines[1][column(lines, "post_group_id")])
	if err != nil {
		d.t.Fatal(err)
	}
	return id
}
