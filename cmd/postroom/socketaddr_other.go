//go:build !linux

package main

import "runtime"

// unixAddress returns the address of a socket at path. ok is false when there is
// none: on Windows, and for a path that is too long.
func unixAddress(path string) (addr string, release func(), ok bool) {
	return path, func() {}, runtime.GOOS != "windows" && len(path) <= maxSocketPath
}
