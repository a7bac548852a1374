package intake

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/postroom/postroom/internal/radix"
	"github.com/postroom/postroom/post"
)

// A settledRow is a row that needs nothing, and the group that has it.
type settledRow struct {
	row   uint32
	why   settledWhy
	group post.ID
	imp   post.ID
	was   int // its row there

	stored  revision // of an event that came in an older one
	version uint64   // that is stored of an event of which a message has told since
}

type settledWhy uint8

const (
	sameRow   settledWhy = iota // an earlier revision says the same
	sameWord                    // another file brought the same words for the same time
	liveNow                     // the row changed, and its post is out already
	inDoubt                     // the row changed, and nobody knows whether its post is out
	tookBack                    // the calendar took the event back
	older                       // the event is an older revision than what is stored
	movedLive                   // the series was moved, and the post is out at its former time
	toldSince                   // a message has told of the event since its calendar came
	noRoom                      // the row changed, and the plan has no room for what it says now
)

// tellRepeats settles what can be settled within the file: a second row with the
// same id of its own is an error, and repeats of the same words are numbered.
func (j *job) tellRepeats() {
	own := sorted(j.count(), func(n int) (uint64, bool) { return j.ids[n].key, j.marks[n]&(bad|named) == named })
	tellApart(own, func(n int, _ uint64, first int) {
		if j.repeat == nil {
			j.repeat = map[int]int{}
		}
		j.repeat[n] = first
		j.marks[n] |= bad
	})
	keys := sorted(j.count(), func(n int) (uint64, bool) { return j.ids[n].key, j.marks[n]&(bad|named) == 0 })
	tellApart(keys, func(n int, h uint64, first int) {
		j.ids[n].key = h
		if j.near(j.ats[n], j.ats[first]) {
			if j.echoes == nil {
				j.echoes = map[int]int{}
			}
			j.echoes[n] = first
		}
	})
	j.twins = sorted(j.count(), func(n int) (uint64, bool) { return j.ids[n].twin, j.marks[n]&bad == 0 })
	if tellApart(j.twins, func(n int, h uint64, _ int) { j.ids[n].twin = h }) {
		j.twins = nil
	}
}

// unsettledTwins returns the twins of the rows that are neither bad nor settled yet.
func (j *job) unsettledTwins() []radix.Ref {
	twins := j.twins
	j.twins = nil // needed once, and large
	n := 0
	for _, m := range j.marks {
		if m&(bad|settled|revoked) == 0 {
			n++
		}
	}
	if n == len(twins) {
		return twins
	}
	return sorted(j.count(), func(n int) (uint64, bool) { return j.ids[n].twin, j.marks[n]&(bad|settled|revoked) == 0 })
}

// compare finds the rows that earlier files brought already. In order:
//
//   - the same key with the same version in an earlier revision: unchanged;
//   - the same words on the same connections for the same time, in any file:
//     unchanged, so that a renamed copy never posts twice;
//   - the same key with another version: updated while its group can still be
//     changed, new when the group is cancelled or failed, else left alone;
//   - anything else is new.
//
// A group that an unchanged row has is never replaced by another row.
func (j *job) compare(ctx context.Context) error {
	for n := range j.marks {
		j.marks[n] &^= settled | changed | planned
	}
	j.settled, j.replace, j.gone, j.cancel, j.freed, j.dropped = nil, nil, nil, nil, nil, 0
	j.removed, j.waiting, j.earlier = 0, 0, 0
	j.uploads = nil
	j.behind, j.kept = map[string]bool{}, false
	account, lineage := j.req.Account.ID, j.req.Place.Lineage
	prev, found, err := j.in.store.LatestImport(ctx, account, lineage)
	if err != nil {
		return err
	}
	j.prev = prev

	var moved []settledRow // key matches with another version, by row
	var keys []radix.Ref
	var lacks, lacked []post.Match // see missing
	if found {
		// The rows given back in a rejected file are not numbered as in the
		// whole file, so only their own ids count.
		keys = sorted(j.count(), func(n int) (uint64, bool) {
			return j.ids[n].key, j.marks[n]&bad == 0 && (!j.req.Place.Part || j.marks[n]&named != 0)
		})
		ms, err := j.in.store.MatchKeys(ctx, account, lineage, hashes(keys))
		if err != nil {
			return err
		}
		if len(j.told) > 0 {
			has := map[uint32]settledRow{}
			for _, m := range ms {
				row := keys[m.At].Row
				has[row] = settledRow{row: row, group: m.Group, imp: m.Import, was: m.Row, version: m.Version}
			}
			if err := j.passTold(ctx, has); err != nil {
				return err
			}
		}
		matched := map[uint32]settledRow{} // of rows that take a post back
		for _, m := range ms {
			row := keys[m.At].Row
			s := settledRow{row: row, why: sameRow, group: m.Group, imp: m.Import, was: m.Row}
			switch {
			case j.marks[row]&settled != 0:
			case j.marks[row]&revoked != 0:
				matched[row] = s
			case m.Version == j.ids[row].version:
				j.settle(s)
			default:
				moved = append(moved, s)
			}
		}
		if err := j.revoke(ctx, matched); err != nil {
			return err
		}
		if !j.req.Place.Part || j.cal != nil {
			if lacks, lacked, err = j.missing(ctx, hashes(keys)); err != nil {
				return err
			}
		}
		if j.cal != nil {
			if err := j.ignoreOlder(ctx, keys, ms, slices.Concat(lacks, lacked)); err != nil {
				return err
			}
		}
	}
	twins := j.unsettledTwins()
	ms, err := j.in.store.MatchTwins(ctx, account, hashes(twins))
	if err != nil {
		return err
	}
	slices.SortFunc(moved, func(a, b settledRow) int { return int(a.row) - int(b.row) })
	var loose []settledRow // key matches that came to nothing: their group may be nobody's now
	for _, m := range ms {
		row := twins[m.At].Row
		at, known := slices.BinarySearchFunc(moved, row, func(s settledRow, row uint32) int { return int(s.row) - int(row) })
		switch {
		case known && moved[at].group == m.Group:
			continue // the same group with another title, label or the like: an update
		case known:
			loose = append(loose, moved[at])
		}
		j.settle(settledRow{row: row, why: sameWord, group: m.Group, imp: m.Import})
	}
	rest, err := j.update(ctx, moved)
	if err != nil {
		return err
	}
	loose = append(loose, rest...)
	slices.SortFunc(j.settled, func(a, b settledRow) int { return int(a.row) - int(b.row) })
	if err := j.hear(ctx); err != nil {
		return err
	}
	if found && (!j.req.Place.Part || j.cal != nil) {
		return j.findRemoved(ctx, lacks, lacked, loose)
	}
	return nil
}

func (j *job) settle(s settledRow) {
	j.marks[s.row] |= settled
	j.settled = append(j.settled, s)
}

// update decides on rows whose key is known and whose meaning is another. It
// returns those of them that became new posts.
func (j *job) update(ctx context.Context, moved []settledRow) (fresh []settledRow, err error) {
	if len(moved) == 0 {
		return nil, nil
	}
	claimed := map[post.ID]bool{}
	for _, s := range moved {
		claimed[s.group] = false
	}
	for _, s := range j.settled {
		if _, ok := claimed[s.group]; ok {
			claimed[s.group] = true
		}
	}
	for _, s := range moved {
		if j.marks[s.row]&settled != 0 {
			continue
		}
		old, err := j.stale(ctx, &s)
		if err != nil {
			return nil, err
		}
		if old {
			s.why = older
			j.settle(s)
			claimed[s.group] = true
			continue
		}
		if claimed[s.group] {
			fresh = append(fresh, s)
			continue
		}
		g, err := j.in.store.Group(ctx, s.group)
		if err != nil {
			return nil, fmt.Errorf("group %s of row %d: %w", s.group, s.row+1, err)
		}
		claimed[s.group] = true
		switch f := fate(&g); {
		case f == fateEditable && j.refused[s.row] != nil:
			s.why = noRoom
			j.settle(s)
		case f == fateEditable:
			j.marks[s.row] |= changed
			j.replace = append(j.replace, s.group)
			j.keepUploads(s.row, &g)
			j.free(&g)
		case f == fateGone:
			// Nothing is live and nothing will be: the row is a new post.
		case f == fateLive:
			s.why = liveNow
			j.settle(s)
		case f == fateInDoubt:
			s.why = inDoubt
			j.settle(s)
		}
	}
	return fresh, nil
}

type groupFate uint8

const (
	fateEditable groupFate = iota
	fateGone
	fateLive
	fateInDoubt
)

// fate says what a new revision may do with a group.
func fate(g *post.Group) groupFate {
	editable := false
	f := fateGone
	for i := range g.Posts {
		switch s := g.Posts[i].Status; {
		case s.Editable():
			editable = true
		case s == post.StatusUnknown || s == post.StatusPending || s == post.StatusProcessing:
			f = fateInDoubt
		case s == post.StatusPublished || g.Posts[i].PartsLive() > 0:
			if f != fateInDoubt {
				f = fateLive
			}
		}
	}
	if f == fateGone && editable {
		return fateEditable
	}
	return f
}

// uploaded is what came through the API for the group that a row replaces. The
// calendar knows nothing of it, so it stays whatever the row says now.
type uploaded struct {
	media []post.Media
	alts  []string
}

func (j *job) keepUploads(row uint32, g *post.Group) {
	u := uploaded{alts: g.AltTexts}
	for _, m := range g.Media {
		if !m.Upload.ID.IsZero() {
			u.media = append(u.media, m)
		}
	}
	if u.media == nil && u.alts == nil {
		return
	}
	if j.uploads == nil {
		j.uploads = map[uint32]uploaded{}
	}
	j.uploads[row] = u
}

// free gives back what the open posts of a group hold of time and quota.
func (j *job) free(g *post.Group) {
	for i := range g.Posts {
		if g.Posts[i].Status == post.StatusScheduled {
			j.freed = append(j.freed, g.Posts[i])
		}
	}
}

// mostCancelled and cancelShare bound what a new revision cancels by itself
// (DESIGN §6): beyond them a person must look.
const (
	mostCancelled = 20
	cancelShare   = 4 // at most one in so many
)

// findRemoved lists what of the previous revision this one lacks. missing and older
// are as the function missing has them.
func (j *job) findRemoved(ctx context.Context, missing, older []post.Match, loose []settledRow) error {
	gone := make(map[post.ID]bool, len(missing)+len(older)+len(loose))
	for _, m := range older {
		gone[m.Group] = false
	}
	for _, m := range missing {
		gone[m.Group] = true
	}
	for _, s := range loose {
		gone[s.group] = true
	}
	for _, s := range j.settled {
		delete(gone, s.group)
	}
	for _, id := range j.replace {
		delete(gone, id)
	}
	if j.cal != nil {
		return j.goneEvents(ctx, gone)
	}
	if _, ok := j.src.(repeatSource); ok {
		for id := range gone {
			g, err := j.in.store.Group(ctx, id)
			if errors.Is(err, post.ErrNotFound) {
				continue // taken out by a person
			}
			if err != nil {
				return err
			}
			if !g.RequestedAt.After(j.as.Today) {
				delete(gone, id) // a time of a row that repeats, which is over and not gone
			}
		}
	}
	j.removed = len(gone)
	j.gone = slices.SortedFunc(maps.Keys(gone), compareIDs)
	if !j.req.CancelRemoved {
		return nil
	}
	var waiting []post.Group
	for _, id := range j.gone {
		g, err := j.in.store.Group(ctx, id)
		if err != nil {
			return err
		}
		if fate(&g) == fateEditable {
			waiting = append(waiting, g)
		}
		if j.waiting = len(waiting); j.waiting > mostCancelled {
			break
		}
	}
	if j.spared() != "" {
		return nil
	}
	for i := range waiting {
		j.cancel = append(j.cancel, waiting[i].ID)
		j.free(&waiting[i])
	}
	return nil
}

// spared says why nothing of what is gone is cancelled, or "" when it may be. Rows
// whose posts are out, which people take out of a plan that they go on with, count
// neither way. A row that could not be read is not known by its id or words, so the
// post that it brought earlier looks as if it were gone.
func (j *job) spared() string {
	switch {
	case j.waiting == 0:
	case j.waiting > mostCancelled || j.waiting*cancelShare > j.earlier-(j.removed-j.waiting):
		return fmt.Sprintf("more than %d or a quarter of the rows that wait are gone", mostCancelled)
	case j.mistaken():
		return "some rows were rejected, and one of them may be its own"
	}
	return ""
}

// mistaken reports whether a row has a mistake.
func (j *job) mistaken() bool {
	return slices.ContainsFunc(j.marks, func(m mark) bool { return m&(bad|absent) == bad })
}

// removedNote says what became of the rows that are gone, or nothing.
func (j *job) removedNote() (post.Problem, bool) {
	p := post.Problem{File: j.req.Name, Severity: post.SeverityWarning, Code: "ROWS_REMOVED"}
	switch {
	case j.removed == 0:
		return p, false
	case len(j.cancel) > 0:
		p.Want = fmt.Sprintf("gone since the earlier revision: %s; waiting groups cancelled: %d", rowsOf(j.removed), len(j.cancel))
	case j.req.CancelRemoved && j.spared() != "":
		p.Want = fmt.Sprintf("gone since the earlier revision: %s; nothing was cancelled: %s", rowsOf(j.removed), j.spared())
		p.Hint = "if they should not go out, cancel them with `postroom posts cancel`"
	default:
		p.Want = fmt.Sprintf("not in this revision: %s of the earlier one, which stay as they were", rowsOf(j.removed))
		p.Hint = "a changed text is a new post unless the row has an id column; cancel what should not go out with `postroom posts cancel`"
	}
	return p, true
}

func rowsOf(n int) string { return count(n, "row") }

// whySettled says why a row needed nothing.
func (j *job) whySettled(ctx context.Context, s settledRow) string {
	switch s.why {
	case liveNow:
		return "already published: the change in this row was not applied"
	case inDoubt:
		return "being sent, or sent with its answer lost: the change in this row was not applied"
	case tookBack:
		return "cancelled in the calendar"
	case older:
		return "an older revision than the one stored: its SEQUENCE or LAST-MODIFIED is lower"
	case movedLive:
		return "the same words went out less than a day from this, before the series was moved: not posted again"
	case toldSince:
		return "a message has told of this event since the calendar came: a new export lays it out further"
	case noRoom:
		return "the plan has no room for what this row says now: its post stays as it was"
	case sameWord:
		name, at := j.importName(ctx, s.imp)
		return fmt.Sprintf("the same post is stored already, from %s of %s", name, at)
	}
	_, at := j.importName(ctx, s.imp)
	return fmt.Sprintf("stored already, on %s", at)
}

// importName names an import by its file and local day.
func (j *job) importName(ctx context.Context, id post.ID) (name, day string) {
	if imp, ok := j.names[id]; ok {
		return imp.name, imp.day
	}
	at := id.Time()
	name = "an earlier file"
	if imp, err := j.in.store.Import(ctx, id); err == nil {
		name, at = imp.Name, imp.TakenAt
	}
	day = at.In(j.req.Account.Zone).Format(time.DateOnly)
	if j.names == nil {
		j.names = map[post.ID]importName{}
	}
	j.names[id] = importName{name, day}
	return name, day
}

type importName struct{ name, day string }
