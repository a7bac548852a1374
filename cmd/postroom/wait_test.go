package main

import (
	"slices"
	"testing"
	"testing/synctest"

	"github.com/postroom/postroom/post"
)

// Three groups go out, one a second, and then the first waits again. Each is asked for
// from where the last answer was, and nobody is overlooked.
func TestWaitingForAFileReadsOnFromWhatWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		id := func(n int) string { return post.ID{11: byte(n)}.String() }
		answers := []int{1, 2, 3, 0, 1, 0, 0} // which waits first; 0 for none
		var asked []string
		err := untilNone(t.Context(), func(from string) (some []post.Group, _ error) {
			if n := answers[len(asked)]; n > 0 {
				some = []post.Group{{ID: post.ID{11: byte(n)}}}
			}
			asked = append(asked, from)
			return some, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if want := []string{"", id(1), id(2), id(3), "", id(1), ""}; !slices.Equal(asked, want) {
			t.Errorf("asked from %q, want %q", asked, want)
		}
	})
}
