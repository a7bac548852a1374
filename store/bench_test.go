package store

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/postroom/postroom/post"
)

const sample = "spring launch: our new collection is here today, come and see what we made for you this week only — fresh ideas, good coffee, open doors and long evenings 🎉 read more on the blog"

// fill imports n groups of one to three posts over 40 connections and 90 days.
func fill(b testing.TB, s *Store, name string, n int, from time.Time) {
	b.Helper()
	st, err := s.Stage(b.Context(), acme)
	if err != nil {
		b.Fatal(err)
	}
	conns := make([]post.ConnectionID, 40)
	for i := range conns {
		conns[i] = post.ConnectionID(fmt.Sprintf("twitter-%d", i))
	}
	h := uint64(len(name)) + 1
	for i := range n {
		h = h*6364136223846793005 + 1442695040888963407
		at := from.Add(time.Duration(h>>40%(90*24*60)) * time.Minute)
		first := h >> 33
		g := group(sample, at, []post.ConnectionID{conns[first%40], conns[(first+7)%40], conns[(first+14)%40]}[:1+h>>20%3]...)
		g.Row = i + 1
		if err := st.Add(&post.Row{N: i + 1, Line: i + 2, Decision: post.Accepted, Key: h, Version: h + 1, Twin: h * 31, RequestedAt: at, ScheduledAt: at}, g); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := st.Seal(b.Context(), post.Seal{Import: post.Import{Name: name, Lineage: name, Digest: post.Digest([]byte(fmt.Sprintf("%-32s", name)))}}); err != nil {
		b.Fatal(err)
	}
}

func benchStore(b *testing.B) (*Store, string) {
	b.Helper()
	path := filepath.Join(b.TempDir(), "bench.db")
	s, err := Open(path, Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	return s, path
}

func BenchmarkImport(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			for b.Loop() {
				s, path := benchStore(b)
				fill(b, s, "a", n, time.Now())
				info, err := os.Stat(path)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(info.Size())/float64(n), "file-B/row")
			}
			b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(b.N*n), "ns/row")
		})
	}
}

func BenchmarkImportIntoFull(b *testing.B) {
	s, _ := benchStore(b)
	fill(b, s, "first", 1_000_000, time.Now())
	i := 0
	for b.Loop() {
		fill(b, s, strings.Repeat("x", i+1), 100_000, time.Now())
		i++
	}
}

// BenchmarkIdleTick is a tick that finds nothing due. POSTROOM_BENCH_PENDING
// lists how many posts wait.
func BenchmarkIdleTick(b *testing.B) {
	sizes := "10000,1000000"
	if s := os.Getenv("POSTROOM_BENCH_PENDING"); s != "" {
		sizes = s
	}
	for size := range strings.SplitSeq(sizes, ",") {
		n, err := strconv.Atoi(size)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(size, func(b *testing.B) {
			s, _ := benchStore(b)
			for left, i := n, 0; left > 0; left, i = left-1_000_000, i+1 {
				fill(b, s, fmt.Sprint("f", i), min(left, 1_000_000), time.Now().Add(time.Hour))
			}
			for b.Loop() {
				if ls, err := s.Acquire(b.Context(), time.Minute, 32); err != nil || len(ls) > 0 {
					b.Fatal(err, len(ls))
				}
			}
		})
	}
}

func BenchmarkNext(b *testing.B) {
	s, _ := benchStore(b)
	fill(b, s, "a", 200_000, time.Now().AddDate(-1, 0, 0))
	ls, err := s.Acquire(b.Context(), time.Hour, 40)
	if err != nil {
		b.Fatal(err)
	}
	work := make(chan struct{})
	done := make(chan error, len(ls))
	for _, l := range ls {
		go func() {
			var last *post.Done
			for range work {
				n, err := s.Next(b.Context(), l, last, 0)
				if err != nil || !n.OK {
					done <- fmt.Errorf("%v %+v", err, n)
					return
				}
				last = &post.Done{ID: n.Delivery.Post.ID, Status: post.StatusPublished, Receipt: &post.Receipt{RemoteID: "1"}}
			}
			done <- nil
		}()
	}
	before := commitsOf(s)
	for b.Loop() {
		select {
		case work <- struct{}{}:
		case err := <-done:
			b.Fatal(err)
		}
	}
	commits := commitsOf(s) - before
	close(work)
	for range ls {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/float64(commits), "posts/commit")
}

func commitsOf(s *Store) (id int) {
	s.db.View(func(tx *bolt.Tx) error { id = tx.ID(); return nil })
	return id
}
