package intake_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/postroom/postroom/intake"
	"github.com/postroom/postroom/post"
)

// A plannedEvent is an event as somebody keeps it in a calendar program.
type plannedEvent struct {
	uid       string
	start     time.Time
	text      string
	rule      string // "" for a single event
	gone      []int  // instances taken out, in periods from the start
	moved     int    // the instance that was moved by an hour; -1 for none
	cancelled bool
	sequence  int
}

const icalTime = "20060102T150405Z"

// instance is when the n-th one of a series is.
func (e *plannedEvent) instance(n int) time.Time {
	days := 7
	if strings.Contains(e.rule, "DAILY") {
		days = 1
	}
	return e.start.AddDate(0, 0, days*n)
}

// lines are the event as its program exports it, an override last.
func (e *plannedEvent) lines() []string {
	more := []string{fmt.Sprint("SEQUENCE:", e.sequence)}
	if e.cancelled {
		more = append(more, "STATUS:CANCELLED")
	}
	if e.rule == "" {
		return []string{vevent(e.uid, e.start.Format(icalTime), e.text, more...)}
	}
	for _, n := range e.gone {
		more = append(more, "EXDATE:"+e.instance(n).Format(icalTime))
	}
	out := []string{vevent(e.uid, e.start.Format(icalTime), e.text, append(more, "RRULE:"+e.rule)...)}
	if e.moved >= 0 && !e.cancelled {
		at := e.instance(e.moved)
		out = append(out, vevent(e.uid, at.Add(time.Hour).Format(icalTime), e.text+", moved", "RECURRENCE-ID:"+at.Format(icalTime), fmt.Sprint("SEQUENCE:", e.sequence)))
	}
	return out
}

// A calendarRun is a calendar program, and a desk that takes its exports.
type calendarRun struct {
	*desk
	rt      *rapid.T
	events  []*plannedEvent
	made    int
	exports int
	text    string             // the last export
	archive map[post.ID]string // originals
	seen    map[post.ID]bool
	live    map[post.ID]string // groups that went out, as they were then
}

func (c *calendarRun) groups() []post.Group {
	var out []post.Group
	for cursor := ""; ; {
		gs, next, err := c.store.Groups(c.t.Context(), post.Filter{}, cursor, 500)
		if err != nil {
			c.rt.Fatal(err)
		}
		out = append(out, gs...)
		if next == "" {
			return out
		}
		cursor = next
	}
}

// check wants what must hold after whatever happened.
func (c *calendarRun) check(after string) {
	byName := map[string]post.ID{}
	for _, g := range c.groups() {
		status := g.Status()
		if status != post.StatusCancelled {
			if twin, ok := byName[g.ExternalID]; ok {
				c.rt.Fatalf("after %s: P2: %s is there twice, as %s and %s", after, g.ExternalID, twin, g.ID)
			}
			byName[g.ExternalID] = g.ID
		}
		if !c.seen[g.ID] && status == post.StatusScheduled && g.RequestedAt.Before(c.now.Add(-15*time.Minute)) {
			c.rt.Fatalf("after %s: %s was over at %s and is to go out at %s", after, g.ExternalID, g.RequestedAt, g.ScheduledAt)
		}
		c.seen[g.ID] = true
		is, err := json.Marshal(g)
		if err != nil {
			c.rt.Fatal(err)
		}
		if was, ok := c.live[g.ID]; ok && was != string(is) {
			c.rt.Fatalf("after %s: a post that is out was touched:\n was %s\n  is %s", after, was, is)
		}
		if status == post.StatusPublished {
			c.live[g.ID] = string(is)
		}
	}
}

func (c *calendarRun) edit() {
	pick := func() *plannedEvent { return c.events[rapid.IntRange(0, len(c.events)-1).Draw(c.rt, "event")] }
	what := rapid.SampledFrom([]string{"add", "text", "time", "cancel", "take out", "move", "delete"}).Draw(c.rt, "edit")
	if what == "add" || len(c.events) == 0 {
		c.made++
		c.events = append(c.events, &plannedEvent{
			uid: fmt.Sprint("u", c.made), text: fmt.Sprint("text ", c.made), moved: -1,
			start: c.now.Truncate(time.Hour).Add(time.Duration(rapid.IntRange(-60, 200).Draw(c.rt, "hours")) * time.Hour),
			rule:  rapid.SampledFrom([]string{"", "", "FREQ=WEEKLY", "FREQ=WEEKLY;COUNT=3", "FREQ=DAILY;COUNT=5"}).Draw(c.rt, "rule"),
		})
		return
	}
	e := pick()
	if rapid.Bool().Draw(c.rt, "counts") { // some programs do not count their changes
		e.sequence++
	}
	switch what {
	case "text":
		e.text += "!"
	case "time":
		e.start = e.start.Add(time.Duration(rapid.IntRange(-30, 30).Draw(c.rt, "by")) * time.Hour)
	case "cancel":
		e.cancelled = !e.cancelled
	case "take out":
		e.gone = append(e.gone, rapid.IntRange(0, 4).Draw(c.rt, "instance"))
	case "move":
		e.moved = rapid.IntRange(-1, 2).Draw(c.rt, "instance")
	case "delete":
		c.events = slices.DeleteFunc(c.events, func(o *plannedEvent) bool { return o == e })
	}
}

// export writes the calendar anew: other bytes every time.
func (c *calendarRun) export() string {
	c.exports++
	var lines []string
	for _, e := range c.events {
		lines = append(lines, e.lines()...)
	}
	if c.exports%2 == 0 {
		slices.Reverse(lines)
	}
	for i := range lines {
		lines[i] += fmt.Sprintf("\nDTSTAMP:%s", c.now.Add(time.Duration(c.exports)*time.Second).Format(icalTime))
	}
	return ics(lines...)
}

// bring has a file taken, in a folder that mirrors its calendar or not.
func (c *calendarRun) bring(text string, mirror bool) {
	req := c.request("team.ics", text)
	req.CancelRemoved = mirror
	res, err := c.intake.Import(c.t.Context(), req)
	if err != nil {
		c.rt.Fatal(err)
	}
	if n := res.Import.Counts; res.Outcome != intake.Unusable && n.Rows != n.Accepted+n.Held+n.Rejected+n.Unchanged {
		c.rt.Fatalf("P4: %+v", n)
	}
	if res.Outcome == intake.Taken {
		if err := c.intake.Filed(c.t.Context(), res.Import, "archive/team.ics"); err != nil {
			c.rt.Fatal(err)
		}
		c.archive[res.Import.ID] = text
	}
}

// extend lays out the series further, and wants the second time to do nothing.
func (c *calendarRun) extend() {
	for n := range 2 {
		latest := c.latest()
		if latest.ID.IsZero() {
			return
		}
		text := c.archive[latest.ID]
		res, err := c.intake.Extend(c.t.Context(), latest, c.request("team.ics", text))
		if err != nil {
			c.rt.Fatal(err)
		}
		if res.Outcome == intake.Taken {
			c.archive[res.Import.ID] = text
		}
		if n == 1 && res.Outcome != 0 {
			c.rt.Fatalf("laid out twice in a day: %+v", res.Import.Counts)
		}
	}
}

// cut brings the last export as it would be if its copy had ended too early.
func (c *calendarRun) cut() {
	ends := strings.Split(c.text, "END:VEVENT\r\n")
	if len(ends) < 3 {
		return
	}
	keep := rapid.IntRange(1, len(ends)-2).Draw(c.rt, "whole events")
	was := c.waiting()
	c.bring(strings.Join(ends[:keep], "END:VEVENT\r\n")+"END:VEVENT\r\nBEGIN:VEVENT\r\n", true)
	is := c.waiting()
	for _, w := range was {
		if !slices.Contains(is, w) {
			c.rt.Fatalf("a file that is cut off took %q out of %q", w, was)
		}
	}
}

// Whatever somebody does to a calendar, and whenever its exports come: what is out
// stays as it is and goes out once, what was over is never posted, and neither a
// second export nor a second laying out on the same day does anything, nor does a
// file that is cut off take anything away.
func TestP2_AnySequenceOfExportsLeavesAloneWhatIsOut(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		c := &calendarRun{desk: newDeskIn(t, dir), rt: rt, archive: map[post.ID]string{}, seen: map[post.ID]bool{}, live: map[post.ID]string{}}
		c.edit()
		for range rapid.IntRange(4, 12).Draw(rt, "steps") {
			step := rapid.SampledFrom([]string{"edit", "edit", "export", "export", "wait", "extend", "cut"}).Draw(rt, "step")
			switch step {
			case "edit":
				c.edit()
			case "export":
				mirror := rapid.Bool().Draw(rt, "mirror")
				c.text = c.export()
				c.bring(c.text, mirror)
				was := c.waiting()
				c.text = c.export()
				c.bring(c.text, mirror)
				if is := c.waiting(); !slices.Equal(is, was) {
					rt.Fatalf("the same calendar again changed\n%q to\n%q", was, is)
				}
			case "wait":
				c.publish(c.now.Add(time.Duration(rapid.IntRange(1, 60).Draw(rt, "hours")) * time.Hour))
			case "extend":
				c.extend()
			case "cut":
				c.cut()
			}
			c.check(step)
		}
	})
}

// Series that are laid out day by day come to the same posts as if their calendar
// had just come, whichever days were left out.
func TestMovingTheHorizonComesToTheSamePosts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		rule := rapid.SampledFrom([]string{"FREQ=WEEKLY", "FREQ=DAILY", "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,FR;WKST=SU", "FREQ=MONTHLY;BYMONTHDAY=-1", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "FREQ=DAILY;COUNT=120", "FREQ=WEEKLY;UNTIL=20260701"}).Draw(rt, "rule")
		zone := rapid.SampledFrom([]string{"", ";TZID=Europe/Berlin", ";TZID=America/New_York"}).Draw(rt, "zone")
		event := strings.Replace(vevent("s", monday.Add(time.Duration(rapid.IntRange(-300, 300).Draw(rt, "start"))*time.Hour).Format("20060102T150405"), "again", "RRULE:"+rule), "DTSTART", "DTSTART"+zone, 1)
		run := func() *calendarRun {
			dir, err := os.MkdirTemp(t.TempDir(), "")
			if err != nil {
				t.Fatal(err)
			}
			return &calendarRun{desk: newDeskIn(t, dir), rt: rt, archive: map[post.ID]string{}}
		}
		moved := run()
		moved.bring(ics(event), false)
		for _, days := range rapid.SliceOfN(rapid.IntRange(1, 30), 1, 6).Draw(rt, "days") {
			moved.now = moved.now.AddDate(0, 0, days)
			moved.extend()
		}
		fresh := run()
		fresh.now = moved.now
		fresh.bring(ics(event), false)
		ahead := func(c *calendarRun) (out []string) {
			for _, g := range c.groups() {
				if g.RequestedAt.After(moved.now) {
					out = append(out, g.ExternalID+" "+g.RequestedAt.Format(time.RFC3339))
				}
			}
			slices.Sort(out)
			return out
		}
		if got, want := ahead(moved), ahead(fresh); !slices.Equal(got, want) {
			rt.Fatalf("%s from day to day:\n%q\nat once:\n%q", rule, got, want)
		}
	})
}
