package limits

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/post"
)

// The media rules of CONTRACT §5.2, at their edges.
func TestFilesAreCheckedAgainstThePlatform(t *testing.T) {
	t.Parallel()
	image := func(mime string, w, h int) post.Pin { return post.Pin{Type: mime, Size: 1000, Width: w, Height: h} }
	film := func(mime string, length time.Duration) post.Pin {
		return post.Pin{Type: mime, Size: 1000, Width: 1080, Height: 1920, Duration: length}
	}
	sized := func(p post.Pin, size int64) post.Pin { p.Size = size; return p }
	moving := func(p post.Pin) post.Pin { p.Animated = true; return p }
	rated := func(p post.Pin, rate float64) post.Pin { p.Rate = rate; return p }
	jpeg, mp4 := image(mediaJPEG, 1000, 1000), film(mediaMP4, 10*time.Second)
	for _, c := range []struct {
		on    post.Platform
		rule  string
		file  post.Pin
		among bool
		want  string // codes, those of warnings in brackets
	}{
		{"twitter", "two minutes", film(mediaMP4, 2*time.Minute), false, ""},
		{"twitter", "longer", film(mediaMP4, 2*time.Minute+time.Second), false, CodeVideoTooLong},
		{"twitter", "WebM", film(mediaWEBM, time.Second), false, CodeMediaType},
		{"twitter", "512 MB", sized(mp4, 512<<20), false, ""},
		{"twitter", "more", sized(mp4, 512<<20+1), false, CodeMediaSize},
		{"twitter", "a large picture is made smaller", sized(jpeg, 6<<20), false, ""},
		{"twitter", "a large GIF that moves is not", moving(sized(image(mediaGIF, 9, 9), 6<<20)), false, CodeMediaSize},
		{"twitter", "a GIF that moves", moving(image(mediaGIF, 9, 9)), false, ""},
		{"linkedin", "WebP is made JPEG", image(mediaWEBP, 9, 9), false, ""},
		{"linkedin", "WebP that moves is not", moving(image(mediaWEBP, 9, 9)), false, CodeMediaType},
		{"linkedin", "MOV", film(mediaMOV, time.Minute), false, CodeMediaType},
		{"linkedin", "half an hour", film(mediaMP4, 30*time.Minute), false, ""},
		{"instagram", "PNG is made JPEG", image(mediaPNG, 1000, 1000), false, ""},
		{"instagram", "4:5", image(mediaJPEG, 1080, 1350), false, ""},
		{"instagram", "higher", image(mediaJPEG, 1080, 1400), false, CodeMediaDimensions},
		{"instagram", "1.91:1", image(mediaJPEG, 1080, 566), false, ""},
		{"instagram", "wider", image(mediaJPEG, 1080, 500), false, CodeMediaDimensions},
		{"instagram", "three seconds", film(mediaMP4, 3*time.Second), false, ""},
		{"instagram", "shorter", film(mediaMP4, 2900*time.Millisecond), false, CodeVideoTooShort},
		{"instagram", "three minutes", film(mediaMP4, 3*time.Minute), false, ""},
		{"instagram", "four minutes", film(mediaMP4, 4*time.Minute), false, "[" + CodeVideoTooLong + "]"},
		{"instagram", "a quarter of an hour and a second", film(mediaMP4, 15*time.Minute+time.Second), false, CodeVideoTooLong},
		{"instagram", "a minute among several", film(mediaMP4, time.Minute), true, ""},
		{"instagram", "more among several", film(mediaMP4, 61*time.Second), true, CodeVideoTooLong},
		{"instagram", "a length that is not known", film(mediaMP4, 0), false, ""},
		{"threads", "WebP is made JPEG", image(mediaWEBP, 9, 9), false, ""},
		{"threads", "more than five minutes", film(mediaMP4, 301*time.Second), false, CodeVideoTooLong},
		{"tiktok", "less than three seconds", film(mediaMP4, time.Second), false, CodeVideoTooShort},
		{"tiktok", "ten minutes", film(mediaMP4, 10*time.Minute), false, ""},
		{"facebook", "TIFF", image(mediaTIFF, 9, 9), false, ""},
		{"facebook", "three quarters of an hour", film(mediaMP4, 45*time.Minute+time.Second), false, CodeVideoTooLong},
		{"bluesky", "a picture of 4000 pixels is made smaller", image(mediaJPEG, 4000, 100), false, ""},
		{"bluesky", "one that moves is not", moving(image(mediaWEBP, 4000, 100)), false, CodeMediaDimensions},
		{"bluesky", "MOV", film(mediaMOV, time.Second), false, CodeMediaType},
		{"bluesky", "50 MB of less than a minute", sized(mp4, 50<<20), false, ""},
		{"bluesky", "more of less than a minute", sized(mp4, 50<<20+1), false, CodeMediaSize},
		{"bluesky", "as much of a minute", sized(film(mediaMP4, time.Minute), 50<<20+1), false, ""},
		{"bluesky", "as much of nobody knows how long", sized(film(mediaMP4, 0), 50<<20+1), false, ""},
		{"bluesky", "more than 100 MB", sized(mp4, 100<<20+1), false, CodeMediaSize},
		{"tiktok", "23.976 pictures a second", rated(mp4, 23.976), false, ""},
		{"tiktok", "15 pictures a second", rated(mp4, 15), false, CodeMediaType},
		{"youtube", "15 pictures a second", rated(mp4, 15), false, ""},
		{"mastodon", "hours", film(mediaMP4, 5*time.Hour), false, ""},
		{"telegram", "50 MB and more", sized(mp4, 51<<20), false, CodeMediaSize},
		{"pinterest", "sixteen minutes", film(mediaMP4, 16*time.Minute), false, CodeVideoTooLong},
		{"webhook", "anything", sized(film("video/x-matroska", 99*time.Hour), 1<<40), false, ""},
	} {
		l, _ := PlatformByKey(c.on)
		var codes []string
		for _, f := range l.Media.CheckFile(&c.file, c.among) {
			if f.Want == "" || f.Hint == "" {
				t.Errorf("%s, %s: nothing is said: %+v", c.on, c.rule, f)
			}
			if f.Warn {
				f.Code = fmt.Sprintf("[%s]", f.Code)
			}
			codes = append(codes, f.Code)
		}
		if got := strings.Join(codes, " "); got != c.want {
			t.Errorf("%s, %s: got %q, want %q", c.on, c.rule, got, c.want)
		}
	}
}
