// Package wordpress publishes posts to a WordPress site, by its REST API.
//
// WordPress takes the same post twice without a word, but a post has a slug, and
// ours is the post's key. Whether a post is live is therefore an exact question
// ([Publisher.Lookup]), and it is asked before every call but the first.
package wordpress

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
)

// Config says what a WordPress connection is like.
type Config struct {
	Connection post.ConnectionID
	Server     string             // the URL of the site, like https://blog.example.org
	User       string             // whose application password it is
	Password   func() string      // an application password; a function so that no print shows it
	Categories []string           // slugs of categories that exist; none for the site's default
	Tags       []string           // slugs of tags that exist
	Media      *publish.MediaRoom // nil for connections without media
	Timeout    time.Duration      // of one call, 60 s when 0
	Now        func() time.Time   // time.Now when nil
	Transport  http.RoundTripper  // instead of the network, for tests
}

// A Publisher posts to one site.
type Publisher struct {
	config Config
	client *publish.Client
	rules  publish.Rules

	mu    sync.Mutex
	root  string             // of the REST API, "" until it was found
	terms map[string][]int64 // ids of categories and tags, by their path, once asked
}

var slugs = regexp.MustCompile(`^[a-z0-9%_-]+$`)

func areSlugs(all []string) bool {
	return !slices.ContainsFunc(all, func(s string) bool { return !slugs.MatchString(s) })
}

// New returns a publisher. It calls nobody.
func New(c Config) (*Publisher, error) {
	wrong := func(format string, args ...any) (*Publisher, error) {
		return nil, fmt.Errorf("wordpress %s: "+format, append([]any{c.Connection}, args...)...)
	}
	if err := publish.CheckServer(c.Server, false); err != nil {
		return wrong("server: %w, like https://blog.example.org", err)
	}
	switch {
	case c.User == "" || strings.Contains(c.User, ":"):
		return wrong("user: want the name that logs in, without a colon")
	case c.Password == nil || c.Password() == "":
		return wrong("password: want an application password")
	case !areSlugs(c.Categories):
		return wrong("categories: want slugs, like company-news")
	case !areSlugs(c.Tags):
		return wrong("tags: want slugs, like company-news")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Server = strings.TrimSuffix(c.Server, "/")
	table, _ := limits.PlatformByKey("wordpress")
	return &Publisher{
		config: c, rules: publish.Rules{Limits: table, Media: c.Media}, terms: map[string][]int64{},
		client: publish.NewClient(publish.ClientOptions{Transport: c.Transport, Timeout: c.Timeout, Now: c.Now, Secrets: c.secrets}),
	}, nil
}

// secrets returns what no error may show: the password as it is and as it is sent.
func (c *Config) secrets() []string { return []string{c.Password(), c.basic()} }

func (c *Config) basic() string {
	return base64.StdEncoding.EncodeToString([]byte(c.User + ":" + c.Password()))
}

// Validate checks that there is something to post: WordPress has no limits of its
// own.
func (p *Publisher) Validate(c *post.Content) []post.Problem { return p.rules.Validate(c) }

// newPost is the body of POST /wp/v2/posts.
type newPost struct {
	Title      string  `json:"title"`
	Content    string  `json:"content"`
	Status     string  `json:"status"`
	Slug       string  `json:"slug"`
	Featured   int64   `json:"featured_media,omitempty"`
	Categories []int64 `json:"categories,omitempty"`
	Tags       []int64 `json:"tags,omitempty"`
}

// remotePost is what is read of a post.
type remotePost struct {
	ID   int64  `json:"id"`
	Slug string `json:"slug"`
	Link string `json:"link"`
	Date string `json:"date_gmt"` // without a zone
}

const postFields = "id,slug,link,date_gmt"

func (r *remotePost) receipt() post.Receipt {
	return post.Receipt{RemoteID: strconv.FormatInt(r.ID, 10), URL: r.Link}
}

// Publish uploads d's media, as far as an earlier attempt has not, and posts.
func (p *Publisher) Publish(ctx context.Context, d post.Delivery, save publish.Save) (post.Receipt, error) {
	if d.Again {
		found, err := p.Lookup(ctx, d)
		if err != nil {
			return post.Receipt{}, publish.Unsent(err)
		}
		if found.State == post.Present {
			return found.Receipt, nil
		}
	}
	n, err := p.prepare(ctx, &d, save)
	if err != nil {
		return post.Receipt{}, publish.Unsent(err)
	}
	r := publish.Request{Method: http.MethodPost}
	if err := r.AsJSON(n); err != nil {
		return post.Receipt{}, err
	}
	var made remotePost
	a, err := p.call(ctx, r, "/wp/v2/posts", url.Values{"_fields": {postFields}}, &made)
	if err != nil {
		return post.Receipt{}, err
	}
	if made.ID == 0 {
		return post.Receipt{}, p.client.Doubt(a, errors.New("it names no post"))
	}
	receipt := made.receipt()
	receipt.PublishedAt = a.At.UTC()
	return receipt, nil
}

// prepare brings the media to the site and returns the post. Nothing of it is seen
// yet.
func (p *Publisher) prepare(ctx context.Context, d *post.Delivery, save publish.Save) (*newPost, error) {
	text := publish.Compose(&d.Content, &p.rules.Limits)
	title, body := headline(d.Content.Title, text)
	n := &newPost{Title: escapes.Replace(title), Content: htmlOf(body), Status: "publish", Slug: d.Post.Key()}
	var err error
	if n.Categories, err = p.termIDs(ctx, "categories", p.config.Categories); err != nil {
		return nil, err
	}
	if n.Tags, err = p.termIDs(ctx, "tags", p.config.Tags); err != nil {
		return nil, err
	}
	if len(d.Content.Media) == 0 {
		return n, nil
	}
	if p.config.Media == nil {
		return nil, publish.NoMediaRoom()
	}
	up := publish.ReadUploads(d, save, p.config.Now())
	if err := up.All(ctx, d.Content.Media, p.upload, p.describe); err != nil {
		return nil, err
	}
	files, err := p.uploaded(ctx, up)
	if err != nil {
		return nil, err
	}
	for i, f := range files {
		if n.Featured == 0 && strings.HasPrefix(f.Type, "image/") {
			n.Featured = f.ID // themes show it above the post
			continue
		}
		n.Content += f.figure(d.Content.Media[i].Alt)
	}
	return n, nil
}

// termIDs returns the ids of terms by their slugs, which must all exist. taxonomy is
// categories or tags.
func (p *Publisher) termIDs(ctx context.Context, taxonomy string, want []string) ([]int64, error) {
	p.mu.Lock()
	ids := p.terms[taxonomy]
	p.mu.Unlock()
	if ids != nil || len(want) == 0 {
		return ids, nil
	}
	var terms []struct {
		ID   int64  `json:"id"`
		Slug string `json:"slug"`
	}
	if _, err := p.call(ctx, publish.Request{Method: http.MethodGet}, "/wp/v2/"+taxonomy, url.Values{
		"slug": {strings.Join(want, ",")}, "per_page": {strconv.Itoa(mostListed)}, "_fields": {"id,slug"},
	}, &terms); err != nil {
		return nil, err
	}
	for _, slug := range want {
		missing := true
		for _, t := range terms {
			if t.Slug == slug {
				ids, missing = append(ids, t.ID), false
			}
		}
		if missing {
			return nil, &post.Failure{
				Class: post.ClassInvalid, Sent: post.SentNot, Scope: post.ScopeConnection,
				Message: taxonomy + ": the site has none with the slug " + slug,
			}
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.terms[taxonomy] = ids
	return ids, nil
}

// mostListed is how many of a list WordPress gives at once.
const mostListed = 100

// Lookup asks for the post with d's slug. The answer is exact: nobody else makes
// such a slug, and a second post with it would have another.
func (p *Publisher) Lookup(ctx context.Context, d post.Delivery) (post.Found, error) {
	var posts []remotePost
	if _, err := p.call(ctx, publish.Request{Method: http.MethodGet}, "/wp/v2/posts", url.Values{
		"slug": {d.Post.Key()}, "status": {"any"}, "context": {"edit"}, "_fields": {postFields},
	}, &posts); err != nil {
		return post.Found{}, err
	}
	at := slices.IndexFunc(posts, func(r remotePost) bool { return r.Slug == d.Post.Key() })
	if at < 0 {
		return post.Found{State: post.Absent}, nil
	}
	receipt := posts[at].receipt()
	receipt.Found, receipt.PublishedAt = true, d.Post.BegunAt.UTC()
	if made, err := time.Parse("2006-01-02T15:04:05", posts[at].Date); err == nil {
		receipt.PublishedAt = made
	}
	return post.Found{State: post.Present, Receipt: receipt}, nil
}

// Check asks who the password belongs to, and whether they may publish.
func (p *Publisher) Check(ctx context.Context) (post.Identity, error) {
	var me struct {
		ID   int64           `json:"id"`
		Name string          `json:"name"`
		Slug string          `json:"slug"`
		Link string          `json:"link"`
		Can  map[string]bool `json:"capabilities"`
	}
	a, err := p.call(ctx, publish.Request{Method: http.MethodGet}, "/wp/v2/users/me", url.Values{"context": {"edit"}}, &me)
	if err != nil {
		return post.Identity{}, err
	}
	switch {
	case me.ID == 0:
		return post.Identity{}, p.client.Doubt(a, errors.New("it names nobody"))
	case !me.Can["publish_posts"]:
		return post.Identity{}, &post.Failure{
			Class: post.ClassAuth, Sent: post.Refused, Scope: post.ScopeConnection, Status: a.Status,
			Message: "the user may not publish posts on this site: give them the role Author, or a higher one",
		}
	}
	id := post.Identity{Username: me.Slug, DisplayName: me.Name, ProfileURL: me.Link}
	for _, may := range []string{"publish_posts", "upload_files"} {
		if me.Can[may] {
			id.Permissions = append(id.Permissions, may)
		}
	}
	return id, nil
}
