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

// rounds is how often an import and its yardsticks are run, in turns. Of each the
// fastest counts: on a machine that others use too, the rest says more of them.
const rounds = 3

// An importRun is one round.
type importRun struct {
	plain       ran   // encoding/csv
	after, live yards // sqlite3, with indexes made after and live; zero where it cannot be run
	ours, again ran
	store       int64 // bytes
}

// yards are the runs of a yardstick with as many indexes as postroom has, and with one
// for what is due alone.
type yards struct{ equal, due ran }

// best keeps the fastest of each.
func (r *importRun) best(n importRun) {
	for _, of := range []struct{ have, next *ran }{
		{&r.plain, &n.plain}, {&r.ours, &n.ours}, {&r.again, &n.again},
		{&r.after.equal, &n.after.equal}, {&r.after.due, &n.after.due}, {&r.live.equal, &n.live.equal}, {&r.live.due, &n.live.due},
	} {
		peak := max(of.have.peak, of.next.peak)
		if of.have.wall == 0 || of.next.wall < of.have.wall {
			*of.have = *of.next
		}
		of.have.peak = peak
	}
	r.store = n.store
}

// imports times a whole import from the inbox against sqlite3 and encoding/csv on the
// same file.
func (b *bench) imports(ctx context.Context, rows int) error {
	fmt.Printf("\n== import of %d rows from the inbox, whole process: read, check, stagger, store, report, archive; best of %d rounds\n", rows, rounds)
	file := filepath.Join(b.dir, fmt.Sprintf("calendar-%d.csv", rows))
	if err := writeCalendar(file, rows, time.Now().Add(time.Hour), 90*24*time.Hour, planned, 3); err != nil {
		return err
	}
	defer os.Remove(file)
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	if _, err := exec.LookPath("sqlite3"); err != nil {
		fmt.Println("  sqlite3 is not installed: its ratios are skipped")
	}
	var r importRun
	for range rounds {
		next, err := b.importRound(ctx, file)
		if err != nil {
			return err
		}
		r.best(next)
	}
	fmt.Printf("  file                                  %8.1f MiB\n", mib(info.Size()))
	fmt.Printf("  postroom import                       %8.2f s, processor %.2f s, peak %.0f MiB\n", r.ours.wall.Seconds(), r.ours.processor.Seconds(), r.ours.peak)
	ratio := func(what string, yard ran, goals string) {
		if yard.wall > 0 {
			fmt.Printf("  of %-42s %6.2f x (%.2f s)   goals %s", what, r.ours.wall.Seconds()/yard.wall.Seconds(), yard.wall.Seconds(), goals)
			if yard.processor > 0 {
				fmt.Printf("   of its processor time %.2f x", r.ours.processor.Seconds()/yard.processor.Seconds())
			}
			fmt.Println()
		}
	}
	goals := "1.0 / 0.55 / 0.3"
	if rows <= 500_000 {
		goals = "1.5 / 0.9 / 0.5"
	}
	ratio("sqlite3 .import, equally indexed after", r.after.equal, goals)
	ratio("the same, indexed by what is due alone", r.after.due, goals)
	ratio("sqlite3 .import, equally indexed live", r.live.equal, "0.5 / 0.25 / 0.12")
	ratio("the same, indexed by what is due alone", r.live.due, "0.5 / 0.25 / 0.12")
	ratio("encoding/csv reading alone", r.plain, "15 / 8 / 4")
	fmt.Printf("  store on disk, of the CSV             %8.2f x   goals 3 / 2 / 1.3\n", float64(r.store)/float64(info.Size()))
	fmt.Printf("  the same file again, of the first     %8.2f x   goals 0.2 / 0.05 / 0.02\n", r.again.wall.Seconds()/r.ours.wall.Seconds())
	return nil
}

// importRound runs each once.
func (b *bench) importRound(ctx context.Context, file string) (r importRun, err error) {
	if r.plain.wall, err = timed(func() error { return readPlain(file) }); err != nil {
		return r, err
	}
	if err := b.sqlite(ctx, file, &r); err != nil {
		return r, err
	}
	room := filepath.Join(b.dir, "room")
	if err := b.room(room, "", 30*24*time.Hour); err != nil {
		return r, err
	}
	defer os.RemoveAll(room)
	for _, into := range []*ran{&r.ours, &r.again} {
		dropped := filepath.Join(room, "inbox", filepath.Base(file))
		if err := os.Link(file, dropped); err != nil {
			return r, err
		}
		if *into, err = b.postroom(ctx, room, "import", dropped); err != nil {
			return r, err
		}
	}
	db, err := os.Stat(filepath.Join(room, "data", "postroom.db"))
	if err != nil {
		return r, err
	}
	r.store = db.Size()
	return r, nil
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

// sqlite imports the file into a table with an index for what is due, and with that and
// two more, by which postroom knows rows that come again: of the words for a place, and
// of the words for a place and time. Where there is no sqlite3 it does nothing.
func (b *bench) sqlite(ctx context.Context, file string, r *importRun) error {
	if _, err := exec.LookPath("sqlite3"); err != nil {
		return nil
	}
	const table = "create table posts(content text, platforms text, scheduled_time text, media_url text);\n"
	const index = "create index due on posts(platforms, scheduled_time);\n"
	load := fmt.Sprintf(".mode csv\n.import --skip 1 %s posts\n", file)
	const others = "create index said on posts(content, platforms);\ncreate index twin on posts(content, platforms, scheduled_time);\n"
	const pragma = "pragma journal_mode=wal; pragma synchronous=full;\n"
	for _, s := range []struct {
		script string
		into   *ran
	}{
		{pragma + table + load + index + others, &r.after.equal},
		{pragma + table + load + index, &r.after.due},
		{pragma + table + index + others + load, &r.live.equal},
		{pragma + table + index + load, &r.live.due},
	} {
		db := filepath.Join(b.dir, "yard.db")
		cmd := exec.CommandContext(ctx, "sqlite3", db)
		cmd.Stdin = strings.NewReader(s.script)
		cmd.Stderr = os.Stderr
		var err error
		*s.into, err = run(cmd)
		for _, end := range []string{"", "-wal", "-shm"} {
			os.Remove(db + end)
		}
		if err != nil {
			return fmt.Errorf("sqlite3: %w", err)
		}
	}
	return nil
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
