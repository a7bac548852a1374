package importer

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// understood is what a repeat cell may say, for the error of one that says something
// else.
const understood = "words such as: daily · every weekday · every 3 days · every tuesday and friday · every other friday · weekly on mon, wed · " +
	"every 2 weeks on mon · monthly on the 15th · monthly on the last day · first monday of the month · yearly — each with " +
	"`until 1 March 2027`, `for 10 days` or `10 times` after it; or an RRULE like FREQ=WEEKLY;BYDAY=TU"

// errRepeat says that a cell is none of what is understood.
var errRepeat = errors.New(understood)

// A repetition is what a repeat cell means.
type repetition struct {
	rule string   // RRULE
	days []string // of a rule by weeks in plain words: it begins on the first of them
	note string   // what is to be said of how it was read
}

var (
	repeatTimes = regexp.MustCompile(`^(.*?),? (?:for )?(\d{1,4}|a|one|two|three|four|five|six|seven|eight|nine|ten|twelve) (times?|posts?|days?|weeks?|months?|years?)$`)
	repeatUntil = regexp.MustCompile(`^(.*?),? (?:until|till|til|through|ending(?: on)?|up to) (.+)$`)
	everyN      = regexp.MustCompile(`^every (?:(\d{1,3})(?:st|nd|rd|th)?|(other|second|third|fourth|two|three|four|five|six)) (day|week|month|year)s?\b ?(.*)$`)
	everyNth    = regexp.MustCompile(`^every (?:(\d)(?:st|nd|rd|th)|(other|second|third|fourth)) (\pL.*)$`)
	nthOfMonth  = regexp.MustCompile(`^(?:every |the |on the )*(\d(?:st|nd|rd|th)|first|second|third|fourth|fifth|last) (\pL+)(?: (?:of|in) (?:the|each|every|a) month)$`)
	nthWeekday  = regexp.MustCompile(`^(\d(?:st|nd|rd|th)|first|second|third|fourth|fifth|last) (\pL+)$`)
	dayOfMonth  = regexp.MustCompile(`^(?:day )?(\d{1,2})(?:st|nd|rd|th|\.)?(?: day)?$`)
	dayAndMonth = regexp.MustCompile(`^(?:the )?(\d{1,2})(?:st|nd|rd|th|\.)? (?:of )?(\pL{3,})\.?$`)
	monthAndDay = regexp.MustCompile(`^(\pL{3,})\.? (?:the )?(\d{1,2})(?:st|nd|rd|th|\.)?$`)
)

var smallNumbers = map[string]int{
	"a": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "twelve": 12,
	"first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "last": -1, "other": 2,
}

// weekdays are the days of a week by the names that people give them.
var weekdays = func() map[string]string {
	m := map[string]string{}
	for day, names := range map[string]string{
		"MO": "mo mon monday mondays", "TU": "tu tue tues tuesday tuesdays", "WE": "we wed weds wednesday wednesdays", "TH": "th thu thur thurs thursday thursdays",
		"FR": "fr fri friday fridays", "SA": "sa sat saturday saturdays", "SU": "su sun sunday sundays",
	} {
		for _, n := range strings.Fields(names) {
			m[n] = day
		}
	}
	return m
}()

// weekOrder is the days from Sunday on, as time.Weekday counts them.
var weekOrder = []string{"SU", "MO", "TU", "WE", "TH", "FR", "SA"}

// parseRepeat reads a repeat cell of a row whose first time is start, on the clock of
// its zone. order says how 3/4/2027 is read.
func parseRepeat(cell string, start time.Time, order dateOrder) (repetition, error) {
	text := strings.Join(strings.Fields(tidy(cell)), " ")
	if upper := strings.ToUpper(text); strings.HasPrefix(upper, "RRULE:") || strings.HasPrefix(upper, "FREQ=") || strings.Contains(upper, ";FREQ=") {
		return repetition{rule: upper}, nil
	}
	text = strings.TrimSuffix(strings.ToLower(text), ".")
	if len(text) > 200 {
		return repetition{}, errRepeat
	}
	end := ""
	if m := repeatUntil.FindStringSubmatch(text); m != nil {
		day, err := untilDay(m[2], start, order)
		if err != nil {
			return repetition{}, err
		}
		text, end = m[1], ";UNTIL="+day.Format("20060102")
	} else if m := repeatTimes.FindStringSubmatch(text); m != nil {
		n := numberOf(m[2])
		if n < 1 {
			return repetition{}, errRepeat
		}
		last := start
		switch unit := strings.TrimSuffix(m[3], "s"); unit {
		case "time", "post":
			end = fmt.Sprintf(";COUNT=%d", n)
		case "day":
			last = start.AddDate(0, 0, n-1)
		case "week":
			last = start.AddDate(0, 0, 7*n-1)
		case "month":
			last = start.AddDate(0, n, -1)
		case "year":
			last = start.AddDate(n, 0, -1)
		}
		if end == "" {
			end = ";UNTIL=" + last.Format("20060102")
		}
		text = m[1]
	}
	r, err := parseCore(text)
	r.rule += end
	return r, err
}

// parseCore reads how often.
func parseCore(s string) (repetition, error) {
	s = strings.TrimSpace(strings.TrimSuffix(s, ","))
	switch s {
	case "daily", "every day", "each day", "day":
		return repetition{rule: "FREQ=DAILY"}, nil
	case "every weekday", "weekdays", "on weekdays", "every workday", "workdays", "every working day":
		return byWeeks(1, []string{"MO", "TU", "WE", "TH", "FR"}), nil
	case "every weekend", "weekends", "on weekends":
		return byWeeks(1, []string{"SA", "SU"}), nil
	case "yearly", "annually", "every year", "each year":
		return repetition{rule: "FREQ=YEARLY"}, nil
	}
	if m := nthOfMonth.FindStringSubmatch(s); m != nil {
		return nthDayOfMonth(1, m[1], m[2])
	}
	for _, w := range []struct {
		name string
		n    int
	}{{"weekly", 1}, {"every week", 1}, {"each week", 1}, {"biweekly", 2}, {"bi-weekly", 2}, {"fortnightly", 2}, {"every fortnight", 2}} {
		if rest, ok := strings.CutPrefix(s, w.name); ok {
			return weeksOn(w.n, rest)
		}
	}
	for _, w := range []string{"monthly", "every month", "each month"} {
		if rest, ok := strings.CutPrefix(s, w); ok {
			return monthsOn(1, rest)
		}
	}
	if m := everyN.FindStringSubmatch(s); m != nil {
		n := numberOf(m[1] + m[2])
		if n < 1 {
			return repetition{}, errRepeat
		}
		switch m[3] {
		case "day":
			if m[4] == "" {
				return repetition{rule: fmt.Sprintf("FREQ=DAILY;INTERVAL=%d", n)}, nil
			}
		case "week":
			return weeksOn(n, m[4])
		case "month":
			return monthsOn(n, m[4])
		case "year":
			if m[4] == "" {
				return repetition{rule: fmt.Sprintf("FREQ=YEARLY;INTERVAL=%d", n)}, nil
			}
		}
		return repetition{}, errRepeat
	}
	if m := everyNth.FindStringSubmatch(s); m != nil {
		days, ok := dayList(m[3])
		n := numberOf(m[1] + m[2])
		if !ok || n < 2 {
			return repetition{}, errRepeat
		}
		r := byWeeks(n, days)
		if m[2] != "other" {
			r.note = fmt.Sprintf("words that mean one thing: this was read as every %d weeks; for a day of the month write `%s of the month`", n, s)
		}
		return r, nil
	}
	if rest, ok := strings.CutPrefix(s, "every "); ok {
		if days, ok := dayList(rest); ok {
			return byWeeks(1, days), nil
		}
	}
	if days, ok := dayList(strings.TrimPrefix(s, "on ")); ok && strings.HasSuffix(s, "s") {
		return byWeeks(1, days), nil // "mondays"
	}
	return repetition{}, errRepeat
}

func byWeeks(n int, days []string) repetition {
	r := repetition{rule: "FREQ=WEEKLY", days: days}
	if n > 1 {
		r.rule += fmt.Sprintf(";INTERVAL=%d", n)
	}
	if len(days) > 0 {
		r.rule += ";BYDAY=" + strings.Join(days, ",")
	}
	return r
}

// weeksOn reads the days after "weekly"; none means the day of the first time.
func weeksOn(n int, rest string) (repetition, error) {
	rest = strings.TrimPrefix(strings.TrimSpace(rest), "on ")
	if rest == "" {
		return byWeeks(n, nil), nil
	}
	if days, ok := dayList(rest); ok {
		return byWeeks(n, days), nil
	}
	return repetition{}, errRepeat
}

// monthsOn reads the day after "monthly"; none means that of the first time.
func monthsOn(n int, rest string) (repetition, error) {
	rest = strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(rest), "on "), "the ")
	rule := "FREQ=MONTHLY"
	if n > 1 {
		rule += fmt.Sprintf(";INTERVAL=%d", n)
	}
	switch {
	case rest == "":
		return repetition{rule: rule}, nil
	case rest == "last day":
		return repetition{rule: rule + ";BYMONTHDAY=-1"}, nil
	}
	if m := dayOfMonth.FindStringSubmatch(rest); m != nil {
		day := atoi(m[1])
		if day < 1 || day > 31 {
			return repetition{}, errRepeat
		}
		r := repetition{rule: fmt.Sprintf("%s;BYMONTHDAY=%d", rule, day)}
		if day > 28 {
			r.note = fmt.Sprintf("a day that every month has: months without a %d. are left out; write `last day` for their last", day)
		}
		return r, nil
	}
	if m := nthWeekday.FindStringSubmatch(rest); m != nil {
		return nthDayOfMonth(n, m[1], m[2])
	}
	return repetition{}, errRepeat
}

func nthDayOfMonth(months int, nth, day string) (repetition, error) {
	n, name := numberOf(nth), weekdays[day]
	rule := "FREQ=MONTHLY"
	if months > 1 {
		rule += fmt.Sprintf(";INTERVAL=%d", months)
	}
	switch {
	case day == "day" && n == -1:
		return repetition{rule: rule + ";BYMONTHDAY=-1"}, nil
	case name == "" || n == 0 || n > 5:
		return repetition{}, errRepeat
	}
	return repetition{rule: fmt.Sprintf("%s;BYDAY=%d%s", rule, n, name)}, nil
}

// dayList reads names of days with commas, "and" and blanks between them.
func dayList(s string) (days []string, ok bool) {
	for _, name := range strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' || r == '/' || r == '&' || r == '+' }) {
		if name == "and" {
			continue
		}
		day := weekdays[strings.TrimSuffix(name, ".")]
		if day == "" {
			return nil, false
		}
		if !slices.Contains(days, day) {
			days = append(days, day)
		}
	}
	return days, len(days) > 0
}

// numberOf reads 2, 2nd or second; 0 is none.
func numberOf(s string) int {
	if n, ok := smallNumbers[s]; ok {
		return n
	}
	s = strings.TrimRight(s, "stndrh")
	if len(s) == 0 || len(s) > 4 || strings.Trim(s, "0123456789") != "" {
		return 0
	}
	return atoi(s)
}

// untilDay reads the last day of a series. Without a year it is the next such day
// from start on.
func untilDay(s string, start time.Time, order dateOrder) (time.Time, error) {
	day, month := 0, 0
	if m := dayAndMonth.FindStringSubmatch(s); m != nil {
		day, month = atoi(m[1]), months[m[2]]
	} else if m := monthAndDay.FindStringSubmatch(s); m != nil {
		day, month = atoi(m[2]), months[m[1]]
	}
	if month > 0 {
		for year := start.Year(); year < start.Year()+9; year++ { // 29 February may be that far
			at := time.Date(year, time.Month(month), day, 23, 59, 59, 0, start.Location())
			if day >= 1 && day <= daysIn(year, month) && !at.Before(start) {
				return at, nil
			}
		}
		return time.Time{}, errNoSuchDay
	}
	w, err := parseWhen(s, order)
	if err != nil {
		return time.Time{}, fmt.Errorf("after until %w", err)
	}
	return time.Date(w.year, time.Month(w.month), w.day, 0, 0, 0, 0, start.Location()), nil
}

// begins moves a first time to the first of the days that the words name, as
// `every other friday` from a Wednesday on means the coming Friday.
func (r *repetition) begins(start time.Time) time.Time {
	if len(r.days) == 0 {
		return start
	}
	for n := range 7 {
		if at := start.AddDate(0, 0, n); slices.Contains(r.days, weekOrder[at.Weekday()]) {
			return at
		}
	}
	return start
}

// repeat reads the repeat cell of a row whose time is known.
func (m *maker) repeat() {
	cell := tidy(m.in.Repeat)
	if cell == "" {
		return
	}
	d := &m.row.Draft
	if d.At.IsZero() {
		if !hasProblem(m.row, fieldWhen, fieldDate) {
			m.wrong(fieldRepeat, "REPEAT_WITHOUT_TIME", cell, "a first time in "+string(fieldWhen)+", from which it repeats", "write when it goes out first")
		}
		return
	}
	order := orderNone
	switch m.opt.DateOrder {
	case "dmy":
		order = orderDMY
	case "mdy":
		order = orderMDY
	}
	start := d.At.In(m.zoneOf(d.Zone))
	r, err := parseRepeat(cell, start, order)
	if err != nil {
		m.wrong(fieldRepeat, "BAD_REPEAT", cell, err.Error(), "")
		return
	}
	if r.note != "" {
		m.warn(fieldRepeat, "REPEAT_READ", cell, r.note, "")
	}
	d.Repeat = r.rule
	d.At = r.begins(start).UTC()
}

// zoneOf returns the zone that gave a row's time.
func (m *maker) zoneOf(name string) *time.Location {
	w := wall{}
	if name == m.opt.Zone.String() || w.setZone(name) != nil {
		return m.opt.Zone
	}
	return w.loc
}

func hasProblem(r *Row, fields ...field) bool {
	for _, p := range r.Problems {
		if slices.Contains(fields, field(p.Field)) {
			return true
		}
	}
	return false
}
