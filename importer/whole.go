package importer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
)

// Whole reports whether a file's content is complete, so that it can be taken
// while nothing says that its writer is done: it is not empty, does not end in
// the NULs of a preallocated copy, closes its quotes and ends its last line.
// missing says what is not there,
// in words that go on after "not complete:".
//
// lastNewlineOnly reports that the last row is complete but for its line ending,
// as some programs write it; ok is false then too. A row counts as complete when
// it is as wide as the shortest before it.
//
// What is no CSV file at all counts as whole, as [Open] is to reject it with the
// reason. The error is ctx's or src's. Memory does not grow with the file.
func Whole(ctx context.Context, r io.ReaderAt, size int64) (ok bool, missing string, lastNewlineOnly bool, err error) {
	f := &File{opt: Options{Name: "file", Limits: DefaultLimits()}, src: r, size: size}
	if size > f.opt.Limits.MaxBytes {
		return true, "", false, nil
	}
	_, err = f.detectHead()
	var refused *Unusable
	if err != nil && !errors.As(err, &refused) {
		return false, "", false, err
	}
	if refused != nil {
		switch refused.Problems[0].Code {
		case codeEmpty:
			return false, "it is empty", false, nil
		case codeBinary:
			// A copy that has room for the rest looks like this, so its end decides.
		default:
			return true, "", false, nil
		}
	}
	tail, err := f.tail()
	if err != nil {
		return false, "", false, err
	}
	unit := f.enc.unit()
	if last := tail[max(0, len(tail)-unit):]; len(bytes.Trim(last, "\x00")) == 0 {
		return false, "it ends in NULs, as a copy does that is not finished", false, nil
	}
	if refused != nil {
		return true, "", false, nil
	}
	if (size-f.enc.skip)%int64(unit) != 0 {
		return false, "its last character is cut in half", false, nil
	}
	// Without a header the file is rejected later; its quotes and its end tell
	// all the same whether more is to come.
	if err := f.findHeader(ctx); err != nil && !errors.As(err, &refused) {
		return false, "", false, err
	}
	return f.wholeRecords(ctx)
}

// HeaderLine returns the physical line on which the header of a table stands, from 1,
// or 0 for a text that is none. It reads only the beginning.
func HeaderLine(ctx context.Context, r io.ReaderAt, size int64) (int, error) {
	f := newFile(r, size, Options{Name: "file"})
	_, err := f.detectHead()
	if err == nil {
		err = f.findHeader(ctx)
	}
	var refused *Unusable
	if errors.As(err, &refused) {
		return 0, nil
	}
	return f.line, err
}

// wholeRecords reads all records and judges the last.
func (f *File) wholeRecords(ctx context.Context) (ok bool, missing string, lastNewlineOnly bool, err error) {
	rr := newRecordReader(f.enc.reader(f.src, f.size), f.delim, f.opt.Limits)
	rr.width = f.rowWidth()
	if err := rr.discard(f.skip, f.line); err != nil {
		return false, "", false, err
	}
	var last struct {
		line, cells int
		fault       fault
	}
	least := math.MaxInt // cells of the rows before the last
	for n := 0; ; n++ {
		if n%4096 == 0 {
			if err := ctx.Err(); err != nil {
				return false, "", false, err
			}
		}
		rec, err := rr.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return false, "", false, err
		}
		if last.line > 0 && last.fault == noFault {
			least = min(least, last.cells)
		}
		last.line, last.cells, last.fault = rec.line, rec.cells(), rec.fault
	}
	switch {
	case rr.openLine > 0:
		return false, fmt.Sprintf("the quote that opens in the row on line %d is not closed", rr.openLine), false, nil
	case rr.ended && !(rr.lastCR && rr.crs == 1): // a CR where no other line ends so is half a CR LF
		return true, "", false, nil
	case last.fault == openQuote || last.fault == rowTooLong:
		return false, fmt.Sprintf("the row on line %d does not end", last.line), false, nil
	case last.fault == noFault && least != math.MaxInt && last.cells < least:
		return false, fmt.Sprintf("the row on line %d is cut off: it has %d cells where the others have %d or more, and no line ending", last.line, last.cells, least), false, nil
	}
	return false, "its last row has no line ending", true, nil
}

// tail returns the last bytes of the file.
func (f *File) tail() ([]byte, error) {
	b := make([]byte, min(f.size, 8))
	if _, err := io.ReadFull(io.NewSectionReader(f.src, f.size-int64(len(b)), int64(len(b))), b); err != nil {
		return nil, fmt.Errorf("read the end of %s: %w", f.opt.Name, err)
	}
	return b, nil
}
