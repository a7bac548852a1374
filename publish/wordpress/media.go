package wordpress

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
)

// file is one of the site's media library.
type file struct {
	ID   int64  `json:"id"`
	URL  string `json:"source_url"`
	Type string `json:"mime_type"`
}

// upload puts one file into the media library.
func (p *Publisher) upload(ctx context.Context, m *post.Media, alive publish.Save) (publish.Upload, error) {
	ready, err := p.config.Media.Ready(ctx, *m, &p.rules.Limits.Media)
	if err != nil {
		return publish.Upload{}, err
	}
	defer ready.Close()
	var made file
	a, err := p.call(ctx, publish.Request{
		Method: http.MethodPost, Type: ready.Type, Stream: ready, Size: ready.Size, Alive: alive,
		Header: http.Header{"Content-Disposition": {disposition(ready.Name)}},
	}, "/wp/v2/media", url.Values{"_fields": {"id"}}, &made)
	if err == nil && made.ID == 0 {
		err = p.client.Doubt(a, errors.New("it names no file"))
	}
	if f, ok := errors.AsType[*post.Failure](err); ok {
		f.Message = "media " + post.Shorten(ready.Name) + ": " + f.Message
	}
	return publish.Upload{ID: strconv.FormatInt(made.ID, 10), Done: m.Alt == ""}, err
}

// disposition names a file for WordPress, which reads filename="…" alone and no
// other form (WP_REST_Attachments_Controller::get_filename_from_disposition).
func disposition(name string) string {
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' || r == ';' {
			return '-'
		}
		return r
	}, name)
	return `attachment; filename="` + name + `"`
}

// describe gives an uploaded file its alternative text.
func (p *Publisher) describe(ctx context.Context, m *post.Media, id string) error {
	r := publish.Request{Method: http.MethodPost}
	if err := r.AsJSON(map[string]string{"alt_text": m.Alt}); err != nil {
		return err
	}
	_, err := p.call(ctx, r, "/wp/v2/media/"+id, url.Values{"_fields": {"id"}}, new(file))
	return err
}

// uploaded asks where the uploaded files are. One that is gone, because somebody
// has deleted it since, would be left out of the post without a word: all are then
// uploaded again.
func (p *Publisher) uploaded(ctx context.Context, up *publish.Uploads) ([]file, error) {
	known := map[string]file{}
	for ids := range slices.Chunk(up.IDs(), mostListed) {
		var files []file
		if _, err := p.call(ctx, publish.Request{Method: http.MethodGet}, "/wp/v2/media", url.Values{
			"include": {strings.Join(ids, ",")}, "per_page": {strconv.Itoa(mostListed)}, "_fields": {"id,source_url,mime_type"},
		}, &files); err != nil {
			return nil, err
		}
		for _, f := range files {
			known[strconv.FormatInt(f.ID, 10)] = f
		}
	}
	var all []file
	for _, id := range up.IDs() {
		f, ok := known[id]
		if !ok {
			return nil, up.Forget(&post.Failure{Sent: post.SentNot, Message: "the site's media library has lost file " + id})
		}
		all = append(all, f)
	}
	return all, nil
}

// figure shows the file below the text.
func (f *file) figure(alt string) string {
	src := inQuotes.Replace(f.URL)
	kind, _, _ := strings.Cut(f.Type, "/")
	switch kind {
	case "image":
		return "\n\n" + `<figure class="wp-block-image"><img src="` + src + `" alt="` + inQuotes.Replace(alt) + `" class="wp-image-` + strconv.FormatInt(f.ID, 10) + `" /></figure>`
	case "video":
		return "\n\n" + `<figure class="wp-block-video"><video controls src="` + src + `"></video></figure>`
	}
	return "\n\n" + `<p><a href="` + src + `">` + src + `</a></p>`
}
