package main

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http/httptest"
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

// served is a room with an HTTP API on loopback, and a key to it.
type served struct {
	*room
	*httptest.Server
	key string
}

// serveRoom opens a room with that config and serves all that a daemon serves.
func serveRoom(t *testing.T, config string) *served {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, configName), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := openRoom(t.Context(), dir, roomOptions{env: os.LookupEnv, log: slog.New(slog.DiscardHandler), who: "test"})
	if err != nil {
		t.Fatal(err)
	}
	d := newDaemon(r)
	srv := httptest.NewServer(d.handler())
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.api.Run(ctx) }()
	t.Cleanup(func() {
		srv.Close()
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := r.close(); err != nil {
			t.Error(err)
		}
	})
	key, stored, err := api.NewKey(time.Now(), "acme", "test")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.store.AddAPIKey(t.Context(), stored, api.MostKeys); err != nil {
		t.Fatal(err)
	}
	return &served{r, srv, key}
}

const twoSandboxes = `timezone: UTC
accounts:
  acme:
    connections:
      - {id: mastodon-acme, driver: sandbox}
      - {id: linkedin-ABC123, driver: sandbox}
`

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

// ask sends a request to a served room.
func (s *served) ask(t *testing.T, method, path, body string, header ...string) (status int, answer string) {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	req.RequestURI = ""
	req.Header.Set("x-api-key", s.key)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestAFileThroughTheAPIIsTakenLikeOneInTheInbox(t *testing.T) {
	t.Parallel()
	s := serveRoom(t, twoSandboxes)
	month := time.Now().UTC().AddDate(0, 2, 0).Format("2006-01")
	csv := "content,platforms,scheduled_time\nOne,mastodon-acme," + month + "-01T09:00:00Z\nTwo,nobody," + month + "-02T09:00:00Z\n"
	job := func(query string) map[string]any {
		status, body := s.ask(t, "POST", "/api/v1/bulk/import"+query, csv, "Content-Type", "text/csv")
		if status != 202 {
			t.Fatalf("got %d %s", status, body)
		}
		for {
			var got struct{ Job map[string]any }
			if err := json.Unmarshal([]byte(body), &got); err != nil {
				t.Fatal(err)
			}
			if s := got.Job["status"]; s == "finished" || s == "failed" {
				return got.Job
			}
			_, body = s.ask(t, "GET", "/api/v1/bulk/jobs/"+got.Job["_id"].(string), "")
		}
	}
	dry := job("?name=plan.csv&dry_run=true")
	if c, _ := dry["counts"].(map[string]any); dry["outcome"] != "taken" || c["accepted"] != 1.0 || c["rejected"] != 1.0 {
		t.Errorf("a dry run: %v", dry)
	}
	if groups, _, err := s.store.Groups(t.Context(), post.Filter{}, "", 10); err != nil || len(groups) != 0 {
		t.Errorf("a dry run stored %d groups, %v", len(groups), err)
	}
	done := job("?name=plan.csv")
	if done["outcome"] != "taken" {
		t.Errorf("job %v", done)
	}
	if _, body := s.ask(t, "GET", "/api/v1/bulk/jobs/"+done["_id"].(string)+"/results.csv", ""); !strings.Contains(body, "rejected") || !strings.Contains(body, "accepted") {
		t.Errorf("results:\n%s", body)
	}
	if again := job("?name=plan.csv"); again["outcome"] != "duplicate" {
		t.Errorf("the same file again: %v", again)
	}
	if _, body := s.ask(t, "GET", "/api/v1/list-posts", ""); !strings.Contains(body, `"totalItems":1`) {
		t.Errorf("listed: %s", body)
	}
	kept, err := filepath.Glob(filepath.Join(s.dir, "archive", "acme", "*", "plan.csv"))
	if err != nil || len(kept) != 1 {
		t.Errorf("in the archive: %v, %v", kept, err)
	}
}
