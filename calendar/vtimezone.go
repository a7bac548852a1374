package calendar

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-ical"
)

// The years for which a VTIMEZONE is expanded.
const (
	zoneFrom = 1960
	zoneTo   = 2060
)

// An onset is one change of clocks.
type onset struct {
	at     int64 // Unix seconds
	offset int   // east of UTC from then on
	dst    bool
	name   string
}

// zoneSteps bounds the work on all the zones of one calendar.
const zoneSteps = 200_000

// zoneOf builds a zone from a VTIMEZONE.
func zoneOf(c *ical.Component, name string, b *budget) (*time.Location, error) {
	var onsets []onset
	first, firstAt := 0, int64(math.MaxInt64)
	for _, o := range c.Children {
		if o.Name != "STANDARD" && o.Name != "DAYLIGHT" {
			continue
		}
		from, ok1 := parseOffset(propValue(o, "TZOFFSETFROM"))
		to, ok2 := parseOffset(propValue(o, "TZOFFSETTO"))
		start, ok3 := parseStamp(propValue(o, "DTSTART"))
		if !ok1 || !ok2 || !ok3 {
			return nil, fmt.Errorf("%s without a readable DTSTART, TZOFFSETFROM and TZOFFSETTO", o.Name)
		}
		walls, err := observances(o, start.at, from, b)
		if err != nil {
			return nil, err
		}
		for _, w := range walls {
			onsets = append(onsets, onset{at: int64(w) - int64(from), offset: to, dst: o.Name == "DAYLIGHT", name: abbreviation(propValue(o, "TZNAME"), to)})
		}
		if at := int64(start.at) - int64(from); at < firstAt {
			first, firstAt = from, at
		}
	}
	if len(onsets) == 0 {
		return nil, errors.New("no STANDARD or DAYLIGHT in it")
	}
	slices.SortStableFunc(onsets, func(a, b onset) int {
		switch {
		case a.at < b.at:
			return -1
		case a.at > b.at:
			return 1
		}
		return 0
	})
	return time.LoadLocationFromTZData(name, tzif(first, onsets))
}

// observances lists the wall times at which an observance begins.
func observances(o *ical.Component, start wall, from int, b *budget) ([]wall, error) {
	out := []wall{start}
	lo, hi := wallOf(zoneFrom, 1, 1, 0), wallOf(zoneTo, 1, 1, 0)
	for _, p := range o.Props["RRULE"] {
		r, err := parseRule(p.Value)
		if err != nil {
			return nil, fmt.Errorf("RRULE in %s: want %w", o.Name, err)
		}
		if r.freq > monthly {
			return nil, fmt.Errorf("RRULE in %s: clocks that change %s", o.Name, strings.ToLower(freqNames[r.freq]))
		}
		until := hi
		if r.until.set() {
			if until = r.until.at; r.until.utc {
				until += wall(from)
			}
		}
		err = r.expand(start, until, lo, hi, b, func(w wall) bool {
			out = append(out, w)
			return len(out) < 2000
		})
		if err != nil {
			return nil, err
		}
	}
	for _, p := range o.Props["RDATE"] {
		for part := range strings.SplitSeq(p.Value, ",") {
			part, _, _ = strings.Cut(part, "/")
			if st, ok := parseStamp(part); ok && len(out) < 2000 {
				if st.utc {
					st.at += wall(from)
				}
				out = append(out, st.at)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

func abbreviation(name string, offset int) string {
	if name = strings.TrimSpace(unescape(name)); name != "" && len(name) <= 16 {
		return name
	}
	sign := '+'
	if offset < 0 {
		sign, offset = '-', -offset
	}
	return fmt.Sprintf("%c%02d%02d", sign, offset/3600, offset/60%60)
}

// tzif writes the changes of a zone's clocks as RFC 8536 has it, version 2. first
// is the offset before all of them.
func tzif(first int, onsets []onset) []byte {
	type kind struct {
		offset int
		dst    bool
		name   string
	}
	kinds := []kind{{first, false, abbreviation("", first)}}
	var times, indexes, infos, names []byte
	for _, o := range onsets {
		k := kind{o.offset, o.dst, o.name}
		i := slices.Index(kinds[1:], k) + 1
		if i == 0 {
			if len(kinds) == 255 {
				continue
			}
			i = len(kinds)
			kinds = append(kinds, k)
		}
		times = binary.BigEndian.AppendUint64(times, uint64(o.at))
		indexes = append(indexes, byte(i))
	}
	at := map[string]int{}
	for _, k := range kinds {
		if _, ok := at[k.name]; !ok && len(names)+len(k.name) < 200 {
			at[k.name] = len(names)
			names = append(append(names, k.name...), 0)
		}
		infos = binary.BigEndian.AppendUint32(infos, uint32(int32(k.offset)))
		dst := byte(0)
		if k.dst {
			dst = 1
		}
		infos = append(infos, dst, byte(at[k.name]))
	}
	header := func(counts ...uint32) []byte {
		b := append([]byte("TZif2"), make([]byte, 15)...)
		for _, n := range counts {
			b = binary.BigEndian.AppendUint32(b, n)
		}
		return b
	}
	out := header(0, 0, 0, 0, 0, 0)
	out = append(out, header(0, 0, 0, uint32(len(indexes)), uint32(len(kinds)), uint32(len(names)))...)
	return slices.Concat(out, times, indexes, infos, names, []byte("\n\n"))
}

// firstProp returns the first property of a name, which is in upper case, or nil.
func firstProp(c *ical.Component, name string) *ical.Prop {
	if ps := c.Props[name]; len(ps) > 0 {
		return &ps[0]
	}
	return nil
}

// propValue returns its value, or "".
func propValue(c *ical.Component, name string) string {
	if p := firstProp(c, name); p != nil {
		return p.Value
	}
	return ""
}
