package publish

import (
	"context"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Pace is what a platform last said about the calls it will still take.
type Pace struct {
	Limit     int       // calls in a window; 0 when not said
	Remaining int       // of them; meaningful when Limit is not 0
	ResetAt   time.Time // when the window begins anew; zero when not said
}

// SpentUntil returns when calls are taken again, of an allowance that is used up; zero
// when some is left, or nothing is known.
func (p Pace) SpentUntil() time.Time {
	if p.Limit == 0 || p.Remaining > 0 {
		return time.Time{}
	}
	return p.ResetAt
}

// The bounds of a wait that a platform asks for.
const (
	leastWait = time.Second
	mostWait  = 24 * time.Hour
)

// Pause waits, for as long as ctx lasts.
func Pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// waitHeaders are asked in this order: what is meant for this caller first.
var waitHeaders = []string{"Retry-After", "X-RateLimit-Reset-After", "RateLimit-Reset", "X-RateLimit-Reset", "X-Rate-Limit-Reset"}

// WaitOf returns how long an answer asks to wait, between 1 s and 24 h; 0 when
// it does not say. now is the instant the answer came. Instants are measured
// against the server's own clock where the answer has a Date.
func WaitOf(h http.Header, now time.Time) time.Duration {
	for _, name := range waitHeaders {
		if at, ok := parseInstant(h.Get(name), serverNow(h, now)); ok {
			return clampWait(at.Sub(serverNow(h, now)))
		}
	}
	return 0
}

func clampWait(d time.Duration) time.Duration { return min(max(d, leastWait), mostWait) }

// serverNow is the server's clock when the answer was made.
func serverNow(h http.Header, now time.Time) time.Time {
	if at, err := http.ParseTime(h.Get("Date")); err == nil {
		return at
	}
	return now
}

// ClockShift returns how far the server's clock is ahead of ours; 0 when it does not
// say.
func (a *Answer) ClockShift() time.Duration { return serverNow(a.Header, a.At).Sub(a.At) }

// parseInstant reads the instant meant by s: seconds from now (with a fraction
// or not), Unix seconds or milliseconds, RFC 3339, or an HTTP date. All of these
// are in use (GoToSocial and Mastodon: X-RateLimit-Reset in RFC 3339).
func parseInstant(s string, now time.Time) (time.Time, bool) {
	s = strings.TrimSpace(s)
	if s == "" {
		return time.Time{}, false
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		switch {
		case math.IsNaN(f) || f < 0:
			return time.Time{}, false
		case f < 1e9:
			return now.Add(time.Duration(min(f, mostWait.Seconds()) * float64(time.Second))), true
		case f < 1e11:
			return time.Unix(int64(f), 0), true
		case f < 1e14:
			return time.UnixMilli(int64(f)), true
		}
		return time.Time{}, false
	}
	if at, err := time.Parse(time.RFC3339, s); err == nil {
		return at, true
	}
	if at, err := http.ParseTime(s); err == nil {
		return at, true
	}
	return time.Time{}, false
}

// PaceOf reads the rate-limit headers of an answer that came at now; the zero
// Pace when it has none.
func PaceOf(h http.Header, now time.Time) Pace {
	for _, prefix := range []string{"X-RateLimit-", "X-Rate-Limit-", "RateLimit-"} {
		limit, err := strconv.Atoi(strings.TrimSpace(h.Get(prefix + "Limit")))
		if err != nil || limit <= 0 {
			continue
		}
		remaining, err := strconv.Atoi(strings.TrimSpace(h.Get(prefix + "Remaining")))
		if err != nil || remaining < 0 {
			continue
		}
		p := Pace{Limit: limit, Remaining: remaining}
		if at, ok := parseInstant(h.Get(prefix+"Reset"), serverNow(h, now)); ok {
			p.ResetAt = now.Add(clampWait(at.Sub(serverNow(h, now))))
		}
		return p
	}
	return Pace{}
}
