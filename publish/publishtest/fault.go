package publishtest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"
)

// A Fault is one way in which a platform can treat a call that publishes.
type Fault uint8

const (
	None        Fault = iota // it is published and answered
	Refuse                   // the content is refused
	Auth                     // the credentials are refused
	Throttle                 // 429, wait ThrottleWait
	Broken                   // 500, nothing is published
	BrokenLate               // it is published, and then 500
	Unreachable              // no connection is made
	Unheard                  // the connection breaks before anything is published
	Lost                     // it is published, and the connection breaks before the answer
	Slow                     // it is published, and answered after SlowFor
	Huge                     // it is published, and the answer does not end for megabytes
	Half                     // it is published, and the answer breaks off in the middle
	Junk                     // it is published, and the answer is not what it should be
	Redirect                 // the answer leads to another host
)

var faultNames = [...]string{
	"none", "refuse", "auth", "throttle", "broken", "broken late", "unreachable",
	"unheard", "lost", "slow", "huge", "half", "junk", "redirect",
}

// Faults returns all of them but None.
func Faults() []Fault {
	var all []Fault
	for f := Refuse; f <= Redirect; f++ {
		all = append(all, f)
	}
	return all
}

// String returns the name of f.
func (f Fault) String() string { return faultNames[f] }

// Figures of the faults.
const (
	ThrottleWait = 30 * time.Second
	SlowFor      = 10 * time.Minute
	hugeAnswer   = 8 << 20 // bytes
)

// faultHeader marks the answers of faults for [Spec].
const faultHeader = "Postroom-Fault"

// Elsewhere is the host that Redirect leads to. Nothing may ever call it.
const Elsewhere = "elsewhere.invalid"

// Serve treats the call r as f says. act does what the call asks for and answers
// as a good platform would. Unreachable is a matter of the network, so Serve
// does nothing for it: see [Transport].
func (f Fault) Serve(w http.ResponseWriter, r *http.Request, act http.HandlerFunc) {
	if f == None || f == Unreachable {
		act(w, r)
		return
	}
	w.Header().Set(faultHeader, f.String())
	switch f {
	case Refuse:
		answer(w, http.StatusUnprocessableEntity, `{"error":"Validation failed: the text is not welcome here"}`)
		return
	case Auth:
		answer(w, http.StatusUnauthorized, `{"error":"The access token is invalid: `+r.Header.Get("Authorization")+`"}`)
		return
	case Throttle:
		w.Header().Set("Retry-After", fmt.Sprint(int(ThrottleWait.Seconds())))
		answer(w, http.StatusTooManyRequests, `{"error":"Too many requests"}`)
		return
	case Broken:
		answer(w, http.StatusInternalServerError, "<html>oops</html>")
		return
	case Unheard:
		panic(http.ErrAbortHandler)
	case Redirect:
		w.Header().Set("Location", "https://"+Elsewhere+r.URL.Path)
		w.WriteHeader(http.StatusTemporaryRedirect)
		return
	}
	rec := httptest.NewRecorder()
	act(rec, r)
	f.spoil(w, r, rec)
}

// A Queue holds the faults that the next calls of a fake meet, one each, and none
// after them. The zero value is empty.
type Queue struct {
	mu     sync.Mutex
	faults []Fault
}

// Next makes the next calls meet these faults. Unreachable is not a server's to
// arrange and counts as None.
func (q *Queue) Next(faults ...Fault) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.faults = append(q.faults, faults...)
}

// Serve treats a call as the next fault says.
func (q *Queue) Serve(w http.ResponseWriter, r *http.Request, act http.HandlerFunc) {
	q.mu.Lock()
	f := None
	if len(q.faults) > 0 {
		f, q.faults = q.faults[0], q.faults[1:]
	}
	q.mu.Unlock()
	f.Serve(w, r, act)
}

// spoil answers a call that was acted on, with what the platform would have said
// in rec.
func (f Fault) spoil(w http.ResponseWriter, r *http.Request, rec *httptest.ResponseRecorder) {
	body := rec.Body.Bytes()
	switch f {
	case BrokenLate:
		answer(w, http.StatusInternalServerError, `{"error":"saved, but not told"}`)
	case Lost:
		panic(http.ErrAbortHandler)
	case Slow:
		timer := time.NewTimer(SlowFor)
		defer timer.Stop()
		select {
		case <-timer.C:
			answer(w, rec.Code, string(body))
		case <-r.Context().Done():
		}
	case Huge:
		answer(w, rec.Code, `{"id":"1","pad":"`+strings.Repeat("x", hugeAnswer)+`"}`)
	case Half:
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", fmt.Sprint(len(body)+100))
		w.WriteHeader(rec.Code)
		if _, err := w.Write(body[:len(body)/2]); err != nil {
			return
		}
		panic(http.ErrAbortHandler)
	case Junk:
		answer(w, rec.Code, `{"id":17,"url":["`)
	}
}

func answer(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	if _, err := w.Write([]byte(body)); err != nil {
		return // the caller has hung up, which is its affair
	}
}
