package store

import (
	"errors"
	"testing"
	"time"

	"github.com/postroom/postroom/post"
)

// revision stores a revision of a.csv with one row of the key 7 for each group.
func (r *testRoom) revision(name string, prev post.ID, seal post.Seal, groups ...*post.Group) post.Import {
	r.t.Helper()
	st := must[*Stage](r.t)(r.Stage(r.t.Context(), acme))
	for i, g := range groups {
		g.Row = i + 1
		if err := st.Add(&post.Row{N: i + 1, Decision: post.Accepted, Key: 7 + uint64(i)}, g); err != nil {
			r.t.Fatal(err)
		}
	}
	seal.Import = post.Import{Name: name, Lineage: "a.csv", Previous: prev, Digest: post.Digest([]byte(name + "                                ")[:32])}
	return must[post.Import](r.t)(st.Seal(r.t.Context(), seal))
}

func TestAnUndoneRevisionGivesBackWhatItTookBack(t *testing.T) {
	r := open(t)
	changed, gone, draft := group("changed", start.Add(time.Hour), "twitter-1"), group("gone", start.Add(time.Hour), "linkedin-9"), group("draft", time.Time{}, "twitter-1")
	draft.Posts[0].Status = post.StatusDraft
	first := r.revision("one", post.ID{}, post.Seal{}, changed, gone, draft)
	second := r.revision("two", first.ID, post.Seal{Replace: []post.ID{changed.ID}, Cancel: []post.ID{gone.ID, draft.ID}}, group("better", start.Add(time.Hour), "twitter-1"))
	old := must[[]post.Replaced](t)(r.Replaced(t.Context(), second.ID))
	if len(old) != 3 || old[0].Group != changed.ID || old[0].By.IsZero() || old[1] != (post.Replaced{Group: gone.ID}) || old[2].Group != draft.ID {
		t.Fatalf("replaced: %+v", old)
	}
	if _, _, err := r.Restore(t.Context(), old[0], "undone", "me"); !errors.Is(err, post.ErrState) {
		t.Errorf("P2: restored while what came in its place waits: %v", err)
	}
	if _, _, err := r.UndoImport(t.Context(), second.ID, "me"); err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{true, true, false} {
		g, waited, err := r.Restore(t.Context(), old[i], "undone", "me")
		if err != nil || g.Status() != post.StatusDraft || g.Held != "undone" || waited != want {
			t.Errorf("%q: %s, held %q, waited %v (%v), want %v", g.Text, g.Status(), g.Held, waited, err, want)
		}
		if _, _, err := r.Restore(t.Context(), old[i], "undone", "me"); !errors.Is(err, post.ErrState) {
			t.Errorf("restored twice: %v", err)
		}
	}
	if left := must[[]post.Replaced](t)(r.Replaced(t.Context(), second.ID)); len(left) != 0 {
		t.Errorf("still replaced: %+v", left)
	}
}

func TestP2WhatARevisionReplacedStaysAwayOnceItsSuccessorIsOut(t *testing.T) {
	r := open(t)
	a := group("first words", start.Add(time.Hour), "twitter-1")
	first := r.revision("one", post.ID{}, post.Seal{}, a)
	second := r.revision("two", first.ID, post.Seal{Replace: []post.ID{a.ID}}, group("better words", start, "twitter-1"))
	l := r.lease()
	n := r.next(l, nil)
	if err := r.Finish(t.Context(), l, *published(n.Delivery.Post.ID)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.UndoImport(t.Context(), second.ID, "me"); err != nil {
		t.Fatal(err)
	}
	old := must[[]post.Replaced](t)(r.Replaced(t.Context(), second.ID))
	if len(old) != 1 {
		t.Fatalf("replaced: %+v", old)
	}
	if _, _, err := r.Restore(t.Context(), old[0], "undone", "me"); !errors.Is(err, post.ErrState) {
		t.Errorf("restored beside a live post: %v", err)
	}
}
