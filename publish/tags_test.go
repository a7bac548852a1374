package publish_test

import (
	"slices"
	"testing"

	"github.com/postroom/postroom/publish"
)

func TestTagsAreThoseThatReadersSee(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"":                                  nil,
		"#one (#two) x#three":               {"#one", "#two"},
		"#Grüße, #2026 #a1. #":              {"#Grüße", "#a1"},
		"https://go.dev/x#part #tag":        {"#tag"},
		"#a#b ##c":                          {"#a"},
		"#\ufe0f \n#line\u200bbreak":        {"#line"},
		"#https://go.dev/ #rock-n-roll! #x": {"#https://go.dev", "#rock-n-roll", "#x"},
	} {
		var got []string
		for from, to := range publish.Tags(text) {
			got = append(got, text[from:to])
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: tags %q, want %q", text, got, want)
		}
	}
}
