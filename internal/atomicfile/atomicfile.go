// Package atomicfile writes files that are whole or absent, and moves files
// without ever replacing another: a reader or a crash never sees half of one.
package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// tempPrefix and tempSuffix are how files are called that are not whole yet.
const (
	tempPrefix = ".postroom-"
	tempSuffix = ".tmp"
)

// A File is being written beside the place where it will be. It belongs to one
// goroutine.
type File struct {
	f    *os.File
	path string
	open bool
	over bool // committed or discarded
}

// Create begins a file that is to be at path. Nothing is there before Commit.
func Create(path string) (*File, error) {
	f, err := os.CreateTemp(filepath.Dir(path), tempPrefix+"*"+tempSuffix)
	if err != nil {
		return nil, err
	}
	return &File{f: f, path: path, open: true}, nil
}

// Path returns where the file will be.
func (f *File) Path() string { return f.path }

// Write implements io.Writer.
func (f *File) Write(p []byte) (int, error) { return f.f.Write(p) }

// ReadAt implements io.ReaderAt, for what was written so far.
func (f *File) ReadAt(p []byte, at int64) (int, error) { return f.f.ReadAt(p, at) }

// CommitAs is Commit at another path, on the same file system: that of a file
// whose name comes from what is in it.
func (f *File) CommitAs(path string) error {
	f.path = path
	return f.Commit()
}

// Prepare makes what was written durable, still under its temporary name. After
// it only Commit and Discard make sense.
func (f *File) Prepare() error {
	if !f.open {
		return nil
	}
	f.open = false
	if err := errors.Join(f.f.Chmod(0o644), f.f.Sync(), f.f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", f.path, err)
	}
	return nil
}

// Commit makes the file whole at its path, in place of what was there, durably.
func (f *File) Commit() error {
	if f.over {
		return fmt.Errorf("write %s: it is over", f.path)
	}
	if err := f.Prepare(); err != nil {
		return err
	}
	if err := os.Rename(f.f.Name(), f.path); err != nil {
		return err
	}
	f.over = true
	return SyncDir(filepath.Dir(f.path))
}

// Discard forgets what was written. It does nothing after Commit.
func (f *File) Discard() error {
	if f.over {
		return nil
	}
	f.over = true
	var err error
	if f.open {
		f.open = false
		err = f.f.Close()
	}
	return errors.Join(err, os.Remove(f.f.Name()))
}

// WriteFile writes a whole file in one step.
func WriteFile(path string, data []byte, mode fs.FileMode) error {
	f, err := Create(path)
	if err != nil {
		return err
	}
	defer f.Discard() // nothing is left to do once it is committed
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := f.Prepare(); err != nil {
		return err
	}
	if err := os.Chmod(f.f.Name(), mode); err != nil {
		return err
	}
	return f.Commit()
}

// Move moves a file to a name that nothing has, durably, and fails with an error
// that wraps fs.ErrExist when something has it. Across file systems it copies,
// and removes the original once the copy is on disk.
func Move(from, to string) error {
	err := renameNew(from, to)
	if isCrossDevice(err) {
		err = moveByCopy(from, to)
	}
	if err != nil {
		return err
	}
	return errors.Join(SyncDir(filepath.Dir(to)), syncIfThere(filepath.Dir(from)))
}

// syncIfThere makes a removal durable; a folder that is gone needs nothing.
func syncIfThere(dir string) error {
	if err := SyncDir(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Copy copies a file whole to a name that nothing has.
func Copy(from, to string) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	f, err := Create(to)
	if err != nil {
		return err
	}
	defer f.Discard() // nothing is left to do once it is in place
	if _, err := io.Copy(f.f, src); err != nil {
		return err
	}
	if err := f.Prepare(); err != nil {
		return err
	}
	if err := renameNew(f.f.Name(), to); err != nil {
		return err
	}
	f.over = true
	return SyncDir(filepath.Dir(to))
}

func moveByCopy(from, to string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if err := Copy(from, to); err != nil {
		return err
	}
	if err := os.Chtimes(to, time.Time{}, info.ModTime()); err != nil {
		return err
	}
	return os.Remove(from)
}

// Sweep removes what crashed writers left in a folder under temporary names.
func Sweep(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		if n := e.Name(); strings.HasPrefix(n, tempPrefix) && strings.HasSuffix(n, tempSuffix) && e.Type().IsRegular() {
			errs = append(errs, os.Remove(filepath.Join(dir, n)))
		}
	}
	return errors.Join(errs...)
}
