package publish

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/media"
	"github.com/postroom/postroom/post"
)

// Ready opens media in a form that a platform with such limits takes: pictures are
// converted and made smaller where they must be, see [media.Shelf.Fit]. The error
// is a *post.Failure of a post that was not sent.
func (m *MediaRoom) Ready(ctx context.Context, ref post.Media, l *limits.MediaLimit) (*MediaFile, error) {
	if ref.Pin.IsZero() {
		return m.readyUnpinned(ctx, ref, l)
	}
	return m.fit(ctx, &ref, l)
}

// fit opens pinned media.
func (m *MediaRoom) fit(ctx context.Context, ref *post.Media, l *limits.MediaLimit) (*MediaFile, error) {
	if m.shelf == nil {
		return nil, mediaFailure(post.ClassInvalid, ref.URL, errors.New("there is no media folder"))
	}
	file, p, err := m.shelf.Fit(ctx, &ref.Pin, l)
	if err != nil {
		return nil, shelfFailure(ref.URL, err)
	}
	return &MediaFile{File: file, Name: p.Name, Type: p.Type, Size: p.Size, Width: p.Width, Height: p.Height, Duration: p.Duration}, nil
}

// shelfFailure says what an error of the shelf means for a post.
func shelfFailure(ref string, err error) *post.Failure {
	if f, ok := errors.AsType[*post.Failure](err); ok {
		return f
	}
	if r, ok := errors.AsType[*media.Refusal](err); ok {
		class := post.ClassInvalid
		if r.Large {
			class = post.ClassLarge
		}
		return mediaFailure(class, ref, err)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return mediaFailure(post.ClassInvalid, ref, errors.New("the file is gone from the room's media folder"))
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return mediaFailure(post.ClassTimeout, ref, err)
	}
	return mediaFailure(post.ClassNetwork, ref, scrubError(err, nil))
}

// readyUnpinned opens media that was never taken into the room, such as that of
// posts from before there were pins. What goes out as it is needs no pin.
func (m *MediaRoom) readyUnpinned(ctx context.Context, ref post.Media, l *limits.MediaLimit) (*MediaFile, error) {
	most := l.MostBytes
	if m.shelf != nil {
		most = func(mime string) int64 {
			if l.Makes(mime) {
				return MostMedia
			}
			return l.MostBytes(mime)
		}
	}
	f, err := m.Open(ctx, ref, most)
	if err != nil {
		return nil, err
	}
	limit := l.MostBytes(f.Type)
	if (!l.Picky() || l.Takes(f.Type)) && (limit == 0 || f.Size <= limit) {
		return f, nil
	}
	defer f.Close() // it was only read: what becomes of it counts more
	if m.shelf == nil || !l.Makes(f.Type) {
		return nil, mediaFailure(post.ClassInvalid, ref.URL, errors.New("it is "+f.Type+", the platform takes "+limits.TypeNames(l.ImageTypes, l.VideoTypes)))
	}
	if ref.Pin, err = m.shelf.Put(ctx, f, f.Name, MostMedia); err != nil {
		return nil, shelfFailure(ref.URL, err)
	}
	return m.fit(ctx, &ref, l)
}

// Link returns a URL from which a platform that fetches media itself gets ref, in
// the form that [MediaRoom.Ready] gives. It is open for a day to whoever has it.
// The error is a *post.Failure of a post that was not sent.
func (m *MediaRoom) Link(ctx context.Context, ref post.Media, l *limits.MediaLimit) (string, error) {
	links := m.links.Load()
	if links == nil || m.shelf == nil {
		if ref.Pin.IsZero() && strings.HasPrefix(ref.URL, "https://") {
			return ref.URL, nil
		}
		return "", mediaFailure(post.ClassInvalid, ref.URL, errors.New("the platform fetches media itself, and nobody can fetch it from here: set public_url in the config"))
	}
	if ref.Pin.IsZero() {
		p, err := m.Pin(ctx, ref.URL, nil)
		if err != nil {
			return "", err
		}
		ref.Pin = p
	}
	f, err := m.fit(ctx, &ref, l)
	if err != nil {
		return "", err
	}
	defer f.Close() // it was only looked at
	return links.to(filepath.Base(f.File.Name()), f.Name), nil
}
