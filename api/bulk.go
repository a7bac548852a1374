package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
)

// bulkBody answers a change of many groups. Matched is how many were meant,
// Changed how many were, or would be, changed.
type bulkBody struct {
	Success bool         `json:"success"`
	DryRun  bool         `json:"dryRun"`
	Matched int          `json:"matched"`
	Changed int          `json:"changed"`
	Failed  int          `json:"failed"`
	Results []bulkResult `json:"results"`
}

type bulkResult struct {
	PostGroupID   post.ID `json:"postGroupId"`
	OK            bool    `json:"ok"`
	Status        string  `json:"status,omitempty"`
	ScheduledTime stamp   `json:"scheduledTime,omitzero"`
	Error         string  `json:"error,omitempty"`
	Code          string  `json:"code,omitempty"`
}

// mostBulk is how many groups one request may change.
const mostBulk = 1000

// bulkWait is how long the changes of one request may take until they are answered.
const bulkWait = 10 * time.Minute

// meant reads which groups a bulk request means, by ids or by a filter of the
// names of list-posts, in the order of their times.
//
// A filter that says nothing, or not what it seems to, would mean more posts than
// its sender thinks: a value that is no text is refused, and so is an empty one.
func (c *call) meant(f fields, only post.Status) ([]post.Group, error) {
	var filter fields
	switch {
	case f.absent("ids") == f.absent("filter"):
		return nil, errMeant
	case !f.absent("ids"):
		return c.meantByID(f["ids"])
	case json.Unmarshal(f["filter"], &filter) != nil:
		return nil, errMeant
	}
	for _, name := range slices.Sorted(maps.Keys(filter)) {
		switch name {
		case "status", "platform", "fromDate", "toDate":
		default:
			return nil, errBadRequest("Unknown filter: " + name + ". Must be one of: status, platform, fromDate, toDate")
		}
		if s, _ := filter.text(name); s == "" {
			return nil, errBadRequest("Invalid filter: " + name + " must be a text that is not empty")
		}
	}
	q, err := c.selection(func(name string) string { s, _ := filter.text(name); return s })
	if err != nil {
		return nil, err
	}
	if only != 0 {
		if q.Status != 0 && q.Status != only {
			return nil, errBadRequest("Invalid status. Must be: " + only.String())
		}
		q.Status = only
	}
	q.By, q.Upward, q.Limit = post.BySlot, true, mostBulk+1
	ids, _, err := c.api.Store.List(c.Context(), q)
	if err != nil {
		return nil, err
	}
	if len(ids) > mostBulk {
		return nil, errTooMany
	}
	return c.api.Store.GroupsByID(c.Context(), ids)
}

var errMeant = &Error{Status: http.StatusBadRequest, Text: "Either ids or filter must be provided", Code: "INVALID_REQUEST", Message: `Either ids or filter must be provided, and not both: "filter":{} means all`}

var errTooMany = &Error{Status: http.StatusBadRequest, Text: fmt.Sprintf("At most %d posts can be changed at once", mostBulk), Code: "TOO_MANY_POSTS", Message: fmt.Sprintf("At most %d posts can be changed at once: narrow the filter with fromDate and toDate", mostBulk)}

func (c *call) meantByID(v json.RawMessage) ([]post.Group, error) {
	var texts []string
	if json.Unmarshal(v, &texts) != nil {
		return nil, errBadRequest("ids must be an array of strings")
	}
	if len(texts) > mostBulk {
		return nil, errTooMany
	}
	groups := make([]post.Group, 0, len(texts))
	for _, s := range unique(texts) {
		id, err := post.ParseID(s)
		if err != nil {
			return nil, errNotFound(textNoGroup + ": " + s)
		}
		g, err := c.group(id)
		if e, ok := errors.AsType[*Error](err); ok {
			e.Text += ": " + s
		}
		if err != nil {
			return nil, err
		}
		groups = append(groups, g)
	}
	return groups, nil
}

// dry reports whether a request only asks what it would do: in its body, behind its
// path, or both. dryRun, as answers spell it, is taken for dry_run.
func (c *call) dry(f fields) (bool, error) {
	said := []string{}
	for _, name := range []string{"dry_run", "dryRun"} {
		in, ok := f.text(name)
		if !ok {
			in = string(f[name])
		}
		said = append(said, in, c.params().text(name))
	}
	dry := false
	for _, s := range said {
		switch strings.ToLower(s) {
		case "", "null", "0", "false", "no":
		case "1", "true", "yes":
			dry = true
		default: // it may be meant as a yes
			return false, errBadRequest("Invalid dry_run. Must be true or false")
		}
	}
	return dry, nil
}

// minutes reads a whole number of minutes.
func (f fields) minutes(name string, least int) (time.Duration, bool, error) {
	v, ok := f[name]
	if !ok || string(v) == "null" {
		return 0, false, nil
	}
	var n int
	const most = 366 * 24 * 60
	if json.Unmarshal(v, &n) != nil || n < least || n > most {
		return 0, false, errBadRequest(fmt.Sprintf("%s must be a whole number of minutes from %d to %d", name, least, most))
	}
	return time.Duration(n) * time.Minute, true, nil
}

// each changes groups one by one; one that cannot be changed does not stop the
// others.
func (c *call) each(dry bool, groups []post.Group, change func(i int, g *post.Group) (bulkResult, error)) (bulkBody, error) {
	// Each change is on disk before the next one, and on a slow one all of them may take
	// longer than what the server allows for other requests. Whoever gets no answer asks
	// again, and a shift is then made twice.
	allowAnswer(c.w, bulkWait)
	body := bulkBody{Success: true, DryRun: dry, Matched: len(groups), Results: make([]bulkResult, 0, len(groups))}
	for i := range groups {
		if err := c.Context().Err(); err != nil {
			return body, err
		}
		r, err := change(i, &groups[i])
		r.PostGroupID, r.OK = groups[i].ID, err == nil
		limit, refused := errors.AsType[*post.LimitExceeded](err)
		e, ours := errors.AsType[*Error](err)
		switch {
		case err == nil:
			body.Changed++
		case refused:
			r.Error, r.Code = limit.Title, limit.Code
		case ours:
			r.Error, r.Code = e.Text, e.Code
		default:
			return body, err
		}
		if err != nil {
			body.Failed++
			r.Status, r.ScheduledTime = publicStatus(&groups[i]), stamp(groups[i].Slot())
		}
		body.Results = append(body.Results, r)
	}
	return body, nil
}

// move moves a group, or says where it would go.
func (c *call) move(g *post.Group, dry bool, want wanted) (bulkResult, error) {
	within := func(g *post.Group) (to post.Status, at time.Time, err error) {
		if to, at, err = want(g); err == nil && at.After(farthest) {
			err = badTime("want a time before the year 10000")
		}
		return to, at, err
	}
	if !dry {
		if err := c.arrange(g, nil, within); err != nil {
			return bulkResult{}, err
		}
		return bulkResult{Status: publicStatus(g), ScheduledTime: stamp(g.Slot())}, nil
	}
	to, at, err := within(g)
	if err != nil {
		return bulkResult{}, err
	}
	if locked := lockedAs(g); locked != "" {
		return bulkResult{}, errLocked(locked)
	}
	err = c.place(g, to, at, func(free time.Time, _ []post.Cap) error {
		at = free
		return nil
	})
	return bulkResult{Status: to.String(), ScheduledTime: stamp(at)}, err
}

// bulkReschedule moves groups by shiftMinutes each, or one after another from
// startTime on, intervalMinutes apart.
func (a *API) bulkReschedule(c *call) (any, error) {
	f, err := c.fields()
	if err != nil {
		return nil, err
	}
	shift, shifts, err := f.minutes("shiftMinutes", -366*24*60)
	if err != nil {
		return nil, err
	}
	from, gap, err := f.series("intervalMinutes", 120*time.Minute)
	if err != nil {
		return nil, err
	}
	if shifts == !from.IsZero() {
		return nil, errBadRequest("Either shiftMinutes or startTime must be provided")
	}
	dry, err := c.dry(f)
	if err != nil {
		return nil, err
	}
	groups, err := c.meant(f, 0)
	if err != nil {
		return nil, err
	}
	return c.each(dry, groups, func(i int, g *post.Group) (bulkResult, error) {
		return c.move(g, dry, func(g *post.Group) (post.Status, time.Time, error) {
			switch {
			case !shifts:
				return g.Status(), from.Add(time.Duration(i) * gap), nil
			case g.ScheduledAt.IsZero():
				return 0, time.Time{}, &Error{Text: "The post has no time to shift", Code: "NO_TIME"}
			}
			return g.Status(), g.Slot().Add(shift), nil
		})
	})
}

// series reads startTime and how far apart what follows it lies.
func (f fields) series(interval string, usual time.Duration) (from time.Time, gap time.Duration, err error) {
	gap, given, err := f.minutes(interval, 0)
	if err != nil {
		return from, 0, err
	}
	if !given {
		gap = usual
	}
	from, err = fields{"scheduledTime": f["startTime"]}.when()
	if err != nil {
		return from, 0, errBadRequest("Invalid startTime format")
	}
	return from, gap, nil
}

// bulkScheduleDrafts schedules drafts, oldest first: each at its own time, or from
// startTime on, intervalMinutes apart.
func (a *API) bulkScheduleDrafts(c *call) (any, error) {
	f, err := c.fields()
	if err != nil {
		return nil, err
	}
	from, gap, err := f.series("intervalMinutes", 60*time.Minute)
	if err != nil {
		return nil, err
	}
	dry, err := c.dry(f)
	if err != nil {
		return nil, err
	}
	groups, err := c.meant(f, post.StatusDraft)
	if err != nil {
		return nil, err
	}
	return c.each(dry, groups, func(i int, g *post.Group) (bulkResult, error) {
		return c.move(g, dry, func(g *post.Group) (post.Status, time.Time, error) {
			at := g.Slot()
			if !from.IsZero() {
				at = from.Add(time.Duration(i) * gap)
			}
			switch {
			case g.Status() != post.StatusDraft:
				return 0, at, &Error{Text: "The post is no draft", Code: "NOT_A_DRAFT"}
			case at.IsZero():
				return 0, at, &Error{Text: "The post has no time: give startTime", Code: "NO_TIME"}
			}
			return post.StatusScheduled, at, nil
		})
	})
}

// bulkDelete deletes groups, exactly those that are meant.
func (a *API) bulkDelete(c *call) (any, error) {
	f, err := c.fields()
	if err != nil {
		return nil, err
	}
	dry, err := c.dry(f)
	if err != nil {
		return nil, err
	}
	groups, err := c.meant(f, 0)
	if err != nil {
		return nil, err
	}
	return c.each(dry, groups, func(_ int, g *post.Group) (bulkResult, error) {
		if dry {
			return bulkResult{}, nil
		}
		_, err := a.Store.Delete(c.Context(), g.ID, c.who())
		if errors.Is(err, post.ErrState) || errors.Is(err, post.ErrNotFound) {
			err = errNotFound(textNoGroup)
		}
		return bulkResult{}, err
	})
}

// validatedBody answers validate-post.
type validatedBody struct {
	Success    bool       `json:"success"`
	Validation validation `json:"validation"`
}

// validatePost says what would become of a body of create-post, or of the post that
// postGroupId names, with its media, and stores nothing.
func (a *API) validatePost(c *call) (any, error) {
	f, err := c.fields()
	if err != nil {
		return nil, err
	}
	if !f.absent("postGroupId") {
		of, _ := f.text("postGroupId")
		id, err := post.ParseID(of)
		if err != nil {
			return nil, errNotFound(textNoGroup)
		}
		g, err := c.group(id)
		if err != nil {
			return nil, err
		}
		return validatedBody{true, c.validate(&g)}, nil
	}
	g, err := c.newGroup(f)
	if err != nil {
		return nil, err
	}
	conns := make([]post.ConnectionID, len(g.Posts))
	for i := range g.Posts {
		conns[i] = g.Posts[i].Connection
	}
	if !g.ScheduledAt.IsZero() {
		if err := c.withRoom(conns, g.ScheduledAt, nil, func([]post.Cap) error { return nil }); err != nil {
			return nil, err
		}
	}
	return validatedBody{true, c.validate(&g)}, nil
}

// limitsBody answers limits: the account's plan, and how much of it is used. A
// null limit is none.
type limitsBody struct {
	Success bool        `json:"success"`
	UserID  post.ID     `json:"userId"`
	Plan    shownPlan   `json:"plan"`
	Usage   []usageLine `json:"usage"`
}

type shownPlan struct {
	Key                 string          `json:"key"`
	Name                string          `json:"name"`
	MonthlyPosts        *int            `json:"monthlyPosts"`
	ScheduledPosts      *int            `json:"scheduledPosts"`
	Connections         *int            `json:"connections"`
	ScheduleHorizonDays *int            `json:"scheduleHorizonDays"`
	PerConnection       bool            `json:"perConnection"`
	ExcludedPlatforms   []post.Platform `json:"excludedPlatforms"`
	APIAccess           bool            `json:"apiAccess"`
	MCPAccess           bool            `json:"mcpAccess"`
}

type usageLine struct {
	Metric      string            `json:"metric"`
	PlatformID  post.ConnectionID `json:"platformId,omitempty"`
	PeriodStart stamp             `json:"periodStart,omitzero"`
	Used        int               `json:"used"`
	Limit       *int              `json:"limit"`
	Remaining   *int              `json:"remaining"`
}

func (a *API) showLimits(c *call) (any, error) {
	used, err := a.Store.Usage(c.Context(), c.account.ID)
	if err != nil {
		return nil, err
	}
	p := c.account.Plan
	body := limitsBody{Success: true, UserID: UserID(c.account.ID), Usage: []usageLine{}, Plan: shownPlan{
		p.Key, p.Name, p.Monthly, p.Active, p.Connections, p.HorizonDays, p.PerConnection, append([]post.Platform{}, p.Excluded...), p.API, p.MCP,
	}}
	ids := make([]post.ConnectionID, len(c.account.Connections))
	for i := range ids {
		ids[i] = c.account.Connections[i].ID
	}
	for _, q := range limits.NewMeter(p, used).Usage(ids, c.now) {
		line := usageLine{Metric: q.Metric, PlatformID: q.Connection, PeriodStart: stamp(q.Start), Used: q.Used, Limit: q.Limit}
		if q.Limit != nil {
			line.Remaining = new(max(0, *q.Limit-q.Used))
		}
		body.Usage = append(body.Usage, line)
	}
	return body, nil
}
