package calendar

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// freq is how often a rule repeats, from the longest period to the shortest.
type freq uint8

const (
	yearly freq = iota
	monthly
	weekly
	daily
	hourly
	minutely
	secondly
)

var freqNames = []string{"YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY"}

// A rule is a recurrence rule (RFC 5545 §3.3.10). Its lists are sorted and
// without repeats.
type rule struct {
	freq       freq
	interval   int
	count      int   // 0 for none
	until      stamp // not set for none
	byMonth    []int
	byMonthDay []int
	byYearDay  []int
	byWeekNo   []int
	byDay      []nthDay
	byHour     []int
	byMinute   []int
	bySecond   []int
	bySetPos   []int
	weekStart  int // Monday is 0
}

// An nthDay is a day of the week, Monday as 0: every one, or the n-th of a month
// or year, counted from its end when negative.
type nthDay struct{ n, day int }

var dayNames = []string{"MO", "TU", "WE", "TH", "FR", "SA", "SU"}

// Bounds of a rule.
const (
	maxInterval = 1000
	maxRule     = 4 << 10 // bytes as written
	maxTimes    = 1440    // times of one day
)

// parseRule reads a rule. The error says what is wanted.
func parseRule(text string) (*rule, error) {
	if len(text) > maxRule {
		return nil, fmt.Errorf("a rule of at most %d bytes", maxRule)
	}
	r := &rule{interval: 1, freq: math.MaxUint8}
	seen := map[string]bool{}
	text = strings.TrimPrefix(strings.ToUpper(strings.TrimSpace(text)), "RRULE:") // written twice
	for part := range strings.SplitSeq(text, ";") {
		name, value, found := strings.Cut(strings.TrimSpace(part), "=")
		name, value = strings.TrimSpace(name), strings.ReplaceAll(value, " ", "")
		if !found && !strings.HasPrefix(name, "BY") || strings.HasPrefix(name, "X-") {
			continue // says nothing
		}
		if value == "" {
			return nil, fmt.Errorf("NAME=VALUE in place of %q", part)
		}
		if seen[name] {
			return nil, fmt.Errorf("%s once", name)
		}
		seen[name] = true
		if err := r.set(name, value); err != nil {
			return nil, fmt.Errorf("%s to be %w", name, err)
		}
	}
	if r.freq > secondly {
		return nil, errors.New("a FREQ")
	}
	if r.count > 0 && r.until.set() {
		return nil, errors.New("COUNT or UNTIL, not both")
	}
	return r, r.check()
}

func (r *rule) set(name, value string) (err error) {
	switch name {
	case "FREQ":
		i := slices.Index(freqNames, value)
		if i < 0 {
			return errors.New("one of " + strings.Join(freqNames, ", "))
		}
		r.freq = freq(i)
	case "INTERVAL":
		r.interval, err = parseInt(value, 1, maxInterval)
	case "COUNT":
		r.count, err = parseInt(value, 1, 1_000_000)
	case "UNTIL":
		st, ok := parseStamp(value)
		if !ok {
			return errors.New(wantDate)
		}
		st.line = 1
		r.until = st
	case "WKST":
		if r.weekStart = slices.Index(dayNames, value); r.weekStart < 0 {
			return errors.New("a day like MO")
		}
	case "BYDAY", "BYWEEKDAY":
		r.byDay, err = parseDays(value)
	case "BYMONTH":
		r.byMonth, err = parseList(value, 1, 12, false)
	case "BYMONTHDAY":
		r.byMonthDay, err = parseList(value, 1, 31, true)
	case "BYYEARDAY":
		r.byYearDay, err = parseList(value, 1, 366, true)
	case "BYWEEKNO":
		r.byWeekNo, err = parseList(value, 1, 53, true)
	case "BYHOUR":
		r.byHour, err = parseList(value, 0, 23, false)
	case "BYMINUTE":
		r.byMinute, err = parseList(value, 0, 59, false)
	case "BYSECOND":
		r.bySecond, err = parseList(value, 0, 60, false)
		for i, s := range r.bySecond {
			r.bySecond[i] = min60(s)
		}
		r.bySecond = slices.Compact(r.bySecond)
	case "BYSETPOS":
		r.bySetPos, err = parseList(value, 1, 366, true)
	case "RSCALE":
		if value != "GREGORIAN" {
			return errors.New("GREGORIAN: no other calendar is known here")
		}
	case "SKIP":
		if value != "OMIT" {
			return errors.New("OMIT")
		}
	default:
		return errors.New("a part of a rule: it is none")
	}
	return err
}

// check finds what the parts of a rule forbid each other.
func (r *rule) check() error {
	for _, d := range r.byDay {
		most := 53
		if r.freq == monthly || r.freq == yearly && len(r.byMonth) > 0 {
			most = 5
		}
		switch {
		case d.n == 0:
		case r.freq > monthly:
			return fmt.Errorf("no number before a day of the week with FREQ=%s", freqNames[r.freq])
		case d.n > most || d.n < -most:
			return fmt.Errorf("a day of the week at most %d times in its period", most)
		}
	}
	if n := max(1, len(r.byHour)) * max(1, len(r.byMinute)) * max(1, len(r.bySecond)); n > maxTimes {
		return fmt.Errorf("at most %d times a day", maxTimes)
	}
	switch {
	case len(r.byWeekNo) == 0:
	case r.freq != yearly:
		return errors.New("BYWEEKNO only with FREQ=YEARLY")
	case len(r.byDay)+len(r.byMonthDay)+len(r.byYearDay) == 0:
		// Some programs show one day of such a week, some all seven, some none:
		// whoever wrote the rule saw one of these.
		return errors.New("a BYDAY beside BYWEEKNO, as programs differ in what is meant without one")
	}
	return nil
}

// ofDays is the rule for a start without a time: BYHOUR and the like say nothing
// then (RFC 5545 §3.3.10).
func (r *rule) ofDays() (*rule, error) {
	if r.freq >= hourly {
		return nil, fmt.Errorf("a start with a time, for FREQ=%s", freqNames[r.freq])
	}
	days := *r
	days.byHour, days.byMinute, days.bySecond = nil, nil, nil
	return &days, nil
}

// parseList reads numbers from least to most; mirrored, also their negatives.
func parseList(s string, least, most int, mirrored bool) ([]int, error) {
	var out []int
	for part := range strings.SplitSeq(s, ",") {
		n, err := strconv.Atoi(part)
		size := n
		if mirrored && n < 0 {
			size = -n
		}
		if err != nil || size < least || size > most {
			return nil, fmt.Errorf("numbers from %d to %d", least, most)
		}
		out = append(out, n)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

func parseDays(s string) ([]nthDay, error) {
	var out []nthDay
	for part := range strings.SplitSeq(s, ",") {
		want := errors.New("days like MO or -1FR")
		if len(part) < 2 {
			return nil, want
		}
		d := nthDay{day: slices.Index(dayNames, part[len(part)-2:])}
		if n := part[:len(part)-2]; n != "" {
			var err error
			if d.n, err = strconv.Atoi(n); err != nil || d.n == 0 || d.n > 53 || d.n < -53 {
				return nil, want
			}
		}
		if d.day < 0 {
			return nil, want
		}
		if !slices.Contains(out, d) {
			out = append(out, d)
		}
	}
	return out, nil
}

// errSteps says that a rule was given up.
var errSteps = errors.New("a rule that is done within 100000 steps")

// A budget bounds the work on rules.
type budget struct{ steps int }

func (b *budget) take(n int) error {
	if b.steps -= n; b.steps < 0 {
		return errSteps
	}
	return nil
}

// An expansion is one rule on its way.
type expansion struct {
	rule
	start    wall
	from, to wall
	until    wall
	left     int // of COUNT
	yield    func(wall) bool
	budget   *budget
	times    []int // seconds of the day, ascending
	set      []wall
}

// expand calls yield with the times of a rule that begins at start, in order,
// those from from to to. until is the wall time of the rule's own end. Work is
// taken from b; when that is used up the error is errSteps.
func (r *rule) expand(start, until, from, to wall, b *budget, yield func(wall) bool) error {
	e := &expansion{rule: *r, start: start, until: min(until, to), from: from, to: to, left: math.MaxInt, yield: yield, budget: b}
	if r.count > 0 {
		e.left = r.count
	}
	e.complete()
	// Long lists are gone through for each day, and each time of a period.
	lists := 1 + (len(r.byDay)+len(r.byYearDay)+len(r.byMonthDay)+len(r.byWeekNo))/16
	positions := 1 + len(r.bySetPos)/16
	first := 0
	if r.count == 0 && from > start {
		first = e.skip(from)
	}
	for k := first; ; k++ {
		lo, hi, next, more := e.period(k)
		if !more {
			return nil
		}
		if next > k {
			k = next - 1
			if err := b.take(1); err != nil {
				return err
			}
			continue
		}
		e.set = e.set[:0]
		for d := lo; d <= hi; d++ {
			if e.matches(d) {
				e.add(d, k)
			}
		}
		if err := b.take(1 + (hi-lo)/8*lists + len(e.set)*positions); err != nil {
			return err
		}
		if !e.emit() {
			return nil
		}
	}
}

// complete fills in from the start what the rule leaves open.
func (e *expansion) complete() {
	_, m, d := dateOf(e.start.days())
	if len(e.byWeekNo)+len(e.byYearDay)+len(e.byMonthDay)+len(e.byDay) == 0 {
		switch e.freq {
		case yearly:
			if len(e.byMonth) == 0 {
				e.byMonth = []int{m}
			}
			e.byMonthDay = []int{d}
		case monthly:
			e.byMonthDay = []int{d}
		case weekly:
			e.byDay = []nthDay{{0, weekdayOf(e.start.days())}}
		}
	}
	second := e.start.second()
	hours, minutes, seconds := e.byHour, e.byMinute, e.bySecond
	if len(hours) == 0 {
		hours = []int{second / 3600}
	}
	if len(minutes) == 0 {
		minutes = []int{second / 60 % 60}
	}
	if len(seconds) == 0 {
		seconds = []int{second % 60}
	}
	switch e.freq {
	case hourly:
		hours = []int{0}
	case minutely:
		hours, minutes = []int{0}, []int{0}
	case secondly:
		hours, minutes, seconds = []int{0}, []int{0}, []int{0}
	}
	for _, h := range hours {
		for _, m := range minutes {
			for _, s := range seconds {
				e.times = append(e.times, h*3600+m*60+s)
			}
		}
	}
}

// step is the length of a period shorter than a day.
func (e *expansion) step() wall {
	unit := map[freq]wall{hourly: 3600, minutely: 60, secondly: 1}[e.freq]
	return unit * wall(e.interval)
}

// base is the start of the first period shorter than a day.
func (e *expansion) base() wall {
	switch e.freq {
	case hourly:
		return e.start - wall(e.start.second()%3600)
	case minutely:
		return e.start - wall(e.start.second()%60)
	}
	return e.start
}

// skip returns a period that ends before from does, so that what was long ago
// costs nothing.
func (e *expansion) skip(from wall) int {
	y0, m0, _ := dateOf(e.start.days())
	y, m, _ := dateOf(from.days())
	k := 0
	switch e.freq {
	case yearly:
		k = (y - y0) / e.interval
	case monthly:
		k = ((y-y0)*12 + m - m0) / e.interval
	case weekly:
		k = (from.days() - e.start.days()) / 7 / e.interval
	case daily:
		k = (from.days() - e.start.days()) / e.interval
	default:
		k = int((from - e.base()) / e.step())
	}
	return max(0, k-1)
}

// period returns the days of the k-th period. next is a later period to go on
// with when this one can hold nothing. more is false past the end.
func (e *expansion) period(k int) (lo, hi, next int, more bool) {
	y0, m0, _ := dateOf(e.start.days())
	switch e.freq {
	case yearly:
		y := y0 + k*e.interval
		lo, hi = daysOf(y, 1, 1), daysOf(y, 12, 31)
		if len(e.byMonth) > 0 && len(e.byWeekNo) == 0 {
			last := e.byMonth[len(e.byMonth)-1]
			lo, hi = daysOf(y, e.byMonth[0], 1), daysOf(y, last, monthLength(y, last))
		}
	case monthly:
		months := y0*12 + m0 - 1 + k*e.interval
		y, m := months/12, months%12+1
		lo, hi = daysOf(y, m, 1), daysOf(y, m, monthLength(y, m))
		if len(e.byMonth) > 0 && !slices.Contains(e.byMonth, m) {
			next = k + 1
		}
	case weekly:
		day := e.start.days()
		lo = day - (weekdayOf(day)-e.weekStart+7)%7 + 7*k*e.interval
		hi = lo + 6
	case daily:
		lo = e.start.days() + k*e.interval
		hi = lo
	default:
		at := e.base() + wall(k)*e.step()
		lo, hi = at.days(), at.days()
		if at > e.until {
			return 0, 0, 0, false
		}
		if !e.matches(lo) { // go on with the first period of the next day
			next = k + max(1, int((wall(lo+1)*secondsPerDay-at+e.step()-1)/e.step()))
		}
	}
	return lo, hi, next, wall(lo)*secondsPerDay <= e.until && lo < 6_000_000
}

// add puts the times of a day, or of the k-th period, into the set.
func (e *expansion) add(day, k int) {
	if e.freq < hourly {
		for _, t := range e.times {
			e.set = append(e.set, wall(day)*secondsPerDay+wall(t))
		}
		return
	}
	at := e.base() + wall(k)*e.step()
	s := at.second()
	if len(e.byHour) > 0 && !slices.Contains(e.byHour, s/3600) ||
		e.freq > hourly && len(e.byMinute) > 0 && !slices.Contains(e.byMinute, s/60%60) ||
		e.freq > minutely && len(e.bySecond) > 0 && !slices.Contains(e.bySecond, s%60) {
		return
	}
	for _, t := range e.times {
		e.set = append(e.set, at+wall(t))
	}
}

// emit hands the set on and reports whether there is more to come.
func (e *expansion) emit() bool {
	n := len(e.set)
	for i, w := range e.set {
		if len(e.bySetPos) > 0 && !slices.Contains(e.bySetPos, i+1) && !slices.Contains(e.bySetPos, i-n) {
			continue
		}
		switch {
		case w < e.start:
			continue
		case w > e.until || e.left == 0:
			return false
		}
		e.left--
		if w >= e.from && !e.yield(w) {
			return false
		}
	}
	return e.left > 0
}

// matches reports whether the rule takes a day.
func (e *expansion) matches(day int) bool {
	y, m, d := dateOf(day)
	if len(e.byMonth) > 0 && !slices.Contains(e.byMonth, m) {
		return false
	}
	if len(e.byMonthDay) > 0 && !slices.Contains(e.byMonthDay, d) && !slices.Contains(e.byMonthDay, d-monthLength(y, m)-1) {
		return false
	}
	ofYear := day - daysOf(y, 1, 1) + 1
	if len(e.byYearDay) > 0 && !slices.Contains(e.byYearDay, ofYear) && !slices.Contains(e.byYearDay, ofYear-yearLength(y)-1) {
		return false
	}
	if len(e.byWeekNo) > 0 && !e.inWeeks(day) {
		return false
	}
	if len(e.byDay) == 0 {
		return true
	}
	wd := weekdayOf(day)
	for _, n := range e.byDay {
		if n.day != wd {
			continue
		}
		at, length := ofYear, yearLength(y)
		if e.freq == monthly || len(e.byMonth) > 0 {
			at, length = d, monthLength(y, m)
		}
		if n.n == 0 || n.n == (at-1)/7+1 || n.n == -((length-at)/7+1) {
			return true
		}
	}
	return false
}

// inWeeks reports whether a day lies in one of the weeks of byWeekNo. Week 1 is
// the first with four days or more in the year.
func (e *expansion) inWeeks(day int) bool {
	thursday := day - (weekdayOf(day)-e.weekStart+7)%7 + 3 // the week's fourth day decides its year
	y, _, _ := dateOf(thursday)
	no := (thursday-daysOf(y, 1, 1))/7 + 1
	last := (yearLength(y)-1-(thursday-daysOf(y, 1, 1)))/7 + no
	return slices.Contains(e.byWeekNo, no) || slices.Contains(e.byWeekNo, no-last-1)
}
