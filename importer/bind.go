package importer

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/gocarina/gocsv"
)

// A bound is what gocsv fills from one record: the cells by what they mean. gocsv
// makes two for each record, so what few rows have lies apart.
type bound struct {
	Content   string `csv:"content"`
	Platforms string `csv:"platforms"`
	When      string `csv:"scheduled_time"`
	*rarer
}

// rarer are the cells that few rows fill.
type rarer struct {
	Date     string `csv:"date"`
	Clock    string `csv:"time"`
	Half     string `csv:"am/pm"`
	Title    string `csv:"title"`
	Link     string `csv:"link"`
	Zone     string `csv:"timezone"`
	Status   string `csv:"status"`
	Approve  string `csv:"approve"`
	ID       string `csv:"external_id"`
	Comment  string `csv:"first_comment"`
	Settings string `csv:"platform_settings"`
	Repeat   string `csv:"repeat"`
	Labels   string `csv:"labels"`
	Year     string `csv:"year"`
	Month    string `csv:"month"`
	Day      string `csv:"day"`
	Hour     string `csv:"hour"`
	Minute   string `csv:"minute"`

	// Several columns may fill these.
	Media    []placed `csv:"-"`
	Alts     []placed `csv:"-"`
	Variants []placed `csv:"-"`

	*toolCells `csv:"-"`
}

// toolCells are cells that only files of other tools have.
type toolCells struct {
	Profile, Categories          string
	Draft, AllDay, Private       string
	Guests, MediaKind, MediaLink string
	On, Extras                   []placed
}

// A placed is a cell of which several columns may have one.
type placed struct {
	column int
	text   string
}

// A binder gives gocsv chunks of records whose header it has made canonical. gocsv
// does what it is good at, row to struct; which row stands where and what a
// header means is known before (INGEST §3).
type binder struct {
	file   *File
	header []string
	used   []int // columns given to gocsv
	chunk  [][]string
	cells  []string // of all chunk rows, one after the other
	recs   []kept
	raws   []byte
	ends   []int
	bounds []bound
	none   rarer // of all that fill none of it: stays empty
	native toolCells
	filled []Row // of the chunk; used again
}

// kept is what is remembered of a record beside its cells.
type kept struct {
	line     int
	fault    fault
	where    int
	until    int
	ctrl     bool
	rawEnd   int
	first, n int // its cells in ends
	text     string
}

func newBinder(f *File) *binder {
	b := &binder{file: f}
	b.none.toolCells = &b.native
	for i, c := range f.columns {
		if c.field != fieldUnknown && c.field != fieldIgnored && !f.isGate(i) {
			b.used = append(b.used, i)
			b.header = append(b.header, fmt.Sprintf("%s#%d", c.field, i))
		}
	}
	return b
}

func (b *binder) reset() {
	b.recs, b.raws, b.ends = b.recs[:0], b.raws[:0], b.ends[:0]
}

// read fills the chunk with the next records and binds them. done says that
// they are the last.
func (b *binder) read(r *recordReader) (done bool, err error) {
	b.reset()
	for b.rows() < chunkRows {
		rec, err := r.next()
		if errors.Is(err, io.EOF) {
			done = true
			break
		}
		if err != nil {
			return false, err
		}
		if !rec.blank() {
			b.add(rec)
		}
	}
	return done, b.bind()
}

func (b *binder) rows() int { return len(b.recs) }

// add copies what the reader will overwrite.
func (b *binder) add(r *record) {
	b.raws = append(b.raws, r.raw...)
	k := kept{line: r.line, fault: r.fault, where: r.where, until: r.until, ctrl: r.ctrl, rawEnd: len(b.raws), first: len(b.ends), n: len(r.ends)}
	if r.fault == noFault {
		k.text = string(r.text)
		b.ends = append(b.ends, r.ends...)
	} else {
		k.n = 0
	}
	b.recs = append(b.recs, k)
}

func (b *binder) raw(i int) []byte {
	from := 0
	if i > 0 {
		from = b.recs[i-1].rawEnd
	}
	return b.raws[from:b.recs[i].rawEnd]
}

func (b *binder) cell(i, col int) string {
	k := &b.recs[i]
	if col >= k.n {
		return ""
	}
	from := 0
	if col > 0 {
		from = b.ends[k.first+col-1]
	}
	return k.text[from:b.ends[k.first+col]]
}

// bind fills a bound for every record of the chunk.
func (b *binder) bind() error {
	if len(b.recs) == 0 {
		return nil
	}
	width := len(b.used)
	if need := width * len(b.recs); cap(b.cells) < need {
		b.cells = make([]string, need)
	}
	b.cells = b.cells[:width*len(b.recs)]
	b.chunk = append(b.chunk[:0], b.header)
	for i := range b.recs {
		row := b.cells[i*width : (i+1)*width : (i+1)*width]
		for j, col := range b.used {
			row[j] = b.cell(i, col)
		}
		b.chunk = append(b.chunk, row)
	}
	if cap(b.bounds) < len(b.recs) {
		b.bounds = make([]bound, chunkRows)
	}
	b.bounds = b.bounds[:len(b.recs)] // gocsv makes a new slice where one is too short
	clear(b.bounds)
	if err := gocsv.UnmarshalDecoder(chunkDecoder{b.chunk}, &b.bounds); err != nil {
		return fmt.Errorf("bind rows: %w", err)
	}
	for i := range b.bounds {
		if b.bounds[i].rarer == nil {
			b.bounds[i].rarer = &b.none
		}
		if b.bounds[i].toolCells == nil && b.bounds[i].rarer != &b.none {
			b.bounds[i].toolCells = &b.native
		}
	}
	return nil
}

// chunkDecoder gives gocsv rows that are already cut.
type chunkDecoder struct{ rows [][]string }

// GetCSVRows implements gocsv.Decoder.
func (d chunkDecoder) GetCSVRows() ([][]string, error) { return d.rows, nil }

// UnmarshalCSVWithFields takes one cell; key is a header that newBinder made.
func (b *bound) UnmarshalCSVWithFields(key, value string) error {
	if value == "" {
		return nil
	}
	at := strings.IndexByte(key, '#')
	switch field(key[:at]) {
	case fieldContent:
		b.Content = value
	case fieldPlatforms:
		b.Platforms = value
	case fieldWhen:
		b.When = value
	default:
		if b.rarer == nil {
			b.rarer = &rarer{}
		}
		b.take(field(key[:at]), atoi(key[at+1:]), value)
	}
	return nil
}

func (b *rarer) take(f field, column int, value string) {
	switch f {
	case fieldDate:
		b.Date = value
	case fieldTime:
		b.Clock = value
	case fieldHalf:
		b.Half = value
	case fieldTitle:
		b.Title = value
	case fieldLink:
		b.Link = value
	case fieldZone:
		b.Zone = value
	case fieldStatus:
		b.Status = value
	case fieldApprove:
		b.Approve = value
	case fieldID:
		b.ID = value
	case fieldComment:
		if b.Comment != "" {
			b.Comment += nextComment
		}
		b.Comment += value
	case fieldSettings:
		b.Settings = value
	case fieldRepeat:
		b.Repeat = value
	case fieldLabels:
		b.Labels = joinCells(b.Labels, value)
	case fieldAlt:
		b.Alts = append(b.Alts, placed{column, value})
	case fieldYear:
		b.Year = value
	case fieldMonth:
		b.Month = value
	case fieldDay:
		b.Day = value
	case fieldHour:
		b.Hour = value
	case fieldMinute:
		b.Minute = value
	case fieldMedia:
		b.Media = append(b.Media, placed{column, value})
	case fieldVariant:
		b.Variants = append(b.Variants, placed{column, value})
	default:
		if b.toolCells == nil {
			b.toolCells = &toolCells{}
		}
		b.toolCells.take(f, column, value)
	}
}

func (b *toolCells) take(f field, column int, value string) {
	switch f {
	case fieldProfile:
		b.Profile = value
	case fieldCategories:
		b.Categories = value
	case fieldDraft:
		b.Draft = value
	case fieldAllDay:
		b.AllDay = value
	case fieldPrivate:
		b.Private = value
	case fieldGuests:
		b.Guests = value
	case fieldKind:
		b.MediaKind = value
	case fieldEither:
		b.MediaLink = value
	case fieldOn:
		b.On = append(b.On, placed{column, value})
	case fieldExtra:
		b.Extras = append(b.Extras, placed{column, value})
	}
}

// nextComment stands between the comments of several columns. No cell holds it.
const nextComment = "\x1e"

func joinCells(a, b string) string {
	if a == "" {
		return b
	}
	return a + "||" + b
}
