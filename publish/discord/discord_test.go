package discord_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
	"github.com/postroom/postroom/publish/discord"
	"github.com/postroom/postroom/publish/discord/discordtest"
	"github.com/postroom/postroom/publish/publishtest"
)

const (
	connection = post.ConnectionID("discord-acme")
	host       = "discord.com"
	address    = "https://" + host + "/api/webhooks/" + discordtest.Webhook + "/" + publishtest.Canary
)

var (
	_ publish.Publisher = (*discord.Publisher)(nil)
	_ publish.Pacer     = (*discord.Publisher)(nil)
)

func hook() string { return address }

// publisher returns one that talks to handler, where the API has it.
func publisher(t *testing.T, handler http.Handler, with ...func(*discord.Config)) (*discord.Publisher, *publishtest.Transport) {
	t.Helper()
	transport := &publishtest.Transport{Handler: http.StripPrefix("/api/v10", handler), Host: host}
	c := discord.Config{Connection: connection, URL: hook, Transport: transport}
	for _, w := range with {
		w(&c)
	}
	p, err := discord.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return p, transport
}

// pictures gives a publisher the pictures of the suite.
func pictures(t *testing.T) func(*discord.Config) {
	t.Helper()
	room, err := publish.NewMediaRoom(publishtest.Pictures(t), publish.Guard{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return func(c *discord.Config) { c.Media = room }
}

func TestSuite(t *testing.T) {
	t.Parallel()
	pictures := pictures(t)
	publishtest.Run(t, publishtest.Suite{New: func(t *testing.T) *publishtest.Subject {
		server := &discordtest.Server{Token: publishtest.Canary}
		p, transport := publisher(t, server, pictures)
		return &publishtest.Subject{
			Again: func() publishtest.Publisher {
				p, _ := publisher(t, server, pictures)
				return p
			},
			Publisher: p, Connection: connection, Live: server.Texts,
			Pictured: func(text string) (names []string) {
				for _, e := range server.Ledger() {
					for _, f := range e.Files {
						if e.Text == text {
							names = append(names, publishtest.PictureIn(f.Bytes))
						}
					}
				}
				return names
			},
			Crawl:   transport.Crawls.Store,
			Strayed: func() bool { return transport.Strayed.Load() > 0 },
			Arrange: transport.Arrange(server.Next),
		}
	}})
}

func send(t *testing.T, p *discord.Publisher, c post.Content) (post.Receipt, *post.Failure) {
	t.Helper()
	now := time.Now()
	id := post.MakeID(now, [5]byte{1}, 1)
	r, err := p.Publish(t.Context(), post.Delivery{
		Content: c, Post: post.Post{ID: id.Add(1), Group: id, Account: "acme", Connection: connection, SlotAt: now, BegunAt: now},
	}, func([]post.Part, []byte) error { return nil })
	if err == nil {
		return r, nil
	}
	f, ok := err.(*post.Failure)
	if !ok || strings.Contains(f.Error(), publishtest.Canary) {
		t.Fatalf("error %v (%T)", err, err)
	}
	return r, f
}

// original is where checked keeps the call whose JSON stands for it.
type original struct{}

// checked holds calls and answers against Discord's document. Of a form it is
// the message in it that is checked: the validator cannot read such forms.
func checked(t *testing.T, server http.Handler) http.Handler {
	spec := publishtest.NewSpec(t, "discord.openapi.json", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if form, ok := r.Context().Value(original{}).(*http.Request); ok {
			r = form
		}
		server.ServeHTTP(w, r)
	}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
			spec.ServeHTTP(w, r)
			return
		}
		if err := r.ParseMultipartForm(32 << 20); err != nil {
			t.Errorf("a form that cannot be read: %v", err)
		}
		plain := r.Clone(context.WithValue(r.Context(), original{}, r))
		payload := r.FormValue("payload_json")
		plain.Header.Set("Content-Type", "application/json")
		plain.Body, plain.ContentLength = io.NopCloser(strings.NewReader(payload)), int64(len(payload))
		spec.ServeHTTP(w, plain)
	})
}

var (
	png  = []byte("\x89PNG\r\n\x1a\n picture")
	film = []byte("\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00 film")
)

func room(t *testing.T) func(*discord.Config) {
	t.Helper()
	dir := t.TempDir()
	for name, data := range map[string][]byte{"a.png": png, "b.mp4": film} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	m, err := publish.NewMediaRoom(dir, publish.Guard{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return func(c *discord.Config) { c.Media = m }
}

func TestCallsKeepToTheDocument(t *testing.T) {
	t.Parallel()
	server := &discordtest.Server{Token: publishtest.Canary}
	p, _ := publisher(t, checked(t, server), room(t), func(c *discord.Config) { c.Username, c.Thread = "Acme", "1600000000000000001" })
	if _, err := p.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []post.Content{
		{Text: "plain"},
		{Text: "linked", Link: "https://example.com"},
		{Text: "with both", Media: []post.Media{{URL: "a.png", Alt: "a picture"}, {URL: "b.mp4"}}},
		{Media: []post.Media{{URL: "a.png"}}},
		{Text: "told", Settings: []byte(`{"discord":{"mentions":["users","roles"],"thread_name":"Spring"}}`)},
	} {
		if _, f := send(t, p, c); f != nil {
			t.Errorf("%+v: %v", c, f)
		}
	}
}

func TestPublishSaysWhatTheConfigAndThePostSay(t *testing.T) {
	t.Parallel()
	server := &discordtest.Server{Token: publishtest.Canary}
	p, _ := publisher(t, server, room(t), func(c *discord.Config) { c.Username, c.Thread = "Acme", "1600000000000000001" })
	r, f := send(t, p, post.Content{Text: "hello @everyone", Media: []post.Media{{URL: "a.png", Alt: "a picture"}, {URL: "b.mp4", Alt: "a film"}}})
	if f != nil {
		t.Fatal(f)
	}
	e := server.Ledger()[0]
	if e.Username != "Acme" || e.Thread != "1600000000000000001" || e.ThreadName != "" || len(e.Mentions) != 0 {
		t.Errorf("published %+v, and want nobody notified", e)
	}
	want := []discordtest.File{{Name: "1-a.png", Type: "image/png", Description: "a picture", Bytes: png}, {Name: "2-b.mp4", Type: "video/mp4", Description: "a film", Bytes: film}}
	for i, f := range e.Files {
		if f.Name != want[i].Name || f.Type != want[i].Type || f.Description != want[i].Description || !bytes.Equal(f.Bytes, want[i].Bytes) {
			t.Errorf("file %d is %+v, want %+v", i, f, want[i])
		}
	}
	if len(e.Files) != len(want) || r.RemoteID != e.ID || r.URL != "https://discord.com/channels/"+discordtest.Guild+"/1600000000000000001/"+e.ID {
		t.Errorf("%d files, receipt %+v", len(e.Files), r)
	}

	if _, f := send(t, p, post.Content{Text: "x", Settings: []byte(`{"discord":{"mentions":["everyone"],"thread_name":"Spring"}}`)}); f != nil {
		t.Fatal(f)
	}
	if e := server.Ledger()[1]; e.ThreadName != "Spring" || e.Thread != "" || len(e.Mentions) != 1 || e.Mentions[0] != "everyone" {
		t.Errorf("published %+v", e)
	}
}

func TestRefusalsSayWhatToDo(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		status int
		body   string
		header http.Header
		class  post.Class
		sent   post.Sent
		scope  post.Scope
		after  time.Duration
		says   string
	}{
		"a webhook that is gone":   {status: 404, body: `{"message":"Unknown Webhook","code":10015}`, class: post.ClassAuth, sent: post.Refused, scope: post.ScopeConnection, says: "Make a new one"},
		"a token that is wrong":    {status: 401, body: `{"message":"Invalid Webhook Token","code":50027}`, class: post.ClassAuth, sent: post.Refused, scope: post.ScopeConnection, says: "Invalid Webhook Token"},
		"a thread that is gone":    {status: 404, body: `{"message":"Unknown Channel","code":10003}`, class: post.ClassInvalid, sent: post.Refused, scope: post.ScopeConnection, says: "thread"},
		"a text that is too long":  {status: 400, body: `{"code":50035,"message":"Invalid Form Body","errors":{"content":{"_errors":[{"code":"X","message":"Must be 2000 or fewer in length."}]}}}`, class: post.ClassInvalid, sent: post.Refused, says: "content Must be 2000"},
		"a file that is too large": {status: 400, body: `{"message":"Request entity too large","code":40005}`, class: post.ClassLarge, sent: post.Refused, says: "too large"},
		"too much, by the body":    {status: 429, body: `{"message":"You are being rate limited.","retry_after":64.5,"global":false}`, class: post.ClassRate, sent: post.Refused, scope: post.ScopeConnection, after: 64500 * time.Millisecond, says: "rate limited"},
		"too much, by the header":  {status: 429, body: `{"message":"You are being rate limited.","retry_after":1.2,"global":true}`, header: http.Header{"Retry-After": {"2"}}, class: post.ClassRate, sent: post.Refused, scope: post.ScopeConnection, after: 2 * time.Second, says: "rate limited"},
		"shut out at the door":     {status: 429, body: `<html>error code: 1015</html>`, header: http.Header{"Retry-After": {"600"}}, class: post.ClassRate, sent: post.Refused, scope: post.ScopeConnection, after: 10 * time.Minute, says: "429"},
		"a broken gateway":         {status: 502, body: `<html></html>`, class: post.ClassServer, sent: post.SentMaybe, says: "502"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, _ := publisher(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				for name, values := range tt.header {
					w.Header()[name] = values
				}
				w.WriteHeader(tt.status)
				if _, err := io.WriteString(w, tt.body); err != nil {
					t.Error(err)
				}
			}))
			_, f := send(t, p, post.Content{Text: "x"})
			if f == nil || f.Class != tt.class || f.Sent != tt.sent || f.Scope != tt.scope || f.After != tt.after || !strings.Contains(f.Message, tt.says) {
				t.Errorf("failure %+v, want %+v", f, tt)
			}
		})
	}
}

func TestNewRefusesWhatIsNoWebhook(t *testing.T) {
	t.Parallel()
	const id = discordtest.Webhook
	for name, c := range map[string]discord.Config{
		"nothing":                {},
		"no https":               {URL: func() string { return "http://discord.com/api/webhooks/" + id + "/" + publishtest.Canary }},
		"another page":           {URL: func() string { return "https://discord.com/channels/" + id + "/" + publishtest.Canary }},
		"no token":               {URL: func() string { return "https://discord.com/api/webhooks/" + id }},
		"an id of letters":       {URL: func() string { return "https://discord.com/api/webhooks/abc/" + publishtest.Canary }},
		"more than a token":      {URL: func() string { return address + "/messages" }},
		"the way Slack calls it": {URL: func() string { return address + "/slack" }},
		"a thread by its name":   {URL: hook, Thread: "news"},
		"a long name":            {URL: hook, Username: strings.Repeat("x", 81)},
	} {
		c.Connection = connection
		if _, err := discord.New(c); err == nil || strings.Contains(err.Error(), publishtest.Canary) || !strings.HasPrefix(err.Error(), "discord discord-acme: ") {
			t.Errorf("%s: error %v", name, err)
		}
	}
	for _, url := range []string{address, address + "/", strings.Replace(address, "/api/", "/api/v9/", 1)} {
		if _, err := discord.New(discord.Config{Connection: connection, URL: func() string { return url }}); err != nil {
			t.Errorf("error %v", err)
		}
	}
}

func TestValidateKnowsTheLimits(t *testing.T) {
	t.Parallel()
	p, _ := publisher(t, &discordtest.Server{})
	for name, tt := range map[string]struct {
		c  post.Content
		ok bool
	}{
		"as long as can be":       {c: post.Content{Text: strings.Repeat("x", 2000)}, ok: true},
		"one more":                {c: post.Content{Text: strings.Repeat("x", 2001)}},
		"too long with its link":  {c: post.Content{Text: strings.Repeat("x", 1990), Link: "https://example.com"}},
		"eleven files":            {c: post.Content{Media: make([]post.Media, 11)}},
		"unknown mentions":        {c: post.Content{Text: "x", Settings: []byte(`{"discord":{"mentions":["friends"]}}`)}},
		"settings of another":     {c: post.Content{Text: "x", Settings: []byte(`{"mastodon":{"visibility":"private"}}`)}, ok: true},
		"settings that are none":  {c: post.Content{Text: "x", Settings: []byte(`{"discord":{"mentions":"users"}}`)}},
		"a thread of a long name": {c: post.Content{Text: "x", Settings: []byte(`{"discord":{"thread_name":"` + strings.Repeat("x", 101) + `"}}`)}},
	} {
		if problems := p.Validate(&tt.c); post.HasErrors(problems) == tt.ok {
			t.Errorf("%s: problems %v", name, problems)
		}
	}
}

func TestCheckTellsAWebhookThatIsGone(t *testing.T) {
	t.Parallel()
	p, _ := publisher(t, &discordtest.Server{Token: publishtest.Canary, Gone: true})
	_, err := p.Check(t.Context())
	if f, ok := err.(*post.Failure); !ok || f.Class != post.ClassAuth {
		t.Errorf("error %v", err)
	}
}
