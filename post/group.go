package post

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// Content is what a post says, before any platform's rules.
type Content struct {
	Text         string              `json:"content"`
	Title        string              `json:"title,omitempty"`
	Link         string              `json:"link,omitempty"`
	FirstComment string              `json:"first_comment,omitempty"`
	Labels       []string            `json:"labels,omitempty"`
	Media        []Media             `json:"media,omitempty"`
	Settings     json.RawMessage     `json:"platform_settings,omitempty"` // an object, by platform (CONTRACT §5.3)
	Variants     map[Platform]string `json:"variants,omitempty"`          // other text for one platform
}

// For returns the text for one platform: its variant, else the common text.
func (c *Content) For(p Platform) string {
	if v, ok := c.Variants[p]; ok && v != "" {
		return v
	}
	return c.Text
}

// Media is one picture or film: where the row or the caller says that it lies, a
// URL or a path, and once it was taken, which file it is.
type Media struct {
	URL string `json:"url"`
	Alt string `json:"alt,omitempty"`
	Pin Pin    `json:"pin,omitzero"` // zero until it was taken

	Upload Upload `json:"upload,omitzero"` // how it comes through the API; zero for other media
}

// Pending reports whether the media is still to come through the API.
func (m *Media) Pending() bool { return !m.Upload.ID.IsZero() && m.Pin.IsZero() }

// An Upload is a place that was promised for media to be sent to.
type Upload struct {
	ID    ID        `json:"id"`
	Until time.Time `json:"until"` // the last moment at which the bytes may be there
}

// A Pin is a file that was taken into the room's media folder, and what is known
// of it. It is found by its hash, so whatever becomes of the place it came from,
// these are the bytes that go out.
type Pin struct {
	Hash     Digest        `json:"sha256"`
	Name     string        `json:"name"` // as platforms are told it
	Type     string        `json:"type"` // MIME type, by content
	Size     int64         `json:"size"` // bytes
	Width    int           `json:"width,omitempty"`
	Height   int           `json:"height,omitempty"`      // as it is seen, turned the way the file says
	Duration time.Duration `json:"duration_ns,omitempty"` // of a film or an animation; 0 when the file does not say
	Animated bool          `json:"animated,omitempty"`    // a picture that moves
	Rate     float64       `json:"frame_rate,omitempty"`  // pictures a second of a film, to a thousandth; 0 when the file does not say
}

// IsZero reports whether p stands for no file.
func (p *Pin) IsZero() bool { return p.Hash == Digest{} }

// Film reports whether p is a film.
func (p *Pin) Film() bool { return strings.HasPrefix(p.Type, "video/") }

// A Draft is one row or event as an importer read it, not yet placed in time.
type Draft struct {
	Content
	Connections []ConnectionID // resolved, without repeats, in the order written
	At          time.Time      // requested instant in UTC, whole seconds; zero for none
	AtText      string         // as written
	Zone        string         // the zone that gave the instant: "Europe/Berlin", "+01:00", "UTC"
	Status      Status         // StatusDraft to keep it back; 0 or StatusScheduled to schedule it
	ExternalID  string         // the row's own id, or UID(+RECURRENCE-ID); "" for none
	Repeat      string         // the rule by which the row repeats from At on (RFC 5545 §3.3.10); "" for none
	Occurrence  string         // which time of such a rule it is, by the clock of Zone: 20260301T0900; "" for none
}

// A Group is one piece of content for one or several connections, with a
// platform post for each.
type Group struct {
	ID      ID        `json:"id"`
	Account AccountID `json:"account"`
	Content
	Posts       []Post    `json:"posts"`
	ScheduledAt time.Time `json:"scheduled_at,omitzero"` // the planned slot of the group; zero for a draft without a time
	RequestedAt time.Time `json:"requested_at,omitzero"` // what the row or caller asked for, to the millisecond
	Zone        string    `json:"zone,omitempty"`        // in which the time was written
	Held        string    `json:"held,omitempty"`        // why a person must approve it; "" when not held
	Import      ID        `json:"import,omitzero"`       // the import that brought it; zero for the API
	Row         int       `json:"row,omitempty"`         // its data row there, from 1
	ExternalID  string    `json:"external_id,omitempty"`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
	AltTexts    []string  `json:"alt_texts,omitempty"` // of the media, by place, for what is still to be uploaded
	DeletedAt   time.Time `json:"deleted_at,omitzero"` // taken away through the API, where it is not shown any more
}

// Slot is when the group is to go out, as it was asked for: to the millisecond,
// where plans are in whole seconds. Zero for a draft without a time.
func (g *Group) Slot() time.Time {
	if d := g.ScheduledAt.Sub(g.RequestedAt); !g.RequestedAt.IsZero() && d >= 0 && d < time.Second {
		return g.RequestedAt
	}
	return g.ScheduledAt
}

// Behind is how long after its group one of its posts is to go out: a group that moves
// keeps that.
func (g *Group) Behind(p *Post) time.Duration {
	if g.ScheduledAt.IsZero() {
		return 0
	}
	return max(p.SlotAt.Sub(g.ScheduledAt), 0)
}

// PendingMedia returns the first media that is still to come, and until when any of
// it may; nil when all of it is there. Nothing of the group goes out before.
func (c *Content) PendingMedia() (first *Media, until time.Time) {
	for i := range c.Media {
		m := &c.Media[i]
		if !m.Pending() {
			continue
		}
		if first == nil {
			first = m
		}
		if m.Upload.Until.After(until) {
			until = m.Upload.Until
		}
	}
	return first, until
}

// Status returns the rollup of the group's posts.
func (g *Group) Status() Status { return Rollup(g.Posts) }

// A Post is a platform post: one group on one connection. It is the unit of
// scheduling, attempts and outcomes.
type Post struct {
	ID         ID           `json:"id"`
	Group      ID           `json:"group"`
	Account    AccountID    `json:"account"`
	Connection ConnectionID `json:"connection"`
	Status     Status       `json:"status"`
	DueAt      time.Time    `json:"due_at,omitzero"`  // when it goes out, or is tried again
	SlotAt     time.Time    `json:"slot_at,omitzero"` // when it was planned to go out: lateness is measured from here
	Attempts   int          `json:"attempts"`         // calls to the platform, counted from 1
	Epoch      uint64       `json:"-"`                // lease epoch of the last intent
	BegunAt    time.Time    `json:"begun_at,omitzero"`
	Receipt    *Receipt     `json:"receipt,omitempty"` // once published
	Problem    *Outcome     `json:"problem,omitempty"` // the last failure, or why it is held
	Parts      []Part       `json:"parts,omitempty"`   // of a thread, frozen when first sent; nil for a single post
	State      []byte       `json:"-"`                 // the publisher's checkpoint: upload ids and the like
	UpdatedAt  time.Time    `json:"updated_at"`
}

// Key returns the idempotency key of the post: the same for all attempts. It is
// header-safe and at most 64 bytes.
func (p *Post) Key() string { return "postroom-" + p.ID.String() }

// PartKey returns the idempotency key of one part of a thread, from 0.
func (p *Post) PartKey(part int) string {
	if part == 0 {
		return p.Key()
	}
	return p.Key() + "-" + strconv.Itoa(part)
}

// PartsLive counts the parts of a thread that are published.
func (p *Post) PartsLive() int {
	n := 0
	for i := range p.Parts {
		if p.Parts[i].RemoteID != "" {
			n++
		}
	}
	return n
}

// A Part is one remote post of a thread.
type Part struct {
	Text     string `json:"text"`
	RemoteID string `json:"remote_id,omitempty"` // once published
	URL      string `json:"url,omitempty"`
}

// A Receipt is a platform's word that a post is live.
type Receipt struct {
	RemoteID    string    `json:"remote_id"`
	URL         string    `json:"url,omitempty"`
	PublishedAt time.Time `json:"published_at"`
	Found       bool      `json:"found,omitempty"` // by a look-up after a lost answer, or by a person's word
}

// An Outcome is what is kept of a failed attempt, or of a decision to hold.
type Outcome struct {
	Code       string    `json:"code"`
	Message    string    `json:"message"`
	HTTPStatus int       `json:"http_status,omitempty"`
	Retryable  bool      `json:"retryable"`
	At         time.Time `json:"at"`
}

// A Delivery is what a publisher is given: the post and what it says. It is a
// copy; changing it changes nothing.
type Delivery struct {
	Post    Post
	Content Content

	// Again says that an attempt was begun before, of which something may be live:
	// Attempts does not, as a person's retry counts from one.
	Again bool
}

// Text returns what the delivery says on its platform.
func (d *Delivery) Text() string { return d.Content.For(d.Post.Connection.Platform()) }
