package pinterest

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
)

const (
	clockSlack = 2 * time.Minute // a pin may look this much older than its intent
	pageSize   = 50              // pins that are asked for
)

// remotePin is what is read of a pin.
type remotePin struct {
	ID          string `json:"id"`
	Board       string `json:"board_id"`
	Title       string `json:"title"`
	Description string `json:"description"`
	Link        string `json:"link"`
	Created     string `json:"created_at"`
}

// Lookup asks for the account's newest pins and looks for one on d's board that says
// the same. One that only leads elsewhere may be ours with its link rewritten: that
// decides nothing, and neither does a list that does not reach back far enough.
func (p *Publisher) Lookup(ctx context.Context, d post.Delivery) (post.Found, error) {
	s, err := settingsOf(&d.Content)
	if err != nil {
		return post.Found{State: post.Undecidable}, nil
	}
	board, err := p.boardOf(ctx, &s)
	if err != nil {
		return post.Found{}, err
	}
	var page struct {
		Items    []remotePin `json:"items"`
		Bookmark string      `json:"bookmark"`
	}
	if _, err := p.call(ctx, publish.Request{Method: http.MethodGet, URL: p.api + "/pins?page_size=" + strconv.Itoa(pageSize)}, &page); err != nil {
		return post.Found{}, err
	}
	title, text := publish.Bare(d.Content.Title), publish.Bare(publish.Compose(&d.Content, &p.rules.Limits))
	from := publish.Earliest(&d).Add(-clockSlack)
	state := post.Absent
	reached, last := page.Bookmark == "", time.Time{}
	for _, pin := range page.Items {
		made, ok := timeOf(pin.Created)
		if !ok || !last.IsZero() && made.After(last) {
			return post.Found{State: post.Undecidable}, nil // not newest first: what follows may be newer
		}
		last = made
		if made.Before(from) {
			reached = true
			break
		}
		if pin.Board != board || publish.Bare(pin.Title) != title || publish.Bare(pin.Description) != text || p.own.ByAnother(pin.ID, d.Post.Key()) {
			continue
		}
		if pin.Link != d.Content.Link {
			state = post.Undecidable
			continue
		}
		p.own.Add(pin.ID, d.Post.Key())
		return post.Found{State: post.Present, Receipt: post.Receipt{RemoteID: pin.ID, URL: permalink(pin.ID), PublishedAt: made, Found: true}}, nil
	}
	if !reached {
		state = post.Undecidable
	}
	return post.Found{State: state}, nil
}

// timeOf reads when a pin was made. Pinterest writes it with or without a zone, in
// UTC.
func timeOf(text string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC(), true
		}
	}
	return time.Time{}, false
}
