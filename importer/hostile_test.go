package importer

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postroom/postroom/post"
)

var update = flag.Bool("update", false, "write the golden files anew")

// hostileOptions are the options of a file in testdata/hostile: the first word
// of its name may set one.
func hostileOptions(t testing.TB, name string) Options {
	o := testOptions(t, name)
	switch word, _, _ := strings.Cut(name, "-"); word {
	case "dmy", "mdy", "ymd":
		o.DateOrder = word
	case "defaults":
		o.Platforms = []post.ConnectionID{"mastodon-acme"}
	case "drafts":
		o.Status = post.StatusDraft
	}
	return o
}

// hostileFiles returns the inputs in testdata/hostile by name.
func hostileFiles(t testing.TB) map[string][]byte {
	t.Helper()
	names, err := filepath.Glob("testdata/hostile/*")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, name := range names {
		if strings.HasSuffix(name, ".want") {
			continue
		}
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(name)] = data
	}
	return files
}

// Each file in testdata/hostile is odd in the way its name says; NAME.want is
// what must come of it.
func TestHostileFiles(t *testing.T) {
	files := hostileFiles(t)
	if len(files) < 150 {
		t.Errorf("only %d files: some are missing", len(files))
	}
	for name, data := range files {
		t.Run(name, func(t *testing.T) {
			got := read(t, hostileOptions(t, name), data)
			golden := filepath.Join("testdata/hostile", name+".want")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}
