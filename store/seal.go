package store

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/postroom/postroom/internal/radix"
	"github.com/postroom/postroom/post"
)

// Seal makes all that was added live, and records the import, in one small
// transaction after the indexes are written. In that transaction the caps are
// checked against what is used then, and the groups to replace or cancel must
// still be editable. It is durable when Seal returns.
//
// The error wraps a *post.CapExceeded, post.ErrConflict or post.ErrDuplicate;
// then, as with any error, nothing of the stage is live and it is gone.
func (t *Stage) Seal(ctx context.Context, seal post.Seal) (post.Import, error) {
	if t.ended {
		return post.Import{}, errEnded
	}
	imp, err := t.seal(ctx, seal)
	if err != nil {
		return post.Import{}, errors.Join(fmt.Errorf("seal: %w", err), t.Discard())
	}
	t.ended = true
	return imp, nil
}

// Prepare writes what is left of the rows, and the indexes, all out of sight: the
// most of what Seal has to do. Seal does it when it was not done; whoever has other
// things to do before does both at once. Nothing can be added after it.
func (t *Stage) Prepare(ctx context.Context) error {
	switch {
	case t.ended:
		return errEnded
	case t.prepared:
		return nil
	}
	t.prepared = true
	t.endBlock()
	for _, c := range t.conns {
		if c.waits > 0 {
			t.due = append(t.due, c)
		}
	}
	slices.SortFunc(t.due, func(a, b *stageConn) int { return cmp.Compare(a.number, b.number) })
	// What one of them sorts while another one's pages are synced costs no time, and
	// those who write at once share a commit.
	var ends errgroup.Group
	ends.Go(t.finishWriting)
	ends.Go(func() error { return t.writeRun(ctx, bucketKeyRuns, keySize, &t.keys, t.appendKey) })
	ends.Go(func() error { return t.writeRun(ctx, bucketTwinRuns, twinSize, &t.twins, appendTwin) })
	ends.Go(func() error {
		for _, c := range t.due {
			radix.SortTimes(c.open)
		}
		return t.writeOpen(ctx)
	})
	return ends.Wait()
}

func (t *Stage) seal(ctx context.Context, seal post.Seal) (post.Import, error) {
	if err := t.Prepare(ctx); err != nil {
		return post.Import{}, err
	}
	imp := seal.Import
	imp.ID, imp.Account = t.base, t.account
	if imp.TakenAt.IsZero() {
		imp.TakenAt = t.s.now()
	}
	if c, mine := &imp.Counts, t.counts; *c == (post.Counts{}) {
		*c = mine
	} else if c.Rows != mine.Rows || c.Accepted != mine.Accepted || c.Held != mine.Held || c.Rejected != mine.Rejected || c.Unchanged != mine.Unchanged {
		return post.Import{}, fmt.Errorf("%d rows are said to be in the file, %d were staged", c.Rows, mine.Rows)
	}
	err := t.s.update(ctx, func(c *change) error {
		digests, digest := c.Bucket(bucketDigests), append(key4(t.number), imp.Digest[:]...)
		if digests.Get(digest) != nil {
			return post.ErrDuplicate
		}
		lineages, lineage := c.Bucket(bucketLineages), append(key4(t.number), imp.Lineage...)
		if latest := lineages.Get(lineage); imp.Lineage != "" && !bytes.Equal(latest, none(imp.Previous)) {
			return fmt.Errorf("%s has another revision %x, want %s: %w", imp.Lineage, latest, imp.Previous, post.ErrConflict)
		}
		for _, id := range seal.Replace {
			if err := c.moveUploads(id, t.moving); err != nil {
				return err
			}
		}
		for _, ids := range [][]post.ID{seal.Replace, seal.Cancel} {
			for _, id := range ids {
				if err := c.supersede(id, &imp); err != nil {
					return err
				}
			}
		}
		if err := t.checkCaps(c, seal.Caps); err != nil {
			return err
		}
		for k, n := range t.use() {
			if err := c.use(k, n); err != nil {
				return err
			}
		}
		for status, n := range t.total {
			c.totals[status] += n
		}
		if err := c.Bucket(bucketStages).Delete(t.base[:]); err != nil {
			return err
		}
		for _, conn := range t.due {
			if err := errors.Join(c.promote(conn.number, t.base), c.wake(conn.number)); err != nil {
				return err
			}
		}
		if err := digests.Put(digest, t.base[:]); err != nil {
			return err
		}
		if imp.Lineage != "" {
			if err := lineages.Put(lineage, t.base[:]); err != nil {
				return err
			}
		}
		if err := c.announce(t.number, t.base); err != nil {
			return err
		}
		if seal.Behind {
			c.dirty[t.base]++
		}
		c.OnCommit(func() { t.s.rolls.touchImport(t.base) })
		return putImport(c.Tx, importRecord{Import: imp, Last: t.last})
	})
	return imp, err
}

// none is the bytes of an id, or nothing for the zero id.
func none(id post.ID) []byte {
	if id.IsZero() {
		return nil
	}
	return id[:]
}

// finishWriting waits until all chunks are committed.
func (t *Stage) finishWriting() error {
	t.chunks <- t.chunk
	close(t.chunks)
	t.chunks = nil
	for {
		select {
		case err := <-t.wrote:
			return err
		case <-t.spare: // the writer gives its chunks back
		}
	}
}

// writeOpen writes the posts that wait, which were kept in memory and sorted, in few
// steps: written row by row, they would be nearly all of the cost.
func (t *Stage) writeOpen(ctx context.Context) error {
	type block struct {
		conn    uint32
		entries []runEntry
	}
	var batch []block
	flush := func() error {
		err := t.s.update(ctx, func(c *change) error {
			b := c.Bucket(bucketRuns)
			b.FillPercent = ascending
			for _, bl := range batch {
				v := make([]byte, 1, 1+8*len(bl.entries))
				v[0] = recordVersion
				for _, e := range bl.entries {
					v = e.append(v)
				}
				if err := b.Put(runKey(bl.conn, t.base, bl.entries[len(bl.entries)-1]), v); err != nil {
					return err
				}
			}
			return nil
		})
		batch = batch[:0]
		return err
	}
	for _, c := range t.due {
		for es := range slices.Chunk(c.open, blockPosts) {
			if batch = append(batch, block{c.number, es}); len(batch) == blocksAtOnce {
				if err := flush(); err != nil {
					return err
				}
			}
		}
		c.open = nil
	}
	return flush()
}

// checkCaps refuses what would break a cap at this moment.
func (t *Stage) checkCaps(c *change, caps []post.Cap) error {
	for _, limit := range caps {
		asked := 0
		for k, n := range t.use() {
			name, _ := t.s.names.conn(k.conn)
			if k.month == limit.Month && (limit.Connection == "" || name.id == limit.Connection) {
				asked += n
			}
		}
		if err := c.checkCap(t.account, limit, asked); err != nil {
			return err
		}
	}
	return nil
}

// checkCap refuses n more posts where they would break a cap.
func (c *change) checkCap(account post.AccountID, limit post.Cap, n int) error {
	if n <= 0 {
		return nil
	}
	number, _ := c.s.names.accountNumber(account)
	used := 0
	for _, conn := range c.s.names.ofAccount(account) {
		name, _ := c.s.names.conn(conn)
		if limit.Connection != "" && name.id != limit.Connection {
			continue
		}
		used += c.usage(useKey{number, conn, limit.Month}).is
	}
	if used+n > limit.Max {
		return &post.CapExceeded{Cap: limit, Used: used, Requested: n}
	}
	return nil
}

// supersede cancels a group whose row says something else now, or is gone.
func (c *change) supersede(id post.ID, by *post.Import) error {
	g, err := c.s.group(c.Tx, id)
	if err != nil {
		return err
	}
	for i := range g.Posts {
		p := &g.Posts[i]
		if !p.Status.Editable() && p.Status != post.StatusCancelled && (p.Status != post.StatusFailed || p.PartsLive() > 0) {
			return fmt.Errorf("group %s is %s: %w", id, p.Status, post.ErrConflict)
		}
	}
	_, err = c.withdraw(&g, codeReplaced, "a new revision of "+by.Name+" says otherwise", byImport(by.ID))
	return err
}

// moveUploads takes from a group what came for it through the API, and finds it at
// the group that takes its place. One that was changed since that was staged is a
// conflict: the file is planned anew.
func (c *change) moveUploads(id post.ID, moving map[post.ID]staged) error {
	g, err := c.s.group(c.Tx, id)
	if err != nil {
		return err
	}
	own := make([]post.Media, 0, len(g.Media))
	for _, m := range g.Media {
		to, ok := moving[m.Upload.ID]
		switch {
		case m.Upload.ID.IsZero():
			own = append(own, m)
			continue
		case !ok || to.media.Pin != m.Pin || to.media.Alt != m.Alt:
			return fmt.Errorf("group %s has other uploads by now: %w", g.ID, post.ErrConflict)
		}
		if err := c.Bucket(bucketUploads).Put(m.Upload.ID[:], to.group[:]); err != nil {
			return err
		}
	}
	if len(own) == len(g.Media) {
		return nil
	}
	old := clone(&g)
	g.Media = own
	return c.put(old, &g)
}
