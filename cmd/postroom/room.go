package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postroom/postroom/dispatch"
	"github.com/postroom/postroom/inbox"
	"github.com/postroom/postroom/intake"
	"github.com/postroom/postroom/internal/secret"
	"github.com/postroom/postroom/internal/vault"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
	"github.com/postroom/postroom/publish/oauth"
	"github.com/postroom/postroom/store"
)

// storeName is the store's file in the data folder.
const storeName = "postroom.db"

// A room puts the parts together: one folder, one config, one store, and the
// publishers of its connections.
type room struct {
	dir      string
	now      func() time.Time
	log      *slog.Logger
	env      func(string) (string, bool)
	store    *store.Store
	intake   *intake.Intake
	media    *publish.MediaRoom
	box      *secret.Box // of the secrets in the store
	warnings []post.Problem
	begun    Config // with which the room was opened
	onTake   func(outcome string, c post.Counts, length time.Duration)

	set atomic.Pointer[settings] // replaced whole by a reload
}

// settings are what the config says, made ready for use.
type settings struct {
	config   Config
	accounts []intake.Account
	conns    map[connKey]*connection
	order    []connKey // as configured
}

type connKey struct {
	account post.AccountID
	id      post.ConnectionID
}

// A connection is a configured connection with its publisher.
type connection struct {
	connKey
	driver    string
	pace      time.Duration
	publisher publish.Publisher
	identity  atomic.Pointer[post.Identity] // whose it is, once the platform said so
	login     *oauth.Source                 // nil for one that nobody logs in to
	tokenless bool                          // its driver sends none
}

// roomOptions say how a room is opened.
type roomOptions struct {
	env   func(string) (string, bool)
	now   func() time.Time // default time.Now
	log   *slog.Logger     // else one is made as the config says
	logTo io.Writer
	tty   bool
	who   string // what another process is told about us
}

// openRoom reads the config and opens the store.
func openRoom(ctx context.Context, dir string, o roomOptions) (*room, error) {
	r := &room{dir: dir, env: o.env, now: o.now, log: o.log, onTake: func(string, post.Counts, time.Duration) {}}
	if r.now == nil {
		r.now = time.Now
	}
	if _, err := os.Stat(filepath.Join(dir, configName)); errors.Is(err, os.ErrNotExist) {
		return nil, &exitError{exitUsage, &hinted{fmt.Errorf("%s holds no %s", dir, configName), "`postroom init` makes a room there; --room names another folder"}}
	}
	cfg, warnings, err := LoadConfig(filepath.Join(dir, configName), r.env)
	if err != nil {
		return nil, err
	}
	r.warnings, r.begun = warnings, cfg
	if r.log == nil {
		r.log = newLog(o.logTo, cfg.Log, o.tty)
		for _, w := range warnings {
			r.log.Warn(w.String())
		}
	}
	for _, folder := range roomFolders {
		if err := os.MkdirAll(filepath.Join(dir, folder), folderMode(folder)); err != nil {
			return nil, fmt.Errorf("make folders: %w", err)
		}
	}
	if r.media, err = publish.NewMediaRoom(filepath.Join(dir, "media"), publish.Guard{}, nil); err != nil {
		return nil, err
	}
	if err := r.openLinks(&cfg); err != nil {
		return nil, err
	}
	set, err := r.prepare(cfg)
	if err != nil {
		return nil, err
	}
	r.set.Store(set)
	r.store, err = store.Open(filepath.Join(dir, "data", storeName), store.Options{Now: r.now, Log: r.log, Who: o.who})
	if errors.Is(err, store.ErrInUse) {
		return nil, &hinted{err, "one postroom works in a room at a time: stop the other, or wait until it is done"}
	}
	if err != nil {
		return nil, err
	}
	if r.box, err = openBox(dir); err != nil {
		return nil, errors.Join(err, r.store.Close())
	}
	r.intake = intake.New(stages{r.store}, filepath.Join(dir, "reports"), r.log)
	r.load(ctx)
	return r, nil
}

// stages lets intake, which owns its interfaces, use the store's stages.
type stages struct{ *store.Store }

func (s stages) Stage(ctx context.Context, account post.AccountID) (intake.Stage, error) {
	st, err := s.Store.Stage(ctx, account)
	if err != nil {
		return nil, err
	}
	return st, nil
}

func (r *room) close() error { return r.store.Close() }

func (r *room) config() *Config { return &r.set.Load().config }

// prepare makes the accounts and publishers of a config.
func (r *room) prepare(cfg Config) (*settings, error) {
	set := &settings{config: cfg, conns: map[connKey]*connection{}}
	stored := sync.OnceValues(func() (*vault.Vault, error) { return openVault(r.dir, cfg.MasterKey, r.env) })
	for i := range cfg.Accounts {
		a := &cfg.Accounts[i]
		acc := intake.Account{
			ID: a.ID, Zone: a.Timezone, DateOrder: a.DateOrder, Plan: a.Plan, Duplicates: a.Duplicates,
			Directory: post.NewDirectory(a.ConnectionIDs()), Validators: map[post.ConnectionID]intake.Validator{},
		}
		for j := range a.Connections {
			c := &a.Connections[j]
			login, err := c.login(a.ID, stored, r.now)
			if err != nil {
				return nil, fmt.Errorf("connection %s of %s: %w", c.ID, a.ID, err)
			}
			at := site{outbox: filepath.Join(r.dir, "outbox"), media: r.media, now: r.now}
			if login != nil {
				at.login = login
			}
			p, err := c.Settings.publisher(c.ID, at)
			if err != nil {
				return nil, fmt.Errorf("connection %s of %s: %w", c.ID, a.ID, err)
			}
			key := connKey{a.ID, c.ID}
			set.conns[key] = &connection{connKey: key, driver: c.Driver, pace: c.Pace, publisher: p, login: login, tokenless: c.driver().tokenless}
			set.order = append(set.order, key)
			acc.Validators[c.ID] = p
		}
		set.accounts = append(set.accounts, acc)
	}
	return set, nil
}

// load asks the servers that have limits of their own for them, each for a
// moment. One that does not answer keeps the usual limits.
func (r *room) load(ctx context.Context) {
	for _, key := range r.set.Load().order {
		l, ok := r.set.Load().conns[key].publisher.(interface{ Load(context.Context) error })
		if !ok {
			continue
		}
		asking, cancel := context.WithTimeout(ctx, 5*time.Second)
		if err := l.Load(asking); err != nil {
			r.log.Warn("limits of the server not read: the usual ones are used", "connection", key.id, "err", err)
		}
		cancel()
	}
}

// reload reads the config again. A bad one changes nothing. Settings that hold from
// the start on are named in the log when they differ.
func (r *room) reload(ctx context.Context) error {
	cfg, warnings, err := LoadConfig(filepath.Join(r.dir, configName), r.env)
	if err != nil {
		return err
	}
	for _, w := range warnings {
		r.log.Warn(w.String())
	}
	set, err := r.prepare(cfg)
	if err != nil {
		return err
	}
	if err := r.openLinks(&cfg); err != nil {
		return err
	}
	r.set.Store(set)
	r.load(ctx)
	if changed := r.begun.heldToTheEnd(&cfg); len(changed) > 0 {
		r.log.Warn("settings changed that are read at the start alone: start postroom again for them", "settings", strings.Join(changed, ", "))
	}
	return nil
}

// heldToTheEnd names the settings that differ in now, and that nobody looks at once
// postroom has begun with c.
func (c *Config) heldToTheEnd(now *Config) (names []string) {
	for _, s := range []struct {
		name string
		same bool
	}{
		{"listen", c.Listen == now.Listen},
		{"inbox.settle", c.Inbox.Settle == now.Inbox.Settle},
		{"inbox.poll", c.Inbox.Poll == now.Inbox.Poll},
		{"inbox.hold_after", c.Inbox.HoldAfter == now.Inbox.HoldAfter},
		{"dispatch", c.Dispatch == now.Dispatch},
		{"log", c.Log == now.Log},
	} {
		if !s.same {
			names = append(names, s.name)
		}
	}
	return names
}

// accounts returns all accounts, or the one called id.
func (r *room) accounts(id post.AccountID) []intake.Account {
	all := r.set.Load().accounts
	if id == "" {
		return all
	}
	for i := range all {
		if all[i].ID == id {
			return all[i : i+1]
		}
	}
	return nil
}

// accountConfig returns what the config says of an account; nil for one that it
// no longer has.
func (r *room) accountConfig(id post.AccountID) *AccountConfig {
	c := r.config()
	for i := range c.Accounts {
		if c.Accounts[i].ID == id {
			return &c.Accounts[i]
		}
	}
	return nil
}

// zone returns the zone of an account, or the room's.
func (r *room) zone(id post.AccountID) *time.Location {
	if a := r.accountConfig(id); a != nil {
		return a.Timezone
	}
	return r.config().Timezone
}

// connections returns the configured connections of an account, of all for "",
// and of them those named ids, or all.
func (r *room) connections(account post.AccountID, ids []string) []*connection {
	set := r.set.Load()
	var out []*connection
	for _, key := range set.order {
		if account != "" && key.account != account {
			continue
		}
		wanted := len(ids) == 0
		for _, id := range ids {
			wanted = wanted || id == string(key.id)
		}
		if wanted {
			out = append(out, set.conns[key])
		}
	}
	return out
}

// publisherFor finds the publisher of a connection that has something due.
func (r *room) publisherFor(account post.AccountID, id post.ConnectionID) (dispatch.Publisher, error) {
	c := r.set.Load().conns[connKey{account, id}]
	if c == nil {
		return nil, fmt.Errorf("the config of account %s has no connection %s: put it back, then `postroom posts retry`", account, id)
	}
	return c.publisher, nil
}

// dispatchConfig is how the dispatcher works in this room.
func (r *room) dispatchConfig(m *metrics) dispatch.Config {
	c := r.config().Dispatch
	return dispatch.Config{
		Workers: c.Workers, LookupGrace: c.LookupGrace, CallTimeout: c.CallTimeout,
		Late: r.lateGrace, Pace: r.pace, Spent: r.spent, Now: r.now, Log: r.log, Observe: m.observer(r.heartbeat),
	}
}

// lateGrace is how late posts of an account may go out; the usual, for one that the
// config no longer has.
func (r *room) lateGrace(id post.AccountID) time.Duration {
	if a := r.accountConfig(id); a != nil {
		return a.LateGrace
	}
	return defaultAccount(id).LateGrace
}

// spent is when the platform of a connection takes calls again, by its last answer.
func (r *room) spent(account post.AccountID, id post.ConnectionID) time.Time {
	c := r.set.Load().conns[connKey{account, id}]
	if c == nil {
		return time.Time{}
	}
	p, ok := c.publisher.(publish.Pacer)
	if !ok {
		return time.Time{}
	}
	return p.Pace().SpentUntil()
}

// pace is the longest of those that accounts give a connection of that name.
func (r *room) pace(id post.ConnectionID) time.Duration {
	var p time.Duration
	for key, c := range r.set.Load().conns {
		if key.id == id {
			p = max(p, c.pace)
		}
	}
	return p
}

// inboxConfig is how the inbox works in this room.
func (r *room) inboxConfig() inbox.Config {
	c := r.config().Inbox
	cfg := inbox.DefaultConfig(r.dir)
	cfg.Settle, cfg.Poll, cfg.HoldAfter, cfg.Now = c.Settle, c.Poll, c.HoldAfter, r.now
	cfg.Beside = func(name string) bool { return publish.MediaType(name) != "" }
	other := cfg.Folder
	cfg.Folder = func(at []string) string {
		if r.isFolder(at) {
			return ""
		}
		return other(at)
	}
	return cfg
}

// isFolder reports whether a path below the inbox is that of an account or of a
// connection, whatever its name looks like: mastodon-acme.social is no file.
func (r *room) isFolder(at []string) bool {
	accounts := r.accounts("")
	if len(at) > 0 && len(r.accounts(post.AccountID(at[0]))) == 1 {
		accounts, at = r.accounts(post.AccountID(at[0])), at[1:]
	}
	switch {
	case len(at) == 0:
		return true
	case len(at) > 1 || len(accounts) != 1:
		return false
	}
	_, err := accounts[0].Directory.Resolve(at[0])
	return err == nil
}

// refresh writes reports that outcomes have overtaken.
func (r *room) refresh(ctx context.Context, most int) (int, error) {
	return r.intake.Refresh(ctx, r.original, r.zone, r.now(), most)
}

// original opens the original of an import, by its path in the room: of a
// calendar whose series go on the copy, when somebody has taken it out of the
// archive.
func (r *room) original(path string) (intake.Original, error) {
	f, err := os.Open(filepath.Join(r.dir, filepath.FromSlash(path)))
	if errors.Is(err, fs.ErrNotExist) {
		if spare, err := os.Open(r.spare(path)); err == nil {
			return spare, nil
		}
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

// approve schedules a draft or held post, within the plan.
func (r *room) approve(ctx context.Context, g *post.Group, id post.ID, at time.Time, who string) (post.Group, error) {
	if at.IsZero() {
		at = g.ScheduledAt
	}
	if at.IsZero() {
		return post.Group{}, &hinted{fmt.Errorf("post %s has no time", id), "say when with --at"}
	}
	at = later(at, r.thisSecond())
	caps, err := r.fits(g, at)
	if err != nil {
		return post.Group{}, err
	}
	approved, err := r.store.Approve(ctx, id, at, caps, who)
	return approved, r.noRoom(g.Account, err)
}

// approver arms drafts that a report marks, for who brought the report. One whose
// time has long passed would go out at once, and with it all such of the file: that
// is left to a person.
func (r *room) approver(who string) func(ctx context.Context, g *post.Group, id post.ID, keep bool) error {
	return func(ctx context.Context, g *post.Group, id post.ID, keep bool) error {
		at, now := g.ScheduledAt, r.thisSecond()
		if at.IsZero() {
			return &intake.Unapproved{Code: "NO_TIME", Want: "a time: the post has none", Hint: fmt.Sprintf("give the row one in the calendar, or `postroom posts approve %s --at TIME`", id)}
		}
		if grace := r.lateGrace(g.Account); grace > 0 && now.Sub(at) > grace {
			return &intake.Unapproved{
				Code: "TIME_PASSED", Want: fmt.Sprintf("a time to come: that of the post, %s, passed more than %s ago", local(at, r.zone(g.Account)), grace),
				Hint: fmt.Sprintf("`postroom posts approve %s --at TIME` says when instead", id),
			}
		}
		var err error
		if keep {
			_, err = r.approve(ctx, g, id, at, who)
		} else {
			_, err = r.fits(g, later(at, now))
		}
		var full *post.CapExceeded
		var limit *post.LimitExceeded
		switch {
		case errors.As(err, &full), errors.As(err, &limit):
			return &intake.Unapproved{Code: "NO_ROOM", Want: err.Error(), Hint: "cancel what is not needed, choose another month, or change the plan in the config"}
		case errors.Is(err, post.ErrState):
			return &intake.Unapproved{Code: "NOT_A_DRAFT", Want: "a draft: " + err.Error(), Hint: "open the newest report of the calendar"}
		}
		return err
	}
}

// reschedule moves a waiting post, within the plan.
func (r *room) reschedule(ctx context.Context, g *post.Group, id post.ID, at time.Time, who string) (post.Group, error) {
	at = later(at, r.thisSecond())
	caps, err := r.fits(g, at)
	if err != nil {
		return post.Group{}, err
	}
	moved, err := r.store.Reschedule(ctx, id, at, caps, who)
	return moved, r.noRoom(g.Account, err)
}

// thisSecond is now for what is to go out at once: times are stored in whole
// seconds, and the next one is not due yet.
func (r *room) thisSecond() time.Time { return r.now().Truncate(time.Second) }

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// noRoom says which plan a cap is of, where err is that of one.
func (r *room) noRoom(id post.AccountID, err error) error {
	var full *post.CapExceeded
	if !errors.As(err, &full) {
		return err
	}
	name := "the plan"
	if found := r.accounts(id); len(found) > 0 {
		name = "plan " + found[0].Plan.Name
	}
	return &hinted{fmt.Errorf("%s has no room: %w", name, err), "cancel what is not needed, choose another month, or change the plan in the config"}
}

// fits checks what of a plan can be checked before the store does, and returns
// the caps that the store checks.
func (r *room) fits(g *post.Group, at time.Time) ([]post.Cap, error) {
	found := r.accounts(g.Account)
	if len(found) == 0 {
		return nil, &hinted{fmt.Errorf("the config has no account %s any more", g.Account), "put it back"}
	}
	plan := found[0].Plan
	var conns []post.ConnectionID
	for i := range g.Posts {
		conns = append(conns, g.Posts[i].Connection)
	}
	if refused := plan.Available(conns); refused != nil {
		return nil, refused
	}
	if refused := plan.Reaches(at, r.now()); refused != nil {
		return nil, refused
	}
	caps := plan.Caps(conns, at)
	for i := range g.Posts { // a group that moves keeps its distances, maybe into another month
		if behind := g.Behind(&g.Posts[i]); behind > 0 {
			caps = append(caps, plan.Caps(conns[i:i+1], at.Add(behind))...)
		}
	}
	return caps, nil
}

// inboxOf is where below inbox/ an account's calendars are dropped.
func (r *room) inboxOf(id post.AccountID) string {
	if len(r.accounts("")) == 1 {
		return ""
	}
	return string(id)
}
