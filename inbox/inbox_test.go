package inbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
)

func TestAFileIsTakenWhenItHasBeenStill(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRoom(t, nil)
		r.start()
		r.drop("inbox/spring.csv", csv)
		pass(4900 * time.Millisecond)
		r.wantWhy("spring.csv", "must be still for 5s")
		r.drop("inbox/spring.csv", csv+"3,More\n")
		pass(4900 * time.Millisecond)
		r.wantWhy("spring.csv", "must be still for 5s")
		pass(300 * time.Millisecond)
		if got := r.Pending(); len(got) != 0 {
			t.Errorf("pending %v, want nothing", got)
		}
		r.want("archive", map[string]string{"2026-03/spring.csv": csv + "3,More\n"})
	})
}

func TestAFileThatLacksOnlyItsLastLineEndIsTakenLater(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRoom(t, nil)
		r.start()
		r.drop("inbox/spring.csv", "id,text\n1,the end")
		pass(59 * time.Second)
		r.wantWhy("spring.csv", "no line end: taken once it has been still for 1m0s")
		pass(2 * time.Second)
		r.want("archive", map[string]string{"2026-03/spring.csv": "id,text\n1,the end"})
		r.ledger.look(func() {
			if n := len(r.ledger.asked); n != 1 {
				t.Errorf("Whole was called %d times for one state, want 1", n)
			}
		})
	})
}

func TestAFileThatNeverBecomesWholeIsHeldWithTheReason(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRoom(t, nil)
		r.start()
		r.drop("inbox/acme/twitter-1/spring.csv", "id,text\n1,ha")
		pass(10 * time.Minute)
		r.wantWhy("acme/twitter-1/spring.csv", "not complete: its last row is cut off")
		r.drop("inbox/acme/twitter-1/spring.csv", "id,text\n1,half")
		pass(14 * time.Minute)
		r.wantWhy("acme/twitter-1/spring.csv", "not complete") // the window begins again with each change
		pass(2 * time.Minute)
		r.want("inbox", nil)
		held := r.tree("held/acme/twitter-1")
		if held["spring.csv"] != "id,text\n1,half" {
			t.Errorf("held %v", held)
		}
		for _, part := range []string{"spring.csv was not taken", "15m0s: its last row is cut off.", r.path("inbox/acme/twitter-1")} {
			if !strings.Contains(held["spring.csv.why.txt"], part) {
				t.Errorf("reason %q, want %q in it", held["spring.csv.why.txt"], part)
			}
		}
	})
}

func TestAWallClockThatJumpsTakesNothingEarly(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var jump time.Duration
		r := newRoom(t, func(c *Config) { c.Now = func() time.Time { return time.Now().Add(jump) } })
		for _, j := range []time.Duration{3 * time.Hour, -5 * time.Hour} {
			jump = 0
			if err := errors.Join(r.Scan(t.Context())); err != nil {
				t.Fatal(err)
			}
			r.write("inbox/spring.csv", csv)
			_ = r.Scan(t.Context())
			pass(time.Second)
			jump = j
			_ = r.Scan(t.Context())
			r.wantWhy("spring.csv", "must be still")
			pass(4 * time.Second)
			_ = r.Scan(t.Context())
			if got := r.Pending(); len(got) != 0 {
				t.Errorf("pending %v five seconds after the file, by any clock but one", got)
			}
		}
	})
}

func TestFilesAreHandedOverOldestFirstAndThenByName(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRoom(t, nil)
		for n, rel := range []string{"z.csv", "acme/b.csv", "acme/a.csv", "a.csv"} {
			r.write("inbox/"+rel, fmt.Sprintf("id\n%d\n", n))
			at := time.Date(2026, 1, 1+n/2*2, 0, 0, 0, 0, time.UTC) // two by two
			if err := os.Chtimes(r.path("inbox/"+rel), at, at); err != nil {
				t.Fatal(err)
			}
		}
		_ = r.Scan(t.Context())
		pass(5 * time.Second)
		_ = r.Scan(t.Context())
		var got []string
		for _, e := range r.ledger.all() {
			got = append(got, e.rel)
		}
		if want := []string{"acme/b.csv", "z.csv", "a.csv", "acme/a.csv"}; !slices.Equal(got, want) {
			t.Errorf("order %v, want %v", got, want)
		}
	})
}

func TestTheHandlerLearnsWhereAFileWasDropped(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRoom(t, nil)
		type place struct{ rel, folder, name string }
		var got []place
		r.ledger.take = func(f File, _ string) (Result, error) {
			got = append(got, place{f.Rel, f.Folder, f.Name})
			if f.Path != r.path("inbox/"+f.Rel) || !f.Same() || f.Size == 0 || f.ModTime.IsZero() {
				t.Errorf("file %+v", f)
			}
			return Result{Disposition: Reject, Folder: "by/handler"}, nil
		}
		for _, rel := range []string{"a.csv", "acme/b.csv", "acme/twitter-1/c.csv"} {
			r.write("inbox/"+rel, csv)
		}
		r.write("inbox/acme/twitter-1/deeper/d.csv", csv)
		_ = r.Scan(t.Context())
		pass(5 * time.Second)
		_ = r.Scan(t.Context())
		want := []place{{"a.csv", "", "a.csv"}, {"acme/b.csv", "acme", "b.csv"}, {"acme/twitter-1/c.csv", "acme/twitter-1", "c.csv"}}
		slices.SortFunc(got, func(a, b place) int { return strings.Compare(a.rel, b.rel) })
		if !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		r.want("rejected/by/handler", map[string]string{"a.csv": csv, "b.csv": csv, "c.csv": csv})
		r.wantWhy("acme/twitter-1/deeper", "too deep")
	})
}

func TestOriginalsGoWhereTheResultSays(t *testing.T) {
	for name, test := range map[string]struct {
		res  Result
		want map[string]string // path in the room to content
		why  string            // pending
	}{
		"archive, by account and month":  {Result{Disposition: Archive}, map[string]string{"archive/acme/2026-03/a.csv": csv}, ""},
		"rejected, by account and month": {Result{Disposition: Reject}, map[string]string{"rejected/acme/2026-03/a.csv": csv}, ""},
		"archive, by the handler":        {Result{Disposition: Archive, Folder: "x/y"}, map[string]string{"archive/x/y/a.csv": csv}, ""},
		"retry leaves it":                {Result{Disposition: Retry, Why: "no such account"}, map[string]string{"inbox/acme/a.csv": csv}, "no such account"},
		"no disposition leaves it":       {Result{}, map[string]string{"inbox/acme/a.csv": csv}, "no disposition"},
		"never out of the archive":       {Result{Disposition: Archive, Folder: "../x"}, map[string]string{"inbox/acme/a.csv": csv}, "want a folder below"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := newRoom(t, nil)
				r.ledger.take = func(File, string) (Result, error) { return test.res, nil }
				r.start()
				r.drop("inbox/acme/a.csv", csv)
				pass(6 * time.Second)
				r.want(".", test.want)
				if test.why != "" {
					r.wantWhy("acme/a.csv", test.why)
				}
				r.ledger.look(func() {
					if path := r.ledger.filed["acme/a.csv"]; (path != "") != (test.why == "") {
						t.Errorf("filed as %q", path)
					}
				})
			})
		})
	}
}

func TestAHandlerCanHoldAFile(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRoom(t, nil)
		r.ledger.take = func(File, string) (Result, error) {
			return Result{Disposition: Hold, Why: "It would cancel 200 posts."}, nil
		}
		r.start()
		r.drop("inbox/acme/a.csv", csv)
		pass(6 * time.Second)
		held := r.tree("held/acme")
		if held["a.csv"] != csv || !strings.Contains(held["a.csv.why.txt"], "It would cancel 200 posts.") {
			t.Errorf("held %v", held)
		}
	})
}

func TestAFailureOfTheHandlerIsTriedAgainAndLoggedOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRoom(t, nil)
		fail, calls := errors.New("store: no space left on device"), 0
		r.ledger.take = func(File, string) (Result, error) {
			calls++
			return Result{Disposition: Archive}, fail
		}
		r.start()
		r.drop("inbox/a.csv", csv)
		pass(time.Minute)
		r.wantWhy("a.csv", "no space left")
		r.ledger.look(func() {
			if calls != 4 { // after 5, 10, 20 and 40 s
				t.Errorf("tried %d times in a minute, want 4", calls)
			}
		})
		if n := strings.Count(r.log.String(), "no space left"); n != 1 {
			t.Errorf("logged %d times, want once:\n%s", n, r.log)
		}
		r.ledger.look(func() { fail = nil })
		pass(5 * time.Minute)
		r.want("archive", map[string]string{"2026-03/a.csv": csv})
	})
}

func TestFailuresOfSomeFilesDoNotStarveTheOthers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRoom(t, nil)
		calls := 0
		r.ledger.take = func(f File, _ string) (Result, error) {
			calls++
			if strings.HasPrefix(f.Name, "bad") {
				return Result{}, errors.New("bad sector")
			}
			return Result{Disposition: Archive}, nil
		}
		for n := range 6 {
			r.write(fmt.Sprintf("inbox/bad%d.csv", n), csv)
			r.write(fmt.Sprintf("inbox/good%d.csv", n), csv)
			at := time.Date(2026, 1, n, 0, 0, 0, 0, time.UTC)
			if err := os.Chtimes(r.path(fmt.Sprintf("inbox/bad%d.csv", n)), at, at); err != nil {
				t.Fatal(err)
			}
		}
		_ = r.Scan(t.Context())
		pass(5 * time.Second)
		_ = r.Scan(t.Context())
		if calls != mostFailures {
			t.Errorf("%d files were tried while all failed, want %d", calls, mostFailures)
		}
		r.wantWhy("good0.csv", "the last 3 files failed")
		pass(time.Second)
		_ = r.Scan(t.Context())
		pass(time.Second)
		_ = r.Scan(t.Context())
		if n := len(r.tree("archive")); n != 6 {
			t.Errorf("%d files taken, want the 6 good ones: %v", n, r.Pending())
		}
	})
}

// A file that was taken and could not be moved is not taken twice.
func TestOnlyTheFilingIsTriedAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRoom(t, nil)
		r.write("archive/2026-03", "in the way of the folder")
		r.start()
		r.drop("inbox/a.csv", csv)
		pass(time.Minute)
		r.wantWhy("a.csv", "failed, and is tried again")
		if err := os.Remove(r.path("archive/2026-03")); err != nil {
			t.Fatal(err)
		}
		pass(5 * time.Minute)
		r.want("archive", map[string]string{"2026-03/a.csv": csv})
		if n := len(r.ledger.all()); n != 1 {
			t.Errorf("taken %d times, want once", n)
		}
	})
}

func TestAStopComesBetweenFiles(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRoom(t, nil)
		ctx, stop := context.WithCancel(t.Context())
		r.ledger.take = func(File, string) (Result, error) {
			stop()
			return Result{Disposition: Archive}, nil
		}
		r.write("inbox/a.csv", csv)
		r.write("inbox/b.csv", csv)
		_ = r.Scan(ctx)
		pass(5 * time.Second)
		if err := r.Scan(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Scan: %v", err)
		}
		if in, out := r.tree("inbox"), r.tree("archive"); len(in) != 1 || len(out) != 1 {
			t.Errorf("in %v, out %v: want what was taken filed, and no more", in, out)
		}
	})
}

func TestWorkersTakeFilesSideBySide(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRoom(t, func(c *Config) { c.Workers = 3 })
		h := &slowHandler{ledger: r.ledger}
		r.handler = h
		for n := range 3 {
			r.write(fmt.Sprintf("inbox/%d.csv", n), csv)
		}
		r.start()
		pass(5*time.Second + gather + time.Minute + time.Second)
		r.want("inbox", nil) // one after the other they would need three minutes
	})
}

type slowHandler struct{ *ledger }

func (h *slowHandler) Take(ctx context.Context, f File) (Result, error) {
	time.Sleep(time.Minute)
	return h.ledger.Take(ctx, f)
}

func TestEventsOnlyWakeAScan(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRoom(t, func(c *Config) { c.Poll = time.Hour })
		r.start()
		pass(time.Minute)
		for name, tell := range map[string]func(){
			"an event":       r.watcher.wake,
			"an overflow":    func() { r.watcher.fail(fsnotify.ErrEventOverflow) },
			"another error":  func() { r.watcher.fail(errors.New("read inotify: bad file descriptor")) },
			"an event again": r.watcher.wake,
		} {
			r.write("inbox/"+name+".csv", csv)
			tell()
			pass(6 * time.Second)
			r.want("inbox", nil)
		}
		r.write("inbox/untold.csv", csv)
		pass(30 * time.Minute)
		r.want("inbox", map[string]string{"untold.csv": csv})
		pass(31 * time.Minute)
		r.want("inbox", nil)
	})
}

func TestWithoutAWatcherTheInboxIsPolled(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var broken atomic.Bool
		broken.Store(true)
		var r *room
		r = newRoom(t, func(c *Config) {
			c.Watch = func() (Watcher, error) {
				if broken.Load() {
					return nil, &os.SyscallError{Syscall: "inotify_init1", Err: syscall.EMFILE}
				}
				return r.watcher, nil
			}
		})
		r.start()
		r.write("inbox/a.csv", csv)
		pass(11 * time.Second)
		r.want("inbox", nil)
		if got := r.Mode(); !strings.Contains(got, "every 5s, because events fail") || !strings.Contains(got, "too many open files") {
			t.Errorf("mode %q", got)
		}
		if n := strings.Count(r.log.String(), "watching the inbox"); n != 1 {
			t.Errorf("the mode was logged %d times, want once:\n%s", n, r.log)
		}
		r.watcher.failAdd(syscall.ENOSPC)
		broken.Store(false)
		pass(6 * time.Second)
		if got := r.Mode(); !strings.Contains(got, "no space left") {
			t.Errorf("mode %q", got)
		}
		r.watcher.failAdd(nil)
		pass(6 * time.Second)
		if got := r.Mode(); got != "events, and a scan every 5s" {
			t.Errorf("mode %q", got)
		}
	})
}

func TestFoldersAreWatchedAsTheyComeAndGo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRoom(t, nil)
		r.start()
		pass(time.Second)
		watched := func(want ...string) {
			t.Helper()
			for n := range want {
				want[n] = r.path(want[n])
			}
			if got := r.watcher.List(); !slices.Equal(got, want) {
				t.Errorf("watched %v, want %v", got, want)
			}
		}
		watched("inbox")
		r.write("inbox/acme/twitter-1/a.csv", csv)
		pass(5 * time.Second)
		watched("inbox", "inbox/acme", "inbox/acme/twitter-1")
		if err := os.RemoveAll(r.path("inbox/acme/twitter-1")); err != nil {
			t.Fatal(err)
		}
		pass(5 * time.Second)
		watched("inbox", "inbox/acme")
	})
}

func TestAnInboxThatIsReplacedIsWatchedAnew(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRoom(t, nil)
		r.start()
		r.drop("inbox/a.csv", csv)
		pass(time.Second)
		if err := os.Rename(r.path("inbox"), r.path("inbox.old")); err != nil {
			t.Fatal(err)
		}
		pass(10 * time.Second)
		r.wantWhy("", "cannot be read: no such file")
		r.write("inbox/a.csv", csv) // as old as it was, in a folder that is new
		pass(5 * time.Second)
		r.wantWhy("a.csv", "must be still")
		pass(6 * time.Second)
		r.want("inbox", nil)
		if added := r.watcher.adds(); len(added) != 2 {
			t.Errorf("added %v, want the inbox twice", added)
		}
		if n := strings.Count(r.log.String(), "inbox cannot be read"); n != 1 {
			t.Errorf("logged %d times, want once", n)
		}
	})
}

// A kernel drops the watch of a folder that is removed, and may give its inode to
// the next.
func TestAFolderWhoseWatchEndedIsWatchedAnew(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRoom(t, nil)
		r.start()
		pass(time.Second)
		if err := r.watcher.Remove(r.path("inbox")); err != nil {
			t.Fatal(err)
		}
		pass(5 * time.Second)
		if got := r.watcher.List(); len(got) != 1 {
			t.Errorf("watched %v, want the inbox", got)
		}
	})
}

func TestDrainTakesWhatIsCompleteAndLeavesTheRestWithReasons(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRoom(t, nil)
		r.write("inbox/old.csv", csv)
		r.write("inbox/lineless.csv", "id,text\n1,the end")
		r.write("inbox/cut.csv", "id,text\n1,ha")
		lastWrite := r.stamp("inbox/cut.csv").changed
		r.cfg.Now = func() time.Time { return lastWrite.Add(30 * time.Second) }
		began := time.Now()
		if err := r.Drain(t.Context()); err != nil {
			t.Error(err)
		}
		if r.stamp("inbox/cut.csv").sure {
			if took := time.Since(began); took != 0 {
				t.Errorf("waited %s for files that have been still for 30 s", took)
			}
		}
		r.want("inbox", map[string]string{"lineless.csv": "id,text\n1,the end", "cut.csv": "id,text\n1,ha"})
		r.wantWhy("lineless.csv", "still for 1m0s")
		r.wantWhy("cut.csv", "not complete")

		r = roomAt(t, r.dir, &ledger{}, nil) // the next run
		r.cfg.Now = func() time.Time { return lastWrite.Add(16 * time.Minute) }
		if err := r.Drain(t.Context()); err != nil {
			t.Error(err)
		}
		r.want("inbox", nil)
		if len(r.tree("held")) != 2 {
			t.Errorf("held %v, want the file that is cut off and its reason", r.tree("held"))
		}
	})
}

func TestDrainWaitsForAFileThatWasTouchedJustNow(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRoom(t, nil)
		r.write("inbox/new.csv", csv)
		r.cfg.Now = func() time.Time { return r.stamp("inbox/new.csv").changed.Add(2 * time.Second) }
		began := time.Now()
		if err := r.Drain(t.Context()); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > r.cfg.Settle || took < 3*time.Second {
			t.Errorf("waited %s, want what is missing of 5 s", took)
		}
		r.want("inbox", nil)
	})
}

func TestDrainTellsWhatFailed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRoom(t, nil)
		r.ledger.take = func(File, string) (Result, error) { return Result{}, errors.New("store: disk I/O error") }
		r.write("inbox/a.csv", csv)
		if err := r.Drain(t.Context()); err == nil || err.Error() != "take a.csv: store: disk I/O error" {
			t.Errorf("got %v", err)
		}
		if err := os.RemoveAll(r.path("inbox")); err != nil {
			t.Fatal(err)
		}
		if err := r.Drain(t.Context()); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("got %v, want that the inbox is gone", err)
		}
	})
}

func TestAFileThatIsNeverStillDoesNotKeepDrainWaiting(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRoom(t, nil)
		ctx, stop := context.WithCancel(t.Context())
		r.writes(func(pen) {
			for n := 0; ctx.Err() == nil; n++ {
				r.write("inbox/log.csv", csv+strings.Repeat("3,More\n", n))
				time.Sleep(2 * time.Second)
			}
		}, "inbox/log.csv")
		pass(time.Second)
		began := time.Now()
		if err := r.Drain(t.Context()); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > 2*r.cfg.Settle {
			t.Errorf("waited %s", took)
		}
		r.wantWhy("log.csv", "must be still")
		stop()
	})
}
