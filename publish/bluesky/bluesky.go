// Package bluesky publishes to Bluesky, and to any other server (PDS) of the AT
// Protocol.
//
// A post has a record key of its own, made of its id, and is written with
// putRecord and swapRecord null: a repeat of the same record changes nothing, and
// a record that is there already is never overwritten. createRecord is not used,
// as a PDS answers its repeat with 500 (PLATFORMS §1.2). The record is frozen,
// with its time, before it is first sent. It cuts no threads.
package bluesky

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
)

// DefaultServer is where accounts log in that say nothing else. It leads to the
// server that holds the account.
const DefaultServer = "https://bsky.social"

// collection is the kind of record that a post is.
const collection = "app.bsky.feed.post"

// Config says what a Bluesky connection is like. Password is a function so that
// no print of the config shows it.
type Config struct {
	Connection post.ConnectionID
	Server     string             // DefaultServer when ""
	Identifier string             // the handle, acme.bsky.social, or the DID
	Password   func() string      // an app password
	Language   string             // BCP 47, of all posts; "" says none
	PlainHTTP  bool               // the server may be http beyond loopback: the password travels in the clear
	Media      *publish.MediaRoom // nil for connections without media
	Timeout    time.Duration      // of one call, 60 s when 0
	Now        func() time.Time   // time.Now when nil
	Transport  http.RoundTripper  // instead of the network, for tests
}

// A Publisher posts to one account.
type Publisher struct {
	config Config
	rules  publish.Rules
	client *publish.Client
	now    func() time.Time
	login  login
}

// New returns a publisher. It calls nobody.
func New(c Config) (*Publisher, error) {
	if c.Server == "" {
		c.Server = DefaultServer
	}
	c.Server = strings.TrimSuffix(c.Server, "/")
	if err := publish.CheckServer(c.Server, c.PlainHTTP); err != nil {
		return nil, fmt.Errorf("bluesky %s: server: %w, like %s", c.Connection, err, DefaultServer)
	}
	c.Identifier = strings.TrimPrefix(c.Identifier, "@")
	if !strings.Contains(c.Identifier, ".") && !strings.HasPrefix(c.Identifier, "did:") {
		return nil, fmt.Errorf("bluesky %s: identifier: want a handle like acme.bsky.social, or a DID", c.Connection)
	}
	if c.Password == nil || c.Password() == "" {
		return nil, fmt.Errorf("bluesky %s: want a password: an app password of the account", c.Connection)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	table, _ := limits.PlatformByKey("bluesky")
	p := &Publisher{config: c, now: c.Now, rules: publish.Rules{Limits: table, Media: c.Media}, login: login{turn: make(chan struct{}, 1)}}
	p.client = publish.NewClient(publish.ClientOptions{Transport: c.Transport, Timeout: c.Timeout, Now: c.Now, Secrets: p.secrets})
	return p, nil
}

// Validate checks c against Bluesky's limits: 300 graphemes and 3000 bytes.
func (p *Publisher) Validate(c *post.Content) []post.Problem { return p.rules.Validate(c) }

// Pace returns what the server last said of its rate limit.
func (p *Publisher) Pace() publish.Pace { return p.client.Pace() }

// record is an app.bsky.feed.post.
type record struct {
	Type      string   `json:"$type"`
	Text      string   `json:"text"`
	CreatedAt string   `json:"createdAt"` // RFC 3339, milliseconds
	Langs     []string `json:"langs,omitempty"`
	Facets    []facet  `json:"facets,omitempty"`
	Embed     any      `json:"embed,omitempty"`
}

// checkpoint is what is kept of a post between attempts.
type checkpoint struct {
	Blobs  []blob          `json:"blobs,omitempty"`  // uploaded, in the order of the post's media
	Record json.RawMessage `json:"record,omitempty"` // as it is sent
}

// readCheckpoint reads a checkpoint. One that cannot be read is none: media are
// uploaded again, and the record key keeps a second post from being made.
func readCheckpoint(state []byte) checkpoint {
	var c checkpoint
	if json.Unmarshal(state, &c) != nil {
		return checkpoint{}
	}
	return c
}

// text returns what the frozen record says, "" without one.
func (c *checkpoint) text() string {
	var r record
	if len(c.Record) == 0 || json.Unmarshal(c.Record, &r) != nil {
		return ""
	}
	return r.Text
}

// put is the body of com.atproto.repo.putRecord. SwapRecord is null: there must
// be no record yet, or the same.
type put struct {
	Repo       string          `json:"repo"`
	Collection string          `json:"collection"`
	RecordKey  string          `json:"rkey"`
	Validate   bool            `json:"validate"`
	Record     json.RawMessage `json:"record"`
	SwapRecord *string         `json:"swapRecord"`
}

// Publish uploads d's media, as far as an earlier attempt has not, freezes the
// record, and writes it.
func (p *Publisher) Publish(ctx context.Context, d post.Delivery, save publish.Save) (post.Receipt, error) {
	s := sending{p: p, save: save, done: readCheckpoint(d.Post.State)}
	text := publish.Compose(&d.Content, &p.rules.Limits)
	if len(s.done.Record) == 0 || s.done.text() != text {
		if err := s.freeze(ctx, text, d.Content.Media); err != nil {
			return post.Receipt{}, publish.Unsent(err)
		}
	}
	in, err := p.session(ctx)
	if err != nil {
		return post.Receipt{}, publish.Unsent(err)
	}
	r := publish.Request{Method: http.MethodPost, URL: "com.atproto.repo.putRecord"}
	if err := r.AsJSON(put{
		Repo: in.DID, Collection: collection, RecordKey: recordKey(d.Post.ID), Validate: true, Record: s.done.Record,
	}); err != nil {
		return post.Receipt{}, err
	}
	a, err := p.call(ctx, r)
	if err != nil {
		return post.Receipt{}, err
	}
	if a.Status != http.StatusOK {
		return p.refused(ctx, a, &d, &s)
	}
	var got struct {
		URI string `json:"uri"`
		CID string `json:"cid"`
	}
	if err := a.Decode(&got); err != nil || got.URI == "" || got.CID == "" {
		return post.Receipt{}, p.client.Doubt(a, errors.Join(err, errors.New("it names no record")))
	}
	return p.receipt(got.URI, in.DID, recordKey(d.Post.ID), a.At), nil
}

// receipt leads to a post by the account's DID, which a new handle leaves as it
// is.
func (p *Publisher) receipt(uri, did, key string, at time.Time) post.Receipt {
	return post.Receipt{RemoteID: uri, URL: "https://bsky.app/profile/" + did + "/post/" + key, PublishedAt: at.UTC()}
}

// refused says what an answer to putRecord means. A record that is there already
// is this post, where it says the same: its key belongs to nothing else.
func (p *Publisher) refused(ctx context.Context, a *publish.Answer, d *post.Delivery, s *sending) (post.Receipt, error) {
	f := p.refusal(a)
	switch code(a) {
	case "InvalidSwap":
		found, err := p.Lookup(ctx, *d)
		switch {
		case err != nil:
			f.Class, f.Sent, f.Message = post.ClassServer, post.SentMaybe, "the server has a record with this post's key, and does not show it"
		case found.State == post.Present:
			return found.Receipt, nil
		default:
			f.Message = "the account has another post where this one belongs"
			if d.Again { // which may be this one, as it was then
				f.Class, f.Sent, f.Copy = post.ClassServer, post.SentMaybe, true
			}
		}
	case "BlobNotFound":
		// Thrown away since the attempt that uploaded it.
		s.done = checkpoint{}
		if err := s.checkpoint(); err != nil {
			return post.Receipt{}, err
		}
		f.Class, f.Message = post.ClassServer, "the server has dropped media of an earlier attempt: they are uploaded again"
	}
	return post.Receipt{}, f
}

// Lookup asks for the record with d's key.
func (p *Publisher) Lookup(ctx context.Context, d post.Delivery) (post.Found, error) {
	in, err := p.session(ctx)
	if err != nil {
		return post.Found{}, err
	}
	key := recordKey(d.Post.ID)
	query := url.Values{"repo": {in.DID}, "collection": {collection}, "rkey": {key}}
	a, err := p.call(ctx, publish.Request{Method: http.MethodGet, URL: "com.atproto.repo.getRecord?" + query.Encode()})
	switch {
	case err != nil:
		return post.Found{}, err
	case code(a) == "RecordNotFound":
		return post.Found{State: post.Absent}, nil
	case a.Status != http.StatusOK:
		return post.Found{}, p.refusal(a)
	}
	var got struct {
		URI   string `json:"uri"`
		Value record `json:"value"`
	}
	if err := a.Decode(&got); err != nil || got.URI == "" {
		return post.Found{}, p.client.Doubt(a, errors.Join(err, errors.New("it names no record")))
	}
	done := readCheckpoint(d.Post.State)
	want := done.text()
	if want == "" {
		want = publish.Compose(&d.Content, &p.rules.Limits)
	}
	if got.Value.Text != want {
		return post.Found{State: post.Undecidable}, nil
	}
	at, err := time.Parse(time.RFC3339, got.Value.CreatedAt)
	if err != nil {
		at = a.At
	}
	r := p.receipt(got.URI, in.DID, key, at)
	r.Found = true
	return post.Found{State: post.Present, Receipt: r}, nil
}

// Check logs in and asks whose the session is.
func (p *Publisher) Check(ctx context.Context) (post.Identity, error) {
	a, err := p.call(ctx, publish.Request{Method: http.MethodGet, URL: "com.atproto.server.getSession"})
	if err != nil {
		return post.Identity{}, err
	}
	if a.Status != http.StatusOK {
		return post.Identity{}, p.refusal(a)
	}
	var me struct {
		Handle string `json:"handle"`
		DID    string `json:"did"`
	}
	if err := a.Decode(&me); err != nil || me.Handle == "" {
		return post.Identity{}, p.client.Doubt(a, errors.Join(err, errors.New("it names no account")))
	}
	return post.Identity{Username: "@" + me.Handle, ProfileURL: "https://bsky.app/profile/" + me.DID}, nil
}

// code returns the name of the error in an answer, "" for none.
func code(a *publish.Answer) string {
	var e struct {
		Error string `json:"error"`
	}
	if a.Status < 400 || a.Decode(&e) != nil {
		return ""
	}
	return e.Error
}

// refusal classifies an answer: a PDS says much of what is 401 elsewhere with
// 400.
func (p *Publisher) refusal(a *publish.Answer) *post.Failure {
	f := p.client.Refusal(a)
	if a.Status >= 500 {
		return f
	}
	switch code(a) {
	case "AuthMissing", "AuthenticationRequired", "AuthFactorTokenRequired", "ExpiredToken", "InvalidToken",
		"AccountNotFound", "AccountTakedown", "AccountSuspended", "AccountDeactivated", "RepoDeactivated", "RepoTakendown":
		f.Class, f.Scope = post.ClassAuth, post.ScopeConnection
	case "BlobTooLarge", "PayloadTooLarge":
		f.Class = post.ClassLarge
	}
	return f
}
