package post

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
)

// Decision is what became of a row when its file was taken. The numbers are
// stored: never reorder them.
type Decision uint8

const (
	Accepted  Decision = iota + 1 // stored, new
	Updated                       // stored, in place of what an earlier revision said; counts as accepted
	Held                          // stored as a draft that waits for a person, with the reason
	Rejected                      // not stored, with the reason
	Unchanged                     // already stored by an earlier file or revision
)

var decisionNames = [...]string{"", "accepted", "updated", "held", "rejected", "unchanged"}

// String returns the word used in reports.
func (d Decision) String() string { return decisionNames[min(int(d), len(decisionNames)-1)] }

// MarshalText writes the word.
func (d Decision) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (d *Decision) UnmarshalText(b []byte) error {
	*d = 0
	for i, n := range decisionNames {
		if n == string(b) {
			*d = Decision(i)
		}
	}
	return nil
}

// A Row is what became of one row of a file or one event of a calendar. Every
// row that was read has exactly one (P4).
type Row struct {
	N           int    // data row, from 1
	Line        int    // physical line of its first byte, from 1
	UID         string // of a calendar event
	Decision    Decision
	Group       ID        // the stored group; zero when rejected
	RequestedAt time.Time // zero for none
	ScheduledAt time.Time // zero for none
	Why         string    // why it moved, is held or unchanged; "" when there is nothing to say
	Problems    []Problem

	// Sequence and ModifiedAt are the revision that a calendar gives an event;
	// zero where it gives none.
	Sequence   int
	ModifiedAt time.Time

	// Key tells the row from others of the same file across revisions, and
	// Version its whole meaning; Twin is the same for the same text on the same
	// connections at the same time, in whatever file.
	Key, Version, Twin uint64
}

// Counts are the totals of a file. Rows = Accepted + Held + Rejected + Unchanged.
type Counts struct {
	Rows      int `json:"rows"`
	Accepted  int `json:"accepted"` // of them Updated replace an earlier revision's
	Updated   int `json:"updated"`
	Held      int `json:"held"`
	Rejected  int `json:"rejected"`
	Unchanged int `json:"unchanged"`
	Posts     int `json:"posts"`   // platform posts of the accepted rows
	Removed   int `json:"removed"` // groups of the earlier revision that this one lacks
	Cancelled int `json:"cancelled"`
	Warnings  int `json:"warnings"`
}

// Count adds one row.
func (c *Counts) Count(d Decision) {
	c.Rows++
	switch d {
	case Accepted:
		c.Accepted++
	case Updated:
		c.Accepted++
		c.Updated++
	case Held:
		c.Held++
	case Rejected:
		c.Rejected++
	case Unchanged:
		c.Unchanged++
	}
}

// Digest is the SHA-256 of a whole file.
type Digest [32]byte

// String returns 64 hexadecimal digits.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// MarshalText writes what String returns.
func (d Digest) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, d[:]), nil }

// UnmarshalText reads what MarshalText writes.
func (d *Digest) UnmarshalText(b []byte) error {
	if len(b) != hex.EncodedLen(len(d)) {
		return fmt.Errorf("digest of %d digits: want 64", len(b))
	}
	_, err := hex.Decode(d[:], b)
	return err
}

// An Import is one file that was taken.
type Import struct {
	ID       ID        `json:"id"`
	Account  AccountID `json:"account"`
	Name     string    `json:"name"`    // of the file as dropped
	Lineage  string    `json:"lineage"` // folder and name: the same again is a new revision
	Format   string    `json:"format"`  // csv, xlsx, ical
	Digest   Digest    `json:"-"`
	Size     int64     `json:"size"`
	TakenAt  time.Time `json:"taken_at"`
	Counts   Counts    `json:"counts"`
	FirstAt  time.Time `json:"first_at,omitzero"` // earliest and latest slot
	LastAt   time.Time `json:"last_at,omitzero"`
	Archive  string    `json:"archive,omitempty"` // the original, relative to the room; "" until it is filed
	Report   string    `json:"report,omitempty"`  // the report's name without its endings, relative to the room
	Previous ID        `json:"previous,omitzero"` // the revision before
	Undone   bool      `json:"undone,omitempty"`
	Options  []byte    `json:"-"` // how the file was read (intake's own record), to read it again the same way
	Notes    []Problem `json:"notes,omitempty"`
}

// LimitExceeded holds the fields of the contract's LimitExceededError (CONTRACT
// §4.4). A nil number or time is a JSON null; context fields are absent when
// they do not apply.
type LimitExceeded struct {
	Title       string     `json:"error"` // "Post limit reached"
	Code        string     `json:"code"`  // POST_LIMIT_REACHED, …
	Metric      string     `json:"metric"`
	Message     string     `json:"message"`
	Limit       *int       `json:"limit"`
	Used        *int       `json:"used"`
	Requested   *int       `json:"requested"`
	Remaining   *int       `json:"remaining"`
	PeriodStart *time.Time `json:"periodStart"`
	PeriodEnd   *time.Time `json:"periodEnd"` // exclusive
	PlanName    string     `json:"planName"`

	Scope               string            `json:"scope,omitempty"` // "connection", else absent
	BlockedPlatforms    []BlockedPlatform `json:"blockedPlatforms,omitempty"`
	ScheduledTime       *time.Time        `json:"scheduledTime,omitempty"`
	MaxScheduledDate    *time.Time        `json:"maxScheduledDate,omitempty"`
	DisallowedPlatforms []Platform        `json:"disallowedPlatforms,omitempty"`
	AllowedPlatforms    []Platform        `json:"allowedPlatforms,omitempty"`
	OverLimitBy         *int              `json:"overLimitBy,omitempty"`
}

// Error returns the message.
func (e *LimitExceeded) Error() string { return e.Message }

// MarshalJSON writes times as the contract does, always with three digits of
// milliseconds: 2026-03-01T00:00:00.000Z (CONTRACT §0).
func (e LimitExceeded) MarshalJSON() ([]byte, error) {
	type plain LimitExceeded
	return json.Marshal(struct {
		plain
		PeriodStart      *contractTime `json:"periodStart"`
		PeriodEnd        *contractTime `json:"periodEnd"`
		ScheduledTime    *contractTime `json:"scheduledTime,omitempty"`
		MaxScheduledDate *contractTime `json:"maxScheduledDate,omitempty"`
	}{
		plain(e), (*contractTime)(e.PeriodStart), (*contractTime)(e.PeriodEnd),
		(*contractTime)(e.ScheduledTime), (*contractTime)(e.MaxScheduledDate),
	})
}

// contractTime is an instant that is written as the contract writes it.
type contractTime time.Time

// MarshalText cuts to milliseconds.
func (t contractTime) MarshalText() ([]byte, error) {
	return time.Time(t).UTC().AppendFormat(nil, "2006-01-02T15:04:05.000Z"), nil
}

// BlockedPlatform is one connection that has no room left.
type BlockedPlatform struct {
	PlatformSelection ConnectionID `json:"platformSelection"`
	Used              int          `json:"used"`
	Remaining         int          `json:"remaining"`
}

// Month is a calendar month in UTC: years since 0 times 12 plus the month from 0.
type Month int32

// MonthOf returns the month that at lies in.
func MonthOf(at time.Time) Month {
	at = at.UTC()
	return Month(at.Year()*12 + int(at.Month()) - 1)
}

// Start returns the first instant of the month; the next month's is its end.
func (m Month) Start() time.Time {
	return time.Date(int(m)/12, time.Month(int(m)%12+1), 1, 0, 0, 0, 0, time.UTC)
}

// Usage counts what an account has promised, in platform posts (CONTRACT §4.2).
type Usage struct {
	Active  map[ConnectionID]int           // scheduled, pending or processing now
	Monthly map[Month]map[ConnectionID]int // by the month of the slot; drafts and what failed without being live do not count
}

// NewUsage returns an empty usage.
func NewUsage() Usage {
	return Usage{Active: map[ConnectionID]int{}, Monthly: map[Month]map[ConnectionID]int{}}
}

// Add counts n more posts on connection c in month m, scheduled and active.
func (u *Usage) Add(c ConnectionID, m Month, n int) {
	u.Active[c] += n
	of := u.Monthly[m]
	if of == nil {
		of = map[ConnectionID]int{}
		u.Monthly[m] = of
	}
	of[c] += n
}
