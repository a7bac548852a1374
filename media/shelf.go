package media

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/postroom/postroom/internal/atomicfile"
	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
)

// The folders of a shelf below the media folder.
const (
	pinnedFolder = "pinned"
	madeFolder   = "made"
)

// A Shelf is the part of the media folder that holds files by their content. Its
// methods may be called at the same time.
type Shelf struct {
	dir string

	mu     sync.Mutex    // a file is not swept while it is taken again
	making chan struct{} // one picture is decoded at a time: each may need much memory
}

// OpenShelf returns the shelf in the media folder dir, and makes its folders.
func OpenShelf(dir string) (*Shelf, error) {
	for _, f := range []string{pinnedFolder, madeFolder} {
		if err := os.MkdirAll(filepath.Join(dir, f), 0o755); err != nil {
			return nil, fmt.Errorf("open media folder: %w", err)
		}
	}
	return &Shelf{dir: dir, making: make(chan struct{}, 1)}, nil
}

// A Refusal says why a file is not taken or cannot be given out, in words for
// people. It is final: the same file is refused again.
type Refusal struct {
	Why   string
	Large bool // it has more bytes than are taken
}

func (e *Refusal) Error() string { return e.Why }

// Refused tells a Refusal from other errors where this package is not known.
func (e *Refusal) Refused() {}

func refuse(format string, args ...any) error { return &Refusal{Why: fmt.Sprintf(format, args...)} }

// Put takes what r gives, of at most most bytes, and returns what it is. The file
// is on disk, durably, when Put returns. name is what platforms are told.
//
// The error is a *[Refusal] when the file will never do, else that of r or the
// disk.
func (s *Shelf) Put(ctx context.Context, r io.Reader, name string, most int64) (post.Pin, error) {
	f, err := atomicfile.Create(filepath.Join(s.dir, pinnedFolder, "incoming"))
	if err != nil {
		return post.Pin{}, err
	}
	defer f.Discard() // nothing is left to do once it is in place
	h := sha256.New()
	size, err := io.Copy(io.MultiWriter(f, h), &reader{ctx, io.LimitReader(r, most+1)})
	if err != nil {
		return post.Pin{}, err
	}
	if size > most {
		return post.Pin{}, &Refusal{Why: "it has more than " + limits.SizeText(most), Large: true}
	}
	p, err := Probe(f, size)
	if err != nil {
		return post.Pin{}, err
	}
	p.Hash, p.Name = post.Digest(h.Sum(nil)), nameFor(name, p.Type)
	return p, s.shelve(f, p.Hash, size)
}

// shelve gives a file its place, unless the same is there.
func (s *Shelf) shelve(f *atomicfile.File, hash post.Digest, size int64) error {
	if err := f.Prepare(); err != nil {
		return err
	}
	to := s.path(hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	if info, err := os.Stat(to); err == nil && info.Size() == size {
		now := time.Now()
		return os.Chtimes(to, now, now) // it is as good as new to Sweep
	}
	if err := makeFolder(filepath.Dir(to)); err != nil {
		return err
	}
	return f.CommitAs(to)
}

// makeFolder makes a folder durably.
func makeFolder(dir string) error {
	if err := os.Mkdir(dir, 0o755); errors.Is(err, fs.ErrExist) {
		return nil
	} else if err != nil {
		return err
	}
	return atomicfile.SyncDir(filepath.Dir(dir))
}

func (s *Shelf) path(hash post.Digest) string {
	name := hash.String()
	return filepath.Join(s.dir, pinnedFolder, name[:2], name)
}

// Open opens a file that was put. The error wraps fs.ErrNotExist when it is gone.
func (s *Shelf) Open(p *post.Pin) (*os.File, error) {
	f, err := os.Open(s.path(p.Hash))
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || info.Size() != p.Size {
		f.Close() // it was only read: why it is of no use counts more
		return nil, fmt.Errorf("media file %s is damaged: it should have %d bytes", p.Hash, p.Size)
	}
	return f, nil
}

// Whole reports whether a file that was put is there, with every byte of it. The
// error wraps fs.ErrNotExist when it is gone.
func (s *Shelf) Whole(ctx context.Context, p *post.Pin) error {
	f, err := s.Open(p)
	if err != nil {
		return err
	}
	defer f.Close() // it was only read
	h := sha256.New()
	if _, err := io.Copy(h, &reader{ctx, f}); err != nil {
		return err
	}
	if post.Digest(h.Sum(nil)) != p.Hash {
		return fmt.Errorf("media file %s is damaged", p.Hash)
	}
	return nil
}

// OpenName opens a file by its name on the shelf, as [Shelf.Open] and [Shelf.Fit]
// give it, whatever folder it lies in.
func (s *Shelf) OpenName(name string) (*os.File, error) {
	digits, more, _ := strings.Cut(name, "-")
	var hash post.Digest
	if err := hash.UnmarshalText([]byte(digits)); err != nil || hash.String() != digits || filepath.Base(name) != name {
		return nil, fs.ErrNotExist
	}
	if more == "" {
		return os.Open(s.path(hash))
	}
	return os.Open(filepath.Join(s.dir, madeFolder, digits[:2], name))
}

// Sweep removes the files that used does not name and that nobody has put or made
// since before. It returns how many went, and their bytes. Files that were put and
// whose post is not stored yet are kept by their age.
func (s *Shelf) Sweep(ctx context.Context, used func(post.Digest) bool, before time.Time) (files int, bytes int64, err error) {
	var errs []error
	for _, folder := range []string{pinnedFolder, madeFolder} {
		err := filepath.WalkDir(filepath.Join(s.dir, folder), func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return errors.Join(err, ctx.Err())
			}
			name, _, _ := strings.Cut(e.Name(), "-")
			var hash post.Digest
			leftover := strings.HasPrefix(e.Name(), ".postroom-") && strings.HasSuffix(e.Name(), ".tmp")
			if !leftover && (hash.UnmarshalText([]byte(name)) != nil || used(hash)) {
				return nil
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			info, err := os.Lstat(path)
			if errors.Is(err, fs.ErrNotExist) || err == nil && (!info.Mode().IsRegular() || !info.ModTime().Before(before)) {
				return nil
			}
			if err = errors.Join(err, os.Remove(path)); err != nil {
				errs = append(errs, err)
				return nil
			}
			files++
			bytes += info.Size()
			return nil
		})
		errs = append(errs, err)
	}
	return files, bytes, errors.Join(errs...)
}

// reader ends with ctx.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r *reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// endings are the file name endings of the types that are taken.
var endings = map[string]string{
	typeJPEG: ".jpg", typePNG: ".png", typeGIF: ".gif", typeWebP: ".webp", typeBMP: ".bmp", typeTIFF: ".tiff",
	typeAVIF: ".avif", typeHEIC: ".heic", typeMP4: ".mp4", typeMOV: ".mov", typeWebM: ".webm", typeMKV: ".mkv", typeAVI: ".avi",
}

// mostName is how long a name is that platforms are told.
const mostName = 100

// nameFor returns a name that every platform and file system takes, with the
// ending that the type has.
func nameFor(name, mime string) string {
	name = filepath.Base(strings.ReplaceAll(name, `\`, "/"))
	name = strings.TrimSuffix(name, filepath.Ext(name))
	name = strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
			return r
		}
		return '_'
	}, name), "._-")
	if len(name) > mostName {
		name = name[:mostName]
	}
	if name == "" {
		name = "media"
	}
	return name + endings[mime]
}
