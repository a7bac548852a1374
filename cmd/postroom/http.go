package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/postroom/postroom/publish"
)

// staleTick is how old the last tick may be before /livez fails.
const staleTick = 3 * time.Minute

// serveHTTP answers the API, /livez, /readyz and /metrics on ln until ctx ends.
func (d *daemon) serveHTTP(ctx context.Context, ln net.Listener) error {
	srv := &http.Server{
		Handler: d.handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 32 << 10,
	}
	stop := context.AfterFunc(ctx, func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if srv.Shutdown(closing) != nil {
			srv.Close()
		}
	})
	defer stop()
	if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve HTTP: %w", err)
	}
	return nil
}

func (d *daemon) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { answer(w, d.alive()) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { answer(w, d.ready()) })
	mux.HandleFunc("GET /calendar/{file}", d.serveCalendar)
	mux.HandleFunc("GET "+publish.LinkPath, d.room.media.ServeLink)
	mux.Handle("GET /metrics", promhttp.HandlerFor(d.metrics.registry, promhttp.HandlerOpts{}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api" || strings.HasPrefix(r.URL.Path, "/api/") {
			// It says in JSON what is not there, for a base URL that is a little
			// wrong too. A mux would redirect double slashes, and clients then lose
			// their body.
			d.api.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func answer(w http.ResponseWriter, err error) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintln(w, err)
		return
	}
	fmt.Fprintln(w, "ok")
}

// alive fails when the ticks have stopped.
func (d *daemon) alive() error {
	last := d.dispatcher.LastTick()
	if last.IsZero() {
		last = d.startedAt
	}
	if age := d.room.now().Sub(last); age > staleTick {
		return fmt.Errorf("the last tick was %s ago", age.Truncate(time.Second))
	}
	return nil
}

// ready fails when the store takes no more work.
func (d *daemon) ready() error {
	if err := d.room.store.Err(); err != nil {
		return errors.New("the store has failed: see the log")
	}
	return d.alive()
}
