package postpost_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
	"github.com/postroom/postroom/publish/postpost"
	"github.com/postroom/postroom/publish/postpost/postposttest"
	"github.com/postroom/postroom/publish/publishtest"
)

const (
	connection = post.ConnectionID("twitter-123")
	host       = "api.postpost.dev"
)

var (
	_ publish.Publisher = (*postpost.Publisher)(nil)
	_ publish.Looker    = (*postpost.Publisher)(nil)
)

func canary() string { return publishtest.Canary }

func publisher(t *testing.T, handler http.Handler, with ...func(*postpost.Config)) (*postpost.Publisher, *publishtest.Transport) {
	t.Helper()
	transport := &publishtest.Transport{Handler: handler}
	c := postpost.Config{Connection: connection, Key: canary, Transport: transport}
	for _, w := range with {
		w(&c)
	}
	p, err := postpost.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return p, transport
}

func TestSuite(t *testing.T) {
	t.Parallel()
	for name, like := range map[string]struct {
		ticks  int
		strict bool
	}{"published at once": {}, "published after some ticks": {ticks: 3}, "by the vendor's words": {strict: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			publishtest.Run(t, publishtest.Suite{
				Knows: true, // by the group that is checkpointed
				New: func(t *testing.T) *publishtest.Subject {
					server := &postposttest.Server{Key: publishtest.Canary, Ticks: like.ticks, Strict: like.strict}
					p, transport := publisher(t, server)
					transport.Host = host
					return &publishtest.Subject{
						Again: func() publishtest.Publisher {
							p, _ := publisher(t, server)
							return p
						},
						Publisher: p, Connection: connection, Live: server.Live,
						Crawl:   transport.Crawls.Store,
						Strayed: func() bool { return transport.Strayed.Load() > 0 },
						Arrange: transport.Arrange(server.Next),
					}
				},
			})
		})
	}
}

func room(t *testing.T) *publish.MediaRoom {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"a.png": "\x89PNG\r\n\x1a\nrest", "refused.png": "\x89PNG\r\n\x1a\nmore", "movie.mp4": "\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isomfilm",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	media, err := publish.NewMediaRoom(dir, publish.Guard{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return media
}

func TestWhatIsForwarded(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		content post.Content
		id      post.ConnectionID
		to      []post.ConnectionID
		want    postposttest.Group
	}{
		"to the connection's own id":     {post.Content{Text: "hello"}, "twitter-123", nil, postposttest.Group{Content: "hello", Platforms: []string{"twitter-123"}}},
		"to others":                      {post.Content{Text: "hello"}, "postpost-all", []post.ConnectionID{"twitter-123", "mastodon-9"}, postposttest.Group{Content: "hello", Platforms: []string{"twitter-123", "mastodon-9"}}},
		"a variant":                      {post.Content{Text: "hello", Variants: map[post.Platform]string{"twitter": "hi"}}, "twitter-123", nil, postposttest.Group{Content: "hi", Platforms: []string{"twitter-123"}}},
		"a link, which has no own place": {post.Content{Text: "see", Link: "https://go.dev/a"}, "linkedin-ABC", nil, postposttest.Group{Content: "see\n\nhttps://go.dev/a", Platforms: []string{"linkedin-ABC"}}},
		"settings": {
			post.Content{Text: "x", Settings: json.RawMessage(`{"threads":{"replyControl":"everyone"}}`)}, "threads-1", nil,
			postposttest.Group{Content: "x", Platforms: []string{"threads-1"}, Settings: map[string]map[string]any{"threads": {"replyControl": "everyone"}}},
		},
		"a title for YouTube": {
			post.Content{Text: "x", Title: "T", Settings: json.RawMessage(`{"youtube":{"privacy":"private"}}`), Media: []post.Media{{URL: "movie.mp4"}}}, "youtube-1", nil,
			postposttest.Group{
				Content: "x", Platforms: []string{"youtube-1"}, Settings: map[string]map[string]any{"youtube": {"privacy": "private", "title": "T"}},
				Media: []string{"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isomfilm"},
			},
		},
		"pictures": {
			post.Content{Text: "x", Media: []post.Media{{URL: "a.png"}, {URL: "refused.png"}}}, "twitter-123", nil,
			postposttest.Group{Content: "x", Platforms: []string{"twitter-123"}, Media: []string{"\x89PNG\r\n\x1a\nrest", "\x89PNG\r\n\x1a\nmore"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server := &postposttest.Server{Key: publishtest.Canary}
				p, _ := publisher(t, renamed(server, "refused", "taken"), func(cfg *postpost.Config) { cfg.Connection, cfg.To, cfg.Media = c.id, c.to, room(t) })
				d := publishtest.NewDelivery(connection, c.content)
				d.Post.Connection = c.id
				r, err := p.Publish(t.Context(), *d, publishtest.Keep(d))
				if err != nil {
					t.Fatal(err)
				}
				got := server.Groups()[0]
				want := "https://" + string(c.id.Platform()) + ".example/1"
				if len(c.to) > 1 {
					want = ""
				}
				if r.RemoteID != got.ID || r.URL != want {
					t.Errorf("receipt %+v", r)
				}
				if got.Content != c.want.Content || !reflect.DeepEqual(got.Platforms, c.want.Platforms) || !reflect.DeepEqual(got.Media, c.want.Media) ||
					len(got.Settings) != len(c.want.Settings) || len(got.Settings) > 0 && !reflect.DeepEqual(got.Settings, c.want.Settings) {
					t.Errorf("got %+v, want %+v", got, c.want)
				}
			})
		})
	}
}

// renamed serves h with another name for a file in paths.
func renamed(h http.Handler, from, to string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.URL.Path = strings.Replace(r.URL.Path, from, to, 1)
		h.ServeHTTP(w, r)
	})
}

// A draft that does not get its media is thrown away: nothing is sent of it, and the
// next attempt makes a whole one.
func TestP2_ADraftWithoutItsMediaIsNotSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &postposttest.Server{Key: publishtest.Canary}
		p, _ := publisher(t, server, func(c *postpost.Config) { c.Media = room(t) })
		d := publishtest.NewDelivery(connection, post.Content{Text: "x", Media: []post.Media{{URL: "a.png"}, {URL: "refused.png"}}})
		_, err := p.Publish(t.Context(), *d, publishtest.Keep(d))
		if f, ok := err.(*post.Failure); !ok || !f.Retryable() || f.Class == post.ClassAuth || !strings.Contains(f.Message, "media refused.png") {
			t.Errorf("got %v", err)
		}
		if string(d.Post.State) != "{}" || server.Groups()[0].Status != "deleted" {
			t.Errorf("state %s, groups %+v", d.Post.State, server.Groups())
		}
	})
}

// What has failed at PostPost is told for each platform. Where nothing is clear the
// post is in doubt, and nobody sends it again by himself.
func TestP2_WhatFailsThere(t *testing.T) {
	t.Parallel()
	both := []post.ConnectionID{"twitter-123", "mastodon-9"}
	for name, c := range map[string]struct {
		to       []post.ConnectionID
		failures map[string]string
		class    post.Class
		sent     post.Sent
		found    post.FoundState
		message  string
	}{
		"content": {nil, map[string]string{"twitter-123": "INVALID_CONTENT no"}, post.ClassInvalid, post.Refused, post.Absent, "twitter-123: no (INVALID_CONTENT)"},
		"a token": {nil, map[string]string{"twitter-123": "PLATFORM_AUTH_EXPIRED no"}, post.ClassAuth, post.Refused, post.Absent, "no"},
		"a rate":  {nil, map[string]string{"twitter-123": "RATE_LIMITED no"}, post.ClassRate, post.Refused, post.Absent, "no"},
		"a thread that broke off": {
			nil, map[string]string{"twitter-123": "RATE_LIMITED Twitter thread partially published (3/5): Rate limit exceeded"},
			post.ClassUnknown, post.SentMaybe, post.Undecidable, "3/5",
		},
		"no answer": {nil, map[string]string{"twitter-123": "TIMEOUT_ERROR no answer"}, post.ClassUnknown, post.SentMaybe, post.Undecidable, "no answer"},
		"one of two": {
			both, map[string]string{"mastodon-9": "CONTENT_TOO_LARGE too big"}, post.ClassLarge, post.Refused, post.Absent, "mastodon-9: too big (CONTENT_TOO_LARGE); it is live elsewhere",
		},
		"both, one of them unclear": {
			both, map[string]string{"mastodon-9": "CONTENT_TOO_LARGE too big", "twitter-123": "UNKNOWN_ERROR ?"},
			post.ClassUnknown, post.SentMaybe, post.Undecidable, "twitter-123: ? (UNKNOWN_ERROR); mastodon-9: too big",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server := &postposttest.Server{Key: publishtest.Canary, Failures: c.failures, Ticks: 2}
				p, _ := publisher(t, server, func(cfg *postpost.Config) { cfg.To = c.to })
				d := publishtest.NewDelivery(connection, post.Content{Text: "x"})
				_, err := p.Publish(t.Context(), *d, publishtest.Keep(d))
				f, ok := err.(*post.Failure)
				if !ok || f.Class != c.class || f.Sent != c.sent || !strings.Contains(f.Message, c.message) {
					t.Errorf("got %v", err)
				}
				if found, err := p.Lookup(t.Context(), *d); err != nil || found.State != c.found {
					t.Errorf("look-up: %+v, %v, want state %d", found, err, c.found)
				}
			})
		})
	}
}

// A further attempt goes only where the post is not live.
func TestP2_WhatIsLiveIsNotSentAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &postposttest.Server{Key: publishtest.Canary, Failures: map[string]string{"mastodon-9": "RATE_LIMITED slow down"}}
		p, _ := publisher(t, server, func(c *postpost.Config) { c.To = []post.ConnectionID{"twitter-123", "mastodon-9"} })
		d := publishtest.NewDelivery(connection, post.Content{Text: "x"})
		if _, err := p.Publish(t.Context(), *d, publishtest.Keep(d)); err == nil {
			t.Fatal("a failure is none")
		}
		server.Heal("mastodon-9")
		for range 2 { // and once more, when all is live
			r, err := p.Publish(t.Context(), *d, publishtest.Keep(d))
			groups := server.Groups()
			if err != nil || len(groups) != 2 || r.RemoteID != groups[1].ID || !reflect.DeepEqual(groups[1].Platforms, []string{"mastodon-9"}) {
				t.Errorf("got %+v, %v after %+v", r, err, groups)
			}
		}
		if live := server.Live(); len(live) != 2 {
			t.Errorf("live are %q", live)
		}
	})
}

func TestAGroupThatSomebodyDeleted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &postposttest.Server{Key: publishtest.Canary}
		p, _ := publisher(t, server)
		d := publishtest.NewDelivery(connection, post.Content{Text: "x"})
		server.Next(publishtest.Lost)
		if _, err := p.Publish(t.Context(), *d, publishtest.Keep(d)); err == nil {
			t.Fatal("a lost answer is no failure")
		}
		server.Delete()
		if found, err := p.Lookup(t.Context(), *d); err != nil || found.State != post.Undecidable {
			t.Errorf("look-up: %+v, %v", found, err)
		}
		if _, err := p.Publish(t.Context(), *d, publishtest.Keep(d)); err != nil || len(server.Live()) != 1 { // a person had it sent again
			t.Errorf("got %v, and live are %q", err, server.Live())
		}
	})
}

// PostPost looks for what is due every minute, and may be late.
func TestP2_APostThatDoesNotGoOutIsInDoubtAndLookedUpAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &postposttest.Server{Key: publishtest.Canary, Ticks: 42}
		p, _ := publisher(t, server)
		d := publishtest.NewDelivery(connection, post.Content{Text: "x"})
		begun := time.Now()
		_, err := p.Publish(t.Context(), *d, publishtest.Keep(d))
		if f, ok := err.(*post.Failure); !ok || f.Class != post.ClassTimeout || !f.InDoubt() {
			t.Fatalf("got %v", err)
		}
		if took := time.Since(begun); took < 2*time.Minute || took > 5*time.Minute {
			t.Errorf("it waited for %v", took)
		}
		for range 2 {
			if found, err := p.Lookup(t.Context(), *d); err == nil {
				t.Errorf("look-up of what is on its way: %+v", found)
			}
		}
		if found, err := p.Lookup(t.Context(), *d); err != nil || found.State != post.Present || !found.Receipt.Found || found.Receipt.RemoteID == "" {
			t.Errorf("look-up: %+v, %v", found, err)
		}
	})
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status  int
		body    string
		class   post.Class
		scope   post.Scope
		message string
	}{
		"no key":         {401, `{"error":"Invalid API key"}`, post.ClassAuth, post.ScopeConnection, "Invalid API key"},
		"no access":      {403, `{"error":"API access is not enabled for this account"}`, post.ClassAuth, post.ScopeConnection, "API access"},
		"the plan":       {403, `{"error":"Post limit reached","code":"POST_LIMIT_REACHED","message":"Monthly post limit reached.","periodEnd":"2026-12-01T00:00:00.000Z"}`, post.ClassInvalid, post.ScopePost, "Monthly post limit reached. (until 2026-12-01)"},
		"the platform":   {403, `{"error":"Platform not available","code":"PLATFORM_NOT_AVAILABLE","periodEnd":null}`, post.ClassInvalid, post.ScopePost, "Platform not available"},
		"the connection": {400, `{"error":"Platform connection not found: twitter-123"}`, post.ClassInvalid, post.ScopePost, "twitter-123"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, _ := publisher(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.status)
				fmt.Fprint(w, c.body)
			}))
			d := publishtest.NewDelivery(connection, post.Content{Text: "x"})
			_, err := p.Publish(t.Context(), *d, publishtest.Keep(d))
			if f, ok := err.(*post.Failure); !ok || f.Sent != post.Refused || f.Class != c.class || f.Scope != c.scope || !strings.Contains(f.Message, c.message) {
				t.Errorf("got %+v", err)
			}
		})
	}
}

// The limits are the platform's, but for what PostPost has no place for.
func TestValidate(t *testing.T) {
	t.Parallel()
	pictures := func(n int) []post.Media {
		var all []post.Media
		for range n {
			all = append(all, post.Media{URL: "https://x.example/a.png"})
		}
		return all
	}
	for name, c := range map[string]struct {
		id      post.ConnectionID
		content post.Content
		field   string
	}{
		"fine":                       {"twitter-123", post.Content{Text: "x", Media: pictures(4)}, ""},
		"five pictures":              {"linkedin-ABC", post.Content{Text: "x", Media: pictures(5)}, "media_url"},
		"five pictures, to several":  {"postpost-all", post.Content{Text: "x", Media: pictures(5)}, "media_url"},
		"a long text":                {"mastodon-9", post.Content{Text: strings.Repeat("x", 501)}, "content"},
		"a first comment is dropped": {"linkedin-ABC", post.Content{Text: "x", FirstComment: "y"}, "first_comment"},
	} {
		p, _ := publisher(t, &postposttest.Server{}, func(cfg *postpost.Config) {
			if cfg.Connection = c.id; c.id.Platform() == "postpost" {
				cfg.To = []post.ConnectionID{"twitter-123"}
			}
		})
		problems := p.Validate(&c.content)
		if c.field == "" && len(problems) > 0 || c.field != "" && (len(problems) != 1 || problems[0].Field != c.field) {
			t.Errorf("%s: got %v", name, problems)
		}
	}
}

func TestCheckLooksForTheConnections(t *testing.T) {
	t.Parallel()
	for want, to := range map[string][]post.ConnectionID{
		"@twitter-123":                     {"twitter-123"},
		"@twitter-123, @mastodon-9":        {"twitter-123", "mastodon-9"},
		"PostPost has no connection":       {"twitter-123", "bluesky-1"},
		"the token of threads-old has end": {"threads-old"},
	} {
		p, _ := publisher(t, &postposttest.Server{Key: publishtest.Canary}, func(c *postpost.Config) { c.To = to })
		who, err := p.Check(t.Context())
		if strings.HasPrefix(want, "@") {
			if err != nil || who.Username != want || who.ExpiresAt.IsZero() {
				t.Errorf("%v: got %+v, %v", to, who, err)
			}
			continue
		}
		if f, ok := err.(*post.Failure); !ok || f.Class != post.ClassAuth || f.Scope != post.ScopeConnection || !strings.Contains(f.Message, want) {
			t.Errorf("%v: got %v", to, err)
		}
	}
}

func TestConfigsThatCannotWork(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]postpost.Config{
		"key: want an API key":                {Connection: "twitter-1"},
		"server: want https":                  {Connection: "twitter-1", Key: canary, Server: "http://api.example"},
		"to: want a connection there":         {Connection: "postpost-all", Key: canary},
		`to: connection id "x"`:               {Connection: "postpost-all", Key: canary, To: []post.ConnectionID{"x"}},
		"to: twitter-1 stands there twice":    {Connection: "postpost-all", Key: canary, To: []post.ConnectionID{"twitter-1", "twitter-1"}},
		"to: want a connection there, like [": {Connection: "twitter-1", Key: canary, To: []post.ConnectionID{}},
	} {
		if _, err := postpost.New(c); err == nil || !strings.HasPrefix(err.Error(), "postpost "+string(c.Connection)+": "+want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
