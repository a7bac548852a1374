package intake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"time"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/report"
)

// An Original is an archived file, opened to be read again.
type Original interface {
	io.ReaderAt
	io.Closer
}

// An Archive opens the original of an import, by its path in the room.
type Archive func(path string) (Original, error)

// Refresh writes the reports of imports whose posts changed since they were last
// written, at most `most` of them, and returns how many it wrote. Call it once a
// minute. A report that cannot be written is logged and tried again: next time, and
// then after ever longer waits, for to read its original may be much work.
func (in *Intake) Refresh(ctx context.Context, archive Archive, zone func(post.AccountID) *time.Location, now time.Time, most int) (int, error) {
	dirty, err := in.store.Dirty(ctx, most)
	if err != nil {
		return 0, err
	}
	in.refreshing.Lock()
	defer in.refreshing.Unlock()
	n, written := 0, map[post.ID]bool{} // of the revisions of a file one writes for all
	for _, d := range dirty {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		imp, err := in.store.Import(ctx, d.Import)
		if err != nil {
			return n, err
		}
		if imp.Archive == "" {
			continue // being filed: its report comes with that
		}
		in.taking.Lock() // no revision is to come in between, and its report to be overwritten
		if imp, err = in.newest(ctx, imp); err != nil {
			in.taking.Unlock()
			return n, err
		}
		rests := in.setbacks[imp.ID].waits(now)
		if !rests && !written[imp.ID] {
			err = in.Rewrite(ctx, imp, archive, zone(imp.Account), now, false)
		}
		in.taking.Unlock()
		if rests {
			continue
		}
		switch {
		case err == nil:
			n++
		case errors.Is(err, fs.ErrNotExist):
			in.log.WarnContext(ctx, "report not written: its original is gone from the archive", "file", imp.Name, "archive", imp.Archive)
		default:
			b := in.setbacks[imp.ID].another(now)
			in.setbacks[imp.ID] = b
			in.log.ErrorContext(ctx, "report not written", "file", imp.Name, "next", b.at, "err", err)
			continue
		}
		written[imp.ID] = true
		delete(in.setbacks, imp.ID)
		if err := in.store.Clean(ctx, d.Import, d.Changes); err != nil {
			return n, err
		}
	}
	return n, nil
}

// A setback is of a report that could not be written: when it is tried again, and
// how long that was put off.
type setback struct {
	at  time.Time
	off time.Duration
}

const (
	firstSetback   = time.Minute
	longestSetback = time.Hour
)

// waits reports whether the report is left alone at now; not for longer than it may
// be, whatever the clock did.
func (b setback) waits(now time.Time) bool {
	return b.at.Sub(now) > firstSetback/2 && b.at.Sub(now) <= longestSetback
}

func (b setback) another(now time.Time) setback {
	off := min(max(2*b.off, firstSetback), longestSetback)
	return setback{now.Add(off), off}
}

// Rewrite writes the report of an import as things stand now. An import with
// more than [report.Large] rows gets its outcomes appended instead, unless whole
// says otherwise or nothing of it waits any more.
func (in *Intake) Rewrite(ctx context.Context, imp post.Import, archive Archive, zone *time.Location, now time.Time, whole bool) error {
	imp, err := in.newest(ctx, imp)
	if err != nil {
		return err
	}
	if imp.Counts.Rows > report.Large && !whole {
		open, err := in.appendOutcomes(ctx, imp)
		if err != nil || open {
			return err
		}
	}
	f, err := archive(imp.Archive)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = in.rebuild(ctx, imp, f, zone, now)
	return err
}

// newest returns the latest revision that writes the same report as imp: it
// shows what became of the earlier ones' rows too.
func (in *Intake) newest(ctx context.Context, imp post.Import) (post.Import, error) {
	next, found, err := in.store.LatestImport(ctx, imp.Account, imp.Lineage)
	for found && err == nil && next.ID != imp.ID {
		if next.Report == imp.Report && next.Archive != "" {
			return next, nil
		}
		if next.Previous.IsZero() {
			break
		}
		next, err = in.store.Import(ctx, next.Previous)
	}
	return imp, err
}

// finish writes the report of an import that was sealed and not filed: the
// process died in between. Its original still lies where it was dropped.
func (in *Intake) finish(ctx context.Context, req Request, imp post.Import) (Result, error) {
	paths, err := in.rebuild(ctx, imp, req.File, req.Account.Zone, req.Now)
	if err != nil {
		return Result{}, err
	}
	return Result{Outcome: Taken, Import: imp, Problems: imp.Notes, Reports: paths}, nil
}

// rebuild writes a report from the original, the stored rows and the groups as
// they are now.
func (in *Intake) rebuild(ctx context.Context, imp post.Import, file io.ReaderAt, zone *time.Location, now time.Time) (paths []string, err error) {
	var as readAs
	if err := json.Unmarshal(imp.Options, &as); err != nil {
		return nil, fmt.Errorf("report of %s: how it was read: %w", imp.Name, err)
	}
	src, err := openOriginal(ctx, &as, imp.Name, file, imp.Size)
	if err != nil {
		return nil, fmt.Errorf("report of %s: read the original: %w", imp.Name, err)
	}
	b, err := report.NewBuilder(in.base(imp.Report), shown(src, imp.Name), report.Options{Zone: zone, Now: now, Rows: imp.Counts.Rows})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.Discard()) }()

	rows, stopRows := iter.Pull2(in.rows(ctx, imp.ID))
	defer stopRows()
	groups, stopGroups := iter.Pull2(in.groups(ctx, imp.ID))
	defer stopGroups()
	err = src.Rows(ctx, func(r *row) error {
		row, err, ok := rows()
		if err != nil {
			return err
		}
		if !ok || row.N != r.N {
			return fmt.Errorf("row %d of the original is not row %d of the store", r.N, row.N)
		}
		g, err := in.groupOf(ctx, imp, &row, groups)
		if err != nil {
			return err
		}
		return b.Row(r.Cells, r.Raw, &row, g)
	})
	if err != nil {
		return nil, fmt.Errorf("report of %s: %w", imp.Name, err)
	}
	files, err := b.Finish(imp, nil)
	if err != nil {
		return nil, err
	}
	return files.Paths(), files.Commit()
}

// groupOf returns the group of a row as it is now, or nil where there is none to
// show. Groups that this import brought come in row order from next; those of
// unchanged rows are looked up, unless there are too many.
func (in *Intake) groupOf(ctx context.Context, imp post.Import, row *post.Row, next func() (*post.Group, error, bool)) (*post.Group, error) {
	switch {
	case row.Group.IsZero():
		return nil, nil
	case row.Decision != post.Unchanged:
		g, err, ok := next()
		if err != nil {
			return nil, err
		}
		if !ok || g.ID != row.Group {
			return nil, fmt.Errorf("row %d: group %s is missing", row.N, row.Group)
		}
		return g, nil
	case imp.Counts.Unchanged > report.Large:
		return nil, nil
	}
	g, err := in.store.Group(ctx, row.Group)
	if errors.Is(err, post.ErrNotFound) {
		return nil, nil
	}
	return &g, err
}

// rows yields the stored rows of an import in order.
func (in *Intake) rows(ctx context.Context, imp post.ID) iter.Seq2[post.Row, error] {
	const page = 2000
	return func(yield func(post.Row, error) bool) {
		for from := 1; ; {
			rows, err := in.store.Rows(ctx, imp, from, page)
			if err != nil {
				yield(post.Row{}, err)
				return
			}
			for _, r := range rows {
				if !yield(r, nil) {
					return
				}
			}
			if len(rows) == 0 {
				return
			}
			from = rows[len(rows)-1].N + 1
		}
	}
}

// errStop ends an EachGroup early.
var errStop = errors.New("stop")

// groups yields the groups that an import brought, in row order.
func (in *Intake) groups(ctx context.Context, imp post.ID) iter.Seq2[*post.Group, error] {
	return func(yield func(*post.Group, error) bool) {
		err := in.store.EachGroup(ctx, imp, func(g *post.Group) error {
			if !yield(g, nil) {
				return errStop
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStop) {
			yield(nil, err)
		}
	}
}

// appendOutcomes adds to a large import's outcomes what they do not have yet, and
// reports whether some of its posts still wait. Those of earlier revisions whose rows
// did not change are among them, without a row: theirs was that of another file. What
// the outcomes have is read there, not kept: a post may settle while its neighbours
// are read, a clock may be set back, and a process may be new.
func (in *Intake) appendOutcomes(ctx context.Context, imp post.Import) (open bool, err error) {
	out, err := report.AppendOutcomes(in.base(imp.Report))
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	for of := imp; ; {
		err := in.store.EachGroup(ctx, of.ID, func(g *post.Group) error {
			if of.ID != imp.ID {
				g.Row = 0
			}
			for i := range g.Posts {
				p := &g.Posts[i]
				open = open || p.Status.Open()
				if !report.Settled(p.Status) {
					continue
				}
				if err := out.Add(g, p); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil || of.Previous.IsZero() {
			return open, err
		}
		if of, err = in.store.Import(ctx, of.Previous); err != nil || of.Report != imp.Report {
			return open, err
		}
	}
}
