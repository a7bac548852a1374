package telegram_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
	"github.com/postroom/postroom/publish/publishtest"
	"github.com/postroom/postroom/publish/telegram"
	"github.com/postroom/postroom/publish/telegram/telegramtest"
)

const (
	connection = post.ConnectionID("telegram-acme")
	host       = "api.telegram.example"
	token      = "1:" + publishtest.Canary
)

var (
	_ publish.Publisher = (*telegram.Publisher)(nil)
	_ publish.Pacer     = (*telegram.Publisher)(nil)
)

// publisher returns one that posts to a chat of server, with media in a folder:
// a.png, b.png, c.gif and d.mp4.
func publisher(t *testing.T, server *telegramtest.Server, handler http.Handler, chat string) (*telegram.Publisher, *publishtest.Transport) {
	t.Helper()
	server.Token = token
	dir := t.TempDir()
	for name, head := range map[string]string{"a.png": "\x89PNG\r\n\x1a\n", "b.png": "\x89PNG\r\n\x1a\n.", "c.gif": "GIF89a", "d.mp4": "\x00\x00\x00\x20ftypmp42"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(head), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	room, err := publish.NewMediaRoom(dir, publish.Guard{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &publishtest.Transport{Handler: handler, Host: host}
	p, err := telegram.New(telegram.Config{
		Connection: connection, Server: "https://" + host, Token: func() string { return token }, Chat: chat, Media: room, Transport: transport,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if v := server.Violations(); v != nil {
			t.Errorf("calls that the API does not allow: %q", v)
		}
	})
	return p, transport
}

func TestSuite(t *testing.T) {
	t.Parallel()
	publishtest.Run(t, publishtest.Suite{New: func(t *testing.T) *publishtest.Subject {
		server := &telegramtest.Server{}
		p, transport := publisher(t, server, server, telegramtest.Chat)
		return &publishtest.Subject{
			Again: func() publishtest.Publisher {
				p, _ := publisher(t, server, server, telegramtest.Chat)
				return p
			},
			Publisher: p, Connection: connection, Live: server.Texts,
			Crawl:   transport.Crawls.Store,
			Strayed: func() bool { return transport.Strayed.Load() > 0 },
			Arrange: transport.Arrange(server.Next),
		}
	}})
}

func delivery(text string, media ...string) post.Delivery {
	id := post.MakeID(time.Now(), [5]byte{1}, 1)
	d := post.Delivery{Content: post.Content{Text: text}, Post: post.Post{ID: id, Account: "acme", Connection: connection, BegunAt: time.Now()}}
	for _, m := range media {
		d.Content.Media = append(d.Content.Media, post.Media{URL: m})
	}
	return d
}

// keep returns a save that keeps d's parts.
func keep(d *post.Delivery) publish.Save {
	return func(parts []post.Part, _ []byte) error {
		if parts != nil {
			d.Post.Parts = parts
		}
		return nil
	}
}

func TestMediaGoOutInOneCall(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		media  []string
		method string
	}{
		"a picture":  {[]string{"a.png"}, "sendPhoto"},
		"an album":   {[]string{"a.png", "b.png"}, "sendMediaGroup"},
		"a film":     {[]string{"d.mp4"}, "sendVideo"},
		"a GIF":      {[]string{"c.gif"}, "sendAnimation"},
		"only words": {nil, "sendMessage"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := &telegramtest.Server{}
			p, _ := publisher(t, server, server, telegramtest.Chat)
			d := delivery("*see* this", tt.media...)
			r, err := p.Publish(t.Context(), d, keep(&d))
			if err != nil {
				t.Fatal(err)
			}
			all := server.Ledger()
			if len(all) != 1 || all[0].Method != tt.method || len(all[0].Files) != len(tt.media) || all[0].Text != "see this" || len(all[0].Entities) != 1 {
				t.Errorf("ledger %+v", all)
			}
			for i, f := range all[0].Files {
				if f.Name != tt.media[i] || f.Size == 0 || f.Type != publish.MediaType(f.Name) {
					t.Errorf("file %+v", f)
				}
			}
			if r.URL != "https://t.me/acme_news/1" || r.RemoteID != "1" {
				t.Errorf("receipt %+v", r)
			}
		})
	}
}

func TestP2_ALongTextFollowsItsMediaAndIsResumed(t *testing.T) {
	t.Parallel()
	server := &telegramtest.Server{NoNames: true}
	p, _ := publisher(t, server, server, telegramtest.Chat)
	d := delivery("*bold* "+strings.Repeat("x", 1025), "a.png", "b.png")
	if problems := p.Validate(&d.Content); post.HasErrors(problems) || len(problems) != 1 {
		t.Errorf("problems %v, want one warning", problems)
	}
	server.Next(publishtest.None, publishtest.Throttle)
	_, err := p.Publish(t.Context(), d, keep(&d))
	if f, ok := err.(*post.Failure); !ok || f.Class != post.ClassRate {
		t.Fatalf("error %v", err)
	}
	r, err := p.Publish(t.Context(), d, keep(&d))
	if err != nil {
		t.Fatal(err)
	}
	all := server.Ledger()
	if len(all) != 2 || all[0].Text != "" || all[1].ReplyTo != all[0].ID || !strings.HasPrefix(all[1].Text, "bold xxx") || len(all[1].Entities) != 1 {
		t.Errorf("ledger %+v", all)
	}
	if r.URL != "https://t.me/c/1234567890/1" {
		t.Errorf("receipt %+v", r)
	}
}

func TestAGroupThatHasMovedIsFollowed(t *testing.T) {
	t.Parallel()
	server := &telegramtest.Server{Moved: "-4321"}
	p, transport := publisher(t, server, server, "-4321")
	for range 2 {
		d := delivery("hello", "a.png")
		if _, err := p.Publish(t.Context(), d, keep(&d)); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(server.Ledger()); n != 2 || transport.Calls.Load() != 3 {
		t.Errorf("%d messages with %d calls, want 2 with 3", n, transport.Calls.Load())
	}
}

func TestRefusalsSayWhatToPause(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		server *telegramtest.Server
		chat   string
		class  post.Class
	}{
		"no such chat": {&telegramtest.Server{}, "@elsewhere", post.ClassInvalid},
		"no rights":    {&telegramtest.Server{NoPost: true}, telegramtest.Chat, post.ClassAuth},
	} {
		p, _ := publisher(t, tt.server, tt.server, tt.chat)
		d := delivery("hello")
		_, err := p.Publish(t.Context(), d, keep(&d))
		if f, ok := err.(*post.Failure); !ok || f.Class != tt.class || f.Scope != post.ScopeConnection || f.Sent != post.Refused {
			t.Errorf("%s: %v", name, err)
		}
	}
	server := &telegramtest.Server{NoPost: true}
	p, _ := publisher(t, server, server, telegramtest.Chat)
	if _, err := p.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "may not post") {
		t.Errorf("check: %v", err)
	}
}

func TestSettingsAreSent(t *testing.T) {
	t.Parallel()
	server := &telegramtest.Server{}
	p, _ := publisher(t, server, server, telegramtest.Chat)
	d := delivery("<b>x</b>")
	d.Content.Settings = []byte(`{"telegram":{"disableNotification":true,"disableWebPagePreview":true,"protectContent":true,"parseMode":"HTML"}}`)
	if _, err := p.Publish(t.Context(), d, keep(&d)); err != nil {
		t.Fatal(err)
	}
	fields := server.Ledger()[0].Fields
	for name, want := range map[string]string{
		"disable_notification": "true", "protect_content": "true", "link_preview_options": `{"is_disabled":true}`, "parse_mode": "HTML", "text": "<b>x</b>",
	} {
		if fields[name] != want {
			t.Errorf("%s is %q, want %q", name, fields[name], want)
		}
	}
	for _, bad := range []string{`{"telegram":{"parseMode":"Markdown"}}`, `{"telegram":[]}`} {
		d.Content.Settings = []byte(bad)
		if !post.HasErrors(p.Validate(&d.Content)) {
			t.Errorf("%s is taken", bad)
		}
	}
}

func TestLengthsAreCountedWithoutMarksInUTF16(t *testing.T) {
	t.Parallel()
	server := &telegramtest.Server{}
	p, _ := publisher(t, server, server, telegramtest.Chat)
	for text, ok := range map[string]bool{
		"*" + strings.Repeat("x", 4096) + "*": true,
		strings.Repeat("x", 4097):             false,
		strings.Repeat("👋", 2048):             true,
		strings.Repeat("👋", 2049):             false,
	} {
		d := delivery(text)
		if got := !post.HasErrors(p.Validate(&d.Content)); got != ok {
			t.Errorf("%d bytes: valid %v, want %v", len(text), got, ok)
		}
		if ok {
			if _, err := p.Publish(t.Context(), d, keep(&d)); err != nil {
				t.Error(err)
			}
		}
	}
	d := delivery("", "c.gif", "a.png")
	if !post.HasErrors(p.Validate(&d.Content)) {
		t.Error("a GIF in an album is taken")
	}
}

func TestConfigSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	good := telegram.Config{Connection: connection, Token: func() string { return token }, Chat: "@acme_news"}
	for want, change := range map[string]func(*telegram.Config){
		"":                   func(*telegram.Config) {},
		"server:":            func(c *telegram.Config) { c.Server = "api.telegram.org" },
		"server: want https": func(c *telegram.Config) { c.Server = "http://api.telegram.example" },
		"bot_token:":         func(c *telegram.Config) { c.Token = func() string { return "x" } },
		"chat:":              func(c *telegram.Config) { c.Chat = "acme" },
	} {
		c := good
		change(&c)
		if _, err := telegram.New(c); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

func TestTheWaitIsReadFromTheBody(t *testing.T) {
	t.Parallel()
	p, _ := publisher(t, &telegramtest.Server{}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusTooManyRequests)
		io.WriteString(w, `{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 90","parameters":{"retry_after":90}}`)
	}), telegramtest.Chat)
	d := delivery("x")
	_, err := p.Publish(t.Context(), d, keep(&d))
	if f, ok := err.(*post.Failure); !ok || f.Class != post.ClassRate || f.After != 90*time.Second || f.Scope != post.ScopeConnection {
		t.Errorf("error %+v", err)
	}
}
