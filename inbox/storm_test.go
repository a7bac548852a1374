package inbox

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
)

// In a storm the kernel's queue overflows and most events are lost; a scan finds
// what they would have told, and is not made for each of them.
func TestAStormOfFilesIsTakenWholeWithFewScans(t *testing.T) {
	files := 20_000
	if testing.Short() {
		files = 2_000
	}
	bubble(t, func(t *testing.T) {
		var walks atomic.Int32
		r := newRoom(t, func(c *Config) {
			c.Poll = time.Hour
			c.Folder = func([]string) string {
				walks.Add(1)
				return ""
			}
		})
		r.write("inbox/acme/.keep", "")
		r.start()
		for n := range files {
			r.write(fmt.Sprintf("inbox/acme/%05d.csv", n), "id\n1\n")
			if n < files/2 {
				r.watcher.wake()
			}
			time.Sleep(100 * time.Microsecond)
		}
		r.watcher.fail(fsnotify.ErrEventOverflow)
		pass(time.Second)
		span := time.Duration(files)*100*time.Microsecond + time.Second
		if got, most := int(walks.Load()), int(span/leastGap)+2; got > most {
			t.Errorf("%d scans in %s, want at most %d", got, span, most)
		}
		pass(10 * time.Second)
		if got := r.Pending(); len(got) != 0 {
			t.Errorf("%d files left, want none", len(got))
		}
		if got := len(r.ledger.all()); got != files {
			t.Errorf("%d files taken, want %d", got, files)
		}
	})
}
