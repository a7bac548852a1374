package integration

import (
	"bytes"
	"net"
	"net/url"
	"sync"
	"testing"
)

// A proxy stands between postroom and a server, and can lose an answer: what the
// server says next after a request, or in an answer, that holds the mark never
// arrives, and the connection ends.
type proxy struct {
	url    string        // of the server through the proxy
	struck chan struct{} // closed when an answer was lost

	mu       sync.Mutex
	request  []byte // nil for none
	answer   []byte
	once     sync.Once
	spent    bool
	together func() // nil, or called while the answer is held back
}

// through returns a proxy to the server at a URL of http or ws on this machine.
func through(t *testing.T, server string) *proxy {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{struck: make(chan struct{})}
	target := u.Host
	u.Host = l.Addr().String()
	p.url = u.String()
	var open sync.WaitGroup
	t.Cleanup(func() { l.Close(); open.Wait() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			open.Go(func() { p.serve(client, target) })
		}
	}()
	return p
}

// lose arms the proxy, for one answer. An empty mark of the request means any,
// and so does one of the answer. together runs before the answer is lost.
func (p *proxy) lose(request, answer string, together func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.request, p.answer, p.together = []byte(request), []byte(answer), together
}

func (p *proxy) serve(client net.Conn, target string) {
	defer client.Close()
	upstream, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer upstream.Close()

	var asked struct {
		sync.Mutex
		bytes.Buffer // since the last answer
	}
	go func() {
		defer upstream.Close()
		buf := make([]byte, 64<<10)
		for {
			n, err := client.Read(buf)
			asked.Lock()
			asked.Write(buf[:n])
			asked.Unlock()
			if _, werr := upstream.Write(buf[:n]); err != nil || werr != nil {
				return
			}
		}
	}()
	buf := make([]byte, 64<<10)
	for {
		n, err := upstream.Read(buf)
		asked.Lock()
		hit := p.strikes(asked.Bytes(), buf[:n])
		asked.Reset()
		asked.Unlock()
		if hit {
			return
		}
		if _, werr := client.Write(buf[:n]); err != nil || werr != nil {
			return
		}
	}
}

// strikes reports whether this is the answer to lose.
func (p *proxy) strikes(request, answer []byte) bool {
	p.mu.Lock()
	hit := p.request != nil && !p.spent && len(answer) > 0 && bytes.Contains(request, p.request) && bytes.Contains(answer, p.answer)
	p.spent = p.spent || hit
	together := p.together
	p.mu.Unlock()
	if !hit {
		return false
	}
	if together != nil {
		together()
	}
	p.once.Do(func() { close(p.struck) })
	return true
}
