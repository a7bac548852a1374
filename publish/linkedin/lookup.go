package linkedin

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
)

const (
	clockSlack = 2 * time.Minute // a post may look this much older than its intent
	pageSize   = 50              // posts that are asked for
)

// Lookup lists what a page has posted and looks for a post that says the same. A
// member's posts cannot be read, and a first comment is not looked for: both stay
// undecided.
func (p *Publisher) Lookup(ctx context.Context, d post.Delivery) (post.Found, error) {
	author, err := p.authorURN(ctx)
	if err != nil {
		return post.Found{}, err
	}
	if !strings.HasPrefix(author, "urn:li:organization:") || d.Post.PartsLive() > 0 {
		return post.Found{State: post.Undecidable}, nil
	}
	var page struct {
		Elements []struct {
			ID          string `json:"id"`
			Commentary  string `json:"commentary"`
			PublishedAt int64  `json:"publishedAt"` // milliseconds
		} `json:"elements"`
	}
	query := url.Values{"q": {"author"}, "author": {author}, "count": {"50"}, "sortBy": {"CREATED"}}
	if _, err := p.get(ctx, p.request(http.MethodGet, "/rest/posts?"+query.Encode()), &page); err != nil {
		return post.Found{}, err
	}
	texts := p.texts(&d.Content)
	from, oldest := publish.Earliest(&d).Add(-clockSlack), time.Time{}
	for _, e := range page.Elements {
		at := time.UnixMilli(e.PublishedAt).UTC()
		oldest = at
		switch {
		case at.Before(from), publish.Bare(unescape(e.Commentary)) != publish.Bare(texts[0]), p.own.ByAnother(e.ID, d.Post.Key()):
			continue
		case publish.Bare(texts[0]) == "": // any other without words looks the same
			return post.Found{State: post.Undecidable}, nil
		}
		p.own.Add(e.ID, d.Post.Key())
		if len(texts) == 1 {
			return post.Found{State: post.Present, Receipt: post.Receipt{RemoteID: e.ID, URL: permalink(e.ID), PublishedAt: at, Found: true}}, nil
		}
		return post.Found{State: post.Absent, Parts: []post.Part{
			{Text: texts[0], RemoteID: e.ID, URL: permalink(e.ID)}, {Text: texts[1]}, // the comment was not begun
		}}, nil
	}
	if len(page.Elements) == pageSize && !oldest.Before(from) {
		return post.Found{State: post.Undecidable}, nil
	}
	return post.Found{State: post.Absent}, nil
}
