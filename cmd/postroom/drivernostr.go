package main

import (
	"github.com/postroom/postroom/internal/secret"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
	"github.com/postroom/postroom/publish/nostr"
)

var nostrDriver = driver{
	name: "nostr", only: "nostr", needs: []string{"key", "relays"},
	settings: func() driverSettings { return new(nostrSettings) },
}

// nostrSettings are those of a key on Nostr.
type nostrSettings struct {
	Key       secret.Value
	Relays    []string
	MaxLength int // 0 for as much as relays commonly take
	Numbering publish.Numbering
}

func (s *nostrSettings) keys() []setting {
	return []setting{
		{"key", secretText(&s.Key)},
		{"relays", func(v value) { s.Relays = v.relays() }},
		{"max_length", scalar(&s.MaxLength, count(140, 1_000_000))},
		{"thread_numbering", scalar(&s.Numbering, numbering)},
	}
}

// relays reads the addresses of relays.
func (v value) relays() []string {
	var all []string
	v.list("relays, like [wss://relay.example.org]", func(v value) {
		relay := ""
		scalar(&relay, plainText("an address like wss://relay.example.org"))(v)
		if relay != "" {
			all = append(all, relay)
		}
	})
	return all
}

func (s *nostrSettings) publisher(id post.ConnectionID, at site) (publish.Publisher, error) {
	return nostr.New(nostr.Config{
		Connection: id, Key: s.Key.Reveal, Relays: s.Relays, MaxLength: s.MaxLength, Numbering: s.Numbering, Media: at.media, Now: at.now,
	})
}
