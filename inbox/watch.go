package inbox

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/fsnotify/fsnotify"
)

// A Watcher tells that something happened in folders, not what: it only wakes a
// scan. Events and Errors must not block it; both may drop what nobody reads.
type Watcher interface {
	Add(folder string) error
	Remove(folder string) error
	List() []string // the folders being watched now
	Events() <-chan struct{}
	Errors() <-chan error
	Close() error
}

// NewWatcher returns a watcher that uses the operating system's events.
func NewWatcher() (Watcher, error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	s := &systemWatcher{Watcher: w, events: make(chan struct{}, 1), errors: make(chan error, 1), ended: make(chan struct{})}
	go s.collect()
	return s, nil
}

// A systemWatcher makes one wake-up of any number of events, so that the kernel's
// queue is emptied while a file is being taken.
type systemWatcher struct {
	*fsnotify.Watcher
	events chan struct{}
	errors chan error
	ended  chan struct{}
}

func (s *systemWatcher) collect() {
	defer close(s.ended)
	for {
		select {
		case _, ok := <-s.Watcher.Events:
			if !ok {
				return
			}
			select {
			case s.events <- struct{}{}:
			default:
			}
		case err, ok := <-s.Watcher.Errors:
			if !ok {
				return
			}
			select {
			case s.errors <- err:
			default:
			}
		}
	}
}

func (s *systemWatcher) List() []string          { return s.WatchList() }
func (s *systemWatcher) Events() <-chan struct{} { return s.events }
func (s *systemWatcher) Errors() <-chan error    { return s.errors }

// Close stops the watcher and waits for its goroutine.
func (s *systemWatcher) Close() error {
	err := s.Watcher.Close()
	<-s.ended
	return err
}

// A watch keeps a watcher on the folders of the inbox as they come, go and are
// replaced. It belongs to the scan.
type watch struct {
	open    func() (Watcher, error)
	polling time.Duration
	log     *slog.Logger

	w       Watcher // nil when it could not be opened
	folders map[string]fs.FileInfo
	live    map[string]bool // of this walk: what w watches
	met     map[string]bool // of this walk
	trouble error           // of this walk: why events are missing
	mode    string          // said last
	said    string          // the error that was logged last
}

// begin readies the watch for a walk.
func (w *watch) begin() {
	w.met, w.live, w.trouble = map[string]bool{}, map[string]bool{}, nil
	if w.w == nil {
		w.folders = map[string]fs.FileInfo{}
		if w.w, w.trouble = w.open(); w.trouble != nil {
			w.w = nil
			return
		}
	}
	for _, f := range w.w.List() {
		w.live[f] = true
	}
}

// follow watches the folder at path, which is info. It is called before the folder
// is read, so that nothing falls between the two. A folder that took another's
// place is watched anew.
func (w *watch) follow(path string, info fs.FileInfo) {
	if w.w == nil {
		return
	}
	w.met[path] = true
	if was := w.folders[path]; w.live[path] && was != nil {
		if os.SameFile(was, info) {
			return
		}
		w.drop(path)
	}
	switch err := w.w.Add(path); {
	case err == nil:
		w.folders[path] = info
	case errors.Is(err, fs.ErrNotExist):
	default:
		w.trouble = err
	}
}

func (w *watch) drop(path string) {
	delete(w.folders, path)
	// It may have ended by itself, when the folder went; then there is nothing
	// to remove.
	_ = w.w.Remove(path)
}

// end forgets the folders that the walk did not meet, and returns the mode and
// whether it is news.
func (w *watch) end() (mode string, news bool) {
	for path := range w.folders {
		if !w.met[path] {
			w.drop(path)
		}
	}
	mode = fmt.Sprintf("events, and a scan every %s", w.polling)
	if w.trouble != nil {
		mode = fmt.Sprintf("a scan every %s, because events fail: %v", w.polling, w.trouble)
	}
	news = mode != w.mode
	w.mode = mode
	return mode, news
}

func (w *watch) events() <-chan struct{} {
	if w.w == nil {
		return nil
	}
	return w.w.Events()
}

func (w *watch) errors() <-chan error {
	if w.w == nil {
		return nil
	}
	return w.w.Errors()
}

// failed notes an error of the watcher. All of them may mean that events were
// lost, and the scan that follows finds what they would have told.
func (w *watch) failed(err error) {
	if err == nil || err.Error() == w.said {
		return
	}
	w.said = err.Error()
	w.log.Warn("file system events were lost, the inbox is scanned instead", "err", err)
}

func (w *watch) close() {
	if w.w == nil {
		return
	}
	if err := w.w.Close(); err != nil {
		w.log.Warn("watcher not closed", "err", err)
	}
}
