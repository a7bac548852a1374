package intake_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postroom/postroom/intake"
	"github.com/postroom/postroom/post"
)

// A pinner has files by the names that rows give them.
type pinner struct {
	mu    sync.Mutex
	files map[string]post.Pin
	fails map[string]error
	asked map[string]int
}

func (p *pinner) Pin(_ context.Context, ref string) (post.Pin, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.asked == nil {
		p.asked = map[string]int{}
	}
	p.asked[ref]++
	if err := p.fails[ref]; err != nil {
		return post.Pin{}, err
	}
	pin, ok := p.files[ref]
	if !ok {
		return pin, &post.Failure{Class: post.ClassInvalid, Sent: post.SentNot, Err: errors.New("no such file")}
	}
	return pin, nil
}

func (p *pinner) Put(_ context.Context, name string, r io.Reader) (post.Pin, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return post.Pin{}, err
	}
	return post.Pin{Hash: sha256.Sum256(data), Type: "image/png", Name: name, Size: int64(len(data)), Width: 10, Height: 10}, nil
}

func pictured(n byte) post.Pin {
	return post.Pin{Hash: post.Digest{n}, Type: "image/png", Name: "a.png", Size: 100, Width: 10, Height: 10}
}

func away() error {
	return &post.Failure{Class: post.ClassServer, Sent: post.SentNot, Err: errors.New("the server answered 503")}
}

// with imports a file with a pinner.
func (d *desk) with(p *pinner, name, text string, want post.Counts) intake.Result {
	d.t.Helper()
	req := d.request(name, text)
	req.Media = p
	return d.takeRequest(req, want)
}

// pinsOf returns the pins of every group by its text.
func (d *desk) pinsOf() map[string][]post.Pin {
	d.t.Helper()
	groups, _, err := d.store.Groups(d.t.Context(), post.Filter{}, "", 100)
	if err != nil {
		d.t.Fatal(err)
	}
	found := map[string][]post.Pin{}
	for i := range groups {
		for _, m := range groups[i].Media {
			found[groups[i].Text] = append(found[groups[i].Text], m.Pin)
		}
	}
	return found
}

func TestMediaIsTakenWhenItsFileIs(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	film := post.Pin{Hash: post.Digest{3}, Type: "video/mp4", Size: 100, Width: 10, Height: 10, Duration: 1e12}
	p := &pinner{files: map[string]post.Pin{"a.png": pictured(1), "b.png": pictured(2), "long.mp4": film}}
	res := d.with(p, "week.csv", `content,platforms,scheduled_time,media_url
One,twitter-1,2026-03-03T09:00:00Z,a.png
Two,twitter-1,2026-03-03T10:00:00Z,a.png;b.png
Three,twitter-1,2026-03-03T11:00:00Z,gone.png
Four,twitter-1,2026-03-03T12:00:00Z,long.mp4
Five,twitter-1,2026-03-03T13:00:00Z,
Six,twitter-1,soon,b.png
`, post.Counts{Rows: 6, Accepted: 3, Rejected: 3})
	for i, want := range []string{
		`week.csv:4:4: media_url: got "gone.png", want a picture or film: no such file (`,
		`week.csv:5:4: media_url: got "long.mp4 (16m40s)", want at most 2m0s on X (cut it)`,
		`week.csv:7:3: scheduled_time: got "soon"`,
	} {
		if got := res.Problems[len(res.Problems)-3+i].String(); !strings.HasPrefix(got, want) {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	pins := d.pinsOf()
	if len(pins["One"]) != 1 || pins["One"][0] != pictured(1) || len(pins["Two"]) != 2 || pins["Two"][1] != pictured(2) || len(pins) != 2 {
		t.Errorf("pins %v", pins)
	}
	if want := map[string]int{"a.png": 1, "b.png": 1, "gone.png": 1, "long.mp4": 1}; !maps.Equal(p.asked, want) {
		t.Errorf("asked for %v, want each once", p.asked)
	}
}

func TestP9UnchangedRowsKeepTheirMediaWhereverItWent(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	const head = "external_id,content,platforms,scheduled_time,media_url\n"
	const one = "1,One,twitter-1,2026-03-03T09:00:00Z,a.png\n"
	d.with(&pinner{files: map[string]post.Pin{"a.png": pictured(1)}}, "week.csv", head+one, post.Counts{Rows: 1, Accepted: 1})
	later := &pinner{files: map[string]post.Pin{"b.png": pictured(2)}}
	d.with(later, "week.csv", head+one+"2,Two,twitter-1,2026-03-04T09:00:00Z,b.png\n", post.Counts{Rows: 2, Accepted: 1, Unchanged: 1})
	if later.asked["a.png"] != 0 {
		t.Error("the media of a row that did not change was taken again")
	}
	if pins := d.pinsOf(); pins["One"][0] != pictured(1) || pins["Two"][0] != pictured(2) {
		t.Errorf("pins %v", pins)
	}

	// A row that changed and whose media is gone does not touch what is stored.
	gone := &pinner{}
	d.with(gone, "week.csv", head+"1,One more,twitter-1,2026-03-03T09:00:00Z,a.png\n", post.Counts{Rows: 1, Rejected: 1, Removed: 2})
	if got := d.statuses(); got["One @twitter-1"] != post.StatusScheduled {
		t.Errorf("statuses %v", got)
	}
}

func TestMediaThatMayComeLaterIsAskedForAgain(t *testing.T) {
	t.Parallel()
	// One that answers at last is taken; of a host that never does not all is asked.
	d := newDesk(t)
	text := "content,platforms,scheduled_time,media_url\n"
	fails := map[string]error{}
	for i := range 30 {
		ref := fmt.Sprintf("https://away.example.com/%d.png", i)
		fails[ref] = away()
		text += fmt.Sprintf("Post %d,twitter-1,2026-03-03T%02d:%02d:00Z,%s\n", i, 9+i/6, i%6*10, ref)
	}
	p := &pinner{fails: fails}
	var res intake.Result
	synctest.Test(t, func(t *testing.T) {
		req := d.request("away.csv", text)
		req.Media = p
		var err error
		if res, err = d.intake.Check(t.Context(), req); err != nil {
			t.Fatal(err)
		}
	})
	if n := res.Import.Counts; n.Rejected != 30 {
		t.Errorf("counts %+v", n)
	}
	calls := 0
	for _, n := range p.asked {
		calls += n
	}
	if calls > 36 {
		t.Errorf("%d calls to a host that gives nothing", calls)
	}
	if last := res.Problems[len(res.Problems)-1]; last.Code != "MEDIA_UNREACHABLE" || !strings.Contains(last.Hint, "drop the rejected rows again later") {
		t.Errorf("got %v", last)
	}
}

func TestP5ACalendarWaitsForMediaThatIsBeingWritten(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	req := d.request("week.csv", "content,platforms,scheduled_time,media_url\nOne,twitter-1,2026-03-03T09:00:00Z,a.png\n")
	p := &pinner{fails: map[string]error{"a.png": fmt.Errorf("a.png: %w", intake.ErrSettling)}}
	req.Media = p
	if _, err := d.intake.Import(t.Context(), req); !errors.Is(err, intake.ErrSettling) {
		t.Fatalf("got %v", err)
	}
	if got := d.statuses(); len(got) != 0 {
		t.Errorf("stored %v", got)
	}
	p.fails, p.files = nil, map[string]post.Pin{"a.png": pictured(1)}
	d.takeRequest(req, post.Counts{Rows: 1, Accepted: 1})
}

func TestOtherFilesAreTakenWhileMediaComes(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	slow := &slowPinner{begun: make(chan struct{}), done: make(chan struct{})}
	req := d.request("slow.csv", "content,platforms,scheduled_time,media_url\nOne,twitter-1,2026-03-03T09:00:00Z,a.png\n")
	req.Media = slow
	ended := make(chan error, 1)
	go func() {
		_, err := d.intake.Import(context.WithoutCancel(t.Context()), req)
		ended <- err
	}()
	<-slow.begun
	d.take("other.csv", "content,platforms,scheduled_time\nTwo,twitter-1,2026-03-03T10:00:00Z\n", post.Counts{Rows: 1, Accepted: 1})
	close(slow.done)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if got := d.statuses(); len(got) != 2 {
		t.Errorf("stored %v", got)
	}
}

type slowPinner struct{ begun, done chan struct{} }

func (p *slowPinner) Put(context.Context, string, io.Reader) (post.Pin, error) {
	return post.Pin{}, errors.New("nothing came inside")
}

func (p *slowPinner) Pin(context.Context, string) (post.Pin, error) {
	close(p.begun)
	<-p.done
	return pictured(1), nil
}

// A picture that was uploaded to a row's post stays with it when the row changes.
func TestUploadsOutliveARevision(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	const head = "external_id,content,platforms,scheduled_time\n"
	d.take("week.csv", head+"1,One,twitter-1,2026-03-03T09:00:00Z\n2,Two,twitter-1,2026-03-04T09:00:00Z\n", post.Counts{Rows: 2, Accepted: 2})
	groups, _, err := d.store.Groups(t.Context(), post.Filter{}, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	for i := range groups {
		id := d.store.NewID()
		m := post.Media{URL: "https://post.example.com/images/a.png", Upload: post.Upload{ID: id, Until: d.now.Add(100 * time.Hour)}}
		if _, err := d.store.AddUpload(t.Context(), groups[i].ID, m, 4); err != nil {
			t.Fatal(err)
		}
		if _, err := d.store.FillUpload(t.Context(), id, pictured(groups[i].Text[0])); err != nil {
			t.Fatal(err)
		}
		if _, err := d.store.Describe(t.Context(), groups[i].ID, []string{"a dog", "a cat"}); err != nil {
			t.Fatal(err)
		}
	}
	d.take("week.csv", head+"1,Uno,twitter-1,2026-03-03T09:00:00Z\n2,Two,twitter-1,2026-03-04T09:00:00Z\n", post.Counts{Rows: 2, Accepted: 1, Updated: 1, Unchanged: 1})
	if got, want := d.pinsOf(), map[string][]post.Pin{"Uno": {pictured('O')}, "Two": {pictured('T')}}; !maps.EqualFunc(got, want, slices.Equal) {
		t.Errorf("after the revision the posts have %v, want %v", got, want)
	}
	groups, _, err = d.store.Groups(t.Context(), post.Filter{Statuses: []post.Status{post.StatusScheduled}}, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	for i := range groups {
		if g := &groups[i]; len(g.AltTexts) != 2 || g.Media[0].Alt != "a dog" {
			t.Errorf("%s is described by %q, with %q to come", g.Text, g.Media[0].Alt, g.AltTexts)
		}
	}
}
