package linkedin

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
)

// upload brings the media of one post to LinkedIn.
type upload struct {
	*publish.Uploads
	p      *Publisher
	author string
}

func (u *upload) all(ctx context.Context, media []post.Media) error {
	if len(media) > 0 && u.p.config.Media == nil {
		return publish.NoMediaRoom()
	}
	return u.All(ctx, media, u.one, u.wait)
}

// one uploads one file.
func (u *upload) one(ctx context.Context, m *post.Media, alive publish.Save) (publish.Upload, error) {
	file, err := u.p.config.Media.Ready(ctx, *m, &u.p.rules.Limits.Media)
	if err != nil {
		return publish.Upload{}, err
	}
	defer file.Close()
	send := u.image
	if strings.HasPrefix(file.Type, "video/") {
		send = u.video
	}
	urn, err := send(ctx, file, alive)
	if f, ok := errors.AsType[*post.Failure](err); ok {
		f.Message = "media " + post.Shorten(file.Name) + ": " + f.Message
	}
	return publish.Upload{ID: urn}, err
}

// image uploads a picture.
func (u *upload) image(ctx context.Context, file *publish.MediaFile, alive publish.Save) (string, error) {
	var begun struct {
		Value struct {
			URL   string `json:"uploadUrl"`
			Image string `json:"image"`
		} `json:"value"`
	}
	if err := u.call(ctx, "/rest/images?action=initializeUpload", map[string]any{"initializeUploadRequest": map[string]string{"owner": u.author}}, &begun); err != nil {
		return "", err
	}
	_, err := u.put(ctx, begun.Value.URL, file, file.Size, alive)
	return begun.Value.Image, err
}

// video uploads a film in the pieces that LinkedIn asks for.
func (u *upload) video(ctx context.Context, file *publish.MediaFile, alive publish.Save) (string, error) {
	var begun struct {
		Value struct {
			Video string `json:"video"`
			Token string `json:"uploadToken"`
			Parts []struct {
				First int64  `json:"firstByte"`
				Last  int64  `json:"lastByte"`
				URL   string `json:"uploadUrl"`
			} `json:"uploadInstructions"`
		} `json:"value"`
	}
	wanted := map[string]any{"owner": u.author, "fileSizeBytes": file.Size, "uploadCaptions": false, "uploadThumbnail": false}
	if err := u.call(ctx, "/rest/videos?action=initializeUpload", map[string]any{"initializeUploadRequest": wanted}, &begun); err != nil {
		return "", err
	}
	var tags []string
	for _, part := range begun.Value.Parts {
		size := part.Last - part.First + 1
		a, err := u.put(ctx, part.URL, io.NewSectionReader(file, part.First, size), size, alive)
		if err == nil {
			err = publish.StillAlive(alive)
		}
		if err != nil {
			return "", err
		}
		tags = append(tags, a.Header.Get("Etag"))
	}
	return begun.Value.Video, u.call(ctx, "/rest/videos?action=finalizeUpload", map[string]any{"finalizeUploadRequest": map[string]any{
		"video": begun.Value.Video, "uploadToken": begun.Value.Token, "uploadedPartIds": tags,
	}}, nil)
}

// call posts JSON, and reads JSON into v unless that is nil.
func (u *upload) call(ctx context.Context, path string, body, v any) error {
	r := u.p.request(http.MethodPost, path)
	if err := r.AsJSON(body); err != nil {
		return err
	}
	a, err := u.p.client.DoAs(ctx, u.p.config.Tokens, r)
	switch {
	case err != nil:
		return err
	case a.Status < 200 || a.Status > 299:
		_, _, f := u.p.refusal(a)
		return f
	case v == nil:
		return nil
	}
	if err := a.Decode(v); err != nil {
		return u.p.client.Doubt(a, err)
	}
	return nil
}

// put sends bytes where LinkedIn wants them. The address is LinkedIn's word, and
// the token goes there only when it is LinkedIn's own.
func (u *upload) put(ctx context.Context, to string, body io.Reader, size int64, alive publish.Save) (*publish.Answer, error) {
	if publish.CheckUpload(to) != nil {
		return nil, &post.Failure{Class: post.ClassServer, Sent: post.SentNot, Message: "LinkedIn names no place to upload to"}
	}
	r := publish.Request{Method: http.MethodPut, URL: to, Type: "application/octet-stream", Stream: body, Size: size, Alive: alive}
	do, own := u.p.client.Do, publish.IsOf(to, u.p.api, "linkedin.com")
	if own {
		do = func(ctx context.Context, r publish.Request) (*publish.Answer, error) {
			return u.p.client.DoAs(ctx, u.p.config.Tokens, r)
		}
	}
	a, err := do(ctx, r)
	if err != nil {
		return nil, err
	}
	if a.Status < 200 || a.Status > 299 {
		_, _, f := u.p.refusal(a)
		if f.Class == post.ClassAuth && (a.Status == http.StatusForbidden || !own) {
			f.Class, f.Scope = post.ClassServer, post.ScopePost // the address has ended: that there is one says that the token may
		}
		return nil, f
	}
	return a, nil
}

// The waits between questions whether media are processed.
const (
	firstWait = time.Second
	mostWait  = 10 * time.Second
)

// wait asks until LinkedIn has processed a film; pictures are ready at once.
func (u *upload) wait(ctx context.Context, _ *post.Media, urn string) error {
	if !strings.HasPrefix(urn, "urn:li:video:") {
		return nil
	}
	for pause := firstWait; ; pause = min(2*pause, mostWait) {
		var v struct {
			Status string `json:"status"`
		}
		if _, err := u.p.get(ctx, u.p.request(http.MethodGet, "/rest/videos/"+url.PathEscape(urn)), &v); err != nil {
			if f, ok := errors.AsType[*post.Failure](err); ok && f.Status == http.StatusNotFound && u.Reused {
				return u.Forget(f)
			}
			return err
		}
		switch v.Status {
		case "AVAILABLE":
			return nil
		case "PROCESSING_FAILED":
			return &post.Failure{Class: post.ClassInvalid, Sent: post.SentNot, Message: "LinkedIn could not process the video: try MP4 with H.264 and AAC"}
		}
		if err := publish.Pause(ctx, pause); err != nil {
			return &post.Failure{Class: post.ClassTimeout, Sent: post.SentNot, Message: "LinkedIn is still processing the video", Err: err}
		}
	}
}
