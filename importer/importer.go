package importer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/postroom/postroom/post"
)

// Limits bound what a file may hold.
type Limits struct {
	MaxBytes   int64 // of the file
	MaxRows    int
	MaxRow     int // bytes of one record
	MaxCell    int // bytes of one cell
	MaxColumns int
}

// DefaultLimits are far above any calendar a team writes, and far below what
// could hurt the machine.
func DefaultLimits() Limits {
	return Limits{MaxBytes: 1 << 30, MaxRows: 5_000_000, MaxRow: 1 << 20, MaxCell: 64 << 10, MaxColumns: 256}
}

// Options say how a file is to be read.
type Options struct {
	Name      string              // for messages
	Directory *post.Directory     // the account's connections
	Platforms []post.ConnectionID // of rows that name none
	Profiles  Profiles            // what other tools call the account's connections
	Zone      *time.Location      // of times without one
	AllDay    time.Duration       // since midnight, of events that last all day; 0 for nine in the morning
	DateOrder string              // "dmy" or "mdy" for 3/4/2026, "ymd" for 27/03/28, where the column does not tell; "" rejects it
	Status    post.Status         // of rows that name none
	Today     time.Time           // when the file is read
	Sheet     string              // of a workbook; "" finds it
	Limits    Limits
}

// Unusable is the error of a file of which no row can be read.
type Unusable struct{ Problems []post.Problem }

// Error names the first problem.
func (e *Unusable) Error() string {
	if len(e.Problems) == 0 {
		return "unusable"
	}
	return e.Problems[0].String()
}

// unusable makes the error of a file with one problem.
func unusable(o *Options, code, got, want, hint string) *Unusable {
	return &Unusable{[]post.Problem{{File: o.Name, Code: code, Got: post.Shorten(got), Want: want, Hint: hint}}}
}

// A Dialect is how a file is written.
type Dialect struct {
	Encoding  string     `json:"encoding"`
	Delimiter rune       `json:"delimiter"`
	Tool      string     `json:"tool,omitempty"` // whose bulk file it is; "" for none that is known
	Headers   [][]string `json:"-"`              // the header rows as written: none, one, or two
	DateOrder string     `json:"-"`              // of its dates that say no more than 3/4/2026: dmy, mdy or ymd, and 12-hour where times have AM or PM; "" where none is, or not all the same
}

// A File is a file that was looked over and can be read.
type File struct {
	opt      Options
	src      io.ReaderAt
	size     int64
	enc      encoding
	guessed  string // the name of enc where it was not known; "" else
	delim    byte
	skip     int64    // bytes of the decoded text before the header
	line     int      // physical line of the header
	header   []string // names of the columns
	headers  []record // the header rows as written: none, one, or two
	columns  []column
	report   bool        // it is a report that came back
	approves bool        // a column says which rows may go out
	gates    []gate      // others that say so
	form     *form       // of the tool that the file was made for; nil for none
	why      string      // it was recognised
	dates    []dateOrder // by column
	whys     []string    // by column: what decided the order of a date column
	zone     hintedZone  // of its times, as the names of the columns say
	hadOrder dateOrder   // of rejected rows: that of the dates in the file that they come from
	twelve   bool        // its times say AM or PM
	serial   []bool      // by column: Excel serial numbers
	twins    []twin      // columns that must agree
	rows     int
	resolves map[string]resolved // platforms cells seen
	notes    []post.Problem
	sheet    *sheet // of a workbook; nil of text
}

// Open looks a file over. The error is an *Unusable that says all that is wrong,
// or comes from src.
func Open(ctx context.Context, src io.ReaderAt, size int64, o Options) (*File, error) {
	f := newFile(src, size, o)
	if err := f.look(ctx); err != nil {
		return nil, err
	}
	return f, nil
}

func newFile(src io.ReaderAt, size int64, o Options) *File {
	if o.Limits == (Limits{}) {
		o.Limits = DefaultLimits()
	}
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	return &File{opt: o, src: src, size: size}
}

// look finds out how the file is to be read. What it has found by then is there
// also when it fails.
func (f *File) look(ctx context.Context) error {
	if most := f.opt.Limits.MaxBytes; f.size > most {
		return unusable(&f.opt, "FILE_TOO_LARGE", fmt.Sprintf("%d bytes", f.size), fmt.Sprintf("at most %d bytes", most), "split the file")
	}
	if f.sheet != nil {
		f.enc = utf8Plain
		return f.read(ctx)
	}
	head, err := f.detectHead()
	if err != nil {
		return err
	}
	if f.enc.with != nil {
		return f.read(ctx)
	}
	return f.tryUTF8(ctx, head)
}

// tryUTF8 reads the text as UTF-8, as most files are, and meanwhile finds out whether
// it is that to its end. One that is not is read again, as what it may be.
func (f *File) tryUTF8(ctx context.Context, head []byte) error {
	early, stop := context.WithCancel(ctx)
	defer stop()
	bad := int64(-1)
	var check errgroup.Group
	check.Go(func() (err error) {
		if bad, err = f.firstInvalid(ctx); err != nil || bad >= 0 {
			stop()
		}
		return err
	})
	err := f.read(early)
	if err := check.Wait(); err != nil {
		return err
	}
	if bad < 0 {
		return err
	}
	enc := f.enc
	*f = *newFile(f.src, f.size, f.opt)
	f.guess(enc, head, bad)
	return f.read(ctx)
}

// read looks at the header and the rows of a text whose encoding is known.
func (f *File) read(ctx context.Context) error {
	if err := f.findHeader(ctx); err != nil {
		return err
	}
	if f.report {
		return nil
	}
	return f.survey(ctx)
}

// Notes returns what is to be said of the file as a whole.
func (f *File) Notes() []post.Problem { return f.notes }

// Header returns the column names as written.
func (f *File) Header() []string { return f.header }

// Name returns what the file is called in messages.
func (f *File) Name() string { return f.opt.Name }

// Repeats reports whether a column says how rows repeat.
func (f *File) Repeats() bool {
	for _, c := range f.columns {
		if c.field == fieldRepeat {
			return true
		}
	}
	return false
}

// Count returns how many rows the file has.
func (f *File) Count() int { return f.rows }

// Dialect returns how the file is written.
func (f *File) Dialect() Dialect {
	d := Dialect{Encoding: f.enc.name, Delimiter: rune(f.delim)}
	if f.form != nil {
		d.Tool = f.form.name
	}
	for i := range f.headers {
		d.Headers = append(d.Headers, cellsOf(&f.headers[i]))
	}
	d.DateOrder = f.dateOrder().String()
	if f.twelve {
		d.DateOrder = strings.TrimSpace(d.DateOrder + " " + twelveHours)
	}
	return d
}

// note adds a warning about the whole file.
func (f *File) note(p post.Problem) {
	p.File, p.Severity = f.opt.Name, post.SeverityWarning
	f.notes = append(f.notes, p)
}

// A Row is one row of a file.
type Row struct {
	N        int      // from 1
	Line     int      // physical line of its first byte, from 1; of a workbook, the row of the sheet
	Raw      []byte   // as written, in UTF-8, without the line ending
	Cells    []string // by the header's columns
	Draft    post.Draft
	Problems []post.Problem // with an error among them the draft is not to be used

	file *File
}

// Column returns the place of a field in the row, from 1, or 0 when the file has
// no such column.
func (r *Row) Column(field string) int {
	if r.file == nil {
		return 0
	}
	for i, c := range r.file.columns {
		if string(c.field) == field {
			return i + 1
		}
	}
	return 0
}

// records returns a reader at the first record after the header.
func (f *File) records() *recordReader {
	r := newRecordReader(f.enc.reader(f.src, f.size), f.delim, f.opt.Limits)
	r.width = f.rowWidth()
	if f.sheet != nil {
		r.mostLines = math.MaxInt
	}
	return r
}

// rowWidth is how many cells a row has at least that is certainly one.
func (f *File) rowWidth() int {
	if f.form != nil && len(f.headers) == 0 {
		return f.form.least
	}
	return len(f.header)
}

// skipHeader reads past the header rows.
func (f *File) skipHeader(r *recordReader) error {
	if err := r.discard(f.skip, f.line); err != nil {
		return err
	}
	for range f.headers {
		if _, err := r.next(); err != nil {
			return err
		}
	}
	return nil
}

// eachRecord calls fn with the records below the header that are not blank, until it
// wants no more.
func (f *File) eachRecord(ctx context.Context, fn func(*record) (more bool, err error)) error {
	r := f.records()
	if err := f.skipHeader(r); err != nil {
		return err
	}
	for n := 0; ; n++ {
		if n%4096 == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		rec, err := r.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if rec.blank() {
			continue
		}
		if more, err := fn(rec); err != nil || !more {
			return err
		}
	}
}

// What is read ahead: chunks of so many rows, which bounds memory.
const (
	chunkRows   = 512
	chunksAhead = 4
)

// Rows calls fn with each row in order. The Row is used again for a later one;
// its strings may be kept, its slices may not. An error of fn ends the reading
// and is returned. Reading and checking go on ahead of fn, and have ended when
// Rows returns.
func (f *File) Rows(ctx context.Context, fn func(*Row) error) error {
	ctx, stop := context.WithCancel(ctx)
	spare, bound, filled := make(chan *binder, chunksAhead), make(chan *binder, chunksAhead), make(chan *binder, chunksAhead)
	for range chunksAhead {
		spare <- newBinder(f)
	}
	var ahead errgroup.Group
	ahead.Go(func() error {
		defer close(bound)
		return f.bindAhead(ctx, spare, bound)
	})
	ahead.Go(func() error {
		defer close(filled)
		n := 0
		for b := range bound { // no send blocks: there is room for every chunk
			n = f.fillChunk(b, n)
			filled <- b
		}
		return nil
	})
	err := eachRow(filled, spare, fn)
	stop()
	if aheadErr := ahead.Wait(); err == nil {
		err = aheadErr
	}
	return err
}

// bindAhead binds the records of the file to chunks that are spare.
func (f *File) bindAhead(ctx context.Context, spare <-chan *binder, bound chan<- *binder) error {
	r := f.records()
	if err := f.skipHeader(r); err != nil {
		return err
	}
	for done := false; !done; {
		select {
		case b := <-spare:
			var err error
			if done, err = b.read(r); err != nil {
				return err
			}
			bound <- b
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// fillChunk makes the rows of a chunk, of which n came before, and returns how
// many there are up to its end.
func (f *File) fillChunk(b *binder, n int) int {
	for len(b.filled) < b.rows() {
		b.filled = append(b.filled, Row{file: f})
	}
	for i := range b.rows() {
		n++
		b.filled[i].N = n
		f.fill(&b.filled[i], b, i)
	}
	return n
}

// eachRow calls fn with the rows of chunks and gives each chunk back.
func eachRow(filled <-chan *binder, spare chan<- *binder, fn func(*Row) error) error {
	for b := range filled {
		for i := range b.rows() {
			if err := fn(&b.filled[i]); err != nil {
				return err
			}
		}
		spare <- b
	}
	return nil
}

// listed joins words for a message.
func listed(words []string) string { return strings.Join(words, ", ") }
