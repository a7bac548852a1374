package main

import (
	"github.com/postroom/postroom/internal/secret"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
	"github.com/postroom/postroom/publish/pinterest"
)

var pinterestDriver = driver{
	name: "pinterest", only: "pinterest", needs: []string{"token", "board"},
	settings: func() driverSettings { return new(pinterestSettings) },
}

// pinterestSettings are those of an account and one of its boards.
type pinterestSettings struct {
	Token secret.Value
	Board string
	API   string
}

func (s *pinterestSettings) keys() []setting {
	return []setting{
		{"token", secretText(&s.Token)},
		{"board", scalar(&s.Board, plainText("the name or the number of a board"))},
		{"api", scalar(&s.API, plainText("the URL of the API, like "+pinterest.API))},
	}
}

func (s *pinterestSettings) publisher(id post.ConnectionID, at site) (publish.Publisher, error) {
	return pinterest.New(pinterest.Config{
		Connection: id, Tokens: at.tokens(s.Token), Board: s.Board, API: s.API, Media: at.media, Now: at.now,
	})
}
