package dispatch

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postroom/postroom/post"
)

func TestStopLetsCallsInFlightFinishAndBeginsNothing(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		w.script["a"] = []behaves{slow(15 * time.Second)}
		a := m.add(mast, t0, "a")
		b := m.add(mast, t0, "b")
		d := start(t, m, w, Config{})
		sleep(5 * time.Second)
		if err := d.stop(); err != nil {
			t.Errorf("Run() = %v, want nil", err)
		}
		if got := time.Since(t0); got != 15*time.Second {
			t.Errorf("Run returned after %v, want 15s, when the call had ended", got)
		}
		m.wantStatus(a, post.StatusPublished)
		m.wantStatus(b, post.StatusScheduled)
		if n := m.leased(); n != 0 {
			t.Errorf("%d leases kept", n)
		}
		if r := m.get(b); r.Attempts != 0 {
			t.Errorf("%d attempts of a post that was not begun", r.Attempts)
		}
	})
}

func TestStopTakesBackAnIntentThatWasNotSent(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		m.slowIntent = 5 * time.Second
		a := m.add(mast, t0, "a")
		d := start(t, m, w, Config{})
		time.Sleep(time.Second)
		if err := d.stop(); err != nil {
			t.Errorf("Run() = %v, want nil", err)
		}
		if r := m.get(a); r.Status != post.StatusScheduled || r.Attempts != 0 || r.Problem != nil || w.count() != 0 {
			t.Errorf("%+v after %d calls, want it scheduled as if nothing had been", r.Post, w.count())
		}
	})
}

func TestStopCutsCallsAfterItsGrace(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		w.script["a"] = []behaves{slow(time.Hour)}
		a := m.add(mast, t0, "a")
		d := start(t, m, w, Config{CallTimeout: 10 * time.Minute})
		sleep(time.Second)
		if err := d.stop(); err != nil {
			t.Errorf("Run() = %v, want nil", err)
		}
		if got := time.Since(t0); got != 31*time.Second {
			t.Errorf("Run returned after %v, want 30s after the stop", got)
		}
		m.wantStatus(a, post.StatusProcessing) // the next process looks it up
		w.script["a"] = []behaves{good}
		start(t, m, w, Config{})
		sleep(5 * time.Minute)
		m.wantStatus(a, post.StatusPublished)
	})
}

func TestStopDuringTheLastLookupDecidesNothing(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		w.script["a"] = []behaves{dropped}
		a := m.add(mast, t0, "a")
		ctx, cancel := context.WithTimeout(t.Context(), 1150*time.Second) // ten seconds into the fifth look-up
		defer cancel()
		if err := New(m, func(post.AccountID, post.ConnectionID) (Publisher, error) { return deaf{publisher{w}}, nil }, Config{CallTimeout: time.Minute}).Run(ctx); err != nil {
			t.Error(err)
		}
		m.wantStatus(a, post.StatusProcessing)
	})
}

// deaf never answers a look-up: each ends with its context.
type deaf struct{ publisher }

func (deaf) Lookup(ctx context.Context, _ post.Delivery) (post.Found, error) {
	<-ctx.Done()
	return post.Found{}, refused(post.ClassTimeout, post.SentMaybe, 0)
}

func TestStopGivesParkedLeasesBackAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		w.script["a"] = []behaves{dropped}
		m.add(mast, t0, "a")
		d := start(t, m, w, Config{})
		sleep(20 * time.Second)
		if n := m.leased(); n != 1 {
			t.Errorf("%d leases kept for the look-up, want 1", n)
		}
		if err := d.stop(); err != nil || time.Since(t0) != 20*time.Second {
			t.Errorf("stopped after %v: %v", time.Since(t0), err)
		}
		if n := m.leased(); n != 0 {
			t.Errorf("%d leases kept", n)
		}
	})
}

func TestParkedLeaseIsRenewed(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		w.script["a"] = []behaves{dropped}
		w.found = func(post.Delivery) (post.Found, error) {
			return post.Found{}, refused(post.ClassNetwork, post.SentNot, 0)
		}
		m.add(mast, t0, "a")
		start(t, m, w, Config{})
		for range 14 * 60 {
			time.Sleep(time.Second)
			m.mu.Lock()
			if c := m.conns[connection{"acme", mast}]; !c.held() || time.Until(c.until) <= 0 {
				t.Fatalf("no lease after %v", time.Since(t0))
			}
			m.mu.Unlock()
		}
	})
}

// A synctest bubble fails when a goroutine that it started is left.
func TestNoGoroutineOutlivesRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, w := newModel(t), newWorld()
		w.script["a"] = []behaves{slow(5 * time.Second), dropped, fails(refused(post.ClassRate, post.Refused, time.Hour))}
		for range 5 {
			m.add(mast, time.Now(), "a")
		}
		d := start(t, m, w, Config{})
		sleep(2 * time.Second)
		if err := d.stop(); err != nil {
			t.Error(err)
		}
	})
}
