package publish

import (
	"math/bits"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/graphemes"
	"golang.org/x/text/unicode/norm"

	"github.com/postroom/postroom/limits"
)

// Count returns the length of text in the unit of l.
//
// X counts by weight after NFC: 1 for U+0000-10FF and some punctuation, 2 for
// the rest, 2 for an emoji however many code points it is made of, and l.URL
// for each URL, with a scheme or without (docs.x.com, twitter-text config v3).
// Mastodon counts code points, of a mention only @user, and l.URL for each http
// or https URL; it counts graphemes since 4.0, but its kin count code points, so
// that is the safe side. Threads counts an emoji by its UTF-8 bytes.
func Count(text string, l limits.TextLimit) int {
	switch l.Count {
	case limits.TextUTF16:
		return utf16Len(text)
	case limits.TextGraphemes:
		return graphemeLen(text)
	case limits.TextBytes:
		return len(text)
	case limits.TextWeighted:
		return weightedLen(norm.NFC.String(text), l.URL)
	case limits.TextEmojiBytes:
		return emojiBytesLen(text)
	case limits.TextMastodon:
		return mastodonLen(text, l.URL)
	}
	return utf8.RuneCountInString(text)
}

// Fits reports whether text is within l.
func Fits(text string, l limits.TextLimit) bool {
	if l.MaxBytes > 0 && len(text) > l.MaxBytes {
		return false
	}
	return l.Max == 0 || mostLen(text, l) <= l.Max || Count(text, l) <= l.Max
}

// mostLen returns a bound of Count that costs one pass over the bytes: no unit
// counts more than one for a byte, but for URLs that count more than they are
// long, and for code points beyond U+FFFF that NFC takes apart.
func mostLen(text string, l limits.TextLimit) int {
	n := len(text)
	if l.URL > 0 {
		n += l.URL * strings.Count(text, ".")
	}
	if l.Count == limits.TextWeighted {
		if most := n + len(text)/2; most <= l.Max {
			return most // such a code point has four bytes
		}
		n += 2 * fourBytes(text)
	}
	return n
}

// fourBytes counts the bytes from 0xF0 on, which begin code points beyond U+FFFF. It
// looks at eight at a time: every text that is nearly as long as it may be passes here.
func fourBytes(text string) (n int) {
	const highs = 0x8080808080808080
	for ; len(text) >= 8; text = text[8:] {
		x := uint64(text[0]) | uint64(text[1])<<8 | uint64(text[2])<<16 | uint64(text[3])<<24 |
			uint64(text[4])<<32 | uint64(text[5])<<40 | uint64(text[6])<<48 | uint64(text[7])<<56
		n += bits.OnesCount64(x & (x << 1) & (x << 2) & (x << 3) & highs) // the upper four bits of a byte
	}
	for i := range len(text) {
		if text[i] >= 0xF0 {
			n++
		}
	}
	return n
}

func utf16Len(text string) int {
	n := 0
	for _, r := range text {
		n++
		if r > 0xFFFF {
			n++
		}
	}
	return n
}

func graphemeLen(text string) int {
	n := 0
	for g := graphemes.FromString(text); g.Next(); {
		n++
	}
	return n
}

func emojiBytesLen(text string) int {
	n := 0
	for g := graphemes.FromString(text); g.Next(); {
		if c := g.Value(); isEmoji(c) {
			n += len(c)
		} else {
			n += utf8.RuneCountInString(c)
		}
	}
	return n
}

// weightedLen counts text, which is in NFC, as X does.
func weightedLen(text string, url int) int {
	n, from := 0, 0
	if url > 0 {
		for _, s := range linkSpans(text, true) {
			n += weightOf(text[from:s.from]) + url
			from = s.to
		}
	}
	return n + weightOf(text[from:])
}

func weightOf(text string) int {
	n := 0
	for g := graphemes.FromString(text); g.Next(); {
		c := g.Value()
		if len(c) == 1 {
			n++
			continue
		}
		if isEmoji(c) {
			n += 2
			continue
		}
		for _, r := range c {
			n += weight(r)
		}
	}
	return n
}

// weight is what one code point counts on X: the ranges of config v3.
func weight(r rune) int {
	switch {
	case r <= 0x10FF, r >= 0x2000 && r <= 0x200D, r >= 0x2010 && r <= 0x201F, r >= 0x2032 && r <= 0x2037:
		return 1
	}
	return 2
}

func mastodonLen(text string, url int) int {
	n := utf8.RuneCountInString(text)
	if url > 0 {
		for _, s := range linkSpans(text, false) {
			n += url - utf8.RuneCountInString(text[s.from:s.to])
		}
	}
	for _, s := range mentionDomains(text) {
		n -= utf8.RuneCountInString(text[s.from:s.to])
	}
	return n
}

// ShortMentions returns text with every @user@domain cut to @user, as Mastodon
// counts and shows it.
func ShortMentions(text string) string {
	var b strings.Builder
	from := 0
	for _, s := range mentionDomains(text) {
		b.WriteString(text[from:s.from])
		from = s.to
	}
	return b.String() + text[from:]
}

// Bare is what of a text must be equal where one is looked up by what it says: all
// but white space and the domains of mentions, in NFC.
func Bare(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, ShortMentions(norm.NFC.String(text)))
}

// mentionDomains returns the "@domain" of each @user@domain in text. One inside
// a URL is not a mention.
func mentionDomains(text string) []span {
	var spans []span
	for at := 0; ; {
		i := strings.IndexByte(text[at:], '@')
		if i < 0 {
			return spans
		}
		at += i + 1
		if at > 1 {
			if r, _ := utf8.DecodeLastRuneInString(text[:at-1]); r == '/' || r == '=' || mentionRune(r) {
				continue
			}
		}
		user := runLen(text[at:], mentionRune)
		second := at + user
		if user == 0 || second >= len(text) || text[second] != '@' {
			continue
		}
		domain := strings.TrimRight(text[second+1:second+1+runLen(text[second+1:], func(r rune) bool { return hostRune(r) || r == '.' })], ".-_")
		if domain != "" {
			spans = append(spans, span{second, second + 1 + len(domain)})
			at = second + 1 + len(domain)
		}
	}
}

func mentionRune(r rune) bool {
	return r == '_' || r == '-' || r == '.' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}

// runLen returns the length in bytes of the longest prefix of s in which ok
// holds for every rune.
func runLen(s string, ok func(rune) bool) int {
	for i, r := range s {
		if !ok(r) {
			return i
		}
	}
	return len(s)
}
