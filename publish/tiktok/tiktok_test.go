package tiktok_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
	"github.com/postroom/postroom/publish/publishtest"
	"github.com/postroom/postroom/publish/tiktok"
	"github.com/postroom/postroom/publish/tiktok/tiktoktest"
)

const (
	connection = post.ConnectionID("tiktok-acme")
	host       = "open.tiktokapis.com"
	bytes      = 4200 // of the film
)

var (
	_ publish.Publisher = (*tiktok.Publisher)(nil)
	_ publish.Looker    = (*tiktok.Publisher)(nil)
	_ publish.Pacer     = (*tiktok.Publisher)(nil)
)

func canary() string { return publishtest.Canary }

func publisher(t *testing.T, server *tiktoktest.Server) (*tiktok.Publisher, *publishtest.Transport) {
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
	p, err := tiktok.New(tiktok.Config{Connection: connection, Tokens: publish.FixedToken(canary), Media: room, Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	return p, transport
}

// filmed adds a film to what the suite sends, as no text goes out alone.
type filmed struct{ *tiktok.Publisher }

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
		Trusts: true, // what an upload is answered says nothing
		New: func(t *testing.T) *publishtest.Subject {
			server := &tiktoktest.Server{Token: publishtest.Canary}
			p, transport := publisher(t, server)
			return &publishtest.Subject{
				Again: func() publishtest.Publisher {
					p, _ := publisher(t, server)
					return filmed{p}
				},
				Publisher: filmed{p}, Connection: connection, Live: server.Titles,
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

func TestWhatAFilmIsToldWith(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		settings string
		want     map[string]any
	}{
		"nothing said":       {"", map[string]any{"privacy_level": "PUBLIC_TO_EVERYONE", "disable_comment": false, "disable_duet": true, "disable_stitch": true}},
		"allowed":            {`{"viewerSetting":"SELF_ONLY","allowComments":false,"allowDuet":true,"allowStitch":true}`, map[string]any{"privacy_level": "SELF_ONLY", "disable_comment": true, "disable_duet": false, "disable_stitch": false}},
		"as the samples say": {`{"disableComment":true,"disableDuet":false}`, map[string]any{"disable_comment": true, "disable_duet": false, "disable_stitch": true}},
		"commercial":         {`{"commercialContent":true,"brandedContent":true}`, map[string]any{"brand_content_toggle": true, "brand_organic_toggle": false}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server := &tiktoktest.Server{Processing: 2}
				p, _ := publisher(t, server)
				d := delivery(post.Content{Text: "look"})
				if c.settings != "" {
					d.Content.Settings = []byte(`{"tiktok":` + c.settings + `}`)
				}
				r, err := p.Publish(t.Context(), *d, publishtest.Keep(d))
				if err != nil {
					t.Fatal(err)
				}
				film := server.Films()[0]
				for field, value := range c.want {
					if film.Info[field] != value {
						t.Errorf("%s is %v, want %v", field, film.Info[field], value)
					}
				}
				if len(film.Content) != bytes || r.URL != "https://www.tiktok.com/@acme/video/"+r.RemoteID {
					t.Errorf("%d bytes, receipt %+v", len(film.Content), r)
				}
			})
		})
	}
}

func TestP2_AFilmThatTikTokHasIsNotSentAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &tiktoktest.Server{Processing: 1000}
		p, _ := publisher(t, server)
		d := delivery(post.Content{Text: "look"})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := p.Publish(ctx, *d, publishtest.Keep(d))
		if f, ok := err.(*post.Failure); !ok || !f.InDoubt() {
			t.Fatalf("processed for longer than a call may last: %v", err)
		}
		if _, err := p.Lookup(t.Context(), *d); err == nil {
			t.Error("a film that is processed is decided")
		}
		server.Processing = 0
		if found, err := p.Lookup(t.Context(), *d); err != nil || found.State != post.Present {
			t.Errorf("look-up: %+v, %v", found, err)
		}
		if _, err := p.Publish(t.Context(), *d, publishtest.Keep(d)); err != nil || len(server.Films()) != 1 {
			t.Errorf("sent again: %v, %d films", err, len(server.Films()))
		}
	})
}

// An address to upload to ends, and says so with 403: that is no matter of the account.
func TestAnUploadThatHasEndedIsBegunAnew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &tiktoktest.Server{}
		p, _ := publisher(t, server)
		d := delivery(post.Content{Text: "look"})
		server.Next(publishtest.Broken)
		if _, err := p.Publish(t.Context(), *d, publishtest.Keep(d)); err == nil {
			t.Fatal("no failure")
		}
		server.EndUploads()
		_, err := p.Publish(t.Context(), *d, publishtest.Keep(d))
		if f, ok := err.(*post.Failure); !ok || f.Class != post.ClassServer || f.Scope != post.ScopePost || !f.Retryable() {
			t.Errorf("an ended upload: %+v", err)
		}
		if _, err := p.Publish(t.Context(), *d, publishtest.Keep(d)); err != nil || len(server.Films()) != 1 {
			t.Errorf("begun anew: %v, %d films", err, len(server.Films()))
		}
	})
}

func TestP2_AnUploadThatHasEndedWithTheWholeFilmIsInDoubt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &tiktoktest.Server{Busy: true}
		p, _ := publisher(t, server)
		d := delivery(post.Content{Text: "look"})
		server.Next(publishtest.Lost)
		if _, err := p.Publish(t.Context(), *d, publishtest.Keep(d)); err == nil {
			t.Fatal("no failure")
		}
		server.EndUploads()
		_, err := p.Publish(t.Context(), *d, publishtest.Keep(d))
		if f, ok := err.(*post.Failure); !ok || !f.InDoubt() {
			t.Errorf("got %v, want a doubt", err)
		}
	})
}

func TestFilmsThatTikTokDoesNotPublish(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &tiktoktest.Server{Reason: "duration_check_failed"}
		p, _ := publisher(t, server)
		d := delivery(post.Content{Text: "look"})
		for range 2 {
			_, err := p.Publish(t.Context(), *d, publishtest.Keep(d))
			if f, ok := err.(*post.Failure); !ok || f.Class != post.ClassInvalid || f.Sent != post.Refused || !strings.Contains(f.Message, "duration_check_failed") {
				t.Errorf("got %v", err)
			}
		}

		server = &tiktoktest.Server{Privacy: []string{"SELF_ONLY"}}
		p, _ = publisher(t, server)
		d = delivery(post.Content{Text: "look"})
		_, err := p.Publish(t.Context(), *d, publishtest.Keep(d))
		if f, ok := err.(*post.Failure); !ok || f.Class != post.ClassInvalid || f.Sent != post.SentNot || !strings.Contains(f.Message, "SELF_ONLY") {
			t.Errorf("got %v", err)
		}
	})
}

func TestSettingsThatCannotWork(t *testing.T) {
	t.Parallel()
	p, _ := publisher(t, &tiktoktest.Server{})
	for s, code := range map[string]string{
		`{"tiktok":{"viewerSetting":""}}`:       publish.CodeSettingMissing, // CONTRACT §6.1
		`{"tiktok":{"viewerSetting":"ALL"}}`:    publish.CodeSettingInvalid,
		`{"tiktok":{"commercialContent":true}}`: publish.CodeSettingInvalid,
		`[]`:                                    publish.CodeSettingInvalid,
	} {
		c := delivery(post.Content{Text: "look", Settings: []byte(s)}).Content
		if !slices.ContainsFunc(p.Validate(&c), func(p post.Problem) bool { return p.Field == "platform_settings" && p.Code == code }) {
			t.Errorf("%s has no problem %s", s, code)
		}
	}
}
