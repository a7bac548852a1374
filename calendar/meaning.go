package calendar

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/postroom/postroom/post"
)

// A meaning is what an event says as a post, whenever it happens.
type meaning struct {
	content     post.Content
	connections []post.ConnectionID
	status      post.Status
	cancelled   bool
	media       []Media
	notPost     string // why the event is no post; "" when it is one
	problems    []post.Problem
	told        bool // and those of the event
}

// Media is a picture or film that came inside a calendar.
type Media struct {
	Path string // below the room's media folder, by its content
	Data []byte
}

// mean decides whether an event is a post, and what it says.
func (f *File) mean(e *event) *meaning {
	m := &meaning{status: f.opt.Status}
	tell := func(sev post.Severity, line int, field, got, want, hint, code string) {
		if len(m.problems) >= mostProblems && (sev != post.SeverityError || post.HasErrors(m.problems)) {
			return
		}
		m.problems = append(m.problems, post.Problem{
			File: f.opt.Name, Line: line, UID: e.uid, Field: field, Got: post.Shorten(got), Want: want, Hint: hint, Code: code, Severity: sev,
		})
	}
	text, front := frontMatter(e.text)
	title, names, explicit := f.platformsOf(e, front, m)
	switch {
	case e.class == "PRIVATE" || e.class == "CONFIDENTIAL":
		m.notPost = "it is marked as " + strings.ToLower(e.class)
	case e.meeting && !explicit:
		m.notPost = "it looks like a meeting: people are invited or a call is set up"
	case !explicit && !f.opt.All:
		m.notPost = "nothing says that it is one"
	}
	if m.notPost != "" {
		m.problems = nil
		return m
	}
	m.resolve(f, e, names, tell)
	f.words(e, m, text, title, front)
	f.mediaOf(e, m, front, tell)
	switch e.status {
	case "", "CONFIRMED", "NEEDS-ACTION", "IN-PROCESS", "FINAL":
	case "CANCELLED", "CANCELED":
		m.cancelled = true
	case "TENTATIVE", "DRAFT":
		m.status = post.StatusDraft
	case "COMPLETED":
		m.notPost = "the task is done"
	default:
		tell(post.SeverityWarning, e.line, "STATUS", e.status, "CONFIRMED, TENTATIVE or CANCELLED: it was taken as confirmed", "", "")
	}
	if e.cal.method == "CANCEL" {
		m.cancelled = true
	}
	if m.cancelled {
		m.problems = nil // nothing is posted, whatever is wrong with it
		m.status = post.StatusCancelled
	} else if m.content.Text == "" && len(m.content.Media) == 0 {
		tell(post.SeverityError, e.line, "DESCRIPTION", "", "a text: the event has neither summary nor description", "write what the post says", "NO_CONTENT")
	}
	return m
}

// words puts the text of an event into a post.
func (f *File) words(e *event, m *meaning, text, title string, front map[string]string) {
	if t := front["title"]; t != "" {
		title = t
	}
	c := &m.content
	switch f.opt.Content {
	case FromSummary:
		text = ""
	case FromDescription:
		c.Text, c.Title = text, title
	case FromBoth:
		if text != "" && title != "" {
			text = title + "\n\n" + text
		}
	}
	if c.Text == "" && f.opt.Content != FromDescription {
		c.Text, c.Title = text, title
		if text == "" {
			c.Text, c.Title = title, ""
		}
	}
	c.FirstComment = front["first comment"]
	link := front["link"]
	if link == "" && f.opt.Links && !backLink(e.url) {
		link = e.url
	}
	if u, err := url.Parse(link); err == nil && (u.Scheme == "https" || u.Scheme == "http") && !strings.Contains(c.Text, link) {
		c.Link = link
	}
}

// backLinks are the hosts and paths of addresses that lead back to the entry in
// the program that exported it.
var backLinks = []string{"google.com/calendar/event", "calendar.google.com", "trello.com/c/", "notion.so", "app.asana.com", "outlook.office", "outlook.live", "icloud.com"}

func backLink(u string) bool {
	return slices.ContainsFunc(backLinks, func(part string) bool { return strings.Contains(u, part) })
}

// mostNames bounds the platforms that one event or calendar names, and the media that
// an event does.
const mostNames = 200

// A placedName is a platform as written, and where.
type placedName struct{ name, field string }

var (
	bracketed  = regexp.MustCompile(`^\s*\[([^\][]{1,80})\]\s*`)
	prefixed   = regexp.MustCompile(`^\s*([\pL\d][\pL\d ,/+&-]{0,40}):\s+`)
	separators = func(r rune) bool { return strings.ContainsRune(",;/+&|", r) }
)

// platformsOf finds where an event names its platforms: a property of its own,
// the front matter, categories, the head of its summary, its location; else what
// holds for the whole calendar. explicit is true when the event itself does. The
// title comes back without what named a platform.
func (f *File) platformsOf(e *event, front map[string]string, m *meaning) (title string, names []placedName, explicit bool) {
	title = e.summary
	list := func(s, field string) (out []placedName) {
		for n := range strings.FieldsFuncSeq(s, separators) {
			if n = strings.TrimSpace(n); n != "" {
				out = append(out, placedName{n, field})
			}
			if len(out) > mostNames {
				break // resolve says so
			}
		}
		return out
	}
	cut, head := f.cutPrefix(title)
	if e.platforms != "" {
		return cut, list(e.platforms, "X-POST-PLATFORMS"), true
	}
	if front["platforms"] != "" {
		return cut, list(front["platforms"], "Platforms"), true
	}
	for _, c := range e.categories {
		known, near := f.isPlatform(c)
		switch {
		case known:
			names = append(names, placedName{c, "CATEGORIES"})
		case near != "":
			m.problems = append(m.problems, post.Problem{
				File: f.opt.Name, Line: e.line, UID: e.uid, Field: "CATEGORIES", Got: post.Shorten(c), Want: "a platform spelled right, or another category", Hint: "did you mean " + near + "?", Code: "UNKNOWN_PLATFORM",
			})
			explicit = true
		}
	}
	if len(names) > 0 || explicit {
		return cut, names, true
	}
	if len(head) > 0 {
		for _, h := range head {
			names = append(names, placedName{h, "SUMMARY"})
		}
		return cut, names, true
	}
	if places := list(e.location, "LOCATION"); len(places) > 0 && !slices.ContainsFunc(places, func(p placedName) bool { known, _ := f.isPlatform(p.name); return !known }) {
		return title, places, true
	}
	return title, nil, false
}

// cutPrefix cuts [X][LinkedIn] or LinkedIn: off a summary, where all of it names
// platforms.
func (f *File) cutPrefix(s string) (rest string, names []string) {
	rest = s
	for len(names) <= mostNames {
		m := bracketed.FindStringSubmatch(rest)
		if m == nil || !f.allPlatforms(m[1], &names) {
			break
		}
		rest = rest[len(m[0]):]
	}
	if len(names) == 0 {
		if m := prefixed.FindStringSubmatch(rest); m != nil && f.allPlatforms(m[1], &names) {
			rest = rest[len(m[0]):]
		}
	}
	return strings.TrimSpace(rest), names
}

func (f *File) allPlatforms(s string, names *[]string) bool {
	var found []string
	for n := range strings.FieldsFuncSeq(s, separators) {
		n = strings.TrimSpace(n)
		if known, _ := f.isPlatform(n); !known {
			return false
		}
		found = append(found, n)
	}
	*names = append(*names, found...)
	return len(found) > 0
}

// isPlatform reports whether a word names a platform or a connection, or nearly
// does.
func (f *File) isPlatform(word string) (known bool, near string) {
	if _, ok := post.PlatformByName(word); ok {
		return true, ""
	}
	_, err := f.opt.Directory.Resolve(word)
	var unresolved *post.ResolveError
	if err == nil {
		return true, ""
	}
	if errors.As(err, &unresolved) && len(word) >= 5 {
		if _, after, ok := strings.Cut(unresolved.Hint, "did you mean "); ok {
			near = strings.TrimSuffix(after, "?")
		}
	}
	return false, near
}

// resolve turns names into connections. Without names those hold that the
// calendar or the folder gives.
func (m *meaning) resolve(f *File, e *event, names []placedName, tell func(post.Severity, int, string, string, string, string, string)) {
	if len(names) == 0 && !post.HasErrors(m.problems) {
		names = f.defaultsOf(e.cal)
		if len(names) == 0 {
			m.connections = f.opt.Platforms
			if len(m.connections) == 0 {
				tell(post.SeverityError, e.line, "CATEGORIES", "", "a platform: the event names none, and neither do the calendar and the folder", "add a category like LinkedIn, or set `platforms` in the folder's defaults.yaml", "NO_PLATFORM")
			}
			return
		}
	}
	if len(names) > mostNames {
		tell(post.SeverityError, e.line, names[0].field, "", fmt.Sprintf("at most %d platforms", mostNames), "", "UNKNOWN_PLATFORM")
		names = nil
	}
	for _, n := range names {
		id, err := f.opt.Directory.Resolve(n.name)
		if err != nil {
			want, hint := err.Error(), ""
			var unresolved *post.ResolveError
			if errors.As(err, &unresolved) {
				want, hint = unresolved.Want, unresolved.Hint
			}
			tell(post.SeverityError, e.line, n.field, n.name, want, hint, "UNKNOWN_PLATFORM")
			continue
		}
		if !slices.Contains(m.connections, id) {
			m.connections = append(m.connections, id)
		}
	}
}

// defaultsOf lists the platforms of events that name none, as their calendar has them.
func (f *File) defaultsOf(c *vcalendar) []placedName {
	if c.defaults == nil {
		c.defaults = []placedName{}
		read := 0
		for n := range strings.FieldsFuncSeq(c.props["X-POST-DEFAULT-PLATFORMS"]+","+c.props["CATEGORIES"], separators) {
			if read++; read > mostNames {
				f.note(post.Problem{Line: c.line, Field: "X-POST-DEFAULT-PLATFORMS", Want: fmt.Sprintf("at most %d platforms: the others were not looked at", mostNames)})
				break
			}
			if known, _ := f.isPlatform(strings.TrimSpace(n)); known {
				c.defaults = append(c.defaults, placedName{strings.TrimSpace(n), "X-POST-DEFAULT-PLATFORMS"})
			}
		}
	}
	return c.defaults
}

// frontKeys are what may stand before or after the text of a description, as
// `Key: value` lines.
var frontKeys = words("platforms media alt link title first-comment")

// frontMatter cuts the lines that say something about the post off the head or
// the tail of its text. A key that is not known is text.
func frontMatter(text string) (rest string, front map[string]string) {
	front = map[string]string{}
	lines := strings.Split(text, "\n")
	left := 64 // lines
	take := func(line string) bool {
		if left--; left < 0 {
			return false
		}
		key, value, ok := strings.Cut(line, ":")
		key = strings.ToLower(strings.TrimSpace(key))
		if !ok || !frontKeys[strings.ReplaceAll(key, " ", "-")] || strings.HasPrefix(value, "//") {
			return false
		}
		if old := front[key]; old != "" {
			value = old + "\n" + strings.TrimSpace(value)
		}
		front[key] = strings.TrimSpace(value)
		return true
	}
	// A line of --- may fence the keys, as in Markdown. Any other one stays: it
	// parts a thread (CONTRACT §5.1).
	fence := func(i int) bool { return i < len(lines) && strings.TrimSpace(lines[i]) == "---" }
	if fence(0) && len(lines) > 1 && take(lines[1]) {
		lines = lines[2:]
	}
	for len(lines) > 0 && take(lines[0]) {
		lines = lines[1:]
	}
	if len(front) > 0 && fence(0) {
		lines = lines[1:]
	}
	for len(lines) > 0 && take(lines[len(lines)-1]) {
		lines = lines[:len(lines)-1]
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n \t"), front
}

// maxInline bounds one picture that comes inside a calendar; all together are less
// than [MaxBytes].
const maxInline = 16 << 20

// mediaOf lists the pictures and films of an event.
func (f *File) mediaOf(e *event, m *meaning, front map[string]string, tell func(post.Severity, int, string, string, string, string, string)) {
	alts := strings.Split(front["alt"], "\n")
	add := func(where, alt string) {
		if alt == "" && len(m.content.Media) < len(alts) {
			alt = alts[len(m.content.Media)]
		}
		m.content.Media = append(m.content.Media, post.Media{URL: where, Alt: alt})
	}
	read := 0
	for u := range strings.FieldsSeq(front["media"]) {
		if read++; read > mostNames {
			tell(post.SeverityError, e.line, "Media", "", fmt.Sprintf("at most %d pictures and films", mostNames), "", "BAD_MEDIA")
			break
		}
		if want, hint := badMedia(u); want != "" {
			tell(post.SeverityError, e.line, "Media", u, want, hint, "BAD_MEDIA")
			continue
		}
		add(u, "")
	}
	for i := range e.attach {
		a := &e.attach[i]
		if a.inline != "" {
			one, err := inlineMedia(a)
			if err != nil {
				tell(post.SeverityError, a.line, "ATTACH", a.name, err.Error(), "attach a picture or film, or take it out", "BAD_MEDIA")
				continue
			}
			m.media = append(m.media, one)
			add(one.Path, a.alt)
			continue
		}
		if kind, _, _ := strings.Cut(a.format, "/"); a.format != "" && kind != "image" && kind != "video" {
			tell(post.SeverityWarning, a.line, "ATTACH", a.uri, "a picture or film: it was left out", "", "")
			continue
		}
		if !strings.ContainsAny(a.uri, ":/.") {
			continue // Basso and the like: the sound of an alarm
		}
		if want, hint := badMedia(a.uri); want != "" {
			tell(post.SeverityError, a.line, "ATTACH", a.uri, want, hint, "BAD_MEDIA")
			continue
		}
		add(a.uri, a.alt)
	}
}

// viewers are hosts whose links show a page around a file.
var viewers = []string{"drive.google.com", "docs.google.com", "dropbox.com", "www.dropbox.com", "sharepoint.com", "onedrive.live.com", "1drv.ms"}

// badMedia says what is wrong with where a picture lies, or nothing.
func badMedia(where string) (want, hint string) {
	u, err := url.Parse(where)
	if err != nil {
		return "an address like https://example.com/picture.jpg", ""
	}
	switch strings.ToLower(u.Scheme) {
	case "https":
	case "":
		if !filepath.IsLocal(filepath.FromSlash(where)) || strings.ContainsAny(where, `\?#`) {
			return "a path inside the room's media folder", "put the file into media/ and name it from there"
		}
		return "", ""
	case "http":
		return "an address that begins with https://", ""
	case "cid":
		return "a picture that is in the file or has an address: this one is in a mail", "attach the picture itself"
	case "file":
		return "an address that can be reached from here: this one is on somebody's machine", "put the file into media/ and name it from there"
	default:
		return "an address like https://example.com/picture.jpg", ""
	}
	host := strings.ToLower(u.Hostname())
	if slices.ContainsFunc(viewers, func(v string) bool { return host == v || strings.HasSuffix(host, "."+v) }) {
		return "an address of the picture itself: this one shows a page around it", "download the file, put it into media/ and name it from there"
	}
	return "", ""
}

// mediaTypes are the kinds that are taken from inside a calendar, with the ending
// their files get.
var mediaTypes = map[string]string{
	"image/jpeg": ".jpg", "image/png": ".png", "image/gif": ".gif", "image/webp": ".webp",
	"video/mp4": ".mp4", "video/webm": ".webm", "video/quicktime": ".mov",
}

// inlineMedia decodes a picture or film that came inside the calendar.
func inlineMedia(a *attachment) (Media, error) {
	code := strings.TrimRight(strings.Join(strings.Fields(a.inline), ""), "=")
	if len(code)/4*3 > maxInline {
		return Media{}, fmt.Errorf("at most %d MiB", maxInline>>20)
	}
	data, err := base64.RawStdEncoding.DecodeString(code)
	if err != nil {
		return Media{}, errors.New("base64 that can be decoded")
	}
	kind := http.DetectContentType(data)
	end, ok := mediaTypes[kind]
	if !ok {
		return Media{}, errors.New("a picture or film (JPEG, PNG, GIF, WebP, MP4, WebM)")
	}
	if said, _, _ := strings.Cut(strings.ToLower(a.format), "/"); said != "" && said != kind[:5] {
		return Media{}, fmt.Errorf("content of the type it says: %s, not %s", a.format, kind)
	}
	sum := sha256.Sum256(data)
	return Media{Path: "calendar/" + hex.EncodeToString(sum[:16]) + end, Data: data}, nil
}
