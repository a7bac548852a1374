package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/postroom/postroom/internal/killat"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish/mastodon/mastodontest"
	"github.com/postroom/postroom/store"
)

// The sweeps stop the program at every call that changes the world, or make that
// call fail, start it again, and look at what the world saw (RELIABILITY §2.2).
// `make sweep` tries every call, `make test` a sample of them.

// builtBinary is the program as people run it.
var builtBinary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "postroom-sweep-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "postroom")
	cmd := exec.Command("go", "build", "-pgo=off", "-o", path, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return path, nil
})

// faults are what is done at each call.
var faults = []struct {
	name  string
	errno int
}{{"kill", 0}, {"EIO", int(syscall.EIO)}, {"ENOSPC", int(syscall.ENOSPC)}}

// A scenario prepares a folder, runs a command in it under the tracer, brings it
// back with an untouched run, and checks it.
type scenario struct {
	prepare func(t *testing.T, dir string) (env []string, check func(lastRun time.Time) error)
	cmd     func(dir string) []string
	recover int // untouched runs after the fault
}

// sweep runs a scenario once for every call, or a sample of them, and returns
// how many points it tried and the failures.
func (s scenario) sweep(t *testing.T, binary string, errno int) (points int, failures []string) {
	t.Helper()
	one := func(plan killat.Plan) (killat.Result, error) {
		dir := t.TempDir()
		env, check := s.prepare(t, dir)
		var out bytes.Buffer
		res, err := killat.Run(plan, append([]string{binary}, s.cmd(dir)...), env, dir, &out)
		if err != nil {
			return res, fmt.Errorf("trace: %w\n%s", err, out.String())
		}
		lastRun := time.Now()
		for i := range s.recover {
			lastRun = time.Now()
			cmd := exec.Command(binary, s.cmd(dir)...)
			cmd.Env = append(os.Environ(), env...)
			if said, err := cmd.CombinedOutput(); err != nil && i == s.recover-1 {
				return res, fmt.Errorf("the run after it: %w\n%s\nand before:\n%s", err, said, out.String())
			}
		}
		if err := check(lastRun); err != nil {
			return res, fmt.Errorf("%w\nthe traced run said:\n%s", err, out.String())
		}
		return res, os.RemoveAll(dir)
	}
	untouched, err := one(killat.Plan{})
	if err != nil {
		t.Fatalf("untouched: %v", err)
	}
	step := 1
	if os.Getenv("POSTROOM_SWEEP") != "full" {
		step = max(1, untouched.Calls/12)
	}
	for at := 1; at <= untouched.Calls+20; at += step {
		res, err := one(killat.Plan{At: at, Errno: errno})
		if err != nil {
			failures = append(failures, fmt.Sprintf("call %d (%s): %v", at, res.Hit, err))
			if len(failures) > 5 {
				break
			}
		}
		if points++; res.Hit == "" {
			break // it ended before that call
		}
	}
	return points, failures
}

// everyFault sweeps a scenario with each fault, and fails where it did.
func (s scenario) everyFault(t *testing.T, binary string) {
	t.Helper()
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			points, failures := s.sweep(t, binary, f.errno)
			t.Logf("%s at %d points: %d failures", f.name, points, len(failures))
			for _, f := range failures {
				t.Error(f)
			}
		})
	}
}

func needSweep(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("with -short: the program is built without the race detector anyway")
	}
	if !killat.Supported {
		t.Skip("stopping a program at a call works on linux on amd64 only")
	}
	binary, err := builtBinary()
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

const sweepConfig = `timezone: UTC
accounts:
  acme:
    plan: unlimited
    connections:
      - {id: mastodon-acme, server: "${SWEEP_SERVER}", token: "${SWEEP_TOKEN}"}
      - {id: mastodon-shop, server: "${SWEEP_SERVER}", token: "${SWEEP_TOKEN}"}
      - {id: twitter-1, driver: sandbox}
      - {id: linkedin-2, driver: sandbox}
dispatch: {lookup_grace: 1ms, call_timeout: 5s}
inbox: {settle: 1s}
`

func sweepRoom(t *testing.T, dir string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, configName), []byte(sweepConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, f := range roomFolders {
		if err := os.MkdirAll(filepath.Join(dir, f), 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// sweepPlatform is a server that ignores idempotency keys and keeps a ledger.
func sweepPlatform(t *testing.T) (*mastodontest.Server, []string) {
	t.Helper()
	s := mastodontest.New()
	s.Forgetful = true
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	return s, []string{"SWEEP_SERVER=" + srv.URL, "SWEEP_TOKEN=a-token-for-the-sweep"}
}

// A sweptFile is a file to import, with what must come of it: 32 rows, of which 30
// are accepted on two connections, one is held and one rejected.
type sweptFile struct {
	name  string
	text  []byte
	lines map[string]int // of the report, by the line of the row
}

// sweptCSV is a calendar of rows.
func sweptCSV(now time.Time) sweptFile {
	f := sweptFile{name: "week.csv", lines: map[string]int{"32": 1, "33": 1}}
	later := now.Add(48 * time.Hour).UTC().Truncate(time.Minute)
	f.text = append(f.text, "content,platforms,scheduled_time\n"...)
	for i := range 30 {
		f.lines[fmt.Sprint(i+2)] = 2
		f.text = fmt.Appendf(f.text, "row number %d,twitter-1;linkedin-2,%s\n", i+1, later.Add(time.Duration(i)*time.Hour).Format("2006-01-02T15:04:05Z"))
	}
	f.text = fmt.Appendf(f.text, "bad platform,twiter-9,%s\n", later.Format("2006-01-02T15:04:05Z"))
	f.text = fmt.Appendf(f.text, "long past,twitter-1,2020-01-01T10:00:00Z\n")
	return f
}

// sweptZip is a calendar of rows in a ZIP, with the picture that they name.
func sweptZip(t *testing.T, now time.Time) sweptFile {
	t.Helper()
	f := sweptCSV(now)
	f.name = "week.zip"
	var table strings.Builder
	for line := range strings.Lines(string(f.text)) {
		media := ""
		switch {
		case strings.HasPrefix(line, "content,"):
			media = "media_url"
		case strings.HasPrefix(line, "row number"):
			media = "pics/square.png"
		}
		table.WriteString(strings.TrimSuffix(line, "\n") + "," + media + "\n")
	}
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 20, 20))); err != nil {
		t.Fatal(err)
	}
	f.text = zipOf(t, map[string][]byte{"week/week.csv": []byte(table.String()), "week/pics/square.png": picture.Bytes()})
	return f
}

// sweptICal is a calendar of events, the last five of them a series.
func sweptICal(now time.Time) sweptFile {
	f := sweptFile{name: "week.ics", lines: map[string]int{}}
	f.text = append(f.text, "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n"...)
	line := 3
	event := func(reports int, at time.Time, categories, summary, more string) {
		f.lines[fmt.Sprint(line)] = reports
		text := fmt.Sprintf("BEGIN:VEVENT\r\nUID:%s\r\nDTSTART:%s\r\nCATEGORIES:%s\r\nSUMMARY:%s\r\n%sEND:VEVENT\r\n", summary, at.UTC().Format("20060102T150405Z"), categories, summary, more)
		f.text = append(f.text, text...)
		line += strings.Count(text, "\n")
	}
	later := now.Add(48 * time.Hour).Truncate(time.Minute)
	for i := range 25 {
		event(2, later.Add(time.Duration(i)*time.Hour), "twitter-1,linkedin-2", fmt.Sprintf("event number %d", i+1), "")
	}
	event(10, later.Add(30*time.Minute), "twitter-1,linkedin-2", "each day", "RRULE:FREQ=DAILY;COUNT=5\r\n")
	event(1, later, "linkedn-2", "bad platform", "")
	event(1, now.Add(-2*time.Hour), "twitter-1", "over since two hours", "")
	f.text = append(f.text, "END:VCALENDAR\r\n"...)
	return f
}

// TestP5_SweepOverImport stops an import everywhere: afterwards the file is in
// whole and once, every row has its lines, and the original survives.
func TestP5_SweepOverImport(t *testing.T) { sweepImport(t, sweptCSV(time.Now()), 31) }

// TestP5_SweepOverCalendar does so with a calendar, whose series gives the same
// words five times.
func TestP5_SweepOverCalendar(t *testing.T) { sweepImport(t, sweptICal(time.Now()), 27) }

// TestP5_SweepOverZip does so with a ZIP that holds a calendar and its picture.
func TestP5_SweepOverZip(t *testing.T) { sweepImport(t, sweptZip(t, time.Now()), 31) }

func sweepImport(t *testing.T, file sweptFile, texts int) {
	binary := needSweep(t)
	s := scenario{
		recover: 2,
		cmd:     func(dir string) []string { return []string{"--room", dir, "run", "--once"} },
		prepare: func(t *testing.T, dir string) ([]string, func(time.Time) error) {
			sweepRoom(t, dir)
			path := filepath.Join(dir, "inbox", file.name)
			if err := os.WriteFile(path, file.text, 0o644); err != nil {
				t.Fatal(err)
			}
			old := time.Now().Add(-time.Hour)
			if err := os.Chtimes(path, old, old); err != nil {
				t.Fatal(err)
			}
			_, env := sweepPlatform(t)
			return env, func(time.Time) error { return checkImported(dir, file, texts) }
		},
	}
	s.everyFault(t, binary)
}

// checkImported looks at a room in which a file was taken.
func checkImported(dir string, file sweptFile, texts int) error {
	var found []string
	for _, sub := range []string{"inbox", "archive", "rejected", "held"} {
		err := filepath.WalkDir(filepath.Join(dir, sub), func(path string, e fs.DirEntry, err error) error {
			if err == nil && e.Type().IsRegular() && filepath.Base(path) == file.name {
				found = append(found, path)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	if len(found) != 1 || !strings.Contains(found[0], "archive") {
		return fmt.Errorf("P7: the original lies at %v, want once in archive", found)
	}
	if b, err := os.ReadFile(found[0]); err != nil || !bytes.Equal(b, file.text) {
		return fmt.Errorf("P7: the original changed (%v)", err)
	}
	st, err := store.Open(filepath.Join(dir, "data", storeName), store.Options{})
	if err != nil {
		return err
	}
	defer st.Close()
	ctx := context.Background()
	for _, err := range st.Verify(ctx) {
		return fmt.Errorf("store: %w", err)
	}
	imps, _, err := st.Imports(ctx, "", "", 10)
	if err != nil || len(imps) != 1 {
		return fmt.Errorf("P5: %d imports (%v), want one", len(imps), err)
	}
	if c := imps[0].Counts; c.Rows != 32 || c.Accepted != 30 || c.Held != 1 || c.Rejected != 1 || imps[0].Archive == "" {
		return fmt.Errorf("P4: counts %+v, archive %q", c, imps[0].Archive)
	}
	seen := map[string]int{}
	gs, _, err := st.Groups(ctx, post.Filter{}, "", 100)
	if err != nil {
		return err
	}
	for i := range gs {
		seen[gs[i].Text]++
	}
	if len(gs) != 31 || len(seen) != texts {
		return fmt.Errorf("P1, P5: %d groups with %d texts, want 31 with %d", len(gs), len(seen), texts)
	}
	return checkReport(filepath.Join(dir, "reports", "acme", file.name+".report.csv"), file.lines)
}

// checkReport counts the lines of each row.
func checkReport(path string, want map[string]int) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("P4: %w", err)
	}
	defer f.Close()
	recs, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return fmt.Errorf("P4: the report is no whole CSV: %w", err)
	}
	at := slices.Index(recs[0], "line")
	lines := map[string]int{}
	for _, r := range recs[1:] {
		lines[r[at]]++
	}
	if !maps.Equal(lines, want) {
		return fmt.Errorf("P4: lines of the report, by the line of the row: %v, want %v", lines, want)
	}
	return nil
}

// TestP2_SweepOverPublishing stops the sending of twenty posts everywhere, on a
// platform that ignores idempotency keys: afterwards each was seen exactly once.
func TestP2_SweepOverPublishing(t *testing.T) {
	binary := needSweep(t)
	s := scenario{
		recover: 3,
		cmd:     func(dir string) []string { return []string{"--room", dir, "run", "--once"} },
		prepare: func(t *testing.T, dir string) ([]string, func(time.Time) error) {
			sweepRoom(t, dir)
			storeTwenty(t, filepath.Join(dir, "data", storeName))
			server, env := sweepPlatform(t)
			return env, func(lastRun time.Time) error { return checkLedger(dir, server, lastRun) }
		},
	}
	s.everyFault(t, binary)
}

// storeTwenty makes a store with twenty posts that are due.
func storeTwenty(t *testing.T, path string) {
	t.Helper()
	st, err := store.Open(path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	due := time.Now().Add(-time.Minute).UTC().Truncate(time.Second)
	for i := range 20 {
		conn := post.ConnectionID("mastodon-acme")
		if i%2 == 1 {
			conn = "mastodon-shop"
		}
		g := &post.Group{Account: "acme", Content: post.Content{Text: fmt.Sprintf("post number %d of the sweep", i+1)}, ScheduledAt: due, CreatedAt: due, UpdatedAt: due,
			Posts: []post.Post{{Connection: conn, Status: post.StatusScheduled, DueAt: due, SlotAt: due, UpdatedAt: due}}}
		if err := st.Create(t.Context(), g, nil, "sweep"); err != nil {
			t.Fatal(err)
		}
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
}

// checkLedger compares what the world saw with what the store says, after a last
// run that began then.
func checkLedger(dir string, server *mastodontest.Server, lastRun time.Time) error {
	seen := map[string]int{}
	for _, text := range server.Texts() {
		seen[text]++
	}
	st, err := store.Open(filepath.Join(dir, "data", storeName), store.Options{})
	if err != nil {
		return err
	}
	defer st.Close()
	for _, err := range st.Verify(context.Background()) {
		return fmt.Errorf("store: %w", err)
	}
	gs, _, err := st.Groups(context.Background(), post.Filter{}, "", 100)
	if err != nil {
		return err
	}
	if len(gs) != 20 {
		return fmt.Errorf("P1: %d groups, want 20", len(gs))
	}
	for i := range gs {
		p := &gs[i].Posts[0]
		switch n := seen[gs[i].Text]; {
		case n > 1:
			return fmt.Errorf("P2: %q was seen %d times", gs[i].Text, n)
		case n == 0 && p.Status == post.StatusPublished:
			return fmt.Errorf("P1: %q counts as published and was never seen", gs[i].Text)
		case n == 0 && p.Status == post.StatusScheduled && p.Problem != nil && p.Problem.Retryable && p.DueAt.After(lastRun):
			// Nothing was sent, and its next try was not due yet.
		case p.Status != post.StatusPublished:
			return fmt.Errorf("P1: %q is %s after the recovery (%+v), seen %d times", gs[i].Text, p.Status, p.Problem, n)
		}
	}
	return nil
}

// naiveEnv makes the test binary the control: it sends each post and then
// records it, as most tools do.
const naiveEnv = "POSTROOM_SWEEP_NAIVE"

func naive() int {
	server, file := os.Getenv("SWEEP_SERVER"), os.Args[1]
	done := map[string]bool{}
	if b, err := os.ReadFile(file); err == nil {
		for line := range strings.Lines(string(b)) {
			done[strings.TrimSpace(line)] = true
		}
	}
	out, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return 1
	}
	for i := range 20 {
		text := fmt.Sprintf("post number %d of the sweep", i+1)
		if done[text] {
			continue
		}
		body, err := json.Marshal(map[string]string{"status": text})
		if err != nil {
			return 1
		}
		req, err := http.NewRequest(http.MethodPost, server+"/api/v1/statuses", bytes.NewReader(body))
		if err != nil {
			return 1
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer a-token-for-the-sweep")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return 1
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
			fmt.Fprintln(os.Stderr, resp.Status, err)
			return 1
		}
		resp.Body.Close()
		if _, err := fmt.Fprintln(out, text); err != nil || out.Sync() != nil {
			return 1
		}
	}
	return 0
}

// TestP2_SweepSeesTheNaivePublisherDouble is the control: the same sweep over a
// program that sends and then records must find double posts, else the sweep
// could not see one.
func TestP2_SweepSeesTheNaivePublisherDouble(t *testing.T) {
	if !killat.Supported {
		t.Skip("stopping a program at a call works on linux on amd64 only")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	doubles, points := 0, 0
	for at := 1; ; at++ {
		server, env := sweepPlatform(t)
		dir := t.TempDir()
		env = append(env, naiveEnv+"=1")
		cmd := []string{self, filepath.Join(dir, "done")}
		res, err := killat.Run(killat.Plan{At: at}, cmd, env, dir, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		again := exec.Command(cmd[0], cmd[1:]...)
		again.Env = append(os.Environ(), env...)
		if out, err := again.CombinedOutput(); err != nil {
			t.Fatalf("%v %s", err, out)
		}
		points++
		texts := server.Texts()
		if distinct := len(slices.Compact(slices.Sorted(slices.Values(texts)))); distinct < len(texts) {
			doubles++
		}
		if res.Hit == "" || at > 40 && os.Getenv("POSTROOM_SWEEP") != "full" {
			break
		}
	}
	t.Logf("the naive publisher posted twice at %d of %d points", doubles, points)
	if doubles == 0 || doubles == points {
		t.Errorf("double posts at %d of %d points: the sweep is blind", doubles, points)
	}
}
