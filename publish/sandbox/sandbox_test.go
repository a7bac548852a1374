package sandbox

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
	"github.com/postroom/postroom/publish/publishtest"
)

var (
	_ publish.Publisher = (*Publisher)(nil)
	_ publish.Looker    = (*Publisher)(nil)
)

// records reads an outbox, oldest first, parts of a thread in order.
func records(t *testing.T, dir string) []Record {
	t.Helper()
	var all []Record
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".json" {
			return err
		}
		body, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var r Record
		if err := json.Unmarshal(body, &r); err != nil {
			return err
		}
		if _, err := os.Stat(strings.TrimSuffix(path, ".json") + ".txt"); err != nil {
			t.Errorf("no page for people: %v", err)
		}
		all = append(all, r)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortStableFunc(all, func(a, b Record) int {
		if c := a.PublishedAt.Compare(b.PublishedAt); c != 0 {
			return c
		}
		return a.Part - b.Part
	})
	return all
}

func texts(records []Record) []string {
	var out []string
	for _, r := range records {
		out = append(out, r.Text)
	}
	return out
}

func open(t *testing.T, c Config) *Publisher {
	t.Helper()
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestSuite(t *testing.T) {
	t.Parallel()
	can := map[publishtest.Fault]Switch{
		publishtest.None: "", publishtest.Refuse: Fail, publishtest.Throttle: Throttle, publishtest.Lost: Lost, publishtest.Slow: Slow,
	}
	var cannot []publishtest.Fault
	for _, f := range publishtest.Faults() {
		if _, ok := can[f]; !ok {
			cannot = append(cannot, f)
		}
	}
	publishtest.Run(t, publishtest.Suite{
		New: func(t *testing.T) *publishtest.Subject {
			dir := t.TempDir()
			config := Config{Connection: "twitter-1", Dir: dir, Wait: publishtest.ThrottleWait, Delay: publishtest.SlowFor}
			p := open(t, config)
			return &publishtest.Subject{
				Again:     func() publishtest.Publisher { return open(t, config) },
				Publisher: p, Connection: "twitter-1",
				Arrange: func(f publishtest.Fault) { p.config.Switch = can[f] },
				Live:    func() []string { return texts(records(t, dir)) },
			}
		},
		Cannot: cannot, Knows: true, Threads: true,
	})
}

func delivery(connection post.ConnectionID, text string) post.Delivery {
	at := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	id := post.MakeID(at, [5]byte{1}, 1)
	return post.Delivery{
		Content: post.Content{Text: text, Title: "A title", Media: []post.Media{{URL: "https://example.org/a.png", Alt: "a picture"}}},
		Post:    post.Post{ID: id, Group: id, Account: "acme", Connection: connection, SlotAt: at, BegunAt: at},
	}
}

func noSave([]post.Part, []byte) error { return nil }

func TestFilesStandInTheConnectionsFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := open(t, Config{Connection: "bluesky-did:plc:abc", Dir: dir})
	d := delivery("bluesky-did:plc:abc", "Hello")
	r, err := p.Publish(t.Context(), d, noSave)
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(dir, "acme", "bluesky-did%3Aplc%3Aabc", d.Post.Key()+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\nHello\n", "A title", "https://example.org/a.png", "a picture"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("page lacks %q:\n%s", want, page)
		}
	}
	if !strings.HasPrefix(r.URL, "file:///") || !strings.HasSuffix(r.URL, ".txt") {
		t.Errorf("URL %q: want that of the page", r.URL)
	}
}

func TestNamesNeverLeaveTheOutbox(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{
		"acme": "acme", "..": "%2E.", "a/b": "a%2Fb", `a\b`: "a%5Cb", ".hidden": "%2Ehidden", "did:plc": "did%3Aplc", "100%": "100%25",
	} {
		if got := folderName(id); got != want {
			t.Errorf("folder of %q is %q, want %q", id, got, want)
		}
	}
	dir := t.TempDir()
	p := open(t, Config{Connection: "twitter-1", Dir: filepath.Join(dir, "outbox")})
	d := delivery("twitter-1", "x")
	d.Post.Account = "../../etc"
	if _, err := p.Publish(t.Context(), d, noSave); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("beside the outbox: %v, %v", entries, err)
	}
}

func TestPlatformsLimitsApply(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("long words ", 50)
	for connection, want := range map[post.ConnectionID]int{"twitter-1": 3, "mastodon-1": 0, "linkedin-1": 1} {
		dir := t.TempDir()
		p := open(t, Config{Connection: connection, Dir: dir})
		_, err := p.Publish(t.Context(), delivery(connection, long), noSave)
		if got := records(t, dir); len(got) != want || (err == nil) != (want > 0) {
			t.Errorf("%s: %d files and %v, want %d", connection, len(got), err, want)
		}
	}
}

func TestSwitchesInTheText(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		sent  post.Sent
		class post.Class
		live  int
	}{
		"a [[fail]]":     {post.Refused, post.ClassInvalid, 0},
		"a [[throttle]]": {post.Refused, post.ClassRate, 0},
		"a [[lost]]":     {post.SentMaybe, post.ClassNetwork, 1},
	}
	for text, tt := range tests {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			p := open(t, Config{Connection: "mastodon-1", Dir: dir})
			d := delivery("mastodon-1", text)
			_, err := p.Publish(t.Context(), d, func(_ []post.Part, state []byte) error {
				d.Post.State = state
				return nil
			})
			f, ok := err.(*post.Failure)
			if !ok || f.Sent != tt.sent || f.Class != tt.class {
				t.Errorf("failure %+v, want %+v", err, tt)
			}
			if got := records(t, dir); len(got) != tt.live {
				t.Errorf("%d files, want %d", len(got), tt.live)
			}
			if tt.class == post.ClassRate {
				if _, err := p.Publish(t.Context(), d, noSave); err != nil {
					t.Errorf("the second attempt: %v", err)
				}
			}
		})
	}
}

func TestPageIsMadeUpForAfterACrash(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := open(t, Config{Connection: "mastodon-1", Dir: dir})
	d := delivery("mastodon-1", "Hello")
	for range 2 {
		if _, err := p.Publish(t.Context(), d, noSave); err != nil {
			t.Fatal(err)
		}
		page := filepath.Join(dir, "acme", "mastodon-1", d.Post.Key()+".txt")
		if err := os.Remove(page); err != nil {
			t.Fatalf("no page: %v", err)
		}
	}
}

func TestUnknownSwitchIsAConfigProblem(t *testing.T) {
	t.Parallel()
	if _, err := New(Config{Connection: "twitter-1", Dir: t.TempDir(), Switch: "explode"}); err == nil || !strings.Contains(err.Error(), "want one of") {
		t.Errorf("error %v: want one that lists the switches", err)
	}
}
