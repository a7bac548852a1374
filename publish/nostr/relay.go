package nostr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
)

const (
	dialTimeout = 10 * time.Second
	maxMessage  = 1 << 20 // bytes of one message of a relay
)

// newHTTP returns what shakes hands with relays: it follows no redirect, and
// keeps no connection.
func newHTTP(dial func(ctx context.Context, network, address string) (net.Conn, error)) *http.Client {
	t := &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: dial, TLSHandshakeTimeout: dialTimeout, DisableKeepAlives: true,
	}
	if dial == nil {
		t.DialContext = (&net.Dialer{Timeout: dialTimeout}).DialContext
	} else {
		t.Proxy = nil
	}
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// checkRelay says what is wrong with the address of a relay.
func checkRelay(address string) error {
	if rest, ok := strings.CutPrefix(address, "ws"); ok && publish.CheckServer("http"+rest, false) == nil {
		return nil
	}
	return errors.New("want addresses like wss://relay.example.org, or ws:// on this machine")
}

// A line is a connection to one relay.
type line struct {
	p      *Publisher
	conn   *websocket.Conn
	notice string // the last that the relay let us know
}

// open connects to a relay. Every error is a *post.Failure of what was not sent.
func (p *Publisher) open(ctx context.Context, relay string) (*line, error) {
	conn, resp, err := websocket.Dial(ctx, relay, &websocket.DialOptions{
		HTTPClient: p.http, HTTPHeader: http.Header{"User-Agent": {publish.UserAgent}},
	})
	if err == nil {
		conn.SetReadLimit(maxMessage)
		return &line{p: p, conn: conn}, nil
	}
	if resp != nil && resp.StatusCode != http.StatusSwitchingProtocols {
		body, cut := io.ReadAll(resp.Body) // of the first KiB
		f := p.client.Refusal(&publish.Answer{Status: resp.StatusCode, Header: resp.Header, Body: body, Cut: cut, At: p.now()})
		f.Scope = post.ScopeConnection
		if resp.StatusCode < 300 { // a web page
			f.Class, f.Sent = post.ClassInvalid, post.Refused
		}
		return nil, publish.Unsent(f)
	}
	return nil, p.broken(ctx, post.SentNot, err)
}

// broken makes the failure of a line that broke.
func (p *Publisher) broken(ctx context.Context, sent post.Sent, err error) *post.Failure {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // without the address, which stands before it anyway
	}
	f := &post.Failure{Class: post.ClassNetwork, Sent: sent, Message: p.client.Shown(err.Error()), Err: err}
	timeout, isNet := errors.AsType[net.Error](err)
	if ctx.Err() != nil || isNet && timeout.Timeout() {
		f.Class, f.Message = post.ClassTimeout, "no answer in time"
	}
	return f
}

func (l *line) close() {
	l.conn.CloseNow() // what counts has been heard
}

// say sends one message.
func (l *line) say(ctx context.Context, parts ...any) error {
	data, err := json.Marshal(parts)
	if err != nil {
		return &post.Failure{Class: post.ClassInvalid, Sent: post.SentNot, Message: "it cannot be written as JSON", Err: err}
	}
	if err := l.conn.Write(ctx, websocket.MessageText, data); err != nil {
		return l.p.broken(ctx, post.SentMaybe, err)
	}
	return nil
}

// hear returns the next message.
func (l *line) hear(ctx context.Context) (message, error) {
	_, r, err := l.conn.Reader(ctx)
	if err != nil {
		f := l.p.broken(ctx, post.SentMaybe, err)
		if l.notice != "" {
			f.Message += "; it had said " + l.notice
		}
		return message{}, f
	}
	data, err := io.ReadAll(r)
	if err != nil && ctx.Err() != nil {
		return message{}, l.p.broken(ctx, post.SentMaybe, err)
	}
	var m message
	if err == nil {
		m, err = parseMessage(data)
	}
	if err != nil {
		return message{}, l.doubt(err)
	}
	if m.word == "NOTICE" {
		l.notice = l.p.client.Shown(m.text)
	}
	return m, nil
}

// doubt is the failure of an answer that cannot be read.
func (l *line) doubt(why error) *post.Failure {
	return &post.Failure{Class: post.ClassServer, Sent: post.SentMaybe, Message: l.p.client.Shown("the answer cannot be read: " + why.Error()), Err: why}
}

// deliver sends e to a relay. Nil says that the relay has it.
func (p *Publisher) deliver(ctx context.Context, relay string, e *event) error {
	l, err := p.open(ctx, relay)
	if err != nil {
		return err
	}
	defer l.close()
	if err := l.say(ctx, "EVENT", e); err != nil {
		return err
	}
	for {
		m, err := l.hear(ctx)
		switch {
		case err != nil:
			return err
		case m.word != "OK" || m.of != e.ID:
		case m.ok || strings.HasPrefix(m.text, "duplicate:"):
			return nil
		default:
			return l.refusal(m.text)
		}
	}
}

// refusal says what the word at the beginning of a refusal means (NIP-01, NIP-42).
// error: stands for whatever went wrong in a relay, perhaps after it had kept the
// note.
func (l *line) refusal(text string) *post.Failure {
	f := &post.Failure{Class: post.ClassInvalid, Sent: post.Refused, Message: l.p.client.Shown(text)}
	if f.Message == "" {
		f.Message = "refused without a reason"
	}
	word, _, _ := strings.Cut(text, ":")
	switch word {
	case "auth-required", "restricted", "blocked":
		f.Class, f.Scope = post.ClassAuth, post.ScopeConnection
	case "rate-limited":
		f.Class, f.Scope = post.ClassRate, post.ScopeConnection
	case "pow":
		f.Scope = post.ScopeConnection
		f.Message += " (postroom does no proof of work: use another relay)"
	case "error":
		f.Class, f.Sent = post.ClassServer, post.SentMaybe
	}
	return f
}

// subscription is what our questions are called.
const subscription = "postroom"

// has asks a relay whether it has the event with an id.
func (p *Publisher) has(ctx context.Context, relay, id string) (bool, error) {
	l, err := p.open(ctx, relay)
	if err != nil {
		return false, err
	}
	defer l.close()
	if err := l.say(ctx, "REQ", subscription, map[string]any{"ids": []string{id}}); err != nil {
		return false, err
	}
	for {
		m, err := l.hear(ctx)
		switch {
		case err != nil:
			return false, err
		case m.of != subscription:
		case m.word == "EVENT":
			if hash := m.note.hash(); m.note.ID == id && fmt.Sprintf("%x", hash) == id {
				return true, nil
			}
		case m.word == "EOSE":
			return false, nil
		case m.word == "CLOSED":
			return false, l.refusal(m.text)
		}
	}
}
