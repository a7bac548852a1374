package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/postroom/postroom/intake"
	"github.com/postroom/postroom/post"
)

func isNotFound(err error) bool { return errors.Is(err, post.ErrNotFound) }

func (a *app) importsCommand() *cobra.Command {
	c := &cobra.Command{Use: "imports", Short: "List the files that were taken, and undo one"}
	c.AddCommand(a.importsListCommand(), a.importsShowCommand(), a.importsUndoCommand())
	return c
}

func (a *app) importsListCommand() *cobra.Command {
	var account, cursor string
	var most int
	c := &cobra.Command{
		Use: "list", Short: "List imports, the latest first", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withRoom(c.Context(), func(r *room) error {
				imps, next, err := r.store.Imports(c.Context(), post.AccountID(account), cursor, most)
				if err != nil {
					return err
				}
				lost, err := r.lostSeries(c.Context())
				if err != nil {
					return err
				}
				out := map[string]any{"imports": imps, "next": next}
				if len(lost) > 0 {
					out["lost_series"] = slices.Collect(maps.Keys(lost))
				}
				return a.print(out, func(w io.Writer) {
					if len(imps) == 0 {
						a.notef("no imports")
						return
					}
					t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
					fmt.Fprintln(t, "ID\tACCOUNT\tTAKEN\tFILE\tROWS\tACCEPTED\tHELD\tREJECTED\tUNCHANGED")
					for _, i := range imps {
						name := oneLine(i.Name, 40)
						if i.Undone {
							name += " (undone)"
						}
						if lost[i.ID] != "" {
							name += " (series end: calendar lost)"
						}
						n := i.Counts
						fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\n", i.ID, i.Account, local(i.TakenAt, r.zone(i.Account)), name, n.Rows, n.Accepted, n.Held, n.Rejected, n.Unchanged)
					}
					t.Flush()
					if next != "" {
						a.notef("more: add --cursor %s", next)
					}
					if len(lost) > 0 {
						a.notef("%d calendars are gone from archive/ and give no more posts: %s", len(lost), lostHint)
					}
				})
			})
		},
	}
	f := c.Flags()
	f.StringVar(&account, "account", "", "only of this account")
	f.StringVar(&cursor, "cursor", "", "go on where the last list ended")
	f.IntVar(&most, "limit", 50, "how many at most")
	return c
}

func (a *app) importsShowCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Show one import and the rows that need a look", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withRoom(c.Context(), func(r *room) error {
				id, err := parseID(args[0])
				if err != nil {
					return err
				}
				imp, err := r.store.Import(c.Context(), id)
				if err != nil {
					return noImport(err, args[0])
				}
				var rows []post.Row
				for from := 1; len(rows) < mostRowsShown; {
					page, err := r.store.Rows(c.Context(), id, from, 1000)
					if err != nil {
						return err
					}
					if len(page) == 0 {
						break
					}
					for _, row := range page {
						if row.Decision == post.Held || row.Decision == post.Rejected || len(row.Problems) > 0 {
							rows = append(rows, row)
						}
					}
					from = page[len(page)-1].N + 1
				}
				return a.print(map[string]any{"import": imp, "rows": rows}, func(w io.Writer) {
					n := imp.Counts
					fmt.Fprintf(w, "import %s: %s, account %s, taken %s\n", imp.ID, printable(imp.Name), imp.Account, local(imp.TakenAt, r.zone(imp.Account)))
					fmt.Fprintf(w, "%d rows = %d accepted + %d held + %d rejected + %d unchanged\n", n.Rows, n.Accepted, n.Held, n.Rejected, n.Unchanged)
					if imp.Undone {
						fmt.Fprintln(w, "undone")
					}
					fmt.Fprintf(w, "original: %s\nreport:   reports/%s.report.html\n", imp.Archive, imp.Report)
					if intake.Extendable(&imp) && r.seriesLost(&imp) {
						fmt.Fprintf(w, "its original is gone, and its series give no more posts: %s\n", lostHint)
					}
					for _, p := range imp.Notes {
						fmt.Fprintln(w, printable(p.String()))
					}
					for _, row := range rows {
						if row.Why != "" && row.Decision == post.Held {
							fmt.Fprintf(w, "line %d: held: %s\n", row.Line, printable(row.Why))
						}
						for _, p := range row.Problems {
							fmt.Fprintln(w, printable(p.String()))
						}
					}
				})
			})
		},
	}
}

// mostRowsShown bounds what `imports show` prints; the report has all.
const mostRowsShown = 1000

func (a *app) importsUndoCommand() *cobra.Command {
	return &cobra.Command{
		Use: "undo ID", Short: "Cancel what is still waiting of one import", Args: cobra.ExactArgs(1),
		Long: "Cancel what is still waiting of one import. What a revision took back of the earlier ones waits\nagain, where nothing of what came in its place is out: at its time when that is still to come and\nthe plan has room, else held. Published posts are never touched.",
		RunE: func(c *cobra.Command, args []string) error {
			return a.withRoom(c.Context(), func(r *room) error {
				id, err := parseID(args[0])
				if err != nil {
					return err
				}
				view, err := r.undo(c.Context(), id, a.who())
				if err != nil {
					return noImport(err, args[0])
				}
				return a.print(view, func(w io.Writer) {
					fmt.Fprintf(w, "%d posts cancelled; %d were out already, or being sent, and stay\n", view.Cancelled, view.Left)
					if view.Restored > 0 {
						fmt.Fprintf(w, "%d posts of earlier revisions wait again\n", view.Restored)
					}
					for _, h := range view.Held {
						fmt.Fprintf(w, "held: post group %s: %s\n", h.Group, h.Why)
					}
				})
			})
		},
	}
}

// An undoView is what an undo did.
type undoView struct {
	Cancelled int        `json:"cancelled"`
	Left      int        `json:"left"`
	Restored  int        `json:"restored"`       // posts of earlier revisions that wait again
	Held      []heldView `json:"held,omitempty"` // those of them that wait for a person
}

type heldView struct {
	Group post.ID `json:"post_group_id"`
	Why   string  `json:"why"`
}

// undo takes an import back, and then lets wait again what it had taken back. A
// run that was cut off in between goes on when it is asked for again.
func (r *room) undo(ctx context.Context, id post.ID, who string) (view undoView, err error) {
	if view.Cancelled, view.Left, err = r.store.UndoImport(ctx, id, who); err != nil {
		return view, err
	}
	old, err := r.store.Replaced(ctx, id)
	if err != nil {
		return view, err
	}
	for _, o := range old {
		g, waited, err := r.store.Restore(ctx, o, "the revision that took it back was undone", who)
		if errors.Is(err, post.ErrState) {
			continue // what came in its place is out
		}
		if err != nil {
			return view, err
		}
		why := "it was a draft before"
		switch {
		case !waited:
		case !g.ScheduledAt.After(r.now()):
			why = "its time is past"
		default:
			_, err := r.approve(ctx, &g, g.ID, g.ScheduledAt, who)
			if err == nil {
				view.Restored += len(g.Posts)
				continue
			}
			why = err.Error()
		}
		view.Held = append(view.Held, heldView{g.ID, why})
	}
	return view, nil
}

func noImport(err error, id string) error {
	if isNotFound(err) {
		return &hinted{fmt.Errorf("no import %s", id), "`postroom imports list` shows what there is"}
	}
	return err
}
