package importer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// explained says in short how a text is read.
func explained(t *testing.T, o Options, text string) string {
	t.Helper()
	e, err := Explain(t.Context(), strings.NewReader(text), int64(len(text)), o)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s%s header %d+%d %q %d rows\n", e.Encoding, e.Delimiter, e.Quote, e.Escape, e.HeaderLine, e.HeaderRows, e.Tool, e.Rows)
	for _, c := range e.Columns {
		fmt.Fprintf(&b, "%d %s|%s%s|%s|%s|%s|%s|%s\n", c.N, c.Group, c.Header, c.Platform, c.Meaning, c.How, c.DateOrder, c.DateWhy, strings.Join(c.Samples, "·"))
	}
	fmt.Fprintf(&b, "unknown %q, %d problems, unusable %v\n", e.Unknown, len(e.Problems), e.Unusable)
	return b.String()
}

func TestExplain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, want string }{
		{"names, synonyms and unknown columns", "content,Where,When,content_x,mood,,notes\nHello,x,3/4/2026 9:00,Hi,good,,n\nAgain,x,13/4/2026 9:00,,,,\nHello,x,,,,,\n", `UTF-8 , " header 1+1 "" 3 rows
1 |content|content|by its name|||Hello·Again
2 |Where|platforms|as a synonym|||x
3 |When|scheduled_time|as a synonym|dmy|line 3 can only be read so|3/4/2026 9:00·13/4/2026 9:00
4 |content_xtwitter|content of twitter|by its name|||Hi
5 |mood|unknown||||good
6 ||unknown||||
7 |notes|left out|as a synonym|||n
unknown ["mood"], 1 problems, unusable false
`},
		{"a title above, undecided dates, a repeated name", "Our plan\ntext;text;where;when\nHello;Hello;x;3/4/2026 9:00\n", `UTF-8 ; " header 2+1 "" 1 rows
1 |text|content|as a synonym|||Hello
2 |text|left out|another column was taken for it|||Hello
3 |where|platforms|as a synonym|||x
4 |when|scheduled_time|as a synonym|undecided|nothing in the column tells: set date_order to dmy or mdy in the config or a defaults.yaml|3/4/2026 9:00
unknown [], 1 problems, unusable false
`},
		{"two header rows", "All Social,All Social,Facebook,Instagram\npostAtSpecificTime,content,type,type\n2026-03-01 09:00,Hello,post,reel\n", `UTF-8 , " header 1+2 "GoHighLevel Social Planner (the advanced file)" 1 rows
1 All Social|postAtSpecificTime|scheduled_time|as GoHighLevel Social Planner means it|||2026-03-01 09:00
2 All Social|content|content|as GoHighLevel Social Planner means it|||Hello
3 Facebook|typefacebook|left out|as GoHighLevel Social Planner means it|||post
4 Instagram|typeinstagram|platform_settings|as GoHighLevel Social Planner means it|||reel
unknown [], 1 problems, unusable true
`},
		{"no header row", "13/04/2026 09:00,Hello,https://example.com\n", `UTF-8 , " header 0+0 "Hootsuite (without a header row)" 1 rows
1 |Date|scheduled_time|by what the columns hold|dmy|line 1 can only be read so|13/04/2026 09:00
2 |Message|content|by what the columns hold|||Hello
3 |Link|link|by what the columns hold|||https://example.com
unknown [], 1 problems, unusable true
`},
		{"quotes that are none", "content,platforms\n'Hello, you',x\n'Again',x\n'And, again',x\n", `UTF-8 , ' header 1+1 "" 3 rows
1 |content|content|by its name|||'Hello·'Again'·'And
2 |platforms|platforms|by its name|||you'·x·again'
unknown [], 2 problems, unusable false
`},
		{"a table that is no calendar", "'name'^'one, two'^3\n'a'^'b, \\'c'^4\n'd'^'e'^5\n", `UTF-8 ^ '\ header 0+0 "" 0 rows
unknown [], 1 problems, unusable true
`},
		{"what is no table", "<html>", `   header 0+0 "" 0 rows
unknown [], 1 problems, unusable true
`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := explained(t, testOptions(t, "a.csv"), c.text); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// Every file can be explained, and what is said can be written as JSON.
func TestAnyFileCanBeExplained(t *testing.T) {
	t.Parallel()
	for name, data := range hostileFiles(t) {
		e, err := Explain(t.Context(), bytes.NewReader(data), int64(len(data)), hostileOptions(t, name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if e.Unusable != strings.HasPrefix(read(t, hostileOptions(t, name), data), "unusable: ") {
			t.Errorf("%s: unusable is %v", name, e.Unusable)
		}
		if _, err := json.Marshal(e); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
