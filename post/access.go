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

// A Job is a file that came through the API to be taken, and what became of it.
type Job struct {
	ID         ID        `json:"id"`
	Account    AccountID `json:"account"`
	Name       string    `json:"name"` // of the file, as it was sent
	File       string    `json:"file"` // where it lies meanwhile, below the folder for uploads
	DryRun     bool      `json:"dry_run"`
	Status     JobStatus `json:"status"`
	CreatedAt  time.Time `json:"created_at"`
	FinishedAt time.Time `json:"finished_at,omitzero"`
	Error      string    `json:"error,omitempty"`
	Outcome    string    `json:"outcome,omitempty"` // taken, duplicate, nothing usable, unusable
	Import     ID        `json:"import,omitzero"`   // what it was stored as
	Counts     Counts    `json:"counts,omitzero"`
	Problems   []Problem `json:"problems,omitempty"` // the first of them
	Omitted    int       `json:"omitted,omitempty"`  // how many more there are
	Report     string    `json:"report,omitempty"`   // the path of its CSV report
}

// JobStatus is how far a job is.
type JobStatus string

// A job waits, is at work, and ends in one of two ways.
const (
	JobQueued   JobStatus = "queued"
	JobRunning  JobStatus = "running"
	JobFinished JobStatus = "finished"
	JobFailed   JobStatus = "failed"
)
