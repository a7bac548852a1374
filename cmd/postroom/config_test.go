package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/internal/walltime"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
	"github.com/postroom/postroom/publish/sandbox"
	"github.com/postroom/postroom/scheduler"
)

var updateConfig = flag.Bool("update-config", false, "write the expected problems of testdata/config anew")

const configCanary = "canary-7f3a9c"

// testEnv is an environment for tests.
func testEnv(pairs ...string) func(string) (string, bool) {
	m := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return func(name string) (string, bool) { v, ok := m[name]; return v, ok }
}

// loadText writes a config of that mode and loads it.
func loadText(t *testing.T, text string, mode os.FileMode, env func(string) (string, bool)) (Config, []post.Problem, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), configName)
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return LoadConfig(path, env)
}

// mustLoad loads a config without problems.
func mustLoad(t *testing.T, text string, pairs ...string) Config {
	t.Helper()
	c, warnings, err := loadText(t, text, 0o600, testEnv(pairs...))
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range warnings {
		t.Error(w)
	}
	return c
}

// Every problem of a file is said at once, with its place and the next step.
func TestHostileConfigs(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/config/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			copied := filepath.Join(t.TempDir(), filepath.Base(path)) // a checkout may have any mode
			if err := os.WriteFile(copied, text, 0o600); err != nil {
				t.Fatal(err)
			}
			_, warnings, err := LoadConfig(copied, testEnv("TOKEN", configCanary, "ZONE", "Mars/Base", "PLAN", "pro", "ID", "a b"))
			var got strings.Builder
			fmt.Fprintln(&got, err)
			for _, w := range warnings {
				fmt.Fprintln(&got, w)
			}
			said := strings.ReplaceAll(got.String(), filepath.Dir(copied)+string(filepath.Separator), "")
			if err == nil {
				t.Error("want an error")
			}
			if strings.Contains(said, configCanary) {
				t.Errorf("P8: a secret is shown:\n%s", said)
			}
			want := strings.TrimSuffix(path, ".yaml") + ".want"
			if *updateConfig {
				if err := os.WriteFile(want, []byte(said), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			expected, err := os.ReadFile(want)
			if err != nil {
				t.Fatal(err)
			}
			if said != string(expected) {
				t.Errorf("got:\n%s\nwant:\n%s", said, expected)
			}
		})
	}
}

func TestConfigOfTheDesign(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, `
timezone: Europe/Berlin
listen: 127.0.0.1:8080
accounts:
  acme:
    plan: pro                    # starter, pro, premium, unlimited, or a map of limits
    connections:
      - {id: mastodon-acme, server: https://mastodon.social, token: "${MASTODON_TOKEN}"}
      - {id: twitter-123456, driver: sandbox}
    stagger: {gap: 5m, per_minute: 10, max_shift: 4h}
    late: {grace: 2h}
    past: {reset_within: 24h}
`, "MASTODON_TOKEN", configCanary)
	if c.Timezone.String() != "Europe/Berlin" || c.Listen != "127.0.0.1:8080" || len(c.Accounts) != 1 {
		t.Fatalf("got %+v", c)
	}
	a := c.Accounts[0]
	if a.ID != "acme" || a.Plan.Key != "pro" || a.Timezone != c.Timezone || a.LateGrace != 2*time.Hour {
		t.Errorf("got %+v", a)
	}
	if got := a.ConnectionIDs(); !reflect.DeepEqual(got, []post.ConnectionID{"mastodon-acme", "twitter-123456"}) {
		t.Errorf("connections: got %v", got)
	}
	m, s := a.Connections[0], a.Connections[1]
	if own, ok := m.Settings.(*mastodonSettings); !ok || m.Driver != "mastodon" || own.Token.Reveal() != configCanary || own.Server != "https://mastodon.social" {
		t.Errorf("got %+v", m)
	}
	if s.Driver != "sandbox" {
		t.Errorf("got %+v", s)
	}
	if got, want := a.Rules(StaggerConfig{}), scheduler.DefaultRules(); got != want {
		t.Errorf("rules: got %+v, want %+v", got, want)
	}
	if text := fmt.Sprintf("%v %+v %#v", c, c, c); strings.Contains(text, configCanary) {
		t.Error("P8: a printed config shows a token")
	}
}

func TestDefaultsHoldWhereNothingIsSaid(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, "accounts: {acme: {connections: [{id: mastodon-acme, driver: sandbox}]}}")
	a := c.Accounts[0]
	c.Accounts = nil
	if want := DefaultConfig(); !reflect.DeepEqual(c, want) {
		t.Errorf("got %+v, want %+v", c, want)
	}
	if a.Plan.Key != "unlimited" || a.Timezone != time.UTC || a.LateGrace != 2*time.Hour || a.Rules(StaggerConfig{}) != scheduler.DefaultRules() {
		t.Errorf("got %+v", a)
	}
}

func TestStagger(t *testing.T) {
	t.Parallel()
	rules := scheduler.DefaultRules()
	for _, c := range []struct {
		name, account, folder string
		want                  func(*scheduler.Rules)
	}{
		{"nothing said", "", "", func(*scheduler.Rules) {}},
		{"off", "stagger: off", "", func(r *scheduler.Rules) { r.Keep = true }},
		{"false is off", "stagger: false", "", func(r *scheduler.Rules) { r.Keep = true }},
		{"a map changes what it names", "stagger: {gap: 10m, per_minute: none}", "", func(r *scheduler.Rules) { r.Gap, r.PerMinute = 10*time.Minute, 0 }},
		{"a folder's map changes what it names", "stagger: {gap: 10m, max_shift: 1d}", "stagger: {gap: 1m}", func(r *scheduler.Rules) { r.Gap, r.MaxShift = time.Minute, 24*time.Hour }},
		{"a folder turns it off", "stagger: {gap: 10m}", "stagger: off", func(r *scheduler.Rules) { r.Gap, r.Keep = 10*time.Minute, true }},
		{"a folder turns it on", "stagger: off", "stagger: {across_platforms: 30m}", func(r *scheduler.Rules) { r.Across = 30 * time.Minute }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			config := mustLoad(t, "accounts:\n  acme:\n    connections: [{id: mastodon-a, driver: sandbox}]\n    "+c.account+"\n")
			dir := t.TempDir()
			writeText(t, filepath.Join(dir, defaultsName), c.folder)
			d, err := loadDefaults(dir)
			if err != nil {
				t.Fatal(err)
			}
			want := rules
			c.want(&want)
			if got := config.Accounts[0].Rules(d.Stagger); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

// CONTRACT §5.4: what is advised for an hour, spread over it.
func TestPaceMayBeWhatIsAdvised(t *testing.T) {
	t.Parallel()
	const text = "accounts: {acme: {connections: [{id: twitter-1, driver: sandbox, pace: advised}, {pace: advised, id: tiktok-1, driver: sandbox}, {id: mastodon-1, driver: sandbox, pace: 90s}]}}\n"
	conns := mustLoad(t, text).Accounts[0].Connections
	for i, want := range []time.Duration{6 * time.Minute, 30 * time.Minute, 90 * time.Second} {
		if got := conns[i].Pace; got != want {
			t.Errorf("%s: pace %s, want %s", conns[i].ID, got, want)
		}
	}
	for text, want := range map[string]string{
		"accounts: {acme: {connections: [{id: slack-1, driver: sandbox, pace: advised}]}}\n":   "nothing is advised for slack",
		"accounts: {acme: {connections: [{id: twitter-1, driver: sandbox, pace: adviced}]}}\n": "or advised",
	} {
		if _, _, err := loadText(t, text, 0o600, testEnv()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func TestCustomPlan(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, `
accounts:
  acme:
    plan: {base: starter, name: Gift, monthly: 50, horizon_days: none, excluded: [x, pinterest], per_connection: yes}
    connections: [{id: mastodon-a, driver: sandbox}]
`)
	p := c.Accounts[0].Plan
	if p.Name != "Gift" || *p.Monthly != 50 || *p.Active != 3 || p.HorizonDays != nil || !p.PerConnection || !reflect.DeepEqual(p.Excluded, []post.Platform{"twitter", "pinterest"}) {
		t.Errorf("got %+v", p)
	}
}

func TestSecretsComeFromEnvironmentFilesOrTheConfig(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"closed": 0o600, "open": 0o644} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(configCanary+"\n"), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name, token string
		mode        os.FileMode
		warns       string
	}{
		{"environment", "${TOKEN}", 0o644, ""},
		{"part of it from the environment", "canary-${REST}", 0o644, ""},
		{"file", "file:closed", 0o644, ""},
		{"absolute file", "file:" + filepath.Join(dir, "closed"), 0o644, ""},
		{"file below a folder from the environment", "file:${DIR}/closed", 0o644, ""},
		{"file that others can read", "file:open", 0o600, "chmod 600"},
		{"in a config of the owner alone", configCanary, 0o600, ""},
		{"in a config that the group can read", configCanary, 0o640, "can read (mode 0640)"},
		{"in a config that all can read", configCanary, 0o644, "can read (mode 0644)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if runtime.GOOS == "windows" && c.warns != "" {
				t.Skip("no file modes here")
			}
			own := filepath.Join(dir, strings.ReplaceAll(c.name, " ", "-")+".yaml")
			text := fmt.Sprintf("accounts: {acme: {connections: [{id: mastodon-a, server: https://example.org, token: %q}]}}", c.token)
			if err := os.WriteFile(own, []byte(text), c.mode); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(own, c.mode); err != nil {
				t.Fatal(err)
			}
			config, warnings, err := LoadConfig(own, testEnv("TOKEN", configCanary, "REST", "7f3a9c", "DIR", dir))
			if err != nil {
				t.Fatal(err)
			}
			if got := config.Accounts[0].Connections[0].Settings.(*mastodonSettings).Token.Reveal(); got != configCanary {
				t.Errorf("got %q", got)
			}
			said := fmt.Sprint(warnings)
			if c.warns == "" && len(warnings) > 0 || !strings.Contains(said, c.warns) || strings.Contains(said, configCanary) {
				t.Errorf("warnings: got %v, want %q", said, c.warns)
			}
		})
	}
}

// One word makes a real connection a rehearsal, without its credentials.
func TestSandboxLeavesTheSettingsOfOtherDriversAlone(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, `
accounts:
  acme:
    connections:
      - {id: mastodon-a, driver: sandbox, server: https://example.org, token: "${NOT_SET}", switch: lost, thread_numbering: never, wait: 2m}
`).Accounts[0].Connections[0]
	if own, ok := c.Settings.(*sandboxSettings); !ok || own.Switch != sandbox.Lost || own.Numbering != publish.NumberNever || own.Wait != 2*time.Minute {
		t.Errorf("got %+v", c)
	}
}

func TestMissingConfigNamesInit(t *testing.T) {
	t.Parallel()
	_, _, err := LoadConfig(filepath.Join(t.TempDir(), configName), testEnv())
	if err == nil || !strings.Contains(err.Error(), "postroom init") {
		t.Errorf("got %v", err)
	}
	if _, _, err := LoadConfig(t.TempDir(), testEnv()); err == nil || !strings.Contains(err.Error(), "a regular file") {
		t.Errorf("a folder: got %v", err)
	}
}

func TestEscapedDollar(t *testing.T) {
	t.Parallel()
	d := newDecoder("x", testEnv("A", "1", "B", "${A}"))
	for in, want := range map[string]string{
		"plain": "plain", "$": "$", "$A": "$A", "a${A}b${A}": "a1b1", "$${A}": "${A}", "$$${A}": "$${A}", "${B}": "${A}", "$${": "${",
	} {
		if got, ok := (value{d: d}).expand(in); !ok || got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	for _, in := range []string{"${", "${}", "${A", "${A B}", "${1A}", "${NOT_SET}"} {
		if got, ok := (value{d: d}).expand(in); ok {
			t.Errorf("%q: got %q, want a problem", in, got)
		}
	}
}

func TestLengths(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]time.Duration{
		"0": 0, "90s": 90 * time.Second, "5m": 5 * time.Minute, "1h30m": 90 * time.Minute, "7d": 7 * day, "1d12h": 36 * time.Hour, "1.5h": 90 * time.Minute,
	} {
		if got, ok := parseLength(in); !ok || got != want {
			t.Errorf("%q: got %v, %v, want %v", in, got, ok, want)
		}
	}
	for _, in := range []string{"", "d", "-1m", "-1d", "1.5d", "5", "5 m", "1d-1h", "99999d", "9999999h", "1w", "tomorrow"} {
		if got, ok := parseLength(in); ok {
			t.Errorf("%q: got %v, want an error", in, got)
		}
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	p := bytesSize(1, 1<<40)
	for in, want := range map[string]int64{
		"1": 1, "1_000": 1000, "1 GiB": 1 << 30, "1gib": 1 << 30, "200MB": 200_000_000, "64 KiB": 64 << 10, "1 TiB": 1 << 40, "7 B": 7,
	} {
		if got, _, ok := p.parse(in); !ok || got != want {
			t.Errorf("%q: got %d, %v, want %d", in, got, ok, want)
		}
	}
	for _, in := range []string{"", "0", "-1", "1 TB 2", "1.5 GiB", "2 TiB", "9223372036854775807 KiB", "1 X", "GiB"} {
		if got, _, ok := p.parse(in); ok {
			t.Errorf("%q: got %d, want an error", in, got)
		}
	}
}

func TestNearestZone(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"europe/berlin": "Europe/Berlin", "Berlin": "Europe/Berlin", "Europe/Berln": "Europe/Berlin", "new york": "America/New_York",
		"US/New_York": "America/New_York", "America/Mexico City": "America/Mexico_City", "tokio": "Asia/Tokyo", "+01:00": "", "Local": "", "": "",
	} {
		if got := nearestZone(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestEveryZoneThatIsSuggestedExists(t *testing.T) {
	t.Parallel()
	for _, name := range walltime.Names() {
		if _, err := time.LoadLocation(name); err != nil {
			t.Error(err)
		}
	}
}

// A config cannot make its reader crash or hang, every problem has a place to
// look at, and what loads keeps its own rules.
func FuzzConfig(f *testing.F) {
	files, err := filepath.Glob("testdata/config/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range append(files, "initroom/postroom.yaml") {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add("accounts: {a: {connections: [{id: mastodon-a, server: https://example.org, token: \"${TOKEN}\"}]}}")
	f.Fuzz(func(t *testing.T, text string) {
		// What stands in the file in the wrong place cannot be known for a secret;
		// what came from the environment can.
		text = strings.ReplaceAll(text, configCanary, "")
		d := newDecoder(configName, testEnv("TOKEN", configCanary, "ZONE", configCanary))
		c := DefaultConfig()
		root, ok := d.parse([]byte(text))
		if ok {
			c.read(root)
		}
		for _, p := range d.sorted() {
			said := p.String()
			if p.File == "" || p.Message() == "" {
				t.Errorf("without place or words: %+v", p)
			}
			if strings.Contains(said, configCanary) {
				t.Errorf("P8: a secret is shown: %s", said)
			}
		}
		if !ok && len(d.problems) == 0 {
			t.Error("not read, and nobody says why")
		}
		if !ok || post.HasErrors(d.problems) {
			return
		}
		for _, a := range c.Accounts {
			if badAccountID(string(a.ID)) != "" || a.Timezone == nil || len(a.Connections) == 0 {
				t.Errorf("accepted account %+v", a)
			}
			for _, conn := range a.Connections {
				if conn.ID.Check() != nil || conn.driver() == nil || conn.Driver == "" {
					t.Errorf("accepted connection %+v", conn)
				}
			}
		}
	})
}

func writeText(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
