package nostr

import (
	"encoding/binary"
	"errors"
	"strings"
)

// charset are the digits of bech32 (BIP-173), which NIP-19 writes keys and notes
// in, without its bound of 90 characters.
const charset = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"

// checksum is 6 digits.
const checksum = 6

// polymod is the checksum of digits.
func polymod(digits []byte) uint32 {
	c := uint32(1)
	for _, d := range digits {
		top := c >> 25
		c = (c&0x1ffffff)<<5 ^ uint32(d)
		for i, g := range [5]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3} {
			if top>>i&1 == 1 {
				c ^= g
			}
		}
	}
	return c
}

// expand makes digits of what stands before the 1.
func expand(kind string) []byte {
	var out []byte
	for i := range len(kind) {
		out = append(out, kind[i]>>5)
	}
	out = append(out, 0)
	for i := range len(kind) {
		out = append(out, kind[i]&31)
	}
	return out
}

// regroup makes digits of to bits out of those of from bits; the last is filled
// up with zeros.
func regroup(in []byte, from, to uint) []byte {
	var out []byte
	var acc uint32
	var have uint
	for _, b := range in {
		acc = acc<<from | uint32(b)
		for have += from; have >= to; {
			have -= to
			out = append(out, byte(acc>>have)&byte(1<<to-1))
		}
	}
	if have > 0 {
		out = append(out, byte(acc<<(to-have))&byte(1<<to-1))
	}
	return out
}

// encode writes data as bech32 of a kind, like npub.
func encode(kind string, data []byte) string {
	digits := regroup(data, 8, 5)
	sum := polymod(append(append(expand(kind), digits...), make([]byte, checksum)...)) ^ 1
	for i := range checksum {
		digits = append(digits, byte(sum>>(5*(checksum-1-i)))&31)
	}
	for i, d := range digits {
		digits[i] = charset[d]
	}
	return kind + "1" + string(digits)
}

var errBech32 = errors.New("not bech32 of that kind")

// decode reads bech32 of a kind. Its error says nothing of the text, which may be
// a secret.
func decode(kind, text string) ([]byte, error) {
	rest, ok := strings.CutPrefix(strings.ToLower(text), kind+"1")
	if !ok || len(rest) < checksum {
		return nil, errBech32
	}
	digits := make([]byte, len(rest))
	for i := range len(rest) {
		d := strings.IndexByte(charset, rest[i])
		if d < 0 {
			return nil, errBech32
		}
		digits[i] = byte(d)
	}
	if polymod(append(expand(kind), digits...)) != 1 {
		return nil, errBech32
	}
	digits = digits[:len(digits)-checksum]
	return regroup(digits, 5, 8)[:len(digits)*5/8], nil
}

// The fields of a nevent (NIP-19).
const (
	fieldID     = 0
	fieldRelay  = 1
	fieldAuthor = 2
	fieldKind   = 3
)

// neventOf names a note by its id and author, and where it is found.
func neventOf(id, author []byte, relays []string) string {
	field := func(b []byte, kind byte, data []byte) []byte {
		return append(append(b, kind, byte(len(data))), data...)
	}
	b := field(nil, fieldID, id)
	for _, r := range relays {
		if len(r) < 256 {
			b = field(b, fieldRelay, []byte(r))
		}
	}
	b = field(b, fieldAuthor, author)
	return encode("nevent", field(b, fieldKind, binary.BigEndian.AppendUint32(nil, kindNote)))
}
