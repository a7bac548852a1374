//go:build unix

package main

import (
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// A pipe has no end to wait for.
func TestDefaultsDoNotWaitForAPipe(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := unix.Mkfifo(filepath.Join(dir, defaultsName), 0o644); err != nil {
		t.Skip(err)
	}
	if d, err := loadDefaults(dir); err == nil {
		t.Errorf("got %+v, want an error", d)
	}
}
