package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// A sink takes posts on loopback and remembers when the first and the last came.
type sink struct {
	n           atomic.Int64
	mu          sync.Mutex
	first, last time.Time
	body        []byte
	header      http.Header
}

// ServeHTTP implements http.Handler.
func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	now := time.Now()
	s.mu.Lock()
	if s.first.IsZero() {
		s.first, s.body, s.header = now, body, r.Header.Clone()
	}
	s.last = now
	s.mu.Unlock()
	s.n.Add(1)
	w.Header().Set("Content-Type", "application/json")
	io.WriteString(w, `{"id":"1"}`)
}

// dispatch times a durable dispatch to a local sink against a bare client that
// sends the same requests to the same sink.
func (b *bench) dispatch(ctx context.Context, posts int) error {
	fmt.Printf("\n== dispatch of %d due posts on %d connections to a local HTTP sink\n", posts, len(sending))
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s := &sink{}
	srv := &http.Server{Handler: s}
	defer srv.Close()
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()

	url := "http://" + ln.Addr().String() + "/hook"
	room := filepath.Join(b.dir, "sink-room")
	if err := b.room(room, url, 0); err != nil {
		return err
	}
	defer os.RemoveAll(room)
	file := filepath.Join(b.dir, "due.csv")
	due := time.Now().Add(3 * time.Minute).Truncate(time.Minute)
	if err := writeCalendar(file, posts, due, 0, sending, 1); err != nil {
		return err
	}
	if _, err := b.postroom(ctx, room, "import", file); err != nil {
		return err
	}
	fmt.Printf("  stored; they fall due in %s\n", time.Until(due).Truncate(time.Second))
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Until(due) + time.Second):
	}
	ours, err := b.postroom(ctx, room, "run", "--once")
	if err != nil {
		return err
	}
	if n := s.n.Load(); n != int64(posts) {
		return fmt.Errorf("the sink got %d posts, want %d", n, posts)
	}
	between := s.last.Sub(s.first)
	bare, err := timed(func() error { return sendBare(ctx, url, s.header, s.body, posts) })
	if err != nil {
		return err
	}
	fmt.Printf("  bare net/http client                  %8.0f posts/s\n", float64(posts)/bare.Seconds())
	fmt.Printf("  postroom, first to last post          %8.0f posts/s, of the bare client %.2f   goals 0.3 / 0.5 / 0.7\n", float64(posts)/between.Seconds(), bare.Seconds()/between.Seconds())
	fmt.Printf("  the whole process, start to exit      %8.2f s, processor %.2f s, peak %.0f MiB\n", ours.wall.Seconds(), ours.processor.Seconds(), ours.peak)
	return nil
}

// sendBare sends the same request n times over 32 keep-alive connections.
func sendBare(ctx context.Context, url string, header http.Header, body []byte, n int) error {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 32}}
	defer client.CloseIdleConnections()
	var left atomic.Int64
	left.Store(int64(n))
	g, ctx := errgroup.WithContext(ctx)
	for range 32 {
		g.Go(func() error {
			for left.Add(-1) >= 0 {
				req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
				if err != nil {
					return err
				}
				req.Header = header.Clone()
				resp, err := client.Do(req)
				if err != nil {
					return err
				}
				_, err = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}
