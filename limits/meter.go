package limits

import (
	"time"

	"github.com/postroom/postroom/post"
)

// A Meter counts posts against a plan: what is used already, and what has been
// reserved since. It answers whether one more group fits, and afterwards under
// which caps the reservations may be stored. It is not safe for use by several
// goroutines at once.
type Meter struct {
	// Across is how much later each further connection of a group is posted to:
	// connection i counts in the month of at + i × Across.
	Across time.Duration

	// Connected is how many connections the account has, for the plan's limit on
	// them; 0 leaves it unchecked.
	Connected int

	plan   Plan
	number map[post.ConnectionID]int
	ids    []post.ConnectionID // by number
	active tally
	months map[post.Month]*monthTally
	last   *monthTally // of months, the one asked for last: neighbours mostly share it
}

// NewMeter starts from what is used. It keeps nothing of u.
func NewMeter(p Plan, u post.Usage) *Meter {
	m := &Meter{plan: p, number: map[post.ConnectionID]int{}, months: map[post.Month]*monthTally{}}
	for c, n := range u.Active {
		m.active.add(m.numberOf(c), n)
	}
	for month, of := range u.Monthly {
		t := m.month(month)
		for c, n := range of {
			t.add(m.numberOf(c), n)
		}
	}
	return m
}

// Fits reports whether Check would return nil.
func (m *Meter) Fits(conns []post.ConnectionID, at, now time.Time) bool {
	return m.refusal(conns, at, now) == ""
}

// Check returns nil when the plan has room for a group on conns at at, as seen
// from now, else the first of the contract's refusals in its order (CONTRACT
// §4.3): platform, connections, month, waiting posts, horizon. It reserves
// nothing.
//
// To move a group, Cancel its old time first, and Reserve that again when the
// new one is refused: a group's own posts never stand in its way.
func (m *Meter) Check(conns []post.ConnectionID, at, now time.Time) *post.LimitExceeded {
	p := &m.plan
	switch m.refusal(conns, at, now) {
	case CodePlatform:
		return p.Available(conns)
	case CodeConnectionsOver:
		return p.Connected(m.Connected)
	case CodePostLimit:
		t, within := m.fullMonth(conns, at)
		return p.monthlyReached(t.month, len(conns), m.count(&t.tally, within, *p.Monthly))
	case CodeScheduledLimit:
		return p.activeReached(len(conns), m.count(&m.active, conns, *p.Active))
	case CodeHorizon:
		return p.Reaches(m.latest(conns, at), now)
	}
	return nil
}

// Reserve counts a group on conns at at, whether it fits or not.
func (m *Meter) Reserve(conns []post.ConnectionID, at time.Time) { m.reserve(conns, at, 1) }

// ReserveMany counts n groups on conns, all in the months of one at at.
func (m *Meter) ReserveMany(conns []post.ConnectionID, at time.Time, n int) { m.reserve(conns, at, n) }

// Cancel takes a reservation back.
func (m *Meter) Cancel(conns []post.ConnectionID, at time.Time) { m.reserve(conns, at, -1) }

func (m *Meter) reserve(conns []post.ConnectionID, at time.Time, n int) {
	for len(conns) > 0 {
		t, within := m.stretch(conns, at)
		for _, c := range conns[:within] {
			i := m.numberOf(c)
			t.reserve(i, n)
			m.active.reserve(i, n)
		}
		conns, at = conns[within:], at.Add(time.Duration(within)*m.Across)
	}
}

// refusal returns the code of the first check that says no, or "".
func (m *Meter) refusal(conns []post.ConnectionID, at, now time.Time) string {
	p := &m.plan
	if p.Available(conns) != nil {
		return CodePlatform
	}
	if m.Connected > 0 && p.Connected(m.Connected) != nil {
		return CodeConnectionsOver
	}
	if p.Monthly != nil {
		if t, _ := m.fullMonth(conns, at); t != nil {
			return CodePostLimit
		}
	}
	if p.Active != nil && !m.fits(&m.active, conns, *p.Active) {
		return CodeScheduledLimit
	}
	if p.HorizonDays != nil && m.latest(conns, at).After(p.horizon(now)) {
		return CodeHorizon
	}
	return ""
}

// fullMonth returns the first month that has no room for its part of the group,
// and that part, or nil.
func (m *Meter) fullMonth(conns []post.ConnectionID, at time.Time) (*monthTally, []post.ConnectionID) {
	for len(conns) > 0 {
		t, n := m.stretch(conns, at)
		if !m.fits(&t.tally, conns[:n], *m.plan.Monthly) {
			return t, conns[:n]
		}
		conns, at = conns[n:], at.Add(time.Duration(n)*m.Across)
	}
	return nil, nil
}

// stretch returns how many of conns, from the first, are posted to in the month
// of at, and that month.
func (m *Meter) stretch(conns []post.ConnectionID, at time.Time) (t *monthTally, n int) {
	if t = m.last; t == nil || !t.holds(at) {
		t = m.month(post.MonthOf(at))
		m.last = t
	}
	if m.Across == 0 {
		return t, len(conns)
	}
	for n = 1; n < len(conns) && t.holds(at.Add(time.Duration(n)*m.Across)); n++ {
	}
	return t, n
}

// latest returns when the last post of a group goes out.
func (m *Meter) latest(conns []post.ConnectionID, at time.Time) time.Time {
	return at.Add(time.Duration(max(0, len(conns)-1)) * m.Across)
}

// fits reports whether a count has room for one more post on each of conns.
func (m *Meter) fits(t *tally, conns []post.ConnectionID, limit int) bool {
	if !m.plan.PerConnection {
		return t.all+len(conns) <= limit
	}
	for _, c := range conns {
		if t.used(m.numberOf(c)) >= limit {
			return false
		}
	}
	return true
}

// count says how full a count is, for a refusal.
func (m *Meter) count(t *tally, conns []post.ConnectionID, limit int) full {
	f := full{used: t.all}
	for _, c := range conns {
		if used := t.used(m.numberOf(c)); used >= limit {
			f.blocked = append(f.blocked, post.BlockedPlatform{PlatformSelection: c, Used: used, Remaining: 0})
		}
	}
	return f
}

func (m *Meter) numberOf(c post.ConnectionID) int {
	n, ok := m.number[c]
	if !ok {
		n = len(m.ids)
		m.number[c] = n
		m.ids = append(m.ids, c)
	}
	return n
}

func (m *Meter) month(month post.Month) *monthTally {
	t := m.months[month]
	if t == nil {
		t = &monthTally{month: month, from: month.Start().Unix(), to: (month + 1).Start().Unix()}
		m.months[month] = t
	}
	return t
}

// A tally is one count: the posts of the account and of each of its connections.
type tally struct {
	all   int
	added int   // how many of all were reserved
	of    []use // by connection number; those past its end have none
}

type use struct{ all, added int }

// used returns the posts of one connection.
func (t *tally) used(i int) int {
	if i < len(t.of) {
		return t.of[i].all
	}
	return 0
}

func (t *tally) add(i, n int) {
	for len(t.of) <= i {
		t.of = append(t.of, use{})
	}
	t.all += n
	t.of[i].all += n
}

func (t *tally) reserve(i, n int) {
	t.add(i, n)
	t.added += n
	t.of[i].added += n
}

// A monthTally is the count of one calendar month.
type monthTally struct {
	tally
	month    post.Month
	from, to int64 // Unix seconds; to is exclusive
}

func (t *monthTally) holds(at time.Time) bool {
	s := at.Unix()
	return t.from <= s && s < t.to
}
