package linkedin

import (
	"regexp"
	"strings"
)

// reserved are the characters that mean something in LinkedIn's "little text". An
// unescaped one ends the post there without a word.
const reserved = `\|{}@[]()<>#*_~`

var (
	tags     = regexp.MustCompile(`(^|\s)#([\p{L}\p{N}_]*\p{L}[\p{L}\p{N}_]*)`)
	mentions = regexp.MustCompile(`@\[[^\[\]()]+\]\(urn:li:(?:organization|person):[A-Za-z0-9_-]+\)`)
)

// escape writes text as little text: mentions like @[Name](urn:li:organization:1)
// and hashtags stay what they are, everything else means itself (Posts API, little
// text format).
func escape(text string) string {
	var b strings.Builder
	for from := 0; from < len(text); {
		at := mentions.FindStringIndex(text[from:])
		if at == nil {
			b.WriteString(escapeTags(text[from:]))
			break
		}
		b.WriteString(escapeTags(text[from : from+at[0]]))
		b.WriteString(text[from+at[0] : from+at[1]])
		from += at[1]
	}
	return b.String()
}

// escapeTags escapes text without mentions.
func escapeTags(text string) string {
	var b strings.Builder
	from := 0
	for _, m := range tags.FindAllStringSubmatchIndex(text, -1) {
		hash := m[3] // the end of what stands before the sign
		b.WriteString(escapePlain(text[from:hash]))
		b.WriteString(`{hashtag|\#|` + escapePlain(text[m[4]:m[5]]) + `}`)
		from = m[1]
	}
	b.WriteString(escapePlain(text[from:]))
	return b.String()
}

func escapePlain(text string) string {
	var b strings.Builder
	for _, r := range text {
		if strings.ContainsRune(reserved, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

var hashtag = regexp.MustCompile(`\{hashtag\|\\?#\|([^}]*)\}`)

// unescape is the inverse of escape.
func unescape(text string) string {
	text = hashtag.ReplaceAllString(text, `\#$1`)
	var b strings.Builder
	escaped := false
	for _, r := range text {
		if r == '\\' && !escaped {
			escaped = true
			continue
		}
		escaped = false
		b.WriteRune(r)
	}
	return b.String()
}
