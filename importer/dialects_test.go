package importer

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/postroom/postroom/post"
)

// mastodonA and mastodonB are two connections of one platform.
const (
	mastodonA post.ConnectionID = "mastodon-acme"
	mastodonB post.ConnectionID = "mastodon-news"
)

// dialectOptions are the options of a file in testdata/dialects. Those of tools
// that have no column for it get the folder's default.
func dialectOptions(t testing.TB, name string) Options {
	o := testOptions(t, name)
	o.Directory = post.NewDirectory([]post.ConnectionID{"twitter-1", "linkedin-1", "facebook-1", "instagram-1", "pinterest-1", "tiktok-1", "youtube-1", "threads-1", "bluesky-1", mastodonA, mastodonB})
	o.Profiles = Profiles{"acme fediverse news": {mastodonB}, "123456": {"linkedin-1"}, "a1b2": {mastodonA, "instagram-1"}}
	tool, _, _ := strings.Cut(strings.TrimSuffix(name, ".csv"), "-")
	if slices.Contains([]string{"publer", "hootsuite", "buffer", "sprout", "gohighlevel", "vistasocial", "socialbee", "feedhive", "magicsync", "postcron", "friendsplusme", "google"}, tool) {
		o.Platforms = []post.ConnectionID{"instagram-1"}
	}
	return o
}

func dialectFiles(t testing.TB) map[string][]byte {
	t.Helper()
	names, err := filepath.Glob("testdata/dialects/*.csv")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(name)] = data
	}
	return files
}

// Each file in testdata/dialects is one that a tool's users have, with the traps
// of its kind; NAME.want is what must come of it. A file is called as the tool.
func TestDialects(t *testing.T) {
	t.Parallel()
	files := dialectFiles(t)
	for name, data := range files {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := dialectOptions(t, name)
			f, err := Open(t.Context(), bytes.NewReader(data), int64(len(data)), o)
			if err != nil {
				t.Fatal(err)
			}
			if f.form == nil || !strings.HasPrefix(name, f.form.tool) {
				t.Errorf("read as a file for %q", f.Dialect().Tool)
			}
			checkFile(t, o, data)
			got := read(t, o, data)
			golden := filepath.Join("testdata/dialects", name+".want")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// Every form has a file of its own.
func TestEveryFormIsTried(t *testing.T) {
	t.Parallel()
	left := map[string]bool{}
	for i := range forms {
		left[forms[i].template()] = true
	}
	for name, data := range dialectFiles(t) {
		if f, err := Open(t.Context(), bytes.NewReader(data), int64(len(data)), dialectOptions(t, name)); err == nil && f.form != nil {
			delete(left, f.form.template())
		}
	}
	for _, name := range slices.Sorted(maps.Keys(left)) {
		t.Errorf("no file in testdata/dialects is for %s", name)
	}
}

// What a form is recognised by are columns that it has.
func TestMarksAreColumns(t *testing.T) {
	t.Parallel()
	for i := range knownForms {
		f := &knownForms[i]
		for _, mark := range f.marks {
			for _, key := range mark {
				if _, ok := f.keys[key]; !ok {
					t.Errorf("%s has no column %s", f.template(), key)
				}
			}
		}
		if len(f.marks) == 0 && len(f.shape) != len(f.columns) {
			t.Errorf("%s has %d columns and %d shapes", f.template(), len(f.columns), len(f.shape))
		}
	}
}

// Of several connections on a platform those are meant to which the folder's posts
// go anyway.
func TestTheFolderDecidesWhichOfSeveralConnections(t *testing.T) {
	t.Parallel()
	o := testOptions(t, "a.csv") // has two on Bluesky
	text := []byte("content,platforms\nHello,bluesky\n")
	if got := read(t, o, text); !strings.Contains(got, "want one of bluesky-a, bluesky-b") {
		t.Errorf("got\n%s", got)
	}
	o.Platforms = []post.ConnectionID{"mastodon-acme", "bluesky-b"}
	if got := read(t, o, text); !strings.Contains(got, `[bluesky-b] "Hello"`) {
		t.Errorf("got\n%s", got)
	}
}

// What the account or the folder says of day and month goes before what a tool
// usually writes.
func TestDateOrderGoesBeforeTheTools(t *testing.T) {
	t.Parallel()
	o := dialectOptions(t, "gohighlevel.csv")
	text := []byte("postAtSpecificTime,content,imageUrls\n3/4/2026 9:05,Hello,\n")
	if got := read(t, o, text); !strings.Contains(got, "2026-03-04T08:05:00Z") || !strings.Contains(got, "the month comes first") {
		t.Errorf("got\n%s", got)
	}
	o.DateOrder = "dmy"
	if got := read(t, o, text); !strings.Contains(got, "2026-04-03T07:05:00Z") || strings.Contains(got, "comes first") {
		t.Errorf("got\n%s", got)
	}
}

func FuzzDialects(f *testing.F) {
	for name, data := range dialectFiles(f) {
		if strings.HasSuffix(name, ".csv") {
			f.Add(data)
		}
	}
	o := dialectOptions(f, "publer.csv")
	f.Fuzz(func(t *testing.T, data []byte) { checkFile(t, o, data) })
}

// A meeting is none where it says itself that it is to be posted.
func TestAnEventWithGuestsSaysThatItIsAPost(t *testing.T) {
	t.Parallel()
	o := dialectOptions(t, "outlook.csv")
	head := "Subject,Start Date,Start Time,Required Attendees,Categories,Show time as\n"
	if got := read(t, o, []byte(head+"Launch,3/25/2026,9:00 AM,Bob,Twitter,2\n")); !strings.Contains(got, `[twitter-1] "Launch"`) {
		t.Errorf("got\n%s", got)
	}
	o.Platforms = []post.ConnectionID{"twitter-1"}
	if got := read(t, o, []byte(head+"Launch,3/25/2026,9:00 AM,Bob,spring,2\n")); !strings.Contains(got, "looks like a meeting") {
		t.Errorf("got\n%s", got)
	}
}

// A row that looks like the header of another tool's file is a row, below a header.
func TestOnlyTheFirstHeaderCounts(t *testing.T) {
	t.Parallel()
	got := read(t, testOptions(t, "a.csv"), []byte("content,platforms,scheduled_time,media_url\nText,Image URL,Tags,Posting Time\nHello,x,2026-03-01T09:00,\n"))
	if !strings.Contains(got, `2 line 3: 2026-03-01T08:00:00Z [twitter-123456] "Hello"`) {
		t.Errorf("got\n%s", got)
	}
}
