package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/postroom/postroom/internal/atomicfile"
	"github.com/postroom/postroom/post"
)

func (a *app) backupCommand() *cobra.Command {
	return &cobra.Command{
		Use: "backup [FOLDER]", Short: "Copy what a room needs to go on, while it is in use", Args: cobra.MaximumNArgs(1),
		Long: "Copies the store, the media of its posts, the originals of its imports, and the stored secrets,\n" +
			"sealed as they are, into a folder that is laid out like a room. The copy of the store is verified.\n" +
			"The config is not copied, nor the master key: keep both in another place. A folder beside the room\n" +
			"takes little space at first, for files that never change are linked.",
		RunE: func(c *cobra.Command, args []string) error {
			return a.withRoom(c.Context(), func(r *room) error {
				path := filepath.Join(r.dir, "data", "backup", "postroom-"+r.now().UTC().Format("20060102-150405"))
				if len(args) == 1 {
					path = a.path(args[0])
				}
				made, err := r.backup(c.Context(), path)
				if err != nil {
					return err
				}
				return a.print(made, func(w io.Writer) {
					fmt.Fprintf(w, "%s: a store of %d bytes, verified by opening it, and %d other files\n", made.Path, made.Bytes, made.Files)
				})
			})
		},
	}
}

// backupView is what a backup holds.
type backupView struct {
	Path     string `json:"path"`
	Bytes    int64  `json:"bytes"` // of the store
	Files    int    `json:"files"` // beside it
	Verified bool   `json:"verified"`
}

// backup copies a room into a new folder, whole or not at all. The store goes
// first, so whatever it needs is still there: media is swept long after its post is
// over, and of the rest nothing that is used is removed.
func (r *room) backup(ctx context.Context, path string) (made backupView, err error) {
	if _, err := os.Lstat(path); err == nil {
		return made, &hinted{fmt.Errorf("%s exists already", path), "name another folder: a backup never overwrites one"}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return made, err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(path), ".backup-*") // for its owner alone
	if err != nil {
		return made, err
	}
	defer os.RemoveAll(tmp) // gone already once it is renamed
	to := &backingUp{from: r.dir, to: tmp}
	db := filepath.Join("data", storeName)
	for _, name := range roomFolders {
		if err := os.Mkdir(filepath.Join(tmp, filepath.FromSlash(name)), folderMode(name)); err != nil {
			return made, err
		}
	}
	// What the API took and nobody imported yet may be gone once the store is copied.
	if err := to.tree(ctx, filepath.Join("data", "uploads"), nil); err != nil {
		return made, fmt.Errorf("backup: %w", err)
	}
	if err := r.store.Backup(ctx, filepath.Join(tmp, db)); err != nil {
		return made, fmt.Errorf("backup: %w", err)
	}
	if err := verifyInChild(ctx, filepath.Join(tmp, db)); err != nil {
		return made, fmt.Errorf("the copy of the store is not sound: %w", err)
	}
	info, err := os.Stat(filepath.Join(tmp, db))
	if err != nil {
		return made, err
	}
	used, err := r.usedMedia(ctx, r.now())
	if err != nil {
		return made, err
	}
	err = errors.Join(
		to.file(filepath.Join("data", filepath.Base(vaultPath(r.dir))), atomicfile.Copy),
		to.file(filepath.Join("data", secretKeyName), atomicfile.Copy),
		to.file(filepath.Join("data", linkKeyName), atomicfile.Copy),
		to.tree(ctx, filepath.Join("data", "series"), nil),
		to.tree(ctx, filepath.Join("data", "uploads"), nil),
		to.tree(ctx, "archive", nil),
		to.tree(ctx, "media", func(path string) bool {
			var hash post.Digest
			return hash.UnmarshalText([]byte(filepath.Base(path))) == nil && used[hash]
		}),
	)
	if err != nil {
		return made, fmt.Errorf("backup: %w", err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return made, err
	}
	return backupView{path, info.Size(), to.files, true}, atomicfile.SyncDir(filepath.Dir(path))
}

// A backingUp copies files from one room to another, each to where it lay.
type backingUp struct {
	from, to string
	files    int
}

// file copies one file, durably. One that is not there is none.
func (b *backingUp) file(rel string, put func(from, to string) error) error {
	err := put(filepath.Join(b.from, rel), filepath.Join(b.to, rel))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		b.files++
	}
	return err
}

// tree links the files below a folder that take, unless nil, wants.
func (b *backingUp) tree(ctx context.Context, rel string, take func(path string) bool) error {
	err := filepath.WalkDir(filepath.Join(b.from, rel), func(path string, e fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return ctx.Err() // it was moved on
		case err != nil:
			return err
		}
		at, err := filepath.Rel(b.from, path)
		switch {
		case err != nil:
			return err
		case !e.Type().IsRegular() || take != nil && !take(path):
			return ctx.Err()
		}
		if err := os.MkdirAll(filepath.Join(b.to, filepath.Dir(at)), 0o755); err != nil {
			return err
		}
		return errors.Join(b.file(at, linkOrCopy), ctx.Err())
	})
	return err
}

// linkOrCopy gives a file that nobody changes a second name, or where that cannot
// be, as on another disk, copies it.
func linkOrCopy(from, to string) error {
	if _, err := os.Lstat(to); err == nil {
		return nil // it was met before
	}
	if os.Link(from, to) == nil {
		return atomicfile.SyncDir(filepath.Dir(to))
	}
	return atomicfile.Copy(from, to)
}
