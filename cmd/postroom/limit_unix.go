//go:build unix

package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// limitMemory bounds by how much, in bytes, the address space of this process may
// still grow. What it has already is much and unlike from build to build: one with
// the race detector reserves some GiB before it begins. Where the system does not
// tell, it is taken for nothing.
func limitMemory(more uint64) error {
	most := more + addressSpace()
	return unix.Setrlimit(unix.RLIMIT_AS, &unix.Rlimit{Cur: most, Max: most})
}

// addressSpace returns how large the address space of this process is, in bytes; 0
// where that is not known.
func addressSpace() uint64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var pages uint64
	if _, err := fmt.Sscan(string(text), &pages); err != nil {
		return 0
	}
	return pages * uint64(os.Getpagesize())
}
