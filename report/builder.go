package report

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/postroom/postroom/internal/atomicfile"
	"github.com/postroom/postroom/post"
)

// Large is how many rows make a file large: outcomes of such a file are appended
// to one of their own, and its JSON holds only the rows that need a look.
const Large = 20_000

// A Source is how the input looks.
type Source struct {
	Name      string
	Header    []string   // names of the columns
	Headers   [][]string // the header rows as they stand in the file; nil for none, as of a bulk file without one
	Delimiter rune
	DateOrder string // of day and month in its dates, and 12-hour where times have AM or PM, as far as it was found out: rejected rows alone may not tell
}

// Options say what a report needs beside the rows.
type Options struct {
	Zone *time.Location // of local times
	Now  time.Time      // when it is written
	Rows int            // how many rows will come
}

// A Quota is one bar of the report: what is used of a limit, and how much of it
// by this file.
type Quota struct {
	Label string `json:"label"`
	Used  int    `json:"used"`
	Added int    `json:"added"`
	Limit *int   `json:"limit"` // nil for none
}

// Before is what was used without this file.
func (q Quota) Before() int { return max(0, q.Used-q.Added) }

// The endings of the files.
const (
	endCSV      = ".report.csv"
	endHTML     = ".report.html"
	endJSON     = ".report.json"
	endRejected = ".rejected.csv"
)

// A Builder writes the files of one report. It belongs to one goroutine and ends
// with Finish or Discard; Discard after Finish does nothing.
type Builder struct {
	base string
	src  Source
	opt  Options

	files    []*atomicfile.File
	csv      *bufio.Writer
	json     *bufio.Writer
	rejected *bufio.Writer // nil until a row is rejected

	rejectedLine int // of the row rejected last
	line         []byte
	front        []byte // of the row at hand, as its lines begin
	own          int    // how much of front are the input's own cells
	comma        byte
	times        clock
	page         page
	rows         int
}

// bufferSize is how much is gathered for one write: in large pieces the kernel
// takes a report of many rows for half of the time.
const bufferSize = 1 << 20

// NewBuilder begins a report whose files are called base and an ending each.
func NewBuilder(base string, src Source, o Options) (*Builder, error) {
	if err := os.MkdirAll(filepath.Dir(base), 0o755); err != nil {
		return nil, err
	}
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	if src.Delimiter == 0 || src.Delimiter > 0x7f {
		src.Delimiter = ','
	}
	b := &Builder{base: base, src: src, opt: o, comma: byte(src.Delimiter), times: clock{zone: o.Zone}}
	b.page.begin(o)
	var err error
	if b.csv, err = b.create(endCSV); err != nil {
		return nil, err
	}
	if b.json, err = b.create(endJSON); err != nil {
		return nil, errors.Join(err, b.Discard())
	}
	b.csvHeader()
	b.jsonBegin()
	return b, nil
}

func (b *Builder) create(end string) (*bufio.Writer, error) {
	f, err := atomicfile.Create(b.base + end)
	if err != nil {
		return nil, err
	}
	b.files = append(b.files, f)
	return bufio.NewWriterSize(f, bufferSize), nil
}

// Row adds one row of the input: its cells, the record as written, what was
// decided, and its group as it is now, or nil when there is none to show.
func (b *Builder) Row(cells []string, raw []byte, r *post.Row, g *post.Group) error {
	b.rows++
	b.csvCells(cells)
	if g == nil {
		b.csvFront(r, nil, nil)
		b.csvLine(r, nil)
	} else {
		for i := range g.Posts {
			p := &g.Posts[i]
			if i == 0 || p.Status != g.Posts[i-1].Status || !p.DueAt.Equal(g.Posts[i-1].DueAt) {
				b.csvFront(r, g, p)
			}
			b.csvLine(r, p)
		}
	}
	if r.Decision == post.Rejected {
		if err := b.reject(cells, raw, r); err != nil {
			return err
		}
	}
	if b.opt.Rows <= Large || r.Decision == post.Rejected || r.Decision == post.Held || len(r.Problems) > 0 {
		if err := b.jsonRow(r, g); err != nil {
			return err
		}
	}
	b.page.row(r, g)
	return nil
}

// EndRows makes the rows that were added durable; there are no more of them. What
// Finish has left to write is small. A report that is finished without it is as
// durable, only later.
func (b *Builder) EndRows() error {
	err := b.csv.Flush()
	if err == nil {
		err = b.files[0].Prepare()
	}
	if err != nil {
		return fmt.Errorf("write report %s: %w", b.base, err)
	}
	return nil
}

// Files are a report that is written and not yet visible.
type Files struct {
	files []*atomicfile.File
	stale []string // of an earlier report, to be removed
}

// Finish writes what is left: totals, notes and the page.
func (b *Builder) Finish(imp post.Import, quotas []Quota) (*Files, error) {
	if err := b.jsonEnd(imp, quotas); err != nil {
		return nil, errors.Join(err, b.Discard())
	}
	html, err := b.create(endHTML)
	if err == nil {
		err = b.page.write(html, imp, quotas, b.src.Name, filepath.Base(b.base))
	}
	for _, w := range []*bufio.Writer{b.csv, b.json, b.rejected, html} {
		if w != nil {
			err = errors.Join(err, w.Flush())
		}
	}
	for _, f := range b.files {
		err = errors.Join(err, f.Prepare())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("write report %s: %w", b.base, err), b.Discard())
	}
	out := &Files{files: b.files}
	if b.rejected == nil {
		out.stale = []string{b.base + endRejected}
	}
	b.files = nil
	return out, nil
}

// Discard forgets a report that was not finished.
func (b *Builder) Discard() error {
	err := discard(b.files)
	b.files = nil
	return err
}

func discard(files []*atomicfile.File) error {
	var errs []error
	for _, f := range files {
		errs = append(errs, f.Discard())
	}
	return errors.Join(errs...)
}

// Commit makes the files visible, each whole.
func (f *Files) Commit() error {
	for _, file := range f.files {
		if err := file.Commit(); err != nil {
			return errors.Join(err, discard(f.files))
		}
	}
	for _, path := range f.stale {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Discard forgets the files. It does nothing to those that are visible.
func (f *Files) Discard() error { return discard(f.files) }

// Paths lists the files, those to open first before the others.
func (f *Files) Paths() []string {
	var out []string
	for i := len(f.files) - 1; i >= 0; i-- {
		p := f.files[i].Path()
		out = append(out, p)
	}
	return out
}
