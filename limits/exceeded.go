package limits

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/postroom/postroom/post"
)

// The codes of a LimitExceededError (CONTRACT §4.4).
const (
	CodePostLimit       = "POST_LIMIT_REACHED"
	CodeScheduledLimit  = "SCHEDULED_POST_LIMIT_REACHED"
	CodeHorizon         = "SCHEDULE_HORIZON_REACHED"
	CodePlatform        = "PLATFORM_NOT_AVAILABLE"
	CodeConnectionsOver = "CONNECTIONS_OVER_LIMIT"
)

// The metrics that are counted (CONTRACT §4.1).
const (
	MetricMonthly     = "posts.platform_monthly"
	MetricActive      = "posts.scheduled_active"
	MetricHorizon     = "posts.schedule_horizon_days"
	MetricConnections = "connections.total"
)

// scopeConnection marks a quota that is counted for each connection; the scope
// of an account is not named (CONTRACT §4.4).
const scopeConnection = "connection"

// A full quota is one count that has no room for what was asked.
type full struct {
	used    int                    // of the account
	blocked []post.BlockedPlatform // of a plan that counts for each connection
}

// monthlyReached is the refusal of n posts in a month.
func (p Plan) monthlyReached(month post.Month, n int, f full) *post.LimitExceeded {
	e := p.quotaReached(*p.Monthly, n, f)
	e.Title, e.Code, e.Metric = "Post limit reached", CodePostLimit, MetricMonthly
	e.Message = fmt.Sprintf("Monthly post limit reached. Your %s plan allows %d platform %s per month.", p.Name, *p.Monthly, plural("post", *p.Monthly))
	e.PeriodStart, e.PeriodEnd = new(month.Start()), new((month + 1).Start())
	return e
}

// activeReached is the refusal of n more waiting posts.
func (p Plan) activeReached(n int, f full) *post.LimitExceeded {
	e := p.quotaReached(*p.Active, n, f)
	e.Title, e.Code, e.Metric = "Scheduled post limit reached", CodeScheduledLimit, MetricActive
	e.Message = fmt.Sprintf("Scheduled post limit reached. Your %s plan allows %d scheduled platform %s at a time.", p.Name, *p.Active, plural("post", *p.Active))
	return e
}

// quotaReached fills in what both quotas share. Where connections count alone
// there is no one number used or remaining: the blocked connections carry them.
func (p Plan) quotaReached(limit, n int, f full) *post.LimitExceeded {
	e := &post.LimitExceeded{Limit: &limit, Requested: &n, PlanName: p.Name}
	if p.PerConnection {
		e.Scope, e.BlockedPlatforms = scopeConnection, f.blocked
		return e
	}
	e.Used, e.Remaining = new(f.used), new(max(0, limit-f.used))
	return e
}

func (p Plan) horizonReached(at, latest time.Time) *post.LimitExceeded {
	return &post.LimitExceeded{
		Title: "Schedule horizon reached", Code: CodeHorizon, Metric: MetricHorizon,
		Message: fmt.Sprintf("Schedule horizon reached. Your %s plan allows scheduling up to %d %s ahead.", p.Name, *p.HorizonDays, plural("day", *p.HorizonDays)),
		Limit:   new(*p.HorizonDays), PlanName: p.Name,
		ScheduledTime: new(at.UTC()), MaxScheduledDate: new(latest.UTC()),
	}
}

func (p Plan) notAvailable(refused []post.Platform) *post.LimitExceeded {
	e := &post.LimitExceeded{
		Title: "Platform not available", Code: CodePlatform, Metric: MetricMonthly, PlanName: p.Name,
		DisallowedPlatforms: refused,
	}
	var names []string
	for _, of := range refused {
		l, _ := PlatformByKey(of)
		names = append(names, l.Name)
	}
	e.Message = fmt.Sprintf("Platform not available. Your %s plan does not include %s.", p.Name, strings.Join(names, ", "))
	for _, l := range Platforms() {
		if !slices.Contains(p.Excluded, l.Platform) {
			e.AllowedPlatforms = append(e.AllowedPlatforms, l.Platform)
		}
	}
	return e
}

func (p Plan) connectionsOver(n int) *post.LimitExceeded {
	return &post.LimitExceeded{
		Title: "Account over channel limit", Code: CodeConnectionsOver, Metric: MetricConnections, PlanName: p.Name,
		Message: fmt.Sprintf("Account over channel limit. Your %s plan allows %d %s and %d are connected.", p.Name, *p.Connections, plural("connection", *p.Connections), n),
		Limit:   new(*p.Connections), Used: new(n), Remaining: new(0), OverLimitBy: new(n - *p.Connections),
	}
}

func plural(word string, n int) string {
	if n == 1 {
		return word
	}
	return word + "s"
}
