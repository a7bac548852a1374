package main

import (
	"github.com/postroom/postroom/internal/secret"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
	"github.com/postroom/postroom/publish/tiktok"
)

var tiktokDriver = driver{
	name: "tiktok", only: "tiktok", needs: []string{"token"},
	settings: func() driverSettings { return new(tiktokSettings) },
}

// tiktokSettings are those of an account on TikTok.
type tiktokSettings struct {
	Token secret.Value
	API   string
}

func (s *tiktokSettings) keys() []setting {
	return []setting{
		{"token", secretText(&s.Token)},
		{"api", scalar(&s.API, plainText("the URL of the API, like "+tiktok.API))},
	}
}

func (s *tiktokSettings) publisher(id post.ConnectionID, at site) (publish.Publisher, error) {
	return tiktok.New(tiktok.Config{
		Connection: id, Tokens: at.tokens(s.Token), API: s.API, Media: at.media, Now: at.now,
	})
}
