package store

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	bolt "go.etcd.io/bbolt"

	"github.com/postroom/postroom/post"
)

// Identities of rows are kept as one sorted run for each import, cut into
// blocks: written by hash into one index they would cost more than all the rest
// of an import. A lookup takes its sorted hashes along each run: few hashes seek,
// many read the run once.

const (
	runBlock  = 512 // entries in a block
	keySize   = 8 + 8 + 4
	twinSize  = 8 + 4
	runsAtOne = 200 // blocks in one commit
)

// writeRuns writes the stage's runs.
func (t *Stage) writeRuns(ctx context.Context) error {
	slices.SortFunc(t.keys, func(a, b keyEntry) int { return cmp.Compare(a.key, b.key) })
	slices.SortFunc(t.twins, func(a, b twinEntry) int { return cmp.Compare(a.twin, b.twin) })
	err := t.writeRun(ctx, bucketKeyRuns, len(t.keys), func(b []byte, i int) []byte {
		e := t.keys[i]
		return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, e.key), e.version), e.row)
	})
	if err != nil {
		return err
	}
	t.keys = nil
	err = t.writeRun(ctx, bucketTwinRuns, len(t.twins), func(b []byte, i int) []byte {
		return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(b, t.twins[i].twin), t.twins[i].row)
	})
	t.twins = nil
	return err
}

func (t *Stage) writeRun(ctx context.Context, bucket []byte, n int, entry func(b []byte, i int) []byte) error {
	for at := 0; at < n; {
		end := min(n, at+runBlock*runsAtOne)
		from := at
		err := t.s.update(ctx, func(tx *bolt.Tx) error {
			b := tx.Bucket(bucket)
			b.FillPercent = ascending
			for i := from; i < end; i += runBlock {
				var block []byte
				for j := i; j < min(end, i+runBlock); j++ {
					block = entry(block, j)
				}
				if err := b.Put(append(t.base[:post.IDLen:post.IDLen], block[:8]...), block); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		at = end
	}
	return nil
}

// walkRun calls fn for each of the sorted hashes that the run of an import has,
// with its entry.
func walkRun(tx *bolt.Tx, bucket []byte, imp post.ID, size int, sorted []uint64, fn func(at int, entry []byte)) {
	c := tx.Bucket(bucket).Cursor()
	for i := 0; i < len(sorted); {
		k, block := c.Seek(binary.BigEndian.AppendUint64(imp[:post.IDLen:post.IDLen], sorted[i]))
		if k == nil || !bytes.HasPrefix(k, imp[:]) || binary.BigEndian.Uint64(k[12:]) > sorted[i] {
			if k == nil {
				k, block = c.Last()
			} else {
				k, block = c.Prev()
			}
		}
		if k == nil || !bytes.HasPrefix(k, imp[:]) {
			// Before the run's first block, or there is none: go on at its first hash.
			k, _ = c.Seek(binary.BigEndian.AppendUint64(imp[:post.IDLen:post.IDLen], sorted[i]))
			if k == nil || !bytes.HasPrefix(k, imp[:]) {
				return
			}
			next, _ := slices.BinarySearch(sorted[i:], binary.BigEndian.Uint64(k[12:]))
			i += next
			continue
		}
		last := binary.BigEndian.Uint64(block[len(block)-size:])
		for e := 0; e < len(block) && i < len(sorted); {
			h := binary.BigEndian.Uint64(block[e:])
			switch {
			case h < sorted[i]:
				e += size
			case h > sorted[i]:
				i++
			default:
				fn(i, block[e:e+size])
				i++
			}
		}
		for i < len(sorted) && sorted[i] <= last {
			i++
		}
		if i < len(sorted) {
			// In the gap up to the next block there is nothing.
			if k, _ = c.Next(); k == nil || !bytes.HasPrefix(k, imp[:]) {
				return
			}
			next, _ := slices.BinarySearch(sorted[i:], binary.BigEndian.Uint64(k[12:]))
			i += next
		}
	}
}

// MatchKeys finds which of the sorted row keys the revisions of a lineage have,
// the newest first. Matches come in the order of sorted.
func (s *Store) MatchKeys(ctx context.Context, account post.AccountID, lineage string, sorted []uint64) ([]post.Match, error) {
	found := make(map[int]bool)
	var out []post.Match
	imp, ok, err := s.LatestImport(ctx, account, lineage)
	for ok && err == nil {
		var ms []post.Match
		ms, err = s.matchRun(ctx, imp, bucketKeyRuns, keySize, sorted, func(at int) bool { return !found[at] })
		for _, m := range ms {
			found[m.At] = true
		}
		out = append(out, ms...)
		if err != nil || imp.Previous.IsZero() {
			break
		}
		imp, err = s.Import(ctx, imp.Previous)
	}
	slices.SortFunc(out, func(a, b post.Match) int { return cmp.Compare(a.At, b.At) })
	return out, err
}

// MatchTwins finds which of the sorted row twins any import of the account has.
func (s *Store) MatchTwins(ctx context.Context, account post.AccountID, sorted []uint64) ([]post.Match, error) {
	if len(sorted) == 0 {
		return nil, nil
	}
	imps, err := s.allImports(ctx, account)
	if err != nil {
		return nil, err
	}
	found := make(map[int]bool)
	var out []post.Match
	for _, imp := range imps {
		ms, err := s.matchRun(ctx, imp, bucketTwinRuns, twinSize, sorted, func(at int) bool { return !found[at] })
		if err != nil {
			return nil, err
		}
		for _, m := range ms {
			found[m.At] = true
		}
		out = append(out, ms...)
	}
	slices.SortFunc(out, func(a, b post.Match) int { return cmp.Compare(a.At, b.At) })
	return out, nil
}

// MissingKeys lists the rows of the latest revision whose key is not in sorted.
func (s *Store) MissingKeys(ctx context.Context, account post.AccountID, lineage string, sorted []uint64) ([]post.Match, error) {
	imp, ok, err := s.LatestImport(ctx, account, lineage)
	if err != nil || !ok {
		return nil, err
	}
	var out []post.Match
	err = s.view(ctx, func(tx *bolt.Tx) error {
		c := tx.Bucket(bucketKeyRuns).Cursor()
		for k, block := c.Seek(imp.ID[:]); k != nil && bytes.HasPrefix(k, imp.ID[:]); k, block = c.Next() {
			for ; len(block) >= keySize; block = block[keySize:] {
				if _, ok := slices.BinarySearch(sorted, binary.BigEndian.Uint64(block)); !ok {
					out = append(out, post.Match{At: -1, Import: imp.ID, Row: int(binary.BigEndian.Uint32(block[16:])), Version: binary.BigEndian.Uint64(block[8:])})
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s.withGroups(ctx, imp, out)
}

// matchRun matches sorted against one import. Of an import that was undone only
// rows count whose group is not wholly cancelled: the others may come again.
func (s *Store) matchRun(ctx context.Context, imp post.Import, bucket []byte, size int, sorted []uint64, want func(at int) bool) ([]post.Match, error) {
	var out []post.Match
	err := s.view(ctx, func(tx *bolt.Tx) error {
		walkRun(tx, bucket, imp.ID, size, sorted, func(at int, e []byte) {
			if !want(at) {
				return
			}
			m := post.Match{At: at, Import: imp.ID, Row: int(binary.BigEndian.Uint32(e[size-4:]))}
			if size == keySize {
				m.Version = binary.BigEndian.Uint64(e[8:])
			}
			out = append(out, m)
		})
		return nil
	})
	if err != nil {
		return nil, err
	}
	if out, err = s.withGroups(ctx, imp, out); err != nil || !imp.Undone {
		return out, err
	}
	kept := out[:0]
	for _, m := range out {
		g, err := s.Group(ctx, m.Group)
		if err != nil {
			return nil, err
		}
		if g.Status() != post.StatusCancelled {
			kept = append(kept, m)
		}
	}
	return kept, nil
}

// withGroups fills in the group of each match, from the import's rows in order.
func (s *Store) withGroups(ctx context.Context, imp post.Import, ms []post.Match) ([]post.Match, error) {
	if len(ms) == 0 {
		return ms, nil
	}
	byRow := make([]int, len(ms))
	for i := range byRow {
		byRow[i] = i
	}
	slices.SortFunc(byRow, func(a, b int) int { return cmp.Compare(ms[a].Row, ms[b].Row) })
	for i := 0; i < len(byRow); {
		var rows []post.Row
		first := ms[byRow[i]].Row
		err := s.view(ctx, func(tx *bolt.Tx) (err error) {
			rows, err = rowBlock(tx, imp.ID, first)
			return err
		})
		if err != nil {
			return nil, err
		}
		if len(rows) == 0 {
			return nil, fmt.Errorf("import %s, row %d: %w", imp.ID, first, post.ErrNotFound)
		}
		for ; i < len(byRow) && ms[byRow[i]].Row <= rows[len(rows)-1].N; i++ {
			m := &ms[byRow[i]]
			m.Group = rows[m.Row-rows[0].N].Group
		}
	}
	return ms, nil
}
