package inbox

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Whatever programs do to the inbox, and whenever the process dies, every file
// that is complete ends in exactly one of archive, rejected and held; what is
// taken was complete, or was left alone at the end of a row for long enough; and
// no file is lost.
func TestP5_EveryCompleteFileEndsInExactlyOnePlace(t *testing.T) {
	t.Parallel()
	if !hasLeases(t) {
		t.Skip("this file system has no leases, and the model's writers keep files open for longer than the window")
	}
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		root, err := os.MkdirTemp(dir, "room-*")
		if err != nil {
			rt.Fatal(err)
		}
		defer os.RemoveAll(root)
		m := newModel(rt, root)
		defer m.closeAll()
		rt.Repeat(map[string]func(*rapid.T){
			"":          func(*rapid.T) { m.check() },
			"begin":     m.begin,
			"write":     m.writeMore,
			"close":     m.close,
			"reopen":    m.reopen,
			"finish":    m.finish,
			"rename in": m.renameIn,
			"delete":    m.delete,
			"truncate":  m.truncate,
			"touch":     m.touch,
			"hard link": m.link,
			"mark":      m.mark,
			"kill":      m.kill,
			"jump":      m.jumpClock,
			"pause":     m.pauseSome,
		})
		m.end()
	})
}

// A model knows what the programs did.
type model struct {
	t     *rapid.T
	root  string
	inbox *Inbox
	store *modelStore
	now   time.Time     // on the monotonic clock
	jump  time.Duration // of the wall clock

	files   int                  // there should be, wherever they are
	writers map[string]*modelPen // by rel
	written map[string]time.Time // when each rel was last changed
	serial  int
	owed    map[string]int  // complete contents, and how many files have each
	fair    map[string]bool // contents that may be taken
	killed  bool
}

// A modelPen is a program that has a calendar to write.
type modelPen struct {
	f    *os.File // nil when closed
	all  string
	done int // bytes written
}

var modelNames = []string{"a.csv", "b.csv", "acme/a.csv", "acme/twitter-1/-c d.csv"}

func newModel(t *rapid.T, root string) *model {
	m := &model{
		t: t, root: root, store: &modelStore{seen: map[string]int{}},
		writers: map[string]*modelPen{}, written: map[string]time.Time{}, owed: map[string]int{}, fair: map[string]bool{},
	}
	for _, d := range []string{"tmp", "acme/twitter-1"} {
		m.ok(os.MkdirAll(m.path(d), 0o755))
	}
	m.boot()
	return m
}

func (m *model) boot() {
	cfg := DefaultConfig(m.root)
	cfg.Now = func() time.Time { return m.now.Add(m.jump) }
	m.inbox = New(cfg, &ledger{take: m.store.take}, slog.New(slog.NewTextHandler(io.Discard, nil)))
}

func (m *model) ok(err error) {
	if err != nil {
		m.t.Helper()
		m.t.Fatal(err)
	}
}

func (m *model) path(rel string) string {
	return filepath.Join(m.root, "inbox", filepath.FromSlash(rel))
}

func (m *model) there(rel string) (content string, ok bool) {
	b, err := os.ReadFile(m.path(rel))
	return string(b), err == nil
}

// change does something to the file at rel and keeps the books: what was complete
// there before is not owed any more, and what is complete there now is.
func (m *model) change(rel string, do func()) {
	before, was := m.there(rel)
	do()
	m.written[rel] = m.now
	after, is := m.there(rel)
	if was && is && before == after {
		return
	}
	if was && m.owed[before] > 0 {
		m.owed[before]--
	}
	if is && strings.HasSuffix(after, "the last\n") {
		m.owed[after]++
		m.fair[after] = true
	}
	switch {
	case is && !was:
		m.files++
	case was && !is:
		m.files--
	}
}

// calendar returns a new one.
func (m *model) calendar(t *rapid.T) string {
	m.serial++
	var b strings.Builder
	fmt.Fprintf(&b, "id,text\n")
	for n := range rapid.IntRange(1, 6).Draw(t, "rows") {
		fmt.Fprintf(&b, "%d,post of calendar %d\n", n, m.serial)
	}
	fmt.Fprintf(&b, "9,%s %d,the last\n", rapid.SampledFrom([]string{"good", "good", "bad", "odd"}).Draw(t, "kind"), m.serial)
	return b.String()
}

func (m *model) pick(t *rapid.T, fits func(rel string) bool) string {
	var rels []string
	for _, rel := range modelNames {
		if fits(rel) {
			rels = append(rels, rel)
		}
	}
	if len(rels) == 0 {
		t.Skip("none")
	}
	return rapid.SampledFrom(rels).Draw(t, "file")
}

func (m *model) idle(rel string) bool   { return m.writers[rel] == nil }
func (m *model) open(rel string) bool   { return m.writers[rel] != nil && m.writers[rel].f != nil }
func (m *model) closed(rel string) bool { return m.writers[rel] != nil && m.writers[rel].f == nil }
func (m *model) exists(rel string) bool { _, ok := m.there(rel); return ok }

// linked reports whether a file has other names, perhaps in the archive: writing to
// it would change them all.
func (m *model) linked(rel string) bool {
	info, err := os.Lstat(m.path(rel))
	return err == nil && info.Sys().(*syscall.Stat_t).Nlink > 1
}

func (m *model) begin(t *rapid.T) {
	rel := m.pick(t, func(rel string) bool { return m.idle(rel) && !m.linked(rel) })
	w := &modelPen{all: m.calendar(t)}
	m.writers[rel] = w
	m.change(rel, func() { m.openPen(rel, w, os.O_TRUNC) })
	m.writeSome(t, rel)
}

func (m *model) openPen(rel string, w *modelPen, flag int) {
	f, err := os.OpenFile(m.path(rel), os.O_CREATE|os.O_WRONLY|flag, 0o644)
	m.ok(err)
	w.f = f
}

func (m *model) writeSome(t *rapid.T, rel string) {
	w := m.writers[rel]
	left := w.all[w.done:]
	n := rapid.IntRange(0, len(left)).Draw(t, "bytes")
	if rapid.Bool().Draw(t, "whole rows") {
		n = strings.LastIndexByte(left[:n], '\n') + 1
	}
	m.append(rel, left[:n])
}

// append writes through the open file, wherever that lies by now.
func (m *model) append(rel, s string) {
	w := m.writers[rel]
	if s != "" {
		m.change(rel, func() {
			_, err := w.f.WriteAt([]byte(s), int64(w.done))
			m.ok(err)
		})
	}
	w.done += len(s)
	if w.done == len(w.all) {
		w.f.Close()
		delete(m.writers, rel)
	}
}

func (m *model) writeMore(t *rapid.T) { m.writeSome(t, m.pick(t, m.open)) }

func (m *model) finish(t *rapid.T) {
	rel := m.pick(t, m.open)
	w := m.writers[rel]
	m.append(rel, w.all[w.done:])
}

func (m *model) close(t *rapid.T) {
	w := m.writers[m.pick(t, m.open)]
	m.ok(w.f.Close())
	w.f = nil
}

// reopen goes on where the program left off. When the file was taken meanwhile, it
// has to begin again.
func (m *model) reopen(t *rapid.T) {
	rel := m.pick(t, func(rel string) bool { return m.closed(rel) && !m.linked(rel) })
	w := m.writers[rel]
	if content, ok := m.there(rel); !ok || content != w.all[:w.done] {
		w.done = 0
		m.change(rel, func() { m.openPen(rel, w, os.O_TRUNC) })
		return
	}
	m.openPen(rel, w, 0)
}

func (m *model) renameIn(t *rapid.T) {
	rel := m.pick(t, m.idle)
	all := m.calendar(t)
	m.ok(os.WriteFile(m.path("tmp/x"), []byte(all), 0o644))
	m.change(rel, func() { m.ok(os.Rename(m.path("tmp/x"), m.path(rel))) })
}

func (m *model) delete(t *rapid.T) {
	rel := m.pick(t, func(rel string) bool { return m.exists(rel) && !m.open(rel) })
	m.change(rel, func() { m.ok(os.Remove(m.path(rel))) })
}

func (m *model) truncate(t *rapid.T) {
	rel := m.pick(t, func(rel string) bool { return m.exists(rel) && !m.open(rel) && !m.linked(rel) })
	m.change(rel, func() {
		content, _ := m.there(rel)
		m.ok(os.Truncate(m.path(rel), int64(rapid.IntRange(0, len(content)).Draw(t, "bytes"))))
	})
}

func (m *model) touch(t *rapid.T) {
	rel := m.pick(t, m.exists)
	at := time.Date(2020, 1, 1, 0, m.serial, 0, 0, time.UTC)
	m.serial++
	m.change(rel, func() { m.ok(os.Chtimes(m.path(rel), at, at)) })
}

func (m *model) link(t *rapid.T) {
	from := m.pick(t, func(rel string) bool { return m.exists(rel) && !m.open(rel) && m.idle(rel) })
	to := m.pick(t, func(rel string) bool { return !m.exists(rel) && m.idle(rel) })
	m.change(to, func() { m.ok(os.Link(m.path(from), m.path(to))) })
	m.written[from] = m.now
}

// mark lays an end mark beside a file that is complete.
func (m *model) mark(t *rapid.T) {
	rel := m.pick(t, func(rel string) bool {
		content, _ := m.there(rel)
		return m.owed[content] > 0 && m.idle(rel)
	})
	m.ok(os.WriteFile(m.path(rel+markExt), nil, 0o644))
}

// kill ends the process, now or in the middle of taking a file, and starts
// another.
func (m *model) kill(t *rapid.T) {
	m.store.dies = rapid.Bool().Draw(t, "after it took a file")
	if m.store.dies {
		m.pause(6)
	}
	m.store.dies, m.killed = false, true
	m.boot()
}

func (m *model) jumpClock(t *rapid.T) {
	m.jump += time.Duration(rapid.IntRange(-400, 400).Draw(t, "minutes")) * time.Minute
}

func (m *model) pauseSome(t *rapid.T) {
	m.pause(rapid.SampledFrom([]int{1, 2, 4, 6, 20, 70, 1000}).Draw(t, "seconds"))
}

// pause lets time pass, with a scan every second, or every ten when it is long.
func (m *model) pause(seconds int) {
	step := 1
	if seconds > 100 {
		step = 10
	}
	for ; seconds > 0; seconds -= step {
		m.now = m.now.Add(time.Duration(step) * time.Second)
		m.inbox.age(time.Duration(step) * time.Second)
		for _, rel := range modelNames {
			content, ok := m.there(rel)
			_, err := os.Lstat(m.path(rel + markExt))
			if ok && !m.open(rel) && (err == nil || m.now.Sub(m.written[rel]) >= m.inbox.cfg.Settle) {
				m.fair[content] = true
			}
		}
		m.ok(m.inbox.Scan(m.t.Context()))
	}
}

// age lets time pass for what is known of files. rapid cannot shrink what runs in a
// bubble.
func (i *Inbox) age(d time.Duration) {
	for _, s := range i.files {
		s.since, s.rest = s.since.Add(-d), s.rest.Add(-d)
	}
	for _, r := range i.recent {
		r.until = r.until.Add(-d)
	}
}

// check looks at what must hold at all times.
func (m *model) check() {
	for content := range m.store.seen {
		if !m.fair[content] {
			m.t.Fatalf("took what was still being written: %q", content)
		}
	}
	if got := len(m.all()); got != m.files {
		m.t.Fatalf("%d files in all, want %d", got, m.files)
	}
}

// all returns the content of every file that is not a mark or a reason.
func (m *model) all() (contents []string) {
	m.ok(filepath.WalkDir(m.root, func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(p, whyExt) || strings.HasSuffix(p, markExt) {
			return err
		}
		b, err := os.ReadFile(p)
		contents = append(contents, string(b))
		return err
	}))
	return contents
}

// end lets all programs die and all time pass.
func (m *model) end() {
	m.closeAll()
	m.pause(65 * 60) // each of four hard links begins to wait anew when another is moved
	m.check()
	for _, rel := range modelNames {
		if content, ok := m.there(rel); ok {
			m.t.Fatalf("%s is left in the inbox: %q; pending %v", rel, content, m.inbox.Pending())
		}
	}
	var filed []string
	for _, dir := range []string{"archive", "rejected", "held"} {
		sub := &model{t: m.t, root: filepath.Join(m.root, dir)}
		if _, err := os.Stat(sub.root); err == nil {
			filed = append(filed, sub.all()...)
		}
	}
	for _, content := range slices.Sorted(maps.Keys(m.owed)) {
		n := 0
		for _, f := range filed {
			if f == content {
				n++
			}
		}
		if n < m.owed[content] {
			m.t.Fatalf("filed %d times, want %d: %q", n, m.owed[content], content)
		}
		if m.owed[content] > 0 && m.store.seen[content] == 0 {
			m.t.Fatalf("filed and never handed over: %q", content)
		}
		if !m.killed && m.store.seen[content] > max(1, m.owed[content]) {
			m.t.Fatalf("handed over %d times, want %d: %q", m.store.seen[content], m.owed[content], content)
		}
	}
}

func (m *model) closeAll() {
	for rel, w := range m.writers {
		if w.f != nil {
			w.f.Close()
		}
		delete(m.writers, rel)
	}
}

// A modelStore outlives the processes. It rejects bad files and fails at first on
// odd ones.
type modelStore struct {
	seen map[string]int // contents that were stored
	odd  map[string]bool
	dies bool
}

func (s *modelStore) take(_ File, content string) (Result, error) {
	if strings.Contains(content, "odd") && !s.odd[content] {
		if s.odd == nil {
			s.odd = map[string]bool{}
		}
		s.odd[content] = true
		return Result{}, errors.New("store: disk full")
	}
	s.seen[content]++
	if s.dies {
		return Result{}, errors.New("killed")
	}
	if strings.Contains(content, "bad") {
		return Result{Disposition: Reject}, nil
	}
	return Result{Disposition: Archive}, nil
}
