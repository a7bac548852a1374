package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/postroom/postroom/store"
)

// A finding is one thing doctor looked at.
type finding struct {
	Check  string `json:"check"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"`
	Hint   string `json:"hint,omitempty"`
}

func (a *app) doctorCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "doctor", Short: "Look whether the room is in order", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if a.room == nil {
				if served, err := a.askDaemon(c.Context()); served {
					return err
				}
			}
			found := a.examine(c.Context(), a.path(a.dir))
			bad := 0
			err := a.print(found, func(w io.Writer) {
				for _, f := range found {
					mark := "ok  "
					if !f.OK {
						mark = "FAIL"
					}
					fmt.Fprintf(w, "%s  %s: %s\n", mark, f.Check, f.Detail)
					if !f.OK && f.Hint != "" {
						fmt.Fprintf(w, "      %s\n", f.Hint)
					}
				}
			})
			for _, f := range found {
				if !f.OK {
					bad++
				}
			}
			if err == nil && bad > 0 {
				err = &exitError{code: exitFailed}
			}
			return err
		},
	}
	return c
}

// verifyLimit bounds what the child that reads a store adds to its address space, beyond
// the file itself: a damaged bbolt file can make its reader take gigabytes
// (RELIABILITY §0.7).
const verifyLimit = 2 << 30

// hiddenVerify is the command under which the program checks a store file in a
// process of its own.
const hiddenVerify = "__verify-store"

// verifyInChild opens a store file in a child process, which may die of what it
// finds there without harm to us.
func verifyInChild(ctx context.Context, path string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, self, hiddenVerify, path)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.Env = append(os.Environ(), "GOMEMLIMIT=512MiB", "GOTRACEBACK=none")
	err = cmd.Run()
	if err == nil {
		return nil
	}
	if said := strings.TrimSpace(out.String()); said != "" {
		first, _, _ := strings.Cut(said, "\n")
		return errors.New(first)
	}
	return fmt.Errorf("the process that read it died: %w", err)
}

// verifyCommand is what the child runs.
func (a *app) verifyCommand() *cobra.Command {
	return &cobra.Command{
		Use: hiddenVerify + " FILE", Hidden: true, Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			info, err := os.Stat(args[0])
			if err != nil {
				return err
			}
			debug.SetPanicOnFault(true)
			if err := limitMemory(uint64(info.Size())*2 + verifyLimit); err != nil {
				return fmt.Errorf("limit memory: %w", err)
			}
			return store.VerifyFile(c.Context(), args[0])
		},
	}
}

// examine looks the room over without changing it.
func (a *app) examine(ctx context.Context, dir string) []finding {
	var found []finding
	add := func(check string, err error, detail, hint string) {
		f := finding{Check: check, OK: err == nil, Detail: detail, Hint: hint}
		if err != nil {
			f.Detail = err.Error()
		}
		found = append(found, f)
	}
	cfg, warnings, err := LoadConfig(filepath.Join(dir, configName), a.env)
	var bad *ConfigError
	if errors.As(err, &bad) && len(bad.Problems) > 0 {
		err = bad.Problems[0]
	}
	readable := err == nil
	add("config", err, fmt.Sprintf("%d accounts", len(cfg.Accounts)), "mend it: `postroom run` says the same, for all of it")
	for _, w := range warnings {
		add("config", w, "", w.Hint)
	}
	for _, name := range roomFolders {
		add("folder "+name, writable(filepath.Join(dir, name)), "writable", "`postroom init` makes what is missing")
	}
	db := filepath.Join(dir, "data", storeName)
	if _, err := os.Stat(db); errors.Is(err, os.ErrNotExist) {
		add("store", nil, "none yet: the first run makes it", "")
	} else if a.examineStore(ctx, db, add) && readable {
		a.examineSeries(ctx, add)
	}
	add("watching", nil, watching(), "")
	return found
}

// examineStore reports whether the store is sound.
func (a *app) examineStore(ctx context.Context, db string, add func(string, error, string, string)) bool {
	if a.room != nil {
		// The daemon holds the file: look at a copy of this moment.
		copied := filepath.Join(filepath.Dir(db), ".doctor-"+fmt.Sprint(os.Getpid())+".db")
		defer os.Remove(copied)
		if err := a.room.store.Backup(ctx, copied); err != nil {
			add("store", err, "", "restore the last backup")
			return false
		}
		db = copied
	}
	err := verifyInChild(ctx, db)
	if err != nil && strings.Contains(err.Error(), store.ErrInUse.Error()) {
		add("store", err, "", "try again when that has ended, or stop it")
		return false
	}
	if err != nil && strings.Contains(err.Error(), store.ErrNewer.Error()) {
		add("store", err, "", "use that postroom, or restore a backup of this one's")
		return false
	}
	add("store", err, "opened and checked in a process of its own", "stop postroom, keep the file, and restore the last backup")
	return err == nil
}

// examineSeries looks whether every calendar whose series go on is still there.
func (a *app) examineSeries(ctx context.Context, add func(string, error, string, string)) {
	var lost []string
	err := a.withRoom(ctx, func(r *room) error {
		names, err := r.lostSeries(ctx)
		lost = slices.Sorted(maps.Values(names))
		return err
	})
	if err == nil && len(lost) > 0 {
		err = fmt.Errorf("gone from archive/, and so no more posts of their series: %s", strings.Join(lost, ", "))
	}
	add("series", err, "each calendar that goes on is there", lostHint)
}

// writable proves that a folder takes a file.
func writable(dir string) error {
	f, err := os.CreateTemp(dir, ".postroom-doctor-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// watching says by which means a half-copied file is told here.
func watching() string {
	if runtime.GOOS == "linux" {
		return "file leases tell whether somebody still writes, where the file system has them"
	}
	return runtime.GOOS + " has no file leases: a longer stillness stands in for them"
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			v := map[string]string{"version": version(), "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH}
			return a.print(v, func(w io.Writer) {
				fmt.Fprintf(w, "postroom %s (%s, %s/%s)\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			})
		},
	}
}

// version is the module's version as the build knows it, or the commit.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value[:min(12, len(s.Value))]
		}
	}
	return "devel"
}
