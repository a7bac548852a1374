// Package nostr publishes notes to relays of Nostr (NIP-01).
//
// The id of a note is the hash of what it says and when, so a note that is sent
// again is the same note: it is frozen, with its time, and saved before it is
// first sent. It is published once one relay has taken it. A text that is too
// long becomes a thread (NIP-10). Media are named by their address and stay where
// they are; there is no upload, no NIP-42 log-in and no proof of work.
package nostr

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/btcsuite/btcd/btcec/v2/schnorr"

	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
)

const (
	defaultTimeout = 30 * time.Second
	grace          = 10 * time.Second // what is left for the other relays once one has taken a note
	maxHints       = 2                // relays named in a note's address
)

// Config says what a Nostr connection is like. Key is a function so that no print
// of the config shows it.
type Config struct {
	Connection post.ConnectionID
	Key        func() string // nsec1…, or 64 hex digits
	Relays     []string      // wss://…, or ws:// on this machine
	MaxLength  int           // bytes of a note, beyond which a text becomes a thread; 0 for as many as relays commonly take
	Numbering  publish.Numbering
	Media      *publish.MediaRoom // nil for connections without media
	Timeout    time.Duration      // of a call to one relay, 30 s when 0
	Now        func() time.Time   // time.Now when nil

	Dial func(ctx context.Context, network, address string) (net.Conn, error) // instead of the network, for tests
}

// A Publisher posts as one key.
type Publisher struct {
	config Config
	rules  publish.Rules
	client *publish.Client // for the words of failures alone
	http   *http.Client
	now    func() time.Time
	author []byte // the public key
	pubkey string // author in hex
}

// New returns a publisher. It calls nobody.
func New(c Config) (*Publisher, error) {
	if c.Key == nil {
		c.Key = func() string { return "" }
	}
	key, err := parseKey(c.Key())
	if err != nil {
		return nil, fmt.Errorf("nostr %s: key: %w", c.Connection, err)
	}
	if len(c.Relays) == 0 {
		return nil, fmt.Errorf("nostr %s: relays: want at least one, like wss://relay.example.org", c.Connection)
	}
	for i, r := range c.Relays {
		if err := checkRelay(r); err != nil {
			return nil, fmt.Errorf("nostr %s: relays: %w, not %s", c.Connection, err, post.Shorten(r))
		}
		if slices.Contains(c.Relays[:i], r) {
			return nil, fmt.Errorf("nostr %s: relays: want each once, %s is there twice", c.Connection, post.Shorten(r))
		}
	}
	c.Timeout = cmp.Or(c.Timeout, defaultTimeout)
	if c.Now == nil {
		c.Now = time.Now
	}
	table, _ := limits.PlatformByKey("nostr")
	table.Text.Max = cmp.Or(c.MaxLength, table.Text.Max)
	return &Publisher{
		config: c, now: c.Now, http: newHTTP(c.Dial), author: schnorr.SerializePubKey(key.PubKey()), pubkey: publicKey(key),
		rules:  publish.Rules{Limits: table, Numbering: c.Numbering, Media: c.Media},
		client: publish.NewClient(publish.ClientOptions{Secrets: func() []string { return []string{c.Key()} }}),
	}, nil
}

// Validate checks c against the length of a note, that it can be written in one
// way only, and that its media have an address of their own.
func (p *Publisher) Validate(c *post.Content) []post.Problem {
	problems := p.rules.Validate(c)
	fail := func(field, code, got, want, hint string) {
		problems = append(problems, post.Problem{Platform: "nostr", Field: field, Code: code, Got: post.Shorten(got), Want: want, Hint: hint})
	}
	text := publish.Compose(c, &p.rules.Limits)
	if r, found := unfit(text); found {
		fail("content", publish.CodeInvalid, text, fmt.Sprintf("a text without the character %U on Nostr", r), "take it out")
	}
	for i := range c.Media {
		m := &c.Media[i]
		if !hasAddress(m) {
			fail("media_url", publish.CodeMediaLink, m.URL, "an https address: notes on Nostr hold no files", "put the file on the web, and name it by its address")
		}
		if r, found := unfit(m.Alt); found {
			fail("alt_text", publish.CodeInvalid, m.Alt, fmt.Sprintf("a text without the character %U on Nostr", r), "take it out")
		}
	}
	return problems
}

// hasAddress reports whether anybody can open a file where its author says that it
// lies, for as long as it lies there. A link to our own copy ends after a day, and
// a note does not.
func hasAddress(m *post.Media) bool {
	_, bad := unfit(m.URL)
	return strings.HasPrefix(m.URL, "https://") && !strings.ContainsAny(m.URL, " \n\r\t\b\f") && !bad
}

// checkpoint is what is kept of a post between attempts: the note that was last
// sent, and which part of the thread it is.
type checkpoint struct {
	Part  int   `json:"part"`
	Event event `json:"event"`
}

// frozen returns the note of a part as an earlier attempt sent it; ok is false
// when none did. A checkpoint that cannot be read is none.
func frozen(state []byte, part int) (e event, ok bool) {
	var c checkpoint
	if json.Unmarshal(state, &c) != nil || c.Part != part || c.Event.ID == "" {
		return event{}, false
	}
	return c.Event, true
}

// Publish freezes the note, or the notes of a thread one after the other, and
// sends it to every relay.
func (p *Publisher) Publish(ctx context.Context, d post.Delivery, save publish.Save) (post.Receipt, error) {
	for _, problem := range p.Validate(&d.Content) {
		if problem.Severity == post.SeverityError {
			return post.Receipt{}, &post.Failure{Class: post.ClassInvalid, Sent: post.SentNot, Message: problem.Field + ": want " + problem.Want}
		}
	}
	texts, err := p.rules.Texts(&d.Content)
	if err != nil {
		return post.Receipt{}, err
	}
	return publish.SendParts(ctx, &d, texts, save, func(ctx context.Context, at int, text string, before []post.Part) (post.Receipt, error) {
		e := p.note(&d, at, text, before)
		if old, ok := frozen(d.Post.State, at); ok && old.Content == e.Content && old.PubKey == p.pubkey {
			e = old
		} else if err := p.freeze(&e, at, &d, save); err != nil {
			return post.Receipt{}, err
		}
		return p.send(ctx, &e)
	})
}

// freeze signs e, and saves it.
func (p *Publisher) freeze(e *event, at int, d *post.Delivery, save publish.Save) error {
	key, err := parseKey(p.config.Key())
	if err == nil {
		err = e.sign(key)
	}
	if err != nil {
		return &post.Failure{Class: post.ClassAuth, Sent: post.SentNot, Scope: post.ScopeConnection, Message: "the note cannot be signed", Err: err}
	}
	state, err := json.Marshal(checkpoint{Part: at, Event: *e})
	if err == nil {
		err = save(nil, state)
	}
	if err != nil {
		return &post.Failure{Class: post.ClassUnknown, Sent: post.SentNot, Message: fmt.Sprintf("save progress: %v", err), Err: err}
	}
	d.Post.State = state
	return nil
}

// note makes the note of one part, unsigned. Media are the first part's. Parts are
// a second apart at least, as clients put them in order by their times.
func (p *Publisher) note(d *post.Delivery, at int, text string, before []post.Part) event {
	e := event{Kind: kindNote, PubKey: p.pubkey, CreatedAt: p.now().Unix(), Tags: [][]string{}, Content: text}
	if at > 0 {
		if last, ok := frozen(d.Post.State, at-1); ok {
			e.CreatedAt = max(e.CreatedAt, last.CreatedAt+1)
		}
		relay := p.config.Relays[0]
		e.addTag("e", before[0].RemoteID, relay, "root", p.pubkey)
		if at > 1 {
			e.addTag("e", before[at-1].RemoteID, relay, "reply", p.pubkey)
		}
		e.addTag("p", p.pubkey)
	}
	for from, to := range publish.Tags(text) {
		e.addTag("t", strings.ToLower(text[from+1:to]))
	}
	for from, to := range publish.Links(text) {
		e.addTag("r", text[from:to])
	}
	if at == 0 {
		e.addMedia(d.Content.Media)
	}
	return e
}

// addMedia writes the addresses of media below the text, with what is known of
// them beside it (NIP-92).
func (e *event) addMedia(media []post.Media) {
	for i := range media {
		m := &media[i]
		if !strings.Contains(e.Content, m.URL) {
			space := "\n"
			if i == 0 {
				space = "\n\n"
			}
			e.Content = strings.TrimLeft(e.Content+space+m.URL, "\n")
		}
		tag := []string{"imeta", "url " + m.URL}
		if kind := cmp.Or(m.Pin.Type, publish.MediaType(m.URL)); kind != "" {
			tag = append(tag, "m "+kind)
		}
		if m.Pin.Width > 0 && m.Pin.Height > 0 {
			tag = append(tag, fmt.Sprintf("dim %dx%d", m.Pin.Width, m.Pin.Height))
		}
		if m.Alt != "" {
			tag = append(tag, "alt "+m.Alt)
		}
		if len(tag) > 2 { // NIP-92 wants one thing beside the address
			e.addTag(tag...)
		}
	}
}

// each calls do with every relay at once, and returns what came of each, in the
// order of the relays. Once one is done, the others have not much longer.
func (p *Publisher) each(ctx context.Context, do func(ctx context.Context, relay string) (done bool, err error)) (done []bool, errs []error) {
	ctx, cancel := context.WithTimeout(ctx, p.config.Timeout)
	defer cancel()
	done, errs = make([]bool, len(p.config.Relays)), make([]error, len(p.config.Relays))
	var all sync.WaitGroup
	for i, relay := range p.config.Relays {
		all.Go(func() {
			done[i], errs[i] = do(ctx, relay)
			if done[i] {
				time.AfterFunc(grace, cancel)
			}
		})
	}
	all.Wait()
	return done, errs
}

// send sends e to all relays. One that takes it is enough.
func (p *Publisher) send(ctx context.Context, e *event) (post.Receipt, error) {
	taken, errs := p.each(ctx, func(ctx context.Context, relay string) (bool, error) {
		err := p.deliver(ctx, relay, e)
		return err == nil, err
	})
	if !slices.Contains(taken, true) {
		return post.Receipt{}, p.together(errs)
	}
	return p.receipt(e, taken, p.now()), nil
}

// receipt leads to a note by its id, and by relays that have it.
func (p *Publisher) receipt(e *event, has []bool, at time.Time) post.Receipt {
	var hints []string
	for i, relay := range p.config.Relays {
		if has[i] && len(hints) < maxHints {
			hints = append(hints, relay)
		}
	}
	id := e.hash()
	return post.Receipt{RemoteID: e.ID, URL: viewer + neventOf(id[:], p.author, hints), PublishedAt: at.UTC()}
}

// viewer shows notes and people by their names in bech32.
const viewer = "https://njump.me/"

// together makes one failure of those of the relays, in their order. A note is in doubt when it
// may be on one of them; else what can be tried again counts most, and then what a
// relay has against this post.
func (p *Publisher) together(errs []error) *post.Failure {
	var all []*post.Failure
	var words []string
	for i, err := range errs {
		if err == nil { // a relay that answered, and has it not
			continue
		}
		f, ok := err.(*post.Failure)
		if !ok { // that is how failures of this package are made
			f = &post.Failure{Class: post.ClassUnknown, Sent: post.SentMaybe, Message: err.Error(), Err: err}
		}
		all = append(all, f)
		words = append(words, p.config.Relays[i]+": "+f.Message)
	}
	worst := all[0]
	ofPost := func(f *post.Failure) bool { return f.Scope == post.ScopePost }
	for _, counts := range []func(*post.Failure) bool{(*post.Failure).InDoubt, (*post.Failure).Retryable, ofPost} {
		if i := slices.IndexFunc(all, counts); i >= 0 {
			worst = all[i]
			break
		}
	}
	f := *worst
	f.Message = p.client.Shown(strings.Join(words, "; "))
	if slices.ContainsFunc(all, ofPost) {
		f.Scope = post.ScopePost
	}
	return &f
}

// Lookup asks the relays for the notes that d may have sent. One that has a note
// is enough; that none has it is known when all of them say so.
func (p *Publisher) Lookup(ctx context.Context, d post.Delivery) (post.Found, error) {
	return publish.FindParts(ctx, &d, "", func(ctx context.Context, at int, _ string, _ []post.Part) (post.Found, error) {
		e, ok := frozen(d.Post.State, at)
		if !ok {
			return post.Found{State: post.Absent}, nil
		}
		has, errs := p.each(ctx, func(ctx context.Context, relay string) (bool, error) { return p.has(ctx, relay, e.ID) })
		if slices.Contains(has, true) {
			r := p.receipt(&e, has, time.Unix(e.CreatedAt, 0))
			r.Found = true
			return post.Found{State: post.Present, Receipt: r}, nil
		}
		if slices.ContainsFunc(errs, func(err error) bool { return err != nil }) {
			return post.Found{}, p.together(errs)
		}
		return post.Found{State: post.Absent}, nil
	})
}

// Check says whose key it is, and connects to the relays. One that answers is
// enough, as it is for a post.
func (p *Publisher) Check(ctx context.Context) (post.Identity, error) {
	answer, errs := p.each(ctx, func(ctx context.Context, relay string) (bool, error) {
		l, err := p.open(ctx, relay)
		if err == nil {
			l.close()
		}
		return err == nil, err
	})
	n := 0
	for _, ok := range answer {
		if ok {
			n++
		}
	}
	if n == 0 {
		return post.Identity{}, p.together(errs)
	}
	npub := encode("npub", p.author)
	who := post.Identity{Username: npub, ProfileURL: viewer + npub}
	if n < len(answer) {
		who.DisplayName = fmt.Sprintf("%d of %d relays answer", n, len(answer))
	}
	return who, nil
}
