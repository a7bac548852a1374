package pinterest

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
)

// source is where the media of a pin come from; Kind says which fields count.
type source struct {
	Kind  string  `json:"source_type"`
	Film  string  `json:"media_id,omitempty"`
	Cover int     `json:"cover_image_key_frame_time,omitempty"` // seconds from the film's beginning
	Items []image `json:"items,omitempty"`
	image
}

// image is one picture: its bytes, or its address.
type image struct {
	Type string `json:"content_type,omitempty"`
	Data []byte `json:"data,omitempty"` // JSON makes base64 of it
	URL  string `json:"url,omitempty"`
}

// mostInline is how many bytes of pictures go with the call, which is held in
// memory. More go by their URLs.
const mostInline = 20 << 20

// coverAt is the picture of a film that stands for it: films often begin in black.
const coverAt = 1

// byURL reports whether Pinterest must fetch the media: a call can carry JPEG and PNG
// alone, which do not move.
func byURL(media []post.Media) bool {
	return slices.ContainsFunc(media, func(m post.Media) bool { return m.Pin.Animated && !m.Pin.Film() })
}

// source brings the media of a pin to Pinterest.
func (p *Publisher) source(ctx context.Context, media []post.Media, up *publish.Uploads) (source, error) {
	switch {
	case len(media) == 0:
		return source{}, &post.Failure{Class: post.ClassInvalid, Sent: post.SentNot, Message: "a pin needs a picture or a film: add media_url"}
	case p.config.Media == nil:
		return source{}, publish.NoMediaRoom()
	case len(media) == 1 && publish.IsFilm(&media[0]):
		err := up.All(ctx, media, p.film, p.processed)
		if f, ok := errors.AsType[*post.Failure](err); ok && f.Status == http.StatusNotFound && up.Reused {
			return source{}, up.Forget(f)
		}
		if err != nil {
			return source{}, err
		}
		return source{Kind: "video_id", Film: up.IDs()[0], Cover: coverAt}, nil
	}
	images, err := p.inlined(ctx, media)
	kind := [2]string{"image_base64", "multiple_image_base64"}
	if err == nil && images == nil {
		kind = [2]string{"image_url", "multiple_image_urls"}
		images, err = p.linked(ctx, media)
	}
	if err != nil {
		return source{}, err
	}
	if len(images) == 1 {
		return source{Kind: kind[0], image: images[0]}, nil
	}
	return source{Kind: kind[1], Items: images}, nil
}

// inlined returns the pictures with their bytes, nil when these cannot go with the
// call.
func (p *Publisher) inlined(ctx context.Context, media []post.Media) ([]image, error) {
	if byURL(media) {
		return nil, nil
	}
	var all []image
	left := int64(mostInline)
	for _, m := range media {
		file, err := p.config.Media.Ready(ctx, m, &p.inline)
		if err != nil {
			return nil, err
		}
		if left -= file.Size; left < 0 {
			file.Close() // it was only looked at
			return nil, nil
		}
		data, err := io.ReadAll(io.LimitReader(file, file.Size))
		file.Close() // it was only read
		if err != nil {
			return nil, &post.Failure{Class: post.ClassInvalid, Sent: post.SentNot, Message: "media " + post.Shorten(file.Name) + " cannot be read", Err: err}
		}
		all = append(all, image{Type: file.Type, Data: data})
	}
	return all, nil
}

// linked returns the pictures with addresses from which Pinterest fetches them.
func (p *Publisher) linked(ctx context.Context, media []post.Media) ([]image, error) {
	var all []image
	for _, m := range media {
		link, err := p.config.Media.Link(ctx, m, &p.rules.Limits.Media)
		if err != nil {
			return nil, err
		}
		all = append(all, image{URL: link})
	}
	return all, nil
}

// film uploads a film to where Pinterest says.
func (p *Publisher) film(ctx context.Context, m *post.Media, alive publish.Save) (publish.Upload, error) {
	file, err := p.config.Media.Ready(ctx, *m, &p.rules.Limits.Media)
	if err != nil {
		return publish.Upload{}, err
	}
	defer file.Close()
	r := publish.Request{Method: http.MethodPost, URL: p.api + "/media"}
	if err := r.AsJSON(map[string]string{"media_type": "video"}); err != nil {
		return publish.Upload{}, err
	}
	var begun struct {
		ID     string            `json:"media_id"`
		URL    string            `json:"upload_url"`
		Fields map[string]string `json:"upload_parameters"`
	}
	a, err := p.call(ctx, r, &begun)
	if err == nil && (begun.ID == "" || publish.CheckUpload(begun.URL) != nil) {
		err = p.client.Doubt(a, errors.New("it names no place to upload to"))
	}
	if err != nil {
		return publish.Upload{}, err
	}
	form := publish.NewForm()
	for _, name := range slices.Sorted(maps.Keys(begun.Fields)) {
		form.Field(name, begun.Fields[name])
	}
	form.File("file", file) // the store reads no field that comes after it
	put := publish.Request{Method: http.MethodPost, URL: begun.URL, Alive: alive}
	form.Send(&put)
	if a, err = p.client.Do(ctx, put); err != nil { // elsewhere: without the token
		return publish.Upload{}, err
	}
	if a.Status < 200 || a.Status > 299 {
		f := p.client.Refusal(a)
		f.Scope, f.Message = post.ScopePost, "media "+post.Shorten(file.Name)+": "+f.Message
		if f.Class == post.ClassAuth {
			f.Class = post.ClassServer // the fields of the upload are good for one hour
		}
		return publish.Upload{}, f
	}
	return publish.Upload{ID: begun.ID}, nil
}

// The waits between questions whether a film is processed.
const (
	firstWait = time.Second
	mostWait  = 10 * time.Second
)

// processed waits until Pinterest has processed a film.
func (p *Publisher) processed(ctx context.Context, _ *post.Media, id string) error {
	for pause := firstWait; ; pause = min(2*pause, mostWait) {
		var film struct {
			Status string `json:"status"`
		}
		if _, err := p.call(ctx, publish.Request{Method: http.MethodGet, URL: p.api + "/media/" + id}, &film); err != nil {
			return err
		}
		switch film.Status {
		case "succeeded":
			return nil
		case "failed":
			return &post.Failure{Class: post.ClassInvalid, Sent: post.SentNot, Message: "Pinterest could not process the video: try MP4 with H.264 and AAC"}
		}
		if err := publish.Pause(ctx, pause); err != nil {
			return &post.Failure{Class: post.ClassTimeout, Sent: post.SentNot, Message: "Pinterest is still processing the video", Err: err}
		}
	}
}
