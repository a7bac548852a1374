package main

import (
	"strings"
	"testing"
	"time"
)

func TestProgressIsShownOfLongImportsOnly(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	p := &progress{w: &out, name: "year.csv", now: func() time.Time { return at }, began: at}
	at = at.Add(900 * time.Millisecond)
	p.tell(false, 500, 1000)
	p.end()
	if out.Len() > 0 {
		t.Errorf("after less than a second: %q", out.String())
	}
	at = at.Add(600 * time.Millisecond)
	p.tell(true, 500, 1000)
	p.tell(true, 501, 1000) // at the same moment
	if want := "\ryear.csv [################--------]  68 %  500 of 1000 rows stored, about 1s left\x1b[K"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
	out.Reset()
	p.end()
	if out.String() != "\r\x1b[K" {
		t.Errorf("the end leaves %q", out.String())
	}
}

// Output for programs has no bar, nor has one that goes to a file.
func TestProgressNeedsATerminal(t *testing.T) {
	t.Parallel()
	for _, a := range []app{{}, {tty: true, json: true}, {json: true}} {
		if a.progressOf("a.csv") != nil {
			t.Errorf("tty %v, json %v: a bar", a.tty, a.json)
		}
	}
	if (&app{tty: true}).progressOf("a.csv") == nil {
		t.Error("no bar on a terminal")
	}
}
