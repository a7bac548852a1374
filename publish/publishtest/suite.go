// Package publishtest is the suite that every publisher, and every fake of a
// platform, must pass: what is live, and what the publisher says of it, must
// agree whatever the platform does ([Run]). It also holds the pieces that fakes
// are made of: the ways to misbehave ([Fault]) and a network that is a function
// call ([Transport]).
//
// A post is never given to two publishers at once: that is up to the store, which
// fences a lease that is over before any call is made. The tests of package dispatch
// show it on a real store (TestP2_WorkersOfOneStoreSendEachPostOnce,
// TestP2_TheSecondOfTwoWorkersIsRefused). What is left to publishers is tested here:
// that different posts at the same time are nothing to each other, and that one
// whose checkpoint is refused sends nothing more.
//
// It knows no platform. Start reading at [Subject].
package publishtest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postroom/postroom/post"
)

// A Publisher is what the suite tests; package publish says what its methods
// promise.
type Publisher interface {
	Validate(c *post.Content) []post.Problem
	Publish(ctx context.Context, d post.Delivery, save func(parts []post.Part, state []byte) error) (post.Receipt, error)
	Check(ctx context.Context) (post.Identity, error)
}

// A Looker is a publisher that can look a post up.
type Looker interface {
	Lookup(ctx context.Context, d post.Delivery) (post.Found, error)
}

// A Subject is one publisher with the platform it talks to.
type Subject struct {
	Publisher  Publisher
	Again      func() Publisher // the same, of a process that has started anew, or of another connection with the same credentials
	Connection post.ConnectionID
	Arrange    func(f Fault)   // how the platform treats the next call that publishes, and with None, all after it
	Live       func() []string // the texts that are live, oldest first, each as often as it is
	Shown      func() string   // all that was written anywhere by the publisher; may be nil

	// Pictured returns the names of the pictures that are live with a text. The
	// publisher takes its media from [Pictures] then. nil where no post of the suite
	// has pictures of its own.
	Pictured func(text string) []string

	Crawl   func(on bool) // files go out slowly, see [Transport]; may be nil
	Strayed func() bool   // whether another host than the platform's was called; may be nil
}

// Canary is the credential that subjects are to be given. It must not be seen
// anywhere.
const Canary = "canary-9f8e7d6c5b4a39281706f5e4d3c2b1a0"

// A Suite says how to make subjects, and what the platform can do.
type Suite struct {
	New     func(t *testing.T) *Subject
	Cannot  []Fault // that there is no way to arrange
	Knows   bool    // the platform itself knows a repeat by its key
	Trusts  bool    // any 2xx is a success, whatever the answer says
	Threads bool    // text over the limit becomes a thread
	Saves   int     // checkpoints that a part of a thread saves before it is sent
}

// Run runs the suite, each test with a subject of its own in a synctest bubble.
func Run(t *testing.T, s Suite) {
	var points atomic.Int64
	t.Cleanup(func() {
		if !t.Failed() {
			t.Logf("%d crash points, 0 doubles", points.Load())
		}
	})
	for _, test := range []struct {
		name string
		run  func(t *testing.T, s *Suite, u *Subject)
	}{
		{"a post goes live once with a receipt", testPublish},
		{"TestP2 the same key twice is one live post", testRepeat},
		{"TestP2 what was never sent is not found", testNeverSent},
		{"TestP2 a later attempt finds what the first made", testEarlier},
		{"an ended context sends nothing", testEndedContext},
		{"content that says nothing is refused before it is sent", testEmpty},
		{"the credentials are checked", testCheck},
		{"TestP2 a thread survives each fault at each part", testThread},
		{"TestP2 many workers publish each post once", testWorkers},
		{"a file may take as long as it gets on", testCrawl},
		{"a thread whose progress cannot be saved stops", testUnsaved},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { test.run(t, &s, newSubject(t, &s)) })
		})
	}
	for _, f := range Faults() {
		t.Run("TestP2 TestP8 "+f.String(), func(t *testing.T) {
			t.Parallel()
			if slices.Contains(s.Cannot, f) {
				t.Skip("the platform cannot do this")
			}
			points.Add(1)
			synctest.Test(t, func(t *testing.T) { testFault(t, &s, newSubject(t, &s), f) })
		})
	}
	for _, f := range append(Faults(), None) {
		if !slices.Contains([]Fault{None, Broken, BrokenLate, Unheard, Lost, Slow}, f) {
			continue
		}
		t.Run("TestP2 killed before it is recorded: "+f.String(), func(t *testing.T) {
			t.Parallel()
			if slices.Contains(s.Cannot, f) {
				t.Skip("the platform cannot do this")
			}
			points.Add(1)
			synctest.Test(t, func(t *testing.T) { testKilled(t, newSubject(t, &s), f) })
		})
	}
	for _, test := range []struct {
		name string
		at   func(t *testing.T, s *Suite, u *Subject, at int) (met bool)
	}{
		{"TestP2 killed at each checkpoint", testKilledAt},
		{"TestP2 a worker whose lease is over sends nothing more", testFencedAt},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for at, more := 1, true; more; at++ {
				more = false // should the test be skipped
				synctest.Test(t, func(t *testing.T) { more = test.at(t, &s, newSubject(t, &s), at) })
				if more {
					points.Add(1)
				}
			}
		})
	}
	for _, f := range []Fault{Throttle, Broken, BrokenLate, Lost} {
		t.Run("TestP2 many workers, and one meets: "+f.String(), func(t *testing.T) {
			t.Parallel()
			if slices.Contains(s.Cannot, f) {
				t.Skip("the platform cannot do this")
			}
			points.Add(1)
			synctest.Test(t, func(t *testing.T) { testWorkersMeet(t, &s, newSubject(t, &s), f) })
		})
	}
}

// newSubject makes a subject and has what it shows searched for the canary at
// the end.
func newSubject(t *testing.T, s *Suite) *Subject {
	u := s.New(t)
	t.Cleanup(func() {
		noCanary(t, "the publisher", u.Publisher)
		if u.Shown != nil && strings.Contains(u.Shown(), Canary) {
			t.Errorf("the canary was written: %s", u.Shown())
		}
		if u.Strayed != nil && u.Strayed() {
			t.Error("another host than the platform's was called")
		}
	})
	return u
}

// noCanary fails when any print of v shows the canary.
func noCanary(t *testing.T, what string, v any) {
	t.Helper()
	for _, form := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if strings.Contains(fmt.Sprintf(form, v), Canary) {
			t.Errorf("%s shows the canary with %s: %s", what, form, fmt.Sprintf(form, v))
		}
	}
}

// call is one post and what was saved of it.
type call struct {
	t *testing.T
	u *Subject
	d post.Delivery

	saves   int
	killAt  int  // the save after which the process dies, from 1; 0 for none
	failAt  int  // the save that fails, from 1; 0 for none
	refused bool // a save has failed

	liveThen int // how many were live when it failed
}

var machine = [5]byte{1, 2, 3, 4, 5}

// newCall returns a post of text, whose intent was recorded just now.
func newCall(t *testing.T, u *Subject, text string) *call {
	now := time.Now().UTC()
	id := post.MakeID(now, machine, uint32(len(text)))
	c := &call{t: t, u: u}
	c.d.Content = post.Content{Text: text}
	c.d.Post = post.Post{
		ID: id.Add(1), Group: id, Account: "acme", Connection: u.Connection, Status: post.StatusProcessing,
		DueAt: now, SlotAt: now, BegunAt: now,
	}
	return c
}

func (c *call) save(parts []post.Part, state []byte) error {
	c.saves++
	if c.saves == c.failAt {
		c.refused, c.liveThen = true, len(c.u.Live())
		return errors.New("the disk is full")
	}
	if c.refused {
		c.t.Error("saved again after a save had failed")
	}
	if parts != nil {
		c.d.Post.Parts = slices.Clone(parts)
	}
	if state != nil {
		c.d.Post.State = slices.Clone(state)
	}
	if c.saves == c.killAt {
		runtime.Goexit()
	}
	return nil
}

// send makes one attempt of at most a minute. A failure is one in form, agrees
// with what is live, and shows no secret.
func (c *call) send() (post.Receipt, *post.Failure) {
	c.t.Helper()
	c.d.Again = c.d.Post.Attempts > 0
	c.d.Post.Attempts++
	c.d.Post.BegunAt = time.Now().UTC()
	before := len(c.u.Live())
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	r, err := c.u.Publisher.Publish(ctx, c.d, c.save)
	synctest.Wait()
	noCanary(c.t, "the receipt", r)
	grown := len(c.u.Live()) - before
	if err == nil {
		if r.RemoteID == "" || r.PublishedAt.IsZero() {
			c.t.Errorf("receipt %+v: want an id and a time", r)
		}
		return r, nil
	}
	f := c.failure(err)
	if len(c.d.Post.Parts) == 0 && grown > 0 && !f.InDoubt() {
		c.t.Errorf("failure %v says %v, and %d are live", f, f.Sent, grown)
	}
	return r, f
}

// failure checks the form of an error and returns it.
func (c *call) failure(err error) *post.Failure {
	c.t.Helper()
	f, ok := err.(*post.Failure)
	if !ok {
		c.t.Fatalf("error %v (%T): want a *post.Failure", err, err)
	}
	if f.Message == "" {
		c.t.Errorf("failure %+v: want a message", f)
	}
	noCanary(c.t, "the failure", f)
	noCanary(c.t, "the failure's cause", f.Err)
	return f
}

// settle does what a dispatcher does after a failure, until the post is live or
// nothing may be done: wait and send again, or look it up first. It reports
// whether the post ended live.
func (c *call) settle(f *post.Failure) bool {
	c.t.Helper()
	for range 2 * len(Faults()) {
		time.Sleep(max(f.After, time.Minute)) // in a bubble
		if f.InDoubt() {
			found, done := c.lookup()
			if done {
				return found
			}
		} else if !f.Retryable() {
			return false
		}
		if _, f = c.send(); f == nil {
			return true
		}
	}
	c.t.Fatal("never settled")
	return false
}

// takeUp does what a dispatcher does of a post that another process was sending when
// it died: nobody knows what came of it. It reports whether the post ended live.
func (c *call) takeUp() bool {
	c.t.Helper()
	c.u.Publisher = c.u.Again()
	return c.settle(&post.Failure{Class: post.ClassUnknown, Sent: post.SentMaybe, Message: "the process died"})
}

// lookup looks the post up. done is false when it may be sent again.
func (c *call) lookup() (live, done bool) {
	c.t.Helper()
	l, ok := c.u.Publisher.(Looker)
	if !ok {
		return false, true
	}
	found, err := l.Lookup(c.t.Context(), c.d)
	if err != nil {
		c.failure(err)
		return false, true
	}
	noCanary(c.t, "what was found", found)
	if found.Parts != nil {
		c.d.Post.Parts = found.Parts
	}
	switch found.State {
	case post.Present:
		if found.Receipt.RemoteID == "" || !found.Receipt.Found {
			c.t.Errorf("found %+v: want an id, and Found", found)
		}
		return true, true
	case post.Absent:
		return false, false
	}
	return false, true
}

func (c *call) wantLive(n int) {
	c.t.Helper()
	if live := c.u.Live(); len(live) != n {
		c.t.Errorf("%d are live, want %d: %q", len(live), n, live)
	}
}

func testPublish(t *testing.T, _ *Suite, u *Subject) {
	c := newCall(t, u, "Grüße aus Berlin: https://go.dev/doc 👋")
	r, f := c.send()
	if f != nil {
		t.Fatal(f)
	}
	if r.Found {
		t.Error("a receipt says Found, and nothing was looked up")
	}
	c.wantLive(1)
	if live := u.Live(); live[0] != c.d.Content.Text {
		t.Errorf("live is %q, want %q", live[0], c.d.Content.Text)
	}
}

func testRepeat(t *testing.T, s *Suite, u *Subject) {
	c := newCall(t, u, "once")
	first, f := c.send()
	if f != nil {
		t.Fatal(f)
	}
	if l, ok := u.Publisher.(Looker); ok && !s.Knows {
		found, err := l.Lookup(t.Context(), c.d)
		if err != nil || found.State == post.Absent && !s.Trusts {
			t.Errorf("look-up of a live post: %+v, %v", found, err)
		}
		return
	}
	if !s.Knows {
		return
	}
	second, f := c.send()
	if f != nil {
		t.Fatal(f)
	}
	if first.RemoteID != second.RemoteID {
		t.Errorf("ids %q and %q, want the same", first.RemoteID, second.RemoteID)
	}
	c.wantLive(1)
}

func testNeverSent(t *testing.T, _ *Suite, u *Subject) {
	other := newCall(t, u, "somebody else's words")
	if _, f := other.send(); f != nil {
		t.Fatal(f)
	}
	c := newCall(t, u, "never sent")
	if live, _ := c.lookup(); live {
		t.Error("found a post that was never sent")
	}
}

// testEarlier: the answer is lost, the platform shows the post only when it has been
// looked up, and then a second attempt is looked up.
func testEarlier(t *testing.T, s *Suite, u *Subject) {
	if _, ok := u.Publisher.(Looker); !ok || s.Knows || slices.Contains(s.Cannot, Lost) {
		t.Skip("the platform cannot be asked, or need not")
	}
	c := newCall(t, u, "made by the first attempt")
	u.Arrange(Lost)
	c.send()
	u.Arrange(None)
	time.Sleep(30 * time.Minute) // in a bubble
	c.d.Again, c.d.Post.Attempts, c.d.Post.BegunAt = true, 2, time.Now().UTC()
	if live, done := c.lookup(); !live && !done && len(u.Live()) > 0 {
		t.Error("it is said to be absent")
	}
}

func testEndedContext(t *testing.T, _ *Suite, u *Subject) {
	c := newCall(t, u, "too late")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := u.Publisher.Publish(ctx, c.d, c.save)
	if f := c.failure(err); f.Sent != post.SentNot {
		t.Errorf("failure %v says %v, want %v", f, f.Sent, post.SentNot)
	}
	c.wantLive(0)
}

func testEmpty(t *testing.T, _ *Suite, u *Subject) {
	problems := u.Publisher.Validate(&post.Content{Text: " \n"})
	if !post.HasErrors(problems) {
		t.Errorf("problems of empty content: %v", problems)
	}
	for _, p := range problems {
		if p.Field == "" || p.Code == "" || p.Want == "" || p.Platform == "" {
			t.Errorf("problem %+v: want field, code, platform and what is wanted", p)
		}
	}
}

func testCheck(t *testing.T, _ *Suite, u *Subject) {
	who, err := u.Publisher.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if who.Username == "" {
		t.Errorf("identity %+v: want a name", who)
	}
	noCanary(t, "the identity", who)
}

// wants is what a failure must say, by fault; a platform that trusts any 2xx may
// succeed instead where ok is set.
var wants = map[Fault]struct {
	sent  []post.Sent
	class []post.Class
	ok    bool
}{
	Refuse:      {sent: []post.Sent{post.Refused}, class: []post.Class{post.ClassInvalid}},
	Auth:        {sent: []post.Sent{post.Refused}, class: []post.Class{post.ClassAuth}},
	Throttle:    {sent: []post.Sent{post.Refused}, class: []post.Class{post.ClassRate}},
	Broken:      {sent: []post.Sent{post.SentMaybe}, class: []post.Class{post.ClassServer}},
	BrokenLate:  {sent: []post.Sent{post.SentMaybe}, class: []post.Class{post.ClassServer}},
	Unreachable: {sent: []post.Sent{post.SentNot}, class: []post.Class{post.ClassNetwork}},
	Unheard:     {sent: []post.Sent{post.SentMaybe}, class: []post.Class{post.ClassNetwork}},
	Lost:        {sent: []post.Sent{post.SentMaybe}, class: []post.Class{post.ClassNetwork, post.ClassTimeout}},
	Slow:        {sent: []post.Sent{post.SentMaybe}, class: []post.Class{post.ClassTimeout}},
	Huge:        {sent: []post.Sent{post.SentMaybe}, class: []post.Class{post.ClassServer}, ok: true},
	Half:        {sent: []post.Sent{post.SentMaybe}, class: []post.Class{post.ClassServer}, ok: true},
	Junk:        {sent: []post.Sent{post.SentMaybe}, class: []post.Class{post.ClassServer}, ok: true},
	Redirect:    {sent: []post.Sent{post.Refused}, class: []post.Class{post.ClassInvalid}},
}

func testFault(t *testing.T, s *Suite, u *Subject, fault Fault) {
	c := newCall(t, u, "met with "+fault.String())
	u.Arrange(fault)
	_, f := c.send()
	u.Arrange(None)
	want := wants[fault]
	if f == nil {
		if !want.ok || !s.Trusts {
			t.Fatalf("%v is no failure", fault)
		}
		c.wantLive(1)
		return
	}
	if !slices.Contains(want.sent, f.Sent) || !slices.Contains(want.class, f.Class) {
		t.Errorf("failure %v says %v, want %v and %v", f, f.Sent, want.sent, want.class)
	}
	if fault == Throttle && f.After != ThrottleWait {
		t.Errorf("wait %v, want %v", f.After, ThrottleWait)
	}
	if fault == Auth && f.Scope != post.ScopeConnection {
		t.Error("refused credentials do not pause the connection")
	}
	if c.settle(f) {
		c.wantLive(1)
	} else if !f.InDoubt() {
		c.wantLive(0)
	}
}

// testKilled: the platform has answered, or not, and the process dies before what
// came of it is recorded.
func testKilled(t *testing.T, u *Subject, fault Fault) {
	c := newCall(t, u, "killed after "+fault.String())
	u.Arrange(fault)
	c.send()
	u.Arrange(None)
	if live := c.takeUp(); live || len(u.Live()) > 0 {
		c.wantLive(1)
	}
}

// testKilledAt has the process die right after a checkpoint, and reports whether
// there was such a one.
func testKilledAt(t *testing.T, s *Suite, u *Subject, at int) (met bool) {
	text := "killed at a checkpoint"
	if s.Threads {
		text = threadText()
	}
	c := newCall(t, u, text)
	c.illustrate(0)
	c.d.Post.Attempts, c.killAt = 1, at
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = u.Publisher.Publish(t.Context(), c.d, c.save) // how it ends is what takeUp finds out
	}()
	<-ended
	met, c.killAt = c.saves >= at, 0
	if live := c.takeUp(); live || len(u.Live()) > 0 {
		c.wantLive(max(1, len(c.d.Post.Parts)))
	}
	return met
}

// threadText is five posts of 280 long.
func threadText() string { return wordsOf("word", 170) }

// wordsOf is n words that are all different.
func wordsOf(word string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%s%03d ", word, i)
	}
	return strings.TrimSpace(b.String())
}

func testThread(t *testing.T, s *Suite, u *Subject) {
	if !s.Threads {
		t.Skip("the platform has no threads")
	}
	c := newCall(t, u, threadText())
	faults := slices.DeleteFunc(Faults(), func(f Fault) bool {
		return slices.Contains(s.Cannot, f) || f == Refuse || f == Auth || f == Redirect
	})
	var f *post.Failure
	for i := 0; ; i++ {
		u.Arrange(faults[i%len(faults)])
		if _, f = c.send(); f == nil {
			break
		}
		u.Arrange(None)
		if f.InDoubt() {
			live, done := c.lookup()
			if done && !live {
				t.Fatal("the platform cannot say what is live of a thread")
			}
			if live {
				break
			}
		} else if !f.Retryable() {
			t.Fatal(f)
		}
		time.Sleep(max(f.After, time.Minute)) // in a bubble
	}
	parts := c.d.Post.Parts
	c.wantLive(len(parts))
	for i, text := range u.Live() {
		if i < len(parts) && (text != parts[i].Text || parts[i].RemoteID == "") {
			t.Errorf("part %d is %q, want %q, with an id", i, text, parts[i].Text)
		}
	}
}

// callTimeout is how long a dispatcher waits for a send, from its last save.
const callTimeout = 20 * time.Second

// testCrawl: a line so slow that a file takes longer than a send may without a sign
// of life.
func testCrawl(t *testing.T, _ *Suite, u *Subject) {
	if u.Crawl == nil {
		t.Skip("the platform is sent no files")
	}
	c := newCall(t, u, "on a slow line")
	c.illustrate(0)
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	timer := time.AfterFunc(callTimeout, func() { cancel(context.DeadlineExceeded) })
	defer timer.Stop()
	u.Crawl(true)
	_, err := u.Publisher.Publish(ctx, c.d, func(parts []post.Part, state []byte) error {
		timer.Reset(callTimeout)
		return c.save(parts, state)
	})
	u.Crawl(false)
	if err != nil {
		t.Fatal(err)
	}
	c.wantLive(1)
}

func testUnsaved(t *testing.T, s *Suite, u *Subject) {
	if !s.Threads {
		t.Skip("the platform has no threads")
	}
	c := newCall(t, u, threadText())
	c.failAt = 1
	if _, f := c.send(); f == nil || f.Sent != post.SentNot {
		t.Errorf("the parts could not be saved, and the failure is %v", f)
	}
	c.wantLive(0)
	c.failAt, c.saves, c.refused = 2+s.Saves, 0, false
	if _, f := c.send(); f == nil || !f.InDoubt() {
		t.Errorf("the first part's id could not be saved, and the failure is %v", f)
	}
	c.wantLive(1)
	c.failAt, c.refused = 0, false
	if live, done := c.lookup(); live || done {
		t.Errorf("look-up after it: live %v, done %v", live, done)
	}
	if _, f := c.send(); f != nil {
		t.Fatal(f)
	}
	c.wantLive(len(c.d.Post.Parts))
}
