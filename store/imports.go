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
	return s.update(ctx, func(tx *bolt.Tx) error {
		r, err := getImport(tx, id)
		if err != nil {
			return err
		}
		r.Archive, r.Report = archive, report
		return putImport(tx, r)
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
	if k == nil {
		k, v = c.Last()
	} else if !bytes.Equal(k, want) {
		k, v = c.Prev()
	}
	if k == nil || !bytes.HasPrefix(k, imp[:]) {
		return nil, nil
	}
	d := newDecoder(v)
	at := d.int()
	first := int(binary.BigEndian.Uint32(k[12:]))
	var rows []post.Row
	for d.err == nil && len(d.b) > 0 {
		rows = append(rows, decodeRow(d, first+len(rows), imp, at))
	}
	if err := d.done("rows", k); err != nil {
		return nil, err
	}
	if len(rows) == 0 || rows[len(rows)-1].N < n {
		return nil, nil
	}
	return rows, nil
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
// posts that were and how many are past that. The import is marked first, so
// that after a crash the next call goes on.
func (s *Store) UndoImport(ctx context.Context, id post.ID, who string) (cancelled, left int, err error) {
	err = s.update(ctx, func(tx *bolt.Tx) error {
		r, err := getImport(tx, id)
		if err != nil {
			return err
		}
		n, ok := s.names.accountNumber(r.Account)
		if !ok {
			return fmt.Errorf("account %s has no number", r.Account)
		}
		r.Undone = true
		digests, k := tx.Bucket(bucketDigests), append(key4(n), r.Import.Digest[:]...)
		if have := digests.Get(k); have != nil && post.ID(have) == id {
			if err := digests.Delete(k); err != nil {
				return err
			}
		}
		return putImport(tx, r)
	})
	if err != nil {
		return 0, 0, err
	}
	for at, more := id, true; more; {
		did, kept := 0, 0
		var next post.ID
		var again bool
		err := s.update(ctx, s.change(func(c *change) error {
			did, kept = 0, 0
			page, n, m, err := s.importPage(c.Tx, id, at, 500)
			next, again = n, m
			if err != nil {
				return err
			}
			for i := range page {
				n, err := c.cancel(&page[i], post.ID{}, "the import was undone", who)
				if err != nil {
					return err
				}
				did += n
				for j := range page[i].Posts {
					if page[i].Posts[j].Status != post.StatusCancelled {
						kept++
					}
				}
			}
			return nil
		}))
		if err != nil {
			return cancelled, left, err
		}
		cancelled, left, at, more = cancelled+did, left+kept, next, again
	}
	return cancelled, left, nil
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
	return s.update(ctx, func(tx *bolt.Tx) error {
		b := tx.Bucket(bucketDirty)
		if v := b.Get(id[:]); v != nil && binary.BigEndian.Uint64(v) == changes {
			return b.Delete(id[:])
		}
		return nil
	})
}
