package intake

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/postroom/postroom/importer"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/report"
)

// Approvals are what a report that came back did: its lines with a yes in the
// approve column arm posts, and nothing else of it does anything (DESIGN §6).
type Approvals struct {
	Approved int `json:"approved"` // posts armed, or that would be
	Already  int `json:"already"`  // posts that wait for their time or are out anyway
	Left     int `json:"left"`     // lines with a no
	Refused  int `json:"refused"`  // lines with a yes that armed nothing: a problem says why
}

// String says it in words.
func (a *Approvals) String() string {
	parts := []string{fmt.Sprintf("%s approved", count(a.Approved, "post"))}
	for _, p := range []struct {
		n    int
		what string
	}{{a.Already, "approved before"}, {a.Left, "left as they are"}, {a.Refused, "not approved"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.what))
		}
	}
	return strings.Join(parts, ", ")
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// approve carries out what people wrote into the approve column of a report. It
// may be done again: a post that was armed before is only counted.
func (j *job) approve(ctx context.Context, f *importer.File) (Result, error) {
	if j.req.Approve == nil {
		return j.in.refuse(j.req, j.digest, []post.Problem{{
			File: j.req.Name, Code: "IS_A_REPORT", Want: "a calendar: this is a report",
			Hint: "to approve rows drop it into the inbox, or `postroom import` it",
		}})
	}
	var marks []importer.Mark
	err := f.Marks(ctx, func(m importer.Mark) error {
		marks = append(marks, m)
		return nil
	})
	if err = errors.Join(err, j.untouched(ctx)); err != nil { // nothing is armed by half a report
		return Result{}, fmt.Errorf("read %s: %w", j.req.Name, err)
	}
	a := &Approvals{}
	var problems []post.Problem
	for i := range marks {
		p, err := j.approveMark(ctx, &marks[i], a)
		if err != nil {
			return Result{}, fmt.Errorf("approve by %s: %w", j.req.Name, err)
		}
		if p != nil {
			p.File, p.Sheet = j.req.Name, f.Sheet()
			problems = append(problems, *p)
		}
	}
	a.Refused = len(problems)
	if len(marks) == 0 {
		problems = append(problems, post.Problem{
			File: j.req.Name, Sheet: f.Sheet(), Code: "NOTHING_MARKED", Severity: post.SeverityWarning,
			Want: "a yes in the approve column of a line: this is a report, none of its lines has one, and what else was changed in it does nothing",
			Hint: "mend rows that were rejected in the file of rejected rows, others in the calendar",
		})
	}
	res := Result{Outcome: Approved, Approvals: a, Problems: problems[:min(len(problems), mostProblems)], Omitted: max(len(problems)-mostProblems, 0)}
	res.Import.Account, res.Import.Name = j.req.Account.ID, j.req.Name
	res.Reports, err = report.WriteNotice(j.in.base(j.req.Report), report.Notice{
		File: j.req.Name, Title: a.String(), Problems: problems, At: j.req.Now, Zone: j.req.Account.Zone,
	})
	return res, err
}

// approveMark arms what one line marks, and counts it. The problem says why it
// armed nothing.
func (j *job) approveMark(ctx context.Context, m *importer.Mark, a *Approvals) (*post.Problem, error) {
	p := post.Problem{Line: m.Line, Column: m.Column, Field: "approve", Got: post.Shorten(m.Word)}
	switch {
	case !m.Clear:
		p.Code, p.Want, p.Hint = "UNKNOWN_APPROVAL", "yes or no", "write yes to let the post out, or leave the cell empty"
		return &p, nil
	case !m.Approved:
		a.Left++
		return nil, nil
	}
	g, at, err := j.marked(ctx, m)
	if err == nil && g.Posts[at].Status != post.StatusDraft {
		a.Already++
		return nil, nil
	}
	if err == nil {
		err = j.req.Approve(ctx, g, g.Posts[at].ID, j.keep)
	}
	if why := (*Unapproved)(nil); errors.As(err, &why) {
		p.Code, p.Want, p.Hint = why.Code, why.Want, why.Hint
		return &p, nil
	}
	if err == nil {
		a.Approved++
	}
	return nil, err
}

// An Unapproved says why a mark arms nothing.
type Unapproved struct{ Code, Want, Hint string }

func (u *Unapproved) Error() string { return u.Want }

// marked finds the platform post that a line of a report is about. It must be
// what the line shows: whoever approved it saw no more than that.
func (j *job) marked(ctx context.Context, m *importer.Mark) (*post.Group, int, error) {
	const again = "open the newest report of the calendar, and mark the row there"
	none := &Unapproved{"NO_SUCH_POST", "a line of a post: there is none, as its row was rejected or the line was added", "mend the row in the calendar, and drop that again"}
	if m.Group == "" {
		return nil, 0, none
	}
	id, err := post.ParseID(m.Group)
	if err != nil {
		return nil, 0, none
	}
	g, err := j.in.store.Group(ctx, id)
	switch {
	case errors.Is(err, post.ErrNotFound) || err == nil && g.Account != j.req.Account.ID:
		return nil, 0, &Unapproved{"NO_SUCH_POST", fmt.Sprintf("a post of account %s: %s is none", j.req.Account.ID, m.Group), again}
	case err != nil:
		return nil, 0, err
	}
	for i := range g.Posts {
		p := &g.Posts[i]
		if string(p.Connection) != m.Connection {
			continue
		}
		switch p.Status {
		case post.StatusDraft:
		case post.StatusCancelled, post.StatusFailed, post.StatusUnknown:
			return nil, 0, &Unapproved{"NOT_A_DRAFT", fmt.Sprintf("a draft: the post is %s by now", p.Status), again}
		default:
			return &g, i, nil
		}
		if !m.At.Equal(g.ScheduledAt) || m.At.IsZero() && m.AtCell != "" {
			return nil, 0, &Unapproved{"MOVED", fmt.Sprintf("the time of the post, %s: the report has %s", shownTime(g.ScheduledAt), post.Shorten(m.AtCell)), again + "; to move a post change the calendar, or `postroom posts reschedule`"}
		}
		if m.HasText && squeezed(m.Text) != squeezed(strings.TrimPrefix(g.Text, "'")) {
			return nil, 0, &Unapproved{"TEXT_CHANGED", "the text of the post: the line has another, and a report changes none", "change the text in the calendar and drop that; then mark the row in its new report"}
		}
		return &g, i, nil
	}
	return nil, 0, &Unapproved{"NO_SUCH_POST", fmt.Sprintf("a connection of post %s: %q is none", m.Group, m.Connection), again}
}

func squeezed(s string) string { return strings.Join(strings.Fields(s), " ") }

func shownTime(at time.Time) string {
	if at.IsZero() {
		return "none"
	}
	return at.UTC().Format(time.RFC3339)
}
