package meta_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/postroom/postroom/publish/meta"
	"github.com/postroom/postroom/publish/publishtest"
)

const secret = "the secret of the app"

// anew gives another token each time it is asked.
type anew struct{ n int }

func (t *anew) Token(context.Context) (string, error) {
	t.n++
	return fmt.Sprintf("token-%d", t.n), nil
}

func (t *anew) Renew(ctx context.Context, _ string) (string, error) { return t.Token(ctx) }

// A proof belongs to one token, and a token may be renewed at any moment.
func TestTheProofIsOfTheTokenThatIsSent(t *testing.T) {
	t.Parallel()
	calls := 0
	g, err := meta.New(meta.Config{
		Driver: "facebook", Connection: "facebook-acme", Tokens: &anew{}, API: "https://graph.facebook.com",
		AppSecret: func() string { return secret },
		Transport: &publishtest.Transport{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			calls++
			mac := hmac.New(sha256.New, []byte(secret))
			io.WriteString(mac, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
			if got := r.URL.Query()["appsecret_proof"]; len(got) != 1 || got[0] != hex.EncodeToString(mac.Sum(nil)) {
				t.Errorf("call %d with %s is proven with %q", calls, r.Header.Get("Authorization"), got)
			}
			if calls == 1 {
				w.WriteHeader(http.StatusUnauthorized)
			}
			io.WriteString(w, `{"id":"1"}`)
		})},
	})
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ ID string }
	if _, err := g.Get(t.Context(), "/me", url.Values{"fields": {"id"}}, &got); err != nil || got.ID != "1" || calls != 2 {
		t.Errorf("%+v, %v after %d calls", got, err, calls)
	}
}
