package oauth

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
)

var _ publish.Tokens = (*Source)(nil)

// A drawer is a Shelf in memory.
type drawer struct {
	lock sync.Mutex // of renewals
	mu   sync.Mutex
	text []byte
	fail error // of Put
	puts int
}

func (d *drawer) Get() ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return bytes.Clone(d.text), nil
}

func (d *drawer) Put(_ context.Context, text []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fail != nil {
		return d.fail
	}
	d.text, d.puts = bytes.Clone(text), d.puts+1
	return nil
}

func (d *drawer) Lock(context.Context) (func(), error) {
	d.lock.Lock()
	return d.lock.Unlock, nil
}

func (d *drawer) grant(t *testing.T) *grant {
	t.Helper()
	g := new(grant)
	if err := json.Unmarshal(d.text, g); err != nil {
		t.Fatal(err)
	}
	return g
}

// An authority is a platform's token server. Its refresh tokens work once.
type authority struct {
	mu        sync.Mutex
	n         int // tokens given out
	refresh   string
	challenge string // of the login under way
	calls     []url.Values
	header    http.Header
	lifetime  int
	answer    func() (int, string) // instead of a token
	onRefresh func()
}

func (a *authority) RoundTrip(r *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	if err := r.ParseForm(); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls, a.header = append(a.calls, r.Form), r.Header
	give := func() {
		a.n++
		a.refresh = fmt.Sprint("refresh-token-", a.n)
		fmt.Fprintf(rec, `{"access_token":"access-token-%d","refresh_token":%q,"expires_in":%d,"token_type":"bearer"}`, a.n, a.refresh, a.lifetime)
	}
	no := func(why string) {
		rec.WriteHeader(400)
		fmt.Fprintf(rec, `{"error":"invalid_grant","error_description":%q}`, why)
	}
	switch {
	case a.answer != nil:
		status, body := a.answer()
		rec.WriteHeader(status)
		rec.WriteString(body)
	case r.Form.Get("grant_type") == "authorization_code":
		sum := sha256.Sum256([]byte(r.Form.Get("code_verifier")))
		if c := a.challenge; c+r.Form.Get("code_verifier") != "" && c != base64.RawURLEncoding.EncodeToString(sum[:]) && c != hex.EncodeToString(sum[:]) {
			no("the verifier does not fit")
			break
		}
		give()
	case r.Form.Get("grant_type") == "refresh_token":
		if r.Form.Get("refresh_token") != a.refresh {
			no("the refresh token " + r.Form.Get("refresh_token") + " was used")
			break
		}
		give()
		if a.onRefresh != nil {
			a.onRefresh()
		}
	default: // Meta's
		a.n++
		fmt.Fprintf(rec, `{"access_token":"access-token-%d","expires_in":%d}`, a.n, a.lifetime)
	}
	return rec.Result(), nil
}

func source(t *testing.T, platform post.Platform, a *authority, d *drawer) *Source {
	t.Helper()
	p, ok := ProviderOf(platform)
	if !ok {
		t.Fatalf("no provider for %s", platform)
	}
	s, err := New(Config{
		Connection: post.ConnectionID(platform + "-1"), Provider: p, ClientID: "the-client", Secret: func() string { return "client-secret" },
		Redirect: "http://127.0.0.1:8976/callback", Shelf: d, Transport: a,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// logIn does what a browser does.
func logIn(t *testing.T, s *Source, a *authority) url.Values {
	t.Helper()
	l := s.Begin()
	u, err := url.Parse(l.URL)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	a.challenge = q.Get("code_challenge")
	if err := l.Finish(t.Context(), s.c.Redirect+"?"+url.Values{"code": {"a-code"}, "state": {q.Get("state")}}.Encode()); err != nil {
		t.Fatal(err)
	}
	return q
}

func TestLoginAsksForWhatThePlatformWants(t *testing.T) {
	t.Parallel()
	for platform, want := range map[post.Platform]struct{ scope, challenge, id string }{
		"twitter":   {"tweet.read tweet.write users.read media.write offline.access", "S256", "client_id"},
		"tiktok":    {"user.info.basic,video.publish", "S256", "client_key"},
		"pinterest": {"boards:read,pins:read,pins:write,user_accounts:read", "", "client_id"},
		"youtube":   {"https://www.googleapis.com/auth/youtube.upload https://www.googleapis.com/auth/youtube.readonly", "S256", "client_id"},
	} {
		a, d := &authority{lifetime: 3600}, &drawer{}
		s := source(t, platform, a, d)
		q := logIn(t, s, a)
		if q.Get("scope") != want.scope || q.Get("code_challenge_method") != want.challenge || q.Get(want.id) != "the-client" || q.Get("redirect_uri") != s.c.Redirect || q.Get("response_type") != "code" {
			t.Errorf("%s: the page is asked with %v", platform, q)
		}
		call := a.calls[0]
		_, secret, basic := (&http.Request{Header: a.header}).BasicAuth()
		if basic && secret != "client-secret" || !basic && (call.Get("client_secret") != "client-secret" || call.Get(want.id) != "the-client") {
			t.Errorf("%s: the client is not named: %v %v", platform, call, a.header)
		}
		if got, err := s.Token(t.Context()); got != "access-token-1" || err != nil {
			t.Errorf("%s: %q %v", platform, got, err)
		}
	}
}

// What a login may do is what the platform says, else what was asked for (RFC 6749
// §5.1); a renewal that says nothing changes nothing.
func TestALoginKnowsWhatItMayDo(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]string{
		``: "video.upload",
		`,"scope":"user.info.basic,video.publish"`: "user.info.basic video.publish",
		`,"scope":"video.publish user.info.basic"`: "video.publish user.info.basic",
		`,"permissions":["video.publish"]`:         "video.publish",
		`,"scope":7`:                               "video.upload",
	} {
		synctest.Test(t, func(t *testing.T) {
			a, d := &authority{}, &drawer{}
			s := source(t, "tiktok", a, d)
			s.c.Provider.Scopes = []string{"video.upload"}
			a.answer = func() (int, string) {
				return 200, `{"access_token":"a","refresh_token":"r","expires_in":86400` + said + `}`
			}
			if q := logIn(t, s, a); q.Get("scope") != "video.upload" {
				t.Errorf("it asks for %q", q.Get("scope"))
			}
			a.answer = func() (int, string) { return 200, `{"access_token":"b","refresh_token":"r","expires_in":86400}` }
			time.Sleep(24 * time.Hour)
			if got, err := s.Token(t.Context()); got != "b" || err != nil {
				t.Fatalf("renewed: %q %v", got, err)
			}
			st, err := s.State()
			if got := strings.Join(st.Scopes, " "); got != want || err != nil {
				t.Errorf("%s: it may %q %v, want %q", said, got, err, want)
			}
			if missing := st.Missing([]string{st.Scopes[0], "other"}); len(missing) != 1 || missing[0] != "other" {
				t.Errorf("missing %v, want other", missing)
			}
		})
	}
	if missing := (State{LoggedIn: true}).Missing([]string{"x"}); missing != nil {
		t.Errorf("of an old login, of which it is not known, %v is said to be missing", missing)
	}
}

func TestLoginRefusesAnAnswerThatIsNotItsOwn(t *testing.T) {
	t.Parallel()
	a, d := &authority{lifetime: 3600}, &drawer{}
	l := source(t, "twitter", a, d).Begin()
	u, _ := url.Parse(l.URL)
	state := u.Query().Get("state")
	for address, want := range map[string]string{
		"": "not the address", "a-code": "not the address", "http://127.0.0.1:8976/callback?code=a-code": "state differs",
		"http://127.0.0.1:8976/callback?code=a-code&state=other":                                        "state differs",
		"http://127.0.0.1:8976/callback?error=access_denied&error_description=no+thanks&state=" + state: "access_denied no thanks",
		"http://127.0.0.1:8976/callback?state=" + state:                                                 "no code",
	} {
		if err := l.Finish(t.Context(), address); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", address, err, want)
		}
	}
	if len(a.calls) > 0 || d.puts > 0 {
		t.Error("the platform was asked all the same")
	}
}

func TestATokenIsRenewedBeforeItEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, d := &authority{lifetime: 7200}, &drawer{}
		s := source(t, "twitter", a, d)
		logIn(t, s, a)
		for _, step := range []struct {
			wait time.Duration
			want string
		}{{0, "access-token-1"}, {107 * time.Minute, "access-token-1"}, {time.Minute, "access-token-2"}, {time.Hour, "access-token-2"}, {48 * time.Hour, "access-token-3"}} {
			time.Sleep(step.wait)
			if got, err := s.Token(t.Context()); got != step.want || err != nil {
				t.Errorf("after another %s: %q %v, want %s", step.wait, got, err, step.want)
			}
		}
	})
}

// TestTheRenewedTokenIsOnDiskBeforeItIsUsed fails the write that follows the
// platform's answer: the token must not be given out.
func TestTheRenewedTokenIsOnDiskBeforeItIsUsed(t *testing.T) {
	t.Parallel()
	a, d := &authority{lifetime: 7200}, &drawer{}
	s := source(t, "twitter", a, d)
	logIn(t, s, a)
	a.onRefresh = func() { d.fail = errors.New("disk full") }
	got, err := s.Renew(t.Context(), "access-token-1")
	if f, ok := errors.AsType[*post.Failure](err); got != "" || !ok || f.Sent != post.SentNot || !f.Retryable() || !strings.Contains(f.Message, "disk full") {
		t.Errorf("got %q %v", got, err)
	}
}

// TestACrashBeforeTheRenewedTokenIsKept loses the only refresh token that works.
// The connection is parked, and says what happened.
func TestACrashBeforeTheRenewedTokenIsKept(t *testing.T) {
	t.Parallel()
	a, d := &authority{lifetime: 7200}, &drawer{}
	logIn(t, source(t, "twitter", a, d), a)
	a.onRefresh = func() { d.fail = errors.New("the process was killed") }
	if _, err := source(t, "twitter", a, d).Renew(t.Context(), "access-token-1"); err == nil {
		t.Fatal("the write did not fail")
	}
	a.onRefresh, d.fail = nil, nil
	next := source(t, "twitter", a, d)
	if got, err := next.Token(t.Context()); got != "access-token-1" || err != nil {
		t.Errorf("the token that is still good: %q %v", got, err)
	}
	_, err := next.Renew(t.Context(), "access-token-1")
	f, ok := errors.AsType[*post.Failure](err)
	if !ok || f.Class != post.ClassAuth || f.Sent != post.SentNot || !strings.Contains(f.Message, "its answer lost") || !strings.Contains(f.Message, "connections login twitter-1") {
		t.Errorf("got %v", err)
	}
	if strings.Contains(f.Message, "refresh-token") {
		t.Errorf("a refresh token is shown: %s", f.Message)
	}
	calls := len(a.calls)
	if _, err := next.Token(t.Context()); err == nil || len(a.calls) != calls {
		t.Errorf("parked, and asked again: %v", err)
	}
	if st, err := next.State(); st.Parked == "" || err != nil {
		t.Errorf("state: %+v %v", st, err)
	}
	logIn(t, next, a)
	if got, err := next.Token(t.Context()); err != nil || got != "access-token-3" {
		t.Errorf("after a new login: %q %v", got, err)
	}
}

func TestOneRenewalServesAllWhoWait(t *testing.T) {
	t.Parallel()
	a, d := &authority{lifetime: 7200}, &drawer{}
	logIn(t, source(t, "twitter", a, d), a)
	var all sync.WaitGroup
	for range 20 {
		s := source(t, "twitter", a, d) // as processes beside each other
		all.Go(func() {
			if got, err := s.Renew(t.Context(), "access-token-1"); got != "access-token-2" || err != nil {
				t.Errorf("got %q %v", got, err)
			}
		})
	}
	all.Wait()
	if a.n != 2 {
		t.Errorf("%d tokens were given out, want 2", a.n)
	}
}

func TestWhatFailsForNowDoesNotParkAndKeepsTheToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, d := &authority{lifetime: 7200}, &drawer{}
		s := source(t, "twitter", a, d)
		logIn(t, s, a)
		time.Sleep(115 * time.Minute)
		for _, said := range []struct {
			status int
			body   string
		}{{503, "busy"}, {429, "{}"}, {200, "<html>"}, {500, `{"error":"invalid_grant"}`}} {
			a.answer = func() (int, string) { return said.status, said.body }
			if got, err := s.Token(t.Context()); got != "access-token-1" || err != nil {
				t.Errorf("%d %s: %q %v", said.status, said.body, got, err)
			}
		}
		time.Sleep(10 * time.Minute)
		if _, err := s.Token(t.Context()); err == nil {
			t.Error("a token that ended is given out")
		} else if f, _ := errors.AsType[*post.Failure](err); !f.Retryable() {
			t.Errorf("got %v", err)
		}
		a.answer = nil
		if got, err := s.Token(t.Context()); got != "access-token-2" || err != nil {
			t.Errorf("later: %q %v", got, err)
		}
	})
}

func TestAnAppThatIsNotKnownIsNoReasonToLogInAgain(t *testing.T) {
	t.Parallel()
	a, d := &authority{lifetime: 7200}, &drawer{}
	s := source(t, "twitter", a, d)
	logIn(t, s, a)
	a.answer = func() (int, string) {
		return 401, `{"error":"invalid_client","error_description":"no client-secret here"}`
	}
	_, err := s.Renew(t.Context(), "access-token-1")
	if f, ok := errors.AsType[*post.Failure](err); !ok || f.Class != post.ClassAuth || !strings.Contains(f.Message, "invalid_client no [redacted] here") {
		t.Errorf("got %v", err)
	}
	if g := d.grant(t); g.Parked != "" || g.Refresh != "refresh-token-1" {
		t.Errorf("parked: %+v", g)
	}
}

func TestMetaMakesLongTokensAndRenewsThem(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, d := &authority{lifetime: 3600}, &drawer{}
		s := source(t, "threads", a, d)
		sum := sha256.Sum256(nil)
		l := s.Begin()
		u, _ := url.Parse(l.URL)
		a.challenge = hex.EncodeToString(sum[:]) // no verifier is sent
		a.lifetime = int(60 * 24 * time.Hour / time.Second)
		if err := l.Finish(t.Context(), "https://example.com/cb?"+url.Values{"code": {"a-code#_"}, "state": {u.Query().Get("state")}}.Encode()); err != nil {
			t.Fatal(err)
		}
		if c := a.calls[1]; c.Get("grant_type") != "th_exchange_token" || c.Get("access_token") != "access-token-1" || c.Get("client_secret") != "client-secret" || a.calls[0].Get("code") != "a-code" {
			t.Errorf("calls: %v", a.calls)
		}
		if got, err := s.Token(t.Context()); got != "access-token-2" || err != nil {
			t.Errorf("got %q %v", got, err)
		}
		time.Sleep(55 * 24 * time.Hour)
		if got, err := s.Token(t.Context()); got != "access-token-3" || err != nil || a.calls[2].Get("grant_type") != "th_refresh_token" {
			t.Errorf("renewed: %q %v", got, err)
		}
		a.answer = func() (int, string) { return 400, `{"error":{"message":"Session has expired","code":190}}` }
		time.Sleep(55 * 24 * time.Hour)
		if _, err := s.Token(t.Context()); err == nil || !strings.Contains(err.Error(), "Session has expired") {
			t.Errorf("refused: %v", err)
		}
		if d.grant(t).Parked == "" {
			t.Error("not parked")
		}
	})
}

func TestFacebookTakesTheTokenOfThePage(t *testing.T) {
	t.Parallel()
	for pages, want := range map[string]string{
		`{"data":[{"id":"7","access_token":"of-seven"},{"id":"1","access_token":"of-page-one"}]}`: "",
		`{"data":[{"id":"7","access_token":"of-seven"}]}`:                                         "facebook-7",
		`{"data":[]}`: "manages no page",
	} {
		n := 0
		a, d := &authority{}, &drawer{}
		a.answer = func() (int, string) {
			if n++; n == 3 {
				return 200, pages
			}
			return 200, `{"access_token":"of-the-user","expires_in":3600}`
		}
		s := source(t, "facebook", a, d)
		l := s.Begin()
		u, _ := url.Parse(l.URL)
		err := l.Finish(t.Context(), "https://example.com/cb?code=x&state="+u.Query().Get("state"))
		if want != "" {
			if err == nil || !strings.Contains(err.Error(), want) || d.puts > 0 {
				t.Errorf("%s: %v, %d kept", pages, err, d.puts)
			}
			continue
		}
		if got, tokenErr := s.Token(t.Context()); err != nil || got != "of-page-one" || tokenErr != nil {
			t.Errorf("%s: %q %v %v", pages, got, err, tokenErr)
		}
		if g := d.grant(t); !g.ExpiresAt.IsZero() {
			t.Errorf("it ends: %+v", g)
		}
	}
}

func TestATokenThatCannotBeRenewedIsUsedToItsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, d := &authority{}, &drawer{}
		a.answer = func() (int, string) { return 200, `{"access_token":"of-a-member","expires_in":5184000}` }
		s := source(t, "linkedin", a, d)
		logIn(t, s, a)
		time.Sleep(60*24*time.Hour - time.Second)
		if got, err := s.Token(t.Context()); got != "of-a-member" || err != nil {
			t.Errorf("got %q %v", got, err)
		}
		time.Sleep(time.Second)
		if _, err := s.Token(t.Context()); err == nil || !strings.Contains(err.Error(), "ended on 2000-03-01") {
			t.Errorf("got %v", err)
		}
		if _, err := s.Renew(t.Context(), "of-a-member"); err == nil || !strings.Contains(err.Error(), "log in") {
			t.Errorf("got %v", err)
		}
	})
}

func TestProvidersMoveAsAWhole(t *testing.T) {
	t.Parallel()
	for platform := range providers {
		p, _ := ProviderOf(platform)
		q := p.At("http://127.0.0.1:1")
		addresses := []string{q.AuthURL, q.TokenURL, q.pages}
		if q.long != nil {
			addresses = append(addresses, q.long.url, q.long.renewURL)
		}
		for _, address := range addresses {
			if address != "" && !strings.HasPrefix(address, "http://127.0.0.1:1/") {
				t.Errorf("%s: %s stays", platform, address)
			}
		}
		if again, _ := ProviderOf(platform); again.AuthURL != p.AuthURL || again.long != nil && *again.long != *p.long {
			t.Errorf("%s: the table was changed", platform)
		}
	}
}

// Only what postroom does not renew by itself ends: a person must hear of it.
func TestALoginEndsUnlessItIsRenewedBefore(t *testing.T) {
	t.Parallel()
	const life = 60 * 24 * time.Hour
	for _, test := range []struct {
		name     string
		platform post.Platform
		grant    grant
		after    time.Duration
		want     bool
	}{
		{"long before", "linkedin", grant{}, life - 8*days, false},
		{"in its last days", "linkedin", grant{}, life - 7*days, true},
		{"a token that renews itself, before it does", "threads", grant{}, life - 7*days, false},
		{"a token that should have renewed itself", "threads", grant{}, life - 5*days, true},
		{"a refresh token that stays", "youtube", grant{Refresh: "r"}, life - days, false},
		{"a refresh token in its last days", "tiktok", grant{Refresh: "r", RefreshEnd: time.Unix(0, 0).Add(life)}, life - 6*days, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			g, begin := test.grant, time.Unix(0, 0)
			g.Access, g.ObtainedAt, g.ExpiresAt = "a", begin, begin.Add(life)
			d := &drawer{}
			s := source(t, test.platform, &authority{}, d)
			if err := s.keep(t.Context(), &g); err != nil {
				t.Fatal(err)
			}
			st, err := s.State()
			if err != nil {
				t.Fatal(err)
			}
			now := begin.Add(test.after)
			if got := st.EndsBy(now.Add(7*days), now); got != test.want {
				t.Errorf("ends: %v, want %v", got, test.want)
			}
		})
	}
}

// A platform that says how many seconds a login has left says another number each
// time, and a moment passes before it is heard. Its end stays where it was, for
// people are told of each end one time. One that is put off is another.
func TestTheEndOfALoginStaysThroughRenewals(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		end, n := time.Now().Add(10*days), 0
		a, d := &authority{}, &drawer{}
		a.answer = func() (int, string) {
			n++
			left := int(time.Until(end).Seconds())
			time.Sleep(time.Duration(n%3) * 700 * time.Millisecond) // it is on its way
			return 200, fmt.Sprintf(`{"access_token":"a-%d","refresh_token":"r-%d","expires_in":86400,"refresh_expires_in":%d}`, n, n, left)
		}
		s := source(t, "tiktok", a, d)
		logIn(t, s, a)
		ends := map[time.Time]bool{}
		for range 24 * 9 {
			if _, err := s.Token(t.Context()); err != nil {
				t.Fatal(err)
			}
			st, err := s.State()
			if err != nil {
				t.Fatal(err)
			}
			ends[st.ExpiresAt] = true
			time.Sleep(time.Hour)
		}
		if n < 9 || len(ends) != 1 {
			t.Errorf("%d ends in %d answers, want one: %v", len(ends), n, ends)
		}
		end = end.Add(days)
		time.Sleep(20 * time.Hour)
		if _, err := s.Token(t.Context()); err != nil {
			t.Fatal(err)
		}
		if st, err := s.State(); err != nil || st.ExpiresAt.Sub(end).Abs() > time.Minute {
			t.Errorf("the end was put off to %s, and is %s (%v)", end, st.ExpiresAt, err)
		}
	})
}
