package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"github.com/postroom/postroom/post"
)

// byImport names an import in the history of a group.
func byImport(id post.ID) string { return "import " + id.String() }

// Replaced lists the groups that a revision took back when it was sealed, and
// that still are: their rows said something else, or were gone.
func (s *Store) Replaced(ctx context.Context, id post.ID) ([]post.Replaced, error) {
	imp, err := s.Import(ctx, id)
	if err != nil {
		return nil, err
	}
	var out []post.Replaced
	for at := imp.Previous; !at.IsZero(); {
		earlier, err := s.Import(ctx, at)
		if err != nil {
			return nil, err
		}
		gone := map[uint32]post.ID{} // by row
		err = s.EachGroup(ctx, at, func(g *post.Group) error {
			by, err := s.replacedBy(ctx, g)
			if err == nil && by == byImport(id) {
				gone[uint32(g.Row)] = g.ID
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		pairs, err := s.successors(ctx, imp, at, gone)
		if err != nil {
			return nil, err
		}
		out, at = append(out, pairs...), earlier.Previous
	}
	return out, nil
}

// successors pairs groups of an earlier revision, by their rows, with those of imp
// that have the same key. A group whose key is not to be found is left out: nobody
// can tell what came in its place.
func (s *Store) successors(ctx context.Context, imp post.Import, earlier post.ID, rows map[uint32]post.ID) ([]post.Replaced, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	var keys []uint64 // ascending, as the run is
	var out []post.Replaced
	err := s.view(ctx, func(tx *bolt.Tx) error {
		c := tx.Bucket(bucketKeyRuns).Cursor()
		for k, block := c.Seek(earlier[:]); k != nil && bytes.HasPrefix(k, earlier[:]); k, block = c.Next() {
			if err := checkRun(k, block, keySize); err != nil {
				return err
			}
			for ; len(block) >= keySize; block = block[keySize:] {
				if group, ok := rows[binary.BigEndian.Uint32(block[16:])]; ok {
					keys = append(keys, binary.BigEndian.Uint64(block))
					out = append(out, post.Replaced{Group: group})
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var ms []post.Match
	err = s.view(ctx, func(tx *bolt.Tx) error {
		return walkRun(tx, bucketKeyRuns, imp.ID, keySize, keys, func(at int, e []byte) {
			ms = append(ms, post.Match{At: at, Import: imp.ID, Row: int(binary.BigEndian.Uint32(e[16:]))})
		})
	})
	if err != nil {
		return nil, err
	}
	if ms, err = s.withGroups(ctx, imp, ms); err != nil {
		return nil, err
	}
	for _, m := range ms {
		out[m.At].By = m.Group
	}
	return out, nil
}

// replacedBy returns the name of the import that took a group back, as its history
// has it, or "".
func (s *Store) replacedBy(ctx context.Context, g *post.Group) (who string, err error) {
	for i := range g.Posts {
		if !replaced(&g.Posts[i]) {
			continue
		}
		return who, s.view(ctx, func(tx *bolt.Tx) error {
			history, _, err := splitRecord(g.ID[:], tx.Bucket(bucketGroups).Get(g.ID[:]))
			if err != nil {
				return err
			}
			for d := (&decoder{b: history}); len(d.b) > 0; {
				e := decodeEvent(d, g.ID)
				if d.err != nil {
					return fmt.Errorf("history of group %s: %w", g.ID, d.err)
				}
				who = e.Who
			}
			return nil
		})
	}
	return "", nil
}

// Restore makes a draft again of a group that a revision took back, and says why.
// waited is true when all of it was scheduled until then. Nothing may be left of
// the group that came in its place: where some of that was sent, or still may be,
// the error wraps post.ErrState.
func (s *Store) Restore(ctx context.Context, r post.Replaced, why, who string) (g post.Group, waited bool, err error) {
	event := post.LogEntry{Event: "status_changed", Error: "restored: " + why, Who: who}
	g, err = s.edit(ctx, r.Group, nil, event, func(c *change, old, g *post.Group, p *post.Post) (bool, error) {
		if p == &g.Posts[0] {
			waited = true
			if err := c.nothingLeft(r.By); err != nil {
				return false, err
			}
		}
		if !replaced(p) {
			return false, nil
		}
		waited = waited && p.Problem.Code == codeReplaced
		p.Status, p.Problem, g.Held = post.StatusDraft, nil, why
		return true, nil
	})
	return g, waited && err == nil, err
}

// nothingLeft refuses a group of which a post is out or may still go out, or that
// took over media which came through the API.
func (c *change) nothingLeft(id post.ID) error {
	if id.IsZero() {
		return nil
	}
	g, err := c.s.group(c.Tx, id)
	if err != nil {
		return err
	}
	for i := range g.Posts {
		if p := &g.Posts[i]; p.Status != post.StatusCancelled {
			return fmt.Errorf("post %s on %s, which came in its place, is %s: %w", p.ID, p.Connection, p.Status, post.ErrState)
		}
	}
	for i := range g.Media {
		if !g.Media[i].Upload.ID.IsZero() {
			return fmt.Errorf("post group %s, which came in its place, has its uploads: %w", id, post.ErrState)
		}
	}
	return nil
}
