package inbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A room is a set of folders with an inbox over them, a handler that remembers
// what it was given, and a watcher that tells nothing by itself.
type room struct {
	*Inbox
	t       *testing.T
	dir     string
	ledger  *ledger
	watcher *fakeWatcher
	log     *logBuffer
	ended   chan struct{}
}

// newRoom makes a room in a new folder. change, unless nil, changes its config.
func newRoom(t *testing.T, change func(*Config)) *room {
	t.Helper()
	return roomAt(t, t.TempDir(), &ledger{}, change)
}

func roomAt(t *testing.T, dir string, l *ledger, change func(*Config)) *room {
	t.Helper()
	r := &room{t: t, dir: dir, ledger: l, watcher: newFakeWatcher(), log: &logBuffer{}}
	cfg := DefaultConfig(dir)
	cfg.Watch = func() (Watcher, error) { return r.watcher, nil }
	cfg.Now = func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }
	if change != nil {
		change(&cfg)
	}
	for _, d := range []string{"inbox/tmp", "held", "archive", "rejected"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	r.Inbox = New(cfg, l, slog.New(slog.NewTextHandler(r.log, nil)))
	return r
}

// start runs the inbox until the test ends.
func (r *room) start() {
	r.ended = make(chan struct{})
	go func() {
		defer close(r.ended)
		if err := r.Run(r.t.Context()); err != nil {
			r.t.Errorf("Run: %v", err)
		}
	}()
	r.t.Cleanup(func() { <-r.ended })
}

// bubble runs a test on a simulated clock, which only moves while all wait.
func bubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, test)
}

// pass lets simulated time pass, and what falls into it happen.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// path returns where something in the room lies.
func (r *room) path(rel string) string { return filepath.Join(r.dir, filepath.FromSlash(rel)) }

// drop writes a file in one go and wakes the inbox.
func (r *room) drop(rel, content string) {
	r.t.Helper()
	r.write(rel, content)
	r.watcher.wake()
}

func (r *room) write(rel, content string) {
	r.t.Helper()
	if err := os.MkdirAll(filepath.Dir(r.path(rel)), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(r.path(rel), []byte(content), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

// tree lists the files below a folder of the room, with their content.
func (r *room) tree(rel string) map[string]string {
	r.t.Helper()
	files := map[string]string{}
	root := r.path(rel)
	err := filepath.WalkDir(root, func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, _ := filepath.Rel(root, p)
		files[filepath.ToSlash(name)] = ""
		if info, err := d.Info(); err == nil && info.Mode().IsRegular() && info.Size() < 1<<20 {
			b, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			files[filepath.ToSlash(name)] = string(b)
		}
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return files
}

// want compares a folder of the room with what should be in it.
func (r *room) want(rel string, files map[string]string) {
	r.t.Helper()
	got := r.tree(rel)
	for name, content := range files {
		if have, ok := got[name]; !ok || have != content {
			r.t.Errorf("%s/%s: got %.40q (there: %v), want %.40q", rel, name, have, ok, content)
		}
	}
	for name := range got {
		if _, ok := files[name]; !ok {
			r.t.Errorf("%s/%s: should not be there", rel, name)
		}
	}
}

// wantWhy checks that a file is pending with a reason that holds part.
func (r *room) wantWhy(rel, part string) {
	r.t.Helper()
	ws := r.Pending()
	for _, w := range ws {
		if w.Path == rel {
			if !strings.Contains(w.Why, part) {
				r.t.Errorf("pending %q: why %q, want %q in it", rel, w.Why, part)
			}
			return
		}
	}
	r.t.Errorf("pending %q: not listed, want %q in %v", rel, part, ws)
}

// A ledger is a handler that keeps what it was given.
type ledger struct {
	take  func(f File, content string) (Result, error)                            // nil archives
	whole func(f File, content string) (ok bool, why string, still time.Duration) // nil is wholeCSV
	hold  func(f File) error                                                      // of Changed

	mu      sync.Mutex
	taken   []entry
	asked   []string // rel of each call of Whole
	changed []File
	filed   map[string]string // rel to path
}

type entry struct{ rel, content string }

func (l *ledger) Whole(f File) (bool, string, time.Duration) {
	content := read(f)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked = append(l.asked, f.Rel)
	if l.whole != nil {
		return l.whole(f, content)
	}
	return wholeCSV(content)
}

func (l *ledger) Take(ctx context.Context, f File) (Result, error) {
	content := read(f)
	l.mu.Lock()
	defer l.mu.Unlock()
	res, err := Result{Disposition: Archive}, ctx.Err()
	if l.take != nil {
		res, err = l.take(f, content)
	}
	if err == nil && res.Disposition != Retry {
		l.taken = append(l.taken, entry{f.Rel, content})
	}
	if res.Filed == nil {
		res.Filed = func(_ context.Context, path string) error {
			l.mu.Lock()
			defer l.mu.Unlock()
			if l.filed == nil {
				l.filed = map[string]string{}
			}
			l.filed[f.Rel] = path
			return nil
		}
	}
	return res, err
}

func (l *ledger) Changed(_ context.Context, f File) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.changed = append(l.changed, f)
	if l.hold != nil {
		return l.hold(f)
	}
	return nil
}

// look runs f while the handler does nothing, for tests that read or change what
// it uses.
func (l *ledger) look(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
}

func (l *ledger) all() []entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.taken)
}

func (l *ledger) changes() []File {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.changed)
}

// read returns the content of a file of modest size.
func read(f File) string {
	if f.Size > 1<<20 {
		return ""
	}
	b, err := io.ReadAll(io.NewSectionReader(f.Body, 0, f.Size))
	if err != nil {
		return fmt.Sprintf("unreadable: %v", err)
	}
	return string(b)
}

// wholeCSV is a small version of what the real handler asks of a CSV file.
func wholeCSV(content string) (ok bool, why string, still time.Duration) {
	switch {
	case content == "":
		return false, "it is empty", 0
	case strings.ContainsRune(content, 0):
		return false, "parts of it were never written", 0
	case strings.Count(content, `"`)%2 != 0:
		return false, "a quote is not closed", 0
	case !strings.HasSuffix(content, "\n"):
		if strings.HasSuffix(content, "end") {
			return false, "its last row has no line end", time.Minute
		}
		return false, "its last row is cut off", 0
	}
	return true, "", 0
}

// A logBuffer keeps what is logged.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// A fakeWatcher wakes and fails when it is told to.
type fakeWatcher struct {
	events chan struct{}
	errs   chan error

	mu    sync.Mutex
	live  map[string]bool
	added []string
	err   error // of Add
}

func newFakeWatcher() *fakeWatcher {
	return &fakeWatcher{events: make(chan struct{}, 1), errs: make(chan error, 1), live: map[string]bool{}}
}

func (w *fakeWatcher) wake() {
	select {
	case w.events <- struct{}{}:
	default:
	}
}

func (w *fakeWatcher) fail(err error) {
	select {
	case w.errs <- err:
	default:
	}
}

func (w *fakeWatcher) failAdd(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = err
}

func (w *fakeWatcher) adds() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.added)
}

func (w *fakeWatcher) Add(folder string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return w.err
	}
	w.live[folder] = true
	w.added = append(w.added, folder)
	return nil
}

func (w *fakeWatcher) Remove(folder string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.live[folder] {
		return errors.New("not watched")
	}
	delete(w.live, folder)
	return nil
}

func (w *fakeWatcher) List() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var fs []string
	for f := range w.live {
		fs = append(fs, f)
	}
	slices.Sort(fs)
	return fs
}

func (w *fakeWatcher) Events() <-chan struct{} { return w.events }
func (w *fakeWatcher) Errors() <-chan error    { return w.errs }
func (w *fakeWatcher) Close() error            { return nil }

var csv = "id,text\n1,Hello\n2,\"Good, bye\"\n"
