package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/inbox"
	"github.com/postroom/postroom/internal/atomicfile"
	"github.com/postroom/postroom/post"
)

// newRoom opens a room of one account that has a connection with a dot in its
// name.
func newRoom(t *testing.T) *room {
	t.Helper()
	return newRoomOf(t, "timezone: UTC\ninbox: {settle: 1s}\naccounts:\n  acme:\n    connections:\n      - {id: twitter-1, driver: sandbox}\n      - {id: mastodon-acme.social, driver: sandbox}\n", roomOptions{env: testEnv(), logTo: t.Output()})
}

// newRoomOf opens a room with a config.
func newRoomOf(t *testing.T, config string, o roomOptions) *room {
	t.Helper()
	dir := t.TempDir()
	writeText(t, filepath.Join(dir, configName), config)
	r, err := openRoom(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// calendarFile is a file of n posts in two months' time, as old as an hour.
func calendarFile(t *testing.T, path string, n int) {
	t.Helper()
	var b strings.Builder
	b.WriteString("content,platforms,scheduled_time\n")
	at := time.Now().AddDate(0, 2, 0)
	for i := range n {
		fmt.Fprintf(&b, "%s %d,twitter-1,%s\n", filepath.Base(path), i, at.Add(time.Duration(i)*time.Hour).UTC().Format("2006-01-02T15:04:05Z"))
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	writeText(t, path, b.String())
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
}

func (r *room) groups(t *testing.T, f post.Filter) []post.Group {
	t.Helper()
	gs, _, err := r.store.Groups(t.Context(), f, "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	return gs
}

func TestFolderOfAConnectionMayHaveADot(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	calendarFile(t, filepath.Join(r.dir, "inbox", "mastodon-acme.social", "a.csv"), 1)
	calendarFile(t, filepath.Join(r.dir, "inbox", "acme", "mastodon-acme.social", "b.csv"), 2)
	calendarFile(t, filepath.Join(r.dir, "inbox", "folder.csv", "c.csv"), 3)
	d := newDaemon(r)
	if err := d.once(t.Context()); err != nil {
		t.Fatal(err)
	}
	gs := r.groups(t, post.Filter{})
	// The row says twitter-1, and wins over the folder.
	if len(gs) != 3 {
		t.Errorf("%d posts, want those of both folders: 3", len(gs))
	}
	waiting := d.inbox.Pending()
	if len(waiting) != 1 || waiting[0].Path != "folder.csv" {
		t.Errorf("pending: %v, want the folder that looks like a file", waiting)
	}
}

// TestP3_AFileThatIsWrittenOnIsHeld: the writer goes on between the reading and
// the move, and after it.
func TestP3_AFileThatIsWrittenOnIsHeld(t *testing.T) {
	t.Parallel()
	for _, moved := range []bool{false, true} {
		t.Run(fmt.Sprintf("moved %v", moved), func(t *testing.T) {
			t.Parallel()
			r := newRoom(t)
			path := filepath.Join(r.dir, "inbox", "a.csv")
			calendarFile(t, path, 2)
			handler := &taker{room: r}
			file := func() inbox.File {
				f, err := os.Open(path)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { f.Close() })
				info, err := f.Stat()
				if err != nil {
					t.Fatal(err)
				}
				return inbox.File{Path: path, Rel: "a.csv", Name: "a.csv", Size: info.Size(), ModTime: info.ModTime(), Body: f}
			}
			res, err := handler.Take(t.Context(), file())
			if err != nil {
				t.Fatal(err)
			}
			if moved {
				to := filepath.Join(r.dir, "archive", "acme", "a.csv")
				if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.Rename(path, to); err != nil {
					t.Fatal(err)
				}
				if err := res.Filed(t.Context(), to); err != nil {
					t.Fatal(err)
				}
				path = to
			}
			if err := handler.Changed(t.Context(), file()); err != nil {
				t.Fatal(err)
			}
			if n := len(r.groups(t, post.Filter{Held: true})); n != 0 {
				t.Errorf("%d posts are held of a file whose bytes are the same", n)
			}
			calendarFile(t, path, 3)
			if err := handler.Changed(t.Context(), file()); err != nil {
				t.Fatal(err)
			}
			if n := len(r.groups(t, post.Filter{Held: true})); n != 2 {
				t.Errorf("%d posts are held, want both", n)
			}
		})
	}
}

func TestStartTakesUpWhatWasLeft(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	// Two originals were moved and not recorded, and one is still in the inbox.
	handler := &taker{room: r}
	for i, name := range []string{"a.csv", "b.csv", "c.csv"} {
		path := filepath.Join(r.dir, "inbox", name)
		calendarFile(t, path, i+2)
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := handler.Take(t.Context(), inbox.File{Path: path, Rel: name, Name: name, Size: info.Size(), ModTime: info.ModTime(), Body: f}); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if name != "b.csv" {
			to := filepath.Join(r.dir, "archive", "acme", name)
			if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(path, to); err != nil {
				t.Fatal(err)
			}
		}
	}
	left, err := atomicfile.Create(filepath.Join(r.dir, "reports", "acme", "a.csv.report.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer left.Discard()
	d := newDaemon(r)
	if err := d.takeUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	imps, _, err := r.store.Imports(t.Context(), "", "", 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, imp := range imps {
		if want := imp.Name != "b.csv"; (imp.Archive != "") != want {
			t.Errorf("%s: archive %q", imp.Name, imp.Archive)
		}
	}
	names, err := os.ReadDir(filepath.Join(r.dir, "reports", "acme"))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		if !strings.Contains(n.Name(), ".report.") || strings.HasPrefix(n.Name(), ".") {
			t.Errorf("left: %s", n.Name())
		}
	}
	if err := d.once(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(r.dir, "inbox", "b.csv")); !os.IsNotExist(err) {
		t.Errorf("b.csv is still in the inbox: %v", err)
	}
	if n := len(r.groups(t, post.Filter{})); n != 9 {
		t.Errorf("%d posts, want each once: 9", n)
	}
}
