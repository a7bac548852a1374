package slack_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
	"github.com/postroom/postroom/publish/publishtest"
	"github.com/postroom/postroom/publish/slack"
	"github.com/postroom/postroom/publish/slack/slacktest"
)

const (
	connection = post.ConnectionID("slack-acme")
	host       = "hooks.slack.com"
	path       = "/services/T0001/B0001/" + publishtest.Canary
)

var (
	_ publish.Publisher = (*slack.Publisher)(nil)
	_ publish.Pacer     = (*slack.Publisher)(nil)
)

func hook() string { return "https://" + host + path }

func publisher(t *testing.T, handler http.Handler) (*slack.Publisher, *publishtest.Transport) {
	t.Helper()
	room, err := publish.NewMediaRoom("", publish.Guard{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &publishtest.Transport{Handler: handler, Host: host}
	p, err := slack.New(slack.Config{Connection: connection, URL: hook, Media: room, Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	return p, transport
}

func TestSuite(t *testing.T) {
	t.Parallel()
	publishtest.Run(t, publishtest.Suite{New: func(t *testing.T) *publishtest.Subject {
		server := &slacktest.Server{Path: path}
		p, transport := publisher(t, server)
		return &publishtest.Subject{
			Again: func() publishtest.Publisher {
				p, _ := publisher(t, server)
				return p
			},
			Publisher: p, Connection: connection, Live: server.Texts,
			Crawl:   transport.Crawls.Store,
			Strayed: func() bool { return transport.Strayed.Load() > 0 },
			Arrange: transport.Arrange(server.Next),
		}
	}})
}

func send(t *testing.T, p *slack.Publisher, c post.Content) *post.Failure {
	t.Helper()
	now := time.Now()
	id := post.MakeID(now, [5]byte{1}, 1)
	r, err := p.Publish(t.Context(), post.Delivery{
		Content: c, Post: post.Post{ID: id.Add(1), Group: id, Account: "acme", Connection: connection, SlotAt: now, BegunAt: now},
	}, func([]post.Part, []byte) error { return nil })
	if err == nil {
		if r.URL != "" {
			t.Errorf("a link to what has none: %q", r.URL)
		}
		return nil
	}
	f, ok := err.(*post.Failure)
	if !ok || strings.Contains(f.Error(), publishtest.Canary) {
		t.Fatalf("error %v (%T)", err, err)
	}
	return f
}

func TestPublishWritesForSlack(t *testing.T) {
	t.Parallel()
	server := &slacktest.Server{Path: path}
	p, _ := publisher(t, server)
	long := strings.Repeat("a & b <c> ", 900) // each of 10 characters is 25 when escaped
	for _, c := range []post.Content{
		{Text: "5 < 6 & 7 > 6 <!channel>", Link: "https://example.com/?a=1&b=2"},
		{Text: "seen", Media: []post.Media{{URL: "https://example.com/a.png", Alt: "a picture"}, {URL: "https://example.com/b.mp4"}, {URL: "https://example.com/c.jpg"}}},
		{Text: long, Media: []post.Media{{URL: "https://example.com/a.png"}}},
		{Media: []post.Media{{URL: "https://example.com/a.png", Alt: "alone"}}},
	} {
		if f := send(t, p, c); f != nil {
			t.Fatal(f)
		}
	}
	all := server.Ledger()
	if e := all[0]; e.Text != "5 < 6 & 7 > 6 <!channel>\n\nhttps://example.com/?a=1&b=2" || e.Sections != nil {
		t.Errorf("a text is %+v", e)
	}
	e := all[1]
	if e.Text != "seen\n<https://example.com/b.mp4>" || len(e.Sections) != 1 || e.Sections[0] != e.Text || len(e.Pictures) != 2 ||
		e.Pictures[0] != (slacktest.Picture{URL: "https://example.com/a.png", Alt: "a picture"}) || e.Pictures[1].Alt == "" {
		t.Errorf("a text with media is %+v", e)
	}
	if got := strings.Join(all[2].Sections, " "); got != strings.TrimSpace(long) {
		t.Errorf("a long text is %d sections that say something else", len(all[2].Sections))
	}
	if e := all[3]; e.Text != "alone" || len(e.Sections) != 0 || len(e.Pictures) != 1 {
		t.Errorf("a picture alone is %+v", e)
	}
}

func TestRefusalsSayWhatToDo(t *testing.T) {
	t.Parallel()
	for word, says := range map[string]string{
		"no_service": "make a new one", "channel_is_archived": "archived", "invalid_token": "copy it again", "action_prohibited": "admin",
	} {
		p, _ := publisher(t, &slacktest.Server{Path: path, Says: word})
		f := send(t, p, post.Content{Text: "x"})
		if f == nil || f.Class != post.ClassAuth || f.Scope != post.ScopeConnection || f.Sent != post.Refused || !strings.Contains(f.Message, says) {
			t.Errorf("%s: %+v", word, f)
		}
		if _, err := p.Check(t.Context()); err == nil {
			t.Errorf("%s: the check finds nothing wrong", word)
		}
	}
	p, _ := publisher(t, &slacktest.Server{Path: path, Says: "too_many_attachments"})
	if f := send(t, p, post.Content{Text: "x"}); f == nil || f.Class != post.ClassInvalid || f.Scope != post.ScopePost {
		t.Errorf("a refused post: %+v", f)
	}
}

func TestCheckPostsNothing(t *testing.T) {
	t.Parallel()
	server := &slacktest.Server{Path: path}
	p, _ := publisher(t, server)
	if _, err := p.Check(t.Context()); err != nil || len(server.Ledger()) != 0 {
		t.Errorf("error %v, live %q", err, server.Texts())
	}
}

func TestNewRefusesWhatIsNoWebhook(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"", "http://hooks.slack.com" + path, "https://hooks.slack.com/services/T0001/" + publishtest.Canary, "https://acme.slack.com/archives/C1/p1",
		"https://hooks.slack.com/workflows/T1/A1/1/" + publishtest.Canary, "https://hooks.slack.com" + path + "?a=b",
	} {
		if _, err := slack.New(slack.Config{Connection: connection, URL: func() string { return url }}); err == nil || strings.Contains(err.Error(), publishtest.Canary) {
			t.Errorf("error %v", err)
		}
	}
}

func TestValidateWantsMediaThatSlackCanFetch(t *testing.T) {
	t.Parallel()
	p, _ := publisher(t, &slacktest.Server{})
	for ref, ok := range map[string]bool{"https://example.com/a.png": true, "a.png": false, "http://example.com/a.png": false} {
		if problems := p.Validate(&post.Content{Text: "x", Media: []post.Media{{URL: ref}}}); post.HasErrors(problems) == ok {
			t.Errorf("%s: problems %v", ref, problems)
		}
	}
}
