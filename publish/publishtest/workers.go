package publishtest

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postroom/postroom/post"
)

// workers is how many posts go out at the same time.
const workers = 8

// crew is how many of them take part: half in short tests, as each looks at all.
func crew() int {
	if testing.Short() {
		return workers / 2
	}
	return workers
}

func picture(n int) string { return fmt.Sprintf("%d.png", n) }

// Pictures returns a folder with a picture for each worker.
func Pictures(t *testing.T) string {
	dir := t.TempDir()
	for i := range workers {
		var b bytes.Buffer
		if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, narrowest+i, 10))); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, picture(i)), b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// PictureIn returns the name of one of them by its content; "" for anything else.
func PictureIn(content []byte) string {
	c, err := png.DecodeConfig(bytes.NewReader(content))
	if err != nil {
		return ""
	}
	return picture(c.Width - narrowest)
}

// narrowest is the width of the first picture in pixels; each is wider by one.
const narrowest = 10

// crowd returns a post for each worker, no two of which share a word. Every second
// one belongs to another connection that posts with the same credentials. Half of
// them carry a picture of their own, where that can be looked at.
func crowd(t *testing.T, s *Suite, u *Subject) []*call {
	again := *u
	again.Publisher = u.Again()
	calls := make([]*call, crew())
	for i := range calls {
		of := u
		if i%2 == 1 {
			of = &again
		}
		n := 1
		if s.Threads && i%4 < 2 {
			n = 100
		}
		c := newCall(t, of, wordsOf(fmt.Sprintf("worker%dword", i), n))
		c.d.Post.Group = post.MakeID(time.Now(), machine, uint32(1000+2*i))
		c.d.Post.ID = c.d.Post.Group.Add(1)
		if i%4 > 1 {
			c.illustrate(i)
		}
		calls[i] = c
	}
	return calls
}

// illustrate adds the n-th picture, where such can be looked at.
func (c *call) illustrate(n int) {
	if c.u.Pictured != nil {
		c.d.Content.Media = append(c.d.Content.Media, post.Media{URL: picture(n), Alt: picture(n)})
	}
}

// together has all of the crowd published at once, each by a worker of its own, and
// returns what came of each.
func together(t *testing.T, calls []*call) ([]post.Receipt, []error) {
	receipts, errs := make([]post.Receipt, len(calls)), make([]error, len(calls))
	var all sync.WaitGroup
	for i, c := range calls {
		c.d.Post.Attempts++
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			receipts[i], errs[i] = c.u.Publisher.Publish(ctx, c.d, c.save)
		})
	}
	all.Wait()
	synctest.Wait()
	return receipts, errs
}

// testWorkers: the dispatcher sends on many connections at a time, and some of them
// share credentials, while preflight and people ask the same publishers how they
// are and what is live.
func testWorkers(t *testing.T, s *Suite, u *Subject) {
	calls := crowd(t, s, u)
	var others sync.WaitGroup
	for _, c := range calls[:2] {
		others.Go(func() {
			if _, err := c.u.Publisher.Check(t.Context()); err != nil {
				t.Errorf("checked while others publish: %v", err)
			}
		})
		others.Go(func() {
			never := newCall(t, c.u, "never sent")
			if live, _ := never.lookup(); live {
				t.Error("found a post that was never sent, while others are published")
			}
		})
	}
	receipts, errs := together(t, calls)
	others.Wait()
	ids := map[string]bool{}
	for i, c := range calls {
		if errs[i] != nil {
			t.Fatalf("post %d: %v", i, errs[i])
		}
		for _, id := range append(remoteIDs(&c.d.Post), receipts[i].RemoteID) {
			if ids[id] && !slices.Contains(remoteIDs(&c.d.Post), id) || id == "" {
				t.Errorf("post %d has the remote id %q, which is another's or none", i, id)
			}
			ids[id] = true
		}
	}
	wantEachOnce(t, u, calls)
	wantOwnPictures(t, u, calls)
}

// testWorkersMeet: of many calls at the same time one meets a fault. That is the
// affair of its post alone.
func testWorkersMeet(t *testing.T, s *Suite, u *Subject, fault Fault) {
	calls := crowd(t, s, u)
	u.Arrange(fault)
	_, errs := together(t, calls)
	u.Arrange(None)
	var live []*call
	for i, c := range calls {
		if errs[i] == nil || c.settle(c.failure(errs[i])) {
			live = append(live, c)
			continue
		}
		for _, text := range u.Live() {
			if n := count(u.Live(), text); n > 1 {
				t.Errorf("%q is live %d times", text, n)
			}
		}
	}
	if len(live) == 0 {
		t.Error("one fault stopped them all")
	}
	wantEachOnce(t, u, live)
	wantOwnPictures(t, u, live)
}

func remoteIDs(p *post.Post) (ids []string) {
	for _, part := range p.Parts {
		ids = append(ids, part.RemoteID)
	}
	return ids
}

func count(all []string, one string) (n int) {
	for _, s := range all {
		if s == one {
			n++
		}
	}
	return n
}

// wantEachOnce checks that every post is live once, whole and in its order.
func wantEachOnce(t *testing.T, u *Subject, calls []*call) {
	t.Helper()
	all := u.Live()
	for i, c := range calls {
		texts := []string{c.d.Content.Text}
		if len(c.d.Post.Parts) > 0 {
			texts = nil
			for _, part := range c.d.Post.Parts {
				texts = append(texts, part.Text)
			}
		}
		last := -1
		for _, text := range texts {
			at := slices.Index(all, text)
			if n := count(all, text); n != 1 || at < last {
				t.Errorf("post %d: %q is live %d times, at place %d after %d: want once, and in order", i, post.Shorten(text), n, at, last)
			}
			last = at
		}
	}
}

// wantOwnPictures checks that each post shows its own picture, and no other's.
func wantOwnPictures(t *testing.T, u *Subject, calls []*call) {
	t.Helper()
	if u.Pictured == nil {
		return
	}
	for i, c := range calls {
		var want []string
		for _, m := range c.d.Content.Media {
			want = append(want, m.URL)
		}
		text := c.d.Content.Text
		if len(c.d.Post.Parts) > 0 {
			text = c.d.Post.Parts[0].Text
		}
		if got := u.Pictured(text); !slices.Equal(got, want) {
			t.Errorf("post %d shows the pictures %q, want %q", i, got, want)
		}
	}
}

// testFencedAt has a checkpoint refused, because another worker holds the lease by
// now, and reports whether there was such a one. From then on that worker makes
// nothing live, and the other finishes what it began.
func testFencedAt(t *testing.T, s *Suite, u *Subject, at int) (met bool) {
	text := "a worker whose lease is over"
	if s.Threads {
		text = threadText()
	}
	c := newCall(t, u, text)
	c.illustrate(0)
	c.d.Post.Attempts, c.failAt = 1, at
	_, err := u.Publisher.Publish(t.Context(), c.d, c.save)
	synctest.Wait()
	if met = c.refused; !met {
		return false
	}
	if err == nil {
		t.Errorf("checkpoint %d was refused, and the post is published all the same", at)
	} else {
		c.failure(err)
	}
	if n := len(u.Live()); n != c.liveThen {
		t.Errorf("%d are live, and %d were when checkpoint %d was refused", n, c.liveThen, at)
	}
	c.failAt, c.refused = 0, false
	if live := c.takeUp(); live || len(u.Live()) > 0 {
		c.wantLive(max(1, len(c.d.Post.Parts)))
	}
	return true
}
