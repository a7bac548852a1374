package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// benchRoom is a room without limits and with so many connections, of which the line
// in the config is a format with a number in it. now is its clock.
func benchRoom(b *testing.B, now func() time.Time, stagger string, connections int, line string) *room {
	b.Helper()
	dir := b.TempDir()
	var c bytes.Buffer
	c.WriteString("timezone: UTC\ndispatch: {workers: 64}\naccounts:\n  bench:\n    plan: unlimited\n    stagger: " + stagger + "\n    connections:\n")
	for i := range connections {
		fmt.Fprintf(&c, "      - {"+line+"}\n", i)
	}
	if err := os.WriteFile(filepath.Join(dir, configName), c.Bytes(), 0o600); err != nil {
		b.Fatal(err)
	}
	r, err := openRoom(b.Context(), dir, roomOptions{env: os.LookupEnv, logTo: io.Discard, now: now, who: "bench"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { r.close() })
	return r
}

// benchTake imports a calendar.
func benchTake(b *testing.B, r *room, data []byte) {
	b.Helper()
	path := filepath.Join(r.dir, "a.csv")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		b.Fatal(err)
	}
	f, err := r.named("", path)
	if err != nil {
		b.Fatal(err)
	}
	defer f.file.Close()
	if _, err := r.importFile(b.Context(), f); err != nil {
		b.Fatal(err)
	}
}

// benchCalendar is a calendar like those of the bench command.
func benchCalendar(rows int) []byte {
	var b bytes.Buffer
	b.WriteString("content,platforms,scheduled_time,media_url\n")
	start := time.Now().Add(time.Hour).UTC().Truncate(time.Minute)
	rnd := uint64(1)
	for i := range rows {
		rnd = rnd*6364136223846793005 + 1442695040888963407
		fmt.Fprintf(&b, "\"%d %s", i, strings.Repeat("spring launch, our new collection is here 🎉 ", 1+int(rnd>>60)%5))
		if i%20 == 0 {
			b.WriteString("\nand a second line")
		}
		b.WriteString("\",\"")
		for p := range 1 + int(rnd>>40)%3 {
			if p > 0 {
				b.WriteByte(';')
			}
			fmt.Fprintf(&b, "twitter-%d", 100000+(int(rnd>>33)%40+p*7)%40)
		}
		fmt.Fprintf(&b, "\",%s,\n", start.Add(time.Duration(rnd>>20%(90*24*60))*time.Minute).Format("2006-01-02T15:04:05Z"))
	}
	return b.Bytes()
}

// BenchmarkImport is a whole import, as `make profile` looks at it.
func BenchmarkImport(b *testing.B) {
	rows := 100_000
	if n, err := strconv.Atoi(os.Getenv("POSTROOM_BENCH_ROWS")); err == nil {
		rows = n
	}
	data := benchCalendar(rows)
	for b.Loop() {
		r := benchRoom(b, time.Now, "{gap: 1m, per_minute: 1000, max_shift: 720h}", 40, "id: twitter-1000%02d, driver: sandbox")
		benchTake(b, r, data)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rows), "ns/row")
}

// BenchmarkSend is a tick at which a thousand posts are due on each of 64 connections,
// to a receiver in this process.
func BenchmarkSend(b *testing.B) {
	const connections, each = 64, 1000
	sink := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			b.Error(err)
		}
		io.WriteString(w, `{"id":"1"}`)
	}))
	b.Cleanup(sink.Close)
	var c bytes.Buffer
	c.WriteString("content,platforms,scheduled_time\n")
	at := time.Now().Add(5 * time.Minute).UTC().Truncate(time.Minute)
	for i := range connections * each {
		fmt.Fprintf(&c, "\"%d our new collection is here, have a look 🎉\",webhook-%d,%s\n", i, i%connections, at.Format(time.RFC3339))
	}
	for b.Loop() {
		b.StopTimer()
		ahead := time.Duration(0)
		r := benchRoom(b, func() time.Time { return time.Now().Add(ahead) }, "off", connections, "id: webhook-%d, url: \""+sink.URL+"\", secret: whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0, allow_private: true, idempotent: true")
		benchTake(b, r, c.Bytes())
		ahead = time.Until(at) + time.Second
		d := newDaemon(r)
		b.StartTimer()
		if done, err := d.dispatcher.Tick(b.Context()); err != nil || done.Published != connections*each {
			b.Fatalf("Tick() = %+v, %v", done, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*connections*each), "ns/post")
}
