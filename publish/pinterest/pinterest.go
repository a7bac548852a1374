// Package pinterest publishes pins to the boards of a Pinterest account, by its API
// of version 5.
//
// The call that pins is made once and never repeated here, and Pinterest takes the
// same pin twice. A lost answer is settled by a look at the account's newest pins
// ([Publisher.Lookup]).
package pinterest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
)

// API is where Pinterest answers, and Sandbox where it answers apps on trial.
const (
	API     = "https://api.pinterest.com/v5"
	Sandbox = "https://api-sandbox.pinterest.com/v5"
)

// Config says what a Pinterest connection is like.
type Config struct {
	Connection post.ConnectionID
	Tokens     publish.Tokens     // scopes boards:read, pins:read, pins:write, user_accounts:read
	Board      string             // the name or the number of the board that pins go to
	API        string             // [API] when ""
	Media      *publish.MediaRoom // where media come from; without one nothing can be pinned
	Timeout    time.Duration      // of one call, 60 s when 0
	Now        func() time.Time   // time.Now when nil
	Transport  http.RoundTripper  // instead of the network, for tests
}

// A Publisher pins for one account.
type Publisher struct {
	config Config
	api    string
	client *publish.Client
	rules  publish.Rules
	inline limits.MediaLimit // of pictures that go with the call
	own    publish.Owned

	mu     sync.Mutex
	boards map[string]string // numbers by lower-case name, once they were asked for
}

// New returns a publisher. It calls nobody.
func New(c Config) (*Publisher, error) {
	wrong := func(format string, args ...any) (*Publisher, error) {
		return nil, fmt.Errorf("pinterest %s: "+format, append([]any{c.Connection}, args...)...)
	}
	if c.API == "" {
		c.API = API
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	switch err := publish.CheckServer(c.API, false); {
	case err != nil:
		return wrong("api: %w, like %s", err, API)
	case c.Tokens == nil:
		return wrong("want a token")
	case strings.TrimSpace(c.Board) == "":
		return wrong("board: want the name or the number of a board")
	}
	table, _ := limits.PlatformByKey("pinterest")
	inline := table.Media
	inline.ImageTypes = []string{"image/jpeg", "image/png"} // the document's ContentType
	return &Publisher{
		config: c, api: strings.TrimSuffix(c.API, "/"), rules: publish.Rules{Limits: table, Media: c.Media}, inline: inline,
		client: publish.NewClient(publish.ClientOptions{Transport: c.Transport, Timeout: c.Timeout, Now: c.Now}),
	}, nil
}

// maxLink is how long a link may be, in characters.
const maxLink = 2048

// Validate checks c against the limits of Pinterest.
func (p *Publisher) Validate(c *post.Content) []post.Problem {
	rules := p.rules
	rules.Fetches = byURL(c.Media)
	problems := rules.Validate(c)
	if len([]rune(c.Link)) > maxLink {
		problems = append(problems, post.Problem{Platform: "pinterest", Field: "link", Code: publish.CodeTooLong, Got: post.Shorten(c.Link), Want: fmt.Sprintf("at most %d characters on Pinterest", maxLink)})
	}
	if _, err := settingsOf(c); err != nil {
		problems = append(problems, post.Problem{Platform: "pinterest", Field: "platform_settings", Code: publish.CodeSettingInvalid, Got: post.Shorten(string(c.Settings)), Want: err.Error()})
	}
	return problems
}

// Pace returns what Pinterest last said of its rate limit.
func (p *Publisher) Pace() publish.Pace { return p.client.Pace() }

// newPin is the body of POST /pins.
type newPin struct {
	Board       string `json:"board_id"`
	Section     string `json:"board_section_id,omitempty"`
	Title       string `json:"title,omitempty"`
	Description string `json:"description,omitempty"`
	Link        string `json:"link,omitempty"`
	Alt         string `json:"alt_text,omitempty"`
	Media       source `json:"media_source"`
}

// Publish uploads d's film, where it has one and an earlier attempt has not, and
// pins.
func (p *Publisher) Publish(ctx context.Context, d post.Delivery, save publish.Save) (post.Receipt, error) {
	up := publish.ReadUploads(&d, save, p.config.Now())
	n, err := p.prepare(ctx, &d, up)
	if err != nil {
		return post.Receipt{}, publish.Unsent(err)
	}
	r := publish.Request{Method: http.MethodPost, URL: p.api + "/pins"}
	if err := r.AsJSON(n); err != nil {
		return post.Receipt{}, err
	}
	var made struct {
		ID string `json:"id"`
	}
	a, err := p.call(ctx, r, &made)
	if err == nil && made.ID == "" {
		err = p.client.Doubt(a, errors.New("it names no pin"))
	}
	if f, ok := errors.AsType[*post.Failure](err); ok {
		if f.Class == post.ClassInvalid && f.Sent == post.Refused && up.Reused {
			if d.Again { // the film may be refused as it is pinned already
				f.Sent = post.SentMaybe
			}
			return post.Receipt{}, up.Forget(f)
		}
		return post.Receipt{}, f
	}
	p.own.Add(made.ID, d.Post.Key())
	return post.Receipt{RemoteID: made.ID, URL: permalink(made.ID), PublishedAt: a.At.UTC()}, nil
}

func permalink(id string) string { return "https://www.pinterest.com/pin/" + url.PathEscape(id) + "/" }

// prepare returns the pin. Nothing of it is seen yet.
func (p *Publisher) prepare(ctx context.Context, d *post.Delivery, up *publish.Uploads) (*newPin, error) {
	c := &d.Content
	s, err := settingsOf(c)
	if err != nil {
		return nil, &post.Failure{Class: post.ClassInvalid, Sent: post.SentNot, Message: "platform_settings: want " + err.Error()}
	}
	n := &newPin{Section: s.Section, Title: c.Title, Description: publish.Compose(c, &p.rules.Limits), Link: c.Link}
	if n.Board, err = p.boardOf(ctx, &s); err != nil {
		return nil, err
	}
	for _, m := range c.Media {
		if n.Alt == "" {
			n.Alt = m.Alt // a pin has one
		}
	}
	n.Media, err = p.source(ctx, c.Media, up)
	return n, err
}

var number = regexp.MustCompile(`^[0-9]+$`)

// boardOf returns the number of the board that a post goes to.
func (p *Publisher) boardOf(ctx context.Context, s *settings) (string, error) {
	board := p.config.Board
	if s.Board != "" {
		board = s.Board
	}
	if number.MatchString(board) {
		return board, nil
	}
	p.mu.Lock()
	id := p.boards[strings.ToLower(board)]
	p.mu.Unlock()
	if id != "" {
		return id, nil
	}
	all, err := p.listBoards(ctx)
	if err != nil {
		return "", err
	}
	if id = all[strings.ToLower(board)]; id == "" {
		return "", noBoard(board)
	}
	return id, nil
}

func noBoard(board string) *post.Failure {
	return &post.Failure{
		Class: post.ClassInvalid, Sent: post.SentNot,
		Message: "the account has no board " + post.Shorten(board) + ": look up its name, or make it",
	}
}

// mostPages bounds how many pages of boards are read: an account has 2000 boards at
// most.
const mostPages = 8

// listBoards asks for the account's boards.
func (p *Publisher) listBoards(ctx context.Context) (map[string]string, error) {
	all := map[string]string{}
	query := url.Values{"page_size": {"250"}}
	for range mostPages {
		var page struct {
			Items []struct {
				ID   string `json:"id"`
				Name string `json:"name"`
			} `json:"items"`
			Bookmark string `json:"bookmark"`
		}
		if _, err := p.call(ctx, publish.Request{Method: http.MethodGet, URL: p.api + "/boards?" + query.Encode()}, &page); err != nil {
			return nil, err
		}
		for _, b := range page.Items {
			all[strings.ToLower(b.Name)] = b.ID
		}
		if page.Bookmark == "" {
			break
		}
		query.Set("bookmark", page.Bookmark)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.boards = all
	return all, nil
}

// call makes a call and reads its answer, a success, into v. The error is a
// *post.Failure.
func (p *Publisher) call(ctx context.Context, r publish.Request, v any) (*publish.Answer, error) {
	a, err := p.client.DoAs(ctx, p.config.Tokens, r)
	if err != nil {
		return nil, err
	}
	if a.Status < 200 || a.Status > 299 {
		return a, p.refusal(a)
	}
	if err := a.Decode(v); err != nil {
		return a, p.client.Doubt(a, err)
	}
	return a, nil
}

// The codes of refusals that tell more than their status.
const (
	codeTrial   = 29
	codeNoBoard = 40
)

// refusal classifies an answer.
func (p *Publisher) refusal(a *publish.Answer) *post.Failure {
	f := p.client.Refusal(a)
	var said struct {
		Code int `json:"code"`
	}
	if a.Decode(&said) != nil {
		return f // the status tells enough
	}
	switch {
	case said.Code == codeTrial && a.Status == http.StatusForbidden:
		f.Message += " (an app with trial access can only pin in the sandbox: set api: " + Sandbox + ", or ask Pinterest for standard access)"
	case said.Code == codeNoBoard && f.Sent == post.Refused:
		f.Class, f.Scope = post.ClassInvalid, post.ScopePost
	}
	if said.Code != 0 {
		f.Message += " [code " + strconv.Itoa(said.Code) + "]"
	}
	return f
}

// Check asks who the token belongs to, and whether the board is there.
func (p *Publisher) Check(ctx context.Context) (post.Identity, error) {
	var me struct {
		Username string `json:"username"`
		Business string `json:"business_name"`
	}
	a, err := p.call(ctx, publish.Request{Method: http.MethodGet, URL: p.api + "/user_account"}, &me)
	if err == nil && me.Username == "" {
		err = p.client.Doubt(a, errors.New("it names nobody"))
	}
	if err != nil {
		return post.Identity{}, err
	}
	boards, err := p.listBoards(ctx)
	if err != nil {
		return post.Identity{}, err
	}
	there := boards[strings.ToLower(p.config.Board)] != ""
	for _, id := range boards {
		there = there || id == p.config.Board
	}
	if !there {
		f := noBoard(p.config.Board)
		f.Scope = post.ScopeConnection
		return post.Identity{}, f
	}
	return post.Identity{Username: me.Username, DisplayName: me.Business, ProfileURL: "https://www.pinterest.com/" + url.PathEscape(me.Username) + "/"}, nil
}
