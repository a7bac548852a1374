package importer

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/postroom/postroom/post"
)

var today = time.Date(2026, 2, 20, 12, 0, 0, 0, time.UTC)

func berlin(t testing.TB) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func testOptions(t testing.TB, name string) Options {
	return Options{
		Name: name, Zone: berlin(t), Today: today,
		Directory: post.NewDirectory([]post.ConnectionID{"twitter-123456", "linkedin-ABC123", "mastodon-acme", "bluesky-a", "bluesky-b"}),
	}
}

// read reads a text whole and describes what came of it.
func read(t testing.TB, o Options, data []byte) string {
	t.Helper()
	var b strings.Builder
	f, err := Open(context.Background(), bytes.NewReader(data), int64(len(data)), o)
	if u, ok := err.(*Unusable); ok {
		for _, p := range u.Problems {
			fmt.Fprintf(&b, "unusable: %s\n", p)
		}
		return b.String()
	}
	if err != nil {
		t.Fatal(err)
	}
	d := f.Dialect()
	fmt.Fprintf(&b, "%s, %q, %d columns\n", d.Encoding, d.Delimiter, len(f.Header()))
	for _, p := range f.Notes() {
		fmt.Fprintf(&b, "note: %s\n", p)
	}
	err = f.Rows(context.Background(), func(r *Row) error {
		fmt.Fprintf(&b, "%d line %d", r.N, r.Line)
		if !post.HasErrors(r.Problems) {
			d := &r.Draft
			at := "-"
			if !d.At.IsZero() {
				at = d.At.Format(time.RFC3339)
			}
			fmt.Fprintf(&b, ": %s %s %q", at, d.Connections, post.Shorten(d.Text))
			if d.Status == post.StatusDraft {
				b.WriteString(" draft")
			}
			for _, m := range d.Media {
				fmt.Fprintf(&b, " media %s", m.URL)
				if m.Alt != "" {
					fmt.Fprintf(&b, " (%s)", m.Alt)
				}
			}
			for _, f := range []struct{ name, text string }{
				{"title", d.Title}, {"link", d.Link}, {"comment", d.FirstComment}, {"labels", strings.Join(d.Labels, "|")}, {"settings", string(d.Settings)},
			} {
				if f.text != "" {
					fmt.Fprintf(&b, " %s %q", f.name, f.text)
				}
			}
			for _, p := range slices.Sorted(maps.Keys(d.Variants)) {
				fmt.Fprintf(&b, " %s %q", p, d.Variants[p])
			}
			if d.ExternalID != "" {
				fmt.Fprintf(&b, " id %s", d.ExternalID)
			}
		}
		b.WriteByte('\n')
		for _, p := range r.Problems {
			fmt.Fprintf(&b, "  %s\n", p)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestAPlainCalendar(t *testing.T) {
	got := read(t, testOptions(t, "week.csv"), []byte("content,platforms,scheduled_time,media_url\n"+
		"Hello,twitter-123456; linkedin,2026-03-01T09:00:00Z,\n"+
		"\"Two\nlines, \"\"quoted\"\"\",twitter,2026-03-01T09:00,https://example.com/a.png\n"+
		"Draft,x,,\n"+
		"Bad,twiter,tomorow,\n"))
	want := `UTF-8, ',', 4 columns
1 line 2: 2026-03-01T09:00:00Z [twitter-123456 linkedin-ABC123] "Hello"
2 line 3: 2026-03-01T08:00:00Z [twitter-123456] "Two\nlines, \"quoted\"" media https://example.com/a.png
3 line 5: - [twitter-123456] "Draft"
4 line 6
  week.csv:6:2: platforms: got "twiter", want a connection of this account: twitter-123456, linkedin-ABC123, mastodon-acme, bluesky-a, bluesky-b (did you mean twitter?)
  week.csv:6:3: scheduled_time: got "tomorow", want a date like 2026-03-01T09:00
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// calendar is a generated file like those the benchmarks of the whole program
// use.
func calendar(rows int) []byte {
	var b bytes.Buffer
	b.WriteString("content,platforms,scheduled_time,media_url\n")
	for i := range rows {
		fmt.Fprintf(&b, "\"%d spring launch, our \"\"new\"\" collection is here today come and see what we made for you this week only 🎉 fresh ideas and good coffee", i)
		if i%20 == 0 {
			b.WriteString("\nand a second line")
		}
		fmt.Fprintf(&b, "\",\"twitter-123456;linkedin-ABC123\",%s,\n", today.Add(time.Duration(i%100000)*time.Minute).Format("2006-01-02T15:04:05Z"))
	}
	return b.Bytes()
}

func BenchmarkOpen(b *testing.B) {
	data := calendar(100_000)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := Open(b.Context(), bytes.NewReader(data), int64(len(data)), testOptions(b, "a.csv")); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100_000, "ns/row")
}

func BenchmarkRows(b *testing.B) {
	data := calendar(100_000)
	f, err := Open(b.Context(), bytes.NewReader(data), int64(len(data)), testOptions(b, "a.csv"))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		err := f.Rows(b.Context(), func(r *Row) error {
			n++
			return nil
		})
		if err != nil || n != 100_000 {
			b.Fatal(err, n)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100_000, "ns/row")
}
