package publish

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/postroom/postroom/post"
)

// A PartSender makes one part of a thread live, or the only part. before holds
// the parts already live, in order. Every error is a *post.Failure.
type PartSender func(ctx context.Context, at int, text string, before []post.Part) (post.Receipt, error)

// SendParts sends texts one after the other, or what is left of them when d
// holds parts of an earlier attempt: those are frozen, and texts is not looked
// at. The parts are saved before the first is sent and after each. The receipt
// names the first part, which leads to the others. A single text has no parts
// and saves nothing.
func SendParts(ctx context.Context, d *post.Delivery, texts []string, save Save, send PartSender) (post.Receipt, error) {
	parts := slices.Clone(d.Post.Parts)
	if len(parts) == 0 {
		if len(texts) == 1 {
			return send(ctx, 0, texts[0], nil)
		}
		for _, t := range texts {
			parts = append(parts, post.Part{Text: t})
		}
		if err := save(slices.Clone(parts), nil); err != nil {
			return post.Receipt{}, notSaved(err, post.SentNot)
		}
	}
	last := post.Receipt{PublishedAt: d.Post.BegunAt} // when all are live already
	for i := range parts {
		if parts[i].RemoteID != "" {
			continue
		}
		r, err := send(ctx, i, parts[i].Text, parts[:i])
		if err != nil {
			return post.Receipt{}, err
		}
		last = r
		parts[i].RemoteID, parts[i].URL = r.RemoteID, r.URL
		if err := save(slices.Clone(parts), nil); err != nil {
			return post.Receipt{}, notSaved(err, post.SentMaybe)
		}
	}
	last.RemoteID, last.URL = parts[0].RemoteID, parts[0].URL
	return last, nil
}

func notSaved(err error, sent post.Sent) *post.Failure {
	return &post.Failure{Class: post.ClassUnknown, Sent: sent, Message: fmt.Sprintf("save progress: %v", err), Err: err}
}

// Earliest returns from when on something of d may be live: its intent, or the time it
// was to go out at when there were attempts before this one.
func Earliest(d *post.Delivery) time.Time {
	if (d.Again || d.Post.Attempts > 1) && !d.Post.SlotAt.IsZero() && d.Post.SlotAt.Before(d.Post.BegunAt) {
		return d.Post.SlotAt
	}
	return d.Post.BegunAt
}

// A PartFinder says whether one part of a thread is live, or the only part.
type PartFinder func(ctx context.Context, at int, text string, before []post.Part) (post.Found, error)

// FindParts looks up what d may have made live, part by part, and stops at the
// first part that is not; text is what a post without parts says.
func FindParts(ctx context.Context, d *post.Delivery, text string, find PartFinder) (post.Found, error) {
	parts := slices.Clone(d.Post.Parts)
	if len(parts) == 0 {
		return find(ctx, 0, text, nil)
	}
	last := post.Receipt{PublishedAt: d.Post.BegunAt} // when all are live already
	for i := range parts {
		if parts[i].RemoteID != "" {
			continue
		}
		f, err := find(ctx, i, parts[i].Text, parts[:i])
		if err != nil {
			return post.Found{}, err
		}
		if f.State != post.Present {
			return post.Found{State: f.State, Parts: parts}, nil
		}
		last = f.Receipt
		parts[i].RemoteID, parts[i].URL = f.Receipt.RemoteID, f.Receipt.URL
	}
	last.RemoteID, last.URL, last.Found = parts[0].RemoteID, parts[0].URL, true
	return post.Found{State: post.Present, Receipt: last, Parts: parts}, nil
}
