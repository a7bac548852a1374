package threads_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
	"github.com/postroom/postroom/publish/meta/metatest"
	"github.com/postroom/postroom/publish/publishtest"
	"github.com/postroom/postroom/publish/threads"
)

const (
	connection = post.ConnectionID("threads-17841400000000001")
	host       = "graph.threads.net"
)

var (
	_ publish.Publisher = (*threads.Publisher)(nil)
	_ publish.Looker    = (*threads.Publisher)(nil)
	_ publish.Pacer     = (*threads.Publisher)(nil)
)

func canary() string { return publishtest.Canary }

func publisher(t *testing.T, server *metatest.Server, multipart bool) (*threads.Publisher, *publishtest.Transport) {
	t.Helper()
	room, err := publish.NewMediaRoom("", publish.Guard{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &publishtest.Transport{Handler: server, Host: host}
	p, err := threads.New(threads.Config{Connection: connection, Tokens: publish.FixedToken(canary), Multipart: multipart, Media: room, Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	return p, transport
}

func TestSuite(t *testing.T) {
	t.Parallel()
	publishtest.Run(t, publishtest.Suite{
		Threads: true, Saves: 1,
		New: func(t *testing.T) *publishtest.Subject {
			server := &metatest.Server{Token: publishtest.Canary}
			p, transport := publisher(t, server, true)
			return &publishtest.Subject{
				Again: func() publishtest.Publisher {
					p, _ := publisher(t, server, true)
					return p
				},
				Publisher: p, Connection: connection, Live: server.Texts,
				Crawl:   transport.Crawls.Store,
				Strayed: func() bool { return transport.Strayed.Load() > 0 },
				Arrange: transport.Arrange(server.Next),
			}
		},
	})
}

func TestWhatAPostIsMadeOf(t *testing.T) {
	t.Parallel()
	jpg, film := post.Media{URL: "https://cdn.example/a.jpg", Alt: "one"}, post.Media{URL: "https://cdn.example/m.mp4"}
	for name, c := range map[string]struct {
		content post.Content
		want    map[string]string
	}{
		"a text":     {post.Content{Text: "plain"}, map[string]string{"text": "plain", "media_type": "TEXT"}},
		"who may":    {post.Content{Text: "plain", Settings: []byte(`{"threads":{"replyControl":"mentioned_only"}}`)}, map[string]string{"text": "plain", "media_type": "TEXT", "reply_control": "mentioned_only"}},
		"a picture":  {post.Content{Text: "see", Media: []post.Media{jpg}}, map[string]string{"text": "see", "media_type": "IMAGE", "image_url": jpg.URL, "alt_text": "one"}},
		"a film":     {post.Content{Text: "see", Media: []post.Media{film}}, map[string]string{"text": "see", "media_type": "VIDEO", "video_url": film.URL}},
		"a carousel": {post.Content{Text: "see", Media: []post.Media{jpg, jpg}}, map[string]string{"text": "see", "media_type": "CAROUSEL", "children": "*"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server := &metatest.Server{Processing: 1}
				p, _ := publisher(t, server, false)
				d := publishtest.NewDelivery(connection, c.content)
				if _, err := p.Publish(t.Context(), *d, publishtest.Keep(d)); err != nil {
					t.Fatal(err)
				}
				sent := server.Ledger()[0].Form
				if len(sent) != len(c.want) {
					t.Errorf("made of %v, want %v", sent, c.want)
				}
				for field, value := range c.want {
					if sent[field] != value && (value != "*" || sent[field] == "") {
						t.Errorf("%s is %q, want %q", field, sent[field], value)
					}
				}
			})
		})
	}
}

// The parts of a thread answer each other, and an app that may not do that says so
// before anything is promised (CONTRACT §5.1).
func TestThreads(t *testing.T) {
	t.Parallel()
	long := post.Content{Text: "first\n\n---\n\nsecond\n\n---\n\nthird"}
	synctest.Test(t, func(t *testing.T) {
		server := &metatest.Server{}
		p, _ := publisher(t, server, true)
		if problems := p.Validate(&long); post.HasErrors(problems) {
			t.Error(problems)
		}
		d := publishtest.NewDelivery(connection, long)
		if _, err := p.Publish(t.Context(), *d, publishtest.Keep(d)); err != nil {
			t.Fatal(err)
		}
		live := server.Ledger()
		if len(live) != 3 || live[1].Parent != live[0].ID || live[2].Parent != live[1].ID {
			t.Errorf("live are %+v", live)
		}

		p, _ = publisher(t, server, false)
		problems := p.Validate(&long)
		if !post.HasErrors(problems) || !strings.Contains(problems[len(problems)-1].Want, threads.Blocked) {
			t.Errorf("got %v", problems)
		}
		d = publishtest.NewDelivery(connection, long)
		if _, err := p.Publish(t.Context(), *d, publishtest.Keep(d)); err == nil || err.(*post.Failure).Sent != post.SentNot {
			t.Errorf("got %v", err)
		}
	})
}
