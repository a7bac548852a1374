package report

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/postroom/postroom/post"
)

// endOutcomes is the ending of the file that the outcomes of a large file are
// appended to, until all are in and the report is written again.
const endOutcomes = ".outcomes.csv"

var outcomeColumns = []string{"row", "post_id", "post_group_id", "platform", "status", "time", "posted_url", "error_code", "error", "attempts", "updated_at"}

// Outcomes appends to base.outcomes.csv what became of posts. A line that a crash
// cut off is taken away first, and one that is there already is not written again.
// It belongs to one goroutine; Close makes what was added durable.
type Outcomes struct {
	f    *os.File
	line []byte
	time clock
	seed maphash.Seed
	have []uint64 // hashes of the lines that are there, sorted
}

// AppendOutcomes opens the file, and makes it when there is none.
func AppendOutcomes(base string) (*Outcomes, error) {
	f, err := os.OpenFile(base+endOutcomes, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	o := &Outcomes{f: f, time: clock{zone: time.UTC}, seed: maphash.MakeSeed()}
	if err := errors.Join(o.atLineEnd(), o.readLines()); err != nil {
		return nil, errors.Join(fmt.Errorf("append to %s: %w", f.Name(), err), f.Close())
	}
	return o, nil
}

// readLines notes which lines are there, and leaves the file at its end.
func (o *Outcomes) readLines() error {
	if _, err := o.f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	r := bufio.NewReaderSize(o.f, 64<<10)
	var h maphash.Hash
	h.SetSeed(o.seed)
	for quotes := 0; ; {
		some, err := r.ReadSlice('\n')
		h.Write(some) // never fails
		quotes += bytes.Count(some, []byte{'"'})
		switch {
		case err == nil && quotes%2 == 0: // else the line ends within a cell
			o.have = append(o.have, h.Sum64())
			h.Reset()
			quotes = 0
		case errors.Is(err, io.EOF):
			slices.Sort(o.have)
			return nil
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return err
		}
	}
}

// atLineEnd cuts off a last line that is not whole, and writes the header of an
// empty file.
func (o *Outcomes) atLineEnd() error {
	size, err := o.f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	tail := make([]byte, min(size, 64<<10))
	if _, err := o.f.ReadAt(tail, size-int64(len(tail))); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	end := size - int64(len(tail)) + int64(bytes.LastIndexByte(tail, '\n')) + 1
	if end < size {
		if err := o.f.Truncate(end); err != nil {
			return err
		}
	}
	if _, err := o.f.Seek(end, io.SeekStart); err != nil {
		return err
	}
	if end > 0 {
		return nil
	}
	o.line = append(o.line[:0], bom...)
	for _, c := range outcomeColumns {
		o.line = appendCell(o.line, c, ',')
	}
	o.line[len(o.line)-1] = '\r'
	_, err = o.f.Write(append(o.line, '\n'))
	return err
}

// Add appends one post of a group, unless that is there as it stands now.
func (o *Outcomes) Add(g *post.Group, p *post.Post) error {
	o.line = o.line[:0]
	if g.Row > 0 {
		o.line = strconv.AppendInt(o.line, int64(g.Row), 10)
	}
	o.line = append(o.line, ',')
	o.line = append(appendID(o.line, p.ID), ',')
	o.line = append(appendID(o.line, g.ID), ',')
	o.line = appendCell(o.line, string(p.Connection), ',')
	o.line = appendCell(o.line, p.Status.String(), ',')
	o.line = append(o.time.appendUTC(o.line, p.DueAt), ',')
	url, code, message := "", "", ""
	if p.Receipt != nil {
		url = p.Receipt.URL
	}
	if p.Problem != nil {
		code, message = p.Problem.Code, p.Problem.Message
	}
	for _, s := range []string{url, code, message} {
		o.line = appendCell(o.line, s, ',')
	}
	o.line = append(strconv.AppendInt(o.line, int64(p.Attempts), 10), ',')
	o.line = append(o.time.appendUTC(o.line, p.UpdatedAt), ',')
	o.line[len(o.line)-1] = '\r'
	o.line = append(o.line, '\n')
	if _, there := slices.BinarySearch(o.have, maphash.Bytes(o.seed, o.line)); there {
		return nil
	}
	_, err := o.f.Write(o.line)
	return err
}

// Close makes what was added durable.
func (o *Outcomes) Close() error { return errors.Join(o.f.Sync(), o.f.Close()) }

// Settled reports whether something happened to a post that its file's outcomes
// should have.
func Settled(s post.Status) bool {
	return slices.Contains([]post.Status{post.StatusPublished, post.StatusFailed, post.StatusUnknown, post.StatusCancelled}, s)
}
