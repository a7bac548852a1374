// Package discord publishes to a channel of Discord through a webhook of it.
//
// Whoever has the URL of a webhook can post with it, so it is a secret. A webhook
// can read no channel, and its calls take no nonce: there is no way to ask for a
// message whose id was lost with the answer. A post in doubt stays in doubt until
// a person has looked.
package discord

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
)

// version is the API's whose rules are followed. The address that Discord shows
// has none, which stands for an old one without alternative texts.
const version = "v10"

// Config says what a Discord connection is like. URL is a function so that no
// print of the config shows it.
type Config struct {
	Connection post.ConnectionID
	URL        func() string      // https://discord.com/api/webhooks/ID/TOKEN, as Discord shows it
	Thread     string             // the id of a thread or forum post in the webhook's channel; "" for the channel itself
	Username   string             // shown in place of the webhook's name; "" for that
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

	mu    sync.Mutex
	guild string // the id of the server the channel is on; "" until asked
}

// New returns a publisher. It calls nobody. Its errors do not show the URL.
func New(c Config) (*Publisher, error) {
	if c.URL == nil {
		c.URL = func() string { return "" }
	}
	switch _, err := parseHook(c.URL()); {
	case err != nil:
		return nil, fmt.Errorf("discord %s: url: %w", c.Connection, err)
	case c.Thread != "" && !isSnowflake(c.Thread):
		return nil, fmt.Errorf("discord %s: thread: want an id of digits, as Copy Thread ID gives it", c.Connection)
	case utf8.RuneCountInString(c.Username) > maxUsername:
		return nil, fmt.Errorf("discord %s: username: want at most %d characters", c.Connection, maxUsername)
	}
	table, _ := limits.PlatformByKey("discord")
	return &Publisher{
		config: c, rules: publish.Rules{Limits: table, Media: c.Media},
		client: publish.NewClient(publish.ClientOptions{Transport: c.Transport, Timeout: c.Timeout, Now: c.Now, Secrets: func() []string {
			h, err := parseHook(c.URL())
			if err != nil {
				return []string{c.URL()}
			}
			return []string{h.token}
		}}),
	}, nil
}

const maxUsername = 80 // characters

// hook is the address of a webhook, taken apart.
type hook struct {
	base      string // of the API, without a version or a slash at the end
	id, token string
}

// parseHook reads the URL of a webhook, with a version of the API in it or
// without. Its errors do not show it.
func parseHook(raw string) (hook, error) {
	bad := errors.New("want the one that Discord shows, like https://discord.com/api/webhooks/123/abc")
	if publish.CheckServer(raw, false) != nil {
		return hook{}, bad
	}
	u, err := url.Parse(raw)
	if err != nil {
		return hook{}, bad
	}
	path, rest, found := strings.Cut(u.Path, "/webhooks/")
	id, token, _ := strings.Cut(strings.TrimSuffix(rest, "/"), "/")
	prefix, number, versioned := strings.Cut(path, "/v")
	if !found || !isSnowflake(id) || token == "" || strings.Trim(token, tokenSigns) != "" || versioned && strings.Trim(number, "0123456789") != "" {
		return hook{}, bad
	}
	return hook{base: u.Scheme + "://" + u.Host + prefix, id: id, token: token}, nil
}

const tokenSigns = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// isSnowflake reports whether s is an id of Discord: a number that fits 64 bits.
func isSnowflake(s string) bool {
	return s != "" && len(s) <= 20 && strings.Trim(s, "0123456789") == "" && (s == "0" || s[0] != '0')
}

// address returns the URL of a call. The config may have been read anew since
// New, so what is wrong with it can come up here.
func (p *Publisher) address(query url.Values) (string, error) {
	h, err := parseHook(p.config.URL())
	if err != nil {
		return "", &post.Failure{Class: post.ClassAuth, Sent: post.SentNot, Scope: post.ScopeConnection, Message: "url: " + err.Error()}
	}
	at := h.base + "/" + version + "/webhooks/" + h.id + "/" + h.token
	if len(query) > 0 {
		at += "?" + query.Encode()
	}
	return at, nil
}

// Validate checks c against the limits of Discord.
func (p *Publisher) Validate(c *post.Content) []post.Problem {
	problems := p.rules.Validate(c)
	if _, err := settingsOf(c); err != nil {
		problems = append(problems, post.Problem{
			Platform: "discord", Field: "platform_settings", Code: publish.CodeSettingInvalid,
			Want: err.Error(), Hint: "correct it, or take it out",
		})
	}
	return problems
}

// Pace returns what Discord last said of its rate limit.
func (p *Publisher) Pace() publish.Pace { return p.client.Pace() }

// message is the body of a call that publishes.
type message struct {
	Content     string       `json:"content,omitempty"`
	Username    string       `json:"username,omitempty"`
	ThreadName  string       `json:"thread_name,omitempty"`
	Mentions    mentions     `json:"allowed_mentions"`
	Attachments []attachment `json:"attachments,omitempty"`
}

// mentions says who is notified. An empty list is nobody, and no list everybody.
type mentions struct {
	Parse []string `json:"parse"`
}

// attachment tells what the files of a form are.
type attachment struct {
	ID          string `json:"id"` // n of the form's files[n]
	Filename    string `json:"filename,omitempty"`
	Description string `json:"description,omitempty"` // the alternative text
}

// Publish posts one message with all its files in one call.
func (p *Publisher) Publish(ctx context.Context, d post.Delivery, save publish.Save) (post.Receipt, error) {
	s, err := settingsOf(&d.Content)
	if err != nil {
		return post.Receipt{}, &post.Failure{Class: post.ClassInvalid, Sent: post.SentNot, Message: "platform_settings: " + err.Error()}
	}
	query := url.Values{"wait": {"true"}} // else the answer has no id, and may come before a refusal
	if p.config.Thread != "" && s.ThreadName == "" {
		query.Set("thread_id", p.config.Thread)
	}
	at, err := p.address(query)
	if err != nil {
		return post.Receipt{}, err
	}
	files, err := p.open(ctx, d.Content.Media)
	defer closeAll(files)
	if err != nil {
		return post.Receipt{}, publish.Unsent(err)
	}
	m := message{
		Content: publish.Compose(&d.Content, &p.rules.Limits), Username: p.config.Username, ThreadName: s.ThreadName,
		Mentions: mentions{Parse: s.Mentions},
	}
	r := publish.Request{Method: http.MethodPost, URL: at, Alive: save}
	if err := m.fill(&r, files, d.Content.Media); err != nil {
		return post.Receipt{}, err
	}
	guild := p.guildOf(ctx) // before the call: after it nothing may keep the receipt waiting
	a, err := p.client.Do(ctx, r)
	if err != nil {
		return post.Receipt{}, err
	}
	if a.Status < 200 || a.Status > 299 {
		return post.Receipt{}, p.refusal(a)
	}
	var got struct {
		ID        string    `json:"id"`
		Channel   string    `json:"channel_id"`
		Timestamp time.Time `json:"timestamp"`
	}
	if err := a.Decode(&got); err != nil {
		return post.Receipt{}, p.client.Doubt(a, err)
	}
	if got.ID == "" {
		return post.Receipt{}, p.client.Doubt(a, errors.New("it names no message"))
	}
	receipt := post.Receipt{RemoteID: got.ID, PublishedAt: got.Timestamp.UTC()}
	if got.Timestamp.IsZero() {
		receipt.PublishedAt = a.At.UTC()
	}
	if guild != "" && got.Channel != "" {
		receipt.URL = "https://discord.com/channels/" + guild + "/" + got.Channel + "/" + got.ID
	}
	return receipt, nil
}

// Check asks for the webhook.
func (p *Publisher) Check(ctx context.Context) (post.Identity, error) {
	w, err := p.webhook(ctx)
	if err != nil {
		return post.Identity{}, err
	}
	who := post.Identity{Username: w.Name, DisplayName: p.config.Username}
	if who.Username == "" {
		who.Username = "webhook " + w.ID
	}
	if w.Guild != "" && w.Channel != "" {
		who.ProfileURL = "https://discord.com/channels/" + w.Guild + "/" + w.Channel
	}
	return who, nil
}

// webhook is what we read of GET /webhooks/{id}/{token}.
type webhook struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Guild   string `json:"guild_id"`
	Channel string `json:"channel_id"`
}

func (p *Publisher) webhook(ctx context.Context) (webhook, error) {
	at, err := p.address(nil)
	if err != nil {
		return webhook{}, err
	}
	a, err := p.client.Do(ctx, publish.Request{Method: http.MethodGet, URL: at})
	if err != nil {
		return webhook{}, err
	}
	if a.Status != http.StatusOK {
		return webhook{}, p.refusal(a)
	}
	var w webhook
	if err := a.Decode(&w); err != nil {
		return webhook{}, p.client.Doubt(a, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.guild = w.Guild
	return w, nil
}

// guildWait bounds the question for the server of the channel, which only the
// link to a post needs.
const guildWait = 5 * time.Second

// guildOf returns the id of the server that the channel is on, "" when Discord
// does not say.
func (p *Publisher) guildOf(ctx context.Context) string {
	p.mu.Lock()
	guild := p.guild
	p.mu.Unlock()
	if guild != "" {
		return guild
	}
	ctx, cancel := context.WithTimeout(ctx, guildWait)
	defer cancel()
	w, err := p.webhook(ctx)
	if err != nil {
		return "" // what is wrong with the webhook, the post itself will hear
	}
	return w.Guild
}
