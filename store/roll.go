package store

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/postroom/postroom/post"
)

// Lists of groups in any order, with any filter, are answered from memory: an
// index on disk for each order would be written at random places, which costs an
// import more than all the rest of it (STORE §7). A roll holds of each group what
// lists sort and select by, in columns: 33 bytes a group, and 4 more for each
// order that was asked for, so at most 45.
//
// Rolls are built when the first list is asked for. From then on every commit
// notes which groups it wrote ([change.put], [Stage.Seal]), and the next list
// reads those again before it answers: a list holds all that was durable when it
// was asked for.
type rolls struct {
	live atomic.Bool // notes are taken

	notes sync.Mutex
	ids   []post.ID // groups that were written
	files []post.ID // imports that became live

	mu sync.Mutex // after it, notes may be locked; never the other way round
	of map[uint32]*roll
}

// mostNotes is how many groups may be noted between two lists. With more the rolls
// are let go of, to be built when they are wanted again.
const mostNotes = 1 << 20

func (r *rolls) touch(ids []post.ID) {
	if !r.live.Load() {
		return
	}
	r.notes.Lock()
	defer r.notes.Unlock()
	if r.ids = append(r.ids, ids...); len(r.ids) <= mostNotes {
		return
	}
	if r.ids = sortedIDs(r.ids); len(r.ids) > mostNotes/2 {
		r.live.Store(false)
		r.ids, r.files = nil, nil
	}
}

func (r *rolls) touchImport(imp post.ID) {
	if !r.live.Load() {
		return
	}
	r.notes.Lock()
	defer r.notes.Unlock()
	r.files = append(r.files, imp)
}

// takeNotes returns what was noted since it was called last.
func (r *rolls) takeNotes() (ids, files []post.ID) {
	r.notes.Lock()
	defer r.notes.Unlock()
	ids, files = r.ids, r.files
	r.ids, r.files = nil, nil
	return ids, files
}

func sortedIDs(ids []post.ID) []post.ID {
	slices.SortFunc(ids, compareIDs)
	return slices.Compact(ids)
}

func compareIDs(a, b post.ID) int { return bytes.Compare(a[:], b[:]) }

// A roll is one account's groups, in columns. Most are in the order of their ids;
// ids that came out of it are found by late until they are put in order.
type roll struct {
	ids     []post.ID
	created []uint32 // Unix seconds
	updated []uint32
	slot    []int64  // Unix milliseconds; noSlot for none
	status  []uint8  // a post.Status; 0 when lists leave it out
	on      []uint32 // which of sets its connections are

	sets  [][]uint32 // connection numbers, each set once
	setOf map[string]uint32

	inOrder int // ids[:inOrder] ascend
	late    map[post.ID]uint32

	orders [3]order
}

const noSlot = math.MinInt64

// mostChanged is how many changes an order takes up one by one.
const mostChanged = 1 << 16

// An order lists a roll's groups from the smallest to the largest.
type order struct {
	at      []uint32 // positions in the columns; nil until it is asked for
	changed map[uint32]bool
}

// find returns the position of a group.
func (r *roll) find(id post.ID) (uint32, bool) {
	if i, ok := slices.BinarySearchFunc(r.ids[:r.inOrder], id, compareIDs); ok {
		return uint32(i), true
	}
	i, ok := r.late[id]
	return i, ok
}

// put writes a group in its place, or adds it.
func (r *roll) put(g *post.Group, conns []uint32) {
	i, ok := r.find(g.ID)
	if !ok {
		i = uint32(len(r.ids))
		if r.inOrder == len(r.ids) && (i == 0 || compareIDs(r.ids[i-1], g.ID) < 0) {
			r.inOrder++
		} else {
			if r.late == nil {
				r.late = map[post.ID]uint32{}
			}
			r.late[g.ID] = i
		}
		r.ids = append(r.ids, g.ID)
		r.created, r.updated = append(r.created, 0), append(r.updated, 0)
		r.slot, r.status, r.on = append(r.slot, noSlot), append(r.status, 0), append(r.on, 0)
	}
	r.created[i], r.updated[i], r.slot[i] = seconds(g.CreatedAt), seconds(g.UpdatedAt), noSlot
	if at := g.Slot(); !at.IsZero() {
		r.slot[i] = at.UnixMilli()
	}
	r.status[i], r.on[i] = 0, r.set(conns)
	if s := g.Status(); s != post.StatusCancelled && g.DeletedAt.IsZero() {
		r.status[i] = uint8(s)
	}
	for o := range r.orders {
		or := &r.orders[o]
		if or.at == nil {
			continue
		}
		if or.changed[i] = true; len(or.changed) > mostChanged {
			*or = order{} // to sort all is cheaper then
		}
	}
}

// set returns the number of a set of connections.
func (r *roll) set(conns []uint32) uint32 {
	key := make([]byte, 0, 4*len(conns))
	for _, n := range conns {
		key = binary.BigEndian.AppendUint32(key, n)
	}
	n, ok := r.setOf[string(key)]
	if !ok {
		if r.setOf == nil {
			r.setOf = map[string]uint32{}
		}
		n = uint32(len(r.sets))
		r.sets = append(r.sets, slices.Clone(conns))
		r.setOf[string(key)] = n
	}
	return n
}

// straighten puts the columns in the order of their ids, when they are not.
func (r *roll) straighten() {
	if len(r.late) == 0 {
		return
	}
	by := make([]uint32, len(r.ids))
	for i := range by {
		by[i] = uint32(i)
	}
	slices.SortFunc(by, func(a, b uint32) int { return compareIDs(r.ids[a], r.ids[b]) })
	r.ids, r.created, r.updated = permuted(r.ids, by), permuted(r.created, by), permuted(r.updated, by)
	r.slot, r.status, r.on = permuted(r.slot, by), permuted(r.status, by), permuted(r.on, by)
	r.inOrder, r.late, r.orders = len(r.ids), nil, [3]order{}
}

func permuted[T any](column []T, by []uint32) []T {
	out := make([]T, len(by))
	for i, from := range by {
		out[i] = column[from]
	}
	return out
}

// A rolled is a position in the columns, with what it is sorted by: key, then
// position, for the columns are in the order of the ids.
type rolled struct {
	key int64
	at  uint32
}

func compareRolled(a, b rolled) int {
	return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.at, b.at))
}

func (r *roll) rolled(o post.Order, i uint32) rolled {
	switch o {
	case post.ByUpdate:
		return rolled{int64(r.updated[i]), i}
	case post.BySlot:
		return rolled{r.slot[i], i}
	}
	return rolled{int64(r.created[i]), i}
}

// ordered returns all positions in an order. What changed since it was asked for
// last is sorted by itself and merged in.
func (r *roll) ordered(o post.Order) []uint32 {
	r.straighten()
	or := &r.orders[o]
	if or.at != nil && len(or.changed) == 0 {
		return or.at
	}
	var fresh []rolled
	if or.at == nil {
		fresh = make([]rolled, len(r.ids))
		for i := range fresh {
			fresh[i] = r.rolled(o, uint32(i))
		}
	}
	for i := range or.changed {
		fresh = append(fresh, r.rolled(o, i))
	}
	slices.SortFunc(fresh, compareRolled)
	merged := make([]uint32, 0, len(r.ids))
	for _, i := range or.at {
		if or.changed[i] {
			continue
		}
		for p := r.rolled(o, i); len(fresh) > 0 && compareRolled(fresh[0], p) < 0; fresh = fresh[1:] {
			merged = append(merged, fresh[0].at)
		}
		merged = append(merged, i)
	}
	for _, p := range fresh {
		merged = append(merged, p.at)
	}
	*or = order{merged, map[uint32]bool{}}
	return merged
}

// selected marks the positions that a query selects, and counts them. It goes
// along the columns, not in the order of the list, for memory is read faster so.
func (r *roll) selected(q *post.Query, names *registry) (marks []bool, total int) {
	marks = make([]bool, len(r.ids))
	if status := uint8(q.Status); status == 0 {
		for i, s := range r.status {
			marks[i] = s != 0
		}
	} else {
		for i, s := range r.status {
			marks[i] = s == status
		}
	}
	if q.Platform != "" || q.On != "" {
		wanted := make([]bool, len(r.sets))
		for n, set := range r.sets {
			wanted[n] = slices.ContainsFunc(set, func(conn uint32) bool {
				c, _ := names.conn(conn)
				return (q.Platform == "" || c.id.Platform() == q.Platform) && (q.On == "" || c.id == q.On)
			})
		}
		for i, n := range r.on {
			marks[i] = marks[i] && wanted[n]
		}
	}
	if !q.From.IsZero() || !q.To.IsZero() {
		from, to := int64(noSlot+1), int64(math.MaxInt64)
		if !q.From.IsZero() {
			from = max(from, q.From.UnixMilli())
		}
		if !q.To.IsZero() {
			to = q.To.UnixMilli()
		}
		for i, at := range r.slot {
			marks[i] = marks[i] && from <= at && at <= to
		}
	}
	for _, m := range marks {
		if m {
			total++
		}
	}
	return marks, total
}

// page returns the ids that a query selects, and how many it would select without
// Offset and Limit.
func (r *roll) page(q *post.Query, names *registry) (ids []post.ID, total int) {
	all := r.ordered(q.By)
	n, step := 0, 1
	if !q.Upward {
		n, step = len(all)-1, -1
	}
	skip, most := q.Offset, q.Limit
	if most == 0 {
		most = len(all)
	}
	marks, total := r.selected(q, names)
	if total == len(all) {
		n, skip = n+step*min(skip, len(all)), 0
	}
	for ; n >= 0 && n < len(all) && len(ids) < most && skip < total; n += step {
		switch i := all[n]; {
		case !marks[i]:
		case skip > 0:
			skip--
		default:
			ids = append(ids, r.ids[i])
		}
	}
	return ids, total
}

// List returns the ids of the groups that a query selects, in its order, and how
// many there are beside Offset and Limit.
func (s *Store) List(ctx context.Context, q post.Query) (ids []post.ID, total int, err error) {
	n, ok := s.names.accountNumber(q.Account)
	if !ok {
		return nil, 0, nil
	}
	s.rolls.mu.Lock()
	defer s.rolls.mu.Unlock()
	if err := s.catchUp(ctx); err != nil {
		return nil, 0, err
	}
	r := s.rolls.of[n]
	if r == nil {
		return nil, 0, nil
	}
	ids, total = r.page(&q, &s.names)
	return ids, total, nil
}

// GroupsByID returns those of the groups that there are, in the order of ids.
func (s *Store) GroupsByID(ctx context.Context, ids []post.ID) (gs []post.Group, err error) {
	err = s.view(ctx, func(tx *bolt.Tx) error {
		gs = make([]post.Group, 0, len(ids))
		h, b := hidden(tx), tx.Bucket(bucketGroups)
		for _, id := range ids {
			v := b.Get(id[:])
			if v == nil || h.has(id) {
				continue
			}
			g, err := decodeGroup(id[:], v, &s.names)
			if err != nil {
				return err
			}
			gs = append(gs, g)
		}
		return nil
	})
	return gs, err
}

// catchUp brings the rolls to what is stored.
func (s *Store) catchUp(ctx context.Context) error {
	r := &s.rolls
	ids, files := r.takeNotes()
	err := func() error {
		if !r.live.Load() || r.of == nil {
			r.of = map[uint32]*roll{}
			r.live.Store(true) // before the first read: nothing falls between
			return s.eachGroup(ctx, s.enroll)
		}
		for _, imp := range files {
			err := s.EachGroup(ctx, imp, func(g *post.Group) error {
				s.enroll(g)
				return nil
			})
			if err != nil {
				return err
			}
		}
		for some := range slices.Chunk(sortedIDs(ids), 1000) {
			gs, err := s.GroupsByID(ctx, some)
			if err != nil {
				return err
			}
			for i := range gs {
				s.enroll(&gs[i])
			}
		}
		return nil
	}()
	if err != nil {
		r.live.Store(false) // what was noted is lost: begin again
		r.of = nil
	}
	return err
}

// enroll writes a group into its account's roll.
func (s *Store) enroll(g *post.Group) {
	n, _ := s.names.accountNumber(g.Account)
	r := s.rolls.of[n]
	if r == nil {
		r = &roll{}
		s.rolls.of[n] = r
	}
	var few [8]uint32
	conns := few[:0]
	for i := range g.Posts {
		c, _ := s.names.connNumber(connName{g.Account, g.Posts[i].Connection})
		conns = append(conns, c)
	}
	r.put(g, conns)
}

// eachGroup calls fn with all live groups, in the order of their ids. No read
// lasts longer than a moment.
func (s *Store) eachGroup(ctx context.Context, fn func(*post.Group)) error {
	at := post.ID{}
	for more := true; more; {
		err := s.view(ctx, func(tx *bolt.Tx) error {
			more = false
			h, begun, n := hidden(tx), time.Now(), 0
			c := tx.Bucket(bucketGroups).Cursor()
			for k, v := c.Seek(at[:]); k != nil; k, v = c.Next() {
				if n++; n%256 == 0 && time.Since(begun) > longestRead {
					at, more = post.ID(k), true
					return nil
				}
				if h.has(post.ID(k)) {
					continue
				}
				g, err := decodeGroup(k, v, &s.names)
				if err != nil {
					return err
				}
				fn(&g)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
