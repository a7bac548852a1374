package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/postroom/postroom/importer"
	"github.com/postroom/postroom/internal/atomicfile"
	"github.com/postroom/postroom/post"
)

// exportAs is how the plan is to be written for another tool.
type exportAs struct {
	tool       string
	account    post.AccountID
	connection string // "" for all
	dateOrder  string // "" as the account and its folder say
	out        string // "" for standard output
}

// exportedView is what `export --as` says of a file that it wrote.
type exportedView struct {
	Tool    string            `json:"tool"`
	Path    string            `json:"path,omitempty"`
	Written int               `json:"written"`
	Unsaid  []importer.Unsaid `json:"unsaid,omitempty"`
}

// exportPlan writes what waits to be published as a file for another tool. Exit code
// 3 says that the file leaves some of it out.
func (a *app) exportPlan(ctx context.Context, r *room, as exportAs) error {
	sheet, account, err := r.sheet(as)
	if err != nil {
		return err
	}
	for cursor := ""; ; {
		groups, next, err := r.store.Groups(ctx, post.Filter{Account: account}, cursor, 500)
		if err != nil {
			return err
		}
		for i := range groups {
			if groups[i].DeletedAt.IsZero() {
				sheet.Add(&groups[i])
			}
		}
		if next == "" {
			break
		}
		cursor = next
	}
	view := exportedView{Tool: as.tool, Path: as.out}
	var text bytes.Buffer
	if view.Written, view.Unsaid, err = sheet.Encode(ctx, &text); err != nil {
		return err
	}
	if as.out == "" {
		_, err = a.stdout.Write(text.Bytes())
	} else {
		err = writeWhole(a.path(as.out), text.Bytes())
	}
	if err != nil {
		return err
	}
	dropped := map[post.ID]bool{}
	for _, u := range view.Unsaid {
		if u.Dropped {
			dropped[u.Group] = true
		}
		if !a.json || as.out == "" {
			a.notef("%s", printable(u.String()))
		}
	}
	if as.out != "" {
		err = a.print(view, func(io.Writer) {
			a.notef("%d post groups written to %s, %d left out", view.Written, as.out, len(dropped))
		})
	}
	if err == nil && len(dropped) > 0 {
		err = &exitError{code: exitPartly}
	}
	return err
}

func writeWhole(path string, text []byte) error {
	f, err := atomicfile.Create(path)
	if err != nil {
		return err
	}
	defer f.Discard()
	if _, err := f.Write(text); err != nil {
		return err
	}
	return f.Commit()
}

// sheet begins the file. It is to be read as it would be in the account's inbox.
func (r *room) sheet(as exportAs) (*importer.Sheet, post.AccountID, error) {
	accounts := r.accounts(as.account)
	switch {
	case len(accounts) == 0:
		return nil, "", noAccount(r, string(as.account))
	case len(accounts) > 1:
		return nil, "", usageError("--as: there are several accounts: name one with --account")
	}
	account := accounts[0]
	inbox := filepath.Join(r.dir, "inbox")
	d, err := loadDefaults(inbox, filepath.Join(inbox, string(account.ID)))
	if err != nil {
		return nil, "", err
	}
	opt := importer.Options{Directory: account.Directory, Zone: account.Zone, DateOrder: account.DateOrder}
	if d.Timezone != nil {
		opt.Zone = d.Timezone
	}
	if d.DateOrder != "" {
		opt.DateOrder = d.DateOrder
	}
	if as.dateOrder != "" {
		opt.DateOrder = as.dateOrder
	}
	if opt.Profiles, err = d.Profiles(account.Directory); err != nil {
		return nil, "", err
	}
	if as.connection != "" {
		id, err := account.Directory.Resolve(as.connection)
		if err != nil {
			return nil, "", fmt.Errorf("--connection: %w", err)
		}
		opt.Platforms = []post.ConnectionID{id}
	}
	sheet, err := importer.NewSheet(as.tool, opt)
	if err != nil {
		err = fmt.Errorf("--as %w", err)
	}
	switch {
	case errors.Is(err, importer.ErrUnknownTool):
		hint := "one of " + strings.Join(importer.Tools(), ", ")
		if near := post.Nearest(as.tool, importer.Tools()); near != "" {
			hint = fmt.Sprintf("did you mean %s? There are: %s", near, strings.Join(importer.Tools(), ", "))
		}
		err = &exitError{exitUsage, &hinted{err, hint}}
	case errors.Is(err, importer.ErrNoOrder):
		err = &exitError{exitUsage, &hinted{err, "say --date-order dmy or mdy, as you will choose it where the file is uploaded"}}
	case errors.Is(err, importer.ErrOtherOrder):
		err = &exitError{exitUsage, &hinted{err, "say with --date-order how the tool has it, and keep the file out of the inbox"}}
	case errors.Is(err, importer.ErrNoPlace):
		err = &exitError{exitUsage, &hinted{err, "name one with --connection: each gets a file of its own"}}
	}
	return sheet, account.ID, err
}
