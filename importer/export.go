package importer

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/postroom/postroom/post"
)

// A writing is how a form is written.
type writing struct {
	date     string // layout of the day, with the time of day where no column of its own has it; "" for a form that is not written
	clock    string // layout of the time of day in a column of its own
	utc      bool   // the time is UTC, else of the account's zone
	list     string // between media, and between platforms
	labels   string // between labels
	blank    blank  // what the tool does with a row without a time
	quoteAll bool
	upper    bool // words are written in capitals
}

// A blank says what a tool does with a row without a time: when it posts it, or one
// of these.
type blank string

const (
	keptBack blank = "" // as a draft
	refused  blank = "refused"
	untold   blank = "untold"
)

const (
	// slashes stands in a layout for a day whose order the account decides.
	slashes = "01/02/2006"
	// inParts is the layout of times that have a column for each part.
	inParts = "parts"
)

// mediaKinds are a tool's words for what a fieldEither holds.
type mediaKinds struct{ picture, film, link, nothing string }

// plainForm is a file of postroom's own.
var plainForm = form{
	tool: "postroom", name: "postroom",
	columns: []formColumn{
		{name: "content", as: fieldContent}, {name: "platforms", as: fieldPlatforms}, {name: "scheduled_time", as: fieldWhen}, {name: "media_url", as: fieldMedia},
		{name: "alt_text", as: fieldAlt}, {name: "title", as: fieldTitle}, {name: "link", as: fieldLink}, {name: "first_comment", as: fieldComment},
		{name: "labels", as: fieldLabels}, {name: "status", as: fieldStatus}, {name: "external_id", as: fieldID}, {name: "platform_settings", as: fieldSettings},
		{name: "content_", as: fieldVariant},
	},
	write: writing{date: "2006-01-02T15:04:05Z", utc: true, list: ";", labels: ";"},
}

// written is the form in which a tool's files are written, or nil.
func written(tool string) *form {
	if tool == plainForm.tool {
		return &plainForm
	}
	for i := range forms {
		if forms[i].tool == tool && forms[i].write.date != "" {
			return &forms[i]
		}
	}
	return nil
}

// Tools lists the tools whose files a [Sheet] can be, by the words NewSheet takes.
func Tools() []string {
	out := []string{plainForm.tool}
	for i := range forms {
		if forms[i].write.date != "" {
			out = append(out, forms[i].tool)
		}
	}
	slices.Sort(out[1:])
	return out
}

// A Sheet is a file for another tool, made of post groups. What such a file can say
// is found out by reading it: what does not come back is told, and a group that
// would come back with another text, time or place is not written.
type Sheet struct {
	form *form
	opt  Options
	rows []sheetRow
}

// A sheetRow is one group on its way into a file.
type sheetRow struct {
	id    post.ID
	draft post.Draft // as it should come back
	apart bool       // its posts have times of their own
	marks bool       // it had characters that no file holds
}

// An Unsaid is what a file for another tool does not say of a post group.
type Unsaid struct {
	Group   post.ID `json:"group"`
	Field   string  `json:"field"`
	Got     string  `json:"got,omitempty"`
	Why     string  `json:"why"`
	Dropped bool    `json:"dropped"` // the group is not in the file
}

// String says it to a person.
func (u Unsaid) String() string {
	what := "without its " + u.Field
	if u.Dropped {
		what = "not written, for its " + u.Field
	}
	got := ""
	if u.Got != "" {
		got = fmt.Sprintf(" %q", post.Shorten(u.Got))
	}
	return fmt.Sprintf("post group %s: %s%s: %s", u.Group, what, got, u.Why)
}

// Errors of NewSheet that a person can do something about.
var (
	ErrUnknownTool = errors.New("no such tool")
	ErrNoOrder     = errors.New("its files write days with slashes, and nothing says whether the day or the month comes first")
	ErrOtherOrder  = errors.New("its files have another order of day and month than the account")
	ErrNoPlace     = errors.New("its files do not say where a post goes, so one connection must be named")
)

// errTakenOtherwise is the error of a file that would not be read as one for its tool.
var errTakenOtherwise = errors.New("a file with these posts would not be known as one for the tool")

// NewSheet begins a file for a tool. Options say how it is to be read when it comes
// back: Directory, Profiles, Zone and DateOrder, and in Platforms the one connection
// of a file that does not say where its posts go.
func NewSheet(tool string, o Options) (*Sheet, error) {
	f := written(tool)
	if f == nil {
		return nil, fmt.Errorf("%s: %w", tool, ErrUnknownTool)
	}
	o.Name, o.Today, o.Status, o.Limits = tool+".csv", time.Time{}, 0, Limits{}
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	s := &Sheet{form: f, opt: o}
	layout := f.write.date
	switch own := f.order.String(); {
	case strings.Contains(layout, slashes) && o.DateOrder == "" && own == "":
		return nil, fmt.Errorf("%s: %w", f.name, ErrNoOrder)
	case strings.Contains(layout, "02/01/2006") && o.DateOrder != "" && o.DateOrder != own:
		return nil, fmt.Errorf("%s: %w", f.name, ErrOtherOrder)
	}
	if !s.saysPlaces() {
		if f.platform != "" && len(o.Platforms) == 0 {
			id, err := o.Directory.Resolve(string(f.platform))
			if err != nil {
				return nil, fmt.Errorf("%s: %w: %w", f.name, ErrNoPlace, err)
			}
			s.opt.Platforms = []post.ConnectionID{id}
		}
		if len(s.opt.Platforms) != 1 {
			return nil, fmt.Errorf("%s: %w", f.name, ErrNoPlace)
		}
	}
	return s, nil
}

// saysPlaces reports whether the form has a column for where a post goes.
func (s *Sheet) saysPlaces() bool {
	return slices.ContainsFunc(s.form.columns, func(c formColumn) bool {
		return !c.unwritten && (c.as == fieldPlatforms || c.as == fieldProfile || c.as == fieldOn || c.as == fieldCategories)
	})
}

// Add adds what of a group still waits to be published. It reports whether there is
// anything.
func (s *Sheet) Add(g *post.Group) bool {
	r := sheetRow{id: g.ID, draft: post.Draft{Content: g.Content, ExternalID: g.ExternalID, At: g.Slot(), Status: post.StatusDraft}}
	d := &r.draft
	for i := range g.Posts {
		p := &g.Posts[i]
		switch {
		case p.Status != post.StatusScheduled && p.Status != post.StatusDraft:
			continue
		case len(s.opt.Platforms) > 0 && !slices.Contains(s.opt.Platforms, p.Connection):
			continue
		case p.Status == post.StatusScheduled:
			d.Status = post.StatusScheduled
			if !p.DueAt.IsZero() && len(d.Connections) == 0 {
				d.At = p.DueAt
			}
			r.apart = r.apart || !p.DueAt.Equal(d.At)
		}
		d.Connections = append(d.Connections, p.Connection)
	}
	if len(d.Connections) == 0 {
		return false
	}
	d.At = d.At.UTC()
	d.Text = strings.TrimSpace(strings.ReplaceAll(d.Text, "\r\n", "\n"))
	r.marks = cleanContent(&d.Content)
	if s.form != &plainForm {
		s.oneText(&d.Content, d.Connections)
		d.ExternalID = ""
	}
	d.Settings = s.settingsOf(d)
	s.rows = append(s.rows, r)
	return true
}

// cleanContent takes out of what a post says the control characters, and what is no
// text. It reports whether there were any.
func cleanContent(c *post.Content) (found bool) {
	clean := func(s *string) {
		if t := strings.Map(printable, strings.ToValidUTF8(*s, "\ufffd")); t != *s {
			*s, found = t, true
		}
	}
	c.Labels = slices.Clone(c.Labels)
	for i := range c.Labels {
		clean(&c.Labels[i])
	}
	for _, s := range []*string{&c.Text, &c.Title, &c.Link, &c.FirstComment} {
		clean(s)
	}
	return found
}

// oneText takes the text of the platform that a row goes to where there is one for
// it alone.
func (s *Sheet) oneText(c *post.Content, to []post.ConnectionID) {
	text := c.For(to[0].Platform())
	for _, id := range to[1:] {
		if c.For(id.Platform()) != text {
			return
		}
	}
	c.Text, c.Variants = text, nil
}

// settingsOf returns the platform settings that are about the platforms of a draft.
func (s *Sheet) settingsOf(d *post.Draft) json.RawMessage {
	if len(d.Settings) == 0 || s.form == &plainForm {
		return d.Settings
	}
	var all map[string]any
	if json.Unmarshal(d.Settings, &all) != nil {
		return d.Settings
	}
	maps.DeleteFunc(all, func(platform string, _ any) bool {
		return !slices.ContainsFunc(d.Connections, func(id post.ConnectionID) bool { return string(id.Platform()) == platform })
	})
	if len(all) == 0 {
		return nil
	}
	b, _ := json.Marshal(all) // it was JSON before
	return b
}

// Encode writes the file, by time and what has none last. It returns how many groups are in it, and what of them, or
// of those left out, it does not say.
func (s *Sheet) Encode(ctx context.Context, w io.Writer) (n int, unsaid []Unsaid, err error) {
	rows := make([]*sheetRow, 0, len(s.rows))
	for i := range s.rows {
		r := &s.rows[i]
		if why := s.mute(r); why != "" {
			unsaid = append(unsaid, Unsaid{Group: r.id, Field: "status", Got: "draft", Why: why, Dropped: true})
			continue
		}
		rows = append(rows, r)
	}
	slices.SortStableFunc(rows, func(a, b *sheetRow) int {
		switch x, y := a.draft.At, b.draft.At; {
		case x.IsZero() && !y.IsZero():
			return 1
		case y.IsZero() && !x.IsZero():
			return -1
		default:
			return x.Compare(y)
		}
	})
	// Without the rows that do not come back as they are the others may be read
	// otherwise, so the file is read again until all do.
	for len(rows) > 0 {
		text := s.text(rows)
		good, lost, err := s.readBack(ctx, text, rows)
		if plain := s.shaped(rows); errors.Is(err, errTakenOtherwise) && len(plain) < len(rows) {
			for _, r := range rows {
				if !slices.Contains(plain, r) {
					unsaid = append(unsaid, Unsaid{Group: r.id, Field: "text", Got: r.draft.Text, Why: "files for " + s.form.name + " have no header row, and would not be known by such rows", Dropped: true})
				}
			}
			rows = plain
			continue
		}
		if err != nil {
			return 0, unsaid, err
		}
		if len(good) == len(rows) {
			unsaid = append(unsaid, lost...)
			_, err = w.Write(text)
			return len(rows), unsaid, err
		}
		for _, u := range lost {
			if u.Dropped {
				unsaid = append(unsaid, u)
			}
		}
		rows = good
	}
	_, err = w.Write(s.text(nil))
	return 0, unsaid, err
}

// shaped are the rows by which a file without a header row is known.
func (s *Sheet) shaped(rows []*sheetRow) []*sheetRow {
	if s.form.shape == nil {
		return rows
	}
	columns := s.columns(rows)
	var out []*sheetRow
	for _, r := range rows {
		var cells []string
		for _, c := range columns {
			cells = append(cells, s.cell(&r.draft, c))
		}
		if fits, timed := s.form.fits(cells); fits && timed {
			out = append(out, r)
		}
	}
	return out
}

// mute says why the tool would post a draft that was kept back, or "".
func (s *Sheet) mute(r *sheetRow) string {
	d := &r.draft
	switch {
	case d.Status != post.StatusDraft || s.has(fieldDraft) || s.has(fieldStatus):
		return ""
	case !d.At.IsZero():
		return s.form.name + " would post it at its time, as its files know no drafts"
	}
	switch when := s.form.write.blank; when {
	case keptBack:
		return ""
	case refused:
		return s.form.name + " takes no row without a time"
	case untold:
		return "nothing tells what " + s.form.name + " does with a row without a time"
	default:
		return fmt.Sprintf("%s would post it %s, as it has no time", s.form.name, when)
	}
}

func (s *Sheet) has(f field) bool {
	return slices.ContainsFunc(s.form.columns, func(c formColumn) bool { return c.as == f && !c.unwritten })
}

// text writes rows with what stands above them.
func (s *Sheet) text(rows []*sheetRow) []byte {
	columns := s.columns(rows)
	var b []byte
	if s.form.groups {
		var groups []string
		for _, c := range columns {
			groups = append(groups, c.group)
		}
		b = s.line(b, groups)
	}
	if s.form.shape == nil || len(s.form.marks) > 0 {
		var names []string
		for _, c := range columns {
			names = append(names, c.title())
		}
		b = s.line(b, names)
	}
	for _, r := range rows {
		cells := make([]string, len(columns))
		for i, c := range columns {
			cells[i] = s.cell(&r.draft, c)
		}
		b = s.line(b, cells)
	}
	return b
}

// A sheetColumn is a column of the file: one of a form's, of those that have a
// number the nth.
type sheetColumn struct {
	*formColumn
	nth      int           // from 1; 0 for the only one
	platform post.Platform // of a variant
}

func (c *sheetColumn) title() string {
	if c.count > 0 {
		return strings.ReplaceAll(c.name, "#", fmt.Sprint(c.nth))
	}
	return c.name + string(c.platform)
}

// columns lists the columns of the file, of those that may be repeated as many as
// the rows need.
func (s *Sheet) columns(rows []*sheetRow) []sheetColumn {
	media, variants := 0, map[post.Platform]bool{}
	for _, r := range rows {
		media = max(media, len(r.draft.Media))
		for p := range r.draft.Variants {
			variants[p] = true
		}
	}
	var out []sheetColumn
	for i := range s.form.columns {
		c := &s.form.columns[i]
		switch {
		case c.unwritten:
		case c.as == fieldVariant:
			for _, p := range slices.Sorted(maps.Keys(variants)) {
				out = append(out, sheetColumn{c, 0, p})
			}
		case c.count > 0 || c.repeat > 0:
			for n := range max(c.count, c.repeat, media*min(c.repeat, 1)) {
				out = append(out, sheetColumn{c, n + 1, ""})
			}
		default:
			out = append(out, sheetColumn{c, 0, ""})
		}
	}
	return out
}

// line appends one line of cells.
func (s *Sheet) line(b []byte, cells []string) []byte {
	delim := cmp.Or(s.form.delim, ',')
	for i, cell := range cells {
		if i > 0 {
			b = append(b, delim)
		}
		quote := s.form.write.quoteAll || strings.ContainsAny(cell, "\"\r\n"+string(rune(delim))) || cell != strings.TrimSpace(cell)
		if quote {
			cell = `"` + strings.ReplaceAll(cell, `"`, `""`) + `"`
		}
		b = append(b, cell...)
	}
	return append(b, '\r', '\n')
}

// cell says what a draft has in a column.
func (s *Sheet) cell(d *post.Draft, c sheetColumn) string {
	w := &s.form.write
	switch c.as {
	case fieldContent:
		if s.titleAlone(d) {
			return ""
		}
		return d.Text
	case fieldTitle:
		if s.titleAlone(d) {
			return d.Text
		}
		return d.Title
	case fieldVariant:
		return d.Variants[c.platform]
	case fieldLink:
		return d.Link
	case fieldComment:
		if c.nth > 1 {
			return ""
		}
		return d.FirstComment
	case fieldLabels:
		return strings.Join(d.Labels, w.labels)
	case fieldID:
		return d.ExternalID
	case fieldSettings:
		return string(d.Settings)
	case fieldStatus:
		if d.Status == post.StatusDraft {
			return "draft"
		}
	case fieldDraft, fieldOn:
		ticked := c.as == fieldDraft && d.Status == post.StatusDraft ||
			c.as == fieldOn && slices.ContainsFunc(d.Connections, func(id post.ConnectionID) bool { return id.Platform() == c.on })
		return strings.ToUpper(fmt.Sprint(ticked))
	case fieldAllDay, fieldPrivate:
		return "False"
	case fieldPlatforms:
		return strings.Join(s.names(d), cmp.Or(w.list, ","))
	case fieldCategories:
		return strings.Join(append(s.names(d), d.Labels...), w.list)
	case fieldProfile:
		return s.profiles(d)
	case fieldMedia:
		return s.media(d, c)
	case fieldAlt:
		return s.alt(d, c)
	case fieldKind, fieldEither:
		return s.either(d, c)
	case fieldExtra:
		return s.wish(d, c)
	default:
		return s.time(d, c)
	}
	return ""
}

// titleAlone reports whether a calendar has the text as its title, as an event must
// have one.
func (s *Sheet) titleAlone(d *post.Draft) bool {
	return s.form.titleText && d.Title == "" && !strings.Contains(d.Text, "\n")
}

// time writes the time, or the part of it that a column has.
func (s *Sheet) time(d *post.Draft, c sheetColumn) string {
	if d.At.IsZero() {
		return ""
	}
	w := &s.form.write
	at, layout := d.At.In(s.opt.Zone), w.date
	if w.utc {
		at = d.At.UTC()
	}
	if s.opt.DateOrder == "dmy" {
		layout = strings.ReplaceAll(layout, slashes, "02/01/2006")
	}
	switch c.as {
	case fieldWhen, fieldDate:
		return at.Format(layout)
	case fieldTime:
		return at.Format(w.clock)
	case fieldYear:
		return at.Format("2006")
	case fieldMonth:
		return at.Format("01")
	case fieldDay:
		return at.Format("02")
	case fieldHour:
		return at.Format("15")
	case fieldMinute:
		return at.Format("04")
	}
	return ""
}

// names are the connections by their platforms, where the account has one of each,
// else by their ids.
func (s *Sheet) names(d *post.Draft) []string {
	var out []string
	for _, id := range d.Connections {
		name := string(id.Platform())
		if only, err := s.opt.Directory.Resolve(name); err != nil || only != id || s.form == &plainForm {
			name = string(id)
		}
		out = append(out, name)
	}
	return out
}

// profiles are the connections by the names that the tool has for them, where that is
// known.
func (s *Sheet) profiles(d *post.Draft) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(s.opt.Profiles)) {
		if slices.Equal(s.opt.Profiles[name], d.Connections) {
			return name
		}
	}
	for _, id := range d.Connections {
		known := string(id)
		for _, name := range slices.Sorted(maps.Keys(s.opt.Profiles)) {
			if slices.Equal(s.opt.Profiles[name], []post.ConnectionID{id}) {
				known = name
				break
			}
		}
		out = append(out, known)
	}
	if s.has(fieldPlatforms) && slices.ContainsFunc(out, func(name string) bool { return len(s.opt.Profiles[name]) == 0 }) {
		return "" // the platforms say it
	}
	return strings.Join(out, ",")
}

// media writes the media of a column: the nth, or those of its kind.
func (s *Sheet) media(d *post.Draft, c sheetColumn) string {
	if c.nth > 0 {
		if c.nth <= len(d.Media) {
			return d.Media[c.nth-1].URL
		}
		return ""
	}
	var out []string
	for i := range d.Media {
		if s.kindOf(&d.Media[i]) == s.kindIn(c) {
			out = append(out, d.Media[i].URL)
		}
	}
	return strings.Join(out, s.form.write.list)
}

// Kinds of media that some tools have columns of their own for.
const (
	picture = iota
	animation
	film
)

// kindOf is the kind of media, as far as the form has a column for it.
func (s *Sheet) kindOf(m *post.Media) int {
	kind := picture
	switch name := strings.ToLower(m.URL); {
	case m.Pin.Film() || filmFile(name):
		kind = film
	case m.Pin.Animated || strings.HasSuffix(name, ".gif"):
		kind = animation
	}
	for i := range s.form.columns {
		if c := (sheetColumn{formColumn: &s.form.columns[i]}); c.as == fieldMedia && s.kindIn(c) == kind {
			return kind
		}
	}
	return picture
}

func filmFile(name string) bool {
	return slices.ContainsFunc([]string{".mp4", ".m4v", ".mov", ".webm", ".avi", ".mkv"}, func(end string) bool { return strings.HasSuffix(name, end) })
}

// kindIn is the kind of media that a column is for.
func (s *Sheet) kindIn(c sheetColumn) int {
	switch name := strings.ToLower(c.name); {
	case strings.Contains(name, "video"):
		return film
	case strings.Contains(name, "gif"):
		return animation
	}
	return picture
}

func (s *Sheet) alt(d *post.Draft, c sheetColumn) string {
	if c.nth > 0 {
		if c.nth <= len(d.Media) {
			return d.Media[c.nth-1].Alt
		}
		return ""
	}
	var out []string
	for i := range d.Media {
		out = append(out, d.Media[i].Alt)
	}
	if strings.Join(out, "") == "" {
		return ""
	}
	return strings.Join(out, "||")
}

// either writes a cell that holds media or a link, or the cell that says which.
func (s *Sheet) either(d *post.Draft, c sheetColumn) string {
	kinds, kind, cell := c.kinds, c.kinds.nothing, ""
	switch {
	case len(d.Media) > 0:
		if kind = kinds.picture; filmFile(strings.ToLower(d.Media[0].URL)) || d.Media[0].Pin.Film() {
			kind = kinds.film
		}
		var urls []string
		for i := range d.Media {
			urls = append(urls, d.Media[i].URL)
		}
		cell = strings.Join(urls, cmp.Or(s.form.write.list, ","))
	case d.Link != "":
		kind, cell = kinds.link, d.Link
	}
	if c.as == fieldKind {
		return kind
	}
	return cell
}

// spelledOut are the words that tools write where several mean the same.
var spelledOut = words("true false reel story public unlisted private public_to_everyone mutual_follow_friends follower_of_creator self_only")

// wish writes the word with which a column asks for one of the draft's platform
// settings.
func (s *Sheet) wish(d *post.Draft, c sheetColumn) string {
	var settings map[string]map[string]any
	if len(d.Settings) == 0 || json.Unmarshal(d.Settings, &settings) != nil {
		return ""
	}
	best := ""
	for _, word := range slices.Sorted(maps.Keys(c.words)) {
		platform, rest, _ := strings.Cut(c.words[word], ".")
		key, value, ok := strings.Cut(rest, ":")
		have := settings[platform][key]
		switch {
		case !ok || have == nil:
		case word == "*":
			return fmt.Sprint(have)
		case fmt.Sprint(have) == value && (best == "" || spelledOut[word]):
			best = word
		}
	}
	if s.form.write.upper {
		best = strings.ToUpper(best)
	}
	return best
}

// readBack reads the file as it would be read, and returns the rows that come back
// with the same text, time and places, and what of the rows is lost.
func (s *Sheet) readBack(ctx context.Context, text []byte, rows []*sheetRow) (good []*sheetRow, lost []Unsaid, err error) {
	f, err := Open(ctx, bytes.NewReader(text), int64(len(text)), s.opt)
	var u *Unusable
	if errors.As(err, &u) {
		return nil, nil, fmt.Errorf("%s: %w: %w", s.form.name, errTakenOtherwise, u)
	}
	if err != nil {
		return nil, nil, err
	}
	if s.form != &plainForm && (f.form == nil || f.form.tool != s.form.tool) {
		return nil, nil, fmt.Errorf("%s: %w: it would be taken for one for %s", s.form.name, errTakenOtherwise, cmp.Or(f.Dialect().Tool, "postroom"))
	}
	i := 0
	err = f.Rows(ctx, func(got *Row) error {
		if i >= len(rows) {
			return fmt.Errorf("a file for %s with %d posts has more rows", s.form.name, len(rows))
		}
		r := rows[i]
		i++
		differ := s.compare(r, got)
		lost = append(lost, differ...)
		if !slices.ContainsFunc(differ, func(u Unsaid) bool { return u.Dropped }) {
			good = append(good, r)
		}
		return nil
	})
	if err == nil && i < len(rows) {
		err = fmt.Errorf("a file for %s with %d posts has only %d rows", s.form.name, len(rows), i)
	}
	return good, lost, err
}

// compare says in what a row that was read differs from what was meant.
func (s *Sheet) compare(r *sheetRow, got *Row) (out []Unsaid) {
	want, have := &r.draft, &got.Draft
	cannot := "files for " + s.form.name + " cannot say it"
	drop := func(field, value, why string) {
		out = append(out, Unsaid{Group: r.id, Field: field, Got: value, Why: why, Dropped: true})
	}
	lose := func(field, value string) {
		out = append(out, Unsaid{Group: r.id, Field: field, Got: value, Why: cannot})
	}
	for i := range got.Problems {
		if p := &got.Problems[i]; p.Severity == post.SeverityError {
			drop(cmp.Or(p.Field, "row"), p.Got, "it would be rejected when read: "+p.Message())
			return out
		}
	}
	if have.Text != want.Text {
		drop("text", want.Text, cannot)
	}
	switch apart := have.At.Sub(want.At).Abs(); {
	case apart >= time.Minute:
		drop("time", want.At.Format(time.RFC3339), cannot+": it would be read as "+have.At.Format(time.RFC3339))
	case apart > 0:
		lose("seconds", want.At.Format(time.RFC3339))
	}
	if wantDraft, haveDraft := want.Status == post.StatusDraft, have.Status == post.StatusDraft || have.At.IsZero(); wantDraft != haveDraft {
		drop("status", want.Status.String(), cannot)
	}
	a, b := slices.Sorted(slices.Values(want.Connections)), slices.Sorted(slices.Values(have.Connections))
	if !slices.Equal(a, b) {
		drop("platforms", joinIDs(want.Connections), cannot+", or means others by it: "+joinIDs(have.Connections))
	}
	for _, f := range []struct{ field, want, have string }{
		{"title", want.Title, have.Title}, {"link", want.Link, have.Link}, {"first comment", want.FirstComment, have.FirstComment},
		{"labels", strings.Join(want.Labels, ", "), strings.Join(have.Labels, ", ")}, {"external id", want.ExternalID, have.ExternalID},
	} {
		if f.want != f.have {
			lose(f.field, f.want)
		}
	}
	if len(want.Labels) != len(have.Labels) && strings.Join(want.Labels, ", ") == strings.Join(have.Labels, ", ") {
		lose("labels", strings.Join(want.Labels, " | "))
	}
	s.compareMedia(want, have, lose)
	if !sameJSON(want.Settings, have.Settings) {
		lose("platform settings", string(want.Settings))
	}
	for _, p := range slices.Sorted(maps.Keys(want.Variants)) {
		if v := want.Variants[p]; v != have.Variants[p] && v != want.Text {
			lose("text for "+string(p), v)
		}
	}
	if r.marks {
		lose("control characters", "")
	}
	if r.apart {
		lose("times of each platform", "")
	}
	return out
}

func (s *Sheet) compareMedia(want, have *post.Draft, lose func(field, value string)) {
	for i := range want.Media {
		m := &want.Media[i]
		switch {
		case i >= len(have.Media) || have.Media[i].URL != m.URL:
			lose("media", cmp.Or(m.URL, m.Pin.Name))
		case have.Media[i].Alt != m.Alt:
			lose("alt text", m.Alt)
		}
		if _, local := localMedia(m.URL); local && s.form != &plainForm && i < len(have.Media) {
			lose("media", m.URL+" (a file beside the calendar, and no address)")
		}
	}
}

// sameJSON reports whether two objects say the same, also with their members in
// another order.
func sameJSON(a, b json.RawMessage) bool {
	if bytes.Equal(a, b) {
		return true
	}
	var x, y any
	if json.Unmarshal(object(a), &x) != nil || json.Unmarshal(object(b), &y) != nil {
		return false
	}
	return reflect.DeepEqual(x, y)
}

// object is a JSON object that may not be there.
func object(b json.RawMessage) json.RawMessage {
	if len(b) == 0 {
		return json.RawMessage("{}")
	}
	return b
}

func joinIDs(ids []post.ConnectionID) string {
	var names []string
	for _, id := range ids {
		names = append(names, string(id))
	}
	return listed(names)
}
