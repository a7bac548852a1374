package media

import (
	"bytes"
	"context"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/post"
)

func crc(b []byte) uint32 { return crc32.ChecksumIEEE(b) }

func shelf(t testing.TB) *Shelf {
	t.Helper()
	s, err := OpenShelf(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func put(t testing.TB, s *Shelf, b []byte, name string) post.Pin {
	t.Helper()
	p, err := s.Put(t.Context(), bytes.NewReader(b), name, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// files counts what lies on a shelf.
func files(t *testing.T, s *Shelf) int {
	t.Helper()
	n := 0
	if err := filepath.WalkDir(s.dir, func(_ string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			n++
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestAFileIsWholeUntilAByteOfItChanges(t *testing.T) {
	t.Parallel()
	s, b := shelf(t), pngOf(t, picture(4, 3))
	p := put(t, s, b, "a.png")
	if err := s.Whole(t.Context(), &p); err != nil {
		t.Error(err)
	}
	b[len(b)-1]++
	if err := os.WriteFile(s.path(p.Hash), b, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := s.Whole(t.Context(), &p); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("changed: %v", err)
	}
	if err := os.Remove(s.path(p.Hash)); err != nil {
		t.Fatal(err)
	}
	if err := s.Whole(t.Context(), &p); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("removed: %v", err)
	}
}

func TestAFileIsOnTheShelfOnceHoweverOftenItIsPut(t *testing.T) {
	t.Parallel()
	s, b := shelf(t), pngOf(t, picture(4, 3))
	first, again := put(t, s, b, "Ein Bild (1).PNG"), put(t, s, b, "other.jpg")
	if first.Hash != again.Hash || files(t, s) != 1 {
		t.Errorf("%v and %v in %d files", first.Hash, again.Hash, files(t, s))
	}
	if first.Name != "Ein_Bild__1.png" || again.Name != "other.png" {
		t.Errorf("names %q and %q", first.Name, again.Name)
	}
	f, err := s.Open(&first)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got, err := io.ReadAll(f); err != nil || !bytes.Equal(got, b) {
		t.Errorf("read back %d bytes, %v", len(got), err)
	}
}

func TestWhatIsNotTakenLeavesNothing(t *testing.T) {
	t.Parallel()
	s, b := shelf(t), pngOf(t, picture(4, 3))
	stopped, stop := context.WithCancel(t.Context())
	stop()
	broken := errors.New("reset by peer")
	for name, tt := range map[string]struct {
		ctx   context.Context
		r     io.Reader
		most  int64
		large bool
		want  string
	}{
		"too large":           {t.Context(), bytes.NewReader(b), int64(len(b) - 1), true, "it has more than 1 kB"},
		"no picture":          {t.Context(), strings.NewReader("hello"), 99, false, "no picture or film"},
		"a torn connection":   {t.Context(), io.MultiReader(bytes.NewReader(b[:9]), failingReader{broken}), 999, false, "reset by peer"},
		"somebody stopped it": {stopped, bytes.NewReader(b), 999, false, "context canceled"},
	} {
		_, err := s.Put(tt.ctx, tt.r, "a.png", tt.most)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", name, err, tt.want)
		}
		if r, ok := errors.AsType[*Refusal](err); ok && r.Large != tt.large {
			t.Errorf("%s: large is %v", name, r.Large)
		}
	}
	if n := files(t, s); n != 0 {
		t.Errorf("%d files are left", n)
	}
}

type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }

func TestADamagedFileIsNotGivenOut(t *testing.T) {
	t.Parallel()
	s, b := shelf(t), pngOf(t, picture(4, 3))
	p := put(t, s, b, "a.png")
	if err := os.Truncate(s.path(p.Hash), 10); err != nil {
		t.Fatal(err)
	}
	if f, err := s.Open(&p); err == nil {
		f.Close()
		t.Error("half a file was opened")
	}
	put(t, s, b, "a.png")
	f, err := s.Open(&p)
	if err != nil {
		t.Fatalf("after it was put again: %v", err)
	}
	f.Close()
	if _, err := s.Open(&post.Pin{Hash: post.Digest{1}}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that was never put: %v", err)
	}
}

func TestSweepTakesWhatNobodyUsesAndIsOld(t *testing.T) {
	t.Parallel()
	s := shelf(t)
	used, old, fresh := put(t, s, pngOf(t, picture(4, 3)), "a"), put(t, s, pngOf(t, picture(5, 3)), "b"), put(t, s, pngOf(t, picture(6, 3)), "c")
	again := put(t, s, pngOf(t, picture(7, 3)), "d")
	now := time.Now()
	long := now.Add(-48 * time.Hour)
	for _, p := range []post.Pin{used, old, again} {
		if err := os.Chtimes(s.path(p.Hash), long, long); err != nil {
			t.Fatal(err)
		}
	}
	put(t, s, pngOf(t, picture(7, 3)), "d") // by an import that is not stored yet
	leftover := filepath.Join(s.dir, pinnedFolder, ".postroom-1.tmp")
	if err := os.WriteFile(leftover, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(leftover, long, long); err != nil {
		t.Fatal(err)
	}
	n, size, err := s.Sweep(t.Context(), func(d post.Digest) bool { return d == used.Hash }, now.Add(-24*time.Hour))
	if err != nil || n != 2 || size != old.Size {
		t.Errorf("swept %d files of %d bytes, %v", n, size, err)
	}
	for name, p := range map[string]post.Pin{"used": used, "fresh": fresh, "put again": again} {
		if f, err := s.Open(&p); err != nil {
			t.Errorf("%s: %v", name, err)
		} else {
			f.Close()
		}
	}
	if _, err := s.Open(&old); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what nobody uses is still there: %v", err)
	}
}
