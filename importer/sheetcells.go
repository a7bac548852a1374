package importer

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"math"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/xuri/excelize/v2"

	"github.com/postroom/postroom/post"
)

// A workbook keeps dates as numbers, and only a cell's style says that it is one.
// The library shows a cell by its style, in an order of day and month that the style
// has or the language of a machine. So before the rows are read, the styles that
// show dates are given ones that show the number behind a mark: which, says the
// kind. The marks are of the private use area, which no text of people has.
const (
	markDate = "\ue0d1" // a date, with a time of day or without
	markTime = "\ue0d2" // only the time of day shows
)

// days1904 is by how much the serial numbers of a workbook that counts from 1904,
// as old Excels for the Mac made them, are smaller.
const days1904 = 1462

// markDates puts the marks into the styles of a workbook.
func markDates(x *excelize.File) error {
	ids := map[string]int{}
	for _, mark := range []string{markDate, markTime} {
		format := `"` + mark + `"0.0000000000`
		n, err := x.NewStyle(&excelize.Style{CustomNumFmt: &format})
		if err != nil {
			return err
		}
		xfs := x.Styles.CellXfs.Xf
		if n >= len(xfs) || xfs[n].NumFmtID == nil {
			return fmt.Errorf("no style %d", n)
		}
		ids[mark] = *xfs[n].NumFmtID
	}
	codes := map[int]string{}
	if x.Styles.NumFmts != nil {
		for _, f := range x.Styles.NumFmts.NumFmt {
			if f != nil {
				codes[f.NumFmtID] = f.FormatCode
			}
		}
	}
	for i := range x.Styles.CellXfs.Xf {
		xf := &x.Styles.CellXfs.Xf[i]
		if xf.NumFmtID == nil {
			continue
		}
		if mark := markOf(*xf.NumFmtID, codes); mark != "" {
			id := ids[mark]
			xf.NumFmtID = &id
		}
	}
	return nil
}

// markOf returns the mark of cells with a number format: "" of those that show no
// date. Formats below 164 are built in and need no code (ECMA-376 §18.8.30; those
// from 27 on are of East Asian languages).
func markOf(id int, codes map[int]string) string {
	if code, ok := codes[id]; ok {
		return markOfCode(code)
	}
	switch {
	case id >= 14 && id <= 17, id == 22, id >= 27 && id <= 31, id == 36, id >= 50 && id <= 54, id == 57, id == 58:
		return markDate
	case id >= 18 && id <= 21, id >= 32 && id <= 35, id >= 45 && id <= 47, id == 55, id == 56:
		return markTime
	}
	return ""
}

// notShown is what in a format code stands for no number: quoted and escaped text,
// colours, conditions and languages, but not [h], the hours that have gone by.
var notShown = regexp.MustCompile(`"[^"]*"?|\\.|_.|\*.|\[(?:[^\]hHmMsS]|[hHmMsS][^\]hHmMsS])[^\]]*\]`)

func markOfCode(code string) string {
	code, _, _ = strings.Cut(notShown.ReplaceAllString(code, ""), ";")
	code = strings.ToLower(code)
	if strings.Contains(code, "general") || strings.Contains(code, markDate) || strings.Contains(code, markTime) {
		return ""
	}
	clock := strings.ContainsAny(code, "hs")
	switch {
	case strings.ContainsAny(code, "yd"), strings.Contains(code, "m") && !clock:
		return markDate
	case clock:
		return markTime
	}
	return ""
}

// date writes the value of a cell that shows a date, as everywhere else in this
// package dates are written. ok is false of other cells. Times are rounded to the
// minute: no number of days is exactly nine o'clock.
func (b *book) date(cell string) (text string, ok bool) {
	number, day := strings.CutPrefix(cell, markDate)
	clock := false
	if !day {
		if number, clock = strings.CutPrefix(cell, markTime); !clock {
			return "", false
		}
	}
	v, err := strconv.ParseFloat(number, 64)
	if err != nil || math.IsNaN(v) || math.Abs(v) > 3_000_000 {
		return number, true
	}
	if clock {
		minutes := int(math.Round((v-math.Floor(v))*24*60)) % (24 * 60)
		return fmt.Sprintf("%02d:%02d", minutes/60, minutes%60), true
	}
	if v < 1 && v > 0 { // a time of day in a cell that is to show a date
		minutes := min(int(math.Round(v*24*60)), 24*60-1)
		return fmt.Sprintf("%02d:%02d", minutes/60, minutes%60), true
	}
	v += b.shift
	minutes := int64(math.Round(v * 24 * 60))
	at := time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC).AddDate(0, 0, int(minutes/(24*60))).Add(time.Duration(minutes%(24*60)) * time.Minute)
	if minutes%(24*60) == 0 {
		return at.Format("2006-01-02"), true
	}
	return at.Format("2006-01-02 15:04"), true
}

// An area is a block of cells, from 1.
type area struct{ top, left, bottom, right int }

// A cellAt is the place of one cell, from 1.
type cellAt struct{ row, column int }

// extras are what a sheet says of its cells outside its rows.
type extras struct {
	over       map[int][]area    // merged areas, by each of their rows
	firsts     map[cellAt]string // what the first cell of a merged area says, so far
	links      map[cellAt]string // where a link leads
	uncomputed []cellAt          // formulas without a value
	notes      []post.Problem
	linked     int
}

// Bounds of what is looked at outside the rows.
const (
	mostMerged     = 200_000 // rows of merged areas, each counted by itself
	mostMergedRows = 1_000   // of one area: what is larger is decoration
	mostUncomputed = 10_000
)

// uncomputed finds the cells with a formula and no value, as programs write them
// that cannot compute.
var uncomputed = regexp.MustCompile(`<(?:\w+:)?c\s[^>]*?r="([A-Z]{1,3}\d{1,7})"[^>]*>\s*<(?:\w+:)?f(?:\s[^>]*)?(?:/>|>[^<]*</(?:\w+:)?f>)\s*(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v>\s*</(?:\w+:)?v>)?\s*</(?:\w+:)?c>`)

// extras reads what stands beside the rows in a sheet's part. What cannot be read
// there is left out: the rows are what counts.
func (b *book) extras(name string) *extras {
	e := &extras{over: map[int][]area{}, firsts: map[cellAt]string{}, links: map[cellAt]string{}}
	part := b.parts[name]
	text := b.part(part)
	for _, m := range uncomputed.FindAllSubmatch(text, mostUncomputed) {
		if at, ok := place(string(m[1])); ok {
			e.uncomputed = append(e.uncomputed, at)
		}
	}
	end := bytes.LastIndex(text, []byte("sheetData"))
	if end < 0 {
		return e
	}
	targets := b.relations(path.Join(path.Dir(part), "_rels", path.Base(part)+".rels"))
	merged := 0
	d := xml.NewDecoder(bytes.NewReader(text[end+bytes.IndexByte(text[end:], '>')+1:]))
	d.Strict = false
	for {
		t, err := d.RawToken()
		if err != nil {
			return e
		}
		start, ok := t.(xml.StartElement)
		if !ok {
			continue
		}
		ref, id := attr(start, "ref"), attr(start, "id")
		switch start.Name.Local {
		case "mergeCell":
			a, ok := areaOf(ref)
			if n := a.bottom - a.top + 1; ok && n > 1 && n <= mostMergedRows && merged+n <= mostMerged {
				merged += n
				for row := a.top; row <= a.bottom; row++ {
					e.over[row] = append(e.over[row], a)
				}
			}
		case "hyperlink":
			if a, ok := areaOf(ref); ok && targets[id] != "" {
				e.links[cellAt{a.top, a.left}] = targets[id]
			}
		}
	}
}

// fill puts into the cells of a row what the merged areas over it say, and notes
// links that the text of their cell does not show.
func (e *extras) fill(row int, cells []string) []string {
	for i := range cells {
		at := cellAt{row, i + 1}
		if link := e.links[at]; link != "" && cells[i] != "" && !strings.Contains(cells[i], "://") && strings.Contains(link, "://") {
			if e.linked++; e.linked == 1 {
				e.notes = append(e.notes, post.Problem{Line: row, Column: i + 1, Code: "LINK_BEHIND_TEXT", Got: post.Shorten(link), Want: "the address in the cell: this link lies behind another text, and the text was read", Hint: "write the address into the cell where it is to be posted"})
			}
		}
	}
	for _, a := range e.over[row] {
		first := cellAt{a.top, a.left}
		switch {
		case row == a.top && a.left <= len(cells):
			e.firsts[first] = cells[a.left-1]
		case row > a.top && e.firsts[first] != "":
			for len(cells) < a.left {
				cells = append(cells, "")
			}
			cells[a.left-1] = e.firsts[first]
		}
	}
	return cells
}

// part returns the text of a part of the workbook, nil where there is none.
func (b *book) part(name string) []byte {
	v, _ := b.Pkg.Load(name)
	text, _ := v.([]byte)
	return text
}

// sheetParts returns the paths of the sheets' parts by the sheets' names.
func sheetParts(x *excelize.File) map[string]string {
	b := &book{File: x}
	targets := b.relations("xl/_rels/workbook.xml.rels")
	parts := map[string]string{}
	if x.WorkBook == nil {
		return parts
	}
	for _, s := range x.WorkBook.Sheets.Sheet {
		if t := targets[s.ID]; strings.HasPrefix(t, "/") {
			parts[s.Name] = strings.TrimPrefix(t, "/")
		} else if t != "" {
			parts[s.Name] = path.Join("xl", t)
		}
	}
	return parts
}

// relations returns where the relations of a part lead, by their ids.
func (b *book) relations(name string) map[string]string {
	var rels struct {
		List []struct {
			ID     string `xml:"Id,attr"`
			Target string `xml:"Target,attr"`
		} `xml:"Relationship"`
	}
	_ = xml.Unmarshal(b.part(name), &rels) // what cannot be read leads nowhere
	out := make(map[string]string, len(rels.List))
	for _, r := range rels.List {
		out[r.ID] = r.Target
	}
	return out
}

func attr(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// areaOf reads B2:C5, or B2 alone.
func areaOf(ref string) (a area, ok bool) {
	from, to, both := strings.Cut(ref, ":")
	if !both {
		to = from
	}
	f, ok1 := place(from)
	t, ok2 := place(to)
	return area{f.row, f.column, t.row, t.column}, ok1 && ok2 && f.row <= t.row && f.column <= t.column
}

func place(ref string) (cellAt, bool) {
	column, row, err := excelize.CellNameToCoordinates(ref)
	return cellAt{row, column}, err == nil
}
