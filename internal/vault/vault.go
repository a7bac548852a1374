// Package vault keeps secrets in a file that is worth nothing without its key.
//
// Each secret is sealed by AES-256-GCM under one master key, with its name bound
// to it: a secret that is moved under another name does not open. The names can
// be read in the file. Where the key comes from is the caller's business; a vault
// that was written under one key is not read or changed with another. Several
// processes may use a vault at the same time.
package vault

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/postroom/postroom/internal/atomicfile"
	"github.com/postroom/postroom/internal/secret"
)

// What a vault answers when it cannot do what was asked.
var (
	ErrNone     = errors.New("no secret is stored under that name")
	ErrWrongKey = errors.New("this is not the master key that the secrets were stored with")
	ErrDamaged  = errors.New("the file was changed by other hands, or is damaged")
)

// NewKey returns a new master key, as text.
func NewKey() secret.Value {
	key := make([]byte, secret.KeyLen)
	rand.Read(key) // never fails: see crypto/rand
	return secret.New(hex.EncodeToString(key))
}

// errKey is said of a text that is no master key. It does not show the text.
var errKey = fmt.Errorf("want a master key: %d bytes, as %d hexadecimal digits or in base64", secret.KeyLen, 2*secret.KeyLen)

// parseKey reads a master key as people keep it.
func parseKey(text string) ([]byte, error) {
	for _, decode := range []func(string) ([]byte, error){hex.DecodeString, base64.StdEncoding.DecodeString, base64.RawURLEncoding.DecodeString} {
		if key, err := decode(text); err == nil && len(key) == secret.KeyLen {
			return key, nil
		}
	}
	return nil, errKey
}

// A Vault is one file of secrets. Its methods may be called at the same time.
type Vault struct {
	path string
	box  *secret.Box
}

// content is the file. Proof tells a wrong key from a damaged secret, before
// anything is sealed under a second key.
type content struct {
	Version int               `json:"version"`
	Proof   []byte            `json:"proof"`
	Secrets map[string][]byte `json:"secrets"` // nonce and sealed text, by name
}

// version is the form of content.
const version = 1

// proofName is the name that the proof is sealed under. No secret has it.
const proofName = ""

// Open returns the vault at path, which need not exist yet. key is 64
// hexadecimal digits or base64.
func Open(path string, key secret.Value) (*Vault, error) {
	k, err := parseKey(key.Reveal())
	if err != nil {
		return nil, err
	}
	box, err := secret.NewBox(k)
	if err != nil {
		return nil, err
	}
	return &Vault{path, box}, nil
}

// Get returns the secret of that name. The error wraps [ErrNone], [ErrWrongKey]
// or [ErrDamaged], or is the file system's.
func (v *Vault) Get(name string) ([]byte, error) {
	c, err := v.read()
	if err != nil {
		return nil, err
	}
	sealed, ok := c.Secrets[name]
	if !ok {
		return nil, fmt.Errorf("%s: %w", name, ErrNone)
	}
	text, err := v.open(name, sealed)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return text, nil
}

// Names lists what is stored, sorted.
func (v *Vault) Names() ([]string, error) {
	c, err := v.read()
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(c.Secrets))
	for name := range c.Secrets {
		names = append(names, name)
	}
	slices.Sort(names)
	return names, nil
}

// Put stores text under a name, in place of what was there. It is durable when
// Put returns.
func (v *Vault) Put(ctx context.Context, name string, text []byte) error {
	if name == proofName {
		return errors.New("a secret needs a name")
	}
	return v.change(ctx, func(c *content) error {
		c.Secrets[name] = v.seal(name, text)
		return nil
	})
}

// Delete removes the secret of that name. The error wraps [ErrNone] when there
// is none.
func (v *Vault) Delete(ctx context.Context, name string) error {
	return v.change(ctx, func(c *content) error {
		if _, ok := c.Secrets[name]; !ok {
			return fmt.Errorf("%s: %w", name, ErrNone)
		}
		delete(c.Secrets, name)
		return nil
	})
}

// Lock makes the caller the only one, of all processes, that works on the secret
// of that name by Lock, until it calls unlock. Get and Put do not wait for it.
func (v *Vault) Lock(ctx context.Context, name string) (unlock func(), err error) {
	sum := sha256.Sum256([]byte(name)) // names may hold what file names may not
	return lock(ctx, v.path+"."+hex.EncodeToString(sum[:6])+".lock")
}

// lockLook is how long a lock that another process holds is left alone.
const lockLook = 20 * time.Millisecond

func lock(ctx context.Context, path string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	l := flock.New(path, flock.SetPermissions(0o600))
	if _, err := l.TryLockContext(ctx, lockLook); err != nil {
		return nil, fmt.Errorf("wait for %s: %w", filepath.Base(path), err)
	}
	// Closing the file is what lets go, and nothing can be done where that fails.
	return func() { _ = l.Unlock() }, nil
}

// change rewrites the file, whole, as the only one of all processes.
func (v *Vault) change(ctx context.Context, fn func(*content) error) error {
	unlock, err := lock(ctx, v.path+".lock")
	if err != nil {
		return err
	}
	defer unlock()
	c, err := v.read()
	if err != nil {
		return err
	}
	if err := fn(c); err != nil {
		return err
	}
	b, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(v.path, append(b, '\n'), 0o600)
}

// read returns what the file holds, sealed as it is, once the key fits.
func (v *Vault) read() (*content, error) {
	b, err := os.ReadFile(v.path)
	if errors.Is(err, fs.ErrNotExist) {
		return &content{version, v.seal(proofName, nil), map[string][]byte{}}, nil
	}
	if err != nil {
		return nil, err
	}
	var c content
	switch err := json.Unmarshal(b, &c); {
	case err != nil, c.Version < 1:
		return nil, fmt.Errorf("%s: %w", v.path, ErrDamaged)
	case c.Version > version:
		return nil, fmt.Errorf("%s was written by a newer postroom", v.path)
	}
	if _, err := v.open(proofName, c.Proof); err != nil {
		return nil, fmt.Errorf("%s: %w", v.path, ErrWrongKey)
	}
	if c.Secrets == nil {
		c.Secrets = map[string][]byte{}
	}
	return &c, nil
}

// seal returns text as it is sealed under name. Nonces are random: under one key a
// vault would have to be written 2^32 times before two might meet.
func (v *Vault) seal(name string, text []byte) []byte {
	return v.box.Seal(secret.New(string(text)), bound(name))
}

func (v *Vault) open(name string, sealed []byte) ([]byte, error) {
	text, err := v.box.Open(sealed, bound(name))
	if err != nil {
		return nil, ErrDamaged
	}
	return []byte(text.Reveal()), nil
}

// bound is what is sealed with a secret, beside its text.
func bound(name string) string { return "postroom vault 1\n" + name }

// CheckName reports whether a person may store a secret under that name.
func CheckName(name string) error {
	if name == "" || len(name) > 128 || strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:%-") != "" {
		return fmt.Errorf("name %q: want letters, digits and . _ : %% -, at most 128 of them, like mastodon-acme", name)
	}
	return nil
}
