package api

import (
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// Who comes with wrong keys again and again is told to wait: one address may be
// wrong wrongAtOnce times, and then once each wrongEvery (RELIABILITY §3.1). It
// is the only 429 there is, and none for a right key: behind a reverse proxy all
// callers come from one address, and the contract knows no 429 on normal paths
// (CONTRACT §0).
const (
	wrongAtOnce = 20
	wrongEvery  = 3 * time.Second
)

// mostStrangers is how many addresses a doorman remembers. An attacker with more
// makes it forget, and no worse.
const mostStrangers = 4096

// A doorman remembers who came with wrong keys.
type doorman struct {
	mu   sync.Mutex
	free map[netip.Prefix]time.Time // when nothing is held against an address any more
}

// wrong notes a wrong key that came from an address at now, and returns how long
// it is to wait, 0 when it was not wrong too often.
func (d *doorman) wrong(from netip.Prefix, now time.Time) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.free) >= mostStrangers {
		for p, t := range d.free {
			if !t.After(now) {
				delete(d.free, p)
			}
		}
		if len(d.free) >= mostStrangers {
			clear(d.free)
		}
	}
	if d.free == nil {
		d.free = map[netip.Prefix]time.Time{}
	}
	free := d.free[from]
	if free.Before(now) {
		free = now
	}
	free = free.Add(wrongEvery)
	if over := free.Sub(now) - wrongAtOnce*wrongEvery; over > 0 {
		return over // and coming too early does not make it longer
	}
	d.free[from] = free
	return 0
}

// addressOf is where a request came from. All of an IPv6 network's addresses are
// one household's.
func addressOf(r *http.Request) netip.Prefix {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Prefix{}
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Prefix{}
	}
	a = a.Unmap()
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, _ := a.WithZone("").Prefix(bits) // both are in range
	return p
}

// wrongKey is the answer to a key that opens nothing.
func (a *API) wrongKey(r *http.Request) error {
	refused := &Error{Status: http.StatusUnauthorized, Text: "Invalid API key", Code: "INVALID_API_KEY"}
	if a.Settings().StrictCompat {
		return refused
	}
	wait := a.doorman.wrong(addressOf(r), a.Now())
	if wait == 0 {
		return refused
	}
	return &Error{
		Status: http.StatusTooManyRequests, Text: refused.Text, Code: "TOO_MANY_INVALID_KEYS", RetryAfter: wait,
		Message: "Invalid API key: there were too many from this address",
	}
}
