package publish

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postroom/postroom/post"
)

// The bounds of one call, where the options say nothing else.
const (
	defaultTimeout = 60 * time.Second
	dialTimeout    = 10 * time.Second
	headerTimeout  = 30 * time.Second
	maxAnswer      = 1 << 20 // bytes of an answer that are read
	maxHeaders     = 64 << 10
)

// UserAgent is how postroom calls itself.
const UserAgent = "postroom (+https://github.com/postroom/postroom)"

// ClientOptions says how a Client calls.
type ClientOptions struct {
	Transport http.RoundTripper // instead of the network, for tests; Guard then does nothing
	Guard     *Guard            // nil allows every address; a guarded client uses no proxy
	Timeout   time.Duration     // of a whole call, or without progress of one with a Stream; 60 s when 0. A context may end it sooner
	Now       func() time.Time  // time.Now when nil
	Secrets   func() []string   // what no error may show beside the tokens of calls, asked anew at each error; nil for none

	// Reuse keeps a network connection for the next call, if that comes within
	// reuseFor. Only for servers that know repeats: on a connection that the
	// server closes meanwhile a call is lost in doubt. Never with an
	// Idempotency-Key header, which makes net/http send again by itself.
	Reuse bool
}

// reuseFor is shorter than servers keep a connection that nobody uses.
const reuseFor = 2 * time.Second

// A Client makes HTTP calls of which it knows how far they got. It follows no
// redirect, repeats nothing, and reuses no connection unless it is told to:
// net/http sends a request again by itself when a reused connection turns out
// dead and the request looks repeatable, which an Idempotency-Key header makes of
// a POST.
type Client struct {
	http    *http.Client
	timeout time.Duration
	now     func() time.Time
	secrets func() []string

	mu     sync.Mutex
	pace   Pace
	tokens []func() string // that were sent of late: functions, so that no print shows them
}

// NewClient returns a client.
func NewClient(o ClientOptions) *Client {
	c := &Client{timeout: o.Timeout, now: o.Now, secrets: o.Secrets}
	if c.timeout == 0 {
		c.timeout = defaultTimeout
	}
	if c.now == nil {
		c.now = time.Now
	}
	transport := o.Transport
	if transport == nil {
		network := networkTransport(o.Guard)
		if o.Reuse {
			network.DisableKeepAlives, network.IdleConnTimeout = false, reuseFor
		}
		transport = network
	}
	c.http = &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c
}

func networkTransport(g *Guard) *http.Transport {
	dialer := &net.Dialer{Timeout: dialTimeout}
	proxy := http.ProxyFromEnvironment
	if g != nil {
		dialer.ControlContext = g.Control
		proxy = nil
	}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:                  proxy,
		DialContext:            dialer.DialContext,
		TLSHandshakeTimeout:    dialTimeout,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		ResponseHeaderTimeout:  headerTimeout,
		MaxResponseHeaderBytes: maxHeaders,
		DisableKeepAlives:      true,
		DisableCompression:     true,
		Protocols:              &protocols,
	}
}

// A Request is one call.
type Request struct {
	Method string
	URL    string
	Header http.Header // beside those that the client sets
	Token  string      // sent as a Bearer token; "" for none
	Type   string      // of Body
	Body   []byte
	Stream io.Reader                       // instead of Body, for uploads
	Size   int64                           // of Stream in bytes; -1 when not known
	Prove  func(token string) (url string) // what DoAs calls with a token, in place of URL; nil for URL
	Alive  Save                            // told nothing, every few seconds in which more of Stream went out; nil for nobody to tell
}

// An Answer is what came back, whatever its status.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
	Cut    error     // why Body is not whole; nil when it is
	At     time.Time // when it came
}

// errTooLong is the reason of an Answer that is cut at the most that is read.
var errTooLong = fmt.Errorf("the answer is over %d bytes", maxAnswer)

// Do makes the call once. The error is a *post.Failure: no answer came. It is
// SentNot only when nothing of the request left this machine.
func (c *Client) Do(ctx context.Context, r Request) (*Answer, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timer := time.AfterFunc(c.timeout, func() { cancel(context.DeadlineExceeded) })
	defer timer.Stop()
	if r.Stream != nil {
		defer r.watch(func() { timer.Reset(c.timeout) }, cancel)()
	}
	c.remember(r.Token)
	resp, err := c.send(ctx, r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	a := &Answer{Status: resp.StatusCode, Header: resp.Header, At: c.now()}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		a.Cut = scrubError(err, c.known())
	case len(body) > maxAnswer:
		body, a.Cut = body[:maxAnswer], errTooLong
	}
	a.Body = body
	// Platforms count calls that only ask by themselves, and more strictly.
	if p := PaceOf(a.Header, a.At); p.Limit > 0 && r.Method != http.MethodGet {
		c.mu.Lock()
		c.pace = p
		c.mu.Unlock()
	}
	return a, nil
}

// aliveEvery is how often an upload says that it gets on.
const aliveEvery = 5 * time.Second

// moving counts what is read of a stream.
type moving struct {
	io.Reader
	bytes atomic.Int64
}

// Read reads, and counts.
func (m *moving) Read(p []byte) (int, error) {
	n, err := m.Reader.Read(p)
	m.bytes.Add(int64(n))
	return n, err
}

// watch calls moved, and Alive, while r's stream goes out: a film takes as long as the
// line does, and is not given up while it gets on. When Alive fails the call is
// cancelled. Nothing is called any more once stop has returned.
func (r *Request) watch(moved func(), cancel context.CancelCauseFunc) (stop func()) {
	stream := &moving{Reader: r.Stream}
	r.Stream = stream
	alive := r.Alive
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(aliveEvery)
		defer ticker.Stop()
		for last := int64(0); ; {
			select {
			case <-quit:
				return
			case <-ticker.C:
			}
			now := stream.bytes.Load()
			if now == last {
				continue
			}
			last = now
			moved()
			if alive == nil {
				continue
			}
			if err := alive(nil, nil); err != nil {
				cancel(err)
				return
			}
		}
	}()
	return func() {
		close(quit)
		<-ended
	}
}

// Pace returns what the last answer with rate-limit headers said, of a call that did
// not only ask.
func (c *Client) Pace() Pace {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pace
}

// Scrub takes the client's secrets out of text that is to be shown.
func (c *Client) Scrub(text string) string { return scrub(text, c.known()) }

func (c *Client) known() []string {
	c.mu.Lock()
	var known []string
	for _, token := range c.tokens {
		known = append(known, token())
	}
	c.mu.Unlock()
	if c.secrets != nil {
		known = append(known, c.secrets()...)
	}
	return known
}

// mostTokens is how many tokens a client remembers: more than are renewed while
// one answer is on its way.
const mostTokens = 8

func (c *Client) remember(token string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if token == "" || slices.ContainsFunc(c.tokens, func(known func() string) bool { return known() == token }) {
		return
	}
	c.tokens = append(c.tokens[max(0, len(c.tokens)-mostTokens+1):], func() string { return token })
}

// send makes the call and returns the answer with its body unread.
func (c *Client) send(ctx context.Context, r Request) (*http.Response, error) {
	// Asked first, so that what follows can take any silence of the trace for a
	// transport that does not trace.
	if err := ctx.Err(); err != nil {
		return nil, c.unsent(r, err, false)
	}
	var dialling, wrote atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn:      func(string) { dialling.Store(true) },
		WroteHeaders: func() { wrote.Store(true) },
	})
	req, err := newRequest(ctx, r)
	if err != nil {
		return nil, &post.Failure{Class: post.ClassInvalid, Sent: post.SentNot, Scope: post.ScopeConnection, Message: "the address of the call is not a URL: " + c.Scrub(scrubError(err, c.known()).Error())}
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.unsent(r, err, wrote.Load() || !dialling.Load())
	}
	return resp, nil
}

func newRequest(ctx context.Context, r Request) (*http.Request, error) {
	body := r.Stream
	if body == nil && r.Body != nil {
		body = bytes.NewReader(r.Body)
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, r.URL, body)
	if err != nil {
		return nil, err
	}
	req.GetBody = nil // with it net/http could send the body a second time
	if r.Stream != nil {
		req.ContentLength = r.Size
	}
	for name, values := range r.Header {
		req.Header[name] = values
	}
	req.Header.Set("User-Agent", UserAgent)
	if r.Type != "" {
		req.Header.Set("Content-Type", r.Type)
	}
	if r.Token != "" {
		req.Header.Set("Authorization", "Bearer "+r.Token)
	}
	return req, nil
}

// unsent makes the failure of a call that got no answer. maybe says whether the
// request may have left this machine.
func (c *Client) unsent(r Request, err error, maybe bool) *post.Failure {
	f := &post.Failure{Class: post.ClassNetwork, Sent: post.SentNot, Err: scrubError(err, c.known())}
	if maybe {
		f.Sent = post.SentMaybe
	}
	_, refused := errors.AsType[*guardError](err)
	timeout, isNet := errors.AsType[net.Error](err)
	switch {
	case refused:
		f.Class = post.ClassInvalid
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), isNet && timeout.Timeout():
		f.Class = post.ClassTimeout
	}
	f.Message = fmt.Sprintf("%s %s: %v", r.Method, hostOf(r.URL), f.Err)
	return f
}

// hostOf returns scheme and host of a URL: the rest may hold a secret.
func hostOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return "(not a URL)"
	}
	return u.Scheme + "://" + u.Host
}
