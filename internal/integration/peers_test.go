package integration

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/postroom/postroom/post"
)

// A peer is a real server with an account on it.
type peer struct {
	connection string                  // the id
	entry      func(url string) string // of the config, in braces, for a server at url
	env        []string                // the secrets that entry names
	url        string
	media      bool                        // pictures can be sent from beside the calendar
	asked      bool                        // the server can be asked what became of a post
	mark       string                      // what a request that publishes holds
	answer     string                      // what its answer holds; "" for anything
	texts      func(t *testing.T) []string // of all that is live
}

func TestBluesky(t *testing.T) {
	t.Parallel()
	said := startNode(t, "pds").said
	run(t, &peer{
		connection: "bluesky-" + said["handle"], url: said["url"], media: true, asked: true, mark: "com.atproto.repo.putRecord",
		entry: func(url string) string {
			return fmt.Sprintf(`{id: bluesky-%s, server: %q, identifier: %s, app_password: "${PDS_PASSWORD}"}`, said["handle"], url, said["handle"])
		},
		env: []string{"PDS_PASSWORD=" + said["password"]},
		texts: func(t *testing.T) []string {
			var page struct {
				Records []struct {
					Value struct {
						Text string `json:"text"`
					} `json:"value"`
				} `json:"records"`
			}
			query := url.Values{"repo": {said["did"]}, "collection": {"app.bsky.feed.post"}, "limit": {"100"}}
			call(t, http.MethodGet, said["url"]+"/xrpc/com.atproto.repo.listRecords?"+query.Encode(), "", nil, &page)
			var out []string
			for _, r := range page.Records {
				out = append(out, r.Value.Text)
			}
			return out
		},
	})
}

func TestSlack(t *testing.T) {
	t.Parallel()
	said := startNode(t, "slack").said
	run(t, &peer{
		connection: "slack-news", url: said["url"], mark: "POST /services/",
		entry: func(string) string { return `{id: slack-news, url: "${SLACK_HOOK}"}` },
		env:   []string{"SLACK_HOOK=" + said["webhook"]},
		texts: func(t *testing.T) []string {
			var page struct {
				Messages []struct {
					Text string `json:"text"`
				} `json:"messages"`
			}
			call(t, http.MethodPost, said["url"]+"/api/conversations.history", "Bearer "+said["token"], map[string]any{"channel": said["channel"], "limit": 200}, &page)
			var out []string
			for _, m := range page.Messages {
				out = append(out, m.Text)
			}
			return out
		},
	})
}

func TestWordPress(t *testing.T) {
	t.Parallel()
	said := startDebian(t, "wordpress", []string{"php", "mariadbd", "/usr/share/wordpress/index.php"},
		[]string{"wordpress", "php-cli", "php-mysql", "php-xml", "php-mbstring", "php-gd", "mariadb-server"}).said
	run(t, &peer{
		connection: "wordpress-blog", url: said["url"], media: true, asked: true, mark: "POST /wp-json/wp/v2/posts",
		entry: func(url string) string {
			return fmt.Sprintf(`{id: wordpress-blog, server: %q, user: %s, password: "${WORDPRESS_PASSWORD}"}`, url, said["user"])
		},
		env: []string{"WORDPRESS_PASSWORD=" + said["password"]},
		texts: func(t *testing.T) []string {
			var page []struct {
				Title, Content struct {
					Raw string `json:"raw"`
				}
			}
			basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(said["user"]+":"+said["password"]))
			call(t, http.MethodGet, said["url"]+"/wp-json/wp/v2/posts?context=edit&per_page=100", basic, nil, &page)
			var out []string
			for _, p := range page {
				text := plain(html.UnescapeString(tags.ReplaceAllString(p.Content.Raw, " ")))
				if title := plain(html.UnescapeString(p.Title.Raw)); !strings.HasPrefix(text, title) {
					text = title + " " + text // the first line of several is the title
				}
				out = append(out, text)
			}
			return out
		},
	})
}

func TestNostr(t *testing.T) {
	t.Parallel()
	relay := startNode(t, "nostr").said["url"]
	run(t, &peer{
		connection: "nostr-acme", url: relay, asked: true, answer: `["OK"`,
		entry: func(url string) string {
			return fmt.Sprintf(`{id: nostr-acme, key: "${NOSTR_KEY}", relays: [%q]}`, url)
		},
		env: []string{"NOSTR_KEY=" + strings.Repeat("7a", 32)},
		texts: func(t *testing.T) []string {
			conn, _, err := websocket.Dial(t.Context(), relay, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.CloseNow()
			if err := conn.Write(t.Context(), websocket.MessageText, []byte(`["REQ","all",{"kinds":[1]}]`)); err != nil {
				t.Fatal(err)
			}
			var out []string
			for {
				_, b, err := conn.Read(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				var said []json.RawMessage
				if err := json.Unmarshal(b, &said); err != nil {
					t.Fatal(err)
				}
				if string(said[0]) != `"EVENT"` {
					return out // EOSE: that was all
				}
				var event struct {
					Content string `json:"content"`
				}
				if err := json.Unmarshal(said[2], &event); err != nil {
					t.Fatal(err)
				}
				out = append(out, event.Content)
			}
		},
	})
}

var tags = regexp.MustCompile(`<[^>]*>`)

// call asks a server for JSON.
func call(t *testing.T, method, to, authorization string, body, v any) {
	t.Helper()
	var in io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		in = bytes.NewReader(b)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, to, in)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(v); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %s, %v", method, to, resp.Status, err)
	}
}

// run tries a peer in all ways.
func run(t *testing.T, p *peer) {
	t.Run("all that it can publish", func(t *testing.T) {
		t.Parallel()
		everything(t, p)
	})
	t.Run("TestP2 an answer is lost", func(t *testing.T) {
		t.Parallel()
		lost(t, p, false)
	})
	t.Run("TestP2 the daemon is killed before the answer", func(t *testing.T) {
		t.Parallel()
		lost(t, p, true)
	})
}

// through returns the peer's secrets with its server replaced by another.
func (p *peer) through(to string) []string {
	var out []string
	for _, e := range p.env {
		out = append(out, strings.ReplaceAll(e, p.url, to))
	}
	return out
}

// everything publishes a calendar and looks for each row on the server.
func everything(t *testing.T, p *peer) {
	r := newRoom(t, p.entry(p.url), p.env...)
	rows := [][2]string{
		{"Grüße aus dem Postroom 👋🏽: everything on " + p.connection, ""},
		{"A line, \"quoted\", and another:\nhttps://go.dev/doc #golang on " + p.connection, ""},
	}
	beside := map[string][]byte{}
	if p.media {
		rows = append(rows, [2]string{"With a picture on " + p.connection, "square.png"})
		beside["square.png"] = picture(t, 64)
	}
	r.drop(t, calendar(p.connection, rows...), beside)
	r.start(t)
	for i, got := range r.settled(t, len(rows)) {
		if got.Status != post.StatusPublished || got.Receipt == nil {
			t.Errorf("row %d is %v: %+v", i+1, got.Status, got.Problem)
		}
	}
	for _, row := range rows {
		p.wantLive(t, row[0], 1)
	}
}

// lost publishes one row whose answer never comes. With kill, the daemon is killed
// at that moment, and another takes its place.
func lost(t *testing.T, p *peer, kill bool) {
	between := through(t, p.url)
	r := newRoom(t, p.entry(between.url), p.through(between.url)...)
	text := fmt.Sprintf("The answer to this is lost on %s, killed: %v", p.connection, kill)
	between.lose(p.mark, p.answer, func() {
		if kill {
			r.daemon.Process.Signal(os.Kill)
		}
	})
	r.drop(t, calendar(p.connection, [2]string{text, ""}), nil)
	r.start(t)
	if kill {
		<-between.struck
		r.stop(os.Kill)
		r.start(t)
	}
	got := r.settled(t, 1)[0]
	select {
	case <-between.struck:
	default:
		t.Errorf("no answer was lost: the row is %v", got.Status)
	}
	want := post.StatusUnknown // parked for a person
	if p.asked {
		want = post.StatusPublished
	}
	if got.Status != want {
		t.Errorf("the row is %v, want %v: %+v", got.Status, want, got.Problem)
	}
	p.wantLive(t, text, 1)
}

// wantLive counts the posts that say text.
func (p *peer) wantLive(t *testing.T, text string, n int) {
	t.Helper()
	live := 0
	for _, got := range p.texts(t) {
		if plain(got) == plain(text) {
			live++
		}
	}
	if live != n {
		t.Errorf("%q is live %d times, want %d: %q", text, live, n, p.texts(t))
	}
}

// plain takes off what a server adds to a text: its escapes and its marks.
func plain(s string) string {
	s = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&", "\u200b", "").Replace(s)
	return strings.Join(strings.Fields(s), " ")
}
