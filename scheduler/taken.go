package scheduler

import (
	"time"

	"github.com/postroom/postroom/post"
)

// Taken holds the times that are planned already: of each connection the minutes
// it posts in, and of the account how many groups start in each minute. It does
// not matter in which order they are added. It takes a bit a minute, not more
// for more posts.
type Taken struct {
	of     map[post.ConnectionID]*occupied
	groups minuteCount

	lastID post.ConnectionID // the connection added last: stores list them one after the other
	last   *occupied
}

// occupied is when one connection posts.
type occupied struct {
	minutes minuteSet
	more    map[int]int // how many further posts a minute of minutes has
}

// NewTaken returns a Taken with nothing in it.
func NewTaken() *Taken { return &Taken{of: map[post.ConnectionID]*occupied{}} }

// Add takes the minute of due on connection c. first says that the post is the
// first of its group: groups are counted by it. The error is always nil; it is
// there so that a store can be given Add to call.
func (t *Taken) Add(c post.ConnectionID, due time.Time, first bool) error {
	if t.last == nil || t.lastID != c {
		o := t.of[c]
		if o == nil {
			o = &occupied{}
			t.of[c] = o
		}
		t.lastID, t.last = c, o
	}
	m, o := minuteOf(due.Unix()), t.last
	if o.minutes.has(m) {
		if o.more == nil {
			o.more = map[int]int{}
		}
		o.more[m]++
	} else {
		o.minutes.add(m, m+1)
	}
	if first {
		t.groups.add(m, 1)
	}
	return nil
}

// Remove gives back what Add took. What was never added is left alone.
func (t *Taken) Remove(c post.ConnectionID, due time.Time, first bool) {
	m, o := minuteOf(due.Unix()), t.of[c]
	if o == nil || !o.minutes.has(m) {
		return
	}
	switch o.more[m] {
	case 0:
		o.minutes.remove(m)
	case 1:
		delete(o.more, m)
	default:
		o.more[m]--
	}
	if first && t.groups.add(m, -1) < 0 {
		t.groups.add(m, 1)
	}
}
