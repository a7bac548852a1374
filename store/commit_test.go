package store

import (
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postroom/postroom/post"
)

// Those who wrote together share the next commit too, when they are back in time.
func TestGatherWaitsForTheCrowdAndNoLonger(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name        string
		crowd, come int
		want        int
		after       time.Duration
	}{
		{"all are back", 4, 3, 4, 3 * time.Millisecond},
		{"one is not", 5, 3, 4, 5 * time.Millisecond},
		{"more than were there wait for the next", 3, 3, 3, 2 * time.Millisecond},
		{"nobody was there", 1, 3, 1, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &Store{writes: make(chan *write, mostTogether), closing: make(chan struct{})}
				for i := range tt.come {
					time.AfterFunc(time.Duration(i+1)*time.Millisecond, func() { s.writes <- &write{} })
				}
				start := time.Now()
				got := s.gather([]*write{{}}, tt.crowd, 5*time.Millisecond)
				if took := time.Since(start); len(got) != tt.want || took != tt.after {
					t.Errorf("gather(crowd %d) = %d writes after %v, want %d after %v", tt.crowd, len(got), took, tt.want, tt.after)
				}
				time.Sleep(time.Second) // lets the timers end
			})
		})
	}
}

// together carries changes out in one commit, and returns what each was answered.
func (r *testRoom) together(fns ...func(*change) error) (errs []error) {
	batch := make([]*write, len(fns))
	for i, fn := range fns {
		batch[i] = &write{fn: fn, done: make(chan error, 1)}
	}
	r.commit(batch)
	for i := range fns {
		errs = append(errs, <-batch[i].done)
	}
	return errs
}

// What a change wrote before it was refused shows in nothing that the others of its
// commit write: not in counts, and not in what is known of the connection.
func TestARefusedChangeLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	r := open(t) // which verifies all counts at the end
	must[post.Import](t)(r.take("a.csv", group("one", start, "twitter-1"), group("two", start, "twitter-1")))
	l := r.lease()
	first := r.next(l, nil).Delivery.Post
	conn := must[uint32](t)(r.conn(l))
	refused := errors.New("no")
	errs := r.together(
		func(c *change) error { return c.put(nil, r.fresh(group("three", start, "twitter-1"))) },
		func(c *change) error {
			err := c.finish(l, conn, post.Done{ID: first.ID, Status: post.StatusFailed, Outcome: &post.Outcome{Message: "down"}}, false)
			return errors.Join(err, refused)
		},
		func(c *change) error { return c.put(nil, r.fresh(group("four", start, "twitter-1"))) },
	)
	if errs[0] != nil || !errors.Is(errs[1], refused) || errs[2] != nil {
		t.Fatalf("got %v, want only the second refused", errs)
	}
	if s := must[[]post.ConnectionState](t)(r.Connections(t.Context()))[0]; s.Open != 4 || s.LastError != "" {
		t.Errorf("got %d open and the error %q, want 4 and none", s.Open, s.LastError)
	}
	if n := must[map[post.Status]int](t)(r.Totals(t.Context())); n[post.StatusProcessing] != 1 || n[post.StatusScheduled] != 3 || n[post.StatusFailed] != 0 {
		t.Errorf("totals: %v, want 1 processing and 3 scheduled", n)
	}
}

// Changes that share a commit see what those before them did.
func TestACapHoldsAgainstWhatSharesTheCommit(t *testing.T) {
	t.Parallel()
	r := open(t)
	must[post.Import](t)(r.take("a.csv", group("one", start, "twitter-1")))
	create := func(c *change) error {
		g := r.fresh(group("another", start, "twitter-1"))
		return errors.Join(c.checkCaps(nil, g, []post.Cap{{Month: post.MonthOf(start), Max: 3}}), c.put(nil, g))
	}
	errs := r.together(create, create, create)
	if _, over := errors.AsType[*post.CapExceeded](errs[2]); errs[0] != nil || errs[1] != nil || !over {
		t.Errorf("got %v, want only the third over the cap", errs)
	}
}

// What a change leaves to be written at the end may be what cannot be: then it alone
// is refused, and the store goes on.
func TestADamagedConnectionRefusesItsOwnChangesOnly(t *testing.T) {
	t.Parallel()
	r := open(t)
	must[post.Import](t)(r.take("a.csv", group("one", start, "twitter-1"), group("two", start.Add(time.Hour), "linkedin-2")))
	bad := must[uint32](t)(r.conn(post.Lease{Account: acme, Connection: "twitter-1"}))
	key := openKey(bad, start, post.ID{})
	if err := r.together(func(c *change) error { return c.Bucket(bucketOpen).Put(key, nil) })[0]; err != nil {
		t.Fatal(err)
	}
	errs := r.together(
		func(c *change) error { return c.put(nil, r.fresh(group("three", start, "linkedin-2"))) },
		func(c *change) error { return c.put(nil, r.fresh(group("four", start.Add(time.Minute), "twitter-1"))) },
	)
	if errs[0] != nil || !errors.Is(errs[1], errRecord) || r.Err() != nil {
		t.Errorf("got %v, and the store %v; want only the second refused", errs, r.Err())
	}
	if err := r.together(func(c *change) error { return c.Bucket(bucketOpen).Delete(key) })[0]; err != nil {
		t.Fatal(err)
	}
}

// fresh gives a new group its ids.
func (r *testRoom) fresh(g *post.Group) *post.Group {
	g.ID = r.ids.next(r.clock.now(), len(g.Posts))
	for i := range g.Posts {
		g.Posts[i].ID, g.Posts[i].Group = g.ID.Add(uint64(i)+1), g.ID
	}
	return g
}

// A change that comes as the store closes is refused, and never waits for a
// committer that is gone.
func TestAChangeAfterTheEndIsRefused(t *testing.T) {
	st, err := Open(filepath.Join(t.TempDir(), "postroom.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	for range 50 {
		if err := st.update(t.Context(), func(*change) error { return nil }); !errors.Is(err, ErrClosed) {
			t.Fatalf("got %v, want ErrClosed", err)
		}
	}
}
