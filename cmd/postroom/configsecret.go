package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/postroom/postroom/internal/secret"
	"github.com/postroom/postroom/post"
)

// maxSecret bounds a secret in bytes.
const maxSecret = 16 << 10

const wantSecret = "${NAME} of an environment variable, file:PATH, stored:NAME, or the text itself"

// secretText returns what reads a secret: the text itself, ${NAME}, file:PATH
// for the content of a file, relative to the config's folder and without the
// white space around it, or stored:NAME for one that `connections add` stored.
// No problem ever shows it.
func secretText(into *secret.Value) func(value) { return secretFrom(into, value.stored) }

// ownSecret reads a secret that cannot be a stored one: it opens those.
func ownSecret(into *secret.Value) func(value) {
	return secretFrom(into, func(v value, _ string) (string, bool) {
		v.problem(post.Problem{Want: "the key of what is stored cannot be stored there", Hint: "write file:PATH or ${NAME}"})
		return "", false
	})
}

func secretFrom(into *secret.Value, stored func(v value, name string) (string, bool)) func(value) {
	return func(v value) {
		raw, ok := v.raw(wantSecret)
		if !ok {
			return
		}
		text, ok := v.expand(raw)
		if !ok {
			return
		}
		if path, isFile := strings.CutPrefix(text, "file:"); isFile {
			if text, ok = v.secretFile(path); !ok {
				return
			}
		} else if name, isStored := strings.CutPrefix(text, "stored:"); isStored {
			if text, ok = stored(v, name); !ok {
				return
			}
		} else if text != "" && !strings.Contains(raw, "${") {
			v.d.literal = append(v.d.literal, v.path)
		}
		want, hint := badSecret(text)
		if text == "" {
			want = "is empty, want " + wantSecret
		}
		if want != "" {
			v.problem(post.Problem{Want: want, Hint: hint})
			return
		}
		*into = secret.New(text)
	}
}

// secretFile reads a secret that stands in a file of its own.
func (v value) secretFile(path string) (string, bool) {
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(v.d.file), path)
	}
	bad := func(why string) (string, bool) {
		v.problem(post.Problem{Got: "file:" + path, Want: why})
		return "", false
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return bad("a file that can be read: " + reason(err))
	case !info.Mode().IsRegular():
		return bad("a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return bad("a file that can be read: " + reason(err))
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSecret+2))
	if err != nil {
		return bad("a file that can be read: " + reason(err))
	}
	if openToOthers(info.Mode()) {
		v.problem(post.Problem{Severity: post.SeverityWarning, Got: "file:" + path, Want: "a file that others cannot read", Hint: "chmod 600 " + path})
	}
	return strings.TrimSpace(string(text)), true
}

// reason returns an error of the file system without its path.
func reason(err error) string {
	if p, ok := err.(*fs.PathError); ok {
		return p.Err.Error()
	}
	return err.Error()
}

// openToOthers reports whether others than the owner may read a file. Windows
// has no such bits.
func openToOthers(mode fs.FileMode) bool {
	return runtime.GOOS != "windows" && mode&0o044 != 0
}

// warnOpenFile warns of secrets that stand in a config that others can read.
func (d *decoder) warnOpenFile(path string, mode fs.FileMode) {
	if len(d.literal) == 0 || !openToOthers(mode) {
		return
	}
	d.problems = append(d.problems, post.Problem{
		File: path, Severity: post.SeverityWarning, Field: d.literal[0],
		Want: fmt.Sprintf("stands in a file that others can read (mode %04o)", mode.Perm()),
		Hint: fmt.Sprintf("chmod 600 %s, or write ${NAME}, file:PATH or stored:NAME", path),
	})
}
