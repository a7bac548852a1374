package main

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/samples"
)

var testInit = initOptions{Now: samples.Reference, Zone: "Europe/Berlin"}

func TestInitLaysOutARoomThatLoads(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "room")
	made, err := initRoom(dir, testInit)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range roomFolders {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || !info.IsDir() {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range made {
		if _, err := os.Lstat(filepath.Join(dir, name)); err != nil {
			t.Errorf("said to be made: %v", err)
		}
	}
	c, warnings, err := LoadConfig(filepath.Join(dir, configName), testEnv())
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	if c.Timezone.String() != "Europe/Berlin" || len(c.Accounts) != 2 || c.Accounts[0].Plan.Key != "pro" || c.Accounts[1].Plan.Key != "starter" {
		t.Errorf("got %+v", c)
	}
	for _, a := range c.Accounts {
		for _, conn := range a.Connections {
			if conn.Driver != "sandbox" {
				t.Errorf("%s publishes for real", conn.ID)
			}
		}
	}
	accounts := map[string]bool{}
	for _, a := range c.Accounts {
		accounts[string(a.ID)] = true
	}
	for _, s := range samples.All() {
		want, err := s.Render(testInit.Now, c.Timezone)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(dir, "inbox", s.Account, s.Name))
		if err != nil || string(got) != string(want) {
			t.Errorf("%s: %v, or not as rendered", s.Name, err)
		}
		if !accounts[s.Account] {
			t.Errorf("%s: no account %s", s.Name, s.Account)
		}
		if d, err := loadDefaults(filepath.Join(dir, "inbox", s.Account)); err != nil || !reflect.DeepEqual(d, Defaults{}) {
			t.Errorf("defaults of %s: got %+v, %v", s.Account, d, err)
		}
	}
	if left, err := os.ReadDir(filepath.Join(dir, "inbox", "tmp")); err != nil || len(left) > 0 {
		t.Errorf("left in inbox/tmp: %v, %v", left, err)
	}
}

func TestP8InitKeepsConfigAndStoreToTheOwner(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("no file modes here")
	}
	dir := t.TempDir()
	if _, err := initRoom(dir, testInit); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{configName, "data"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: mode %v, %v", name, info.Mode(), err)
		}
	}
}

func TestInitOverwritesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := initRoom(dir, testInit); err != nil {
		t.Fatal(err)
	}
	// Somebody works in the room: files are taken, the config is changed.
	if err := os.Remove(filepath.Join(dir, "inbox", "acme", "spring-launch.csv")); err != nil {
		t.Fatal(err)
	}
	writeText(t, filepath.Join(dir, configName), "mine")
	writeText(t, filepath.Join(dir, ".gitignore"), "mine")
	if err := os.Remove(filepath.Join(dir, "outbox")); err != nil {
		t.Fatal(err)
	}
	before := tree(t, dir)
	made, err := initRoom(dir, initOptions{Now: testInit.Now.AddDate(0, 0, 1), Zone: "UTC"})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"outbox" + string(filepath.Separator)}; !reflect.DeepEqual(made, want) {
		t.Errorf("made %v, want %v", made, want)
	}
	before["outbox"] = ""
	if after := tree(t, dir); !maps.Equal(before, after) {
		t.Errorf("got %v, want %v", after, before)
	}
}

func TestInitIntoAFileIsAnError(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	writeText(t, file, "")
	if made, err := initRoom(file, testInit); err == nil {
		t.Errorf("made %v, want an error", made)
	}
}

// option matches a line of a template that is a setting not in use.
var option = regexp.MustCompile(`(?m)^( *)#(\S|  +\S)`)

func uncommented(t *testing.T, name string) string {
	t.Helper()
	text, err := roomTemplates.ReadFile("initroom/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return option.ReplaceAllString(strings.ReplaceAll(string(text), "{{.Zone}}", "UTC"), "$1$2")
}

// The commented files are the documentation of the config: each key stands in
// them, and what stands there is right.
func TestTemplatesShowEverySettingAndItsDefault(t *testing.T) {
	t.Parallel()
	env := testEnv("ACME_CALENDAR_KEY", "k", "HEARTBEAT_URL", "https://example.org/ping", "MASTER_KEY", strings.Repeat("ab", 32), "APP_SECRET", "app-secret", "MASTODON_TOKEN", "token", "HOOK_URL", "https://example.org/hook", "HOOK_SECRET", "012345678901234567890123")
	for _, c := range []struct {
		name string
		env  func(string) (string, bool)
		read func(value)
	}{
		{"postroom.yaml", env, func(v value) {
			c := DefaultConfig()
			c.read(v)
			want := DefaultConfig()
			if c.Inbox != want.Inbox || c.Dispatch != want.Dispatch || c.Log != want.Log || c.ListenOpenly != want.ListenOpenly {
				t.Errorf("shown as defaults: %+v %+v %+v, want %+v %+v %+v", c.Inbox, c.Dispatch, c.Log, want.Inbox, want.Dispatch, want.Log)
			}
			a, plain := c.Accounts[0], defaultAccount("acme")
			if a.LateGrace != plain.LateGrace || a.ResetWithin != plain.ResetWithin || a.Rules(StaggerConfig{}) != plain.Rules(StaggerConfig{}) {
				t.Errorf("shown as defaults: %+v, want %+v", a, plain)
			}
		}},
		{"defaults.yaml", nil, func(v value) { new(Defaults).read(v) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := newDecoder(c.name, c.env)
			known, shown := map[string]bool{}, map[string]bool{}
			d.seen = func(path string, keys []string) {
				for _, k := range keys {
					known[k] = true
				}
			}
			// The plan stands there in both its forms, which is one too many.
			text := strings.Replace(uncommented(t, c.name), "    plan: pro\n", "", 1)
			root, ok := d.parse([]byte(text))
			if ok {
				c.read(root)
			}
			for _, p := range d.sorted() {
				if p.Severity == post.SeverityError {
					t.Error(p)
				}
			}
			for _, m := range regexp.MustCompile(`[\s{]([a-z_]+):`).FindAllStringSubmatch("\n"+text, -1) {
				shown[m[1]] = true
			}
			for _, k := range slices.Sorted(maps.Keys(known)) {
				if !shown[k] {
					t.Errorf("%s is not shown", k)
				}
			}
			if len(known) < 7 {
				t.Errorf("only %v was read", known)
			}
		})
	}
}

func TestMachineZoneIsOneThatLoads(t *testing.T) {
	t.Parallel()
	for tz, want := range map[string]string{"Europe/Berlin": "Europe/Berlin", ":America/New_York": "America/New_York", "No/Where": "UTC", "CET-1CEST": "UTC"} {
		if got := machineZone(testEnv("TZ", tz)); got != want {
			t.Errorf("TZ=%s: got %s, want %s", tz, got, want)
		}
	}
	if _, _, ok := zoneName.parse(machineZone(testEnv())); !ok {
		t.Errorf("got %s", machineZone(testEnv()))
	}
}

// tree returns the files below dir with their content, and the folders with "".
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		var text []byte
		if !e.IsDir() {
			text, err = os.ReadFile(path)
		}
		all[filepath.ToSlash(name)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
