package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"

	"github.com/postroom/postroom/internal/atomicfile"
)

// The daemon listens on a Unix socket in the room's data folder. Only its owner
// may enter that folder, which is what keeps others out. Where no such socket
// can be had (Windows; a path too long for a socket's address, outside Linux) it
// listens on a loopback port, and a file of mode 600 beside the place of the
// socket names the port and a token, which is what keeps others out.

// socketPath returns the place of the socket in a room.
func socketPath(room string) string { return filepath.Join(room, "data", "postroom.sock") }

// portPath returns the place of the port file for a socket's path.
func portPath(path string) string { return strings.TrimSuffix(path, filepath.Ext(path)) + ".port" }

// maxSocketPath is how long the address of a Unix socket may be on every system
// that has them: macOS takes 104 bytes with the closing zero, Linux 108.
const maxSocketPath = 103

// A commandListener accepts connections of clients. token is "" on a Unix
// socket.
type commandListener struct {
	net.Listener
	token   string
	closing sync.Once
	release func() // once, after the listener is closed: it may close a descriptor
}

// Close stops listening and removes what the clients look for. Only the first
// call does anything.
func (l *commandListener) Close() (err error) {
	l.closing.Do(func() {
		err = l.Listener.Close()
		l.release()
	})
	return err
}

// listenSocket takes the place of the socket, also from a daemon that died and
// left its socket behind.
func listenSocket(ctx context.Context, path string) (*commandListener, error) {
	if err := privateFolder(filepath.Dir(path)); err != nil {
		return nil, err
	}
	conn, _, err := dialSocket(ctx, path)
	if conn != nil {
		conn.Close()
	}
	if conn != nil || err != nil {
		return nil, fmt.Errorf("another postroom answers on %s", path)
	}
	for _, stale := range []string{path, portPath(path)} {
		if err := removeStale(stale); err != nil {
			return nil, err
		}
	}
	if addr, release, ok := unixAddress(path); ok {
		ln, err := net.Listen("unix", addr)
		if err != nil {
			release()
			return nil, fmt.Errorf("listen on %s: %w", path, errors.Unwrap(err))
		}
		l := &commandListener{Listener: ln, release: release}
		if err := os.Chmod(path, 0o600); err != nil {
			return nil, errors.Join(err, l.Close())
		}
		return l, nil
	}
	return listenLoopback(portPath(path))
}

// privateFolder makes a folder that only its owner may enter.
func privateFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" {
		return os.Chmod(dir, 0o700)
	}
	return nil
}

// removeStale removes what a daemon left that nobody answers for. Anything else
// of that name stays, and is an error.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	ours := info.Mode()&fs.ModeSocket != 0
	if filepath.Ext(path) == ".port" {
		ours = info.Mode().IsRegular()
	}
	if !ours {
		return fmt.Errorf("%s is in the way: move it away", path)
	}
	return os.Remove(path)
}

// A portFile says where a daemon listens that has no Unix socket.
type portFile struct {
	Address string `json:"address"`
	Token   string `json:"token"`
}

// listenLoopback listens on a free port of this machine and writes the file that
// lets clients in.
func listenLoopback(path string) (*commandListener, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	token := rand.Text()
	text, err := json.Marshal(portFile{ln.Addr().String(), token})
	if err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	// Whole or absent: a client that looks now must not read half of it.
	if err := atomicfile.WriteFile(path, text, 0o600); err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	return &commandListener{Listener: ln, token: token, release: func() { os.Remove(path) }}, nil
}

// dialSocket calls the daemon. The connection is nil, without an error, when
// none answers.
func dialSocket(ctx context.Context, path string) (net.Conn, string, error) {
	var d net.Dialer
	if addr, release, ok := unixAddress(path); ok {
		defer release()
		conn, err := d.DialContext(ctx, "unix", addr)
		switch {
		case err == nil:
			if err := greeted(conn); err != nil {
				conn.Close()
				return nil, "", err
			}
			return conn, "", nil
		case !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, fs.ErrNotExist):
			return nil, "", fmt.Errorf("%s: %w", path, errors.Unwrap(err))
		}
	}
	text, err := os.ReadFile(portPath(path))
	var at portFile
	if err != nil || json.Unmarshal(text, &at) != nil {
		return nil, "", nil
	}
	conn, err := d.DialContext(ctx, "tcp", at.Address)
	if err != nil {
		return nil, "", nil
	}
	// The port of a daemon that died may be anybody's by now: whoever does not
	// greet is not told the token.
	if err := greeted(conn); err != nil {
		conn.Close()
		return nil, "", nil
	}
	return conn, at.Token, nil
}
