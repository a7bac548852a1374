package inbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// progress is what came of considering a file.
type progress uint8

const (
	waits progress = iota // nothing was handed over
	took                  // handed over, and filed or given back
	stuck                 // the handler or the filing failed
)

// consider takes one file as far as it can go now. Each step that cannot be
// passed notes why and ends it:
//
//  1. it is a file that may be taken;
//  2. it has been still for [Config.Settle], or has an end mark;
//  3. what is opened is what was seen;
//  4. nobody writes to it; where nobody can say, it has been still for longer;
//  5. the handler calls it whole, or it has an end mark; held if never;
//  6. the handler takes it;
//  7. it is what it was before it was read;
//  8. it is moved away.
func (i *Inbox) consider(ctx context.Context, root *os.Root, s *sighting) progress {
	now := time.Now()
	if s.refused != "" {
		i.trouble(ctx, s, s.refused)
		return waits
	}
	if now.Before(s.rest) {
		s.due = s.rest
		return waits
	}
	s.err = nil
	still := now.Sub(s.since)
	if still < i.cfg.Settle && !s.marked() && !s.again {
		i.note(s, fmt.Sprintf("must be still for %s", i.cfg.Settle))
		s.until(s.since.Add(i.cfg.Settle))
		return waits
	}
	f, err := i.open(root, s.rel)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			i.forget(s)
			return waits
		}
		i.trouble(ctx, s, "cannot be opened: "+reasonOf(err))
		return waits
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !stampOf(info).same(s.stamp) {
		i.note(s, "changed just now")
		s.until(now)
		return waits
	}
	if s.again {
		if err := i.tellAgain(ctx, s, f); err != nil {
			return i.failed(ctx, s, err)
		}
		return i.consider(ctx, root, s)
	}
	if !i.atRest(s, f, still) || !i.isWhole(ctx, s, f, still) {
		return waits
	}
	if s.result == nil {
		return i.take(ctx, root, s, f)
	}
	return i.file(ctx, root, s, f)
}

// tellAgain tells the handler that a name which was taken just now is here again.
func (i *Inbox) tellAgain(ctx context.Context, s *sighting, body *os.File) error {
	f := s.file(i.pathOf(s))
	f.Again, f.Body = true, body
	if err := i.handler.Changed(ctx, f); err != nil {
		return fmt.Errorf("hold what came of the file of the same name: %w", err)
	}
	s.again = false
	return nil
}

// atRest reports whether no writer holds a file, as far as can be known.
func (i *Inbox) atRest(s *sighting, f *os.File, still time.Duration) bool {
	switch w := i.writer(f); {
	case w == busy:
		i.note(s, "a program has it open for writing")
		s.since = time.Now() // the file must be still once more after its writer is gone
		return false
	case w == unknown && !s.marked() && still < i.cfg.Unleased:
		i.note(s, fmt.Sprintf("must be still for %s, because nobody can tell here whether it is being written", i.cfg.Unleased))
		s.until(s.since.Add(i.cfg.Unleased))
		return false
	}
	return true
}

// isWhole reports whether a file's content is complete. One that is not and has
// not changed for long is moved to held/.
func (i *Inbox) isWhole(ctx context.Context, s *sighting, f *os.File, still time.Duration) bool {
	if s.marked() {
		return true
	}
	if s.whole == nil {
		file := s.file(i.pathOf(s))
		file.Body = f
		var w wholeness
		w.ok, w.why, w.still = i.handler.Whole(file)
		s.whole = &w
	}
	w := s.whole
	if (w.ok || w.still > 0) && still >= w.still {
		return true
	}
	if w.still > 0 {
		i.note(s, fmt.Sprintf("%s: taken once it has been still for %s", w.why, w.still))
		s.until(s.since.Add(w.still))
		return false
	}
	i.note(s, "not complete: "+w.why)
	if s.due = s.since.Add(i.cfg.HoldAfter); still >= i.cfg.HoldAfter {
		why := fmt.Sprintf("It did not become complete in %s: %s.", i.cfg.HoldAfter, w.why)
		if err := i.hold(ctx, s, why); err != nil {
			i.failed(ctx, s, err)
		}
	}
	return false
}

// take hands a file over.
func (i *Inbox) take(ctx context.Context, root *os.Root, s *sighting, body *os.File) progress {
	i.note(s, "is being taken")
	f := s.file(i.pathOf(s))
	f.Body = body
	f.same = func() bool { return i.stateOf(root, s, body) == asTaken }
	res, err := i.handler.Take(ctx, f)
	if err != nil {
		return i.failed(ctx, s, err)
	}
	switch res.Disposition {
	case Archive, Reject, Hold:
		s.result = &res
		return i.file(ctx, root, s, body)
	case Retry:
		if res.Why == "" {
			res.Why = "changed while it was read"
		}
		i.trouble(ctx, s, res.Why)
		s.leave(time.Now())
		return took
	}
	return i.failed(ctx, s, fmt.Errorf("the handler gave no disposition but %d", res.Disposition))
}

// pathOf returns where a file of the inbox lies.
func (i *Inbox) pathOf(s *sighting) string {
	return filepath.Join(i.cfg.Inbox, filepath.FromSlash(s.rel))
}

// openFile opens a file of the inbox for reading, without following a link out of
// it and without waiting.
func openFile(root *os.Root, rel string) (*os.File, error) {
	return root.OpenFile(filepath.FromSlash(rel), os.O_RDONLY|openFlags, 0)
}

// note keeps why a file is not taken yet.
func (i *Inbox) note(s *sighting, why string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	s.why = why
}

// trouble notes why a file is not taken when somebody should know, and logs it
// unless it was the last thing that was logged about the file.
func (i *Inbox) trouble(ctx context.Context, s *sighting, why string) {
	i.note(s, why)
	if s.said != why {
		s.said = why
		i.log.WarnContext(ctx, "file not taken", "file", s.rel, "why", why)
	}
}

// failed notes an error of the handler or the disk, and lets the file rest.
func (i *Inbox) failed(ctx context.Context, s *sighting, err error) progress {
	if ctx.Err() != nil {
		i.note(s, "was not taken: postroom was stopped")
		return waits
	}
	s.err = fmt.Errorf("take %s: %w", s.rel, err)
	i.note(s, "failed, and is tried again: "+err.Error())
	if s.said != err.Error() {
		s.said = err.Error()
		i.log.ErrorContext(ctx, "file not taken", "file", s.rel, "err", err)
	}
	s.leave(time.Now())
	return stuck
}

// forget drops a file that is not in the inbox any more.
func (i *Inbox) forget(s *sighting) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.files[s.rel] == s {
		delete(i.files, s.rel)
	}
}
