package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postroom/postroom/api"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/store"
)

// A receiver is who webhooks call. It keeps what came, and answers as told.
type receiver struct {
	mu     sync.Mutex
	came   []letter
	answer func(url string, n int) (int, error) // n from 1; nil for 200
	stop   func()                               // ends the API, and waits for it
}

type letter struct {
	at   time.Time
	url  string
	h    http.Header
	body string
}

func (r *receiver) call(ctx context.Context, url string, h http.Header, body []byte) (int, error) {
	r.mu.Lock()
	r.came = append(r.came, letter{time.Now(), url, h.Clone(), string(body)})
	n, answer := len(r.came), r.answer
	r.mu.Unlock()
	if answer == nil {
		return 200, ctx.Err()
	}
	return answer(url, n)
}

func (r *receiver) letters() []letter {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.came)
}

// inBubble runs a test with the API at work in a bubble, where minutes pass in no
// time. The clock starts at 2000-01-01.
func inBubble(t *testing.T, answer func(url string, n int) (int, error), test func(d *desk, r *receiver)) {
	path := filepath.Join(t.TempDir(), "postroom.db")
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{answer: answer}
		s, err := store.Open(path, store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		d := &desk{T: t, store: s, now: time.Now(), account: api.Account{ID: "acme", Plan: plan("unlimited"), Connections: []api.Connection{{ID: "mastodon-1"}}}}
		d.api = api.New(api.Config{
			Store: s, Now: time.Now, Log: slog.New(slog.NewTextHandler(testLog{t}, nil)), Vault: glassVault{}, Call: r.call,
			Account:  func(id post.AccountID) (api.Account, bool) { return d.account, id == "acme" },
			Settings: func() api.Settings { return d.set },
		})
		d.key, d.id = d.newKey("acme")
		ctx, cancel := context.WithCancel(t.Context())
		over := make(chan error)
		go func() { over <- d.api.Run(ctx) }()
		r.stop = sync.OnceFunc(func() {
			cancel()
			if err := <-over; err != nil {
				t.Error(err)
			}
		})
		test(d, r)
		r.stop()
		for _, err := range s.Verify(context.Background()) {
			t.Errorf("verify: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// say has the account's webhooks told of an event that names who.
func (d *desk) say(who string) {
	d.Helper()
	e := post.Event{Name: post.EventExpiring, At: time.Now(), Data: post.ExpiringData{Platform: "mastodon", PlatformID: "mastodon-1", Username: who, ExpiresAt: post.Milli(time.Now())}}
	if err := d.store.Emit(d.Context(), "acme", e); err != nil {
		d.Fatal(err)
	}
}

const anyHook = `{"name":"n","url":"https://example.org/%s","events":["post.scheduled","token.expiring"]}`

// CONTRACT §7: one delivery for each platform post, at once, with its headers, and
// a signature over the bytes that were sent.
func TestAWebhookIsToldAtOnceAndSigned(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(d *desk, r *receiver) {
		m := d.hook(fmt.Sprintf(anyHook, "a"))
		id := d.create(`{"content":"x","platforms":["mastodon-1"],"scheduledTime":"2000-01-01T09:00:00.5Z"}`)
		d.say("José <&> \u2028😀")
		synctest.Wait()
		came := r.letters()
		if len(came) != 2 {
			d.Fatalf("%d deliveries, want 2", len(came))
		}
		g := d.group(id)
		want := `{"event":"post.scheduled","timestamp":"2000-01-01T00:00:00.000Z","data":{"postId":"` + g.Posts[0].ID.String() + `","postGroupId":"` + id + `","platform":"mastodon","scheduledAt":"2000-01-01T09:00:01.000Z"}}`
		if came[0].body != want || came[0].url != "https://example.org/a" {
			d.Errorf("got  %s to %s\nwant %s", came[0].body, came[0].url, want)
		}
		for i, l := range came {
			h := l.h
			if h.Get("X-PostPost-Signature") != api.Signature(m.Webhook.Secret, []byte(l.body)) || h.Get("Content-Type") != "application/json" {
				d.Errorf("delivery %d: headers %v", i, h)
			}
			if h.Get("X-PostPost-Timestamp") != "2000-01-01T00:00:00.000Z" || len(h.Get("X-PostPost-Delivery")) != 24 {
				d.Errorf("delivery %d: headers %v", i, h)
			}
			// The contract's Node verifier parses a body and writes it anew.
			if anew := asNodeWrites(d.T, l.body); anew != l.body {
				d.Errorf("delivery %d: parsed and written anew it is\n%s, sent was\n%s", i, anew, l.body)
			}
		}
		if came[0].h.Get("X-PostPost-Event") != "post.scheduled" || came[1].h.Get("X-PostPost-Event") != "token.expiring" {
			d.Errorf("events %v, %v", came[0].h, came[1].h)
		}
		var list struct {
			Webhooks []struct {
				FailureCount    int
				LastTriggeredAt string
			}
		}
		d.do("GET", "/webhooks", "").ok().into(&list)
		if w := list.Webhooks[0]; w.FailureCount != 0 || w.LastTriggeredAt != "2000-01-01T00:00:00.000Z" {
			d.Errorf("listed %+v", w)
		}
	})
}

// asNodeWrites parses JSON and writes it as JSON.stringify does, keeping the order
// of fields.
func asNodeWrites(t *testing.T, body string) string {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(body))
	var b strings.Builder
	type level struct {
		object bool
		n      int
	}
	var in []level
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return b.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		if d, ok := tok.(json.Delim); ok && (d == '}' || d == ']') {
			in = in[:len(in)-1]
			b.WriteString(d.String())
			continue
		}
		if len(in) > 0 {
			top := &in[len(in)-1]
			switch {
			case top.object && top.n%2 == 1:
				b.WriteByte(':')
			case top.n > 0:
				b.WriteByte(',')
			}
			top.n++
		}
		if d, ok := tok.(json.Delim); ok {
			b.WriteString(d.String())
			in = append(in, level{object: d == '{'})
			continue
		}
		var one bytes.Buffer
		enc := json.NewEncoder(&one)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(tok); err != nil {
			t.Fatal(err)
		}
		b.WriteString(strings.NewReplacer(`\u2028`, "\u2028", `\u2029`, "\u2029").Replace(strings.TrimSpace(one.String())))
	}
}

// CONTRACT §7: 10 s, 1 m, 5 m, 30 m, then off; the same delivery each time, nothing
// overtakes it, and what waits goes out once the webhook is switched on again.
func TestAWebhookThatFailsIsTriedAgainAndThenSwitchedOff(t *testing.T) {
	t.Parallel()
	bad := true
	var mu sync.Mutex
	inBubble(t, func(_ string, n int) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case !bad:
			return 204, nil
		case n%3 == 0:
			return 0, errors.New("no route to host")
		case n%3 == 1:
			return 302, nil // a redirect is a failure
		}
		return 500, nil
	}, func(d *desk, r *receiver) {
		id := d.hook(fmt.Sprintf(anyHook, "a")).Webhook.ID
		from := time.Now()
		d.say("first")
		d.say("second")
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		var after []string
		for _, l := range r.letters() {
			after = append(after, l.at.Sub(from).String())
			if !strings.Contains(l.body, `"username":"first"`) || l.h.Get("X-PostPost-Delivery") != r.letters()[0].h.Get("X-PostPost-Delivery") || l.body != r.letters()[0].body {
				d.Errorf("after %s: %s", l.at.Sub(from), l.body)
			}
		}
		if want := []string{"0s", "10s", "1m10s", "6m10s", "36m10s"}; !slices.Equal(after, want) {
			d.Errorf("attempts after %v, want %v", after, want)
		}
		list := d.do("GET", "/webhooks", "")
		if !strings.Contains(list.Body, `"isActive":false,"failureCount":5`) {
			d.Errorf("after five failures: %s", list.Body)
		}
		mu.Lock()
		bad = false
		mu.Unlock()
		d.do("PATCH", "/webhooks/"+id, `{"isActive":true}`).ok()
		synctest.Wait()
		came := r.letters()[len(after):]
		if len(came) != 2 || !strings.Contains(came[0].body, "first") || !strings.Contains(came[1].body, "second") {
			d.Errorf("switched on again, it was told %v", came)
		}
		if list := d.do("GET", "/webhooks", ""); !strings.Contains(list.Body, `"isActive":true,"failureCount":0`) {
			d.Errorf("switched on again: %s", list.Body)
		}
	})
}

// One receiver that hangs or fails keeps no other waiting.
func TestWebhooksDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	inBubble(t, func(url string, _ int) (int, error) {
		if strings.HasSuffix(url, "/slow") {
			time.Sleep(9 * time.Second)
		}
		return 200, nil
	}, func(d *desk, r *receiver) {
		d.hook(fmt.Sprintf(anyHook, "slow"))
		d.hook(fmt.Sprintf(anyHook, "quick"))
		from := time.Now()
		for i := range 3 {
			d.say(fmt.Sprint(i))
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		got := map[string][]string{}
		for _, l := range r.letters() {
			got[l.url] = append(got[l.url], l.at.Sub(from).String()+" "+l.body[strings.Index(l.body, `"username":"`)+12:][:1])
		}
		if want := []string{"0s 0", "0s 1", "0s 2"}; !slices.Equal(got["https://example.org/quick"], want) {
			d.Errorf("the quick one was told %v, want %v", got["https://example.org/quick"], want)
		}
		if want := []string{"0s 0", "9s 1", "18s 2"}; !slices.Equal(got["https://example.org/slow"], want) {
			d.Errorf("the slow one was told %v, want %v", got["https://example.org/slow"], want)
		}
	})
}

func TestAStopLetsAnAttemptEndAndRecordsIt(t *testing.T) {
	t.Parallel()
	inBubble(t, func(string, int) (int, error) { time.Sleep(5 * time.Second); return 200, nil }, func(d *desk, r *receiver) {
		d.hook(fmt.Sprintf(anyHook, "a"))
		d.say("x")
		time.Sleep(time.Second)
		r.stop()
		due, _, err := d.store.DueWebhooks(d.Context())
		if all, _ := d.store.Webhooks(d.Context(), "acme"); err != nil || len(due) != 0 || len(r.letters()) != 1 || all[0].LastAt.IsZero() {
			d.Errorf("%d attempts, of %v, due are %v (%v); want one, that is recorded", len(r.letters()), all, due, err)
		}
	})
}

func TestASecretThatCannotBeReadSendsNothing(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(d *desk, r *receiver) {
		w := post.Webhook{Account: "acme", Name: "n", URL: "https://example.org", Events: post.Events, Active: true, Secret: []byte("x")}
		if err := d.store.AddWebhook(d.Context(), &w, 1); err != nil {
			d.Fatal(err)
		}
		d.say("x")
		time.Sleep(time.Minute)
		synctest.Wait()
		if came := r.letters(); len(came) != 0 {
			d.Errorf("sent %v", came)
		}
		if list := d.do("GET", "/webhooks", ""); !strings.Contains(list.Body, `"failureCount":2`) {
			d.Errorf("listed %s", list.Body)
		}
	})
}

// What is beside the contract is left out when it is to be strict.
func TestStrictDeliveriesHaveTheContractsHeadersAlone(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(d *desk, r *receiver) {
		d.set.StrictCompat = true
		d.hook(fmt.Sprintf(anyHook, "a"))
		d.say("x")
		synctest.Wait()
		var names []string
		for name := range r.letters()[0].h {
			names = append(names, name)
		}
		slices.Sort(names)
		if want := []string{"Content-Type", "X-Postpost-Event", "X-Postpost-Signature"}; !slices.Equal(names, want) {
			d.Errorf("headers %v, want %v", names, want)
		}
	})
}
