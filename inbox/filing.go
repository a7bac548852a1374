package inbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/postroom/postroom/internal/atomicfile"
)

// state is what lies under a file's name after it was read.
type state uint8

const (
	asTaken  state = iota // the file, as it was
	changed               // the file, with another size or time
	replaced              // another file, or none
)

// stateOf compares what lies in the inbox with what was seen there and opened.
func (i *Inbox) stateOf(root *os.Root, s *sighting, body *os.File) state {
	opened, err := body.Stat()
	if err != nil || !stampOf(opened).sameContent(s.stamp) {
		return changed
	}
	info, err := root.Lstat(filepath.FromSlash(s.rel))
	if err != nil || !os.SameFile(info, opened) {
		return replaced
	}
	if !stampOf(info).sameContent(s.stamp) {
		return changed
	}
	return asTaken
}

// file puts an original where the handler's result says. Until the move the file
// lies in the inbox, and after it in its new place: a crash at any point leaves it
// in one of the two. What was taken is filed even when ctx has ended.
func (i *Inbox) file(ctx context.Context, root *os.Root, s *sighting, body *os.File) progress {
	ctx = context.WithoutCancel(ctx)
	res := s.result
	if res.Disposition == Hold {
		if err := i.hold(ctx, s, res.Why); err != nil {
			return i.failed(ctx, s, err)
		}
		return took
	}
	base := i.cfg.Archive
	if res.Disposition == Reject {
		base = i.cfg.Rejected
	}
	dir, err := i.targetFolder(base, s, res.Folder)
	if err != nil {
		return i.failed(ctx, s, err)
	}
	var path string
	switch i.stateOf(root, s, body) {
	case changed:
		return i.changedInHand(ctx, s, body)
	case replaced:
		if res.Disposition == Archive {
			path, err = i.keepCopy(s, body, dir)
		}
		i.log.WarnContext(ctx, "replaced or removed while it was read", "file", s.rel, "copy", path)
	default:
		path, err = i.move(s, dir, nil)
	}
	if err != nil {
		return i.failed(ctx, s, err)
	}
	if path != "" {
		i.remember(s, path)
		i.log.InfoContext(ctx, "file filed", "file", s.rel, "to", path)
		if res.Filed != nil {
			if err := res.Filed(ctx, path); err != nil {
				i.log.ErrorContext(ctx, "place of the original not recorded", "file", s.rel, "to", path, "err", err)
			}
		}
	}
	i.forget(s)
	return took
}

// changedInHand handles a file that was written to between its reading and its
// filing. It stays, and is taken again as a new revision once it has settled.
func (i *Inbox) changedInHand(ctx context.Context, s *sighting, body *os.File) progress {
	f := s.file(i.pathOf(s))
	f.Body = body
	if info, err := body.Stat(); err == nil {
		f.Size, f.ModTime = info.Size(), info.ModTime()
	}
	if err := i.handler.Changed(ctx, f); err != nil {
		return i.failed(ctx, s, fmt.Errorf("hold what came of a file that was still written: %w", err))
	}
	i.trouble(ctx, s, "changed while it was read, and is taken again as a new revision")
	s.result = nil
	s.until(time.Now())
	return took
}

// targetFolder returns the folder below base for an original.
func (i *Inbox) targetFolder(base string, s *sighting, folder string) (string, error) {
	if folder == "" {
		account, _, _ := strings.Cut(s.rel, "/")
		if account == s.rel {
			account = ""
		}
		return filepath.Join(base, account, i.cfg.Now().Format("2006-01")), nil
	}
	if !filepath.IsLocal(filepath.FromSlash(folder)) {
		return "", fmt.Errorf("file %s under %q: want a folder below %s", s.rel, folder, base)
	}
	return filepath.Join(base, filepath.FromSlash(folder)), nil
}

// hold moves a file to held/, under the folders it had in the inbox so that a
// person can move it back, with the reason in a text file beside it. The reason is
// written first: no held file is without one, whenever the process dies.
func (i *Inbox) hold(ctx context.Context, s *sighting, why string) error {
	folder, name := splitRel(s.rel)
	text := fmt.Sprintf("%s was not taken from the inbox on %s.\n\n%s\n\nTo have it taken after all, put it right and move it back to %s.\n",
		printable(name), i.cfg.Now().Format("2006-01-02 15:04 MST"), strings.TrimSpace(why), filepath.Join(i.cfg.Inbox, filepath.FromSlash(folder)))
	path, err := i.move(s, filepath.Join(i.cfg.Held, filepath.FromSlash(folder)), []byte(text))
	if err != nil {
		return err
	}
	i.log.WarnContext(ctx, "file held", "file", s.rel, "to", path, "why", why)
	i.forget(s)
	return nil
}

// tidy removes from held/ what an earlier process left half written when it died.
func (i *Inbox) tidy() {
	err := filepath.WalkDir(i.cfg.Held, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		return atomicfile.Sweep(path)
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		i.log.Warn("leftovers not removed", "file", i.cfg.Held, "err", err)
	}
}

// mostClashes is how many names are tried.
const mostClashes = 20

// move takes an original and its end mark out of the inbox into a folder, under
// its name or one that is free, and returns the path. why, unless nil, is written
// beside it first.
func (i *Inbox) move(s *sighting, dir string, why []byte) (string, error) {
	if err := makeFolders(dir); err != nil {
		return "", err
	}
	_, name := splitRel(s.rel)
	spare := 0
	if s.mark != nil {
		spare = len(markExt)
	}
	if why != nil {
		spare = len(whyExt)
	}
	for n := range mostClashes {
		path := filepath.Join(dir, nameFor(name, s.key(), spare, n))
		if why != nil {
			if _, err := os.Lstat(path); err == nil {
				continue
			}
			if err := atomicfile.WriteFile(path+whyExt, why, 0o644); err != nil {
				return "", err
			}
		}
		err := atomicfile.Move(i.pathOf(s), path)
		switch {
		case errors.Is(err, fs.ErrExist):
			continue
		case err != nil && !i.movedTo(s, path):
			return "", err
		case err != nil:
			i.log.Error("original moved, and perhaps not durably", "file", s.rel, "to", path, "err", err)
		}
		if s.mark != nil {
			if err := atomicfile.Move(i.pathOf(s)+markExt, path+markExt); err != nil {
				i.log.Warn("end mark not moved", "file", s.rel+markExt, "err", err)
			}
		}
		return path, nil
	}
	return "", fmt.Errorf("move %s to %s: %d names are taken there already", s.rel, dir, mostClashes)
}

// movedTo reports whether a move that failed went as far as to the new name.
func (i *Inbox) movedTo(s *sighting, path string) bool {
	_, err := os.Lstat(i.pathOf(s))
	info, there := os.Lstat(path)
	return errors.Is(err, fs.ErrNotExist) && there == nil && info.Size() == s.info.Size()
}

// key tells originals of one name apart.
func (s *sighting) key() string {
	return fmt.Sprintf("%s\x00%d\x00%d", s.rel, s.info.Size(), s.stamp.changed.UnixNano())
}

// keepCopy writes what was taken to the archive when its name in the inbox leads
// to another file by now.
func (i *Inbox) keepCopy(s *sighting, body io.ReaderAt, dir string) (string, error) {
	if err := makeFolders(dir); err != nil {
		return "", err
	}
	tmp, err := os.CreateTemp(dir, ".kept-*")
	if err != nil {
		return "", err
	}
	defer os.Remove(tmp.Name()) // nothing, once it is moved
	_, err = io.Copy(tmp, io.NewSectionReader(body, 0, s.info.Size()))
	if err := errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return "", fmt.Errorf("keep a copy of %s: %w", s.rel, err)
	}
	_, name := splitRel(s.rel)
	for n := range mostClashes {
		path := filepath.Join(dir, nameFor(name, s.key(), 0, n))
		if err := atomicfile.Move(tmp.Name(), path); !errors.Is(err, fs.ErrExist) {
			return path, err
		}
	}
	return "", fmt.Errorf("keep a copy of %s in %s: %d names are taken there already", s.rel, dir, mostClashes)
}

// makeFolders makes a folder and those above it, durably.
func makeFolders(dir string) error {
	err := os.Mkdir(dir, 0o755)
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil
	case errors.Is(err, fs.ErrNotExist):
		if err := makeFolders(filepath.Dir(dir)); err != nil {
			return err
		}
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	case err != nil:
		return err
	}
	return atomicfile.SyncDir(filepath.Dir(dir))
}
