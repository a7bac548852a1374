package twitter_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
	"github.com/postroom/postroom/publish/publishtest"
	"github.com/postroom/postroom/publish/twitter"
	"github.com/postroom/postroom/publish/twitter/twittertest"
)

// withMedia gives a connection a folder with a small picture and a video of more
// than one chunk.
func withMedia(t *testing.T) func(*twitter.Config) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string][]byte{
		"a.png":     []byte("\x89PNG\r\n\x1a\nrest"),
		"movie.mp4": append([]byte("\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom"), bytes.Repeat([]byte("film"), 5<<18)...),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	room, err := publish.NewMediaRoom(dir, publish.Guard{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return func(c *twitter.Config) { c.Media = room }
}

func delivery(text string, media ...post.Media) *post.Delivery {
	now := time.Now().UTC()
	id := post.MakeID(now, [5]byte{1}, 1)
	return &post.Delivery{
		Post:    post.Post{ID: id.Add(1), Group: id, Account: "acme", Connection: connection, Status: post.StatusProcessing, BegunAt: now, Attempts: 1},
		Content: post.Content{Text: text, Media: media},
	}
}

func TestMediaGoOutInChunksWithTheirAltText(t *testing.T) {
	t.Parallel()
	media := withMedia(t)
	synctest.Test(t, func(t *testing.T) {
		server := &twittertest.Server{Token: publishtest.Canary, Processing: 2}
		p, _ := publisher(t, publishtest.NewSpec(t, "x.openapi.json", server), bearer, media)
		for _, c := range []struct{ file, category string }{{"a.png", "tweet_image"}, {"movie.mp4", "tweet_video"}} {
			d := delivery("look: "+c.file, post.Media{URL: c.file, Alt: "what is seen"})
			if _, err := p.Publish(t.Context(), *d, publishtest.Keep(d)); err != nil {
				t.Fatal(err)
			}
			ledger := server.Ledger()
			sent := ledger[len(ledger)-1]
			if len(sent.Media) != 1 {
				t.Fatalf("%s: %+v", c.file, sent)
			}
			m := server.Medium(sent.Media[0])
			if m.Category != c.category || m.Alt != "what is seen" || len(m.Content) == 0 {
				t.Errorf("%s: category %s, alt %q, %d bytes", c.file, m.Category, m.Alt, len(m.Content))
			}
			d.Post.BegunAt = time.Now().UTC()
			if found, err := p.Lookup(t.Context(), *d); err != nil || found.State != post.Present || found.Receipt.RemoteID != sent.ID {
				t.Errorf("%s: look-up %+v, %v", c.file, found, err)
			}
		}
	})
}

// A second attempt uses what the first has uploaded, while X keeps it.
func TestMediaAreUploadedOnce(t *testing.T) {
	t.Parallel()
	media := withMedia(t)
	for name, c := range map[string]struct {
		between func(s *twittertest.Server)
		anew    bool
		sends   int
	}{
		"they are still there":      {func(*twittertest.Server) {}, false, 2},
		"X has thrown them away":    {(*twittertest.Server).DropMedia, true, 3},
		"they are about to go":      {func(*twittertest.Server) { time.Sleep(24 * time.Hour) }, true, 2}, // in a bubble
		"they went before the time": {func(s *twittertest.Server) { time.Sleep(time.Hour); s.DropMedia() }, true, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server := &twittertest.Server{}
				p, _ := publisher(t, server, bearer, media)
				d := delivery("with a picture", post.Media{URL: "a.png"})
				server.Next(publishtest.Throttle)
				if _, err := p.Publish(t.Context(), *d, publishtest.Keep(d)); err == nil {
					t.Fatal("throttled, and no failure")
				}
				first := string(d.Post.State)
				c.between(server)
				sends := 1
				for {
					sends++
					_, err := p.Publish(t.Context(), *d, publishtest.Keep(d))
					if err == nil {
						break
					}
					if f, ok := err.(*post.Failure); !ok || !f.Retryable() || sends > 4 {
						t.Fatal(err)
					}
				}
				if anew := string(d.Post.State) != first; anew != c.anew || sends != c.sends {
					t.Errorf("uploaded anew: %v, want %v; %d sends, want %d", anew, c.anew, sends, c.sends)
				}
			})
		})
	}
}

// After an earlier attempt, media that are refused may hang on a post.
func TestP2_MediaThatMayHangOnAPostAreLookedUp(t *testing.T) {
	t.Parallel()
	media := withMedia(t)
	synctest.Test(t, func(t *testing.T) {
		server := &twittertest.Server{Duplicates: true}
		p, _ := publisher(t, server, bearer, media)
		d := delivery("with a picture", post.Media{URL: "a.png"})
		server.Next(publishtest.Lost)
		if _, err := p.Publish(t.Context(), *d, publishtest.Keep(d)); err == nil {
			t.Fatal("no failure")
		}
		server.DropMedia()
		d.Again = true
		_, err := p.Publish(t.Context(), *d, publishtest.Keep(d))
		if f, ok := err.(*post.Failure); !ok || !f.InDoubt() {
			t.Errorf("got %v, want a doubt", err)
		}
	})
}

// The answers of X, each from its docs (PLATFORMS §2.1).
func TestRefusalsSayWhatToDo(t *testing.T) {
	t.Parallel()
	const kinds = "https://api.x.com/2/problems/"
	for name, c := range map[string]struct {
		status   int
		kind     string
		detail   string
		attempts int
		class    post.Class
		sent     post.Sent
		scope    post.Scope
	}{
		"a duplicate at the first attempt": {403, "about:blank", "You are not allowed to create a Tweet with duplicate content.", 1, post.ClassInvalid, post.Refused, post.ScopePost},
		"a duplicate at the second":        {403, "about:blank", "You are not allowed to create a Tweet with duplicate content.", 2, post.ClassServer, post.SentMaybe, post.ScopePost},
		"an answer nobody asked for":       {403, "about:blank", "Reply to this conversation is not allowed because you have not been mentioned or otherwise engaged by the author", 1, post.ClassInvalid, post.Refused, post.ScopePost},
		"the token of an app":              {403, kinds + "unsupported-authentication", "Authenticating with OAuth 2.0 Application-Only is forbidden for this endpoint.", 1, post.ClassAuth, post.Refused, post.ScopeConnection},
		"no credits":                       {402, kinds + "credits-depleted", "Your account does not have any credits", 1, post.ClassAuth, post.Refused, post.ScopeConnection},
		"the cap of the month":             {429, kinds + "usage-capped", "Usage cap exceeded", 1, post.ClassRate, post.Refused, post.ScopeConnection},
		"a bad request":                    {400, kinds + "invalid-request", "One or more parameters to your request was invalid.", 1, post.ClassInvalid, post.Refused, post.ScopePost},
		"an ended token":                   {401, "about:blank", "Unauthorized", 1, post.ClassAuth, post.Refused, post.ScopeConnection},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, _ := publisher(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.status)
				fmt.Fprintf(w, `{"type":%q,"title":"x","detail":%q,"status":%d}`, c.kind, c.detail, c.status)
			}), bearer)
			d := delivery("hello")
			d.Post.Attempts, d.Again = c.attempts, c.attempts > 1
			_, err := p.Publish(t.Context(), *d, publishtest.Keep(d))
			f, ok := err.(*post.Failure)
			if !ok || f.Class != c.class || f.Sent != c.sent || f.Scope != c.scope || !strings.Contains(f.Message, c.detail) {
				t.Errorf("got %+v, want %v %v %v", f, c.class, c.sent, c.scope)
			}
		})
	}
}

// A copy that is refused is looked for from the first attempt on, which may be long ago.
func TestP2_ARefusedCopyIsThePost(t *testing.T) {
	t.Parallel()
	for _, detail := range []string{"", "Status is a duplicate."} {
		synctest.Test(t, func(t *testing.T) {
			server, worded := &twittertest.Server{}, false
			p, _ := publisher(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if worded && r.Method == http.MethodPost {
					w.WriteHeader(http.StatusForbidden)
					fmt.Fprintf(w, `{"errors":[{"code":187,"message":%q}]}`, detail)
					return
				}
				server.ServeHTTP(w, r)
			}), bearer)
			d := delivery("hello")
			d.Post.SlotAt = d.Post.BegunAt
			server.Next(publishtest.Lost)
			if _, err := p.Publish(t.Context(), *d, publishtest.Keep(d)); err == nil {
				t.Fatal("a lost answer is no failure")
			}
			time.Sleep(10 * time.Minute) // in a bubble
			worded = detail != ""
			d.Again, d.Post.Attempts, d.Post.BegunAt = true, 2, time.Now().UTC()
			_, err := p.Publish(t.Context(), *d, publishtest.Keep(d))
			if f, ok := err.(*post.Failure); !ok || !f.InDoubt() || !f.Copy {
				t.Errorf("%q: %+v, want one in doubt", detail, err)
			}
			if found, err := p.Lookup(t.Context(), *d); err != nil || found.State != post.Present {
				t.Errorf("%q: look-up %+v, %v", detail, found, err)
			}
		})
	}
}

// Two posts that say the same each find their own.
func TestLookupTellsEqualPostsApart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &twittertest.Server{Duplicates: true}
		p, _ := publisher(t, server, bearer)
		first, second := delivery("Tom & Jerry <3 https://go.dev/doc"), delivery("Tom & Jerry <3 https://go.dev/doc")
		second.Post.ID = second.Post.ID.Add(7)
		r, err := p.Publish(t.Context(), *first, publishtest.Keep(first))
		if err != nil {
			t.Fatal(err)
		}
		if found, err := p.Lookup(t.Context(), *second); err != nil || found.State != post.Absent {
			t.Errorf("the second: %+v, %v, want absent", found, err)
		}
		if found, err := p.Lookup(t.Context(), *first); err != nil || found.State != post.Present || found.Receipt.RemoteID != r.RemoteID {
			t.Errorf("the first: %+v, %v", found, err)
		}
	})
}

func TestConfigsThatCannotWork(t *testing.T) {
	t.Parallel()
	fixed := func(s string) func() string { return func() string { return s } }
	for want, c := range map[string]twitter.Config{
		"want a token, a login, or the ":  {},
		"only one of them":                {Tokens: publish.FixedToken(fixed("x")), Keys: &twitter.Keys{}},
		"want all four keys":              {Keys: &twitter.Keys{Key: fixed("x"), KeySecret: fixed("x"), Token: fixed("x"), TokenSecret: fixed("")}},
		"api: want https":                 {Tokens: publish.FixedToken(fixed("x")), API: "http://api.example"},
		"api: want a URL of https, like ": {Tokens: publish.FixedToken(fixed("x")), API: "api.x.com"},
	} {
		c.Connection = connection
		if _, err := twitter.New(c); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "twitter twitter-123456: ") {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// The fake is also a server of its own, for programs that are tested whole.
func TestOverARealNetwork(t *testing.T) {
	t.Parallel()
	server := &twittertest.Server{Token: publishtest.Canary}
	listening := httptest.NewServer(server)
	defer listening.Close()
	p, err := twitter.New(twitter.Config{Connection: connection, API: listening.URL, Tokens: publish.FixedToken(canary)})
	if err != nil {
		t.Fatal(err)
	}
	d := delivery("hello")
	r, err := p.Publish(t.Context(), *d, publishtest.Keep(d))
	if err != nil || r.URL != "https://x.com/i/web/status/"+r.RemoteID {
		t.Errorf("got %+v, %v", r, err)
	}
}
