package calendar

import (
	"html"
	"regexp"
	"strings"
)

// htmlTag finds the tags that calendar programs write. Anything else between
// angle brackets is text: <3, x < y.
var htmlTag = regexp.MustCompile(`(?i)</?(br|p|div|span|li|ul|ol|a|b|i|u|em|strong|h[1-6]|html|body|head|font|table|tbody|tr|td|th|img|script|style|title|meta|link|html-blob|hr|blockquote|pre|sub|sup|small|center|strike|o:p)(\s[^<>]*)?/?>|<!--[\s\S]*?-->|<!doctype[^>]*>|<!\[(?:if[^\]<>]*|endif)\]>`)

var (
	htmlDrop = regexp.MustCompile(`(?is)<(script|style|head|title)(\s[^>]*)?>.*?</(script|style|head|title)\s*>`)
	htmlHref = regexp.MustCompile(`(?is)<a\s[^>]*?href\s*=\s*["']?([^"'\s>]+)["']?[^>]*>(.*?)</a\s*>`)
	htmlNest = regexp.MustCompile(`(?i)</[uo]l\s*>\s*</li\s*>`) // a list within an item
	blankRun = regexp.MustCompile(`[ \t]*\n[ \t]*`)
	lineRun  = regexp.MustCompile(`\n{3,}`)
)

// htmlBlocks are what ends a line where it ends, beside headings.
var htmlBlocks = map[string]bool{"p": true, "div": true, "tr": true, "ul": true, "ol": true, "blockquote": true, "pre": true, "center": true}

// looksHTML reports whether a text holds tags that calendar programs write.
func looksHTML(s string) bool { return strings.IndexByte(s, '<') >= 0 && htmlTag.MatchString(s) }

// htmlText makes plain text of what a calendar program wrote as HTML: paragraphs
// and breaks become line ends, list items get a bullet, a link is followed by its
// address where that is not its text.
func htmlText(s string) string {
	s = htmlDrop.ReplaceAllString(s, "")
	if !strings.Contains(s, "\n") || strings.Contains(strings.ToLower(s), "<body") {
		s = strings.ReplaceAll(s, "\n", " ")
	}
	s = htmlHref.ReplaceAllStringFunc(s, func(a string) string {
		m := htmlHref.FindStringSubmatch(a)
		href, text := html.UnescapeString(m[1]), strings.TrimSpace(htmlTag.ReplaceAllString(m[2], ""))
		bare := func(u string) string {
			return strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(u, "https://"), "http://"), "/")
		}
		switch {
		case text == "" || bare(html.UnescapeString(text)) == bare(href):
			return href
		case !strings.HasPrefix(href, "http"):
			return text
		}
		return text + " (" + href + ")"
	})
	s = htmlNest.ReplaceAllString(s, "")
	s = htmlTag.ReplaceAllStringFunc(s, func(tag string) string {
		name := strings.ToLower(strings.Trim(tag, "</> "))
		name, _, _ = strings.Cut(name, " ")
		closing := strings.HasPrefix(tag, "</")
		switch {
		case name == "br" || name == "hr", closing && (htmlBlocks[name] || name[0] == 'h' && len(name) == 2):
			return "\n"
		case name == "li" && !closing:
			return "\n• "
		}
		return ""
	})
	s = strings.ReplaceAll(html.UnescapeString(s), "\u00a0", " ")
	s = lineRun.ReplaceAllString(blankRun.ReplaceAllString(s, "\n"), "\n\n")
	return strings.TrimSpace(s)
}
