// Package linkedin publishes to the profile of a member or to the page of an
// organisation on LinkedIn, by its Posts API.
//
// The call that posts is made once and never repeated here. What a page has
// posted can be listed, so a lost answer is looked up ([Publisher.Lookup]); what a
// member has posted cannot be read by apps, so such a post stays in doubt. When a
// person has it sent again, LinkedIn refuses a copy of what is live and names the
// post that is: that is then the receipt.
package linkedin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
)

// API is where LinkedIn answers.
const API = "https://api.linkedin.com"

// Version is the version of the API that is asked for, YYYYMM. LinkedIn keeps one
// for a year.
const Version = "202607"

// Config says what a LinkedIn connection is like.
type Config struct {
	Connection post.ConnectionID
	Tokens     publish.Tokens     // scopes w_member_social openid profile, or w_organization_social r_organization_social
	Author     string             // urn:li:person:… or urn:li:organization:…; "" is who the token belongs to
	Version    string             // [Version] when ""
	API        string             // [API] when ""
	Media      *publish.MediaRoom // nil for connections without media
	Timeout    time.Duration      // of one call, 60 s when 0
	Now        func() time.Time   // time.Now when nil
	Transport  http.RoundTripper  // instead of the network, for tests
}

// A Publisher posts as one author.
type Publisher struct {
	config Config
	api    string
	client *publish.Client
	rules  publish.Rules
	own    publish.Owned

	mu     sync.Mutex
	author string // "" until asked
}

var (
	authors  = regexp.MustCompile(`^urn:li:(person|organization):[A-Za-z0-9_-]+$`)
	versions = regexp.MustCompile(`^20[0-9]{2}(0[1-9]|1[0-2])$`)
)

// New returns a publisher. It calls nobody.
func New(c Config) (*Publisher, error) {
	wrong := func(format string, args ...any) (*Publisher, error) {
		return nil, fmt.Errorf("linkedin %s: "+format, append([]any{c.Connection}, args...)...)
	}
	if c.API == "" {
		c.API = API
	}
	if c.Version == "" {
		c.Version = Version
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	switch err := publish.CheckServer(c.API, false); {
	case err != nil:
		return wrong("api: %w, like %s", err, API)
	case c.Tokens == nil:
		return wrong("want a token")
	case c.Author != "" && !authors.MatchString(c.Author):
		return wrong("author: want one like urn:li:organization:123456")
	case !versions.MatchString(c.Version):
		return wrong("version: want a year and a month like %s", Version)
	}
	table, _ := limits.PlatformByKey("linkedin")
	return &Publisher{
		config: c, api: strings.TrimSuffix(c.API, "/"), author: c.Author, rules: publish.Rules{Limits: table, Media: c.Media},
		client: publish.NewClient(publish.ClientOptions{Transport: c.Transport, Timeout: c.Timeout, Now: c.Now}),
	}, nil
}

// Validate checks c against the limits of LinkedIn.
func (p *Publisher) Validate(c *post.Content) []post.Problem { return p.rules.Validate(c) }

// newPost is the body of POST /rest/posts.
type newPost struct {
	Author       string       `json:"author"`
	Commentary   string       `json:"commentary"`
	Visibility   string       `json:"visibility"`
	Distribution distribution `json:"distribution"`
	Content      *content     `json:"content,omitempty"`
	State        string       `json:"lifecycleState"`
	NoReshare    bool         `json:"isReshareDisabledByAuthor"`
}

type distribution struct {
	Feed     string   `json:"feedDistribution"`
	Targets  []string `json:"targetEntities"`
	Channels []string `json:"thirdPartyDistributionChannels"`
}

// content holds one of these.
type content struct {
	Media   *medium  `json:"media,omitempty"`
	Images  *images  `json:"multiImage,omitempty"`
	Article *article `json:"article,omitempty"`
}

type medium struct {
	ID    string `json:"id"`
	Title string `json:"title,omitempty"`
	Alt   string `json:"altText,omitempty"`
}

type images struct {
	Images []medium `json:"images"`
}

type article struct {
	Source string `json:"source"`
	Title  string `json:"title"`
}

// Publish uploads d's media, as far as an earlier attempt has not, posts, and then
// writes the first comment, where there is one.
func (p *Publisher) Publish(ctx context.Context, d post.Delivery, save publish.Save) (post.Receipt, error) {
	author, err := p.authorURN(ctx)
	if err != nil {
		return post.Receipt{}, publish.Unsent(err)
	}
	up := upload{publish.ReadUploads(&d, save, p.config.Now()), p, author}
	if d.Post.PartsLive() == 0 {
		if err := up.all(ctx, d.Content.Media); err != nil {
			return post.Receipt{}, err
		}
	}
	return publish.SendParts(ctx, &d, p.texts(&d.Content), save, func(ctx context.Context, at int, text string, before []post.Part) (post.Receipt, error) {
		if at > 0 {
			return p.comment(ctx, author, before[0].RemoteID, text, d.Again)
		}
		n := newPost{
			Author: author, Commentary: escape(text), Visibility: "PUBLIC", State: "PUBLISHED",
			Distribution: distribution{Feed: "MAIN_FEED", Targets: []string{}, Channels: []string{}}, Content: p.attached(&d.Content, &up),
		}
		return p.post(ctx, &d, &n, &up)
	})
}

// Scopes lists what a token must allow for a post.
func (p *Publisher) Scopes(*post.Content) []string {
	if strings.HasPrefix(p.config.Author, "urn:li:organization:") {
		return []string{"w_organization_social"}
	}
	return []string{"w_member_social"}
}

// texts are what the post says, and the first comment. A link has a place of its
// own only where there are no media.
func (p *Publisher) texts(c *post.Content) []string {
	text := publish.Compose(c, &p.rules.Limits)
	if c.Link != "" && len(c.Media) > 0 && !strings.Contains(text, c.Link) {
		text = strings.TrimSpace(text + "\n\n" + c.Link)
	}
	if c.FirstComment == "" {
		return []string{text}
	}
	return []string{text, c.FirstComment}
}

// attached is what hangs on the post: media, or a link, or nothing.
func (p *Publisher) attached(c *post.Content, up *upload) *content {
	var all []medium
	for i, id := range up.IDs() {
		all = append(all, medium{ID: id, Alt: c.Media[i].Alt})
	}
	switch {
	case len(all) > 1:
		return &content{Images: &images{all}}
	case len(all) == 1:
		all[0].Title = c.Title
		return &content{Media: &all[0]}
	case c.Link != "":
		title := c.Title
		if u, err := url.Parse(c.Link); title == "" && err == nil {
			title = u.Host // LinkedIn looks at no page, and wants a title
		}
		return &content{Article: &article{Source: c.Link, Title: title}}
	}
	return nil
}

// post makes the call that posts. Its answer is a header.
func (p *Publisher) post(ctx context.Context, d *post.Delivery, n *newPost, up *upload) (post.Receipt, error) {
	r := p.request(http.MethodPost, "/rest/posts")
	if err := r.AsJSON(n); err != nil {
		return post.Receipt{}, err
	}
	a, err := p.client.DoAs(ctx, p.config.Tokens, r)
	if err != nil {
		return post.Receipt{}, err
	}
	urn := a.Header.Get("X-Restli-Id")
	switch {
	case a.Status < 200 || a.Status > 299:
		copied, live, f := p.refusal(a)
		switch {
		case live != "" && d.Again && !p.own.ByAnother(live, d.Post.Key()):
			urn = live // an earlier attempt made it so
		case copied && d.Again:
			f.Class, f.Sent, f.Copy = post.ClassServer, post.SentMaybe, true // or that did, and it does not say
			return post.Receipt{}, f
		case f.Class == post.ClassInvalid && up.Reused && !copied:
			return post.Receipt{}, up.Forget(f)
		default:
			return post.Receipt{}, f
		}
	case urn == "":
		return post.Receipt{}, p.client.Doubt(a, errors.New("it names no post"))
	}
	p.own.Add(urn, d.Post.Key())
	return post.Receipt{RemoteID: urn, URL: permalink(urn), PublishedAt: a.At.UTC()}, nil
}

func permalink(urn string) string { return "https://www.linkedin.com/feed/update/" + urn + "/" }

// comment writes the first comment. One that is refused as a copy may be there from an
// earlier attempt.
func (p *Publisher) comment(ctx context.Context, author, urn, text string, again bool) (post.Receipt, error) {
	r := p.request(http.MethodPost, "/rest/socialActions/"+url.PathEscape(urn)+"/comments")
	if err := r.AsJSON(map[string]any{"actor": author, "object": urn, "message": map[string]string{"text": text}}); err != nil {
		return post.Receipt{}, err
	}
	a, err := p.client.DoAs(ctx, p.config.Tokens, r)
	if err != nil {
		return post.Receipt{}, err
	}
	if a.Status < 200 || a.Status > 299 {
		copied, _, f := p.refusal(a)
		if copied && again {
			f.Class, f.Sent, f.Copy = post.ClassServer, post.SentMaybe, true
		}
		f.Message = "first comment: " + f.Message
		return post.Receipt{}, f
	}
	id := a.Header.Get("X-Restli-Id")
	if id == "" {
		return post.Receipt{}, p.client.Doubt(a, errors.New("it names no comment"))
	}
	return post.Receipt{RemoteID: id, URL: permalink(urn), PublishedAt: a.At.UTC()}, nil
}

// request returns a call of the versioned API.
func (p *Publisher) request(method, path string) publish.Request {
	return publish.Request{Method: method, URL: p.api + path, Header: http.Header{
		"Linkedin-Version": {p.config.Version}, "X-Restli-Protocol-Version": {"2.0.0"},
	}}
}

var duplicateOf = regexp.MustCompile(`urn:li:(?:share|ugcPost|activity):[0-9]+`)

// refusal classifies an answer. copied says that it refuses a copy, and live of which
// post, "" when it does not say.
func (p *Publisher) refusal(a *publish.Answer) (copied bool, live string, f *post.Failure) {
	f = p.client.Refusal(a)
	var said struct {
		Message string `json:"message"`
		Details struct {
			Inputs []struct {
				Code string `json:"code"`
			} `json:"inputErrors"`
		} `json:"errorDetails"`
	}
	if a.Decode(&said) != nil {
		said.Message = "" // the status tells enough
	}
	for _, in := range said.Details.Inputs {
		if strings.HasPrefix(in.Code, "DUPLICATE") {
			copied, live = true, duplicateOf.FindString(said.Message)
		}
	}
	switch {
	case a.Status == http.StatusUpgradeRequired:
		f.Class, f.Scope = post.ClassAuth, post.ScopeConnection
		f.Message = "LinkedIn no longer answers version " + p.config.Version + " of its API: set a newer version, or update postroom"
	case strings.Contains(said.Message, "MEDIA_ASSET_PROCESSING_FAILED"):
		f.Message = "LinkedIn could not process the media: try another format, like JPEG or MP4"
	}
	if f.Sent == post.Refused && strings.Contains(strings.ToLower(said.Message), "duplicate") {
		copied = true
	}
	return copied, live, f
}

// me is who the token belongs to.
type me struct {
	Sub  string `json:"sub"`
	Name string `json:"name"`
}

// Check asks who the token belongs to.
func (p *Publisher) Check(ctx context.Context) (post.Identity, error) {
	who, err := p.whoAmI(ctx)
	if err != nil {
		return post.Identity{}, err
	}
	name := who.Name
	if p.config.Author != "" {
		name = p.config.Author
	}
	return post.Identity{Username: name, DisplayName: who.Name, ProfileURL: "https://www.linkedin.com/in/me/"}, nil
}

func (p *Publisher) whoAmI(ctx context.Context) (me, error) {
	var who me
	a, err := p.get(ctx, publish.Request{Method: http.MethodGet, URL: p.api + "/v2/userinfo"}, &who)
	if err != nil {
		return who, err
	}
	if who.Sub == "" {
		return who, p.client.Doubt(a, errors.New("it names nobody"))
	}
	return who, nil
}

// authorURN returns as whom to post.
func (p *Publisher) authorURN(ctx context.Context) (string, error) {
	p.mu.Lock()
	urn := p.author
	p.mu.Unlock()
	if urn != "" {
		return urn, nil
	}
	who, err := p.whoAmI(ctx)
	if err != nil {
		return "", err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.author = "urn:li:person:" + who.Sub
	return p.author, nil
}

// get reads JSON. The error is a *post.Failure.
func (p *Publisher) get(ctx context.Context, r publish.Request, v any) (*publish.Answer, error) {
	a, err := p.client.DoAs(ctx, p.config.Tokens, r)
	if err != nil {
		return nil, err
	}
	if a.Status != http.StatusOK {
		_, _, f := p.refusal(a)
		return a, f
	}
	if err := a.Decode(v); err != nil {
		return a, p.client.Doubt(a, err)
	}
	return a, nil
}
