package pinterest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
	"github.com/postroom/postroom/publish/pinterest"
	"github.com/postroom/postroom/publish/pinterest/pinteresttest"
	"github.com/postroom/postroom/publish/publishtest"
)

const (
	connection = post.ConnectionID("pinterest-acme")
	host       = "api.pinterest.com"
)

var (
	_ publish.Publisher = (*pinterest.Publisher)(nil)
	_ publish.Looker    = (*pinterest.Publisher)(nil)
	_ publish.Pacer     = (*pinterest.Publisher)(nil)
)

func canary() string { return publishtest.Canary }

const (
	png1 = "\x89PNG\r\n\x1a\nrest"
	png2 = "\x89PNG\r\n\x1a\nmore"
	film = "\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isomfilmfilmfilm"
)

// room returns a media room with pictures and films.
func room(t *testing.T) *publish.MediaRoom {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{"a.png": png1, "b.png": png2, "movie.mp4": film, "broken.mp4": film + "broken"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	big := filepath.Join(dir, "big.png") // with a hole: it is made for every test
	if err := os.WriteFile(big, []byte(png1), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(big, 11<<20); err != nil {
		t.Fatal(err)
	}
	media, err := publish.NewMediaRoom(dir, publish.Guard{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return media
}

func publisher(t *testing.T, handler http.Handler, with ...func(*pinterest.Config)) (*pinterest.Publisher, *publishtest.Transport) {
	t.Helper()
	transport := &publishtest.Transport{Handler: handler}
	c := pinterest.Config{
		Connection: connection, Tokens: publish.FixedToken(canary), Board: pinteresttest.Board, Media: room(t), Transport: transport,
		API: "https://" + host, // the document's paths have no version
	}
	for _, w := range with {
		w(&c)
	}
	p, err := pinterest.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return p, transport
}

// document holds calls against Pinterest's own. The store that films go to is not
// in it.
func document(t *testing.T, server http.Handler) http.Handler {
	spec := publishtest.NewSpec(t, "pinterest.openapi.json", server)
	spec.Partial = true
	return spec
}

// pictured adds a picture to what the suite sends: there is no pin without.
type pictured struct{ *pinterest.Publisher }

func (p pictured) with(d post.Delivery) post.Delivery {
	d.Content.Media = []post.Media{{URL: "a.png"}}
	return d
}

func (p pictured) Publish(ctx context.Context, d post.Delivery, save publish.Save) (post.Receipt, error) {
	return p.Publisher.Publish(ctx, p.with(d), save)
}

func (p pictured) Lookup(ctx context.Context, d post.Delivery) (post.Found, error) {
	return p.Publisher.Lookup(ctx, p.with(d))
}

func TestSuite(t *testing.T) {
	t.Parallel()
	for name, board := range map[string]string{"a board by its number": pinteresttest.Board, "a board by its name": "spring Offers"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			publishtest.Run(t, publishtest.Suite{
				New: func(t *testing.T) *publishtest.Subject {
					server := &pinteresttest.Server{Token: publishtest.Canary}
					p, transport := publisher(t, document(t, server), func(c *pinterest.Config) { c.Board = board })
					transport.Host = host
					return &publishtest.Subject{
						Again: func() publishtest.Publisher {
							p, _ := publisher(t, document(t, server), func(c *pinterest.Config) { c.Board = board })
							return pictured{p}
						},
						Publisher: pictured{p}, Connection: connection, Live: func() []string {
							var out []string
							for _, l := range server.Ledger() {
								out = append(out, l.Description)
							}
							return out
						},
						Crawl:   transport.Crawls.Store,
						Strayed: func() bool { return transport.Strayed.Load() > 0 },
						Arrange: transport.Arrange(server.Next),
					}
				},
			})
		})
	}
}

func TestWhatAPinIsMadeOf(t *testing.T) {
	t.Parallel()
	a, b := post.Media{URL: "a.png", Alt: "one"}, post.Media{URL: "b.png", Alt: "two"}
	for name, c := range map[string]struct {
		content post.Content
		want    pinteresttest.Pin
		kind    string
		bytes   []string
	}{
		"a picture": {
			post.Content{Title: "T", Text: "see", Link: "https://go.dev/a", Media: []post.Media{a}},
			pinteresttest.Pin{Board: pinteresttest.Board, Title: "T", Description: "see", Link: "https://go.dev/a", Alt: "one"}, "image_base64", []string{png1},
		},
		"a picture alone": {
			post.Content{Media: []post.Media{{URL: "a.png"}}}, pinteresttest.Pin{Board: pinteresttest.Board}, "image_base64", []string{png1},
		},
		"several pictures": {
			post.Content{Text: "see", Media: []post.Media{a, b}},
			pinteresttest.Pin{Board: pinteresttest.Board, Description: "see", Alt: "one"}, "multiple_image_base64", []string{png1, png2},
		},
		"another board, and a section of it": {
			post.Content{Text: "see", Media: []post.Media{b}, Settings: json.RawMessage(`{"pinterest":{"board":"recipes","section":"17"}}`)},
			pinteresttest.Pin{Board: pinteresttest.OtherBoard, Section: "17", Description: "see", Alt: "two"}, "image_base64", []string{png2},
		},
		"pictures too big for a call": {
			post.Content{Text: "see", Media: []post.Media{{URL: "https://cdn.example/big.png"}, {URL: "https://cdn.example/big.png"}}},
			pinteresttest.Pin{Board: pinteresttest.Board, Description: "see"}, "multiple_image_urls", nil,
		},
		"a picture that moves": {
			post.Content{Text: "see", Media: []post.Media{{URL: "https://cdn.example/a.gif", Pin: post.Pin{Animated: true}}}},
			pinteresttest.Pin{Board: pinteresttest.Board, Description: "see"}, "image_url", nil,
		},
		"a film": {
			post.Content{Text: "see", Media: []post.Media{{URL: "movie.mp4", Alt: "moves"}}},
			pinteresttest.Pin{Board: pinteresttest.Board, Description: "see", Alt: "moves"}, "video_id", nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server := &pinteresttest.Server{Token: publishtest.Canary, Processing: 2}
				fetch := &publishtest.Transport{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					fmt.Fprint(w, png1+strings.Repeat("x", 11<<20))
				})}
				p, _ := publisher(t, document(t, server), func(cfg *pinterest.Config) {
					if strings.HasPrefix(c.content.Media[0].URL, "https:") {
						var err error
						if cfg.Media, err = publish.NewMediaRoom("", publish.Guard{}, fetch); err != nil {
							t.Fatal(err)
						}
					}
				})
				d := publishtest.NewDelivery(connection, c.content)
				r, err := p.Publish(t.Context(), *d, publishtest.Keep(d))
				if err != nil {
					t.Fatal(err)
				}
				got := server.Ledger()[0]
				media := got.Media
				if want := "https://www.pinterest.com/pin/" + got.ID + "/"; r.URL != want || r.RemoteID != got.ID {
					t.Errorf("receipt %+v, want %s", r, want)
				}
				got.ID, got.At, got.Media = "", time.Time{}, nil
				if fmt.Sprint(got) != fmt.Sprint(c.want) || media["source_type"] != c.kind {
					t.Errorf("got %+v of %v, want %+v of %s", got, media["source_type"], c.want, c.kind)
				}
				items, several := media["items"].([]any)
				if !several {
					items = []any{map[string]any(media)}
				}
				for i, want := range c.bytes {
					if pinteresttest.Bytes(items[i]) != want {
						t.Errorf("picture %d is %v", i, items[i])
					}
				}
				if id, ok := media["media_id"].(string); ok {
					if f := server.Film(id); f == nil || string(f.Content) != film || media["cover_image_key_frame_time"] != 1.0 {
						t.Errorf("film %+v, cover %v", f, media["cover_image_key_frame_time"])
					}
				}
			})
		})
	}
}

// A film is uploaded once, unless Pinterest has thrown it away.
func TestFilmsAreKeptAndUploadedAgainWhereTheyAreGone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &pinteresttest.Server{Token: publishtest.Canary}
		p, _ := publisher(t, server)
		d := publishtest.NewDelivery(connection, post.Content{Text: "see", Media: []post.Media{{URL: "movie.mp4"}}})
		server.Next(publishtest.Throttle)
		if _, err := p.Publish(t.Context(), *d, publishtest.Keep(d)); err == nil {
			t.Fatal("throttled, and no failure")
		}
		kept := string(d.Post.State)
		server.Next(publishtest.Throttle)
		if _, err := p.Publish(t.Context(), *d, publishtest.Keep(d)); err == nil || string(d.Post.State) != kept {
			t.Errorf("state is %s, was %s", d.Post.State, kept)
		}
		server.Forget()
		_, err := p.Publish(t.Context(), *d, publishtest.Keep(d))
		if f, ok := err.(*post.Failure); !ok || !f.Retryable() {
			t.Fatalf("got %v, want a failure to try again after", err)
		}
		if _, err := p.Publish(t.Context(), *d, publishtest.Keep(d)); err != nil || len(server.Ledger()) != 1 {
			t.Errorf("got %v with %+v", err, server.Ledger())
		}
	})
}

// After an earlier attempt, a film that is refused may be pinned.
func TestP2_AFilmThatMayBePinnedIsLookedUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &pinteresttest.Server{Token: publishtest.Canary}
		p, _ := publisher(t, server)
		d := publishtest.NewDelivery(connection, post.Content{Text: "see", Media: []post.Media{{URL: "movie.mp4"}}})
		server.Next(publishtest.Lost)
		if _, err := p.Publish(t.Context(), *d, publishtest.Keep(d)); err == nil {
			t.Fatal("no failure")
		}
		server.Forget()
		d.Again = true
		_, err := p.Publish(t.Context(), *d, publishtest.Keep(d))
		if f, ok := err.(*post.Failure); !ok || !f.InDoubt() {
			t.Errorf("got %v, want a doubt", err)
		}
	})
}

func TestLookup(t *testing.T) {
	t.Parallel()
	content := post.Content{Title: "T", Text: "see  this", Link: "https://go.dev/a", Media: []post.Media{{URL: "a.png"}}}
	for name, c := range map[string]struct {
		arrange func(s *pinteresttest.Server, ours pinteresttest.Pin)
		want    post.FoundState
	}{
		"nothing is there":     {func(*pinteresttest.Server, pinteresttest.Pin) {}, post.Absent},
		"it is there":          {func(s *pinteresttest.Server, p pinteresttest.Pin) { s.Add(p) }, post.Present},
		"in other white space": {func(s *pinteresttest.Server, p pinteresttest.Pin) { p.Description = "see this"; s.Add(p) }, post.Present},
		"without a zone":       {func(s *pinteresttest.Server, p pinteresttest.Pin) { s.Unzoned = true; s.Add(p) }, post.Present},
		"on another board":     {func(s *pinteresttest.Server, p pinteresttest.Pin) { p.Board = pinteresttest.OtherBoard; s.Add(p) }, post.Absent},
		"with another title":   {func(s *pinteresttest.Server, p pinteresttest.Pin) { p.Title = "U"; s.Add(p) }, post.Absent},
		"from before":          {func(s *pinteresttest.Server, p pinteresttest.Pin) { p.At = p.At.Add(-time.Hour); s.Add(p) }, post.Absent},
		"with a link that was rewritten": {func(s *pinteresttest.Server, p pinteresttest.Pin) {
			p.Link += "?utm=1"
			s.Add(p)
		}, post.Undecidable},
		"behind many others": {func(s *pinteresttest.Server, p pinteresttest.Pin) {
			s.Add(p)
			for range 60 {
				p.Title = "other"
				s.Add(p)
			}
		}, post.Undecidable},
		"not among many others": {func(s *pinteresttest.Server, p pinteresttest.Pin) {
			p.Title, p.At = "old", p.At.Add(-time.Hour)
			for range 60 {
				s.Add(p)
			}
		}, post.Absent},
		"in no order": {func(s *pinteresttest.Server, p pinteresttest.Pin) {
			later := p
			later.Title, later.At = "later", p.At.Add(time.Hour)
			s.Add(later)
			p.Title = "other"
			s.Add(p)
		}, post.Undecidable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server := &pinteresttest.Server{Token: publishtest.Canary}
				p, _ := publisher(t, server)
				d := publishtest.NewDelivery(connection, content)
				c.arrange(server, pinteresttest.Pin{Board: pinteresttest.Board, Title: "T", Description: "see  this", Link: content.Link, At: time.Now().UTC()})
				found, err := p.Lookup(t.Context(), *d)
				if err != nil || found.State != c.want {
					t.Errorf("got %+v, %v, want state %d", found, err, c.want)
				}
				if found.State == post.Present && (found.Receipt.RemoteID == "" || !found.Receipt.Found || found.Receipt.PublishedAt.IsZero()) {
					t.Errorf("receipt %+v", found.Receipt)
				}
			})
		})
	}
}

// Of two posts that say the same each finds its own pin.
func TestP2_TwoEqualPostsAreTwoPins(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &pinteresttest.Server{Token: publishtest.Canary}
		p, _ := publisher(t, server)
		content := post.Content{Text: "see", Media: []post.Media{{URL: "a.png"}}}
		one, two := publishtest.NewDelivery(connection, content), publishtest.NewDelivery(connection, content)
		two.Post.ID = two.Post.ID.Add(7)
		if _, err := p.Publish(t.Context(), *one, publishtest.Keep(one)); err != nil {
			t.Fatal(err)
		}
		if found, err := p.Lookup(t.Context(), *two); err != nil || found.State != post.Absent {
			t.Errorf("the second found %+v, %v", found, err)
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
		"no token":          {401, `{"code":2,"message":"Authentication failed."}`, post.ClassAuth, post.ScopeConnection, "[code 2]"},
		"an app on trial":   {403, `{"code":29,"message":"You are not permitted."}`, post.ClassAuth, post.ScopeConnection, pinterest.Sandbox},
		"no such board":     {404, `{"code":40,"message":"Board not found."}`, post.ClassInvalid, post.ScopePost, "Board not found."},
		"a board not yours": {403, `{"code":40,"message":"Board not found."}`, post.ClassInvalid, post.ScopePost, "Board not found."},
		"a bad link":        {400, `{"code":1,"message":"Invalid link."}`, post.ClassInvalid, post.ScopePost, "Invalid link."},
		"too fast":          {429, `{"code":8,"message":"Slow down."}`, post.ClassRate, post.ScopeConnection, "Slow down."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, _ := publisher(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.status)
				fmt.Fprint(w, c.body)
			}))
			d := publishtest.NewDelivery(connection, post.Content{Text: "see", Media: []post.Media{{URL: "a.png"}}})
			_, err := p.Publish(t.Context(), *d, publishtest.Keep(d))
			if f, ok := err.(*post.Failure); !ok || f.Sent != post.Refused || f.Class != c.class || f.Scope != c.scope || !strings.Contains(f.Message, c.message) {
				t.Errorf("got %+v", err)
			}
		})
	}
}

// What goes wrong before the call that pins never leaves the post in doubt.
func TestP2_NothingIsInDoubtBeforeThePin(t *testing.T) {
	t.Parallel()
	picture := []post.Media{{URL: "a.png"}}
	for want, content := range map[string]post.Content{
		"a pin needs a picture":    {Text: "x"},
		"no board Winter":          {Text: "x", Media: picture, Settings: json.RawMessage(`{"pinterest":{"board":"Winter"}}`)},
		"platform_settings: want":  {Text: "x", Media: picture, Settings: json.RawMessage(`{"pinterest":[]}`)},
		"the number of a section":  {Text: "x", Media: picture, Settings: json.RawMessage(`{"pinterest":{"section":"a"}}`)},
		"could not process":        {Text: "x", Media: []post.Media{{URL: "broken.mp4"}}},
		"set public_url in the":    {Text: "x", Media: []post.Media{{URL: "big.png"}, {URL: "big.png"}}},
		"media none.png: no such ": {Text: "x", Media: []post.Media{{URL: "none.png"}}},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			server := &pinteresttest.Server{Token: publishtest.Canary}
			p, _ := publisher(t, server)
			d := publishtest.NewDelivery(connection, content)
			_, err := p.Publish(t.Context(), *d, publishtest.Keep(d))
			if f, ok := err.(*post.Failure); !ok || f.InDoubt() || f.Class != post.ClassInvalid || !strings.Contains(f.Message, want) || len(server.Ledger()) > 0 {
				t.Errorf("got %+v", err)
			}
		})
	}
}

func TestValidateSaysWhatPinterestRefuses(t *testing.T) {
	t.Parallel()
	p, _ := publisher(t, &pinteresttest.Server{})
	picture := []post.Media{{URL: "a.png"}}
	for field, content := range map[string]post.Content{
		"":                  {Title: "T", Text: "see", Media: picture},
		"media_url":         {Text: "see"},
		"title":             {Title: strings.Repeat("t", 101), Text: "see", Media: picture},
		"content":           {Text: strings.Repeat("t", 801), Media: picture},
		"link":              {Text: "see", Media: picture, Link: "https://go.dev/" + strings.Repeat("a", 2048)},
		"platform_settings": {Text: "see", Media: picture, Settings: json.RawMessage(`{"pinterest":{"board":7}}`)},
		"alt_text":          {Text: "see", Media: []post.Media{{URL: "a.png", Alt: strings.Repeat("a", 501)}}},
	} {
		problems := p.Validate(&content)
		if field == "" && len(problems) > 0 || field != "" && (len(problems) != 1 || problems[0].Field != field) {
			t.Errorf("%q: got %v", field, problems)
		}
	}
}

func TestCheckLooksForTheBoard(t *testing.T) {
	t.Parallel()
	for board, there := range map[string]bool{pinteresttest.OtherBoard: true, "Recipes": true, "1234": false, "Winter": false} {
		server := &pinteresttest.Server{Token: publishtest.Canary}
		p, _ := publisher(t, document(t, server), func(c *pinterest.Config) { c.Board = board })
		who, err := p.Check(t.Context())
		if there && (err != nil || who.Username != pinteresttest.Username) {
			t.Errorf("%s: got %+v, %v", board, who, err)
		}
		if f, ok := err.(*post.Failure); !there && (!ok || f.Scope != post.ScopeConnection) {
			t.Errorf("%s: got %v", board, err)
		}
	}
}

func TestConfigsThatCannotWork(t *testing.T) {
	t.Parallel()
	token := publish.FixedToken(func() string { return "x" })
	for want, c := range map[string]pinterest.Config{
		"want a token":         {Board: "a"},
		"board: want the name": {Tokens: token, Board: " "},
		"api: want https":      {Tokens: token, Board: "a", API: "http://api.example"},
	} {
		c.Connection = connection
		if _, err := pinterest.New(c); err == nil || !strings.HasPrefix(err.Error(), "pinterest pinterest-acme: "+want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
