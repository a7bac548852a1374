package intake_test

import (
	"testing"

	"github.com/postroom/postroom/post"
)

func TestProgressIsToldOfBothReadings(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	var ns []int
	for n := range 5000 {
		ns = append(ns, n)
	}
	req := d.request("long.csv", rows(ns...))
	told := map[bool]int{}
	req.Progress = func(storing bool, done, of int) {
		if of != len(ns) || done < told[storing] || done >= of {
			t.Errorf("storing %v: %d of %d after %d", storing, done, of, told[storing])
		}
		told[storing] = done
	}
	d.takeRequest(req, post.Counts{Rows: len(ns), Accepted: len(ns)})
	if told[false] == 0 || told[true] == 0 {
		t.Errorf("told %v, want it while reading and while storing", told)
	}
}
