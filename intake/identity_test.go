package intake

import (
	"strings"
	"testing"
	"unicode"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"
)

// TestNormalFormIgnoresOnlyWhiteSpaceAndComposition: identities are stored, so
// however appendNormal is made fast, it must give the same bytes.
func TestNormalFormIgnoresOnlyWhiteSpaceAndComposition(t *testing.T) {
	spaces := []string{" ", "  ", "\t", "\n", "\r\n", "\v", "\u0085", "\u00a0", "\u1680", "\u2000", "\u2003", "\u200a", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000"}
	rest := []string{"a", "word", "\x00", "\x1f", "é", "e\u0301", "Å", "“quoted”", "–", "…", "\u200b", "\u2060", "🎉", "日本", "\u180e", "&"}
	for _, s := range spaces {
		if !unicode.IsSpace([]rune(s)[0]) {
			t.Fatalf("%q is no white space", s)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		s := strings.Join(rapid.SliceOf(rapid.SampledFrom(append(spaces, rest...))).Draw(t, "pieces"), "")
		got := string(appendNormal(nil, s))
		want := strings.Join(strings.Fields(norm.NFC.String(s)), " ") + "\x00"
		if got != want {
			t.Fatalf("%q: got %q, want %q", s, got, want)
		}
	})
}

func TestNormalFormOfPlainTextIsTheText(t *testing.T) {
	for _, s := range []string{"", "a", "one two", "one two three four", "naïve café 🚀 – “so”… it’s ☕\ufe0f"} {
		if !isNormal([]byte(s)) {
			t.Errorf("%q takes the slow way", s)
		}
	}
	for _, s := range []string{" a", "a ", "a  b", "a\nb", "one two\nthree four", "a\u00a0b", "a\u2003b", "a\u3000b", "a\u205fb", "a\u1680b", " ", "\xff", "\xc3"} {
		if isNormal([]byte(s)) {
			t.Errorf("%q is taken for normal", s)
		}
	}
}

func TestBlanksAreNormalOneByOne(t *testing.T) {
	for _, word := range []string{"abcdefghijklmnopqrstuvwxyz", "a!b!c!d!e!f!g!h!i!j!k!l!m", "äbcdéfghïjklmnö", "🚀🚀🚀🚀🚀"} {
		for i := range word {
			for j := range word {
				if i == 0 || j <= i {
					continue
				}
				one, two := word[:i]+" "+word[i:j]+" "+word[j:], word[:i]+"  "+word[i:j]+" "+word[j:]
				if !isNormal([]byte(one)) || isNormal([]byte(two)) {
					t.Errorf("%q is normal: %v, %q: %v", one, isNormal([]byte(one)), two, isNormal([]byte(two)))
				}
			}
		}
	}
}

// TestNoCharacterIsWronglyTakenForNormal: of each, after letters that marks could
// compose with.
func TestNoCharacterIsWronglyTakenForNormal(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		for _, before := range []string{"", "e", "がe\u0323", "가"} {
			s := before + string(r) + "b"
			if isNormal([]byte(s)) && (!norm.NFC.IsNormalString(s) || strings.Join(strings.Fields(s), " ") != s) {
				t.Fatalf("%q (%U) is taken for normal", s, r)
			}
		}
	}
}

func BenchmarkNormalForm(b *testing.B) {
	text := strings.Repeat("spring launch: our naïve café 🚀 is here today, come and see. ", 3)
	text = text[:len(text)-1]
	b.SetBytes(int64(len(text)))
	var buf []byte
	for b.Loop() {
		buf = appendNormal(buf[:0], text)
	}
}
