package main

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/template"
	"time"

	"github.com/postroom/postroom/internal/atomicfile"
	"github.com/postroom/postroom/samples"
)

// roomFolders are those of DESIGN §4.
var roomFolders = []string{
	"inbox", "inbox/tmp", "held", "archive", "rejected", "reports", "media", "outbox", "data",
}

// roomTemplates are the files of a new room.
//
//go:embed initroom
var roomTemplates embed.FS

// initOptions say what a new room is to fit.
type initOptions struct {
	Now  time.Time // to which the samples' times are relative
	Zone string    // of the machine, as [machineZone] finds it
}

// initRoom lays out a room: the folders, a commented config, and calendars to
// try it with. What exists stays as it is, and a folder that has a config gets
// no samples: somebody works in it. It returns what it made, relative to dir.
func initRoom(dir string, o initOptions) (made []string, err error) {
	zone, err := time.LoadLocation(o.Zone)
	if err != nil {
		return nil, fmt.Errorf("lay out %s: %w", dir, err)
	}
	l := &layout{dir: dir}
	for _, folder := range roomFolders {
		l.folder(folder)
	}
	fresh := l.file(configName, "postroom.yaml", 0o600, o)
	l.file(".gitignore", "gitignore", 0o644, o)
	if fresh {
		for _, s := range samples.All() {
			inbox := "inbox/" + s.Account
			if l.folder(inbox) {
				l.file(inbox+"/"+defaultsName, "defaults.yaml", 0o644, o)
			}
			l.sample(inbox, s, o.Now, zone)
		}
	}
	if l.err != nil {
		return l.made, fmt.Errorf("lay out %s: %w", dir, l.err)
	}
	return l.made, nil
}

// A layout makes the parts of a room until one cannot be made.
type layout struct {
	dir  string
	made []string
	err  error
}

// folderMode is who may enter a folder of a room: only its owner the store's.
func folderMode(name string) fs.FileMode {
	if name == "data" {
		return 0o700
	}
	return 0o755
}

// folder makes a folder, and reports whether it was missing.
func (l *layout) folder(name string) bool {
	if l.err != nil {
		return false
	}
	path := filepath.Join(l.dir, filepath.FromSlash(name))
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return false
	}
	if l.err = os.MkdirAll(path, folderMode(name)); l.err != nil {
		return false
	}
	l.made = append(l.made, filepath.FromSlash(name)+string(filepath.Separator))
	return true
}

// file writes a file from its template, and reports whether it was missing.
func (l *layout) file(name, from string, mode fs.FileMode, o initOptions) bool {
	if l.err != nil {
		return false
	}
	text, err := roomTemplates.ReadFile("initroom/" + from)
	if err != nil {
		l.err = err
		return false
	}
	t, err := template.New(from).Parse(string(text))
	if err != nil {
		l.err = err
		return false
	}
	var b bytes.Buffer
	if l.err = t.Execute(&b, o); l.err != nil {
		return false
	}
	return l.write(name, b.Bytes(), mode)
}

// sample puts a calendar into the inbox in one step, so that a running postroom
// never sees half of it.
func (l *layout) sample(inbox string, s samples.Sample, now time.Time, zone *time.Location) {
	if l.err != nil {
		return
	}
	text, err := s.Render(now, zone)
	if err != nil {
		l.err = err
		return
	}
	name := filepath.Join(filepath.FromSlash(inbox), s.Name)
	temp := filepath.Join(l.dir, "inbox", "tmp", s.Name)
	if l.err = atomicfile.WriteFile(temp, text, 0o644); l.err != nil {
		return
	}
	switch err := atomicfile.Move(temp, filepath.Join(l.dir, name)); {
	case err == nil:
		l.made = append(l.made, name)
	case errors.Is(err, fs.ErrExist):
		l.err = os.Remove(temp)
	default:
		l.err = err
	}
}

// write makes a file, and reports whether it was missing.
func (l *layout) write(name string, text []byte, mode fs.FileMode) bool {
	f, err := os.OpenFile(filepath.Join(l.dir, filepath.FromSlash(name)), os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) {
		return false
	}
	if err == nil {
		_, err = f.Write(text)
		err = errors.Join(err, f.Close())
	}
	if l.err = err; err != nil {
		return false
	}
	l.made = append(l.made, filepath.FromSlash(name))
	return true
}

// machineZone returns the name of this machine's time zone, UTC when it has
// none that another machine would know.
func machineZone(env func(string) (string, bool)) string {
	name, _ := env("TZ")
	if name = strings.TrimPrefix(name, ":"); name == "" {
		if link, err := filepath.EvalSymlinks("/etc/localtime"); err == nil {
			_, name, _ = strings.Cut(filepath.ToSlash(link), "/zoneinfo/")
		}
	}
	if name == "" {
		text, err := os.ReadFile("/etc/timezone")
		if err == nil {
			name = strings.TrimSpace(string(text))
		}
	}
	if _, _, ok := zoneName.parse(name); !ok {
		return "UTC"
	}
	return strings.TrimPrefix(name, "Etc/")
}
