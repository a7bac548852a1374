package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/post"
)

// A file is being taken when its account goes from the config.
func TestAnAccountMayGoWhileItsFileIsTaken(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := filepath.Join(dir, configName)
	writeText(t, name, "accounts: {acme: {connections: [{id: mastodon-1, driver: sandbox}]}, other: {connections: [{id: mastodon-2, driver: sandbox}]}}\n")
	r := openAt(t, dir, time.Now)
	defer r.close()
	req, hold, err := r.request("acme", "week.csv", strings.NewReader(""), 0)
	if err != nil || hold != "" {
		t.Fatal(hold, err)
	}
	at := r.now().Add(time.Hour)
	g := &post.Group{Account: "acme", Content: post.Content{Text: "x"}, ScheduledAt: at, Posts: []post.Post{{Connection: "mastodon-1", Status: post.StatusDraft, DueAt: at, SlotAt: at}}}
	if err := r.store.Create(t.Context(), g, nil, ""); err != nil {
		t.Fatal(err)
	}
	approve := r.approver("inbox")
	writeText(t, name, "accounts: {other: {connections: [{id: mastodon-2, driver: sandbox}]}}\n")
	if err := r.reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if hold, err := r.applyDefaults(&req, "acme", nil); err != nil || !strings.Contains(hold, "no account acme any more") {
		t.Errorf("its file is held because of %q (%v)", hold, err)
	}
	for _, keep := range []bool{false, true} {
		if err := approve(t.Context(), g, g.ID, keep); err == nil || !strings.Contains(err.Error(), "no account acme any more") {
			t.Errorf("approved: %v", err)
		}
	}
}

// A reload says which of the new settings wait for the next start, and nothing of a
// config that is as it was at the last.
func TestAReloadSaysWhatWaitsForTheNextStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := filepath.Join(dir, configName)
	const accounts = "accounts: {acme: {connections: [{id: mastodon-1, driver: sandbox}]}}\n"
	writeText(t, name, accounts+"inbox: {poll: 7s}\n")
	var log bytes.Buffer
	r, err := openRoom(t.Context(), dir, roomOptions{env: testEnv(), logTo: &log})
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	for _, c := range []struct{ more, want string }{
		{"inbox: {poll: 7s, max_rows: 9}\ntimezone: Europe/Berlin\n", ""},
		{"inbox: {poll: 8s, settle: 6s, hold_after: 20m}\nlisten: 127.0.0.1:0\ndispatch: {workers: 3}\nlog: {level: debug}\n", "listen, inbox.settle, inbox.poll, inbox.hold_after, dispatch, log"},
		{"inbox: {poll: 7s}\n", ""},
	} {
		log.Reset()
		writeText(t, name, accounts+c.more)
		if err := r.reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := log.String(); (c.want == "") != !strings.Contains(got, "settings") || !strings.Contains(got, c.want) {
			t.Errorf("with %q the log says %q, want %q", c.more, got, c.want)
		}
	}
}
