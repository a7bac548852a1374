package importer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"github.com/postroom/postroom/post"
)

// An encoding turns a file's bytes into UTF-8.
type encoding struct {
	name string
	skip int64 // byte order mark
	with func() transform.Transformer
}

// unit is how many bytes the smallest character takes.
func (e encoding) unit() int {
	if strings.HasPrefix(e.name, "UTF-16") {
		return 2
	}
	return 1
}

func (e encoding) reader(src io.ReaderAt, size int64) io.Reader {
	r := io.Reader(io.NewSectionReader(src, e.skip, size-e.skip))
	if e.with != nil {
		return transform.NewReader(r, e.with())
	}
	return r
}

var (
	utf8Plain   = encoding{name: "UTF-8"}
	utf8BOM     = encoding{name: "UTF-8", skip: 3}
	windows1252 = encoding{name: "Windows-1252", with: func() transform.Transformer { return lenient{} }}
	macRoman    = encoding{name: "Mac Roman", with: func() transform.Transformer { return charmap.Macintosh.NewDecoder() }}
)

// lenient reads UTF-8, and as Windows-1252 what is none: files are pasted together
// from parts in both, and no real text in Windows-1252 looks like UTF-8.
type lenient struct{ transform.NopResetter }

// Transform implements transform.Transformer.
func (lenient) Transform(dst, src []byte, atEOF bool) (nDst, nSrc int, err error) {
	for nSrc < len(src) {
		if c := src[nSrc]; c < utf8.RuneSelf {
			if nDst == len(dst) {
				return nDst, nSrc, transform.ErrShortDst
			}
			dst[nDst] = c
			nDst++
			nSrc++
			continue
		}
		if !atEOF && !utf8.FullRune(src[nSrc:]) {
			return nDst, nSrc, transform.ErrShortSrc
		}
		r, size := utf8.DecodeRune(src[nSrc:])
		if r == utf8.RuneError && size == 1 {
			r = charmap.Windows1252.DecodeByte(src[nSrc])
		}
		if nDst+utf8.RuneLen(r) > len(dst) {
			return nDst, nSrc, transform.ErrShortDst
		}
		nDst += utf8.EncodeRune(dst[nDst:], r)
		nSrc += size
	}
	return nDst, nSrc, nil
}

func utf16(name string, e unicode.Endianness, skip int64) encoding {
	return encoding{name: name, skip: skip, with: func() transform.Transformer {
		return unicode.UTF16(e, unicode.IgnoreBOM).NewDecoder()
	}}
}

// foreign are kinds of files that people drop as CSV, by their first bytes.
var foreign = []struct {
	magic      string
	fold       bool
	what, hint string
}{
	{"PK\x03\x04", false, "an Excel workbook, an OpenDocument or a ZIP file", "open it and save the sheet as CSV UTF-8"},
	{"\xd0\xcf\x11\xe0", false, "an old Excel workbook (.xls), or one with a password", "open it and save it as .xlsx without a password, or save the sheet as CSV UTF-8"},
	{"PK\x05\x06", false, "an empty ZIP file", "save the sheet as CSV UTF-8"},
	{"%PDF", false, "a PDF", "export the table as CSV"},
	{"{\\rtf", false, "a rich text document", "save it as CSV UTF-8"},
	{"\x1f\x8b", false, "a gzip file", "unpack it"},
	{"7z\xbc\xaf", false, "a 7-Zip file", "unpack it"},
	{"\x89PNG", false, "a picture", "drop a calendar; pictures belong in the media column"},
	{"\xff\xd8\xff", false, "a picture", "drop a calendar; pictures belong in the media column"},
	{"RIFF", false, "a picture or a film", "drop a calendar; pictures belong in the media column"},
	{"GIF8", false, "a picture", "drop a calendar; pictures belong in the media column"},
	{"SQLite format 3", false, "a database", "export the table as CSV"},
	{"<!doctype", true, "a web page, perhaps a log-in page saved in place of the file", "download the file again while logged in"},
	{"<table", true, "a web page, or a table of one", "export the table as CSV"},
	{"<html", true, "a web page, perhaps a log-in page saved in place of the file", "download the file again while logged in"},
	{"<?xml", true, "an XML file", "save it as CSV UTF-8"},
	{"begin:vcalendar", true, "an iCalendar file", "give it a name that ends in .ics"},
	{"begin:vcard", true, "an address book", "drop a calendar"},
}

// Codes that Whole tells from those of other unusable files.
const (
	codeEmpty  = "EMPTY_FILE"
	codeBinary = "BINARY_FILE"
)

// guess sets the encoding of a file that was taken for enc, UTF-8, and stops being
// so at the byte bad. Guessers by language are wrong too often on short posts
// (INGEST §4.4).
func (f *File) guess(enc encoding, head []byte, bad int64) {
	mixed := enc.skip > 0 || bytes.ContainsFunc(head[:min(bad, int64(len(head)))], func(c rune) bool { return c >= utf8.RuneSelf })
	switch {
	case mixed:
		f.enc = encoding{name: "UTF-8 and Windows-1252", skip: enc.skip, with: windows1252.with}
		f.guessed = f.enc.name
		f.note(post.Problem{Code: "MIXED_ENCODING", Got: post.Shorten(f.sampleAt(bad)), Want: "UTF-8 throughout: what is not was read as Windows-1252", Hint: "check the accents in the report; save as CSV UTF-8 to be sure"})
		return
	case looksMac(head):
		f.enc = macRoman
	default:
		f.enc, f.guessed = windows1252, windows1252.name
	}
	f.note(post.Problem{Code: "GUESSED_ENCODING", Got: post.Shorten(f.sampleAt(bad)), Want: "UTF-8: the file was read as " + f.enc.name, Hint: "check the accents in the report; save as CSV UTF-8 to be sure"})
}

// detectHead reads the head of the file and finds out what it is and how it is
// encoded, by a byte order mark or the pattern of NULs (INGEST §4.4): all but which
// eight-bit encoding it has, which is taken for UTF-8 until the whole was read.
func (f *File) detectHead() ([]byte, error) {
	head := make([]byte, min(f.size, 64<<10))
	if _, err := io.ReadFull(io.NewSectionReader(f.src, 0, f.size), head); err != nil {
		return nil, fmt.Errorf("read %s: %w", f.opt.Name, err)
	}
	if len(bytes.TrimSpace(bytes.Trim(head, "\x00\ufeff"))) == 0 {
		if f.size == 0 {
			return nil, unusable(&f.opt, codeEmpty, "", "a header row and at least one row: the file is empty", "drop the calendar again")
		}
		if f.size <= int64(len(head)) {
			return nil, unusable(&f.opt, codeEmpty, "", "a header row and at least one row: the file holds only blanks", "drop the calendar again")
		}
	}
	if err := f.refuseForeign(head); err != nil {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(head, []byte("\x00\x00\xfe\xff")), bytes.HasPrefix(head, []byte("\xff\xfe\x00\x00")):
		return nil, unusable(&f.opt, "UNKNOWN_ENCODING", "UTF-32", "UTF-8", "save the file as CSV UTF-8")
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		f.enc = utf8BOM
	case bytes.HasPrefix(head, []byte("\xff\xfe")):
		f.enc = utf16("UTF-16LE", unicode.LittleEndian, 2)
		return head, nil
	case bytes.HasPrefix(head, []byte("\xfe\xff")):
		f.enc = utf16("UTF-16BE", unicode.BigEndian, 2)
		return head, nil
	default:
		f.enc = utf8Plain
	}
	if n := controls(head); n >= 16 && n*20 > len(head) {
		return nil, unusable(&f.opt, codeBinary, "", "a text file: this is full of control characters", "save it as CSV UTF-8")
	}
	if nul := bytes.Count(head, []byte{0}); nul > 0 {
		even, odd := 0, 0
		for i, b := range head {
			if b == 0 && i%2 == 0 {
				even++
			} else if b == 0 {
				odd++
			}
		}
		switch half := len(head) / 2; {
		case odd > half/2 && even*20 < odd:
			f.enc = utf16("UTF-16LE", unicode.LittleEndian, 0)
			return head, nil
		case even > half/2 && odd*20 < even:
			f.enc = utf16("UTF-16BE", unicode.BigEndian, 0)
			return head, nil
		case nul*100 > len(head):
			return nil, unusable(&f.opt, codeBinary, "", "a text file: of this more than one byte in a hundred is NUL", "if the copy broke off, copy the file again; else save it as CSV UTF-8")
		}
	}
	return head, nil
}

// controls counts the bytes that no text has, but for NUL.
func controls(b []byte) int {
	n := 0
	for _, c := range b {
		if c < ' ' && c != 0 && (c < '\t' || c > '\r') && c != 0x1a && c != 0x1b {
			n++
		}
	}
	return n
}

// refuseForeign refuses what its first bytes show to be another kind of file.
func (f *File) refuseForeign(head []byte) error {
	text := bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))
	trimmed := bytes.TrimLeft(text, " \t\r\n")
	for _, k := range foreign {
		start := text
		if k.fold {
			start = bytes.ToLower(trimmed[:min(len(trimmed), 32)])
		}
		if bytes.HasPrefix(start, []byte(k.magic)) {
			return unusable(&f.opt, "WRONG_FILE_TYPE", "", "a CSV file: this is "+k.what, k.hint)
		}
	}
	if len(trimmed) > 1 && (trimmed[0] == '{' || trimmed[0] == '[') && bytes.ContainsAny(trimmed[1:min(len(trimmed), 64)], `"{[`) {
		return unusable(&f.opt, "WRONG_FILE_TYPE", "", "a CSV file: this is JSON", "export the table as CSV")
	}
	return nil
}

// firstInvalid returns where the file stops being UTF-8, or -1.
func (f *File) firstInvalid(ctx context.Context) (int64, error) {
	buf := make([]byte, 256<<10)
	have := 0
	for at := int64(0); at < f.size; {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		n, err := f.src.ReadAt(buf[have:], at)
		if n == 0 && err != nil {
			if errors.Is(err, io.EOF) {
				break
			}
			return 0, fmt.Errorf("read %s: %w", f.opt.Name, err)
		}
		at += int64(n)
		b := buf[:have+n]
		cut := len(b)
		if at < f.size { // a rune may go on in the next piece
			for i := 1; i <= min(utf8.UTFMax, cut); i++ {
				if utf8.RuneStart(b[cut-i]) {
					if !utf8.FullRune(b[cut-i:]) {
						cut -= i
					}
					break
				}
			}
		}
		if !utf8.Valid(b[:cut]) {
			good := 0
			for good < cut {
				r, size := utf8.DecodeRune(b[good:cut])
				if r == utf8.RuneError && size <= 1 {
					break
				}
				good += size
			}
			return at - int64(len(b)) + int64(good), nil
		}
		have = copy(buf, b[cut:])
	}
	if have > 0 {
		return f.size - int64(have), nil
	}
	return -1, nil
}

// looksMac tells Mac Roman from Windows-1252: Excel for the Mac ends lines with
// a lone CR, and puts its accents where Windows has other signs.
func looksMac(head []byte) bool {
	if bytes.IndexByte(head, '\n') >= 0 || bytes.IndexByte(head, '\r') < 0 {
		return false
	}
	mac, win := 0, 0
	for _, b := range head {
		switch {
		case b == 0x8e || b == 0x8f || b == 0x8a || b == 0x9a || b == 0x9f || b == 0xd5 || b == 0xd2 || b == 0xd3:
			mac++
		case b >= 0xe0 && b != 0xff:
			win++
		}
	}
	return mac > win
}

// sampleAt shows the text around a byte, as it was read, up to the ends of its
// line.
func (f *File) sampleAt(at int64) string {
	from := max(f.enc.skip, at-24)
	b := make([]byte, min(48, f.size-from))
	n, err := f.src.ReadAt(b, from)
	if n == 0 && err != nil {
		return ""
	}
	b, mid := b[:n], int(at-from)
	if i := bytes.LastIndexAny(b[:mid], "\r\n"); i >= 0 {
		b, mid = b[i+1:], mid-i-1
	}
	b = b[:mid+lineEnd(b[mid:])]
	out, _, err := transform.Bytes(f.enc.with(), b)
	if err != nil {
		return ""
	}
	return string(bytes.TrimSpace(out))
}
