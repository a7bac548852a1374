package importer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// cut describes the records of a text.
func cut(t testing.TB, src io.Reader, delim byte, width int, lim Limits) []string {
	t.Helper()
	r := newRecordReader(src, delim, lim)
	r.width = width
	var out []string
	for {
		rec, err := r.next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if rec.fault != noFault {
			out = append(out, fmt.Sprintf("%d-%d fault %d at %d %q", rec.line, rec.until, rec.fault, rec.where, rec.raw))
			continue
		}
		var cells []string
		for i := range rec.cells() {
			cells = append(cells, rec.cell(i))
		}
		out = append(out, fmt.Sprintf("%d %q", rec.line, cells))
	}
}

var recordCases = []struct {
	name, text string
	width      int
	want       []string
}{
	{"LF", "a,b\nc,d\n", 2, []string{`1 ["a" "b"]`, `2 ["c" "d"]`}},
	{"CR LF", "a,b\r\nc,d\r\n", 2, []string{`1 ["a" "b"]`, `2 ["c" "d"]`}},
	{"CR", "a,b\rc,d\r", 2, []string{`1 ["a" "b"]`, `2 ["c" "d"]`}},
	{"mixed", "a\r\nb\rc\nd\n\re", 1, []string{`1 ["a"]`, `2 ["b"]`, `3 ["c"]`, `4 ["d"]`, `6 ["e"]`}},
	{"no last line ending", "a,b", 2, []string{`1 ["a" "b"]`}},
	{"empty cells", ",\n,,\n", 2, []string{`1 ["" ""]`, `2 ["" "" ""]`}},
	{"blank lines", "\n\na\n\n\nb\n", 1, []string{`3 ["a"]`, `6 ["b"]`}},
	{"quoted newlines of each kind", "\"a\nb\r\nc\rd\",e\nf,g\n", 2, []string{`1 ["a\nb\nc\nd" "e"]`, `5 ["f" "g"]`}},
	{"doubled quotes", `"a ""b""",""""` + "\n", 2, []string{`1 ["a \"b\"" "\""]`}},
	{"blanks around quotes", ` "a" , "b" ` + "\n", 2, []string{`1 ["a" "b"]`}},
	{"bare quotes", "5\" a,b\"c\"\n", 2, []string{`1 ["5\" a" "b\"c\""]`}},
	{"text after a quote costs its line", "\"a\" b,c\nd,e\n", 2, []string{`1-1 fault 2 at 1 "\"a\" b,c"`, `2 ["d" "e"]`}},
	{"text after a quote that runs on costs the rest of the text", "\"say \"hi\nall\" of you,c\nd,e\n", 2, []string{`1-2 fault 2 at 1 "\"say \"hi\nall\" of you,c"`, `3 ["d" "e"]`}},
	{"an open quote costs what is no row", "\"a,b\nc\n\nd,e\nf,g\n", 2, []string{`1-3 fault 1 at 1 "\"a,b\nc\n"`, `4 ["d" "e"]`, `5 ["f" "g"]`}},
	{"an open quote before a quoted row", "\"a,b\n\"c\",d\n", 2, []string{`1-1 fault 2 at 1 "\"a,b"`, `2 ["c" "d"]`}},
	{"the end of a swallowed text is no row", "\"a \"b\" c\nd, e\",f\ng,h\n", 2, []string{`1-2 fault 2 at 1 "\"a \"b\" c\nd, e\",f"`, `3 ["g" "h"]`}},
	{"in one column a swallowed line is no row", "\"a\nb\nc\n", 1, []string{`1-3 fault 1 at 1 "\"a\nb\nc"`}},
	{"in one column a quoted cell is a row", "\"a\" b\nb\n\"c\"\n", 1, []string{`1-2 fault 2 at 1 "\"a\" b\nb"`, `3 ["c"]`}},
	{"a quote at the end", "a,b\n\"", 2, []string{`1 ["a" "b"]`, `2-2 fault 1 at 1 "\""`}},
}

func TestRecords(t *testing.T) {
	for _, c := range recordCases {
		t.Run(c.name, func(t *testing.T) {
			for kind, src := range map[string]io.Reader{
				"whole":       strings.NewReader(c.text),
				"one byte":    iotest.OneByteReader(strings.NewReader(c.text)),
				"half":        iotest.HalfReader(strings.NewReader(c.text)),
				"end with it": iotest.DataErrReader(strings.NewReader(c.text)),
			} {
				got := cut(t, src, ',', c.width, DefaultLimits())
				if fmt.Sprint(got) != fmt.Sprint(c.want) {
					t.Errorf("%s:\n got %s\nwant %s", kind, strings.Join(got, "\n     "), strings.Join(c.want, "\n     "))
				}
			}
		})
	}
}

func TestRecordsAcrossTheBuffer(t *testing.T) {
	var text strings.Builder
	const rows = 30_000 // several buffers
	for i := range rows {
		fmt.Fprintf(&text, "\"row %d,\r\nsecond line\",%d\r\n", i, i)
	}
	got := cut(t, strings.NewReader(text.String()), ',', 2, DefaultLimits())
	if len(got) != rows {
		t.Fatalf("got %d records", len(got))
	}
	for i, g := range got {
		if want := fmt.Sprintf(`%d ["row %d,\nsecond line" "%d"]`, 2*i+1, i, i); g != want {
			t.Fatalf("got %s, want %s", g, want)
		}
	}
}

func TestLimitsCostOneRow(t *testing.T) {
	lim := Limits{MaxRow: 1000, MaxCell: 100, MaxColumns: 5}
	long := strings.Repeat("x", 101)
	for _, c := range []struct {
		name, text string
		want       fault
	}{
		{"a long cell", long + ",b\n", cellTooLong},
		{"a long quoted cell", `"` + long + "\",b\n", cellTooLong},
		{"a long quoted cell of two lines", "\"a\n" + long + "\",b\n", cellTooLong},
		{"many cells", "a,b,c,d,e,f\n", tooManyCells},
		{"a long row", strings.Repeat(strings.Repeat("x", 99)+",", 4) + strings.Repeat(" ", 700) + "\n", cellTooLong},
		{"an endless row", strings.Repeat("x", 1<<20) + "\n", cellTooLong},
		{"an endless quoted row", `"` + strings.Repeat("x", 1<<20) + "\n", openQuote},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRecordReader(strings.NewReader("first,1\n"+c.text+"last,2\n"), ',', lim)
			r.width = 2
			var faults []fault
			last := ""
			for {
				rec, err := r.next()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				if faults = append(faults, rec.fault); rec.fault == noFault {
					last = string(rec.text)
				}
			}
			if faults[0] != noFault || faults[1] != c.want && faults[1] != rowTooLong || last != "last2" {
				t.Errorf("faults %v, last row %q", faults, last)
			}
		})
	}
}

// A text above the limit costs its row and no other.
func TestAVeryLongCell(t *testing.T) {
	text := "content,platforms\nfirst,x\n" + strings.Repeat("long ", 20_000) + ",x\n\"" + strings.Repeat("quoted\n", 90) + strings.Repeat("long ", 20_000) + "\",x\nlast,x\n"
	got := read(t, testOptions(t, "long.csv"), []byte(text))
	want := "long.csv:3:1: got \"" + strings.Repeat("long ", 11) + "long…\", want a shorter cell (shorten the text, or look for a quote that is not closed)"
	if !strings.Contains(got, want) || !strings.Contains(got, `"first"`) || !strings.Contains(got, `"last"`) || strings.Count(got, "want a shorter cell") != 2 {
		t.Errorf("got\n%s", got)
	}
}

// What is looked at eight bytes at a time is what is looked at one by one.
func TestShowsFindsEachByteThatDoesNot(t *testing.T) {
	t.Parallel()
	for c := range 256 {
		want := c >= ' ' && c != 0x7f
		for length := 1; length <= 17; length++ {
			for at := range length {
				b := bytes.Repeat([]byte{'a'}, length)
				b[at] = byte(c)
				if got := shows(b); got != want {
					t.Fatalf("shows(%q) = %v, want %v", b, got, want)
				}
			}
		}
	}
	if b := bytes.Repeat([]byte{0x80, ' ', 0xff, '~'}, 5); !shows(b) {
		t.Errorf("shows(%q) = false", b)
	}
}

func TestPlainStopsAtTheFirstByteThatIsNot(t *testing.T) {
	t.Parallel()
	for _, delim := range []byte{',', '\t', '|'} {
		for _, fill := range []byte{'x', ' ', '~', 0x80, 0xff, delim ^ 0x80} {
			for _, stop := range []byte{delim, '\n', '\r', 0, 0x1f, 0x7f} {
				for at := range 20 {
					text := bytes.Repeat([]byte{fill}, 24)
					text[at], text[at+1] = stop, stop^1
					if n := plain(text, delim); n != at && (at < 16 || n != 16) {
						t.Errorf("%q: %d plain bytes, want %d", text, n, at)
					}
				}
			}
			if n := plain(bytes.Repeat([]byte{fill}, 23), delim); n != 16 {
				t.Errorf("23 of %q: %d, want 16", fill, n)
			}
		}
	}
}
