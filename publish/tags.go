package publish

import (
	"iter"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Tags yields where in text each hashtag begins, with its #, and ends, in bytes:
// those of networks that mark them up themselves. One inside a URL is none.
func Tags(text string) iter.Seq2[int, int] {
	return func(yield func(int, int) bool) {
		links := linkSpans(text, false)
		for at := 0; at < len(text); {
			i := strings.IndexByte(text[at:], '#')
			if i < 0 {
				return
			}
			from := at + i
			at = from + 1 + len(tagAt(text, from))
			inLink := slices.ContainsFunc(links, func(l span) bool { return l.from <= from && from < l.to })
			if at > from+1 && !inLink && !yield(from, at) {
				return
			}
		}
	}
}

// tagAt returns the tag behind the # at text[from], "" for none: up to white
// space, without punctuation at its end, and more than digits.
func tagAt(text string, from int) string {
	before, _ := utf8.DecodeLastRuneInString(text[:from])
	if from > 0 && !unicode.IsSpace(before) && before != '(' {
		return ""
	}
	tag := text[from+1:]
	if i := strings.IndexFunc(tag, func(r rune) bool { return unicode.IsSpace(r) || r == '#' || unicode.Is(unicode.Cf, r) && r != '\u200d' }); i >= 0 {
		tag = tag[:i]
	}
	tag = strings.TrimRightFunc(tag, unicode.IsPunct)
	if strings.HasPrefix(tag, "\ufe0f") || !strings.ContainsFunc(tag, func(r rune) bool { return !unicode.IsDigit(r) && !unicode.IsPunct(r) }) {
		return ""
	}
	return tag
}
