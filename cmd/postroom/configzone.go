package main

import (
	_ "embed"
	"fmt"
	"strings"
	"time"

	"github.com/postroom/postroom/post"
)

// zoneNames are the names that may be suggested: those of the IANA database
// that have a place in them, one a line.
//
//go:embed configzones.txt
var zoneNames string

// zoneName reads the name of a time zone.
var zoneName = parser[*time.Location]{
	want: "the name of a time zone, like Europe/Berlin",
	parse: func(text string) (*time.Location, string, bool) {
		if text != "" && text != "Local" {
			if loc, err := time.LoadLocation(text); err == nil {
				return loc, "", true
			}
		}
		if near := nearestZone(text); near != "" {
			return nil, fmt.Sprintf("did you mean %s?", near), false
		}
		return nil, "", false
	},
}

// nearestZone returns the zone most likely meant: another spelling of its name,
// or of the city at its end.
func nearestZone(text string) string {
	text = strings.ReplaceAll(strings.TrimSpace(text), " ", "_")
	names := strings.Fields(zoneNames)
	for _, n := range names {
		if strings.EqualFold(n, text) || strings.EqualFold(cityOf(n), text) {
			return n
		}
	}
	if near := post.Nearest(text, names); near != "" {
		return near
	}
	cities := make([]string, len(names))
	for i, n := range names {
		cities[i] = cityOf(n)
	}
	near := post.Nearest(cityOf(text), cities)
	for i, c := range cities {
		if near != "" && c == near {
			return names[i]
		}
	}
	return ""
}

func cityOf(zone string) string { return zone[strings.LastIndexByte(zone, '/')+1:] }
