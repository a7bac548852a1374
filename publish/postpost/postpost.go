// Package postpost forwards posts to a PostPost API: to the service of that name, or
// to another room that serves it.
//
// A post is made there as a draft, which nobody sees, with its media; its id is made
// durable; then it is scheduled for now, and asked for until it is published. Where
// an answer is lost, its id tells what became of it ([Publisher.Lookup]).
package postpost

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
)

// Server is where PostPost answers.
const Server = "https://api.postpost.dev"

// Config says what a connection is like that is forwarded.
type Config struct {
	Connection post.ConnectionID
	Server     string              // the URL of the API, without /api/v1; [Server] when ""
	Key        func() string       // an API key; a function so that no print shows it
	To         []post.ConnectionID // connections there; Connection itself when nil
	Media      *publish.MediaRoom  // nil for connections without media
	Timeout    time.Duration       // of one call, 60 s when 0
	Now        func() time.Time    // time.Now when nil
	Transport  http.RoundTripper   // instead of the network, for tests
}

// A Publisher forwards to the connections of one account.
type Publisher struct {
	config Config
	api    string
	client *publish.Client
	rules  publish.Rules
}

// What PostPost takes of media, beside the platform's limits (CONTRACT §5.2).
const (
	mostImages = 4
	mostVideos = 1
)

// New returns a publisher. It calls nobody.
func New(c Config) (*Publisher, error) {
	wrong := func(format string, args ...any) (*Publisher, error) {
		return nil, fmt.Errorf("postpost %s: "+format, append([]any{c.Connection}, args...)...)
	}
	if c.Server == "" {
		c.Server = Server
	}
	if c.To == nil && c.Connection.Platform() != "postpost" {
		c.To = []post.ConnectionID{c.Connection}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if err := publish.CheckServer(c.Server, false); err != nil {
		return wrong("server: %w, like %s", err, Server)
	}
	switch {
	case c.Key == nil || c.Key() == "":
		return wrong("key: want an API key")
	case len(c.To) == 0:
		return wrong("to: want a connection there, like [twitter-123456]")
	}
	for i, id := range c.To {
		if err := id.Check(); err != nil {
			return wrong("to: %w", err)
		}
		if slices.Contains(c.To[:i], id) {
			return wrong("to: %s stands there twice", id)
		}
	}
	return &Publisher{
		config: c, api: strings.TrimSuffix(c.Server, "/") + "/api/v1", rules: publish.Rules{Limits: limitsOf(c.Connection.Platform()), Media: c.Media},
		client: publish.NewClient(publish.ClientOptions{
			Transport: c.Transport, Timeout: c.Timeout, Now: c.Now, Secrets: func() []string { return []string{c.Key()} },
		}),
	}, nil
}

// limitsOf are those of the platform and of PostPost, which has a text and media and
// no place for anything else.
func limitsOf(p post.Platform) limits.PlatformLimits {
	l, _ := limits.PlatformByKey(p)
	l.LinkField, l.FirstComment, l.TitleField = false, false, p == "youtube"
	l.Media.Images, l.Media.Videos = min(l.Media.Images, mostImages), min(l.Media.Videos, mostVideos)
	l.Media.Mixed, l.Media.Alt = false, 0
	return l
}

// Validate checks c against the limits of the connection's platform, and of
// PostPost.
func (p *Publisher) Validate(c *post.Content) []post.Problem { return p.rules.Validate(c) }

// progress is the checkpoint of a post.
type progress struct {
	Group string              `json:"group,omitempty"` // of the post there, once all of it is there
	Done  []post.ConnectionID `json:"done,omitempty"`  // where an earlier group has published it
}

// left returns where the post is not published yet.
func (p *Publisher) left(at *progress) []post.ConnectionID {
	return slices.DeleteFunc(slices.Clone(p.config.To), func(id post.ConnectionID) bool { return slices.Contains(at.Done, id) })
}

// Publish goes on where d's checkpoint says. A post of which a part has failed goes
// only where it is not live yet.
func (p *Publisher) Publish(ctx context.Context, d post.Delivery, save publish.Save) (post.Receipt, error) {
	at := progressOf(&d)
	begun := false // the group may be scheduled
	if at.Group != "" {
		g, err := p.group(ctx, at.Group)
		switch {
		case isMissing(err):
			at.Group = "" // somebody has deleted it
		case err != nil:
			return post.Receipt{}, publish.Unsent(err)
		case g.ended():
			at.Done = append(at.Done, g.published()...)
			if len(p.left(at)) == 0 {
				return p.receipt(at.Group, g), nil
			}
			at.Group = "" // what has failed there is not tried again there
		default:
			begun = g.open() > 0
		}
	}
	if at.Group == "" {
		if err := p.draft(ctx, &d, at, save); err != nil {
			return post.Receipt{}, publish.Unsent(err)
		}
		if err := publish.SaveState(save, at); err != nil {
			return post.Receipt{}, err
		}
	}
	if !begun {
		if err := p.schedule(ctx, at.Group); err != nil {
			return post.Receipt{}, err
		}
	}
	return p.wait(ctx, at, save)
}

// progressOf reads d's checkpoint; one that cannot be read is none.
func progressOf(d *post.Delivery) *progress {
	at := &progress{}
	if json.Unmarshal(d.Post.State, at) != nil {
		return &progress{}
	}
	return at
}

// draft makes the post with its media, and notes its group. One that does not get
// its media is thrown away, as they would be there twice when they are sent again.
func (p *Publisher) draft(ctx context.Context, d *post.Delivery, at *progress, save publish.Save) error {
	c := &d.Content
	if len(c.Media) > 0 && p.config.Media == nil {
		return publish.NoMediaRoom()
	}
	settings, err := p.settings(c)
	if err != nil {
		return err
	}
	var made struct {
		Group string `json:"postGroupId"`
	}
	a, err := p.call(ctx, http.MethodPost, "/create-post", map[string]any{
		"content": publish.Compose(c, &p.rules.Limits), "platforms": p.left(at), "platformSettings": settings,
	}, &made)
	if err == nil && made.Group == "" {
		err = p.client.Doubt(a, errors.New("it names no post group"))
	}
	if err != nil {
		return err
	}
	for i := range c.Media {
		if err := p.upload(ctx, made.Group, &c.Media[i], save); err != nil {
			// That it stays a draft harms nobody: why it failed counts more.
			_, _ = p.call(ctx, http.MethodDelete, "/delete-post/"+url.PathEscape(made.Group), nil, new(struct{}))
			return err
		}
		if err := publish.SaveState(save, at); err != nil { // it says that the send is alive
			return err
		}
	}
	at.Group = made.Group
	return nil
}

// settings are the post's own, with the title where PostPost has a place for it.
func (p *Publisher) settings(c *post.Content) (map[string]any, error) {
	all := map[string]any{}
	if len(c.Settings) > 0 {
		if err := json.Unmarshal(c.Settings, &all); err != nil {
			return nil, &post.Failure{Class: post.ClassInvalid, Sent: post.SentNot, Message: "platform_settings: want an object, by platform"}
		}
	}
	if c.Title == "" || !slices.ContainsFunc(p.config.To, func(id post.ConnectionID) bool { return id.Platform() == "youtube" }) {
		return all, nil
	}
	own, ok := all["youtube"].(map[string]any)
	if !ok {
		own = map[string]any{}
	}
	if own["title"] == nil {
		own["title"] = c.Title
	}
	all["youtube"] = own
	return all, nil
}

// upload adds one file to a draft.
func (p *Publisher) upload(ctx context.Context, group string, m *post.Media, alive publish.Save) error {
	file, err := p.config.Media.Ready(ctx, *m, &p.rules.Limits.Media)
	if err != nil {
		return err
	}
	defer file.Close()
	kind, _, _ := strings.Cut(file.Type, "/")
	var place struct {
		URL string `json:"uploadUrl"`
	}
	a, err := p.call(ctx, http.MethodPost, "/get-upload-url", map[string]string{
		"fileName": file.Name, "contentType": file.Type, "type": kind, "postGroupId": group,
	}, &place)
	if err == nil && publish.CheckUpload(place.URL) != nil {
		err = p.client.Doubt(a, errors.New("it names no place to upload to"))
	}
	if err != nil {
		return err
	}
	// The place is another host's, so the key does not go there.
	a, err = p.client.Do(ctx, publish.Request{Method: http.MethodPut, URL: place.URL, Type: file.Type, Stream: file, Size: file.Size, Alive: alive})
	if err != nil {
		return err
	}
	if a.Status < 200 || a.Status > 299 {
		f := p.client.Refusal(a)
		f.Scope, f.Message = post.ScopePost, "media "+post.Shorten(file.Name)+": "+f.Message
		if f.Class == post.ClassAuth {
			f.Class = post.ClassServer // the address has ended: the key did not go there
		}
		return f
	}
	return nil
}

// schedule makes the call after which the post goes out.
func (p *Publisher) schedule(ctx context.Context, group string) error {
	var said struct {
		Success bool `json:"success"`
	}
	a, err := p.call(ctx, http.MethodPut, "/update-post/"+url.PathEscape(group), map[string]string{
		"status": "scheduled", "scheduledTime": p.config.Now().UTC().Format("2006-01-02T15:04:05.000Z"),
	}, &said)
	if err == nil && !said.Success {
		err = p.client.Doubt(a, errors.New("it does not say that the post is scheduled"))
	}
	if f, ok := errors.AsType[*post.Failure](err); ok && f.Sent == post.Refused && strings.HasPrefix(f.Message, "Cannot update post") {
		f.Class, f.Sent = post.ClassServer, post.SentMaybe // it is on its way already
	}
	return err
}

// The waits between questions whether the post is published. PostPost looks for what
// is due every minute.
const (
	firstWait = time.Second
	mostWait  = 5 * time.Second
	mostAsked = 40 // some three minutes
)

// wait asks until the group is published, or failed. Whatever goes wrong, it may be
// published.
func (p *Publisher) wait(ctx context.Context, at *progress, save publish.Save) (post.Receipt, error) {
	doubtful := func(err error) error {
		if f, ok := errors.AsType[*post.Failure](err); ok {
			f.Sent = post.SentMaybe
		}
		return err
	}
	pause := firstWait
	for range mostAsked {
		g, err := p.group(ctx, at.Group)
		switch {
		case err != nil:
			return post.Receipt{}, doubtful(err)
		case g.ended() && len(g.failed()) == 0:
			return p.receipt(at.Group, g), nil
		case g.ended():
			return post.Receipt{}, g.failure(p.client)
		}
		// It says that the send is alive.
		if err := publish.SaveState(save, at); err != nil {
			return post.Receipt{}, doubtful(err)
		}
		if err := publish.Pause(ctx, pause); err != nil {
			return post.Receipt{}, &post.Failure{Class: post.ClassTimeout, Sent: post.SentMaybe, Message: notYet, Err: err}
		}
		pause = min(2*pause, mostWait)
	}
	return post.Receipt{}, &post.Failure{Class: post.ClassTimeout, Sent: post.SentMaybe, Message: notYet}
}

const notYet = "PostPost has the post, and has not published it yet"

// receipt names the group, and where its post is if it is one.
func (p *Publisher) receipt(group string, g *group) post.Receipt {
	r := post.Receipt{RemoteID: group, PublishedAt: p.config.Now().UTC()}
	for i := range g.Posts {
		if at := g.Posts[i].PublishedAt; !at.IsZero() {
			r.PublishedAt = at.UTC()
		}
		if len(p.config.To) == 1 {
			r.URL = g.Posts[i].URL
		}
	}
	return r
}

// Lookup asks for d's group. Without one nothing can have been published. What
// failed there without a clear word may be live all the same.
func (p *Publisher) Lookup(ctx context.Context, d post.Delivery) (post.Found, error) {
	at := progressOf(&d)
	if at.Group == "" {
		return post.Found{State: post.Absent}, nil
	}
	g, err := p.group(ctx, at.Group)
	switch {
	case isMissing(err):
		return post.Found{State: post.Undecidable}, nil
	case err != nil:
		return post.Found{}, err
	case g.open() > 0:
		return post.Found{}, &post.Failure{Class: post.ClassServer, Sent: post.SentMaybe, Message: notYet}
	case g.ended() && len(g.failed()) == 0:
		r := p.receipt(at.Group, g)
		r.Found = true
		return post.Found{State: post.Present, Receipt: r}, nil
	case g.ended() && g.failure(p.client).InDoubt():
		return post.Found{State: post.Undecidable}, nil
	}
	return post.Found{State: post.Absent}, nil
}

// Check asks whether the connections are there, and whether their tokens are good.
func (p *Publisher) Check(ctx context.Context) (post.Identity, error) {
	var said struct {
		Connections []struct {
			ID      post.ConnectionID `json:"platformId"`
			Name    string            `json:"username"`
			Display string            `json:"displayName"`
			Profile string            `json:"profileUrl"`
			Token   string            `json:"tokenStatus"`
			Expires time.Time         `json:"accessTokenExpiresAt"`
		} `json:"connections"`
	}
	if _, err := p.call(ctx, http.MethodGet, "/platform-connections", nil, &said); err != nil {
		return post.Identity{}, err
	}
	var who post.Identity
	var names []string
	for _, id := range p.config.To {
		wrong := "PostPost has no connection " + string(id)
		for _, c := range said.Connections {
			if c.ID != id {
				continue
			}
			if wrong = ""; c.Token == "expired" {
				wrong = "the token of " + string(id) + " has ended at PostPost: connect it there again"
			}
			names = append(names, c.Name)
			if len(p.config.To) == 1 {
				who.DisplayName, who.ProfileURL = c.Display, c.Profile
			}
			if !c.Expires.IsZero() && (who.ExpiresAt.IsZero() || c.Expires.Before(who.ExpiresAt)) {
				who.ExpiresAt = c.Expires
			}
		}
		if wrong != "" {
			return post.Identity{}, &post.Failure{Class: post.ClassAuth, Sent: post.Refused, Scope: post.ScopeConnection, Message: wrong}
		}
	}
	who.Username = strings.Join(names, ", ")
	return who, nil
}
