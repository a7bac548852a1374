package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"time"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/store"
)

// An auditEntry is one thing that somebody or postroom did. Nobody
// can change an entry; only the oldest of a very long history fall away (store/log.go).
type auditEntry struct {
	At         time.Time         `json:"at"`
	Who        string            `json:"who,omitempty"` // the person, key or file; "" for postroom itself
	Event      string            `json:"event"`         // imported, or as in a post's history
	Detail     string            `json:"detail,omitempty"`
	Code       string            `json:"code,omitempty"`
	Account    post.AccountID    `json:"account"`
	Group      post.ID           `json:"post_group_id,omitzero"`
	Post       post.ID           `json:"post_id,omitzero"`
	Connection post.ConnectionID `json:"connection,omitempty"`
	Import     post.ID           `json:"import,omitzero"`
	File       string            `json:"file,omitempty"`
	Row        int               `json:"row,omitempty"`
	Rows       int               `json:"rows,omitempty"` // of an import
}

// exportAudit writes who did what and when, as a line of JSON each: first the
// imports, and then the history of each post group, oldest first.
func exportAudit(ctx context.Context, s *store.Store, account post.AccountID, w io.Writer) (int, error) {
	b := bufio.NewWriterSize(w, 1<<16)
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	n := 0
	write := func(e *auditEntry) error {
		n++
		return enc.Encode(e)
	}
	files := map[post.ID]string{}
	for cursor := ""; ; {
		imps, next, err := s.Imports(ctx, account, cursor, 500)
		if err != nil {
			return n, err
		}
		for i := range imps {
			imp := &imps[i]
			files[imp.ID] = imp.Name
			if err := write(&auditEntry{At: imp.TakenAt, Event: "imported", Account: imp.Account, Import: imp.ID, File: imp.Name, Rows: imp.Counts.Rows}); err != nil {
				return n, err
			}
		}
		if next == "" {
			break
		}
		cursor = next
	}
	for cursor := ""; ; {
		groups, next, err := s.Groups(ctx, post.Filter{Account: account}, cursor, 500)
		if err != nil {
			return n, err
		}
		for i := range groups {
			g := &groups[i]
			on := map[post.ID]post.ConnectionID{}
			for j := range g.Posts {
				on[g.Posts[j].ID] = g.Posts[j].Connection
			}
			log, err := s.Log(ctx, g.ID)
			if err != nil {
				return n, err
			}
			for _, l := range log {
				err := write(&auditEntry{
					At: l.At, Who: l.Who, Event: l.Event, Detail: l.Error, Code: l.ErrorCode, Account: g.Account,
					Group: g.ID, Post: l.Post, Connection: on[l.Post], Import: g.Import, File: files[g.Import], Row: g.Row,
				})
				if err != nil {
					return n, err
				}
			}
		}
		if next == "" {
			return n, b.Flush()
		}
		cursor = next
	}
}
