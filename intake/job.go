package intake

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/postroom/postroom/calendar"
	"github.com/postroom/postroom/importer"
	"github.com/postroom/postroom/internal/radix"
	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/scheduler"
)

// A job is one file on its way. What it holds for each row is kept small and in
// columns, by row number from 0: a large file has millions of them.
type job struct {
	in     *Intake
	req    Request
	digest post.Digest
	keep   bool // store; else only check
	as     readAs
	src    source
	prev   post.Import // the revision before; zero ID for none

	// Of a calendar.
	cal       *calendar.File  // nil of a CSV file
	past      time.Duration   // how long an event may be over to be held and not rejected
	uids      map[string]bool // whether the file says all there is of an event
	revisions map[uint32]revision
	words     map[uint32]uint64  // the hash of what a row says
	behind    map[string]bool    // by UID: the file has an older revision than the store
	lost      map[string]post.ID // by UID: a group of those dropped
	dropped   int                // instances of series that are no more
	kept      bool               // some of what the file lacks or could not read is left waiting
	extends   *post.Import       // the import whose series are laid out further
	told      map[string]bool    // by UID: a message has told of it since that came

	// Of the media.
	pins map[string]pinning // by where a row says that it lies

	// Of the survey.
	marks      []mark
	ids        []identity
	sets       []uint32 // index into conns.sets
	ats        []int64  // requested, Unix seconds; 0 for none
	conns      setTable
	validators [][]Validator // by set
	twins      []radix.Ref   // of the rows that are not bad, for the first comparison; nil where some are the same
	repeat     map[int]int   // row -> the earlier row that has the same id
	echoes     map[int]int   // row -> the earlier row that says the same on the same connections, not long before or after

	// Of the comparison.
	settled []settledRow        // rows that need nothing, by row
	replace []post.ID           // groups that changed rows stand in for
	uploads map[uint32]uploaded // by row
	removed int                 // groups of the previous revision that no row has now
	waiting int                 // those of them that may be cancelled
	earlier int                 // rows of what this revision stands in for
	gone    []post.ID           // the groups themselves, sorted
	cancel  []post.ID           // those of them that are to be cancelled, sorted
	freed   []post.Post         // open posts of replace and cancel: their time and quota are free again
	names   map[post.ID]importName
	unheard int           // rows whose words other files have, and that were not looked at
	heard   map[int]heard // row -> the post of another file that says the same

	// Of the plan.
	slots   []scheduler.Slot               // of the rows marked planned, in row order
	refused map[uint32]*post.LimitExceeded // changed rows that the plan has no room for
	quotas  []limits.QuotaLine
	caps    []post.Cap
}

// mark says what is known of a row after each step.
type mark uint16

const (
	bad      mark = 1 << iota // has an error: rejected
	warned                    // validation has warnings to say
	draft                     // keep it back
	named                     // has an id of its own
	settled                   // nothing to do: unchanged
	changed                   // stands in for an earlier revision's group
	planned                   // has a slot
	revoked                   // takes a post back
	pictured                  // has media that is to be taken
	judged                    // its media was taken, and the row checked with it
	absent                    // gives no post, and is bad for nothing else
)

func (j *job) count() int { return len(j.marks) }

// A setTable numbers the sets of connections that occur in a file. There are
// few, however many rows.
type setTable struct {
	sets [][]post.ConnectionID
	at   map[uint64][]uint32
	buf  []byte
}

func (t *setTable) number(ids []post.ConnectionID) uint32 {
	b := t.buf[:0]
	for _, id := range ids {
		b = field(b, string(id))
	}
	t.buf = b
	h := xxhash.Sum64(b)
	for _, n := range t.at[h] {
		if slices.Equal(t.sets[n], ids) {
			return n
		}
	}
	n := uint32(len(t.sets))
	t.sets = append(t.sets, slices.Clone(ids))
	if t.at == nil {
		t.at = map[uint64][]uint32{}
	}
	t.at[h] = append(t.at[h], n)
	return n
}

func tooLarge(name string, size, most int64) post.Problem {
	return post.Problem{
		File: name, Code: "FILE_TOO_LARGE", Got: fmt.Sprintf("%d bytes", size),
		Want: fmt.Sprintf("at most %d bytes", most), Hint: "split the file, or raise inbox.max_bytes in the config",
	}
}

// bytes returns the most bytes a file may have.
func (c Caps) bytes() int64 {
	if c.Bytes > 0 {
		return c.Bytes
	}
	return importer.DefaultLimits().MaxBytes
}

// survey is the first pass: it keeps of each row what the plan needs.
func (j *job) survey(ctx context.Context) error {
	if c, ok := j.src.(csvSource); ok { // grown row by row, the columns would be copied many times
		n := c.Count()
		j.marks, j.ids, j.sets, j.ats = make([]mark, 0, n), make([]identity, 0, n), make([]uint32, 0, n), make([]int64, 0, n)
	}
	h := hasher{account: j.req.Account.ID}
	total := cap(j.marks)
	err := j.src.Rows(ctx, func(r *row) error {
		j.progress(false, len(j.marks), total)
		var m mark
		var id identity
		var set uint32
		d := r.Draft
		wrong := post.HasErrors(r.Problems)
		if r.event != nil {
			var err error
			if m, err = j.surveyEvent(r, wrong && !r.absent); err != nil {
				return err
			}
		}
		if wrong {
			m |= bad
			if r.absent {
				m |= absent
			}
		} else {
			set = j.conns.number(d.Connections)
			var own bool
			if id, own = h.identify(d); own {
				m |= named
			}
			if r.event != nil {
				j.note(r)
			}
			if d.Status == post.StatusDraft || d.At.IsZero() && j.req.Account.Rules.Openings == nil {
				m |= draft
			}
			switch {
			case m&revoked != 0:
			case len(d.Media) > 0 && j.req.Media != nil:
				m |= pictured
			default:
				m |= j.validate(set, d)
			}
		}
		j.marks = append(j.marks, m)
		j.ids = append(j.ids, id)
		j.sets = append(j.sets, set)
		at := unix(d.At)
		if at == 0 && !d.At.IsZero() {
			at = 1 // the first second of 1970 is a time, long passed as the next one is
		}
		j.ats = append(j.ats, at)
		return nil
	})
	if err != nil {
		return fmt.Errorf("read %s: %w", j.req.Name, err)
	}
	j.tellRepeats()
	return nil
}

// progressRows is after how many rows progress is told.
const progressRows = 4096

func (j *job) progress(storing bool, done, of int) {
	if j.req.Progress != nil && done%progressRows == 0 {
		j.req.Progress(storing, done, of)
	}
}

// validate asks the platforms about a draft for a set of connections, and returns the
// marks that it earns.
func (j *job) validate(set uint32, d *post.Draft) (m mark) {
	for n := len(j.validators); n < len(j.conns.sets); n++ {
		var vs []Validator
		for _, c := range j.conns.sets[n] {
			if v := j.req.Account.Validators[c]; v != nil {
				vs = append(vs, v)
			}
		}
		j.validators = append(j.validators, vs)
	}
	for _, v := range j.validators[set] {
		if ps := v.Validate(&d.Content); len(ps) > 0 {
			m |= warned
			if post.HasErrors(ps) {
				m |= bad
			}
		}
	}
	return m
}

// problems returns all that is wrong with a row: what the reader found, what keeps
// its media from being taken, and what the platforms say. A problem that several connections of one platform share is
// told once.
func (j *job) problems(n int, r *row) []post.Problem {
	ps := r.Problems
	if m := j.marks[n]; m&warned == 0 || m&revoked != 0 || m&(pictured|judged) == pictured {
		return ps
	}
	ps = slices.Clone(ps)
	if untaken := j.pinned(r); len(untaken) > 0 {
		return append(ps, untaken...)
	}
	for _, c := range r.Draft.Connections {
		v := j.req.Account.Validators[c]
		if v == nil {
			continue
		}
		for _, p := range v.Validate(&r.Draft.Content) {
			p.File, p.Line, p.UID = j.req.Name, r.Line, r.UID
			if p.Column == 0 {
				p.Column = r.columns.Column(p.Field)
			}
			if !slices.Contains(ps, p) {
				ps = append(ps, p)
			}
		}
	}
	return ps
}

// note keeps of an event what tells it from its other revisions.
func (j *job) note(r *row) {
	if j.revisions == nil {
		j.revisions, j.words = map[uint32]revision{}, map[uint32]uint64{}
	}
	n := uint32(len(j.marks))
	j.revisions[n] = revision{sequence: r.event.Sequence, modifiedAt: r.event.ModifiedAt, uid: r.UID}
	j.words[n] = wordsOf(&r.Draft.Content)
}
