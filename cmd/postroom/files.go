package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/postroom/postroom/intake"
	"github.com/postroom/postroom/internal/atomicfile"
	"github.com/postroom/postroom/post"
)

func (a *app) initCommand() *cobra.Command {
	return &cobra.Command{
		Use: "init [DIR]", Short: "Lay out a room: config, folders, samples, a key of the HTTP API", Args: cobra.MaximumNArgs(1),
		Long: "Lay out a room: a commented config, folders, samples to try, and a key of the HTTP API for\nthe first account, which is shown this one time. What exists stays as it is.",
		RunE: func(c *cobra.Command, args []string) error {
			dir := a.path(a.dir)
			if len(args) == 1 {
				dir = a.path(args[0])
			}
			made, err := initRoom(dir, initOptions{Now: time.Now(), Zone: machineZone(a.env)})
			if err != nil {
				return err
			}
			view := initView{Room: dir, Made: made}
			if slices.Contains(made, configName) {
				if view.Key, err = a.firstKey(c.Context(), dir); err != nil {
					return fmt.Errorf("make a key of the HTTP API: %w", err)
				}
			}
			return a.print(view, func(w io.Writer) {
				if len(made) == 0 {
					fmt.Fprintf(w, "%s is a room already: nothing was changed\n", dir)
					return
				}
				fmt.Fprintf(w, "a room in %s\n  its config: %s\n", dir, filepath.Join(dir, configName))
				if k := view.Key; k != nil {
					fmt.Fprintf(w, "  a key of the HTTP API for %s, not shown again: %s\n", k.Account, k.Key)
				}
				fmt.Fprintf(w, "  next: postroom run --room %s\n", dir)
			})
		},
	}
}

// initView is what init made.
type initView struct {
	Room string      `json:"room"`
	Made []string    `json:"made"`
	Key  *newKeyView `json:"key,omitempty"`
}

// firstKey makes a key of the first account of a new room. A store that was there
// before the config keeps its keys, and gets no other.
func (a *app) firstKey(ctx context.Context, dir string) (key *newKeyView, err error) {
	r, err := openRoom(ctx, dir, roomOptions{env: a.env, log: slog.New(slog.DiscardHandler), who: "postroom init"})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	if have, err := r.store.APIKeys(ctx, ""); err != nil || len(have) > 0 {
		return nil, err
	}
	made, err := r.newKey(ctx, r.accounts("")[0].ID, "Default")
	return &made, err
}

func (a *app) checkCommand() *cobra.Command {
	var account, sheet string
	var explain bool
	c := &cobra.Command{
		Use: "check FILE…", Short: "Read, plan and forecast files without storing anything", Args: cobra.MinimumNArgs(1),
		Long: "Read, plan and forecast files without storing anything, and write the report that an\nimport at this moment would give. Exit code 0: clean; 3: some rows rejected or held; 1: unusable.",
		RunE: func(c *cobra.Command, args []string) error {
			return a.withRoom(c.Context(), func(r *room) error {
				if explain {
					return a.explainFiles(c.Context(), r, post.AccountID(account), sheet, args)
				}
				return a.eachFile(c.Context(), r, post.AccountID(account), args, func(ctx context.Context, f *namedFile) (intake.Result, error) {
					f.pick(sheet)
					return r.intake.Check(ctx, f.req)
				})
			})
		},
	}
	c.Flags().StringVar(&account, "account", "", "whose calendar it is; default: as its folder in the inbox says, or the only account")
	c.Flags().BoolVar(&explain, "explain", false, "say how the file is read: how it is written, whose bulk file it is, and what each column means and why")
	c.Flags().StringVar(&sheet, "sheet", "", sheetUsage)
	return c
}

// sheetUsage says what --sheet is for.
const sheetUsage = "which sheet of a workbook to read; default: as its folder says, or the one that looks like a calendar"

func (a *app) importCommand() *cobra.Command {
	var account, sheet string
	var wait bool
	c := &cobra.Command{
		Use: "import FILE…", Short: "Take files as they are, store and report them", Args: cobra.MinimumNArgs(1),
		Long: "Take files as they are, without waiting for them to settle. A file in the inbox is moved\nto the archive; of one elsewhere a copy is kept there. Exit codes as for check.",
		RunE: func(c *cobra.Command, args []string) error {
			return a.withRoom(c.Context(), func(r *room) error {
				if wait && a.room == nil {
					return usageError("--wait: no postroom runs in this room, so nothing would be published")
				}
				var taken []post.ID
				err := a.eachFile(c.Context(), r, post.AccountID(account), args, func(ctx context.Context, f *namedFile) (intake.Result, error) {
					f.pick(sheet)
					res, err := r.importFile(ctx, f)
					if err == nil && res.Outcome == intake.Taken {
						taken = append(taken, res.Import.ID)
					}
					return res, err
				})
				if wait && len(taken) > 0 {
					a.notef("waiting until nothing of it is left to send")
					err = errors.Join(err, r.waitFor(c.Context(), taken))
				}
				return err
			})
		},
	}
	c.Flags().StringVar(&account, "account", "", "whose calendar it is; default: as its folder in the inbox says, or the only account")
	c.Flags().StringVar(&sheet, "sheet", "", sheetUsage)
	c.Flags().BoolVar(&wait, "wait", false, "end only when all its posts are published, failed or held")
	return c
}

// A namedFile is a file named on the command line.
type namedFile struct {
	path    string
	inInbox bool
	file    *os.File
	req     intake.Request
}

// pick names the sheet of a workbook that is to be read, over what its folder says.
func (f *namedFile) pick(sheet string) {
	if sheet != "" {
		f.req.Sheet = sheet
	}
}

// fileResult is what a command says of one file.
type fileResult struct {
	File string `json:"file"`
	intake.Result
	Error string `json:"error,omitempty"`
}

// eachFile does something with each of the files named, and ends with the exit
// code that fits them all.
func (a *app) eachFile(ctx context.Context, r *room, account post.AccountID, names []string, do func(context.Context, *namedFile) (intake.Result, error)) error {
	var results []fileResult
	code := exitOK
	worse := func(c int) {
		if code != exitFailed && c != exitOK {
			code = c
		}
	}
	for _, name := range names {
		res := fileResult{File: name}
		f, err := r.named(account, a.path(name))
		if err == nil {
			f.req.Approve = r.approver(a.who() + ", " + f.req.Name)
			bar := a.progressOf(f.req.Name)
			if bar != nil {
				f.req.Progress = bar.tell
			}
			res.Result, err = do(ctx, f)
			bar.end()
			err = errors.Join(err, f.file.Close())
		}
		switch n := res.Import.Counts; {
		case err != nil:
			if ctx.Err() != nil {
				return err
			}
			res.Error = err.Error()
			worse(exitFailed)
			if !a.json {
				if c := a.report(ctx, err); c == exitUsage {
					return &exitError{code: c}
				}
			}
		case res.Outcome == intake.Unusable || res.Outcome == intake.Nothing:
			worse(exitFailed)
		case res.Approvals != nil && res.Approvals.Refused > 0:
			worse(exitPartly)
		case res.Outcome == intake.Taken && n.Rejected+n.Held > 0:
			worse(exitPartly)
		}
		if err == nil && !a.json {
			a.printResult(r, &res)
		}
		results = append(results, res)
	}
	if a.json {
		if err := a.print(results, nil); err != nil {
			return err
		}
	}
	if code != exitOK {
		return &exitError{code: code}
	}
	return nil
}

// printResult tells a person what became of a file, the problems first.
func (a *app) printResult(r *room, res *fileResult) {
	for _, p := range res.Problems {
		fmt.Fprintln(a.stdout, printable(p.String()))
	}
	if res.Omitted > 0 {
		fmt.Fprintf(a.stdout, "… and %d more problems: see the report\n", res.Omitted)
	}
	n := res.Import.Counts
	name := printable(filepath.Base(res.File))
	if res.Changes != nil {
		printChanges(a.stdout, res.Changes, r.zone(res.Import.Account))
	}
	switch res.Outcome {
	case intake.Unusable:
		fmt.Fprintf(a.stdout, "%s: could not be used\n", name)
	case intake.Approved:
		fmt.Fprintf(a.stdout, "%s: %s\n", name, res.Approvals)
	case intake.Duplicate:
		fmt.Fprintf(a.stdout, "%s: imported before\n", name)
	default:
		fmt.Fprintf(a.stdout, "%s: %d rows = %d accepted + %d held + %d rejected + %d unchanged\n", name, n.Rows, n.Accepted, n.Held, n.Rejected, n.Unchanged)
		if !res.Import.FirstAt.IsZero() {
			zone := r.zone(res.Import.Account)
			fmt.Fprintf(a.stdout, "  from %s to %s\n", local(res.Import.FirstAt, zone), local(res.Import.LastAt, zone))
		}
	}
	for _, q := range res.Quotas {
		if q.Added > 0 && q.Limit != nil {
			fmt.Fprintf(a.stdout, "  %s: %s, %d by this file\n", q.Label(), usedOf(q), q.Added)
		}
	}
	for _, p := range res.Reports {
		if strings.HasSuffix(p, ".html") {
			fmt.Fprintf(a.stdout, "  report: %s\n", p)
		}
	}
}

// printChanges shows what a revision does to the earlier ones of its file, like a
// patch.
func printChanges(w io.Writer, c *intake.Changes, zone *time.Location) {
	fmt.Fprintf(w, "changes since the revision of %s:\n", local(c.Since, zone))
	for _, l := range c.Lines {
		where := ""
		if l.Line > 0 {
			where = fmt.Sprintf("line %d: ", l.Line)
		}
		on := make([]string, len(l.Connections))
		for i, id := range l.Connections {
			on[i] = string(id)
		}
		fmt.Fprintf(w, "%s %s%s, %s: %q", l.Kind.Sign(), where, local(l.At, zone), strings.Join(on, " "), printable(l.Text))
		if l.Note != "" {
			fmt.Fprintf(w, ": %s", printable(l.Note))
		}
		fmt.Fprintln(w)
		for _, f := range l.Fields {
			fmt.Fprintf(w, "    %s: %s → %s\n", f.Field, orNothing(f.Old), orNothing(f.New))
		}
	}
	if c.Omitted > 0 {
		fmt.Fprintf(w, "… and %d more lines\n", c.Omitted)
	}
	fmt.Fprintf(w, "%d added (+), %d changed (~), %d unchanged (=), %d removed (-)", c.Added, c.Changed, c.Unchanged, c.Removed)
	if c.Removed > 0 {
		fmt.Fprintf(w, ", %d of them to be cancelled", c.Cancelled)
	}
	if c.Rejected > 0 {
		fmt.Fprintf(w, "; %d rejected", c.Rejected)
	}
	fmt.Fprintln(w)
}

// orNothing shows a value, and a word for none.
func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return strconv.Quote(printable(s))
}

// named opens a file named on the command line, and makes the request to take it.
// Its account is the one named, or as its folder in the inbox says, or the only
// one.
func (r *room) named(account post.AccountID, file string) (*namedFile, error) {
	folder := string(account)
	inside := false
	if real, err := filepath.EvalSymlinks(file); err == nil {
		if box, err := filepath.EvalSymlinks(filepath.Join(r.dir, "inbox")); err == nil {
			if rel, err := filepath.Rel(box, real); err == nil && filepath.IsLocal(rel) {
				inside = true
				if account == "" {
					folder = path.Dir(filepath.ToSlash(rel))
				}
			}
		}
	}
	if folder == "." {
		folder = ""
	}
	if account != "" && len(r.accounts(account)) == 0 {
		return nil, noAccount(r, string(account))
	}
	f, err := openRegular(file)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	req, hold, err := r.request(folder, filepath.Base(file), f, info.Size())
	if err == nil && hold != "" {
		err = &exitError{exitUsage, &hinted{fmt.Errorf("%s: %s", file, hold), "name the account with --account"}}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	req.Media = &pinner{media: r.media, dir: filepath.Dir(file), now: r.now}
	return &namedFile{path: file, inInbox: inside, file: f, req: req}, nil
}

// openRegular opens a file without waiting for anybody, should it be a pipe.
func openRegular(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no file: %s", path, info.Mode().Type())
	}
	return os.Open(path)
}

// importFile takes a file and puts its original, or a copy of it, into the
// archive.
func (r *room) importFile(ctx context.Context, f *namedFile) (intake.Result, error) {
	res, err := r.take(ctx, f.req)
	if err != nil || res.Outcome == intake.Duplicate && !f.inInbox {
		return res, err
	}
	kind := "archive"
	if res.Outcome == intake.Nothing || res.Outcome == intake.Unusable {
		kind = "rejected"
	}
	if kind == "rejected" && !f.inInbox {
		return res, nil // it stays where its owner has it
	}
	to, err := r.file(f, path.Join(kind, string(f.req.Account.ID), f.req.Now.In(f.req.Account.Zone).Format("2006-01")), res.Import.Digest)
	if err != nil {
		return res, fmt.Errorf("stored, but the original was not archived: %w", err)
	}
	if res.Outcome == intake.Taken {
		err = r.filed(ctx, res.Import, to)
	}
	return res, err
}

// file moves or copies an original into a folder of the room, under its own name
// or, where that is taken, with the file's hash, and returns its path in the
// room. digest is the hash, or zero where it is not known yet.
func (r *room) file(f *namedFile, folder string, digest post.Digest) (string, error) {
	dir := filepath.Join(r.dir, filepath.FromSlash(folder))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	put := atomicfile.Copy
	if f.inInbox {
		put = atomicfile.Move
	}
	name := filepath.Base(f.path)
	err := put(f.path, filepath.Join(dir, name))
	if errors.Is(err, os.ErrExist) {
		if digest == (post.Digest{}) {
			var derr error
			if digest, derr = intake.Digest(context.Background(), f.file, f.req.Size); derr != nil {
				return "", derr
			}
		}
		ext := filepath.Ext(name)
		name = fmt.Sprintf("%s-%x%s", strings.TrimSuffix(name, ext), digest[:4], ext)
		err = put(f.path, filepath.Join(dir, name))
		if errors.Is(err, os.ErrExist) && !f.inInbox {
			err = nil // the very same bytes lie there
		}
	}
	return path.Join(folder, name), err
}
