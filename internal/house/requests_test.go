package house

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// makesRequest matches what net/http could send a second time by itself, as it does
// with a request that carries an Idempotency-Key and has a GetBody (P2). The client of
// package publish takes that from it; all else only fetches.
var makesRequest = regexp.MustCompile(`\bhttp\.(NewRequest(WithContext)?\(|Post(Form)?\()`)

func TestP2_OnlyOneClientSendsAnythingButFetches(t *testing.T) {
	t.Parallel()
	root, found := filepath.Join("..", ".."), 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			name := d.Name()
			if name == "internal" || name != ".." && strings.HasPrefix(name, ".") || name == "node_modules" || name == "testdata" {
				return fs.SkipDir // internal/ holds no publisher, but tools and tests
			}
			return nil
		}
		rel, err := filepath.Rel(root, path)
		if err != nil || !strings.HasSuffix(rel, ".go") || strings.HasSuffix(rel, "_test.go") {
			return err
		}
		b, err := os.ReadFile(path)
		for n, line := range strings.Split(string(b), "\n") {
			if !makesRequest.MatchString(line) {
				continue
			}
			found++
			if filepath.ToSlash(rel) != "publish/client.go" && !strings.Contains(line, "http.MethodGet") {
				t.Errorf("%s:%d: %s: send it by publish.Client, which sends nothing twice", rel, n+1, strings.TrimSpace(line))
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if found < 2 {
		t.Errorf("only %d requests were found: the search is broken", found)
	}
}
