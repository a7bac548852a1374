package publish

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
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

// renewed gives a second token after the first.
type renewed struct{ fails, waits bool }

func (renewed) Token(context.Context) (string, error) { return "first-token", nil }

func (t renewed) Renew(_ context.Context, refused string) (string, error) {
	if t.waits {
		return "", &post.Failure{Class: post.ClassNetwork, Sent: post.SentNot, Message: "not now"}
	}
	if t.fails || refused != "first-token" {
		return "", &post.Failure{Class: post.ClassAuth, Sent: post.SentNot, Message: "no other"}
	}
	return "second-token", nil
}

func TestDoAsRenewsARefusedToken(t *testing.T) {
	t.Parallel()
	var seen []string
	c := NewClient(ClientOptions{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		seen = append(seen, token)
		status := http.StatusUnauthorized
		if token == "second-token" {
			status = http.StatusOK
		}
		return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(`{"error":"no ` + token + `"}`))}, nil
	})})
	for _, test := range []struct {
		name   string
		tokens renewed
		stream io.Reader
		calls  int
		status int // 0 for a failure
	}{
		{"with the second token", renewed{}, nil, 2, http.StatusOK},
		{"there is none", renewed{fails: true}, nil, 1, http.StatusUnauthorized},
		{"it cannot be renewed for now", renewed{waits: true}, nil, 1, 0},
		{"a stream is not sent twice", renewed{}, strings.NewReader("x"), 1, 0},
	} {
		seen = nil
		a, err := c.DoAs(t.Context(), test.tokens, Request{Method: http.MethodPost, URL: "https://example.org", Stream: test.stream, Size: 1})
		if len(seen) != test.calls {
			t.Errorf("%s: %d calls, want %d", test.name, len(seen), test.calls)
		}
		if test.status != 0 {
			if err != nil || a.Status != test.status {
				t.Errorf("%s: %+v, %v", test.name, a, err)
			} else if m := c.Refusal(a).Message; strings.Contains(m, "-token") {
				t.Errorf("%s: the token is shown: %s", test.name, m)
			}
			continue
		}
		if f, ok := errors.AsType[*post.Failure](err); !ok || !f.Retryable() {
			t.Errorf("%s: %v, want a failure that is tried again", test.name, err)
		}
	}
}
