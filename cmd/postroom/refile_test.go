package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/postroom/postroom/post"
)

// A crash leaves uploads that were cut off, which no job is to take. The next start
// removes them; the one that a job waits for stays.
func TestUploadsThatNoJobTakesAreSweptAway(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeText(t, filepath.Join(dir, configName), "accounts: {acme: {connections: [{id: mastodon-1, driver: sandbox}]}}\n")
	r := openAt(t, dir, time.Now)
	defer r.close()
	job := func(s post.JobStatus) string {
		t.Helper()
		id := r.store.NewID()
		file := filepath.Join(dir, "data", "uploads", id.String(), "upload.csv")
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		writeText(t, file, "content\nx\n")
		if s == "" {
			return file
		}
		j := post.Job{ID: id, Account: "acme", File: filepath.Join(id.String(), "upload.csv"), Status: s}
		if err := r.store.AddJob(t.Context(), j, nil); err != nil {
			t.Fatal(err)
		}
		return file
	}
	for _, c := range []struct {
		what, file string
		kept       bool
	}{
		{"cut off", job(""), false}, {"queued", job(post.JobQueued), true}, {"running", job(post.JobRunning), true},
		{"finished", job(post.JobFinished), false}, {"failed", job(post.JobFailed), false},
	} {
		if err := newDaemon(r).takeUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(c.file); os.IsNotExist(err) == c.kept {
			t.Errorf("%s: %v, want it kept: %v", c.what, err, c.kept)
		}
	}
}
