package post

import "errors"

// What a store says no with; test with errors.Is. A quota that would be broken
// is a [CapExceeded].
var (
	ErrNotFound  = errors.New("not found")
	ErrConflict  = errors.New("changed by somebody else meanwhile")
	ErrDuplicate = errors.New("this very file is already stored")
)
