package inbox

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A found is one thing that a walk met.
type found struct {
	rel     string      // below the inbox, with slashes
	info    fs.FileInfo // nil when it could not be looked at
	mark    fs.FileInfo // of its end mark; nil for none
	refused string      // why it is nothing to take
}

// mostDepth is how deep folders go: inbox/<account>/<connection>.
const mostDepth = 2

// A walk looks at everything in the inbox and opens nothing but folders. It
// follows no link, and cannot be led out of the inbox by one that takes a
// folder's place meanwhile.
type walk struct {
	inbox *Inbox
	owner fs.FileInfo // the inbox folder
	found []found
}

// walk returns all that is in the inbox, oldest first and then by name, so that
// revisions of a calendar come in their order.
func (i *Inbox) walk(root *os.Root) ([]found, error) {
	info, err := root.Stat(".")
	if err != nil {
		return nil, err
	}
	w := &walk{inbox: i, owner: info}
	if i.watch != nil {
		i.watch.begin()
		i.watch.follow(i.cfg.Inbox, info)
	}
	if err := w.folder(root, nil); err != nil {
		return nil, err
	}
	slices.SortFunc(w.found, func(a, b found) int {
		if a.info != nil && b.info != nil {
			if c := a.info.ModTime().Compare(b.info.ModTime()); c != 0 {
				return c
			}
		}
		return cmp.Compare(a.rel, b.rel)
	})
	return w.found, nil
}

// folder looks at the folder at the given path below the inbox.
func (w *walk) folder(root *os.Root, at []string) error {
	dir, err := root.Open(".")
	if err != nil {
		return err
	}
	names, err := dir.Readdirnames(-1)
	dir.Close()
	if err != nil {
		return err
	}
	var files []found
	marks := map[string]fs.FileInfo{}
	for _, name := range names {
		if ignored(name) {
			continue
		}
		info, err := root.Lstat(name)
		if err == nil && info.Mode().IsRegular() && w.inbox.cfg.Beside(name) {
			continue
		}
		f := found{rel: strings.Join(append(at, name), "/"), info: info}
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			f.info, f.refused = nil, "cannot be looked at: "+reasonOf(err)
		case info.IsDir() && name == tmpFolder:
			continue
		case info.IsDir():
			if f.refused = w.subfolder(root, append(at, name), info); f.refused == "" {
				continue
			}
		case !info.Mode().IsRegular():
			f.refused = kindOf(info.Mode())
		case linkOfOther(info, w.owner):
			f.refused = "is another name of a file that belongs to somebody else: drop a copy"
		case strings.HasSuffix(name, markExt) && name != markExt:
			marks[name] = info
			continue
		}
		files = append(files, f)
	}
	for i := range files {
		if files[i].refused == "" {
			_, name := splitRel(files[i].rel)
			files[i].mark = marks[name+markExt]
			delete(marks, name+markExt)
		}
	}
	for name, info := range marks {
		files = append(files, found{rel: strings.Join(append(at, name), "/"), info: info,
			refused: "is an end mark, and its file is not here"})
	}
	w.found = append(w.found, files...)
	return nil
}

// subfolder looks at a folder in a folder, and says why when it does not.
func (w *walk) subfolder(parent *os.Root, at []string, info fs.FileInfo) (refused string) {
	if len(at) > mostDepth {
		return "is a folder too deep: files lie in inbox/, inbox/<account>/ or inbox/<account>/<connection>/"
	}
	if why := w.inbox.cfg.Folder(at); why != "" {
		return why
	}
	root, err := parent.OpenRoot(at[len(at)-1])
	if errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	if err != nil {
		return "is a folder that cannot be read: " + reasonOf(err)
	}
	defer root.Close()
	if w.inbox.watch != nil {
		w.inbox.watch.follow(filepath.Join(w.inbox.cfg.Inbox, filepath.Join(at...)), info)
	}
	if err := w.folder(root, at); err != nil {
		return "is a folder that cannot be read: " + reasonOf(err)
	}
	return ""
}

// kindOf says why something that is not a regular file is not taken.
func kindOf(m fs.FileMode) string {
	kind := "something other than a file"
	switch {
	case m&fs.ModeSymlink != 0:
		return "is a symbolic link: drop the file itself"
	case m&fs.ModeNamedPipe != 0:
		kind = "a pipe"
	case m&fs.ModeSocket != 0:
		kind = "a socket"
	case m&fs.ModeDevice != 0:
		kind = "a device"
	}
	return "is " + kind + ", which cannot be taken"
}

// reasonOf returns the cause at the end of a file system error, without the path
// that stands beside it anyway.
func reasonOf(err error) string {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err.Error()
	}
	return err.Error()
}
