// Package meta is what Facebook, Instagram and Threads share: the Graph API, its
// errors, and containers, in which Instagram and Threads prepare a post before it
// is published.
package meta

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
)

// Version is the version of the Graph API that is asked for (2026-07-29).
const Version = "v26.0"

// Config says how a Graph is called.
type Config struct {
	Driver     string // for errors of New: facebook, instagram or threads
	Connection post.ConnectionID
	Tokens     publish.Tokens
	AppSecret  func() string // signs calls where the app wants that; nil or "" for not
	API        string
	Version    string            // "" for none in the path
	Timeout    time.Duration     // of one call, 60 s when 0
	Now        func() time.Time  // time.Now when nil
	Transport  http.RoundTripper // instead of the network, for tests
}

// A Graph makes calls as one page or user.
type Graph struct {
	Client *publish.Client
	Own    publish.Owned // remote posts that this process has made
	Now    func() time.Time
	config Config
	base   string
}

// New returns a graph. It calls nobody.
func New(c Config) (*Graph, error) {
	if err := publish.CheckServer(c.API, false); err != nil {
		return nil, fmt.Errorf("%s %s: api: %w", c.Driver, c.Connection, err)
	}
	if c.Tokens == nil {
		return nil, fmt.Errorf("%s %s: want a token", c.Driver, c.Connection)
	}
	if c.AppSecret == nil {
		c.AppSecret = func() string { return "" }
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	g := &Graph{config: c, Now: c.Now, base: strings.TrimSuffix(c.API, "/")}
	if c.Version != "" {
		g.base += "/" + c.Version
	}
	g.Client = publish.NewClient(publish.ClientOptions{
		Transport: c.Transport, Timeout: c.Timeout, Now: c.Now, Secrets: func() []string { return []string{c.AppSecret()} },
	})
	return g, nil
}

// Post makes a call that changes something, and reads its answer into v. The error
// is a *post.Failure.
func (g *Graph) Post(ctx context.Context, path string, form url.Values, v any) (*publish.Answer, error) {
	return g.call(ctx, publish.Request{
		Method: http.MethodPost, URL: g.base + path, Type: "application/x-www-form-urlencoded", Body: []byte(form.Encode()),
	}, v)
}

// PostForm is Post with files, which says with alive that it gets on.
func (g *Graph) PostForm(ctx context.Context, path string, form *publish.Form, alive publish.Save, v any) (*publish.Answer, error) {
	r := publish.Request{Method: http.MethodPost, URL: g.base + path, Alive: alive}
	form.Send(&r)
	return g.call(ctx, r, v)
}

// Get makes a call that changes nothing.
func (g *Graph) Get(ctx context.Context, path string, query url.Values, v any) (*publish.Answer, error) {
	return g.call(ctx, publish.Request{Method: http.MethodGet, URL: g.base + path + "?" + query.Encode()}, v)
}

func (g *Graph) call(ctx context.Context, r publish.Request, v any) (*publish.Answer, error) {
	if secret := g.config.AppSecret(); secret != "" {
		to := r.URL
		r.Prove = func(token string) string { return proven(to, token, secret) }
	}
	a, err := g.Client.DoAs(ctx, g.config.Tokens, r)
	if err != nil {
		return nil, err
	}
	if a.Status < 200 || a.Status > 299 {
		return a, g.Refusal(a)
	}
	if err := a.Decode(v); err != nil {
		return a, g.Client.Doubt(a, err)
	}
	return a, nil
}

// proven adds the proof that the caller has the app's secret. It is good for one
// token.
func proven(to, token, secret string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(token))
	sign := "?"
	if strings.Contains(to, "?") {
		sign = "&"
	}
	return to + sign + "appsecret_proof=" + hex.EncodeToString(mac.Sum(nil))
}

// An Error is the Graph API's own word for what went wrong.
type Error struct {
	Code        int    `json:"code"`
	Subcode     int    `json:"error_subcode"`
	Message     string `json:"message"`
	UserMessage string `json:"error_user_msg"`
	Transient   bool   `json:"is_transient"`
}

// ErrorOf returns the error in an answer; the zero Error when there is none.
func ErrorOf(a *publish.Answer) Error {
	var said struct {
		Error Error `json:"error"`
	}
	if a == nil || json.Unmarshal(a.Body, &said) != nil {
		return Error{}
	}
	return said.Error
}

// CodeDuplicate is the code of a post that the page has just published.
const CodeDuplicate = 506

// The subcodes of media that the platform has yet to fetch.
const (
	subcodeNotReady   = 2207027
	subcodeNoSuchYet  = 4279009 // Threads: the container is not everywhere yet
	subcodeDailyCap   = 2207042
	subcodeImageLarge = 2207004
	codeVideoLarge    = 1363023
	codeBlocked       = 368
)

// Refusal classifies an answer by its code: the status is 400 for nearly
// everything (PLATFORMS §2.3).
func (g *Graph) Refusal(a *publish.Answer) *post.Failure {
	f := g.Client.Refusal(a)
	e := ErrorOf(a)
	if e.Code == 0 {
		return f
	}
	f.Class, f.Scope, f.Message = post.ClassInvalid, post.ScopePost, g.Client.Shown(e.text())
	if a.Status < 500 {
		f.Sent = post.Refused
	}
	switch c := e.Code; {
	case e.Subcode == subcodeNotReady || e.Subcode == subcodeNoSuchYet || c == 9007:
		f.Class, f.After = post.ClassServer, 30*time.Second
	case e.Subcode == subcodeDailyCap || c == 9:
		f.Class, f.Scope, f.After = post.ClassRate, post.ScopeConnection, time.Hour
	case c == 4 || c == 17 || c == 32 || c == 341 || c == 613 || c >= 80001 && c <= 80014:
		f.Class, f.Scope, f.After = post.ClassRate, post.ScopeConnection, max(f.After, regain(a), time.Minute)
	case c == 102 || c == 190 || c == 10 || c >= 200 && c <= 299:
		f.Class, f.Scope = post.ClassAuth, post.ScopeConnection
	case e.Subcode == subcodeImageLarge || c == codeVideoLarge:
		f.Class = post.ClassLarge
	case c == codeBlocked:
		f.Scope, f.Class = post.ScopeConnection, post.ClassAuth
		f.Message += ": the account is blocked for a while, look at its notifications"
	case c == 1 || c == 2 || e.Transient:
		// The platform does not say whether it had acted before it broke.
		f.Class, f.Sent = post.ClassServer, post.SentMaybe
	}
	return f
}

func (e *Error) text() string {
	text := e.Message
	if e.UserMessage != "" {
		text = e.UserMessage
	}
	code := strconv.Itoa(e.Code)
	if e.Subcode != 0 {
		code += "/" + strconv.Itoa(e.Subcode)
	}
	return fmt.Sprintf("%s (code %s)", text, code)
}

// regain is how long a business use case says that calls are held back.
func regain(a *publish.Answer) time.Duration {
	var usage map[string][]struct {
		Minutes int `json:"estimated_time_to_regain_access"`
	}
	if json.Unmarshal([]byte(a.Header.Get("X-Business-Use-Case-Usage")), &usage) != nil {
		return 0
	}
	var most time.Duration
	for _, all := range usage {
		for _, u := range all {
			most = max(most, time.Duration(u.Minutes)*time.Minute)
		}
	}
	return min(most, 24*time.Hour)
}

// ID reads the id that a call answers; an answer without one leaves it open what
// happened.
func (g *Graph) ID(a *publish.Answer, id string) error {
	if id == "" {
		return g.Client.Doubt(a, errors.New("it names nothing"))
	}
	return nil
}

// Time reads the times of the Graph API, which write a zone without a colon; one that
// cannot be read is zero.
func Time(s string) time.Time {
	for _, layout := range []string{"2006-01-02T15:04:05-0700", time.RFC3339} {
		if at, err := time.Parse(layout, s); err == nil {
			return at.UTC()
		}
	}
	return time.Time{}
}
