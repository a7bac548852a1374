package store

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/postroom/postroom/post"
)

// Sizes of what a stage writes at once. A commit of ten thousand groups is
// where the cost a group stops falling (PERFORMANCE §1.1).
const (
	stageGroups = 10_000
	stageIndex  = 100_000
	blockRows   = 256
)

// A Stage takes a file's groups out of sight and makes them live in one step.
// Everything it writes has ids with a machine part of its own, and while that
// part is listed in the stages bucket nobody sees any of it.
//
// A Stage belongs to one goroutine. It ends with Seal or Discard; Discard after
// Seal does nothing.
type Stage struct {
	s       *Store
	ctx     context.Context
	account post.AccountID
	number  uint32
	base    post.ID // the import's id; groups and posts follow
	last    post.ID
	baseAt  int64

	chunk  *stageChunk
	chunks chan *stageChunk
	spare  chan *stageChunk
	wrote  chan error

	open  map[uint32][]uint64 // by connection: due(32) distance(26) index(6)
	keys  []keyEntry
	twins []twinEntry
	use   map[useKey]int
	total map[post.Status]int
	conns []uint32 // of the group at hand
	ended bool
}

type useKey struct {
	conn  uint32
	month post.Month
}

type keyEntry struct {
	key, version uint64
	row          uint32
}

type twinEntry struct {
	twin uint64
	row  uint32
}

// A stageChunk is what one commit writes: encoded groups, and row blocks.
type stageChunk struct {
	groups []byte // key(12) length(4) record, repeated
	n      int
	rows   []byte // first(4) length(4) block, repeated
	block  encoder
	inRow  int // rows in block
	first  int
}

// Stage begins an import for an account.
func (s *Store) Stage(ctx context.Context, account post.AccountID) (*Stage, error) {
	if err := s.register(ctx, account, nil); err != nil {
		return nil, err
	}
	n, _ := s.names.accountNumber(account)
	var machine [5]byte
	if _, err := rand.Read(machine[:]); err != nil {
		return nil, err
	}
	now := s.now()
	t := &Stage{
		s: s, ctx: ctx, account: account, number: n, base: post.MakeID(now, machine, 0), baseAt: now.Unix(),
		chunk: &stageChunk{}, chunks: make(chan *stageChunk), spare: make(chan *stageChunk, 2), wrote: make(chan error, 1),
		open: map[uint32][]uint64{}, use: map[useKey]int{}, total: map[post.Status]int{},
	}
	t.last = t.base
	err := s.update(ctx, func(tx *bolt.Tx) error { return tx.Bucket(bucketStages).Put(t.base[:], nil) })
	if err != nil {
		return nil, fmt.Errorf("stage: %w", err)
	}
	t.spare <- &stageChunk{}
	go t.writeChunks()
	return t, nil
}

// writeChunks commits chunks while the next ones are made.
func (t *Stage) writeChunks() {
	var err error
	for c := range t.chunks {
		if err == nil {
			err = t.s.update(t.ctx, c.write(t.base))
		}
		c.groups, c.rows, c.n = c.groups[:0], c.rows[:0], 0
		t.spare <- c
		if err != nil {
			select {
			case t.wrote <- err:
			default:
			}
		}
	}
	select {
	case t.wrote <- err:
	default:
	}
}

func (c *stageChunk) write(base post.ID) func(*bolt.Tx) error {
	return func(tx *bolt.Tx) error {
		b := tx.Bucket(bucketGroups)
		b.FillPercent = ascending
		for rest := c.groups; len(rest) > 0; {
			n := binary.BigEndian.Uint32(rest[12:])
			if err := b.Put(rest[:12], rest[16:16+n]); err != nil {
				return err
			}
			rest = rest[16+n:]
		}
		b = tx.Bucket(bucketRows)
		b.FillPercent = ascending
		for rest := c.rows; len(rest) > 0; {
			n := binary.BigEndian.Uint32(rest[4:])
			if err := b.Put(append(base[:post.IDLen:post.IDLen], rest[:4]...), rest[8:8+n]); err != nil {
				return err
			}
			rest = rest[8+n:]
		}
		return nil
	}
}

// Add stages one row, with its group when it brings one; rows come in order. It
// sets g.ID, g.Import, the posts' ids and r.Group, and keeps nothing of r and g.
func (t *Stage) Add(r *post.Row, g *post.Group) error {
	select {
	case err := <-t.wrote:
		return errors.Join(errors.New("stage: the writer ended"), err)
	default:
	}
	if g != nil {
		if err := t.addGroup(g); err != nil {
			return err
		}
		r.Group = g.ID
	}
	if !r.Group.IsZero() {
		t.keys = append(t.keys, keyEntry{r.Key, r.Version, uint32(r.N)})
		if g != nil {
			t.twins = append(t.twins, twinEntry{r.Twin, uint32(r.N)})
		}
	}
	c := t.chunk
	if c.inRow == 0 {
		c.block.b = append(c.block.b[:0], recordVersion)
		c.block.int(t.baseAt)
		c.first = r.N
	}
	encodeRow(&c.block, r, t.base, t.baseAt)
	if c.inRow++; c.inRow == blockRows {
		t.endBlock()
	}
	if c.n >= stageGroups || len(c.rows) > 1<<20 {
		t.flush()
	}
	return nil
}

func (t *Stage) endBlock() {
	c := t.chunk
	if c.inRow == 0 {
		return
	}
	c.rows = binary.BigEndian.AppendUint32(c.rows, uint32(c.first))
	c.rows = binary.BigEndian.AppendUint32(c.rows, uint32(len(c.block.b)))
	c.rows = append(c.rows, c.block.b...)
	c.inRow = 0
}

// flush hands the chunk to the writer. A block of rows that is not full goes on
// in the next chunk.
func (t *Stage) flush() {
	c := t.chunk
	next := <-t.spare
	next.block, c.block = c.block, next.block
	next.inRow, next.first = c.inRow, c.first
	c.inRow = 0
	t.chunks <- c
	t.chunk = next
}

// mostPosts is how many posts one group may have: their index fits six bits.
const mostPosts = 63

func (t *Stage) addGroup(g *post.Group) error {
	if len(g.Posts) == 0 || len(g.Posts) > mostPosts {
		return fmt.Errorf("stage row %d: %d posts, want 1 to %d", g.Row, len(g.Posts), mostPosts)
	}
	t.conns = t.conns[:0]
	for i := range g.Posts {
		n, ok := t.s.names.connNumber(connName{t.account, g.Posts[i].Connection})
		if !ok {
			all := make([]post.ConnectionID, len(g.Posts))
			for i := range g.Posts {
				all[i] = g.Posts[i].Connection
			}
			if err := t.s.register(t.ctx, t.account, all); err != nil {
				return err
			}
			n, _ = t.s.names.connNumber(connName{t.account, g.Posts[i].Connection})
		}
		t.conns = append(t.conns, n)
	}
	g.ID = t.last.Add(1)
	if low := int(g.ID[9])<<16 | int(g.ID[10])<<8 | int(g.ID[11]); low+len(g.Posts) >= 1<<24 {
		g.ID = g.ID.Add(uint64(1<<24 - low)) // a group does not span two seconds
	}
	t.last = g.ID.Add(uint64(len(g.Posts)))
	far := distance(t.base, g.ID)
	if far >= 1<<26-mostPosts {
		return fmt.Errorf("stage row %d: more than %d posts in one file", g.Row, 1<<26)
	}
	g.Account, g.Import = t.account, t.base
	for i := range g.Posts {
		p := &g.Posts[i]
		p.ID, p.Group, p.Account = g.ID.Add(uint64(i)+1), g.ID, t.account
		t.total[p.Status]++
		if p.Status == post.StatusScheduled {
			t.open[t.conns[i]] = append(t.open[t.conns[i]], uint64(seconds(p.DueAt))<<32|(far+uint64(i)+1)<<6|uint64(i))
			t.use[useKey{t.conns[i], 0}]++
			t.use[useKey{t.conns[i], post.MonthOf(p.SlotAt)}]++
		}
	}
	c := t.chunk
	c.groups = append(c.groups, g.ID[:]...)
	at := len(c.groups)
	c.groups = append(c.groups, 0, 0, 0, 0)
	head := len(c.groups)
	c.groups = append(c.groups, encodeGroup(c.groups[head:head], g, t.number, t.conns)...)
	binary.BigEndian.PutUint32(c.groups[at:], uint32(len(c.groups)-head))
	c.n++
	return nil
}

// Seal makes all that was added live, and records the import, in one small
// transaction after the indexes are written. In that transaction the caps are
// checked against what is used then, and the groups to replace or cancel must
// still be editable. It is durable when Seal returns.
//
// The error wraps a *post.CapExceeded, post.ErrConflict or post.ErrDuplicate;
// then, as with any error, nothing of the stage is live and it is gone.
func (t *Stage) Seal(ctx context.Context, seal post.Seal) (post.Import, error) {
	if t.ended {
		return post.Import{}, errors.New("seal: the stage has ended")
	}
	imp, err := t.seal(ctx, seal)
	if err != nil {
		return post.Import{}, errors.Join(fmt.Errorf("seal: %w", err), t.Discard())
	}
	t.ended = true
	return imp, nil
}

func (t *Stage) seal(ctx context.Context, seal post.Seal) (post.Import, error) {
	t.endBlock()
	if err := t.finishWriting(); err != nil {
		return post.Import{}, err
	}
	if err := t.writeIndexes(ctx); err != nil {
		return post.Import{}, err
	}
	imp := seal.Import
	imp.ID, imp.Account = t.base, t.account
	conns := make([]uint32, 0, len(t.open))
	for n := range t.open {
		conns = append(conns, n)
	}
	slices.Sort(conns)
	err := t.s.update(ctx, t.s.change(func(c *change) error {
		digests, digest := c.Bucket(bucketDigests), append(key4(t.number), imp.Digest[:]...)
		if digests.Get(digest) != nil {
			return post.ErrDuplicate
		}
		for _, ids := range [][]post.ID{seal.Replace, seal.Cancel} {
			for _, id := range ids {
				if err := c.supersede(id, imp.Name); err != nil {
					return err
				}
			}
		}
		if err := t.checkCaps(c, seal.Caps); err != nil {
			return err
		}
		for k, n := range t.use {
			if err := c.use(t.number, k.conn, k.month, n); err != nil {
				return err
			}
		}
		for status, n := range t.total {
			if err := c.total(status, n); err != nil {
				return err
			}
		}
		if err := c.Bucket(bucketStages).Delete(t.base[:]); err != nil {
			return err
		}
		for _, n := range conns {
			if err := c.wake(n); err != nil {
				return err
			}
		}
		if err := digests.Put(digest, t.base[:]); err != nil {
			return err
		}
		if err := c.Bucket(bucketLineages).Put(append(key4(t.number), imp.Lineage...), t.base[:]); err != nil {
			return err
		}
		return putImport(c.Tx, importRecord{Import: imp, Last: t.last})
	}))
	return imp, err
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

// writeIndexes writes what was kept in memory, sorted, in few steps: written row
// by row, these would be nearly all of the cost.
func (t *Stage) writeIndexes(ctx context.Context) error {
	type entry struct {
		conn uint32
		v    uint64
	}
	conns := make([]uint32, 0, len(t.open))
	for n, list := range t.open {
		slices.Sort(list)
		conns = append(conns, n)
	}
	slices.Sort(conns)
	var batch []entry
	flush := func() error {
		err := t.s.update(ctx, func(tx *bolt.Tx) error {
			b := tx.Bucket(bucketOpen)
			if len(batch) > stageIndex/10 {
				b.FillPercent = ascending
			}
			for _, e := range batch {
				due := time.Unix(int64(e.v>>32), 0)
				id := t.base.Add(e.v >> 6 & (1<<26 - 1))
				if err := b.Put(openKey(e.conn, due, id), []byte{byte(e.v & 63), byte(post.StatusScheduled)}); err != nil {
					return err
				}
			}
			return nil
		})
		batch = batch[:0]
		return err
	}
	for _, n := range conns {
		for _, v := range t.open[n] {
			batch = append(batch, entry{n, v})
			if len(batch) == stageIndex {
				if err := flush(); err != nil {
					return err
				}
			}
		}
		t.open[n] = nil
	}
	if err := flush(); err != nil {
		return err
	}
	return t.writeRuns(ctx)
}

// checkCaps refuses what would break a cap at this moment.
func (t *Stage) checkCaps(c *change, caps []post.Cap) error {
	for _, limit := range caps {
		asked := 0
		for k, n := range t.use {
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
	if n == 0 {
		return nil
	}
	number, _ := c.s.names.accountNumber(account)
	used := 0
	for _, conn := range c.s.names.ofAccount(account) {
		name, _ := c.s.names.conn(conn)
		if limit.Connection != "" && name.id != limit.Connection {
			continue
		}
		if v := c.Bucket(bucketUsage).Get(usageKey(number, conn, limit.Month)); v != nil {
			used += int(binary.BigEndian.Uint32(v))
		}
	}
	if used+n > limit.Max {
		return &post.CapExceeded{Cap: limit, Used: used, Requested: n}
	}
	return nil
}

// supersede cancels a group whose row says something else now, or is gone.
func (c *change) supersede(id post.ID, by string) error {
	g, err := c.s.group(c.Tx, id)
	if err != nil {
		return err
	}
	old := clone(&g)
	for i := range g.Posts {
		p := &g.Posts[i]
		switch {
		case p.Status == post.StatusCancelled || p.Status == post.StatusFailed && p.PartsLive() == 0:
			continue
		case !p.Status.Editable():
			return fmt.Errorf("group %s is %s: %w", id, p.Status, post.ErrConflict)
		}
		p.Status, p.UpdatedAt = post.StatusCancelled, c.now
		p.Problem = &post.Outcome{Code: "REPLACED", Message: "a new revision of " + by + " says otherwise", At: c.now}
	}
	g.UpdatedAt, g.Held = c.now, ""
	if err := c.put(old, &g); err != nil {
		return err
	}
	return c.log(post.LogEntry{Group: id, Event: "status_changed", Error: "replaced by a new revision of " + by})
}

// Discard takes back all that was staged.
func (t *Stage) Discard() error {
	if t.ended {
		return nil
	}
	t.ended = true
	if t.chunks != nil {
		close(t.chunks)
		for done := false; !done; {
			select {
			case <-t.wrote:
				done = true
			case <-t.spare:
			}
		}
	}
	if t.s.Err() != nil {
		return nil // the next start sweeps it
	}
	return t.s.sweepStage(context.WithoutCancel(t.ctx), t.base)
}

// sweep removes what stages left that were never sealed.
func (s *Store) sweep() error {
	var left []post.ID
	err := s.db.View(func(tx *bolt.Tx) error {
		return tx.Bucket(bucketStages).ForEach(func(k, _ []byte) error {
			left = append(left, post.ID(k))
			return nil
		})
	})
	if err != nil || len(left) == 0 {
		return err
	}
	for _, base := range left {
		if err := s.sweepStage(context.Background(), base); err != nil {
			return err
		}
	}
	return nil
}

// sweepAtOnce is how many keys one transaction of a sweep removes.
const sweepAtOnce = 20_000

// sweepStage removes everything of one unsealed stage, in bounded steps. The
// stage's own mark goes last, so that a crash goes on with it.
func (s *Store) sweepStage(ctx context.Context, base post.ID) error {
	run := s.update
	select {
	case <-s.started:
	default: // still opening: there is no committer yet
		run = func(_ context.Context, fn func(*bolt.Tx) error) error { return s.db.Update(fn) }
	}
	for done := false; !done; {
		err := run(ctx, func(tx *bolt.Tx) error {
			left := sweepAtOnce
			for _, b := range [][]byte{bucketRows, bucketKeyRuns, bucketTwinRuns} {
				if err := deleteRun(tx.Bucket(b), base[:], func(k []byte) bool { return post.ID(k[:12]) == base }, &left); err != nil {
					return err
				}
			}
			for at, ok := base, true; ok && left > 0; {
				err := deleteRun(tx.Bucket(bucketGroups), at[:], func(k []byte) bool { return sameMachine(post.ID(k), base) }, &left)
				if err != nil {
					return err
				}
				at, ok = nextRun(tx, base, at)
			}
			if left > 0 {
				if err := s.sweepOpen(tx, base, &left); err != nil {
					return err
				}
			}
			if done = left > 0; done {
				return tx.Bucket(bucketStages).Delete(base[:])
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// deleteRun deletes keys from start on while in holds, at most left of them.
func deleteRun(b *bolt.Bucket, start []byte, in func(k []byte) bool, left *int) error {
	var keys [][]byte // a cursor skips keys when they are deleted under it
	c := b.Cursor()
	for k, _ := c.Seek(start); k != nil && in(k) && *left > 0; k, _ = c.Next() {
		keys = append(keys, slices.Clone(k))
		*left--
	}
	for _, k := range keys {
		if err := b.Delete(k); err != nil {
			return err
		}
	}
	return nil
}

// nextRun returns where a stage's ids go on: they may run over into the seconds
// after its own.
func nextRun(tx *bolt.Tx, base, at post.ID) (post.ID, bool) {
	next := post.MakeID(at.Time().Add(time.Second), [5]byte(base[4:9]), 0)
	k, _ := tx.Bucket(bucketGroups).Cursor().Seek(next[:])
	return next, k != nil && sameMachine(post.ID(k), base)
}

// sweepOpen deletes a stage's open entries. They lie with everybody else's, so
// each connection's list is walked.
func (s *Store) sweepOpen(tx *bolt.Tx, base post.ID, left *int) error {
	b := tx.Bucket(bucketOpen)
	var keys [][]byte
	c := b.Cursor()
	for k, _ := c.First(); k != nil && *left > 0; k, _ = c.Next() {
		if sameMachine(openPost(k), base) {
			keys = append(keys, slices.Clone(k))
			*left--
		}
	}
	for _, k := range keys {
		if err := b.Delete(k); err != nil {
			return err
		}
	}
	return nil
}
