package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/postroom/postroom/api"
	"github.com/postroom/postroom/dispatch"
	"github.com/postroom/postroom/inbox"
)

func (a *app) runCommand() *cobra.Command {
	var once bool
	c := &cobra.Command{
		Use: "run", Short: "Watch the inbox and publish what is due, until stopped", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			dir := a.path(a.dir)
			if a.room != nil {
				return &hinted{errors.New("postroom runs already"), "this command came through its socket"}
			}
			r, err := openRoom(c.Context(), dir, roomOptions{env: a.env, logTo: a.stderr, tty: a.tty, who: "postroom run"})
			if err != nil {
				return err
			}
			d := newDaemon(r)
			if once {
				return errors.Join(d.once(c.Context()), r.close())
			}
			return errors.Join(d.run(c.Context(), a), r.close())
		},
	}
	c.Flags().BoolVar(&once, "once", false, "take the complete files of the inbox, publish what is due, write the reports, and end")
	return c
}

// A daemon is the room at work.
type daemon struct {
	room       *room
	metrics    *metrics
	dispatcher *dispatch.Dispatcher
	taker      *taker
	inbox      *inbox.Inbox
	api        *api.API
	startedAt  time.Time
	reloaded   chan struct{} // the config changed, and not everybody knows
}

func newDaemon(r *room) *daemon {
	d := &daemon{room: r, startedAt: r.now(), metrics: newMetrics(r.store, r.log), reloaded: make(chan struct{}, 1)}
	r.onTake = d.metrics.took
	d.dispatcher = dispatch.New(r.store, r.publisherFor, r.dispatchConfig(d.metrics))
	d.taker = &taker{room: r}
	d.inbox = inbox.New(r.inboxConfig(), d.taker, r.log)
	d.api = newAPI(r)
	return d
}

// once does what the daemon does, one time each.
func (d *daemon) once(ctx context.Context) error {
	if err := d.takeUp(ctx); err != nil {
		return err
	}
	if err := d.inbox.Drain(ctx); err != nil {
		return fmt.Errorf("read the inbox: %w", err)
	}
	if err := d.room.extendSeries(ctx); err != nil {
		return fmt.Errorf("lay out series: %w", err)
	}
	d.room.renewLogins(ctx)
	if err := newPreflight(d.room).look(ctx); err != nil {
		return fmt.Errorf("check posts ahead: %w", err)
	}
	if _, err := d.dispatcher.Tick(ctx); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	if err := d.api.DeliverDue(ctx); err != nil {
		return fmt.Errorf("tell webhooks: %w", err)
	}
	return d.refreshAll(ctx)
}

// takeUp brings what an earlier process left to where the inbox can go on.
func (d *daemon) takeUp(ctx context.Context) error {
	if err := d.room.sweep(ctx); err != nil {
		d.room.log.WarnContext(ctx, "leftovers not removed", "err", err)
	}
	if err := d.room.refile(ctx); err != nil {
		return fmt.Errorf("record originals: %w", err)
	}
	if err := d.recheck(ctx); err != nil {
		return fmt.Errorf("look at originals again: %w", err)
	}
	return nil
}

// refreshAll writes every report that outcomes have overtaken.
func (d *daemon) refreshAll(ctx context.Context) error {
	for {
		n, err := d.room.refresh(ctx, 100)
		if err != nil || n == 0 {
			return err
		}
	}
}

// run works until ctx ends or the store fails. Everything it starts has ended
// when it returns.
func (d *daemon) run(ctx context.Context, a *app) error {
	r := d.room
	if err := d.takeUp(ctx); err != nil {
		return err
	}
	var ln net.Listener
	if addr := r.config().Listen; addr != "" {
		var err error
		if ln, err = net.Listen("tcp", addr); err != nil {
			return &exitError{exitUsage, &hinted{fmt.Errorf("listen on %s: %w", addr, err), "set `listen` in the config to a free address, or to \"\" for none"}}
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	d.taker.fetches = newFetches(ctx, r.media)
	g.Go(func() error {
		defer d.taker.fetches.wait()
		return d.inbox.Run(ctx)
	})
	g.Go(func() error { return d.dispatcher.Run(ctx) })
	g.Go(func() error { return d.keepReports(ctx) })
	g.Go(func() error { return d.keepSeries(ctx) })
	g.Go(func() error { return d.keepMediaSmall(ctx) })
	g.Go(func() error { return d.keepLogins(ctx) })
	g.Go(func() error { return d.keepAhead(ctx) })
	g.Go(func() error { return d.serveSocket(ctx) })
	g.Go(func() error { return d.reloadOnHangup(ctx) })
	if ln != nil {
		g.Go(func() error { return d.api.Run(ctx) })
		g.Go(func() error { return d.meetConnections(ctx) })
		g.Go(func() error { return d.serveHTTP(ctx, ln) })
	}
	g.Go(func() error {
		select {
		case <-ctx.Done():
			return nil
		case <-r.store.Failed():
			return fmt.Errorf("the store failed, stopping: %w", r.store.Err())
		}
	})
	d.greet(a)
	err := g.Wait()
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	r.log.Info("stopped", "err", err)
	return err
}

// greet tells where to drop files and where to look.
func (d *daemon) greet(a *app) {
	if a.json {
		return
	}
	r := d.room
	say := func(format string, args ...any) { fmt.Fprintf(a.stdout, format+"\n", args...) }
	say("postroom watches %s", filepath.Join(r.dir, "inbox"))
	for _, acc := range r.accounts("") {
		say("  drop calendars for %-12s into %s", acc.ID, filepath.Join("inbox", r.inboxOf(acc.ID)))
	}
	say("  reports to open are in      %s", filepath.Join(r.dir, "reports"))
	say("  sandbox posts go to         %s", filepath.Join(r.dir, "outbox"))
	say("  stop with Ctrl-C")
}

// reportEvery is how often reports follow outcomes (DESIGN §5: at most once a
// minute per import).
const reportEvery = time.Minute

// keepReports writes reports some seconds after each minute's tick.
func (d *daemon) keepReports(ctx context.Context) error {
	const afterTick = 10 * time.Second
	for {
		now := d.room.now()
		next := now.Truncate(reportEvery).Add(afterTick)
		if !next.After(now) {
			next = next.Add(reportEvery)
		}
		timer := time.NewTimer(next.Sub(now))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
		if _, err := d.room.refresh(ctx, 1000); err != nil && ctx.Err() == nil {
			return fmt.Errorf("write reports: %w", err)
		}
	}
}

// reloadOnHangup reads the config again at SIGHUP, and keeps the old one when
// the new one is bad.
func (d *daemon) reloadOnHangup(ctx context.Context) error {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-hup:
			if err := d.room.reload(ctx); err != nil {
				d.room.log.Error("config not reloaded: the old one stays", "err", err)
				continue
			}
			d.room.log.Info("config reloaded")
			select {
			case d.reloaded <- struct{}{}:
			default:
			}
		}
	}
}

// serveSocket runs commands of other processes on this room.
func (d *daemon) serveSocket(ctx context.Context) error {
	return serveSocket(ctx, socketPath(d.room.dir), func(ctx context.Context, req socketRequest, stdout, stderr io.Writer) int {
		a := &app{stdout: stdout, stderr: stderr, cwd: req.Dir, env: os.LookupEnv, tty: req.TTY, user: req.User, dir: d.room.dir, room: d.room}
		return a.execute(ctx, req.Args)
	})
}

// heartbeat tells a watcher elsewhere that a tick went well.
func (r *room) heartbeat(ctx context.Context) {
	url := r.config().HeartbeatURL
	if url == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		r.log.Warn("heartbeat not sent", "err", "bad heartbeat_url")
		return
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		// The URL may hold a token, and url.Error prints it.
		r.log.Warn("heartbeat not sent", "err", errors.Unwrap(err))
		return
	}
	resp.Body.Close()
}

// newLog writes text for a terminal and JSON for anything else, unless the config
// says which.
func newLog(w io.Writer, c LogConfig, tty bool) *slog.Logger {
	opt := &slog.HandlerOptions{Level: c.Level}
	if c.Format == "text" || c.Format == "auto" && tty {
		return slog.New(slog.NewTextHandler(w, opt))
	}
	return slog.New(slog.NewJSONHandler(w, opt))
}
