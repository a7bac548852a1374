package main

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts drives the program as people do. Beside the usual commands of a
// script there are:
//
//	exits CODE PROGRAM ARGS…   runs it and wants that exit code
//	capture NAME REGEXP        sets $NAME to what the first group matches in stdout, or stderr
//	expand FILE…               replaces $NAMES in files
//	waitfor GLOB REGEXP        waits until a file that matches holds it
//	waitgone GLOB              waits until no file matches
//
// square.png and wide.png are pictures of 20 × 20 and 400 × 100 pixels.
//
// $MONTH is the next month but one, like 2026-05, or 202605 as $MONTHC, and $TODAY
// this day.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			now := time.Now().UTC()
			e.Setenv("MONTHC", time.Date(now.Year(), now.Month()+2, 1, 0, 0, 0, 0, time.UTC).Format("200601"))
			e.Setenv("MONTH", time.Date(now.Year(), now.Month()+2, 1, 0, 0, 0, 0, time.UTC).Format("2006-01"))
			e.Setenv("TODAY", now.Format(time.DateOnly))
			e.Setenv("TZ", "UTC")
			return errors.Join(writePicture(filepath.Join(e.WorkDir, "square.png"), 20, 20), writePicture(filepath.Join(e.WorkDir, "wide.png"), 400, 100))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": scriptExits, "capture": scriptCapture, "expand": scriptExpand, "waitfor": scriptWaitFor, "waitgone": scriptWaitGone,
		},
	})
}

func writePicture(name string, w, h int) error {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, w, h))); err != nil {
		return err
	}
	return os.WriteFile(name, b.Bytes(), 0o600)
}

func scriptExits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func scriptCapture(ts *testscript.TestScript, _ bool, args []string) {
	re := regexp.MustCompile(`(?m)` + args[1])
	for _, stream := range []string{"stdout", "stderr"} {
		if m := re.FindStringSubmatch(ts.ReadFile(stream)); m != nil {
			ts.Setenv(args[0], m[1])
			return
		}
	}
	ts.Fatalf("nothing matches %s", args[1])
}

func scriptExpand(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		text := os.Expand(ts.ReadFile(name), ts.Getenv)
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o600))
	}
}

// patience is how long a script waits for the program, which others may slow
// down.
const patience = 40 * time.Second

func waitUntil(ts *testscript.TestScript, what string, ok func() bool) {
	for end := time.Now().Add(patience); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			ts.Fatalf("waited %s for %s", patience, what)
		}
	}
}

func scriptWaitFor(ts *testscript.TestScript, _ bool, args []string) {
	re := regexp.MustCompile(`(?m)` + args[1])
	waitUntil(ts, fmt.Sprintf("%s to hold %s", args[0], args[1]), func() bool {
		paths, err := filepath.Glob(ts.MkAbs(args[0]))
		ts.Check(err)
		for _, path := range paths {
			if b, err := os.ReadFile(path); err == nil && re.Match(b) {
				return true
			}
		}
		return false
	})
}

func scriptWaitGone(ts *testscript.TestScript, _ bool, args []string) {
	waitUntil(ts, args[0]+" to be gone", func() bool {
		paths, err := filepath.Glob(ts.MkAbs(args[0]))
		ts.Check(err)
		return len(paths) == 0
	})
}

// say runs one command line in this process and returns what it printed.
func say(t *testing.T, dir string, env func(string) (string, bool), args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	a := &app{stdout: &out, stderr: &errs, cwd: dir, env: env}
	code = a.execute(t.Context(), args)
	return code, out.String(), errs.String()
}
