package intake

import (
	"context"
	"encoding/csv"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/report"
)

// A settling is the posts of one large import, each alone in its group. between is
// called after a post was read, as what the dispatcher does meanwhile.
type settling struct {
	Store
	groups  []post.Group
	between func(i int)
}

func (s *settling) EachGroup(_ context.Context, _ post.ID, fn func(*post.Group) error) error {
	for i := range s.groups {
		g := s.groups[i]
		g.Posts = slices.Clone(g.Posts)
		if err := fn(&g); err != nil {
			return err
		}
		if s.between != nil {
			s.between(i)
		}
	}
	return nil
}

func (s *settling) LatestImport(context.Context, post.AccountID, string) (post.Import, bool, error) {
	return post.Import{}, false, nil
}

// outcomes returns of each line of big.csv's outcomes its row and another cell.
func outcomes(t *testing.T, dir string, cell int) (got []string) {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, "big.csv.outcomes.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lines[1:] {
		got = append(got, l[0]+" "+l[cell])
	}
	return got
}

// TestOutcomesOfALargeFileLackNothingAndRepeatNothing: a post settles while others of
// its file are read, another while the clock is set back; now and then the process
// ends, and a new one goes on.
func TestOutcomesOfALargeFileLackNothingAndRepeatNothing(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	s := &settling{}
	for n := range 5 {
		id := post.MakeID(now, [5]byte{1}, uint32(2*n))
		s.groups = append(s.groups, post.Group{ID: id, Row: n + 1, Posts: []post.Post{{ID: id.Add(1), Group: id, Connection: "twitter-1", Status: post.StatusScheduled, DueAt: now}}})
	}
	settle := func(n int, why string) {
		now = now.Add(time.Second)
		p := &s.groups[n].Posts[0]
		p.Status, p.UpdatedAt = post.StatusPublished, now
		if why != "" {
			p.Status, p.Problem = post.StatusFailed, &post.Outcome{Code: "INVALID_CONTENT", Message: why}
		}
	}
	dir := t.TempDir()
	imp := post.Import{Report: "acme/big.csv", Counts: post.Counts{Rows: report.Large + 1}}
	refresh := func(in *Intake, want ...string) {
		t.Helper()
		if err := in.Rewrite(t.Context(), imp, nil, time.UTC, now, false); err != nil {
			t.Fatal(err)
		}
		if got := outcomes(t, filepath.Join(dir, "acme"), 4); !slices.Equal(got, want) {
			t.Errorf("the outcomes are %q, want %q", got, want)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "acme"), 0o755); err != nil {
		t.Fatal(err)
	}
	in := New(s, dir, nil)
	s.between = func(i int) {
		if i == 2 {
			settle(0, "") // it was read as one that waits
			settle(3, "two\r\nlines, \"quoted\"")
		}
	}
	refresh(in, "4 failed")
	s.between = nil
	refresh(in, "4 failed", "1 published")
	refresh(New(s, dir, nil), "4 failed", "1 published")
	now = now.Add(-3 * time.Hour)
	settle(1, "")
	refresh(in, "4 failed", "1 published", "2 published")
	settle(3, "") // a person had it tried again
	refresh(in, "4 failed", "1 published", "2 published", "4 published")
	refresh(New(s, dir, nil), "4 failed", "1 published", "2 published", "4 published")
}

// An ailing room has an import whose report cannot be written, and one whose can.
type ailing struct {
	Store
	dirty map[post.ID]uint64
}

func (s *ailing) Dirty(context.Context, int) (all []post.DirtyImport, err error) {
	for id, n := range s.dirty {
		all = append(all, post.DirtyImport{Import: id, Changes: n})
	}
	return all, nil
}

func (s *ailing) Import(_ context.Context, id post.ID) (post.Import, error) {
	return post.Import{ID: id, Archive: id.String(), Name: id.String()}, nil
}

func (s *ailing) LatestImport(context.Context, post.AccountID, string) (post.Import, bool, error) {
	return post.Import{}, false, nil
}

func (s *ailing) Clean(_ context.Context, id post.ID, _ uint64) error {
	delete(s.dirty, id)
	return nil
}

// TestAReportThatCannotBeWrittenIsNotTriedAllTheTime: it is tried again soon, then
// seldom, and it holds up no other.
func TestAReportThatCannotBeWrittenIsNotTriedAllTheTime(t *testing.T) {
	t.Parallel()
	bad, good := post.ID{1}, post.ID{2}
	s := &ailing{dirty: map[post.ID]uint64{bad: 1}}
	now := time.Date(2026, 3, 2, 9, 0, 10, 0, time.UTC)
	broken, tries, goods := true, []int{}, 0
	minute := 0
	archive := func(path string) (Original, error) {
		switch {
		case path == good.String():
			goods++
			return nil, fs.ErrNotExist // which is an end too
		case broken:
			tries = append(tries, minute)
			return nil, errors.New("the disk says no")
		}
		return nil, fs.ErrNotExist
	}
	in := New(s, t.TempDir(), slog.New(slog.DiscardHandler))
	refresh := func() {
		t.Helper()
		if _, err := in.Refresh(t.Context(), archive, func(post.AccountID) *time.Location { return time.UTC }, now, 10); err != nil {
			t.Fatal(err)
		}
	}
	for ; minute < 200; minute++ {
		s.dirty[good]++
		refresh()
		now = now.Add(time.Minute - time.Duration(minute%3)*time.Millisecond)
	}
	if want := []int{0, 1, 3, 7, 15, 31, 63, 123, 183}; !slices.Equal(tries, want) {
		t.Errorf("tried at minutes %v, want %v", tries, want)
	}
	if goods != 200 {
		t.Errorf("the other was written %d times, want each minute", goods)
	}
	broken = false
	now = now.Add(-10 * time.Hour) // no reason to wait for longer
	refresh()
	if len(s.dirty) != 0 || len(in.setbacks) != 0 {
		t.Errorf("once it can be written: %v to be written, %v remembered", s.dirty, in.setbacks)
	}
}

// A revised file has two revisions that write one report.
type revised struct {
	Store
	imports map[post.ID]post.Import
	groups  map[post.ID][]post.Group
	latest  post.ID
	dirty   map[post.ID]uint64
}

func (s *revised) Import(_ context.Context, id post.ID) (post.Import, error) {
	return s.imports[id], nil
}

func (s *revised) LatestImport(context.Context, post.AccountID, string) (post.Import, bool, error) {
	return s.imports[s.latest], true, nil
}

func (s *revised) EachGroup(_ context.Context, id post.ID, fn func(*post.Group) error) error {
	for _, g := range s.groups[id] {
		if err := fn(&g); err != nil {
			return err
		}
	}
	return nil
}

func (s *revised) Dirty(context.Context, int) (all []post.DirtyImport, err error) {
	for id, n := range s.dirty {
		all = append(all, post.DirtyImport{Import: id, Changes: n})
	}
	return all, nil
}

func (s *revised) Clean(_ context.Context, id post.ID, _ uint64) error {
	delete(s.dirty, id)
	return nil
}

func revisedFile(rows int) *revised {
	first, second := post.ID{1}, post.ID{2}
	s := &revised{latest: second, groups: map[post.ID][]post.Group{}, dirty: map[post.ID]uint64{first: 3, second: 1}}
	s.imports = map[post.ID]post.Import{
		first:  {ID: first, Report: "big.csv", Archive: "1", Counts: post.Counts{Rows: rows}},
		second: {ID: second, Report: "big.csv", Archive: "2", Counts: post.Counts{Rows: rows}, Previous: first},
	}
	for n, id := range []post.ID{first, second} {
		g := post.Group{ID: id.Add(10), Row: 7 + n, Posts: []post.Post{{ID: id.Add(11), Connection: "twitter-1", Status: post.StatusPublished}, {ID: id.Add(12), Connection: "twitter-2", Status: post.StatusScheduled}}}
		s.groups[id] = []post.Group{g}
	}
	return s
}

// TestOutcomesOfALargeFileHaveThoseOfItsUnchangedRows: they are of an earlier revision.
func TestOutcomesOfALargeFileHaveThoseOfItsUnchangedRows(t *testing.T) {
	t.Parallel()
	s, dir := revisedFile(report.Large+1), t.TempDir()
	if _, err := New(s, dir, slog.New(slog.DiscardHandler)).Refresh(t.Context(), nil, func(post.AccountID) *time.Location { return time.UTC }, time.Now(), 10); err != nil {
		t.Fatal(err)
	}
	got := outcomes(t, dir, 1)
	if want := []string{"8 " + post.ID{2}.Add(11).String(), " " + post.ID{1}.Add(11).String()}; !slices.Equal(got, want) {
		t.Errorf("the outcomes are %q, want %q", got, want)
	}
	if len(s.dirty) != 0 {
		t.Errorf("left to be written: %v", s.dirty)
	}
}

// TestOneReportIsWrittenOnceForAllItsRevisions: posts of several of them went out.
func TestOneReportIsWrittenOnceForAllItsRevisions(t *testing.T) {
	t.Parallel()
	s, opened := revisedFile(20), 0
	archive := func(path string) (Original, error) {
		opened++
		return nil, fs.ErrNotExist // which is an end too
	}
	in := New(s, t.TempDir(), slog.New(slog.DiscardHandler))
	if _, err := in.Refresh(t.Context(), archive, func(post.AccountID) *time.Location { return time.UTC }, time.Now(), 10); err != nil {
		t.Fatal(err)
	}
	if opened != 1 || len(s.dirty) != 0 {
		t.Errorf("opened %d times, and %d are still to be written; want 1 and none", opened, len(s.dirty))
	}
}
