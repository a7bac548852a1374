//go:build !unix

package sandbox

// syncFolder does nothing: a folder cannot be synced here.
func (p *Publisher) syncFolder(string) error { return nil }
