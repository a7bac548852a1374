package telegram

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/postroom/postroom/post"
)

// settings are what platform_settings may say under "telegram" (CONTRACT §5.3).
type settings struct {
	Silent     bool   `json:"disableNotification"`
	NoPreview  bool   `json:"disableWebPagePreview"`
	AboveMedia bool   `json:"showCaptionAboveMedia"`
	Protect    bool   `json:"protectContent"`
	ParseMode  string `json:"parseMode"` // "" reads the marks of parseMarks
}

// settingsOf reads c's settings. Those that are not known are left to other
// programs, as the API does.
func settingsOf(c *post.Content) (settings, error) {
	var s settings
	if len(c.Settings) == 0 {
		return s, nil
	}
	all := struct {
		Telegram *settings `json:"telegram"`
	}{&s}
	if err := json.Unmarshal(c.Settings, &all); err != nil {
		return settings{}, errors.New(`an object like {"telegram": {"disableNotification": true}}`)
	}
	if s.ParseMode != "" && s.ParseMode != "HTML" && s.ParseMode != "MarkdownV2" {
		return settings{}, fmt.Errorf("parseMode %q: want HTML or MarkdownV2", s.ParseMode)
	}
	return s, nil
}
