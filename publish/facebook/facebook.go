// Package facebook publishes to a Facebook page, by the Graph API.
//
// The call that posts is made once and never repeated here. A lost answer is
// settled by a look at the page's own feed ([Publisher.Lookup]); Facebook refuses a
// text that the page has just posted, which is a second net.
package facebook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
	"github.com/postroom/postroom/publish/meta"
)

// API is where Facebook answers.
const API = "https://graph.facebook.com"

// Config says what a Facebook connection is like.
type Config struct {
	Connection post.ConnectionID
	Tokens     publish.Tokens     // of the page: pages_manage_posts, pages_read_engagement, and pages_manage_engagement for first comments
	Page       string             // the id of the page; "" is whose the token is
	AppSecret  func() string      // nil for none
	API        string             // [API] when ""
	Version    string             // [meta.Version] when ""
	Media      *publish.MediaRoom // nil for connections without media
	Timeout    time.Duration      // of one call, 60 s when 0
	Now        func() time.Time   // time.Now when nil
	Transport  http.RoundTripper  // instead of the network, for tests
}

// A Publisher posts to one page.
type Publisher struct {
	graph *meta.Graph
	page  string // in paths
	media *publish.MediaRoom
	rules publish.Rules
}

// New returns a publisher. It calls nobody.
func New(c Config) (*Publisher, error) {
	if c.API == "" {
		c.API = API
	}
	if c.Version == "" {
		c.Version = meta.Version
	}
	if c.Page == "" {
		c.Page = "me"
	}
	g, err := meta.New(meta.Config{
		Driver: "facebook", Connection: c.Connection, Tokens: c.Tokens, AppSecret: c.AppSecret, API: c.API, Version: c.Version,
		Timeout: c.Timeout, Now: c.Now, Transport: c.Transport,
	})
	if err != nil {
		return nil, err
	}
	table, _ := limits.PlatformByKey("facebook")
	return &Publisher{graph: g, page: url.PathEscape(c.Page), media: c.Media, rules: publish.Rules{Limits: table, Media: c.Media}}, nil
}

// Validate checks c against the limits of Facebook.
func (p *Publisher) Validate(c *post.Content) []post.Problem { return p.rules.Validate(c) }

// Pace returns what Facebook last said of its rate limit.
func (p *Publisher) Pace() publish.Pace { return p.graph.Client.Pace() }

// Publish uploads d's pictures, as far as an earlier attempt has not, posts, and
// then writes the first comment, where there is one.
func (p *Publisher) Publish(ctx context.Context, d post.Delivery, save publish.Save) (post.Receipt, error) {
	film := len(d.Content.Media) == 1 && publish.IsFilm(&d.Content.Media[0])
	up := publish.ReadUploads(&d, save, p.graph.Now())
	if d.Post.PartsLive() == 0 && len(d.Content.Media) > 0 {
		if p.media == nil {
			return post.Receipt{}, publish.NoMediaRoom()
		}
		if !film {
			if err := up.All(ctx, d.Content.Media, p.picture, nil); err != nil {
				return post.Receipt{}, err
			}
		}
	}
	return publish.SendParts(ctx, &d, p.texts(&d.Content), save, func(ctx context.Context, at int, text string, before []post.Part) (post.Receipt, error) {
		if at > 0 {
			return p.graph.Comment(ctx, before[0].RemoteID, text, d.Again)
		}
		var got struct {
			ID string `json:"id"`
		}
		send := func() (*publish.Answer, error) { return p.write(ctx, &d.Content, text, up, &got) }
		if film {
			send = func() (*publish.Answer, error) { return p.film(ctx, &d.Content, text, save, &got) }
		}
		a, err := send()
		if err == nil {
			err = p.graph.ID(a, got.ID)
		}
		if err != nil {
			return post.Receipt{}, refused(&d, a, err, up)
		}
		p.graph.Own.Add(got.ID, d.Post.Key())
		return post.Receipt{RemoteID: got.ID, URL: p.permalink(ctx, got.ID), PublishedAt: a.At.UTC()}, nil
	})
}

// refused decides what a failure of the call that posts means.
func refused(d *post.Delivery, a *publish.Answer, err error, up *publish.Uploads) error {
	f, ok := errors.AsType[*post.Failure](err)
	switch {
	case !ok:
	case meta.ErrorOf(a).Code == meta.CodeDuplicate && d.Again:
		// An earlier attempt may have made it live: only a look can tell.
		f.Class, f.Sent, f.Copy = post.ClassServer, post.SentMaybe, true
	case f.Class == post.ClassInvalid && f.Sent == post.Refused && up.Reused && meta.ErrorOf(a).Code != meta.CodeDuplicate:
		if d.Again { // what hangs on a post already is refused in the same words
			f.Sent = post.SentMaybe
		}
		return up.Forget(f)
	}
	return err
}

// Scopes lists what a token must allow for a post.
func (p *Publisher) Scopes(c *post.Content) []string {
	need := []string{"pages_manage_posts", "pages_read_engagement"}
	if c.FirstComment != "" {
		need = append(need, "pages_manage_engagement")
	}
	return need
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

// picture uploads one picture that nobody sees yet.
func (p *Publisher) picture(ctx context.Context, m *post.Media, alive publish.Save) (publish.Upload, error) {
	file, err := p.media.Ready(ctx, *m, &p.rules.Limits.Media)
	if err != nil {
		return publish.Upload{}, err
	}
	defer file.Close()
	form := publish.NewForm()
	form.Field("published", "false")
	if m.Alt != "" {
		form.Field("alt_text_custom", m.Alt)
	}
	form.File("source", file)
	var got struct {
		ID string `json:"id"`
	}
	a, err := p.graph.PostForm(ctx, "/"+p.page+"/photos", form, alive, &got)
	if err == nil {
		err = p.graph.ID(a, got.ID)
	}
	return publish.Upload{ID: got.ID, Till: p.graph.Now().Add(24 * time.Hour)}, err // unpublished photos go after a day
}

// write makes the call that posts a text, with a link or pictures.
func (p *Publisher) write(ctx context.Context, c *post.Content, text string, up *publish.Uploads, v any) (*publish.Answer, error) {
	form := url.Values{}
	if text != "" {
		form.Set("message", text)
	}
	ids := up.IDs()
	if c.Link != "" && len(ids) == 0 {
		form.Set("link", c.Link)
	}
	for i, id := range ids {
		attached, err := json.Marshal(map[string]string{"media_fbid": id})
		if err != nil {
			return nil, &post.Failure{Class: post.ClassInvalid, Sent: post.SentNot, Message: err.Error()}
		}
		form.Set(fmt.Sprintf("attached_media[%d]", i), string(attached))
	}
	return p.graph.Post(ctx, "/"+p.page+"/feed", form, v)
}

// film makes the call that posts a film. The file goes with it.
func (p *Publisher) film(ctx context.Context, c *post.Content, text string, alive publish.Save, v any) (*publish.Answer, error) {
	file, err := p.media.Ready(ctx, c.Media[0], &p.rules.Limits.Media)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	form := publish.NewForm()
	if text != "" {
		form.Field("description", text)
	}
	if c.Title != "" {
		form.Field("title", c.Title)
	}
	form.File("source", file)
	return p.graph.PostForm(ctx, "/"+p.page+"/videos", form, alive, v)
}

// permalink asks where a post is.
func (p *Publisher) permalink(ctx context.Context, id string) string {
	var got struct {
		Permalink string `json:"permalink_url"`
	}
	if _, err := p.graph.Get(ctx, "/"+url.PathEscape(id), url.Values{"fields": {"permalink_url"}}, &got); err != nil || got.Permalink == "" {
		return "https://www.facebook.com/" + id // it is live all the same
	}
	if strings.HasPrefix(got.Permalink, "/") { // of films
		return "https://www.facebook.com" + got.Permalink
	}
	return got.Permalink
}

const (
	clockSlack = 5 * time.Minute // a post may look this much older than its intent
	pageSize   = 50              // posts that are asked for
)

// Lookup searches the page's feed back to five minutes before d's first attempt for a
// post that says the same, and looks whether its first comment is there. A film
// appears in the feed only when Facebook has processed it, so that its absence
// decides nothing.
func (p *Publisher) Lookup(ctx context.Context, d post.Delivery) (post.Found, error) {
	return publish.FindParts(ctx, &d, p.texts(&d.Content)[0], func(ctx context.Context, at int, text string, before []post.Part) (post.Found, error) {
		if at > 0 {
			return p.graph.LookComment(ctx, before[0].RemoteID, text)
		}
		return p.look(ctx, &d, text)
	})
}

func (p *Publisher) look(ctx context.Context, d *post.Delivery, text string) (post.Found, error) {
	film := len(d.Content.Media) == 1 && publish.IsFilm(&d.Content.Media[0])
	edge, field := "/feed", "message"
	if film {
		edge, field = "/videos", "description"
	}
	from := publish.Earliest(d).Add(-clockSlack)
	var page struct {
		Data []struct {
			ID          string `json:"id"`
			Message     string `json:"message"`
			Description string `json:"description"`
			Created     string `json:"created_time"`
			Permalink   string `json:"permalink_url"`
		} `json:"data"`
	}
	if _, err := p.graph.Get(ctx, "/"+p.page+edge, url.Values{
		"fields": {"id,created_time,permalink_url," + field}, "since": {fmt.Sprint(from.Unix())}, "limit": {fmt.Sprint(pageSize)},
	}, &page); err != nil {
		return post.Found{}, err
	}
	open := len(page.Data) == pageSize || film
	for _, e := range page.Data {
		made := meta.Time(e.Created)
		switch {
		case publish.Bare(e.Message+e.Description) != publish.Bare(text), p.graph.Own.ByAnother(e.ID, d.Post.Key()):
			continue
		case made.IsZero(), publish.Bare(text) == "" && !made.Before(from):
			open = true // nothing tells whether it is this one
			continue
		case made.Before(from):
			continue
		}
		p.graph.Own.Add(e.ID, d.Post.Key())
		return post.Found{State: post.Present, Receipt: post.Receipt{RemoteID: e.ID, URL: e.Permalink, PublishedAt: made, Found: true}}, nil
	}
	if open {
		return post.Found{State: post.Undecidable}, nil
	}
	return post.Found{State: post.Absent}, nil
}

// Check asks whose page it is.
func (p *Publisher) Check(ctx context.Context) (post.Identity, error) {
	var me struct {
		ID   string `json:"id"`
		Name string `json:"name"`
		Link string `json:"link"`
	}
	a, err := p.graph.Get(ctx, "/"+p.page, url.Values{"fields": {"id,name,link"}}, &me)
	if err == nil {
		err = p.graph.ID(a, me.Name)
	}
	if err != nil {
		return post.Identity{}, err
	}
	return post.Identity{Username: me.Name, DisplayName: me.Name, ProfileURL: me.Link}, nil
}
