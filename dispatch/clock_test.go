package dispatch

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/postroom/postroom/post"
)

// A wall is a clock that can be set, beside a bubble's own that cannot.
type wall struct{ shift atomic.Int64 }

func (w *wall) now() time.Time       { return time.Now().Add(time.Duration(w.shift.Load())) }
func (w *wall) jump(d time.Duration) { w.shift.Add(int64(d)) }

// atWork starts a dispatcher with a wall clock, and a post due each minute.
func atWork(t *testing.T, m *model, w *world, t0 time.Time, minutes int) (*wall, *[]time.Duration) {
	t.Helper()
	clock, jumps := &wall{}, new([]time.Duration)
	m.now = clock.now
	for i := range minutes {
		m.add(mast, t0.Add(time.Duration(i)*time.Minute), "a")
	}
	start(t, m, w, Config{Now: clock.now, Observe: Observer{Jump: func(by time.Duration) { *jumps = append(*jumps, by) }}})
	return clock, jumps
}

func TestP3_ClockJumpsForwardForGood(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		clock, jumps := atWork(t, m, w, t0, 61)
		sleep(90 * time.Second)
		clock.jump(10*time.Minute + 10*time.Second)
		sleep(2 * time.Minute)
		if n := w.count(); n != 2 {
			t.Errorf("sent %q in the two ticks after the jump, want nothing more than two", w.sent())
		}
		sleep(2 * time.Hour)
		if n := m.counts(); n[post.StatusPublished] != 61 {
			t.Errorf("%v, want all 61 published: none skipped", n)
		}
		wantTimes(t, *jumps, 10*time.Minute+10*time.Second)
	})
}

func TestP3_ClockJumpsForwardAndIsPutRight(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		clock, jumps := atWork(t, m, w, t0, 10)
		sleep(90 * time.Second)
		clock.jump(time.Hour)
		sleep(70 * time.Second)
		clock.jump(-time.Hour)
		sleep(15 * time.Minute)
		for i, c := range w.log() {
			if due := t0.Add(time.Duration(i) * time.Minute); c.at.Before(due) {
				t.Errorf("post %d sent %v before its time", i, due.Sub(c.at))
			}
		}
		if n := m.counts(); n[post.StatusPublished] != 10 || w.count() != 10 {
			t.Errorf("%v in %d calls, want 10 published, each once", n, w.count())
		}
		wantTimes(t, *jumps, time.Hour, -time.Hour)
	})
}

func TestP2_ClockJumpsBackward(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		clock, jumps := atWork(t, m, w, t0, 10)
		sleep(5*time.Minute + 30*time.Second)
		clock.jump(-5 * time.Hour)
		sleep(4 * time.Hour)
		if n := w.count(); n != 6 {
			t.Errorf("%d calls, want 6: nothing is due by the new clock", n)
		}
		sleep(2 * time.Hour)
		if n := m.counts(); n[post.StatusPublished] != 10 || w.count() != 10 {
			t.Errorf("%v in %d calls, want 10 published, each once", n, w.count())
		}
		wantTimes(t, *jumps, -5*time.Hour)
	})
}

// A pause that began while the clock was a day ahead was put right by the queue, or by
// a person. The failure after it pauses for minutes, as any does.
func TestAPauseEndsWhenTheClockIsPutRight(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		w.script["a"] = []behaves{fails(refused(post.ClassAuth, post.Refused, 0))}
		m.add(mast, t0.Add(24*time.Hour), "a")
		clock, _ := atWork(t, m, w, t0, 0)
		clock.jump(24 * time.Hour)
		sleep(5 * time.Minute)
		clock.jump(-24 * time.Hour)
		sleep(5 * time.Minute)
		if w.count() != 1 {
			t.Fatalf("sent %q, want one call that is refused", w.sent())
		}
		m.mu.Lock()
		m.conns[connection{"acme", mast}].notBefore = time.Time{}
		m.mu.Unlock()
		m.add(mast, clock.now(), "a")
		sleep(time.Minute)
		if rest := m.conn(mast).notBefore.Sub(clock.now()); w.count() != 2 || rest <= 0 || rest > 10*time.Minute {
			t.Errorf("%d calls, and it rests for %s, want some minutes", w.count(), rest)
		}
	})
}

func TestSlowDriftIsNoJump(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		clock, jumps := atWork(t, m, w, t0, 10)
		for range 20 {
			sleep(30 * time.Second)
			clock.jump(5 * time.Second)
		}
		if len(*jumps) != 0 {
			t.Errorf("jumps %v, want none for 10 s a minute", *jumps)
		}
		if n := m.counts(); n[post.StatusPublished] != 10 {
			t.Errorf("%v, want 10 published", n)
		}
	})
}

func TestP3_JumpDuringALongDrainStopsIt(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		clock := &wall{}
		m.now = clock.now
		w.script["a"] = []behaves{slow(2 * time.Second)}
		for range 30 {
			m.add(mast, t0, "a")
		}
		start(t, m, w, Config{Now: clock.now})
		sleep(5 * time.Second) // in the middle of the third
		clock.jump(time.Hour)
		sleep(30 * time.Second)
		if n := w.count(); n != 3 {
			t.Errorf("%d calls, want the drain to stop after the third", n)
		}
		sleep(10 * time.Minute)
		if n := m.counts(); n[post.StatusPublished] != 30 {
			t.Errorf("%v, want all published in the end", n)
		}
	})
}

func TestP3_JumpWhileTheIntentIsWrittenSendsNothing(t *testing.T) {
	bubble(t, func(t *testing.T, m *model, w *world, t0 time.Time) {
		clock := &wall{}
		m.now, m.slowIntent = clock.now, 10*time.Second
		a := m.add(mast, t0, "a")
		d := start(t, m, w, Config{Now: clock.now})
		time.Sleep(5 * time.Second)
		clock.jump(3 * time.Hour) // the laptop slept
		sleep(10 * time.Second)
		if err := d.stop(); err != nil {
			t.Error(err)
		}
		m.wantStatus(a, post.StatusScheduled)
		if n := w.count(); n != 0 {
			t.Errorf("%d calls three hours late", n)
		}
	})
}
