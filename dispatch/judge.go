package dispatch

import (
	"fmt"
	"time"

	"github.com/postroom/postroom/post"
)

// backoffs are the waits after the first, second and third attempt (DESIGN §3).
var backoffs = [...]time.Duration{time.Minute, 5 * time.Minute, 25 * time.Minute}

// retrySpan is how long after its time the last attempt comes by backoffs alone.
const retrySpan = 31 * time.Minute

// throttleWaits are used when a platform does not say how long to wait.
var throttleWaits = [...]time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute}

// trustedThrottles is how often in a row a platform is believed that says how long to
// wait: one that says a second each time would be asked every second.
const trustedThrottles = 3

func waitAfter(waits []time.Duration, n int) time.Duration {
	return waits[min(max(n-1, 0), len(waits)-1)]
}

// CodeLate is the error code of a post that is not sent because it is too late.
const CodeLate = "LATE"

// published says what follows from a success: the connection is well.
func published(p *post.Post, r post.Receipt, now time.Time, h *health) post.Done {
	*h = health{}
	if r.PublishedAt.IsZero() {
		r.PublishedAt = now
	}
	return post.Done{ID: p.ID, Status: post.StatusPublished, Receipt: &r}
}

// judge says what follows from a failure that left nothing live:
//
//   - throttled: the post waits, uncounted, and the connection with it;
//   - the connection refused (auth, a wrong address): it pauses, and the post
//     fails. Posts that are refused while that lasts are not spent too: they
//     wait, uncounted. So does the first, when there was no token to send it with;
//   - refused for now, or not sent: tried again after a growing wait, and
//     failed when the attempts are used up;
//   - the content refused: failed.
func (c *Config) judge(f *post.Failure, p *post.Post, now time.Time, h *health) post.Done {
	d := post.Done{ID: p.ID, Status: post.StatusFailed, Outcome: outcomeOf(f, now)}
	switch {
	case f.Class == post.ClassRate:
		h.throttles++
		wait := f.After
		if wait <= 0 {
			wait = waitAfter(throttleWaits[:], h.throttles)
		} else if n := h.throttles - trustedThrottles; n > 0 {
			wait = max(wait, waitAfter(throttleWaits[:], n))
		}
		snooze(&d, now.Add(wait))
		pause(&d, d.RetryAt, "the platform asked to wait: "+f.Message)
	case !passing(f) && (f.Class == post.ClassAuth || f.Scope == post.ScopeConnection):
		until := h.pause(now)
		if h.stopped || f.Class == post.ClassAuth && f.Sent == post.SentNot {
			snooze(&d, until)
		}
		h.stopped = true
		pause(&d, until, f.Message)
	case passing(f):
		until := now.Add(max(waitAfter(backoffs[:], p.Attempts), f.After))
		if p.Attempts < c.MaxAttempts {
			retry(&d, until)
		} else {
			giveUp(&d, p)
		}
		if f.Scope == post.ScopeConnection {
			pause(&d, until, f.Message)
		}
		c.blame(&d, f, now, h)
	}
	c.keepTime(&d, p)
	return d
}

// down says what follows when a connection that had paused is asked how it is,
// and is not well: it pauses again, and the post waits, uncounted.
func (c *Config) down(f *post.Failure, p *post.Post, now time.Time, h *health) post.Done {
	d := post.Done{ID: p.ID, Outcome: outcomeOf(f, now)}
	until := h.pause(now)
	snooze(&d, until)
	pause(&d, until, f.Message)
	c.keepTime(&d, p)
	return d
}

// passing reports whether the same send may go well later, and is safe.
func passing(f *post.Failure) bool {
	return f.Retryable() || f.Sent == post.SentNot && f.Class == post.ClassUnknown
}

// blame counts a failure that is not the post's own fault, and pauses the
// connection when there were too many in a row.
func (c *Config) blame(d *post.Done, f *post.Failure, now time.Time, h *health) {
	h.failures++
	c.spend(d, f.Message, now, h)
}

// spend pauses the connection when its error budget is used up.
func (c *Config) spend(d *post.Done, last string, now time.Time, h *health) {
	if h.failures >= c.ErrorBudget {
		pause(d, h.pause(now), fmt.Sprintf("%d failures in a row, the last: %s", h.failures, last))
	}
}

// unknown says that nobody can tell whether the post is live.
func unknown(p *post.Post, f *post.Failure, why string, now time.Time) post.Done {
	o := outcomeOf(f, now)
	o.Code, o.Retryable = post.CodeOutcomeUnknown, false
	o.Message = "it may be live: " + why
	return post.Done{ID: p.ID, Status: post.StatusUnknown, Outcome: o}
}

// absent says what follows when the platform says that a post in doubt is not
// live: the attempt counts, and the next may come at once.
func (c *Config) absent(p *post.Post, f *post.Failure, now time.Time) post.Done {
	d := post.Done{ID: p.ID, Status: post.StatusFailed, Outcome: outcomeOf(f, now)}
	d.Outcome.Message = "looked up, and it is not live: " + f.Message
	if p.Attempts < c.MaxAttempts {
		retry(&d, now)
	} else {
		giveUp(&d, p)
	}
	c.keepTime(&d, p)
	return d
}

// keepTime takes back another attempt that would come after the account's
// lateness grace (P3). A first attempt is then left to the queue, which holds
// the post; a queue lets the retry of a post through whatever the hour, so a
// later attempt fails here. The grace is counted from the end of the backoffs:
// they are not what makes a post late.
func (c *Config) keepTime(d *post.Done, p *post.Post) {
	grace := c.Late(p.Account)
	if d.Status != post.StatusScheduled || grace <= 0 || d.RetryAt.Sub(p.SlotAt) <= grace+retrySpan {
		return
	}
	if p.Attempts <= 1 {
		d.Snooze = true
		return
	}
	d.Outcome.Message = fmt.Sprintf("not tried again: that would be %s after its time, later than the grace of %s: %s",
		d.RetryAt.Sub(p.SlotAt).Truncate(time.Minute), grace, d.Outcome.Message)
	d.Outcome.Code, d.Outcome.Retryable = CodeLate, false
	d.Status, d.Snooze, d.RetryAt = post.StatusFailed, false, time.Time{}
}

// unsent takes an intent back: nothing was sent, and the attempt does not count.
func unsent(p *post.Post) post.Done {
	return post.Done{ID: p.ID, Status: post.StatusScheduled, Snooze: true, RetryAt: p.DueAt}
}

// unconfigured makes the posts of a connection wait that cannot be called now.
func (c *Config) unconfigured(p *post.Post, why error, now time.Time) post.Done {
	d := post.Done{ID: p.ID, Outcome: &post.Outcome{Code: post.ClassUnknown.String(), Message: why.Error(), Retryable: true, At: now}}
	snooze(&d, now.Add(firstPause))
	pause(&d, d.RetryAt, why.Error())
	c.keepTime(&d, p)
	return d
}

func outcomeOf(f *post.Failure, now time.Time) *post.Outcome {
	return &post.Outcome{Code: f.Class.String(), Message: f.Message, HTTPStatus: f.Status, Retryable: passing(f), At: now}
}

func retry(d *post.Done, at time.Time) {
	d.Status, d.RetryAt, d.Outcome.Retryable = post.StatusScheduled, at, true
}

func snooze(d *post.Done, at time.Time) {
	retry(d, at)
	d.Snooze = true
}

func giveUp(d *post.Done, p *post.Post) {
	d.Outcome.Message = fmt.Sprintf("given up after %d attempts: %s", p.Attempts, d.Outcome.Message)
}

// pause keeps the connection from sending until then, unless it rests longer.
func pause(d *post.Done, until time.Time, why string) {
	if until.After(d.NotBefore) {
		d.NotBefore, d.PauseWhy = until, why
	}
}

// pace keeps the connection from sending until then, without a word.
func pace(d *post.Done, until time.Time) {
	if until.After(d.NotBefore) {
		d.NotBefore = until
	}
}
