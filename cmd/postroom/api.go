package main

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/postroom/postroom/api"
	"github.com/postroom/postroom/intake"
	"github.com/postroom/postroom/internal/secret"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
	"github.com/postroom/postroom/report"
)

// newAPI makes the HTTP API of a room.
func newAPI(r *room) *api.API {
	return api.New(api.Config{
		Store: r.store, Account: r.apiAccount, Now: r.now, Log: r.log,
		Uploads: r.uploads(), Take: r.takeUpload,
		Media: r.media.Shelf(), MediaKey: sync.OnceValues(r.linkKey),
		Vault: box{r.box}, Call: r.callWebhook(),
		Settings: func() api.Settings {
			cfg := r.config()
			s := cfg.API
			s.MaxUpload, s.PublicURL = cfg.Inbox.MaxBytes, cfg.PublicURL
			return s
		},
	})
}

// uploads is where calendars that come through the API lie until they are taken, each
// in a folder that is called as its job.
func (r *room) uploads() string { return filepath.Join(r.dir, "data", "uploads") }

// A box is the room's box of secrets, as the API uses it.
type box struct{ *secret.Box }

func (b box) Seal(text, owner string) []byte { return b.Box.Seal(secret.New(text), owner) }

func (b box) Open(sealed []byte, owner string) (string, error) {
	s, err := b.Box.Open(sealed, owner)
	return s.Reveal(), err
}

// callWebhook makes what delivers to webhooks: a client that reaches public
// addresses alone, and another for when the config allows all.
func (r *room) callWebhook() func(context.Context, string, http.Header, []byte) (int, error) {
	guarded := publish.NewClient(publish.ClientOptions{Guard: &publish.Guard{}, Now: r.now})
	free := publish.NewClient(publish.ClientOptions{Guard: &publish.Guard{AllowPrivate: true}, Now: r.now})
	return func(ctx context.Context, url string, h http.Header, body []byte) (int, error) {
		client := guarded
		if r.config().API.AllowPrivateWebhooks {
			client = free
		}
		a, err := client.Do(ctx, publish.Request{Method: http.MethodPost, URL: url, Header: h, Body: body})
		if err != nil {
			return 0, err
		}
		return a.Status, nil
	}
}

// apiAccount says what the API must know of an account.
func (r *room) apiAccount(id post.AccountID) (api.Account, bool) {
	cfg := r.accountConfig(id)
	if cfg == nil {
		return api.Account{}, false
	}
	acc := api.Account{ID: id, Plan: cfg.Plan, MinInterval: cfg.MinInterval}
	acc.Plan.API = acc.Plan.API || cfg.APIAccess
	acc.Plan.MCP = acc.Plan.MCP || cfg.MCPAccess
	found := r.connections(id, nil)
	acc.Connections = make([]api.Connection, len(found))
	for i, c := range found {
		shown := api.Connection{ID: c.id, Username: c.id.Raw(), Validate: c.publisher.Validate, Check: c.check}
		if who := c.identity.Load(); who != nil {
			shown.Username, shown.DisplayName, shown.ProfileURL, shown.TokenExpires = who.Username, who.DisplayName, who.ProfileURL, who.ExpiresAt
		}
		if c.login != nil {
			shown.Login = c.loginEnds
		}
		acc.Connections[i] = shown
	}
	return acc, true
}

// loginEnds says until when the connection's login lasts, and whether a person has
// to log in before anything can be sent.
func (c *connection) loginEnds() (ends time.Time, ended bool) {
	st, err := c.login.State()
	if err != nil {
		return time.Time{}, false // what is wrong is logged wherever a token is asked for
	}
	return st.ExpiresAt, st.Why() != ""
}

// check asks the platform who the credentials of a connection belong to, and
// remembers it for those who list connections.
func (c *connection) check(ctx context.Context) (post.Identity, error) {
	who, err := c.publisher.Check(ctx)
	if err == nil && c.login != nil && who.Permissions == nil {
		if st, err := c.login.State(); err == nil {
			who.Permissions = st.Scopes
		}
	}
	if err == nil {
		c.identity.Store(&who)
	}
	return who, err
}

// meetEvery is how often connections that did not say yet whose they are are
// asked again.
const meetEvery = time.Hour

// meetConnections asks connections whose they are, so that those who list them
// through the API are told names: at the start, when the config changed, and later
// those that did not answer.
func (d *daemon) meetConnections(ctx context.Context) error {
	for {
		d.room.meet(ctx)
		timer := time.NewTimer(meetEvery)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-d.reloaded:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// meet asks the connections that nobody asked yet whose they are. Webhooks are
// left alone: asking one is a call that its receiver did not expect.
func (r *room) meet(ctx context.Context) {
	var g errgroup.Group
	g.SetLimit(8)
	for _, c := range r.connections("", nil) {
		if c.driver == webhookDriver.name || c.identity.Load() != nil {
			continue
		}
		g.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
			defer cancel()
			if _, err := c.check(ctx); err != nil && ctx.Err() == nil {
				r.log.WarnContext(ctx, "a connection does not say whose it is", "account", c.account, "connection", c.id, "err", err)
			}
			return nil
		})
	}
	g.Wait() // they return nothing
}

// takeUpload takes a file that came through the API, as one that was dropped in
// the account's inbox folder. Cut off and taken again, it finds that the same
// bytes are stored.
func (r *room) takeUpload(ctx context.Context, path string, j *post.Job) (err error) {
	f, err := openRegular(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	name := report.SafeName(j.Name)
	req, hold, err := r.request(string(j.Account), name, f, info.Size())
	if err != nil {
		return err
	}
	if hold != "" {
		return &api.Error{Text: hold}
	}
	var res intake.Result
	if j.DryRun {
		res, err = r.intake.Check(ctx, req)
	} else {
		res, err = r.importUpload(ctx, path, name, f, req)
	}
	if err != nil {
		return err
	}
	j.Outcome, j.Counts, j.Problems, j.Omitted = res.Outcome.String(), res.Import.Counts, res.Problems, res.Omitted
	if !j.DryRun {
		j.Import = res.Import.ID
	}
	for _, p := range res.Reports {
		if strings.HasSuffix(p, ".report.csv") {
			j.Report = p
		}
	}
	return nil
}

// importUpload imports an upload, and keeps it in the archive under its own name.
func (r *room) importUpload(ctx context.Context, path, name string, f *os.File, req intake.Request) (intake.Result, error) {
	named := filepath.Join(filepath.Dir(path), name)
	if named != path {
		if err := os.Link(path, named); err != nil && !errors.Is(err, os.ErrExist) {
			return intake.Result{}, err
		}
	}
	return r.importFile(ctx, &namedFile{path: named, file: f, req: req})
}
