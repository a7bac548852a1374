package calendar

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-ical"

	"github.com/postroom/postroom/internal/walltime"
)

// A zone is what a TZID was found to mean.
type zone struct {
	loc   *time.Location // nil when nothing tells
	how   string         // how it was found, where that is not plain from the name
	guess bool           // it may be another than was meant
}

// name is what people are shown.
func (z zone) name() string {
	if z.how == "" {
		return z.loc.String()
	}
	return fmt.Sprintf("%s (%s)", z.loc, z.how)
}

// zoneNames are the names that were looked up for one file. Each one that is not
// known is searched for among the system's files, so there is an end to them.
type zoneNames map[string]zone

// mostZoneNames is more than the 600 that the world has.
const mostZoneNames = 700

// find is zoneByName, once for each name.
func (n zoneNames) find(name string) zone {
	z, ok := n[name]
	if !ok && len(n) < mostZoneNames {
		z = zoneByName(name)
		n[name] = z
	}
	return z
}

// zone finds the zone of a TZID: an IANA name, one that Windows uses, one at the
// end of a path, the calendar's own VTIMEZONE, an offset in the name. The answer
// is kept for the calendar.
func (c *vcalendar) zone(tzid string) zone {
	if z, ok := c.found[tzid]; ok {
		return z
	}
	z := c.find(tzid)
	if c.found == nil {
		c.found = map[string]zone{}
	}
	c.found[tzid] = z
	return z
}

func (c *vcalendar) find(tzid string) zone {
	name := strings.Trim(strings.TrimSpace(unescape(tzid)), `"'`)
	vtz := c.zones[name]
	if z := c.names.find(name); z.loc != nil && !(vtz != nil && loose[strings.ToUpper(name)] && hasSummer(vtz)) {
		return z
	}
	if vtz != nil {
		if lic := propValue(vtz, "X-LIC-LOCATION"); lic != "" {
			if loc, ok := walltime.Load(unescape(lic)); ok {
				return zone{loc: loc, how: "X-LIC-LOCATION of " + name}
			}
		}
		if loc, err := zoneOf(vtz, name, &c.steps); err == nil {
			return zone{loc: loc, how: "as the calendar defines it"}
		}
	}
	if area, place, ok := strings.Cut(name, "-"); ok && !strings.Contains(name, "/") { // US-Eastern
		if loc := c.names.find(area + "/" + place).loc; loc != nil {
			return zone{loc: loc, how: fmt.Sprintf("from %q", name)}
		}
	}
	if loc, ok := zoneByOffset(name); ok {
		return zone{loc: loc, how: fmt.Sprintf("a fixed offset, from the name %q: without summer time", name), guess: true}
	}
	return zone{}
}

// loose are names that stand for one offset, and that people also give to a zone
// with summer time. The calendar tells where it is that.
var loose = words("EST MST HST GMT")

// hasSummer reports whether a VTIMEZONE has summer time.
func hasSummer(vtz *ical.Component) bool {
	return slices.ContainsFunc(vtz.Children, func(c *ical.Component) bool { return c.Name == "DAYLIGHT" })
}

// zoneByName finds a zone by a name that is known: of the IANA database, of
// Windows, or one of these at the end of a path.
func zoneByName(name string) zone {
	if loc, ok := walltime.Load(name); ok {
		z := zone{loc: loc}
		if loc.String() != name {
			z.how = fmt.Sprintf("from %q", name)
		}
		return z
	}
	if iana, ok := windowsZone(name); ok {
		if loc, ok := walltime.Load(iana); ok {
			return zone{loc: loc, how: fmt.Sprintf("Windows name %q", name)}
		}
	}
	parts := strings.FieldsFunc(name, func(r rune) bool { return r == '/' })
	for n := min(3, len(parts)-1); n >= 2; n-- {
		if loc, ok := walltime.Load(strings.Join(parts[len(parts)-n:], "/")); ok {
			return zone{loc: loc, how: fmt.Sprintf("from %q", name)}
		}
	}
	if rest, ok := strings.CutPrefix(name, "posix/"); ok {
		return zoneByName(rest)
	}
	return zone{}
}

// windowsZone finds the IANA name of what Windows calls a zone.
func windowsZone(name string) (string, bool) {
	if iana, ok := windowsZones[name]; ok {
		return iana, true
	}
	iana, ok := windowsByLower()[strings.ToLower(name)]
	return iana, ok
}

var windowsByLower = sync.OnceValue(func() map[string]string {
	m := make(map[string]string, len(windowsZones))
	for name, iana := range windowsZones {
		m[strings.ToLower(name)] = iana
	}
	return m
})

var offsetName = regexp.MustCompile(`(?i)^\(?(?:utc|gmt)?\s*([+-])(\d{1,2})(?::?(\d{2}))?\)?(?:\s.*)?$`)

// zoneByOffset reads (UTC+01:00) …, GMT-3 and UTC+11.
func zoneByOffset(name string) (*time.Location, bool) {
	m := offsetName.FindStringSubmatch(name)
	if m == nil || number(m[2]) > 14 || number(m[3]) > 59 {
		return nil, false
	}
	seconds := number(m[2])*3600 + number(m[3])*60
	if m[1] == "-" {
		seconds = -seconds
	}
	return time.FixedZone(fmt.Sprintf("%s%02d:%02d", m[1], number(m[2]), number(m[3])), seconds), true
}
