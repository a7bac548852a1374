package inbox

import (
	"io/fs"
	"os"
	"time"
)

// A stamp tells one state of a file from another without reading it.
type stamp struct {
	info    fs.FileInfo
	changed time.Time // of the inode, else of the content
	sure    bool      // changed cannot have been set by a program
}

func stampOf(info fs.FileInfo) stamp {
	s := stamp{info: info, changed: info.ModTime()}
	if at, ok := changeTime(info); ok {
		s.changed, s.sure = at, true
	}
	return s
}

// same reports whether nothing at all happened to the file between a and b.
func (a stamp) same(b stamp) bool { return a.sameContent(b) && a.changed.Equal(b.changed) }

// sameContent reports whether a and b are one file with one content, as far as
// its size and modification time tell. Its name, mode and owner may differ.
func (a stamp) sameContent(b stamp) bool {
	return os.SameFile(a.info, b.info) && a.info.Size() == b.info.Size() && a.info.ModTime().Equal(b.info.ModTime())
}

// age returns how long the file has been as it is, going by its own times, and 0
// when these cannot be trusted.
func (a stamp) age(now time.Time) time.Duration {
	if !a.sure {
		return 0
	}
	last := a.changed
	if m := a.info.ModTime(); m.After(last) {
		last = m
	}
	return max(0, now.Sub(last))
}
