//go:build unix

package main

import "golang.org/x/sys/unix"

// limitMemory bounds the address space of this process, in bytes.
func limitMemory(most uint64) error {
	return unix.Setrlimit(unix.RLIMIT_AS, &unix.Rlimit{Cur: most, Max: most})
}
