package intake

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
)

// perDay counts what a file plans for each connection on each day, where the
// platform is said to take so many a day and no more.
type perDay struct {
	zone  *time.Location
	most  map[post.ConnectionID]int
	count map[post.ConnectionID]map[int32]int // by day, as dayOf numbers it
}

func newPerDay(zone *time.Location) *perDay {
	return &perDay{zone: zone, most: map[post.ConnectionID]int{}, count: map[post.ConnectionID]map[int32]int{}}
}

// dayOf numbers the days of a zone.
func (d *perDay) dayOf(at time.Time) int32 {
	y, m, day := at.In(d.zone).Date()
	return int32(time.Date(y, m, day, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}

// add counts one post.
func (d *perDay) add(c post.ConnectionID, at time.Time) {
	most, known := d.most[c]
	if !known {
		most = limits.RateOf(c.Platform()).MostDay
		d.most[c], d.count[c] = most, map[int32]int{}
	}
	if most > 0 {
		d.count[c][d.dayOf(at)]++
	}
}

// notes warns of the connections that have more planned on a day than their
// platform takes (CONTRACT §5.4), each with its fullest day.
func (d *perDay) notes(file string) (notes []post.Problem) {
	for _, c := range slices.Sorted(maps.Keys(d.count)) {
		most, over, fullest := d.most[c], 0, int32(0)
		for _, day := range slices.Sorted(maps.Keys(d.count[c])) {
			if n := d.count[c][day]; n > most {
				if over++; over == 1 || n > d.count[c][fullest] {
					fullest = day
				}
			}
		}
		if over == 0 {
			continue
		}
		l, _ := limits.PlatformByKey(c.Platform())
		got := fmt.Sprintf("%d posts of %s on %s", d.count[c][fullest], c, time.Unix(int64(fullest)*86400, 0).UTC().Format(time.DateOnly))
		if over > 1 {
			got += fmt.Sprintf(", and too many on %d other days", over-1)
		}
		notes = append(notes, post.Problem{
			File: file, Severity: post.SeverityWarning, Platform: c.Platform(), Code: "PLATFORM_DAY_CAP",
			Got: got, Want: fmt.Sprintf("at most %d a day: %s is said to take no more", most, l.Name), Hint: "spread them over more days, or the last of a day may fail",
		})
	}
	return notes
}
