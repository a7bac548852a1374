package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// benchRoom is a room with forty sandbox connections and no limits.
func benchRoom(b *testing.B) *room {
	b.Helper()
	dir := b.TempDir()
	var c bytes.Buffer
	c.WriteString("timezone: UTC\naccounts:\n  bench:\n    plan: unlimited\n    stagger: {gap: 1m, per_minute: 1000, max_shift: 720h}\n    connections:\n")
	for i := range 40 {
		fmt.Fprintf(&c, "      - {id: twitter-%d, driver: sandbox}\n", 100000+i)
	}
	if err := os.WriteFile(filepath.Join(dir, configName), c.Bytes(), 0o600); err != nil {
		b.Fatal(err)
	}
	r, err := openRoom(b.Context(), dir, roomOptions{env: os.LookupEnv, logTo: os.Stderr, who: "bench"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { r.close() })
	return r
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
		r := benchRoom(b)
		path := filepath.Join(r.dir, "a.csv")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			b.Fatal(err)
		}
		f, err := r.named("", path)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := r.importFile(b.Context(), f); err != nil {
			b.Fatal(err)
		}
		f.file.Close()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rows), "ns/row")
}
