package dispatch

import (
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/post"
)

func TestJudge(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC)
	const m, h = time.Minute, time.Hour
	fail := func(c post.Class, s post.Sent, sc post.Scope, after time.Duration) post.Failure {
		return post.Failure{Class: c, Sent: s, Scope: sc, After: after, Message: "told so"}
	}
	const one, all = post.ScopePost, post.ScopeConnection
	tests := map[string]struct {
		f       post.Failure
		attempt int
		late    time.Duration // since the slot
		health  health

		status post.Status
		retry  time.Duration // from now
		snooze bool
		rest   time.Duration // of the connection, from now
		says   string
	}{
		"throttled waits as told":                      {f: fail(post.ClassRate, post.Refused, all, 90*time.Second), attempt: 1, status: post.StatusScheduled, retry: 90 * time.Second, snooze: true, rest: 90 * time.Second},
		"throttled before it was sent, too":            {f: fail(post.ClassRate, post.SentNot, one, m), attempt: 1, status: post.StatusScheduled, retry: m, snooze: true, rest: m},
		"throttled on a retry, past the grace: failed": {f: fail(post.ClassRate, post.Refused, all, 24*h), attempt: 2, status: post.StatusFailed, rest: 24 * h, says: "not tried again: that would be 24h0m0s after its time"},
		"throttled first, past the grace: the queue holds": {
			f: fail(post.ClassRate, post.Refused, all, 24*h), attempt: 1, status: post.StatusScheduled, retry: 24 * h, snooze: true, rest: 24 * h},
		"first failure waits 1 min":                 {f: fail(post.ClassServer, post.Refused, one, 0), attempt: 1, status: post.StatusScheduled, retry: m},
		"second failure waits 5 min":                {f: fail(post.ClassServer, post.Refused, one, 0), attempt: 2, status: post.StatusScheduled, retry: 5 * m},
		"third failure waits 25 min":                {f: fail(post.ClassNetwork, post.SentNot, one, 0), attempt: 3, status: post.StatusScheduled, retry: 25 * m},
		"fourth failure is the last":                {f: fail(post.ClassTimeout, post.SentNot, one, 0), attempt: 4, status: post.StatusFailed, says: "given up after 4 attempts: told so"},
		"a platform may ask for a longer wait":      {f: fail(post.ClassServer, post.Refused, one, 10*m), attempt: 1, status: post.StatusScheduled, retry: 10 * m},
		"but not for a shorter one":                 {f: fail(post.ClassServer, post.Refused, one, time.Second), attempt: 1, status: post.StatusScheduled, retry: m},
		"nothing sent for no known reason: retried": {f: fail(post.ClassUnknown, post.SentNot, one, 0), attempt: 1, status: post.StatusScheduled, retry: m},
		"a broken connection rests as a whole":      {f: fail(post.ClassNetwork, post.SentNot, all, 0), attempt: 1, status: post.StatusScheduled, retry: m, rest: m},
		"refused content fails alone":               {f: fail(post.ClassInvalid, post.Refused, one, 0), attempt: 1, status: post.StatusFailed},
		"too large fails alone":                     {f: fail(post.ClassLarge, post.SentNot, one, 0), attempt: 1, status: post.StatusFailed},
		"auth fails and pauses":                     {f: fail(post.ClassAuth, post.Refused, one, 0), attempt: 1, status: post.StatusFailed, rest: 5 * m, says: "told so"},
		"without a token no post is spent":          {f: fail(post.ClassAuth, post.SentNot, all, 0), attempt: 1, status: post.StatusScheduled, snooze: true, retry: 5 * m, rest: 5 * m, says: "told so"},
		"auth again spends no post":                 {f: fail(post.ClassAuth, post.Refused, all, 0), attempt: 1, health: health{stopped: true, pauses: 1}, status: post.StatusScheduled, snooze: true, retry: 10 * m, rest: 10 * m},
		"a wrong address fails and pauses":          {f: fail(post.ClassInvalid, post.Refused, all, 0), attempt: 1, status: post.StatusFailed, rest: 5 * m},
		"a wrong address again spends no post":      {f: fail(post.ClassInvalid, post.Refused, all, 0), attempt: 1, health: health{stopped: true, pauses: 9}, status: post.StatusScheduled, snooze: true, retry: h, rest: h},
		"the last of the budget pauses":             {f: fail(post.ClassServer, post.Refused, one, 0), attempt: 1, health: health{failures: 4}, status: post.StatusScheduled, retry: m, rest: 5 * m, says: "told so"},
		"a pause under way is not made longer":      {f: fail(post.ClassServer, post.Refused, one, 0), attempt: 1, health: health{failures: 7, pauses: 3, pausedUntil: now.Add(2 * m)}, status: post.StatusScheduled, retry: m, rest: 2 * m},
		"retries at the end of the grace are let be": {
			f: fail(post.ClassServer, post.Refused, one, 0), attempt: 3, late: 2*h + 6*m, status: post.StatusScheduled, retry: 25 * m},
		"retries a minute later are not": {
			f: fail(post.ClassServer, post.Refused, one, 0), attempt: 3, late: 2*h + 7*m, status: post.StatusFailed, says: "later than the grace of 2h0m0s: told so"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := Config{}.withDefaults()
			p := post.Post{ID: post.ID{1}, Attempts: tt.attempt, SlotAt: now.Add(-tt.late)}
			got := c.judge(&tt.f, &p, now, &tt.health)
			if got.ID != p.ID || got.Status != tt.status || got.Snooze != tt.snooze || got.Receipt != nil {
				t.Errorf("judge() = %+v, want %s, snooze %t", got, tt.status, tt.snooze)
			}
			checkAt(t, "next try", now, got.RetryAt, tt.retry)
			checkAt(t, "rest", now, got.NotBefore, tt.rest)
			if o := got.Outcome; o == nil || !strings.Contains(o.Message, tt.says) || !o.At.Equal(now) || o.Retryable != (tt.status == post.StatusScheduled) && o.Code == CodeLate {
				t.Errorf("outcome %+v, want %q", got.Outcome, tt.says)
			}
			if (got.PauseWhy != "") != (tt.rest > 0) {
				t.Errorf("rests %v for %q", tt.rest, got.PauseWhy)
			}
			if !post.StatusProcessing.May(got.Status) {
				t.Errorf("processing may not become %s", got.Status)
			}
		})
	}
}

func checkAt(t *testing.T, what string, now, at time.Time, want time.Duration) {
	t.Helper()
	if want == 0 && !at.IsZero() || want > 0 && at.Sub(now) != want {
		t.Errorf("%s in %v, want %v", what, at.Sub(now), want)
	}
}

// Whatever a failure says, a post that may be live is never set to be sent.
func FuzzJudgeNeverResendsInDoubt(f *testing.F) {
	f.Add(uint8(2), uint8(2), uint8(1), 1, int64(60), int64(0), 3)
	f.Fuzz(func(t *testing.T, class, sent, scope uint8, attempts int, after, late int64, failures int) {
		now := time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC)
		fl := post.Failure{Class: post.Class(class % 8), Sent: post.Sent(sent % 3), Scope: post.Scope(scope % 2), After: time.Duration(after)}
		p := post.Post{Attempts: attempts, SlotAt: now.Add(-time.Duration(late))}
		c := Config{}.withDefaults()
		h := health{failures: failures}
		if fl.InDoubt() {
			t.Skip("goes to a look-up, never to judge")
		}
		d := c.judge(&fl, &p, now, &h)
		if d.Status == post.StatusScheduled && (d.RetryAt.Before(now) || !passing(&fl) && !d.Snooze) {
			t.Errorf("%+v after %+v", d, fl)
		}
		if d.Status != post.StatusScheduled && d.Status != post.StatusFailed {
			t.Errorf("%+v after a definite failure %+v", d, fl)
		}
	})
}
