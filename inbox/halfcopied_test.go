package inbox

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// calendar returns a file of 200 rows and the offset after the 98th.
func calendar() (full string, half int) {
	var b strings.Builder
	b.WriteString("id,text\n")
	for n := range 200 {
		if n == 98 {
			half = b.Len()
		}
		fmt.Fprintf(&b, "%d,post number %d\n", n, n)
	}
	return b.String(), half
}

// apart keeps a program from writing in the very instant of a scan, where the
// simulated clock would leave the order of the two to luck.
const apart = 100 * time.Microsecond

// A pen writes one file as some program would, on the simulated clock. told is
// called where a file system would tell of an event.
type pen struct {
	t    *testing.T
	path string
	told func()
}

func (p pen) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Error(err)
	}
	p.told()
}

func (p pen) open(flag int) *os.File {
	p.t.Helper()
	f, err := os.OpenFile(p.path, os.O_WRONLY|flag, 0o644)
	if err != nil {
		p.t.Fatal(err)
	}
	return f
}

func (p pen) write(f *os.File, s string) {
	p.t.Helper()
	_, err := f.WriteString(s)
	p.must(err)
}

// writers are the nine styles of RELIABILITY §2.3. finished is false for those
// that die; one that finishes has then written all of the calendar.
var writers = []struct {
	name     string
	finished bool
	write    func(p pen)
}{
	{"one write", true, func(p pen) {
		full, _ := calendar()
		p.must(os.WriteFile(p.path, []byte(full), 0o644))
	}},
	{"10 chunks, 50 ms apart", true, func(p pen) {
		full, _ := calendar()
		f := p.open(os.O_CREATE)
		defer f.Close()
		size := len(full)/10 + 1
		for at := 0; at < len(full); at += size {
			p.write(f, full[at:min(at+size, len(full))])
			time.Sleep(50*time.Millisecond + apart)
		}
	}},
	{"stall 2.5 s mid-file", true, func(p pen) {
		full, half := calendar()
		f := p.open(os.O_CREATE)
		defer f.Close()
		p.write(f, full[:half])
		time.Sleep(2500 * time.Millisecond)
		p.write(f, full[half:])
	}},
	{"preallocated, old mtime, filled late", true, func(p pen) {
		full, _ := calendar()
		f := p.open(os.O_CREATE)
		defer f.Close()
		p.must(f.Truncate(int64(len(full))))
		old := time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)
		p.must(os.Chtimes(p.path, old, old))
		time.Sleep(2500 * time.Millisecond)
		p.write(f, full)
		_ = os.Chtimes(p.path, old, old) // the controls have moved it away
		p.told()
	}},
	{"touch, close, reopen after 2.5 s", true, func(p pen) {
		full, _ := calendar()
		p.must(p.open(os.O_CREATE).Close())
		time.Sleep(2500 * time.Millisecond)
		f := p.open(os.O_CREATE)
		defer f.Close()
		p.write(f, full)
	}},
	{"write half, close, append later", true, func(p pen) {
		full, half := calendar()
		f := p.open(os.O_CREATE)
		p.write(f, full[:half])
		p.must(f.Close())
		time.Sleep(2500 * time.Millisecond)
		f = p.open(os.O_CREATE | os.O_APPEND)
		defer f.Close()
		p.write(f, full[half:])
	}},
	{"temp + rename", true, func(p pen) {
		full, half := calendar()
		tmp := pen{p.t, filepath.Join(filepath.Dir(p.path), ".spring.csv.Xq81"), p.told}
		f := tmp.open(os.O_CREATE)
		tmp.write(f, full[:half])
		time.Sleep(2500 * time.Millisecond)
		tmp.write(f, full[half:])
		p.must(f.Close())
		p.must(os.Rename(tmp.path, p.path))
	}},
	{"client dies mid-row", false, func(p pen) {
		full, half := calendar()
		f := p.open(os.O_CREATE)
		defer f.Close()
		p.write(f, full[:half+5])
	}},
	{"client dies exactly at a row end", false, func(p pen) {
		full, half := calendar()
		f := p.open(os.O_CREATE)
		defer f.Close()
		p.write(f, full[:half])
	}},
}

// A strategy says when a file counts as complete.
type strategy struct {
	name    string
	settle  time.Duration
	lease   bool
	content bool
	want    [9]string // what becomes of each writer's file: ok, HALF or held
}

// strategies are the columns of RELIABILITY §2.3. All but the last are controls:
// where they take half a file, the test must see it.
var strategies = []strategy{
	{name: "on create", want: [9]string{"ok", "HALF", "HALF", "HALF", "HALF", "HALF", "ok", "HALF", "HALF"}},
	{name: "stable 1 s", settle: time.Second, want: [9]string{"ok", "ok", "HALF", "HALF", "HALF", "HALF", "ok", "HALF", "HALF"}},
	{name: "lease only", lease: true, want: [9]string{"ok", "ok", "ok", "ok", "HALF", "HALF", "ok", "HALF", "HALF"}},
	{name: "1 s and lease", settle: time.Second, lease: true, want: [9]string{"ok", "ok", "ok", "ok", "HALF", "HALF", "ok", "HALF", "HALF"}},
	{name: "1 s, lease and content", settle: time.Second, lease: true, content: true, want: [9]string{"ok", "ok", "ok", "ok", "ok", "HALF", "ok", "held", "HALF"}},
	{name: "as it is: 5 s, lease and content", settle: 5 * time.Second, lease: true, content: true, want: [9]string{"ok", "ok", "ok", "ok", "ok", "ok", "ok", "held", "HALF"}},
}

func TestP5_HalfCopiedFilesAreTakenByNoneButTheControls(t *testing.T) {
	t.Parallel()
	leases := hasLeases(t)
	for _, s := range strategies {
		for n, w := range writers {
			t.Run(s.name+"/"+w.name, func(t *testing.T) {
				if s.lease && !leases {
					t.Skip("this file system has no leases")
				}
				bubble(t, func(t *testing.T) {
					r := newRoom(t, func(c *Config) { c.Poll = time.Second })
					r.follow(s)
					r.start()
					r.writes(w.write, "inbox/spring.csv")
					if got := r.fate(); got != s.want[n] {
						t.Errorf("got %s, want %s; pending %v", got, s.want[n], r.Pending())
					}
				})
			})
		}
	}
}

// Where there are no leases, the longer window has to do.
func TestP5_HalfCopiedFilesAreNotTakenWithoutLeases(t *testing.T) {
	t.Parallel()
	for n, w := range writers {
		t.Run(w.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := newRoom(t, nil)
				r.writer = func(*os.File) writing { return unknown }
				r.start()
				r.writes(w.write, "inbox/spring.csv")
				if got, want := r.fate(), strategies[len(strategies)-1].want[n]; got != want {
					t.Errorf("got %s, want %s; pending %v", got, want, r.Pending())
				}
			})
		})
	}
}

// The one hole that is left is closed by writing elsewhere and moving: whoever
// dies leaves nothing in the inbox.
func TestP5_HalfCopiedFilesAreNeverTakenWhenWritersMoveThemIn(t *testing.T) {
	t.Parallel()
	for _, w := range writers {
		t.Run(w.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := newRoom(t, nil)
				r.start()
				r.writes(func(p pen) {
					w.write(p)
					if w.finished {
						p.must(os.Rename(p.path, r.path("inbox/spring.csv")))
					}
				}, "inbox/tmp/spring.csv")
				want := "nothing"
				if w.finished {
					want = "ok"
				}
				if got := r.fate(); got != want {
					t.Errorf("got %s, want %s; pending %v", got, want, r.Pending())
				}
			})
		})
	}
}

// An end mark stands for stillness and content, so that a file is taken the moment
// its writer says so, and the mark goes with it.
func TestP5_AnEndMarkTakesAFileAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRoom(t, func(c *Config) { c.Settle = time.Hour })
		r.start()
		r.drop("inbox/spring.csv", "id,text\n1,no line end")
		pass(time.Minute)
		r.wantWhy("spring.csv", "must be still for 1h0m0s")
		r.drop("inbox/spring.csv.done", "")
		pass(time.Second)
		r.want("inbox", nil)
		r.want("archive", map[string]string{"2026-03/spring.csv": "id,text\n1,no line end", "2026-03/spring.csv.done": ""})
	})
}

// A tool that copies many files at once may bring the mark first.
func TestP5_AnEndMarkOlderThanItsFileSaysNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRoom(t, func(c *Config) { c.Settle = time.Hour })
		r.start()
		r.drop("inbox/spring.csv.done", "")
		pass(time.Second)
		r.wantWhy("spring.csv.done", "its file is not here")
		mark := r.stamp("inbox/spring.csv.done")
		for r.write("inbox/spring.csv", "id,text\n1,ha"); !r.stamp("inbox/spring.csv").changed.After(mark.changed); {
			r.write("inbox/spring.csv", "id,text\n1,ha") // until the file system's clock has moved on
		}
		pass(time.Minute)
		if got := r.ledger.all(); len(got) != 0 {
			t.Errorf("took %v", got)
		}
		r.wantWhy("spring.csv", "must be still")
	})
}

// A mark cannot say that nobody writes any more.
func TestP5_AnEndMarkWaitsForTheWriterToClose(t *testing.T) {
	if !hasLeases(t) {
		t.Skip("this file system has no leases")
	}
	bubble(t, func(t *testing.T) {
		r := newRoom(t, nil)
		r.start()
		f := pen{t, r.path("inbox/spring.csv"), r.watcher.wake}.open(os.O_CREATE)
		if _, err := f.WriteString(csv); err != nil {
			t.Fatal(err)
		}
		r.drop("inbox/spring.csv.done", "")
		pass(time.Minute)
		r.wantWhy("spring.csv", "open for writing")
		f.Close()
		pass(6 * time.Second)
		r.want("inbox", nil)
	})
}

// writes lets a program write a file of the room, and waits for it at the end of
// the test.
func (r *room) writes(program func(pen), rel string) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		time.Sleep(apart)
		program(pen{r.t, r.path(rel), r.watcher.wake})
	}()
	r.t.Cleanup(func() { <-ended })
}

func (r *room) stamp(rel string) stamp {
	r.t.Helper()
	info, err := os.Lstat(r.path(rel))
	if err != nil {
		r.t.Fatal(err)
	}
	return stampOf(info)
}

// follow makes the inbox use a strategy.
func (r *room) follow(s strategy) {
	r.cfg.Settle = s.settle
	if !s.lease {
		r.writer = func(*os.File) writing { return idle }
	}
	if !s.content {
		r.ledger.whole = func(File, string) (bool, string, time.Duration) { return true, "", 0 }
	}
}

// fate waits for what becomes of spring.csv.
func (r *room) fate() string {
	full, _ := calendar()
	for range 20 * 60 {
		pass(time.Second)
		if es := r.ledger.all(); len(es) > 0 {
			if es[0].content == full {
				return "ok"
			}
			return "HALF"
		}
		if held := r.tree("held"); len(held) > 0 {
			if held["spring.csv"] == "" || !strings.Contains(held["spring.csv.why.txt"], "cut off") {
				r.t.Errorf("held %v: want the file and its reason", held)
			}
			return "held"
		}
	}
	synctest.Wait()
	return "nothing"
}

// hasLeases reports whether the file system of the tests can tell of writers.
func hasLeases(t *testing.T) bool {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "probe"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	g, err := os.Open(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	return writerOf(g) == busy
}
