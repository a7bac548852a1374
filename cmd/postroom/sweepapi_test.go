package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/api"
	"github.com/postroom/postroom/internal/killat"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/store"
)

// clientEnv makes the test binary a room that serves its API and, beside it, a
// client of that, which notes each answer 200 in a ledger when it has it.
const clientEnv = "POSTROOM_SWEEP_CLIENT"

// A noted answer is a line of the ledger.
type noted struct {
	ID string    `json:"id"`
	At time.Time `json:"at"` // the slot that was confirmed
}

const sweptPosts = 4

func serveToClient() int {
	if err := createAndUpdate(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// createAndUpdate creates some groups, and moves each by a day.
func createAndUpdate() error {
	ctx := context.Background()
	r, err := openRoom(ctx, os.Args[1], roomOptions{env: os.LookupEnv, log: slog.New(slog.DiscardHandler), who: "sweep"})
	if err != nil {
		return err
	}
	key, stored, err := api.NewKey(time.Now(), "acme", "sweep")
	if err != nil {
		return err
	}
	if err := r.store.AddAPIKey(ctx, stored, api.MostKeys); err != nil {
		return err
	}
	ledger, err := os.OpenFile(filepath.Join(os.Args[1], "ledger"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	srv := httptest.NewServer(newDaemon(r).handler())
	ask := func(method, path, body string, into any) error {
		req, err := http.NewRequest(method, srv.URL+api.Prefix+path, strings.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("x-api-key", key)
		resp, err := srv.Client().Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err == nil && resp.StatusCode != http.StatusOK {
			err = fmt.Errorf("%s %s: %s %s", method, path, resp.Status, b)
		}
		if err != nil {
			return err
		}
		return json.Unmarshal(b, into)
	}
	note := func(id string, at time.Time) error {
		b, err := json.Marshal(noted{id, at})
		if err == nil {
			_, err = ledger.Write(append(b, '\n'))
		}
		return err
	}
	at := time.Now().Add(48 * time.Hour).UTC().Truncate(time.Second)
	for range sweptPosts {
		var made struct{ PostGroupID string }
		body := fmt.Sprintf(`{"content":"swept","platforms":["twitter-1","linkedin-2"],"scheduledTime":%q}`, at.Format(time.RFC3339))
		if err := ask("POST", "/create-post", body, &made); err != nil {
			return err
		}
		if err := note(made.PostGroupID, at); err != nil {
			return err
		}
		later := at.Add(24 * time.Hour)
		if err := ask("PUT", "/update-post/"+made.PostGroupID, fmt.Sprintf(`{"scheduledTime":%q}`, later.Format(time.RFC3339)), &struct{}{}); err != nil {
			return err
		}
		if err := note(made.PostGroupID, later); err != nil {
			return err
		}
	}
	srv.Close()
	return r.close()
}

// TestP1_SweepOverTheAPI stops the program everywhere between a request and its
// answer: what was answered 200 is there after the restart.
func TestP1_SweepOverTheAPI(t *testing.T) {
	if testing.Short() || !killat.Supported {
		t.Skip("stopping a program at a call works on linux on amd64 only, and takes a while")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			answered := 0
			s := scenario{
				cmd: func(dir string) []string { return []string{dir} },
				prepare: func(t *testing.T, dir string) ([]string, func(time.Time) error) {
					sweepRoom(t, dir)
					return []string{clientEnv + "=1", "SWEEP_SERVER=http://127.0.0.1:1", "SWEEP_TOKEN=t"}, func(time.Time) error {
						n, err := checkAnswered(dir)
						answered += n
						return err
					}
				},
			}
			points, failures := s.sweep(t, self, f.errno)
			t.Logf("%s at %d points, %d answers: %d failures", f.name, points, answered, len(failures))
			for _, f := range failures {
				t.Error(f)
			}
			if answered < 2*sweptPosts {
				t.Errorf("only %d answers were checked: the sweep is blind", answered)
			}
		})
	}
}

// checkAnswered compares the ledger of answers with the store.
func checkAnswered(dir string) (answers int, err error) {
	b, err := os.ReadFile(filepath.Join(dir, "ledger"))
	if os.IsNotExist(err) {
		return 0, nil // stopped before the first request
	}
	if err != nil {
		return 0, err
	}
	st, err := store.Open(filepath.Join(dir, "data", storeName), store.Options{})
	if err != nil {
		return 0, err
	}
	defer st.Close()
	for _, err := range st.Verify(context.Background()) {
		return 0, fmt.Errorf("store: %w", err)
	}
	last := map[string]time.Time{}
	for line := range bytes.Lines(b) {
		var n noted
		if json.Unmarshal(line, &n) != nil {
			continue // cut off in the middle
		}
		last[n.ID] = n.At
		answers++
	}
	for s, at := range last {
		id, err := post.ParseID(s)
		if err != nil {
			return answers, err
		}
		g, err := st.Group(context.Background(), id)
		if err != nil {
			return answers, fmt.Errorf("P1: a group that was answered 200: %w", err)
		}
		// An update may have been stored and its answer not have come.
		if d := g.ScheduledAt.Sub(at); d != 0 && d != 24*time.Hour || g.Status() != post.StatusScheduled {
			return answers, fmt.Errorf("P1: group %s is %s at %s, and %s was confirmed", id, g.Status(), g.ScheduledAt, at)
		}
		for i := range g.Posts {
			if !g.Posts[i].DueAt.Equal(g.ScheduledAt) {
				return answers, fmt.Errorf("P1: half of group %s was moved", id)
			}
		}
	}
	return answers, nil
}
