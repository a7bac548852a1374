package calendar

import (
	"io"
	"mime/quotedprintable"
	"strings"

	"golang.org/x/text/encoding/htmlindex"
)

// A property is one content line.
type property struct {
	name   string // upper case
	params []param
	value  string // as written, without the folding
	line   int
}

// A param is a parameter of a property. Several values stand joined by commas.
type param struct{ name, value string }

// param returns the value of a parameter, or "".
func (p *property) param(name string) string {
	for _, q := range p.params {
		if q.name == name {
			return q.value
		}
	}
	return ""
}

// Bounds of one property.
const (
	maxParams = 64
	maxParam  = 4 << 10 // bytes of a value; go-ical takes quadratic time over it
)

// A lineFault says what is wrong with a content line.
type lineFault string

const (
	faultNone    lineFault = ""
	faultNoColon lineFault = "a property with a colon before its value"
	faultParams  lineFault = "at most 64 parameters of at most 4 KiB"
	faultTooLong lineFault = "a line of at most 1 MiB (24 MiB for an attachment)"
	faultTooMany lineFault = "at most 250000 properties of one event"
)

// cutProperty takes an unfolded line apart. It is lenient with quotes: whatever
// stands where a parameter should is read somehow, as the value matters more. ok
// is false for a line that does not begin as a property at all.
func cutProperty(line string) (p property, fault lineFault, ok bool) {
	i := 0
	for i < len(line) && isNameByte(line[i]) {
		i++
	}
	rest := line[i:]
	if rest != "" && (rest[0] == ' ' || rest[0] == '\t') { // hardly ever
		rest = strings.TrimLeft(rest, " \t")
	}
	if i == 0 || rest == "" || rest[0] != ':' && rest[0] != ';' {
		return p, faultNoColon, false
	}
	p.name = strings.ToUpper(line[:i])
	for rest[0] == ';' {
		var q param
		if q, rest = cutParam(rest[1:]); rest == "" {
			return p, faultNoColon, true
		}
		switch {
		case len(p.params) == maxParams || len(q.value) > maxParam || len(q.name) > maxParam:
			fault = faultParams
		case q.name != "":
			p.params = append(p.params, q)
		}
	}
	p.value = rest[1:]
	if len(p.params) > 0 && datesByName[p.name] {
		p.mendZone()
	}
	return p, fault, true
}

// cutParam cuts one parameter off. rest begins with ; or : and is "" when the
// line ends without a value.
func cutParam(s string) (q param, rest string) {
	end := strings.IndexAny(s, "=;:")
	if end < 0 {
		return q, ""
	}
	q.name = strings.ToUpper(strings.TrimSpace(s[:end]))
	if s[end] != '=' { // vCalendar 1.0 leaves the name away: ;QUOTED-PRINTABLE:
		switch q.name {
		case "QUOTED-PRINTABLE", "BASE64", "8BIT", "7BIT":
			q.name, q.value = "ENCODING", q.name
		case "DATE", "DATE-TIME", "URI", "BINARY":
			q.name, q.value = "VALUE", q.name
		default:
			q.name = ""
		}
		return q, s[end:]
	}
	s = s[end+1:]
	if end := strings.IndexAny(s, `;:,"`); end >= 0 && (s[end] == ';' || s[end] == ':') { // mostly
		q.value = s[:end]
		return q, s[end:]
	}
	var b strings.Builder
	for {
		if strings.HasPrefix(s, `"`) {
			if closing := strings.IndexByte(s[1:], '"'); closing >= 0 {
				b.WriteString(s[1 : 1+closing])
				s = s[2+closing:]
			} else {
				s = s[1:] // never closed: it opens nothing
			}
		}
		end := strings.IndexAny(s, `;:,"`)
		if end < 0 {
			return q, ""
		}
		b.WriteString(s[:end])
		s = s[end:]
		switch s[0] {
		case ',':
			b.WriteByte(',')
			s = s[1:]
		case '"':
			// Within a value that did not begin with one: read on after it.
		default:
			q.value = b.String()
			return q, s
		}
	}
}

// mendZone gives back to an unquoted TZID the colon that looked like the end of
// the parameters: TZID=(GMT+01:00) Berlin:20260301T090000.
func (p *property) mendZone() {
	if beginsDate(p.value) {
		return
	}
	last := strings.LastIndexByte(p.value, ':')
	if last < 0 || !beginsDate(p.value[last+1:]) {
		return
	}
	for i := range p.params {
		if p.params[i].name == "TZID" {
			p.params[i].value += ":" + p.value[:last]
			p.value = p.value[last+1:]
			return
		}
	}
}

func beginsDate(s string) bool {
	s = strings.TrimLeft(s, " \t")
	if len(s) < 8 {
		return false
	}
	for _, c := range []byte(s[:8]) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

func isNameByte(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.' || c == '/'
}

// datesByName are the properties that hold dates.
var datesByName = words("DTSTART DTEND DUE RECURRENCE-ID EXDATE RDATE COMPLETED")

// texts are the properties whose value is free text, which careless programs
// write with bare line ends in it.
var texts = words("SUMMARY DESCRIPTION LOCATION COMMENT CONTACT X-ALT-DESC STYLED-DESCRIPTION")

// known are the properties of RFC 5545, 7986 and 9073 and of vCalendar 1.0.
var known = words(`ACTION ATTACH ATTENDEE BEGIN CALENDAR-ADDRESS CALSCALE CATEGORIES CLASS COLOR COMMENT COMPLETED CONFERENCE CONTACT
	CREATED DAYLIGHT DCREATED DESCRIPTION DTEND DTSTAMP DTSTART DUE DURATION END EXDATE EXRULE FREEBUSY GEO IMAGE LAST-MODIFIED
	LOCATION LOCATION-TYPE METHOD NAME ORGANIZER PARTICIPANT-TYPE PERCENT-COMPLETE PRIORITY PRODID RDATE RECURRENCE-ID REFRESH-INTERVAL
	RELATED-TO REPEAT REQUEST-STATUS RESOURCES RNUM RRULE SEQUENCE SOURCE STATUS STRUCTURED-DATA STYLED-DESCRIPTION SUMMARY TRANSP
	TRIGGER TZ TZID TZNAME TZOFFSETFROM TZOFFSETTO TZURL UID URL VERSION AALARM DALARM MALARM PALARM`)

func words(s string) map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(s) {
		m[w] = true
	}
	return m
}

// goesOn reports whether a line that looks like a property is rather more of the
// text before it: `Read more: https://…` after a bare line end.
func goesOn(before string, line string) bool {
	end := strings.IndexAny(line, ":;")
	name := line[:max(end, 0)]
	return texts[before] && !known[strings.ToUpper(strings.TrimSpace(name))] && !strings.HasPrefix(name, "X-") && !strings.HasPrefix(name, "x-") &&
		strings.ToUpper(name) != name
}

// decodeLegacy undoes what vCalendar 1.0 does to values: QUOTED-PRINTABLE and
// CHARSET. The value comes out escaped as iCalendar has it.
func (p *property) decodeLegacy() {
	if strings.EqualFold(p.param("ENCODING"), "QUOTED-PRINTABLE") {
		// The reader goes on after what it cannot read; whatever came is used.
		b, _ := io.ReadAll(quotedprintable.NewReader(strings.NewReader(p.value)))
		text := string(b)
		if enc, err := htmlindex.Get(p.param("CHARSET")); err == nil {
			if t, err := enc.NewDecoder().String(text); err == nil {
				text = t
			}
		}
		p.value = strings.NewReplacer("\r\n", `\n`, "\n", `\n`, "\r", `\n`).Replace(toUTF8(text))
	}
	kept := p.params[:0]
	for _, q := range p.params {
		if q.name != "CHARSET" && !(q.name == "ENCODING" && q.value != "BASE64" && q.value != "base64" && q.value != "B") {
			kept = append(kept, q)
		}
	}
	p.params = kept
}
