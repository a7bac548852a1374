package intake

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/postroom/postroom/calendar"
	"github.com/postroom/postroom/internal/radix"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/scheduler"
)

// Calendar says how an account's or a folder's calendars are read.
type Calendar struct {
	AllEvents bool                 `json:"all_events,omitempty"` // every event is a post
	AllDay    time.Duration        `json:"all_day,omitempty"`    // the hour of whole days
	Content   calendar.ContentFrom `json:"content,omitempty"`
	Tasks     bool                 `json:"tasks,omitempty"`
	Journals  bool                 `json:"journals,omitempty"`
	Hourly    bool                 `json:"hourly,omitempty"`
	KeepStart bool                 `json:"keep_start,omitempty"`
	Links     bool                 `json:"links,omitempty"`
	Horizon   time.Duration        `json:"horizon,omitempty"` // how far series are laid out
}

// DefaultAllDay is when an event that lasts the whole day is posted.
const DefaultAllDay = 9 * time.Hour

// calendarOptions are how a calendar is read.
func (as *readAs) calendarOptions(name string) (calendar.Options, error) {
	zone, err := time.LoadLocation(as.Zone)
	if err != nil {
		return calendar.Options{}, fmt.Errorf("zone %s: %w", as.Zone, err)
	}
	c := as.Calendar
	return calendar.Options{
		Name: name, Directory: post.NewDirectory(as.Connections), Platforms: as.Platforms, Zone: zone, ZoneFrom: "of the account or folder", Status: as.Status,
		Now: as.Today, Horizon: c.Horizon, AllDay: cmp.Or(c.AllDay, DefaultAllDay), All: c.AllEvents, Content: c.Content,
		Tasks: c.Tasks, Journals: c.Journals, Hourly: c.Hourly, KeepStart: c.KeepStart, Links: c.Links,
	}, nil
}

// justPast is how long ago an event of a calendar may be to go out at once. A
// calendar is full of what is over, and none of that must be posted.
const justPast = 15 * time.Minute

// beCalendar sets what is other for calendars: revisions are told by the
// calendar's own name, and what is over does not go out.
func (j *job) beCalendar(cal icalSource) {
	j.cal = cal.File
	j.req.Place.Lineage = path.Join(j.req.Place.Folder, "calendar:"+strings.ReplaceAll(cal.ID(), "/", "_"))
	j.req.Place.Part = j.req.Place.Part || cal.Partial()
	j.as.Part = j.req.Place.Part
	j.as.Series, j.as.Message = cal.Series(), cal.Message()
	j.past = j.req.Account.Rules.ResetWithin
	j.req.Account.Rules.ResetWithin = min(j.past, justPast)
}

// surveyEvent keeps of an event what a row does not have, and returns its marks.
func (j *job) surveyEvent(r *row, bad bool) (m mark, err error) {
	e := r.event
	if e.Cancelled {
		m |= revoked
	}
	if j.uids == nil {
		j.uids = map[string]bool{}
	}
	whole, seen := j.uids[r.UID]
	j.uids[r.UID] = (whole || !seen) && e.Whole && !bad
	for _, p := range e.Media {
		if j.req.Pin == nil {
			return m, errors.New("the calendar has pictures inside, and there is no folder to put them")
		}
		if err := j.req.Pin(p.Path, p.Data); err != nil {
			return m, fmt.Errorf("keep %s: %w", p.Path, err)
		}
	}
	return m, nil
}

// revoke settles the rows that take a post back.
func (j *job) revoke(ctx context.Context, matched map[uint32]settledRow) error {
	for n, m := range j.marks {
		if m&revoked == 0 || m&(bad|settled) != 0 {
			continue
		}
		s, ok := matched[uint32(n)]
		if !ok {
			continue // never stored
		}
		g, err := j.in.store.Group(ctx, s.group)
		if err != nil {
			return err
		}
		s.row = uint32(n)
		old, err := j.stale(ctx, &s)
		if err != nil {
			return err
		}
		if old {
			s.why = older
			j.settle(s)
			continue
		}
		switch fate(&g) {
		case fateEditable:
			s.why = tookBack
			j.cancel = append(j.cancel, s.group)
			j.free(&g)
		case fateLive:
			s.why = liveNow
		case fateInDoubt:
			s.why = inDoubt
		case fateGone:
			s.why = tookBack
		}
		j.settle(s)
	}
	return nil
}

// stale reports whether an event is an older revision than the one that is
// stored.
func (j *job) stale(ctx context.Context, s *settledRow) (bool, error) {
	if j.cal == nil {
		return false, nil
	}
	rows, err := j.in.store.Rows(ctx, s.imp, s.was, 1)
	if err != nil || len(rows) == 0 {
		return false, err
	}
	rev := j.revisions[s.row]
	s.stored = revision{sequence: rows[0].Sequence, modifiedAt: rows[0].ModifiedAt}
	if !rev.before(s.stored) {
		return false, nil
	}
	j.behind[rev.uid] = true
	return true, nil
}

// ignoreOlder settles the instances that an older revision of a series has at times
// that the stored one does not. keys are those of the file's rows, and known and
// missing the rows that earlier revisions have of them, and without them. What is
// stored of a series are its posts to come, whichever revision brought them: the one
// before may lack it, or be a message about one instance. Where there are none, the
// one before counts, with those that it only continued.
func (j *job) ignoreOlder(ctx context.Context, keys []radix.Ref, known, missing []post.Match) error {
	has := map[uint32]bool{}
	for _, m := range known {
		has[keys[m.At].Row] = true
	}
	fresh := map[string][]uint32{} // rows, by UID
	for n, m := range j.marks {
		if m&(bad|settled|revoked) == 0 && !has[uint32(n)] {
			uid := j.revisions[uint32(n)].uid
			fresh[uid] = append(fresh[uid], uint32(n))
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	ahead, before := map[string]revision{}, map[string]revision{}
	keep := func(least map[string]revision, r *post.Row) {
		rev := revision{sequence: r.Sequence, modifiedAt: r.ModifiedAt}
		if have, ok := least[r.UID]; !ok || rev.before(have) {
			least[r.UID] = rev
		}
	}
	stands := map[int]bool{} // rows of the revision before
	seen := map[post.ID]bool{}
	for _, m := range slices.Concat(known, missing) {
		if seen[m.Group] || m.At >= 0 && fresh[j.revisions[keys[m.At].Row].uid] == nil {
			continue
		}
		seen[m.Group] = true
		if m.Import == j.prev.ID {
			stands[m.Row] = true
			continue
		}
		rows, err := j.in.store.Rows(ctx, m.Import, m.Row, 1)
		if err != nil {
			return err
		}
		if len(rows) > 0 && rows[0].RequestedAt.After(j.req.Now) {
			keep(ahead, &rows[0])
		}
	}
	unknown := func(uid string) bool {
		_, waits := ahead[uid]
		_, known := before[uid]
		return !waits && !known
	}
	for imp, ok := j.prev, true; ok; {
		least := map[string]revision{}
		for r, err := range j.in.rows(ctx, imp.ID) {
			if err != nil {
				return err
			}
			if r.UID == "" || r.Group.IsZero() && r.Decision != post.Unchanged {
				continue
			}
			if imp.ID == j.prev.ID && stands[r.N] && r.RequestedAt.After(j.req.Now) {
				keep(ahead, &r)
			}
			if !imp.Undone {
				keep(least, &r)
			}
		}
		maps.Copy(least, before) // what a later one says counts
		before = least
		if ok = slices.ContainsFunc(slices.Collect(maps.Keys(fresh)), unknown); ok {
			var err error
			if imp, ok, err = j.continued(ctx, &imp); err != nil {
				return err
			}
		}
	}
	for uid, ns := range fresh {
		stored, ok := ahead[uid]
		if !ok {
			stored, ok = before[uid]
		}
		for _, n := range ns {
			if ok && j.revisions[n].before(stored) {
				j.behind[uid] = true
				j.settle(settledRow{row: n, why: older, imp: j.prev.ID, stored: stored})
			}
		}
	}
	return nil
}

// continued returns the revision before an import that says nothing of what it lacks:
// one of a part of the calendar, or one that was undone.
func (j *job) continued(ctx context.Context, imp *post.Import) (before post.Import, ok bool, err error) {
	var as readAs
	if imp.Previous.IsZero() || !imp.Undone && (json.Unmarshal(imp.Options, &as) != nil || !as.Part) {
		return before, false, nil
	}
	before, err = j.in.store.Import(ctx, imp.Previous)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, post.ErrNotFound) {
		return before, false, nil
	}
	return before, err == nil, err
}

// A revision is how a calendar counts the changes of an event.
type revision struct {
	sequence   int
	modifiedAt time.Time
	uid        string
}

// before reports whether r is an older revision than o: by its SEQUENCE, and by
// LAST-MODIFIED where that is the same and both say when (INGEST §6.5).
func (r revision) before(o revision) bool {
	if r.sequence != o.sequence || r.modifiedAt.IsZero() || o.modifiedAt.IsZero() {
		return r.sequence < o.sequence
	}
	return r.modifiedAt.Before(o.modifiedAt)
}

// goneEvents deals with what earlier revisions of the calendar brought and this
// one has no more. Instances of a series that is still there were taken out or
// moved: they are cancelled. Events that are gone altogether are cancelled only
// where the folder says so. gone is false of what an earlier revision than the one
// before brought, and was left waiting since: it counts where its event is back.
func (j *job) goneEvents(ctx context.Context, gone map[post.ID]bool) error {
	horizon := j.req.Now.Add(cmp.Or(j.as.Calendar.Horizon, calendar.DefaultHorizon))
	var absent []post.Group
	live := map[string][]post.Group{}
	j.lost = map[string]post.ID{}
	for id, before := range gone {
		g, err := j.in.store.Group(ctx, id)
		if !before && errors.Is(err, post.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		uid, series := uidOf(&g)
		whole, known := j.uids[uid]
		switch f := fate(&g); {
		case f == fateLive || f == fateInDoubt:
			live[uid] = append(live[uid], g)
		case f != fateEditable || g.RequestedAt.Before(j.req.Now):
		case !j.cal.Complete():
			j.kept = true
		case known && whole && !j.behind[uid] && (!series || g.RequestedAt.Before(horizon)):
			j.cancel = append(j.cancel, id)
			j.free(&g)
			j.dropped++
			j.lost[uid] = id
		case !known && !j.req.Place.Part && before:
			absent = append(absent, g)
		default:
			j.kept = true
		}
	}
	j.removed, j.waiting = len(absent), len(absent)
	for i := range absent {
		j.gone = append(j.gone, absent[i].ID)
	}
	j.gone = append(j.gone, j.cancel...) // the instances that are no more
	slices.SortFunc(j.gone, compareIDs)
	if j.req.CancelRemoved && j.spared() == "" {
		for i := range absent {
			j.cancel = append(j.cancel, absent[i].ID)
			j.free(&absent[i])
		}
	} else if len(absent) > 0 {
		j.kept = true
	}
	j.settleRevoked()
	j.keepApart(live)
	slices.SortFunc(j.cancel, compareIDs)
	j.cancel = slices.Compact(j.cancel)
	return nil
}

// settleRevoked settles the rows that take a whole series back, which has no post
// of its own.
func (j *job) settleRevoked() {
	for n, m := range j.marks {
		if m&revoked == 0 || m&(bad|settled) != 0 {
			continue
		}
		if id, ok := j.lost[j.revisions[uint32(n)].uid]; ok {
			j.settle(settledRow{row: uint32(n), why: tookBack, group: id, imp: j.prev.ID})
		}
	}
	slices.SortFunc(j.settled, func(a, b settledRow) int { return int(a.row) - int(b.row) })
}

// keepApart settles a new instance of a series where the same words went out less
// than a day from it, under a time that the series had before: it was moved, and
// is not to be posted again.
func (j *job) keepApart(live map[string][]post.Group) {
	if len(live) == 0 {
		return
	}
	for n, m := range j.marks {
		if m&(bad|settled|changed|revoked|draft) != 0 {
			continue
		}
		uid := j.revisions[uint32(n)].uid
		at := time.Unix(j.ats[n], 0)
		for i, g := range live[uid] {
			if d := at.Sub(g.ScheduledAt); d > -24*time.Hour && d < 24*time.Hour && j.words[uint32(n)] == wordsOf(&g.Content) {
				j.settle(settledRow{row: uint32(n), why: movedLive, group: g.ID, imp: g.Import})
				live[uid] = slices.Delete(slices.Clone(live[uid]), i, i+1)
				break
			}
		}
	}
	slices.SortFunc(j.settled, func(a, b settledRow) int { return int(a.row) - int(b.row) })
}

// uidOf returns the UID of the event that brought a group, and whether it is one
// of a series.
func uidOf(g *post.Group) (uid string, series bool) {
	at := strings.LastIndexByte(g.ExternalID, '/')
	if at < 0 || !instanceID(g.ExternalID[at+1:]) {
		return g.ExternalID, false
	}
	return g.ExternalID[:at], true
}

// instanceID reports whether s names an instance as package calendar does.
func instanceID(s string) bool {
	for _, layout := range []string{"20060102", "20060102T150405", "20060102T150405Z"} {
		if _, err := time.Parse(layout, s); err == nil {
			return true
		}
	}
	return false
}

// over reports whether an event was over so long ago when its calendar came that it
// is not even held. An instance that is over when its series are laid out further is
// one that the plan had no room for until then.
func (j *job) over(at time.Time, s *scheduler.Slot) bool {
	return j.cal != nil && s.Why&scheduler.WhyOld != 0 && (j.extends != nil || j.req.Now.Sub(at) > j.past)
}

// Extend takes a calendar again whose series reach further by now, from its
// archived original. It stores nothing, and Outcome is 0, when no instance is new.
// Call it once a day for the latest import of each lineage.
func (in *Intake) Extend(ctx context.Context, imp post.Import, req Request) (Result, error) {
	in.taking.Lock()
	defer in.taking.Unlock()
	var as readAs
	if err := json.Unmarshal(imp.Options, &as); err != nil {
		return Result{}, fmt.Errorf("%s: how it was read: %w", imp.Name, err)
	}
	if as.Format != formatICal || !as.Series || imp.Undone || imp.Archive == "" {
		return Result{}, nil
	}
	latest, found, err := in.GoingOn(ctx, imp.Account, imp.Lineage)
	if err != nil || !found || latest.ID != imp.ID {
		return Result{}, err
	}
	as.Today = req.Now
	req.Name, req.Report = imp.Name, imp.Report
	j := &job{in: in, req: req, keep: true, as: as, extends: &imp}
	if j.digest, err = Digest(ctx, req.File, req.Size); err != nil {
		return Result{}, err
	}
	undone, told, err := in.since(ctx, imp, j.digest)
	if undone || err != nil {
		return Result{}, err
	}
	j.told = told
	if err := j.open(ctx); err != nil {
		return Result{}, err
	}
	j.req.Place.Lineage, j.req.CancelRemoved = imp.Lineage, false
	if err := j.survey(ctx); err != nil {
		return Result{}, err
	}
	for n := 1; ; n++ {
		res, err := j.attempt(ctx)
		if err != nil && j.again(ctx, n, err) {
			continue
		}
		return res, err
	}
}

// GoingOn returns the import from which the series of a calendar go on: the latest of
// its lineage that is no message about some events, and was not undone. found is false
// where there is none.
func (in *Intake) GoingOn(ctx context.Context, account post.AccountID, lineage string) (imp post.Import, found bool, err error) {
	latest, found, err := in.store.LatestImport(ctx, account, lineage)
	for imp = latest; found && err == nil && (imp.Undone || isMessage(&imp)); {
		if imp.Previous.IsZero() {
			return latest, true, nil
		}
		before, err := in.store.Import(ctx, imp.Previous)
		if err != nil || imp.Undone && before.Archive == imp.Archive { // it laid out further what stays taken back
			return imp, found, err
		}
		imp = before
	}
	return imp, found, err
}

// isMessage reports whether an import is of a message about some events.
func isMessage(imp *post.Import) bool {
	var as readAs
	return json.Unmarshal(imp.Options, &as) == nil && as.Message
}

// since looks at what came of a calendar after its file, the original of imp. undone
// is true when somebody undid one of its imports: the one that it came with, or one
// that laid out its series further. What was taken back must not come again by itself.
// told are the events, by their UID, of which a message has told since: what the file
// says of them is old.
func (in *Intake) since(ctx context.Context, imp post.Import, file post.Digest) (undone bool, told map[string]bool, err error) {
	of, _, err := in.store.LatestImport(ctx, imp.Account, imp.Lineage)
	told = map[string]bool{}
	for err == nil {
		mine, message := of.Archive == imp.Archive, isMessage(&of)
		switch {
		case mine && of.Undone:
			return true, nil, nil
		case mine && of.Digest == file, !mine && !of.Undone && !message, of.Previous.IsZero():
			return false, told, nil
		case !mine && !of.Undone:
			for r, err := range in.rows(ctx, of.ID) {
				if err != nil {
					return false, nil, err
				}
				told[r.UID] = true
			}
		}
		of, err = in.store.Import(ctx, of.Previous)
	}
	return false, nil, err
}

// passTold settles the rows of events of which a message has told since the file came.
// has are the groups that the rows have, by row.
func (j *job) passTold(ctx context.Context, has map[uint32]settledRow) error {
	for n, m := range j.marks {
		rev := j.revisions[uint32(n)]
		if m&bad != 0 || !j.told[rev.uid] {
			continue
		}
		s, ok := has[uint32(n)]
		if !ok {
			s = settledRow{row: uint32(n), imp: j.prev.ID, stored: rev}
		} else if _, err := j.stale(ctx, &s); err != nil {
			return err
		}
		s.why = toldSince
		j.behind[rev.uid] = true
		j.settle(s)
	}
	return nil
}

// laterDigest stands for a calendar whose series are laid out further: the file is
// the same, and yet it is another import.
func laterDigest(file post.Digest, as *readAs) post.Digest {
	return sha256.Sum256(fmt.Appendf(nil, "%x as of %d", file, as.Today.Unix()))
}

// SameFile reports whether an import came from a file with that digest.
func SameFile(imp *post.Import, file post.Digest) bool {
	var as readAs
	return imp.Digest == file || json.Unmarshal(imp.Options, &as) == nil && as.Series && imp.Digest == laterDigest(file, &as)
}

// Extendable reports whether an import is of a calendar whose series go on.
func Extendable(imp *post.Import) bool {
	var as readAs
	return imp.Format == formatICal && !imp.Undone && imp.Archive != "" && json.Unmarshal(imp.Options, &as) == nil && as.Series
}

// news reports whether the plan stores or cancels a post: no row of it is that of an
// earlier revision, has no room or is over.
func (j *job) news() bool {
	for n, s := range j.placed() {
		if s.Verdict != scheduler.Rejected && !j.over(time.Unix(j.ats[n], 0), s) {
			return true
		}
	}
	return len(j.cancel) > 0 || len(j.replace) > 0
}

// mostSpared is how many revisions in a row are looked behind that had mistakes, or
// left something waiting.
const mostSpared = 20

// missing lists the groups whose row this file lacks: of the revision before, and
// of those before it that it only continued, or whose removed rows it left alone for a
// mistake that it had. older are those of a calendar that earlier revisions than these
// brought, and each since left waiting. It counts the rows of what this file stands in
// for.
func (j *job) missing(ctx context.Context, keys []uint64) (out, older []post.Match, err error) {
	spared, beyond := 0, false
	for imp := j.prev; ; {
		ms, err := j.in.store.MissingKeys(ctx, imp.ID, keys)
		if err != nil {
			return nil, nil, err
		}
		if beyond {
			older = append(older, ms...)
		} else {
			out = append(out, ms...)
		}
		if !imp.Undone && spared == 0 {
			j.earlier += imp.Counts.Rows
		}
		var as readAs
		if json.Unmarshal(imp.Options, &as) != nil || imp.Previous.IsZero() {
			return out, older, nil
		}
		if !as.Part && !imp.Undone {
			beyond = beyond || !as.Spared
			if spared++; beyond && !as.Kept || spared > mostSpared {
				return out, older, nil
			}
		}
		if imp, err = j.in.store.Import(ctx, imp.Previous); errors.Is(err, fs.ErrNotExist) || errors.Is(err, post.ErrNotFound) {
			return out, older, nil
		} else if err != nil {
			return nil, nil, err
		}
	}
}
