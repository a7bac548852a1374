package telegram

import (
	"reflect"
	"testing"
	"unicode/utf8"
)

func TestMarksBecomeEntities(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]struct {
		text     string
		entities []entity
	}{
		"plain":                               {"plain", nil},
		"*b*":                                 {"b", []entity{{"bold", 0, 1, ""}}},
		"👋 *fett*, _kursiv_ und `code`.":      {"👋 fett, kursiv und code.", []entity{{"bold", 3, 4, ""}, {"italic", 9, 6, ""}, {"code", 20, 4, ""}}},
		"snake_case_name 2*3*4 a * b * c":     {"snake_case_name 2*3*4 a * b * c", nil},
		"https://x.example/_a_":               {"https://x.example/_a_", nil},
		"*open":                               {"*open", nil},
		"*two\n\nparagraphs*":                 {"*two\n\nparagraphs*", nil},
		"*b _i_*":                             {"b i", []entity{{"bold", 0, 3, ""}, {"italic", 2, 1, ""}}},
		"`*raw*`":                             {"*raw*", []entity{{"code", 0, 5, ""}}},
		"```\na\n*b*```":                      {"a\n*b*", []entity{{"pre", 0, 5, ""}}},
		"[here](https://x.example) [no](ftp)": {"here [no](ftp)", []entity{{"text_link", 0, 4, "https://x.example"}}},
		"> one\n> *two*\nrest":                {"one\ntwo\nrest", []entity{{"blockquote", 0, 7, ""}, {"bold", 4, 3, ""}}},
		"a > b":                               {"a > b", nil},
		"":                                    {"", nil},
	} {
		text, entities := parseMarks(in)
		if text != want.text || !reflect.DeepEqual(entities, want.entities) {
			t.Errorf("%q: %q %+v, want %q %+v", in, text, entities, want.text, want.entities)
		}
	}
}

func FuzzEntitiesLieInTheText(f *testing.F) {
	for _, text := range []string{"*b* _i_", "```x```", "> q\n*a*\n> b", "[a](https://b)", "👋*👋*", "> \n> ", "``", "*_*_", "_*a_*", "\xd6*\x8b*"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, in string) {
		text, entities := parseMarks(in)
		if !utf8.ValidString(text) {
			t.Fatalf("%q became %q", in, text)
		}
		last := 0
		for _, e := range entities {
			if e.Offset < last || e.Length < 1 || e.Offset+e.Length > units(text) {
				t.Fatalf("%q: %+v in %q", in, e, text)
			}
			last = e.Offset
		}
		if utf8.ValidString(in) && len(text) > len(in) {
			t.Fatalf("%q grew to %q", in, text)
		}
	})
}
