package calendar

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// A stamp is a DATE or DATE-TIME as written: what a clock shows, and in which
// zone.
type stamp struct {
	at     wall
	zone   string // TZID as written; "" for a floating time, a date and UTC
	line   int32  // of its property, from 1; 0 when there is none
	date   bool   // a whole day
	utc    bool   // at is in UTC
	onward bool   // of a RECURRENCE-ID: RANGE=THISANDFUTURE
}

// set reports whether there is one.
func (s *stamp) set() bool { return s.line > 0 }

// floating reports whether the time is to be read on whatever clock the calendar
// is for.
func (s *stamp) floating() bool { return s.set() && !s.date && !s.utc && s.zone == "" }

const wantDate = "a date like 20260301, or a time like 20260301T090000"

var isoShape = regexp.MustCompile(`^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?$`)

// parseStamp reads a date or time by its shape: eight digits are a day, a T makes
// a time, whatever VALUE says. Beside what RFC 5545 has it reads times without
// seconds, 24:00 as the next midnight, and ISO 8601.
func parseStamp(s string) (st stamp, ok bool) {
	s = strings.TrimSpace(s)
	if len(s) >= 10 && s[4] == '-' {
		if m := isoShape.FindStringSubmatch(s); m != nil {
			return parseISO(m)
		}
	}
	s = strings.ToUpper(s)
	s, st.utc = strings.CutSuffix(s, "Z")
	clock := ""
	if len(s) > 8 && (s[8] == 'T' || s[8] == ' ') {
		s, clock = s[:8], s[9:]
	} else {
		st.date = true
	}
	if len(s) != 8 || !digits(s) {
		return st, false
	}
	y, m, d := number(s[:4]), number(s[4:6]), number(s[6:])
	if m < 1 || m > 12 || d < 1 || d > monthLength(y, m) {
		return st, false
	}
	if st.date {
		st.utc = false
		st.at = wallOf(y, m, d, 0)
		return st, true
	}
	if (len(clock) != 6 && len(clock) != 4) || !digits(clock) {
		return st, false
	}
	clock += "00"
	h, min, sec := number(clock[:2]), number(clock[2:4]), number(clock[4:6])
	if h > 24 || min > 59 || sec > 60 || h == 24 && min+sec > 0 {
		return st, false
	}
	st.at = wallOf(y, m, d, h*3600+min*60+min60(sec))
	return st, true
}

// rollDay counts a day that its month does not have, up to the 31st, on into the
// next month, as many programs do: 20260230 is 20260302. rolled is false, and the
// date as it was, for any other.
func rollDay(s string) (date string, rolled bool) {
	t := strings.TrimSpace(s)
	if len(t) < 8 || !digits(t[:8]) {
		return s, false
	}
	y, m, d := number(t[:4]), number(t[4:6]), number(t[6:8])
	if m < 1 || m > 12 || d > 31 || d <= monthLength(y, m) {
		return s, false
	}
	return wallOf(y, m, d, 0).utc().Format("20060102") + t[8:], true
}

func parseISO(m []string) (st stamp, ok bool) {
	y, mo, d := number(m[1]), number(m[2]), number(m[3])
	h, mi, s := number(m[4]), number(m[5]), number(m[6])
	if mo < 1 || mo > 12 || d < 1 || d > monthLength(y, mo) || h > 24 || mi > 59 || s > 60 {
		return st, false
	}
	st.date = m[4] == ""
	st.at = wallOf(y, mo, d, h*3600+mi*60+min60(s))
	switch z := m[7]; {
	case z == "Z":
		st.utc = true
	case z != "":
		off, ok := parseOffset(strings.ReplaceAll(z, ":", ""))
		if !ok {
			return st, false
		}
		st.utc = true
		st.at -= wall(off)
	}
	return st, true
}

// min60 reads a leap second as the one before it.
func min60(s int) int { return min(s, 59) }

// parseOffset reads ±hhmm or ±hhmmss as seconds.
func parseOffset(s string) (seconds int, ok bool) {
	s = strings.TrimSpace(s)
	sign := 1
	switch {
	case strings.HasPrefix(s, "-"):
		sign, s = -1, s[1:]
	case strings.HasPrefix(s, "+"):
		s = s[1:]
	}
	if len(s) != 4 && len(s) != 6 || !digits(s) {
		return 0, false
	}
	s += "00"
	seconds = number(s[:2])*3600 + number(s[2:4])*60 + number(s[4:6])
	return sign * seconds, number(s[:2]) < 24 && number(s[2:4]) < 60 && number(s[4:6]) < 60
}

func digits(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s != ""
}

// number reads digits; "" is 0.
func number(s string) int {
	n := 0
	for _, c := range []byte(s) {
		n = n*10 + int(c-'0')
	}
	return n
}

// parseInt reads a number with a sign, in bounds.
func parseInt(s string, least, most int) (int, error) {
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil || n < least || n > most {
		return 0, fmt.Errorf("a number from %d to %d", least, most)
	}
	return n, nil
}

// unescape reads a text value: \n is a line end, \, \; \\ stand for themselves,
// and so does whatever else follows a backslash. Commas do not cut it.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch s[i] {
		case 'n', 'N':
			b.WriteByte('\n')
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// splitList cuts a list at the commas that are not escaped, and unescapes its
// parts. Empty parts are left out.
func splitList(s string) []string {
	var out []string
	add := func(part string) {
		if part = strings.TrimSpace(unescape(part)); part != "" {
			out = append(out, part)
		}
	}
	from := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case ',':
			add(s[from:i])
			from = i + 1
		}
	}
	add(s[from:])
	return out
}
