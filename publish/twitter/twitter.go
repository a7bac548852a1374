// Package twitter publishes to X, by its API v2.
//
// The call that posts is made once and never repeated here. X refuses a text that
// an account has just posted, so a lost answer is settled by a look at the
// account's own timeline ([Publisher.Lookup]), and the refusal is a second net. A
// text that is too long becomes a thread: each part answers the one before.
package twitter

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
)

// API is where X answers.
const API = "https://api.x.com"

// Config says what an X connection is like. It takes a token of OAuth 2, which
// ends after two hours and is renewed, or the four keys of OAuth 1.0a, which do
// not end.
type Config struct {
	Connection    post.ConnectionID
	Tokens        publish.Tokens // scopes tweet.read tweet.write users.read media.write offline.access
	Keys          *Keys          // in place of Tokens
	MaxCharacters int            // of one post, 280 when 0; X Premium has more
	Numbering     publish.Numbering
	API           string             // [API] when ""
	Media         *publish.MediaRoom // nil for connections without media
	Timeout       time.Duration      // of one call, 60 s when 0
	Now           func() time.Time   // time.Now when nil
	Transport     http.RoundTripper  // instead of the network, for tests
}

// A Publisher posts to one account on X.
type Publisher struct {
	config Config
	api    string
	client *publish.Client
	rules  publish.Rules
	own    publish.Owned

	mu sync.Mutex
	me user // zero until asked
}

// user is whose account it is.
type user struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Username string `json:"username"`
}

// New returns a publisher. It calls nobody.
func New(c Config) (*Publisher, error) {
	wrong := func(format string, args ...any) (*Publisher, error) {
		return nil, fmt.Errorf("twitter %s: "+format, append([]any{c.Connection}, args...)...)
	}
	if c.API == "" {
		c.API = API
	}
	if err := publish.CheckServer(c.API, false); err != nil {
		return wrong("api: %w, like %s", err, API)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	options := publish.ClientOptions{Transport: c.Transport, Timeout: c.Timeout, Now: c.Now}
	switch {
	case c.Keys != nil && c.Tokens != nil:
		return wrong("token: give a token, a login or the four keys of OAuth 1.0a, and only one of them")
	case c.Keys != nil:
		if err := c.Keys.check(); err != nil {
			return wrong("%w", err)
		}
		options.Secrets = c.Keys.secrets
	case c.Tokens == nil:
		return wrong("want a token, a login, or the four keys of OAuth 1.0a")
	}
	table, _ := limits.PlatformByKey("twitter")
	return &Publisher{
		config: c, api: strings.TrimSuffix(c.API, "/"), client: publish.NewClient(options),
		rules: publish.Rules{Limits: table.With(limits.PlatformOverride{MaxText: c.MaxCharacters}), Numbering: c.Numbering, Media: c.Media},
	}, nil
}

// Validate checks c against the limits of X.
func (p *Publisher) Validate(c *post.Content) []post.Problem { return p.rules.Validate(c) }

// Pace returns what X last said of its rate limit.
func (p *Publisher) Pace() publish.Pace { return p.client.Pace() }

// newTweet is the body of POST /2/tweets.
type newTweet struct {
	Text  string      `json:"text,omitempty"`
	Reply *replyTo    `json:"reply,omitempty"`
	Media *tweetMedia `json:"media,omitempty"`
}

type replyTo struct {
	ID string `json:"in_reply_to_tweet_id"`
}

type tweetMedia struct {
	IDs []string `json:"media_ids"`
}

// Publish uploads d's media, as far as an earlier attempt has not, and posts the
// text, as a thread when it is too long.
func (p *Publisher) Publish(ctx context.Context, d post.Delivery, save publish.Save) (post.Receipt, error) {
	texts, err := p.rules.Texts(&d.Content)
	if err != nil {
		return post.Receipt{}, err
	}
	up := upload{publish.ReadUploads(&d, save, p.config.Now()), p}
	if d.Post.PartsLive() == 0 { // media are the first part's
		if err := up.all(ctx, d.Content.Media); err != nil {
			return post.Receipt{}, err
		}
	}
	return publish.SendParts(ctx, &d, texts, save, func(ctx context.Context, at int, text string, before []post.Part) (post.Receipt, error) {
		t := newTweet{Text: text}
		if at == 0 && len(up.Media) > 0 {
			t.Media = &tweetMedia{up.IDs()}
		}
		if at > 0 {
			t.Reply = &replyTo{before[at-1].RemoteID}
		}
		return p.tweet(ctx, &d, at, &t, &up)
	})
}

// tweet makes the call that posts.
func (p *Publisher) tweet(ctx context.Context, d *post.Delivery, at int, t *newTweet, up *upload) (post.Receipt, error) {
	r := publish.Request{Method: http.MethodPost, URL: p.api + "/2/tweets"}
	if err := r.AsJSON(t); err != nil {
		return post.Receipt{}, err
	}
	a, err := p.call(ctx, r)
	if err != nil {
		return post.Receipt{}, err
	}
	if a.Status < 200 || a.Status > 299 {
		f := p.refusal(a)
		switch {
		case duplicate(a) && d.Again:
			// An earlier attempt may have made it live: only a look can tell.
			f.Class, f.Sent, f.Copy = post.ClassServer, post.SentMaybe, true
		case f.Class == post.ClassInvalid && at == 0 && up.Reused:
			if d.Again { // perhaps it is used up
				f.Sent = post.SentMaybe
			}
			return post.Receipt{}, up.Forget(f)
		}
		return post.Receipt{}, f
	}
	var got struct {
		Data struct {
			ID string `json:"id"`
		} `json:"data"`
	}
	if err := a.Decode(&got); err != nil {
		return post.Receipt{}, p.client.Doubt(a, err)
	}
	if got.Data.ID == "" {
		return post.Receipt{}, p.client.Doubt(a, errors.New("it names no post"))
	}
	p.own.Add(got.Data.ID, d.Post.PartKey(at))
	return post.Receipt{RemoteID: got.Data.ID, URL: p.permalink(got.Data.ID), PublishedAt: a.At.UTC()}, nil
}

// permalink needs no user name, which may change.
func (p *Publisher) permalink(id string) string { return "https://x.com/i/web/status/" + id }

// call makes a call with the connection's credentials.
func (p *Publisher) call(ctx context.Context, r publish.Request) (*publish.Answer, error) {
	if p.config.Keys == nil {
		return p.client.DoAs(ctx, p.config.Tokens, r)
	}
	signed, err := p.config.Keys.sign(r.Method, r.URL, p.config.Now())
	if err != nil {
		return nil, &post.Failure{Class: post.ClassInvalid, Sent: post.SentNot, Message: err.Error()}
	}
	r.Header = http.Header{"Authorization": {signed}}
	return p.client.Do(ctx, r)
}

// duplicate reports whether X refuses a text because the account has just posted
// it.
func duplicate(a *publish.Answer) bool {
	said := strings.ToLower(string(a.Body))
	return a.Status == http.StatusForbidden && (strings.Contains(said, "duplicate content") || strings.Contains(said, "status is a duplicate"))
}

// refusal classifies an answer. X says with 403 what others say with 422 or 401.
func (p *Publisher) refusal(a *publish.Answer) *post.Failure {
	f := p.client.Refusal(a)
	var said struct {
		Type   string `json:"type"`
		Errors []struct {
			Message string `json:"message"`
		} `json:"errors"`
	}
	if a.Decode(&said) != nil {
		return f
	}
	if len(said.Errors) > 0 && said.Errors[0].Message != "" {
		f.Message = p.client.Shown(said.Errors[0].Message)
	}
	kind := said.Type[strings.LastIndexByte(said.Type, '/')+1:]
	switch {
	case a.Status == http.StatusForbidden && (kind == "unsupported-authentication" || kind == "client-forbidden"):
		f.Message += ": the app needs read and write permission and the token of a user"
	case a.Status == http.StatusForbidden && kind != "usage-capped":
		f.Class, f.Scope = post.ClassInvalid, post.ScopePost
	case a.Status == http.StatusPaymentRequired || kind == "usage-capped" && a.Status != http.StatusTooManyRequests:
		f.Class, f.Scope = post.ClassAuth, post.ScopeConnection
		f.Message += ": look at the credits of the app at console.x.com"
	}
	return f
}

// Check asks who the credentials belong to.
func (p *Publisher) Check(ctx context.Context) (post.Identity, error) {
	me, err := p.whoAmI(ctx)
	if err != nil {
		return post.Identity{}, err
	}
	return post.Identity{Username: "@" + me.Username, DisplayName: me.Name, ProfileURL: "https://x.com/" + url.PathEscape(me.Username)}, nil
}

// whoAmI asks whose account it is.
func (p *Publisher) whoAmI(ctx context.Context) (user, error) {
	var got struct {
		Data user `json:"data"`
	}
	a, err := p.get(ctx, "/2/users/me", &got)
	if err != nil {
		return user{}, err
	}
	if got.Data.ID == "" {
		return user{}, p.client.Doubt(a, errors.New("it names no user"))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.me = got.Data
	return got.Data, nil
}

// get reads JSON from a path of the API. The error is a *post.Failure.
func (p *Publisher) get(ctx context.Context, path string, v any) (*publish.Answer, error) {
	a, err := p.call(ctx, publish.Request{Method: http.MethodGet, URL: p.api + path})
	if err != nil {
		return nil, err
	}
	if a.Status != http.StatusOK {
		return a, p.refusal(a)
	}
	if err := a.Decode(v); err != nil {
		return a, p.client.Doubt(a, err)
	}
	return a, nil
}
