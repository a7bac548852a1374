package calendar

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/emersion/go-ical"

	"github.com/postroom/postroom/post"
)

// ProdID is what calendars that Write makes say they come from. They are refused
// when they are dropped in the inbox: their posts are stored already.
const ProdID = "-//postroom//postroom//EN"

// refreshEvery is how often subscribers are asked to look again (RFC 7986 §5.7).
const refreshEvery = "PT15M"

var textEscapes = strings.NewReplacer(`\`, `\\`, ";", `\;`, ",", `\,`)

// A Feed writes post groups as a calendar that others subscribe to: what is
// planned, and what became of it. The same group has the same UID for good.
type Feed struct{ cal *ical.Calendar }

// NewFeed begins a calendar, under the name that calendar programs show.
func NewFeed(name string) *Feed {
	cal := ical.NewCalendar()
	cal.Props.SetText(ical.PropVersion, "2.0")
	cal.Props.SetText(ical.PropProductID, ProdID)
	set := func(name, value string) *ical.Prop {
		p := ical.NewProp(name)
		p.Value = value
		cal.Props.Set(p)
		return p
	}
	set("METHOD", "PUBLISH")
	escaped := textEscapes.Replace(line(name))
	set("NAME", escaped)
	set("X-WR-CALNAME", escaped)
	set("REFRESH-INTERVAL", refreshEvery).Params.Set("VALUE", "DURATION")
	set("X-PUBLISHED-TTL", refreshEvery)
	return &Feed{cal}
}

// Add puts a group into the calendar. One without a time has no place there.
func (f *Feed) Add(g *post.Group) {
	if g.ScheduledAt.IsZero() {
		return
	}
	e := ical.NewEvent()
	e.Props.SetText(ical.PropUID, g.ID.String()+"@postroom")
	e.Props.SetDateTime(ical.PropDateTimeStamp, g.UpdatedAt.UTC())
	e.Props.SetDateTime(ical.PropLastModified, g.UpdatedAt.UTC())
	e.Props.SetDateTime(ical.PropCreated, g.CreatedAt.UTC())
	e.Props.SetDateTime(ical.PropDateTimeStart, g.ScheduledAt.UTC())
	e.Props.SetText("TRANSP", "TRANSPARENT")
	status := g.Status()
	e.Props.SetText(ical.PropSummary, summaryOf(g, status))
	switch status {
	case post.StatusCancelled:
		e.Props.SetText(ical.PropStatus, "CANCELLED")
	case post.StatusDraft:
		e.Props.SetText(ical.PropStatus, "TENTATIVE")
	default:
		e.Props.SetText(ical.PropStatus, "CONFIRMED")
	}
	var body strings.Builder
	body.WriteString(clean(g.Text))
	body.WriteString("\n\n")
	if g.Held != "" {
		fmt.Fprintf(&body, "held: %s\n", line(g.Held))
	}
	live := ""
	for i := range g.Posts {
		p := &g.Posts[i]
		fmt.Fprintf(&body, "%s: %s", p.Connection, p.Status)
		if p.Receipt != nil && p.Receipt.URL != "" {
			body.WriteString(" " + p.Receipt.URL)
			if live == "" {
				live = p.Receipt.URL
			}
		}
		if p.Problem != nil && p.Status != post.StatusPublished {
			body.WriteString(" (" + line(p.Problem.Message) + ")")
		}
		body.WriteByte('\n')
	}
	e.Props.SetText(ical.PropDescription, strings.TrimSpace(body.String()))
	if strings.HasPrefix(live, "https://") || strings.HasPrefix(live, "http://") {
		u := ical.NewProp(ical.PropURL)
		u.Value = line(live)
		e.Props.Set(u)
	}
	f.cal.Children = append(f.cal.Children, e.Component)
}

// Encode writes the calendar. One without events is valid too.
func (f *Feed) Encode(w io.Writer) error {
	w = folder{w}
	if len(f.cal.Children) > 0 {
		return ical.NewEncoder(w).Encode(f.cal)
	}
	// go-ical refuses a calendar without components.
	var b strings.Builder
	b.WriteString("BEGIN:VCALENDAR\r\n")
	for _, name := range []string{ical.PropVersion, ical.PropProductID, "METHOD", "NAME", "X-WR-CALNAME"} {
		if p := f.cal.Props.Get(name); p != nil {
			b.WriteString(name + ":" + p.Value + "\r\n")
		}
	}
	b.WriteString("REFRESH-INTERVAL;VALUE=DURATION:" + f.cal.Props.Get("REFRESH-INTERVAL").Value + "\r\nEND:VCALENDAR\r\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// mostOctets is how long a line may be, without its end (RFC 5545 §3.1).
const mostOctets = 75

// A folder folds the lines that are written to it, whole ones at each Write, between
// characters. go-ical writes them as long as they come.
type folder struct{ w io.Writer }

func (f folder) Write(lines []byte) (int, error) {
	var out []byte
	for l := range bytes.Lines(lines) {
		for most := mostOctets; len(bytes.TrimRight(l, "\r\n")) > most; most = mostOctets - 1 {
			at := most
			for at > 1 && !utf8.RuneStart(l[at]) {
				at--
			}
			out = append(append(out, l[:at]...), "\r\n "...)
			l = l[at:]
		}
		out = append(out, l...)
	}
	if _, err := f.w.Write(out); err != nil {
		return 0, err
	}
	return len(lines), nil
}

// summaryOf is what a calendar program shows of a group: its status, where it
// goes, and how it begins.
func summaryOf(g *post.Group, status post.Status) string {
	word := status.String()
	if g.Held != "" {
		word = "held"
	}
	var names []string
	for i := range g.Posts {
		names = append(names, string(g.Posts[i].Connection.Platform()))
	}
	text := g.Title
	if text == "" {
		text = g.Text
	}
	return fmt.Sprintf("[%s] %s: %s", word, strings.Join(names, ", "), post.Shorten(line(text)))
}

// clean takes out of a text what must not stand in a calendar, line by line.
func clean(s string) string {
	s = strings.ToValidUTF8(s, "\ufffd")
	lines := strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s), "\n")
	for i := range lines {
		lines[i] = plain(lines[i])
	}
	return strings.Join(lines, "\n")
}

// line makes one line of a text.
func line(s string) string {
	return strings.Join(strings.Fields(clean(s)), " ")
}
