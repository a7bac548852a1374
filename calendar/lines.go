package calendar

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
)

// decode makes a text of a file's bytes: UTF-16 by its mark or by its NULs, else
// as it is, without marks and without what is in no text. What is not UTF-8 stays
// for later: only whole lines tell what it is.
func decode(raw string) string {
	order, wide := unicode.LittleEndian, false
	text := raw
	switch {
	case strings.HasPrefix(raw, "\xef\xbb\xbf"):
		text = raw[3:]
	case strings.HasPrefix(raw, "\xff\xfe"):
		wide = true
	case strings.HasPrefix(raw, "\xfe\xff"):
		order, wide = unicode.BigEndian, true
	default:
		even, odd := zeros(raw[:min(len(raw), 512)])
		switch {
		case odd > 100 && even < odd/4:
			wide = true
		case even > 100 && odd < even/4:
			order, wide = unicode.BigEndian, true
		}
	}
	if wide {
		// The decoder replaces what is broken, and so never fails.
		text, _ = unicode.UTF16(order, unicode.UseBOM).NewDecoder().String(raw)
	}
	if strings.IndexByte(text, 0) >= 0 || strings.IndexByte(text, 0x1a) >= 0 || strings.Contains(text, "\ufeff") {
		text = strings.NewReplacer("\x00", "", "\x1a", "", "\ufeff", "").Replace(text)
	}
	return text
}

// zeros counts the NULs at even and at odd places.
func zeros(s string) (even, odd int) {
	for i := range len(s) {
		switch {
		case s[i] != 0:
		case i%2 == 0:
			even++
		default:
			odd++
		}
	}
	return even, odd
}

// The most bytes that one unfolded line may hold: of anything, and of an ATTACH
// with its content inside.
const (
	maxLine   = 1 << 20
	maxAttach = 24 << 20
)

// A lexer cuts a text into lines, and folded lines together again.
type lexer struct {
	text   string
	utf8   bool // all of it
	pos    int
	lf     int    // the first line feed not before pos; len(text) when there is none
	n      int    // lines begun so far
	empty  int    // lines with nothing in them, passed over since
	indent string // what the whole file is indented by
	pad    string // blanks that end every line and are not meant
	ahead  string // a line given back
	held   bool   // there is one
}

func newLexer(text string) *lexer {
	return &lexer{text: text, utf8: utf8.ValidString(text), lf: -1}
}

// physical returns the next line as it stands, without its ending: CR LF, LF, CR,
// or the CR CR LF of a file that was converted twice.
func (l *lexer) physical() (line string, ok bool) {
	if l.held {
		l.held = false
		l.n++
		return l.ahead, true
	}
	if l.pos >= len(l.text) {
		return "", false
	}
	if l.lf < l.pos {
		l.lf = len(l.text)
		if i := strings.IndexByte(l.text[l.pos:], '\n'); i >= 0 {
			l.lf = l.pos + i
		}
	}
	seg := l.text[l.pos:l.lf]
	l.n += 1 + l.empty
	l.empty = 0
	if cr := strings.IndexByte(seg, '\r'); cr < 0 {
		l.pos = l.lf + 1
	} else {
		end := cr + 1
		for end < len(seg) && seg[end] == '\r' {
			end++
		}
		if end == len(seg) && l.lf < len(l.text) {
			l.pos = l.lf + 1
		} else { // CR alone ends lines
			l.pos += end
			l.empty = end - cr - 1
		}
		seg = seg[:cr]
	}
	seg = strings.TrimPrefix(seg, l.indent)
	return strings.TrimSuffix(seg, l.pad), true
}

// unread gives a line back.
func (l *lexer) unread(line string) {
	l.ahead, l.held = line, true
	l.n--
}

// begin goes to the first line that begins a calendar, or an event alone, past
// whatever a mail or a server put before it. found is "" when there is none.
func (l *lexer) begin() (found string) {
	start := *l
	if found = l.beginOn(func() (string, bool) { return l.physical() }); found == "" {
		*l = start // its very name may be folded
		found = l.beginOn(func() (string, bool) {
			line, ok := l.next()
			return line.text, ok
		})
	}
	return found
}

// beginOn does so with what next calls a line.
func (l *lexer) beginOn(next func() (string, bool)) (found string) {
	event := -1
	var atEvent lexer
	var eventLine string
	for {
		before := *l
		line, ok := next()
		if !ok {
			break
		}
		bare := strings.TrimSpace(line)
		if len(bare) > 20 || len(bare) < 12 {
			continue
		}
		switch name := strings.ToUpper(strings.ReplaceAll(bare, " ", "")); name {
		case "BEGIN:VCALENDAR":
			l.settle(before, line)
			return "VCALENDAR"
		case "BEGIN:VEVENT":
			if event < 0 {
				event, atEvent, eventLine = l.n, before, line
			}
		}
	}
	if event < 0 {
		return ""
	}
	l.settle(atEvent, eventLine)
	return "VEVENT"
}

// settle goes back to the line that begins the calendar and learns from it how
// the file is indented and padded.
func (l *lexer) settle(before lexer, line string) {
	*l = before
	l.indent = line[:len(line)-len(strings.TrimLeft(line, " \t"))]
	pad := line[len(strings.TrimRight(line, " \t")):]
	for probe, bare := before, false; pad != ""; {
		s, ok := probe.physical()
		switch {
		case !ok:
			l.pad = pad
			return
		case bare: // more than the last line is without
			return
		}
		bare = s != "" && !strings.HasSuffix(s, pad)
	}
}

// A logical is an unfolded line.
type logical struct {
	text string
	line int  // physical line it begins on, from 1
	cut  bool // it was too long, and its end is gone
}

// next returns the next unfolded line that is not blank, in UTF-8.
func (l *lexer) next() (out logical, ok bool) {
	for {
		if out.text, ok = l.physical(); !ok {
			return out, false
		}
		if strings.TrimSpace(out.text) != "" {
			break
		}
	}
	out.line = l.n
	most := maxLine
	if len(out.text) > 6 && strings.EqualFold(out.text[:6], "ATTACH") {
		most = maxAttach
	}
	var b strings.Builder
	folded := false
	for {
		line, more := l.physical()
		if !more {
			break
		}
		soft := quotedPrintable(out.text) && endsSoft(&b, out.text, folded)
		if !soft && (line == "" || line[0] != ' ' && line[0] != '\t') {
			l.unread(line)
			break
		}
		if !folded {
			b.WriteString(out.text[:min(len(out.text), most)])
			folded = true
		}
		rest := line
		switch {
		case soft: // the = stays for the decoder, and a line end behind it
			rest = "\n" + line
		default:
			rest = line[1:]
		}
		if b.Len()+len(rest) > most {
			out.cut = true
			continue
		}
		b.WriteString(rest)
	}
	if folded {
		out.text = b.String()
	} else if len(out.text) > most {
		out.text, out.cut = out.text[:most], true
	}
	if !l.utf8 || out.cut {
		out.text = toUTF8(out.text)
	}
	return out, true
}

// quotedPrintable reports whether a line says that its value is so encoded, as
// vCalendar 1.0 has it.
func quotedPrintable(line string) bool {
	if len(line) <= 16 {
		return false
	}
	head, _, _ := strings.Cut(line[:min(len(line), 256)], ":")
	return len(head) > 16 && strings.Contains(strings.ToUpper(head), "QUOTED-PRINTABLE")
}

// endsSoft reports whether what was read so far ends in a soft line break.
func endsSoft(b *strings.Builder, first string, folded bool) bool {
	if !folded {
		return strings.HasSuffix(first, "=")
	}
	return strings.HasSuffix(b.String(), "=")
}

// toUTF8 reads as Windows-1252 what is not UTF-8.
func toUTF8(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	out, err := charmap.Windows1252.NewDecoder().String(s)
	if err != nil {
		return strings.ToValidUTF8(s, "\ufffd")
	}
	return out
}
