package main

import (
	"github.com/postroom/postroom/internal/secret"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
	"github.com/postroom/postroom/publish/mastodon"
)

var mastodonDriver = driver{
	name: "mastodon", only: "mastodon", needs: []string{"server", "token"},
	settings: func() driverSettings { return new(mastodonSettings) },
}

// mastodonSettings are those of an account on a server of the Mastodon API.
type mastodonSettings struct {
	Server        string
	Token         secret.Value
	Visibility    string
	Language      string
	MaxCharacters int // of one text, in place of what the server announces; 0 for that
	AllowHTTP     bool
}

func (s *mastodonSettings) keys() []setting {
	return []setting{
		{"server", scalar(&s.Server, plainText("the URL of the server, like https://mastodon.social"))},
		{"token", secretText(&s.Token)},
		{"visibility", scalar(&s.Visibility, oneOf("public", "unlisted", "private"))},
		{"language", scalar(&s.Language, plainText("a language like en or de"))},
		{"max_characters", scalar(&s.MaxCharacters, count(1, 1_000_000))},
		{"allow_http", scalar(&s.AllowHTTP, yesNo)},
	}
}

func (s *mastodonSettings) publisher(id post.ConnectionID, at site) (publish.Publisher, error) {
	return mastodon.New(mastodon.Config{
		Connection: id, Server: s.Server, Token: s.Token.Reveal, Visibility: s.Visibility, Language: s.Language,
		MaxCharacters: s.MaxCharacters, PlainHTTP: s.AllowHTTP, Media: at.media, Now: at.now,
	})
}
