package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/postroom/postroom/calendar"
	"github.com/postroom/postroom/importer"
	"github.com/postroom/postroom/intake"
	"github.com/postroom/postroom/post"
)

// defaultsName is the file in which an inbox folder says what holds for the
// calendars in it. It comes from whoever may drop files, so it reads no
// environment and no other file.
const defaultsName = "defaults.yaml"

// maxDefaults bounds one defaults.yaml in bytes.
const maxDefaults = 16 << 10

// Defaults are what the defaults.yaml of an inbox folder and of those above it
// say. A zero field says nothing: the account decides.
type Defaults struct {
	Timezone      *time.Location
	DateOrder     string      // dmy, mdy or ymd
	Status        post.Status // draft, or scheduled
	Stagger       StaggerConfig
	Calendar      intake.Calendar // how calendars are read
	Sheet         string          // of a workbook
	CancelRemoved bool            // posts whose row a new revision lacks are cancelled

	platforms []placedName
	profiles  map[string][]placedName // by what other tools call them, in lower case
}

// A placedName is a name in a platforms list and where it stands.
type placedName struct {
	name string
	at   post.Problem // its place
}

// loadDefaults reads the defaults.yaml in each of the folders that has one, from
// the first to the last: what a later one says replaces what an earlier one
// said. The error is a *[ConfigError], or that of the file system.
func loadDefaults(dirs ...string) (Defaults, error) {
	var all Defaults
	var problems []post.Problem
	for _, dir := range dirs {
		text, err := readDefaults(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		path := filepath.Join(dir, defaultsName)
		if err != nil {
			return Defaults{}, fmt.Errorf("read %s: %w", path, err)
		}
		d := newDecoder(path, nil)
		if root, ok := d.parse(text); ok {
			all.read(root)
		}
		problems = append(problems, d.sorted()...)
	}
	if len(problems) > 0 {
		return Defaults{}, &ConfigError{problems}
	}
	return all, nil
}

// readDefaults returns the text of a folder's defaults. It follows no link out
// of the folder and waits for nothing, should the name be a pipe.
func readDefaults(dir string) ([]byte, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f, err := root.OpenFile(defaultsName, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	text, err := io.ReadAll(io.LimitReader(f, maxDefaults+1))
	if err == nil && len(text) > maxDefaults {
		err = fmt.Errorf("over %d KiB", maxDefaults>>10)
	}
	return text, err
}

// read reads a whole file over what d says already.
func (d *Defaults) read(root value) {
	root.settings([]setting{
		{"platforms", func(v value) { d.platforms = v.platformNames() }},
		{"profiles", func(v value) { d.profiles = v.profileNames() }},
		{"timezone", scalar(&d.Timezone, zoneName)},
		{"date_order", scalar(&d.DateOrder, dateOrder)},
		{"status", scalar(&d.Status, rowStatus)},
		{"stagger", d.Stagger.read},
		{"sheet", scalar(&d.Sheet, sheetName)},
		{"all_events_are_posts", scalar(&d.Calendar.AllEvents, yesNo)},
		{"allday_time", scalar(&d.Calendar.AllDay, clockTime)},
		{"event_text", scalar(&d.Calendar.Content, eventText)},
		{"event_links", scalar(&d.Calendar.Links, yesNo)},
		{"tasks_are_posts", scalar(&d.Calendar.Tasks, yesNo)},
		{"journals_are_posts", scalar(&d.Calendar.Journals, yesNo)},
		{"hourly_series", scalar(&d.Calendar.Hourly, yesNo)},
		{"post_series_start", scalar(&d.Calendar.KeepStart, yesNo)},
		{"removed", scalar(&d.CancelRemoved, parser[bool]{
			want: "keep or cancel",
			parse: func(text string) (bool, string, bool) {
				return text == "cancel", nearest(text, "keep", "cancel"), text == "cancel" || text == "keep"
			},
		})},
	})
}

// sheetName reads the name of a sheet, which a workbook has of up to 31 letters.
var sheetName = parser[string]{
	want: "the name of a sheet",
	parse: func(text string) (string, string, bool) {
		text = strings.TrimSpace(text)
		return text, "", text != "" && len(text) <= 31*4
	},
}

// clockTime reads a time of day, as the length since midnight.
var clockTime = parser[time.Duration]{
	want: `a time of day, like "09:00"`,
	parse: func(text string) (time.Duration, string, bool) {
		at, err := time.Parse("15:04", strings.TrimSpace(text))
		return time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute, "", err == nil
	},
}

// eventTexts are the parts of an event that can be what is posted.
var eventTexts = []string{"either", "description", "summary", "both"}

var eventText = parser[calendar.ContentFrom]{
	want: "either, description, summary or both",
	parse: func(text string) (calendar.ContentFrom, string, bool) {
		i := slices.Index(eventTexts, strings.ToLower(text))
		return calendar.ContentFrom(max(i, 0)), nearest(text, eventTexts...), i >= 0
	},
}

var rowStatus = parser[post.Status]{
	want: "draft or scheduled",
	parse: func(text string) (post.Status, string, bool) {
		s, _ := post.ParseStatus(strings.ToLower(text))
		return s, nearest(text, "draft", "scheduled"), s == post.StatusDraft || s == post.StatusScheduled
	},
}

// platformNames reads a list of names, or one text with ; or , between them.
func (v value) platformNames() []placedName {
	var names []placedName
	add := func(v value) {
		text, ok := v.text("a platform or a connection")
		if !ok {
			return
		}
		at := post.Problem{File: v.d.file, Field: v.path}
		at.Line, at.Column = place(v.node)
		for name := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ';' || r == ',' }) {
			if name = strings.TrimSpace(name); name != "" {
				names = append(names, placedName{name, at})
			}
		}
	}
	if v.kind() == "a single value" {
		add(v)
	} else {
		v.list("platforms, like [twitter, linkedin]", add)
	}
	return names
}

// profileNames reads a map from the names that other tools have for connections to
// the connections.
func (v value) profileNames() map[string][]placedName {
	names := map[string][]placedName{}
	v.entries("names of other tools to connections", strconv.Quote, func(name string, _, v value) {
		names[strings.ToLower(strings.TrimSpace(name))] = v.platformNames()
	})
	return names
}

// Profiles returns the connections that other tools mean by names of their own, as
// the account's directory resolves them. The error is a *[ConfigError].
func (d *Defaults) Profiles(account *post.Directory) (importer.Profiles, error) {
	if len(d.profiles) == 0 {
		return nil, nil
	}
	profiles := importer.Profiles{}
	var problems []post.Problem
	for _, name := range slices.Sorted(maps.Keys(d.profiles)) {
		ids, wrong := resolveNames(account, d.profiles[name])
		profiles[name] = ids
		problems = append(problems, wrong...)
	}
	if len(problems) > 0 {
		return nil, &ConfigError{problems}
	}
	return profiles, nil
}

// Platforms returns the connections of rows that name none, as the account's
// directory resolves them. The error is a *[ConfigError].
func (d *Defaults) Platforms(account *post.Directory) ([]post.ConnectionID, error) {
	ids, problems := resolveNames(account, d.platforms)
	if len(problems) > 0 {
		return nil, &ConfigError{problems}
	}
	return ids, nil
}

// resolveNames finds the connections of names, and says which have none.
func resolveNames(account *post.Directory, names []placedName) (ids []post.ConnectionID, problems []post.Problem) {
	for _, p := range names {
		id, err := account.Resolve(p.name)
		if err != nil {
			at := p.at
			at.Got, at.Want = p.name, err.Error()
			var unresolved *post.ResolveError
			if errors.As(err, &unresolved) {
				at.Want, at.Hint = unresolved.Want, unresolved.Hint
			}
			problems = append(problems, at)
			continue
		}
		ids = append(ids, id)
	}
	return ids, problems
}
