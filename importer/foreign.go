package importer

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/postroom/postroom/post"
)

// Profiles say which connections other tools mean by the names and ids of their
// own, in lower case.
type Profiles map[string][]post.ConnectionID

// hasPlaces reports whether a file says where its posts go, or the folder or the
// tool does.
func (f *File) hasPlaces(have map[field]int) bool {
	if p := f.implied(); p != "" && len(f.opt.Platforms) == 0 {
		if id, err := f.opt.Directory.Resolve(string(p)); err == nil {
			f.opt.Platforms = []post.ConnectionID{id}
		}
	}
	return len(f.opt.Platforms) > 0 || have[fieldPlatforms]+have[fieldProfile]+have[fieldOn]+have[fieldCategories] > 0
}

// lookUp finds the connections that a name means: what the folder says of it, a
// connection or a platform that the account has once, or those of the platform
// to which the folder's posts go anyway. In a file of another tool a name may also
// tell its platform in passing: "Acme (LinkedIn)". The error is a
// *post.ResolveError.
func (f *File) lookUp(name string) ([]post.ConnectionID, error) {
	if ids := f.opt.Profiles[strings.ToLower(name)]; len(ids) > 0 {
		return ids, nil
	}
	id, err := f.opt.Directory.Resolve(name)
	if err == nil {
		return []post.ConnectionID{id}, nil
	}
	p, known := post.PlatformByName(name)
	if !known && f.form != nil {
		if p, known = platformIn(name); known {
			if id, err := f.opt.Directory.Resolve(string(p)); err == nil {
				return []post.ConnectionID{id}, nil
			}
		}
	}
	var usual []post.ConnectionID
	for _, id := range f.opt.Platforms {
		if known && id.Platform() == p {
			usual = append(usual, id)
		}
	}
	if len(usual) > 0 {
		return usual, nil
	}
	if wrong, ok := err.(*post.ResolveError); ok && f.form != nil {
		if network := elsewhere[strings.ToLower(name)]; network != "" {
			wrong.Hint = fmt.Sprintf("postroom does not post to %s: take the row out, or say where else it is to go", network)
			return nil, wrong
		}
		wrong.Hint += fmt.Sprintf("; or say in a defaults.yaml which connection it is: `profiles: {%q: ID}`", post.Shorten(name))
	}
	return nil, err
}

// platformIn finds the one platform that a name speaks of in words of its own.
func platformIn(name string) (p post.Platform, ok bool) {
	for _, word := range strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) }) {
		if len(word) < len("nostr") {
			continue // "x" and "in" are words
		}
		found, known := post.PlatformByName(word)
		switch {
		case !known:
		case ok && found != p:
			return "", false
		default:
			p, ok = found, true
		}
	}
	return p, ok
}

// foreignPlaces reads where a row of another tool's file goes: boxes, the tool's
// own names, categories. It reports whether that settled it.
func (m *maker) foreignPlaces() bool {
	d := &m.row.Draft
	for _, box := range m.in.On {
		c := m.columns[box.column]
		switch cell := strings.ToLower(tidy(box.text)); {
		case yes[cell]:
			m.goTo(fieldOn, string(c.platform), box.column)
		case !no[cell]:
			m.row.problem(post.Problem{Column: box.column + 1, Field: m.header[box.column], Code: "BAD_BOX", Got: post.Shorten(box.text), Want: "TRUE or FALSE"})
		}
	}
	if len(m.in.On) > 0 {
		if len(d.Connections) == 0 && len(m.opt.Platforms) == 0 && !post.HasErrors(m.row.Problems) {
			m.wrong(fieldOn, "NO_PLATFORMS", "", "a platform: none has its box ticked", "write TRUE into the column of each platform that the row is for, or give the folder a default")
		}
		if len(d.Connections) > 0 || post.HasErrors(m.row.Problems) {
			return true
		}
	}
	if cell := tidy(m.in.Categories); cell != "" {
		m.categories(cell)
		m.named = len(d.Connections) > 0
		return m.named
	}
	cell := tidy(m.in.Profile)
	if cell == "" {
		return false
	}
	if ids := m.opt.Profiles[strings.ToLower(cell)]; len(ids) > 0 {
		d.Connections = append(d.Connections, ids...)
		return true
	}
	if tidy(m.in.Platforms) != "" {
		// The platform is told too. What the tool calls the profile may tell which
		// of several connections is meant, and need not be known else.
		if r := m.resolve(cell); len(r.wrong) == 0 {
			d.Connections = append(d.Connections, r.ids...)
			return true
		}
		return false
	}
	m.goTo(fieldProfile, cell, m.row.Column(string(fieldProfile))-1)
	return true
}

// goTo adds the connections that a name means.
func (m *maker) goTo(f field, name string, column int) {
	d := &m.row.Draft
	res := m.resolve(name)
	for _, id := range res.ids {
		if !slices.Contains(d.Connections, id) {
			d.Connections = append(d.Connections, id)
		}
	}
	for _, e := range res.wrong {
		m.row.problem(post.Problem{Column: column + 1, Field: string(f), Code: "UNKNOWN_PLATFORM", Got: e.Name, Want: e.Want, Hint: e.Hint})
	}
}

// categories takes platforms out of a list of categories; the rest are labels.
func (m *maker) categories(cell string) {
	d := &m.row.Draft
	for _, name := range strings.FieldsFunc(cell, func(c rune) bool { return c == ';' || c == ',' }) {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		if _, known := post.PlatformByName(name); known {
			m.goTo(fieldCategories, name, m.row.Column(string(fieldCategories))-1)
			continue
		}
		ids, err := m.lookUp(name)
		if err != nil {
			d.Labels = append(d.Labels, name)
			continue
		}
		for _, id := range ids {
			if !slices.Contains(d.Connections, id) {
				d.Connections = append(d.Connections, id)
			}
		}
	}
}

// usualAllDay is when an event goes out that lasts all day.
const usualAllDay = 9 * time.Hour

// foreignTime reads the times that only some tools write: "tomorrow 9:40", and
// days without a time of day in a calendar.
func (m *maker) foreignTime(text string, w wall, err error) (wall, error) {
	if err != nil && m.form.relative {
		if rel, ok := m.relative(text); ok {
			m.warn(fieldWhen, "RELATIVE_TIME", text, fmt.Sprintf("a date: it was read as %04d-%02d-%02d %02d:%02d", rel.year, rel.month, rel.day, rel.hour, rel.minute), "write the date, so that the file means the same every day")
			return rel, nil
		}
	}
	if err == nil && m.form.titleText && (!w.clock || yes[strings.ToLower(tidy(m.in.AllDay))]) {
		at := m.opt.AllDay
		if at == 0 {
			at = usualAllDay
		}
		w.hour, w.minute, w.second, w.clock = int(at/time.Hour), int(at%time.Hour/time.Minute), 0, true
		m.warn(fieldDate, "ALL_DAY", text, fmt.Sprintf("a time of day: an event that lasts all day is posted at %02d:%02d", w.hour, w.minute), "set allday_time in a defaults.yaml for another")
	}
	return w, err
}

// fromToday is "today 9:40", "tomorrow at 4pm" and "tomorrow+2 9:40".
var fromToday = regexp.MustCompile(`(?i)^(today|tomorrow)(?:\s*\+\s*(\d{1,3}))?(?:,?\s+(?:at\s+)?|$)`)

func (m *maker) relative(text string) (w wall, ok bool) {
	f := fromToday.FindStringSubmatch(text)
	if f == nil || m.opt.Today.IsZero() {
		return w, false
	}
	days := atoi(f[2])
	if strings.EqualFold(f[1], "tomorrow") {
		days++
	}
	day := m.opt.Today.In(m.opt.Zone).AddDate(0, 0, days)
	w = wall{year: day.Year(), month: int(day.Month()), day: day.Day()}
	return w, parseClock(&w, text[len(f[0]):]) == nil && w.check() == nil
}

// link picks the one link of a cell in which a tool takes several, or a label
// before it.
func (m *maker) link(cell string) string {
	if m.form == nil || m.form.links == "" || !strings.Contains(cell, m.form.links) {
		return cell
	}
	var links []string
	if m.form.links == "," {
		links = splitURLs(cell)
	} else {
		for _, part := range strings.Split(cell, m.form.links) {
			if part = strings.TrimSpace(part); isAddress(part) {
				links = append(links, part)
			}
		}
	}
	if len(links) == 0 {
		return cell
	}
	if len(links) > 1 {
		m.warn(fieldLink, "SEVERAL_LINKS", cell, "one link: the first was taken", "")
	}
	return links[0]
}

// comment picks the first comment of those that a tool takes.
func (m *maker) comment(cell string) string {
	parts := []string{cell}
	if strings.Contains(cell, nextComment) {
		parts = strings.Split(cell, nextComment)
	} else if m.form != nil && m.form.comments != "" {
		parts = strings.Split(cell, m.form.comments)
	}
	first, more := "", 0
	for _, p := range parts {
		switch p = strings.TrimSpace(p); {
		case p == "":
		case first == "":
			first = p
		default:
			more++
		}
	}
	if more > 0 {
		m.warn(fieldComment, "SEVERAL_COMMENTS", strings.ReplaceAll(cell, nextComment, " "), fmt.Sprintf("one comment: the first was taken, and %d left out", more), "a thread can be written in the text, its parts separated by lines with ---")
	}
	return first
}

// foreignCells reads what only files of other tools have.
func (m *maker) foreignCells() {
	d := &m.row.Draft
	switch cell := strings.ToLower(tidy(m.in.Draft)); {
	case cell == "" || no[cell]:
	case yes[cell]:
		d.Status = post.StatusDraft
	default:
		m.wrong(fieldDraft, "BAD_BOX", m.in.Draft, "TRUE or FALSE", "write TRUE to keep the row back, or leave the cell empty")
	}
	if cell := strings.ToLower(tidy(m.in.Private)); cell != "" && !no[cell] && tidy(m.in.Platforms) == "" {
		m.wrong(fieldPrivate, "PRIVATE", m.in.Private, "an event that everybody may see: this one is private", "take the mark off if it is to be posted, or say where to in a column named platforms")
	}
	if m.in.Guests != "" && !m.named {
		m.wrong(fieldGuests, "MEETING", m.in.Guests, "a post: this looks like a meeting, as somebody is invited", "name a platform among its categories if it is to be posted")
	}
	m.mediaOrLink()
	m.extras()
}

// mediaOrLink reads a cell that holds media or a link, as another cell says.
func (m *maker) mediaOrLink() {
	d := &m.row.Draft
	cell := tidy(m.in.MediaLink)
	if cell == "" {
		return
	}
	kind := strings.ToLower(tidy(m.in.MediaKind))
	isMedia := mediaFile.MatchString(cell)
	switch kind {
	case "photo", "image", "video", "gif":
		isMedia = true
	case "link", "article":
		isMedia = false
	case "", "message":
	default:
		m.wrong(fieldKind, "UNKNOWN_KIND", m.in.MediaKind, "image, video, article or message", "")
		return
	}
	if !isMedia {
		d.Link = cell
		if shown, want, hint := badURL(cell, "https://example.com/page"); want != "" {
			m.wrong(fieldEither, "BAD_LINK", shown, want, hint)
		}
		return
	}
	for _, u := range splitURLs(cell) {
		if name, ok := localMedia(u); ok {
			u = name
		} else if shown, want, hint := badURL(u, "https://example.com/picture.jpg"); want != "" {
			m.wrong(fieldEither, "BAD_MEDIA", shown, want, hint)
			continue
		}
		d.Media = append(d.Media, post.Media{URL: u})
	}
}

// extras turns the wishes of a row into platform settings, for the platforms that
// it goes to.
func (m *maker) extras() {
	d := &m.row.Draft
	settings := map[string]map[string]any{}
	for _, cell := range m.in.Extras {
		c := m.columns[cell.column].form
		if c.on != "" && !m.goesTo(string(c.on)) {
			continue
		}
		setting, can := c.words.lookUp(cell.text)
		if !can && c.loud {
			m.row.problem(post.Problem{
				Column: cell.column + 1, Field: m.header[cell.column], Code: "NOT_CARRIED_OVER", Severity: post.SeverityWarning, Got: post.Shorten(cell.text),
				Want: "an ordinary post: postroom cannot do this, and posts the row without it",
			})
		}
		platform, rest, ok := strings.Cut(setting, ".")
		if !ok || !m.goesTo(platform) {
			continue
		}
		key, value, _ := strings.Cut(rest, ":")
		if settings[platform] == nil {
			settings[platform] = map[string]any{}
		}
		switch value {
		case "true", "false":
			settings[platform][key] = value == "true"
		default:
			settings[platform][key] = value
		}
	}
	if len(settings) == 0 {
		return
	}
	b, err := json.Marshal(settings)
	if err != nil {
		m.wrong(fieldExtra, "BAD_SETTINGS", "", err.Error(), "")
		return
	}
	d.Settings = b
}

// goesTo reports whether one of the row's connections is on a platform.
func (m *maker) goesTo(platform string) bool {
	return slices.ContainsFunc(m.row.Draft.Connections, func(id post.ConnectionID) bool { return string(id.Platform()) == platform })
}

// A loss counts the rows of a column whose wishes are not carried over.
type loss struct {
	column *formColumn
	at     int // of the file
	rows   int
	line   int // of the first
	sample string
}

// carried lists the columns whose cells the survey is to look at.
func (f *File) carried() []loss {
	var out []loss
	for i, c := range f.columns {
		if c.field == fieldExtra && !c.form.loud {
			out = append(out, loss{column: c.form, at: i})
		}
	}
	return out
}

func (l *loss) look(rec *record) {
	cell := rec.cell(l.at)
	if cell == "" {
		return
	}
	if _, can := l.column.words.lookUp(cell); can {
		return
	}
	if l.rows++; l.rows == 1 {
		l.line, l.sample = rec.line, cell
	}
}

// tellLost says which columns hold what postroom cannot do.
func (f *File) tellLost(lost []loss) {
	for _, l := range lost {
		if l.rows == 0 {
			continue
		}
		rows := "1 row has"
		if l.rows > 1 {
			rows = fmt.Sprintf("%d rows have", l.rows)
		}
		f.note(post.Problem{Line: l.line, Column: l.at + 1, Field: f.header[l.at], Code: "NOT_CARRIED_OVER", Got: post.Shorten(l.sample), Want: fmt.Sprintf("nothing in this column: postroom cannot do what it asks for, and posts without it (%s it)", rows)})
	}
}
