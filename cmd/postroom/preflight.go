package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
)

// Posts are looked at a day and an hour before they are due, while there is time
// to act. At the start of postroom all of the next day are.
const (
	lookAhead      = 24 * time.Hour
	lookAgain      = time.Hour
	preflightEvery = 10 * time.Minute
)

// trustFor is how long a token is believed in that a platform took: it is not
// asked again before.
const trustFor = 6 * time.Hour

// A preflight checks what has time until it goes out.
type preflight struct {
	room   *room
	upTo   time.Time             // when it last looked; zero for never
	proven map[connKey]time.Time // when a platform last took a connection's token
}

// keepAhead runs the checks until ctx ends.
func (d *daemon) keepAhead(ctx context.Context) error {
	p := newPreflight(d.room)
	for {
		if err := p.look(ctx); err != nil && ctx.Err() == nil {
			if d.room.store.Err() != nil {
				return err
			}
			d.room.log.WarnContext(ctx, "posts ahead not checked", "err", err)
		}
		timer := time.NewTimer(preflightEvery)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

func newPreflight(r *room) *preflight { return &preflight{room: r, proven: map[connKey]time.Time{}} }

// look checks the posts whose day or hour before has begun since it last looked.
func (p *preflight) look(ctx context.Context) error {
	now := p.room.now()
	l := &looking{preflight: p, now: now, tokens: map[connKey]*post.EventError{}, files: map[post.Digest]error{}}
	states, err := p.room.store.Connections(ctx)
	if err != nil {
		return err
	}
	l.states = states
	if p.upTo.After(now) { // the clock was set back: begin anew
		p.upTo = time.Time{}
		clear(p.proven)
	}
	windows := [][2]time.Time{{now, now.Add(lookAhead)}}
	if !p.upTo.IsZero() {
		windows = windows[:0]
		for _, before := range []time.Duration{lookAgain, lookAhead} {
			windows = append(windows, [2]time.Time{later(p.upTo.Add(before), now), now.Add(before)})
		}
	}
	for _, w := range windows {
		err := p.room.store.Ahead(ctx, w[0], w[1], func(g *post.Group, at int) error { return l.post(ctx, g, at) })
		if err != nil {
			return err
		}
	}
	if err := l.note(ctx); err != nil {
		return err
	}
	p.upTo = now
	return nil
}

// A looking is one time of it: what several posts share is asked once.
type looking struct {
	*preflight
	now    time.Time
	states []post.ConnectionState
	tokens map[connKey]*post.EventError // what is wrong with each, nil for nothing
	files  map[post.Digest]error
	found  []post.Risk
}

// mostFound is how many risks are gathered before they are written.
const mostFound = 1000

// post checks one post.
func (l *looking) post(ctx context.Context, g *post.Group, at int) error {
	q := &g.Posts[at]
	problems, err := l.problems(ctx, g, q)
	if err != nil {
		return err
	}
	noted := q.Problem != nil && q.Problem.Code == post.CodeAtRisk
	if len(problems) == 0 && !noted {
		return nil
	}
	l.found = append(l.found, post.Risk{ID: q.ID, Problems: problems})
	if len(problems) > 0 {
		l.room.log.WarnContext(ctx, "a post is at risk", "post", q.ID, "connection", q.Connection, "due_at", q.DueAt, "problem", problems[0].Message, "problems", len(problems))
	}
	if len(l.found) < mostFound {
		return nil
	}
	return l.note(ctx)
}

// note writes what was found.
func (l *looking) note(ctx context.Context) error {
	found := l.found
	l.found = nil
	return l.room.store.Risk(ctx, found)
}

// problems lists what will keep a post from going out. The error is that ctx ended.
func (l *looking) problems(ctx context.Context, g *post.Group, q *post.Post) (all []post.EventError, err error) {
	key := connKey{g.Account, q.Connection}
	c := l.room.set.Load().conns[key]
	if c == nil {
		_, err := l.room.publisherFor(g.Account, q.Connection)
		return []post.EventError{{Code: post.ClassUnknown.String(), Message: err.Error()}}, nil
	}
	if t := l.token(ctx, c, q.DueAt); t != nil {
		all = append(all, *t)
	} else if t := notAllowed(c, &g.Content); t != nil {
		all = append(all, *t)
	}
	for i := range l.states {
		if s := &l.states[i]; s.Account == key.account && s.Connection == key.id && s.PauseWhy != "" && s.NotBefore.After(q.DueAt) {
			all = append(all, post.EventError{Code: "CONNECTION_PAUSED", Message: "the connection is paused: " + s.PauseWhy})
		}
	}
	for i := range g.Media {
		if err := l.file(ctx, &g.Media[i]); err != nil {
			all = append(all, post.EventError{Code: publish.CodeInvalid, Message: fmt.Sprintf("media %s: %v", post.Shorten(g.Media[i].URL), err)})
		}
	}
	for _, f := range c.publisher.Validate(&g.Content) {
		if f.Severity == post.SeverityError {
			all = append(all, post.EventError{Code: f.Code, Message: f.Message()})
		}
	}
	return slices.Compact(all), ctx.Err()
}

// file checks that media which was taken into the room is still there and whole.
func (l *looking) file(ctx context.Context, m *post.Media) error {
	if m.Pin.IsZero() {
		return nil // Validate says what is known of it
	}
	err, looked := l.files[m.Pin.Hash]
	if !looked {
		err = l.room.media.Shelf().Whole(ctx, &m.Pin)
		if errors.Is(err, fs.ErrNotExist) {
			err = errors.New("the file is gone from the room's media folder")
		}
		l.files[m.Pin.Hash] = err
	}
	return err
}

// token says what is wrong with the token that a post will be sent with at due; nil
// for nothing. Of a login that is known without a call. Of another token the
// platform is asked, unless it took it some hours ago; that it cannot be asked
// says nothing of the token.
func (l *looking) token(ctx context.Context, c *connection, due time.Time) *post.EventError {
	switch {
	case c.tokenless:
		return nil
	case c.login != nil:
		return l.login(c, due)
	}
	if why, asked := l.tokens[c.connKey]; asked {
		return why
	}
	var why *post.EventError
	if l.now.Sub(l.provenAt(c.connKey)) > trustFor {
		asking, cancel := context.WithTimeout(ctx, 30*time.Second)
		_, err := c.check(asking)
		cancel()
		f, failed := errors.AsType[*post.Failure](err)
		switch {
		case err == nil:
			l.proven[c.connKey] = l.now
		case failed && f.Class == post.ClassAuth:
			why = &post.EventError{Code: f.Class.String(), Message: f.Message}
		}
	}
	l.tokens[c.connKey] = why
	return why
}

// provenAt is when the platform last took a connection's token.
func (l *looking) provenAt(key connKey) time.Time {
	at := l.proven[key]
	for i := range l.states {
		if s := &l.states[i]; s.Account == key.account && s.Connection == key.id && s.ErrorsInRow == 0 {
			at = later(at, s.LastSuccess)
		}
	}
	return at
}

func (l *looking) login(c *connection, due time.Time) *post.EventError {
	st, err := c.login.State()
	why := ""
	switch {
	case err != nil:
		why = "the stored login cannot be read: " + err.Error()
	case st.Why() != "":
		why = fmt.Sprintf("%s: log in with `postroom connections login %s`", st.Why(), c.id)
	case st.EndsBy(due, l.now):
		why = fmt.Sprintf("the login ends on %s, before the post is due: log in again with `postroom connections login %s`", st.ExpiresAt.UTC().Format(time.DateOnly), c.id)
	default:
		return nil
	}
	return &post.EventError{Code: post.ClassAuth.String(), Message: why}
}

// notAllowed says what a post needs that the login of its connection does not allow;
// nil for nothing that is known.
func notAllowed(c *connection, content *post.Content) *post.EventError {
	needs, ok := c.publisher.(interface{ Scopes(*post.Content) []string })
	if c.login == nil || !ok {
		return nil
	}
	st, err := c.login.State()
	if err != nil {
		return nil // login has said so
	}
	missing := st.Missing(needs.Scopes(content))
	if len(missing) == 0 {
		return nil
	}
	return &post.EventError{Code: post.ClassAuth.String(), Message: fmt.Sprintf(
		"the login does not allow %s, which the post needs: add it to oauth: {scopes: [...]} if it is not there, and log in again with `postroom connections login %s`",
		strings.Join(missing, " and "), c.id)}
}
