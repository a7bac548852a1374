package nostr_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
	"github.com/postroom/postroom/publish/nostr"
	"github.com/postroom/postroom/publish/nostr/nostrtest"
	"github.com/postroom/postroom/publish/publishtest"
)

const (
	connection = post.ConnectionID("nostr-acme")

	// The keys that NIP-19 gives as examples.
	nsec   = "nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5"
	secret = "67dea2ed018072d675f5415ecfaed7d2597555e202d85b3d65ea4e58d2d92ffa"
	npub   = "npub10elfcs4fr0l0r8af98jlmgdh9c8tcxjvz9qkw038js35mp4dma8qzvjptg"
	pubkey = "7e7e9c42a91bfef19fa929e5fda1b72e0ebc1a4c1141673e2794234d86addf4e"
)

var (
	_ publish.Publisher = (*nostr.Publisher)(nil)
	_ publish.Looker    = (*nostr.Publisher)(nil)
)

// network is relays by their ports on this machine, from 7001.
type network []*nostrtest.Relay

func (n network) dial(ctx context.Context, kind, address string) (net.Conn, error) {
	for i, r := range n {
		if address == fmt.Sprintf("127.0.0.1:%d", 7001+i) {
			return r.Dial(ctx, kind, address)
		}
	}
	return nil, errors.New("another host was called: " + address)
}

// publisher returns one that posts to all relays.
func publisher(t *testing.T, relays ...*nostrtest.Relay) *nostr.Publisher {
	t.Helper()
	c := nostr.Config{Connection: connection, Key: func() string { return nsec }, MaxLength: 280, Dial: network(relays).dial}
	for i := range relays {
		c.Relays = append(c.Relays, fmt.Sprintf("ws://127.0.0.1:%d", 7001+i))
	}
	p, err := nostr.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, form := range []string{"%v", "%+v", "%#v"} {
			if said := fmt.Sprintf(form, p); strings.Contains(said, nsec) || strings.Contains(said, secret) {
				t.Errorf("%s shows the key", form)
			}
		}
		for _, r := range relays {
			if v := r.Violations(); v != nil {
				t.Errorf("calls that NIP-01 does not allow: %q", v)
			}
		}
	})
	return p
}

func TestSuite(t *testing.T) {
	t.Parallel()
	publishtest.Run(t, publishtest.Suite{Knows: true, Threads: true, Saves: 1, New: func(t *testing.T) *publishtest.Subject {
		relay := &nostrtest.Relay{}
		return &publishtest.Subject{
			Again:     func() publishtest.Publisher { return publisher(t, relay) },
			Publisher: publisher(t, relay), Connection: connection, Live: relay.Texts,
			Arrange: func(f publishtest.Fault) { relay.Next(f) },
		}
	}})
}

func delivery(text string, media ...post.Media) post.Delivery {
	id := post.MakeID(time.Now(), [5]byte{1}, 1)
	return post.Delivery{
		Content: post.Content{Text: text, Media: media},
		Post:    post.Post{ID: id, Account: "acme", Connection: connection, BegunAt: time.Now()},
	}
}

// keep returns a save that keeps what is saved in d.
func keep(d *post.Delivery) publish.Save {
	return func(parts []post.Part, state []byte) error {
		if parts != nil {
			d.Post.Parts = parts
		}
		if state != nil {
			d.Post.State = state
		}
		return nil
	}
}

func failure(t *testing.T, err error) *post.Failure {
	t.Helper()
	f, ok := err.(*post.Failure)
	if !ok {
		t.Fatalf("error %v, want a *post.Failure", err)
	}
	return f
}

func TestP2_ANoteIsTheSameHourLaterAndAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		relay := &nostrtest.Relay{}
		d := delivery("once")
		relay.Next(publishtest.Lost)
		_, err := publisher(t, relay).Publish(t.Context(), d, keep(&d))
		if f := failure(t, err); !f.InDoubt() {
			t.Fatalf("failure %v, want doubt", f)
		}
		time.Sleep(time.Hour)
		r, err := publisher(t, relay).Publish(t.Context(), d, keep(&d)) // another process
		if err != nil {
			t.Fatal(err)
		}
		if notes := relay.Ledger(); len(notes) != 1 || notes[0].ID != r.RemoteID || notes[0].CreatedAt != d.Post.BegunAt.Unix() {
			t.Errorf("notes %+v, receipt %+v", notes, r)
		}
	})
}

// One relay's word is enough, and what another makes of the note does not undo it.
func TestP2_ThePostGoesByAllRelaysTogether(t *testing.T) {
	for _, tt := range []struct {
		rule   string
		relays []*nostrtest.Relay
		faults []publishtest.Fault // of each
		class  post.Class
		sent   post.Sent
		scope  post.Scope
		ok     bool
	}{
		{rule: "one takes it, one refuses", faults: []publishtest.Fault{publishtest.Refuse, publishtest.None}, ok: true},
		{rule: "one takes it, one is down", faults: []publishtest.Fault{publishtest.Unreachable, publishtest.None}, ok: true},
		{rule: "one takes it, one is silent", faults: []publishtest.Fault{publishtest.None, publishtest.Slow}, ok: true},
		{rule: "both refuse it", faults: []publishtest.Fault{publishtest.Refuse, publishtest.Refuse}, class: post.ClassInvalid, sent: post.Refused},
		{rule: "both refuse us", faults: []publishtest.Fault{publishtest.Auth, publishtest.Auth}, class: post.ClassAuth, sent: post.Refused, scope: post.ScopeConnection},
		{rule: "one refuses us, one the note", faults: []publishtest.Fault{publishtest.Auth, publishtest.Refuse}, class: post.ClassInvalid, sent: post.Refused},
		{rule: "one refuses, one may have it", faults: []publishtest.Fault{publishtest.Refuse, publishtest.Unheard}, class: post.ClassNetwork, sent: post.SentMaybe},
		{rule: "one refuses, one can be tried again", faults: []publishtest.Fault{publishtest.Refuse, publishtest.Unreachable}, class: post.ClassNetwork, sent: post.SentNot},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a, b := &nostrtest.Relay{}, &nostrtest.Relay{}
				a.Next(tt.faults[0])
				b.Next(tt.faults[1])
				d := delivery("x")
				begun := time.Now()
				r, err := publisher(t, a, b).Publish(t.Context(), d, keep(&d))
				if tt.ok {
					if err != nil || r.RemoteID == "" || time.Since(begun) > 10*time.Second {
						t.Errorf("receipt %+v, error %v after %v", r, err, time.Since(begun))
					}
					return
				}
				f := failure(t, err)
				if f.Class != tt.class || f.Sent != tt.sent || f.Scope != tt.scope {
					t.Errorf("failure %+v", f)
				}
				for _, address := range []string{"ws://127.0.0.1:7001: ", "ws://127.0.0.1:7002: "} {
					if !strings.Contains(f.Message, address) {
						t.Errorf("message %q does not say what became of %s", f.Message, address)
					}
				}
			})
		})
	}
}

func TestTheWordOfARefusalIsUnderstood(t *testing.T) {
	for says, want := range map[string]post.Failure{
		"blocked: you are banned from posting here": {Class: post.ClassAuth, Sent: post.Refused, Scope: post.ScopeConnection},
		"restricted: pay first":                     {Class: post.ClassAuth, Sent: post.Refused, Scope: post.ScopeConnection},
		"auth-required: who are you":                {Class: post.ClassAuth, Sent: post.Refused, Scope: post.ScopeConnection},
		"rate-limited: slow down there chief":       {Class: post.ClassRate, Sent: post.Refused, Scope: post.ScopeConnection},
		"pow: 28 bits needed":                       {Class: post.ClassInvalid, Sent: post.Refused, Scope: post.ScopeConnection},
		"invalid: event creation date is too far":   {Class: post.ClassInvalid, Sent: post.Refused},
		"error: could not connect to the database":  {Class: post.ClassServer, Sent: post.SentMaybe},
		"no word of ours":                           {Class: post.ClassInvalid, Sent: post.Refused},
	} {
		t.Run(says, func(t *testing.T) {
			t.Parallel()
			d := delivery("x")
			_, err := publisher(t, &nostrtest.Relay{Says: says}).Publish(t.Context(), d, keep(&d))
			f := failure(t, err)
			if f.Class != want.Class || f.Sent != want.Sent || f.Scope != want.Scope || !strings.Contains(f.Message, says) {
				t.Errorf("failure %+v, want %+v", f, want)
			}
		})
	}
	d := delivery("x")
	if _, err := publisher(t, &nostrtest.Relay{Says: "duplicate: have it already"}).Publish(t.Context(), d, keep(&d)); err != nil {
		t.Errorf("a duplicate is no success: %v", err)
	}
}

func TestP2_AbsentMeansThatEveryRelaySaysSo(t *testing.T) {
	t.Parallel()
	has, lacks, down, closed := &nostrtest.Relay{}, &nostrtest.Relay{}, &nostrtest.Relay{Down: true}, &nostrtest.Relay{Closed: "auth-required: who are you"}
	d := delivery("x")
	if found, err := publisher(t, down).Lookup(t.Context(), d); err != nil || found.State != post.Absent {
		t.Errorf("never frozen: %+v, %v", found, err)
	}
	if _, err := publisher(t, has).Publish(t.Context(), d, keep(&d)); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		relays []*nostrtest.Relay
		state  post.FoundState
		fails  bool
	}{
		"one has it":               {[]*nostrtest.Relay{down, closed, lacks, has}, post.Present, false},
		"none has it":              {[]*nostrtest.Relay{lacks, lacks}, post.Absent, false},
		"one cannot be asked":      {[]*nostrtest.Relay{lacks, down}, 0, true},
		"one is not to be asked":   {[]*nostrtest.Relay{closed, lacks}, 0, true},
		"nobody that can be asked": {[]*nostrtest.Relay{down}, 0, true},
	} {
		found, err := publisher(t, tt.relays...).Lookup(t.Context(), d)
		if (err != nil) != tt.fails || !tt.fails && found.State != tt.state {
			t.Errorf("%s: %+v, %v", name, found, err)
		}
		if found.State == post.Present && (found.Receipt.RemoteID != has.Ledger()[0].ID || !found.Receipt.Found) {
			t.Errorf("%s: receipt %+v", name, found.Receipt)
		}
	}
}

func TestThreadsAreMarkedAsReplies(t *testing.T) {
	t.Parallel()
	relay := &nostrtest.Relay{}
	d := delivery("one #Tag\n---\ntwo\n---\nthree")
	r, err := publisher(t, relay).Publish(t.Context(), d, keep(&d))
	if err != nil {
		t.Fatal(err)
	}
	notes := relay.Ledger()
	if len(notes) != 3 || r.RemoteID != notes[0].ID {
		t.Fatalf("notes %+v, receipt %+v", notes, r)
	}
	const hint = "ws://127.0.0.1:7001"
	root, reply := []string{"e", notes[0].ID, hint, "root", pubkey}, []string{"e", notes[1].ID, hint, "reply", pubkey}
	for i, want := range [][][]string{
		{{"t", "tag"}}, {root, {"p", pubkey}}, {root, reply, {"p", pubkey}},
	} {
		if fmt.Sprint(notes[i].Tags) != fmt.Sprint(want) {
			t.Errorf("part %d has tags %q, want %q", i, notes[i].Tags, want)
		}
		if i > 0 && notes[i].CreatedAt <= notes[i-1].CreatedAt {
			t.Errorf("part %d is not later than the one before", i)
		}
	}
}

func TestTagsSayWhatTheNoteHolds(t *testing.T) {
	t.Parallel()
	relay := &nostrtest.Relay{}
	d := delivery("See https://go.dev/#doc #Go #go #Grüße",
		post.Media{URL: "https://x.example/a.png", Alt: "the \"a\"", Pin: post.Pin{Hash: post.Digest{1}, Type: "image/png", Width: 30, Height: 20}},
		post.Media{URL: "https://x.example/film"})
	r, err := publisher(t, relay).Publish(t.Context(), d, keep(&d))
	if err != nil {
		t.Fatal(err)
	}
	n := relay.Ledger()[0]
	if want := "See https://go.dev/#doc #Go #go #Grüße\n\nhttps://x.example/a.png\nhttps://x.example/film"; n.Content != want {
		t.Errorf("content %q, want %q", n.Content, want)
	}
	want := [][]string{
		{"t", "go"}, {"t", "grüße"}, {"r", "https://go.dev/#doc"},
		{"imeta", "url https://x.example/a.png", "m image/png", "dim 30x20", "alt the \"a\""},
	}
	if fmt.Sprintf("%q", n.Tags) != fmt.Sprintf("%q", want) {
		t.Errorf("tags %q, want %q", n.Tags, want)
	}
	if n.PubKey != pubkey || !strings.HasPrefix(r.URL, "https://njump.me/nevent1") {
		t.Errorf("note %+v, receipt %+v", n, r)
	}
}

func TestContentThatHasNoOneFormIsRefusedBeforeItIsSent(t *testing.T) {
	t.Parallel()
	relay := &nostrtest.Relay{}
	p := publisher(t, relay)
	for want, d := range map[string]post.Delivery{
		"U+0000":        delivery("a\x00b"),
		"U+001B":        delivery("a\x1bb"),
		"U+FFFD":        delivery("a\xffb"),
		"https address": delivery("x", post.Media{URL: "https.png"}),
		"an https":      delivery("x", post.Media{URL: "http://x.example/a.png"}),
		"alt_text":      delivery("x", post.Media{URL: "https://x.example/a.png", Alt: "\x01"}),
	} {
		problems := p.Validate(&d.Content)
		if !slices.ContainsFunc(problems, func(q post.Problem) bool { return strings.Contains(q.Field+" "+q.Want, want) && q.Hint != "" }) {
			t.Errorf("problems %+v, want %q", problems, want)
		}
		_, err := p.Publish(t.Context(), d, keep(&d))
		if f := failure(t, err); f.Sent != post.SentNot || f.Retryable() {
			t.Errorf("failure %+v", f)
		}
	}
	fine := post.Content{Text: "a\n\"b\"\\\r\t\b\f\u2028<&>\u007f"}
	if problems := p.Validate(&fine); len(problems) > 0 {
		t.Errorf("problems %+v of what can be written", problems)
	}
	d := post.Delivery{Content: fine, Post: delivery("").Post}
	if _, err := p.Publish(t.Context(), d, keep(&d)); err != nil || relay.Texts()[0] != fine.Text {
		t.Errorf("live %q, error %v", relay.Texts(), err)
	}
}

// A text that was changed after a refusal is a note of its own.
func TestAChangedTextIsFrozenAnew(t *testing.T) {
	t.Parallel()
	relay := &nostrtest.Relay{}
	p := publisher(t, relay)
	d := delivery("not welcome")
	relay.Next(publishtest.Refuse)
	if _, err := p.Publish(t.Context(), d, keep(&d)); err == nil {
		t.Fatal("it was not refused")
	}
	d.Content.Text = "welcome"
	if _, err := p.Publish(t.Context(), d, keep(&d)); err != nil || !slices.Equal(relay.Texts(), []string{"welcome"}) {
		t.Errorf("live %q, error %v", relay.Texts(), err)
	}
}

func TestCheckNamesTheKeyAndCountsRelays(t *testing.T) {
	t.Parallel()
	up, down := &nostrtest.Relay{}, &nostrtest.Relay{Down: true}
	who, err := publisher(t, up, down).Check(t.Context())
	if err != nil || who.Username != npub || who.ProfileURL != "https://njump.me/"+npub || who.DisplayName != "1 of 2 relays answer" {
		t.Errorf("identity %+v, %v", who, err)
	}
	_, err = publisher(t, down).Check(t.Context())
	if f := failure(t, err); f.Sent != post.SentNot || f.Class != post.ClassNetwork {
		t.Errorf("failure %+v", f)
	}
}

// What answers at an address need not be a relay.
func TestAServerThatIsNoRelayPausesTheConnection(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]post.Failure{
		http.StatusOK:                 {Class: post.ClassInvalid, Sent: post.Refused},
		http.StatusForbidden:          {Class: post.ClassAuth, Sent: post.Refused},
		http.StatusServiceUnavailable: {Class: post.ClassServer, Sent: post.SentNot},
	} {
		p, err := nostr.New(nostr.Config{
			Connection: connection, Key: func() string { return nsec }, Relays: []string{"ws://127.0.0.1:7001"},
			Dial: func(context.Context, string, string) (net.Conn, error) {
				client, server := net.Pipe()
				go func() {
					buf := make([]byte, 4096)
					if _, err := server.Read(buf); err == nil {
						fmt.Fprintf(server, "HTTP/1.1 %d %s\r\nContent-Length: 2\r\n\r\nhi", status, http.StatusText(status))
					}
				}()
				return client, nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		d := delivery("x")
		_, err = p.Publish(t.Context(), d, keep(&d))
		if f := failure(t, err); f.Class != want.Class || f.Sent != want.Sent || f.Scope != post.ScopeConnection || f.Status != status {
			t.Errorf("%d: failure %+v", status, f)
		}
	}
}

func TestConfigSaysWhatIsWrongAndKeepsTheKey(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*nostr.Config){
		"":                           func(*nostr.Config) {},
		"key: want a private key":    func(c *nostr.Config) { c.Key = nil },
		"key: want a private key: n": func(c *nostr.Config) { c.Key = func() string { return nsec[:62] + "4" } },
		"key: want":                  func(c *nostr.Config) { c.Key = func() string { return strings.Repeat("f", 64) } },
		"key: ":                      func(c *nostr.Config) { c.Key = func() string { return strings.Repeat("0", 64) } },
		"private key: nsec1":         func(c *nostr.Config) { c.Key = func() string { return npub } },
		"relays: want at least one":  func(c *nostr.Config) { c.Relays = nil },
		"relays: want addresses":     func(c *nostr.Config) { c.Relays = []string{"ws://relay.example.org"} },
		"not https://relay":          func(c *nostr.Config) { c.Relays = []string{"https://relay.example.org"} },
		"is there twice":             func(c *nostr.Config) { c.Relays = append(c.Relays, c.Relays[0]) },
	} {
		c := nostr.Config{Connection: connection, Key: func() string { return secret }, Relays: []string{"wss://relay.example.org", "ws://localhost:7001"}}
		change(&c)
		_, err := nostr.New(c)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
		if err != nil && c.Key != nil && strings.Contains(err.Error(), c.Key()) {
			t.Errorf("error %v shows the key", err)
		}
	}
}
