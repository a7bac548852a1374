package post

import (
	"fmt"
	"time"
)

// A Cap is the most platform posts a count may reach, checked in the same
// transaction that adds to it (P6).
type Cap struct {
	Connection ConnectionID // "" for the whole account
	Month      Month        // 0 for the posts scheduled now
	Max        int
}

// Next is the answer of a queue that was asked for the next due post.
type Next struct {
	Delivery Delivery
	OK       bool      // false: nothing is to be sent now
	Wait     time.Time // when not OK: when to ask again; zero when nothing is open
	Held     []Post    // posts found past their grace and held just now
	Failed   []Post    // posts given up just now, as media of theirs never came
}

// LogEntry is one event in the life of a group (CONTRACT §2.8).
type LogEntry struct {
	ID        ID        `json:"id"`
	Group     ID        `json:"group"`
	Post      ID        `json:"post,omitzero"` // zero for an event of the whole group
	Platform  Platform  `json:"platform,omitempty"`
	Event     string    `json:"event"` // scheduled, processing, publish_attempted, publish_succeeded, publish_failed, status_changed
	Error     string    `json:"error,omitempty"`
	Status    int       `json:"http_status,omitempty"`
	Attempt   int       `json:"attempt,omitempty"`
	Who       string    `json:"who,omitempty"` // the person or key that asked for it
	At        time.Time `json:"at"`
	ErrorCode string    `json:"error_code,omitempty"`
	Retryable bool      `json:"retryable,omitempty"`
}

// What a LogEntry says of a group that became a draft, or was one and stays one.
const (
	LogDraftMade = "created as a draft"
	LogDraftKept = "kept as a draft"
)

// DirtyImport is an import whose posts changed after its report was written.
type DirtyImport struct {
	Import  ID
	Changes uint64 // grows with each change; tells whether more came while the report was written
}

// Replaced is a group that a revision took back, and the one that came in its
// place: zero where its row was gone.
type Replaced struct {
	Group ID
	By    ID
}

// Match is a row of an earlier import that carries a hash that was asked for.
type Match struct {
	At      int // index into the hashes asked for; -1 where none was
	Import  ID
	Row     int
	Group   ID
	Version uint64 // of a key's match: what the row said
}

// Seal is what makes a staged import live, all in one step.
type Seal struct {
	Import  Import
	Caps    []Cap
	Replace []ID // groups that updated rows stand in for: cancelled, if still editable
	Cancel  []ID // groups whose row is gone: cancelled, if still editable
	Behind  bool // its report says less than the store: it is to be written again
}

// CapExceeded says which cap a change would break.
type CapExceeded struct {
	Cap
	Used, Requested int
}

// Error names the cap and the counts.
func (e *CapExceeded) Error() string {
	of := "the account"
	if e.Connection != "" {
		of = string(e.Connection)
	}
	return fmt.Sprintf("quota of %s: %d used and %d more asked for, at most %d", of, e.Used, e.Requested, e.Max)
}

// Filter selects groups; a zero field selects all.
type Filter struct {
	Account     AccountID
	Connections []ConnectionID // any of them
	Statuses    []Status       // rollup, any of them
	Import      ID
	From, To    time.Time // of the slot; To is exclusive
	Held        bool      // only those that wait for a person
}

// A Query asks for one page of an account's groups, in an order. Groups that were
// deleted, or taken back whole, are left out.
type Query struct {
	Account  AccountID
	Status   Status       // the rollup; 0 for any
	Platform Platform     // of any of its posts; "" for any
	On       ConnectionID // of any of its posts; "" for any
	From, To time.Time    // bounds of the slot, both inclusive; with one, groups without a slot drop out
	By       Order
	Upward   bool // the smallest first
	Offset   int
	Limit    int // 0 for all
}

// Order is what a list is sorted by; equals are sorted by their ids.
type Order uint8

const (
	ByCreation Order = iota
	ByUpdate
	BySlot // groups without one are the smallest
)
