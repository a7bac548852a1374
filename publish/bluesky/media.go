package bluesky

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	_ "image/jpeg" // sizes of pictures
	_ "image/png"
	"io"
	"net/http"
	"strings"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
)

// blob is a file on the server.
type blob struct {
	Ref    json.RawMessage `json:"ref"`            // as the server describes it
	Type   string          `json:"type"`           // MIME type
	Width  int             `json:"width,omitzero"` // in pixels; 0 when not known
	Height int             `json:"height,omitzero"`
}

type aspectRatio struct {
	Width  int `json:"width"`
	Height int `json:"height"`
}

func (b *blob) ratio() *aspectRatio {
	if b.Width == 0 || b.Height == 0 {
		return nil
	}
	return &aspectRatio{b.Width, b.Height}
}

type imageEmbed struct {
	Image json.RawMessage `json:"image"`
	Alt   string          `json:"alt"` // there must be one, if only ""
	Ratio *aspectRatio    `json:"aspectRatio,omitempty"`
}

type imagesEmbed struct {
	Type   string       `json:"$type"`
	Images []imageEmbed `json:"images"`
}

type videoEmbed struct {
	Type  string          `json:"$type"`
	Video json.RawMessage `json:"video"`
	Alt   string          `json:"alt,omitempty"`
	Ratio *aspectRatio    `json:"aspectRatio,omitempty"`
}

// sending is one attempt at one post.
type sending struct {
	p    *Publisher
	save publish.Save
	done checkpoint
}

func (s *sending) checkpoint() error { return publish.SaveState(s.save, s.done) }

// freeze uploads what is missing of media, and saves the record as it will be
// sent, now and at each repeat.
func (s *sending) freeze(ctx context.Context, text string, media []post.Media) error {
	if len(media) > 0 && s.p.config.Media == nil {
		return publish.NoMediaRoom()
	}
	if len(s.done.Blobs) > len(media) {
		s.done.Blobs = nil
	}
	for _, m := range media[len(s.done.Blobs):] {
		b, err := s.p.upload(ctx, m, s.save)
		if err != nil {
			return err
		}
		s.done.Blobs = append(s.done.Blobs, b)
		if err := s.checkpoint(); err != nil {
			return err
		}
	}
	mentions, err := s.p.mentions(ctx, text)
	if err != nil {
		return err
	}
	r := record{
		Type: collection, Text: text, CreatedAt: s.p.now().UTC().Format("2006-01-02T15:04:05.000Z"),
		Facets: append(facetsOf(text), mentions...), Embed: embed(s.done.Blobs, media),
	}
	sortFacets(r.Facets)
	if s.p.config.Language != "" {
		r.Langs = []string{s.p.config.Language}
	}
	if s.done.Record, err = json.Marshal(r); err != nil {
		return &post.Failure{Class: post.ClassInvalid, Sent: post.SentNot, Message: fmt.Sprintf("the post cannot be written as JSON: %v", err)}
	}
	return s.checkpoint()
}

// embed shows blobs below the text; nil for none.
func embed(blobs []blob, media []post.Media) any {
	if len(blobs) == 0 {
		return nil
	}
	if strings.HasPrefix(blobs[0].Type, "video/") {
		return videoEmbed{"app.bsky.embed.video", blobs[0].Ref, media[0].Alt, blobs[0].ratio()}
	}
	all := imagesEmbed{Type: "app.bsky.embed.images"}
	for i := range blobs {
		all.Images = append(all.Images, imageEmbed{blobs[i].Ref, media[i].Alt, blobs[i].ratio()})
	}
	return all
}

// upload brings one file to the server. A refused token is renewed and the file
// sent again, once.
func (p *Publisher) upload(ctx context.Context, m post.Media, alive publish.Save) (blob, error) {
	in, err := p.session(ctx)
	for again := false; ; again = true {
		if err != nil {
			return blob{}, err
		}
		b, a, err2 := p.uploadOnce(ctx, &in, m, alive)
		if again || a == nil || !stale(a) {
			return b, err2
		}
		in, err = p.renew(ctx, in.Access)
	}
}

// uploadOnce is upload without the renewal. The answer is nil when none came.
func (p *Publisher) uploadOnce(ctx context.Context, in *session, m post.Media, alive publish.Save) (blob, *publish.Answer, error) {
	file, err := p.config.Media.Ready(ctx, m, &p.rules.Limits.Media)
	if err != nil {
		return blob{}, nil, err
	}
	defer file.Close()
	b := blob{Type: file.Type}
	// What it cannot measure is shown as it comes.
	if c, _, err := image.DecodeConfig(file); err == nil {
		b.Width, b.Height = c.Width, c.Height
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return blob{}, nil, &post.Failure{Class: post.ClassInvalid, Sent: post.SentNot, Message: fmt.Sprintf("media %s: %v", post.Shorten(file.Name), err)}
	}
	a, err := p.client.Do(ctx, publish.Request{
		Method: http.MethodPost, URL: in.server + "/xrpc/com.atproto.repo.uploadBlob", Token: in.Access, Type: file.Type,
		Stream: io.LimitReader(file, file.Size), Size: file.Size, Alive: alive,
	})
	if err != nil {
		return blob{}, nil, err
	}
	if a.Status != http.StatusOK {
		f := p.refusal(a)
		f.Message = "media " + post.Shorten(file.Name) + ": " + f.Message
		return blob{}, a, f
	}
	var got struct {
		Blob json.RawMessage `json:"blob"`
	}
	if err := a.Decode(&got); err != nil || len(got.Blob) == 0 {
		return blob{}, a, p.client.Doubt(a, errors.Join(err, errors.New("it names no blob")))
	}
	b.Ref = got.Blob
	return b, a, nil
}
