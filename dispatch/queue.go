package dispatch

import (
	"context"
	"time"

	"github.com/postroom/postroom/post"
)

// A Queue keeps posts and hands them out, one lease of a connection at a time.
// Every method that writes is durable when it returns. An error that wraps
// [post.ErrFenced] ends the work on that connection; any other means that the
// queue is broken.
type Queue interface {
	// Acquire leases at most most connections that have something due, are not
	// leased and not paused, each with the next epoch, for ttl.
	Acquire(ctx context.Context, ttl time.Duration, most int) ([]post.Lease, error)

	// Next records done, when it is not nil, holds posts found later than late
	// after their time (0: none), and writes the intent to send the next due
	// post, all in one step. The post it returns is processing, with the
	// attempt counted.
	Next(ctx context.Context, l post.Lease, done *post.Done, late time.Duration) (post.Next, error)

	// Finish records how an attempt under this lease ended.
	Finish(ctx context.Context, l post.Lease, d post.Done) error

	// Orphans returns the posts of the connection that an older epoch left in
	// flight; Adopt records what became of one.
	Orphans(ctx context.Context, l post.Lease) ([]post.Delivery, error)
	Adopt(ctx context.Context, l post.Lease, d post.Done) error

	// Checkpoint records progress inside a send. A nil argument keeps what is
	// stored.
	Checkpoint(ctx context.Context, l post.Lease, id post.ID, parts []post.Part, state []byte) error

	// Renew lengthens a lease to ttl from now; Release gives it back.
	Renew(ctx context.Context, l post.Lease, ttl time.Duration) (post.Lease, error)
	Release(ctx context.Context, l post.Lease) error

	// NextDue returns when the next connection that is not leased has work;
	// false when none has. It is asked often and must be cheap.
	NextDue(ctx context.Context) (time.Time, bool, error)
}

// A Publisher makes posts of one connection live. Publish must return soon after
// its context ends, and must send nothing more once save has failed. A save of
// nothing is a sign of life. An error is a *post.Failure that says how far the send
// got; any other is in doubt, and its text is kept from logs and reports as it may
// hold secrets.
type Publisher interface {
	Publish(ctx context.Context, d post.Delivery, save func(parts []post.Part, state []byte) error) (post.Receipt, error)
}

// A Prober is a Publisher that can be asked whether it could publish. A connection
// that paused is asked before it is given a post again. Its errors are as those of
// Publish.
type Prober interface {
	Check(ctx context.Context) (post.Identity, error)
}

// A Looker is a Publisher that can say whether a post in doubt is live. Absent
// means that sending again is safe; of a thread, it comes with the parts that
// are live. An error decides nothing.
type Looker interface {
	Lookup(ctx context.Context, d post.Delivery) (post.Found, error)
}
