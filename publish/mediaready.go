package publish

import (
	"context"
	"errors"
	"strings"

	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
)

// Ready opens media in a form that a platform with such limits takes. The error
// is a *post.Failure of a post that was not sent.
func (m *MediaRoom) Ready(ctx context.Context, ref post.Media, l *limits.MediaLimit) (*MediaFile, error) {
	f, err := m.Open(ctx, ref, l.MostBytes)
	if err != nil {
		return nil, err
	}
	if l.Picky() && !l.Takes(f.Type) {
		f.Close() // it was only read: why it is not taken counts more
		return nil, mediaFailure(post.ClassInvalid, ref.URL, errors.New("it is "+f.Type+", the platform takes "+typeNames(l.ImageTypes, l.VideoTypes)))
	}
	return f, nil
}

// Link returns a URL from which a platform that fetches media itself gets ref.
// The error is a *post.Failure of a post that was not sent.
func (m *MediaRoom) Link(_ context.Context, ref post.Media, _ *limits.MediaLimit) (string, error) {
	if strings.HasPrefix(ref.URL, "https://") {
		return ref.URL, nil
	}
	return "", mediaFailure(post.ClassInvalid, ref.URL, errors.New("the platform fetches media itself, so it must be an https URL that anybody can open"))
}
