package main

import (
	"github.com/postroom/postroom/internal/secret"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
	"github.com/postroom/postroom/publish/linkedin"
)

var linkedinDriver = driver{
	name: "linkedin", only: "linkedin", needs: []string{"token"},
	settings: func() driverSettings { return new(linkedinSettings) },
}

// linkedinSettings are those of a member or a page on LinkedIn.
type linkedinSettings struct {
	Token   secret.Value
	Author  string
	Version string
	API     string
}

func (s *linkedinSettings) keys() []setting {
	return []setting{
		{"token", secretText(&s.Token)},
		{"author", scalar(&s.Author, plainText("as whom to post, like urn:li:organization:123456"))},
		{"version", scalar(&s.Version, plainText("the version of the API, like "+linkedin.Version))},
		{"api", scalar(&s.API, plainText("the URL of the API, like "+linkedin.API))},
	}
}

func (s *linkedinSettings) publisher(id post.ConnectionID, at site) (publish.Publisher, error) {
	return linkedin.New(linkedin.Config{
		Connection: id, Tokens: at.tokens(s.Token), Author: s.Author, Version: s.Version, API: s.API, Media: at.media, Now: at.now,
	})
}
