package limits

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/postroom/postroom/post"
)

// The codes of problems with one file, as the API knows them (CONTRACT §6.1).
const (
	CodeMediaSize       = "MEDIA_SIZE_EXCEEDED"
	CodeMediaType       = "MEDIA_TYPE_NOT_SUPPORTED"
	CodeMediaDimensions = "MEDIA_DIMENSIONS_INVALID"
	CodeVideoTooLong    = "VIDEO_DURATION_EXCEEDED"
	CodeVideoTooShort   = "VIDEO_DURATION_TOO_SHORT"
)

// madeOf are the pictures of which others can be made.
var madeOf = []string{mediaJPEG, mediaPNG, mediaGIF, mediaWEBP, mediaBMP, mediaTIFF}

// Makes reports whether a picture of the MIME type, one that stands still, can be
// made into one that the platform takes.
func (m *MediaLimit) Makes(mime string) bool {
	return m.Images > 0 && slices.Contains(madeOf, mime) && (m.Takes(mediaJPEG) || m.Takes(mediaPNG) || !m.Picky())
}

// A MediaFault is one limit that a file is beyond.
type MediaFault struct {
	Code string
	Got  string // what the file has, "" when its name says it all
	Want string // "at most 2m0s": the caller adds of which platform
	Hint string
	Warn bool // it can be published all the same

	Measure post.Measure
}

// CheckFile returns what keeps a file from being published, or from being seen.
// among says that it is one of several. Pictures that are only too large, or of
// the wrong type, are no fault: they are made to fit, unless they move. Films
// never are. What a file does not say of itself is not held against it. Whether
// the platform takes its kind at all is not looked at here.
func (m *MediaLimit) CheckFile(p *post.Pin, among bool) []MediaFault {
	var faults []MediaFault
	fail := func(code, got, want, hint string) *post.Measure {
		faults = append(faults, MediaFault{Code: code, Got: got, Want: want, Hint: hint, Measure: post.Measure{Of: p.Type}})
		return &faults[len(faults)-1].Measure
	}
	large := func(most int64, want, hint string) {
		m := fail(CodeMediaSize, SizeText(p.Size), "at most "+SizeText(most)+want, hint)
		m.Is, m.Most = p.Size, most
	}
	fixed := p.Film() || p.Animated
	moves := ""
	if p.Animated && !p.Film() {
		moves = ": it moves, and would stand still as another kind of picture"
	}
	if m.Picky() && !m.Takes(p.Type) && (fixed || !m.Makes(p.Type)) {
		fail(CodeMediaType, "", "one of "+TypeNames(m.ImageTypes, m.VideoTypes), "convert it"+moves)
	}
	if most := m.MostBytes(p.Type); most > 0 && p.Size > most && (fixed || !m.Makes(p.Type)) {
		large(most, "", "make it smaller"+moves)
	}
	if p.Film() {
		if m.BriefBytes > 0 && p.Size > m.BriefBytes && p.Size <= m.VideoBytes && p.Duration > 0 && p.Duration < brief {
			large(m.BriefBytes, " for a film of less than "+brief.String(), "make it smaller")
		}
		if p.Rate > 0 && p.Rate < m.LeastRate {
			fail(CodeMediaType, number(p.Rate)+" pictures a second", "at least "+number(m.LeastRate)+" pictures a second", "make it with more").Least = int64(m.LeastRate)
		}
		return append(faults, m.checkLength(p, among)...)
	}
	if m.ImageSide > 0 && fixed && max(p.Width, p.Height) > m.ImageSide {
		fail(CodeMediaDimensions, pixels(p), fmt.Sprintf("at most %d pixels a side", m.ImageSide), "make it smaller"+moves)
	}
	if p.Height > 0 {
		// Platforms round: a pixel more or less is no matter.
		const slack = 0.01
		ratio := float64(p.Width) / float64(p.Height)
		if m.Narrow > 0 && ratio < m.Narrow-slack {
			fail(CodeMediaDimensions, pixels(p), fmt.Sprintf("at least %s times as wide as high", number(m.Narrow)), "cut it at the top or bottom")
		}
		if m.Wide > 0 && ratio > m.Wide+slack {
			fail(CodeMediaDimensions, pixels(p), fmt.Sprintf("at most %s times as wide as high", number(m.Wide)), "cut it at the sides")
		}
	}
	return faults
}

// brief is how long a film may be that MediaLimit.BriefBytes is for.
const brief = time.Minute

// checkLength checks how long a film is, when it says so.
func (m *MediaLimit) checkLength(p *post.Pin, among bool) []MediaFault {
	most, where := m.Longest, ""
	if among && m.LongestAmong > 0 {
		most, where = m.LongestAmong, " among several files"
	}
	f := MediaFault{Got: p.Duration.Round(100 * time.Millisecond).String(), Measure: post.Measure{Of: p.Type, Is: p.Duration.Milliseconds()}}
	switch {
	case p.Duration == 0:
		return nil
	case most > 0 && p.Duration > most:
		f.Code, f.Want, f.Hint = CodeVideoTooLong, "at most "+most.String()+where, "cut it"
		f.Measure.Most = most.Milliseconds()
	case p.Duration < m.Shortest:
		f.Code, f.Want, f.Hint = CodeVideoTooShort, "at least "+m.Shortest.String(), "use a longer film"
		f.Measure.Least = m.Shortest.Milliseconds()
	case m.Long > 0 && p.Duration > m.Long:
		f.Code, f.Want, f.Hint, f.Warn = CodeVideoTooLong, "at most "+m.Long.String()+" to be shown to people who do not follow", "cut it if that matters", true
		f.Measure.Most = m.Long.Milliseconds()
	default:
		return nil
	}
	return []MediaFault{f}
}

func pixels(p *post.Pin) string { return fmt.Sprintf("%d × %d pixels", p.Width, p.Height) }

func number(f float64) string { return strconv.FormatFloat(f, 'g', 3, 64) }

// SizeText writes bytes for people, in the units that file managers show.
func SizeText(n int64) string {
	switch {
	case n >= mediaGiB:
		return fmt.Sprintf("%.1f GB", float64(n)/mediaGiB)
	case n >= mediaMiB:
		return fmt.Sprintf("%.1f MB", float64(n)/mediaMiB)
	}
	return fmt.Sprintf("%d kB", (n+mediaKiB-1)/mediaKiB)
}

// TypeNames writes MIME types as people know them: "JPEG, PNG, MP4".
func TypeNames(images, videos []string) string {
	var names []string
	for _, t := range slices.Concat(images, videos) {
		_, name, _ := strings.Cut(t, "/")
		name = strings.TrimPrefix(name, "x-")
		switch name {
		case "quicktime":
			name = "mov"
		case "matroska":
			name = "mkv"
		case "msvideo":
			name = "avi"
		}
		names = append(names, strings.ToUpper(name))
	}
	return strings.Join(names, ", ")
}
