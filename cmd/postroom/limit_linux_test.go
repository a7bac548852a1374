package main

import (
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

// reserve takes up address space, in bytes, and no memory.
func reserve(size int) error {
	_, err := unix.Mmap(-1, 0, size, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE)
	return err
}

// TestTheLimitOfMemoryCountsWhatIsAdded: a process that has reserved more than the
// limit already can still work, as doctor's does with the race detector, and is
// stopped when it takes more than it may.
func TestTheLimitOfMemoryCountsWhatIsAdded(t *testing.T) {
	const inChild = "POSTROOM_LIMIT_CHILD"
	if os.Getenv(inChild) == "" { // a limit cannot be taken back
		t.Parallel()
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), inChild+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
		return
	}
	if err := reserve(4 << 30); err != nil {
		t.Fatal(err)
	}
	if err := limitMemory(2 << 30); err != nil {
		t.Fatal(err)
	}
	if err := reserve(1 << 30); err != nil {
		t.Errorf("within the limit: %v", err)
	}
	if err := reserve(2 << 30); err == nil {
		t.Error("it took more than it may")
	}
}
