package intake

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/postroom/postroom/calendar"
	"github.com/postroom/postroom/importer"
	"github.com/postroom/postroom/internal/walltime"
	"github.com/postroom/postroom/post"
)

// Bounds of rows that repeat. A series without an end is laid out this far, or as
// far as the plan lets posts be scheduled.
const (
	repeatAhead     = 366 * 24 * time.Hour
	mostOccurrences = 400    // of one row
	mostRepeated    = 20_000 // of one file
)

// A repeatSource reads a CSV file or a workbook with a column that says how rows
// repeat: each time of such a row is a row of its own, on the same line. They are
// told apart by their place in the series, so that the same file on another day has
// the same rows, less those that are over.
type repeatSource struct {
	csvSource
	after, until time.Time
	notes        *[]post.Problem // of all rows, once they were read
}

// Notes implements source.
func (s repeatSource) Notes() []post.Problem {
	notes := s.csvSource.Notes()
	return append(notes[:len(notes):len(notes)], *s.notes...)
}

// Rows implements source.
func (s repeatSource) Rows(ctx context.Context, fn func(*row) error) error {
	n, total := 0, 0
	open := 0 // the first line whose series goes on
	err := s.csvSource.Rows(ctx, func(r *row) error {
		if r.Draft.Repeat == "" || post.HasErrors(r.Problems) {
			n++
			r.N = n
			return fn(r)
		}
		times, err := s.times(r.Draft)
		var none *noTimes
		r.absent = errors.As(err, &none)
		if err == nil {
			if total += len(times); total > mostRepeated {
				err = fmt.Errorf("a file with at most %d times of rows that repeat", mostRepeated)
			}
		}
		if err != nil {
			r.Problems = append(r.Problems, s.problem(r, post.SeverityError, "BAD_REPEAT", err.Error()))
			n++
			r.N = n
			return fn(r)
		}
		if open == 0 && times[len(times)-1].goesOn {
			open = r.Line
		}
		own, problems, at := r.Draft.ExternalID, r.Problems, *r.Draft
		for i := range times {
			n++
			r.N, r.Problems = n, problems[:len(problems):len(problems)]
			*r.Draft = at
			r.Draft.At, r.Draft.Occurrence = times[i].At, times[i].Wall.Format("20060102T1504")
			if own != "" {
				r.Draft.ExternalID = own + "#" + r.Draft.Occurrence
			}
			if k := times[i].Kind; k != walltime.Exact {
				r.Problems = append(r.Problems, s.problem(r, post.SeverityWarning, "TIME_IN_GAP",
					fmt.Sprintf("a time that clocks in %s show once that day: on %s it is taken as %s", r.Draft.Zone, times[i].Wall.Format("2 January 2006"), times[i].At.In(zoneNamed(r.Draft.Zone)).Format("15:04 MST"))))
			}
			if err := fn(r); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && open > 0 && len(*s.notes) == 0 {
		*s.notes = append(*s.notes, post.Problem{
			File: s.Name(), Sheet: s.Sheet(), Line: open, Field: "repeat", Severity: post.SeverityWarning, Code: "REPEAT_GOES_ON",
			Want: "an end of rows that repeat: they were laid out to " + s.until.Format("2 January 2006") + ", the first of them here",
			Hint: "write until and a day behind the words; or change the file and drop it again by then: what is laid out is not repeated",
		})
	}
	return err
}

// An occurrence is one time of a row.
type occurrence struct {
	calendar.Occurrence
	goesOn bool // of the last: more would follow it beyond what is laid out
}

// times lists when a row goes out from now on. There is at least one.
func (s repeatSource) times(d *post.Draft) ([]occurrence, error) {
	start := d.At.In(zoneNamed(d.Zone))
	const further = 2 * repeatAhead // to see whether the series goes on
	found, err := calendar.Occurrences(d.Repeat, start, s.after, s.until, mostOccurrences)
	if err != nil {
		return nil, fmt.Errorf("a rule that can be read: %w", err)
	}
	if len(found) == 0 {
		if later, err := calendar.Occurrences(d.Repeat, start, s.until, s.until.Add(further), mostOccurrences); err != nil || len(later) > 0 {
			return nil, &noTimes{fmt.Sprintf("a time before %s: it first goes out later", s.until.Format("2 January 2006"))}
		}
		return nil, &noTimes{"a time to come: all of its times are over, or there is none"}
	}
	out := make([]occurrence, len(found))
	for i := range found {
		out[i].Occurrence = found[i]
	}
	later, err := calendar.Occurrences(d.Repeat, start, s.until, s.until.Add(further), mostOccurrences)
	out[len(out)-1].goesOn = err != nil || len(later) > 0
	return out, nil
}

// noTimes is the error of a row that can be read, and has no time in what is laid out.
type noTimes struct{ want string }

func (e *noTimes) Error() string { return e.want }

func (s repeatSource) problem(r *row, sev post.Severity, code, want string) post.Problem {
	return post.Problem{
		File: s.Name(), Sheet: s.Sheet(), Line: r.Line, Column: r.columns.Column("repeat"), Field: "repeat", Got: post.Shorten(r.Draft.Repeat),
		Want: want, Code: code, Severity: sev,
	}
}

// zoneNamed returns the zone that a draft names: Europe/Berlin, +01:00 or UTC.
func zoneNamed(name string) *time.Location {
	if loc, ok := walltime.Load(name); ok {
		return loc
	}
	if at, err := time.Parse("-07:00", name); err == nil {
		_, offset := at.Zone()
		return time.FixedZone(name, offset)
	}
	return time.UTC
}

// withRepeats lays out the rows of a file that repeat, where it has a column that
// says so.
func (as *readAs) withRepeats(f *importer.File) source {
	c := csvSource{f}
	if !f.Repeats() {
		return c
	}
	return repeatSource{csvSource: c, after: as.Today, until: as.repeatUntil(), notes: new([]post.Problem)}
}

func (as *readAs) repeatUntil() time.Time {
	if as.RepeatDays > 0 {
		return as.Today.Add(time.Duration(as.RepeatDays) * 24 * time.Hour)
	}
	return as.Today.Add(repeatAhead)
}
