// Package threads publishes to a profile on Threads, from containers: what the
// platform has prepared is published once, however often that is asked for, so no
// post goes out twice. A text that is too long becomes a thread, where the
// connection says that its app may answer its own posts.
//
// Threads fetches media itself, so they must have an address that anybody can
// open.
package threads

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
	"github.com/postroom/postroom/publish/meta"
)

// API is where Threads answers, and Version its version.
const (
	API     = "https://graph.threads.net"
	Version = "v1.0"
)

// Blocked is what is said of a thread on a connection whose app may not answer its
// own posts (CONTRACT §5.1, D8).
const Blocked = "Multi-part threads (nested replies) are temporarily blocked while we wait for Meta to approve additional permissions for our app."

// Config says what a Threads connection is like.
type Config struct {
	Connection post.ConnectionID
	Tokens     publish.Tokens // threads_basic, threads_content_publish, and threads_manage_replies for Multipart
	User       string         // the id of the profile; "" is whose the token is
	AppSecret  func() string  // nil for none
	Multipart  bool           // the app may answer its own posts
	Numbering  publish.Numbering
	API        string             // [API] when ""
	Version    string             // [Version] when ""
	Media      *publish.MediaRoom // gives the addresses of media; nil for connections without
	Timeout    time.Duration      // of one call, 60 s when 0
	Now        func() time.Time   // time.Now when nil
	Transport  http.RoundTripper  // instead of the network, for tests
}

// A Publisher posts to one profile.
type Publisher struct {
	config Config
	graph  *meta.Graph
	flow   meta.Flow
	rules  publish.Rules
}

// New returns a publisher. It calls nobody.
func New(c Config) (*Publisher, error) {
	if c.API == "" {
		c.API = API
	}
	if c.Version == "" {
		c.Version = Version
	}
	if c.User == "" {
		c.User = "me"
	}
	g, err := meta.New(meta.Config{
		Driver: "threads", Connection: c.Connection, Tokens: c.Tokens, AppSecret: c.AppSecret, API: c.API, Version: c.Version,
		Timeout: c.Timeout, Now: c.Now, Transport: c.Transport,
	})
	if err != nil {
		return nil, err
	}
	table, _ := limits.PlatformByKey("threads")
	p := &Publisher{config: c, graph: g, rules: publish.Rules{Limits: table, Numbering: c.Numbering, Media: c.Media, Fetches: true}}
	p.flow = meta.Flow{
		Graph: g, User: url.PathEscape(c.User), Create: "threads", Publish: "threads_publish", Status: "status", Reason: "error_message", Find: p.find,
	}
	return p, nil
}

// replyControls are who may answer.
var replyControls = []string{"everyone", "accounts_you_follow", "mentioned_only", "parent_post_author_only", "followers_only"}

// settings are what platform_settings may say under "threads" (CONTRACT §5.3).
type settings struct {
	ReplyControl string `json:"replyControl"`
}

func settingsOf(c *post.Content) (settings, error) {
	var all struct {
		Threads settings `json:"threads"`
	}
	if len(c.Settings) == 0 {
		return all.Threads, nil
	}
	if err := json.Unmarshal(c.Settings, &all); err != nil {
		return all.Threads, fmt.Errorf(`an object like {"threads": {"replyControl": "everyone"}}`)
	}
	if r := all.Threads.ReplyControl; r != "" && !slices.Contains(replyControls, r) {
		return all.Threads, fmt.Errorf("replyControl everyone, accounts_you_follow or mentioned_only, not %q", r)
	}
	return all.Threads, nil
}

// Validate checks c against the limits of Threads, and that its media have an
// address.
func (p *Publisher) Validate(c *post.Content) []post.Problem {
	problems := p.rules.Validate(c)
	if _, err := settingsOf(c); err != nil {
		problems = append(problems, post.Problem{
			Platform: "threads", Field: "platform_settings", Code: publish.CodeSettingInvalid, Want: err.Error(), Hint: "correct it, or take it out",
		})
	}
	if texts, err := p.rules.Texts(c); err == nil && len(texts) > 1 && !p.config.Multipart {
		problems = append(problems, post.Problem{
			Platform: "threads", Field: "content", Code: publish.CodeInvalid, Got: post.Shorten(texts[0]), Want: Blocked,
			Hint: "shorten it, or say `multipart: true` where the app has threads_manage_replies",
		})
	}
	return problems
}

// Scopes lists what a token must allow for a post.
func (p *Publisher) Scopes(c *post.Content) []string {
	need := []string{"threads_basic", "threads_content_publish"}
	if texts, err := p.rules.Texts(c); err == nil && len(texts) > 1 {
		need = append(need, "threads_manage_replies")
	}
	return need
}

// Pace returns what Threads last said of its rate limit.
func (p *Publisher) Pace() publish.Pace { return p.graph.Client.Pace() }

// Publish publishes the post, as a thread when it is too long.
func (p *Publisher) Publish(ctx context.Context, d post.Delivery, save publish.Save) (post.Receipt, error) {
	s, err := settingsOf(&d.Content)
	if err != nil {
		return post.Receipt{}, &post.Failure{Class: post.ClassInvalid, Sent: post.SentNot, Message: "platform_settings: " + err.Error()}
	}
	texts, err := p.rules.Texts(&d.Content)
	if err != nil {
		return post.Receipt{}, err
	}
	if len(texts) > 1 && !p.config.Multipart {
		return post.Receipt{}, &post.Failure{Class: post.ClassInvalid, Sent: post.SentNot, Message: Blocked}
	}
	return publish.SendParts(ctx, &d, texts, save, func(ctx context.Context, at int, text string, before []post.Part) (post.Receipt, error) {
		return p.flow.Send(ctx, &d, at, text, func() (meta.Forms, error) { return p.forms(ctx, &d.Content, at, text, before, s) }, save)
	})
}

// forms says what the containers of a part hold. Media are the first part's.
func (p *Publisher) forms(ctx context.Context, c *post.Content, at int, text string, before []post.Part, s settings) (meta.Forms, error) {
	own := url.Values{"media_type": {"TEXT"}}
	if text != "" {
		own.Set("text", text)
	}
	if s.ReplyControl != "" {
		own.Set("reply_control", s.ReplyControl)
	}
	if at > 0 {
		own.Set("reply_to_id", before[at-1].RemoteID)
		return meta.Forms{Own: own}, nil
	}
	var each []url.Values
	for _, m := range c.Media {
		if p.config.Media == nil {
			return meta.Forms{}, publish.NoMediaRoom()
		}
		link, err := p.config.Media.Link(ctx, m, &p.rules.Limits.Media)
		if err != nil {
			return meta.Forms{}, err
		}
		form := url.Values{"media_type": {"IMAGE"}, "image_url": {link}}
		if publish.IsFilm(&m) {
			form = url.Values{"media_type": {"VIDEO"}, "video_url": {link}}
		}
		if m.Alt != "" {
			form.Set("alt_text", m.Alt)
		}
		each = append(each, form)
	}
	if len(each) == 1 {
		for name, values := range each[0] {
			own[name] = values
		}
		return meta.Forms{Own: own}, nil
	}
	for _, form := range each {
		form.Set("is_carousel_item", "true")
	}
	if len(each) > 1 {
		own.Set("media_type", "CAROUSEL")
	}
	return meta.Forms{Own: own, Children: each}, nil
}

// Lookup asks whether the containers that d was to be published from have been.
func (p *Publisher) Lookup(ctx context.Context, d post.Delivery) (post.Found, error) {
	return publish.FindParts(ctx, &d, publish.Compose(&d.Content, &p.rules.Limits), func(ctx context.Context, at int, text string, _ []post.Part) (post.Found, error) {
		return p.flow.Look(ctx, &d, at, text)
	})
}

// find looks for a post among the profile's newest, answers included.
func (p *Publisher) find(ctx context.Context, key, text string, from time.Time) (post.Receipt, error) {
	for _, edge := range []string{"/threads", "/replies"} {
		r, err := p.graph.FindListed(ctx, "/"+p.flow.User+edge, "text", key, text, from)
		if err != nil || r.RemoteID != "" {
			return r, err
		}
	}
	return post.Receipt{}, nil
}

// Check asks whose profile it is.
func (p *Publisher) Check(ctx context.Context) (post.Identity, error) {
	var me struct {
		Username string `json:"username"`
		Name     string `json:"name"`
	}
	a, err := p.graph.Get(ctx, "/"+p.flow.User, url.Values{"fields": {"id,username,name"}}, &me)
	if err == nil {
		err = p.graph.ID(a, me.Username)
	}
	if err != nil {
		return post.Identity{}, err
	}
	return post.Identity{Username: "@" + me.Username, DisplayName: me.Name, ProfileURL: "https://www.threads.net/@" + url.PathEscape(me.Username)}, nil
}
