package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// A sink takes posts on loopback and remembers when the first and the last came,
// and what the first was like.
type sink struct {
	mu sync.Mutex
	took
}

type took struct {
	posts       int
	first, last time.Time
	body        []byte
	header      http.Header
}

// rate is how many posts came in a second.
func (t *took) rate() float64 { return float64(t.posts) / t.last.Sub(t.first).Seconds() }

// ServeHTTP implements http.Handler.
func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	now := time.Now()
	s.mu.Lock()
	if s.posts++; s.posts == 1 {
		s.first, s.body, s.header = now, body, r.Header.Clone()
	}
	s.last = now
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	io.WriteString(w, `{"id":"1"}`)
}

// during returns what came while do ran, which sends so many posts.
func (s *sink) during(posts int, do func() error) (took, error) {
	s.mu.Lock()
	s.took = took{}
	s.mu.Unlock()
	err := do()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && s.posts != posts {
		err = fmt.Errorf("the sink got %d posts, want %d", s.posts, posts)
	}
	return s.took, err
}

// dispatch times a durable dispatch to a local sink against a bare client that
// sends the same requests to the same sink, over as many connections. Each of the
// three is a process: the sink is this one. What counts is when posts arrive.
func (b *bench) dispatch(ctx context.Context, posts int) error {
	fmt.Printf("\n== dispatch of %d due posts on %d connections to an HTTP sink in another process; best of %d rounds\n", posts, len(sending), rounds)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s := &sink{}
	srv := &http.Server{Handler: s}
	defer srv.Close()
	go srv.Serve(ln) // ends with Close

	url := "http://" + ln.Addr().String() + "/hook"
	file := filepath.Join(b.dir, "due.csv")
	due := time.Now().Add(3 * time.Minute).Truncate(time.Minute)
	if err := writeCalendar(file, posts, due, 0, sending, 1); err != nil {
		return err
	}
	var rooms []string
	for i := range rounds {
		room := filepath.Join(b.dir, fmt.Sprintf("sink-room-%d", i))
		defer os.RemoveAll(room)
		if err := b.room(room, url, 0); err != nil {
			return err
		}
		if _, err := b.postroom(ctx, room, "import", file); err != nil {
			return err
		}
		rooms = append(rooms, room)
	}
	fmt.Printf("  stored; they fall due in %s\n", time.Until(due).Truncate(time.Second))
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Until(due) + time.Second):
	}
	var our, bare ran
	var ourRate, bareRate float64
	for _, room := range rooms {
		var next ran
		took, err := s.during(posts, func() (err error) {
			next, err = b.postroom(ctx, room, "run", "--once")
			return err
		})
		if err != nil {
			return err
		}
		if took.rate() > ourRate {
			our, ourRate = next, took.rate()
		}
		request := bareRun{url, took.header, took.body, posts, len(sending)}
		took, err = s.during(posts, func() (err error) {
			next, err = runBare(ctx, request)
			return err
		})
		if err != nil {
			return err
		}
		if took.rate() > bareRate {
			bare, bareRate = next, took.rate()
		}
	}
	fmt.Printf("  bare net/http client, %d connections  %8.0f posts/s   processor %.2f s\n", len(sending), bareRate, bare.processor.Seconds())
	fmt.Printf("  postroom, %d workers                  %8.0f posts/s, of the bare client %.2f   goals 0.3 / 0.5 / 0.7\n", len(sending), ourRate, ourRate/bareRate)
	fmt.Printf("  the whole process, start to exit      %8.2f s, processor %.2f s, peak %.0f MiB\n", our.wall.Seconds(), our.processor.Seconds(), our.peak)
	return nil
}

// clientKind, in [serveEnv], makes this program the bare client.
const clientKind = "client"

// A bareRun is what the bare client reads from its standard input: the request to
// send, how often, and over how many keep-alive connections.
type bareRun struct {
	URL                string
	Header             http.Header
	Body               []byte
	Posts, Connections int
}

// runBare runs the bare client in a process of its own, as postroom is one: within
// the process of the sink it would be spared the way through the kernel's scheduler.
func runBare(ctx context.Context, r bareRun) (ran, error) {
	self, err := os.Executable()
	if err != nil {
		return ran{}, err
	}
	in, err := json.Marshal(r)
	if err != nil {
		return ran{}, err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), serveEnv+"="+clientKind)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
	return run(cmd)
}

// sendBare is the child.
func sendBare(ctx context.Context, in io.Reader) error {
	var r bareRun
	if err := json.NewDecoder(in).Decode(&r); err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: r.Connections, DisableCompression: true}}
	defer client.CloseIdleConnections()
	var left atomic.Int64
	left.Store(int64(r.Posts))
	g, ctx := errgroup.WithContext(ctx)
	for range r.Connections {
		g.Go(func() error {
			for left.Add(-1) >= 0 {
				req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.URL, bytes.NewReader(r.Body))
				if err != nil {
					return err
				}
				req.Header = r.Header.Clone()
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
