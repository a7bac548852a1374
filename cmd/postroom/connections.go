package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish/oauth"
)

func (a *app) connectionsCommand() *cobra.Command {
	var account string
	c := &cobra.Command{
		Use: "connections", Short: "List connections, test or resume one, and store secrets", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withRoom(c.Context(), func(r *room) error { return a.listConnections(c.Context(), r, post.AccountID(account)) })
		},
	}
	c.PersistentFlags().StringVar(&account, "account", "", "only of this account")
	c.AddCommand(&cobra.Command{
		Use: "test [ID…]", Short: "Ask each platform who the credentials belong to",
		RunE: func(c *cobra.Command, args []string) error {
			return a.withRoom(c.Context(), func(r *room) error { return a.testConnections(c.Context(), r, post.AccountID(account), args) })
		},
	}, &cobra.Command{
		Use: "resume ID", Short: "Let a paused connection send again", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withRoom(c.Context(), func(r *room) error {
				found := r.connections(post.AccountID(account), args)
				if len(found) == 0 {
					return noConnection(r, args[0])
				}
				for _, f := range found {
					if err := r.store.Resume(c.Context(), f.account, f.id, a.who()); err != nil && !isNotFound(err) {
						return err
					}
					a.notef("%s of %s sends again", f.id, f.account)
				}
				return nil
			})
		},
	}, a.loginCommand(&account), a.addSecretCommand(), a.removeSecretCommand(), a.newKeyCommand())
	return c
}

// connectionView is a connection as `connections` shows it.
type connectionView struct {
	post.ConnectionState
	Driver    string       `json:"driver"`
	Login     *oauth.State `json:"login,omitempty"`      // of one that people log in to
	Rate      limits.Rate  `json:"rate"`                 // what the platform is quoted with
	LeftToday *int         `json:"left_today,omitempty"` // of what is recommended; nil where nothing is
}

func (a *app) listConnections(ctx context.Context, r *room, account post.AccountID) error {
	states, err := r.store.Connections(ctx)
	if err != nil {
		return err
	}
	type key struct {
		post.AccountID
		post.ConnectionID
	}
	known := map[key]post.ConnectionState{}
	for _, s := range states {
		known[key{s.Account, s.Connection}] = s
	}
	var views []connectionView
	for _, c := range r.connections(account, nil) {
		v := connectionView{ConnectionState: known[key{c.account, c.id}], Driver: c.driver, Rate: limits.RateOf(c.id.Platform())}
		if left, ok := v.Rate.LeftToday(v.SentDay); ok {
			v.LeftToday = &left
		}
		if c.login != nil {
			st, err := c.login.State()
			if err != nil {
				return err
			}
			v.Login = &st
		}
		v.Account, v.Connection = c.account, c.id
		views = append(views, v)
	}
	return a.print(views, func(w io.Writer) {
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "ACCOUNT\tCONNECTION\tDRIVER\tWAITING\tNEXT\tLEFT TODAY\tLAST SUCCESS\tLAST ERROR\tLOGIN UNTIL\tSTATE")
		for _, v := range views {
			zone := r.zone(v.Account)
			state := "ok"
			switch {
			case v.Login != nil && v.Login.Why() != "":
				state = oneLine(v.Login.Why(), 80) + ": log in"
			case v.PauseWhy != "":
				state = fmt.Sprintf("paused until %s: %s", local(v.NotBefore, zone), oneLine(v.PauseWhy, 80))
			case v.ErrorsInRow > 0:
				state = fmt.Sprintf("%d errors in a row: %s", v.ErrorsInRow, oneLine(v.LastError, 80))
			}
			until := time.Time{}
			if v.Login != nil {
				until = v.Login.ExpiresAt
			}
			left := "-"
			if v.LeftToday != nil {
				left = fmt.Sprintf("%d of %d", *v.LeftToday, v.Rate.AdvisedDay)
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\n", v.Account, v.Connection, v.Driver, v.Open, local(v.NextDueAt, zone), left,
				local(v.LastSuccess, zone), local(v.LastErrorAt, zone), local(until, zone), state)
		}
		t.Flush()
	})
}

// connectionTest is what `connections test` shows of one.
type connectionTest struct {
	Account    post.AccountID    `json:"account"`
	Connection post.ConnectionID `json:"connection"`
	OK         bool              `json:"ok"`
	Identity   *post.Identity    `json:"identity,omitempty"`
	Error      string            `json:"error,omitempty"`
}

func (a *app) testConnections(ctx context.Context, r *room, account post.AccountID, ids []string) error {
	found := r.connections(account, ids)
	if len(found) == 0 && len(ids) > 0 {
		return noConnection(r, ids[0])
	}
	results := make([]connectionTest, len(found))
	var g errgroup.Group
	g.SetLimit(8)
	for i, c := range found {
		g.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
			defer cancel()
			results[i] = connectionTest{Account: c.account, Connection: c.id}
			who, err := c.publisher.Check(ctx)
			if err != nil {
				results[i].Error = err.Error()
				return nil
			}
			results[i].OK, results[i].Identity = true, &who
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	failed := 0
	for _, t := range results {
		if !t.OK {
			failed++
		}
	}
	err := a.print(results, func(w io.Writer) {
		for _, t := range results {
			if t.OK {
				fmt.Fprintf(w, "ok      %s %s is %s %s\n", t.Account, t.Connection, printable(t.Identity.Username), printable(t.Identity.ProfileURL))
			} else {
				fmt.Fprintf(w, "failed  %s %s: %s\n", t.Account, t.Connection, printable(t.Error))
			}
		}
	})
	switch {
	case err != nil || failed == 0:
		return err
	case failed == len(results):
		return &exitError{code: exitFailed}
	}
	return &exitError{code: exitPartly}
}

func noConnection(r *room, name string) error {
	var names []string
	for _, c := range r.connections("", nil) {
		names = append(names, string(c.id))
	}
	hint := "`postroom connections` lists them"
	if near := post.Nearest(name, names); near != "" {
		hint = fmt.Sprintf("did you mean %s?", near)
	}
	return &exitError{exitUsage, &hinted{fmt.Errorf("no connection %q", name), hint}}
}
