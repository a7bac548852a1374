package main

import (
	"github.com/postroom/postroom/internal/secret"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
	"github.com/postroom/postroom/publish/matrix"
)

var matrixDriver = driver{
	name: "matrix", only: "matrix", needs: []string{"server", "access_token", "room"},
	settings: func() driverSettings { return new(matrixSettings) },
}

// matrixSettings are those of a room on Matrix.
type matrixSettings struct {
	Server      string
	AccessToken secret.Value
	Room        string
	AllowHTTP   bool
}

func (s *matrixSettings) keys() []setting {
	return []setting{
		{"server", scalar(&s.Server, plainText("the URL of the homeserver, like https://matrix.org"))},
		{"access_token", secretText(&s.AccessToken)},
		{"room", scalar(&s.Room, plainText("a room like #news:example.org or !abc:example.org"))},
		{"allow_http", scalar(&s.AllowHTTP, yesNo)},
	}
}

func (s *matrixSettings) publisher(id post.ConnectionID, at site) (publish.Publisher, error) {
	return matrix.New(matrix.Config{
		Connection: id, Server: s.Server, Token: s.AccessToken.Reveal, Room: s.Room, PlainHTTP: s.AllowHTTP, Media: at.media, Now: at.now,
	})
}
