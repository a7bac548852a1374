package post_test

import (
	"testing"
	"time"

	"github.com/postroom/postroom/post"
)

func TestAVariantStandsInForTheTextOnItsPlatformAlone(t *testing.T) {
	t.Parallel()
	c := post.Content{Text: "hello", Variants: map[post.Platform]string{"twitter": "hi", "linkedin": ""}}
	for platform, want := range map[post.Platform]string{"twitter": "hi", "linkedin": "hello", "mastodon": "hello"} {
		if got := c.For(platform); got != want {
			t.Errorf("%s: got %q, want %q", platform, got, want)
		}
	}
	d := post.Delivery{Post: post.Post{Connection: "twitter-1"}, Content: c}
	if got := d.Text(); got != "hi" {
		t.Errorf("delivery: got %q", got)
	}
}

func TestP2IdempotencyKeysStayTheSameAndDifferByPart(t *testing.T) {
	t.Parallel()
	p := post.Post{ID: post.MakeID(time.Unix(1_772_355_600, 0), [5]byte{1}, 2)}
	first := p.Key()
	p.Attempts, p.Epoch, p.Status = 3, 9, post.StatusFailed
	if p.Key() != first || p.PartKey(0) != first {
		t.Errorf("keys %q, %q and %q", first, p.Key(), p.PartKey(0))
	}
	if p.PartKey(1) == first || p.PartKey(1) == p.PartKey(2) {
		t.Errorf("two parts share the key %q", p.PartKey(1))
	}
	if n := len(p.PartKey(9999)); n > 64 {
		t.Errorf("a key of %d bytes", n)
	}
}

func TestPartsLiveCountsThoseWithAnID(t *testing.T) {
	t.Parallel()
	p := post.Post{Parts: []post.Part{{RemoteID: "1"}, {}, {RemoteID: "3"}}}
	if n := p.PartsLive(); n != 2 {
		t.Errorf("got %d, want 2", n)
	}
}
