package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// imports times a whole import from the inbox against sqlite3 and encoding/csv on the
// same file.
func (b *bench) imports(ctx context.Context, rows int) error {
	fmt.Printf("\n== import of %d rows from the inbox, whole process: read, check, stagger, store, report, archive\n", rows)
	file := filepath.Join(b.dir, fmt.Sprintf("calendar-%d.csv", rows))
	if err := writeCalendar(file, rows, time.Now().Add(time.Hour), 90*24*time.Hour, planned, 3); err != nil {
		return err
	}
	defer os.Remove(file)
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	plain, err := timed(func() error { return readPlain(file) })
	if err != nil {
		return err
	}
	after, live, err := b.sqlite(ctx, file)
	if err != nil {
		return err
	}
	room := filepath.Join(b.dir, "room")
	if err := b.room(room, "", 30*24*time.Hour); err != nil {
		return err
	}
	defer os.RemoveAll(room)
	take := func() (ran, error) {
		dropped := filepath.Join(room, "inbox", filepath.Base(file))
		if err := os.Link(file, dropped); err != nil {
			return ran{}, err
		}
		return b.postroom(ctx, room, "import", dropped)
	}
	ours, err := take()
	if err != nil {
		return err
	}
	again, err := take()
	if err != nil {
		return err
	}
	db, err := os.Stat(filepath.Join(room, "data", "postroom.db"))
	if err != nil {
		return err
	}
	fmt.Printf("  file                                  %8.1f MiB\n", mib(info.Size()))
	fmt.Printf("  postroom import                       %8.2f s, processor %.2f s, peak %.0f MiB\n", ours.wall.Seconds(), ours.processor.Seconds(), ours.peak)
	ratio := func(what string, yard ran, goals string) {
		if yard.wall > 0 {
			fmt.Printf("  of %-34s %8.2f x (%.2f s)   goals %s", what, ours.wall.Seconds()/yard.wall.Seconds(), yard.wall.Seconds(), goals)
			if yard.processor > 0 {
				fmt.Printf("   of its processor time %.2f x", ours.processor.Seconds()/yard.processor.Seconds())
			}
			fmt.Println()
		}
	}
	if rows > 500_000 {
		ratio("sqlite3 .import, index after", after, "1.0 / 0.55 / 0.3")
	} else {
		ratio("sqlite3 .import, index after", after, "1.5 / 0.9 / 0.5")
	}
	ratio("sqlite3 .import, index live", live, "0.5 / 0.25 / 0.12")
	ratio("encoding/csv reading alone", ran{wall: plain}, "15 / 8 / 4")
	fmt.Printf("  store on disk, of the CSV             %8.2f x   goals 3 / 2 / 1.3\n", float64(db.Size())/float64(info.Size()))
	fmt.Printf("  the same file again, of the first     %8.2f x   goals 0.2 / 0.05 / 0.02\n", again.wall.Seconds()/ours.wall.Seconds())
	return nil
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }

func timed(fn func() error) (time.Duration, error) {
	start := time.Now()
	err := fn()
	return time.Since(start), err
}

func readPlain(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.ReuseRecord = true
	for {
		if _, err := r.Read(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// sqlite imports the file into an equally indexed table, with the index made
// after and with it live. Zero times mean that sqlite3 is not there.
func (b *bench) sqlite(ctx context.Context, file string) (after, live ran, err error) {
	if _, err := exec.LookPath("sqlite3"); err != nil {
		fmt.Println("  sqlite3 is not installed: its ratios are skipped")
		return after, live, nil
	}
	const table = "create table posts(content text, platforms text, scheduled_time text, media_url text);\n"
	const index = "create index due on posts(platforms, scheduled_time);\n"
	load := fmt.Sprintf(".mode csv\n.import --skip 1 %s posts\n", file)
	const pragma = "pragma journal_mode=wal; pragma synchronous=full;\n"
	for _, s := range []struct {
		script string
		into   *ran
	}{{pragma + table + load + index, &after}, {pragma + table + index + load, &live}} {
		db := filepath.Join(b.dir, "yard.db")
		cmd := exec.CommandContext(ctx, "sqlite3", db)
		cmd.Stdin = strings.NewReader(s.script)
		cmd.Stderr = os.Stderr
		*s.into, err = run(cmd)
		for _, end := range []string{"", "-wal", "-shm"} {
			os.Remove(db + end)
		}
		if err != nil {
			return after, live, fmt.Errorf("sqlite3: %w", err)
		}
	}
	return after, live, nil
}

// room lays out a room for an account without limits. Posts go to sink, or to
// the outbox when there is none.
func (b *bench) room(dir, sink string, shift time.Duration) error {
	for _, sub := range []string{"inbox", "data", "archive", "reports", "held", "rejected", "outbox", "media"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return err
		}
	}
	var c bytes.Buffer
	fmt.Fprintf(&c, "timezone: UTC\ndispatch: {workers: 64}\naccounts:\n  bench:\n    plan: unlimited\n")
	if sink != "" {
		fmt.Fprintf(&c, "    stagger: off\n")
	} else {
		fmt.Fprintf(&c, "    stagger: {gap: 1m, per_minute: 1000, max_shift: %s}\n", shift)
	}
	fmt.Fprintf(&c, "    connections:\n")
	ids := planned
	if sink != "" {
		ids = sending
	}
	for _, id := range ids {
		if sink != "" {
			fmt.Fprintf(&c, "      - {id: %s, url: %q, secret: whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0, allow_private: true, idempotent: true}\n", id, sink)
		} else {
			fmt.Fprintf(&c, "      - {id: %s, driver: sandbox}\n", id)
		}
	}
	return os.WriteFile(filepath.Join(dir, "postroom.yaml"), c.Bytes(), 0o600)
}

// A ran is what a process took. On a machine that others use too, its processor
// time is steadier than its time.
type ran struct {
	wall, processor time.Duration
	peak            float64 // MiB
}

// run runs a command to its end.
func run(cmd *exec.Cmd) (ran, error) {
	wall, err := timed(cmd.Run)
	r := ran{wall: wall}
	if p := cmd.ProcessState; p != nil {
		r.processor, r.peak = p.UserTime()+p.SystemTime(), peakMiB(p)
	}
	return r, err
}

// postroom runs a command on the room. Exit code 3 is a success with some rows
// held.
func (b *bench) postroom(ctx context.Context, room string, args ...string) (ran, error) {
	cmd := exec.CommandContext(ctx, b.binary, append([]string{"--room", room}, args...)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	r, err := run(cmd)
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() == 3 {
		err = nil
	}
	if err != nil {
		return r, fmt.Errorf("postroom %s: %w\n%s", strings.Join(args, " "), err, out.String())
	}
	return r, nil
}
