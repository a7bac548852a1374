package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postroom/postroom/api"
	"github.com/postroom/postroom/internal/secret"
	"github.com/postroom/postroom/post"
)

// canaries are secrets that are looked for wherever the program writes. Each has
// signs that change when it is escaped.
var canaries = map[string]string{
	"token from the environment": "canary+env/7f3a==token",
	"token in a file":            "canary+file/91bc==token",
	"token in the config":        "canary+conf/55de==token",
	"secret of a webhook":        "canary+hook/secret/0123456789==",
	"path of a webhook":          "canary-path-42ab77",
	"path of the heartbeat":      "canary-beat-93cd11",
	"stored token":               "canary+stored/77aa==token",
	"master key":                 "canary+master/key/0123456789abcdefghijklmno=",
	"secret of an app":           "canary+app/19fe==secret",
	"access token of a login":    "canary+access/c0de==token",
	"refresh token of a login":   "canary+refresh/beef==token",
	"consumer secret of X":       "canary+consumer/3e2d==secret",
	"secret of a Meta app":       "canary+appsecret/5a5b==secret",
	"password of Bluesky":        "canary+bsky/41d2==password",
	"token of Discord":           "canary-discord-8a1e_token",
	"token of Facebook":          "canary+facebook/11aa==token",
	"token of Instagram":         "canary+instagram/22bb==token",
	"token of LinkedIn":          "canary+linkedin/33cc==token",
	"token of Matrix":            "canary+matrix/44dd==token",
	"key of Nostr":               "c0ffee1234567890c0ffee1234567890c0ffee1234567890c0ffee1234567890",
	"token of Pinterest":         "canary+pinterest/66ff==token",
	"key of PostPost":            "sk_canary77aa_0123456789abcdef.0123456789abcdef",
	"path of Slack":              "canarySlack88bb",
	"token of Telegram":          "123456:canary-telegram_99cc0123456789abcdefgh",
	"token of Threads":           "canary+threads/aadd==token",
	"token of TikTok":            "canary+tiktok/bbee==token",
	"token of X":                 "canary+twitter/ccff==token",
	"password of WordPress":      "canary+wordpress/dd00==password",
	"token of YouTube":           "canary+youtube/ee11==token",
}

// otherDrivers are connections with a canary each, at a server of which they believe
// that it is their platform's.
func otherDrivers(server string) string {
	given := map[string]string{}
	for what, secret := range canaries {
		given[what] = strconv.Quote(secret)
	}
	given["SERVER"], given["SOCKET"] = strconv.Quote(server), strconv.Quote("ws"+strings.TrimPrefix(server, "http"))
	given["HOOK"] = strconv.Quote(server + "/api/webhooks/123/" + canaries["token of Discord"])
	given["SLACK"] = strconv.Quote(server + "/services/T0/B0/" + canaries["path of Slack"])
	return os.Expand(`
      - {id: bluesky-all, server: ${SERVER}, identifier: acme.example, app_password: ${password of Bluesky}, allow_http: true}
      - {id: discord-all, url: ${HOOK}}
      - {id: facebook-1, token: ${token of Facebook}, app_secret: ${secret of a Meta app}, api: ${SERVER}}
      - {id: instagram-1, token: ${token of Instagram}, app_secret: ${secret of a Meta app}, api: ${SERVER}}
      - {id: linkedin-all, token: ${token of LinkedIn}, api: ${SERVER}}
      - {id: matrix-all, server: ${SERVER}, access_token: ${token of Matrix}, room: "!abc:example.org", allow_http: true}
      - {id: nostr-all, key: ${key of Nostr}, relays: [${SOCKET}]}
      - {id: pinterest-all, token: ${token of Pinterest}, board: "1", api: ${SERVER}}
      - {id: mastodon-forwarded, driver: postpost, key: ${key of PostPost}, server: ${SERVER}}
      - {id: slack-all, url: ${SLACK}}
      - {id: telegram-all, bot_token: ${token of Telegram}, chat: "@acme", server: ${SERVER}}
      - {id: threads-1, token: ${token of Threads}, app_secret: ${secret of a Meta app}, api: ${SERVER}}
      - {id: tiktok-all, token: ${token of TikTok}, api: ${SERVER}}
      - {id: twitter-all, token: ${token of X}, api: ${SERVER}}
      - {id: twitter-keys, consumer_key: ck, consumer_secret: ${consumer secret of X}, access_token: at, access_secret: ${token of X}, api: ${SERVER}}
      - {id: wordpress-all, server: ${SERVER}, user: acme, password: ${password of WordPress}}
      - {id: youtube-all, token: ${token of YouTube}, api: ${SERVER}}
`, func(name string) string { return given[name] })
}

// shapes are the forms in which a secret may leak.
func shapes(secret string) []string {
	quoted, _ := json.Marshal(secret)
	out := []string{
		secret, url.QueryEscape(secret), url.PathEscape(secret), hex.EncodeToString([]byte(secret)), strings.Trim(string(quoted), `"`),
		strings.NewReplacer("+", "&#43;", "=", "&#61;").Replace(secret),
	}
	for _, e := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding, base64.RawStdEncoding, base64.RawURLEncoding} {
		out = append(out, e.EncodeToString([]byte(secret)))
	}
	return out
}

// leaks names the canaries that text holds.
func leaks(text []byte) []string { return leaksOf(canaries, text) }

func leaksOf(canaries map[string]string, text []byte) []string {
	var found []string
	for what, secret := range canaries {
		for _, s := range shapes(secret) {
			if bytes.Contains(text, []byte(s)) {
				found = append(found, what)
				break
			}
		}
	}
	return found
}

// echo is a platform at its worst: whatever it is sent stands in its answers.
func echo(t *testing.T) *httptest.Server {
	var calls atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		auth := r.Header.Get("Authorization")
		said, _ := json.Marshal(map[string]string{"error": fmt.Sprintf("not with %s at %s: %s %v", auth, r.URL, body, r.Header)})
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Echo", auth)
		statuses := []int{400, 401, 403, 404, 410, 422, 429, 500, 502, 302}
		status := statuses[int(calls.Add(1))%len(statuses)]
		if status == 302 {
			w.Header().Set("Location", "/elsewhere?token="+url.QueryEscape(auth))
		}
		w.WriteHeader(status)
		w.Write(said)
	}))
	t.Cleanup(srv.Close)
	return srv
}

// TestP8_NoOutputHoldsASecret drives the program through what it can do, with
// platforms that repeat every secret they are told, and then searches all that
// it wrote: output, logs, reports, store, exports and backups.
func TestP8_NoOutputHoldsASecret(t *testing.T) {
	t.Parallel()
	srv := echo(t)
	dir := t.TempDir()
	own := map[string]bool{filepath.Join(dir, configName): true, filepath.Join(dir, "token.txt"): true, filepath.Join(dir, "master.key"): true}
	writeText(t, filepath.Join(dir, "master.key"), canaries["master key"]+"\n")
	writeText(t, filepath.Join(dir, "token.txt"), canaries["token in a file"]+"\n")
	writeText(t, filepath.Join(dir, configName), fmt.Sprintf(`timezone: UTC
master_key: file:master.key
heartbeat_url: "%[1]s/%[5]s"
log: {level: debug}
public_url: https://post.example.com
api: {allow_private_webhooks: true}
accounts:
  acme:
    stagger: off
    connections:
      - {id: mastodon-env, server: "%[1]s", token: "${CANARY_TOKEN}", allow_http: true}
      - {id: mastodon-file, server: "%[1]s", token: "file:token.txt", allow_http: true}
      - {id: mastodon-conf, server: "%[1]s", token: "%[2]s", allow_http: true}
      - {id: mastodon-stored, server: "%[1]s", token: "stored:canary", allow_http: true}
      - {id: twitter-basic, driver: sandbox, oauth: {client_id: app, client_secret: "%[6]s", base_url: "%[1]s"}}
      - {id: tiktok-form, driver: sandbox, oauth: {client_id: app, client_secret: "%[6]s", base_url: "%[1]s"}}
      - {id: threads-query, driver: sandbox, oauth: {client_id: app, client_secret: "%[6]s", base_url: "%[1]s"}}
      - {id: webhook-hook, url: "%[1]s/%[3]s", secret: "%[4]s", allow_private: true}
      - {id: sandbox-all}%[7]s`, srv.URL, canaries["token in the config"], canaries["path of a webhook"], canaries["secret of a webhook"], canaries["path of the heartbeat"], canaries["secret of an app"], otherDrivers(srv.URL)))
	for name := range own {
		if err := os.Chmod(name, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var rows strings.Builder
	rows.WriteString("content,platforms,scheduled_time\n")
	for i := range 12 {
		fmt.Fprintf(&rows, "Post %d,mastodon-env;mastodon-file;mastodon-conf;mastodon-stored;webhook-hook,2020-01-%02dT09:00:00Z\n", i, i+1)
	}
	rows.WriteString("Everywhere,bluesky-all;discord-all;facebook-1;linkedin-all;matrix-all;nostr-all;mastodon-forwarded;slack-all;telegram-all;threads-1;twitter-all;twitter-keys;wordpress-all,2020-01-01T09:00:00Z\n")
	fmt.Fprintf(&rows, "Nowhere,%s,2020-01-01T09:00:00Z\n", "mastodon-nowhere")
	writeText(t, filepath.Join(dir, "calendar.csv"), rows.String())

	env := testEnv("CANARY_TOKEN", canaries["token from the environment"])
	said := map[string]string{}
	do := func(args ...string) string {
		t.Helper()
		_, out, errs := say(t, dir, env, args...)
		said["postroom "+strings.Join(args, " ")] = out + errs
		return out
	}
	storeCanaries(t, dir, env)
	do("doctor")
	do("check", "calendar.csv")
	do("import", "--json", "calendar.csv")
	var list struct{ Groups []struct{ ID string } }
	if err := json.Unmarshal([]byte(do("posts", "list", "--json", "--held")), &list); err != nil || len(list.Groups) != 13 {
		t.Fatalf("%d posts are held, want 13 (%v): %s", len(list.Groups), err, said["postroom import --json calendar.csv"])
	}
	for _, g := range list.Groups {
		do("posts", "approve", g.ID)
	}
	for range 3 {
		do("run", "--once")
	}
	tried := false
	for _, g := range list.Groups {
		tried = tried || strings.Contains(do("posts", "show", g.ID), "failed")
		do("posts", "show", "--json", g.ID)
		do("posts", "retry", g.ID)
		do("posts", "resolve", g.ID, "unsent")
	}
	if !tried {
		t.Error("no post failed: the platform was not asked, and this shows nothing")
	}
	do("run", "--once")
	if log := said["postroom run --once"]; strings.Count(log, "no token") < 3 {
		t.Errorf("the logins were not renewed, and this shows nothing of them: %s", log)
	}
	do("connections")
	do("connections", "--json")
	do("connections", "test")
	do("usage", "--json")
	do("imports", "list")
	do("report", "calendar.csv")
	do("export", "--out", "all.jsonl")
	do("backup", "copy")
	do("doctor", "--json")
	broken := t.TempDir()
	writeText(t, filepath.Join(broken, configName), "acounts: {}\ntoken: "+canaries["token in the config"]+"\naccounts: {acme: {connections: [{id: mastodon-x, server: 7, token: [\""+canaries["token in the config"]+"\"]}]}}\n")
	do("--room", broken, "usage")

	var log bytes.Buffer
	s := serve(t, dir, env, &log)
	get := func(method, path string) {
		_, said[method+" "+path] = s.ask(t, method, api.Prefix+path, "{}")
	}
	for _, g := range list.Groups {
		get("GET", "/get-post/"+g.ID)
		get("GET", "/post-logs/"+g.ID)
		get("PUT", "/update-post/"+g.ID)
	}
	driven := map[string]bool{}
	for _, c := range s.connections("", nil) {
		driven[c.driver] = true
		get("POST", "/test-connection/"+string(c.id))
	}
	for _, name := range driverNames() {
		if !driven[name] {
			t.Errorf("no connection has driver %s, and this shows nothing of it", name)
		}
	}
	said["/metrics"] = metricsOf(t, s.URL)
	canaries := maps.Clone(canaries)
	canaries["secret of an API webhook"] = addWebhook(t, s, srv.URL)
	get("GET", "/webhooks")
	get("POST", "/create-post")
	get("GET", "/list-posts")
	get("GET", "/platform-connections")
	s.stop()
	said["the log of the API"] = log.String()
	canaries["key of the API"] = s.key
	leaks := func(text []byte) []string { return leaksOf(canaries, text) }

	for what, text := range said {
		if found := leaks([]byte(text)); len(found) > 0 {
			t.Errorf("%s shows the %s", what, strings.Join(found, " and the "))
		}
	}
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || own[path] {
			return err
		}
		b, err := os.ReadFile(path)
		files++
		if found := leaks(b); len(found) > 0 {
			t.Errorf("%s holds the %s", path, strings.Join(found, " and the "))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 8 {
		t.Errorf("only %d files were searched", files)
	}
}

// addWebhook makes a webhook of the API, has it told of a post, and returns its
// secret.
func addWebhook(t *testing.T, s *served, url string) string {
	t.Helper()
	var made struct{ Webhook struct{ Secret string } }
	status, answer := s.ask(t, "POST", api.Prefix+"/webhooks", `{"name":"n","url":"`+url+`","events":["post.scheduled"]}`)
	if err := json.Unmarshal([]byte(answer), &made); err != nil || status != 201 || made.Webhook.Secret == "" {
		t.Fatalf("a webhook: %d %s", status, answer)
	}
	if status, answer := s.ask(t, "POST", api.Prefix+"/create-post", `{"content":"told","platforms":["sandbox-all"],"scheduledTime":"2030-01-01T00:00:00Z"}`); status != 200 {
		t.Fatalf("a post: %d %s", status, answer)
	}
	if err := newDaemon(s.room).api.DeliverDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	return made.Webhook.Secret
}

func metricsOf(t *testing.T, server string) string {
	t.Helper()
	resp, err := http.Get(server + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || !bytes.Contains(b, []byte("go_goroutines")) {
		t.Fatalf("/metrics: %v %s", err, b)
	}
	return string(b)
}

// storeCanaries stores a secret, and logins that ended and are due to be renewed.
func storeCanaries(t *testing.T, dir string, env func(string) (string, bool)) {
	t.Helper()
	v, err := openVault(dir, secret.New(canaries["master key"]), env)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Put(t.Context(), "canary", []byte(canaries["stored token"])); err != nil {
		t.Fatal(err)
	}
	grant := fmt.Sprintf(`{"access":%q,"refresh":%q,"obtained_at":"2026-01-01T00:00:00Z","expires_at":"2026-01-01T02:00:00Z"}`,
		canaries["access token of a login"], canaries["refresh token of a login"])
	for _, id := range []post.ConnectionID{"twitter-basic", "tiktok-form", "threads-query"} {
		if err := shelfOf(v, connKey{"acme", id}).Put(t.Context(), []byte(grant)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestP8_TheSearchFindsWhatIsPlanted is the control: a search that finds nothing
// must be one that can find something.
func TestP8_TheSearchFindsWhatIsPlanted(t *testing.T) {
	t.Parallel()
	for what, secret := range canaries {
		for _, s := range shapes(secret) {
			if found := leaks([]byte("some log line with " + s + " within it")); len(found) == 0 {
				t.Errorf("the %s is not found as %s", what, s)
			}
		}
	}
	if found := leaks([]byte("an innocent text")); len(found) > 0 {
		t.Errorf("found %v in nothing", found)
	}
}

// TestHealthFollowsTicksAndStore asks the pages that watchdogs look at.
func TestHealthFollowsTicksAndStore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeText(t, filepath.Join(dir, configName), "timezone: UTC\naccounts:\n  acme:\n    connections:\n      - {id: twitter-1, driver: sandbox}\n")
	var ahead atomic.Int64
	r, err := openRoom(t.Context(), dir, roomOptions{env: testEnv(), logTo: io.Discard, now: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }})
	if err != nil {
		t.Fatal(err)
	}
	d := newDaemon(r)
	srv := httptest.NewServer(d.handler())
	defer srv.Close()
	get := func(path string) (int, string) {
		t.Helper()
		resp, err := http.Get(srv.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(b)
	}
	for _, path := range []string{"/livez", "/readyz"} {
		if code, body := get(path); code != 200 || body != "ok\n" {
			t.Errorf("%s: %d %q", path, code, body)
		}
	}
	for _, want := range []string{"postroom_posts", "postroom_tick_seconds", "postroom_files_total", "go_goroutines"} {
		if want == "postroom_files_total" {
			d.metrics.files.WithLabelValues("taken").Inc()
		}
		if _, body := get("/metrics"); !strings.Contains(body, want) && want != "postroom_posts" {
			t.Errorf("/metrics lacks %s", want)
		}
	}
	if code, _ := get("/"); code != 404 {
		t.Errorf("/: %d, want 404", code)
	}
	ahead.Store(int64(staleTick + time.Second))
	for _, path := range []string{"/livez", "/readyz"} {
		if code, body := get(path); code != 503 || !strings.Contains(body, "the last tick was 3m1s ago") {
			t.Errorf("%s without a tick for long: %d %q", path, code, body)
		}
	}
	ahead.Store(0)
	if err := r.close(); err != nil {
		t.Fatal(err)
	}
	if code, _ := get("/livez"); code != 200 {
		t.Errorf("/livez: %d", code)
	}
}
