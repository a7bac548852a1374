package intake

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/postroom/postroom/calendar"
	"github.com/postroom/postroom/importer"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/report"
)

// A source is a file that was looked over and can be read, of whatever format.
// Rows may be called again and yields the same.
type source interface {
	Notes() []post.Problem
	Header() []string
	Rows(ctx context.Context, fn func(*row) error) error
}

// A row is one row of a file or one event of a calendar. It is used again for a
// later one.
type row struct {
	N, Line  int
	UID      string
	Raw      []byte // as written; nil of an event
	Cells    []string
	Draft    *post.Draft
	Problems []post.Problem
	columns  interface{ Column(field string) int }
	event    *calendar.Row // nil of a row
	absent   bool          // gives no post now, and there is nothing wrong with it
}

// A csvSource reads a CSV file.
type csvSource struct{ *importer.File }

func (s csvSource) Rows(ctx context.Context, fn func(*row) error) error {
	var r row
	return s.File.Rows(ctx, func(in *importer.Row) error {
		r = row{N: in.N, Line: in.Line, Raw: in.Raw, Cells: in.Cells, Draft: &in.Draft, Problems: in.Problems, columns: in}
		return fn(&r)
	})
}

// An icalSource reads a calendar.
type icalSource struct{ *calendar.File }

func (s icalSource) Rows(ctx context.Context, fn func(*row) error) error {
	var r row
	return s.File.Rows(ctx, func(in *calendar.Row) error {
		r = row{N: in.N, Line: in.Line, UID: in.UID, Cells: in.Cells, Draft: &in.Draft, Problems: in.Problems, columns: in, event: in, absent: in.Absent}
		return fn(&r)
	})
}

// The formats of files, as an import names them.
const (
	formatCSV  = "csv"
	formatICal = "ical"
	formatXLSX = "xlsx"
)

// formatOf says how a file is to be read: by what it holds, and by its name where
// it holds neither. What begins as a calendar below the header of a table is text in
// a cell.
func formatOf(ctx context.Context, name string, r io.ReaderAt, size int64) (string, error) {
	head := make([]byte, min(size, 64<<10))
	if _, err := r.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if isZip(head) {
		if z, err := zip.NewReader(r, size); err == nil && importer.LooksWorkbook(z) {
			return formatXLSX, nil
		}
	}
	if IsCalendar(name) {
		return formatICal, nil
	}
	if !bytes.Contains(head, []byte("BEGIN:V")) {
		return formatCSV, nil
	}
	begin, ok := calendar.Looks(head)
	if !ok {
		return formatCSV, nil
	}
	if header, err := importer.HeaderLine(ctx, r, size); err != nil || header > 0 && header < begin {
		return formatCSV, err
	}
	return formatICal, nil
}

// IsCalendar reports whether a file's name is that of a calendar.
func IsCalendar(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".ics", ".ical", ".icalendar", ".ifb", ".vcs":
		return true
	}
	return false
}

// Whole reports whether a file's content is complete, so that it can be taken
// while nothing says that its writer is done. See [importer.Whole] and
// [calendar.Whole].
func Whole(ctx context.Context, name string, r io.ReaderAt, size int64) (ok bool, missing string, lastNewlineOnly bool, err error) {
	if packed, err := isPacked(r, size); packed || err != nil {
		if _, zerr := zip.NewReader(r, size); zerr != nil {
			return false, "its directory is not there, as in a copy that is not finished", false, err
		}
		return true, "", false, err
	}
	format, err := formatOf(ctx, name, r, size)
	if err != nil {
		return false, "", false, err
	}
	if format == formatICal {
		ok, missing, err = calendar.Whole(ctx, r, size)
		return ok, missing, false, err
	}
	return importer.Whole(ctx, r, size)
}

// isPacked reports whether a file is a ZIP file, as workbooks are too.
func isPacked(r io.ReaderAt, size int64) (bool, error) {
	head := make([]byte, min(size, 4))
	if _, err := r.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	return isZip(head), nil
}

// unpack returns the calendar within a ZIP file, and of any other file what it was
// given. p is nil then.
func unpack(name string, r io.ReaderAt, size int64) (p *parcel, inner string, ir io.ReaderAt, isize int64, err error) {
	packed, err := isPacked(r, size)
	if !packed || err != nil {
		return nil, name, r, size, err
	}
	if z, err := zip.NewReader(r, size); err == nil && importer.LooksWorkbook(z) {
		return nil, name, r, size, nil
	}
	if p, err = openParcel(name, r, size); err != nil {
		return nil, "", nil, 0, err
	}
	return p, p.name, bytes.NewReader(p.table), int64(len(p.table)), nil
}

// openOriginal looks a whole file over as it is to be read.
func openOriginal(ctx context.Context, as *readAs, name string, r io.ReaderAt, size int64) (source, error) {
	if as.Zip {
		var err error
		if _, _, r, size, err = unpack(name, r, size); err != nil {
			return nil, err
		}
	}
	return openSource(ctx, as, name, r, size)
}

// openSource looks a calendar over as it is to be read.
func openSource(ctx context.Context, as *readAs, name string, r io.ReaderAt, size int64) (source, error) {
	if as.Format == formatICal {
		opt, err := as.calendarOptions(name)
		if err != nil {
			return nil, err
		}
		f, err := calendar.Open(ctx, r, size, opt)
		if err != nil {
			return nil, err
		}
		return icalSource{f}, nil
	}
	opt, err := as.options(name)
	if err != nil {
		return nil, err
	}
	open := importer.Open
	if as.Format == formatXLSX {
		open = importer.OpenWorkbook
	}
	f, err := open(ctx, r, size, opt)
	if err != nil {
		return nil, err
	}
	return as.withRepeats(f), nil
}

// unusable returns the problems when err says that the file as a whole cannot be
// read, else nil.
func unusable(err error) []post.Problem {
	var rows *importer.Unusable
	var events *calendar.Unusable
	switch {
	case errors.As(err, &rows):
		return rows.Problems
	case errors.As(err, &events):
		return events.Problems
	}
	return nil
}

// shown tells the report how the original looks.
func shown(s source, name string) report.Source {
	src := report.Source{Name: name, Header: s.Header(), Headers: [][]string{s.Header()}}
	if c, ok := tableOf(s); ok {
		d := c.Dialect()
		src.Delimiter, src.Headers, src.DateOrder = d.Delimiter, d.Headers, d.DateOrder
	}
	return src
}

// open picks how the file is read, and looks it over.
func (j *job) open(ctx context.Context) error {
	p, inner, r, size, err := unpack(j.req.Name, j.req.File, j.req.Size)
	if unusable(err) != nil {
		return err
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", j.req.Name, err)
	}
	if j.as.Zone == "" {
		format, err := formatOf(ctx, inner, r, size)
		if err != nil {
			return fmt.Errorf("read %s: %w", j.req.Name, err)
		}
		j.as = readAsOf(&j.req, format)
		j.as.Zip = p != nil
	}
	if p != nil && j.req.Media != nil {
		j.req.Media = &parcelPinner{Pinner: j.req.Media, parcel: p, calendar: j.as.Format == formatICal}
	}
	src, err := openSource(ctx, &j.as, j.req.Name, r, size)
	if err != nil {
		return err
	}
	j.src = src
	if cal, ok := src.(icalSource); ok {
		j.beCalendar(cal)
	}
	return nil
}

// tableOf returns the rows that a source reads, and whether it reads rows.
func tableOf(s source) (csvSource, bool) {
	switch s := s.(type) {
	case csvSource:
		return s, true
	case repeatSource:
		return s.csvSource, true
	}
	return csvSource{}, false
}

// sheet returns the name of the sheet that is read, "" where there is none.
func (j *job) sheet() string {
	if c, ok := tableOf(j.src); ok {
		return c.Sheet()
	}
	return ""
}
