package main

import (
	"github.com/postroom/postroom/internal/secret"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
	"github.com/postroom/postroom/publish/webhook"
)

var webhookDriver = driver{
	name: "webhook", needs: []string{"url", "secret"}, tokenless: true,
	settings: func() driverSettings { return new(webhookSettings) },
}

// webhookSettings are those of a receiver of signed posts.
type webhookSettings struct {
	URL          secret.Value // may carry a key
	Secret       secret.Value
	AllowPrivate bool
	Idempotent   bool
}

func (s *webhookSettings) keys() []setting {
	return []setting{
		{"url", secretText(&s.URL)},
		{"secret", secretText(&s.Secret)},
		{"allow_private", scalar(&s.AllowPrivate, yesNo)},
		{"idempotent", scalar(&s.Idempotent, yesNo)},
	}
}

func (s *webhookSettings) publisher(id post.ConnectionID, at site) (publish.Publisher, error) {
	return webhook.New(webhook.Config{
		Connection: id, URL: s.URL.Reveal, Secret: s.Secret.Reveal, AllowPrivate: s.AllowPrivate, Idempotent: s.Idempotent, Now: at.now,
	})
}
