package publish

import (
	"context"
	"errors"
	"net/http"

	"github.com/postroom/postroom/post"
)

// Tokens gives a connection its access token. Platforms whose tokens end ask it
// before every call, and again when a token is refused.
//
// Its methods may be called at the same time. Every error is a *post.Failure of a
// post that was not sent.
type Tokens interface {
	// Token returns a token that is good for some minutes, renewed first when it
	// is not.
	Token(ctx context.Context) (string, error)

	// Renew returns another token than the one the platform refused. There may be
	// none to be had: then the failure is of ClassAuth, and a person must act.
	Renew(ctx context.Context, refused string) (string, error)
}

// A FixedToken is a token that does not end, or that nobody can renew. It is a
// function so that no print of a config shows it.
type FixedToken func() string

// Token returns the token.
func (t FixedToken) Token(context.Context) (string, error) { return t(), nil }

// Renew fails: there is no other token.
func (t FixedToken) Renew(context.Context, string) (string, error) {
	return "", &post.Failure{
		Class: post.ClassAuth, Sent: post.SentNot, Scope: post.ScopeConnection,
		Message: "the token is refused, and there is nothing to renew it with: make a new one and put it into the config",
	}
}

// DoAs makes the call with a token of tokens, and once more with a renewed one
// when it is refused with 401: such a call did nothing. When the token is not renewed
// for now, the post was not sent. A Stream cannot be read again, so its call fails, to
// be tried again. The error is a *post.Failure.
func (c *Client) DoAs(ctx context.Context, tokens Tokens, r Request) (*Answer, error) {
	token, err := tokens.Token(ctx)
	if err != nil {
		return nil, err
	}
	r.with(token)
	a, err := c.Do(ctx, r)
	if err != nil || a.Status != http.StatusUnauthorized {
		return a, err
	}
	if token, err = tokens.Renew(ctx, token); err != nil {
		if f, ok := errors.AsType[*post.Failure](err); ok && f.Class != post.ClassAuth {
			return nil, f // it may go well later
		}
		return a, nil // what the platform says of the token tells more
	}
	if r.Stream != nil {
		return nil, &post.Failure{
			Class: post.ClassServer, Sent: post.Refused, Status: a.Status, After: leastWait,
			Message: "the token had ended, and was renewed: it is sent again",
		}
	}
	r.with(token)
	return c.Do(ctx, r)
}

// with makes the call with a token, and the URL that goes with it.
func (r *Request) with(token string) {
	r.Token = token
	if r.Prove != nil {
		r.URL = r.Prove(token)
	}
}
