package twitter

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
)

// upload brings the media of one post to X.
type upload struct {
	*publish.Uploads
	p *Publisher
}

// chunk is how much of a file goes out in one call: at most 1000 make up the
// largest video.
const chunk = 4 << 20

// all uploads media.
func (u *upload) all(ctx context.Context, media []post.Media) error {
	if len(media) > 0 && u.p.config.Media == nil {
		return publish.NoMediaRoom()
	}
	return u.All(ctx, media, u.bytes, func(ctx context.Context, m *post.Media, id string) error {
		if err := u.wait(ctx, id); err != nil {
			return err
		}
		if m.Alt == "" {
			return nil
		}
		return u.alt(ctx, id, m.Alt)
	})
}

// mediaAnswer is what the upload calls answer.
type mediaAnswer struct {
	Data struct {
		ID         string `json:"id"`
		Expires    int    `json:"expires_after_secs"`
		Processing *struct {
			State      string `json:"state"` // pending, in_progress, succeeded or failed
			CheckAfter int    `json:"check_after_secs"`
		} `json:"processing_info"`
	} `json:"data"`
}

// bytes sends a file in chunks.
func (u *upload) bytes(ctx context.Context, m *post.Media, alive publish.Save) (publish.Upload, error) {
	file, err := u.p.config.Media.Ready(ctx, *m, &u.p.rules.Limits.Media)
	if err != nil {
		return publish.Upload{}, err
	}
	defer file.Close()
	began := u.p.config.Now()
	r := publish.Request{Method: http.MethodPost, URL: u.p.api + "/2/media/upload/initialize"}
	if err := r.AsJSON(map[string]any{"media_type": file.Type, "total_bytes": file.Size, "media_category": category(file.Type)}); err != nil {
		return publish.Upload{}, err
	}
	started, err := u.ask(ctx, r, file.Name)
	if err != nil {
		return publish.Upload{}, err
	}
	id := started.Data.ID
	base := u.p.api + "/2/media/upload/" + url.PathEscape(id)
	for segment, left := 0, file.Size; left > 0; segment++ {
		size := min(left, chunk)
		form := publish.NewForm()
		form.Field("segment_index", strconv.Itoa(segment))
		form.Chunk("media", file.Name, "application/octet-stream", io.LimitReader(file, size), size)
		r := publish.Request{Method: http.MethodPost, URL: base + "/append", Alive: alive}
		form.Send(&r)
		if _, err := u.ask(ctx, r, file.Name); err != nil {
			return publish.Upload{}, err
		}
		if err := publish.StillAlive(alive); err != nil {
			return publish.Upload{}, err
		}
		left -= size
	}
	ended, err := u.ask(ctx, publish.Request{Method: http.MethodPost, URL: base + "/finalize"}, file.Name)
	if err != nil {
		return publish.Upload{}, err
	}
	keeps := time.Duration(max(started.Data.Expires, ended.Data.Expires)) * time.Second
	if keeps == 0 {
		keeps = 24 * time.Hour // what the docs of media say
	}
	return publish.Upload{ID: id, Till: began.Add(keeps)}, nil
}

// ask makes one call of an upload and reads its answer.
func (u *upload) ask(ctx context.Context, r publish.Request, name string) (*mediaAnswer, error) {
	a, err := u.p.call(ctx, r)
	if err != nil {
		return nil, err
	}
	if a.Status < 200 || a.Status > 299 {
		f := u.p.refusal(a)
		f.Message = "media " + post.Shorten(name) + ": " + f.Message
		return nil, f
	}
	got := &mediaAnswer{}
	if strings.HasSuffix(r.URL, "/append") {
		return got, nil // there is nothing to learn from it
	}
	if err := a.Decode(got); err != nil || got.Data.ID == "" {
		return nil, u.p.client.Doubt(a, errors.Join(err, errors.New("it names no media")))
	}
	return got, nil
}

func category(mime string) string {
	switch {
	case mime == "image/gif":
		return "tweet_gif"
	case strings.HasPrefix(mime, "video/"):
		return "tweet_video"
	}
	return "tweet_image"
}

// The waits between questions whether media are processed.
const (
	firstWait = time.Second
	mostWait  = 30 * time.Second
)

// wait asks until X has processed the media.
func (u *upload) wait(ctx context.Context, id string) error {
	for pause := firstWait; ; pause = min(2*pause, mostWait) {
		got, err := u.ask(ctx, publish.Request{Method: http.MethodGet, URL: u.p.api + "/2/media/upload?command=STATUS&media_id=" + url.QueryEscape(id)}, id)
		if err != nil {
			if f, ok := errors.AsType[*post.Failure](err); ok && f.Status == http.StatusNotFound && u.Reused {
				return u.Forget(f)
			}
			return err
		}
		info := got.Data.Processing
		switch {
		case info == nil || info.State == "succeeded":
			return nil
		case info.State == "failed":
			return &post.Failure{Class: post.ClassInvalid, Sent: post.SentNot, Message: "X could not process the media: try another format, like MP4 with H.264 and AAC"}
		case info.CheckAfter > 0:
			pause = min(time.Duration(info.CheckAfter)*time.Second, mostWait)
		}
		if err := publish.Pause(ctx, pause); err != nil {
			return &post.Failure{Class: post.ClassTimeout, Sent: post.SentNot, Message: "X is still processing the media", Err: err}
		}
	}
}

// alt describes media for those who do not see them.
func (u *upload) alt(ctx context.Context, id, text string) error {
	r := publish.Request{Method: http.MethodPost, URL: u.p.api + "/2/media/metadata"}
	if err := r.AsJSON(map[string]any{"id": id, "metadata": map[string]any{"alt_text": map[string]string{"text": text}}}); err != nil {
		return err
	}
	a, err := u.p.call(ctx, r)
	if err != nil {
		return err
	}
	if a.Status < 200 || a.Status > 299 {
		f := u.p.refusal(a)
		f.Message = "alt text: " + f.Message
		return f
	}
	return nil
}
