package store

import (
	"reflect"
	"strconv"
	"strings"
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
	g.Media = []post.Media{{URL: "https://example.com/a.png", Alt: "alt"}, {URL: "b.mp4", Pin: post.Pin{
		Hash: post.Digest{1, 31: 2}, Name: "b.mp4", Type: "video/mp4", Size: 1 << 40, Width: 1920, Height: 1080, Duration: 90 * time.Second, Animated: true, Rate: 29.97,
	}}}
	g.Settings = []byte(`{"tiktok":{}}`)
	g.Variants = map[post.Platform]string{"twitter": "short", "linkedin": "long"}
	g.Held, g.Import, g.Row, g.ExternalID, g.Zone = "why", post.MakeID(start, [5]byte{2}, 1), 12, "ext", "Europe/Berlin"
	g.RequestedAt, g.AltTexts = start.Add(-time.Hour), []string{"first", ""}
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
		got, err := decodeGroup(g.ID[:], encodeGroup(startRecord(nil, nil), g, 1, conns), testNames())
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(&got, g) {
			t.Errorf("%s: read back\n%+v\nwant\n%+v", name, got, *g)
		}
	}
}

func FuzzDecodeGroup(f *testing.F) {
	f.Add(encodeGroup(startRecord(nil, nil), fullGroup(), 1, []uint32{1, 2}))
	f.Add(encodeGroup(startRecord(nil, appendEvent(nil, &post.LogEntry{Group: fullGroup().ID, Event: "publish_failed", Error: "x", Attempt: 2, Who: "me"})), fullGroup(), 1, []uint32{1, 2}))
	f.Add([]byte{recordVersion})
	key := make([]byte, post.IDLen)
	f.Fuzz(func(t *testing.T, b []byte) {
		g, err := decodeGroup(key, b, testNames())
		if err == nil && len(g.Posts) > len(b) {
			t.Errorf("%d posts out of %d bytes", len(g.Posts), len(b))
		}
	})
}

func TestHistoryReadsBackAndMakesRoom(t *testing.T) {
	t.Parallel()
	r := open(t)
	g := group("x", start, "twitter-1", "linkedin-2")
	if err := r.Create(t.Context(), g, nil, "me"); err != nil {
		t.Fatal(err)
	}
	r.forward(time.Minute)
	var l post.Lease
	for _, held := range must[[]post.Lease](t)(r.Acquire(t.Context(), time.Minute, 2)) {
		if held.Connection == "twitter-1" {
			l = held
		}
	}
	id := r.next(l, nil).Delivery.Post.ID
	if err := r.Finish(t.Context(), l, post.Done{ID: id, Status: post.StatusFailed, Outcome: &post.Outcome{Code: "RATE_LIMITED", Message: "slow down", HTTPStatus: 429, Retryable: true}}); err != nil {
		t.Fatal(err)
	}
	want := []post.LogEntry{
		{Post: g.ID.Add(1), Platform: "twitter", Event: "scheduled", Who: "me", At: start},
		{Post: g.ID.Add(2), Platform: "linkedin", Event: "scheduled", Who: "me", At: start},
		{Post: id, Platform: "twitter", Event: "processing", At: start.Add(time.Minute)},
		{Post: id, Platform: "twitter", Event: "publish_attempted", Attempt: 1, At: start.Add(time.Minute)},
		{Post: id, Platform: "twitter", Event: "publish_failed", Attempt: 1, At: start.Add(time.Minute), Error: "slow down", ErrorCode: "RATE_LIMITED", Status: 429, Retryable: true},
	}
	got := must[[]post.LogEntry](t)(r.Log(t.Context(), g.ID))
	seen := map[post.ID]bool{}
	for i := range got {
		if got[i].Group != g.ID || seen[got[i].ID] {
			t.Errorf("entry %d: %+v, want an id of its own and group %s", i, got[i], g.ID)
		}
		seen[got[i].ID] = true
		got[i].ID, got[i].Group = post.ID{}, post.ID{}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("history\n%+v\nwant\n%+v", got, want)
	}
	again := must[[]post.LogEntry](t)(r.Log(t.Context(), g.ID))
	other := group("other", start.Add(time.Minute), "twitter-1", "linkedin-2")
	if err := r.Create(t.Context(), other, nil, "me"); err != nil {
		t.Fatal(err)
	}
	for i, e := range append(again, must[[]post.LogEntry](t)(r.Log(t.Context(), other.ID))...) {
		if seen[e.ID] != (i < len(again)) || e.ID.Time() != e.At.Truncate(time.Second) {
			t.Errorf("entry %d has the id %s: not the one it had, or another group's", i, e.ID)
		}
	}
	for i := range 400 { // a history that goes on for ever
		if err := r.update(t.Context(), func(c *change) error {
			g, err := r.group(c.Tx, g.ID)
			if err != nil {
				return err
			}
			return c.put(&g, &g, post.LogEntry{Event: "status_changed", Error: strings.Repeat("y", 100) + strconv.Itoa(i)})
		}); err != nil {
			t.Fatal(err)
		}
	}
	got = must[[]post.LogEntry](t)(r.Log(t.Context(), g.ID))
	if last := got[len(got)-1]; len(got) > 200 || !strings.HasSuffix(last.Error, "399") {
		t.Errorf("%d events, the last is %+v; want fewer than 200, ending with 399", len(got), last)
	}
}

// FuzzDecodeRecords gives damaged bytes to every other decoder: none may panic.
func FuzzDecodeRecords(f *testing.F) {
	base := post.MakeID(start, [5]byte{1}, 0)
	var rows encoder
	rows.byte(recordVersion)
	rows.int(start.Unix())
	encodeRow(&rows, &post.Row{N: 1, Line: 2, Decision: post.Held, Group: base.Add(1), Why: "why", UID: "uid", Sequence: 3, ModifiedAt: start, Problems: []post.Problem{{Got: "x"}}}, base, start.Unix())
	encodeRow(&rows, &post.Row{N: 2, Line: 3, Decision: post.Unchanged, Group: post.ID{9}}, base, start.Unix())
	f.Add(rows.b)
	f.Add(appendEvent(nil, &post.LogEntry{Group: base, Post: base.Add(1), Event: "publish_failed", Error: "e", Status: 500, Attempt: 3, Who: "w", ErrorCode: "c"}))
	f.Add(newRunEntry(start, 1, 0).append([]byte{recordVersion}))
	f.Fuzz(func(t *testing.T, b []byte) {
		key := append(base[:], key4(1)...)
		if rows, err := decodeRows(key, b); err == nil && len(rows) > len(b) {
			t.Errorf("%d rows out of %d bytes", len(rows), len(b))
		}
		_, _ = decodeConn(key, b)
		_, _ = readOpen(key, b)
		if block, err := readBlock(key, b); err == nil {
			block.find(newRunEntry(start, 1, 0))
		}
		for d := (&decoder{b: b}); len(d.b) > 0; {
			asLogged(decodeEvent(d, base), fullGroup())
		}
		_, _, _ = splitRecord(key, b)
	})
}
