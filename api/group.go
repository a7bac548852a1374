package api

import (
	"errors"
	"net/http"
	"time"

	"github.com/postroom/postroom/post"
)

// done answers what has nothing to say but that it was done.
type done struct {
	Success bool `json:"success"`
}

// updatedBody answers update-post.
type updatedBody struct {
	Success   bool         `json:"success"`
	Message   string       `json:"message"`
	PostGroup updatedGroup `json:"postGroup"`
}

type updatedGroup struct {
	ID            post.ID `json:"_id"`
	Status        string  `json:"status"`
	ScheduledTime stamp   `json:"scheduledTime,omitzero"`
}

// updatePost schedules, moves or pauses a group (CONTRACT §2.2). altTexts, which may
// come alone, is an addition of ours.
func (a *API) updatePost(c *call) (any, error) {
	body, err := c.body()
	if err != nil {
		return nil, err
	}
	f, err := parseFields(body)
	if err != nil {
		return nil, err
	}
	alts, err := c.altTexts(f)
	if err != nil {
		return nil, err
	}
	if f.absent("status") && f.absent("scheduledTime") && alts == nil {
		return nil, errBadRequest("Either status or scheduledTime must be provided")
	}
	var to post.Status
	if !f.absent("status") {
		switch s, _ := f.text("status"); s {
		case "draft":
			to = post.StatusDraft
		case "scheduled":
			to = post.StatusScheduled
		default:
			return nil, errBadRequest("Status must be either 'draft' or 'scheduled'")
		}
	}
	at, err := f.when()
	if err != nil {
		return nil, err
	}
	id, err := c.groupID()
	if err != nil {
		return nil, err
	}
	g, err := c.group(id)
	if err != nil {
		return nil, err
	}
	if to == 0 && at.IsZero() {
		if g, err = a.Store.Describe(c.Context(), id, alts); err != nil {
			return nil, mediaRefused(&g, err)
		}
	} else if err := c.arrange(&g, alts, func(g *post.Group) (post.Status, time.Time, error) {
		if to == 0 {
			return g.Status(), at, nil
		}
		return to, at, nil
	}); err != nil {
		return nil, err
	}
	return updatedBody{true, "Post updated successfully", updatedGroup{g.ID, publicStatus(&g), stamp(g.Slot())}}, nil
}

// arrange gives a group the status and the time that want says, within the account's
// plan (CONTRACT §4.3). Where somebody else changes it meanwhile, want is asked again,
// of the group as it is by then: a post that was paused would go out, and one that was
// scheduled would not. Its media get alts, nil for none, or nothing changes.
func (c *call) arrange(g *post.Group, alts []string, want wanted) error {
	for {
		to, at, err := want(g)
		if err != nil {
			return err
		}
		if locked := lockedAs(g); locked != "" {
			return errLocked(locked)
		}
		was := *g
		err = c.place(&was, to, at, func(at time.Time, caps []post.Cap) error {
			var as post.Group
			var err error
			if alts == nil {
				as, err = c.api.Store.Arrange(c.Context(), was.ID, &was, to, at, caps, c.who())
			} else {
				as, err = c.api.Store.ArrangeDescribed(c.Context(), was.ID, alts, &was, to, at, caps, c.who())
			}
			if errors.Is(err, post.ErrState) && (alts != nil || lockedAs(&as) != "") {
				return mediaRefused(&as, err)
			}
			if err == nil {
				*g = as
			}
			return err
		})
		switch {
		case errors.Is(err, post.ErrNotFound):
			return errNotFound(textNoGroup)
		case !errors.Is(err, post.ErrConflict):
			return err
		}
		again, err := c.group(was.ID)
		if err != nil {
			return err
		}
		*g = again
	}
}

// wanted says which status and time a group is to have: the zero time keeps its own.
type wanted func(*post.Group) (post.Status, time.Time, error)

// place finds when a group that is given a status and a time goes out, and has do
// store it there, under the caps of the account's plan when it is scheduled.
func (c *call) place(g *post.Group, to post.Status, at time.Time, do func(at time.Time, caps []post.Cap) error) error {
	if to != post.StatusScheduled {
		if !at.IsZero() {
			at = notPast(at, c.now)
		}
		return do(at, nil)
	}
	if at.IsZero() {
		at = g.Slot()
	}
	if at = notPast(at, c.now); at.Equal(g.Slot()) && g.Status() == post.StatusScheduled {
		return do(at, nil) // nothing moves, so nothing is asked of the plan
	}
	conns := connectionsOf(g)
	return c.spaced(conns, at, g, func(free time.Time) error {
		return c.withRoom(conns, free, g, func(caps []post.Cap) error { return do(free, caps) })
	})
}

// lockedAs returns the status that keeps a group from being changed, "" when it
// may be. A group of which something was claimed or sent is processing, though
// its public status is still scheduled.
func lockedAs(g *post.Group) string {
	for i := range g.Posts {
		switch s := g.Posts[i].Status; {
		case s.Editable(), s == post.StatusCancelled:
		case g.Status() == post.StatusScheduled:
			return "processing"
		default:
			return publicStatus(g)
		}
	}
	return ""
}

func errLocked(status string) error {
	return &Error{Status: http.StatusBadRequest, Text: "Cannot update post: post is currently in " + status + " status", Code: "POST_NOT_EDITABLE"}
}

// deletePost takes a group away (CONTRACT §2.4).
func (a *API) deletePost(c *call) (any, error) {
	id, err := c.groupID()
	if err != nil {
		return nil, err
	}
	if _, err := c.group(id); err != nil {
		return nil, err
	}
	switch _, err := a.Store.Delete(c.Context(), id, c.who()); {
	case errors.Is(err, post.ErrState), errors.Is(err, post.ErrNotFound):
		return nil, errNotFound(textNoGroup) // somebody else was faster
	case err != nil:
		return nil, err
	}
	return done{true}, nil
}

// gotBody answers get-post. What follows Posts are additions of ours (A3).
type gotBody struct {
	Success          bool         `json:"success"`
	PostGroupID      post.ID      `json:"postGroupId"`
	Posts            []gotPost    `json:"posts"`
	Status           string       `json:"status,omitempty"`
	Content          string       `json:"content,omitempty"`
	ScheduledTime    stamp        `json:"scheduledTime,omitzero"`
	ProcessingStatus string       `json:"processingStatus,omitempty"`
	Media            []shownMedia `json:"media,omitempty"`
}

// gotPost is one platform post (CONTRACT §2.3). PublishedAt and what follows are
// additions (A6).
type gotPost struct {
	ID         post.ID       `json:"_id"`
	Platform   post.Platform `json:"platform"`
	PlatformID string        `json:"platformId"` // without the platform
	Content    string        `json:"content"`
	Status     string        `json:"status"`
	PostedID   string        `json:"postedId,omitempty"`
	Error      *postError    `json:"error,omitempty"`

	PublishedAt  stamp     `json:"publishedAt,omitzero"`
	PublishedURL string    `json:"publishedUrl,omitempty"`
	Parts        []gotPart `json:"parts,omitempty"`
}

type postError struct {
	Code               string  `json:"code"`
	Message            string  `json:"message"`
	PlatformStatusCode *int    `json:"platformStatusCode,omitempty"`
	PlatformError      *string `json:"platformError"`
	FailedAt           stamp   `json:"failedAt"`
	Retryable          bool    `json:"retryable"`
}

type gotPart struct {
	Index    int    `json:"index"`
	Content  string `json:"content"`
	Status   string `json:"status"`
	PostedID string `json:"postedId,omitempty"`
	Error    string `json:"error,omitempty"` // of the part that stopped a thread
}

// getPost shows a group with its platform posts (CONTRACT §2.3).
func (a *API) getPost(c *call) (any, error) {
	id, err := c.groupID()
	if err != nil {
		return nil, err
	}
	g, err := c.group(id)
	if err != nil {
		return nil, err
	}
	body := gotBody{Success: true, PostGroupID: g.ID, Posts: make([]gotPost, len(g.Posts))}
	for i := range g.Posts {
		body.Posts[i] = showPost(&g, &g.Posts[i], c.set.StrictCompat)
	}
	if !c.set.StrictCompat {
		body.Status, body.Content, body.ScheduledTime = publicStatus(&g), g.Text, stamp(g.Slot())
		body.ProcessingStatus, body.Media = processing(&g), showMedia(&g, c.now)
	}
	return body, nil
}

func showPost(g *post.Group, p *post.Post, strict bool) gotPost {
	of := p.Connection.Platform()
	out := gotPost{
		ID: p.ID, Platform: of, PlatformID: p.Connection.Raw(), Content: g.For(of), Status: publicPostStatus(p.Status),
		Error: failureOf(p),
	}
	if p.Status == post.StatusPublished && p.Receipt != nil {
		out.PostedID = p.Receipt.RemoteID
		if !strict {
			out.PublishedAt, out.PublishedURL = stamp(p.Receipt.PublishedAt), p.Receipt.URL
		}
	}
	if strict || len(p.Parts) < 2 {
		return out
	}
	for i, part := range p.Parts {
		shown := gotPart{Index: i + 1, Content: part.Text, Status: out.Status, PostedID: part.RemoteID}
		switch {
		case part.RemoteID != "":
			shown.Status = post.StatusPublished.String()
		case out.Error != nil && i == p.PartsLive():
			shown.Error = out.Error.Message
		}
		out.Parts = append(out.Parts, shown)
	}
	return out
}

// failureOf gives why a post failed, nil when it did not.
func failureOf(p *post.Post) *postError {
	e := &postError{Code: post.ClassUnknown.String(), Message: "The post failed", FailedAt: stamp(p.UpdatedAt)}
	if o := p.Problem; o != nil {
		e.Code, e.Message, e.Retryable, e.FailedAt = o.Code, o.Message, o.Retryable, stamp(o.At)
		if o.HTTPStatus != 0 {
			e.PlatformStatusCode = &o.HTTPStatus
		}
	}
	switch p.Status {
	case post.StatusFailed:
	case post.StatusUnknown:
		e.Code, e.Retryable = post.CodeOutcomeUnknown, false
	case post.StatusCancelled:
		e.Code, e.Message, e.Retryable = "CANCELLED", "It was taken back before anything was sent", false
	default:
		return nil
	}
	return e
}

// publicStatus is a group's status in the contract's words.
func publicStatus(g *post.Group) string { return g.Status().String() }

// publicPostStatus is a platform post's status in the contract's words, which
// have none for a post whose outcome is unknown, or that was taken back.
func publicPostStatus(s post.Status) string {
	if s == post.StatusUnknown || s == post.StatusCancelled {
		s = post.StatusFailed
	}
	return s.String()
}

const finished = "finished"

// processing is how far a group has come (CONTRACT §3).
func processing(g *post.Group) string {
	moving, over := false, true
	for i := range g.Posts {
		s := g.Posts[i].Status
		moving = moving || !s.Editable() && s != post.StatusCancelled
		over = over && s.Final()
	}
	switch {
	case over:
		return finished
	case moving:
		return "processing"
	}
	return "pending"
}
