package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postroom/postroom/post"
)

// program builds postroom once for all tests.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "postroom-integration-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "postroom")
	build := exec.Command("go", "build", "-pgo=off", "-o", path, "../../cmd/postroom")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return path, nil
})

// A room is a post room of one account with one connection.
type room struct {
	dir    string
	env    []string // the secrets that its config names
	daemon *exec.Cmd
	log    bytes.Buffer
}

// newRoom lays a room out. connection is the YAML of the one connection's entry,
// in braces; env holds NAME=secret of what it names.
func newRoom(t *testing.T, connection string, env ...string) *room {
	t.Helper()
	r := &room{dir: t.TempDir(), env: env}
	config := "timezone: UTC\ninbox: {settle: 1s}\nlog: {level: debug}\naccounts:\n  acme:\n    past: {reset_within: 24h}\n    stagger: {gap: 0s, per_minute: 100}\n    connections:\n      - " + connection + "\n"
	if err := os.WriteFile(filepath.Join(r.dir, "postroom.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.stop(os.Interrupt)
		if t.Failed() {
			t.Logf("the daemon said:\n%s", &r.log)
		}
	})
	return r
}

func (r *room) start(t *testing.T) {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	r.daemon = exec.Command(path, "--room", r.dir, "run")
	r.daemon.Env = append(os.Environ(), r.env...)
	r.daemon.Stdout, r.daemon.Stderr = &r.log, &r.log
	if err := r.daemon.Start(); err != nil {
		t.Fatal(err)
	}
}

// stop ends the daemon by a signal, os.Kill for one that it cannot catch.
func (r *room) stop(with os.Signal) {
	if r.daemon == nil {
		return
	}
	r.daemon.Process.Signal(with)
	r.daemon.Wait()
	r.daemon = nil
}

// drop puts files into the inbox, the calendar last.
func (r *room) drop(t *testing.T, calendar string, beside map[string][]byte) {
	t.Helper()
	inbox := filepath.Join(r.dir, "inbox", "acme")
	if err := os.MkdirAll(inbox, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range beside {
		if err := os.WriteFile(filepath.Join(inbox, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(inbox, "plan.csv"), []byte(calendar), 0o644); err != nil {
		t.Fatal(err)
	}
}

// A published is what the report says of one platform post.
type published struct {
	Status  post.Status   `json:"status"`
	Receipt *post.Receipt `json:"receipt"`
	Problem *post.Outcome `json:"problem"`
}

// settled waits until the report says of each row what became of it, and returns
// that in the order of the rows.
func (r *room) settled(t *testing.T, rows int) []published {
	t.Helper()
	path := filepath.Join(r.dir, "reports", "acme", "plan.csv.report.json")
	var last []byte
	poll := time.NewTicker(250 * time.Millisecond)
	defer poll.Stop()
	for range 4 * 60 * 8 {
		<-poll.C
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		last = text
		var report struct {
			Rows []struct {
				Decision string      `json:"decision"`
				Posts    []published `json:"posts"`
			} `json:"rows"`
		}
		if err := json.Unmarshal(text, &report); err != nil {
			continue // another is on its way
		}
		var all []published
		for _, row := range report.Rows {
			if row.Decision != "accepted" {
				t.Fatalf("a row was not accepted: %s", text)
			}
			all = append(all, row.Posts...)
		}
		if len(all) == rows && !slices.ContainsFunc(all, func(p published) bool {
			return !slices.Contains([]post.Status{post.StatusPublished, post.StatusFailed, post.StatusUnknown}, p.Status)
		}) {
			return all
		}
	}
	t.Fatalf("not settled: %s", last)
	return nil
}

// calendar writes rows of content and media for one connection, all due now.
func calendar(connection string, rows ...[2]string) string {
	var b strings.Builder
	b.WriteString("content,platforms,scheduled_time,media,alt_text\n")
	now := time.Now().UTC().Format("2006-01-02T15:04:05Z")
	for _, row := range rows {
		alt := ""
		if row[1] != "" {
			alt = "a square of one colour"
		}
		fmt.Fprintf(&b, "\"%s\",%s,%s,%s,%s\n", strings.ReplaceAll(row[0], `"`, `""`), connection, now, row[1], alt)
	}
	return b.String()
}

// picture returns a PNG of one colour.
func picture(t *testing.T, side int) []byte {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, side, side))
	for i := range side * side {
		m.Set(i%side, i/side, color.RGBA{R: 200, G: 60, B: 20, A: 255})
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
