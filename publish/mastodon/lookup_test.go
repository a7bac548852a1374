package mastodon_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
	"github.com/postroom/postroom/publish/mastodon/mastodontest"
	"github.com/postroom/postroom/publish/publishtest"
)

var nextID atomic.Uint32

// delivery returns a post whose intent was recorded at the instant.
func delivery(text string, at time.Time) post.Delivery {
	id := post.MakeID(at, [5]byte{1}, nextID.Add(256))
	return post.Delivery{
		Content: post.Content{Text: text},
		Post:    post.Post{ID: id, Group: id, Account: "acme", Connection: connection, SlotAt: at, BegunAt: at},
	}
}

func noSave([]post.Part, []byte) error { return nil }

func lookup(t *testing.T, u *publishtest.Subject, d post.Delivery) post.Found {
	t.Helper()
	found, err := u.Publisher.(publish.Looker).Lookup(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestP2_LookupKnowsATextAgain(t *testing.T) {
	texts := []string{
		"plain", "two\nlines", "two\n\nparagraphs  with   spaces\n", "5 < 6 & 7 > 6 \"quoted\" 'and' <b>tags</b>",
		"see https://example.com/a?b=1&c=2#d.", "cc @bob@there.example and @ann", "#spring is here, it's #1", "👨‍👩‍👧‍👦 familie ü e\u0301",
		"**bold** and _it_", "a &amp; b", "日本語。",
	}
	for _, text := range texts {
		t.Run(text, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &mastodontest.Server{Forgetful: true, NoSource: true}
				u := subject(t, server)
				d := delivery(text, time.Now())
				server.Next(publishtest.Lost)
				if _, err := u.Publisher.Publish(t.Context(), d, noSave); err == nil {
					t.Fatal("no failure")
				}
				time.Sleep(time.Hour) // in a bubble
				// Another process, which has no memory of the first.
				found := lookup(t, subject(t, server), d)
				if e := server.Ledger()[0]; found.State != post.Present || found.Receipt.RemoteID != e.ID || !found.Receipt.PublishedAt.Equal(e.At) || found.Receipt.URL == "" {
					t.Errorf("found %+v", found)
				}
			})
		})
	}
}

func TestP2_LookupFindsOnlyThePostItself(t *testing.T) {
	tests := map[string]struct {
		setUp    func(t *testing.T, s *mastodontest.Server, u *publishtest.Subject)
		noSource bool
		media    int
		want     post.FoundState
	}{
		"nothing there":         {want: post.Absent},
		"other words":           {setUp: func(_ *testing.T, s *mastodontest.Server, _ *publishtest.Subject) { s.Write("other words") }, want: post.Absent},
		"its words by a person": {setUp: func(_ *testing.T, s *mastodontest.Server, _ *publishtest.Subject) { s.Write("the words") }, want: post.Present},
		"its words long before": {setUp: func(_ *testing.T, s *mastodontest.Server, _ *publishtest.Subject) {
			s.Write("the words")
			time.Sleep(3 * time.Minute)
		}, want: post.Absent},
		"its words in another post of ours": {setUp: func(t *testing.T, s *mastodontest.Server, u *publishtest.Subject) {
			if _, err := u.Publisher.Publish(t.Context(), delivery("the words", time.Now()), noSave); err != nil {
				t.Fatal(err)
			}
		}, want: post.Absent},
		"its words without its media": {setUp: func(_ *testing.T, s *mastodontest.Server, _ *publishtest.Subject) { s.Write("the words") }, media: 1, want: post.Absent},
		"other words that cannot be read": {
			setUp:    func(_ *testing.T, s *mastodontest.Server, _ *publishtest.Subject) { s.Write("other words") },
			noSource: true, want: post.Undecidable,
		},
		"behind pages of other words": {setUp: func(_ *testing.T, s *mastodontest.Server, _ *publishtest.Subject) {
			s.Write("the words")
			for range 100 {
				s.Write("other words")
			}
		}, want: post.Present},
		"more than is searched": {setUp: func(_ *testing.T, s *mastodontest.Server, _ *publishtest.Subject) {
			for range 300 {
				s.Write("other words")
			}
		}, want: post.Undecidable},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &mastodontest.Server{NoSource: tt.noSource}
				u := subject(t, server)
				if tt.setUp != nil {
					tt.setUp(t, server, u)
				}
				d := delivery("the words", time.Now())
				for range tt.media {
					d.Content.Media = append(d.Content.Media, post.Media{URL: "a.png"})
				}
				if found := lookup(t, u, d); found.State != tt.want {
					t.Errorf("found %+v, want state %v", found, tt.want)
				}
			})
		})
	}
}

func TestP2_LookupGoesByTheServersClock(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"behind": -time.Hour, "ahead": time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &mastodontest.Server{Now: func() time.Time { return time.Now().Add(ahead) }}
				u := subject(t, server)
				server.Write("the words")
				if found := lookup(t, u, delivery("the words", time.Now())); found.State != post.Present {
					t.Errorf("found %+v", found)
				}
				time.Sleep(10 * time.Minute)
				if found := lookup(t, subject(t, server), delivery("the words", time.Now())); found.State != post.Absent {
					t.Errorf("ten minutes later: found %+v", found)
				}
			})
		})
	}
}

func TestLookupThatIsRefusedDecidesNothing(t *testing.T) {
	t.Parallel()
	server := mastodontest.New()
	u := subject(t, server)
	server.Token = "another"
	_, err := u.Publisher.(publish.Looker).Lookup(t.Context(), delivery("x", time.Now()))
	if f, ok := err.(*post.Failure); !ok || f.Class != post.ClassAuth || strings.Contains(f.Error(), publishtest.Canary) {
		t.Errorf("error %v", err)
	}
}

func FuzzP2_LookupFindsWhateverWasSaid(f *testing.F) {
	for _, text := range []string{"x", "a <b> & c", "@a@b.example #c https://d.example/?e&f", "&lt;p&gt;", "two\n\nlines", "\u0301", "<", "@@@", "&#x41;"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) || strings.TrimSpace(text) == "" || len(text) > 400 {
			t.Skip()
		}
		server := &mastodontest.Server{Forgetful: true}
		u := subject(t, server)
		d := delivery(text, time.Now())
		server.Next(publishtest.Lost)
		if _, err := u.Publisher.Publish(t.Context(), d, noSave); err == nil {
			t.Fatal("no failure")
		}
		if found := lookup(t, subject(t, server), d); len(server.Ledger()) > 0 && found.State != post.Present {
			t.Fatalf("found %+v of %q", found, text)
		}
	})
}
