package inbox

import (
	"cmp"
	"context"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"
)

// An Inbox watches one inbox folder.
type Inbox struct {
	cfg     Config
	handler Handler
	log     *slog.Logger

	open   func(root *os.Root, rel string) (*os.File, error)
	writer func(*os.File) writing

	scanning sync.Mutex // one scan at a time; guards watch and the sightings
	watch    *watch     // of Run, else nil

	mu     sync.Mutex // guards the rest, and every sighting's why
	files  map[string]*sighting
	recent map[string]*recent
	broken string // why the inbox cannot be read; "" when it can
	mode   string
}

// New returns an inbox that does nothing until it is run or scanned.
func New(cfg Config, h Handler, log *slog.Logger) *Inbox {
	return &Inbox{
		cfg: cfg.orDefault(), handler: h, log: log, open: openFile, writer: writerOf,
		files: map[string]*sighting{}, recent: map[string]*recent{}, mode: "not running",
	}
}

// A Waiting is something in the inbox that was not taken.
type Waiting struct {
	Path  string    `json:"path"` // below the inbox, with slashes; "" for the inbox itself
	Why   string    `json:"why"`
	Since time.Time `json:"since,omitzero"` // when it was seen first
}

// Pending lists what lay in the inbox at the last scan and was not taken, with the
// reason, by path. Names that are ignored are not in it, nor what is in tmp/.
func (i *Inbox) Pending() []Waiting {
	i.mu.Lock()
	defer i.mu.Unlock()
	var ws []Waiting
	if i.broken != "" {
		ws = append(ws, Waiting{Why: i.broken})
	}
	for rel, s := range i.files {
		ws = append(ws, Waiting{Path: rel, Why: s.why, Since: s.first})
	}
	slices.SortFunc(ws, func(a, b Waiting) int { return cmp.Compare(a.Path, b.Path) })
	return ws
}

// Mode says how the inbox learns of files: by events and polling, or by polling
// alone and why.
func (i *Inbox) Mode() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.mode
}

const (
	// gather is how long events are collected before a scan.
	gather = 50 * time.Millisecond
	// leastGap is the least time between two scans, and idleShare how many times
	// as long as the last walk it is at least: in a storm of events, walking takes
	// a fifth of the time.
	leastGap  = 250 * time.Millisecond
	idleShare = 4
)

// Run scans the inbox now, at every event, and every [Config.Poll], and hands over
// what has settled, until ctx ends; it then returns nil. A file that is being
// taken when ctx ends is given ctx, and what was taken is filed. An inbox that
// cannot be read, or a watcher that fails, is logged, shown by [Inbox.Pending] and
// [Inbox.Mode], and tried again.
func (i *Inbox) Run(ctx context.Context) error {
	i.tidy()
	w := &watch{open: i.cfg.Watch, polling: i.cfg.Poll, log: i.log}
	i.attach(w)
	defer func() {
		i.attach(nil)
		w.close()
	}()
	var next, soonest time.Time // the next scan; no scan before
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.events():
		case err := <-w.errors():
			w.failed(err)
		case <-timer.C:
			next, soonest = i.pass(ctx)
			timer.Reset(time.Until(next))
			continue
		}
		at := time.Now().Add(gather)
		if at.Before(soonest) {
			at = soonest
		}
		if at.Before(next) {
			next = at
			timer.Reset(time.Until(next))
		}
	}
}

// pass scans once for Run. It returns when to scan next, and before when not to.
func (i *Inbox) pass(ctx context.Context) (next, soonest time.Time) {
	did, _ := i.scan(ctx, byWatching) // what went wrong is logged and in Pending
	soonest = time.Now().Add(max(leastGap, idleShare*did.walked))
	next = time.Now().Add(i.cfg.Poll)
	if !did.due.IsZero() && did.due.Before(next) {
		next = did.due
	}
	if next.Before(soonest) {
		next = soonest
	}
	return next, soonest
}

func (i *Inbox) attach(w *watch) {
	i.scanning.Lock()
	defer i.scanning.Unlock()
	i.watch = w
	if w == nil {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.mode = "not running"
	}
}

// Scan looks at the inbox once and hands over what is complete and has been seen
// to be still for [Config.Settle] by earlier scans. The error says why the inbox
// cannot be read; what goes wrong with single files is in [Inbox.Pending].
func (i *Inbox) Scan(ctx context.Context) error {
	_, err := i.scan(ctx, byWatching)
	return err
}
