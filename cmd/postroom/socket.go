package main

import (
	"context"
	"crypto/subtle"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// While the daemon runs it holds the store, so a command that needs the store is
// run inside it: the client sends its command line over the socket, the daemon
// runs it and streams back what it prints, and the client ends with its exit
// code. When the client goes away, the command's context ends.
//
// Both sides speak in frames: a byte that says what it is, four bytes of length
// (big endian), and the payload.
//
//	daemon  greeting  {"protocol":1}
//	client  request   {"token":"…","args":[…],"dir":"/…","tty":true,"user":"…"}
//	daemon  stdout and stderr, as they come
//	daemon  exit      the code in four bytes, or
//	daemon  refusal   why the request was not run, for people
//	client  closes its side of the connection to have the command stopped
const (
	frameGreeting = 'g'
	frameRequest  = 'q'
	frameStdout   = 'o'
	frameStderr   = 'e'
	frameExit     = 'x'
	frameRefusal  = 'r'
)

const (
	socketProtocol = 1
	maxFrame       = 1 << 20
	outputFrame    = 64 << 10 // most bytes of output in one frame
	mostCommands   = 32       // that the daemon runs at the same time

	greetingWait = 5 * time.Second // for the other side's first words
	stopWait     = 5 * time.Second // for the last words of a command that was stopped
	stuckWait    = 5 * time.Minute // for a client that does not read: it may be paging
)

// A socketRequest is one command line, as the client was called with it.
type socketRequest struct {
	Args []string `json:"args"`
	Dir  string   `json:"dir"`            // absolute: the client's working directory
	TTY  bool     `json:"tty"`            // the client's stderr is a terminal
	User string   `json:"user,omitempty"` // who calls, for the history of posts
}

// A runCommandLine runs one command line and returns its exit code.
type runCommandLine func(ctx context.Context, req socketRequest, stdout, stderr io.Writer) int

type greeting struct {
	Protocol int `json:"protocol"`
}

type tokenRequest struct {
	Token string `json:"token,omitempty"`
	socketRequest
}

// serveSocket runs commands for clients that call on the socket at path, until
// ctx ends; then it stops the commands, waits for them and removes the socket.
// It refuses to start where another process answers already.
func serveSocket(ctx context.Context, path string, run runCommandLine) error {
	ln, err := listenSocket(ctx, path)
	if err != nil {
		return fmt.Errorf("listen for commands: %w", err)
	}
	defer ln.Close()
	closing := context.AfterFunc(ctx, func() { ln.Close() })
	defer closing()

	ctx, cancel := context.WithCancel(ctx)
	var commands errgroup.Group
	commands.SetLimit(mostCommands)
	defer func() {
		cancel()
		commands.Wait() // each says what went wrong to its client
	}()
	for failures := 0; ; {
		conn, err := ln.Accept()
		switch {
		case err == nil:
			failures = 0
			commands.Go(func() error {
				defer conn.Close()
				serveClient(ctx, conn, ln.token, run)
				return nil
			})
		case ctx.Err() != nil:
			return nil
		default:
			// Out of file descriptors, most likely: others give theirs back.
			if failures++; failures > 50 {
				return fmt.Errorf("accept commands: %w", err)
			}
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
		}
	}
}

// serveClient runs the one command of a connection. What goes wrong here is the
// client's to say: it sees that no exit code came.
func serveClient(ctx context.Context, conn net.Conn, token string, run runCommandLine) {
	ctx, gone := context.WithCancel(ctx)
	defer gone()
	out := &frameWriter{ctx: ctx, gone: gone, conn: conn}
	conn.SetDeadline(time.Now().Add(greetingWait))
	if writeFrameJSON(conn, frameGreeting, greeting{socketProtocol}) != nil {
		return
	}
	var req tokenRequest
	kind, payload, err := readFrame(conn)
	if err != nil || kind != frameRequest || json.Unmarshal(payload, &req) != nil {
		return
	}
	conn.SetDeadline(time.Time{})
	if subtle.ConstantTimeCompare([]byte(req.Token), []byte(token)) != 1 {
		out.frame(frameRefusal, []byte("the token does not fit: is the port file of another room?"))
		return
	}

	var listening sync.WaitGroup
	listening.Go(func() {
		// Nothing more is said: the read ends when the client does.
		_, _ = io.Copy(io.Discard, conn)
		gone()
	})
	hurry := context.AfterFunc(ctx, func() { conn.SetWriteDeadline(time.Now().Add(stopWait)) })
	code := run(ctx, req.socketRequest, output{out, frameStdout}, output{out, frameStderr})
	out.frame(frameExit, binary.BigEndian.AppendUint32(nil, uint32(code)))
	hurry()
	conn.Close()
	listening.Wait()
}

// A frameWriter writes the frames of several streams to one connection.
type frameWriter struct {
	ctx  context.Context // of the command
	gone func()          // ends ctx
	mu   sync.Mutex
	conn net.Conn
}

func (w *frameWriter) frame(kind byte, payload []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conn.SetWriteDeadline(time.Now().Add(stuckWait))
	if w.ctx.Err() != nil { // asked after the deadline is set, so that a stop is never overlooked
		w.conn.SetWriteDeadline(time.Now().Add(stopWait))
	}
	err := writeFrame(w.conn, kind, payload)
	if err != nil {
		w.gone()
	}
	return err
}

// output is one stream of a command.
type output struct {
	to   *frameWriter
	kind byte
}

// Write sends p in frames. It fails when the client is gone.
func (o output) Write(p []byte) (int, error) {
	for n := 0; n < len(p); {
		chunk := p[n:min(len(p), n+outputFrame)]
		if err := o.to.frame(o.kind, chunk); err != nil {
			return n, err
		}
		n += len(chunk)
	}
	return len(p), nil
}

// callSocket has the daemon that listens at path run a command, copies what it
// prints and returns its exit code. served is false when no daemon answers.
// When ctx ends, the command is stopped and the code is that of an interrupt.
func callSocket(ctx context.Context, path string, req socketRequest, stdout, stderr io.Writer) (code int, served bool, err error) {
	conn, token, err := dialSocket(ctx, path)
	if err != nil || conn == nil {
		return 0, err != nil, err
	}
	defer conn.Close()
	interrupt := context.AfterFunc(ctx, func() {
		if half, ok := conn.(interface{ CloseWrite() error }); !ok || half.CloseWrite() != nil {
			conn.Close()
		}
		conn.SetReadDeadline(time.Now().Add(stopWait))
	})
	defer interrupt()
	code, err = converse(conn, tokenRequest{token, req}, stdout, stderr)
	if err != nil && ctx.Err() != nil {
		return exitInterrupted, true, nil
	}
	return code, true, err
}

func converse(conn net.Conn, req tokenRequest, stdout, stderr io.Writer) (int, error) {
	if err := writeFrameJSON(conn, frameRequest, req); err != nil {
		return 0, err
	}
	for {
		kind, payload, err := readFrame(conn)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return 0, errors.New("it went away before the command ended")
		}
		if err != nil {
			return 0, err
		}
		switch kind {
		case frameStdout:
			_, err = stdout.Write(payload)
		case frameStderr:
			_, err = stderr.Write(payload)
		case frameRefusal:
			return 0, errors.New(string(payload))
		case frameExit:
			if len(payload) != 4 {
				return 0, errGarbled
			}
			return int(int32(binary.BigEndian.Uint32(payload))), nil
		default:
			return 0, errGarbled
		}
		if err != nil {
			return 0, err
		}
	}
}

// greeted reads the daemon's first words.
func greeted(conn net.Conn) error {
	conn.SetReadDeadline(time.Now().Add(greetingWait))
	defer conn.SetReadDeadline(time.Time{})
	kind, payload, err := readFrame(conn)
	if err != nil {
		return err
	}
	var g greeting
	if kind != frameGreeting || json.Unmarshal(payload, &g) != nil {
		return errGarbled
	}
	if g.Protocol != socketProtocol {
		return fmt.Errorf("it speaks protocol %d and this program %d: restart it", g.Protocol, socketProtocol)
	}
	return nil
}

var errGarbled = errors.New("its answer makes no sense: restart it")

func writeFrameJSON(w io.Writer, kind byte, v any) error {
	payload, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return writeFrame(w, kind, payload)
}

func writeFrame(w io.Writer, kind byte, payload []byte) error {
	if len(payload) > maxFrame {
		return fmt.Errorf("a message of %d bytes, at most %d", len(payload), maxFrame)
	}
	_, err := w.Write(append(binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(payload))), payload...))
	return err
}

func readFrame(r io.Reader) (kind byte, payload []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[1:])
	if n > maxFrame {
		return 0, nil, errGarbled
	}
	payload = make([]byte, n)
	if _, err = io.ReadFull(r, payload); err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return head[0], payload, err
}
