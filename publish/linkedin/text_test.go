package linkedin

import "testing"

func TestLittleTextMeansWhatWasWritten(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"plain, with: punctuation!":              "plain, with: punctuation!",
		"50% (half) of [all] <b>*bold*</b>":      `50% \(half\) of \[all\] \<b\>\*bold\*\</b\>`,
		`a\b|c{d}e@f_g~h`:                        `a\\b\|c\{d\}e\@f\_g\~h`,
		"we love #Go_lang and #2 and a#b":        `we love {hashtag|\#|Go\_lang} and \#2 and a\#b`,
		"#first\n#second":                        `{hashtag|\#|first}` + "\n" + `{hashtag|\#|second}`,
		"thanks @[Acme (Inc)](x)":                `thanks \@\[Acme \(Inc\)\]\(x\)`,
		"thanks @[Acme](urn:li:organization:12)": "thanks @[Acme](urn:li:organization:12)",
		"https://x.example/a_(b)?c=d#e":          `https://x.example/a\_\(b\)?c=d\#e`,
	} {
		if got := escape(text); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}

func FuzzUnescapeIsTheInverse(f *testing.F) {
	for _, s := range []string{"a", `\`, "#tag x", "#t #u", "@[A](urn:li:person:1)", "{hashtag|#|x}", "##a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if got := unescape(escape(text)); got != string([]rune(text)) {
			t.Errorf("%q came back as %q from %q", text, got, escape(text))
		}
	})
}
