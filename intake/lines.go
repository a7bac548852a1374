package intake

import (
	"bytes"
	"slices"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/report"
)

// batchRows is how many rows are handed to the report at a time.
const batchRows = 256

// A reporter writes report lines while the next rows are read and stored. It
// keeps copies, as readers use their rows again.
type reporter struct {
	lines *report.Builder
	batch *lineBatch
	full  chan *lineBatch
	empty chan *lineBatch
	ended chan error // all rows are written
	safe  chan error // and on disk
}

// A lineBatch holds rows with what their lines need.
type lineBatch struct {
	rows   []post.Row
	groups []post.Group // a group without an id's posts is no group
	raws   [][]byte
	posts  []post.Post // of all groups, in order
	cells  []string    // of all rows, in order
	width  int
}

func newReporter(b *report.Builder, width int) *reporter {
	r := &reporter{lines: b, full: make(chan *lineBatch, 2), empty: make(chan *lineBatch, 4), ended: make(chan error, 1), safe: make(chan error, 1)}
	r.batch = &lineBatch{width: width}
	for range 3 {
		r.empty <- &lineBatch{width: width}
	}
	go r.write(r.full)
	return r
}

// write writes batches until there are no more, and then makes them durable while
// the rows are sealed. After an error it only gives them back.
func (r *reporter) write(full <-chan *lineBatch) {
	var err error
	for b := range full {
		if err == nil {
			err = b.write(r.lines)
		}
		b.reset()
		r.empty <- b
	}
	r.ended <- err
	if err == nil {
		err = r.lines.EndRows()
	}
	r.safe <- err
	close(r.safe)
}

func (b *lineBatch) write(lines *report.Builder) error {
	posts, cells := b.posts, b.cells
	for i := range b.rows {
		var g *post.Group
		if n := len(b.groups[i].Posts); n > 0 {
			g = &b.groups[i]
			g.Posts, posts = posts[:n:n], posts[n:]
		}
		if err := lines.Row(cells[:b.width:b.width], b.raws[i], &b.rows[i], g); err != nil {
			return err
		}
		cells = cells[b.width:]
	}
	return nil
}

func (b *lineBatch) reset() {
	b.rows, b.groups, b.raws, b.posts, b.cells = b.rows[:0], b.groups[:0], b.raws[:0], b.posts[:0], b.cells[:0]
}

// add copies one row.
func (r *reporter) add(cells []string, raw []byte, row *post.Row, g *post.Group) {
	b := r.batch
	b.rows = append(b.rows, *row)
	kept := &b.rows[len(b.rows)-1]
	kept.Problems = slices.Clone(kept.Problems)
	for i := range b.width {
		if i < len(cells) {
			b.cells = append(b.cells, cells[i])
		} else {
			b.cells = append(b.cells, "")
		}
	}
	if row.Decision == post.Rejected {
		raw = bytes.Clone(raw)
	} else {
		raw = nil
	}
	b.raws = append(b.raws, raw)
	if g != nil {
		b.groups = append(b.groups, *g)
		b.posts = append(b.posts, g.Posts...)
	} else {
		b.groups = append(b.groups, post.Group{})
	}
	if len(b.rows) == batchRows {
		r.full <- b
		r.batch = <-r.empty
	}
}

// end writes what is left and returns the first error.
func (r *reporter) end() error {
	if r.full == nil {
		return nil
	}
	r.full <- r.batch
	close(r.full)
	r.full = nil
	return <-r.ended
}

// settle waits until the rows are on disk. Before it returns nobody else may
// touch the builder.
func (r *reporter) settle() error { return <-r.safe }
