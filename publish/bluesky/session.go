package bluesky

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
)

// freshFor is how long an access token is used: it lives for two hours.
const freshFor = 90 * time.Minute

// session is what createSession and refreshSession answer, and when.
type session struct {
	Access  string `json:"accessJwt"`
	Refresh string `json:"refreshJwt"`
	DID     string `json:"did"`
	DIDDoc  struct {
		Service []struct {
			ID       string `json:"id"`
			Type     string `json:"type"`
			Endpoint string `json:"serviceEndpoint"`
		} `json:"service"`
	} `json:"didDoc"`

	server string // that holds the account
	at     time.Time
}

// login keeps the session, as servers take few log-ins in an hour. turn is held
// by the one call that makes a new one.
type login struct {
	turn chan struct{}
	mu   sync.Mutex
	now  func() session // a function, so that no print of a publisher shows tokens; nil for none
}

func (p *Publisher) current() session {
	p.login.mu.Lock()
	defer p.login.mu.Unlock()
	if p.login.now == nil {
		return session{}
	}
	return p.login.now()
}

// secrets returns what no error may show.
func (p *Publisher) secrets() []string {
	s := p.current()
	return []string{p.config.Password(), s.Access, s.Refresh}
}

// session returns a session that is good for some time. The error is a
// *post.Failure of a post that was not sent.
func (p *Publisher) session(ctx context.Context) (session, error) { return p.renew(ctx, "") }

// renew returns a session whose access token is not the refused one.
func (p *Publisher) renew(ctx context.Context, refused string) (session, error) {
	select {
	case p.login.turn <- struct{}{}:
		defer func() { <-p.login.turn }()
	case <-ctx.Done():
		return session{}, &post.Failure{Class: post.ClassTimeout, Sent: post.SentNot, Message: "waiting for a log-in", Err: ctx.Err()}
	}
	s := p.current()
	if s.Access != "" && s.Access != refused && p.now().Sub(s.at) < freshFor {
		return s, nil
	}
	if s.Refresh != "" {
		next, err := p.open(ctx, s.server, "refreshSession", s.Refresh, nil)
		if f, ok := errors.AsType[*post.Failure](err); err == nil || ok && f.Class != post.ClassAuth && f.Class != post.ClassInvalid {
			return next, err
		}
	}
	return p.open(ctx, p.config.Server, "createSession", "", map[string]string{"identifier": p.config.Identifier, "password": p.config.Password()})
}

// open makes one of the two calls that open a session, and keeps it.
func (p *Publisher) open(ctx context.Context, server, method, token string, in map[string]string) (session, error) {
	r := publish.Request{Method: http.MethodPost, URL: server + "/xrpc/com.atproto.server." + method, Token: token}
	if in != nil {
		if err := r.AsJSON(in); err != nil {
			return session{}, err
		}
	}
	a, err := p.client.Do(ctx, r)
	if err != nil {
		return session{}, publish.Unsent(err)
	}
	if a.Status != http.StatusOK {
		f := p.refusal(a)
		if f.Class == post.ClassAuth {
			f.Message = "the log-in is refused: " + f.Message
		}
		return session{}, publish.Unsent(f)
	}
	var s session
	if err := a.Decode(&s); err != nil || s.Access == "" || s.DID == "" {
		return session{}, publish.Unsent(p.client.Doubt(a, errors.Join(err, errors.New("it opens no session"))))
	}
	s.at, s.server = a.At, p.home(&s, server)
	p.login.mu.Lock()
	defer p.login.mu.Unlock()
	p.login.now = func() session { return s }
	return s, nil
}

// home returns the server that the account's DID document names, else the one
// that was asked.
func (p *Publisher) home(s *session, asked string) string {
	for _, service := range s.DIDDoc.Service {
		if !strings.HasSuffix(service.ID, "#atproto_pds") || service.Type != "AtprotoPersonalDataServer" {
			continue
		}
		secure := strings.HasPrefix(service.Endpoint, "https:") || strings.HasPrefix(asked, "http:")
		if secure && publish.CheckServer(service.Endpoint, p.config.PlainHTTP) == nil {
			return strings.TrimSuffix(service.Endpoint, "/")
		}
	}
	return asked
}

// call calls a method of the account's server; r.URL is its name and query, and
// r.Stream must not be set. A refused token is renewed and the call made again,
// once: what was refused did nothing.
func (p *Publisher) call(ctx context.Context, r publish.Request) (*publish.Answer, error) {
	method := r.URL
	in, err := p.session(ctx)
	for again := false; ; again = true {
		if err != nil {
			return nil, publish.Unsent(err)
		}
		r.URL, r.Token = in.server+"/xrpc/"+method, in.Access
		a, err2 := p.client.Do(ctx, r)
		if err2 != nil || again || !stale(a) {
			return a, err2
		}
		in, err = p.renew(ctx, in.Access)
	}
}

// stale reports whether an answer refuses the access token.
func stale(a *publish.Answer) bool {
	c := code(a)
	return a.Status == http.StatusUnauthorized || a.Status == http.StatusBadRequest && (c == "ExpiredToken" || c == "InvalidToken")
}
