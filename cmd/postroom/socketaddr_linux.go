package main

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// unixAddress returns the address of a socket at path. A path that is too long
// is named through a descriptor of its folder, which must stay open while the
// address is in use: until release is called. ok is false when there is no
// address.
func unixAddress(path string) (addr string, release func(), ok bool) {
	if len(path) <= maxSocketPath {
		return path, func() {}, true
	}
	fd, err := unix.Open(filepath.Dir(path), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", nil, false
	}
	folder := fmt.Sprintf("/proc/self/fd/%d", fd)
	if _, err := os.Stat(folder); err != nil { // no /proc here
		unix.Close(fd)
		return "", nil, false
	}
	return folder + "/" + filepath.Base(path), func() { unix.Close(fd) }, true
}
