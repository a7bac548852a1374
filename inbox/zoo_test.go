package inbox

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// settleAll scans until everything in the inbox has had its time.
func (r *room) settleAll() {
	r.t.Helper()
	for range 3 {
		if err := r.Scan(r.t.Context()); err != nil {
			r.t.Fatal(err)
		}
		pass(r.cfg.Unleased)
	}
}

func TestNamesThatAreIgnored(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		".hidden.csv": true, ".~lock.a.xlsx#": true, "~$a.xlsx": true, "a.csv.part": true, "a.csv.partial": true, "a.csv.filepart": true,
		"a.csv.crdownload": true, "a.tmp": true, "A.TMP": true, ".a.csv.swp": true, "a.swp": true, "4913": true, "a.csv~": true,
		".goutputstream-X": true, ".syncthing.a.csv.tmp": true, "~syncthing~a.csv": true, "a.sync-conflict-2026.csv": true,
		"._a.csv": true, ".DS_Store": true, "Thumbs.db": true, "desktop.ini": true, ".nfs0001": true, ".fuse_hidden1": true, "defaults.yaml": true,
		"a.csv": false, "a": false, "49130": false, "tmp": false, "part": false, "a.parts": false, "defaults.yml": false, "-rf.csv": false, "~a.csv": false, "*": false, "[.csv": false,
	} {
		if got := ignored(name); got != want {
			t.Errorf("ignored(%q) = %v, want %v", name, got, want)
		}
	}
}

func TestIgnoredFilesAndTmpAreLeftAloneSilently(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRoom(t, nil)
		files := map[string]string{
			".a.csv": csv, "a.csv.part": csv, "defaults.yaml": "timezone: UTC\n", "acme/defaults.yaml": "timezone: UTC\n",
			"tmp/a.csv": csv, "acme/tmp/a.csv": csv, ".git/a.csv": csv,
		}
		for rel, content := range files {
			r.write("inbox/"+rel, content)
		}
		r.settleAll()
		r.want("inbox", files)
		if got := r.Pending(); len(got) != 0 {
			t.Errorf("pending %v, want nothing", got)
		}
	})
}

func TestAnUnreadableFileWaitsForItsPermission(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRoom(t, nil)
		r.write("inbox/a.csv", csv)
		r.open = func(*os.Root, string) (*os.File, error) {
			return nil, &os.PathError{Op: "openat", Path: "a.csv", Err: syscall.EACCES}
		}
		r.settleAll()
		r.wantWhy("a.csv", "cannot be opened: permission denied")
		r.open = openFile
		r.settleAll()
		r.want("inbox", nil)
	})
}

// A handler refuses by size; inbox must not read or copy a terabyte of nothing.
func TestAHugeSparseFileIsNotReadByTheInbox(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRoom(t, nil)
		f, err := os.Create(r.path("inbox/huge.csv"))
		if err != nil {
			t.Fatal(err)
		}
		const size = 1 << 40
		if err := f.Truncate(size); err != nil {
			t.Skipf("no sparse files here: %v", err)
		}
		f.Close()
		r.ledger.whole = func(f File, _ string) (bool, string, time.Duration) { return true, "", 0 }
		r.ledger.take = func(f File, _ string) (Result, error) {
			if f.Size != size {
				t.Errorf("size %d", f.Size)
			}
			return Result{Disposition: Reject}, nil
		}
		r.settleAll()
		if _, ok := r.tree("rejected")["2026-03/huge.csv"]; !ok {
			t.Errorf("rejected %v", r.tree("rejected"))
		}
	})
}

func TestP7_NamesOfAllKindsAreTakenAndFiledSafely(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRoom(t, nil)
		long := strings.Repeat("é", 125) + ".csv" // 254 bytes
		names := []string{
			"line\nbreak.csv", "bell\a.csv", "\x1b[31mred.csv", "not\xffutf8.csv", "not\xfeutf8.csv", "-rf.csv", "spring.csv", "Spring.csv", "SPRING.CSV",
			" leading blank.csv", "semi;colon $(rm).csv", "emoji 👩‍👩‍👧.csv", "right\u202eto left.csv", long, "no extension", "a.b.c.csv", "csv",
		}
		for n, name := range names {
			r.write("inbox/"+name, fmt.Sprintf("id\n%d\n", n))
		}
		r.settleAll()
		r.want("inbox", nil)
		got := r.tree("archive/2026-03")
		if len(got) != len(names) {
			t.Errorf("%d files in the archive, want %d", len(got), len(names))
		}
		for n, name := range names {
			path := r.ledger.filed[name]
			filed := filepath.Base(path)
			if b, err := os.ReadFile(path); err != nil || string(b) != fmt.Sprintf("id\n%d\n", n) {
				t.Errorf("%q filed as %q: %q, %v", name, path, b, err)
			}
			if filed != printable(filed) || len(filed) > mostName {
				t.Errorf("%q filed as %q: want a name to print", name, filed)
			}
			if filed != name && printable(name) == name {
				t.Errorf("%q filed as %q: want the name kept", name, filed)
			}
		}
	})
}

func TestALongNameLeavesRoomForTheReasonWhenHeld(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRoom(t, nil)
		r.write("inbox/"+strings.Repeat("x", 251)+".csv", "id\n1")
		r.start()
		pass(16 * time.Minute)
		held := r.tree("held")
		if len(held) != 2 {
			t.Errorf("held %v, pending %v", held, r.Pending())
		}
		for name := range held {
			if base, ok := strings.CutSuffix(name, whyExt); ok && held[base] != "id\n1" {
				t.Errorf("%s stands beside nothing in %v", name, held)
			}
		}
	})
}

func TestNameForKeepsTheNameAndTellsClashesApart(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		n     int
		begin string
		end   string
	}{
		{"spring.csv", 0, "spring.csv", ""},
		{"spring.csv", 1, "spring-", ".csv"},
		{"spring.v2.csv", 1, "spring.v2-", ".csv"},
		{"spring", 1, "spring-", ""},
		{"a\nb.csv", 0, "a_b-", ".csv"},
		{"a sentence. And more of it, for longer than any extension", 1, "a sentence. And more of it, for longer than any extension-", ""},
	} {
		got := nameFor(test.name, "key", 0, test.n)
		if !strings.HasPrefix(got, test.begin) || !strings.HasSuffix(got, test.end) || (test.n > 0 && len(got) != len(test.begin)+8+len(test.end)) {
			t.Errorf("nameFor(%q, %d) = %q, want %s????????%s", test.name, test.n, got, test.begin, test.end)
		}
	}
}

func FuzzNameFor(f *testing.F) {
	for _, s := range []string{"spring.csv", "a\xffb", "\x00.csv", strings.Repeat("ü.", 127), ".", "-"} {
		f.Add(s, 0, "k")
	}
	f.Fuzz(func(t *testing.T, name string, spare int, key string) {
		if name == "" || len(name) > mostName || strings.ContainsAny(name, "/\x00") || spare < 0 || spare > 16 {
			t.Skip()
		}
		seen := map[string]bool{}
		for n := range 4 {
			got := nameFor(name, key, spare, n)
			if got == "" || len(got)+spare > mostName || got != printable(got) || strings.ContainsAny(got, "/\x00") || seen[got] {
				t.Errorf("nameFor(%q, %q, %d, %d) = %q", name, key, spare, n, got)
			}
			seen[got] = true
		}
	})
}
