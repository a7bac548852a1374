package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/postroom/postroom/importer"
	"github.com/postroom/postroom/intake"
	"github.com/postroom/postroom/post"
)

// explainFiles says of each of the files named how it would be read.
func (a *app) explainFiles(ctx context.Context, r *room, account post.AccountID, sheet string, names []string) error {
	var all []*importer.Explanation
	failed := false
	for _, name := range names {
		e, err := r.explain(ctx, account, sheet, a.path(name))
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && len(names) == 1:
			return fmt.Errorf("%s: %w", name, err)
		case err != nil:
			a.notef("%s: %v", name, err)
			failed = true
			continue
		}
		failed = failed || e.Unusable
		all = append(all, e)
	}
	err := a.print(all, func(w io.Writer) {
		for _, e := range all {
			writeExplanation(w, e)
		}
	})
	if err == nil && failed {
		err = &exitError{code: exitFailed}
	}
	return err
}

func (r *room) explain(ctx context.Context, account post.AccountID, sheet, path string) (*importer.Explanation, error) {
	f, err := r.named(account, path)
	if err != nil {
		return nil, err
	}
	f.pick(sheet)
	e, err := intake.Explain(ctx, f.req)
	return e, errors.Join(err, f.file.Close())
}

// writeExplanation tells a person how a file is read.
func writeExplanation(w io.Writer, e *importer.Explanation) {
	head := []string{e.Encoding}
	if e.Delimiter != "" {
		head = append(head, fmt.Sprintf("cells parted by %q", e.Delimiter), "quotes "+e.Quote)
	}
	if e.Escape != "" {
		head = append(head, "quotes within a cell behind "+e.Escape)
	}
	switch {
	case e.HeaderRows == 1:
		head = append(head, fmt.Sprintf("names of the columns on line %d", e.HeaderLine))
	case e.HeaderRows == 2:
		head = append(head, fmt.Sprintf("names of the columns on line %d below their groups", e.HeaderLine+1))
	case len(e.Columns) > 0:
		head = append(head, "no header row")
	}
	fmt.Fprintf(w, "%s: %s\n", printable(filepath.Base(e.File)), strings.Join(head, ", "))
	if e.Tool != "" {
		fmt.Fprintf(w, "  a file for %s: %s\n", e.Tool, e.Why)
	}
	if len(e.Columns) > 0 {
		fmt.Fprintf(w, "  rows: %d\n", e.Rows)
		t := tabwriter.NewWriter(w, 2, 0, 2, ' ', 0)
		fmt.Fprintln(t, "  \tcolumn\tread as\tdates\tfor example")
		for _, c := range e.Columns {
			fmt.Fprintf(t, "  %d\t%s\t%s\t%s\t%s\n", c.N, cellText(columnTitle(c)), readAsText(c), c.DateOrder, cellText(strings.Join(c.Samples, " · ")))
		}
		t.Flush()
		for _, c := range e.Columns {
			if c.DateWhy != "" {
				fmt.Fprintf(w, "  column %d: days are read %s, as %s\n", c.N, c.DateOrder, c.DateWhy)
			}
		}
	}
	if len(e.Unknown) > 0 {
		fmt.Fprintf(w, "  unknown columns, which are left out: %s\n", cellText(strings.Join(e.Unknown, ", ")))
	}
	for _, p := range e.Problems {
		fmt.Fprintf(w, "  %s\n", cellText(p.String()))
	}
}

func columnTitle(c importer.ExplainedColumn) string {
	if c.Group != "" {
		return c.Group + ": " + c.Header
	}
	return c.Header
}

func readAsText(c importer.ExplainedColumn) string {
	text := c.Meaning
	if c.Platform != "" && !strings.Contains(text, string(c.Platform)) {
		text += " " + string(c.Platform)
	}
	if c.How != "" {
		text += " (" + c.How + ")"
	}
	return text
}

// cellText makes a text fit into one cell of a table.
func cellText(s string) string {
	return strings.NewReplacer("\n", "⏎", "\t", " ").Replace(printable(s))
}
