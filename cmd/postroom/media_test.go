package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/inbox"
	"github.com/postroom/postroom/intake"
	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
)

// pictureIn writes a picture of w × 10 pixels, as old as age.
func pictureIn(t *testing.T, name string, w int, age time.Duration) {
	t.Helper()
	if err := writePicture(name, w, 10); err != nil {
		t.Fatal(err)
	}
	at := time.Now().Add(-age)
	if err := os.Chtimes(name, at, at); err != nil {
		t.Fatal(err)
	}
}

func TestP5ACalendarWaitsForItsPictures(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	dir := t.TempDir()
	pictureIn(t, filepath.Join(dir, "still.png"), 10, time.Hour)
	pictureIn(t, filepath.Join(dir, "fresh.png"), 10, 0)
	now := time.Now()
	for _, c := range []struct {
		rule, ref string
		waited    time.Duration
		want      error // nil: taken; fs.ErrNotExist: refused for good
	}{
		{"a file that is still", "still.png", 0, nil},
		{"a file that was written just now", "fresh.png", 0, intake.ErrSettling},
		{"a file that is written all the time", "fresh.png", writtenFor, nil},
		{"a file that is not there", "gone.png", 0, intake.ErrSettling},
		{"a file that does not come", "gone.png", missingFor, fs.ErrNotExist},
	} {
		p := &pinner{media: r.media, dir: dir, settle: 5 * time.Second, since: now.Add(-c.waited), now: func() time.Time { return now }}
		_, err := p.Pin(t.Context(), c.ref)
		if final := c.want == fs.ErrNotExist; final && (err == nil || errors.Is(err, intake.ErrSettling)) || !final && !errors.Is(err, c.want) {
			t.Errorf("%s: got %v", c.rule, err)
		}
	}
	p := &pinner{media: r.media, dir: dir, now: time.Now}
	if _, err := p.Pin(t.Context(), "fresh.png"); err != nil {
		t.Errorf("named on the command line: %v", err)
	}
}

func TestTheInboxLeavesPicturesAndKeepsTheirCalendarBack(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	box := filepath.Join(r.dir, "inbox")
	calendarFile(t, filepath.Join(box, "a.csv"), 1)
	pictureIn(t, filepath.Join(box, "a.png"), 10, time.Hour)
	at := time.Now().AddDate(0, 2, 0).UTC().Format(time.RFC3339)
	writeText(t, filepath.Join(box, "b.csv"), "content,platforms,scheduled_time,media_url\nB,twitter-1,"+at+",later.png\n")
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(filepath.Join(box, "b.csv"), old, old); err != nil {
		t.Fatal(err)
	}
	in := inbox.New(r.inboxConfig(), &taker{room: r}, r.log)
	if err := in.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(box, "a.png")); err != nil {
		t.Errorf("the picture: %v", err)
	}
	waits := in.Pending()
	if len(waits) != 1 || waits[0].Path != "b.csv" || !strings.Contains(waits[0].Why, "later.png is not there yet") {
		t.Errorf("what waits: %+v", waits)
	}
	if n := len(r.groups(t, post.Filter{})); n != 1 {
		t.Errorf("%d posts, want that of a.csv", n)
	}
}

func TestLinksToMediaAreServed(t *testing.T) {
	t.Parallel()
	const config = "timezone: UTC\npublic_url: https://post.example.com/\naccounts:\n  acme:\n    connections:\n      - {id: twitter-1, driver: sandbox}\n"
	r := newRoomOf(t, config, roomOptions{env: testEnv(), logTo: t.Output()})
	pictureIn(t, filepath.Join(r.dir, "media", "a.png"), 10, 0)
	link, err := r.media.Link(t.Context(), post.Media{URL: "a.png"}, &limits.MediaLimit{})
	if err != nil {
		t.Fatal(err)
	}
	path, ok := strings.CutPrefix(link, "https://post.example.com")
	if !ok {
		t.Fatalf("link %q", link)
	}
	key, err := os.ReadFile(filepath.Join(r.dir, "data", linkKeyName))
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(r.dir, "data", linkKeyName)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("P8: the key's file: %v, %v", info.Mode(), err)
	}
	srv := httptest.NewServer(newDaemon(r).handler())
	defer srv.Close()
	get := func() (int, []byte) {
		t.Helper()
		resp, err := http.Get(srv.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, b
	}
	want, err := os.ReadFile(filepath.Join(r.dir, "media", "a.png"))
	if err != nil {
		t.Fatal(err)
	}
	if code, b := get(); code != http.StatusOK || !bytes.Equal(b, want) {
		t.Errorf("%d with %d bytes", code, len(b))
	}
	if strings.Contains(link, string(key)) {
		t.Error("P8: the link tells the key")
	}
	// Without public_url none opens, and with it again the same do.
	writeText(t, filepath.Join(r.dir, configName), strings.Replace(config, "public_url", "#public_url", 1))
	if err := r.reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if code, _ := get(); code != http.StatusNotFound {
		t.Errorf("without public_url: %d", code)
	}
	writeText(t, filepath.Join(r.dir, configName), config)
	if err := r.reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if code, _ := get(); code != http.StatusOK {
		t.Errorf("with public_url again: %d", code)
	}
}

func TestMediaIsSweptOnceNoPostUsesIt(t *testing.T) {
	t.Parallel()
	var ahead time.Duration
	now := func() time.Time { return time.Now().Add(ahead) }
	r := newRoomOf(t, "timezone: UTC\naccounts:\n  acme:\n    connections:\n      - {id: twitter-1, driver: sandbox}\n", roomOptions{env: testEnv(), logTo: t.Output(), now: now})
	pictureIn(t, filepath.Join(r.dir, "media", "used.png"), 10, 0)
	pictureIn(t, filepath.Join(r.dir, "media", "loose.png"), 20, 0)
	name := filepath.Join(r.dir, "inbox", "a.csv")
	writeText(t, name, "content,platforms,scheduled_time,media_url\nA,twitter-1,"+time.Now().AddDate(0, 2, 0).UTC().Format(time.RFC3339)+",used.png\n")
	f, err := r.named("", name)
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.importFile(t.Context(), f)
	if err = errors.Join(err, f.file.Close()); err != nil {
		t.Fatal(err)
	}
	used := r.groups(t, post.Filter{})[0]
	loose, err := r.media.Pin(t.Context(), "loose.png", nil)
	if err != nil {
		t.Fatal(err)
	}
	there := func(p post.Pin) bool {
		f, err := r.media.Shelf().Open(&p)
		if err == nil {
			err = f.Close()
		}
		return err == nil
	}
	sweep := func() {
		t.Helper()
		if err := r.sweepMedia(context.WithoutCancel(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	if sweep(); !there(loose) {
		t.Error("what was taken just now is gone, and its post may be stored any moment")
	}
	ahead = 48 * time.Hour
	if sweep(); there(loose) || !there(used.Media[0].Pin) {
		t.Errorf("two days later: loose %v, used %v", there(loose), there(used.Media[0].Pin))
	}
	if _, err := r.store.Cancel(t.Context(), used.ID, "test"); err != nil {
		t.Fatal(err)
	}
	if sweep(); !there(used.Media[0].Pin) {
		t.Error("gone as soon as its post was cancelled")
	}
	ahead += keepMedia + time.Hour
	if sweep(); there(used.Media[0].Pin) {
		t.Error("still there a month after its post was cancelled")
	}
}

// What was uploaded to a post is kept until the post is over, however old it is, and
// so is the promise of what is still to come.
func TestUploadsAreKeptAsLongAsTheirPostMayGoOut(t *testing.T) {
	t.Parallel()
	var ahead time.Duration
	r := newRoomOf(t, oneSandbox, roomOptions{env: testEnv(), logTo: t.Output(), now: func() time.Time { return time.Now().Add(ahead) }})
	g := post.Group{Account: "acme", Content: post.Content{Text: "a draft"}, Posts: []post.Post{{Connection: "twitter-1", Status: post.StatusDraft}}}
	if err := r.store.Create(t.Context(), &g, nil, "test"); err != nil {
		t.Fatal(err)
	}
	var places []post.ID
	for range 2 {
		places = append(places, r.store.NewID())
		m := post.Media{URL: "https://post.example.com/images/a.png", Upload: post.Upload{ID: places[len(places)-1], Until: r.now().Add(time.Hour)}}
		if _, err := r.store.AddUpload(t.Context(), g.ID, m, 4); err != nil {
			t.Fatal(err)
		}
	}
	name := filepath.Join(t.TempDir(), "a.png")
	pictureIn(t, name, 10, 0)
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	pin, err := r.media.Shelf().Put(t.Context(), f, "a.png", 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.store.FillUpload(t.Context(), places[0], pin); err != nil {
		t.Fatal(err)
	}
	ahead = keepMedia * 3
	if err := r.sweepMedia(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.media.Shelf().Whole(t.Context(), &pin); err != nil {
		t.Errorf("three months later: %v", err)
	}
	if _, m, err := r.store.Upload(t.Context(), places[1]); err != nil || !m.Pending() {
		t.Errorf("what is still to come is %+v, %v", m, err)
	}
}
