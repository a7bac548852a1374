package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/postroom/postroom/api"
	"github.com/postroom/postroom/post"
)

func (a *app) keysCommand() *cobra.Command {
	c := &cobra.Command{Use: "keys", Short: "Make, list and revoke keys of the HTTP API"}
	c.AddCommand(a.keysNewCommand(), a.keysListCommand(), a.keysRevokeCommand())
	return c
}

// newKeyView is a key as whoever makes it is shown it, that one time.
type newKeyView struct {
	post.APIKey
	Key string `json:"key"`
}

func (a *app) keysNewCommand() *cobra.Command {
	var account string
	c := &cobra.Command{
		Use: "new [NAME]", Short: "Make a key, and show it once", Args: cobra.MaximumNArgs(1),
		Long: "Make a key of an account and show it once: postroom keeps only its hash. It goes into\nthe x-api-key header of every request. An account may have ten that are not revoked.",
		RunE: func(c *cobra.Command, args []string) error {
			name := "Default"
			if len(args) == 1 && strings.TrimSpace(args[0]) != "" {
				name = strings.TrimSpace(args[0])
			}
			if utf8.RuneCountInString(name) > 100 || printable(name) != name {
				return usageError("NAME: want at most 100 characters that can be printed")
			}
			return a.withRoom(c.Context(), func(r *room) error {
				acc, err := r.oneAccount(account)
				if err != nil {
					return err
				}
				key, err := r.newKey(c.Context(), acc, name)
				if err != nil {
					return err
				}
				if may, _ := r.apiAccount(acc); !may.Plan.API {
					a.notef("plan %s has no API access: the key opens nothing until the account says api_access: true", may.Plan.Name)
				}
				return a.print(key, func(w io.Writer) {
					fmt.Fprintln(w, key.Key)
					a.notef("a key of %s, called %s: keep it now, it is not shown again", acc, name)
				})
			})
		},
	}
	c.Flags().StringVar(&account, "account", "", "whose key; default: the only account")
	return c
}

// newKey makes a key of an account.
func (r *room) newKey(ctx context.Context, acc post.AccountID, name string) (newKeyView, error) {
	key, stored, err := api.NewKey(r.now(), acc, name)
	if err != nil {
		return newKeyView{}, err
	}
	err = r.store.AddAPIKey(ctx, stored, api.MostKeys)
	if errors.Is(err, post.ErrFull) {
		return newKeyView{}, &hinted{fmt.Errorf("account %s has %d keys in use, as many as it may", acc, api.MostKeys), "revoke one: `postroom keys list` shows them"}
	}
	return newKeyView{stored, key}, err
}

// oneAccount returns the account of that name, or the only one for "".
func (r *room) oneAccount(name string) (post.AccountID, error) {
	all := r.accounts(post.AccountID(name))
	switch {
	case len(all) == 0:
		return "", noAccount(r, name)
	case len(all) > 1:
		return "", usageError("there are several accounts: name one with --account")
	}
	return all[0].ID, nil
}

func (a *app) keysListCommand() *cobra.Command {
	var account string
	c := &cobra.Command{
		Use: "list", Short: "List keys by what stands before their dot", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withRoom(c.Context(), func(r *room) error {
				keys, err := r.store.APIKeys(c.Context(), post.AccountID(account))
				if err != nil {
					return err
				}
				return a.print(keys, func(w io.Writer) {
					if len(keys) == 0 {
						a.notef("no keys: `postroom keys new` makes one")
						return
					}
					t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
					fmt.Fprintln(t, "KEY\tACCOUNT\tNAME\tMADE\tSTATE")
					for _, k := range keys {
						state := "in use"
						if !k.RevokedAt.IsZero() {
							state = "revoked " + local(k.RevokedAt, r.zone(k.Account))
						}
						fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", k.ID, k.Account, printable(k.Name), local(k.CreatedAt, r.zone(k.Account)), state)
					}
					t.Flush()
				})
			})
		},
	}
	c.Flags().StringVar(&account, "account", "", "only of this account")
	return c
}

func (a *app) keysRevokeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "revoke KEY", Short: "End a key for good", Args: cobra.ExactArgs(1),
		Long: "End a key for good, by what stands before its dot, as `keys list` shows it.",
		RunE: func(c *cobra.Command, args []string) error {
			if strings.Contains(args[0], ".") { // it would stand in the list of processes
				return usageError("KEY: give only what stands before its dot, the rest is secret")
			}
			return a.withRoom(c.Context(), func(r *room) error { return a.revokeKey(c.Context(), r, args[0]) })
		},
	}
}

func (a *app) revokeKey(ctx context.Context, r *room, id string) error {
	k, err := r.store.RevokeAPIKey(ctx, id)
	if isNotFound(err) {
		return &hinted{fmt.Errorf("no key %s", printable(id)), "`postroom keys list` shows them"}
	}
	if err != nil {
		return err
	}
	return a.print(k, func(w io.Writer) { fmt.Fprintf(w, "%s of %s is revoked\n", k.ID, k.Account) })
}
