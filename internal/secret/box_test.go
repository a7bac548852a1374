package secret

import (
	"bytes"
	"errors"
	"testing"
)

func TestP8_ABoxOpensOnlyWithItsKeyForTheSameOwner(t *testing.T) {
	t.Parallel()
	box := func(fill byte) *Box {
		b, err := NewBox(bytes.Repeat([]byte{fill}, KeyLen))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	b, other := box(1), box(2)
	const canary = "canary-5f1c"
	sealed := b.Seal(New(canary), "acme 1")
	if bytes.Contains(sealed, []byte(canary)) {
		t.Error("the sealed secret can be read")
	}
	if bytes.Equal(sealed, b.Seal(New(canary), "acme 1")) {
		t.Error("the same secret is sealed the same twice")
	}
	if v, err := box(1).Open(sealed, "acme 1"); err != nil || v.Reveal() != canary {
		t.Errorf("opened by the next process: %v", err)
	}
	for name, open := range map[string]func() (Value, error){
		"another owner": func() (Value, error) { return b.Open(sealed, "acme 2") },
		"another key":   func() (Value, error) { return other.Open(sealed, "acme 1") },
		"cut off":       func() (Value, error) { return b.Open(sealed[:9], "acme 1") },
		"nothing":       func() (Value, error) { return b.Open(nil, "acme 1") },
	} {
		if v, err := open(); !errors.Is(err, ErrSealed) || !v.IsZero() {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NewBox([]byte("short")); err == nil {
		t.Error("a key of five bytes was taken")
	}
}
