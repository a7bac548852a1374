package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
	"github.com/postroom/postroom/publish/oauth"
)

// ConnectionConfig is one authorised account on one platform.
type ConnectionConfig struct {
	ID     post.ConnectionID
	Driver string        // one of the names in drivers
	Pace   time.Duration // least time between two posts; 0 leaves it to the platform's answers
	OAuth  *OAuthConfig  // with what its owner logs in; nil when nobody does

	Settings driverSettings // those of the driver
}

// A driver is one way to publish.
type driver struct {
	name     string
	only     post.Platform         // whose connections it can serve; "" for all
	needs    []string              // settings that must be there
	settings func() driverSettings // of a new connection
	opens    bool                  // making a publisher opens files, so no config is tried that way

	tokenless bool // it sends no token that a platform could take back
}

// driverSettings are what one connection says to its driver.
type driverSettings interface {
	// keys lists the settings, each with what reads it.
	keys() []setting

	// publisher makes what publishes to the connection. It calls nobody, and at
	// may be empty to learn whether the settings will do: the errors begin with
	// "driver id: ", and with "setting: " when one of them is to blame.
	publisher(id post.ConnectionID, at site) (publish.Publisher, error)
}

// A site is what publishers of a room share.
type site struct {
	outbox string // the folder of sandboxes
	media  *publish.MediaRoom
	now    func() time.Time
	login  publish.Tokens // of the connection; nil for one that nobody logs in to
}

// drivers are those of this build. Each has its own file.
var drivers = []driver{
	sandboxDriver, webhookDriver,
	blueskyDriver, discordDriver, facebookDriver, instagramDriver, linkedinDriver, mastodonDriver,
	matrixDriver, nostrDriver, pinterestDriver, postpostDriver, slackDriver, telegramDriver,
	threadsDriver, tiktokDriver, twitterDriver, wordpressDriver, youtubeDriver,
}

// driverNames lists the drivers of this build.
func driverNames() []string {
	names := make([]string, len(drivers))
	for i := range drivers {
		names[i] = drivers[i].name
	}
	return names
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

// settings are the keys that every connection has.
func (c *ConnectionConfig) settings() []setting {
	return []setting{
		{"id", func(v value) { c.readID(v) }},
		{"driver", scalar(&c.Driver, oneOf(driverNames()...))},
		{"pace", scalar(&c.Pace, pace)},
		{"oauth", func(v value) { c.readOAuth(v) }},
	}
}

// readOwn reads the settings of the driver among the entries, adds them to
// present, and records a problem for each entry that is none. A sandbox leaves
// the settings of other drivers alone, so that one word switches a real
// connection to it and back.
func (c *ConnectionConfig) readOwn(d *driver, entries []entry, present map[string]value) {
	c.Settings = d.settings()
	own := c.Settings.keys()
	for _, e := range entries {
		switch i := slices.IndexFunc(own, func(s setting) bool { return s.key == e.name }); {
		case i >= 0:
			present[e.name] = e.value
			own[i].read(e.value)
		case d.name == sandboxDriver.name && isOfSomeDriver(e.name):
		case isOfSomeDriver(e.name):
			e.value.problem(post.Problem{Want: "no setting of driver " + d.name, Hint: "it takes " + strings.Join(settingNames(own), ", ")})
		default:
			e.key.problem(post.Problem{Want: "no such setting", Hint: suggest(e.name, append(settingNames(c.settings()), settingNames(own)...))})
		}
	}
}

// isOfSomeDriver reports whether some driver has a setting of that name.
func isOfSomeDriver(name string) bool {
	for i := range drivers {
		if slices.Contains(settingNames(drivers[i].settings().keys()), name) {
			return true
		}
	}
	return false
}

// advisedPace stands for what is advised for the platform, until that is known.
const advisedPace = time.Duration(-1)

// pace reads the least time between two posts.
var pace = func() parser[time.Duration] {
	p := length(0, day)
	parse := p.parse
	p.want += ", or advised"
	p.parse = func(text string) (time.Duration, string, bool) {
		if text == "advised" {
			return advisedPace, "", true
		}
		return parse(text)
	}
	return p
}()

// plainText reads any text but the empty one.
func plainText(want string) parser[string] {
	return parser[string]{want: want, parse: func(text string) (string, string, bool) { return text, "", text != "" }}
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
	present, others := v.someSettings(c.settings())
	if v.kind() != "a map" {
		return c, false
	}
	d := c.driver()
	if d != nil {
		c.readOwn(d, others, present)
	}
	id, named := present["id"]
	switch {
	case !named:
		v.problem(post.Problem{Want: "id: which connection this is, like mastodon-acme"})
	case post.HasErrors(v.d.problems[before:]):
	case d == nil:
		id.problem(post.Problem{
			Got: string(c.ID), Want: fmt.Sprintf("a driver: this build has none for %s", c.ID.Platform()),
			Hint: "add driver: one of " + strings.Join(driverNames(), ", "),
		})
	case d.only != "" && c.ID.Platform() != d.only:
		present["driver"].problem(post.Problem{Got: d.name, Want: fmt.Sprintf("a driver for %s: %s serves %s connections only", c.ID.Platform(), d.name, d.only), Hint: "sandbox, webhook and postpost serve all"})
	default:
		c.Driver = d.name
		if rate := limits.RateOf(c.ID.Platform()); c.Pace == advisedPace {
			if c.Pace = rate.Gap(); c.Pace == 0 {
				present["pace"].problem(post.Problem{Got: "advised", Want: fmt.Sprintf("a length of time: nothing is advised for %s", c.ID.Platform()), Hint: "write it like 5m"})
			}
		}
		v.checkDriver(d, &c, present)
	}
	return c, !post.HasErrors(v.d.problems[before:])
}

// checkDriver records what the driver misses, and what it says of the rest.
func (v value) checkDriver(d *driver, c *ConnectionConfig, present map[string]value) {
	unfit := false
	_, canLogIn := oauth.ProviderOf(c.ID.Platform())
	for _, key := range d.needs {
		if _, ok := present[key]; ok || key == "token" && c.OAuth != nil {
			continue
		}
		want, hint := key, "to try it without, add driver: sandbox"
		if key == "token" && canLogIn {
			want, hint = "token or oauth", "oauth: {client_id: …, client_secret: …} is to log in with; "+hint
		}
		v.problem(post.Problem{Got: string(c.ID), Want: fmt.Sprintf("%s, which driver %s needs", want, d.name), Hint: hint})
		unfit = true
	}
	if token, ok := present["token"]; ok && c.OAuth != nil {
		token.problem(post.Problem{Want: "a token or oauth, not both", Hint: "take one of them away"})
		unfit = true
	}
	if unfit || d.opens {
		return
	}
	at := site{}
	if c.OAuth != nil {
		at.login = publish.FixedToken(func() string { return "" }) // there is one, whatever it will give
	}
	_, err := c.Settings.publisher(c.ID, at)
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
