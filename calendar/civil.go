package calendar

import "time"

// A wall is what a clock shows, in seconds since 1970-01-01T00:00:00 as if there
// were no zones and no changes of clocks. Rules are expanded on it.
type wall int64

const secondsPerDay = 24 * 60 * 60

func wallOf(y, m, d, second int) wall { return wall(daysOf(y, m, d))*secondsPerDay + wall(second) }

// wallAt returns what the clock in loc shows at an instant.
func wallAt(at time.Time, loc *time.Location) wall {
	_, offset := at.In(loc).Zone()
	return wall(at.Unix() + int64(offset))
}

// days returns the day of w, counted from 1970-01-01.
func (w wall) days() int {
	d := w / secondsPerDay
	if w%secondsPerDay < 0 {
		d--
	}
	return int(d)
}

// second returns the second of the day.
func (w wall) second() int { return int(w - wall(w.days())*secondsPerDay) }

// utc returns w as a time in UTC, to be formatted or taken apart.
func (w wall) utc() time.Time { return time.Unix(int64(w), 0).UTC() }

// daysOf returns the day of a date, counted from 1970-01-01, in the Gregorian
// calendar continued backwards. A month is 1 to 12; a day may lie outside of it.
func daysOf(y, m, d int) int {
	if m <= 2 {
		y--
		m += 12
	}
	era := y / 400
	if y < 0 && y%400 != 0 {
		era--
	}
	ofEra := y - era*400
	ofYear := (153*(m-3)+2)/5 + d - 1 // the year begins in March
	return era*146097 + ofEra*365 + ofEra/4 - ofEra/100 + ofYear - 719468
}

// dateOf undoes daysOf.
func dateOf(days int) (y, m, d int) {
	days += 719468
	era := days / 146097
	if days < 0 && days%146097 != 0 {
		era--
	}
	ofEra := days - era*146097
	y = (ofEra - ofEra/1460 + ofEra/36524 - ofEra/146096) / 365
	ofYear := ofEra - (365*y + y/4 - y/100)
	m = (5*ofYear + 2) / 153
	d = ofYear - (153*m+2)/5 + 1
	y += era * 400
	if m += 3; m > 12 {
		m -= 12
		y++
	}
	return y, m, d
}

// weekdayOf returns the day of the week, Monday as 0.
func weekdayOf(days int) int { return ((days+3)%7 + 7) % 7 }

func isLeap(y int) bool { return y%4 == 0 && (y%100 != 0 || y%400 == 0) }

func yearLength(y int) int {
	if isLeap(y) {
		return 366
	}
	return 365
}

func monthLength(y, m int) int {
	switch m {
	case 2:
		return yearLength(y) - 337
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}
