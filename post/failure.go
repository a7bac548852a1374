package post

import (
	"fmt"
	"time"
)

// Class says what kind of failure an attempt ended in, and so what to do next.
// The numbers are stored: never reorder them.
type Class uint8

const (
	ClassUnknown Class = iota // nothing is known: treat as in doubt
	ClassAuth                 // token or permission refused: a person must act
	ClassRate                 // throttled: wait for After
	ClassInvalid              // the content is refused: final
	ClassLarge                // too big: final
	ClassServer               // the platform broke
	ClassNetwork              // no connection
	ClassTimeout              // no answer in time
)

var classCodes = [...]string{
	"UNKNOWN_ERROR", "PLATFORM_AUTH_EXPIRED", "RATE_LIMITED", "INVALID_CONTENT",
	"CONTENT_TOO_LARGE", "PLATFORM_SERVER_ERROR", "NETWORK_ERROR", "TIMEOUT_ERROR",
}

// String returns the public error code of the contract (CONTRACT §6.2).
func (c Class) String() string {
	if int(c) < len(classCodes) {
		return classCodes[c]
	}
	return classCodes[0]
}

// Sent says how far a failed call got. It decides whether sending again is safe.
type Sent uint8

const (
	SentMaybe Sent = iota // the request may have been acted on: never resend blindly
	SentNot               // nothing left this machine
	Refused               // the platform answered no: nothing is live
)

// String returns "maybe", "not sent" or "refused".
func (s Sent) String() string { return [...]string{"maybe", "not sent", "refused"}[min(int(s), 2)] }

// Scope says what a failure should pause.
type Scope uint8

const (
	ScopePost       Scope = iota // this post only
	ScopeConnection              // everything on the connection
)

// CodeMediaMissing is the error code of a post that was not sent as media of it never
// came (CONTRACT §2.9, item 5; the list of codes of §6.2 is open).
const CodeMediaMissing = "MEDIA_NOT_UPLOADED"

// CodeOutcomeUnknown is the public error code of a post whose outcome is unknown.
const CodeOutcomeUnknown = "OUTCOME_UNKNOWN"

// CodeAtRisk is the code of what was found before a post is due, see [Risk].
const CodeAtRisk = "POST_AT_RISK"

// A Failure is the error a publisher returns: what happened, how far it got, and
// when to try again. Message must hold no secret.
type Failure struct {
	Class   Class
	Sent    Sent
	Scope   Scope
	Status  int           // HTTP status, 0 without an answer
	Message string        // for people, from the platform where it has words
	Copy    bool          // with SentMaybe: refused as a copy of what is there, so that "not here" is not believed
	After   time.Duration // wait at least so long; 0 when the platform did not say
	Err     error         // the cause, for logs; may be nil
}

// Error returns class, status and message.
func (f *Failure) Error() string {
	if f.Status != 0 {
		return fmt.Sprintf("%s (HTTP %d): %s", f.Class, f.Status, f.Message)
	}
	return fmt.Sprintf("%s: %s", f.Class, f.Message)
}

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

// Retryable reports whether the same send may be tried again without a look-up:
// nothing was sent, or the platform refused it for now.
func (f *Failure) Retryable() bool {
	switch f.Sent {
	case SentNot:
		return f.Class == ClassNetwork || f.Class == ClassTimeout || f.Class == ClassServer || f.Class == ClassRate
	case Refused:
		return f.Class == ClassRate || f.Class == ClassServer
	}
	return false
}

// InDoubt reports whether the post may be live all the same.
func (f *Failure) InDoubt() bool { return f.Sent == SentMaybe }
