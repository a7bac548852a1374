package main

import (
	"github.com/postroom/postroom/internal/secret"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
	"github.com/postroom/postroom/publish/discord"
)

var discordDriver = driver{
	name: "discord", only: "discord", needs: []string{"url"},
	settings: func() driverSettings { return new(discordSettings) },
}

// discordSettings are those of a webhook of a Discord channel.
type discordSettings struct {
	URL      secret.Value // whoever has it can post
	Thread   string
	Username string
}

func (s *discordSettings) keys() []setting {
	return []setting{
		{"url", secretText(&s.URL)},
		{"thread", scalar(&s.Thread, plainText("the id of a thread, in quotes"))},
		{"username", scalar(&s.Username, plainText("a name to post under"))},
	}
}

func (s *discordSettings) publisher(id post.ConnectionID, at site) (publish.Publisher, error) {
	return discord.New(discord.Config{Connection: id, URL: s.URL.Reveal, Thread: s.Thread, Username: s.Username, Media: at.media, Now: at.now})
}
