package twitter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
)

// uploaded is the checkpoint of a post with media: what X has taken, in the order
// of the post's media, and what it keeps only for a while.
type uploaded struct {
	Media []medium `json:"media,omitempty"`
}

type medium struct {
	ID   string    `json:"id"`
	Till time.Time `json:"till"`           // when X throws it away
	Done bool      `json:"done,omitempty"` // processed, and with its alt text
}

func (u *uploaded) ids() []string {
	var ids []string
	for _, m := range u.Media {
		ids = append(ids, m.ID)
	}
	return ids
}

// readState reads a checkpoint. One that cannot be read is none: the media are
// uploaded again.
func readState(state []byte) uploaded {
	var u uploaded
	if json.Unmarshal(state, &u) != nil {
		return uploaded{}
	}
	return u
}

// upload brings the media of one post to X.
type upload struct {
	p      *Publisher
	save   publish.Save
	state  uploaded
	reused bool // media of an earlier attempt are used
}

// chunk is how much of a file goes out in one call: at most 1000 make up the
// largest video.
const chunk = 4 << 20

// slack is how long media must still be kept for.
const slack = 10 * time.Minute

// all uploads media. Nothing of the post is live when it fails, so its failures
// never leave a post in doubt.
func (u *upload) all(ctx context.Context, media []post.Media) error {
	if len(media) == 0 {
		return nil
	}
	if u.p.config.Media == nil {
		return &post.Failure{Class: post.ClassInvalid, Sent: post.SentNot, Message: "this connection has no place to take media from"}
	}
	now := u.p.config.Now()
	for _, m := range u.state.Media {
		if m.Till.Before(now.Add(slack)) || len(u.state.Media) > len(media) {
			u.state = uploaded{}
			break
		}
	}
	u.reused = len(u.state.Media) > 0
	for i := range media {
		if i < len(u.state.Media) && u.state.Media[i].Done {
			continue
		}
		if err := u.one(ctx, i, &media[i]); err != nil {
			return publish.Unsent(err)
		}
	}
	return nil
}

// one uploads medium i, or goes on with it when an earlier attempt got its bytes
// across.
func (u *upload) one(ctx context.Context, i int, m *post.Media) error {
	if i == len(u.state.Media) {
		id, till, err := u.bytes(ctx, m)
		if err != nil {
			return err
		}
		u.state.Media = append(u.state.Media, medium{ID: id, Till: till})
		if err := u.checkpoint(); err != nil {
			return err
		}
	}
	at := &u.state.Media[i]
	if err := u.wait(ctx, at.ID); err != nil {
		return err
	}
	if m.Alt != "" {
		if err := u.alt(ctx, at.ID, m.Alt); err != nil {
			return err
		}
	}
	at.Done = true
	return u.checkpoint()
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
func (u *upload) bytes(ctx context.Context, m *post.Media) (id string, till time.Time, err error) {
	file, err := u.p.config.Media.Ready(ctx, *m, &u.p.rules.Limits.Media)
	if err != nil {
		return "", time.Time{}, err
	}
	defer file.Close()
	began := u.p.config.Now()
	body, err := json.Marshal(map[string]any{"media_type": file.Type, "total_bytes": file.Size, "media_category": category(file.Type)})
	if err != nil {
		return "", time.Time{}, err
	}
	started, err := u.ask(ctx, publish.Request{Method: http.MethodPost, URL: u.p.api + "/2/media/upload/initialize", Type: "application/json", Body: body}, file.Name)
	if err != nil {
		return "", time.Time{}, err
	}
	id = started.Data.ID
	base := u.p.api + "/2/media/upload/" + url.PathEscape(id)
	for segment, left := 0, file.Size; left > 0; segment++ {
		size := min(left, chunk)
		form := publish.NewForm()
		form.Field("segment_index", strconv.Itoa(segment))
		form.Chunk("media", file.Name, "application/octet-stream", io.LimitReader(file, size), size)
		r := publish.Request{Method: http.MethodPost, URL: base + "/append"}
		form.Send(&r)
		if _, err := u.ask(ctx, r, file.Name); err != nil {
			return "", time.Time{}, err
		}
		left -= size
	}
	ended, err := u.ask(ctx, publish.Request{Method: http.MethodPost, URL: base + "/finalize"}, file.Name)
	if err != nil {
		return "", time.Time{}, err
	}
	keeps := time.Duration(max(started.Data.Expires, ended.Data.Expires)) * time.Second
	if keeps == 0 {
		keeps = 24 * time.Hour // what the docs of media say
	}
	return id, began.Add(keeps), nil
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
			if f, ok := errors.AsType[*post.Failure](err); ok && f.Status == http.StatusNotFound && u.reused {
				return u.forget(f)
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
	body, err := json.Marshal(map[string]any{"id": id, "metadata": map[string]any{"alt_text": map[string]string{"text": text}}})
	if err != nil {
		return err
	}
	a, err := u.p.call(ctx, publish.Request{Method: http.MethodPost, URL: u.p.api + "/2/media/metadata", Type: "application/json", Body: body})
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

// forget drops media of an earlier attempt that X does not take, because it has
// thrown them away perhaps: the next attempt uploads anew.
func (u *upload) forget(f *post.Failure) error {
	u.state = uploaded{}
	if err := u.checkpoint(); err != nil {
		return err
	}
	f.Class, f.Message = post.ClassServer, f.Message+": its media are uploaded again"
	return f
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
