package api

import (
	"encoding/json"
	"strings"
	"time"
)

// A stamp is an instant as the contract writes it: YYYY-MM-DDTHH:mm:ss.sssZ
// (CONTRACT §0). The zero stamp is null; with omitzero it is absent.
type stamp time.Time

// IsZero is for omitzero.
func (s stamp) IsZero() bool { return time.Time(s).IsZero() }

// MarshalJSON implements [json.Marshaler].
func (s stamp) MarshalJSON() ([]byte, error) {
	if s.IsZero() {
		return []byte("null"), nil
	}
	return time.Time(s).UTC().AppendFormat(nil, `"2006-01-02T15:04:05.000Z"`), nil
}

// parseTime reads a time as CONTRACT §0.1 lists them: ISO 8601 with T between
// date and time; an offset, Z, or neither, which is UTC; seconds and a fraction
// of up to nine digits or none, cut to milliseconds. What is wrong may be hinted.
func parseTime(s string) (at time.Time, hint string, ok bool) {
	up := strings.ToUpper(strings.TrimSpace(s))
	if len(up) < len("2006-01-02T15:04") || up[10] != 'T' {
		return at, "want a date with a time, like 2026-03-01T09:00:00Z", false
	}
	body, zone := up, ""
	if strings.HasSuffix(up, "Z") {
		body, zone = up[:len(up)-1], "Z"
	}
	if i := strings.LastIndexAny(body, "+-"); i > 10 {
		if zone != "" {
			return at, "it has both an offset and Z: leave one of them out", false
		}
		body, zone = body[:i], body[i:]
	}
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02T15:04"} {
		for _, offset := range []string{"", "Z07:00", "Z0700"} {
			if (offset == "") != (zone == "") {
				continue
			}
			if at, err := time.Parse(layout+offset, body+zone); err == nil && fractionDigits(body) <= 9 && !strings.Contains(body, ",") {
				if at.After(farthest) {
					return at, "want a time before the year 10000", false
				}
				return at.UTC().Truncate(time.Millisecond), "", true
			}
		}
	}
	return at, "want a time like 2026-03-01T09:00:00Z", false
}

// farthest is the last time that has a form in the contract, whose years have four
// digits.
var farthest = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)

func fractionDigits(s string) int {
	_, f, _ := strings.Cut(s, ".")
	return len(f)
}

// parseBound reads fromDate and toDate, which may be a bare date, or have a space
// in place of the T, too.
func parseBound(s string) (time.Time, bool) {
	s = strings.TrimSpace(s)
	if at, err := time.Parse(time.DateOnly, s); err == nil {
		return at, true
	}
	if len(s) > 10 && s[10] == ' ' {
		s = s[:10] + "T" + s[11:]
	}
	at, _, ok := parseTime(s)
	return at, ok
}

// longAgo stands for all times before it, the zero time too, which clients of
// other makes send as the year 1: they have passed, and that is all that counts.
var longAgo = time.Unix(0, 0).UTC()

// when reads scheduledTime. Zero is for absent.
func (f fields) when() (time.Time, error) {
	v := f["scheduledTime"]
	if falsy(v) {
		return time.Time{}, nil
	}
	s, ok := asText(v)
	if !ok {
		return time.Time{}, badTime("want a text like \"2026-03-01T09:00:00Z\"")
	}
	at, hint, ok := parseTime(s)
	if !ok {
		return at, badTime(hint)
	}
	if at.Before(longAgo) {
		at = longAgo
	}
	return at, nil
}

func badTime(hint string) error {
	e := errBadRequest("Invalid scheduled time format")
	e.Code, e.Message = "INVALID_SCHEDULED_TIME", e.Text+": "+hint
	return e
}

var _ json.Marshaler = stamp{}
