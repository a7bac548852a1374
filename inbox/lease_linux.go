package inbox

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// writerOf asks for a read lease on f and gives it back at once. The kernel
// refuses it while any process has the file open for writing, or mapped so. It
// works on local file systems, for the owner of the file and for root; elsewhere
// the answer is unknown.
//
// The lease is not kept while the file is read: a writer that opened it then would
// be stopped for up to 45 s. Comparing the file before and after does as well.
func writerOf(f *os.File) writing {
	c, err := f.SyscallConn()
	if err != nil {
		return unknown
	}
	state := unknown
	err = c.Control(func(fd uintptr) {
		_, err := unix.FcntlInt(fd, unix.F_SETLEASE, unix.F_RDLCK)
		switch {
		case err == nil:
			state = idle
			if _, err := unix.FcntlInt(fd, unix.F_SETLEASE, unix.F_UNLCK); err != nil {
				state = unknown // closing the file gives the lease back
			}
		case errors.Is(err, unix.EAGAIN):
			state = busy
		}
	})
	if err != nil {
		return unknown
	}
	return state
}

// changeTime returns when the inode last changed. No program can set it, so it
// also shows changes whose author put the modification time back.
func changeTime(info fs.FileInfo) (time.Time, bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return time.Time{}, false
	}
	return time.Unix(st.Ctim.Unix()), true
}
