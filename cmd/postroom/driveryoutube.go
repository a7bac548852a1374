package main

import (
	"github.com/postroom/postroom/internal/secret"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
	"github.com/postroom/postroom/publish/youtube"
)

var youtubeDriver = driver{
	name: "youtube", only: "youtube", needs: []string{"token"},
	settings: func() driverSettings { return new(youtubeSettings) },
}

// youtubeSettings are those of a channel on YouTube.
type youtubeSettings struct {
	Token    secret.Value
	Category string
	ForKids  bool
	API      string
}

func (s *youtubeSettings) keys() []setting {
	return []setting{
		{"token", secretText(&s.Token)},
		{"category", scalar(&s.Category, plainText("the number of a category, like 22"))},
		{"made_for_kids", scalar(&s.ForKids, yesNo)},
		{"api", scalar(&s.API, plainText("the URL of the API, like "+youtube.API))},
	}
}

func (s *youtubeSettings) publisher(id post.ConnectionID, at site) (publish.Publisher, error) {
	return youtube.New(youtube.Config{
		Connection: id, Tokens: at.tokens(s.Token), Category: s.Category, ForKids: s.ForKids, API: s.API, Media: at.media, Now: at.now,
	})
}
