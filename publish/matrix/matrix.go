// Package matrix publishes to a room on Matrix, by the client-server API v3.
//
// Each event is sent with a transaction id made of the post's key: a repeat with
// the same token is the same event, for as long as the server remembers. The key
// is in the event too, so that a look through the room's newest events settles
// what became of a lost answer later. Rooms that are encrypted are refused, as
// postroom holds no keys. A text and each of its media are an event each.
package matrix

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

// Config says what a Matrix connection is like. Token is a function so that no
// print of the config shows it.
type Config struct {
	Connection post.ConnectionID
	Server     string             // the homeserver, like https://matrix.org
	Token      func() string      // an access token
	Room       string             // !id:server or #alias:server
	PlainHTTP  bool               // the server may be http beyond loopback: the token travels in the clear
	Media      *publish.MediaRoom // nil for connections without media
	Timeout    time.Duration      // of one call, 60 s when 0
	Now        func() time.Time   // time.Now when nil
	Transport  http.RoundTripper  // instead of the network, for tests
}

// A Publisher posts to one room.
type Publisher struct {
	config Config
	rules  publish.Rules
	client *publish.Client

	mu   sync.Mutex
	user string // "" until asked
	room string // its id; "" until it is known, and known to be not encrypted
}

// New returns a publisher. It calls nobody.
func New(c Config) (*Publisher, error) {
	c.Server = strings.TrimSuffix(c.Server, "/")
	if err := publish.CheckServer(c.Server, c.PlainHTTP); err != nil {
		return nil, fmt.Errorf("matrix %s: server: %w, like https://matrix.org", c.Connection, err)
	}
	if c.Token == nil || c.Token() == "" {
		return nil, fmt.Errorf("matrix %s: want an access_token", c.Connection)
	}
	if len(c.Room) < 2 || c.Room[0] != '!' && (c.Room[0] != '#' || !strings.Contains(c.Room, ":")) {
		return nil, fmt.Errorf("matrix %s: room: want an id like !abc:example.org, or an alias like #news:example.org", c.Connection)
	}
	table, _ := limits.PlatformByKey("matrix")
	return &Publisher{
		config: c, rules: publish.Rules{Limits: table, Media: c.Media},
		client: publish.NewClient(publish.ClientOptions{
			Transport: c.Transport, Timeout: c.Timeout, Now: c.Now, Secrets: func() []string { return []string{c.Token()} },
		}),
	}, nil
}

// Validate checks c against the size of an event.
func (p *Publisher) Validate(c *post.Content) []post.Problem { return p.rules.Validate(c) }

// Pace returns what the server last said of its rate limit.
func (p *Publisher) Pace() publish.Pace { return p.client.Pace() }

// keyField is where an event says which post it is.
const keyField = "postroom.key"

// texts returns what the events of a post say, the text first and then the words
// for each of its media.
func (p *Publisher) texts(c *post.Content) []string {
	var texts []string
	if text := publish.Compose(c, &p.rules.Limits); strings.TrimSpace(text) != "" {
		texts = append(texts, text)
	}
	for _, m := range c.Media {
		texts = append(texts, wordsFor(m))
	}
	return texts
}

// Publish uploads d's media, as far as an earlier attempt has not, and sends the
// events.
func (p *Publisher) Publish(ctx context.Context, d post.Delivery, save publish.Save) (post.Receipt, error) {
	room, err := p.openRoom(ctx)
	if err != nil {
		return post.Receipt{}, publish.Unsent(err)
	}
	up := upload{p: p, save: save, state: readState(d.Post.State)}
	if err := up.all(ctx, d.Content.Media); err != nil {
		return post.Receipt{}, publish.Unsent(err)
	}
	texts := p.texts(&d.Content)
	if len(texts) == 0 {
		return post.Receipt{}, &post.Failure{Class: post.ClassInvalid, Sent: post.SentNot, Message: "there is nothing to send"}
	}
	media := max(len(texts), len(d.Post.Parts)) - len(d.Content.Media) // the first part that is one
	return publish.SendParts(ctx, &d, texts, save, func(ctx context.Context, at int, text string, _ []post.Part) (post.Receipt, error) {
		event := map[string]any{"msgtype": "m.text", "body": text, keyField: d.Post.PartKey(at)}
		if at >= media {
			up.state.Media[at-media].into(event)
		}
		return p.send(ctx, room, d.Post.PartKey(at), event)
	})
}

// send sends one event.
func (p *Publisher) send(ctx context.Context, room, key string, event map[string]any) (post.Receipt, error) {
	r := publish.Request{Method: http.MethodPut, URL: p.url("v3/rooms", room, "send/m.room.message", key), Token: p.config.Token()}
	if err := r.AsJSON(event); err != nil {
		return post.Receipt{}, err
	}
	a, err := p.client.Do(ctx, r)
	if err != nil {
		return post.Receipt{}, err
	}
	if a.Status != http.StatusOK {
		return post.Receipt{}, p.refusal(a)
	}
	var got struct {
		ID string `json:"event_id"`
	}
	if err := a.Decode(&got); err != nil || got.ID == "" {
		return post.Receipt{}, p.client.Doubt(a, errors.Join(err, errors.New("it names no event")))
	}
	return p.receipt(room, got.ID, a.At), nil
}

func (p *Publisher) receipt(room, event string, at time.Time) post.Receipt {
	link := "https://matrix.to/#/" + url.PathEscape(room) + "/" + url.PathEscape(event)
	if _, server, ok := strings.Cut(room, ":"); ok {
		link += "?via=" + url.QueryEscape(server)
	}
	return post.Receipt{RemoteID: event, URL: link, PublishedAt: at.UTC()}
}

// url returns the address of a path of the client API: every second part is
// escaped.
func (p *Publisher) url(parts ...string) string {
	address := p.config.Server + "/_matrix/client"
	for i, part := range parts {
		if i%2 == 1 {
			part = url.PathEscape(part)
		}
		address += "/" + part
	}
	return address
}

// refusal classifies an answer: a wait is in its body.
func (p *Publisher) refusal(a *publish.Answer) *post.Failure {
	f := p.client.Refusal(a)
	var e struct {
		Code  string `json:"errcode"`
		Error string `json:"error"`
		Wait  int64  `json:"retry_after_ms"`
	}
	if a.Status >= 500 || a.Decode(&e) != nil {
		return f
	}
	switch e.Code {
	case "M_LIMIT_EXCEEDED":
		f.Class, f.Scope = post.ClassRate, post.ScopeConnection
		if e.Wait > 0 {
			f.After = min(max(time.Duration(min(e.Wait, 1<<40))*time.Millisecond, time.Second), 24*time.Hour)
		}
	case "M_UNKNOWN_TOKEN", "M_MISSING_TOKEN", "M_FORBIDDEN", "M_USER_DEACTIVATED", "M_GUEST_ACCESS_FORBIDDEN":
		f.Class, f.Scope = post.ClassAuth, post.ScopeConnection
	case "M_NOT_FOUND", "M_UNRECOGNIZED":
		f.Scope = post.ScopeConnection
	case "M_TOO_LARGE":
		f.Class = post.ClassLarge
	}
	return f
}

// get reads JSON from an address. The answer is nil when none came.
func (p *Publisher) get(ctx context.Context, address string, v any) (*publish.Answer, error) {
	a, err := p.client.Do(ctx, publish.Request{Method: http.MethodGet, URL: address, Token: p.config.Token()})
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

// openRoom returns the id of the room, once it is known to be one that can be
// read by those who are to read it.
func (p *Publisher) openRoom(ctx context.Context) (string, error) {
	p.mu.Lock()
	room := p.room
	p.mu.Unlock()
	if room != "" {
		return room, nil
	}
	room = p.config.Room
	if room[0] == '#' {
		var got struct {
			ID string `json:"room_id"`
		}
		a, err := p.get(ctx, p.url("v3/directory/room", room), &got)
		if err != nil {
			return "", err
		}
		if got.ID == "" {
			return "", p.client.Doubt(a, errors.New("it names no room"))
		}
		room = got.ID
	}
	var encryption struct{}
	a, err := p.get(ctx, p.url("v3/rooms", room, "state/m.room.encryption"), &encryption)
	switch {
	case err == nil:
		return "", &post.Failure{
			Class: post.ClassInvalid, Sent: post.SentNot, Scope: post.ScopeConnection,
			Message: "the room is encrypted, and postroom holds no keys: use a room without encryption",
		}
	case a == nil || a.Status != http.StatusNotFound:
		return "", err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.room = room
	return room, nil
}

// userID returns whose token it is.
func (p *Publisher) userID(ctx context.Context) (string, error) {
	p.mu.Lock()
	user := p.user
	p.mu.Unlock()
	if user != "" {
		return user, nil
	}
	var me struct {
		ID string `json:"user_id"`
	}
	a, err := p.get(ctx, p.url("v3/account/whoami"), &me)
	if err != nil {
		return "", err
	}
	if me.ID == "" {
		return "", p.client.Doubt(a, errors.New("it names no user"))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.user = me.ID
	return me.ID, nil
}

// Check asks whose token it is, and whether the room can be posted to as far as
// that can be asked.
func (p *Publisher) Check(ctx context.Context) (post.Identity, error) {
	user, err := p.userID(ctx)
	if err != nil {
		return post.Identity{}, err
	}
	room, err := p.openRoom(ctx)
	if err != nil {
		return post.Identity{}, err
	}
	var joined struct {
		Rooms []string `json:"joined_rooms"`
	}
	if _, err := p.get(ctx, p.url("v3/joined_rooms"), &joined); err != nil {
		return post.Identity{}, err
	}
	for _, r := range joined.Rooms {
		if r == room {
			return post.Identity{Username: user, ProfileURL: "https://matrix.to/#/" + url.PathEscape(user)}, nil
		}
	}
	return post.Identity{}, &post.Failure{
		Class: post.ClassAuth, Sent: post.Refused, Scope: post.ScopeConnection,
		Message: fmt.Sprintf("%s has not joined %s: invite it, and join", user, p.config.Room),
	}
}
