package intake_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/post"
)

// CONTRACT §5.4: LinkedIn is quoted with 100 a day.
func TestAFileIsWarnedOfMoreThanAPlatformTakesInADay(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		rows int
		want string
	}{
		{100, ""},
		{101, `got "101 posts of linkedin-2 on 2026-03-03", want at most 100 a day: LinkedIn is said to take no more`},
	} {
		d := newDesk(t)
		var b strings.Builder
		b.WriteString(header)
		for i := range test.rows {
			at := time.Date(2026, 3, 3, 0, 0, 0, 0, time.UTC).Add(time.Duration(i) * 10 * time.Minute)
			fmt.Fprintf(&b, "id-%d,text %d,linkedin-2,%s\n", i, i, at.Format(time.RFC3339))
		}
		res, err := d.intake.Check(t.Context(), d.request("a.csv", b.String()))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range res.Problems {
			if p.Severity != post.SeverityWarning {
				t.Error(p)
			}
			got = append(got, p.String())
		}
		if all := strings.Join(got, "\n"); test.want == "" && all != "" || !strings.Contains(all, test.want) {
			t.Errorf("%d rows: %s, want %q", test.rows, all, test.want)
		}
	}
}
