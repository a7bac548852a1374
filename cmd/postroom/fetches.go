package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/postroom/postroom/intake"
	"github.com/postroom/postroom/post"
)

// How long a calendar holds up the files behind it while its media comes over the
// network: the first time it is to be taken, and each time after. What has not come
// by then goes on coming, and the calendar is taken when it is next looked at.
const (
	fetchHold  = 20 * time.Second
	fetchAgain = 2 * time.Second
)

// mostFetches bounds how many files come over the network at a time, for all
// calendars of the inbox.
const mostFetches = 16

// fetches take media from the web for the calendars of the inbox, and outlive the
// looks at a calendar. They end with the context they were made with.
type fetches struct {
	ctx  context.Context
	from webMedia
	free chan struct{}

	mu    sync.Mutex
	under map[fetchKey]*fetch
	all   sync.WaitGroup
}

// webMedia is the part of a publish.MediaRoom that is needed.
type webMedia interface {
	Pin(ctx context.Context, ref string, beside *os.Root) (post.Pin, error)
}

type fetchKey struct{ calendar, ref string }

// A fetch is one file that comes, or came. One whose end nobody waited for is kept
// until its calendar is taken, a failure too: it would fail anew each time.
type fetch struct {
	done chan struct{}
	kept bool // guarded by fetches.mu
	pin  post.Pin
	err  error
}

func newFetches(ctx context.Context, from webMedia) *fetches {
	return &fetches{ctx: ctx, from: from, free: make(chan struct{}, mostFetches), under: map[fetchKey]*fetch{}}
}

// pin returns what ref is, once it is there. It waits until hold has closed, and then
// its error wraps intake.ErrSettling. What is there already is given even then.
func (f *fetches) pin(ctx context.Context, calendar, ref string, hold <-chan struct{}) (post.Pin, error) {
	key := fetchKey{calendar, ref}
	it := f.begin(key)
	var why error
	select {
	case <-it.done:
	default:
		select {
		case <-it.done:
		case <-ctx.Done():
			why = ctx.Err()
		case <-hold:
			why = fmt.Errorf("%s is still coming: %w", post.Shorten(ref), intake.ErrSettling)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if why != nil {
		it.kept = true
		return post.Pin{}, why
	}
	if it.err != nil && !it.kept && f.under[key] == it {
		delete(f.under, key) // whoever asks again has it tried again
	}
	return it.pin, it.err
}

// begin returns the fetch that is under way, or was, else a new one.
func (f *fetches) begin(key fetchKey) *fetch {
	f.mu.Lock()
	defer f.mu.Unlock()
	it := f.under[key]
	if it != nil {
		return it
	}
	it = &fetch{done: make(chan struct{})}
	f.under[key] = it
	f.all.Go(func() {
		defer close(it.done)
		select {
		case f.free <- struct{}{}:
			defer func() { <-f.free }()
			it.pin, it.err = f.from.Pin(f.ctx, key.ref, nil)
		case <-f.ctx.Done():
			it.err = f.ctx.Err()
		}
	})
	return it
}

// forget lets go of what came for a calendar that was taken.
func (f *fetches) forget(calendar string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for key := range f.under {
		if key.calendar == calendar {
			delete(f.under, key)
		}
	}
}

// wait returns once all have ended, after their context has.
func (f *fetches) wait() { f.all.Wait() }

// isURL reports whether a row names media that is on the web.
func isURL(ref string) bool { return strings.Contains(ref, "://") }
