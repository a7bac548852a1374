package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
)

// KeyLen is the length of a key: that of AES-256.
const KeyLen = 32

// ErrSealed is wrapped by the error about a text that a Box cannot open: it was
// sealed with another key, for something else, or is damaged.
var ErrSealed = errors.New("the sealed secret does not open with this key")

// A Box seals secrets so that what is stored of them can be read by nobody who
// lacks its key: with AES-256-GCM, under a random nonce.
type Box struct{ aead cipher.AEAD }

// NewBox makes a box of a key of 32 bytes.
func NewBox(key []byte) (*Box, error) {
	if len(key) != KeyLen {
		return nil, fmt.Errorf("key of %d bytes, want %d", len(key), KeyLen)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return &Box{aead}, err
}

// Seal seals a secret. It opens only for the same owner, so that one sealed text
// does not do in place of another.
func (b *Box) Seal(v Value, owner string) []byte {
	return b.aead.Seal(nil, nil, []byte(v.Reveal()), []byte(owner))
}

// Open returns what was sealed for owner. The error wraps [ErrSealed].
func (b *Box) Open(sealed []byte, owner string) (Value, error) {
	text, err := b.aead.Open(nil, nil, sealed, []byte(owner))
	if err != nil {
		return Value{}, ErrSealed
	}
	return New(string(text)), nil
}
