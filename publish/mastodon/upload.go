package mastodon

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
)

// upload brings the media of one post to the server.
type upload struct {
	*publish.Uploads
	p *Publisher
}

// all uploads media and waits until the server has processed them.
func (u *upload) all(ctx context.Context, media []post.Media) error {
	if len(media) == 0 {
		return nil
	}
	if u.p.config.Media == nil {
		return publish.NoMediaRoom()
	}
	// The table's limits do where the server's cannot be read: it refuses by
	// itself what is too large for it.
	if err := u.p.Load(ctx); err != nil && ctx.Err() != nil {
		return publish.Unsent(err)
	}
	return u.All(ctx, media, u.one, func(ctx context.Context, _ *post.Media, id string) error { return u.wait(ctx, id) })
}

// one uploads one file. The server says 202 when it has yet to process it.
func (u *upload) one(ctx context.Context, m *post.Media, alive publish.Save) (publish.Upload, error) {
	rules := u.p.currentRules()
	file, err := u.p.config.Media.Ready(ctx, *m, &rules.Limits.Media)
	if err != nil {
		return publish.Upload{}, err
	}
	defer file.Close()
	form := publish.NewForm()
	if m.Alt != "" {
		form.Field("description", m.Alt)
	}
	form.File("file", file)
	r := publish.Request{Method: http.MethodPost, URL: u.p.base + "/api/v2/media", Token: u.p.config.Token(), Alive: alive}
	form.Send(&r)
	a, err := u.p.client.Do(ctx, r)
	if err != nil {
		return publish.Upload{}, err
	}
	if a.Status < 200 || a.Status > 299 {
		f := u.p.client.Refusal(a)
		f.Message = "media " + post.Shorten(file.Name) + ": " + f.Message
		return publish.Upload{}, f
	}
	var got struct {
		ID string `json:"id"`
	}
	if err := a.Decode(&got); err != nil || got.ID == "" {
		return publish.Upload{}, u.p.client.Doubt(a, errors.Join(err, errors.New("it names no media")))
	}
	return publish.Upload{ID: got.ID, Done: a.Status == http.StatusOK}, nil
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
		case a.Status == http.StatusNotFound && u.Reused:
			return u.Forget(u.p.client.Refusal(a))
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
