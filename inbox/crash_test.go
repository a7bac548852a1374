package inbox

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/postroom/postroom/internal/killat"
)

func TestMain(m *testing.M) {
	killat.Init()
	if len(os.Args) == 3 && os.Args[1] == "drain" {
		if err := drainRoom(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// drainRoom is the program under test: it takes what is in a room, as if a quarter
// of an hour had passed.
func drainRoom(dir string) error {
	cfg := DefaultConfig(dir)
	later := time.Now().Add(16 * time.Minute)
	cfg.Now = func() time.Time { return later }
	h := &ledger{take: func(_ File, content string) (Result, error) {
		if strings.Contains(content, "bad") {
			return Result{Disposition: Reject, Folder: "acme"}, nil
		}
		return Result{Disposition: Archive, Folder: "acme"}, nil
	}}
	return New(cfg, h, slog.New(slog.DiscardHandler)).Drain(context.Background())
}

// The process is killed, or a call fails, at every system call that changes
// anything: each original is in exactly one place then, whole, and the next
// process files it.
func TestP7_OriginalsSurviveACrashAtEveryCall(t *testing.T) {
	t.Parallel()
	if !killat.Supported || !hasLeases(t) {
		t.Skip("needs linux on amd64, and change times")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	originals := map[string]string{"good.csv": csv, "clash.csv": csv + "3,More\n", "bad.csv": "id,text\n1,bad\n", "cut.csv": "id,text\n1,ha"}
	run := func(p killat.Plan) killat.Result {
		t.Helper()
		r := newRoom(t, nil)
		for name, content := range originals {
			r.write("inbox/acme/"+name, content)
		}
		r.write("inbox/acme/good.csv.done", "")
		r.write("archive/acme/clash.csv", "was here before")
		var out strings.Builder
		res, err := killat.Run(p, []string{self, "drain", r.dir}, nil, r.dir, &out)
		if err != nil {
			t.Fatalf("%v: %s", err, out.String())
		}
		where := fmt.Sprintf("%+v of %+v", p, res)
		r.wantOriginals(where, originals)
		if err := drainRoom(r.dir); err != nil {
			t.Errorf("%s: the next process: %v", where, err)
		}
		r.wantOriginals(where+", after the next process", originals)
		for rel := range r.tree("inbox") {
			if !strings.HasSuffix(rel, markExt) {
				t.Errorf("%s: %s is left in the inbox", where, rel)
			}
		}
		if held := r.tree("held/acme"); len(held) != 2 || held["cut.csv"] == "" || held["cut.csv.why.txt"] == "" {
			t.Errorf("%s: held %v, want a file and its reason", where, held)
		}
		return res
	}
	res := run(killat.Plan{})
	if res.Calls < 10 || res.Code != 0 {
		t.Fatalf("untouched run: %+v", res)
	}
	for n := 1; n <= res.Calls; n++ {
		if got := run(killat.Plan{At: n}); got.Code != -1 {
			t.Errorf("killed at call %d: %+v", n, got)
		}
		for _, errno := range []syscall.Errno{syscall.EIO, syscall.ENOSPC} {
			run(killat.Plan{At: n, Errno: int(errno)})
		}
	}
	t.Logf("%d calls, each killed and failed twice", res.Calls)
}

// wantOriginals checks that every original is somewhere in the room, once.
func (r *room) wantOriginals(where string, originals map[string]string) {
	r.t.Helper()
	found := map[string]int{}
	for _, dir := range []string{"inbox", "archive", "rejected", "held"} {
		for rel, content := range r.tree(dir) {
			if strings.HasSuffix(rel, whyExt) || strings.HasSuffix(rel, markExt) || filepath.Base(rel)[0] == '.' {
				continue
			}
			found[content]++
		}
	}
	want := map[string]int{"was here before": 1}
	for _, content := range originals {
		want[content]++
	}
	if !maps.Equal(found, want) {
		r.t.Errorf("%s: found %v, want %v", where, found, want)
	}
}
