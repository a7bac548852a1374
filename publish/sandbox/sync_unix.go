//go:build unix

package sandbox

import (
	"errors"
	"path"
)

// syncFolder makes the entry of name in its folder durable.
func (p *Publisher) syncFolder(name string) error {
	dir, err := p.root.Open(path.Dir(name))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
