//go:build !unix

package atomicfile

func linkMove(a, b string) error { return Move(a, b) }
