package mastodon

import (
	"encoding/json"
	"fmt"

	"github.com/postroom/postroom/post"
)

// settings are what platform_settings may say under "mastodon".
type settings struct {
	Visibility  string `json:"visibility"`
	Language    string `json:"language"`
	Sensitive   bool   `json:"sensitive"`
	SpoilerText string `json:"spoiler_text"`
}

// settingsOf reads c's settings over the connection's own. Settings that are not
// known are left to other programs, as the API does (CONTRACT §5.3).
func settingsOf(c *post.Content, config *Config) (settings, error) {
	s := settings{Visibility: config.Visibility, Language: config.Language}
	if len(c.Settings) == 0 {
		return s, nil
	}
	all := struct {
		Mastodon *settings `json:"mastodon"`
	}{&s}
	if err := json.Unmarshal(c.Settings, &all); err != nil {
		return s, fmt.Errorf(`an object like {"mastodon": {"visibility": "unlisted", "sensitive": true}}`)
	}
	return s, checkVisibility(s.Visibility)
}

func checkVisibility(v string) error {
	switch v {
	case "public", "unlisted", "private", "direct":
		return nil
	}
	return fmt.Errorf("visibility %q: want public, unlisted, private or direct", v)
}
