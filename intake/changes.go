package intake

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/postroom/postroom/post"
)

// Changes are what a revision does to what the earlier ones of its lineage
// brought. A check and an import of the same file at the same moment give the same.
type Changes struct {
	Since     time.Time `json:"since"` // when the revision before was taken
	Added     int       `json:"added"`
	Changed   int       `json:"changed"`
	Unchanged int       `json:"unchanged"`
	Rejected  int       `json:"rejected"` // rows that could not be used: what they brought earlier stays
	Removed   int       `json:"removed"`  // post groups that no row has any more
	Cancelled int       `json:"cancelled"`
	Lines     []Change  `json:"lines,omitempty"`
	Omitted   int       `json:"omitted,omitempty"` // lines beyond the first thousand
}

// A Change is one line of the plan. Of an unchanged row there is one only when
// there is something to say of it.
type Change struct {
	Kind        ChangeKind          `json:"kind"`
	Line        int                 `json:"line,omitempty"` // in this revision; 0 of what was removed
	UID         string              `json:"uid,omitempty"`
	Group       post.ID             `json:"post_group_id,omitzero"` // that an earlier revision brought
	Text        string              `json:"text"`                   // shortened
	At          time.Time           `json:"scheduled_time,omitzero"`
	Connections []post.ConnectionID `json:"connections,omitempty"`
	Fields      []FieldChange       `json:"fields,omitempty"` // of what changed
	Note        string              `json:"note,omitempty"`
}

// A FieldChange is one thing that a changed row says otherwise, shortened to
// where it differs.
type FieldChange struct {
	Field string `json:"field"`
	Old   string `json:"old"`
	New   string `json:"new"`
}

// A ChangeKind is what becomes of a row, or of what it brought.
type ChangeKind uint8

const (
	Added ChangeKind = iota + 1
	Changed
	Unchanged
	Removed
)

// Sign is the mark of the kind in a patch.
func (k ChangeKind) Sign() string { return string(" +~=-"[min(int(k), 4)]) }

// MarshalText writes the word.
func (k ChangeKind) MarshalText() ([]byte, error) {
	return []byte([...]string{"", "added", "changed", "unchanged", "removed"}[min(int(k), 4)]), nil
}

// mostChanges is how many lines Changes have; the counts are of all.
const mostChanges = 1000

func (c *Changes) add(line Change) {
	if len(c.Lines) < mostChanges {
		c.Lines = append(c.Lines, line)
	} else {
		c.Omitted++
	}
}

// note puts a row that was decided into the plan of changes, with the group that
// it brings. It does nothing for a file that is no revision.
func (w *writer) note(ctx context.Context, r *row, row *post.Row, g *post.Group) error {
	c := w.res.Changes
	if c == nil {
		return nil
	}
	line := Change{Line: r.Line, UID: r.UID, Text: post.Shorten(oneLine(r.Draft.Text)), Connections: slices.Clone(r.Draft.Connections)}
	if g != nil {
		line.At = g.ScheduledAt
	}
	changed := w.marks[r.N-1]&changed != 0
	var old post.ID
	if changed {
		old, w.replaced = w.replace[w.replaced], w.replaced+1
	}
	switch {
	case row.Decision == post.Rejected:
		c.Rejected++
	case row.Decision == post.Unchanged:
		c.Unchanged++
		if s := w.settled[w.settle-1]; s.why != sameRow {
			line.Kind, line.Group, line.Note = Unchanged, s.group, row.Why
			c.add(line)
		}
	case changed:
		c.Changed++
		line.Kind, line.Group, line.Note = Changed, old, row.Why
		if len(c.Lines) < mostChanges {
			was, err := w.in.store.Group(ctx, old)
			if err != nil {
				return fmt.Errorf("group %s of row %d: %w", old, row.N, err)
			}
			line.Fields = differences(&was, g, w.req.Account.Zone)
		}
		c.add(line)
	default:
		c.Added++
		line.Kind, line.Note = Added, row.Why
		c.add(line)
	}
	return nil
}

// noteRemoved puts what no row has any more into the plan of changes.
func (w *writer) noteRemoved(ctx context.Context) error {
	c := w.res.Changes
	if c == nil {
		return nil
	}
	c.Removed, c.Cancelled = len(w.gone), len(w.cancel)
	for _, id := range w.gone {
		if len(c.Lines) >= mostChanges {
			c.Omitted++
			continue
		}
		g, err := w.in.store.Group(ctx, id)
		if err != nil {
			return err
		}
		c.add(Change{
			Kind: Removed, Group: id, Text: post.Shorten(oneLine(g.Text)), At: g.ScheduledAt, Connections: connectionsOf(&g), Note: w.fateOfRemoved(&g),
		})
	}
	return nil
}

// fateOfRemoved says what becomes of a group that no row has any more.
func (j *job) fateOfRemoved(g *post.Group) string {
	switch fate(g) {
	case fateLive:
		return "already published: it stays"
	case fateInDoubt:
		return "being sent, or sent with its answer lost: it stays"
	case fateGone:
		return "it is " + g.Status().String() + " and stays so"
	}
	if _, cancelled := slices.BinarySearchFunc(j.cancel, g.ID, compareIDs); cancelled {
		return "will be cancelled"
	}
	if why := j.spared(); j.req.CancelRemoved && why != "" {
		return "stays as it was: " + why
	}
	return "stays as it was"
}

func compareIDs(a, b post.ID) int { return slices.Compare(a[:], b[:]) }

// differences lists what g says otherwise than old, in the order of the columns.
func differences(old, g *post.Group, zone *time.Location) []FieldChange {
	var out []FieldChange
	put := func(field, was, is string) {
		if was != is {
			was, is = around(was, is)
			out = append(out, FieldChange{field, was, is})
		}
	}
	put("content", old.Text, g.Text)
	put("platforms", names(connectionsOf(old)), names(connectionsOf(g)))
	put("scheduled_time", clockOf(old.ScheduledAt, zone), clockOf(g.ScheduledAt, zone))
	put("status", statusOf(old), statusOf(g))
	put("media_url", mediaOf(old, false), mediaOf(g, false))
	put("alt_text", mediaOf(old, true), mediaOf(g, true))
	put("title", old.Title, g.Title)
	put("link", old.Link, g.Link)
	put("first_comment", old.FirstComment, g.FirstComment)
	put("labels", strings.Join(old.Labels, ", "), strings.Join(g.Labels, ", "))
	put("platform_settings", string(old.Settings), string(g.Settings))
	for _, p := range variantsOf(old, g) {
		put("content_"+string(p), old.Variants[p], g.Variants[p])
	}
	return out
}

func connectionsOf(g *post.Group) []post.ConnectionID {
	ids := make([]post.ConnectionID, len(g.Posts))
	for i := range g.Posts {
		ids[i] = g.Posts[i].Connection
	}
	return ids
}

func names(ids []post.ConnectionID) string {
	parts := make([]string, len(ids))
	for i, id := range ids {
		parts[i] = string(id)
	}
	return strings.Join(parts, ", ")
}

func clockOf(at time.Time, zone *time.Location) string {
	if at.IsZero() {
		return "no time"
	}
	return at.In(zone).Format("Mon 2006-01-02 15:04 MST")
}

func statusOf(g *post.Group) string {
	if g.Held != "" {
		return "held"
	}
	return g.Status().String()
}

func mediaOf(g *post.Group, alt bool) string {
	var parts []string
	for i := range g.Media {
		m := &g.Media[i]
		switch {
		case !m.Upload.ID.IsZero(): // came through the API, and stays
		case !alt:
			parts = append(parts, m.URL)
		case m.Alt != "":
			parts = append(parts, m.Alt)
		}
	}
	return strings.Join(parts, ", ")
}

func variantsOf(gs ...*post.Group) []post.Platform {
	var out []post.Platform
	for _, g := range gs {
		for p := range g.Variants {
			if !slices.Contains(out, p) {
				out = append(out, p)
			}
		}
	}
	slices.Sort(out)
	return out
}

// lead is how much of what two texts share stands before their first difference.
const lead = 20

// around shortens two texts to one line each, from shortly before where they
// differ.
func around(a, b string) (string, string) {
	a, b = oneLine(a), oneLine(b)
	same := 0
	for same < len(a) && same < len(b) && a[same] == b[same] {
		same++
	}
	from := same
	for n := 0; from > 0 && n < lead; n++ {
		_, size := utf8.DecodeLastRuneInString(a[:from])
		from -= size
	}
	if from == 0 || utf8.RuneCountInString(a) <= 2*lead && utf8.RuneCountInString(b) <= 2*lead {
		return post.Shorten(a), post.Shorten(b)
	}
	for from < same && !utf8.RuneStart(a[from]) {
		from++
	}
	return post.Shorten("…" + a[from:]), post.Shorten("…" + b[from:])
}

// oneLine shows line breaks as one sign, so that a text that differs by one only
// is seen to.
func oneLine(s string) string { return strings.ReplaceAll(s, "\n", "⏎") }
