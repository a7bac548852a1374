package publish

import (
	_ "embed"
	"iter"
	"strings"
	"unicode"
	"unicode/utf8"
)

// tldList names the top-level domains of the IANA root zone, one a line.
//
//go:embed tlds.txt
var tldList string

var tlds = func() map[string]bool {
	m := make(map[string]bool, 1500)
	for t := range strings.Lines(tldList) {
		m[strings.TrimSpace(t)] = true
	}
	return m
}()

// span is a range of bytes in a text.
type span struct{ from, to int }

// Links yields where in text each http or https URL begins and ends, in bytes.
func Links(text string) iter.Seq2[int, int] {
	return func(yield func(int, int) bool) {
		for _, s := range linkSpans(text, false) {
			if !yield(s.from, s.to) {
				return
			}
		}
	}
}

// linkSpans returns the URLs in text, in order, without overlap. A URL has http
// or https and a host that ends in a known top-level domain; with bare, such a
// host is enough if it is ASCII ("go.dev", "readme.md"), as X sees it. The end
// follows X as well: full stops and the like at the end are not part of the URL,
// and neither is a closing bracket that was not opened in it.
//
// The rules are those of twitter-text 3.1, which X and Mastodon both use.
func linkSpans(text string, bare bool) []span {
	var spans []span
	done := 0 // what is before it has been looked at
	for {
		dot := strings.IndexByte(text[done:], '.')
		if dot < 0 {
			return spans
		}
		run := hostRun(text, done, done+dot)
		s, ok := linkAt(text, done, run.from, run.to)
		for from := run.from; !ok && bare && from < run.to; {
			// Without a scheme, each stretch of ASCII in the run may be a host.
			from += runLen(text[from:run.to], func(r rune) bool { return r >= utf8.RuneSelf })
			to := from + runLen(text[from:run.to], func(r rune) bool { return r < utf8.RuneSelf })
			s, ok = bareAt(text, done, from, to)
			from = to
		}
		done = run.to
		if ok {
			spans = append(spans, s)
			done = s.to
		}
	}
}

// hostRun returns the longest stretch around text[dot] of what hosts are made
// of, not beginning before from.
func hostRun(text string, from, dot int) span {
	start := dot
	for start > from {
		r, n := utf8.DecodeLastRuneInString(text[from:start])
		if !hostRune(r) {
			break
		}
		start -= n
	}
	return span{start, dot + runLen(text[dot:], func(r rune) bool { return hostRune(r) || r == '.' })}
}

// linkAt finds the URL with a scheme whose host begins at text[host].
func linkAt(text string, from, host, end int) (span, bool) {
	start := host
	before := strings.ToLower(text[max(from, host-len("https://")):host])
	switch {
	case strings.HasSuffix(before, "https://"):
		start -= len("https://")
	case strings.HasSuffix(before, "http://"):
		start -= len("http://")
	default:
		return span{}, false
	}
	n := hostPrefix(text[host:end])
	r, _ := utf8.DecodeLastRuneInString(text[:start])
	if n == 0 || start > 0 && !mayPrecede(r) {
		return span{}, false
	}
	return span{start, urlTail(text, host+n)}, true
}

// bareAt finds the URL without a scheme that begins at text[host]. One URL may
// not begin where another ended.
func bareAt(text string, from, host, end int) (span, bool) {
	n := hostPrefix(text[host:end])
	if n == 0 || strings.HasPrefix(text[host+n:], "@") {
		return span{}, false
	}
	r, _ := utf8.DecodeLastRuneInString(text[:host])
	if host > 0 && (host == from || !mayPrecede(r) || strings.ContainsRune("-_./", r)) {
		return span{}, false
	}
	return span{host, urlTail(text, host+n)}, true
}

// mayPrecede reports whether a URL may begin after r.
func mayPrecede(r rune) bool {
	return !(r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r)) || strings.ContainsRune("@＠$#＃", r) || r >= 0x202A && r <= 0x202E)
}

func hostRune(r rune) bool {
	return r == '-' || r == '_' || r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r)) ||
		r >= 0xA0 && (unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r))
}

// hostPrefix returns the length of the longest prefix of s that is a host name
// of two labels or more with a known top-level domain, 0 when there is none.
func hostPrefix(s string) int {
	best, from := 0, 0
	for i := 0; ; i++ {
		label, rest, more := strings.Cut(s[from:], ".")
		if label == "" || strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") {
			break
		}
		if i > 0 {
			if n := topLevel(label); n > 0 {
				best = from + n
			}
		}
		if !more || rest == "" {
			break
		}
		from += len(label) + 1
	}
	return best
}

// topLevel returns the length of the top-level domain that label is, or that it
// begins with when other than ASCII letters follow ("comへ"); 0 for none.
func topLevel(label string) int {
	t := strings.ToLower(label)
	if tlds[t] || strings.HasPrefix(t, "xn--") && len(t) > 4 {
		return len(label)
	}
	ascii := runLen(t, func(r rune) bool { return r < utf8.RuneSelf })
	if ascii < len(t) && tlds[t[:ascii]] {
		return ascii
	}
	return 0
}

// maxTail bounds what of a URL behind its host is looked at, in bytes: X takes
// URLs of up to 4096 characters.
const maxTail = 4096

// urlTail returns where the URL ends whose host ends at text[at]: after a port,
// a path and a query, if there are any.
func urlTail(text string, at int) int {
	text = text[:min(len(text), at+maxTail)]
	end := at
	if end < len(text) && text[end] == ':' {
		n := end + 1
		for n < len(text) && text[n] >= '0' && text[n] <= '9' {
			n++
		}
		if n > end+1 {
			end = n
		}
	}
	if end < len(text) && text[end] == '/' {
		end = pathEnd(text, end)
	}
	if end < len(text) && text[end] == '?' {
		if n := queryEnd(text, end); n > end+1 {
			end = n
		}
	}
	return end
}

func pathEnd(text string, at int) int {
	end, depth := at+1, 0
	for i := at + 1; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == '(':
			depth++
		case r == ')' && depth > 0:
			depth--
			if depth == 0 {
				end = i + n
			}
		case pathEndRune(r):
			if depth == 0 {
				end = i + n
			}
		case !strings.ContainsRune("!*';:,.$%[]~@|&", r):
			return end
		}
		i += n
	}
	return end
}

func pathEndRune(r rune) bool {
	return r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r)) || strings.ContainsRune("=_#/+-", r) ||
		r >= 0xC0 && r <= 0x24F && r != 0xD7 && r != 0xF7 || r >= 0x400 && r <= 0x4FF
}

func queryEnd(text string, at int) int {
	end := at + 1
	for i := at + 1; i < len(text); i++ {
		c := text[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("-_&=#/", c) >= 0:
			end = i + 1
		case strings.IndexByte("!?*'@();:+$%[].,~|", c) < 0:
			return end
		}
	}
	return end
}
