package main

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/xuri/excelize/v2"
)

// TestScripts drives the program as people do. Beside the usual commands of a
// script there are:
//
//	exits CODE PROGRAM ARGS…   runs it and wants that exit code
//	capture NAME REGEXP        sets $NAME to what the first group matches in stdout, or stderr
//	expand FILE…               replaces $NAMES in files
//	waitfor GLOB REGEXP        waits until a file that matches holds it
//	waitgone GLOB              waits until no file matches
//	pack ZIP FOLDER            makes a ZIP of what lies in a folder
//	workbook XLSX NAME=CSV…    makes a workbook with a sheet of each CSV; what looks like a date is one there
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
			"pack": scriptPack, "workbook": scriptWorkbook,
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

func scriptPack(ts *testscript.TestScript, _ bool, args []string) {
	files := map[string][]byte{}
	root := ts.MkAbs(args[1])
	ts.Check(filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err == nil {
			files[filepath.ToSlash(rel)], err = os.ReadFile(path)
		}
		return err
	}))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), zipOf(ts, files), 0o600))
}

// zipOf makes a ZIP of files by their names.
func zipOf(t interface{ Fatalf(string, ...any) }, files map[string][]byte) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f, err := w.Create(name)
		if err == nil {
			_, err = f.Write(files[name])
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatalf("%v", err)
	}
	return b.Bytes()
}

func scriptWorkbook(ts *testscript.TestScript, _ bool, args []string) {
	x := excelize.NewFile()
	format := "d/m/yy h:mm"
	date, err := x.NewStyle(&excelize.Style{CustomNumFmt: &format})
	ts.Check(err)
	for i, a := range args[1:] {
		name, file, _ := strings.Cut(a, "=")
		if i == 0 {
			ts.Check(x.SetSheetName("Sheet1", name))
		} else {
			_, err := x.NewSheet(name)
			ts.Check(err)
		}
		rows, err := csv.NewReader(strings.NewReader(ts.ReadFile(file))).ReadAll()
		ts.Check(err)
		for r, row := range rows {
			for c, text := range row {
				cell, err := excelize.CoordinatesToCellName(c+1, r+1)
				ts.Check(err)
				at, err := time.Parse("2006-01-02 15:04", text)
				if err != nil {
					ts.Check(x.SetCellValue(name, cell, text))
					continue
				}
				ts.Check(x.SetCellValue(name, cell, at))
				ts.Check(x.SetCellStyle(name, cell, cell, date))
			}
		}
	}
	ts.Check(x.SaveAs(ts.MkAbs(args[0])))
	ts.Check(x.Close())
}

// say runs one command line in this process and returns what it printed.
func say(t *testing.T, dir string, env func(string) (string, bool), args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	a := &app{stdout: &out, stderr: &errs, cwd: dir, env: env}
	code = a.execute(t.Context(), args)
	return code, out.String(), errs.String()
}
