//go:build unix && !linux

package atomicfile

func renameNew(from, to string) error { return linkThenUnlink(from, to) }
