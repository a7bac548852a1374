package calendar

import (
	"errors"
	"fmt"
	"time"

	"github.com/postroom/postroom/internal/walltime"
)

// An Occurrence is one time of a rule.
type Occurrence struct {
	At   time.Time     // in UTC
	Wall time.Time     // what the clock shows there, as a time in UTC
	Kind walltime.Kind // whether it shows that
}

// mostRuleSteps bounds the work on one rule that stands outside a calendar.
const mostRuleSteps = 100_000

// Occurrences lists the times of a recurrence rule (RFC 5545 §3.3.10) that begins at
// start and keeps to the clock of start's zone, after from and up to to, of which
// there may be at most most. A start that does not fit the rule is none of them.
//
// A rule repeats by days or longer periods. The error says what is wanted of it.
func Occurrences(rule string, start, from, to time.Time, most int) ([]Occurrence, error) {
	r, err := parseRule(rule)
	if err != nil {
		return nil, err
	}
	if r.freq >= hourly {
		return nil, errors.New("FREQ=DAILY or a longer period")
	}
	loc := start.Location()
	const margin = secondsPerDay // a change of clocks may move a time over either end
	first, lo, hi := wallAt(start, loc), wallAt(from, loc)-margin, wallAt(to, loc)+margin
	until := hi
	switch {
	case !r.until.set():
	case r.until.date:
		until = r.until.at + secondsPerDay - 1
	case r.until.utc:
		until = wallAt(r.until.at.utc(), loc)
	default:
		until = r.until.at
	}
	var out []Occurrence
	err = r.expand(first, until, lo, hi, &budget{mostRuleSteps}, func(w wall) bool {
		t := w.utc()
		at, kind := walltime.Resolve(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), loc)
		if at.After(from) && !at.After(to) {
			out = append(out, Occurrence{At: at.UTC(), Wall: t, Kind: kind})
		}
		return len(out) <= most
	})
	if err == nil && len(out) > most {
		err = fmt.Errorf("a rule with at most %d times", most)
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}
