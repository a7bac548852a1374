package inbox

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestP7_AnOriginalIsMovedAndNotCopiedOrEdited(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRoom(t, nil)
		r.write("inbox/acme/a.csv", csv)
		before := r.stamp("inbox/acme/a.csv")
		r.settleAll()
		after := r.stamp("archive/acme/2026-03/a.csv")
		if !before.sameContent(after) {
			t.Errorf("was %v, is %v: want the same file", before.info, after.info)
		}
	})
}

func TestP7_NothingIsOverwrittenWhenNamesClash(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRoom(t, nil)
		want := map[string]int{}
		for n := range 4 {
			content := csv + strings.Repeat("3,More\n", n)
			want[content]++
			r.write("inbox/a.csv", content)
			r.settleAll()
		}
		r.write("inbox/a.csv", csv) // the very same again
		want[csv]++
		r.settleAll()
		got := map[string]int{}
		for name, content := range r.tree("archive/2026-03") {
			if name != "a.csv" && (!strings.HasPrefix(name, "a-") || !strings.HasSuffix(name, ".csv") || len(name) != len("a-01234567.csv")) {
				t.Errorf("name %q, want a-xxxxxxxx.csv", name)
			}
			got[content]++
		}
		for content, n := range want {
			if got[content] != n {
				t.Errorf("%d originals of %d bytes, want %d", got[content], len(content), n)
			}
		}
	})
}

func TestP7_HeldFilesAndTheirReasonsAreNotOverwritten(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRoom(t, nil)
		r.start()
		for _, content := range []string{"id\n1", "id\n2"} {
			r.drop("inbox/a.csv", content)
			pass(16 * time.Minute)
		}
		files, reasons := 0, 0
		for name, content := range r.tree("held") {
			if strings.HasSuffix(name, whyExt) {
				reasons++
			} else if files++; content != "id\n1" && content != "id\n2" {
				t.Errorf("%s: %q", name, content)
			}
		}
		if files != 2 || reasons != 2 {
			t.Errorf("held %v, want two files and two reasons", r.tree("held"))
		}
	})
}

// Each way in which a file can change between its reading and its filing.
func TestP7_WhatHappensWhileAFileIsTakenLosesNothing(t *testing.T) {
	appendTo := func(t *testing.T, path, s string) {
		t.Helper()
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteString(s); err != nil {
			t.Fatal(err)
		}
	}
	const more = "3,More\n"
	for name, test := range map[string]struct {
		happens func(t *testing.T, r *room, path string)
		taken   []string // contents, in their order
		archive []string
		changed int
	}{
		"it grows": {
			func(t *testing.T, r *room, path string) { appendTo(t, path, more) },
			[]string{csv, csv + more}, []string{csv + more}, 1,
		},
		"it is replaced": {
			func(t *testing.T, r *room, path string) {
				r.write("inbox/.new", "id,text\n9,Another\n")
				if err := os.Rename(r.path("inbox/.new"), path); err != nil {
					t.Fatal(err)
				}
			},
			[]string{csv, "id,text\n9,Another\n"}, []string{csv, "id,text\n9,Another\n"}, 1,
		},
		"it is deleted": {
			func(t *testing.T, r *room, path string) {
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
			},
			[]string{csv}, []string{csv}, 0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := newRoom(t, nil)
				first := true
				r.ledger.take = func(f File, _ string) (Result, error) {
					if first {
						first = false
						test.happens(t, r, f.Path)
						if f.Same() {
							t.Error("Same: true after the change")
						}
					}
					return Result{Disposition: Archive}, nil
				}
				r.start()
				r.drop("inbox/a.csv", csv)
				pass(time.Minute)
				r.want("inbox", nil)
				var taken []string
				for _, e := range r.ledger.all() {
					taken = append(taken, e.content)
				}
				if strings.Join(taken, "|") != strings.Join(test.taken, "|") {
					t.Errorf("taken %q, want %q", taken, test.taken)
				}
				left := map[string]bool{}
				for _, content := range r.tree("archive") {
					left[content] = true
				}
				for _, content := range test.archive {
					if !left[content] {
						t.Errorf("archive %v, want %q in it", left, content)
					}
				}
				if n := len(r.ledger.changes()); n != test.changed {
					t.Errorf("Changed was called %d times, want %d", n, test.changed)
				}
			})
		})
	}
}

// Renaming a file away does not stop who has it open.
func TestP5_AWriterThatGoesOnAfterItsFileWasTakenIsNoticed(t *testing.T) {
	for name, test := range map[string]struct {
		after time.Duration
		want  int
	}{
		"within the quarter of an hour": {14 * time.Minute, 1},
		"later":                         {16 * time.Minute, 0},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := newRoom(t, nil)
				r.writer = func(*os.File) writing { return idle } // a server that opens the file anew for each block
				fails := 2
				r.ledger.hold = func(File) error {
					if fails--; fails > 0 {
						return errors.New("store: busy")
					}
					return nil
				}
				r.start()
				full, half := calendar()
				f := pen{t, r.path("inbox/spring.csv"), r.watcher.wake}.open(os.O_CREATE)
				defer f.Close()
				if _, err := f.WriteString(full[:half]); err != nil {
					t.Fatal(err)
				}
				pass(11 * time.Second)
				r.want("inbox", nil)
				time.Sleep(test.after)
				if _, err := f.WriteString(full[half:]); err != nil {
					t.Fatal(err)
				}
				pass(time.Hour)
				got := r.ledger.changes()
				if want := test.want * 2; len(got) != want { // the first call failed
					t.Fatalf("Changed was called %d times, want %d", len(got), want)
				}
				if test.want == 0 {
					return
				}
				c := got[1]
				if c.Again || c.Rel != "spring.csv" || c.Name != "spring.csv" || c.Path != r.path("archive/2026-03/spring.csv") || c.Size != int64(len(full)) {
					t.Errorf("changed %+v", c)
				}
			})
		})
	}
}

func TestP5_ANameThatComesAgainSoonIsToldBeforeItIsTaken(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRoom(t, nil)
		r.start()
		r.drop("inbox/spring.csv", csv)
		r.drop("inbox/other.csv", csv)
		pass(10 * time.Second)
		r.drop("inbox/spring.csv", csv+"3,Mo")
		pass(time.Second)
		got := r.ledger.changes()
		if len(got) != 1 || !got[0].Again || got[0].Rel != "spring.csv" || got[0].Path != r.path("inbox/spring.csv") {
			t.Fatalf("changed %+v, want the file that came again", got)
		}
		r.drop("inbox/spring.csv", csv+"3,More\n")
		pass(10 * time.Second)
		r.want("inbox", nil)
		if n := len(r.ledger.changes()); n != 1 {
			t.Errorf("Changed was called %d times, want once", n)
		}
		pass(16 * time.Minute)
		r.drop("inbox/spring.csv", csv)
		pass(10 * time.Second)
		if n := len(r.ledger.changes()); n != 1 {
			t.Errorf("Changed was called %d times, want once: a quarter of an hour later it is a new revision", n)
		}
	})
}

func TestP5_AFreshProcessGoesOnLookingAtWhatWasTakenBefore(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRoom(t, nil)
		now := r.cfg.Now()
		for name, size := range map[string]int64{"same.csv": int64(len(csv)), "grown.csv": int64(len(csv)) - 4, "later.csv": int64(len(csv)), "long ago.csv": 1} {
			r.write("archive/2026-03/"+name, csv)
			at := now.Add(-10 * time.Minute)
			if name == "long ago.csv" {
				at = now.Add(-time.Hour)
			}
			r.Recheck(name, r.path("archive/2026-03/"+name), size, at)
		}
		r.start()
		pass(time.Minute)
		r.write("archive/2026-03/later.csv", csv+"3,More\n")
		pass(6 * time.Second)
		var got []string
		for _, c := range r.ledger.changes() {
			got = append(got, c.Rel)
		}
		if strings.Join(got, " ") != "grown.csv later.csv" {
			t.Errorf("changed %v, want grown.csv and later.csv", got)
		}
	})
}

// An archive on another disk gets a copy, which is then looked at like a file that
// was moved.
func TestP7_AnArchiveOnAnotherDiskGetsTheWholeFile(t *testing.T) {
	t.Parallel()
	shm, err := os.MkdirTemp("/dev/shm", "postroom-*")
	if err != nil {
		t.Skipf("no second file system here: %v", err)
	}
	t.Cleanup(func() { os.RemoveAll(shm) })
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t, func(c *Config) { c.Archive = filepath.Join(shm, "archive") })
		r.start()
		r.drop("inbox/a.csv", csv)
		pass(20 * time.Second)
		r.want("inbox", nil)
		path := filepath.Join(shm, "archive/2026-03/a.csv")
		if b, err := os.ReadFile(path); err != nil || string(b) != csv {
			t.Fatalf("archived %q, %v", b, err)
		}
		if got := r.ledger.changes(); len(got) != 0 {
			t.Errorf("changed %+v, want nothing: a copy is no change", got)
		}
		if err := os.WriteFile(path, []byte("edited"), 0o644); err != nil {
			t.Fatal(err)
		}
		pass(6 * time.Second)
		if got := r.ledger.changes(); len(got) != 1 {
			t.Errorf("changed %+v, want the edit", got)
		}
	})
}

func TestZeroSettingsAreTheDefaults(t *testing.T) {
	t.Parallel()
	got := Config{Inbox: "inbox", Archive: "archive", Rejected: "rejected", Held: "held"}.orDefault()
	want := DefaultConfig("")
	if got.Folder == nil || got.Beside == nil || got.Now == nil || got.Watch == nil {
		t.Errorf("functions missing in %+v", got)
	}
	got.Folder, got.Beside, got.Now, got.Watch, want.Folder, want.Beside, want.Now, want.Watch = nil, nil, nil, nil, nil, nil, nil, nil
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if c := (Config{Settle: time.Minute}).orDefault(); c.Unleased != time.Minute {
		t.Errorf("Unleased %s is shorter than Settle", c.Unleased)
	}
}
