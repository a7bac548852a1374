package scheduler

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
)

// Verdict is what a plan says of one item. The zero value is none.
type Verdict uint8

const (
	Placed   Verdict = iota + 1 // has a time
	IsDraft                     // wants none, or is to be kept back
	Held                        // has no time, and waits for a person: Why says why
	Rejected                    // does not fit the account's plan: Limit says why
)

// String returns a word for logs and tests.
func (v Verdict) String() string {
	return [...]string{"none", "placed", "draft", "held", "rejected"}[min(int(v), 4)]
}

// Why is a set of reasons why a slot is not the time that was asked for.
type Why uint8

const (
	WhyPast  Why = 1 << iota // the time had passed, and was moved to now
	WhySoon                  // the time was nearer than the lead, and was moved to it
	WhyGap                   // then moved, or held: too near to another post of a connection
	WhyFull                  // then moved, or held: enough groups in that minute
	WhyOrder                 // then moved, or held: would overtake an earlier item of the same time
	WhyOld                   // held: the time passed too long ago
	WhyRange                 // held: before 1970 or after 2106, which cannot be stored
	WhyShut                  // in quiet hours, and was moved to their end; or then moved, or held: quiet hours or a blackout day
)

// A Slot is what a plan says of one item. A million of them are kept at once.
type Slot struct {
	At      int64               // Unix seconds: the time when Placed; the one refused by a quota; of a draft the one asked for; else 0
	Limit   *post.LimitExceeded // when Rejected; shared between slots: do not change it
	Shift   uint32              // when Placed: minutes staggered, by WhyGap, WhyFull, WhyOrder, or WhyShut alone
	Verdict Verdict
	Why     Why
	blocker uint16 // with WhyGap: index of the connection in the item's set
}

// Reason says for people why a slot is not the time that was asked for, or ""
// when it is. r, asked and conns are what the plan was made with, for this item.
//
//	moved 10 minutes: at least 5m between posts on twitter-123456
func (s Slot) Reason(r Rules, asked time.Time, conns []post.ConnectionID) string {
	switch s.Verdict {
	case Rejected:
		if s.Limit == nil {
			return ""
		}
		if n := limits.Numbers(s.Limit); n != "" {
			return s.Limit.Message + " (" + n + ")"
		}
		return s.Limit.Message
	case Held:
		switch {
		case asked.IsZero():
			return r.Openings.lack(conns)
		case s.Why&WhyOld != 0:
			return fmt.Sprintf("its time passed more than %s ago", short(r.ResetWithin))
		case s.Why&WhyRange != 0:
			return fmt.Sprintf("the year %d cannot be planned: the first is 1970, the last 2105", asked.UTC().Year())
		}
		of := "its time"
		switch {
		case s.Why&WhyShut != 0 && r.Hours.black(asked):
			return asked.In(r.Hours.Zone).Format(time.DateOnly) + " is a blackout day of the account"
		case s.wasQuiet():
			of = "the end of the quiet hours (" + r.Hours.Quiet.String() + ")"
		case s.Why&WhyPast != 0:
			of = "now, its time has passed"
		}
		return fmt.Sprintf("no free minute within %s of %s: %s", short(r.MaxShift), of, s.rule(r, conns))
	case Placed:
		if asked.IsZero() {
			return "no time given: the next free slot"
		}
		var parts []string
		switch {
		case s.wasQuiet():
			in := "its time is"
			if s.Why&WhyPast != 0 {
				in = "its time had passed, and now is"
			}
			parts = append(parts, fmt.Sprintf("%s in the quiet hours (%s): moved to their end, %s later", in, r.Hours.Quiet, short(s.reset(asked))))
		case s.Why&WhyPast != 0:
			parts = append(parts, fmt.Sprintf("its time had passed: reset to now, %s later", short(s.reset(asked))))
		case s.Why&WhySoon != 0:
			parts = append(parts, fmt.Sprintf("too near to now: moved to at least %s ahead", short(r.Lead)))
		}
		if s.Shift > 0 {
			// Put together by hand: most rows of a large file are moved.
			moved := "moved " + minutesOf(s.Shift) + ": " + s.rule(r, conns)
			if len(parts) == 0 {
				return moved
			}
			parts = append(parts, moved)
		}
		return strings.Join(parts, "; then ")
	}
	return ""
}

// wasQuiet reports whether quiet hours moved the item before it was staggered.
func (s Slot) wasQuiet() bool {
	staggered := s.Why&(WhyGap|WhyFull|WhyOrder) != 0
	return s.Why&WhyShut != 0 && (staggered || s.Verdict == Placed && s.Shift == 0)
}

// reset is how far the item was moved before it was staggered, in whole minutes.
func (s Slot) reset(asked time.Time) time.Duration {
	return time.Unix(s.At, 0).Sub(asked.Truncate(time.Minute)).Truncate(time.Minute) - time.Duration(s.Shift)*time.Minute
}

// rule names the rule that moved or held an item.
func (s Slot) rule(r Rules, conns []post.ConnectionID) string {
	switch {
	case s.Why&WhyGap != 0 && int(s.blocker) < len(conns):
		return "at least " + short(r.Gap) + " between posts on " + string(conns[s.blocker])
	case s.Why&WhyFull != 0:
		return fmt.Sprintf("at most %d in one minute for the account", r.PerMinute)
	case s.Why&WhyShut != 0 && s.Why&WhyOrder == 0:
		return r.Hours.rule()
	}
	return "earlier rows for the same time go first"
}

func minutesOf(n uint32) string {
	if n == 1 {
		return "1 minute"
	}
	return strconv.FormatUint(uint64(n), 10) + " minutes"
}

// short writes a duration as people do in the config: 5m, 4h, 1h30m.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
