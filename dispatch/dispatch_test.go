package dispatch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postroom/postroom/post"
)

const mast = post.ConnectionID("mastodon-a")

// bubble runs fn in a synctest bubble, which begins at 2000-01-01 00:00 UTC,
// with a queue, a platform and that instant.
func bubble(t *testing.T, fn func(t *testing.T, m *model, w *world, t0 time.Time)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		fn(t, newModel(t), w, time.Now())
		w.noDoubles(t)
	})
}

func sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestP3_DueMeansNotBefore(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		id := m.add(mast, t0.Add(90*time.Second), "a")
		start(t, m, w, Config{})
		sleep(89*time.Second + 999*time.Millisecond)
		if got := w.sent(); got != "" {
			t.Fatalf("sent %q before its time", got)
		}
		sleep(time.Millisecond)
		wantTimes(t, w.times("a", t0), 90*time.Second)
		m.wantStatus(id, post.StatusPublished)
		if n := m.leased(); n != 0 {
			t.Errorf("%d leases kept with nothing to do", n)
		}
	})
}

func TestSendsInOrderOfDueThenID(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		m.add(mast, t0.Add(time.Minute), "b")
		m.add(mast, t0.Add(time.Minute), "c")
		m.add(mast, t0.Add(30*time.Second), "a")
		sleep(time.Minute)
		start(t, m, w, Config{})
		sleep(time.Second)
		if got := w.sent(); got != "a b c" {
			t.Errorf("sent %q, want a b c", got)
		}
	})
}

func TestNewWorkIsFoundAtTheNextMinute(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		d := start(t, m, w, Config{})
		sleep(10 * time.Second)
		m.add(mast, time.Now(), "a") // nobody tells the dispatcher
		sleep(time.Hour)
		wantTimes(t, w.times("a", t0), time.Minute)
		if got := d.LastTick().Sub(t0); got != time.Hour {
			t.Errorf("last tick at %v, want 1h: ticks are aligned to the minute", got)
		}
	})
}

func TestSlowConnectionHoldsUpNoOther(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		w.script["slow"] = []behaves{slow(15 * time.Second)}
		for range 20 {
			m.add("mastodon-slow", t0, "slow")
		}
		m.add("mastodon-fast", t0, "fast")
		m.add("mastodon-fast", t0.Add(time.Minute), "fast")
		var ticks []time.Duration
		start(t, m, w, Config{Observe: Observer{Tick: func(took time.Duration) { ticks = append(ticks, took) }}})
		sleep(10 * time.Minute)
		wantTimes(t, w.times("fast", t0), 0, time.Minute)
		for i, at := range w.times("slow", t0) {
			if want := time.Duration(i) * 15 * time.Second; at != want {
				t.Errorf("slow post %d sent at %v, want %v: one after the other, none skipped", i, at, want)
			}
		}
		if n := m.counts()[post.StatusPublished]; n != 22 {
			t.Errorf("%d published, want 22", n)
		}
		if ticks[0] != time.Minute || ticks[9] != 0 {
			t.Errorf("ticks took %v, want a minute while work is left, then nothing", ticks)
		}
	})
}

func TestWorkersAreBounded(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		w.script["x"] = []behaves{slow(10 * time.Second)}
		for i := range 10 {
			m.add(post.ConnectionID(fmt.Sprintf("mastodon-%d", i)), t0, "x")
		}
		start(t, m, w, Config{Workers: 4})
		sleep(time.Minute)
		want := []time.Duration{0, 0, 0, 0, 10e9, 10e9, 10e9, 10e9, 20e9, 20e9}
		wantTimes(t, w.times("x", t0), want...)
	})
}

func TestPaceKeepsCallsApart(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		for range 3 {
			m.add(mast, t0, "a")
		}
		m.add("mastodon-b", t0, "b")
		start(t, m, w, Config{Pace: func(post.ConnectionID) time.Duration { return 10 * time.Second }})
		sleep(time.Minute)
		wantTimes(t, w.times("a", t0), 0, 10*time.Second, 20*time.Second)
		wantTimes(t, w.times("b", t0), 0)
		if c := m.conn(mast); c.pauseWhy != "" {
			t.Errorf("pace shows as a pause: %q", c.pauseWhy)
		}
	})
}

// TestASpentAllowanceIsWaitedOut: the answer to the second post says that the platform
// takes nothing more for half an hour. Another connection goes on.
func TestASpentAllowanceIsWaitedOut(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		for _, text := range []string{"a", "b", "c"} {
			m.add(mast, t0, text)
		}
		m.add("twitter-1", t0, "d")
		until := t0.Add(30 * time.Minute)
		start(t, m, w, Config{Spent: func(_ post.AccountID, id post.ConnectionID) time.Time {
			if id == mast && len(w.times("b", t0)) > 0 {
				return until
			}
			return time.Time{}
		}})
		sleep(time.Hour)
		wantTimes(t, w.times("b", t0), 0)
		wantTimes(t, w.times("d", t0), 0)
		wantTimes(t, w.times("c", t0), 30*time.Minute)
	})
}

func TestPaceHoldsAfterALostAnswer(t *testing.T) {
	for name, first := range map[string]behaves{"found before the pace is over": lost, "still in doubt then": dropped} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
				w.script["lost"] = []behaves{first}
				m.add(mast, t0, "lost")
				m.add(mast, t0, "a")
				start(t, m, w, Config{Pace: func(post.ConnectionID) time.Duration { return 30 * time.Second }})
				sleep(10 * time.Minute)
				wantTimes(t, w.times("a", t0), 30*time.Second)
			})
		})
	}
}

func TestP3_LateIsHeldWithinGraceIsSent(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		old := m.add(mast, t0.Add(-2*time.Hour-time.Second), "old")
		young := m.add(mast, t0.Add(-2*time.Hour), "young")
		ever := m.addFor("patient", "mastodon-p", t0.Add(-1000*time.Hour), "ever")
		held := 0
		var late time.Duration
		start(t, m, w, Config{
			Late: func(a post.AccountID) time.Duration {
				if a == "patient" {
					return 0
				}
				return 2 * time.Hour
			},
			Observe: Observer{HeldLate: func(n int) { held += n }, Attempt: func(a Attempt) {
				if a.Account == "acme" {
					late = a.Late
				}
			}},
		})
		sleep(time.Second)
		m.wantStatus(old, post.StatusDraft)
		m.wantStatus(young, post.StatusPublished)
		m.wantStatus(ever, post.StatusPublished)
		if held != 1 || late != 2*time.Hour {
			t.Errorf("%d held and the other %v late, want 1 and 2h", held, late)
		}
	})
}

// CONTRACT §2.9, item 5: a post whose media never came has failed, and is told of;
// no platform hears of it, and the next one goes out.
func TestAPostWithoutItsMediaFailsAndTheNextGoesOut(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		first, second, behind := m.add(mast, t0, "first"), m.add(mast, t0, "second"), m.add(mast, t0, "behind")
		alone := m.add("mastodon-alone", t0, "alone")
		for _, id := range []post.ID{first, second, alone} {
			m.posts[id].gone = true
		}
		var log bytes.Buffer
		d := New(m, w.pubs, Config{Log: slog.New(slog.NewTextHandler(&log, nil))})
		sum, err := d.Tick(t.Context())
		if want := (Summary{Published: 1, Failed: 3}); err != nil || sum != want {
			t.Errorf("got %+v, %v, want %+v", sum, err, want)
		}
		m.wantStatus(behind, post.StatusPublished)
		if n := len(m.get(first).history); n != 0 {
			t.Errorf("%d attempts at a post without its media", n)
		}
		if n := strings.Count(log.String(), "never uploaded"); n != 3 {
			t.Errorf("the log says %d times why, want 3:\n%s", n, log.String())
		}
	})
}

func TestThrottledWaitsUncountedAndTheConnectionWithIt(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		w.script["a"] = []behaves{fails(refused(post.ClassRate, post.Refused, 90*time.Second)), good}
		a := m.add(mast, t0, "a")
		m.add(mast, t0.Add(time.Minute), "b")
		m.add("mastodon-b", t0.Add(time.Minute), "other")
		start(t, m, w, Config{})
		sleep(time.Second)
		if r := m.get(a); r.Status != post.StatusScheduled || r.Attempts != 0 || r.Problem.Code != "RATE_LIMITED" {
			t.Errorf("after the throttle: %+v", r.Post)
		}
		if c := m.conn(mast); !strings.Contains(c.pauseWhy, "told so") {
			t.Errorf("pause says %q", c.pauseWhy)
		}
		sleep(10 * time.Minute)
		wantTimes(t, w.times("a", t0), 0, 90*time.Second)
		wantTimes(t, w.times("b", t0), 90*time.Second)
		wantTimes(t, w.times("other", t0), time.Minute)
		if r := m.get(a); r.Attempts != 1 {
			t.Errorf("%d attempts counted, want 1", r.Attempts)
		}
	})
}

func TestThrottledWithoutAWordWaitsLongerEachTime(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		no := fails(refused(post.ClassRate, post.Refused, 0))
		w.script["a"] = []behaves{no, no, no, no, good}
		m.add(mast, t0, "a")
		start(t, m, w, Config{})
		sleep(2 * time.Hour)
		wantTimes(t, w.times("a", t0), 0, time.Minute, 6*time.Minute, 21*time.Minute, 36*time.Minute)
	})
}

// A platform may ask for a second, or for a time that has passed, at every call.
func TestThrottledOverAndOverIsNotAskedEverySecond(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		no := fails(refused(post.ClassRate, post.Refused, time.Second))
		w.script["a"] = []behaves{no, no, no, no, no, good}
		m.add(mast, t0, "a")
		start(t, m, w, Config{})
		sleep(2 * time.Hour)
		const s, min = time.Second, time.Minute
		wantTimes(t, w.times("a", t0), 0, s, 2*s, 3*s, 3*s+min, 3*s+6*min)
	})
}

func TestTransientIsTriedFourTimesThenFails(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		w.script["a"] = []behaves{fails(refused(post.ClassNetwork, post.SentNot, 0))}
		a := m.add(mast, t0, "a")
		start(t, m, w, Config{})
		sleep(10 * time.Hour)
		wantTimes(t, w.times("a", t0), 0, time.Minute, 6*time.Minute, 31*time.Minute)
		r := m.get(a)
		if r.Status != post.StatusFailed || r.Problem.Code != "NETWORK_ERROR" || !strings.Contains(r.Problem.Message, "given up after 4 attempts") {
			t.Errorf("ended as %s, %+v", r.Status, r.Problem)
		}
	})
}

func TestRetryIsNotKilledByAShortGrace(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		no := fails(refused(post.ClassServer, post.Refused, 0))
		w.script["a"] = []behaves{no, no, no, good}
		a := m.add(mast, t0, "a")
		start(t, m, w, Config{Late: func(post.AccountID) time.Duration { return time.Minute }})
		sleep(time.Hour)
		m.wantStatus(a, post.StatusPublished)
	})
}

func TestP3_NoRetryAfterTheGrace(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		day := fails(refused(post.ClassServer, post.Refused, 24*time.Hour))
		w.script["first"] = []behaves{day, good}
		w.script["second"] = []behaves{fails(refused(post.ClassServer, post.Refused, 0)), day, good}
		first := m.add(mast, t0, "first")
		second := m.add("mastodon-b", t0, "second")
		start(t, m, w, Config{})
		sleep(48 * time.Hour)
		m.wantStatus(first, post.StatusDraft) // held by the queue, as nothing counted
		m.wantStatus(second, post.StatusFailed)
		if r := m.get(second); r.Problem.Code != CodeLate || r.Problem.Retryable {
			t.Errorf("second: %+v", r.Problem)
		}
	})
}

func TestRefusedContentFailsAndTheRestGoesOn(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		w.script["a"] = []behaves{fails(refused(post.ClassInvalid, post.Refused, 0))}
		for range 8 {
			m.add(mast, t0, "a")
		}
		b := m.add(mast, t0, "b")
		start(t, m, w, Config{})
		sleep(time.Second)
		m.wantStatus(b, post.StatusPublished)
		if n := m.counts()[post.StatusFailed]; n != 8 {
			t.Errorf("%d failed, want 8", n)
		}
	})
}

func TestRefusedCredentialsSpendOnePostAndPauseTheRest(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		no := fails(refused(post.ClassAuth, post.Refused, 0))
		w.script["a"] = []behaves{no, no, no, no, good}
		first := m.add(mast, t0, "a")
		for range 3 {
			m.add(mast, t0, "a")
		}
		start(t, m, w, Config{})
		sleep(time.Hour)
		// Pauses of 5, 10 and 20 minutes, each tried with one post.
		wantTimes(t, w.times("a", t0), 0, 5*time.Minute, 15*time.Minute, 35*time.Minute)
		m.wantStatus(first, post.StatusFailed)
		if n := m.counts(); n[post.StatusFailed] != 1 || n[post.StatusScheduled] != 3 {
			t.Errorf("states %v, want one failed and three waiting", n)
		}
		if c := m.conn(mast); c.pauseWhy != "told so" {
			t.Errorf("pause says %q", c.pauseWhy)
		}
		sleep(time.Hour)
		if n := m.counts(); n[post.StatusPublished] != 3 {
			t.Errorf("states %v, want three published once the credentials work", n)
		}
	})
}

// As above, with a new process for each tick: what the earlier ones learned by
// spending a post is not learned anew.
func TestRefusedCredentialsSpendOnePostWhateverStartsAnew(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		no := fails(refused(post.ClassAuth, post.Refused, 0))
		w.script["a"] = []behaves{no, no, no, no, good}
		for range 4 {
			m.add(mast, t0, "a")
		}
		for range 60 {
			if _, err := New(m, w.pubs, Config{}).Tick(t.Context()); err != nil {
				t.Fatal(err)
			}
			m.restart()
			sleep(time.Minute)
		}
		if n := m.counts(); n[post.StatusFailed] != 1 || n[post.StatusPublished] != 3 {
			t.Errorf("states %v, want one failed, and the rest published once the credentials work", n)
		}
	})
}

// A process that is new asks a connection how it is that paused before, too.
func TestAPauseEndsWithAProbeInANewProcess(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		asked, down := 0, true
		w.health = func() error {
			if asked++; down {
				return refused(post.ClassAuth, post.Refused, 0)
			}
			return nil
		}
		w.script["a"] = []behaves{fails(refused(post.ClassAuth, post.Refused, 0)), good}
		for range 3 {
			m.add(mast, t0, "a")
		}
		tick := func() {
			t.Helper()
			if _, err := New(m, w.pubs, Config{}).Tick(t.Context()); err != nil {
				t.Fatal(err)
			}
			m.restart()
			sleep(30 * time.Minute)
		}
		tick()
		tick()
		if n := len(w.times("a", t0)); n != 1 || asked != 1 {
			t.Errorf("%d calls and %d questions, want one of each", n, asked)
		}
		down = false
		tick()
		if n := m.counts(); n[post.StatusPublished] != 2 || asked != 2 {
			t.Errorf("states %v after %d questions, want the rest published after 2", n, asked)
		}
	})
}

func TestErrorBudgetPausesTheConnection(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		w.script["a"] = []behaves{fails(refused(post.ClassServer, post.Refused, 0))}
		for range 20 {
			m.add(mast, t0, "a")
		}
		start(t, m, w, Config{})
		sleep(4 * time.Minute)
		if n := len(w.times("a", t0)); n != 5 {
			t.Errorf("%d calls before the pause, want 5", n)
		}
		if c := m.conn(mast); !strings.HasPrefix(c.pauseWhy, "5 failures in a row, the last: told so") {
			t.Errorf("pause says %q", c.pauseWhy)
		}
		sleep(8 * time.Hour)
		var gaps []time.Duration
		at := w.times("a", t0)
		for i := 5; i < 12; i++ {
			gaps = append(gaps, at[i]-at[i-1])
		}
		want := []time.Duration{5 * time.Minute, 10 * time.Minute, 20 * time.Minute, 40 * time.Minute, time.Hour, time.Hour}
		wantTimes(t, gaps[:6], want...)
	})
}

// A pause ends with a question, and a post is sent only after a good answer.
func TestAPauseEndsWithAProbeThatSpendsNoPost(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		var asked []time.Duration
		var down atomic.Bool
		down.Store(true)
		w.health = func() error {
			asked = append(asked, time.Since(t0))
			if down.Load() {
				return refused(post.ClassServer, post.Refused, 0)
			}
			return nil
		}
		no := fails(refused(post.ClassServer, post.Refused, 0))
		w.script["a"] = []behaves{no, no, no, no, no, good}
		var ids []post.ID
		for range 8 {
			ids = append(ids, m.add(mast, t0, "a"))
		}
		start(t, m, w, Config{})
		sleep(50 * time.Minute)
		wantTimes(t, asked, 5*time.Minute, 15*time.Minute, 35*time.Minute)
		if n := len(w.times("a", t0)); n != 5 {
			t.Errorf("%d calls, want the 5 of the budget alone", n)
		}
		for _, id := range ids {
			if r := m.get(id); r.Status != post.StatusScheduled || r.Attempts > 1 {
				t.Errorf("%s after %d attempts: a question was counted", r.Status, r.Attempts)
			}
		}
		down.Store(false)
		sleep(time.Hour)
		if n := m.counts(); n[post.StatusPublished] != 8 || len(asked) != 4 {
			t.Errorf("states %v after %d questions, want all published after 4", n, len(asked))
		}
	})
}

func TestSuccessResetsTheErrorBudget(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		w.script["bad"] = []behaves{fails(refused(post.ClassServer, post.Refused, 0))}
		for range 5 {
			for range 4 {
				m.add(mast, t0, "bad")
			}
			m.add(mast, t0, "good")
		}
		start(t, m, w, Config{})
		sleep(time.Second)
		if n := len(w.times("bad", t0)); n != 20 {
			t.Errorf("%d bad posts tried, want all 20", n)
		}
	})
}

func TestP2_LostAnswerIsLookedUp(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		w.script["lost"] = []behaves{lost}
		a := m.add(mast, t0, "lost")
		b := m.add(mast, t0, "b")
		c := m.add(mast, t0.Add(10*time.Minute), "c")
		start(t, m, w, Config{})
		sleep(4 * time.Second)
		m.wantStatus(a, post.StatusProcessing)
		m.wantStatus(b, post.StatusPublished) // not held up
		sleep(time.Second)
		m.wantStatus(a, post.StatusPublished)
		if r := m.get(a); !r.Receipt.Found {
			t.Errorf("receipt %+v does not say that it was found", r.Receipt)
		}
		sleep(time.Hour)
		m.wantStatus(c, post.StatusPublished)
		wantTimes(t, w.times("lost", t0), 0)
	})
}

func TestNewWorkIsFoundWhileAnotherPostIsInDoubt(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		w.script["lost"] = []behaves{lost}
		w.found = func(post.Delivery) (post.Found, error) {
			return post.Found{}, refused(post.ClassNetwork, post.SentNot, 0)
		}
		m.add(mast, t0, "lost")
		start(t, m, w, Config{})
		sleep(90 * time.Second)
		m.add(mast, t0.Add(2*time.Minute), "a")
		sleep(2 * time.Minute)
		wantTimes(t, w.times("a", t0), 2*time.Minute)
	})
}

func TestP2_SentAgainOnlyWhenAbsentAfterTheGrace(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		w.script["a"] = []behaves{dropped, good}
		a := m.add(mast, t0, "a")
		start(t, m, w, Config{})
		sleep(time.Hour)
		wantTimes(t, w.times("a", t0), 0, time.Minute) // looks at 5 s and 15 s are too early to believe
		m.wantStatus(a, post.StatusPublished)
		if r := m.get(a); r.Attempts != 2 {
			t.Errorf("%d attempts, want 2", r.Attempts)
		}
		if n := w.lookups(); n != 3 {
			t.Errorf("%d look-ups, want 3", n)
		}
	})
}

func TestAbsentCountsAsAnAttempt(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		w.script["a"] = []behaves{dropped}
		a := m.add(mast, t0, "a")
		start(t, m, w, Config{})
		sleep(time.Hour)
		wantTimes(t, w.times("a", t0), 0, time.Minute, 2*time.Minute, 3*time.Minute)
		m.wantStatus(a, post.StatusFailed)
		if r := m.get(a); !strings.Contains(r.Problem.Message, "given up after 4 attempts: looked up, and it is not live") {
			t.Errorf("says %q", r.Problem.Message)
		}
	})
}

func TestP2_LateArrivalIsSeenBeforeTheGrace(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		w.script["a"] = []behaves{func(ctx context.Context, w *world, d post.Delivery) (post.Receipt, error) {
			time.AfterFunc(40*time.Second, func() { w.publish(d) }) // the platform takes its time
			return dropped(ctx, w, d)
		}}
		a := m.add(mast, t0, "a")
		start(t, m, w, Config{})
		sleep(time.Hour)
		m.wantStatus(a, post.StatusPublished)
		wantTimes(t, w.times("a", t0), 0)
	})
}

func TestP2_UndecidedIsUnknown(t *testing.T) {
	tests := map[string]struct {
		blind bool
		found func(post.Delivery) (post.Found, error)
		after time.Duration
		says  string
	}{
		"no look-up there": {blind: true, after: 0, says: "told so"},
		"platform cannot say": {found: func(post.Delivery) (post.Found, error) { return post.Found{}, nil },
			after: time.Minute, says: "the platform cannot tell"},
		"look-ups fail": {found: func(post.Delivery) (post.Found, error) {
			return post.Found{}, refused(post.ClassNetwork, post.SentNot, 0)
		}, after: 15 * time.Minute, says: "looked up 5 times"},
		"look-ups panic": {found: func(post.Delivery) (post.Found, error) { panic("token=canary") }, after: 15 * time.Minute, says: "crashed"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
				w.blind, w.found = tt.blind, tt.found
				w.script["a"] = []behaves{lost}
				a := m.add(mast, t0, "a")
				start(t, m, w, Config{})
				if tt.after > 0 {
					sleep(tt.after - time.Second)
					m.wantStatus(a, post.StatusProcessing)
				}
				sleep(time.Second)
				m.wantStatus(a, post.StatusUnknown)
				r := m.get(a)
				if r.Problem.Code != post.CodeOutcomeUnknown || r.Problem.Retryable || !strings.Contains(r.Problem.Message, tt.says) || strings.Contains(r.Problem.Message, "canary") {
					t.Errorf("says %+v, want %q", r.Problem, tt.says)
				}
				sleep(24 * time.Hour)
				wantTimes(t, w.times("a", t0), 0)
			})
		})
	}
}

// What the platform refuses as a copy after a lost answer is there, shown or not: it is
// neither sent again nor failed.
func TestP2_ARefusedCopyIsFoundOrUnknown(t *testing.T) {
	copied := &post.Failure{Class: post.ClassServer, Sent: post.SentMaybe, Copy: true, Message: "a duplicate"}
	for name, tt := range map[string]struct {
		shown time.Duration // after the copy; 0 for never
		want  post.Status
		at    time.Duration
	}{
		"shown at last": {shown: 10 * time.Minute, want: post.StatusPublished, at: 16 * time.Minute},
		"never shown":   {want: post.StatusUnknown, at: 16 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
				w.script["a"] = []behaves{dropped, func(_ context.Context, w *world, d post.Delivery) (post.Receipt, error) {
					if tt.shown > 0 {
						time.AfterFunc(tt.shown, func() { w.publish(d) })
					}
					return post.Receipt{}, copied
				}}
				a := m.add(mast, t0, "a")
				start(t, m, w, Config{})
				sleep(time.Minute + tt.at - time.Second)
				wantTimes(t, w.times("a", t0), 0, time.Minute)
				sleep(time.Hour)
				m.wantStatus(a, tt.want)
				wantTimes(t, w.times("a", t0), 0, time.Minute)
			})
		})
	}
}

// A thread goes on behind the part that was refused as a copy, once that is found.
func TestP2_AThreadGoesOnBehindACopy(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		w.script["thread"] = []behaves{func(_ context.Context, w *world, d post.Delivery) (post.Receipt, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.parts[d.Post.PartKey(1)]++
			return post.Receipt{}, &post.Failure{Class: post.ClassServer, Sent: post.SentMaybe, Copy: true, Message: "a duplicate"}
		}}
		a := m.add(mast, t0, "thread")
		start(t, m, w, Config{})
		sleep(time.Hour)
		m.wantStatus(a, post.StatusPublished)
		w.noDoubles(t)
	})
}

// A process for each tick looks once and ends. When the platform never answers, that
// does not go on for ever either.
func TestP2_UndecidedForADayIsUnknown(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		w.script["a"] = []behaves{lost}
		w.found = func(post.Delivery) (post.Found, error) {
			return post.Found{}, refused(post.ClassAuth, post.SentNot, 0)
		}
		a := m.add(mast, t0, "a")
		for hour := range 26 {
			if _, err := New(m, w.pubs, Config{}).Tick(t.Context()); err != nil {
				t.Fatal(err)
			}
			m.restart()
			if r := m.get(a); hour < 25 && r.Status != post.StatusProcessing {
				t.Fatalf("after %d hours it is %s", hour, r.Status)
			}
			sleep(time.Hour)
		}
		m.wantStatus(a, post.StatusUnknown)
		if r := m.get(a); r.Problem == nil || !strings.Contains(r.Problem.Message, "looked up for a day") {
			t.Errorf("it says %+v", r.Problem)
		}
	})
}

func TestDoubtsUseUpTheErrorBudget(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		w.script["a"] = []behaves{slow(time.Hour)} // hangs
		for range 100 {
			m.add(mast, t0, "a")
		}
		start(t, m, w, Config{})
		sleep(5 * time.Minute)
		if n := len(w.times("a", t0)); n > 10 {
			t.Errorf("%d calls to a platform that hangs, want it to pause after 5", n)
		}
		if c := m.conn(mast); c.pauseWhy == "" {
			t.Error("the connection does not pause")
		}
	})
}

func TestPanicLeavesThePostInDoubt(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		w.script["a"] = []behaves{panics, good}
		a := m.add(mast, t0, "a")
		c := m.add(mast, t0, "c")
		start(t, m, w, Config{})
		sleep(time.Second)
		m.wantStatus(a, post.StatusProcessing)
		m.wantStatus(c, post.StatusPublished)
		sleep(time.Hour)
		m.wantStatus(a, post.StatusPublished)
	})
}

func TestP8_ErrorWithoutAClassIsInDoubtAndItsTextStaysIn(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		w.blind = true
		w.script["a"] = []behaves{func(context.Context, *world, post.Delivery) (post.Receipt, error) {
			return post.Receipt{}, errors.New("Get https://x/?token=canary")
		}}
		a := m.add(mast, t0, "a")
		start(t, m, w, Config{})
		sleep(time.Second)
		m.wantStatus(a, post.StatusUnknown)
		if r := m.get(a); strings.Contains(r.Problem.Message, "canary") {
			t.Errorf("the report says %q", r.Problem.Message)
		}
	})
}

func TestP2_ThreadGoesOnAtTheMissingPart(t *testing.T) {
	tests := map[string]struct {
		second behaves
		calls  []time.Duration
	}{
		"refused for now": {fails(refused(post.ClassServer, post.Refused, 0)), []time.Duration{0, time.Minute}},
		"throttled":       {fails(refused(post.ClassRate, post.Refused, 2*time.Minute)), []time.Duration{0, 2 * time.Minute}},
		"answer lost":     {dropped, []time.Duration{0, time.Minute}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
				w.script["thread"] = []behaves{tt.second, good}
				a := m.add(mast, t0, "thread")
				start(t, m, w, Config{})
				sleep(time.Second)
				if r := m.get(a); r.PartsLive() != 1 {
					t.Errorf("%d parts on disk, want 1: %+v", r.PartsLive(), r.Post)
				}
				sleep(time.Hour)
				wantTimes(t, w.times("thread", t0), tt.calls...)
				m.wantStatus(a, post.StatusPublished)
				if r := m.get(a); r.PartsLive() != 3 || len(w.parts) != 3 {
					t.Errorf("%d parts on disk and %d live, want 3", r.PartsLive(), len(w.parts))
				}
			})
		})
	}
}

func TestCheckpointsKeepALongSendAndItsLeaseAlive(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, _ *world, t0 time.Time) {
		a := m.add(mast, t0, "a")
		w := newWorld()
		d := New(m, func(post.AccountID, post.ConnectionID) (Publisher, error) { return uploader{8, 15 * time.Second}, nil }, Config{})
		if _, err := d.Tick(t.Context()); err != nil {
			t.Fatal(err)
		}
		m.wantStatus(a, post.StatusPublished)
		if m.renewals == 0 {
			t.Error("a send of two minutes did not renew its lease of 30 seconds")
		}
		w.noDoubles(t)
	})
}

// uploader takes its time, and saves after each step.
type uploader struct {
	steps int
	each  time.Duration
}

func (u uploader) Publish(ctx context.Context, _ post.Delivery, save func([]post.Part, []byte) error) (post.Receipt, error) {
	for i := range u.steps {
		select {
		case <-time.After(u.each):
		case <-ctx.Done():
			return post.Receipt{}, refused(post.ClassTimeout, post.SentMaybe, 0)
		}
		if err := save(nil, []byte{byte(i)}); err != nil {
			return post.Receipt{}, refused(post.ClassUnknown, post.SentNot, 0)
		}
	}
	return post.Receipt{RemoteID: "film"}, nil
}

// TestSignsOfLifeKeepALongUploadAndItsLeaseAlive: a save of nothing holds off the end
// of the call, keeps the lease, and writes nothing.
func TestSignsOfLifeKeepALongUploadAndItsLeaseAlive(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, _ *world, t0 time.Time) {
		a := m.add(mast, t0, "a")
		d := New(m, func(post.AccountID, post.ConnectionID) (Publisher, error) { return breather{}, nil }, Config{})
		if _, err := d.Tick(t.Context()); err != nil {
			t.Fatal(err)
		}
		m.wantStatus(a, post.StatusPublished)
		if r := m.get(a); r.State != nil || m.renewals == 0 {
			t.Errorf("state %q, %d renewals: want none, and some", r.State, m.renewals)
		}
	})
}

// breather uploads for ten minutes, and says every 5 s that it gets on.
type breather struct{}

func (breather) Publish(ctx context.Context, _ post.Delivery, save func([]post.Part, []byte) error) (post.Receipt, error) {
	for range 120 {
		time.Sleep(5 * time.Second)
		if err := save(nil, nil); err != nil {
			return post.Receipt{}, refused(post.ClassUnknown, post.SentNot, 0)
		}
	}
	return post.Receipt{RemoteID: "film"}, ctx.Err()
}

func TestCallsEndWithCallTimeout(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		w.script["a"] = []behaves{slow(time.Hour), good}
		m.add(mast, t0, "a")
		m.add(mast, t0, "b")
		start(t, m, w, Config{})
		sleep(time.Minute)
		wantTimes(t, w.times("b", t0), 20*time.Second)
	})
}

func TestUnconfiguredConnectionWaitsAndSaysWhy(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		a := m.add(mast, t0, "a")
		gone := true
		d := New(m, func(acc post.AccountID, c post.ConnectionID) (Publisher, error) {
			if gone {
				return nil, errors.New("mastodon-a is not in the config")
			}
			return w.pubs(acc, c)
		}, Config{})
		if _, err := d.Tick(t.Context()); err != nil {
			t.Fatal(err)
		}
		if r := m.get(a); r.Status != post.StatusScheduled || r.Attempts != 0 {
			t.Errorf("%+v, want it to wait", r.Post)
		}
		if c := m.conn(mast); c.pauseWhy != "mastodon-a is not in the config" {
			t.Errorf("pause says %q", c.pauseWhy)
		}
		gone = false
		sleep(5 * time.Minute)
		if _, err := d.Tick(t.Context()); err != nil {
			t.Fatal(err)
		}
		m.wantStatus(a, post.StatusPublished)
	})
}

// TestP3_NothingGoesOutLateWhenAConnectionIsPutBack: it was taken out of the config
// after a first try, and comes back a week later.
func TestP3_NothingGoesOutLateWhenAConnectionIsPutBack(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		w.script["tried"] = []behaves{fails(refused(post.ClassServer, post.Refused, 0)), good}
		tried := m.add(mast, t0, "tried")
		fresh := m.add(mast, t0.Add(30*time.Second), "fresh")
		gone := func() bool { at := time.Since(t0); return at > 15*time.Second && at < 7*24*time.Hour }
		d := New(m, func(acc post.AccountID, c post.ConnectionID) (Publisher, error) {
			if gone() {
				return nil, errors.New("mastodon-a is not in the config")
			}
			return w.pubs(acc, c)
		}, Config{})
		go d.Run(t.Context())
		sleep(time.Hour)
		m.wantStatus(tried, post.StatusScheduled) // the connection may be back in time
		m.wantStatus(fresh, post.StatusScheduled)
		sleep(8 * 24 * time.Hour)
		if got := w.sent(); got != "tried" {
			t.Errorf("sent %q, want one try a week ago and nothing since", got)
		}
		m.wantStatus(tried, post.StatusFailed)
		m.wantStatus(fresh, post.StatusDraft)
		if r := m.get(tried); r.Problem == nil || r.Problem.Code != CodeLate || !strings.Contains(r.Problem.Message, "not in the config") {
			t.Errorf("it failed with %+v", r.Problem)
		}
	})
}

func TestTickDrainsWhatIsDueAndSaysSo(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		w.script["bad"] = []behaves{fails(refused(post.ClassInvalid, post.Refused, 0))}
		w.script["later"] = []behaves{fails(refused(post.ClassServer, post.Refused, 0))}
		w.script["full"] = []behaves{fails(refused(post.ClassRate, post.Refused, time.Hour))}
		w.script["lost"] = []behaves{lost}
		for i := range 40 { // more connections than workers
			m.add(post.ConnectionID(fmt.Sprintf("mastodon-%d", i)), t0, "a")
		}
		m.add("mastodon-x", t0, "bad")
		m.add("mastodon-x", t0, "later")
		m.add("mastodon-x", t0, "full")
		m.add("mastodon-y", t0, "lost")
		m.add("mastodon-y", t0.Add(-3*time.Hour), "old")
		m.add("mastodon-y", t0.Add(time.Minute), "tomorrow")
		d := New(m, w.pubs, Config{Workers: 8})
		got, err := d.Tick(t.Context())
		want := Summary{Published: 40, Failed: 1, Retried: 1, Throttled: 1, Held: 1, InDoubt: 1}
		if err != nil || got != want {
			t.Errorf("Tick() = %+v, %v, want %+v", got, err, want)
		}
		if n := m.leased(); n != 0 {
			t.Errorf("%d leases kept", n)
		}
		if d.LastTick() != t0 {
			t.Errorf("last tick at %v, want %v", d.LastTick(), t0)
		}
		sleep(2 * time.Minute)
		if got, err := d.Tick(t.Context()); err != nil || got.Published != 1+1 { // looked up as an orphan; tomorrow
			t.Errorf("second Tick() = %+v, %v", got, err)
		}
	})
}

func TestTickWaitsOutThePace(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		for range 4 {
			m.add(mast, t0, "a")
		}
		m.add(mast, t0.Add(time.Hour), "a")
		got, err := New(m, w.pubs, Config{Pace: func(post.ConnectionID) time.Duration { return 5 * time.Second }}).Tick(t.Context())
		if err != nil || got.Published != 4 || got.Took != 15*time.Second {
			t.Errorf("Tick() = %+v, %v, want 4 published in 15s", got, err)
		}
	})
}

func TestHeartbeatAfterEachGoodTick(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		var beats []time.Duration
		beat := func(ctx context.Context) {
			beats = append(beats, time.Since(t0))
			if len(beats) == 2 {
				<-time.After(90 * time.Second) // a slow one is not overlapped
			}
		}
		start(t, m, w, Config{Observe: Observer{Beat: beat}})
		sleep(5 * time.Minute)
		wantTimes(t, beats, 0, time.Minute, 3*time.Minute, 4*time.Minute, 5*time.Minute)
	})
}

func TestRunAndTickDoNotOverlap(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		d := start(t, m, w, Config{})
		synctest.Wait()
		if _, err := d.Tick(t.Context()); !errors.Is(err, errBusy) {
			t.Errorf("Tick during Run: %v, want %v", err, errBusy)
		}
	})
}
