package main

import (
	"github.com/postroom/postroom/internal/secret"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
	"github.com/postroom/postroom/publish/postpost"
)

var postpostDriver = driver{
	name: "postpost", needs: []string{"key"},
	settings: func() driverSettings { return new(postpostSettings) },
}

// postpostSettings are those of an account at a PostPost API.
type postpostSettings struct {
	Server string
	Key    secret.Value
	To     []post.ConnectionID
}

func (s *postpostSettings) keys() []setting {
	return []setting{
		{"server", scalar(&s.Server, plainText("the URL of a PostPost API, like "+postpost.Server))},
		{"key", secretText(&s.Key)},
		{"to", func(v value) {
			v.list("connections there, like [twitter-123456]", func(v value) {
				id := ""
				scalar(&id, plainText("a connection there, like twitter-123456"))(v)
				if id != "" {
					s.To = append(s.To, post.ConnectionID(id))
				}
			})
		}},
	}
}

func (s *postpostSettings) publisher(id post.ConnectionID, at site) (publish.Publisher, error) {
	return postpost.New(postpost.Config{Connection: id, Server: s.Server, Key: s.Key.Reveal, To: s.To, Media: at.media, Now: at.now})
}
