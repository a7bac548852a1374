package inbox

import (
	"path/filepath"
	"strings"
	"time"
)

// A Config says where the folders are and how long to wait. A zero field means
// what [DefaultConfig] has; the four folders must be given.
type Config struct {
	Inbox, Archive, Rejected, Held string

	Settle    time.Duration // a file must be still for so long
	Unleased  time.Duration // the same where nobody can say whether it is being written
	Poll      time.Duration // the longest time between two scans
	HoldAfter time.Duration // a file that is still for so long and not whole is held
	Recheck   time.Duration // a file that was taken is looked at again for so long
	Workers   int           // files handed over at a time

	// Folder says why the folder at path, such as ["acme", "twitter-12"], is not
	// read, or "" when it is. One that is not is shown by [Inbox.Pending] with that
	// reason, and nothing in it is. Nil means to read all folders but those whose
	// name looks like a file's, with an extension. It is asked at every scan.
	Folder func(path []string) (why string)

	// Beside says that a file of that name is no calendar, but lies beside one that
	// needs it, such as a picture: it is left where it is. Nil means none.
	Beside func(name string) bool

	// Now gives the month for archive/ and the present to which [Inbox.Drain]
	// compares the times of files. Waits are measured on the monotonic clock, so
	// that a clock that jumps takes no file early.
	Now func() time.Time

	// Watch returns a new watcher; nil means one of the operating system's.
	Watch func() (Watcher, error)
}

// DefaultConfig returns the settings of DESIGN §4 for the room at dir.
func DefaultConfig(dir string) Config {
	return Config{
		Inbox:     filepath.Join(dir, "inbox"),
		Archive:   filepath.Join(dir, "archive"),
		Rejected:  filepath.Join(dir, "rejected"),
		Held:      filepath.Join(dir, "held"),
		Settle:    5 * time.Second,
		Unleased:  30 * time.Second,
		Poll:      5 * time.Second,
		HoldAfter: 15 * time.Minute,
		Recheck:   15 * time.Minute,
		Workers:   1,
		Folder:    likeFile,
		Beside:    func(string) bool { return false },
		Now:       time.Now,
		Watch:     NewWatcher,
	}
}

// orDefault fills what is zero.
func (c Config) orDefault() Config {
	d := DefaultConfig("")
	for _, f := range []struct{ have, want *time.Duration }{
		{&c.Settle, &d.Settle}, {&c.Unleased, &d.Unleased}, {&c.Poll, &d.Poll},
		{&c.HoldAfter, &d.HoldAfter}, {&c.Recheck, &d.Recheck},
	} {
		if *f.have == 0 {
			*f.have = *f.want
		}
	}
	c.Unleased = max(c.Unleased, c.Settle)
	if c.Workers == 0 {
		c.Workers = d.Workers
	}
	if c.Folder == nil {
		c.Folder = d.Folder
	}
	if c.Beside == nil {
		c.Beside = d.Beside
	}
	if c.Now == nil {
		c.Now = d.Now
	}
	if c.Watch == nil {
		c.Watch = d.Watch
	}
	return c
}

// likeFile refuses folders that are named like files: exports that unpacked
// themselves, mostly, and not accounts.
func likeFile(path []string) string {
	if ext := filepath.Ext(path[len(path)-1]); len(ext) > 1 && !strings.ContainsRune(ext, ' ') {
		return "is a folder named like a file: drop the files themselves"
	}
	return ""
}
