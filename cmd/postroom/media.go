package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/postroom/postroom/intake"
	"github.com/postroom/postroom/internal/atomicfile"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
)

// A pinner takes the media that one calendar names: from URLs, from beside the
// calendar, and from the media folder.
type pinner struct {
	media *publish.MediaRoom
	dir   string // where the calendar lies

	// Of a calendar in the inbox, whose pictures may be copied there after it.
	settle time.Duration // a file must be still for so long; 0 takes it as it is
	since  time.Time     // when the calendar was first to be taken
	now    func() time.Time

	// Of one that a daemon takes: what comes over the network goes on coming when
	// the calendar can wait no longer.
	fetches  *fetches // nil to wait as long as it takes
	calendar string
	hold     <-chan struct{} // closed when it can wait no longer
}

// How long a calendar in the inbox waits for its media.
const (
	missingFor = 2 * time.Minute  // for files that are not there
	writtenFor = 15 * time.Minute // for files that are being written
)

// Pin implements intake.Pinner.
func (p *pinner) Pin(ctx context.Context, ref string) (post.Pin, error) {
	switch {
	case isURL(ref) && p.fetches != nil:
		return p.fetches.pin(ctx, p.calendar, ref, p.hold)
	case isURL(ref):
		return p.media.Pin(ctx, ref, nil)
	}
	root, err := os.OpenRoot(p.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return p.media.Pin(ctx, ref, nil) // the folder of an archived calendar may be gone
	}
	if err != nil {
		return post.Pin{}, err
	}
	defer root.Close()
	name := filepath.Clean(filepath.FromSlash(ref))
	before, _ := root.Stat(name) // what is not there, or no path, Pin tells
	pin, err := p.media.Pin(ctx, ref, root)
	if p.settle == 0 {
		return pin, err
	}
	after, _ := root.Stat(name)
	waited := p.now().Sub(p.since)
	switch {
	case after == nil && err != nil && waited < missingFor:
		return post.Pin{}, fmt.Errorf("%s is not there yet: %w", post.Shorten(ref), intake.ErrSettling)
	case after != nil && waited < writtenFor && (!sameFile(before, after) || p.now().Sub(after.ModTime()) < p.settle):
		return post.Pin{}, fmt.Errorf("%s: %w", post.Shorten(ref), intake.ErrSettling)
	}
	return pin, err
}

// Put implements intake.Pinner.
func (p *pinner) Put(ctx context.Context, name string, r io.Reader) (post.Pin, error) {
	return p.media.Put(ctx, name, r)
}

func sameFile(a, b fs.FileInfo) bool {
	return a != nil && os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// linkKeyName is the file in the data folder that holds what links to media are
// signed with.
const linkKeyName = "media.key"

// linkKey returns what links to media are signed with, and makes it first where
// there is none.
func (r *room) linkKey() ([]byte, error) {
	const size = 32
	name := filepath.Join(r.dir, "data", linkKeyName)
	key, err := os.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		key = make([]byte, size)
		rand.Read(key) // never fails
		return key, atomicfile.WriteFile(name, key, 0o600)
	case err != nil:
		return nil, err
	case len(key) != size:
		return nil, fmt.Errorf("%s is damaged: remove it, and links that were given out will no longer open", name)
	}
	return key, nil
}

// openLinks lets platforms fetch media, where the config says how they reach us.
func (r *room) openLinks(c *Config) error {
	if c.PublicURL == "" {
		r.media.OpenLinks("", nil, nil)
		return nil
	}
	key, err := r.linkKey()
	if err != nil {
		return fmt.Errorf("open links to media: %w", err)
	}
	r.media.OpenLinks(c.PublicURL, key, r.now)
	return nil
}

// publicURL reads the address under which platforms reach us.
var publicURL = parser[string]{
	want: "an address like https://post.example.com",
	parse: func(text string) (string, string, bool) {
		u, err := url.Parse(text)
		ok := err == nil && u.Scheme == "https" && u.Host != "" && u.User == nil && u.RawQuery == "" && u.Fragment == ""
		return strings.TrimSuffix(text, "/"), "platforms fetch media over https only", ok
	},
}

// Media is kept for posts that may still go out, and for so long after the last
// change of those that are over. Files that are younger than mediaYoung may be of
// a calendar that is being taken.
const (
	keepMedia  = 30 * 24 * time.Hour
	mediaYoung = 24 * time.Hour
)

// sweepMedia removes media that no post uses any more.
func (r *room) sweepMedia(ctx context.Context) error {
	now := r.now()
	used, err := r.usedMedia(ctx, now)
	if err != nil {
		return err
	}
	n, size, err := r.media.Shelf().Sweep(ctx, func(d post.Digest) bool { return used[d] }, now.Add(-mediaYoung))
	if n > 0 {
		r.log.InfoContext(ctx, "media that no post uses removed", "files", n, "bytes", size)
	}
	return err
}

// usedMedia lists the files that posts need, or needed not long before now.
func (r *room) usedMedia(ctx context.Context, now time.Time) (map[post.Digest]bool, error) {
	used := map[post.Digest]bool{}
	for cursor := ""; ; {
		groups, next, err := r.store.Groups(ctx, post.Filter{}, cursor, 500)
		if err != nil {
			return nil, err
		}
		for i := range groups {
			g := &groups[i]
			if len(g.Media) == 0 || over(g) && now.Sub(g.UpdatedAt) > keepMedia {
				continue
			}
			for j := range g.Media {
				used[g.Media[j].Pin.Hash] = true
			}
		}
		if next == "" {
			return used, nil
		}
		cursor = next
	}
}

// over reports whether nothing of a group will go out any more.
func over(g *post.Group) bool {
	for i := range g.Posts {
		if s := g.Posts[i].Status; s != post.StatusPublished && s != post.StatusCancelled {
			return false
		}
	}
	return true
}

// keepMediaSmall sweeps the media folder at the start, and then once a day.
func (d *daemon) keepMediaSmall(ctx context.Context) error {
	for {
		if err := d.room.sweepMedia(ctx); err != nil && ctx.Err() == nil {
			if d.room.store.Err() != nil {
				return err
			}
			d.room.log.WarnContext(ctx, "media not swept", "err", err)
		}
		timer := time.NewTimer(24 * time.Hour)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}
