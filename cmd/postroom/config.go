package main

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/postroom/postroom/api"
	"github.com/postroom/postroom/internal/secret"
	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
	"github.com/postroom/postroom/scheduler"
)

// configName is the config's file in a room.
const configName = "postroom.yaml"

// Config is what postroom.yaml says, checked and complete: what the file leaves
// out has its default, zones are loaded, secrets are fetched. The commented file
// that `postroom init` writes is its documentation.
type Config struct {
	Timezone     *time.Location // of accounts that name none
	Listen       string         // host:port; "" for none
	ListenOpenly bool           // Listen may be reached from other machines, unencrypted
	PublicURL    string         // https, without a slash at the end: where platforms reach Listen; "" for nowhere
	HeartbeatURL string         // "" for none; may hold a token: never log it
	MasterKey    secret.Value   // opens the stored secrets; zero leaves it to the environment
	Accounts     []AccountConfig
	Inbox        InboxConfig
	Dispatch     DispatchConfig
	Log          LogConfig
	API          api.Settings
}

// AccountConfig is one customer.
type AccountConfig struct {
	ID          post.AccountID
	Plan        limits.Plan
	Timezone    *time.Location
	DateOrder   string // dmy, mdy, ymd, or "" to reject dates that can be read in two ways
	Connections []ConnectionConfig
	Stagger     StaggerConfig
	Quiet       scheduler.Quiet     // when nothing of a file goes out; zero for never
	Blackout    []scheduler.Days    // nor on these
	Slots       *scheduler.Openings // for rows that give no time, without their zone; nil for none
	Duplicates  time.Duration       // posts with the same words nearer than this are told of; 0 for never
	LateGrace   time.Duration       // posts found later than this are held; 0 for never
	ResetWithin time.Duration       // times passed no longer ago than this are moved to now
	MinInterval time.Duration       // between posts on one connection that come through the API; 0 for none
	APIAccess   bool                // may use the HTTP API whatever its plan says
	MCPAccess   bool                // and as an MCP client
	CalendarKey secret.Value        // opens /calendar/ACCOUNT.ics; zero for no such calendar
}

// StaggerConfig is what an account or an inbox folder says about spreading
// posts. A nil field says nothing.
type StaggerConfig struct {
	Keep                  *bool // off: the times stay as they are written
	Gap, MaxShift, Across *time.Duration
	PerMinute             *int
}

// InboxConfig bounds how files are taken (DESIGN §4).
type InboxConfig struct {
	Settle    time.Duration // a file must be still for so long
	Poll      time.Duration // between two looks at the folders
	HoldAfter time.Duration // a file that never becomes whole is held after
	MaxBytes  int64         // of one file
	MaxRows   int           // of one file
}

// DispatchConfig bounds how posts are sent (DESIGN §7).
type DispatchConfig struct {
	Workers     int           // connections that send at the same time
	LookupGrace time.Duration // before a lost answer is looked up
	CallTimeout time.Duration // of one post
}

// LogConfig says what is logged.
type LogConfig struct {
	Level  slog.Level
	Format string // text, json, or auto: text on a terminal, else json
}

// DefaultConfig returns what holds where the config says nothing.
func DefaultConfig() Config {
	return Config{
		Timezone: time.UTC,
		Inbox: InboxConfig{
			Settle: 5 * time.Second, Poll: 5 * time.Second, HoldAfter: 15 * time.Minute,
			MaxBytes: 1 << 30, MaxRows: 5_000_000,
		},
		Dispatch: DispatchConfig{Workers: 32, LookupGrace: time.Minute, CallTimeout: 20 * time.Second},
		Log:      LogConfig{Level: slog.LevelInfo, Format: "auto"},
	}
}

// defaultAccount returns what an account has that says nothing but its name.
func defaultAccount(id post.AccountID) AccountConfig {
	plan, _ := limits.PlanByKey("unlimited")
	return AccountConfig{ID: id, Plan: plan, LateGrace: 2 * time.Hour, Duplicates: 30 * day, ResetWithin: scheduler.DefaultRules().ResetWithin}
}

// Rules returns how the account's posts are given their times, in an inbox
// folder whose defaults say folder.
func (a *AccountConfig) Rules(folder StaggerConfig) scheduler.Rules {
	r := scheduler.DefaultRules()
	r.ResetWithin, r.Hours, r.Openings = a.ResetWithin, a.hours(), a.openings()
	for _, s := range []StaggerConfig{a.Stagger, folder} {
		put(&r.Keep, s.Keep)
		put(&r.Gap, s.Gap)
		put(&r.MaxShift, s.MaxShift)
		put(&r.Across, s.Across)
		put(&r.PerMinute, s.PerMinute)
	}
	return r
}

func put[T any](into, from *T) {
	if from != nil {
		*into = *from
	}
}

// ConnectionIDs returns the ids of the account's connections, as configured.
func (a *AccountConfig) ConnectionIDs() []post.ConnectionID {
	ids := make([]post.ConnectionID, len(a.Connections))
	for i := range a.Connections {
		ids[i] = a.Connections[i].ID
	}
	return ids
}

// A ConfigError holds everything wrong with a config, in the order of its lines.
type ConfigError struct{ Problems []post.Problem }

// Error returns one problem a line.
func (e *ConfigError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// LoadConfig reads the config at path. env looks up the ${NAME} in it. The
// problems it returns are warnings; with errors in the file the error is a
// *[ConfigError] that holds them all, warnings too.
func LoadConfig(path string, env func(string) (string, bool)) (Config, []post.Problem, error) {
	text, mode, problem := readConfigFile(path)
	if problem != nil {
		return Config{}, nil, &ConfigError{[]post.Problem{*problem}}
	}
	d := newDecoder(path, env)
	c := DefaultConfig()
	if root, ok := d.parse(text); ok {
		c.read(root)
	}
	d.warnOpenFile(path, mode)
	if problems := d.sorted(); post.HasErrors(problems) {
		return Config{}, nil, &ConfigError{problems}
	}
	return c, d.sorted(), nil
}

// read reads the whole file, and gives accounts what they leave to it.
func (c *Config) read(root value) {
	if present := root.settings(c.settings()); len(c.Accounts) == 0 {
		at, ok := present["accounts"]
		if !ok {
			at = value{d: root.d, path: "accounts"}
		}
		at.problem(post.Problem{Want: "at least one account", Hint: "`postroom init` writes an example"})
	}
	for i := range c.Accounts {
		if a := &c.Accounts[i]; a.Timezone == nil {
			a.Timezone = c.Timezone
		}
	}
}

// settings are the keys of the whole file.
func (c *Config) settings() []setting {
	return []setting{
		{"timezone", scalar(&c.Timezone, zoneName)},
		{"master_key", func(v value) { ownSecret(&c.MasterKey)(v); v.d.masterKey = c.MasterKey }}, // before what is stored
		{"listen_openly", scalar(&c.ListenOpenly, yesNo)},
		{"listen", func(v value) { c.readListen(v) }},
		{"public_url", scalar(&c.PublicURL, publicURL)},
		{"heartbeat_url", func(v value) { c.readHeartbeat(v) }},
		{"accounts", func(v value) { c.readAccounts(v) }},
		{"inbox", section(c.Inbox.settings())},
		{"dispatch", section(c.Dispatch.settings())},
		{"log", section(c.Log.settings())},
		{"strict_compat", scalar(&c.API.StrictCompat, yesNo)},
		{"api", section([]setting{
			{"allow_private_webhooks", scalar(&c.API.AllowPrivateWebhooks, yesNo)},
			{"allow_origins", func(v value) { c.API.Origins = v.origins() }},
			{"max_media", scalar(&c.API.MaxMedia, bytesSize(1<<10, publish.MostMedia))},
			{"reject_unknown_connections", func(v value) {
				reject := true
				scalar(&reject, yesNo)(v)
				c.API.AllowUnknownConnections = !reject
			}},
		})},
	}
}

func (c *InboxConfig) settings() []setting {
	return []setting{
		{"settle", scalar(&c.Settle, length(time.Second, time.Hour))},
		{"poll", scalar(&c.Poll, length(time.Second, time.Hour))},
		{"hold_after", scalar(&c.HoldAfter, length(time.Minute, 30*day))},
		{"max_bytes", scalar(&c.MaxBytes, bytesSize(1<<10, 1<<40))},
		{"max_rows", scalar(&c.MaxRows, count(1, 50_000_000))},
	}
}

func (c *DispatchConfig) settings() []setting {
	return []setting{
		{"workers", scalar(&c.Workers, count(1, 256))},
		{"lookup_grace", scalar(&c.LookupGrace, length(0, day))},
		{"call_timeout", scalar(&c.CallTimeout, length(time.Second, 10*time.Minute))},
	}
}

func (c *LogConfig) settings() []setting {
	return []setting{
		{"level", scalar(&c.Level, logLevel)},
		{"format", scalar(&c.Format, oneOf("auto", "text", "json"))},
	}
}

var logLevel = parser[slog.Level]{
	want: "one of debug, info, warn, error",
	parse: func(text string) (l slog.Level, hint string, ok bool) {
		return l, nearest(text, "debug", "info", "warn", "error"), l.UnmarshalText([]byte(text)) == nil
	},
}

func (c *Config) readAccounts(v value) {
	v.entries("accounts by name", post.Shorten, func(name string, key, v value) {
		if hint := badAccountID(name); hint != "" {
			key.problem(post.Problem{Got: post.Shorten(name), Want: "a name that can be a folder: a-z, 0-9, - and _, at most 64 of them", Hint: hint})
		}
		c.Accounts = append(c.Accounts, v.account(post.AccountID(name)))
	})
}

// badAccountID says why a name cannot be an account's, "" when it can: the
// folders of an account bear it, on every system.
func badAccountID(name string) (hint string) {
	switch name {
	case "tmp":
		return "inbox/tmp is the folder for files that are still being written"
	case "con", "prn", "aux", "nul":
		return "Windows keeps this name for itself"
	}
	if name == "" || len(name) > 64 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" || strings.HasPrefix(name, "-") {
		return "rename the account here and its folder in the inbox"
	}
	return ""
}

// account reads one account.
func (v value) account(id post.AccountID) AccountConfig {
	a := defaultAccount(id)
	present := v.settings([]setting{
		{"plan", func(v value) { a.Plan = v.plan() }},
		{"timezone", scalar(&a.Timezone, zoneName)},
		{"date_order", scalar(&a.DateOrder, dateOrder)},
		{"stagger", a.Stagger.read},
		{"quiet_hours", scalar(&a.Quiet, quietHours)},
		{"blackout", func(v value) { a.Blackout = v.blackout() }},
		{"late", func(v value) { v.off(func() { a.LateGrace = 0 }, late(&a)) }},
		{"past", section([]setting{{"reset_within", scalar(&a.ResetWithin, length(0, 366*day))}})},
		{"duplicates", func(v value) {
			v.off(func() { a.Duplicates = 0 }, []setting{{"within", scalar(&a.Duplicates, length(time.Hour, 366*day))}})
		}},
		{"min_interval", scalar(&a.MinInterval, length(0, 7*day))},
		{"api_access", scalar(&a.APIAccess, yesNo)},
		{"mcp_access", scalar(&a.MCPAccess, yesNo)},
		{"calendar_key", secretText(&a.CalendarKey)},
		{"connections", func(v value) { a.Connections = v.connections() }},
		{"slots", func(v value) { a.Slots = v.slots(a.Connections) }}, // after the connections that it names
	})
	list, ok := present["connections"]
	switch {
	case v.kind() != "a map":
		return a
	case !ok:
		v.problem(post.Problem{Want: "connections: at least one", Hint: "to try it out, add `- {id: mastodon-try, driver: sandbox}`"})
		return a
	}
	if over := a.Plan.Connected(len(a.Connections)); over != nil {
		list.problem(post.Problem{Want: fmt.Sprintf("at most %d connections on plan %s, not %d", *over.Limit, a.Plan.Name, *over.Used), Hint: "remove some, or choose a larger plan", Code: over.Code})
	}
	for i := range a.Connections {
		c := &a.Connections[i]
		if a.Plan.Available([]post.ConnectionID{c.ID}) != nil {
			list.problem(post.Problem{
				Severity: post.SeverityWarning, Platform: c.ID.Platform(), Code: limits.CodePlatform,
				Want: fmt.Sprintf("plan %s does not post to %s: rows for %s will be rejected", a.Plan.Name, c.ID.Platform(), c.ID), Hint: "choose a larger plan, or remove the connection",
			})
		}
	}
	return a
}

func late(a *AccountConfig) []setting {
	return []setting{{"grace", scalar(&a.LateGrace, length(time.Minute, 366*day))}}
}

// read reads `off`, or a map of what is to differ.
func (s *StaggerConfig) read(v value) {
	s.Keep = new(false)
	v.off(func() { s.Keep = new(true) }, []setting{
		{"gap", pointer(&s.Gap, length(0, day))},
		{"per_minute", pointer(&s.PerMinute, unlessNone(count(1, 1_000_000), 0))},
		{"max_shift", pointer(&s.MaxShift, length(0, 366*day))},
		{"across_platforms", pointer(&s.Across, length(0, 7*day))},
	})
}
