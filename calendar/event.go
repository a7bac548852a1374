package calendar

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/emersion/go-ical"

	"github.com/postroom/postroom/post"
)

// A vcalendar is one VCALENDAR of a file.
type vcalendar struct {
	line   int
	props  map[string]string // of the calendar itself, the first of each name
	zones  map[string]*ical.Component
	found  map[string]zone // by TZID
	steps  budget          // left for the zones it defines
	names  zoneNames       // the file's
	method string
	base   zone // of floating times and whole days

	defaults []placedName // of events that name no platform; nil until they are looked for
}

// An event is one VEVENT, VTODO or VJOURNAL. A file may hold a hundred thousand of
// them, all of which are kept until the last one is read: another of the same UID may
// follow.
type event struct {
	cal      *vcalendar
	kind     string
	line     int
	sequence int32
	cut      bool // the file ended inside it
	unnamed  bool // its UID was made for it
	rolled   bool // its month does not have the day of start, as written: it was counted on
	meeting  bool // people are invited, or a call is set up

	uid        string
	modifiedAt time.Time
	start      stamp
	recurrence stamp // RECURRENCE-ID
	more       *repetition

	status, class string
	summary       string
	text          string // DESCRIPTION, or X-ALT-DESC and the like where there is none; no HTML
	location, url string
	categories    []string
	platforms     string // X-POST-PLATFORMS
	attach        []attachment

	instance string // of an override: what it overrides, as its series names it
	left     string // why its file itself leaves it out; "" where it does not
	problems []post.Problem
}

// A repetition is what makes a series of an event.
type repetition struct {
	rules, exRules  []*rule
	rdates, exdates []stamp
}

// An attachment is an ATTACH or IMAGE.
type attachment struct {
	uri    string
	inline string // base64, as written
	format string // FMTTYPE
	name   string
	alt    string
	line   int
}

// wanted are the properties that are read. Whatever else stands in a file is
// checked for its form only.
var wanted = words(`UID SEQUENCE LAST-MODIFIED DTSTART DUE RECURRENCE-ID RRULE EXRULE RDATE EXDATE STATUS CLASS SUMMARY DESCRIPTION X-ALT-DESC
	STYLED-DESCRIPTION LOCATION URL CATEGORIES ATTACH IMAGE ATTENDEE CONFERENCE X-GOOGLE-CONFERENCE X-MICROSOFT-SKYPETEAMSMEETINGURL
	X-MICROSOFT-CDO-ALLDAYEVENT X-POST-PLATFORMS X-SOCIAL-PLATFORMS X-POST-TIMEZONE X-POST-DEFAULT-PLATFORMS X-POST-ALLDAY-TIME
	TZID TZOFFSETFROM TZOFFSETTO TZNAME X-LIC-LOCATION METHOD PRODID NAME X-WR-CALNAME X-WR-TIMEZONE X-WR-RELCALID VERSION`)

// calls are the properties that make a meeting of an event, whatever they say.
var calls = words("ATTENDEE CONFERENCE X-GOOGLE-CONFERENCE X-MICROSOFT-SKYPETEAMSMEETINGURL")

// maxUID is far more bytes than programs give a UID: each instance of a series has it.
const maxUID = 1 << 10

// mostCategories bounds those of one event: each may be a platform, or nearly one.
const mostCategories = 200

// eventOf reads a component that go-ical has parsed. raw is where its lines are
// known.
func (f *File) eventOf(c *ical.Component, raw *component, cal *vcalendar) *event {
	e := &event{cal: cal, kind: c.Name, line: raw.line, cut: !raw.ended}
	text := func(name string) string { return strings.TrimSpace(unescape(propValue(c, name))) }
	e.uid = strings.TrimSpace(propValue(c, "UID"))
	if s := strings.TrimSpace(propValue(c, "SEQUENCE")); s != "" {
		n, err := parseInt(s, 0, 1<<31-1)
		if err != nil {
			f.warn(e, raw.first("SEQUENCE").line, "SEQUENCE", s, err.Error())
		}
		e.sequence = int32(n)
	}
	if st, ok := parseStamp(propValue(c, "LAST-MODIFIED")); ok {
		e.modifiedAt = st.at.utc()
	}
	dateName := "DTSTART"
	if c.Name == "VTODO" && firstProp(c, "DUE") != nil {
		dateName = "DUE"
	}
	if p := firstProp(c, dateName); p != nil && !recurring(c) {
		p.Value, e.rolled = rollDay(p.Value)
	}
	e.start = f.stampOf(e, c, raw, dateName)
	if strings.EqualFold(text("X-MICROSOFT-CDO-ALLDAYEVENT"), "TRUE") && e.start.set() && !e.start.utc && e.start.at.second() == 0 {
		e.start.date = true // Exchange writes whole days as from midnight to midnight
	}
	e.recurrence = f.stampOf(e, c, raw, "RECURRENCE-ID")
	if p := firstProp(c, "RECURRENCE-ID"); p != nil && strings.EqualFold(p.Params.Get("RANGE"), "THISANDFUTURE") {
		e.recurrence.onward = true
	}
	e.status, e.class = strings.ToUpper(text("STATUS")), strings.ToUpper(text("CLASS"))
	e.summary = text("SUMMARY")
	switch e.text = strings.Trim(unescape(propValue(c, "DESCRIPTION")), "\n"); {
	case strings.TrimSpace(e.text) == "":
		e.text = htmlText(cmp.Or(text("X-ALT-DESC"), text("STYLED-DESCRIPTION")))
	case looksHTML(e.text):
		e.text = htmlText(e.text)
	}
	e.location, e.url = text("LOCATION"), text("URL")
	for _, p := range c.Props["CATEGORIES"] {
		e.categories = append(e.categories, splitList(p.Value)...)
	}
	if len(e.categories) > mostCategories {
		e.categories = e.categories[:mostCategories]
		f.warn(e, raw.first("CATEGORIES").line, "CATEGORIES", "", fmt.Sprintf("at most %d categories: the others were not looked at", mostCategories))
	}
	e.platforms = cmp.Or(text("X-POST-PLATFORMS"), text("X-SOCIAL-PLATFORMS"))
	e.meeting = raw.call
	for _, name := range []string{"ATTACH", "IMAGE"} {
		ps := c.Props[name]
		for i, p := range raw.all(name) {
			if i < len(ps) && len(e.attach) < 32 {
				e.attach = append(e.attach, attachmentOf(&ps[i], p))
			}
		}
	}
	e.more = f.repetitionOf(e, c, raw)
	return e
}

// attachmentOf reads an attachment from its parameters, as go-ical has them, and its
// value, which go-ical is not given.
func attachmentOf(p *ical.Prop, raw *property) attachment {
	a := attachment{format: p.Params.Get("FMTTYPE"), alt: p.Params.Get("X-ALT"), line: raw.line}
	for _, name := range []string{"FILENAME", "X-FILENAME", "X-APPLE-FILENAME"} {
		if a.name == "" {
			a.name = p.Params.Get(name)
		}
	}
	if strings.EqualFold(p.Params.Get("VALUE"), "BINARY") || strings.EqualFold(p.Params.Get("ENCODING"), "BASE64") || p.Params.Get("ENCODING") == "B" {
		a.inline = raw.value
	} else {
		a.uri = plain(strings.TrimSpace(raw.value))
	}
	return a
}

// stampOf reads a property that holds one date. A bad one is an error of the
// event.
func (f *File) stampOf(e *event, c *ical.Component, raw *component, name string) stamp {
	p := firstProp(c, name)
	if p == nil {
		return stamp{}
	}
	line := raw.first(name).line
	st, ok := parseStamp(p.Value)
	if !ok {
		f.fail(e, line, name, p.Value, wantDate, "")
		return stamp{}
	}
	st.line = int32(line)
	if !st.utc && !st.date {
		st.zone = p.Params.Get("TZID")
	}
	if strings.EqualFold(p.Params.Get("VALUE"), "DATE") && !st.date {
		f.warn(e, line, name, p.Value, "a date without a time, as VALUE=DATE says: the time was used")
	}
	if y, _, _ := dateOf(st.at.days()); y < 1900 || y > 2200 {
		f.fail(e, line, name, p.Value, "a year from 1900 to 2200", "")
		return stamp{}
	}
	return st
}

// mostDates bounds the dates in the lists of one event.
const mostDates = 250_000

// repetitionOf reads what makes a series of an event, or nil.
func (f *File) repetitionOf(e *event, c *ical.Component, raw *component) *repetition {
	if !recurring(c) {
		return nil
	}
	rules := func(name string) []*rule {
		var out []*rule
		given := raw.all(name)
		for i, p := range c.Props[name] {
			if len(out) == 8 {
				f.fail(e, given[i].line, name, "", "at most 8 rules", "")
				break
			}
			one, err := parseRule(p.Value)
			if err != nil {
				f.fail(e, given[i].line, name, p.Value, err.Error(), "mend the rule, or write the dates as events of their own")
				continue
			}
			out = append(out, one)
		}
		return out
	}
	dates := func(name string) []stamp {
		most := 0
		for _, p := range c.Props[name] {
			most += 1 + strings.Count(p.Value, ",")
		}
		out := make([]stamp, 0, min(most, mostDates))
		given := raw.all(name)
		for i, p := range c.Props[name] {
			zone := p.Params.Get("TZID")
			for part := range strings.SplitSeq(p.Value, ",") {
				if len(out) == mostDates {
					f.fail(e, given[i].line, name, "", "at most 250000 dates", "")
					return out
				}
				part, _, _ = strings.Cut(part, "/") // the start of a PERIOD
				if strings.TrimSpace(part) == "" {
					continue
				}
				st, ok := parseStamp(part)
				if !ok {
					f.warn(e, given[i].line, name, part, wantDate+": it was left out")
					continue
				}
				st.line = int32(given[i].line)
				if !st.utc && !st.date {
					st.zone = zone
				}
				out = append(out, st)
			}
		}
		return out
	}
	return &repetition{rules: rules("RRULE"), exRules: rules("EXRULE"), rdates: dates("RDATE"), exdates: dates("EXDATE")}
}

// recurring reports whether a component says something of a series.
func recurring(c *ical.Component) bool {
	return len(c.Props["RRULE"])+len(c.Props["EXRULE"])+len(c.Props["RDATE"])+len(c.Props["EXDATE"]) > 0
}

// recurs reports whether the event stands for more than itself.
func (e *event) recurs() bool {
	return e.more != nil && len(e.more.rules)+len(e.more.rdates) > 0
}

// mostProblems is how many problems of one event are told.
const mostProblems = 20

// fail notes an error: the event is not used.
func (f *File) fail(e *event, line int, field, got, want, hint string) {
	f.tell(e, post.Problem{Line: line, Field: field, Got: post.Shorten(got), Want: want, Hint: hint})
}

// warn notes what somebody should look at.
func (f *File) warn(e *event, line int, field, got, want string) {
	f.tell(e, post.Problem{Line: line, Field: field, Got: post.Shorten(got), Want: want, Severity: post.SeverityWarning})
}

func (f *File) tell(e *event, p post.Problem) {
	p.File, p.UID = f.opt.Name, e.uid
	if len(e.problems) < mostProblems || p.Severity == post.SeverityError && !post.HasErrors(e.problems) {
		e.problems = append(e.problems, p)
	}
}
