package main

import (
	"github.com/postroom/postroom/internal/secret"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
	"github.com/postroom/postroom/publish/slack"
)

var slackDriver = driver{
	name: "slack", only: "slack", needs: []string{"url"},
	settings: func() driverSettings { return new(slackSettings) },
}

// slackSettings are those of an incoming webhook of Slack.
type slackSettings struct {
	URL secret.Value // whoever has it can post
}

func (s *slackSettings) keys() []setting { return []setting{{"url", secretText(&s.URL)}} }

func (s *slackSettings) publisher(id post.ConnectionID, at site) (publish.Publisher, error) {
	return slack.New(slack.Config{Connection: id, URL: s.URL.Reveal, Media: at.media, Now: at.now})
}
