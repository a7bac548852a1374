package main

import (
	"slices"
	"time"

	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
	"github.com/postroom/postroom/publish/sandbox"
)

var sandboxDriver = driver{name: "sandbox", settings: func() driverSettings { return new(sandboxSettings) }, opens: true, tokenless: true}

// sandboxSettings are those of a rehearsal.
type sandboxSettings struct {
	MaxCharacters int // of one text, in place of the platform's limit; 0 for that
	Numbering     publish.Numbering
	Switch        sandbox.Switch
	Delay         time.Duration
	Wait          time.Duration
}

func (s *sandboxSettings) keys() []setting {
	return []setting{
		{"max_characters", scalar(&s.MaxCharacters, count(1, 1_000_000))},
		{"thread_numbering", scalar(&s.Numbering, numbering)},
		{"switch", scalar(&s.Switch, sandboxSwitch)},
		{"delay", scalar(&s.Delay, length(0, time.Hour))},
		{"wait", scalar(&s.Wait, length(0, day))},
	}
}

func (s *sandboxSettings) publisher(id post.ConnectionID, at site) (publish.Publisher, error) {
	return sandbox.New(sandbox.Config{
		Connection: id, Dir: at.outbox, Limits: limits.PlatformOverride{MaxText: s.MaxCharacters}, Numbering: s.Numbering,
		Switch: s.Switch, Delay: s.Delay, Wait: s.Wait, Media: at.media, Now: at.now,
	})
}

var numbering = parser[publish.Numbering]{
	want: "one of auto, always, never",
	parse: func(text string) (publish.Numbering, string, bool) {
		n, err := publish.ParseNumbering(text)
		return n, nearest(text, "auto", "always", "never"), err == nil
	},
}

var sandboxSwitch = parser[sandbox.Switch]{
	want: "one of fail, throttle, slow, lost",
	parse: func(text string) (sandbox.Switch, string, bool) {
		s := sandbox.Switch(text)
		return s, nearest(text, "fail", "throttle", "slow", "lost"), slices.Contains([]sandbox.Switch{sandbox.Fail, sandbox.Throttle, sandbox.Slow, sandbox.Lost}, s)
	},
}
