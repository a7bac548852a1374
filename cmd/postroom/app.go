package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/store"
)

// The exit codes are an interface (DESIGN §9).
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitPartly      = 3
	exitInUse       = 10
	exitInterrupted = 130
)

// An app is one run of the command line: by a person, or inside the daemon for a
// client on its socket.
type app struct {
	stdin          io.Reader // nil for none
	stdout, stderr io.Writer
	cwd            string // relative paths of the command line start here
	env            func(string) (string, bool)
	tty            bool
	user           string // who runs the command; "" where that is not known

	dir  string // --room
	json bool   // --json
	args []string
	room *room // of the daemon, when the command runs inside it
}

// exitError ends the program with a code. A nil err says nothing more.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// usageError marks a mistake on the command line or in the config.
func usageError(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

// hinted is an error with a next step.
type hinted struct {
	err  error
	hint string
}

func (e *hinted) Error() string { return e.err.Error() }
func (e *hinted) Unwrap() error { return e.err }

// execute runs one command line and returns its exit code.
func (a *app) execute(ctx context.Context, args []string) int {
	a.args = args
	root := a.rootCommand()
	root.SetArgs(args)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	err := root.ExecuteContext(ctx)
	return a.report(ctx, err)
}

// report prints an error, with what to do next, and gives the exit code.
func (a *app) report(ctx context.Context, err error) int {
	if err == nil {
		return exitOK
	}
	code := exitFailed
	var exit *exitError
	var conf *ConfigError
	switch {
	case errors.As(err, &exit):
		code = exit.code
		if exit.err == nil {
			return code
		}
	case errors.As(err, &conf):
		code = exitUsage
	case errors.Is(err, store.ErrInUse):
		code = exitInUse
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		code = exitInterrupted
	}
	if conf != nil {
		for _, p := range conf.Problems {
			fmt.Fprintf(a.stderr, "error: %s\n", p)
		}
		return code
	}
	fmt.Fprintf(a.stderr, "error: %v\n", err)
	var h *hinted
	if errors.As(err, &h) {
		fmt.Fprintf(a.stderr, "hint: %s\n", h.hint)
	}
	return code
}

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "postroom",
		Short:         "Drop content calendars into a folder; postroom plans, publishes and reports",
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       version(),
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError("%w", err) })
	f := root.PersistentFlags()
	f.StringVar(&a.dir, "room", ".", "the room's folder")
	f.BoolVar(&a.json, "json", false, "print JSON on standard output")
	root.AddCommand(
		a.initCommand(), a.runCommand(), a.checkCommand(), a.importCommand(), a.postsCommand(), a.importsCommand(),
		a.usageCommand(), a.connectionsCommand(), a.reportCommand(), a.exportCommand(), a.backupCommand(),
		a.keysCommand(), a.doctorCommand(), a.versionCommand(), a.verifyCommand(),
	)
	strictArgs(root)
	return root
}

// strictArgs makes a wrong number of arguments a usage error, and a group of
// commands without its verb too.
func strictArgs(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return usageError("%s: %w", c.CommandPath(), err)
			}
			return nil
		}
	}
	if c.HasSubCommands() && c.Run == nil && c.RunE == nil {
		c.Args = cobra.ArbitraryArgs
		c.RunE = func(c *cobra.Command, args []string) error {
			var verbs []string
			for _, sub := range c.Commands() {
				if sub.Hidden {
					continue
				}
				verbs = append(verbs, sub.Name())
			}
			if len(args) == 0 && !c.HasParent() {
				return c.Help()
			}
			if len(args) == 0 {
				return usageError("%s: want one of %s", c.CommandPath(), strings.Join(verbs, ", "))
			}
			err := fmt.Errorf("%s: no command %q", c.CommandPath(), args[0])
			if near := post.Nearest(args[0], verbs); near != "" {
				return &exitError{exitUsage, &hinted{err, fmt.Sprintf("did you mean %q?", near)}}
			}
			return &exitError{exitUsage, &hinted{err, "want one of " + strings.Join(verbs, ", ")}}
		}
	}
	for _, sub := range c.Commands() {
		strictArgs(sub)
	}
}

// withRoom runs fn on the room: the daemon's own when we are inside it, through
// the daemon's socket when one runs, else on the store opened for this command
// alone.
func (a *app) withRoom(ctx context.Context, fn func(*room) error) error {
	if a.room != nil {
		return fn(a.room)
	}
	if served, err := a.askDaemon(ctx); served {
		return err
	}
	dir := a.path(a.dir)
	r, err := openRoom(ctx, dir, roomOptions{env: a.env, log: slog.New(slog.DiscardHandler), who: "postroom " + strings.Join(a.args, " ")})
	if err != nil {
		return err
	}
	for _, p := range r.warnings {
		fmt.Fprintf(a.stderr, "%s\n", p)
	}
	return errors.Join(fn(r), r.close())
}

// askDaemon has the daemon of the room, when one runs, carry the command line
// out.
func (a *app) askDaemon(ctx context.Context) (served bool, err error) {
	code, served, err := callSocket(ctx, socketPath(a.path(a.dir)), socketRequest{Args: a.args, Dir: a.cwd, TTY: a.tty, User: a.user}, a.stdout, a.stderr)
	switch {
	case served && err != nil:
		err = fmt.Errorf("ask the running postroom: %w", err)
	case served && code != exitOK:
		err = &exitError{code: code}
	}
	return served, err
}

// path makes a path of the command line absolute.
func (a *app) path(p string) string {
	if filepath.IsAbs(p) {
		return filepath.Clean(p)
	}
	return filepath.Join(a.cwd, p)
}

// print writes v as JSON when asked for, else calls text.
func (a *app) print(v any, text func(w io.Writer)) error {
	if !a.json {
		text(a.stdout)
		return nil
	}
	enc := json.NewEncoder(a.stdout)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// notef tells a person something that is no result.
func (a *app) notef(format string, args ...any) {
	fmt.Fprintf(a.stderr, format+"\n", args...)
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// local formats an instant for people, in a zone.
func local(at time.Time, zone *time.Location) string {
	if at.IsZero() {
		return "-"
	}
	return at.In(zone).Format("Mon 2006-01-02 15:04 MST")
}
