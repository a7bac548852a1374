package inbox

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The system's own watcher, outside of any bubble: scans are an hour apart, so
// that nothing but an event can wake them.
func TestEventsOfTheSystemWakeTheInbox(t *testing.T) {
	t.Parallel()
	taken := make(chan string, 8)
	watchers := make(chan Watcher, 1)
	r := newRoom(t, func(c *Config) {
		c.Poll, c.Settle = time.Hour, time.Millisecond
		c.Watch = func() (Watcher, error) {
			w, err := NewWatcher()
			if err == nil {
				watchers <- w
			}
			return w, err
		}
	})
	r.ledger.take = func(f File, _ string) (Result, error) {
		taken <- f.Rel
		return Result{Disposition: Archive}, nil
	}
	want := func(rel string) {
		t.Helper()
		select {
		case got := <-taken:
			if got != rel {
				t.Errorf("took %s, want %s", got, rel)
			}
		case <-time.After(time.Minute):
			t.Fatalf("%s was not taken; pending %v, %s", rel, r.Pending(), r.Mode())
		}
	}
	// moveIn lets a file appear in one step, as an event more than one scan can see
	// would make the order of things a matter of luck.
	moveIn := func(rel string) {
		t.Helper()
		r.write("inbox/tmp/x", csv)
		if err := os.Rename(r.path("inbox/tmp/x"), r.path("inbox/"+rel)); err != nil {
			t.Fatal(err)
		}
	}
	moveIn("first.csv")
	r.start()
	want("first.csv")
	if got := r.Mode(); !strings.HasPrefix(got, "events") {
		t.Skipf("no events here: %s", got)
	}
	moveIn("second.csv")
	want("second.csv")
	if err := os.Mkdir(r.path("inbox/acme"), 0o755); err != nil {
		t.Fatal(err)
	}
	moveIn("acme/third.csv")
	want("acme/third.csv")

	r.write("next/tmp/x", "")
	if err := unix.Renameat2(unix.AT_FDCWD, r.path("next"), unix.AT_FDCWD, r.path("inbox"), unix.RENAME_EXCHANGE); err != nil {
		t.Skipf("folders cannot be exchanged here: %v", err)
	}
	moveIn("fourth.csv")
	want("fourth.csv")
	moveIn("fifth.csv")
	want("fifth.csv")
	if got := (<-watchers).List(); !slices.Equal(got, []string{r.path("inbox")}) {
		t.Errorf("watched %v, want the new inbox", got)
	}
}
