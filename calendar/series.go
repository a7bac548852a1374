package calendar

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/postroom/postroom/internal/walltime"
)

// A series is all that a file says under one UID: an event with its rules, and
// what differs for single instances of it.
type series struct {
	master    *event // nil when only overrides came
	overrides []*event
	at        map[stamp]int // of overrides, by what they override
}

// An instance is one time at which an event happens.
type instance struct {
	event *event
	at    time.Time
	zone  zone
	kind  walltime.Kind
	date  bool   // a whole day
	id    string // which of a series it is, as RECURRENCE-ID would say; "" of a single event
	stray bool   // it overrides what its series does not give
	close bool   // stray, and the series gives one less than a day from it
}

// occurrence is an instance on its way. Its key stands for the time the rule
// gives it, whatever time an override moves it to.
type occurrence struct {
	key    int64 // Unix seconds; of whole days, those of its wall time
	wall   wall
	zone   zone
	date   bool
	source *event
}

// mostInstances bounds what one series gives in a window, where Options do not.
const mostInstances = 1000

// mostSteps bounds the work on one series.
const mostSteps = 100_000

// instances lists the instances of a series with from ≤ time < to, by time. An
// instance that an override moves counts by the time it is moved to. Problems go
// to the events.
func (f *File) instances(s *series, from, to time.Time) []instance {
	var out []instance
	seen := map[int64]bool{} // keys that overrides have taken
	var gone map[int64]bool
	var goneDays map[int]bool
	if s.master != nil && s.master.more != nil {
		gone, goneDays = f.exceptions(s.master)
	}
	keep := func(o occurrence, id string, stray bool) {
		at, kind := f.instant(o)
		if !at.Before(from) && at.Before(to) {
			out = append(out, instance{event: o.source, at: at, zone: o.zone, kind: kind, date: o.date, id: id, stray: stray})
		}
	}
	for _, e := range s.overrides {
		o, ok := f.occurrenceOf(e, &e.recurrence)
		if !ok {
			continue
		}
		if s.master != nil && s.master.start.date != o.date {
			o = f.alike(s.master, o)
		}
		e.instance = o.id(cmp.Or(s.master, e))
		if gone[o.key] || goneDays[o.day()] {
			e.left = "an EXDATE takes this instance out of its series"
			continue // an exception beats an override
		}
		if e.recurrence.onward && s.master != nil {
			continue // a shift
		}
		seen[o.key] = true
		stray := !f.names(s, o)
		if stray && s.master.replaces(e) {
			e.left = "its series was changed after it, and has no such instance any more"
			continue
		}
		if stray && !e.start.set() {
			e.left = "its series has no such instance, and it has no DTSTART of its own"
			continue
		}
		moved := o
		if e.start.set() {
			if moved, ok = f.occurrenceOf(e, &e.start); !ok {
				continue
			}
		}
		moved.source = e
		keep(moved, e.instance, stray)
	}
	if s.master == nil {
		return sorted(out)
	}
	shifts := f.shifts(s)
	lo, hi := from, to
	for _, sh := range shifts {
		lo, hi = lo.Add(-abs(sh.by)), hi.Add(abs(sh.by))
	}
	occs, err := f.expand(s.master, lo, hi)
	if err != nil {
		f.fail(s.master, s.master.line, "RRULE", "", err.Error(), "give the rule an end, or a longer interval")
	}
	out = slices.Grow(out, len(occs))
	for _, o := range occs {
		if seen[o.key] || gone[o.key] || goneDays[o.day()] {
			continue
		}
		id := ""
		if s.master.recurs() {
			id = o.id(s.master)
		}
		by := time.Duration(0)
		// Of those that are not after it the last holds, counted from what the rule gives.
		n, _ := slices.BinarySearchFunc(shifts, o.key+1, func(sh shift, key int64) int { return cmp.Compare(sh.from, key) })
		if n > 0 {
			by, o.source = shifts[n-1].by, shifts[n-1].event
		}
		o.wall += wall(by / time.Second)
		keep(o, id, false)
	}
	return sorted(out)
}

// sorted puts instances in order of time, and finds the strays that may be a
// second copy of their neighbour: of an instance whose time the series changed.
func sorted(out []instance) []instance {
	slices.SortStableFunc(out, func(a, b instance) int { return a.at.Compare(b.at) })
	near := func(i, j int) bool {
		return j >= 0 && j < len(out) && out[i].at.Sub(out[j].at).Abs() < 24*time.Hour
	}
	for i := range out {
		out[i].close = out[i].stray && (near(i, i-1) || near(i, i+1))
	}
	return out
}

func abs(d time.Duration) time.Duration { return max(d, -d) }

// day is the day that o is on where it happens.
func (o *occurrence) day() int { return o.wall.days() }

// id names an instance by its place in the series. What floats stays floating, so
// that a change of the calendar's zone makes it no other instance.
func (o *occurrence) id(master *event) string {
	switch {
	case o.date:
		return o.wall.utc().Format("20060102")
	case master.start.floating():
		return o.wall.utc().Format("20060102T150405")
	}
	return time.Unix(o.key, 0).UTC().Format("20060102T150405Z")
}

// names reports whether a series has an instance of that key, before exceptions.
func (f *File) names(s *series, o occurrence) bool {
	if s.master == nil {
		return true
	}
	at := time.Unix(o.key, 0)
	occs, err := f.expand(s.master, at, at)
	return err != nil || slices.ContainsFunc(occs, func(have occurrence) bool { return have.key == o.key })
}

// occurrenceOf finds when and where a stamp of an event is.
func (f *File) occurrenceOf(e *event, st *stamp) (occurrence, bool) {
	if !st.set() {
		return occurrence{}, false
	}
	z, ok := f.zoneOf(e, st)
	if !ok {
		return occurrence{}, false
	}
	o := occurrence{wall: st.at, zone: z, date: st.date, source: e}
	o.setKey()
	return o, true
}

func (o *occurrence) setKey() {
	o.key = int64(o.wall)
	if !o.date {
		at, _ := resolve(o.wall, o.zone.loc)
		o.key = at.Unix()
	}
}

// alike gives an instance named by a day the clock of the series, and one named by
// a time the day, where the series is of the other kind.
func (f *File) alike(master *event, o occurrence) occurrence {
	z, ok := f.zoneOf(master, &master.start)
	if !ok {
		return o
	}
	if master.start.date {
		o.wall, o.date = wall(o.day())*secondsPerDay, true
	} else {
		o.wall, o.date = wall(o.day())*secondsPerDay+wall(master.start.at.second()), false
	}
	o.zone = z
	o.setKey()
	return o
}

// instant returns when an occurrence happens: whole days at the hour that is set
// for them.
func (f *File) instant(o occurrence) (time.Time, walltime.Kind) {
	w := o.wall
	if o.date {
		w += wall(f.opt.AllDay / time.Second)
	}
	return resolve(w, o.zone.loc)
}

func resolve(w wall, loc *time.Location) (time.Time, walltime.Kind) {
	if loc == time.UTC {
		return w.utc(), walltime.Exact
	}
	y, m, d := dateOf(w.days())
	s := w.second()
	return walltime.Resolve(y, time.Month(m), d, s/3600, s/60%60, s%60, loc)
}

// zoneOf finds the zone of a stamp. Without one the event cannot be used.
func (f *File) zoneOf(e *event, st *stamp) (zone, bool) {
	switch {
	case st.utc:
		return zone{loc: time.UTC}, true
	case st.zone == "":
		if e.cal.base.loc == nil {
			f.fail(e, int(st.line), "DTSTART", "", "a zone: the time has none, and neither has the calendar", "set `timezone` in the folder's defaults.yaml")
			return zone{}, false
		}
		return e.cal.base, true
	}
	z := e.cal.zone(st.zone)
	if z.loc == nil && e.cal.base.loc != nil {
		return zone{loc: e.cal.base.loc, how: fmt.Sprintf("in place of %q, which nothing defines", st.zone), guess: true}, true
	}
	if z.loc == nil {
		f.fail(e, int(st.line), "TZID", st.zone, "a zone that is known, like Europe/Berlin, or a VTIMEZONE that defines it", "choose a zone in the calendar program and export again")
		return zone{}, false
	}
	return z, true
}

// expand lists the occurrences of an event that is no override, before exceptions
// and overrides, around a window. The list holds until the next call.
func (f *File) expand(e *event, from, to time.Time) ([]occurrence, error) {
	first, ok := f.occurrenceOf(e, &e.start)
	if !ok {
		return nil, nil
	}
	if !e.recurs() {
		return []occurrence{first}, nil
	}
	const margin = 36 * time.Hour // between wall time and UTC, and for the hour of whole days
	lo, hi := wallAt(from.Add(-margin), time.UTC), wallAt(to.Add(margin), time.UTC)
	b := f.budget(mostSteps)
	limit := f.opt.mostInstances + 64
	out := f.occurrences[:0]
	defer func() { f.occurrences = out }()
	inRule, flood := false, false
	rules := func(rs []*rule, fn func(occurrence) bool) error {
		for _, r := range rs {
			if first.date {
				var err error
				if r, err = r.ofDays(); err != nil {
					return err
				}
			}
			err := r.expand(e.start.at, f.until(r, &first, hi), lo, hi, b, func(w wall) bool {
				o := first
				o.wall = w
				o.setKey()
				return fn(o)
			})
			if err != nil {
				return err
			}
		}
		return nil
	}
	if err := b.take(len(e.more.rdates) / 16); err != nil {
		f.give(b)
		return nil, err
	}
	err := rules(e.more.rules, func(o occurrence) bool {
		inRule = inRule || o.key == first.key
		out = append(out, o)
		flood = len(out) > limit*len(e.more.rules)
		return !flood
	})
	if len(e.more.rules) == 0 || f.opt.KeepStart {
		out = append(out, first)
	} else if err == nil && !inRule && first.wall >= lo && first.wall <= hi {
		f.warn(e, int(e.start.line), "DTSTART", "", "a start that its rule gives: this one does not, and is not posted")
	}
	out = slices.Grow(out, len(e.more.rdates))
	for i := range e.more.rdates {
		st := &e.more.rdates[i]
		if st.at < lo || st.at > hi {
			continue
		}
		o, ok := f.occurrenceOf(e, st)
		if !ok {
			continue
		}
		if o.date != first.date {
			o = f.alike(e, o)
		}
		out = append(out, o)
	}
	slices.SortStableFunc(out, func(a, b occurrence) int { return cmp.Compare(a.key, b.key) })
	out = slices.CompactFunc(out, func(a, b occurrence) bool { return a.key == b.key })
	if err == nil && len(e.more.exRules) > 0 {
		without := map[int64]bool{}
		err = rules(e.more.exRules, func(o occurrence) bool {
			without[o.key] = true
			return true
		})
		out = slices.DeleteFunc(out, func(o occurrence) bool { return without[o.key] })
	}
	f.give(b)
	if flood || len(out) > limit {
		err = cmp.Or(err, fmt.Errorf("at most %d instances up to the horizon", f.opt.mostInstances))
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// until returns the wall time at which a rule ends.
func (f *File) until(r *rule, first *occurrence, never wall) wall {
	st := &r.until
	switch {
	case !st.set():
		return never
	case first.date:
		return wall(st.at.days()) * secondsPerDay
	case st.date:
		return st.at + secondsPerDay - 1
	case st.utc:
		return wallAt(time.Unix(int64(st.at), 0), first.zone.loc)
	}
	return st.at
}

// exceptions returns what EXDATE takes out of a series: instances by their key,
// and whole days.
func (f *File) exceptions(e *event) (keys map[int64]bool, days map[int]bool) {
	if len(e.more.exdates) == 0 {
		return nil, nil
	}
	keys, days = make(map[int64]bool, len(e.more.exdates)), map[int]bool{}
	for i := range e.more.exdates {
		st := &e.more.exdates[i]
		if st.date || e.start.date {
			day := st.at.days()
			if st.utc {
				if z, ok := f.zoneOf(e, &e.start); ok {
					day = wallAt(st.at.utc(), z.loc).days()
				}
			}
			if e.start.date {
				keys[int64(day)*secondsPerDay] = true
			} else {
				days[day] = true
			}
			continue
		}
		if o, ok := f.occurrenceOf(e, st); ok {
			keys[o.key] = true
		}
	}
	return keys, days
}

// A shift moves all instances from one on.
type shift struct {
	from  int64
	by    time.Duration
	event *event
}

// shifts returns what RANGE=THISANDFUTURE does to a series, in order.
func (f *File) shifts(s *series) []shift {
	var out []shift
	for _, e := range s.overrides {
		if !e.recurrence.onward {
			continue
		}
		o, ok := f.occurrenceOf(e, &e.recurrence)
		if !ok {
			continue
		}
		sh := shift{from: o.key, event: e}
		if master, ok := f.occurrenceOf(s.master, &s.master.start); ok && e.start.set() {
			if moved, ok := f.occurrenceOf(e, &e.start); ok {
				was := wallAt(time.Unix(o.key, 0), master.zone.loc)
				now := moved.wall
				if o.date {
					was = o.wall
				} else if !moved.date {
					now = wallAt(time.Unix(moved.key, 0), master.zone.loc)
				}
				sh.by = time.Duration(now-was) * time.Second
			}
		}
		out = append(out, sh)
	}
	slices.SortStableFunc(out, func(a, b shift) int { return cmp.Compare(a.from, b.from) })
	return out
}

// add puts an event into the series of its UID. Of two that speak of the same
// instance the later revision stays, and the other is returned as out; clash is
// the one that is there when neither is later and they differ.
func (s *series) add(e *event) (out, clash *event) {
	if !e.recurrence.set() {
		have := s.master
		switch {
		case have == nil:
			s.master = e
			return nil, nil
		case later(e, have) > 0:
			s.master = e
			return have, nil
		case later(e, have) == 0 && !same(e, have):
			return nil, have
		}
		return e, nil
	}
	which := e.recurrence
	which.line = 0
	if i, ok := s.at[which]; ok {
		have := s.overrides[i]
		if later(e, have) >= 0 {
			s.overrides[i] = e
			return have, nil
		}
		return e, nil
	}
	if s.at == nil {
		s.at = map[stamp]int{}
	}
	s.at[which] = len(s.overrides)
	s.overrides = append(s.overrides, e)
	return nil, nil
}

// later compares revisions: 1 when a is the later one.
func later(a, b *event) int {
	if c := cmp.Compare(a.sequence, b.sequence); c != 0 {
		return c
	}
	return a.modifiedAt.Compare(b.modifiedAt)
}

// replaces reports whether e is surely a later revision than o: two that do not
// say when they were changed are of the same age.
func (e *event) replaces(o *event) bool {
	if e.sequence != o.sequence || e.modifiedAt.IsZero() || o.modifiedAt.IsZero() {
		return e.sequence > o.sequence
	}
	return e.modifiedAt.After(o.modifiedAt)
}

// same reports whether two events say the same.
func same(a, b *event) bool {
	return a.start == b.start || a.start.at == b.start.at && a.start.zone == b.start.zone && a.summary == b.summary && a.text == b.text && a.status == b.status
}
