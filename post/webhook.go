package post

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// The events that a webhook may be told of (CONTRACT §7), and one of ours: that
// something will keep a post from going out unless somebody acts.
const (
	EventScheduled = "post.scheduled"
	EventPublished = "post.published"
	EventFailed    = "post.failed"
	EventExpiring  = "token.expiring"
	EventAtRisk    = "post.at_risk"
)

// Events are all events there are, the contract's first and in its order;
// ContractEvents are those that the contract knows.
var (
	Events         = []string{EventScheduled, EventPublished, EventFailed, EventExpiring, EventAtRisk}
	ContractEvents = Events[:4:4]
)

// A Webhook is a URL of an account's that is told of events.
type Webhook struct {
	ID        ID        `json:"id"`
	Account   AccountID `json:"account"`
	Name      string    `json:"name"`
	URL       string    `json:"url"`
	Events    []string  `json:"events"`
	Secret    []byte    `json:"secret"` // that deliveries are signed with; sealed, never readable
	Active    bool      `json:"active"`
	Failures  int       `json:"failures"`                   // attempts in a row that failed
	NextAt    time.Time `json:"next_at,omitzero"`           // nothing is sent before; zero for at once
	LastAt    time.Time `json:"last_triggered_at,omitzero"` // of an attempt
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// Wants reports whether w is to be told of an event.
func (w *Webhook) Wants(event string) bool { return w.Active && slices.Contains(w.Events, event) }

// A Notice is one event on its way to one webhook. Its ID and Body are the same at
// every attempt.
type Notice struct {
	Key   []byte // where the store keeps it
	ID    ID
	Event string
	At    time.Time
	Body  []byte // what is signed and sent, to the byte
}

// An Event is something that an account's webhooks may be told of. Data becomes
// the data of its body; its fields are written in their order.
type Event struct {
	Name string
	At   time.Time
	Data any
}

// A Milli is an instant as the contract writes it: UTC, with three digits of the
// second (CONTRACT §0).
type Milli time.Time

// MarshalJSON implements [json.Marshaler].
func (m Milli) MarshalJSON() ([]byte, error) {
	return time.Time(m).UTC().AppendFormat(nil, `"2006-01-02T15:04:05.000Z"`), nil
}

// ScheduledData, PublishedData, FailedData and ExpiringData are what the events
// say (CONTRACT §7), AtRiskData what ours does.
type (
	ScheduledData struct {
		PostID      ID       `json:"postId"`
		PostGroupID ID       `json:"postGroupId"`
		Platform    Platform `json:"platform"`
		ScheduledAt Milli    `json:"scheduledAt"`
	}
	PublishedData struct {
		PostID      ID       `json:"postId"`
		PostGroupID ID       `json:"postGroupId"`
		Platform    Platform `json:"platform"`
		PublishedAt Milli    `json:"publishedAt"`
	}
	FailedData struct {
		PostID      ID         `json:"postId"`
		PostGroupID ID         `json:"postGroupId"`
		Platform    Platform   `json:"platform"`
		Error       EventError `json:"error"`
		FailedAt    Milli      `json:"failedAt"`
	}
	ExpiringData struct {
		Platform   Platform     `json:"platform"`
		PlatformID ConnectionID `json:"platformId"`
		Username   string       `json:"username"`
		ExpiresAt  Milli        `json:"expiresAt"`
	}
	AtRiskData struct {
		PostID      ID           `json:"postId"`
		PostGroupID ID           `json:"postGroupId"`
		Platform    Platform     `json:"platform"`
		ScheduledAt Milli        `json:"scheduledAt"`
		Problems    []EventError `json:"problems"`
	}
	EventError struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
)

// A Risk is what will keep a post that waits from going out, as it was found
// before its time; without problems, that nothing will.
type Risk struct {
	ID       ID // of the post
	Problems []EventError
}

// Body returns the event as it is sent: compact JSON, with nothing escaped that
// JavaScript's JSON.stringify would not escape, because the contract's receivers
// parse a body and write it again to check its signature (CONTRACT §7).
func (e *Event) Body() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(struct {
		Event     string `json:"event"`
		Timestamp Milli  `json:"timestamp"`
		Data      any    `json:"data"`
	}{e.Name, Milli(e.At), e.Data})
	return unescape(bytes.TrimSuffix(b.Bytes(), []byte("\n"))), err
}

// unescape writes the characters raw that package json escapes in any case.
func unescape(b []byte) []byte {
	if !bytes.Contains(b, []byte(`\u`)) {
		return b
	}
	raw := strings.NewReplacer(`\\`, `\\`, `\u2028`, "\u2028", `\u2029`, "\u2029", `\ufffd`, "\ufffd")
	return []byte(raw.Replace(string(b)))
}
