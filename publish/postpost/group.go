package postpost

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
)

// group is a post there: one for each connection (CONTRACT §2.3).
type group struct {
	Posts []groupPost `json:"posts"`
}

type groupPost struct {
	Platform    string    `json:"platform"`
	Raw         string    `json:"platformId"` // without the platform
	Status      string    `json:"status"`
	URL         string    `json:"publishedUrl"`
	PublishedAt time.Time `json:"publishedAt"`
	Error       struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

func (g *groupPost) id() post.ConnectionID { return post.ConnectionID(g.Platform + "-" + g.Raw) }

// open counts the posts that are going out.
func (g *group) open() int {
	n := 0
	for i := range g.Posts {
		switch g.Posts[i].Status {
		case "draft", "published", "failed":
		default:
			n++
		}
	}
	return n
}

// ended reports whether nothing more will become of the group.
func (g *group) ended() bool { return len(g.published())+len(g.failed()) == len(g.Posts) }

func (g *group) published() []post.ConnectionID {
	var ids []post.ConnectionID
	for i := range g.Posts {
		if g.Posts[i].Status == "published" {
			ids = append(ids, g.Posts[i].id())
		}
	}
	return ids
}

func (g *group) failed() []*groupPost {
	var all []*groupPost
	for i := range g.Posts {
		if g.Posts[i].Status == "failed" {
			all = append(all, &g.Posts[i])
		}
	}
	return all
}

// refusals are the codes after which nothing is live (CONTRACT §6.2).
var refusals = map[string]post.Class{
	"PLATFORM_AUTH_EXPIRED":     post.ClassAuth,
	"RATE_LIMITED":              post.ClassRate,
	"INVALID_CONTENT":           post.ClassInvalid,
	"PLATFORM_VALIDATION_ERROR": post.ClassInvalid,
	"CONTENT_TOO_LARGE":         post.ClassLarge,
}

// refusal returns the class of a failure after which nothing is live. A thread that
// broke off is live in part.
func (g *groupPost) refusal() (post.Class, bool) {
	class, ok := refusals[g.Error.Code]
	return class, ok && !strings.Contains(strings.ToLower(g.Error.Message), "partially published")
}

// failure says what has failed where, of a group that has ended. It can be tried
// again where PostPost was throttled everywhere, and nothing is clear where one
// failure is not.
func (g *group) failure(c *publish.Client) *post.Failure {
	f := &post.Failure{Class: post.ClassRate, Sent: post.Refused}
	var said []string
	for _, failed := range g.failed() {
		class, clear := failed.refusal()
		switch {
		case !clear:
			f.Class, f.Sent = post.ClassUnknown, post.SentMaybe
		case f.Class == post.ClassRate:
			f.Class = class
		}
		said = append(said, string(failed.id())+": "+failed.Error.Message+" ("+failed.Error.Code+")")
	}
	if f.Class == post.ClassAuth {
		f.Scope = post.ScopeConnection
	}
	f.Message = c.Shown("PostPost could not publish to " + strings.Join(said, "; "))
	if n := len(g.published()); n > 0 {
		f.Message += "; it is live elsewhere"
	}
	return f
}

// group asks what has become of a group.
func (p *Publisher) group(ctx context.Context, id string) (*group, error) {
	g := &group{}
	a, err := p.call(ctx, http.MethodGet, "/get-post/"+url.PathEscape(id), nil, g)
	if err == nil && len(g.Posts) == 0 {
		err = p.client.Doubt(a, errors.New("the group has no posts"))
	}
	return g, err
}

// isMissing reports whether err says that there is no such group.
func isMissing(err error) bool {
	f, ok := errors.AsType[*post.Failure](err)
	return ok && f.Status == http.StatusNotFound
}

// call makes a call, with a body unless that is nil, and reads its answer, a
// success, into v. The error is a *post.Failure.
func (p *Publisher) call(ctx context.Context, method, path string, body, v any) (*publish.Answer, error) {
	r := publish.Request{Method: method, URL: p.api + path, Header: http.Header{"X-Api-Key": {p.config.Key()}}}
	if body != nil {
		if err := r.AsJSON(body); err != nil {
			return nil, err
		}
	}
	a, err := p.client.Do(ctx, r)
	if err != nil {
		return nil, err
	}
	if a.Status < 200 || a.Status > 299 {
		return a, p.refusal(a)
	}
	if err := a.Decode(v); err != nil {
		return a, p.client.Doubt(a, err)
	}
	return a, nil
}

// refusal classifies an answer. A 403 with a code is a limit of the plan, and not of
// the key (CONTRACT §4.4).
func (p *Publisher) refusal(a *publish.Answer) *post.Failure {
	f := p.client.Refusal(a)
	var said struct {
		Code    string `json:"code"`
		Message string `json:"message"`
		End     string `json:"periodEnd"`
	}
	if a.Status != http.StatusForbidden || a.Decode(&said) != nil || !planLimits[said.Code] {
		return f
	}
	f.Class, f.Scope = post.ClassInvalid, post.ScopePost
	if said.Message != "" {
		f.Message = p.client.Shown(said.Message)
	}
	f.Message = "the plan at PostPost: " + f.Message
	if end, err := time.Parse(time.RFC3339, said.End); err == nil {
		f.Message += " (until " + end.UTC().Format(time.DateOnly) + ")"
	}
	return f
}

var planLimits = map[string]bool{
	"POST_LIMIT_REACHED": true, "SCHEDULED_POST_LIMIT_REACHED": true, "SCHEDULE_HORIZON_REACHED": true,
	"PLATFORM_NOT_AVAILABLE": true, "CONNECTIONS_OVER_LIMIT": true,
}
