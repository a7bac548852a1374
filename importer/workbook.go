package importer

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/xuri/excelize/v2"

	"github.com/postroom/postroom/post"
)

// A workbook is small when it is packed and may be huge when it is not, so what it
// may hold is bounded before it is unpacked (RELIABILITY on bombs). The parts are
// unpacked into memory, and so is the text of the sheet that is read.
const (
	mostUnpacked     = 256 << 20 // bytes of all parts
	mostParts        = 10_000
	mostRatio        = 200       // bytes unpacked for one packed, of what is large
	largeUnpacked    = 16 << 20  // from here on the ratio counts
	mostSheetText    = 128 << 20 // bytes of a sheet's cells
	mostSheetCells   = 20_000_000
	mostStrings      = 64 << 20 // bytes of the shared strings
	mostProbed       = 50       // rows of a sheet that are looked at to see whether it is a calendar
	mostSheets       = 256
	sheetNamesInText = 8
)

// A sheet is the one of a workbook that is read. Its rows are rewritten as CSV
// text, which the rest of the package then reads as any other.
type sheet struct {
	name  string
	rows  []int32                // the sheet's row that stands on each physical line of the text, from line 1
	wrong map[int][]post.Problem // what only the workbook tells of a row, by its number in the sheet
	shift float64                // days by which its serial numbers are behind those of 1900
}

// LooksWorkbook reports whether a ZIP file's directory is that of a workbook.
func LooksWorkbook(z *zip.Reader) bool {
	types, sheets := false, false
	for _, f := range z.File {
		name := strings.TrimPrefix(f.Name, "/")
		types = types || name == "[Content_Types].xml"
		sheets = sheets || strings.HasPrefix(name, "xl/")
	}
	return types && sheets
}

// OpenWorkbook looks an Excel workbook (.xlsx, .xlsm) over and picks the sheet that
// [File.Rows] reads: o.Sheet, or the only one that is visible and not empty, or the
// only one of those that looks like a calendar. Lines are the sheet's row numbers.
//
// A cell is read as it is shown, but a date or a time by its value: how a program
// shows 3 April does not matter. A row that is hidden is rejected, as nobody sees
// that it would be posted. The error is that of [Open].
func OpenWorkbook(ctx context.Context, src io.ReaderAt, size int64, o Options) (f *File, err error) {
	if o.Limits == (Limits{}) {
		o.Limits = DefaultLimits()
	}
	if size > o.Limits.MaxBytes {
		return nil, unusable(&o, "FILE_TOO_LARGE", fmt.Sprintf("%d bytes", size), fmt.Sprintf("at most %d bytes", o.Limits.MaxBytes), "split the file")
	}
	f, notes, err := openSheet(ctx, src, size, &o)
	if err != nil {
		return nil, err
	}
	err = f.look(ctx)
	var refused *Unusable
	if errors.As(err, &refused) {
		for i := range refused.Problems {
			f.sheet.place(&refused.Problems[i])
		}
	}
	if err != nil {
		return nil, err
	}
	for i := range f.notes {
		f.sheet.place(&f.notes[i])
	}
	f.notes = append(notes, f.notes...)
	return f, nil
}

// ExplainWorkbook says of a workbook what [Explain] does of a text.
func ExplainWorkbook(ctx context.Context, src io.ReaderAt, size int64, o Options) (*Explanation, error) {
	if o.Limits == (Limits{}) {
		o.Limits = DefaultLimits()
	}
	f, notes, err := openSheet(ctx, src, size, &o)
	if refused, ok := errors.AsType[*Unusable](err); ok {
		return &Explanation{File: o.Name, Encoding: "a workbook", Problems: refused.Problems, Unusable: true}, nil
	}
	if err != nil {
		return nil, err
	}
	e, err := f.explanation(ctx)
	if err != nil {
		return nil, err
	}
	for i := range e.Problems {
		f.sheet.place(&e.Problems[i])
	}
	e.Encoding, e.Sheet, e.Problems = fmt.Sprintf("a workbook, sheet %q", f.sheet.name), f.sheet.name, append(notes, e.Problems...)
	return e, nil
}

// openSheet picks the sheet that is read and rewrites it as text, which is yet to be
// looked over. The notes are of the workbook.
func openSheet(ctx context.Context, src io.ReaderAt, size int64, o *Options) (*File, []post.Problem, error) {
	b, err := openBook(src, size, o)
	if err != nil {
		return nil, nil, err
	}
	defer b.close()
	name, notes, err := b.choose(ctx)
	if err != nil {
		return nil, nil, err
	}
	s, text, more, err := b.convert(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	notes = append(notes, more...)
	for i := range notes {
		notes[i].File, notes[i].Severity, notes[i].Sheet = o.Name, post.SeverityWarning, s.name
	}
	f := newFile(bytes.NewReader(text), int64(len(text)), *o)
	f.sheet = s
	return f, notes, nil
}

// Sheet returns the name of the sheet that is read, "" of a file that has none.
func (f *File) Sheet() string {
	if f.sheet == nil {
		return ""
	}
	return f.sheet.name
}

// at returns the row of the sheet that a line of the text holds, and the line itself
// where there is no sheet.
func (s *sheet) at(line int) int {
	if s == nil || line < 1 || line > len(s.rows) {
		return line
	}
	return int(s.rows[line-1])
}

// place makes the line of a problem that was found in the text one of the sheet.
func (s *sheet) place(p *post.Problem) { p.Line, p.Sheet = s.at(p.Line), s.name }

// A book is an open workbook.
type book struct {
	*excelize.File
	opt   *Options
	shift float64
	parts map[string]string // the path of a sheet's part by its name
}

func openBook(src io.ReaderAt, size int64, o *Options) (b *book, err error) {
	z, err := zip.NewReader(src, size)
	if err != nil {
		return nil, unusable(o, "BROKEN_WORKBOOK", "", "a workbook that can be opened: "+err.Error(), "open it in the spreadsheet program and save it again")
	}
	if err := boundBook(z, size, o); err != nil {
		return nil, err
	}
	defer func() { // the library meets files here that nobody has meant for it
		if p := recover(); p != nil {
			b, err = nil, unusable(o, "BROKEN_WORKBOOK", "", fmt.Sprintf("a workbook that can be opened: %v", p), "open it in the spreadsheet program and save it again")
		}
	}()
	x, err := excelize.OpenReader(io.NewSectionReader(src, 0, size), excelize.Options{UnzipSizeLimit: mostUnpacked, UnzipXMLSizeLimit: mostUnpacked})
	if err != nil {
		return nil, unusable(o, "BROKEN_WORKBOOK", "", "a workbook that can be opened: "+err.Error(), "open it in the spreadsheet program and save it again")
	}
	b = &book{File: x, opt: o, parts: sheetParts(x)}
	if x.WorkBook != nil && x.WorkBook.WorkbookPr != nil && x.WorkBook.WorkbookPr.Date1904 {
		b.shift = days1904
	}
	if err := markDates(x); err != nil {
		return nil, errors.Join(unusable(o, "BROKEN_WORKBOOK", "", "cell styles that can be read: "+err.Error(), "open it in the spreadsheet program and save it again"), x.Close())
	}
	return b, nil
}

func (b *book) close() { _ = b.File.Close() } // nothing was written

// boundBook refuses what unpacks to more than a workbook of people holds.
func boundBook(z *zip.Reader, size int64, o *Options) error {
	const hint = "save the sheet as CSV UTF-8, or split it"
	if len(z.File) > mostParts {
		return unusable(o, "WORKBOOK_TOO_LARGE", fmt.Sprintf("%d parts", len(z.File)), fmt.Sprintf("a workbook of at most %d parts", mostParts), hint)
	}
	var total uint64
	for _, f := range z.File {
		if f.Flags&1 != 0 {
			return unusable(o, "ENCRYPTED", "", "a workbook without a password", "remove the password, and save it again")
		}
		total += f.UncompressedSize64
		large := f.UncompressedSize64 > largeUnpacked && f.UncompressedSize64/mostRatio > max(f.CompressedSize64, 1)
		strings := path.Base(f.Name) == "sharedStrings.xml" && f.UncompressedSize64 > mostStrings
		if total > mostUnpacked || large || strings {
			return unusable(o, "WORKBOOK_TOO_LARGE", f.Name, fmt.Sprintf("a workbook that unpacks to at most %d MiB, of which %d MiB are texts, and to no more than %d times its size", mostUnpacked>>20, mostStrings>>20, mostRatio), hint)
		}
	}
	return nil
}

// sheets returns the sheets that are to be seen, and those that are not.
func (b *book) sheets() (visible, hidden []string) {
	for i, name := range b.GetSheetList() {
		if i == mostSheets {
			break
		}
		if ok, err := b.GetSheetVisible(name); err == nil && !ok {
			hidden = append(hidden, name)
		} else {
			visible = append(visible, name)
		}
	}
	return visible, hidden
}

const sheetHint = "write `sheet: NAME` into a defaults.yaml beside the file, or name it with --sheet"

// choose picks the sheet that is read, and says of the others what is to be said.
func (b *book) choose(ctx context.Context) (name string, notes []post.Problem, err error) {
	visible, hidden := b.sheets()
	if want := strings.TrimSpace(b.opt.Sheet); want != "" {
		all := append(visible[:len(visible):len(visible)], hidden...)
		for _, s := range all {
			if s == want {
				return s, nil, nil
			}
		}
		for _, s := range all {
			if strings.EqualFold(strings.TrimSpace(s), want) {
				return s, nil, nil
			}
		}
		hint := "the workbook has " + quoted(all)
		if near := post.Nearest(want, all); near != "" {
			hint = "did you mean " + near + "?"
		}
		return "", nil, unusable(b.opt, "NO_SUCH_SHEET", want, "the name of one of its sheets", hint)
	}
	filled, calendars, err := b.probe(ctx, visible)
	if err != nil {
		return "", nil, err
	}
	unseen, _, err := b.probe(ctx, hidden)
	if err != nil {
		return "", nil, err
	}
	switch {
	case len(filled) == 0 && len(unseen) > 0:
		return "", nil, unusable(b.opt, codeEmpty, quoted(unseen), "a visible sheet with a header row: those that hold something are hidden", "show the sheet, or "+sheetHint)
	case len(filled) == 0:
		return "", nil, unusable(b.opt, codeEmpty, "", "a header row and at least one row: no sheet of the workbook holds anything", "drop the calendar again")
	case len(filled) == 1:
		name = filled[0]
	case len(calendars) == 1:
		name = calendars[0]
	case len(calendars) == 0:
		return "", nil, unusable(b.opt, "NO_HEADER", quoted(filled), wantHeader+": none of its sheets has one", "name the column with the texts `content`; docs/csv.md lists the names")
	default:
		return "", nil, unusable(b.opt, "SEVERAL_SHEETS", quoted(calendars), "one sheet that holds the calendar: each of these looks like one", sheetHint)
	}
	var left []string
	for _, s := range filled {
		if s != name {
			left = append(left, s)
		}
	}
	if len(left) > 0 {
		notes = append(notes, post.Problem{Code: "SHEET_CHOSEN", Got: post.Shorten(quoted(left)), Want: fmt.Sprintf("one sheet: %q was read, as it looks like a calendar; these were left out", name), Hint: "for another, " + sheetHint})
	}
	if len(unseen) > 0 {
		notes = append(notes, post.Problem{Code: "HIDDEN_SHEETS", Got: post.Shorten(quoted(unseen)), Want: "sheets that are to be seen: hidden ones were left out"})
	}
	return name, notes, nil
}

func quoted(names []string) string {
	var b strings.Builder
	for i, n := range names {
		if i == sheetNamesInText {
			fmt.Fprintf(&b, " and %d more", len(names)-i)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(n)
	}
	return b.String()
}

// probe returns the sheets that hold anything, and those of them in whose first rows
// a header stands.
func (b *book) probe(ctx context.Context, names []string) (filled, calendars []string, err error) {
	for _, name := range names {
		some, header := false, false
		n := 0
		err := b.each(ctx, name, func(_ int, _ bool, cells []string) error {
			cells = trimEmpty(cells)
			if len(cells) == 0 {
				return nil
			}
			some = true
			header = header || known(cells) >= 2 && hasContent(cells)
			if n++; header || n > mostProbed {
				return errEnough
			}
			return nil
		})
		if errors.Is(err, errNoCells) {
			continue // a chart, or a sheet of macros
		}
		if err != nil && !errors.Is(err, errEnough) {
			return nil, nil, err
		}
		if some {
			filled = append(filled, name)
		}
		if header {
			calendars = append(calendars, name)
		}
	}
	return filled, calendars, nil
}

var (
	errEnough  = errors.New("enough was read")
	errNoCells = errors.New("a sheet without cells")
)

// each calls fn with the rows of a sheet that hold anything, in order. cells may be
// kept only until it returns.
func (b *book) each(ctx context.Context, name string, fn func(row int, hidden bool, cells []string) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = unusable(b.opt, "BROKEN_WORKBOOK", name, fmt.Sprintf("a sheet that can be read: %v", p), "open it in the spreadsheet program and save it again")
		}
	}()
	rows, err := b.Rows(name)
	if err != nil {
		return errNoCells
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	cells, last := 0, 0
	for n := 1; rows.Next(); n++ {
		if n%1024 == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		row, err := rows.Columns()
		if err != nil {
			return unusable(b.opt, "BROKEN_WORKBOOK", name, fmt.Sprintf("a sheet that can be read: row %d: %v", n, err), "open it in the spreadsheet program and save it again")
		}
		if cells += len(row); cells > mostSheetCells {
			return unusable(b.opt, "WORKBOOK_TOO_LARGE", name, fmt.Sprintf("a sheet of at most %d cells", mostSheetCells), "remove empty columns and rows, or save the sheet as CSV UTF-8")
		}
		if len(row) == 0 {
			continue
		}
		last = n
		if err := fn(last, rows.GetRowOpts().Hidden, row); err != nil {
			return err
		}
	}
	if err := rows.Error(); err != nil {
		return unusable(b.opt, "BROKEN_WORKBOOK", name, "a sheet that can be read: "+err.Error(), "open it in the spreadsheet program and save it again")
	}
	return nil
}

// convert writes the rows of a sheet as CSV text, and gathers what the text cannot
// say of them.
func (b *book) convert(ctx context.Context, name string) (*sheet, []byte, []post.Problem, error) {
	s := &sheet{name: name, shift: b.shift, wrong: map[int][]post.Problem{}}
	extra := b.extras(name)
	var text bytes.Buffer
	var notes []post.Problem
	hidden := 0
	var header []column // once a row was one
	reject := func(row, column int, code, got, want, hint string) {
		s.wrong[row] = append(s.wrong[row], post.Problem{Column: column, Code: code, Got: post.Shorten(got), Want: want, Hint: hint})
	}
	lim := b.opt.Limits
	err := b.each(ctx, name, func(n int, unseen bool, cells []string) error {
		cells = extra.fill(n, cells)
		if header == nil && known(cells) >= 2 && hasContent(cells) {
			for _, c := range cells {
				header = append(header, columnOf(c))
			}
		}
		for _, a := range extra.over[n] {
			if i := a.left - 1; n > a.top && i < len(cells) && cells[i] != "" && (header == nil || i < len(header) && header[i].says()) {
				reject(n, a.left, "MERGED_CELL", cells[i], fmt.Sprintf("a cell of its own: it is merged with row %d, so the post would go out twice", a.top), "take the merged cells apart, and write into each what it says")
			}
		}
		if len(trimEmpty(cells)) == 0 {
			return nil
		}
		if len(cells) > lim.MaxColumns {
			if over := trimEmpty(cells[lim.MaxColumns:]); len(over) > 0 {
				reject(n, lim.MaxColumns+len(over), "TOO_MANY_CELLS", over[len(over)-1], fmt.Sprintf("at most %d columns", lim.MaxColumns), "remove columns that are not needed")
			}
			cells = cells[:lim.MaxColumns]
		}
		bytesOf := 0
		for i, c := range cells {
			if text, ok := b.date(c); ok {
				cells[i] = text
				continue
			}
			if bytesOf += len(c); len(c) > lim.MaxCell || bytesOf > lim.MaxRow/4 { // quotes and their doubles must fit beside it
				reject(n, i+1, "BROKEN_ROW", c, faultWants[cellTooLong][0], "shorten the text")
				cells[i] = ""
			}
		}
		if unseen {
			hidden++
			reject(n, 0, "HIDDEN_ROW", "", "a row that is to be seen: this one is hidden, so nobody would expect it to be posted", "show the row, or clear the filter, and save again")
		}
		at := text.Len()
		writeCSV(&text, cells)
		for range bytes.Count(text.Bytes()[at:], []byte{'\n'}) {
			s.rows = append(s.rows, int32(n))
		}
		if text.Len() > mostSheetText {
			return unusable(b.opt, "WORKBOOK_TOO_LARGE", name, fmt.Sprintf("a sheet of at most %d MiB of text", mostSheetText>>20), "save the sheet as CSV UTF-8, or split it")
		}
		return nil
	})
	if errors.Is(err, errNoCells) {
		err = unusable(b.opt, "NO_SUCH_SHEET", name, "a sheet with cells: this one is a chart or holds macros", sheetHint)
	}
	if err != nil {
		return nil, nil, nil, err
	}
	for _, c := range extra.uncomputed {
		reject(c.row, c.column, "FORMULA", "", "a value: this formula has none yet, as no spreadsheet program has computed it", "open the workbook, let it compute, and save it again")
	}
	if hidden > 0 {
		notes = append(notes, post.Problem{Code: "HIDDEN_ROWS", Got: fmt.Sprintf("%d rows", hidden), Want: "rows that are to be seen: hidden ones are rejected", Hint: "show the rows, or clear the filter, and save again"})
	}
	return s, text.Bytes(), append(notes, extra.notes...), nil
}

// writeCSV writes one row with every filled cell in quotes.
func writeCSV(w *bytes.Buffer, cells []string) {
	for i, c := range cells {
		if i > 0 {
			w.WriteByte(',')
		}
		if c == "" {
			continue
		}
		if strings.Contains(c, "\r") {
			c = strings.ReplaceAll(strings.ReplaceAll(c, "\r\n", "\n"), "\r", "\n")
		}
		if !utf8.ValidString(c) {
			c = strings.ToValidUTF8(c, "\ufffd")
		}
		w.WriteByte('"')
		w.WriteString(strings.ReplaceAll(c, `"`, `""`))
		w.WriteByte('"')
	}
	w.WriteByte('\n')
}
