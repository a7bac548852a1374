package importer

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"github.com/postroom/postroom/post"
)

// A testBook writes workbooks as spreadsheet programs do.
type testBook struct {
	t testing.TB
	*excelize.File
}

func newTestBook(t testing.TB) *testBook {
	t.Helper()
	x := excelize.NewFile()
	t.Cleanup(func() { _ = x.Close() })
	return &testBook{t, x}
}

func (b *testBook) ok(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// rows writes rows from A1 on.
func (b *testBook) rows(sheet string, rows ...[]any) {
	b.t.Helper()
	for i, r := range rows {
		b.ok(b.SetSheetRow(sheet, fmt.Sprintf("A%d", i+1), &r))
	}
}

// style gives a cell a number format.
func (b *testBook) style(sheet, cell, format string) {
	b.t.Helper()
	id, err := b.NewStyle(&excelize.Style{CustomNumFmt: &format})
	b.ok(err)
	b.ok(b.SetCellStyle(sheet, cell, cell, id))
}

func (b *testBook) bytes() []byte {
	b.t.Helper()
	var buf bytes.Buffer
	b.ok(b.Write(&buf))
	return buf.Bytes()
}

// patched returns a workbook with a part of it changed.
func patched(t testing.TB, book []byte, part string, change func([]byte) []byte) []byte {
	t.Helper()
	in, err := zip.NewReader(bytes.NewReader(book), int64(len(book)))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, f := range in.File {
		rc, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(rc)
		if err != nil {
			t.Fatal(err)
		}
		if f.Name == part {
			data = change(data)
		}
		to, err := w.Create(f.Name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := to.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

var bookHeader = []any{"content", "platforms", "scheduled_time"}

// readBook reads a workbook and describes what came of it: a line for each note and
// row, and for each problem.
func readBook(t testing.TB, o Options, data []byte) string {
	t.Helper()
	var b strings.Builder
	f, err := OpenWorkbook(t.Context(), bytes.NewReader(data), int64(len(data)), o)
	if u, ok := errors.AsType[*Unusable](err); ok {
		for _, p := range u.Problems {
			fmt.Fprintf(&b, "unusable: %s\n", p)
		}
		return b.String()
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range f.Notes() {
		fmt.Fprintf(&b, "note: %s\n", p)
	}
	err = f.Rows(context.Background(), func(r *Row) error {
		d := &r.Draft
		at := "-"
		if !d.At.IsZero() {
			at = d.At.In(o.Zone).Format("2006-01-02T15:04")
		}
		if !post.HasErrors(r.Problems) {
			fmt.Fprintf(&b, "%d %s %q", r.Line, at, d.Text)
			if d.Status == post.StatusDraft {
				b.WriteString(" draft")
			}
			b.WriteString("\n")
		}
		for _, p := range r.Problems {
			fmt.Fprintf(&b, "%s\n", p)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestADateInAWorkbookIsReadByItsValueAndNotByHowItIsShown(t *testing.T) {
	t.Parallel()
	const nine = 46082.375 // 2026-03-01 09:00
	for _, format := range []string{"dd/mm/yyyy hh:mm", "m/d/yy h:mm", "mmm d, yyyy h:mm AM/PM", "[$-407]d. mmmm yyyy hh:mm", "dddd", `yyyy"-"mm"-"dd\ hh:mm;@`, "d.m.yy"} {
		b := newTestBook(t)
		b.rows("Sheet1", bookHeader, []any{"Hello", "twitter", nine})
		b.style("Sheet1", "C2", format)
		if got, want := readBook(t, testOptions(t, "plan.xlsx"), b.bytes()), "2 2026-03-01T09:00 \"Hello\"\n"; got != want {
			t.Errorf("%s: got %s, want %s", format, got, want)
		}
	}
	// The numbers of days are never exact, and the minute is.
	for minute := range 24 * 60 {
		at := time.Date(2026, 3, 1, 0, minute, 0, 0, time.UTC)
		serial := 46082 + float64(minute)/(24*60)
		b := &book{}
		for _, off := range []float64{0, 1e-6, -1e-6} {
			text, ok := b.date(fmt.Sprintf("%s%.10f", markDate, serial+off))
			if want := at.Format("2006-01-02 15:04"); !ok || text != want && !(minute == 0 && text == "2026-03-01") {
				t.Fatalf("got %q, want %s", text, want)
			}
		}
	}
}

func TestOnlyFormatsThatShowADateMakeOne(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]string{
		"General": "", "0.00%": "", "@": "", "#,##0.00 [$€-407]": "", `0 "days"`: "", "[Red]-0": "", "0.00E+00": "", `"due" 0`: "", `0\d`: "",
		"yyyy-mm-dd": markDate, "mmm": markDate, "[$-F800]dddd, mmmm dd, yyyy": markDate, "h:mm": markTime, "[h]:mm": markTime, "[mm]:ss": markTime, "hh:mm:ss AM/PM": markTime, "[Blue]h:mm;0": markTime,
	} {
		if got := markOfCode(code); got != want {
			t.Errorf("%q: got %q, want %q", code, got, want)
		}
	}
}

func TestAWorkbookThatCountsFrom1904(t *testing.T) {
	t.Parallel()
	b := newTestBook(t)
	yes := true
	b.ok(b.SetWorkbookProps(&excelize.WorkbookPropsOptions{Date1904: &yes}))
	b.rows("Sheet1", bookHeader, []any{"Styled", "twitter", 46082.375 - 1462}, []any{"Bare", "linkedin", 46082.375 - 1462})
	b.style("Sheet1", "C2", "yyyy-mm-dd hh:mm")
	if got, want := readBook(t, testOptions(t, "plan.xlsx"), b.bytes()), "2 2026-03-01T09:00 \"Styled\"\n"; !strings.HasPrefix(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
	b = newTestBook(t)
	b.ok(b.SetWorkbookProps(&excelize.WorkbookPropsOptions{Date1904: &yes}))
	b.rows("Sheet1", bookHeader, []any{"Bare", "twitter", 46082.375 - 1462})
	if got, want := readBook(t, testOptions(t, "plan.xlsx"), b.bytes()), "2 2026-03-01T09:00 \"Bare\"\n"; !strings.HasSuffix(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestEveryProblemOfAWorkbookNamesItsCell(t *testing.T) {
	t.Parallel()
	b := newTestBook(t)
	b.ok(b.SetSheetName("Sheet1", "Plan"))
	b.rows("Plan",
		[]any{"Our plan"}, []any{}, []any{"content", "platforms", "date", "time", "media_url"},
		[]any{"A text\nwith two\r\nlines", "twitter", 46082, 0.375},
		[]any{"Failed", "twitter", "#REF!", "9:00"},
		[]any{"Two \"quotes\", a comma", "twiter", "2026-03-01", "09:00"},
		[]any{"=SUM(A1)", "twitter", "2026-03-01", "10:00"},
		[]any{"Hidden", "twitter", "2026-03-01", "11:00"},
		[]any{"No address", "twitter", "2026-03-01", "11:00", "our site"})
	b.style("Plan", "C4", "dd.mm.yyyy")
	b.style("Plan", "D4", "h:mm")
	b.ok(b.SetRowVisible("Plan", 8, false))
	b.ok(b.SetCellHyperLink("Plan", "E9", "https://example.com/a.png", "External"))
	got := readBook(t, testOptions(t, "plan.xlsx"), b.bytes())
	want := `note: plan.xlsx: Plan: warning: got "1 rows", want rows that are to be seen: hidden ones are rejected (show the rows, or clear the filter, and save again)
note: plan.xlsx: Plan!E9: warning: got "https://example.com/a.png", want the address in the cell: this link lies behind another text, and the text was read (write the address into the cell where it is to be posted)
note: plan.xlsx: Plan row 3: warning: the header row was found on line 3; what stands before it was left out
4 2026-03-01T09:00 "A text\nwith two\nlines"
plan.xlsx: Plan!C5: date: got "#REF! 9:00", want a date like 2026-03-01T09:00
plan.xlsx: Plan!B6: platforms: got "twiter", want a connection of this account: twitter-123456, linkedin-ABC123, mastodon-acme, bluesky-a, bluesky-b (did you mean twitter?)
plan.xlsx: Plan!A7: content: got "=SUM(A1)", want a text: this is a formula (save the file with values in place of formulas)
plan.xlsx: Plan row 8: a row that is to be seen: this one is hidden, so nobody would expect it to be posted (show the row, or clear the filter, and save again)
plan.xlsx: Plan!E9: media_url: got "our site", want a web address like https://example.com/picture.jpg (write the whole address, with https://)
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestWhichSheetIsRead(t *testing.T) {
	t.Parallel()
	calendar := func(b *testBook, names ...string) {
		for _, n := range names {
			_, err := b.NewSheet(n)
			b.ok(err)
			b.rows(n, bookHeader, []any{"From " + n, "twitter", "2026-03-01 09:00"})
		}
	}
	notes := func(b *testBook, name string) {
		_, err := b.NewSheet(name)
		b.ok(err)
		b.rows(name, []any{"Ideas"}, []any{"More of them"})
	}
	for _, c := range []struct {
		rule  string
		make  func(*testBook)
		sheet string
		want  string
	}{
		{"the only one that holds anything", func(b *testBook) { calendar(b, "May") }, "", "5 9 From May"},
		{"the only one that looks like a calendar, and says so", func(b *testBook) { notes(b, "Ideas"); calendar(b, "May") }, "", `got "Ideas", want one sheet: "May" was read`},
		{"none of several calendars", func(b *testBook) { calendar(b, "May", "June") }, "", "got \"May, June\", want one sheet that holds the calendar: each of these looks like one (write `sheet: NAME` into a defaults.yaml"},
		{"the one that is named", func(b *testBook) { calendar(b, "May", "June") }, "june", "From June"},
		{"none when the name is wrong", func(b *testBook) { calendar(b, "May", "June") }, "Jun", "did you mean June?"},
		{"none that is hidden", func(b *testBook) { calendar(b, "May", "June"); b.ok(b.SetSheetVisible("June", false)) }, "", `got "June", want sheets that are to be seen`},
		{"none where nothing is a calendar", func(b *testBook) { notes(b, "Ideas"); notes(b, "Other") }, "", "none of its sheets has one"},
		{"none that holds anything", func(*testBook) {}, "", "no sheet of the workbook holds anything"},
	} {
		b := newTestBook(t)
		c.make(b)
		o := testOptions(t, "plan.xlsx")
		o.Sheet = c.sheet
		got := readBook(t, o, b.bytes())
		for _, part := range strings.Split(strings.TrimPrefix(c.want, "5 9 "), "\n") {
			if !strings.Contains(got, part) {
				t.Errorf("%s: got %s, want %s", c.rule, got, part)
			}
		}
	}
}

// What several rows share is written once, and a text that several rows share would
// be posted as often.
func TestMergedCells(t *testing.T) {
	t.Parallel()
	b := newTestBook(t)
	b.rows("Sheet1", bookHeader, []any{"One", "twitter", "2026-03-01 09:00"}, []any{"Two", "linkedin"}, []any{"Three", "twitter", "2026-03-02 09:00"}, []any{"", "linkedin", "2026-03-02 09:00"})
	b.ok(b.MergeCell("Sheet1", "C2", "C3"))
	b.ok(b.MergeCell("Sheet1", "A4", "A5"))
	got := readBook(t, testOptions(t, "plan.xlsx"), b.bytes())
	want := `2 2026-03-01T09:00 "One"
3 2026-03-01T09:00 "Two"
4 2026-03-02T09:00 "Three"
plan.xlsx: Sheet1!A5: got "Three", want a cell of its own: it is merged with row 4, so the post would go out twice (take the merged cells apart, and write into each what it says)
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestAFormulaGivesWhatWasComputed(t *testing.T) {
	t.Parallel()
	b := newTestBook(t)
	b.rows("Sheet1", bookHeader, []any{"x", "twitter", "2026-03-01 09:00"}, []any{"Two", "twitter"})
	b.ok(b.SetCellFormula("Sheet1", "C3", "C2+1"))
	data := patched(t, b.bytes(), "xl/worksheets/sheet1.xml", func(x []byte) []byte {
		i := bytes.Index(x, []byte(`<c r="A2"`))
		end := i + bytes.Index(x[i:], []byte("</c>")) + 4
		return bytes.Join([][]byte{x[:i], []byte(`<c r="A2" t="str"><f>"Com"&amp;"puted"</f><v>Computed</v></c>`), x[end:]}, nil)
	})
	got := readBook(t, testOptions(t, "plan.xlsx"), data)
	want := `2 2026-03-01T09:00 "Computed"
plan.xlsx: Sheet1!C3: a value: this formula has none yet, as no spreadsheet program has computed it (open the workbook, let it compute, and save it again)
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// A cell of a workbook may hold what in a text would look like further rows.
func TestNoCellOfAWorkbookBecomesARow(t *testing.T) {
	t.Parallel()
	row := "Injected,twitter,2026-03-01 09:00\n"
	wide := make([]any, 300)
	for i := range wide {
		wide[i] = row
	}
	b := newTestBook(t)
	b.rows("Sheet1", bookHeader, []any{strings.Repeat(row, 300), "twitter", "2026-03-01 09:00"}, wide, []any{`"` + row + `"`, "twitter", "2026-03-01 09:00"}, []any{"Last", "twitter", "2026-03-01 09:00"})
	lines := 0
	data := b.bytes()
	f, err := OpenWorkbook(t.Context(), bytes.NewReader(data), int64(len(data)), testOptions(t, "plan.xlsx"))
	if err != nil {
		t.Fatal(err)
	}
	err = f.Rows(t.Context(), func(r *Row) error {
		if lines++; r.Line != lines+1 {
			t.Errorf("row %d stands on %d", lines, r.Line)
		}
		return nil
	})
	if err != nil || lines != 4 {
		t.Errorf("%d rows, %v", lines, err)
	}
}

func TestWorkbooksThatAreTooMuch(t *testing.T) {
	t.Parallel()
	b := newTestBook(t)
	b.rows("Sheet1", bookHeader, []any{"x", "twitter", "2026-03-01 09:00"})
	good := b.bytes()
	bomb := patched(t, good, "xl/worksheets/sheet1.xml", func(x []byte) []byte { return append(x, bytes.Repeat([]byte(" "), 64<<20)...) })
	wide := patched(t, good, "xl/worksheets/sheet1.xml", func([]byte) []byte {
		var s strings.Builder
		s.WriteString(`<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>`)
		for i := range 20_000 {
			fmt.Fprintf(&s, `<row r="%d"><c r="XFD%d"><v>1</v></c></row>`, i+1, i+1)
		}
		s.WriteString("</sheetData></worksheet>")
		return []byte(s.String())
	})
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"unpacks to too much":      {bomb, "WORKBOOK_TOO_LARGE"},
		"cells far to the right":   {wide, "WORKBOOK_TOO_LARGE"},
		"cut off":                  {good[:len(good)/2], "BROKEN_WORKBOOK"},
		"a sheet that is no XML":   {patched(t, good, "xl/worksheets/sheet1.xml", func([]byte) []byte { return []byte("\x00\x01") }), codeEmpty},
		"a workbook that is none":  {patched(t, good, "xl/workbook.xml", func([]byte) []byte { return []byte("<a/>") }), "BROKEN_WORKBOOK"},
		"styles that lead nowhere": {patched(t, good, "xl/styles.xml", func([]byte) []byte { return []byte("<styleSheet/>") }), ""},
	} {
		_, err := OpenWorkbook(t.Context(), bytes.NewReader(c.data), int64(len(c.data)), testOptions(t, "plan.xlsx"))
		u, ok := errors.AsType[*Unusable](err)
		if c.want != "" && (!ok || u.Problems[0].Code != c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}

func FuzzWorkbook(f *testing.F) {
	b := newTestBook(f)
	b.rows("Sheet1", bookHeader, []any{"x", "twitter", 46082.375}, []any{"y", "twitter", "2026-03-01 09:00"})
	b.style("Sheet1", "C2", "dd/mm/yyyy")
	b.ok(b.MergeCell("Sheet1", "B2", "B3"))
	good := b.bytes()
	z, err := zip.NewReader(bytes.NewReader(good), int64(len(good)))
	if err != nil {
		f.Fatal(err)
	}
	parts := []string{"xl/worksheets/sheet1.xml", "xl/styles.xml", "xl/sharedStrings.xml", "xl/workbook.xml", "xl/_rels/workbook.xml.rels"}
	for i, name := range parts {
		rc, err := z.Open(name)
		if err != nil {
			continue
		}
		data, err := io.ReadAll(rc)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), data)
	}
	f.Fuzz(func(t *testing.T, part uint8, text []byte) {
		data := patched(t, good, parts[int(part)%len(parts)], func([]byte) []byte { return text })
		file, err := OpenWorkbook(t.Context(), bytes.NewReader(data), int64(len(data)), testOptions(t, "plan.xlsx"))
		if err != nil {
			if u, ok := errors.AsType[*Unusable](err); !ok || len(u.Problems) == 0 {
				t.Fatal(err)
			}
			return
		}
		n := 0
		err = file.Rows(t.Context(), func(r *Row) error {
			n++
			checkRow(t, r, "plan.xlsx")
			return nil
		})
		if err != nil || n != file.Count() {
			t.Fatalf("%d rows of %d: %v", n, file.Count(), err)
		}
	})
}

// Boxes of a sheet are TRUE and FALSE, and its times are exact whatever is typed beside
// them.
func TestBoxesAndTimesOfASheet(t *testing.T) {
	t.Parallel()
	b := newTestBook(t)
	b.rows("Sheet1",
		[]any{"Text", "Platforms", "Date", "Time", "Publish?", "Posted"},
		[]any{"A", "x", "2026-03-03", 2.0 / 24, true, false},
		[]any{"B", "x", "2026-03-03", "9:00 AM", false, false},
		[]any{"C", "x", "2026-03-03", "2:00", true, false},
		[]any{"D", "x", "2026-03-03", "10:00 am", true, true},
		[]any{"E", "x", "2026-03-03", "11:00 am"},
	)
	b.style("Sheet1", "D2", "h:mm")
	got := readBook(t, testOptions(t, "plan.xlsx"), b.bytes())
	for _, want := range []string{`2 2026-03-03T02:00 "A"`, `3 2026-03-03T09:00 "B"`, "C4: date: got \"2026-03-03 2:00\", want AM or PM", "F5: posted: got \"TRUE\"", `6 2026-03-03T11:00 "E"`} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is not in\n%s", want, got)
		}
	}
	if n := strings.Count(got, " draft\n"); n != 2 {
		t.Errorf("%d drafts, want B and E, in\n%s", n, got)
	}
}
