package inbox

import (
	"context"
	"io"
	"time"
)

// A Handler decides about files. With more than one worker its methods are called
// concurrently, though never for the same file.
type Handler interface {
	// Whole looks at a settled file and says whether its content is complete.
	// When it is not, why says what is missing, for people, and still how long
	// the file must have been still to be taken all the same; 0 means never, and
	// such a file moves to held/ in the end. A still beside ok = true also only
	// asks for a longer stillness. Whole is asked once for each state of a file,
	// and not at all for one with an end mark. It should be cheap.
	Whole(f File) (ok bool, why string, still time.Duration)

	// Take uses the file. What it does must be durable when it returns: inbox
	// moves the original next. It must bear being given the same bytes again, as
	// happens when the process died between Take and the move.
	//
	// Before it commits it should ask [File.Same], and return [Retry] when the
	// file has changed under its reading. An error means that nothing was done:
	// the file stays, and is handed over again after a growing wait.
	Take(ctx context.Context, f File) (Result, error)

	// Changed tells that a file taken less than [Config.Recheck] ago is no longer
	// what it was. Either its writer went on: f.Again is false, and f.Path is where
	// it lies now, in the archive, or still in the inbox when that happened between
	// Take and the move; Take is called again then. Or a file of the same name lies
	// in the inbox: f.Again is true, and Take follows once that has settled. Only
	// the size, the time or the inode need have changed, so compare f.Body with what
	// was taken. It is called once for a change; after an error, again at the next
	// scan.
	Changed(ctx context.Context, f File) error
}

// A File is one file as it was seen. Its names are as the writer gave them, and
// may hold any byte but a slash and NUL.
type File struct {
	Path    string // where it lies
	Rel     string // where it was dropped, below the inbox, with slashes: acme/twitter-12/spring.csv
	Folder  string // Rel without the name: "", "acme" or "acme/twitter-12"
	Name    string // the last part of Rel
	Size    int64  // may be far more than what is on disk
	ModTime time.Time
	Marked  bool // an end mark says that it is complete
	Again   bool // only for Changed: this is a new file of a name that was taken just now

	// Body reads the very file that was looked at, whatever lies under Path by
	// now. It is open during the call only.
	Body io.ReaderAt

	same func() bool
}

// Same reports whether Path still leads to the file that was handed over, with
// the same size and modification time.
func (f File) Same() bool { return f.same == nil || f.same() }

// Disposition says what is to become of an original.
type Disposition uint8

const (
	Archive Disposition = iota + 1 // taken: to archive/
	Reject                         // nothing could be used: to rejected/
	Hold                           // a person must look: to held/, with Result.Why beside it
	Retry                          // leave it in the inbox, show Result.Why, and hand it over again later
)

// A Result is a handler's answer.
type Result struct {
	Disposition Disposition

	// Folder is where below archive/ or rejected/ the original goes, with
	// slashes: acme/2026-03. Empty means the first part of File.Folder and the
	// month. held/ repeats the folders of the inbox.
	Folder string

	// Why is the reason for Hold or Retry, for people.
	Why string

	// Filed, unless nil, is called once the original is in its place, which is
	// path. An error of it is logged; the file is not handed over again.
	Filed func(ctx context.Context, path string) error
}
