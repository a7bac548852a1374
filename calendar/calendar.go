package calendar

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/emersion/go-ical"

	"github.com/postroom/postroom/post"
)

// MaxBytes is the most that a calendar may hold: it is read whole.
const MaxBytes = 64 << 20

// Options say how a file is to be read.
type Options struct {
	Name      string              // for messages
	Directory *post.Directory     // the account's connections
	Platforms []post.ConnectionID // of events that name none
	Zone      *time.Location      // of floating times and whole days; nil rejects them
	ZoneFrom  string              // where Zone comes from, for the report
	Status    post.Status         // of events that say nothing of it
	Now       time.Time           // when the file is read
	Horizon   time.Duration       // how far ahead series give posts; 90 days when 0
	AllDay    time.Duration       // the hour of whole days, after midnight
	All       bool                // every event is a post, and not only those that say so
	Content   ContentFrom
	Tasks     bool // VTODO too
	Journals  bool // VJOURNAL too
	Hourly    bool // series may be denser than daily
	KeepStart bool // a start that its own rule does not give is posted all the same
	Links     bool // the URL goes into the text

	mostInstances int // of one series; [mostInstances] when 0
	mostRows      int // of the file; [mostRows] when 0
}

// ContentFrom says which part of an event is what is posted.
type ContentFrom uint8

const (
	FromEither      ContentFrom = iota // the description, else the summary
	FromDescription                    // only the description
	FromSummary                        // only the summary
	FromBoth                           // the summary, a blank line, the description
)

// DefaultHorizon is how far ahead the instances of a series become posts.
const DefaultHorizon = 90 * 24 * time.Hour

// Unusable is the error of a file of which nothing can be read.
type Unusable struct{ Problems []post.Problem }

// Error names the first problem.
func (e *Unusable) Error() string {
	if len(e.Problems) == 0 {
		return "unusable"
	}
	return e.Problems[0].String()
}

func (o *Options) unusable(line int, code, got, want, hint string) *Unusable {
	return &Unusable{[]post.Problem{{File: o.Name, Line: line, Code: code, Got: post.Shorten(got), Want: want, Hint: hint}}}
}

func (o *Options) tooManyEvents(line int) *Unusable {
	return o.unusable(line, "TOO_MANY_EVENTS", "", fmt.Sprintf("at most %d events", maxEvents), "export a shorter span of time")
}

// A File is a calendar file that was read.
type File struct {
	opt        Options
	parser     *parser
	cals       []*vcalendar
	series     []*series
	byUID      map[string]map[string]*series // by kind, then UID
	unnamed    map[string]int                // events without a UID, by what they say
	loose      []*event                      // events that clash with another of their UID
	superseded []*event                      // events of which the file has a later revision
	beyond     struct {                      // of these, counted only: more are never listed
		series, loose, superseded int
	}
	passed      map[string]int
	truncated   bool
	lost        int // components that go-ical could not read
	notes       []post.Problem
	omitted     int          // notes beyond the most
	steps       int          // left for all rules of the file
	occurrences []occurrence // room for those of one series
	zoneNames   zoneNames
	rows        []*Row
}

// fileSteps bounds the work on all the rules of one file.
const fileSteps = 4_000_000

// Open reads a file whole. The error is an *[Unusable], or comes from src or ctx.
func Open(ctx context.Context, src io.ReaderAt, size int64, o Options) (*File, error) {
	if size > MaxBytes {
		return nil, o.unusable(0, "FILE_TOO_LARGE", fmt.Sprintf("%d bytes", size), fmt.Sprintf("at most %d bytes", MaxBytes), "export a shorter span of time")
	}
	var raw strings.Builder
	raw.Grow(int(size))
	if n, err := io.Copy(&raw, io.NewSectionReader(src, 0, size)); err != nil || n < size {
		return nil, fmt.Errorf("read %s: %w", o.Name, cmp.Or(err, io.ErrUnexpectedEOF))
	}
	f, err := read(ctx, raw.String(), o)
	if err != nil {
		return nil, err
	}
	return f, f.makeRows(ctx)
}

// read takes a file apart, up to its series.
func read(ctx context.Context, raw string, o Options) (*File, error) {
	if o.Horizon == 0 {
		o.Horizon = DefaultHorizon
	}
	o.mostInstances = cmp.Or(o.mostInstances, mostInstances)
	o.mostRows = cmp.Or(o.mostRows, mostRows)
	f := &File{opt: o, parser: newParser(), byUID: map[string]map[string]*series{}, unnamed: map[string]int{}, passed: map[string]int{}, steps: fileSteps, zoneNames: zoneNames{}}
	text := decode(raw)
	lex := newLexer(text)
	found := lex.begin()
	if found == "" {
		return nil, notCalendar(&o, text)
	}
	if strings.Count(text, "\nBEGIN:VEVENT") > maxEvents { // told before all of them are read
		return nil, o.tooManyEvents(0)
	}
	t := &tree{lex: lex, implied: found == "VEVENT"}
	var cal *vcalendar
	events, zones := 0, 0
	t.say = func(line int, code, got, want string) {
		f.note(post.Problem{Line: line, Code: code, Got: post.Shorten(got), Want: want})
	}
	t.opened = func(line int) {
		cal = &vcalendar{line: line, props: map[string]string{}, zones: map[string]*ical.Component{}, steps: budget{zoneSteps}, names: f.zoneNames}
		f.cals = append(f.cals, cal)
	}
	t.property = func(p *property) {
		if _, ok := cal.props[p.name]; !ok {
			cal.props[p.name] = unescape(strings.TrimSpace(p.value))
		}
	}
	t.component = func(c *component) error {
		switch c.name {
		case "VTIMEZONE":
			if zones++; zones <= maxZones {
				f.addZone(cal, c)
			}
		case "VEVENT", "VTODO", "VJOURNAL":
			if events++; events > maxEvents {
				return o.tooManyEvents(c.line)
			}
			f.addEvent(cal, c)
		default:
			f.passed[c.name]++
		}
		if events%1024 == 0 {
			return ctx.Err()
		}
		return nil
	}
	t.closed = func() { f.settle(cal) }
	if err := t.read(); err != nil {
		return nil, err
	}
	f.truncated = t.truncated
	if f.truncated {
		f.note(post.Problem{Line: lex.n, Code: "TRUNCATED", Want: "END:VCALENDAR as the last line: the file is cut off"})
	}
	return f, nil
}

// notCalendar says what a file is that holds no calendar.
func notCalendar(o *Options, text string) error {
	head := strings.ToLower(strings.TrimSpace(text[:min(len(text), 512)]))
	hint := "export the calendar again as iCalendar (.ics)"
	switch {
	case head == "":
		return o.unusable(0, "EMPTY", "", "a calendar: the file is empty", hint)
	case strings.HasPrefix(head, "<!doctype") || strings.HasPrefix(head, "<html"):
		return o.unusable(1, "NOT_A_CALENDAR", "a web page", "a line BEGIN:VCALENDAR", "the address asks for a login, perhaps: download the calendar in a browser")
	case strings.HasPrefix(head, "pk\x03\x04"):
		return o.unusable(0, "NOT_A_CALENDAR", "a ZIP file", "a line BEGIN:VCALENDAR", "unpack it, and drop the .ics files in it")
	case strings.HasPrefix(head, "begin:vcard"):
		return o.unusable(1, "NOT_A_CALENDAR", "BEGIN:VCARD", "a line BEGIN:VCALENDAR: this is an address book", hint)
	}
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return o.unusable(0, "NOT_A_CALENDAR", line, "a line BEGIN:VCALENDAR", hint)
}

// addZone keeps a VTIMEZONE for when a time names it.
func (f *File) addZone(cal *vcalendar, c *component) {
	parsed, err := f.parser.parse(c)
	if err != nil {
		f.note(post.Problem{Line: c.line, Code: "BAD_ZONE", Want: "a VTIMEZONE that can be read: " + err.Error()})
		return
	}
	name := strings.Trim(unescape(propValue(parsed, "TZID")), `"' `)
	if _, ok := cal.zones[name]; !ok && name != "" {
		cal.zones[name] = parsed
	}
}

// addEvent puts an event into its series. Each series gives a row or more: once there
// are more than may be listed, no other is begun.
func (f *File) addEvent(cal *vcalendar, c *component) {
	switch {
	case f.off(c.name):
		f.passed[c.name]++
		return
	case len(f.series) > f.opt.mostRows && f.byUID[c.name][c.uid()] == nil:
		f.beyond.series++
		return
	}
	parsed, err := f.parser.parse(c)
	if err != nil {
		f.lost++
		e := &event{cal: cal, kind: c.name, line: c.line}
		f.fail(e, c.line, c.name, "", "an event that can be read: "+err.Error(), "")
		f.addLoose(e)
		return
	}
	e := f.eventOf(parsed, c, cal)
	for _, lost := range c.lost {
		f.fail(e, lost.line, lost.name, "", string(lost.fault), "shorten it, or mend the line")
	}
	if len(e.uid) > maxUID {
		e.uid = post.Shorten(e.uid)
		f.fail(e, e.line, "UID", e.uid, fmt.Sprintf("a UID of at most %d bytes", maxUID), "")
		f.addLoose(e)
		return
	}
	if e.uid == "" {
		e.uid, e.unnamed = f.makeUID(e), true
	}
	s := f.byUID[e.kind][e.uid]
	if s == nil {
		s = &series{}
		f.series = append(f.series, s)
		if f.byUID[e.kind] == nil {
			f.byUID[e.kind] = map[string]*series{}
		}
		f.byUID[e.kind][e.uid] = s
	}
	out, other := s.add(e)
	switch {
	case out == nil:
	case len(f.superseded) > mostNotes:
		f.beyond.superseded++
	default:
		out.left = "the file has the same event in a later revision, or once more"
		f.superseded = append(f.superseded, out)
	}
	if other != nil {
		const hint = "give each event a UID of its own"
		if !post.HasErrors(other.problems) {
			f.fail(other, other.line, "UID", other.uid, fmt.Sprintf("a UID of its own: line %d has the same, in the same revision, and says otherwise", e.line), hint)
		}
		f.fail(e, e.line, "UID", e.uid, fmt.Sprintf("a UID of its own: line %d has the same, in the same revision, and says otherwise", other.line), hint)
		f.addLoose(e)
	}
}

// addLoose keeps an event that belongs to no series.
func (f *File) addLoose(e *event) {
	if len(f.loose) > f.opt.mostRows {
		f.beyond.loose++
		return
	}
	f.loose = append(f.loose, e)
}

// makeUID makes a UID of what an event says, numbered among its equals.
func (f *File) makeUID(e *event) string {
	base := "no-uid:" + e.start.at.utc().Format("20060102T150405") + ":" + e.summary
	if len(base) > maxUID {
		sum := sha256.Sum256([]byte(base))
		base = "no-uid:" + hex.EncodeToString(sum[:])
	}
	n := f.unnamed[base] + 1
	f.unnamed[base] = n
	if n == 1 {
		return base
	}
	return base + ":" + strconv.Itoa(n)
}

// settle reads what a calendar says of itself.
func (f *File) settle(cal *vcalendar) {
	cal.method = strings.ToUpper(cal.props["METHOD"])
	cal.base = zone{loc: f.opt.Zone, how: f.opt.ZoneFrom}
	for _, name := range []string{"X-POST-TIMEZONE", "X-WR-TIMEZONE"} {
		given := cal.props[name]
		if given == "" {
			continue
		}
		if z := f.zoneNames.find(given); z.loc != nil {
			cal.base = zone{loc: z.loc, how: name}
			return
		}
		f.note(post.Problem{Line: cal.line, Field: name, Got: post.Shorten(given), Want: "a zone that is known, like Europe/Berlin: it was not used"})
	}
}

// mostNotes is how many notes of a file are kept.
const mostNotes = 200

// note adds a warning about the file.
func (f *File) note(p post.Problem) {
	p.File, p.Severity = f.opt.Name, post.SeverityWarning
	if len(f.notes) < mostNotes {
		f.notes = append(f.notes, p)
	} else {
		f.omitted++
	}
}

// budget takes steps for one series from those of the file.
func (f *File) budget(most int) *budget {
	n := min(most, f.steps)
	f.steps -= n
	return &budget{n}
}

// give gives back what is left of a budget.
func (f *File) give(b *budget) { f.steps += max(0, b.steps) }

// copyMark is what programs add to the name of a file that is there already.
var copyMark = regexp.MustCompile(`(?i)(?:[ _-]*(?:\(\d+\)|copy|kopie|\d{4}-?\d{2}-?\d{2}(?:[T_-]?\d{4,6})?))+$`)

// version finds what changes in the name of a program when that is brought up to date.
var version = regexp.MustCompile(`[^\s/]*\d[^\s/]*`)

// ID names the calendar, the same for each export of it: by its UID (RFC 7986),
// X-WR-RELCALID, its program in whatever version and its name, or the file's name.
func (f *File) ID() string {
	c := f.cals[0]
	switch {
	case c.props["UID"] != "":
		return "uid:" + c.props["UID"]
	case c.props["X-WR-RELCALID"] != "":
		return "id:" + c.props["X-WR-RELCALID"]
	}
	if name := c.Name(); name != "" {
		return "name:" + version.ReplaceAllString(c.props["PRODID"], "") + ":" + name
	}
	stem := strings.TrimSuffix(f.opt.Name, path.Ext(f.opt.Name))
	return "file:" + strings.ToLower(copyMark.ReplaceAllString(stem, ""))
}

// Name is what the calendar is called by its program.
func (c *vcalendar) Name() string {
	if n := c.props["NAME"]; n != "" {
		return n
	}
	return c.props["X-WR-CALNAME"]
}

// Complete reports whether all that the calendar held was read: what an
// incomplete file lacks is not gone.
func (f *File) Complete() bool { return !f.truncated && f.lost == 0 }

// Partial reports whether the file is not the whole calendar: what it does not name
// stays as it is.
func (f *File) Partial() bool { return f.Message() || !f.Complete() }

// Message reports whether the file is a message about some events.
func (f *File) Message() bool {
	for _, c := range f.cals {
		switch c.method {
		case "CANCEL", "ADD", "REQUEST":
			return true
		}
	}
	return false
}

// Series reports whether some event recurs, and so may give more posts as time
// goes on.
func (f *File) Series() bool {
	for _, s := range f.series {
		if s.master != nil && s.master.recurs() {
			return true
		}
	}
	return false
}

// Notes returns what is to be said of the file as a whole.
func (f *File) Notes() []post.Problem {
	if f.omitted == 0 {
		return f.notes
	}
	return append(f.notes[:len(f.notes):len(f.notes)], post.Problem{File: f.opt.Name, Severity: post.SeverityWarning, Want: fmt.Sprintf("%d more notes like these were left out", f.omitted)})
}

// Whole reports whether a file is complete: it ends with END:VCALENDAR. missing
// says what is not there, in words that go on after "not complete:". A file that
// is no calendar at all counts as whole, as [Open] is to reject it.
func Whole(ctx context.Context, r io.ReaderAt, size int64) (ok bool, missing string, err error) {
	switch {
	case size == 0:
		return false, "it is empty", nil
	case size > MaxBytes:
		return true, "", nil
	}
	tail := make([]byte, min(size, 4096))
	if _, err := io.ReadFull(io.NewSectionReader(r, size-int64(len(tail)), int64(len(tail))), tail); err != nil {
		return false, "", err
	}
	if err := ctx.Err(); err != nil {
		return false, "", err
	}
	// In UTF-16 every other byte is a NUL.
	bare := strings.NewReplacer("\x00", "", "\x1a", "", "\r\r\n", "\n", "\r\n", "\n", "\r", "\n").Replace(string(tail))
	bare = strings.NewReplacer("\n ", "", "\n\t", "").Replace(bare)
	if strings.HasSuffix(strings.ToUpper(strings.TrimSpace(bare)), "END:VCALENDAR") {
		return true, "", nil
	}
	if len(strings.Trim(string(tail[max(0, len(tail)-4):]), "\x00")) == 0 {
		return false, "it ends in NULs, as a copy does that is not finished", nil
	}
	head := make([]byte, min(size, 64<<10))
	if _, err := io.ReadFull(io.NewSectionReader(r, 0, int64(len(head))), head); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false, "", err
	}
	if _, ok := Looks(head); !ok {
		return true, "", nil
	}
	return false, "it does not end with END:VCALENDAR", nil
}

// Looks reports whether a file that begins like this is a calendar, and on which line
// that begins. A cell of a table may hold one.
func Looks(head []byte) (line int, ok bool) {
	l := newLexer(decode(string(head)))
	ok = l.begin() != ""
	return l.n + 1, ok
}
