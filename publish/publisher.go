package publish

import (
	"context"

	"github.com/postroom/postroom/post"
)

// Save makes progress inside a send durable: the parts of a thread, frozen
// before the first is sent and then with the ids of those that are live, and
// the publisher's own checkpoint. A nil argument keeps what is stored, and nothing
// but nil is a sign of life of a send that takes long. When Save fails the publisher
// must send nothing more.
type Save = func(parts []post.Part, state []byte) error

// A Publisher posts to one connection. Its methods may be called at the same
// time; one post is never published by two calls at once.
type Publisher interface {
	// Validate checks content against the platform's limits without a network.
	// What cannot be published is an error, what will look other than written
	// is a warning. The place of a problem is left to the caller.
	Validate(c *post.Content) []post.Problem

	// Publish makes the delivery live. Called again with the same post it goes
	// on where the saved parts and state say; a platform that honours
	// idempotency keys is given the same key. Every error is a *post.Failure
	// that says how far the send got. It never repeats a request by itself.
	Publish(ctx context.Context, d post.Delivery, save Save) (post.Receipt, error)

	// Check asks the platform who the credentials belong to. Every error is a
	// *post.Failure.
	Check(ctx context.Context) (post.Identity, error)
}

// A Looker can say whether a post whose answer was lost is live.
//
// Present means all of it is. Absent means that sending again is safe: nothing
// of what Parts does not list is live. Of a thread that is live in part, Absent
// comes with the Parts that are; record them and the next Publish goes on after
// them. An error is a *post.Failure and decides nothing.
type Looker interface {
	Lookup(ctx context.Context, d post.Delivery) (post.Found, error)
}

// A Pacer knows how many calls its platform will still take.
type Pacer interface {
	// Pace returns what the last answers said to calls that did not only ask; the
	// zero Pace when nothing is known.
	Pace() Pace
}
