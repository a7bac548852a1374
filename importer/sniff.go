package importer

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A style is how a table is written as text.
type style struct {
	delim  byte
	quote  byte // around cells
	escape byte // before a quote within a cell; 0 where it is written twice
}

// delimiters are the ones of files that are read, the likelier first.
var delimiters = []byte{',', ';', '\t', '|'}

// rare are delimiters that tables elsewhere have. A calendar with one of them is
// told so, and not read.
var rare = []byte{'^', '~', ':', ' ', '#', '&', '*', '!', '\x01', '\x1f'}

// sniff finds the delimiter of a calendar from its first records: the one under
// which most column names are known, else the one that the looks of the table
// speak for (INGEST §4.1).
func sniff(head []byte, whole bool) byte {
	best, bestNames := delimiters[0], 0
	for _, d := range delimiters {
		if n := namesUnder(head, d, whole); n > bestNames {
			best, bestNames = d, n
		}
	}
	if bestNames > 0 {
		return best
	}
	s := sniffStyle(head, whole, delimiters)
	return s.delim
}

// namesUnder is how many column names the row has that has most of them, when the
// text is cut at a delimiter.
func namesUnder(head []byte, delim byte, whole bool) int {
	if bytes.IndexByte(head, delim) < 0 {
		return 0
	}
	f := File{opt: Options{Limits: DefaultLimits()}}
	names := 0
	var above []string
	for _, rec := range f.headRecords(head, delim, whole, mostPreamble+1) {
		cells := cellsOf(&rec)
		if rec.fault != noFault || len(cells) < 2 {
			continue
		}
		names = max(names, known(cells))
		if r := recogniseHeader(cells, above); r != nil {
			names = max(names, r.found)
		}
		above = cells
	}
	return names
}

// named reports whether one of the first rows holds known column names under a
// delimiter.
func named(head []byte, delim byte, whole bool) bool { return namesUnder(head, delim, whole) > 0 }

// sniffRows is how many records are looked at.
const sniffRows = 50

// sniffStyle finds out how any table is written, whatever it is about: under the
// right style its rows have the same width, and its cells are numbers, dates,
// addresses or plain words (after van den Burg, Nazábal and Sutton, "Wrangling messy
// CSV files by detecting row and type patterns", 2019). A text of one column has a
// comma.
func sniffStyle(head []byte, whole bool, delims []byte) style {
	if !whole { // the last line may be cut off
		if i := bytes.LastIndexAny(head, "\r\n"); i > 0 {
			head = head[:i+1]
		}
	}
	best, bestScore := style{delim: delimiters[0], quote: '"'}, 0.0
	for _, d := range delims {
		if bytes.IndexByte(head, d) < 0 {
			continue
		}
		for _, q := range quotesIn(head) {
			for _, e := range escapesIn(head, q) {
				s := style{delim: d, quote: q, escape: e}
				score := s.score(head)
				if score < leastOfRare && likelihood(d) < 0.9 {
					continue
				}
				if score > bestScore*1.0001 {
					best, bestScore = s, score
				}
			}
		}
	}
	if best.quote == 0 {
		best.quote = '"' // none occurs
	}
	return best
}

// leastOfRare is the score below which a rare delimiter is none: a text of one
// column has blanks and colons too.
const leastOfRare = 0.08

// quotesIn lists the quotes that a text may have around its cells; 0 is none.
func quotesIn(text []byte) []byte {
	out := []byte{'"'}
	if bytes.IndexByte(text, '"') >= 0 {
		out = append(out, 0)
	}
	if bytes.IndexByte(text, '\'') >= 0 {
		out = append(out, '\'')
	}
	return out
}

func escapesIn(text []byte, quote byte) []byte {
	if quote != 0 && bytes.Contains(text, []byte{'\\', quote}) {
		return []byte{0, '\\'}
	}
	return []byte{0}
}

// likelihood is how likely a delimiter is where all else is equal.
func likelihood(d byte) float64 {
	switch d {
	case '\t':
		return 1.2 // texts hold none
	case ';':
		return 1.05
	case ',':
		return 1
	case '|', '^', '~', '\x01', '\x1f':
		return 0.95
	case ' ', ':':
		return 0.75
	}
	return 0.5
}

// mostSniffed is how many rows a style is judged by.
const mostSniffed = 400

// score says how well a style fits a text: how even the rows are that it gives,
// and how many of their cells look like something.
func (s style) score(text []byte) float64 {
	t := tally{style: s, widths: map[int]int{}}
	for len(text) > 0 && t.rows < mostSniffed {
		text = t.row(text)
	}
	if t.rows == 0 || t.cells == 0 {
		return 0
	}
	even, usual := 0.0, 1
	for width, n := range t.widths {
		share := float64(n) / float64(t.rows)
		even += share * share * float64(width-1) / float64(width)
		if n > t.widths[usual] || n == t.widths[usual] && width > usual {
			usual = width
		}
	}
	// A header row has the width of the rows below it, under the right delimiter.
	for i, width := range t.first {
		if width == usual {
			break
		}
		switch {
		case i > 0:
			even *= 0.93
		case (s.delim == ' ' || s.delim == ':') && t.quoted*20 < t.cells: // of which texts are full
			even *= 0.35
		default:
			even *= 0.75
		}
	}
	sense := t.sense / float64(t.cells)
	score := even * sense * sense * likelihood(s.delim)
	if t.open {
		score /= 4
	}
	if s.quote == '\'' && t.quoted == 0 {
		return 0
	}
	// A mark within times, addresses and dates parts no cells.
	if t.inner*2 > t.cuts {
		score /= 50
	}
	return score
}

// A tally counts what a style makes of a text.
type tally struct {
	style
	widths map[int]int // rows by width
	first  []int       // widths of the first rows
	rows   int
	cells  int
	quoted int     // cells within quotes
	sense  float64 // cells that look like something
	cuts   int     // delimiters
	inner  int     // those that look like a part of what they stand in
	open   bool    // a quote is never closed
}

// row counts the row at the start of a text, and returns what is left of it.
func (t *tally) row(text []byte) []byte {
	width, i := 0, 0
	blank := true
	for {
		cell, quoted, next, end := t.cell(text[i:])
		if width > 0 || len(cell) > 0 || quoted {
			blank = blank && len(bytes.TrimSpace(cell)) == 0 && !quoted
		}
		width++
		if !(t.delim == ' ' && len(cell) == 0 && !quoted) {
			t.judge(cell, quoted)
		} else {
			width-- // blanks that stand together, as in columns made even
		}
		i += next
		if end {
			break
		}
		t.cuts++
		if t.within(text, i-1) {
			t.inner++
		}
	}
	if !blank {
		width = max(width, 1)
		t.widths[width]++
		if t.rows++; len(t.first) < mostPreamble {
			t.first = append(t.first, width)
		}
	}
	return text[i:]
}

// within reports whether a delimiter stands in a time, as 9:05, between a date and
// a time, or in an address.
func (t *tally) within(text []byte, at int) bool {
	if at == 0 || at+1 >= len(text) || !digit(text[at-1]) && text[at+1] != '/' {
		return false
	}
	switch t.delim {
	case ':':
		long := at+3 < len(text) && digit(text[at+3]) || at > 2 && digit(text[at-3]) && text[at-1] != '/'
		return text[at+1] == '/' || digit(text[at+1]) && at+2 < len(text) && digit(text[at+2]) && !long
	case ' ':
		return at+3 < len(text) && digit(text[at+1]) && (text[at+2] == ':' || text[at+3] == ':')
	}
	return false
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// cell cuts the cell at the start of a text off: what it holds, how much of the
// text it takes with what ends it, and whether it ends its row.
func (t *tally) cell(text []byte) (cell []byte, quoted bool, used int, end bool) {
	i := 0
	for i < len(text) && text[i] == ' ' && t.delim != ' ' {
		i++
	}
	if t.quote != 0 && i < len(text) && text[i] == t.quote {
		if cell, used, ok := t.quotedCell(text, i+1); ok {
			used, end := t.pass(text, used)
			return cell, true, used, end
		}
	}
	for i = 0; i < len(text); i++ {
		if c := text[i]; c == t.delim || c == '\n' || c == '\r' {
			break
		}
	}
	used, end = t.pass(text, i)
	return text[:i], false, used, end
}

// quotedCell reads up to the quote that closes a cell: one with a delimiter or the
// end of a line behind it.
func (t *tally) quotedCell(text []byte, from int) (cell []byte, used int, ok bool) {
	for i := from; i < len(text); i++ {
		switch c := text[i]; {
		case t.escape != 0 && c == t.escape:
			i++
		case c != t.quote:
		case t.escape == 0 && i+1 < len(text) && text[i+1] == t.quote:
			i++
		default:
			j := i + 1
			for j < len(text) && text[j] == ' ' && t.delim != ' ' {
				j++
			}
			if j == len(text) || text[j] == t.delim || text[j] == '\n' || text[j] == '\r' {
				return text[from:i], j, true
			}
			return nil, 0, false // text behind it: no quote of a cell
		}
	}
	t.open = true
	return nil, 0, false
}

// pass steps over what ends a cell at i.
func (t *tally) pass(text []byte, i int) (used int, end bool) {
	if i < len(text) && text[i] == t.delim {
		return i + 1, false
	}
	used, _ = passLine(text, i)
	return used, true
}

// judge counts a cell and says how much it looks like one.
func (t *tally) judge(cell []byte, quoted bool) {
	t.cells++
	if quoted {
		t.quoted++
		t.sense++
		return
	}
	t.sense += looksLikeCell(bytes.TrimSpace(cell))
}

// looksLikeCell weighs a cell that stands without quotes: 1 for nothing at all, a
// number, a date, an address or words, and less for what has marks in it that part
// cells.
func looksLikeCell(cell []byte) float64 {
	if len(cell) == 0 {
		return 0.9
	}
	if isAddress(string(cell[:min(len(cell), 8)])) {
		if bytes.ContainsAny(cell, " ;|\t") {
			return 0.3
		}
		return 1
	}
	letters, digits, marks := 0, 0, 0
	if cell[0] == '\'' || cell[len(cell)-1] == '\'' {
		marks++ // a quoted cell, or half of one
	}
	for i := 0; i < len(cell); {
		r, size := utf8.DecodeRune(cell[i:])
		switch {
		case r >= '0' && r <= '9':
			digits++
		case unicode.IsLetter(r):
			letters++
		case r == '"':
			return 0.1
		case strings.ContainsRune(";|\t^~", r):
			marks += 2
		case r == ':' && letters > 0 && i+1 < len(cell) && cell[i+1] != ' ':
			marks++
		case r == ',':
			after := i + 1
			switch {
			case after < len(cell) && cell[after] == ' ':
			case decimal(cell, i) || thousands(cell, i):
			default:
				marks++
			}
		}
		i += size
	}
	switch {
	case marks > 1:
		return 0.2
	case marks == 1:
		return 0.5
	case letters+digits == 0:
		return 0.6 // marks alone
	}
	return 1
}

// thousands reports whether the comma at i parts the thousands of a number.
func thousands(cell []byte, i int) bool {
	digits := 0
	for j := i + 1; j < len(cell) && digit(cell[j]); j++ {
		digits++
	}
	return digits == 3 && i > 0 && digit(cell[i-1])
}

// decimal reports whether the comma at i stands between digits, as in 1,5.
func decimal(cell []byte, i int) bool {
	return i > 0 && i+1 < len(cell) && digit(cell[i-1]) && digit(cell[i+1]) && bytes.Count(cell, []byte{','}) == 1
}
