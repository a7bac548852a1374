package pinterest

import (
	"encoding/json"
	"errors"

	"github.com/postroom/postroom/post"
)

// settings are what platform_settings may say under "pinterest".
type settings struct {
	Board   string `json:"board"`   // instead of the connection's
	Section string `json:"section"` // the number of a section of the board
}

// settingsOf reads c's settings. Settings that are not known are left to other
// programs, as the API does (CONTRACT §5.3).
func settingsOf(c *post.Content) (settings, error) {
	s := settings{}
	if len(c.Settings) == 0 {
		return s, nil
	}
	all := struct {
		Pinterest *settings `json:"pinterest"`
	}{&s}
	if err := json.Unmarshal(c.Settings, &all); err != nil {
		return s, errors.New(`an object like {"pinterest": {"board": "Spring", "section": "123456"}}`)
	}
	if s.Section != "" && !number.MatchString(s.Section) {
		return s, errors.New("the number of a section of the board as section")
	}
	return s, nil
}
