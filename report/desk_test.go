package report

import (
	"encoding/csv"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/post"
)

var (
	morning = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	berlin  = zone("Europe/Berlin")
)

func zone(name string) *time.Location {
	z, err := time.LoadLocation(name)
	if err != nil {
		panic(err)
	}
	return z
}

func id(n byte) post.ID { return post.MakeID(morning, [5]byte{1, 2, 3, 4, 5}, uint32(n)) }

// A sheet builds one report in a folder of its own.
type sheet struct {
	testing.TB
	*Builder
	base string
	imp  post.Import
}

func newSheet(t testing.TB, header ...string) *sheet {
	t.Helper()
	s := &sheet{TB: t, base: filepath.Join(t.TempDir(), "acme", "spring.csv")}
	s.imp = post.Import{ID: id(1), Account: "acme", Name: "spring.csv", TakenAt: morning}
	s.begin(',', 3, header...)
	return s
}

func (s *sheet) begin(comma rune, rows int, header ...string) {
	s.Helper()
	var err error
	s.Builder, err = NewBuilder(s.base, Source{Name: "spring.csv", Header: header, Headers: [][]string{header}, Delimiter: comma}, Options{Zone: berlin, Now: morning, Rows: rows})
	if err != nil {
		s.Fatal(err)
	}
}

// row adds a row on line, counting it.
func (s *sheet) row(r post.Row, g *post.Group, cells ...string) {
	s.Helper()
	s.imp.Counts.Count(r.Decision)
	if err := s.Row(cells, []byte(strings.Join(cells, ",")), &r, g); err != nil {
		s.Fatal(err)
	}
}

func (s *sheet) commit(quotas ...Quota) {
	s.Helper()
	files, err := s.Finish(s.imp, quotas)
	if err != nil {
		s.Fatal(err)
	}
	if err := files.Commit(); err != nil {
		s.Fatal(err)
	}
}

func (s *sheet) read(end string) string {
	s.Helper()
	b, err := os.ReadFile(s.base + end)
	if err != nil {
		s.Fatal(err)
	}
	return string(b)
}

// table reads a CSV of the report strictly, by its own header.
func (s *sheet) table(end string, comma rune) []map[string]string {
	s.Helper()
	text, ok := strings.CutPrefix(s.read(end), bom)
	if !ok {
		s.Errorf("%s does not begin with a byte order mark: a spreadsheet would guess its letters", end)
	}
	r := csv.NewReader(strings.NewReader(text))
	r.Comma = comma
	recs, err := r.ReadAll()
	if err != nil {
		s.Fatalf("%s is no CSV: %v\n%s", end, err, text)
	}
	var out []map[string]string
	for _, rec := range recs[1:] {
		m := map[string]string{}
		for i, name := range recs[0] {
			if _, twice := m[name]; twice {
				s.Fatalf("%s has two columns %q", end, name)
			}
			m[name] = rec[i]
		}
		out = append(out, m)
	}
	return out
}

// files lists what lies in the report's folder.
func (s *sheet) files() []string {
	s.Helper()
	var names []string
	err := filepath.WalkDir(filepath.Dir(s.base), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, strings.TrimPrefix(d.Name(), filepath.Base(s.base)))
		}
		return err
	})
	if err != nil {
		s.Fatal(err)
	}
	slices.Sort(names)
	return names
}

// accepted is a row with a group that has a post on each connection.
func accepted(n int, at time.Time, conns ...post.ConnectionID) (post.Row, *post.Group) {
	g := &post.Group{ID: id(byte(n)), Account: "acme", Content: post.Content{Text: fmt.Sprintf("text %d", n)}, ScheduledAt: at, Row: n}
	for _, c := range conns {
		g.Posts = append(g.Posts, post.Post{ID: id(byte(100 + n)), Account: "acme", Connection: c, Status: post.StatusScheduled, DueAt: at})
	}
	return post.Row{N: n, Line: n + 1, Decision: post.Accepted, Group: g.ID, RequestedAt: at, ScheduledAt: at}, g
}

func rejected(n int, got, want, hint string) post.Row {
	return post.Row{N: n, Line: n + 1, Decision: post.Rejected, Problems: []post.Problem{{
		File: "spring.csv", Line: n + 1, Column: 3, Field: "scheduled_time", Code: "BAD_TIME", Got: got, Want: want, Hint: hint,
	}}}
}
