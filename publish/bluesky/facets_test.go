package bluesky

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/postroom/postroom/post"
)

func FuzzFacetsLieInTheText(f *testing.F) {
	for _, text := range []string{"", "#", "##a #a#b", "#\ufe0f", "https://go.dev/#a #b.", "ü#x #ü\u200bx", "@a.b", "(#x)"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		last := 0
		for _, x := range facetsOf(text) {
			from, to := x.Index.Start, x.Index.End
			if from < last || to <= from || to > len(text) {
				t.Fatalf("facet %d-%d of %q", from, to, text)
			}
			if utf8.ValidString(text) && !utf8.ValidString(text[from:to]) {
				t.Fatalf("facet %q tears a character", text[from:to])
			}
			if tag := x.Features[0].Tag; tag != "" && (strings.ContainsAny(tag, " \n") || "#"+tag != text[from:to]) {
				t.Fatalf("tag %q of %q", tag, text[from:to])
			}
			last = to
		}
	})
}

func TestP2_NoTwoPostsOfARoomShareAKey(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)
	room := [5]byte{1, 2, 3, 4, 5}
	seen := map[string]uint32{}
	for _, n := range []uint32{0, 1, 999_999, 1_000_000, 1_000_001, 2_000_000, 1<<24 - 1} {
		for second := range 2 {
			id := post.MakeID(at.Add(time.Duration(second)*time.Second), room, n)
			key := recordKey(id)
			if before, again := seen[key]; again {
				t.Errorf("posts %d and %d share %s", before, n, key)
			}
			seen[key] = n
			if len(key) != 13 || key != recordKey(id) {
				t.Errorf("key %q", key)
			}
		}
	}
	if a, b := recordKey(post.MakeID(at, room, 1)), recordKey(post.MakeID(at.Add(time.Hour), room, 1)); a >= b {
		t.Errorf("keys %s and %s do not sort by time", a, b)
	}
}
