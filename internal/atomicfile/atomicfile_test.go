package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		return "(" + err.Error() + ")"
	}
	return string(b)
}

func names(t *testing.T, dir string) int {
	t.Helper()
	es, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return len(es)
}

func TestAFileIsWholeOrAbsent(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "report.csv")
	if err := WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("new")); err != nil {
		t.Fatal(err)
	}
	if got := read(t, path); got != "old" {
		t.Errorf("before the commit %q, want old", got)
	}
	if err := f.Prepare(); err != nil {
		t.Fatal(err)
	}
	if got := read(t, path); got != "old" {
		t.Errorf("prepared %q, want old", got)
	}
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	if got := read(t, path); got != "new" || names(t, dir) != 1 {
		t.Errorf("after the commit %q and %d files, want new and one", got, names(t, dir))
	}
	if err := f.Discard(); err != nil || read(t, path) != "new" {
		t.Errorf("discard after commit: %v, %q", err, read(t, path))
	}
}

func TestAFileMayGetItsNameFromWhatIsInIt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f, err := Create(filepath.Join(dir, "incoming"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("abc")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 2)
	if _, err := f.ReadAt(b, 1); err != nil || string(b) != "bc" {
		t.Errorf("read %q, %v", b, err)
	}
	path := filepath.Join(dir, "abc.txt")
	if err := f.CommitAs(path); err != nil {
		t.Fatal(err)
	}
	if read(t, path) != "abc" || names(t, dir) != 1 {
		t.Errorf("%q among %d files", read(t, path), names(t, dir))
	}
}

func TestDiscardLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, prepare := range []bool{false, true} {
		f, err := Create(filepath.Join(dir, "a"))
		if err != nil {
			t.Fatal(err)
		}
		if prepare {
			if err := f.Prepare(); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Discard(); err != nil || names(t, dir) != 0 {
			t.Errorf("discard: %v, %d files left", err, names(t, dir))
		}
		if err := f.Commit(); err == nil {
			t.Error("a discarded file was committed")
		}
	}
}

func TestP7_MoveNeverReplaces(t *testing.T) {
	t.Parallel()
	for name, move := range map[string]func(a, b string) error{"move": Move, "by link": linkMove, "by copy": moveByCopy, "copy": Copy} {
		dir := t.TempDir()
		a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
		if err := errors.Join(os.WriteFile(a, []byte("A"), 0o600), os.WriteFile(b, []byte("B"), 0o600)); err != nil {
			t.Fatal(err)
		}
		if err := move(a, b); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s onto a file: %v, want ErrExist", name, err)
		}
		if read(t, a) != "A" || read(t, b) != "B" || names(t, dir) != 2 {
			t.Errorf("%s onto a file changed something", name)
		}
		if err := os.Remove(b); err != nil {
			t.Fatal(err)
		}
		if err := move(a, b); err != nil || read(t, b) != "A" {
			t.Errorf("%s: %v, %q", name, err, read(t, b))
		}
	}
}

func TestSweepTakesOnlyLeftovers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f, err := Create(filepath.Join(dir, "a"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Prepare(), WriteFile(filepath.Join(dir, "keep"), nil, 0o600), Sweep(dir)); err != nil {
		t.Fatal(err)
	}
	if names(t, dir) != 1 || read(t, filepath.Join(dir, "keep")) != "" {
		t.Errorf("%d files after the sweep, want the one to keep", names(t, dir))
	}
}
