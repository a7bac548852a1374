package report

import (
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/postroom/postroom/internal/walltime"
	"github.com/postroom/postroom/post"
)

// What the page shows at most; the CSV beside it has everything.
const (
	mostTroubles  = 100 // different problems, and as many different warnings
	mostPlaces    = 12  // of one problem
	mostNotes     = 50
	mostPosts     = 500
	mostPerDay    = 4
	mostMonths    = 14
	excerptLength = 110
	gotLength     = 80
	noteLength    = 400 // of what a problem or a platform says
	longestURL    = 2000
)

// A page gathers what the HTML shows, bounded whatever the file's size.
type page struct {
	zone     *time.Location
	now      time.Time
	troubles map[troubleKey]*trouble
	order    []*trouble
	kinds    [2]int       // of troubles shown, by severity
	omitted  [2]int       // troubles of other kinds, by severity
	days     map[int]*day // as walltime.Day counts them
	urgent   []postView   // posts that need a person, at most mostPosts
	calm     []postView   // the others, as many
	posts    int          // of both, shown or not
	conns    map[post.ConnectionID]*tally
	total    tally
	jsonRows int
}

type troubleKey struct {
	severity          post.Severity
	field, want, hint string
}

// A trouble is one problem that some rows share.
type trouble struct {
	Severity string
	Message  string
	Hint     string
	Count    int
	Places   []place
	More     int
}

// A place is one cell with a problem, as a sheet would show it.
type place struct {
	Where string // line 3, column 8
	Field string // the column's name
	Got   string
}

// A day of the calendar.
type day struct {
	Date  time.Time
	Count int
	Posts []dayPost
	More  int
}

type dayPost struct {
	Time, Text, Status string
	Platforms          []string
}

type postView struct {
	Line                      int
	Status, Class             string
	When, Moved               string
	Platform, Text, URL, Note string
	Hint                      string
}

// A tally counts posts by where they stand.
type tally struct {
	Waiting, Published, Failed, Unknown, Held, Cancelled int
}

// All is the number of posts counted.
func (t *tally) All() int {
	return t.Waiting + t.Published + t.Failed + t.Unknown + t.Held + t.Cancelled
}

func (t *tally) add(s post.Status) {
	switch s {
	case post.StatusPublished:
		t.Published++
	case post.StatusFailed:
		t.Failed++
	case post.StatusUnknown:
		t.Unknown++
	case post.StatusDraft:
		t.Held++
	case post.StatusCancelled:
		t.Cancelled++
	default:
		t.Waiting++
	}
}

func (p *page) begin(o Options) {
	p.zone, p.now = o.Zone, o.Now
	p.troubles, p.days, p.conns = map[troubleKey]*trouble{}, map[int]*day{}, map[post.ConnectionID]*tally{}
}

func (p *page) row(r *post.Row, g *post.Group) {
	for i := range r.Problems {
		p.trouble(&r.Problems[i])
	}
	if g == nil || len(g.Posts) == 0 {
		p.posts++
		if list := p.list(r.Decision.String()); len(*list) < mostPosts {
			_, note, hint := troubleOf(r, nil)
			if note == "" {
				note = whyOf(r, g)
			}
			status := r.Decision.String()
			*list = append(*list, postView{Line: r.Line, Status: status, Class: classes[status], Note: excerpt(note, noteLength), Hint: excerpt(hint, noteLength)})
		}
		return
	}
	for i := range g.Posts {
		q := &g.Posts[i]
		p.total.add(q.Status)
		t := p.conns[q.Connection]
		if t == nil {
			t = &tally{}
			p.conns[q.Connection] = t
		}
		t.add(q.Status)
		p.posts++
		if list := p.list(statusOf(r, g, q)); len(*list) < mostPosts {
			*list = append(*list, p.view(r, g, q))
		}
	}
	if !r.ScheduledAt.IsZero() || r.Decision == post.Unchanged && !g.ScheduledAt.IsZero() {
		p.plan(g)
	}
}

// list returns where a post of a status is shown.
func (p *page) list(status string) *[]postView {
	switch status {
	case "rejected", "failed", "unknown", "held":
		return &p.urgent
	}
	return &p.calm
}

func (p *page) trouble(q *post.Problem) {
	k := troubleKey{q.Severity, q.Field, q.Want, q.Hint}
	t := p.troubles[k]
	if t == nil {
		kind := min(int(q.Severity), 1)
		if p.kinds[kind] >= mostTroubles {
			p.omitted[kind]++
			return
		}
		p.kinds[kind]++
		message := post.Problem{Field: q.Field, Want: q.Want}.Message()
		if message == "" {
			message = strings.ToLower(strings.ReplaceAll(q.Code, "_", " "))
		}
		t = &trouble{Severity: q.Severity.String(), Message: excerpt(message, noteLength), Hint: excerpt(q.Hint, noteLength)}
		p.troubles[k] = t
		p.order = append(p.order, t)
	}
	if t.Count++; len(t.Places) >= mostPlaces {
		t.More++
		return
	}
	where := "the whole file"
	switch {
	case q.UID != "" && q.Line == 0:
		where = excerpt(q.UID, gotLength)
	case q.Sheet != "":
		where = q.Cell()
	case q.Column > 0:
		where = fmt.Sprintf("line %d, column %d", q.Line, q.Column)
	case q.Line > 0:
		where = fmt.Sprintf("line %d", q.Line)
	}
	t.Places = append(t.Places, place{where, q.Field, excerpt(q.Got, gotLength)})
}

// classes are how the page colours a status.
var classes = map[string]string{
	"published": "good", "accepted": "plan", "updated": "plan", "unchanged": "calm", "draft": "calm", "held": "wait", "cancelled": "calm",
	"rejected": "bad", "failed": "bad", "unknown": "wait", "sending": "plan",
}

func (p *page) view(r *post.Row, g *post.Group, q *post.Post) postView {
	status := statusOf(r, g, q)
	v := postView{Line: r.Line, Status: status, Class: classes[status], Platform: string(q.Connection), Text: excerpt(g.Content.For(q.Connection.Platform()), excerptLength)}
	at := q.DueAt
	if at.IsZero() {
		at = g.ScheduledAt
	}
	if !at.IsZero() {
		v.When = at.In(p.zone).Format("Mon 2 Jan 15:04")
	}
	if m := minutesMoved(r); m > 0 && q.Status == post.StatusScheduled {
		v.Moved = fmt.Sprintf("+%d min", m)
	}
	if q.Receipt != nil && len(q.Receipt.URL) <= longestURL {
		v.URL = q.Receipt.URL
	}
	if status == "held" || status == "unchanged" {
		v.Note = excerpt(whyOf(r, g), noteLength)
	}
	if q.Problem != nil && q.Status != post.StatusPublished {
		_, message, hint := troubleOf(r, q)
		v.Note, v.Hint = excerpt(message, noteLength), hint
	}
	if status == "held" {
		v.Hint = "`postroom posts approve " + q.ID.String() + "` sends it at its time"
	}
	return v
}

// plan puts a group on the calendar.
func (p *page) plan(g *post.Group) {
	n := walltime.Day(g.ScheduledAt, p.zone)
	d := p.days[n]
	if d == nil {
		d = &day{Date: walltime.DayTime(n)}
		p.days[n] = d
	}
	if d.Count++; d.Count > mostPerDay {
		d.More++
		return
	}
	v := dayPost{Time: g.ScheduledAt.In(p.zone).Format("15:04"), Text: excerpt(g.Text, 42), Status: g.Status().String()}
	for i := range g.Posts {
		v.Platforms = append(v.Platforms, string(g.Posts[i].Connection.Platform()))
	}
	d.Posts = append(d.Posts, v)
}

// A month of the calendar: weeks that begin on Monday.
type month struct {
	Name  string
	Weeks [][7]*cell
}

type cell struct {
	Number int
	Today  bool
	Day    *day
}

func (p *page) months() (out []month, more int) {
	byMonth := map[string][]*day{}
	for _, d := range p.days {
		k := d.Date.Format("2006-01")
		byMonth[k] = append(byMonth[k], d)
	}
	today := walltime.Day(p.now, p.zone)
	for _, k := range slices.Sorted(maps.Keys(byMonth)) {
		if len(out) == mostMonths {
			more++
			continue
		}
		first, err := time.Parse("2006-01", k)
		if err != nil {
			continue // a key made above: unreachable
		}
		m := month{Name: first.Format("January 2006")}
		var week [7]*cell
		col := (int(first.Weekday()) + 6) % 7
		for at := first; at.Month() == first.Month(); at = at.AddDate(0, 0, 1) {
			n := walltime.Day(at, time.UTC)
			d := p.days[n]
			if d != nil {
				slices.SortFunc(d.Posts, func(a, b dayPost) int { return cmp.Compare(a.Time, b.Time) })
			}
			week[col] = &cell{Number: at.Day(), Today: n == today, Day: d}
			if col++; col == 7 {
				m.Weeks = append(m.Weeks, week)
				week, col = [7]*cell{}, 0
			}
		}
		if col > 0 {
			m.Weeks = append(m.Weeks, week)
		}
		out = append(out, m)
	}
	return out, more
}

//go:embed page.html
var pageText string

//go:embed page.css
var pageStyle string

// pageScript filters the table of posts. The page is whole without it, and its
// policy lets no other script run.
//
//go:embed page.js
var pageScript string

// scriptHash is how the page's policy names its script.
func scriptHash() string {
	sum := sha256.Sum256([]byte(pageScript))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"style":  func() template.CSS { return template.CSS(pageStyle) },
	"script": func() template.JS { return template.JS(pageScript) },
	"policy": func() template.HTMLAttr {
		return template.HTMLAttr(`content="default-src 'none'; style-src 'unsafe-inline'; script-src '` + scriptHash() + `'; base-uri 'none'; form-action 'none'"`)
	},
	"local": func(at time.Time, zone *time.Location) string {
		return at.In(zone).Format("Monday 2 January 2006, 15:04 MST")
	},
	"percent": percent,
	"visible": func(v any) string { return visible(fmt.Sprint(v)) },
	"hint":    hint,
	"s": func(n int) string {
		if n == 1 {
			return ""
		}
		return "s"
	},
	"safeURL": func(u string) string {
		if strings.HasPrefix(u, "https://") || strings.HasPrefix(u, "http://") {
			return u
		}
		return ""
	},
}).Parse(pageText))

// hint marks what stands between backquotes as code.
func hint(s string) template.HTML {
	var b strings.Builder
	for i, part := range strings.Split(s, "`") {
		switch {
		case i%2 == 0:
			b.WriteString(template.HTMLEscapeString(part))
		default:
			b.WriteString("<code>" + template.HTMLEscapeString(part) + "</code>")
		}
	}
	return template.HTML(b.String()) // escaped above
}

// percent is the width of a part of a quota's bar.
func percent(n int, limit *int) int {
	if limit == nil || *limit <= 0 {
		return 0
	}
	return min(100, max(0, n*100 / *limit))
}

// pageData is what the template sees.
type pageData struct {
	Title                    string
	File                     string
	Account                  post.AccountID
	Counts                   post.Counts
	Taken                    time.Time
	Written                  time.Time
	Zone                     *time.Location
	First                    time.Time
	Last                     time.Time
	Undone                   bool
	Checked                  bool // nothing is stored, as it was only a check
	Nothing                  bool // nothing is stored, as no row could be used
	Total                    tally
	Notes                    []string
	Errors                   []*trouble
	Warnings                 []*trouble
	MoreErrors, MoreWarnings int // of other kinds, and notes
	Quotas                   []Quota
	Conns                    []connTally
	Platforms                []post.Platform // on the calendar, for its key
	Months                   []month
	Later                    int
	Posts                    []postView
	More                     int
	Sheet                    string // the file with everything
	Rejected                 string // the file with the rows to mend
}

type connTally struct {
	Connection post.ConnectionID
	tally
}

// write writes the page of the file called name; base is how its reports are
// called.
func (p *page) write(w io.Writer, imp post.Import, quotas []Quota, name, base string) error {
	nothing := imp.Counts.Rejected == imp.Counts.Rows
	d := pageData{
		Title: visible(name), File: visible(name), Sheet: visible(base) + endCSV, Account: imp.Account, Counts: imp.Counts, Taken: imp.TakenAt, Written: p.now, Zone: p.zone,
		First: imp.FirstAt, Last: imp.LastAt, Undone: imp.Undone, Checked: imp.ID.IsZero() && !nothing, Nothing: imp.ID.IsZero() && nothing, Total: p.total,
		MoreErrors: p.omitted[post.SeverityError], MoreWarnings: p.omitted[post.SeverityWarning], Quotas: quotas,
	}
	for i := range imp.Notes {
		if i == mostNotes {
			d.MoreWarnings += len(imp.Notes) - i
			break
		}
		d.Notes = append(d.Notes, excerpt(imp.Notes[i].String(), noteLength))
	}
	// Those that need a person first, and what failed before what waits.
	slices.SortStableFunc(p.urgent, func(a, b postView) int { return cmp.Compare(rank(a.Status), rank(b.Status)) })
	d.Posts = append(p.urgent, p.calm[:min(len(p.calm), mostPosts-len(p.urgent))]...)
	d.More = p.posts - len(d.Posts)
	slices.SortStableFunc(p.order, func(a, b *trouble) int { return cmp.Compare(b.Count, a.Count) })
	for _, t := range p.order {
		if t.Severity == "error" {
			d.Errors = append(d.Errors, t)
		} else {
			d.Warnings = append(d.Warnings, t)
		}
	}
	for _, c := range slices.Sorted(maps.Keys(p.conns)) {
		d.Conns = append(d.Conns, connTally{c, *p.conns[c]})
		if name := c.Platform(); !slices.Contains(d.Platforms, name) {
			d.Platforms = append(d.Platforms, name)
		}
	}
	d.Months, d.Later = p.months()
	if imp.Counts.Rejected > 0 {
		d.Rejected = visible(base) + endRejected
	}
	return pageTemplate.ExecuteTemplate(w, "report", d)
}

// rank orders the statuses that need a person.
func rank(status string) int {
	return slices.Index([]string{"unknown", "failed", "rejected", "held"}, status)
}

// excerpt shortens a text to one line.
func excerpt(s string, most int) string {
	n := 0
	for i := range s { // cut first: a text may be long
		if n++; n > 4*most {
			s = s[:i]
			break
		}
	}
	s = visible(strings.Join(strings.Fields(s), " "))
	if r := []rune(s); len(r) > most {
		return strings.TrimRight(string(r[:most-1]), " ") + "…"
	}
	return s
}

// visible shows characters that change how a page reads: control characters and
// those that turn the direction of text.
func visible(s string) string {
	if strings.IndexFunc(s, tricky) < 0 {
		return s
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == 0x2028 || r == 0x2029:
			return ' '
		case tricky(r):
			return '\ufffd'
		}
		return r
	}, s)
}

func tricky(r rune) bool {
	return r < 0x20 || r >= 0x7f && r < 0xa0 || r >= 0x2028 && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}
