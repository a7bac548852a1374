package webhook_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
	"github.com/postroom/postroom/publish/publishtest"
	"github.com/postroom/postroom/publish/webhook"
)

var (
	_ publish.Publisher = (*webhook.Publisher)(nil)
	_ publish.Looker    = (*webhook.Publisher)(nil)
)

const (
	connection = post.ConnectionID("webhook-site")
	host       = "site.example"
)

// receiver is what a customer would build: it verifies the signature and, when
// it is idempotent, takes each webhook-id once.
type receiver struct {
	secret     []byte
	idempotent bool
	answer     string

	mu     sync.Mutex
	faults []publishtest.Fault
	ids    map[string]bool
	texts  []string
	bodies [][]byte
	bad    []string
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return
	}
	r.mu.Lock()
	fault := publishtest.None
	if len(r.faults) > 0 {
		fault, r.faults = r.faults[0], r.faults[1:]
	}
	r.mu.Unlock()
	fault.Serve(w, q, func(w http.ResponseWriter, q *http.Request) { r.take(w, q, body) })
}

func (r *receiver) take(w http.ResponseWriter, q *http.Request, body []byte) {
	id, stamp := q.Header.Get("webhook-id"), q.Header.Get("webhook-timestamp")
	mac := hmac.New(sha256.New, r.secret)
	fmt.Fprintf(mac, "%s.%s.%s", id, stamp, body)
	want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	var m struct {
		Type string
		Data struct{ ID, Content string }
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case !hmac.Equal([]byte(want), []byte(q.Header.Get("webhook-signature"))):
		r.bad = append(r.bad, "signature of "+id)
	case json.Unmarshal(body, &m) != nil:
		r.bad = append(r.bad, "body of "+id)
	case q.Header.Get("Idempotency-Key") != id, m.Type == "post.publish" && m.Data.ID != id:
		r.bad = append(r.bad, "id of "+id)
	}
	r.bodies = append(r.bodies, body)
	if m.Type == "post.publish" && !(r.idempotent && r.ids[id]) {
		r.texts = append(r.texts, m.Data.Content)
		r.ids[id] = true
	}
	if r.answer != "" {
		fmt.Fprint(w, r.answer)
	}
}

func (r *receiver) live() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.texts...)
}

const secret = "whsec_Y2FuYXJ5LTlmOGU3ZDZjNWI0YTM5MjgxNzA2" // base64 of a text of 30 bytes

func subject(t *testing.T, idempotent bool) (*publishtest.Subject, *receiver) {
	t.Helper()
	r := &receiver{secret: []byte(publishtest.Canary), ids: map[string]bool{}, idempotent: idempotent}
	transport := &publishtest.Transport{Handler: r, Host: host}
	again := func() publishtest.Publisher {
		p, err := webhook.New(webhook.Config{
			Connection: connection, Idempotent: idempotent, Transport: transport,
			URL:    func() string { return "https://" + host + "/hook?token=" + publishtest.Canary },
			Secret: func() string { return publishtest.Canary },
		})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	t.Cleanup(func() {
		if r.bad != nil {
			t.Errorf("calls that do not verify: %q", r.bad)
		}
	})
	return &publishtest.Subject{
		Again: again, Publisher: again(), Connection: connection, Live: r.live,
		Crawl:   transport.Crawls.Store,
		Strayed: func() bool { return transport.Strayed.Load() > 0 },
		Arrange: func(f publishtest.Fault) {
			transport.Down.Store(f == publishtest.Unreachable)
			if f != publishtest.Unreachable && f != publishtest.None {
				r.mu.Lock()
				r.faults = append(r.faults, f)
				r.mu.Unlock()
			}
		},
	}, r
}

func TestSuite(t *testing.T) {
	t.Parallel()
	for name, idempotent := range map[string]bool{"a receiver that knows repeats": true, "any receiver": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			publishtest.Run(t, publishtest.Suite{
				New: func(t *testing.T) *publishtest.Subject {
					u, _ := subject(t, idempotent)
					return u
				},
				Knows: idempotent, Trusts: true,
			})
		})
	}
}

func delivery() post.Delivery {
	at := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	id := post.MakeID(at, [5]byte{1}, 1)
	return post.Delivery{
		Content: post.Content{Text: "a < b & c > d \u2028 ü", Link: "https://example.org", Labels: []string{"spring"}},
		Post:    post.Post{ID: id, Group: id, Account: "acme", Connection: connection, SlotAt: at, BegunAt: at},
	}
}

func noSave([]post.Part, []byte) error { return nil }

func TestBodyIsTheSameAtEachAttempt(t *testing.T) {
	t.Parallel()
	u, r := subject(t, true)
	for range 2 {
		if _, err := u.Publisher.Publish(t.Context(), delivery(), noSave); err != nil {
			t.Fatal(err)
		}
	}
	if string(r.bodies[0]) != string(r.bodies[1]) {
		t.Errorf("bodies differ:\n%s\n%s", r.bodies[0], r.bodies[1])
	}
	if !strings.Contains(string(r.bodies[0]), "a < b & c > d") || strings.HasSuffix(string(r.bodies[0]), "\n") {
		t.Errorf("body %q: want no HTML escapes and no newline at the end", r.bodies[0])
	}
}

func TestReceiptTakesIdAndUrlFromTheAnswer(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ answer, id, url string }{
		"no body":            {"", "postroom-" + delivery().Post.ID.String(), ""},
		"both":               {`{"id":"42","url":"https://site.example/42"}`, "42", "https://site.example/42"},
		"a script for a URL": {`{"id":"42","url":"javascript:alert(1)"}`, "42", ""},
		"text":               {"ok", "postroom-" + delivery().Post.ID.String(), ""},
		"an id of megabytes": {`{"id":"` + strings.Repeat("x", 5000) + `"}`, "postroom-" + delivery().Post.ID.String(), ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u, r := subject(t, true)
			r.answer = tt.answer
			got, err := u.Publisher.Publish(t.Context(), delivery(), noSave)
			if err != nil || got.RemoteID != tt.id || got.URL != tt.url {
				t.Errorf("receipt %+v, %v: want id %q and URL %q", got, err, tt.id, tt.url)
			}
		})
	}
}

func TestStatusesSayWhatToDo(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		status int
		header string
		class  post.Class
		sent   post.Sent
		scope  post.Scope
		after  time.Duration
	}{
		"410 stops the connection":      {410, "", post.ClassAuth, post.Refused, post.ScopeConnection, 0},
		"503 with a wait is a throttle": {503, "120", post.ClassServer, post.Refused, post.ScopePost, 2 * time.Minute},
		"503 without is in doubt":       {503, "", post.ClassServer, post.SentMaybe, post.ScopePost, 0},
		"400 refuses the content":       {400, "", post.ClassInvalid, post.Refused, post.ScopePost, 0},
		"408 is in doubt":               {408, "", post.ClassTimeout, post.SentMaybe, post.ScopePost, 0},
		"413 is too large":              {413, "", post.ClassLarge, post.Refused, post.ScopePost, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := webhook.New(webhook.Config{
				Connection: connection, URL: func() string { return "https://" + host }, Secret: func() string { return secret },
				Transport: &publishtest.Transport{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					if tt.header != "" {
						w.Header().Set("Retry-After", tt.header)
					}
					w.WriteHeader(tt.status)
				})},
			})
			if err != nil {
				t.Fatal(err)
			}
			_, err = p.Publish(t.Context(), delivery(), noSave)
			f, ok := err.(*post.Failure)
			if !ok || f.Class != tt.class || f.Sent != tt.sent || f.Scope != tt.scope || f.After != tt.after || f.Status != tt.status {
				t.Errorf("failure %+v, want %+v", err, tt)
			}
		})
	}
}

// A receiver that notices a repeat may say so with 409.
func TestP2_AConflictAtALaterAttemptIsInDoubt(t *testing.T) {
	t.Parallel()
	for again, want := range map[bool]post.Sent{false: post.Refused, true: post.SentMaybe} {
		p, err := webhook.New(webhook.Config{
			Connection: connection, URL: func() string { return "https://" + host }, Secret: func() string { return secret },
			Transport: &publishtest.Transport{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusConflict) })},
		})
		if err != nil {
			t.Fatal(err)
		}
		d := delivery()
		d.Again = again
		_, err = p.Publish(t.Context(), d, noSave)
		if f, ok := err.(*post.Failure); !ok || f.Sent != want || f.Copy != again {
			t.Errorf("again %v: %+v", again, err)
		}
	}
}

// The vector is that of the Standard Webhooks specification's libraries.
func TestSignatureFollowsStandardWebhooks(t *testing.T) {
	t.Parallel()
	key, err := base64.StdEncoding.DecodeString("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	got := webhook.Sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("signature %s, want %s", got, want)
	}
}

func TestConfigProblemsAreSaidWithoutTheValue(t *testing.T) {
	t.Parallel()
	text := func(s string) func() string { return func() string { return s } }
	tests := map[string]webhook.Config{
		"no url":            {Secret: text(secret)},
		"no secret":         {URL: text("https://site.example")},
		"not a web address": {URL: text("ftp://" + publishtest.Canary), Secret: text(secret)},
		"a broken url":      {URL: text("https://site.example/\x7f" + publishtest.Canary), Secret: text(secret)},
		"a short secret":    {URL: text("https://site.example"), Secret: text(publishtest.Canary[:20])},
		"not base64":        {URL: text("https://site.example"), Secret: text("whsec_" + publishtest.Canary)},
	}
	for name, c := range tests {
		t.Run("TestP8_"+name, func(t *testing.T) {
			t.Parallel()
			_, err := webhook.New(c)
			if err == nil || strings.Contains(err.Error(), publishtest.Canary[:20]) {
				t.Errorf("error %v: want one that does not show the value", err)
			}
		})
	}
}

func TestPrivateAddressesNeedLeave(t *testing.T) {
	t.Parallel()
	calls := 0
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls++ }))
	t.Cleanup(server.Close)
	for _, allow := range []bool{false, true} {
		p, err := webhook.New(webhook.Config{
			Connection: connection, AllowPrivate: allow,
			URL: func() string { return server.URL }, Secret: func() string { return secret },
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = p.Publish(t.Context(), delivery(), noSave)
		f, _ := err.(*post.Failure)
		if allow && err != nil || !allow && (f == nil || f.Class != post.ClassInvalid || f.Sent != post.SentNot) {
			t.Errorf("allowed %v: %v", allow, err)
		}
	}
	if calls != 1 {
		t.Errorf("%d calls arrived, want 1", calls)
	}
}
