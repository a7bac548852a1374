package inbox

import (
	"path"
	"time"
)

// A sighting is what is known of a file in one state, from one scan to the next.
// Its fields belong to the scan, and within that to one worker, unless it says
// otherwise.
type sighting struct {
	found
	stamp  stamp
	since  time.Time  // when it was first seen in this state, on the monotonic clock
	again  bool       // its name was taken a short while ago, and the handler was not told
	due    time.Time  // worth another look; zero for the next poll
	settle bool       // nothing but stillness is missing until due
	whole  *wholeness // once asked
	result *Result    // taken, and only the filing is left
	tries  int        // failures
	rest   time.Time  // not before then, after a failure
	err    error      // the last failure
	said   string     // the trouble that was logged last

	first time.Time // when the name was first seen, by the wall clock
	why   string    // guarded by Inbox.mu: why it is not taken yet
}

// wholeness is a handler's answer.
type wholeness struct {
	ok    bool
	why   string
	still time.Duration
}

// marked reports whether an end mark speaks for this state of the file. One that
// is older than the file's last change does not: it was left over, or a tool that
// copies many files at once brought it first.
func (s *sighting) marked() bool {
	return s.mark != nil && !stampOf(s.mark).changed.Before(s.stamp.changed)
}

// file returns what a handler is told, except for the body.
func (s *sighting) file(at string) File {
	folder, name := splitRel(s.rel)
	return File{
		Path: at, Rel: s.rel, Folder: folder, Name: name,
		Size: s.info.Size(), ModTime: s.info.ModTime(), Marked: s.marked(),
	}
}

// splitRel parts a path below the inbox into the folder, without a slash at the
// end, and the name.
func splitRel(rel string) (folder, name string) {
	folder, name = path.Split(rel)
	if folder != "" {
		folder = folder[:len(folder)-1]
	}
	return folder, name
}

// until asks for another look at a time when the file may have been still for
// long enough.
func (s *sighting) until(at time.Time) { s.due, s.settle = at, true }

// leave lets the file rest for a while that grows with each time.
func (s *sighting) leave(now time.Time) {
	const first, most = 5 * time.Second, 5 * time.Minute
	s.rest = now.Add(min(first<<min(s.tries, 10), most))
	s.due = s.rest
	s.tries++
}
