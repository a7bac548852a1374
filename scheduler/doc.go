// Package scheduler gives drafts their times: it spreads them out, keeps them
// clear of what is planned already, and simulates the quotas of the account's
// plan.
//
// It is pure. It knows no clock, does no I/O, starts no goroutine, and equal
// inputs give equal plans (P9). Whether a row is stored, and what a person reads
// about it, is not its business; what a post may hold neither.
//
// Start reading at [Plan] and [Rules]; board.go has the search for a free
// minute.
package scheduler
