package importer

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"github.com/postroom/postroom/internal/walltime"
	"github.com/postroom/postroom/post"
)

// fill makes the Row of record i of a chunk.
func (f *File) fill(row *Row, b *binder, i int) {
	k := &b.recs[i]
	row.Line, row.Raw = f.sheet.at(k.line), b.raw(i)
	row.Problems = row.Problems[:0]
	row.Cells = row.Cells[:0]
	for col := range f.header {
		row.Cells = append(row.Cells, b.cell(i, col))
	}
	conns := row.Draft.Connections[:0]
	row.Draft = post.Draft{Connections: conns, Content: post.Content{Media: row.Draft.Media[:0]}}
	if k.fault != noFault {
		row.fault(k)
		return
	}
	m := maker{File: f, row: row, in: &b.bounds[i]}
	if f.sheet != nil {
		for _, p := range f.sheet.wrong[row.Line] {
			row.problem(p)
		}
	}
	if m.repeatsHeader() {
		row.problem(post.Problem{Code: "REPEATED_HEADER", Got: post.Shorten(string(row.Raw)), Want: "a post: this row repeats the header", Hint: "take the row out"})
		return
	}
	if k.ctrl {
		m.clean()
	}
	m.width(b, i)
	m.content()
	m.platforms()
	m.when()
	m.repeat()
	m.status()
	m.media()
	m.rest()
	if m.guessed != "" {
		m.readable()
	}
	if m.form != nil {
		m.foreignCells()
	}
}

// faultWants are what is wanted of a record with a fault, and the next step.
var faultWants = map[fault][2]string{
	openQuote:    {"a closing quote: the one that opens on this line is never closed", `close it, and write a quote within a text twice: ""`},
	afterQuote:   {"a comma or the end of the line after a closing quote", `write a quote within a text twice: ""`},
	rowTooLong:   {"a shorter row", "look for a quote that is not closed"},
	cellTooLong:  {"a shorter cell", "shorten the text, or look for a quote that is not closed"},
	tooManyCells: {"fewer cells", "look for a text that is not in quotes"},
}

func (row *Row) fault(k *kept) {
	w := faultWants[k.fault]
	got := string(row.Raw[:min(len(row.Raw), 200)])
	if k.until > k.line {
		lines := fmt.Sprintf("; line %d went with it", k.until)
		if k.until > k.line+1 {
			lines = fmt.Sprintf("; lines %d to %d went with it", k.line+1, k.until)
		}
		w[0] += lines
	}
	row.problem(post.Problem{Column: k.where, Code: "BROKEN_ROW", Got: post.Shorten(strings.TrimSpace(got)), Want: w[0], Hint: w[1]})
}

// problem adds a problem at this row.
func (row *Row) problem(p post.Problem) {
	p.File, p.Line = row.file.opt.Name, row.Line
	if s := row.file.sheet; s != nil {
		p.Sheet = s.name
	}
	if p.Column == 0 && p.Field != "" {
		p.Column = row.Column(p.Field)
	}
	row.Problems = append(row.Problems, p)
}

// A maker makes one draft.
type maker struct {
	*File
	row   *Row
	in    *bound
	named bool // an event says itself where it is to be posted
	back  bool // something in the row keeps it back
}

func (m *maker) wrong(f field, code, got, want, hint string) {
	m.row.problem(post.Problem{Field: string(f), Code: code, Got: post.Shorten(got), Want: want, Hint: hint})
}

func (m *maker) warn(f field, code, got, want, hint string) {
	m.row.problem(post.Problem{Field: string(f), Code: code, Got: post.Shorten(got), Want: want, Hint: hint, Severity: post.SeverityWarning})
}

// width refuses rows with more filled cells than the header has columns.
func (m *maker) width(b *binder, i int) {
	for col := len(m.header); col < b.recs[i].n; col++ {
		if extra := b.cell(i, col); strings.TrimSpace(extra) != "" {
			m.row.problem(post.Problem{Column: col + 1, Code: "TOO_MANY_CELLS", Got: post.Shorten(extra), Want: fmt.Sprintf("no more cells than the header has: %d", len(m.header)), Hint: "put texts that hold a comma in quotes"})
			return
		}
	}
}

// excelError are what a spreadsheet writes where a formula failed.
var excelError = map[string]bool{"#REF!": true, "#NAME?": true, "#N/A": true, "#VALUE!": true, "#DIV/0!": true, "#NULL!": true, "#NUM!": true, "#NV": true, "#BEZUG!": true, "#WERT!": true, "#ERROR!": true,
	"#SPILL!": true, "#CALC!": true, "#FIELD!": true, "#GETTING_DATA": true, "#NOM?": true, "#VALEUR!": true, "#¡REF!": true, "#¿NOMBRE?": true, "#¡VALOR!": true, "#VALOR!": true, "#NOMBRE?": true, "#NOME?": true, "#NAAM?": true, "#WAARDE!": true, "#VERW!": true}

// repeatsHeader reports whether the row is the header once more, as in files that
// were put together from several.
func (m *maker) repeatsHeader() bool {
	for i, name := range m.header {
		if m.row.Cells[i] != name {
			return false
		}
	}
	return len(m.header) > 1
}

// clean drops NUL and control characters from all cells, with one warning.
func (m *maker) clean() {
	b := m.in
	cells := []struct {
		field field
		cell  *string
	}{
		{fieldContent, &b.Content}, {fieldPlatforms, &b.Platforms}, {fieldWhen, &b.When}, {fieldDate, &b.Date}, {fieldTime, &b.Clock}, {fieldHalf, &b.Half},
		{fieldTitle, &b.Title}, {fieldLink, &b.Link}, {fieldZone, &b.Zone}, {fieldStatus, &b.Status}, {fieldApprove, &b.Approve}, {fieldID, &b.ID},
		{fieldComment, &b.Comment}, {fieldSettings, &b.Settings}, {fieldRepeat, &b.Repeat}, {fieldLabels, &b.Labels},
	}
	for _, cells := range [][]placed{b.Media, b.Alts, b.Variants} {
		for i := range cells {
			cells[i].text = strings.Map(printable, cells[i].text)
		}
	}
	said := false
	for _, c := range cells {
		clean := strings.Map(printable, *c.cell)
		if clean != *c.cell && !said {
			m.warn(c.field, "CONTROL_CHARACTERS", *c.cell, "a text without control characters: they were left out", "")
			said = true
		}
		*c.cell = clean
	}
}

// lostLetters are runs of question marks where a word would begin: what Excel
// writes for letters that its code page lacks.
var lostLetters = regexp.MustCompile(`(?:^|[\s("'])\?{4,}`)

// letters warns of a text that has lost letters on its way, and keeps the row back
// where that is certain.
func (m *maker) letters(text string) {
	const want, hint = "the letters as they were", "save the file as CSV UTF-8"
	switch {
	case strings.IndexByte(text, '?') >= 0 && strings.Contains(text, "????") && lostLetters.MatchString(text):
		m.warn(fieldContent, "LOST_LETTERS", text, want+": runs of ? often stand for letters that a program could not write", hint)
	case strings.IndexByte(text, "\ufffd"[0]) >= 0 && strings.Contains(text, "\ufffd"):
		m.back = true
		m.warn(fieldContent, "LOST_LETTERS", text, want+": a program has put � in place of some, so the row waits for a person", hint)
	case readTwice(text):
		if b, err := charmap.Windows1252.NewEncoder().String(text); err == nil && utf8.ValidString(b) {
			m.back = true
			m.warn(fieldContent, "LOST_LETTERS", text, want+": this looks like UTF-8 that was read as something else, so the row waits for a person", hint)
		}
	}
}

// readTwice reports whether a text has what UTF-8 looks like that was read as
// Windows-1252: Ã, or â€.
func readTwice(text string) bool {
	for {
		i := strings.IndexByte(text, "Ã"[0]) // and that of â
		if i < 0 {
			return false
		}
		if text = text[i:]; strings.HasPrefix(text, "Ã") || strings.HasPrefix(text, "â€") {
			return true
		}
		text = text[1:]
	}
}

func (m *maker) content() {
	d := &m.row.Draft
	d.Text = trimText(m.in.Content)
	for _, v := range m.in.Variants {
		if d.Variants == nil {
			d.Variants = map[post.Platform]string{}
		}
		if text := trimText(strings.Map(printable, v.text)); text != "" {
			d.Variants[m.columns[v.column].platform] = text
			m.unwritten(text)
		}
	}
	d.Title = strings.TrimSpace(strings.Map(printable, m.in.Title))
	if m.form != nil && m.form.titleText && d.Text == "" {
		d.Text, d.Title = d.Title, ""
	}
	m.letters(d.Text)
	m.unwritten(d.Text)
	switch {
	case strings.HasPrefix(d.Text, "#") && excelError[d.Text]:
		m.wrong(fieldContent, "FORMULA_ERROR", d.Text, "a text: this is a formula that failed", "mend the cell in the spreadsheet and save again")
	case strings.HasPrefix(d.Text, "=") && (cellRef.MatchString(d.Text) || looksFormula(d.Text)):
		m.wrong(fieldContent, "FORMULA", d.Text, "a text: this is a formula", "save the file with values in place of formulas")
	case d.Text == "" && len(d.Variants) == 0 && len(m.in.Media) == 0 && m.in.MediaLink == "" && d.Title == "":
		m.wrong(fieldContent, "NO_CONTENT", "", "a text or media: the row has neither", "write what the post says")
	}
}

// Texts that stand for one that is still to be written.
var (
	standIns = words("tbd tba tbc todo to-do t.b.d. t.b.a. xxx xxxx placeholder platzhalter n/a n.n. ? ?? ??? ... … - – folgt")
	blanks   = regexp.MustCompile(`(?i)\{\{[^{}]*\}\}|\[(?:insert|add|enter|hier|insérer|insertar)\b[^\[\]]*\]|\[(?:link|url|date|name|cta|text|copy)(?: here)?\]|^lorem ipsum\b`)
)

// unwritten keeps a row back whose text is still to be written, or has a blank that
// nobody has filled.
func (m *maker) unwritten(text string) {
	const lorem = "lorem ipsum"
	switch {
	case len(text) <= len(lorem) && strings.IndexByte(text, ' ') < 0 && standIns[strings.ToLower(text)]:
	case (strings.IndexByte(text, '[') >= 0 || strings.Contains(text, "{{") || len(text) >= len(lorem) && strings.EqualFold(text[:len(lorem)], lorem)) && blanks.MatchString(text):
	default:
		return
	}
	m.back = true
	m.warn(fieldContent, "UNWRITTEN", text, "a text that is written: this stands for one, so the row waits for a person", "approve it if it is meant so")
}

// cellRef is a formula that begins with a cell: =A1&B2.
var cellRef = regexp.MustCompile(`^=[+-]?\$?[A-Z]{1,3}\$?\d+(?:$|[-+*/&^=<>:, ])`)

// looksFormula tells =SUM(A1) from a post that begins with a sign.
func looksFormula(s string) bool {
	name, _, ok := strings.Cut(s[1:], "(")
	return ok && name != "" && strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+@") == ""
}

// printable drops NUL and control characters but for tab and newline.
func printable(r rune) rune {
	if r < 0x20 && r != '\t' && r != '\n' || r == 0x7f {
		return -1
	}
	return r
}

func (m *maker) platforms() {
	d := &m.row.Draft
	if m.form != nil && m.foreignPlaces() {
		return
	}
	cell := tidy(m.in.Platforms)
	if cell == "" {
		d.Connections = append(d.Connections, m.opt.Platforms...)
		if len(d.Connections) == 0 {
			m.wrong(fieldPlatforms, "NO_PLATFORMS", "", "a connection id or the name of a platform: the row does not say where to post", "separate several by ;")
		}
		return
	}
	res := m.resolve(cell)
	d.Connections = append(d.Connections, res.ids...)
	for _, e := range res.wrong {
		m.wrong(fieldPlatforms, "UNKNOWN_PLATFORM", e.Name, e.Want, e.Hint)
	}
}

// resolved is what a platforms cell means.
type resolved struct {
	ids   []post.ConnectionID
	wrong []*post.ResolveError
}

// mostResolved bounds how many different cells are remembered: real files have a
// handful.
const mostResolved = 4096

func (f *File) resolve(cell string) resolved {
	if r, ok := f.resolves[cell]; ok {
		return r
	}
	var r resolved
	for _, name := range strings.FieldsFunc(cell, func(c rune) bool { return c == ';' || c == ',' || c == '|' || c == '\n' }) {
		name = strings.Trim(name, " \t\u00a0\"'[]")
		if name == "" {
			continue
		}
		ids, err := f.lookUp(name)
		var wrong *post.ResolveError
		switch {
		case errors.As(err, &wrong):
			if roundedEnd.MatchString(wrong.Name) {
				wrong.Hint = "a spreadsheet has rounded the id: format the column as text and enter it again"
			} else if excelError[wrong.Name] {
				wrong.Hint = formulaHint
			}
			wrong.Name = post.Shorten(wrong.Name)
			r.wrong = append(r.wrong, wrong)
		default:
			r.add(ids)
		}
	}
	if len(r.ids) == 0 && len(r.wrong) == 0 {
		r.wrong = append(r.wrong, &post.ResolveError{Name: cell, Want: "a connection id or the name of a platform", Hint: "separate several by ;"})
	}
	if f.resolves == nil || len(f.resolves) >= mostResolved {
		f.resolves = map[string]resolved{}
	}
	f.resolves[strings.Clone(cell)] = r
	return r
}

// add adds connections, each once.
func (r *resolved) add(ids []post.ConnectionID) {
	for _, id := range ids {
		if !slices.Contains(r.ids, id) {
			r.ids = append(r.ids, id)
		}
	}
}

// farAhead is how far in the future a time looks like a slip.
const farAhead = 2 * 366 * 24 * time.Hour

func (m *maker) when() {
	d := &m.row.Draft
	if m.in.Half != "" {
		m.half()
	}
	text, col := tidy(m.in.When), fieldWhen
	switch date, clock := tidy(m.in.Date), tidy(m.in.Clock); {
	case m.in.Year != "" || m.in.Month != "" || m.in.Day != "":
		text, col = fmt.Sprintf("%s-%s-%s %s:%02s", tidy(m.in.Year), tidy(m.in.Month), tidy(m.in.Day), tidy(m.in.Hour), tidy(m.in.Minute)), fieldYear
	case date != "" || clock != "":
		var one bool
		if text, col, one = m.timeOf(text, date, clock); !one {
			m.wrong(fieldWhen, "TWO_TIMES", text, "one time: the row gives two that differ", "empty the one that is not meant, or give its column a name that means something else")
			return
		}
	}
	if text == "" {
		return
	}
	d.AtText = text
	at := m.row.Column(string(col)) - 1
	w, err := m.parse(text, at)
	if err == nil && m.twelve {
		clock := text
		if col == fieldDate && m.in.Clock != "" {
			clock = tidy(m.in.Clock)
		}
		if m.lacksHalf(w, clock) {
			err = errHalf
		}
	}
	if m.form != nil {
		w, err = m.foreignTime(text, w, err)
	}
	if err == nil && !w.clock {
		err = errNoClock
	}
	if err != nil {
		m.badTime(col, text, err)
		return
	}
	zone, name := m.opt.Zone, m.opt.Zone.String()
	if cell := tidy(m.in.Zone); cell != "" && w.loc == nil {
		z := wall{}
		if err := z.setZone(cell); err != nil {
			hint := "use a name like Europe/Berlin"
			m.wrong(fieldZone, "UNKNOWN_ZONE", cell, err.Error(), hint)
			return
		}
		zone, name = z.loc, z.zone
	} else if w.loc == nil && m.File.zone.wrong != "" {
		m.wrong(col, "UNKNOWN_ZONE", m.File.zone.wrong, errZone.Error(), fmt.Sprintf("write the zone into the name of the column, as in %q, or add a column timezone", "Time (Europe/Berlin)"))
		return
	} else if m.File.zone.loc != nil {
		zone, name = m.File.zone.loc, m.File.zone.name
	}
	if w.loc != nil {
		name = w.zone
	}
	instant, kind := w.in(zone)
	d.At, d.Zone = instant.UTC(), name
	switch kind {
	case walltime.Gap:
		m.warn(col, "TIME_IN_GAP", text, fmt.Sprintf("a time that exists: in %s clocks go forward over it, so it was read as %s", name, instant.Format("15:04 MST")), "")
	case walltime.Overlap:
		m.warn(col, "TIME_TWICE", text, fmt.Sprintf("one time: in %s the clock shows it twice that day, so the first was taken, %s", name, instant.Format("15:04 MST")), "write the offset to be sure, like +01:00")
	}
	if w.short {
		m.warn(col, "SHORT_YEAR", text, fmt.Sprintf("a year of four digits: it was read as %d", w.year), "")
	}
	if !m.opt.Today.IsZero() && d.At.Sub(m.opt.Today) > farAhead {
		m.warn(col, "FAR_AHEAD", text, "a date within two years", "check the year, and the order of day and month")
	}
}

// half puts the AM or PM of a row behind its time of day.
func (m *maker) half() {
	into := &m.in.Clock
	if strings.TrimSpace(*into) == "" {
		into = &m.in.When
	}
	if clock := tidy(*into); clock != "" && !halfDay.MatchString(clock) {
		*into = clock + " " + tidy(m.in.Half)
	}
}

// timeOf puts together the time of a row that has it in one cell, in a cell for the
// date with one for the time, or in both; text is what it says, and one is false
// where both say something else.
func (m *maker) timeOf(whole, date, clock string) (text string, col field, one bool) {
	parts := strings.TrimSpace(date + " " + clock)
	if whole == "" {
		return parts, fieldDate, true
	}
	column := func(f field) int { return m.row.Column(string(f)) - 1 }
	at, err := m.parse(whole, column(fieldWhen))
	switch {
	case err != nil && clock == "":
		return date + " " + whole, fieldDate, true // it may hold the clock alone
	case errors.Is(err, errNoDate):
		m.back = m.back || no[boxWord(whole)]
		return parts, fieldDate, true
	case err != nil || !at.clock && clock == "":
		return whole, fieldWhen, true
	case !at.clock && !surelyWhen(m.header[column(fieldWhen)]) && date != "":
		return parts, fieldDate, true
	case !at.clock:
		whole += " " + clock
		if at, err = m.parse(whole, column(fieldWhen)); err != nil {
			return whole, fieldWhen, true
		}
	}
	if other, err := m.parse(parts, column(fieldDate)); err == nil && !surelyWhen(m.header[column(fieldWhen)]) && !at.agrees(other, m.opt.Zone) {
		return whole + " / " + parts, fieldWhen, false
	}
	return whole, fieldWhen, true
}

func (m *maker) parse(text string, col int) (wall, error) {
	if col >= 0 && m.serial[col] {
		day, clock, split := strings.Cut(text, " ")
		w, ok := serialDay(day)
		if m.sheet != nil && m.sheet.shift > 0 && ok {
			w, ok = serialDay(shifted(day, m.sheet.shift))
		}
		if !ok {
			return w, errNoDate
		}
		if split {
			if serialClock(&w, clock) {
				return w, nil
			}
			err := parseClock(&w, clock)
			if err == nil {
				err = w.check()
			}
			return w, err
		}
		return w, nil
	}
	order := orderNone
	if col >= 0 {
		order = m.dates[col]
	}
	return parseWhen(text, order)
}

func (m *maker) badTime(col field, text string, err error) {
	hint := ""
	switch {
	case errors.Is(err, errAmbiguous):
		hint = "write 2026-03-01T09:00, or set date_order to dmy or mdy in the config or a defaults.yaml"
	case errors.Is(err, errYearFirst):
		hint = "write 2027-03-28, or set date_order to dmy, mdy or ymd in the config or a defaults.yaml"
	case errors.Is(err, errHalf):
		hint = "write 2:00 AM or 2:00 PM, or all times of the file by 24 hours"
	case errors.Is(err, errSpan):
		hint = "write the time at which it is to go out; one with an offset as 2026-03-01T09:00-10:00"
	case errors.Is(err, errTwoZones):
		hint = "remove the Z or the offset"
	case excelError[text]:
		hint = formulaHint
	case strings.Trim(text, "#") == "":
		hint = "the column was too narrow to show the date: widen it and save again"
	case looksSerial(text):
		hint = "this looks like a spreadsheet's number for a date: format the whole column as date and time, and save again"
	case errors.Is(err, errZone):
		hint = "use a name like Europe/Berlin or an offset like +01:00"
	}
	m.wrong(col, "BAD_TIME", text, err.Error(), hint)
}

// formulaHint is the next step where a cell holds an error of a spreadsheet.
const formulaHint = "a formula failed here: mend the cell in the spreadsheet and save again"

// drafty and ready are what a status cell says in the languages seen.
var (
	drafty = words("draft drafts entwurf brouillon borrador rascunho bozza concept false no nein non wahr:false falsch faux falso onwaar 0 pending-approval unapproved hold on-hold")
	ready  = words("scheduled schedule planned geplant planifié programado agendado programmato gepland ready approved freigegeben true yes ja oui sí si sim vrai wahr verdadero vero waar 1 pending queued publish")
	over   = words("published posted sent done live completed delivered gepostet gesendet veröffentlicht publié publicado pubblicato failed cancelled canceled deleted archived")
)

func words(list string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(list) {
		m[w] = true
	}
	return m
}

func (m *maker) status() {
	d := &m.row.Draft
	d.Status = m.opt.Status
	cell := strings.ToLower(strings.Join(strings.Fields(tidy(m.in.Status)), "-"))
	switch {
	case cell == "":
	case drafty[cell]:
		d.Status = post.StatusDraft
	case ready[cell]:
		if d.Status != post.StatusDraft { // a folder's approval flow is not switched off by a cell
			d.Status = post.StatusScheduled
		}
	case over[cell]:
		m.wrong(fieldStatus, "NOT_TO_BE_POSTED", m.in.Status, "draft or scheduled", "take the row out: it says that it is over")
	default:
		m.wrong(fieldStatus, "UNKNOWN_STATUS", m.in.Status, "draft or scheduled", "write draft to keep the row back, or leave the cell empty")
	}
	if m.back {
		d.Status = post.StatusDraft
	}
	if len(m.gates) > 0 {
		m.gated()
	}
	if !m.approves {
		return
	}
	switch approved, ok := approval(m.in.Approve); {
	case !ok:
		m.wrong(fieldApprove, "UNKNOWN_APPROVAL", m.in.Approve, "yes or no", "write yes to let the row out, or leave the cell empty to keep it back")
	case !approved:
		d.Status = post.StatusDraft
	}
}

func (m *maker) media() {
	d := &m.row.Draft
	from := make([]int, 0, 4) // the columns of the media, where they have numbers
	for _, cell := range m.in.Media {
		for _, u := range splitURLs(cell.text) {
			from = append(from, m.columns[cell.column].nth)
			if name, ok := localMedia(u); ok {
				d.Media = append(d.Media, post.Media{URL: name})
				continue
			}
			if shown, want, hint := badURL(u, "https://example.com/picture.jpg"); want != "" {
				if excelError[u] {
					hint = formulaHint
				}
				m.wrong(fieldMedia, "BAD_MEDIA", shown, want, hint)
				continue
			}
			d.Media = append(d.Media, post.Media{URL: u})
		}
	}
	m.alts(from)
}

// alts gives the media their descriptions: by the numbers of the columns where
// both have them, else in the order written.
func (m *maker) alts(from []int) {
	d := &m.row.Draft
	joined := ""
	for _, cell := range m.in.Alts {
		at := slices.Index(from, m.columns[cell.column].nth)
		if at < 0 || from[at] == 0 || len(from) != len(d.Media) {
			joined = joinCells(joined, cell.text)
			continue
		}
		d.Media[at].Alt = strings.TrimSpace(cell.text)
	}
	if joined == "" {
		return
	}
	alts := strings.Split(joined, "||")
	if len(d.Media) == 1 {
		alts = []string{joined}
	}
	for i, alt := range alts {
		if i < len(d.Media) {
			d.Media[i].Alt = strings.TrimSpace(alt)
		} else if strings.TrimSpace(alt) != "" {
			m.warn(fieldAlt, "ALT_WITHOUT_MEDIA", alt, fmt.Sprintf("one description for each of the media: the row has %d", len(d.Media)), "separate several by ||")
		}
	}
}

// remark warns of a first comment that may be what somebody had to say about the row: in
// calendars of people "Comments" often is.
func (m *maker) remark() {
	at := m.row.Column(string(fieldComment)) - 1
	if c := m.columns[at]; c.form != nil {
		return
	}
	switch squeeze(m.header[at]) {
	case "comment", "comments":
		m.warn(fieldComment, "COMMENT_OR_REMARK", m.row.Draft.FirstComment, "a column named first_comment: this is posted below the post, and may be a remark", "name the column first_comment, or notes where it is for the team")
	}
}

func (m *maker) rest() {
	d := &m.row.Draft
	d.Link = m.link(tidy(m.in.Link))
	if d.Link != "" {
		if shown, want, hint := badURL(d.Link, "https://example.com/page"); want != "" {
			m.wrong(fieldLink, "BAD_LINK", shown, want, hint)
		}
	}
	if d.FirstComment = m.comment(m.in.Comment); d.FirstComment != "" {
		m.remark()
	}
	if m.in.Labels != "" {
		for _, l := range strings.FieldsFunc(m.in.Labels, func(c rune) bool { return c == ',' || c == ';' || c == '|' }) {
			if l = strings.TrimSpace(l); l != "" {
				d.Labels = append(d.Labels, l)
			}
		}
	}
	if id := tidy(m.in.ID); id != "" {
		if roundedID(id) {
			m.wrong(fieldID, "ROUNDED_ID", id, "an id as it was: a spreadsheet has rounded it", "format the column as text and enter the ids again")
		}
		d.ExternalID = id
	}
	if s := strings.TrimSpace(m.in.Settings); s != "" {
		var o map[string]json.RawMessage
		if err := json.Unmarshal([]byte(s), &o); err != nil {
			m.wrong(fieldSettings, "BAD_SETTINGS", s, `a JSON object like {"instagram":{"videoType":"REELS"}}`, "use straight quotes, and write each twice within a quoted cell")
		} else if o != nil {
			d.Settings = json.RawMessage(s)
		}
	}
}
