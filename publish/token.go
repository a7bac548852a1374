package publish

import (
	"context"

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
