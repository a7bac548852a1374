package api

import "github.com/postroom/postroom/post"

// logsBody answers post-logs (CONTRACT §2.8).
type logsBody struct {
	Success bool       `json:"success"`
	Logs    []logEntry `json:"logs"`
}

type logEntry struct {
	ID          post.ID       `json:"_id"`
	PostGroupID post.ID       `json:"postGroupId"`
	PostID      post.ID       `json:"postId,omitzero"`
	Platform    post.Platform `json:"platform,omitempty"`
	Event       string        `json:"event"`
	Error       string        `json:"error,omitempty"`
	HTTPStatus  int           `json:"httpStatus,omitempty"`
	RetryCount  *int          `json:"retryCount,omitempty"`
	Metadata    *logMetadata  `json:"metadata,omitempty"`
	CreatedAt   stamp         `json:"createdAt"`
	UpdatedAt   stamp         `json:"updatedAt"`
}

// logMetadata says of a failure what it was; of another event what was done, and
// by whom, which are additions of ours.
type logMetadata struct {
	ErrorCode string `json:"errorCode,omitempty"`
	Retryable *bool  `json:"retryable,omitempty"`
	Note      string `json:"note,omitempty"`
	By        string `json:"by,omitempty"`
}

// mostLogs is how many entries one answer has.
const mostLogs = 100

// postLogs tells what happened to a group, the oldest first. ?order=desc turns
// that round, ?limit= gives fewer (both ours: late events of a long history would
// otherwise never be seen).
func (a *API) postLogs(c *call) (any, error) {
	id, err := c.groupID()
	if err != nil {
		return nil, err
	}
	g, err := c.group(id)
	if err != nil {
		return nil, err
	}
	entries, err := a.Store.Log(c.Context(), id)
	if err != nil {
		return nil, err
	}
	entries = withGroups(&g, entries)
	if c.set.StrictCompat && len(entries) > 0 && entries[0].Error == post.LogDraftMade {
		entries = entries[1:] // the original does not log that a draft is made
	}
	p := c.params()
	limit, backward := p.number("limit", mostLogs), p.text("order") == "desc"
	if limit < 1 || limit > mostLogs {
		limit = mostLogs
	}
	body := logsBody{Success: true, Logs: []logEntry{}}
	for i := range entries {
		if backward {
			i = len(entries) - 1 - i
		}
		if len(body.Logs) == limit {
			break
		}
		body.Logs = append(body.Logs, showEntry(&entries[i], c.set.StrictCompat))
	}
	return body, nil
}

// withGroups adds to the history of a group's posts what the contract logs of the
// group itself (CONTRACT §3): that it is no draft any more, that its first post is
// being sent, and what it became with its last one.
func withGroups(g *post.Group, entries []post.LogEntry) []post.LogEntry {
	last := -1 // the entry that settled the group
	if processing(g) == finished {
		for i := range entries {
			if e := entries[i].Event; e == "publish_succeeded" || e == "publish_failed" {
				last = i
			}
		}
	}
	var all []post.LogEntry
	draft, sending := false, false
	of := func(e *post.LogEntry, event, note, who string) {
		id := e.ID
		id[4] ^= 1 << 7 // of its own: what is left of the id is the group's and the moment's
		all = append(all, post.LogEntry{ID: id, Group: e.Group, Event: event, Error: note, Who: who, At: e.At})
	}
	for i := range entries {
		e := &entries[i]
		switch {
		case e.Error == post.LogDraftMade, e.Error == post.LogDraftKept:
			draft = true
		case e.Event == "scheduled" && draft:
			of(e, "status_changed", "scheduled", e.Who)
			draft, sending = false, false
		case e.Event == "processing" && !sending:
			of(e, "processing", "", "")
			sending = true
		}
		all = append(all, *e)
		if i == last {
			of(e, "status_changed", publicStatus(g), "")
		}
	}
	return all
}

func showEntry(e *post.LogEntry, strict bool) logEntry {
	out := logEntry{
		ID: e.ID, PostGroupID: e.Group, PostID: e.Post, Platform: e.Platform, Event: e.Event,
		HTTPStatus: e.Status, CreatedAt: stamp(e.At), UpdatedAt: stamp(e.At),
	}
	var meta logMetadata
	switch e.Event {
	case "publish_failed":
		out.Error = e.Error
		meta.ErrorCode, meta.Retryable = e.ErrorCode, &e.Retryable
		fallthrough
	case "publish_attempted":
		retries := max(0, e.Attempt-1)
		out.RetryCount = &retries
	default:
		if !strict {
			meta.ErrorCode, meta.Note = e.ErrorCode, e.Error
		}
	}
	if !strict {
		meta.By = e.Who
	}
	if meta != (logMetadata{}) {
		out.Metadata = &meta
	}
	return out
}
