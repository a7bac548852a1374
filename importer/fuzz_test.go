package importer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/postroom/postroom/post"
)

// checkRow checks what holds for every row: it stands somewhere, its problems
// say where, and it is a draft that can be used or says why it is none (P4).
func checkRow(t *testing.T, r *Row, name string) {
	t.Helper()
	if r.Line < 1 || r.N < 1 {
		t.Errorf("row %d at line %d", r.N, r.Line)
	}
	for _, p := range r.Problems {
		if p.File != name || p.Line != r.Line || p.Want == "" || p.Code == "" {
			t.Errorf("row %d: a problem without place or wish: %+v", r.N, p)
		}
	}
	if post.HasErrors(r.Problems) {
		return
	}
	d := &r.Draft
	if len(d.Connections) == 0 || d.Text == "" && len(d.Media) == 0 && d.Title == "" && len(d.Variants) == 0 {
		t.Errorf("row %d is neither a draft nor a problem: %+v", r.N, d)
	}
	if !utf8.ValidString(d.Text) {
		t.Errorf("row %d is not UTF-8: %q", r.N, d.Text)
	}
}

// visible drops what a blank row may consist of, and line endings.
func visible(b []byte, delim byte) string {
	return strings.Map(func(c rune) rune {
		if c <= ' ' || c == 0x7f || c == '\u00a0' || c == '\ufeff' || c == '\u200b' || c == '"' || c == rune(delim) {
			return -1
		}
		return c
	}, string(b))
}

// checkFile reads a file twice and checks every row, that both times agree, and
// that nothing of the text is lost.
func checkFile(t *testing.T, o Options, data []byte) {
	t.Helper()
	f, err := Open(t.Context(), bytes.NewReader(data), int64(len(data)), o)
	if err != nil {
		var u *Unusable
		if !errors.As(err, &u) || len(u.Problems) == 0 {
			t.Fatal(err)
		}
		for _, p := range u.Problems {
			if p.File != o.Name || p.Want == "" || p.Code == "" {
				t.Errorf("a problem without file or wish: %+v", p)
			}
		}
		return
	}
	pass := func() (said, raws string) {
		var a, b strings.Builder
		line := 0
		err := f.Rows(context.Background(), func(r *Row) error {
			checkRow(t, r, o.Name)
			if r.Line <= line {
				t.Errorf("row %d at line %d follows line %d", r.N, r.Line, line)
			}
			line = r.Line
			fmt.Fprintf(&a, "%d %d %q %v %v\n", r.N, r.Line, r.Cells, r.Draft, r.Problems)
			b.WriteString(visible(r.Raw, f.delim))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return a.String(), b.String()
	}
	said, raws := pass()
	if again, _ := pass(); again != said {
		t.Errorf("the second reading differs:\n%s\n%s", said, again)
	}
	if o.Limits != (Limits{}) {
		return // of an endless line the head is not kept
	}
	text, err := io.ReadAll(f.enc.reader(f.src, f.size))
	if err != nil {
		t.Fatal(err)
	}
	r := f.records()
	if err := r.discard(f.skip, f.line); err != nil {
		t.Fatal(err)
	}
	heads := ""
	for range f.headers {
		head, err := r.next()
		if err != nil {
			t.Fatal(err)
		}
		heads += visible(head.raw, f.delim)
	}
	if want, got := visible(text[f.skip:], f.delim), heads+raws; got != want {
		t.Errorf("of the text\n%q\nthe rows hold\n%q", want, got)
	}
}

func TestP4_EveryRowIsDraftOrHasAProblem(t *testing.T) {
	for name, data := range hostileFiles(t) {
		t.Run(name, func(t *testing.T) { checkFile(t, hostileOptions(t, name), data) })
	}
}

func FuzzRows(f *testing.F) {
	for name, data := range hostileFiles(f) {
		if len(data) < 4096 && strings.Contains(name, ".") {
			f.Add(data)
		}
	}
	o := testOptions(f, "fuzz.csv")
	f.Fuzz(func(t *testing.T, data []byte) {
		checkFile(t, o, data)
		tight := o
		tight.Limits = Limits{MaxBytes: 1 << 20, MaxRows: 50, MaxRow: 64, MaxCell: 16, MaxColumns: 6}
		checkFile(t, tight, data)
		if ok, missing, newlineOnly, err := Whole(t.Context(), bytes.NewReader(data), int64(len(data))); err != nil || ok != (missing == "") || ok && newlineOnly {
			t.Errorf("Whole: %v, %q, %v, %v", ok, missing, newlineOnly, err)
		}
	})
}

func FuzzSniff(f *testing.F) {
	f.Add("Hello, you; and you", "a\tb|c", uint8(1))
	f.Add("two\nlines", `"quoted"`, uint8(3))
	f.Fuzz(func(t *testing.T, a, b string, n uint8) {
		delim := delimiters[int(n)%len(delimiters)]
		if got := sniff([]byte(a), true); !slices.Contains(delimiters, got) {
			t.Errorf("got %q", got)
		}
		// With the names of columns in it, a file has one right answer.
		var text strings.Builder
		row := func(cells ...string) {
			for i, c := range cells {
				if i > 0 {
					text.WriteByte(delim)
				}
				text.WriteString(`"` + strings.ReplaceAll(c, `"`, `""`) + `"`)
			}
			text.WriteString("\r\n")
		}
		row("content", "platforms", "scheduled_time")
		row(a, "x", b)
		row(b, "x", a)
		if got := sniff([]byte(text.String()), true); got != delim {
			t.Errorf("got %q, want %q in\n%s", got, delim, text.String())
		}
	})
}

func FuzzTime(f *testing.F) {
	for name, data := range hostileFiles(f) {
		if !strings.HasPrefix(name, "time-") {
			continue
		}
		for _, line := range strings.Split(string(data), "\n") {
			if cells := strings.SplitN(line, ",", 3); len(cells) == 3 {
				f.Add(strings.Trim(cells[2], `"`), uint8(orderDMY))
			}
		}
	}
	f.Fuzz(func(t *testing.T, s string, n uint8) {
		w, err := parseWhen(s, dateOrder(n%4))
		if err != nil {
			return
		}
		if !w.clock {
			w.clock = true
		}
		iso := fmt.Sprintf("%04d-%02d-%02dT%02d:%02d:%02d", w.year, w.month, w.day, w.hour, w.minute, w.second)
		switch {
		case w.loc == nil:
		case strings.Contains(w.zone, "/"):
			iso += " " + w.zone
		case w.zone == "UTC":
			iso += "Z"
		default:
			iso += w.zone
		}
		again, err := parseWhen(iso, orderNone)
		if err != nil {
			t.Fatalf("%q was read as %s, which is not: %v", s, iso, err)
		}
		a, _ := w.in(berlin(t))
		b, _ := again.in(berlin(t))
		if !a.Equal(b) || again.zone != w.zone {
			t.Errorf("%q was read as %s (%s), and that as %s (%s)", s, a, w.zone, b, again.zone)
		}
	})
}
