// Package sandbox publishes into a folder in place of a network, so that a room
// can be tried, shown and tested without credentials. A post becomes two files
// in <outbox>/<account>/<connection>/, named by its idempotency key: a .json
// with all of it, which is what counts, and a .txt to read. The limits and
// threads are those of the platform in the connection's id: "twitter-1" cuts
// threads of 280, and pinned media lies beside the post in the form that X would
// be given.
//
// It can also misbehave the way networks do, for all posts ([Config].Switch) or
// for one that has a switch in its text: [[fail]] refuses it, [[throttle]] puts
// it off once, [[slow]] answers late and [[lost]] publishes it and then drops
// the answer.
package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
)

// A Switch is one way to misbehave.
type Switch string

// The switches. In a text they stand in double square brackets.
const (
	Fail     Switch = "fail"     // refuses the post: nothing is published
	Throttle Switch = "throttle" // asks to wait at the first attempt, publishes at the next
	Slow     Switch = "slow"     // publishes at once, answers after Config.Delay
	Lost     Switch = "lost"     // publishes, and the answer is lost
)

var switches = []Switch{Fail, Throttle, Slow, Lost}

// Config says what a sandbox connection is like.
type Config struct {
	Connection post.ConnectionID
	Dir        string                  // the outbox; made when missing
	Limits     limits.PlatformOverride // for trying an instance with other limits
	Numbering  publish.Numbering
	Media      *publish.MediaRoom // nil leaves files named as media unchecked
	Switch     Switch             // for every post; "" for none
	Delay      time.Duration      // of slow answers, 5 s when 0
	Wait       time.Duration      // that a throttled post is asked to wait, 1 min when 0
	Now        func() time.Time   // time.Now when nil
}

// A Publisher publishes into a folder.
type Publisher struct {
	config Config
	rules  publish.Rules
	root   *os.Root
	abs    string // absolute path of the outbox

	mu sync.Mutex // makes look and write one step
}

// New returns a publisher, and makes its outbox.
func New(c Config) (*Publisher, error) {
	if c.Switch != "" && !slices.Contains(switches, c.Switch) {
		return nil, fmt.Errorf("sandbox %s: switch %q: want one of fail, throttle, slow, lost", c.Connection, c.Switch)
	}
	if c.Delay == 0 {
		c.Delay = 5 * time.Second
	}
	if c.Wait == 0 {
		c.Wait = time.Minute
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if err := os.MkdirAll(c.Dir, 0o777); err != nil {
		return nil, fmt.Errorf("sandbox %s: make outbox: %w", c.Connection, err)
	}
	root, err := os.OpenRoot(c.Dir)
	if err != nil {
		return nil, fmt.Errorf("sandbox %s: open outbox: %w", c.Connection, err)
	}
	abs, err := filepath.Abs(c.Dir)
	if err != nil {
		return nil, fmt.Errorf("sandbox %s: %w", c.Connection, err)
	}
	table, _ := limits.PlatformByKey(c.Connection.Platform())
	return &Publisher{
		config: c,
		rules:  publish.Rules{Limits: table.With(c.Limits), Numbering: c.Numbering, Media: c.Media},
		root:   root, abs: abs,
	}, nil
}

// Validate checks c against the limits of the platform.
func (p *Publisher) Validate(c *post.Content) []post.Problem { return p.rules.Validate(c) }

// Check reports whether the outbox can be written to.
func (p *Publisher) Check(context.Context) (post.Identity, error) {
	name := ".check-" + folderName(string(p.config.Connection))
	err := p.root.WriteFile(name, nil, 0o666)
	if err == nil {
		if err = p.root.Remove(name); errors.Is(err, os.ErrNotExist) {
			err = nil // another check at the same time has removed it
		}
	}
	if err != nil {
		return post.Identity{}, unwritten(err)
	}
	return post.Identity{Username: p.config.Connection.Raw(), DisplayName: "sandbox of " + p.rules.Limits.Name, ProfileURL: p.fileURL("")}, nil
}

// throttled is the checkpoint of a post that was asked to wait.
const throttled = "throttled"

// Publish writes d's files, unless an earlier call did.
func (p *Publisher) Publish(ctx context.Context, d post.Delivery, save publish.Save) (post.Receipt, error) {
	if err := ctx.Err(); err != nil {
		return post.Receipt{}, &post.Failure{Class: post.ClassTimeout, Sent: post.SentNot, Message: "sandbox: stopped before it was sent", Err: err}
	}
	text := publish.Compose(&d.Content, &p.rules.Limits)
	switch s := p.switchOf(text); {
	case s == Fail:
		return post.Receipt{}, &post.Failure{Class: post.ClassInvalid, Sent: post.Refused, Status: 422, Message: "sandbox: refused, as its switch fail says"}
	case s == Throttle && string(d.Post.State) != throttled:
		if err := save(nil, []byte(throttled)); err != nil {
			return post.Receipt{}, &post.Failure{Class: post.ClassUnknown, Sent: post.SentNot, Message: fmt.Sprintf("sandbox: save progress: %v", err), Err: err}
		}
		return post.Receipt{}, &post.Failure{Class: post.ClassRate, Sent: post.Refused, Status: 429, After: p.config.Wait, Message: "sandbox: throttled once, as its switch throttle says"}
	}
	if problems := p.rules.Validate(&d.Content); post.HasErrors(problems) {
		return post.Receipt{}, refusedBy(problems)
	}
	r, err := p.send(ctx, &d, text, save)
	if err != nil {
		return post.Receipt{}, err
	}
	return r, p.answer(ctx, text)
}

// refusedBy is what a network would answer to content with problems.
func refusedBy(problems []post.Problem) *post.Failure {
	for _, pr := range problems {
		if pr.Severity == post.SeverityError {
			return &post.Failure{Class: post.ClassInvalid, Sent: post.Refused, Status: 422, Message: "sandbox: " + pr.Message()}
		}
	}
	return nil
}

// send writes the post, or the parts of the thread that it is.
func (p *Publisher) send(ctx context.Context, d *post.Delivery, text string, save publish.Save) (post.Receipt, error) {
	texts := []string{text}
	if p.rules.Limits.Text.Over == limits.TextOverThread {
		parts, err := publish.Split(text, p.rules.Limits.Text, p.config.Numbering)
		if err != nil {
			return post.Receipt{}, &post.Failure{Class: post.ClassInvalid, Sent: post.Refused, Status: 422, Message: "sandbox: " + err.Error()}
		}
		if len(parts) > 0 {
			texts = parts
		}
	}
	thread := len(texts) > 1 || len(d.Post.Parts) > 0
	return publish.SendParts(ctx, d, texts, save, func(ctx context.Context, at int, text string, before []post.Part) (post.Receipt, error) {
		rec := p.record(d, at, text, before)
		if len(before) == 0 {
			if err := p.putMedia(ctx, rec); err != nil {
				return post.Receipt{}, err
			}
		}
		if thread {
			rec.Part = at + 1
		}
		r, err := p.write(rec)
		if err != nil {
			return post.Receipt{}, unwritten(err)
		}
		return r, nil
	})
}

func unwritten(err error) *post.Failure {
	return &post.Failure{Class: post.ClassServer, Sent: post.SentNot, Message: fmt.Sprintf("sandbox: write outbox: %v", err), Err: err}
}

// answer does to the answer of a published post what its switch says.
func (p *Publisher) answer(ctx context.Context, text string) error {
	switch p.switchOf(text) {
	case Slow:
		timer := time.NewTimer(p.config.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return &post.Failure{Class: post.ClassTimeout, Sent: post.SentMaybe, Message: "sandbox: no answer in time, as its switch slow says", Err: ctx.Err()}
		}
	case Lost:
		return &post.Failure{Class: post.ClassNetwork, Sent: post.SentMaybe, Message: "sandbox: the answer was lost, as its switch lost says"}
	}
	return nil
}

// switchOf returns the first switch in text, else that of the connection.
func (p *Publisher) switchOf(text string) Switch {
	for _, s := range switches {
		if strings.Contains(text, "[["+string(s)+"]]") {
			return s
		}
	}
	return p.config.Switch
}

// Lookup says exactly whether d is in the outbox.
func (p *Publisher) Lookup(ctx context.Context, d post.Delivery) (post.Found, error) {
	text := publish.Compose(&d.Content, &p.rules.Limits)
	return publish.FindParts(ctx, &d, text, func(_ context.Context, at int, text string, before []post.Part) (post.Found, error) {
		old, ok, err := p.read(p.record(&d, at, text, before).jsonName())
		if err != nil {
			return post.Found{}, unwritten(err)
		}
		if !ok {
			return post.Found{State: post.Absent}, nil
		}
		r := p.receipt(old)
		r.Found = true
		return post.Found{State: post.Present, Receipt: r}, nil
	})
}
