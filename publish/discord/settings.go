package discord

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/postroom/postroom/post"
)

// settings are what platform_settings may say under "discord".
type settings struct {
	Mentions   []string `json:"mentions"`    // which mentions in the text notify: users, roles, everyone; none when left out
	ThreadName string   `json:"thread_name"` // begins a thread of that name, which forum channels want of every post
}

const maxThreadName = 100 // characters

// settingsOf reads c's settings. Settings that are not known are left to other
// programs, as the API does (CONTRACT §5.3).
func settingsOf(c *post.Content) (settings, error) {
	s := settings{}
	if len(c.Settings) > 0 {
		all := struct {
			Discord *settings `json:"discord"`
		}{&s}
		if err := json.Unmarshal(c.Settings, &all); err != nil {
			return s, errors.New(`an object like {"discord": {"mentions": ["roles"], "thread_name": "Spring"}}`)
		}
	}
	if s.Mentions == nil {
		s.Mentions = []string{}
	}
	for i, m := range s.Mentions {
		if !slices.Contains([]string{"users", "roles", "everyone"}, m) || slices.Contains(s.Mentions[:i], m) {
			return s, fmt.Errorf("mentions %q: want users, roles and everyone, each once", m)
		}
	}
	if utf8.RuneCountInString(s.ThreadName) > maxThreadName {
		return s, fmt.Errorf("thread_name: want at most %d characters", maxThreadName)
	}
	return s, nil
}
