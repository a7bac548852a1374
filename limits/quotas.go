package limits

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/postroom/postroom/post"
)

// A QuotaLine says how full one quota is: a line of `usage`, a bar in a report.
type QuotaLine struct {
	Connection post.ConnectionID `json:"connection,omitempty"` // "" for the whole account
	Metric     string            `json:"metric"`               // MetricMonthly, MetricActive or MetricConnections
	Month      post.Month        `json:"-"`                    // of MetricMonthly, else 0
	Start      time.Time         `json:"month,omitzero"`       // of Month
	Used       int               `json:"used"`                 // with what was reserved
	Added      int               `json:"added"`                // how many of them were reserved: what a file brings
	Limit      *int              `json:"limit"`                // nil for none
}

// Label names the quota for people: "posts in March 2026, twitter-123456".
func (q QuotaLine) Label() string {
	var s string
	switch q.Metric {
	case MetricMonthly:
		s = "posts in " + q.Start.Format("January 2006")
	case MetricActive:
		s = "posts waiting"
	default:
		return "connections"
	}
	if q.Connection != "" {
		s += ", " + string(q.Connection)
	}
	return s
}

// Lines returns the quotas that the reservations touch: first the posts waiting,
// then month by month; the account's line, or those of its connections by name.
func (m *Meter) Lines() []QuotaLine {
	lines := m.lines(nil, QuotaLine{Metric: MetricActive, Limit: m.plan.Active}, &m.active, m.reserved(&m.active))
	for _, t := range m.byMonth() {
		lines = m.lines(lines, monthLine(t.month, m.plan.Monthly), &t.tally, m.reserved(&t.tally))
	}
	return lines
}

// Usage returns the quotas of an account that has these connections: those of
// Lines, as seen at now for all connections, from this month on.
func (m *Meter) Usage(conns []post.ConnectionID, now time.Time) []QuotaLine {
	var lines []QuotaLine
	if m.plan.Connections != nil {
		lines = append(lines, QuotaLine{Metric: MetricConnections, Used: len(conns), Limit: m.plan.Connections})
	}
	numbers := make([]int, len(conns))
	for i, c := range conns {
		numbers[i] = m.numberOf(c)
	}
	lines = m.lines(lines, QuotaLine{Metric: MetricActive, Limit: m.plan.Active}, &m.active, numbers)
	this := m.month(post.MonthOf(now)).month
	for _, t := range m.byMonth() {
		if t.month == this || t.month > this && t.all > 0 {
			lines = m.lines(lines, monthLine(t.month, m.plan.Monthly), &t.tally, numbers)
		}
	}
	return lines
}

// Caps returns what must still hold in the transaction that stores the
// reservations (P6): a cap for each limited count that they add to.
func (m *Meter) Caps() []post.Cap {
	var caps []post.Cap
	for _, q := range m.Lines() {
		if q.Limit != nil {
			caps = append(caps, post.Cap{Connection: q.Connection, Month: q.Month, Max: *q.Limit})
		}
	}
	return caps
}

// lines appends the line of a count, or one for each of the connections with
// these numbers where the plan counts them alone.
func (m *Meter) lines(to []QuotaLine, q QuotaLine, t *tally, numbers []int) []QuotaLine {
	if len(numbers) == 0 {
		return to
	}
	if !m.plan.PerConnection {
		q.Used, q.Added = t.all, t.added
		return append(to, q)
	}
	for _, i := range numbers {
		q.Connection, q.Used, q.Added = m.ids[i], t.used(i), 0
		if i < len(t.of) {
			q.Added = t.of[i].added
		}
		to = append(to, q)
	}
	return to
}

// reserved returns the numbers of the connections that have reservations, by
// their names.
func (m *Meter) reserved(t *tally) []int {
	var numbers []int
	for i := range t.of {
		if t.of[i].added > 0 {
			numbers = append(numbers, i)
		}
	}
	slices.SortFunc(numbers, func(a, b int) int { return cmp.Compare(m.ids[a], m.ids[b]) })
	return numbers
}

func (m *Meter) byMonth() []*monthTally {
	months := make([]*monthTally, 0, len(m.months))
	for _, t := range m.months {
		months = append(months, t)
	}
	slices.SortFunc(months, func(a, b *monthTally) int { return cmp.Compare(a.month, b.month) })
	return months
}

func monthLine(month post.Month, limit *int) QuotaLine {
	return QuotaLine{Metric: MetricMonthly, Month: month, Start: month.Start(), Limit: limit}
}

// Numbers says in a few words what a refusal counted: "twitter-123456 has 100 of
// 100 posts in March 2026", or "" where nothing is counted.
func Numbers(e *post.LimitExceeded) string {
	if e == nil || e.Limit == nil || e.Code != CodePostLimit && e.Code != CodeScheduledLimit {
		return ""
	}
	what := "posts waiting"
	if e.PeriodStart != nil {
		what = "posts in " + e.PeriodStart.UTC().Format("January 2006")
	}
	if e.Used != nil {
		return fmt.Sprintf("the account has %d of %d %s, and the row needs %d", *e.Used, *e.Limit, what, *e.Requested)
	}
	s := ""
	for i, b := range e.BlockedPlatforms {
		if i > 0 {
			s += "; "
		}
		s += fmt.Sprintf("%s has %d of %d %s", b.PlatformSelection, b.Used, *e.Limit, what)
	}
	return s
}
