package limits

import (
	"strings"
	"testing"

	"github.com/postroom/postroom/post"
)

func TestEveryPlatformIsWholeAndSaysItsSource(t *testing.T) {
	t.Parallel()
	seen := map[post.Platform]bool{}
	for _, l := range Platforms() {
		if seen[l.Platform] {
			t.Errorf("%s is there twice", l.Platform)
		}
		seen[l.Platform] = true
		if p, known := post.PlatformByName(string(l.Platform)); !known || p != l.Platform {
			t.Errorf("%s is not a platform's key", l.Platform)
		}
		if l.Name == "" || l.Source == "" {
			t.Errorf("%s: want a name and a source", l.Platform)
		}
		m := l.Media
		if m.Need == MediaVideo && (m.Videos != 1 || m.Images != 0) || m.Need == MediaRequired && m.Images == 0 {
			t.Errorf("%s: needs what it does not take: %+v", l.Platform, m)
		}
		for _, mime := range m.ImageTypes {
			if !strings.HasPrefix(mime, "image/") || !m.Takes(mime) {
				t.Errorf("%s: %s is not a picture", l.Platform, mime)
			}
		}
		for _, mime := range m.VideoTypes {
			if !strings.HasPrefix(mime, "video/") || !m.Takes(mime) {
				t.Errorf("%s: %s is not a film", l.Platform, mime)
			}
		}
	}
	// The keys of the contract (CONTRACT §0.2).
	for _, p := range []post.Platform{"twitter", "linkedin", "instagram", "threads", "tiktok", "youtube", "facebook", "bluesky", "mastodon", "telegram", "pinterest"} {
		if !seen[p] {
			t.Errorf("%s is not in the table", p)
		}
	}
}

func TestTextLimitsAreThoseOfTheContract(t *testing.T) {
	t.Parallel()
	for p, want := range map[post.Platform]int{
		"twitter": 280, "linkedin": 3000, "instagram": 2200, "threads": 500, "tiktok": 2200, "youtube": 5000,
		"facebook": 63206, "bluesky": 300, "mastodon": 500, "telegram": 4096, "pinterest": 800,
	} {
		l, ok := PlatformByKey(p)
		if !ok || l.Text.Max != want {
			t.Errorf("%s: %d characters, want %d", p, l.Text.Max, want)
		}
		if threads := l.Text.Over == TextOverThread; threads != (p == "twitter" || p == "threads") {
			t.Errorf("%s: threads %v", p, threads)
		}
	}
}

func TestUnknownPlatformHasNoLimits(t *testing.T) {
	t.Parallel()
	l, ok := PlatformByKey("webhook")
	if ok || l.Text.Max != 0 || l.Media.Images < 100 || !l.Media.Mixed || l.Media.Picky() || !l.TitleField {
		t.Errorf("limits %+v, known %v: want none", l, ok)
	}
}

func TestOverrideReplacesOnlyWhatItSays(t *testing.T) {
	t.Parallel()
	table, _ := PlatformByKey("mastodon")
	if got := table.With(PlatformOverride{}); got.Text != table.Text || got.Media.Images != table.Media.Images || !got.Media.Takes("image/webp") {
		t.Errorf("an empty override changed %+v", got)
	}
	got := table.With(PlatformOverride{MaxText: 5000, URL: 25, MaxMedia: 6, ImageBytes: 1, VideoBytes: 2, Alt: 3, MediaTypes: []string{"image/avif", "video/ogg", "audio/mpeg"}})
	if got.Text.Max != 5000 || got.Text.URL != 25 || got.Media.Images != 6 || got.Media.Alt != 3 {
		t.Errorf("override gives %+v", got)
	}
	if got.Media.Takes("image/webp") || !got.Media.Takes("image/avif") || !got.Media.Takes("audio/mpeg") {
		t.Errorf("types %v and %v", got.Media.ImageTypes, got.Media.VideoTypes)
	}
	if a, b, c := got.Media.MostBytes("image/avif"), got.Media.MostBytes("video/ogg"), got.Media.MostBytes(""); a != 1 || b != 2 || c != 2 {
		t.Errorf("sizes %d, %d and %d, want 1, 2 and 2", a, b, c)
	}
	if again, _ := PlatformByKey("mastodon"); again.Text.Max != 500 || !again.Media.Takes("image/webp") {
		t.Error("the table itself was changed")
	}
}
