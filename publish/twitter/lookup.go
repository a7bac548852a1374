package twitter

import (
	"context"
	"fmt"
	"html"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
)

const (
	clockSlack = 2 * time.Minute // a post may look this much older than its intent
	pageSize   = 20              // posts asked for at a time: each costs
	maxPages   = 5               // beyond which a busy account is not searched
)

// timeline is a page of an account's own posts, newest first.
type timeline struct {
	Data []tweet `json:"data"`
	Meta struct {
		Next string `json:"next_token"`
	} `json:"meta"`
}

type tweet struct {
	ID          string    `json:"id"`
	Text        string    `json:"text"`
	CreatedAt   time.Time `json:"created_at"`
	Attachments struct {
		Media []string `json:"media_keys"`
	} `json:"attachments"`
	Referenced []struct {
		Type string `json:"type"`
		ID   string `json:"id"`
	} `json:"referenced_tweets"`
	Entities struct {
		URLs []struct {
			URL      string `json:"url"`
			Expanded string `json:"expanded_url"`
			Media    string `json:"media_key"` // of a link that stands for media
		} `json:"urls"`
	} `json:"entities"`
}

// Lookup searches the account's own timeline back to two minutes before d's first
// attempt for each part that is not known to be live: one that says the same, is
// an answer to the same post and has as many media.
//
// Absent means that the whole stretch was read. A timeline lags by some seconds;
// a part that is sent again too soon is refused by X as a duplicate.
func (p *Publisher) Lookup(ctx context.Context, d post.Delivery) (post.Found, error) {
	p.mu.Lock()
	me := p.me
	p.mu.Unlock()
	if me.ID == "" {
		var err error
		if me, err = p.whoAmI(ctx); err != nil {
			return post.Found{}, err
		}
	}
	tweets, all, err := p.since(ctx, me.ID, publish.Earliest(&d).Add(-clockSlack))
	if err != nil {
		return post.Found{}, err
	}
	text := publish.Compose(&d.Content, &p.rules.Limits)
	return publish.FindParts(ctx, &d, text, func(_ context.Context, at int, text string, before []post.Part) (post.Found, error) {
		parent, media := "", 0
		if at > 0 {
			parent = before[at-1].RemoteID
		} else {
			media = len(d.Content.Media)
		}
		for i := range tweets {
			t := &tweets[i]
			if t.parent() != parent || len(t.Attachments.Media) != media || publish.Bare(t.said()) != publish.Bare(text) || p.own.ByAnother(t.ID, d.Post.PartKey(at)) {
				continue
			}
			p.own.Add(t.ID, d.Post.PartKey(at))
			return post.Found{State: post.Present, Receipt: post.Receipt{
				RemoteID: t.ID, URL: p.permalink(t.ID), PublishedAt: t.CreatedAt.UTC(), Found: true,
			}}, nil
		}
		if !all {
			return post.Found{State: post.Undecidable}, nil
		}
		return post.Found{State: post.Absent}, nil
	})
}

// since reads the timeline back to an instant. all is false when there is more of
// it than is searched.
func (p *Publisher) since(ctx context.Context, id string, from time.Time) (tweets []tweet, all bool, err error) {
	query := url.Values{
		"max_results":  {fmt.Sprint(pageSize)},
		"start_time":   {from.UTC().Format(time.RFC3339)},
		"tweet.fields": {"created_at,entities,referenced_tweets,attachments"},
	}
	for range maxPages {
		var page timeline
		if _, err := p.get(ctx, "/2/users/"+url.PathEscape(id)+"/tweets?"+query.Encode(), &page); err != nil {
			return nil, false, err
		}
		tweets = append(tweets, page.Data...)
		if page.Meta.Next == "" {
			slices.Reverse(tweets) // of two equal ones, the older is taken first
			return tweets, true, nil
		}
		query.Set("pagination_token", page.Meta.Next)
	}
	return tweets, false, nil
}

// parent is the id of the post that t answers, "" when it answers none.
func (t *tweet) parent() string {
	for _, r := range t.Referenced {
		if r.Type == "replied_to" {
			return r.ID
		}
	}
	return ""
}

// said is the text as it was written: links are shown in full, and the link that
// stands for media is taken off.
func (t *tweet) said() string {
	text := t.Text
	for _, u := range t.Entities.URLs {
		full := u.Expanded
		if u.Media != "" {
			full = ""
		}
		text = strings.ReplaceAll(text, u.URL, full)
	}
	return html.UnescapeString(text)
}
