package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/postroom/postroom/internal/walltime"
	"github.com/postroom/postroom/post"
)

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
	names := walltime.Names()
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
