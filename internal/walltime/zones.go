package walltime

import (
	_ "embed"
	"regexp"
	"strings"
	"sync"
	"time"
)

// zoneList are the names of the IANA database that have a place in them, one a
// line.
//
//go:embed zones.txt
var zoneList string

// Names lists the zones that have a place in their name, like Europe/Berlin.
var Names = sync.OnceValue(func() []string { return strings.Fields(zoneList) })

var byLower = sync.OnceValue(func() map[string]string {
	m := make(map[string]string, 512)
	for _, n := range Names() {
		m[strings.ToLower(n)] = n
	}
	return m
})

// zoneShape keeps paths, dots and blanks away from the file system.
var zoneShape = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$`)

// Load finds a zone by its IANA name, in any case and with blanks for
// underscores. It never takes "Local", which is another zone on every machine.
func Load(name string) (*time.Location, bool) {
	name = strings.ReplaceAll(strings.TrimSpace(name), " ", "_")
	lower := strings.ToLower(name)
	if lower == "local" || !zoneShape.MatchString(name) {
		return nil, false
	}
	switch lower {
	case "utc", "gmt", "z", "zulu":
		return time.UTC, true
	}
	if proper, ok := byLower()[lower]; ok {
		name = proper
	}
	loc, err := time.LoadLocation(name)
	if err != nil && name != strings.ToUpper(name) {
		loc, err = time.LoadLocation(strings.ToUpper(name))
	}
	return loc, err == nil
}
