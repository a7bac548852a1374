package store

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	bolt "go.etcd.io/bbolt"

	"github.com/postroom/postroom/internal/radix"
	"github.com/postroom/postroom/post"
)

// Identities of rows are kept as one sorted run for each import, cut into
// blocks: written by hash into one index they would cost more than all the rest
// of an import. A lookup takes its sorted hashes along each run: few hashes seek,
// many read the run once.

const (
	runEntries = 512 // entries in a block
	keySize    = 8 + 8 + 4
	twinSize   = 8 + 4
	runsAtOnce = 800 // blocks in one commit
)

// byHash keeps rows apart by the first bits of their hash, so that what grows, and
// what is sorted, stays small.
type byHash [64][]radix.Ref

func (h *byHash) add(hash uint64, row int) {
	h[hash>>58] = append(h[hash>>58], radix.Ref{Hash: hash, Row: uint32(row)})
}

// appendKey appends the entry of a row's key: the hash, the version and the row.
func (t *Stage) appendKey(b []byte, r radix.Ref) []byte {
	b = binary.BigEndian.AppendUint64(b, r.Hash)
	b = binary.BigEndian.AppendUint64(b, t.versions[r.Row-1])
	return binary.BigEndian.AppendUint32(b, r.Row)
}

// appendTwin appends the entry of a twin: the hash and the row.
func appendTwin(b []byte, r radix.Ref) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(b, r.Hash), r.Row)
}

// writeRun writes entries by hash and then by row, and lets go of them.
func (t *Stage) writeRun(ctx context.Context, bucket []byte, size int, entries *byHash, entry func([]byte, radix.Ref) []byte) error {
	var blocks [][]byte
	flush := func() error {
		err := t.s.update(ctx, func(c *change) error {
			b := c.Bucket(bucket)
			b.FillPercent = ascending
			for _, block := range blocks {
				if err := b.Put(runStart(t.base, block, size), block); err != nil {
					return err
				}
			}
			return nil
		})
		blocks = blocks[:0]
		return err
	}
	var block []byte
	n := 0
	var scratch []radix.Ref
	for i, part := range entries {
		scratch = slices.Grow(scratch[:0], len(part))
		radix.SortHashes(part, scratch[:cap(scratch)])
		for _, r := range part {
			block = entry(block, r)
			if n++; n%runEntries != 0 {
				continue
			}
			blocks, block = append(blocks, block), make([]byte, 0, len(block))
			if len(blocks) == runsAtOnce {
				if err := flush(); err != nil {
					return err
				}
			}
		}
		entries[i] = nil
	}
	if len(block) > 0 {
		blocks = append(blocks, block)
	}
	return flush()
}

// runStart is the key of a block: import, and hash and row of the first entry.
func runStart(imp post.ID, block []byte, size int) []byte {
	return slices.Concat(imp[:], block[:8], block[size-4:size])
}

// checkRun refuses a block that is not made of whole entries.
func checkRun(k, block []byte, size int) error {
	if len(k) != post.IDLen+8+4 || len(block) == 0 || len(block)%size != 0 {
		return fmt.Errorf("identities %x: %w", k, errRecord)
	}
	return nil
}

// walkRun calls fn for each of the sorted hashes that the run of an import has,
// with its entry.
func walkRun(tx *bolt.Tx, bucket []byte, imp post.ID, size int, sorted []uint64, fn func(at int, entry []byte)) error {
	c := tx.Bucket(bucket).Cursor()
	for i := 0; i < len(sorted); {
		from := binary.BigEndian.AppendUint64(imp[:post.IDLen:post.IDLen], sorted[i])
		k, block := c.Seek(from)
		if k == nil || !bytes.HasPrefix(k, imp[:]) || binary.BigEndian.Uint64(k[12:]) > sorted[i] {
			k, block = stepBack(c, k, from)
		}
		if k == nil || !bytes.HasPrefix(k, imp[:]) {
			// Before the run's first block, or there is none: go on at its first hash.
			k, _ = c.Seek(from)
			if k == nil || !bytes.HasPrefix(k, imp[:]) {
				return nil
			}
			next, _ := slices.BinarySearch(sorted[i:], binary.BigEndian.Uint64(k[12:]))
			i += next
			continue
		}
		if err := checkRun(k, block, size); err != nil {
			return err
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
				return nil
			}
			next, _ := slices.BinarySearch(sorted[i:], binary.BigEndian.Uint64(k[12:]))
			i += next
		}
	}
	return nil
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

// HasImports reports whether the account has an import that is not of the lineage
// but.
func (s *Store) HasImports(ctx context.Context, account post.AccountID, but string) (bool, error) {
	imps, err := s.allImports(ctx, account)
	return slices.ContainsFunc(imps, func(imp post.Import) bool { return imp.Lineage != but }), err
}

// MatchWords finds which of the sorted row keys any import of the account has that
// is not of the lineage but. Keys of rows without an id of their own are of their
// words and connections.
func (s *Store) MatchWords(ctx context.Context, account post.AccountID, but string, sorted []uint64) ([]post.Match, error) {
	return s.matchAll(ctx, account, bucketKeyRuns, keySize, sorted, func(imp *post.Import) bool { return imp.Lineage != but && !imp.Undone })
}

// MatchTwins finds which of the sorted row twins any import of the account has.
func (s *Store) MatchTwins(ctx context.Context, account post.AccountID, sorted []uint64) ([]post.Match, error) {
	return s.matchAll(ctx, account, bucketTwinRuns, twinSize, sorted, func(*post.Import) bool { return true })
}

// matchAll finds the first import of the account, among those that count, that has
// each of the sorted hashes.
func (s *Store) matchAll(ctx context.Context, account post.AccountID, runs []byte, size int, sorted []uint64, counts func(*post.Import) bool) ([]post.Match, error) {
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
		if !counts(&imp) {
			continue
		}
		ms, err := s.matchRun(ctx, imp, runs, size, sorted, func(at int) bool { return !found[at] })
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

// MissingKeys lists the rows of an import whose key is not in sorted.
func (s *Store) MissingKeys(ctx context.Context, id post.ID, sorted []uint64) ([]post.Match, error) {
	imp, err := s.Import(ctx, id)
	if err != nil {
		return nil, err
	}
	var out []post.Match
	err = s.view(ctx, func(tx *bolt.Tx) error {
		c := tx.Bucket(bucketKeyRuns).Cursor()
		for k, block := c.Seek(imp.ID[:]); k != nil && bytes.HasPrefix(k, imp.ID[:]); k, block = c.Next() {
			if err := checkRun(k, block, keySize); err != nil {
				return err
			}
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
	if out, err = s.withGroups(ctx, imp, out); err != nil {
		return nil, err
	}
	return s.standing(ctx, imp, out)
}

// matchRun matches sorted against one import.
func (s *Store) matchRun(ctx context.Context, imp post.Import, bucket []byte, size int, sorted []uint64, want func(at int) bool) ([]post.Match, error) {
	var out []post.Match
	err := s.view(ctx, func(tx *bolt.Tx) error {
		return walkRun(tx, bucket, imp.ID, size, sorted, func(at int, e []byte) {
			if !want(at) {
				return
			}
			m := post.Match{At: at, Import: imp.ID, Row: int(binary.BigEndian.Uint32(e[size-4:]))}
			if size == keySize {
				m.Version = binary.BigEndian.Uint64(e[8:])
			}
			out = append(out, m)
		})
	})
	if err != nil {
		return nil, err
	}
	if out, err = s.withGroups(ctx, imp, out); err != nil {
		return nil, err
	}
	return s.standing(ctx, imp, out)
}

// standing leaves out matches whose group was taken back: with its import, or by
// a revision that said otherwise. When its row comes again, it is new. A group
// that a person cancelled stays cancelled, and its row known.
func (s *Store) standing(ctx context.Context, imp post.Import, ms []post.Match) ([]post.Match, error) {
	n, _ := s.names.accountNumber(imp.Account)
	kept := ms[:0]
	for page := range slices.Chunk(ms, matchesAtOnce) {
		err := s.view(ctx, func(tx *bolt.Tx) error {
			if !imp.Undone && tx.Bucket(bucketMeta).Get(withdrawnKey(n)) == nil {
				kept = append(kept, page...)
				return nil
			}
			for _, m := range page {
				g, err := s.group(tx, m.Group)
				if err != nil {
					return err
				}
				if g.Status() != post.StatusCancelled || !imp.Undone && !withdrawn(&g) {
					kept = append(kept, m)
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return kept, nil
}

// matchesAtOnce is how many groups one read of standing looks at.
const matchesAtOnce = 5000

// Why a post was cancelled, or is not sent again, as its outcome's code says.
const (
	codeReplaced      = "REPLACED"       // a revision of its file says otherwise
	codeReplacedDraft = "REPLACED_DRAFT" // the same, and it was a draft until then
	codeUndone        = "UNDONE"         // with the import that brought it
	codeDeleted       = "DELETED"        // through the API; only of one that was in flight
)

// withdrawn reports whether a cancelled group was taken back other than by a
// person's word about it.
func withdrawn(g *post.Group) bool {
	return slices.ContainsFunc(g.Posts, func(p post.Post) bool {
		return p.Problem != nil && (replaced(&p) || p.Problem.Code == codeUndone)
	})
}

// replaced reports whether a post was taken back by a revision of its file.
func replaced(p *post.Post) bool {
	return p.Status == post.StatusCancelled && p.Problem != nil && (p.Problem.Code == codeReplaced || p.Problem.Code == codeReplacedDraft)
}

// withdrawnKey is in meta once an account has groups that were withdrawn.
func withdrawnKey(account uint32) []byte { return append([]byte("withdrawn"), key4(account)...) }

// withdraw cancels the editable posts of a group and returns how many. Those in
// flight are not sent again. code says why, and text says it for people.
func (c *change) withdraw(g *post.Group, code, text, who string) (int, error) {
	old, n, marked := clone(g), 0, false
	for i := range g.Posts {
		p := &g.Posts[i]
		switch {
		case p.Status == post.StatusProcessing && !takenBack(p):
			p.Problem, p.UpdatedAt = &post.Outcome{Code: code, Message: text, At: c.now}, c.now
			marked = true
		case p.Status.Editable():
			why := code
			if code == codeReplaced && p.Status == post.StatusDraft {
				why = codeReplacedDraft
			}
			p.Status, p.UpdatedAt = post.StatusCancelled, c.now
			p.Problem = &post.Outcome{Code: why, Message: text, At: c.now}
			n++
		}
	}
	if n == 0 && !marked {
		return 0, nil
	}
	g.UpdatedAt, g.Held = c.now, ""
	account, _ := c.s.names.accountNumber(g.Account)
	if b, k := c.Bucket(bucketMeta), withdrawnKey(account); b.Get(k) == nil {
		if err := b.Put(k, nil); err != nil {
			return 0, err
		}
	}
	return n, c.put(old, g, post.LogEntry{Event: "status_changed", Error: text, Who: who})
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
