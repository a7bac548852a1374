package mastodon_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
	"github.com/postroom/postroom/publish/mastodon"
	"github.com/postroom/postroom/publish/mastodon/mastodontest"
	"github.com/postroom/postroom/publish/publishtest"
)

// withMedia returns a publisher whose media folder holds a.png, b.png and
// large.mp4, which is over the server's limit.
func withMedia(t *testing.T, server *mastodontest.Server) *mastodon.Publisher {
	t.Helper()
	dir := t.TempDir()
	for name, size := range map[string]int64{"a.png": 100, "b.png": 100, "large.mp4": 5 << 20} {
		path := filepath.Join(dir, name)
		head := "\x89PNG\r\n\x1a\n"
		if filepath.Ext(name) == ".mp4" {
			head = "\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom"
		}
		if err := os.WriteFile(path, []byte(head), 0o666); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
	}
	room, err := publish.NewMediaRoom(dir, publish.Guard{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := mastodon.New(mastodon.Config{
		Connection: connection, Server: "https://" + host, Token: canary, Media: room,
		Transport: &publishtest.Transport{Handler: server, Host: host},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// attempts publishes d until it is live or may not be tried again, and keeps
// what is saved between attempts.
func attempts(t *testing.T, p *mastodon.Publisher, d *post.Delivery) (int, error) {
	t.Helper()
	for n := 1; ; n++ {
		ctx, cancel := aMinute(t)
		_, err := p.Publish(ctx, *d, publishtest.Keep(d))
		cancel()
		f, ok := err.(*post.Failure)
		if err == nil || !ok || !f.Retryable() || n == 5 {
			return n, err
		}
	}
}

func TestMediaAreUploadedAndDescribed(t *testing.T) {
	for name, processing := range map[string]int{"at once": 0, "after a while": 3} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &mastodontest.Server{Processing: processing}
				p := withMedia(t, server)
				d := delivery("with pictures", time.Now())
				d.Content.Media = []post.Media{{URL: "a.png", Alt: "the ä"}, {URL: "b.png"}}
				if n, err := attempts(t, p, &d); err != nil || n != 1 {
					t.Fatalf("%d attempts, %v", n, err)
				}
				e := server.Ledger()[0]
				if len(e.Media) != 2 {
					t.Fatalf("entry %+v: want 2 media", e)
				}
				if got, want := server.Medium(e.Media[0]), (mastodontest.Medium{Name: "a.png", Type: "image/png", Description: "the ä", Size: 100}); got != want {
					t.Errorf("medium %+v, want %+v", got, want)
				}
				if got := server.Medium(e.Media[1]); got.Name != "b.png" || got.Description != "" {
					t.Errorf("medium %+v", got)
				}
			})
		})
	}
}

func TestAFailedUploadNeverLeavesDoubt(t *testing.T) {
	classes := map[publishtest.Fault]post.Class{
		publishtest.Refuse: post.ClassInvalid, publishtest.Auth: post.ClassAuth, publishtest.Throttle: post.ClassRate,
		publishtest.Broken: post.ClassServer, publishtest.BrokenLate: post.ClassServer, publishtest.Unheard: post.ClassNetwork,
		publishtest.Lost: post.ClassNetwork, publishtest.Slow: post.ClassTimeout, publishtest.Huge: post.ClassServer,
		publishtest.Half: post.ClassServer, publishtest.Junk: post.ClassServer, publishtest.Redirect: post.ClassInvalid,
	}
	for fault, class := range classes {
		t.Run(fault.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := mastodontest.New()
				p := withMedia(t, server)
				server.NextUpload(publishtest.None, fault) // the second picture's
				d := delivery("with pictures", time.Now())
				d.Content.Media = []post.Media{{URL: "a.png"}, {URL: "b.png"}}
				ctx, cancel := aMinute(t)
				defer cancel()
				_, err := p.Publish(ctx, d, publishtest.Keep(&d))
				f, ok := err.(*post.Failure)
				if !ok || f.InDoubt() || f.Class != class {
					t.Fatalf("failure %+v, want %v and no doubt", err, class)
				}
				if server.Calls() != 0 {
					t.Error("the status was sent without its pictures")
				}
				if !f.Retryable() {
					return
				}
				if _, err := attempts(t, p, &d); err != nil {
					t.Fatal(err)
				}
				if e := server.Ledger()[0]; len(e.Media) != 2 || e.Media[0] != "1" {
					t.Errorf("entry %+v: want the first picture as it was uploaded first", e)
				}
			})
		})
	}
}

func TestMediaThatTheServerHasDroppedAreUploadedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := mastodontest.New()
		p := withMedia(t, server)
		server.Next(publishtest.Throttle)
		d := delivery("with a picture", time.Now())
		d.Content.Media = []post.Media{{URL: "a.png"}}
		save := publishtest.Keep(&d)
		if _, err := p.Publish(t.Context(), d, save); err == nil {
			t.Fatal("no failure")
		}
		server.DropMedia()
		if n, err := attempts(t, p, &d); err != nil || n != 2 {
			t.Fatalf("%d attempts, %v: want 2", n, err)
		}
	})
}

// A server that knows no keys has the status, and its list did not show it yet: it
// refuses the pictures, and they are not uploaded for a second status.
func TestP2_MediaThatHangOnAStatusAreNotUploadedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &mastodontest.Server{Forgetful: true}
		p := withMedia(t, server)
		server.Next(publishtest.Lost)
		d := delivery("with a picture", time.Now())
		d.Content.Media = []post.Media{{URL: "a.png"}}
		if _, err := p.Publish(t.Context(), d, publishtest.Keep(&d)); err == nil {
			t.Fatal("no failure")
		}
		_, err := p.Publish(t.Context(), d, publishtest.Keep(&d))
		if f, ok := err.(*post.Failure); !ok || !f.InDoubt() || !f.Copy {
			t.Errorf("failure %v, want doubt", err)
		}
		if found, err := p.Lookup(t.Context(), d); err != nil || found.State != post.Present || len(server.Ledger()) != 1 {
			t.Errorf("look-up %+v, %v, and live are %+v", found, err, server.Ledger())
		}
	})
}

func TestMediaTooLargeForTheServerAreNotSent(t *testing.T) {
	t.Parallel()
	server := mastodontest.New()
	p := withMedia(t, server)
	d := delivery("x", time.Now())
	d.Content.Media = []post.Media{{URL: "large.mp4"}}
	_, err := p.Publish(t.Context(), d, noSave)
	if f, ok := err.(*post.Failure); !ok || f.Class != post.ClassLarge || f.Retryable() {
		t.Errorf("failure %+v", err)
	}
}

func TestTheServersLimitsHoldOnceTheyAreKnown(t *testing.T) {
	t.Parallel()
	server := &mastodontest.Server{MaxText: 1000}
	u := subject(t, server)
	long := &post.Content{Text: strings.Repeat("x", 800)}
	if problems := u.Publisher.Validate(long); !post.HasErrors(problems) {
		t.Error("800 characters pass before the server was asked")
	}
	who, err := u.Publisher.Check(t.Context())
	if err != nil || who.Username != "@acme@social.example" || who.DisplayName != "Acme" {
		t.Fatalf("identity %+v, %v", who, err)
	}
	if problems := u.Publisher.Validate(long); problems != nil {
		t.Errorf("%v, and the server takes 1000", problems)
	}
	p, err := mastodon.New(mastodon.Config{Connection: connection, Server: "https://" + host, Token: canary, MaxCharacters: 800})
	if err != nil {
		t.Fatal(err)
	}
	if problems := p.Validate(long); problems != nil {
		t.Errorf("%v, and the config says 800", problems)
	}
}

func TestSettingsGoWithTheStatus(t *testing.T) {
	t.Parallel()
	server := mastodontest.New()
	u := subject(t, server)
	d := delivery("x", time.Now())
	d.Content.Settings = json.RawMessage(`{"tiktok":{},"mastodon":{"visibility":"unlisted","spoiler_text":"cw","language":"de","later":1}}`)
	for _, d := range []post.Delivery{delivery("plain", time.Now()), d} {
		if problems := u.Publisher.Validate(&d.Content); problems != nil {
			t.Error(problems)
		}
		if _, err := u.Publisher.Publish(t.Context(), d, noSave); err != nil {
			t.Fatal(err)
		}
	}
	if e := server.Ledger(); e[0].Visibility != "public" || e[1].Visibility != "unlisted" || e[1].SpoilerText != "cw" || e[1].Language != "de" {
		t.Errorf("ledger %+v", e)
	}
	long := &post.Content{Text: strings.Repeat("x", 499), Settings: json.RawMessage(`{"mastodon":{"spoiler_text":"cw"}}`)}
	if problems := u.Publisher.Validate(long); !post.HasErrors(problems) {
		t.Error("a spoiler text does not count")
	}
	for _, bad := range []string{`{"mastodon":{"visibility":"secret"}}`, `{"mastodon":[]}`, `[]`, `nonsense`} {
		c := &post.Content{Text: "x", Settings: json.RawMessage(bad)}
		if problems := u.Publisher.Validate(c); len(problems) != 1 || problems[0].Code != publish.CodeSettingInvalid {
			t.Errorf("%s: %v", bad, problems)
		}
	}
}

func TestTheLinkStandsBelowTheText(t *testing.T) {
	t.Parallel()
	server := mastodontest.New()
	u := subject(t, server)
	d := delivery("Look", time.Now())
	d.Content.Link = "https://example.com"
	d.Content.Variants = map[post.Platform]string{"mastodon": "Look here"}
	if _, err := u.Publisher.Publish(t.Context(), d, noSave); err != nil {
		t.Fatal(err)
	}
	if got, want := server.Texts()[0], "Look here\n\nhttps://example.com"; got != want {
		t.Errorf("text %q, want %q", got, want)
	}
}

func TestPaceComesFromTheServer(t *testing.T) {
	t.Parallel()
	u := subject(t, mastodontest.New())
	if _, err := u.Publisher.Publish(t.Context(), delivery("x", time.Now()), noSave); err != nil {
		t.Fatal(err)
	}
	if got := u.Publisher.(publish.Pacer).Pace(); got.Limit != 300 || got.Remaining != 299 || got.ResetAt.IsZero() {
		t.Errorf("pace %+v", got)
	}
}

func TestP8_ConfigProblemsShowNoToken(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]mastodon.Config{
		"no server":          {Token: canary},
		"no host":            {Server: "mastodon.social", Token: canary},
		"a token in the URL": {Server: "https://me:" + publishtest.Canary + "@mastodon.social", Token: canary},
		"a query":            {Server: "https://mastodon.social/?token=" + publishtest.Canary, Token: canary},
		"no TLS":             {Server: "http://mastodon.social", Token: canary},
		"no token":           {Server: "https://mastodon.social"},
		"an empty token":     {Server: "https://mastodon.social", Token: func() string { return "" }},
		"a visibility":       {Server: "https://mastodon.social", Token: canary, Visibility: "secret"},
	} {
		_, err := mastodon.New(c)
		if err == nil || strings.Contains(err.Error(), publishtest.Canary) {
			t.Errorf("%s: error %v", name, err)
		}
		c.Server = ""
		if shown := fmt.Sprintf("%v %+v %#v", c, c, c); strings.Contains(shown, publishtest.Canary) {
			t.Errorf("%s: the token is shown", name)
		}
	}
	for _, server := range []string{"http://localhost:3000", "http://127.0.0.1:3000/", "https://mastodon.social/"} {
		if _, err := mastodon.New(mastodon.Config{Server: server, Token: canary}); err != nil {
			t.Errorf("%s: %v", server, err)
		}
	}
}

// The faults over a real connection, where net/http itself might repeat a call.
func TestP2_OverLoopback(t *testing.T) {
	t.Parallel()
	for _, fault := range []publishtest.Fault{publishtest.None, publishtest.Lost, publishtest.Unheard, publishtest.Half, publishtest.Huge, publishtest.Junk, publishtest.BrokenLate, publishtest.Redirect} {
		t.Run(fault.String(), func(t *testing.T) {
			t.Parallel()
			server := &mastodontest.Server{Token: publishtest.Canary, Forgetful: true}
			http := httptest.NewServer(server)
			t.Cleanup(http.Close)
			p, err := mastodon.New(mastodon.Config{Connection: connection, Server: http.URL, Token: canary})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.Check(t.Context()); err != nil {
				t.Fatal(err)
			}
			server.Next(fault)
			d := delivery("over loopback", time.Now())
			_, err = p.Publish(t.Context(), d, noSave)
			if n := server.Calls(); n != 1 {
				t.Errorf("the server was called %d times, want once", n)
			}
			f, _ := err.(*post.Failure)
			if live := len(server.Ledger()) > 0; live && f != nil && !f.InDoubt() || f != nil && strings.Contains(fmt.Sprintf("%+v", f), publishtest.Canary) {
				t.Errorf("failure %+v, live %v", f, live)
			}
			if f == nil || !f.InDoubt() {
				return
			}
			found, err := p.Lookup(t.Context(), d)
			if want := len(server.Ledger()) > 0; err != nil || (found.State == post.Present) != want || (found.State == post.Absent) == want {
				t.Errorf("found %+v, %v, live %v", found, err, want)
			}
		})
	}
}

// aMinute ends after a minute of the bubble.
func aMinute(t *testing.T) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), time.Minute)
}
