package importer

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/postroom/postroom/post"
)

// An Explanation says how a file is read, and why so.
type Explanation struct {
	File      string `json:"file"`
	Encoding  string `json:"encoding,omitempty"`
	Delimiter string `json:"delimiter,omitempty"`
	Quote     string `json:"quote,omitempty"`  // that stands around cells
	Escape    string `json:"escape,omitempty"` // that stands before a quote within a cell, where it is not written twice

	Sheet      string `json:"sheet,omitempty"`       // of a workbook
	HeaderLine int    `json:"header_line,omitempty"` // physical line of the first header row
	HeaderRows int    `json:"header_rows"`           // 0 for a file without, 2 for one with groups above the names
	Tool       string `json:"tool,omitempty"`        // whose bulk file it is: "Publer"
	Why        string `json:"why,omitempty"`         // it was taken for that

	Rows    int               `json:"rows"`
	Columns []ExplainedColumn `json:"columns,omitempty"`
	Unknown []string          `json:"unknown,omitempty"` // names of columns that mean nothing here

	Problems []post.Problem `json:"problems,omitempty"` // about the file as a whole; rows have their own
	Unusable bool           `json:"unusable"`           // one of the problems keeps the file from being read
}

// An ExplainedColumn says what one column was taken for.
type ExplainedColumn struct {
	N         int           `json:"n"` // from 1
	Header    string        `json:"header"`
	Group     string        `json:"group,omitempty"` // in the row above
	Meaning   string        `json:"meaning"`         // content, scheduled_time …; "left out", "unknown"
	Platform  post.Platform `json:"platform,omitempty"`
	How       string        `json:"how,omitempty"` // it was understood: by its name, as a synonym, …
	DateOrder string        `json:"date_order,omitempty"`
	DateWhy   string        `json:"date_why,omitempty"`
	Samples   []string      `json:"samples,omitempty"` // the first cells that differ
}

const (
	mostSamples = 3
	sampledRows = 500
)

// Explain looks a file over like [Open] and says what it found, of a file too that
// cannot be used. The error is ctx's or src's.
func Explain(ctx context.Context, src io.ReaderAt, size int64, o Options) (*Explanation, error) {
	return newFile(src, size, o).explanation(ctx)
}

// explanation looks a file over and says what it found.
func (f *File) explanation(ctx context.Context) (*Explanation, error) {
	err := f.look(ctx)
	var refused *Unusable
	if errors.As(err, &refused) && len(f.columns) > 0 && f.rows == 0 {
		// The columns cannot be used as they are, but hold something all the same.
		var more *Unusable
		switch surveyErr := f.survey(ctx); {
		case errors.As(surveyErr, &more) && more.Problems[0].Code != refused.Problems[0].Code:
			refused.Problems = append(refused.Problems, more.Problems...)
		case surveyErr != nil && more == nil:
			return nil, surveyErr
		}
	}
	e := &Explanation{File: f.opt.Name, Encoding: f.enc.name, Rows: f.rows, HeaderRows: len(f.headers), Problems: f.notes}
	if err != nil && refused == nil {
		return nil, err
	}
	if refused != nil {
		e.Unusable = true
		e.Problems = append(slices.Clone(refused.Problems), f.notes...)
	}
	if f.delim != 0 {
		if err := f.explainStyle(e); err != nil {
			return nil, err
		}
	}
	if f.form != nil {
		e.Tool, e.Why = f.form.template(), f.why
	}
	if len(f.headers) > 0 {
		e.HeaderLine = f.sheet.at(f.line)
	}
	if len(f.columns) == 0 {
		return e, nil
	}
	for i := range f.header {
		c := f.explain(i)
		if c.Meaning == "unknown" && strings.TrimSpace(c.Header) != "" {
			e.Unknown = append(e.Unknown, c.Header)
		}
		e.Columns = append(e.Columns, c)
	}
	return e, f.sample(e.Columns)
}

// explainStyle says how the text is written. Of a file that is no calendar that may
// be in a way that calendars are not.
func (f *File) explainStyle(e *Explanation) error {
	skip := f.skip
	head, whole, err := f.readHead()
	f.skip = skip
	if err != nil {
		return err
	}
	delims := []byte{f.delim}
	if len(f.columns) == 0 {
		delims = slices.Concat(delimiters, rare)
	}
	s := sniffStyle(head, whole, delims)
	if len(f.columns) > 0 {
		s.delim = f.delim // also of a file of one column
	}
	e.Delimiter, e.Quote = string(s.delim), string(s.quote)
	if s.escape != 0 {
		e.Escape = string(s.escape)
	}
	if len(f.columns) > 0 && (s.quote != '"' || s.escape != 0) {
		e.Problems = append(e.Problems, post.Problem{
			File: f.opt.Name, Line: f.line, Code: "OTHER_QUOTES", Severity: post.SeverityWarning, Got: e.Escape + e.Quote,
			Want: "cells in double quotes, with a quote within them written twice: others are read as a part of the text", Hint: "save the file anew as CSV UTF-8",
		})
	}
	return nil
}

// explain says what column i means.
func (f *File) explain(i int) ExplainedColumn {
	c := f.columns[i]
	out := ExplainedColumn{N: i + 1, Header: f.header[i], Meaning: string(c.field), Platform: c.platform}
	if len(f.headers) == 2 && i < f.headers[0].cells() {
		out.Group = f.headers[0].cell(i)
	}
	switch name := strings.TrimSpace(f.header[i]); {
	case f.isTwin(i):
		out.How = "another column was taken for it"
	case c.field == fieldUnknown:
		out.Meaning = "unknown"
		return out
	case f.isGate(i) && c.field == fieldReady && columnOf(name).field != fieldUnknown:
		out.How = "by what it holds"
	case c.form != nil && len(f.headers) == 0:
		out.How = "by what the columns hold"
	case c.form != nil:
		out.How = "as " + f.form.name + " means it"
	case strings.EqualFold(name, string(c.field)):
		out.How = "by its name"
	case c.field == fieldVariant:
		out.Meaning, out.How = "content of "+string(c.platform), "by its name"
	default:
		out.How = "as a synonym"
	}
	if c.field == fieldIgnored {
		out.Meaning = "left out"
	}
	if c.field == fieldExtra {
		out.Meaning, out.Platform = "left out", c.form.on
		if c.form.words.setAny() {
			out.Meaning = "platform_settings"
		}
	}
	if i < len(f.dates) {
		out.DateOrder, out.DateWhy = f.dates[i].String(), f.whys[i]
		if f.serial[i] {
			out.DateOrder, out.DateWhy = "numbers of a spreadsheet", "all its cells are days since 1900"
		}
	}
	return out
}

func (f *File) isTwin(i int) bool {
	return slices.ContainsFunc(f.twins, func(t twin) bool { return t.left == i })
}

// sample gathers the first cells of each column that differ.
func (f *File) sample(columns []ExplainedColumn) error {
	r := f.records()
	if err := f.skipHeader(r); err != nil {
		return err
	}
	for range sampledRows {
		rec, err := r.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if rec.fault != noFault {
			continue
		}
		for i := range columns {
			c := &columns[i]
			cell := post.Shorten(strings.TrimSpace(rec.cell(i)))
			if cell != "" && len(c.Samples) < mostSamples && !slices.Contains(c.Samples, cell) {
				c.Samples = append(c.Samples, cell)
			}
		}
	}
	return nil
}
