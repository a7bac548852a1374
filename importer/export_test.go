package importer

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/post"
)

// exportOptions are those of an account with one connection on each platform but
// Mastodon.
func exportOptions(t testing.TB, tool string) Options {
	o := dialectOptions(t, tool+".csv")
	o.Platforms, o.DateOrder, o.Today = nil, "", time.Time{}
	switch f := written(tool); {
	case f.order != orderNone:
	case strings.Contains(f.write.date, slashes):
		o.DateOrder = "dmy"
	}
	if s := (&Sheet{form: written(tool)}); !s.saysPlaces() && written(tool).platform == "" {
		o.Platforms = []post.ConnectionID{"instagram-1"}
	}
	return o
}

var berlinNoon = time.Date(2026, 3, 4, 11, 0, 0, 0, time.UTC)

// plan are groups of all kinds that a plan may hold.
func plan(ids ...post.ConnectionID) []post.Group {
	n := byte(0)
	group := func(at time.Time, status post.Status, c post.Content, to ...post.ConnectionID) post.Group {
		n++
		if len(to) == 0 {
			to = ids
		}
		g := post.Group{ID: post.ID{11: n}, Content: c, ScheduledAt: at}
		for _, id := range to {
			g.Posts = append(g.Posts, post.Post{Connection: id, Status: status, DueAt: at})
		}
		return g
	}
	scheduled, pictures := post.StatusScheduled, []post.Media{{URL: "https://example.com/a,b.jpg", Alt: "two, chairs"}, {URL: "https://example.com/c.jpg", Alt: "a table"}}
	gs := []post.Group{
		group(berlinNoon, scheduled, post.Content{Text: "Plain words"}),
		group(berlinNoon.AddDate(0, 0, 1), scheduled, post.Content{Text: "Quotes \"and\",\nlines; | and\ttabs"}),
		group(berlinNoon.AddDate(0, 0, 9), scheduled, post.Content{Text: "Two pictures", Media: pictures}),
		group(berlinNoon.AddDate(0, 1, 0), scheduled, post.Content{Text: "A film", Title: "The film, \"uncut\"", Media: []post.Media{{URL: "https://example.com/film.mp4"}}, Settings: []byte(`{"instagram":{"videoType":"REELS"},"youtube":{"privacy":"unlisted","title":"A: b.c"},"tiktok":{"allowDuet":false,"viewerSetting":"SELF_ONLY"}}`)}, append(slices.Clone(ids), "youtube-1", "tiktok-1")...),
		group(berlinNoon.AddDate(0, 1, 1), scheduled, post.Content{Text: "All at once", Link: "https://example.com/x,y", FirstComment: "First;\n\"really\"", Labels: []string{"spring", "two words"}}),
		group(berlinNoon.AddDate(0, 1, 2), scheduled, post.Content{Text: "Marks in labels and comments", FirstComment: "a||b", Labels: []string{"a,b"}}),
		group(berlinNoon.AddDate(0, 1, 3).Add(7*time.Second), scheduled, post.Content{Text: "Seconds"}),
		group(time.Date(2026, 10, 25, 0, 30, 0, 0, time.UTC), scheduled, post.Content{Text: "The first half past two"}),
		group(time.Date(2026, 10, 25, 1, 30, 0, 0, time.UTC), scheduled, post.Content{Text: "The second half past two"}),
		group(time.Time{}, post.StatusDraft, post.Content{Text: "A draft without a time"}),
		group(berlinNoon, post.StatusDraft, post.Content{Text: "A draft with a time"}),
		group(berlinNoon, scheduled, post.Content{Text: "", Media: pictures[1:]}),
		group(berlinNoon, scheduled, post.Content{Text: "=SUM(A1)"}),
		group(berlinNoon, scheduled, post.Content{Text: "To another", Variants: map[post.Platform]string{"linkedin": "To another, for LinkedIn"}}, append(slices.Clone(ids), "linkedin-1")...),
		group(berlinNoon, scheduled, post.Content{Text: "One of two there are"}, mastodonB),
		group(berlinNoon, post.StatusPublished, post.Content{Text: "Out already"}),
		group(berlinNoon, scheduled, post.Content{Text: "a local file", Media: []post.Media{{URL: "week 1/a.jpg"}}}),
	}
	gs[3].ExternalID = "row-4"
	return gs
}

// What each tool's file says of a plan, and what it does not, is in
// testdata/export. Of what it says all comes back when it is read, and what does
// not is told (P4).
func TestP4_WhatAFileForAToolDoesNotSayIsTold(t *testing.T) {
	t.Parallel()
	for _, tool := range Tools() {
		t.Run(tool, func(t *testing.T) {
			t.Parallel()
			o := exportOptions(t, tool)
			s, err := NewSheet(tool, o)
			if err != nil {
				t.Fatal(err)
			}
			ids := []post.ConnectionID{"instagram-1"}
			if tool == "pinterest" {
				ids = []post.ConnectionID{"pinterest-1"}
			}
			groups := plan(ids...)
			added := map[post.ID]*post.Group{}
			for i := range groups {
				if s.Add(&groups[i]) {
					added[groups[i].ID] = &groups[i]
				}
			}
			if added[groups[15].ID] != nil {
				t.Error("what is published already would be published again")
			}
			var b bytes.Buffer
			n, unsaid, err := s.Encode(t.Context(), &b)
			if err != nil {
				t.Fatal(err)
			}
			said := b.String()
			told := map[string]bool{}
			dropped := map[post.ID]bool{}
			var list strings.Builder
			for _, u := range unsaid {
				fmt.Fprintln(&list, u)
				told[u.Group.String()+u.Field] = true
				if u.Dropped {
					dropped[u.Group] = true
				}
			}
			if n+len(dropped) != len(added) {
				t.Errorf("%d written and %d told, of %d", n, len(dropped), len(added))
			}
			compareGolden(t, filepath.Join("testdata/export", tool+".csv"), said)
			compareGolden(t, filepath.Join("testdata/export", tool+".unsaid"), list.String())

			if len(s.opt.Platforms) > 0 {
				o.Platforms = s.opt.Platforms
			}
			f, err := Open(t.Context(), strings.NewReader(said), int64(len(said)), o)
			if err != nil {
				t.Fatal(err)
			}
			if f.Count() != n {
				t.Errorf("%d rows of %d", f.Count(), n)
			}
			byText := map[string]*post.Draft{}
			err = f.Rows(t.Context(), func(r *Row) error {
				d := r.Draft
				d.Connections, d.Media = slices.Clone(d.Connections), slices.Clone(d.Media)
				byText[fmt.Sprint(d.Text, len(d.Media))] = &d
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			for id, g := range added {
				if dropped[id] {
					continue
				}
				d := byText[fmt.Sprint(g.Text, len(g.Media))]
				for field, same := range map[string]bool{
					"time": d != nil && d.At.Equal(g.ScheduledAt), "title": d != nil && d.Title == g.Title, "link": d != nil && d.Link == g.Link,
					"first comment": d != nil && d.FirstComment == g.FirstComment, "labels": d != nil && slices.Equal(d.Labels, g.Labels),
					"status": d != nil && (d.Status == post.StatusDraft || d.At.IsZero()) == (g.Posts[0].Status == post.StatusDraft),
					"media":  d != nil && len(d.Media) == len(g.Media), "alt text": d != nil && slices.Equal(d.Media, g.Media),
				} {
					if !same && !told[id.String()+field] && !(field == "time" && told[id.String()+"seconds"]) && !(field == "alt text" && told[id.String()+"media"]) {
						// A text of its own for a platform makes it another text.
						if d == nil && len(g.Variants) > 0 || d == nil && len(g.Media) > 0 && told[id.String()+"media"] {
							continue
						}
						t.Errorf("%q: its %s does not come back, and nothing tells", g.Text, field)
					}
				}
			}
		})
	}
}

func compareGolden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestNewSheetSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	o := exportOptions(t, "buffer")
	o.Platforms = nil
	for _, c := range []struct {
		tool, order string
		want        error
	}{
		{"bufer", "", ErrUnknownTool}, {"buffer", "", ErrNoPlace}, {"hootsuite", "", ErrNoOrder}, {"hootsuite", "dmy", ErrNoPlace},
		{"inssist", "mdy", ErrOtherOrder}, {"inssist", "dmy", nil}, {"pinterest", "", nil}, {"metricool", "", nil},
	} {
		o.DateOrder = c.order
		if _, err := NewSheet(c.tool, o); !errors.Is(err, c.want) {
			t.Errorf("%s, %s: got %v, want %v", c.tool, c.order, err, c.want)
		}
	}
}

// A file of no posts is one that says so.
func TestAnEmptySheetHasItsHeader(t *testing.T) {
	t.Parallel()
	s, err := NewSheet("publer", Options{Directory: post.NewDirectory(nil), Platforms: []post.ConnectionID{"x-1"}})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if n, unsaid, err := s.Encode(t.Context(), &b); n != 0 || unsaid != nil || err != nil || !strings.HasPrefix(b.String(), "Date - Intl. format or prompt,Text,") {
		t.Errorf("got %d, %v, %v, %q", n, unsaid, err, b.String())
	}
}

// Posts by which a file without a header row would not be known cost no others.
func TestOddRowsDoNotKeepTheOthersFromBeingWritten(t *testing.T) {
	t.Parallel()
	o := exportOptions(t, "hootsuite")
	s, err := NewSheet("hootsuite", o)
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range []string{"12345", "Words", "https://example.com", "2026"} {
		s.Add(&post.Group{ID: post.ID{11: byte(i)}, Content: post.Content{Text: text}, Posts: []post.Post{{Connection: "instagram-1", Status: post.StatusScheduled, DueAt: berlinNoon}}})
	}
	var b bytes.Buffer
	n, unsaid, err := s.Encode(t.Context(), &b)
	if err != nil || n != 1 || len(unsaid) != 3 || !unsaid[0].Dropped || b.String() != "04/03/2026 12:00,Words,\r\n" {
		t.Errorf("got %d, %v, %v, %q", n, unsaid, err, b.String())
	}
}

// Whatever a post says, in any tool's file, comes back or is told (P4).
func FuzzSheet(f *testing.F) {
	f.Add("Words", "a, b", "https://example.com", uint8(3))
	f.Add("=1+1\n\"x\"", "", "", uint8(9))
	tools := Tools()
	f.Fuzz(func(t *testing.T, text, label, link string, n uint8) {
		tool := tools[int(n)%len(tools)]
		s, err := NewSheet(tool, exportOptions(t, tool))
		if err != nil {
			t.Fatal(err)
		}
		to := post.ConnectionID("instagram-1")
		if tool == "pinterest" {
			to = "pinterest-1"
		}
		for i, text := range []string{"Some words", text, "Other words", "And others"} {
			g := post.Group{ID: post.ID{11: byte(i)}, Content: post.Content{Text: text}, Posts: []post.Post{{Connection: to, Status: post.StatusScheduled, DueAt: berlinNoon}}}
			if i == 1 {
				g.Labels, g.Link = []string{label}, link
			}
			s.Add(&g)
		}
		var b bytes.Buffer
		n1, unsaid, err := s.Encode(t.Context(), &b)
		if err != nil {
			t.Fatalf("%s, %q: %v", tool, text, err)
		}
		dropped := map[post.ID]bool{}
		for _, u := range unsaid {
			if u.Dropped {
				dropped[u.Group] = true
			}
		}
		if n1+len(dropped) != 4 {
			t.Errorf("%s: %d written, %d told", tool, n1, len(dropped))
		}
	})
}
