package telegram

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// entity is a stretch of a text that is shown in some way. Offsets and lengths
// are UTF-16 code units.
type entity struct {
	Type   string `json:"type"`
	Offset int    `json:"offset"`
	Length int    `json:"length"`
	URL    string `json:"url,omitempty"`
}

// parseMarks takes the marks out of text and returns what they say: *bold*,
// _italic_, `code`, ```a block```, [words](https://example.com), and lines that
// begin with "> " (CONTRACT §5.1). A mark without its partner, or in the middle of
// a word, is text. Entities come in the order of their offsets. What is not UTF-8
// is replaced first, as it is when it is sent: taking a mark from between two
// halves of a character would move the offsets.
func parseMarks(text string) (string, []entity) {
	m := marker{in: strings.ToValidUTF8(text, "\ufffd")}
	m.quotes()
	slices.SortStableFunc(m.entities, func(a, b entity) int {
		if a.Offset != b.Offset {
			return a.Offset - b.Offset
		}
		return b.Length - a.Length
	})
	return m.out.String(), m.entities
}

// marker writes text without its marks.
type marker struct {
	in       string
	out      strings.Builder
	units    int // UTF-16 code units in out
	entities []entity
}

func (m *marker) write(s string) {
	m.out.WriteString(s)
	m.units += units(s)
}

func units(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r > 0xFFFF {
			n++
		}
	}
	return n
}

// note records an entity from an offset to where out ends, unless it is empty.
func (m *marker) note(kind string, from int, url string) {
	if m.units > from {
		m.entities = append(m.entities, entity{kind, from, m.units - from, url})
	}
}

// quotes walks through the lines and keeps together those that are quoted, and
// those that are not.
func (m *marker) quotes() {
	const mark = "> "
	var run []string
	quoted := false
	flush := func() {
		from := m.units
		m.inline(strings.Join(run, ""), "*_")
		if quoted {
			m.note("blockquote", from, "")
		}
		run = run[:0]
	}
	fenced := false
	for line := range strings.Lines(m.in) {
		is := !fenced && strings.HasPrefix(line, mark)
		if is != quoted {
			if n := len(run) - 1; quoted && n >= 0 && strings.HasSuffix(run[n], "\n") {
				// The break behind a quotation is not part of it.
				run[n] = strings.TrimSuffix(run[n], "\n")
				flush()
				m.write("\n")
			} else {
				flush()
			}
			quoted = is
		}
		if !is && strings.Count(line, "```")%2 == 1 {
			fenced = !fenced
		}
		if is {
			line = line[len(mark):]
		}
		run = append(run, line)
	}
	flush()
}

// inline writes s, in which these of the marks * and _ count: not the one that is
// open already, so that the depth has an end.
func (m *marker) inline(s, marks string) {
	for s != "" {
		i := strings.IndexAny(s, "*_`[")
		if i < 0 {
			m.write(s)
			return
		}
		before, _ := utf8.DecodeLastRuneInString(s[:i])
		m.write(s[:i])
		s = s[i:]
		if n := m.mark(s, before, i == 0, marks); n > 0 {
			s = s[n:]
			continue
		}
		m.write(s[:1])
		s = s[1:]
	}
}

// mark writes what the mark at the beginning of s holds, and returns how much of
// s that was, 0 when it is no mark. before is the character before it, unless it
// is the first.
func (m *marker) mark(s string, before rune, first bool, marks string) int {
	from := m.units
	switch {
	case strings.HasPrefix(s, "```"):
		n := strings.Index(s[3:], "```")
		if n <= 0 {
			return 0
		}
		m.write(strings.TrimPrefix(s[3:3+n], "\n"))
		m.note("pre", from, "")
		return n + 6
	case s[0] == '`':
		n := strings.IndexByte(s[1:], '`')
		if n <= 0 || strings.Contains(s[1:1+n], "\n") {
			return 0
		}
		m.write(s[1 : 1+n])
		m.note("code", from, "")
		return n + 2
	case s[0] == '[':
		return m.link(s)
	}
	if !strings.Contains(marks, s[:1]) || !first && wordRune(before) {
		return 0
	}
	n := closing(s)
	if n == 0 {
		return 0
	}
	m.inline(s[1:n], strings.ReplaceAll(marks, s[:1], ""))
	m.note(map[byte]string{'*': "bold", '_': "italic"}[s[0]], from, "")
	return n + 1
}

// link writes the words of a link.
func (m *marker) link(s string) int {
	words, rest, ok := strings.Cut(s[1:], "](")
	if !ok || words == "" || strings.ContainsAny(words, "[\n") {
		return 0
	}
	address, _, ok := strings.Cut(rest, ")")
	if !ok || !strings.HasPrefix(address, "https://") && !strings.HasPrefix(address, "http://") || strings.ContainsAny(address, " \n") {
		return 0
	}
	from := m.units
	m.write(words)
	m.note("text_link", from, address)
	return len(words) + len(address) + 4
}

// closing returns where the partner of the mark s[0] stands: in the same
// paragraph, behind a character that is no space, before one that is not of a
// word; 0 for none.
func closing(s string) int {
	if r, _ := utf8.DecodeRuneInString(s[1:]); len(s) < 3 || unicode.IsSpace(r) {
		return 0
	}
	for at := 2; at < len(s); at++ {
		if strings.HasPrefix(s[at-1:], "\n\n") {
			return 0
		}
		if s[at] != s[0] {
			continue
		}
		before, _ := utf8.DecodeLastRuneInString(s[:at])
		after, _ := utf8.DecodeRuneInString(s[at+1:])
		if !unicode.IsSpace(before) && (at+1 == len(s) || !wordRune(after)) {
			return at
		}
	}
	return 0
}

func wordRune(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' || r == '*' || r == '/' || r == '\\'
}
