package main

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/importer"
	"github.com/postroom/postroom/post"
)

func TestDefaultsMergeFromTheRootToTheFolder(t *testing.T) {
	t.Parallel()
	room := t.TempDir()
	inbox, account, folder := filepath.Join(room, "inbox"), filepath.Join(room, "inbox", "acme"), filepath.Join(room, "inbox", "acme", "approval")
	writeText(t, filepath.Join(inbox, defaultsName), "timezone: Europe/Berlin\ndate_order: dmy\nremoved: cancel\nplatforms: [twitter]\nstagger: {gap: 10m, per_minute: 3}\n")
	writeText(t, filepath.Join(folder, defaultsName), "status: draft\nremoved: keep\nplatforms: [linkedin, mastodon-acme]\nstagger: {gap: 1m}\nall_events_are_posts: true\n")
	d, err := loadDefaults(inbox, account, folder) // account has none, and is not even there
	if err != nil {
		t.Fatal(err)
	}
	if d.Timezone.String() != "Europe/Berlin" || d.DateOrder != "dmy" || d.Status != post.StatusDraft || d.CancelRemoved || !d.Calendar.AllEvents {
		t.Errorf("got %+v", d)
	}
	if *d.Stagger.Gap != time.Minute || *d.Stagger.PerMinute != 3 || *d.Stagger.Keep {
		t.Errorf("stagger: got %+v", d.Stagger)
	}
	got, err := d.Platforms(post.NewDirectory([]post.ConnectionID{"linkedin-1", "mastodon-acme", "mastodon-2"}))
	if err != nil || !reflect.DeepEqual(got, []post.ConnectionID{"linkedin-1", "mastodon-acme"}) {
		t.Errorf("platforms: got %v, %v", got, err)
	}
}

func TestNoDefaultsSayNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, text := range []string{"", "# nothing\n"} {
		writeText(t, filepath.Join(dir, defaultsName), text)
		d, err := loadDefaults(t.TempDir(), dir)
		if err != nil || !reflect.DeepEqual(d, Defaults{}) {
			t.Errorf("%q: got %+v, %v", text, d, err)
		}
	}
	if got, err := (&Defaults{}).Platforms(post.NewDirectory(nil)); got != nil || err != nil {
		t.Errorf("platforms: got %v, %v", got, err)
	}
}

func TestProfilesNameConnectionsAsOtherToolsDo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeText(t, filepath.Join(dir, defaultsName), "profiles:\n  Acme Inc. (Page): linkedin\n  123456: [twitter-2, bluesky]\n")
	d, err := loadDefaults(dir)
	if err != nil {
		t.Fatal(err)
	}
	directory := post.NewDirectory([]post.ConnectionID{"linkedin-1", "twitter-1", "twitter-2", "bluesky-1"})
	got, err := d.Profiles(directory)
	if want := (importer.Profiles{"acme inc. (page)": {"linkedin-1"}, "123456": {"twitter-2", "bluesky-1"}}); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v", got, err)
	}

	writeText(t, filepath.Join(dir, defaultsName), "profiles:\n  Acme: twiter\n")
	if d, err = loadDefaults(dir); err != nil {
		t.Fatal(err)
	}
	var all *ConfigError
	if _, err := d.Profiles(directory); !errors.As(err, &all) || all.Problems[0].Line != 2 || !strings.Contains(all.Problems[0].Hint, "twitter") {
		t.Errorf("got %v", err)
	}
}

func TestPlatformsInOneText(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeText(t, filepath.Join(dir, defaultsName), "platforms: twitter; linkedin ,bluesky;\n")
	d, err := loadDefaults(dir)
	if err != nil {
		t.Fatal(err)
	}
	got, err := d.Platforms(post.NewDirectory([]post.ConnectionID{"bluesky-1", "linkedin-1", "twitter-1"}))
	if err != nil || !reflect.DeepEqual(got, []post.ConnectionID{"twitter-1", "linkedin-1", "bluesky-1"}) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestEveryMistakeInDefaultsIsSaid(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeText(t, filepath.Join(dir, defaultsName), "platform: twitter\nstatus: drafts\nremoved: delete\ntimezone: Berlin\ndate_order: american\nall_events_are_posts: 2\nstagger: on\n")
	_, err := loadDefaults(dir)
	var all *ConfigError
	if !errors.As(err, &all) || len(all.Problems) != 7 {
		t.Fatalf("got %v", err)
	}
	for i, want := range []string{"did you mean platforms?", "did you mean draft?", "keep or cancel", "did you mean Europe/Berlin?", "dmy, mdy, ymd", "true or false", "off, or a map"} {
		p := all.Problems[i]
		if !strings.Contains(p.String(), want) || p.Line != i+1 || p.Column == 0 || !strings.HasSuffix(p.File, defaultsName) {
			t.Errorf("got %s, want %q in line %d", p, want, i+1)
		}
	}
}

func TestUnknownDefaultPlatformIsNamedWithItsPlace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeText(t, filepath.Join(dir, defaultsName), "# where to\nplatforms:\n  - linkdin\n  - twitter\n")
	d, err := loadDefaults(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.Platforms(post.NewDirectory([]post.ConnectionID{"linkedin-1"}))
	var all *ConfigError
	if !errors.As(err, &all) || len(all.Problems) != 2 {
		t.Fatalf("got %v", err)
	}
	if p := all.Problems[0]; p.Line != 3 || p.Column != 5 || p.Got != "linkdin" || !strings.Contains(p.Hint, "linkedin") {
		t.Errorf("got %+v", p)
	}
}

// Whoever may drop a file must not be able to read the daemon's environment or
// its files through it.
func TestP8DefaultsReadNoEnvironment(t *testing.T) {
	t.Setenv("POSTROOM_TEST_SECRET", configCanary)
	dir := t.TempDir()
	writeText(t, filepath.Join(dir, defaultsName), "timezone: ${POSTROOM_TEST_SECRET}\nplatforms: [\"${POSTROOM_TEST_SECRET}\"]\nstatus: \"file:/etc/hostname\"\n")
	_, err := loadDefaults(dir)
	if err == nil || strings.Contains(err.Error(), configCanary) || !strings.Contains(err.Error(), "${POSTROOM_TEST_SECRET}") {
		t.Errorf("got %v", err)
	}
}

func TestDefaultsMustBeASmallFileOfTheFolder(t *testing.T) {
	t.Parallel()
	outside := filepath.Join(t.TempDir(), "outside.yaml")
	writeText(t, outside, "status: draft\n")
	for name, lay := range map[string]func(path string) error{
		"a folder":               func(path string) error { return os.Mkdir(path, 0o755) },
		"a link out of the room": func(path string) error { return os.Symlink(outside, path) },
		"too large":              func(path string) error { return os.WriteFile(path, make([]byte, maxDefaults+1), 0o644) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := lay(filepath.Join(dir, defaultsName)); err != nil {
				t.Skip(err)
			}
			if d, err := loadDefaults(dir); err == nil {
				t.Errorf("got %+v, want an error", d)
			}
		})
	}
}
