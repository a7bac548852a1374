package publish

import "sync"

// Owned remembers which of our posts made a remote post, for the newest of them,
// so that of two posts that say the same each finds its own. It forgets at a
// restart: then the later of two equal posts within what a look-up searches may take
// the earlier's remote post for its own, and is not sent twice. The zero value
// is ready, and may be used by many goroutines.
type Owned struct {
	mu    sync.Mutex
	keys  map[string]string // by remote id
	order []string
}

// mostOwned bounds what is remembered.
const mostOwned = 500

// Add notes that the post with this key made the remote post.
func (o *Owned) Add(remoteID, key string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.keys == nil {
		o.keys = map[string]string{}
	}
	if _, ok := o.keys[remoteID]; !ok {
		o.order = append(o.order, remoteID)
	}
	o.keys[remoteID] = key
	if len(o.order) > mostOwned {
		delete(o.keys, o.order[0])
		o.order = o.order[1:]
	}
}

// ByAnother reports whether the remote post is known to be that of a post with
// another key.
func (o *Owned) ByAnother(remoteID, key string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	owner, ok := o.keys[remoteID]
	return ok && owner != key
}
