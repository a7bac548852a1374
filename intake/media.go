package intake

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/postroom/postroom/post"
)

// A pinning is what came of taking one file that rows name.
type pinning struct {
	pin post.Pin
	err error
}

// Bounds of taking media.
const (
	mostPinning  = 8 // files taken at a time
	pinTries     = 3 // of a file whose failure may pass
	pinPause     = time.Second
	mostHostLost = 3 // files of one host that failed in a row: the others are not asked for
)

// fetch takes the media of rows that are new or changed, before the plan: while
// files come over the network, other calendars are not held up.
func (j *job) fetch(ctx context.Context) error {
	if !j.unseen() {
		return nil
	}
	if err := j.compare(ctx); err != nil {
		return fmt.Errorf("compare %s with earlier files: %w", j.req.Name, err)
	}
	return j.look(ctx)
}

// unseen reports whether a row has media that was not looked at and must be.
func (j *job) unseen() bool { return slices.ContainsFunc(j.marks, mark.unseen) }

func (m mark) unseen() bool { return m&(pictured|judged|bad|settled|revoked) == pictured }

// look takes the media of the rows that need it, each file once however many rows
// name it, and checks these rows with what was taken. The file is read twice more
// for that: rows are not kept.
func (j *job) look(ctx context.Context) error {
	if j.pins == nil {
		j.pins = map[string]pinning{}
	}
	p := &pinners{from: j.req.Media, done: j.pins, lost: map[string]int{}}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(mostPinning)
	asked := map[string]bool{}
	err := j.eachUnseen(gctx, func(r *row) {
		for i := range r.Draft.Media {
			ref := strings.Clone(r.Draft.Media[i].URL)
			if asked[ref] || p.has(ref) {
				continue
			}
			asked[ref] = true
			g.Go(func() error { return p.pin(gctx, ref) })
		}
	})
	if werr := g.Wait(); werr != nil {
		return fmt.Errorf("take the media of %s: %w", j.req.Name, werr)
	}
	if err != nil {
		return err
	}
	return j.eachUnseen(ctx, func(r *row) {
		m := judged
		if len(j.pinned(r)) > 0 {
			m |= bad | warned
		} else {
			m |= j.validate(j.sets[r.N-1], r.Draft)
		}
		j.marks[r.N-1] |= m
		if m&bad != 0 && r.event != nil {
			j.uids[r.UID] = false // the file does not say all there is of it
		}
	})
}

// eachUnseen reads the file again, for the rows whose media is to be looked at.
func (j *job) eachUnseen(ctx context.Context, fn func(*row)) error {
	err := j.src.Rows(ctx, func(r *row) error {
		if r.N > len(j.marks) {
			return ErrChanged
		}
		if j.marks[r.N-1].unseen() {
			fn(r)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read %s: %w", j.req.Name, err)
	}
	return nil
}

// pinned puts what was taken into a row's media, and returns a problem for each
// file that was not.
func (j *job) pinned(r *row) (ps []post.Problem) {
	for i := range r.Draft.Media {
		m := &r.Draft.Media[i]
		p, ok := j.pins[m.URL]
		switch {
		case !ok:
		case p.err == nil:
			m.Pin = p.pin
		default:
			ps = append(ps, j.untaken(r, m.URL, p.err))
		}
	}
	return ps
}

// untaken says why a file was not taken, and what to do about it.
func (j *job) untaken(r *row, ref string, err error) post.Problem {
	p := post.Problem{
		File: j.req.Name, Line: r.Line, UID: r.UID, Column: r.columns.Column("media_url"), Field: "media_url", Code: "MEDIA_INVALID",
		Got: post.Shorten(ref), Want: "a picture or film: " + err.Error(), Hint: "correct it, or put the file beside the calendar and name it here",
	}
	if f, ok := errors.AsType[*post.Failure](err); ok {
		if f.Err != nil {
			p.Want = "a picture or film: " + f.Err.Error()
		}
		if f.Retryable() {
			p.Code, p.Hint = "MEDIA_UNREACHABLE", "this may pass: drop the rejected rows again later, or put the file beside the calendar and name it here"
		}
	}
	return p
}

// pinners take the files that one calendar names.
type pinners struct {
	from Pinner

	mu   sync.Mutex
	done map[string]pinning
	lost map[string]int // files in a row that a host did not give
}

func (p *pinners) has(ref string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, ok := p.done[ref]
	return ok
}

// pin takes one file. What is wrong with it is kept; the error is one that ends
// the whole file.
func (p *pinners) pin(ctx context.Context, ref string) error {
	host := ""
	if u, err := url.Parse(ref); err == nil {
		host = u.Host
	}
	var got pinning
	for try, pause := 1, pinPause; ; try, pause = try+1, 3*pause {
		if why := p.given(host); why != nil {
			got = pinning{err: why}
			break
		}
		got.pin, got.err = p.from.Pin(ctx, ref)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(got.err, ErrSettling) {
			return got.err
		}
		f, ok := errors.AsType[*post.Failure](got.err)
		if !ok || !f.Retryable() || try == pinTries {
			break
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done[ref] = got
	if f, ok := errors.AsType[*post.Failure](got.err); ok && f.Retryable() {
		p.lost[host]++
	} else {
		p.lost[host] = 0
	}
	return nil
}

// given returns a failure when a host has not given so many files that it is not
// asked for more.
func (p *pinners) given(host string) *post.Failure {
	p.mu.Lock()
	defer p.mu.Unlock()
	if host == "" || p.lost[host] < mostHostLost {
		return nil
	}
	err := fmt.Errorf("%s did not give the %d files before it", host, mostHostLost)
	return &post.Failure{Class: post.ClassNetwork, Sent: post.SentNot, Message: err.Error(), Err: err}
}
