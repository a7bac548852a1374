package discord

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
)

// open opens all media: they travel in the call that publishes, so that one that
// cannot be had keeps the post from being sent. The files that are open are
// returned with the error too.
func (p *Publisher) open(ctx context.Context, media []post.Media) ([]*publish.MediaFile, error) {
	if len(media) > 0 && p.config.Media == nil {
		return nil, publish.NoMediaRoom()
	}
	var files []*publish.MediaFile
	for _, m := range media {
		f, err := p.config.Media.Ready(ctx, m, &p.rules.Limits.Media)
		if err != nil {
			return files, err
		}
		files = append(files, f)
	}
	return files, nil
}

func closeAll(files []*publish.MediaFile) {
	for _, f := range files {
		f.Close() // it was only read
	}
}

// fill makes m the body of r: JSON, or a form with m and the files.
func (m *message) fill(r *publish.Request, files []*publish.MediaFile, media []post.Media) error {
	if len(files) == 0 {
		return r.AsJSON(m)
	}
	names := make([]string, len(files))
	for i, f := range files {
		// Two files of one name would be one address.
		names[i] = fmt.Sprintf("%d-%s", i+1, f.Name)
		m.Attachments = append(m.Attachments, attachment{ID: strconv.Itoa(i), Filename: names[i], Description: media[i].Alt})
	}
	payload, err := json.Marshal(m)
	if err != nil {
		return &post.Failure{Class: post.ClassInvalid, Sent: post.SentNot, Message: fmt.Sprintf("the post cannot be written as JSON: %v", err)}
	}
	form := publish.NewForm()
	form.Field("payload_json", string(payload))
	for i, f := range files {
		form.Chunk(fmt.Sprintf("files[%d]", i), names[i], f.Type, f, f.Size)
	}
	form.Send(r)
	return nil
}
