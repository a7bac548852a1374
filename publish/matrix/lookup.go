package matrix

import (
	"context"
	"net/url"
	"time"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
)

const (
	clockSlack = 2 * time.Minute // an event may look this much older than its intent
	maxPages   = 10              // of 100 events, beyond which a busy room is not searched
)

// event is what we read of a room's event.
type event struct {
	ID      string         `json:"event_id"`
	Sender  string         `json:"sender"`
	At      int64          `json:"origin_server_ts"` // Unix milliseconds
	Content map[string]any `json:"content"`
}

// Lookup reads the room's events, newest first, back to two minutes before d's
// first attempt by the server's clock, for those of this account that carry d's keys.
// Absent means that the whole stretch was read.
func (p *Publisher) Lookup(ctx context.Context, d post.Delivery) (post.Found, error) {
	room, err := p.openRoom(ctx)
	if err != nil {
		return post.Found{}, err
	}
	user, err := p.userID(ctx)
	if err != nil {
		return post.Found{}, err
	}
	events, whole, err := p.since(ctx, room, publish.Earliest(&d))
	if err != nil {
		return post.Found{}, err
	}
	return publish.FindParts(ctx, &d, "", func(_ context.Context, at int, _ string, _ []post.Part) (post.Found, error) {
		for _, e := range events {
			if e.Sender == user && e.Content[keyField] == d.Post.PartKey(at) {
				r := p.receipt(room, e.ID, time.UnixMilli(e.At))
				r.Found = true
				return post.Found{State: post.Present, Receipt: r}, nil
			}
		}
		if !whole {
			return post.Found{State: post.Undecidable}, nil
		}
		return post.Found{State: post.Absent}, nil
	})
}

// since returns the events from an instant on, all of the room's for the zero
// Time; whole is false when there are more than are read.
func (p *Publisher) since(ctx context.Context, room string, from time.Time) (all []event, whole bool, err error) {
	next := ""
	for range maxPages {
		query := url.Values{"dir": {"b"}, "limit": {"100"}, "filter": {`{"types":["m.room.message"]}`}}
		if next != "" {
			query.Set("from", next)
		}
		var page struct {
			Chunk []event `json:"chunk"`
			End   string  `json:"end"`
		}
		a, err := p.get(ctx, p.url("v3/rooms", room, "messages")+"?"+query.Encode(), &page)
		if err != nil {
			return nil, false, err
		}
		all = append(all, page.Chunk...)
		if n := len(page.Chunk); n > 0 && !from.IsZero() {
			oldest := time.UnixMilli(page.Chunk[n-1].At)
			if oldest.Before(from.Add(a.ClockShift() - clockSlack)) {
				return all, true, nil
			}
		}
		if page.End == "" {
			return all, true, nil
		}
		next = page.End
	}
	return all, false, nil
}
