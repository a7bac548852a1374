package importer

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

const reportHead = "content,platforms,scheduled_time,line,status,postroom_scheduled_time,local_time,moved_by,why,post_group_id,platform,posted_url,error_code,error,hint,attempts,updated_at,approve\r\n"

// marksOf describes the marks of a report.
func marksOf(t *testing.T, data []byte) string {
	t.Helper()
	f, err := Open(t.Context(), bytes.NewReader(data), int64(len(data)), testOptions(t, "week.csv.report.csv"))
	if err != nil {
		t.Fatal(err)
	}
	if !f.Report() {
		t.Fatal("it is not seen to be a report")
	}
	var b strings.Builder
	err = f.Marks(t.Context(), func(m Mark) error {
		fmt.Fprintf(&b, "%d:%d %q approved %v clear %v, group %s on %s at %s, text %q\n", m.Line, m.Column, m.Word, m.Approved, m.Clear, m.Group, m.Connection, m.AtCell, m.Text)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestAReportIsReadForItsMarksAlone(t *testing.T) {
	t.Parallel()
	const lines = "One,a;b,,2,draft,2026-03-02T09:00:00Z,,,,g1,twitter-123456,,,,,,,yes\r\n" +
		"One,a;b,,2,draft,2026-03-02T09:00:00Z,,,,g1,linkedin-ABC123,,,,,,,\r\n" +
		"\"Two\nlines\",a,03/04/2026,3,held,2026-03-03T09:00:00Z,,,,g2,twitter-123456,,,,,,, X \r\n" +
		"Three,a,25.12.2026,5,draft,,,,,g3,twitter-123456,,,,,,,no\r\n" +
		"Four,a,12/25/2026,6,rejected,,,,,,,,,,,,,soon\r\n"
	const want = `2:18 "yes" approved true clear true, group g1 on twitter-123456 at 2026-03-02T09:00:00Z, text "One"
4:18 "X" approved true clear true, group g2 on twitter-123456 at 2026-03-03T09:00:00Z, text "Two\nlines"
6:18 "no" approved false clear true, group g3 on twitter-123456 at , text "Three"
7:18 "soon" approved false clear false, group  on  at , text "Four"
`
	for name, data := range map[string]string{
		"as written":            "\ufeff" + reportHead + lines,
		"saved with semicolons": strings.ReplaceAll(strings.ReplaceAll(reportHead+lines, "a;b", "a"), ",", ";"),
		"saved with tabs":       strings.ReplaceAll(reportHead+lines, ",", "\t"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := marksOf(t, []byte(data)); got != want {
				t.Errorf("got\n%swant\n%s", got, want)
			}
		})
	}
}

// A calendar may have an approve column of its own; the report's then has a prefix.
func TestAReportsOwnApproveColumnCounts(t *testing.T) {
	t.Parallel()
	head := strings.Replace(strings.Replace(reportHead, "content,", "content,approve,", 1), ",approve\r\n", ",postroom_approve\r\n", 1)
	got := marksOf(t, []byte(head+"One,yes,a,,2,draft,,,,,g1,twitter-123456,,,,,,,\r\nTwo,,a,,3,draft,,,,,g2,twitter-123456,,,,,,,ok\r\n"))
	if strings.Count(got, "\n") != 1 || !strings.Contains(got, "group g2") {
		t.Errorf("got %s, want the mark of g2 alone", got)
	}
}

// With an approve column nothing goes out that is not approved.
func TestAnApproveColumnKeepsRowsBack(t *testing.T) {
	t.Parallel()
	for cell, want := range map[string]string{"yes": "-", "Ja": "-", "x": "-", "": "draft", "no": "draft", "Pending": "draft", "later": "UNKNOWN_APPROVAL"} {
		text := "content,platforms,scheduled_time,approve\nA,twitter-123456,2026-03-01T09:00:00Z," + cell + "\n"
		f, err := Open(t.Context(), strings.NewReader(text), int64(len(text)), testOptions(t, "a.csv"))
		if err != nil {
			t.Fatal(err)
		}
		err = f.Rows(t.Context(), func(r *Row) error {
			got := "-"
			switch {
			case len(r.Problems) > 0:
				got = r.Problems[0].Code
			case r.Draft.Status != 0:
				got = r.Draft.Status.String()
			}
			if got != want {
				t.Errorf("approve %q: %s, want %s", cell, got, want)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// People open the report in Excel, and save it as what Excel likes.
func TestAReportSavedAsAWorkbookIsReadForItsMarks(t *testing.T) {
	t.Parallel()
	b := newTestBook(t)
	var head []any
	for _, name := range strings.Split(strings.TrimSpace(reportHead), ",") {
		head = append(head, name)
	}
	row := make([]any, len(head))
	row[0], row[9], row[10], row[5], row[len(row)-1] = "One", "g1", "twitter-123456", "2026-03-02T09:00:00Z", "yes"
	b.rows("Sheet1", head, []any{}, row)
	data := b.bytes()
	f, err := OpenWorkbook(t.Context(), bytes.NewReader(data), int64(len(data)), testOptions(t, "week.xlsx"))
	if err != nil {
		t.Fatal(err)
	}
	var got []Mark
	if err := f.Marks(t.Context(), func(m Mark) error { got = append(got, m); return nil }); err != nil || !f.Report() {
		t.Fatalf("report %v: %v", f.Report(), err)
	}
	if len(got) != 1 || got[0].Line != 3 || got[0].Group != "g1" || got[0].AtCell != "2026-03-02T09:00:00Z" || !got[0].Approved {
		t.Errorf("got %+v, want the mark of row 3", got)
	}
}
