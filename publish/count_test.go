package publish

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
)

func textLimit(p post.Platform) limits.TextLimit {
	l, _ := limits.PlatformByKey(p)
	return l.Text
}

func TestEachPlatformCountsItsOwnWay(t *testing.T) {
	t.Parallel()
	url := "https://example.com/a/very/long/path?with=a&query=too" // 53
	tests := []struct {
		name, text string
		platform   post.Platform
		want       int
	}{
		{"plain", "Hello", "twitter", 5},
		{"a URL counts 23", "see " + url + ".", "twitter", 4 + 23 + 1},
		{"a short URL counts 23", "t.co", "twitter", 23},
		{"CJK counts 2", "日本語", "twitter", 6},
		{"Hangul counts 2", "한국", "twitter", 4},
		{"Cyrillic counts 1", "Привет", "twitter", 6},
		{"typographic quotes and dashes count 1", "“a” – ‘b’", "twitter", 9},
		{"an ellipsis counts 2", "…", "twitter", 2},
		{"an emoji counts 2", "😀", "twitter", 2},
		{"a family counts 2", "👨‍👩‍👧‍👦", "twitter", 2},
		{"a skin tone adds nothing", "👍🏽", "twitter", 2},
		{"a flag counts 2", "🇩🇪", "twitter", 2},
		{"England's flag counts 2", "🏴\U000E0067\U000E0062\U000E0065\U000E006E\U000E0067\U000E007F", "twitter", 2},
		{"a keycap counts 2", "1️⃣", "twitter", 2},
		{"a heart in emoji style counts 2", "❤️", "twitter", 2},
		{"© counts 1", "©", "twitter", 1},
		{"© in emoji style counts 2", "©️", "twitter", 2},
		{"NFC first", "e\u0301", "twitter", 1},
		{"digits and # are no emoji", "#1", "twitter", 2},

		{"a Mastodon URL counts 23", "see " + url, "mastodon", 4 + 23},
		{"a URL without scheme counts its length", "go.dev", "mastodon", 6},
		{"a mention counts without its domain", "hi @bob@social.example!", "mastodon", 3 + 4 + 1},
		{"a local mention counts whole", "hi @bob", "mastodon", 7},
		{"an address is no mention", "a@b.example", "mastodon", 11},
		{"code points, not graphemes", "👨‍👩‍👧‍👦", "mastodon", 7},

		{"graphemes", "👨‍👩‍👧‍👦e\u0301क्षि", "bluesky", 3},
		{"a Bluesky URL counts its length", url, "bluesky", 53},

		{"UTF-16", "a😀日", "telegram", 4},
		{"UTF-16 before escaping", "(a)", "linkedin", 3},
		{"code points", "a😀日", "facebook", 3},
		{"bytes", "aü😀", "youtube", 1 + 2 + 4},
		{"an emoji by its bytes", "aü😀", "threads", 1 + 1 + 4},
		{"a joined emoji by its bytes", "👍🏽", "threads", 8},
	}
	for _, tt := range tests {
		t.Run(string(tt.platform)+"/"+tt.name, func(t *testing.T) {
			t.Parallel()
			if got := Count(tt.text, textLimit(tt.platform)); got != tt.want {
				t.Errorf("%q counts %d, want %d", tt.text, got, tt.want)
			}
		})
	}
}

func TestBytesLimitBesideTheCount(t *testing.T) {
	t.Parallel()
	l := textLimit("bluesky")
	family := "👨‍👩‍👧‍👦" // 25 bytes, one grapheme
	if !Fits(strings.Repeat(family, 120), l) || Fits(strings.Repeat(family, 121), l) {
		t.Error("want 120 families of 25 bytes in 3000 bytes, and not 121")
	}
}

func TestLinksAreFoundAsXFindsThem(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text string
		bare bool
		want []string
	}{
		{"readme.md hello.world go.dev foo.bar", true, []string{"readme.md", "hello.world", "go.dev", "foo.bar"}},
		{"node.js www.x 1.2 a@example.com @example.com #example.com $a.com", true, nil},
		{"https://example.com, (https://example.com/a) and https://example.com/b.", false, []string{"https://example.com", "https://example.com/a", "https://example.com/b"}},
		{"https://en.wikipedia.org/wiki/Go_(game)", false, []string{"https://en.wikipedia.org/wiki/Go_(game)"}},
		{"http://localhost/x https://intern/x", true, nil},
		{"https://example.com:8080/?q=1&r=2#top!", true, []string{"https://example.com:8080/?q=1&r=2#top"}},
		{"https://sub.domain.example.co.uk/", true, []string{"https://sub.domain.example.co.uk/"}},
		{"HTTPS://EXAMPLE.COM/A", false, []string{"HTTPS://EXAMPLE.COM/A"}},
		{"見てgo.devは", true, []string{"go.dev"}},
		{"https://müller.de/straße", false, []string{"https://müller.de/straße"}},
		{"https://user:pw@example.com", true, nil},
		{"xhttps://example.com", true, nil},
		{"go.dev.", true, []string{"go.dev"}},
		{"a.b.c.nothing", true, nil},
		{"foo.com-bar -go.dev", true, nil},
		{"go.dev", false, nil},
		{"https://xn--fsq.xn--0zwm56d/", false, []string{"https://xn--fsq.xn--0zwm56d/"}},
		{"...", true, nil},
	}
	for _, tt := range tests {
		var got []string
		for _, s := range linkSpans(tt.text, tt.bare) {
			got = append(got, tt.text[s.from:s.to])
		}
		if strings.Join(got, " ") != strings.Join(tt.want, " ") {
			t.Errorf("links in %q: %q, want %q", tt.text, got, tt.want)
		}
	}
}

func TestShortMentionsKeepsTheRest(t *testing.T) {
	t.Parallel()
	got := ShortMentions("cc @a@x.example, @b and me@x.example. https://x.example/@c@y.example")
	if want := "cc @a, @b and me@x.example. https://x.example/@c@y.example"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func allCounts() []limits.TextLimit {
	var all []limits.TextLimit
	for _, l := range limits.Platforms() {
		all = append(all, l.Text)
	}
	return all
}

func FuzzCountAgreesWithItsBound(f *testing.F) {
	for _, s := range []string{"", "a", "https://go.dev/x?y", "👨‍👩‍👧‍👦🇩🇪1️⃣", "\U0001D160", "@a@b.c", "क्षि", "a.com", "\xff\xfe", "שּׁ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 4096 || !utf8.ValidString(text) {
			t.Skip()
		}
		for _, l := range allCounts() {
			n := Count(text, l)
			if n < 0 || n > mostLen(text, l) {
				t.Fatalf("count %v of %q is %d, bound %d", l.Count, text, n, mostLen(text, l))
			}
			if n == 0 && strings.TrimSpace(text) != "" {
				t.Fatalf("count %v of %q is 0", l.Count, text)
			}
			if fits := l.Max == 0 || n <= l.Max; Fits(text, l) != (fits && (l.MaxBytes == 0 || len(text) <= l.MaxBytes)) {
				t.Fatalf("fits and count of %q disagree", text)
			}
		}
		last := 0
		for _, s := range linkSpans(text, true) {
			if s.from < last || s.to <= s.from || s.to > len(text) {
				t.Fatalf("links in %q: %v", text, linkSpans(text, true))
			}
			last = s.to
		}
	})
}

func BenchmarkFits(b *testing.B) {
	l := textLimit("twitter")
	text := "Our spring collection is here! See it at https://example.com/spring and tell us what you like best. #spring #new"
	for b.Loop() {
		Fits(text, l)
	}
}

func TestFourBytesCountsEachOnce(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "a", "🎉", "🎉🎉🎉🎉🎉", "seven b", "naïve — “so”", "0123456🎉8901🎉", "\xef\xf0\xff\xe0\x80\xbf\xc3\xf7\xf8\x0f\x70"} {
		want := 0
		for _, c := range []byte(text) {
			if c >= 0xF0 {
				want++
			}
		}
		if n := fourBytes(text); n != want {
			t.Errorf("%q: %d, want %d", text, n, want)
		}
	}
}
