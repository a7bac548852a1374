package main

import (
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
)

// accountUsage is what `usage` shows of one account.
type accountUsage struct {
	Account post.AccountID     `json:"account"`
	Plan    string             `json:"plan"`
	Quotas  []limits.QuotaLine `json:"quotas"`
}

func (a *app) usageCommand() *cobra.Command {
	var account string
	c := &cobra.Command{
		Use: "usage", Short: "Show what of each plan is used", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withRoom(c.Context(), func(r *room) error {
				var all []accountUsage
				for _, acc := range r.accounts(post.AccountID(account)) {
					u, err := r.store.Usage(c.Context(), acc.ID)
					if err != nil {
						return err
					}
					all = append(all, accountUsage{acc.ID, acc.Plan.Name, limits.NewMeter(acc.Plan, u).Usage(acc.Directory.IDs(), r.now())})
				}
				if len(all) == 0 {
					return noAccount(r, account)
				}
				return a.print(all, func(w io.Writer) {
					for _, u := range all {
						fmt.Fprintf(w, "%s, plan %s\n", u.Account, u.Plan)
						t := tabwriter.NewWriter(w, 2, 0, 2, ' ', 0)
						for _, q := range u.Quotas {
							fmt.Fprintf(t, "  %s\t%s\t%s\n", q.Label(), usedOf(q), bar(q))
						}
						t.Flush()
					}
				})
			})
		},
	}
	c.Flags().StringVar(&account, "account", "", "only of this account")
	return c
}

func usedOf(q limits.QuotaLine) string {
	if q.Limit == nil {
		return strconv.Itoa(q.Used) + " of unlimited"
	}
	return fmt.Sprintf("%d of %d", q.Used, *q.Limit)
}

// bar draws how full a quota is in ten cells.
func bar(q limits.QuotaLine) string {
	if q.Limit == nil || *q.Limit == 0 {
		return ""
	}
	const cells = "██████████"
	const empty = "··········"
	full := min(10, (q.Used*10+*q.Limit-1) / *q.Limit)
	return cells[:full*len("█")] + empty[:(10-full)*len("·")]
}

// noAccount is the error for an account that the config does not have.
func noAccount(r *room, name string) error {
	var names []string
	for _, acc := range r.accounts("") {
		names = append(names, string(acc.ID))
	}
	hint := fmt.Sprintf("the config has %v", names)
	if near := post.Nearest(name, names); near != "" {
		hint = fmt.Sprintf("did you mean %s?", near)
	}
	return &exitError{exitUsage, &hinted{fmt.Errorf("no account %q", name), hint}}
}
