package publish

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish/publishtest"
)

const canary = publishtest.Canary

func newClient(o ClientOptions) *Client {
	o.Secrets = func() []string { return []string{canary} }
	return NewClient(o)
}

// deaf listens, takes each connection to act, and closes it.
func deaf(t *testing.T, act func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			act(c)
			c.Close()
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	return "http://" + l.Addr().String()
}

func request(url string) Request {
	return Request{
		Method: http.MethodPost, URL: url + "/path?token=" + canary, Token: canary, Type: "text/plain", Body: []byte("hello"),
		Header: http.Header{"Idempotency-Key": {"k"}},
	}
}

func failureOf(t *testing.T, err error) *post.Failure {
	t.Helper()
	f, ok := err.(*post.Failure)
	if !ok {
		t.Fatalf("error %v (%T): want a *post.Failure", err, err)
	}
	if all := fmt.Sprintf("%v %+v %#v %v", f, f, f, f.Err); strings.Contains(all, canary) || strings.Contains(all, "?token") {
		t.Errorf("the failure shows a secret: %s", all)
	}
	return f
}

func TestP2_OnlyWhatNeverLeftIsNotSent(t *testing.T) {
	t.Parallel()
	closed := deaf(t, func(net.Conn) {})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	unused := "http://" + l.Addr().String()
	l.Close()
	read := func(c net.Conn) {
		if _, err := c.Read(make([]byte, 4096)); err != nil {
			t.Error(err)
		}
	}
	tests := []struct {
		name, url string
		sent      post.Sent
		class     post.Class
	}{
		{"nobody listens", unused, post.SentNot, post.ClassNetwork},
		{"closed after it was read", deaf(t, read), post.SentMaybe, post.ClassNetwork},
		{"TLS expected by us only", strings.Replace(closed, "http:", "https:", 1), post.SentNot, post.ClassNetwork},
		{"no such host", "http://nothing.invalid", post.SentNot, post.ClassNetwork},
		{"half a head", deaf(t, func(c net.Conn) { read(c); fmt.Fprint(c, "HTTP/1.1 200 O") }), post.SentMaybe, post.ClassNetwork},
		{"not HTTP", deaf(t, func(c net.Conn) { read(c); fmt.Fprint(c, "SSH-2.0-hello\r\n\r\n") }), post.SentMaybe, post.ClassNetwork},
		{"a head without end", deaf(t, func(c net.Conn) {
			read(c)
			fmt.Fprint(c, "HTTP/1.1 200 OK\r\n", strings.Repeat("X: "+strings.Repeat("y", 1000)+"\r\n", 200), "\r\n")
		}), post.SentMaybe, post.ClassNetwork},
		{"not a URL", "http://a b", post.SentNot, post.ClassInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := newClient(ClientOptions{}).Do(t.Context(), request(tt.url))
			if f := failureOf(t, err); f.Sent != tt.sent || f.Class != tt.class {
				t.Errorf("%v says %v %v, want %v %v", f, f.Sent, f.Class, tt.sent, tt.class)
			}
		})
	}
}

func TestP2_ATransportThatDoesNotTraceLeavesDoubt(t *testing.T) {
	t.Parallel()
	c := newClient(ClientOptions{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
		return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	})})
	_, err := c.Do(t.Context(), request("http://example.com"))
	if f := failureOf(t, err); f.Sent != post.SentMaybe {
		t.Errorf("%v says %v", f, f.Sent)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestP2_ARequestIsMadeOnce(t *testing.T) {
	t.Parallel()
	// The first call is answered and leaves a connection that looks reusable; the
	// connections of the others die when the request has been read. net/http would
	// repeat such a request by itself, as it carries an Idempotency-Key.
	var heard atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err != nil {
			t.Error(err)
		}
		if heard.Add(1) > 1 {
			panic(http.ErrAbortHandler)
		}
	}))
	t.Cleanup(server.Close)
	c := newClient(ClientOptions{})
	if a, err := c.Do(t.Context(), request(server.URL)); err != nil || a.Status != 200 {
		t.Fatal(a, err)
	}
	_, err := c.Do(t.Context(), request(server.URL))
	if f := failureOf(t, err); f.Sent != post.SentMaybe {
		t.Errorf("%v says %v", f, f.Sent)
	}
	if n := heard.Load(); n != 2 {
		t.Errorf("the server heard %d requests, want 2", n)
	}
}

// TestP2_AReusedConnectionThatDiesLeavesDoubt: the server takes a second request
// on a connection that it kept, and closes without an answer.
func TestP2_AReusedConnectionThatDiesLeavesDoubt(t *testing.T) {
	t.Parallel()
	for _, reuse := range []bool{false, true} {
		var calls, conns atomic.Int64
		srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			if calls.Add(1)%3 == 0 {
				panic(http.ErrAbortHandler)
			}
			fmt.Fprint(w, "ok")
		}))
		srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
			if s == http.StateNew {
				conns.Add(1)
			}
		}
		srv.Start()
		defer srv.Close()
		c := newClient(ClientOptions{Reuse: reuse})
		r := request(srv.URL)
		r.Header = nil // no key: with one net/http would think the call repeatable
		for n := range 3 {
			_, err := c.Do(t.Context(), r)
			var f *post.Failure
			if n < 2 && err != nil || n == 2 && (!errors.As(err, &f) || f.Sent != post.SentMaybe) {
				t.Errorf("reuse %v, call %d: %v", reuse, n+1, err)
			}
		}
		if got := calls.Load(); got != 3 {
			t.Errorf("reuse %v: the server saw %d calls, want 3", reuse, got)
		}
		if got, want := conns.Load(), int64(3); !reuse && got != want || reuse && got != 1 {
			t.Errorf("reuse %v: %d connections", reuse, got)
		}
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	var strayed atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { strayed.Add(1) }))
	t.Cleanup(other.Close)
	for _, status := range []int{301, 302, 303, 307, 308} {
		server := httptest.NewServer(http.RedirectHandler(other.URL+"/?token="+canary, status))
		c := newClient(ClientOptions{})
		a, err := c.Do(t.Context(), request(server.URL))
		server.Close()
		if err != nil {
			t.Fatal(err)
		}
		f, sent := failureOf(t, c.Refusal(a)), post.Refused
		if status == http.StatusSeeOther {
			sent = post.SentMaybe // it leads to what came of the call
		}
		if a.Status != status || f.Sent != sent || f.Scope != post.ScopeConnection || !strings.Contains(f.Message, other.URL) {
			t.Errorf("%d: %+v", status, f)
		}
	}
	if strayed.Load() != 0 {
		t.Error("a redirect was followed")
	}
}

func TestAnswersAreReadWithinBounds(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		handler http.HandlerFunc
		cut     bool
	}{
		"whole": {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"a":1}`) }, false},
		"too long": {func(w http.ResponseWriter, _ *http.Request) {
			for range 64 {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		}, true},
		"half": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, `{"a":1`)
		}, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(tt.handler)
			t.Cleanup(server.Close)
			a, err := newClient(ClientOptions{}).Do(t.Context(), request(server.URL))
			if err != nil {
				t.Fatal(err)
			}
			var v struct{ A int }
			if (a.Cut != nil) != tt.cut || (a.Decode(&v) != nil) != tt.cut || len(a.Body) > maxAnswer {
				t.Errorf("cut %v, %d bytes", a.Cut, len(a.Body))
			}
		})
	}
}

func TestStatusesAreClassified(t *testing.T) {
	t.Parallel()
	tests := []struct {
		status int
		class  post.Class
		sent   post.Sent
		scope  post.Scope
	}{
		{202, post.ClassServer, post.SentMaybe, post.ScopePost},
		{303, post.ClassInvalid, post.SentMaybe, post.ScopeConnection},
		{307, post.ClassInvalid, post.Refused, post.ScopeConnection},
		{400, post.ClassInvalid, post.Refused, post.ScopePost},
		{401, post.ClassAuth, post.Refused, post.ScopeConnection},
		{403, post.ClassAuth, post.Refused, post.ScopeConnection},
		{404, post.ClassInvalid, post.Refused, post.ScopePost},
		{408, post.ClassTimeout, post.SentMaybe, post.ScopePost},
		{409, post.ClassInvalid, post.Refused, post.ScopePost},
		{413, post.ClassLarge, post.Refused, post.ScopePost},
		{415, post.ClassInvalid, post.Refused, post.ScopePost},
		{422, post.ClassInvalid, post.Refused, post.ScopePost},
		{429, post.ClassRate, post.Refused, post.ScopeConnection},
		{500, post.ClassServer, post.SentMaybe, post.ScopePost},
		{502, post.ClassServer, post.SentMaybe, post.ScopePost},
		{503, post.ClassServer, post.SentMaybe, post.ScopePost},
		{504, post.ClassTimeout, post.SentMaybe, post.ScopePost},
		{599, post.ClassServer, post.SentMaybe, post.ScopePost},
	}
	c := newClient(ClientOptions{})
	for _, tt := range tests {
		f := c.Refusal(&Answer{Status: tt.status, Header: http.Header{"Retry-After": {"9"}}, At: noon})
		if f.Class != tt.class || f.Sent != tt.sent || f.Scope != tt.scope || f.Status != tt.status || f.Message == "" {
			t.Errorf("%d: %+v, want %+v", tt.status, f, tt)
		}
		if waits := tt.status == 429 || tt.status >= 500 || tt.status == 408; waits != (f.After == 9*time.Second) {
			t.Errorf("%d: wait %v", tt.status, f.After)
		}
	}
}

func TestP8_MessagesHoldNoSecretAndFitALine(t *testing.T) {
	t.Parallel()
	c := newClient(ClientOptions{})
	tests := []struct{ name, body, want string }{
		{"the platform's words", `{"error":"Validation failed"}`, "Validation failed"},
		{"with a description", `{"error":{"code":7},"message":"no\r\n\tway\u0000"}`, "no way"},
		{"the token in them", `{"error":"bad token ` + canary + `!"}`, "bad token [redacted]!"},
		{"the token in plain text", "Bearer " + canary, "Bearer [redacted]"},
		{"a token where the text is cut", `{"error":"` + strings.Repeat("x", maxMessage-10) + canary + `"}`, strings.Repeat("x", maxMessage-10) + "[redacted]"},
		{"cut at a character", `{"error":"` + strings.Repeat("ü", maxMessage) + `"}`, strings.Repeat("ü", maxMessage/2) + "…"},
		{"a web page", "<html>", "the server answered 422 Unprocessable Entity"},
		{"no text", "\xff\xfe", "the server answered 422 Unprocessable Entity"},
		{"nothing", "", "the server answered 422 Unprocessable Entity"},
		{"JSON without words", `{"errors":[]}`, "the server answered 422 Unprocessable Entity"},
	}
	for _, tt := range tests {
		f := failureOf(t, c.Refusal(&Answer{Status: 422, Header: http.Header{}, Body: []byte(tt.body)}))
		if f.Message != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, f.Message, tt.want)
		}
	}
}

func TestP8_EveryFormOfASecretIsTakenOut(t *testing.T) {
	t.Parallel()
	secret := "s3cret/with+odd=signs&ü"
	for _, form := range []string{secret, "s3cret%2Fwith%2Bodd%3Dsigns%26%C3%BC", "czNjcmV0L3dpdGgrb2RkPXNpZ25zJsO8"} {
		if got := scrub("a "+form+" b", []string{secret}); got != "a [redacted] b" {
			t.Errorf("%q becomes %q", form, got)
		}
	}
	if got := scrub("a word", []string{"", "a"}); got != "a word" {
		t.Errorf("short secrets tear words: %q", got)
	}
	err := scrubError(fmt.Errorf("get %w", context.DeadlineExceeded), []string{secret})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v is no longer what it was", err)
	}
}

func TestTimeOutIsInDoubtOnceItWasSent(t *testing.T) {
	t.Parallel()
	stop := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-stop:
		}
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(stop) })
	_, err := newClient(ClientOptions{Timeout: 50 * time.Millisecond}).Do(t.Context(), request(server.URL))
	if f := failureOf(t, err); f.Sent != post.SentMaybe || f.Class != post.ClassTimeout {
		t.Errorf("%v says %v", f, f.Sent)
	}
}

func TestPaceIsRemembered(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-RateLimit-Limit", "300")
		w.Header().Set("X-RateLimit-Remaining", "299")
	}))
	t.Cleanup(server.Close)
	c := newClient(ClientOptions{})
	if _, err := c.Do(t.Context(), request(server.URL)); err != nil {
		t.Fatal(err)
	}
	if got := c.Pace(); got.Limit != 300 || got.Remaining != 299 {
		t.Errorf("pace %+v", got)
	}
	c = newClient(ClientOptions{})
	if _, err := c.Do(t.Context(), Request{Method: http.MethodGet, URL: server.URL}); err != nil {
		t.Fatal(err)
	}
	if got := c.Pace(); got != (Pace{}) {
		t.Errorf("pace of a call that only asked: %+v", got)
	}
}

// slowly reads a request's body, a KiB every few seconds, for as long as the call
// lasts; after some KiB it reads no more.
func slowly(each time.Duration, most int) roundTrip {
	return func(r *http.Request) (*http.Response, error) {
		buf := make([]byte, 1<<10)
		for n := 0; ; n++ {
			wait := each
			if n == most {
				wait = 24 * time.Hour
			}
			if err := Pause(r.Context(), wait); err != nil {
				return nil, err
			}
			if _, err := io.ReadFull(r.Body, buf); err != nil {
				return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Header: http.Header{}}, nil
			}
		}
	}
}

func TestAnUploadLastsAsLongAsItGetsOn(t *testing.T) {
	t.Parallel()
	lost := errors.New("the lease is over")
	for name, c := range map[string]struct {
		most   int   // KiB that are read
		save   error // what Alive says
		class  post.Class
		signs  int // of life, at least
		within time.Duration
	}{
		"it is slow":           {100, nil, 0, 30, 10 * time.Minute},
		"it stops":             {20, nil, post.ClassTimeout, 10, 3 * time.Minute},
		"its worker is fenced": {100, lost, post.ClassNetwork, 1, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				client := newClient(ClientOptions{Transport: slowly(5*time.Second, c.most), Timeout: time.Minute})
				signs, began := 0, time.Now()
				_, err := client.Do(t.Context(), Request{
					Method: http.MethodPost, URL: "https://example.org/film", Stream: strings.NewReader(strings.Repeat("x", 60<<10)), Size: 60 << 10,
					Alive: func(parts []post.Part, state []byte) error {
						if signs++; parts != nil || state != nil {
							t.Error("a sign of life holds something")
						}
						return c.save
					},
				})
				switch {
				case c.class == 0 && err != nil:
					t.Error(err)
				case c.class != 0 && failureOf(t, err).Class != c.class:
					t.Errorf("failure %v, want %v", err, c.class)
				}
				if took := time.Since(began); took > c.within || signs < c.signs {
					t.Errorf("it took %v with %d signs of life, want at most %v and at least %d", took, signs, c.within, c.signs)
				}
			})
		})
	}
}
