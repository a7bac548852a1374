package importer

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/postroom/postroom/internal/walltime"
)

// A dateOrder says how 3/4/2026 is to be read. It is a fact about a column, not
// about one cell.
type dateOrder uint8

const (
	orderNone dateOrder = iota // no such date occurs
	orderDMY
	orderMDY
	orderYMD  // of years of two digits: 27/03/28 is in 2027
	orderOpen // such dates occur and nothing tells: they are rejected
	orderYear // of years of two digits nothing tells whether they come first or last: they are rejected
)

// String names the order as date_order does, and is empty where no such date occurs.
func (o dateOrder) String() string {
	return [...]string{"", "dmy", "mdy", "ymd", "undecided", "undecided"}[o]
}

// first names the part that comes first.
func (o dateOrder) first() string {
	switch o {
	case orderMDY:
		return "month"
	case orderYMD:
		return "year"
	}
	return "day"
}

// A wall is a time as written, before its zone is known.
type wall struct {
	year, month, day     int
	hour, minute, second int
	clock                bool           // a time of day was given
	loc                  *time.Location // when the text names its zone
	zone                 string         // its name
	short                bool           // the year had two digits
}

// Errors about a time cell; the text is what is wanted.
var (
	errNoDate    = errors.New("a date like 2026-03-01T09:00")
	errNoClock   = errors.New("a time of day with the date, like 2026-03-01T09:00")
	errNoSuchDay = errors.New("a day that exists")
	errAmbiguous = errors.New("a date that says which is the day: nothing in this column tells whether the day or the month comes first")
	errYearFirst = errors.New("a year of four digits: this may have its year first or last, and nothing in this column tells")
	errNoTime    = errors.New("a time of day between 00:00 and 23:59")
	errHalf      = errors.New("AM or PM with the hour: others in this file have it, so this may be in the morning or in the afternoon")
	errTwelve    = errors.New("an hour from 1 to 12 with AM or PM")
	errYear      = errors.New("a year from 1970 to 2105")
	errTwoZones  = errors.New("one zone: both an offset and a Z are given")
	errOffset    = errors.New("an offset between -14:00 and +14:00")
	errSpan      = errors.New("one time: this can be read as a span from one to another")
	errZone      = errors.New("a zone like Europe/Berlin, +01:00 or Z: abbreviations mean different zones in different places")
)

var (
	dateNumeric = regexp.MustCompile(`^(\d{1,4})([-/. ])\s?(\d{1,2})([-/. ])\s?(\d{1,4})\.?`)
	dateDayName = regexp.MustCompile(`^(\d{1,2})(?:st|nd|rd|th|er|\.)?[ -]*(?:de )?(\pL{3,})\.?,?[ -]*(?:de )?(\d{4}|\d{2})(?:[^\d:]|$)`)
	dateMonth   = regexp.MustCompile(`^(\pL{3,})\.? (\d{1,2})(?:st|nd|rd|th)?,? (\d{4})`)
	weekday     = regexp.MustCompile(`^(\pL{2,12})\.?(,?)\s+`)
	compact     = regexp.MustCompile(`^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})?(.*)$`)
	clockText   = regexp.MustCompile(`^(\d{1,2})(?:[:.h](\d{2}))?(?:[:.](\d{2})(?:[.,]\d{1,9})?)?(?:\s*h)?\s*(?:([ap])\.?\s?m\.?)?(?:\s*(?:uhr|hrs))?(?:\s+|$|(z|[+-]|\[|\())`)
	offsetText  = regexp.MustCompile(`^(?:utc|gmt)?\s*([+-])(\d{1,2}):?(\d{2})?$`)
	joint       = regexp.MustCompile(`^(?i:\s*(?:,|-|–|@|\bat\b|\bum\b|à|\ba las\b|t)\s*|\s+)`)
)

// months are the names and their first letters in the languages whose calendars
// were seen.
var months = func() map[string]int {
	m := map[string]int{}
	for i, names := range []string{
		"january jan januar janvier janv enero ene janeiro gennaio gen januari", "february feb februar février fevrier févr fevr febrero fevereiro fev febbraio februari",
		"march mar märz maerz mrz mars marzo março marco maart mrt", "april apr avril avr abril abr aprile", "may mai mayo maio mag maggio mei",
		"june jun juni juin junio junho giugno giu", "july jul juli juillet juil julio julho luglio lug", "august aug août aout agosto ago augustus",
		"september sep sept septembre septiembre setembro set settembre", "october oct oktober okt octobre octubre outubro out ottobre ott",
		"november nov novembre noviembre novembro", "december dec dezember dez décembre decembre déc diciembre dic dezembro dicembre",
	} {
		for _, n := range strings.Fields(names) {
			m[n] = i + 1
		}
	}
	return m
}()

// parseWhen reads a date with its time. order says how slashes are read; it is
// orderNone or orderOpen where nothing tells.
func parseWhen(s string, order dateOrder) (wall, error) {
	if w, ok := parseISO(s); ok {
		return w, w.check()
	}
	w, rest, err := parseDate(s, order)
	if err != nil {
		return w, err
	}
	between := joint.FindString(rest)
	rest = rest[len(between):]
	switch {
	case rest == "":
		return w, w.check()
	case strings.ContainsAny(between, "-–") && dateNumeric.MatchString(rest):
		return w, errSpan // 01.03.27 - 05.03.27
	}
	if err := parseClock(&w, rest); err != nil {
		return w, err
	}
	return w, w.check()
}

// parseISO reads 2026-03-01T09:00, with seconds, fractions and a zone or without:
// nearly all of a large file.
func parseISO(s string) (w wall, ok bool) {
	if len(s) < 16 || s[4] != '-' || s[7] != '-' || s[13] != ':' || s[10] != 'T' && s[10] != 't' && s[10] != ' ' {
		return w, false
	}
	n := func(from, to int) int {
		v := 0
		for _, c := range []byte(s[from:to]) {
			if c < '0' || c > '9' {
				return math.MinInt32
			}
			v = v*10 + int(c-'0')
		}
		return v
	}
	w = wall{year: n(0, 4), month: n(5, 7), day: n(8, 10), hour: n(11, 13), minute: n(14, 16), clock: true}
	rest := s[16:]
	if s[10] == ' ' && w.spans(rest) {
		return w, false
	}
	if len(rest) >= 3 && rest[0] == ':' {
		w.second = n(17, 19)
		rest = rest[3:]
		if len(rest) > 1 && (rest[0] == '.' || rest[0] == ',') {
			i := 1
			for i < len(rest) && rest[i] >= '0' && rest[i] <= '9' {
				i++
			}
			if i == 1 {
				return w, false
			}
			rest = rest[i:]
		}
	}
	if w.year < 0 || w.month < 0 || w.day < 0 || w.hour < 0 || w.minute < 0 || w.second < 0 {
		return w, false
	}
	switch rest {
	case "":
		return w, true
	case "Z", "z":
		w.loc, w.zone = time.UTC, "UTC"
		return w, true
	}
	return w, w.setZone(rest) == nil
}

func parseDate(s string, order dateOrder) (w wall, rest string, err error) {
	s = cutWeekday(s)
	if m := compact.FindStringSubmatch(s); m != nil {
		w = wall{year: atoi(m[1]), month: atoi(m[2]), day: atoi(m[3]), hour: atoi(m[4]), minute: atoi(m[5]), second: atoi(m[6]), clock: true}
		if m[7] == "" {
			return w, "", nil
		}
		return w, "", w.setZone(m[7])
	}
	if m := dateNumeric.FindStringSubmatch(s); m != nil && m[2] == m[4] {
		a, b, c := atoi(m[1]), atoi(m[3]), atoi(m[5])
		rest = s[len(m[0]):]
		more := rest != "" && rest[0] >= '0' && rest[0] <= '9'
		if short := len(m[1]) == 2 && len(m[5]) <= 2 && !more; short && order == orderYMD {
			return wall{year: 2000 + a, month: b, day: c, short: true}, rest, nil
		} else if short && order == orderYear && a != c {
			return w, "", errYearFirst
		}
		if more || (len(m[1]) == 4) != (len(m[5]) < 3) && len(m[5]) != 2 {
			return w, "", errNoDate
		}
		switch {
		case len(m[1]) == 4:
			w.year, w.month, w.day = a, b, c
			return w, rest, nil
		case len(m[1]) > 2 || len(m[5]) == 1 || len(m[5]) == 3:
			return w, "", errNoDate
		case m[2] == "." || a > 12 || a == b:
			w.day, w.month = a, b
		case b > 12:
			w.month, w.day = a, b
		case order == orderDMY:
			w.day, w.month = a, b
		case order == orderMDY:
			w.month, w.day = a, b
		default:
			return w, "", errAmbiguous
		}
		w.year = c
		if len(m[5]) == 2 {
			w.year, w.short = 2000+c, true
		}
		return w, rest, nil
	}
	lower := strings.ToLower(s)
	if m := dateDayName.FindStringSubmatch(lower); m != nil && months[m[2]] > 0 {
		w = wall{day: atoi(m[1]), month: months[m[2]], year: atoi(m[3])}
		if len(m[3]) == 2 {
			w.year, w.short = w.year+2000, true
		}
		return w, lower[dateDayName.FindStringSubmatchIndex(lower)[7]:], nil
	}
	if m := dateMonth.FindStringSubmatch(lower); m != nil && months[m[1]] > 0 {
		return wall{month: months[m[1]], day: atoi(m[2]), year: atoi(m[3])}, lower[len(m[0]):], nil
	}
	return w, "", errNoDate
}

// cutWeekday cuts the name of a day off the start: with a comma any word, without
// one only what is no month and stands before a number.
func cutWeekday(s string) string {
	m := weekday.FindStringSubmatch(s)
	if m == nil {
		return s
	}
	rest := s[len(m[0]):]
	if m[2] == "" && (months[strings.ToLower(m[1])] > 0 || rest == "" || rest[0] < '0' || rest[0] > '9') {
		return s
	}
	return rest
}

// parseClock reads a time of day, with a zone or without.
func parseClock(w *wall, s string) error {
	lower := strings.ToLower(s)
	m := clockText.FindStringSubmatchIndex(lower)
	if m == nil {
		return errNoClock
	}
	part := func(i int) string {
		if m[2*i] < 0 {
			return ""
		}
		return lower[m[2*i]:m[2*i+1]]
	}
	if part(2) == "" && part(4) == "" && !strings.ContainsAny(lower[:m[1]], "h") {
		return errNoClock // a bare number is no time
	}
	w.hour, w.minute, w.second, w.clock = atoi(part(1)), atoi(part(2)), atoi(part(3)), true
	if half := part(4); half != "" {
		if w.hour < 1 || w.hour > 12 {
			return errTwelve
		}
		w.hour %= 12
		if half == "p" {
			w.hour += 12
		}
	}
	end := m[1]
	if part(5) != "" {
		end = m[10]
	}
	rest := strings.TrimSpace(s[min(end, len(s)):])
	switch {
	case rest == "":
		return nil
	case part(3) == "" && w.spans(rest):
		return errSpan
	}
	return w.setZone(rest)
}

// halfDay finds the AM or PM of a time of day, fullDay what tells that it needs none,
// and cellOfSheet the time that a workbook has in a cell for times.
var (
	halfDay     = regexp.MustCompile(`(?i)\d\s*[ap]\.?\s?m\b`)
	fullDay     = regexp.MustCompile(`(?i)^\d{4}-?\d{2}-?\d{2}[T ]\d{2}|\d\s?h|uhr|^\d{5}(?:[.,]\d+)?(?: 0[.,]\d+)?$`)
	cellOfSheet = regexp.MustCompile(`(?:^| )\d\d:\d\d$`)
)

// saysHalf reports whether a cell ends in a time of day with AM or PM.
func saysHalf(cell string) bool {
	if cell == "" || len(cell) > 60 || digit(cell[len(cell)-1]) || cell[len(cell)-1] == 'Z' {
		return false // nearly all of a large file
	}
	return halfDay.MatchString(cell)
}

// lacksHalf reports whether a time of day may be in either half of the day, as others
// in the file say in which they are.
func (f *File) lacksHalf(w wall, text string) bool {
	return w.clock && w.hour >= 1 && w.hour <= 12 && !halfDay.MatchString(text) && !fullDay.MatchString(text) && (f.sheet == nil || !cellOfSheet.MatchString(text))
}

// spanEnd is what may be the end of a span as well as an offset.
var spanEnd = regexp.MustCompile(`^-(\d{1,2})(?::(\d{2}))?$`)

// spans reports whether what follows a time of day without seconds is as likely
// the end of a span: 09:00-10:00, but not 09:00-05:00.
func (w *wall) spans(rest string) bool {
	m := spanEnd.FindStringSubmatch(strings.TrimSpace(rest))
	return m != nil && atoi(m[1])*60+atoi(m[2]) > w.hour*60+w.minute
}

// setZone reads Z, an offset or the name of a zone.
func (w *wall) setZone(s string) error {
	s = strings.TrimSpace(s)
	// +01:00[Europe/Paris], as programs write it: the offset is the exact one.
	if offset, name, ok := strings.Cut(s, "["); ok && offset != "" {
		if _, err := loadZone(strings.TrimSuffix(name, "]")); err != nil {
			return err
		}
		return w.setZone(offset)
	}
	s = strings.Trim(s, "()[]")
	lower := strings.ToLower(s)
	switch lower {
	case "z", "utc", "gmt":
		w.loc, w.zone = time.UTC, "UTC"
		return nil
	}
	if rest, ok := strings.CutPrefix(lower, "z"); ok && offsetText.MatchString(rest) {
		return errTwoZones
	}
	if strings.HasSuffix(lower, "z") && offsetText.MatchString(lower[:len(lower)-1]) {
		return errTwoZones
	}
	if m := offsetText.FindStringSubmatch(lower); m != nil {
		h, min := atoi(m[2]), atoi(m[3])
		if h > 14 || min > 59 || h == 14 && min > 0 {
			return errOffset
		}
		sec := h*3600 + min*60
		if m[1] == "-" {
			sec = -sec
		}
		w.zone = fmt.Sprintf("%s%02d:%02d", m[1], h, min)
		w.loc = time.FixedZone(w.zone, sec)
		return nil
	}
	loc, err := loadZone(s)
	if err != nil {
		return err
	}
	w.loc, w.zone = loc, loc.String()
	return nil
}

// loadZone finds a zone by its IANA name, in any case. A name without a place is
// an abbreviation.
func loadZone(name string) (*time.Location, error) {
	loc, ok := walltime.Load(name)
	if !ok || loc != time.UTC && !strings.Contains(name, "/") {
		return nil, errZone
	}
	return loc, nil
}

// check says whether the day and the time of day exist.
func (w *wall) check() error {
	if w.year < 1970 || w.year > 2105 {
		return errYear
	}
	if w.month < 1 || w.month > 12 || w.day < 1 || w.day > daysIn(w.year, w.month) {
		return errNoSuchDay
	}
	if w.hour > 23 || w.minute > 59 || w.second > 60 {
		return errNoTime
	}
	if w.second == 60 {
		w.second = 59
	}
	return nil
}

func daysIn(year, month int) int {
	return time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// in resolves the wall time in its own zone, else in loc.
func (w *wall) in(loc *time.Location) (time.Time, walltime.Kind) {
	if w.loc != nil {
		loc = w.loc
	}
	return walltime.Resolve(w.year, time.Month(w.month), w.day, w.hour, w.minute, w.second, loc)
}

// agrees reports whether another time is the same, or is its day alone.
func (w *wall) agrees(o wall, loc *time.Location) bool {
	if !o.clock {
		return w.year == o.year && w.month == o.month && w.day == o.day
	}
	a, _ := w.in(loc)
	b, _ := o.in(loc)
	return a.Equal(b)
}

// serialDay reads an Excel serial number: days since 1899-12-30, the fraction of
// a day rounded to the minute.
func serialDay(s string) (wall, bool) {
	v, err := strconv.ParseFloat(strings.Replace(s, ",", ".", 1), 64)
	if err != nil || v < firstSerial || v > lastSerial {
		return wall{}, false
	}
	t := time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC).AddDate(0, 0, int(v))
	minutes := int(math.Round((v - math.Floor(v)) * 24 * 60))
	t = t.Add(time.Duration(minutes) * time.Minute)
	return wall{year: t.Year(), month: int(t.Month()), day: t.Day(), hour: t.Hour(), minute: t.Minute(), clock: v != math.Floor(v)}, true
}

// shifted adds days to a serial number.
func shifted(s string, days float64) string {
	v, err := strconv.ParseFloat(strings.Replace(s, ",", ".", 1), 64)
	if err != nil {
		return s
	}
	return strconv.FormatFloat(v+days, 'f', -1, 64)
}

// serialClock reads the part of a day as which Excel writes a time alone.
func serialClock(w *wall, s string) bool {
	v, err := strconv.ParseFloat(strings.Replace(s, ",", ".", 1), 64)
	if err != nil || v < 0 || v >= 1 || !strings.ContainsAny(s, ".,") || len(s) < 3 || s[0] != '0' {
		return false
	}
	minutes := min(int(math.Round(v*24*60)), 24*60-1)
	w.hour, w.minute, w.second, w.clock = minutes/60, minutes%60, 0, true
	return true
}

// looksSerial reports whether a text is a serial number for a time.
func looksSerial(s string) bool {
	_, ok := serialDay(s)
	return ok
}

// firstSerial and lastSerial bound what is taken for a serial number: 1982 to
// 2119 (INGEST §4.1).
const (
	firstSerial = 30000
	lastSerial  = 80000
)

// dateStats are what a column's cells say about its order of day and month.
type dateStats struct {
	filled, serials int
	open            int  // cells that could be read both ways
	dmy, mdy        int  // first line that can only be read so; 0 for none
	half            bool // a cell has AM or PM
	years           shortYears
	sample          string
	sampleOpen      string
}

func (s *dateStats) add(cell string, line int) {
	cell = strings.TrimSpace(cell)
	if cell == "" {
		return
	}
	s.filled++
	s.half = s.half || saysHalf(cell)
	if len(cell) > 10 && cell[0] <= '9' && cell[4] == '-' || len(cell) > 60 {
		return // ISO, or no date at all
	}
	if _, ok := serialDay(cell); ok {
		s.serials++
		s.sample = cell
		return
	}
	m := dateNumeric.FindStringSubmatch(cutWeekday(cell))
	if m == nil || len(m[1]) > 2 || m[2] != m[4] {
		return
	}
	s.years.add(m[2] == ".", m[1], m[3], m[5])
	if m[2] == "." {
		return
	}
	switch a, b := atoi(m[1]), atoi(m[3]); {
	case a > 12 && a <= 31 && b <= 12:
		if s.dmy == 0 {
			s.dmy = line
		}
	case b > 12 && b <= 31 && a <= 12:
		if s.mdy == 0 {
			s.mdy = line
		}
	case a <= 12 && b <= 12 && a != b:
		if s.open++; s.open == 1 {
			s.sampleOpen = cell
		}
	}
}

// shortYears are what the dates of a column with years of two digits say about where
// those stand.
type shortYears struct {
	today     int // its year; 0 where it is not known
	n         int
	dots      int
	last      int  // those that are near to today when they end in their year
	first     int  // those that are when they begin with it
	onlyFirst int  // those that are only so
	same      int  // those that mean the same day both ways
	long      bool // a date ends in a year of four digits
}

// Years that a calendar may be from, counted from that of today: old ones turn up,
// and none is written for a time that is far.
const (
	oldest   = -6
	youngest = 2
)

func (s *shortYears) add(dots bool, one, two, three string) {
	if len(three) > 2 || s.today == 0 {
		s.long = s.long || len(three) == 4
		return
	}
	a, b, c := atoi(one), atoi(two), atoi(three)
	near := func(year, month, day, oldest int) bool {
		w := wall{year: 2000 + year, month: month, day: day}
		return w.check() == nil && w.year >= s.today+oldest && w.year <= s.today+youngest
	}
	last := len(three) == 2 && (near(c, b, a, oldest) || !dots && near(c, a, b, oldest))
	first := len(one) == 2 && near(a, b, c, -1)
	s.n++
	s.dots += count(dots)
	s.last += count(last)
	s.first += count(first)
	s.onlyFirst += count(first && !last)
	s.same += count(a == c)
}

func count(is bool) int {
	if is {
		return 1
	}
	return 0
}

// order tells where the years stand: orderYMD for first, orderYear where that is open,
// and else orderNone, for last.
func (s *shortYears) order() dateOrder {
	switch {
	case s.n == s.same || s.first == 0:
		return orderNone
	case s.last == s.n && (s.dots == s.n || s.long):
		return orderNone // 27.03.28 has its day first
	case s.first == s.n && s.last < s.n && s.dots == 0 && !s.long:
		return orderYMD
	case s.first == s.n, s.onlyFirst > 0:
		return orderYear
	}
	return orderNone
}

// atoi reads digits that a pattern has matched; "" is 0.
func atoi(s string) int {
	n := 0
	for _, c := range []byte(s) {
		n = n*10 + int(c-'0')
	}
	return n
}
