package store

import (
	"errors"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/postroom/postroom/post"
)

func TestAPIKeysAreKeptAndRevoked(t *testing.T) {
	t.Parallel()
	r := open(t)
	ctx := t.Context()
	for i, id := range []string{"sk_a", "sk_b", "sk_c"} {
		err := r.AddAPIKey(ctx, post.APIKey{ID: id, Account: "acme", Name: "n", Hash: [32]byte{byte(i)}}, 2)
		if (i == 2) != errors.Is(err, post.ErrFull) {
			t.Errorf("key %d: %v", i, err)
		}
	}
	if err := r.AddAPIKey(ctx, post.APIKey{ID: "sk_a", Account: "other"}, 2); !errors.Is(err, post.ErrDuplicate) {
		t.Errorf("the same id again: %v", err)
	}
	if _, err := r.RevokeAPIKey(ctx, "sk_a"); err != nil {
		t.Fatal(err)
	}
	first := r.clock.now()
	r.forward(time.Hour)
	if k, err := r.RevokeAPIKey(ctx, "sk_a"); err != nil || !k.RevokedAt.Equal(first) {
		t.Errorf("revoked again: %+v, %v", k, err)
	}
	if err := r.AddAPIKey(ctx, post.APIKey{ID: "sk_c", Account: "acme", Hash: [32]byte{2}}, 2); err != nil {
		t.Errorf("a key in place of a revoked one: %v", err)
	}
	r.reopen()
	k, err := r.APIKey(ctx, "sk_b")
	if err != nil || k.Hash != [32]byte{1} || k.Account != "acme" || !k.CreatedAt.Equal(start) {
		t.Errorf("got %+v, %v", k, err)
	}
	if _, err := r.APIKey(ctx, "sk_x"); !errors.Is(err, post.ErrNotFound) {
		t.Errorf("no such key: %v", err)
	}
	if _, err := r.RevokeAPIKey(ctx, "sk_x"); !errors.Is(err, post.ErrNotFound) {
		t.Errorf("revoke no such key: %v", err)
	}
	if keys, err := r.APIKeys(ctx, "acme"); err != nil || len(keys) != 3 {
		t.Errorf("%d keys, %v", len(keys), err)
	}
}

func draftGroup() *post.Group {
	return &post.Group{Account: "acme", Content: post.Content{Text: "x"}, Posts: []post.Post{{Connection: "mastodon-1", Status: post.StatusDraft}}}
}

func TestTheAnswerToARequestIsStoredWithItsChange(t *testing.T) {
	t.Parallel()
	r := open(t)
	ctx := t.Context()
	once := func(key byte) *post.Once {
		return &post.Once{Key: [32]byte{key}, Request: [32]byte{9}, KeptFor: time.Hour, Answer: func(g *post.Group) []byte { return []byte(g.ID.String()) }}
	}
	g := draftGroup()
	if err := r.CreateOnce(ctx, g, nil, "", once(1)); err != nil {
		t.Fatal(err)
	}
	if err := r.CreateOnce(ctx, draftGroup(), nil, "", once(1)); !errors.Is(err, post.ErrDuplicate) {
		t.Errorf("the same again: %v", err)
	}
	over := []post.Cap{{Max: 0}}
	waits := draftGroup()
	waits.Posts[0].Status, waits.Posts[0].DueAt = post.StatusScheduled, start
	if err := r.CreateOnce(ctx, waits, over, "", once(2)); err == nil {
		t.Error("a group beyond its cap was stored")
	}
	if _, ok, err := r.Answered(ctx, "acme", [32]byte{2}); ok || err != nil {
		t.Errorf("what was refused has an answer (%v)", err)
	}
	r.reopen()
	a, ok, err := r.Answered(ctx, "acme", [32]byte{1})
	if !ok || err != nil || string(a.Answer) != g.ID.String() || a.Request != [32]byte{9} {
		t.Errorf("got %+v, %v, %v", a, ok, err)
	}
	if _, ok, _ := r.Answered(ctx, "other", [32]byte{1}); ok {
		t.Error("another account has the answer")
	}
	r.forward(time.Hour)
	if _, ok, _ := r.Answered(ctx, "acme", [32]byte{1}); ok {
		t.Error("the answer outlives its time")
	}
	for key := range byte(20) {
		if err := r.CreateOnce(ctx, draftGroup(), nil, "", once(key)); err != nil {
			t.Fatal(err)
		}
		r.forward(time.Hour)
	}
	left := 0
	err = r.view(ctx, func(tx *bolt.Tx) error {
		left = tx.Bucket(bucketOnce).Stats().KeyN
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if left > 2 {
		t.Errorf("%d answers are kept, and one is in its time", left)
	}
}

func TestArrangeChangesOnlyWhatWaitsWhole(t *testing.T) {
	t.Parallel()
	r := open(t)
	ctx := t.Context()
	g := &post.Group{Account: "acme", Content: post.Content{Text: "x"}, Posts: []post.Post{
		{Connection: "mastodon-1", Status: post.StatusDraft}, {Connection: "twitter-2", Status: post.StatusDraft},
	}}
	if err := r.Create(ctx, g, nil, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Arrange(ctx, g.ID, nil, post.StatusScheduled, time.Time{}, nil, ""); !errors.Is(err, post.ErrState) {
		t.Errorf("scheduled without a time: %v", err)
	}
	at := start.Add(time.Hour + 250*time.Millisecond)
	got, err := r.Arrange(ctx, g.ID, nil, post.StatusScheduled, at, nil, "")
	if err != nil || !got.RequestedAt.Equal(at) || !got.Posts[1].DueAt.Equal(start.Add(time.Hour+time.Second)) {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err = r.Group(ctx, g.ID); err != nil || !got.RequestedAt.Equal(at) {
		t.Errorf("stored %s, %v", got.RequestedAt, err)
	}
	if as, err := r.Arrange(ctx, g.ID, g, post.StatusDraft, time.Time{}, nil, ""); !errors.Is(err, post.ErrConflict) || as.Posts[0].Status != post.StatusScheduled {
		t.Errorf("read before it was scheduled: %+v, %v", as, err)
	}
	if _, err := r.Arrange(ctx, g.ID, &got, post.StatusScheduled, at, nil, ""); err != nil {
		t.Errorf("read as it is: %v", err)
	}
	r.forward(2 * time.Hour)
	leases, err := r.Acquire(ctx, time.Minute, 1)
	if err != nil || len(leases) != 1 {
		t.Fatal(leases, err)
	}
	if n, err := r.Next(ctx, leases[0], nil, 0); err != nil || !n.OK {
		t.Fatal(n, err)
	}
	as, err := r.Arrange(ctx, g.ID, nil, post.StatusDraft, time.Time{}, nil, "")
	if !errors.Is(err, post.ErrState) || as.ID != g.ID {
		t.Errorf("a group that is being sent: %v", err)
	}
	for _, p := range as.Posts {
		if p.Status == post.StatusDraft {
			t.Error("half of a group was paused")
		}
	}
}

// A key that comes again when its time is over is a new request, and what is left of
// the old one must not end it: sent a third time, it would make a second post.
func TestP2_AKeyUsedAgainAfterItsTimeIsKeptAsLongAsANewOne(t *testing.T) {
	t.Parallel()
	r := open(t)
	once := func(key byte) error {
		return r.CreateOnce(t.Context(), draftGroup(), nil, "", &post.Once{Key: [32]byte{key}, KeptFor: time.Hour, Answer: func(*post.Group) []byte { return nil }})
	}
	for key := range byte(20) { // more than one request takes away
		if err := once(key); err != nil {
			t.Fatal(err)
		}
	}
	r.forward(time.Hour)
	if err := once(19); err != nil {
		t.Fatal(err)
	}
	for key := range byte(10) {
		if err := once(100 + key); err != nil {
			t.Fatal(err)
		}
	}
	if err := once(19); !errors.Is(err, post.ErrDuplicate) {
		t.Errorf("the same again: %v, want a duplicate", err)
	}
}
