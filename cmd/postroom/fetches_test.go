package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postroom/postroom/inbox"
	"github.com/postroom/postroom/post"
)

// A slowWeb gives files, each after its time.
type slowWeb struct {
	after map[string]time.Duration

	mu    sync.Mutex
	fails map[string]error
	asked map[string]int
}

func (s *slowWeb) Pin(ctx context.Context, ref string, _ *os.Root) (post.Pin, error) {
	s.mu.Lock()
	if s.asked == nil {
		s.asked = map[string]int{}
	}
	s.asked[ref]++
	s.mu.Unlock()
	select {
	case <-time.After(s.after[ref]):
	case <-ctx.Done():
		return post.Pin{}, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return post.Pin{Hash: post.Digest{1}, Name: "a.jpg", Type: "image/jpeg", Size: 9, Width: 100, Height: 100}, s.fails[ref]
}

// mend has ref come from now on.
func (s *slowWeb) mend(ref string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.fails, ref)
}

func (s *slowWeb) times(ref string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[ref]
}

const oneSandbox = "timezone: UTC\naccounts:\n  acme:\n    connections:\n      - {id: twitter-1, driver: sandbox}\n"

// takeFrom has a taker take a calendar that names ref, and returns how long that
// took.
func takeFrom(t *testing.T, handler *taker, ref string) (inbox.Result, time.Duration) {
	t.Helper()
	path := filepath.Join(handler.room.dir, "inbox", "slow.csv")
	text := "content,platforms,scheduled_time,media_url\nA,twitter-1," + time.Now().AddDate(0, 1, 0).UTC().Format("2006-01") + "-10T09:00:00Z," + ref + "\n"
	if is, err := os.ReadFile(path); err != nil || string(is) != text {
		writeText(t, path, text)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	res, err := handler.Take(t.Context(), inbox.File{Path: path, Rel: "slow.csv", Name: "slow.csv", Size: info.Size(), ModTime: info.ModTime(), Body: f})
	if err != nil {
		t.Fatal(err)
	}
	return res, time.Since(began)
}

// The inbox has one worker: a slow host may hold it up so long and no longer, and
// the file that it gives slowly is fetched once.
func TestASlowHostHoldsUpTheInboxNoLongerThanSaid(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const slow = "https://slow.example/a.jpg"
		web := &slowWeb{after: map[string]time.Duration{slow: 9 * time.Minute}}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		handler := &taker{room: newRoomOf(t, oneSandbox, roomOptions{env: testEnv(), logTo: t.Output()}), fetches: newFetches(ctx, web)}
		res, took := takeFrom(t, handler, slow)
		if res.Disposition != inbox.Retry || took != fetchHold || !strings.Contains(res.Why, "a.jpg is still coming") {
			t.Errorf("after %s it says %+v, want it to be left for later after %s", took, res, fetchHold)
		}
		if res, took = takeFrom(t, handler, slow); res.Disposition != inbox.Retry || took != fetchAgain {
			t.Errorf("again: after %s it says %+v, want it to be left for later after %s", took, res, fetchAgain)
		}
		time.Sleep(9 * time.Minute)
		if res, took = takeFrom(t, handler, slow); res.Disposition != inbox.Archive || took != 0 {
			t.Errorf("once it came: after %s it says %+v", took, res)
		}
		if n := web.times(slow); n != 1 || len(handler.fetches.under) != 0 {
			t.Errorf("it was fetched %d times, and %d files are remembered", n, len(handler.fetches.under))
		}
		handler.fetches.wait()
	})
}

// A host that fails slowly would be asked for ever, each time anew.
func TestAFileThatFailsSlowlyIsNotFetchedForEver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const slow, quick = "https://slow.example/a.jpg", "https://quick.example/b.jpg"
		gone := &post.Failure{Class: post.ClassServer, Sent: post.SentNot, Err: errors.New("the server answered 503")}
		web := &slowWeb{after: map[string]time.Duration{slow: time.Minute}, fails: map[string]error{slow: gone, quick: gone}}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		handler := &taker{room: newRoomOf(t, oneSandbox, roomOptions{env: testEnv(), logTo: t.Output()}), fetches: newFetches(ctx, web)}
		if res, _ := takeFrom(t, handler, slow); res.Disposition != inbox.Retry {
			t.Errorf("at first it says %+v", res)
		}
		time.Sleep(time.Minute)
		if res, _ := takeFrom(t, handler, slow); res.Disposition != inbox.Reject || web.times(slow) != 1 {
			t.Errorf("once it failed it says %+v, and was asked for %d times", res, web.times(slow))
		}
		// What fails at once is tried again, as for calendars that may wait.
		if res, _ := takeFrom(t, handler, quick); res.Disposition != inbox.Reject || web.times(quick) != 3 {
			t.Errorf("of a quick failure it says %+v, and asked %d times, want 3", res, web.times(quick))
		}
		handler.fetches.wait()
	})
}

// A calendar was taken out of the inbox while it waited for its media. When it comes
// again, days later or with other bytes, it is waited for anew: what was found out
// for the one before, a failure even, is not of it.
func TestACalendarThatComesAgainIsWaitedForAnew(t *testing.T) {
	t.Parallel()
	for name, again := range map[string]func(t *testing.T, path string){
		"a week later":     func(*testing.T, string) { time.Sleep(7 * 24 * time.Hour) },
		"with other bytes": func(t *testing.T, path string) { writeText(t, path, "content\n") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const slow = "https://slow.example/a.jpg"
				web := &slowWeb{after: map[string]time.Duration{slow: time.Minute}, fails: map[string]error{slow: &post.Failure{Class: post.ClassServer, Sent: post.SentNot, Err: errors.New("the server answered 503")}}}
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				r := newRoomOf(t, oneSandbox, roomOptions{env: testEnv(), logTo: t.Output()})
				handler := &taker{room: r, fetches: newFetches(ctx, web)}
				if res, _ := takeFrom(t, handler, slow); res.Disposition != inbox.Retry {
					t.Errorf("at first it says %+v", res)
				}
				time.Sleep(time.Minute) // the fetch fails, and nobody asks for it
				again(t, filepath.Join(r.dir, "inbox", "slow.csv"))
				web.mend(slow)
				since := time.Now()
				if res, took := takeFrom(t, handler, slow); res.Disposition != inbox.Retry || took != fetchHold || web.times(slow) != 2 {
					t.Errorf("when it comes again: after %s it says %+v, and asked %d times", took, res, web.times(slow))
				}
				if w := handler.waits[filepath.Join(r.dir, "inbox", "slow.csv")]; !w.since.Equal(since) {
					t.Errorf("it waits since %s, want %s", w.since, since)
				}
				time.Sleep(time.Minute)
				if res, _ := takeFrom(t, handler, slow); res.Disposition != inbox.Archive {
					t.Errorf("once it came it says %+v", res)
				}
				if len(handler.waits) != 0 || len(handler.fetches.under) != 0 {
					t.Errorf("remembered are %v and %v", handler.waits, handler.fetches.under)
				}
				handler.fetches.wait()
			})
		})
	}
}
