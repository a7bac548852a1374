package post

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"log/slog"
	"time"
)

// ID names a group, a platform post, an import or a log entry. It is a
// MongoDB-style ObjectId, 4 bytes of Unix seconds, 5 of machine, 3 of counter,
// all big endian: ids made later sort later. It is printed as 24 hex digits.
type ID [12]byte

// IDLen is the length of an ID in bytes.
const IDLen = 12

// ParseID reads 24 hex digits.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != 2*IDLen {
		return id, fmt.Errorf("id %q: want 24 hex digits", s)
	}
	if _, err := hex.Decode(id[:], []byte(s)); err != nil {
		return ID{}, fmt.Errorf("id %q: want 24 hex digits", s)
	}
	return id, nil
}

// String returns the id as 24 lower-case hex digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// IsZero reports whether id is the zero id, which names nothing.
func (id ID) IsZero() bool { return id == ID{} }

// MarshalText and UnmarshalText write and read the hex form; a zero id is empty.
func (id ID) MarshalText() ([]byte, error) {
	if id.IsZero() {
		return []byte{}, nil
	}
	return []byte(id.String()), nil
}

// LogValue makes a log show an id as its text, without the detour over JSON.
func (id ID) LogValue() slog.Value {
	if id.IsZero() {
		return slog.StringValue("")
	}
	return slog.StringValue(id.String())
}

// UnmarshalText reads what MarshalText writes.
func (id *ID) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*id = ID{}
		return nil
	}
	v, err := ParseID(string(b))
	if err != nil {
		return err
	}
	*id = v
	return nil
}

// Time returns the second the id was made in.
func (id ID) Time() time.Time {
	return time.Unix(int64(binary.BigEndian.Uint32(id[:4])), 0).UTC()
}

// Add returns the id n places after id. The 3-byte counter carries into the
// seconds, so that ids stay ascending however many are made in one second.
func (id ID) Add(n uint64) ID {
	low := uint64(id[9])<<16 | uint64(id[10])<<8 | uint64(id[11])
	low += n
	sec := uint64(binary.BigEndian.Uint32(id[:4])) + low>>24
	out := id
	binary.BigEndian.PutUint32(out[:4], uint32(sec))
	out[9], out[10], out[11] = byte(low>>16), byte(low>>8), byte(low)
	return out
}

// MakeID builds an id from its parts. Only the low 24 bits of counter count.
func MakeID(at time.Time, machine [5]byte, counter uint32) ID {
	var id ID
	binary.BigEndian.PutUint32(id[:4], uint32(at.Unix()))
	copy(id[4:9], machine[:])
	id[9], id[10], id[11] = byte(counter>>16), byte(counter>>8), byte(counter)
	return id
}
