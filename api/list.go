package api

import (
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/postroom/postroom/post"
)

// listedBody answers list-posts (CONTRACT §2.5).
type listedBody struct {
	Success    bool          `json:"success"`
	Posts      []listedGroup `json:"posts"`
	Pagination pagination    `json:"pagination"`
}

type listedGroup struct {
	PostGroupID   post.ID      `json:"postGroupId"`
	Content       string       `json:"content"`
	Status        string       `json:"status"`
	ScheduledTime stamp        `json:"scheduledTime,omitzero"`
	CreatedAt     stamp        `json:"createdAt"`
	UpdatedAt     stamp        `json:"updatedAt"`
	Platforms     []listedPost `json:"platforms"`
	MediaURLs     []string     `json:"mediaUrls"`
}

type listedPost struct {
	PlatformID post.ConnectionID `json:"platformId"`
	Platform   post.Platform     `json:"platform"`
	Status     string            `json:"status"`
}

type pagination struct {
	Page        int  `json:"page"`
	Limit       int  `json:"limit"`
	TotalItems  int  `json:"totalItems"`
	TotalPages  int  `json:"totalPages"`
	HasNextPage bool `json:"hasNextPage"`
	HasPrevPage bool `json:"hasPrevPage"`
}

const (
	defaultLimit = 20
	mostLimit    = 100
	mostPage     = 1 << 30
)

// listPosts pages through the account's groups.
func (a *API) listPosts(c *call) (any, error) {
	p := c.params()
	page := max(1, p.number("page", 1))
	limit := p.number("limit", defaultLimit)
	if limit == 0 {
		limit = defaultLimit
	}
	limit = min(max(limit, 1), mostLimit)
	q, err := c.selection(p.text)
	if err != nil {
		return nil, err
	}
	switch by := p.text("sortBy"); by {
	case "", "createdAt":
	case "updatedAt":
		q.By = post.ByUpdate
	case "scheduledTime":
		q.By = post.BySlot
	default:
		return nil, errBadRequest("Invalid sortBy. Must be one of: createdAt, updatedAt, scheduledTime")
	}
	q.Upward = p.text("sortOrder") == "asc"
	q.Offset, q.Limit = (page-1)*limit, limit
	ids, total, err := a.Store.List(c.Context(), q)
	if err != nil {
		return nil, err
	}
	groups, err := a.Store.GroupsByID(c.Context(), ids)
	if err != nil {
		return nil, err
	}
	body := listedBody{Success: true, Posts: make([]listedGroup, len(groups))}
	for i := range groups {
		body.Posts[i] = showListed(&groups[i])
	}
	pages := (total + limit - 1) / limit
	body.Pagination = pagination{page, limit, total, pages, page < pages, page > 1}
	return body, nil
}

// selection reads which groups are meant, in the contract's words: of list-posts, and
// of the bulk calls. get returns what is said of a name, "" for nothing.
func (c *call) selection(get func(name string) string) (post.Query, error) {
	q := post.Query{Account: c.account.ID}
	switch s := get("status"); s {
	case "":
	case "draft", "scheduled", "published", "failed", "partially_published":
		q.Status, _ = post.ParseStatus(s) // it is one of them
	default:
		return q, errBadRequest("Invalid status. Must be one of: draft, scheduled, published, failed, partially_published")
	}
	c.onPlatform(&q, get("platform"))
	for _, bound := range []struct {
		name string
		at   *time.Time
	}{{"fromDate", &q.From}, {"toDate", &q.To}} {
		s := get(bound.name)
		if s == "" {
			continue
		}
		at, ok := parseBound(s)
		if !ok {
			return q, errBadRequest("Invalid " + bound.name + " format")
		}
		*bound.at = at
	}
	return q, nil
}

// onPlatform selects by a platform's name in any case, which is not checked: an
// unknown one selects nothing. A whole id of a connection selects its posts; for
// the original it selects nothing.
func (c *call) onPlatform(q *post.Query, name string) {
	switch {
	case name == "":
	case !strings.Contains(name, "-"):
		q.Platform = post.Platform(strings.ToLower(name))
	case c.set.StrictCompat:
		q.Platform = post.Platform(name) // a platform's name has no dash
	default:
		q.On = post.ConnectionID(name)
	}
}

func showListed(g *post.Group) listedGroup {
	out := listedGroup{
		PostGroupID: g.ID, Content: g.Text, Status: publicStatus(g), ScheduledTime: stamp(g.Slot()),
		CreatedAt: stamp(g.CreatedAt), UpdatedAt: stamp(g.UpdatedAt), Platforms: make([]listedPost, len(g.Posts)), MediaURLs: []string{},
	}
	for i := range g.Posts {
		p := &g.Posts[i]
		out.Platforms[i] = listedPost{p.Connection, p.Connection.Platform(), publicPostStatus(p.Status)}
	}
	for i := range g.Media {
		if m := &g.Media[i]; webURL(m) != "" && !m.Pending() {
			out.MediaURLs = append(out.MediaURLs, m.URL)
		}
	}
	return out
}

// params are the values of a query string; of a name that comes twice the first
// counts.
type params map[string]string

// paramsOf reads a query string as the original does: what is no escape stays as it
// is, and a semicolon parts nothing. net/url leaves such a value out, and a list
// would then be of more than was asked for.
func paramsOf(u *url.URL) params {
	p := params{}
	for pair := range strings.SplitSeq(u.RawQuery, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if name = unescaped(name); p[name] == "" {
			p[name] = unescaped(value)
		}
	}
	return p
}

func unescaped(s string) string {
	if plain, err := url.QueryUnescape(s); err == nil {
		return plain
	}
	return s
}

func (c *call) params() params { return paramsOf(c.URL) }

func (p params) text(name string) string { return p[name] }

// leadingNumber is what JavaScript's parseInt takes of a text.
var leadingNumber = regexp.MustCompile(`^\s*[+-]?[0-9]+`)

// number reads a whole number as the original does; what is none is otherwise.
func (p params) number(name string, otherwise int) int {
	n, err := strconv.Atoi(strings.TrimSpace(leadingNumber.FindString(p.text(name))))
	switch {
	case n > mostPage: // also when it is out of range
		return mostPage
	case err != nil:
		return otherwise
	}
	return n
}
