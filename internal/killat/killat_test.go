package killat

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestMain(m *testing.M) {
	Init()
	if len(os.Args) > 1 && os.Args[1] == "write-three" {
		os.Exit(writeThree(os.Args[2]))
	}
	os.Exit(m.Run())
}

// writeThree is the program under test: three writes, an fsync and a rename.
func writeThree(dir string) int {
	f, err := os.Create(filepath.Join(dir, "part"))
	if err != nil {
		return 2
	}
	for _, s := range []string{"one ", "two ", "three"} {
		if _, err := f.WriteString(s); err != nil {
			return 3
		}
	}
	if f.Sync() != nil || f.Close() != nil {
		return 4
	}
	if os.Rename(f.Name(), filepath.Join(dir, "whole")) != nil {
		return 5
	}
	return 0
}

func TestSweepStopsAtEveryCall(t *testing.T) {
	if !Supported {
		t.Skip("linux on amd64 only")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	run := func(p Plan) (Result, string, bool) {
		dir := t.TempDir()
		var out strings.Builder
		res, err := Run(p, []string{self, "write-three", dir}, nil, dir, &out)
		if err != nil {
			t.Fatalf("%v: %s", err, out.String())
		}
		part, _ := os.ReadFile(filepath.Join(dir, "part")) // may be missing: that is what is looked at
		_, err = os.Stat(filepath.Join(dir, "whole"))
		return res, string(part), err == nil
	}
	res, _, whole := run(Plan{})
	if res.Calls != 5 || res.Code != 0 || !whole {
		t.Fatalf("untouched run: %+v, whole %v; want 5 calls, code 0", res, whole)
	}
	for n, want := range []string{"", "one ", "one two ", "one two three", "one two three"} {
		res, part, whole := run(Plan{At: n + 1})
		if part != want || whole || res.Code != -1 || res.Hit == "" {
			t.Errorf("killed at call %d: part %q, whole %v, %+v; want part %q", n+1, part, whole, res, want)
		}
	}
	if res, _, _ := run(Plan{At: 2, Errno: int(syscall.EIO)}); res.Code != 3 || res.Hit != "write" {
		t.Errorf("second write failed: %+v, want exit code 3", res)
	}
	if res, _, _ := run(Plan{At: 4, Errno: int(syscall.ENOSPC)}); res.Code != 4 || res.Hit != "fsync" {
		t.Errorf("fsync failed: %+v, want exit code 4", res)
	}
}
