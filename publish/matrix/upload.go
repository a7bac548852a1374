package matrix

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	_ "image/gif" // sizes of pictures
	_ "image/jpeg"
	_ "image/png"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
)

// uploaded is the checkpoint of a post with media: what the server has taken, in
// the order of the post's media.
type uploaded struct {
	Media []medium `json:"media"`
}

// medium is one file on the server.
type medium struct {
	URI    string `json:"uri"` // mxc://
	Type   string `json:"type"`
	Size   int64  `json:"size"`
	Width  int    `json:"width,omitzero"` // in pixels; 0 when not known
	Height int    `json:"height,omitzero"`
}

// into makes an event one that shows the file.
func (m *medium) into(event map[string]any) {
	info := map[string]any{"mimetype": m.Type, "size": m.Size}
	if m.Width > 0 {
		info["w"], info["h"] = m.Width, m.Height
	}
	event["url"], event["info"], event["msgtype"] = m.URI, info, "m.file"
	switch kind, _, _ := strings.Cut(m.Type, "/"); kind {
	case "image", "video":
		event["msgtype"] = "m." + kind
	}
}

// wordsFor returns what stands for a file where it is not shown: its alternative
// text, or its name.
func wordsFor(m post.Media) string {
	if m.Alt != "" {
		return m.Alt
	}
	name := m.URL
	if u, err := url.Parse(name); err == nil && u.Host != "" {
		name = u.Path
	}
	return path.Base(name)
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

// upload brings the media of one post to the server.
type upload struct {
	p     *Publisher
	save  publish.Save
	state uploaded
}

// all uploads what is missing, each file with a checkpoint behind it.
func (u *upload) all(ctx context.Context, media []post.Media) error {
	if len(media) > 0 && u.p.config.Media == nil {
		return publish.NoMediaRoom()
	}
	if len(u.state.Media) > len(media) {
		u.state = uploaded{}
	}
	for _, m := range media[len(u.state.Media):] {
		got, err := u.one(ctx, m)
		if err != nil {
			return err
		}
		u.state.Media = append(u.state.Media, got)
		if err := publish.SaveState(u.save, u.state); err != nil {
			return err
		}
	}
	return nil
}

func (u *upload) one(ctx context.Context, m post.Media) (medium, error) {
	file, err := u.p.config.Media.Ready(ctx, m, &u.p.rules.Limits.Media)
	if err != nil {
		return medium{}, err
	}
	defer file.Close()
	got := medium{Type: file.Type, Size: file.Size}
	// What it cannot measure is shown as it comes.
	if c, _, err := image.DecodeConfig(file); err == nil {
		got.Width, got.Height = c.Width, c.Height
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return medium{}, &post.Failure{Class: post.ClassInvalid, Sent: post.SentNot, Message: fmt.Sprintf("media %s: %v", post.Shorten(file.Name), err)}
	}
	a, err := u.p.client.Do(ctx, publish.Request{
		Method: http.MethodPost, URL: u.p.config.Server + "/_matrix/media/v3/upload?filename=" + url.QueryEscape(file.Name),
		Token: u.p.config.Token(), Type: file.Type, Stream: io.LimitReader(file, file.Size), Size: file.Size, Alive: u.save,
	})
	if err != nil {
		return medium{}, err
	}
	if a.Status != http.StatusOK {
		f := u.p.refusal(a)
		f.Message = "media " + post.Shorten(file.Name) + ": " + f.Message
		return medium{}, f
	}
	var answer struct {
		URI string `json:"content_uri"`
	}
	if err := a.Decode(&answer); err != nil || answer.URI == "" {
		return medium{}, u.p.client.Doubt(a, errors.Join(err, errors.New("it names no media")))
	}
	got.URI = answer.URI
	return got, nil
}
