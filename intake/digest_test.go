package intake

import (
	"context"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postroom/postroom/post"
)

// A slowFile takes a second for each read.
type slowFile struct{ *strings.Reader }

func (f slowFile) ReadAt(p []byte, off int64) (int, error) {
	time.Sleep(time.Second)
	return f.Reader.ReadAt(p, off)
}

func TestP5_NothingIsReadThatWasNotHashedYet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		text := strings.Repeat("x", 3<<20) // three reads of the hash
		tr := newTrail(slowFile{strings.NewReader(text)})
		read := make(chan int64, 3)
		for _, off := range []int64{2<<20 + 5, 10, 1<<20 - 1} {
			go func() {
				if _, err := tr.ReadAt(make([]byte, 2), off); err != nil {
					t.Error(err)
				}
				read <- off
			}()
		}
		synctest.Wait()
		begun := time.Now()
		go func() {
			if d, err := tr.hash(t.Context(), int64(len(text))); err != nil || d != post.Digest(sha256.Sum256([]byte(text))) {
				t.Errorf("hash %x: %v", d, err)
			}
		}()
		for i, want := range []int64{10, 1<<20 - 1, 2<<20 + 5} {
			if got := <-read; got != want {
				t.Errorf("read at %d, want %d", got, want)
			}
			// A read of the hash and one of its own.
			if after := time.Duration(i+2) * time.Second; time.Since(begun) != after {
				t.Errorf("byte %d was read after %s, want %s", want, time.Since(begun), after)
			}
		}
	})
}

func TestWhoReadsBehindAHashThatFailsIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			size int64
			stop bool
			want error
		}{
			{5 << 20, false, ErrChanged}, // it has become shorter
			{2 << 20, true, context.Canceled},
		} {
			tr := newTrail(slowFile{strings.NewReader(strings.Repeat("x", 2<<20))})
			ctx, stop := context.WithCancel(t.Context())
			if c.stop {
				stop()
			}
			read := make(chan error)
			go func() {
				_, err := tr.ReadAt(make([]byte, 1), c.size-1)
				read <- err
			}()
			if _, err := tr.hash(ctx, c.size); !errors.Is(err, c.want) {
				t.Errorf("hash of %d bytes: %v, want %v", c.size, err, c.want)
			}
			if err := <-read; !errors.Is(err, c.want) {
				t.Errorf("read of the last of %d bytes: %v, want %v", c.size, err, c.want)
			}
			stop()
		}
	})
}
