package nostr

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
)

// kindNote is the kind of a short text note.
const kindNote = 1

// An event is one note, as it goes over the wire (NIP-01).
type event struct {
	ID        string     `json:"id"`     // hex, as all of these
	PubKey    string     `json:"pubkey"` // x only
	CreatedAt int64      `json:"created_at"`
	Kind      int        `json:"kind"`
	Tags      [][]string `json:"tags"`
	Content   string     `json:"content"`
	Sig       string     `json:"sig"`
}

// serialised is what the id is the hash of: exactly these bytes, where
// encoding/json would escape more.
func (e *event) serialised() []byte {
	b := appendString([]byte("[0,"), e.PubKey)
	b = strconv.AppendInt(append(b, ','), e.CreatedAt, 10)
	b = strconv.AppendInt(append(b, ','), int64(e.Kind), 10)
	b = append(b, ",["...)
	for i, tag := range e.Tags {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '[')
		for j, s := range tag {
			if j > 0 {
				b = append(b, ',')
			}
			b = appendString(b, s)
		}
		b = append(b, ']')
	}
	return append(appendString(append(b, "],"...), e.Content), ']')
}

// appendString writes s as NIP-01 wants it: seven characters are escaped, all
// else is as it is.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for i := range len(s) {
		if at := strings.IndexByte("\n\"\\\r\t\b\f", s[i]); at >= 0 {
			b = append(b, '\\', `n"\rtbf`[at])
			continue
		}
		b = append(b, s[i])
	}
	return append(b, '"')
}

// hash is the id of e by what it says.
func (e *event) hash() [sha256.Size]byte { return sha256.Sum256(e.serialised()) }

// sign gives e its author, id and signature (BIP-340).
func (e *event) sign(key *btcec.PrivateKey) error {
	e.PubKey = publicKey(key)
	id := e.hash()
	sig, err := schnorr.Sign(key, id[:])
	if err != nil {
		return err
	}
	e.ID, e.Sig = hex.EncodeToString(id[:]), hex.EncodeToString(sig.Serialize())
	return nil
}

func publicKey(key *btcec.PrivateKey) string {
	return hex.EncodeToString(schnorr.SerializePubKey(key.PubKey()))
}

// parseKey reads an nsec, or 64 hex digits. Its error does not show the key.
func parseKey(text string) (*btcec.PrivateKey, error) {
	raw, err := decode("nsec", text)
	if err != nil {
		raw, err = hex.DecodeString(text)
	}
	var scalar btcec.ModNScalar
	if err != nil || len(raw) != 32 || scalar.SetByteSlice(raw) || scalar.IsZero() {
		return nil, errors.New("want a private key: nsec1…, or 64 hex digits")
	}
	return btcec.PrivKeyFromScalar(&scalar), nil
}

// unfit returns the first character of a text that has no one way to be written
// in an event: what is not UTF-8, and control characters without an escape.
func unfit(text string) (r rune, found bool) {
	if !utf8.ValidString(text) {
		return utf8.RuneError, true
	}
	i := strings.IndexFunc(text, func(r rune) bool { return r < ' ' && !strings.ContainsRune("\n\r\t\b\f", r) })
	if i < 0 {
		return 0, false
	}
	return rune(text[i]), true
}

// addTag adds a tag that is not there yet.
func (e *event) addTag(tag ...string) {
	if !slices.ContainsFunc(e.Tags, func(t []string) bool { return slices.Equal(t, tag) }) {
		e.Tags = append(e.Tags, tag)
	}
}
