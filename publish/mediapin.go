package publish

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/postroom/postroom/post"
)

// MostMedia is how many bytes a file may have that is taken: 4 GiB, the most that
// a platform but YouTube takes.
const MostMedia = 4 << 30

// mostFetch is how long a URL may take to be fetched.
const mostFetch = 10 * time.Minute

// Pin takes what ref names into the room, and says what it is. ref is a URL, or
// the path of a file: beside the one that names it, in the folder beside (nil for
// none), or below the media folder. No path and no link leads out of either.
//
// The error is a *post.Failure; where it is retryable, the same may work later.
func (m *MediaRoom) Pin(ctx context.Context, ref string, beside *os.Root) (post.Pin, error) {
	if m.shelf == nil {
		return post.Pin{}, mediaFailure(post.ClassInvalid, ref, errors.New("there is no media folder"))
	}
	if isURL(ref) {
		return m.pinURL(ctx, ref)
	}
	file, err := openBeside(ref, beside, m.root)
	if err != nil {
		return post.Pin{}, mediaFailure(post.ClassInvalid, ref, err)
	}
	defer file.Close() // it was only read
	return m.put(ctx, ref, file)
}

func (m *MediaRoom) pinURL(ctx context.Context, ref string) (post.Pin, error) {
	ctx, cancel := context.WithTimeout(ctx, mostFetch)
	defer cancel()
	resp, err := m.get(ctx, ref)
	if err != nil {
		return post.Pin{}, err
	}
	defer resp.Body.Close()
	if resp.ContentLength > MostMedia {
		return post.Pin{}, tooLarge(ref, resp.ContentLength, MostMedia)
	}
	return m.put(ctx, ref, resp.Body)
}

// Put takes what came inside another file into the room, as [MediaRoom.Pin] does;
// ref is its name there.
func (m *MediaRoom) Put(ctx context.Context, ref string, r io.Reader) (post.Pin, error) {
	if m.shelf == nil {
		return post.Pin{}, mediaFailure(post.ClassInvalid, ref, errors.New("there is no media folder"))
	}
	return m.put(ctx, ref, r)
}

func (m *MediaRoom) put(ctx context.Context, ref string, r io.Reader) (post.Pin, error) {
	p, err := m.shelf.Put(ctx, r, mediaName(ref), MostMedia)
	if err != nil {
		return post.Pin{}, shelfFailure(ref, err)
	}
	return p, nil
}

// openBeside opens a regular file in the first of the folders that has it, without
// waiting for anybody, should it be a pipe.
func openBeside(ref string, folders ...*os.Root) (*os.File, error) {
	name := filepath.Clean(filepath.FromSlash(ref))
	if ref == "" || !filepath.IsLocal(name) {
		return nil, errors.New("not a path below the calendar's folder or the media folder")
	}
	why := errors.New("no such file beside the calendar or in the media folder")
	for _, folder := range folders {
		if folder == nil {
			continue
		}
		file, err := folder.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			why = fmt.Errorf("the file cannot be opened: %w", cause(err))
			continue
		}
		info, err := file.Stat()
		if err == nil && info.Mode().IsRegular() {
			return file, nil
		}
		file.Close() // it was only looked at
		why = errors.New("not a regular file")
	}
	return nil, why
}

// cause is what a file system error says without the path that stands beside it
// anyway.
func cause(err error) error {
	if p, ok := errors.AsType[*os.PathError](err); ok {
		return p.Err
	}
	return err
}
