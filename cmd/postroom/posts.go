package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/postroom/postroom/intake"
	"github.com/postroom/postroom/internal/walltime"
	"github.com/postroom/postroom/post"
)

func (a *app) postsCommand() *cobra.Command {
	c := &cobra.Command{Use: "posts", Short: "List posts, and decide about single ones"}
	c.AddCommand(a.postsListCommand(), a.postsShowCommand(), a.postsRetryCommand(), a.postsResolveCommand(),
		a.postsRescheduleCommand(), a.postsCancelCommand(), a.postsApproveCommand())
	return c
}

func (a *app) postsListCommand() *cobra.Command {
	var account, status, connection, imp, from, to, cursor string
	var held bool
	var most int
	c := &cobra.Command{
		Use: "list", Short: "List posts by their time", Args: cobra.NoArgs,
		Example: "  postroom posts list --status failed\n  postroom posts list --connection twitter-123456 --from 2026-03-01",
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withRoom(c.Context(), func(r *room) error {
				f := post.Filter{Account: post.AccountID(account), Held: held}
				var err error
				if status != "" {
					for _, s := range strings.Split(status, ",") {
						v, err := post.ParseStatus(strings.TrimSpace(s))
						if err != nil && strings.TrimSpace(s) == "held" {
							return &exitError{exitUsage, &hinted{fmt.Errorf("--status: %w", err), "held posts are drafts that wait for a person: --held lists them"}}
						}
						if err != nil {
							return usageError("--status: %w", err)
						}
						f.Statuses = append(f.Statuses, v)
					}
				}
				if connection != "" {
					f.Connections = []post.ConnectionID{post.ConnectionID(connection)}
				}
				if imp != "" {
					if f.Import, err = parseID(imp); err != nil {
						return err
					}
				}
				if f.From, err = parseWhen("--from", from, r.zone(f.Account)); err != nil {
					return err
				}
				if f.To, err = parseWhen("--to", to, r.zone(f.Account)); err != nil {
					return err
				}
				groups, next, err := r.store.Groups(c.Context(), f, cursor, most)
				if err != nil {
					return err
				}
				return a.print(map[string]any{"groups": groupViews(groups), "next": next}, func(w io.Writer) {
					a.printGroups(w, r, groups)
					if next != "" {
						a.notef("more: add --cursor %s", next)
					}
				})
			})
		},
	}
	f := c.Flags()
	f.StringVar(&account, "account", "", "only of this account")
	f.StringVar(&status, "status", "", "only with one of these statuses, comma separated: draft, scheduled, published, failed, partially_published, cancelled")
	f.StringVar(&connection, "connection", "", "only on this connection")
	f.StringVar(&imp, "import", "", "only of this import")
	f.StringVar(&from, "from", "", "only from this time on, like 2026-03-01 or 2026-03-01T09:00")
	f.StringVar(&to, "to", "", "only before this time")
	f.BoolVar(&held, "held", false, "only what waits for a person")
	f.StringVar(&cursor, "cursor", "", "go on where the last list ended")
	f.IntVar(&most, "limit", 50, "how many at most")
	return c
}

func (a *app) postsShowCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Show one post with its history", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withRoom(c.Context(), func(r *room) error {
				id, err := parseID(args[0])
				if err != nil {
					return err
				}
				g, err := r.store.Group(c.Context(), id)
				if err != nil {
					return noPost(err, args[0])
				}
				log, err := r.store.Log(c.Context(), g.ID)
				if err != nil {
					return err
				}
				return a.print(map[string]any{"group": viewOf(&g), "log": log}, func(w io.Writer) { printGroup(w, r.zone(g.Account), &g, log) })
			})
		},
	}
}

// change makes a command that changes one group or post by its id.
func (a *app) change(use, short, done string, fn func(ctx context.Context, r *room, id post.ID) (post.Group, error)) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withRoom(c.Context(), func(r *room) error { return a.changeAll(c.Context(), r, args, done, fn) })
		},
	}
}

// changeAll changes each of ids; one that fails does not stop the others.
func (a *app) changeAll(ctx context.Context, r *room, ids []string, done string, fn func(context.Context, *room, post.ID) (post.Group, error)) error {
	var changed []groupView
	failed := 0
	for _, arg := range ids {
		g, err := func() (post.Group, error) {
			id, err := parseID(arg)
			if err != nil {
				return post.Group{}, err
			}
			return fn(ctx, r, id)
		}()
		if err != nil {
			failed++
			a.report(ctx, noPost(err, arg))
			continue
		}
		changed = append(changed, viewOf(&g))
		if !a.json {
			fmt.Fprintf(a.stdout, "%s %s: %s, %s\n", arg, done, g.Status(), local(g.ScheduledAt, r.zone(g.Account)))
		}
	}
	if a.json {
		if err := a.print(changed, nil); err != nil {
			return err
		}
	}
	switch {
	case failed == 0:
		return nil
	case failed == len(ids):
		return &exitError{code: exitFailed}
	}
	return &exitError{code: exitPartly}
}

func (a *app) postsRetryCommand() *cobra.Command {
	return a.change("retry ID…", "Send failed posts again at the next minute", "will be sent again",
		func(ctx context.Context, r *room, id post.ID) (post.Group, error) {
			return r.store.Retry(ctx, id, r.thisSecond(), a.who())
		})
}

func (a *app) postsCancelCommand() *cobra.Command {
	return a.change("cancel ID…", "Take waiting posts back", "cancelled",
		func(ctx context.Context, r *room, id post.ID) (post.Group, error) {
			return r.store.Cancel(ctx, id, a.who())
		})
}

func (a *app) postsApproveCommand() *cobra.Command {
	var at, imp string
	one := func(ctx context.Context, r *room, id post.ID) (post.Group, error) {
		g, err := r.store.Group(ctx, id)
		if err != nil {
			return g, err
		}
		when, err := parseWhen("--at", at, r.zone(g.Account))
		if err != nil {
			return g, err
		}
		return r.approve(ctx, &g, id, when, a.who())
	}
	c := &cobra.Command{
		Use: "approve ID…", Short: "Schedule drafts and held posts",
		Long: "Schedule drafts and held posts: those named, or with --import all of a file whose\ntime has not passed. A report does the same for the rows that it marks: write yes\ninto its approve column, and drop it into the inbox.",
		RunE: func(c *cobra.Command, args []string) error {
			if (imp == "") == (len(args) == 0) {
				return usageError("want the ids of posts, or --import ID")
			}
			return a.withRoom(c.Context(), func(r *room) error {
				if imp == "" {
					return a.changeAll(c.Context(), r, args, "approved", one)
				}
				if at != "" {
					return usageError("--at: one time for all posts of a file is no plan")
				}
				drafts, err := r.draftsOf(c.Context(), imp)
				if err != nil {
					return err
				}
				if len(drafts) == 0 {
					a.notef("nothing of it waits for approval")
				}
				return a.changeAll(c.Context(), r, drafts, "approved", func(ctx context.Context, r *room, id post.ID) (post.Group, error) {
					g, err := r.store.Group(ctx, id)
					if err != nil {
						return g, err
					}
					err = r.approver(a.who())(ctx, &g, id, true)
					if u := (*intake.Unapproved)(nil); errors.As(err, &u) {
						return g, &hinted{fmt.Errorf("%s: want %s", id, u.Want), u.Hint}
					}
					if err != nil {
						return g, err
					}
					return r.store.Group(ctx, id)
				})
			})
		},
	}
	c.Flags().StringVar(&at, "at", "", "when, like 2026-03-01T09:00 in the account's zone; default: the time it asked for, or now when that is past")
	c.Flags().StringVar(&imp, "import", "", "all drafts of this import")
	return c
}

// draftsOf returns the ids of the groups of an import that wait for approval.
func (r *room) draftsOf(ctx context.Context, imp string) (ids []string, err error) {
	id, err := parseID(imp)
	if err != nil {
		return nil, err
	}
	if _, err := r.store.Import(ctx, id); err != nil {
		return nil, noImport(err, imp)
	}
	for cursor := ""; ; {
		groups, next, err := r.store.Groups(ctx, post.Filter{Import: id, Statuses: []post.Status{post.StatusDraft}}, cursor, 500)
		if err != nil {
			return nil, err
		}
		for i := range groups {
			ids = append(ids, groups[i].ID.String())
		}
		if next == "" {
			return ids, nil
		}
		cursor = next
	}
}

func (a *app) postsRescheduleCommand() *cobra.Command {
	return &cobra.Command{
		Use: "reschedule ID TIME", Short: "Move a waiting post", Args: cobra.ExactArgs(2),
		Example: "  postroom posts reschedule 6925c0de00a1b2c3d4e5f607 2026-03-01T09:00",
		RunE: func(c *cobra.Command, args []string) error {
			return a.withRoom(c.Context(), func(r *room) error {
				return a.changeAll(c.Context(), r, args[:1], "moved", func(ctx context.Context, r *room, id post.ID) (post.Group, error) {
					g, err := r.store.Group(ctx, id)
					if err != nil {
						return g, err
					}
					when, err := parseWhen("TIME", args[1], r.zone(g.Account))
					if err != nil {
						return g, err
					}
					return r.reschedule(ctx, &g, id, when, a.who())
				})
			})
		},
	}
}

func (a *app) postsResolveCommand() *cobra.Command {
	var url string
	c := &cobra.Command{
		Use: "resolve ID sent|unsent", Short: "Say whether a post of unknown outcome is live", Args: cobra.ExactArgs(2),
		Long: "Say whether a post of unknown outcome is live. `sent` records it as published;\n`unsent` records it as failed: `postroom posts retry` then sends it again.",
		RunE: func(c *cobra.Command, args []string) error {
			if args[1] != "sent" && args[1] != "unsent" {
				return usageError("got %q, want sent or unsent", args[1])
			}
			return a.withRoom(c.Context(), func(r *room) error {
				return a.changeAll(c.Context(), r, args[:1], "resolved", func(ctx context.Context, r *room, id post.ID) (post.Group, error) {
					return r.store.Resolve(ctx, id, args[1] == "sent", post.Receipt{URL: url, PublishedAt: r.now(), Found: true}, a.who())
				})
			})
		},
	}
	c.Flags().StringVar(&url, "url", "", "with sent: where the post is")
	return c
}

// who is recorded for changes made by the command line.
func (a *app) who() string {
	if a.user == "" {
		return "command line"
	}
	return a.user + ", command line"
}

func parseID(s string) (post.ID, error) {
	id, err := post.ParseID(s)
	if err != nil {
		return id, &exitError{exitUsage, &hinted{err, "`postroom posts list` and `postroom imports list` show ids"}}
	}
	return id, nil
}

// noPost adds a next step when there is no such post.
func noPost(err error, id string) error {
	if isNotFound(err) {
		return &hinted{fmt.Errorf("no post or post group %s", id), "`postroom posts list` shows what there is"}
	}
	return err
}

// parseWhen reads a time of the command line: RFC 3339, or a day or minute in
// the account's zone. Empty is no time.
func parseWhen(flag, s string, zone *time.Location) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t.UTC().Truncate(time.Second), nil
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly} {
		t, err := time.Parse(layout, s)
		if err != nil {
			continue
		}
		at, kind := walltime.Resolve(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), 0, zone)
		if kind == walltime.Gap {
			return time.Time{}, usageError("%s: got %q, a time that does not exist in %s, where clocks go forward then", flag, s, zone)
		}
		return at.UTC(), nil
	}
	return time.Time{}, usageError("%s: got %q, want a time like 2026-03-01T09:00 or 2026-03-01T09:00:00+01:00", flag, s)
}

// A groupView is a group as the command line's JSON shows it.
type groupView struct {
	*post.Group
	Status post.Status `json:"status"`
}

func viewOf(g *post.Group) groupView { return groupView{g, g.Status()} }

func groupViews(gs []post.Group) []groupView {
	vs := make([]groupView, len(gs))
	for i := range gs {
		vs[i] = viewOf(&gs[i])
	}
	return vs
}

func (a *app) printGroups(w io.Writer, r *room, gs []post.Group) {
	if len(gs) == 0 {
		a.notef("no posts")
		return
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tACCOUNT\tWHEN\tSTATUS\tWHERE\tTEXT")
	for i := range gs {
		g := &gs[i]
		var on []string
		for j := range g.Posts {
			on = append(on, string(g.Posts[j].Connection))
		}
		status := g.Status().String()
		if g.Held != "" {
			status = "held"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", g.ID, g.Account, local(g.ScheduledAt, r.zone(g.Account)), status, strings.Join(on, " "), oneLine(g.Text, 48))
	}
	t.Flush()
}

// oneLine shortens a text for a table, and keeps terminal control out of it.
func oneLine(s string, most int) string {
	s = strings.Join(strings.Fields(printable(s)), " ")
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

func printGroup(w io.Writer, zone *time.Location, g *post.Group, log []post.LogEntry) {
	fmt.Fprintf(w, "group %s, account %s: %s\n", g.ID, g.Account, g.Status())
	if g.Held != "" {
		fmt.Fprintf(w, "held: %s\n", g.Held)
	}
	fmt.Fprintf(w, "when: %s\n", local(g.ScheduledAt, zone))
	fmt.Fprintf(w, "text: %s\n", printable(g.Text))
	for i := range g.Media {
		fmt.Fprintf(w, "media: %s\n", printable(g.Media[i].URL))
	}
	for i := range g.Posts {
		p := &g.Posts[i]
		fmt.Fprintf(w, "\n%s on %s: %s, %s, attempts %d\n", p.ID, p.Connection, p.Status, local(p.DueAt, zone), p.Attempts)
		if p.Receipt != nil {
			fmt.Fprintf(w, "  live: %s\n", printable(p.Receipt.URL))
		}
		if p.Problem != nil {
			fmt.Fprintf(w, "  %s: %s\n", p.Problem.Code, printable(p.Problem.Message))
		}
		if p.Status == post.StatusUnknown {
			fmt.Fprintf(w, "  look whether it is on the platform, then: postroom posts resolve %s sent|unsent\n", p.ID)
		}
	}
	if len(log) > 0 {
		fmt.Fprintln(w)
	}
	for _, e := range log {
		fmt.Fprintf(w, "%s  %s %s %s\n", local(e.At, zone), e.Event, e.Platform, printable(e.Error))
	}
}

// printable replaces what a terminal would obey: control characters other than
// the newline.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return r
		}
		if r < 0x20 || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return '\ufffd'
		}
		return r
	}, s)
}
