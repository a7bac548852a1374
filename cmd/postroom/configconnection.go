package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/postroom/postroom/internal/secret"
	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
	"github.com/postroom/postroom/publish/mastodon"
	"github.com/postroom/postroom/publish/sandbox"
	"github.com/postroom/postroom/publish/webhook"
)

// ConnectionConfig is one authorised account on one platform. Which fields count
// is the driver's matter.
type ConnectionConfig struct {
	ID     post.ConnectionID
	Driver string        // one of the names in drivers
	Pace   time.Duration // least time between two posts; 0 leaves it to the platform's answers

	MaxCharacters int // of one text, in place of the platform's limit; 0 for that

	Server     string // of driver mastodon
	Token      secret.Value
	Visibility string
	Language   string
	AllowHTTP  bool

	URL          secret.Value // of driver webhook
	Secret       secret.Value
	AllowPrivate bool
	Idempotent   bool

	Numbering publish.Numbering // of driver sandbox
	Switch    sandbox.Switch
	Delay     time.Duration
	Wait      time.Duration
}

// A driver is one way to publish.
type driver struct {
	name  string
	needs []string                      // settings that must be there
	takes []string                      // settings that may be there
	only  post.Platform                 // whose connections it can serve; "" for all
	check func(*ConnectionConfig) error // what the settings must be; nil for nothing more
}

// drivers are those of this build.
var drivers = []driver{
	{name: "sandbox", takes: []string{"max_characters", "thread_numbering", "switch", "delay", "wait"}},
	{
		name: "webhook", needs: []string{"url", "secret"}, takes: []string{"allow_private", "idempotent"},
		check: func(c *ConnectionConfig) error { _, err := webhook.New(c.webhookConfig()); return err },
	},
	{
		name: "mastodon", needs: []string{"server", "token"}, takes: []string{"visibility", "language", "max_characters", "allow_http"}, only: "mastodon",
		check: func(c *ConnectionConfig) error { _, err := mastodon.New(c.mastodonConfig()); return err },
	},
}

// driverNames lists the drivers of this build.
func driverNames() []string {
	names := make([]string, len(drivers))
	for i := range drivers {
		names[i] = drivers[i].name
	}
	return names
}

// mastodonConfig returns what the config says of a mastodon connection. The room
// adds media and clock.
func (c *ConnectionConfig) mastodonConfig() mastodon.Config {
	return mastodon.Config{
		Connection: c.ID, Server: c.Server, Token: c.Token.Reveal, Visibility: c.Visibility, Language: c.Language,
		MaxCharacters: c.MaxCharacters, PlainHTTP: c.AllowHTTP,
	}
}

// webhookConfig returns what the config says of a webhook connection. The room
// adds the clock.
func (c *ConnectionConfig) webhookConfig() webhook.Config {
	return webhook.Config{
		Connection: c.ID, URL: c.URL.Reveal, Secret: c.Secret.Reveal, AllowPrivate: c.AllowPrivate, Idempotent: c.Idempotent,
	}
}

// sandboxConfig returns what the config says of a sandbox connection. The room
// adds outbox, media and clock.
func (c *ConnectionConfig) sandboxConfig() sandbox.Config {
	return sandbox.Config{
		Connection: c.ID, Limits: limits.PlatformOverride{MaxText: c.MaxCharacters}, Numbering: c.Numbering,
		Switch: c.Switch, Delay: c.Delay, Wait: c.Wait,
	}
}

// driver returns the connection's driver: the one it names, else that of its
// platform; nil when this build has none.
func (c *ConnectionConfig) driver() *driver {
	name := c.Driver
	if name == "" {
		name = string(c.ID.Platform())
	}
	for i := range drivers {
		if drivers[i].name == name {
			return &drivers[i]
		}
	}
	return nil
}

// settings are the keys of a connection. Those of a driver are read only when
// the connection has that driver.
func (c *ConnectionConfig) settings() []setting {
	common := []setting{
		{"id", func(v value) { c.readID(v) }},
		{"driver", scalar(&c.Driver, oneOf(driverNames()...))},
		{"pace", scalar(&c.Pace, length(0, day))},
	}
	own := []setting{
		{"max_characters", scalar(&c.MaxCharacters, count(1, 1_000_000))},
		{"server", scalar(&c.Server, plainText("the URL of the server, like https://mastodon.social"))},
		{"token", secretText(&c.Token)},
		{"visibility", scalar(&c.Visibility, oneOf("public", "unlisted", "private"))},
		{"language", scalar(&c.Language, plainText("a language like en or de"))},
		{"allow_http", scalar(&c.AllowHTTP, yesNo)},
		{"url", secretText(&c.URL)},
		{"secret", secretText(&c.Secret)},
		{"allow_private", scalar(&c.AllowPrivate, yesNo)},
		{"idempotent", scalar(&c.Idempotent, yesNo)},
		{"thread_numbering", scalar(&c.Numbering, numbering)},
		{"switch", scalar(&c.Switch, sandboxSwitch)},
		{"delay", scalar(&c.Delay, length(0, time.Hour))},
		{"wait", scalar(&c.Wait, length(0, day))},
	}
	for i := range own {
		read := own[i].read
		own[i].read = func(v value) {
			if c.takes(v) {
				read(v)
			}
		}
	}
	return append(common, own...)
}

// takes reports whether the setting at v is one of the connection's driver, and
// records a problem when it is not. A sandbox leaves the settings of other
// drivers alone, so that one word switches a real connection to it and back.
func (c *ConnectionConfig) takes(v value) bool {
	d := c.driver()
	if d == nil {
		return false
	}
	key := v.path[strings.LastIndexByte(v.path, '.')+1:]
	if slices.Contains(d.needs, key) || slices.Contains(d.takes, key) {
		return true
	}
	if d.name != "sandbox" {
		v.problem(post.Problem{Want: "no setting of driver " + d.name, Hint: "it takes " + strings.Join(slices.Concat(d.needs, d.takes), ", ")})
	}
	return false
}

// plainText reads any text but the empty one.
func plainText(want string) parser[string] {
	return parser[string]{want: want, parse: func(text string) (string, string, bool) { return text, "", text != "" }}
}

var numbering = parser[publish.Numbering]{
	want: "one of auto, always, never",
	parse: func(text string) (publish.Numbering, string, bool) {
		n, err := publish.ParseNumbering(text)
		return n, nearest(text, "auto", "always", "never"), err == nil
	},
}

var sandboxSwitch = parser[sandbox.Switch]{
	want: "one of fail, throttle, slow, lost",
	parse: func(text string) (sandbox.Switch, string, bool) {
		s := sandbox.Switch(text)
		return s, nearest(text, "fail", "throttle", "slow", "lost"), slices.Contains([]sandbox.Switch{sandbox.Fail, sandbox.Throttle, sandbox.Slow, sandbox.Lost}, s)
	},
}

// readID reads the id and looks its platform up.
func (c *ConnectionConfig) readID(v value) {
	const want = "PLATFORM-ID, like mastodon-acme"
	scalar(&c.ID, parser[post.ConnectionID]{want: want, parse: func(text string) (post.ConnectionID, string, bool) {
		id := post.ConnectionID(text)
		if id.Check() != nil {
			hint := ""
			if p, known := post.PlatformByName(text); known {
				hint = fmt.Sprintf("add what tells it from others: %s-yourname", p)
			}
			return "", hint, false
		}
		if names := platformNames(); !slices.Contains(names, string(id.Platform())) {
			if p, alias := post.PlatformByName(string(id.Platform())); alias && slices.Contains(names, string(p)) {
				return "", fmt.Sprintf("did you mean %s-%s?", p, id.Raw()), false
			}
			return "", "no such platform: " + suggest(string(id.Platform()), names), false
		}
		return id, "", true
	}})(v)
}

// platformNames lists the platforms whose limits are known, and the drivers:
// they have platforms of their own.
func platformNames() []string {
	names := driverNames()
	for _, p := range limits.Platforms() {
		if name := string(p.Platform); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// connections reads the connections of one account.
func (v value) connections() []ConnectionConfig {
	var all []ConnectionConfig
	n, lines := 0, map[string]int{}
	v.list("connections, like - {id: mastodon-try, driver: sandbox}", func(v value) {
		n++
		c, ok := v.connection()
		if !ok {
			return
		}
		// Names in files are matched without regard to case.
		name := strings.ToLower(string(c.ID))
		if before, again := lines[name]; again {
			v.problem(post.Problem{Got: string(c.ID), Want: fmt.Sprintf("each connection once: it stands in line %d already", before), Hint: "remove one"})
			return
		}
		lines[name], _ = place(v.node)
		all = append(all, c)
	})
	if v.kind() == "a list" && n == 0 {
		v.problem(post.Problem{Want: "at least one connection"})
	}
	return all
}

// connection reads one connection; ok is false when it cannot be used.
func (v value) connection() (c ConnectionConfig, ok bool) {
	before := len(v.d.problems)
	present := v.settings(c.settings())
	if v.kind() != "a map" {
		return c, false
	}
	id, named := present["id"]
	switch d := c.driver(); {
	case !named:
		v.problem(post.Problem{Want: "id: which connection this is, like mastodon-acme"})
	case post.HasErrors(v.d.problems[before:]):
	case d == nil:
		id.problem(post.Problem{
			Got: string(c.ID), Want: fmt.Sprintf("a driver: this build has none for %s", c.ID.Platform()),
			Hint: "add driver: one of " + strings.Join(driverNames(), ", "),
		})
	case d.only != "" && c.ID.Platform() != d.only:
		present["driver"].problem(post.Problem{Got: d.name, Want: fmt.Sprintf("a driver for %s: %s serves %s connections only", c.ID.Platform(), d.name, d.only), Hint: "sandbox and webhook serve all"})
	default:
		c.Driver = d.name
		v.checkDriver(d, &c, present)
	}
	return c, !post.HasErrors(v.d.problems[before:])
}

// checkDriver records what the driver misses, and what it says of the rest.
func (v value) checkDriver(d *driver, c *ConnectionConfig, present map[string]value) {
	missing := false
	for _, key := range d.needs {
		if _, ok := present[key]; !ok {
			v.problem(post.Problem{Got: string(c.ID), Want: fmt.Sprintf("%s, which driver %s needs", key, d.name), Hint: "to try it without, add driver: sandbox"})
			missing = true
		}
	}
	if missing || d.check == nil {
		return
	}
	err := d.check(c)
	if err == nil {
		return
	}
	said := strings.TrimPrefix(err.Error(), fmt.Sprintf("%s %s: ", d.name, c.ID))
	if key, rest, found := strings.Cut(said, ": "); found {
		if at, ok := present[strings.Fields(key + " ")[0]]; ok {
			at.problem(post.Problem{Want: rest})
			return
		}
	}
	v.problem(post.Problem{Want: said})
}
