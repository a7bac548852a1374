package importer

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"
)

// A Mark is a line of a report that came back with something in its approve
// column.
type Mark struct {
	Line, Column int    // of the approve cell, from 1
	Word         string // as written
	Approved     bool
	Clear        bool // the word is a yes or a no

	Group      string // its id
	Connection string
	At         time.Time // the time that the report gave the post; zero for none
	AtCell     string    // that time as written
	Text       string    // what the report shows as the post's text
	HasText    bool      // the report has a column for it
}

// reportColumns are names that only the header row of a report has together, some
// of them with ownPrefix before them.
var reportColumns = []string{"line", "moved_by", "post_group_id", "platform", "attempts", "updated_at", "approve"}

// ownPrefix stands before those columns of a report whose name its input has too.
const ownPrefix = "postroom_"

// isReport reports whether a header row is that of a report.
func isReport(cells []string) bool {
	for _, name := range reportColumns {
		if ownColumn(cells, name) < 0 {
			return false
		}
	}
	return true
}

// ownColumn returns the column that a report added under a name, or -1.
func ownColumn(cells []string, name string) int {
	for _, name := range []string{ownPrefix + name, name} {
		if i := slices.IndexFunc(cells, func(c string) bool { return strings.TrimSpace(c) == name }); i >= 0 {
			return i
		}
	}
	return -1
}

// Report reports whether the file is a report that came back: it has no rows, but
// perhaps marks.
func (f *File) Report() bool { return f.report }

// Marks calls fn with each marked line of a report, in order.
func (f *File) Marks(ctx context.Context, fn func(Mark) error) error {
	at := map[string]int{}
	for _, name := range append(reportColumns, "scheduled_time") {
		at[name] = ownColumn(f.header, name)
	}
	text := slices.Index(f.header, "content")
	r := f.records()
	if err := f.skipHeader(r); err != nil {
		return err
	}
	for n := 0; ; n++ {
		if n%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		rec, err := r.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		cell := func(name string) string {
			if at[name] < 0 || at[name] >= rec.cells() {
				return ""
			}
			return tidy(rec.cell(at[name]))
		}
		word := cell("approve")
		if word == "" || rec.fault != noFault {
			continue
		}
		m := Mark{Line: f.sheet.at(rec.line), Column: at["approve"] + 1, Word: word, Group: cell("post_group_id"), Connection: cell("platform"), AtCell: cell("scheduled_time")}
		m.Approved, m.Clear = approval(word)
		if t, err := time.Parse(time.RFC3339, m.AtCell); err == nil {
			m.At = t.UTC()
		}
		if text >= 0 && text < rec.cells() {
			m.Text, m.HasText = strings.TrimPrefix(rec.cell(text), "'"), true
		}
		if err := fn(m); err != nil {
			return err
		}
	}
}

// approval reads the word of an approve cell; ok is false for one that is neither
// a yes nor a no.
func approval(cell string) (approved, ok bool) {
	word := strings.ToLower(strings.Join(strings.Fields(tidy(cell)), "-"))
	switch {
	case word == "pending": // of a status it means that the row is to go out, here that nobody has looked
		return false, true
	case yes[word] || ready[word] || word == "ok":
		return true, true
	case word == "" || no[word] || drafty[word]:
		return false, true
	}
	return false, false
}
