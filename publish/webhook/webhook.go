// Package webhook publishes by posting signed JSON to a URL, for sites, bots and
// automations that have no connection of their own here. The signature follows
// the Standard Webhooks specification 1.0 (www.standardwebhooks.com), so that
// its libraries verify it; docs/platforms/webhook.md shows a receiver.
//
// A webhook cannot be asked what it has received: a post whose answer was lost
// stays unknown, unless the config says that the receiver knows repeats by their
// webhook-id.
package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
)

// Config says what a webhook connection is like. URL and Secret are functions
// so that no print of the config shows them.
type Config struct {
	Connection   post.ConnectionID
	URL          func() string // http or https; may hold a token
	Secret       func() string // "whsec_" and base64, or any other text of 24 bytes or more, used as it is
	AllowPrivate bool          // the receiver may be on a private address and any port
	Idempotent   bool          // the receiver knows repeats by their webhook-id: a lost answer is sent again
	Timeout      time.Duration // 10 s when 0
	Now          func() time.Time
	Transport    http.RoundTripper // instead of the network, for tests
}

const (
	defaultTimeout = 10 * time.Second
	leastSecret    = 24 // bytes, as the specification asks
	secretPrefix   = "whsec_"
)

// A Publisher posts to one URL.
type Publisher struct {
	config Config
	client *publish.Client
	rules  publish.Rules
	now    func() time.Time
	key    func() []byte // the signing key
}

// New returns a publisher. The error names what is wrong with URL or secret
// without showing it.
func New(c Config) (*Publisher, error) {
	if c.URL == nil || c.Secret == nil {
		return nil, fmt.Errorf("webhook %s: want a url and a secret", c.Connection)
	}
	if u, err := url.Parse(c.URL()); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("webhook %s: url: want one like https://example.org/hook", c.Connection)
	}
	if _, err := signingKey(c.Secret()); err != nil {
		return nil, fmt.Errorf("webhook %s: secret: %w", c.Connection, err)
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	table, _ := limits.PlatformByKey(c.Connection.Platform())
	return &Publisher{
		config: c, now: c.Now,
		rules: publish.Rules{Limits: table},
		client: publish.NewClient(publish.ClientOptions{
			Transport: c.Transport, Guard: &publish.Guard{AllowPrivate: c.AllowPrivate}, Timeout: c.Timeout, Now: c.Now,
			Secrets: c.secrets, Reuse: c.Idempotent,
		}),
		key: func() []byte {
			key, err := signingKey(c.Secret())
			if err != nil {
				return nil // a reloaded secret that is no longer one signs nothing that verifies
			}
			return key
		},
	}, nil
}

// signingKey reads a secret as the config has it.
func signingKey(secret string) ([]byte, error) {
	key := []byte(secret)
	if encoded, ok := strings.CutPrefix(secret, secretPrefix); ok {
		var err error
		if key, err = base64.StdEncoding.DecodeString(encoded); err != nil {
			return nil, errors.New("what follows whsec_ is not base64")
		}
	}
	if len(key) < leastSecret {
		return nil, fmt.Errorf("want %d bytes or more", leastSecret)
	}
	return key, nil
}

// secrets returns what no error may show: the secret, and what the URL holds
// beside its host.
func (c *Config) secrets() []string {
	out := []string{c.Secret(), strings.TrimPrefix(c.Secret(), secretPrefix)}
	u, err := url.Parse(c.URL())
	if err != nil {
		return append(out, c.URL())
	}
	out = append(out, strings.Trim(u.Path, "/"), u.RawQuery)
	for _, values := range u.Query() {
		out = append(out, values...)
	}
	if password, ok := u.User.Password(); ok {
		out = append(out, password)
	}
	return out
}

// Validate checks that there is something to send: a webhook has no limits of
// its own.
func (p *Publisher) Validate(c *post.Content) []post.Problem { return p.rules.Validate(c) }

// A Message is the body of a call.
type Message struct {
	Type      string    `json:"type"`      // post.publish, or ping
	Timestamp time.Time `json:"timestamp"` // the post's slot, the same at each attempt
	Data      any       `json:"data"`
}

// Post is the data of a post.publish message.
type Post struct {
	ID           string            `json:"id"` // also the webhook-id and Idempotency-Key headers
	Group        post.ID           `json:"group"`
	Account      post.AccountID    `json:"account"`
	Connection   post.ConnectionID `json:"connection"`
	Content      string            `json:"content"`
	Title        string            `json:"title,omitempty"`
	Link         string            `json:"link,omitempty"`
	FirstComment string            `json:"first_comment,omitempty"`
	Labels       []string          `json:"labels,omitempty"`
	Media        []post.Media      `json:"media,omitempty"`
	Settings     json.RawMessage   `json:"platform_settings,omitzero"`
}

// Publish posts d. Any 2xx is success; the receipt takes "id" and "url" from a
// JSON answer that has them. 410 says that the receiver is gone, which stops the
// connection until a person acts.
func (p *Publisher) Publish(ctx context.Context, d post.Delivery, _ publish.Save) (post.Receipt, error) {
	c := &d.Content
	a, err := p.call(ctx, d.Post.Key(), d.Again, Message{"post.publish", d.Post.SlotAt.UTC(), Post{
		ID: d.Post.Key(), Group: d.Post.Group, Account: d.Post.Account, Connection: d.Post.Connection,
		Content: d.Text(), Title: c.Title, Link: c.Link, FirstComment: c.FirstComment, Labels: c.Labels, Media: c.Media, Settings: c.Settings,
	}})
	if err != nil {
		return post.Receipt{}, err
	}
	receipt := post.Receipt{RemoteID: d.Post.Key(), PublishedAt: a.At.UTC()}
	var said struct {
		ID  string `json:"id"`
		URL string `json:"url"`
	}
	if a.Decode(&said) == nil {
		if said.ID != "" && len(said.ID) <= maxRemoteID {
			receipt.RemoteID = said.ID
		}
		if u, err := url.Parse(said.URL); err == nil && (u.Scheme == "https" || u.Scheme == "http") && len(said.URL) <= maxRemoteURL {
			receipt.URL = said.URL
		}
	}
	return receipt, nil
}

// The most that is believed of an answer's own id and URL, in bytes.
const (
	maxRemoteID  = 200
	maxRemoteURL = 2000
)

// Lookup says that sending again is safe when the receiver is known to notice
// repeats, and else that nobody can know.
func (p *Publisher) Lookup(context.Context, post.Delivery) (post.Found, error) {
	if p.config.Idempotent {
		return post.Found{State: post.Absent}, nil
	}
	return post.Found{State: post.Undecidable}, nil
}

// Check posts a signed message of type ping.
func (p *Publisher) Check(ctx context.Context) (post.Identity, error) {
	at := p.now().UTC()
	id := "ping-" + strconv.FormatInt(at.UnixNano(), 36)
	if _, err := p.call(ctx, id, false, Message{"ping", at, struct{}{}}); err != nil {
		return post.Identity{}, err
	}
	u, err := url.Parse(p.config.URL())
	if err != nil {
		return post.Identity{}, nil
	}
	return post.Identity{Username: u.Host}, nil
}

// call posts one signed message and returns its answer when it is a success. again says
// that an earlier attempt may have posted it: receivers that notice repeats may say so
// with 409.
func (p *Publisher) call(ctx context.Context, id string, again bool, m Message) (*publish.Answer, error) {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(m); err != nil {
		return nil, &post.Failure{Class: post.ClassInvalid, Sent: post.SentNot, Message: fmt.Sprintf("the post cannot be written as JSON: %v", err)}
	}
	payload := bytes.TrimSuffix(body.Bytes(), []byte("\n"))
	stamp := strconv.FormatInt(p.now().Unix(), 10)
	a, err := p.client.Do(ctx, publish.Request{
		Method: http.MethodPost, URL: p.config.URL(), Type: "application/json", Body: payload,
		Header: http.Header{
			"Webhook-Id": {id}, "Webhook-Timestamp": {stamp}, "Webhook-Signature": {Sign(p.key(), id, stamp, payload)},
			"Idempotency-Key": {id},
		},
	})
	if err != nil {
		return nil, err
	}
	switch {
	case a.Status >= 200 && a.Status < 300:
		return a, nil
	case a.Status == http.StatusGone:
		return nil, &post.Failure{
			Class: post.ClassAuth, Sent: post.Refused, Scope: post.ScopeConnection, Status: a.Status,
			Message: "the receiver is gone for good (410): remove the connection, or give it a new url",
		}
	case a.Status == http.StatusServiceUnavailable && a.Header.Get("Retry-After") != "":
		f := p.client.Refusal(a)
		f.Sent = post.Refused
		return nil, f
	case a.Status == http.StatusConflict && again:
		f := p.client.Refusal(a)
		f.Class, f.Sent, f.Copy = post.ClassServer, post.SentMaybe, true
		return nil, f
	}
	return nil, p.client.Refusal(a)
}

// Sign returns the webhook-signature header of a message: "v1," and the base64
// of HMAC-SHA256 over "id.timestamp.body".
func Sign(key []byte, id, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
