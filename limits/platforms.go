package limits

import (
	"slices"
	"strings"
	"time"

	"github.com/postroom/postroom/post"
)

// TextCount names the way a platform counts the length of a text. The counting
// itself is done by package publish.
type TextCount uint8

const (
	TextCodePoints TextCount = iota // Unicode code points
	TextUTF16                       // UTF-16 code units, as JavaScript and Telegram count
	TextGraphemes                   // what people see as one character (UAX #29)
	TextBytes                       // UTF-8 bytes
	TextWeighted                    // X: emoji and CJK 2, after NFC (twitter-text config v3)
	TextEmojiBytes                  // Threads: code points, an emoji by its UTF-8 bytes
	TextMastodon                    // code points, of a mention only @user
)

var textUnits = [...]string{"characters", "characters", "characters", "bytes", "characters", "characters", "characters"}

// Unit returns what is counted, for people: "characters" or "bytes".
func (c TextCount) Unit() string { return textUnits[min(int(c), len(textUnits)-1)] }

// TextOver says what becomes of a text that is too long.
type TextOver uint8

const (
	TextOverError  TextOver = iota // it cannot be published
	TextOverThread                 // it becomes a thread
)

// A TextLimit is the room one text has. The zero value has no limit.
type TextLimit struct {
	Max      int       // most, counted as Count says; 0 for no limit
	Count    TextCount // how
	URL      int       // what each URL counts; 0 for its own length
	MaxBytes int       // most UTF-8 bytes, beside Max; 0 for no limit
	Over     TextOver
	Caption  int // most in one message with media: a longer text follows as a reply; 0 for Max
	Hashtags int // most hashtags; 0 for no limit
	Links    int // most URLs; 0 for no limit
}

// MediaNeed says what a post must carry.
type MediaNeed uint8

const (
	MediaOptional MediaNeed = iota
	MediaRequired           // a picture or a film
	MediaVideo              // exactly one film
)

// A MediaLimit says what a post may carry. Sizes are in bytes, types are MIME
// types without parameters.
type MediaLimit struct {
	Need       MediaNeed
	Images     int // most pictures; 0 for none
	Videos     int // most films; 0 for none
	Mixed      bool
	ImageBytes int64 // of one; 0 for no known limit
	VideoBytes int64
	ImageTypes []string // nil when the platform is not known to refuse any
	VideoTypes []string
	Alt        int // most characters of an alternative text; 0 for no known limit

	ImageSide    int           // most pixels of the longer side of a picture; 0 for no known limit
	Narrow, Wide float64       // least and most width of a picture for its height; 0 for no known limit
	Shortest     time.Duration // least length of a film; 0 for no known limit
	Longest      time.Duration // most length of a film; 0 for no known limit
	LongestAmong time.Duration // most length of a film among several files, where that is less; 0 for Longest
	Long         time.Duration // length of a film from which it is shown to few; 0 for none
	BriefBytes   int64         // most bytes of a film of less than a minute, where that is less; 0 for VideoBytes
	LeastRate    float64       // least pictures a second of a film; 0 for no known limit
}

// Takes reports whether the platform takes files of the MIME type.
func (m *MediaLimit) Takes(mime string) bool {
	return slices.Contains(m.ImageTypes, mime) || slices.Contains(m.VideoTypes, mime)
}

// Picky reports whether the platform is known to refuse some types.
func (m *MediaLimit) Picky() bool { return len(m.ImageTypes)+len(m.VideoTypes) > 0 }

// MostBytes returns the size a file of the MIME type may have, 0 for no known
// limit.
func (m *MediaLimit) MostBytes(mime string) int64 {
	if strings.HasPrefix(mime, "video/") {
		return m.VideoBytes
	}
	if !strings.HasPrefix(mime, "image/") {
		return max(m.ImageBytes, m.VideoBytes)
	}
	return m.ImageBytes
}

// PlatformLimits is what a platform takes. Its slices are shared: do not write
// to them.
type PlatformLimits struct {
	Platform     post.Platform
	Name         string // for people: "X", "Mastodon"
	Text         TextLimit
	Title        TextLimit
	Media        MediaLimit
	LinkField    bool // a link has its own place; elsewhere it is added to the text
	TitleField   bool // a title has its own place; elsewhere it is not sent
	FirstComment bool // a first comment can be sent
	Source       string
}

// PlatformOverride replaces limits that differ by server or by account, such as
// those a Mastodon instance announces. A zero field keeps the table's value.
type PlatformOverride struct {
	MaxText    int
	URL        int
	MaxMedia   int // pictures; films stay at the table's number
	ImageBytes int64
	VideoBytes int64
	MediaTypes []string // MIME types taken; sorted into pictures and films by their first half
	Alt        int
}

// With returns l with the non-zero fields of o in place of its own.
func (l PlatformLimits) With(o PlatformOverride) PlatformLimits {
	platformSet(&l.Text.Max, o.MaxText)
	platformSet(&l.Text.URL, o.URL)
	platformSet(&l.Media.Images, o.MaxMedia)
	platformSet(&l.Media.ImageBytes, o.ImageBytes)
	platformSet(&l.Media.VideoBytes, o.VideoBytes)
	platformSet(&l.Media.Alt, o.Alt)
	if o.MediaTypes != nil {
		l.Media.ImageTypes, l.Media.VideoTypes = nil, nil
		for _, t := range o.MediaTypes {
			if strings.HasPrefix(t, "image/") {
				l.Media.ImageTypes = append(l.Media.ImageTypes, t)
			} else {
				l.Media.VideoTypes = append(l.Media.VideoTypes, t)
			}
		}
	}
	return l
}

func platformSet[T int | int64](to *T, v T) {
	if v != 0 {
		*to = v
	}
}

// PlatformByKey returns the limits of a platform. For one that is not in the
// table it returns no limits at all, and false.
func PlatformByKey(p post.Platform) (PlatformLimits, bool) {
	for i := range platforms {
		if platforms[i].Platform == p {
			return platforms[i], true
		}
	}
	return PlatformLimits{
		Platform: p, Name: string(p),
		Media:     MediaLimit{Images: mediaAny, Videos: mediaAny, Mixed: true},
		LinkField: true, TitleField: true, FirstComment: true,
	}, false
}

// Platforms returns the whole table, in the order in which the API lists the
// platforms and then ours.
func Platforms() []PlatformLimits { return slices.Clone(platforms) }

const (
	mediaKiB = 1 << 10
	mediaMiB = 1 << 20
	mediaGiB = 1 << 30

	mediaAny = 1 << 20
)

const (
	mediaJPEG = "image/jpeg"
	mediaPNG  = "image/png"
	mediaGIF  = "image/gif"
	mediaWEBP = "image/webp"
	mediaBMP  = "image/bmp"
	mediaTIFF = "image/tiff"
	mediaMP4  = "video/mp4"
	mediaMOV  = "video/quicktime"
	mediaWEBM = "video/webm"
	mediaAVI  = "video/x-msvideo"
)

// platforms is the table. Text follows the networks' own counting where that
// differs from the PostPost pages (CONTRACT §5.1, recommendations), media
// follows CONTRACT §5.2; Source names what a row rests on beside those.
var platforms = []PlatformLimits{
	{
		Platform: "twitter", Name: "X",
		Text: TextLimit{Max: 280, Count: TextWeighted, URL: 23, Over: TextOverThread},
		Media: MediaLimit{
			Images: 4, Videos: 1, ImageBytes: 5 * mediaMiB, VideoBytes: 512 * mediaMiB,
			ImageTypes: []string{mediaJPEG, mediaPNG, mediaGIF, mediaWEBP}, VideoTypes: []string{mediaMP4, mediaMOV}, Alt: 1000,
			Longest: 2 * time.Minute,
		},
		Source: "docs.x.com counting-characters (twitter-text config v3) and media pages, 2026-08",
	},
	{
		Platform: "linkedin", Name: "LinkedIn",
		Text: TextLimit{Max: 3000, Count: TextUTF16},
		Media: MediaLimit{
			Images: 10, Videos: 1, ImageBytes: 5 * mediaMiB, VideoBytes: 500 * mediaMiB,
			ImageTypes: []string{mediaJPEG, mediaPNG, mediaGIF}, VideoTypes: []string{mediaMP4},
			Longest: 30 * time.Minute,
		},
		LinkField: true, FirstComment: true,
		Source: "learn.microsoft.com Posts API, li-lms-2026-05",
	},
	{
		Platform: "instagram", Name: "Instagram",
		Text: TextLimit{Max: 2200, Count: TextCodePoints, Hashtags: 30},
		Media: MediaLimit{
			Need: MediaRequired, Images: 10, Videos: 10, ImageBytes: 8 * mediaMiB, VideoBytes: 300 * mediaMiB,
			ImageTypes: []string{mediaJPEG}, VideoTypes: []string{mediaMP4, mediaMOV},
			Narrow: 4. / 5, Wide: 1.91, Shortest: 3 * time.Second, Longest: 15 * time.Minute, LongestAmong: time.Minute, Long: 3 * time.Minute,
		},
		FirstComment: true,
		Source:       "developers.facebook.com Instagram content publishing, v26.0",
	},
	{
		Platform: "threads", Name: "Threads",
		Text: TextLimit{Max: 500, Count: TextEmojiBytes, Over: TextOverThread, Links: 5},
		Media: MediaLimit{
			Images: 10, Videos: 1, ImageBytes: 8 * mediaMiB, VideoBytes: 500 * mediaMiB,
			ImageTypes: []string{mediaJPEG, mediaPNG}, VideoTypes: []string{mediaMP4, mediaMOV}, Alt: 1000,
			Longest: 5 * time.Minute,
		},
		Source: "developers.facebook.com Threads API posts, 2026-04",
	},
	{
		Platform: "tiktok", Name: "TikTok",
		Text: TextLimit{Max: 2200, Count: TextUTF16},
		Media: MediaLimit{
			Need: MediaVideo, Videos: 1, VideoBytes: 4 * mediaGiB, VideoTypes: []string{mediaMP4, mediaMOV, mediaWEBM},
			Shortest: 3 * time.Second, Longest: 10 * time.Minute, LeastRate: 23,
		},
		Source: "developers.tiktok.com Content Posting API v2",
	},
	{
		Platform: "youtube", Name: "YouTube",
		Text:       TextLimit{Max: 5000, Count: TextBytes},
		Title:      TextLimit{Max: 100, Count: TextCodePoints},
		TitleField: true,
		Media: MediaLimit{
			Need: MediaVideo, Videos: 1, VideoBytes: 256 * mediaGiB, VideoTypes: []string{mediaMP4, mediaMOV, mediaAVI, mediaWEBM},
			Longest: 12 * time.Hour,
		},
		Source: "YouTube Data API discovery document 20261019",
	},
	{
		Platform: "facebook", Name: "Facebook",
		Text: TextLimit{Max: 63206, Count: TextCodePoints},
		Media: MediaLimit{
			Images: 10, Videos: 1, ImageBytes: 10 * mediaMiB, VideoBytes: 2 * mediaGiB,
			ImageTypes: []string{mediaJPEG, mediaPNG, mediaGIF, mediaBMP, mediaTIFF}, VideoTypes: []string{mediaMP4, mediaMOV},
			Longest: 45 * time.Minute,
		},
		LinkField: true, FirstComment: true,
		Source: "developers.facebook.com Pages API, v26.0",
	},
	{
		Platform: "bluesky", Name: "Bluesky",
		Text: TextLimit{Max: 300, Count: TextGraphemes, MaxBytes: 3000},
		Media: MediaLimit{
			Images: 4, Videos: 1, ImageBytes: 1_000_000, VideoBytes: 100 * mediaMiB,
			ImageTypes: []string{mediaJPEG, mediaPNG, mediaWEBP}, VideoTypes: []string{mediaMP4}, Alt: 2000,
			ImageSide: 2000, Longest: 3 * time.Minute, BriefBytes: 50 * mediaMiB,
		},
		Source: "lexicon app.bsky.feed.post and app.bsky.embed.images, as a PDS 0.4.217 enforces them",
	},
	{
		Platform: "mastodon", Name: "Mastodon",
		Text: TextLimit{Max: 500, Count: TextMastodon, URL: 23},
		Media: MediaLimit{
			Images: 4, Videos: 1, ImageBytes: 16 * mediaMiB, VideoBytes: 99 * mediaMiB,
			ImageTypes: []string{mediaJPEG, mediaPNG, mediaGIF, mediaWEBP}, VideoTypes: []string{mediaMP4, mediaMOV, mediaWEBM}, Alt: 1500,
		},
		Source: "docs.joinmastodon.org 4.7; an instance announces its own in /api/v2/instance",
	},
	{
		Platform: "telegram", Name: "Telegram",
		Text: TextLimit{Max: 4096, Count: TextUTF16, Caption: 1024},
		Media: MediaLimit{
			Images: 10, Videos: 1, ImageBytes: 10 * mediaMiB, VideoBytes: 50 * mediaMiB,
			ImageTypes: []string{mediaJPEG, mediaPNG, mediaGIF, mediaBMP},
			VideoTypes: []string{mediaMP4, mediaMOV, mediaAVI, mediaWEBM, "video/x-matroska"},
		},
		Source: "core.telegram.org Bot API 10.1, 2026-06-11",
	},
	{
		Platform: "pinterest", Name: "Pinterest",
		Text:       TextLimit{Max: 800, Count: TextCodePoints},
		Title:      TextLimit{Max: 100, Count: TextCodePoints},
		TitleField: true, LinkField: true,
		Media: MediaLimit{
			Need: MediaRequired, Images: 5, Videos: 1, ImageBytes: 20 * mediaMiB, VideoBytes: 1 * mediaGiB,
			ImageTypes: []string{mediaJPEG, mediaPNG, mediaGIF, mediaWEBP, mediaBMP, mediaTIFF}, VideoTypes: []string{mediaMP4, mediaMOV}, Alt: 500,
			Longest: 15 * time.Minute,
		},
		Source: "developers.pinterest.com API 5.23.0",
	},
	{
		Platform: "discord", Name: "Discord",
		Text:   TextLimit{Max: 2000, Count: TextUTF16},
		Media:  MediaLimit{Images: 10, Videos: 10, Mixed: true, ImageBytes: 10 * mediaMiB, VideoBytes: 10 * mediaMiB, Alt: 1024},
		Source: "Discord API v10 specification, 2026-07-18",
	},
	{
		Platform: "slack", Name: "Slack",
		Text:   TextLimit{Max: 40000, Count: TextCodePoints},
		Media:  MediaLimit{Images: 20, Videos: 20, Mixed: true, Alt: 2000}, // a message has 50 blocks, and its text needs some
		Source: "docs.slack.dev chat.postMessage, 2026",
	},
	{
		Platform: "nostr", Name: "Nostr",
		Text:   TextLimit{Max: 60_000, Count: TextBytes, Over: TextOverThread},
		Media:  MediaLimit{Images: mediaAny, Videos: mediaAny, Mixed: true},
		Source: "NIP-01 sets none; relays commonly refuse messages over 64 KiB (NIP-11 max_message_length), the text is most of one",
	},
	{
		Platform: "matrix", Name: "Matrix",
		Text:   TextLimit{Max: 60_000, Count: TextBytes},
		Media:  MediaLimit{Images: mediaAny, Videos: mediaAny, Mixed: true},
		Source: "Matrix client-server API: an event holds at most 65,536 bytes, the text is most of it",
	},
	{
		Platform: "wordpress", Name: "WordPress",
		Media:      MediaLimit{Images: mediaAny, Videos: mediaAny, Mixed: true},
		TitleField: true,
		Source:     "developer.wordpress.org REST API: no limit below the server's own",
	},
}
