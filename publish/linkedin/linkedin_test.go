package linkedin_test

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
	"github.com/postroom/postroom/publish/linkedin"
	"github.com/postroom/postroom/publish/linkedin/linkedintest"
	"github.com/postroom/postroom/publish/publishtest"
)

const (
	connection = post.ConnectionID("linkedin-ABC123")
	host       = "api.linkedin.com"
)

var (
	_ publish.Publisher = (*linkedin.Publisher)(nil)
	_ publish.Looker    = (*linkedin.Publisher)(nil)
)

func canary() string { return publishtest.Canary }

func publisher(t *testing.T, handler http.Handler, with ...func(*linkedin.Config)) (*linkedin.Publisher, *publishtest.Transport) {
	t.Helper()
	transport := &publishtest.Transport{Handler: handler, Host: host}
	c := linkedin.Config{Connection: connection, Tokens: publish.FixedToken(canary), Transport: transport}
	for _, w := range with {
		w(&c)
	}
	p, err := linkedin.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return p, transport
}

func page(c *linkedin.Config) { c.Author = linkedintest.Organization }

// pictures gives a publisher the pictures of the suite.
func pictures(t *testing.T) func(*linkedin.Config) {
	t.Helper()
	room, err := publish.NewMediaRoom(publishtest.Pictures(t), publish.Guard{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return func(c *linkedin.Config) { c.Media = room }
}

func TestSuite(t *testing.T) {
	t.Parallel()
	pictures := pictures(t)
	for name, author := range map[string]func(*linkedin.Config){"a page": page, "a member": func(*linkedin.Config) {}} {
		for kind, copies := range map[string]bool{"refuses copies": false, "takes copies": true} {
			t.Run(name+" "+kind, func(t *testing.T) {
				t.Parallel()
				publishtest.Run(t, publishtest.Suite{
					Trusts: true, // the answer is a header
					New: func(t *testing.T) *publishtest.Subject {
						server := &linkedintest.Server{Token: publishtest.Canary, Copies: copies}
						p, transport := publisher(t, server, author, pictures)
						t.Cleanup(func() {
							if v := server.Violations(); v != nil {
								t.Errorf("calls that the API does not allow: %q", v)
							}
						})
						return &publishtest.Subject{
							Again: func() publishtest.Publisher {
								p, _ := publisher(t, server, author, pictures)
								return p
							},
							Publisher: p, Connection: connection, Live: func() []string {
								var out []string
								for _, l := range server.Ledger() {
									out = append(out, l.Commentary)
								}
								return out
							},
							Pictured: func(text string) (names []string) {
								for _, l := range server.Ledger() {
									if m, ok := l.Content["media"].(map[string]any); ok && l.Commentary == text {
										names = append(names, publishtest.PictureIn(server.Upload(m["id"].(string)).Content))
									}
								}
								return names
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
}

func TestWhatHangsOnAPost(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"a.png": "\x89PNG\r\n\x1a\nrest", "b.png": "\x89PNG\r\n\x1a\nmore",
		"movie.mp4": "\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom" + strings.Repeat("film", 100),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	media, err := publish.NewMediaRoom(dir, publish.Guard{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	a, b := post.Media{URL: "a.png", Alt: "one"}, post.Media{URL: "b.png"}
	for name, c := range map[string]struct {
		content    post.Content
		commentary string
		kind       string
		inside     map[string]any // beside the ids
	}{
		"nothing":               {post.Content{Text: "plain"}, "plain", "", nil},
		"a link":                {post.Content{Text: "read", Link: "https://x.example/a", Title: "A"}, "read", "article", map[string]any{"source": "https://x.example/a", "title": "A"}},
		"a link without title":  {post.Content{Text: "read", Link: "https://x.example/a"}, "read", "article", map[string]any{"source": "https://x.example/a", "title": "x.example"}},
		"a picture":             {post.Content{Text: "see", Media: []post.Media{a}}, "see", "media", map[string]any{"altText": "one"}},
		"a picture with a link": {post.Content{Text: "see", Link: "https://x.example", Media: []post.Media{a}}, "see\n\nhttps://x.example", "media", map[string]any{"altText": "one"}},
		"two pictures":          {post.Content{Text: "see", Media: []post.Media{a, b}}, "see", "multiImage", nil},
		"a film":                {post.Content{Text: "see", Title: "The film", Media: []post.Media{{URL: "movie.mp4"}}}, "see", "media", map[string]any{"title": "The film"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server := &linkedintest.Server{Processing: 2}
				p, _ := publisher(t, server, page, func(cfg *linkedin.Config) { cfg.Media = media })
				d := publishtest.NewDelivery(connection, c.content)
				if _, err := p.Publish(t.Context(), *d, publishtest.Keep(d)); err != nil {
					t.Fatal(err)
				}
				sent := server.Ledger()[0]
				if sent.Commentary != c.commentary || (len(sent.Content) == 0) != (c.kind == "") {
					t.Fatalf("got %+v", sent)
				}
				if c.kind == "" {
					return
				}
				inside, ok := sent.Content[c.kind].(map[string]any)
				if !ok {
					t.Fatalf("got %v, want %s", sent.Content, c.kind)
				}
				if id, ok := inside["id"].(string); ok {
					file, err := os.ReadFile(filepath.Join(dir, c.content.Media[0].URL))
					if u := server.Upload(id); err != nil || u == nil || !bytes.Equal(u.Content, file) {
						t.Errorf("%s is not what was uploaded: %v", id, err)
					}
					delete(inside, "id")
				}
				if c.inside != nil && !reflect.DeepEqual(inside, c.inside) {
					t.Errorf("got %v, want %v", inside, c.inside)
				}
			})
		})
	}
}

// The post is live once whatever becomes of its first comment, and the comment
// follows.
func TestP2_FirstCommentFollowsItsPost(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		faults   []publishtest.Fault
		comments int
		doubt    bool
	}{
		"all is well":                 {nil, 1, false},
		"the post's answer is lost":   {[]publishtest.Fault{publishtest.Lost}, 1, false},
		"the comment is throttled":    {[]publishtest.Fault{publishtest.None, publishtest.Throttle}, 1, false},
		"the comment's answer's lost": {[]publishtest.Fault{publishtest.None, publishtest.Lost}, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server := &linkedintest.Server{}
				p, _ := publisher(t, server, page)
				d := publishtest.NewDelivery(connection, post.Content{Text: "the post", FirstComment: "the comment"})
				server.Next(c.faults...)
				_, err := p.Publish(t.Context(), *d, publishtest.Keep(d))
				for range 3 {
					f, failed := err.(*post.Failure)
					if !failed {
						break
					}
					if f.InDoubt() {
						found, err := p.Lookup(t.Context(), *d)
						if err != nil {
							t.Fatal(err)
						}
						if found.State == post.Undecidable {
							break
						}
						d.Post.Parts = found.Parts
					}
					d.Post.Attempts, d.Again = d.Post.Attempts+1, true
					_, err = p.Publish(t.Context(), *d, publishtest.Keep(d))
				}
				f, failed := err.(*post.Failure)
				if failed != c.doubt || failed && !f.InDoubt() {
					t.Errorf("ended with %v", err)
				}
				if posts, comments := server.Ledger(), server.Comments(); len(posts) != 1 || len(comments) != c.comments || comments[0].Text != "the comment" || comments[0].Post != posts[0].URN {
					t.Errorf("live are %+v and %+v", posts, comments)
				}
			})
		})
	}
}

// A person has a member's post sent again after a lost answer: the copy that is
// refused names the post that is live.
func TestP2_ARefusedCopyIsThePost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &linkedintest.Server{}
		p, _ := publisher(t, server)
		d := publishtest.NewDelivery(connection, post.Content{Text: "hello"})
		server.Next(publishtest.Lost)
		if _, err := p.Publish(t.Context(), *d, publishtest.Keep(d)); err == nil {
			t.Fatal("a lost answer is no failure")
		}
		if found, err := p.Lookup(t.Context(), *d); err != nil || found.State != post.Undecidable {
			t.Errorf("look-up: %+v, %v", found, err)
		}
		d.Again = true
		r, err := p.Publish(t.Context(), *d, publishtest.Keep(d))
		if err != nil || r.RemoteID != server.Ledger()[0].URN || len(server.Ledger()) != 1 {
			t.Errorf("got %+v, %v", r, err)
		}

		other := publishtest.NewDelivery(connection, post.Content{Text: "hello"}) // at its first attempt it is none of ours
		other.Post.ID = other.Post.ID.Add(9)
		if _, err := p.Publish(t.Context(), *other, publishtest.Keep(other)); err == nil || err.(*post.Failure).Class != post.ClassInvalid {
			t.Errorf("a copy of another post: %v", err)
		}
	})
}

// A picture without words looks like any other one without words.
func TestP2_APostWithoutWordsIsUndecided(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &linkedintest.Server{Copies: true}
		p, _ := publisher(t, server, page, pictures(t))
		content := post.Content{Media: []post.Media{{URL: "0.png"}}}
		other, d := publishtest.NewDelivery(connection, content), publishtest.NewDelivery(connection, content)
		d.Post.ID = d.Post.ID.Add(9)
		if found, err := p.Lookup(t.Context(), *d); err != nil || found.State != post.Absent {
			t.Errorf("alone: %+v, %v", found, err)
		}
		server.Next(publishtest.Lost) // so that nobody knows whose it is
		if _, err := p.Publish(t.Context(), *other, publishtest.Keep(other)); err == nil {
			t.Fatal("no failure")
		}
		if found, err := p.Lookup(t.Context(), *d); err != nil || found.State != post.Undecidable {
			t.Errorf("beside another: %+v, %v", found, err)
		}
	})
}

// An address to upload to ends, and says so with 403: that is no matter of the account.
func TestP2_ACopyOfNothingNamedIsInDoubt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &linkedintest.Server{Mute: true}
		p, _ := publisher(t, server)
		d := publishtest.NewDelivery(connection, post.Content{Text: "hello", FirstComment: "more"})
		server.Next(publishtest.Lost, publishtest.None, publishtest.Lost)
		for _, what := range []string{"the post", "the comment"} {
			if _, err := p.Publish(t.Context(), *d, publishtest.Keep(d)); err == nil {
				t.Fatal("a lost answer is no failure")
			}
			d.Again = true
			_, err := p.Publish(t.Context(), *d, publishtest.Keep(d))
			if f, ok := err.(*post.Failure); !ok || !f.InDoubt() || !f.Copy {
				t.Errorf("a copy of %s: %+v, want a doubt", what, err)
			}
			d.Post.Parts[0].RemoteID = server.Ledger()[0].URN // a person says so
		}
	})
}

func TestAnUploadThatHasEndedIsBegunAnew(t *testing.T) {
	t.Parallel()
	server := &linkedintest.Server{Ended: true}
	p, _ := publisher(t, server, page, pictures(t))
	d := publishtest.NewDelivery(connection, post.Content{Text: "hello", Media: []post.Media{{URL: "0.png"}}})
	_, err := p.Publish(t.Context(), *d, publishtest.Keep(d))
	if f, ok := err.(*post.Failure); !ok || f.Class != post.ClassServer || f.Scope != post.ScopePost || !f.Retryable() {
		t.Errorf("an ended upload: %+v", err)
	}
	server.Ended = false
	if _, err := p.Publish(t.Context(), *d, publishtest.Keep(d)); err != nil || len(server.Ledger()) != 1 {
		t.Errorf("begun anew: %v, %d posts", err, len(server.Ledger()))
	}
}

func TestAnOldVersionSaysSo(t *testing.T) {
	t.Parallel()
	p, _ := publisher(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUpgradeRequired) }), page)
	d := publishtest.NewDelivery(connection, post.Content{Text: "hello"})
	_, err := p.Publish(t.Context(), *d, publishtest.Keep(d))
	if f, ok := err.(*post.Failure); !ok || f.Scope != post.ScopeConnection || f.InDoubt() || !strings.Contains(f.Message, linkedin.Version) {
		t.Errorf("got %v", err)
	}
}

func TestConfigsThatCannotWork(t *testing.T) {
	t.Parallel()
	token := publish.FixedToken(func() string { return "x" })
	for want, c := range map[string]linkedin.Config{
		"want a token":              {},
		"author: want one like urn": {Tokens: token, Author: "acme"},
		"version: want a year and":  {Tokens: token, Version: "2026-07"},
		"api: want https":           {Tokens: token, API: "http://api.example"},
	} {
		c.Connection = connection
		if _, err := linkedin.New(c); err == nil || !strings.HasPrefix(err.Error(), "linkedin linkedin-ABC123: "+want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
