package house

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/postroom/postroom"

// all stands for every package but those that are for tests alone.
const all = "*"

// A room is one package, and which of ours it may import.
type room struct {
	name    string
	imports []string
}

// plan says which of our packages each package may import. Arrows point down the
// table, but for a few small things at its end that anybody may use where they
// are named. A package that is not here is not part of the house; a row whose
// package is not built yet keeps its place.
var plan = []room{
	{"cmd/postroom", []string{all}},
	{"api", []string{"post", "limits"}},
	{"intake", []string{"post", "limits", "importer", "calendar", "scheduler", "report", "internal/radix", "internal/walltime"}},
	{"report", []string{"post", "limits", "internal/atomicfile", "internal/walltime"}},
	{"dispatch", []string{"post"}},
	{"inbox", []string{"internal/atomicfile"}},
	{"publish/bluesky/blueskytest", []string{"publish/publishtest"}},
	{"publish/bluesky", []string{"post", "limits", "publish"}},
	{"publish/telegram/telegramtest", []string{"publish/publishtest"}},
	{"publish/telegram", []string{"post", "limits", "publish"}},
	{"publish/matrix/matrixtest", []string{"publish/publishtest"}},
	{"publish/matrix", []string{"post", "limits", "publish"}},
	{"publish/nostr/nostrtest", []string{"publish/publishtest"}},
	{"publish/nostr", []string{"post", "limits", "publish"}},
	{"publish/mastodon/mastodontest", []string{"post", "publish/publishtest"}},
	{"publish/mastodon", []string{"post", "limits", "publish"}},
	{"publish/tiktok/tiktoktest", []string{"publish/publishtest"}},
	{"publish/tiktok", []string{"post", "limits", "publish"}},
	{"publish/youtube/youtubetest", []string{"publish/publishtest"}},
	{"publish/youtube", []string{"post", "limits", "publish"}},
	{"publish/facebook", []string{"post", "limits", "publish", "publish/meta"}},
	{"publish/instagram", []string{"post", "limits", "publish", "publish/meta"}},
	{"publish/threads", []string{"post", "limits", "publish", "publish/meta"}},
	{"publish/meta/metatest", []string{"publish/publishtest"}},
	{"publish/meta", []string{"post", "publish"}},
	{"publish/linkedin/linkedintest", []string{"publish/publishtest"}},
	{"publish/linkedin", []string{"post", "limits", "publish"}},
	{"publish/twitter/twittertest", []string{"publish/publishtest"}},
	{"publish/twitter", []string{"post", "limits", "publish"}},
	{"publish/discord/discordtest", []string{"publish/publishtest"}},
	{"publish/discord", []string{"post", "limits", "publish"}},
	{"publish/slack/slacktest", []string{"publish/publishtest"}},
	{"publish/slack", []string{"post", "limits", "publish"}},
	{"publish/postpost/postposttest", []string{"publish/publishtest"}},
	{"publish/postpost", []string{"post", "limits", "publish"}},
	{"publish/pinterest/pinteresttest", []string{"publish/publishtest"}},
	{"publish/pinterest", []string{"post", "limits", "publish"}},
	{"publish/wordpress/wordpresstest", []string{"publish/publishtest"}},
	{"publish/wordpress", []string{"post", "limits", "publish"}},
	{"publish/webhook", []string{"post", "limits", "publish"}},
	{"publish/sandbox", []string{"post", "limits", "publish"}},
	{"publish/oauth", []string{"post", "publish"}},
	{"publish/publishtest", []string{"post"}},
	{"publish", []string{"post", "limits", "media"}},
	{"media", []string{"post", "limits", "internal/atomicfile"}},
	{"store", []string{"post", "internal/radix"}},
	{"scheduler", []string{"post", "limits", "internal/radix", "internal/walltime"}},
	{"calendar", []string{"post", "internal/walltime"}},
	{"importer", []string{"post", "internal/walltime"}},
	{"limits", []string{"post"}},
	{"post", nil},
	{"samples", nil},
	{"internal/vault", []string{"internal/atomicfile", "internal/secret"}},
	{"internal/atomicfile", nil},
	{"internal/radix", nil},
	{"internal/secret", nil},
	{"internal/walltime", nil},
	{"internal/bench", nil},
	{"internal/house", nil},
	{"internal/integration", nil},
	{"internal/killat", nil},
}

// forTests reports whether no other code may import a package than tests, and
// others like it: those that are called after testing, and three of our tools.
func forTests(name string) bool {
	return strings.HasSuffix(name, "test") || slices.Contains([]string{"internal/bench", "internal/house", "internal/integration", "internal/killat"}, name)
}

// builtPackage is what the go command says of a package.
type builtPackage struct {
	ImportPath string
	Doc        string
	Imports    []string
}

// name is the path within the module.
func (p *builtPackage) name() string { return strings.TrimPrefix(p.ImportPath, module+"/") }

// ours are the imports from the module, by name.
func (p *builtPackage) ours() []string {
	var names []string
	for _, path := range p.Imports {
		if name, ok := strings.CutPrefix(path, module+"/"); ok {
			names = append(names, name)
		}
	}
	return names
}

// built lists the module's packages as they are built for a system.
func built(t *testing.T, goos string) []builtPackage {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Doc,Imports", module+"/...")
	cmd.Env = append(cmd.Environ(), "GOOS="+goos, "GOARCH=amd64", "CGO_ENABLED=0")
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list for %s: %v\n%s", goos, err, &said)
	}
	var packages []builtPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p builtPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

func TestImportsFollowThePlan(t *testing.T) {
	t.Parallel()
	for _, goos := range []string{"linux", "darwin", "windows"} {
		t.Run(goos, func(t *testing.T) {
			t.Parallel()
			packages := built(t, goos)
			if len(packages) < 10 {
				t.Fatalf("only %d packages were listed", len(packages))
			}
			for _, p := range packages {
				for _, wrong := range against(p.name(), p.ours()) {
					t.Error(wrong)
				}
			}
		})
	}
}

// against compares the imports of a package with the plan.
func against(name string, imports []string) (wrong []string) {
	row := slices.IndexFunc(plan, func(r room) bool { return r.name == name })
	if row < 0 {
		return []string{name + " is not in the plan: add what it may import to plan, or put the code where it belongs"}
	}
	may := plan[row].imports
	for _, i := range imports {
		anything := slices.Contains(may, all) && !forTests(i)
		if !anything && !slices.Contains(may, i) {
			wrong = append(wrong, name+" imports "+i+": the plan allows "+strings.Join(may, ", "))
		}
	}
	return wrong
}

// The comparison itself must be able to fail.
func TestPlanRefusesWhatItDoesNotName(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		imports []string
		wrong   int
	}{
		{"scheduler", []string{"limits", "post"}, 0},
		{"scheduler", []string{"post", "store", "dispatch"}, 2},
		{"post", []string{"limits"}, 1},
		{"cmd/postroom", []string{"store", "publish/webhook", "internal/secret"}, 0},
		{"cmd/postroom", []string{"internal/killat", "publish/publishtest"}, 2},
		{"util", nil, 1},
	} {
		if got := against(c.name, c.imports); len(got) != c.wrong {
			t.Errorf("%s importing %v: got %q, want %d", c.name, c.imports, got, c.wrong)
		}
	}
}

// Arrows that point down cannot make a circle, and a circle in the plan would
// let one be built.
func TestPlanPointsDown(t *testing.T) {
	t.Parallel()
	above := map[string]bool{}
	for _, row := range plan {
		if above[row.name] {
			t.Errorf("%s stands in the plan twice", row.name)
		}
		above[row.name] = true
		for _, i := range row.imports {
			if above[i] {
				t.Errorf("%s may import %s, which stands above it", row.name, i)
			}
			if i != all && !slices.ContainsFunc(plan, func(r room) bool { return r.name == i }) {
				t.Errorf("%s may import %s, which is not in the plan", row.name, i)
			}
		}
	}
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	t.Parallel()
	for _, p := range built(t, "linux") {
		of := p.name()[strings.LastIndexByte(p.name(), '/')+1:]
		if !strings.HasPrefix(p.Doc, "Package "+of+" ") && !strings.HasPrefix(p.Doc, "Command "+of+" ") {
			t.Errorf("%s: want a package comment that begins \"Package %s …\", got %q", p.name(), of, p.Doc)
		}
	}
}
