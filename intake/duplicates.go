package intake

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/postroom/postroom/post"
)

// heard is a post of another file that says what a row says.
type heard struct {
	group post.ID
	imp   post.ID
	at    int64 // Unix seconds
}

// mostHeard bounds how many posts of other files are looked at for duplicates.
const mostHeard = 1000

// near reports whether two times, Unix seconds and 0 for none, are near enough for
// the same words to be told of.
func (j *job) near(a, b int64) bool {
	within := int64(j.req.Account.Duplicates / time.Second)
	return within > 0 && a != 0 && b != 0 && max(a-b, b-a) <= within
}

// hear finds the rows whose words other files have brought to the same
// connections, at another time. Rows with an id of their own are known by that and
// not by their words, so they are not compared.
func (j *job) hear(ctx context.Context) error {
	j.heard, j.unheard = nil, 0
	if j.req.Account.Duplicates == 0 || j.cal != nil {
		return nil
	}
	others, err := j.in.store.HasImports(ctx, j.req.Account.ID, j.req.Place.Lineage)
	if err != nil || !others {
		return err
	}
	refs := sorted(j.count(), func(n int) (uint64, bool) {
		return j.ids[n].key, j.marks[n]&(bad|named|settled|changed|revoked) == 0 && j.ats[n] != 0
	})
	ms, err := j.in.store.MatchWords(ctx, j.req.Account.ID, j.req.Place.Lineage, hashes(refs))
	if err != nil {
		return err
	}
	j.unheard = max(len(ms)-mostHeard, 0)
	for _, m := range ms[:len(ms)-j.unheard] {
		g, err := j.in.store.Group(ctx, m.Group)
		if errors.Is(err, post.ErrNotFound) {
			continue
		}
		if err != nil {
			return fmt.Errorf("group %s: %w", m.Group, err)
		}
		n := int(refs[m.At].Row)
		if at := unix(g.ScheduledAt); fate(&g) != fateGone && j.near(j.ats[n], at) {
			if j.heard == nil {
				j.heard = map[int]heard{}
			}
			j.heard[n] = heard{group: g.ID, imp: m.Import, at: at}
		}
	}
	return nil
}

// tellDuplicate warns of a row that says what another one says.
func (w *writer) tellDuplicate(ctx context.Context, row *post.Row, r *row, n int) {
	if row.Decision != post.Accepted {
		return
	}
	const want = "words that no other post on the same connections has: %s has them, %s"
	said := ""
	if first, ok := w.echoes[n]; ok {
		said = fmt.Sprintf(want, fmt.Sprintf("line %d", w.firsts[first]), apart(w.ats[first], w.ats[n]))
	} else if other, ok := w.heard[n]; ok {
		name, _ := w.importName(ctx, other.imp)
		said = fmt.Sprintf(want, fmt.Sprintf("post %s of %s", other.group, name), apart(other.at, w.ats[n]))
	} else {
		return
	}
	p := post.Problem{
		File: w.req.Name, Line: r.Line, Column: r.columns.Column("content"), Field: "content", Severity: post.SeverityWarning, Code: "DUPLICATE_TEXT",
		Got: post.Shorten(r.Draft.Text), Want: said, Hint: "vary the text: X and LinkedIn refuse the same words again; `duplicates: off` in the config ends these warnings",
	}
	row.Problems = append(row.Problems[:len(row.Problems):len(row.Problems)], p)
}

// apart says how far a time lies from another, both Unix seconds.
func apart(other, own int64) string {
	d, word := own-other, "before"
	if d < 0 {
		d, word = -d, "after"
	}
	switch hours := d / 3600; {
	case d < 60:
		return "at the same time"
	case hours < 1:
		return fmt.Sprintf("%s %s", count(int(d/60), "minute"), word)
	case hours < 48:
		return fmt.Sprintf("%s %s", count(int(hours), "hour"), word)
	}
	return fmt.Sprintf("%s %s", count(int(d/86400), "day"), word)
}
