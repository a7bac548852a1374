package intake

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"math"
	"sync"

	"github.com/postroom/postroom/post"
)

// Digest hashes a whole file. It returns [ErrChanged] when the file has become
// shorter.
func Digest(ctx context.Context, r io.ReaderAt, size int64) (post.Digest, error) {
	return digest(ctx, r, size, func(int64) {})
}

// digest calls passed with how far it has come.
func digest(ctx context.Context, r io.ReaderAt, size int64, passed func(int64)) (post.Digest, error) {
	h := sha256.New()
	buf := make([]byte, 1<<20)
	for at := int64(0); at < size; {
		if err := ctx.Err(); err != nil {
			return post.Digest{}, err
		}
		n, err := r.ReadAt(buf[:min(int64(len(buf)), size-at)], at)
		h.Write(buf[:n])
		at += int64(n)
		passed(at)
		switch {
		case at == size:
		case errors.Is(err, io.EOF):
			return post.Digest{}, ErrChanged
		case err != nil:
			return post.Digest{}, err
		}
	}
	return post.Digest(h.Sum(nil)), nil
}

// A trail is a file that is read while it is hashed. What of it was not hashed yet is
// waited for, so that nothing is read that may have changed before the hash saw it.
type trail struct {
	file io.ReaderAt

	mu     sync.Mutex
	moved  *sync.Cond
	hashed int64 // all before it
	err    error // of the hash
}

func newTrail(file io.ReaderAt) *trail {
	t := &trail{file: file}
	t.moved = sync.NewCond(&t.mu)
	return t
}

// hash hashes the whole file, once. When it returns nobody waits any more.
func (t *trail) hash(ctx context.Context, size int64) (post.Digest, error) {
	d, err := digest(ctx, t.file, size, func(at int64) { t.reach(at, nil) })
	t.reach(math.MaxInt64, err)
	return d, err
}

func (t *trail) reach(at int64, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.hashed, t.err = at, err
	t.moved.Broadcast()
}

// ReadAt implements io.ReaderAt. Once the hash has failed, so does it.
func (t *trail) ReadAt(p []byte, off int64) (int, error) {
	t.mu.Lock()
	for t.hashed < off+int64(len(p)) {
		t.moved.Wait()
	}
	err := t.err
	t.mu.Unlock()
	if err != nil {
		return 0, err
	}
	return t.file.ReadAt(p, off)
}
