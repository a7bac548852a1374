package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// A progress shows on a terminal how far a long import has come. It says nothing
// of what is over within a second.
type progress struct {
	w     io.Writer
	name  string
	now   func() time.Time
	began time.Time
	drawn time.Time // last; zero for never
}

// What is shown, and how often.
const (
	progressAfter = time.Second
	progressEvery = 200 * time.Millisecond
	progressWidth = 24
)

// readingShare is about how much of an import's time its first reading takes.
const readingShare = 0.35

// progressOf returns what shows the progress of a file, or nil where nobody looks.
func (a *app) progressOf(name string) *progress {
	if !a.tty || a.json {
		return nil
	}
	now := time.Now
	return &progress{w: a.stderr, name: name, now: now, began: now()}
}

// tell is how [intake.Request] tells of rows that are done.
func (p *progress) tell(storing bool, done, of int) {
	now := p.now()
	took := now.Sub(p.began)
	if took < progressAfter || now.Sub(p.drawn) < progressEvery || of <= 0 {
		return
	}
	p.drawn = now
	part, what := float64(done)/float64(of), "read"
	whole := part * readingShare
	if storing {
		what, whole = "stored", readingShare+part*(1-readingShare)
	}
	filled := int(whole * progressWidth)
	left := time.Duration(float64(took) * (1 - whole) / max(whole, 0.001)).Round(time.Second)
	fmt.Fprintf(p.w, "\r%s [%s%s] %3.0f %%  %d of %d rows %s, about %s left\x1b[K", oneLine(p.name, 40),
		strings.Repeat("#", filled), strings.Repeat("-", progressWidth-filled), 100*whole, done, of, what, left)
}

// end takes the bar off the screen.
func (p *progress) end() {
	if p != nil && !p.drawn.IsZero() {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
