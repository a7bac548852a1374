package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/sync/errgroup"
)

// serveEnv makes this program one of the yardsticks, so that each stands in a
// process of its own, as postroom does.
const serveEnv = "POSTROOM_BENCH_SERVE"

const (
	apiClients = 64
	apiRound   = 5 * time.Second
)

// api times create-post at 64 keep-alive connections, every post on disk, synced,
// before it is answered, against two yardsticks that take the same requests: a
// handler that reads the JSON and writes it back, and one that stores one record a
// request beside.
func (b *bench) api(ctx context.Context) error {
	fmt.Printf("\n== create-post, %d keep-alive connections\n", apiClients)
	echo, err := b.yardstick(ctx, "echo")
	if err != nil {
		return err
	}
	stored, err := b.yardstick(ctx, "store")
	if err != nil {
		return err
	}
	room := filepath.Join(b.dir, "api-room")
	if err := b.room(room, "", time.Hour); err != nil {
		return err
	}
	defer os.RemoveAll(room)
	var ours load
	err = b.served(ctx, room, func(s *apiServer) error {
		ours, err = hammer(ctx, s.addr, s.request("POST", "/create-post", createBody()))
		return err
	})
	if err != nil {
		return err
	}
	for _, l := range []struct {
		name string
		load
	}{{"echo handler", echo}, {"bare handler, one record in bbolt", stored}, {"postroom", ours}} {
		fmt.Printf("  %-36s %8.0f requests/s   p50 %5.1f ms   p99 %5.1f ms\n", l.name, l.rate, ms(l.p50), ms(l.p99))
	}
	fmt.Printf("  postroom, of the echo handler %.2f   goals 0.2 / 0.35 / 0.5;   p99 goals 60 / 30 / 15 ms\n", ours.rate/echo.rate)
	fmt.Printf("  postroom, of the bare handler %.2f;   its p99, of the bare handler's %.1f\n", ours.rate/stored.rate, ms(ours.p99)/ms(stored.p99))
	return nil
}

// lists times pages of list-posts over many posts.
func (b *bench) lists(ctx context.Context, rows int) error {
	fmt.Printf("\n== a page of list-posts over %d groups\n", rows)
	room, file := filepath.Join(b.dir, "list-room"), filepath.Join(b.dir, "list.csv")
	if err := b.room(room, "", 0); err != nil {
		return err
	}
	defer os.RemoveAll(room)
	from := time.Now().Add(24 * time.Hour).Truncate(time.Minute)
	if err := writeCalendar(file, rows, from, 365*24*time.Hour, planned, 2); err != nil {
		return err
	}
	if _, err := b.postroom(ctx, room, "import", file); err != nil {
		return err
	}
	os.Remove(file)
	return b.served(ctx, room, func(s *apiServer) error {
		first, err := timed(func() error { _, err := s.page(ctx, ""); return err })
		if err != nil {
			return err
		}
		total, err := s.page(ctx, "")
		if err != nil {
			return err
		}
		fmt.Printf("  the first list after a start, which reads all: %.0f ms\n", ms(first))
		middle := from.Add(100 * 24 * time.Hour).UTC().Format(time.DateOnly)
		var slowest time.Duration
		for _, sort := range []string{"createdAt", "updatedAt", "scheduledTime"} {
			for _, filter := range []string{"", "&status=scheduled", "&status=draft", "&platform=twitter", "&fromDate=" + middle} {
				query := "?sortBy=" + sort + filter
				n, err := s.page(ctx, query) // sorts, the first time
				if err != nil {
					return err
				}
				var at [3]time.Duration
				for i, page := range []int{1, n/2 + 1, n} {
					if at[i], err = s.median(ctx, query+"&page="+strconv.Itoa(max(page, 1))); err != nil {
						return err
					}
					slowest = max(slowest, at[i])
				}
				fmt.Printf("  %-46s %7d pages   first %5.1f ms   middle %5.1f ms   last %5.1f ms\n", query, n, ms(at[0]), ms(at[1]), ms(at[2]))
			}
		}
		fmt.Printf("  the slowest of %d pages: %.1f ms   goals 50 / 10 / 5 ms\n", total, ms(slowest))
		return nil
	})
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func createBody() []byte {
	at := time.Now().Add(240 * time.Hour).UTC().Format("2006-01-02T15:04:05.000Z")
	return fmt.Appendf(nil, `{"content":"A post about something that people may want to read about, of some length, as they are.","platforms":[%q,%q],"scheduledTime":%q}`, planned[0], planned[1], at)
}

// An apiServer is a running postroom.
type apiServer struct{ addr, key string }

func (s *apiServer) request(method, path string, body []byte) []byte {
	return fmt.Appendf(nil, "%s /api/v1%s HTTP/1.1\r\nHost: bench\r\nx-api-key: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", method, path, s.key, len(body), body)
}

// page asks for a page of list-posts and returns how many there are.
func (s *apiServer) page(ctx context.Context, query string) (pages int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.addr+"/api/v1/list-posts"+query, nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("x-api-key", s.key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	var got struct{ Pagination struct{ TotalPages int } }
	err = json.NewDecoder(resp.Body).Decode(&got)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("list-posts%s: %s", query, resp.Status)
	}
	return got.Pagination.TotalPages, err
}

// median times a page five times.
func (s *apiServer) median(ctx context.Context, query string) (time.Duration, error) {
	var times []time.Duration
	for range 5 {
		d, err := timed(func() error { _, err := s.page(ctx, query); return err })
		if err != nil {
			return 0, err
		}
		times = append(times, d)
	}
	slices.Sort(times)
	return times[2], nil
}

// served runs postroom on a room, with its API on loopback, while do runs.
func (b *bench) served(ctx context.Context, room string, do func(*apiServer) error) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s := &apiServer{addr: ln.Addr().String()}
	if err := ln.Close(); err != nil {
		return err
	}
	config, err := os.OpenFile(filepath.Join(room, "postroom.yaml"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(config, "listen: %s\nlog: {level: warn}\n", s.addr)
	if err := errors.Join(err, config.Close()); err != nil {
		return err
	}
	key, err := exec.CommandContext(ctx, b.binary, "--room", room, "keys", "new").Output()
	if err != nil {
		return fmt.Errorf("keys new: %w", err)
	}
	s.key = strings.TrimSpace(string(key))
	return during(ctx, exec.CommandContext(ctx, b.binary, "--room", room, "run"), s.addr, func() error { return do(s) })
}

// during runs a server while do runs, and stops it.
func during(ctx context.Context, cmd *exec.Cmd, addr string, do func() error) error {
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		return err
	}
	err := answers(ctx, addr)
	if err == nil {
		err = do()
	}
	cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself: then Wait says why
	werr := cmd.Wait()
	if exit := (*exec.ExitError)(nil); errors.As(werr, &exit) && !exit.Exited() {
		werr = nil // a yardstick ends by the signal
	}
	if err == nil {
		err = werr
	}
	if err != nil {
		return fmt.Errorf("%w\n%s", err, said.String())
	}
	return nil
}

// answers waits until somebody listens.
func answers(ctx context.Context, addr string) error {
	for end := time.Now().Add(20 * time.Second); ; {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			return conn.Close()
		}
		if time.Now().After(end) || ctx.Err() != nil {
			return fmt.Errorf("nobody answers at %s: %w", addr, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// yardstick hammers one of the yardsticks.
func (b *bench) yardstick(ctx context.Context, what string) (l load, err error) {
	self, err := os.Executable()
	if err != nil {
		return l, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return l, err
	}
	addr := ln.Addr().String()
	if err := ln.Close(); err != nil {
		return l, err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), serveEnv+"="+what+" "+addr+" "+filepath.Join(b.dir, "yardstick.db"))
	err = during(ctx, cmd, addr, func() error {
		l, err = hammer(ctx, addr, (&apiServer{}).request("POST", "/create-post", createBody()))
		return err
	})
	return l, err
}

// serveYardstick is the child: an echo handler, or one that stores each request
// too, as a small program would do it with bbolt.
func serveYardstick(what string) error {
	var kind, addr, path string
	if _, err := fmt.Sscan(what, &kind, &addr, &path); err != nil {
		return err
	}
	var db *bolt.DB
	if kind == "store" {
		var err error
		if db, err = bolt.Open(path, 0o600, &bolt.Options{InitialMmapSize: 1 << 30}); err != nil {
			return err
		}
		db.MaxBatchDelay, db.MaxBatchSize = time.Millisecond, apiClients/2
	}
	handler := func(w http.ResponseWriter, r *http.Request) {
		var v map[string]any
		if err := json.NewDecoder(r.Body).Decode(&v); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		b, err := json.Marshal(v)
		if err == nil && db != nil {
			err = db.Batch(func(tx *bolt.Tx) error {
				bucket, err := tx.CreateBucketIfNotExists([]byte("posts"))
				if err != nil {
					return err
				}
				n, err := bucket.NextSequence()
				if err != nil {
					return err
				}
				return bucket.Put(fmt.Appendf(nil, "%016x", n), b)
			})
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Write(b)
	}
	err := http.ListenAndServe(addr, http.HandlerFunc(handler))
	return fmt.Errorf("yardstick %s: %w", kind, err)
}

// A load is how many requests went through, and how long they took.
type load struct {
	rate     float64 // a second
	p50, p99 time.Duration
}

// hammer sends a request again and again over keep-alive connections. It writes
// and reads bytes: a full client would take more of the machine than the servers.
func hammer(ctx context.Context, addr string, request []byte) (load, error) {
	var done atomic.Bool
	took := make([][]time.Duration, apiClients)
	g, ctx := errgroup.WithContext(ctx)
	begun := time.Now()
	for i := range apiClients {
		g.Go(func() error {
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				return err
			}
			defer conn.Close()
			r := bufio.NewReader(conn)
			for !done.Load() && ctx.Err() == nil {
				start := time.Now()
				if _, err := conn.Write(request); err != nil {
					return err
				}
				if err := readAnswer(r); err != nil {
					return err
				}
				took[i] = append(took[i], time.Since(start))
			}
			return nil
		})
	}
	time.AfterFunc(apiRound, func() { done.Store(true) })
	if err := g.Wait(); err != nil {
		return load{}, err
	}
	length := time.Since(begun)
	all := slices.Concat(took...)
	slices.Sort(all)
	if len(all) == 0 {
		return load{}, errors.New("no request went through")
	}
	return load{float64(len(all)) / length.Seconds(), all[len(all)/2], all[len(all)*99/100]}, nil
}

// readAnswer reads one answer, which must be a success.
func readAnswer(r *bufio.Reader) error {
	status, length := "", 0
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			break
		}
		if status == "" {
			status = string(line)
		}
		if name, v, _ := bytes.Cut(line, []byte(":")); bytes.EqualFold(name, []byte("Content-Length")) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(v))); err != nil {
				return err
			}
		}
	}
	if _, err := r.Discard(length); err != nil {
		return err
	}
	if !strings.Contains(status, " 200 ") {
		return fmt.Errorf("got %s", status)
	}
	return nil
}
