package oauth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"golang.org/x/oauth2"
)

// A Login is one person's way through a platform's consent page. It works once.
type Login struct {
	URL string // to be opened in a browser

	s               *Source
	state, verifier string
}

// Begin begins a login.
func (s *Source) Begin() *Login {
	p := &s.c.Provider
	l := &Login{s: s, state: oauth2.GenerateVerifier(), verifier: oauth2.GenerateVerifier()}
	separator := p.scopeSeparator
	if separator == "" {
		separator = " "
	}
	opts := []oauth2.AuthCodeOption{oauth2.SetAuthURLParam("scope", strings.Join(p.Scopes, separator))}
	switch p.pkce {
	case pkceS256:
		opts = append(opts, oauth2.S256ChallengeOption(l.verifier))
	case pkceHex:
		sum := sha256.Sum256([]byte(l.verifier))
		opts = append(opts, oauth2.SetAuthURLParam("code_challenge", hex.EncodeToString(sum[:])), oauth2.SetAuthURLParam("code_challenge_method", "S256"))
	}
	if p.clientKey {
		opts = append(opts, oauth2.SetAuthURLParam("client_key", s.c.ClientID))
	}
	for name, value := range p.params {
		opts = append(opts, oauth2.SetAuthURLParam(name, value))
	}
	c := oauth2.Config{ClientID: s.c.ClientID, RedirectURL: s.c.Redirect, Endpoint: oauth2.Endpoint{AuthURL: p.AuthURL, TokenURL: p.TokenURL}}
	l.URL = c.AuthCodeURL(l.state, opts...)
	return l
}

// Answers reports whether the query of a redirect belongs to this login. Another
// page may have sent the browser there.
func (l *Login) Answers(q url.Values) bool {
	return subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(l.state)) == 1
}

// Finish takes the address that the platform sent the browser to, fetches the
// tokens and keeps them. Its errors hold no secret.
func (l *Login) Finish(ctx context.Context, address string) error {
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil || u.RawQuery == "" {
		return errors.New("this is not the address the browser was sent to: want all of it, with the ? and what follows")
	}
	q := u.Query()
	if !l.Answers(q) {
		return errors.New("this is not the answer to this login: its state differs. Begin again, and use the newest window")
	}
	if said := q.Get("error"); said != "" {
		return fmt.Errorf("the platform refused: %s", l.s.shown(strings.Join([]string{said, q.Get("error_description")}, " ")))
	}
	code := strings.TrimSuffix(q.Get("code"), "#_") // which Meta adds
	if code == "" {
		return errors.New("the address holds no code")
	}
	unlock, err := l.s.c.Shelf.Lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	g, err := l.s.exchange(ctx, code, l.verifier)
	if err != nil {
		return err
	}
	return l.s.keep(ctx, g)
}
