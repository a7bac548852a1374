package publish

import (
	"errors"
	"testing"

	"github.com/postroom/postroom/post"
)

func TestAFixedTokenCannotBeRenewed(t *testing.T) {
	t.Parallel()
	var tokens Tokens = FixedToken(func() string { return "secret" })
	if got, err := tokens.Token(t.Context()); got != "secret" || err != nil {
		t.Errorf("token %q, %v", got, err)
	}
	_, err := tokens.Renew(t.Context(), "secret")
	f, ok := errors.AsType[*post.Failure](err)
	if !ok || f.Class != post.ClassAuth || f.Sent != post.SentNot || f.Scope != post.ScopeConnection {
		t.Errorf("renew: %v, want a failure of the connection's credentials", err)
	}
}
