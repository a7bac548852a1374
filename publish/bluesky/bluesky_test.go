package bluesky_test

import (
	"bytes"
	"encoding/json"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
	"github.com/postroom/postroom/publish/bluesky"
	"github.com/postroom/postroom/publish/bluesky/blueskytest"
	"github.com/postroom/postroom/publish/publishtest"
)

const (
	connection = post.ConnectionID("bluesky-acme")
	host       = "pds.example"
)

var (
	_ publish.Publisher = (*bluesky.Publisher)(nil)
	_ publish.Looker    = (*bluesky.Publisher)(nil)
	_ publish.Pacer     = (*bluesky.Publisher)(nil)
)

func canary() string { return publishtest.Canary }

// publisher returns one that talks to server without a network, with the files
// of dir as its media.
func publisher(t *testing.T, server *blueskytest.Server, transport *publishtest.Transport, dir string) *bluesky.Publisher {
	t.Helper()
	server.Password = publishtest.Canary
	c := bluesky.Config{Connection: connection, Server: "https://" + host, Identifier: blueskytest.Handle, Password: canary, Language: "en", Transport: transport}
	if dir != "" {
		room, err := publish.NewMediaRoom(dir, publish.Guard{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		c.Media = room
	}
	p, err := bluesky.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if v := server.Violations(); v != nil {
			t.Errorf("calls that the lexicon does not allow: %q", v)
		}
	})
	return p
}

func subject(t *testing.T) *publishtest.Subject {
	server := &blueskytest.Server{}
	transport := &publishtest.Transport{Handler: server, Host: host}
	dir := publishtest.Pictures(t)
	p := publisher(t, server, transport, dir)
	return &publishtest.Subject{
		Again: func() publishtest.Publisher { return publisher(t, server, transport, dir) },
		Pictured: func(text string) (names []string) {
			for _, e := range server.Ledger() {
				var record struct {
					Embed struct {
						Images []struct {
							Image struct {
								Ref struct {
									Link string `json:"$link"`
								} `json:"ref"`
							} `json:"image"`
						} `json:"images"`
					} `json:"embed"`
				}
				if e.Text != text || json.Unmarshal(e.Record, &record) != nil {
					continue
				}
				for _, i := range record.Embed.Images {
					names = append(names, publishtest.PictureIn(server.Blob(i.Image.Ref.Link)))
				}
			}
			return names
		},
		Publisher: p, Connection: connection, Live: server.Texts,
		Crawl:   transport.Crawls.Store,
		Strayed: func() bool { return transport.Strayed.Load() > 0 },
		Arrange: func(f publishtest.Fault) {
			transport.Down.Store(f == publishtest.Unreachable)
			switch f {
			case publishtest.Unreachable, publishtest.None:
			case publishtest.Auth:
				server.Next(f, f) // and again with the token that is fetched then
			default:
				server.Next(f)
			}
		},
	}
}

func TestSuite(t *testing.T) {
	t.Parallel()
	publishtest.Run(t, publishtest.Suite{New: subject, Knows: true})
}

var nextID atomic.Uint32

func delivery(text string) post.Delivery {
	id := post.MakeID(time.Now(), [5]byte{1}, nextID.Add(256))
	return post.Delivery{
		Content: post.Content{Text: text},
		Post:    post.Post{ID: id, Group: id, Account: "acme", Connection: connection, BegunAt: time.Now()},
	}
}

// keep returns a save that keeps d's state.
func keep(d *post.Delivery) publish.Save {
	return func(_ []post.Part, state []byte) error {
		if state != nil {
			d.Post.State = state
		}
		return nil
	}
}

func TestP2_ARepeatAfterARestartIsTheSameRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &blueskytest.Server{}
		transport := &publishtest.Transport{Handler: server, Host: host}
		d := delivery("once")
		for range 3 {
			r, err := publisher(t, server, transport, "").Publish(t.Context(), d, keep(&d))
			if err != nil || r.Found {
				t.Fatalf("%+v, %v", r, err)
			}
			time.Sleep(time.Hour) // in a bubble
		}
		if all := server.Ledger(); len(all) != 1 || all[0].Writes != 3 {
			t.Errorf("ledger %+v: want one record, written three times", all)
		}
	})
}

// A crash between the send and the save of nothing leaves the record; even with
// the checkpoint lost it is not sent a second time.
func TestP2_ARepeatWithoutItsCheckpointFindsTheRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &blueskytest.Server{}
		p := publisher(t, server, &publishtest.Transport{Handler: server, Host: host}, "")
		d := delivery("once")
		first, err := p.Publish(t.Context(), d, func([]post.Part, []byte) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour) // in a bubble
		second, err := p.Publish(t.Context(), d, keep(&d))
		if err != nil || second.RemoteID != first.RemoteID || !second.Found || len(server.Ledger()) != 1 {
			t.Errorf("%+v, %v", second, err)
		}
	})
}

func TestP2_WorkersThatRaceMakeOneRecord(t *testing.T) {
	t.Parallel()
	server := &blueskytest.Server{}
	p := publisher(t, server, &publishtest.Transport{Handler: server, Host: host}, "")
	d := delivery("once")
	var g sync.WaitGroup
	for range 8 {
		g.Go(func() {
			if _, err := p.Publish(t.Context(), d, func([]post.Part, []byte) error { return nil }); err != nil {
				t.Error(err)
			}
		})
	}
	g.Wait()
	if logins, _ := server.Logins(); len(server.Ledger()) != 1 || logins != 1 {
		t.Errorf("%d records, %d log-ins; want one of each", len(server.Ledger()), logins)
	}
}

func TestARecordOfSomebodyElseIsLeftAlone(t *testing.T) {
	t.Parallel()
	server := &blueskytest.Server{}
	p := publisher(t, server, &publishtest.Transport{Handler: server, Host: host}, "")
	d := delivery("mine")
	if _, err := p.Publish(t.Context(), d, keep(&d)); err != nil {
		t.Fatal(err)
	}
	d.Content.Text, d.Post.State = "other words", nil
	_, err := p.Publish(t.Context(), d, keep(&d))
	if f, ok := err.(*post.Failure); !ok || f.Sent != post.Refused || f.Class != post.ClassInvalid {
		t.Errorf("error %v", err)
	}
	d.Again = true // then it may be this post with the words of an earlier attempt
	_, err = p.Publish(t.Context(), d, keep(&d))
	if f, ok := err.(*post.Failure); !ok || !f.InDoubt() || !f.Copy {
		t.Errorf("at a later attempt: %v", err)
	}
	if got := server.Texts(); len(got) != 1 || got[0] != "mine" {
		t.Errorf("live %q", got)
	}
}

func TestSessionsAreKeptAndRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &blueskytest.Server{Home: "https://" + host}
		p := publisher(t, server, &publishtest.Transport{Handler: server, Host: host}, "")
		steps := []struct {
			name             string
			before           func()
			logins, renewals int
		}{
			{"first", func() {}, 1, 0},
			{"soon after", func() {}, 1, 0},
			{"hours later", func() { time.Sleep(3 * time.Hour) }, 1, 1},
			{"the token is gone", func() { server.Forget(false) }, 1, 2},
			{"the session is gone", func() { server.Forget(true) }, 2, 2},
		}
		for _, s := range steps {
			s.before()
			d := delivery(s.name)
			if _, err := p.Publish(t.Context(), d, keep(&d)); err != nil {
				t.Fatalf("%s: %v", s.name, err)
			}
			if l, r := server.Logins(); l != s.logins || r != s.renewals {
				t.Errorf("%s: %d log-ins and %d renewals, want %d and %d", s.name, l, r, s.logins, s.renewals)
			}
		}
	})
}

func TestTheDIDDocumentLeadsToTheAccountsServer(t *testing.T) {
	t.Parallel()
	for home, strays := range map[string]bool{"https://other.example": true, "http://other.example": false, "https://u:p@other.example": false, "": false} {
		server := &blueskytest.Server{Home: home}
		transport := &publishtest.Transport{Handler: server, Host: host}
		p := publisher(t, server, transport, "")
		_, err := p.Check(t.Context())
		if got := transport.Strayed.Load() > 0; got != strays || strays == (err == nil) {
			t.Errorf("%q: called another host %v, want %v; %v", home, got, strays, err)
		}
	}
}

func picture(t *testing.T, dir, name string) {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 30, 20))); err != nil {
		t.Fatal(err)
	}
	b.WriteString(name) // so that no two are the same
	if err := os.WriteFile(filepath.Join(dir, name), b.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
}

func TestPicturesAreUploadedOnceWithTheirAltText(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	picture(t, dir, "a.png")
	picture(t, dir, "b.png")
	server := &blueskytest.Server{}
	transport := &publishtest.Transport{Handler: server, Host: host}
	p := publisher(t, server, transport, dir)
	d := delivery("with pictures")
	d.Content.Media = []post.Media{{URL: "a.png", Alt: "the ä"}, {URL: "b.png"}}
	server.Next(publishtest.Throttle)
	if _, err := p.Publish(t.Context(), d, keep(&d)); err == nil {
		t.Fatal("no failure")
	}
	before := transport.Calls.Load()
	if _, err := p.Publish(t.Context(), d, keep(&d)); err != nil {
		t.Fatal(err)
	}
	if n := transport.Calls.Load() - before; n != 1 {
		t.Errorf("%d calls in the second attempt, want 1", n)
	}
	for _, want := range []string{`"alt":"the ä"`, `"alt":""`, `"aspectRatio":{"width":30,"height":20}`, `"mimeType":"image/png"`} {
		if record := string(server.Ledger()[0].Record); !strings.Contains(record, want) {
			t.Errorf("record %s has no %s", record, want)
		}
	}
}

func TestPicturesThatTheServerHasDroppedAreUploadedAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	picture(t, dir, "a.png")
	server := &blueskytest.Server{}
	p := publisher(t, server, &publishtest.Transport{Handler: server, Host: host}, dir)
	d := delivery("with a picture")
	d.Content.Media = []post.Media{{URL: "a.png"}}
	server.Next(publishtest.Throttle)
	if _, err := p.Publish(t.Context(), d, keep(&d)); err == nil {
		t.Fatal("no failure")
	}
	server.DropBlobs()
	_, err := p.Publish(t.Context(), d, keep(&d))
	if f, ok := err.(*post.Failure); !ok || !f.Retryable() {
		t.Fatalf("error %v, want one to retry", err)
	}
	if _, err := p.Publish(t.Context(), d, keep(&d)); err != nil {
		t.Fatal(err)
	}
}

func TestFacetsAreCountedInBytes(t *testing.T) {
	t.Parallel()
	server := &blueskytest.Server{}
	p := publisher(t, server, &publishtest.Transport{Handler: server, Host: host}, "")
	d := delivery("Grüße 👋 an @ann.bsky.example, @nobody.example: https://go.dev/a?b#c. #grün! #1 x#y (#zwei)")
	if _, err := p.Publish(t.Context(), d, keep(&d)); err != nil {
		t.Fatal(err)
	}
	var r struct {
		Facets []struct {
			Index    struct{ ByteStart, ByteEnd int }
			Features []map[string]string
		}
	}
	if err := json.Unmarshal(server.Ledger()[0].Record, &r); err != nil {
		t.Fatal(err)
	}
	want := []struct{ text, key, value string }{
		{"@ann.bsky.example", "did", "did:plc:ann"},
		{"https://go.dev/a?b#c", "uri", "https://go.dev/a?b#c"},
		{"#grün", "tag", "grün"},
		{"#zwei", "tag", "zwei"},
	}
	if len(r.Facets) != len(want) {
		t.Fatalf("facets %+v, want %d", r.Facets, len(want))
	}
	for i, f := range r.Facets {
		if got := d.Content.Text[f.Index.ByteStart:f.Index.ByteEnd]; got != want[i].text || f.Features[0][want[i].key] != want[i].value {
			t.Errorf("facet %d is %q %v, want %+v", i, got, f.Features, want[i])
		}
	}
}

func TestTextsAreCountedAsTheServerDoes(t *testing.T) {
	t.Parallel()
	server := &blueskytest.Server{}
	p := publisher(t, server, &publishtest.Transport{Handler: server, Host: host}, "")
	for text, ok := range map[string]bool{
		strings.Repeat("क्षि", 250):    true,
		strings.Repeat("👨‍👩‍👧‍👦", 120): true,
		strings.Repeat("👨‍👩‍👧‍👦", 121): false, // 3025 bytes
		strings.Repeat("x", 301):       false,
		strings.Repeat("e\u0301", 300): true,
		strings.Repeat("e\u0301", 301): false,
	} {
		d := delivery(text)
		if got := !post.HasErrors(p.Validate(&d.Content)); got != ok {
			t.Errorf("%.20q…, %d bytes: valid %v, want %v", text, len(text), got, ok)
		}
		if ok {
			if _, err := p.Publish(t.Context(), d, keep(&d)); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestConfigSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	good := bluesky.Config{Connection: connection, Identifier: "acme.bsky.social", Password: canary}
	for want, change := range map[string]func(*bluesky.Config){
		"":                   func(*bluesky.Config) {},
		"server":             func(c *bluesky.Config) { c.Server = "bsky.social" },
		"server: want https": func(c *bluesky.Config) { c.Server = "http://pds.example" },
		"identifier":         func(c *bluesky.Config) { c.Identifier = "acme" },
		"password":           func(c *bluesky.Config) { c.Password = nil },
	} {
		c := good
		change(&c)
		if _, err := bluesky.New(c); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}
