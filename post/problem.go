package post

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Severity tells a problem that costs the row from one that is only said.
type Severity uint8

const (
	SeverityError   Severity = iota // the row, or the file, cannot be used
	SeverityWarning                 // used all the same; somebody should look
)

// String returns "error" or "warning".
func (s Severity) String() string {
	if s == SeverityWarning {
		return "warning"
	}
	return "error"
}

// MarshalText and UnmarshalText write and read the name.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (s *Severity) UnmarshalText(b []byte) error {
	*s = SeverityError
	if string(b) == "warning" {
		*s = SeverityWarning
	}
	return nil
}

// A Problem is one thing wrong with one cell, property, row or file, with its
// place, what was given, what is wanted and a next step.
type Problem struct {
	File     string   `json:"file,omitempty"`
	Line     int      `json:"line,omitempty"`   // physical line, from 1; 0 for the whole file
	Column   int      `json:"column,omitempty"` // cell of the row, from 1; 0 for the whole row
	Sheet    string   `json:"sheet,omitempty"`  // of the workbook, whose rows Line then counts
	UID      string   `json:"uid,omitempty"`    // of the calendar event
	Platform Platform `json:"platform,omitempty"`
	Field    string   `json:"field,omitempty"` // canonical column, property or setting: scheduled_time
	Got      string   `json:"got,omitempty"`   // the value, shortened by [Shorten]
	Want     string   `json:"want,omitempty"`  // "a date like 2026-03-01T09:00"
	Hint     string   `json:"hint,omitempty"`  // the next step
	Code     string   `json:"code,omitempty"`  // machine-readable: CONTENT_TOO_LONG, POST_LIMIT_REACHED

	Severity Severity `json:"severity"`

	// Measure says how far beyond a limit something is, for those who tell it in
	// words of their own. Want and Got say the same for people.
	Measure Measure `json:"-"`

	// Limit holds the fields of a LimitExceededError (CONTRACT §4.4) when the
	// problem is a quota.
	Limit *LimitExceeded `json:"limit,omitempty"`
}

// A Measure is something that was measured, and its bounds: characters of a text, how
// many files there are, bytes of a file, or the milliseconds that a film lasts, as
// the code of its problem tells. A bound is 0 where there is none.
type Measure struct {
	Of          string // the MIME type of a file; "bytes" of a text that is measured in them
	Is          int64
	Least, Most int64
}

// String gives the one-line form: `week.csv:3:8: scheduled_time: got "tomorow",
// want a date like 2026-03-01T09:00`, and the hint in brackets. An event is
// named by its UID where no line is known, and a cell of a workbook as spreadsheets
// do: `plan.xlsx: Plan!C7: …`.
func (p Problem) String() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File)
		if p.Sheet != "" {
			b.WriteString(": " + p.Cell())
		} else if p.Line > 0 {
			fmt.Fprintf(&b, ":%d", p.Line)
			if p.Column > 0 {
				fmt.Fprintf(&b, ":%d", p.Column)
			}
		}
		b.WriteString(": ")
	} else if p.Line > 0 {
		fmt.Fprintf(&b, "line %d: ", p.Line)
	}
	if p.Line == 0 && p.UID != "" {
		fmt.Fprintf(&b, "event %s: ", Shorten(p.UID))
	}
	if p.Severity == SeverityWarning {
		b.WriteString("warning: ")
	}
	b.WriteString(p.Message())
	if p.Hint != "" {
		b.WriteString(" (" + p.Hint + ")")
	}
	return b.String()
}

// Cell names the place in a workbook as spreadsheets do: Plan!C7, or Plan row 7 of a
// whole row, or Plan.
func (p Problem) Cell() string {
	switch {
	case p.Line == 0:
		return p.Sheet
	case p.Column == 0:
		return fmt.Sprintf("%s row %d", p.Sheet, p.Line)
	}
	var letters []byte
	for n := p.Column; n > 0; n = (n - 1) / 26 {
		letters = append(letters, byte('A'+(n-1)%26))
	}
	slices.Reverse(letters)
	return fmt.Sprintf("%s!%s%d", p.Sheet, letters, p.Line)
}

// Message is String without place and hint.
func (p Problem) Message() string {
	var parts []string
	if p.Field != "" {
		parts = append(parts, p.Field)
	}
	switch {
	case p.Got != "" && p.Want != "":
		parts = append(parts, fmt.Sprintf("got %q, want %s", p.Got, p.Want))
	case p.Want != "":
		parts = append(parts, p.Want)
	case p.Got != "":
		parts = append(parts, fmt.Sprintf("got %q", p.Got))
	}
	return strings.Join(parts, ": ")
}

// Error makes a Problem an error.
func (p Problem) Error() string { return p.String() }

// Shorten cuts s to at most 60 runes for use in a message, with an ellipsis.
func Shorten(s string) string {
	const most = 60
	if len(s) <= most || utf8.RuneCountInString(s) <= most {
		return s
	}
	n := 0
	for i := range s {
		if n == most-1 {
			return s[:i] + "…"
		}
		n++
	}
	return s
}

// HasErrors reports whether any of the problems is an error.
func HasErrors(ps []Problem) bool {
	for i := range ps {
		if ps[i].Severity == SeverityError {
			return true
		}
	}
	return false
}
