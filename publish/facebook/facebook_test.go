package facebook_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
	"github.com/postroom/postroom/publish/facebook"
	"github.com/postroom/postroom/publish/meta/metatest"
	"github.com/postroom/postroom/publish/publishtest"
)

const (
	connection = post.ConnectionID("facebook-acme")
	host       = "graph.facebook.com"
)

var (
	_ publish.Publisher = (*facebook.Publisher)(nil)
	_ publish.Looker    = (*facebook.Publisher)(nil)
	_ publish.Pacer     = (*facebook.Publisher)(nil)
)

func canary() string { return publishtest.Canary }

func publisher(t *testing.T, handler http.Handler, with ...func(*facebook.Config)) (*facebook.Publisher, *publishtest.Transport) {
	t.Helper()
	transport := &publishtest.Transport{Handler: handler, Host: host}
	c := facebook.Config{Connection: connection, Tokens: publish.FixedToken(canary), AppSecret: canary, Page: metatest.User, Transport: transport}
	for _, w := range with {
		w(&c)
	}
	p, err := facebook.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return p, transport
}

// pictures gives a publisher the pictures of the suite.
func pictures(t *testing.T) func(*facebook.Config) {
	t.Helper()
	room, err := publish.NewMediaRoom(publishtest.Pictures(t), publish.Guard{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return func(c *facebook.Config) { c.Media = room }
}

func TestSuite(t *testing.T) {
	t.Parallel()
	pictures := pictures(t)
	for name, copies := range map[string]bool{"refuses copies": false, "takes copies": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			publishtest.Run(t, publishtest.Suite{
				New: func(t *testing.T) *publishtest.Subject {
					server := &metatest.Server{Token: publishtest.Canary, Secret: publishtest.Canary, Copies: copies}
					spec := publishtest.NewSpec(t, "meta.openapi.json", server)
					spec.Partial = true
					handler, pictured := http.Handler(spec), (func(string) []string)(nil)
					if copies { // with pictures, which the description cannot be held against
						handler, pictured = server, func(text string) []string { return picturesOf(server, text) }
					}
					p, transport := publisher(t, handler, pictures)
					return &publishtest.Subject{
						Again: func() publishtest.Publisher {
							p, _ := publisher(t, handler, pictures)
							return p
						},
						Pictured:  pictured,
						Publisher: p, Connection: connection, Live: server.Texts,
						Crawl:   transport.Crawls.Store,
						Strayed: func() bool { return transport.Strayed.Load() > 0 },
						Arrange: transport.Arrange(server.Next),
					}
				},
			})
		})
	}
}

// picturesOf returns the alternative texts of the pictures that are live with a text.
func picturesOf(server *metatest.Server, text string) (names []string) {
	for _, e := range server.Ledger() {
		var at struct {
			ID string `json:"media_fbid"`
		}
		if e.Text == text && json.Unmarshal([]byte(e.Form["attached_media[0]"]), &at) == nil {
			names = append(names, server.Picture(at.ID).Alt)
		}
	}
	return names
}

func withMedia(t *testing.T) func(*facebook.Config) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"a.png": "\x89PNG\r\n\x1a\nrest", "b.png": "\x89PNG\r\n\x1a\nmore",
		"movie.mp4": "\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom" + strings.Repeat("film", 100),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	room, err := publish.NewMediaRoom(dir, publish.Guard{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return func(c *facebook.Config) { c.Media = room }
}

func TestWhatAPostIsMadeOf(t *testing.T) {
	t.Parallel()
	media := withMedia(t)
	a, b := post.Media{URL: "a.png", Alt: "one"}, post.Media{URL: "b.png"}
	for name, c := range map[string]struct {
		content  post.Content
		want     map[string]string // fields of the call
		pictures int
		comments int
	}{
		"a text":                {post.Content{Text: "plain"}, map[string]string{"message": "plain"}, 0, 0},
		"a link":                {post.Content{Text: "read", Link: "https://x.example/a"}, map[string]string{"message": "read", "link": "https://x.example/a"}, 0, 0},
		"a picture with a link": {post.Content{Text: "see", Link: "https://x.example", Media: []post.Media{a}}, map[string]string{"message": "see\n\nhttps://x.example"}, 1, 0},
		"two pictures":          {post.Content{Text: "see", Media: []post.Media{a, b}}, map[string]string{"message": "see"}, 2, 0},
		"a film":                {post.Content{Text: "see", Title: "The film", Media: []post.Media{{URL: "movie.mp4"}}}, map[string]string{"description": "see", "title": "The film"}, 0, 0},
		"with a first comment":  {post.Content{Text: "plain", FirstComment: "more"}, map[string]string{"message": "plain"}, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := &metatest.Server{}
			p, _ := publisher(t, server, media)
			d := publishtest.NewDelivery(connection, c.content)
			r, err := p.Publish(t.Context(), *d, publishtest.Keep(d))
			if err != nil {
				t.Fatal(err)
			}
			sent := server.Ledger()[0]
			if r.RemoteID != sent.ID || r.URL != "https://meta.example/"+sent.ID {
				t.Errorf("receipt %+v of %s", r, sent.ID)
			}
			pictures := 0
			for field, value := range sent.Form {
				if strings.HasPrefix(field, "attached_media[") {
					pictures++
				} else if c.want[field] != value {
					t.Errorf("%s is %q, want %q", field, value, c.want[field])
				}
			}
			if pictures != c.pictures || len(server.Comments()) != c.comments {
				t.Errorf("%d pictures and %d comments, want %d and %d", pictures, len(server.Comments()), c.pictures, c.comments)
			}
			found, err := p.Lookup(t.Context(), *d)
			if err != nil || found.State != post.Present || found.Receipt.RemoteID != r.RemoteID {
				t.Errorf("look-up: %+v, %v", found, err)
			}
		})
	}
}

// Pictures of an attempt that failed are used, while Facebook keeps them.
func TestPicturesAreUploadedOnce(t *testing.T) {
	t.Parallel()
	media := withMedia(t)
	for name, c := range map[string]struct {
		between func(*metatest.Server)
		sends   int
	}{
		"they are still there":            {func(*metatest.Server) {}, 2},
		"Facebook has thrown them away":   {(*metatest.Server).Expire, 3},
		"they are about to go, so anew":   {func(*metatest.Server) { time.Sleep(24 * time.Hour) }, 2}, // in a bubble
		"the first attempt was not heard": {func(*metatest.Server) {}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server := &metatest.Server{}
				p, _ := publisher(t, server, media)
				d := publishtest.NewDelivery(connection, post.Content{Text: "see", Media: []post.Media{{URL: "a.png"}}})
				server.Next(publishtest.Throttle)
				sends := 0
				for {
					sends++
					_, err := p.Publish(t.Context(), *d, publishtest.Keep(d))
					if err == nil {
						break
					}
					if f, ok := err.(*post.Failure); !ok || !f.Retryable() || sends > 4 {
						t.Fatal(err)
					}
					if sends == 1 {
						c.between(server)
					}
				}
				if sends != c.sends || len(server.Ledger()) != 1 {
					t.Errorf("%d sends, want %d; %d live", sends, c.sends, len(server.Ledger()))
				}
			})
		})
	}
}

// A copy is refused: ours after a lost answer is looked up, another's is final.
func TestP2_ARefusedCopyIsLookedUp(t *testing.T) {
	t.Parallel()
	server := &metatest.Server{}
	p, _ := publisher(t, server)
	d := publishtest.NewDelivery(connection, post.Content{Text: "hello"})
	if _, err := p.Publish(t.Context(), *d, publishtest.Keep(d)); err != nil {
		t.Fatal(err)
	}
	for again, want := range map[bool]post.Sent{false: post.Refused, true: post.SentMaybe} {
		d.Again = again
		_, err := p.Publish(t.Context(), *d, publishtest.Keep(d))
		if f, ok := err.(*post.Failure); !ok || f.Sent != want || f.Copy != again {
			t.Errorf("again %v: %v, want %v", again, err, want)
		}
	}
	if len(server.Ledger()) != 1 {
		t.Errorf("%d are live", len(server.Ledger()))
	}
}

// The words for a picture that is gone and for one that hangs on a post are the same:
// after an earlier attempt only a look can tell.
func TestP2_APictureThatMayHangOnAPostIsLookedUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &metatest.Server{Copies: true}
		p, _ := publisher(t, server, withMedia(t))
		d := publishtest.NewDelivery(connection, post.Content{Text: "see", Media: []post.Media{{URL: "a.png"}}})
		server.Next(publishtest.Lost)
		if _, err := p.Publish(t.Context(), *d, publishtest.Keep(d)); err == nil {
			t.Fatal("no failure")
		}
		server.Expire()
		d.Again = true
		_, err := p.Publish(t.Context(), *d, publishtest.Keep(d))
		if f, ok := err.(*post.Failure); !ok || !f.InDoubt() {
			t.Errorf("got %+v, want a doubt", err)
		}
	})
}

func TestP2_ARefusedCopyOfAFirstCommentIsLookedUp(t *testing.T) {
	t.Parallel()
	server, copied := &metatest.Server{}, false
	p, _ := publisher(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if copied && r.Method == http.MethodPost {
			w.WriteHeader(http.StatusBadRequest)
			io.WriteString(w, `{"error":{"message":"Duplicate status message","type":"OAuthException","code":506}}`)
			return
		}
		server.ServeHTTP(w, r)
	}))
	d := publishtest.NewDelivery(connection, post.Content{Text: "hello", FirstComment: "more"})
	server.Next(publishtest.None, publishtest.Lost)
	if _, err := p.Publish(t.Context(), *d, publishtest.Keep(d)); err == nil {
		t.Fatal("no failure")
	}
	d.Again, copied = true, true
	_, err := p.Publish(t.Context(), *d, publishtest.Keep(d))
	if f, ok := err.(*post.Failure); !ok || !f.InDoubt() || !f.Copy {
		t.Errorf("got %+v, want a doubt", err)
	}
	if found, err := p.Lookup(t.Context(), *d); err != nil || found.State != post.Present {
		t.Errorf("look-up %+v, %v", found, err)
	}
}

// What says when a post was made may change its form, and a picture without words looks
// like any other.
func TestP2_WhatCannotBeToldApartIsUndecided(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC().Add(time.Second)
	for name, c := range map[string]struct {
		text, created string
		want          post.FoundState
	}{
		"the usual form":     {"hello", now.Format("2006-01-02T15:04:05-0700"), post.Present},
		"another form":       {"hello", now.Format(time.RFC3339), post.Present},
		"no form at all":     {"hello", now.Format(time.ANSIC), post.Undecidable},
		"other words":        {"bye", now.Format(time.ANSIC), post.Absent},
		"without words":      {"", now.Format(time.RFC3339), post.Undecidable},
		"without words, old": {"", now.Add(-time.Hour).Format(time.RFC3339), post.Absent},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, _ := publisher(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				fmt.Fprintf(w, `{"data":[{"id":"1_2","message":%q,"created_time":%q}]}`, c.text, c.created)
			}))
			text := "hello"
			if c.text == "" {
				text = ""
			}
			d := publishtest.NewDelivery(connection, post.Content{Text: text})
			if found, err := p.Lookup(t.Context(), *d); err != nil || found.State != c.want {
				t.Errorf("%+v, %v, want %v", found, err, c.want)
			}
		})
	}
}
