package dispatch

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"github.com/postroom/postroom/post"
)

// publish makes one call. The delivery takes in the progress that was saved. The
// error is the queue's, from saving it: then the outcome cannot be recorded
// either.
//
// CallTimeout runs from the start, and anew from each checkpoint and each sign of
// life: a thread of many parts is slow, and so is a film, but alive. The lease is
// kept ahead of it.
func (s *session) publish(pub Publisher, d *post.Delivery) (post.Receipt, *post.Failure, error) {
	ctx, cancel := context.WithCancelCause(s.c.calls)
	defer cancel(nil)
	timer := time.AfterFunc(s.callTime(), func() { cancel(context.DeadlineExceeded) })
	defer timer.Stop()

	var broken error
	save := func(parts []post.Part, state []byte) error {
		if broken != nil {
			return broken
		}
		if parts != nil || state != nil { // else it only says that it gets on
			broken = s.c.queue.Checkpoint(s.c.durable, s.lease, d.Post.ID, parts, state)
		}
		if broken != nil {
			return broken
		}
		if parts != nil {
			d.Post.Parts = slices.Clone(parts)
		}
		if state != nil {
			d.Post.State = slices.Clone(state)
		}
		if broken = s.keepLease(); broken != nil {
			return broken
		}
		timer.Reset(s.callTime())
		return ctx.Err()
	}
	r, f := s.try(func() (post.Receipt, error) { return pub.Publish(ctx, *d, save) })
	return r, f, broken
}

// callTime is how long a call may take that begins now: it must end before the
// lease does.
func (s *session) callTime() time.Duration {
	return min(s.c.cfg.CallTimeout, time.Until(s.lease.Until)-leaseMargin)
}

// keepLease renews a lease that does not outlast one call.
func (s *session) keepLease() error {
	if time.Until(s.lease.Until) >= s.c.cfg.CallTimeout+leaseMargin {
		return nil
	}
	l, err := s.c.queue.Renew(s.c.durable, s.lease, s.c.cfg.LeaseTTL)
	if err == nil {
		s.lease = l
	}
	return err
}

// try runs a publisher's publish or look-up. Whatever goes wrong comes back as a
// failure: a panic, and an error that says nothing of how far the send got, leave
// the post in doubt.
func (s *session) try(fn func() (post.Receipt, error)) (r post.Receipt, f *post.Failure) {
	defer func() {
		if v := recover(); v != nil {
			what := fmt.Sprintf("a value of type %T", v) // its text may hold a token
			if err, ok := v.(runtime.Error); ok {
				what = err.Error()
			}
			s.log.Error("the publisher panicked", "err", what, "stack", string(debug.Stack()))
			r, f = post.Receipt{}, inDoubt("the publisher crashed")
		}
	}()
	r, err := fn()
	return r, asFailure(err)
}

func asFailure(err error) *post.Failure {
	if err == nil {
		return nil
	}
	if f, ok := errors.AsType[*post.Failure](err); ok {
		return f
	}
	return inDoubt(fmt.Sprintf("the publisher gave an error without a class, of type %T", err))
}

func inDoubt(why string) *post.Failure {
	return &post.Failure{Class: post.ClassUnknown, Sent: post.SentMaybe, Message: why}
}
