package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/api"
	"github.com/postroom/postroom/post"
)

// programs returns the blocks of code in README's section on the API.
func programs(t *testing.T) map[string]string {
	t.Helper()
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(b), "## A week of content")
	section, _, _ = strings.Cut(section, "\n## ")
	found := map[string]string{}
	for _, m := range regexp.MustCompile("(?s)```(\\w+)\n(.*?)```").FindAllStringSubmatch(section, -1) {
		if !strings.Contains(m[2], "keys new") {
			found[m[1]] = m[2]
		}
	}
	return found
}

func TestTheWeekInTheREADMERunsAsItStands(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("the README's programs are for a Unix shell")
	}
	found := programs(t)
	if n := strings.Count(found["python"], "\n"); n > 11 {
		t.Errorf("the ten-line script has %d lines", n)
	}
	for _, c := range []struct{ name, program string }{{"sh", "curl"}, {"python", "python3"}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath(c.program); err != nil {
				t.Skipf("this machine has no %s", c.program)
			}
			if c.program == "python3" && exec.Command("python3", "-c", "import datetime; datetime.UTC").Run() != nil {
				t.Skip("python3 is older than 3.11")
			}
			if c.name == "sh" && exec.Command("date", "-u", "-d", "+1 days").Run() != nil {
				t.Skip("date knows no -d")
			}
			s := serveRoom(t, twoSandboxes)
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "week.txt"), []byte("One\nTwo\nThree\nFour\nFive\nSix\nSeven\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			for range 2 { // run twice, it takes effect once
				shell := map[string]string{"sh": "sh", "python": "python3"}[c.name]
				cmd := exec.CommandContext(t.Context(), shell, "-c", found[c.name])
				cmd.Dir = dir
				cmd.Env = append(os.Environ(), "POSTROOM_URL="+s.URL+api.Prefix, "POSTROOM_KEY="+s.key, "no_proxy=127.0.0.1")
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
			}
			groups, _, err := s.store.Groups(t.Context(), post.Filter{Account: "acme"}, "", 100)
			if err != nil || len(groups) != 7 {
				t.Fatalf("%d groups are stored (%v), want 7", len(groups), err)
			}
			for i, g := range groups {
				want := time.Now().UTC().AddDate(0, 0, 7-i).Format("2006-01-02") + "T10:00:00Z"
				if len(g.Posts) != 2 || g.Status() != post.StatusScheduled || g.ScheduledAt.Format(time.RFC3339) != want {
					t.Errorf("%s is %s at %s on %d connections, want two at %s", g.Text, g.Status(), g.ScheduledAt, len(g.Posts), want)
				}
			}
		})
	}
}
