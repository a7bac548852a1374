package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
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
	seen := map[string]bool{} // lineages whose latest import was looked at
	for cursor := ""; ; {
		imps, next, err := r.store.Imports(ctx, "", cursor, 100)
		if err != nil {
			return err
		}
		for i := range imps {
			imp := &imps[i]
			key := string(imp.Account) + "\n" + imp.Lineage
			if seen[key] {
				continue
			}
			seen[key] = true
			if !intake.Extendable(imp) {
				continue
			}
			if err := r.extend(ctx, imp); err != nil {
				if r.store.Err() != nil || ctx.Err() != nil {
					return err
				}
				r.log.ErrorContext(ctx, "series not laid out further", "file", imp.Name, "err", err)
			}
		}
		if next == "" {
			return nil
		}
		cursor = next
	}
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
