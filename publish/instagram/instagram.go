// Package instagram publishes to a professional account on Instagram, from
// containers: what the platform has prepared is published once, however often that
// is asked for, so no post goes out twice.
//
// Instagram fetches media itself, so they must have an address that anybody can
// open.
package instagram

import (
	"context"
	"encoding/json"
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

// API is where Instagram answers accounts that logged in with Instagram. Those
// that logged in with Facebook take https://graph.facebook.com.
const API = "https://graph.instagram.com"

// Config says what an Instagram connection is like.
type Config struct {
	Connection post.ConnectionID
	Tokens     publish.Tokens     // instagram_business_basic, instagram_business_content_publish, instagram_business_manage_comments
	User       string             // the id of the account; "" is whose the token is
	AppSecret  func() string      // nil for none
	API        string             // [API] when ""
	Version    string             // [meta.Version] when ""
	Media      *publish.MediaRoom // gives the addresses of media
	Timeout    time.Duration      // of one call, 60 s when 0
	Now        func() time.Time   // time.Now when nil
	Transport  http.RoundTripper  // instead of the network, for tests
}

// A Publisher posts to one account.
type Publisher struct {
	graph *meta.Graph
	flow  meta.Flow
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
	if c.User == "" {
		c.User = "me"
	}
	g, err := meta.New(meta.Config{
		Driver: "instagram", Connection: c.Connection, Tokens: c.Tokens, AppSecret: c.AppSecret, API: c.API, Version: c.Version,
		Timeout: c.Timeout, Now: c.Now, Transport: c.Transport,
	})
	if err != nil {
		return nil, err
	}
	table, _ := limits.PlatformByKey("instagram")
	p := &Publisher{graph: g, media: c.Media, rules: publish.Rules{Limits: table, Media: c.Media, Fetches: true}}
	p.flow = meta.Flow{
		Graph: g, User: url.PathEscape(c.User), Create: "media", Publish: "media_publish", Status: "status_code", Reason: "status", Find: p.find,
	}
	return p, nil
}

// settings are what platform_settings may say under "instagram" (CONTRACT §5.3).
type settings struct {
	VideoType string `json:"videoType"`
}

func settingsOf(c *post.Content) (settings, error) {
	all := struct {
		Instagram settings `json:"instagram"`
	}{settings{"REELS"}}
	if len(c.Settings) == 0 {
		return all.Instagram, nil
	}
	if err := json.Unmarshal(c.Settings, &all); err != nil {
		return all.Instagram, fmt.Errorf(`an object like {"instagram": {"videoType": "REELS"}}`)
	}
	switch t := strings.ToUpper(all.Instagram.VideoType); t {
	case "":
		all.Instagram.VideoType = "REELS"
	case "REELS", "STORIES":
		all.Instagram.VideoType = t
	default:
		return all.Instagram, fmt.Errorf("videoType REELS or STORIES, not %q", all.Instagram.VideoType)
	}
	return all.Instagram, nil
}

// Validate checks c against the limits of Instagram, and that its media have an
// address.
func (p *Publisher) Validate(c *post.Content) []post.Problem {
	problems := p.rules.Validate(c)
	if _, err := settingsOf(c); err != nil {
		problems = append(problems, post.Problem{
			Platform: "instagram", Field: "platform_settings", Code: publish.CodeSettingInvalid, Want: err.Error(), Hint: "correct it, or take it out",
		})
	}
	return problems
}

// Pace returns what Instagram last said of its rate limit.
func (p *Publisher) Pace() publish.Pace { return p.graph.Client.Pace() }

// Publish publishes the post, and then writes the first comment, where there is
// one.
func (p *Publisher) Publish(ctx context.Context, d post.Delivery, save publish.Save) (post.Receipt, error) {
	s, err := settingsOf(&d.Content)
	if err != nil {
		return post.Receipt{}, &post.Failure{Class: post.ClassInvalid, Sent: post.SentNot, Message: "platform_settings: " + err.Error()}
	}
	return publish.SendParts(ctx, &d, p.texts(&d.Content), save, func(ctx context.Context, at int, text string, before []post.Part) (post.Receipt, error) {
		if at > 0 {
			return p.graph.Comment(ctx, before[0].RemoteID, text, d.Again)
		}
		return p.flow.Send(ctx, &d, at, text, func() (meta.Forms, error) { return p.forms(ctx, &d.Content, text, s) }, save)
	})
}

// Scopes lists what a token must allow for a post.
func (p *Publisher) Scopes(c *post.Content) []string {
	need := []string{"instagram_business_basic", "instagram_business_content_publish"}
	if c.FirstComment != "" {
		need = append(need, "instagram_business_manage_comments")
	}
	return need
}

// texts are the caption, and the first comment.
func (p *Publisher) texts(c *post.Content) []string {
	texts := []string{publish.Compose(c, &p.rules.Limits)}
	if c.FirstComment != "" {
		texts = append(texts, c.FirstComment)
	}
	return texts
}

// forms says what the containers of a post hold.
func (p *Publisher) forms(ctx context.Context, c *post.Content, caption string, s settings) (meta.Forms, error) {
	if p.media == nil {
		return meta.Forms{}, publish.NoMediaRoom()
	}
	var each []url.Values
	for _, m := range c.Media {
		link, err := p.media.Link(ctx, m, &p.rules.Limits.Media)
		if err != nil {
			return meta.Forms{}, err
		}
		form := url.Values{}
		if publish.IsFilm(&m) {
			form.Set("video_url", link)
			form.Set("media_type", "VIDEO")
		} else {
			form.Set("image_url", link)
			if m.Alt != "" {
				form.Set("alt_text", m.Alt)
			}
		}
		each = append(each, form)
	}
	if len(each) == 0 {
		return meta.Forms{}, &post.Failure{Class: post.ClassInvalid, Sent: post.SentNot, Message: "Instagram takes no post without media"}
	}
	if len(each) == 1 {
		own := each[0]
		own.Set("caption", caption)
		if own.Has("video_url") {
			own.Set("media_type", s.VideoType)
		}
		return meta.Forms{Own: own}, nil
	}
	for _, form := range each {
		form.Set("is_carousel_item", "true")
	}
	return meta.Forms{Own: url.Values{"media_type": {"CAROUSEL"}, "caption": {caption}}, Children: each}, nil
}

// Lookup asks whether the containers that d was to be published from have been,
// and whether its first comment is there.
func (p *Publisher) Lookup(ctx context.Context, d post.Delivery) (post.Found, error) {
	return publish.FindParts(ctx, &d, publish.Compose(&d.Content, &p.rules.Limits), func(ctx context.Context, at int, text string, before []post.Part) (post.Found, error) {
		if at > 0 {
			return p.graph.LookComment(ctx, before[0].RemoteID, text)
		}
		return p.flow.Look(ctx, &d, at, text)
	})
}

// find looks for a post among the account's newest.
func (p *Publisher) find(ctx context.Context, key, text string, from time.Time) (post.Receipt, error) {
	return p.graph.FindListed(ctx, "/"+p.flow.User+"/media", "caption", key, text, from)
}

// Check asks whose account it is.
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
	return post.Identity{Username: "@" + me.Username, DisplayName: me.Name, ProfileURL: "https://www.instagram.com/" + url.PathEscape(me.Username)}, nil
}
