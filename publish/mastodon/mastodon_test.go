package mastodon_test

import (
	"net/http"
	"testing"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
	"github.com/postroom/postroom/publish/mastodon"
	"github.com/postroom/postroom/publish/mastodon/mastodontest"
	"github.com/postroom/postroom/publish/publishtest"
)

const (
	connection = post.ConnectionID("mastodon-acme")
	host       = "social.example"
)

var (
	_ publish.Publisher = (*mastodon.Publisher)(nil)
	_ publish.Looker    = (*mastodon.Publisher)(nil)
	_ publish.Pacer     = (*mastodon.Publisher)(nil)
)

func canary() string { return publishtest.Canary }

// subject returns a publisher that talks to server without a network.
func subject(t *testing.T, server *mastodontest.Server) *publishtest.Subject {
	return subjectBehind(t, server, server)
}

// subjectBehind is one whose calls pass through another handler first.
func subjectBehind(t *testing.T, server *mastodontest.Server, before http.Handler) *publishtest.Subject {
	t.Helper()
	server.Token = publishtest.Canary
	transport := &publishtest.Transport{Handler: before, Host: host}
	room, err := publish.NewMediaRoom(publishtest.Pictures(t), publish.Guard{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	again := func() publishtest.Publisher {
		p, err := mastodon.New(mastodon.Config{Connection: connection, Server: "https://" + host, Token: canary, Media: room, Transport: transport})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	t.Cleanup(func() {
		if v := server.Violations(); v != nil {
			t.Errorf("calls that the API does not allow: %q", v)
		}
	})
	return &publishtest.Subject{
		Again: again, Publisher: again(), Connection: connection, Live: server.Texts,
		Pictured: func(text string) (names []string) {
			for _, e := range server.Ledger() {
				for _, id := range e.Media {
					if e.Text == text {
						names = append(names, server.Medium(id).Name)
					}
				}
			}
			return names
		},
		Crawl:   transport.Crawls.Store,
		Strayed: func() bool { return transport.Strayed.Load() > 0 },
		Arrange: transport.Arrange(server.Next),
	}
}

func TestSuite(t *testing.T) {
	t.Parallel()
	for name, server := range map[string]func() *mastodontest.Server{
		"a server that honours keys": mastodontest.New,
		"a server that ignores keys": func() *mastodontest.Server { return &mastodontest.Server{Forgetful: true} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			publishtest.Run(t, publishtest.Suite{
				New:   func(t *testing.T) *publishtest.Subject { return subject(t, server()) },
				Knows: !server().Forgetful,
			})
		})
	}
}

// Both sides keep to Mastodon's own document.
func TestSuiteHeldAgainstTheDocument(t *testing.T) {
	t.Parallel()
	publishtest.Documented(t, "mastodon.openapi.json")
	publishtest.Run(t, publishtest.Suite{Knows: true, New: func(t *testing.T) *publishtest.Subject {
		s := mastodontest.New()
		spec := publishtest.NewSpec(t, "mastodon.openapi.json", s)
		spec.Partial = true // the sources of statuses are not in it
		u := subjectBehind(t, s, spec)
		u.Pictured = nil // to the document a status with both text and media is ambiguous
		return u
	}})
}
