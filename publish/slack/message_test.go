package slack

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// Sections say what the text says, white space at the cuts aside, fit, and cut no
// entity in two.
func FuzzSections(f *testing.F) {
	for _, text := range []string{"", " ", "a\nb", strings.Repeat("&", 2000), strings.Repeat("word ", 1500), strings.Repeat("é", 3001), strings.Repeat("a", 2998) + "<>"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) {
			t.Skip()
		}
		escaped := escape(text)
		all := sections(escaped)
		for _, s := range all {
			if s == "" || utf8.RuneCountInString(s) > maxSection || escape(undo(s)) != s {
				t.Fatalf("section %q", s)
			}
		}
		squeeze := func(s string) string { return strings.Join(strings.Fields(s), "") }
		if squeeze(strings.Join(all, "")) != squeeze(escaped) {
			t.Fatalf("sections %q of %q", all, escaped)
		}
	})
}

func undo(s string) string {
	return strings.NewReplacer("&amp;", "&", "&lt;", "<", "&gt;", ">").Replace(s)
}
