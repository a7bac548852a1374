package instagram_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
	"github.com/postroom/postroom/publish/instagram"
	"github.com/postroom/postroom/publish/meta/metatest"
	"github.com/postroom/postroom/publish/publishtest"
)

const (
	connection = post.ConnectionID("instagram-17841400000000001")
	host       = "graph.instagram.com"
)

var (
	_ publish.Publisher = (*instagram.Publisher)(nil)
	_ publish.Looker    = (*instagram.Publisher)(nil)
	_ publish.Pacer     = (*instagram.Publisher)(nil)
)

func canary() string { return publishtest.Canary }

// document holds calls against Meta's own.
func document(t *testing.T, server *metatest.Server) http.Handler {
	spec := publishtest.NewSpec(t, "meta.openapi.json", server)
	spec.Partial = true
	return spec
}

func publisher(t *testing.T, handler http.Handler) (*instagram.Publisher, *publishtest.Transport) {
	t.Helper()
	room, err := publish.NewMediaRoom("", publish.Guard{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &publishtest.Transport{Handler: handler, Host: host}
	p, err := instagram.New(instagram.Config{Connection: connection, Tokens: publish.FixedToken(canary), User: metatest.User, Media: room, Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	return p, transport
}

// pictured adds a picture to what the suite sends, as Instagram takes no text
// alone.
type pictured struct{ *instagram.Publisher }

func (p pictured) with(d post.Delivery) post.Delivery {
	d.Content.Media = []post.Media{{URL: "https://cdn.example/a.jpg"}}
	return d
}

func (p pictured) Publish(ctx context.Context, d post.Delivery, save publish.Save) (post.Receipt, error) {
	return p.Publisher.Publish(ctx, p.with(d), save)
}

func (p pictured) Lookup(ctx context.Context, d post.Delivery) (post.Found, error) {
	return p.Publisher.Lookup(ctx, p.with(d))
}

func TestSuite(t *testing.T) {
	t.Parallel()
	for name, unlisted := range map[string]bool{"lists what is live": false, "lists it late": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			publishtest.Run(t, publishtest.Suite{
				New: func(t *testing.T) *publishtest.Subject {
					server := &metatest.Server{Token: publishtest.Canary, Unlisted: unlisted}
					p, transport := publisher(t, document(t, server))
					return &publishtest.Subject{
						Again: func() publishtest.Publisher {
							p, _ := publisher(t, document(t, server))
							return pictured{p}
						},
						Publisher: pictured{p}, Connection: connection, Live: server.Texts,
						Crawl:   transport.Crawls.Store,
						Strayed: func() bool { return transport.Strayed.Load() > 0 },
						Arrange: transport.Arrange(server.Next),
					}
				},
			})
		})
	}
}

func TestWhatAPostIsMadeOf(t *testing.T) {
	t.Parallel()
	jpg := post.Media{URL: "https://cdn.example/a.jpg", Alt: "one"}
	film := post.Media{URL: "https://cdn.example/m.mp4"}
	for name, c := range map[string]struct {
		content  post.Content
		want     map[string]string
		children int
	}{
		"a picture": {post.Content{Text: "see", Media: []post.Media{jpg}}, map[string]string{"caption": "see", "image_url": jpg.URL, "alt_text": "one"}, 0},
		"a reel":    {post.Content{Text: "see", Media: []post.Media{film}}, map[string]string{"caption": "see", "video_url": film.URL, "media_type": "REELS"}, 0},
		"a story": {
			post.Content{Text: "see", Media: []post.Media{film}, Settings: []byte(`{"instagram":{"videoType":"STORIES"}}`)},
			map[string]string{"caption": "see", "video_url": film.URL, "media_type": "STORIES"}, 0,
		},
		"a carousel": {post.Content{Text: "see", Media: []post.Media{jpg, film}}, map[string]string{"caption": "see", "media_type": "CAROUSEL"}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server := &metatest.Server{Processing: 2}
				handler := http.Handler(server)
				if c.children == 0 { // the validator reads no list in a form
					handler = document(t, server)
				}
				p, _ := publisher(t, handler)
				d := publishtest.NewDelivery(connection, c.content)
				r, err := p.Publish(t.Context(), *d, publishtest.Keep(d))
				if err != nil {
					t.Fatal(err)
				}
				sent := server.Ledger()[0]
				children := strings.Split(sent.Form["children"], ",")
				delete(sent.Form, "children")
				if len(sent.Form) != len(c.want) {
					t.Errorf("made of %v, want %v", sent.Form, c.want)
				}
				for field, value := range c.want {
					if sent.Form[field] != value {
						t.Errorf("%s is %q, want %q", field, sent.Form[field], value)
					}
				}
				if c.children > 0 && len(children) != c.children {
					t.Errorf("children %q, want %d", children, c.children)
				}
				if r.URL != "https://meta.example/"+sent.ID {
					t.Errorf("receipt %+v", r)
				}
			})
		})
	}
}

// A container of an earlier attempt is published, or made anew when it is gone.
func TestP2_AContainerIsPublishedOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault   publishtest.Fault
		between func(*metatest.Server)
	}{
		"throttled":                   {publishtest.Throttle, func(*metatest.Server) {}},
		"throttled, and it has ended": {publishtest.Throttle, (*metatest.Server).Expire},
		"lost, and sent blindly":      {publishtest.Lost, func(*metatest.Server) {}},
		"lost, and the rest expired":  {publishtest.Lost, (*metatest.Server).Expire},
		"late, and sent blindly":      {publishtest.BrokenLate, func(*metatest.Server) {}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server := &metatest.Server{}
				p, _ := publisher(t, server)
				d := publishtest.NewDelivery(connection, post.Content{Text: "see", Media: []post.Media{{URL: "https://cdn.example/a.jpg"}}, FirstComment: "more"})
				server.Next(c.fault)
				if _, err := p.Publish(t.Context(), *d, publishtest.Keep(d)); err == nil {
					t.Fatal("no failure")
				}
				c.between(server)
				r, err := p.Publish(t.Context(), *d, publishtest.Keep(d))
				if err != nil {
					t.Fatal(err)
				}
				if live := server.Ledger(); len(live) != 1 || r.RemoteID != live[0].ID || len(server.Comments()) != 1 {
					t.Errorf("live are %+v and %+v, the receipt says %+v", live, server.Comments(), r)
				}
			})
		})
	}
}

// publishLost publishes a picture, and the answer is lost.
func publishLost(t *testing.T, p *instagram.Publisher, server *metatest.Server) *post.Delivery {
	t.Helper()
	d := publishtest.NewDelivery(connection, post.Content{Text: "see", Media: []post.Media{{URL: "https://cdn.example/a.jpg"}}})
	server.Next(publishtest.Lost)
	if _, err := p.Publish(t.Context(), *d, publishtest.Keep(d)); err == nil {
		t.Fatal("no failure")
	}
	return d
}

// A container that is published and does not say so yet refuses to be published again.
func TestP2_ARefusedContainerIsLookedUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &metatest.Server{}
		p, _ := publisher(t, server)
		d := publishLost(t, p, server)
		server.Lags = 2 // as it is asked for, and as it is waited for
		d.Again = true
		_, err := p.Publish(t.Context(), *d, publishtest.Keep(d))
		if f, ok := err.(*post.Failure); !ok || !f.InDoubt() {
			t.Errorf("got %+v, want a doubt", err)
		}
		if found, err := p.Lookup(t.Context(), *d); err != nil || found.State != post.Present {
			t.Errorf("look-up %+v, %v", found, err)
		}
	})
}

// A question about a container that is refused, for whatever else than that it is
// gone, has no second one made.
func TestP2_AQuestionThatIsRefusedMakesNoSecondContainer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &metatest.Server{}
		refused := false
		p, _ := publisher(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if refused && r.Method == http.MethodGet {
				w.WriteHeader(http.StatusBadRequest)
				fmt.Fprint(w, `{"error":{"message":"Application request limit reached","type":"OAuthException","code":4}}`)
				return
			}
			server.ServeHTTP(w, r)
		}))
		d := publishLost(t, p, server)
		refused = true
		_, err := p.Publish(t.Context(), *d, publishtest.Keep(d))
		if f, ok := err.(*post.Failure); !ok || f.Class != post.ClassRate || f.InDoubt() {
			t.Errorf("failure %v, want one of a rate", err)
		}
		refused = false
		if _, err := p.Publish(t.Context(), *d, publishtest.Keep(d)); err != nil {
			t.Error(err)
		}
		if live := server.Ledger(); len(live) != 1 {
			t.Errorf("live are %+v, want one", live)
		}
	})
}

// What became of a container is asked for however old it is.
func TestP2_ALostAnswerIsFoundDaysLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &metatest.Server{}
		p, _ := publisher(t, server)
		d := publishLost(t, p, server)
		time.Sleep(72 * time.Hour)
		if found, err := p.Lookup(t.Context(), *d); err != nil || found.State != post.Present {
			t.Errorf("look-up %+v, %v, want it present", found, err)
		}
		if _, err := p.Publish(t.Context(), *d, publishtest.Keep(d)); err != nil {
			t.Error(err)
		}
		if live := server.Ledger(); len(live) != 1 {
			t.Errorf("live are %+v, want one", live)
		}
	})
}

func TestMediaNeedAnAddress(t *testing.T) {
	t.Parallel()
	p, _ := publisher(t, &metatest.Server{})
	problems := p.Validate(&post.Content{Text: "see", Media: []post.Media{{URL: "a.jpg"}}})
	if !post.HasErrors(problems) {
		t.Errorf("a file that Instagram cannot fetch: %v", problems)
	}
	problems = p.Validate(&post.Content{Text: "see", Media: []post.Media{{URL: "https://cdn.example/a.jpg"}}, Settings: []byte(`{"instagram":{"videoType":"POST"}}`)})
	if !post.HasErrors(problems) {
		t.Errorf("a wrong setting: %v", problems)
	}
}
