package main

import (
	"github.com/postroom/postroom/internal/secret"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
	"github.com/postroom/postroom/publish/telegram"
)

var telegramDriver = driver{
	name: "telegram", only: "telegram", needs: []string{"bot_token", "chat"},
	settings: func() driverSettings { return new(telegramSettings) },
}

// telegramSettings are those of a chat that a bot posts to.
type telegramSettings struct {
	Server   string // "" for Telegram's own
	BotToken secret.Value
	Chat     string
}

func (s *telegramSettings) keys() []setting {
	return []setting{
		{"server", scalar(&s.Server, plainText("the URL of a Bot API server, like "+telegram.DefaultServer))},
		{"bot_token", secretText(&s.BotToken)},
		{"chat", scalar(&s.Chat, plainText("@channelname, or a number like -1001234567890"))},
	}
}

func (s *telegramSettings) publisher(id post.ConnectionID, at site) (publish.Publisher, error) {
	return telegram.New(telegram.Config{
		Connection: id, Server: s.Server, Token: s.BotToken.Reveal, Chat: s.Chat, Media: at.media, Now: at.now,
	})
}
