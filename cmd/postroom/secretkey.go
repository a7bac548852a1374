package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/postroom/postroom/internal/atomicfile"
	"github.com/postroom/postroom/internal/secret"
)

// secretKeyName is the file in data/ with the key of the secrets that the store
// holds. It lies beside the store and not in it: a backup of the store alone opens
// none of them.
const secretKeyName = "secrets.key"

// openBox opens the box of a room's stored secrets. A room that has no key yet
// gets one.
func openBox(dir string) (*secret.Box, error) {
	path := filepath.Join(dir, "data", secretKeyName)
	key, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		key = make([]byte, secret.KeyLen)
		if _, err := rand.Read(key); err != nil {
			return nil, err
		}
		err = atomicfile.WriteFile(path, key, 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("key of the stored secrets: %w", err)
	}
	b, err := secret.NewBox(key)
	if err != nil {
		return nil, &hinted{fmt.Errorf("key of the stored secrets in %s: %w", path, err), "put the file back from where you keep a copy of it"}
	}
	return b, nil
}
