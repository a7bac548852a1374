package main

import (
	"github.com/postroom/postroom/internal/secret"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
	"github.com/postroom/postroom/publish/bluesky"
)

var blueskyDriver = driver{
	name: "bluesky", only: "bluesky", needs: []string{"identifier", "app_password"},
	settings: func() driverSettings { return new(blueskySettings) },
}

// blueskySettings are those of an account on Bluesky, or on another server of the
// AT Protocol.
type blueskySettings struct {
	Server      string // "" for Bluesky's own
	Identifier  string
	AppPassword secret.Value
	Language    string
	AllowHTTP   bool
}

func (s *blueskySettings) keys() []setting {
	return []setting{
		{"server", scalar(&s.Server, plainText("the URL of the server, like "+bluesky.DefaultServer))},
		{"identifier", scalar(&s.Identifier, plainText("the handle, like acme.bsky.social"))},
		{"app_password", secretText(&s.AppPassword)},
		{"language", scalar(&s.Language, plainText("a language like en or de"))},
		{"allow_http", scalar(&s.AllowHTTP, yesNo)},
	}
}

func (s *blueskySettings) publisher(id post.ConnectionID, at site) (publish.Publisher, error) {
	return bluesky.New(bluesky.Config{
		Connection: id, Server: s.Server, Identifier: s.Identifier, Password: s.AppPassword.Reveal, Language: s.Language,
		PlainHTTP: s.AllowHTTP, Media: at.media, Now: at.now,
	})
}
