package calendar

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/postroom/postroom/internal/walltime"
	"github.com/postroom/postroom/post"
)

// A Row is one post that a calendar asks for: an event, or one instance of a
// series. An event that gives none is a row with the reason.
type Row struct {
	N          int // from 1
	Line       int // of the event's BEGIN, from 1
	UID        string
	Cells      []string // as Header names them
	Draft      post.Draft
	Problems   []post.Problem // with an error among them the draft is not to be used
	Cancelled  bool           // the calendar takes the post back
	Whole      bool           // the file says all there is of this UID: an instance it lacks is no more
	Absent     bool           // the event gives no post now, and there is nothing wrong with it
	Sequence   int
	ModifiedAt time.Time // zero for unknown
	Media      []Media   // that Draft.Media names and that came inside the file
}

// header are the columns in which rows are shown. They are those of a CSV file, so
// that what was rejected can be mended there.
var header = []string{"external_id", "scheduled_time", "timezone", "platforms", "content", "title", "media_url", "status"}

// Header returns the names of a row's cells.
func (f *File) Header() []string { return header }

// Column returns the place of a field among the cells, from 1, or 0.
func (r *Row) Column(field string) int { return slices.Index(header, field) + 1 }

// Rows calls fn with each row in order: by the event's place in the file, then by
// time. An error of fn ends it and is returned.
func (f *File) Rows(ctx context.Context, fn func(*Row) error) error {
	for i := range f.rows {
		if i%1024 == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		if err := fn(f.rows[i]); err != nil {
			return err
		}
	}
	return nil
}

// mostRows bounds the rows that a file gives, where Options do not.
const mostRows = 20_000

// refused are the methods of messages that are no calendar (RFC 5546).
var refused = words("REPLY COUNTER DECLINECOUNTER REFRESH")

// before is how far back instances of a series are listed: what is on the point of
// going out, or just went, is part of the report.
const before = 24 * time.Hour

// makeRows turns what was read into rows.
func (f *File) makeRows(ctx context.Context) error {
	if len(f.cals) == 0 {
		return f.opt.unusable(0, "EMPTY", "", "a calendar with events", "export the calendar again")
	}
	for _, c := range f.cals {
		if c.props["PRODID"] == ProdID {
			return f.opt.unusable(c.line, "OWN_CALENDAR", "", "a calendar of somebody else's: this one was written by postroom, and its posts are stored already", "edit them with `postroom posts`, or in the file they came from")
		}
		switch m := c.method; {
		case refused[m]:
			return f.opt.unusable(c.line, "METHOD", m, "a calendar: this is an answer to an invitation", "export the calendar and drop that")
		case m != "" && m != "PUBLISH" && m != "REQUEST" && m != "ADD" && m != "CANCEL":
			f.note(post.Problem{Line: c.line, Field: "METHOD", Got: post.Shorten(m), Want: "PUBLISH, REQUEST, ADD or CANCEL: it was taken as PUBLISH"})
		}
	}
	cut := false
	tooMany := func(e *event, left int) {
		if !cut {
			f.add(e, nil, "", []post.Problem{f.problem(e, "TOO_MANY", fmt.Sprintf("at most %d posts from one file: this event and all after it were left out", f.opt.mostRows), "export a shorter span of time")})
		}
		cut, f.truncated = true, true
		f.note(post.Problem{Line: e.line, Code: "TOO_MANY", Want: fmt.Sprintf("at most %d posts from one file: %d events were left out", f.opt.mostRows, left)})
	}
	f.rows = slices.Grow(f.rows, len(f.series))
	for i, s := range f.series {
		if i%256 == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		first := s.master
		if first == nil {
			first = s.overrides[0]
		}
		at := len(f.rows)
		f.rowsOf(s)
		whole := s.master != nil && s.master.cal.method != "ADD" && f.Complete()
		for j := at; j < len(f.rows); j++ {
			f.rows[j].Whole = whole
		}
		if len(f.rows) > f.opt.mostRows || i == f.opt.mostRows {
			f.rows = f.rows[:at]
			tooMany(first, len(f.series)-i+f.beyond.series)
			break
		}
	}
	for i, e := range f.loose {
		if len(f.rows) >= f.opt.mostRows {
			tooMany(e, len(f.loose)-i+f.beyond.loose)
			break
		}
		f.add(e, nil, "", e.problems)
	}
	for i, e := range f.superseded {
		if i == mostNotes {
			f.note(post.Problem{Code: "LEFT_OUT", Want: fmt.Sprintf("each event once: %d more events like the one in line %d were left out", 1+f.beyond.superseded, e.line)})
			break
		}
		f.addAbsent(e, "LEFT_OUT", "not posted: "+e.left, "")
	}
	f.sayPassed()
	slices.SortStableFunc(f.rows, func(a, b *Row) int { return a.Line - b.Line })
	for i := range f.rows {
		f.rows[i].N = i + 1
	}
	return nil
}

// off reports whether components of this kind are not read.
func (f *File) off(kind string) bool {
	return kind == "VTODO" && !f.opt.Tasks || kind == "VJOURNAL" && !f.opt.Journals
}

// sayPassed notes what no post can be made of.
func (f *File) sayPassed() {
	var kinds []string
	for kind, n := range f.passed {
		if kind != "" {
			kinds = append(kinds, fmt.Sprintf("%d %s", n, kind))
		}
	}
	if len(kinds) > 0 {
		slices.Sort(kinds)
		f.note(post.Problem{Code: "PASSED_OVER", Want: "events: " + strings.Join(kinds, ", ") + " were passed over"})
	}
}

func (f *File) problem(e *event, code, want, hint string) post.Problem {
	return post.Problem{File: f.opt.Name, Line: e.line, UID: e.uid, Code: code, Want: want, Hint: hint}
}

// rowsOf adds the rows of one series.
func (f *File) rowsOf(s *series) {
	from, to := f.opt.Now.Add(-before), f.opt.Now.Add(f.opt.Horizon)
	single := s.master == nil || !s.master.recurs()
	if single {
		from, to = time.Unix(-1<<33, 0), time.Unix(1<<33, 0)
	}
	meanings := map[*event]*meaning{}
	meaningOf := func(e *event) *meaning {
		if meanings[e] == nil {
			meanings[e] = f.mean(e)
		}
		return meanings[e]
	}
	first := s.master
	if first == nil {
		first = s.overrides[0]
	}
	if first.unnamed { // and so its series is it alone
		f.warn(first, first.line, "UID", "", "a UID: without one, an edited event is a new post")
	}
	if why := meaningOf(first).notPost; why != "" {
		f.addNotPost(first, why)
		return
	}
	if s.master != nil {
		if f.refuse(s.master, single) {
			return
		}
		if m := meaningOf(s.master); m.cancelled && s.master.recurs() {
			f.add(s.master, m, "", m.problems)
			f.rows[len(f.rows)-1].Cancelled = true
			return
		}
	}
	for _, e := range s.overrides {
		if len(f.rows) > f.opt.mostRows {
			return
		}
		if e.cut {
			f.fail(e, e.line, e.kind, "", "END:"+e.kind+": the file is cut off inside this event", "")
		}
		if post.HasErrors(e.problems) {
			f.add(e, nil, "", e.problems)
		} else if s.master == nil && e.recurrence.onward {
			f.warn(e, int(e.recurrence.line), "RECURRENCE-ID", "RANGE=THISANDFUTURE", "the series itself beside it: only this instance was read, and those after it stay as they were")
		}
	}
	ins := f.instances(s, from, to)
	if s.master != nil && post.HasErrors(s.master.problems) {
		f.add(s.master, nil, "", s.master.problems)
		return
	}
	if n := mostInOneDay(ins); n > 1 && s.master != nil {
		f.warn(s.master, s.master.line, "RRULE", "", fmt.Sprintf("at most one post a day of the same words: the series gives %d within a day, and networks slow down or refuse what repeats itself", n))
	}
	for i := range ins {
		if len(f.rows) > f.opt.mostRows {
			return // they are left out
		}
		in := &ins[i]
		if post.HasErrors(in.event.problems) {
			continue // told above
		}
		m := meaningOf(in.event)
		if m.notPost != "" {
			f.addNotPost(in.event, m.notPost)
			continue
		}
		ps := m.problems
		if !m.told { // what is wrong with the event is said once
			ps = slices.Concat(in.event.problems, ps)
			m.told = true
		} else if !post.HasErrors(ps) {
			ps = nil
		}
		f.addInstance(in, m, ps)
	}
	listed := len(ins) > 0
	for _, e := range s.overrides {
		if len(f.rows) > f.opt.mostRows {
			return
		}
		m := meaningOf(e)
		switch {
		case m.told || post.HasErrors(e.problems) || m.notPost != "":
			continue // it is listed, or is nobody's business
		case e.left != "":
			f.addAbsent(e, "LEFT_OUT", "not posted: "+e.left, "")
		case s.master != nil:
			f.addAbsent(e, "NO_INSTANCE", f.noInstance(), "")
		default:
			continue
		}
		listed = true
	}
	if !listed {
		f.addEmpty(s, first)
	}
}

// mostInOneDay counts the instances of one event that lie within a day of each
// other, at their densest. They are in order.
func mostInOneDay(ins []instance) int {
	if len(ins) < 2 {
		return len(ins)
	}
	most := 0
	ats := map[*event][]time.Time{}
	for i := range ins {
		at := ats[ins[i].event]
		for len(at) > 0 && ins[i].at.Sub(at[0]) >= 23*time.Hour { // the shortest day
			at = at[1:]
		}
		ats[ins[i].event] = append(at, ins[i].at)
		most = max(most, len(at)+1)
	}
	return most
}

// noInstance says that an event gives no post in the time that is planned.
func (f *File) noInstance() string {
	return fmt.Sprintf("no instance from %s to %s", f.opt.Now.Format(time.DateOnly), f.opt.Now.Add(f.opt.Horizon).Format(time.DateOnly))
}

// refuse rejects an event that cannot be used as it is, and reports whether it
// did.
func (f *File) refuse(e *event, single bool) bool {
	if e.cut {
		f.fail(e, e.line, e.kind, "", "END:"+e.kind+": the file is cut off inside this event", "export the calendar again")
	}
	if !e.start.set() && !post.HasErrors(e.problems) {
		f.fail(e, e.line, "DTSTART", "", "a start: the event has none", "")
	}
	if !single {
		for _, r := range e.more.rules {
			if r.freq > hourly || r.freq == hourly && !f.opt.Hourly {
				f.fail(e, e.line, "RRULE", "FREQ="+freqNames[r.freq], "a series that posts at most daily, or a few times a day by BYHOUR", "use FREQ=DAILY;BYHOUR=9,13,17")
			}
		}
	}
	if !post.HasErrors(e.problems) {
		return false
	}
	f.add(e, nil, "", e.problems)
	return true
}

// addEmpty lists an event that gives no post now.
func (f *File) addEmpty(s *series, first *event) {
	if slices.ContainsFunc(s.overrides, func(e *event) bool { return post.HasErrors(e.problems) }) && s.master == nil {
		return
	}
	p := f.problem(first, "NO_INSTANCE", f.noInstance(), "")
	if s.master != nil && s.master.recurs() {
		p.Hint = "the series is looked at again every day; what comes nearer is posted then"
	}
	f.add(first, nil, "", append(slices.Clone(first.problems), p))
	f.rows[len(f.rows)-1].Absent = true
}

// addNotPost lists an event that is nobody's post, without telling what it says:
// a calendar may hold a private life.
func (f *File) addNotPost(e *event, why string) {
	hint := ""
	if !strings.HasPrefix(why, "it is marked") {
		hint = "to post it, add a category like LinkedIn, or begin its summary with [LinkedIn]; for calendars that hold nothing but posts set all_events_are_posts in the folder's defaults.yaml"
	}
	f.addAbsent(e, "NOT_A_POST", "not taken for a post: "+why, hint)
}

// addAbsent lists an event that gives no post, by its name alone.
func (f *File) addAbsent(e *event, code, want, hint string) {
	r := &Row{Line: e.line, UID: e.uid, Cells: make([]string, len(header)), Problems: []post.Problem{f.problem(e, code, want, hint)}, Absent: true}
	r.Cells[0] = externalID(e.uid, e.instance)
	f.rows = append(f.rows, r)
}

// add lists an event without a time.
func (f *File) add(e *event, m *meaning, id string, ps []post.Problem) {
	r := &Row{Line: e.line, UID: e.uid, Problems: ps, Sequence: int(e.sequence), ModifiedAt: e.modifiedAt}
	r.Draft.ExternalID = externalID(e.uid, id)
	if m != nil {
		r.Draft.Content, r.Draft.Connections, r.Draft.Status = m.content, m.connections, m.status
	}
	f.cells(r, e)
	f.rows = append(f.rows, r)
}

// externalID names an instance of an event, the same in every export.
func externalID(uid, id string) string {
	if id == "" {
		return uid
	}
	return uid + "/" + id
}

// addInstance lists one post.
func (f *File) addInstance(in *instance, m *meaning, ps []post.Problem) {
	e := in.event
	r := &Row{
		Line: e.line, UID: e.uid, Problems: ps, Cancelled: m.cancelled,
		Sequence: int(e.sequence), ModifiedAt: e.modifiedAt, Media: m.media,
	}
	at := in.at.UTC()
	r.Draft = post.Draft{
		Content: m.content, Connections: m.connections, At: at, AtText: at.Format(time.RFC3339), Zone: in.zone.loc.String(),
		Status: m.status, ExternalID: externalID(e.uid, in.id),
	}
	warn := func(field, code, want, hint string) {
		r.Problems = append(slices.Clip(r.Problems), post.Problem{
			File: f.opt.Name, Line: int(e.start.line), UID: e.uid, Field: field, Code: code, Want: want, Hint: hint, Severity: post.SeverityWarning,
		})
	}
	local := in.at.In(in.zone.loc)
	switch in.kind {
	case walltime.Gap:
		warn("DTSTART", "TIME_IN_GAP", fmt.Sprintf("a time that exists: in %s clocks go forward over it, so it was read as %s", in.zone.loc, local.Format("2006-01-02 15:04 MST")), "")
	case walltime.Overlap:
		warn("DTSTART", "TIME_TWICE", fmt.Sprintf("one time: in %s the clock shows it twice that day, so the first was taken, %s", in.zone.loc, local.Format("2006-01-02 15:04 MST")), "")
	}
	if in.stray {
		want, hint := "a time that the series of this UID gives: it gives none such, so the event is posted at its own time", "delete it in the calendar if it is a leftover"
		if in.close {
			want, hint = "a time that the series of this UID gives: it gives none such, and one less than a day from this event", "see whether it is the same post twice, then approve it or delete it"
			r.Draft.Status = post.StatusDraft
		}
		warn("RECURRENCE-ID", "NO_SUCH_INSTANCE", want, hint)
	}
	if e.rolled {
		warn("DTSTART", "NO_SUCH_DAY", fmt.Sprintf("a day that its month has: it was read as %s", local.Format(time.DateOnly)), "check the day, then approve it")
		r.Draft.Status = post.StatusDraft
	}
	if in.zone.guess {
		warn("TZID", "ZONE_GUESSED", "a zone that is known: this is "+in.zone.name(), "check the time, then approve it")
		r.Draft.Status = post.StatusDraft
	}
	f.cells(r, e)
	if r.Cells[2] = in.zone.loc.String(); !post.HasErrors(r.Problems) {
		r.Cells[2] = in.zone.name()
	}
	r.Cells[1] = local.Format("2006-01-02T15:04:05-07:00")
	f.rows = append(f.rows, r)
}

// cells fills in what the report shows of a row.
func (f *File) cells(r *Row, e *event) {
	r.Cells = make([]string, len(header))
	r.Cells[0] = r.Draft.ExternalID
	if e.start.set() {
		layout := "2006-01-02T15:04:05"
		if e.start.date {
			layout = time.DateOnly
		}
		r.Cells[1], r.Cells[2] = e.start.at.utc().Format(layout), e.start.zone
	}
	ids := make([]string, len(r.Draft.Connections))
	for i, id := range r.Draft.Connections {
		ids[i] = string(id)
	}
	r.Cells[3] = strings.Join(ids, ";")
	r.Cells[4], r.Cells[5] = r.Draft.Text, r.Draft.Title
	if r.Cells[4] == "" {
		r.Cells[4], r.Cells[5] = e.text, e.summary
	}
	media := make([]string, len(r.Draft.Media))
	for i, m := range r.Draft.Media {
		media[i] = m.URL
	}
	r.Cells[6] = strings.Join(media, "|")
	if r.Draft.Status == post.StatusDraft {
		r.Cells[7] = "draft"
	}
}
