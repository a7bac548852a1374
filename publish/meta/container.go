package meta

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"time"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
)

// A Flow is how a platform that prepares posts in containers is asked to publish
// one part of a post. A container is published once however often that is asked
// for, so a lost answer is settled by a look at it.
type Flow struct {
	Graph   *Graph
	User    string // in paths
	Create  string // the edge that makes containers: media or threads
	Publish string // the edge that publishes one
	Status  string // the field of a container that says how it is
	Reason  string // the field that says why it failed

	// Find returns the platform's post that has been published from a container
	// and says text; the zero receipt when it is not listed.
	Find func(ctx context.Context, key, text string, from time.Time) (post.Receipt, error)
}

// State is the checkpoint of a post: the container of the part that is being sent,
// and those inside it.
type State struct {
	Part      int       `json:"part"`
	Container string    `json:"container,omitempty"`
	Children  []string  `json:"children,omitempty"`
	Till      time.Time `json:"till,omitzero"` // when the platform throws them away
}

// containerLife is less than the day for which containers are kept.
const containerLife = 23 * time.Hour

// readState reads d's checkpoint for one part; that of another part is none. One
// that has ended still counts: only the platform can say what became of it.
func readState(d *post.Delivery, part int) State {
	s := State{Part: part}
	var old State
	if json.Unmarshal(d.Post.State, &old) == nil && old.Part == part {
		s = old
	}
	return s
}

// Forms are what a part is made of: its own container, and those that it holds,
// which come first.
type Forms struct {
	Own      url.Values
	Children []url.Values
}

// Send publishes one part from a container, or goes on with the container of an
// earlier attempt. text is what the part says.
func (w *Flow) Send(ctx context.Context, d *post.Delivery, at int, text string, forms func() (Forms, error), save publish.Save) (post.Receipt, error) {
	s := readState(d, at)
	switch {
	case s.Container != "":
		status, err := w.ask(ctx, s.Container)
		switch f, failed := errors.AsType[*post.Failure](err); {
		case failed && f.Class != post.ClassInvalid:
			// Nearly every refusal is a 400, and only this one says that it is gone.
			return post.Receipt{}, publish.Unsent(err)
		case status == "PUBLISHED":
			return w.found(ctx, d, at, text, s.Container)
		case failed || status == "EXPIRED" || status == "ERROR":
			s = State{Part: at} // it is gone: nothing of it is live
		}
	case !s.Till.After(w.Graph.Now()):
		s = State{Part: at} // its children have ended
	}
	old := s.Container != ""
	if !old {
		if err := w.create(ctx, &s, forms, save); err != nil {
			return post.Receipt{}, publish.Unsent(err)
		}
	}
	if err := w.wait(ctx, s.Container); err != nil {
		return post.Receipt{}, publish.Unsent(err)
	}
	var got struct {
		ID string `json:"id"`
	}
	a, err := w.Graph.Post(ctx, "/"+w.User+"/"+w.Publish, url.Values{"creation_id": {s.Container}}, &got)
	if err == nil {
		err = w.Graph.ID(a, got.ID)
	}
	if f, ok := errors.AsType[*post.Failure](err); ok && old && f.Class == post.ClassInvalid && f.Sent == post.Refused {
		// An earlier attempt may have published it after all: only a look can tell.
		f.Class, f.Sent = post.ClassServer, post.SentMaybe
	}
	if err != nil {
		return post.Receipt{}, err
	}
	w.Graph.Own.Add(got.ID, d.Post.PartKey(at))
	return post.Receipt{RemoteID: got.ID, URL: w.permalink(ctx, got.ID), PublishedAt: a.At.UTC()}, nil
}

// create makes the containers of a part that an earlier attempt has not made.
func (w *Flow) create(ctx context.Context, s *State, forms func() (Forms, error), save publish.Save) error {
	all, err := forms()
	if err != nil {
		return err
	}
	s.Till = w.Graph.Now().Add(containerLife)
	for i := len(s.Children); i < len(all.Children); i++ {
		id, err := w.container(ctx, all.Children[i])
		if err != nil {
			return err
		}
		s.Children = append(s.Children, id)
		if err := publish.SaveState(save, s); err != nil {
			return err
		}
	}
	for _, id := range s.Children {
		if err := w.wait(ctx, id); err != nil {
			return err
		}
	}
	for i, id := range s.Children {
		sep := ","
		if i == 0 {
			sep = ""
		}
		all.Own.Set("children", all.Own.Get("children")+sep+id)
	}
	if s.Container, err = w.container(ctx, all.Own); err != nil {
		return err
	}
	return publish.SaveState(save, s)
}

func (w *Flow) container(ctx context.Context, form url.Values) (string, error) {
	var got struct {
		ID string `json:"id"`
	}
	a, err := w.Graph.Post(ctx, "/"+w.User+"/"+w.Create, form, &got)
	if err != nil {
		return "", err
	}
	return got.ID, w.Graph.ID(a, got.ID)
}

// ask returns how a container is: IN_PROGRESS, FINISHED, PUBLISHED, EXPIRED or
// ERROR.
func (w *Flow) ask(ctx context.Context, id string) (string, error) {
	status, _, err := w.askWhy(ctx, id)
	return status, err
}

func (w *Flow) askWhy(ctx context.Context, id string) (status, why string, err error) {
	var got map[string]any
	if _, err := w.Graph.Get(ctx, "/"+url.PathEscape(id), url.Values{"fields": {w.Status + "," + w.Reason}}, &got); err != nil {
		return "", "", err
	}
	status, _ = got[w.Status].(string)
	why, _ = got[w.Reason].(string)
	return status, why, nil
}

// The waits between questions how a container is.
const (
	firstWait = 2 * time.Second
	mostWait  = 30 * time.Second
)

// wait asks until a container can be published.
func (w *Flow) wait(ctx context.Context, id string) error {
	for pause := firstWait; ; pause = min(2*pause, mostWait) {
		status, why, err := w.askWhy(ctx, id)
		switch {
		case err != nil:
			return err
		case status == "ERROR" || status == "EXPIRED":
			return &post.Failure{Class: post.ClassInvalid, Sent: post.SentNot, Message: "the platform could not prepare the post: " + w.Graph.Client.Shown(why)}
		case status != "IN_PROGRESS":
			return nil
		}
		if err := publish.Pause(ctx, pause); err != nil {
			return &post.Failure{Class: post.ClassTimeout, Sent: post.SentNot, Message: "the platform is still fetching the media", Err: err}
		}
	}
}

// found is the receipt of a container that turned out to be published.
func (w *Flow) found(ctx context.Context, d *post.Delivery, at int, text, container string) (post.Receipt, error) {
	r, err := w.Find(ctx, d.Post.PartKey(at), text, publish.Earliest(d))
	if err != nil {
		return post.Receipt{}, err
	}
	if r.RemoteID == "" { // the platform lists it late, or not at all
		r = post.Receipt{RemoteID: container, PublishedAt: w.Graph.Now().UTC()}
	}
	w.Graph.Own.Add(r.RemoteID, d.Post.PartKey(at))
	r.Found = true
	return r, nil
}

// Look says whether one part is live: whether its container has been published.
func (w *Flow) Look(ctx context.Context, d *post.Delivery, at int, text string) (post.Found, error) {
	s := readState(d, at)
	if s.Container == "" {
		return post.Found{State: post.Absent}, nil // it was never asked to publish it
	}
	status, err := w.ask(ctx, s.Container)
	if err != nil {
		return post.Found{}, err
	}
	switch status {
	case "PUBLISHED":
		r, err := w.found(ctx, d, at, text, s.Container)
		if err != nil {
			return post.Found{}, err
		}
		return post.Found{State: post.Present, Receipt: r}, nil
	case "FINISHED", "IN_PROGRESS", "EXPIRED", "ERROR":
		return post.Found{State: post.Absent}, nil
	}
	return post.Found{State: post.Undecidable}, nil
}

// permalink asks where a post is; "" when the platform does not say.
func (w *Flow) permalink(ctx context.Context, id string) string {
	var got struct {
		Permalink string `json:"permalink"`
	}
	if _, err := w.Graph.Get(ctx, "/"+url.PathEscape(id), url.Values{"fields": {"permalink"}}, &got); err != nil {
		return "" // it is live all the same
	}
	return got.Permalink
}
