package youtube_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
	"github.com/postroom/postroom/publish/publishtest"
	"github.com/postroom/postroom/publish/youtube"
	"github.com/postroom/postroom/publish/youtube/youtubetest"
)

const (
	connection = post.ConnectionID("youtube-acme")
	host       = "youtube.googleapis.com"
	bytes      = 4200 // of the film
)

var (
	_ publish.Publisher = (*youtube.Publisher)(nil)
	_ publish.Looker    = (*youtube.Publisher)(nil)
	_ publish.Pacer     = (*youtube.Publisher)(nil)
)

func canary() string { return publishtest.Canary }

func publisher(t *testing.T, server *youtubetest.Server) (*youtube.Publisher, *publishtest.Transport) {
	t.Helper()
	dir := t.TempDir()
	film := "\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom"
	if err := os.WriteFile(filepath.Join(dir, "movie.mp4"), []byte(film+strings.Repeat("f", bytes-len(film))), 0o600); err != nil {
		t.Fatal(err)
	}
	room, err := publish.NewMediaRoom(dir, publish.Guard{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &publishtest.Transport{Handler: server, Host: host}
	p, err := youtube.New(youtube.Config{Connection: connection, Tokens: publish.FixedToken(canary), Media: room, Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	return p, transport
}

// filmed adds a film to what the suite sends, as no text goes out alone.
type filmed struct{ *youtube.Publisher }

func (p filmed) with(d post.Delivery) post.Delivery {
	d.Content.Media = []post.Media{{URL: "movie.mp4"}}
	return d
}

func (p filmed) Publish(ctx context.Context, d post.Delivery, save publish.Save) (post.Receipt, error) {
	return p.Publisher.Publish(ctx, p.with(d), save)
}

func (p filmed) Lookup(ctx context.Context, d post.Delivery) (post.Found, error) {
	return p.Publisher.Lookup(ctx, p.with(d))
}

func TestSuite(t *testing.T) {
	t.Parallel()
	publishtest.Run(t, publishtest.Suite{
		New: func(t *testing.T) *publishtest.Subject {
			server := &youtubetest.Server{Token: publishtest.Canary}
			p, transport := publisher(t, server)
			return &publishtest.Subject{
				Again: func() publishtest.Publisher {
					p, _ := publisher(t, server)
					return filmed{p}
				},
				Publisher: filmed{p}, Connection: connection, Live: server.Descriptions,
				Crawl:   transport.Crawls.Store,
				Strayed: func() bool { return transport.Strayed.Load() > 0 },
				Arrange: transport.Arrange(server.Next),
			}
		},
	})
}

func delivery(c post.Content) *post.Delivery {
	c.Media = []post.Media{{URL: "movie.mp4"}}
	return publishtest.NewDelivery(connection, c)
}

func TestUploadsGoOnWhereTheyStopped(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		takes int
		fault publishtest.Fault
	}{
		"YouTube wants more":       {1000, publishtest.None},
		"nothing arrived":          {0, publishtest.Unheard},
		"throttled":                {0, publishtest.Throttle},
		"all arrived, not told":    {0, publishtest.Lost},
		"broken after all arrived": {0, publishtest.BrokenLate},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server := &youtubetest.Server{Takes: c.takes}
				p, _ := publisher(t, server)
				d := delivery(post.Content{Text: "the film"})
				server.Next(c.fault)
				if _, err := p.Publish(t.Context(), *d, publishtest.Keep(d)); err == nil {
					t.Fatal("no failure")
				}
				r, err := p.Publish(t.Context(), *d, publishtest.Keep(d))
				if err != nil {
					t.Fatal(err)
				}
				films := server.Films()
				if len(films) != 1 || len(films[0].Content) != bytes || r.URL != "https://www.youtube.com/watch?v="+r.RemoteID {
					t.Errorf("%d films, receipt %+v", len(films), r)
				}
			})
		})
	}
}

// A film that YouTube has whole is not sent again, and is not absent.
func TestP2_AFilmThatIsNotYetAVideoIsInDoubt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &youtubetest.Server{Busy: true}
		p, _ := publisher(t, server)
		d := delivery(post.Content{Text: "the film"})
		d.Content.Media[0].Pin.Size = bytes
		server.Next(publishtest.Lost)
		if _, err := p.Publish(t.Context(), *d, publishtest.Keep(d)); err == nil {
			t.Fatal("no failure")
		}
		if found, err := p.Lookup(t.Context(), *d); err == nil {
			t.Errorf("look-up: %+v, want nothing decided", found)
		}
		_, err := p.Publish(t.Context(), *d, publishtest.Keep(d))
		if f, ok := err.(*post.Failure); !ok || !f.InDoubt() {
			t.Errorf("sent again: %v, want a doubt", err)
		}
		server.Busy = false
		if found, err := p.Lookup(t.Context(), *d); err != nil || found.State != post.Present || len(server.Films()) != 1 {
			t.Errorf("look-up: %+v, %v, %d films", found, err, len(server.Films()))
		}
	})
}

// An upload that YouTube has forgotten may have been complete.
func TestP2_AForgottenUploadIsNotBegunAnew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &youtubetest.Server{}
		p, _ := publisher(t, server)
		d := delivery(post.Content{Text: "the film"})
		server.Next(publishtest.Lost)
		if _, err := p.Publish(t.Context(), *d, publishtest.Keep(d)); err == nil {
			t.Fatal("no failure")
		}
		server.Forget()
		if found, err := p.Lookup(t.Context(), *d); err != nil || found.State != post.Undecidable {
			t.Errorf("look-up: %+v, %v", found, err)
		}
		_, err := p.Publish(t.Context(), *d, publishtest.Keep(d))
		if f, ok := err.(*post.Failure); !ok || !f.InDoubt() || len(server.Films()) != 1 {
			t.Errorf("got %v, %d films", err, len(server.Films()))
		}
	})
}

func TestTitles(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("word ", 30)
	for name, c := range map[string]struct {
		content post.Content
		want    string // "" for a problem
	}{
		"its own":           {post.Content{Text: "text", Title: "A film"}, "A film"},
		"of the settings":   {post.Content{Text: "text", Title: "A film", Settings: []byte(`{"youtube":{"title":"Another"}}`)}, "Another"},
		"of the text":       {post.Content{Text: "a <b>short</b>\ntext"}, "a bshort/b text"},
		"of a long text":    {post.Content{Text: long}, strings.TrimSpace(strings.Repeat("word ", 14))},
		"too long":          {post.Content{Text: "text", Title: long}, ""},
		"with a wrong sign": {post.Content{Text: "text", Title: "a < b"}, ""},
		"nothing":           {post.Content{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := &youtubetest.Server{}
			p, _ := publisher(t, server)
			d := delivery(c.content)
			if wrong := post.HasErrors(p.Validate(&d.Content)); wrong != (c.want == "") {
				t.Fatalf("problems: %v", p.Validate(&d.Content))
			}
			if c.want == "" {
				return
			}
			if _, err := p.Publish(t.Context(), *d, publishtest.Keep(d)); err != nil {
				t.Fatal(err)
			}
			if got := server.Films()[0]; got.Title != c.want || got.Privacy != "public" {
				t.Errorf("got %q and %s, want %q", got.Title, got.Privacy, c.want)
			}
		})
	}
}

// What YouTube refuses is told by a reason, whatever the status (PLATFORMS §2.8).
func TestRefusalsSayWhatToDo(t *testing.T) {
	t.Parallel()
	for reason, c := range map[string]struct {
		status int
		class  post.Class
		after  time.Duration // at least
	}{
		"uploadLimitExceeded":   {400, post.ClassRate, 24 * time.Hour},
		"quotaExceeded":         {403, post.ClassRate, time.Minute},
		"rateLimitExceeded":     {403, post.ClassRate, time.Minute},
		"youtubeSignupRequired": {401, post.ClassAuth, 0},
		"invalidDescription":    {400, post.ClassInvalid, 0},
		"forbidden":             {403, post.ClassAuth, 0},
	} {
		server := &youtubetest.Server{Reason: reason, Status: c.status}
		p, _ := publisher(t, server)
		d := delivery(post.Content{Text: "the film"})
		_, err := p.Publish(t.Context(), *d, publishtest.Keep(d))
		f, ok := err.(*post.Failure)
		if !ok || f.Class != c.class || f.After < c.after || f.InDoubt() || !strings.Contains(f.Message, reason) {
			t.Errorf("%s: got %+v, want %v", reason, f, c.class)
		}
	}
}
