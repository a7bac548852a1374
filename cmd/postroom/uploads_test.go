package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"image"
	"image/png"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/postroom/postroom/api"
	"github.com/postroom/postroom/post"
)

// A post that was accepted with a promise of media goes out with it, over restarts,
// and not before (CONTRACT §2.9). Nothing that is written holds what would let others
// send other bytes (P8).
func TestP8_MediaThroughTheAPIGoesOutWithItsPost(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeText(t, filepath.Join(dir, configName), "log: {level: debug}\napi: {max_media: 1MiB}\n"+twoSandboxes)
	var picture, log bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 4, 3))); err != nil {
		t.Fatal(err)
	}
	var created struct{ PostGroupID string }
	var place struct{ UploadURL, FileURL string }
	s := serve(t, dir, testEnv(), &log)
	ask := func(into any, method, path, body string) {
		t.Helper()
		status, answer := s.ask(t, method, path, body)
		if err := json.Unmarshal([]byte(answer), into); status != 200 || err != nil {
			t.Fatalf("%s: %d %s", path, status, answer)
		}
	}
	ask(&created, "POST", "/api/v1/create-post", `{"content":"Look","platforms":["mastodon-acme"],"scheduledTime":"2026-01-01T00:00:00Z"}`)
	ask(&place, "POST", "/api/v1/get-upload-url", `{"fileName":"a.png","contentType":"image/png","postGroupId":"`+created.PostGroupID+`"}`)
	upload, err := url.Parse(place.UploadURL)
	if err != nil {
		t.Fatal(err)
	}
	put := func(body string, want int) {
		t.Helper()
		if status, answer := s.ask(t, "PUT", upload.RequestURI(), body); status != want {
			t.Fatalf("an upload: %d %s, want %d", status, answer, want)
		}
	}
	put("no picture", 415)
	put(strings.Repeat("x", 1<<20+1), 413)
	s.stop()
	once := func() string {
		t.Helper()
		_, out, errs := say(t, dir, testEnv(), "run", "--once")
		_, show, more := say(t, dir, testEnv(), "posts", "show", created.PostGroupID)
		log.WriteString(out + errs + show + more)
		return show
	}
	if show := once(); strings.Contains(show, "published") || !strings.Contains(show, "waits for its media") {
		t.Fatalf("without its media: %s", show)
	}
	s = serve(t, dir, testEnv(), &log)
	put(picture.String(), 200)
	s.stop()
	if show := once(); !strings.Contains(show, "published") {
		t.Fatalf("with its media: %s", show)
	}
	s = serve(t, dir, testEnv(), &log)
	put(picture.String(), 200) // the client lost the answer
	if err := s.sweepMedia(t.Context()); err != nil {
		t.Fatal(err)
	}
	file, err := url.Parse(place.FileURL)
	if err != nil {
		t.Fatal(err)
	}
	if status, body := s.ask(t, "GET", file.Path, ""); status != 200 || body != picture.String() {
		t.Errorf("fileUrl: %d, %d bytes", status, len(body))
	}
	s.stop()

	secret := upload.Query().Get("sig")
	if strings.Contains(log.String(), secret) {
		t.Error("a log holds what lets others upload")
	}
	if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte(secret)) {
			t.Errorf("%s holds what lets others upload", path)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

func TestTheUploadInTheDocsRunsAsItStands(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("the program is for a Unix shell")
	}
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("this machine has no curl")
	}
	b, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	_, program, _ := strings.Cut(string(b), "```sh\n")
	program, _, _ = strings.Cut(program, "```")
	s := serveRoom(t, twoSandboxes)
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "summer.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(png.Encode(f, image.NewGray(image.Rect(0, 0, 4, 3))), f.Close()); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-ec", program)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "POSTROOM_URL="+s.URL+api.Prefix, "POSTROOM_KEY="+s.key, "no_proxy=127.0.0.1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	groups, _, err := s.store.Groups(t.Context(), post.Filter{Account: "acme"}, "", 10)
	if err != nil || len(groups) != 1 {
		t.Fatalf("%d groups are stored (%v), want 1", len(groups), err)
	}
	if g := &groups[0]; g.Status() != post.StatusScheduled || len(g.Media) != 1 || g.Media[0].Pin.Type != "image/png" {
		t.Errorf("it is %s with %+v", g.Status(), g.Media)
	}
}
