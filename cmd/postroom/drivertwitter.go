package main

import (
	"github.com/postroom/postroom/internal/secret"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
	"github.com/postroom/postroom/publish/twitter"
)

var twitterDriver = driver{
	name: "twitter", only: "twitter",
	settings: func() driverSettings { return new(twitterSettings) },
}

// twitterSettings are those of an account on X: a token, the four keys, or a login.
type twitterSettings struct {
	Token         secret.Value
	Key           secret.Value
	KeySecret     secret.Value
	AccessToken   secret.Value
	AccessSecret  secret.Value
	MaxCharacters int // of one post, in place of 280; 0 for that
	Numbering     publish.Numbering
	API           string
}

func (s *twitterSettings) keys() []setting {
	return []setting{
		{"token", secretText(&s.Token)},
		{"consumer_key", secretText(&s.Key)},
		{"consumer_secret", secretText(&s.KeySecret)},
		{"access_token", secretText(&s.AccessToken)},
		{"access_secret", secretText(&s.AccessSecret)},
		{"max_characters", scalar(&s.MaxCharacters, count(1, 1_000_000))},
		{"thread_numbering", scalar(&s.Numbering, numbering)},
		{"api", scalar(&s.API, plainText("the URL of the API, like "+twitter.API))},
	}
}

func (s *twitterSettings) publisher(id post.ConnectionID, at site) (publish.Publisher, error) {
	c := twitter.Config{
		Connection: id, MaxCharacters: s.MaxCharacters, Numbering: s.Numbering, API: s.API, Media: at.media, Now: at.now,
	}
	if !s.Token.IsZero() || at.login != nil {
		c.Tokens = at.tokens(s.Token)
	}
	if !s.Key.IsZero() || !s.KeySecret.IsZero() || !s.AccessToken.IsZero() || !s.AccessSecret.IsZero() {
		c.Keys = &twitter.Keys{Key: s.Key.Reveal, KeySecret: s.KeySecret.Reveal, Token: s.AccessToken.Reveal, TokenSecret: s.AccessSecret.Reveal}
	}
	return twitter.New(c)
}
