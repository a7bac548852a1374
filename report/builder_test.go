package report

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/postroom/postroom/post"
)

func TestNothingIsVisibleBeforeCommit(t *testing.T) {
	t.Parallel()
	s := newSheet(t, "content")
	s.row(rejected(1, "x", "a time", ""), nil, "text")
	whole := func() bool {
		return slices.ContainsFunc(s.files(), func(name string) bool {
			return name == endCSV || name == endHTML || name == endJSON || name == endRejected
		})
	}
	if whole() {
		t.Errorf("while it is written: %v", s.files())
	}
	files, err := s.Finish(s.imp, nil)
	if err != nil {
		t.Fatal(err)
	}
	if whole() {
		t.Errorf("before Commit: %v", s.files())
	}
	if err := files.Commit(); err != nil {
		t.Fatal(err)
	}
	if want := []string{endRejected, endCSV, endHTML, endJSON}; !slices.Equal(s.files(), want) {
		t.Errorf("after Commit: %v, want %v", s.files(), want)
	}
	for _, path := range files.Paths() {
		if _, err := os.Stat(path); err != nil {
			t.Errorf("named, but %v", err)
		}
	}
	if !strings.HasSuffix(files.Paths()[0], endHTML) {
		t.Errorf("%v: the page is not first", files.Paths())
	}
	// Neither of these takes anything away.
	if err := files.Discard(); err != nil {
		t.Error(err)
	}
	if err := s.Discard(); err != nil {
		t.Error(err)
	}
	if len(s.files()) != 4 {
		t.Errorf("after Discard: %v", s.files())
	}
}

func TestDiscardLeavesNothing(t *testing.T) {
	t.Parallel()
	s := newSheet(t, "content")
	s.row(rejected(1, "x", "a time", ""), nil, "text")
	if err := s.Discard(); err != nil {
		t.Fatal(err)
	}
	if left := s.files(); len(left) != 0 {
		t.Errorf("left %v", left)
	}
	s.begin(',', 1, "content")
	s.row(rejected(1, "x", "a time", ""), nil, "text")
	files, err := s.Finish(s.imp, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := files.Discard(); err != nil {
		t.Fatal(err)
	}
	if left := s.files(); len(left) != 0 {
		t.Errorf("left %v", left)
	}
}

func TestRejectedFileGoesWhenNothingIsRejected(t *testing.T) {
	t.Parallel()
	s := newSheet(t, "content")
	s.row(rejected(1, "x", "a time", ""), nil, "text")
	s.commit()
	s.begin(',', 1, "content")
	r, g := accepted(1, morning, "twitter-1")
	s.row(r, g, "text")
	s.commit()
	if slices.Contains(s.files(), endRejected) {
		t.Error("rows of an earlier report wait to be mended")
	}
}

type jsonReport struct {
	Rows []struct {
		Row, Line int
		Decision  string
		Group     string `json:"post_group_id"`
		Problems  []post.Problem
		Posts     []struct{ Status string }
	}
	Import  post.Import
	Quotas  []Quota
	Partial string
}

func (s *sheet) json() jsonReport {
	s.Helper()
	var r jsonReport
	if err := json.Unmarshal([]byte(s.read(endJSON)), &r); err != nil {
		s.Fatal(err)
	}
	return r
}

func TestJSONHasEveryRow(t *testing.T) {
	t.Parallel()
	s := newSheet(t, "content")
	r, g := accepted(1, morning, "twitter-1", "mastodon-2")
	s.row(r, g, "text")
	s.row(rejected(2, "x", "a time", ""), nil, "text")
	most := 150
	s.commit(Quota{Label: "posts in March", Used: 2, Added: 2, Limit: &most})
	got := s.json()
	if len(got.Rows) != 2 || got.Partial != "" || got.Import.Counts.Rows != 2 || len(got.Quotas) != 1 {
		t.Fatalf("got %+v", got)
	}
	if r := got.Rows[0]; r.Line != 2 || r.Decision != "accepted" || r.Group != id(1).String() || len(r.Posts) != 2 || r.Posts[0].Status != "scheduled" {
		t.Errorf("got %+v", r)
	}
	if r := got.Rows[1]; r.Decision != "rejected" || len(r.Problems) != 1 || r.Problems[0].Code != "BAD_TIME" {
		t.Errorf("got %+v", r)
	}
}

func TestJSONOfNoRowsIsValid(t *testing.T) {
	t.Parallel()
	s := newSheet(t, "content")
	s.commit()
	if got := s.json(); len(got.Rows) != 0 || got.Partial != "" {
		t.Errorf("got %+v", got)
	}
}

func TestLargeReportIsSmallWhereItCanBe(t *testing.T) {
	t.Parallel()
	s := newSheet(t, "content")
	if err := s.Discard(); err != nil {
		t.Fatal(err)
	}
	const rows = Large + 1
	s.begin(',', rows, "content")
	text := strings.Repeat("a long text ", 100)
	for n := 1; n <= rows; n++ {
		switch {
		case n%10 == 0: // each with words of its own
			s.row(rejected(n, text, fmt.Sprintf("%s %d", text, n), text), nil, text)
		case n%1000 == 1:
			r, g := accepted(n, morning, "twitter-1")
			r.Decision, g.Held, g.Posts[0].Status = post.Held, text, post.StatusDraft
			s.row(r, g, text)
		default:
			r, g := accepted(n, morning, "twitter-1")
			g.Content.Text = text
			s.row(r, g, text)
		}
	}
	s.commit()
	got := s.json()
	if got.Partial == "" || len(got.Rows) != s.imp.Counts.Rejected+s.imp.Counts.Held {
		t.Errorf("%d rows, partial %q; want those that need a look: %+v", len(got.Rows), got.Partial, s.imp.Counts)
	}
	if n := len(s.read(endHTML)); n > 1<<20 {
		t.Errorf("the page has %d bytes", n)
	}
	if got := len(s.table(endCSV, ',')); got != rows {
		t.Errorf("the CSV has %d lines, want all %d", got, rows)
	}
}
