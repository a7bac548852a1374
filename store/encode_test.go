package store

import (
	"reflect"
	"testing"
	"time"

	"github.com/postroom/postroom/post"
)

func testNames() *registry {
	return &registry{
		accounts: map[uint32]post.AccountID{1: acme}, numbers: map[post.AccountID]uint32{acme: 1},
		conns:    map[uint32]connName{1: {acme, "twitter-1"}, 2: {acme, "linkedin-2"}},
		connNums: map[connName]uint32{{acme, "twitter-1"}: 1, {acme, "linkedin-2"}: 2},
	}
}

func fullGroup() *post.Group {
	g := group("text", start, "twitter-1", "linkedin-2")
	g.ID = post.MakeID(start, [5]byte{1}, 7)
	g.Title, g.Link, g.FirstComment, g.Labels = "title", "https://example.com", "first", []string{"a", "b"}
	g.Media = []post.Media{{URL: "https://example.com/a.png", Alt: "alt"}}
	g.Settings = []byte(`{"tiktok":{}}`)
	g.Variants = map[post.Platform]string{"twitter": "short", "linkedin": "long"}
	g.Held, g.Import, g.Row, g.ExternalID, g.Zone = "why", post.MakeID(start, [5]byte{2}, 1), 12, "ext", "Europe/Berlin"
	g.RequestedAt = start.Add(-time.Hour)
	p := &g.Posts[1]
	p.Status, p.DueAt, p.Attempts, p.Epoch, p.BegunAt = post.StatusUnknown, start.Add(time.Minute), 3, 9, start
	p.Receipt = &post.Receipt{RemoteID: "r", URL: "u", PublishedAt: start, Found: true}
	p.Problem = &post.Outcome{Code: "C", Message: "m", HTTPStatus: 500, Retryable: true, At: start}
	p.Parts = []post.Part{{Text: "1", RemoteID: "a", URL: "b"}, {Text: "2"}}
	p.State = []byte{1, 2}
	for i := range g.Posts {
		g.Posts[i].ID, g.Posts[i].Group = g.ID.Add(uint64(i)+1), g.ID
	}
	return g
}

func TestAGroupReadsBackAsItWasWritten(t *testing.T) {
	t.Parallel()
	for name, g := range map[string]*post.Group{"full": fullGroup(), "bare": func() *post.Group {
		g := group("x", time.Time{}, "twitter-1")
		g.Posts[0].ID, g.Posts[0].Group = g.ID.Add(1), g.ID
		return g
	}()} {
		conns := []uint32{1, 2}[:len(g.Posts)]
		got, err := decodeGroup(g.ID[:], encodeGroup(nil, g, 1, conns), testNames())
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(&got, g) {
			t.Errorf("%s: read back\n%+v\nwant\n%+v", name, got, *g)
		}
	}
}

func FuzzDecodeGroup(f *testing.F) {
	f.Add(encodeGroup(nil, fullGroup(), 1, []uint32{1, 2}))
	f.Add([]byte{recordVersion})
	key := make([]byte, post.IDLen)
	f.Fuzz(func(t *testing.T, b []byte) {
		g, err := decodeGroup(key, b, testNames())
		if err == nil && len(g.Posts) > len(b) {
			t.Errorf("%d posts out of %d bytes", len(g.Posts), len(b))
		}
	})
}
