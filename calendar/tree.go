package calendar

import (
	"bufio"
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/emersion/go-ical"
)

// Bounds of a file's structure.
const (
	maxDepth  = 6
	maxEvents = 100_000 // components other than zones
	maxZones  = 2_000
	maxProps  = 250_000 // of one component
)

// A component is what stands between BEGIN and END, before anybody has made sense
// of it.
type component struct {
	name     string
	line     int
	props    []property
	children []*component
	ended    bool // its END was there
	lost     []lostLine
	call     bool // one of the calls is there
}

// A lostLine is a property that could not be read. An event without it would say
// something else than was meant.
type lostLine struct {
	name  string
	line  int
	fault lineFault
}

// lose notes that a property of the open component was not read, where it
// matters.
func (t *tree) lose(name string, line int, fault lineFault) {
	if len(t.stack) < 2 || t.deep > 0 || !wanted[name] {
		return
	}
	switch top := t.stack[len(t.stack)-1]; {
	case top.name == "VALARM":
	case calls[name]: // that it is there says all
		top.call = true
	case len(top.lost) < 8:
		top.lost = append(top.lost, lostLine{name, line, fault})
	}
}

// nests says which components may stand in which; any other BEGIN ends what is
// open.
func nests(outer, inner string) bool {
	switch outer {
	case "VCALENDAR":
		return inner != "VCALENDAR" && inner != "VALARM" && inner != "STANDARD" && inner != "DAYLIGHT"
	case "VTIMEZONE":
		return inner == "STANDARD" || inner == "DAYLIGHT"
	}
	return !topLevel[inner] && inner != "VCALENDAR"
}

var topLevel = words("VEVENT VTODO VJOURNAL VFREEBUSY VTIMEZONE VAVAILABILITY VPOLL")

// A tree reads components from a text and hands them on one by one: those below a
// calendar as they end, then the calendar.
type tree struct {
	lex       *lexer
	say       func(line int, code, got, want string) // a diagnostic
	stack     []*component
	deep      int // components open beyond maxDepth
	truncated bool
	implied   bool // the file has events and no VCALENDAR

	opened    func(line int)           // a calendar begins
	component func(c *component) error // a component of the calendar; its properties are good until then
	property  func(p *property)        // a property of the calendar
	closed    func()                   // the calendar ends
	last      *property                // of the open component
	spare     *component               // one that was handed on, for the next one
	more      []string                 // lines to be joined to last
	moreBytes int
}

// read reads the whole text. The error is that of component.
func (t *tree) read() error {
	if t.implied {
		t.stack = append(t.stack, &component{name: "VCALENDAR"})
		t.opened(1)
	}
	for {
		line, ok := t.lex.next()
		if !ok {
			break
		}
		if err := t.line(&line); err != nil {
			return err
		}
	}
	t.join()
	if len(t.stack) > 0 && !(t.implied && len(t.stack) == 1) {
		t.truncated = true
	}
	for len(t.stack) > 0 {
		if err := t.pop(false); err != nil {
			return err
		}
	}
	return nil
}

func (t *tree) line(l *logical) error {
	if t.deep > 0 { // there it matters only how deep
		switch {
		case begins(l.text, "BEGIN:"):
			t.deep++
			return nil
		case begins(l.text, "END:"):
			t.deep--
			return nil
		}
	}
	p, fault, ok := cutProperty(l.text)
	p.line = l.line
	if t.last != nil && (!ok || fault == faultNone && goesOn(t.last.name, l.text)) && texts[t.last.name] && !quotedPrintable(l.text) {
		if t.moreBytes += len(l.text); t.moreBytes < maxLine {
			t.more = append(t.more, strings.TrimSpace(l.text))
		}
		return nil
	}
	t.join()
	switch {
	case l.cut:
		t.say(l.line, "LINE_TOO_LONG", l.text[:min(len(l.text), 60)], string(faultTooLong))
		t.lose(p.name, l.line, faultTooLong)
		return nil
	case fault != faultNone || !ok:
		t.say(l.line, "BAD_LINE", l.text, string(fault))
		if !ok || fault == faultNoColon {
			t.lose(p.name, l.line, fault)
			return nil
		}
	}
	switch p.name {
	case "BEGIN":
		return t.begin(strings.ToUpper(strings.TrimSpace(p.value)), l.line)
	case "END":
		return t.end(strings.ToUpper(strings.TrimSpace(p.value)), l.line)
	}
	if t.deep > 0 || len(t.stack) == 0 {
		return nil
	}
	if !wanted[p.name] && !texts[p.name] {
		return nil
	}
	p.decodeLegacy()
	top := t.stack[len(t.stack)-1]
	if top.name == "VALARM" || strings.HasPrefix(top.name, "X-") {
		return nil // alarms never change a post
	}
	if calls[p.name] {
		if top.call {
			return nil // one is as good as many
		}
		top.call = true
	}
	if len(top.props) == maxProps {
		if len(top.lost) < 8 {
			top.lost = append(top.lost, lostLine{p.name, p.line, faultTooMany})
		}
		return nil
	}
	if n := len(top.props); n == cap(top.props) {
		top.props = slices.Grow(top.props, max(16, n)) // append alone grows a long list by quarters, and copies it again and again
	}
	top.props = append(top.props, p)
	t.last = &top.props[len(top.props)-1]
	return nil
}

// join puts the lines that followed a text without being folded into it.
func (t *tree) join() {
	if len(t.more) > 0 {
		t.say(t.last.line, "BARE_LINE_END", t.last.name, `a text whose line ends are written \n; the lines that follow were taken as part of it`)
		t.last.value += `\n` + strings.Join(t.more, `\n`)
		t.more, t.moreBytes = nil, 0
	}
	t.last = nil
}

func (t *tree) begin(name string, line int) error {
	if t.deep > 0 {
		t.deep++
		return nil
	}
	for len(t.stack) > 0 && !nests(t.stack[len(t.stack)-1].name, name) {
		if len(t.stack) == 1 && name != "VCALENDAR" {
			break // an alarm or the like in the calendar itself: read past it
		}
		t.say(line, "NOT_ENDED", "BEGIN:"+name, "END:"+t.stack[len(t.stack)-1].name+" first: it was ended here")
		if err := t.pop(true); err != nil {
			return err
		}
	}
	switch {
	case len(t.stack) == 0 && name != "VCALENDAR":
		t.say(line, "OUTSIDE", "BEGIN:"+name, "a component inside a VCALENDAR: it was taken as if it were")
		t.stack = append(t.stack, &component{name: "VCALENDAR", line: line})
		t.opened(line)
	case len(t.stack) == maxDepth:
		t.say(line, "TOO_DEEP", "BEGIN:"+name, fmt.Sprintf("components at most %d deep", maxDepth))
		t.deep = 1
		return nil
	}
	c := &component{}
	if len(t.stack) == 1 && t.spare != nil {
		c, t.spare = t.spare, nil
	}
	*c = component{name: name, line: line, props: c.props[:0]}
	t.stack = append(t.stack, c)
	if name == "VCALENDAR" {
		t.opened(line)
	}
	return nil
}

func (t *tree) end(name string, line int) error {
	if t.deep > 0 {
		t.deep--
		return nil
	}
	at := len(t.stack) - 1
	for at >= 0 && t.stack[at].name != name {
		at--
	}
	if at < 0 {
		t.say(line, "STRAY_END", "END:"+name, "a BEGIN before it: it was passed over")
		return nil
	}
	for len(t.stack)-1 > at {
		t.say(line, "NOT_ENDED", "END:"+name, "END:"+t.stack[len(t.stack)-1].name+" first: it was ended here")
		if err := t.pop(true); err != nil {
			return err
		}
	}
	return t.pop(true)
}

// pop ends the innermost component. ended is false when the file ended first.
func (t *tree) pop(ended bool) error {
	c := t.stack[len(t.stack)-1]
	t.stack = t.stack[:len(t.stack)-1]
	c.ended = ended
	switch len(t.stack) {
	case 0:
		for i := range c.props {
			t.property(&c.props[i])
		}
		t.closed()
	case 1:
		err := t.component(c)
		clear(c.props)
		t.spare = c
		return err
	default:
		if outer := t.stack[len(t.stack)-1]; outer.name == "VTIMEZONE" && len(outer.children) < 500 {
			outer.children = append(outer.children, c)
		}
	}
	return nil
}

// canonical writes a component, under a name, as go-ical can read it without harm: no
// folds, each parameter in quotes, no control characters.
func (c *component) canonical(b *bytes.Buffer, name string) {
	b.WriteString("BEGIN:")
	b.WriteString(name)
	b.WriteString("\r\n")
	for i := range c.props {
		p := &c.props[i]
		b.WriteString(p.name)
		for _, q := range p.params {
			b.WriteByte(';')
			b.WriteString(q.name)
			b.WriteString(`="`)
			b.WriteString(plain(strings.ReplaceAll(q.value, `"`, "'")))
			b.WriteByte('"')
		}
		b.WriteByte(':')
		if p.name != "ATTACH" && p.name != "IMAGE" { // a picture: go-ical would copy its megabytes again and again
			b.WriteString(plain(p.value))
		}
		b.WriteString("\r\n")
	}
	for _, child := range c.children {
		child.canonical(b, child.name)
	}
	b.WriteString("END:")
	b.WriteString(name)
	b.WriteString("\r\n")
}

// plain takes control characters out, but for tabs.
func plain(s string) string {
	bad := func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }
	if strings.IndexFunc(s, bad) < 0 {
		return s
	}
	return strings.Map(func(r rune) rune {
		if bad(r) {
			return -1
		}
		return r
	}, s)
}

// A parser gives components to go-ical, one by one. Its buffers serve them all: go-ical
// takes a large bufio.Reader as it is, and would make one for each component else.
type parser struct {
	text   bytes.Buffer
	reader *bufio.Reader
}

func newParser() *parser { return &parser{reader: bufio.NewReader(nil)} }

// mostAtOnce is how many properties go-ical is given at once: with all the dates of a
// long series it would copy its list of them again and again as it grows.
const mostAtOnce = 1000

// parse reads a component, some of its properties at a time.
func (p *parser) parse(c *component) (*ical.Component, error) {
	if len(c.props) <= mostAtOnce {
		return p.decode(c)
	}
	whole, err := p.decode(&component{name: c.name, children: c.children})
	if err != nil {
		return nil, err
	}
	for props := range slices.Chunk(c.props, mostAtOnce) {
		part, err := p.decode(&component{name: c.name, props: props})
		if err != nil {
			return nil, err
		}
		for name, ps := range part.Props {
			have := whole.Props[name]
			if len(have)+len(ps) > cap(have) {
				have = slices.Grow(have, len(have)+len(ps))
			}
			whole.Props[name] = append(have, ps...)
		}
	}
	return whole, nil
}

// decode panics on no component that canonical writes, as far as anybody knows; if
// go-ical does, that costs this component alone. go-ical wants a VCALENDAR around
// everything and looks at no other name, so the component takes that one's place:
// two lines less for each of a hundred thousand events.
func (p *parser) decode(c *component) (out *ical.Component, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("go-ical: %v", r)
		}
	}()
	p.text.Reset()
	c.canonical(&p.text, ical.CompCalendar)
	p.reader.Reset(&p.text)
	cal, err := ical.NewDecoder(p.reader).Decode()
	if err != nil {
		return nil, err
	}
	cal.Name = c.name
	return cal.Component, nil
}

// first returns the first property of a name, which must be there.
func (c *component) first(name string) *property {
	i := slices.IndexFunc(c.props, func(p property) bool { return p.name == name })
	return &c.props[i]
}

// uid returns the UID, or "".
func (c *component) uid() string {
	for i := range c.props {
		if c.props[i].name == "UID" {
			return strings.TrimSpace(plain(c.props[i].value))
		}
	}
	return ""
}

// all returns the properties of one name, in order.
func (c *component) all(name string) []*property {
	n := 0
	for i := range c.props {
		if c.props[i].name == name {
			n++
		}
	}
	if n == 0 {
		return nil
	}
	ps := make([]*property, 0, n)
	for i := range c.props {
		if c.props[i].name == name {
			ps = append(ps, &c.props[i])
		}
	}
	return ps
}
