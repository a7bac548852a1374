package store

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/postroom/postroom/post"
)

// Sizes of what a stage writes at once. A commit of ten thousand groups is
// where the cost a group stops falling (PERFORMANCE §1.1).
const (
	stageGroups  = 10_000
	stageBytes   = 8 << 20
	blocksAtOnce = 4000 // of a run
	blockRows    = 256
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

	conns    map[post.ConnectionID]*stageConn
	keys     byHash
	versions []uint64 // of keys, by row from 0
	twins    byHash
	total    map[post.Status]int
	moving   map[post.ID]staged // media that came through the API, of groups that are replaced
	at       []*stageConn       // of the posts of the group at hand
	numbers  []uint32           // of at
	event    []byte             // of the group at hand
	counts   post.Counts
	row      int // the last one added

	due      []*stageConn // those with posts that wait, by number, once prepared
	prepared bool
	ended    bool
}

// A stageConn is what a stage brings to one connection.
type stageConn struct {
	number uint32
	open   []runEntry
	waits  int // the length of open, also when that is written
	months []monthUse
}

// monthUse is how many posts a stage brings to a month.
type monthUse struct {
	month post.Month
	n     int
}

// count counts a post that waits. A file has few months.
func (c *stageConn) count(month post.Month) {
	c.waits++
	for i := range c.months {
		if c.months[i].month == month {
			c.months[i].n++
			return
		}
	}
	c.months = append(c.months, monthUse{month, 1})
}

// use yields what the stage adds to each count of what is used.
func (t *Stage) use() iter.Seq2[useKey, int] {
	return func(yield func(useKey, int) bool) {
		for _, c := range t.due {
			if !yield(useKey{t.number, c.number, 0}, c.waits) {
				return
			}
			for _, m := range c.months {
				if !yield(useKey{t.number, c.number, m.month}, m.n) {
					return
				}
			}
		}
	}
}

// staged is media of an upload as a group of the stage has it.
type staged struct {
	group post.ID
	media post.Media
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

var errEnded = errors.New("the stage has ended")

// Stage begins an import for an account.
func (s *Store) Stage(ctx context.Context, account post.AccountID) (*Stage, error) {
	if err := s.register(ctx, account, nil); err != nil {
		return nil, err
	}
	n, _ := s.names.accountNumber(account)
	var random [8]byte
	if _, err := rand.Read(random[:]); err != nil {
		return nil, err
	}
	now := s.now()
	t := &Stage{
		s: s, ctx: ctx, account: account, number: n, baseAt: now.Unix(),
		chunk: &stageChunk{}, chunks: make(chan *stageChunk), spare: make(chan *stageChunk, 2), wrote: make(chan error, 1),
		conns: map[post.ConnectionID]*stageConn{}, total: map[post.Status]int{},
	}
	err := s.update(ctx, func(c *change) error {
		t.base = c.stageBase(now, binary.BigEndian.Uint64(random[:]))
		return c.Bucket(bucketStages).Put(t.base[:], nil)
	})
	if err != nil {
		return nil, fmt.Errorf("stage: %w", err)
	}
	t.last = t.base
	t.spare <- &stageChunk{}
	go t.writeChunks()
	return t, nil
}

// stageBase makes the id of an import. Its machine part comes from random bits, so
// that nothing else has it, and is higher than those of the imports of the same
// second, so that the latest is listed first.
func (c *change) stageBase(now time.Time, random uint64) post.ID {
	machine := random >> 25 // 39 of 40 bits: there is room above it
	next := post.MakeID(now.Add(time.Second), [5]byte{}, 0)
	for _, bucket := range [][]byte{bucketImports, bucketStages} {
		at := c.Bucket(bucket).Cursor()
		k, _ := at.Seek(next[:])
		k, _ = stepBack(at, k, next[:])
		if k == nil || post.ID(k).Time().Unix() != now.Unix() {
			continue
		}
		if last := binary.BigEndian.Uint64(k[1:9]) & (1<<40 - 1); last >= machine {
			machine = last + 1 + random&0xffff
		}
	}
	return post.MakeID(now, [5]byte(binary.BigEndian.AppendUint64(nil, machine)[3:]), 0)
}

// writeChunks commits chunks while the next ones are made.
func (t *Stage) writeChunks() {
	var err error
	for c := range t.chunks {
		if err == nil {
			err = t.s.update(t.ctx, c.write(t.s, t.base))
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

func (c *stageChunk) write(s *Store, base post.ID) func(*change) error {
	return func(tx *change) error {
		if err := s.room(tx.Tx); err != nil {
			return err
		}
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
	switch {
	case t.ended || t.prepared:
		return errEnded
	case r.N <= t.row:
		return fmt.Errorf("stage row %d: it comes after row %d", r.N, t.row)
	}
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
		t.keys.add(r.Key, r.N)
		t.versions = append(t.versions, make([]uint64, r.N-len(t.versions))...)
		t.versions[r.N-1] = r.Version
		if g != nil {
			t.twins.add(r.Twin, r.N)
		}
	}
	t.counts.Count(r.Decision)
	if g != nil && r.Decision != post.Held {
		t.counts.Posts += len(g.Posts)
	}
	c := t.chunk
	if r.N != t.row+1 {
		t.endBlock() // rows of a block are numbered on
	}
	t.row = r.N
	if c.inRow == 0 {
		c.block.b = append(c.block.b[:0], recordVersion)
		c.block.int(t.baseAt)
		c.first = r.N
	}
	encodeRow(&c.block, r, t.base, t.baseAt)
	if c.inRow++; c.inRow == blockRows {
		t.endBlock()
	}
	if c.n >= stageGroups || len(c.groups)+len(c.rows) > stageBytes {
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
	if next.groups == nil { // grown step by step it would be copied many times
		next.groups = make([]byte, 0, cap(c.groups))
	}
	t.chunks <- c
	t.chunk = next
}

// mostPosts is how many posts one group may have: their index fits six bits.
const mostPosts = 63

func (t *Stage) addGroup(g *post.Group) error {
	if err := settle(g); err != nil {
		return fmt.Errorf("stage row %d: %w", g.Row, err)
	}
	t.at, t.numbers = t.at[:0], t.numbers[:0]
	for i := range g.Posts {
		c := t.conns[g.Posts[i].Connection]
		if c == nil {
			var err error
			if c, err = t.meet(g, i); err != nil {
				return err
			}
		}
		t.at, t.numbers = append(t.at, c), append(t.numbers, c.number)
	}
	g.ID = t.last.Add(1)
	if low := int(g.ID[9])<<16 | int(g.ID[10])<<8 | int(g.ID[11]); low+len(g.Posts) >= 1<<24 {
		g.ID = g.ID.Add(uint64(1<<24 - low)) // a group does not span two seconds
	}
	t.last = g.ID.Add(uint64(len(g.Posts)))
	far := distance(t.base, g.ID)
	if far >= mostStaged {
		return fmt.Errorf("stage row %d: more than %d posts in one file", g.Row, mostStaged)
	}
	for _, m := range g.Media {
		if m.Upload.ID.IsZero() {
			continue
		}
		if t.moving == nil {
			t.moving = map[post.ID]staged{}
		}
		t.moving[m.Upload.ID] = staged{g.ID, m}
	}
	scheduled := false
	g.Account, g.Import = t.account, t.base
	if g.CreatedAt.IsZero() {
		g.CreatedAt = time.Unix(t.baseAt, 0).UTC()
	}
	if g.UpdatedAt.IsZero() {
		g.UpdatedAt = g.CreatedAt
	}
	for i := range g.Posts {
		p := &g.Posts[i]
		p.ID, p.Group, p.Account = g.ID.Add(uint64(i)+1), g.ID, t.account
		t.total[p.Status]++
		if p.Status == post.StatusScheduled {
			scheduled = true
			c := t.at[i]
			c.open = append(c.open, newRunEntry(p.DueAt, far+uint64(i)+1, i))
			c.count(post.MonthOf(p.SlotAt))
		}
	}
	c := t.chunk
	c.groups = append(c.groups, g.ID[:]...)
	at := len(c.groups)
	c.groups = append(c.groups, 0, 0, 0, 0)
	head := len(c.groups)
	var history []byte
	if scheduled {
		t.event = appendEvent(t.event[:0], &post.LogEntry{Group: g.ID, Event: "scheduled", At: g.CreatedAt})
		history = t.event
	}
	record := encodeGroup(startRecord(c.groups[head:], history), g, t.number, t.numbers)
	if len(record) <= cap(c.groups)-head {
		c.groups = c.groups[:head+len(record)] // where it lies
	} else {
		c.groups = append(c.groups, record...)
	}
	binary.BigEndian.PutUint32(c.groups[at:], uint32(len(c.groups)-head))
	c.n++
	return nil
}

// meet makes room for the connection of a group's i-th post, which the stage has not
// met before. The store may not have either.
func (t *Stage) meet(g *post.Group, i int) (*stageConn, error) {
	name := connName{t.account, g.Posts[i].Connection}
	n, ok := t.s.names.connNumber(name)
	if !ok {
		all := make([]post.ConnectionID, len(g.Posts))
		for i := range g.Posts {
			all[i] = g.Posts[i].Connection
		}
		if err := t.s.register(t.ctx, t.account, all); err != nil {
			return nil, err
		}
		n, _ = t.s.names.connNumber(name)
	}
	c := &stageConn{number: n}
	t.conns[name.id] = c
	return c, nil
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
