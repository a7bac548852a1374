//go:build unix

package inbox

import (
	"io/fs"
	"os"
	"syscall"
)

// openFlags keep an open from following a link that took a file's place, and
// from waiting for the other end of a pipe that did.
const openFlags = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// linkOfOther reports whether info is one of several names of a file that belongs
// neither to this user nor to the owner of the inbox. Whoever made the link may
// have had no right to read the file, and must not be served by ours.
func linkOfOther(info, inbox fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || st.Nlink < 2 || int(st.Uid) == os.Geteuid() {
		return false
	}
	in, ok := inbox.Sys().(*syscall.Stat_t)
	return !ok || st.Uid != in.Uid
}
