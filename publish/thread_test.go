package publish

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish/publishtest"
)

// wall is a platform of threads: it takes a text and answers with its number.
type wall struct {
	mu     sync.Mutex
	faults []publishtest.Fault
	texts  []string
}

func (w *wall) live() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.texts...)
}

func (w *wall) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	fault := publishtest.None
	if len(w.faults) > 0 {
		fault, w.faults = w.faults[0], w.faults[1:]
	}
	w.mu.Unlock()
	fault.Serve(rw, r, func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.texts = append(w.texts, r.Header.Get("Text"))
		if _, err := rw.Write([]byte(`{"id":"` + r.Header.Get("Idempotency-Key") + `"}`)); err != nil {
			return
		}
	})
}

// climber publishes threads to a wall with the pieces of this package.
type climber struct {
	client *Client
	rules  Rules
	wall   *wall
}

func (p *climber) Validate(c *post.Content) []post.Problem { return p.rules.Validate(c) }

func (p *climber) Check(context.Context) (post.Identity, error) {
	return post.Identity{Username: "climber"}, nil
}

func (p *climber) Publish(ctx context.Context, d post.Delivery, save Save) (post.Receipt, error) {
	texts, err := Split(d.Text(), p.rules.Limits.Text, NumberAuto)
	if err != nil {
		return post.Receipt{}, err
	}
	return SendParts(ctx, &d, texts, save, func(ctx context.Context, at int, text string, _ []post.Part) (post.Receipt, error) {
		a, err := p.client.Do(ctx, Request{
			Method: http.MethodPost, URL: "https://wall.example/", Body: []byte{}, Token: canary,
			Header: http.Header{"Idempotency-Key": {d.Post.PartKey(at)}, "Text": {text}},
		})
		if err != nil {
			return post.Receipt{}, err
		}
		if a.Status != http.StatusOK {
			return post.Receipt{}, p.client.Refusal(a)
		}
		var got struct{ ID string }
		if err := a.Decode(&got); err != nil {
			return post.Receipt{}, p.client.Doubt(a, err)
		}
		return post.Receipt{RemoteID: got.ID, PublishedAt: a.At}, nil
	})
}

func (p *climber) Lookup(ctx context.Context, d post.Delivery) (post.Found, error) {
	return FindParts(ctx, &d, d.Text(), func(_ context.Context, at int, text string, _ []post.Part) (post.Found, error) {
		for _, t := range p.wall.live() {
			if t == text {
				return post.Found{State: post.Present, Receipt: post.Receipt{RemoteID: d.Post.PartKey(at), Found: true}}, nil
			}
		}
		return post.Found{State: post.Absent}, nil
	})
}

func TestThreads(t *testing.T) {
	t.Parallel()
	publishtest.Run(t, publishtest.Suite{
		Threads: true,
		New: func(*testing.T) *publishtest.Subject {
			w := &wall{}
			transport := &publishtest.Transport{Handler: w, Host: "wall.example"}
			table, _ := limits.PlatformByKey("twitter")
			again := func() publishtest.Publisher {
				return &climber{client: newClient(ClientOptions{Transport: transport}), rules: Rules{Limits: table}, wall: w}
			}
			return &publishtest.Subject{
				Again: again, Publisher: again(), Connection: "twitter-1", Live: w.live,
				Strayed: func() bool { return transport.Strayed.Load() > 0 },
				Arrange: func(f publishtest.Fault) {
					transport.Down.Store(f == publishtest.Unreachable)
					if f != publishtest.Unreachable && f != publishtest.None {
						w.mu.Lock()
						w.faults = append(w.faults, f)
						w.mu.Unlock()
					}
				},
			}
		},
	})
}

func TestEarliestIsTheFirstAttempt(t *testing.T) {
	t.Parallel()
	slot := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	later := slot.Add(time.Hour)
	for name, c := range map[string]struct {
		d    post.Delivery
		want time.Time
	}{
		"the only attempt":         {post.Delivery{Post: post.Post{SlotAt: slot, BegunAt: later, Attempts: 1}}, later},
		"the second":               {post.Delivery{Post: post.Post{SlotAt: slot, BegunAt: later, Attempts: 2}}, slot},
		"the first of another try": {post.Delivery{Post: post.Post{SlotAt: slot, BegunAt: later, Attempts: 1}, Again: true}, slot},
		"moved since":              {post.Delivery{Post: post.Post{SlotAt: later, BegunAt: slot, Attempts: 2}}, slot},
		"without a slot":           {post.Delivery{Post: post.Post{BegunAt: later, Attempts: 2}}, later},
	} {
		if got := Earliest(&c.d); !got.Equal(c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
