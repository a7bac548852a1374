package limits

import (
	"slices"
	"strings"
	"time"

	"github.com/postroom/postroom/post"
)

// A Plan is what an account may do. A nil number is no limit.
//
// The unit of Monthly and Active is the platform post: a group for three
// connections counts three (CONTRACT §4.1). A custom plan is a copy of one from
// the table with fields changed.
type Plan struct {
	Key  string // "pro": as the config names it
	Name string // "Pro": as people and the API read it

	Monthly     *int // platform posts whose slot lies in one calendar month, in UTC
	Active      *int // platform posts that wait or are being sent at one time
	Connections *int // connected accounts
	HorizonDays *int // how many times 24 hours ahead a slot may lie

	PerConnection bool            // Monthly and Active count for each connection alone, not for the account
	Excluded      []post.Platform // may not be posted to at all

	API, MCP bool // may be used through the HTTP API, through MCP
}

// Plans returns the table, from the smallest to the largest. It is a copy: the
// caller may change it.
//
// The first three follow CONTRACT §4.1 (rate-limits.md and scheduling.md of the
// PostPost documentation, March 2026; prices and seats are no business of a
// self-hosted post room, so the paid plans have no limit on connections). The
// last is for those who need none (CONTRACT §4.3, recommendation).
func Plans() []Plan {
	return []Plan{
		{
			Key: "starter", Name: "Starter",
			Monthly: new(15), Active: new(3), Connections: new(3), HorizonDays: new(7),
			Excluded: []post.Platform{"twitter"},
		},
		{
			Key: "pro", Name: "Pro",
			Monthly: new(100), Active: new(100), PerConnection: true,
			API: true, MCP: true,
		},
		{
			Key: "premium", Name: "Premium",
			Monthly: new(500), Active: new(500), PerConnection: true,
			API: true, MCP: true,
		},
		{
			Key: "unlimited", Name: "Unlimited",
			API: true, MCP: true,
		},
	}
}

// PlanByKey returns the plan of the table with that key, in any case.
func PlanByKey(key string) (Plan, bool) {
	for _, p := range Plans() {
		if strings.EqualFold(p.Key, key) {
			return p, true
		}
	}
	return Plan{}, false
}

// Available returns nil when the plan allows the platforms of all conns, else
// PLATFORM_NOT_AVAILABLE. It is the one check that drafts must pass too.
func (p Plan) Available(conns []post.ConnectionID) *post.LimitExceeded {
	if len(p.Excluded) == 0 {
		return nil
	}
	var refused []post.Platform
	for _, c := range conns {
		if of := c.Platform(); slices.Contains(p.Excluded, of) && !slices.Contains(refused, of) {
			refused = append(refused, of)
		}
	}
	if refused == nil {
		return nil
	}
	return p.notAvailable(refused)
}

// Connected returns nil when an account may have n connections, else
// CONNECTIONS_OVER_LIMIT.
func (p Plan) Connected(n int) *post.LimitExceeded {
	if p.Connections == nil || n <= *p.Connections {
		return nil
	}
	return p.connectionsOver(n)
}

// Reaches returns nil when at lies within the horizon as seen from now, else
// SCHEDULE_HORIZON_REACHED. The last instant of the horizon is within it.
func (p Plan) Reaches(at, now time.Time) *post.LimitExceeded {
	if p.HorizonDays == nil || !at.After(p.horizon(now)) {
		return nil
	}
	return p.horizonReached(at, p.horizon(now))
}

// horizon returns the last instant that may be scheduled: days of 24 hours,
// whatever the clocks of a zone do (CONTRACT §4.2).
func (p Plan) horizon(now time.Time) time.Time {
	return now.Add(time.Duration(*p.HorizonDays) * 24 * time.Hour)
}

// Caps returns what must still hold in the transaction that adds one post at at
// on each of conns (P6).
func (p Plan) Caps(conns []post.ConnectionID, at time.Time) []post.Cap {
	m := NewMeter(p, post.Usage{})
	m.Reserve(conns, at)
	return m.Caps()
}
