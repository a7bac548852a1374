package importer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/postroom/postroom/post"
)

// sepLine is Excel's hint on the first line.
var sepLine = regexp.MustCompile(`^"?[sS][eE][pP]=([,;|\t])"?[ ,;]*\r?\n?$`)

// mostPreamble is how many lines may stand before the header row.
const mostPreamble = 10

// headSize is how much of the text the sniffing looks at.
const headSize = 64 << 10

// findHeader finds the delimiter and the header row in the first lines.
func (f *File) findHeader(ctx context.Context) error {
	head, whole, err := f.readHead()
	if err != nil {
		return err
	}
	f.line = 1
	if f.sheet != nil {
		f.delim = ','
		return f.pickHeader(ctx, head, whole)
	}
	first, rest := cutLine(head)
	if m := sepLine.FindSubmatch(first); m != nil {
		f.delim = m[1][0]
		f.skip += int64(len(head) - len(rest))
		f.line, head = 2, rest
		if !named(head, f.delim, whole) {
			f.delim = sniff(head, whole) // the hint is wrong
		}
	} else {
		f.delim = sniff(head, whole)
	}
	return f.pickHeader(ctx, head, whole)
}

// readHead reads the beginning of the text, and reports whether that is all of it.
// What stands before it is to be skipped.
func (f *File) readHead() (head []byte, whole bool, err error) {
	head = make([]byte, headSize)
	n, err := io.ReadFull(f.enc.reader(f.src, f.size), head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, false, fmt.Errorf("read %s: %w", f.opt.Name, err)
	}
	whole = n < len(head)
	head = bytes.TrimPrefix(head[:n], []byte("\ufeff"))
	f.skip = int64(n - len(head))
	return head, whole, nil
}

// cutLine cuts the first line off, with its ending.
func cutLine(b []byte) (line, rest []byte) {
	used, _ := passLine(b, lineEnd(b))
	return b[:used], b[used:]
}

// headRecords reads the first records of the text.
func (f *File) headRecords(head []byte, delim byte, whole bool, most int) []record {
	r := newRecordReader(bytes.NewReader(head), delim, f.opt.Limits)
	var out []record
	for len(out) < most {
		rec, err := r.next()
		if err != nil {
			break
		}
		if !whole && r.start == r.end && r.eof {
			break // cut off by the end of the head
		}
		c := *rec
		c.raw, c.text, c.ends = bytes.Clone(rec.raw), bytes.Clone(rec.text), slices.Clone(rec.ends)
		out = append(out, c)
	}
	return out
}

// pickHeader finds the header row: the first of the first rows with at least two
// known names, else the first with one, as a file with a folder's defaults may
// have only one column.
func (f *File) pickHeader(ctx context.Context, head []byte, whole bool) error {
	recs := f.headRecords(head, f.delim, whole, sniffRows)
	rows := recs
	recs = recs[:min(len(recs), mostPreamble+1)]
	at := -1
	for least := 2; least > 0 && at < 0; least-- {
		for i := range recs {
			cells := cellsOf(&recs[i])
			if n := known(cells); n >= least && (least > 1 || n == len(trimEmpty(cells))) && hasContent(cells) {
				at = i
				break
			}
		}
	}
	var found *recognition
	var from, to int
	if i := slices.IndexFunc(recs, func(r record) bool { return isReport(cellsOf(&r)) }); i >= 0 {
		f.report, at = true, i
	} else {
		found, from, to = recogniseIn(recs, at)
	}
	switch {
	case found != nil:
	case at >= 0:
		from, to = at, at+1
	default:
		if found = recogniseShape(rows, f.delim); found == nil {
			return f.noHeader(recs)
		}
		for i := range found.columns {
			f.header = append(f.header, found.columns[i].name)
		}
		return f.readHeader(ctx, f.header, found)
	}
	// Skip the bytes before it: records know their lines, and lines their bytes.
	before := head
	for line := 1; line < recs[from].line; line++ {
		_, before = cutLine(before)
	}
	f.skip += int64(len(head) - len(before))
	f.line += recs[from].line - 1
	blank := true
	for i := range recs[:from] {
		blank = blank && recs[i].blank()
	}
	if !blank {
		f.note(post.Problem{Code: "PREAMBLE", Line: f.line, Want: fmt.Sprintf("the header row was found on line %d; what stands before it was left out", f.sheet.at(f.line))})
	}
	f.headers = recs[from:to]
	return f.readHeader(ctx, cellsOf(&recs[to-1]), found)
}

// recogniseIn looks for the header rows of another tool among the first rows, not
// below the row at where there is a header row anyway (-1 for none), unless that is
// the row of their groups. They are the rows from up to to.
func recogniseIn(recs []record, at int) (r *recognition, from, to int) {
	var above []string
	for i := range recs {
		cells := cellsOf(&recs[i])
		r = recogniseHeader(cells, above)
		switch below := at >= 0 && i > at; {
		case r != nil && r.form.groups:
			return r, i - 1, i + 1
		case below:
			return nil, 0, 0
		case r != nil:
			return r, i, i + 1
		}
		above = cells
	}
	return nil, 0, 0
}

func cellsOf(r *record) []string {
	out := make([]string, r.cells())
	for i := range out {
		out[i] = r.cell(i)
	}
	return out
}

func trimEmpty(cells []string) []string {
	for len(cells) > 0 && strings.TrimSpace(cells[len(cells)-1]) == "" {
		cells = cells[:len(cells)-1]
	}
	return cells
}

func hasContent(cells []string) bool {
	for _, c := range cells {
		if columnOf(c).says() {
			return true
		}
	}
	return false
}

const wantHeader = "a header row like content,platforms,scheduled_time"

// noHeader says why none of the first rows is a header row, and what comes
// nearest to one.
func (f *File) noHeader(recs []record) error {
	const hint = "name the column with the texts `content`, and separate the columns by commas; docs/csv.md lists the names"
	firstAt := -1
	var letters letterTally
	for i := range recs {
		if f.guessed != "" && recs[i].fault == noFault {
			letters.look(f, &recs[i])
		}
	}
	if u := f.refusal(&letters); u != nil {
		u.Problems[0].Line += f.line - 1
		return u
	}
	for i := range recs {
		if recs[i].fault != noFault {
			w := faultWants[recs[i].fault]
			if recs[i].fault == tooManyCells {
				w = [2]string{fmt.Sprintf("at most %d columns", f.opt.Limits.MaxColumns), "remove columns that are not needed"}
			}
			return f.unusableAt(&recs[i], recs[i].where, "BROKEN_HEADER", string(recs[i].raw), w[0], w[1])
		}
		cells := trimEmpty(cellsOf(&recs[i]))
		if len(cells) == 0 {
			continue
		}
		if firstAt < 0 {
			firstAt = i
		}
		for _, c := range cells {
			if w, err := parseWhen(tidy(c), orderDMY); err == nil && w.clock {
				return f.unusableAt(&recs[i], 0, "NO_HEADER", string(recs[i].raw), wantHeader+": this row holds a post already", "add the header row above it")
			}
		}
		if len(cells) < 2 && len(recs) > 1 {
			continue
		}
		var wrong []post.Problem
		for col, c := range cells {
			if near := nearMiss(c); near != "" && columnOf(c).field == fieldUnknown {
				wrong = append(wrong, f.misspelt(f.line+recs[i].line-1, col+1, c, near))
			}
		}
		if len(wrong) > 0 {
			return &Unusable{wrong}
		}
		if known(cells) > 1 {
			return f.unusableAt(&recs[i], 0, "NO_CONTENT_COLUMN", string(recs[i].raw), "a column named content", "name the column that holds the texts")
		}
	}
	if firstAt < 0 {
		return unusable(&f.opt, codeEmpty, "", "a header row and at least one row: the file holds no text", "drop the calendar again")
	}
	return f.unusableAt(&recs[firstAt], 0, "NO_HEADER", string(recs[firstAt].raw), wantHeader, hint)
}

// unusableAt makes the error of a file with one problem, at one of its first
// records.
func (f *File) unusableAt(r *record, column int, code, got, want, hint string) *Unusable {
	u := unusable(&f.opt, code, got, want, hint)
	u.Problems[0].Line, u.Problems[0].Column = f.line+r.line-1, column
	return u
}

func (f *File) misspelt(line, column int, name, near string) post.Problem {
	return post.Problem{File: f.opt.Name, Line: line, Column: column, Code: "MISSPELT_COLUMN", Got: post.Shorten(name), Want: "a known column name", Hint: fmt.Sprintf("did you mean %s? Otherwise give the column another name", near)}
}

// readHeader decides what each column means: as the tool says whose file was
// recognised, else by its name. All that is wrong is said at once.
func (f *File) readHeader(ctx context.Context, cells []string, found *recognition) error {
	cells = trimEmpty(cells)
	f.header = cells
	if f.report {
		return nil
	}
	if len(cells) > f.opt.Limits.MaxColumns {
		return unusable(&f.opt, "TOO_MANY_COLUMNS", fmt.Sprintf("%d columns", len(cells)), fmt.Sprintf("at most %d", f.opt.Limits.MaxColumns), "remove columns that are not needed")
	}
	var wrong []post.Problem
	var unknown []string
	have := map[field]int{}
	for _, name := range cells {
		f.columns = append(f.columns, columnOf(name))
	}
	if found != nil {
		f.adopt(found)
	}
	if err := f.findGates(ctx); err != nil {
		return err
	}
	for _, c := range f.columns {
		if c.field != fieldVariant && (c.form == nil || c.form.count == 0) {
			have[c.field]++
		}
	}
	if len(f.headers) > 0 {
		for _, name := range cells {
			f.hadOrder = max(f.hadOrder, hadOrder(name))
			f.twelve = f.twelve || hadTwelve(name)
		}
	}
	f.twelve = f.twelve || have[fieldHalf] > 0
	f.approves = have[fieldApprove] > 0
	f.splitTimes(have)
	f.weekdays(have)
	// A date column alone holds the whole time.
	if have[fieldWhen] == 0 && have[fieldDate] > 0 && have[fieldTime] == 0 {
		f.rename(fieldDate, fieldWhen)
		have[fieldWhen], have[fieldDate] = have[fieldDate], 0
	}
	if have[fieldWhen] > 0 && have[fieldDate] == 0 && have[fieldTime] > 0 {
		f.rename(fieldWhen, fieldDate)
		have[fieldDate], have[fieldWhen] = have[fieldWhen], 0
	}
	for i, name := range cells {
		if f.columns[i].field != fieldUnknown {
			continue
		}
		near := nearMiss(name)
		if near == "" || have[field(near)] > 0 {
			continue
		}
		wrong = append(wrong, f.misspelt(f.line, i+1, name, near))
	}
	f.duplicates(have)
	f.readZone()
	if have[fieldContent] == 0 && !hasContent(cells) && have[fieldMedia] == 0 && have[fieldTitle] == 0 && len(wrong) == 0 {
		wrong = append(wrong, post.Problem{File: f.opt.Name, Line: f.line, Code: "NO_CONTENT_COLUMN", Want: "a column named content", Hint: "name the column that holds the texts"})
	}
	if !f.hasPlaces(have) && len(wrong) == 0 {
		p := post.Problem{File: f.opt.Name, Line: f.line, Code: "NO_PLATFORMS", Want: "a column named platforms, or a default for the folder", Hint: "add the column, drop the file into inbox/ACCOUNT/CONNECTION/, or write `platforms: [ID]` into a defaults.yaml beside it"}
		if f.form != nil {
			p.Want = fmt.Sprintf("a default for the folder: files for %s do not say where a post goes", f.form.template())
			p.Hint = "drop the file into inbox/ACCOUNT/CONNECTION/, or write `platforms: [ID]` into a defaults.yaml beside it"
		}
		wrong = append(wrong, p)
	}
	if len(wrong) > 0 {
		return &Unusable{wrong}
	}
	for i, c := range f.columns {
		if name := strings.TrimSpace(cells[i]); name != "" && c == (column{}) && columnOf(name).field == fieldUnknown {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		f.note(post.Problem{Line: f.line, Code: "UNKNOWN_COLUMNS", Got: post.Shorten(listed(unknown)), Want: "columns that postroom knows: these were left out", Hint: "docs/csv.md lists the names"})
	}
	if f.form != nil {
		f.note(post.Problem{Line: f.line, Code: "DIALECT", Want: fmt.Sprintf("read as a file for %s: %s", f.form.template(), f.why)})
	}
	if have[fieldWhen] == 0 && have[fieldDate] == 0 && have[fieldYear] == 0 {
		f.note(post.Problem{Line: f.line, Code: "NO_TIME_COLUMN", Want: "a column named scheduled_time: there is none, so no row has a time"})
	}
	return nil
}

// splitTimes finds the columns that hold the time in parts: year, month, day, hour
// and minute, or "publish date" with "publish time".
func (f *File) splitTimes(have map[field]int) {
	at := map[string]int{}
	for i, name := range f.header {
		at[squeeze(name)] = i
	}
	parts := []field{fieldYear, fieldMonth, fieldDay, fieldHour, fieldMinute}
	n := 0
	for _, part := range parts {
		if _, ok := at[string(part)]; ok {
			n++
		}
	}
	if n == len(parts) {
		for _, part := range parts {
			c := &f.columns[at[string(part)]]
			have[c.field]--
			c.field = part
			have[part]++
		}
	}
	if have[fieldWhen] < 2 || have[fieldDate] > 0 || have[fieldTime] > 0 {
		return
	}
	day, clock := -1, -1
	var others []string
	for i, c := range f.columns {
		switch s := squeeze(f.header[i]); {
		case c.field != fieldWhen:
		case have[fieldWhen] > 2 && !surelyWhen(f.header[i]):
			others = append(others, f.header[i])
		case strings.HasSuffix(s, "date") && day < 0:
			day = i
		case strings.HasSuffix(s, "time") && clock < 0:
			clock = i
		}
	}
	if day < 0 || clock < 0 || len(others)+2 != have[fieldWhen] {
		return
	}
	for i, c := range f.columns {
		if c.field == fieldWhen {
			f.columns[i].field = fieldIgnored
		}
	}
	f.columns[day].field, f.columns[clock].field = fieldDate, fieldTime
	have[fieldWhen], have[fieldDate], have[fieldTime] = 0, 1, 1
	if len(others) > 0 {
		f.duplicate(day, others, fieldDate)
	}
}

// duplicate says which column was taken of several that may be meant.
func (f *File) duplicate(taken int, left []string, want field) {
	f.note(post.Problem{Line: f.line, Column: taken + 1, Code: "DUPLICATE_COLUMN", Got: post.Shorten(listed(left)), Want: fmt.Sprintf("one column for %s: %q was taken", want, f.header[taken]), Hint: "remove the others, or give them names that mean something else"})
}

func (f *File) rename(from, to field) {
	for i := range f.columns {
		if f.columns[i].field == from {
			f.columns[i].field = to
		}
	}
}

// single are the fields of which a row can have only one value.
var single = []field{fieldContent, fieldPlatforms, fieldWhen, fieldDate, fieldTime, fieldHalf, fieldTitle, fieldZone, fieldStatus, fieldApprove, fieldID, fieldComment, fieldSettings, fieldRepeat, fieldLink}

// decisive are the fields of single for which the wrong column would post the wrong
// thing, or at the wrong time: what was left out must not say something else.
var decisive = []field{fieldContent, fieldWhen, fieldDate, fieldTime, fieldHalf, fieldZone, fieldStatus, fieldApprove, fieldRepeat}

// A twin is a column that was left out for one that means the same.
type twin struct {
	taken, left int
	same        bool // they have the same name
}

// duplicates finds single-valued fields that several columns claim. Of columns
// with the same name the first counts, and the survey sees whether all agree; of
// columns with different names the better one wins, and where none is better the
// survey sees whether they agree in what is decisive.
func (f *File) duplicates(have map[field]int) {
	for _, want := range single {
		if have[want] < 2 {
			continue
		}
		var at []int
		names := map[string]int{}
		for i, c := range f.columns {
			if c.field == want {
				at = append(at, i)
				names[squeeze(f.header[i])]++
			}
		}
		if len(names) < len(at) {
			for _, i := range at[1:] {
				f.columns[i].field = fieldIgnored
				f.twins = append(f.twins, twin{at[0], i, true})
			}
			continue
		}
		best, clear := f.better(want, at)
		var left []string
		for _, i := range at {
			if i == best {
				continue
			}
			if !clear && slices.Contains(decisive, want) && want != fieldApprove {
				f.twins = append(f.twins, twin{best, i, false})
			}
			if !f.alsoGate(want, i) {
				f.columns[i].field = fieldIgnored
				left = append(left, f.header[i])
			}
		}
		if len(left) > 0 {
			f.duplicate(best, left, want)
		}
	}
}

// better picks one of several columns for a field, and says whether its name leaves
// no doubt: that of the tool whose file it is, or of postroom itself, though many a
// calendar has its texts not in "Content" but in "Caption"; and of times the one
// column that is about publishing.
func (f *File) better(want field, at []int) (best int, clear bool) {
	for _, i := range at {
		if f.columns[i].form != nil {
			return i, true
		}
	}
	for _, i := range at {
		if squeeze(f.header[i]) == squeeze(string(want)) {
			return i, want != fieldContent
		}
	}
	if want == fieldWhen || want == fieldDate {
		if sure := slices.DeleteFunc(slices.Clone(at), func(i int) bool { return !surelyWhen(f.header[i]) }); len(sure) == 1 {
			return sure[0], true
		}
	}
	return at[0], false
}

// surelyWhen reports whether a column for the time is named after publishing: "due"
// and "start" may be about the work before it.
func surelyWhen(name string) bool {
	name = squeeze(name)
	for _, prefix := range []string{"schedul", "golive", "livedate", "publi", "post", "veröffentlich", "fechadepubli", "datedepubli", "datadepubli", "datadipubbli", "dateofpubli"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// weekdays leaves out a column "Day" beside one for the date: it holds the name of
// the day.
func (f *File) weekdays(have map[field]int) {
	for i, c := range f.columns {
		if c.field == fieldDate && c.form == nil && squeeze(f.header[i]) == "day" && have[fieldDate]+have[fieldWhen] > 1 {
			f.columns[i].field = fieldIgnored
			have[fieldDate]--
		}
	}
}

// survey reads the whole file once for what only the whole tells: how many rows
// there are, and how each date column orders day and month.
func (f *File) survey(ctx context.Context) error {
	f.dates, f.whys, f.serial = make([]dateOrder, len(f.columns)), make([]string, len(f.columns)), make([]bool, len(f.columns))
	var whens, clocks, nameless []int
	for i, c := range f.columns {
		if strings.TrimSpace(f.header[i]) == "" {
			nameless = append(nameless, i)
		}
		switch c.field {
		case fieldWhen, fieldDate:
			whens = append(whens, i)
		case fieldTime:
			clocks = append(clocks, i)
		}
	}
	lost := f.carried()
	var letters letterTally
	seen := make([]dateStats, len(whens))
	if !f.opt.Today.IsZero() {
		for i := range seen {
			seen[i].years.today = f.opt.Today.Year()
		}
	}
	err := f.eachRecord(ctx, func(rec *record) (more bool, err error) {
		if f.rows++; f.rows > f.opt.Limits.MaxRows {
			return false, unusable(&f.opt, "TOO_MANY_ROWS", "", fmt.Sprintf("at most %d rows", f.opt.Limits.MaxRows), "split the file")
		}
		if rec.fault != noFault {
			return true, nil
		}
		for i, col := range whens {
			seen[i].add(rec.cell(col), f.sheet.at(rec.line))
		}
		for _, col := range clocks {
			f.twelve = f.twelve || saysHalf(strings.TrimSpace(rec.cell(col)))
		}
		for i := range lost {
			lost[i].look(rec)
		}
		if f.guessed != "" {
			letters.look(f, rec)
		}
		for _, t := range f.twins {
			if a, b := rec.cell(t.taken), rec.cell(t.left); a != b && (t.same || strings.TrimSpace(b) != "") {
				return false, &Unusable{[]post.Problem{f.conflict(t, rec.line, b)}}
			}
		}
		for i, col := range nameless {
			if cell := strings.TrimSpace(rec.cell(col)); cell != "" {
				f.note(post.Problem{Line: rec.line, Column: col + 1, Code: "NAMELESS_COLUMN", Got: post.Shorten(cell), Want: "a name in the header row for this column: it was left out"})
				nameless = append(nameless[:i], nameless[i+1:]...)
				break
			}
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	if f.rows == 0 {
		return unusable(&f.opt, "NO_ROWS", "", "at least one row below the header", "add rows and drop the file again")
	}
	if u := f.refusal(&letters); u != nil {
		return u
	}
	f.tellLost(lost)
	var wrong []post.Problem
	for i, col := range whens {
		f.twelve = f.twelve || seen[i].half
		if p, bad := f.decide(col, &seen[i]); bad {
			wrong = append(wrong, p)
		}
	}
	if len(wrong) > 0 {
		return &Unusable{wrong}
	}
	return nil
}

// conflict says that two columns claim a field and differ.
func (f *File) conflict(t twin, line int, got string) post.Problem {
	p := post.Problem{File: f.opt.Name, Line: f.sheet.at(line), Column: t.left + 1, Field: string(f.columns[t.taken].field), Code: "DUPLICATE_COLUMN", Got: post.Shorten(got)}
	if t.same {
		p.Want = fmt.Sprintf("one value: columns %d and %d are both named %s, and this row differs in them", t.taken+1, t.left+1, strings.TrimSpace(f.header[t.taken]))
		p.Hint = "remove one of the columns"
		return p
	}
	p.Want = fmt.Sprintf("one column for %s: %q and %q may both be it, and this row differs in them", p.Field, strings.TrimSpace(f.header[t.taken]), strings.TrimSpace(f.header[t.left]))
	p.Hint = fmt.Sprintf("name the one that is meant %s, and give the other a name that means something else", p.Field)
	return p
}

// decide sets how a date column is read.
func (f *File) decide(col int, s *dateStats) (post.Problem, bool) {
	name := f.header[col]
	hinted := orderNone
	if len(f.headers) > 0 {
		hinted = orderIn(name)
	}
	f.serial[col] = s.serials > 0 && s.serials == s.filled
	if f.serial[col] {
		f.note(post.Problem{Line: f.line, Column: col + 1, Field: name, Code: "EXCEL_SERIALS", Got: s.sample, Want: "dates: the numbers of this column were read as Excel's days since 1900", Hint: "a file from an old Excel for the Mac may count from 1904: then format the column as text"})
	}
	if order, why := f.yearFirst(s.years.order(), hinted); order != orderNone {
		f.dates[col], f.whys[col] = order, why
		return post.Problem{}, false
	}
	switch {
	case s.dmy > 0 && s.mdy > 0:
		return post.Problem{File: f.opt.Name, Line: f.line, Column: col + 1, Field: name, Code: "MIXED_DATES", Want: fmt.Sprintf("one order of day and month: line %d has the day first, line %d the month", s.dmy, s.mdy), Hint: "write dates as 2026-03-01"}, true
	case s.dmy > 0 && hinted == orderMDY, s.mdy > 0 && hinted == orderDMY:
		return post.Problem{File: f.opt.Name, Line: max(s.dmy, s.mdy), Column: col + 1, Field: name, Code: "MIXED_DATES", Got: post.Shorten(name), Want: fmt.Sprintf("one order of day and month: the name of the column says that the %s comes first, and this line has it otherwise", hinted.first()), Hint: "write dates as 2026-03-01"}, true
	case s.dmy > 0 && f.hadOrder == orderMDY, s.mdy > 0 && f.hadOrder == orderDMY:
		return post.Problem{File: f.opt.Name, Line: max(s.dmy, s.mdy), Column: col + 1, Field: name, Code: "MIXED_DATES", Want: fmt.Sprintf("one order of day and month: the %s comes first in the file that these rows come from", f.hadOrder.first()), Hint: "write dates as 2026-03-01"}, true
	case s.dmy > 0:
		f.dates[col], f.whys[col] = orderDMY, fmt.Sprintf("line %d can only be read so", s.dmy)
	case s.mdy > 0:
		f.dates[col], f.whys[col] = orderMDY, fmt.Sprintf("line %d can only be read so", s.mdy)
	case s.open > 0 && hinted != orderNone:
		f.dates[col], f.whys[col] = hinted, "the name of the column says so"
	case s.open > 0 && f.hadOrder != orderNone:
		f.dates[col], f.whys[col] = f.hadOrder, "the file has it so that these rows come from"
	case s.open > 0 && f.opt.DateOrder == "dmy":
		f.dates[col], f.whys[col] = orderDMY, "date_order of the folder or the account says so"
	case s.open > 0 && f.opt.DateOrder == "mdy":
		f.dates[col], f.whys[col] = orderMDY, "date_order of the folder or the account says so"
	case s.open > 0 && f.form != nil && f.form.order != orderNone:
		f.dates[col], f.whys[col] = f.form.order, "files for "+f.form.name+" have it so"
		f.note(post.Problem{Line: f.line, Column: col + 1, Field: name, Code: "DATE_ORDER", Got: s.sampleOpen, Want: fmt.Sprintf("a date that says which is the day: the %s comes first, as in files for %s", f.form.order.first(), f.form.name), Hint: "set date_order to dmy or mdy in the config or a defaults.yaml if that is wrong"})
	case s.open > 0:
		f.dates[col], f.whys[col] = orderOpen, "nothing in the column tells: set date_order to dmy or mdy in the config or a defaults.yaml"
	}
	return post.Problem{}, false
}

// yearFirst decides where the years of two digits stand in a column: where its name, the
// file that its rows come from or date_order says so, else as its dates tell. It is
// orderNone where they stand last.
func (f *File) yearFirst(told, hinted dateOrder) (dateOrder, string) {
	switch {
	case told == orderNone:
		return orderNone, ""
	case hinted == orderYMD:
		return orderYMD, "the name of the column says so"
	case hinted != orderNone:
		return orderNone, ""
	case f.hadOrder == orderYMD:
		return orderYMD, "the file has it so that these rows come from"
	case f.hadOrder != orderNone:
		return orderNone, ""
	case f.opt.DateOrder == orderYMD.String():
		return orderYMD, "date_order of the folder or the account says so"
	case f.opt.DateOrder != "":
		return orderNone, ""
	case told == orderYMD:
		return orderYMD, "only so are all its dates near"
	}
	return orderYear, "nothing in the column tells: write years of four digits, or set date_order to dmy, mdy or ymd in the config or a defaults.yaml"
}

// dateOrder returns the order of the dates in all columns, orderNone where no such
// date occurs or nothing tells.
func (f *File) dateOrder() dateOrder {
	order := orderNone
	for _, o := range f.dates {
		switch {
		case o == orderNone || o == order:
		case o == orderOpen || o == orderYear || order != orderNone:
			return orderNone
		default:
			order = o
		}
	}
	return order
}
