package post

import "errors"

// What a store says no with; test with errors.Is. A quota that would be broken
// is a [CapExceeded].
var (
	ErrNotFound  = errors.New("not found")
	ErrConflict  = errors.New("changed by somebody else meanwhile")
	ErrDuplicate = errors.New("this very file is already stored")
	ErrFull      = errors.New("the store has reached its greatest size")
	ErrFenced    = errors.New("the lease is over") // another holder may be at work; nothing was written
	ErrState     = errors.New("not possible now")  // the post's state does not allow what was asked
)
