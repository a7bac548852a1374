// Package slack publishes to a channel of Slack through an incoming webhook.
//
// Whoever has the URL of a webhook can post with it, so it is a secret. Slack
// answers with the word ok and no id, takes no key against repeats, and lets a
// webhook read nothing: a post in doubt stays in doubt until a person has looked,
// and no receipt has a link.
package slack

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
)

// Config says what a Slack connection is like. URL is a function so that no print
// of the config shows it.
type Config struct {
	Connection post.ConnectionID
	URL        func() string      // https://hooks.slack.com/services/T…/B…/…, as Slack shows it
	Media      *publish.MediaRoom // nil for connections without media
	Timeout    time.Duration      // of one call, 60 s when 0
	Now        func() time.Time   // time.Now when nil
	Transport  http.RoundTripper  // instead of the network, for tests
}

// A Publisher posts through one webhook.
type Publisher struct {
	config Config
	client *publish.Client
	rules  publish.Rules
}

// New returns a publisher. It calls nobody. Its errors do not show the URL.
func New(c Config) (*Publisher, error) {
	if c.URL == nil {
		c.URL = func() string { return "" }
	}
	if _, err := parseHook(c.URL()); err != nil {
		return nil, fmt.Errorf("slack %s: url: %w", c.Connection, err)
	}
	table, _ := limits.PlatformByKey("slack")
	return &Publisher{
		config: c, rules: publish.Rules{Limits: table, Media: c.Media, Fetches: true},
		client: publish.NewClient(publish.ClientOptions{Transport: c.Transport, Timeout: c.Timeout, Now: c.Now, Secrets: func() []string {
			u, err := parseHook(c.URL())
			if err != nil {
				return []string{c.URL()}
			}
			parts := strings.Split(u.Path, "/")
			return []string{strings.TrimPrefix(u.Path, "/"), parts[len(parts)-1]}
		}}),
	}, nil
}

// parseHook reads the URL of a webhook. Its errors do not show it.
func parseHook(raw string) (*url.URL, error) {
	bad := errors.New("want the one that Slack shows, like https://hooks.slack.com/services/T000/B000/abc")
	if publish.CheckServer(raw, false) != nil {
		return nil, bad
	}
	u, err := url.Parse(raw)
	if err != nil {
		return nil, bad
	}
	parts := strings.Split(strings.TrimPrefix(u.Path, "/"), "/")
	if len(parts) != 4 || parts[0] != "services" || parts[1] == "" || parts[2] == "" || parts[3] == "" {
		return nil, bad
	}
	return u, nil
}

// Validate checks c against the limits of Slack.
func (p *Publisher) Validate(c *post.Content) []post.Problem { return p.rules.Validate(c) }

// Pace returns what Slack last said of its rate limit.
func (p *Publisher) Pace() publish.Pace { return p.client.Pace() }

// Publish posts one message. The receipt names the post's own key, as Slack gives
// no id.
func (p *Publisher) Publish(ctx context.Context, d post.Delivery, _ publish.Save) (post.Receipt, error) {
	m, err := p.message(ctx, &d.Content)
	if err != nil {
		return post.Receipt{}, publish.Unsent(err)
	}
	a, err := p.call(ctx, m)
	if err != nil {
		return post.Receipt{}, err
	}
	switch {
	case a.Status != http.StatusOK:
		return post.Receipt{}, p.refusal(a)
	case a.Cut != nil:
		return post.Receipt{}, p.client.Doubt(a, a.Cut)
	case strings.TrimSpace(string(a.Body)) != "ok":
		return post.Receipt{}, p.client.Doubt(a, errors.New("it is not the ok of a webhook"))
	}
	return post.Receipt{RemoteID: d.Post.Key(), PublishedAt: a.At.UTC()}, nil
}

func (p *Publisher) call(ctx context.Context, m *message) (*publish.Answer, error) {
	u, err := parseHook(p.config.URL()) // which may have been read anew since New
	if err != nil {
		return nil, &post.Failure{Class: post.ClassAuth, Sent: post.SentNot, Scope: post.ScopeConnection, Message: "url: " + err.Error()}
	}
	r := publish.Request{Method: http.MethodPost, URL: u.String()}
	if err := r.AsJSON(m); err != nil {
		return nil, err
	}
	return p.client.Do(ctx, r)
}

// gone are the words of Slack for a webhook that no longer posts, with what to do
// (docs.slack.dev, Sending messages using incoming webhooks).
var gone = map[string]string{
	"no_service":                        "the webhook was removed: make a new one and put its URL into the config",
	"no_service_id":                     "the URL is not whole: copy it again",
	"invalid_token":                     "the URL is not whole, or was withdrawn: copy it again",
	"no_team":                           "the workspace is gone, or the URL is not whole: copy it again",
	"team_disabled":                     "the workspace is disabled",
	"channel_not_found":                 "the channel is gone: make a webhook for another",
	"channel_is_archived":               "the channel is archived: bring it back, or make a webhook for another",
	"action_prohibited":                 "an admin has forbidden it",
	"posting_to_general_channel_denied": "only some members may post to that channel",
}

// refusal classifies an answer by its status and by Slack's word in it.
func (p *Publisher) refusal(a *publish.Answer) *post.Failure {
	f := p.client.Refusal(a)
	word := strings.TrimSpace(string(a.Body))
	if todo, ok := gone[word]; ok && f.Sent == post.Refused {
		f.Class, f.Scope, f.Message = post.ClassAuth, post.ScopeConnection, word+": "+todo
	}
	return f
}

// Check asks Slack about the webhook with a message that says nothing: a webhook
// that posts refuses it with no_text, one that does not with the reason.
func (p *Publisher) Check(ctx context.Context) (post.Identity, error) {
	a, err := p.call(ctx, &message{})
	if err != nil {
		return post.Identity{}, err
	}
	switch word := strings.TrimSpace(string(a.Body)); {
	case a.Status == http.StatusOK:
		return post.Identity{}, p.client.Doubt(a, errors.New("it took a message that says nothing, which no webhook does"))
	case word != "no_text" && word != "invalid_payload":
		return post.Identity{}, p.refusal(a)
	}
	u, err := parseHook(p.config.URL())
	if err != nil {
		return post.Identity{}, &post.Failure{Class: post.ClassAuth, Sent: post.SentNot, Scope: post.ScopeConnection, Message: "url: " + err.Error()}
	}
	return post.Identity{Username: "webhook of workspace " + strings.Split(u.Path, "/")[2]}, nil
}
