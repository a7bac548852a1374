package inbox

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"
)

// A recent is a file that was taken a short while ago, and may still have a
// writer: renaming a file away does not stop who has it open.
type recent struct {
	path  string
	size  int64
	taken *stamp // nil after a restart: only the size is known
	until time.Time
	said  bool // a failed call was logged
}

// Recheck makes the inbox look again, for what is left of [Config.Recheck], at an
// original that an earlier process took at the given time: rel is where below the
// inbox it was dropped, path where it lies, and size what was taken. Call it
// before [Inbox.Run].
func (i *Inbox) Recheck(rel, path string, size int64, at time.Time) {
	left := i.cfg.Recheck - max(0, i.cfg.Now().Sub(at))
	if left <= 0 {
		return
	}
	r := &recent{path: path, size: size, until: time.Now().Add(left)}
	if info, err := os.Lstat(path); err == nil && info.Size() == size {
		st := stampOf(info)
		r.taken = &st
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.recent[rel] = r
}

// remember makes the inbox look again at a file that was moved to path.
func (i *Inbox) remember(s *sighting, path string) {
	r := &recent{path: path, size: s.info.Size(), taken: &s.stamp, until: time.Now().Add(i.cfg.Recheck)}
	if info, err := os.Lstat(path); err == nil && info.Size() == r.size && !os.SameFile(info, s.info) {
		copied := stampOf(info) // to another device
		r.taken = &copied
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.recent[s.rel] = r
}

// changed reports whether the file at path is another than the one taken. A file
// that is gone has not changed.
func (r *recent) changed(info fs.FileInfo) bool {
	return info.Size() != r.size || r.taken != nil && !r.taken.sameContent(stampOf(info))
}

// recheckAll looks at the files taken a short while ago, and tells the handler
// of those that changed.
func (i *Inbox) recheckAll(ctx context.Context, now time.Time) (errs []error) {
	i.mu.Lock()
	rs := make(map[string]*recent, len(i.recent))
	for rel, r := range i.recent {
		rs[rel] = r
	}
	i.mu.Unlock()
	for rel, r := range rs {
		if ctx.Err() != nil {
			return errs
		}
		again, err := i.recheck(ctx, rel, r)
		if err != nil {
			errs = append(errs, err)
			if !r.said {
				i.log.ErrorContext(ctx, "changed after it was taken, and not held", "file", r.path, "err", err)
				r.said = true
			}
		}
		if err != nil || again && now.Before(r.until) {
			continue
		}
		i.mu.Lock()
		if i.recent[rel] == r {
			delete(i.recent, rel)
		}
		i.mu.Unlock()
	}
	return errs
}

// recheck looks at one of them. again says whether to do so at the next scan.
func (i *Inbox) recheck(ctx context.Context, rel string, r *recent) (again bool, err error) {
	info, err := os.Lstat(r.path)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist), nil
	}
	if !info.Mode().IsRegular() || !r.changed(info) {
		return true, nil
	}
	f, err := os.OpenFile(r.path, os.O_RDONLY|openFlags, 0)
	if err != nil {
		return true, err
	}
	defer f.Close()
	folder, name := splitRel(rel)
	err = i.handler.Changed(ctx, File{
		Path: r.path, Rel: rel, Folder: folder, Name: name, Size: info.Size(), ModTime: info.ModTime(), Body: f,
	})
	if err != nil {
		return true, err
	}
	i.log.WarnContext(ctx, "changed after it was taken", "file", r.path, "taken_bytes", r.size, "bytes", info.Size())
	return false, nil
}
