package importer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
)

// A record is one row as it stands in the file. Its slices belong to the reader
// and are gone at the next call.
type record struct {
	line  int    // physical line of its first byte
	raw   []byte // without the line ending
	text  []byte // all cells, unquoted, one after the other
	ends  []int  // where each cell ends in text
	fault fault
	where int // cell of the fault, from 1
	ctrl  bool
	until int // physical line of its last byte, of a record with a fault
}

// A fault is what is wrong with a record as such.
type fault uint8

const (
	noFault      fault = iota
	openQuote          // a quote is never closed
	afterQuote         // text follows a closing quote
	rowTooLong         // more bytes than a row may have
	cellTooLong        // more bytes than a cell may have
	tooManyCells       // more cells than a row may have
)

func (r *record) cells() int { return len(r.ends) }

func (r *record) cell(i int) string {
	if i >= len(r.ends) {
		return ""
	}
	start := 0
	if i > 0 {
		start = r.ends[i-1]
	}
	return string(r.text[start:r.ends[i]])
}

// blank reports whether all cells are empty, or hold nothing that shows, like the
// Ctrl-Z that old programs end a file with: such a row is none.
func (r *record) blank() bool {
	if r.fault != noFault || len(r.text) > 0 && isGraphic(r.text[0]) {
		return false
	}
	return len(bytes.TrimFunc(r.text, func(c rune) bool {
		return c <= ' ' || c == 0x7f || c == '\u00a0' || c == '\ufeff' || c == '\u200b'
	})) == 0
}

// mostQuotedLines is how many lines one quoted cell may have before its quote
// counts as never closed (INGEST §4.1).
const mostQuotedLines = 100

// A recordReader cuts text into records. It knows physical lines, whatever ends
// them, and survives damage: after a quote that is never closed it goes on at
// the next line that makes a row of the header's width, and what lies between is
// part of the broken record.
type recordReader struct {
	src   io.Reader
	delim byte
	lim   Limits
	width int // of the header; 0 while it is not known

	mostLines int // of one quoted cell

	buf   []byte
	start int // of what was not read yet
	end   int
	eof   bool
	line  int // physical line at start

	rec   record
	cells []byte

	lost  fault // where the text is still part of a broken record, its fault
	where int

	ended    bool // the last line that was taken had its ending
	lastCR   bool // and that was a lone CR
	crs      int  // how many lines that were taken ended in a lone CR
	openLine int  // line of the record within whose quotes the text ended; 0 for none
}

func newRecordReader(src io.Reader, delim byte, lim Limits) *recordReader {
	return &recordReader{src: src, delim: delim, lim: lim, buf: make([]byte, 256<<10), line: 1, mostLines: mostQuotedLines}
}

// discard skips n bytes, which end before physical line next.
func (r *recordReader) discard(n int64, next int) error {
	for n > 0 {
		if r.start == r.end {
			if err := r.more(); err != nil {
				return err
			}
			if r.start == r.end {
				return io.ErrUnexpectedEOF
			}
		}
		step := int(min(n, int64(r.end-r.start)))
		r.start += step
		n -= int64(step)
	}
	r.line = next
	return nil
}

// more reads more text behind what is there, making room when it must.
func (r *recordReader) more() error {
	if r.eof {
		return nil
	}
	if r.start > 0 {
		r.end = copy(r.buf, r.buf[r.start:r.end])
		r.start = 0
	}
	if r.end == len(r.buf) {
		r.buf = append(r.buf, make([]byte, len(r.buf))...)
	}
	for range 100 {
		n, err := r.src.Read(r.buf[r.end:])
		r.end += n
		if errors.Is(err, io.EOF) {
			r.eof = true
			return nil
		}
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		if n > 0 {
			return nil
		}
	}
	return io.ErrNoProgress
}

// parsed is how an attempt to read a record at the start of the text ended.
type parsed struct {
	used  int // bytes, with the line ending
	raw   int // bytes without it
	lines int // line endings in used
	fault fault
	where int
}

var errMore = errors.New("more text is needed")

// next returns the next record, or io.EOF. Lines with nothing on them are not
// records.
func (r *recordReader) next() (*record, error) {
	for {
		p, err := r.parse()
		if err != nil {
			return nil, err
		}
		if r.lost != noFault {
			if !r.sound(p) {
				return r.swallow(r.lost, r.where)
			}
			r.lost = noFault
		}
		if p.raw == 0 && p.fault == noFault {
			r.take(p)
			continue
		}
		r.rec.line = r.line
		if p.fault != noFault {
			return r.broken(p)
		}
		r.rec.raw = r.buf[r.start : r.start+p.raw]
		r.rec.text = r.cells
		r.rec.fault, r.rec.where = noFault, 0
		r.take(p)
		return &r.rec, nil
	}
}

func (r *recordReader) take(p parsed) {
	r.ended = p.used > p.raw
	if r.lastCR = r.ended && r.buf[r.start+p.used-1] == '\r'; r.lastCR {
		r.crs++
	}
	r.start += p.used
	r.line += p.lines
}

// parse reads one record at the start of the text, filling the buffer as far as
// it takes.
func (r *recordReader) parse() (parsed, error) {
	for {
		if r.start == r.end {
			if err := r.more(); err != nil {
				return parsed{}, err
			}
			if r.start == r.end && r.eof {
				return parsed{}, io.EOF
			}
		}
		p, err := r.scan(r.buf[r.start:r.end])
		if !errors.Is(err, errMore) {
			return p, err
		}
		if err := r.more(); err != nil {
			return parsed{}, err
		}
	}
}

// broken makes the record of a fault. A fault within one line costs that line;
// one that may run on costs its first line, and those after it up to one that is
// certainly a row.
func (r *recordReader) broken(p parsed) (*record, error) {
	switch {
	case p.fault == openQuote, p.fault == afterQuote, p.fault == rowTooLong,
		p.fault == cellTooLong && p.lines > 1:
		return r.swallow(p.fault, p.where)
	}
	r.rec = record{line: r.line, until: r.line, raw: r.buf[r.start : r.start+p.raw], fault: p.fault, where: p.where, ends: r.rec.ends[:0]}
	r.take(p)
	return &r.rec, nil
}

// swallow makes a broken record of the first line and of those after it until
// one is sound. What is too much for one record makes a further broken one.
func (r *recordReader) swallow(why fault, where int) (*record, error) {
	line := r.line
	first, err := r.firstLine()
	if err != nil {
		return nil, err
	}
	raw := bytes.Clone(r.buf[r.start : r.start+first.raw])
	r.take(first)
	for r.lost, r.where = why, where; len(raw) < r.lim.MaxRow; {
		p, err := r.parse()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if r.sound(p) {
			r.lost = noFault
			break
		}
		if p, err = r.firstLine(); err != nil {
			return nil, err
		}
		raw = append(append(raw, '\n'), r.buf[r.start:r.start+p.raw]...)
		r.take(p)
	}
	until := r.line
	if r.ended {
		until--
	}
	r.rec = record{line: line, until: until, raw: raw, fault: why, where: where, ends: r.rec.ends[:0]}
	return &r.rec, nil
}

// sound reports whether the record that parse has just read is a row beyond
// doubt, though a quote before it may be open: it has the header's width, and
// its quotes stand around whole cells. The rest of a text that was cut at a
// quote of its own has one in its midst. In a file of one column any line has
// its width, so there only a quoted cell is taken.
func (r *recordReader) sound(p parsed) bool {
	if p.fault != noFault || p.raw == 0 {
		return false
	}
	raw := r.buf[r.start : r.start+p.raw]
	if r.width == 1 && raw[0] != '"' || len(r.rec.ends) < r.width {
		return false
	}
	return wellQuoted(raw, r.delim)
}

// wellQuoted reports whether quotes occur only around whole cells.
func wellQuoted(raw []byte, delim byte) bool {
	for i := 0; i < len(raw); i++ {
		for i < len(raw) && raw[i] == ' ' {
			i++
		}
		if i < len(raw) && raw[i] == '"' {
			for i++; i < len(raw); i++ {
				if raw[i] != '"' {
					continue
				}
				if i+1 < len(raw) && raw[i+1] == '"' {
					i++
					continue
				}
				break
			}
			i++
		}
		for ; i < len(raw) && raw[i] != delim; i++ {
			if raw[i] == '"' {
				return false
			}
		}
	}
	return true
}

// firstLine measures the physical line at the start of the text. Of a line that
// is longer than a row may be it skips the rest.
func (r *recordReader) firstLine() (parsed, error) {
	for {
		b := r.buf[r.start:r.end]
		i := bytes.IndexAny(b, "\r\n")
		switch {
		case i >= 0 && b[i] == '\n':
			return parsed{used: i + 1, raw: i, lines: 1}, nil
		case i >= 0 && (i+1 < len(b) || r.eof):
			used := i + 1
			if used < len(b) && b[used] == '\n' {
				used++
			}
			return parsed{used: used, raw: i, lines: 1}, nil
		case i < 0 && r.eof:
			return parsed{used: len(b), raw: len(b)}, nil
		case i < 0 && len(b) > 4*r.lim.MaxRow:
			r.start = r.end - r.lim.MaxRow // the head of an endless line is not needed
		}
		if err := r.more(); err != nil {
			return parsed{}, err
		}
	}
}

// scan reads one record from b into r.cells and r.rec.ends. It returns errMore
// when b ends within the record and more may come.
func (r *recordReader) scan(b []byte) (parsed, error) {
	cells, ends := r.cells[:0], r.rec.ends[:0]
	lines, i := 0, 0
	ctrl := false
	var p parsed
	defer func() { r.cells, r.rec.ends, r.rec.ctrl = cells, ends, ctrl }()
	for {
		// A cell begins at i. Blanks before a quote are dropped.
		q := i
		for q < len(b) && b[q] == ' ' {
			q++
		}
		if q == len(b) && !r.eof {
			return p, errMore
		}
		cellStart := len(cells)
		if q < len(b) && b[q] == '"' {
			i = q + 1
			first := lines
			for {
				n := bytes.IndexByte(b[i:], '"')
				if n < 0 {
					if !r.eof && len(b) <= r.lim.MaxRow+r.lim.MaxCell {
						return p, errMore
					}
					if r.eof && r.openLine == 0 {
						r.openLine = r.line
					}
					return parsed{fault: openQuote, where: len(ends) + 1}, nil
				}
				piece := b[i : i+n]
				var c bool
				cells, lines, c = appendPiece(cells, piece, lines)
				ctrl = ctrl || c
				i += n + 1
				if lines-first > r.mostLines {
					return parsed{fault: openQuote, where: len(ends) + 1}, nil
				}
				if i == len(b) && !r.eof {
					return p, errMore
				}
				if i < len(b) && b[i] == '"' {
					cells = append(cells, '"')
					i++
					continue
				}
				break
			}
			for i < len(b) && b[i] == ' ' {
				i++
			}
			if i == len(b) && !r.eof {
				return p, errMore
			}
			if i < len(b) && b[i] != r.delim && b[i] != '\n' && b[i] != '\r' {
				end := i + lineEnd(b[i:])
				if r.cutOff(b, end) {
					return p, errMore
				}
				used, n := passLine(b, end)
				return parsed{used: used, raw: end, lines: lines + n, fault: afterQuote, where: len(ends) + 1}, nil
			}
		} else {
			start := i
			for i += plain(b[i:], r.delim); i < len(b); i += 1 + plain(b[i+1:], r.delim) {
				c := b[i]
				if c == r.delim || c == '\n' || c == '\r' {
					break
				}
				if c < 0x20 && c != '\t' || c == 0x7f {
					ctrl = true
				}
			}
			if i == len(b) && !r.eof {
				if i > 4*r.lim.MaxRow {
					return parsed{fault: rowTooLong, where: len(ends) + 1}, nil
				}
				return p, errMore
			}
			cells = append(cells, b[start:i]...)
		}
		if len(cells)-cellStart > r.lim.MaxCell && p.fault == noFault {
			p.fault, p.where = cellTooLong, len(ends)+1
		}
		ends = append(ends, len(cells))
		if i < len(b) && b[i] == r.delim {
			if i++; i == len(b) && !r.eof {
				return p, errMore
			}
			if len(ends) < r.lim.MaxColumns {
				continue
			}
			end := i + lineEnd(b[i:])
			if r.cutOff(b, end) {
				return p, errMore
			}
			used, n := passLine(b, end)
			return parsed{used: used, raw: end, lines: lines + n, fault: tooManyCells, where: len(ends)}, nil
		}
		// The record ends at i.
		if i < len(b) && b[i] == '\r' && i+1 == len(b) && !r.eof {
			return p, errMore
		}
		p.raw = i
		used, n := passLine(b, i)
		p.used, p.lines = used, lines+n
		if p.fault == noFault && p.raw > r.lim.MaxRow {
			p.fault = rowTooLong
		}
		return p, nil
	}
}

// cutOff reports whether the line that ends at end, as far as b tells, may go on
// or may end in CR LF.
func (r *recordReader) cutOff(b []byte, end int) bool {
	return !r.eof && len(b) <= 4*r.lim.MaxRow && (end == len(b) || end+1 == len(b) && b[end] == '\r')
}

// lineEnd returns where the line at the start of b ends, or len(b).
func lineEnd(b []byte) int {
	if i := bytes.IndexAny(b, "\r\n"); i >= 0 {
		return i
	}
	return len(b)
}

// passLine steps over a line ending at i: CR LF, LF or CR.
func passLine(b []byte, i int) (used, lines int) {
	switch {
	case i >= len(b):
		return i, 0
	case b[i] == '\r' && i+1 < len(b) && b[i+1] == '\n':
		return i + 2, 1
	}
	return i + 1, 1
}

// plain returns how many bytes at the start of a text are neither a delimiter nor
// below a blank nor DEL. It looks at eight at a time, and may return fewer within the
// last eight.
func plain(b []byte, delim byte) (n int) {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	ends := uint64(delim) * ones
	for ; len(b)-n >= 8; n += 8 {
		x := binary.LittleEndian.Uint64(b[n:])
		del, end := x^0x7f*ones, x^ends
		// As in shows; of the bytes marked the first is right.
		if found := ((x-' '*ones)&^x | (del-ones)&^del | (end-ones)&^end) & highs; found != 0 {
			return n + bits.TrailingZeros64(found)/8
		}
	}
	return n
}

// shows reports whether a text has no byte below a blank, nor DEL: neither line
// endings nor control characters. It looks at eight bytes at a time, as nearly
// all of a large file passes here.
func shows(b []byte) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	for ; len(b) >= 8; b = b[8:] {
		x := binary.LittleEndian.Uint64(b)
		del := x ^ 0x7f*ones
		// The high bit of each byte below a blank, and of each that is 0 in del.
		if ((x-' '*ones)&^x|(del-ones)&^del)&highs != 0 {
			return false
		}
	}
	for _, c := range b {
		if c < ' ' || c == 0x7f {
			return false
		}
	}
	return true
}

// appendPiece appends a piece of a quoted cell with its line endings made LF, and
// counts them.
func appendPiece(cells, piece []byte, lines int) ([]byte, int, bool) {
	ctrl := false
	if shows(piece) {
		return append(cells, piece...), lines, false
	}
	if bytes.IndexByte(piece, '\r') < 0 {
		for _, c := range piece {
			if c == '\n' {
				lines++
			} else if c < 0x20 && c != '\t' || c == 0x7f {
				ctrl = true
			}
		}
		return append(cells, piece...), lines, ctrl
	}
	for i := 0; i < len(piece); i++ {
		c := piece[i]
		switch {
		case c == '\r':
			if i+1 < len(piece) && piece[i+1] == '\n' {
				i++
			}
			c = '\n'
			lines++
		case c == '\n':
			lines++
		case c < 0x20 && c != '\t' || c == 0x7f:
			ctrl = true
		}
		cells = append(cells, c)
	}
	return cells, lines, ctrl
}
