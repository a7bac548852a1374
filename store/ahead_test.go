package store

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/post"
)

func TestAheadGivesWhatIsDueInTheWindow(t *testing.T) {
	t.Parallel()
	r := open(t)
	var gs []*post.Group
	for i := range 3 * aheadAtOnce { // most of a file's posts lie in runs
		gs = append(gs, group(fmt.Sprint(i), start.Add(time.Duration(i)*time.Minute), "twitter-1", "linkedin-2"))
	}
	must[post.Import](t)(r.take("a.csv", gs...))
	for i := range 3 {
		g := group("one", start.Add(time.Duration(i)*time.Hour), "twitter-1")
		if err := r.Create(t.Context(), g, nil, ""); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	err := r.Ahead(t.Context(), start.Add(time.Hour), start.Add(time.Hour+2*time.Minute), func(g *post.Group, at int) error {
		got = append(got, g.Text+" "+string(g.Posts[at].Connection))
		return nil
	})
	slices.Sort(got)
	if want := []string{"60 linkedin-2", "60 twitter-1", "61 linkedin-2", "61 twitter-1", "one twitter-1"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v %v, want %v", got, err, want)
	}
}

func TestARiskIsNotedUntilItIsGoneAndEachProblemIsToldOnce(t *testing.T) {
	t.Parallel()
	r := open(t)
	w := r.hook(post.EventAtRisk)
	imp := must[post.Import](t)(r.take("a.csv", group("x", start.Add(time.Hour), "twitter-1")))
	gs, _, err := r.Groups(t.Context(), post.Filter{Import: imp.ID}, "", 1)
	if err != nil || len(gs) != 1 {
		t.Fatal(gs, err)
	}
	id := gs[0].Posts[0].ID
	a, b := post.EventError{Code: "A", Message: "no token"}, post.EventError{Code: "B", Message: "no file"}
	for _, step := range []struct {
		problems []post.EventError
		noted    string
		told     int
	}{
		{[]post.EventError{a}, "no token", 1},
		{[]post.EventError{a}, "no token", 0},
		{[]post.EventError{a, b}, "no token; no file", 1},
		{nil, "", 0},
		{[]post.EventError{b}, "no file", 0},
	} {
		r.reopen()
		if err := r.Risk(t.Context(), []post.Risk{{ID: id, Problems: step.problems}, {ID: r.NewID(), Problems: step.problems}}); err != nil {
			t.Fatal(err)
		}
		if got := r.hears(w); len(got) != step.told {
			t.Errorf("%v: heard %v, want %d", step.problems, got, step.told)
		}
		g := must[post.Group](t)(r.Group(t.Context(), id))
		o := g.Posts[0].Problem
		if noted := o != nil; noted != (step.noted != "") || noted && (o.Message != step.noted || o.Code != post.CodeAtRisk) {
			t.Errorf("%v: noted %+v, want %q", step.problems, o, step.noted)
		}
	}
}

// What a post's last attempt ended with says more.
func TestARiskLeavesTheLastFailureAndWhatIsOverAlone(t *testing.T) {
	t.Parallel()
	r := open(t)
	g := group("x", start, "twitter-1")
	if err := r.Create(t.Context(), g, nil, ""); err != nil {
		t.Fatal(err)
	}
	id := g.Posts[0].ID
	risk := func() string {
		t.Helper()
		if err := r.Risk(t.Context(), []post.Risk{{ID: id, Problems: []post.EventError{{Code: "A", Message: "no token"}}}}); err != nil {
			t.Fatal(err)
		}
		is := must[post.Group](t)(r.Group(t.Context(), id))
		if is.Posts[0].Problem == nil {
			return ""
		}
		return is.Posts[0].Problem.Message
	}
	l := r.lease()
	r.next(l, nil)
	if got := risk(); got != "" {
		t.Errorf("in flight, and noted %q", got)
	}
	if err := r.Finish(t.Context(), l, post.Done{ID: id, Status: post.StatusScheduled, RetryAt: start.Add(time.Minute), Outcome: &post.Outcome{Code: "X", Message: "busy"}}); err != nil {
		t.Fatal(err)
	}
	if got := risk(); !strings.Contains(got, "busy") {
		t.Errorf("tried, and noted %q", got)
	}
}
