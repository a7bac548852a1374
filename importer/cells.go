package importer

import (
	"io/fs"
	"net/url"
	"path"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// urlEnds is where one URL of a list ends and the next begins: URLs may hold
// commas themselves.
var urlEnds = regexp.MustCompile(`(?i)["\'\]>]?[\s,;|]+["\'\[<]?(https?://)`)

// splitURLs cuts a cell into URLs, or into names of files.
func splitURLs(cell string) []string {
	const around = " \t\n,;|\"'<>[]"
	cell = strings.Trim(tidy(cell), around)
	if cell == "" {
		return nil
	}
	if !strings.ContainsAny(cell, ",;| \t\n") {
		return []string{cell}
	}
	var out []string
	if !strings.Contains(cell, ":") {
		for _, name := range strings.FieldsFunc(cell, func(r rune) bool { return strings.ContainsRune(",;|\n", r) }) {
			if name = strings.Trim(name, around); name != "" {
				out = append(out, name)
			}
		}
		return out
	}
	for _, u := range strings.Split(urlEnds.ReplaceAllString(cell, "\x00$1"), "\x00") {
		if u = strings.Trim(u, around); u != "" {
			out = append(out, u)
		}
	}
	return out
}

// mediaFile is the name of a picture or film. What is none is a mistake in an
// address more often than a file.
var mediaFile = regexp.MustCompile(`(?i)\.(jpe?g|png|gif|webp|bmp|tiff?|avif|heic|mp4|m4v|mov|webm|avi|mkv)$`)

// localMedia returns the path of a picture or film beside the calendar, with
// slashes, and whether s is one. example.com/picture.jpg is not: an address that
// lacks its beginning looks like that.
func localMedia(s string) (string, bool) {
	name := strings.ReplaceAll(s, `\`, "/")
	if strings.Contains(name, ":") || !mediaFile.MatchString(name) || !fs.ValidPath(path.Clean(name)) || strings.HasPrefix(name, "..") {
		return "", false
	}
	first, _, below := strings.Cut(name, "/")
	if below && first != "." && strings.Contains(first, ".") {
		return "", false
	}
	return path.Clean(name), true
}

// badURL says what is wanted of a URL that cannot be used, and the next step, or
// nothing. shown is the URL without a password that stands in it.
func badURL(s, example string) (shown, want, hint string) {
	u, err := url.Parse(s)
	switch {
	case err == nil && u.User != nil:
		return u.Redacted(), "an address without a password in it", "put the file where no password is needed"
	case err == nil && u.Scheme != "" && u.Scheme != "https" && u.Scheme != "http":
		return s, "an address that begins with https://", "write an address that a browser opens without a log-in"
	case err == nil && u.Scheme == "":
		return s, "a web address like " + example, "write the whole address, with https://"
	case err != nil || u.Host == "" || strings.ContainsAny(s, " \n\t"):
		return s, "a web address like " + example, "write a blank as %20, and separate several by ;"
	}
	return s, "", ""
}

// tidy cleans a cell that is read by a program and not by people: blanks of all
// kinds become plain ones, marks that do not show are dropped, and a minus sign
// becomes a hyphen.
func tidy(s string) string {
	if s == "" {
		return s
	}
	all := byte(0)
	for i := range len(s) {
		all |= s[i]
	}
	if all >= utf8.RuneSelf {
		s = strings.Map(func(r rune) rune {
			switch {
			case r < utf8.RuneSelf:
				return r
			case unicode.Is(unicode.Zs, r):
				return ' '
			case unicode.Is(unicode.Cf, r):
				return -1
			case r == '\u2212':
				return '-'
			}
			return r
		}, s)
	} else if isGraphic(s[0]) && isGraphic(s[len(s)-1]) {
		return s
	}
	return strings.TrimSpace(s)
}

// trimText takes off what does not show at the ends of a text.
func trimText(s string) string {
	if s != "" && isGraphic(s[0]) && isGraphic(s[len(s)-1]) {
		return s
	}
	return strings.Trim(s, " \t\n\r\u00a0\ufeff\u200b")
}

// isGraphic reports whether a byte is a character of ASCII that shows.
func isGraphic(c byte) bool { return c > ' ' && c < 0x7f }

// rounded is a number that a spreadsheet shows instead of a long id.
var rounded = regexp.MustCompile(`^\d([.,]\d+)?[eE]\+\d+$`)

// roundedEnd finds such a number at the end of a connection id.
var roundedEnd = regexp.MustCompile(`\d[eE]\+\d+$`)

func roundedID(id string) bool { return rounded.MatchString(id) }
