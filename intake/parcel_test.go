package intake_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/intake"
	"github.com/postroom/postroom/post"
)

// packed makes a ZIP of names and contents, in turn.
func packed(t testing.TB, files ...string) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		f, err := w.Create(files[i])
		if err == nil {
			_, err = f.Write([]byte(files[i+1]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

const packedHeader = "content,platforms,scheduled_time,media_url\n"

// The names in a calendar are those that people see, and those in a ZIP what their
// program made of them.
func TestMediaOfAZipIsFoundAsPeopleNameIt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ rule, ref, inside string }{
		{"beside the calendar", "a.png", "spring/a.png"},
		{"below the calendar", "pics/a.png", "spring/pics/a.png"},
		{"from the ZIP's root", "pics/a.png", "pics/a.png"},
		{"in whatever folder, where there is one such name", "a.png", "pics/a.png"},
		{"in another case", "A.PNG", "spring/a.png"},
		{"with backslashes in the calendar", `pics\a.png`, "spring/pics/a.png"},
		{"with backslashes in the ZIP", "pics/a.png", `spring\pics\a.png`},
		{"with accents taken apart in the ZIP", "caf\u00e9.png", "spring/cafe\u0301.png"},
		{"with accents taken apart in the calendar", "cafe\u0301.png", "spring/caf\u00e9.png"},
	} {
		d := newDesk(t)
		text := packed(t, "spring/plan.csv", packedHeader+"Hello,twitter,2026-04-01 09:00,"+c.ref+"\n",
			c.inside, "the picture", "__MACOSX/spring/._plan.csv", "x", "spring/.DS_Store", "x")
		d.with(&pinner{}, "spring.zip", text, post.Counts{Rows: 1, Accepted: 1})
		if pins := d.pinsOf()["Hello"]; len(pins) != 1 || pins[0].Size != int64(len("the picture")) {
			t.Errorf("%s: %v", c.rule, pins)
		}
	}
}

func TestMediaThatAZipLacksRejectsItsRow(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	res := d.with(&pinner{}, "spring.zip", packed(t, "plan.csv", packedHeader+
		"Lacking,twitter,2026-04-01 09:00,beech.png\n"+
		"Twice,twitter,2026-04-02 09:00,dup.png\n"+
		"Cases,twitter,2026-04-03 09:00,CASE.png\n"+
		"There,twitter,2026-04-04 09:00,beach.png\n",
		"beach.png", "1", "a/dup.png", "1", "b/dup.png", "2", "Case.png", "1", "case.png", "2"),
		post.Counts{Rows: 4, Accepted: 1, Rejected: 3})
	want := []string{
		`spring.zip:2:4: media_url: got "beech.png", want a picture or film: no such file in the ZIP: did you mean beach.png?`,
		`spring.zip:3:4: media_url: got "dup.png", want a picture or film: the ZIP has several files of that name in its folders`,
		`spring.zip:4:4: media_url: got "CASE.png", want a picture or film: the ZIP has several files whose names differ`,
	}
	for i, w := range want {
		if i >= len(res.Problems) || !strings.HasPrefix(res.Problems[i].String(), w) {
			t.Errorf("got %v, want %s", res.Problems, w)
		}
	}
}

func TestZipsThatCannotBeUsedSayWhy(t *testing.T) {
	t.Parallel()
	plan := packedHeader + "Hello,twitter,2026-04-01 09:00,\n"
	link := func() string {
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		h := &zip.FileHeader{Name: "a.png"}
		h.SetMode(fs.ModeSymlink | 0o777)
		f, err := w.CreateHeader(h)
		if err == nil {
			_, err = f.Write([]byte("/etc/passwd"))
		}
		if err != nil || w.Close() != nil {
			t.Fatal(err)
		}
		return b.String()
	}()
	locked := []byte(packed(t, "plan.csv", plan))
	for _, magic := range []string{"PK\x03\x04", "PK\x01\x02"} {
		at := bytes.Index(locked, []byte(magic))
		locked[at+6+2*(len(magic)-4)+map[string]int{"PK\x03\x04": 0, "PK\x01\x02": 2}[magic]] |= 1
	}
	for name, c := range map[string]struct{ data, code, want string }{
		"two calendars":         {packed(t, "may.csv", plan, "june.xlsx", "x"), "SEVERAL_CALENDARS", "may.csv, june.xlsx"},
		"no calendar":           {packed(t, "a.png", "x"), "NO_CALENDAR", "one calendar in it"},
		"a name that leads out": {packed(t, "plan.csv", plan, "../evil.png", "x"), "UNSAFE_ZIP", "../evil.png"},
		"an absolute name":      {packed(t, "plan.csv", plan, "/evil.png", "x"), "UNSAFE_ZIP", "/evil.png"},
		"a drive":               {packed(t, "plan.csv", plan, `C:\evil.png`, "x"), "UNSAFE_ZIP", "C:/evil.png"},
		"a link":                {link, "UNSAFE_ZIP", "a.png"},
		"a password":            {string(locked), "ENCRYPTED", "without a password"},
		"a bomb":                {packed(t, "plan.csv", plan, "a.png", strings.Repeat("\x00", 64<<20)), "ZIP_TOO_LARGE", "a.png"},
		"a text document":       {packed(t, "[Content_Types].xml", "x", "word/document.xml", "x"), "NOT_CSV", "a text document"},
		"an OpenDocument":       {packed(t, "mimetype", "application/vnd.oasis.opendocument.spreadsheet", "content.xml", "x"), "NOT_CSV", "save it as .xlsx"},
		"Numbers":               {packed(t, "Index/Document.iwa", "x"), "NOT_CSV", "Apple Numbers"},
		"a ZIP that is cut off": {packed(t, "plan.csv", plan)[:80], "BROKEN_ZIP", "make it again"},
		"a calendar of no use":  {packed(t, "plan.csv", "a,b\n1,2\n"), "NO_HEADER", "a header row"},
	} {
		d := newDesk(t)
		req := d.request("spring.zip", c.data)
		req.Media = &pinner{}
		res, err := d.intake.Import(t.Context(), req)
		if err != nil || res.Outcome != intake.Unusable || res.Problems[0].Code != c.code || !strings.Contains(res.Problems[0].String(), c.want) {
			t.Errorf("%s: %v %v, want %s", name, err, res.Problems, c.code)
		}
	}
}

// TestP9_AZipAgain: a ZIP is one file. Its bytes again bring nothing, and a new ZIP
// of its name is a revision of it.
func TestP9_AZipAgain(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	plan := func(rows ...string) string {
		var b strings.Builder
		b.WriteString(packedHeader)
		for i, r := range rows {
			fmt.Fprintf(&b, "%s,twitter,2026-04-%02d 09:00,a.png\n", r, i+1)
		}
		return b.String()
	}
	first := packed(t, "plan.csv", plan("One", "Two"), "a.png", "x")
	d.with(&pinner{}, "spring.zip", first, post.Counts{Rows: 2, Accepted: 2})
	req := d.request("spring.zip", first)
	req.Media = &pinner{}
	if res, err := d.intake.Import(t.Context(), req); err != nil || res.Outcome != intake.Duplicate {
		t.Errorf("%v %v", res.Outcome, err)
	}
	d.with(&pinner{}, "spring.zip", packed(t, "plan.csv", plan("One", "Two", "Three"), "a.png", "x"), post.Counts{Rows: 3, Accepted: 1, Unchanged: 2})
}

// A ZIP or a workbook has its directory at its end, so half of one is known by it.
func TestP5_HalfAZipIsNotWhole(t *testing.T) {
	t.Parallel()
	text := packed(t, "plan.csv", packedHeader+"Hello,twitter,2026-04-01 09:00,\n")
	for n := 4; n <= len(text); n++ {
		ok, missing, _, err := intake.Whole(t.Context(), "spring.zip", strings.NewReader(text[:n]), int64(n))
		if err != nil || ok != (n == len(text)) || !ok && missing == "" {
			t.Fatalf("%d of %d bytes: %v %q %v", n, len(text), ok, missing, err)
		}
	}
}

// A calendar in a ZIP is read like any other, and its report is written again from
// the ZIP.
func TestAReportIsWrittenAgainFromAZip(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	text := packed(t, "plan.ics", "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART:20260401T090000Z\r\nSUMMARY:Hello\r\nCATEGORIES:twitter\r\nATTACH:a.png\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n", "a.png", "x")
	res := d.with(&pinner{}, "spring.zip", text, post.Counts{Rows: 1, Accepted: 1})
	if res.Import.Format != "ical" {
		t.Errorf("format %s", res.Import.Format)
	}
	archive := func(string) (intake.Original, error) { return original{strings.NewReader(text)}, nil }
	if err := d.intake.Rewrite(t.Context(), res.Import, archive, time.UTC, d.now, true); err != nil {
		t.Error(err)
	}
}

// An original is an archived file that is opened again.
type original struct{ *strings.Reader }

func (original) Close() error { return nil }
