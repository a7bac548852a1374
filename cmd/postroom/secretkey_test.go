package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/postroom/postroom/internal/secret"
)

func TestP8_ARoomKeepsTheKeyOfItsSecrets(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "data", secretKeyName)
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	b, err := openBox(dir)
	if err != nil {
		t.Fatal(err)
	}
	again, err := openBox(dir)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := again.Open(b.Seal(secret.New("x"), "a"), "a"); err != nil || v.Reveal() != "x" {
		t.Errorf("the next process does not open what the first sealed: %v", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("others may read the key: %v, %v", info.Mode(), err)
	}
	if err := os.WriteFile(path, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openBox(dir); err == nil {
		t.Error("a key of five bytes was taken")
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "short" {
		t.Errorf("a damaged key was replaced by %q (%v)", b, err)
	}
}
