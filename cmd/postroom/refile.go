package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/postroom/postroom/intake"
	"github.com/postroom/postroom/internal/atomicfile"
	"github.com/postroom/postroom/post"
)

// recentImports is how many of the latest imports are looked at for originals
// that were moved and not recorded: a crash leaves at most a few.
const recentImports = 100

// refile records originals that a process which died had moved to the archive
// but not yet said so. An import whose original is still in the inbox is left to
// the inbox, which hands it over again.
func (r *room) refile(ctx context.Context) error {
	imps, _, err := r.store.Imports(ctx, "", "", recentImports)
	if err != nil {
		return err
	}
	for _, imp := range imps {
		if imp.Archive != "" {
			continue
		}
		path, err := r.archived(ctx, imp)
		if err != nil {
			return err
		}
		if path == "" {
			continue
		}
		rel, err := filepath.Rel(r.dir, path)
		if err != nil {
			return err
		}
		imp.Archive = filepath.ToSlash(rel)
		if err := r.intake.Rewrite(ctx, imp, r.original, r.zone(imp.Account), r.now(), true); err != nil {
			return fmt.Errorf("report of %s: %w", imp.Name, err)
		}
		if err := r.filed(ctx, imp, imp.Archive); err != nil {
			return err
		}
		r.log.Info("original found in the archive", "file", imp.Name, "archive", imp.Archive)
	}
	return nil
}

// archived finds the original of an import among the archive's files of its
// size, by its hash; "" when it is not there.
func (r *room) archived(ctx context.Context, imp post.Import) (found string, err error) {
	dir := filepath.Join(r.dir, "archive", string(imp.Account))
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || !e.Type().IsRegular() || found != "" {
			return err
		}
		info, err := e.Info()
		if err != nil || info.Size() != imp.Size {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		digest, err := intake.Digest(ctx, f, imp.Size)
		if err == nil && digest == imp.Digest {
			found = path
		}
		return err
	})
	return found, err
}

// recheck makes the inbox go on looking at the originals that an earlier process
// took a short while ago: their writers may not have ended.
func (d *daemon) recheck(ctx context.Context) error {
	r := d.room
	imps, _, err := r.store.Imports(ctx, "", "", recentImports)
	if err != nil {
		return err
	}
	for _, imp := range imps {
		if imp.Archive != "" && !imp.Undone {
			rel := path.Join(r.inboxOf(imp.Account), imp.Lineage)
			d.inbox.Recheck(rel, filepath.Join(r.dir, filepath.FromSlash(imp.Archive)), imp.Size, imp.TakenAt)
		}
	}
	return nil
}

// sweep removes what a process that died left of files it was writing, and of uploads
// that no job is to take: they were cut off, or done with.
func (r *room) sweep(ctx context.Context) error {
	errs := []error{r.sweepUploads(ctx)}
	for _, folder := range []string{"reports", "archive", "outbox"} {
		errs = append(errs, filepath.WalkDir(filepath.Join(r.dir, folder), func(path string, e fs.DirEntry, err error) error {
			if err == nil && e.IsDir() {
				err = atomicfile.Sweep(path)
			}
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}))
	}
	return errors.Join(errs...)
}

func (r *room) sweepUploads(ctx context.Context) error {
	dir := r.uploads()
	left, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	jobs, err := r.store.OpenJobs(ctx)
	if err != nil {
		return err
	}
	wanted := map[string]bool{}
	for i := range jobs {
		wanted[jobs[i].ID.String()] = true
	}
	var errs []error
	for _, e := range left {
		if !wanted[e.Name()] {
			errs = append(errs, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	return errors.Join(errs...)
}
