package publish

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
)

// The codes of problems, as the API knows them (CONTRACT §6.1).
const (
	CodeTooLong        = "CONTENT_TOO_LONG"
	CodeNothing        = "CONTENT_OR_MEDIA_REQUIRED"
	CodeInvalid        = "INVALID_PLATFORM_CONTENT"
	CodePartTooLong    = "THREAD_PART_TOO_LONG"
	CodeMediaRequired  = "MEDIA_REQUIRED"
	CodeVideoRequired  = "VIDEO_REQUIRED"
	CodeMediaCount     = "MEDIA_COUNT_EXCEEDED"
	CodeMediaSize      = limits.CodeMediaSize
	CodeMediaType      = limits.CodeMediaType
	CodeMediaLink      = "MEDIA_NOT_REACHABLE" // ours: the platform could not fetch it
	CodeNoImages       = "IMAGES_NOT_SUPPORTED"
	CodeNoVideos       = "VIDEO_NOT_SUPPORTED"
	CodeSettingInvalid = "PLATFORM_SETTING_INVALID"
	CodeSettingMissing = "PLATFORM_SETTING_REQUIRED"
)

// Rules is what content is checked against before it goes to a platform. The
// zero Numbering numbers as the platform's users expect.
type Rules struct {
	Limits    limits.PlatformLimits
	Numbering Numbering
	Media     *MediaRoom // when set, files named as media must be there, and of a size that is taken
	Fetches   bool       // the platform fetches media itself, by a URL of Media's
}

// Texts returns what c says on the platform: one text, or the parts of a thread
// where a long text becomes one. The error is a *post.Failure of a post that was
// not sent.
func (r *Rules) Texts(c *post.Content) ([]string, error) {
	text := Compose(c, &r.Limits)
	if r.Limits.Text.Over != limits.TextOverThread {
		return []string{text}, nil
	}
	parts, err := Split(text, r.Limits.Text, r.Numbering)
	if err != nil {
		return nil, &post.Failure{Class: post.ClassInvalid, Sent: post.SentNot, Message: err.Error()}
	}
	if len(parts) == 0 { // media alone
		parts = []string{text}
	}
	return parts, nil
}

// Compose returns the text that goes to a platform: its own variant, with the
// link below it where the platform has no place for one and the text does not
// say it already.
func Compose(c *post.Content, l *limits.PlatformLimits) string {
	text := c.For(l.Platform)
	if c.Link == "" || l.LinkField || strings.Contains(text, c.Link) {
		return text
	}
	if strings.TrimSpace(text) == "" {
		return c.Link
	}
	return text + "\n\n" + c.Link
}

// Validate returns what keeps c from being published, as errors, and what will
// not look as written, as warnings: a text that becomes a thread, a first
// comment that is not sent. The places of the problems are the caller's to fill
// in. Of media that was pinned all that is known is checked, of other media only
// what its name, its size in the media folder and its number tell; URLs are not
// fetched.
func (r *Rules) Validate(c *post.Content) []post.Problem {
	v := check{rules: r, content: c}
	v.text()
	v.title()
	v.media()
	if c.FirstComment != "" && !r.Limits.FirstComment {
		v.warn("first_comment", "", c.FirstComment, "no first comment on "+r.Limits.Name, "it is not sent there: put it into the content if it matters")
	}
	return v.problems
}

// check gathers the problems of one piece of content.
type check struct {
	rules    *Rules
	content  *post.Content
	problems []post.Problem
}

// fail adds a problem, and returns it until the next one comes.
func (v *check) fail(field, code, got, want, hint string) *post.Problem {
	v.problems = append(v.problems, post.Problem{
		Platform: v.rules.Limits.Platform, Field: field, Code: code, Got: post.Shorten(got), Want: want, Hint: hint,
	})
	return &v.problems[len(v.problems)-1]
}

func (v *check) warn(field, code, got, want, hint string) *post.Problem {
	p := v.fail(field, code, got, want, hint)
	p.Severity = post.SeverityWarning
	return p
}

// lengthOf measures a text that does not fit.
func lengthOf(text string, l limits.TextLimit) post.Measure {
	if n := Count(text, l); l.Max > 0 && n > l.Max {
		return post.Measure{Is: int64(n), Most: int64(l.Max)}
	}
	return post.Measure{Of: "bytes", Is: int64(len(text)), Most: int64(l.MaxBytes)}
}

func (v *check) text() {
	pl := &v.rules.Limits
	text := Compose(v.content, pl)
	if strings.TrimSpace(text) == "" {
		if len(v.content.Media) == 0 {
			v.fail("content", CodeNothing, "", "a text or media", "fill in one of content and media_url")
		}
		return
	}
	l := pl.Text
	if l.Over == limits.TextOverThread {
		v.thread(text)
	} else if !Fits(text, l) {
		v.fail("content", CodeTooLong, text, v.lengthWanted(text, l), "shorten it, or give "+pl.Name+" a text of its own in content_"+string(pl.Platform)).Measure = lengthOf(text, l)
	}
	if l.Caption > 0 && len(v.content.Media) > 0 && Fits(text, l) {
		caption := l
		caption.Max = l.Caption
		if !Fits(text, caption) {
			v.warn("content", CodeTooLong, text, fmt.Sprintf("at most %d %s beside media", l.Caption, l.Count.Unit()), "the text follows the media as a reply").Measure = lengthOf(text, caption)
		}
	}
	if l.Links > 0 {
		if n := len(linkSpans(text, false)); n > l.Links {
			v.fail("content", CodeInvalid, text, fmt.Sprintf("at most %d links on %s (this has %d)", l.Links, pl.Name, n), "take some out")
		}
	}
	if l.Hashtags > 0 && strings.Count(text, "#") > l.Hashtags {
		if n := hashtags(text); n > l.Hashtags {
			v.fail("content", CodeInvalid, text, fmt.Sprintf("at most %d hashtags on %s (this has %d)", l.Hashtags, pl.Name, n), "take some out")
		}
	}
}

// lengthWanted says what would fit, and what the text has.
func (v *check) lengthWanted(text string, l limits.TextLimit) string {
	name := v.rules.Limits.Name
	m := lengthOf(text, l)
	if m.Of == "" {
		return fmt.Sprintf("at most %d %s as %s counts them (this has %d)", m.Most, l.Count.Unit(), name, m.Is)
	}
	return fmt.Sprintf("at most %d bytes on %s (this has %d)", m.Most, name, m.Is)
}

func (v *check) thread(text string) {
	pl := &v.rules.Limits
	if !mayBeMarked(text) && Fits(text, pl.Text) {
		return // one post
	}
	parts, err := Split(text, pl.Text, v.rules.Numbering)
	if err != nil {
		v.fail("content", CodePartTooLong, text, fmt.Sprintf("parts of at most %d %s as %s counts them", pl.Text.Max, pl.Text.Count.Unit(), pl.Name), err.Error())
		return
	}
	if len(parts) > 1 {
		p := v.warn("content", CodeTooLong, text, v.threadWanted(text), fmt.Sprintf("it will be a thread of %d posts", len(parts)))
		if !Fits(text, pl.Text) {
			p.Measure = lengthOf(text, pl.Text)
		}
	}
}

func (v *check) threadWanted(text string) string {
	if l := v.rules.Limits.Text; !Fits(text, l) {
		return v.lengthWanted(text, l)
	}
	return "one post (this has marks that split it)"
}

func hashtags(text string) int {
	n := 0
	for _, s := range tagSpans(text) {
		if text[s.from] == '#' {
			n++
		}
	}
	return n
}

func (v *check) title() {
	pl := &v.rules.Limits
	if v.content.Title == "" || !pl.TitleField {
		return
	}
	if !Fits(v.content.Title, pl.Title) {
		v.fail("title", CodeTooLong, v.content.Title, v.lengthWanted(v.content.Title, pl.Title), "shorten it").Measure = lengthOf(v.content.Title, pl.Title)
	}
	if pl.Platform == "youtube" && strings.ContainsAny(v.content.Title, "<>") {
		v.fail("title", CodeInvalid, v.content.Title, "a title without < and >", "YouTube refuses them")
	}
}

func (v *check) media() {
	pl := &v.rules.Limits
	m := &pl.Media
	if len(v.content.Media) == 0 {
		switch m.Need {
		case limits.MediaRequired:
			v.fail("media_url", CodeMediaRequired, "", "a picture or a film: "+pl.Name+" posts require media", "add media_url")
		case limits.MediaVideo:
			v.fail("media_url", CodeVideoRequired, "", "a film: "+pl.Name+" posts require a video", "add media_url")
		}
		return
	}
	images, videos := 0, 0
	for i := range v.content.Media {
		file := &v.content.Media[i]
		mime := MediaType(file.URL)
		if !file.Pin.IsZero() {
			mime = file.Pin.Type
		}
		switch {
		case strings.HasPrefix(mime, "image/"):
			images++
		case strings.HasPrefix(mime, "video/"):
			videos++
		}
		v.one(file, mime)
	}
	v.counts(images, videos)
}

// counts checks how many files there are; those whose names do not tell what
// they are count as pictures or films only where both have the same bound.
func (v *check) counts(images, videos int) {
	pl := &v.rules.Limits
	m := &pl.Media
	fail := func(code, want, hint string) *post.Problem {
		return v.fail("media_url", code, strconv.Itoa(len(v.content.Media))+" files", want, hint)
	}
	switch {
	case m.Need == limits.MediaVideo && images > 0:
		fail(CodeVideoRequired, "a film: "+pl.Name+" posts require a video", "replace the picture")
	case images > 0 && m.Images == 0:
		fail(CodeNoImages, "no pictures on "+pl.Name, "take them out")
	case videos > 0 && m.Videos == 0:
		fail(CodeNoVideos, "no films on "+pl.Name, "take them out")
	case images > 0 && videos > 0 && !m.Mixed:
		fail(CodeMediaType, "pictures or a film on "+pl.Name+", not both", "take one kind out")
	case images > m.Images, len(v.content.Media) > max(m.Images, m.Videos):
		fail(CodeMediaCount, "at most "+atMost(m.Images, "picture")+" on "+pl.Name, "take some out").Measure = post.Measure{Is: int64(len(v.content.Media)), Most: int64(m.Images)}
	case videos > m.Videos:
		fail(CodeMediaCount, "at most "+atMost(m.Videos, "film")+" on "+pl.Name, "take some out").Measure = post.Measure{Is: int64(videos), Most: int64(m.Videos)}
	}
}

func atMost(n int, what string) string {
	if n == 1 {
		return "one " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

// one checks one file by itself.
func (v *check) one(file *post.Media, mime string) {
	pl := &v.rules.Limits
	m := &pl.Media
	if m.Alt > 0 && len(file.Alt) > m.Alt {
		if alt := (limits.TextLimit{Max: m.Alt}); !Fits(file.Alt, alt) {
			v.fail("alt_text", CodeTooLong, file.Alt, v.lengthWanted(file.Alt, alt), "shorten it").Measure = lengthOf(file.Alt, alt)
		}
	}
	if v.rules.Fetches {
		v.reach(file)
	}
	if !file.Pin.IsZero() {
		v.pinned(file)
		return
	}
	if mime != "" && m.Picky() && !m.Takes(mime) && !m.Makes(mime) && !v.wrongKind(mime) {
		v.fail("media_url", CodeMediaType, mediaName(file.URL), "one of "+limits.TypeNames(m.ImageTypes, m.VideoTypes)+" on "+pl.Name, "convert it").Measure.Of = mime
	}
	if v.rules.Media == nil {
		return
	}
	size, local, err := v.rules.Media.Size(file.URL)
	if !local {
		return
	}
	if err != nil {
		v.fail("media_url", CodeInvalid, file.URL, "a URL, or a file in the media folder: "+err.Error(), "put the file there, or correct the name")
		return
	}
	if most := m.MostBytes(mime); most > 0 && size > most {
		v.fail("media_url", CodeMediaSize, mediaName(file.URL)+" ("+limits.SizeText(size)+")", "at most "+limits.SizeText(most)+" on "+pl.Name, "make it smaller").Measure = post.Measure{Of: mime, Is: size, Most: most}
	}
}

// pinned checks what is known of a file.
func (v *check) pinned(file *post.Media) {
	if v.wrongKind(file.Pin.Type) {
		return
	}
	pl := &v.rules.Limits
	for _, f := range pl.Media.CheckFile(&file.Pin, len(v.content.Media) > 1) {
		got := mediaName(file.URL)
		if f.Got != "" {
			got += " (" + f.Got + ")"
		}
		tell := v.fail
		if f.Warn {
			tell = v.warn
		}
		tell("media_url", f.Code, got, f.Want+" on "+pl.Name, f.Hint).Measure = f.Measure
	}
}

// reach checks that the platform will be able to fetch a file.
func (v *check) reach(file *post.Media) {
	if v.rules.Media == nil || v.rules.Media.links.Load() != nil || file.Pin.IsZero() && strings.HasPrefix(file.URL, "https://") {
		return
	}
	v.fail("media_url", CodeMediaLink, mediaName(file.URL), "a way for "+v.rules.Limits.Name+" to fetch it: the platform takes media from a URL only", "set public_url in the config")
}

// wrongKind reports whether the platform takes no files of this kind at all,
// which counts says.
func (v *check) wrongKind(mime string) bool {
	m := &v.rules.Limits.Media
	return strings.HasPrefix(mime, "image/") && m.Images == 0 || strings.HasPrefix(mime, "video/") && m.Videos == 0
}
