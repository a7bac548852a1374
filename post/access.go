package post

import "time"

// An APIKey opens the HTTP API for one account. The key itself is nowhere but
// with whom it was shown to: Hash is enough to know it again, for it holds more
// than enough chance to be guessed.
type APIKey struct {
	ID        string    `json:"id"` // the part of the key before its dot, which is no secret
	Account   AccountID `json:"account"`
	Name      string    `json:"name"`
	Hash      [32]byte  `json:"-"` // SHA-256 of the whole key
	CreatedAt time.Time `json:"created_at"`
	RevokedAt time.Time `json:"revoked_at,omitzero"`
}

// Once makes a request that comes several times take effect one time: what was
// answered is stored in the transaction of the change it asked for.
type Once struct {
	Key     [32]byte            // hash of the caller's key, and of what it is a key for
	Request [32]byte            // hash of what was asked: another under the same key is refused
	Answer  func(*Group) []byte // of the change; runs in its transaction, when ids are known
	KeptFor time.Duration       // how long the answer is kept
}

// Answered is what a request was answered with the first time.
type Answered struct {
	Request [32]byte
	Answer  []byte
}
