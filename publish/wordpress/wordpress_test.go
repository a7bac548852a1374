package wordpress_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
	"github.com/postroom/postroom/publish/publishtest"
	"github.com/postroom/postroom/publish/wordpress"
	"github.com/postroom/postroom/publish/wordpress/wordpresstest"
)

const (
	connection = post.ConnectionID("wordpress-blog")
	host       = "blog.example"
)

var (
	_ publish.Publisher = (*wordpress.Publisher)(nil)
	_ publish.Looker    = (*wordpress.Publisher)(nil)
)

func canary() string { return publishtest.Canary }

func publisher(t *testing.T, handler http.Handler, with ...func(*wordpress.Config)) (*wordpress.Publisher, *publishtest.Transport) {
	t.Helper()
	transport := &publishtest.Transport{Handler: handler, Host: host}
	c := wordpress.Config{Connection: connection, Server: "https://" + host, User: wordpresstest.User, Password: canary, Transport: transport}
	for _, w := range with {
		w(&c)
	}
	p, err := wordpress.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return p, transport
}

// pictures gives a publisher the pictures of the suite.
func pictures(t *testing.T) func(*wordpress.Config) {
	t.Helper()
	room, err := publish.NewMediaRoom(publishtest.Pictures(t), publish.Guard{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return func(c *wordpress.Config) { c.Media = room }
}

func TestSuite(t *testing.T) {
	t.Parallel()
	pictures := pictures(t)
	for name, plain := range map[string]bool{"pretty permalinks": false, "plain permalinks": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			publishtest.Run(t, publishtest.Suite{
				Knows: true, // by the slug
				New: func(t *testing.T) *publishtest.Subject {
					server := &wordpresstest.Server{Password: publishtest.Canary, Plain: plain}
					p, transport := publisher(t, server, pictures)
					return &publishtest.Subject{
						Again: func() publishtest.Publisher {
							p, _ := publisher(t, server, pictures)
							return p
						},
						Publisher: p, Connection: connection, Live: func() []string {
							var out []string
							for _, l := range server.Ledger() {
								out = append(out, l.Text())
							}
							return out
						},
						Pictured: func(text string) (names []string) {
							for _, l := range server.Ledger() {
								for _, f := range server.Library() {
									if l.Text() == text && f.ID == l.Featured {
										names = append(names, publishtest.PictureIn(f.Content))
									}
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

// room returns a media room with pictures and a film.
func room(t *testing.T) func(*wordpress.Config) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"a.png": "\x89PNG\r\n\x1a\nrest", "b.png": "\x89PNG\r\n\x1a\nmore", "ä \"x\".png": "\x89PNG\r\n\x1a\nodd", "scan.tiff": "II*\x00rest",
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
	return func(c *wordpress.Config) { c.Media = media }
}

func TestWhatAPostIsMadeOf(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		content        post.Content
		title, written string
	}{
		"one line is the text, and its beginning the title": {post.Content{Text: "Hello there"}, "Hello there", "<p>Hello there</p>"},
		"a first line is the title":                         {post.Content{Text: "Spring\nIt is here.\nAt last.\n\n\nCome!"}, "Spring", "<p>It is here.<br />At last.</p>\n\n<p>Come!</p>"},
		"a title of its own":                                {post.Content{Title: "Q&A", Text: "One\nTwo"}, "Q&amp;A", "<p>One<br />Two</p>"},
		"a long line is no title":                           {post.Content{Text: strings.Repeat("word ", 40) + "\nmore"}, strings.Repeat("word ", 11) + "word…", "<p>" + strings.Repeat("word ", 40) + "<br />more</p>"},
		"markup means itself":                               {post.Content{Title: "t", Text: `<script>alert("x")</script> & [gallery]`}, "t", `<p>&lt;script&gt;alert("x")&lt;/script&gt; &amp; &#91;gallery&#93;</p>`},
		"links are links":                                   {post.Content{Title: "t", Text: "See https://go.dev/?a=1&b=2, please"}, "t", `<p>See <a href="https://go.dev/?a=1&amp;b=2">https://go.dev/?a=1&amp;b=2</a>, please</p>`},
		"a link of the row is below":                        {post.Content{Title: "t", Text: "See", Link: "https://go.dev/x"}, "t", "<p>See</p>\n\n" + `<p><a href="https://go.dev/x">https://go.dev/x</a></p>`},
		"a variant":                                         {post.Content{Text: "short", Variants: map[post.Platform]string{"wordpress": "long"}}, "long", "<p>long</p>"},
		"a picture is featured, more are below": {
			post.Content{Text: "see", Media: []post.Media{{URL: "a.png", Alt: "one"}, {URL: "b.png", Alt: `"two" <2>`}, {URL: "movie.mp4"}}},
			"see", "<p>see</p>\n\n" +
				`<figure class="wp-block-image"><img src="https://blog.example/wp-content/uploads/b.png" alt="&quot;two&quot; &lt;2&gt;" class="wp-image-2" /></figure>` + "\n\n" +
				`<figure class="wp-block-video"><video controls src="https://blog.example/wp-content/uploads/movie.mp4"></video></figure>`,
		},
		"a name that a header cannot hold": {post.Content{Title: "t", Text: "x", Media: []post.Media{{URL: `ä "x".png`}}}, "t", "<p>x</p>"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := &wordpresstest.Server{Password: publishtest.Canary}
			p, _ := publisher(t, server, room(t), func(c *wordpress.Config) {
				c.Categories, c.Tags = []string{"offers", "news"}, []string{"news"}
			})
			d := publishtest.NewDelivery(connection, c.content)
			r, err := p.Publish(t.Context(), *d, publishtest.Keep(d))
			if err != nil {
				t.Fatal(err)
			}
			got := server.Ledger()[0]
			if got.Title != c.title || got.Content != c.written {
				t.Errorf("got %q\n%s\nwant %q\n%s", got.Title, got.Content, c.title, c.written)
			}
			if want := "https://blog.example/" + d.Post.Key() + "/"; r.URL != want || r.RemoteID != fmt.Sprint(got.ID) {
				t.Errorf("receipt %+v, want %s", r, want)
			}
			if !reflect.DeepEqual(got.Categories, []int64{8, 7}) || !reflect.DeepEqual(got.Tags, []int64{7}) {
				t.Errorf("categories %v and tags %v", got.Categories, got.Tags)
			}
			files := server.Library()
			if len(files) != len(c.content.Media) || len(files) > 0 && got.Featured != files[0].ID {
				t.Errorf("featured is %d of %+v", got.Featured, files)
			}
			for i, f := range files {
				if f.Alt != c.content.Media[i].Alt || len(f.Content) == 0 {
					t.Errorf("file %+v", f)
				}
			}
		})
	}
}

// A second post with the slug would have another, so nothing is sent again before
// it was looked for.
func TestP2_EveryFurtherAttemptLooksFirst(t *testing.T) {
	t.Parallel()
	server := &wordpresstest.Server{Password: publishtest.Canary}
	p, _ := publisher(t, server)
	d := publishtest.NewDelivery(connection, post.Content{Text: "hello"})
	server.Next(publishtest.Lost)
	if _, err := p.Publish(t.Context(), *d, publishtest.Keep(d)); err == nil {
		t.Fatal("a lost answer is no failure")
	}
	d.Again = true // its attempts may count from one: a person had it tried again
	r, err := p.Publish(t.Context(), *d, publishtest.Keep(d))
	if err != nil || r.RemoteID != "1" || !r.Found || len(server.Ledger()) != 1 {
		t.Errorf("got %+v, %v, and live are %+v", r, err, server.Ledger())
	}
}

// Uploads outlive an attempt, but not their being deleted: WordPress takes a
// picture that is not there without a word.
func TestUploadsAreKeptAndMadeAgainWhereTheyAreGone(t *testing.T) {
	t.Parallel()
	for name, gone := range map[string]bool{"kept": false, "gone": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := &wordpresstest.Server{Password: publishtest.Canary}
			p, _ := publisher(t, server, room(t))
			d := publishtest.NewDelivery(connection, post.Content{Text: "see", Media: []post.Media{{URL: "a.png", Alt: "one"}}})
			server.Next(publishtest.Throttle)
			if _, err := p.Publish(t.Context(), *d, publishtest.Keep(d)); err == nil {
				t.Fatal("throttled, and no failure")
			}
			d.Post.Attempts++
			if gone {
				server.Forget()
				_, err := p.Publish(t.Context(), *d, publishtest.Keep(d))
				if f, ok := err.(*post.Failure); !ok || !f.Retryable() {
					t.Fatalf("got %v, want a failure to try again after", err)
				}
				d.Post.Attempts++
			}
			if _, err := p.Publish(t.Context(), *d, publishtest.Keep(d)); err != nil {
				t.Fatal(err)
			}
			files := server.Library()
			if got := server.Ledger()[0]; len(files) != 1 || got.Featured != files[0].ID || files[0].Alt != "one" {
				t.Errorf("got %+v with %+v", got, files)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	answers := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				fmt.Fprint(w, `{"namespaces":["wp/v2"]}`)
				return
			}
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}
	}
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		class   post.Class
		sent    post.Sent
		scope   post.Scope
		message string
	}{
		"a wrong password":      {answers(401, `{"code":"rest_cannot_create","message":"Sorry, you are not allowed."}`), post.ClassAuth, post.Refused, post.ScopeConnection, "Sorry, you are not allowed."},
		"words in markup":       {answers(401, `{"code":"incorrect_password","message":"<strong>Error:</strong> wrong &amp; so on"}`), post.ClassAuth, post.Refused, post.ScopeConnection, "Error: wrong & so on"},
		"no content":            {answers(400, `{"code":"empty_content","message":"Content is empty."}`), post.ClassInvalid, post.Refused, post.ScopePost, "Content is empty."},
		"a file type is a 500":  {answers(500, `{"code":"rest_upload_sideload_error","message":"not this file type"}`), post.ClassInvalid, post.Refused, post.ScopePost, "not this file type"},
		"a file too big":        {answers(400, `{"code":"rest_upload_file_too_big","message":"too big"}`), post.ClassLarge, post.Refused, post.ScopePost, "too big"},
		"too big for the proxy": {answers(413, "<html>"), post.ClassLarge, post.Refused, post.ScopePost, ""},
		"a broken site":         {answers(500, `{"code":"internal_server_error","message":"critical error"}`), post.ClassServer, post.SentMaybe, post.ScopePost, "critical error"},
		"a firewall":            {answers(403, "<html>blocked</html>"), post.ClassAuth, post.Refused, post.ScopeConnection, "no REST API"},
		"no route":              {answers(404, `{"code":"rest_no_route","message":"No route"}`), post.ClassInvalid, post.Refused, post.ScopeConnection, "switched"},
		"no WordPress":          {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }, post.ClassInvalid, post.SentNot, post.ScopeConnection, "no REST API"},
		"a broken index":        {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) }, post.ClassServer, post.SentNot, post.ScopePost, ""},
		"another address": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "https://www.blog.example/wp-json/")
			w.WriteHeader(301)
		}, post.ClassInvalid, post.Refused, post.ScopeConnection, "www.blog.example"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, _ := publisher(t, c.handler)
			d := publishtest.NewDelivery(connection, post.Content{Text: "hello"})
			_, err := p.Publish(t.Context(), *d, publishtest.Keep(d))
			f, ok := err.(*post.Failure)
			if !ok || f.Class != c.class || f.Sent != c.sent || f.Scope != c.scope || !strings.Contains(f.Message, c.message) {
				t.Errorf("got %+v", err)
			}
		})
	}
}

// What goes wrong before the call that posts never leaves the post in doubt.
func TestP2_NothingIsInDoubtBeforeThePost(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		content post.Content
		with    func(*wordpress.Config)
		message string
	}{
		"a file that is refused": {post.Content{Text: "x", Media: []post.Media{{URL: "scan.tiff"}}}, nil, "media scan.tiff: Sorry"},
		"no such category":       {post.Content{Text: "x"}, func(c *wordpress.Config) { c.Categories = []string{"none-such"} }, "categories: the site has none with the slug none-such"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := &wordpresstest.Server{Password: publishtest.Canary}
			with := []func(*wordpress.Config){room(t)}
			if c.with != nil {
				with = append(with, c.with)
			}
			p, _ := publisher(t, server, with...)
			d := publishtest.NewDelivery(connection, c.content)
			_, err := p.Publish(t.Context(), *d, publishtest.Keep(d))
			if f, ok := err.(*post.Failure); !ok || f.InDoubt() || f.Class != post.ClassInvalid || !strings.Contains(f.Message, c.message) || len(server.Ledger()) > 0 {
				t.Errorf("got %+v", err)
			}
		})
	}
}

func TestCheckSaysWhetherTheUserMayPublish(t *testing.T) {
	t.Parallel()
	p, _ := publisher(t, &wordpresstest.Server{Password: publishtest.Canary})
	if who, err := p.Check(t.Context()); err != nil || who.Username != "editor" || !reflect.DeepEqual(who.Permissions, []string{"publish_posts", "upload_files"}) {
		t.Errorf("got %+v, %v", who, err)
	}
	for name, server := range map[string]*wordpresstest.Server{
		"a contributor": {Password: publishtest.Canary, Role: "contributor"}, "another password": {Password: "other"},
	} {
		p, _ := publisher(t, server)
		_, err := p.Check(t.Context())
		if f, ok := err.(*post.Failure); !ok || f.Class != post.ClassAuth || f.Scope != post.ScopeConnection {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// The password goes out as base64 with the user: that form is a secret as well.
func TestP8_WhatTheSiteRepeatsOfThePasswordIsNotShown(t *testing.T) {
	t.Parallel()
	var sent string
	p, _ := publisher(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent = strings.TrimPrefix(r.Header.Get("Authorization"), "Basic ")
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintf(w, `{"code":"x","message":"refused: %s"}`, r.Header.Get("Authorization"))
	}))
	_, err := p.Check(t.Context())
	if err == nil || sent == "" || strings.Contains(err.Error(), sent) {
		t.Errorf("got %v", err)
	}
}

func TestConfigsThatCannotWork(t *testing.T) {
	t.Parallel()
	good := wordpress.Config{Connection: connection, Server: "https://blog.example/news/", User: "editor", Password: canary}
	if _, err := wordpress.New(good); err != nil {
		t.Error(err)
	}
	for want, change := range map[string]func(*wordpress.Config){
		"server: want a URL of https":    func(c *wordpress.Config) { c.Server = "blog.example" },
		"server: want https, as":         func(c *wordpress.Config) { c.Server = "http://blog.example" },
		"user: want the name":            func(c *wordpress.Config) { c.User = "" },
		"password: want an application":  func(c *wordpress.Config) { c.Password = func() string { return "" } },
		"categories: want slugs, like c": func(c *wordpress.Config) { c.Categories = []string{"Big News"} },
		"tags: want slugs, like company": func(c *wordpress.Config) { c.Tags = []string{""} },
	} {
		c := good
		change(&c)
		if _, err := wordpress.New(c); err == nil || !strings.HasPrefix(err.Error(), "wordpress wordpress-blog: "+want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
