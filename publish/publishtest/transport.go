package publishtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// A Transport answers requests with a handler instead of a network, so that a
// publisher and its platform fit into one synctest bubble. It reports its steps
// to the request's httptrace as net/http does. A handler that aborts breaks the
// connection, before the answer or in the middle of it.
type Transport struct {
	Handler http.Handler
	Host    string      // when set, calls to any other host fail the test by Strayed
	Down    atomic.Bool // refuses connections
	Strayed atomic.Int64
	Calls   atomic.Int64 // requests that reached the handler
	Crawls  atomic.Bool  // sends files in crawlSteps, each after crawlFor
}

// Arrange returns how a [Subject] on the network t arranges a fault: Unreachable is
// a matter of the network, the others are the platform's, and next tells it.
func (t *Transport) Arrange(next func(...Fault)) func(Fault) {
	return func(f Fault) {
		t.Down.Store(f == Unreachable)
		if f != Unreachable && f != None {
			next(f)
		}
	}
}

// errBroken is what a client sees of a connection that broke.
var errBroken = fmt.Errorf("read tcp: connection reset by peer: %w", io.ErrUnexpectedEOF)

// RoundTrip runs the handler.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	trace := httptrace.ContextClientTrace(r.Context())
	if trace != nil && trace.GetConn != nil {
		trace.GetConn(r.URL.Host)
	}
	if t.Host != "" && r.URL.Host != t.Host {
		t.Strayed.Add(1)
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("no such host")}
	}
	if t.Down.Load() {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	if trace != nil && trace.WroteHeaders != nil {
		trace.WroteHeaders()
	}
	t.Calls.Add(1)
	w := &recorder{header: http.Header{}, done: make(chan struct{})}
	go w.serve(t.Handler, r, t.Crawls.Load())
	select {
	case <-w.done:
		return w.response(r)
	case <-r.Context().Done():
		return nil, context.Cause(r.Context())
	}
}

// recorder keeps an answer until the handler is done.
type recorder struct {
	header  http.Header
	sent    http.Header // as it was when the status was written
	status  int
	body    bytes.Buffer
	aborted bool
	done    chan struct{}
}

func (w *recorder) serve(h http.Handler, r *http.Request, crawl bool) {
	defer close(w.done)
	defer func() {
		if v := recover(); v != nil {
			if err, ok := v.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
				panic(v)
			}
			w.aborted = true
		}
	}()
	r2 := r.Clone(r.Context())
	if r2.Body == nil {
		r2.Body = http.NoBody
	}
	r2.RequestURI = r.URL.RequestURI()
	if crawl && isFile(r.Header.Get("Content-Type")) {
		r2.Body = &crawler{ctx: r.Context(), from: r2.Body, step: r.ContentLength/crawlSteps + 1}
	}
	h.ServeHTTP(w, r2)
}

// How slow a line is that crawls: a file takes longer than any one call may.
const (
	crawlSteps = 10
	crawlFor   = 6 * time.Second
)

// isFile reports whether a body of such a type is, or holds, a file.
func isFile(kind string) bool {
	kind, _, _ = strings.Cut(kind, ";")
	return kind != "" && kind != "application/json" && kind != "application/x-www-form-urlencoded"
}

// crawler is a body on a slow line.
type crawler struct {
	ctx  context.Context
	from io.ReadCloser
	step int64 // bytes
	due  int64 // of the step
}

// Read waits before each step.
func (c *crawler) Read(p []byte) (int, error) {
	if c.due == 0 {
		timer := time.NewTimer(crawlFor)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-c.ctx.Done():
			return 0, context.Cause(c.ctx)
		}
		c.due = c.step
	}
	n, err := c.from.Read(p[:min(int64(len(p)), c.due)])
	c.due -= int64(n)
	return n, err
}

// Close closes the body.
func (c *crawler) Close() error { return c.from.Close() }

// Header returns the header to be sent.
func (w *recorder) Header() http.Header { return w.header }

// WriteHeader notes the status.
func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status, w.sent = status, w.header.Clone()
	}
}

// Write keeps b.
func (w *recorder) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(b)
}

func (w *recorder) response(r *http.Request) (*http.Response, error) {
	if w.aborted && w.status == 0 {
		return nil, errBroken
	}
	w.WriteHeader(http.StatusOK)
	resp := &http.Response{
		StatusCode: w.status, Status: fmt.Sprintf("%d %s", w.status, http.StatusText(w.status)),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: w.sent, Request: r, ContentLength: -1,
	}
	var body io.Reader = &w.body
	if w.aborted {
		body = io.MultiReader(body, broken{})
	}
	resp.Body = io.NopCloser(body)
	return resp, nil
}

// broken is the end of an answer whose connection broke.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errBroken }
