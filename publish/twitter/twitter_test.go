package twitter_test

import (
	"net/http"
	"testing"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
	"github.com/postroom/postroom/publish/publishtest"
	"github.com/postroom/postroom/publish/twitter"
	"github.com/postroom/postroom/publish/twitter/twittertest"
)

const (
	connection = post.ConnectionID("twitter-123456")
	host       = "api.x.com"
)

var (
	_ publish.Publisher = (*twitter.Publisher)(nil)
	_ publish.Looker    = (*twitter.Publisher)(nil)
	_ publish.Pacer     = (*twitter.Publisher)(nil)
)

func canary() string { return publishtest.Canary }

// bearer and keys are the two kinds of credentials.
func bearer(c *twitter.Config) { c.Tokens = publish.FixedToken(canary) }

func keys(c *twitter.Config) {
	c.Keys = &twitter.Keys{Key: canary, KeySecret: canary, Token: canary, TokenSecret: canary}
}

// publisher talks to handler without a network.
func publisher(t *testing.T, handler http.Handler, with ...func(*twitter.Config)) (*twitter.Publisher, *publishtest.Transport) {
	t.Helper()
	transport := &publishtest.Transport{Handler: handler, Host: host}
	c := twitter.Config{Connection: connection, Transport: transport}
	for _, w := range with {
		w(&c)
	}
	p, err := twitter.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return p, transport
}

// pictures gives a publisher the pictures of the suite.
func pictures(t *testing.T) func(*twitter.Config) {
	t.Helper()
	room, err := publish.NewMediaRoom(publishtest.Pictures(t), publish.Guard{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return func(c *twitter.Config) { c.Media = room }
}

func TestSuite(t *testing.T) {
	t.Parallel()
	pictures := pictures(t)
	for name, credentials := range map[string]func(*twitter.Config){"OAuth 2": bearer, "OAuth 1.0a": keys} {
		for kind, duplicates := range map[string]bool{"refuses a duplicate": false, "takes a duplicate": true} {
			t.Run(name+" "+kind, func(t *testing.T) {
				t.Parallel()
				publishtest.Run(t, publishtest.Suite{
					Threads: true,
					New: func(t *testing.T) *publishtest.Subject {
						server := &twittertest.Server{Token: publishtest.Canary, Duplicates: duplicates}
						p, transport := publisher(t, publishtest.NewSpec(t, "x.openapi.json", server), credentials, pictures)
						return &publishtest.Subject{
							Again: func() publishtest.Publisher {
								p, _ := publisher(t, publishtest.NewSpec(t, "x.openapi.json", server), credentials, pictures)
								return p
							},
							Publisher: p, Connection: connection, Live: server.Texts,
							Pictured: func(text string) (names []string) {
								for _, tweet := range server.Ledger() {
									for _, id := range tweet.Media {
										if tweet.Text == text {
											names = append(names, publishtest.PictureIn(server.Medium(id).Content))
										}
									}
								}
								return names
							},
							Crawl:   transport.Crawls.Store,
							Strayed: func() bool { return transport.Strayed.Load() > 0 },
							Arrange: transport.Arrange(server.Next),
						}
					},
				})
			})
		}
	}
}
