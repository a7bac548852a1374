package post

import "time"

// A Lease is the right to send on one connection, until Until. Epoch grows with
// every lease of the connection; every write made under the lease is fenced by
// it. Until holds a monotonic reading of this process. Failing says that the last
// attempts on the connection failed, and made it pause: whoever is new to it must
// know that.
type Lease struct {
	Account    AccountID
	Connection ConnectionID
	Epoch      uint64
	Until      time.Time
	Failing    bool
}

// Done is how an attempt ended, or what a look-up found, as it is recorded.
type Done struct {
	ID      ID
	Status  Status    // Published, Failed, Unknown, or Scheduled to try again
	Receipt *Receipt  // with Published
	Outcome *Outcome  // with the others: why
	RetryAt time.Time // with Scheduled: when
	Snooze  bool      // with Scheduled: the attempt does not count
	Parts   []Part    // when non-nil, replaces the post's
	State   []byte    // when non-nil, replaces the post's checkpoint

	// NotBefore, when later than what is stored, keeps the whole connection
	// from sending until then: pace. PauseWhy makes it a pause that people see.
	NotBefore time.Time
	PauseWhy  string
}

// Found is what a look-up on a platform says about a post whose answer was lost.
type Found struct {
	State   FoundState
	Receipt Receipt // when Present
	Parts   []Part  // of a thread: what is known to be live; nil when not a thread
}

// FoundState is the answer of a look-up. The zero value decides nothing.
type FoundState uint8

const (
	Undecidable FoundState = iota // the platform cannot say
	Present                       // it is live
	Absent                        // the platform says, with authority, that it is not: sending again is safe
)

// Identity is who a connection's credentials belong to.
type Identity struct {
	Username    string    `json:"username"`
	DisplayName string    `json:"display_name,omitempty"`
	ProfileURL  string    `json:"profile_url,omitempty"`
	Permissions []string  `json:"permissions,omitempty"`
	ExpiresAt   time.Time `json:"expires_at,omitzero"` // of the token; zero when it does not expire
}

// ConnectionState is what the store knows of a connection.
type ConnectionState struct {
	Account     AccountID    `json:"account"`
	Connection  ConnectionID `json:"connection"`
	Open        int          `json:"open"`                  // posts that wait
	NextDueAt   time.Time    `json:"next_due_at,omitzero"`  // of the first of them
	NotBefore   time.Time    `json:"not_before,omitzero"`   // paused or paced until
	PauseWhy    string       `json:"pause_why,omitempty"`   // "" when merely paced
	LastSuccess time.Time    `json:"last_success,omitzero"` // of a post
	LastErrorAt time.Time    `json:"last_error_at,omitzero"`
	LastError   string       `json:"last_error,omitempty"`
	ErrorsInRow int          `json:"errors_in_row"` // failed attempts since the last success
	SentHour    int          `json:"sent_hour"`     // posts that went out in the last hour, and day; each part of a thread is one
	SentDay     int          `json:"sent_day"`
}
