package intake

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/postroom/postroom/internal/walltime"
	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
)

// perDay counts what a file plans for each connection on each day, where the
// platform is said to take so many a day and no more.
type perDay struct {
	zone  *time.Location
	conns map[post.ConnectionID]*dayCounts
	sets  map[uint32][]*dayCounts // the same, of each connection of a set
}

// dayCounts are the posts of one connection.
type dayCounts struct {
	zone  *time.Location
	most  int   // a day; 0 for no bound
	first int   // the day of count[0], as [walltime.Day] counts them
	count []int // by day
}

func newPerDay(zone *time.Location) *perDay {
	return &perDay{zone: zone, conns: map[post.ConnectionID]*dayCounts{}, sets: map[uint32][]*dayCounts{}}
}

// of returns the counts of the connections of a set.
func (d *perDay) of(set uint32, ids []post.ConnectionID) []*dayCounts {
	if all, ok := d.sets[set]; ok {
		return all
	}
	all := make([]*dayCounts, len(ids))
	for i, c := range ids {
		if d.conns[c] == nil {
			d.conns[c] = &dayCounts{zone: d.zone, most: limits.RateOf(c.Platform()).MostDay}
		}
		all[i] = d.conns[c]
	}
	d.sets[set] = all
	return all
}

// add counts one post.
func (d *dayCounts) add(at time.Time) {
	if d.most == 0 {
		return
	}
	day := walltime.Day(at, d.zone)
	switch {
	case len(d.count) == 0:
		d.first = day
	case day < d.first:
		d.count = append(make([]int, d.first-day), d.count...)
		d.first = day
	}
	if more := day - d.first + 1 - len(d.count); more > 0 {
		d.count = append(d.count, make([]int, more)...)
	}
	d.count[day-d.first]++
}

// notes warns of the connections that have more planned on a day than their
// platform takes (CONTRACT §5.4), each with its fullest day.
func (d *perDay) notes(file string) (notes []post.Problem) {
	for _, c := range slices.Sorted(maps.Keys(d.conns)) {
		counts := d.conns[c]
		over, fullest := 0, 0
		for i, n := range counts.count {
			if n > counts.most {
				if over++; over == 1 || n > counts.count[fullest] {
					fullest = i
				}
			}
		}
		if over == 0 {
			continue
		}
		l, _ := limits.PlatformByKey(c.Platform())
		got := fmt.Sprintf("%d posts of %s on %s", counts.count[fullest], c, walltime.DayTime(counts.first+fullest).Format(time.DateOnly))
		if over > 1 {
			got += fmt.Sprintf(", and too many on %d other days", over-1)
		}
		notes = append(notes, post.Problem{
			File: file, Severity: post.SeverityWarning, Platform: c.Platform(), Code: "PLATFORM_DAY_CAP",
			Got: got, Want: fmt.Sprintf("at most %d a day: %s is said to take no more", counts.most, l.Name), Hint: "spread them over more days, or the last of a day may fail",
		})
	}
	return notes
}
