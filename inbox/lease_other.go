//go:build !linux

package inbox

import (
	"io/fs"
	"os"
	"time"
)

func writerOf(*os.File) writing { return unknown }

func changeTime(fs.FileInfo) (time.Time, bool) { return time.Time{}, false }
