package publish

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
)

func rulesOf(p post.Platform) *Rules {
	l, _ := limits.PlatformByKey(p)
	return &Rules{Limits: l}
}

func mediaOf(refs ...string) []post.Media {
	var out []post.Media
	for _, r := range refs {
		out = append(out, post.Media{URL: r})
	}
	return out
}

func TestContentIsCheckedAgainstThePlatform(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("five ", 120) // 600
	var links, tags strings.Builder
	for range 31 {
		links.WriteString("https://a.example.com ")
		tags.WriteString("#tag ")
	}
	tests := []struct {
		name     string
		platform post.Platform
		content  post.Content
		want     []string // field, code and severity of each problem
	}{
		{"fine", "mastodon", post.Content{Text: "Hello"}, nil},
		{"only media", "mastodon", post.Content{Media: mediaOf("a.png")}, nil},
		{"only a link", "mastodon", post.Content{Link: "https://example.com"}, nil},
		{"nothing", "mastodon", post.Content{}, []string{"content CONTENT_OR_MEDIA_REQUIRED error"}},
		{"too long is an error", "mastodon", post.Content{Text: long}, []string{"content CONTENT_TOO_LONG error"}},
		{"or a thread", "twitter", post.Content{Text: long}, []string{"content CONTENT_TOO_LONG warning"}},
		{"marks make a thread of a short text", "twitter", post.Content{Text: "a\n---\nb"}, []string{"content CONTENT_TOO_LONG warning"}},
		{"but not where there are none", "mastodon", post.Content{Text: "a\n---\nb"}, nil},
		{"a variant counts instead", "mastodon", post.Content{Text: long, Variants: map[post.Platform]string{"mastodon": "short"}}, nil},
		{"the link counts with the text", "mastodon", post.Content{Text: strings.Repeat("x", 480), Link: "https://example.com"}, []string{"content CONTENT_TOO_LONG error"}},
		{"but not where it has its own place", "linkedin", post.Content{Text: strings.Repeat("x", 2990), Link: "https://example.com"}, nil},
		{"bytes", "bluesky", post.Content{Text: strings.Repeat("👨‍👩‍👧‍👦", 200)}, []string{"content CONTENT_TOO_LONG error"}},
		{"a URL too long for a part", "threads", post.Content{Text: "https://example.com/" + strings.Repeat("a", 600)}, []string{"content THREAD_PART_TOO_LONG error"}},
		{"a long caption follows as a reply", "telegram", post.Content{Text: strings.Repeat("x", 2000), Media: mediaOf("a.png")}, []string{"content CONTENT_TOO_LONG warning"}},
		{"hashtags", "instagram", post.Content{Text: tags.String(), Media: mediaOf("a.jpg")}, []string{"content INVALID_PLATFORM_CONTENT error"}},
		{"links", "threads", post.Content{Text: links.String()[:22*6]}, []string{"content INVALID_PLATFORM_CONTENT error"}},
		{"a title too long", "youtube", post.Content{Text: "x", Title: strings.Repeat("x", 101), Media: mediaOf("a.mp4")}, []string{"title CONTENT_TOO_LONG error"}},
		{"a title with brackets", "youtube", post.Content{Text: "x", Title: "<b>", Media: mediaOf("a.mp4")}, []string{"title INVALID_PLATFORM_CONTENT error"}},
		{"a title that is not sent", "mastodon", post.Content{Text: "x", Title: strings.Repeat("x", 5000)}, nil},
		{"a first comment that is not sent", "mastodon", post.Content{Text: "x", FirstComment: "y"}, []string{"first_comment  warning"}},

		{"media needed", "instagram", post.Content{Text: "x"}, []string{"media_url MEDIA_REQUIRED error"}},
		{"a film needed", "tiktok", post.Content{Text: "x"}, []string{"media_url VIDEO_REQUIRED error"}},
		{"a film, not a picture", "tiktok", post.Content{Text: "x", Media: mediaOf("a.png")}, []string{"media_url VIDEO_REQUIRED error"}},
		{"too many pictures", "mastodon", post.Content{Text: "x", Media: mediaOf("1.png", "2.png", "3.png", "4.png", "5.png")}, []string{"media_url MEDIA_COUNT_EXCEEDED error"}},
		{"too many of who knows what", "mastodon", post.Content{Text: "x", Media: mediaOf("1", "2", "3", "4", "5")}, []string{"media_url MEDIA_COUNT_EXCEEDED error"}},
		{"two films", "twitter", post.Content{Text: "x", Media: mediaOf("1.mp4", "2.mp4")}, []string{"media_url MEDIA_COUNT_EXCEEDED error"}},
		{"both kinds", "twitter", post.Content{Text: "x", Media: mediaOf("1.mp4", "2.png")}, []string{"media_url MEDIA_TYPE_NOT_SUPPORTED error"}},
		{"a type that is refused", "instagram", post.Content{Text: "x", Media: mediaOf("https://example.com/a.AVIF?x=y.jpg")}, []string{"media_url MEDIA_TYPE_NOT_SUPPORTED error"}},
		{"a type that is converted", "instagram", post.Content{Text: "x", Media: mediaOf("https://example.com/a.PNG?x=y.jpg")}, nil},
		{"a type that nobody can tell", "instagram", post.Content{Text: "x", Media: mediaOf("https://example.com/image/17")}, nil},
		{"an alternative text too long", "mastodon", post.Content{Text: "x", Media: []post.Media{{URL: "a.png", Alt: strings.Repeat("x", 1501)}}}, []string{"alt_text CONTENT_TOO_LONG error"}},
		{"no limits at all", "webhook", post.Content{Text: strings.Repeat("x", 1e6), Media: mediaOf("a.png", "b.mp4", "c.pdf")}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, p := range rulesOf(tt.platform).Validate(&tt.content) {
				got = append(got, p.Field+" "+p.Code+" "+p.Severity.String())
				if p.Platform != tt.platform || p.Want == "" || p.Hint == "" || p.File != "" {
					t.Errorf("problem %+v: want platform, what is wanted and a hint, and no place", p)
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("problems %q, want %q", got, tt.want)
			}
		})
	}
}

func TestProblemsSayWhatIsThereAndWhatIsWanted(t *testing.T) {
	t.Parallel()
	long := post.Content{Text: strings.Repeat("five ", 120)}
	tests := map[post.Platform]string{
		"mastodon": "at most 500 characters as Mastodon counts them (this has 600) (shorten it",
		"twitter":  "at most 280 characters as X counts them (this has 600) (it will be a thread of 3 posts)",
	}
	for p, want := range tests {
		if got := rulesOf(p).Validate(&long); len(got) != 1 || !strings.Contains(got[0].String(), want) {
			t.Errorf("%s: %v, want %q", p, got, want)
		}
	}
}

func TestFilesInTheMediaFolderAreLookedAt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, size := range map[string]int64{"small.png": 10, "sub/small.png": 10, "large.png": 17 << 20} {
		path := filepath.Join(dir, "media", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o666); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "secret.png"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	room, err := NewMediaRoom(filepath.Join(dir, "media"), Guard{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	rules := rulesOf("mastodon")
	rules.Media = room
	for ref, want := range map[string]string{
		"small.png": "", "sub/small.png": "", "./small.png": "", "https://example.com/x.png": "",
		"large.png": CodeMediaSize, "missing.png": CodeInvalid, "sub": CodeInvalid,
		"../secret.png": CodeInvalid, "sub/../../secret.png": CodeInvalid, filepath.Join(dir, "secret.png"): CodeInvalid,
	} {
		got := rules.Validate(&post.Content{Text: "x", Media: mediaOf(ref)})
		if want == "" && got != nil || want != "" && (len(got) != 1 || got[0].Code != want) {
			t.Errorf("%s: %v, want %q", ref, got, want)
		}
	}
}

func TestPinnedMediaIsCheckedByWhatItIs(t *testing.T) {
	t.Parallel()
	film := post.Pin{Hash: post.Digest{1}, Type: "video/mp4", Width: 1080, Height: 1920, Duration: 4 * time.Minute}
	still := post.Pin{Hash: post.Digest{2}, Type: "image/jpeg", Width: 1000, Height: 2000}
	for _, c := range []struct {
		rule string
		on   post.Platform
		pins []post.Pin
		want string
	}{
		{"a film too long", "twitter", []post.Pin{film}, `media_url: got "a.bin (4m0s)", want at most 2m0s on X (cut it)`},
		{"a film that few will see", "instagram", []post.Pin{film}, `warning: media_url: got "a.bin (4m0s)", want at most 3m0s to be shown`},
		{"a picture too high", "instagram", []post.Pin{still}, `media_url: got "a.bin (1000 × 2000 pixels)", want at least 0.8 times as wide as high on Instagram`},
		{"a picture where a film must be", "tiktok", []post.Pin{still}, "want a film: TikTok posts require a video"},
		{"both kinds", "mastodon", []post.Pin{still, film}, "want pictures or a film on Mastodon, not both"},
		{"both kinds where that will do", "discord", []post.Pin{still, film}, ""},
		{"nothing wrong", "mastodon", []post.Pin{film}, ""},
	} {
		content := post.Content{Text: "x"}
		for _, p := range c.pins {
			content.Media = append(content.Media, post.Media{URL: "https://example.com/a.bin", Pin: p})
		}
		got := rulesOf(c.on).Validate(&content)
		if c.want == "" && got != nil || c.want != "" && (len(got) != 1 || !strings.Contains(got[0].String(), c.want)) {
			t.Errorf("%s: got %v, want %q", c.rule, got, c.want)
		}
	}
}

func TestMediaThatAPlatformFetchesMustBeReachable(t *testing.T) {
	t.Parallel()
	room, err := NewMediaRoom(t.TempDir(), Guard{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	rules := rulesOf("instagram")
	rules.Media, rules.Fetches = room, true
	pinned := post.Content{Text: "x", Media: []post.Media{{URL: "https://example.com/a.jpg", Pin: post.Pin{Hash: post.Digest{1}, Type: "image/jpeg", Width: 9, Height: 9}}}}
	if got := rules.Validate(&pinned); len(got) != 1 || got[0].Code != CodeMediaLink || !strings.Contains(got[0].Hint, "public_url") {
		t.Errorf("without public_url: %v", got)
	}
	if got := rules.Validate(&post.Content{Text: "x", Media: mediaOf("https://example.com/a.jpg")}); got != nil {
		t.Errorf("an address that was not pinned: %v", got)
	}
	room.OpenLinks("https://post.example.com", []byte("key"), time.Now)
	if got := rules.Validate(&pinned); got != nil {
		t.Errorf("with public_url: %v", got)
	}
}

func TestGoodContentCostsNoMemory(t *testing.T) {
	c := post.Content{Text: "Our spring collection is here: https://example.com/spring", Link: "https://example.com/spring", Media: mediaOf("a.png")}
	for _, p := range []post.Platform{"mastodon", "bluesky", "linkedin"} {
		rules := rulesOf(p)
		if n := testing.AllocsPerRun(100, func() { rules.Validate(&c) }); n > 0 {
			t.Errorf("%s: %v allocations", p, n)
		}
	}
}

func BenchmarkValidate(b *testing.B) {
	c := post.Content{Text: "Our spring collection is here! See it at https://example.com/spring and tell us what you like best. #spring #new", Media: mediaOf("https://example.com/a.png")}
	rules := rulesOf("twitter")
	for b.Loop() {
		rules.Validate(&c)
	}
}
