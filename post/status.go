package post

import "fmt"

// Status is where a platform post stands; a group stands in a rollup of its
// posts' ([Rollup]). The zero value is no status. The numbers are stored:
// never reorder them.
type Status uint8

// The statuses, in the order in which a platform post meets them.
const (
	StatusDraft      Status = iota + 1 // not scheduled; a held post is a draft with a reason
	StatusScheduled                    // waits for its due minute
	StatusPending                      // claimed, nothing sent
	StatusProcessing                   // the intent to send is on disk; a call may be under way
	StatusPublished                    // live, with a receipt
	StatusFailed                       // refused, or given up: nothing is live
	StatusUnknown                      // sent, answer lost: a look-up or a person decides
	StatusCancelled                    // taken back before anything was sent
	StatusPartial                      // of groups only: some posts live, some not
)

var statusNames = [...]string{
	"", "draft", "scheduled", "pending", "processing", "published",
	"failed", "unknown", "cancelled", "partially_published",
}

// String returns the name used in reports and in the API, such as "scheduled".
func (s Status) String() string {
	if int(s) < len(statusNames) {
		return statusNames[s]
	}
	return fmt.Sprintf("status(%d)", uint8(s))
}

// ParseStatus reads a name that String returns.
func ParseStatus(name string) (Status, error) {
	for i, n := range statusNames {
		if i > 0 && n == name {
			return Status(i), nil
		}
	}
	return 0, fmt.Errorf("status %q: want one of draft, scheduled, pending, processing, published, failed, unknown, cancelled, partially_published", name)
}

// MarshalText and UnmarshalText write and read the name.
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (s *Status) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*s = 0
		return nil
	}
	v, err := ParseStatus(string(b))
	if err != nil {
		return err
	}
	*s = v
	return nil
}

// next lists what may follow each status. What is published stays published:
// nothing follows it. Failed and unknown move only by a person's word.
var next = map[Status][]Status{
	StatusDraft:      {StatusScheduled, StatusCancelled},
	StatusScheduled:  {StatusDraft, StatusPending, StatusProcessing, StatusCancelled, StatusFailed},
	StatusPending:    {StatusScheduled, StatusProcessing, StatusDraft, StatusCancelled},
	StatusProcessing: {StatusPublished, StatusFailed, StatusUnknown, StatusScheduled},
	StatusFailed:     {StatusScheduled, StatusPublished},
	StatusUnknown:    {StatusScheduled, StatusPublished, StatusFailed},
	StatusCancelled:  {StatusDraft}, // by an undo of what took it back
	StatusPublished:  {},
}

// May reports whether a post in status s may move to status to (DESIGN §3).
func (s Status) May(to Status) bool {
	for _, t := range next[s] {
		if t == to {
			return true
		}
	}
	return false
}

// Editable reports whether a post in status s may still be changed or moved.
func (s Status) Editable() bool { return s == StatusDraft || s == StatusScheduled }

// Open reports whether something may still be sent for a post in status s.
func (s Status) Open() bool {
	return s == StatusScheduled || s == StatusPending || s == StatusProcessing
}

// Final reports whether nothing more happens to a post in status s by itself.
func (s Status) Final() bool {
	return s == StatusPublished || s == StatusFailed || s == StatusUnknown || s == StatusCancelled
}

// Rollup gives the status of a group from those of its posts (CONTRACT §3):
// any post still open makes it scheduled; all drafts, a draft; among finished
// posts all published is published, none published is failed, else partially
// published. While some of several posts are drafts and others are done, it is
// scheduled. Cancelled posts do not count unless all are cancelled. A thread of
// which only a part is live counts as partially published. An unknown post
// counts as not published. A group without posts is a draft.
func Rollup(posts []Post) Status {
	var draft, open, live, dead, cancelled int
	partial := false
	for i := range posts {
		switch s := posts[i].Status; {
		case s == StatusDraft:
			draft++
		case s.Open():
			open++
		case s == StatusPublished:
			live++
		case s == StatusCancelled:
			cancelled++
		default:
			dead++
			partial = partial || posts[i].PartsLive() > 0
		}
	}
	switch {
	case open > 0:
		return StatusScheduled
	case len(posts) == 0, draft > 0 && live == 0 && dead == 0:
		return StatusDraft
	case draft > 0:
		return StatusScheduled
	case live == 0 && dead == 0 && cancelled > 0:
		return StatusCancelled
	case partial:
		return StatusPartial
	case live > 0 && dead == 0:
		return StatusPublished
	case live == 0:
		return StatusFailed
	}
	return StatusPartial
}
