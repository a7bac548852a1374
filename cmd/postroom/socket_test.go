package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// startSocket serves commands in a room until the test ends, and returns the
// path of the socket. stop ends it earlier and returns what it ended with.
func startSocket(t *testing.T, room string, run runCommandLine) (path string, stop func() error) {
	t.Helper()
	path = socketPath(room)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- serveSocket(ctx, path, run) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	for {
		conn, _, err := dialSocket(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		if conn != nil {
			conn.Close()
			return path, stop
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("not served: %v", err)
		default:
			runtime.Gosched()
		}
	}
}

func TestSocketRunsACommandAndStreamsWhatItPrints(t *testing.T) {
	t.Parallel()
	asked := make(chan socketRequest, 1)
	path, _ := startSocket(t, t.TempDir(), func(_ context.Context, req socketRequest, stdout, stderr io.Writer) int {
		asked <- req
		fmt.Fprint(stdout, "out 1\n")
		fmt.Fprint(stderr, "err 1\n")
		fmt.Fprint(stdout, "out 2\n")
		return exitPartly
	})
	want := socketRequest{Args: []string{"import", "a b.csv", "--json", ""}, Dir: "/some/where", TTY: true}
	var stdout, stderr bytes.Buffer
	code, served, err := callSocket(t.Context(), path, want, &stdout, &stderr)
	if err != nil || !served || code != exitPartly {
		t.Fatalf("got %d, %v, %v", code, served, err)
	}
	if got := <-asked; !reflect.DeepEqual(got, want) {
		t.Errorf("asked for %+v, want %+v", got, want)
	}
	if stdout.String() != "out 1\nout 2\n" || stderr.String() != "err 1\n" {
		t.Errorf("printed %q and %q", &stdout, &stderr)
	}
}

func TestSocketCarriesLargeOutputWhole(t *testing.T) {
	t.Parallel()
	const lines = 400_000
	path, _ := startSocket(t, t.TempDir(), func(_ context.Context, _ socketRequest, stdout, stderr io.Writer) int {
		var both sync.WaitGroup
		for _, w := range []io.Writer{stdout, stderr} {
			both.Go(func() {
				var b bytes.Buffer
				for i := range lines {
					fmt.Fprintf(&b, "line %d\n", i)
				}
				// More than a frame at once, and many writes.
				if _, err := w.Write(b.Next(b.Len() / 2)); err != nil {
					t.Error(err)
				}
				if _, err := io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{&b}, make([]byte, 1000)); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
		return 0
	})
	var want strings.Builder
	for i := range lines {
		fmt.Fprintf(&want, "line %d\n", i)
	}
	var stdout, stderr bytes.Buffer
	if code, served, err := callSocket(t.Context(), path, socketRequest{}, &stdout, &stderr); code != 0 || !served || err != nil {
		t.Fatalf("got %d, %v, %v", code, served, err)
	}
	if stdout.String() != want.String() || stderr.String() != want.String() {
		t.Errorf("got %d and %d bytes, want %d of each", stdout.Len(), stderr.Len(), want.Len())
	}
}

func TestNobodyServes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if code, served, err := callSocket(t.Context(), socketPath(dir), socketRequest{}, io.Discard, io.Discard); code != 0 || served || err != nil {
		t.Errorf("no room: got %d, %v, %v", code, served, err)
	}
	path, stop := startSocket(t, dir, func(context.Context, socketRequest, io.Writer, io.Writer) int { return 0 })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	for _, left := range []string{path, portPath(path)} {
		if _, err := os.Lstat(left); err == nil {
			t.Errorf("%s is left behind", left)
		}
	}
	if _, served, err := callSocket(t.Context(), path, socketRequest{}, io.Discard, io.Discard); served || err != nil {
		t.Errorf("after the end: got %v, %v", served, err)
	}
}

// A Ctrl-C at the client ends the command's context; its last words still come.
func TestInterruptStopsTheCommand(t *testing.T) {
	t.Parallel()
	path, _ := startSocket(t, t.TempDir(), func(ctx context.Context, _ socketRequest, stdout, _ io.Writer) int {
		fmt.Fprintln(stdout, "begun")
		<-ctx.Done()
		fmt.Fprintln(stdout, "stopped")
		return exitInterrupted
	})
	ctx, interrupt := context.WithCancel(t.Context())
	var out bytes.Buffer
	code, served, err := callSocket(ctx, path, socketRequest{}, writerFunc(func(p []byte) (int, error) {
		interrupt()
		return out.Write(p)
	}), io.Discard)
	if code != exitInterrupted || !served || err != nil || out.String() != "begun\nstopped\n" {
		t.Errorf("got %d, %v, %v, %q", code, served, err, &out)
	}
}

// A client that dies says nothing any more: its command must not go on for
// nobody, and the next client is served.
func TestCommandEndsWhenItsClientIsGone(t *testing.T) {
	t.Parallel()
	ended := make(chan error, 1)
	path, _ := startSocket(t, t.TempDir(), func(ctx context.Context, _ socketRequest, stdout, _ io.Writer) int {
		fmt.Fprintln(stdout, "begun")
		<-ctx.Done()
		ended <- ctx.Err()
		return 1
	})
	conn, token, err := dialSocket(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if err := writeFrameJSON(conn, frameRequest, tokenRequest{Token: token}); err != nil {
		t.Fatal(err)
	}
	if kind, _, err := readFrame(conn); kind != frameStdout || err != nil {
		t.Fatalf("got %c, %v", kind, err)
	}
	conn.Close()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// What cannot be printed any more, as after `| head`, ends the command too.
func TestCommandEndsWhenItsOutputHasNowhereToGo(t *testing.T) {
	t.Parallel()
	closed := errors.New("closed")
	ended := make(chan struct{})
	path, _ := startSocket(t, t.TempDir(), func(ctx context.Context, _ socketRequest, stdout, _ io.Writer) int {
		defer close(ended)
		for {
			if _, err := stdout.Write([]byte("more\n")); err != nil {
				return 1
			}
		}
	})
	_, served, err := callSocket(t.Context(), path, socketRequest{}, writerFunc(func([]byte) (int, error) { return 0, closed }), io.Discard)
	if !served || !errors.Is(err, closed) {
		t.Errorf("got %v, %v", served, err)
	}
	<-ended
}

// A client that is there and does not read, as under Ctrl-S, may keep a command
// waiting for a while, and not for ever: others wait for what it holds.
func TestCommandEndsWhenItsClientIsStuck(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, daemon := net.Pipe()
		defer client.Close()
		start := time.Now()
		var wrote error
		var serving sync.WaitGroup
		serving.Go(func() {
			serveClient(t.Context(), daemon, "", func(ctx context.Context, _ socketRequest, stdout, _ io.Writer) int {
				_, wrote = stdout.Write([]byte("hello"))
				<-ctx.Done()
				return 0
			})
		})
		if err := greeted(client); err != nil {
			t.Fatal(err)
		}
		if err := writeFrameJSON(client, frameRequest, tokenRequest{}); err != nil {
			t.Fatal(err)
		}
		serving.Wait()
		if took := time.Since(start); wrote == nil || took != stuckWait+stopWait {
			t.Errorf("ended after %v with %v", took, wrote)
		}
	})
}

func TestACallerThatSaysNothingIsLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, daemon := net.Pipe()
		defer client.Close()
		start := time.Now()
		var serving sync.WaitGroup
		serving.Go(func() {
			serveClient(t.Context(), daemon, "", func(context.Context, socketRequest, io.Writer, io.Writer) int {
				t.Error("nothing was asked for")
				return 0
			})
		})
		if err := greeted(client); err != nil {
			t.Fatal(err)
		}
		serving.Wait()
		if took := time.Since(start); took != greetingWait {
			t.Errorf("waited %v", took)
		}
	})
}

// When the daemon stops it stops what it runs for others, and waits for it.
func TestStopEndsCommandsAndWaitsForThem(t *testing.T) {
	t.Parallel()
	begun, done := make(chan struct{}), false
	path, stop := startSocket(t, t.TempDir(), func(ctx context.Context, _ socketRequest, stdout, _ io.Writer) int {
		close(begun)
		<-ctx.Done()
		fmt.Fprintln(stdout, "stopped")
		done = true
		return exitInterrupted
	})
	var out bytes.Buffer
	var calls sync.WaitGroup
	calls.Go(func() {
		code, served, err := callSocket(t.Context(), path, socketRequest{}, &out, io.Discard)
		if code != exitInterrupted || !served || err != nil {
			t.Errorf("got %d, %v, %v", code, served, err)
		}
	})
	<-begun
	if err := stop(); err != nil {
		t.Error(err)
	}
	if !done {
		t.Error("it did not wait")
	}
	calls.Wait()
	if out.String() != "stopped\n" {
		t.Errorf("printed %q", &out)
	}
}

func TestADeadDaemonsSocketIsReplaced(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := socketPath(dir)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Skip(err)
	}
	ln.(*net.UnixListener).SetUnlinkOnClose(false)
	ln.Close()
	if _, served, err := callSocket(t.Context(), path, socketRequest{}, io.Discard, io.Discard); served || err != nil {
		t.Errorf("nobody answers: got %v, %v", served, err)
	}
	startSocket(t, dir, func(context.Context, socketRequest, io.Writer, io.Writer) int { return 7 })
	if code, served, err := callSocket(t.Context(), path, socketRequest{}, io.Discard, io.Discard); code != 7 || !served || err != nil {
		t.Errorf("got %d, %v, %v", code, served, err)
	}
}

func TestALiveDaemonsSocketIsNotReplaced(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, _ := startSocket(t, dir, func(context.Context, socketRequest, io.Writer, io.Writer) int { return 7 })
	if err := serveSocket(t.Context(), path, nil); err == nil || !strings.Contains(err.Error(), "another postroom answers") {
		t.Errorf("got %v", err)
	}
	if code, served, err := callSocket(t.Context(), path, socketRequest{}, io.Discard, io.Discard); code != 7 || !served || err != nil {
		t.Errorf("the first one: got %d, %v, %v", code, served, err)
	}
}

func TestWhatIsNoSocketIsNotReplaced(t *testing.T) {
	t.Parallel()
	path := socketPath(t.TempDir())
	writeText(t, path, "mine")
	if err := serveSocket(t.Context(), path, nil); err == nil || !strings.Contains(err.Error(), "in the way") {
		t.Errorf("got %v", err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "mine" {
		t.Errorf("got %q, %v", text, err)
	}
}

func TestP8OnlyTheOwnerReachesTheSocket(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("no file modes here")
	}
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "data"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "data"), 0o777); err != nil {
		t.Fatal(err)
	}
	path, _ := startSocket(t, dir, func(context.Context, socketRequest, io.Writer, io.Writer) int { return 0 })
	for name, want := range map[string]os.FileMode{filepath.Dir(path): 0o700, path: 0o600} {
		info, err := os.Stat(name)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: mode %v, %v, want %v", name, info.Mode(), err, want)
		}
	}
}

// The address of a Unix socket holds about a hundred bytes, the path of a room
// any number.
func TestSocketOfARoomWithALongPath(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), strings.Repeat("long-", 30), strings.Repeat("path-", 30))
	path, stop := startSocket(t, dir, func(context.Context, socketRequest, io.Writer, io.Writer) int { return 7 })
	if len(path) <= maxSocketPath {
		t.Fatalf("%d bytes is not long", len(path))
	}
	if code, served, err := callSocket(t.Context(), path, socketRequest{}, io.Discard, io.Discard); code != 7 || !served || err != nil {
		t.Errorf("got %d, %v, %v", code, served, err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// serveLoopback serves on a port of this machine, as where there is no socket.
func serveLoopback(t *testing.T, path string, run runCommandLine) *commandListener {
	t.Helper()
	ln, err := listenLoopback(portPath(path))
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			serveClient(t.Context(), conn, ln.token, run)
			conn.Close()
		}
	})
	t.Cleanup(func() {
		ln.Close()
		serving.Wait()
	})
	return ln
}

func TestLoopbackServesWhoeverReadsThePortFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "postroom.sock")
	ln := serveLoopback(t, path, func(_ context.Context, req socketRequest, stdout, _ io.Writer) int {
		fmt.Fprint(stdout, req.Dir)
		return 7
	})
	if info, err := os.Stat(portPath(path)); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("port file: %v, %v", info, err)
	}
	var out bytes.Buffer
	code, served, err := callSocket(t.Context(), path, socketRequest{Dir: "here"}, &out, io.Discard)
	if code != 7 || !served || err != nil || out.String() != "here" {
		t.Errorf("got %d, %v, %v, %q", code, served, err, &out)
	}
	ln.Close()
	if _, err := os.Stat(portPath(path)); err == nil {
		t.Error("the port file is left behind")
	}
}

func TestP8LoopbackRefusesAWrongToken(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "postroom.sock")
	ln := serveLoopback(t, path, func(context.Context, socketRequest, io.Writer, io.Writer) int {
		t.Error("a stranger's command was run")
		return 0
	})
	for _, token := range []string{"", "wrong", ln.token + "x"} {
		text, err := json.Marshal(portFile{ln.Addr().String(), token})
		if err != nil {
			t.Fatal(err)
		}
		writeText(t, portPath(path), string(text))
		_, served, err := callSocket(t.Context(), path, socketRequest{}, io.Discard, io.Discard)
		if !served || err == nil || !strings.Contains(err.Error(), "token") {
			t.Errorf("token %q: got %v, %v", token, served, err)
		}
	}
}

// After a crash the port may belong to another program, which must learn nothing.
func TestP8AStaleTokenIsNotToldToAStranger(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "postroom.sock")
	text, err := json.Marshal(portFile{ln.Addr().String(), configCanary})
	if err != nil {
		t.Fatal(err)
	}
	writeText(t, portPath(path), string(text))
	heard := make(chan []byte, 1)
	go func() {
		conn, err := ln.Accept()
		if err != nil {
			heard <- []byte(err.Error())
			return
		}
		defer conn.Close()
		fmt.Fprint(conn, "220 mail.example.org ESMTP ready\r\n")
		said, _ := io.ReadAll(conn)
		heard <- said
	}()
	if _, served, err := callSocket(t.Context(), path, socketRequest{}, io.Discard, io.Discard); served || err != nil {
		t.Errorf("got %v, %v", served, err)
	}
	ln.Close()
	if said := <-heard; len(said) > 0 {
		t.Errorf("told %q", said)
	}
}

func TestAnotherProtocolIsAnError(t *testing.T) {
	t.Parallel()
	path := socketPath(t.TempDir())
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Skip(err)
	}
	defer ln.Close()
	go func() {
		if conn, err := ln.Accept(); err == nil {
			defer conn.Close()
			if err := writeFrameJSON(conn, frameGreeting, greeting{socketProtocol + 1}); err != nil {
				t.Error(err)
			}
		}
	}()
	_, served, err := callSocket(t.Context(), path, socketRequest{}, io.Discard, io.Discard)
	if !served || err == nil || !strings.Contains(err.Error(), "restart it") {
		t.Errorf("got %v, %v", served, err)
	}
}

// A frame that is cut or too long is an error, never a wait or a panic, and what
// is written is read back.
func FuzzFrame(f *testing.F) {
	f.Add(byte(frameStdout), []byte("hello"), []byte{frameExit, 0, 0, 0, 4, 0, 0, 0, 7})
	f.Add(byte(frameExit), []byte{}, []byte{frameStdout, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, kind byte, payload, raw []byte) {
		var b bytes.Buffer
		if err := writeFrame(&b, kind, payload); err != nil {
			if len(payload) <= maxFrame {
				t.Fatal(err)
			}
			return
		}
		if k, p, err := readFrame(&b); k != kind || !bytes.Equal(p, payload) || err != nil || b.Len() > 0 {
			t.Fatalf("got %c %q %v, %d bytes left", k, p, err, b.Len())
		}
		for r := bytes.NewReader(raw); ; {
			if _, p, err := readFrame(r); err != nil {
				return
			} else if len(p) > maxFrame {
				t.Fatalf("a payload of %d bytes", len(p))
			}
		}
	})
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
