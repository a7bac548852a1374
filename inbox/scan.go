package inbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// basis says how a scan knows for how long a file it sees first has been still.
type basis bool

const (
	byWatching basis = false // not at all: it begins to watch
	byTimes    basis = true  // from the file's own times, where they can be trusted
)

// scanned is what a scan found.
type scanned struct {
	walked  time.Duration // how long it took to look at everything
	due     time.Time     // when something is worth another look; zero for the next poll
	settles time.Time     // when the first of the files that only have to be still may be; zero for none
	errs    []error       // of the handler and of the filing, one for a file
}

// mostFailures is after how many failures in a row a scan ends: what fails is
// most likely the store or the disk, and not the files.
const mostFailures = 3

// scan looks at all of the inbox and hands over what is complete.
func (i *Inbox) scan(ctx context.Context, b basis) (did scanned, err error) {
	i.scanning.Lock()
	defer i.scanning.Unlock()
	if err := ctx.Err(); err != nil {
		return did, err
	}
	began := time.Now()
	root, err := os.OpenRoot(i.cfg.Inbox)
	if err != nil {
		i.lost(ctx, err)
		return did, err
	}
	defer root.Close()
	found, err := i.walk(root)
	did.walked = time.Since(began)
	if err != nil {
		i.lost(ctx, err)
		return did, err
	}
	if i.watch != nil {
		i.showMode(ctx)
	}
	seen := i.compare(found, b)
	did.errs = i.recheckAll(ctx, began)
	i.considerAll(ctx, root, seen)
	for _, s := range seen {
		if s.err != nil {
			did.errs = append(did.errs, s.err)
		}
		if s.due.IsZero() {
			continue
		}
		if did.due.IsZero() || s.due.Before(did.due) {
			did.due = s.due
		}
		if s.settle && (did.settles.IsZero() || s.due.Before(did.settles)) {
			did.settles = s.due
		}
	}
	return did, ctx.Err()
}

// lost notes that the inbox cannot be read. What was known of its files is
// forgotten: they must be seen to be still again when it is back.
func (i *Inbox) lost(ctx context.Context, err error) {
	why := "the inbox cannot be read: " + reasonOf(err)
	i.mu.Lock()
	news := i.broken != why
	i.broken = why
	clear(i.files)
	i.mu.Unlock()
	if news {
		i.log.ErrorContext(ctx, "inbox cannot be read", "file", i.cfg.Inbox, "err", err)
	}
}

// showMode tells which way of noticing files is live.
func (i *Inbox) showMode(ctx context.Context) {
	mode, news := i.watch.end()
	if !news {
		return
	}
	i.mu.Lock()
	i.mode = mode
	i.mu.Unlock()
	if i.watch.trouble != nil {
		i.log.WarnContext(ctx, "watching the inbox", "file", i.cfg.Inbox, "mode", mode)
		return
	}
	i.log.InfoContext(ctx, "watching the inbox", "file", i.cfg.Inbox, "mode", mode)
}

// compare turns what a walk found into sightings: the old ones where nothing
// changed, else new ones. It keeps the order of the walk.
func (i *Inbox) compare(fs []found, b basis) []*sighting {
	now, wall := time.Now(), i.cfg.Now()
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.broken != "" {
		i.broken = ""
		i.log.Info("inbox can be read again", "file", i.cfg.Inbox)
	}
	files := make(map[string]*sighting, len(fs))
	seen := make([]*sighting, len(fs))
	for n, f := range fs {
		s := i.files[f.rel]
		if s == nil || !s.sameAs(f) {
			s = i.newSighting(f, s, now, wall, b)
		}
		s.found, s.due, s.settle = f, time.Time{}, false
		files[f.rel], seen[n] = s, s
	}
	i.files = files
	return seen
}

// sameAs reports whether f is what was seen before.
func (s *sighting) sameAs(f found) bool {
	if f.info == nil || s.info == nil {
		return f.info == nil && s.info == nil
	}
	return f.refused == s.refused && stampOf(f.info).same(s.stamp)
}

// newSighting begins to watch a state of a file. was is the state before, or nil
// for a file that is new.
func (i *Inbox) newSighting(f found, was *sighting, now, wall time.Time, b basis) *sighting {
	s := &sighting{found: f, since: now, first: wall, why: "was seen just now"}
	if f.info != nil {
		s.stamp = stampOf(f.info)
		if b == byTimes {
			s.since = now.Add(-s.stamp.age(wall))
		}
	}
	if was != nil {
		s.first, s.said, s.again = was.first, was.said, was.again
		return s
	}
	s.again = i.recent[f.rel] != nil
	return s
}

// considerAll goes through the sightings in their order, with as many workers as
// the config says, and stops when ctx ends or failures pile up.
func (i *Inbox) considerAll(ctx context.Context, root *os.Root, seen []*sighting) {
	var g errgroup.Group
	g.SetLimit(i.cfg.Workers)
	var failures atomic.Int32 // in a row
	for _, s := range seen {
		g.Go(func() error {
			switch {
			case ctx.Err() != nil:
			case failures.Load() >= mostFailures:
				i.note(s, fmt.Sprintf("waits, because the last %d files failed", mostFailures))
			default:
				switch i.consider(ctx, root, s) {
				case stuck:
					failures.Add(1)
				case took:
					failures.Store(0)
				}
			}
			return nil
		})
	}
	_ = g.Wait() // what went wrong is in the sightings
}

// Drain hands over what is complete now, for a process that does not stay. How
// long a file has been still is read from its own times where the system has a
// change time that no program can set (Linux), so that what was dropped a while
// ago is taken at once. Drain waits for files that were touched less than
// [Config.Settle] before it began, and leaves those that need longer, with a
// reason in [Inbox.Pending]: the next run takes them.
//
// The error joins what went wrong with single files, or says why the inbox cannot
// be read.
func (i *Inbox) Drain(ctx context.Context) error {
	i.tidy()
	end := time.Now().Add(i.cfg.Settle)
	for {
		did, err := i.scan(ctx, byTimes)
		if err != nil {
			return err
		}
		if did.settles.IsZero() || did.settles.After(end) {
			return errors.Join(did.errs...)
		}
		timer := time.NewTimer(time.Until(did.settles))
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}
