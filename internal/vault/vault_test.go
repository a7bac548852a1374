package vault

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postroom/postroom/internal/secret"
)

func open(t *testing.T, path string, key secret.Value) *Vault {
	t.Helper()
	v, err := Open(path, key)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestWhatIsPutIsGot(t *testing.T) {
	t.Parallel()
	path, key := filepath.Join(t.TempDir(), "data", "credentials"), NewKey()
	v := open(t, path, key)
	if _, err := v.Get("mastodon-acme"); !errors.Is(err, ErrNone) {
		t.Errorf("of a vault without a file: %v", err)
	}
	for name, text := range map[string]string{"mastodon-acme": "token one", "b": "two", "mastodon-acme2": ""} {
		if err := v.Put(t.Context(), name, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := v.Put(t.Context(), "b", []byte("three")); err != nil {
		t.Fatal(err)
	}
	again := open(t, path, key)
	for name, want := range map[string]string{"mastodon-acme": "token one", "b": "three", "mastodon-acme2": ""} {
		if got, err := again.Get(name); string(got) != want || err != nil {
			t.Errorf("%s: %q %v", name, got, err)
		}
	}
	if err := again.Delete(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	if err := again.Delete(t.Context(), "b"); !errors.Is(err, ErrNone) {
		t.Errorf("deleted twice: %v", err)
	}
	if names, err := v.Names(); len(names) != 2 || names[0] != "mastodon-acme" || err != nil {
		t.Errorf("names: %q %v", names, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("others may read the file: %v %v", info.Mode(), err)
	}
}

func TestP8_TheFileShowsNoSecret(t *testing.T) {
	t.Parallel()
	path, key := filepath.Join(t.TempDir(), "credentials"), NewKey()
	const text = "a-token-that-nobody-may-read"
	if err := open(t, path, key).Put(t.Context(), "x", []byte(text)); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := hex.DecodeString(key.Reveal())
	for _, s := range []string{text, base64.StdEncoding.EncodeToString([]byte(text)), hex.EncodeToString([]byte(text)), key.Reveal(), base64.StdEncoding.EncodeToString(raw)} {
		if bytes.Contains(b, []byte(s)) {
			t.Errorf("the file holds %q", s)
		}
	}
}

func TestAnotherKeyReadsAndChangesNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "credentials")
	if err := open(t, path, NewKey()).Put(t.Context(), "x", []byte("text")); err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile(path)
	other := open(t, path, NewKey())
	_, get := other.Get("x")
	_, names := other.Names()
	for what, err := range map[string]error{"get": get, "names": names, "put": other.Put(t.Context(), "y", []byte("text")), "delete": other.Delete(t.Context(), "x")} {
		if !errors.Is(err, ErrWrongKey) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Error("the file was changed")
	}
}

func TestATouchedSecretDoesNotOpen(t *testing.T) {
	t.Parallel()
	path, key := filepath.Join(t.TempDir(), "credentials"), NewKey()
	v := open(t, path, key)
	for _, name := range []string{"a", "b"} {
		if err := v.Put(t.Context(), name, []byte("token of "+name)); err != nil {
			t.Fatal(err)
		}
	}
	whole, _ := os.ReadFile(path)
	for what, touch := range map[string]func(*content){
		"exchanged": func(c *content) { c.Secrets["a"] = c.Secrets["b"] },
		"flipped":   func(c *content) { c.Secrets["a"][20] ^= 1 },
		"cut":       func(c *content) { c.Secrets["a"] = c.Secrets["a"][:5] },
	} {
		var c content
		if err := json.Unmarshal(whole, &c); err != nil {
			t.Fatal(err)
		}
		touch(&c)
		b, _ := json.Marshal(c)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := v.Get("a"); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %q %v", what, got, err)
		}
	}
	for what, text := range map[string]string{"cut": string(whole[:len(whole)/2]), "empty": "", "of another program": "{}"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := v.Put(t.Context(), "c", nil); !errors.Is(err, ErrDamaged) {
			t.Errorf("a file that is %s: %v", what, err)
		}
	}
}

func TestKeysAreReadAsPeopleKeepThem(t *testing.T) {
	t.Parallel()
	raw := bytes.Repeat([]byte{0xfb, 0xef}, secret.KeyLen/2)
	for _, text := range []string{hex.EncodeToString(raw), strings.ToUpper(hex.EncodeToString(raw)), base64.StdEncoding.EncodeToString(raw), base64.RawURLEncoding.EncodeToString(raw)} {
		if key, err := parseKey(text); !bytes.Equal(key, raw) || err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{"", "password", hex.EncodeToString(raw[1:]), base64.StdEncoding.EncodeToString(raw[:16])} {
		if _, err := Open("x", secret.New(text)); err == nil || text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("key %q: %v", text, err)
		}
	}
}

func TestWritersAtTheSameTimeLoseNothing(t *testing.T) {
	t.Parallel()
	path, key := filepath.Join(t.TempDir(), "credentials"), NewKey()
	var all sync.WaitGroup
	for i := range 12 {
		all.Go(func() {
			if err := open(t, path, key).Put(t.Context(), fmt.Sprint("n", i), []byte("x")); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if names, err := open(t, path, key).Names(); len(names) != 12 || err != nil {
		t.Errorf("%d of 12 are there: %v", len(names), err)
	}
}

func TestALockIsHeldByOne(t *testing.T) {
	t.Parallel()
	path, key := filepath.Join(t.TempDir(), "credentials"), NewKey()
	unlock, err := open(t, path, key).Lock(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	other := open(t, path, key)
	ctx, cancel := context.WithTimeout(t.Context(), 3*lockLook)
	defer cancel()
	if _, err := other.Lock(ctx, "x"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("locked twice: %v", err)
	}
	if free, err := other.Lock(t.Context(), "y"); err != nil {
		t.Error(err)
	} else {
		free()
	}
	time.AfterFunc(2*lockLook, unlock)
	if free, err := other.Lock(t.Context(), "x"); err != nil {
		t.Error(err)
	} else {
		free()
	}
}

// Vaults are files that outlive programs: nonce and sealed text, with "postroom
// vault 1", a new line and the name bound to it.
func TestTheFormOfTheFileStays(t *testing.T) {
	t.Parallel()
	key := bytes.Repeat([]byte{7}, secret.KeyLen)
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	nonce := []byte("twelve bytes")
	sealed := func(name, text string) []byte {
		return append(nonce[:len(nonce):len(nonce)], gcm.Seal(nil, nonce, []byte(text), []byte("postroom vault 1\n"+name))...)
	}
	b, err := json.Marshal(content{1, sealed("", ""), map[string][]byte{"a": sealed("a", "text")}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "credentials.json")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := open(t, path, secret.New(hex.EncodeToString(key))).Get("a"); string(got) != "text" || err != nil {
		t.Errorf("%q %v", got, err)
	}
}
