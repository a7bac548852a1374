package post_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/postroom/postroom/post"
)

var statuses = []post.Status{
	post.StatusDraft, post.StatusScheduled, post.StatusPending, post.StatusProcessing, post.StatusPublished,
	post.StatusFailed, post.StatusUnknown, post.StatusCancelled, post.StatusPartial,
}

// The arrows of DESIGN §3, and those that a person's edits add: holding back,
// cancelling, giving up what was never claimed.
func TestMay(t *testing.T) {
	t.Parallel()
	arrows := map[post.Status][]post.Status{
		post.StatusDraft:      {post.StatusScheduled, post.StatusCancelled},
		post.StatusScheduled:  {post.StatusDraft, post.StatusPending, post.StatusProcessing, post.StatusFailed, post.StatusCancelled},
		post.StatusPending:    {post.StatusDraft, post.StatusScheduled, post.StatusProcessing, post.StatusCancelled},
		post.StatusProcessing: {post.StatusScheduled, post.StatusPublished, post.StatusFailed, post.StatusUnknown},
		post.StatusFailed:     {post.StatusScheduled, post.StatusPublished},
		post.StatusUnknown:    {post.StatusScheduled, post.StatusPublished, post.StatusFailed},
		post.StatusCancelled:  {post.StatusDraft},
	}
	for _, from := range append(statuses, 0, 99) {
		for _, to := range append(statuses, 0, 99) {
			if got, want := from.May(to), slices.Contains(arrows[from], to); got != want {
				t.Errorf("%v to %v: got %v, want %v", from, to, got, want)
			}
		}
	}
}

func TestP2NothingLeavesPublishedAndNothingIsCancelledOnceSent(t *testing.T) {
	t.Parallel()
	for _, to := range statuses {
		if post.StatusPublished.May(to) {
			t.Errorf("published may become %v", to)
		}
	}
	for _, from := range []post.Status{post.StatusProcessing, post.StatusUnknown, post.StatusFailed} {
		for _, to := range []post.Status{post.StatusDraft, post.StatusCancelled, post.StatusPending} {
			if from.May(to) {
				t.Errorf("%v may become %v", from, to)
			}
		}
	}
}

func TestWhatAStatusIs(t *testing.T) {
	t.Parallel()
	for _, s := range statuses {
		editable := s == post.StatusDraft || s == post.StatusScheduled
		open := s == post.StatusScheduled || s == post.StatusPending || s == post.StatusProcessing
		final := s == post.StatusPublished || s == post.StatusFailed || s == post.StatusUnknown || s == post.StatusCancelled
		if s.Editable() != editable || s.Open() != open || s.Final() != final {
			t.Errorf("%v: editable %v, open %v, final %v", s, s.Editable(), s.Open(), s.Final())
		}
	}
}

func TestStatusNamesAreThoseOfTheContract(t *testing.T) {
	t.Parallel()
	names := []string{"draft", "scheduled", "pending", "processing", "published", "failed", "unknown", "cancelled", "partially_published"}
	for i, s := range statuses {
		if s.String() != names[i] {
			t.Errorf("got %q, want %q", s, names[i])
		}
		if back, err := post.ParseStatus(names[i]); err != nil || back != s {
			t.Errorf("%s: read as %v, %v", names[i], back, err)
		}
		var back post.Status
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, &back); err != nil || back != s {
			t.Errorf("%s: read as %v, %v", b, back, err)
		}
	}
	for _, bad := range []string{"", "Draft", "live"} {
		if s, err := post.ParseStatus(bad); err == nil {
			t.Errorf("%q is read as %v", bad, s)
		}
	}
	none := post.StatusDraft
	if err := none.UnmarshalText(nil); err != nil || none != 0 {
		t.Errorf("no text: got %v, %v", none, err)
	}
	if err := none.UnmarshalText([]byte("live")); err == nil {
		t.Error("an unknown name is read without an error")
	}
	if got := post.Status(99).String(); got != "status(99)" {
		t.Errorf("got %q", got)
	}
}

func TestRollup(t *testing.T) {
	t.Parallel()
	const (
		draft, scheduled, pending, processing = post.StatusDraft, post.StatusScheduled, post.StatusPending, post.StatusProcessing
		published, failed, unknown, cancelled = post.StatusPublished, post.StatusFailed, post.StatusUnknown, post.StatusCancelled
		partial                               = post.StatusPartial
	)
	for _, c := range []struct {
		rule  string
		posts []post.Status
		want  post.Status
	}{
		{"no posts", nil, draft},
		{"all drafts", []post.Status{draft, draft}, draft},
		{"all scheduled", []post.Status{scheduled, scheduled}, scheduled},
		{"claimed counts as scheduled", []post.Status{pending}, scheduled},
		{"being sent counts as scheduled", []post.Status{processing}, scheduled},
		{"one still open among the finished", []post.Status{published, scheduled, failed}, scheduled},
		{"all published", []post.Status{published, published}, published},
		{"all failed", []post.Status{failed, failed}, failed},
		{"some of both", []post.Status{published, failed}, partial},
		{"unknown counts as not published", []post.Status{unknown}, failed},
		{"unknown among published", []post.Status{published, unknown}, partial},
		{"all cancelled", []post.Status{cancelled, cancelled}, cancelled},
		{"cancelled ones do not count", []post.Status{cancelled, published}, published},
		{"cancelled ones do not count among failed", []post.Status{cancelled, failed}, failed},
		{"cancelled ones do not count among drafts", []post.Status{cancelled, draft}, draft},
		{"held back beside published", []post.Status{published, draft}, scheduled},
		{"held back beside failed", []post.Status{failed, draft}, scheduled},
	} {
		posts := make([]post.Post, len(c.posts))
		for i, s := range c.posts {
			posts[i].Status = s
		}
		if got := post.Rollup(posts); got != c.want {
			t.Errorf("%s: got %v, want %v", c.rule, got, c.want)
		}
		slices.Reverse(posts)
		if g := (post.Group{Posts: posts}); g.Status() != c.want {
			t.Errorf("%s, in another order: got %v, want %v", c.rule, g.Status(), c.want)
		}
	}
}

func TestAThreadOfWhichOnlyAPartIsLiveIsPartiallyPublished(t *testing.T) {
	t.Parallel()
	parts := []post.Part{{Text: "1/2", RemoteID: "77"}, {Text: "2/2"}}
	for _, s := range []post.Status{post.StatusFailed, post.StatusUnknown} {
		if got := post.Rollup([]post.Post{{Status: s, Parts: parts}}); got != post.StatusPartial {
			t.Errorf("%v alone: got %v", s, got)
		}
		if got := post.Rollup([]post.Post{{Status: s, Parts: parts[1:]}}); got != post.StatusFailed {
			t.Errorf("%v with nothing live: got %v", s, got)
		}
	}
}
