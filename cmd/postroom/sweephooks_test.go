package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/postroom/postroom/api"
	"github.com/postroom/postroom/internal/secret"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/store"
)

const hookSecret = "a-secret-for-the-sweep"

// A hookLedger is a receiver of webhooks that notes what it was told.
type hookLedger struct {
	mu    sync.Mutex
	told  map[string]map[string]bool // by event and post: the ids of the deliveries
	wrong []string
}

func (l *hookLedger) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return // it was cut off: not told
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.Header.Get("X-PostPost-Signature") != api.Signature(hookSecret, b) {
		l.wrong = append(l.wrong, string(b))
	}
	l.note(b, r.Header.Get("X-PostPost-Delivery"))
}

func (l *hookLedger) note(body []byte, id string) {
	var e struct {
		Event string
		Data  struct{ PostID string }
	}
	if json.Unmarshal(body, &e) != nil {
		l.wrong = append(l.wrong, string(body))
	}
	key := e.Event + " " + e.Data.PostID
	if l.told[key] == nil {
		l.told[key] = map[string]bool{}
	}
	l.told[key][id] = true
}

// TestP1_SweepOverWebhooks stops the program everywhere while it publishes and
// tells a webhook of it: what is published was told of, or waits to be, always
// under one id; and nothing is told that is not so.
func TestP1_SweepOverWebhooks(t *testing.T) {
	binary := needSweep(t)
	s := scenario{
		recover: 3,
		cmd:     func(dir string) []string { return []string{"--room", dir, "run", "--once"} },
		prepare: func(t *testing.T, dir string) ([]string, func(time.Time) error) {
			sweepRoom(t, dir)
			config := sweepConfig + "api: {allow_private_webhooks: true}\n"
			if err := os.WriteFile(filepath.Join(dir, configName), []byte(config), 0o600); err != nil {
				t.Fatal(err)
			}
			ledger := &hookLedger{told: map[string]map[string]bool{}}
			srv := httptest.NewServer(ledger)
			t.Cleanup(srv.Close)
			addHook(t, dir, srv.URL)
			storeTwenty(t, filepath.Join(dir, "data", storeName))
			_, env := sweepPlatform(t)
			return env, func(time.Time) error { return checkTold(dir, ledger) }
		},
	}
	s.everyFault(t, binary)
}

func addHook(t *testing.T, dir, url string) {
	t.Helper()
	box, err := openBox(dir)
	if err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(filepath.Join(dir, "data", storeName), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := post.Webhook{Account: "acme", Name: "sweep", URL: url, Events: post.Events, Active: true, Secret: box.Seal(secret.New(hookSecret), api.OwnerOf("acme"))}
	if err := st.AddWebhook(t.Context(), &w, api.MostWebhooks); err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
}

// checkTold compares what the receiver was told, and what waits for it, with the
// store.
func checkTold(dir string, l *hookLedger) error {
	ctx := context.Background()
	soon := func() time.Time { return time.Now().Add(time.Hour) } // what waits for another try is due by then
	st, err := store.Open(filepath.Join(dir, "data", storeName), store.Options{Now: soon})
	if err != nil {
		return err
	}
	defer st.Close()
	for _, err := range st.Verify(ctx) {
		return fmt.Errorf("store: %w", err)
	}
	all, err := st.Webhooks(ctx, "acme")
	if err != nil || len(all) != 1 {
		return fmt.Errorf("webhooks %v: %w", all, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		_, n, ok, err := st.NextNotice(ctx, "acme", all[0].ID)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		l.note(n.Body, n.ID.String())
		if _, err := st.Delivered(ctx, "acme", all[0].ID, n, true); err != nil {
			return err
		}
	}
	if len(l.wrong) > 0 {
		return fmt.Errorf("%d deliveries are wrong, the first: %s", len(l.wrong), l.wrong[0])
	}
	groups, _, err := st.Groups(ctx, post.Filter{}, "", 100)
	if err != nil {
		return err
	}
	for i := range groups {
		p := &groups[i].Posts[0]
		for event, want := range map[string]bool{
			post.EventScheduled: true,
			post.EventPublished: p.Status == post.StatusPublished,
			post.EventFailed:    p.Status == post.StatusFailed || p.Status == post.StatusUnknown,
		} {
			got := len(l.told[event+" "+p.ID.String()])
			if want && got != 1 || !want && got != 0 {
				return fmt.Errorf("P1: post %s is %s, and %s was told of it under %d ids", p.ID, p.Status, event, got)
			}
		}
	}
	return nil
}
