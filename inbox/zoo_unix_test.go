//go:build unix

package inbox

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Everything else that is not taken is shown with a reason.
func TestWhatIsNoFileIsRefusedWithAReason(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRoom(t, nil)
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		in := func(name string) string { return r.path("inbox/" + name) }
		r.write("secret.csv", csv)
		r.write("elsewhere/a.csv", csv)
		must(syscall.Mkfifo(in("pipe.csv"), 0o644))
		must(syscall.Mknod(in("socket.csv"), syscall.S_IFSOCK|0o644, 0))
		must(os.Mkdir(in("folder.csv"), 0o755))
		r.write("inbox/folder.csv/a.csv", csv)
		must(os.Symlink(r.path("secret.csv"), in("out.csv")))
		must(os.Symlink("/nowhere", in("dangling.csv")))
		must(os.Symlink("/dev/zero", in("zero.csv")))
		must(os.Symlink(r.path("elsewhere"), in("account")))
		r.write("inbox/orphan.csv.done", "")
		want := map[string]string{
			"pipe.csv": "is a pipe", "socket.csv": "is a socket", "folder.csv": "is a folder named like a file",
			"out.csv": "is a symbolic link", "dangling.csv": "is a symbolic link", "zero.csv": "is a symbolic link", "account": "is a symbolic link",
			"orphan.csv.done": "its file is not here",
		}
		r.settleAll()
		for rel, why := range want {
			r.wantWhy(rel, why)
		}
		if got := r.ledger.all(); len(got) != 0 {
			t.Errorf("took %v", got)
		}
		if got := r.Pending(); len(got) != len(want) {
			t.Errorf("pending %v, want %d", got, len(want))
		}
		if n := strings.Count(r.log.String(), "file not taken"); n != len(want) {
			t.Errorf("%d lines logged by several scans, want one for each:\n%s", n, r.log)
		}
		r.want("elsewhere", map[string]string{"a.csv": csv})
	})
}

// What took a file's place after it was seen is neither waited for nor followed.
func TestAFileThatIsReplacedBetweenScanAndOpenIsNotRead(t *testing.T) {
	for name, replace := range map[string]func(path, secret string) error{
		"by a pipe":      func(path, _ string) error { return syscall.Mkfifo(path, 0o644) },
		"by a link":      func(path, secret string) error { return os.Symlink(secret, path) },
		"by a file":      func(path, _ string) error { return os.WriteFile(path, []byte("id\n9\n"), 0o644) },
		"by nothing":     func(string, string) error { return nil },
		"by a directory": func(path, _ string) error { return os.Mkdir(path, 0o755) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := newRoom(t, nil)
				r.write("secret", csv)
				r.write("inbox/a.csv", csv)
				_ = r.Scan(t.Context())
				pass(5 * time.Second)
				r.open = func(root *os.Root, rel string) (*os.File, error) {
					path := r.path("inbox/a.csv")
					if err := os.Remove(path); err != nil {
						t.Fatal(err)
					}
					if err := replace(path, r.path("secret")); err != nil {
						t.Fatal(err)
					}
					return openFile(root, rel)
				}
				if err := r.Scan(t.Context()); err != nil {
					t.Fatal(err)
				}
				if got := r.ledger.asked; len(got) != 0 {
					t.Errorf("the handler was asked about %v", got)
				}
			})
		})
	}
}

// One name more than its owner gave it may be a way to have a foreign file read.
func TestALinkToSomebodyElsesFileIsRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can make a file of somebody else")
	}
	bubble(t, func(t *testing.T) {
		r := newRoom(t, nil)
		r.write("theirs.csv", csv)
		r.write("inbox/dropped.csv", csv)
		for _, f := range []string{"theirs.csv", "inbox/dropped.csv"} {
			if err := os.Chown(r.path(f), 4711, 4711); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Link(r.path("theirs.csv"), r.path("inbox/a.csv")); err != nil {
			t.Fatal(err)
		}
		r.settleAll()
		r.wantWhy("a.csv", "belongs to somebody else")
		r.want("archive", map[string]string{"2026-03/dropped.csv": csv})
	})
}
