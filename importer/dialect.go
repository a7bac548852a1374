package importer

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/postroom/postroom/post"
)

// A form is one shape of the bulk files of a tool: which columns they have, and
// what the tool means by them. All that postroom knows of other tools is data of
// this kind, in forms.go; nothing else names one.
type form struct {
	tool string // as `export --as` is told: "publer"
	name string // as people call the tool
	kind string // which of its files, where there are several

	columns []formColumn

	// How a file is recognised: by a header row that has all keys of one of marks,
	// or, of a file without one, by what its columns hold.
	marks  []string // keys, separated by blanks
	groups bool     // a row of groups stands above the header row
	shape  []shape  // one for each column
	least  int      // cells that a row without a header has at least
	delim  byte     // the only delimiter of a file without a header; 0 for any

	// How its cells are read.
	order     dateOrder     // of day and month, where neither the column nor the account tells
	relative  bool          // "tomorrow 9:40" is a time
	comments  string        // what separates several comments of a cell; "" for one
	links     string        // what separates several links; "" for one
	titleText bool          // the title is what is posted where there is no text
	platform  post.Platform // where all of it goes, of a tool for one platform alone

	// How it is written (export.go).
	write writing
}

// A formColumn is what one column of a form means.
type formColumn struct {
	name      string // as the tool writes it; "#" stands for a number
	group     string // above it, in a form with groups
	also      string // other keys of it, separated by blanks
	as        field
	on        post.Platform // the platform that a fieldOn switches on, or that alone a fieldExtra is about
	count     int           // how many columns "#" stands for
	repeat    int           // how many columns of the same name there are at least
	kinds     mediaKinds    // of fieldKind
	words     wishes        // of fieldExtra: what its cells ask for
	loud      bool          // of fieldExtra: each row is warned whose wish is not carried over
	unwritten bool          // not in every file, and not in those that are written
}

// wishes say what the cells of a column ask for, by their lower-case text: a
// platform setting like "instagram.videoType:REELS", or nothing. "*" stands for
// any text. What is not among them asks for something that postroom cannot do;
// an empty cell and a plain no never do.
type wishes map[string]string

// lookUp returns the setting that a cell asks for, "" for none, and whether
// postroom can do what it asks.
func (w wishes) lookUp(cell string) (setting string, can bool) {
	cell = tidy(cell)
	low := strings.ToLower(cell)
	if s, ok := w[low]; ok {
		return s, true
	}
	if low == "" || no[low] || low == "none" {
		return "", true
	}
	if s, ok := w["*"]; ok {
		return strings.ReplaceAll(s, "*", cell), true
	}
	return "", false
}

// setAny reports whether any of the words asks for a platform setting.
func (w wishes) setAny() bool {
	for _, setting := range w {
		if setting != "" {
			return true
		}
	}
	return false
}

// yes and no are how people and spreadsheets tick a box, in the languages whose
// spreadsheets write the words out.
var (
	yes = words("true yes y 1 x on ja ein wahr oui vrai sí si verdadero sim verdadeiro vero waar sant prawda tak pravda ano tosi kyllä igaz igen checked active enabled v 👍 ✓ ✔ ✔️ ☑ ☑️ ✅")
	no  = words("false no n 0 off nein aus falsch non faux falso não nao onwaar nee falskt falsk nej nei nie fałsz ne nepravda epätosi ei nem hamis unchecked inactive disabled 👎 - – ☐ ✗ ✘ ❌")
)

// A shape is what the cells of a column look like in a file without a header.
type shape uint8

const (
	anything   shape = iota
	aWhen            // date and time
	aText            // not empty, and neither a number nor an address
	anAddress        // a web address, or empty
	aDay             // 1 to 31
	aMonth           // 1 to 12
	aYear            // of four digits
	anHour           // 0 to 23
	aMinute          // 0 to 59
	aMediaKind       // photo or link
)

// fits reports whether a cell has a shape.
func (s shape) fits(cell string) bool {
	cell = tidy(cell)
	number := func(least, most int) bool {
		n, err := strconv.Atoi(cell)
		return err == nil && n >= least && n <= most
	}
	switch s {
	case aWhen:
		if cell == "" {
			return true
		}
		w, err := parseWhen(cell, orderDMY)
		if err != nil {
			w, err = parseWhen(cell, orderMDY)
		}
		return err == nil && w.clock
	case aText:
		_, err := strconv.ParseFloat(cell, 64)
		return cell != "" && err != nil && (!isAddress(cell) || strings.Contains(cell, " "))
	case anAddress:
		return cell == "" || isAddress(cell)
	case aDay:
		return number(1, 31)
	case aMonth:
		return number(1, 12)
	case aYear:
		return number(1970, 2105)
	case anHour:
		return number(0, 23)
	case aMinute:
		return number(0, 59)
	case aMediaKind:
		return cell == "" || cell == "photo" || cell == "link"
	}
	return true
}

func isAddress(s string) bool {
	s = strings.ToLower(s)
	return strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "http://")
}

// keyOf makes a column name comparable with those of forms: squeezed, and of
// "Text - For the video, pin, PDF" only what stands before the dash.
func keyOf(name string) string {
	head, _, _ := strings.Cut(name, " - ")
	return squeeze(head)
}

// unnumbered cuts the number off the end of a key.
func unnumbered(key string) (bare string, n int) {
	bare = strings.TrimRight(key, "0123456789")
	n, _ = strconv.Atoi(key[len(bare):]) // digits or nothing: 0 without a number, the largest for one that is too long
	return bare, n
}

// A knownForm is a form with its columns by their keys, those of groups by both:
// "allsocial:content".
type knownForm struct {
	*form
	keys  map[string]keyed
	marks [][]string
}

// A keyed is a column and the first of its keys.
type keyed struct {
	column *formColumn
	key    string
}

var knownForms = func() []knownForm {
	out := make([]knownForm, len(forms))
	for i := range forms {
		f := &forms[i]
		keys := map[string]keyed{}
		for j := range f.columns {
			c := &f.columns[j]
			group := ""
			if f.groups {
				group = squeeze(c.group) + ":"
			}
			own := group + keyOf(strings.ReplaceAll(c.name, "#", ""))
			for _, k := range append(strings.Fields(c.also), strings.TrimPrefix(own, group)) {
				if _, taken := keys[group+k]; !taken {
					keys[group+k] = keyed{c, own}
				}
			}
		}
		var marks [][]string
		for _, m := range f.marks {
			marks = append(marks, strings.Fields(m))
		}
		out[i] = knownForm{form: f, keys: keys, marks: marks}
	}
	return out
}()

// A recognition is a form that a header row fits, and how well.
type recognition struct {
	form    *form
	columns []*formColumn // by column of the file; nil where the form has none
	numbers []int         // by column: the number at the end of its name
	found   int           // columns of the file that the form has
	filled  int           // columns of the file that have a name
	order   dateOrder     // of the dates in the file that rejected rows come from
	twelve  bool          // its times say AM or PM
	why     string
}

// longestName is how long the name of a column can be: some templates write a
// sentence.
const longestName = 200

// recogniseHeader finds the form whose columns a header row names, or nil. above
// is the row before it, for forms with groups.
func recogniseHeader(cells, above []string) *recognition {
	if isPlain(cells) {
		return nil
	}
	keys, groups := make([]string, len(cells)), make([]string, len(cells))
	group := ""
	for i, name := range cells {
		if len(name) > longestName {
			return nil
		}
		if i < len(above) && len(above[i]) <= longestName && strings.TrimSpace(above[i]) != "" {
			group = squeeze(above[i]) + ":"
		}
		if key := keyOf(name); key != ownError {
			keys[i] = key
		}
		groups[i] = group
	}
	var best *recognition
	for i := range knownForms {
		f := &knownForms[i]
		if len(f.marks) == 0 || f.groups && above == nil {
			continue
		}
		r := f.match(keys, groups)
		if r != nil && (best == nil || r.found > best.found || r.found == best.found && len(r.form.columns) < len(best.form.columns)) {
			best = r
		}
	}
	return best
}

// isPlain reports whether all names are those of postroom itself.
func isPlain(cells []string) bool {
	for _, c := range cells {
		if c = strings.TrimSpace(c); c != "" && !plainNames[c] {
			return false
		}
	}
	return true
}

var plainNames = func() map[string]bool {
	m := map[string]bool{}
	for f := range synonyms {
		m[string(f)] = true
	}
	return m
}()

// match compares a header row with a form. It fits when it has all columns of a
// mark, and at most one in three of its names is strange to the form.
func (f *knownForm) match(keys, groups []string) *recognition {
	r := &recognition{form: f.form, columns: make([]*formColumn, len(keys)), numbers: make([]int, len(keys))}
	have := map[string]bool{}
	for i, key := range keys {
		if key == "" {
			continue
		}
		r.filled++
		if f.groups {
			key = groups[i] + key
		}
		c, ok := f.keys[key]
		if !ok {
			bare, n := unnumbered(key)
			if c, ok = f.keys[bare]; !ok || c.column.count == 0 {
				continue
			}
			key, r.numbers[i] = bare, n
		}
		r.columns[i] = c.column
		have[key], have[c.key] = true, true
		r.found++
	}
	if r.found*3 < r.filled*2 {
		return nil
	}
	for _, mark := range f.marks {
		if hasAll(have, mark) {
			r.why = fmt.Sprintf("%d of its %d columns are named as there", r.found, r.filled)
			if r.found == r.filled {
				r.why = fmt.Sprintf("all its %d columns are named as there", r.filled)
			}
			return r
		}
	}
	return nil
}

func hasAll(have map[string]bool, keys []string) bool {
	for _, k := range keys {
		if !have[k] {
			return false
		}
	}
	return true
}

// ownError is the key of the column that a file of rejected rows has at its end.
const ownError = "postroomerror"

// ownErrorName is that column as it is written, with the order of day and month that
// the dates of the file had from which the rows come, and whether its times said AM or
// PM. Where no header names the column, it begins the error.
var ownErrorName = regexp.MustCompile(`^postroom_error(?: \(dates: (dmy|mdy|ymd)? ?(12-hour)?\))?(:|$)`)

// twelveHours is how its name says that times have AM or PM.
const twelveHours = "12-hour"

// hadTwelve reports whether the name of the column with the errors, or the beginning
// of an error, says that the times of the file had AM or PM.
func hadTwelve(cell string) bool {
	m := ownErrorName.FindStringSubmatch(strings.TrimSpace(cell))
	return m != nil && m[2] != ""
}

// hadOrder reads the name of the column with the errors, or the beginning of an
// error.
func hadOrder(cell string) dateOrder {
	m := ownErrorName.FindStringSubmatch(strings.TrimSpace(cell))
	switch {
	case m == nil || m[1] == "":
		return orderNone
	case m[1] == orderMDY.String():
		return orderMDY
	case m[1] == orderYMD.String():
		return orderYMD
	}
	return orderDMY
}

// template names the form for people.
func (f *form) template() string {
	if f.kind != "" {
		return f.name + " (" + f.kind + ")"
	}
	return f.name
}

// recogniseShape finds the form that files without a header have, by what the
// columns of the first rows hold: four in five must fit, half with a time, and
// none may be wider. Rejected rows with the error that postroom has added need not
// fit, as what is wrong with them may be what they are known by; where no row fits,
// their width must leave no doubt.
func recogniseShape(recs []record, delim byte) *recognition {
	var best *recognition
	for i := range knownForms {
		f := knownForms[i].form
		if f.shape == nil || f.delim != 0 && f.delim != delim {
			continue
		}
		r := f.matchShape(recs)
		switch {
		case r == nil:
		case best == nil || r.found > best.found:
			best = r
		case r.found == 0:
			return nil
		}
	}
	return best
}

// matchShape compares the first rows with a form; found counts those that fit.
func (f *form) matchShape(recs []record) *recognition {
	rows, fitting, telling, excused := 0, 0, 0, 0
	had, twelve := orderNone, false
	for i := range recs {
		rec := &recs[i]
		if rec.fault != noFault || rec.blank() {
			continue
		}
		rows++
		cells := trimEmpty(cellsOf(rec))
		rejected := len(cells) == len(f.shape)+1 && ownErrorName.MatchString(cells[len(f.shape)])
		if rejected {
			had, twelve = max(had, hadOrder(cells[len(f.shape)])), twelve || hadTwelve(cells[len(f.shape)])
			cells = cells[:len(f.shape)]
		}
		if len(cells) > len(f.shape) {
			return nil
		}
		fits, timed := f.fits(cells)
		switch {
		case fits && timed:
			fitting++
			telling++
		case fits:
			fitting++
		case rejected:
			excused++
		}
	}
	if rows == 0 || (fitting+excused)*5 < rows*4 || (telling+excused)*2 < rows {
		return nil
	}
	r := &recognition{form: f, found: fitting, order: had, twelve: twelve, why: fmt.Sprintf("it has no header row, and its columns hold %s", f.holds())}
	for i := range f.columns {
		r.columns = append(r.columns, &f.columns[i])
	}
	if widest(recs) > len(f.shape) {
		r.columns = append(r.columns, &formColumn{name: "postroom_error", as: fieldIgnored})
	}
	r.numbers = make([]int, len(r.columns))
	return r
}

// fits reports whether a row has the shape of a form, and whether with a time.
func (f *form) fits(cells []string) (fits, timed bool) {
	if len(cells) < f.least {
		return false, false
	}
	timed = true
	for col, s := range f.shape {
		if col >= len(cells) {
			break
		}
		if !s.fits(cells[col]) {
			return false, false
		}
		timed = timed && (s != aWhen || tidy(cells[col]) != "")
	}
	return true, timed
}

// widest is how many cells the widest of the rows fills.
func widest(recs []record) int {
	n := 0
	for i := range recs {
		if recs[i].fault == noFault {
			n = max(n, len(trimEmpty(cellsOf(&recs[i]))))
		}
	}
	return n
}

// holds lists the columns of a form in their order.
func (f *form) holds() string {
	var names []string
	for i := range f.columns {
		names = append(names, strings.ToLower(f.columns[i].name))
	}
	return listed(names)
}

// adopt makes the columns of the file those of a recognised form.
func (f *File) adopt(r *recognition) {
	f.form, f.why, f.hadOrder, f.twelve = r.form, r.why, r.order, r.twelve
	for i, c := range r.columns {
		if c == nil {
			continue
		}
		f.columns[i] = column{field: c.as, platform: c.on, nth: r.numbers[i], form: c}
	}
}
