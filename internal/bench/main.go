// Command bench measures postroom against yardsticks in the same run and prints
// ratios: absolute times mean little on a shared machine (docs/performance.md).
// It drives the release binary as a person would; what a yardstick needs and the
// machine lacks is skipped with a line that says so.
//
//	go run ./internal/bench            # what `make bench` does
//	go run ./internal/bench -only import -rows 100000
//	go run ./internal/bench -pending 10000000 -only idle
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	do := benchmark
	switch what := os.Getenv(serveEnv); what {
	case "":
	case clientKind:
		do = func(ctx context.Context) error { return sendBare(ctx, os.Stdin) }
	default:
		do = func(context.Context) error { return serveYardstick(what) }
	}
	if err := do(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// A bench is one run: a folder that is removed at the end, and the binary.
type bench struct {
	dir    string
	binary string
}

func benchmark(ctx context.Context) error {
	only := flag.String("only", "", "one of import, dispatch, idle, api, lists; all by default")
	rows := flag.String("rows", "100000,1000000", "sizes of the import, comma separated")
	posts := flag.Int("posts", 20000, "posts of the dispatch")
	listed := flag.Int("listed", 1_000_000, "post groups to list pages of")
	pending := flag.String("pending", "10000,1000000", "pending posts of the idle tick, comma separated")
	flag.Parse()

	dir, err := os.MkdirTemp("", "postroom-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &bench{dir: dir, binary: filepath.Join(dir, "postroom")}
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", b.binary, "./cmd/postroom")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("build: %w", err)
	}
	if *only == "" || *only == "import" {
		for _, n := range numbers(*rows) {
			if err := b.imports(ctx, n); err != nil {
				return fmt.Errorf("import of %d rows: %w", n, err)
			}
		}
	}
	if *only == "" || *only == "idle" {
		if err := b.idle(ctx, *pending); err != nil {
			return fmt.Errorf("idle tick: %w", err)
		}
	}
	if *only == "" || *only == "api" {
		if err := b.api(ctx); err != nil {
			return fmt.Errorf("api: %w", err)
		}
	}
	if *only == "" || *only == "lists" {
		if err := b.lists(ctx, *listed); err != nil {
			return fmt.Errorf("lists: %w", err)
		}
	}
	if *only == "" || *only == "dispatch" {
		if err := b.dispatch(ctx, *posts); err != nil {
			return fmt.Errorf("dispatch: %w", err)
		}
	}
	return nil
}

func numbers(list string) []int {
	var ns []int
	for _, s := range strings.Split(list, ",") {
		if n, err := strconv.Atoi(strings.TrimSpace(s)); err == nil {
			ns = append(ns, n)
		}
	}
	return ns
}

// idle times a tick that finds nothing due, in the store's own benchmark.
func (b *bench) idle(ctx context.Context, pending string) error {
	fmt.Printf("\n== a tick with nothing due, by pending posts (go test -bench IdleTick ./store)\n")
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "IdleTick", "-benchtime", "1s", "./store")
	cmd.Env = append(os.Environ(), "POSTROOM_BENCH_PENDING="+pending)
	out, err := cmd.CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "Benchmark") || err != nil {
			fmt.Print("  ", line)
		}
	}
	return err
}
