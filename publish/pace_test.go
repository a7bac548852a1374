package publish

import (
	"net/http"
	"testing"
	"time"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestWaitsAreReadInEveryFormInUse(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		pairs []string
		want  time.Duration
	}{
		{"nothing said", nil, 0},
		{"seconds", []string{"Retry-After", "30"}, 30 * time.Second},
		{"a fraction of seconds", []string{"Retry-After", "1.5"}, 1500 * time.Millisecond},
		{"an HTTP date", []string{"Retry-After", "Sun, 01 Mar 2026 12:01:00 GMT"}, time.Minute},
		{"Unix seconds", []string{"X-Rate-Limit-Reset", "1772366700"}, 5 * time.Minute},
		{"Unix milliseconds", []string{"X-RateLimit-Reset", "1772366700000"}, 5 * time.Minute},
		{"RFC 3339", []string{"X-RateLimit-Reset", "2026-03-01T12:10:00.000Z"}, 10 * time.Minute},
		{"seconds from now in a reset", []string{"RateLimit-Reset", "90"}, 90 * time.Second},
		{"Retry-After before a reset", []string{"X-RateLimit-Reset", "2026-03-01T13:00:00Z", "Retry-After", "5"}, 5 * time.Second},
		{"by the server's clock", []string{"X-RateLimit-Reset", "2026-03-01T12:10:00Z", "Date", "Sun, 01 Mar 2026 12:09:00 GMT"}, time.Minute},
		{"at least a second", []string{"Retry-After", "0"}, time.Second},
		{"at least a second when it is over", []string{"X-RateLimit-Reset", "2026-03-01T11:00:00Z"}, time.Second},
		{"at most a day", []string{"Retry-After", "999999999"}, 24 * time.Hour},
		{"no number", []string{"Retry-After", "soon"}, 0},
		{"below zero", []string{"Retry-After", "-5"}, 0},
		{"NaN", []string{"Retry-After", "NaN"}, 0},
		{"beyond all numbers", []string{"Retry-After", "1e300"}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := http.Header{}
			for i := 0; i < len(tt.pairs); i += 2 {
				h.Set(tt.pairs[i], tt.pairs[i+1])
			}
			if got := WaitOf(h, noon); got != tt.want {
				t.Errorf("wait %v, want %v", got, tt.want)
			}
		})
	}
}

func TestPaceIsReadFromRateLimitHeaders(t *testing.T) {
	t.Parallel()
	h := http.Header{}
	if got := PaceOf(h, noon); got != (Pace{}) {
		t.Errorf("pace of no headers: %+v", got)
	}
	h.Set("X-RateLimit-Limit", "300")
	h.Set("X-RateLimit-Remaining", "7")
	h.Set("X-RateLimit-Reset", "2026-03-01T12:05:00.000Z")
	if got, want := PaceOf(h, noon), (Pace{300, 7, noon.Add(5 * time.Minute)}); got != want {
		t.Errorf("pace %+v, want %+v", got, want)
	}
	if got := PaceOf(h, noon).SpentUntil(); !got.IsZero() {
		t.Errorf("of 300 calls 7 are left, and they are spent until %v", got)
	}
	h.Set("X-RateLimit-Remaining", "0")
	if got, want := PaceOf(h, noon).SpentUntil(), noon.Add(5*time.Minute); !got.Equal(want) {
		t.Errorf("spent until %v, want %v", got, want)
	}
	h.Set("X-RateLimit-Remaining", "-1")
	if got := PaceOf(h, noon); got != (Pace{}) {
		t.Errorf("pace of a number that cannot be: %+v", got)
	}
}

func FuzzWaitIsBounded(f *testing.F) {
	for _, s := range []string{"30", "1.5", "1e9", "2026-03-01T12:05:00Z", "Sun, 01 Mar 2026 12:01:00 GMT", "NaN", "-Inf", "0x1p-2", "9999-12-31T23:59:59Z"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, wait, date string) {
		h := http.Header{"Retry-After": {wait}, "Date": {date}, "X-Ratelimit-Limit": {"1"}, "X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {wait}}
		if d := WaitOf(h, noon); d != 0 && (d < leastWait || d > mostWait) {
			t.Fatalf("wait %v of %q", d, wait)
		}
		if p := PaceOf(h, noon); !p.ResetAt.IsZero() && (p.ResetAt.Before(noon) || p.ResetAt.After(noon.Add(mostWait))) {
			t.Fatalf("reset at %v of %q", p.ResetAt, wait)
		}
	})
}
