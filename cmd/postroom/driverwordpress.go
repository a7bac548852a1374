package main

import (
	"github.com/postroom/postroom/internal/secret"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
	"github.com/postroom/postroom/publish/wordpress"
)

var wordpressDriver = driver{
	name: "wordpress", only: "wordpress", needs: []string{"server", "user", "password"},
	settings: func() driverSettings { return new(wordpressSettings) },
}

// wordpressSettings are those of a site.
type wordpressSettings struct {
	Server     string
	User       string
	Password   secret.Value
	Categories []string
	Tags       []string
}

func (s *wordpressSettings) keys() []setting {
	return []setting{
		{"server", scalar(&s.Server, plainText("the URL of the site, like https://blog.example.org"))},
		{"user", scalar(&s.User, plainText("the name that logs in"))},
		{"password", secretText(&s.Password)},
		{"categories", slugs(&s.Categories)},
		{"tags", slugs(&s.Tags)},
	}
}

// slugs reads a list of the names that WordPress puts into addresses.
func slugs(into *[]string) func(value) {
	return func(v value) {
		v.list("slugs, like [company-news]", func(v value) {
			slug := ""
			scalar(&slug, plainText("a slug, like company-news"))(v)
			if slug != "" {
				*into = append(*into, slug)
			}
		})
	}
}

func (s *wordpressSettings) publisher(id post.ConnectionID, at site) (publish.Publisher, error) {
	return wordpress.New(wordpress.Config{
		Connection: id, Server: s.Server, User: s.User, Password: s.Password.Reveal, Categories: s.Categories, Tags: s.Tags, Media: at.media, Now: at.now,
	})
}
