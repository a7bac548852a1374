package bluesky

import (
	"encoding/binary"

	"github.com/postroom/postroom/post"
)

// tidDigits are those of a TID, in order.
const tidDigits = "234567abcdefghijklmnopqrstuvwxyz"

// recordKey makes a post's key in the account's repository, a TID as the lexicon
// asks: 53 bits of microseconds and a clock id of 10 bits, in 13 digits of base
// 32. The second is that of the id; its counter becomes the microseconds and half
// of the clock id, so that posts of one room never share a key, and the other
// half tells rooms apart.
func recordKey(id post.ID) string {
	second := uint64(binary.BigEndian.Uint32(id[:4]))
	counter := uint64(id[9])<<16 | uint64(id[10])<<8 | uint64(id[11])
	var room byte
	for _, b := range id[4:9] {
		room = room*31 + b
	}
	tid := (second*1_000_000+counter%1_000_000)<<10 | counter/1_000_000<<5 | uint64(room&31)
	var key [13]byte
	for i := range key {
		key[len(key)-1-i] = tidDigits[tid&31]
		tid >>= 5
	}
	return string(key[:])
}
