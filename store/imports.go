package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	bolt "go.etcd.io/bbolt"

	"github.com/postroom/postroom/post"
)

// Import returns an import by its id.
func (s *Store) Import(ctx context.Context, id post.ID) (post.Import, error) {
	var imp post.Import
	err := s.view(ctx, func(tx *bolt.Tx) error {
		r, err := getImport(tx, id)
		imp = r.Import
		return err
	})
	return imp, err
}

// Imports lists imports of an account, or of all for "", the latest first: at
// most most of them, with the cursor of what follows, "" at the end.
func (s *Store) Imports(ctx context.Context, account post.AccountID, cursor string, most int) (imps []post.Import, next string, err error) {
	from := post.ID{}
	if cursor != "" {
		if from, err = post.ParseID(cursor); err != nil {
			return nil, "", fmt.Errorf("cursor: %w", err)
		}
	}
	err = s.view(ctx, func(tx *bolt.Tx) error {
		c := tx.Bucket(bucketImports).Cursor()
		k, _ := c.Last()
		if cursor != "" {
			if k, _ = c.Seek(from[:]); k == nil {
				k, _ = c.Last()
			} else if post.ID(k) != from {
				k, _ = c.Prev()
			}
		}
		for ; k != nil; k, _ = c.Prev() {
			r, err := getImport(tx, post.ID(k))
			if err != nil {
				return err
			}
			if account != "" && r.Account != account {
				continue
			}
			if len(imps) == most {
				next = r.ID.String()
				return nil
			}
			imps = append(imps, r.Import)
		}
		return nil
	})
	return imps, next, err
}

func (s *Store) allImports(ctx context.Context, account post.AccountID) ([]post.Import, error) {
	var all []post.Import
	for cursor := ""; ; {
		imps, next, err := s.Imports(ctx, account, cursor, 1000)
		if err != nil {
			return nil, err
		}
		all = append(all, imps...)
		if next == "" {
			return all, nil
		}
		cursor = next
	}
}

// ImportByDigest finds the import of a file by the hash of its bytes. One that
// was undone is not found: the file may come again.
func (s *Store) ImportByDigest(ctx context.Context, account post.AccountID, digest post.Digest) (post.Import, bool, error) {
	return s.importAt(ctx, bucketDigests, account, digest[:])
}

// LatestImport finds the latest revision of a lineage.
func (s *Store) LatestImport(ctx context.Context, account post.AccountID, lineage string) (post.Import, bool, error) {
	return s.importAt(ctx, bucketLineages, account, []byte(lineage))
}

func (s *Store) importAt(ctx context.Context, bucket []byte, account post.AccountID, key []byte) (imp post.Import, ok bool, err error) {
	n, known := s.names.accountNumber(account)
	if !known {
		return imp, false, nil
	}
	err = s.view(ctx, func(tx *bolt.Tx) error {
		id := tx.Bucket(bucket).Get(append(key4(n), key...))
		if id == nil {
			return nil
		}
		r, err := getImport(tx, post.ID(id))
		imp, ok = r.Import, err == nil
		return err
	})
	return imp, ok, err
}

// MarkFiled records where an import's original lies and what its report is
// called: until then the file counts as not yet dealt with.
func (s *Store) MarkFiled(ctx context.Context, id post.ID, archive, report string) error {
	return s.update(ctx, func(c *change) error {
		r, err := getImport(c.Tx, id)
		if err != nil {
			return err
		}
		r.Archive, r.Report = archive, report
		return putImport(c.Tx, r)
	})
}

// Rows returns rows of an import in order, at most most, from row number from
// on. Keys, versions and twins are not filled in.
func (s *Store) Rows(ctx context.Context, imp post.ID, from, most int) ([]post.Row, error) {
	var rows []post.Row
	err := s.view(ctx, func(tx *bolt.Tx) error {
		for len(rows) < most {
			block, err := rowBlock(tx, imp, from)
			if err != nil || len(block) == 0 {
				return err
			}
			for _, r := range block {
				if r.N >= from && len(rows) < most {
					rows = append(rows, r)
				}
			}
			from = block[len(block)-1].N + 1
		}
		return nil
	})
	return rows, err
}

// rowBlock returns the block that row n is in, or nothing past the end.
func rowBlock(tx *bolt.Tx, imp post.ID, n int) ([]post.Row, error) {
	c := tx.Bucket(bucketRows).Cursor()
	want := append(imp[:post.IDLen:post.IDLen], key4(uint32(n))...)
	k, v := c.Seek(want)
	if !bytes.Equal(k, want) {
		k, v = stepBack(c, k, want)
	}
	if k == nil || !bytes.HasPrefix(k, imp[:]) {
		return nil, nil
	}
	rows, err := decodeRows(k, v)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 || rows[len(rows)-1].N < n {
		return nil, nil
	}
	return rows, nil
}

// decodeRows reads a block of rows.
func decodeRows(k, v []byte) ([]post.Row, error) {
	imp := post.ID(k[:post.IDLen])
	n := int(binary.BigEndian.Uint32(k[post.IDLen:]))
	d := newDecoder(v)
	at := d.int()
	var rows []post.Row
	for d.err == nil && len(d.b) > 0 {
		rows = append(rows, decodeRow(d, n+len(rows), imp, at))
	}
	return rows, d.done("rows", k)
}

// EachGroup calls fn with the groups an import brought, in row order. No read is
// open while fn runs.
func (s *Store) EachGroup(ctx context.Context, imp post.ID, fn func(*post.Group) error) error {
	if _, err := s.Import(ctx, imp); err != nil {
		return err
	}
	for at, more := imp, true; more; {
		var page []post.Group
		err := s.view(ctx, func(tx *bolt.Tx) error {
			var err error
			page, at, more, err = s.importPage(tx, imp, at, 500)
			return err
		})
		if err != nil {
			return err
		}
		for i := range page {
			if err := fn(&page[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// importPage returns groups of an import from id at on, and where to go on.
func (s *Store) importPage(tx *bolt.Tx, imp, at post.ID, most int) (page []post.Group, next post.ID, more bool, err error) {
	for {
		c := tx.Bucket(bucketGroups).Cursor()
		for k, v := c.Seek(at[:]); k != nil && sameMachine(post.ID(k), imp); k, v = c.Next() {
			if len(page) == most {
				return page, post.ID(k), true, nil
			}
			g, err := decodeGroup(slices.Clone(k), v, &s.names)
			if err != nil {
				return nil, at, false, err
			}
			page = append(page, g)
		}
		var ok bool
		if at, ok = nextRun(tx, imp, at); !ok {
			return page, at, false, nil
		}
	}
}

// UndoImport cancels what is still waiting of an import, and returns how many
// posts that were and how many are past that. The import is marked first; after a
// crash the next open goes on. Its file may come again, also where the import only
// laid out the series of a calendar further that an earlier one brought.
func (s *Store) UndoImport(ctx context.Context, id post.ID, who string) (cancelled, left int, err error) {
	err = s.update(ctx, func(c *change) error {
		r, err := getImport(c.Tx, id)
		if err != nil {
			return err
		}
		n, ok := s.names.accountNumber(r.Account)
		if !ok {
			return fmt.Errorf("account %s has no number", r.Account)
		}
		r.Undone = true
		if err := c.forgetFile(n, &r.Import); err != nil {
			return err
		}
		if err := c.Bucket(bucketUndoing).Put(id[:], []byte(who)); err != nil {
			return err
		}
		return putImport(c.Tx, r)
	})
	if err != nil {
		return 0, 0, err
	}
	return s.undo(ctx, id)
}

// forgetFile lets the file of an import come again. All imports of one file have its
// original.
func (c *change) forgetFile(account uint32, imp *post.Import) error {
	digests := c.Bucket(bucketDigests)
	for of := *imp; ; {
		k := append(key4(account), of.Digest[:]...)
		if have := digests.Get(k); have != nil && post.ID(have) == of.ID {
			if err := digests.Delete(k); err != nil {
				return err
			}
		}
		if imp.Archive == "" || of.Previous.IsZero() {
			return nil
		}
		before, err := getImport(c.Tx, of.Previous)
		if err != nil || before.Archive != imp.Archive {
			return err
		}
		of = before.Import
	}
}

// undo does what an import marked as undone still wants.
func (s *Store) undo(ctx context.Context, id post.ID) (cancelled, left int, err error) {
	cancelled, left, err = s.eachOfImport(ctx, id, func(c *change, g *post.Group) (did, kept int, err error) {
		who := string(c.Bucket(bucketUndoing).Get(id[:]))
		did, err = c.withdraw(g, codeUndone, "the import was undone", who)
		for i := range g.Posts {
			if g.Posts[i].Status != post.StatusCancelled {
				kept++
			}
		}
		return did, kept, err
	})
	if err != nil {
		return cancelled, left, err
	}
	return cancelled, left, s.update(ctx, func(c *change) error { return c.Bucket(bucketUndoing).Delete(id[:]) })
}

// HoldImport makes drafts of what still waits of an import, with the reason, and
// returns how many posts that were.
func (s *Store) HoldImport(ctx context.Context, id post.ID, why, who string) (held int, err error) {
	held, _, err = s.eachOfImport(ctx, id, func(c *change, g *post.Group) (did, _ int, err error) {
		old := clone(g)
		for i := range g.Posts {
			if p := &g.Posts[i]; p.Status == post.StatusScheduled {
				p.Status, p.UpdatedAt = post.StatusDraft, c.now
				did++
			}
		}
		if did == 0 {
			return 0, 0, nil
		}
		g.Held, g.UpdatedAt = why, c.now
		return did, 0, c.put(old, g, post.LogEntry{Event: "status_changed", Error: why, Who: who})
	})
	return held, err
}

// eachOfImport changes the groups of an import in bounded steps, each durable,
// and adds up what fn counts.
func (s *Store) eachOfImport(ctx context.Context, id post.ID, fn func(c *change, g *post.Group) (a, b int, err error)) (a, b int, err error) {
	for at, more := id, true; more; {
		var next post.ID
		var again bool
		var da, db int
		err := s.update(ctx, func(c *change) error {
			da, db = 0, 0
			page, n, m, err := s.importPage(c.Tx, id, at, 2000)
			next, again = n, m
			if err != nil {
				return err
			}
			for i := range page {
				x, y, err := fn(c, &page[i])
				if err != nil {
					return err
				}
				da, db = da+x, db+y
			}
			return nil
		})
		if err != nil {
			return a, b, err
		}
		a, b, at, more = a+da, b+db, next, again
	}
	return a, b, nil
}

// Dirty lists imports whose posts changed since Clean, at most most.
func (s *Store) Dirty(ctx context.Context, most int) ([]post.DirtyImport, error) {
	var out []post.DirtyImport
	err := s.view(ctx, func(tx *bolt.Tx) error {
		c := tx.Bucket(bucketDirty).Cursor()
		for k, v := c.First(); k != nil && len(out) < most; k, v = c.Next() {
			out = append(out, post.DirtyImport{Import: post.ID(k), Changes: binary.BigEndian.Uint64(v)})
		}
		return nil
	})
	return out, err
}

// Clean takes an import off the list, unless it changed again after changes.
func (s *Store) Clean(ctx context.Context, id post.ID, changes uint64) error {
	return s.update(ctx, func(c *change) error {
		b := c.Bucket(bucketDirty)
		if v := b.Get(id[:]); v != nil && binary.BigEndian.Uint64(v) == changes && c.dirty[id] == 0 {
			return b.Delete(id[:])
		}
		return nil
	})
}
