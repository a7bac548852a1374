package store

import (
	"context"
	"fmt"
	"path"
	"slices"

	bolt "go.etcd.io/bbolt"

	"github.com/postroom/postroom/post"
)

// AddUpload adds media to the end of a group's, with an id in its Upload, that will
// come through the API. From then on nothing of the group goes out before the media
// is there. Media that can no longer come gives its place to the new, and media
// without an alternative text gets the one the group has for its place. The error
// wraps post.ErrState when something of the group was sent or tried, and is a
// *post.CapExceeded when it has most media already; the group is returned as it
// stands then.
func (s *Store) AddUpload(ctx context.Context, group post.ID, m post.Media, most int) (g post.Group, err error) {
	err = s.update(ctx, func(c *change) error {
		if err := s.room(c.Tx); err != nil {
			return err
		}
		if g, err = s.group(c.Tx, group); err != nil {
			return err
		}
		switch {
		case g.ID != group || !g.DeletedAt.IsZero():
			return fmt.Errorf("group %s: %w", group, post.ErrNotFound)
		case !untried(&g):
			return fmt.Errorf("group %s is %s: %w", group, g.Status(), post.ErrState)
		}
		old, b := clone(&g), c.Bucket(bucketUploads)
		lost := slices.IndexFunc(g.Media, func(m post.Media) bool { return m.Pending() && m.Upload.Until.Before(c.now) })
		at := lost
		switch {
		case lost >= 0:
			if err := b.Delete(g.Media[lost].Upload.ID[:]); err != nil {
				return err
			}
			g.Media[lost] = m
		case len(g.Media) >= most:
			return &post.CapExceeded{Cap: post.Cap{Max: most}, Used: len(g.Media), Requested: 1}
		default:
			at = len(g.Media)
			g.Media = append(g.Media, m)
		}
		if g.Media[at].Alt == "" && at < len(g.AltTexts) {
			g.Media[at].Alt = g.AltTexts[at]
		}
		g.UpdatedAt = c.now
		if err := b.Put(m.Upload.ID[:], group[:]); err != nil {
			return err
		}
		return c.put(old, &g)
	})
	return g, err
}

// Describe gives a group's media alternative texts by their places, and keeps them
// for media that is still to be uploaded. The error wraps post.ErrState when
// something of the group was sent or tried; the group is returned as it stands.
func (s *Store) Describe(ctx context.Context, group post.ID, alts []string) (g post.Group, err error) {
	err = s.update(ctx, func(c *change) error {
		if g, err = s.group(c.Tx, group); err != nil {
			return err
		}
		if g.ID != group || !g.DeletedAt.IsZero() {
			return fmt.Errorf("group %s: %w", group, post.ErrNotFound)
		}
		old := clone(&g)
		if err := describe(&g, alts); err != nil {
			return err
		}
		g.UpdatedAt = c.now
		return c.put(old, &g)
	})
	return g, err
}

// describe gives g alternative texts, so long as nothing of it was sent or tried.
func describe(g *post.Group, alts []string) error {
	if !untried(g) {
		return fmt.Errorf("group %s is %s: %w", g.ID, g.Status(), post.ErrState)
	}
	for i := range min(len(alts), len(g.Media)) {
		g.Media[i].Alt = alts[i]
	}
	g.AltTexts = alts
	return nil
}

// Upload returns the group that media with that id is of, and the media.
func (s *Store) Upload(ctx context.Context, id post.ID) (g post.Group, m post.Media, err error) {
	err = s.view(ctx, func(tx *bolt.Tx) error {
		var at int
		g, at, err = s.upload(tx, id)
		if err == nil {
			m = g.Media[at]
		}
		return err
	})
	return g, m, err
}

func (s *Store) upload(tx *bolt.Tx, id post.ID) (g post.Group, at int, err error) {
	if of := tx.Bucket(bucketUploads).Get(id[:]); len(of) == post.IDLen {
		if g, err = s.group(tx, post.ID(of)); err != nil {
			return g, 0, err
		}
	}
	at = slices.IndexFunc(g.Media, func(m post.Media) bool { return m.Upload.ID == id })
	if at < 0 || !g.DeletedAt.IsZero() {
		return g, 0, fmt.Errorf("media %s: %w", id, post.ErrNotFound)
	}
	return g, at, nil
}

// FillUpload records which file came for media. Once nothing of the group is still
// to come, those of its posts that waited for it are due as planned. What is there
// already may be replaced as long as nothing of the group was sent or tried: after
// that only the same file is taken again, and other errors wrap post.ErrState. The
// group is returned as it stands.
func (s *Store) FillUpload(ctx context.Context, id post.ID, pin post.Pin) (g post.Group, err error) {
	err = s.update(ctx, func(c *change) error {
		var at int
		if g, at, err = s.upload(c.Tx, id); err != nil {
			return err
		}
		switch m := &g.Media[at]; {
		case m.Pin.Hash == pin.Hash:
			return nil
		case !untried(&g):
			return fmt.Errorf("group %s is %s: %w", g.ID, g.Status(), post.ErrState)
		}
		old := clone(&g)
		g.Media[at].Pin, g.UpdatedAt = pin, c.now
		if pending, _ := g.PendingMedia(); pending == nil {
			for i := range g.Posts {
				if p := &g.Posts[i]; p.Status.Editable() && p.DueAt.After(p.SlotAt) {
					p.DueAt, p.UpdatedAt = p.SlotAt, c.now // awaitMedia put it off
				}
			}
		}
		return c.put(old, &g)
	})
	return g, err
}

// untried reports whether all posts of a group can be changed and no platform was
// asked to take any of them. Afterwards a publisher may have kept where it uploaded
// the group's media to.
func untried(g *post.Group) bool {
	return !slices.ContainsFunc(g.Posts, func(p post.Post) bool {
		return !p.Status.Editable() && p.Status != post.StatusCancelled || !p.BegunAt.IsZero()
	})
}

// awaitMedia reports whether a due post must not go out now, as media of its group
// is still to come. It is put off to the last moment at which the media may be
// there, [Store.FillUpload] brings it back, and at that moment it has failed.
func (c *change) awaitMedia(old, g *post.Group, p *post.Post) (bool, error) {
	m, until := g.PendingMedia()
	if m == nil {
		return false, nil
	}
	e := post.LogEntry{Post: p.ID, Event: "status_changed"}
	if until = wholeSecond(until); until.After(c.now) {
		p.DueAt = until
		e.Error = "waits for its media: " + path.Base(m.URL) + " was not uploaded yet"
	} else {
		why := "its media was never uploaded: " + path.Base(m.URL)
		p.Status, p.Problem = post.StatusFailed, &post.Outcome{Code: post.CodeMediaMissing, Message: why, At: c.now}
		e.Event, e.Error, e.ErrorCode = "publish_failed", why, post.CodeMediaMissing
	}
	p.UpdatedAt, g.UpdatedAt = c.now, c.now
	return true, c.put(old, g, e)
}
