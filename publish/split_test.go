package publish

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/postroom/postroom/limits"
)

func words(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "word%03d ", i)
	}
	return strings.TrimSpace(b.String())
}

func TestSplitCutsWhereTheContractSays(t *testing.T) {
	t.Parallel()
	l := limits.TextLimit{Max: 60} // 50 beside a number
	tests := []struct {
		name, text string
		numbering  Numbering
		want       []string
	}{
		{"what fits is one part, as it is", "short", NumberAuto, []string{"short"}},
		{"nothing is no part", " \n ", NumberAuto, nil},
		{"at a paragraph, when the part is half full",
			"One paragraph with some words in it.\n\nAnother one follows, which is about as long.", NumberAuto,
			[]string{"One paragraph with some words in it. (1/2)", "Another one follows, which is about as long. (2/2)"}},
		{"at a sentence before a word",
			"This is a sentence of words. And this is one more sentence of words.", NumberAuto,
			[]string{"This is a sentence of words. (1/2)", "And this is one more sentence of words. (2/2)"}},
		{"not after an abbreviation",
			"We are glad to tell you that Dr. Smith of the board will speak at nine.", NumberAuto,
			[]string{"We are glad to tell you that Dr. Smith of the (1/2)", "board will speak at nine. (2/2)"}},
		{"at a word", strings.Repeat("abcdefghi ", 8), NumberAuto,
			[]string{"abcdefghi abcdefghi abcdefghi abcdefghi abcdefghi (1/2)", "abcdefghi abcdefghi abcdefghi (2/2)"}},
		{"inside a word only when it fills the part", strings.Repeat("x", 70), NumberAuto,
			[]string{strings.Repeat("x", 50) + " (1/2)", strings.Repeat("x", 20) + " (2/2)"}},
		{"marked parts carry no numbers", "first\n\n---\n\nsecond\n ---  \nthird", NumberAuto, []string{"first", "second", "third"}},
		{"unless asked for", "first\n---\nsecond", NumberAlways, []string{"first (1/2)", "second (2/2)"}},
		{"a marked part that is too long is numbered by itself", "first\n---\n" + strings.Repeat("abcdefghi ", 7), NumberAuto,
			[]string{"first", "abcdefghi abcdefghi abcdefghi abcdefghi abcdefghi (1/2)", "abcdefghi abcdefghi (2/2)"}},
		{"never", strings.Repeat("abcdefghi ", 7), NumberNever,
			[]string{"abcdefghi abcdefghi abcdefghi abcdefghi abcdefghi abcdefghi", "abcdefghi"}},
		{"own numbers are kept and split behind", "one [1/3]\n\ntwo [2/3]\n\nthree [3/3]", NumberAuto, []string{"one [1/3]", "two [2/3]", "three [3/3]"}},
		{"own round numbers as well", "one (1/2)\r\n\r\ntwo (2/2)", NumberAlways, []string{"one (1/2)", "two (2/2)"}},
		{"a gap in them makes them text", "one [1/3]\n\nthree [3/3]", NumberAuto, []string{"one [1/3]\n\nthree [3/3]"}},
		{"so do numbers inside a paragraph", "half (1/2) of it\nand (2/2)", NumberAuto, []string{"half (1/2) of it\nand (2/2)"}},
		{"a rule of dashes in a line is text", "a --- b", NumberAuto, []string{"a --- b"}},
		{"separators with nothing between them add nothing", "---\na\n---\n---\nb\n---", NumberAuto, []string{"a", "b"}},
		{"a hashtag stays whole", strings.Repeat("a ", 22) + "#abcdefghijklmnop and more", NumberAuto,
			[]string{strings.TrimSpace(strings.Repeat("a ", 22)) + " (1/2)", "#abcdefghijklmnop and more (2/2)"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := Split(tt.text, l, tt.numbering)
			if err != nil || !slices.Equal(got, tt.want) {
				t.Errorf("got %q, %v\nwant %q", got, err, tt.want)
			}
		})
	}
}

func TestNumbersGrowWithTheThread(t *testing.T) {
	t.Parallel()
	l := limits.TextLimit{Max: 40}
	for _, n := range []int{9, 10, 99, 100, 999, 1000, 4000} {
		parts, err := Split(words(3*n), l, NumberAuto)
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range parts {
			if want := fmt.Sprintf(" (%d/%d)", i+1, len(parts)); !strings.HasSuffix(p, want) {
				t.Fatalf("part %q, want it to end in %q", p, want)
			}
			if !Fits(p, l) {
				t.Fatalf("part %q is over %d", p, l.Max)
			}
		}
	}
}

func TestAURLLongerThanAPartCannotBeCut(t *testing.T) {
	t.Parallel()
	url := "https://example.com/" + strings.Repeat("a", 600)
	if _, err := Split("see "+url, textLimit("threads"), NumberAuto); !errors.Is(err, ErrUncuttable) {
		t.Errorf("error %v, want %v", err, ErrUncuttable)
	}
	parts, err := Split(strings.Repeat("see ", 100)+url, textLimit("twitter"), NumberAuto)
	if err != nil || len(parts) != 2 || !strings.Contains(parts[1], url) {
		t.Errorf("on X, where it counts 23: %q, %v", parts, err)
	}
}

var numberAtEnd = regexp.MustCompile(` \((\d+)/(\d+)\)$`)

// squeeze drops white space, which cuts may drop.
func squeeze(s string) string { return strings.Join(strings.Fields(s), "") }

func FuzzSplitKeepsEveryWord(f *testing.F) {
	f.Add(words(100), uint16(280), uint8(0))
	f.Add(strings.Repeat("日本語。", 200), uint16(280), uint8(1))
	f.Add(strings.Repeat("👨‍👩‍👧‍👦", 100), uint16(60), uint8(2))
	f.Add("see https://example.com/a and go.dev.\n\nThen e.g. more! "+words(60), uint16(100), uint8(3))
	f.Add("a\n---\nb [1/2]\n\nc [2/2]", uint16(40), uint8(4))
	f.Add("@a@b.example #tag $CASH "+words(50), uint16(50), uint8(5))
	f.Fuzz(func(t *testing.T, text string, most uint16, mode uint8) {
		if len(text) > 4096 || !utf8.ValidString(text) {
			t.Skip()
		}
		l := allCounts()[int(mode)%len(allCounts())]
		l.Max, l.Over = 30+int(most)%1000, limits.TextOverThread
		n := Numbering(mode % 3)
		parts, err := Split(text, l, n)
		if errors.Is(err, ErrUncuttable) {
			t.Skip()
		}
		if err != nil {
			t.Fatal(err)
		}
		again, _ := Split(text, l, n)
		if !slices.Equal(parts, again) {
			t.Fatalf("the same text gives %q and %q", parts, again)
		}
		checkParts(t, text, parts, l, n)
	})
}

func checkParts(t *testing.T, text string, parts []string, l limits.TextLimit, n Numbering) {
	t.Helper()
	marked, own := marks(strings.TrimSpace(text))
	for _, m := range marked {
		for _, s := range linkSpans(m, true) {
			if url := m[s.from:s.to]; !slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(p, url) }) {
				t.Fatalf("no part of %q holds %q whole", parts, url)
			}
		}
	}
	var joined strings.Builder
	for i, p := range parts {
		if !Fits(p, l) {
			t.Fatalf("part %q counts %d of %d", p, Count(p, l), l.Max)
		}
		if strings.TrimSpace(p) == "" {
			t.Fatalf("part %d of %q is empty", i, parts)
		}
		if !utf8.ValidString(p) {
			t.Fatalf("part %q is torn", p)
		}
		numbered := n == NumberAlways && len(parts) > 1 || n == NumberAuto && len(marked) == 1 && len(parts) > 1
		if numbered && !own {
			m := numberAtEnd.FindStringSubmatch(p)
			if m == nil || m[1] != fmt.Sprint(i+1) || m[2] != fmt.Sprint(len(parts)) {
				t.Fatalf("part %q is not numbered %d of %d", p, i+1, len(parts))
			}
			p = strings.TrimSuffix(p, m[0])
		}
		joined.WriteString(p)
	}
	if n == NumberAuto && len(marked) > 1 {
		return // some parts may be numbered and others not
	}
	if got, want := squeeze(joined.String()), squeeze(strings.Join(marked, "")); got != want {
		t.Fatalf("parts %q\nhold    %q\nwant    %q", parts, got, want)
	}
}

func BenchmarkSplit(b *testing.B) {
	text, l := words(300), textLimit("twitter")
	for b.Loop() {
		if _, err := Split(text, l, NumberAuto); err != nil {
			b.Fatal(err)
		}
	}
}
