package matrix_test

import (
	"bytes"
	"image"
	"image/png"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
	"github.com/postroom/postroom/publish/matrix"
	"github.com/postroom/postroom/publish/matrix/matrixtest"
	"github.com/postroom/postroom/publish/publishtest"
)

const (
	connection = post.ConnectionID("matrix-acme")
	host       = "matrix.example.org"
)

var (
	_ publish.Publisher = (*matrix.Publisher)(nil)
	_ publish.Looker    = (*matrix.Publisher)(nil)
	_ publish.Pacer     = (*matrix.Publisher)(nil)
)

// publisher returns one that posts to a room of server, with a.png and b.png as
// media.
func publisher(t *testing.T, server *matrixtest.Server) (*matrix.Publisher, *publishtest.Transport) {
	t.Helper()
	server.Token = publishtest.Canary
	dir := t.TempDir()
	for i, name := range []string{"a.png", "b.png"} {
		var b bytes.Buffer
		if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 30+i, 20))); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	room, err := publish.NewMediaRoom(dir, publish.Guard{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &publishtest.Transport{Handler: server, Host: host}
	p, err := matrix.New(matrix.Config{
		Connection: connection, Server: "https://" + host, Token: func() string { return publishtest.Canary }, Room: matrixtest.Alias, Media: room, Transport: transport,
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
	for name, forgetful := range map[string]bool{"a server that knows the transaction": false, "a server that has forgotten it": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			publishtest.Run(t, publishtest.Suite{Knows: !forgetful, New: func(t *testing.T) *publishtest.Subject {
				server := &matrixtest.Server{Forgetful: forgetful}
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
		})
	}
}

func delivery(text string, media ...post.Media) post.Delivery {
	id := post.MakeID(time.Now(), [5]byte{1}, 1)
	return post.Delivery{
		Content: post.Content{Text: text, Media: media},
		Post:    post.Post{ID: id, Account: "acme", Connection: connection, BegunAt: time.Now()},
	}
}

// keep returns a save that keeps what is saved in d.
func keep(d *post.Delivery) publish.Save {
	return func(parts []post.Part, state []byte) error {
		if parts != nil {
			d.Post.Parts = parts
		}
		if state != nil {
			d.Post.State = state
		}
		return nil
	}
}

func TestP2_MediaFollowTheTextAndAreResumed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &matrixtest.Server{Forgetful: true}
		p, _ := publisher(t, server)
		d := delivery("with pictures", post.Media{URL: "a.png", Alt: "the ä"}, post.Media{URL: "b.png"})
		server.Next(publishtest.None, publishtest.Lost)
		_, err := p.Publish(t.Context(), d, keep(&d))
		if f, ok := err.(*post.Failure); !ok || !f.InDoubt() {
			t.Fatalf("error %v, want doubt", err)
		}
		time.Sleep(time.Hour)                // in a bubble
		restarted, _ := publisher(t, server) // another process
		found, err := restarted.Lookup(t.Context(), d)
		if err != nil || found.State != post.Absent || found.Parts[1].RemoteID == "" || found.Parts[2].RemoteID != "" {
			t.Fatalf("found %+v, %v", found, err)
		}
		d.Post.Parts = found.Parts
		r, err := restarted.Publish(t.Context(), d, keep(&d))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(server.Texts(), "|"); got != "with pictures|the ä|b.png" {
			t.Errorf("live %q", got)
		}
		if files := server.Files(); len(files) != 2 || files[0].Name != "a.png" || files[0].Type != "image/png" {
			t.Errorf("uploads %+v, want each once", files)
		}
		e := server.Ledger()[1]
		info, ok := e.Content["info"].(map[string]any)
		if !ok || e.Content["msgtype"] != "m.image" || info["w"] != 30.0 || info["mimetype"] != "image/png" {
			t.Errorf("event %+v", e)
		}
		if r.RemoteID != "$event1" || r.URL != "https://matrix.to/#/%21room:example.org/$event1?via=example.org" {
			t.Errorf("receipt %+v", r)
		}
	})
}

func TestP2_LookupGoesByTheKeyAndTheSender(t *testing.T) {
	for name, tt := range map[string]struct {
		sender string
		key    func(*post.Delivery) string
		after  int // events of others behind it
		want   post.FoundState
	}{
		"its own":                {matrixtest.User, func(d *post.Delivery) string { return d.Post.Key() }, 0, post.Present},
		"behind pages":           {matrixtest.User, func(d *post.Delivery) string { return d.Post.Key() }, 250, post.Present},
		"behind too many":        {matrixtest.User, func(d *post.Delivery) string { return d.Post.Key() }, 1100, post.Undecidable},
		"another post":           {matrixtest.User, func(d *post.Delivery) string { return d.Post.PartKey(1) }, 0, post.Absent},
		"somebody who copies it": {"@eve:example.org", func(d *post.Delivery) string { return d.Post.Key() }, 0, post.Absent},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := &matrixtest.Server{}
			p, _ := publisher(t, server)
			d := delivery("x")
			server.Write(tt.sender, map[string]any{"msgtype": "m.text", "body": "x", "postroom.key": tt.key(&d)})
			for range tt.after {
				server.Write("@eve:example.org", map[string]any{"msgtype": "m.text", "body": "y"})
			}
			found, err := p.Lookup(t.Context(), d)
			if err != nil || found.State != tt.want {
				t.Errorf("found %+v, %v; want state %v", found, err, tt.want)
			}
		})
	}
}

func TestRoomsThatCannotBeUsedPauseTheConnection(t *testing.T) {
	t.Parallel()
	for want, server := range map[string]*matrixtest.Server{
		"encrypted":   {Encrypted: true},
		"not in room": {Left: true},
	} {
		p, _ := publisher(t, server)
		d := delivery("x")
		_, err := p.Publish(t.Context(), d, keep(&d))
		f, ok := err.(*post.Failure)
		if !ok || f.InDoubt() || f.Retryable() || f.Scope != post.ScopeConnection || !strings.Contains(f.Message, want) {
			t.Errorf("error %v, want %q", err, want)
		}
		if _, err := p.Check(t.Context()); err == nil {
			t.Errorf("%s: the check is content", want)
		}
		if len(server.Ledger()) > 0 {
			t.Errorf("%s: it was sent", want)
		}
	}
}

func TestConfigSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	good := matrix.Config{Connection: connection, Server: "https://matrix.org", Token: func() string { return "syt_token" }, Room: "!room"}
	for want, change := range map[string]func(*matrix.Config){
		"":                   func(*matrix.Config) {},
		"server:":            func(c *matrix.Config) { c.Server = "matrix.org" },
		"server: want https": func(c *matrix.Config) { c.Server = "http://matrix.org" },
		"access_token":       func(c *matrix.Config) { c.Token = nil },
		"room:":              func(c *matrix.Config) { c.Room = "news" },
	} {
		c := good
		change(&c)
		if _, err := matrix.New(c); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

func TestTheWaitIsReadFromTheBody(t *testing.T) {
	t.Parallel()
	busy := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusTooManyRequests)
		io.WriteString(w, `{"errcode":"M_LIMIT_EXCEEDED","error":"Too Many Requests","retry_after_ms":90000}`)
	})
	p, err := matrix.New(matrix.Config{
		Connection: connection, Server: "https://" + host, Token: func() string { return publishtest.Canary }, Room: matrixtest.Room,
		Transport: &publishtest.Transport{Handler: busy},
	})
	if err != nil {
		t.Fatal(err)
	}
	d := delivery("x")
	_, err = p.Publish(t.Context(), d, keep(&d))
	if f, ok := err.(*post.Failure); !ok || f.Class != post.ClassRate || f.After != 90*time.Second || f.Scope != post.ScopeConnection {
		t.Errorf("error %+v", err)
	}
}
