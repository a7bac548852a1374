package publish

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/postroom/postroom/post"
)

// Uploads is the checkpoint of a post whose media are brought to the platform
// first: what it has taken, in the order of the post's media. What it holds
// outlives attempts and crashes, so that nothing is uploaded twice.
type Uploads struct {
	Media  []Upload `json:"media,omitempty"`
	Reused bool     `json:"-"` // something of an earlier attempt is used: the platform may have thrown it away

	save Save
}

// An Upload is one of them.
type Upload struct {
	ID   string    `json:"id"`
	Till time.Time `json:"till,omitzero"`  // when the platform throws it away; zero for not soon
	Done bool      `json:"done,omitempty"` // all that must come before the post has been done
}

// uploadSlack is how long media must still be kept for.
const uploadSlack = 10 * time.Minute

// ReadUploads reads d's checkpoint. One that cannot be read, or names media that
// are about to be thrown away, is none: the media are uploaded again.
func ReadUploads(d *post.Delivery, save Save, now time.Time) *Uploads {
	u := &Uploads{}
	if json.Unmarshal(d.Post.State, u) != nil || len(u.Media) > len(d.Content.Media) {
		u = &Uploads{}
	}
	for _, m := range u.Media {
		if !m.Till.IsZero() && m.Till.Before(now.Add(uploadSlack)) {
			u = &Uploads{}
			break
		}
	}
	u.Reused, u.save = len(u.Media) > 0, save
	return u
}

// All brings media to the platform, one after the other: send uploads one, and
// finish, where there is more to do (nil for not, or Done), is given its id, in a later
// attempt too. send says with alive that it gets on. Nothing of the post is live when
// it fails, so its failures never leave a post in doubt. The error is a *post.Failure.
func (u *Uploads) All(ctx context.Context, media []post.Media,
	send func(ctx context.Context, m *post.Media, alive Save) (Upload, error), finish func(context.Context, *post.Media, string) error,
) error {
	for i := range media {
		if i == len(u.Media) {
			up, err := send(ctx, &media[i], u.save)
			if err != nil {
				return Unsent(err)
			}
			up.Done = up.Done || finish == nil
			u.Media = append(u.Media, up)
			if err := u.Checkpoint(); err != nil {
				return err
			}
		}
		if u.Media[i].Done {
			continue
		}
		if err := finish(ctx, &media[i], u.Media[i].ID); err != nil {
			return Unsent(err)
		}
		u.Media[i].Done = true
		if err := u.Checkpoint(); err != nil {
			return err
		}
	}
	return nil
}

// IDs returns the ids, in order; nil when there are none.
func (u *Uploads) IDs() []string {
	var ids []string
	for _, m := range u.Media {
		ids = append(ids, m.ID)
	}
	return ids
}

// Forget drops what is uploaded, because the platform refused with f what may only
// mean that it has thrown it away: the next attempt uploads anew. It returns the
// failure to end this one with.
func (u *Uploads) Forget(f *post.Failure) error {
	u.Media, u.Reused = nil, false
	if err := u.Checkpoint(); err != nil {
		return err
	}
	f.Class, f.Message = post.ClassServer, f.Message+": its media are uploaded again"
	return f
}

// Checkpoint makes u durable.
func (u *Uploads) Checkpoint() error { return SaveState(u.save, u) }

// SaveState makes a checkpoint durable, as JSON. The error is a *post.Failure.
func SaveState(save Save, v any) error {
	state, err := json.Marshal(v)
	if err == nil {
		err = save(nil, state)
	}
	if err != nil {
		return notSaved(err, post.SentNot)
	}
	return nil
}

// StillAlive says with save that a send that takes long gets on. The error is a
// *post.Failure of a post that was not sent.
func StillAlive(save Save) error {
	if err := save(nil, nil); err != nil {
		return notSaved(err, post.SentNot)
	}
	return nil
}

// NoMediaRoom is the failure of a post with media on a connection that has no
// place to take them from.
func NoMediaRoom() error {
	return &post.Failure{Class: post.ClassInvalid, Sent: post.SentNot, Message: "this connection has no place to take media from"}
}

// AsJSON makes v the body of r. Only content that cannot be written as JSON fails,
// with a *post.Failure of a post that was not sent.
func (r *Request) AsJSON(v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return &post.Failure{Class: post.ClassInvalid, Sent: post.SentNot, Message: fmt.Sprintf("the post cannot be written as JSON: %v", err)}
	}
	r.Type, r.Body = "application/json", body
	return nil
}
