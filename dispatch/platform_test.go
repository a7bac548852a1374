package dispatch

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postroom/postroom/post"
)

// A world is a platform that does whatever it is told, and the ledger of what it
// saw. It never notices repeats by itself.
type world struct {
	health func() error // of a platform that can be asked how it is; nil for one that cannot

	mu     sync.Mutex
	live   map[post.ID]int      // posts that are to be seen, how often
	parts  map[string]int       // parts of threads
	calls  []call               // in the order in which they began
	script map[string][]behaves // by text: what the calls do, one after the other
	looks  []time.Time
	blind  bool                                    // no look-ups
	found  func(post.Delivery) (post.Found, error) // instead of the ledger
}

type call struct {
	id      post.ID
	conn    post.ConnectionID
	text    string
	attempt int
	at      time.Time
}

// behaves is what one call does.
type behaves func(ctx context.Context, w *world, d post.Delivery) (post.Receipt, error)

func newWorld() *world {
	return &world{live: map[post.ID]int{}, parts: map[string]int{}, script: map[string][]behaves{}}
}

// pubs gives every connection the same platform.
func (w *world) pubs(post.AccountID, post.ConnectionID) (Publisher, error) {
	if w.blind {
		return blindPublisher{w}, nil
	}
	if w.health != nil {
		return healthyPublisher{publisher{w}}, nil
	}
	return publisher{w}, nil
}

// A healthyPublisher can be asked how it is.
type healthyPublisher struct{ publisher }

func (p healthyPublisher) Check(context.Context) (post.Identity, error) {
	return post.Identity{}, p.w.health()
}

type publisher struct{ w *world }

type blindPublisher struct{ w *world }

func (p blindPublisher) Publish(ctx context.Context, d post.Delivery, save func([]post.Part, []byte) error) (post.Receipt, error) {
	return publisher(p).Publish(ctx, d, save)
}

func (p publisher) Publish(ctx context.Context, d post.Delivery, save func([]post.Part, []byte) error) (post.Receipt, error) {
	w := p.w
	w.mu.Lock()
	w.calls = append(w.calls, call{d.Post.ID, d.Post.Connection, d.Content.Text, d.Post.Attempts, time.Now()})
	do, scripted := behaves(good), false
	if s := w.script[d.Content.Text]; len(s) > 0 {
		do, scripted = s[0], true
		if len(s) > 1 {
			w.script[d.Content.Text] = s[1:] // the last one holds for all that follow
		}
	}
	w.mu.Unlock()
	if d.Content.Text == "thread" {
		if !scripted {
			do = func(context.Context, *world, post.Delivery) (post.Receipt, error) { return post.Receipt{}, nil }
		}
		return w.thread(ctx, d, save, do)
	}
	return do(ctx, w, d)
}

// thread sends three parts; do is how the second ends, once.
func (w *world) thread(ctx context.Context, d post.Delivery, save func([]post.Part, []byte) error, do behaves) (post.Receipt, error) {
	parts := slices.Clone(d.Post.Parts)
	if parts == nil {
		parts = []post.Part{{Text: "1"}, {Text: "2"}, {Text: "3"}}
		if err := save(parts, nil); err != nil {
			return post.Receipt{}, refused(post.ClassUnknown, post.SentNot, 0)
		}
	}
	for i := range parts {
		if parts[i].RemoteID != "" {
			continue
		}
		if i == 1 && d.Post.Attempts == 1 {
			if _, err := do(ctx, w, d); err != nil {
				return post.Receipt{}, err
			}
		}
		key := d.Post.PartKey(i)
		w.mu.Lock()
		w.parts[key]++
		w.mu.Unlock()
		parts[i].RemoteID = key
		if err := save(parts, []byte{byte(i)}); err != nil {
			return post.Receipt{}, refused(post.ClassUnknown, post.SentMaybe, 0)
		}
	}
	return post.Receipt{RemoteID: parts[0].RemoteID}, nil
}

func (p publisher) Lookup(_ context.Context, d post.Delivery) (post.Found, error) {
	w := p.w
	w.mu.Lock()
	defer w.mu.Unlock()
	w.looks = append(w.looks, time.Now())
	if w.found != nil {
		return w.found(d)
	}
	if w.live[d.Post.ID] > 0 {
		return post.Found{State: post.Present, Receipt: post.Receipt{RemoteID: "r" + d.Post.ID.String()}}, nil
	}
	if d.Content.Text != "thread" {
		return post.Found{State: post.Absent}, nil
	}
	if len(d.Post.Parts) == 0 && len(w.parts) > 0 {
		return post.Found{}, nil // there is no telling without them
	}
	parts, all := slices.Clone(d.Post.Parts), len(d.Post.Parts) > 0
	for i := range parts {
		if key := d.Post.PartKey(i); w.parts[key] > 0 {
			parts[i].RemoteID = key
		} else {
			all = false
		}
	}
	if all {
		return post.Found{State: post.Present, Receipt: post.Receipt{RemoteID: parts[0].RemoteID}, Parts: parts}, nil
	}
	return post.Found{State: post.Absent, Parts: parts}, nil
}

func (w *world) publish(d post.Delivery) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.live[d.Post.ID]++
}

func good(_ context.Context, w *world, d post.Delivery) (post.Receipt, error) {
	w.publish(d)
	return post.Receipt{RemoteID: "r" + d.Post.ID.String()}, nil
}

// lost publishes, and the answer does not come.
func lost(_ context.Context, w *world, d post.Delivery) (post.Receipt, error) {
	w.publish(d)
	return post.Receipt{}, refused(post.ClassTimeout, post.SentMaybe, 0)
}

// dropped does nothing, and the answer does not come.
func dropped(context.Context, *world, post.Delivery) (post.Receipt, error) {
	return post.Receipt{}, refused(post.ClassTimeout, post.SentMaybe, 0)
}

func panics(context.Context, *world, post.Delivery) (post.Receipt, error) {
	panic("token=canary")
}

// slow publishes after a while, unless its time runs out before.
func slow(wait time.Duration) behaves {
	return func(ctx context.Context, w *world, d post.Delivery) (post.Receipt, error) {
		select {
		case <-time.After(wait):
			return good(ctx, w, d)
		case <-ctx.Done():
			return post.Receipt{}, refused(post.ClassTimeout, post.SentMaybe, 0)
		}
	}
}

func fails(f *post.Failure) behaves {
	return func(context.Context, *world, post.Delivery) (post.Receipt, error) { return post.Receipt{}, f }
}

func refused(c post.Class, s post.Sent, after time.Duration) *post.Failure {
	return &post.Failure{Class: c, Sent: s, After: after, Message: "told so"}
}

// sent returns the texts of the calls in order.
func (w *world) sent() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for _, c := range w.calls {
		out = append(out, c.text)
	}
	return strings.Join(out, " ")
}

// times returns when a text was sent, since from.
func (w *world) times(text string, from time.Time) []time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []time.Duration
	for _, c := range w.calls {
		if c.text == text {
			out = append(out, c.at.Sub(from))
		}
	}
	return out
}

// log returns the calls so far.
func (w *world) log() []call {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.calls)
}

func (w *world) count() int { return len(w.log()) }

// lookups counts the look-ups so far.
func (w *world) lookups() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.looks)
}

// noDoubles is P2.
func (w *world) noDoubles(t testing.TB) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, n := range w.live {
		if n > 1 {
			t.Errorf("P2: post %s is live %d times", id, n)
		}
	}
	for key, n := range w.parts {
		if n > 1 {
			t.Errorf("P2: part %s is live %d times", key, n)
		}
	}
}

// running is a dispatcher at work in a bubble.
type running struct {
	*Dispatcher
	stop func() error
}

// start runs a dispatcher until stop, or the end of the test.
func start(t *testing.T, q Queue, w *world, c Config) running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	d := New(q, w.pubs, c)
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	var err error
	stop := sync.OnceFunc(func() {
		cancel()
		err = <-ended
	})
	t.Cleanup(stop)
	return running{d, func() error { stop(); return err }}
}

func (m *model) wantStatus(id post.ID, want post.Status) {
	m.t.Helper()
	if r := m.get(id); r.Status != want {
		m.t.Errorf("post %q is %s (%v), want %s", r.content.Text, r.Status, r.Problem, want)
	}
}

func wantTimes(t testing.TB, got []time.Duration, want ...time.Duration) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("sent at %v, want %v", got, fmt.Sprint(want))
	}
}
