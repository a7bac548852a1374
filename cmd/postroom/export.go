package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/postroom/postroom/importer"
	"github.com/postroom/postroom/internal/atomicfile"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/store"
)

func (a *app) exportCommand() *cobra.Command {
	var account, out string
	var asCalendar, audit bool
	var as exportAs
	c := &cobra.Command{
		Use: "export", Short: "Write every post group as one line of JSON or as a calendar, the plan as a file for another tool, or who did what", Args: cobra.NoArgs,
		Long: "Write every post group as one line of JSON, with --ics as a calendar, or with --as what waits\nto be published as a bulk file for another tool. --audit writes who did what and when, as a line\nof JSON each. What such a file cannot say is told, and a\npost that it would say otherwise is left out; then the exit code is 3.\n\nTools: " + strings.Join(importer.Tools(), ", "),
		RunE: func(c *cobra.Command, _ []string) error {
			if as.tool == "" && (as.connection != "" || as.dateOrder != "") {
				return usageError("--connection and --date-order go with --as")
			}
			if as.tool != "" && asCalendar || as.tool != "" && audit || asCalendar && audit {
				return usageError("--as, --ics and --audit: choose one")
			}
			if as.dateOrder != "" && as.dateOrder != "dmy" && as.dateOrder != "mdy" {
				return usageError("--date-order: want dmy or mdy")
			}
			return a.withRoom(c.Context(), func(r *room) error {
				if as.tool != "" {
					as.account, as.out = post.AccountID(account), out
					return a.exportPlan(c.Context(), r, as)
				}
				if account != "" && len(r.accounts(post.AccountID(account))) == 0 {
					return noAccount(r, account)
				}
				write := exportGroups
				what := "post groups"
				switch {
				case asCalendar:
					write = exportCalendar
				case audit:
					write, what = exportAudit, "entries"
				}
				if out == "" {
					_, err := write(c.Context(), r.store, post.AccountID(account), a.stdout)
					return err
				}
				f, err := atomicfile.Create(a.path(out))
				if err != nil {
					return err
				}
				defer f.Discard()
				n, err := write(c.Context(), r.store, post.AccountID(account), f)
				if err != nil {
					return err
				}
				if err := f.Commit(); err != nil {
					return err
				}
				a.notef("%d %s written to %s", n, what, out)
				return nil
			})
		},
	}
	c.Flags().StringVar(&account, "account", "", "only of this account")
	c.Flags().BoolVar(&asCalendar, "ics", false, "write an iCalendar file: the plan and what became of it")
	c.Flags().BoolVar(&audit, "audit", false, "write who imported, approved, moved and cancelled what, and what was published")
	c.Flags().StringVar(&as.tool, "as", "", "write the plan as a bulk file for this tool")
	c.Flags().StringVar(&as.connection, "connection", "", "with --as: only what goes to this connection")
	c.Flags().StringVar(&as.dateOrder, "date-order", "", "with --as: dmy or mdy, for tools that write 03/04/2026; default: as the account has it")
	c.Flags().StringVar(&out, "out", "", "write to this file, whole or not at all; default: standard output")
	return c
}

// exportGroups pages through the store, so that no read lasts as long as the
// writing does.
func exportGroups(ctx context.Context, s *store.Store, account post.AccountID, w io.Writer) (int, error) {
	b := bufio.NewWriterSize(w, 1<<16)
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	n, cursor := 0, ""
	for {
		groups, next, err := s.Groups(ctx, post.Filter{Account: account}, cursor, 500)
		if err != nil {
			return n, err
		}
		for i := range groups {
			if err := enc.Encode(viewOf(&groups[i])); err != nil {
				return n, err
			}
			n++
		}
		if next == "" {
			return n, b.Flush()
		}
		cursor = next
	}
}

// reportFor writes the report of an import again, whole, as things stand now.
func (a *app) reportCommand() *cobra.Command {
	return &cobra.Command{
		Use: "report FILE|ID…", Short: "Write the reports of imports again, whole", Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withRoom(c.Context(), func(r *room) error {
				var written []string
				for _, arg := range args {
					imp, err := r.findImport(c.Context(), arg)
					if err != nil {
						return err
					}
					if err := r.intake.Rewrite(c.Context(), imp, r.original, r.zone(imp.Account), r.now(), true); err != nil {
						return fmt.Errorf("report of %s: %w", imp.Name, err)
					}
					written = append(written, filepath.Join("reports", filepath.FromSlash(imp.Report)+".report.html"))
				}
				return a.print(written, func(w io.Writer) {
					for _, p := range written {
						fmt.Fprintln(w, p)
					}
				})
			})
		},
	}
}

// findImport finds an import by its id, or the latest of a file by its name.
func (r *room) findImport(ctx context.Context, arg string) (post.Import, error) {
	if id, err := post.ParseID(arg); err == nil {
		imp, err := r.store.Import(ctx, id)
		return imp, noImport(err, arg)
	}
	name := filepath.Base(arg)
	for cursor := ""; ; {
		imps, next, err := r.store.Imports(ctx, "", cursor, 500)
		if err != nil {
			return post.Import{}, err
		}
		for _, imp := range imps {
			if imp.Name == name {
				return imp, nil
			}
		}
		if next == "" {
			return post.Import{}, noImport(post.ErrNotFound, arg)
		}
		cursor = next
	}
}

// waitFor blocks until nothing of the imports waits any more.
func (r *room) waitFor(ctx context.Context, imps []post.ID) error {
	for _, imp := range imps {
		waiting := post.Filter{Import: imp, Statuses: []post.Status{post.StatusScheduled}}
		err := untilNone(ctx, func(from string) ([]post.Group, error) {
			some, _, err := r.store.Groups(ctx, waiting, from, 1)
			return some, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// untilNone asks each second for the first group from one on, "" for all, until there
// is none. Those before the first are not looked at again until the end: of a long
// file that would be most of them, each second, for weeks.
func untilNone(ctx context.Context, first func(from string) ([]post.Group, error)) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for from := ""; ; {
		some, err := first(from)
		switch {
		case err != nil:
			return err
		case len(some) > 0:
			from = some[0].ID.String()
		case from == "":
			return nil
		default: // one before it may wait again
			from = ""
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
