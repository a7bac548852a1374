package wordpress

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
)

// mostTitle is how long a first line may be that becomes the title, in characters.
const mostTitle = 120

// headline returns the title of a post and what stands below it. Without a title of
// its own that is the first line, when there are others, and else how the text
// begins.
func headline(title, text string) (head, body string) {
	text = strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n"))
	if title != "" {
		return title, text
	}
	first, rest, _ := strings.Cut(text, "\n")
	first, rest = strings.TrimSpace(first), strings.TrimSpace(rest)
	if rest != "" && utf8.RuneCountInString(first) <= mostTitle {
		return first, rest
	}
	return post.Shorten(first), text
}

// Text means itself in HTML, and to WordPress, whose shortcodes begin with a bracket
// in the middle of any text. Quotes are left for WordPress to make typographic.
var (
	escapes   = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "[", "&#91;", "]", "&#93;")
	inQuotes  = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "[", "&#91;", "]", "&#93;", `"`, "&quot;")
	blankLine = regexp.MustCompile(`\n[ \t]*\n\s*`)
)

// htmlOf writes plain text as HTML: paragraphs, line breaks and links.
func htmlOf(text string) string {
	if text == "" {
		return ""
	}
	var paragraphs []string
	for _, p := range blankLine.Split(text, -1) {
		paragraphs = append(paragraphs, "<p>"+strings.ReplaceAll(linked(p), "\n", "<br />")+"</p>")
	}
	return strings.Join(paragraphs, "\n\n")
}

// linked escapes text, and makes links of the URLs in it.
func linked(text string) string {
	var b strings.Builder
	done := 0
	for from, to := range publish.Links(text) {
		b.WriteString(escapes.Replace(text[done:from]))
		b.WriteString(`<a href="` + inQuotes.Replace(text[from:to]) + `">` + escapes.Replace(text[from:to]) + `</a>`)
		done = to
	}
	b.WriteString(escapes.Replace(text[done:]))
	return b.String()
}
