package mastodon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
)

// uploaded is the checkpoint of a post with media: what the server has taken, in
// the order of the post's media.
type uploaded struct {
	Media []string `json:"media"`
}

// readState reads a checkpoint. One that cannot be read is none: the media are
// uploaded again, and the server forgets what is never attached.
func readState(state []byte) uploaded {
	var u uploaded
	if json.Unmarshal(state, &u) != nil {
		return uploaded{}
	}
	return u
}

// upload brings the media of one post to the server.
type upload struct {
	p      *Publisher
	save   publish.Save
	state  uploaded
	reused bool // media of an earlier attempt are used
}

// all returns the ids of media, in order, once the server has processed them.
// Nothing of the post is live when it fails, so its failures never leave a post
// in doubt.
func (u *upload) all(ctx context.Context, media []post.Media) ([]string, error) {
	if len(media) == 0 {
		return nil, nil
	}
	if u.p.config.Media == nil {
		return nil, &post.Failure{Class: post.ClassInvalid, Sent: post.SentNot, Message: "this connection has no place to take media from"}
	}
	// The table's limits do where the server's cannot be read: it refuses by
	// itself what is too large for it.
	if err := u.p.Load(ctx); err != nil && ctx.Err() != nil {
		return nil, publish.Unsent(err)
	}
	if len(u.state.Media) > len(media) {
		u.state = uploaded{}
	}
	u.reused = len(u.state.Media) > 0
	for i := range media {
		done := false
		if i >= len(u.state.Media) {
			var err error
			if done, err = u.one(ctx, media[i]); err != nil {
				return nil, publish.Unsent(err)
			}
		}
		if done {
			continue
		}
		if err := u.wait(ctx, u.state.Media[i]); err != nil {
			return nil, publish.Unsent(err)
		}
	}
	return u.state.Media, nil
}

// one uploads one file and saves its id. done reports that the server has
// processed it already: it says 202 when it has not.
func (u *upload) one(ctx context.Context, m post.Media) (done bool, err error) {
	rules := u.p.currentRules()
	file, err := u.p.config.Media.Ready(ctx, m, &rules.Limits.Media)
	if err != nil {
		return false, err
	}
	defer file.Close()
	form := publish.NewForm()
	if m.Alt != "" {
		form.Field("description", m.Alt)
	}
	form.File("file", file)
	r := publish.Request{Method: http.MethodPost, URL: u.p.base + "/api/v2/media", Token: u.p.config.Token()}
	form.Send(&r)
	a, err := u.p.client.Do(ctx, r)
	if err != nil {
		return false, err
	}
	if a.Status < 200 || a.Status > 299 {
		f := u.p.client.Refusal(a)
		f.Message = "media " + post.Shorten(file.Name) + ": " + f.Message
		return false, f
	}
	var got struct {
		ID string `json:"id"`
	}
	if err := a.Decode(&got); err != nil || got.ID == "" {
		return false, u.p.client.Doubt(a, errors.Join(err, errors.New("it names no media")))
	}
	u.state.Media = append(u.state.Media, got.ID)
	return a.Status == http.StatusOK, u.checkpoint()
}

func (u *upload) checkpoint() error {
	state, err := json.Marshal(u.state)
	if err == nil {
		err = u.save(nil, state)
	}
	if err != nil {
		return &post.Failure{Class: post.ClassUnknown, Sent: post.SentNot, Message: fmt.Sprintf("save progress: %v", err), Err: err}
	}
	return nil
}

// The waits between questions whether media are processed.
const (
	firstWait = 500 * time.Millisecond
	mostWait  = 5 * time.Second
)

// wait asks until the server has processed the media: 206 and a null url say
// that it is at it, 200 and a url that it is done.
func (u *upload) wait(ctx context.Context, id string) error {
	for pause := firstWait; ; pause = min(2*pause, mostWait) {
		var m struct {
			URL string `json:"url"`
		}
		a, err := u.p.client.Do(ctx, publish.Request{Method: http.MethodGet, URL: u.p.base + "/api/v1/media/" + url.PathEscape(id), Token: u.p.config.Token()})
		switch {
		case err != nil:
			return err
		case a.Status == http.StatusNotFound && u.reused:
			// Thrown away since the attempt that uploaded it.
			u.state = uploaded{}
			if err := u.checkpoint(); err != nil {
				return err
			}
			return &post.Failure{Class: post.ClassServer, Sent: post.SentNot, Status: a.Status, Message: "the server has dropped media of an earlier attempt: they are uploaded again"}
		case a.Status == http.StatusOK:
			return nil
		case a.Status != http.StatusPartialContent:
			return u.p.client.Refusal(a)
		}
		if err := a.Decode(&m); err == nil && m.URL != "" {
			return nil
		}
		if err := publish.Pause(ctx, pause); err != nil {
			return &post.Failure{Class: post.ClassTimeout, Sent: post.SentNot, Message: "the server is still processing the media", Err: err}
		}
	}
}
