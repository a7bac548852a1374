package walltime

import (
	"testing"
	"time"
	_ "time/tzdata"
)

func TestResolveAtBothEdges(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		zone, wall, want string
		kind             Kind
	}{
		{"Europe/Berlin", "2026-03-29 01:59", "2026-03-29T01:59:00+01:00", Exact},
		{"Europe/Berlin", "2026-03-29 02:00", "2026-03-29T03:00:00+02:00", Gap},
		{"Europe/Berlin", "2026-03-29 02:30", "2026-03-29T03:30:00+02:00", Gap},
		{"Europe/Berlin", "2026-03-29 03:00", "2026-03-29T03:00:00+02:00", Exact},
		{"Europe/Berlin", "2026-10-25 01:59", "2026-10-25T01:59:00+02:00", Exact},
		{"Europe/Berlin", "2026-10-25 02:00", "2026-10-25T02:00:00+02:00", Overlap},
		{"Europe/Berlin", "2026-10-25 02:59", "2026-10-25T02:59:00+02:00", Overlap},
		{"Europe/Berlin", "2026-10-25 03:00", "2026-10-25T03:00:00+01:00", Exact},
		{"America/New_York", "2026-03-08 02:30", "2026-03-08T03:30:00-04:00", Gap},
		{"America/New_York", "2026-11-01 01:30", "2026-11-01T01:30:00-04:00", Overlap},
		{"Australia/Lord_Howe", "2026-10-04 02:15", "2026-10-04T02:45:00+11:00", Gap}, // half an hour
		{"Australia/Lord_Howe", "2026-04-05 01:45", "2026-04-05T01:45:00+11:00", Overlap},
		{"Pacific/Apia", "2011-12-30 12:00", "2011-12-31T12:00:00+14:00", Gap}, // a day that never was
		{"Asia/Kolkata", "2026-03-29 02:30", "2026-03-29T02:30:00+05:30", Exact},
		{"UTC", "2026-03-29 02:30", "2026-03-29T02:30:00Z", Exact},
	} {
		loc, err := time.LoadLocation(tc.zone)
		if err != nil {
			t.Fatal(err)
		}
		w, err := time.Parse("2006-01-02 15:04", tc.wall)
		if err != nil {
			t.Fatal(err)
		}
		got, kind := Resolve(w.Year(), w.Month(), w.Day(), w.Hour(), w.Minute(), 0, loc)
		if got.Format(time.RFC3339) != tc.want || kind != tc.kind {
			t.Errorf("%s in %s: %s %s, want %s %s", tc.wall, tc.zone, got.Format(time.RFC3339), kind, tc.want, tc.kind)
		}
	}
}

func TestResolveAgreesWithTheClockAllYear(t *testing.T) {
	t.Parallel()
	for _, zone := range []string{"Europe/Berlin", "America/St_Johns", "Africa/Casablanca", "Australia/Lord_Howe"} {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		for at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC); at.Year() == 2026; at = at.Add(10 * time.Minute) {
			w := at.In(loc)
			got, kind := Resolve(w.Year(), w.Month(), w.Day(), w.Hour(), w.Minute(), 0, loc)
			if kind == Exact && !got.Equal(at) || kind == Overlap && got.After(at) || kind == Gap {
				t.Fatalf("%s shows %s at %s: resolved to %s, %s", zone, w.Format(time.DateTime), at, got, kind)
			}
		}
	}
}

// TestDayIsTheDateOfTheClock: whatever the zone and the century.
func TestDayIsTheDateOfTheClock(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Pacific/Kiritimati", "Africa/Monrovia"} {
		loc, ok := Load(name)
		if !ok {
			t.Fatal(name)
		}
		for sec := int64(-3_000_000_000); sec < 5_000_000_000; sec += 86400*9 + 3599 {
			at := time.Unix(sec, 0)
			if got, want := DayTime(Day(at, loc)).Format(time.DateOnly), at.In(loc).Format(time.DateOnly); got != want {
				t.Fatalf("%s in %s: got %s, want %s", at.UTC(), name, got, want)
			}
		}
	}
}
