package main

import (
	"strings"

	"github.com/postroom/postroom/internal/secret"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
	"github.com/postroom/postroom/publish/facebook"
	"github.com/postroom/postroom/publish/instagram"
	"github.com/postroom/postroom/publish/meta"
	"github.com/postroom/postroom/publish/threads"
)

var (
	facebookDriver = driver{
		name: "facebook", only: "facebook", needs: []string{"token"},
		settings: func() driverSettings { return new(facebookSettings) },
	}
	instagramDriver = driver{
		name: "instagram", only: "instagram", needs: []string{"token"},
		settings: func() driverSettings { return new(instagramSettings) },
	}
	threadsDriver = driver{
		name: "threads", only: "threads", needs: []string{"token"},
		settings: func() driverSettings { return new(threadsSettings) },
	}
)

// metaSettings are those that the platforms of Meta share.
type metaSettings struct {
	Token     secret.Value
	AppSecret secret.Value
	Version   string
	API       string
}

func (s *metaSettings) keys(api, version string) []setting {
	return []setting{
		{"token", secretText(&s.Token)},
		{"app_secret", secretText(&s.AppSecret)},
		{"version", scalar(&s.Version, plainText("the version of the API, like "+version))},
		{"api", scalar(&s.API, plainText("the URL of the API, like "+api))},
	}
}

// numbered is the number that an id ends in, as the connections of the API's docs
// do; "" when it is a name.
func numbered(id post.ConnectionID) string {
	if raw := id.Raw(); raw != "" && strings.Trim(raw, "0123456789") == "" {
		return raw
	}
	return ""
}

// facebookSettings are those of a page.
type facebookSettings struct {
	metaSettings
	Page string
}

func (s *facebookSettings) keys() []setting {
	return append(s.metaSettings.keys(facebook.API, meta.Version), setting{"page", scalar(&s.Page, plainText("the number of the page"))})
}

func (s *facebookSettings) publisher(id post.ConnectionID, at site) (publish.Publisher, error) {
	if s.Page == "" {
		s.Page = numbered(id)
	}
	return facebook.New(facebook.Config{
		Connection: id, Tokens: at.tokens(s.Token), Page: s.Page, AppSecret: s.AppSecret.Reveal, API: s.API, Version: s.Version,
		Media: at.media, Now: at.now,
	})
}

// instagramSettings are those of a professional account.
type instagramSettings struct {
	metaSettings
	User string
}

func (s *instagramSettings) keys() []setting {
	return append(s.metaSettings.keys(instagram.API, meta.Version), setting{"user", scalar(&s.User, plainText("the number of the account"))})
}

func (s *instagramSettings) publisher(id post.ConnectionID, at site) (publish.Publisher, error) {
	if s.User == "" {
		s.User = numbered(id)
	}
	return instagram.New(instagram.Config{
		Connection: id, Tokens: at.tokens(s.Token), User: s.User, AppSecret: s.AppSecret.Reveal, API: s.API, Version: s.Version,
		Media: at.media, Now: at.now,
	})
}

// threadsSettings are those of a profile.
type threadsSettings struct {
	metaSettings
	User      string
	Multipart bool
	Numbering publish.Numbering
}

func (s *threadsSettings) keys() []setting {
	return append(s.metaSettings.keys(threads.API, threads.Version),
		setting{"user", scalar(&s.User, plainText("the number of the profile"))},
		setting{"multipart", scalar(&s.Multipart, yesNo)},
		setting{"thread_numbering", scalar(&s.Numbering, numbering)},
	)
}

func (s *threadsSettings) publisher(id post.ConnectionID, at site) (publish.Publisher, error) {
	if s.User == "" {
		s.User = numbered(id)
	}
	return threads.New(threads.Config{
		Connection: id, Tokens: at.tokens(s.Token), User: s.User, AppSecret: s.AppSecret.Reveal, API: s.API, Version: s.Version,
		Multipart: s.Multipart, Numbering: s.Numbering, Media: at.media, Now: at.now,
	})
}
