package intake

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/report"
)

// A file of rejected rows is a file of the same tool, with the same rows in it:
// with one header row, with two, or with none.
func TestRejectedRowsComeBackInTheirOwnDialect(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("../importer/testdata/dialects/*.csv")
	if err != nil || len(names) < 30 {
		t.Fatal(names, err)
	}
	as := readAs{
		Zone: "Europe/Berlin", Today: time.Date(2026, 2, 20, 12, 0, 0, 0, time.UTC), MaxBytes: 1 << 20, MaxRows: 1000,
		Platforms: []post.ConnectionID{"instagram-1"}, Connections: []post.ConnectionID{"instagram-1", "twitter-1", "linkedin-1", "pinterest-1"},
	}
	for _, path := range names {
		name := filepath.Base(path)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			base := filepath.Join(t.TempDir(), name)
			tool, before := rejectAll(t, &as, name, data, base)
			again, err := os.ReadFile(base + ".rejected.csv")
			if err != nil {
				t.Fatal(err)
			}
			toolAgain, after := rejectAll(t, &as, name, again, base+".again")
			if tool == "" || tool != toolAgain {
				t.Errorf("of a file for %s became one for %q:\n%s", tool, toolAgain, again)
			}
			if strings.Join(before, "\n") != strings.Join(after, "\n") {
				t.Errorf("got\n%s\nwant\n%s\nfrom\n%s", strings.Join(after, "\n"), strings.Join(before, "\n"), again)
			}
		})
	}
}

// rejectAll writes the report of a file as if none of its rows could be used. It
// returns the tool the file was made for, and what each row says and lacks.
func rejectAll(t *testing.T, as *readAs, name string, data []byte, base string) (tool string, rows []string) {
	t.Helper()
	src := writeReport(t, as, name, data, base, func(r *row) (*post.Problem, error) {
		draft, err := json.Marshal(r.Draft)
		if err != nil {
			return nil, err
		}
		said := string(draft)
		for _, p := range r.Problems {
			said += fmt.Sprintf("\n  %d %s %q", p.Column, p.Code, p.Got)
		}
		rows = append(rows, said)
		return &post.Problem{Field: "content", Got: "-1, \"so\"", Want: "another"}, nil
	})
	return src.(csvSource).Dialect().Tool, rows
}

// writeReport writes the report of a file. A row is rejected where judge says what is
// wrong with it, and accepted else.
func writeReport(t *testing.T, as *readAs, name string, data []byte, base string, judge func(*row) (*post.Problem, error)) source {
	t.Helper()
	src, err := openSource(t.Context(), as, name, bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatalf("%v in\n%s", err, data)
	}
	b, err := report.NewBuilder(base, shown(src, name), report.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Discard()
	err = src.Rows(t.Context(), func(r *row) error {
		out := &post.Row{N: r.N, Line: r.Line, Decision: post.Accepted}
		p, err := judge(r)
		if err != nil {
			return err
		}
		if p != nil {
			out.Decision, out.Problems = post.Rejected, []post.Problem{*p}
		}
		return b.Row(r.Cells, r.Raw, out, nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	files, err := b.Finish(post.Import{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := files.Commit(); err != nil {
		t.Fatal(err)
	}
	return src
}

// Rejected rows mean the days that they meant in their file, though the row that
// told day from month was taken and the folder says otherwise; also when they come
// back twice.
func TestRejectedRowsKeepTheirDays(t *testing.T) {
	t.Parallel()
	as := readAs{
		Zone: "Europe/Berlin", Today: time.Date(2026, 2, 20, 12, 0, 0, 0, time.UTC), MaxBytes: 1 << 20, MaxRows: 1000, DateOrder: "mdy",
		Platforms: []post.ConnectionID{"twitter-1"}, Connections: []post.ConnectionID{"twitter-1", "linkedin-1"},
	}
	for name, text := range map[string]string{
		"plain.csv":     "content,platforms,scheduled_time\nA,twitter,25/03/2026 09:00\nB,twitter,04/03/2026 09:00\n",
		"ghl.csv":       "postAtSpecificTime (YYYY-MM-DD HH:mm:ss),content,link (OGmetaUrl),imageUrls,gifUrl,videoUrls\n25/03/2026 09:00,A,,,,\n04/03/2026 09:00,B,,,,\n",
		"hootsuite.csv": "25/03/2026 09:00,A,\n04/03/2026 09:00,B,\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data, want := []byte(text), "2026-03-04T08:00:00Z"
			base := filepath.Join(t.TempDir(), name)
			for range 3 {
				data = rejectB(t, &as, name, data, base, want)
			}
			if n := bytes.Count(data, []byte("postroom_error")); n != 1 {
				t.Errorf("%d columns with errors in\n%s", n, data)
			}
		})
	}
}

// Nor does a bare hour become one of the morning when those rows are gone that say AM
// or PM.
func TestRejectedRowsKeepTheirHours(t *testing.T) {
	t.Parallel()
	as := readAs{
		Zone: "Europe/Berlin", Today: time.Date(2026, 2, 20, 12, 0, 0, 0, time.UTC), MaxBytes: 1 << 20, MaxRows: 1000,
		Platforms: []post.ConnectionID{"twitter-1"}, Connections: []post.ConnectionID{"twitter-1"},
	}
	for name, text := range map[string]string{
		"plain.csv":     "content,platforms,scheduled_time\nA,twitter,25/03/2026 9:00 AM\nB,twitter,04/03/2026 2:00\n",
		"iso.csv":       "content,platforms,date,time\nA,twitter,2026-03-01,9:00 AM\nB,twitter,2026-03-02,2:00\n",
		"hootsuite.csv": "25/03/2026 9:00 am,A,\n04/03/2026 2:00,B,\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := []byte(text)
			base := filepath.Join(t.TempDir(), name)
			for range 3 {
				found := ""
				writeReport(t, &as, name, data, base, func(r *row) (*post.Problem, error) {
					if r.Draft.Text == "B" {
						found = fmt.Sprint(r.Problems)
						return &r.Problems[0], nil
					}
					return nil, nil
				})
				if !strings.Contains(found, "AM or PM with the hour") {
					t.Fatalf("%s in\n%s", found, data)
				}
				var err error
				if data, err = os.ReadFile(base + ".rejected.csv"); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// rejectB writes the report of a file of which all rows are taken but B, for which
// a time is wanted, and returns the file of the rejected.
func rejectB(t *testing.T, as *readAs, name string, data []byte, base, want string) []byte {
	t.Helper()
	writeReport(t, as, name, data, base, func(r *row) (*post.Problem, error) {
		if r.Draft.Text != "B" {
			return nil, nil
		}
		if got := r.Draft.At.Format(time.RFC3339); got != want {
			t.Errorf("%s, want %s in\n%s", got, want, data)
		}
		return &post.Problem{Field: "content", Got: "B", Want: "another"}, nil
	})
	rejected, err := os.ReadFile(base + ".rejected.csv")
	if err != nil {
		t.Fatal(err)
	}
	return rejected
}
