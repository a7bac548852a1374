package importer

import (
	"errors"
	"testing"
)

func TestASpanIsNoOffset(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]error{
		"2026-03-01 09:00-10:00":     errSpan,
		"2026-03-01 9:00-11:30":      errSpan,
		"2026-03-01 9:00-10":         errSpan,
		"1.3.2026 09:00-10:00":       errSpan,
		"2026-03-01 9:00 am-10:00":   errSpan,
		"2026-03-01 09:00 -10:00":    errSpan,
		"01.03.26 - 05.03.26":        errSpan,
		"01.03.26–05.03.26":          errSpan,
		"01.03.2026 - 05.03.26":      errSpan,
		"2026-03-01T09:00-10:00":     nil,
		"2026-03-01 09:00:00-10:00":  nil,
		"2026-03-01 09:00:00-10":     nil,
		"1.3.2026 09:00:00-10:00":    nil,
		"2026-03-01 09:00-05:00":     nil,
		"2026-03-01 09:00+10:00":     nil,
		"2026-03-01 09:00 -1000":     nil,
		"2026-03-01 21:00-03:30":     nil,
		"01.03.2026 - 09:30":         nil,
		"01.03.2026 - 09.30":         nil,
		"01.03.26 09.30.00":          nil,
		"2026-03-01 – 9h30":          nil,
		"2026-03-01, 09:00:00 -0500": nil,
	} {
		if _, err := parseWhen(text, orderNone); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", text, err, want)
		}
	}
}

func TestAnHourWithoutItsHalfOfTheDay(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"1.3.2026 2:00":       true,
		"3/1/2026 02:00":      true,
		"3/1/2026 12:30:00":   true,
		"2026-03-01 2:00":     true,
		"March 1, 2026 2:00":  true,
		"3/1/2026 9:00 AM":    false,
		"3/1/2026 9 a.m.":     false,
		"3/1/2026 9:00 p. m.": false,
		"3/1/2026 0:30":       false,
		"3/1/2026 13:00":      false,
		"2026-03-01T02:00":    false,
		"2026-03-01 02:00":    false,
		"1.3.2026 9 Uhr":      false,
		"1/3/2026 9h00":       false,
		"3/1/2026":            false,
	} {
		w, err := parseWhen(text, orderMDY)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if got := (&File{}).lacksHalf(w, text); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}
