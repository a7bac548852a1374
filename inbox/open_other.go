//go:build !unix

package inbox

import "io/fs"

const openFlags = 0 // os.Root follows no link out of the inbox, and there are no pipes in folders

func linkOfOther(_, _ fs.FileInfo) bool { return false }
