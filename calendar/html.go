package calendar

import (
	"bytes"
	"html"
	"strings"
)

// A tagKind says what becomes of a tag.
type tagKind uint8

const (
	tagPlain  tagKind = iota // nothing
	tagBreak                 // a line ends
	tagBlock                 // a line ends where it ends
	tagList                  // so too, but for a list within an item
	tagItem                  // begins with a bullet
	tagLink                  // its address follows
	tagHidden                // what is within is not shown
)

// kindOf knows the tags that calendar programs write, in lower case. Anything else
// between angle brackets is text: <3, x < y.
func kindOf(name string) (kind tagKind, ok bool) {
	switch name {
	case "span", "b", "i", "u", "em", "strong", "html", "body", "font", "table", "tbody", "td", "th", "img", "meta", "link", "html-blob",
		"sub", "sup", "small", "strike", "o:p":
		return tagPlain, true
	case "br", "hr":
		return tagBreak, true
	case "p", "div", "tr", "blockquote", "pre", "center", "h1", "h2", "h3", "h4", "h5", "h6":
		return tagBlock, true
	case "ul", "ol":
		return tagList, true
	case "li":
		return tagItem, true
	case "a":
		return tagLink, true
	case "script", "style", "head", "title":
		return tagHidden, true
	}
	return 0, false
}

// maxTagName is the length of the longest name of a tag.
const maxTagName = len("blockquote")

// A tag is one that was found in a text, or a comment or the like.
type tag struct {
	kind    tagKind
	closing bool
	attrs   string
	from    int // where in the text
	to      int // and behind it
}

const htmlSpace = " \t\r\n\f"

// A tagReader finds the tags of a text. It takes time in proportion to the text,
// whatever that is.
type tagReader struct {
	text      string
	noComment bool // none ends in what is left
}

// next finds the first tag that begins at from or later.
func (r *tagReader) next(from int) (t tag, ok bool) {
	for {
		n := strings.IndexByte(r.text[from:], '<')
		if n < 0 {
			return tag{}, false
		}
		from += n
		if from+1 < len(r.text) && r.text[from+1] != '<' {
			if t, ok = r.at(from); ok {
				return t, true
			}
		}
		from++
	}
}

// at reads the tag that begins just at from. No tag but a comment holds another bracket.
func (r *tagReader) at(from int) (t tag, ok bool) {
	t.from = from
	s, ok := strings.CutPrefix(r.text[from:], "<")
	switch {
	case !ok:
		return t, false
	case strings.HasPrefix(s, "!"):
		return r.special(t, s)
	}
	s, t.closing = strings.CutPrefix(s, "/")
	var name [maxTagName]byte
	n := 0
	for n < len(s) && n < len(name) && (isWordByte(s[n]) || s[n] == ':' || s[n] == '-') {
		name[n] = s[n]
		if 'A' <= s[n] && s[n] <= 'Z' {
			name[n] += 'a' - 'A'
		}
		n++
	}
	if t.kind, ok = kindOf(string(name[:n])); !ok {
		return t, false
	}
	s = s[n:]
	end := bracket(s)
	if end < 0 || end > 0 && s[:end] != "/" && strings.IndexByte(htmlSpace, s[0]) < 0 {
		return t, false
	}
	t.attrs, t.to = s[:end], len(r.text)-len(s)+end+1
	return t, true
}

// special reads a comment, a doctype or one of the conditions that Word writes. s
// begins with the mark behind its bracket.
func (r *tagReader) special(t tag, s string) (_ tag, ok bool) {
	if strings.HasPrefix(s, "!--") {
		end := -1
		if !r.noComment {
			end = strings.Index(s[3:], "-->")
		}
		r.noComment = end < 0
		t.to = len(r.text) - len(s) + 3 + end + 3
		return t, end >= 0
	}
	end := bracket(s)
	if end < 0 {
		return t, false
	}
	t.to = len(r.text) - len(s) + end + 1
	s = s[:end]
	return t, begins(s, "!doctype") || strings.HasSuffix(s, "]") && (begins(s, "![if") || begins(s, "![endif]"))
}

// bracket returns the place of the first >, or -1 where another bracket stands before
// it.
func bracket(s string) int {
	for i := range len(s) {
		switch s[i] {
		case '>':
			return i
		case '<':
			return -1
		}
	}
	return -1
}

// begins reports whether s begins with head, whatever the case of its letters.
func begins(s, head string) bool {
	return len(s) >= len(head) && strings.EqualFold(s[:len(head)], head)
}

// hiddenEnd returns the place behind what ends a hidden part that begins at from, or
// -1.
func (r *tagReader) hiddenEnd(from int) int {
	for {
		n := strings.Index(r.text[from:], "</")
		if n < 0 {
			return -1
		}
		from += n
		if t, ok := r.at(from); ok && t.kind == tagHidden {
			return t.to
		}
		from += 2
	}
}

// looksHTML reports whether a text holds tags that calendar programs write.
func looksHTML(s string) bool {
	r := tagReader{text: s}
	_, ok := r.next(0)
	return ok
}

// htmlText makes plain text of what a calendar program wrote as HTML: paragraphs
// and breaks become line ends, list items get a bullet, a link is followed by its
// address where that is not its text.
func htmlText(s string) string {
	if strings.Contains(s, "\n") && strings.Contains(strings.ToLower(s), "<body") {
		s = strings.ReplaceAll(s, "\n", " ")
	}
	r := tagReader{text: s}
	out := make([]byte, 0, len(s)) // without tags, still escaped
	from, shown := 0, false
	link, linked := "", -1 // where in out the text of the link begins
	for {
		t, ok := r.next(from)
		if !ok {
			break
		}
		if t.from > from {
			out = appendText(out, s[from:t.from])
		}
		from = t.to
		switch {
		case t.kind == tagHidden && !t.closing && !shown:
			end := r.hiddenEnd(from)
			shown = end < 0 // and so is all that follows
			from = max(from, end)
		case t.kind == tagLink && !t.closing && linked < 0:
			if link = hrefOf(t.attrs); link != "" {
				linked = len(out)
			}
		case t.kind == tagLink && t.closing && linked >= 0:
			out = appendLink(out, linked, link)
			linked = -1
		case t.kind == tagList && t.closing:
			rest := strings.TrimLeft(s[from:], htmlSpace)
			if begins(rest, "</li") {
				if next, ok := r.at(len(s) - len(rest)); ok && next.kind == tagItem {
					from = next.to
					break
				}
			}
			out = append(out, '\n')
		case t.kind == tagBreak, t.kind == tagBlock && t.closing:
			out = append(out, '\n')
		case t.kind == tagItem && !t.closing:
			out = append(out, "\n• "...)
		}
	}
	out = appendText(out, s[from:])
	return tidyLines(strings.ReplaceAll(html.UnescapeString(string(out)), "\u00a0", " "))
}

// appendText appends text that stays escaped. A name that no semicolon ends is none
// of a sign: &copy=1 is a part of an address.
func appendText(b []byte, s string) []byte {
	for {
		i := strings.IndexByte(s, '&') + 1
		if i == 0 {
			return append(b, s...)
		}
		end := i
		for end < len(s) && isWordByte(s[end]) {
			end++
		}
		b = append(b, s[:i]...)
		if end > i && (end == len(s) || s[end] != ';') {
			b = append(b, "amp;"...)
		}
		b = append(b, s[i:end]...)
		s = s[end:]
	}
}

func isWordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// hrefOf returns the address among the attributes of a link, or "".
func hrefOf(attrs string) string {
	for {
		i := indexFold(attrs, "href")
		if i < 0 {
			return ""
		}
		attrs = strings.TrimLeft(attrs[i+len("href"):], htmlSpace)
		value, ok := strings.CutPrefix(attrs, "=")
		if !ok {
			continue
		}
		value = strings.TrimLeft(value, htmlSpace)
		if value != "" && (value[0] == '"' || value[0] == '\'') {
			value, _, _ = strings.Cut(value[1:], value[:1])
		}
		for address := range strings.FieldsSeq(value) {
			return address
		}
	}
}

// indexFold is strings.Index for ASCII letters of any case.
func indexFold(s, lower string) int {
	for i := 0; i+len(lower) <= len(s); i++ {
		if s[i]|0x20 == lower[0] && strings.EqualFold(s[i:i+len(lower)], lower) {
			return i
		}
	}
	return -1
}

// appendLink puts the address of a link behind its text, which begins at from.
func appendLink(out []byte, from int, link string) []byte {
	end := len(bytes.TrimRight(out[from:], htmlSpace)) + from
	text, rest := strings.TrimLeft(string(out[from:end]), htmlSpace), string(out[end:])
	bare := func(u string) string {
		return strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(html.UnescapeString(u), "https://"), "http://"), "/")
	}
	address := string(appendText(nil, link))
	out = out[:end]
	switch {
	case text == "" || bare(text) == bare(address):
		out = append(out[:end-len(text)], address...)
	case strings.HasPrefix(link, "http"):
		out = append(out, " ("+address+")"...)
	}
	return append(out, rest...)
}

// tidyLines trims each line, and lets at most one empty one stand between two others.
func tidyLines(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	ends := 0
	for line := range strings.SplitSeq(s, "\n") {
		if line = strings.Trim(line, " \t"); line != "" {
			if b.Len() > 0 {
				b.WriteString("\n\n"[:min(ends, 2)])
			}
			b.WriteString(line)
			ends = 0
		}
		ends++
	}
	return strings.TrimSpace(b.String())
}
