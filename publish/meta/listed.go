package meta

import (
	"context"
	"errors"
	"net/url"
	"time"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
)

// clockSlack is how much older than its intent a post may look.
const clockSlack = 2 * time.Minute

// FindListed looks among the newest posts on an edge for one that says text in a
// field, was made since from, and is not known to be another's. It returns the
// zero receipt when there is none.
func (g *Graph) FindListed(ctx context.Context, edge, field, key, text string, from time.Time) (post.Receipt, error) {
	var page struct {
		Data []map[string]any `json:"data"`
	}
	if _, err := g.Get(ctx, edge, url.Values{"fields": {"id,permalink,timestamp," + field}, "limit": {"25"}}, &page); err != nil {
		return post.Receipt{}, err
	}
	said := func(e map[string]any, name string) string { s, _ := e[name].(string); return s }
	for _, e := range page.Data {
		id, at := said(e, "id"), Time(said(e, "timestamp"))
		if id == "" || at.Before(from.Add(-clockSlack)) || publish.Bare(said(e, field)) != publish.Bare(text) || g.Own.ByAnother(id, key) {
			continue
		}
		return post.Receipt{RemoteID: id, URL: said(e, "permalink"), PublishedAt: at}, nil
	}
	return post.Receipt{}, nil
}

// Comment writes a comment below a post. again says that an earlier attempt may have
// written it.
func (g *Graph) Comment(ctx context.Context, id, text string, again bool) (post.Receipt, error) {
	var got struct {
		ID string `json:"id"`
	}
	a, err := g.Post(ctx, "/"+url.PathEscape(id)+"/comments", url.Values{"message": {text}}, &got)
	if err == nil {
		err = g.ID(a, got.ID)
	}
	if f, ok := errors.AsType[*post.Failure](err); ok && again && ErrorOf(a).Code == CodeDuplicate {
		f.Class, f.Sent, f.Copy = post.ClassServer, post.SentMaybe, true
	}
	if err != nil {
		return post.Receipt{}, err
	}
	return post.Receipt{RemoteID: got.ID, PublishedAt: a.At.UTC()}, nil
}

// LookComment says whether a comment is below a post. The post is ours and so is
// its first comment, so the same words are the same comment.
func (g *Graph) LookComment(ctx context.Context, id, text string) (post.Found, error) {
	var page struct {
		Data []struct {
			ID      string `json:"id"`
			Text    string `json:"text"`    // of Instagram
			Message string `json:"message"` // of Facebook
		} `json:"data"`
		Paging struct {
			Next string `json:"next"`
		} `json:"paging"`
	}
	fields := url.Values{"fields": {"id,message"}, "limit": {"100"}}
	if g.config.Driver == "instagram" {
		fields.Set("fields", "id,text")
	}
	if _, err := g.Get(ctx, "/"+url.PathEscape(id)+"/comments", fields, &page); err != nil {
		return post.Found{}, err
	}
	for _, c := range page.Data {
		if publish.Bare(c.Text+c.Message) == publish.Bare(text) {
			return post.Found{State: post.Present, Receipt: post.Receipt{RemoteID: c.ID, PublishedAt: g.Now().UTC(), Found: true}}, nil
		}
	}
	if page.Paging.Next != "" {
		return post.Found{State: post.Undecidable}, nil
	}
	return post.Found{State: post.Absent}, nil
}
