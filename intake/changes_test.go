package intake_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/intake"
	"github.com/postroom/postroom/post"
)

const firstRevision = `id,content,platforms,scheduled_time,media_url
1,One,twitter-1,2026-03-03T09:00:00Z,
2,Two,twitter-1,2026-03-03T10:00:00Z,
3,Three,twitter-1,2026-03-03T11:00:00Z,
4,Four,twitter-1,2026-03-03T12:00:00Z,
5,Five,linkedin-2,2026-03-03T13:00:00Z,
`

const secondRevision = `id,content,platforms,scheduled_time,media_url
1,One,twitter-1,2026-03-03T09:00:00Z,
2,Two,twitter-1,2026-03-04T10:00:00Z,
3,"Three, in better words",twitter-1;linkedin-2,2026-03-03T11:00:00Z,
5,Five,linkedin-2,2026-03-03T13:00:00Z,
6,Six,linkedin-2,2026-03-05T13:00:00Z,
`

// brief tells changes in one line each.
func brief(c *intake.Changes) []string {
	var out []string
	for _, l := range c.Lines {
		s := fmt.Sprintf("%s %d %s", l.Kind.Sign(), l.Line, l.Text)
		for _, f := range l.Fields {
			s += fmt.Sprintf(" | %s: %s > %s", f.Field, f.Old, f.New)
		}
		if l.Note != "" {
			s += " (" + l.Note + ")"
		}
		out = append(out, s)
	}
	return out
}

// What check shows is what an import then does.
func TestACheckShowsTheChangesThatAnImportThenMakes(t *testing.T) {
	t.Parallel()
	for _, cancel := range []bool{false, true} {
		t.Run(fmt.Sprintf("removed: cancel is %v", cancel), func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			if res := d.take("plan.csv", firstRevision, post.Counts{Rows: 5, Accepted: 5}); res.Changes != nil {
				t.Errorf("of a first revision: %+v", res.Changes)
			}
			before := d.statuses()
			req := d.request("plan.csv", secondRevision)
			req.CancelRemoved = cancel
			checked, err := d.intake.Check(t.Context(), req)
			if err != nil {
				t.Fatal(err)
			}
			if after := d.statuses(); !reflect.DeepEqual(before, after) {
				t.Errorf("a check made of %v\n%v", before, after)
			}
			fate := "stays as it was"
			want := post.Counts{Rows: 5, Accepted: 3, Updated: 2, Unchanged: 2, Removed: 1}
			if cancel {
				fate, want.Cancelled = "will be cancelled", 1
			}
			imported := d.takeRequest(req, want)
			if !reflect.DeepEqual(checked.Changes, imported.Changes) {
				t.Errorf("checked\n%+v\nimported\n%+v", checked.Changes, imported.Changes)
			}
			got := brief(checked.Changes)
			if lines := []string{
				"~ 3 Two | scheduled_time: Tue 2026-03-03 10:00 UTC > Wed 2026-03-04 10:00 UTC",
				"~ 4 Three, in better words | content: Three > Three, in better words | platforms: twitter-1 > twitter-1, linkedin-2",
				"+ 6 Six",
				"- 0 Four (" + fate + ")",
			}; !slices.Equal(got, lines) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(lines, "\n"))
			}
			c := checked.Changes
			if c.Added != 1 || c.Changed != 2 || c.Unchanged != 2 || c.Removed != 1 || c.Cancelled != want.Cancelled {
				t.Errorf("counts %+v", c)
			}
			// Each line is what the store has now.
			now := d.statuses()
			for text, status := range map[string]post.Status{
				"Three @twitter-1": post.StatusCancelled, "Three, in better words @linkedin-2": post.StatusScheduled, "Six @linkedin-2": post.StatusScheduled,
				"Two @twitter-1": post.StatusScheduled, "Four @twitter-1": map[bool]post.Status{false: post.StatusScheduled, true: post.StatusCancelled}[cancel],
			} {
				if now[text] != status {
					t.Errorf("%s is %s, want %s", text, now[text], status)
				}
			}
		})
	}
}

// A row with a mistake is not known by its words or time, and what it brought
// earlier must not be taken for removed.
func TestP1NothingIsCancelledForARowWithAMistake(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.take("plan.csv", firstRevision, post.Counts{Rows: 5, Accepted: 5})
	req := d.request("plan.csv", strings.Replace(firstRevision, "2026-03-03T10:00:00Z", "2026-03-03T25:00:00Z", 1))
	req.CancelRemoved = true
	res := d.takeRequest(req, post.Counts{Rows: 5, Unchanged: 4, Rejected: 1, Removed: 1})
	if got := d.statuses()["Two @twitter-1"]; got != post.StatusScheduled {
		t.Errorf("the post of the row with a mistake is %s", got)
	}
	if got := brief(res.Changes); len(got) != 1 || !strings.Contains(got[0], "- 0 Two (stays as it was: some rows were rejected") {
		t.Errorf("got %q", got)
	}
}

// A changed row that the plan has no room for leaves what it brought earlier.
func TestP1AChangeThatTheQuotaRefusesLeavesItsPost(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.account.Plan.HorizonDays = new(30)
	d.take("plan.csv", firstRevision, post.Counts{Rows: 5, Accepted: 5})
	far := d.now.AddDate(0, 2, 0).Format(time.RFC3339)
	text := strings.Replace(firstRevision, "2026-03-03T10:00:00Z", far, 1)
	res := d.take("plan.csv", text, post.Counts{Rows: 5, Unchanged: 4, Rejected: 1})
	if got := d.statuses()["Two @twitter-1"]; got != post.StatusScheduled {
		t.Errorf("the post of the row without room is %s (%v)", got, res.Problems)
	}
	if !slices.ContainsFunc(res.Problems, func(p post.Problem) bool { return p.Line == 3 && p.Limit != nil }) {
		t.Errorf("no problem of line 3 with its limit: %v", res.Problems)
	}
	// Mended, it changes the post that was left.
	d.take("plan.csv", strings.Replace(firstRevision, "2026-03-03T10:00:00Z", "2026-03-06T10:00:00Z", 1), post.Counts{Rows: 5, Accepted: 1, Updated: 1, Unchanged: 4})
	d.statuses()
}

// Published posts and those whose outcome nobody knows are never touched, and the
// plan says so.
func TestChangesOfWhatIsOutAreToldAndNotMade(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.take("plan.csv", firstRevision, post.Counts{Rows: 5, Accepted: 5})
	d.publish(time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC)) // all but Five
	req := d.request("plan.csv", secondRevision)
	req.CancelRemoved = true
	res := d.takeRequest(req, post.Counts{Rows: 5, Accepted: 1, Unchanged: 4, Removed: 1})
	got := strings.Join(brief(res.Changes), "\n")
	for _, want := range []string{
		"= 4 Three, in better words (already published: the change in this row was not applied)",
		"- 0 Four (already published: it stays)",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("lacks %q:\n%s", want, got)
		}
	}
}
