package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/postroom/postroom/post"
)

// A model is what the store must be, in a few maps: the test does the same to
// both, in any order that rapid finds, and compares.
type model struct {
	t     *rapid.T
	s     *Store
	path  string
	clock *clock

	posts  map[post.ID]*modelPost
	groups []post.ID
	conns  map[post.ConnectionID]*modelConn
	old    []post.Lease // given back, run out or void
	files  map[string]post.ID
	gone   map[post.ID]bool // groups that were deleted
	made   int
	sends  map[post.ID]uint64 // epoch under which each post was last handed out
}

type modelPost struct {
	group    post.ID
	conn     post.ConnectionID
	status   post.Status
	due      time.Time
	slot     time.Time
	attempts int
	epoch    uint64
	taken    bool // back, while it was in flight
}

type modelConn struct {
	lease     *post.Lease
	epoch     uint64
	notBefore time.Time
}

var modelConns = []post.ConnectionID{"twitter-1", "linkedin-2", "mastodon-3"}

func TestAnyOrderOfChangesLeavesTheStoreTrue(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		folder, err := os.MkdirTemp(dir, "")
		if err != nil {
			rt.Fatal(err)
		}
		m := &model{
			t: rt, path: filepath.Join(folder, "m.db"), clock: &clock{at: start},
			posts: map[post.ID]*modelPost{}, conns: map[post.ConnectionID]*modelConn{}, files: map[string]post.ID{}, gone: map[post.ID]bool{}, sends: map[post.ID]uint64{},
		}
		for _, c := range modelConns {
			m.conns[c] = &modelConn{}
		}
		m.open()
		defer func() { m.s.Close() }()
		rt.Repeat(map[string]func(*rapid.T){
			"":           m.compare,
			"file":       m.file,
			"create":     m.create,
			"forward":    m.forward,
			"acquire":    m.acquire,
			"next":       m.next,
			"finish":     m.finish,
			"release":    m.release,
			"adopt":      m.adopt,
			"stale":      m.stale,
			"cancel":     m.cancel,
			"reschedule": m.reschedule,
			"arrange":    m.arrange,
			"delete":     m.delete,
			"approve":    m.approve,
			"retry":      m.retry,
			"resolve":    m.resolve,
			"undo":       m.undo,
			"resume":     m.resume,
			"crash":      m.crash,
		})
		for _, err := range m.s.Verify(context.Background()) {
			rt.Errorf("verify: %v", err)
		}
	})
}

func (m *model) ctx() context.Context { return context.Background() }
func (m *model) now() time.Time       { return m.clock.now() }

func (m *model) ok(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

// want fails unless err says that a change is not possible, when it is not.
func (m *model) want(possible bool, err error) bool {
	m.t.Helper()
	if possible != (err == nil) || err != nil && !errors.Is(err, post.ErrState) {
		m.t.Fatalf("got %v, possible: %v", err, possible)
	}
	return possible
}

func (m *model) open() {
	m.t.Helper()
	s, err := Open(m.path, Options{Now: m.clock.now})
	m.ok(err)
	m.s = s
}

// crash reopens the store: all leases are void.
func (m *model) crash(*rapid.T) {
	m.ok(m.s.Close())
	m.open()
	for _, c := range m.conns {
		if c.lease != nil {
			m.old = append(m.old, *c.lease)
			c.lease = nil
		}
	}
}

func (m *model) forward(t *rapid.T) {
	m.clock.forward(time.Duration(rapid.IntRange(1, 7200).Draw(t, "seconds")) * time.Second)
}

func (m *model) drawGroup(t *rapid.T) *post.Group {
	m.made++
	at := time.Time{}
	if rapid.IntRange(0, 3).Draw(t, "draft") > 0 {
		at = m.now().Add(time.Duration(rapid.IntRange(-60, 3*24*60).Draw(t, "minutes")) * time.Minute)
	}
	n := rapid.IntRange(1, len(modelConns)).Draw(t, "posts")
	first := rapid.IntRange(0, 2).Draw(t, "first")
	var conns []post.ConnectionID
	for i := range n {
		conns = append(conns, modelConns[(first+i)%len(modelConns)])
	}
	return group(fmt.Sprint("group ", m.made), at, conns...)
}

// someGroup is one of many, drawn by nobody.
func (m *model) someGroup(i int) *post.Group {
	m.made++
	return group(fmt.Sprint("group ", m.made), m.now().Add(time.Duration(i*7919%4000)*time.Minute), modelConns[i%2:]...)
}

func (m *model) keep(g *post.Group) {
	m.groups = append(m.groups, g.ID)
	for i := range g.Posts {
		p := &g.Posts[i]
		m.posts[p.ID] = &modelPost{group: g.ID, conn: p.Connection, status: p.Status, due: p.DueAt, slot: p.SlotAt}
	}
}

// file stages a file, and seals or drops it; a seal may break a cap.
func (m *model) file(t *rapid.T) {
	name := fmt.Sprint("file ", len(m.files))
	st, err := m.s.Stage(m.ctx(), acme)
	m.ok(err)
	var gs []*post.Group
	counts := map[post.ConnectionID]int{}
	rows := rapid.IntRange(1, 30).Draw(t, "rows")
	many := rapid.IntRange(0, 9).Draw(t, "many") == 0 // more than a block of a run
	if many {
		rows = 3 * blockPosts
	}
	for i := range rows {
		g := m.someGroup(i)
		if !many {
			g = m.drawGroup(t)
		}
		m.ok(st.Add(&post.Row{N: i + 1, Line: i + 2, Decision: post.Accepted, Key: uint64(m.made), Twin: uint64(m.made)}, g))
		gs = append(gs, g)
		for j := range g.Posts {
			if g.Posts[j].Status == post.StatusScheduled {
				counts[g.Posts[j].Connection]++
			}
		}
	}
	seal := post.Seal{Import: post.Import{Name: name, Lineage: name, Digest: post.Digest{byte(len(m.files)), byte(len(m.files) >> 8)}}}
	switch rapid.IntRange(0, 4).Draw(t, "end") {
	case 0:
		m.ok(st.Discard())
		return
	case 1: // one cap that may be too low
		c := modelConns[0]
		limit := post.Cap{Connection: c, Max: rapid.IntRange(0, 60).Draw(t, "max")}
		seal.Caps = append(seal.Caps, limit)
		_, err := st.Seal(m.ctx(), seal)
		used := 0
		for _, p := range m.posts {
			if p.conn == c && p.status.Open() {
				used++
			}
		}
		var full *post.CapExceeded
		if fits := counts[c] == 0 || used+counts[c] <= limit.Max; fits != (err == nil) || err != nil && !errors.As(err, &full) {
			m.t.Fatalf("seal of %d more on %d used, at most %d: %v", counts[c], used, limit.Max, err)
		}
		if err != nil {
			return
		}
	default:
		_, err := st.Seal(m.ctx(), seal)
		m.ok(err)
	}
	m.files[name] = gs[0].Import
	for _, g := range gs {
		m.keep(g)
	}
}

func (m *model) create(t *rapid.T) {
	g := m.drawGroup(t)
	m.ok(m.s.Create(m.ctx(), g, nil, "me"))
	m.keep(g)
}

// waits returns the posts that wait on a connection, in the order of the queue.
func (m *model) waits(c post.ConnectionID) []post.ID {
	var ids []post.ID
	for id, p := range m.posts {
		if p.conn == c && p.status == post.StatusScheduled {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b post.ID) int {
		if n := m.posts[a].due.Compare(m.posts[b].due); n != 0 {
			return n
		}
		return slices.Compare(a[:], b[:])
	})
	return ids
}

func (m *model) flying(c post.ConnectionID) []post.ID {
	var ids []post.ID
	for id, p := range m.posts {
		if p.conn == c && p.status == post.StatusProcessing {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b post.ID) int { return slices.Compare(a[:], b[:]) })
	return ids
}

func (m *model) acquire(t *rapid.T) {
	ls, err := m.s.Acquire(m.ctx(), time.Hour, rapid.IntRange(1, 3).Draw(t, "most"))
	m.ok(err)
	for _, c := range m.conns { // those that ran out are over
		if c.lease != nil && !m.now().Before(c.lease.Until) {
			m.old = append(m.old, *c.lease)
			c.lease = nil
		}
	}
	for _, l := range ls {
		c := m.conns[l.Connection]
		if c.lease != nil {
			m.t.Fatalf("%s is leased twice", l.Connection)
		}
		if l.Epoch != c.epoch+1 {
			m.t.Fatalf("%s: epoch %d after %d", l.Connection, l.Epoch, c.epoch)
		}
		ids := m.waits(l.Connection)
		due := len(ids) > 0 && !m.posts[ids[0]].due.After(m.now()) && !c.notBefore.After(m.now())
		if !due && len(m.flying(l.Connection)) == 0 {
			m.t.Fatalf("%s was leased with nothing due", l.Connection)
		}
		c.lease, c.epoch = &l, l.Epoch
	}
	if len(ls) > 0 {
		return
	}
	for name, c := range m.conns { // nothing that was due may be left
		ids := m.waits(name)
		if c.lease == nil && len(ids) > 0 && !m.posts[ids[0]].due.After(m.now()) && !c.notBefore.After(m.now()) {
			m.t.Fatalf("%s has post %s due at %s, and was not leased at %s", name, ids[0], m.posts[ids[0]].due, m.now())
		}
	}
}

// drawLease picks a lease that is held, or skips.
func (m *model) drawLease(t *rapid.T) (post.Lease, *modelConn) {
	var held []post.ConnectionID
	for _, name := range modelConns {
		if m.conns[name].lease != nil {
			held = append(held, name)
		}
	}
	if len(held) == 0 {
		t.Skip("no lease")
	}
	c := m.conns[rapid.SampledFrom(held).Draw(t, "lease")]
	return *c.lease, c
}

// drawDone ends a post that is in flight.
func (m *model) drawDone(t *rapid.T, c *modelConn, id post.ID) post.Done {
	d := post.Done{ID: id}
	switch rapid.IntRange(0, 4).Draw(t, "outcome") {
	case 0, 1:
		d.Status, d.Receipt = post.StatusPublished, &post.Receipt{RemoteID: "r", PublishedAt: m.now()}
	case 2:
		d.Status, d.Outcome = post.StatusFailed, &post.Outcome{Code: "INVALID_CONTENT"}
	case 3:
		d.Status, d.Outcome = post.StatusUnknown, &post.Outcome{Code: post.CodeOutcomeUnknown}
	default:
		d.Status, d.Outcome, d.RetryAt = post.StatusScheduled, &post.Outcome{Code: "RATE_LIMITED"}, m.now().Add(time.Minute)
		d.Snooze = rapid.Bool().Draw(t, "snooze")
	}
	if rapid.IntRange(0, 5).Draw(t, "pace") == 0 {
		d.NotBefore = m.now().Add(90 * time.Second)
		if rapid.Bool().Draw(t, "pause") {
			d.PauseWhy = "too many errors"
		}
	}
	return d
}

func (m *model) record(c *modelConn, d post.Done) {
	p := m.posts[d.ID]
	p.status = d.Status
	switch {
	case d.Status == post.StatusScheduled && p.taken:
		p.status = post.StatusFailed
	case d.Status == post.StatusScheduled:
		p.due = d.RetryAt
		if d.Snooze {
			p.attempts--
		}
	}
	p.taken = false
	if d.NotBefore.After(c.notBefore) {
		c.notBefore = d.NotBefore
	}
}

func (m *model) mine(l post.Lease) []post.ID {
	return slices.DeleteFunc(m.flying(l.Connection), func(id post.ID) bool { return m.posts[id].epoch != l.Epoch })
}

func (m *model) next(t *rapid.T) {
	l, c := m.drawLease(t)
	var done *post.Done
	if ids := m.mine(l); len(ids) > 0 && rapid.Bool().Draw(t, "with an outcome") {
		d := m.drawDone(t, c, ids[0])
		done = &d
	}
	late := time.Duration(rapid.IntRange(0, 1).Draw(t, "late")) * 2 * time.Hour
	n, err := m.s.Next(m.ctx(), l, done, late)
	m.ok(err)
	if done != nil {
		m.record(c, *done)
	}
	for _, p := range n.Held {
		w := m.posts[p.ID]
		if w.status != post.StatusScheduled || m.now().Sub(w.slot) <= late && m.now().Sub(w.due) <= late {
			m.t.Fatalf("held %s, %s, due %s at %s", p.ID, w.status, w.due, m.now())
		}
		w.status = post.StatusDraft
	}
	ids := m.waits(l.Connection)
	switch {
	case n.OK:
		p := &n.Delivery.Post
		w := m.posts[p.ID]
		switch {
		case len(ids) == 0 || ids[0] != p.ID:
			m.t.Fatalf("handed out %s, want the first of %v", p.ID, ids)
		case w.due.After(m.now()) || c.notBefore.After(m.now()):
			m.t.Fatalf("handed out %s before its time", p.ID)
		case m.sends[p.ID] > l.Epoch:
			m.t.Fatalf("handed out %s under an older epoch", p.ID)
		}
		w.status, w.epoch = post.StatusProcessing, l.Epoch
		w.attempts++
		m.sends[p.ID] = l.Epoch
		if p.Status != post.StatusProcessing || p.Epoch != l.Epoch || p.Attempts != w.attempts {
			m.t.Fatalf("handed out %+v, want processing, epoch %d, attempt %d", p, l.Epoch, w.attempts)
		}
	case len(ids) == 0:
		if !n.Wait.IsZero() {
			m.t.Fatalf("nothing waits, and Wait is %s", n.Wait)
		}
	default:
		if at := later(m.posts[ids[0]].due, wholeSecond(c.notBefore)); !n.Wait.Equal(at) || !at.After(m.now()) {
			m.t.Fatalf("wait until %s, want %s, now %s", n.Wait, at, m.now())
		}
	}
}

func (m *model) finish(t *rapid.T) {
	l, c := m.drawLease(t)
	ids := m.mine(l)
	if len(ids) == 0 {
		t.Skip("nothing in flight")
	}
	d := m.drawDone(t, c, ids[0])
	m.ok(m.s.Finish(m.ctx(), l, d))
	m.record(c, d)
	if err := m.s.Finish(m.ctx(), l, d); !errors.Is(err, post.ErrFenced) {
		m.t.Fatalf("finished twice: %v", err)
	}
}

func (m *model) release(t *rapid.T) {
	l, c := m.drawLease(t)
	m.ok(m.s.Release(m.ctx(), l))
	m.old = append(m.old, l)
	c.lease = nil
}

func (m *model) adopt(t *rapid.T) {
	l, c := m.drawLease(t)
	ds, err := m.s.Orphans(m.ctx(), l)
	m.ok(err)
	var got []post.ID
	for _, d := range ds {
		got = append(got, d.Post.ID)
	}
	slices.SortFunc(got, func(a, b post.ID) int { return slices.Compare(a[:], b[:]) })
	want := slices.DeleteFunc(m.flying(l.Connection), func(id post.ID) bool { return m.posts[id].epoch >= l.Epoch })
	if !slices.Equal(got, want) {
		m.t.Fatalf("orphans %v, want %v", got, want)
	}
	if len(got) == 0 {
		t.Skip("no orphan")
	}
	d := m.drawDone(t, c, got[0])
	if err := m.s.Finish(m.ctx(), l, d); !errors.Is(err, post.ErrFenced) {
		m.t.Fatalf("an orphan was finished as one's own: %v", err)
	}
	m.ok(m.s.Adopt(m.ctx(), l, d))
	m.record(c, d)
}

// stale tries everything with a lease that is over.
func (m *model) stale(t *rapid.T) {
	if len(m.old) == 0 {
		t.Skip("no old lease")
	}
	l := rapid.SampledFrom(m.old).Draw(t, "old lease")
	id := post.ID{}
	for _, at := range m.flying(l.Connection) {
		id = at
	}
	_, next := m.s.Next(m.ctx(), l, nil, 0)
	_, renew := m.s.Renew(m.ctx(), l, time.Hour)
	_, orphans := m.s.Orphans(m.ctx(), l)
	for what, err := range map[string]error{
		"next": next, "renew": renew, "orphans": orphans,
		"finish":     m.s.Finish(m.ctx(), l, *published(id)),
		"adopt":      m.s.Adopt(m.ctx(), l, *published(id)),
		"checkpoint": m.s.Checkpoint(m.ctx(), l, id, nil, []byte("x")),
		"release":    m.s.Release(m.ctx(), l),
	} {
		if !errors.Is(err, post.ErrFenced) {
			m.t.Fatalf("%s under a lease that is over: %v", what, err)
		}
	}
}

// drawTarget picks a group, or one of its posts.
func (m *model) drawTarget(t *rapid.T) (id post.ID, posts []*modelPost) {
	if len(m.groups) == 0 {
		t.Skip("no group")
	}
	id = rapid.SampledFrom(m.groups).Draw(t, "group")
	ids := m.of(id)
	if rapid.Bool().Draw(t, "one post") {
		id = rapid.SampledFrom(ids).Draw(t, "post")
		ids = []post.ID{id}
	}
	for _, id := range ids {
		posts = append(posts, m.posts[id])
	}
	return id, posts
}

func (m *model) of(group post.ID) []post.ID {
	var ids []post.ID
	for n := uint64(1); m.posts[group.Add(n)] != nil && m.posts[group.Add(n)].group == group; n++ {
		ids = append(ids, group.Add(n))
	}
	return ids
}

func (m *model) cancel(t *rapid.T) {
	id, posts := m.drawTarget(t)
	_, err := m.s.Cancel(m.ctx(), id, "me")
	m.change(err, posts, func(s post.Status) bool { return s.Editable() }, func(p *modelPost) { p.status = post.StatusCancelled })
}

// change does to the model's posts what the store did.
func (m *model) change(err error, posts []*modelPost, may func(post.Status) bool, do func(*modelPost)) {
	m.t.Helper()
	can := slices.ContainsFunc(posts, func(p *modelPost) bool { return may(p.status) })
	if !m.want(can, err) {
		return
	}
	for _, p := range posts {
		if may(p.status) {
			do(p)
		}
	}
}

func (m *model) drawTime(t *rapid.T) time.Time {
	return m.now().Add(time.Duration(rapid.IntRange(-1, 40*24).Draw(t, "hours")) * time.Hour)
}

func (m *model) reschedule(t *rapid.T) {
	id, posts := m.drawTarget(t)
	at := m.drawTime(t)
	g, err := m.s.Reschedule(m.ctx(), id, at, nil, "me")
	m.change(err, posts, func(s post.Status) bool { return s.Editable() }, func(p *modelPost) {})
	if err == nil {
		m.takeTimes(&g, at)
	}
}

func (m *model) drawGroupOf(t *rapid.T) (id post.ID, posts []*modelPost) {
	if len(m.groups) == 0 {
		t.Skip("no group")
	}
	id = rapid.SampledFrom(m.groups).Draw(t, "group")
	for _, p := range m.of(id) {
		posts = append(posts, m.posts[p])
	}
	return id, posts
}

func (m *model) arrange(t *rapid.T) {
	id, posts := m.drawGroupOf(t)
	at := m.drawTime(t)
	to := rapid.SampledFrom([]post.Status{post.StatusDraft, post.StatusScheduled}).Draw(t, "status")
	g, err := m.s.Arrange(m.ctx(), id, nil, to, at, nil, "me")
	waits := slices.ContainsFunc(posts, func(p *modelPost) bool { return p.status.Editable() })
	out := slices.ContainsFunc(posts, func(p *modelPost) bool { return !p.status.Editable() && p.status != post.StatusCancelled })
	if !m.want(waits && !out, err) {
		return
	}
	for _, p := range posts {
		if p.status.Editable() {
			p.status = to
		}
	}
	m.takeTimes(&g, at)
}

func (m *model) delete(t *rapid.T) {
	id, posts := m.drawGroupOf(t)
	_, err := m.s.Delete(m.ctx(), id, "me")
	if !m.want(!m.gone[id], err) {
		return
	}
	m.gone[id] = true
	for _, p := range posts {
		if p.status.Editable() {
			p.status = post.StatusCancelled
		}
		p.taken = p.status == post.StatusProcessing
	}
}

// takeTimes takes over the times that the store gave: those of a group keep
// their distances, which tests of their own pin.
func (m *model) takeTimes(g *post.Group, from time.Time) {
	for i := range g.Posts {
		p := &g.Posts[i]
		if w := m.posts[p.ID]; !w.due.Equal(p.DueAt) || !w.slot.Equal(p.SlotAt) {
			if p.DueAt.Before(from) {
				m.t.Fatalf("post %s was moved to %s, before %s", p.ID, p.DueAt, from)
			}
			w.due, w.slot = p.DueAt, p.SlotAt
		}
	}
}

func (m *model) approve(t *rapid.T) {
	id, posts := m.drawTarget(t)
	at := m.drawTime(t)
	g, err := m.s.Approve(m.ctx(), id, at, nil, "me")
	m.change(err, posts, func(s post.Status) bool { return s == post.StatusDraft }, func(p *modelPost) { p.status = post.StatusScheduled })
	if err == nil {
		m.takeTimes(&g, at)
	}
}

func (m *model) retry(t *rapid.T) {
	id, posts := m.drawTarget(t)
	g, err := m.s.Retry(m.ctx(), id, m.now(), "me")
	m.change(err, posts, func(s post.Status) bool { return s == post.StatusFailed }, func(p *modelPost) {
		p.status, p.attempts = post.StatusScheduled, 0
	})
	if err == nil {
		m.takeTimes(&g, m.now())
	}
}

func (m *model) resolve(t *rapid.T) {
	id, posts := m.drawTarget(t)
	sent := rapid.Bool().Draw(t, "sent")
	_, err := m.s.Resolve(m.ctx(), id, sent, post.Receipt{RemoteID: "x"}, "me")
	m.change(err, posts, func(s post.Status) bool { return s == post.StatusUnknown }, func(p *modelPost) {
		if p.status = post.StatusFailed; sent {
			p.status = post.StatusPublished
		}
	})
}

func (m *model) undo(t *rapid.T) {
	names := slices.Sorted(maps.Keys(m.files))
	if len(names) == 0 {
		t.Skip("no file")
	}
	imp := m.files[rapid.SampledFrom(names).Draw(t, "file")]
	cancelled, left, err := m.s.UndoImport(m.ctx(), imp, "me")
	m.ok(err)
	did, kept := 0, 0
	for id, p := range m.posts {
		if !sameMachine(id, imp) {
			continue
		}
		if p.status.Editable() {
			p.status = post.StatusCancelled
			did++
		}
		p.taken = p.status == post.StatusProcessing
		if p.status != post.StatusCancelled {
			kept++
		}
	}
	if cancelled != did || left != kept {
		m.t.Fatalf("undo: %d cancelled, %d left; want %d, %d", cancelled, left, did, kept)
	}
}

func (m *model) resume(t *rapid.T) {
	name := rapid.SampledFrom(modelConns).Draw(t, "connection")
	err := m.s.Resume(m.ctx(), acme, name, "me")
	if err != nil && !errors.Is(err, post.ErrNotFound) {
		m.t.Fatal(err)
	}
	m.conns[name].notBefore = time.Time{}
}

// compare checks what can be seen of the store against the model.
func (m *model) compare(*rapid.T) {
	totals := map[post.Status]int{}
	active := map[post.ConnectionID]int{}
	monthly := map[post.Month]map[post.ConnectionID]int{}
	for _, p := range m.posts {
		totals[p.status]++
		if p.status.Open() {
			active[p.conn]++
		}
		switch p.status {
		case post.StatusScheduled, post.StatusProcessing, post.StatusPublished, post.StatusUnknown:
			mo := post.MonthOf(p.slot)
			if monthly[mo] == nil {
				monthly[mo] = map[post.ConnectionID]int{}
			}
			monthly[mo][p.conn]++
		}
	}
	got, err := m.s.Totals(m.ctx())
	m.ok(err)
	maps.DeleteFunc(got, func(_ post.Status, n int) bool { return n == 0 })
	if !maps.Equal(got, totals) {
		m.t.Fatalf("totals %v, want %v", got, totals)
	}
	u, err := m.s.Usage(m.ctx(), acme)
	m.ok(err)
	if !maps.Equal(u.Active, active) || !maps.EqualFunc(u.Monthly, monthly, maps.Equal) {
		m.t.Fatalf("usage %v, want %v and %v", u, active, monthly)
	}
	taken := map[post.ConnectionID][]time.Time{}
	m.ok(m.s.Taken(m.ctx(), acme, time.Time{}, m.now().AddDate(1, 0, 0), func(c post.ConnectionID, due time.Time, _ bool) error {
		taken[c] = append(taken[c], due)
		return nil
	}))
	for _, c := range modelConns {
		var want []time.Time
		for _, id := range m.waits(c) {
			want = append(want, m.posts[id].due)
		}
		slices.SortFunc(taken[c], time.Time.Compare)
		if !slices.EqualFunc(taken[c], want, time.Time.Equal) {
			m.t.Fatalf("taken on %s: %v, want %v", c, taken[c], want)
		}
	}
	if gs, _, err := m.s.Groups(m.ctx(), post.Filter{}, "", len(m.groups)+1); err != nil || len(gs) != len(m.groups) {
		m.t.Fatalf("%d groups and %v, want %d", len(gs), err, len(m.groups))
	} else {
		for _, g := range gs {
			for i := range g.Posts {
				p, w := &g.Posts[i], m.posts[g.Posts[i].ID]
				if w == nil || p.Status != w.status || !p.DueAt.Equal(w.due) || p.Attempts != w.attempts {
					m.t.Fatalf("post %s is %s due %s after %d attempts, want %+v", p.ID, p.Status, p.DueAt, p.Attempts, w)
				}
			}
		}
	}
}
