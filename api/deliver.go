package api

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/postroom/postroom/post"
)

const (
	deliverWait  = 10 * time.Second // for one attempt (CONTRACT §7)
	mostCouriers = 16               // webhooks that are told something at one time
	lookAgain    = time.Minute      // at what waits, whatever the clock did
)

// The headers of a delivery (CONTRACT §7). The last two are additions.
const (
	headerSignature = "X-PostPost-Signature"
	headerEvent     = "X-PostPost-Event"
	headerDelivery  = "X-PostPost-Delivery"  // the same at every attempt: drop what came before
	headerTimestamp = "X-PostPost-Timestamp" // of the attempt
)

// deliver tells webhooks what waits for them until ctx ends: each in order, one
// attempt at a time, so that one that hangs keeps no other waiting.
func (a *API) deliver(ctx context.Context) error {
	busy, failed := map[post.ID]bool{}, error(nil)
	type end struct {
		id  post.ID
		err error
	}
	ended := make(chan end)
	for ctx.Err() == nil && failed == nil {
		due, next, err := a.Store.DueWebhooks(ctx)
		if err != nil {
			failed = fmt.Errorf("find what webhooks wait for: %w", err)
			break
		}
		for _, w := range due {
			if busy[w.ID] || len(busy) == mostCouriers {
				continue
			}
			busy[w.ID] = true
			go func() { ended <- end{w.ID, a.tellAll(ctx, w.Account, w.ID)} }()
		}
		wait := lookAgain
		if !next.IsZero() {
			wait = max(min(wait, next.Sub(a.Now())), 0)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case e := <-ended:
			delete(busy, e.id)
			failed = e.err
		case <-a.Store.Told():
		case <-timer.C:
		}
		timer.Stop()
	}
	for range busy { // an attempt under way ends, and is recorded
		if e := <-ended; failed == nil {
			failed = e.err
		}
	}
	return unlessOver(ctx, failed)
}

// DeliverDue tells webhooks what waits for them at this moment, once.
func (a *API) DeliverDue(ctx context.Context) error {
	due, _, err := a.Store.DueWebhooks(ctx)
	if err != nil {
		return fmt.Errorf("find what webhooks wait for: %w", err)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(mostCouriers)
	for _, w := range due {
		g.Go(func() error { return a.tellAll(ctx, w.Account, w.ID) })
	}
	return g.Wait()
}

// tellAll tells one webhook what waits for it, until nothing does, or it must be
// left alone for a while, or ctx ends.
func (a *API) tellAll(ctx context.Context, account post.AccountID, id post.ID) error {
	for ctx.Err() == nil {
		w, n, ok, err := a.Store.NextNotice(ctx, account, id)
		if errors.Is(err, post.ErrNotFound) || err == nil && !ok {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read what webhook %s waits for: %w", id, err)
		}
		why := a.attempt(context.WithoutCancel(ctx), &w, &n)
		w, err = a.Store.Delivered(context.WithoutCancel(ctx), account, id, n, why == nil)
		if errors.Is(err, post.ErrNotFound) {
			return nil // it was deleted meanwhile
		}
		if err != nil {
			return fmt.Errorf("record an attempt at webhook %s: %w", id, err)
		}
		log := a.Log.With("webhook", id, "event", n.Event, "notice", n.ID)
		switch {
		case why == nil:
			log.DebugContext(ctx, "webhook told")
		case w.Active:
			log.WarnContext(ctx, "webhook not told", "failures", w.Failures, "next", w.NextAt, "err", why)
		default:
			log.ErrorContext(ctx, "webhook switched off: it failed too often in a row", "failures", w.Failures, "err", why)
		}
	}
	return nil
}

// attempt sends one notice. Only an answer 2xx is a success; a redirect is none.
func (a *API) attempt(ctx context.Context, w *post.Webhook, n *post.Notice) error {
	secret, err := a.Vault.Open(w.Secret, OwnerOf(w.Account))
	if err != nil {
		return fmt.Errorf("its secret cannot be read, regenerate it: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, deliverWait)
	defer cancel()
	h := http.Header{}
	h.Set("Content-Type", "application/json")
	h.Set(headerSignature, Signature(secret, n.Body))
	h.Set(headerEvent, n.Event)
	if !a.Settings().StrictCompat {
		h.Set(headerDelivery, n.ID.String())
		h.Set(headerTimestamp, a.Now().UTC().Format("2006-01-02T15:04:05.000Z"))
	}
	status, err := a.Call(ctx, w.URL, h, n.Body)
	if err == nil && (status < 200 || status > 299) {
		err = fmt.Errorf("it answered %d, want 2xx", status)
	}
	return err
}

// Signature is what a delivery is signed with: the HMAC-SHA256 of its body, to the
// byte, in hexadecimal digits (CONTRACT §7).
func Signature(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}
