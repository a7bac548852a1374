package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/postroom/postroom/post"
)

// Bounds of what waits for a webhook: the oldest make room.
const (
	noticesKept = 7 * 24 * time.Hour
	mostNotices = 10_000 // an import's count as one
)

// noticesAtOnce is how many posts of an import are spelled out in one step.
const noticesAtOnce = 100

// waits are how long a webhook is left alone after each failure in a row; one
// more failure, and it is switched off (CONTRACT §7).
var waits = [...]time.Duration{10 * time.Second, time.Minute, 5 * time.Minute, 30 * time.Minute}

func webhookKey(account uint32, id post.ID) []byte { return append(key4(account), id[:]...) }

func readWebhook(k, v []byte) (w post.Webhook, err error) {
	if err := json.Unmarshal(v, &w); err != nil {
		return w, fmt.Errorf("webhook %x: %w: %v", k, errRecord, err)
	}
	return w, nil
}

func putWebhook(tx *bolt.Tx, account uint32, w *post.Webhook) error {
	b, err := json.Marshal(w)
	if err != nil {
		return err
	}
	return tx.Bucket(bucketWebhooks).Put(webhookKey(account, w.ID), b)
}

// webhooks returns those of an account, the oldest first.
func webhooks(tx *bolt.Tx, account uint32) (all []post.Webhook, err error) {
	prefix := key4(account)
	c := tx.Bucket(bucketWebhooks).Cursor()
	for k, v := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, v = c.Next() {
		w, err := readWebhook(k, v)
		if err != nil {
			return nil, err
		}
		all = append(all, w)
	}
	return all, nil
}

// AddWebhook stores a webhook and gives it its id. An account has at most most of
// them: one more is a *post.CapExceeded.
func (s *Store) AddWebhook(ctx context.Context, w *post.Webhook, most int) error {
	if err := s.register(ctx, w.Account, nil); err != nil {
		return err
	}
	account, _ := s.names.accountNumber(w.Account)
	w.ID = s.NewID()
	w.CreatedAt = s.now().UTC().Truncate(time.Millisecond)
	w.UpdatedAt = w.CreatedAt
	return s.update(ctx, func(c *change) error {
		if err := s.room(c.Tx); err != nil {
			return err
		}
		have, err := webhooks(c.Tx, account)
		if err != nil {
			return err
		}
		if len(have) >= most {
			return &post.CapExceeded{Cap: post.Cap{Max: most}, Used: len(have), Requested: 1}
		}
		return putWebhook(c.Tx, account, w)
	})
}

// Webhooks lists the webhooks of an account, the oldest first.
func (s *Store) Webhooks(ctx context.Context, account post.AccountID) (all []post.Webhook, err error) {
	n, ok := s.names.accountNumber(account)
	if !ok {
		return nil, nil
	}
	err = s.view(ctx, func(tx *bolt.Tx) error {
		all, err = webhooks(tx, n)
		return err
	})
	return all, err
}

// webhook reads one.
func (s *Store) webhook(tx *bolt.Tx, account post.AccountID, id post.ID) (n uint32, w post.Webhook, err error) {
	n, ok := s.names.accountNumber(account)
	k := webhookKey(n, id)
	v := tx.Bucket(bucketWebhooks).Get(k)
	if !ok || v == nil {
		return n, w, fmt.Errorf("webhook %s: %w", id, post.ErrNotFound)
	}
	w, err = readWebhook(k, v)
	return n, w, err
}

// EditWebhook changes a webhook of an account. fn may run more than once. One that
// is switched on again, or goes elsewhere, starts without failures.
func (s *Store) EditWebhook(ctx context.Context, account post.AccountID, id post.ID, fn func(*post.Webhook)) (w post.Webhook, err error) {
	err = s.update(ctx, func(c *change) error {
		n, old, err := s.webhook(c.Tx, account, id)
		if err != nil {
			return err
		}
		w = old
		fn(&w)
		w.UpdatedAt = c.now.UTC().Truncate(time.Millisecond)
		if w.Active && !old.Active || w.URL != old.URL {
			w.Failures, w.NextAt = 0, time.Time{}
		}
		c.OnCommit(s.tell)
		return putWebhook(c.Tx, n, &w)
	})
	return w, err
}

// DeleteWebhook takes a webhook away, with what waits for it.
func (s *Store) DeleteWebhook(ctx context.Context, account post.AccountID, id post.ID) error {
	return s.update(ctx, func(c *change) error { return s.dropWebhook(c, account, id) })
}

func (s *Store) dropWebhook(c *change, account post.AccountID, id post.ID) error {
	n, _, err := s.webhook(c.Tx, account, id)
	if err != nil {
		return err
	}
	var keys [][]byte
	cur := c.Bucket(bucketNotices).Cursor()
	for k, _ := cur.Seek(id[:]); bytes.HasPrefix(k, id[:]); k, _ = cur.Next() {
		keys = append(keys, bytes.Clone(k))
	}
	for _, k := range keys {
		if err := c.Bucket(bucketNotices).Delete(k); err != nil {
			return err
		}
	}
	return c.Bucket(bucketWebhooks).Delete(webhookKey(n, id))
}

// Emit has the webhooks of an account that want an event told of it. It is durable
// when Emit returns. What the store itself changes, it tells of in the same step.
func (s *Store) Emit(ctx context.Context, account post.AccountID, e post.Event) error {
	n, ok := s.names.accountNumber(account)
	if !ok {
		return nil // it has no webhook either
	}
	return s.update(ctx, func(c *change) error { return c.emit(n, e) })
}

// EmitOnce is Emit for what must be told one time, whatever is found again and
// however often postroom starts: it does nothing while a call under the same key is
// remembered. It reports whether this was the first.
func (s *Store) EmitOnce(ctx context.Context, account post.AccountID, key string, keptFor time.Duration, e post.Event) (first bool, err error) {
	n, ok := s.names.accountNumber(account)
	if !ok {
		return false, nil
	}
	err = s.update(ctx, func(c *change) error {
		if first, err = c.first(n, e.Name+"\n"+key, keptFor); err != nil || !first {
			return err
		}
		return c.emit(n, e)
	})
	return first, err
}

// emit writes an event for each webhook of an account that wants it.
func (c *change) emit(account uint32, e post.Event) error {
	return c.toEach(account, e.Name, func(w *post.Webhook, key []byte) error {
		n := post.Notice{Key: key, ID: c.s.ids.next(c.now, 0), Event: e.Name, At: e.At}
		var err error
		if n.Body, err = e.Body(); err != nil {
			return err
		}
		return putNotice(c.Tx, &n)
	})
}

// toEach calls fn for each webhook that wants an event, with the key of a new
// notice after all that wait for it.
func (c *change) toEach(account uint32, event string, fn func(w *post.Webhook, key []byte) error) error {
	all, err := webhooks(c.Tx, account)
	if err != nil {
		return err
	}
	for i := range all {
		w := &all[i]
		if !w.Wants(event) {
			continue
		}
		seq, err := c.line(w.ID)
		if err != nil {
			return err
		}
		if err := fn(w, noticeKey(w.ID, seq, post.ID{})); err != nil {
			return err
		}
		if !c.told {
			c.told = true
			c.OnCommit(c.s.tell)
		}
	}
	return nil
}

// line returns the place behind all that waits for a webhook. When too many wait,
// the first of them goes.
func (c *change) line(id post.ID) (seq uint64, err error) {
	b := c.Bucket(bucketNotices)
	cur := b.Cursor()
	first, _ := cur.Seek(id[:])
	if !bytes.HasPrefix(first, id[:]) {
		return 0, nil
	}
	end := append(bytes.Clone(id[:]), bytes.Repeat([]byte{0xff}, 8)...)
	last, _ := cur.Seek(end)
	last, _ = stepBack(cur, last, end)
	seq = binary.BigEndian.Uint64(last[post.IDLen:]) + 1
	if seq-binary.BigEndian.Uint64(first[post.IDLen:]) < mostNotices {
		return seq, nil
	}
	c.s.log.Warn("webhook event dropped: too many wait", "webhook", id)
	return seq, b.Delete(bytes.Clone(first))
}

// tellOf writes the events that follow from a change of a post's status.
func (c *change) tellOf(account uint32, g *post.Group, was, is *post.Post) error {
	name := eventOf(was, is)
	if name == "" {
		return nil
	}
	e := post.Event{Name: name, At: c.now}
	platform := is.Connection.Platform()
	switch name {
	case post.EventScheduled:
		e.Data = scheduledData(g, is)
	case post.EventPublished:
		at := c.now
		if is.Receipt != nil && !is.Receipt.PublishedAt.IsZero() {
			at = is.Receipt.PublishedAt
		}
		e.Data = post.PublishedData{PostID: is.ID, PostGroupID: g.ID, Platform: platform, PublishedAt: post.Milli(at)}
	case post.EventFailed:
		why := post.EventError{Code: post.ClassUnknown.String(), Message: "The post failed"}
		if is.Problem != nil {
			why = post.EventError{Code: is.Problem.Code, Message: is.Problem.Message}
		}
		if is.Status == post.StatusUnknown {
			why.Code = post.CodeOutcomeUnknown
		}
		e.Data = post.FailedData{PostID: is.ID, PostGroupID: g.ID, Platform: platform, Error: why, FailedAt: post.Milli(c.now)}
	}
	return c.emit(account, e)
}

func scheduledData(g *post.Group, p *post.Post) post.ScheduledData {
	return post.ScheduledData{PostID: p.ID, PostGroupID: g.ID, Platform: p.Connection.Platform(), ScheduledAt: post.Milli(p.SlotAt)}
}

// eventOf names the event that a change of a post is, "" for none (CONTRACT §3).
// A post that waits for another try is not scheduled anew: its slot stays. One of
// unknown outcome has failed as far as the contract has words for it, and does not
// fail again when a person says that it was not sent.
func eventOf(was, is *post.Post) string {
	before := post.Status(0)
	if was != nil {
		before = was.Status
	}
	over := func(s post.Status) bool { return s == post.StatusFailed || s == post.StatusUnknown }
	switch {
	case is.Status == post.StatusPublished && before != post.StatusPublished:
		return post.EventPublished
	case over(is.Status) && !over(before):
		return post.EventFailed
	case is.Status != post.StatusScheduled, before == post.StatusProcessing, before == post.StatusPending:
		return ""
	case before != post.StatusScheduled, !is.SlotAt.Equal(was.SlotAt):
		return post.EventScheduled
	}
	return ""
}

// announce tells the webhooks of an account of what an import scheduled: with one
// record for all its posts, which are spelled out when their turn comes, so that
// sealing an import stays a small step.
func (c *change) announce(account uint32, imp post.ID) error {
	return c.toEach(account, post.EventScheduled, func(w *post.Webhook, key []byte) error {
		copy(key[20:], lastOfAll)
		return c.Bucket(bucketNotices).Put(key, encodeSpell(spell{imp, imp, c.now}))
	})
}

// noticeKey is webhook(12), sequence(8), and of an import's events, group(12);
// what is still to be spelled out of an import comes after those.
func noticeKey(id post.ID, seq uint64, group post.ID) []byte {
	k := binary.BigEndian.AppendUint64(bytes.Clone(id[:]), seq)
	return append(k, group[:]...)
}

var lastOfAll = bytes.Repeat([]byte{0xff}, post.IDLen)

// A spell is what is still to be told of an import: its groups from next on.
type spell struct {
	imp, next post.ID
	at        time.Time
}

// Kinds of records in notices.
const (
	kindNotice = iota
	kindSpell
)

func encodeSpell(sp spell) []byte {
	e := newEncoder(nil)
	e.byte(kindSpell)
	e.id(sp.imp)
	e.id(sp.next)
	e.time(sp.at)
	return e.b
}

func putNotice(tx *bolt.Tx, n *post.Notice) error {
	e := newEncoder(nil)
	e.byte(kindNotice)
	e.id(n.ID)
	e.string(n.Event)
	e.time(n.At)
	e.bytes(n.Body)
	return tx.Bucket(bucketNotices).Put(n.Key, e.b)
}

// readNotice reads either kind.
func readNotice(k, v []byte) (n post.Notice, sp spell, spelled bool, err error) {
	d := newDecoder(v)
	if d.byte() == kindSpell {
		sp = spell{d.id(), d.id(), d.time()}
		return n, sp, false, d.done("notice", k)
	}
	n = post.Notice{Key: bytes.Clone(k), ID: d.id(), Event: d.string(), At: d.time(), Body: d.bytes()}
	return n, sp, true, d.done("notice", k)
}

// tell wakes whoever delivers. It never waits.
func (s *Store) tell() {
	select {
	case s.told <- struct{}{}:
	default:
	}
}

// Told gives a value when there may be something new to deliver.
func (s *Store) Told() <-chan struct{} { return s.told }

// rests reports whether a webhook is left alone after a failure. One whose last
// attempt is still to come is not: the clock was set back since.
func rests(w *post.Webhook, now time.Time) bool {
	return w.NextAt.After(now) && !w.LastAt.After(now.Add(clockSlack))
}

// DueWebhooks returns the active webhooks that something waits for, and that may be
// sent to now; and when the first of the others may be, zero for none.
func (s *Store) DueWebhooks(ctx context.Context) (due []post.Webhook, next time.Time, err error) {
	now := s.now()
	err = s.view(ctx, func(tx *bolt.Tx) error {
		due, next = nil, time.Time{}
		notices := tx.Bucket(bucketNotices).Cursor()
		return tx.Bucket(bucketWebhooks).ForEach(func(k, v []byte) error {
			w, err := readWebhook(k, v)
			if err != nil || !w.Active {
				return err
			}
			if first, _ := notices.Seek(w.ID[:]); !bytes.HasPrefix(first, w.ID[:]) {
				return nil
			}
			switch {
			case !rests(&w, now):
				due = append(due, w)
			case next.IsZero() || w.NextAt.Before(next):
				next = w.NextAt
			}
			return nil
		})
	})
	return due, next, err
}

// NextNotice returns what is to be told a webhook next, and the webhook as it is
// now; false when there is nothing, or it may not be sent to now.
func (s *Store) NextNotice(ctx context.Context, account post.AccountID, id post.ID) (w post.Webhook, n post.Notice, ok bool, err error) {
	for {
		settled := false
		err = s.view(ctx, func(tx *bolt.Tx) error {
			w, n, ok, settled, err = s.headNotice(tx, account, id)
			return err
		})
		if err != nil || settled {
			return w, n, ok, err
		}
		err = s.update(ctx, func(c *change) error { return c.advance(id) })
		if err != nil {
			return w, n, false, err
		}
	}
}

// headNotice reads the first notice of a webhook. It is not settled when what
// stands first must be spelled out, or has become too old.
func (s *Store) headNotice(tx *bolt.Tx, account post.AccountID, id post.ID) (w post.Webhook, n post.Notice, ok, settled bool, err error) {
	_, w, err = s.webhook(tx, account, id)
	if err != nil || !w.Active || rests(&w, s.now()) {
		return w, n, false, true, err
	}
	k, v := tx.Bucket(bucketNotices).Cursor().Seek(id[:])
	if !bytes.HasPrefix(k, id[:]) {
		return w, n, false, true, nil
	}
	n, _, spelled, err := readNotice(k, v)
	if err != nil || !spelled || s.now().Sub(n.At) > noticesKept {
		return w, n, false, false, err
	}
	return w, n, true, true, nil
}

// advance drops what has waited for too long at the head of a webhook's notices,
// and spells out some of an import that stands there.
func (c *change) advance(id post.ID) error {
	b := c.Bucket(bucketNotices)
	cur := b.Cursor()
	var old [][]byte
	for k, v := cur.Seek(id[:]); bytes.HasPrefix(k, id[:]) && len(old) < mostNotices; k, v = cur.Next() {
		n, sp, spelled, err := readNotice(k, v)
		if err != nil {
			return err
		}
		if spelled {
			sp.at = n.At
		}
		if c.now.Sub(sp.at) > noticesKept {
			old = append(old, bytes.Clone(k))
			continue
		}
		if !spelled && len(old) == 0 {
			return c.spellOut(bytes.Clone(k), sp)
		}
		break
	}
	for _, k := range old {
		if err := b.Delete(k); err != nil {
			return err
		}
	}
	if len(old) > 0 {
		c.s.log.Warn("webhook events dropped: they waited for too long", "webhook", id, "events", len(old))
	}
	return nil
}

// spellOut writes the next events of an import, before the record at key, which
// goes when there are no more. Posts that are drafts, or were taken back, were not
// scheduled.
func (c *change) spellOut(key []byte, sp spell) error {
	b := c.Bucket(bucketNotices)
	page, next, more, err := c.s.importPage(c.Tx, sp.imp, sp.next, noticesAtOnce)
	if err != nil {
		return err
	}
	for i := range page {
		g := &page[i]
		for j := range g.Posts {
			p := &g.Posts[j]
			if p.Status == post.StatusDraft || p.Status == post.StatusCancelled {
				continue
			}
			e := post.Event{Name: post.EventScheduled, At: sp.at, Data: scheduledData(g, p)}
			n := post.Notice{Key: bytes.Clone(key), ID: c.s.ids.next(c.now, 0), Event: e.Name, At: e.At}
			copy(n.Key[20:], p.ID[:])
			if n.Body, err = e.Body(); err != nil {
				return err
			}
			if err := putNotice(c.Tx, &n); err != nil {
				return err
			}
		}
	}
	if !more {
		return b.Delete(key)
	}
	sp.next = next
	return b.Put(key, encodeSpell(sp))
}

// Delivered records how an attempt at a notice ended: a success takes it away; a
// failure leaves it at the head, to be tried again after a wait, or switches the
// webhook off (CONTRACT §7). The webhook is returned as it is then; the error wraps
// post.ErrNotFound when it was deleted meanwhile.
func (s *Store) Delivered(ctx context.Context, account post.AccountID, id post.ID, n post.Notice, ok bool) (w post.Webhook, err error) {
	err = s.update(ctx, func(c *change) error {
		var number uint32
		if number, w, err = s.webhook(c.Tx, account, id); err != nil {
			return err
		}
		w.LastAt = c.now.UTC().Truncate(time.Millisecond)
		if ok {
			w.Failures, w.NextAt = 0, time.Time{}
			if err := c.Bucket(bucketNotices).Delete(n.Key); err != nil {
				return err
			}
			return putWebhook(c.Tx, number, &w)
		}
		if w.Failures++; w.Failures > len(waits) {
			w.Active, w.NextAt = false, time.Time{}
		} else {
			w.NextAt = w.LastAt.Add(waits[w.Failures-1])
		}
		return putWebhook(c.Tx, number, &w)
	})
	return w, err
}

// verifyNotices checks that whatever waits, waits for a webhook.
func verifyNotices(tx *bolt.Tx, fault func(string, ...any)) {
	known := map[post.ID]bool{}
	each(tx, bucketWebhooks, fault, func(k, v []byte) {
		w, err := readWebhook(k, v)
		if err != nil {
			fault("%w", err)
		}
		known[w.ID] = true
	})
	each(tx, bucketNotices, fault, func(k, v []byte) {
		if _, _, _, err := readNotice(k, v); err != nil {
			fault("%w", err)
		}
		if id := post.ID(k[:post.IDLen]); !known[id] {
			fault("notice %x waits for webhook %s, which is not there", k, id)
		}
	})
}
