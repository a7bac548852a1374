package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/postroom/postroom/intake"
	"github.com/postroom/postroom/internal/atomicfile"
	"github.com/postroom/postroom/post"
)

// keepSeries lays out the series of calendars further: at the start, and on each
// new day.
func (d *daemon) keepSeries(ctx context.Context) error {
	const look = 10 * time.Minute
	day := ""
	for {
		if today := d.room.now().UTC().Format(time.DateOnly); today != day {
			if err := d.room.extendSeries(ctx); err != nil && ctx.Err() == nil {
				return fmt.Errorf("lay out series: %w", err)
			}
			day = today
		}
		timer := time.NewTimer(look)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

// extendSeries gives the series of every calendar posts up to the horizon, from
// the archived originals. It is idempotent: an instance has the same id whenever
// it is made. A calendar that cannot be read is logged; the others go on.
func (r *room) extendSeries(ctx context.Context) error {
	used := map[string]bool{} // copies of originals
	for imp, err := range r.goingOn(ctx) {
		if err != nil {
			return err
		}
		used[r.spare(imp.Archive)] = true
		if r.seriesLost(imp) {
			r.log.ErrorContext(ctx, "series not laid out further: their calendar is gone from archive/, and so is its copy", "file", imp.Name, "archive", imp.Archive, "hint", lostHint)
			continue
		}
		if err := r.keepSpare(imp); err != nil {
			r.log.WarnContext(ctx, "no copy of a calendar kept for its series", "file", imp.Name, "err", err)
		}
		if err := r.extend(ctx, imp); err != nil {
			if r.store.Err() != nil || ctx.Err() != nil {
				return err
			}
			r.log.ErrorContext(ctx, "series not laid out further", "file", imp.Name, "err", err)
		}
	}
	return r.dropSpares(used)
}

// goingOn yields of each calendar whose series go on the import from which they do,
// the latest first.
func (r *room) goingOn(ctx context.Context) iter.Seq2[*post.Import, error] {
	return func(yield func(*post.Import, error) bool) {
		seen := map[string]bool{} // lineages whose latest import was looked at
		for cursor := ""; ; {
			imps, next, err := r.store.Imports(ctx, "", cursor, 100)
			if err != nil {
				yield(nil, err)
				return
			}
			for i := range imps {
				key := string(imps[i].Account) + "\n" + imps[i].Lineage
				if seen[key] {
					continue
				}
				seen[key] = true
				// Not imps[i]: a clock that was set back lists an older one first.
				latest, found, err := r.intake.GoingOn(ctx, imps[i].Account, imps[i].Lineage)
				if err != nil {
					yield(nil, err)
					return
				}
				if found && intake.Extendable(&latest) && !yield(&latest, nil) {
					return
				}
			}
			if next == "" {
				return
			}
			cursor = next
		}
	}
}

// lostHint says what brings a calendar back whose series have nothing to go on from.
const lostHint = "drop the calendar in the inbox again, as it was or as a new export"

// seriesLost reports whether neither the original of a calendar is left nor the copy
// of it from which its series go on.
func (r *room) seriesLost(imp *post.Import) bool {
	f, err := r.original(imp.Archive)
	if err == nil {
		f.Close()
	}
	return errors.Is(err, fs.ErrNotExist)
}

// lostSeries returns the latest imports of the calendars whose series are lost, by
// their ids.
func (r *room) lostSeries(ctx context.Context) (map[post.ID]string, error) {
	lost := map[post.ID]string{}
	for imp, err := range r.goingOn(ctx) {
		if err != nil {
			return nil, err
		}
		if r.seriesLost(imp) {
			lost[imp.ID] = imp.Name
		}
	}
	return lost, nil
}

// extend lays out the series of one calendar.
func (r *room) extend(ctx context.Context, imp *post.Import) error {
	if len(r.accounts(imp.Account)) == 0 {
		return nil // no longer in the config: nothing of it is posted
	}
	original, err := r.original(imp.Archive)
	if err != nil {
		return err
	}
	defer original.Close()
	folder := path.Join(string(imp.Account), path.Dir(imp.Lineage))
	req, hold, err := r.request(folder, imp.Name, original, imp.Size)
	if err != nil {
		return err
	}
	if hold != "" {
		return errors.New(hold)
	}
	res, err := r.intake.Extend(ctx, *imp, req)
	if err == nil && res.Outcome == intake.Taken {
		r.log.InfoContext(ctx, "series laid out further", "file", imp.Name, "accepted", res.Import.Counts.Accepted)
	}
	return err
}

// filed records where the original of an import was put. A copy for its series
// that cannot be made now is made when they are next laid out.
func (r *room) filed(ctx context.Context, imp post.Import, archive string) error {
	if err := r.intake.Filed(ctx, imp, archive); err != nil {
		return err
	}
	imp.Archive = archive
	if err := r.keepSpare(&imp); err != nil {
		r.log.WarnContext(ctx, "no copy of a calendar kept for its series", "file", imp.Name, "err", err)
	}
	return nil
}

// spare is where the copy of a calendar lies whose series go on, by the path of
// its original.
func (r *room) spare(archive string) string {
	sum := sha256.Sum256([]byte(archive))
	return filepath.Join(r.dir, "data", "series", hex.EncodeToString(sum[:16])+".ics")
}

// keepSpare copies the original of a calendar whose series go on, so that they
// outlive it. One that is there stays as it is.
func (r *room) keepSpare(imp *post.Import) error {
	if !intake.Extendable(imp) {
		return nil
	}
	if _, err := os.Stat(r.spare(imp.Archive)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	from, err := os.Open(filepath.Join(r.dir, filepath.FromSlash(imp.Archive)))
	if err != nil {
		return err
	}
	defer from.Close()
	return r.writeSpare(imp, from)
}

// writeSpare keeps from as the copy of a calendar.
func (r *room) writeSpare(imp *post.Import, from io.Reader) error {
	to := r.spare(imp.Archive)
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	f, err := atomicfile.Create(to)
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, from); err != nil {
		return errors.Join(err, f.Discard())
	}
	return f.Commit()
}

// cameBack keeps a calendar that was dropped again with the same bytes, where its
// series had lost it.
func (r *room) cameBack(imp *post.Import, file io.ReaderAt, size int64) error {
	if !intake.Extendable(imp) || !r.seriesLost(imp) {
		return nil
	}
	return r.writeSpare(imp, io.NewSectionReader(file, 0, size))
}

// dropSpares removes the copies of calendars that no series needs any more. One
// that is hardly a day old may be of a calendar that came meanwhile.
func (r *room) dropSpares(used map[string]bool) error {
	dir := filepath.Join(r.dir, "data", "series")
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		file := filepath.Join(dir, e.Name())
		if info, err := e.Info(); err == nil && !used[file] && r.now().Sub(info.ModTime()) > 24*time.Hour {
			if err := os.Remove(file); err != nil {
				return err
			}
		}
	}
	return err
}

// pin keeps a picture that came inside a calendar in the media folder. Its name
// says what is in it, so one that is there already is the same.
func (r *room) pin(name string, data []byte) error {
	to := filepath.Join(r.dir, "media", filepath.FromSlash(name))
	if _, err := os.Stat(to); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	f, err := atomicfile.Create(to)
	if err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		return errors.Join(err, f.Discard())
	}
	return f.Commit()
}
