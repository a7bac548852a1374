package scheduler

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/postroom/postroom/post"
)

func TestRemoveGivesBackWhatAddTook(t *testing.T) {
	t.Parallel()
	sets := [][]post.ConnectionID{{"mastodon-1"}}
	two := clock(t, "14:00")
	slotOf := func(taken *Taken) string {
		s := Plan(testNow, with(func(r *Rules) { r.PerMinute = 1 }), unlimited(), taken, post.NewUsage(), sets, []Item{{At: two.Unix()}})
		return time.Unix(s[0].At, 0).UTC().Format("15:04")
	}
	taken := NewTaken()
	_ = taken.Add("mastodon-1", two, false)
	_ = taken.Add("mastodon-1", two.Add(59*time.Second), false)
	_ = taken.Add("mastodon-1", two, false)
	for _, want := range []string{"14:05", "14:05", "14:05", "14:00", "14:00"} {
		if got := slotOf(taken); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
		taken.Remove("mastodon-1", two, false)
	}
	_ = taken.Add("linkedin-1", two, true)
	if got := slotOf(taken); got != "14:01" {
		t.Errorf("with a group in that minute: got %s, want 14:01", got)
	}
	taken.Remove("linkedin-1", two, true)
	if got := slotOf(taken); got != "14:00" {
		t.Errorf("without it: got %s, want 14:00", got)
	}
}

func TestRemovingWhatWasNeverAddedDoesNothing(t *testing.T) {
	t.Parallel()
	taken := NewTaken()
	at := clock(t, "14:00")
	_ = taken.Add("mastodon-1", at, false)
	taken.Remove("linkedin-1", at, true)
	taken.Remove("mastodon-1", at.Add(time.Minute), true)
	taken.Remove("mastodon-1", at, true) // was not the first of its group
	_ = taken.Add("mastodon-1", at, true)
	_ = taken.Add("mastodon-2", at, true)
	sets := [][]post.ConnectionID{{"threads-1"}}
	s := Plan(testNow, with(func(r *Rules) { r.PerMinute = 2 }), unlimited(), taken, post.NewUsage(), sets, []Item{{At: at.Unix()}})
	if got, want := time.Unix(s[0].At, 0).UTC(), at.Add(time.Minute); !got.Equal(want) {
		t.Errorf("two groups start at %v: got %v, want %v", at, got, want)
	}
}

func TestReachEndsWhereTimesCanBeStored(t *testing.T) {
	t.Parallel()
	r := with(func(r *Rules) { r.Across = time.Hour })
	from, to := Reach(testNow, r, clock(t, "14:00"), clock(t, "15:00"))
	if want := clock(t, "13:55"); !from.Equal(want) {
		t.Errorf("from %v, want %v", from, want)
	}
	if end := time.Unix(lastSecond, 0); to.Before(end.Add(-time.Minute)) || to.After(end) {
		t.Errorf("to %v, want about %v", to, end.UTC())
	}
	_, to = Reach(testNow, DefaultRules(), clock(t, "14:00"), clock(t, "15:00"))
	if want := clock(t, "19:06"); !to.Equal(want) {
		t.Errorf("to %v, want %v", to, want)
	}
	from, _ = Reach(testNow, DefaultRules(), clock(t, "09:00"), clock(t, "15:00"))
	if want := clock(t, "11:58"); !from.Equal(want) {
		t.Errorf("from %v, want %v", from, want)
	}
}

// A minuteSet is a set of ints, in pages that grow both ways.
func TestMinuteSetIsASet(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var s minuteSet
		model := map[int]bool{}
		minute := rapid.OneOf(rapid.IntRange(0, 300), rapid.IntRange(pageMinutes-100, pageMinutes+100), rapid.IntRange(5*pageMinutes, 5*pageMinutes+70))
		for range rapid.IntRange(0, 20).Draw(t, "steps") {
			lo := minute.Draw(t, "lo") - 50
			if rapid.Bool().Draw(t, "remove") {
				s.remove(max(0, lo))
				delete(model, max(0, lo))
				continue
			}
			hi := lo + rapid.IntRange(0, 200).Draw(t, "length")
			s.add(lo, hi)
			for m := max(0, lo); m < hi; m++ {
				model[m] = true
			}
		}
		var got []int
		s.each(func(m int) { got = append(got, m) })
		if len(got) != len(model) || !slices.IsSorted(got) {
			t.Fatalf("%d minutes, want %d, in order", len(got), len(model))
		}
		for _, m := range got {
			if !model[m] {
				t.Fatalf("minute %d was never added", m)
			}
		}
		m := minute.Draw(t, "from")
		for i, bits := 0, s.from(m); i < 64; i++ {
			if on := bits>>i&1 != 0; on != model[m+i] || on != s.has(m+i) {
				t.Fatalf("minute %d: %v, want %v", m+i, on, model[m+i])
			}
		}
	})
}
