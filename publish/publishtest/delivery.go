package publishtest

import (
	"slices"
	"time"

	"github.com/postroom/postroom/post"
)

// NewDelivery returns a post of content at its first attempt, begun just now.
func NewDelivery(connection post.ConnectionID, content post.Content) *post.Delivery {
	now := time.Now().UTC()
	id := post.MakeID(now, machine, 1)
	return &post.Delivery{
		Post:    post.Post{ID: id.Add(1), Group: id, Account: "acme", Connection: connection, Status: post.StatusProcessing, BegunAt: now, Attempts: 1},
		Content: content,
	}
}

// Keep returns a save that keeps in d what is saved of it, as a store does.
func Keep(d *post.Delivery) func(parts []post.Part, state []byte) error {
	return func(parts []post.Part, state []byte) error {
		if parts != nil {
			d.Post.Parts = slices.Clone(parts)
		}
		if state != nil {
			d.Post.State = slices.Clone(state)
		}
		return nil
	}
}
