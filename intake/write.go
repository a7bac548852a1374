package intake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/report"
	"github.com/postroom/postroom/scheduler"
)

// A writer is the second pass: it turns rows into groups and report lines.
type writer struct {
	*job
	stage    Stage // nil when only checking
	lines    *report.Builder
	report   *reporter
	imp      post.Import
	slot     int // next of slots
	settle   int // next of settled
	replaced int // next of replace
	firsts   map[int]int
	perDay   *perDay
	unfit    *post.Problem // the first row that the plan has no room for
	res      Result
	group    post.Group // reused, as current is
	current  post.Row
}

// write stores the planned rows and writes the report, or only the report when
// nothing is to be kept.
func (j *job) write(ctx context.Context) (res Result, err error) {
	name := j.req.Report
	w := &writer{job: j, perDay: newPerDay(j.req.Account.Zone), imp: post.Import{
		Account: j.req.Account.ID, Name: j.req.Name, Lineage: j.req.Place.Lineage, Format: j.as.Format,
		Digest: j.digest, Size: j.req.Size, TakenAt: j.req.Now, Report: name, Previous: j.prev.ID,
	}}
	if j.extends == nil {
		j.as.Spared = j.req.CancelRemoved && j.waiting > 0 && j.mistaken()
		j.as.Kept = false
	}
	j.as.Kept = j.as.Kept || j.kept
	if w.imp.Options, err = json.Marshal(&j.as); err != nil {
		return Result{}, err
	}
	if w.lines, err = report.NewBuilder(j.in.base(name), shown(j.src, j.req.Name), report.Options{Zone: j.req.Account.Zone, Now: j.req.Now, Rows: j.count()}); err != nil {
		return Result{}, fmt.Errorf("write the report of %s: %w", j.req.Name, err)
	}
	defer func() {
		if w.report != nil {
			w.report.settle()
		}
		err = errors.Join(err, w.lines.Discard())
	}()
	if j.keep {
		if w.stage, err = j.in.store.Stage(ctx, j.req.Account.ID); err != nil {
			return Result{}, fmt.Errorf("store %s: %w", j.req.Name, err)
		}
		defer func() { err = errors.Join(err, w.stage.Discard()) }()
	}
	if j.extends != nil {
		w.imp.Digest, w.imp.Archive = laterDigest(j.digest, &j.as), j.extends.Archive
	}
	if !j.prev.ID.IsZero() && j.extends == nil {
		w.res.Changes = &Changes{Since: j.prev.TakenAt}
	}
	w.report = newReporter(w.lines, len(j.src.Header()))
	err = j.src.Rows(ctx, func(r *row) error { return w.row(ctx, r) })
	if err == nil && w.imp.Counts.Rows != j.count() {
		err = ErrChanged
	}
	if err = errors.Join(err, w.conclude(ctx, err == nil)); err != nil {
		return Result{}, fmt.Errorf("store %s: %w", j.req.Name, err)
	}
	return w.seal(ctx)
}

// conclude ends what the rows have begun. When all of them are there it also brings
// the stage to where only the seal is missing, and sees that nobody wrote to the
// file since it was met.
func (w *writer) conclude(ctx context.Context, whole bool) error {
	var ends errgroup.Group
	ends.Go(w.report.end)
	if whole {
		ends.Go(func() error { return w.untouched(ctx) })
	}
	if whole && w.stage != nil {
		ends.Go(func() error { return w.stage.Prepare(ctx) })
	}
	return ends.Wait()
}

// untouched returns [ErrChanged] when somebody wrote to the file since it was met.
func (j *job) untouched(ctx context.Context) error {
	again, err := Digest(ctx, j.req.File, j.req.Size)
	if err == nil && (again != j.digest || j.req.Same != nil && !j.req.Same()) {
		err = ErrChanged
	}
	return err
}

// seal makes the rows live and only then the report visible: what it calls
// accepted is on disk.
func (w *writer) seal(ctx context.Context) (Result, error) {
	if err := w.noteRemoved(ctx); err != nil {
		return Result{}, err
	}
	c := &w.imp.Counts
	c.Removed, c.Cancelled = w.removed, len(w.cancel)
	w.imp.Notes = append(w.imp.Notes, w.src.Notes()...)
	if w.unheard > 0 {
		w.imp.Notes = append(w.imp.Notes, post.Problem{
			File: w.req.Name, Severity: post.SeverityWarning, Code: "DUPLICATES_NOT_ALL_TOLD",
			Want: fmt.Sprintf("words that no other file has: another file has those of %s more, whose times were not compared", rowsOf(w.unheard)),
		})
	}
	if w.dropped > 0 {
		w.imp.Notes = append(w.imp.Notes, post.Problem{
			File: w.req.Name, Severity: post.SeverityWarning, Code: "INSTANCES_REMOVED",
			Want: fmt.Sprintf("taken out of events that are still there, or moved: %s, cancelled", rowsOf(w.dropped)),
		})
	}
	if p, ok := w.removedNote(); ok {
		w.imp.Notes = append(w.imp.Notes, p)
	}
	if w.unfit != nil {
		w.unfit.Sheet = w.sheet()
		w.imp.Notes = append(w.imp.Notes, *w.unfit)
	}
	w.imp.Notes = append(w.imp.Notes, w.perDay.notes(w.req.Name)...)
	w.res.Problems = append(w.imp.Notes[:len(w.imp.Notes):len(w.imp.Notes)], w.res.Problems...)
	w.res.Outcome = Taken
	if c.Rejected == c.Rows && len(w.cancel) == 0 {
		w.res.Outcome = Nothing
	}
	if w.stage != nil && w.res.Outcome == Taken {
		imp, err := w.stage.Seal(ctx, post.Seal{Import: w.imp, Caps: w.caps, Replace: w.replace, Cancel: w.cancel, Behind: w.behindOutcomes()})
		if err != nil {
			return Result{}, err
		}
		w.imp = imp
	}
	if err := w.report.settle(); err != nil {
		return Result{}, w.unreported(err)
	}
	files, err := w.lines.Finish(w.imp, bars(w.quotas))
	if err != nil {
		return Result{}, w.unreported(err)
	}
	if err := files.Commit(); err != nil {
		return Result{}, w.unreported(err)
	}
	w.res.Import, w.res.Quotas, w.res.Reports = w.imp, w.quotas, files.Paths()
	return w.res, nil
}

// behindOutcomes reports whether the report lacks what became of unchanged rows. To
// look at each of their groups would hold up the import: the next [Intake.Refresh]
// does.
func (w *writer) behindOutcomes() bool {
	n := w.imp.Counts.Unchanged
	return 0 < n && n <= report.Large
}

// unreported says that the rows are in but the report is not. The file is still
// in the inbox, and taking it again only writes the report.
func (w *writer) unreported(err error) error {
	return fmt.Errorf("write the report of %s: %w", w.req.Name, err)
}

// row decides on one row, stores it and writes its lines.
func (w *writer) row(ctx context.Context, r *row) error {
	n := r.N - 1
	if n >= len(w.marks) {
		return ErrChanged
	}
	w.progress(true, n, len(w.marks))
	if w.marks[n]&judged != 0 {
		w.pinned(r)
	}
	row := &w.current
	*row = post.Row{
		N: r.N, Line: r.Line, UID: r.UID, RequestedAt: r.Draft.At,
		Key: w.ids[n].key, Version: w.ids[n].version, Twin: w.ids[n].twin,
		Problems: w.problems(n, r),
	}
	if r.event != nil {
		row.Sequence, row.ModifiedAt = r.event.Sequence, r.event.ModifiedAt
	}
	var g *post.Group
	switch m := w.marks[n]; {
	case m&bad != 0:
		row.Decision = post.Rejected
		if first, ok := w.repeat[n]; ok {
			row.Problems = append(row.Problems, w.repeated(r, first))
		}
	case m&settled != 0:
		s := w.settled[w.settle]
		w.settle++
		row.Decision, row.Group, row.Why = post.Unchanged, s.group, w.whySettled(ctx, s)
		if s.why == noRoom {
			row.Decision, row.Group = post.Rejected, post.ID{}
			row.Problems = append(row.Problems, w.noRoom(r, w.refused[s.row]))
		}
		if s.why == older || s.why == toldSince { // the newer revision stays the one to be compared with
			row.Sequence, row.ModifiedAt = s.stored.sequence, s.stored.modifiedAt
		}
		if s.why == toldSince {
			row.Version = s.version
		}
	case m&revoked != 0:
		row.Decision = post.Rejected
		row.Problems = append(row.Problems, post.Problem{File: w.req.Name, Line: r.Line, UID: r.UID, Code: "EVENT_CANCELLED", Want: "an event that takes place: it is cancelled in the calendar, and nothing was stored of it"})
	default:
		s := &w.slots[w.slot]
		w.slot++
		g = w.place(row, r, s)
	}
	if err := w.note(ctx, r, row, g); err != nil {
		return err
	}
	w.tellDuplicate(ctx, row, r, n)
	w.remember(n, r.Line)
	return w.emit(r, row, g)
}

// place makes the group of a row that was planned.
func (w *writer) place(row *post.Row, r *row, s *scheduler.Slot) *post.Group {
	d := r.Draft
	status, slot, held := post.StatusDraft, d.At, ""
	switch s.Verdict {
	case scheduler.Rejected:
		row.Decision = post.Rejected
		row.Problems = append(row.Problems, w.noRoom(r, s.Limit))
		return nil
	case scheduler.Held:
		if w.over(d.At, s) {
			row.Decision = post.Rejected
			row.Problems = append(row.Problems, post.Problem{File: w.req.Name, Line: r.Line, UID: r.UID, Field: "DTSTART", Code: "EVENT_PAST", Want: "a time to come: the event is over"})
			return nil
		}
		row.Decision, held = post.Held, w.reason(s, r)
		row.Why = held
	case scheduler.IsDraft:
		row.Decision = post.Accepted
	case scheduler.Placed:
		row.Decision = post.Accepted
		status, slot = post.StatusScheduled, time.Unix(s.At, 0).UTC()
		row.ScheduledAt, row.Why = slot, w.reason(s, r)
		if w.imp.FirstAt.IsZero() || slot.Before(w.imp.FirstAt) {
			w.imp.FirstAt = slot
		}
		if slot.After(w.imp.LastAt) {
			w.imp.LastAt = slot
		}
	}
	if row.Decision == post.Accepted && w.marks[r.N-1]&changed != 0 {
		row.Decision = post.Updated
	}
	g := &w.group
	*g = post.Group{
		Account: w.imp.Account, Content: d.Content, Posts: g.Posts[:0],
		ScheduledAt: slot, RequestedAt: d.At, Zone: d.Zone, Held: held,
		Row: row.N, ExternalID: d.ExternalID, CreatedAt: w.req.Now, UpdatedAt: w.req.Now,
	}
	if u, ok := w.uploads[uint32(row.N-1)]; ok {
		g.Media, g.AltTexts = append(slices.Clip(g.Media), u.media...), u.alts
	}
	set := w.sets[r.N-1]
	days := w.perDay.of(set, w.conns.sets[set])
	for i, c := range w.conns.sets[set] {
		g.Posts = append(g.Posts, post.Post{Account: w.imp.Account, Connection: c, Status: status, UpdatedAt: w.req.Now})
		p := &g.Posts[i]
		if status == post.StatusScheduled {
			p.DueAt = slot.Add(time.Duration(i) * w.req.Account.Rules.Spread())
			p.SlotAt = p.DueAt
			days[i].add(p.DueAt)
		}
	}
	return g
}

// noRoom says which quota a row breaks, and keeps the first that does.
func (w *writer) noRoom(r *row, l *post.LimitExceeded) post.Problem {
	if w.unfit == nil {
		w.unfit = &post.Problem{
			File: w.req.Name, Line: r.Line, Severity: post.SeverityWarning, Code: l.Code,
			Want: fmt.Sprintf("the first row that the %s plan has no room for: %s", l.PlanName, l.Message),
		}
	}
	return post.Problem{File: w.req.Name, Line: r.Line, UID: r.UID, Code: l.Code, Want: l.Message, Limit: l, Hint: quotaHint(l)}
}

// reason says in words why a row moved or is held.
func (w *writer) reason(s *scheduler.Slot, r *row) string {
	return s.Reason(w.req.Account.Rules, r.Draft.At, r.Draft.Connections)
}

// emit counts the row and hands it on.
func (w *writer) emit(r *row, row *post.Row, g *post.Group) error {
	c := &w.imp.Counts
	c.Count(row.Decision)
	sheet := w.sheet()
	for i := range row.Problems {
		p := &row.Problems[i]
		p.Sheet = sheet
		if p.Severity == post.SeverityWarning {
			c.Warnings++
		}
		if len(w.res.Problems) < mostProblems {
			w.res.Problems = append(w.res.Problems, *p)
		} else {
			w.res.Omitted++
		}
	}
	if g != nil && row.Decision != post.Held {
		c.Posts += len(g.Posts)
	}
	if w.stage != nil {
		if err := w.stage.Add(row, g); err != nil {
			return err
		}
	}
	w.report.add(r.Cells, r.Raw, row, g)
	return nil
}

// remember keeps the line of a row that a later one repeats.
func (w *writer) remember(n, line int) {
	if len(w.repeat)+len(w.echoes) == 0 {
		return
	}
	if w.firsts == nil {
		w.firsts = map[int]int{}
		for _, first := range w.repeat {
			w.firsts[first] = 0
		}
		for _, first := range w.echoes {
			w.firsts[first] = 0
		}
	}
	if _, ok := w.firsts[n]; ok {
		w.firsts[n] = line
	}
}

func (w *writer) repeated(r *row, first int) post.Problem {
	return post.Problem{
		File: w.req.Name, Line: r.Line, Column: r.columns.Column("external_id"), Field: "external_id", Code: "DUPLICATE_ID",
		Got: post.Shorten(r.Draft.ExternalID), Want: fmt.Sprintf("an id that no other row has: line %d has it", w.firsts[first]),
		Hint: "give each row an id of its own, or leave the cell empty",
	}
}

// quotaHint says what a person can do about a quota.
func quotaHint(l *post.LimitExceeded) string {
	switch {
	case len(l.DisallowedPlatforms) > 0:
		return "take the platform out of the row, or change the plan"
	case l.MaxScheduledDate != nil:
		return "drop the row again when its date is nearer, or change the plan"
	case l.Metric == limits.MetricActive:
		return "drop the row again when some of the waiting posts are out, cancel some, or change the plan"
	}
	return "move rows to another month, cancel waiting posts, or change the plan"
}

// bars are the quotas as the report draws them.
func bars(lines []limits.QuotaLine) []report.Quota {
	qs := make([]report.Quota, len(lines))
	for i, l := range lines {
		qs[i] = report.Quota{Label: l.Label(), Used: l.Used, Added: l.Added, Limit: l.Limit}
	}
	return qs
}
