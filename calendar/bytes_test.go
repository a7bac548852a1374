package calendar

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/postroom/postroom/post"
)

// options read every event as a post of one connection.
func options() Options {
	return Options{
		Name: "test.ics", Directory: post.NewDirectory([]post.ConnectionID{"twitter-1", "linkedin-2"}), Platforms: []post.ConnectionID{"twitter-1"},
		Zone: berlin, Now: time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC), AllDay: 9 * time.Hour, All: true,
	}
}

var berlin = func() *time.Location {
	loc, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		panic(err)
	}
	return loc
}()

// openText reads a calendar that must be usable.
func openText(t testing.TB, text string, o Options) *File {
	t.Helper()
	f, err := Open(t.Context(), strings.NewReader(text), int64(len(text)), o)
	if err != nil {
		t.Fatalf("%v\n%.500s", err, text)
	}
	return f
}

// posts lists what a file asks to be posted, without what is said about it.
func posts(f *File) []string {
	var out []string
	for _, r := range f.rows {
		if !post.HasErrors(r.Problems) {
			d := r.Draft
			out = append(out, fmt.Sprintf("%s %s %v %q %q %v %v %v", d.ExternalID, d.At.Format(time.RFC3339), d.Connections, d.Title, d.Text, d.Media, d.Status, r.Cancelled))
		}
	}
	return out
}

var propertyName = regexp.MustCompile(`(?m)^[A-Za-z0-9-]+`)

// transforms are what happens to files on their way, and must change no post.
var transforms = map[string]func(string) string{
	"UTF-8 mark":      func(s string) string { return "\ufeff" + s },
	"UTF-16LE":        func(s string) string { return wide(s, false) },
	"UTF-16BE":        func(s string) string { return wide(s, true) },
	"LF":              func(s string) string { return strings.ReplaceAll(s, "\r\n", "\n") },
	"CR":              func(s string) string { return strings.ReplaceAll(s, "\r\n", "\r") },
	"CR CR LF":        func(s string) string { return strings.ReplaceAll(s, "\r\n", "\r\r\n") },
	"trailing blanks": func(s string) string { return strings.ReplaceAll(s, "\r\n", " \r\n") },
	"^Z at the end":   func(s string) string { return s + "\x1a" },
	"MIME header": func(s string) string {
		return "Content-Type: text/calendar; charset=utf-8\r\nMIME-Version: 1.0\r\n\r\n" + s
	},
	"line of no form": func(s string) string {
		return strings.Replace(s, "BEGIN:VEVENT\r\n", "BEGIN:VEVENT\r\nthis is nothing\r\n", 1)
	},
	"bad quote": func(s string) string {
		return strings.Replace(s, "BEGIN:VEVENT\r\n", "BEGIN:VEVENT\r\nX-FOO;CN=\"a\"b:mailto:x\r\n", 1)
	},
	"no last END":      func(s string) string { return strings.TrimSuffix(s, "END:VCALENDAR\r\n") },
	"folds of 10":      func(s string) string { return refold(s, 10) },
	"tabs in folds":    func(s string) string { return strings.ReplaceAll(s, "\r\n ", "\r\n\t") },
	"blank lines":      func(s string) string { return strings.ReplaceAll(s, "\r\nBEGIN:", "\r\n\r\nBEGIN:") },
	"lower-case names": func(s string) string { return propertyName.ReplaceAllStringFunc(s, strings.ToLower) },
	"no last line end": func(s string) string { return strings.TrimRight(s, "\r\n") },
}

func wide(s string, big bool) string {
	var b bytes.Buffer
	for _, u := range append([]uint16{0xfeff}, utf16.Encode([]rune(s))...) {
		if big {
			u = u<<8 | u>>8
		}
		b.WriteByte(byte(u))
		b.WriteByte(byte(u >> 8))
	}
	return b.String()
}

// refold folds lines at so many bytes, also inside of characters.
func refold(s string, n int) string {
	var b strings.Builder
	for l := range strings.SplitAfterSeq(strings.ReplaceAll(s, "\r\n ", ""), "\r\n") {
		l = strings.TrimSuffix(l, "\r\n")
		for len(l) > n {
			b.WriteString(l[:n] + "\r\n ")
			l = l[n:]
		}
		b.WriteString(l + "\r\n")
	}
	return strings.TrimSuffix(b.String(), "\r\n")
}

const plainCalendar = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\n" +
	"BEGIN:VEVENT\r\nUID:1\r\nDTSTART;TZID=Europe/Berlin:20260305T090000\r\nSUMMARY:Grüße\\, alle zusammen — ein längerer Titel\r\n" +
	"DESCRIPTION:Erste Zeile\\nzweite Zeile: mit Doppelpunkt\\; und mehr\\, das gefal\r\n tet wird 🎉\r\nCATEGORIES:LinkedIn,Twitter\r\nATTACH;FMTTYPE=image/png:https://example.com/a.png\r\nEND:VEVENT\r\n" +
	"BEGIN:VEVENT\r\nUID:2\r\nDTSTART;VALUE=DATE:20260306\r\nRRULE:FREQ=WEEKLY;COUNT=5\r\nEXDATE;VALUE=DATE:20260313\r\nSUMMARY:weekly\r\nSTATUS:TENTATIVE\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"

func TestTheSamePostsComeOutWhateverHappenedToTheBytes(t *testing.T) {
	t.Parallel()
	want := posts(openText(t, plainCalendar, options()))
	if len(want) != 5 {
		t.Fatalf("%d posts: %q", len(want), want)
	}
	if len(transforms) != 17 {
		t.Errorf("%d transforms", len(transforms))
	}
	for name, change := range transforms {
		if got := posts(openText(t, change(plainCalendar), options())); !slices.Equal(got, want) {
			t.Errorf("%s:\n%q\nwant\n%q", name, got, want)
		}
	}
}

// The same over all real calendars.
func TestCorpusPostsComeOutWhateverHappenedToTheBytes(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(corpus(t), "*.ics"))
	if err != nil {
		t.Fatal(err)
	}
	other := map[string]int{}
	for _, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		f, err := Open(t.Context(), bytes.NewReader(b), int64(len(b)), options())
		if err != nil {
			continue
		}
		o := options()
		if at := firstStart(f); !at.IsZero() {
			o.Now = at
		}
		text := strings.NewReplacer("\r\n", "\r\n", "\n", "\r\n").Replace(toUTF8(decode(string(b))))
		want := posts(openText(t, text, o))
		for name, change := range transforms {
			if got := posts(openText(t, change(text), o)); !slices.Equal(got, want) {
				other[name]++
				if other[name] < 3 {
					t.Logf("%s, %s: %d posts, want %d", filepath.Base(path), name, len(got), len(want))
					for i := range min(len(got), len(want)) {
						if got[i] != want[i] {
							t.Logf("  got  %.300s\n  want %.300s", got[i], want[i])
							break
						}
					}
				}
			}
		}
	}
	for name, n := range other {
		t.Errorf("%s: other posts in %d of %d files", name, n, len(files))
	}
}

func firstStart(f *File) (at time.Time) {
	for _, s := range f.series {
		if s.master != nil && s.master.start.set() {
			if w := s.master.start.at.utc(); at.IsZero() || w.Before(at) {
				at = w
			}
		}
	}
	return at
}

func TestLinesOfTextThatWereNotFoldedAreKept(t *testing.T) {
	t.Parallel()
	f := openText(t, "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART:20260305T090000Z\r\nDESCRIPTION:one\r\ntwo without a colon\r\nRead more: https://example.com\r\nLOCATION:here\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n", options())
	if got, want := f.rows[0].Draft.Text, "one\ntwo without a colon\nRead more: https://example.com"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if len(f.Notes()) != 1 || f.Notes()[0].Line != 5 || f.Notes()[0].Code != "BARE_LINE_END" {
		t.Errorf("notes %v", f.Notes())
	}
}

func TestOldCalendarsAreDecoded(t *testing.T) {
	t.Parallel()
	text := "BEGIN:VCALENDAR\r\nVERSION:1.0\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART:20260305T090000Z\r\n" +
		"SUMMARY;CHARSET=ISO-8859-1;ENCODING=QUOTED-PRINTABLE:Gr=FC=DFe an=\r\n alle=0D=0Aund mehr\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
	if got, want := openText(t, text, options()).rows[0].Draft.Text, "Grüße an alle\nund mehr"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := openText(t, strings.Replace(plainCalendar, "Grüße", "Gr\xfc\xdfe", 1), options()).rows[0].Draft.Title; !strings.HasPrefix(got, "Grüße") {
		t.Errorf("Windows-1252: %q", got)
	}
}

func TestOneBadEventNeverCostsTheOthers(t *testing.T) {
	t.Parallel()
	good := "BEGIN:VEVENT\r\nUID:good\r\nDTSTART:20260305T090000Z\r\nSUMMARY:good\r\nEND:VEVENT\r\n"
	for name, bad := range map[string]string{
		"no value":        "BEGIN:VEVENT\r\nUID:bad\r\nDTSTART;TZID=Foo\r\nSUMMARY:x\r\nEND:VEVENT\r\n",
		"quote":           "BEGIN:VEVENT\r\nUID:bad\r\nATTENDEE;CN=\"a\"b:mailto:x\r\nSUMMARY:x\r\nEND:VEVENT\r\n",
		"no end":          "BEGIN:VEVENT\r\nUID:bad\r\nDTSTART:2026\r\n",
		"no such day":     "BEGIN:VEVENT\r\nUID:bad\r\nDTSTART:20260232T090000Z\r\nSUMMARY:x\r\nEND:VEVENT\r\n",
		"bad rule":        "BEGIN:VEVENT\r\nUID:bad\r\nDTSTART:20260305T090000Z\r\nRRULE:FREQ=SOMETIMES\r\nSUMMARY:x\r\nEND:VEVENT\r\n",
		"stray end":       "END:VEVENT\r\nBEGIN:VEVENT\r\nUID:bad\r\nSUMMARY:x\r\nEND:VEVENT\r\n",
		"no text":         "BEGIN:VEVENT\r\nUID:bad\r\nDTSTART:20260305T090000Z\r\nEND:VEVENT\r\n",
		"minutely":        "BEGIN:VEVENT\r\nUID:bad\r\nDTSTART:20260305T090000Z\r\nRRULE:FREQ=MINUTELY\r\nSUMMARY:x\r\nEND:VEVENT\r\n",
		"never":           "BEGIN:VEVENT\r\nUID:bad\r\nDTSTART:20260305T090000Z\r\nRRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30\r\nSUMMARY:x\r\nEND:VEVENT\r\n",
		"alarm unclosed":  "BEGIN:VEVENT\r\nUID:bad\r\nSUMMARY:x\r\nBEGIN:VALARM\r\nTRIGGER:-PT5M\r\nEND:VEVENT\r\n",
		"picture by mail": "BEGIN:VEVENT\r\nUID:bad\r\nDTSTART:20260305T090000Z\r\nSUMMARY:x\r\nATTACH:cid:part1@x\r\nEND:VEVENT\r\n",
	} {
		f := openText(t, "BEGIN:VCALENDAR\r\n"+bad+good+"END:VCALENDAR\r\n", options())
		if len(f.rows) != 2 {
			t.Errorf("%s: %d rows %+v", name, len(f.rows), f.rows)
			continue
		}
		for _, r := range f.rows {
			if wrong := post.HasErrors(r.Problems); wrong != (r.UID == "bad") || wrong && r.Problems[0].Line == 0 {
				t.Errorf("%s: %s %v", name, r.UID, r.Problems)
			}
		}
	}
}

func TestTruncatedFilesAreTold(t *testing.T) {
	t.Parallel()
	for cut := len("BEGIN:VCALENDAR\r\n"); cut < len(plainCalendar)-2; cut += 7 {
		text := plainCalendar[:cut]
		ok, missing, err := Whole(t.Context(), strings.NewReader(text), int64(len(text)))
		if err != nil || ok || missing == "" {
			t.Fatalf("cut at %d: whole %v %q %v", cut, ok, missing, err)
		}
		f, err := Open(t.Context(), strings.NewReader(text), int64(len(text)), options())
		if err != nil {
			continue
		}
		if f.Complete() {
			t.Fatalf("cut at %d: complete", cut)
		}
		for _, r := range f.rows {
			if !post.HasErrors(r.Problems) && !slices.ContainsFunc(posts(openText(t, plainCalendar, options())), func(s string) bool { return strings.Contains(s, fmt.Sprintf("%q", r.Draft.Text)) }) {
				t.Fatalf("cut at %d: half an event is posted: %q", cut, r.Draft.Text)
			}
		}
	}
	for _, change := range []string{"", "\x1a", "\r\n\r\n"} {
		if ok, why, err := Whole(t.Context(), strings.NewReader(plainCalendar+change), int64(len(plainCalendar+change))); !ok || err != nil {
			t.Errorf("whole and %q: %s %v", change, why, err)
		}
	}
	for _, name := range []string{"UTF-16LE", "CR", "trailing blanks", "no last line end"} {
		text := transforms[name](plainCalendar)
		if ok, why, err := Whole(t.Context(), strings.NewReader(text), int64(len(text))); !ok || err != nil {
			t.Errorf("%s: %s %v", name, why, err)
		}
	}
}

func TestWhatIsNoCalendarIsRefusedWithAReason(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                             "empty",
		"<!DOCTYPE html><html>":        "login",
		"PK\x03\x04 and more":          "ZIP",
		"BEGIN:VCARD\r\nEND:VCARD\r\n": "address book",
		"content,platforms\r\na,b\r\n": "BEGIN:VCALENDAR",
		"BEGIN:VCALENDAR\r\nMETHOD:REPLY\r\nBEGIN:VEVENT\r\nUID:1\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n": "answer to an invitation",
		"BEGIN:VCALENDAR\r\nPRODID:" + ProdID + "\r\nEND:VCALENDAR\r\n":                               "written by postroom",
	} {
		_, err := Open(t.Context(), strings.NewReader(text), int64(len(text)), options())
		u, ok := err.(*Unusable)
		if !ok || !strings.Contains(u.Error(), want) && !strings.Contains(u.Problems[0].Hint, want) {
			t.Errorf("%.30q: %v, want %s", text, err, want)
		}
	}
}
