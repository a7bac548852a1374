//go:build unix

package atomicfile

import (
	"errors"
	"os"
	"syscall"
)

// SyncDir makes the names in a folder durable.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func isCrossDevice(err error) bool { return errors.Is(err, syscall.EXDEV) }

// linkThenUnlink gives a file its new name and takes the old one away: unlike a
// rename, a link never replaces anything. A crash in between leaves both names,
// on the same bytes.
func linkThenUnlink(from, to string) error {
	if err := os.Link(from, to); err != nil {
		return err
	}
	return os.Remove(from)
}
