package dispatch

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/postroom/postroom/post"
)

// A crew is the workers of one Run or Tick and the loop that gives them leases.
// All fields but those said otherwise belong to the loop.
type crew struct {
	*Dispatcher
	once    bool
	clock   *clock          // its own lock
	stop    context.Context // once it has ended nothing more is begun
	halt    context.CancelFunc
	durable context.Context // for the queue: what has begun is recorded, whatever stops
	calls   context.Context // for platforms: ends StopGrace after stop
	cutOff  context.CancelFunc

	workers errgroup.Group
	ended   chan *session // from workers
	running int
	parked  map[connection]*session
	err     error // the queue broke

	minute    int64     // Unix minute of the last tick
	tickAt    time.Time // when the tick under way began; zero when none is
	idleUntil time.Time // no look between ticks before
	idle      int       // sessions in a row that found nothing to do
	cutOffAt  time.Time // zero until stopping
	beating   atomic.Bool

	mu  sync.Mutex
	sum Summary
}

func newCrew(ctx context.Context, d *Dispatcher, once bool) *crew {
	c := &crew{Dispatcher: d, once: once, clock: newClock(d.cfg.Now), ended: make(chan *session, d.cfg.Workers), parked: map[connection]*session{}, minute: math.MinInt64}
	c.durable = context.WithoutCancel(ctx)
	c.stop, c.halt = context.WithCancel(ctx)
	c.calls, c.cutOff = context.WithCancel(c.durable)
	return c
}

// run works until stop ends or, once, until nothing due is left. Then it waits
// for its workers and gives the parked leases back.
func (c *crew) run() (Summary, error) {
	defer c.cutOff()
	defer c.halt()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		wait, err := c.turn()
		if err != nil {
			c.fail(err)
			continue
		}
		if c.finished() {
			break
		}
		timer.Reset(wait)
		stopped := c.stop.Done()
		if !c.cutOffAt.IsZero() {
			stopped = nil
		}
		select {
		case s := <-c.ended:
			c.takeBack(s)
		case <-timer.C:
		case <-stopped:
		}
	}
	c.giveBack()
	if !c.once {
		c.halt() // lets go of a heartbeat
	}
	return c.sum, errors.Join(c.err, c.workers.Wait())
}

// finished reports whether the loop has nothing to wait for.
func (c *crew) finished() bool {
	if c.running > 0 {
		return false
	}
	if c.stop.Err() != nil {
		return true
	}
	if !c.once {
		return false
	}
	for _, s := range c.parked {
		if s.pacedOnly() && !c.clock.isHeld() {
			return false
		}
	}
	return true
}

// turn does what is to be done now, and returns how long nothing is to be done
// but what a worker brings back.
func (c *crew) turn() (time.Duration, error) {
	if c.stop.Err() != nil {
		return c.stopping(), nil
	}
	c.clockHolds()
	now := c.cfg.Now()
	minuteNow := now.Unix() / 60
	tick := minuteNow != c.minute && !(c.once && c.minute != math.MinInt64)
	if tick {
		c.minute = minuteNow
		c.beginTick(now)
	}
	if err := c.renewParked(); err != nil {
		return 0, err
	}
	if !c.clock.isHeld() {
		c.resume(tick)
		if err := c.acquire(now, tick); err != nil {
			return 0, err
		}
		if tick {
			c.beat()
		}
	}
	if c.running == 0 {
		c.endTick()
	}
	return c.untilNext(now)
}

// untilNext returns how long the loop may sleep.
func (c *crew) untilNext(now time.Time) (time.Duration, error) {
	wait := now.Truncate(time.Minute).Add(time.Minute).Sub(now)
	soon := func(d time.Duration) { wait = min(wait, max(d, 0)) }
	for _, s := range c.parked {
		soon(time.Until(s.lease.Until) - c.cfg.LeaseTTL/2)
	}
	if c.clock.isHeld() || c.running == c.cfg.Workers {
		return wait, nil
	}
	for _, s := range c.parked {
		soon(time.Until(s.wakeAt))
	}
	at, ok, err := c.queue.NextDue(c.durable)
	if err != nil {
		return 0, fmt.Errorf("dispatch: next due: %w", err)
	}
	if ok {
		soon(max(at.Sub(now), time.Until(c.idleUntil)))
	}
	return wait, nil
}

// stopping ends calls that take longer than StopGrace, and returns how long they
// have.
func (c *crew) stopping() time.Duration {
	if c.cutOffAt.IsZero() {
		c.cutOffAt = time.Now().Add(c.cfg.StopGrace)
	}
	left := time.Until(c.cutOffAt)
	if left <= 0 {
		c.cutOff()
		return c.cfg.StopGrace
	}
	return left
}

// beginTick begins a tick. What the one before has not finished goes on: it
// holds its leases, so nothing is begun twice.
func (c *crew) beginTick(now time.Time) {
	c.endTick()
	c.tickAt = time.Now()
	c.clock.tick()
	c.lastTick.Store(&now)
}

func (c *crew) endTick() {
	if !c.tickAt.IsZero() {
		c.cfg.Observe.Tick(time.Since(c.tickAt))
		c.tickAt = time.Time{}
	}
}

// beat tells that a tick went well, unless the last word of that is still on its
// way.
func (c *crew) beat() {
	if c.cfg.Observe.Beat == nil || !c.beating.CompareAndSwap(false, true) {
		return
	}
	c.workers.Go(func() error {
		defer c.beating.Store(false)
		c.cfg.Observe.Beat(c.stop)
		return nil
	})
}

// clockHolds reports whether nothing may be published because the wall clock
// jumped. Workers ask it before each call.
func (c *crew) clockHolds() bool {
	if by := c.clock.jumped(); by != 0 {
		c.cfg.Log.Warn("the clock jumped: nothing is published for two ticks", "by", by)
		c.cfg.Observe.Jump(by)
		if by < 0 {
			c.health.setBack(by)
		}
	}
	return c.clock.isHeld()
}

// acquire leases what is due for the workers that are free. Between ticks it
// asks for leases only when something is due; at a tick always, as leases that
// ran out are found by asking.
func (c *crew) acquire(now time.Time, tick bool) error {
	free := c.cfg.Workers - c.running
	if free == 0 {
		return nil
	}
	if !tick {
		if time.Now().Before(c.idleUntil) {
			return nil
		}
		at, ok, err := c.queue.NextDue(c.durable)
		if err != nil {
			return fmt.Errorf("dispatch: next due: %w", err)
		}
		if !ok || at.After(now) {
			return nil
		}
	}
	leases, err := c.queue.Acquire(c.durable, c.cfg.LeaseTTL, free)
	if err != nil {
		return fmt.Errorf("dispatch: acquire: %w", err)
	}
	for _, l := range leases {
		c.start(newSession(c, l))
	}
	if len(leases) == 0 {
		c.idleUntil = time.Now().Add(idlePause)
	}
	return nil
}

// start puts a worker on s.
func (c *crew) start(s *session) {
	c.running++
	c.workers.Go(func() error {
		s.run()
		c.ended <- s // never blocks: there is room for all workers
		return nil
	})
}

// takeBack takes what a worker brings back. Sessions that find nothing to do,
// one after the other, are a sign of a queue that says due but gives nothing:
// then the loop slows down.
func (c *crew) takeBack(s *session) {
	c.running--
	switch {
	case s.err != nil:
		c.fail(fmt.Errorf("dispatch: %s: %w", s.lease.Connection, s.err))
		return
	case s.lost:
		return
	case s.parked:
		c.parked[s.key] = s
	}
	if s.worked || s.parked {
		c.idle = 0
	} else if c.idle++; c.idle > c.cfg.Workers {
		c.idleUntil = time.Now().Add(idlePause)
	}
}

// resume puts workers on parked sessions: on all at a tick, as something new may
// be due, and on those whose time has come.
func (c *crew) resume(tick bool) {
	for key, s := range c.parked {
		if c.running == c.cfg.Workers {
			return
		}
		if tick || !time.Now().Before(s.wakeAt) {
			delete(c.parked, key)
			c.start(s)
		}
	}
}

// renewParked keeps the leases of parked sessions.
func (c *crew) renewParked() error {
	for key, s := range c.parked {
		if time.Until(s.lease.Until) > c.cfg.LeaseTTL/2 {
			continue
		}
		l, err := c.queue.Renew(c.durable, s.lease, c.cfg.LeaseTTL)
		switch {
		case errors.Is(err, post.ErrFenced):
			s.log.Warn("the lease is over: its posts in doubt will be found again", "err", err)
			delete(c.parked, key)
		case err != nil:
			return fmt.Errorf("dispatch: renew: %w", err)
		default:
			s.lease = l
		}
	}
	return nil
}

// giveBack releases the parked leases. The posts in doubt stay in flight: the
// next lease finds them as orphans.
func (c *crew) giveBack() {
	for _, s := range c.parked {
		c.sum.InDoubt += len(s.doubts)
		if c.err != nil {
			continue
		}
		if err := c.queue.Release(c.durable, s.lease); err != nil && !errors.Is(err, post.ErrFenced) {
			c.fail(fmt.Errorf("dispatch: release: %w", err))
		}
	}
}

// fail stops everything: the queue broke.
func (c *crew) fail(err error) {
	if c.err == nil {
		c.err = err
	}
	c.halt()
}

// count changes the summary; workers call it.
func (c *crew) count(fn func(*Summary)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fn(&c.sum)
}
