// Package mastodon publishes to servers of the Mastodon API: Mastodon itself,
// GoToSocial, Pleroma, Akkoma and Pixelfed.
//
// The statuses call is made once and never repeated here. Its Idempotency-Key
// header is honoured by Mastodon for about an hour and ignored by others, so a
// lost answer is settled by a look at the account's own statuses ([Publisher.Lookup]).
// It cuts no threads and never uses scheduled_at: servers disagree on both.
package mastodon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
)

// Config says what a Mastodon connection is like. Token is a function so that no
// print of the config shows it.
type Config struct {
	Connection    post.ConnectionID
	Server        string             // https://mastodon.social
	Token         func() string      // scopes write:statuses write:media read:accounts read:statuses
	Visibility    string             // of posts that do not say: public (when ""), unlisted or private
	Language      string             // ISO 639-1; "" leaves it to the account
	MaxCharacters int                // 0 takes what the server announces, 500 until then
	PlainHTTP     bool               // the server may be http beyond loopback: the token travels in the clear
	Media         *publish.MediaRoom // nil for connections without media
	Timeout       time.Duration      // of one call, 60 s when 0
	Now           func() time.Time   // time.Now when nil
	Transport     http.RoundTripper  // instead of the network, for tests
}

// A Publisher posts to one account on one server.
type Publisher struct {
	config Config
	base   string // of the server, without a slash at the end
	client *publish.Client
	now    func() time.Time
	own    publish.Owned

	mu        sync.Mutex
	rules     publish.Rules
	domain    string    // that the server announces
	loadedAt  time.Time // when the server's limits were read; zero for never
	accountID string    // "" until asked
}

// New returns a publisher. It calls nobody.
func New(c Config) (*Publisher, error) {
	if err := publish.CheckServer(c.Server, c.PlainHTTP); err != nil {
		return nil, fmt.Errorf("mastodon %s: server: %w, like https://mastodon.social", c.Connection, err)
	}
	if c.Token == nil || c.Token() == "" {
		return nil, fmt.Errorf("mastodon %s: want a token", c.Connection)
	}
	if c.Visibility == "" {
		c.Visibility = "public"
	}
	if err := checkVisibility(c.Visibility); err != nil {
		return nil, fmt.Errorf("mastodon %s: %w", c.Connection, err)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	table, _ := limits.PlatformByKey("mastodon")
	return &Publisher{
		config: c, base: strings.TrimSuffix(c.Server, "/"), now: c.Now,
		rules: publish.Rules{Limits: table.With(limits.PlatformOverride{MaxText: c.MaxCharacters}), Media: c.Media},
		client: publish.NewClient(publish.ClientOptions{
			Transport: c.Transport, Timeout: c.Timeout, Now: c.Now, Secrets: func() []string { return []string{c.Token()} },
		}),
	}, nil
}

// Validate checks c against the limits of the server, as far as they are known:
// until [Publisher.Load] or Check has asked, they are those of mastodon.social.
func (p *Publisher) Validate(c *post.Content) []post.Problem {
	rules := p.currentRules()
	s, err := settingsOf(c, &p.config)
	if s.SpoilerText != "" { // counts with the text
		rules.Limits.Text.Max = max(1, rules.Limits.Text.Max-utf8.RuneCountInString(s.SpoilerText))
	}
	problems := rules.Validate(c)
	if err != nil {
		problems = append(problems, post.Problem{
			Platform: "mastodon", Field: "platform_settings", Code: publish.CodeSettingInvalid,
			Want: err.Error(), Hint: "correct it, or take it out",
		})
	}
	return problems
}

func (p *Publisher) currentRules() publish.Rules {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rules
}

// Pace returns what the server last said of its rate limit.
func (p *Publisher) Pace() publish.Pace { return p.client.Pace() }

// newStatus is the body of POST /api/v1/statuses.
type newStatus struct {
	Status      string   `json:"status,omitempty"`
	MediaIDs    []string `json:"media_ids,omitempty"`
	Visibility  string   `json:"visibility,omitempty"`
	Language    string   `json:"language,omitempty"`
	Sensitive   bool     `json:"sensitive,omitempty"`
	SpoilerText string   `json:"spoiler_text,omitempty"`
}

// status is what we read of a Status.
type status struct {
	ID          string            `json:"id"`
	URL         string            `json:"url"`
	URI         string            `json:"uri"`
	CreatedAt   time.Time         `json:"created_at"`
	Content     string            `json:"content"` // HTML
	InReplyToID *string           `json:"in_reply_to_id"`
	Media       []json.RawMessage `json:"media_attachments"`
}

func (s *status) receipt() post.Receipt {
	r := post.Receipt{RemoteID: s.ID, URL: s.URL, PublishedAt: s.CreatedAt.UTC()}
	if r.URL == "" {
		r.URL = s.URI
	}
	return r
}

// Publish uploads d's media, as far as an earlier attempt has not, and posts the
// status.
func (p *Publisher) Publish(ctx context.Context, d post.Delivery, save publish.Save) (post.Receipt, error) {
	s, err := settingsOf(&d.Content, &p.config)
	if err != nil {
		return post.Receipt{}, &post.Failure{Class: post.ClassInvalid, Sent: post.SentNot, Message: "platform_settings: " + err.Error()}
	}
	up := upload{publish.ReadUploads(&d, save, p.now()), p}
	if err := up.all(ctx, d.Content.Media); err != nil {
		return post.Receipt{}, err
	}
	r := publish.Request{
		Method: http.MethodPost, URL: p.base + "/api/v1/statuses", Token: p.config.Token(),
		Header: http.Header{"Idempotency-Key": {d.Post.Key()}},
	}
	if err := r.AsJSON(newStatus{
		Status: p.text(&d), MediaIDs: up.IDs(), Visibility: s.Visibility, Language: s.Language, Sensitive: s.Sensitive, SpoilerText: s.SpoilerText,
	}); err != nil {
		return post.Receipt{}, err
	}
	a, err := p.client.Do(ctx, r)
	if err != nil {
		return post.Receipt{}, err
	}
	if a.Status < 200 || a.Status > 299 {
		return post.Receipt{}, p.refused(a, &up)
	}
	var got status
	if err := a.Decode(&got); err != nil {
		return post.Receipt{}, p.client.Doubt(a, err)
	}
	if got.ID == "" {
		return post.Receipt{}, p.client.Doubt(a, errors.New("it names no status"))
	}
	p.own.Add(got.ID, d.Post.Key())
	receipt := got.receipt()
	if receipt.PublishedAt.IsZero() {
		receipt.PublishedAt = a.At.UTC()
	}
	return receipt, nil
}

// text returns what the status says.
func (p *Publisher) text(d *post.Delivery) string {
	rules := p.currentRules()
	return publish.Compose(&d.Content, &rules.Limits)
}

// refused classifies an answer to the statuses call. An answer that says no to
// media of an earlier attempt may only mean that the server has thrown them away
// meanwhile: the checkpoint is dropped, and the next attempt uploads anew. Media that
// hang on a status already say that an earlier attempt made it live after all: only
// a look can tell. (GoToSocial says so; Mastodon has one word for both, and knows the
// key of the call.)
func (p *Publisher) refused(a *publish.Answer, up *upload) error {
	f := p.client.Refusal(a)
	switch a.Status {
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		f.Scope = post.ScopeConnection
		f.Message = "the server does not know the Mastodon API: is its address right?"
	}
	if f.Class != post.ClassInvalid || f.Scope != post.ScopePost || !up.Reused {
		return f
	}
	if said := strings.ToLower(f.Message); strings.Contains(said, "already attached") && !strings.Contains(said, "not found") {
		f.Class, f.Sent, f.Copy = post.ClassServer, post.SentMaybe, true
		return f
	}
	return up.Forget(f)
}

// Check asks who the token belongs to, and reads the server's limits.
func (p *Publisher) Check(ctx context.Context) (post.Identity, error) {
	var me struct {
		ID          string `json:"id"`
		Username    string `json:"username"`
		DisplayName string `json:"display_name"`
		URL         string `json:"url"`
	}
	if err := p.get(ctx, "/api/v1/accounts/verify_credentials", &me); err != nil {
		return post.Identity{}, err
	}
	if err := p.Load(ctx); err != nil {
		return post.Identity{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.accountID = me.ID
	return post.Identity{Username: "@" + me.Username + "@" + p.domain, DisplayName: me.DisplayName, ProfileURL: me.URL}, nil
}

// get reads JSON from a path of the API. The error is a *post.Failure.
func (p *Publisher) get(ctx context.Context, path string, v any) error {
	_, err := p.ask(ctx, path, v)
	return err
}

// ask is get that also returns the answer.
func (p *Publisher) ask(ctx context.Context, path string, v any) (*publish.Answer, error) {
	a, err := p.client.Do(ctx, publish.Request{Method: http.MethodGet, URL: p.base + path, Token: p.config.Token()})
	if err != nil {
		return nil, err
	}
	if a.Status != http.StatusOK {
		return a, p.client.Refusal(a)
	}
	if err := a.Decode(v); err != nil {
		return a, p.client.Doubt(a, err)
	}
	return a, nil
}
