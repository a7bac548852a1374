package importer

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	units "unicode/utf16"
)

// inUTF16 writes text as UTF-16 without a byte order mark.
func inUTF16(text string, little bool) string {
	var b strings.Builder
	for _, u := range units.Encode([]rune(text)) {
		if little {
			b.WriteByte(byte(u))
			b.WriteByte(byte(u >> 8))
		} else {
			b.WriteByte(byte(u >> 8))
			b.WriteByte(byte(u))
		}
	}
	return b.String()
}

func TestWhole(t *testing.T) {
	const head = "content,platforms,scheduled_time\n"
	long := head + strings.Repeat("Hello,twitter,2026-03-01T09:00\n", 5000)
	for _, c := range []struct {
		name, text  string
		missing     string
		newlineOnly bool
	}{
		{"a plain file", head + "Hello,twitter,2026-03-01T09:00\n", "", false},
		{"a long file", long, "", false},
		{"CR LF", "content,platforms\r\nHello,twitter\r\n", "", false},
		{"lone CR throughout", "content,platforms\rHello,twitter\r", "", false},
		{"blank lines at the end", head + "Hello,twitter,\n\n\n", "", false},
		{"a header alone", head, "", false},
		{"no header", "Hello,twitter,2026-03-01T09:00\n", "", false},
		{"a quoted newline", head + "\"Hello\nworld\",twitter,\n", "", false},
		{"a semicolon file with a comma in quotes", "content;platforms\n\"a, \"\"b\"\"\";twitter\n", "", false},
		{"UTF-8 with a mark", "\ufeff" + head + "Hello,twitter,\n", "", false},
		{"Windows-1252", head + "Caf\xe9,twitter,\n", "", false},
		{"UTF-16LE with a mark", "\xff\xfe" + inUTF16("content\tplatforms\r\n\"a\nb\"\tx\r\n", true), "", false},
		{"UTF-16BE with a mark", "\xfe\xff" + inUTF16("content\tplatforms\r\na\tx\r\n", false), "", false},
		{"UTF-16LE without a mark", inUTF16("content,platforms\r\nHello there,x\r\n", true), "", false},
		{"a broken row amid good ones", head + "\"a\" b,twitter,\nHello,twitter,\n", "", false},

		{"nothing", "", "it is empty", false},
		{"only blanks", " \n\r\n", "it is empty", false},
		{"only NULs", strings.Repeat("\x00", 4096), "it is empty", false},
		{"only NULs, and many", strings.Repeat("\x00", 200_000), "it ends in NULs, as a copy does that is not finished", false},
		{"a preallocated copy", head + "Hello,twitter,\n" + strings.Repeat("\x00", 4096), "it ends in NULs, as a copy does that is not finished", false},
		{"a preallocated copy, nearly full", long + strings.Repeat("\x00", 100), "it ends in NULs, as a copy does that is not finished", false},
		{"a preallocated UTF-16 copy", "\xff\xfe" + inUTF16("content,platforms\nHello,x\n", true) + "\x00\x00\x00\x00", "it ends in NULs, as a copy does that is not finished", false},
		{"an open quote", head + "Hello,twitter,\n\"Two\nlin", "the quote that opens in the row on line 3 is not closed", false},
		{"an open quote, though a line looks like a row", "content,platforms\n\"Two\nlines, and\n", "the quote that opens in the row on line 2 is not closed", false},
		{"an open quote in UTF-16", "\xff\xfe" + inUTF16("content,platforms\n\"Hello,x\n", true), "the quote that opens in the row on line 2 is not closed", false},
		{"an open quote in a long file", long + "\"Hel", "the quote that opens in the row on line 5002 is not closed", false},
		{"an open quote after sep=", "sep=;\ncontent;platforms\n\"Hel", "the quote that opens in the row on line 3 is not closed", false},
		{"an open quote in the header", "content,\"plat", "the quote that opens in the row on line 1 is not closed", false},
		{"half a UTF-16 character", "\xff\xfe" + inUTF16("content,platforms\nHello,x\n", true) + "H", "its last character is cut in half", false},
		{"a short last row", head + "Hello,twitter,\nHello,twi", "the row on line 3 is cut off: it has 2 cells where the others have 3 or more, and no line ending", false},
		{"a header cut off", "content,platf", "its last row has no line ending", true},
		{"no last line ending", head + "Hello,twitter,2026-03-01T09:00", "its last row has no line ending", true},
		{"no last line ending after a quote", head + "Hello,twitter,\"2026-03-01T09:00\"", "its last row has no line ending", true},
		{"no last line ending in UTF-16", "\xff\xfe" + inUTF16("content,platforms\r\nHello,x", true), "its last row has no line ending", true},
		{"short rows throughout", head + "Hello,twitter\nHello,twitter", "its last row has no line ending", true},
		{"CR without its LF", "content,platforms\r\nHello,x\r", "its last row has no line ending", true},

		{"a workbook", "PK\x03\x04\x00\x00\x00\x00", "", false},
		{"a PDF", "%PDF-1.7 \"", "", false},
		{"a web page", "<!DOCTYPE html><p title=\"", "", false},
		{"JSON", `{"posts": [`, "", false},
		{"UTF-32", "\xff\xfe\x00\x00c\x00\x00\x00", "", false},
		{"bytes of no known kind", "\x01\x02\x00\x03\x04abc\x00\x05\x06", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			ok, missing, newlineOnly, err := Whole(t.Context(), strings.NewReader(c.text), int64(len(c.text)))
			if err != nil {
				t.Fatal(err)
			}
			if ok != (c.missing == "") || missing != c.missing || newlineOnly != c.newlineOnly {
				t.Errorf("got %v, %q, %v; want %q, %v", ok, missing, newlineOnly, c.missing, c.newlineOnly)
			}
		})
	}
}

// A file that is cut anywhere but behind a row, or right before that row's line
// ending, is never whole.
func TestWholeAtEveryCut(t *testing.T) {
	text := "content,platforms,scheduled_time\r\nHello,twitter,2026-03-01T09:00\r\n\"Two\r\nlines, \"\"a\"\", b, c\",x,\r\n"
	rows := map[int]bool{34: true, 66: true, len(text): true}
	for n := range len(text) + 1 {
		ok, missing, newlineOnly, err := Whole(t.Context(), strings.NewReader(text[:n]), int64(n))
		if err != nil {
			t.Fatal(err)
		}
		if ok != rows[n] {
			t.Errorf("cut at %d, %q: whole is %v (%s)", n, text[:n], ok, missing)
		}
		if ok == (missing != "") || ok && newlineOnly {
			t.Errorf("cut at %d: %v, %q, %v", n, ok, missing, newlineOnly)
		}
	}
}

type badReaderAt struct{ err error }

func (r badReaderAt) ReadAt([]byte, int64) (int, error) { return 0, r.err }

func TestWholeReturnsTheErrorOfTheFile(t *testing.T) {
	if _, _, _, err := Whole(t.Context(), badReaderAt{io.ErrClosedPipe}, 100); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	data := calendar(10)
	if _, _, _, err := Whole(ctx, bytes.NewReader(data), int64(len(data))); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
