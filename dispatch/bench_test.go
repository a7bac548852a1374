package dispatch

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/postroom/postroom/post"
)

type noop struct{}

func (noop) Publish(context.Context, post.Delivery, func([]post.Part, []byte) error) (post.Receipt, error) {
	return post.Receipt{RemoteID: "1"}, nil
}

// What dispatching a post costs beside its queue and its platform.
func BenchmarkDispatch10kPostsOn32Connections(b *testing.B) {
	const posts, conns = 10_000, 32
	for b.Loop() {
		b.StopTimer()
		m := newModel(b)
		now := time.Now()
		for i := range posts {
			m.add(post.ConnectionID(fmt.Sprintf("mastodon-%d", i%conns)), now, "a")
		}
		d := New(m, func(post.AccountID, post.ConnectionID) (Publisher, error) { return noop{}, nil }, Config{})
		b.StartTimer()
		if got, err := d.Tick(b.Context()); err != nil || got.Published != posts {
			b.Fatalf("Tick() = %+v, %v", got, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/posts, "ns/post")
}

// A tick with nothing due.
func BenchmarkIdleTick(b *testing.B) {
	m := newModel(b)
	for i := range 32 {
		m.add(post.ConnectionID(fmt.Sprintf("mastodon-%d", i)), time.Now().Add(time.Hour), "a")
	}
	d := New(m, func(post.AccountID, post.ConnectionID) (Publisher, error) { return noop{}, nil }, Config{})
	for b.Loop() {
		if _, err := d.Tick(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
