package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postroom/postroom/internal/secret"
	"github.com/postroom/postroom/internal/vault"
)

// loginRoom is a room with one connection to log in to. at listens for browsers.
func loginRoom(t *testing.T, at string) (dir string) {
	t.Helper()
	n := atomic.Int64{}
	platform := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if id, pass, _ := r.BasicAuth(); r.URL.Path != "/2/oauth2/token" || id != "app" || pass != "app-secret" {
			http.Error(w, "{}", http.StatusUnauthorized)
			return
		}
		fmt.Fprintf(w, `{"access_token":"access-%d","refresh_token":"refresh-%[1]d","expires_in":7200}`, n.Add(1))
	}))
	t.Cleanup(platform.Close)
	dir = t.TempDir()
	writeText(t, filepath.Join(dir, configName), fmt.Sprintf(`master_key: %s
accounts:
  acme:
    connections:
      - {id: twitter-1, driver: sandbox, oauth: {client_id: app, client_secret: app-secret, redirect_url: "%s", base_url: "%s", scopes: [tweet.write, offline.access]}}
`, strings.Repeat("ab", 32), at, platform.URL))
	return dir
}

// token is what the room's connection would send with.
func token(t *testing.T, dir string) (string, error) {
	t.Helper()
	r, err := openRoom(t.Context(), dir, roomOptions{env: testEnv(), logTo: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	at := site{login: r.connections("", nil)[0].login}
	return at.tokens(secret.Value{}).Token(t.Context())
}

// address waits for the address that a login prints.
func address(t *testing.T, stderr io.Reader) *url.URL {
	t.Helper()
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		if u, err := url.Parse(lines.Text()); err == nil && u.Query().Has("state") {
			go io.Copy(io.Discard, stderr)
			return u
		}
	}
	t.Fatal("no address was printed")
	return nil
}

func TestLoginListensForTheBrowser(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0") // a port that is free
	if err != nil {
		t.Fatal(err)
	}
	at := "http://" + ln.Addr().String() + "/callback"
	ln.Close()
	dir := loginRoom(t, at)
	if _, err := token(t, dir); err == nil || !strings.Contains(err.Error(), "nobody has logged in") {
		t.Errorf("before: %v", err)
	}

	stderr, said := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		a := &app{stdout: io.Discard, stderr: said, cwd: dir, env: testEnv()}
		ended <- a.execute(t.Context(), []string{"connections", "login", "twitter-1"})
		said.Close()
	}()
	state := address(t, stderr).Query().Get("state")
	for _, visit := range []struct {
		path string
		want int
	}{{"/elsewhere?state=" + state, 404}, {"/callback?code=evil&state=guessed", 400}, {"/callback?code=good&state=" + state, 200}} {
		resp, err := http.Get(strings.TrimSuffix(at, "/callback") + visit.path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != visit.want {
			t.Errorf("%s: %d, want %d", visit.path, resp.StatusCode, visit.want)
		}
	}
	if code := <-ended; code != exitOK {
		t.Errorf("exit %d", code)
	}
	if got, err := token(t, dir); got != "access-1" || err != nil {
		t.Errorf("after: %q %v", got, err)
	}
}

func TestLoginTakesAPastedAddress(t *testing.T) {
	t.Parallel()
	dir := loginRoom(t, "https://example.com/callback")
	stdin, paste := io.Pipe()
	stderr, said := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		a := &app{stdin: stdin, stdout: io.Discard, stderr: said, cwd: dir, env: testEnv()}
		ended <- a.execute(t.Context(), []string{"connections", "login", "twitter-1"})
		said.Close()
	}()
	u := address(t, stderr)
	if u.Query().Get("redirect_uri") != "https://example.com/callback" || u.Query().Get("scope") != "tweet.write offline.access" || u.Query().Get("code_challenge_method") != "S256" {
		t.Errorf("the page is asked with %v", u.Query())
	}
	fmt.Fprintf(paste, "https://example.com/callback?code=good&state=%s\n", u.Query().Get("state"))
	if code := <-ended; code != exitOK {
		t.Errorf("exit %d", code)
	}
	if got, err := token(t, dir); got != "access-1" || err != nil {
		t.Errorf("got %q %v", got, err)
	}
	_, out, _ := say(t, dir, testEnv(), "connections", "--json")
	if !strings.Contains(out, `"logged_in": true`) || strings.Contains(out, "access-1") {
		t.Errorf("connections --json: %s", out)
	}
}

func TestLoginWithoutAnAppSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeText(t, filepath.Join(dir, configName), "accounts: {acme: {connections: [{id: twitter-1, driver: sandbox}]}}\n")
	code, _, errs := say(t, dir, testEnv(), "connections", "login", "twitter-1")
	if code != exitUsage || !strings.Contains(errs, "oauth: {client_id") {
		t.Errorf("%d %s", code, errs)
	}
	code, _, errs = say(t, dir, testEnv(), "connections", "login", "twitter-2")
	if code != exitUsage || !strings.Contains(errs, "no connection") {
		t.Errorf("%d %s", code, errs)
	}
}

// Two daemons' worth of rooms and a command line share one login.
func TestShelvesOfOneLoginKeepEachOtherOut(t *testing.T) {
	t.Parallel()
	path, key := filepath.Join(t.TempDir(), "credentials.json"), vault.NewKey()
	var shelves [2]shelf
	for i := range shelves {
		v, err := vault.Open(path, key)
		if err != nil {
			t.Fatal(err)
		}
		shelves[i] = shelfOf(v, connKey{"acme", "twitter-1"})
	}
	if b, err := shelves[0].Get(); b != nil || err != nil {
		t.Errorf("nothing is kept, got %q %v", b, err)
	}
	unlock, err := shelves[0].Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := shelves[1].Lock(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("two renew at once: %v", err)
	}
}
