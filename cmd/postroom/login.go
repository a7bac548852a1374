package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/postroom/postroom/internal/secret"
	"github.com/postroom/postroom/internal/vault"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
	"github.com/postroom/postroom/publish/oauth"
)

// OAuthConfig is the operator's app on a platform that people log in to.
type OAuthConfig struct {
	ClientID     string
	ClientSecret secret.Value // zero for a public client
	RedirectURL  string       // as it is registered with the platform
	Scopes       []string     // what a login asks for; nil for what posts need
	BaseURL      string       // in place of the platform's servers; "" for those
}

// defaultRedirect is where a browser on this machine brings the answer of a login.
const defaultRedirect = "http://127.0.0.1:8976/callback"

// readOAuth reads the app with which a connection's owner logs in.
func (c *ConnectionConfig) readOAuth(v value) {
	o := &OAuthConfig{RedirectURL: defaultRedirect}
	present := v.settings([]setting{
		{"client_id", scalar(&o.ClientID, plainText("the id of your app on the platform"))},
		{"client_secret", secretText(&o.ClientSecret)},
		{"redirect_url", scalar(&o.RedirectURL, webAddress)},
		{"scopes", func(v value) {
			v.list("scopes, like [w_organization_social, r_organization_social]", func(v value) {
				var s string
				scalar(&s, aScope)(v)
				o.Scopes = append(o.Scopes, s)
			})
		}},
		{"base_url", scalar(&o.BaseURL, webAddress)},
	})
	if _, ok := present["client_id"]; !ok && v.kind() == "a map" {
		v.problem(post.Problem{Want: "client_id: the id of your app on the platform"})
	}
	if _, ok := oauth.ProviderOf(c.ID.Platform()); !ok && c.ID != "" {
		v.problem(post.Problem{Got: string(c.ID), Want: "a platform that people log in to", Hint: "take oauth away, and give the connection what its driver needs"})
	}
	c.OAuth = o
}

var aScope = parser[string]{
	want: "one scope, as the platform calls it",
	parse: func(text string) (string, string, bool) {
		return text, "", text != "" && !strings.ContainsAny(text, " ,")
	},
}

var webAddress = parser[string]{
	want: "an address like https://example.com/callback",
	parse: func(text string) (string, string, bool) {
		u, err := url.Parse(text)
		return text, "", err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
	},
}

// A shelf keeps the login of one connection among the stored secrets.
type shelf struct {
	vault *vault.Vault
	name  string
}

// shelfOf returns where a login is kept. No name that a person gives holds a slash.
func shelfOf(v *vault.Vault, key connKey) shelf {
	return shelf{v, "login/" + string(key.account) + "/" + string(key.id)}
}

// Get returns what is kept; nil when nothing is.
func (s shelf) Get() ([]byte, error) {
	b, err := s.vault.Get(s.name)
	if errors.Is(err, vault.ErrNone) {
		return nil, nil
	}
	return b, err
}

// Put is durable when it returns.
func (s shelf) Put(ctx context.Context, grant []byte) error { return s.vault.Put(ctx, s.name, grant) }

// Lock keeps all others from renewing.
func (s shelf) Lock(ctx context.Context) (unlock func(), err error) {
	return s.vault.Lock(ctx, s.name)
}

// login makes what keeps the tokens of a connection, nil for one without oauth.
func (c *ConnectionConfig) login(account post.AccountID, stored func() (*vault.Vault, error), now func() time.Time) (*oauth.Source, error) {
	if c.OAuth == nil {
		return nil, nil
	}
	v, err := stored()
	if err != nil {
		return nil, err
	}
	p, _ := oauth.ProviderOf(c.ID.Platform())
	if c.OAuth.BaseURL != "" {
		p = p.At(c.OAuth.BaseURL)
	}
	if c.OAuth.Scopes != nil {
		p.Scopes = c.OAuth.Scopes
	}
	return oauth.New(oauth.Config{
		Connection: c.ID, Provider: p, ClientID: c.OAuth.ClientID, Secret: c.OAuth.ClientSecret.Reveal,
		Redirect: c.OAuth.RedirectURL, Shelf: shelfOf(v, connKey{account, c.ID}), Now: now,
	})
}

// tokens gives a driver the tokens of the connection's login, or the one that
// the config says.
func (at site) tokens(fixed secret.Value) publish.Tokens {
	if at.login != nil {
		return at.login
	}
	return publish.FixedToken(fixed.Reveal)
}

// renewEvery is how often logins are looked at, so that one which is seldom used
// does not end.
const renewEvery = time.Hour

// keepLogins renews what ends soon, also on connections that have nothing to send.
func (d *daemon) keepLogins(ctx context.Context) error {
	for {
		d.room.renewLogins(ctx)
		timer := time.NewTimer(renewEvery)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

// renewLogins asks every login for its token, and logs which has none. Of those
// that end soon it tells webhooks.
func (r *room) renewLogins(ctx context.Context) {
	for _, c := range r.connections("", nil) {
		if c.login == nil || ctx.Err() != nil {
			continue
		}
		if _, err := c.login.Token(ctx); err != nil && ctx.Err() == nil {
			r.log.WarnContext(ctx, "no token", "account", c.account, "connection", c.id, "err", err)
		}
		if err := r.tellEnding(ctx, c); err != nil && ctx.Err() == nil {
			r.log.WarnContext(ctx, "webhooks not told of a login that ends", "account", c.account, "connection", c.id, "err", err)
		}
	}
}

// endsSoon is when a login is near its end (CONTRACT §7).
const endsSoon = 7 * 24 * time.Hour

// tellEnding tells webhooks, one time for each login, when it enters its last days.
func (r *room) tellEnding(ctx context.Context, c *connection) error {
	st, err := c.login.State()
	now := r.now()
	if err != nil || !st.EndsBy(now.Add(endsSoon), now) || !st.ExpiresAt.After(now) {
		return err
	}
	data := post.ExpiringData{Platform: c.id.Platform(), PlatformID: c.id, Username: c.id.Raw(), ExpiresAt: post.Milli(st.ExpiresAt)}
	if who := c.identity.Load(); who != nil {
		data.Username = who.Username
	}
	key := string(c.id) + "\n" + st.ExpiresAt.UTC().Format(time.RFC3339)
	first, err := r.store.EmitOnce(ctx, c.account, key, 2*endsSoon, post.Event{Name: post.EventExpiring, At: now, Data: data})
	if first {
		r.log.WarnContext(ctx, "a login ends soon: `postroom connections login` renews it", "account", c.account, "connection", c.id, "expires_at", st.ExpiresAt)
	}
	return err
}

func (a *app) loginCommand(account *string) *cobra.Command {
	var paste bool
	c := &cobra.Command{
		Use: "login ID", Short: "Log in to a platform and keep its tokens, encrypted", Args: cobra.ExactArgs(1),
		Long: "Prints an address to open in a browser. The platform sends the browser back to redirect_url: on\n" +
			"this machine postroom listens there; else, or with --paste, give it the address the browser ended at.",
		RunE: func(c *cobra.Command, args []string) error {
			return a.logIn(c.Context(), post.AccountID(*account), post.ConnectionID(args[0]), paste)
		},
	}
	c.Flags().BoolVar(&paste, "paste", false, "do not listen: read the address the browser was sent to from standard input")
	return c
}

// logIn takes a person through a login. A daemon in the room finds the tokens
// where it looks for them.
func (a *app) logIn(ctx context.Context, account post.AccountID, id post.ConnectionID, paste bool) error {
	dir := a.path(a.dir)
	cfg, _, err := LoadConfig(filepath.Join(dir, configName), a.env)
	if err != nil {
		return err
	}
	of, conn, err := cfg.connection(account, id)
	if err != nil {
		return err
	}
	if conn.OAuth == nil {
		return &exitError{exitUsage, &hinted{fmt.Errorf("the config of %s names no app to log in with", id), "add oauth: {client_id: …, client_secret: …} to it; the platform's page in docs/platforms says where to get them"}}
	}
	source, err := conn.login(of, func() (*vault.Vault, error) { return openVault(dir, cfg.MasterKey, a.env) }, time.Now)
	if err != nil {
		return err
	}
	if _, err := source.State(); err != nil { // a wrong key is said before anybody logs in
		return err
	}
	redirect, err := url.Parse(conn.OAuth.RedirectURL)
	if err != nil {
		return err
	}
	l := source.Begin()
	var answer string
	if paste || !isHere(redirect) {
		a.notef("Open this address, log in, and paste the address that the browser ends at (its page may fail to load):\n\n%s\n", l.URL)
		answer, err = a.readLine()
	} else {
		answer, err = awaitRedirect(ctx, redirect, l, func() {
			a.notef("Open this address and log in; --paste is for a browser on another machine:\n\n%s\n", l.URL)
		})
	}
	if err != nil {
		return err
	}
	if err := l.Finish(ctx, answer); err != nil {
		return err
	}
	a.notef("logged in: `postroom connections test %s` shows as whom", id)
	return nil
}

// connection finds a connection by its id, in one account or in all.
func (c *Config) connection(account post.AccountID, id post.ConnectionID) (post.AccountID, *ConnectionConfig, error) {
	var of []post.AccountID
	var found *ConnectionConfig
	for i := range c.Accounts {
		acc := &c.Accounts[i]
		for j := range acc.Connections {
			if acc.Connections[j].ID == id && (account == "" || account == acc.ID) {
				of, found = append(of, acc.ID), &acc.Connections[j]
			}
		}
	}
	switch len(of) {
	case 1:
		return of[0], found, nil
	case 0:
		return "", nil, &exitError{exitUsage, &hinted{fmt.Errorf("no connection %q", string(id)), "`postroom connections` lists them"}}
	}
	return "", nil, &exitError{exitUsage, &hinted{fmt.Errorf("%d accounts have a connection %s", len(of), id), "name one with --account"}}
}

// isHere reports whether a redirect leads to this machine.
func isHere(u *url.URL) bool {
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Scheme == "http" && (u.Hostname() == "localhost" || err == nil && ip.IsLoopback())
}

// awaitRedirect listens where the platform sends the browser and returns the
// address with the answer to the login. ready is called once it listens.
func awaitRedirect(ctx context.Context, at *url.URL, l *oauth.Login, ready func()) (string, error) {
	port := at.Port()
	if port == "" {
		port = "80"
	}
	ln, err := net.Listen("tcp", net.JoinHostPort(at.Hostname(), port))
	if err != nil {
		return "", &hinted{fmt.Errorf("listen for the browser: %w", err), "free the port, set another redirect_url, or use --paste"}
	}
	answers := make(chan string, 1)
	srv := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path != at.Path && !(at.Path == "" && r.URL.Path == "/"):
			http.NotFound(w, r)
		case !l.Answers(r.URL.Query()):
			http.Error(w, "This is not the answer to the login that postroom waits for. Use the newest address it printed.", http.StatusBadRequest)
		default:
			io.WriteString(w, "postroom has the answer: look at its terminal. You can close this window.\n")
			select {
			case answers <- r.URL.String():
			default: // the browser came twice
			}
		}
	})}
	var serving errgroup.Group
	serving.Go(func() error { return srv.Serve(ln) })
	ready()
	var answer string
	select {
	case answer = <-answers:
	case <-ctx.Done():
		err = ctx.Err()
	}
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	_ = srv.Shutdown(closing) // the answer is here already
	if served := serving.Wait(); err == nil && !errors.Is(served, http.ErrServerClosed) {
		err = served
	}
	return answer, err
}

// readLine reads one line of standard input.
func (a *app) readLine() (string, error) {
	if a.stdin == nil {
		return "", nil
	}
	line, err := bufio.NewReader(io.LimitReader(a.stdin, maxSecret)).ReadString('\n')
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return strings.TrimSpace(line), err
}
