package publish

import (
	"errors"
	"fmt"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/graphemes"

	"github.com/postroom/postroom/limits"
)

// Numbering says which parts of a thread end in " (2/5)".
type Numbering uint8

const (
	NumberAuto   Numbering = iota // parts that Split cut, not those the author marked
	NumberAlways                  // all but what carries marks of its own
	NumberNever
)

// ParseNumbering reads the config's thread_numbering: auto, always or never; ""
// is auto.
func ParseNumbering(s string) (Numbering, error) {
	switch s {
	case "", "auto":
		return NumberAuto, nil
	case "always":
		return NumberAlways, nil
	case "never":
		return NumberNever, nil
	}
	return 0, fmt.Errorf("thread_numbering %q: want auto, always or never", s)
}

// ErrUncuttable is Split's word for a text that no cut makes fit: a URL, or one
// character, is longer than a part may be.
var ErrUncuttable = errors.New("a URL in it is longer than one part may be")

// reserved is what a number is given room for, enough for " (100/100)"
// (CONTRACT §5.1).
const reserved = 10

// Split cuts text into the parts of a thread, each within l with its number. A
// text that fits and has no marks is one part, as it is; an empty one is none.
//
// What the author marked comes first: lines of only --- separate parts, and a
// full sequence of [1/3] … [3/3] or (1/3) … (3/3), each at the end of a
// paragraph, ends parts and is kept as their number. Else, and within such a
// part that is too long, the cut is made at the end of a paragraph, a line, a
// sentence or a word, the first of these that leaves the part at least half
// full; a word's end at any fill comes next, and last the end of a grapheme
// cluster. URLs are never cut, nor are mentions and hashtags that would fit a
// part. White space around a cut is dropped, everything else is kept (CONTRACT
// §5.1).
//
// The same text always gives the same parts, but another version of the Unicode
// tables may cut elsewhere: split once, store the parts and never again.
func Split(text string, l limits.TextLimit, n Numbering) ([]string, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, nil
	}
	marked, own := marks(text)
	switch {
	case len(marked) == 1 && Fits(marked[0], l):
		return marked, nil
	case own:
		n = NumberNever
	case n == NumberAlways:
		return numbered(marked, l)
	}
	var parts []string
	for _, part := range marked {
		if Fits(part, l) {
			parts = append(parts, part)
			continue
		}
		cutter := numbered
		if n == NumberNever {
			cutter = unnumbered
		}
		pieces, err := cutter([]string{part}, l)
		if err != nil {
			return nil, err
		}
		parts = append(parts, pieces...)
	}
	return parts, nil
}

// numbered cuts texts and numbers all parts through. N is known only after the
// cut, so a thread that needs wider numbers than were reserved is cut again.
func numbered(texts []string, l limits.TextLimit) ([]string, error) {
	for room := reserved; ; {
		parts, err := fill(texts, l, room)
		if err != nil {
			return nil, err
		}
		if need := len(number(len(parts), len(parts))); need > room {
			room = need
			continue
		}
		for i := range parts {
			parts[i] += number(i+1, len(parts))
		}
		return parts, nil
	}
}

func unnumbered(texts []string, l limits.TextLimit) ([]string, error) { return fill(texts, l, 0) }

func number(i, n int) string { return fmt.Sprintf(" (%d/%d)", i, n) }

// fill cuts each text into parts with room for a suffix of that many characters
// left in each.
func fill(texts []string, l limits.TextLimit, room int) ([]string, error) {
	if l.Max > 0 {
		l.Max = max(1, l.Max-room)
	}
	if l.MaxBytes > 0 {
		l.MaxBytes = max(1, l.MaxBytes-room)
	}
	var parts []string
	for _, text := range texts {
		for text != "" {
			at, err := cut(text, l)
			if err != nil {
				return nil, err
			}
			if part := strings.TrimSpace(text[:at]); part != "" {
				parts = append(parts, part)
			}
			text = strings.TrimSpace(text[at:])
		}
	}
	return parts, nil
}

// cut returns where to end the first part of text, which has no white space
// around it.
func cut(text string, l limits.TextLimit) (int, error) {
	if Fits(text, l) {
		return len(text), nil
	}
	ends := longest(text, l)
	if len(ends) == 0 {
		return 0, ErrUncuttable
	}
	for _, boundary := range []func(string, int) bool{paragraphEnd, lineEnd, sentenceEnd, wordEnd} {
		if at := lastEnd(text, ends, len(ends)/2, boundary, l); at > 0 {
			return at, nil
		}
	}
	if at := lastEnd(text, ends, 0, wordEnd, l); at > 0 {
		return at, nil
	}
	return ends[len(ends)-1], nil
}

// lastEnd returns the last of ends from index least on at which boundary holds
// and the part fits; 0 when there is none. That a longer part fits does not
// always mean that a shorter one does: a URL or a mention may count less than
// its beginning.
func lastEnd(text string, ends []int, least int, boundary func(string, int) bool, l limits.TextLimit) int {
	for i := len(ends) - 1; i >= least; i-- {
		if boundary(text, ends[i]) && Fits(text[:ends[i]], l) {
			return ends[i]
		}
	}
	return 0
}

// longest returns the byte offsets at which text may be cut so that what is
// before it fits, ascending. They keep clear of grapheme clusters and URLs, and
// of mentions and hashtags as far as those fit a part.
func longest(text string, l limits.TextLimit) []int {
	links := linkSpans(text, true)
	if ends := fittingEnds(text, l, links, tagSpans(text)); len(ends) > 0 {
		return ends
	}
	return fittingEnds(text, l, links, nil)
}

// stride is how many offsets are gathered before the last is tried.
const stride = 64

func fittingEnds(text string, l limits.TextLimit, links, tags []span) []int {
	fits := func(at int) bool { return Fits(strings.TrimRightFunc(text[:at], unicode.IsSpace), l) }
	var ends []int
	at := 0
	for g := graphemes.FromString(text); g.Next(); {
		at += len(g.Value())
		links, tags = pass(links, at), pass(tags, at)
		if begun(links, at) || begun(tags, at) {
			continue
		}
		if ends = append(ends, at); len(ends)%stride == 0 && !fits(at) {
			break
		}
	}
	return ends[:sort.Search(len(ends), func(i int) bool { return !fits(ends[i]) })]
}

// pass drops the spans that end at or before at.
func pass(spans []span, at int) []span {
	for len(spans) > 0 && spans[0].to <= at {
		spans = spans[1:]
	}
	return spans
}

// begun reports whether the first span lies on both sides of at.
func begun(spans []span, at int) bool { return len(spans) > 0 && spans[0].from < at }

// tagSpans returns the mentions, hashtags and cashtags of text.
func tagSpans(text string) []span {
	var spans []span
	for at := 0; at < len(text); {
		i := strings.IndexAny(text[at:], "@#$")
		if i < 0 {
			break
		}
		at += i
		end := at + 1 + runLen(text[at+1:], func(r rune) bool {
			return r == '@' || r == '.' || r == '_' || r == '-' || unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)
		})
		if end > at+1 {
			spans = append(spans, span{at, end})
		}
		at = end
	}
	return spans
}

func paragraphEnd(text string, at int) bool {
	space := text[at : at+runLen(text[at:], unicode.IsSpace)]
	return strings.Count(space, "\n") >= 2 && !spaceBefore(text, at)
}

func lineEnd(text string, at int) bool {
	return at < len(text) && (text[at] == '\n' || text[at] == '\r') && !spaceBefore(text, at)
}

func wordEnd(text string, at int) bool {
	if spaceBefore(text, at) {
		return false
	}
	r, _ := utf8.DecodeRuneInString(text[at:])
	return unicode.IsSpace(r)
}

func spaceBefore(text string, at int) bool {
	r, _ := utf8.DecodeLastRuneInString(text[:at])
	return unicode.IsSpace(r)
}

// sentenceEnd reports whether a sentence ends at text[at]: behind . ! ? … and
// closing marks, before white space, or behind their CJK forms.
func sentenceEnd(text string, at int) bool {
	before := strings.TrimRight(text[:at], `"'”’»)]`)
	last, n := utf8.DecodeLastRuneInString(before)
	switch last {
	case '。', '！', '？':
		return true
	case '!', '?', '…', '.':
	default:
		return false
	}
	if !wordEnd(text, at) {
		return false
	}
	return last != '.' || !abbreviation(before[:len(before)-n]) && !nextIsLower(text[at:])
}

// abbreviation reports whether the word that ends s is likely to be followed by
// a full stop that ends no sentence: "Mr", "e.g", "z.B", "J".
func abbreviation(s string) bool {
	word := s[strings.LastIndexFunc(s, unicode.IsSpace)+1:]
	first, _ := utf8.DecodeRuneInString(word)
	switch n := utf8.RuneCountInString(word); {
	case n <= 1:
		return !unicode.IsDigit(first)
	case strings.Contains(word, ".") && n <= 5:
		return true
	default:
		return n <= 3 && unicode.IsUpper(first)
	}
}

func nextIsLower(rest string) bool {
	r, _ := utf8.DecodeRuneInString(strings.TrimLeftFunc(rest, unicode.IsSpace))
	return unicode.IsLower(r)
}

var (
	separator  = regexp.MustCompile(`(?m)^[ \t]*---[ \t]*\r?$`)
	markSquare = regexp.MustCompile(`\[(\d{1,3})/(\d{1,3})\][ \t]*(?:\r?\n[ \t]*(?:\r?\n|$)|$)`)
	markRound  = regexp.MustCompile(`\((\d{1,3})/(\d{1,3})\)[ \t]*(?:\r?\n[ \t]*(?:\r?\n|$)|$)`)
)

// marks cuts text where its author said so; own is true when the parts carry
// numbers of the author's. Without marks it is one part.
func marks(text string) (parts []string, own bool) {
	if !mayBeMarked(text) {
		return []string{text}, false
	}
	if strings.Contains(text, "---") {
		for _, part := range separator.Split(text, -1) {
			if part = strings.TrimSpace(part); part != "" {
				parts = append(parts, part)
			}
		}
	} else {
		parts = []string{text}
	}
	if len(parts) != 1 {
		return parts, false
	}
	for _, mark := range []*regexp.Regexp{markSquare, markRound} {
		if byNumber := sequence(parts[0], mark); byNumber != nil {
			return byNumber, true
		}
	}
	return parts, false
}

// mayBeMarked reports whether a text can have marks at all: the last number would be
// its end.
func mayBeMarked(text string) bool {
	text = strings.TrimSpace(text)
	return strings.HasSuffix(text, "]") || strings.HasSuffix(text, ")") || strings.Contains(text, "---")
}

// sequence cuts text behind each mark when the marks are 1/m … m/m, m > 1, and
// the last is at the end; else it returns nil.
func sequence(text string, mark *regexp.Regexp) []string {
	found := mark.FindAllStringSubmatchIndex(text, -1)
	if len(found) < 2 || found[len(found)-1][1] != len(text) {
		return nil
	}
	var parts []string
	from := 0
	for i, m := range found {
		at, _ := strconv.Atoi(text[m[2]:m[3]])
		of, _ := strconv.Atoi(text[m[4]:m[5]])
		if at != i+1 || of != len(found) {
			return nil
		}
		parts = append(parts, strings.TrimSpace(text[from:m[1]]))
		from = m[1]
	}
	return parts
}
